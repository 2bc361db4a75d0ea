#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""How good a guest is each: Ringback, Exim's callouts and Postfix's probes, on the same mail.

    tests/bench/guest/guest.py [--builddir DIR] [--seed N] [--hours H] [--json FILE] [--keep]

README says what is measured. Needs root, and what the lab needs; takes about ten minutes. Exit
status: 0 all demands hold, 1 not, 77 it cannot be run here. `--hours 2` plays the first hours only.
"""

import sys

sys.dont_write_bytecode = True

import argparse
import contextlib
import json
import os
import pathlib
import shutil
import signal
import tempfile
import threading
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "lab"))

import contenders
import debs
import drive
import report
import rig
import trace
import warp

NAMES = ["ringback", "exim", "postfix"]
LIMIT_S = 12 * 60
CANNOT = 77


class Player(threading.Thread):
    """Plays the trace to one contender. What it throws is kept in `error`."""

    def __init__(self, contender, mails):
        super().__init__(daemon=True, name=contender.name)
        self.contender = contender
        self.mails = mails
        self.slot = -1
        self.outcomes = []
        self.error = None
        self.seconds = 0.0

    def run(self):
        begun = time.monotonic()
        try:
            self.outcomes = drive.play(self.contender, self.mails, self._progress)
        except Exception as error:  # pylint: disable=broad-except
            self.error = error
        self.seconds = time.monotonic() - begun

    def _progress(self, slot):
        self.slot = slot


def arguments():
    parser = argparse.ArgumentParser(description="compares how much three verifiers ask of others")
    parser.add_argument("--builddir", default=rig.build_dir())
    parser.add_argument("--seed", type=int, default=trace.SEED)
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--keep", action="store_true")
    return parser.parse_args()


def cannot_run(builddir):
    reason = rig.cannot_run(builddir)
    if not reason and not warp.library():
        reason = "not installed: libfaketime (apt-get install libfaketime)"
    return reason


def exim_program(builddir, folder):
    program = debs.unpacked(builddir, folder) / "usr/sbin/exim4"
    debs.runnable(program)
    return program


def play_all(running, mails):
    players = [Player(contender, mails) for contender in running]
    begun = time.monotonic()
    for player in players:
        player.start()
    while any(player.is_alive() for player in players):
        time.sleep(1)
        if time.monotonic() - begun > LIMIT_S:
            places = ", ".join(f"{player.name} at slot {player.slot}" for player in players)
            raise TimeoutError(f"not done after {LIMIT_S} s: {places}")
        if sys.stderr.isatty():
            slots = "  ".join(f"{player.name} {player.slot + 1}" for player in players)
            print(f"\rslots played: {slots} ", end="", file=sys.stderr, flush=True)
    for player in players:
        if player.error:
            raise player.error
    return players


def measure(options, folder, mails, people):
    """Brings all up, plays, counts: (results by name, versions, seconds by name)."""
    exim = exim_program(options.builddir, folder)
    versions = contenders.versions(options.builddir, exim)
    with contextlib.ExitStack() as parts:
        running = []
        for name in NAMES:
            contender = contenders.Contender(name, people, folder, options.builddir, exim)
            running.append(parts.enter_context(contender))
        players = play_all(running, mails)
        results = {
            player.name: report.count(player.contender, mails, player.outcomes, people)
            for player in players
        }
        if options.keep:
            keep_outcomes(folder, players)
    return results, versions, {player.name: round(player.seconds) for player in players}


def keep_outcomes(folder, players):
    """For a look at single mails: what each contender said to each."""
    for player in players:
        with open(folder / f"{player.name}.outcomes", "w", encoding="utf-8") as file:
            for each in sorted(player.outcomes, key=lambda outcome: outcome.mail.number):
                mail, second = each.mail, f" | {each.retry_code} {each.retry_text}"
                print(
                    f"{mail.number} {mail.kind} {mail.spf} exists={mail.exists} {mail.sender}: "
                    f"{each.code} {each.text}{second if each.retried else ''}",
                    file=file,
                )


def say(options, shares, results, versions, seconds):
    """The table and the demands; returns whether all hold."""
    print(f"trace of seed {options.seed}:")
    for what, number in shares.items():
        print(f"  {what}: {number}")
    print("\ncompared:")
    for name, version in versions.items():
        print(f"  {name}: {version} ({seconds[name]} s)")
    print("\n" + report.table(results))
    print(report.describe_loss(results) + "\n")
    demands = report.demands(results)
    for holds, what, figures in demands:
        print(f"{'holds ' if holds else 'FAILS '} {what}: {figures}")
    if options.json:
        write_json(options, shares, results, versions, demands)
    return all(holds for holds, _, _ in demands)


def write_json(options, shares, results, versions, demands):
    losses = {
        name: {"mails": mails, "share": round(share, 4)}
        for name, (mails, share) in report.loss(results).items()
    }
    whole = {
        "seed": options.seed,
        "hours": options.hours,
        "trace": shares,
        "versions": versions,
        "contenders": results,
        "loss_in_caught": losses,
        "demands": [
            {"holds": holds, "what": what, "figures": figures} for holds, what, figures in demands
        ],
    }
    pathlib.Path(options.json).write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")


def leave(number, _frame):
    sys.exit(128 + number)


def main():
    options = arguments()
    options.builddir = os.path.abspath(options.builddir)
    reason = cannot_run(options.builddir)
    if reason:
        print(f"guest.py: {reason}", file=sys.stderr)
        return CANNOT
    for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(name, leave)
    generator = trace.Generator(options.seed)
    mails = [mail for mail in generator.mails() if mail.stamp < options.hours * 3600]
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ringback-guest-"))
    folder.chmod(0o755)
    try:
        measured = measure(options, folder, mails, generator.population)
    except debs.CannotHave as reason:
        print(f"guest.py: {reason}", file=sys.stderr)
        return CANNOT
    finally:
        if options.keep:
            print(f"kept: {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    holds = say(options, trace.shares(mails, generator.population), *measured)
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
