# SPDX-License-Identifier: BSD-2-Clause
"""Others ask us "are you talking to me?" (AYTTM), through an MTA as it is, and are told by our sockets.

Whoever asks is a scripted client that has a real connection from the MTA's host, of a user who sends
mail there or of one who does not.
"""

import contextlib
import re
import socket
import subprocess

import client
import etc
import net
import postfix
import sites
import waiting

SMTP = 25
USERS = {"Postfix": "postfix", "Sendmail": "root"}  # whom the MTA sends as
BETWEEN = ("after RSET", "after a message")  # two messages
WEB = "4242"  # nobody's number here
ASKER, OTHER = "203.0.113.60", "203.0.113.61"
ASKER6 = "2001:db8:25::60"
FAR, FAR_OTHER = "192.0.2.230", "192.0.2.231"  # in the world, which the sites reach
FARM, SCREEN = "postfix-1", "called-postscreen"
HOLD = (
    "import socket, sys;"
    " held = socket.create_connection((sys.argv[1], 25));"
    " print(held.getsockname()[1], flush=True);"
    " sys.stdin.read()"
)
DEEP = """
postscreen_bare_newline_enable = yes
postscreen_non_smtp_command_enable = yes
postscreen_pipelining_enable = yes
postscreen_bare_newline_action = enforce
postscreen_greet_wait = 1s
postscreen_access_list =
postscreen_cache_map = btree:$data_directory/postscreen_cache
"""


def run(tap, rig):
    user = USERS[rig.mta.name]
    _words(tap, rig, user)
    _points(tap, rig, user)
    _trusted(tap, rig, user)
    _abuse(tap, rig, user)
    _is_off(tap, rig)
    if rig.mta.name == "Postfix":
        _sites(tap, rig, user)


def _configure(rig, users, more="", limits="", **options):
    settings = f"connect_back {{ answer = yes answer_users = {{ {users} }} {more} }}\n{limits}"
    rig.milter.start_fresh(more=settings, **options)


# --- Connections ----------------------------------------------------------------------------------


class Line:
    """A connection from a host of ours to port 25 of `address`, which a user of that host holds."""

    def __init__(self, machine, user, there, address):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._listener = there.socket(family)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((address, SMTP))
        self._listener.listen()
        self._process = machine.popen(
            ["setpriv", f"--reuid={user}", "--clear-groups", "--", "/usr/bin/python3", "-c", HOLD, address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port = int(self._process.stdout.readline())
        self._taken = self._listener.accept()[0]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.wait(waiting.PATIENCE_S)
        self._process.stdout.close()
        self._taken.close()
        self._listener.close()


def _said(session, line):
    """The word of the answer; else the code of the MTA's own."""
    reply = session.command(line)
    answer = re.fullmatch(r"450 4\.5\.0 AYTTM (\w+)", reply.line)
    return answer.group(1) if answer else reply.code


def _ask(rig, line, source=ASKER):
    there = rig.net.world if source.startswith("192.0.2.") else rig.net.client
    session = client.Session(there, source)
    session.ehlo()
    try:
        return _said(session, line)
    finally:
        session.close()


def _hex(address):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.inet_pton(family, address).hex()


# --- Words ----------------------------------------------------------------------------------------


def _words(tap, rig, user):
    _configure(rig, user)
    with Line(rig.net.mta, user, rig.net.client, ASKER) as held:
        port, wrong = held.port, held.port - 1
        words = {
            f"AYTTM-{port}-25": "yes",
            f"ayttm-{port}-25-{_hex(ASKER)}": "yes",
            f"AYTTM-{port}-25-{_hex(OTHER)}": "unknown",
            f"AYTTM-{wrong}-25": "maybe",
            f"AYTTM-{port}-26": "unknown",
            "AYTTM": "maybe",
        }
        for line, word in words.items():
            tap.equal(_ask(rig, line), word, f"a client that we talk to asks {_shown(line, port)}")
        tap.equal(
            _ask(rig, f"AYTTM-{port}-25-{_hex(ASKER)}", OTHER),
            "yes",
            "it may ask from another address about a connection whose port it knows",
        )
        tap.equal(
            _ask(rig, f"AYTTM-{wrong}-25-{_hex(ASKER)}", OTHER),
            "unknown",
            "and is told nothing of one whose port it does not know",
        )
        tap.equal(_ask(rig, f"AYTTM-{port}-25", OTHER), "unknown", "a client that we do not talk to")
    with Line(rig.net.mta, user, rig.net.world, ASKER6) as held:
        line = f"AYTTM-{held.port}-25-{_hex(ASKER6)}"
        tap.equal(_ask(rig, line), "yes", "about a connection by IPv6")
    _no(tap, rig, user)


def _no(tap, rig, user):
    _configure(rig, user, more="complete = yes")
    with Line(rig.net.mta, user, rig.net.client, ASKER) as held:
        port = held.port
        tap.equal(_ask(rig, f"AYTTM-{port}-25"), "yes", "with complete = yes: yes as ever")
        tap.equal(_ask(rig, f"AYTTM-{port}-25", OTHER), "no", "with complete = yes: no where we do not")
    tap.ok(
        _ask(rig, f"AYTTM-{port}-25") in ("maybe", "no"),
        "a connection that has just ended is no more than maybe",
    )
    with Line(rig.net.mta, WEB, rig.net.client, ASKER) as held:
        line = f"AYTTM-{held.port}-25"
        tap.equal(_ask(rig, line), "no", "a connection of a user who sends no mail is none of ours")


def _shown(line, port):
    return line.replace(str(port), "PORT").replace(str(port - 1), "ANOTHER")


# --- Points of a session --------------------------------------------------------------------------


def _points(tap, rig, user):
    _configure(rig, user)
    for point in ("before EHLO", "before MAIL", "before RCPT", "before DATA", *BETWEEN):
        session = client.Session(rig.net.client, ASKER)
        told = _session(session, point)
        session.close()
        if point in BETWEEN and rig.mta.name == "Sendmail":
            # It has done with its filters then, until the next MAIL.
            tap.equal(told[point], 500, f"asked {point}: no filter hears of it")
        else:
            tap.equal(told[point], "unknown", f"asked {point}: answered")
        tap.equal(told["RCPT"], 250, f"asked {point}: RCPT as ever")
        tap.equal(told["end"], 250, f"asked {point}: a message without a header is taken")
        tap.ok(told["again"] in (500, 502), f"asked {point}: once a connection", told)
        tap.ok(told["NOSUCH"] in (500, 502), f"asked {point}: other verbs are the MTA's", told)


def _session(session, point):
    """The reply to each step of a session that asks at that point."""
    told = {}

    def reach(here):
        if here == point:
            told["NOSUCH"] = _said(session, "NOSUCH")
            told[point] = _said(session, "AYTTM-54321-25")
            told["again"] = _said(session, "AYTTM-54321-25")

    reach("before EHLO")
    session.ehlo()
    reach("before MAIL")
    if point == "after RSET":
        session.command("MAIL FROM:<>")
        session.command("RSET")
        reach("after RSET")
    session.command("MAIL FROM:<>")
    reach("before RCPT")
    told["RCPT"] = session.command(f"RCPT TO:<{client.RECIPIENT}>").code
    reach("before DATA")
    session.command("DATA")
    told["end"] = session.command("\r\nHello.\r\n.").code
    reach("after a message")
    return told


def _trusted(tap, rig, user):
    _configure(rig, user, trusted=ASKER)
    tap.equal(_ask(rig, "AYTTM-54321-25"), "unknown", "a client of trusted_networks is answered")
    mail = rig.send("nobody@real.example", source=ASKER)
    tap.ok(mail.accepted, "and its mail is let through unverified", mail)


# --- Abuse ----------------------------------------------------------------------------------------


def _abuse(tap, rig, user):
    _configure(rig, user, limits='limits { per_client_rate = "5/d" }')
    with Line(rig.net.mta, user, rig.net.client, ASKER) as held:
        words = [_ask(rig, f"AYTTM-{held.port}-25") for _ in range(8)]
        tap.equal(words, 5 * ["yes"] + 3 * ["unknown"], "who asks too often is told unknown")
    tap.equal(_ask(rig, "AYTTM", OTHER), "unknown", "others are answered")
    counts = rig.milter.status()["connect_back"]
    tap.equal(counts["answered"], {"yes": 5, "maybe": 0, "no": 0, "unknown": 4}, "it is counted")
    tap.equal(counts["answers_limited"], 3, "and so is what was above the rate")
    line = f"answer=AYTTM client={ASKER} word=yes sport={held.port} dport=25"
    tap.ok(line in rig.milter.log(), "an answer is a line of the log", line)


def _is_off(tap, rig):
    rig.milter.start_fresh()
    told = _ask(rig, "AYTTM-54321-25")
    tap.ok(told in (500, 502), "unless it is on, the MTA gives its own reply", told)


# --- Sites ----------------------------------------------------------------------------------------


def _sites(tap, rig, user):
    with contextlib.ExitStack() as parts:
        try:
            etc.check(rig.net.guard, rig.folder)
        except etc.CannotHave as reason:
            tap.skip("peers, and postscreen", reason)
            return
        _peers(tap, rig, user, parts)
        _screened(tap, rig, parts)


def _site(rig, parts, name, **options):
    site = sites.Site(rig, name, sites.with_postfix(milters=postfix.MILTER, **options))
    parts.callback(site.stop)
    site.with_ringback(rig.builddir)
    site.mta.start()
    return site


def _peers(tap, rig, user, parts):
    """Of two hosts, one is asked and the other has the connection."""
    farm = _site(rig, parts, FARM)
    ours = f"connect_back {{ answer = yes answer_users = {{ {user} }} peers = {{ {net.MTA} }} }}"
    farm.ringback.start_fresh(more=ours)
    _configure(rig, user, more=f"complete = yes peers = {{ {farm.address} }}")
    with Line(farm.machine, user, rig.net.world, FAR) as held:
        tap.equal(_ask(rig, f"AYTTM-{held.port}-25", FAR), "yes", "a peer has the connection: yes")
        tap.equal(_ask(rig, f"AYTTM-{held.port - 1}-25", FAR), "maybe", "it has another: maybe")
    tap.equal(_ask(rig, "AYTTM-54321-25", FAR_OTHER), "unknown", "it cannot say no: unknown")
    farm.ringback.start_fresh(more=ours.replace("answer = yes", "answer = yes complete = yes"))
    tap.equal(_ask(rig, "AYTTM-54321-25", FAR_OTHER), "no", "it says no, too: no")
    farm.ringback.kill()
    tap.equal(_ask(rig, "AYTTM-54321-25", FAR_OTHER), "unknown", "it says nothing: unknown")


def _screened(tap, rig, parts):
    screen = _site(rig, parts, SCREEN, limits="", front=postfix.POSTSCREEN, more=DEEP)
    screen.ringback.start_fresh(more="connect_back { answer = yes answer_users = { root } }")
    told = []
    for _ in range(2):
        session = client.Session(rig.net.world, FAR, server=screen.address)
        session.ehlo()
        told.append(_said(session, "AYTTM"))
        session.command("MAIL FROM:<>")
        session.command(f"RCPT TO:<user1@{screen.domain}>")
        session.close()
    tap.equal(told, [502, "unknown"], "postscreen's deep tests answer a first visit themselves")
