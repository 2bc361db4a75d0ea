#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What libringback exports: the functions of ringback.h, by lib/ringback.map and by the library itself.

Prints TAP. Needs the sources (RB_SRCDIR) and what was built of them (RB_BUILDDIR).
"""

import os
import pathlib
import re
import subprocess
import sys

SOURCE = pathlib.Path(os.environ.get("RB_SRCDIR", ".")).resolve()
BUILD = pathlib.Path(os.environ.get("RB_BUILDDIR", "build")).resolve()


def declared():
    """What the header declares, but for what stands in it whole."""
    text = re.sub(r"/\*.*?\*/", "", (SOURCE / "lib/ringback.h").read_text(), flags=re.S)
    text = re.sub(r"typedef [^;]*;", "", text)
    text = re.sub(r"static inline [^;{]*(;|\{.*?\n\})", "", text, flags=re.S)
    return set(re.findall(r"\b(rb_\w+)\(", text))


def mapped():
    text = re.sub(r"#.*", "", (SOURCE / "lib/ringback.map").read_text())
    return set(re.findall(r"\b(\w+);", text))


def exported(library):
    output = subprocess.check_output(["nm", "-P", "-D", "--defined-only", library], text=True)
    names = {line.split()[0] for line in output.splitlines()}
    # A node of the map is a symbol of its own.
    return {name.split("@")[0] for name in names if not name.startswith("RINGBACK_")}


def differences(names, others, what, than):
    return [f"{name}: not in {than}" for name in sorted(names - others)] + [
        f"{name}: not in {what}" for name in sorted(others - names)
    ]


def told(number, title, found):
    print(f"{'not ' if found else ''}ok {number} - {title}")
    for line in found:
        print(f"# {line}")
    return bool(found)


def main():
    library = BUILD / ".libs/libringback.so"
    title = "the library exports what the map names, and nothing else"
    found = differences(declared(), mapped(), "ringback.h", "the map")
    failed = told(1, "the map names each function of ringback.h", found)
    if library.exists():
        failed |= told(2, title, differences(exported(library), mapped(), "the library", "the map"))
    else:
        print(f"ok 2 - {title} # SKIP the shared library is not built")
    print("1..2")
    return failed


if __name__ == "__main__":
    sys.exit(main())
