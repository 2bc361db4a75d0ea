# SPDX-License-Identifier: BSD-2-Clause
"""Deciding later: the callout runs while the client goes on; the verdict comes at DATA or behind.
At RCPT, too, nobody waits for what turns nothing away: what an accepted address is worth.

The senders' mail hosts are those of stores.py. They are held: who is answered by then has not
waited for them.
"""

import contextlib
import threading
import time

import client
import stores
import waiting

MAX_WAIT_S = 20
IDLE = "0s"  # so that each callout is one
STAGES = {"data": "DATA", "eom": "the end of the message"}

GOOD, FORGED = "user-{}@slow.example", "nobody-{}@slow.example"
PATIENT_S, CONTENT_S = 60, 5  # our patience, and less of the MTA's with a milter that says nothing

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
        _overlap(tap, rig, there)
        _settings(rig, there, "rcpt")
        _let_in(tap, rig, there)
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
    """A message to `recipients`; what there is to do behind RCPT, and in the middle of its body."""

    def __init__(self, rig, sender, *recipients, behind_rcpt=lambda: None, amid_body=lambda: None):
        self.subject = client.unique("decide")
        with contextlib.closing(client.Session(rig.net.client)) as session:
            session.ehlo()
            session.command(f"MAIL FROM:<{sender}>")
            self.rcpts = [session.command(f"RCPT TO:<{to}>") for to in recipients]
            behind_rcpt()
            self.data = session.command("DATA")
            self.end = self._body(session, amid_body) if self.data.code == 354 else None
        self.message = rig.mta.message(self.subject) if self.accepted else None
        self._rig = rig

    def _body(self, session, amid_body):
        head = [f"Subject: {self.subject}", "From: lab@lab.example", "", "Hello."]
        session.write("\r\n".join(head) + "\r\n")
        amid_body()
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
        return " | ".join(f"{reply.line} after {reply.seconds:.2f} s" for reply in replies)


def _while_held(rig, there, *mails, hosts=(stores.SLOW,), stage=""):
    """Messages, each (sender, recipient…), whose RCPT are all answered before the senders' hosts say
    anything (at that stage). They go on when the hosts do.
    """
    told = threading.Barrier(len(mails) + 1, timeout=waiting.PATIENCE_S)
    with there.hosts.held(*hosts, stage=stage):
        crowd = client.Crowd(len(mails), lambda n: Sent(rig, *mails[n], behind_rcpt=told.wait))
        told.wait()
    return crowd.join()


def _sessions_open(rig):
    return rig.milter.ringback_json("status")[0]["sessions"]["open"]


# --- One message ----------------------------------------------------------------------------------


def _verdict_comes_later(tap, rig, there, stage):
    senders = FORGED.format(stage), GOOD.format(stage)
    forged, good = _while_held(rig, there, *((sender, STRICT) for sender in senders))
    for sent, what in ((forged, "forged"), (good, "good")):
        text = f"{stage}: a {what} sender whose mail host says nothing yet: RCPT is answered"
        tap.equal(sent.told, [250], text, sent)
    where = STAGES[stage]
    tap.ok(
        forged.is_refused_at(stage),
        f"{stage}: the forged one gets 550 5.1.7 at {where}, once the host has spoken",
        forged,
    )
    tap.ok(good.accepted, f"{stage}: the good one gets in", good)
    tap.equal(good.header, "valid; reason=accepted", f"{stage}: X-Ringback says so")
    again = Sent(rig, senders[0], STRICT)
    tap.equal(again.told, [550], f"{stage}: what is known by now is decided at RCPT", again)
    rig.outcomes[f"decide_at = {stage} comes to the same"] = {
        "forged": (forged.data.code, forged.verdict.code, forged.words),
        "good": (good.told, good.header),
        "again": (again.told, rig.mta.wording(again.rcpts[0].text)),
    }


def _fates(tap, rig, there, stage):
    """Recipients whose policies would do otherwise: they cannot be in one message."""
    sender = FORGED.format(f"{stage}-fates")
    (sent,) = _while_held(rig, there, (sender, STRICT, LAX, TAG, ALSO))
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
    strict, lax = _while_held(rig, there, (sender, STRICT), (sender, LAX))
    tap.ok(
        strict.is_refused_at(stage) and lax.accepted,
        f"{text}, sent separately: each gets its own fate",
        strict,
        lax,
    )
    tap.equal(lax.header, "unknown; reason=exempt", f"{text}: X-Ringback of the exempt one says so")


def _tagged(tap, rig, there, stage):
    (sent,) = _while_held(rig, there, (FORGED.format(f"{stage}-tagged"), TAG))
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
    good, forged = _while_held(rig, there, *((sender, *recipients) for sender in senders))
    text = f"{stage}: recipients who are verified too"
    for sent in (good, forged):
        tap.equal(sent.told, [250, 550, 250], f"{text}: each is answered at RCPT", sent)
    tap.ok(good.accepted, f"{text}: from a good sender: it gets in", good)
    tap.ok(forged.is_refused_at(stage), f"{text}: from a forged one: 550 5.1.7", forged)


# --- Those who do not wait ------------------------------------------------------------------------


def _leavers(tap, rig, there, stage):
    """Clients that leave at each step in between; the callout goes on, and nothing is left behind."""
    steps = ["RCPT", "DATA", "the body"] if stage == "eom" else ["RCPT", "DATA"]
    senders = [GOOD.format(f"{stage}-leaves-{n}") for n in range(len(steps))]
    with there.hosts.held(stores.SLOW):
        client.at_once(len(steps), lambda n: _leave(rig, senders[n], steps[n]))
    waiting.until(lambda: all(rig.milter.cached(sender) for sender in senders))
    tap.equal(
        [rig.milter.cached(sender) for sender in senders],
        [("valid", "accepted")] * len(senders),
        f"{stage}: clients that leave after {', '.join(steps)}: the answer is there for their return",
    )


def _leave(rig, sender, step):
    session = client.Session(rig.net.client)
    session.ehlo()
    session.command(f"MAIL FROM:<{sender}>")
    session.command(f"RCPT TO:<{STRICT}>")
    if step == "DATA":
        session.write("DATA\r\n")
        session.says_nothing()  # where it is asked for the verdict
    elif step == "the body":
        session.command("DATA")
        session.write("Subject: half\r\n\r\nHel")
    session.drop()


def _nothing_left(tap, rig):
    waiting.until(lambda: not _sessions_open(rig))
    tap.equal(_sessions_open(rig), 0, "in the end `ringback status` counts no open session")
    decisions = [line for line in rig.milter.decisions() if line["verify"] != "client"]
    bare = [line for line in decisions if not line.get("reason")]
    tap.equal(bare, [], "each line of the log names a reason, of those who left too")


# --- At RCPT --------------------------------------------------------------------------------------


def _let_in(tap, rig, there):
    """Whether the domain accepts every address is found out behind the client's back."""
    cases = [
        ("user-1@coy-0.example", "valid; reason=accepted", "a domain that is choosy"),
        ("user-1@wide-0.example", "unknown; reason=catch_all", "one that accepts everything"),
    ]
    hosts, probe = (stores.COY, stores.WIDE), "rcpt#2"
    mails = [(sender, STRICT, ALSO) for sender, _, _ in cases]
    sent = _while_held(rig, there, *mails, hosts=hosts, stage=probe)
    for (_, header, what), message in zip(cases, sent):
        text = f"rcpt: an accepted sender of {what}"
        tap.equal(message.told, [250, 250], f"{text}: let in before that is known", message)
        tap.ok(message.accepted, f"{text}: the message gets in", message)
        tap.equal(message.header, header, f"{text}: X-Ringback tells what was found out")
    there.hosts.reset()
    with there.hosts.held(*hosts, stage=probe):
        crowd = client.Crowd(1, lambda _: Sent(rig, "user-1@wide-1.example", HARSH))
        waiting.until(lambda: there.hosts.stats()[stores.WIDE].rcpts == 2)
    (harsh,) = crowd.join()
    text = "rcpt: where that is turned away, the client waits for it"
    tap.equal(harsh.told, [550], text, harsh)
    with there.hosts.held(*hosts, stage=probe):
        _leave(rig, "user-1@coy-1.example", "RCPT")
        line = rig.milter.decision("user-1@coy-1.example")
    tap.equal(
        line.get("rule"),
        "accepted_still_asking",
        "rcpt: the log tells of a client that leaves before",
        line,
    )


# --- Time -----------------------------------------------------------------------------------------


def _overlap(tap, rig, there):
    """The callout, and the rest of the dialogue up to the middle of the body, at the same time."""
    called = []

    def answer():
        called.append(there.hosts.await_sessions(1, stores.SLOW))
        there.hosts.release()
        waiting.until(lambda: rig.milter.cached(sender))

    sender = GOOD.format("overlap")
    with there.hosts.held(stores.SLOW):
        sent = Sent(rig, sender, STRICT, amid_body=answer)
    tap.ok(
        sent.accepted and called == [1],
        "eom: a callout and a body overlap: the host is called, and answers, amid the body",
        sent,
        called,
    )
    tap.equal(sent.header, "valid; reason=accepted", "eom: the verdict is there by then")


def _patience(tap, rig, there):
    """An MTA would give a filter up that says nothing for so long: it hears that we are at it."""
    _settings(rig, there, "eom", max_wait=PATIENT_S)
    senders = "alice@late.example", "nobody@late.example"
    with _impatient(rig), there.hosts.held(stores.LATE):
        crowd = client.Crowd(2, lambda n: Sent(rig, senders[n], STRICT))
        there.hosts.await_sessions(2, stores.LATE)
        time.sleep(2 * CONTENT_S)
        there.hosts.release()
        good, forged = crowd.join()
    text = f"eom: a mail host says nothing for longer than the {CONTENT_S} s of a silent filter"
    tap.ok(forged.is_refused_at("eom"), f"{text}: the forged sender is refused", forged)
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
