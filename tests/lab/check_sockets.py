# SPDX-License-Identifier: BSD-2-Clause
"""Every kind of socket the daemon can listen on; whose it is; what it leaves alone; systemd's.

The MTA's part of it is a Postfix whose smtpd runs in a chroot, as Debian's does.
"""

import contextlib
import grp
import os
import pathlib
import shutil
import socket
import stat
import subprocess
import sys

import client
import miltertalk
import net
import postfix
import waiting
import world

PORT = 8894
VALID, FORGED = "alice@real.example", "nobody@real.example"
BURST = 30
USER, GROUP = "nobody", "nogroup"
OTHER_GROUP = "mail"  # one that USER is not in

ALONE = ["setpriv", f"--reuid={USER}", f"--regid={GROUP}", "--clear-groups", "--"]

# What systemd does between fork and exec. The socket becomes descriptor 3.
HAND_OVER = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3);"
    " os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1', LISTEN_FDNAMES='milter');"
    " os.execv(sys.argv[2], sys.argv[2:])"
)


def run(tap, rig):
    rig.milter.stop()
    bench = Bench(rig)
    try:
        _kinds(tap, bench)
        _ownership(tap, bench)
        _left_alone(tap, bench)
        _cannot_be(tap, bench)
        _systemd(tap, bench)
        rig.mta.stop()
        _chroot(tap, bench)
    finally:
        bench.stop()
        rig.mta.start()


class Bench:
    """The daemon with one socket after the other."""

    def __init__(self, rig):
        self.rig = rig
        self.namespace = rig.net.mta
        self.folder = pathlib.Path(rig.folder) / "sockets"
        self.folder.mkdir()
        shutil.chown(self.folder, USER, GROUP)
        self.path = self.folder / "milter.sock"
        self.config = self.folder / "ringback.conf"
        self.log_path = self.folder / "log"
        self.process = None

    def configure(self, listen, **more):
        settings = {
            "listen": listen,
            "control": self.folder / "control.sock",
            **more,
        }
        text = "".join(f'{name} = "{value}"\n' for name, value in settings.items())
        self.rig.milter.configure(self.config, more=text + 'cache { store = "" }\n')
        return self.config

    def start(self, listen, before=(), pass_fds=(), **more):
        """Starts it; `before` are words before its own. Whether it got so far as to listen.

        What ran before is killed.
        """
        self.kill()
        begins_at = len(self.log())
        config = self.configure(listen, max_wait=f"{waiting.PATIENCE_S}s", **more)
        argv = [*before, self.rig.milter.daemon, "-f", "-c", str(config)]
        with open(self.log_path, "ab") as log:
            self.process = self.namespace.popen(argv, stdout=log, stderr=log, pass_fds=pass_fds)
        return waiting.until(
            lambda: " listens on " in self.log()[begins_at:] or self.process.poll() is not None
        ) and self.process.poll() is None

    def stop(self):
        """An orderly end: its exit status (None: it did not run)."""
        status = None
        if self.process and self.process.poll() is None:
            self.process.terminate()
            status = self.process.wait(waiting.PATIENCE_S)
        self.process = None
        return status

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
        self.process = None

    def attempt(self, listen, before=(), **more):
        """Starts it to see it fail: (exit status, what it said)."""
        argv = [*before, self.rig.milter.daemon, "-f", "-c", str(self.configure(listen, **more))]
        process = self.namespace.popen(
            argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        try:
            said, _ = process.communicate(timeout=waiting.PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.terminate()
            return "it runs", process.communicate()[0]
        return process.returncode, said

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def connect(self, address):
        """A socket connected to ("HOST", port) or a path."""
        family = socket.AF_UNIX
        if isinstance(address, tuple):
            family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        made = self.namespace.socket(family)
        try:
            made.connect(str(address) if family == socket.AF_UNIX else address)
        except OSError:
            made.close()
            raise
        return made

    def ask(self, address, sender=VALID):
        """What a recipient from `sender` is answered there: "c" let in, "y" refused."""
        talk = miltertalk.Talk(self.namespace, connected=self.connect(address))
        try:
            talk.connect()
            talk.helo(b"client.lab.example")
            talk.mail(b"<" + sender.encode() + b">")
            return talk.rcpt(b"<" + client.RECIPIENT.encode() + b">")[0]
        finally:
            talk.close()

    def listener(self, address):
        """A socket that listens, as systemd opens it before it starts the daemon."""
        family = socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX
        made = self.namespace.socket(family)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address if family == socket.AF_INET else str(address))
        if family == socket.AF_UNIX:
            shutil.chown(address, USER, GROUP)
        made.listen(64)
        return made

    def start_handed(self, listener, listen="systemd", **more):
        number = listener.fileno()
        before = (sys.executable, "-c", HAND_OVER, str(number))
        return self.start(listen, before=before, pass_fds=(number,), **more)


# --- Kinds ---


def _kinds(tap, bench):
    everywhere = [("127.0.0.1", PORT), (net.MTA, PORT)]
    kinds = [
        (f"inet:{PORT}@127.0.0.1", [("127.0.0.1", PORT)]),
        (f"inet:{PORT}", everywhere),
        (f"inet6:{PORT}@::1", [("::1", PORT)]),
        (f"inet6:{PORT}", [*everywhere, ("::1", PORT), ("2001:db8:51::10", PORT)]),
        (f"unix:{bench.path}", [bench.path]),
    ]
    for listen, addresses in kinds:
        shown = listen.replace(str(bench.folder), "")
        if not tap.ok(bench.start(listen), f"{shown}: it listens", bench.log()[-500:]):
            continue
        for address in addresses:
            seen = bench.ask(address), bench.ask(address, FORGED)
            where = address[0] if isinstance(address, tuple) else "the path"
            tap.equal(seen, ("c", "y"), f"{shown}: a valid and a forged sender, by {where}")
        if everywhere[0] not in addresses:
            tap.ok(not _answers(bench, everywhere[0]), f"{shown}: and by nothing else")
            _burst(tap, bench, shown, addresses[0])
        _ends(tap, bench, shown)
    tap.ok(not bench.path.exists(), "its unix socket is gone when it has ended")


def _ends(tap, bench, shown):
    tap.equal(bench.stop(), 0, f"{shown}: SIGTERM ends an idle daemon")


def _answers(bench, address):
    try:
        bench.connect(address).close()
        return True
    except OSError:
        return False


def _burst(tap, bench, shown, address):
    """A callback that waits must get others served: by a connection to the socket, of any kind."""
    hosts = bench.rig.hosts
    hosts.settled()
    with hosts.held(*world.SLOW_HOSTS):
        burst = client.Crowd(
            BURST, lambda n: bench.ask(address, f"user-socket@slow{n}.example")
        )
        at_once = hosts.await_sessions(BURST, *world.SLOW_HOSTS)
    answers = burst.join()
    tap.equal(
        (at_once, set(answers)),
        (BURST, {"c"}),
        f"{shown}: {BURST} senders at once: all their hosts are called before one answers",
    )


# --- Whose it is ---


def _ownership(tap, bench):
    listen = f"unix:{bench.path}"
    cases = [
        ({}, 0o660, GROUP, "unless told otherwise"),
        ({"listen_mode": "0600"}, 0o600, GROUP, "listen_mode 0600"),
        ({"listen_mode": "666"}, 0o666, GROUP, "listen_mode 666"),
        ({"listen_group": OTHER_GROUP}, 0o660, OTHER_GROUP, "listen_group, started by root"),
    ]
    for more, mode, group, text in cases:
        bench.start(listen, **more)
        tap.equal(_owner(bench.path), (mode, USER, group), f"the socket's owner: {text}")
        tap.equal(bench.ask(bench.path), "c", f"the socket's owner: {text}: it is answered")

    member = [*ALONE[:3], f"--groups={grp.getgrnam(OTHER_GROUP).gr_gid}", "--"]
    bench.start(listen, before=member, listen_group=OTHER_GROUP)
    tap.equal(
        _owner(bench.path), (0o660, USER, OTHER_GROUP), "listen_group, started by a member of it"
    )
    bench.kill()
    bench.path.unlink()
    _refused(
        tap,
        bench.attempt(listen, before=ALONE, listen_group=OTHER_GROUP),
        78,
        f'is not in the group "{OTHER_GROUP}"',
        "a group that the user is not in",
    )
    _refused(
        tap,
        bench.attempt(listen, listen_group="no-such-group"),
        78,
        'no group "no-such-group"',
        "a group that is not there",
    )
    tap.ok(not bench.path.exists(), "no socket is left behind by them")

    made = bench.folder / "made"
    bench.start(f"unix:{made}/milter.sock", listen_group=OTHER_GROUP)
    tap.equal(
        _owner(made),
        (0o750, USER, OTHER_GROUP),
        "root makes the socket's folder, and the group gets there",
    )
    bench.kill()


def _owner(path):
    if not path.exists():
        return "nothing there"
    return stat.S_IMODE(path.stat().st_mode), path.owner(), path.group()


# --- What is there already, and what cannot be ---


def _refused(tap, ended, status, word, text):
    tap.ok(
        ended[0] == status and word in ended[1] and len(ended[1].splitlines()) == 1,
        f"{text}: refused with {status}, in one line that says why",
        *ended,
    )


def _left_alone(tap, bench):
    listen = f"unix:{bench.path}"
    bench.start(listen)
    bench.kill()
    tap.ok(bench.path.exists(), "a daemon that was killed leaves its socket")
    tap.ok(bench.start(listen), "the next one takes its place", bench.log()[-500:])
    tap.equal(bench.ask(bench.path), "c", "the next one takes its place and is answered")

    control = bench.folder / "control2.sock"
    inode = bench.path.stat().st_ino
    second = bench.attempt(listen, control=control)
    _refused(tap, second, 69, "another process answers there", "a socket that is answered")
    tap.equal(bench.path.stat().st_ino, inode, "a socket that is answered stays what it was")
    tap.equal(bench.ask(bench.path), "c", "a socket that is answered is answered still")
    bench.kill()
    bench.path.unlink()

    bench.path.write_text("precious")
    _refused(tap, bench.attempt(listen), 69, "is no socket", "a path where a file is")
    tap.equal(bench.path.read_text(), "precious", "a path where a file is: it stays")
    bench.path.unlink()

    control.write_text("precious")
    ended = bench.attempt(f"inet:{PORT}@127.0.0.1", control=control)
    _refused(tap, ended, 73, "control2.sock", "a control socket where a file is")
    tap.equal(control.read_text(), "precious", "a control socket where a file is: it stays")
    ended = bench.attempt(listen, control=control)
    tap.ok(
        ended[0] == 73 and not bench.path.exists(), "the listening socket is not left then", ended
    )


def _cannot_be(tap, bench):
    shut = bench.folder / "shut"
    shut.mkdir(mode=0o755)
    cases = [
        (f"unix:{bench.folder}/no/such/milter.sock", 73, "/no/such: No such file"),
        (f"unix:{shut}/milter.sock", 69, "may not write in the folder"),
        (f"unix:/{'x' * 106}", 78, "ringback.conf:"),
        (f"inet:{PORT}@192.0.2.1", 69, "Cannot assign requested address"),
        (f"inet6:{PORT}@no-such-host.example", 69, "no-such-host.example"),
    ]
    for listen, status, word in cases:
        shown = listen.replace(str(bench.folder), "")[:40]
        _refused(tap, bench.attempt(listen), status, word, shown)
    _refused(
        tap,
        bench.attempt(f"unix:{bench.folder}/none/milter.sock", before=ALONE),
        69,
        "there is no folder",
        "a folder that is missing, without root",
    )
    holder = bench.listener(("127.0.0.1", PORT))
    _refused(
        tap,
        bench.attempt(f"inet:{PORT}@127.0.0.1"),
        69,
        "Address already in use",
        "a port that is taken",
    )
    holder.close()


# --- systemd ---


def _systemd(tap, bench):
    _refused(tap, bench.attempt("systemd"), 78, "no socket", "systemd that has opened nothing")
    for address in (("127.0.0.1", PORT), bench.folder / "handed.sock"):
        shown = "inet" if isinstance(address, tuple) else "unix"
        with contextlib.closing(bench.listener(address)) as listener:
            if bench.start_handed(listener):
                _handed(tap, bench, listener, address, f"systemd's {shown} socket")
            elif "this libmilter takes no socket" in bench.log():
                tap.skip("systemd's sockets", "this libmilter takes none")
            else:
                tap.ok(False, f"systemd's {shown} socket is taken", bench.log()[-500:])
            bench.kill()
    with contextlib.closing(bench.listener(("127.0.0.1", PORT))) as listener:
        listening = bench.start_handed(listener, listen=f"inet:{PORT}@127.0.0.1")
        tap.ok(
            not listening and 'listen = "systemd" would be right' in bench.log(),
            "an address that systemd holds for us: refused with what would be right",
            bench.log()[-500:],
        )


def _handed(tap, bench, listener, address, text):
    seen = bench.ask(address), bench.ask(address, FORGED)
    tap.equal(seen, ("c", "y"), f"{text}: a valid and a forged sender")
    if isinstance(address, pathlib.Path):
        _burst(tap, bench, text, address)
    _ends(tap, bench, text)
    with bench.connect(address) as early:
        bench.start_handed(listener)
        talk = miltertalk.Talk(bench.namespace, connected=early)
        tap.equal(
            talk.connect()[0], "c", f"{text}: who calls between end and start waits and is served"
        )
        talk.close()
    bench.stop()
    if isinstance(address, pathlib.Path):
        tap.ok(address.exists(), f"{text}: it stays where systemd made it")


# --- Postfix ---


def _chroot(tap, bench):
    """The recipe of ringback.conf(5): a folder in Postfix' queue that is the daemon's, with
    Postfix' group, which a new socket inherits."""
    mta = postfix.Postfix(
        bench.namespace,
        bench.folder,
        milters="unix:ringback/milter.sock",
        default_action="tempfail",
    )
    mta.start()
    try:
        folder = mta.folder / "spool" / "ringback"
        subprocess.run(
            ["install", "-d", "-o", USER, "-g", "postfix", "-m", "2750", str(folder)], check=True
        )
        tap.ok(bench.start(f"unix:{folder}/milter.sock"), "in Postfix' queue", bench.log()[-500:])
        tap.equal(_owner(folder / "milter.sock")[2], "postfix", "the socket has the folder's group")
        for chrooted in (False, True):
            _smtpd(mta, chrooted)
            text = "smtpd in a chroot" if chrooted else "smtpd without a chroot"
            _through(tap, bench, mta, text)
        mta.settings["milters"] = f"unix:{folder}/milter.sock"
        mta.set("accept")
        _smtpd(mta, True)
        _blind(tap, bench, mta, "No such file", "in a chroot the whole path leads nowhere")
        mta.settings["milters"] = "unix:ringback/milter.sock"
        mta.set("tempfail")
        _smtpd(mta, True)
        os.chmod(folder, 0o700)
        _blind(tap, bench, mta, "Permission denied", "a folder that is the daemon's alone")
    finally:
        mta.stop()
        bench.kill()


def _smtpd(mta, chrooted):
    """Fifth column of master.cf; "postfix reload" takes it."""
    file = mta.config / "master.cf"
    lines = file.read_text().splitlines()
    words = lines[[line.split()[-1:] for line in lines].index(["smtpd"])].split()
    words[4] = "y" if chrooted else "n"
    lines = [" ".join(words) if line.split()[-1:] == ["smtpd"] else line for line in lines]
    file.write_text("\n".join(lines) + "\n")
    mta.reload()


def _through(tap, bench, mta, text):
    good, forged = bench.rig.send(VALID), bench.rig.send(FORGED)
    tap.ok(
        good.accepted and not forged.accepted, f"{text}: told apart", good, forged, mta.log()[-900:]
    )
    tap.ok("5.1.7" in str(forged), f"{text}: in the milter's words", forged)
    message = mta.message(good.subject)
    tap.ok(message and message["X-Ringback"], f"{text}: the message has our header", message)
    queued = good.last.text.split()[-1]
    tap.ok(f": {queued}: verify=" in bench.log(), f"{text}: the log has Postfix' queue id", good)


def _blind(tap, bench, mta, word, text):
    bench.rig.send(VALID)
    waiting.until(lambda: word in mta.log())
    tap.ok(word in mta.log(), f"{text}: Postfix says so", mta.log()[-900:])
