#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What the benchmark's figures rest on: that the trace is as README says, and that the counting is
right. No root, no network, a second. Prints TAP."""

import sys

sys.dont_write_bytecode = True

import collections
import copy
import pathlib

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "lab"))

import client
import drive
import population
import report
import trace
from tap import Tap

SEEDS = (1, 2, 77)


def same_seed_gives_the_same_trace(tap):
    first, second = (trace.Generator(5).mails() for _ in range(2))
    tap.ok(first == second, "the same seed gives the same trace")
    tap.ok(first != trace.Generator(6).mails(), "another seed gives another")
    zones = {population.Population(5).zone() for _ in range(2)}
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
    disowned = sum(mail.spf == "fail" for mail in forged)
    tap.ok(
        0.4 < disowned / len(forged) < 0.6,
        f"seed {seed}: SPF disowns about half of what is forged",
        disowned,
    )
    real = collections.Counter(mail.kind for mail in mails if not mail.forged)
    tap.equal(dict(real), trace.REAL, f"seed {seed}: real mail of each kind")
    failing = {mail.kind for mail in mails if not mail.forged and mail.spf == "fail"}
    tap.ok(failing <= {"forwarded"}, f"seed {seed}: SPF disowns real mail only when forwarded")
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
    tap.equal(
        sum(domain.has_spf for domain in people.domains), 150, f"seed {seed}: half have SPF"
    )
    weight = sum(w for w, domain in zip(people.weights, people.domains) if domain.has_spf)
    tap.ok(
        abs(weight / sum(people.weights) - 0.5) < 0.05,
        f"seed {seed}: these are half of the popularity too",
        weight / sum(people.weights),
    )
    zone = people.zone()
    without = [d.name for d in people.domains if f"\n{d.name.split('.')[0]} MX" not in zone]
    tap.ok(not without, f"seed {seed}: each domain has a mail host", without)
    alone = collections.Counter(d.mail_host for d in people.domains if d.kind == "nonull")
    tap.equal(set(alone.values()), {1}, f"seed {seed}: who refuses <> has a host to itself")
    sources = {d.outgoing for d in people.domains}
    tap.ok(not sources & set(people.bots), f"seed {seed}: no bot sends from a provider's address")


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
    domain = next(d for d in people.domains if d.has_spf)
    lonely = next(d for d in people.domains if d.kind == "nonull")
    mails = [
        made(0, 10, f"a@{domain.name}", domain, "fail"),
        made(1, 20, f"a@{domain.name}", domain, "pass"),
        made(2, 5000, f"a@{domain.name}", domain, "fail"),
        made(3, 30, f"Z@{lonely.name}", lonely, "none"),
    ]
    attribution = report.Attribution(mails, people)
    for rcpts, host, seconds, number, text in (
        ([f"a@{domain.name}"], "192.0.2.100", 30, 1, "of one slot, to the mail SPF allows"),
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


def made(number, stamp, sender, domain, spf, forged=True, exists_too=False):
    return trace.Mail(
        stamp, "198.19.0.1", "x", sender, "y@local.example", forged, exists_too, "forged",
        domain.name, spf, number,
    )  # fmt: skip


def mails_are_counted_by_what_became_of_them(tap):
    domain = population.Population(1).domains[0]
    forged = made(0, 0, "f@x", domain, "fail")
    known = made(0, 0, "k@x", domain, "none", exists_too=True)
    real = made(0, 0, "r@x", domain, "pass", forged=False, exists_too=True)
    for mail, codes, wanted in (
        (forged, [550], {"caught": 1, "caught_telling": 1}),
        (forged, [250], {"missed": 1, "missed_disowned": 1}),
        (forged, [450], {"missed": 1, "missed_disowned": 1, "forged_deferred": 1}),
        (known, [550], {"forged_existing_refused": 1}),
        (known, [250], {}),
        (real, [250], {}),
        (real, [450, 250], {"real_delayed": 1}),
        (real, [450, 450], {"real_delayed": 1, "real_still_deferred": 1}),
        (real, [450, 550], {"real_delayed": 1, "real_refused": 1}),
        (real, [550], {"real_refused": 1}),
    ):
        outcome = drive.Outcome(mail, codes[0], "")
        if len(codes) == 2:
            outcome.retried, outcome.retry_code = True, codes[1]
        block = collections.Counter()
        report._count_mail(outcome, block, {domain.name})  # pylint: disable=protected-access
        seen = {key: count for key, count in block.items() if count}
        what = "forged" if mail is forged else "forged, existing" if mail is known else "real"
        tap.equal(seen, wanted, f"a {what} mail answered {codes} counts as {list(wanted)}")


def what_nobody_can_know_is_told_apart(tap):
    people = population.Population(1)
    outcome = drive.Outcome(made(0, 0, "f@x", people.domains[0], "none"), 550, "")
    block = collections.Counter()
    report._count_mail(outcome, block, set())  # pylint: disable=protected-access
    tap.equal(
        (block["caught"], block["caught_telling"]), (1, 0), "a lucky catch is told from a known one"
    )


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
        self.name = "ringback"
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


GOOD = {
    "ringback": {"connections": 50, "connections_disowned": 10, "caught": 40},
    "exim": {"connections": 100, "connections_disowned": 100, "caught": 100},
}


def each_demand_can_fail(tap):
    tap.equal(holding(GOOD), [True] * 4, "all demands hold at their limits")
    for place, (name, key, value) in enumerate(
        (
            ("ringback", "connections_disowned", 11),
            ("ringback", "connections", 51),
            ("ringback", "real_refused", 1),
            ("exim", "checks", 1),
        )
    ):
        changed = copy.deepcopy(GOOD)
        changed[name][key] = value
        wanted = [number != place for number in range(4)]
        tap.equal(holding(changed), wanted, f"demand {place + 1} fails with {key} {value}")
    twice = copy.deepcopy(GOOD)
    twice["ringback"]["real_still_deferred"] = 1
    tap.equal(holding(twice)[2], False, "real mail that is deferred for ever counts as refused")
    tap.equal(report.loss(results(GOOD)), {"exim": (60, 0.6)}, "the loss is Exim's catch less ours")


def results(figures):
    return {
        name: {
            "total": collections.Counter(each),
            "checks": {"mails not sent": each.get("checks", 0)},
        }
        for name, each in figures.items()
    }


def holding(figures):
    return [holds for holds, _, _ in report.demands(results(figures))]


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
    only_real_mail_comes_back_and_only_once(tap)
    a_trace_is_played_in_batches(tap)
    each_demand_can_fail(tap)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
