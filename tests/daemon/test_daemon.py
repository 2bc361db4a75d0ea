#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The daemon itself, as an MTA and its administrator see it: a real process and the real libmilter.

    tests/daemon/test_daemon.py

Speaks the milter protocol (tests/lab/miltertalk.py) to it, and sends it signals. Needs no root, no
MTA and no network. Prints TAP. RB_BUILDDIR says where the programs were built.
"""

import sys

sys.dont_write_bytecode = True  # the source tree may be read-only, and is no place for it

import contextlib
import ctypes
import fcntl
import itertools
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lab"))

import guard
import miltertalk
from tap import Tap

BUILD_DIR = os.environ.get("RB_BUILDDIR") or str(HERE.parents[1])
USER = "nobody" if os.geteuid() == 0 else ""  # whom root's daemon becomes
PATIENCE_S = 60  # for what must come, and comes at once on a machine that is not busy
POLL_S = 0.002
SERVFAIL = 2
CONFIG = """
listen     = "{listen}"
control    = "{folder}/control.sock"
user       = "{user}"
hostname   = "mx.our.example"
resolvers  = {{ "127.0.0.1:{dns_port}" }}
trusted_networks = {{ "203.0.113.250" }}
cache {{ store = "lmdb:{folder}/cache" max_size = "16MB" }}
{more}
"""


class Broken:
    """A name server of 127.0.0.1 that says SERVFAIL to everything: who asks knows nothing, soon."""

    def __init__(self):
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            question, client = self._socket.recvfrom(4096)
            self._socket.sendto(question[:2] + bytes([0x81, 0x80 | SERVFAIL]) + question[4:], client)


class Inet:
    name = "inet"

    def __init__(self, _folder):
        with socket.socket() as trial:
            trial.bind(("127.0.0.1", 0))
            self._address = trial.getsockname()
        self.listen = f"inet:{self._address[1]}@127.0.0.1"

    def connect(self):
        return socket.create_connection(self._address)


class Unix:
    name = "unix"

    def __init__(self, folder):
        self._path = str(folder / "milter.sock")
        self.listen = f"unix:{self._path}"

    def connect(self):
        made = socket.socket(socket.AF_UNIX)
        try:
            made.connect(self._path)
        except OSError:
            made.close()
            raise
        return made


class Daemon:
    """ringback-milter with its files in a folder of its own."""

    def __init__(self, guardian, folder, place, dns_port):
        self._guard = guardian
        self.folder = folder
        self.place = place
        self._own = {"listen": place.listen, "folder": folder, "dns_port": dns_port, "user": USER}
        self.process = None
        self.config = folder / "ringback.conf"
        self.store = folder / "cache"
        self._log = folder / "log"

    def configure(self, more=""):
        self.config.write_text(CONFIG.format(more=more, **self._own))

    def start(self, more=""):
        """Starts it in the foreground; it may not listen yet."""
        self.configure(more)
        self.start_again()

    def start_again(self):
        """As it is configured."""
        with open(self._log, "wb") as log:
            self.process = self._run("ringback-milter", "-f", stdout=log, stderr=log)

    def start_in_background(self, more=""):
        self.configure(more)
        with open(self._log, "wb") as log:
            self.process = self._run("ringback-milter", stdout=log, stderr=log)

    def await_listening(self):
        await_event(self.listens, self.is_alive, "it does not listen:\n" + self.log())

    def listens(self):
        with contextlib.suppress(OSError):
            self.place.connect().close()
            return True
        return False

    def is_alive(self):
        return self.process.poll() is None

    def make_cache(self):
        self.start()
        self.await_listening()
        self.stop()

    def stop(self):
        """How it ended: its exit status, or less than 0 for the signal that killed it."""
        self.process.terminate()
        return self.process.wait(PATIENCE_S)

    def tool(self, verb, *arguments):
        process = self._run("ringback", verb, *arguments, stdout=subprocess.PIPE)
        output, _ = process.communicate(timeout=PATIENCE_S)
        return process.returncode, output.decode()

    def status(self):
        return json.loads(self.tool("status", "--json")[1])

    def reload(self, more):
        self.configure(more)
        if self.tool("reload")[0] != 0:
            raise OSError("ringback reload: " + self.log())

    def log(self):
        return self._log.read_text(errors="replace")

    def _run(self, program, *arguments, **options):
        argv = [os.path.join(BUILD_DIR, program), *arguments, "-c", str(self.config)]
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, **options)
        self._guard.add(process.pid)
        return process


def await_event(happened, may_still, what):
    until = time.monotonic() + PATIENCE_S
    while not happened():
        if time.monotonic() > until or not may_still():
            raise OSError(what)
        time.sleep(POLL_S)


# --- Each message is answered ---------------------------------------------------------------------

STRANGER, TRUSTED = b"203.0.113.1", b"203.0.113.250"
SENDERS = {"a sender of whom nothing is known": b"<u@d.example>", "the null sender": b"<>"}
SUBJECT = (b"Subject", b"hello")

# Version, actions, steps; whether the queue id is there at MAIL, and whether RSET is told.
MTAS = {
    "Postfix": (miltertalk.OFFER, False, True),
    "Sendmail": (miltertalk.OFFER, True, False),
    "milter_protocol = 4": ((4, 0x3F, 0x37F), False, True),
    "milter_protocol = 3": ((3, 0x3F, 0x17F), False, True),
    "milter_protocol = 2": ((2, 0x1F, 0x7F), False, True),
}
MESSAGES = {  # header fields
    "no header field": [],
    "one header field": [SUBJECT],
    "several": [SUBJECT, (b"From", b"x@d.example"), (b"X-Ringback", b"valid")],
}
HEADERS = 'policy "default" { verify_headers = { "from", "reply-to", "sender" } }'
INTERRUPTIONS = ("at MAIL", "at RCPT", "at DATA", "in the header")


class Answers:
    """What a session of an MTA is answered; any that does not come raises."""

    def __init__(self, daemon, mta, address, sender, user=None):
        offer, self._tells_id, self._tells_rset = MTAS[mta]
        self._talk = miltertalk.Talk(
            connected=daemon.place.connect(), offer=offer, patience=PATIENCE_S
        )
        self._sender = sender
        self._user = user
        self._greet(address)

    def _greet(self, address):
        self.connected = self._talk.connect(address=address)[0]
        if self.connected == "c":
            self._talk.helo(b"client.example")

    def _envelope(self):
        macros = [b"i", b"4XyzAB"] if self._tells_id else []
        if self._user:
            macros += [b"{auth_type}", b"PLAIN", b"{auth_authen}", self._user]
        self._talk.mail(self._sender, macros=macros)
        return self._talk.rcpt(b"<someone@our.example>", macros=(b"i", b"4XyzAB"))[0]

    def message(self, fields):
        """The answers to RCPT, to DATA and at the end; and the header fields that are added."""
        told = self._envelope() + self._talk.data()[0]
        for name, value in fields:
            self._talk.header(name, value)
        (kind, _), changes = self._talk.end()
        added = [data for change, data in changes if change in "hi"]
        return told + kind, [name for name in added if b"X-Ringback\0" in name]

    def begin(self):
        return self._envelope()

    def go_on(self):
        """The answers to DATA and at the end."""
        data = self._talk.data()[0]
        self._talk.header(*SUBJECT)
        return data + self._talk.end()[0][0]

    def interrupted(self, where):
        """A message that is given up."""
        if where == "at MAIL":
            self._talk.mail(self._sender)
        else:
            self._envelope()
        if where in ("at DATA", "in the header"):
            self._talk.data()
        if where == "in the header":
            self._talk.header(*SUBJECT)
        if self._tells_rset or where in ("at DATA", "in the header"):
            self._talk.abort()

    def greeted_again(self):
        self._talk.helo(b"again.example")

    def close(self):
        silent = self._talk.is_silent()
        self._talk.close()
        return silent


def every_message_is_answered(tap, daemon):
    for stage, dry in itertools.product(("rcpt", "data", "eom"), ("no", "yes")):
        daemon.reload(f'decide_at = "{stage}"\ndry_run = {dry}\n{HEADERS}')
        for mta in MTAS:
            text = f"{daemon.place.name}, decide_at = {stage}, dry_run = {dry}, {mta}"
            try:
                seen, hangs = _play_all(daemon, mta), False
            except OSError as error:
                seen, hangs = [error], True
            tap.ok(not seen, f"{text}: each message is answered, and nothing else is", *seen[:5])
            if hangs:
                return  # the others would as well, each for so long


def _play_all(daemon, mta):
    """What was otherwise than it should be."""
    odd = []
    for text, sender in SENDERS.items():
        for user in (None, b"me"):
            odd += _play(daemon, mta, sender, user, text)
    if Answers(daemon, mta, TRUSTED, b"<>").connected != "a":
        odd.append("a trusted client is not let through")
    return odd


def _play(daemon, mta, sender, user, text):
    odd = []
    answers = Answers(daemon, mta, STRANGER, sender, user)
    for kind, fields in MESSAGES.items():
        for where in INTERRUPTIONS:
            answers.interrupted(where)
            told, added = answers.message(fields)
            if told != "ccc" or len(added) != 1:
                odd.append(f"{text}, {kind}, after one given up {where}: {told}, {added}")
        answers.greeted_again()
    if not answers.close():
        odd.append(f"{text}: an answer that nobody waited for")
    if "claimed not to reply" in daemon.log():
        odd.append(f"{text}: {daemon.log()[-500:]}")
    return odd


# --- Verbs that the MTA does not know -------------------------------------------------------------

ANSWERS = 'connect_back { answer = yes answer_users = { root } }\n'
POINTS = ("before HELO", "before MAIL", "before RCPT", "before DATA", "after the message")
SAID = b"450 4.5.0 AYTTM unknown\0"


def a_verb_may_come_at_each_point(tap, daemon):
    """And what the session goes on with is answered, the end of a message without header too."""
    for stage, more, mta in itertools.product(("rcpt", "data", "eom"), ("", ANSWERS), MTAS):
        daemon.reload(f'decide_at = "{stage}"\n{more}limits {{ per_client_rate = "100000/m" }}')
        text = f"{daemon.place.name}, decide_at = {stage}, {mta}, {'answers' if more else 'does not answer'}"
        knows = bool(more) and MTAS[mta][0][0] >= miltertalk.DATA_SINCE
        try:
            odd, hangs = [each for point in POINTS for each in _ask_at(daemon, mta, point, knows)], False
        except OSError as error:
            odd, hangs = [error], True
        tap.ok(not odd, f"{text}: verbs at each point of a session", *odd[:5])
        if hangs:
            return  # the others would as well, each for so long


def _ask_at(daemon, mta, point, answers):
    """What is otherwise than it should be, with one of two verbs that is ours, at one point."""
    talk = miltertalk.Talk(connected=daemon.place.connect(), offer=MTAS[mta][0], patience=PATIENCE_S)
    odd = []
    due = [("y", SAID) if answers else ("c", b"")]  # once a connection

    def reach(here):
        if here != point:
            return
        told = [talk.unknown(line) for line in (b"NOSUCH x", b"AYTTM-54321-25", b"AYTTM-54321-25")]
        if told != [("c", b""), due.pop() if due else ("c", b""), ("c", b"")]:
            odd.append(f"{point}: {told}")

    talk.connect(address=STRANGER)
    reach("before HELO")
    talk.helo(b"client.example")
    reach("before MAIL")
    for _ in range(2):
        talk.mail(b"<>")
        reach("before RCPT")
        told = talk.rcpt(b"<someone@our.example>")[0]
        reach("before DATA")
        told += talk.end()[0][0]
        if told != "cc":
            odd.append(f"{point}, then a message: {told}")
        reach("after the message")
    if not talk.is_silent():
        odd.append(f"{point}: an answer that nobody waited for")
    talk.close()
    return odd


# --- Signals --------------------------------------------------------------------------------------

LISTS, ENTRIES = 100, 4000  # enough that it is seen while it reads them,
TRIES = 20  # at least once


def _write_lists(folder):
    """The configuration of a policy over long lists."""
    names = []
    for number in range(LISTS):
        path = folder / f"list{number}"
        path.write_text("".join(f"d{number}x{entry}.example\n" for entry in range(ENTRIES)))
        names.append(f'"file:{path}"')
    return f'policy "long" {{ match {{ sender = {{ {", ".join(names)} }} }} }}'


def _is_seen_at_its_lists(daemon):
    """False: it has read them all before anybody looked."""
    while daemon.is_alive() and not daemon.listens():
        for fd in os.scandir(f"/proc/{daemon.process.pid}/fd"):
            with contextlib.suppress(OSError):
                if "/list" in os.readlink(fd.path):
                    return True
    return False


def _reloads(daemon):
    return [line for line in daemon.log().splitlines() if "reload:" in line]


def a_reload_may_come_while_the_configuration_is_read(tap, daemon):
    more = _write_lists(daemon.folder)
    for _ in range(TRIES):
        daemon.start(more)
        if _is_seen_at_its_lists(daemon):
            break
        daemon.stop()
    daemon.process.send_signal(signal.SIGUSR1)
    text = "SIGUSR1 while it reads its configuration at the start"
    _is_reloaded_once_up(tap, daemon, text)


def _is_reloaded_once_up(tap, daemon, text):
    with contextlib.suppress(OSError):
        daemon.await_listening()
        await_event(lambda: _reloads(daemon), daemon.is_alive, "no reload")
    tap.ok(daemon.is_alive(), f"{text}: it lives", daemon.process.poll(), daemon.log())
    reloads = _reloads(daemon)
    tap.ok(
        len(reloads) == 1 and "configuration taken" in reloads[0],
        f"{text}: it has read it again once it was up",
        reloads,
    )
    tap.equal(daemon.stop(), 0, f"{text}: SIGTERM ends it in order")


class Cache:
    """A cache that is there already, open here too: whoever opens one first makes the locks for those
    who come later.
    """

    def __init__(self, store):
        self._lmdb = ctypes.CDLL("liblmdb.so.0")
        self._environment = ctypes.c_void_p()
        self._must(self._lmdb.mdb_env_create(ctypes.byref(self._environment)))
        self._must(self._lmdb.mdb_env_open(self._environment, os.fsencode(store), 0, 0o600))
        self._file = open(store / "lock.mdb", "r+b")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._lmdb.mdb_env_close(self._environment)
        self._file.close()

    @contextlib.contextmanager
    def held(self):
        """Holds whoever opens it, as another does that opens it just then."""
        fcntl.lockf(self._file, fcntl.LOCK_EX, 1)
        try:
            yield
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_SH, 1)

    @staticmethod
    def _must(error):
        if error:
            raise OSError(f"LMDB: {error}")

    @staticmethod
    def holds(pids):
        """Whether one of these processes waits for a lock."""
        waiting = [line.split() for line in pathlib.Path("/proc/locks").read_text().splitlines()]
        return any(words[1] == "->" and int(words[5]) in pids for words in waiting)


def _children(pid):
    with contextlib.suppress(OSError):
        return [int(each) for each in open(f"/proc/{pid}/task/{pid}/children").read().split()]
    return []


def _has_ended(pid):
    """Gone, or waited for by nobody: a container's first process may not care."""
    with contextlib.suppress(OSError):
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[0] == "Z"
    return True


def a_reload_may_come_while_the_cache_is_opened(tap, daemon):
    daemon.make_cache()
    with Cache(daemon.store) as cache:
        with cache.held():
            daemon.start()
            pid = daemon.process.pid
            await_event(lambda: cache.holds([pid]), daemon.is_alive, daemon.log())
            daemon.process.send_signal(signal.SIGUSR1)
        _is_reloaded_once_up(tap, daemon, "SIGUSR1 while it opens its cache")


def each_signal_to_end_may_come_while_the_cache_is_opened(tap, daemon):
    daemon.make_cache()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        with Cache(daemon.store) as cache:
            with cache.held():
                daemon.start()
                pid = daemon.process.pid
                await_event(lambda pid=pid: cache.holds([pid]), daemon.is_alive, daemon.log())
                daemon.process.send_signal(number)
            status = daemon.process.wait(PATIENCE_S)
        left = [path.name for path in daemon.folder.glob("*.sock")]
        text = f"{number.name} while it starts ends it in order"
        tap.equal((status, left), (0, []), text, daemon.log())


def messages_that_have_begun_go_to_their_end(tap, daemon):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        daemon.start()
        daemon.await_listening()
        answers = [Answers(daemon, mta, STRANGER, b"<>") for mta in MTAS]
        begun = [each.begin() for each in answers]
        daemon.process.send_signal(number)
        with contextlib.suppress(OSError):
            begun = [first + each.go_on() for first, each in zip(begun, answers)]
        told = "ccc"  # to RCPT, to DATA, at the end
        text = f"{number.name} behind RCPT: each message goes to its end"
        tap.equal(begun, [told] * len(MTAS), text)
        tap.equal(daemon.process.wait(PATIENCE_S), 0, f"{number.name} behind RCPT: then it ends")


def what_comes_to_the_parent_is_for_the_daemon(tap, daemon):
    daemon.make_cache()
    with Cache(daemon.store) as cache:
        with cache.held():
            daemon.start_in_background()
            parent = daemon.process.pid
            await_event(lambda: cache.holds(_children(parent)), daemon.is_alive, daemon.log())
            daemon.configure("dry_run = yes")
            daemon.process.send_signal(signal.SIGUSR1)
        text = "SIGUSR1 to a parent that waits for its daemon"
        tap.equal(daemon.process.wait(PATIENCE_S), 0, f"{text}: the daemon starts", daemon.log())
        pid = daemon.status()["pid"]
        await_event(lambda: daemon.status()["dry_run"], lambda: True, "its configuration is the old one")
        tap.ok(True, f"{text}: the daemon has read its configuration again")
        os.kill(pid, signal.SIGTERM)
        await_event(lambda: _has_ended(pid), lambda: True, "it does not end")


# --- All of it ------------------------------------------------------------------------------------


def run_answers(tap, make):
    for kind in (Inet, Unix):
        daemon = make(kind)
        daemon.start()
        daemon.await_listening()
        every_message_is_answered(tap, daemon)
        a_verb_may_come_at_each_point(tap, daemon)
        tap.equal(daemon.stop(), 0, f"{kind.name}: it ends in order", daemon.log()[-2000:])


def run_signals(tap, make):
    for check in (
        a_reload_may_come_while_the_configuration_is_read,
        a_reload_may_come_while_the_cache_is_opened,
        each_signal_to_end_may_come_while_the_cache_is_opened,
        messages_that_have_begun_go_to_their_end,
        what_comes_to_the_parent_is_for_the_daemon,
    ):
        daemon = make(Unix)
        try:
            check(tap, daemon)
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            tap.ok(False, check.__name__, error, daemon.log())


def main():
    guardian, numbers, dns = guard.Guard(), itertools.count(1), Broken()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ringback-daemon-"))
    folder.chmod(0o755)
    tap = Tap()

    def make(kind):
        own = folder / str(next(numbers))
        own.mkdir()
        if USER:
            shutil.chown(own, USER)
        return Daemon(guardian, own, kind(own), dns.port)

    try:
        run_answers(tap, make)
        run_signals(tap, make)
    finally:
        guardian.close()
        shutil.rmtree(folder, ignore_errors=True)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
