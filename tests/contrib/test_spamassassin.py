#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""contrib/spamassassin by the real SpamAssassin, with the distribution's rules: what the real daemon wrote is scored.

Prints TAP. Needs RB_SRCDIR and RB_BUILDDIR.
"""

import sys

sys.dont_write_bytecode = True

import os
import pathlib
import re
import shutil
import subprocess

import sample
from tap import Tap

STOCK = pathlib.Path("/etc/spamassassin")
LOCAL = "use_bayes 0\nuse_auto_whitelist 0\n"


def configure(folder):
    """A site's configuration, with our authserv_id put in as ringback.cf says."""
    site = folder / "site"
    site.mkdir()
    for path in STOCK.glob("*.pre"):
        shutil.copy(path, site)
    (site / "local.cf").write_text(LOCAL)
    text = (sample.CONTRIB / "spamassassin/ringback.cf").read_text()
    text = text.replace("mx\\.example\\.com", re.escape(sample.AUTHSERV_ID))
    (site / "ringback.cf").write_text(re.sub(r"^#(?=[a-z])", "", text, flags=re.M))
    return site


def run(folder, site, *arguments):
    argv = ["spamassassin", "-L", "--siteconfigpath", str(site), "--prefspath", "/dev/null", *arguments]
    return subprocess.run(
        argv, capture_output=True, text=True, check=False, timeout=sample.PATIENCE_S, env=os.environ | {"HOME": str(folder)}
    )


def signs(output):
    """Of each message, in the order in which they were given: the rules that were met."""
    tests = re.findall(r"^X-Spam-Status: .*?tests=(.*?) (?:autolearn|version)", output, flags=re.M | re.S)
    return [{name[9:] for name in re.split(r"[,\s]+", each) if name.startswith("RINGBACK_")} for each in tests]


def cases(messages):
    """(title, message, wanted)"""
    for name, wanted in sample.SIGNS.items():
        yield name, sample.as_mail(messages[name]), wanted - {"UNKNOWN"}
    marked = messages["marked"]
    yield "below our MTA's Received", sample.as_mail(marked, above=[sample.RECEIVED]), {"INVALID"}
    yield "below two Received", sample.as_mail(marked, above=[sample.RECEIVED] * 2), set()
    yield "of two fields", sample.as_mail(marked, below=[("X-Ringback", "valid; reason=accepted; id=1")]), set()


def main():
    if not shutil.which("spamassassin"):
        return Tap.skip_all("not installed: spamassassin (apt-get install spamassassin)")
    if sample.missing():
        return Tap.skip_all(sample.missing())
    tap, messages = Tap(), sample.take().messages
    with sample.scratch() as folder:
        site = configure(folder)
        checked = list(cases(messages))
        paths = [folder / f"mail-{number}" for number in range(len(checked))]
        for path, (_, text, _) in zip(paths, checked):
            path.write_text(text)
        # One that is wrong is named in a warning, as --lint does.
        scored = run(folder, site, "-t", *map(str, paths))
        said = [line for line in scored.stderr.splitlines() if "ringback" in line.lower()]
        tap.equal((scored.returncode, said), (0, []), "the rules are read without a word", scored.stderr)
        found = signs(scored.stdout)
        tap.equal(len(found), len(checked), "each message is scored")
        for (title, _, wanted), seen in zip(checked, found):
            tap.equal(seen, wanted, title)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
