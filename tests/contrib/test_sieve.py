#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""contrib/sieve by Dovecot's own Sieve: which messages, with what the real daemon wrote on them, are filed into Junk.

Prints TAP. Needs RB_SRCDIR and RB_BUILDDIR.
"""

import sys

sys.dont_write_bytecode = True

import os
import re
import shutil
import subprocess

import sample
from tap import Tap

FORGED = {"INVALID", "HEADER_INVALID", "CLIENT_DENIED"}


def run(*argv):
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=sample.PATIENCE_S)


def configuration(folder):
    """The least that Dovecot will run with; from version 2.4 on it must name its version, too."""
    version = re.match(r"\d+\.\d+\.\d+", run("dovecot", "--version").stdout)[0]
    new = f"dovecot_config_version = {version}\ndovecot_storage_version = {version}\n"
    place = f"mail_driver = maildir\nmail_path = {folder}/box\n"
    if version.startswith("2.3."):
        new, place = "", f"mail_location = maildir:{folder}/box\n"
    user, group = ("nobody", "nogroup") if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    return f"{new}{place}mail_uid = {user}\nmail_gid = {group}\nlog_path = /dev/stderr\n"


def where_to(folder, script, text):
    """The mailbox, or what else was said."""
    mail = folder / "mail"
    mail.write_text(text)
    tested = run("sieve-test", "-c", str(folder / "conf"), str(script), str(mail))
    found = re.search(r"store message in folder: (\S+)", tested.stdout)
    return found[1] if found else tested.stdout + tested.stderr


def main():
    absent = [name for name in ("dovecot", "sievec", "sieve-test") if not shutil.which(name)]
    if absent:
        return Tap.skip_all(f"not installed: {absent[0]} (apt-get install dovecot-sieve)")
    if sample.missing():
        return Tap.skip_all(sample.missing())
    tap, messages = Tap(), sample.take().messages
    with sample.scratch() as folder:
        (folder / "conf").write_text(configuration(folder))
        script = folder / "ringback.sieve"
        shutil.copy(sample.CONTRIB / "sieve/ringback.sieve", script)
        compiled = run("sievec", "-c", str(folder / "conf"), str(script))
        tap.ok(compiled.returncode == 0 and not compiled.stderr, "sievec", compiled.stderr)
        for name, signs in sample.SIGNS.items():
            wanted = "Junk" if signs & FORGED else "INBOX"
            tap.equal(where_to(folder, script, sample.as_mail(messages[name])), wanted, name)
        two = sample.as_mail(messages["marked"], below=[("X-Ringback", "valid; reason=accepted")])
        tap.equal(where_to(folder, script, two), "INBOX", "a message with two fields is not judged")
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
