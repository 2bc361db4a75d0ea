# SPDX-License-Identifier: BSD-2-Clause
"""Connect back between whole sites: real MTAs on both sides, whose daemons ask and answer.

Each Postfix and each Sendmail sends to each, and is asked by it whether it does. What is counted
passes over the cables: a connection to a site's port 25 without a message is a call back.

With `--full` all four pairs talk, and each way; else Postfix and Sendmail do, in both directions.
"""

import contextlib
import itertools
import subprocess
import sys

import client
import debs
import etc
import postfix
import relay
import sendmail
import sites
import waiting
import wire
import world

FULL = "--full" in sys.argv
TALKS = """
connect_back {{
    check    = yes
    timeout  = 15s
    answer   = yes
    complete = yes
    {more}
}}
"""
PAIRS = [
    (f"talks-{one}-1", f"talks-{other}-2")
    for one, other in itertools.product(("postfix", "sendmail"), repeat=2)
]
MUTE = {"postfix": "mute-postfix", "sendmail": "mute-sendmail"}
WARNING = "Callback-Warning"
NOT_REACHED = "could not be reached, to be asked whether it sent this"
NOT_ASKED = "could not be asked whether it sent this"
FARM, SCREENED = "farm-postfix", "screened-postfix"
BEHIND_PROXY = f"""
{relay.BEHIND_PROXY} inet n - n - - smtpd
  -o smtpd_upstream_proxy_protocol=haproxy
"""
PROXIES = "smtpd_authorized_xclient_hosts = 198.18.0.0/16\n"
DEEP = """
postscreen_bare_newline_enable = yes
postscreen_non_smtp_command_enable = yes
postscreen_pipelining_enable = yes
postscreen_greet_wait = 1s
postscreen_cache_map = btree:$data_directory/postscreen_cache
"""
SIX_FIRST = """
inet_protocols = all
inet_interfaces = all
smtp_address_preference = ipv6
"""
SIX_DAEMON = "DAEMON_OPTIONS(`Name=six, Family=inet6, Addr={}, Port=25')dnl\n"
OUTSIDER = "alice@real.example"

_users = itertools.cycle(sites.USERS[3:])


def run(tap, rig):
    with contextlib.ExitStack() as parts:
        try:
            there_are = _start(rig, parts)
        except (debs.CannotHave, etc.CannotHave) as reason:
            tap.skip("sites that ask each other whether they are talking", reason)
            return
        listening = parts.enter_context(wire.Wire(rig.net.world))
        for one, other in PAIRS if FULL else PAIRS[1:2]:
            for sender, recipient in ((one, other), (other, one)):
                _pair(tap, listening, there_are, there_are[sender], there_are[recipient])
        _others(tap, rig, listening, there_are)


def _others(tap, rig, listening, there_are):
    mute, farm, screened = (there_are[name] for name in (MUTE["postfix"], FARM, SCREENED))
    posts, mails = (
        [there_are[f"talks-{mta}-{number}"] for number in (1, 2)] for mta in ("postfix", "sendmail")
    )
    for sender, recipient in _some((posts[0], mails[1]), (mails[0], posts[1])):
        _nat(tap, rig, sender, recipient)
        _two_addresses(tap, rig, sender, recipient)
    for recipient in _some(mails[1], posts[1]):
        _farm(tap, listening, posts[0], farm, recipient)
        _nobody_there(tap, mute, recipient)
        _between(tap, mute, recipient)
        _bare(tap, rig, mute, recipient)
    _proxies(tap, rig, *posts)
    _screened(tap, screened, posts[1])
    for sender, recipient in _some(*itertools.permutations(there_are[name] for name in world.SIX)):
        _six(tap, sender, recipient)


def _some(*all_of_them):
    return all_of_them if FULL else all_of_them[:1]


# --- Sites ----------------------------------------------------------------------------------------


def _start(rig, parts):
    etc.check(rig.net.guard, rig.folder)
    unpacked = debs.unpacked(rig.builddir, rig.folder)
    sendmail.Sendmail.check(unpacked)
    there_are = {}
    for name in (*sorted({*itertools.chain(*PAIRS)}), *MUTE.values(), FARM, SCREENED, *world.SIX):
        there_are[name] = _site(rig, parts, name, _kind(name, unpacked))
    for site in there_are.values():
        site.mta.wait()
    return there_are


def _kind(name, unpacked):
    if "sendmail" in name:
        more = SIX_DAEMON.format(world.SIX[name]) if name in world.SIX else ""
        return sites.with_sendmail(unpacked, more=more)
    ours = {
        FARM: {"more": "smtp_helo_name = mx.talks-postfix-1.example\n"},
        SCREENED: {"more": DEEP, "front": postfix.POSTSCREEN},
    }
    own = {"more": PROXIES, "front": postfix.SMTPD + BEHIND_PROXY}
    if name in world.SIX:
        own = {"more": SIX_FIRST}
    return sites.with_postfix(milters=postfix.MILTER, **ours.get(name, own))


def _site(rig, parts, name, kind):
    site = sites.Site(rig, name, kind)
    if name in world.SIX:
        rig.net.add_ipv6(site.machine, site.address, world.SIX[name])
    parts.callback(site.stop)
    if not name.startswith("mute-"):
        site.with_ringback(rig.builddir)
    site.mta.launch()
    return site


def _talk(*them, more=""):
    """Their daemons begin anew, and ask and answer."""
    for site in them:
        site.start_ringback("", TALKS.format(more=more))


class Mail:
    """A message for a user of `to` who had none before; what became of it, and what is logged."""

    def __init__(self, to, send):
        self.to = to
        self.subject = client.unique("talks")
        self.user = next(_users)
        begun = len(_asked(to))
        self.sent = send(f"{self.user}@{to.domain}", self.subject)
        self.line = (waiting.until(lambda: _asked(to)[begun:]) or [{}])[-1]
        self.filed = self.sent.accepted and waiting.until(lambda: to.received(self.subject))

    @property
    def verdict(self):
        return self.line.get("verdict"), self.line.get("action")

    @property
    def warnings(self):
        """Whatever bears that name in the message; None: it is not there."""
        if not self.filed:
            return None
        text = self.to.text(self.subject)
        return [line for line in text.splitlines() if line.startswith(f"{WARNING}:")]

    def __repr__(self):
        return f"{self.sent} | {self.line} | {self.warnings}"


def _asked(site):
    return [each for each in site.ringback.decisions() if each["verify"] == "client"]


def _genuine(sender, recipient, user=None):
    """From a user of one site to one of another, through both MTAs."""
    who = f"{user or next(_users)}@{sender.domain}"
    return Mail(recipient, lambda to, subject: sender.send(who, to, subject))


def _claiming(helo, machine, recipient, sender=OUTSIDER):
    """From a client on that machine that says it is `helo`."""
    return Mail(
        recipient,
        lambda to, subject: client.send(
            machine.machine,
            sender,
            to,
            source=machine.address,
            subject=subject,
            helo=helo,
            server=recipient.address,
        ),
    )


def _calls(listening, caller, called):
    """The calls without a message, and how many of our verbs and RCPTs were said in them."""
    calls = [
        call
        for call in listening.settled()
        if (call.caller, call.called) == (caller.address, called.address) and not call.delivers
    ]
    verbs = sum(line.startswith("AYTTM") for call in calls for line in call.lines)
    rcpts = sum(len(call.recipients) for call in calls)
    return {"connections": len(calls), "AYTTM": verbs, "RCPT": rcpts}


def _counted(tap, listening, caller, called, wanted, text):
    found = _calls(listening, caller, called)
    title = ", ".join(f"{count} {what}" for what, count in wanted.items())
    tap.equal(found, wanted, f"{text}: {title}", *listening.settled())


# --- Pairs ----------------------------------------------------------------------------------------


def _pair(tap, listening, there_are, sender, recipient):
    text = f"{sender.name} to {recipient.name}"
    failed = tap.failed
    _talk(sender, recipient)
    mute = there_are[MUTE[sender.name.split("-")[1]]]
    _is_confirmed(tap, listening, text, sender, recipient)
    _is_denied(tap, listening, text, sender, mute, recipient)
    _is_mute(tap, listening, text, mute, recipient)
    if tap.failed > failed:
        tap.note("\n".join(sender.logs() + recipient.logs()))


def _is_confirmed(tap, listening, text, sender, recipient):
    listening.forget()
    mail = _genuine(sender, recipient)
    tap.equal(mail.verdict, ("confirmed", "accept"), f"{text}: confirmed", mail)
    tap.equal(mail.warnings, [], f"{text}: gets in without a warning", mail)
    found = mail.to.text(mail.subject) if mail.filed else ""
    tap.ok(f"x-ayttm=confirmed smtp.helo={sender.hostname}" in found, f"{text}: x-ayttm", found)
    counts = sender.ringback.status()["connect_back"]["answered"]
    tap.equal(counts, {"yes": 1, "maybe": 0, "no": 0, "unknown": 0}, f"{text}: answered once")
    once = {"connections": 1, "AYTTM": 1, "RCPT": 2}  # and whether it takes any address
    _counted(tap, listening, recipient, sender, once, f"{text}: sender and client are asked about")
    none = {"connections": 0, "AYTTM": 0, "RCPT": 0}
    _counted(tap, listening, sender, recipient, none, f"{text}: nobody is called for a call back")


def _is_denied(tap, listening, text, claimed, forger, recipient):
    listening.forget()
    mail = _claiming(claimed.hostname, forger, recipient)
    told = mail.sent.last
    tap.ok(
        told.code == 550 and f"5.7.1 {claimed.hostname} says that it is not talking" in told.text,
        f"{text}: a client that claims the sender's name is refused: 550 5.7.1",
        mail,
    )
    tap.equal(mail.verdict, ("denied", "reject"), f"{text}: denied, in the log", mail)
    once = {"connections": 1, "AYTTM": 1, "RCPT": 0}
    _counted(tap, listening, recipient, claimed, once, f"{text}: the claimed host is asked once")


def _is_mute(tap, listening, text, mute, recipient):
    """The same MTA without the extension; it is asked again when what is known is forgotten."""
    user = next(_users)
    once, never = ({"connections": n, "AYTTM": n, "RCPT": 0} for n in (1, 0))
    words = [f"{WARNING}: {mute.hostname}: {NOT_ASKED}"]
    for verdict, calls, what in (
        ("reachable", {**once, "RCPT": 2}, "is asked"),
        ("unsupported", never, "is not asked again"),
        ("reachable", once, "is asked again when that is forgotten"),
    ):
        listening.forget()
        mail = _genuine(mute, recipient, user)
        title = f"{text}: a host without the extension {what}"
        tap.equal(mail.verdict, (verdict, "tag"), title, mail)
        tap.equal(mail.warnings, words, f"{title}: its message gets in, with a warning", mail)
        _counted(tap, listening, recipient, mute, calls, title)
        if verdict == "unsupported":
            recipient.ringback.ringback("cache", "delete", "--domain", mute.hostname)


# --- What is on the way ---------------------------------------------------------------------------


@contextlib.contextmanager
def _diverted(rig, sender, recipient, connect):
    """What goes from one site to the other's port 25 reaches a relay, which that takes for it."""
    world, device = rig.net.world, f"s{sender.address.split('.')[2]}"
    what = f"iif {device} to {recipient.address} ipproto tcp dport 25 table 100".split()
    world.run("ip", "route", "replace", "local", recipient.address, "dev", "lo", "table", "100")
    world.run("ip", "rule", "add", *what)
    try:
        with relay.Relay(relay.listen(world, recipient.address), connect):
            yield
    finally:
        world.run("ip", "rule", "del", *what)
        world.run("ip", "route", "del", "local", recipient.address, "table", "100")


def _nat(tap, rig, sender, recipient):
    """The recipient sees connections of the sender's from another address, and another port."""
    text = f"{sender.name} to {recipient.name}, behind NAT"
    _talk(sender, recipient)

    def connect(*_):
        return relay.connected(rig.net.world, recipient.address)

    with _diverted(rig, sender, recipient, connect):
        mail = _genuine(sender, recipient)
    tap.equal(mail.verdict, ("maybe", "accept"), f"{text}: maybe", mail)
    tap.equal(mail.warnings, [], f"{text}: gets in without a warning", mail)
    client_seen = mail.line.get("client")
    tap.ok(client_seen not in (None, sender.address), f"{text}: who called is not seen", mail)


def _proxies(tap, rig, sender, recipient):
    """Who called is what the proxy says: for him who asks, and for him who answers."""
    for how, introduce in (("PROXY protocol", relay.proxied), ("XCLIENT", relay.introduced)):
        for one, other, what in (
            (sender, recipient, "the message"),
            (recipient, sender, "the question"),
        ):
            text = f"{sender.name} to {recipient.name}, {what} by {how}"
            _talk(sender, recipient)

            def connect(client_is, reached, server=other, introduce=introduce):
                return introduce(rig.net.world, server.address, client_is, reached)

            with _diverted(rig, one, other, connect):
                mail = _genuine(sender, recipient)
            tap.equal(mail.verdict, ("confirmed", "accept"), f"{text}: confirmed", mail)
            tap.equal(mail.line.get("client"), sender.address, f"{text}: the client is the sender")


@contextlib.contextmanager
def _second_address(rig, site):
    """One more at which the site can be reached, and its MTA does not listen."""
    second = site.address.removesuffix(".2") + ".9"
    site.machine.run("ip", "addr", "add", f"{second}/32", "dev", "eth0")
    rig.net.world.run("ip", "route", "add", second, "via", site.address)
    try:
        yield second
    finally:
        rig.net.world.run("ip", "route", "del", second)
        site.machine.run("ip", "addr", "del", f"{second}/32", "dev", "eth0")


def _two_addresses(tap, rig, sender, recipient):
    """The recipient is reached at one address, and calls from another."""
    text = f"{sender.name} to {recipient.name}, which has two addresses"
    gateway = recipient.address.removesuffix(".2") + ".1"
    default = ("ip", "route", "replace", "default", "via", gateway)
    with _second_address(rig, recipient) as second:
        recipient.machine.run(*default, "src", second)
        _talk(sender, recipient)
        mail = _genuine(sender, recipient)
        recipient.machine.run(*default)
    tap.equal(mail.verdict, ("confirmed", "accept"), f"{text}: confirmed", mail)
    answers = [line for line in sender.ringback.log().splitlines() if "answer=AYTTM" in line]
    asker = f"client={second} word=yes"
    tap.ok(answers and asker in answers[-1], f"{text}: asked from the other one", answers[-1:])


def _farm(tap, listening, asked, farm, recipient):
    """The one that is asked has a peer, which sends in its name."""
    text = f"{farm.name}, which calls itself {asked.hostname}, to {recipient.name}"
    _talk(recipient)
    _talk(asked, more=f'peers = {{ "{farm.address}" }}')
    _talk(farm, more=f'peers = {{ "{asked.address}" }}')
    listening.forget()
    who = f"{next(_users)}@{asked.domain}"
    mail = Mail(recipient, lambda to, subject: farm.send(who, to, subject))
    tap.equal(mail.verdict, ("confirmed", "accept"), f"{text}: confirmed", mail)
    wanted = {"connections": 1, "AYTTM": 1, "RCPT": 2}
    _counted(tap, listening, recipient, asked, wanted, f"{text}: the host of that name is asked")
    wanted = {"connections": 1, "AYTTM": 1, "RCPT": 0}
    _counted(tap, listening, asked, farm, wanted, f"{text}: it asks its peer")
    wanted = {"connections": 0, "AYTTM": 0, "RCPT": 0}
    _counted(tap, listening, recipient, farm, wanted, f"{text}: who called is not called")


# --- Hosts that do not answer ---------------------------------------------------------------------


def _nobody_there(tap, client_of, recipient):
    """The client is let in when `timeout` is over: nobody waits for what is still asked then."""
    recipient.start_ringback("", "connect_back { check = yes timeout = 2s }")
    for host, verdict, rule, words, what in (
        ("mx.refused.example", "unreachable", "", NOT_REACHED, "refuses connections"),
        ("mx.dead.example", "unknown", "still_asking", NOT_ASKED, "is a black hole"),
        ("mx.says-hello-late.example", "unknown", "still_asking", NOT_ASKED, "greets late"),
    ):
        mail = _claiming(host, client_of, recipient)
        text = f"to {recipient.name}, the claimed host {what}"
        tap.equal(mail.verdict, (verdict, "tag"), f"{text}: {verdict}", mail)
        tap.ok(rule in mail.line.get("rule", ""), f"{text}: not beyond `timeout`", mail)
        tap.equal(mail.warnings, [f"{WARNING}: {host}: {words}"], f"{text}: a warning", mail)


# --- Verbs on the wire ----------------------------------------------------------------------------


def _between(tap, client_of, recipient):
    """Verbs that the MTA does not know, between RCPT and DATA; then a message with a header."""
    _talk(recipient)
    name = recipient.mta.name
    subject, user = client.unique("talks"), next(_users)
    helo = client_of.hostname
    session = client.Session(client_of.machine, client_of.address, helo, recipient.address)
    session.ehlo()
    lines = (f"MAIL FROM:<{OUTSIDER}>", f"RCPT TO:<{user}@{recipient.domain}>")
    told = [session.command(line).code for line in (*lines, "NOSUCH", "AYTTM-54321-25")]
    end = session.message(subject, headers=["X-One: 1", "X-Two: 2"])
    session.close()
    tap.ok(told[:2] == [250, 250] and told[2] in (500, 502), f"{name}: an unknown verb", told)
    tap.equal(told[3], 450, f"{name}: AYTTM between RCPT and DATA is answered")
    tap.equal(end.code, 250, f"{name}: and the message that follows is taken", end)
    text = waiting.until(lambda: recipient.received(subject)) and recipient.text(subject)
    title = f"{name}: with its header, and the milter's fields"
    tap.ok(text and "X-Two: 2" in text and f"{WARNING}: {helo}" in text, title, text)


def _bare(tap, rig, asker, site):
    """An old Postfix hands on the verb without what is behind a space; with hyphens it has all."""
    _talk(site)
    with _second_address(rig, asker) as address, relay.listen(asker.machine, address) as listener:
        listener.settimeout(waiting.PATIENCE_S)
        listener.listen()
        site.send(f"{next(_users)}@{site.domain}", f"someone@[{address}]", "never gets there")
        held, (_, port) = listener.accept()
        with held:  # it is never greeted
            lines = ("AYTTM", f"AYTTM {port} 25", f"AYTTM-{port}-25", f"AYTTM-{port - 1}-25")
            said = [_say(asker.machine, address, site, line) for line in lines]
    name = f"{site.mta.name}{_version(site)}, asked about a connection of its own"
    tap.equal(said[0], "450 4.5.0 AYTTM maybe", f"{name}: bare verb: maybe")
    words = [f"450 4.5.0 AYTTM {word}" for word in ("maybe", "yes")]
    tap.ok(said[1] in words, f"{name}: with spaces: maybe, or yes", said)
    tap.equal(said[2], words[1], f"{name}: with hyphens: yes")
    tap.equal(said[3], words[0], f"{name}: another port: maybe")


def _say(machine, address, site, line):
    session = client.Session(machine, address, server=site.address)
    session.ehlo()
    try:
        return session.command(line).line
    finally:
        session.close()


def _version(site):
    if site.mta.name != "Postfix":
        return ""
    return " " + subprocess.check_output(["postconf", "-dh", "mail_version"], text=True).strip()


def _screened(tap, screened, recipient):
    """postscreen answers a first visit itself."""
    text = f"{screened.name} to {recipient.name}, deep protocol tests"
    _talk(screened, recipient)
    first = Mail(recipient, lambda to, subject: screened.send("", to, subject))
    tap.equal(first.verdict, ("reachable", "tag"), f"{text}: a first visit", first)
    recipient.ringback.ringback("cache", "delete", "--domain", screened.hostname)
    second = _genuine(screened, recipient)
    tap.equal(second.verdict, ("confirmed", "accept"), f"{text}: after one that passed", second)


# --- IPv6 -----------------------------------------------------------------------------------------


def _six(tap, sender, recipient):
    text = f"{sender.name} to {recipient.name}, IPv6"
    _talk(sender, recipient)
    mail = _genuine(sender, recipient)
    tap.equal(mail.verdict, ("confirmed", "accept"), f"{text}: confirmed", mail)
    seen = (mail.line.get("client"), mail.line.get("mx"))
    wanted = (world.SIX[sender.name], f"{sender.hostname}[{world.SIX[sender.name]}]")
    tap.equal(seen, wanted, f"{text}: client, and whom it was asked", mail)
