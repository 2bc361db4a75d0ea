# SPDX-License-Identifier: BSD-2-Clause
"""A daemon with a status page, and mail for it: mail hosts and a name server on the loopback, an MTA that is played.

    with rig.running() as daemon:
        daemon.send("203.0.113.1", "<nobody@forged.example>")
        daemon.url, daemon.get("/why?address=...")

Needs no root, no MTA and no network.
"""

import contextlib
import http.client
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "contrib"))

import sample  # noqa: E402  (its folder comes first, and that of the lab with it)

import miltertalk  # noqa: E402
import scripted_dns  # noqa: E402

HOST = "127.8.1.1"
CONFIG = """
listen    = "unix:{folder}/milter.sock"
control   = "{folder}/control.sock"
http      = "127.0.0.1:{http_port}"
user      = "{user}"
hostname  = "mx.our.example"
resolvers = {{ "127.0.0.1:{dns_port}" }}
trusted_networks = {{ "203.0.113.250" }}
callout {{ port = {port} allowed_networks = {{ "127.8.0.0/16" }} }}
cache {{ store = "lmdb:{folder}/cache" max_size = "16MB" }}
greylist {{ first = "1h" }}
limits {{ per_domain_rate = "1000/m" per_client_rate = "10000/m" }}
policy "partners" {{ match {{ client = {{ "198.51.100.0/24" }} }} on_unknown = "tag" }}
policy "default" {{ on_unknown = "accept" }}
"""
HOSTS = r"""
host * {{
    port {port}
    step 3ms
    rcpt alice@* 250 "2.1.5 Ok"
    rcpt full@* 452 "4.2.2 mailbox over quota"
    rcpt later@* 450 "4.2.0 <%a>: Greylisted, see http://postgrey.example"
    rcpt markup@* 550 "5.1.1 <b>no</b> such user <img src=x onerror=alert(1)>"
    rcpt * 550 "5.1.1 <%a>: Recipient address rejected: User unknown in virtual mailbox table"
}}
host 127.8.1.1 mx.good.example {{ }}
host 127.8.1.2 mx.all.example {{ rcpt * 250 }}
"""
ZONE = {
    ("good.example", "MX"): [(10, "mx.good.example")],
    ("mx.good.example", "A"): [HOST],
    ("all.example", "MX"): [(10, "mx.all.example")],
    ("mx.all.example", "A"): ["127.8.1.2"],
    ("disowns.example", "MX"): [(10, "mx.good.example")],
    ("disowns.example", "TXT"): [["v=spf1 -all"]],
    ("mx.our.example", "A"): ["127.0.0.1"],
}


def _free_port(address):
    with socket.socket() as trial:
        trial.bind((address, 0))
        return trial.getsockname()[1]


class Daemon:
    def __init__(self, folder, dns_port):
        self.folder = folder
        self.port, self.http_port = _free_port(HOST), _free_port("127.0.0.1")
        self.url = f"http://127.0.0.1:{self.http_port}"
        user = "nobody" if os.geteuid() == 0 else ""
        self._path = folder / "ringback.conf"
        self._path.write_text(
            CONFIG.format(folder=folder, dns_port=dns_port, port=self.port, http_port=self.http_port, user=user)
        )
        self.log = folder / "log"

    def argv(self, program, *words):
        return [str(sample.BUILD / program), *words, "-c", str(self._path)]

    def connect(self):
        made = socket.socket(socket.AF_UNIX)
        try:
            made.connect(str(self.folder / "milter.sock"))
        except OSError:
            made.close()
            raise
        return made

    def listens(self):
        with contextlib.suppress(OSError):
            self.connect().close()
            return True
        return False

    def send(self, client, sender, helo="mail.example", to=b"<someone@our.example>", queue_id="4Xyz12"):
        """One connection with one message. What came of its recipient: a letter."""
        talk = miltertalk.Talk(connected=self.connect(), patience=sample.PATIENCE_S)
        with contextlib.closing(talk):
            talk.connect(address=client.encode())
            talk.helo(helo if isinstance(helo, bytes) else helo.encode())
            macros = [b"i", queue_id.encode()]
            talk.mail(sender if isinstance(sender, bytes) else sender.encode(), macros=macros)
            kind = talk.rcpt(to, macros=macros)[0]
            if kind == "c":
                talk.header(b"Subject", b"hello")
                talk.end()
            return kind

    def get(self, path):
        """Status, headers and text."""
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=sample.PATIENCE_S)
        with contextlib.closing(connection):
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()

    def status(self):
        done = subprocess.run(self.argv("ringback", "status", "--json"), check=True, capture_output=True)
        return json.loads(done.stdout)


@contextlib.contextmanager
def _mail_hosts(daemon):
    hosts, ready = daemon.folder / "hosts", daemon.folder / "hosts.ready"
    hosts.write_text(HOSTS.format(port=daemon.port))
    argv = [str(sample.BUILD / "tests/smtpd/smtpd"), "-s", str(hosts), "-r", str(ready)]
    with sample.running(argv, stdout=subprocess.DEVNULL) as process:
        sample.until(ready.exists, process, "smtpd does not start")
        yield


@contextlib.contextmanager
def running():
    with sample.scratch() as folder, scripted_dns.ScriptedDns(ZONE) as dns:
        if os.geteuid() == 0:
            shutil.chown(folder, "nobody")
        daemon = Daemon(folder, dns.port)
        with _mail_hosts(daemon), open(daemon.log, "wb") as log:
            with sample.running(daemon.argv("ringback-milter", "-f"), stdout=log, stderr=log) as process:
                sample.until(daemon.listens, process, daemon.log.read_text)
                yield daemon


def await_true(happened, what):
    """Waits for what comes at once on a machine that is not busy."""
    sample.until(happened, None, what)


def missing():
    return sample.missing()
