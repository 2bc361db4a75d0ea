#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The units, and the drop-ins of contrib/systemd, as systemd-analyze(1) sees them; systemd need not run.

    tests/systemd/test_units.py

Prints TAP. RB_BUILDDIR says where the unit was made, RB_SRCDIR where the rest is. What happens under a systemd that
runs is tests/systemd/check_systemd's.
"""

import sys

sys.dont_write_bytecode = True  # the source tree may be read-only, and is no place for it

import os
import pathlib
import re
import shutil
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lab"))

from tap import Tap

SOURCE = HERE.parents[1]
BUILD = pathlib.Path(os.environ.get("RB_BUILDDIR") or SOURCE)
SERVICE = "ringback-milter.service"
EXPOSED_MAX = 1.5  # of 10, by `systemd-analyze security`


def settings(text):
    """Name and value of each line; of comments none."""
    return [line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#")]


def install(folder):
    """The units as they would be installed, with programs that are there and a user that is."""
    text = (BUILD / "packaging/systemd" / SERVICE).read_text()
    for name in ("ringback-milter", "ringback"):
        text = re.sub(rf"^(Exec\w+=)\S+/{name}(?= )", rf"\g<1>{BUILD / name}", text, flags=re.M)
    (folder / SERVICE).write_text(re.sub(r"^(User|Group)=.*", r"\1=mail", text, flags=re.M))
    shutil.copy(SOURCE / "packaging/systemd/ringback-milter.socket", folder)


def analyze(*arguments):
    run = subprocess.run(
        ["systemd-analyze", *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60
    )
    return run.returncode, run.stdout.decode(errors="replace")


def are_understood(tap, folder):
    for unit in (SERVICE, "ringback-milter.socket"):
        status, said = analyze("verify", "--man=no", folder / unit)
        ours = [line for line in said.splitlines() if "ringback" in line]
        tap.ok(status == 0 and not ours, f"{unit}: systemd has nothing to say about it", said)


def drop_ins_are_understood(tap, folder):
    for drop_in in sorted((SOURCE / "contrib/systemd").glob("*.conf")):
        place = folder / f"{SERVICE}.d"
        place.mkdir()
        shutil.copy(drop_in, place)
        status, said = analyze("verify", "--man=no", folder / SERVICE)
        ours = [line for line in said.splitlines() if "ringback" in line or drop_in.name in line]
        tap.ok(status == 0 and not ours, f"{drop_in.name}: nor about this one", said)
        shutil.rmtree(place)


def exposes_little(tap, folder):
    limit = f"--threshold={EXPOSED_MAX * 10:.0f}"
    status, said = analyze("security", "--offline=true", "--no-pager", limit, folder / SERVICE)
    tap.equal(status, 0, f"it is exposed by {EXPOSED_MAX} at most", said)
    rows = [line.split()[1] for line in said.splitlines() if line.startswith("✗")]
    tap.ok(rows, "and not by nothing: the figure is one of this unit", said)


def says_what_the_manual_promises(tap):
    unit = settings((BUILD / "packaging/systemd" / SERVICE).read_text())
    for name, value in (
        ("Type", "notify"),
        ("Restart", "always"),
        ("WatchdogSec", "3min"),
        ("StartLimitIntervalSec", "0"),
        ("LogRateLimitIntervalSec", "0"),
    ):
        tap.equal([each[1] for each in unit if each[0] == name], [value], f"{name}={value}")
    reload = [each[1] for each in unit if each[0] == "ExecReload"]
    good = len(reload) == 1 and reload[0].endswith("/ringback reload --pid $MAINPID")
    tap.ok(good, "a reload is our own tool's", reload)


def main():
    tap = Tap()
    if not (BUILD / "packaging/systemd" / SERVICE).exists():
        tap.skip("units", "configured without systemd")
        return tap.done()
    says_what_the_manual_promises(tap)
    if not shutil.which("systemd-analyze"):
        tap.skip("what systemd-analyze says", "it is not there (package systemd)")
        return tap.done()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ringback-units-"))
    try:
        install(folder)
        are_understood(tap, folder)
        drop_ins_are_understood(tap, folder)
        exposes_little(tap, folder)
    finally:
        shutil.rmtree(folder)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
