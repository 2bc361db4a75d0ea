#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""`ringback status` after a day of the daemon's (tests/contrib/sample.py): what stands first, and that text, JSON and the
log tell the same. Prints TAP. Needs RB_SRCDIR and RB_BUILDDIR.
"""

import sys

sys.dont_write_bytecode = True

import collections
import json
import pathlib
import socket
import subprocess

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "contrib"))

import sample
from tap import Tap

# What scripts have gone by since the first release.
KEYS = """version pid uptime_s config config_age_s hostname dry_run sessions callouts retries_scheduled verdicts actions
skipped vouched connect_back cache limits identity_warnings""".split()
FIRST = ["ringback", "mode", "listens on", "MTA", "health"]


def free_port():
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return trial.getsockname()[1]


def status(control, *options):
    argv = [str(sample.BUILD / "ringback"), "status", "--control", str(control), *options]
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=sample.PATIENCE_S).stdout


def day(http=""):
    """Text and JSON at the end of a day, and the log."""
    told = {}

    def look(folder):
        control = folder / "control.sock"
        told["text"], told["json"] = status(control), json.loads(status(control, "--json"))

    lines = sample.take(http=http, then=look).lines
    return told["text"], told["json"], lines


def rows(text):
    """title -> what stands behind it; lines without a title belong to the one above."""
    found, title = collections.defaultdict(list), ""
    for line in text.splitlines():
        title = line[:12].strip() or title
        found[title].append(line[12:])
    return found


def what_is_asked_first_stands_first(tap, text, told):
    shown = rows(text)
    tap.equal(list(shown)[: len(FIRST)], FIRST, "whether it refuses, where it listens, the MTA, and health stand first", text)
    tap.equal(shown["mode"], ["dry run: nobody is refused"], "a dry run is said to be one")
    tap.ok(shown["listens on"][0].startswith(told["listen"]), "it says where it listens", shown["listens on"])
    tap.ok(shown["MTA"][0].startswith("last session "), "and when the MTA last talked to it", shown["MTA"])
    tap.equal(shown["health"], ["well"], "and that all is well")


def numbers_are_those_of_the_log(tap, told, lines):
    decided = [fields for fields in map(sample.read_line, lines) if fields and fields.get("verify") in ("sender", "recipient", "header")]
    counts = collections.Counter(fields["verdict"] for fields in decided)
    seen = {verdict: sum(reasons.values()) for verdict, reasons in told["verdicts"].items()}
    seen["unknown"] -= told["verdicts"]["unknown"]["exempt"]
    tap.equal(seen, dict(counts), "verdicts are those of the log")
    waits = told["waits"]
    tap.ok(waits["count"] > 0 and 0 <= waits["p50_ms"] <= waits["p95_ms"] <= waits["p99_ms"], "waits rise", waits)
    hour = told["last_hour"]
    tap.equal({kind: hour["decisions"][kind] for kind in counts}, dict(counts), "the last hour's are the same")
    tap.equal(hour["waits"]["count"], waits["count"], "and so are its waits")


def answers_add_up(tap, text, told):
    cache, callouts = told["cache"], told["callouts"]
    kept = cache["hit"] + cache["stale"] + cache["settled_by_fact"]
    whole = kept + callouts["coalesced"] + callouts["total"]
    wanted = f"{kept} from the cache ({(100 * kept + whole // 2) // whole} %), "
    wanted += f"{callouts['coalesced']} joined a callout under way, {callouts['total']} called"
    tap.equal(rows(text)["answers"], [wanted], "answers came from the cache, were joined or called")
    size = f"{cache['bytes'] / 1024:.0f} KB of {cache['max_bytes'] >> 20} MB; "
    tap.ok(size in rows(text)["cache"][0], "sizes are in the units of the configuration", size, rows(text)["cache"])
    held = told["limits"]["shields"][0]["domain"]
    tap.ok(any(held in line and "forged in bulk" in line for line in rows(text)["held back"]), "who is held back, and why", text)


def main():
    if sample.missing():
        return Tap.skip_all(sample.missing())
    tap = Tap()
    text, told, lines = day(f"127.0.0.1:{free_port()}")
    tap.equal([key for key in KEYS if key not in told], [], "the keys of the first release are there")
    what_is_asked_first_stands_first(tap, text, told)
    numbers_are_those_of_the_log(tap, told, lines)
    answers_add_up(tap, text, told)
    text, told, _ = day()
    tap.equal(told["last_hour"], None, "without http the last hour is not kept")
    tap.ok("last hour" not in rows(text), "nor shown", text)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
