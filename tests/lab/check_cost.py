# SPDX-License-Identifier: BSD-2-Clause
"""What many mails at once, dead hosts and dry_run cost: the mail hosts, and the clients."""

import client
import check_verdicts

CROWD = "192.0.2.13"
MAX_WAIT = 2.0


def run(tap, rig):
    rig.milter.start_fresh(max_wait=f"{MAX_WAIT:.0f}s", total_timeout="5s")
    _dead(tap, rig)
    _tarpit(tap, rig)
    _crowd(tap, rig, "user-crowd@crowd.example", check_verdicts.ACCEPT, "of a real sender")
    _crowd(tap, rig, "nobody@crowd.example", check_verdicts.REJECT, "of a forged sender")
    rig.milter.start_fresh(dry_run="yes")
    _crowd(
        tap,
        rig,
        "nobody@crowd.example",
        check_verdicts.ACCEPT,
        "of a forged sender, dry run",
        header="verdict=invalid",
    )


def _dead(tap, rig):
    first = rig.send("x@dead.example")
    tap.ok(
        first.accepted and first.longest < MAX_WAIT + 0.7,
        "a dead mail host costs the client max_wait at most",
        first,
    )
    second = rig.send("y@dead.example", source="203.0.113.2")
    third = rig.send("x@dead.example", source="203.0.113.3")
    tap.ok(
        third.accepted and third.longest < 0.5,
        "and only once: the next mail gets in at once",
        third,
    )
    tap.ok(
        second.accepted and second.longest < MAX_WAIT + 0.7,
        "another sender of that domain gets in too",
        second,
    )


def _tarpit(tap, rig):
    mail = rig.send("x@tarpit.example")
    tap.ok(
        mail.accepted and mail.longest < MAX_WAIT + 0.7,
        "a host that drips its replies costs the client max_wait at most",
        mail,
    )


def _crowd(tap, rig, sender, wanted, text, header=None):
    rig.hosts.reset()
    mails = client.at_once(20, lambda index: rig.send(sender, source=f"203.0.113.{index + 1}"))
    here = rig.asked(CROWD)
    tap.ok(
        all(check_verdicts.told(mail) == wanted for mail in mails),
        f"20 mails at once {text}: all are {wanted}",
        *[mail for mail in mails if check_verdicts.told(mail) != wanted][:3],
    )
    tap.ok(
        here.connections == 1 and here.rcpts in (1, 2),
        f"20 mails at once {text}: one connection and one RCPT (and a catch-all probe's)",
        here,
    )
    if header:
        seen = rig.mta.message(mails[0].subject)
        value = seen and seen["X-Ringback"]
        tap.ok(
            value and value.startswith("invalid; reason=no_such_user;"),
            f"20 mails at once {text}: the header says what would have been",
            value,
        )
