#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""contrib/rsyslog by the real rsyslogd: what the real daemon logs, in its own file and as JSON.

The lines come as syslog(3) sends them, to a socket in a folder of ours. Prints TAP. Needs RB_SRCDIR and RB_BUILDDIR.
"""

import sys

sys.dont_write_bytecode = True

import grp
import json
import os
import pwd
import re
import shutil
import socket
import subprocess

import sample
from tap import Tap

SNIPPET = "30-ringback.conf"
MAIL_INFO = 2 << 3 | 6
OTHERS = "another-program[7]: verify=sender address=<a@b.example> verdict=invalid reason=x action=reject client=192.0.2.1"
CONFIG = """
global(workDirectory="{folder}")
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="{folder}/log" RateLimit.Interval="0")
include(file="{folder}/{snippet}")
mail.* action(type="omfile" file="{folder}/mail.log")
"""


def configure(folder):
    """The snippet for our folder, and files that whoever runs this may own."""
    user, group = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name
    text = (sample.CONTRIB / "rsyslog" / SNIPPET).read_text().replace("/var/log", str(folder))
    text = text.replace('fileOwner="root" fileGroup="adm"', f'fileOwner="{user}" fileGroup="{group}"')
    (folder / SNIPPET).write_text(text)
    conf = folder / "rsyslog.conf"
    conf.write_text(CONFIG.format(folder=folder, snippet=SNIPPET))
    return conf


def send(folder, lines):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.connect(str(folder / "log"))
        for line in lines:
            (stamped,) = sample.as_syslog([line], host="")
            log.send(f"<{MAIL_INFO}>{re.sub('  +(?=ringback|another)', ' ', stamped)}".encode("latin-1"))


def _texts(path):
    """A file's lines behind time and host."""
    lines = path.read_text().splitlines() if path.exists() else []
    return [line[line.index(name) :] for line in lines for name in re.findall(r"(?:ringback-milter|another-program)\[", line)[:1]]


def decisions(lines):
    """What JSON should say, by another reader; the keys that are not there are empty."""
    found = []
    for line in lines:
        fields = sample.read_line(line)
        if fields and "verify" in fields:
            queue_id = re.match(r"\S+ (\S+): verify=", line)
            found.append(fields | ({"queue_id": queue_id[1]} if queue_id else {}))
    return found


def main():
    if not shutil.which("rsyslogd"):
        return Tap.skip_all("not installed: rsyslogd (apt-get install rsyslog)")
    if sample.missing():
        return Tap.skip_all(sample.missing())
    tap, lines = Tap(), sample.take().lines
    wanted = decisions(lines)
    with sample.scratch() as folder:
        conf = configure(folder)
        argv = ["rsyslogd", "-n", "-f", str(conf), "-i", str(folder / "pid")]
        checked = subprocess.run([*argv, "-N1"], capture_output=True, text=True, check=False)
        tap.equal(checked.returncode, 0, "rsyslogd -N1", checked.stderr)
        with sample.running(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            sample.until((folder / "log").exists, process, checked.stderr)
            send(folder, [*lines, OTHERS])
            sample.until(lambda: len(_texts(folder / "mail.log")) > len(lines), process, "lines do not come")
        tap.equal(_texts(folder / "mail.log"), [*lines, OTHERS], "all go on to mail.log")
        tap.equal(_texts(folder / "ringback.log"), lines, "ours are in a file of their own")
        objects = [json.loads(line) for line in open(folder / "ringback.json", encoding="ascii")]
        found = [{key: value for key, value in each["ringback"].items() if value != ""} for each in objects]
        tap.equal(len(found), len(wanted), "an object a decision")
        wrong = [(a, b) for a, b in zip(found, wanted) if a != {key: value for key, value in b.items() if value != ""}]
        tap.equal(wrong[:3], [], "each key has its value, whatever strangers wrote")
        tap.ok(all(set(each) == {"time", "host", "ringback"} for each in objects), "with time and host")
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
