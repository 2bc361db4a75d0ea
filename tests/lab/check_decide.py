# SPDX-License-Identifier: BSD-2-Clause
"""Deciding later: the callout runs while the client goes on; the verdict comes at DATA or behind.
At RCPT, too, nobody waits for what turns nothing away: what an accepted address is worth.

The senders' mail hosts are those of stores.py; that of slow.example takes REPLY_MS for a callout.
"""

import contextlib
import time

import client
import stores

MAX_WAIT_S = 8
AT_ONCE_S = 0.7
CALLOUT_S = stores.REPLY_MS / 1000
IDLE = "0s"  # so that each callout takes its time
BODY_S = 1.5  # how long a slow body takes
STAGES = {"data": "DATA", "eom": "the end of the message"}

GOOD, FORGED = "user-{}@slow.example", "nobody-{}@slow.example"
PATIENT_S, CONTENT_S = 20, 4  # our patience, and less of the MTA's with a milter that says nothing

POLICIES = """
policy "lax"    { match { recipient = { "lax@" } } verify = "none" }
policy "tag"    { match { recipient = { "tag@" } } on_invalid = "tag" }
policy "also"   { match { recipient = { "also@" } } }
policy "harsh"  { match { recipient = { "harsh@" } } on_unknown = "reject" }
policy "stores" { match { recipient = { "users.example" } } verify = "both" }
"""
STRICT, LAX, TAG, ALSO, HARSH = (
    f"{name}@local.example" for name in ("strict", "lax", "tag", "also", "harsh")
)


def run(tap, rig):
    with stores.Stores(rig) as there:
        rig.milter.start_fresh(more=_more(there, "data"), idle_timeout=IDLE)
        pid = rig.milter.pid
        for stage in STAGES:
            _settings(rig, there, stage)
            for part in (_verdict_comes_later, _fates, _tagged, _recipients_at_once, _leavers):
                part(tap, rig, there, stage)
        _overlap(tap, rig)
        _settings(rig, there, "rcpt")
        _let_in(tap, rig)
        _patience(tap, rig, there)
        tap.ok(rig.milter.alive() and rig.milter.pid == pid, "it is the same daemon all the time")
        _nothing_left(tap, rig)


# --- Ways to look ---------------------------------------------------------------------------------


def _more(there, stage, max_wait=MAX_WAIT_S):
    return there.config(f'decide_at = "{stage}"\nmax_wait = "{max_wait}s"\n{POLICIES}')


def _settings(rig, there, stage, **others):
    """Other settings for the daemon, which goes on."""
    rig.milter.configure(more=_more(there, stage, **others), idle_timeout=IDLE)
    status, _, errors = rig.milter.ringback("reload")
    if status != 0:
        raise OSError(f"ringback reload: {errors}")


class Sent:
    """A message to `recipients`, with a pause in the middle of its body."""

    def __init__(self, rig, sender, *recipients, pause=0.0):
        self.subject = client.unique("decide")
        begun = time.monotonic()
        with contextlib.closing(client.Session(rig.net.client)) as session:
            session.ehlo()
            session.command(f"MAIL FROM:<{sender}>")
            self.rcpts = [session.command(f"RCPT TO:<{to}>") for to in recipients]
            self.data = session.command("DATA")
            self.end = self._body(session, pause) if self.data.code == 354 else None
        self.seconds = time.monotonic() - begun
        self.message = rig.mta.message(self.subject) if self.accepted else None
        self._rig = rig

    def _body(self, session, pause):
        head = [f"Subject: {self.subject}", "From: lab@lab.example", "", "Hello."]
        session.write("\r\n".join(head) + "\r\n")
        time.sleep(pause)
        return session.command(".")

    @property
    def told(self):
        """The codes of the replies to RCPT."""
        return [reply.code for reply in self.rcpts]

    @property
    def accepted(self):
        return self.end is not None and self.end.code == 250

    @property
    def verdict(self):
        """The reply to what decides: DATA where that is refused, else the end."""
        return self.end or self.data

    @property
    def words(self):
        return self._rig.mta.wording(self.verdict.text)

    @property
    def header(self):
        """The beginning of X-Ringback: verdict and reason."""
        return "; ".join(str(self.message and self.message["X-Ringback"]).split("; ")[:2])

    def is_refused_at(self, stage):
        """By the sender's verdict, and there."""
        there = self.end is None if stage == "data" else self.end is not None
        begins = self.words.startswith("5.1.7 <")
        return there and self.verdict.code == 550 and begins and "sender address" in self.words

    def __repr__(self):
        replies = [*self.rcpts, self.data, *([self.end] if self.end else [])]
        said = " | ".join(f"{reply.line} after {reply.seconds:.2f} s" for reply in replies)
        return f"{said}; {self.seconds:.2f} s in all"


def _sessions_open(rig):
    return rig.milter.ringback_json("status")[0]["sessions"]["open"]


# --- One message ----------------------------------------------------------------------------------


def _verdict_comes_later(tap, rig, there, stage):
    senders = FORGED.format(stage), GOOD.format(stage)
    forged, good = client.at_once(2, lambda n: Sent(rig, senders[n], STRICT))
    for sent, what in ((forged, "forged"), (good, "good")):
        tap.ok(
            sent.told == [250] and sent.rcpts[0].seconds < AT_ONCE_S,
            f"{stage}: a {what} sender whose mail host is slow: RCPT is answered at once",
            sent,
        )
    where = STAGES[stage]
    tap.ok(
        forged.is_refused_at(stage), f"{stage}: the forged one gets 550 5.1.7 at {where}", forged
    )
    tap.ok(forged.verdict.seconds > CALLOUT_S / 2, f"{stage}: that is where it waits", forged)
    tap.ok(good.accepted, f"{stage}: the good one gets in", good)
    tap.equal(good.header, "valid; reason=accepted", f"{stage}: X-Ringback says so")
    again = Sent(rig, senders[0], STRICT)
    tap.ok(
        again.told == [550] and again.rcpts[0].seconds < AT_ONCE_S,
        f"{stage}: what is known by now is decided at RCPT",
        again,
    )
    rig.outcomes[f"decide_at = {stage} comes to the same"] = {
        "forged": (forged.data.code, forged.verdict.code, forged.words),
        "good": (good.told, good.header),
        "again": (again.told, rig.mta.wording(again.rcpts[0].text)),
    }


def _fates(tap, rig, there, stage):
    """Recipients whose policies would do otherwise: they cannot be in one message."""
    sender = FORGED.format(f"{stage}-fates")
    sent = Sent(rig, sender, STRICT, LAX, TAG, ALSO)
    text = f"{stage}: recipients of different policies"
    tap.equal(sent.told, [250, 452, 452, 250], f"{text}: 452 for those with another fate", sent)
    put_off = [rig.mta.wording(reply.text) for reply in sent.rcpts if reply.code == 452]
    tap.ok(
        all(words.startswith("4.5.3 ") and "send it separately" in words for words in put_off),
        f"{text}: 4.5.3, and what to do",
        put_off,
    )
    tap.ok(sent.is_refused_at(stage), f"{text}: 550 5.1.7 for the others", sent)
    sender = FORGED.format(f"{stage}-separate")
    strict, lax = client.at_once(2, lambda n: Sent(rig, sender, (STRICT, LAX)[n]))
    tap.ok(
        strict.is_refused_at(stage) and lax.accepted,
        f"{text}, sent separately: each gets its own fate",
        strict,
        lax,
    )
    tap.equal(lax.header, "unknown; reason=exempt", f"{text}: X-Ringback of the exempt one says so")


def _tagged(tap, rig, there, stage):
    sent = Sent(rig, FORGED.format(f"{stage}-tagged"), TAG)
    warning = sent.message and sent.message["X-Ringback-Warning"]
    tap.ok(
        sent.accepted and warning and "no_such_user" in warning,
        f"{stage}: on_invalid = tag: it gets in with a warning",
        sent,
        warning,
    )
    tap.equal(sent.header, "invalid; reason=no_such_user", f"{stage}: and X-Ringback says why")


def _recipients_at_once(tap, rig, there, stage):
    """Recipients are verified at RCPT, whatever the sender's verdict waits for."""
    recipients = ["user-1@users.example", "nobody-1@users.example", "user-2@users.example"]
    senders = GOOD.format(f"{stage}-both"), FORGED.format(f"{stage}-both")
    good, forged = client.at_once(2, lambda n: Sent(rig, senders[n], *recipients))
    text = f"{stage}: recipients who are verified too"
    for sent in (good, forged):
        tap.ok(
            sent.told == [250, 550, 250] and all(r.seconds < AT_ONCE_S for r in sent.rcpts),
            f"{text}: each is answered at once",
            sent,
        )
    tap.ok(good.accepted, f"{text}: from a good sender: it gets in", good)
    tap.ok(forged.is_refused_at(stage), f"{text}: from a forged one: 550 5.1.7", forged)


# --- Those who do not wait ------------------------------------------------------------------------


def _leavers(tap, rig, there, stage):
    """Clients that leave at each step in between; the callout goes on, and nothing is left behind."""
    steps = ["RCPT", "DATA", "the body"] if stage == "eom" else ["RCPT", "DATA"]
    senders = [GOOD.format(f"{stage}-leaves-{n}") for n in range(len(steps))]
    client.at_once(len(steps), lambda n: _leave(rig, senders[n], steps[n]))
    deadline = time.monotonic() + CALLOUT_S * 3
    found = {}
    while time.monotonic() < deadline and len(found) < len(senders):
        found = {sender: rig.milter.cached(sender) for sender in senders}
        found = {sender: held for sender, held in found.items() if held}
    tap.equal(
        [found.get(sender) for sender in senders],
        [("valid", "accepted")] * len(senders),
        f"{stage}: clients that leave after {', '.join(steps)}: the answer is there for their return",
    )


def _leave(rig, sender, step):
    session = client.Session(rig.net.client)
    session.ehlo()
    session.command(f"MAIL FROM:<{sender}>")
    session.command(f"RCPT TO:<{STRICT}>")
    if step == "DATA":
        session.write("DATA\r\n")  # and does not wait for the answer
        time.sleep(0.3)
    elif step == "the body":
        session.command("DATA")
        session.write("Subject: half\r\n\r\nHel")
    session.drop()


def _nothing_left(tap, rig):
    until = time.monotonic() + 10
    while _sessions_open(rig) and time.monotonic() < until:
        time.sleep(0.2)
    tap.equal(_sessions_open(rig), 0, "in the end `ringback status` counts no open session")
    bare = [line for line in rig.milter.decisions() if not line.get("reason")]
    tap.equal(bare, [], "each line of the log names a reason, of those who left too")


# --- At RCPT --------------------------------------------------------------------------------------


def _let_in(tap, rig):
    """Whether the domain accepts every address is found out behind the client's back."""
    cases = [
        ("user-1@coy-0.example", "valid; reason=accepted", "a domain that is choosy"),
        ("user-1@wide-0.example", "unknown; reason=catch_all", "one that accepts everything"),
    ]
    sent = client.at_once(len(cases), lambda n: Sent(rig, cases[n][0], STRICT, ALSO))
    for (_, header, what), message in zip(cases, sent):
        text = f"rcpt: an accepted sender of {what}"
        tap.ok(
            message.told == [250, 250] and all(r.seconds < AT_ONCE_S for r in message.rcpts),
            f"{text}: let in before that is known",
            message,
        )
        tap.ok(message.accepted, f"{text}: the message gets in", message)
        tap.equal(message.header, header, f"{text}: X-Ringback tells what was found out")
    harsh = Sent(rig, "user-1@wide-1.example", HARSH)
    tap.ok(
        harsh.told == [550] and harsh.rcpts[0].seconds > stores.PROBE_S / 2,
        "rcpt: where that is turned away, the client waits for it",
        harsh,
    )
    _leave(rig, "user-1@coy-1.example", "RCPT")
    tap.ok(
        _is_logged(rig, address="<user-1@coy-1.example>", rule="accepted_still_asking"),
        "rcpt: the log tells of a client that leaves before",
        rig.milter.log()[-500:],
    )


def _is_logged(rig, **fields):
    until = time.monotonic() + stores.PROBE_S
    while time.monotonic() < until:
        for line in rig.milter.decisions():
            if fields.items() <= line.items():
                return True
        time.sleep(0.05)
    return False


# --- Time -----------------------------------------------------------------------------------------


def _overlap(tap, rig):
    """A slow mail host and a slow body: together they take as long as the slower one."""
    sent = Sent(rig, GOOD.format("overlap"), STRICT, pause=BODY_S)
    both = CALLOUT_S + BODY_S
    tap.ok(
        sent.accepted and max(CALLOUT_S, BODY_S) - 0.5 < sent.seconds < both - 0.5,
        f"eom: a callout of {CALLOUT_S} s and a body of {BODY_S} s overlap",
        sent,
    )
    tap.equal(sent.header, "valid; reason=accepted", "eom: the verdict is there by then")
    tap.note(f"a callout of {CALLOUT_S} s and a body of {BODY_S} s: {sent.seconds:.2f} s in all")


def _patience(tap, rig, there):
    """An MTA would give a filter up that says nothing for so long: it hears that we are at it."""
    _settings(rig, there, "eom", max_wait=PATIENT_S)
    senders = "alice@late.example", "nobody@late.example"
    with _impatient(rig):
        good, forged = client.at_once(2, lambda n: Sent(rig, senders[n], STRICT))
    text = f"eom: a mail host takes {stores.LATE_S} s, the MTA gives a silent filter {CONTENT_S} s"
    tap.ok(
        forged.is_refused_at("eom") and CONTENT_S + 1 < forged.verdict.seconds < PATIENT_S,
        f"{text}: the forged sender is refused",
        forged,
    )
    tap.ok(good.accepted, f"{text}: the good one gets in", good)
    tap.equal(good.header, "valid; reason=accepted", f"{text}: with its verdict")


@contextlib.contextmanager
def _impatient(rig):
    """The MTA, with less patience at the end of a message."""
    rig.mta.set_patience(CONTENT_S)
    try:
        yield
    finally:
        rig.mta.set_patience()
