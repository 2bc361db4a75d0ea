#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What libringback exports: the functions of ringback.h, by lib/ringback.map and by the library itself.

Prints TAP. Needs the sources (RB_SRCDIR) and what was built of them (RB_BUILDDIR).
"""

import os
import pathlib
import re
import shutil
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


# A name of a function hides one of a struct in C++, and an enum has the numbers of its bits alone.
CXX_USER = """
#include <ringback.h>
static const rb_error error{1000};
static const rb_reason reason{1000};
static const rb_stage stage{1000};
static const rb_event event{1000};
static const rb_limit limit{1000};
static const rb_spf_result result{1000};
static const rb_client_result client{1000};
int main()
{
    const rb_transcript_line line = rb_transcript_get(nullptr, 0);

    return line.dir + int(error) + int(reason) + int(stage) + int(event) + int(limit) + int(result) +
        int(client);
}
"""


def complaints(compiler):
    """What a C++ compiler has to say of the header."""
    flags = "-std=c++17 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror -fsyntax-only -x c++".split()
    command = [compiler, *flags, f"-I{SOURCE / 'lib'}", "-"]
    ran = subprocess.run(command, input=CXX_USER, text=True, capture_output=True, check=False)
    return [] if ran.returncode == 0 else ran.stderr.splitlines() or ["it failed"]


def main():
    library = BUILD / ".libs/libringback.so"
    title = "the library exports what the map names, and nothing else"
    found = differences(declared(), mapped(), "ringback.h", "the map")
    failed = told(1, "the map names each function of ringback.h", found)
    if library.exists():
        failed |= told(2, title, differences(exported(library), mapped(), "the library", "the map"))
    else:
        print(f"ok 2 - {title} # SKIP the shared library is not built")
    compiler = shutil.which("c++")
    title = "a C++ program may use all of the header, and meet numbers of a later release"
    if compiler is not None:
        failed |= told(3, title, complaints(compiler))
    else:
        print(f"ok 3 - {title} # SKIP there is no C++ compiler")
    print("1..3")
    return failed


if __name__ == "__main__":
    sys.exit(main())
