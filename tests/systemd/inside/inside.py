#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What ringback-milter does under the systemd that runs here. Within a container made for it (check_systemd), as root.

    inside.py FILE

Prints TAP into FILE. Changes what it likes: the container goes away.
"""

import sys

sys.dont_write_bytecode = True

import contextlib
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE)]

from tap import Tap

SERVICE, SOCKET = "ringback-milter.service", "ringback-milter.socket"
CONFIG = pathlib.Path("/etc/ringback/ringback.conf")
DROP_INS = pathlib.Path("/etc/systemd/system") / f"{SERVICE}.d"
STORE = pathlib.Path("/var/lib/ringback")
CHROOT_SOCKET = "/var/spool/postfix/ringback/milter.sock"
PORT, HTTP_PORT = 8894, 8895
WORLD, OURS = "10.99.0.2", "10.99.0.1"
PATIENCE_S = 90
EXPOSED_MAX = 1.5
OFFER = struct.pack(">IcIII", 13, b"O", 6, 0x1FF, 0x1FFFFF)

BASE = f"""
listen = "inet:{PORT}@127.0.0.1"
hostname = "mx.our.example"
resolvers = {{ "{WORLD}" }}
callout {{ allowed_networks = {{ "10.99.0.0/24" }} }}
"""


# --- Tools ----------------------------------------------------------------------------------------


def run(*argv, **options):
    done = subprocess.run(
        list(map(str, argv)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        timeout=PATIENCE_S, check=False, **options
    )
    return done.returncode, done.stdout.decode(errors="replace")


def systemctl(*arguments):
    return run("systemctl", "--no-pager", *arguments)


def show(name, unit=SERVICE):
    return systemctl("show", unit, "--value", "-p", name)[1].strip()


def until(happened, what="it"):
    """Waits for an event; it gives up late."""
    end = time.monotonic() + PATIENCE_S
    while not happened():
        if time.monotonic() > end:
            raise OSError(f"{what}: that did not come")
        time.sleep(0.05)


def main_pid():
    return int(show("MainPID") or 0)


def is_active():
    return show("ActiveState") == "active"


def await_active():
    until(is_active, "active")


def await_another(pid):
    until(lambda: is_active() and main_pid() not in (0, pid), "a daemon that was started again")


def journal():
    run("journalctl", "--sync")
    return run("journalctl", "--no-pager", "-o", "cat", "-u", SERVICE)[1]


def journal_since(text_before):
    return journal()[len(text_before) :]


def base_with(listen):
    return BASE.replace(f"inet:{PORT}@127.0.0.1", listen)


def configure(more="", base=BASE):
    CONFIG.write_text(base + more)


def drop_in(name, text=None):
    """Sets a drop-in, or takes it away."""
    DROP_INS.mkdir(exist_ok=True)
    path = DROP_INS / f"{name}.conf"
    if text is None:
        path.unlink(missing_ok=True)
    else:
        path.write_text(text)
    systemctl("daemon-reload")


def shipped(name):
    drop_in(name, (HERE / "drop-ins" / f"{name}.conf").read_text())


def stop_all():
    systemctl("stop", SOCKET, SERVICE)
    systemctl("reset-failed", SERVICE)


def restart():
    stop_all()
    status, said = systemctl("start", SERVICE)
    if status != 0:
        raise OSError(said + journal()[-1500:])


def negotiates(connected):
    """Whether the filter answers there, as an MTA hears it."""
    with connected:
        connected.settimeout(PATIENCE_S)
        connected.sendall(OFFER)
        head = connected.recv(5)
        connected.sendall(struct.pack(">Ic", 1, b"Q"))
        return head[4:] == b"O"


def by_tcp():
    return socket.create_connection(("127.0.0.1", PORT), PATIENCE_S)


def by_path(path):
    made = socket.socket(socket.AF_UNIX)
    made.connect(path)
    return made


def get(path, connected):
    with connected:
        connected.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        return connected.makefile("rb").read().decode(errors="replace")


# --- Start and end --------------------------------------------------------------------------------


def the_mta_waits_for_the_filter(tap):
    """As the container has booted."""
    await_active()
    ready = int(show("ActiveEnterTimestampMonotonic"))
    units = "postfix@-.service", "postfix.service"
    begun = [int(show("InactiveExitTimestampMonotonic", unit) or 0) for unit in units]
    good = any(begun) and all(0 < ready <= when for when in begun if when)
    tap.ok(good, "at boot Postfix starts when the filter is ready", units, ready, begun)
    tap.equal(show("NRestarts"), "0", "and the filter has started once")


def a_start_means_that_all_is_open(tap):
    configure(f'http = "127.0.0.1:{HTTP_PORT}"\ndry_run = yes\n')
    stop_all()
    status, said = systemctl("start", SERVICE)
    tap.equal(status, 0, "it starts", said, journal()[-1500:])
    tap.ok(negotiates(by_tcp()), "its filter answers at once")
    tap.equal(run("ringback", "status")[0], 0, "and its control socket does")
    tap.ok(get("/healthz", socket.create_connection(("127.0.0.1", HTTP_PORT))).split()[1] == "200", "and its page")
    tap.ok((STORE / "cache/data.mdb").exists(), "and its cache is there")
    told = show("StatusText")
    tap.ok(told.startswith("Dry run: nothing is refused; sessions open: "), "systemd shows how it does", told)
    tap.equal(show("WatchdogUSec"), "3min", "it is watched")


def a_stop_is_a_stop(tap):
    status, said = systemctl("stop", SERVICE)
    tap.equal(status, 0, "it stops", said)
    tap.equal((show("ActiveState"), show("Result")), ("inactive", "success"), "in order, and stays stopped")
    tap.ok(not pathlib.Path("/run/ringback/control.sock").exists(), "and leaves no socket")
    tap.ok("Ends" in show("StatusText") or not show("StatusText"), "and says nothing else", show("StatusText"))


def it_is_exposed_to_little(tap):
    _, said = run("systemd-analyze", "security", "--no-pager", SERVICE)
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", said)
    tap.ok(found and float(found[1]) <= EXPOSED_MAX, f"systemd-analyze security: {EXPOSED_MAX} at most", said[-300:])
    tap.note(found[0] if found else said)


# --- Reload ---------------------------------------------------------------------------------------


def a_reload_fails_aloud(tap):
    for text, more in (("with a control socket", ""), ("without", 'control = ""\n')):
        configure("dry_run = yes\n" + more)
        restart()
        pid = main_pid()
        configure("dry_run = no\n" + more)
        status, said = systemctl("reload", SERVICE)
        tap.equal(status, 0, f"{text}: a reload succeeds", said, journal()[-1500:])
        until(lambda: "In force" in show("StatusText"), "the new status")
        tap.ok(True, f"{text}: and the configuration is in force")
        configure("dry_run = perhaps\n" + more)
        before = journal()
        status, said = systemctl("reload", SERVICE)
        tap.ok(status != 0, f"{text}: one that is refused fails", said)
        tap.ok("yes or no would be right" in journal_since(before), f"{text}: the log says why", journal_since(before))
        until(lambda: "the last reload was refused" in show("StatusText"), "the status of a refusal")
        tap.ok(is_active() and main_pid() == pid, f"{text}: and the same daemon goes on", show("ActiveState"))
        tap.ok(negotiates(by_tcp()), f"{text}: and answers")
    configure("dry_run = yes\n")
    os.kill(main_pid(), signal.SIGUSR1)
    until(lambda: "Dry run" in show("StatusText"), "the reload by signal")
    tap.ok(is_active(), "SIGUSR1 reloads, too")


# --- Failures -------------------------------------------------------------------------------------


def a_wrong_configuration_fails_the_start(tap):
    configure()
    restart()
    configure("dry_run = perhaps\n")
    status, said = systemctl("restart", SERVICE)
    tap.ok(status != 0, "a restart with a wrong configuration fails", said)
    until(lambda: show("ActiveState") == "failed", "the failure")
    tap.equal(show("ExecMainStatus"), "78", "by exit status 78, and is not tried again")
    tap.ok("dry_run" in show("StatusText"), "systemd shows why", show("StatusText"))
    configure()
    tap.equal(systemctl("start", SERVICE)[0], 0, "mended, it starts")


def a_taken_port_is_waited_for(tap):
    configure()
    stop_all()
    with socket.socket() as taker:
        taker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taker.bind(("127.0.0.1", PORT))
        taker.listen()
        status, said = systemctl("start", SERVICE)
        tap.ok(status != 0, "a start with a taken port fails", said)
        until(lambda: int(show("NRestarts")) >= 12, "twelve tries")
        state = show("ActiveState")
        tap.ok(state != "failed", "it is tried again, and not given up after twelve", state)
    await_active()
    tap.ok(negotiates(by_tcp()), "and serves when the port is free")


def a_full_disk_is_waited_for(tap):
    configure()
    stop_all()
    run("mount", "-t", "tmpfs", "-o", "size=256k,mode=0755", "none", STORE)
    try:
        run("chown", "ringback:ringback", STORE)
        with contextlib.suppress(OSError), open(STORE / "fill", "wb") as fill:
            fill.write(b"x" * 1024 * 1024)
        systemctl("start", "--no-block", SERVICE)
        until(lambda: int(show("NRestarts")) >= 12 or is_active(), "some tries")
        state = show("ActiveState")
        tap.ok(state != "failed", "a full disk is no reason to give up", state, journal()[-500:])
        tap.note(f"full disk: {state}, tried again {show('NRestarts')} times")
        (STORE / "fill").unlink()
        run("mount", "-o", "remount,size=64m", STORE)
        await_active()
        tap.ok(negotiates(by_tcp()), "and it serves when there is room")
    finally:
        stop_all()
        run("umount", STORE)


def whatever_ends_it_it_comes_back(tap):
    configure()
    restart()
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGSEGV, signal.SIGKILL):
        pid = main_pid()
        os.kill(pid, number)
        await_another(pid)
        tap.ok(negotiates(by_tcp()), f"{number.name}: it is there again")


def who_hangs_is_ended(tap):
    drop_in("watchdog", "[Service]\nWatchdogSec=4s\n")
    restart()
    pid = main_pid()
    before = journal()
    time.sleep(10)  # it is the time itself that must pass: two and a half times the watchdog's
    tap.equal(main_pid(), pid, "who lives is left alone")
    with contextlib.closing(by_tcp()) as client:
        client.sendall(OFFER)
        tap.ok(client.recv(5)[4:] == b"O", "with a session that is open, too")
    os.kill(pid, signal.SIGSTOP)
    await_another(pid)
    tap.ok("watchdog" in journal_since(before).lower(), "who hangs is ended by the watchdog", journal_since(before))
    tap.ok(negotiates(by_tcp()), "and is there again")


# --- Sockets --------------------------------------------------------------------------------------


class Callers:
    """MTAs that call again and again, and note what was refused."""

    def __init__(self):
        self.answered, self.refused = 0, []
        self._ends = threading.Event()
        self._threads = [threading.Thread(target=self._call) for _ in range(4)]
        for thread in self._threads:
            thread.start()

    def _call(self):
        while not self._ends.is_set():
            try:
                if not negotiates(by_tcp()):
                    raise OSError("closed before it was answered")
                self.answered += 1
            except OSError as error:
                self.refused.append(repr(error))

    def end(self):
        self._ends.set()
        for thread in self._threads:
            thread.join()


def systemd_opens_the_socket(tap):
    configure("dry_run = yes\n", base_with("systemd"))
    stop_all()
    status, said = systemctl("start", SERVICE)
    told = show("StatusText")
    tap.ok(status != 0 and SOCKET in told, "without its socket it says what is missing", said, told)
    stop_all()
    tap.equal(systemctl("start", SOCKET)[0], 0, "the socket is opened")
    tap.ok(not is_active(), "before the daemon runs")
    tap.ok(negotiates(by_tcp()), "who calls is answered: the daemon is started for him")
    await_active()
    callers = Callers()
    until(lambda: callers.answered > 20, "calls")
    for _ in range(3):
        status, said = systemctl("restart", SERVICE)
        tap.equal(status, 0, "it is restarted while MTAs call", said)
    count = callers.answered
    until(lambda: callers.answered > count + 20, "calls after the restarts")
    callers.end()
    refused = [each for each in callers.refused if "Refused" in each]
    tap.ok(not refused, f"no connection was refused, of {callers.answered}", *refused[:3])
    tap.note(f"{len(callers.refused)} that were accepted, and ended with the old daemon before it read them")
    pid = main_pid()
    os.kill(pid, signal.SIGKILL)
    tap.ok(negotiates(by_tcp()), "who calls after a crash waits, and is answered")
    stop_all()


def sockets_are_where_they_are_wanted(tap):
    configure('control = "/run/ringback/ask.sock"\nhttp = "unix:/run/ringback/http.sock"\n',
              base_with("unix:/run/ringback/milter.sock"))
    restart()
    tap.ok(negotiates(by_path("/run/ringback/milter.sock")), "the MTA's may be in /run/ringback")
    tap.ok(get("/healthz", by_path("/run/ringback/http.sock")).split()[1] == "200", "the page's too")
    tap.equal(run("ringback", "status")[0], 0, "and that of control")


# --- The work, within the sandbox -----------------------------------------------------------------


CLIENT = f"""
import smtplib, sys
session = smtplib.SMTP("{OURS}", 25, local_hostname="mx.good.example", timeout={PATIENCE_S})
session.mail(sys.argv[1])
print(*session.rcpt("root@our.example"))
"""


def send(sender):
    """The reply to RCPT of a client in the world, through Postfix."""
    network = f"--net=/proc/{show('MainPID', 'world.service')}/ns/net"
    return run("nsenter", network, sys.executable, "-c", CLIENT, sender)[1].strip()


def the_drop_in_is_missed(tap):
    run("install", "-d", "-o", "ringback", "-g", "postfix", "-m", "2750", os.path.dirname(CHROOT_SOCKET))
    configure("dry_run = no\n", base_with(f"unix:{CHROOT_SOCKET}"))
    stop_all()
    status, _ = systemctl("start", SERVICE)
    tap.ok(status != 0, "a socket in Postfix's chroot takes a drop-in")
    tap.ok(f"ReadWritePaths={os.path.dirname(CHROOT_SOCKET)}" in show("StatusText"), "and it is said which", show("StatusText"))
    stop_all()
    run("rm", "-r", os.path.dirname(CHROOT_SOCKET))


def postfix_in_a_chroot_is_served(tap):
    the_drop_in_is_missed(tap)
    shipped("postfix-chroot")
    restart()
    run(
        "postconf", "-e", "inet_interfaces=all", "mynetworks=127.0.0.0/8", "mydestination=our.example, localhost",
        "smtpd_milters=unix:ringback/milter.sock", "milter_default_action=tempfail", "compatibility_level=3.6",
    )
    run("postconf", "-F", "smtp/inet/chroot=y")
    tap.equal(systemctl("restart", "postfix")[0], 0, "Postfix, its smtpd in a chroot")
    until(lambda: run("postfix", "status")[0] == 0, "Postfix")
    wanted = ("alice@good.example", "250"), ("nobody@good.example", "550 b'5.1.7")
    for sender, reply in wanted:
        said = send(sender)
        tap.ok(said.startswith(reply), f"mail of {sender}: {reply[:3]}", said, journal()[-1000:])
    tap.ok("no such user here" in send("nobody@good.example"), "with the words of its mail host")
    forged = send("alice@forged.example")
    lines = [line for line in journal().splitlines() if "forged.example" in line]
    tap.ok(any("reason=spf_fail" in line for line in lines), "SPF is looked up", forged, *lines)
    restart()
    tap.ok(send("nobody@good.example").startswith("550"), "after a restart as well")
    lines = [line for line in journal().splitlines() if "address=<nobody@good.example>" in line]
    tap.ok("cached=yes" in lines[-1], "by the cache, which was kept", lines[-1])
    status, said = run("ringback", "cache", "get", "nobody@good.example")
    tap.ok(status == 0 and "no_such_user" in said, "and the tool reads it beside the daemon", said)
    mode = os.stat(CHROOT_SOCKET)
    tap.ok(mode.st_mode & 0o007 == 0, "nobody else may use the socket", oct(mode.st_mode))
    tap.ok("publicsuffix" not in journal().lower(), "the list of public suffixes is read", journal()[-300:])


def connect_back_takes_its_drop_in(tap):
    configure('connect_back { answer = yes answer_users = { postfix } }\n')
    said = {}
    for text in ("without", "with"):
        if text == "with":
            shipped("connect-back")
        before = journal()
        restart()
        said[text] = journal_since(before)
    tap.ok("PrivateUsers" in said["without"], "connect back misses its drop-in aloud", said["without"])
    tap.ok("PrivateUsers" not in said["with"], "and has it", said["with"])


# --- All of it ------------------------------------------------------------------------------------


def open_the_world():
    systemctl("start", "world.service")
    pid = show("MainPID", "world.service")
    inner = ("nsenter", f"--net=/proc/{pid}/ns/net")
    for argv in (
        ("ip", "link", "add", "ours", "type", "veth", "peer", "name", "theirs", "netns", pid),
        ("ip", "address", "add", f"{OURS}/24", "dev", "ours"),
        ("ip", "link", "set", "ours", "up"),
        (*inner, "ip", "address", "add", f"{WORLD}/24", "dev", "theirs"),
        (*inner, "ip", "link", "set", "theirs", "up"),
    ):
        status, said = run(*argv)
        if status != 0:
            raise OSError(f"{' '.join(argv)}: {said}")

    def is_there():
        with contextlib.suppress(OSError):
            socket.create_connection((WORLD, 25), 5).close()
            return True
        return False

    until(is_there, "the world")


CHECKS = (
    the_mta_waits_for_the_filter,
    a_start_means_that_all_is_open,
    it_is_exposed_to_little,
    a_stop_is_a_stop,
    a_reload_fails_aloud,
    a_wrong_configuration_fails_the_start,
    a_taken_port_is_waited_for,
    a_full_disk_is_waited_for,
    whatever_ends_it_it_comes_back,
    who_hangs_is_ended,
    systemd_opens_the_socket,
    sockets_are_where_they_are_wanted,
    postfix_in_a_chroot_is_served,
    connect_back_takes_its_drop_in,
)


def main():
    with open(sys.argv[1], "w", buffering=1) as file:
        tap = Tap(lambda line: print(line, file=file))
        tap.note(run("systemctl", "--version")[1].splitlines()[0])
        try:
            open_the_world()
        except OSError as error:
            tap.ok(False, "there is a world", error)
        for check in CHECKS:
            try:
                check(tap)
            except (OSError, ValueError, IndexError, subprocess.TimeoutExpired) as error:
                tap.ok(False, check.__name__, repr(error), show("ActiveState"), journal()[-2000:])
            for name in ("postfix-chroot", "connect-back", "watchdog"):
                drop_in(name)
            if check is CHECKS[0]:
                drop_in("quick", "[Service]\nRestartSec=200ms\n")
        tap.done()


if __name__ == "__main__":
    main()
