#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""contrib/logwatch by the real Logwatch, over a day of the real daemon: each number of the report is what the log says.

Logwatch has its folder of configuration written into it: a copy with ours in its place is run. Prints TAP. Needs RB_SRCDIR
and RB_BUILDDIR.
"""

import sys

sys.dont_write_bytecode = True

import collections
import pathlib
import re
import shutil
import subprocess
import time

import sample
from tap import Tap

STRANGE = ["ringback-milter[7]: something new", 'ringback-milter[7]: verify=sender address="<a']
WARNING = "ringback-milter[7]: warning: what is amiss"
HERE = "/etc/logwatch"


def install(folder):
    """The program, and a folder of configuration with ours in it."""
    for name in ("conf/services/ringback.conf", "scripts/services/ringback"):
        (folder / "etc" / name).parent.mkdir(parents=True)
        shutil.copyfile(sample.CONTRIB / "logwatch" / name, folder / "etc" / name)
    program = pathlib.Path(shutil.which("logwatch")).read_text(encoding="utf-8")
    if f'"{HERE}"' not in program:
        raise OSError("logwatch names no folder of configuration")
    (folder / "logwatch").write_text(program.replace(f'"{HERE}"', f'"{folder}/etc"'))
    return folder / "logwatch"


def in_files(folder, lines):
    """One half as Debian 12 and later write the time, the other as those before."""
    (folder / "log").mkdir()
    now, middle = time.time(), len(lines) // 2
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(now)) + ".123456+00:00"
    old = sample.as_syslog(lines[:middle], now)
    (folder / "log/mail.log").write_text("\n".join([*old, *(f"{stamp} mx {line}" for line in lines[middle:])]) + "\n")


def report(folder, program):
    (folder / "tmp").mkdir()
    argv = ["perl", str(program), "--service", "ringback", "--range", "all", "--detail", "10", "--output", "stdout"]
    argv += ["--logdir", str(folder / "log"), "--format", "text", "--numeric"]
    (folder / "etc/conf/logwatch.conf").write_text(f"TmpDir = {folder}/tmp\nLogDir = {folder}/log\n")
    ran = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=sample.PATIENCE_S)
    return ran.stdout, ran.stderr


def tables(text):
    """Title -> row -> count."""
    found, title = collections.defaultdict(dict), None
    for line in text.splitlines():
        row = re.match(r" {4,}(\d+)  (.*)$", line)
        if row and title:
            found[title][" ".join(row[2].split())] = int(row[1])
        elif line.endswith(":"):
            title = line[:-1].strip()
    return found


def wanted(lines):
    """What the report should have, by another reader."""
    tables_of = collections.defaultdict(collections.Counter)
    for fields in filter(None, map(sample.read_line, lines)):
        if fields.get("verify") == "client":
            action = "" if fields["action"] == "accept" else f", {fields['action']}"
            tables_of["Connect back: what hosts said of clients"][fields["verdict"] + action] += 1
        elif "reason" in fields:
            _add(tables_of, fields)
        if fields.get("action") == "reject":
            tables_of["Clients refused"][fields["client"]] += 1
    return tables_of


def _add(tables_of, fields):
    why = f"exempt ({fields['rule']})" if fields["reason"] == "exempt" else fields["reason"]
    of = "-" if fields["verify"] == "none" else fields["verify"]
    tables_of["Decisions"][f"{of} {fields['verdict']} {why} {fields['action']}"] += 1
    if fields["action"] == "reject" and of != "recipient":
        tables_of["Domains of refused senders"][fields["address"].rpartition("@")[2].rstrip(">")] += 1
    if fields["reason"] == "limited":
        tables_of["Held back by limits of ours: nobody was called"][fields["rule"]] += 1


def main():
    if not shutil.which("logwatch"):
        return Tap.skip_all("not installed: logwatch (apt-get install logwatch)")
    if sample.missing():
        return Tap.skip_all(sample.missing())
    tap = Tap()
    lines = sample.take().lines
    with sample.scratch() as folder:
        in_files(folder, [*lines, *STRANGE, WARNING])
        text, errors = report(folder, install(folder))
    tap.equal(errors, "", "no complaint")
    tap.ok("Ringback Begin" in text, "a section of its own", text[:500])
    found = tables(text)
    tap.ok(found["Held back by limits of ours: nobody was called"], "the sample has senders that nobody was asked about")
    for title, rows in wanted(lines).items():
        tap.equal(found[title], dict(rows), title)
    shown = {line.partition(": ")[2] for line in STRANGE}
    tap.equal(set(found["**Unmatched entries**"]), shown, "unmatched is what the daemon does not write, and nothing else")
    tap.equal(found["Warnings"].get("what is amiss"), 1, "warnings")
    tap.equal(found["The daemon"].get("started"), 1, "starts")
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
