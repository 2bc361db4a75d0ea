#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What a cached answer costs: Postfix with Ringback, with a no-op filter, and with no filter.

Beside them, with answers of their own caches: Postfix' reject_unverified_sender, and Exim.

    tests/bench/load/cached.py [--builddir DIR] [--rounds N] [--json FILE] [--tcp] [--keep]

../README says what is measured. Needs root, and what the lab needs; takes about five minutes. Exit
status: 0 all demands hold, 1 not, 77 it cannot be run here.
"""

import sys

sys.dont_write_bytecode = True

import functools
import pathlib

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "lab"))

import contenders
import debs
import figures
import stage

SENDERS = 500
DOMAINS = 100
HOSTS = 20
WARM_UP = {"sessions": 1000, "at_once": 100}  # of each contender, before all that counts
WARM_UPS_MAX = 4  # Postfix puts senders off that it has not heard about in time
LIMIT_S = 330
# Sessions, clients at a time, octets of each message (0: no DATA). The first is where throughput
# is measured, the second where latency is: with one client nobody waits for anybody.
RATE, LATENCY, WITH_DATA = "sessions", "latency", "messages"
# The 99th percentile of so few sessions takes more rounds.
TIMES = {RATE: 1, LATENCY: 4, WITH_DATA: 1}
LOADS = {
    RATE: {"sessions": 3000, "at_once": 20},
    LATENCY: {"sessions": 600, "at_once": 1},
    WITH_DATA: {"sessions": 1000, "at_once": 20, "data": 2000},
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
    if not all_let_in(found, load):
        raise ValueError(f"{site.name}: not every sender was let in: {found}")
    return found


def all_let_in(found, load):
    return not found["failed"] and found.get("replies_250", 0) == load["sessions"]


def warm_up(site, senders):
    """Every sender is verified; the MTA has its processes."""
    for _ in range(WARM_UPS_MAX):
        if all_let_in(site.measure(senders, **WARM_UP), WARM_UP):
            return
    raise ValueError(f"{site.name}: does not let every sender in")


def bring_up(where, options):
    """The sites: those whose costs are compared, and those that only stand beside them."""
    compared = [
        where.postfix(BARE),
        where.postfix(NOOP, "noop"),
        where.postfix(OURS, "ringback", more=stage.NO_LIMITS),
    ]
    beside = [contenders.verifying_postfix(where)]
    try:
        beside.append(contenders.exim(where, debs.unpacked(options.builddir, where.folder)))
    except debs.CannotHave as reason:
        print(f"cached.py: without Exim: {reason}", file=sys.stderr)
    return compared, beside


def own_way(site):
    """Exim takes its time to end a session: its clients do not wait for that."""
    return {"hurry": True} if site.name == "exim" else {}


def play(options):
    zone, hosts, domains = stage.population(DOMAINS, HOSTS, local_parts="user*")
    addresses = [f"user{n}@{domains[n % DOMAINS]}" for n in range(SENDERS)]
    with stage.Stage(options, zone, hosts) as where:
        senders = where.write_senders("cached", addresses)
        compared, beside = bring_up(where, options)
        for site in compared + beside:
            warm_up(site, senders)
        where.hosts.reset()
        results = {
            name: figures.interleave(
                {
                    site.name: functools.partial(
                        measure, site, senders, load | own_way(site)
                    )
                    for site in (compared + beside if name == RATE else compared)
                },
                options.rounds * TIMES[name],
                LIMIT_S,
            )
            for name, load in LOADS.items()
        }
        calls = where.hosts.stats().connections
    return report(results, calls, options)


def report(results, calls, options):
    found = figures.Report("cached", {"rounds": options.rounds, "Ringback's log": "info, a file"})
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
