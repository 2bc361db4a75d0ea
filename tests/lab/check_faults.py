# SPDX-License-Identifier: BSD-2-Clause
"""What happens when things break: the daemon is killed, told to end, or cannot start at all."""

import pathlib
import shutil
import threading

import check_verdicts
import client
import milter
import net
import waiting
import world

WAITING = world.SLOW_COUNT  # clients of as many mail hosts
BUSY = 20  # others that send one mail after another
BULK = "192.0.2.12"
CALLED, BEGUN = 20, 5
FORGED = "nobody@real.example"


def run(tap, rig):
    _killed(tap, rig)
    _absent(tap, rig)
    _told_to_end(tap, rig)
    if not rig.repeats:
        _cannot_start(tap, rig)


def _killed(tap, rig):
    """SIGKILL amid sessions, of clients that wait and of clients that fill the cache."""
    rig.milter.start_fresh()
    before = rig.send(FORGED)
    tap.equal(check_verdicts.told(before), check_verdicts.REJECT, "before: a forged sender", before)
    waiting.until(lambda: rig.milter.cached(FORGED))
    killed = threading.Event()
    with rig.hosts.held(*world.SLOW_HOSTS):
        clients = client.Crowd(WAITING + BUSY, lambda index: _send_until(rig, index, killed))
        called = rig.hosts.await_sessions(WAITING, *world.SLOW_HOSTS)
        filling = waiting.until(lambda: rig.hosts.stats()[BULK].rcpts >= BUSY)
        rig.milter.kill()
        killed.set()
        mails = sum(clients.join(), [])
    tap.ok(
        called == WAITING and filling,
        f"the daemon is killed while {WAITING} clients wait, and {BUSY} fill the cache",
        called,
    )
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


def _send_until(rig, index, killed):
    """A mail whose sender's host is slow; or one mail after another, until the daemon is killed."""
    source, mails = f"203.0.113.{index + 1}", []
    if index < WAITING:
        return [rig.send(f"user-{index}@slow{index}.example", source=source)]
    while not killed.is_set():
        mails.append(rig.send(f"user-{index}-{len(mails)}@bulk.example", source=source))
    return mails


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
    mail = rig.send(FORGED)
    tap.ok(400 <= mail.code < 500, "no milter, the MTA defers without: mail is deferred", mail)


def _told_to_end(tap, rig):
    """SIGTERM while clients wait: each gets the milter's own answer (the MTA's would be 4yz).

    None of them waits until max_wait is over: the MTA would not.
    """
    rig.mta.set("tempfail")
    rig.milter.start_fresh(max_wait="100s", command_timeout="100s", total_timeout="200s")
    begun = [_Begun(rig, "alice@real.example") for n in range(BEGUN)]
    with rig.hosts.held(*world.SLOW_HOSTS):
        clients = client.Crowd(
            CALLED, lambda n: _until_rcpt(rig, f"x{n}@slow{n}.example", n + 1)
        )
        called = rig.hosts.await_sessions(CALLED, *world.SLOW_HOSTS)
        rig.milter.signal("SIGTERM")
        ends = client.at_once(BEGUN, lambda n: begun[n].go_on())
        replies = clients.join()
    tap.equal(called, CALLED, f"SIGTERM while {CALLED} clients wait for a callout")
    odd = [reply.line for reply in replies if reply.code != 250]
    tap.ok(not odd, f"SIGTERM while {CALLED} clients wait: each of them gets its answer", *odd[:3])
    odd = [reply.line for reply in ends if reply.code != 250]
    tap.ok(not odd, "messages that had begun get in", *odd[:3])
    found = [rig.mta.message(each.subject) for each in begun if not odd]
    headers = [message and message["X-Ringback"] for message in found]
    tap.ok(
        all(header and header.startswith("valid; reason=accepted;") for header in headers),
        "and the milter was there to their end",
        *headers,
    )
    tap.equal(rig.milter.stop(), 0, "the daemon has ended by itself, status 0")
    rig.mta.set("accept")


class _Begun:
    """A message with one of its two recipients, when the daemon is told to end."""

    def __init__(self, rig, sender):
        self.subject = client.unique("begun")
        self._session = client.Session(rig.net.client)
        self._session.ehlo()
        self._session.command(f"MAIL FROM:<{sender}>")
        self.first = self._session.command(f"RCPT TO:<{client.RECIPIENT}>")

    def go_on(self):
        """The last reply."""
        reply = self._session.command(f"RCPT TO:<also@{client.RECIPIENT.partition('@')[2]}>")
        if reply.code == 250:
            reply = self._session.message(self.subject)
        self._session.close()
        return reply


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
