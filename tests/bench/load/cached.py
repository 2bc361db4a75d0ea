#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What a cached answer costs: Postfix with Ringback, with a no-op filter, and with no filter.

    tests/bench/load/cached.py [--builddir DIR] [--rounds N] [--json FILE] [--keep]

../README says what is measured. Needs root, and what the lab needs; takes about four minutes. Exit
status: 0 all demands hold, 1 not, 77 it cannot be run here.
"""

import sys

sys.dont_write_bytecode = True

import functools

import figures
import stage

SENDERS = 2000
DOMAINS = 200
HOSTS = 20
WARM_UP = 1000  # sessions of each contender, before all that counts
LIMIT_S = 330
# Sessions, clients at a time, octets of each message (0: no DATA). The first is where throughput
# is measured, the second where latency is: with one client nobody waits for anybody.
RATE, LATENCY, WITH_DATA = "sessions", "latency", "messages"
LOADS = {
    RATE: {"sessions": 4000, "at_once": 20},
    LATENCY: {"sessions": 1000, "at_once": 1},
    WITH_DATA: {"sessions": 1500, "at_once": 20, "data": 2000},
}
ROWS = [
    ("rate", "sessions a second"),
    ("rcpt_ms_p50", "RCPT ms, p50"),
    ("rcpt_ms_p95", "RCPT ms, p95"),
    ("rcpt_ms_p99", "RCPT ms, p99"),
    ("session_ms_p50", "session ms, p50"),
    ("mta_cpu_ms", "CPU ms a session, MTA"),
    ("filter_cpu_ms", "CPU ms a session, filter"),
]
OURS, NOOP, BARE = "ringback", "noop", "none"


def measure(site, senders, load, _round):
    found = site.measure(senders, **load)
    if found["failed"] or found.get("replies_250", 0) != load["sessions"]:
        raise ValueError(f"{site.name}: not every sender was let in: {found}")
    return found


def warm_up(sites, senders):
    """Every sender is verified once; the MTAs have their processes."""
    for site in sites:
        many = max(WARM_UP, SENDERS if site.filter and site.filter.name == OURS else 0)
        stage_load = {"sessions": many, "at_once": 20}
        measure(site, senders, stage_load, 0)


def play(options):
    zone, hosts, domains = stage.population(DOMAINS, HOSTS, local_parts="user*")
    addresses = [f"user{n}@{domains[n % DOMAINS]}" for n in range(SENDERS)]
    with stage.Stage(options, zone, hosts) as where:
        senders = where.write_senders("cached", addresses)
        sites = [
            where.postfix(BARE),
            where.postfix(NOOP, "noop"),
            where.postfix(OURS, "ringback", more=stage.NO_LIMITS),
        ]
        warm_up(sites, senders)
        where.hosts.reset()
        results = {
            name: figures.interleave(
                {site.name: functools.partial(measure, site, senders, load) for site in sites},
                options.rounds,
                LIMIT_S,
            )
            for name, load in LOADS.items()
        }
        calls = where.hosts.stats().connections
    return report(results, calls, options)


def report(results, calls, options):
    found = figures.Report("cached", {"rounds": options.rounds})
    for name, load in LOADS.items():
        found.compare(f"{name}: {load}", results[name], ROWS)
    found.at_least(
        "throughput beside the no-op filter's",
        figures.ratio(results[RATE], "rate", OURS, NOOP),
        0.97,
    )
    found.at_most(
        "the filter's CPU a session beside the no-op filter's",
        figures.ratio(results[RATE], "filter_cpu_ms", OURS, NOOP),
        1.1,
    )
    found.below(
        "RCPT p99 added, one client at a time",
        figures.difference(results[LATENCY], "rcpt_ms_p99", OURS, NOOP),
        0.3,
        " ms",
    )
    found.demand("no mail host was called", calls == 0, f"{calls} connections")
    return found


if __name__ == "__main__":
    sys.exit(stage.main(play, stage.arguments(__doc__)))
