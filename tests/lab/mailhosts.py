# SPDX-License-Identifier: BSD-2-Clause
"""The lab's mail hosts: tests/smtpd with the scenario of world.py, and what they were asked."""

import collections
import contextlib
import json
import os
import pathlib
import time

import net
import waiting

QUIET_S = 0.1  # nothing new for so long, and no session open: all is settled
# What a well-behaved caller never does. Counted over the whole run.
MISDEEDS = [
    "messages",
    "early_talkers",
    "pipelining_violations",
    "order_violations",
    "bare_lf",
    "long_lines",
    "syntax_violations",
]

Counts = collections.namedtuple("Counts", "connections mails rcpts concurrent most_at_once")


def _counts(host):
    return Counts(
        host["connections"], host["mail"], host["rcpt"], host["concurrent"], host["concurrent_max"]
    )


class Asked(dict):
    """IP address -> Counts since the last reset; addresses that saw nobody count 0."""

    def __missing__(self, address):
        return Counts(0, 0, 0, 0, 0)

    @property
    def connections(self):
        """How many connections all mail hosts together have seen."""
        return sum(counts.connections for counts in self.values())

    def __repr__(self):
        return str({address: counts for address, counts in self.items() if any(counts)})


class MailHosts:
    """One smtpd in the world's namespace plays all mail hosts.

    `is_busy` says whether a caller has something under way that is not a session yet.
    """

    def __init__(self, namespace, folder, builddir, hosts, is_busy=lambda: False):
        self.namespace = namespace
        self.folder = pathlib.Path(folder) / "mailhosts"
        self.program = os.path.join(builddir, "tests", "smtpd", "smtpd")
        self.hosts = hosts
        self.process = None
        self._is_busy = is_busy
        self.misdeeds = collections.Counter()

    @property
    def control(self):
        return self.folder / "control.sock"

    def start(self):
        self.folder.mkdir(exist_ok=True)
        scenario = self.folder / "hosts"
        scenario.write_text(self.hosts)
        with open(self.folder / "log", "wb") as log:
            self.process = self.namespace.popen(
                [self.program, "-s", str(scenario), "-C", str(self.control)], stdout=log, stderr=log
            )
        waiting.until(lambda: self._answers() or self.process.poll() is not None)
        if not self._answers():
            raise OSError("smtpd does not start:\n" + (self.folder / "log").read_text())

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10)
        self.process = None

    def _answers(self):
        try:
            return bool(self._ask("ping"))
        except OSError:
            return False

    def everything(self):
        """All counts of each address, by smtpd's names."""
        return self._ask("stats")["hosts"]

    def stats(self):
        found = self.everything()
        return Asked({address: _counts(host) for address, host in found.items()})

    def settled(self):
        """The counts, once every session has ended: callouts go on behind a client's back."""
        last, since = None, time.monotonic()

        def is_settled():
            nonlocal last, since
            busy, now = self._is_busy(), self.stats()
            if busy or now != last:
                last, since = now, time.monotonic()
            open_now = any(counts.concurrent for counts in now.values())
            return not busy and not open_now and time.monotonic() - since >= QUIET_S

        waiting.until(is_settled)
        return last

    @contextlib.contextmanager
    def held(self, *addresses, stage=""):
        """Within the block these (or all) keep their replies back: those of a stage, if said.

        Who has come to know something, or was let in, did not wait for them.
        """
        for address in addresses or [""]:
            self._order(f"hold {address} {stage}".strip())
        try:
            yield
        finally:
            self.release()

    def release(self):
        """Replies that were held are given."""
        self._order("release")

    def await_sessions(self, count, *addresses):
        """Until so many are open at these (or all) at once; how many are."""
        found = 0

        def are_enough():
            nonlocal found
            stats = self.stats()
            found = sum(stats[address].concurrent for address in addresses or stats)
            return found >= count

        waiting.until(are_enough)
        return found

    def reset(self):
        """Waits until all is quiet, then counts from 0."""
        self.settled()
        self._note_misdeeds()
        self._ask("reset")

    def commands(self):
        """All that callers said since the last reset: EHLO names, senders and recipients."""
        entries = self._ask("log")
        return [
            f"{key} {entry[key]}"
            for entry in entries
            for key in ("helo", "mail_from", "rcpt")
            if entry.get(key)
        ]

    def transactions(self, address):
        """What one host was asked since the last reset, an entry a RCPT."""
        return [entry for entry in self._ask("log") if entry.get("host") == address]

    def all_misdeeds(self):
        """What no caller should do, counted over the whole run."""
        self._note_misdeeds()
        return {name: count for name, count in self.misdeeds.items() if count}

    def change(self, old, new):
        """Other words in the scenario, from now on."""
        scenario = self.folder / "hosts"
        scenario.write_text(scenario.read_text().replace(old, new))
        self._order("reload")

    def _note_misdeeds(self):
        totals = self._ask("stats")["totals"]
        self.misdeeds.update({name: totals[name] for name in MISDEEDS})

    def _order(self, order):
        answer = self._ask(order)
        if not answer["ok"]:
            raise OSError(f"smtpd: {order}: {answer}")

    def _ask(self, order):
        """One order on the control socket, its answer as JSON."""
        with net.socket.socket(net.socket.AF_UNIX) as asking:
            asking.settimeout(waiting.PATIENCE_S)
            asking.connect(str(self.control))
            asking.sendall(order.encode() + b"\n")
            with asking.makefile("rb") as answer:
                return json.loads(answer.readline())
