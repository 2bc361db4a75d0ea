# SPDX-License-Identifier: BSD-2-Clause
"""ringback-milter under test: its configuration, its process, its log, and the tool `ringback`."""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess

import places
import waiting

CALLOUT_SENDER = "callout@local.example"
TRUSTED = "203.0.113.250"
AUTHSERV_ID = "mta.lab.example"

CONFIG = """
listen          = "{listen}"
control         = "{folder}/control.sock"
http            = ""
user            = "nobody"
hostname        = "{hostname}"
authserv_id     = "{authserv_id}"
log_level       = "info"
dry_run         = {dry_run}
trusted_networks = {{ "127.0.0.0/8", "{trusted}" }}
resolvers       = {{ "192.0.2.53:53" }}
max_wait        = "{max_wait}"
callout {{
    mail_from = "{mail_from}"
    fallback_mail_from = "{callout_sender}"
    command_timeout = "{command_timeout}"
    total_timeout = "{total_timeout}"
    idle_timeout = "{idle_timeout}"
    max_workers = {max_workers}
    # The networks of the lab are reserved for documentation: they are never called unless allowed.
    allowed_networks = {{ "192.0.2.0/24", "198.18.0.0/16", "2001:db8:25::/64", "2001:db8:52::/48" }}
}}
cache {{
    store = "lmdb:{store}"
    max_size = "64MB"
}}
{more}
"""

DEFAULTS = {
    "hostname": "mta.lab.example",
    "mail_from": "",
    "authserv_id": AUTHSERV_ID,
    "callout_sender": CALLOUT_SENDER,
    "trusted": TRUSTED,
    "dry_run": "no",
    "max_wait": "8s",
    "command_timeout": "30s",
    "total_timeout": "60s",
    "idle_timeout": "2s",
    "max_workers": 256,
    "more": "",
}


class Milter:
    """One ringback-milter in `namespace`, its files under `folder`; `place` is where it listens."""

    def __init__(self, namespace, folder, builddir, place=places.Inet()):
        self.namespace = namespace
        self.place = place
        self.folder = pathlib.Path(folder) / "milter"
        self.daemon = os.path.join(builddir, "ringback-milter")
        self.tool = os.path.join(builddir, "ringback")
        self.process = None
        self.log_path = self.folder / "log"
        self.config = self.folder / "ringback.conf"
        self.folder.mkdir()
        shutil.chown(self.folder, "nobody", "nogroup")

    @property
    def control(self):
        return self.folder / "control.sock"

    @property
    def store(self):
        return self.folder / "cache"

    @property
    def pid(self):
        return self.process.pid if self.process else None

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def configure(self, path=None, **changes):
        """Writes a configuration: DEFAULTS, changed where said."""
        path = path or self.config
        own = {"listen": self.place.listen, "folder": self.folder, "store": self.store}
        path.write_text(CONFIG.format(**{**own, **DEFAULTS, **changes}))
        return path

    def start(self, **changes):
        """Starts it with that configuration and waits until it listens."""
        self.configure(**changes)
        self.store.mkdir(exist_ok=True)
        shutil.chown(self.store, "nobody", "nogroup")
        with open(self.log_path, "ab") as log:
            self.process = self.namespace.popen(
                [self.daemon, "-f", "-c", str(self.config)], stdout=log, stderr=log
            )
        self._wait_until_listening()

    def start_fresh(self, **changes):
        """Ends it if it runs, and starts it with an empty cache.

        Ends it outright: what is kept is thrown away.
        """
        if self.alive():
            self.kill()
        shutil.rmtree(self.store, ignore_errors=True)
        self.start(**changes)

    def stop(self, patience=waiting.PATIENCE_S):
        """SIGTERM; returns how it ended (None: it did not run)."""
        if not self.process:
            return None
        self.process.terminate()
        try:
            status = self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            status = "had to be killed"
        self.process = None
        return status

    def kill(self):
        """SIGKILL: what a crash or a power cut leaves behind."""
        self.process.kill()
        self.process.wait()
        self.process = None

    def signal(self, name):
        self.process.send_signal(getattr(signal, name))

    def attempt(self, config, *options):
        """Starts it as it stands, to see it fail: (exit status, what it said)."""
        process = self.namespace.popen(
            [self.daemon, "-f", "-c", str(config), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            output, _ = process.communicate(timeout=waiting.PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.terminate()
            output, _ = process.communicate()
            return "still running", output
        return process.returncode, output

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def decisions(self):
        """The log's decision lines, each as a dict of its key=value words."""
        word = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)')
        lines = [dict(word.findall(line)) for line in self.log().splitlines() if "verify=" in line]
        return [{key: value.strip('"') for key, value in line.items()} for line in lines]

    def decision(self, address, verify="sender", **fields):
        """The last decision about an address (with such fields), once the log has one; {}: none."""
        wanted = {"address": f"<{address}>", "verify": verify, **fields}

        def found():
            lines = [each for each in self.decisions() if wanted.items() <= each.items()]
            return lines[-1] if lines else {}

        return waiting.until(found)

    def ringback(self, *arguments, stdin=None):
        """Runs `ringback VERB -c FILE …`: (exit status, standard output, standard error)."""
        verb, *rest = arguments
        process = self.namespace.popen(
            [self.tool, verb, "-c", str(self.config), *rest],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
        )
        output, errors = process.communicate(stdin, timeout=2 * waiting.PATIENCE_S)
        return process.returncode, output, errors

    def ringback_json(self, *arguments, stdin=None):
        """The same with --json: a list of the objects it printed."""
        _, output, _ = self.ringback(*arguments, "--json", stdin=stdin)
        return parse_json(output)

    def ringback_json_lines(self, *arguments):
        """What prints JSON without being told: a list of the objects it printed."""
        _, output, _ = self.ringback(*arguments)
        return parse_json(output)

    def cached(self, address):
        """What the cache holds about an address: (verdict, reason), or None."""
        _, output, _ = self.ringback("cache", "get", "--json", address)
        found = parse_json(output)
        return (found[0].get("verdict"), found[0].get("reason")) if found else None

    def status(self):
        """What `ringback status --json` prints, at first hand; None where it does not answer."""
        with socket.socket(socket.AF_UNIX) as asking:
            try:
                asking.settimeout(waiting.PATIENCE_S)
                asking.connect(str(self.control))
                asking.sendall(b"status\n")
                with asking.makefile("rb") as answer:
                    return json.loads(answer.read())
            except (OSError, json.JSONDecodeError):
                return None

    def is_busy(self):
        """Whether callouts are under way, or wait to be."""
        status = self.status() if self.alive() else None
        return bool(status and (status["callouts"]["running"] or status["callouts"]["pending"]))

    def await_log(self, word, begins_at=0):
        """What it has said from there on, once a word is in it."""
        waiting.until(lambda: word in self.log()[begins_at:] or not self.alive())
        return self.log()[begins_at:]

    def _wait_until_listening(self):
        waiting.until(lambda: self._listens() or not self.alive())
        if not self.alive() or not self._listens():
            raise OSError("ringback-milter does not start:\n" + self.log()[-4000:])

    def _listens(self):
        try:
            self.place.connect(self.namespace).close()
            return True
        except OSError:
            return False


def parse_json(text):
    """The objects in `text`: one object, one list, or one object a line."""
    text = text.strip()
    if not text:
        return []
    try:
        whole = json.loads(text)
        return whole if isinstance(whole, list) else [whole]
    except json.JSONDecodeError:
        return [json.loads(line) for line in text.splitlines() if line.strip()]
