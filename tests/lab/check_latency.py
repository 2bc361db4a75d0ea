# SPDX-License-Identifier: BSD-2-Clause
"""A burst: nobody waits behind another. How fast that is, `make bench` measures."""

import client
import world

MAX_WAIT_S = 100  # no mail host says a word before all have been called


def run(tap, rig):
    rig.mta.set_patience(2 * MAX_WAIT_S)
    try:
        _burst(tap, rig)
    finally:
        rig.mta.set_patience()


def _burst(tap, rig):
    rig.milter.start_fresh(
        max_wait=f"{MAX_WAIT_S}s", command_timeout=f"{MAX_WAIT_S}s", total_timeout="10m"
    )
    rig.hosts.reset()
    with rig.hosts.held():
        burst = client.Crowd(
            world.SLOW_COUNT,
            lambda n: rig.send(f"user-burst@slow{n}.example", source=f"203.0.113.{n + 1}"),
        )
        waiting = rig.hosts.await_sessions(world.SLOW_COUNT)
    mails = burst.join()
    asked = rig.hosts.settled().connections
    tap.equal(
        waiting,
        world.SLOW_COUNT,
        "100 mails at once of 100 new senders: all their mail hosts are called before one answers",
    )
    odd = [mail for mail in mails if not mail.accepted]
    tap.ok(not odd, "they are all accepted", *odd[:3])
    tap.equal(asked, world.SLOW_COUNT, "each mail host is called once")
    valid = [each for each in rig.milter.decisions() if each.get("address", "").startswith("<user-burst@")]
    tap.equal(
        {(each["reason"], each["cached"]) for each in valid},
        {("accepted", "no")},
        "and each client gets its host's answer",
    )
