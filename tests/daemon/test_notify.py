#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What a service manager hears of the daemon (sd_notify(3)): a real daemon, and no systemd.

    tests/daemon/test_notify.py

Needs no root, no MTA and no network. Prints TAP. RB_BUILDDIR says where the programs were built.
"""

import sys

sys.dont_write_bytecode = True  # the source tree may be read-only, and is no place for it

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "lab"), str(HERE)]

import guard
import test_daemon
from tap import Tap

USER = "daemon" if os.geteuid() == 0 else ""  # nobody is whom the kernel calls all that it does not know
WATCHDOG_USEC = 400000  # four looks in that
PATIENCE_S = test_daemon.PATIENCE_S


class Manager:
    """Hears what the daemon says."""

    def __init__(self, folder):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.settimeout(PATIENCE_S)
        path = str(folder / "notify")
        self._socket.bind(path)
        os.chmod(path, 0o666)  # it is another user by the time it says something
        os.environ["NOTIFY_SOCKET"] = path
        self.heard = []

    def next_of(self, *names):
        """The next message that says one of these."""
        while True:
            said = self._socket.recv(4096).decode()
            self.heard.append(said)
            if any(line.split("=")[0] in names for line in said.splitlines()):
                return said

    def until(self, text):
        while text not in self.next_of(text.split("=")[0]):
            pass

    def close(self):
        self._socket.close()
        del os.environ["NOTIFY_SOCKET"]


def ready_means_that_all_is_open(tap, daemon, manager):
    daemon.start("dry_run = yes")
    said = manager.next_of("READY", "STOPPING")
    tap.equal(said, "READY=1", "it says that it is ready", daemon.log())
    tap.ok(daemon.listens(), "the MTA can connect by then")
    tap.equal(daemon.tool("status")[0], 0, "and the tool can ask")
    tap.ok((daemon.store / "data.mdb").exists(), "and the cache is there")
    if not any("STATUS" in said for said in manager.heard):
        manager.next_of("STATUS")
    tap.ok("STATUS=Dry run: nothing is refused; sessions open: 0; decisions: 0, refused: 0" in manager.heard,
           "and people are told that nothing is refused", *manager.heard)


def a_reload_is_told(tap, daemon, manager):
    for text, more, status in (
        ("taken", "dry_run = no", 0),
        ("refused", "dry_run = perhaps", 78),
        ("taken again", "dry_run = yes", 0),
    ):
        daemon.configure(more)
        tap.equal(daemon.tool("reload")[0], status, f"a configuration is {text}")
        told = manager.next_of("RELOADING", "READY")
        began, _, when = told.partition("\n")
        tap.equal(began, "RELOADING=1", f"{text}: that it reloads is told")
        tap.ok(when.startswith("MONOTONIC_USEC=") and int(when[15:]) > 0, f"{text}: and when", when)
        tap.equal(manager.next_of("RELOADING", "READY"), "READY=1", f"{text}: and that it is done")
    daemon.configure("dry_run = no")
    os.kill(daemon.process.pid, signal.SIGUSR1)
    tap.ok(manager.next_of("RELOADING", "READY").startswith("RELOADING=1"), "SIGUSR1 is told, too")
    tap.equal(manager.next_of("RELOADING", "READY"), "READY=1", "and that it is done")


def it_is_asked_by_its_process_id(tap, daemon, manager):
    """Whatever its configuration says of a control socket."""
    pid = f"--pid={daemon.process.pid}"
    for text, more, status in (("taken", "dry_run = yes", 0), ("refused", "dry_run = perhaps", 78)):
        daemon.configure(more)
        tap.equal(reload_by_id(pid), status, f"by process id: a configuration is {text}")
    if os.geteuid() == 0:
        tap.equal(said_to(daemon.process.pid, user="nobody"), b"", "another user is not heeded")
        tap.ok(b"dry_run" in said_to(daemon.process.pid, user=USER), "its own user is")
    else:
        tap.skip("another user is not heeded", "needs root")
    with socket.socket(socket.AF_UNIX) as impostor:
        impostor.bind(f"\0ringback-milter/{os.getppid()}")
        impostor.listen()
        tap.equal(reload_by_id(f"--pid={os.getppid()}"), 69, "who has taken another's name is not believed")
    tap.equal(reload_by_id(pid, "-c", str(daemon.config)), 64, "with a configuration it is an error")


# The programs may be in a folder that is root's.
ASK = """
import socket, sys
asks = socket.socket(socket.AF_UNIX)
asks.connect("\\0ringback-milter/" + sys.argv[1])
try:
    asks.sendall(b"reload\\n")
    sys.stdout.buffer.write(asks.makefile("rb").read())
except OSError:
    pass
"""


def said_to(pid, **options):
    argv = [sys.executable, "-c", ASK, str(pid)]
    return subprocess.run(argv, cwd="/", stdout=subprocess.PIPE, timeout=PATIENCE_S, **options).stdout


def reload_by_id(*arguments, **options):
    argv = [os.path.join(test_daemon.BUILD_DIR, "ringback"), "reload", *arguments]
    return subprocess.run(argv, stdin=subprocess.DEVNULL, timeout=PATIENCE_S, **options).returncode


def status_and_life_are_told(tap, daemon, manager):
    daemon.reload("dry_run = no")
    manager.until("STATUS=In force; sessions open: 0; decisions: 0")
    tap.ok(True, "what is in force now is told")
    with daemon.place.connect():
        for _ in range(3):
            manager.next_of("WATCHDOG")
    tap.ok(True, "that it lives is told again and again, as its filter answers")
    answers = test_daemon.Answers(daemon, "Postfix", test_daemon.STRANGER, b"<u@d.example>")
    answers.message([test_daemon.SUBJECT])
    manager.until("STATUS=In force; sessions open: 1; decisions: 1")
    tap.ok(True, "sessions and decisions are told")
    answers.close()


def the_end_is_told(tap, daemon, manager):
    tap.equal(daemon.stop(), 0, "it ends in order", daemon.log())
    manager.until("STOPPING=1")
    manager.until("STATUS=Ends")
    tap.ok(True, "that it ends is told")
    tap.ok("mi_" not in daemon.log(), "libmilter complains of nobody who asked", daemon.log())


def without_a_control_socket_it_is_asked_as_well(tap, daemon, manager):
    daemon.start('control = ""')
    manager.until("READY=1")
    tap.ok(not list(daemon.folder.glob("control*")), "there is no control socket")
    tap.equal(reload_by_id(f"--pid={daemon.process.pid}"), 0, "it reloads all the same")
    tap.equal(daemon.stop(), 0, "and ends in order", daemon.log())
    manager.until("STATUS=Ends")


def a_link_is_followed_at_each_reload(tap, daemon, manager):
    for name, dry in (("v1", "yes"), ("v2", "no")):
        daemon.configure(f"dry_run = {dry}")
        daemon.config.rename(daemon.folder / name)
    daemon.config.symlink_to("v1")
    daemon.start_again()
    manager.until("READY=1")
    tap.ok(daemon.status()["dry_run"], "a configuration that is a link")
    daemon.config.unlink()
    daemon.config.symlink_to("v2")
    tap.equal(daemon.tool("reload")[0], 0, "that points elsewhere now")
    tap.ok(not daemon.status()["dry_run"], "is read where it points to")
    tap.equal(daemon.stop(), 0, "and it ends in order", daemon.log())
    daemon.config.unlink()
    manager.until("STATUS=Ends")


def a_start_that_fails_says_why(tap, daemon, manager):
    daemon.start("dry_run = perhaps")
    tap.equal(daemon.process.wait(PATIENCE_S), 78, "a wrong configuration ends it")
    said = manager.next_of("STATUS", "READY")
    tap.ok(said.startswith("STATUS=") and "dry_run" in said, "and the manager is told why", said)


def main():
    guardian, dns = guard.Guard(), test_daemon.Broken()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ringback-notify-"))
    folder.chmod(0o755)
    os.environ["WATCHDOG_USEC"] = str(WATCHDOG_USEC)
    tap = Tap()
    manager = Manager(folder)
    own = folder / "own"
    own.mkdir()
    test_daemon.USER = USER
    if USER:
        shutil.chown(own, USER)
    daemon = test_daemon.Daemon(guardian, own, test_daemon.Unix(own), dns.port)
    try:
        for check in (
            ready_means_that_all_is_open,
            a_reload_is_told,
            it_is_asked_by_its_process_id,
            status_and_life_are_told,
            the_end_is_told,
            without_a_control_socket_it_is_asked_as_well,
            a_link_is_followed_at_each_reload,
            a_start_that_fails_says_why,
        ):
            check(tap, daemon, manager)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        tap.ok(False, check.__name__, repr(error), *manager.heard[-5:], daemon.log())
    finally:
        manager.close()
        guardian.close()
        shutil.rmtree(folder, ignore_errors=True)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
