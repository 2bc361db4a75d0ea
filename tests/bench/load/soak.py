#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Does ringback-milter grow? A quarter of an hour of mixed traffic; memory, descriptors, threads.

    tests/bench/load/soak.py [--builddir DIR] [--minutes N] [--json FILE] [--tcp] [--keep]

../README says what is sent and what is taken for growth. Not about speed: may run beside other work.
Needs root, and what the lab needs. Exit status: 0 all demands hold, 1 not, 77 it cannot be run here.
"""

import sys

sys.dont_write_bytecode = True

import time

import figures
import growth
import processes
import stage
import traffic

TURN_S = 5  # between two turns of traffic, and two samples
RELOAD_TURNS, PURGE_TURNS = 12, 24
START_S = 120  # what is used anew after that is growth
# What it may grow, all the same: a share of what there was, and something to spare.
ALLOWED = {
    "anon_kib": (0.02, 512),
    "descriptors": (0.1, 2),
    "threads": (0.1, 2),
}
CALLOUT = 'total_timeout = "20s"'
# A small cache whose records do not live long: within minutes it is swept, refreshed and evicted.
CACHE = """
    max_size = "1MB"
    valid_ttl = "4m"  valid_refresh = "1m"  invalid_ttl = "3m"  invalid_refresh = "1m"
    unknown_ttl = "1m"
"""
MORE = """
max_wait = "3s"
greylist { first = "10s" max = "20s" give_up = "1m" }
limits {
    per_client_rate = "6000/m" global_rate = "6000/m"
    breaker_failures = 20 breaker_hold = "30s" shield_hold = "2m" shield_window = "1m"
}
"""
COLUMNS = {
    "minute": "",
    "sessions": "sessions",
    "rss_kib": "RSS KiB",
    "anon_kib": "anon KiB",
    "descriptors": "descriptors",
    "threads": "threads",
    "cache_entries": "records",
    "cache_kib": "cache KiB",
    "retries": "retries",
    "running": "callouts",
}


def sample(site, sent, began):
    """What it uses now, and what it says of itself."""
    found = processes.memory(site.filter.pid)
    found["descriptors"] = processes.descriptors(site.filter.pid)
    status, output, errors = site.filter.ringback("status", "--json")
    if status:
        raise OSError(f"ringback status: {errors}")
    told = stage.milter.parse_json(output)[0]
    found.update(
        seconds=round(time.monotonic() - began, 1),
        sessions=sent.sessions,
        cache_entries=told["cache"]["entries"],
        cache_kib=told["cache"]["bytes"] // 1024,
        dropped_writes=told["cache"]["dropped_writes"],
        retries=told["retries_scheduled"],
        running=told["callouts"]["running"],
        callouts=told["callouts"]["total"],
    )
    return found


def order(site, number):
    """What an administrator does now and then."""
    for turns, verb in ((RELOAD_TURNS, ["reload"]), (PURGE_TURNS, ["cache", "purge", "--expired"])):
        if number % turns == turns - 1:
            status, output, errors = site.filter.ringback(*verb)
            if status:
                raise OSError(f"ringback {' '.join(verb)}: {output}{errors}")


def series(site, sent, minutes):
    """A sample a turn."""
    began, samples = time.monotonic(), []
    for number in range(int(minutes * 60 / TURN_S)):
        sent.turn(number)
        order(site, number)
        time.sleep(max(0.0, began + (number + 1) * TURN_S - time.monotonic()))
        sent.reap()
        samples.append(sample(site, sent, began))
        show(samples)
    return samples


def show(samples):
    """A line a minute, while it runs."""
    if len(samples) * TURN_S % 60 == 0:
        line = {"minute": len(samples) * TURN_S // 60, **samples[-1]}
        print("  ".join(f"{name} {line[name]}" for name in COLUMNS), file=sys.stderr, flush=True)


def play(options):
    with stage.Stage(options, *traffic.internet()) as where:
        site = where.postfix("soak", "ringback", callout=CALLOUT, cache=CACHE, more=MORE)
        sent = traffic.Traffic(where, site)
        samples = series(site, sent, options.minutes)
        sent.finish()
        alive = site.filter.alive()
        ended = site.filter.stop(patience=60)
        return report(samples, sent, (alive, ended, site.filter.log()), options)


def report(samples, sent, outcome, options):
    found = figures.Report("soak", {"minutes": options.minutes, "replies to RCPT": sent.replies})
    a_minute = 60 // TURN_S
    rows = [
        {"minute": number + 1, **one} for number, one in enumerate(samples[a_minute - 1 :: a_minute])
    ]
    found.say(
        "at the end of each minute",
        list(COLUMNS.values()),
        [[row[name] for name in COLUMNS] for row in rows],
    )
    found.keep("samples", samples)
    for name, allowed in ALLOWED.items():
        demand_no_growth(found, name, samples, allowed, options.minutes)
    demand_orderly_end(found, *outcome)
    return found


def demand_no_growth(found, name, samples, allowed, minutes):
    start_s = min(START_S, minutes * 60 / 4)
    grown = growth.judge([(one["seconds"], one[name]) for one in samples], start_s)
    found.demand(
        f"{COLUMNS[name]}: no growth after {start_s:.0f} s",
        grown.within(*allowed),
        f"median {figures.show(grown.begin)}, at the end {figures.show(grown.end)}, trend "
        f"{grown.trend:+.0f} (noise {grown.noise:.0f}), most {figures.show(grown.most)}; "
        f"{100 * allowed[0]:.0f} % and {allowed[1]} are allowed",
    )


def demand_orderly_end(found, alive, ended, log):
    complaints = [line for line in log.splitlines() if "Sanitizer" in line or "error:" in line]
    found.demand("it runs to the end, and ends in order", alive and ended == 0, f"status {ended}")
    found.demand("its log has no errors", not complaints, "; ".join(complaints[:3]) or "none")


def main():
    parser = stage.arguments(__doc__)
    parser.add_argument("--minutes", type=float, default=15)
    return stage.main(play, parser)


if __name__ == "__main__":
    sys.exit(main())
