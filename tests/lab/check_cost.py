# SPDX-License-Identifier: BSD-2-Clause
"""What many mails at once, dead hosts and dry_run cost: the mail hosts, and the clients."""

import check_verdicts
import client
import waiting

CROWD = "192.0.2.13"


def run(tap, rig):
    rig.milter.start_fresh(max_wait="2s", total_timeout="5s")
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
    _kept_open(tap, rig)


def _is_let_go(tap, rig, sender, text):
    """A mail that gets in when max_wait is over, though the callout goes on."""
    mail = rig.send(sender)
    reason = rig.milter.decision(sender).get("reason")
    tap.ok(mail.accepted and reason == "timeout", text, mail, reason)


def _dead(tap, rig):
    _is_let_go(tap, rig, "x@dead.example", "a dead mail host costs the client max_wait at most")
    waiting.until(lambda: not rig.milter.is_busy())
    again = rig.send("x@dead.example", source="203.0.113.3")
    found = rig.milter.decision("x@dead.example", client="203.0.113.3")
    tap.ok(
        again.accepted and (found.get("reason"), found.get("cached")) == ("unreachable", "yes"),
        "and only once: the next mail gets in at once",
        again,
        found,
    )
    other = rig.send("y@dead.example", source="203.0.113.2")
    tap.ok(other.accepted, "another sender of that domain gets in too", other)


def _tarpit(tap, rig):
    text = "a host that drips its replies costs the client max_wait at most"
    _is_let_go(tap, rig, "x@tarpit.example", text)


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


def _kept_open(tap, rig):
    """One sender after the other: the session of the second serves the third."""
    for idle, connections, kept in (("10s", 2, 1), ("0s", 3, 0)):
        rig.milter.start_fresh(idle_timeout=idle)
        rig.hosts.reset()
        mails = [rig.send("nobody-0@crowd.example")]
        _await_sessions(rig, 0)
        mails.append(rig.send("nobody-1@crowd.example"))
        _await_sessions(rig, kept)
        mails.append(rig.send("nobody-2@crowd.example"))
        resting = _await_sessions(rig, kept)
        rig.milter.stop()  # does not wait for the time to be over
        here = rig.asked(CROWD)
        text = f"idle_timeout = {idle}: three senders of one domain, one after the other"
        tap.ok(
            all(check_verdicts.told(mail) == check_verdicts.REJECT for mail in mails),
            f"{text}: all are told",
            *mails,
        )
        tap.ok(
            here.connections == connections and here.rcpts == 3,
            f"{text}: {connections} connections",
            here,
        )
        tap.equal(resting, kept, f"{text}: sessions that `ringback status` says are kept open")
    rig.milter.start_fresh()


def _await_sessions(rig, kept):
    """Sessions kept open, once no other is under way; an answer comes before its session is reset."""

    found = {}

    def are_so_many():
        found.update(rig.milter.status()["callouts"])
        return found["running"] == found["resting"] == kept

    waiting.until(are_so_many)
    return found["resting"]
