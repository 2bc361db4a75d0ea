#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""/metrics after a day of the daemon's: what is told is what the log says, and promtool has nothing to say about it.

Prints TAP. Needs RB_SRCDIR and RB_BUILDDIR.
"""

import sys

sys.dont_write_bytecode = True

import collections
import re
import shutil
import socket
import subprocess
import urllib.request

import sample
from tap import Tap

FAMILIES = sample.SOURCE / "milter/http/exposition_families.def"
MANUAL = sample.SOURCE / "milter/man/ringback-milter.8"


def free_port():
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return trial.getsockname()[1]


def fetch(url):
    with urllib.request.urlopen(url, timeout=sample.PATIENCE_S) as answer:
        return answer.headers["Content-Type"], answer.read().decode()


# --- What is told ----------------------------------------------------------------


def declared():
    return re.findall(r"^(?:FAMILY|NUMBER)\((\w+), ", FAMILIES.read_text(), flags=re.M)


def samples(text):
    """name -> {labels: value}; labels as they stand."""
    found = collections.defaultdict(dict)
    for line in text.splitlines():
        if not line.startswith("#"):
            name, labels, value = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line).groups()
            found[name][labels or ""] = float(value)
    return found


def families_are_those_of_the_table_and_the_manual(tap, text):
    told = re.findall(r"^# TYPE (\w+) ", text, flags=re.M)
    tap.equal(told, declared(), "each family of the table is told, in its order")
    tap.equal(re.findall(r"^\.It Cm (\w+_\w+)", manual_section(), flags=re.M), declared(), "and stands in the manual")


def manual_section():
    return MANUAL.read_text().partition(".Sh METRICS\n")[2].partition("\n.Sh ")[0]


def decisions_are_those_of_the_log(tap, told, lines):
    counts = collections.Counter()
    for fields in filter(None, map(sample.read_line, lines)):
        if fields.get("verify") in ("sender", "recipient", "header"):
            labels = f'verdict="{fields["verdict"]}",reason="{fields["reason"]}",action="{fields["action"]}"'
            counts[labels] += 1
    asked = {labels: count for labels, count in told["ringback_transactions_total"].items() if "exempt" not in labels}
    seen = {labels: count for labels, count in asked.items() if count}
    tap.equal(seen, dict(counts), "decisions by verdict, reason and action are those of the log")


def numbers_agree(tap, told):
    callouts = sum(told["ringback_callouts_total"].values())
    tap.ok(callouts > 0, "callouts are counted")
    tap.equal(told["ringback_callout_seconds_count"][""], callouts, "and each has its duration")
    waits = told["ringback_wait_seconds_bucket"]
    tap.equal(waits['le="+Inf"'], told["ringback_wait_seconds_count"][""], "waits are in buckets, all of them")
    tap.ok(list(waits.values()) == sorted(waits.values()), "which are cumulative", waits)
    tap.ok(told["ringback_cache_entries"][""] > 0, "the cache has entries")
    tap.equal(told["ringback_dry_run"][""], 1, "the dry run is told")
    tap.equal(set(told["ringback_healthy"].values()), {1}, "and that all is well")
    tap.ok(told["ringback_session_last_timestamp_seconds"][""] >= told["process_start_time_seconds"][""] > 0, "and when")


def promtool_is_silent(tap, text):
    if not shutil.which("promtool"):
        return tap.skip("promtool check metrics", "not installed: promtool (apt-get install prometheus)")
    argv = ["promtool", "check", "metrics"]
    found = subprocess.run(argv, input=text, capture_output=True, text=True, check=False, timeout=sample.PATIENCE_S)
    return tap.equal((found.returncode, found.stdout + found.stderr), (0, ""), "promtool check metrics is silent")


# --- The whole --------------------------------------------------------------------


def main():
    if sample.missing():
        return Tap.skip_all(sample.missing())
    tap = Tap()
    port = free_port()
    seen = {}

    def look():
        seen["type"], seen["text"] = fetch(f"http://127.0.0.1:{port}/metrics")

    lines = sample.take(http=f"127.0.0.1:{port}", then=look).lines
    told = samples(seen["text"])
    tap.equal(seen["type"], "text/plain; version=0.0.4; charset=utf-8", "the type is that of the text format")
    families_are_those_of_the_table_and_the_manual(tap, seen["text"])
    decisions_are_those_of_the_log(tap, told, lines)
    numbers_agree(tap, told)
    promtool_is_silent(tap, seen["text"])
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
