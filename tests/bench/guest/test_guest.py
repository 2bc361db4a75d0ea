#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What the benchmark's figures rest on: that the trace is as README says, and that the counting is
right. No root, no network, a second. Prints TAP."""

import sys

sys.dont_write_bytecode = True

import collections
import json
import pathlib
import socket
import struct
import tempfile

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "lab"))

import authenticator
import client
import drive
import guest
import net
import population
import questions
import report
import trace
import zone
from tap import Tap

SEEDS = (1, 2, 77)


def same_seed_gives_the_same_trace(tap):
    first, second = (trace.Generator(5).mails() for _ in range(2))
    tap.ok(first == second, "the same seed gives the same trace")
    tap.ok(first != trace.Generator(6).mails(), "another seed gives another")
    zones = {zone.text(population.Population(5)) for _ in range(2)}
    tap.equal(len(zones), 1, "the same seed gives the same DNS")


def trace_is_as_described(tap, seed):
    generator = trace.Generator(seed)
    mails, people = generator.mails(), generator.population
    forged = [mail for mail in mails if mail.forged]
    tap.equal((len(mails), len(forged)), (5000, 4500), f"seed {seed}: 5,000 mails, 90 % forged")
    tap.equal(
        sum(mail.exists for mail in forged), 2250, f"seed {seed}: half of the forged exist"
    )
    wrong = [mail.sender for mail in forged if mail.exists != exists(people, mail.sender)]
    tap.ok(not wrong, f"seed {seed}: those that exist do, and the others do not", wrong[:3])
    real = collections.Counter(mail.kind for mail in mails if not mail.forged)
    tap.equal(dict(real), trace.REAL, f"seed {seed}: real mail of each kind")
    failing = {m.kind for m in mails if not m.forged and m.spf in ("fail", "softfail")}
    tap.ok(failing <= {"forwarded"}, f"seed {seed}: SPF disowns real mail only when forwarded")
    passing = [mail for mail in forged if mail.spf == "pass" or mail.signer == mail.domain]
    tap.ok(not passing, f"seed {seed}: nothing forged passes, nor is signed by its domain")
    wrong = [m for m in mails if not m.forged and m.signer not in ("", m.domain)]
    tap.ok(not wrong, f"seed {seed}: real mail is signed by its domain or by nobody", wrong[:3])
    stamps = [mail.stamp for mail in mails]
    tap.ok(
        stamps == sorted(stamps) and 0 <= stamps[0] and stamps[-1] < trace.DAY_S,
        f"seed {seed}: mail arrives in order, within a day",
    )
    once = [mail.sender for mail in mails if mail.kind in ("ezmlm", "newsletter")]
    tap.equal(len(once), len(set(once)), f"seed {seed}: lists use a sender once")


def exists(people, sender):
    local, _, domain = sender.partition("@")
    return local in people.by_name[domain].users


def domains_are_as_described(tap, seed):
    people = population.Population(seed)
    kinds = collections.Counter(domain.kind for domain in people.domains)
    kinds.pop("plain")
    tap.equal(dict(kinds), population.KINDS, f"seed {seed}: domains of each kind")
    for name, counts in population.SPF.items():
        tap.equal(sum(counts.values()), population.DOMAINS, f"{name}: SPF of all domains")
        dealt = population.Population(seed, name)
        published = collections.Counter(domain.published for domain in dealt.domains)
        tap.equal(dict(published), counts, f"seed {seed}, {name}: domains with each SPF")
        weights = collections.Counter()
        for weight, domain in zip(dealt.weights, dealt.domains):
            weights[domain.published] += weight / sum(dealt.weights)
        off = {kind: weights[kind] - count / 300 for kind, count in counts.items()}
        tap.ok(
            max(map(abs, off.values())) < 0.01,
            f"seed {seed}, {name}: that is their share of the popularity too",
            off,
        )
    text = zone.text(people)
    without = [d.name for d in people.domains if f"\n{d.name.split('.')[0]} MX" not in text]
    tap.ok(not without, f"seed {seed}: each domain has a mail host", without)
    alone = collections.Counter(d.mail_host for d in people.domains if d.kind == "nonull")
    tap.equal(set(alone.values()), {1}, f"seed {seed}: who refuses <> has a host to itself")
    sources = {d.outgoing for d in people.domains}
    addresses = {bot.address for bot in people.bots}
    tap.ok(not sources & addresses, f"seed {seed}: no bot sends from a server's address")
    vouching = [
        bot.address
        for bot in people.bots
        if bot.claims and f"mail7.{bot.claims.removesuffix('.example')} A" in text
    ]
    tap.ok(not vouching, f"seed {seed}: no bot's name in a forged domain is confirmed", vouching)


def entry(rcpt, seconds, port=1000, host="192.0.2.100"):
    return {
        "host": host,
        "client_ip": "198.51.100.10",
        "client_port": port,
        "time_ms": seconds * 1000,
        "rcpt": rcpt,
    }


def entries_of_one_port_are_one_connection(tap):
    log = [entry("a@x", 1), entry("b@x", 2), entry("c@x", 2, port=1001), entry("d@x", 5000)]
    rcpts = [[each["rcpt"] for each in session] for session in report.sessions(log)]
    tap.equal(
        sorted(rcpts),
        [["a@x", "b@x"], ["c@x"], ["d@x"]],
        "one port is one connection, until it is used again much later",
    )


def connections_go_to_the_mail_they_were_made_for(tap):
    people = population.Population(1)
    domain = people.domains[0]
    lonely = next(d for d in people.domains if d.kind == "nonull")
    mails = [
        made(0, 10, f"a@{domain.name}", domain, "fail"),
        made(1, 20, f"a@{domain.name}", domain, "pass", forged=False),
        made(2, 5000, f"a@{domain.name}", domain, "fail"),
        made(3, 30, f"Z@{lonely.name}", lonely, "none"),
    ]
    attribution = report.Attribution(mails, people)
    for rcpts, host, seconds, number, text in (
        ([f"a@{domain.name}"], "192.0.2.100", 30, 1, "of one slot, to the real mail"),
        ([f"a@{domain.name}"], "192.0.2.100", 5010, 2, "to the last mail that had come"),
        ([f"a@{domain.name}"], "192.0.2.100", 4000, 1, "not to one that comes later"),
        ([f"probe@{domain.name}"], "192.0.2.100", 5010, 2, "a probe to its domain's last mail"),
        ([f"z@{lonely.name}"], "192.0.2.100", 40, 3, "letters' case does not count"),
        ([], lonely.mail_host, 40, 3, "without a RCPT to the only domain of the host"),
    ):
        mail = attribution.mail_for(host, rcpts, seconds)
        tap.equal(mail and mail.number, number, f"a connection is counted {text}")
    tap.ok(
        attribution.mail_for("192.0.2.1", ["who@nowhere.example"], 9) is None,
        "what no mail explains is not counted to any",
    )
    for number, seconds, wanted in ((2, 5010, True), (0, 15, True), (3, 40, False)):
        tap.equal(
            attribution.is_justified(mails[number], seconds),
            wanted,
            f"mail {number}: {'a' if wanted else 'no'} domain that sent a mail of its own by then",
        )


def made(number, stamp, sender, domain, spf, forged=True, exists_too=False, kind="forged"):
    return trace.Mail(
        stamp, "198.19.0.1", "x", sender, "y@local.example", forged, exists_too, kind,
        domain.name, spf, number=number,
    )  # fmt: skip


def mails_are_counted_by_what_became_of_them(tap):
    domain = population.Population(1).domains[0]
    forged = made(0, 0, "f@x", domain, "fail")
    fooled = made(0, 0, "f@x", domain, "pass")
    known = made(0, 0, "k@x", domain, "none", exists_too=True)
    real = made(0, 0, "r@x", domain, "pass", forged=False, exists_too=True, kind="person")
    far = made(0, 0, "r@x", domain, "fail", forged=False, exists_too=True, kind="forwarded")
    away = {"forwarded": 1, "forwarded_disowned": 1}
    for mail, codes, reason, wanted in (
        (forged, [550], "no_such_user", {"caught": 1, "caught_telling": 1}),
        (forged, [250], "spf_fail", {"missed": 1, "missed_gate": 1}),
        (fooled, [250], "catch_all", {"missed": 1, "missed_catchall": 1, "forged_vouched": 1}),
        (forged, [250], "catch_all", {"missed": 1, "missed_catchall": 1}),
        (forged, [250], "limited", {"missed": 1, "missed_limited": 1}),
        (forged, [450], "greylisted", {"missed": 1, "missed_silent": 1, "forged_deferred": 1}),
        (forged, [250], None, {"missed": 1, "missed_other": 1}),
        (known, [550], "spf_fail", {"forged_existing_refused": 1}),
        (known, [250], "accepted", {}),
        (real, [250], "accepted", {"real": 1, "real_spf": 1}),
        (real, [250], "not_vouched", {"real": 1, "real_spf": 1, "real_held_back": 1}),
        (real, [450, 250], None, {"real": 1, "real_delayed": 1}),
        (real, [450, 450], None, {"real": 1, "real_delayed": 1, "real_still_deferred": 1}),
        (real, [450, 550], None, {"real": 1, "real_delayed": 1, "real_refused": 1}),
        (real, [550], None, {"real": 1, "real_refused": 1}),
        (far, [550], None, {**away, "forwarded_refused": 1}),
        (far, [250], None, away),
    ):
        outcome = drive.Outcome(mail, codes[0], "")
        if len(codes) == 2:
            outcome.retried, outcome.retry_code = True, codes[1]
        vouched = "spf" if mail.spf == "pass" else "nobody"
        line = {"reason": reason, "vouched": vouched} if reason else None
        block = collections.Counter()
        kinds = {domain.name: "plain"}
        report._count_mail(outcome, block, kinds, line)  # pylint: disable=protected-access
        seen = {key: count for key, count in block.items() if count}
        what = "forged" if mail is forged else "existing" if mail is known else mail.kind
        tap.equal(seen, wanted, f"a {what} mail answered {codes}, {reason}: {list(wanted)}")


def what_nobody_can_know_is_told_apart(tap):
    people = population.Population(1)
    outcome = drive.Outcome(made(0, 0, "f@x", people.domains[0], "none"), 550, "")
    block = collections.Counter()
    kinds = {people.domains[0].name: "blocks"}
    report._count_mail(outcome, block, kinds, None)  # pylint: disable=protected-access
    tap.equal(
        (block["caught"], block["caught_telling"]), (1, 0), "a lucky catch is told from a known one"
    )


def the_log_says_why(tap):
    domain = population.Population(1).domains[0]
    outcomes = [drive.Outcome(made(n, n, "a@x", domain, "none"), 250, "") for n in range(3)]
    outcomes[1].retried = True
    lines = [
        {"address": "<a@x>", "client": "198.19.0.1", "reason": reason}
        for reason in ("first", "second", "third", "fourth")
    ]
    told = report.decided(lines, outcomes[::-1])
    wanted = {0: "first", 1: "third", 2: "fourth"}
    tap.equal(
        {number: line["reason"] for number, line in told.items()},
        wanted,
        "a mail has the last of its lines in the log, in their order",
    )


def a_filter_says_what_the_trace_knows(tap):
    domain = population.Population(1).domains[0]
    mail = made(7, 0, "a@x", domain, "none")
    mail.dkim, mail.signer = "pass", "x.example"
    tap.equal(
        authenticator.result(mail),
        "filter.lab.example; dkim=pass header.d=x.example",
        "a signature is told with its domain",
    )
    tap.equal(
        authenticator.result(made(7, 0, "a@x", domain, "none")),
        "filter.lab.example; dkim=none",
        "and that there is none",
    )


def questions_to_the_dns_server_are_counted(tap):
    asked = b"\1a\7example\0" + struct.pack(">2H", 16, 1)
    udp = struct.pack(">4H", 4321, 53, 8 + 12 + len(asked), 0) + bytes(12) + asked
    ip = b"\x45" + bytes(8) + b"\x11" + bytes(6) + socket.inet_aton(net.DNS)
    tap.equal(questions.question(ip + udp), "TXT", "a question to the server counts by its type")
    other = ip[:16] + socket.inet_aton("192.0.2.54")
    tap.equal(questions.question(other + udp), None, "one to another address does not")


def only_real_mail_comes_back_and_only_once(tap):
    domain = population.Population(1).domains[0]
    for forged, code, retried, wanted in (
        (False, 450, False, True),
        (False, 450, True, False),
        (False, 550, False, False),
        (False, 250, False, False),
        (True, 450, False, False),
    ):
        outcome = drive.Outcome(made(0, 0, "x@x", domain, "none", forged=forged), code, "")
        outcome.retried = retried
        seen = drive._comes_back(outcome)  # pylint: disable=protected-access
        tap.equal(seen, wanted, f"comes back: forged={forged} code={code} retried={retried}")


class Contender:
    """Stands for a receiver: says to each mail, in turn, what it is told to say."""

    def __init__(self, replies):
        self.position = "softfail"
        self.clock = self.hosts = self
        self.sent = []  # (simulated seconds, number of the mail)
        self._replies = replies
        self._now = 0

    def set(self, seconds):
        self._now = seconds

    def settled(self):
        pass

    def reply(self, mail):
        self.sent.append((self._now, mail.number))
        return client.Reply(self._replies[mail.number].pop(0), "", 0.0)


def a_trace_is_played_in_batches(tap):
    domain = population.Population(1).domains[0]
    mails = [
        made(0, 10, "a@x", domain, "none", forged=False),
        made(1, 20, "b@x", domain, "none"),
        made(2, 1300, "a@x", domain, "none", forged=False),
    ]
    contender = Contender({0: [450, 250], 1: [450], 2: [550]})
    drive.DUE_S = 0
    drive._send = lambda _, mail: contender.reply(mail)  # pylint: disable=protected-access
    slots = []
    outcomes = drive.play(contender, mails, slots.append)
    wanted = [(0, 0), (0, 1), (600, 0), (1200, 2)]
    tap.equal(sorted(contender.sent), wanted, "each has its slot, real mail the next one too")
    codes = {each.mail.number: (each.code, each.last_code) for each in outcomes}
    tap.equal(codes, {0: (450, 250), 1: (450, 450), 2: (550, 550)}, "each has one outcome")
    tap.equal((len(outcomes), slots), (3, [0, 1, 2]), "slots without mail pass too")


EXIM = {
    "connections": 1100,
    "uninvolved": 1000,
    "uninvolved_fail": 400,
    "caught": 100,
    "real_refused": 9,  # of others nothing is demanded
}
# Each at its limit, and what is one beyond it.
LIMITS = [
    ("fail", {"uninvolved_fail": 40}, {"uninvolved_fail": 41}),
    ("fail", {"connections": 550}, {"connections": 551}),
    ("softfail", {"uninvolved": 250}, {"uninvolved": 251}),
    ("vouched", {"uninvolved": 10}, {"uninvolved": 11, "unjustified": 1, "forged_vouched": 1}),
    ("vouched-dkim", {"uninvolved": 10}, {"uninvolved": 11, "unjustified": 1}),
    ("fail-reject", {"caught": 95, "forwarded_refused": 9}, {"caught": 94}),
    ("softfail-reject", {"caught": 95, "forwarded_refused": 9}, {"caught": 94}),
    ("no", {}, {"real_refused": 1}),
    ("no", {}, {"real_still_deferred": 1}),
    ("no", {}, {"forwarded_refused": 1}),
    ("no", {}, {"checks": 1}),
]


def each_demand_can_fail(tap):
    for name, limit, beyond in LIMITS:
        tap.equal(failing(name, limit), 0, f"{name}: all demands hold at {limit}")
        for key, value in beyond.items():
            failed = failing(name, {**limit, key: value})
            tap.equal(failed, 1, f"{name}: one fails with {key} {value}")


def failing(name, figures):
    results = {
        each: {
            "total": collections.Counter(total),
            "checks": {"mails not sent": total.get("checks", 0)},
        }
        for each, total in ((name, figures), ("exim", EXIM))
    }
    return sum(not holds for holds, _, _ in report.demands(results))


def parts_of_one_trace_are_merged(tap):
    about = {"seed": 1, "spf": "surveyed", "hours": 24, "trace": {"mails": 5000}}
    with tempfile.TemporaryDirectory() as folder:
        paths = [pathlib.Path(folder, name) for name in ("a", "b", "other")]
        for path, seed in zip(paths, (1, 1, 2)):
            part = {**about, "seed": seed, "contenders": {path.name: {"total": {}}}}
            path.write_text(json.dumps(part), encoding="utf-8")
        whole = guest.merged(paths[:2])
        tap.equal(list(whole["contenders"]), ["a", "b"], "parts of one trace are one run")
        try:
            guest.merged(paths)
            tap.ok(False, "parts of another trace are refused")
        except SystemExit as refusal:
            tap.ok("seed" in str(refusal), "parts of another trace are refused", refusal)


def main():
    tap = Tap()
    same_seed_gives_the_same_trace(tap)
    for seed in SEEDS:
        trace_is_as_described(tap, seed)
        domains_are_as_described(tap, seed)
    entries_of_one_port_are_one_connection(tap)
    connections_go_to_the_mail_they_were_made_for(tap)
    mails_are_counted_by_what_became_of_them(tap)
    what_nobody_can_know_is_told_apart(tap)
    the_log_says_why(tap)
    a_filter_says_what_the_trace_knows(tap)
    questions_to_the_dns_server_are_counted(tap)
    only_real_mail_comes_back_and_only_once(tap)
    a_trace_is_played_in_batches(tap)
    each_demand_can_fail(tap)
    parts_of_one_trace_are_merged(tap)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
