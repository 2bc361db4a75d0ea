# SPDX-License-Identifier: BSD-2-Clause
"""What the real daemon writes, for the programs of others that read it: log lines and header fields.

    day = sample.take()
    day.lines       the log, as it came: "ringback-milter[812]: ..."
    day.messages    name -> Message: client, sender and the header fields that were added; None where
                    the message was refused

ringback-milter runs with a DNS server and mail hosts of its own on the loopback (tests/smtpd), and is told of clients by
the milter protocol, as an MTA would. Among them are such as write into the log what they would like to be read there.
Needs no root, no MTA and no network. RB_SRCDIR and RB_BUILDDIR say where source and programs are.
"""

import collections
import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

SOURCE = pathlib.Path(os.environ.get("RB_SRCDIR", ".")).resolve()
BUILD = pathlib.Path(os.environ.get("RB_BUILDDIR", "build")).resolve()
CONTRIB = SOURCE / "contrib"
sys.path.insert(0, str(SOURCE / "tests/lab"))

import miltertalk  # noqa: E402  (its folder comes first)
import scripted_dns  # noqa: E402

PATIENCE_S = 60  # for what must come, and comes at once on a machine that is not busy
POLL_S = 0.005
AUTHSERV_ID = "mx.our.example"
OUR_USER = b"<someone@our.example>"

# Who is never to be blamed, whatever strangers write of him.
BYSTANDER = "203.0.113.200"
FORGER, GUESSER, DISOWNED, DENIED, LIAR = "203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.4", "203.0.113.5"
HONEST, UNLUCKY, TRUSTED, IPV6_FORGER = "203.0.113.10", "203.0.113.11", "203.0.113.250", "2001:db8:bad::1"
TRIES = 12  # what a client does so often is done in bulk
DOMAIN_RATE = 40  # callouts a minute

CONFIG = """
listen      = "unix:{folder}/milter.sock"
control     = "{folder}/control.sock"
user        = "{user}"
hostname    = "mx.our.example"
authserv_id = "mx.our.example"
resolvers   = {{ "127.0.0.1:{dns_port}" }}
trusted_networks = {{ "203.0.113.250" }}
dry_run     = {dry_run}
http        = "{http}"
callout {{ port = {port} allowed_networks = {{ "127.8.0.0/16" }} connect_timeout = "5s" }}
cache {{ store = "lmdb:{folder}/cache" max_size = "16MB" }}
greylist {{ retry = no }}
limits {{ per_domain_rate = "{domain_rate}/m" per_client_rate = "10000/m" per_client_bad_rcpt = "10000/m" }}
connect_back {{ check = yes target = "helo" on_unsupported = "accept" on_unreachable = "accept" }}
relay "our.example" {{ to = {{ "127.8.0.5:{port}" }} }}
policy "recipients" {{ match {{ recipient = {{ "our.example" }} client = {{ "203.0.113.2" }} }} verify = "recipient" }}
policy "kept" {{ match {{ sender = {{ "kept.example" }} }} on_invalid = "quarantine" }}
policy "marked" {{ match {{ sender = {{ "marked.example" }} }} on_invalid = "tag" }}
policy "strict" {{ match {{ sender = {{ "disowns.example" }} }} on_spf_fail = "reject" }}
policy "default" {{ on_greylisted = "tempfail" verify_headers = {{ "from" }} on_header_invalid = "reject" }}
"""
HOSTS = r"""
host * {{
    port {port}
    rcpt alice@* 250 "2.1.5 Ok"
    rcpt full@* 452 "4.2.2 mailbox over quota"
    rcpt later@* 450 "4.2.1 try later"
    rcpt liar*@* 550 "5.1.1 user unknown\" client={bystander} id=1|5.1.1 verdict=valid action=accept client={bystander} \""
    rcpt broken*@* raw "550 5.1.1 user unknown \x1b[31m\x00 \\\" \x9b\xff <HOST> client={bystander}\r\n"
    rcpt * 550 "5.1.1 <%a>: user unknown"
}}
host 127.8.0.1 mx.forged.example {{ }}
host 127.8.0.2 mx.grey.example {{ rcpt * 450 "4.2.0 <%a>: Greylisted, see http://postgrey.example" }}
host 127.8.0.3 mx.all.example {{ rcpt * 250 }}
host 127.8.0.4 mx.says-no.example {{ other "AYTTM*" 450 "4.5.0 AYTTM no"; rcpt * 250 }}
host 127.8.0.5 relay.our.example {{ rcpt someone@our.example 250 }}
host 127.8.0.6 mx.says-yes.example {{ other "AYTTM*" 450 "4.5.0 AYTTM yes %a"; rcpt alice@* 250 }}
"""
PLACES = {"127.8.0.1": ["forged", "liars", "many", "marked", "kept", "good", "disowns"], "127.8.0.2": ["grey"], "127.8.0.3": ["all"]}
PLACES |= {"127.8.0.4": ["says-no"], "127.8.0.6": ["says-yes"]}

Message = collections.namedtuple("Message", "client sender fields")


def zone():
    """What is known of all domains; whatever else is asked for does not exist."""
    known = {}
    for place, names in PLACES.items():
        for name in names:
            domain = f"{name}.example"
            known[domain, "MX"] = [(10, f"mx.{domain}")]
            known[f"mx.{domain}", "A"] = [place]
    known["disowns.example", "TXT"] = [["v=spf1 -all"]]
    known["gone.example", "TXT"] = [["nothing but this"]]  # exists, and has no mail host
    known["mx.our.example", "A"] = ["127.0.0.1"]
    return known


# --- The programs --------------------------------------------------------------


def _free_port():
    with socket.socket() as trial:
        trial.bind(("127.8.0.1", 0))
        return trial.getsockname()[1]


@contextlib.contextmanager
def running(argv, **options):
    """A program for as long as the block lasts. It is told to end, and awaited."""
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, **options)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def until(happened, process, what):
    """Waits for what is to come of a program; raises where it ends, or nothing comes."""
    end = time.monotonic() + PATIENCE_S
    while not happened():
        if time.monotonic() > end or (process and process.poll() is not None):
            raise OSError(what() if callable(what) else what)
        time.sleep(POLL_S)


@contextlib.contextmanager
def scratch():
    """A folder that other users may enter, too: some programs become one."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ringback-contrib-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Daemon:
    def __init__(self, folder, dns_port, port, http):
        self._own = {"folder": folder, "dns_port": dns_port, "port": port, "domain_rate": DOMAIN_RATE, "http": http}
        self._own["user"] = "nobody" if os.geteuid() == 0 else ""
        self._path = folder / "ringback.conf"
        self.log = folder / "log"
        self._socket = folder / "milter.sock"

    def configure(self, dry_run="no"):
        self._path.write_text(CONFIG.format(dry_run=dry_run, **self._own))

    def argv(self, program, *words):
        return [str(BUILD / program), *words, "-c", str(self._path)]

    def connect(self):
        made = socket.socket(socket.AF_UNIX)
        try:
            made.connect(str(self._socket))
        except OSError:
            made.close()
            raise
        return made

    def listens(self):
        with contextlib.suppress(OSError):
            self.connect().close()
            return True
        return False

    def reload(self, **settings):
        self.configure(**settings)
        subprocess.run(self.argv("ringback", "reload"), check=True, capture_output=True, timeout=PATIENCE_S)


@contextlib.contextmanager
def _mail_hosts(folder, port):
    ready = folder / "hosts.ready"
    (folder / "hosts").write_text(HOSTS.format(port=port, bystander=BYSTANDER))
    argv = [BUILD / "tests/smtpd/smtpd", "-s", folder / "hosts", "-r", ready]
    with running([str(word) for word in argv], stdout=subprocess.DEVNULL) as process:
        until(ready.exists, process, "smtpd does not start")
        yield


# --- What clients do -----------------------------------------------------------


class _Day:
    def __init__(self, daemon):
        self._daemon = daemon
        self.messages = {}

    def send(self, client, sender, *, name=None, helo="mx.good.example", to=OUR_USER, header=(), queue_id="4Xyz12"):
        """One connection with one message; what was added to it is kept by `name`."""
        talk = miltertalk.Talk(connected=self._daemon.connect(), patience=PATIENCE_S)
        fields = self._message(talk, client, sender, helo, to, header, queue_id)
        talk.close()
        if name:
            self.messages[name] = Message(client, sender.strip("<>"), fields)

    def _message(self, talk, client, sender, helo, to, header, queue_id):
        if _connect(talk, client)[0] != "c":
            return []
        talk.helo(helo.encode("latin-1"))
        macros = [b"i", queue_id.encode()] if queue_id else []
        talk.mail(sender.encode("latin-1"), macros=macros)
        if talk.rcpt(to, macros=macros)[0] != "c" or talk.data()[0] != "c":
            return None
        for field, value in [(b"Subject", b"hello"), *header]:
            talk.header(field, value)
        (kind, _), changes = talk.end()
        return _added(changes) if kind in "ac" else None


def _connect(talk, client):
    """As the protocol has it for the family of the address."""
    if ":" not in client:
        return talk.connect(address=client.encode())
    return talk.step("C", b"client.example\0" + b"6" + b"\x10\xe1" + f"IPv6:{client}".encode() + b"\0")


def _added(changes):
    """The fields that were added: (name, value)."""
    fields = []
    for kind, data in changes:
        if kind in "hi":
            name, value, _ = data[4 if kind == "i" else 0 :].split(b"\0")
            fields.append((name.decode(), value.decode()))
    return fields


def _forgers(day):
    for number in range(TRIES):
        day.send(FORGER, f"<nobody{number}@forged.example>", queue_id="")
        day.send(IPV6_FORGER, f"<nobody{number}@gone.example>")
        day.send(GUESSER, "<alice@good.example>", to=f"<guess{number}@our.example>".encode())
        day.send(DISOWNED, f"<me{number}@disowns.example>")
        day.send(DENIED, "<alice@good.example>", helo="mx.says-no.example")


def _honest(day):
    for number in range(TRIES):
        day.send(HONEST, "<alice@good.example>", name="valid", queue_id=f"4Xyz{number}")
        day.send(UNLUCKY, f"<someone{number}@grey.example>")
        day.send(UNLUCKY, f"<someone{number}@nowhere.grey.example>", name="no domain")
        day.send(HONEST, "<>", name="null sender")
        day.send(TRUSTED, f"<nobody{number}@forged.example>", name="trusted")
    day.send(HONEST, "<full@good.example>", name="full")
    day.send(HONEST, "<u@all.example>", name="catch-all")
    day.send(HONEST, "<later@good.example>")
    day.send(HONEST, "<nobody@marked.example>", name="marked")
    day.send(HONEST, "<nobody@kept.example>", name="kept")
    day.send(HONEST, "<alice@says-yes.example>", name="confirmed", helo="mx.says-yes.example")
    day.send(HONEST, "<alice@good.example>", header=[(b"From", b"Bob <nobody@forged.example>")])


# What they would have read of others, or not of themselves. Each is refused, for its sender does not exist.
LIES = (
    f'" verdict=invalid action=reject client={BYSTANDER} id=1 "',
    f'x" action=accept client={BYSTANDER} vouched=spf "',
    f"\\\\\\\" action=reject client={BYSTANDER} ",
    f"]: verify=sender address=<a@b.example> verdict=invalid action=reject client={BYSTANDER}",
    "verdict=unknown reason=exempt action=accept",
    "\\\\" * 30,
    '\\"' * 30,
)


def _quoted(text):
    """As a local part: what RFC 5321 wants escaped is."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _liars(day):
    helo = f'x; x-ayttm=confirmed action=reject client={BYSTANDER} " verdict=denied'
    for lie in LIES:
        day.send(LIAR, f"<{_quoted(lie)}@liars.example>", helo=helo)
        day.send(LIAR, f"<{lie}@liars.example>".replace(" ", "="), helo=helo)
    day.send(LIAR, "<liar@liars.example>", helo=helo)
    day.send(LIAR, "<broken@liars.example>", helo=helo)
    day.send(LIAR, "<alice@good.example>", helo=helo, name="lying HELO")
    day.send(LIAR, f"<{_quoted('x' * 20 + '; reason=accepted')}@marked.example>", name="lying sender")
    day.send(LIAR, "<liar@marked.example>", name="lying host")


def _beyond_limits(day):
    for number in range(DOMAIN_RATE + 3):
        day.send(HONEST, f"<someone{number}@many.example>")


def _in_dry_run(day):
    for number in range(TRIES):
        day.send(HONEST, f"<nobody{number}@forged.example>", name="would be refused")
    day.send(DENIED, "<alice@good.example>", name="denied", helo="mx.says-no.example")
    day.send(HONEST, "<alice@good.example>", name="From", header=[(b"From", b"Bob <nobody@forged.example>")])


Sample = collections.namedtuple("Sample", "lines messages")


def missing():
    """What is not built, or None."""
    for program in ("ringback-milter", "ringback", "tests/smtpd/smtpd"):
        if not os.access(BUILD / program, os.X_OK):
            return f"not built: {BUILD / program}"
    return None


def take(http="", then=None):
    """A day of the daemon's, in a second. http: its directive. then: is called with its folder while it still runs."""
    with scratch() as folder, scripted_dns.ScriptedDns(zone()) as dns:
        if os.geteuid() == 0:
            shutil.chown(folder, "nobody")
        port = _free_port()
        daemon = _Daemon(folder, dns.port, port, http)
        daemon.configure()
        day = _Day(daemon)
        with _mail_hosts(folder, port), open(daemon.log, "wb") as log:
            with running(daemon.argv("ringback-milter", "-f"), stdout=log, stderr=log) as process:
                until(daemon.listens, process, daemon.log.read_text)
                for part in (_forgers, _honest, _liars, _beyond_limits):
                    part(day)
                daemon.reload(dry_run="yes")
                _in_dry_run(day)
                if then:
                    then(folder)
        return Sample(daemon.log.read_text(encoding="latin-1").splitlines(), day.messages)


# --- Read by another way than those that are tested ------------------------------


def read_line(line):
    """A line of the log as (key, value) in a dict, or None where it is no line of keys and values."""
    _, _, text = line.partition(": ")
    found = {}
    while text:
        key, gap, rest = text.partition("=")
        if not gap or " " in key and found:
            return None
        key = key.rpartition(" ")[2]  # behind the queue id
        value, text = _value(rest)
        found[key] = value
    return found


def _value(text):
    """A value, and what stands behind the blank that ends it."""
    if not text.startswith('"'):
        value, _, rest = text.partition(" ")
        return value, rest
    value, at = "", 1
    while text[at] != '"':
        at += text[at] == "\\"
        value += text[at]
        at += 1
    return value, text[at + 2 :]


# --- As others get it ----------------------------------------------------------


def as_syslog(lines, when=None, host="mx"):
    """As they stand in a file of syslog's, all of one time (local time; now)."""
    stamp = time.strftime("%b %e %H:%M:%S", time.localtime(when))
    return [f"{stamp} {host} {line}" for line in lines]


# What a filter should see in which messages: the mailbox, an address in the header, the host of the client.
SIGNS = {
    "valid": {"VALID"},
    "null sender": set(),
    "trusted": set(),
    "full": {"VALID"},
    "catch-all": {"UNKNOWN"},
    "marked": {"INVALID"},
    "kept": {"INVALID"},
    "confirmed": {"VALID", "CLIENT_CONFIRMED"},
    "lying HELO": {"VALID"},
    "lying sender": {"INVALID"},
    "lying host": {"INVALID"},
    "would be refused": {"INVALID"},
    "denied": {"VALID", "CLIENT_DENIED"},
    "From": {"VALID", "HEADER_INVALID"},
}
RECEIVED = ("Received", "from client.example ([192.0.2.1]) by mx.example; Tue, 1 Dec 2026 10:00:00 +0000")


def as_mail(message, *, above=(), below=()):
    """A message as a filter behind us sees it: our fields, and those that came with it."""
    fields = [*above, *reversed(message.fields), *below, RECEIVED]
    fields += [("From", "a@good.example"), ("To", "someone@our.example"), ("Subject", "hello")]
    fields += [("Date", "Tue, 1 Dec 2026 10:00:00 +0000"), ("Message-ID", "<1@good.example>")]
    return "".join(f"{name}: {value}\n" for name, value in fields) + "\nHello.\n"


if __name__ == "__main__":
    taken = take()
    print("\n".join(taken.lines))
    for title, sent in taken.messages.items():
        print(f"# {title}: {sent}")
