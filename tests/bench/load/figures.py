# SPDX-License-Identifier: BSD-2-Clause
"""From runs to figures: interleaved rounds, medians, tables, JSON, and demands that hold or do not.

Figures of one run are compared only with figures of the same round: what disturbs the machine then
disturbs all of them. So a ratio is the median of the rounds' ratios, not the ratio of medians.
"""

import dataclasses
import json
import pathlib
import statistics
import sys
import time

ROUNDS = 5  # fewer make no median worth its name
HOLDS, DOES_NOT_HOLD, CANNOT = 0, 1, 77  # exit status


def interleave(contenders, rounds=ROUNDS, limit_s=None, progress=None):
    """Plays each contender once a round; name -> list of what it returned, one a round.

    `contenders`: name -> function of the round's number, which returns {figure: number}. They play
    in their order, backwards in every second round: none has the better place. TimeoutError when
    not done within limit_s; progress(round, name), if given, is called before each.
    """
    results = {name: [] for name in contenders}
    begun = time.monotonic()
    for number in range(rounds):
        order = list(contenders) if number % 2 == 0 else list(reversed(contenders))
        for name in order:
            if limit_s is not None and time.monotonic() - begun > limit_s:
                raise TimeoutError(f"not done after {limit_s} s: round {number + 1}, {name}")
            (progress or _show)(number, name)
            results[name].append(contenders[name](number))
    return results


def _show(number, name):
    if sys.stderr.isatty():
        print(f"\r\033[Kround {number + 1}: {name} ", end="", file=sys.stderr, flush=True)


def values(results, name, key):
    """What one contender had in each round."""
    return [figures[key] for figures in results[name]]


def median(results, name, key):
    return statistics.median(values(results, name, key))


def medians(results):
    """Name -> {figure: median}, for the figures that are numbers in every round."""
    return {
        name: {
            key: statistics.median(figures[key] for figures in rounds)
            for key, first in rounds[0].items()
            if isinstance(first, (int, float)) and all(key in figures for figures in rounds)
        }
        for name, rounds in results.items()
    }


def ratio(results, key, ours, theirs):
    """Ours / theirs: the median of the rounds' ratios. Infinite where theirs is 0 and ours not."""
    pairs = zip(values(results, ours, key), values(results, theirs, key))
    return statistics.median(_divide(mine, other) for mine, other in pairs)


def difference(results, key, ours, theirs):
    """Ours - theirs: the median of the rounds' differences."""
    pairs = zip(values(results, ours, key), values(results, theirs, key))
    return statistics.median(mine - other for mine, other in pairs)


def _divide(mine, other):
    if other:
        return mine / other
    return float("inf") if mine else 1.0


def show(number):
    """A number for people: about three digits that matter."""
    if isinstance(number, str):
        return number
    if number is None:
        return "-"
    if number == 0 or abs(number) >= 100:
        return f"{number:.0f}"
    return f"{number:.1f}" if abs(number) >= 10 else f"{number:.3f}"


@dataclasses.dataclass(frozen=True)
class Demand:
    what: str
    holds: bool
    figures: str


class Report:
    """What a bench found: tables and demands for people, and all of it as JSON."""

    def __init__(self, name, about=None):
        self.name = name
        self.about = about or {}  # what was compared, and how: name -> text or number
        self.demands = []
        self._tables = []
        self._runs = {}

    def compare(self, title, results, rows):
        """One table of medians, a column for each contender. `rows`: (figure, label) pairs."""
        found = medians(results)
        lines = [
            [label, *(show(figures.get(key)) for figures in found.values())] for key, label in rows
        ]
        self._tables.append(table(title, ["", *found], lines))
        self._runs[title] = {"medians": found, "rounds": results}

    def say(self, title, columns, rows):
        """A table of one's own: rows of texts and numbers, the first column to the left."""
        self._tables.append(table(title, columns, [[show(cell) for cell in row] for row in rows]))
        self._runs[title] = [dict(zip(columns, row)) for row in rows]

    def keep(self, name, samples):
        """What is for the JSON alone."""
        self._runs[name] = samples

    def demand(self, what, holds, text):
        self.demands.append(Demand(what, bool(holds), text))

    def at_least(self, what, figure, limit, unit=""):
        self.demand(what, figure >= limit, f"{show(figure)}{unit}, at least {show(limit)}{unit}")

    def at_most(self, what, figure, limit, unit=""):
        self.demand(what, figure <= limit, f"{show(figure)}{unit}, at most {show(limit)}{unit}")

    def below(self, what, figure, limit, unit=""):
        self.demand(what, figure < limit, f"{show(figure)}{unit}, below {show(limit)}{unit}")

    @property
    def status(self):
        return HOLDS if all(demand.holds for demand in self.demands) else DOES_NOT_HOLD

    def text(self):
        parts = [f"{self.name.upper()}\n"]
        parts += [f"  {name}: {what}" for name, what in self.about.items()]
        parts += ["", *self._tables, "demands:"]
        parts += [
            f"  {'holds         ' if demand.holds else 'DOES NOT HOLD '} {demand.what}: "
            f"{demand.figures}"
            for demand in self.demands
        ]
        return "\n".join(parts)

    def whole(self):
        """All of it, for JSON."""
        return {
            "bench": self.name,
            "about": self.about,
            "runs": self._runs,
            "demands": [dataclasses.asdict(demand) for demand in self.demands],
            "holds": self.status == HOLDS,
        }

    def finish(self, path=None):
        """Prints it, writes the JSON if a path is given, and returns the exit status."""
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr, flush=True)
        print(self.text())
        if path:
            written = json.dumps(self.whole(), indent=2) + "\n"
            pathlib.Path(path).write_text(written, encoding="utf-8")
        return self.status


def table(title, columns, rows):
    """Texts in columns, the first to the left and the others to the right."""
    lines = [list(columns), *rows]
    widths = [max(len(line[place]) for line in lines) for place in range(len(columns))]
    shown = [
        "  ".join(
            [line[0].ljust(widths[0])]
            + [cell.rjust(width) for cell, width in zip(line[1:], widths[1:])]
        ).rstrip()
        for line in lines
    ]
    return "\n".join([title, *("  " + line for line in shown), ""])
