#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Real Exim and Sendmail without installing them: Debian has them conflict with Postfix.

    tests/lab/debs.py FOLDER
    tests/lab/debs.py --libraries FOLDER

Fetches their packages with apt-get and unpacks them into FOLDER, if that has not been done before;
from then on they are there without a network. The lab looks into BUILDDIR/lab-debs first and, where
that does not exist, fetches them for itself, for one run. Their libraries must be installed in the
usual way: packaging/quickstart does. --libraries prints them, by the names that they have in the
release of Debian that the packages are of.

The public test suite of RFC 7208, and what reads it, are had in the same way, beside FOLDER; and so
are Dovecot and OpenDKIM, with their libraries, as far as they are not installed.
"""

import sys

sys.dont_write_bytecode = True

import os
import pathlib
import re
import shutil
import subprocess
import tempfile

PACKAGES = ["exim4-daemon-light", "sendmail-bin", "sendmail-cf"]
SUITE_PACKAGES = ["python3-spf", "python3-yaml"]
FETCH_S = 120  # apt may take this long
DOVECOT_PACKAGES = ["dovecot-core", "dovecot-lmtpd"]
OPENDKIM_PACKAGES = ["opendkim"]
# In the build folder.
BUILT_NAME, SUITE_NAME, DOVECOT_NAME = "lab-debs", "lab-debs-spf", "lab-debs-dovecot"
OPENDKIM_NAME = "lab-debs-opendkim"
LIST_NAME, LIBRARIES_NAME = ".packages", ".libraries"  # in that: what is there, and what it needs


class CannotHave(Exception):
    """Why the packages cannot be had."""


def fetch(folder, packages=tuple(PACKAGES)):
    """Unpacks the packages into `folder`. All or nothing: it is there when it is complete.

    What is there of other packages goes.
    """
    folder = pathlib.Path(folder).absolute()
    if _words(folder / LIST_NAME) == list(packages):
        return
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        raise CannotHave(f"apt-get and dpkg fetch {' '.join(packages)}, and are not here")
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=folder.name + "-") as scratch:
        _run(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", *packages], scratch)
        whole = pathlib.Path(scratch) / "whole"
        libraries = set()
        for package in sorted(pathlib.Path(scratch).glob("*.deb")):
            _run(["dpkg", "-x", str(package), str(whole)], scratch)
            libraries |= _libraries_of(package)
        (whole / LIBRARIES_NAME).write_text("\n".join(sorted(libraries)) + "\n")
        (whole / LIST_NAME).write_text("\n".join(packages) + "\n")
        if folder.exists():
            folder.rename(pathlib.Path(scratch) / "before")
        whole.rename(folder)


def _libraries_of(package):
    """The library packages that it depends on; of alternatives the first."""
    depends = _run(["dpkg-deb", "-f", str(package), "Depends", "Pre-Depends"], package.parent)
    words = re.split(r",|^[\w-]+:", depends, flags=re.MULTILINE)
    names = [re.split(r"[\s(|:]", word.strip())[0] for word in words]
    return {name for name in names if name.startswith("lib")}


def libraries(folder):
    return _words(pathlib.Path(folder) / LIBRARIES_NAME)


def _words(path):
    return path.read_text().split() if path.exists() else []


def _run(argv, folder):
    """What it prints."""
    try:
        return subprocess.run(
            argv,
            cwd=folder,
            timeout=FETCH_S,
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ).stdout
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


def with_libraries(packages):
    """The packages and all that they need and is not installed."""
    simulated = ["apt-get", "-s", "-q", "--no-install-recommends", "install", *packages]
    try:
        said = subprocess.run(
            simulated, stdout=subprocess.PIPE, text=True, check=False, timeout=FETCH_S
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        said = ""
    needed = [line.split()[1] for line in said.splitlines() if line.startswith("Inst ")]
    return sorted({*packages, *needed})


def unpacked_dovecot(builddir, scratch):
    """Where Dovecot is unpacked; as unpacked()."""
    return unpacked(builddir, scratch, DOVECOT_NAME, with_libraries(DOVECOT_PACKAGES))


def unpacked_opendkim(builddir, scratch):
    """Where OpenDKIM is unpacked; as unpacked()."""
    return unpacked(builddir, scratch, OPENDKIM_NAME, with_libraries(OPENDKIM_PACKAGES))


def runnable(program, environment=None):
    """Raises CannotHave when a program, or a library that it needs, is not there."""
    if not os.access(program, os.X_OK):
        raise CannotHave(f"{program} is not there")
    found = subprocess.run(
        ["ldd", program], stdout=subprocess.PIPE, text=True, check=False, env=environment
    )
    missing = [line.split()[0] for line in found.stdout.splitlines() if "not found" in line]
    if missing:
        raise CannotHave(f"{program.name} needs libraries: {' '.join(missing)}")


def main():
    *options, folder = sys.argv[1:] or [""]
    if options == ["--libraries"]:
        print(" ".join(libraries(folder)))
        return
    if options or not folder:
        sys.exit("usage: debs.py [--libraries] FOLDER")
    try:
        fetch(folder)
        fetch(pathlib.Path(folder).with_name(SUITE_NAME), SUITE_PACKAGES)
        for name, packages in (
            (DOVECOT_NAME, DOVECOT_PACKAGES),
            (OPENDKIM_NAME, OPENDKIM_PACKAGES),
        ):
            fetch(pathlib.Path(folder).with_name(name), with_libraries(packages))
    except CannotHave as reason:
        sys.exit(f"debs.py: {reason}")


if __name__ == "__main__":
    main()
