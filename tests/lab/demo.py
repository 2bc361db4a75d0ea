#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Shows what Ringback is for: a handful of mails through a real Postfix, and what became of them.

    tests/lab/demo.py [--builddir DIR]

Exit status 0 only when all was as it should be. Needs root, iproute2, nsd and postfix.
"""

import sys

sys.dont_write_bytecode = True

import shutil
import textwrap
from dataclasses import dataclass

import check_verdicts
import client
import rig as lab

ACCEPT, REJECT = check_verdicts.ACCEPT, check_verdicts.REJECT
MAX_WAIT = "4s"


@dataclass(frozen=True)
class Scene:
    title: str
    sender: str
    told: str
    reason: str
    calls: tuple  # connections to mail hosts that are right
    at_once: int = 1


SCENES = [
    Scene("a real sender", "alice@real.example", ACCEPT, "accepted", (1,)),
    Scene("a forged user at a real domain", "nobody@real.example", REJECT, "no_such_user", (1,)),
    Scene("the same forged sender again", "nobody@real.example", REJECT, "no_such_user", (0,)),
    Scene("the real sender again", "alice@real.example", ACCEPT, "accepted", (0,)),
    Scene(
        "by SPF its domain doubts the client: ~all",
        "nobody@doubting.example",
        ACCEPT,
        "spf_softfail",
        (0,),
    ),
    Scene(
        "by SPF its domain vouches for the client; no such user",
        "nobody@vouching.example",
        REJECT,
        "no_such_user",
        (1,),
    ),
    Scene("a domain that does not exist", "x@no-such.example", REJECT, "no_domain", (0,)),
    Scene("a domain that says it takes no mail", "x@nullmx.example", REJECT, "null_mx", (0,)),
    Scene("a host that takes every address", "x@catchall.example", ACCEPT, "catch_all", (1,)),
    Scene("a host that greylists us", "alice@grey.example", ACCEPT, "greylisted", (1,)),
    Scene("a host that block-lists us", "alice@blocks.example", ACCEPT, "blocked", (1,)),
    Scene("a host that is dead", "alice@dead.example", ACCEPT, None, (0,)),
    Scene("the dead host again", "alice@dead.example", ACCEPT, None, (0,)),
    Scene(
        "20 mails at once, new real sender", "user-20@crowd.example", ACCEPT, "accepted", (1,), 20
    ),
]


@dataclass(frozen=True)
class Claim:
    """A client says by its HELO name that it is a host, and that host is asked."""

    title: str
    host: str
    told: str
    verdict: str
    warned: bool


SENDER = "alice@real.example"  # who is known by then
CONNECT_BACK = "connect_back { check = yes }\n"
CLAIMS = [
    Claim("a client that is that host", "mx.says-yes.example", ACCEPT, "confirmed", False),
    Claim("a client that is not", "mx.says-no.example", REJECT, "denied", False),
    Claim("a host without Ringback", "mx.says-nothing.example", ACCEPT, "reachable", True),
]
NO_REPLY = {
    "no_domain": "nobody to ask: DNS knows no such domain",
    "null_mx": "nobody to ask: its MX record says so",
    "spf_softfail": "nobody asked: it is probably not from that domain",
    "unreachable": "no answer at all",
    "timeout": "no answer yet",
}
COLUMNS = [  # their widths on a wide terminal, or into a file, and on one of 80 columns
    ("the mail says it is from", 30, 21),
    ("its mail host said", 30, 15),
    ("verdict", 21, 13),
    ("client got", 12, 9),
    ("took", 6, 6),
    ("calls", 5, 5),
]
IS_WIDE = shutil.get_terminal_size((120, 24)).columns > 118
WIDTH = 118 if IS_WIDE else 79
WIDTHS = [wide if IS_WIDE else narrow for _, wide, narrow in COLUMNS]

BEFORE = """
Here is a small internet of network namespaces: a DNS server, mail hosts that each behave in their
own way, and a real Postfix with ringback-milter in front of its queue. Clients now try to send mail
through that Postfix. For each sender address that it does not know yet, the milter asks the mail
host of the sender's domain whether it would take a bounce for that address (a callout). It never
sends a message, and it remembers the answer.
"""
CLAIM = """
With connect_back on, the host that the client says it is (by its HELO name) is asked, too, while
the client's connection is open: are you talking to me? A host that has Ringback knows from its
kernel's sockets, and says yes or, where its admin wants that, no. Of one that has not, nothing can
be said: the mail gets in, with a Callback-Warning field.
"""
AFTER = """
What to see in it. Only a clear word that the address does not exist, or a domain that can take no
mail, turns a mail away; whenever the answer leaves a doubt the mail gets in. What was learned once
costs nobody anything the second time ("calls", the connections made to mail hosts, is 0). Nor is
anybody called for a sender whose domain disowns the client, or doubts it: such a sender is most
likely forged, and its domain is spared. The mail gets in, unless a policy refuses it (on_spf_fail,
on_spf_softfail). Where the domain vouches for the client, it is asked whether the mailbox exists.
A dead host makes a client wait {max_wait} at most, and only once. And 20 mails at once from
one new sender cost one callout, not 20.
"""
REPLY = """
This is what the client of a forged sender reads, and can show to its admin:
"""


def play(rig, scene):
    """Sends the mail, or the mails; returns the row to print and what was not as it should be."""
    rig.hosts.reset()
    send = lambda number: rig.send(scene.sender, source=f"203.0.113.{number + 1}")
    mails = client.at_once(scene.at_once, send) if scene.at_once > 1 else [send(0)]
    took = max(mail.verdict_wait for mail in mails)
    known = knowledge(rig, scene.sender)
    calls = rig.hosts.settled().connections
    told = [check_verdicts.told(mail) for mail in mails]

    wrong = []
    if any(each != scene.told for each in told):
        wrong.append(f"the mail should be {scene.told}: {mails[0]}")
    if scene.reason and known["reason"] != scene.reason:
        wrong.append(f"the reason should be {scene.reason}")
    if calls not in scene.calls:
        wrong.append(f"{scene.calls[0]} callout(s) should have been made")
    if took > float(MAX_WAIT.rstrip("s")) + 1:
        wrong.append("no client should wait longer than max_wait")

    got = f"{mails[0].code} {'accepted' if told[0] == ACCEPT else 'rejected'}"
    if scene.at_once > 1:
        got += f", all {scene.at_once}" if len(set(told)) == 1 else ", not all"
    said = known["reply"] or NO_REPLY.get(known["reason"], "nothing")
    verdict = f"{known['verdict']}: {known['reason']}"
    return [
        f"{scene.sender} ({scene.title})",
        said,
        verdict,
        got,
        f"{took:.2f} s",
        str(calls),
    ], wrong


def play_claim(rig, claim):
    """The same for a mail of a client that claims to be a host."""
    rig.hosts.reset()
    mail = rig.send(SENDER, helo=claim.host)
    calls = rig.hosts.settled().connections
    told = ACCEPT if mail.accepted else REJECT if mail.code == 550 else repr(mail)
    line = [each for each in rig.milter.decisions() if each["verify"] == "client"][-1]
    message = rig.mta.message(mail.subject) if told == ACCEPT else None
    warned = bool(message and message["Callback-Warning"])

    wrong = []
    if told != claim.told:
        wrong.append(f"the mail should be {claim.told}: {mail}")
    if (line["helo"], line["verdict"]) != (claim.host, claim.verdict):
        wrong.append(f"the client should be {claim.verdict}: {line}")
    if warned != claim.warned:
        wrong.append(f"a warning in the message: {claim.warned} would be right")
    if calls != 1:
        wrong.append("that host should have been called once")

    got = f"{mail.code} {'accepted' if told == ACCEPT else 'rejected'}"
    return [
        f"{claim.host} ({claim.title})",
        line["reply"],
        claim.verdict,
        got + (", warned" if warned else ""),
        f"{float(line['waited'].rstrip('s')):.2f} s",
        str(calls),
    ], wrong


def knowledge(rig, sender):
    """What the milter now knows about that sender: the cache's record, else its last log line."""
    found = rig.milter.ringback_json("cache", "get", sender)
    if not found:
        found = [line for line in rig.milter.decisions() if line.get("address") == f"<{sender}>"][
            -1:
        ]
    empty = {"verdict": "unknown", "reason": "?", "reply": ""}
    return {**empty, **{key: value for key, value in (found or [empty])[0].items() if value}}


def print_row(cells, rule=False):
    wrapped = [textwrap.wrap(cell, width) or [""] for cell, width in zip(cells, WIDTHS)]
    for number in range(max(map(len, wrapped))):
        words = [lines[number] if number < len(lines) else "" for lines in wrapped]
        print("  ".join(f"{word:{width}}" for word, width in zip(words, WIDTHS)).rstrip())
    if rule:
        print("  ".join("-" * width for width in WIDTHS))
    sys.stdout.flush()


def main():
    builddir = lab.build_dir()
    reason = lab.cannot_run(builddir)
    if reason:
        print(f"The demonstration cannot run: {reason}", file=sys.stderr)
        return 1
    with lab.Rig(builddir) as rig:
        rig.milter.start_fresh(max_wait=MAX_WAIT)
        wrong = show(rig)
    if wrong:
        print("Not all was as it should be:", *wrong, sep="\n  ")
    return 1 if wrong else 0


def show(rig):
    wrong = []
    print(textwrap.fill(BEFORE.strip(), WIDTH), end="\n\n")
    print_row([title for title, *_ in COLUMNS], rule=True)
    for scene in SCENES:
        row, faults = play(rig, scene)
        print_row(row)
        print()
        wrong += [f"{scene.title}: {fault}" for fault in faults]
    wrong += show_claims(rig)
    print(textwrap.fill(AFTER.format(max_wait=MAX_WAIT.replace("s", " s")).strip(), WIDTH))
    print(f"\n{REPLY.strip()}\n")
    reply = rig.send("nobody@real.example", source="203.0.113.99").last.line
    print(textwrap.indent(textwrap.fill(reply, WIDTH - 4), "    "), end="\n\n")
    return wrong


def show_claims(rig):
    wrong = []
    rig.milter.configure(max_wait=MAX_WAIT, more=CONNECT_BACK)
    status, _, errors = rig.milter.ringback("reload")
    if status != 0:
        raise OSError(f"ringback reload: {errors}")
    print(textwrap.fill(CLAIM.strip(), WIDTH), end="\n\n")
    titles = ["the client says it is", "that host said", *(title for title, *_ in COLUMNS[2:])]
    print_row(titles, rule=True)
    for claim in CLAIMS:
        row, faults = play_claim(rig, claim)
        print_row(row)
        print()
        wrong += [f"{claim.title}: {fault}" for fault in faults]
    return wrong


if __name__ == "__main__":
    sys.exit(main())
