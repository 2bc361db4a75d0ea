# SPDX-License-Identifier: BSD-2-Clause
"""Greylisting: the retry happens by itself, with the same triplet, and across a crash."""

import waiting

HOST = "192.0.2.60"  # world.py: takes a triplet after 5 s
SETTINGS = 'greylist { first = "6s" max = "10s" give_up = "1m" }'


def run(tap, rig):
    rig.milter.start_fresh(more=SETTINGS)
    _by_itself(tap, rig, "alice@patient.example", "a greylisting host", lambda: None)
    if not rig.repeats:
        _by_itself(
            tap, rig, "user-2@patient.example", "the same across SIGKILL", lambda: _crash(rig)
        )


def _crash(rig):
    rig.milter.kill()
    rig.milter.start(more=SETTINGS)


def _by_itself(tap, rig, sender, title, meanwhile):
    rig.hosts.reset()
    mail = rig.send(sender)
    tap.ok(mail.accepted, f"{title}: the first mail gets in, as on_greylisted says", mail)
    waiting.until(lambda: rig.milter.cached(sender))
    tap.equal(rig.milter.cached(sender), ("unknown", "greylisted"), f"{title}: it is remembered")
    scheduled = rig.milter.ringback_json("status")[0]["retries_scheduled"]
    tap.equal(scheduled, 1, f"{title}: `ringback status` shows the retry")
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
    rig.hosts.reset()
    again = rig.send(sender, source="203.0.113.77")
    tap.ok(again.accepted, f"{title}: the second mail gets in", again)
    tap.equal(rig.asked(HOST).connections, 0, f"{title}: and costs nobody a connection")
