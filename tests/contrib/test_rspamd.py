#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""contrib/rspamd by the real Rspamd: what the real daemon wrote becomes symbols.

Rspamd keeps all that is its own in a folder of ours, and asks no name server but one that knows nothing. With
RB_RSPAMD_WHOLE=1 it has the distribution's configuration and all of its rules, which take it 12 seconds to read; else the
least that loads the same files from the same places. Prints TAP. Needs RB_SRCDIR and RB_BUILDDIR.
"""

import sys

sys.dont_write_bytecode = True

import json
import os
import re
import shutil
import socket
import subprocess

import sample
import scripted_dns
from tap import Tap

STOCK = "/etc/rspamd/rspamd.conf"
LEAST = """
options {
    .include "$LOCAL_CONFDIR/local.d/options.inc"
    url_tld = "$LOCAL_CONFDIR/tld"; # few: of the whole list it makes an automaton, in 10 seconds
    hs_cache_dir = "$DBDIR";
}
logging { .include "$LOCAL_CONFDIR/local.d/logging.inc" }
actions { reject = 15; }
worker "normal" { .include "$LOCAL_CONFDIR/local.d/worker-normal.inc" }
modules { path = "${LOCAL_CONFDIR}/none/"; try_path = "${LOCAL_CONFDIR}/plugins.d/"; }
.include "$LOCAL_CONFDIR/rspamd.conf.local"
"""
LOCAL = {
    "options.inc": 'disable_hyperscan = true;\ndns {{ nameserver = ["127.0.0.1:{dns}"]; }}\ncontrol_socket = "{folder}/db/control.sock mode=0600";\n',
    "worker-normal.inc": 'bind_socket = "127.0.0.1:{port}";\ncount = 1;\n',
    "worker-controller.inc": "enabled = false;\n",
    "worker-proxy.inc": "enabled = false;\n",
    "worker-fuzzy.inc": "enabled = false;\n",
    "logging.inc": 'type = "console";\nlevel = "warning";\n',
}
# What would ask the world, or wait for it.
QUIET = ("rbl", "surbl", "fuzzy_check", "asn", "dkim", "dkim_signing", "spf", "dmarc", "arc", "mx_check", "phishing", "hfilter", "rspamd_update")


def configure(folder, dns_port, port):
    """Where Rspamd finds its places, ours among them: the arguments that tell it."""
    for name in ("etc/local.d", "etc/none", "etc/plugins.d", "db", "log", "run"):
        (folder / name).mkdir(parents=True)
    for name, text in LOCAL.items():
        (folder / "etc/local.d" / name).write_text(text.format(dns=dns_port, port=port, folder=folder))
    for name in QUIET:
        (folder / "etc/local.d" / f"{name}.conf").write_text("enabled = false;\n")
    (folder / "etc/rspamd.conf").write_text(LEAST)
    (folder / "etc/tld").write_text("com\nexample\n")
    text = (sample.CONTRIB / "rspamd/rspamd.conf.local").read_text()
    text = text.replace("# authserv_id", "authserv_id").replace("mx.example.com", sample.AUTHSERV_ID)
    (folder / "etc/rspamd.conf.local").write_text(text)
    shutil.copy(sample.CONTRIB / "rspamd/plugins.d/ringback.lua", folder / "etc/plugins.d")
    places = {"LOCAL_CONFDIR": "etc", "DBDIR": "db", "LOGDIR": "log", "RUNDIR": "run"}
    return [f"--var={name}={folder}/{place}" for name, place in places.items()]


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port)).close()
        return True
    except OSError:
        return False


def symbols(folder, port, text, sender):
    """Ours of a message, and the score of each."""
    mail = folder / "mail"
    mail.write_text(text)
    argv = ["rspamc", "-h", f"127.0.0.1:{port}", "-j", "-F", sender, "-i", "198.51.100.1", "symbols", str(mail)]
    said = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=sample.PATIENCE_S)
    try:
        found = json.loads(said.stdout)["symbols"]
    except (ValueError, KeyError):
        return said.stdout + said.stderr
    return {name[9:]: each["score"] for name, each in found.items() if name.startswith("RINGBACK_") and name != "RINGBACK_CHECK"}


def cases(messages):
    """(title, message, sender, wanted)"""
    for name, wanted in sample.SIGNS.items():
        yield name, sample.as_mail(messages[name]), messages[name].sender, wanted
    marked = messages["marked"]
    foreign = {"FOREIGN"}
    yield "another sender", sample.as_mail(marked), "somebody@else.example", foreign
    yield "below a Received", sample.as_mail(marked, above=[sample.RECEIVED]), marked.sender, foreign
    forged = [("X-Ringback", "valid; reason=accepted")]
    yield "of two fields", sample.as_mail(marked, below=forged), marked.sender, foreign
    results = [("Authentication-Results", f"{sample.AUTHSERV_ID}; x-ayttm=confirmed smtp.helo=x")]
    unseen = messages["trusted"]
    yield "results of ours", sample.as_mail(unseen, above=results), unseen.sender, {"CLIENT_CONFIRMED"}
    yield "results below a Received", sample.as_mail(unseen, below=[sample.RECEIVED, *results]), unseen.sender, set()


def play(tap, folder, messages, dns_port):
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port = trial.getsockname()[1]
    places = configure(folder, dns_port, port)
    conf = STOCK if os.environ.get("RB_RSPAMD_WHOLE") else str(folder / "etc/rspamd.conf")
    as_root = ["-i"] if os.geteuid() == 0 else []
    argv = ["rspamd", "-c", conf, *places, *as_root, "-f", "-u", "root" if as_root else str(os.geteuid())]
    with open(folder / "out", "wb") as out, sample.running(argv, stdout=out, stderr=out) as process:
        sample.until(lambda: answers(port), process, (folder / "out").read_text)
        for title, text, sender, wanted in cases(messages):
            found = symbols(folder, port, text, sender)
            tap.equal(set(found), wanted, title, found)
            if title == "marked":
                tap.ok(found.get("INVALID", 0) >= 5, "an invalid sender has a score", found)
    said = (folder / "out").read_text(errors="replace")
    tap.equal(re.findall(r".*ringback\.lua.*|.*ringback.*error.*", said), [], "Rspamd says nothing of the plugin")


def main():
    absent = [name for name in ("rspamd", "rspamc") if not shutil.which(name)]
    if absent:
        return Tap.skip_all(f"not installed: {absent[0]} (apt-get install rspamd)")
    if sample.missing():
        return Tap.skip_all(sample.missing())
    tap, messages = Tap(), sample.take().messages
    with sample.scratch() as folder, scripted_dns.ScriptedDns({}) as dns:
        play(tap, folder, messages, dns.port)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
