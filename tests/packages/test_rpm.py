#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The spec for rpm: it is read, agrees with configure.ac, and packs each file that is installed, once.

    tests/packages/test_rpm.py [--build]

--build (make check-rpm) builds the packages, too, has rpmlint look at them, and reads which files they have: minutes.
Prints TAP. Needs RB_SRCDIR and RB_BUILDDIR.
"""

import sys

sys.dont_write_bytecode = True

import collections
import fnmatch
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

SOURCE = pathlib.Path(os.environ.get("RB_SRCDIR", ".")).resolve()
BUILD = pathlib.Path(os.environ.get("RB_BUILDDIR", "build")).resolve()
sys.path.insert(0, str(SOURCE / "tests/lab"))

from tap import Tap

RPM = SOURCE / "packaging/rpm"
SPEC = RPM / "ringback.spec"
# Folders as `make install` names them, and as the spec does.
FOLDERS = {
    "bindir": "%{_bindir}",
    "sbindir": "%{_sbindir}",
    "libdir": "%{_libdir}",
    "includedir": "%{_includedir}",
    "mandir": "%{_mandir}",
    "sysconfdir": "%{_sysconfdir}",
    "systemdsystemunitdir": "%{?_unitdir}%{!?_unitdir:/usr/lib/systemd/system}",
    "sysusersdir": "/usr/lib/sysusers.d",
    "tmpfilesdir": "/usr/lib/tmpfiles.d",
    "bashcompletiondir": "%{_datadir}/bash-completion/completions",
    "zshcompletiondir": "%{_datadir}/zsh/site-functions",
    "docdir": "%{_datadir}/doc/ringback",
}


def run(*command, **options):
    environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, **options).stdout


# --- What the spec says -------------------------------------------------------------


class Spec:
    """The spec with its macros expanded. files: which patterns each package has, by its name."""

    def __init__(self):
        self.text = run("rpmspec", "--parse", str(SPEC))
        self.sections = re.split(r"^(?=%\w+)", self.text, flags=re.M)
        self.files = collections.defaultdict(list)
        self.documents = []
        for section in re.findall(r"^%files(.*?)(?=^%(?:files|changelog))", self.text, flags=re.M | re.S):
            name, _, lines = section.partition("\n")
            self._read_files(name.strip() or "ringback", lines)
        install = re.search(r"^%install\n(.*?)(?=^%check)", self.text, flags=re.M | re.S)[1]
        self.removed = {f"/{path}" for path in re.findall(r"^rm \S*/BUILDROOT/[^/]+/(\S+)$", install, flags=re.M)}

    def _read_files(self, package, lines):
        for line in filter(None, lines.splitlines()):
            words = line.split()
            if words[0] in ("%doc", "%license"):
                self.documents += words[1:]
            elif words[0] != "%dir":
                self.files[package].append(words[-1])

    def tag(self, name):
        return re.search(rf"^{name}: *(.*)$", self.text, flags=re.M)[1]

    def all_of_tag(self, name):
        return re.findall(rf"^{name}: *(.*)$", self.text, flags=re.M)


# --- What is installed ----------------------------------------------------------------


def configured_folders():
    """What this build folder was configured with."""
    echoes = "".join(f"\t@echo '{name}=$({name})'\n" for name in FOLDERS)
    printed = run("make", "-s", "-f", "-", "folders", cwd=BUILD, input=f"include Makefile\nfolders:\n{echoes}")
    return dict(line.split("=", 1) for line in printed.splitlines() if "=" in line)


def installed(folder):
    """The files of `make install`, where the packages have them."""
    run("make", "-C", str(BUILD), "install", f"DESTDIR={folder}")
    theirs = run("rpm", "-E", "\n".join(FOLDERS.values())).split()
    places = dict(zip(configured_folders().values(), theirs, strict=True))
    for path in folder.rglob("*"):
        if path.is_dir() and not path.is_symlink():
            continue
        name = f"/{path.relative_to(folder)}"
        place = max((each for each in places if name.startswith(f"{each}/")), key=len)
        yield places[place] + name.removeprefix(place)


# --- Checks ---------------------------------------------------------------------------


def check_names(tap, spec):
    configure = (SOURCE / "configure.ac").read_text()
    version = re.search(r"AC_INIT\(\[ringback\], \[(.*?)\]", configure)[1]
    tap.equal(spec.tag("Version"), version, "the version is that of configure.ac")
    newest = re.search(r"^%changelog\n\* .* - (\S+)$", spec.text, flags=re.M)
    tap.ok(newest and newest[1].startswith(f"{version}-"), "the changelog begins with it", newest)
    current, age = re.search(r"version-info (\d+):\d+:(\d+)", (SOURCE / "lib/local.mk").read_text()).groups()
    wanted = f"/libringback.so.{int(current) - int(age)}*"
    patterns = spec.files["libs"]
    tap.ok(any(pattern.endswith(wanted) for pattern in patterns), f"ringback-libs has {wanted}", patterns)


def check_requirements(tap, spec):
    """Each library that configure looks for by pkg-config, of the same version."""
    wanted = re.findall(r"PKG_CHECK_MODULES\(\[\w+\], \[(\S+?)(?: >= (\S+))?\]", (SOURCE / "configure.ac").read_text())
    named = re.findall(r"pkgconfig\((.*?)\)(?: >= (\S+))?", "\n".join(spec.all_of_tag("BuildRequires")))
    tap.equal(sorted(named), sorted(wanted), "what the build requires is what configure.ac asks pkg-config for")


def check_files(tap, spec, files):
    patterns = [(package, pattern) for package, all_of_it in spec.files.items() for pattern in all_of_it]
    packed = sorted(files - spec.removed)
    tap.equal(sorted(spec.removed - files), [], "all that %install removes is there")
    wrong = {path: found for path in packed
             if len(found := [package for package, pattern in patterns if fnmatch.fnmatchcase(path, pattern)]) != 1}  # fmt: skip
    tap.equal(wrong, {}, f"each of the {len(packed)} files that are installed is in one package")
    empty = [pattern for _, pattern in patterns if not fnmatch.filter(packed, pattern)]
    tap.equal(empty, [], "no package names a file that is not installed")
    # `examples` is what %prep makes of contrib/.
    missing = [name for name in spec.documents if name != "examples" and not (SOURCE / name).exists()]
    tap.equal(missing, [], "documents that packages name are there")


def check_packages(tap, spec, files):
    """The packages themselves."""
    with tempfile.TemporaryDirectory(prefix="ringback-rpm-") as folder:
        built = subprocess.run([RPM / "make-rpm", folder], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               check=False)  # fmt: skip
        tap.ok(built.returncode == 0, "they are built, and the unit tests pass", built.stdout[-3000:])
        packages = sorted(map(str, pathlib.Path(folder).glob("*.rpm")))
        lint = subprocess.run(["rpmlint", "-r", RPM / "ringback.rpmlintrc", *packages, SPEC], capture_output=True, text=True,
                              check=False)  # fmt: skip
        tap.ok("; 0 errors, 0 warnings" in lint.stdout, "rpmlint is silent", lint.stdout)
        binary = [name for name in packages if not name.endswith(".src.rpm")]
        listed = run("rpm", "-qpl", *binary).split()
        own = {re.sub(r"\.gz$", "", path) for path in listed} - {"/etc/ringback"}
        own = {path for path in own if "/doc/" not in path and "/licenses/" not in path and "/.build-id" not in path}
        tap.equal(sorted(own), sorted(files - spec.removed), "they have the files that are installed")
        configuration = run("rpm", "-qp", "--configfiles", *binary).split()
        tap.equal(configuration, ["/etc/ringback/ringback.conf"], "the configuration is one, for rpm")


def main():
    missing = [name for name in ("rpmspec", "rpm") if not shutil.which(name)]
    if missing:
        return Tap.skip_all(f"{missing[0]} is not installed (package rpm)")
    tap = Tap()
    names = run("rpmspec", "-q", "--qf", "%{name}\n", str(SPEC)).split()
    tap.equal(sorted(names), ["ringback", "ringback-devel", "ringback-libs"], "the spec is read")
    spec = Spec()
    check_names(tap, spec)
    check_requirements(tap, spec)
    with tempfile.TemporaryDirectory(prefix="ringback-install-") as folder:
        files = set(installed(pathlib.Path(folder)))
    check_files(tap, spec, files)
    if sys.argv[1:] == ["--build"]:
        check_packages(tap, spec, files)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
