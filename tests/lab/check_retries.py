# SPDX-License-Identifier: BSD-2-Clause
"""Greylisting: the retry happens by itself, with the same triplet, across a crash, and once."""

import pathlib

import milter
import places
import waiting

HOST = "192.0.2.60"  # world.py: takes a triplet after 5 s
SETTINGS = 'greylist { first = "6s" max = "10s" give_up = "1h" }'


def run(tap, rig):
    rig.milter.start_fresh(more=SETTINGS)
    _by_itself(tap, rig, "alice@patient.example", "a greylisting host", lambda: None)
    if rig.repeats:
        return
    _by_itself(tap, rig, "user-2@patient.example", "the same across SIGKILL", lambda: _crash(rig))
    second = _second_daemon(rig)
    try:
        _by_itself(tap, rig, "user-3@patient.example", "two daemons on one cache", lambda: None)
        _by_itself(tap, rig, "user-4@patient.example", "one of the two is killed", rig.milter.kill)
        tap.equal(_scheduled(second), 0, "one of the two is killed: the other has none left")
    finally:
        second.stop()
        rig.milter.start(more=SETTINGS)


def _second_daemon(rig):
    """Another daemon of the same name, which nobody's MTA asks, on the first one's cache."""
    folder = pathlib.Path(rig.folder) / "second"
    folder.mkdir()
    second = milter.Milter(rig.net.mta, folder, rig.builddir, places.Unix(folder / "socket"))
    second.start(more=SETTINGS, store=rig.milter.store)
    return second


def _crash(rig):
    rig.milter.kill()
    rig.milter.start(more=SETTINGS)


def _scheduled(daemon):
    return daemon.ringback_json("status")[0]["retries_scheduled"]


def _is_kept(rig, sender):
    """Whether the schedule is on the disk: what a crash leaves behind."""
    _, output, _ = rig.milter.ringback("cache", "export")
    records = milter.parse_json(output)
    return any(r["type"] == "retry" and r["address"] == sender for r in records)


def _by_itself(tap, rig, sender, title, meanwhile):
    rig.hosts.reset()
    mail = rig.send(sender)
    tap.ok(mail.accepted, f"{title}: the first mail gets in, as on_greylisted says", mail)
    waiting.until(lambda: rig.milter.cached(sender))
    tap.equal(rig.milter.cached(sender), ("unknown", "greylisted"), f"{title}: it is remembered")
    tap.equal(_scheduled(rig.milter), 1, f"{title}: `ringback status` shows the retry")
    kept = waiting.until(lambda: _is_kept(rig, sender))
    tap.ok(kept, f"{title}: `ringback cache export` too")
    meanwhile()
    waiting.until(lambda: rig.milter.cached(sender) == ("valid", "accepted"))
    tap.equal(rig.milter.cached(sender), ("valid", "accepted"), f"{title}: it is asked again")
    rig.hosts.settled()
    asked = [entry for entry in rig.hosts.transactions(HOST) if entry["rcpt"] == sender]
    triplets = {(entry["client_ip"], entry["mail_from"], entry["helo"]) for entry in asked}
    tap.ok(
        len(asked) == 2 and len(triplets) == 1,
        f"{title}: twice in all, from the same address, name and sender",
        asked,
    )
    if not rig.milter.alive():
        return
    rig.hosts.reset()
    again = rig.send(sender, source="203.0.113.77")
    tap.ok(again.accepted, f"{title}: the second mail gets in", again)
    tap.equal(rig.asked(HOST).connections, 0, f"{title}: and costs nobody a connection")
