#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The cache beside a bare LMDB program: look-ups, writes, octets on disk, and reading meanwhile.

Both keep the same records under the same keys with the same durability (contender.h). Each figure is
the median of interleaved rounds; a ratio is the median of the rounds' ratios. See ../README.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "load"))
import figures  # noqa: E402

SIZES = (10_000, 1_000_000, 10_000_000)
FILLED_ITSELF = 1_000_000  # more records than this are put there in bulk
CONTENDERS = ("ours", "bare")
MAP_OCTETS = 16 << 30
READ_S = 0.2
READ_ROUNDS = 9  # look-ups take little time, and everything disturbs them
WRITES = 50_000  # in one run
DURING_S = 0.8
FULL_MAP_OCTETS = 64 << 20  # of the map that is too small, which holds about 270,000 records
RUN_LIMIT_S = 180  # for the longest run: ten million records in bulk take one minute
LIMIT_S = 480  # for one size
DISK_PER_RECORD = 2 * 400  # octets, both contenders, room for what is written on top
WHOLE_FILE_FROM = 100_000  # with fewer addresses most of the file is pages freed by the last commits
WARM_OCTETS = 1 << 20

LOOK_UPS_AT_LEAST = 0.8
WRITES_AT_LEAST = 0.5
OCTETS_BELOW = 240

READS = [
    (f"{kind} {threads}", f"look-ups/s, {what}, {threads} thread{'s' if threads > 1 else ''}")
    for kind, what in (("hit", "found"), ("miss", "not found"))
    for threads in (1, 2)
]


def warm(path):
    """Has the file in memory, page by page as look-ups would: the kernel forgets what rests."""
    chunk = bytearray(WARM_OCTETS)
    with open(path / "data.mdb", "rb", buffering=0) as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
        while file.readinto(chunk):
            pass


class Bench:
    """The program, and the folders that it works in."""

    def __init__(self, program, folder):
        self.program = program
        self.folder = folder
        self.written = {}  # (contender, size) -> number of the next new record

    def path(self, name, size):
        return self.folder / f"{name}-{size}"

    def command(self, verb, name, path, *arguments, octets=MAP_OCTETS):
        return [self.program, verb, name, str(path), str(octets), *map(str, arguments)]

    def run(self, *arguments, **options):
        done = subprocess.run(
            self.command(*arguments, **options),
            check=True,
            capture_output=True,
            text=True,
            timeout=RUN_LIMIT_S,
        )
        return json.loads(done.stdout or "{}")

    def fill(self, name, size):
        """Returns what is on disk, and the rate where the contender has filled it itself."""
        path = self.path(name, size)
        path.mkdir()
        if size <= FILLED_ITSELF:
            found = self.run("fill", name, path, 0, size)
        else:
            self.run("bulk", name, path, 0, size)
            found = self.run("size", name, path, 0, 0)
        found["file"] = (path / "data.mdb").stat().st_size
        found["octets"] = found["file"] / size
        found["used"] = found["bytes"] / size
        self.written[name, size] = size
        return found

    def reads(self, name, size):
        path = self.path(name, size)
        warm(path)
        return {
            f"{kind} {threads}": self.run("read", name, path, size, kind, threads, READ_S)["rate"]
            for kind in ("hit", "miss")
            for threads in (1, 2)
        }

    def writes(self, name, size):
        """New records first, then some that are there already."""
        path = self.path(name, size)
        count = min(WRITES, size)
        first = self.written[name, size]
        self.written[name, size] += count
        warm(path)
        return {
            "new": self.run("write", name, path, first, count)["rate"],
            "again": self.run("write", name, path, 0, count)["rate"],
        }

    def during(self, name, size, meanwhile, path=None, octets=MAP_OCTETS):
        path = path or self.path(name, size)
        return self.run("during", name, path, size, meanwhile, DURING_S, octets=octets)

    def two_processes(self, name, size):
        """One reads and writes, the other reads, at the same time."""
        path = self.path(name, size)
        processes = [
            subprocess.Popen(
                self.command("during", name, path, size, meanwhile, DURING_S),
                stdout=subprocess.PIPE,
                text=True,
            )
            for meanwhile in ("write", "idle")
        ]
        try:
            writer, reader = [
                json.loads(process.communicate(timeout=RUN_LIMIT_S)[0]) for process in processes
            ]
        finally:
            for process in processes:
                if process.poll() is None:
                    process.kill()
                    process.wait()
        return {
            "rate": writer["rate"] + reader["rate"],
            "p99_us": max(writer["p99_us"], reader["p99_us"]),
            "per_s": writer["per_s"],
        }


def fill_both(bench, report, size):
    """Filling, and octets on disk."""
    filled = {name: bench.fill(name, size) for name in CONTENDERS}
    rows = [
        [name, found["records"], found["file"], found["octets"], found["used"]]
        for name, found in filled.items()
    ]
    title = f"{size} addresses: octets on disk"
    report.say(title, ["", "records", "octets", "octets/address", "in use/address"], rows)
    what = f"octets on disk for each of {size} addresses, facts, lists and hosts included"
    if size >= WHOLE_FILE_FROM:
        report.below(what, filled["ours"]["octets"], OCTETS_BELOW)
    else:
        report.below(f"{what}, pages in use", filled["ours"]["used"], OCTETS_BELOW)


def at_size(bench, report, size, left_s):
    """One size: filling, octets, look-ups, writes. Demands are of each size."""
    fill_both(bench, report, size)
    players = {name: lambda _, name=name: bench.reads(name, size) for name in CONTENDERS}
    found = figures.interleave(players, rounds=READ_ROUNDS, limit_s=left_s())
    report.compare(f"{size} addresses: look-ups", found, READS)
    for key, label in READS:
        ratio = figures.ratio(found, key, "ours", "bare")
        report.at_least(f"{size} addresses: {label}, of bare's", ratio, LOOK_UPS_AT_LEAST)

    players = {name: lambda _, name=name: bench.writes(name, size) for name in CONTENDERS}
    found = figures.interleave(players, limit_s=left_s())
    rows = [("new", "writes/s, new records"), ("again", "writes/s, the same again")]
    report.compare(f"{size} addresses: writes", found, rows)
    for key, label in rows:
        ratio = figures.ratio(found, key, "ours", "bare")
        report.at_least(f"{size} addresses: {label}, of bare's", ratio, WRITES_AT_LEAST)


def fill_small(bench):
    """A map of ours that is as good as full: the next writes make the oldest go."""
    path = bench.folder / "ours-full"
    path.mkdir()
    count = FULL_MAP_OCTETS // 200
    bench.run("fill", "ours", path, 0, count, octets=FULL_MAP_OCTETS)
    return path, count


def meanwhile(bench, report, size, left_s):
    """Latency of look-ups while nothing, writing, sweeping and eviction go on; two processes."""
    full, in_full = fill_small(bench)
    small = FULL_MAP_OCTETS
    players = {
        "idle": lambda _: bench.during("ours", size, "idle"),
        "writing": lambda _: bench.during("ours", size, "write"),
        "sweeping": lambda _: bench.during("ours", size, "purge"),
        "full, idle": lambda _: bench.during("ours", in_full, "idle", full, small),
        "full, evicting": lambda _: bench.during("ours", in_full, "write", full, small),
        "bare, idle": lambda _: bench.during("bare", size, "idle"),
        "bare, writing": lambda _: bench.during("bare", size, "write"),
    }
    found = figures.interleave(players, limit_s=left_s())
    rows = [
        ("rate", "look-ups/s"),
        ("p50_us", "p50, us"),
        ("p99_us", "p99, us"),
        ("p999_us", "p99.9, us"),
        ("max_us", "longest, us"),
        ("per_s", "written or swept/s"),
        ("evicted", "evicted"),
        ("dropped", "dropped"),
    ]
    report.compare(f"look-ups meanwhile, {size} addresses (full: {in_full})", found, rows)
    evicted = sum(figures.values(found, "full, evicting", "evicted"))
    report.demand("eviction took place while it was read", evicted > 0, f"{evicted} evicted")

    players = {name: lambda _, name=name: bench.two_processes(name, size) for name in CONTENDERS}
    found = figures.interleave(players, limit_s=left_s())
    rows = [("rate", "look-ups/s, both"), ("p99_us", "p99, us"), ("per_s", "writes/s")]
    report.compare("two processes at once: both read, one writes", found, rows)


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--builddir", type=pathlib.Path, default=pathlib.Path("."))
    parser.add_argument("--max-records", type=int, default=SIZES[-1], help="leave larger sizes out")
    parser.add_argument("--only", type=int, metavar="N", help="this size alone")
    parser.add_argument("--folder", type=pathlib.Path, help="where to work; default: temporary")
    parser.add_argument("--json", type=pathlib.Path, help="where to write all figures to")
    return parser.parse_args(arguments)


def sizes_for(options, folder):
    """Those asked for that the disk has room for."""
    free = shutil.disk_usage(folder).free
    most = options.max_records
    wanted = [size for size in SIZES if size <= most] or [most]
    if options.only:
        wanted = [options.only]
    return [size for size in wanted if size * DISK_PER_RECORD < free]


def play_size(bench, report, size, with_meanwhile):
    """Whatever was measured before the time is up, or before a run fails, is reported."""
    begun = time.monotonic()

    def left_s():
        return max(1, LIMIT_S - (time.monotonic() - begun))

    try:
        at_size(bench, report, size, left_s)
        if with_meanwhile:
            meanwhile(bench, report, size, left_s)
    except (TimeoutError, subprocess.SubprocessError) as error:
        report.demand(f"{size} addresses: played to the end", False, str(error))
    report.about[f"seconds, {size} addresses"] = round(time.monotonic() - begun)
    for name in CONTENDERS:
        shutil.rmtree(bench.path(name, size), ignore_errors=True)


def play(options, program, folder):
    bench = Bench(program, folder)
    sizes = sizes_for(options, folder)
    report = figures.Report(
        "cache",
        {
            "ours": "the cache as the verifier uses it: decodes what it finds, merges what it writes",
            "bare": "an LMDB program: octets copied out, a read transaction renewed for each look-up",
            "record": "address about 29 octets, reply 40 beside its codes, MX name, address, TLS",
        },
    )
    small = [size for size in sizes if size <= FILLED_ITSELF]
    for size in sizes:
        play_size(bench, report, size, size in small[-1:])
    if not options.only and SIZES[-1] <= options.max_records and SIZES[-1] not in sizes:
        report.demand(f"{SIZES[-1]} addresses", False, "no room on the disk")
    return report.finish(options.json)


def main(arguments):
    options = parse(arguments)
    program = options.builddir / "tests/bench/cache/cachebench"
    if not program.exists():
        print(f"{program}: not there; make it first", file=sys.stderr)
        return figures.CANNOT
    with tempfile.TemporaryDirectory(prefix="cachebench-", dir=options.folder) as folder:
        if not sizes_for(options, folder):
            print(f"{folder}: no room on this disk", file=sys.stderr)
            return figures.CANNOT
        return play(options, program.resolve(), pathlib.Path(folder))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
