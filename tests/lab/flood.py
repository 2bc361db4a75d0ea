# SPDX-License-Identifier: BSD-2-Clause
"""Clients in a hurry: one sender after the other, as fast as Postfix and the milter can answer."""

import contextlib
import itertools
import threading
import time

import client

SOURCE = "203.0.113.66"
SESSIONS = 4  # at once
SESSION_MAILS = 500  # then Postfix would tire of so many RSETs


def probe(rig, senders):
    """One session that asks about one sender after the other: the codes of the replies to RCPT."""
    with contextlib.closing(client.Session(rig.net.client, SOURCE)) as session:
        session.ehlo()
        return [_probe_one(session, sender) for sender in senders]


def _probe_one(session, sender):
    """Three commands in one write; of the replies the last one counts."""
    session.command(f"RSET\r\nMAIL FROM:<{sender}>\r\nRCPT TO:<{client.RECIPIENT}>")
    session.reply()
    return session.reply().code


class Flood:
    """Forged senders of forged.example, from one client, in sessions side by side.

    Use as `with Flood(...) as flood:`. It ends with the last of `mails`, or after `seconds` if there
    have been the `fewest` by then; the block waits for that.
    """

    def __init__(self, rig, mails, seconds, fewest):
        self._rig = rig
        self._mails = mails
        self._fewest = fewest
        self._until = time.monotonic() + seconds
        self._codes = [[] for _ in range(SESSIONS)]
        self._threads = [
            threading.Thread(target=self._run, args=(index,), daemon=True)
            for index in range(SESSIONS)
        ]

    @property
    def codes(self):
        """Of the replies so far, in no order."""
        return sum(self._codes, [])

    @property
    def under_way(self):
        return any(thread.is_alive() for thread in self._threads)

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        for thread in self._threads:
            thread.join()

    def _run(self, index):
        numbers = iter(range(index, self._mails, SESSIONS))
        while time.monotonic() < self._until or len(self.codes) < self._fewest:
            batch = list(itertools.islice(numbers, SESSION_MAILS))
            if not batch:
                return
            self._codes[index] += probe(self._rig, [f"x{n}@forged.example" for n in batch])
