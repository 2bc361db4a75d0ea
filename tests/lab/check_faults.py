# SPDX-License-Identifier: BSD-2-Clause
"""What happens when things break: the daemon is killed, told to end, or cannot start at all."""

import os
import pathlib
import shutil
import threading
import time

import check_verdicts
import client
import milter
import net

SESSIONS = 200
FORGED = "nobody@real.example"


def run(tap, rig):
    _killed(tap, rig)
    _absent(tap, rig)
    _told_to_end(tap, rig)
    if not rig.repeats:
        _cannot_start(tap, rig)


def _killed(tap, rig):
    """SIGKILL amid 200 sessions, half of them waiting, half busy filling the cache."""
    rig.milter.start_fresh()
    before = rig.send(FORGED)
    tap.equal(check_verdicts.told(before), check_verdicts.REJECT, "before: a forged sender", before)
    rig.hosts.settled()
    time.sleep(0.3)
    mails, killed = [], []

    def kill():
        os.kill(rig.milter.pid, 9)
        killed.append(time.monotonic())

    killer = threading.Timer(1.0, kill)
    killer.start()
    for batch in client.at_once(SESSIONS, lambda index: _busy(rig, index)):
        mails += batch
    killer.join()
    under_way = sum(mail.under_way(killed[0]) for mail in mails)
    tap.ok(
        not rig.milter.alive() and under_way >= SESSIONS * 3 // 4,
        f"the daemon is killed while {SESSIONS} sessions are under way",
        under_way,
    )
    rig.milter.kill()
    odd = [mail for mail in mails if not mail.accepted]
    tap.ok(
        not odd, f"an MTA that accepts without a milter: all {len(mails)} mails get in", *odd[:3]
    )

    rig.hosts.reset()
    rig.milter.start()
    tap.ok(rig.milter.alive(), "it starts again on the cache that was left behind")
    after = rig.send(FORGED, source="203.0.113.2")
    tap.equal(
        check_verdicts.told(after), check_verdicts.REJECT, "what it knew before it still knows"
    )
    asked = rig.hosts.settled()
    tap.equal(asked.connections, 0, "and asks nobody again", asked)
    _records_are_whole(tap, rig)


def _busy(rig, index):
    """Half the clients wait on a slow mail host; half send one mail after another."""
    source = f"203.0.113.{index % 200 + 1}"
    if index % 2:
        return [rig.send(f"user-{index}@slow{index // 2}.example", source=source)]
    return [rig.send(f"user-{index}-{n}@bulk.example", source=source) for n in range(5)]


def _records_are_whole(tap, rig):
    status, output, errors = rig.milter.ringback("cache", "stats", "--json")
    tap.ok(
        status == 0 and not errors,
        "`cache stats` reads the cache without complaint",
        status,
        output,
        errors,
    )
    status, output, errors = rig.milter.ringback("cache", "list", "--json")
    records = milter.parse_json(output)
    sound = [
        r
        for r in records
        if r.get("verdict") in ("valid", "invalid", "unknown")
        and r.get("reason")
        and r.get("address")
    ]
    tap.ok(
        status == 0 and not errors and len(sound) == len(records) and records,
        f"`cache list` shows {len(records)} records, none damaged",
        status,
        errors,
        [r for r in records if r not in sound][:3],
    )


def _absent(tap, rig):
    """No milter at all: the MTA does as it is told, by milter_default_action or by F=."""
    rig.milter.stop()
    mail = rig.send(FORGED)
    tap.ok(mail.accepted, "no milter, the MTA accepts without: mail gets in", mail)
    rig.mta.set("tempfail")
    for _ in range(20):  # an idle smtpd of Postfix from before the reload may take one more client
        mail = rig.send(FORGED)
        if not mail.accepted:
            break
        time.sleep(0.2)
    tap.ok(400 <= mail.code < 500, "no milter, the MTA defers without: mail is deferred", mail)


def _told_to_end(tap, rig):
    """SIGTERM while clients wait: each gets the milter's own answer (the MTA's would be 4yz)."""
    rig.mta.set("tempfail")
    rig.milter.start_fresh()
    ended = []

    def end():
        begun = time.monotonic()
        rig.milter.signal("SIGTERM")
        ended.append((rig.milter.process.wait(20), time.monotonic() - begun))

    timer = threading.Timer(1.0, end)
    timer.start()
    mails = client.at_once(20, lambda n: _until_rcpt(rig, f"x{n}@tarpit.example", n + 1))
    timer.join()
    odd = [reply.line for reply in mails if reply.code != 250]
    tap.ok(not odd, "SIGTERM while 20 clients wait: each of them gets its answer", *odd[:3])
    longest = max(reply.seconds for reply in mails)
    tap.ok(
        0.5 < longest < 6,
        "they had been waiting, and not until the end of max_wait",
        f"{longest:.1f} s",
    )
    tap.ok(
        ended and ended[0][0] == 0 and ended[0][1] < 5,
        "the daemon ends by itself, status 0",
        ended,
    )
    rig.milter.stop()
    rig.mta.set("accept")


def _until_rcpt(rig, sender, number):
    """The reply to RCPT: what comes behind it is not the milter's any more once it has ended."""
    session = client.Session(rig.net.client, f"203.0.113.{number}")
    try:
        session.ehlo()
        reply = session.command(f"MAIL FROM:<{sender}>")
        return session.command(f"RCPT TO:<{client.RECIPIENT}>") if reply.code == 250 else reply
    finally:
        session.close()


def _cannot_start(tap, rig):
    """One clear line, the right status, and nothing half-started."""
    rig.milter.stop()
    folder = pathlib.Path(rig.folder)

    broken = rig.milter.configure(folder / "broken.conf", more='max_wiat = "8s"\n')
    status, said = rig.milter.attempt(broken)
    _refused(tap, rig, "an unknown directive", (status, said), 78, "broken.conf:")
    status, said = rig.milter.attempt(broken, "-t")
    _refused(tap, rig, "an unknown directive, with -t", (status, said), 78, "max_wiat")
    bad_value = rig.milter.configure(folder / "value.conf", max_wait="8 bananas")
    _refused(tap, rig, "a value out of range", rig.milter.attempt(bad_value), 78, "max_wait")
    unclosed = folder / "unclosed.conf"
    unclosed.write_text("callout {\n  port = 25\n")
    _refused(
        tap, rig, "a block that is not closed", rig.milter.attempt(unclosed), 78, "unclosed.conf:"
    )
    _refused(
        tap,
        rig,
        "a configuration that is not there",
        rig.milter.attempt(folder / "none.conf"),
        78,
        "none.conf",
    )

    sealed = folder / "sealed"
    sealed.mkdir(mode=0o700)
    config = rig.milter.configure(folder / "sealed.conf", store=sealed)
    _refused(
        tap,
        rig,
        "a cache folder that cannot be written",
        rig.milter.attempt(config),
        73,
        str(sealed),
    )
    (folder / "a-file").write_text("not a folder")
    config = rig.milter.configure(folder / "file.conf", store=folder / "a-file" / "cache")
    _refused(tap, rig, "a cache folder that cannot be", rig.milter.attempt(config), 73, "a-file")

    holder = rig.net.mta.socket()
    holder.setsockopt(net.socket.SOL_SOCKET, net.socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", 8894))
    holder.listen()
    rig.milter.store.mkdir(exist_ok=True)
    shutil.chown(rig.milter.store, "nobody", "nogroup")
    _refused(
        tap, rig, "a port that is taken", rig.milter.attempt(rig.milter.configure()), 69, "8894"
    )
    holder.close()


def _refused(tap, rig, text, outcome, wanted, mention):
    status, said = outcome
    lines = [line for line in said.splitlines() if line.strip()]
    tap.equal(status, wanted, f"{text}: exit status {wanted}", said)
    tap.ok(
        len(lines) == 1 and mention in lines[0], f"{text}: one line that names it ({mention})", said
    )
    tap.ok(not rig.milter.control.exists(), f"{text}: nothing is left half-started")
