#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Does the scripted mail host do what its README says? Starts it at addresses of 127.0.0.0/8, talks to it as
good, careless and hostile clients do, and looks at its counts. Speaks TAP. Python's standard library only.

Time: where a delay is scripted, only its lower bound is looked at.
"""
import json
import os
import random
import resource
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time

BINARY = os.path.join(os.environ.get("RB_BUILDDIR", "."), "tests/smtpd/smtpd")
PATIENCE_S = 20
TESTS = []

SCENARIO = r"""
# Every host of this file gets what stands here.
host * mx.example.org {
    rcpt postmaster@* 250
}
host 127.0.2.1-127.0.2.5 range.example.org {
    rcpt alice@example.org 250 "2.1.5 Ok"
    rcpt bob*@example.org 450 "4.2.1 try later"
    rcpt *@example.org 550 "5.1.1 <%a>: User unknown"
    rcpt * 554 "5.7.1 <%a>: Relay access denied for %c (%h[%i], %s, %H) 100%%"
}
host 127.0.2.3 single.example.org { rcpt * 250 }
host 127.0.2.10 { mail <> 550 "5.7.1 no null senders"; mail bad@* 553; rcpt * 250 }
host 127.0.2.11 { rcpt *@* from <> 550 "5.7.1 no tag"; rcpt * 250 }
host 127.0.2.12 {
    rcpt many@* 550 "5.1.1 one|5.1.1 two|5.1.1 three"
    rcpt real@* "550-5.1.1 one|550 5.1.1 two"
    rcpt turn@* "250-2.1.5 fine|550 5.1.1 no"
    rcpt bare@* 250 ""
    rcpt raw@* raw "250 \x00\xff\t\"\\\r\n"
}
host 127.0.2.13 { rcpt drip@* 250 "2.1.5 slow" drip 10ms; rcpt two@* 250 "2.1.5 slow" drip 20ms 8; rcpt * 250 }
host 127.0.2.14 { step 80ms; rcpt late@* 250 delay 100ms; rcpt * 250 }
host 127.0.2.15 { banner_delay 200ms }
host 127.0.2.16 { early "220-mx.example.org wait"; banner_delay 200ms; banner 220 "mx.example.org ESMTP" }
host 127.0.2.17 { ehlo 502; rcpt * 250 }
host 127.0.2.18 { hide PIPELINING 8BITMIME; offer SMTPUTF8 "SIZE 1000" X-LAB; rcpt * 250 }
host 127.0.2.19 { keywords; rcpt * 250 }
host 127.0.2.20 { starttls on; rcpt * 250 }
host 127.0.2.21 { starttls on; tls_max 1.2; rcpt * 250 }
host 127.0.2.22 { starttls refuse }
host 127.0.2.23 { starttls garbage }
host 127.0.2.24 { starttls drop }
host 127.0.2.25 { starttls hang }
host 127.0.2.26 { starttls inject; rcpt * 250 }
host 127.0.2.27 { starttls on; tls_required; rcpt * 250 }
host 127.0.2.28 { offer STARTTLS; at starttls#1 421 "4.7.0 busy" times 1 }
host 127.0.2.30 { greylist 250ms "450 4.2.0 <%a>: Greylisted"; rcpt * 250 }
host 127.0.2.31 { greylist 1h 451 to new@* from <>; rcpt * 250 }
host 127.0.2.40 { max_rcpt 1 "452 4.5.3 one at a time"; rcpt * 250 }
host 127.0.2.41 { max_errors 2 "421 4.7.0 too many errors" }
host 127.0.2.42 { max_connections 2 "421 4.7.0 too many connections" }
host 127.0.2.43 { on_error close; rcpt no@* 550; rcpt * 250 }
host 127.0.2.44 { tarpit 40ms; rcpt * 250 }
host 127.0.2.50 { at banner silent }
host 127.0.2.51 { at banner close }
host 127.0.2.52 { at banner reset }
host 127.0.2.53 { banner 554 "no SMTP service here" }
host 127.0.2.54 { at ehlo close }
host 127.0.2.55 { at mail silent }
host 127.0.2.56 { at rcpt#2 reset; rcpt * 250 }
host 127.0.2.57 { at rset 421; rcpt * 250 }
host 127.0.2.58 { rcpt * 250 then close }
host 127.0.2.59 { rcpt twice@* 450 "4.2.0 later" times 2; rcpt * 250 }
host 127.0.2.61 { rcpt fast@* endless 250 "on and on"; rcpt slow@* endless 250 "tick" drip 10ms }
host 127.0.2.62 { rcpt * huge 1MB }
host 127.0.2.63 { banner garbage 300 then close }
host 127.0.2.64 { quit silent; other "XLAB *" 250 "heard %a"; rcpt * 250 }
host 127.0.2.65-127.0.2.67 { rcpt * 250 }
host 127.0.2.70 { data 554 "5.7.1 content refused"; rcpt * 250 }
host 127.0.2.71 { message 250 "2.0.0 taken"; rcpt ok@* 250 }
host 127.0.2.72 { hide PIPELINING; step 50ms; rcpt * 250 }
host 127.0.2.73 { rcpt * 250 }
host 127.0.2.80 { refuse }
host 127.0.2.81 { port %PORT2%; rcpt * 250 }
host 127.0.2.90 store.example.org { lmtp; rcpt real@* 250 }
host unix:%DIR%/store store.example.org { lmtp; rcpt real@* 250; rcpt * 550 "5.1.1 %a at %i, says %c" }
host unix:%DIR%/plain plain.example.org { greylist 1h 450 to new@*; rcpt * 250 }
"""
SCENARIO_IPV6 = "host ::1 six.example.org { rcpt * 250 }\n"


def test(function):
    TESTS.append(function)
    return function


def same(got, want):
    assert got == want, f"got {got!r}, wanted {want!r}"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(("::1", 0))
            return True
    except OSError:
        return False


class Skip(Exception):
    """This machine cannot; said and counted by whoever reads the TAP."""


class Gone(Exception):
    """The host closed the connection; reset says how."""

    def __init__(self, reset):
        super().__init__("reset" if reset else "closed")
        self.reset = reset


class Client:
    def __init__(self, ip, port=None, source=None):
        path = ip.removeprefix("unix:") if ip.startswith("unix:") else None
        family = socket.AF_UNIX if path else socket.AF_INET6 if ":" in ip else socket.AF_INET
        self.sock = socket.socket(family)
        self.sock.settimeout(PATIENCE_S)
        if source:
            self.sock.bind((source, 0))
        self.sock.connect(path or (ip, port or LAB.port))
        self.data = b""
        self.ip = ip

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.sock.close()

    def send(self, octets):
        self.sock.sendall(octets)

    def more(self):
        try:
            got = self.sock.recv(65536)
        except ConnectionResetError:
            raise Gone(True) from None
        if not got:
            raise Gone(False)
        self.data += got

    def line(self):
        while b"\n" not in self.data:
            self.more()
        line, self.data = self.data.split(b"\n", 1)
        assert line.endswith(b"\r"), f"line without CR: {line!r}"
        return line[:-1].decode("latin-1")

    def reply(self):
        lines = [self.line()]
        while lines[-1][3:4] == "-":
            lines.append(self.line())
        return lines

    def say(self, command):
        self.send(command.encode("utf-8") + b"\r\n")
        return self.reply()

    def code(self, command):
        return int(self.say(command)[-1][:3])

    def hello(self, verb="EHLO"):
        self.banner = self.reply()
        self.ehlo = self.say(f"{verb} client.example.net")
        return self

    def mail(self, sender=""):
        same(self.code(f"MAIL FROM:<{sender}>"), 250)
        return self

    def rcpt(self, address):
        return self.say(f"RCPT TO:<{address}>")[-1]

    def starttls(self):
        same(self.code("STARTTLS"), 220)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.sock = context.wrap_socket(self.sock)

    def ends(self, reset=False):
        """Nothing more comes but the end."""
        try:
            while True:
                self.more()
        except Gone as gone:
            same(gone.reset, reset)
        same(self.data, b"")

    def is_silent(self, for_s=0.3):
        self.sock.settimeout(for_s)
        try:
            self.more()
        except TimeoutError:
            self.sock.settimeout(PATIENCE_S)
            return True
        return False


def ready(ip):
    return Client(ip).hello()


def in_mail(ip, sender=""):
    return ready(ip).mail(sender)


class Lab:
    """One running smtpd."""

    def __init__(self, scenario, port=None):
        self.port = port or free_port()
        self.dir = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.dir.name, "scenario")
        self.control_path = os.path.join(self.dir.name, "control")
        self.ready_path = os.path.join(self.dir.name, "ready")
        self.write(scenario)
        self.process = subprocess.Popen(
            [BINARY, "-s", self.path, "-p", str(self.port), "-r", self.ready_path,
             "-C", "unix:" + self.control_path],
            stdout=subprocess.PIPE, text=True)
        same(self.process.stdout.readline(), "ready\n")
        self.control = socket.socket(socket.AF_UNIX)
        self.control.settimeout(PATIENCE_S)
        self.control.connect(self.control_path)
        self.answers = self.control.makefile("r", encoding="utf-8")

    def write(self, scenario):
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(scenario)

    def ask(self, command):
        self.control.sendall(command.encode() + b"\n")
        return json.loads(self.answers.readline())

    def stats(self, ip):
        return self.ask("stats")["hosts"][ip]

    def eventually(self, ip, key, value):
        """Waits until the host has noticed."""
        end = time.monotonic() + PATIENCE_S
        while self.stats(ip)[key] != value and time.monotonic() < end:
            time.sleep(0.01)
        same((key, self.stats(ip)[key]), (key, value))

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(PATIENCE_S)
        self.process.stdout.close()
        self.answers.close()
        self.control.close()
        left = sorted(os.listdir(self.dir.name))
        self.dir.cleanup()
        return status, left


class counting:
    """with counting(IP, key=difference, ...): ... — the counts of that host change so, the rest do not."""

    QUIET = ("early_talkers", "pipelining_violations", "order_violations", "bare_lf", "long_lines",
             "syntax_violations", "messages")

    def __init__(self, ip, **want):
        self.ip = ip
        self.want = {key: 0 for key in self.QUIET} | want

    def __enter__(self):
        self.before = LAB.stats(self.ip)

    def __exit__(self, kind, *unused):
        if kind is not None:
            return
        for key, difference in self.want.items():
            LAB.eventually(self.ip, key, self.before[key] + difference)


# --- Rules -------------------------------------------------------------


@test
def usual_session_is_answered_as_a_usual_host_does():
    with counting("127.0.2.1", connections=1, ehlo=1, mail=1, rcpt=1, rset=1, noop=1, vrfy=1, quit=1,
                  rcpt_accepted=1, rcpt_refused=0):
        with ready("127.0.2.1") as c:
            same(c.banner, ["220 range.example.org ESMTP"])
            same(c.ehlo, ["250-range.example.org", "250-PIPELINING", "250-SIZE 10240000",
                          "250-8BITMIME", "250 ENHANCEDSTATUSCODES"])
            same(c.say("MAIL FROM:<>"), ["250 2.1.0 Ok"])
            same(c.rcpt("alice@example.org"), "250 2.1.5 Ok")
            same(c.say("RSET"), ["250 2.0.0 Ok"])
            same(c.say("NOOP well"), ["250 2.0.0 Ok"])
            same(c.say("VRFY alice"), ["252 2.0.0 alice"])
            same(c.say("QUIT"), ["221 2.0.0 Bye"])
            c.ends()


@test
def first_rcpt_rule_that_matches_wins():
    with in_mail("127.0.2.2", "me@example.net") as c:
        same(c.rcpt("ALICE@Example.org"), "250 2.1.5 Ok")
        same(c.rcpt("bobby@example.org"), "450 4.2.1 try later")
        same(c.rcpt("carol@example.org"), "550 5.1.1 <carol@example.org>: User unknown")
        same(c.rcpt("postmaster@example.org"), "550 5.1.1 <postmaster@example.org>: User unknown")


@test
def percent_letters_stand_for_the_session():
    with in_mail("127.0.2.2", "me@example.net") as c:
        same(c.rcpt("x@else.example"),
             "554 5.7.1 <x@else.example>: Relay access denied for 127.0.0.1 "
             "(range.example.org[127.0.2.2], me@example.net, client.example.net) 100%")


@test
def address_with_a_bar_does_not_split_the_reply():
    with in_mail("127.0.2.2") as c:
        same(c.say("RCPT TO:<a|b@example.org>"), ["550 5.1.1 <a|b@example.org>: User unknown"])


@test
def address_named_alone_beats_a_range():
    with in_mail("127.0.2.3") as c:
        same(c.banner, ["220 single.example.org ESMTP"])
        same(c.rcpt("carol@example.org")[:3], "250")


@test
def rules_of_the_default_host_stand_behind_its_own():
    with in_mail("127.0.2.10", "me@example.net") as c:
        same(c.banner, ["220 mx.example.org ESMTP"])
    with in_mail("127.0.2.71") as c:
        same(c.rcpt("postmaster@example.org")[:3], "250")
        same(c.rcpt("nobody@example.org"),
             "550 5.1.1 <nobody@example.org>: Recipient address rejected: User unknown")


@test
def mail_rules_go_by_sender():
    with ready("127.0.2.10") as c:
        same(c.say("MAIL FROM:<>"), ["550 5.7.1 no null senders"])
        same(c.code("MAIL FROM:<bad@example.net>"), 553)
        same(c.code("MAIL FROM:<good@example.net>"), 250)


@test
def rcpt_rule_may_look_at_the_sender():
    with in_mail("127.0.2.11") as c:
        same(c.rcpt("a@example.org"), "550 5.7.1 no tag")
    with in_mail("127.0.2.11", "me@example.net") as c:
        same(c.rcpt("a@example.org")[:3], "250")


@test
def unknown_verb_can_be_scripted():
    with ready("127.0.2.64") as c:
        same(c.say("XLAB key 7"), ["250 heard XLAB key 7"])
        same(c.code("XELSE"), 502)


@test
def rule_with_times_falls_away():
    with in_mail("127.0.2.59") as c:
        same([c.rcpt("twice@example.org")[:3] for _ in range(3)], ["450", "450", "250"])
    same(LAB.ask("forget"), {"ok": True})
    with in_mail("127.0.2.59") as c:
        same(c.rcpt("twice@example.org")[:3], "450")


# --- Shapes of replies -------------------------------------------------


@test
def reply_has_as_many_lines_as_its_text_has_bars():
    with in_mail("127.0.2.12") as c:
        same(c.say("RCPT TO:<many@x.example>"), ["550-5.1.1 one", "550-5.1.1 two", "550 5.1.1 three"])
        same(c.say("RCPT TO:<real@x.example>"), ["550-5.1.1 one", "550 5.1.1 two"])


@test
def reply_code_may_change_inside_a_reply():
    with in_mail("127.0.2.12") as c:
        same(c.say("RCPT TO:<turn@x.example>"), ["250-2.1.5 fine", "550 5.1.1 no"])


@test
def reply_without_text_is_three_digits():
    with in_mail("127.0.2.12") as c:
        same(c.say("RCPT TO:<bare@x.example>"), ["250"])


@test
def raw_octets_are_sent_as_they_are():
    with in_mail("127.0.2.12") as c:
        same(c.say("RCPT TO:<raw@x.example>"), ["250 \x00\xff\t\"\\"])


@test
def drip_sends_an_octet_at_a_time():
    with in_mail("127.0.2.13") as c:
        start = time.monotonic()
        same(c.rcpt("drip@x.example"), "250 2.1.5 slow")
        assert time.monotonic() - start >= 0.010 * (len("250 2.1.5 slow\r\n") - 1)
        start = time.monotonic()
        c.send(b"RCPT TO:<two@x.example>\r\n")
        c.more()
        same(c.data, b"250 2.1.")
        same(c.reply(), ["250 2.1.5 slow"])
        assert time.monotonic() - start >= 0.020


@test
def step_and_delay_add_up():
    with in_mail("127.0.2.14") as c:
        start = time.monotonic()
        c.rcpt("soon@x.example")
        assert time.monotonic() - start >= 0.080
        start = time.monotonic()
        c.rcpt("late@x.example")
        assert time.monotonic() - start >= 0.180


@test
def tarpit_grows_with_each_reply():
    with ready("127.0.2.44") as c:
        for n in range(2, 5):
            start = time.monotonic()
            c.say("NOOP")
            assert time.monotonic() - start >= 0.040 * n


@test
def endless_reply_goes_on_while_it_is_read():
    with in_mail("127.0.2.61") as c:
        c.send(b"RCPT TO:<fast@x.example>\r\n")
        for _ in range(20000):
            same(c.line(), "250-on and on")
    with in_mail("127.0.2.61") as c:
        start = time.monotonic()
        c.send(b"RCPT TO:<slow@x.example>\r\n")
        for _ in range(5):
            same(c.line(), "250-tick")
        assert time.monotonic() - start >= 0.040
    LAB.eventually("127.0.2.61", "concurrent", 0)


@test
def huge_line_has_the_size_it_was_given():
    with in_mail("127.0.2.62") as c:
        same(len(c.rcpt("a@x.example")), 1000000 - 2)


@test
def garbage_is_the_same_each_time():
    got = []
    for _ in range(2):
        with Client("127.0.2.63") as c:
            while len(c.data) < 300:
                c.more()
            got.append(c.data)
            c.data = b""
            c.ends()
    same(got[0], got[1])
    same(len(got[0]), 300)


# --- Beginnings --------------------------------------------------------


@test
def banner_comes_late_and_patience_is_no_fault():
    with counting("127.0.2.15", connections=1):
        start = time.monotonic()
        with ready("127.0.2.15") as c:
            assert time.monotonic() - start >= 0.200
            same(c.code("QUIT"), 221)


@test
def early_talker_is_counted_once():
    with counting("127.0.2.15", early_talkers=1, ehlo=1, pipelining_violations=1):
        with Client("127.0.2.15") as c:
            c.send(b"EHLO client.example.net\r\n")
            time.sleep(0.05)
            c.send(b"QUIT\r\n")
            c.reply()
            c.reply()
            c.reply()


@test
def early_text_is_a_lure():
    with counting("127.0.2.16", early_talkers=0):
        with Client("127.0.2.16") as c:
            same(c.reply(), ["220-mx.example.org wait", "220 mx.example.org ESMTP"])
    with counting("127.0.2.16", early_talkers=1):
        with Client("127.0.2.16") as c:
            same(c.line(), "220-mx.example.org wait")
            c.send(b"EHLO client.example.net\r\n")
            same(c.reply(), ["220 mx.example.org ESMTP"])
            c.reply()


@test
def ehlo_can_be_refused():
    with ready("127.0.2.17") as c:
        same(c.ehlo, ["502 Refused"])
        same(c.code("MAIL FROM:<>"), 503)
        same(c.say("HELO client.example.net"), ["250 mx.example.org"])
        same(c.say("MAIL FROM:<>"), ["250 Ok"])
        same(c.code("RCPT TO:<a@x.example> NOTIFY=NEVER"), 555)
    same(LAB.stats("127.0.2.17")["helo"], 1)


@test
def keywords_are_offered_hidden_and_replaced():
    with ready("127.0.2.18") as c:
        same(c.ehlo[1:], ["250-ENHANCEDSTATUSCODES", "250-SMTPUTF8", "250-SIZE 1000", "250 X-LAB"])
    with ready("127.0.2.19") as c:
        same(c.ehlo, ["250 mx.example.org"])
        same(c.say("MAIL FROM:<>"), ["250 Ok"])


@test
def parameter_that_was_not_offered_is_refused_and_counted():
    with counting("127.0.2.19", syntax_violations=2):
        with ready("127.0.2.19") as c:
            same(c.code("MAIL FROM:<> SIZE=100"), 555)
            same(c.code("MAIL FROM:<> SMTPUTF8"), 555)


@test
def utf8_address_needs_smtputf8():
    with counting("127.0.2.18", syntax_violations=2):
        with ready("127.0.2.18") as c:
            same(c.code("MAIL FROM:<> SMTPUTF8"), 250)
            same(c.rcpt("jürgen@x.example")[:3], "250")
            same(c.code("RSET"), 250)
            same(c.code("MAIL FROM:<jürgen@x.example>"), 553)
            c.mail()
            same(c.rcpt("jürgen@x.example")[:3], "553")
    same([t["rcpt"] for t in LAB.ask("log") if t["host"] == "127.0.2.18"][-1:], ["jürgen@x.example"])
    same([t["mail_params"] for t in LAB.ask("log") if t["host"] == "127.0.2.18"][-1:], ["SMTPUTF8"])


# --- TLS ---------------------------------------------------------------


@test
def starttls_works_and_begins_anew():
    with counting("127.0.2.20", starttls=2, tls_handshakes=1, tls_failures=0, ehlo=2, rcpt=3,
                  order_violations=2):
        with ready("127.0.2.20") as c:
            same(c.ehlo[-1], "250 STARTTLS")
            c.starttls()
            same(c.code("MAIL FROM:<>"), 503)
            ehlo = c.say("EHLO tls.example.net")
            assert not any("STARTTLS" in line for line in ehlo), ehlo
            same(c.code("STARTTLS"), 503)
            c.send(b"MAIL FROM:<>\r\n" + b"RCPT TO:<a@x.example>\r\n" * 3 + b"QUIT\r\n")
            same([c.reply()[0][:3] for _ in range(5)], ["250"] * 4 + ["221"])
    last = [t for t in LAB.ask("log") if t["host"] == "127.0.2.20"][-1]
    same((last["tls"], last["helo"]), (True, "tls.example.net"))


@test
def tls_version_has_a_ceiling():
    with ready("127.0.2.21") as c:
        c.starttls()
        same(c.sock.version(), "TLSv1.2")
    with ready("127.0.2.20") as c:
        c.starttls()
        same(c.sock.version(), "TLSv1.3")


@test
def tls_record_larger_than_the_buffer_is_read_to_its_end():
    with counting("127.0.2.20", rcpt=400):
        with ready("127.0.2.20") as c:
            c.starttls()
            c.say("EHLO client.example.net")
            c.mail()
            c.send(b"RCPT TO:<somebody@x.example>\r\n" * 400)
            same({c.reply()[0][:3] for _ in range(400)}, {"250"})


@test
def starttls_can_be_refused():
    with ready("127.0.2.22") as c:
        same(c.say("STARTTLS"), ["454 4.7.0 TLS not available due to local problem"])
        same(c.code("MAIL FROM:<>"), 250)


@test
def starttls_that_was_not_offered_is_counted():
    with counting("127.0.2.1", order_violations=1):
        with ready("127.0.2.1") as c:
            same(c.code("STARTTLS"), 502)


@test
def broken_handshakes_break():
    for ip, errors in (("127.0.2.23", (ssl.SSLError,)), ("127.0.2.24", (ssl.SSLError, OSError))):
        with ready(ip) as c:
            try:
                c.starttls()
            except errors:
                continue
            raise AssertionError(f"{ip}: the handshake went well")


@test
def garbage_waits_for_the_hello():
    with ready("127.0.2.23") as c:
        same(c.code("STARTTLS"), 220)
        assert c.is_silent()
        c.send(b"\x16\x03\x01 hello")
        while len(c.data) < 256:
            c.more()


@test
def handshake_may_never_be_answered():
    with ready("127.0.2.25") as c:
        same(c.code("STARTTLS"), 220)
        c.send(b"\x16\x03\x01\x00\x05hello")
        assert c.is_silent()


@test
def clear_text_is_injected_behind_the_220():
    with ready("127.0.2.26") as c:
        c.send(b"STARTTLS\r\n")
        c.more()
        same(c.data, b"220 2.0.0 Ready to start TLS\r\n250 2.0.0 injected\r\n")


@test
def client_that_breaks_the_handshake_is_a_failure_of_tls():
    with counting("127.0.2.20", tls_failures=1):
        with ready("127.0.2.20") as c:
            same(c.code("STARTTLS"), 220)
            c.send(b"QUIT\r\n" * 10)
            try:
                while True:
                    c.more()
            except Gone:
                pass


@test
def commands_sent_in_clear_behind_starttls_are_not_obeyed():
    with counting("127.0.2.20", pipelining_violations=1, mail=0):
        with ready("127.0.2.20") as c:
            c.send(b"STARTTLS\r\nMAIL FROM:<>\r\n")
            same(c.reply()[0][:3], "220")


@test
def tls_can_be_required():
    with ready("127.0.2.27") as c:
        same(c.say("MAIL FROM:<>"), ["530 5.7.0 Must issue a STARTTLS command first"])
        c.starttls()
        c.say("EHLO client.example.net")
        c.mail()
    refused = [t for t in LAB.ask("log") if t["host"] == "127.0.2.27"][0]
    same((refused["rcpt"], refused["code"], refused["mail_from"]), (None, 530, ""))


@test
def rule_of_the_starttls_stage_goes_before_its_mode():
    with ready("127.0.2.28") as c:
        same(c.say("STARTTLS"), ["421 4.7.0 busy"])
        c.ends()
    with ready("127.0.2.28") as c:
        c.starttls()


# --- Limits ------------------------------------------------------------


@test
def greylist_goes_by_triplet_and_opens_in_time():
    with counting("127.0.2.30", greylisted=4, rcpt_accepted=1, rcpt_refused=4):
        with in_mail("127.0.2.30") as c:
            start = time.monotonic()
            same(c.rcpt("a@x.example"), "450 4.2.0 <a@x.example>: Greylisted")
            time.sleep(0.260)
            same(c.rcpt("b@x.example")[:3], "450")
            same(c.rcpt("a@x.example")[:3], "250")
            assert time.monotonic() - start >= 0.250
        with in_mail("127.0.2.30", "other@example.net") as c:
            same(c.rcpt("a@x.example")[:3], "450")
        with Client("127.0.2.30", source="127.0.0.9").hello().mail() as c:
            same(c.rcpt("a@x.example")[:3], "450")


@test
def greylist_may_concern_some_only():
    with in_mail("127.0.2.31") as c:
        same(c.rcpt("new@x.example")[:3], "451")
        same(c.rcpt("old@x.example")[:3], "250")
    with in_mail("127.0.2.31", "me@example.net") as c:
        same(c.rcpt("new@x.example")[:3], "250")


@test
def recipients_of_a_session_are_limited():
    with in_mail("127.0.2.40") as c:
        same(c.rcpt("a@x.example")[:3], "250")
        same(c.rcpt("b@x.example"), "452 4.5.3 one at a time")
        same(c.code("RSET"), 250)
        c.mail()
        same(c.rcpt("c@x.example")[:3], "452")


@test
def errors_of_a_session_are_limited():
    with in_mail("127.0.2.41") as c:
        same([c.rcpt("a@x.example")[:3] for _ in range(2)], ["550", "550"])
        same(c.say("NOOP"), ["421 4.7.0 too many errors"])
        c.ends()


@test
def connections_are_limited():
    with counting("127.0.2.42", connections=4, turned_away=1):
        with ready("127.0.2.42") as first, ready("127.0.2.42"):
            with Client("127.0.2.42") as third:
                same(third.reply(), ["421 4.7.0 too many connections"])
                third.ends()
            LAB.eventually("127.0.2.42", "concurrent", 2)
            same(first.code("QUIT"), 221)
            LAB.eventually("127.0.2.42", "concurrent", 1)
            with ready("127.0.2.42"):
                pass
    same(LAB.stats("127.0.2.42")["concurrent_max"], 3)


@test
def host_may_hang_up_after_an_error():
    with in_mail("127.0.2.43") as c:
        same(c.rcpt("yes@x.example")[:3], "250")
        same(c.rcpt("no@x.example")[:3], "550")
        c.ends()


# --- Ends --------------------------------------------------------------


@test
def banner_may_never_come():
    with Client("127.0.2.50") as c:
        assert c.is_silent()
        same(LAB.stats("127.0.2.50")["concurrent"], 1)
    LAB.eventually("127.0.2.50", "concurrent", 0)


@test
def connection_may_be_closed_or_reset_at_once():
    with Client("127.0.2.51") as c:
        c.ends()
    try:
        with Client("127.0.2.52") as c:
            c.ends(reset=True)
    except ConnectionResetError:
        pass  # so soon that connect() has noticed


@test
def refusing_banner_allows_quit_only():
    with counting("127.0.2.53", order_violations=1):
        with ready("127.0.2.53") as c:
            same(c.banner, ["554 no SMTP service here"])
            same(c.ehlo[0][:3], "503")
            same(c.code("QUIT"), 221)


@test
def any_stage_may_end_the_session():
    with Client("127.0.2.54") as c:
        c.reply()
        c.send(b"EHLO client.example.net\r\n")
        c.ends()
    with ready("127.0.2.55") as c:
        c.send(b"MAIL FROM:<>\r\n")
        assert c.is_silent()
    with in_mail("127.0.2.56") as c:
        same(c.rcpt("a@x.example")[:3], "250")
        c.send(b"RCPT TO:<b@x.example>\r\n")
        c.ends(reset=True)
    with in_mail("127.0.2.57") as c:
        same(c.rcpt("a@x.example")[:3], "250")
        same(c.code("RSET"), 421)
        c.ends()
    with in_mail("127.0.2.58") as c:
        same(c.rcpt("a@x.example")[:3], "250")
        c.ends()
    same([t["code"] for t in LAB.ask("log") if t["host"] in ("127.0.2.55", "127.0.2.56")], [0, 250, 0])


@test
def close_does_not_swallow_the_reply_before_it():
    with in_mail("127.0.2.58") as c:
        c.send(b"RCPT TO:<a@x.example>\r\n" + b"NOOP\r\n" * 100)
        same(c.reply(), ["250 2.1.5 Ok"])
        c.ends()


@test
def quit_may_go_unanswered():
    with counting("127.0.2.64", quit=1):
        with ready("127.0.2.64") as c:
            c.send(b"QUIT\r\n")
            assert c.is_silent()


@test
def quit_of_a_client_that_does_not_wait_is_counted():
    with counting("127.0.2.14", quit=1, mail=1, connections=1):
        c = ready("127.0.2.14")
        c.send(b"MAIL FROM:<>\r\n")
        c.reply()
        c.send(b"QUIT\r\n")
        c.sock.close()
    LAB.eventually("127.0.2.14", "concurrent", 0)


@test
def nothing_listens_where_a_host_refuses():
    try:
        Client("127.0.2.80")
    except ConnectionRefusedError:
        return
    raise AssertionError("something listens")


# --- Messages ----------------------------------------------------------


@test
def data_may_be_refused():
    with counting("127.0.2.70", data=1, messages=0):
        with in_mail("127.0.2.70") as c:
            c.rcpt("a@x.example")
            same(c.say("DATA"), ["554 5.7.1 content refused"])


@test
def data_without_content_is_no_message():
    with counting("127.0.2.71", data=1, messages=0):
        with in_mail("127.0.2.71") as c:
            c.rcpt("ok@x.example")
            same(c.code("DATA"), 354)


@test
def content_is_a_message_even_unfinished():
    with counting("127.0.2.71", data=1, messages=1):
        with in_mail("127.0.2.71") as c:
            c.rcpt("ok@x.example")
            same(c.code("DATA"), 354)
            c.send(b"S")


@test
def content_ends_at_the_dot_and_only_there():
    content = b"Subject: x\r\n\r\n..\r\n.x\r\n. \r\nRCPT TO:<no@x.example>\r\n.\r\n"
    for size in (1, 2, 3, 7, len(content)):
        with counting("127.0.2.71", messages=1, rcpt=1, noop=1):
            with in_mail("127.0.2.71") as c:
                c.rcpt("ok@x.example")
                same(c.code("DATA"), 354)
                for at in range(0, len(content), size):
                    c.send(content[at:at + size])
                same(c.reply(), ["250 2.0.0 taken"])
                same(c.code("NOOP"), 250)


@test
def dot_without_cr_is_no_end():
    with counting("127.0.2.71", messages=1, bare_lf=2):
        with in_mail("127.0.2.71") as c:
            c.rcpt("ok@x.example")
            same(c.code("DATA"), 354)
            c.send(b"x\n.\n")
            assert c.is_silent()
            c.send(b"\r\n.\r\n")
            same(c.reply(), ["250 2.0.0 taken"])


# --- What clients do wrong ---------------------------------------------


@test
def pipelining_where_offered_is_right():
    with counting("127.0.2.73", mail=1, rcpt=2, rset=1):
        with ready("127.0.2.73") as c:
            c.send(b"MAIL FROM:<>\r\nRCPT TO:<a@x.example>\r\nRCPT TO:<b@x.example>\r\nRSET\r\nQUIT\r\n")
            same([c.reply()[0][:3] for _ in range(5)], ["250"] * 4 + ["221"])


@test
def pipelining_where_not_offered_is_counted():
    with counting("127.0.2.72", pipelining_violations=2):
        with ready("127.0.2.72") as c:
            c.send(b"MAIL FROM:<>\r\nRCPT TO:<a@x.example>\r\nRSET\r\n")
            same([c.reply()[0][:3] for _ in range(3)], ["250"] * 3)


@test
def command_sent_while_the_reply_is_due_is_counted():
    with counting("127.0.2.72", pipelining_violations=1):
        with ready("127.0.2.72") as c:
            same(LAB.ask("hold 127.0.2.72 mail"), {"ok": True})
            c.send(b"MAIL FROM:<>\r\n")
            c.send(b"RSET\r\n")
            same(LAB.ask("release 127.0.2.72"), {"ok": True})
            same([c.reply()[0][:3] for _ in range(2)], ["250"] * 2)


@test
def nothing_may_follow_ehlo_unasked():
    with counting("127.0.2.73", pipelining_violations=1):
        with Client("127.0.2.73") as c:
            c.reply()
            c.send(b"EHLO client.example.net\r\nMAIL FROM:<>\r\n")
            c.reply()
            same(c.reply()[0][:3], "250")


@test
def commands_out_of_order_get_503():
    with counting("127.0.2.73", order_violations=5):
        with Client("127.0.2.73") as c:
            c.reply()
            same(c.code("MAIL FROM:<>"), 503)
            c.say("EHLO client.example.net")
            same(c.code("RCPT TO:<a@x.example>"), 503)
            same(c.code("DATA"), 503)
            c.mail()
            same(c.code("MAIL FROM:<>"), 503)
            same(c.code("DATA"), 503)


@test
def rcpt_behind_a_refused_mail_is_no_fault_of_a_pipelining_client():
    with counting("127.0.2.10", rcpt=1, mail=1):
        with ready("127.0.2.10") as c:
            c.send(b"MAIL FROM:<>\r\nRCPT TO:<a@x.example>\r\n")
            same([c.reply()[0][:3] for _ in range(2)], ["550", "503"])


@test
def bad_paths_are_counted():
    bad = ["MAIL FROM:me@example.net", "MAIL FROM:<me", "MAIL TO:<>", "MAIL", "MAIL FROM:<me>",
           "MAIL FROM:<a b@example.net>", "MAIL FROM:<>x", "MAIL FROM:<" + "x" * 260 + "@x.example>",
           "MAIL FROM:<@>", "EHLO", "EHLO two words", "EHLO [127.0.0.1", "HELO under_score", "RSET x"]
    with counting("127.0.2.73", syntax_violations=len(bad)):
        with ready("127.0.2.73") as c:
            for command in bad:
                same((command, c.code(command)), (command, 501))


@test
def odd_but_right_paths_pass():
    with in_mail("127.0.2.73") as c:
        for address in ('"a b"@x.example', '"a>\\"b"@x.example', "POSTMASTER", "a@[127.0.0.1]"):
            same((address, c.rcpt(address)[:3]), (address, "250"))


@test
def blank_behind_the_colon_is_understood_and_counted():
    with counting("127.0.2.73", syntax_violations=1):
        with ready("127.0.2.73") as c:
            same(c.code("MAIL FROM: <>"), 250)


@test
def bare_lf_is_understood_and_counted():
    with counting("127.0.2.73", bare_lf=2, noop=2):
        with ready("127.0.2.73") as c:
            c.send(b"NOOP\n")
            same(c.reply()[0][:3], "250")
            c.send(b"NOOP\n")
            same(c.reply()[0][:3], "250")


@test
def lines_beyond_512_octets_are_refused_and_counted():
    with counting("127.0.2.73", long_lines=0):
        with ready("127.0.2.73") as c:
            same(c.code("NOOP " + "x" * (512 - 7)), 250)
    lengths = (513, 600, 2000, 2001, 2002, 2003, 4094, 4095, 4096, 4097, 10000, 300000)
    with counting("127.0.2.73", long_lines=len(lengths)):
        with ready("127.0.2.73") as c:
            for length in lengths:
                same((length, c.code("NOOP " + "x" * (length - 7))), (length, 500))
            same(c.code("NOOP"), 250)


@test
def extensions_lengthen_mail():
    with counting("127.0.2.73", long_lines=1, syntax_violations=1):
        with ready("127.0.2.73") as c:
            line = "MAIL FROM:<> SIZE=" + "1" * 600
            same(c.code(line[:512 + 26 + 17 - 2]), 250)
            c.say("RSET")
            same(c.code("MAIL FROM:<> " + "x" * 500), 555)
            same(c.code(line[:512 + 26 + 17 - 1]), 500)


@test
def nul_and_controls_are_refused_and_counted():
    with counting("127.0.2.73", syntax_violations=4):
        with ready("127.0.2.73") as c:
            for line in (b"NOOP\0x\r\n", b"\0\r\n", b"RCPT TO:<a\x07@x.example>\r\n", b"NOOP\rQUIT\r\n"):
                c.send(line)
                same(c.reply()[0][:3], "500")


@test
def line_may_arrive_an_octet_at_a_time():
    with ready("127.0.2.73") as c:
        for octet in b"MAIL FROM:<a@x.example>\r\n":
            c.send(bytes([octet]))
        same(c.reply()[0][:3], "250")


@test
def random_octets_do_no_harm():
    seed = random.randrange(1 << 32)
    print(f"# seed {seed}")
    rng = random.Random(seed)
    words = [b"EHLO x", b"HELO ", b"MAIL FROM:<", b"RCPT TO:<", b">", b"\r\n", b"\n", b"\r", b"\0", b"DATA\r\n",
             b".\r\n", b"STARTTLS\r\n", b"a@b", b"\"", b"\\", b" ", b"\xff\xfe", b"x" * 700, b"SIZE=", b"RSET\r\n"]
    ips = ["127.0.2.1", "127.0.2.15", "127.0.2.18", "127.0.2.20", "127.0.2.23", "127.0.2.28", "127.0.2.71"]
    for _ in range(300):
        with Client(rng.choice(ips)) as c:
            pieces = (rng.choice(words) if rng.random() < 0.8 else rng.randbytes(rng.randrange(50))
                      for _ in range(rng.randrange(60)))
            try:
                c.send(b"".join(pieces))
                if rng.random() < 0.3:
                    c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            except OSError:
                pass
    same(LAB.ask("ping"), {"ok": True})


# --- Counts and control ------------------------------------------------


@test
def log_tells_each_transaction():
    before = time.time() * 1000
    with in_mail("127.0.2.4", "me@example.net") as c:
        port = c.sock.getsockname()[1]
        c.rcpt("carol@example.org")
    entry = [t for t in LAB.ask("log") if t["host"] == "127.0.2.4"][-1]
    assert before - 1 <= entry.pop("time_ms") <= time.time() * 1000
    same(entry, {"host": "127.0.2.4", "client_ip": "127.0.0.1", "client_port": port,
                 "helo": "client.example.net", "tls": False, "mail_from": "me@example.net",
                 "mail_params": "", "rcpt": "carol@example.org", "code": 550})


@test
def log_and_counts_survive_strange_octets():
    with in_mail("127.0.2.4") as c:
        same(c.rcpt('"q\\\\u"@example.org')[:3], "550")
    same([t for t in LAB.ask("log") if t["host"] == "127.0.2.4"][-1]["rcpt"], '"q\\\\u"@example.org')
    with ready("127.0.2.18") as c:
        same(c.code("MAIL FROM:<> SMTPUTF8"), 250)
        c.send(b"RCPT TO:<\xff\xc3@x.example>\r\n")
        same(c.reply()[0][:3], "250")
    same([t for t in LAB.ask("log") if t["host"] == "127.0.2.18"][-1]["rcpt"], "\xff\xc3@x.example")


@test
def hosts_that_nobody_called_are_there_with_zeros():
    stats = LAB.stats("127.0.2.5")
    same({key: value for key, value in stats.items() if value}, {})


@test
def stats_can_be_asked_for_one_address():
    same(list(LAB.ask("stats 127.0.2.5")["hosts"]), ["127.0.2.5"])
    totals = LAB.ask("stats")["totals"]
    assert totals["connections"] > 100 and totals["concurrent"] >= 0


@test
def port_of_its_own_works():
    with Client("127.0.2.81", port=PORT2).hello().mail() as c:
        same(c.rcpt("a@x.example")[:3], "250")


@test
def ipv6_works():
    if not has_ipv6():
        raise Skip("no IPv6 here")
    with Client("::1").hello().mail() as c:
        same(c.banner, ["220 six.example.org ESMTP"])
        same(c.rcpt("a@x.example")[:3], "250")
    same(LAB.stats("::1")["rcpt_accepted"], 1)


@test
def unknown_and_overlong_control_commands_are_refused():
    answer = LAB.ask("dance")
    same(answer["ok"], False)
    assert "unknown command" in answer["error"]
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(PATIENCE_S)
        s.connect(LAB.control_path)
        s.sendall(b"x" * 300)
        try:
            same(s.recv(1), b"")
        except ConnectionResetError:
            pass
    same(LAB.ask("ping"), {"ok": True})


@test
def control_commands_may_be_pipelined():
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(PATIENCE_S)
        s.connect(LAB.control_path)
        s.sendall(b"ping\nstats\r\nping\n")
        lines = s.makefile("r")
        same(json.loads(lines.readline()), {"ok": True})
        assert "127.0.2.1" in json.loads(lines.readline())["hosts"]
        same(json.loads(lines.readline()), {"ok": True})


@test
def reset_empties_counts_and_log_but_not_what_is_open():
    with ready("127.0.2.73"):
        same(LAB.ask("reset"), {"ok": True})
        stats = LAB.stats("127.0.2.73")
        same((stats["connections"], stats["concurrent"], stats["concurrent_max"]), (0, 1, 1))
        same(LAB.ask("log"), [])
    LAB.eventually("127.0.2.73", "concurrent", 0)


@test
def a_client_that_has_closed_is_not_counted_beside_the_next_one():
    ip = "127.0.2.65"
    first = ready(ip)
    os.kill(LAB.process.pid, signal.SIGSTOP)
    try:
        first.sock.close()
        second = Client(ip)
    finally:
        os.kill(LAB.process.pid, signal.SIGCONT)
    second.hello()
    same(LAB.stats(ip)["concurrent_max"], 1)
    with ready(ip):
        same(LAB.stats(ip)["concurrent_max"], 2)
    second.sock.close()


@test
def replies_are_held_until_they_are_let_go():
    same(LAB.ask("hold 127.0.2.66"), {"ok": True})
    with counting("127.0.2.66", connections=2), Client("127.0.2.66") as one, Client("127.0.2.66") as two:
        assert one.is_silent() and two.is_silent()
        with Client("127.0.2.67") as other:
            other.hello()
        same(LAB.ask("release 127.0.2.66"), {"ok": True})
        same(one.hello().mail().rcpt("a@x.example")[:3], "250")
        same(two.reply()[0][:4], "220 ")


@test
def those_to_one_command_alone_may_be_held():
    same(LAB.ask("hold 127.0.2.66 rcpt#2"), {"ok": True})
    with counting("127.0.2.66", rcpt_accepted=3), in_mail("127.0.2.66") as c:
        same(c.rcpt("a@x.example")[:3], "250")
        c.send(b"RCPT TO:<b@x.example>\r\nRCPT TO:<c@x.example>\r\n")
        assert c.is_silent()
        same(LAB.ask("release"), {"ok": True})
        same([c.reply()[0][:3] for _ in range(2)], ["250"] * 2)
    same(LAB.ask("hold 127.0.2.66 dance")["ok"], False)


@test
def a_client_that_leaves_is_held_no_longer():
    same(LAB.ask("hold 127.0.2.66"), {"ok": True})
    with counting("127.0.2.66", connections=1):
        Client("127.0.2.66").sock.close()
    LAB.eventually("127.0.2.66", "concurrent", 0)
    same(LAB.ask("release"), {"ok": True})


@test
def a_thousand_sessions_are_held_at_once():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 1200:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    clients = [Client("127.0.2.73") for _ in range(1000)]
    try:
        for c in clients:
            c.hello()
        same(LAB.stats("127.0.2.73")["concurrent"], 1000)
        same(clients[500].code("MAIL FROM:<>"), 250)
    finally:
        for c in clients:
            c.sock.close()
    LAB.eventually("127.0.2.73", "concurrent", 0)
    same(LAB.stats("127.0.2.73")["concurrent_max"], 1000)


@test
def log_is_bounded():
    LAB.ask("reset")
    count = 65536 + 100
    with in_mail("127.0.2.73") as c:
        def write():
            c.send(b"".join(b"RCPT TO:<u%d@x.example>\r\n" % n for n in range(count)))
        writer = threading.Thread(target=write)
        writer.start()
        for _ in range(count):
            c.reply()
        writer.join()
    log = LAB.ask("log")
    same((len(log), log[0]["rcpt"], log[-1]["rcpt"]), (65536, "u100@x.example", f"u{count - 1}@x.example"))
    same(LAB.ask("stats")["totals"]["log_dropped"], 100)
    LAB.ask("reset")


# --- Scenarios ---------------------------------------------------------


@test
def reload_changes_rules_and_listeners_and_keeps_counts():
    lab = Lab("host 127.0.3.1 { rcpt * 250 }\nhost 127.0.3.2 { rcpt * 250 }\n")
    try:
        with Client("127.0.3.1", lab.port).hello().mail() as old:
            lab.write("host 127.0.3.1 { rcpt * 550 }\nhost 127.0.3.3 { rcpt * 250 }\n")
            same(lab.ask("reload"), {"ok": True})
            same(old.rcpt("a@x.example")[:3], "250")
            with Client("127.0.3.1", lab.port).hello().mail() as new:
                same(new.rcpt("a@x.example")[:3], "550")
        with Client("127.0.3.3", lab.port).hello():
            pass
        try:
            Client("127.0.3.2", lab.port)
            raise AssertionError("127.0.3.2 still listens")
        except ConnectionRefusedError:
            pass
        same(lab.stats("127.0.3.1")["rcpt"], 2)
    finally:
        same(lab.stop(), (0, ["ready", "scenario"]))


@test
def reload_of_a_bad_scenario_changes_nothing():
    lab = Lab("host 127.0.3.1 { rcpt * 250 }\n")
    try:
        for bad, error in (("host 127.0.3.1 { dance }\n", 'unknown directive "dance"'),
                           ("host 127.0.3.4 { }\nhost 192.0.2.1 { }\n", "cannot listen at 192.0.2.1")):
            lab.write(bad)
            answer = lab.ask("reload")
            same(answer["ok"], False)
            assert error in answer["error"], answer
            with Client("127.0.3.1", lab.port).hello().mail() as c:
                same(c.rcpt("a@x.example")[:3], "250")
            try:
                Client("127.0.3.4", lab.port)
                raise AssertionError("127.0.3.4 listens")
            except ConnectionRefusedError:
                pass
    finally:
        same(lab.stop()[0], 0)


@test
def quit_and_sigterm_end_it_cleanly():
    lab = Lab("host 127.0.3.1 { at banner silent }\nhost 127.0.3.2 { starttls on }\n")
    with Client("127.0.3.1", lab.port), Client("127.0.3.2", lab.port).hello() as c:
        c.starttls()
        same(lab.ask("quit"), {"ok": True})
        same(lab.stop(), (0, ["ready", "scenario"]))


@test
def lmtp_is_greeted_with_lhlo_and_then_the_same():
    with Client("127.0.2.90").hello("LHLO").mail() as c:
        same(c.banner, ["220 store.example.org LMTP"])
        assert "250-PIPELINING" in c.ehlo, c.ehlo
        same(c.rcpt("real@x.example")[:3], "250")
        same(c.rcpt("other@x.example")[:9], "550 5.1.1")
    stats = LAB.stats("127.0.2.90")
    same((stats["ehlo"], stats["helo"], stats["other"], stats["order_violations"]), (1, 0, 0, 0))


@test
def lmtp_and_smtp_do_not_know_each_other():
    for ip, wrong, code, right in (
            ("127.0.2.90", "EHLO", 500, "LHLO"), ("127.0.2.90", "HELO", 500, "LHLO"),
            ("127.0.2.73", "LHLO", 502, "EHLO")):
        with counting(ip, order_violations=2), Client(ip) as c:
            c.reply()
            same(c.code(f"{wrong} client.example.net"), code)
            same(c.code("MAIL FROM:<>"), 503)
            same(c.code(f"{right} client.example.net"), 250)


@test
def unix_socket_is_an_address_like_others():
    place = f"unix:{DIR}/store"
    with Client(place).hello("LHLO").mail() as c:
        same(c.rcpt("real@x.example"), "250 2.1.5 Ok")
        same(c.rcpt("b@x.example"), f"550 5.1.1 b@x.example at {place}, says local")
    same(LAB.ask(f"stats {place}")["hosts"][place]["rcpt_refused"], 1)
    last = LAB.ask("log")[-1]
    same((last["host"], last["client_ip"], last["client_port"]), (place, "local", 0))
    with Client(f"unix:{DIR}/plain").hello().mail() as c:
        same(c.rcpt("new@x.example")[:3], "450")
        same(c.rcpt("old@x.example")[:3], "250")


@test
def unix_socket_is_open_to_all_users():
    same(os.stat(f"{DIR}/store").st_mode & 0o777, 0o666)


@test
def unix_socket_goes_with_its_host_and_a_stale_one_is_replaced():
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/socket"
        block = f"host unix:{path} {{ rcpt * 250 }}\n"
        other = "host 127.0.3.1 { rcpt * 250 }\n"
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(path)
        lab = Lab(block + other)
        Client(f"unix:{path}").hello().sock.close()
        lab.write(other)
        same(lab.ask("reload"), {"ok": True})
        assert not os.path.exists(path)
        lab.write(block + other)
        same(lab.ask("reload"), {"ok": True})
        Client(f"unix:{path}").hello().sock.close()
        same(lab.stop(), (0, ["ready", "scenario"]))
        assert not os.path.exists(path)


@test
def file_in_the_place_of_a_unix_socket_is_left_alone():
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/file"
        with open(path, "w", encoding="utf-8") as file:
            file.write("precious")
        with open(f"{folder}/scenario", "w", encoding="utf-8") as scenario:
            scenario.write(f"host unix:{path} {{ }}\n")
        done = subprocess.run([BINARY, "-s", f"{folder}/scenario"], capture_output=True, text=True)
        same(done.returncode, 78)
        assert f"cannot listen at unix:{path}: " in done.stderr, done.stderr
        with open(path, encoding="utf-8") as file:
            same(file.read(), "precious")


@test
def mistakes_in_a_scenario_are_named_by_line():
    mistakes = [
        ("", 1, "no host in it"),
        ("rcpt * 250\n", 1, "host ADDRESS"),
        ("host 127.0.3.1 {\n rcpt * 250\n", 3, "not closed"),
        ("host mx.example.org {\n}\n", 1, "no IPv4 or IPv6 address"),
        ("host 127.0.3.1 two names {\n}\n", 1, "one name"),
        ("host 127.0.3.9-127.0.3.1 {\n}\n", 1, "backwards"),
        ("host 127.0.3.1-::1 {\n}\n", 1, "same family"),
        ("host unix:relative {\n}\n", 1, "a path from /"),
        ("host unix:/" + "x" * 107 + " {\n}\n", 1, "at most 107"),
        ("host unix:/a unix:/a {\n}\n", 1, "unix:/a is there twice"),
        ("host 127.0.3.1 {\n lmtp maybe\n}\n", 2, "not understood"),
        ("host ::1-::2:0:0:1 {\n}\n", 1, "too large"),
        ("host 127.0.3.1 {\n}\nhost 127.0.3.1 {\n}\n", 3, "is there twice"),
        ("host 127.0.3.1 {\n}\nhost * {\n}\n", 3, "before the others"),
        ("host 127.0.3.1 {\n\n dance 1\n}\n", 3, 'unknown directive "dance"'),
        ("host 127.0.3.1 {\n step 5\n}\n", 2, "a time such as"),
        ("host 127.0.3.1 {\n step 99h\n}\n", 2, "a time such as"),
        ("host 127.0.3.1 {\n step\n}\n", 2, "is missing"),
        ("host 127.0.3.1 {\n step 5ms 6ms\n}\n", 2, '"6ms" is not understood'),
        ("host 127.0.3.1 {\n rcpt * 950\n}\n", 2, "a reply wanted"),
        ("host 127.0.3.1 {\n rcpt * ok\n}\n", 2, "a reply wanted"),
        ("host 127.0.3.1 {\n rcpt *\n}\n", 2, "a reply is missing"),
        ("host 127.0.3.1 {\n rcpt * 250 then dance\n}\n", 2, "close, reset or silent"),
        ("host 127.0.3.1 {\n at lunch close\n}\n", 2, "no stage"),
        ("host 127.0.3.1 {\n at rcpt#0 close\n}\n", 2, "no stage"),
        ("host 127.0.3.1 {\n starttls maybe\n}\n", 2, "wanted"),
        ("host 127.0.3.1 {\n tls_max 2.0\n}\n", 2, "wanted"),
        ("host 127.0.3.1 {\n rcpt * garbage 1MB\n}\n", 2, "a size such as"),
        ("host 127.0.3.1 {\n drip 1s 0\n}\n", 2, "at least one octet"),
        ('host 127.0.3.1 {\n banner 220 "open\n}\n', 2, "no end"),
        ('host 127.0.3.1 {\n banner 220 "\\q"\n}\n', 2, "unknown escape"),
        ('host 127.0.3.1 {\n banner 220 "\\xg0"\n}\n', 2, "hexadecimal"),
        ("host 127.0.3.1 {\n offer " + " ".join(f"X{n}" for n in range(25)) + "\n}\n", 2, "keywords"),
        ("host 127.0.3.1 {\n offer" + " x" * 70 + "\n}\n", 2, "too many words"),
        ("host 127.0.3.1 {\n port 70000\n}\n", 2, "a number"),
        ("host 127.0.3.1 {\n host 127.0.3.2 {\n}\n", 2, "not closed"),
    ]
    for text, line, error in mistakes:
        with tempfile.NamedTemporaryFile("w", suffix=".scn") as file:
            file.write(text)
            file.flush()
            done = subprocess.run([BINARY, "-t", "-s", file.name], capture_output=True, text=True)
            same((text, done.returncode), (text, 78))
            assert f"{file.name}:{line}: " in done.stderr and error in done.stderr, (text, done.stderr)


@test
def command_line_and_addresses_are_checked():
    with tempfile.NamedTemporaryFile("w", suffix=".scn") as file:
        file.write("host 192.0.2.1 { }\n")
        file.flush()
        for args, status, error in (
                ([], 64, "usage"), (["-p", "25"], 64, "usage"), (["-s", file.name, "-p", "0"], 64, "usage"),
                (["-s", file.name, "-p", "25x"], 64, "usage"), (["-s", file.name, "more"], 64, "usage"),
                (["-s", file.name + ".none"], 78, "No such file"),
                (["-s", file.name], 78, "cannot listen at 192.0.2.1 port 25"),
                (["-s", file.name, "-t"], 0, "")):
            done = subprocess.run([BINARY] + args, capture_output=True, text=True)
            same((args, done.returncode), (args, status))
            assert error in done.stderr, done.stderr


@test
def readme_examples_are_valid():
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "README")
    with open(path, encoding="utf-8") as file:
        lines = file.read().split("\n")
    begin = lines.index("EXAMPLE") + 1
    end = next(n for n in range(begin, len(lines)) if lines[n] and not lines[n].startswith(" "))
    with tempfile.NamedTemporaryFile("w", suffix=".scn") as scenario:
        scenario.write("\n".join(lines[begin:end]))
        scenario.flush()
        done = subprocess.run([BINARY, "-t", "-s", scenario.name], capture_output=True, text=True)
    same((done.returncode, done.stderr), (0, ""))


@test
def main_server_ends_cleanly():
    same(LAB.stop(), (0, ["ready", "scenario"]))


def main():
    failed = 0
    print(f"1..{len(TESTS)}", flush=True)
    for number, function in enumerate(TESTS, 1):
        try:
            function()
            print(f"ok {number} - {function.__name__}", flush=True)
        except Skip as why:
            print(f"ok {number} - {function.__name__} # SKIP {why}", flush=True)
        except Exception as error:  # pylint: disable=broad-except
            failed += 1
            place = error.__traceback__
            while place.tb_next is not None and place.tb_next.tb_frame.f_code.co_filename == __file__:
                place = place.tb_next
            text = f"{type(error).__name__}: {error} (line {place.tb_lineno})".replace("\n", " ")
            print(f"not ok {number} - {function.__name__}\n# {text}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    PORT2 = free_port()
    SOCKETS = tempfile.TemporaryDirectory()
    DIR = SOCKETS.name
    LAB = Lab(SCENARIO.replace("%PORT2%", str(PORT2)).replace("%DIR%", DIR)
              + (SCENARIO_IPV6 if has_ipv6() else ""))
    try:
        STATUS = main()
    finally:
        if LAB.process.poll() is None:
            LAB.process.kill()
    sys.exit(STATUS)
