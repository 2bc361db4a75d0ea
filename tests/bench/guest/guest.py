#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""How good a guest is each: Ringback's positions, Exim's callouts and Postfix's probes.

    tests/bench/guest/guest.py [--builddir DIR] [--seed N] [--spf surveyed|logged] [--hours H]
                               [--only NAME...] [--at-once N] [--json FILE] [--keep]
    tests/bench/guest/guest.py --merge FILE... [--json FILE]

README says what is measured. Needs root, and what the lab needs. Some are played at once, then the
next, with the same mail. --only plays those alone; --merge puts such parts together. `--hours 2`
plays the first hours only. Exit status: 0 all demands hold, 1 not, 77 it cannot be run here.
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
import population
import report
import rig
import trace
import warp

LIMIT_S = 20 * 60  # for those that are played at once
SAMPLE = 100  # mails that are sent again, to count what DNS is asked for them
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
    parser = argparse.ArgumentParser(description="compares how much verifiers ask of others")
    parser.add_argument("--builddir", default=rig.build_dir())
    parser.add_argument("--seed", type=int, default=trace.SEED)
    parser.add_argument("--spf", choices=list(population.SPF), default="surveyed")
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=contenders.NAMES)
    parser.add_argument("--at-once", type=int, default=3)
    parser.add_argument("--merge", nargs="+", metavar="FILE")
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


def measure(options, folder, generator, mails):
    """Brings up, plays, counts, some contenders at a time: the results by name."""
    exim = exim_program(options.builddir, folder)
    versions = contenders.versions(options.builddir, exim)
    names = options.only or contenders.NAMES
    results = {}
    for at in range(0, len(names), options.at_once):
        with contextlib.ExitStack() as parts:
            running = [
                parts.enter_context(
                    contenders.Contender(
                        name, generator.population, mails, folder, options.builddir, exim
                    )
                )
                for name in names[at : at + options.at_once]
            ]
            for player in play_all(running, mails):
                results[player.name] = result(player, generator.population, options)
                results[player.name]["version"] = versions[
                    player.name if player.name in contenders.RIVALS else "ringback"
                ]
                if options.keep:
                    keep_outcomes(folder, player)
    return results


def result(player, people, options):
    """What is reported of one contender."""
    contender, mails = player.contender, player.mails
    day = sum(contender.questions.counted().values()) / len(mails)
    found = report.count(contender, mails, player.outcomes, people)
    sample = mails[:: max(1, len(mails) // SAMPLE)]
    asked = drive.questions_of_a_mail(contender, sample, options.hours * drive.HOUR_S)
    return {**found, "questions": {"day": day, **asked}, "seconds": round(player.seconds)}


def keep_outcomes(folder, player):
    """For a look at single mails: what was said to each."""
    with open(folder / f"{player.name}.outcomes", "w", encoding="utf-8") as file:
        for each in sorted(player.outcomes, key=lambda outcome: outcome.mail.number):
            mail, second = each.mail, f" | {each.retry_code} {each.retry_text}"
            print(
                f"{mail.number} {mail.kind} {mail.spf} dkim={mail.dkim} exists={mail.exists} "
                f"{mail.sender} from {mail.client}: "
                f"{each.code} {each.text}{second if each.retried else ''}",
                file=file,
            )


def say(whole):
    """The tables and the demands; returns whether all hold."""
    print(f"trace of seed {whole['seed']}, SPF as {whole['spf']}, {whole['hours']:g} hours:")
    for what, number in whole["trace"].items():
        print(f"  {what}: {number}")
    results = {
        name: whole["contenders"][name] for name in contenders.NAMES if name in whole["contenders"]
    }
    print("\ncompared:")
    for name, each in results.items():
        print(f"  {name}: {each['version']} ({each['seconds']} s)")
    print("\n" + report.table(results))
    print(report.short(results, whole["trace"]["mails"]))
    demands = report.demands(results)
    for holds, what, figures in demands:
        print(f"{'holds ' if holds else 'FAILS '} {what}: {figures}")
    whole["demands"] = [
        {"holds": holds, "what": what, "figures": figures} for holds, what, figures in demands
    ]
    return all(holds for holds, _, _ in demands)


def merged(paths):
    """Parts of one run as one; they must be of the same trace."""
    parts = [json.loads(pathlib.Path(path).read_text(encoding="utf-8")) for path in paths]
    whole = parts[0]
    for part in parts[1:]:
        for key in ("seed", "spf", "hours", "trace"):
            if part[key] != whole[key]:
                raise SystemExit(f"guest.py: not of one trace: {key} differs")
        whole["contenders"].update(part["contenders"])
    return whole


def leave(number, _frame):
    sys.exit(128 + number)


def play(options):
    """A run: what say() says, and --json writes."""
    generator = trace.Generator(options.seed, options.spf)
    mails = [mail for mail in generator.mails() if mail.stamp < options.hours * drive.HOUR_S]
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ringback-guest-"))
    folder.chmod(0o755)
    try:
        results = measure(options, folder, generator, mails)
    finally:
        if options.keep:
            print(f"kept: {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return {
        "seed": options.seed,
        "spf": options.spf,
        "hours": options.hours,
        "trace": trace.shares(mails, generator.population),
        "contenders": results,
    }


def main():
    options = arguments()
    options.builddir = os.path.abspath(options.builddir)
    for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(name, leave)
    if options.merge:
        whole = merged(options.merge)
    else:
        reason = cannot_run(options.builddir)
        if reason:
            print(f"guest.py: {reason}", file=sys.stderr)
            return CANNOT
        try:
            whole = play(options)
        except debs.CannotHave as cause:
            print(f"guest.py: {cause}", file=sys.stderr)
            return CANNOT
    holds = say(whole)
    if options.json:
        text = json.dumps(whole, indent=2) + "\n"
        pathlib.Path(options.json).write_text(text, encoding="utf-8")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
