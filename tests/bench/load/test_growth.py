#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What is taken for growth, and what is not: series of which it is known. Speaks TAP."""

import sys

sys.dont_write_bytecode = True

import pathlib
import random

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "lab"))

import growth
from tap import Tap

SHARE, SPARE = 0.02, 256
START_S = 120
SEED = 20261122


def series(value, minutes=15):
    return [(second, value(second)) for second in range(0, minutes * 60, 5)]


def noisy(dice, level, width):
    return lambda second: level + dice.gauss(0, width)


def flat(tap, dice):
    for name, value in {
        "what never changes": lambda second: 20000,
        "noise": noisy(dice, 20000, 300),
        "much noise": noisy(dice, 20000, 1000),
        "waves of a minute": lambda second: 20000 + 2000 * (second % 60 < 30),
        "a jump before the start": lambda second: 20000 if second >= 60 else 5000,
        "what shrinks": lambda second: 20000 - second,
        "one peak": lambda second: 90000 if second == 600 else 20000,
    }.items():
        found = growth.judge(series(value), START_S)
        tap.ok(found.within(SHARE, SPARE), f"{name} is no growth", found)


def growing(tap, dice):
    for name, value in {
        "a leak of 2 KiB a second": lambda second: 20000 + 2 * second,
        "the same in noise": lambda second: 20000 + 2 * second + dice.gauss(0, 300),
        "a jump in the middle": lambda second: 20000 if second < 450 else 22000,
        "doubling": lambda second: 20000 * 2 ** (second / 900),
        "from nothing": lambda second: second,
    }.items():
        found = growth.judge(series(value), START_S)
        tap.ok(not found.within(SHARE, SPARE), f"{name} is growth", found)


def few(tap):
    try:
        growth.judge([(second, 1) for second in range(60)], 55)
        tap.ok(False, "too few samples are not judged")
    except ValueError:
        tap.ok(True, "too few samples are not judged")


def main():
    tap = Tap()
    dice = random.Random(SEED)
    tap.note(f"seed {SEED}")
    flat(tap, dice)
    growing(tap, dice)
    few(tap)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
