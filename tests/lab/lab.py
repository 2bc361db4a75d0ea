#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The lab's test: real DNS, a real MTA, the milter, mail hosts that do as told, and clients.

    tests/lab/lab.py [--builddir DIR] [--mta NAME]... [--only NAME]... [--full] [--keep]

The checks run through a real Postfix and through a real Sendmail, or through the one that
`--mta postfix` or `--mta sendmail` names; what they find must be the same. What only one of the two
has is in check_sendmail; what has nothing to do with the MTA runs once. They run side by side, in
labs of their own, for most of the time each waits for something.

Prints TAP. Needs root, iproute2, nsd and postfix; without them it prints a skip. `--only verdicts`
runs check_verdicts alone; `--keep` leaves logs and cache behind. RB_BUILDDIR says where the
programs were built; RB_NO_LAB set to anything skips it all. Sendmail, Exim for `loops` and `hosts`,
Dovecot for `hosts` and `size`, OpenDKIM for `vouch` and the test suite for `spf` are fetched by
debs.py; without them, what they are for is skipped. `--full` asks real mail hosts for longer lists,
and waits as long as they make it; and its crowds are larger.
"""

import sys

sys.dont_write_bytecode = True  # the source tree may be read-only, and is no place for it

import importlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import time
import traceback

import rig as lab
from tap import Tap

SIDE_BY_SIDE = 2  # labs of each MTA
ONCE = "once"  # through whichever MTA: it plays no part
CHECKS = {  # which MTAs it is for; those that take long come first
    "loops": ONCE,
    "crowd": ONCE,
    "recipients": lab.MTAS,
    "size": lab.MTAS,
    "guest": lab.MTAS,
    "hosts": ONCE,
    "connect_back_sites": ONCE,
    "lists": ONCE,
    "retries": lab.MTAS,
    "verdicts": lab.MTAS,
    "sockets": ["postfix"],  # its chroot
    "cost": lab.MTAS,
    "actions": lab.MTAS,
    "bare": lab.MTAS,
    "decide": lab.MTAS,
    "latency": lab.MTAS,
    "vouch": lab.MTAS,
    "connect_back": lab.MTAS,
    "faults": lab.MTAS,
    "sendmail": ["sendmail"],
    "hostile": lab.MTAS,
    "store": ONCE,
    "spf": lab.MTAS,
    "tool": lab.MTAS,
    "explain": lab.MTAS,
    "addresses": lab.MTAS,
    "headers": lab.MTAS,
    "originators": lab.MTAS,
    "exempt": lab.MTAS,
    "ayttm_answer": lab.MTAS,
}


def chosen(flag, names):
    """What stands behind each `flag`; all names, if it is not there."""
    named = [name for word, name in zip(sys.argv, sys.argv[1:]) if word == flag]
    unknown = [name for name in named if name not in names]
    if unknown:
        sys.exit(f"lab.py: {flag} {unknown[0]}: not one of {', '.join(names)}")
    return named or list(names)


# --- A lab, which does what it is told ------------------------------------------------------------


def serve(link, builddir, mta, repeats, others):
    """Sends lines of TAP; None when it wants the name of another check; in the end what must be the
    same through another MTA, by title, or why there can be no such lab. `others` are the links that
    are no business of ours.
    """
    for other in others:
        other.close()
    tap = Tap(link.send)
    try:
        with lab.Rig(builddir, mta, repeats) as rig:
            link.send(None)
            while name := link.recv():
                tap.prefix = "" if CHECKS[name] == ONCE else f"{mta}: "
                check(tap, rig, name)
                link.send(None)
            tap.prefix = f"{mta}: "
            misdeeds = rig.hosts.all_misdeeds()
            text = "in all of it no mail host got a message or saw SMTP's rules broken"
            tap.ok(not misdeeds, text, misdeeds)
            link.send(rig.outcomes)
    except lab.CannotHave as reason:
        link.send(reason)


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


# --- All of them ----------------------------------------------------------------------------------


class Labs:
    """Labs side by side. Each check is run by the first that is free and has the right MTA."""

    def __init__(self, tap, builddir):
        self._tap = tap
        self._builddir = builddir
        self._mtas = chosen("--mta", lab.MTAS)
        self._left = {mta: [] for mta in self._mtas}  # names of checks
        self._once = []
        for name in chosen("--only", CHECKS):
            for mta in self._mtas:
                if mta in CHECKS[name]:
                    self._left[mta].append(name)
            if CHECKS[name] == ONCE:
                self._once.append(name)
        self._said = {}  # link -> lines, up to the end of a check
        self._of = {}  # link -> MTA
        self._processes = []
        self.outcomes = {mta: {} for mta in self._mtas}

    def run(self):
        for mta in self._mtas:
            for _ in range(min(SIDE_BY_SIDE, len(self._left[mta]) + len(self._once))):
                self._start(mta)
        while self._of:
            for link in multiprocessing.connection.wait(list(self._of)):
                try:
                    self._hear(link, link.recv())
                except EOFError:
                    self._lost(link)
        for process in self._processes:
            process.join()
        for name in self._once:
            self._tap.skip(name, "there was no lab for it")

    def end(self):
        for process in self._processes:
            process.terminate()

    def _start(self, mta):
        ours, theirs = multiprocessing.Pipe()
        repeats = mta != self._mtas[0]
        arguments = (theirs, self._builddir, mta, repeats, [*self._of, ours])
        process = multiprocessing.Process(target=serve, args=arguments)
        process.start()
        theirs.close()
        self._processes.append(process)
        self._of[ours], self._said[ours] = mta, []

    def _hear(self, link, word):
        mta = self._of[link]
        if isinstance(word, str):
            self._said[link].append(word)
            return
        self._tap.repeat(self._said[link])
        self._said[link] = []
        if word is None:
            link.send(self._next(mta))
            return
        del self._of[link]
        if isinstance(word, lab.CannotHave):
            for name in self._left[mta]:
                self._tap.skip(f"{mta}: {name}", word)
            self._left[mta] = []
        else:
            self.outcomes[mta].update(word)

    def _next(self, mta):
        """The name of a check; "": there is none."""
        once, left = self._once, self._left[mta]
        order = list(CHECKS)
        if once and (not left or order.index(once[0]) < order.index(left[0])):
            return once.pop(0)
        return left.pop(0) if left else ""

    def _lost(self, link):
        self._tap.repeat(self._said[link])
        self._tap.ok(False, f"{self._of.pop(link)}: the lab runs to its end")


def compare(tap, first, second):
    """Same verdicts, same replies, same headers, same counts of callouts."""
    tap.group("the same through both MTAs")
    for title in sorted({*first, *second}):
        tap.equal(second.get(title), first.get(title), f"both MTAs: {title}")


def main():
    builddir = lab.build_dir()
    reason = "RB_NO_LAB is set" if os.environ.get("RB_NO_LAB") else lab.cannot_run(builddir)
    if reason:
        return Tap.skip_all(reason)
    multiprocessing.set_start_method("fork")
    tap = Tap()
    labs = Labs(tap, builddir)
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        labs.run()
    finally:
        labs.end()
    with_outcomes = [found for found in labs.outcomes.values() if found]
    if len(with_outcomes) > 1:
        compare(tap, *with_outcomes)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
