#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The benches' arithmetic: rounds, medians and demands. Measures nothing. Speaks TAP."""

import sys

sys.dont_write_bytecode = True

import os
import pathlib

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "lab"))

import figures
import processes
from tap import Tap


def rounds_alternate(tap):
    played = []

    def player(name):
        return lambda number: played.append((number, name)) or {"rate": number}

    found = figures.interleave(
        {"a": player("a"), "b": player("b")}, rounds=3, progress=lambda *_: None
    )
    expected = [(0, "a"), (0, "b"), (1, "b"), (1, "a"), (2, "a"), (2, "b")]
    tap.equal(played, expected, "contenders play in turn, backwards every second round")
    tap.equal([run["rate"] for run in found["b"]], [0, 1, 2], "a result a round, in order")


def rounds_are_bounded(tap):
    try:
        figures.interleave({"a": lambda _: {}}, limit_s=-1, progress=lambda *_: None)
        tap.ok(False, "rounds that take too long end")
    except TimeoutError:
        tap.ok(True, "rounds that take too long end")


def ratios_are_of_one_round(tap):
    results = {
        "ours": [{"rate": 10}, {"rate": 30}, {"rate": 3}],
        "theirs": [{"rate": 10}, {"rate": 20}, {"rate": 6}],
    }
    tap.equal(figures.ratio(results, "rate", "ours", "theirs"), 1.0, "ratios are the rounds'")
    tap.equal(figures.difference(results, "rate", "ours", "theirs"), 0, "differences too")
    tap.equal(figures.medians(results)["ours"], {"rate": 10}, "a figure is its rounds' median")


def demands_decide(tap):
    report = figures.Report("trial")
    report.at_least("as much", 2.0, 2.0)
    tap.equal(report.status, figures.HOLDS, "a limit that is reached holds")
    report.below("less", 2.0, 2.0)
    tap.equal(report.status, figures.DOES_NOT_HOLD, "one that does not hold fails the bench")
    tap.ok("DOES NOT HOLD  less" in report.text(), "and is named", report.text())


def processes_are_counted(tap):
    mine = processes.tree(os.getpid())
    tap.ok(os.getpid() in mine and os.getppid() not in mine, "a tree is a process and its children")
    before = processes.tree_cpu_s(os.getpid())
    while processes.cpu_s(os.getpid()) - before < 0.02:
        sum(range(10000))
    tap.ok(processes.tree_cpu_s(os.getpid()) > before, "processor time is the kernel's count")
    tap.ok(processes.memory(os.getpid())["peak_kib"] > 0, "so is memory")


def main():
    tap = Tap()
    for check in (
        rounds_alternate,
        rounds_are_bounded,
        ratios_are_of_one_round,
        demands_decide,
        processes_are_counted,
    ):
        check(tap)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
