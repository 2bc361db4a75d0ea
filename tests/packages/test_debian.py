#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What packaging/ says twice agrees with what the tree says: symbols, versions, libraries, files of the archive.

Prints TAP. Needs the sources alone (RB_SRCDIR).
"""

import os
import pathlib
import re
import sys

SOURCE = pathlib.Path(os.environ.get("RB_SRCDIR", ".")).resolve()
DEBIAN = SOURCE / "packaging" / "debian"

# Which package has what a program needs that is linked to the static library, by the names of pkg-config.
PACKAGE_OF = {
    "libidn2": "libidn2-dev",
    "libpsl": "libpsl-dev",
    "lmdb": "liblmdb-dev",
    "openssl": "libssl-dev",
}


def text(path):
    return (SOURCE / path).read_text(encoding="utf-8")


def first(pattern, path):
    return re.search(pattern, text(path), re.M).group(1)


def field(paragraph, name):
    """The packages that a field of a paragraph of debian/control names, without versions and profiles."""
    found = re.search(rf"^{name}:((?:.*\n)(?: .*\n)*)", paragraph, re.M).group(1)
    return {re.split(r"[ (<:]", item.strip())[0] for item in re.split(r"[,|]", found) if item.strip()}


def paragraphs():
    """debian/control: what it says of the source and of each package, by name."""
    found = {}
    for paragraph in re.split(r"\n\n+", text("packaging/debian/control").strip()):
        name = re.match(r"(?:Source|Package): (.*)", paragraph).group(1)
        found["source" if paragraph.startswith("Source") else name] = paragraph + "\n"
    return found


def mapped():
    """The symbols of lib/ringback.map with their nodes, as a line of a symbols file has them."""
    found = set()
    for node, body in re.findall(r"^([\w.]+) \{(.*?)^\}", text("lib/ringback.map"), re.M | re.S):
        functions = re.findall(r"\b(rb_\w+);", re.sub(r"#.*", "", body))
        found |= {f"{symbol}@{node}" for symbol in [node, *functions]}
    return found


def symbols():
    return set(re.findall(r"^ (\S+) ", text("packaging/debian/libringback0.symbols"), re.M))


def configured():
    """The packages that configure names where a library is missing."""
    return set(re.findall(r'missing="\$missing ([\w.+-]+)"', text("configure.ac"))) - {"libc6-dev"}


def differences(left, right, is_left, is_right):
    return [f"{item}: only {is_left}" for item in sorted(left - right)] + [
        f"{item}: only {is_right}" for item in sorted(right - left)
    ]


def lacking(wanted, there, what):
    return [f"{item}: not in {what}" for item in sorted(wanted - there)]


def versions():
    configure = first(r"^AC_INIT\(\[ringback\], \[([^]]+)\]", "configure.ac")
    changelog = first(r"^ringback \((.+)-[^-]+\)", "packaging/debian/changelog")
    return differences({configure}, {changelog}, "configure.ac's", "packaging/debian/changelog's")


def needed_by_static():
    names = re.split(r"[ ,]+", first(r"^Requires\.private: *(.*)$", "lib/ringback.pc.in").strip())
    return {PACKAGE_OF.get(name, f"the package of {name}") for name in names}


def quickstart():
    return set(re.search(r"^build_packages=\((.*?)\)", text("packaging/quickstart"), re.M | re.S).group(1).split())


def shipped():
    return set(re.findall(r"packaging/debian/(\S+)", text("packaging/local.mk")))


def files():
    return {str(path.relative_to(DEBIAN)) for path in DEBIAN.rglob("*") if path.is_file()}


CHECKS = [
    (
        "the symbols of Debian's package are those of the library",
        lambda: differences(symbols(), mapped(), "in libringback0.symbols", "in lib/ringback.map"),
    ),
    ("Debian's changelog begins with the version that configure has", versions),
    (
        "libringback-dev brings all that ringback.pc requires",
        lambda: lacking(needed_by_static(), field(paragraphs()["libringback-dev"], "Depends"), "its Depends"),
    ),
    (
        "debian/control names each library that configure looks for",
        lambda: lacking(configured(), field(paragraphs()["source"], "Build-Depends"), "Build-Depends"),
    ),
    (
        "quickstart installs each library that configure looks for",
        lambda: lacking(configured() - {"libcmocka-dev"}, quickstart(), "build_packages"),
    ),
    (
        "the archive has all files of packaging/debian",
        lambda: differences(files(), shipped(), "in the folder", "in packaging/local.mk"),
    ),
]


def main():
    print(f"1..{len(CHECKS)}")
    failed = False
    for number, (title, check) in enumerate(CHECKS, 1):
        found = check()
        failed |= bool(found)
        print(f"{'not ' if found else ''}ok {number} - {title}")
        for line in found:
            print(f"# {line}")
    return failed


sys.exit(main())
