#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""1,000 callouts held by hosts that drip an octet a second, while 200 healthy ones come in.

    tests/bench/load/tarpit.py [--builddir DIR] [--rounds N] [--json FILE] [--tcp] [--keep]

../README says what is measured. Needs root, and what the lab needs; takes about four minutes. Exit
status: 0 all demands hold, 1 not, 77 it cannot be run here.
"""

import sys

sys.dont_write_bytecode = True

import time

import figures
import processes
import stage

HEALTHY, DOMAINS, HOSTS, STEP_MS, AT_ONCE = 200, 200, 50, 50, 50
TARPITS, TARPIT_HOSTS = 1000, 50
LIMIT_S = 300  # of all rounds
LOAD_LIMIT_S = 40  # of one run
SAMPLE_S = 0.25  # between two looks at the daemon
SETTLE_S = 2.0  # until the MTA has got rid of the flood's clients
PATIENCE_S = 5.0  # until what goes on behind the healthy ones' backs has ended
MEMORY_KIB, TIMES = 64, 1.2  # what is demanded

# A client of the flood has a process of the MTA for as long as it waits.
MAIN_CF = "default_process_limit = 1500\n"
# The sessions with one host are the only limit that the lab's few hosts would run into besides.
RINGBACK = {"more": stage.NO_LIMITS.replace("}", "    per_host_sessions = 1000\n}")}

ROWS = [
    ("rcpt_ms_p50", "RCPT p50, ms"),
    ("rcpt_ms_p95", "RCPT p95, ms"),
    ("rcpt_ms_max", "RCPT slowest, ms"),
    ("accepted", "accepted"),
    ("valid", "of these found valid"),
    ("under_way", "callouts of tarpits under way"),
    ("held", "of these held, when the healthy ones come"),
    ("held_after", "of these held, when they have gone"),
    ("clients", "clients that wait for them, at most"),
    ("kib_waiting", "KiB for each, while clients wait"),
    ("kib_held", "KiB for each, later"),
    ("threads", "threads"),
    ("filter_cpu_ms", "CPU of the filter, ms a session"),
]


def world():
    """Healthy domains, and as many tarpits with hosts of their own: (zone, hosts)."""
    zone, hosts, _ = stage.population(DOMAINS, HOSTS, f"step {STEP_MS}ms")
    first = stage.FIRST_HOST + HOSTS
    zone += "".join(f"tar{n} A 192.0.2.{first + n}\n" for n in range(TARPIT_HOSTS))
    zone += "".join(f"t{n} MX 10 tar{n % TARPIT_HOSTS}\n" for n in range(TARPITS))
    hosts += f"host 192.0.2.{first}-192.0.2.{first + TARPIT_HOSTS - 1} tar.example {{ drip 1s }}\n"
    return zone, hosts


class Tarpit:
    """One site; each of its methods plays one contender's part of a round."""

    def __init__(self, where, site):
        self.where, self.site = where, site
        self.flood = where.write_senders("tarpits", [f"user@t{n}.example" for n in range(TARPITS)])
        self.healthy = where.write_senders(
            "healthy", [f"user@d{n % DOMAINS}.example" for n in range(HEALTHY)]
        )

    def calm(self, _number):
        """Nothing but the healthy ones."""
        self._start_anew()
        return self._send_healthy()

    def held(self, _number):
        """The healthy ones come when the tarpits hold as many callouts as there are."""
        self._start_anew()
        idle = processes.memory(self.site.filter.pid)
        flood = self._start_flood()
        peak = self._watch(flood)
        self.where.end_load(flood)
        time.sleep(SETTLE_S)
        later = self._look()
        found = self._send_healthy()
        found["under_way"] = later["running"]
        found["held"] = later["held"]
        found["held_after"] = self._look()["held"]
        found["threads"] = later["threads"]
        found["kib_waiting"] = (peak["rss_kib"] - idle["rss_kib"]) / peak["running"]
        found["kib_held"] = (later["rss_kib"] - idle["rss_kib"]) / later["running"]
        found["clients"] = peak["clients"]
        return found

    def together(self, _number):
        """Tarpits and healthy ones come at the same moment."""
        self._start_anew()
        flood = self._start_flood()
        found = self._send_healthy()
        found["under_way"] = self._look()["running"]
        self.where.end_load(flood)
        return found

    def _start_anew(self):
        """Nothing is known, nothing held: neither here nor there."""
        self.where.hosts.stop()
        self.where.hosts.start()
        self.site.filter.start_fresh(**RINGBACK)

    def _start_flood(self):
        return self.where.start_load(
            self.site, self.flood, TARPITS, at_once=TARPITS, limit_s=LOAD_LIMIT_S
        )

    def _send_healthy(self):
        found = self.site.measure(self.healthy, HEALTHY, at_once=AT_ONCE, limit_s=LOAD_LIMIT_S)
        found["accepted"] = found.get("replies_250", 0)
        found["valid"] = self._valid()
        return found

    def _valid(self):
        """Addresses that were verified, and not just let in. The last clients have been let in
        while their domains were still probed."""
        until = time.monotonic() + PATIENCE_S
        valid = self._known_valid()
        while valid < HEALTHY and time.monotonic() < until:
            time.sleep(SAMPLE_S)
            valid = self._known_valid()
        return valid

    def _known_valid(self):
        known = self.site.filter.ringback_json("cache", "list", "--limit", str(2 * TARPITS))
        return sum(1 for found in known if found.get("reason") in ("accepted", "catch_all"))

    def _look(self):
        """What the daemon says and costs now."""
        status = self.site.filter.ringback_json("status")[0]
        return {
            "held": status["callouts"]["held"],
            "running": status["callouts"]["running"],
            "clients": status["sessions"]["open"],
            **processes.memory(self.site.filter.pid),
        }

    def _watch(self, flood):
        """The look at which most memory was used for each callout, of those with all of them held."""
        looks = []
        while flood.poll() is None:
            looks.append(self._look())
            time.sleep(SAMPLE_S)
        most = max(look["running"] for look in looks)
        full = [look for look in looks if look["running"] > 0.9 * most]
        return max(full, key=lambda look: look["rss_kib"] / look["running"])


def demands(report, results):
    report.at_most(
        "healthy RCPT p95 with 1,000 held, beside none",
        figures.ratio(results, "rcpt_ms_p95", "held", "calm"),
        TIMES,
        " times",
    )
    for key, when in (("kib_waiting", "while its client waits"), ("kib_held", "later")):
        report.below(
            f"resident memory for each callout held, {when}",
            max(figures.values(results, "held", key)),
            MEMORY_KIB,
            " KiB",
        )
    # One that has just had a whole reply is not held for a second; it is no less under way.
    report.at_least(
        "callouts of tarpits under way, when the healthy ones come",
        min(figures.values(results, "held", "under_way")),
        TARPITS,
    )
    for name in results:
        report.at_least(
            f"{name}: healthy ones found valid",
            min(figures.values(results, name, "valid")),
            HEALTHY,
        )


def play(options):
    report = figures.Report(
        "tarpit",
        {
            "calm": f"{HEALTHY} new senders, {AT_ONCE} at a time, hosts with {STEP_MS} ms a step",
            "held": f"the same, while {TARPITS} callouts are held by hosts that drip",
            "together": f"the same at the same moment as the {TARPITS}, all at once",
        },
    )
    with stage.Stage(options, *world()) as where:
        site = where.postfix("ringback", "ringback", main_cf=MAIN_CF, **RINGBACK)
        tarpit = Tarpit(where, site)
        tarpit.calm(0)  # the MTA has its processes
        results = figures.interleave(
            {"calm": tarpit.calm, "held": tarpit.held, "together": tarpit.together},
            options.rounds,
            limit_s=LIMIT_S,
        )
    report.compare("healthy ones, and those held", results, ROWS)
    demands(report, results)
    return report


if __name__ == "__main__":
    sys.exit(stage.main(play, stage.arguments(__doc__)))
