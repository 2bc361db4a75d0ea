# SPDX-License-Identifier: BSD-2-Clause
"""Connect back, the side that asks: the host that a client claims to be is a scripted one, and says
yes, no, maybe, nothing of the kind, nothing at all, or is not there.

Each client is any address of the lab's, and claims the host by its EHLO name.
"""

import contextlib
import re

import client
import milter
import waiting

TIMEOUT_S = 3
PATIENT_S = 25  # of an MTA's own time, too: the slow host's greeting comes later
CONFIG = f"connect_back {{ check = yes timeout = {TIMEOUT_S}s }}\n"
WARNING = "Callback-Warning"
NOT_ASKED = "could not be asked whether it sent this"
NOT_REACHED = "could not be reached, to be asked whether it sent this"
OURS = "c633640a"  # the MTA's address, 198.51.100.10, as AYTTM has it

# Hosts of world.py: name, address.
YES, NO, MAYBE, SHRUG, PLAIN, SLOW = (
    (f"mx.says-{word}.example", f"192.0.2.{number}")
    for word, number in (
        ("yes", 220),
        ("no", 221),
        ("maybe", 222),
        ("unknown", 223),
        ("nothing", 224),
        ("hello-late", 225),
    )
)
REFUSES, DEAD, NOBODY = "mx.refused.example", "mx.dead.example", "mx.no-such.example"
SENDER = "alice@real.example"


def run(tap, rig):
    rig.milter.start_fresh(more=CONFIG)
    for part in (_words, _no_words, _known, _many_messages, _one_connection, _null_sender, _forged):
        part(tap, rig)
    _tool(tap, rig)
    _held_back(tap, rig)
    _settings(rig, CONFIG.replace("check = yes", 'check = yes target = "mx helo"'))
    _by_sender(tap, rig)
    _settings(rig, CONFIG + 'decide_at = "eom"\n')
    _at_the_end(tap, rig)
    _settings(rig, CONFIG, dry_run="yes")
    _dry_run(tap, rig)
    _settings(rig, "")
    _off(tap, rig)


def _settings(rig, more, **others):
    rig.milter.configure(more=more, **others)
    status, _, errors = rig.milter.ringback("reload")
    if status != 0:
        raise OSError(f"ringback reload: {errors}")


# --- A mail ---------------------------------------------------------------------------------------


class Sent:
    """A message of a client that says it is `helo`; what became of it, and what is logged of it."""

    def __init__(self, rig, helo, sender=SENDER, headers=(), session=None):
        self.subject = client.unique("claim")
        begun = len(_lines(rig))
        with contextlib.ExitStack() as stack:
            if session is None:
                session = stack.enter_context(
                    contextlib.closing(client.Session(rig.net.client, helo=helo))
                )
                session.ehlo()
            self.mail = session.command(f"MAIL FROM:<{sender}>")
            self.rcpt = session.command(f"RCPT TO:<{client.RECIPIENT}>")
            self.data = session.command("DATA")
            self.end = self.data
            if self.data.code == 354:
                lines = [*headers, f"Subject: {self.subject}", f"From: {SENDER}", "", "Hello.", "."]
                self.end = session.command("\r\n".join(lines))
            else:
                session.command("RSET")
        self.words = rig.mta.wording(self.end.text)
        self.message = rig.mta.message(self.subject) if self.end.code == 250 else None
        lines = waiting.until(lambda: _lines(rig)[begun:])
        self.line = lines[-1] if lines else {}

    @property
    def verdict(self):
        return self.line.get("verdict")

    @property
    def warnings(self):
        return self.message.get_all(WARNING, []) if self.message else None

    @property
    def result(self):
        """Of x-ayttm, in the field that bears our authserv-id."""
        fields = self.message.get_all("Authentication-Results", []) if self.message else []
        ours = [re.sub(r"\s+", " ", each) for each in fields if milter.AUTHSERV_ID in each]
        found = re.search(r"x-ayttm=(\S+) smtp\.helo=(\S+)", " ".join(ours))
        return found.groups() if found else None

    def is_refused(self, host, stage="data"):
        reply = self.data if stage == "data" else self.end
        return reply.code == 550 and f"{host} says that it is not talking to us" in self.words

    def __repr__(self):
        return f"{self.rcpt.line} | {self.data.line} | {self.end.line} | {self.line}"


def _lines(rig):
    return [each for each in rig.milter.decisions() if each["verify"] == "client"]


def _said(rig, address):
    """How many verbs that host has heard, and over how many connections, since the last reset."""
    rig.hosts.settled()
    host = rig.hosts.everything()[address]
    return host["other"], host["connections"]


# --- What hosts say -------------------------------------------------------------------------------


def _words(tap, rig):
    for (host, address), verdict in ((YES, "confirmed"), (MAYBE, "maybe")):
        rig.hosts.reset()
        sent = Sent(rig, host)
        tap.ok(sent.message is not None, f"{verdict}: the message gets in", sent)
        found = (sent.verdict, sent.warnings)
        tap.equal(found, (verdict, []), f"{verdict}: without a warning", sent)
        tap.equal(sent.result, (verdict, host), f"{verdict}: x-ayttm says so")
        tap.equal(_said(rig, address), (1, 1), f"{verdict}: one verb, one connection")
        asked = re.search(r"AYTTM-(\d+)-25-" + OURS, sent.line.get("reply", ""))
        tap.ok(asked and int(asked[1]) > 1023, "it was asked of this port and address", sent)
    rig.hosts.reset()
    sent = Sent(rig, NO[0])
    tap.ok(sent.is_refused(NO[0]), "denied: 550 5.7.1 at DATA", sent)
    tap.ok(sent.words.startswith("5.7.1 "), "denied: delivery not authorized", sent.words)
    tap.equal((sent.verdict, sent.line.get("action")), ("denied", "reject"), "denied: in the log")
    tap.equal(_said(rig, NO[1]), (1, 1), "denied: one verb, one connection")
    rig.outcomes["connect back: denied"] = (sent.data.code, sent.words)


def _is_let_in_with_warning(tap, sent, host, verdicts, words, text):
    tap.ok(sent.message is not None, f"{text}: the message gets in", sent)
    tap.ok(sent.verdict in verdicts, f"{text}: {' or '.join(verdicts)}", sent)
    tap.equal(sent.warnings, [f"{host}: {words}"], f"{text}: a warning names the host")


def _no_words(tap, rig):
    for (host, _), text in ((SHRUG, "it cannot tell"), (PLAIN, "it does not know the verb")):
        sent = Sent(rig, host)
        _is_let_in_with_warning(tap, sent, host, ["reachable"], NOT_ASKED, text)
        tap.equal(sent.result, ("reachable", host), f"{text}: x-ayttm says so")
    for host, text in ((REFUSES, "connections are refused"), (NOBODY, "there is no such host")):
        sent = Sent(rig, host)
        _is_let_in_with_warning(tap, sent, host, ["unreachable"], NOT_REACHED, text)
    for host, text in ((DEAD, "a black hole"), (SLOW[0], "a greeting that comes late")):
        sent = Sent(rig, host)
        _is_let_in_with_warning(tap, sent, host, ["unknown"], NOT_ASKED, text)
        waited = float(sent.line.get("waited", "0s").rstrip("s"))
        tap.ok(TIMEOUT_S <= waited <= 2 * TIMEOUT_S, f"{text}: for `timeout`", waited)
        tap.ok(sent.data.seconds < PATIENT_S, f"{text}: the client is answered", sent.data)


def _known(tap, rig):
    """What a host is not able to is known: nobody is called for the next client."""
    rig.hosts.settled()
    rig.hosts.reset()
    sent = Sent(rig, PLAIN[0])
    _is_let_in_with_warning(tap, sent, PLAIN[0], ["unsupported"], NOT_ASKED, "known not to know")
    tap.equal(sent.line.get("cached"), "yes", "known not to know the verb: the log says so", sent)
    tap.equal(_said(rig, PLAIN[1]), (0, 0), "known not to know the verb: nobody is called")
    sent = Sent(rig, REFUSES)
    text = "known not to be there"
    _is_let_in_with_warning(tap, sent, REFUSES, ["unreachable"], NOT_REACHED, text)
    tap.equal(sent.line.get("cached"), "yes", "known not to be there: nobody is called", sent)


# --- How often ------------------------------------------------------------------------------------


def _many_messages(tap, rig):
    rig.hosts.reset()
    with contextlib.closing(client.Session(rig.net.client, helo=YES[0])) as session:
        session.ehlo()
        sent = [Sent(rig, YES[0], session=session) for _ in range(3)]
    verdicts, cached = zip(*((each.verdict, each.line.get("cached")) for each in sent))
    tap.equal(verdicts, 3 * ("confirmed",), "three messages of a connection", sent)
    tap.equal(cached, ("no", "yes", "yes"), "are of one question")
    waits = ", ".join(each.line.get("waited", "") for each in sent)
    tap.note(f"the messages waited {waits} for it; hosts answer at once")
    tap.equal(_said(rig, YES[1])[0], 1, "and one verb")


def _one_connection(tap, rig):
    """The host that is asked about the client is also the one that is asked about the sender."""
    rig.hosts.reset()
    sent = Sent(rig, YES[0], f"{client.unique('user')}@says-yes.example")
    found = (sent.end.code, sent.verdict)
    tap.equal(found, (250, "confirmed"), "sender and client of one host", sent)
    said = _said(rig, YES[1])
    rcpts = rig.hosts.everything()[YES[1]]["rcpt"]
    tap.ok(rcpts >= 1, "the host is asked about the sender", rcpts)
    tap.equal(said, (1, 1), "and about the client, in the same connection")


def _null_sender(tap, rig):
    sent = Sent(rig, NO[0], "")
    tap.ok(sent.is_refused(NO[0]), "the null sender's client is asked about, too: 550", sent)


def _forged(tap, rig):
    forged = [
        f"{WARNING}: {milter.DEFAULTS['hostname']}: forged",
        f"callback-warning: {YES[0]}: forged",
        f"{WARNING}: elsewhere.example: stays",
    ]
    sent = Sent(rig, YES[0], headers=forged)
    tap.equal(sent.warnings, ["elsewhere.example: stays"], "forged warnings are removed", sent)


# --- The tool -------------------------------------------------------------------------------------


def _tool(tap, rig):
    for host, words, wanted in (
        (YES[0], "AYTTM yes", 0),
        (f"{SHRUG[1]}:25", "AYTTM yes", 0),
        (PLAIN[0], "AYTTM no", 0),
        (REFUSES, "AYTTM not known", 69),
        (NOBODY, "AYTTM not known", 69),
    ):
        status, output, errors = rig.milter.ringback("verbs", host)
        tap.ok(
            status == wanted and output.splitlines()[-1].startswith(words),
            f"ringback verbs {host}: {words}",
            status,
            output,
            errors,
        )
    found = rig.milter.ringback_json("verbs", YES[0])[0]
    tap.equal(found.get("verbs"), {"AYTTM": True}, "the same in JSON", found)
    rig.hosts.settled()
    rig.hosts.reset()
    explain = ["explain", "--client", "203.0.113.1", "--from", SENDER, "--to", client.RECIPIENT]
    _, output, _ = rig.milter.ringback(*explain, "--helo", YES[0])
    claimed = [line for line in output.splitlines() if line.startswith("claimed ")]
    tap.ok(len(claimed) == 1 and f'{YES[0]} would be asked "AYTTM' in claimed[0], "explain", output)
    tap.equal(_said(rig, YES[1]), (0, 0), "explain: nobody is called")
    counts = rig.milter.status()["connect_back"]["results"]
    tap.ok(all(counts[each] for each in ("confirmed", "denied", "unsupported")), "status", counts)


# --- Whom else, and whom not ----------------------------------------------------------------------


def _held_back(tap, rig):
    """Whom the sender's domain disowns: its host pays for nothing."""
    rig.hosts.settled()
    rig.hosts.reset()
    lines = len(_lines(rig))
    mail = rig.send("alice@signs.example", helo=NO[0])
    tap.ok(mail.accepted, "SPF fail: the message gets in, as on_spf_fail says", mail)
    tap.equal(_said(rig, NO[1]), (0, 0), "SPF fail: the host that is claimed is not called")
    tap.equal(len(_lines(rig)), lines, "SPF fail: nothing is logged of it")


def _by_sender(tap, rig):
    rig.hosts.reset()
    sent = Sent(rig, NO[0], f"{client.unique('user')}@says-yes.example")
    found = (sent.end.code, sent.verdict)
    tap.equal(found, (250, "confirmed"), "target = mx helo: the sender's mail host says yes", sent)
    tap.equal(_said(rig, YES[1]), (1, 1), "target = mx helo: in the one connection")
    tap.equal(_said(rig, NO[1]), (0, 0), "target = mx helo: nobody else is asked")
    sent = Sent(rig, NO[0], "")
    tap.ok(sent.is_refused(NO[0]), "target = mx helo: the null sender has no mail host", sent)


# --- Other settings -------------------------------------------------------------------------------


def _at_the_end(tap, rig):
    sent = Sent(rig, NO[0])
    tap.ok(
        sent.data.code == 354 and sent.is_refused(NO[0], "end"),
        "decide_at = eom: denied: 550 at the end of the message",
        sent,
    )
    sent = Sent(rig, YES[0])
    tap.equal((sent.end.code, sent.verdict), (250, "confirmed"), "decide_at = eom: confirmed", sent)


def _dry_run(tap, rig):
    sent = Sent(rig, NO[0])
    tap.equal(
        (sent.end.code, sent.line.get("action"), sent.line.get("would")),
        (250, "accept", "reject"),
        "dry_run: denied, and let in",
        sent,
    )


def _off(tap, rig):
    rig.hosts.settled()
    rig.hosts.reset()
    lines = len(_lines(rig))
    mail = rig.send(SENDER, helo=NO[0], headers=[f"{WARNING}: {NO[0]}: stays"])
    message = rig.mta.message(mail.subject)
    tap.ok(message is not None, "check = no: a client that would be denied gets in", mail)
    tap.equal(message.get_all(WARNING), [f"{NO[0]}: stays"], "check = no: no warning is looked at")
    tap.equal(_said(rig, NO[1]), (0, 0), "check = no: nobody is called")
    tap.equal(len(_lines(rig)), lines, "check = no: nothing is logged")
