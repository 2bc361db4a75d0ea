#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Each session brings a sender that nobody has asked about: 2,000 of them, 100 and 400 at a time.

Ringback beside Exim, Postfix and GNU mailfromd, which all call out too, beside Postfix without any
filter and with one that does nothing, and beside one lone dialogue with a mail host.
"""

import sys

sys.dont_write_bytecode = True

import random
import socket
import statistics
import struct
import time

import figures
import processes
import stage

import contenders
import debs
import net
import postfix

DOMAINS, HOSTS, STEP_MS = 200, 50, 50
SESSIONS = 2000
AT_ONCE = (100, 400)
POSTFIX_SESSIONS = {100: 200, 400: 600}  # it answers after three seconds
MAILFROMD_SESSIONS = 500  # 50 a second
LONE_DIALOGUES = 10  # in each round
LIMIT_S = 40  # of one run
MEMORY_SESSIONS = 600

# Nothing but the work itself is to be measured.
RINGBACK = {
    "callout": "max_workers = 512",
    "more": """
limits {
    per_domain_rate = "1000000/s"
    per_client_rate = "1000000/s"
    global_rate     = "1000000/s"
    per_host_sessions = 100
    shield_addresses  = 0
}
""",
}

ROWS = [
    ("rate", "sessions a second"),
    ("rcpt_ms_p50", "RCPT p50, ms"),
    ("rcpt_ms_p95", "RCPT p95, ms"),
    ("rcpt_ms_p99", "RCPT p99, ms"),
    ("session_ms_p50", "session p50, ms"),
    ("sessions", "sessions"),
    ("accepted", "of these accepted"),
    ("connections", "connections made"),
    ("questions", "addresses asked about"),
    ("cpu_ms", "CPU a session, ms"),
    ("filter_cpu_ms", "  of the filter, ms"),
    ("memory_mib", "memory, MiB"),
]


def senders(tag, count=SESSIONS, seed=1):
    """As many new ones, evenly of all domains, in an order of no order."""
    made = [f"sender{tag}n{number}@d{number % DOMAINS}.example" for number in range(count)]
    random.Random(seed).shuffle(made)
    return made


class Lone:
    """One dialogue with a mail host that nothing else disturbs, as short as it can be."""

    def __init__(self, where, site):
        self.where = where
        self.machine = site.machine

    def measure(self, number):
        taken = [
            self._dialogue(f"l{number}n{i}@d{(number * LONE_DIALOGUES + i) % DOMAINS}.example")
            for i in range(LONE_DIALOGUES)
        ]
        return {"rcpt_ms_p50": statistics.median(taken), "sessions": len(taken)}

    def _dialogue(self, address):
        """Milliseconds from the question to DNS until the reply to RCPT."""
        began = time.monotonic()
        mail_host = self._mx(address.partition("@")[2])
        with self.machine.socket() as talk:
            talk.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            talk.connect((mail_host, 25))
            with talk.makefile("rb") as replies:
                _reply(replies)
                talk.sendall(b"EHLO lone.lab.example\r\n")
                _reply(replies)
                talk.sendall(f"MAIL FROM:<>\r\nRCPT TO:<sender{address}>\r\n".encode())
                codes = [_reply(replies), _reply(replies)]
                took = (time.monotonic() - began) * 1000
                talk.sendall(b"QUIT\r\n")
                _reply(replies)
        if codes != [250, 250]:
            raise OSError(f"a mail host answers {codes}")
        return took

    def _mx(self, domain):
        """The address of its mail host, by two questions as a resolver's client asks them."""
        number = int(domain[1 : domain.index(".")]) % HOSTS
        self._ask(domain, 15)
        self._ask(f"mx{number}.example", 1)
        return f"192.0.2.{stage.FIRST_HOST + number}"

    def _ask(self, name, kind):
        labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
        query = struct.pack(">6H", 7, 0x100, 1, 0, 0, 0) + labels + struct.pack(">BHH", 0, kind, 1)
        with self.machine.socket(kind=socket.SOCK_DGRAM) as asking:
            asking.settimeout(5)
            asking.connect((net.DNS, 53))
            asking.send(query)
            answer = asking.recv(4096)
        if struct.unpack(">H", answer[6:8])[0] < 1:
            raise OSError(f"DNS has no answer for {name}")


def _reply(replies):
    """The code of one reply, which may have many lines."""
    line = replies.readline()
    while line[3:4] == b"-":
        line = replies.readline()
    return int(line[:3] or 0)


class Run:
    """One contender at one number of clients at a time; called with a round's number."""

    def __init__(self, where, site, at_once, sessions=SESSIONS, hurry=True, fresh=True):
        self.where, self.site = where, site
        self.at_once, self.sessions, self.hurry = at_once, sessions, hurry
        self.fresh = fresh  # the filter starts with an empty cache

    def __call__(self, number):
        self._warm_up(number)
        if self.fresh and self.site.name == "ringback":
            self.site.filter.start_fresh(**RINGBACK)
        tag = f"{self.site.name}{self.at_once}{self.hurry}{self.fresh}r{number}".lower()
        path = self.where.write_senders(tag, senders(tag, self.sessions, number))
        self.where.hosts.reset()
        before = self.site.cpu()
        found = stage.flatten(self._load(path, self.sessions))
        self.where.hosts.settled()  # what goes on behind the clients' backs costs too
        self._add_costs(found, before, self.site.cpu())
        self._add_questions(found)
        found["accepted"] = found.get("replies_250", 0)
        return found

    def _warm_up(self, number):
        """The MTA gets the processes that so many clients need: a server that runs has them."""
        tag = f"{self.site.name}{self.at_once}{self.hurry}{self.fresh}w{number}".lower()
        path = self.where.write_senders(tag, senders(tag, self.at_once, number))
        self._load(path, self.at_once)
        self.where.hosts.settled()

    def memory_mib(self):
        """The most that MTA and filter had together, while a load of its own ran."""
        tag = f"{self.site.name}{self.at_once}{self.hurry}memory".lower()
        path = self.where.write_senders(tag, senders(tag, MEMORY_SESSIONS))
        load = self._start(path, min(MEMORY_SESSIONS, self.sessions))
        most = 0
        while load.poll() is None:
            most = max(most, sum(processes.tree_pss_kib(pid) for pid in self._heads()))
            time.sleep(0.1)
        self.where.end_load(load)
        self.where.hosts.settled()
        return most / 1024

    def _heads(self):
        heads = [self.site.mta.process.pid]
        return heads + ([self.site.filter.pid] if self.site.filter else [])

    def _start(self, path, sessions):
        return self.where.start_load(
            self.site,
            path,
            sessions,
            at_once=self.at_once,
            hurry=self.hurry,
            limit_s=LIMIT_S,
        )

    def _load(self, path, sessions):
        return self.where.end_load(self._start(path, sessions))

    def _add_costs(self, found, before, after):
        for part in ("mta", "filter"):
            found[f"{part}_cpu_ms"] = (after[part] - before[part]) * 1000 / self.sessions
        found["cpu_ms"] = found["mta_cpu_ms"] + found["filter_cpu_ms"]

    def _add_questions(self, found):
        counts = self.where.hosts.stats()
        found["connections"] = counts.connections
        found["questions"] = sum(host.rcpts for host in counts.values())


def bring_up(where, options):
    """The sites, and why any is missing: ({name: site}, {name: reason})."""
    makers = {
        "none": lambda: where.postfix("none"),
        "noop": lambda: where.postfix("noop", "noop"),
        "ringback": lambda: where.postfix("ringback", "ringback"),
        "exim": lambda: contenders.exim(where, debs.unpacked(options.builddir, where.folder)),
        "postfix": lambda: contenders.verifying_postfix(where),
        "mailfromd": lambda: contenders.mailfromd(where),
    }
    sites, missing = {}, {}
    for name in options.only or makers:
        try:
            sites[name] = makers[name]()
        except debs.CannotHave as reason:
            missing[name] = str(reason)
    return sites, missing


def players(where, sites, at_once):
    """Who plays in a round, in this order: what is compared stands side by side."""
    lines = [
        ("none", "none", {}),
        ("noop", "noop", {}),
        ("ringback", "ringback", {}),
        ("warm", "ringback", {"fresh": False}),
        ("exim", "exim", {}),
        ("exim-waits", "exim", {"hurry": False}),
        ("postfix", "postfix", {"sessions": POSTFIX_SESSIONS[at_once]}),
        ("mailfromd", "mailfromd", {"sessions": MAILFROMD_SESSIONS}),
    ]
    return {
        name: Run(where, sites[site], at_once, **how)
        for name, site, how in lines
        if site in sites
    }


def add_floor(results, at_once):
    """The row "floor" of each round: what nothing could do better with so many clients."""
    results["floor"] = [
        {
            "rate": min(at_once * 1000 / lone["rcpt_ms_p50"], alone["rate"]),
            "rcpt_ms_p50": lone["rcpt_ms_p50"],
        }
        for lone, alone in zip(results["lone"], results["none"])
    ]


def demands_at_100(report, results):
    ratio = figures.ratio
    for_all = "100 at a time: "
    report.at_most(
        for_all + "RCPT p50 beside a lone dialogue's",
        ratio(results, "rcpt_ms_p50", "ringback", "lone"),
        1.1,
        " times",
    )
    report.at_least(
        for_all + "sessions a second beside the floor",
        ratio(results, "rate", "ringback", "floor"),
        0.85,
        " times",
    )
    exim = min(ratio(results, "rate", "ringback", name) for name in ("exim", "exim-waits"))
    report.at_least(for_all + "sessions a second beside Exim's best", exim, 1.3, " times")
    report.at_least(
        for_all + "sessions a second beside Postfix's own",
        ratio(results, "rate", "ringback", "postfix"),
        10,
        " times",
    )
    report.below(
        for_all + "CPU a session beside Exim's",
        max(ratio(results, "cpu_ms", "ringback", name) for name in ("exim", "exim-waits")),
        2 / 3,
        " times",
    )


def demands_at_400(report, results):
    report.at_least(
        "400 at a time: sessions a second beside Postfix with a no-op filter",
        figures.ratio(results, "rate", "ringback", "noop"),
        0.8,
        " times",
    )


def demands_at_any(report, results, at_once):
    report.below(
        f"{at_once} at a time: fewer connections than senders, probes not counted",
        figures.median(results, "ringback", "connections"),
        SESSIONS,
    )
    for name in ("none", "noop", "ringback", "warm"):
        report.at_least(
            f"{at_once} at a time: {name}: every session is accepted",
            min(figures.values(results, name, "accepted")),
            SESSIONS,
        )


def compare(report, where, sites, at_once, options):
    found = players(where, sites, at_once)
    lone = Lone(where, next(iter(sites.values())))
    results = figures.interleave({**found, "lone": lone.measure}, options.rounds)
    if "none" in results:
        add_floor(results, at_once)
    for name, run in found.items():
        most = run.memory_mib()
        for each in results[name]:
            each["memory_mib"] = most
    report.compare(f"{at_once} at a time", results, ROWS)
    if options.only:
        return
    demands_at_any(report, results, at_once)
    (demands_at_100 if at_once == 100 else demands_at_400)(report, results)


def play(options):
    zone, hosts, _ = stage.population(DOMAINS, HOSTS, f"step {STEP_MS}ms", local_parts="sender*")
    report = figures.Report(
        "uncached",
        {
            "warm": "ringback that has asked all domains before: no probe for catch-all",
            "exim": "clients do not wait for the reply to QUIT, as with all others",
            "exim-waits": "clients do",
            "lone": "one dialogue, alone: DNS, banner, EHLO, MAIL and RCPT in one flight",
            "floor": "clients at a time / lone dialogue, or Postfix without a filter",
        },
    )
    with stage.Stage(options, zone, hosts) as where:
        sites, missing = bring_up(where, options)
        report.about.update({name: f"not here: {why}" for name, why in missing.items()})
        for at_once in options.at_once:
            compare(report, where, sites, at_once, options)
    return report


def main():
    parser = stage.arguments(__doc__)
    parser.add_argument("--at-once", type=int, nargs="+", default=list(AT_ONCE))
    parser.add_argument("--only", metavar="SITE", nargs="+", help="these alone, without demands")
    return stage.main(play, parser)


if __name__ == "__main__":
    sys.exit(main())
