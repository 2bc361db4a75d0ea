#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Does the benchmarks' load generator do, and count, what it says? Asks the scripted mail host,
which counts too, at an address of 127.0.0.0/8. No root, a second or two. Prints TAP."""

import sys

sys.dont_write_bytecode = True

import json
import os
import pathlib
import subprocess
import tempfile
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "lab"))

from tap import Tap

import mailhosts

BUILDDIR = os.environ.get("RB_BUILDDIR", ".")
SMTPLOAD = os.path.join(BUILDDIR, "tests/bench/load/smtpload")
HOST = "127.0.4.1"
SOURCE = "127.0.4.9"
PATIENCE_S = 60
SCENARIO = """
host 127.0.4.1 mx.example.org { port 2527; rcpt yes@* 250; rcpt no@* 550; rcpt lost@* 250 then close }
host 127.0.4.2 slow.example.org { port 2527; step 20ms; rcpt * 250 }
host 127.0.4.3 mute.example.org { port 2527; at banner silent }
"""


class Here:
    """The mail host runs where the test does."""

    popen = staticmethod(subprocess.Popen)


def load(*options, host=HOST, rcpt="yes@example.org", senders=("a@x", "b@x", "c@x")):
    with tempfile.NamedTemporaryFile("w", suffix=".senders") as lines:
        lines.write("".join(f"{sender}\n" for sender in senders))
        lines.flush()
        argv = [SMTPLOAD, "--to", f"{host}:2527", "--senders", lines.name, "--rcpt", rcpt]
        found = subprocess.run(
            [*argv, *options], stdout=subprocess.PIPE, timeout=PATIENCE_S, check=True
        )
    return json.loads(found.stdout)


def sessions_are_whole(tap, hosts):
    found = load("--sessions", "300", "--at-once", "30", "--source", SOURCE)
    counts = hosts.settled()[HOST]
    tap.equal(
        (found["sessions"], found["failed"], found["replies"]),
        (300, 0, {"250": 300}),
        "300 sessions, 300 replies to RCPT",
    )
    tap.equal(counts[:3], (300, 300, 300), "the mail host has counted as many")
    tap.ok(1 < counts.most_at_once <= 30, "at most as many at once as told", counts)
    asked = hosts.transactions(HOST)
    tap.equal({entry["client_ip"] for entry in asked}, {SOURCE}, "they come from --source")
    senders = [entry["mail_from"] for entry in asked]
    used = {sender: senders.count(sender) for sender in set(senders)}
    tap.equal(used, {"a@x": 100, "b@x": 100, "c@x": 100}, "senders are used in turn")
    tap.ok(
        0 < found["rcpt_ms"]["p50"] <= found["rcpt_ms"]["p99"] <= found["rcpt_ms"]["max"],
        "times are in order",
        found,
    )


def transactions_share_a_session(tap, hosts):
    for body in ((), ("--data", "3000")):
        hosts.reset()
        found = load("--sessions", "20", "--at-once", "5", "--per-session", "7", *body)
        tap.equal(found["replies"], {"250": 140}, f"seven transactions a session {body}")
        counts = hosts.everything()[HOST]
        tap.equal(
            (counts["connections"], counts["rcpt"], counts["messages"]),
            (20, 140, 140 if body else 0),
            f"the mail host has counted as many {body}",
        )


def refusals_are_counted(tap):
    found = load("--sessions", "10", "--data", "10", rcpt="no@example.org")
    tap.equal(found["replies"], {"550": 10}, "a refusal is counted by its code")
    tap.equal((found["sessions"], found["failed"]), (10, 0), "its session has not failed")
    found = load("--sessions", "10", "--data", "10", rcpt="lost@example.org")
    tap.equal((found["sessions"], found["failed"]), (0, 10), "a session that is lost has failed")


def waiting_is_measured_and_ends(tap):
    found = load("--sessions", "40", "--at-once", "40", host="127.0.4.2")
    tap.ok(found["rcpt_ms"]["p50"] >= 19, "a step of 20 ms is seen", found)
    tap.ok(found["session_ms"]["p50"] >= 78, "a session of four steps too", found)
    hurried = load("--sessions", "40", "--at-once", "40", "--hurry", host="127.0.4.2")
    tap.equal(hurried["sessions"], 40, "those in a hurry are counted")
    started = time.monotonic()
    found = load("--sessions", "5", "--at-once", "2", "--limit", "1", host="127.0.4.3")
    tap.ok(time.monotonic() - started < PATIENCE_S / 2, "--limit ends it")
    tap.equal((found["sessions"], found["failed"]), (0, 2), "what was begun and cut off has failed")


def wrong_use_is_refused(tap):
    for options in (["--sessions", "0"], ["--at-once", "x"], ["--to", "nowhere"], ["more"]):
        argv = [SMTPLOAD, "--to", "127.0.0.1:1", "--rcpt", "a@x", "--senders", __file__, *options]
        found = subprocess.run(argv, stderr=subprocess.DEVNULL, check=False)
        tap.equal(found.returncode, 64, f"refused: {' '.join(options)}")


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory() as folder:
        hosts = mailhosts.MailHosts(Here, folder, BUILDDIR, SCENARIO)
        try:
            hosts.start()
            sessions_are_whole(tap, hosts)
            transactions_share_a_session(tap, hosts)
            refusals_are_counted(tap)
            waiting_is_measured_and_ends(tap)
        finally:
            hosts.stop()
    wrong_use_is_refused(tap)
    sys.exit(tap.done())


if __name__ == "__main__":
    main()
