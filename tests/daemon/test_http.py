#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What the daemon serves by HTTP, octet by octet: a real daemon, and clients that mean it no good.

    tests/daemon/test_http.py

Needs no root, no MTA and no network. Prints TAP. RB_BUILDDIR says where the programs were built.
"""

import sys

sys.dont_write_bytecode = True  # the source tree may be read-only, and is no place for it

import base64
import contextlib
import itertools
import json
import os
import pathlib
import shutil
import socket
import stat
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "lab"), str(HERE)]

import guard
import test_daemon
from tap import Tap

PATIENCE_S = test_daemon.PATIENCE_S
UNAVAILABLE, CONFIG = 69, 78  # sysexits.h
CONNECTIONS_MAX, OF_ADDRESS, REQUESTS_MAX = 64, 16, 1000  # milter/http/connections.h
CROWD = 320  # connections at once
LINE = "\r\n"
PATHS = {
    "/": "text/html; charset=utf-8",
    "/why": "text/html; charset=utf-8",
    "/style.css": "text/css; charset=utf-8",
    "/script.js": "text/javascript; charset=utf-8",
    "/status.json": "application/json",
    "/metrics": "text/plain; version=0.0.4; charset=utf-8",
    "/healthz": "text/plain; charset=utf-8",
}
# openssl passwd -6 -salt ringback, of "Joshua" and of "Swordfish"
JOSHUA = "$6$ringback$S6H7EfgdWtkTcAJn06AkOZsdHt7ogpeZpczpPPyoNPDy415G.LJa1I8ogl21gr9bzCMdQBHPys5oKjorslxxu0"
SWORDFISH = "$6$ringback$lraKcotSYyScqxhV7pAHhqoll0i9g1t/BJREi7qoHzp5Ot6Z5/oYLO2o4uGHxbuu7PzTEmbMDvgVlCPYqQSDc/"


class Reply:
    """What came: a status, header fields with names in lower case, and the body."""

    def __init__(self, status, fields, body):
        self.status, self.fields, self.body = status, fields, body

    def __repr__(self):
        return f"{self.status} {self.fields} {self.body[:200]!r}"

    @property
    def closes(self):
        return self.fields.get("connection", "").lower() == "close"


class Client:
    """One connection. Whatever does not come raises."""

    def __init__(self, connected):
        self._socket = connected
        self._socket.settimeout(PATIENCE_S)
        self._seen = b""

    def say(self, text):
        self._socket.sendall(text if isinstance(text, bytes) else text.encode("latin-1"))
        return self

    def say_what_is_taken(self, text):
        """The other may close before all of it has come."""
        with contextlib.suppress(ConnectionError):
            self.say(text)
        return self

    def reply_status(self):
        """Of the only one."""
        reply = self.reply()
        self.close()
        return reply and reply.status

    def say_at_most(self, octets):
        """What can be said without waiting."""
        self._socket.setblocking(False)
        with contextlib.suppress(OSError):
            self._socket.send(octets)
        self._socket.settimeout(PATIENCE_S)

    def reply(self, method="GET"):
        """The next one; None: the connection was closed instead."""
        while b"\r\n\r\n" not in self._seen:
            if not self._more():
                return None
        head, _, self._seen = self._seen.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split(LINE)
        fields = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in lines)}
        size = 0 if method == "HEAD" else int(fields.get("content-length", 0))
        while len(self._seen) < size:
            if not self._more():
                return None
        body, self._seen = self._seen[:size], self._seen[size:]
        return Reply(int(first.split(" ")[1]), fields, body)

    def ends(self):
        """Whether nothing more comes, and it is closed."""
        return not self.rest()

    def rest(self):
        """All that comes until it is closed."""
        while self._more():
            pass
        return self._seen

    def close(self):
        self._socket.close()

    def _more(self):
        try:
            octets = self._socket.recv(65536)
        except (ConnectionResetError, BrokenPipeError):
            octets = b""
        self._seen += octets
        return bool(octets)


class Web:
    """Where it is served."""

    def __init__(self, family, address, text):
        self._family, self.address, self.text = family, address, text
        self.host = text

    def connect(self, source=None, buffer=None):
        made = socket.socket(self._family)
        try:
            if buffer:
                made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
            if source:
                made.bind((source, 0))
            # With a time-out, a unix socket does not wait its turn.
            made.settimeout(None if self._family == socket.AF_UNIX else PATIENCE_S)
            made.connect(self.address)
        except OSError:
            made.close()
            raise
        return Client(made)

    def request(self, target="/healthz", fields=(), method="GET", version="HTTP/1.1", host=None):
        lines = [f"{method} {target} {version}", f"Host: {host or self.host}", *fields]
        return LINE.join(lines) + LINE * 2

    def ask(self, target="/healthz", fields=(), method="GET", version="HTTP/1.1", host=None, source=None):
        """One request on a connection of its own."""
        return self.ask_as_is(self.request(target, fields, method, version, host), method, source)

    def ask_as_is(self, text, method="GET", source=None):
        client = self.connect(source)
        try:
            return client.say(text).reply(method)
        finally:
            client.close()

    def status(self, *arguments, **options):
        reply = self.ask(*arguments, **options)
        return reply and reply.status


def inet(address="127.0.0.1"):
    """A port that is free, at an address of IPv4 or IPv6."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as trial:
        trial.bind((address, 0))
        port = trial.getsockname()[1]
    text = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    return Web(family, (address, port), text)


def unix(path):
    web = Web(socket.AF_UNIX, str(path), f"unix:{path}")
    web.host = "localhost"
    return web


def own_address():
    """One of this host's that is no loopback address; None: it has none."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as trial:
        trial.connect(("192.0.2.1", 9))  # nothing is sent
        address = trial.getsockname()[0]
        return None if address.startswith(("127.", "0.")) else address
    return None


def basic(user, password):
    pair = f"{user}:{password}".encode()
    return f"Authorization: Basic {base64.b64encode(pair).decode()}"


def start(daemon, web, more=""):
    daemon.start(f'http = "{web.text}"\n{more}')
    daemon.await_listening()
    await_web(daemon, web)
    test_daemon.Answers(daemon, "Postfix", test_daemon.TRUSTED, b"<>").close()  # the MTA is served


def await_web(daemon, web):
    def serves():
        with contextlib.suppress(OSError):
            web.connect().close()
            return True
        return False

    test_daemon.await_event(serves, daemon.is_alive, "nothing by HTTP:\n" + daemon.log())


def passwords(daemon, text, mode=0o600):
    path = daemon.folder / "passwords"
    path.unlink(missing_ok=True)
    path.write_text(text)
    path.chmod(mode)
    if test_daemon.USER:
        shutil.chown(path, test_daemon.USER)
    return path


# --- Requests -------------------------------------------------------------------------------------


def what_is_there_can_be_read(tap, _daemon, web):
    for path, kind in PATHS.items():
        reply = web.ask(path)
        fine = reply.status == 200 and reply.fields["content-type"] == kind and reply.body
        tap.ok(fine, f"GET {path}", reply)
        head = web.ask(path, method="HEAD")
        fine = head.status == 200 and int(head.fields["content-length"]) > 0
        tap.ok(fine and head.fields["content-type"] == kind, f"HEAD {path}", head)
    client = web.connect()
    client.say(web.request(method="HEAD") + web.request())
    told = [client.reply("HEAD").status, client.reply().body]
    tap.equal(told, [200, b"ok\n"], "HEAD has no body: the next reply follows at once")
    client.close()


def it_says_what_the_tool_says(tap, daemon, web):
    served, told = json.loads(web.ask("/status.json").body), daemon.status()
    tap.equal(sorted(served), sorted(told), "/status.json has what `ringback status --json` has")
    tap.equal(served["pid"], told["pid"], "/status.json is of this daemon")


def each_reply_is_guarded(tap, _daemon, web):
    wanted = {
        "cache-control": "no-store",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "cross-origin-resource-policy": "same-origin",
    }
    for target in ("/", "/nothing", "/%00"):
        fields = web.ask(target).fields
        policy = fields.get("content-security-policy", "")
        fine = wanted.items() <= fields.items() and policy.startswith("default-src 'none'; ")
        tap.ok(fine and "unsafe" not in policy, f"{target}: header fields against other pages", fields)


TARGETS = {
    404: ("/nothing", "/healthz/", "//healthz", "/../healthz", "/HEALTHZ", "/healthz%20", "/healthz%2f", "/healthz;x"),
    200: ("/healthz?", "/healthz?x", "/healthz?x=1&&y=%41+b", "/%68ealth%7A", "/healthz?x=%C3%A9")
    + ("http://localhost/healthz", "HTTP://LOCALHOST:1/healthz", "http://localhost?x=1", "/" + "?" * 4095),
    400: ("/%00", "/healthz%00", "/healthz?x=%00", "/%", "/%4", "/%zz", "/healthz?x=%f", "/%ff", "/%C3%28")
    + ("/%C0%AF", "/%ED%A0%80", "/%F4%90%80%80", "/healthz?%ff=1", "*", "healthz", "http://", "http:///healthz")
    + ("https://localhost/healthz", "ftp://localhost/", "http://u@localhost/healthz", "/healthz#x", "/\xff")
    + ("http://local%00host/", "/healthz?" + "x=1&" * 17),
    414: ("/" + "x" * 4096, "/?" + "x" * 5000, "http://localhost/" + "x" * 4096),
    421: ("http://evil.example/healthz", "http://localhost.evil.example/healthz", "http://192.0.2.77/healthz"),
}
METHODS = {
    405: ("POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "CONNECT"),
    501: ("BREW", "get", "PROPFIND", "X" * 200),
}
HOSTS = {
    200: ("localhost", "LocalHost:1", "a.localhost", "localhost.", "127.0.0.1", "127.9.9.9:80", "[::1]", "[::1]:8")
    + ("mx.our.example", "MX.OUR.EXAMPLE.:8895", "localhost:"),
    421: ("evil.example", "localhost.evil.example", "xlocalhost", "192.0.2.77", "[2001:db8::1]", "our.example")
    + ("127.0.0.1.evil.example", "0.0.0.0", "[::]", "2130706433", "0x7f000001", "127.1", "."),
    400: ("", "a b", "localhost/", "localhost:x", "localhost:99999", "[::1", "::1", "[127.0.0.1]", "a@localhost")
    + ("localhost, evil.example", "localhost:1:2", "l\xf6calhost", "[localhost]", "x" * 300),
}


def targets_are_read_with_care(tap, _daemon, web):
    for status, targets in TARGETS.items():
        for target in targets:
            reply = web.ask(target, host="localhost")
            tap.ok(reply and reply.status == status, f"{status} for {target[:50]!r}", reply)


def methods_are_two(tap, _daemon, web):
    for status, methods in METHODS.items():
        for method in methods:
            reply = web.ask(method=method)
            allowed = status != 405 or reply.fields.get("allow") == "GET, HEAD"
            tap.ok(reply and reply.status == status and allowed, f"{status} for {method[:20]}", reply)


def names_are_ours(tap, _daemon, web):
    """DNS rebinding: another's name may lead here."""
    for status, hosts in HOSTS.items():
        for host in hosts:
            reply = web.ask_as_is(f"GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n")
            tap.ok(reply and reply.status == status, f"{status} for the Host {host[:30]!r}", reply)
    for name, text in (
        ("no Host", "GET / HTTP/1.1\r\n\r\n"),
        ("two", "GET / HTTP/1.1\r\nHost: localhost\r\nhost: localhost\r\n\r\n"),
        ("two, the second one foreign", "GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n"),
        ("two, HTTP/1.0", "GET / HTTP/1.0\r\nHost: localhost\r\nHost: localhost\r\n\r\n"),
    ):
        reply = web.ask_as_is(text)
        tap.ok(reply and reply.status == 400, f"400 for {name}", reply)
    reply = web.ask("http://localhost/healthz", host="evil.example")
    tap.equal(reply.status, 200, "the name in the target counts more than the field")


def what_a_request_must_not_have(tap, _daemon, web):
    for status, field in (
        (400, "Content-Length: 5"),
        (413, "Content-Length: 99999999999999999999999"),
        (400, "Content-Length: -1"),
        (400, "Content-Length: x"),
        (400, "Transfer-Encoding: chunked"),
        (400, "Transfer-Encoding: gzip, chunked"),
        (400, "Content-Length: 0\r\nTransfer-Encoding: chunked"),
        (431, "X: " + "y" * 9000),
        (431, LINE.join(f"X{number}: {'y' * 90}" for number in range(100))),
        (431, "X: " + "y" * 100000),
    ):
        client = web.connect()
        try:
            with contextlib.suppress(ConnectionError):
                client.say(web.request(fields=[field]))
            reply = client.reply()
            client.rest()  # libmicrohttpd 0.9.75 says some of its own heads twice
            tap.ok(reply and reply.status == status, f"{status} for {field[:40]!r}, and it is closed", reply)
        finally:
            client.close()
    tap.equal(web.status(fields=["Content-Length: 0"]), 200, "no content, and said so")


SMUGGLED = "GET /style.css HTTP/1.1\r\nHost: localhost\r\n\r\n"


def content_is_no_request(tap, _daemon, web):
    for method, field in (("GET", f"Content-Length: {len(SMUGGLED)}"), ("POST", f"Content-Length: {len(SMUGGLED)}")):
        client = web.connect().say(web.request(method=method, fields=[field]) + SMUGGLED)
        first = client.reply()
        tap.ok(first and first.status in (400, 405) and client.ends(), f"{method}: its content is not read as a request", first)
        client.close()


GARBAGE = (
    b"\r\n" * 1000 + b"x",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),  # TLS
    b"GET\r\n\r\n",
    b"GET /\r\n\r\n",
    b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
    b"GET / HTTP/1.1 x\r\nHost: localhost\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n",
    b"GET / HTTP/1.1\r\n Host: localhost\r\n\r\n",
    b"GET / HTTP/1.1\r\n: x\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET " + b"/" * 60000 + b" HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 9000 + b"\r\n",
)


def garbage_is_no_request(tap, daemon, web):
    for octets in GARBAGE:
        client = web.connect()
        with contextlib.suppress(ConnectionError):
            client.say(octets + b"\r\n\r\n")
        reply = client.reply()
        tap.ok(not reply or reply.status >= 400, f"{octets[:40]!r} is not served", reply)
        client.close()
    tap.equal(web.status(), 200, "and then others are")


def connections_are_kept(tap, _daemon, web):
    client = web.connect()
    client.say(web.request() * 20 + web.request("/nothing") + web.request("/healthz"))
    told = [client.reply().status for _ in range(22)]
    tap.equal(told, [200] * 20 + [404, 200], "requests may come all at once")
    for octet in web.request("/style.css"):
        client.say(octet)
    tap.equal(client.reply().status, 200, "or octet by octet")
    client.say(web.request(fields=["Connection: close"]))
    tap.ok(client.reply().closes and client.ends(), "until the client closes")
    client.close()


def they_are_not_kept_for_ever(tap, _daemon, web):
    client = web.connect()
    replies = []
    for _ in range(REQUESTS_MAX // 50):
        client.say(web.request() * 50)
        replies += [client.reply() for _ in range(50)]
    kept = [reply.closes for reply in replies]
    tap.equal(kept, [False] * (REQUESTS_MAX - 1) + [True], f"request {REQUESTS_MAX} is the last one")
    tap.ok(client.ends(), "and then it is closed")
    client.close()


def http_1_0_is_understood(tap, _daemon, web):
    for text in ("GET /healthz HTTP/1.0\r\n\r\n", "GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n"):
        client = web.connect().say(text)
        reply = client.reply()
        tap.ok(reply and reply.status == 200 and client.ends(), f"{text!r}: served and closed", reply)
        client.close()
    reply = web.ask(version="HTTP/1.0", host="evil.example")
    tap.equal(reply.status, 421, "HTTP/1.0: a name that is not ours")


def no_size_is_left_without_a_reply(tap, _daemon, web):
    """Wherever libmicrohttpd's room for a request ends."""
    odd = {}
    for size in range(4000, 50000, 2300):
        for kind, text in (
            ("target", web.request("/" + "x" * size)),
            ("value", web.request(fields=["X: " + "y" * size])),
            ("name", web.request(fields=["X" * size + ": y"])),
        ):
            status = web.connect().say_what_is_taken(text).reply_status()
            if status not in (200, 404, 414, 431):
                odd[kind, size] = status
    tap.ok(not odd, "each size has its reply", odd)


# --- Crowds ---------------------------------------------------------------------------------------


@contextlib.contextmanager
def crowd(web, count, said=b"", buffer=None):
    """So many connections that say so much, and take no reply."""
    clients = []
    try:
        for _ in range(count):
            clients.append(web.connect(buffer=buffer))
            clients[-1].say_at_most(said)
        yield clients
    finally:
        for client in clients:
            client.close()


def mail_goes_on(tap, daemon, text):
    answers = test_daemon.Answers(daemon, "Postfix", test_daemon.STRANGER, b"<>")
    told, _ = answers.message([test_daemon.SUBJECT])
    tap.equal(told, "ccc", f"{text}: mail goes on")
    answers.close()


def descriptors(daemon):
    return len(os.listdir(f"/proc/{daemon.process.pid}/fd"))


def nobody_keeps_others_out(tap, daemon, web):
    before = descriptors(daemon)
    for text, count, said in (
        ("silent", CROWD, b""),
        ("half a header", CROWD, b"GET / HTTP/1.1\r\nHost: loc"),
        ("half a line", CROWD, b"G"),
        ("replies not taken", CONNECTIONS_MAX + 8, web.request("/script.js").encode() * 2000),
    ):
        buffer = 4096 if "taken" in text else None
        with crowd(web, count, said, buffer):
            tap.equal(web.status(), 200, f"{count} connections, {text}: others are served")
            mail_goes_on(tap, daemon, f"{count} connections, {text}")
            most = descriptors(daemon)
            tap.ok(most <= before + CONNECTIONS_MAX + 4, f"{count} connections, {text}: {CONNECTIONS_MAX} are open", most)
        test_daemon.await_event(lambda: descriptors(daemon) <= before, daemon.is_alive, "connections stay open")


def many_are_served_at_once(tap, _daemon, web):
    with crowd(web, CONNECTIONS_MAX) as clients:
        for client in clients:
            client.say(web.request("/status.json"))
        told = [reply and reply.status for reply in (client.reply() for client in clients)]
        tap.equal(told, [200] * CONNECTIONS_MAX, f"{CONNECTIONS_MAX} at once are all served")


class Slow:
    """A request that never ends, an octet now and then, at a daemon where nobody wants its place."""

    def __init__(self, daemon, web):
        start(daemon, web)
        self._daemon = daemon
        self._socket = socket.create_connection(web.address)
        self._socket.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ")
        self._socket.settimeout(0.1)  # between two octets

    def _is_dropped(self):
        try:
            self._socket.send(b"x")
            return self._socket.recv(1) == b""
        except TimeoutError:
            return False
        except ConnectionError:
            return True

    def is_dropped(self, tap):
        """By CONNECTION_REQUEST_MS since it began."""
        test_daemon.await_event(self._is_dropped, self._daemon.is_alive, "who is slow stays for ever")
        tap.ok(True, "who sends an octet now and then is dropped some day, whatever comes")
        tap.equal(self._daemon.stop(), 0, "and the daemon ends in order", self._daemon.log()[-2000:])


def what_is_not_served_is_told_of(tap, daemon, web):
    """Of the MTA: whoever removes the socket keeps it out."""
    place = daemon.folder / "milter.sock"
    place.rename(place.with_suffix(".away"))
    reply = web.ask()
    tap.equal((reply.status, reply.body), (503, b"milter socket: the MTA is not served\n"), "/healthz tells that the MTA is kept out")
    place.with_suffix(".away").rename(place)
    tap.equal(web.status(), 200, "and that it is not any more")


def a_reload_leaves_them(tap, daemon, web):
    with crowd(web, 10) as clients:
        daemon.reload(f'http = "{web.text}"\ndry_run = yes')
        told = [client.say(web.request("/status.json")).reply() for client in clients]
        dry = [json.loads(reply.body)["dry_run"] for reply in told if reply]
        tap.equal(dry, [True] * 10, "connections outlive a reload, and see what is new")
        other = inet()
        daemon.reload(f'http = "{other.text}"')
        said = "needs a restart to take effect: http\n"
        tap.ok(said in daemon.log(), "another address: a restart is asked for", daemon.log()[-300:])
        tap.equal(web.status(), 200, "and until then it is served at the old one")


def it_ends_in_order(tap, daemon, web):
    with crowd(web, 30, b"GET /"):
        tap.equal(daemon.stop(), 0, "with clients that hang it ends in order", daemon.log()[-500:])


# --- How it is -----------------------------------------------------------------------------------


def the_store_is_told_of(tap, daemon, web):
    data = daemon.store / "data.mdb"
    data.unlink()
    data.symlink_to("/nowhere/at/all")  # it cannot be made anew
    more = f'http = "{web.text}"'

    def health(status):
        daemon.reload(more)  # it is looked at
        return web.status() == status

    test_daemon.await_event(lambda: health(503), daemon.is_alive, "the store is not missed")
    reply = web.ask()
    tap.ok(reply.body.startswith(b"store: "), "the cache is gone: 503, and why", reply)
    tap.equal(web.status("/status.json"), 200, "the cache is gone: what else there is can be read")
    data.unlink()
    test_daemon.await_event(lambda: health(200), daemon.is_alive, "the store is still missed")
    tap.equal(web.ask().body, b"ok\n", "the cache is there again: 200")


# --- Passwords ------------------------------------------------------------------------------------


def passwords_are_asked_for(tap, daemon, web):
    path = passwords(daemon, f"# who may\n\nadmin:{JOSHUA}\nother:{SWORDFISH}\n")
    more = f'http_password_file = "{path}"'
    start(daemon, web, more)
    right = basic("admin", "Joshua")
    reply = web.ask()
    tap.ok(reply.status == 401 and reply.fields["www-authenticate"].startswith("Basic realm="), "no password: 401", reply)
    tap.equal(web.status(method="POST", fields=[right]), 405, "methods are the same with one")
    for target in PATHS:
        tap.equal(web.status(target), 401, f"no password: nothing of {target}")
    tap.equal(web.status("/nothing"), 401, "no password: not even what there is not")
    for field in (
        "Authorization: Bearer x",
        "Authorization: Basic",
        "Authorization: Basic !!!!",
        "Authorization: Basic " + "QUFB" * 1000,
        "Authorization: Basic " + base64.b64encode(b"admin\0:Joshua").decode(),
        "Authorization: Basic " + base64.b64encode(b"admin").decode(),
        basic("admin", "J" * 256),
    ):
        tap.equal(web.status(fields=[field]), 401, f"{field[:40]!r}: 401")
    tap.equal(web.status(fields=[right]), 200, "the right one: 200")
    tap.equal(web.status(fields=[right.replace("Basic", "bAsIc")]), 200, "schemes have no case")
    tap.equal(web.status(fields=[basic("admin", "Swordfish")]), 401, "another's: 401")
    told = [web.status(fields=[basic("admin", f"guess{number}")]) for number in range(20)]
    tap.ok(set(told) <= {401, 429} and 429 in told, "who guesses is told to wait", told)
    tap.equal(web.status(fields=[right]), 200, "and the right one is known meanwhile")
    _are_changed(tap, daemon, web, more, right)
    tap.equal(daemon.stop(), 0, "with a password it ends in order")


def _are_changed(tap, daemon, web, more, right):
    more = f'http = "{web.text}"\n{more}'
    client = web.connect()
    tap.equal(client.say(web.request(fields=[right])).reply().status, 200, "before a reload it is right")
    passwords(daemon, f"admin:{SWORDFISH}\n")
    daemon.reload(more)
    tap.ok(client.say(web.request(fields=[right])).reply().status in (401, 429), "after it, on the same connection, it is not")
    client.close()
    passwords(daemon, f"admin:{JOSHUA}\n", 0o644)
    daemon.configure(more)
    tap.ok(daemon.tool("reload")[0] != 0, "a file that everybody may read: the reload is refused")
    tap.ok(web.status(fields=[right]) in (401, 429), "and the old one counts")
    passwords(daemon, f"admin:{JOSHUA}\n")
    daemon.reload(more)
    tap.equal(web.status(fields=[right]), 200, "known passwords are those of the file")


# --- Other hosts ----------------------------------------------------------------------------------


def other_hosts_are_let_in_by_name(tap, daemon):
    address = own_address()
    if not address:
        tap.skip("clients from other hosts", "this host has no address but loopback")
        return
    web = inet(address)
    path = passwords(daemon, f"admin:{JOSHUA}\n")
    more = f'http_password_file = "{path}"\nhttp_allow = {{ %s }}'
    start(daemon, web, more % '"198.51.100.0/24"')
    tap.equal(web.ask(), None, "an address that http_allow has not is turned away")
    daemon.reload(f'http = "{web.text}"\n' + more % f'"{address}"')
    tap.equal(web.status(), 401, "one that it has, after a reload, needs a password")
    right = [basic("admin", "Joshua")]
    tap.equal(web.status(fields=right), 200, "and has it")
    tap.equal(web.status(fields=right, host="evil.example"), 421, "and a name of ours")
    with crowd(web, 40) as clients:
        tap.equal(web.status(fields=right), 200, "one address, 40 connections: it is served itself")
        open_ones = [client for client in clients if _is_served(client, web)]
        tap.ok(len(open_ones) < OF_ADDRESS, f"one address: {OF_ADDRESS} connections at most", len(open_ones))
    tap.equal(daemon.stop(), 0, "an address of another net: it ends in order")


def _is_served(client, web):
    with contextlib.suppress(OSError):
        return client.say(web.request()).reply() is not None
    return False


# --- Where ----------------------------------------------------------------------------------------


def a_unix_socket_will_do(tap, daemon):
    path = daemon.folder / "http.sock"
    web = unix(path)
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(path))
    stale.close()
    if test_daemon.USER:
        shutil.chown(path, test_daemon.USER)
    start(daemon, web)
    tap.equal(web.status("/"), 200, "unix: a stale socket is replaced")
    tap.equal(stat.filemode(path.stat().st_mode), "srw-rw----", "unix: its mode")
    tap.equal(web.status(host="evil.example"), 200, "unix: no browser, any name")
    tap.equal(web.status(host="a b"), 400, "unix: but a name")
    with crowd(web, CONNECTIONS_MAX + 20):
        tap.equal(web.status(), 200, "unix: silent ones keep nobody out")
    tap.equal((daemon.stop(), path.exists()), (0, False), "unix: it is removed at the end")


def ipv6_will_do(tap, daemon):
    try:
        web = inet("::1")
    except OSError as error:
        tap.skip("IPv6", error)
        return
    start(daemon, web)
    tap.equal(web.status(), 200, "[::1]: served")
    tap.equal(web.status(host="[::1]"), 200, "[::1]: by that name")
    tap.equal(web.status(host="evil.example"), 421, "[::1]: not by another")
    tap.equal(daemon.stop(), 0, "[::1]: it ends in order")


def _listeners(pid):
    """The sockets on which it listens."""
    held = set()
    for fd in os.scandir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            held.add(os.readlink(fd.path))
    rows = [line.split() for name in ("tcp", "tcp6") for line in open(f"/proc/net/{name}") if " 0A " in line]
    inodes = [row[9] for row in rows]
    rows = [line.split() for line in open("/proc/net/unix")]
    inodes += [row[6] for row in rows if row[3] == "00010000"]
    return [inode for inode in inodes if f"socket:[{inode}]" in held]


def nothing_is_opened_unasked(tap, daemon):
    daemon.start('http = ""')
    daemon.await_listening()
    plain = len(_listeners(daemon.process.pid))
    tap.equal(daemon.stop(), 0, 'http = "": it runs')
    start(daemon, inet())
    served = len(_listeners(daemon.process.pid))
    tap.equal(served, plain + 1, 'http = "": it listens nowhere')
    daemon.stop()


def _is_refused(tap, daemon, text, status, more, *words):
    daemon.start(more)
    ended = daemon.process.wait(PATIENCE_S)
    log = daemon.log()
    tap.ok(ended == status and all(word in log for word in words), f"{text}: refused at the start", ended, log[-500:])


def what_is_wrong_is_refused(tap, daemon):
    path = passwords(daemon, f"admin:{JOSHUA}\n")
    file, port = f'http_password_file = "{path}"\n', inet().address[1]
    far = f'http = "0.0.0.0:{port}"\n'
    allow = 'http_allow = { "192.0.2.0/24" }\n'
    for text, more in (
        ("everywhere, without anything", far),
        ("everywhere, with a password alone", far + file),
        ("networks, without a password", far + allow),
        ("networks and loopback, without a password", f'http = "127.0.0.1:{port}"\n' + allow),
        ("[::]", f'http = "[::]:{port}"'),
        ("no port", 'http = "127.0.0.1"'),
        ("port 0", 'http = "127.0.0.1:0"'),
        ("a name", f'http = "localhost:{port}"'),
        ("a path too long", f'http = "unix:/{"x" * 200}"'),
    ):
        _is_refused(tap, daemon, text, CONFIG, more, "http")
    near = f'http = "127.0.0.1:{port}"\n' + file
    for text, content in (("empty", ""), ("comments alone", "# x\n"), ("no hash", "admin\n"))\
            + (("plain text", "admin:Joshua\n"), ("a legacy hash", "admin:abJnggxhB/yWI\n")):
        passwords(daemon, content)
        _is_refused(tap, daemon, f"a password file, {text}", CONFIG, near, str(path))
    passwords(daemon, f"admin:{JOSHUA}\n", 0o644)
    _is_refused(tap, daemon, "a password file that everybody may read", CONFIG, near, str(path))
    passwords(daemon, f"admin:{JOSHUA}\n", 0o000)
    os.chown(path, os.geteuid(), -1)
    _is_refused(tap, daemon, "a password file that cannot be read", CONFIG, near, str(path))
    path.unlink()
    _is_refused(tap, daemon, "no password file", CONFIG, near, str(path))


def what_is_taken_is_refused(tap, daemon):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        text = f"127.0.0.1:{taken.getsockname()[1]}"
        _is_refused(tap, daemon, "a port that is taken", UNAVAILABLE, f'http = "{text}"', f"cannot listen on {text}")
    path = daemon.folder / "file"
    path.write_text("precious")
    _is_refused(tap, daemon, "a path that is no socket", UNAVAILABLE, f'http = "unix:{path}"', "no socket")
    tap.equal(path.read_text(), "precious", "a path that is no socket: it stays")
    path = daemon.folder / "taken.sock"
    with socket.socket(socket.AF_UNIX) as taken:
        taken.bind(str(path))
        taken.listen()
        path.chmod(0o777)
        _is_refused(tap, daemon, "a socket that is another's", UNAVAILABLE, f'http = "unix:{path}"', "cannot listen on")
    tap.ok(path.exists(), "a socket that is another's: it stays")
    _is_refused(tap, daemon, "a folder that is not there", UNAVAILABLE, f'http = "unix:{daemon.folder}/no/x"', "No such")


# --- All of it ------------------------------------------------------------------------------------


def run_one(tap, check, daemon, *arguments):
    try:
        check(tap, daemon, *arguments)
    except (OSError, ValueError, AttributeError, KeyError, subprocess.TimeoutExpired) as error:
        tap.ok(False, check.__name__, repr(error), daemon.log()[-2000:])


def run_served(tap, daemon):
    web = inet()
    start(daemon, web)
    for check in (
        what_is_there_can_be_read,
        it_says_what_the_tool_says,
        each_reply_is_guarded,
        targets_are_read_with_care,
        methods_are_two,
        names_are_ours,
        what_a_request_must_not_have,
        content_is_no_request,
        garbage_is_no_request,
        connections_are_kept,
        they_are_not_kept_for_ever,
        http_1_0_is_understood,
        no_size_is_left_without_a_reply,
        many_are_served_at_once,
        nobody_keeps_others_out,
        what_is_not_served_is_told_of,
        the_store_is_told_of,
        a_reload_leaves_them,
        it_ends_in_order,
    ):
        run_one(tap, check, daemon, web)


def main():
    guardian, numbers, dns = guard.Guard(), itertools.count(1), test_daemon.Broken()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ringback-http-"))
    folder.chmod(0o755)
    tap = Tap()

    def make():
        own = folder / str(next(numbers))
        own.mkdir()
        if test_daemon.USER:
            shutil.chown(own, test_daemon.USER)
        return test_daemon.Daemon(guardian, own, test_daemon.Unix(own), dns.port)

    try:
        slow = Slow(make(), inet())
        run_served(tap, make())
        run_one(tap, passwords_are_asked_for, make(), inet())
        for check in (
            other_hosts_are_let_in_by_name,
            a_unix_socket_will_do,
            ipv6_will_do,
            nothing_is_opened_unasked,
            what_is_wrong_is_refused,
            what_is_taken_is_refused,
        ):
            run_one(tap, check, make())
        slow.is_dropped(tap)
    finally:
        guardian.close()
        shutil.rmtree(folder, ignore_errors=True)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
