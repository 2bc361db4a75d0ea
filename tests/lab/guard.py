# SPDX-License-Identifier: BSD-2-Clause
"""Ends what the lab has started should the lab itself be killed outright.

A child of its own reads a pipe whose other end only the lab holds: when that closes, whatever the
reason, the programs that are still there get SIGTERM. (The kernel's parent-death signal will not
do: it is forgotten when a program gives up root.)
"""

import os
import signal


class Guard:
    def __init__(self):
        read, self._write = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            _watch(read, self._write)
        os.close(read)

    def add(self, pid):
        os.write(self._write, f"{pid} {_birth(pid)}\n".encode())

    def close(self):
        os.close(self._write)
        os.waitpid(self._pid, 0)


def _watch(read, write):
    """The child: never returns."""
    try:
        os.setsid()
        os.close(write)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        with os.fdopen(read) as pipe:
            entries = [line.split(maxsplit=1) for line in pipe]
        for pid, birth in entries:
            if birth.strip() == _birth(pid):
                os.kill(int(pid), signal.SIGTERM)
    finally:
        os._exit(0)


def _birth(pid):
    """When a process began, in the kernel's ticks: tells it from a later one of the same number."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[19]
    except OSError:
        return "gone"
