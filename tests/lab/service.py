# SPDX-License-Identifier: BSD-2-Clause
"""A mail host's daemon, of whatever make: started, waited for until it answers, and ended."""

import contextlib
import os
import re
import signal
import subprocess
import time


def start(namespace, argv, output=subprocess.DEVNULL, env=None):
    """Starts a daemon that stays in the foreground, at the head of its own processes."""
    return namespace.popen(argv, start_new_session=True, stdout=output, stderr=output, env=env)


def wait_for_banner(namespace, address, process, patience=15.0):
    """Whether port 25 there says 220 before time is up, or the daemon has ended."""
    until = time.monotonic() + patience
    while time.monotonic() < until and process.poll() is None:
        probe = namespace.socket()
        probe.settimeout(5)
        try:
            probe.connect((address, 25))
            if re.match(rb"220[ -]", probe.recv(512)):
                return True
        except OSError:
            pass
        finally:
            probe.close()
        time.sleep(0.1)
    return False


def end(process, patience=10):
    """SIGTERM to it, and then SIGKILL to whatever of its own is left."""
    if not process or process.poll() is not None:
        return
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(patience)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
