# SPDX-License-Identifier: BSD-2-Clause
"""Does it grow? What is said of a series of samples, taken while the load stays the same.

Two questions, and a series grows when either says so:

    the end beside the beginning: is the median of the last quarter above that of the first two
        minutes behind the start by more than what is allowed?
    the trend: does the straight line through all samples behind the start (least squares) rise, over
        all of the time, by more than what is allowed, and by more than its own uncertainty (twice its
        standard error, for neighbours of which one tells much about the other)?

The first does not see what grows only now and then in the middle, the second not what grows once.
"""

import dataclasses
import math
import statistics

BEGINNING_S = 120


@dataclasses.dataclass(frozen=True)
class Growth:
    begin: float  # median of the first two minutes behind the start
    end: float  # and of the last quarter
    trend: float  # what the line rises from the start to the end
    noise: float  # how far off that may be
    most: float  # the greatest value, behind the start

    def within(self, share, spare):
        """Whether it grew by no more than that share of the beginning, and something to spare."""
        allowed = self.begin * share + spare
        return self.end - self.begin <= allowed and self.trend - self.noise <= allowed


def _line(points):
    """Slope of the line of least squares, and its standard error."""
    middle = statistics.fmean(x for x, _ in points)
    mean = statistics.fmean(y for _, y in points)
    width = sum((x - middle) ** 2 for x, _ in points)
    slope = sum((x - middle) * (y - mean) for x, y in points) / width
    rest = [y - mean - slope * (x - middle) for x, y in points]
    error = math.sqrt(sum(r * r for r in rest) / max(1, len(rest) - 2) / width)
    return slope, error * math.sqrt(_repeats(rest))


def _repeats(rest):
    """How many neighbours say the same: 1 where they are independent (their autocorrelation)."""
    power = sum(r * r for r in rest)
    if not power:
        return 1.0
    alike = min(0.95, max(0.0, sum(a * b for a, b in zip(rest, rest[1:])) / power))
    return (1 + alike) / (1 - alike)


def judge(points, start_s):
    """Growth of a series of (seconds, value), behind start_s."""
    points = [point for point in points if point[0] >= start_s]
    if len(points) < 8:
        raise ValueError(f"{len(points)} samples are too few to tell")
    first, last = points[0][0], points[-1][0]
    begin = [y for x, y in points if x <= first + min(BEGINNING_S, (last - first) / 2)]
    end = [y for x, y in points if x >= last - (last - first) / 4]
    slope, error = _line(points)
    return Growth(
        begin=statistics.median(begin),
        end=statistics.median(end),
        trend=slope * (last - first),
        noise=2 * error * (last - first),
        most=max(y for _, y in points),
    )
