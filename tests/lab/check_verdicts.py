# SPDX-License-Identifier: BSD-2-Clause
"""Who gets in and who does not, and what it costs the mail hosts: first mail and second mail.

Every row says what the client is told, what the cache holds afterwards, and how many connections
and RCPTs the mail host saw. The second mail of the same sender must be told the same and cost
nothing.
"""

import re
from dataclasses import dataclass

ACCEPT, REJECT = "accepted", "rejected"


@dataclass(frozen=True)
class Case:
    text: str
    sender: str
    told: str  # ACCEPT or REJECT
    verdict: str
    reason: str
    host: str = ""  # IP address of the mail host to look at
    connections: int = 0
    rcpts: tuple = ()  # how many RCPTs it may have seen; () for 0


REAL = "192.0.2.10"
CASES = [
    Case(
        "a real sender gets in", "alice@real.example", ACCEPT, "valid", "accepted", REAL, 1, (1, 2)
    ),
    Case(
        "a forged user is turned away",
        "nobody@real.example",
        REJECT,
        "invalid",
        "no_such_user",
        REAL,
        1,
        (1,),
    ),
    Case(
        "a domain without MX is asked at its own address",
        "alice@apex.example",
        ACCEPT,
        "valid",
        "accepted",
        "192.0.2.11",
        1,
        (1, 2),
    ),
    Case(
        "a forged user of a domain without MX is turned away",
        "nobody@apex.example",
        REJECT,
        "invalid",
        "no_such_user",
        "192.0.2.11",
        1,
        (1,),
    ),
    Case(
        "a domain that does not exist is turned away",
        "x@no-such.example",
        REJECT,
        "invalid",
        "no_domain",
    ),
    Case(
        "a domain with a null MX is turned away", "x@nullmx.example", REJECT, "invalid", "null_mx"
    ),
    Case(
        "a domain without any mail host is turned away",
        "x@no-host.example",
        REJECT,
        "invalid",
        "no_mail_host",
    ),
    Case(
        "a private mail host is bogus and never called",
        "x@mx-private.example",
        REJECT,
        "invalid",
        "bogus_mx",
    ),
    Case(
        "a loopback mail host is bogus and never called",
        "x@mx-loopback.example",
        REJECT,
        "invalid",
        "bogus_mx",
    ),
    Case(
        "a domain whose DNS is broken gets in",
        "x@servfail.example",
        ACCEPT,
        "unknown",
        "dns_failure",
    ),
    Case(
        "a catch-all domain gets in",
        "whoever@catchall.example",
        ACCEPT,
        "unknown",
        "catch_all",
        "192.0.2.20",
        1,
        (2,),
    ),
    Case(
        "a greylisting host does not harm the sender",
        "alice@grey.example",
        ACCEPT,
        "unknown",
        "greylisted",
        "192.0.2.21",
        1,
        (1,),
    ),
    Case(
        "a host that block-lists us does not harm the sender",
        "alice@blocks.example",
        ACCEPT,
        "unknown",
        "blocked",
        "192.0.2.22",
        1,
        (1,),
    ),
    Case(
        "nor does one that says so in its banner",
        "alice@blocks-early.example",
        ACCEPT,
        "unknown",
        "blocked",
        "192.0.2.23",
        1,
        (),
    ),
    Case(
        "where the null sender is refused the fallback sender is used",
        "alice@null-refused.example",
        ACCEPT,
        "valid",
        "accepted",
        "192.0.2.24",
        1,
        (1, 2),
    ),
    Case(
        "and it finds forged users",
        "nobody@null-refused.example",
        REJECT,
        "invalid",
        "no_such_user",
        "192.0.2.24",
        1,
        (1,),
    ),
    Case(
        "a host with STARTTLS is asked",
        "alice@tls.example",
        ACCEPT,
        "valid",
        "accepted",
        "192.0.2.25",
        1,
        (1, 2),
    ),
    Case(
        "a host that insists on TLS and offers it is asked",
        "nobody@tls-only.example",
        REJECT,
        "invalid",
        "no_such_user",
        "192.0.2.26",
        1,
        (1,),
    ),
    Case(
        "a failed TLS handshake is asked again in clear",
        "nobody@tls-broken.example",
        REJECT,
        "invalid",
        "no_such_user",
        "192.0.2.27",
        2,
        (1,),
    ),
    Case(
        "a host that wants TLS and offers none does not harm the sender",
        "alice@tls-wanted.example",
        ACCEPT,
        "unknown",
        "tls_required",
        "192.0.2.28",
        1,
        (0, 1),
    ),
    Case(
        "a full mailbox exists",
        "full@full.example",
        ACCEPT,
        "valid",
        "mailbox_full",
        "192.0.2.29",
        1,
        (1, 2),
    ),
    Case(
        "where the first host defers the second decides",
        "nobody@second.example",
        REJECT,
        "invalid",
        "no_such_user",
        "192.0.2.31",
        1,
        (1,),
    ),
    Case(
        "a host reached by IPv6 is asked",
        "nobody@v6.example",
        REJECT,
        "invalid",
        "no_such_user",
        "2001:db8:25::10",
        1,
        (1,),
    ),
    Case(
        "a host that does not speak SMTP does not harm the sender",
        "x@garbage.example",
        ACCEPT,
        "unknown",
        "protocol_error",
        "192.0.2.33",
        1,
        (),
    ),
    Case(
        "a host where nobody listens does not harm the sender",
        "x@refused.example",
        ACCEPT,
        "unknown",
        "unreachable",
    ),
]
TEMPORARY = {
    "temp-banner": "192.0.2.40",
    "temp-ehlo": "192.0.2.41",
    "temp-mail": "192.0.2.42",
    "temp-421": "192.0.2.43",
    "temp-450": "192.0.2.44",
    "temp-451": "192.0.2.45",
    "temp-452": "192.0.2.46",
    "temp-459": "192.0.2.47",
}
REJECTION = r"5\.1\.7 <{}>: sender address rejected: undeliverable address: "


def run(tap, rig):
    rig.milter.start_fresh()
    for case in CASES:
        _check(tap, rig, case)
    _replies(tap, rig)
    for domain, address in TEMPORARY.items():
        _temporary(tap, rig, domain, address)


def told(mail):
    if mail.accepted:
        return ACCEPT
    return REJECT if mail.code == 550 and mail.last.text.startswith("5.1.7 ") else repr(mail)


def _check(tap, rig, case):
    rig.hosts.reset()
    first = rig.send(case.sender)
    asked = rig.hosts.settled()
    here = asked[case.host]
    tap.equal(told(first), case.told, f"{case.text}: <{case.sender}> is {case.told}", first)
    tap.equal(
        rig.milter.cached(case.sender),
        (case.verdict, case.reason),
        f"{case.text}: the cache holds {case.verdict}, {case.reason}",
    )
    if case.host:
        tap.ok(
            here.connections == case.connections and here.rcpts in (case.rcpts or (0,)),
            f"{case.text}: its mail host saw {case.connections} connection(s)",
            here,
        )
    else:
        tap.equal(asked.connections, 0, f"{case.text}: nobody was called", asked)
    _second(tap, rig, case.text, case.sender, case.told)


def _second(tap, rig, text, sender, wanted):
    """The second mail, from another client: same answer, at no one's cost."""
    rig.hosts.reset()
    second = rig.send(sender, source="203.0.113.2")
    asked = rig.hosts.settled()
    tap.ok(
        told(second) == wanted and asked.connections == 0 and second.longest < 1.0,
        f"{text}: the second mail is {wanted} and costs no connection",
        second,
        asked,
    )


def _temporary(tap, rig, domain, address):
    """4yz, of whatever kind and at whatever place, never rejects and never makes invalid."""
    sender = f"alice@{domain}.example"
    rig.hosts.reset()
    mail = rig.send(sender)
    here = rig.asked(address)
    held = rig.milter.cached(sender)
    tap.equal(told(mail), ACCEPT, f"{domain}: <{sender}> is accepted", mail)
    tap.ok(
        held is not None and held[0] in ("unknown", "valid"),
        f"{domain}: the cache does not hold invalid",
        held,
    )
    tap.ok(here.connections >= 1, f"{domain}: its mail host was asked", here)
    _second(tap, rig, domain, sender, ACCEPT)


def _replies(tap, rig):
    """What a rejected client reads: whose address, whose word, and nothing raw."""
    sender = "nobody@real.example"
    text = rig.send(sender).last.text
    said = REJECTION.format(re.escape(sender)) + r"mx\.real\.example.* said: .*5\.1\.1 no such user"
    tap.ok(
        re.match(said, text), "the reply names the address, the mail host and what it said", text
    )
    text = rig.send("x@no-such.example").last.text
    tap.ok(
        re.match(REJECTION.format(re.escape("x@no-such.example")) + ".", text),
        "the reply about a domain that does not exist says why",
        text,
    )
    mail = rig.send("nobody@rude.example")
    tap.equal(told(mail), REJECT, "a host that answers with control characters is understood", mail)
    tap.ok(
        re.fullmatch(r"[ -~]*", mail.last.text) and "100%" in mail.last.text,
        "what it said is passed on as printable text, its % as it was",
        mail.last.text,
    )
