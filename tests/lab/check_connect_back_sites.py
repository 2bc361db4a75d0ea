# SPDX-License-Identifier: BSD-2-Clause
"""Connect back between whole sites: real MTAs on both sides, whose daemons ask and answer.

Each Postfix and each Sendmail sends to each, and is asked by it whether it does. What is counted
passes over the cables: a connection to a site's port 25 without a message is a call back.
"""

import contextlib
import itertools

import client
import debs
import etc
import postfix
import sendmail
import sites
import waiting
import wire

TALKS = """
connect_back {{
    check    = yes
    timeout  = 15s
    answer   = yes
    complete = yes
    {more}
}}
"""
PAIRS = [
    (f"talks-{one}-1", f"talks-{other}-2")
    for one, other in itertools.product(("postfix", "sendmail"), repeat=2)
]
MUTE = {"postfix": "mute-postfix", "sendmail": "mute-sendmail"}
WARNING = "Callback-Warning"
NOT_ASKED = "could not be asked whether it sent this"
OUTSIDER = "alice@real.example"

_users = itertools.cycle(sites.USERS[3:])


def run(tap, rig):
    with contextlib.ExitStack() as parts:
        try:
            there_are = _start(rig, parts)
        except (debs.CannotHave, etc.CannotHave) as reason:
            tap.skip("sites that ask each other whether they are talking", reason)
            return
        listening = parts.enter_context(wire.Wire(rig.net.world))
        for one, other in PAIRS:
            for sender, recipient in ((one, other), (other, one)):
                _pair(tap, listening, there_are, there_are[sender], there_are[recipient])


# --- Sites ----------------------------------------------------------------------------------------


def _start(rig, parts):
    etc.check(rig.net.guard, rig.folder)
    unpacked = debs.unpacked(rig.builddir, rig.folder)
    sendmail.Sendmail.check(unpacked)
    there_are = {}
    for name in {*itertools.chain(*PAIRS), *MUTE.values()}:
        kind = (
            sites.with_sendmail(unpacked)
            if "sendmail" in name
            else sites.with_postfix(milters=postfix.MILTER)
        )
        there_are[name] = _site(rig, parts, name, kind)
    for site in there_are.values():
        site.mta.wait()
    return there_are


def _site(rig, parts, name, kind):
    site = sites.Site(rig, name, kind)
    parts.callback(site.stop)
    if not name.startswith("mute-"):
        site.with_ringback(rig.builddir)
    site.mta.launch()
    return site


def _talk(*them, more=""):
    """Their daemons begin anew, and ask and answer."""
    for site in them:
        site.start_ringback("", TALKS.format(more=more))


class Mail:
    """A message for a user of `to` whom none was for; what became of it, and what is logged of it."""

    def __init__(self, to, send):
        self.to = to
        self.subject = client.unique("talks")
        self.user = next(_users)
        begun = len(_asked(to))
        self.sent = send(f"{self.user}@{to.domain}", self.subject)
        self.line = (waiting.until(lambda: _asked(to)[begun:]) or [{}])[-1]
        self.filed = self.sent.accepted and waiting.until(lambda: to.received(self.subject))

    @property
    def verdict(self):
        return self.line.get("verdict"), self.line.get("action")

    @property
    def warnings(self):
        """Whatever bears that name in the message; None: it is not there."""
        if not self.filed:
            return None
        text = self.to.text(self.subject)
        return [line for line in text.splitlines() if line.startswith(f"{WARNING}:")]

    def __repr__(self):
        return f"{self.sent} | {self.line} | {self.warnings}"


def _asked(site):
    return [each for each in site.ringback.decisions() if each["verify"] == "client"]


def _genuine(sender, recipient, user=None):
    """From a user of one site to one of another, through both MTAs."""
    who = f"{user or next(_users)}@{sender.domain}"
    return Mail(recipient, lambda to, subject: sender.send(who, to, subject))


def _claiming(helo, machine, recipient, sender=OUTSIDER):
    """From a client on that machine that says it is `helo`."""
    return Mail(
        recipient,
        lambda to, subject: client.send(
            machine.machine,
            sender,
            to,
            source=machine.address,
            subject=subject,
            helo=helo,
            server=recipient.address,
        ),
    )


def _calls(listening, caller, called):
    """The calls without a message, and how many of our verbs and RCPTs were said in them."""
    calls = [
        call
        for call in listening.settled()
        if (call.caller, call.called) == (caller.address, called.address) and not call.delivers
    ]
    verbs = sum(line.startswith("AYTTM") for call in calls for line in call.lines)
    rcpts = sum(len(call.recipients) for call in calls)
    return {"connections": len(calls), "AYTTM": verbs, "RCPT": rcpts}


def _counted(tap, listening, caller, called, wanted, text):
    found = _calls(listening, caller, called)
    title = ", ".join(f"{count} {what}" for what, count in wanted.items())
    tap.equal(found, wanted, f"{text}: {title}", *listening.settled())


# --- Pairs ----------------------------------------------------------------------------------------


def _pair(tap, listening, there_are, sender, recipient):
    text = f"{sender.name} to {recipient.name}"
    failed = tap.failed
    _talk(sender, recipient)
    mute = there_are[MUTE[sender.name.split("-")[1]]]
    _is_confirmed(tap, listening, text, sender, recipient)
    _is_denied(tap, listening, text, sender, mute, recipient)
    _is_mute(tap, listening, text, mute, recipient)
    if tap.failed > failed:
        tap.note("\n".join(sender.logs() + recipient.logs()))


def _is_confirmed(tap, listening, text, sender, recipient):
    listening.forget()
    mail = _genuine(sender, recipient)
    tap.equal(mail.verdict, ("confirmed", "accept"), f"{text}: confirmed", mail)
    tap.equal(mail.warnings, [], f"{text}: gets in without a warning", mail)
    found = mail.to.text(mail.subject) if mail.filed else ""
    tap.ok(f"x-ayttm=confirmed smtp.helo={sender.hostname}" in found, f"{text}: x-ayttm", found)
    counts = sender.ringback.status()["connect_back"]["answered"]
    tap.equal(counts, {"yes": 1, "maybe": 0, "no": 0, "unknown": 0}, f"{text}: answered once")
    once = {"connections": 1, "AYTTM": 1, "RCPT": 2}  # and whether it takes any address
    _counted(tap, listening, recipient, sender, once, f"{text}: sender and client are asked about")
    none = {"connections": 0, "AYTTM": 0, "RCPT": 0}
    _counted(tap, listening, sender, recipient, none, f"{text}: nobody is called for a call back")


def _is_denied(tap, listening, text, claimed, forger, recipient):
    listening.forget()
    mail = _claiming(claimed.hostname, forger, recipient)
    told = mail.sent.last
    tap.ok(
        told.code == 550 and f"5.7.1 {claimed.hostname} says that it is not talking" in told.text,
        f"{text}: a client that claims the sender's name is refused: 550 5.7.1",
        mail,
    )
    tap.equal(mail.verdict, ("denied", "reject"), f"{text}: denied, in the log", mail)
    once = {"connections": 1, "AYTTM": 1, "RCPT": 0}
    _counted(tap, listening, recipient, claimed, once, f"{text}: the claimed host is asked once")


def _is_mute(tap, listening, text, mute, recipient):
    """The same MTA without the extension; it is asked again when what is known of it has expired."""
    user = next(_users)
    once, never = ({"connections": n, "AYTTM": n, "RCPT": 0} for n in (1, 0))
    words = [f"{WARNING}: {mute.hostname}: {NOT_ASKED}"]
    for verdict, calls, what in (
        ("reachable", {**once, "RCPT": 2}, "is asked"),
        ("unsupported", never, "is not asked again"),
        ("reachable", once, "is asked again when that is forgotten"),
    ):
        listening.forget()
        mail = _genuine(mute, recipient, user)
        title = f"{text}: a host without the extension {what}"
        tap.equal(mail.verdict, (verdict, "tag"), title, mail)
        tap.equal(mail.warnings, words, f"{title}: its message gets in, with a warning", mail)
        _counted(tap, listening, recipient, mute, calls, title)
        if verdict == "unsupported":
            recipient.ringback.ringback("cache", "delete", "--domain", mute.hostname)
