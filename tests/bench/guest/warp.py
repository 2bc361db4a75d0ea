# SPDX-License-Identifier: BSD-2-Clause
"""Simulated hours: programs whose clocks are set forward between two batches of mail.

libfaketime is preloaded into them and adds what a file says to the clock on the wall and to the
monotonic one, so that lifetimes, rates, retries and greylists all see the same day. Time runs at
its usual speed while anything is under way: time-outs are the real ones.
"""

import glob
import os
import pathlib
import time

LIBRARY = "/usr/lib/*/faketime/libfaketimeMT.so.1"
VARIABLES = ["LD_PRELOAD", "FAKETIME_TIMESTAMP_FILE", "FAKETIME_NO_CACHE"]

# In a mount namespace of its own: files laid over the machine's (pairs of names), and a place for
# libfaketime's shared memory that goes when the program does. Then the program.
_INSIDE = """
set -e
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
while [ "$1" != -- ]; do mount --bind "$1" "$2"; shift 2; done
shift
exec env "$@"
"""


def library():
    """Where libfaketime is, or None."""
    found = glob.glob(LIBRARY)
    return found[0] if found else None


class Clock:
    """A clock that starts at the present moment and is set forward by hand."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self._begun = time.time()
        self.begun = self._begun  # of the clock on the wall, as programs see it
        self._write(0.0)

    def now(self):
        """Simulated seconds since the beginning."""
        return time.time() - self._begun + self._ahead

    def set(self, seconds):
        """So many simulated seconds since the beginning; never back."""
        if seconds > self.now():
            self._write(self._ahead + seconds - self.now())

    def environment(self):
        values = [library(), str(self.path), "1"]
        return [f"{name}={value}" for name, value in zip(VARIABLES, values)]

    def _write(self, ahead):
        self._ahead = ahead
        fresh = self.path.with_suffix(".new")
        fresh.write_text(f"+{ahead:.3f}\n")
        os.chmod(fresh, 0o644)
        fresh.rename(self.path)


class Warped:
    """A namespace of the lab whose programs go by a Clock and see other files in some places."""

    def __init__(self, namespace, clock, laid_over=()):
        self._namespace = namespace
        self._clock = clock
        self._laid_over = [str(part) for pair in laid_over for part in pair]

    def popen(self, argv, **options):
        shell = ["unshare", "--mount", "sh", "-c", _INSIDE, "sh"]
        inside = [*self._laid_over, "--", *self._clock.environment(), *argv]
        return self._namespace.popen([*shell, *inside], **options)

    def run(self, *argv):
        process = self.popen(argv)
        if process.wait(60) != 0:
            raise OSError(f"{' '.join(argv)} fails")

    def socket(self, *arguments, **options):
        return self._namespace.socket(*arguments, **options)
