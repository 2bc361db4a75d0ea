#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The lab's test: real DNS, a real MTA, the milter, mail hosts that do as told, and clients.

    tests/lab/lab.py [--builddir DIR] [--mta NAME]... [--only NAME]... [--keep]

The checks run through a real Postfix and then through a real Sendmail, or through the one that
`--mta postfix` or `--mta sendmail` names; what they find must be the same. What only one of the two
has is in check_sendmail; what has nothing to do with the MTA runs once.

Prints TAP. Needs root, iproute2, nsd and postfix; without them it prints a skip. `--only verdicts`
runs check_verdicts alone; `--keep` leaves logs and cache behind. RB_BUILDDIR says where the
programs were built; RB_NO_LAB set to anything skips it all. Sendmail, and Exim for `loops`, are
fetched by debs.py, and the test suite for `spf`; without them, what they are for is skipped.
"""

import sys

sys.dont_write_bytecode = True  # the source tree may be read-only, and is no place for it

import importlib
import os
import time
import traceback

import rig as lab
from tap import Tap

ONCE = "once"  # through the first MTA alone, if through any: it plays no part
CHECKS = {  # which MTAs it is for
    "verdicts": lab.MTAS,
    "headers": lab.MTAS,
    "exempt": lab.MTAS,
    "bare": lab.MTAS,
    "recipients": lab.MTAS,
    "actions": lab.MTAS,
    "decide": lab.MTAS,
    "guest": lab.MTAS,
    "cost": lab.MTAS,
    "retries": lab.MTAS,
    "latency": lab.MTAS,
    "tool": lab.MTAS,
    "hostile": lab.MTAS,
    "faults": lab.MTAS,
    "sockets": ["postfix"],  # its chroot
    "sendmail": ["sendmail"],
    "lists": ONCE,
    "spf": ONCE,
    "loops": ONCE,
}


def chosen(flag, names):
    """What stands behind each `flag`; all names, if it is not there."""
    named = [name for word, name in zip(sys.argv, sys.argv[1:]) if word == flag]
    unknown = [name for name in named if name not in names]
    if unknown:
        sys.exit(f"lab.py: {flag} {unknown[0]}: not one of {', '.join(names)}")
    return named or list(names)


def checks_for(mta, is_first):
    return [
        name
        for name in chosen("--only", CHECKS)
        if (is_first if CHECKS[name] == ONCE else mta in CHECKS[name])
    ]


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
    tap.note(f"{tap.prefix}{name}: {time.monotonic() - begun:.1f} s")


def main():
    builddir = lab.build_dir()
    reason = "RB_NO_LAB is set" if os.environ.get("RB_NO_LAB") else lab.cannot_run(builddir)
    if reason:
        return Tap.skip_all(reason)
    tap = Tap()
    outcomes = []
    for mta in chosen("--mta", lab.MTAS):
        names = checks_for(mta, is_first=not outcomes)
        if not names:
            continue
        try:
            outcomes.append(run_through(tap, builddir, mta, names, repeats=bool(outcomes)))
        except lab.CannotHave as reason:
            for name in names:
                tap.skip(f"{mta}: {name}", reason)
    if len(outcomes) > 1:
        compare(tap, *outcomes)
    return tap.done()


def run_through(tap, builddir, mta, names, repeats):
    """Runs the checks through one MTA; what must be the same through another, by title."""
    with lab.Rig(builddir, mta, repeats) as rig:
        for name in names:
            tap.prefix = "" if CHECKS[name] == ONCE else f"{mta}: "
            check(tap, rig, name)
        misdeeds = rig.hosts.all_misdeeds()
        tap.prefix = f"{mta}: "
        tap.ok(
            not misdeeds,
            "in all of it no mail host got a message or saw SMTP's rules broken",
            misdeeds,
        )
        tap.prefix = ""
        return rig.outcomes


def compare(tap, first, second):
    """Same verdicts, same replies, same headers, same counts of callouts."""
    tap.group("the same through both MTAs")
    for title in sorted({*first, *second}):
        tap.equal(second.get(title), first.get(title), f"both MTAs: {title}")


if __name__ == "__main__":
    sys.exit(main())
