#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The lab's test: real DNS, real Postfix, the milter, mail hosts that do as told, and clients.

    tests/lab/lab.py [--builddir DIR] [--only NAME]... [--keep]

Prints TAP. Needs root, iproute2, nsd and postfix; without them it prints a skip. `--only verdicts`
runs check_verdicts alone; `--keep` leaves logs and cache behind. RB_BUILDDIR says where the
programs were built; RB_NO_LAB set to anything skips it all. `loops` also needs Exim and Sendmail,
which debs.py fetches; without them, what they are for is skipped.
"""

import sys

sys.dont_write_bytecode = True  # the source tree may be read-only, and is no place for it

import importlib
import os
import time
import traceback

import rig as lab
from tap import Tap

CHECKS = [
    "verdicts",
    "headers",
    "exempt",
    "guest",
    "cost",
    "retries",
    "latency",
    "tool",
    "hostile",
    "faults",
    "loops",
]


def chosen():
    named = [name for flag, name in zip(sys.argv, sys.argv[1:]) if flag == "--only"]
    unknown = [name for name in named if name not in CHECKS]
    if unknown:
        sys.exit(f"lab.py: --only {unknown[0]}: not one of {', '.join(CHECKS)}")
    return named or CHECKS


def check(tap, rig, name):
    """Runs one check_NAME. What it throws is a failure, and the next one still gets its turn."""
    failed, begun = tap.failed, time.monotonic()
    tap.group(name)
    log_from = len(rig.milter.log())
    try:
        importlib.import_module(f"check_{name}").run(tap, rig)
    except Exception:
        tap.ok(False, f"{name}: runs to its end", traceback.format_exc())
    if tap.failed > failed:
        tap.note("the milter's last log lines:")
        tap.note("\n".join(rig.milter.log()[log_from:].splitlines()[-30:]))
    tap.note(f"{name}: {time.monotonic() - begun:.1f} s")


def main():
    builddir = lab.build_dir()
    reason = "RB_NO_LAB is set" if os.environ.get("RB_NO_LAB") else lab.cannot_run(builddir)
    if reason:
        return Tap.skip_all(reason)
    tap = Tap()
    with lab.Rig(builddir) as rig:
        for name in chosen():
            check(tap, rig, name)
        misdeeds = rig.hosts.all_misdeeds()
        tap.ok(
            not misdeeds,
            "in all of it no mail host got a message or saw SMTP's rules broken",
            misdeeds,
        )
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
