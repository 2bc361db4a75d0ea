# SPDX-License-Identifier: BSD-2-Clause
"""A mail host's daemon, of whatever make: started, waited for until it answers, and ended."""

import contextlib
import os
import pathlib
import re
import signal
import subprocess

import waiting


def start(namespace, argv, output=subprocess.DEVNULL, env=None):
    """Starts a daemon that stays in the foreground, at the head of its own processes."""
    return namespace.popen(argv, start_new_session=True, stdout=output, stderr=output, env=env)


def wait_for_banner(namespace, address, process, port=25):
    """Whether a port there says 220; not where the daemon has ended before."""
    seen = waiting.until(lambda: process.poll() is not None or _greets(namespace, address, port))
    return seen and process.poll() is None


def _greets(namespace, address, port):
    with namespace.socket() as probe:
        probe.settimeout(waiting.PATIENCE_S)
        try:
            probe.connect((address, port))
            return bool(re.match(rb"220[ -]", probe.recv(512)))
        except OSError:
            return False


def children(pid, name):
    """The process ids of its children of that name."""
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended
            words, _, rest = path.read_text(errors="replace").rpartition(")")
            if words.partition("(")[2] == name and int(rest.split()[1]) == pid:
                yield int(path.parent.name)


def end(process, patience=waiting.PATIENCE_S):
    """SIGTERM to it, and then SIGKILL to whatever of its own is left."""
    if not process or process.poll() is not None:
        return
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(patience)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
