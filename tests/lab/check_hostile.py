# SPDX-License-Identifier: BSD-2-Clause
"""Hostile input in every field a client controls: each gets an answer, none goes out raw, and the
daemon lives. Once through the MTA, and once handed to the milter as it is."""

import re

import client
import miltertalk

LONG = b"a" * 2000
ADDRESSES = [  # what stands between the brackets of MAIL FROM:<>
    b'"quoted local part"@real.example',
    b'"a\\"b"@real.example',
    b'"<>"@real.example',
    b'"a@b"@real.example',
    b'"@real.example',
    b'"unclosed@real.example',
    b"<>",
    b"<alice@real.example>",
    b"alice@real.example>",
    b"@a.example,@b.example:alice@real.example",
    b"@real.example:",
    b"@",
    b"alice@",
    b"@real.example",
    b"alice",
    b"alice@@real.example",
    b"alice@real..example",
    b"alice@.real.example",
    b"alice@-real.example",
    b"alice@real.example.",
    b"al%s%n%x%d@real.example",
    b"alice%other.example@real.example",
    b"%",
    b"100%@real.example",
    b"other.example!alice@real.example",
    b"al ice@real.example",
    b"al\tice@real.example",
    b"al\0ice@real.example",
    b"alice@re\0al.example",
    b"\0",
    b"al\x01\x1b[31m\x7f@real.example",
    b"al\xe9ce@real.example",
    b"\xff\xfe@real.example",
    b"al\xc3\xa9ce@real.example",
    b"alice@r\xc3\xa9al.example",
    b"alice@xn--.example",
    b"alice@xn--a\xff.example",
    b"al\rice@real.example",
    b"alice@real.example\rRCPT TO:<x@x>",
    b"al\r\nRSET\r\nice@real.example",
    b"alice@real.example\nX-Injected: yes",
    b"alice@[192.0.2.10]",
    b"alice@[10.1.2.3]",
    b"alice@[127.0.0.1]",
    b"alice@[IPv6:::1]",
    b"alice@[IPv6:zz]",
    b"alice@[",
    b"alice@[]",
    LONG + b"@real.example",
    b"alice@" + LONG + b".example",
    LONG,
    b"@" * 2000,
    b'"' * 1999,
    b"<" * 1000,
    b"a" * 64 + b"@" + b".".join([b"b" * 63] * 4),
    b"(comment)alice@real.example",
    b"alice@real.example (comment)",
    b"alice@real.example SIZE=99999999999999999999",
    b"$(id)@real.example",
    b"`id`@real.example",
    b"|sh@real.example",
    b"../../etc/passwd@real.example",
    b"alice@real.example; DROP TABLE",
    b"-oX@real.example",
    b"alice@localhost",
    b"alice@com",
]
HELOS = [
    b"",
    b"%s%s%n",
    b"\x01\x02",
    b"caf\xe9.example",
    LONG,
    b"[203.0.113.1]",
    b"a b c",
    b"<>",
    b'"',
]
HEADERS = [
    (b"X-Ringback", b"valid\n\tfolded\n\tagain"),
    (b"X-Ringback", LONG * 10),
    (b"x-RINGBACK", b""),
    (b"Authentication-Results", b"mta.lab.example" + b";" * 2000),
    (b"Authentication-Results", b"(" * 2000),
    (b"Authentication-Results", b'"unclosed'),
    (b"Authentication-Results", b"\xff\x01%n"),
    (b" ", b""),  # without a name at all libmilter hangs up
    (LONG, LONG),
    (b"\xff", b"\xff"),
]
CONTROL = re.compile(r"[^\n -~]")


def run(tap, rig):
    rig.milter.start_fresh(max_wait="4s")
    rig.hosts.reset()
    pid = rig.milter.pid
    _through_mta(tap, rig)
    tap.ok(rig.milter.alive(), "the daemon lives")
    if not rig.repeats:
        _straight(tap, rig)
    tap.ok(rig.milter.alive() and rig.milter.pid == pid, "the daemon lives, the same process")
    mail = rig.send("alice@real.example", source="203.0.113.9")
    tap.ok(mail.accepted, "and an honest mail gets in behind all of it", mail)
    _nothing_raw(tap, rig)


def _through_mta(tap, rig):
    silent = []

    def attack(index):
        address = ADDRESSES[index]
        session = client.Session(rig.net.client, f"203.0.113.{index % 200 + 1}")
        session.command(b"EHLO " + HELOS[index % len(HELOS)][:500])
        session.command("EHLO client.lab.example")
        reply = session.command(b"MAIL FROM:<" + address + b">")
        if 0 < reply.code < 400:
            reply = session.command(f"RCPT TO:<{client.RECIPIENT}>")
        if 0 < reply.code < 400:
            reply = session.message(client.unique("hostile"), ["X-Ringback: forged\x01\x7f"])
        if reply.code == 0 or not re.fullmatch(r"[ -~]*", reply.text):
            silent.append((address[:40], reply.line))
        session.close()

    client.at_once(len(ADDRESSES), attack)
    tap.ok(
        not silent,
        f"{len(ADDRESSES)} hostile senders through the MTA: each gets an answer",
        *silent[:5],
    )
    replies = [
        client.send(rig.net.client, "alice@real.example", recipient=to, source="203.0.113.7")
        for to in ('"<>"@local.example', "a%b@local.example", '"a\\"b"@local.example')
    ]
    tap.ok(
        all(mail.code for mail in replies),
        "hostile recipients through the MTA get an answer",
        replies,
    )


def _straight(tap, rig):
    unanswered, raw = [], []

    def attack(index):
        address = ADDRESSES[index]
        try:
            answers = _one(rig, address, HELOS[index % len(HELOS)], HEADERS[index % len(HEADERS)])
        except OSError as error:
            unanswered.append((address[:40], str(error)))
            return
        for kind, data in answers:
            if kind not in miltertalk.FINAL + "ih":
                unanswered.append((address[:40], kind, data[:40]))
            if kind in "yih" and re.search(rb"[^\n\t -~\0]", data[4 if kind == "i" else 0 :]):
                raw.append((address[:40], kind, data[:200]))

    client.at_once(len(ADDRESSES), attack)
    tap.ok(
        not unanswered,
        f"{len(ADDRESSES)} hostile senders straight to the milter: each gets an answer",
        *unanswered[:5],
    )
    tap.ok(
        not raw,
        "no reply and no header of ours carries control characters or 8-bit octets",
        *raw[:5],
    )


def _one(rig, address, helo, header):
    """A whole session with one hostile address in each place; all answers and changes."""
    answers = []
    brackets = [b"<" + address + b">", address][len(address) % 2]
    talk = miltertalk.Talk(rig.net.mta)
    try:
        answers.append(talk.connect(name=helo or b"x"))
        answers.append(talk.helo(helo))
        answers.append(
            talk.mail(
                brackets, b"SIZE=" + LONG[:50], macros=(b"{mail_addr}", address.split(b"\0")[0])
            )
        )
        if answers[-1][0] == "c":
            answers.append(talk.rcpt(brackets, macros=(b"i", b"4X\r\ny"[:2])))
        if answers[-1][0] == "c":
            answers.append(talk.rcpt(b"<" + client.RECIPIENT.encode() + b">"))
        if answers[-1][0] == "c":
            answers.append(talk.header(*header))
            final, changes = talk.end()
            answers += [final, *((kind, data) for kind, data in changes if kind in "ih")]
    finally:
        talk.close()
    return answers


def _nothing_raw(tap, rig):
    rig.hosts.settled()
    heard = "\n".join(rig.hosts.commands())
    tap.ok(
        heard and not CONTROL.search(heard),
        "no mail host heard a control character or an 8-bit octet that was not asked for",
        *[repr(line) for line in heard.splitlines() if CONTROL.search(line)][:5],
    )
    for command in ("RSET", "X-Injected"):
        odd = [line for line in heard.splitlines() if command in line and line.strip() != "RSET"]
        tap.ok(not odd, f"no mail host heard an injected {command}", *odd[:3])
    log = rig.milter.log()
    tap.ok(
        log and not CONTROL.search(log),
        "no line of our log carries a control character",
        *[repr(line) for line in log.splitlines() if CONTROL.search(line)][:3],
    )
