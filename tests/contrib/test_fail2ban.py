#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""contrib/fail2ban by the real Fail2Ban, over the log of the real daemon: who is counted, and who is banned.

Nothing is blocked: the action is Fail2Ban's own dummy, which writes into a file. Prints TAP. Needs RB_SRCDIR and RB_BUILDDIR.
"""

import sys

sys.dont_write_bytecode = True

import collections
import pathlib
import re
import shutil
import subprocess

import sample
from tap import Tap

STOCK = pathlib.Path("/etc/fail2ban")
PROGRAMS = ("fail2ban-server", "fail2ban-regex")
MAX_RETRY = 10
JAIL = """
[DEFAULT]
action = dummy[target={banned}]
[ringback]
backend = polling
logpath = {log}
"""


def counted(lines, aggressive):
    """How often each client should be counted, by what the lines say."""
    counts = collections.Counter()
    for fields in filter(None, map(sample.read_line, lines)):
        if _is_proof(fields, aggressive) and fields["action"] == "reject":
            counts[fields["client"]] += 1
    return counts


def _is_proof(fields, aggressive):
    of, verdict = fields.get("verify"), fields.get("verdict")
    if (of, verdict) in (("sender", "invalid"), ("client", "denied")):
        return True
    return aggressive and ((of, verdict) == ("recipient", "invalid") or fields.get("reason") == "spf_fail")


def configure(folder, log):
    """Fail2Ban's own configuration with ours in it, as a user of it has them."""
    there = folder / "etc"
    shutil.copytree(STOCK, there)
    for name in ("filter.d/ringback.conf", "jail.d/ringback.conf"):
        shutil.copy(sample.CONTRIB / "fail2ban" / name, there / name)
    for path in there.glob("jail.d/*"):
        if path.name != "ringback.conf":
            path.unlink()
    (there / "jail.local").unlink(missing_ok=True)
    # What this host's own Fail2Ban remembers is none of ours.
    (there / "fail2ban.local").write_text("[DEFAULT]\ndbfile = None\n")
    (there / "jail.d/zz.local").write_text(JAIL.format(banned=folder / "banned", log=log))
    return there


def regex(etc, log, name):
    """Who is counted how often in a file."""
    argv = ["fail2ban-regex", "-c", str(etc), "-o", "ip", str(log), name]
    found = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=sample.PATIENCE_S)
    if found.returncode:
        raise OSError(found.stdout + found.stderr)
    return collections.Counter(found.stdout.split())


def lines_are_counted_for_whom_they_are_about(tap, etc, folder, lines):
    log = folder / "for-regex"
    log.write_text("\n".join(sample.as_syslog(lines)) + "\n")
    for name, aggressive in (("ringback", False), ("ringback[mode=aggressive]", True)):
        tap.equal(regex(etc, log, name), counted(lines, aggressive), f"{name}: each client as often as it was proven")


def lines_of_others_are_not_counted(tap, etc, folder, lines):
    """What another program logs that a stranger has made look like a line of ours."""
    ours = next(line for line in lines if "verdict=invalid" in line and "action=reject" in line)
    text = ours.partition(": ")[2]
    programs = ("postfix/smtpd[7]: ", "postfix/smtpd[7]: ringback-milter[7]: ", "x-ringback-milter[7]: ", "")
    log = folder / "of-others"
    log.write_text("\n".join(sample.as_syslog([program + text for program in programs])) + "\n")
    tap.equal(regex(etc, log, "ringback[mode=aggressive]"), {}, "lines of other programs are not ours")


def lines_end_soon(tap, etc, folder, lines):
    """The longest that there can be, of values that look like the beginning of others: no regex takes for ever."""
    head = lines[1].partition(": ")[0] + ": verify=sender address="
    evil = ["a=" * 1200, '"' + '\\"' * 1200, '"' + "x=y " * 600, "b=c " * 600, '\\"=' * 800 + " action=reject client=" + sample.BYSTANDER]
    log = folder / "long"
    log.write_text("\n".join(sample.as_syslog([head + each for each in evil] * 20)) + "\n")
    tap.equal(regex(etc, log, "ringback[mode=aggressive]"), {}, "lines without an end")


def who_does_it_in_bulk_is_banned(tap, etc, folder, lines, log):
    log.write_text("\n".join(sample.as_syslog(lines)) + "\n")
    counts = counted(lines, False)
    wanted = {client for client, count in counts.items() if count >= MAX_RETRY}
    files = ["-c", str(etc), "-s", str(folder / "socket"), "-p", str(folder / "pid")]
    argv = ["fail2ban-server", *files, "--logtarget", str(folder / "out"), "-f", "start"]
    banned = folder / "banned"
    with sample.running(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:

        def said():
            return (folder / "out").read_text() if (folder / "out").exists() else "nothing"

        def all_seen():
            return len(re.findall(r"\[ringback\] Found ", said())) >= sum(counts.values())

        def who():
            return set(re.findall(r"^\+(\S+)", banned.read_text(), flags=re.M)) if banned.exists() else set()

        sample.until(lambda: all_seen() and who() >= wanted, server, said)
        tap.equal(who(), wanted, f"banned is who was counted {MAX_RETRY} times", said())


def main():
    absent = [name for name in PROGRAMS if not shutil.which(name)]
    if absent:
        return Tap.skip_all(f"not installed: {absent[0]} (apt-get install fail2ban)")
    if sample.missing():
        return Tap.skip_all(sample.missing())
    tap = Tap()
    lines = sample.take().lines
    tap.equal([line for line in lines if 'reason=""' in line], [], "each line has a reason")
    blamed = counted(lines, True)
    tap.ok(sample.BYSTANDER not in blamed and blamed[sample.FORGER] >= MAX_RETRY, "the sample has what is looked for", blamed)
    with sample.scratch() as folder:
        log = folder / "mail.log"
        etc = configure(folder, log)
        for check in (lines_are_counted_for_whom_they_are_about, lines_of_others_are_not_counted, lines_end_soon):
            check(tap, etc, folder, lines)
        who_does_it_in_bulk_is_banned(tap, etc, folder, lines, log)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
