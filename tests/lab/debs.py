#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Real Exim and Sendmail without installing them: Debian has them conflict with Postfix.

    tests/lab/debs.py FOLDER

Fetches their packages with apt-get and unpacks them into FOLDER, if that has not been done before;
from then on they are there without a network. The lab looks into BUILDDIR/lab-debs first and, where
that does not exist, fetches them for itself, for one run. Their libraries must be installed in the
usual way: packaging/quickstart does.

The public test suite of RFC 7208, and what reads it, are had in the same way, beside FOLDER.
"""

import sys

sys.dont_write_bytecode = True

import os
import pathlib
import shutil
import subprocess
import tempfile

PACKAGES = ["exim4-daemon-light", "sendmail-bin", "sendmail-cf"]
SUITE_PACKAGES = ["python3-spf", "python3-yaml"]
FETCH_S = 120  # apt may take this long
BUILT_NAME, SUITE_NAME = "lab-debs", "lab-debs-spf"  # in the build folder


class CannotHave(Exception):
    """Why the packages cannot be had."""


def fetch(folder, packages=tuple(PACKAGES)):
    """Unpacks the packages into `folder`. All or nothing: it is there when it is complete."""
    folder = pathlib.Path(folder).absolute()
    if folder.exists():
        return
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        raise CannotHave(f"apt-get and dpkg fetch {' '.join(packages)}, and are not here")
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=folder.name + "-") as scratch:
        _run(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", *packages], scratch)
        whole = pathlib.Path(scratch) / "whole"
        for package in sorted(pathlib.Path(scratch).glob("*.deb")):
            _run(["dpkg", "-x", str(package), str(whole)], scratch)
        try:
            whole.rename(folder)
        except OSError:
            if not folder.exists():  # else another run was faster
                raise


def _run(argv, folder):
    try:
        subprocess.run(
            argv,
            cwd=folder,
            timeout=FETCH_S,
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    except subprocess.CalledProcessError as error:
        last = (error.stdout.strip().splitlines() or ["(silence)"])[-1]
        raise CannotHave(f"{argv[0]} fails: {last}") from error
    except subprocess.TimeoutExpired as error:
        raise CannotHave(f"{argv[0]} takes longer than {FETCH_S} s") from error


def unpacked(builddir, scratch, name=BUILT_NAME, packages=tuple(PACKAGES)):
    """Where they are unpacked; fetched into `scratch` if the build folder has none."""
    built = pathlib.Path(builddir) / name
    if built.exists():
        return built
    here = pathlib.Path(scratch) / name
    fetch(here, packages)
    return here


def runnable(program):
    """Raises CannotHave when a program, or a library that it needs, is not there."""
    if not os.access(program, os.X_OK):
        raise CannotHave(f"{program} is not there")
    found = subprocess.run(["ldd", program], stdout=subprocess.PIPE, text=True, check=False)
    missing = [line.split()[0] for line in found.stdout.splitlines() if "not found" in line]
    if missing:
        raise CannotHave(f"{program.name} needs libraries: {' '.join(missing)}")


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: debs.py FOLDER")
    try:
        fetch(sys.argv[1])
        fetch(pathlib.Path(sys.argv[1]).with_name(SUITE_NAME), SUITE_PACKAGES)
    except CannotHave as reason:
        sys.exit(f"debs.py: {reason}")


if __name__ == "__main__":
    main()
