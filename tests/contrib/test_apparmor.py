#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The AppArmor profile: its parser takes it, and the rules permit what a real run of the daemon does with files.

The kernel of a test machine seldom enforces: so the run is watched by strace, and each file that it opened, made, locked
or removed, each socket, is held against the rules. The daemon's folders stand below one of the test's own; the profile
is asked about them as if they stood at the root. Prints TAP. Needs RB_SRCDIR and RB_BUILDDIR.
"""

import sys

sys.dont_write_bytecode = True

import contextlib
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile

SOURCE = pathlib.Path(os.environ.get("RB_SRCDIR", ".")).resolve()
BUILD = pathlib.Path(os.environ.get("RB_BUILDDIR", "build")).resolve()
sys.path[:0] = [str(SOURCE / "tests/lab"), str(SOURCE / "tests/daemon")]

import guard
import miltertalk
import waiting
from tap import Tap
from test_daemon import Broken

os.environ["PATH"] += ":/usr/sbin:/sbin"
PROFILE = SOURCE / "contrib/apparmor/usr.sbin.ringback-milter"
USER = "nobody" if os.geteuid() == 0 else ""  # whom root's daemon becomes
CONFIG = """
listen     = "unix:{root}/var/spool/postfix/ringback/milter.sock"
control    = "{root}/run/ringback/control.sock"
http       = "unix:{root}/run/ringback/http.sock"
user       = "{user}"
hostname   = "mx.our.example"
resolvers  = {{ "127.0.0.1:{dns_port}" }}
cache {{ store = "lmdb:{root}/var/lib/ringback/cache" max_size = "16MB" }}
connect_back {{ check = yes answer = yes }}
policy "listed" {{ match {{ client = {{ "file:{root}/etc/ringback/clients" }} }} verify = "none" }}
"""

# --- The profile ------------------------------------------------------------------


def parse(*options):
    return subprocess.run(
        ["apparmor_parser", *options, PROFILE], capture_output=True, text=True, check=False
    )


class Rules:
    """What the profile permits, what it includes with it. Of `owner`, abi and the like nothing is known."""

    _VARIABLE = re.compile(r"@\{(\w+)\}")

    def __init__(self, text):
        self._variables = {}
        self._files = []
        self.networks = set()
        for line in text.splitlines():
            self._read(re.sub(r"#.*", "", line).strip())

    def _read(self, line):
        variable = re.match(r"@\{(\w+)\}\s*\+?=\s*(.*)", line)
        network = re.match(r"network (\w+)\s+(\w+),", line)
        file = re.match(r"(?:owner )?([/@]\S+)\s+([a-zA-Z]+),", line)
        if variable:
            self._variables.setdefault(variable[1], []).extend(variable[2].replace('"', "").split())
        elif network:
            self.networks.add(network.groups())
        elif file:
            self._files.append((re.compile(self._pattern(file[1])), set(file[2])))

    def _pattern(self, glob):
        """A regular expression. Slashes that meet where a variable stands are one."""
        while found := self._VARIABLE.search(glob):
            values = ",".join(self._variables[found[1]])
            glob = glob[: found.start()] + "{" + values + "}" + glob[found.end() :]
        words = {"**": ".*", "*": "[^/]*", "?": "[^/]", "{": "(?:", "}": ")"}
        pattern, depth = "", 0
        for word in re.findall(r"\*\*|\[[^]]*\]|\\.|.", glob):
            depth += (word == "{") - (word == "}")
            if word == "," and depth:
                pattern += "|"
            else:
                pattern += words.get(word) or (word if word[0] in "[\\" else re.escape(word))
        return pattern.replace("/)/", "/)/*")

    def permit(self, path, wanted):
        has = set()
        for pattern, permissions in self._files:
            if pattern.fullmatch(path):
                has |= permissions
        return set(wanted) <= has


# --- A run -------------------------------------------------------------------------


class Run:
    """The daemon below a folder of its own, watched. What it did is in self.trace afterwards."""

    def __init__(self, root, guardian):
        self._root = root
        self.trace = root / "trace"
        self._config = root / "etc/ringback/ringback.conf"
        for folder in ("etc/ringback", "var/lib/ringback", "run/ringback", "run/systemd", "var/spool/postfix/ringback"):
            (root / folder).mkdir(parents=True)
            if USER and not folder.startswith("etc"):
                shutil.chown(root / folder, USER)
        (root / "etc/ringback/clients").write_text("192.0.2.0/24\n")
        self._config.write_text(CONFIG.format(root=root, user=USER, dns_port=Broken().port))
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notify.bind(str(root / "run/systemd/notify"))
        os.chmod(root / "run/systemd/notify", 0o777)
        calls = "trace=%file,%network,fcntl,flock,ftruncate,mmap"
        self._process = subprocess.Popen(
            ["strace", "-f", "-y", "-qq", "-s", "256", "-e", calls, "-e", "signal=none", "-o", self.trace,
             BUILD / "ringback-milter", "-f", "-p", root / "run/ringback/milter.pid", "-c", self._config],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "NOTIFY_SOCKET": str(root / "run/systemd/notify")})  # fmt: skip
        guardian.add(self._process.pid)

    def _tool(self, *words):
        return subprocess.run(
            [BUILD / "ringback", *words, "-c", self._config], capture_output=True, text=True, check=False
        )

    def _status(self):
        ran = self._tool("status", "--json")
        return json.loads(ran.stdout) if ran.returncode == 0 else None

    def wait_until_ready(self):
        """The daemon's status, or "ended": then self.complaint() says more."""
        return waiting.until(lambda: self._status() or self._process.poll() is not None and "ended")

    def complaint(self):
        self._process.kill()
        return self._process.communicate()[1]

    def work(self):
        """One transaction, and what an administrator does."""
        connected = socket.socket(socket.AF_UNIX)
        connected.connect(str(self._root / "var/spool/postfix/ringback/milter.sock"))
        talk = miltertalk.Talk(connected=connected)
        talk.connect()
        talk.helo(b"client.example")
        talk.mail(b"<u@d.example>")
        answer = talk.rcpt(b"<someone@our.example>")[0]
        talk.close()
        return answer, self._get("/status.json"), self._tool("reload").returncode

    def _get(self, path):
        """The first word behind HTTP/1.1."""
        with socket.socket(socket.AF_UNIX) as connected:
            connected.connect(str(self._root / "run/ringback/http.sock"))
            connected.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            return connected.makefile("rb").read().decode().split()[1]

    def end(self, pid):
        os.kill(pid, 15)
        self._process.communicate()


OPEN = re.compile(r'open(?:at|at2)?\(.*?"(?:[^"\\]|\\.)*", (?:\{flags=)?([A-Z_|]+).*\) = \d+<(.*?)>')
MAPPED = re.compile(r"mmap\(.*PROT_EXEC.*, \d+<(/.*?)>, ")
LOCKED = re.compile(r"(?:fcntl\(\d+<(/.*?)>, F_(?:OFD_)?SETLKW?,|flock\(\d+<(/.*?)>)")
CHANGED = re.compile(r'(?:mkdir|unlink|rename|chmod|truncate|symlink|link|chown)(?:at2?)?\(.*?"(/[^"]*)"')
NAMED = re.compile(r'sun_path="(/[^"]*)"')
SOCKET = re.compile(r"socket\(AF_(INET6?|NETLINK), SOCK_(STREAM|DGRAM|RAW)")


def uses_of(line):
    """What of the profile's a line of the trace takes: (path, permissions)."""
    opened = OPEN.search(line)
    if opened and "O_PATH" not in opened[1]:
        flags = opened[1]
        wanted = "rw" if "O_RDWR" in flags else "w" if "O_WRONLY" in flags else "r"
        yield opened[2], wanted + ("w" if "O_CREAT" in flags else "")
    for pattern, wanted in ((MAPPED, "m"), (LOCKED, "k"), (CHANGED, "w"), (NAMED, "w")):
        found = pattern.search(line)
        if found and " = -1 " not in line:
            yield next(filter(None, found.groups())), wanted


def installed_at(path, root):
    """Where that file stands on a host that has Ringback, and `root` at its root."""
    path = path.removeprefix(str(root))
    return "/usr/sbin/ringback-milter" if path == str(BUILD / "ringback-milter") else path


def check_run(tap, rules, root, trace):
    uses = {(installed_at(path, root), wanted) for line in trace for path, wanted in uses_of(line)}
    sockets = {tuple(word.lower() for word in found) for line in trace for found in SOCKET.findall(line)}
    for path, wanted in (
        ("/etc/ringback/clients", "r"), ("/var/lib/ringback/cache/data.mdb", "rw"), ("/run/ringback/control.sock", "w"),
        ("/run/ringback/milter.pid", "ww"), ("/var/spool/postfix/ringback/milter.sock", "w"), ("/etc/machine-id", "r"),
    ):  # fmt: skip
        if path.startswith("/etc/machine") and not os.path.exists(path):
            continue
        tap.ok(any(use[0] == path and set(wanted) <= set(use[1]) for use in uses), f"the run used {path}", sorted(uses))
    refused = [f"{path} {wanted}" for path, wanted in sorted(uses) if not rules.permit(path, wanted)]
    tap.ok(not refused, f"each of the {len(uses)} uses of a file is permitted", *refused)
    missing = sockets - rules.networks
    tap.ok(len(sockets) > 1 and not missing, "so are its sockets", f"{sockets}, of which not {missing}")


def check_refusals(tap, rules):
    """No profile is good that permits everything."""
    for path, wanted in (
        ("/etc/shadow", "r"), ("/root/.ssh/id_rsa", "r"), ("/home/u/mail", "r"), ("/etc/postfix/main.cf", "w"),
        ("/etc/ringback/ringback.conf", "w"), ("/var/spool/postfix/private/smtp", "w"), ("/usr/bin/dash", "x"),
        ("/usr/sbin/ringback-milter", "w"), ("/var/lib/other/file", "w"), ("/run/other.sock", "w"),
    ):  # fmt: skip
        tap.ok(not rules.permit(path, wanted), f"{path} {wanted} is not permitted")


def check_watched(tap, rules):
    guardian = guard.Guard()
    with tempfile.TemporaryDirectory(prefix="ringback-apparmor-", ignore_cleanup_errors=True) as folder:
        root = pathlib.Path(folder)
        root.chmod(0o755)
        with contextlib.closing(guardian):
            run = Run(root, guardian)
            status = run.wait_until_ready()
            if status == "ended":
                complaint = run.complaint()
                if "ptrace" in complaint or "PTRACE" in complaint:
                    tap.skip("a run of the daemon", f"strace may not watch here: {complaint.splitlines()[0]}")
                else:
                    tap.ok(False, "the daemon runs", complaint)
                return
            guardian.add(status["pid"])
            tap.equal(run.work(), ("c", "200", 0), "a transaction, a question by HTTP and a reload are done")
            run.end(status["pid"])
        check_run(tap, rules, root, run.trace.read_text(errors="replace").splitlines())


def main():
    if not shutil.which("apparmor_parser"):
        return Tap.skip_all("apparmor_parser is not installed (package apparmor)")
    tap = Tap()
    parsed = parse("-Q", "-K")
    tap.ok(parsed.returncode == 0, "the parser takes the profile", parsed.stderr)
    rules = Rules(parse("-K", "-p").stdout)
    check_refusals(tap, rules)
    if shutil.which("strace"):
        check_watched(tap, rules)
    else:
        tap.skip("a run of the daemon", "strace is not installed")
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
