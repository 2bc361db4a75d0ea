# SPDX-License-Identifier: BSD-2-Clause
"""What Sendmail does in its own way: arguments, macros, its patience, its queue, its users."""

import contextlib
import re
import struct

import check_verdicts
import client
import milter
import milterspy

VALID, FORGED, SLOW = "alice@real.example", "nobody@real.example", "x@tarpit.example"
FORGED_TOO = "no-one@real.example"
MAX_WAIT_S = 5  # Sendmail waits for a milter's answer for 10 s, unless it is told otherwise
MAIL_ARGUMENTS = ["SIZE=1000", "BODY=8BITMIME", "RET=HDRS", "ENVID=lab"]
RCPT_ARGUMENTS = ["NOTIFY=NEVER", f"ORCPT=rfc822;{client.RECIPIENT}"]
OURS = {"i", "{auth_type}", "{auth_authen}"}  # the macros that the daemon asks for


def run(tap, rig):
    rig.milter.start_fresh()
    with _settings(rig, milter=rig.mta.milter_at(milterspy.PORT)):
        with milterspy.Spy(rig.net.mta) as spy:
            _arguments(tap, rig, spy)
            if rig.mta.cannot_login():
                tap.skip("macros of an authenticated user", rig.mta.cannot_login())
            else:
                _macros(tap, rig, spy)
    _queue_id(tap, rig)
    _users_programs(tap, rig)
    with _settings(rig, mailer_flags="-f"):
        _unknown_user(tap, rig)
    _order(rig)
    _quarantine(tap, rig)
    with _settings(rig, milter=rig.mta.milter_without_time_outs()):
        _patience(tap, rig)


@contextlib.contextmanager
def _settings(rig, **changes):
    before = {name: rig.mta.settings[name] for name in changes}
    rig.mta.reconfigure(**changes)
    try:
        yield
    finally:
        rig.mta.reconfigure(**before)


def _session(rig, *lines):
    """A session of these lines behind EHLO; the last reply."""
    with contextlib.closing(client.Session(rig.net.client)) as session:
        session.ehlo()
        return [session.command(line) for line in lines][-1]


def _arguments(tap, rig, spy):
    """Sendmail hands a milter the ESMTP arguments too, as argv[1] and so on."""
    words = (" ".join(MAIL_ARGUMENTS), " ".join(RCPT_ARGUMENTS))
    spy.forget()
    for sender, code in ((FORGED, 550), (VALID, 250)):
        text = f"MAIL and RCPT with ESMTP arguments, from {sender}"
        mail, rcpt = f"MAIL FROM:<{sender}> {words[0]}", f"RCPT TO:<{client.RECIPIENT}> {words[1]}"
        reply = _session(rig, mail, rcpt)
        tap.equal(reply.code, code, f"{text}: {code}", reply)
    found = [address for address, *_ in spy.arguments("M")]
    tap.equal(found, [f"<{FORGED}>", f"<{VALID}>"], "argv[0] is the address alone")
    found = spy.arguments("M")[0][1:], spy.arguments("R")[0][1:]
    tap.equal(found, (MAIL_ARGUMENTS, RCPT_ARGUMENTS), "the milter was handed all arguments")
    for spaced in (f"MAIL FROM: <{FORGED}>", f"MAIL FROM:{FORGED}"):
        reply = _session(rig, f"{spaced} SIZE=1000", f"RCPT TO: {client.RECIPIENT}")
        tap.ok(
            reply.code == 550 and f"<{FORGED}>: sender address rejected" in reply.text,
            f"{spaced}: rejected as any other",
            reply,
            spy.arguments("M")[-1],
        )


def _macros(tap, rig, spy):
    """By smfi_setsymlist the daemon says which macros it wants, and gets no others."""
    spy.forget()
    mail = rig.send(VALID, user="joe")
    tap.ok(mail.accepted, "an authenticated user's mail gets in", mail)
    lists = [data[12:] for kind, data in spy.answered if kind == "O"]
    tap.ok(lists and b"{auth_type}" in lists[0], "the daemon says which macros it wants", lists)
    tap.equal(spy.macros("M"), OURS, "with MAIL come those three and no others")
    found = {kind: data for kind, data in spy.said if kind == "D" and data[:1] != b"M"}
    tap.ok(not found, "and with no other command: by TCP each would cost the client 40 ms", found)
    (offer,) = [data for kind, data in spy.said if kind == "O"]
    version, actions, steps = struct.unpack(">3I", offer[:12])
    tap.note(f"Sendmail offers milter protocol {version}, actions {actions:#x}, steps {steps:#x}")


def _queue_id(tap, rig):
    mail = rig.send(VALID)
    found = re.search(r"2\.0\.0 (\w+) Message accepted", mail.last.text)
    tap.ok(
        found and f": {found.group(1)}: verify=sender address=<{VALID}>" in rig.milter.log(),
        "the log's line about a mail bears Sendmail's queue id",
        mail,
        rig.milter.log().splitlines()[-1],
    )


def _users_programs(tap, rig):
    """What users of this machine send, by program and with any sender, is never refused."""
    rig.hosts.reset()
    for options in (["-Am", "-bs"], ["-Am", "-t", "-f", FORGED], ["-t", "-f", FORGED]):
        title = f"sendmail {' '.join(options)}, from {FORGED}"
        subject = client.unique("program")
        text = f"To: {client.RECIPIENT}\nSubject: {subject}\n\nHello."
        if "-bs" in options:
            status, said = rig.mta.converse(*options, lines=_lines(text))
        else:
            status, said = rig.mta.submit(*options, message=text + "\n")
        message = rig.mta.message(subject)
        tap.ok(status == 0 and message is not None, f"{title}: it gets in", status, said)
        value = message and message["X-Ringback"]
        tap.ok(not value or "reason=exempt" in value, f"{title}: it is not verified", value)
    asked = rig.hosts.settled()
    tap.equal(asked.connections, 0, "what users' programs send costs nobody a callout", asked)
    rules = [line.get("rule") for line in rig.milter.decisions()]
    tap.ok("local_submission" in rules, "sendmail -bs asks the milter all the same", rules)


def _lines(text):
    message = text.replace("\n", "\r\n") + "\r\n."
    envelope = [f"MAIL FROM:<{FORGED}>", f"RCPT TO:<{client.RECIPIENT}>"]
    return ["EHLO here", *envelope, "DATA", message, "QUIT"]


def _unknown_user(tap, rig):
    """Sendmail looks for a local user before it asks a milter, as Postfix does."""
    rig.hosts.reset()
    mail = rig.send(FORGED_TOO, recipient="no-such-user@local.example")
    tap.ok(
        mail.stage == "rcpt" and mail.code == 550 and "User unknown" in mail.last.text,
        "a recipient whom Sendmail does not know is refused by Sendmail",
        mail,
    )
    asked = rig.hosts.settled()
    tap.equal(asked.connections, 0, "and the sender is not verified", asked)
    mail = rig.send(FORGED_TOO, recipient="root@local.example")
    tap.equal(check_verdicts.told(mail), check_verdicts.REJECT, "for one it knows, he is", mail)


def _order(rig):
    """Other orders for the daemon, which goes on."""
    policy = 'policy "default" { on_invalid = "quarantine" on_unknown = "tempfail" }'
    rig.milter.configure(max_wait=f"{MAX_WAIT_S}s", more=policy)
    status, _, errors = rig.milter.ringback("reload")
    if status != 0:
        raise OSError(f"ringback reload: {errors}")


def _quarantine(tap, rig):
    before = rig.mta.held()
    mail = rig.send(FORGED)
    tap.ok(mail.accepted, "on_invalid = quarantine: accepted", mail)
    held = [path for path in rig.mta.held() if path not in before]
    tap.equal(len(held), 1, "Sendmail holds it", held)
    said = held[0].read_text("latin-1") if held else ""
    tap.ok(
        re.search(rf"^q.*no_such_user", said, re.MULTILINE),
        "with the reason, for `mailq -qQ` to show",
        said,
    )
    tap.ok("X-Ringback: invalid; reason=no_such_user" in said, "and its header says so too", said)
    tap.equal(rig.mta.filed(mail.subject), 0, "it is not delivered")


def _patience(tap, rig):
    """Sendmail would let a mail in for which no answer comes; ours comes before."""
    mail = rig.send(SLOW)
    tap.ok(
        mail.stage == "rcpt" and mail.code == 450 and "4.1.7" in mail.last.text,
        "a tarpit: with Sendmail's own time-outs, our answer comes before it gives up",
        mail,
    )
    decision = rig.milter.decision(SLOW)
    tap.equal(decision.get("reason"), "timeout", "a tarpit: the log says why", decision)
