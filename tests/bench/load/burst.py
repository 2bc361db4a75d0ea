#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""200 sessions at once, through Postfix and the libmilter that there is: with one new sender, and
with 200 different ones. How often is the world asked, and how long does the last one wait?"""

import sys

sys.dont_write_bytecode = True

import statistics
import time

import figures
import stage

import uncached

SESSIONS = 200
LIMIT_S = 60
PAUSE_S = 0.5  # until workers and MTA are as quiet as between bursts

ROWS = [
    ("rcpt_ms_p50", "RCPT p50, ms"),
    ("rcpt_ms_p95", "RCPT p95, ms"),
    ("rcpt_ms_max", "RCPT slowest, ms"),
    ("session_ms_max", "session slowest, ms"),
    ("accepted", "accepted"),
    ("connections", "connections made"),
    ("questions", "addresses asked about"),
]


class Burst:
    """`count` sessions at once, with so many different senders; called with a round's number."""

    def __init__(self, where, site, name, count, different):
        self.where, self.site, self.name = where, site, name
        self.count, self.different = count, different

    def __call__(self, number):
        path = self.where.write_senders(self.name, self._senders(number))
        self.where.hosts.reset()
        time.sleep(PAUSE_S)
        load = self.where.load(
            self.site, path, self.count, at_once=self.count, limit_s=LIMIT_S, source=stage.CLIENT
        )
        found = stage.flatten(load)
        counts = self.where.hosts.settled()
        found["accepted"] = found.get("replies_250", 0)
        found["connections"] = counts.connections
        found["questions"] = sum(host.rcpts for host in counts.values())
        return found

    def _senders(self, number):
        """Each at a domain of its own, whose other addresses have been asked about before."""
        return [
            f"sender{self.name}{number}n{i}@d{(i + number) % uncached.DOMAINS}.example"
            for i in range(self.different)
        ]


def learn_domains(where, site):
    """Asks about each domain once: a burst is not about who accepts everything."""
    path = where.write_senders("first", uncached.senders("first", uncached.DOMAINS))
    where.load(site, path, uncached.DOMAINS, at_once=20, limit_s=LIMIT_S)


def end_ms(daemon):
    """How long SIGTERM takes to end it, with nobody there. (libmilter's listener sleeps for 5 s.)"""
    daemon.start_fresh(**uncached.RINGBACK)
    begun = time.monotonic()
    daemon.stop()
    return (time.monotonic() - begun) * 1000


def demands(report, results):
    report.at_most(
        "one sender: one callout",
        max(figures.values(results, "one", "connections")),
        1,
    )
    report.at_most(
        "200 senders: the slowest beside a lone one",
        figures.ratio(results, "rcpt_ms_max", "different", "lone"),
        2,
        " times",
    )
    for name, count in (("lone", 1), ("one", SESSIONS), ("different", SESSIONS)):
        report.at_least(
            f"{name}: every session is accepted",
            min(figures.values(results, name, "accepted")),
            count,
        )


def play(options):
    zone, hosts, _ = stage.population(
        uncached.DOMAINS, uncached.HOSTS, f"step {uncached.STEP_MS}ms", local_parts="sender*"
    )
    report = figures.Report(
        "burst",
        {
            "lone": "one session with a new sender",
            "one": f"{SESSIONS} sessions with one new sender",
            "different": f"{SESSIONS} sessions with {SESSIONS} new senders",
        },
    )
    with stage.Stage(options, zone, hosts) as where:
        site = where.postfix("ringback", "ringback")
        site.filter.start_fresh(**uncached.RINGBACK)
        learn_domains(where, site)
        results = figures.interleave(
            {
                "lone": Burst(where, site, "lone", 1, 1),
                "one": Burst(where, site, "one", SESSIONS, 1),
                "different": Burst(where, site, "different", SESSIONS, SESSIONS),
            },
            options.rounds,
        )
        ends = [end_ms(site.filter) for _ in range(options.rounds)]
    report.compare(f"{SESSIONS} at once", results, ROWS)
    demands(report, results)
    report.at_most("SIGTERM ends an idle daemon", statistics.median(ends), 1000, " ms")
    return report


if __name__ == "__main__":
    sys.exit(stage.main(play, stage.arguments(__doc__)))
