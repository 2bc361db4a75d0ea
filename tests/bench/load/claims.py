#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What connect back costs a mail: connections to the host that the client claims to be, and time.

    tests/bench/load/claims.py [--builddir DIR]

One client after the other sends one mail each through the lab's Postfix, whose mail hosts answer at
once: what is measured is what is ours. Needs root, and what the lab needs; takes half a minute.
Exit status: 0 all was as it should be, 1 not, 77 it cannot be run here.
"""

import sys

sys.dont_write_bytecode = True

import pathlib
import statistics

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "lab"))

import rig as lab

MAILS, ROUNDS = 100, 3  # of each row
SKIPPED = 77
YES, PLAIN = ("mx.says-yes.example", "192.0.2.70"), ("mx.says-nothing.example", "192.0.2.74")
ASKS = "connect_back { check = yes }\n"
LIMITS = 'limits { per_domain_rate = "100000/m" per_client_rate = "100000/m" }\n'
NEW, KNOWN = "user-{}@says-yes.example", "alice@says-yes.example"
ROWS = [  # title, configuration, host, sender, connections a mail at most
    ("off, new sender", "", YES, NEW, 1),
    ("on, new sender, the same host", ASKS, YES, NEW, 1),
    ("off, known sender", "", YES, KNOWN, 0),
    ("on, known sender", ASKS, YES, KNOWN, 1),
    ("on, known sender, a plain host", ASKS, PLAIN, KNOWN, 0),
]


def main():
    builddir = lab.build_dir()
    reason = lab.cannot_run(builddir)
    if reason:
        print(f"cannot run: {reason}", file=sys.stderr)
        return SKIPPED
    found = {row[0]: [] for row in ROWS}
    with lab.Rig(builddir) as rig:
        for _ in range(ROUNDS):
            for title, *row in ROWS:
                found[title].append(measure(rig, *row))
    print(f"{'a mail (medians)':34}connections  verbs  ms of the session")
    for title, rounds in found.items():
        calls, verbs, times = (statistics.median(column) for column in list(zip(*rounds))[:3])
        print(f"{title:34}{calls:11.2f}{verbs:7.2f}{times:19.1f}")
    wrong = [title for title, rounds in found.items() if not all(each[3] for each in rounds)]
    print(*(f"not as it should be: {title}\n" for title in wrong), sep="", end="")
    return 1 if wrong else 0


def measure(rig, config, host, sender, most):
    """Connections, verbs, and milliseconds of the session, all of one mail; and whether each
    mail got in, with no more connections than `most`.
    """
    rig.milter.start_fresh(more=config + LIMITS)
    send = lambda number: rig.send(sender.format(number), helo=host[0])
    send("warm-up")
    rig.hosts.settled()
    rig.hosts.reset()
    mails = [send(number) for number in range(MAILS)]
    rig.hosts.settled()
    seen = rig.hosts.everything()[host[1]]
    times = [1000 * mail.seconds for mail in mails if mail.accepted]
    return (
        seen["connections"] / MAILS,
        seen["other"] / MAILS,
        statistics.median(times),
        len(times) == MAILS and seen["connections"] <= most * MAILS,
    )


if __name__ == "__main__":
    sys.exit(main())
