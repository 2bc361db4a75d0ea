# SPDX-License-Identifier: BSD-2-Clause
"""Who gets in and who does not, and what it costs the mail hosts: first mail and second mail.

Every row says, for one sender (whose domain is in world.py), what the client is told, what the
cache holds afterwards, and how many connections and RCPTs the mail host saw. The second mail of the
same sender must be told the same and cost nothing. All that it comes to is kept in rig.outcomes.
"""

import collections
import re

ACCEPT, REJECT = "accepted", "rejected"

Case = collections.namedtuple("Case", "sender told verdict reason host connections rcpts")

CASES = """
# sender                     told      verdict  reason          mail_host        conn.  rcpts
alice@real.example           accepted  valid    accepted        192.0.2.10       1      1-2
nobody@real.example          rejected  invalid  no_such_user    192.0.2.10       1      1
alice@apex.example           accepted  valid    accepted        192.0.2.11       1      1-2
nobody@apex.example          rejected  invalid  no_such_user    192.0.2.11       1      1
x@no-such.example            rejected  invalid  no_domain       nobody           0      0
x@nullmx.example             rejected  invalid  null_mx         nobody           0      0
x@no-host.example            rejected  invalid  no_mail_host    nobody           0      0
x@mx-private.example         rejected  invalid  bogus_mx        nobody           0      0
x@mx-loopback.example        rejected  invalid  bogus_mx        nobody           0      0
x@servfail.example           accepted  unknown  dns_failure     nobody           0      0
whoever@catchall.example     accepted  unknown  catch_all       192.0.2.20       1      2
alice@grey.example           accepted  unknown  greylisted      192.0.2.21       1      1
alice@blocks.example         accepted  unknown  blocked         192.0.2.22       1      1
alice@blocks-early.example   accepted  unknown  blocked         192.0.2.23       1      0
alice@null-refused.example   accepted  valid    accepted        192.0.2.24       1      1-3
nobody@null-refused.example  rejected  invalid  no_such_user    192.0.2.24       1      1
alice@tls.example            accepted  valid    accepted        192.0.2.25       1      1-2
nobody@tls-only.example      rejected  invalid  no_such_user    192.0.2.26       1      1
nobody@tls-broken.example    rejected  invalid  no_such_user    192.0.2.27       2      1
alice@tls-wanted.example     accepted  unknown  tls_required    192.0.2.28       1      0-1
full@full.example            accepted  valid    mailbox_full    192.0.2.29       1      1-2
nobody@second.example        rejected  invalid  no_such_user    192.0.2.31       1      1
nobody@v6.example            rejected  invalid  no_such_user    2001:db8:25::10  1      1
x@garbage.example            accepted  unknown  protocol_error  192.0.2.33       1      0
x@refused.example            accepted  unknown  unreachable     nobody           0      0
"""

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


def cases():
    """The rows of CASES; connections as a number, rcpts as a range."""
    for line in CASES.splitlines():
        if line and not line.startswith("#"):
            case = Case(*line.split())
            fewest, _, most = case.rcpts.partition("-")
            yield case._replace(
                connections=int(case.connections), rcpts=range(int(fewest), int(most or fewest) + 1)
            )


def run(tap, rig):
    rig.milter.start_fresh()
    for case in cases():
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
    tap.equal(told(first), case.told, f"{case.sender} is {case.told}", first)
    tap.equal(
        rig.milter.cached(case.sender),
        (case.verdict, case.reason),
        f"{case.sender}: the cache holds {case.verdict}, {case.reason}",
    )
    if case.host != "nobody":
        tap.ok(
            here.connections == case.connections and here.rcpts in case.rcpts,
            f"{case.sender}: its mail host saw {case.connections} connection(s)",
            here,
        )
    else:
        tap.equal(asked.connections, 0, f"{case.sender}: nobody was called", asked)
    _keep(rig, first, case.sender, here if case.host != "nobody" else asked)
    _second(tap, rig, case.sender, case.told)


def _keep(rig, mail, sender, asked):
    """What must be the same through any MTA."""
    refused = None if mail.accepted else (mail.code, rig.mta.wording(mail.last.text))
    message = rig.mta.message(mail.subject) if mail.accepted else None
    header = re.sub(r"id=\S+", "id=ID", str(message and message["X-Ringback"]))
    rig.outcomes[f"{sender} comes to the same"] = {
        "stage": mail.stage,
        "refused": refused,
        "cached": rig.milter.cached(sender),
        "header": re.sub(r"\s+", " ", header),
        "calls": (asked.connections, getattr(asked, "rcpts", None)),
    }


def _second(tap, rig, sender, wanted):
    """The second mail, from another client: same answer, at no one's cost."""
    rig.hosts.reset()
    second = rig.send(sender, source="203.0.113.2")
    asked = rig.hosts.settled()
    tap.ok(
        told(second) == wanted and asked.connections == 0,
        f"{sender}: the second mail is {wanted} and costs no connection",
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
    tap.equal(told(mail), ACCEPT, f"{sender} is accepted", mail)
    tap.ok(
        held is not None and held[0] in ("unknown", "valid"),
        f"{sender}: the cache does not hold invalid",
        held,
    )
    tap.ok(here.connections >= 1, f"{sender}: its mail host was asked", here)
    _keep(rig, mail, sender, here)
    _second(tap, rig, sender, ACCEPT)


def _replies(tap, rig):
    """What a rejected client reads: whose address, whose word, and nothing raw."""
    sender = "nobody@real.example"
    text = rig.mta.wording(rig.send(sender).last.text)
    said = REJECTION.format(re.escape(sender)) + r"mx\.real\.example.* said: .*5\.1\.1 no such user"
    tap.ok(
        re.match(said, text), "the reply names the address, the mail host and what it said", text
    )
    text = rig.mta.wording(rig.send("x@no-such.example").last.text)
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
