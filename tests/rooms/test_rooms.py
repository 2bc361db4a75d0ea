#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Who may know whom: the rooms of lib/ and milter/, from the ground up, and what each may include.

Every include is held against the tables, and the built objects against each other: no two files may call one
another, not by way of others either. Prints TAP. Needs the sources (RB_SRCDIR) and what was built of them
(RB_BUILDDIR).
"""

import os
import pathlib
import re
import subprocess
import sys

# room: the rooms, or files of them ("room/file"), that it may include beside itself; ringback.h is free to all.
LIB = {
    "base": "",
    "mail": "base",
    "dns": "base",
    "spf": "base mail dns",
    "smtp": "base mail",
    "cache": "base mail",
    "extension": "base mail",
    "limits": "base cache/record",
    "options": "base mail dns",
    "callout": "base mail dns smtp cache/record options extension/verbs",
    "sched": "base mail cache/record callout/callout",
    "verifier": "base mail dns spf smtp cache extension limits options callout sched",
}
MILTER = {
    "base": "",
    "config": "base",
    "session": "base config",
    "daemon": "base config session",
    "extension": "base config session daemon",
    "http": "base config session daemon",
    "mta": "base config session daemon extension",
    "tool": "base config session",
    "man": "",
    "": "base config session daemon extension http mta",  # main.c
}
# What milter/ may see of the library beside ringback.h.
FROM_LIB = "base mail cache/cache extension limits/rates"
FREE = {"config.h", "ringback.h"}


class Tap:
    def __init__(self):
        self.count = self.failed = 0

    def ok(self, good, title, found=()):
        self.count += 1
        self.failed += not good
        print(f"{'' if good else 'not '}ok {self.count} - {title}")
        for line in found:
            print(f"# {line}")
        sys.stdout.flush()


def stem(path):
    return re.sub(r"\.\w+$", "", path)


def allows(names, include):
    room = include.split("/")[0]
    return room in names.split() or stem(include) in names.split()


def may_include(top, room, include, root):
    if include in FREE:
        return True
    if top == "lib":
        return "/" in include and (include.startswith(f"{room}/") or allows(LIB[room], include))
    if (root / "milter" / include).exists():
        return include.startswith(f"{room}/") or allows(MILTER[room], include)
    return allows(FROM_LIB, include)


def sources(root):
    for top in ("lib", "milter"):
        for path in sorted((root / top).rglob("*")):
            if path.suffix in (".c", ".h", ".def"):
                yield path.relative_to(root)


def check_includes(tap, root):
    homeless, wrong = [], []
    for path in sources(root):
        top, *rooms, _ = path.parts
        room = "/".join(rooms)
        if str(path) == "lib/ringback.h":
            continue
        if room not in (LIB if top == "lib" else MILTER):
            homeless.append(str(path))
            continue
        for include in re.findall(r'^\s*#\s*include\s+"([^"]+)"', (root / path).read_text(), re.M):
            if not may_include(top, room, include, root):
                wrong.append(f"{path} includes {include}")
    tap.ok(not homeless, "every file stands in a room that the tables name", homeless)
    tap.ok(not wrong, "every include goes to a room that may be known", wrong)


def symbols(objects):
    """Who calls whom, by the objects' symbols."""
    defined, wanted = {}, {}
    for path in objects:
        name = path.with_suffix(".c")
        wanted[name] = set()
        for line in subprocess.check_output(["nm", "-P", path], text=True).splitlines():
            symbol, kind, *_ = line.split()
            if kind == "U":
                wanted[name].add(symbol)
            elif kind in "TDBRVWC" and symbol != "main":
                defined[symbol] = name
    return {
        name: {defined[symbol] for symbol in names if symbol in defined} - {name}
        for name, names in wanted.items()
    }


def reached(calls, start):
    seen, todo = set(), list(calls[start])
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo += calls[name]
    return seen


def check_circles(tap, root, build):
    objects = {}
    for top in ("lib", "milter"):
        for path in (build / top).rglob("*.o"):
            source = root / path.relative_to(build).with_suffix(".c")
            if ".libs" not in path.parts and source.exists():  # others were left by an earlier build
                objects[path.relative_to(build)] = path
    calls = {k.relative_to(build): {v.relative_to(build) for v in s} for k, s in symbols(objects.values()).items()}
    far = {name: reached(calls, name) for name in calls}
    circles = {tuple(sorted(map(str, (n for n in far[name] if name in far[n])))) for name in far if name in far[name]}
    tap.ok(bool(calls), "the objects were built")
    tap.ok(not circles, "no two files call each other", [" ".join(circle) for circle in sorted(circles)])


def check_page(tap, root):
    """ARCHITECTURE leads to where things are: what it names is there, and it names every room."""
    page = (root / "ARCHITECTURE").read_text()
    named = set(re.findall(r"(?<![\w/])(?:lib|milter)/[a-z_/]+(?:\.\w+)?", page))
    lost = sorted(name for name in named if not list(root.glob(name.rstrip("/") + ("" if "." in name else "*"))))
    rooms = {f"{room}/" for room in (*LIB, *MILTER) if room}
    silent = sorted(room for room in rooms if not re.search(rf"^    {room}", page, re.M))
    tap.ok(bool(named), "ARCHITECTURE names files")
    tap.ok(not lost, "files that ARCHITECTURE names are there", lost)
    tap.ok(not silent, "ARCHITECTURE has every room", silent)


def main():
    tap = Tap()
    root = pathlib.Path(os.environ.get("RB_SRCDIR", ".")).resolve()
    check_includes(tap, root)
    check_page(tap, root)
    check_circles(tap, root, pathlib.Path(os.environ.get("RB_BUILDDIR", "build")).resolve())
    print(f"1..{tap.count}")
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
