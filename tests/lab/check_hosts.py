# SPDX-License-Identifier: BSD-2-Clause
"""Real mail hosts are called, with the limits they come with: all is answered, nobody loses patience.

Postfix (its error limits, anvil, check_recipient_access, postscreen), Exim with its defaults, and
Dovecot's LMTP, each as the distribution has it. What they make of us is read in their own logs.

With `--full` the lists are as long as users' are, and the minute is waited for that a host is left
alone.
"""

import collections
import contextlib
import re
import sys

import check_verdicts
import client
import debs
import dovecot
import etc
import exim
import postfix
import sites
import waiting
import world

FULL = "--full" in sys.argv
EACH = 100 if FULL else 26  # addresses of each domain: more than two sessions take
CROWD = 60
# What is asked here is asked at once, and half of it is wrong.
NO_RATES = 'limits { per_domain_rate = "10000/m" shield_addresses = 0 }'
NARROW = 3  # connections that the narrow host allows
INTERNAL = [f"user{number}" for number in range(90, 95)]
MESSAGE_RATE = 20  # that the strict Postfix takes in a minute
# What no log may say of us. (Of unknown users they say what they like.)
COMPLAINTS = {
    "postfix": r"too many|too much|lost connection|timeout after|pipelining|SSL_accept|PREGREET"
    r"|non-SMTP|warning: (?!.*overriding earlier entry)",
    "exim": r"too many|dropped|connection lost|unexpected disconnection|synchronization error"
    r"|protocol error|syntax|TLS error|timed out|rejected (EHLO|HELO|connection)",
    "dovecot": r"Connection closed|closed connection|Disconnect.*(?<!Logged out )\(state|Timeout"
    r"|Error:|Too many",
}
LIMITS_OF_EXIM = """
log_selector = +smtp_connection +smtp_protocol_error +smtp_syntax_error
"""
ONE_TOO_MANY = f"{LIMITS_OF_EXIM}smtp_accept_max_per_host = {NARROW}\n"
INTERNAL_ONLY = "smtpd_recipient_restrictions = check_recipient_access texthash:{folder}/internal\n"
LISTED = f"""
postscreen_dnsbl_sites = {world.BLOCK_LIST}
postscreen_dnsbl_action = drop
"""
SCREEN = """
postscreen_greet_action = drop
postscreen_greet_wait = 2s
postscreen_cache_map =
postscreen_access_list =
postscreen_blacklist_action = drop
"""


class Watch:
    """What a site's MTA logs from now on. Complaints are those of its make."""

    def __init__(self, site, make):
        self.site = site
        self.make = make
        self._before = collections.Counter(site.mta.log().splitlines())

    @property
    def lines(self):
        """Several files may stand behind it, each with news at its end."""
        before = collections.Counter(self._before)
        news = []
        for line in self.site.mta.log().splitlines():
            if before[line] > 0:
                before[line] -= 1
            else:
                news.append(line)
        return news

    def having(self, pattern):
        return [line for line in self.lines if re.search(pattern, line)]

    def sessions(self):
        """(how many of ours it has taken, how many of them have ended in order)."""
        begun, ended = {
            "postfix": (r" connect from \S*\[", r" disconnect from \S*\[.* quit=1"),
            "exim": (r"SMTP connection from .*connection count", r"closed by QUIT"),
            "dovecot": (r"Connect from", r"Disconnect from .*Logged out"),
        }[self.make]
        return len(self.having(begun)), len(self.having(ended))

    def settled(self):
        """The same, once all have ended."""

        def over():
            begun, ended = self.sessions()
            return begun == ended and begun

        waiting.until(lambda: over() or self.complaints())
        return self.sessions()

    def complaints(self):
        return self.having(COMPLAINTS[self.make])

    def is_content(self, tap, text, at_least=1):
        """It saw so many sessions, each ended by QUIT, and has nothing to complain of."""
        begun, ended = self.settled()
        tap.note(f"{text}: {begun} sessions")
        tap.ok(
            begun == ended and begun >= at_least,
            f"{text}: each of our sessions ends with QUIT",
            f"{begun} begun, {ended} ended so",
            *self.lines[-20:],
        )
        complaints = self.complaints()
        tap.ok(not complaints, f"{text}: nothing to complain of in its log", *complaints[:5])


def run(tap, rig):
    with contextlib.ExitStack() as parts:
        try:
            there, missing = _start_sites(rig, parts)
        except etc.CannotHave as reason:
            tap.skip("real mail hosts are called", reason)
            return
        for names, scenario in SCENARIOS:
            reason = next((missing[name] for name in names if name in missing), None)
            if reason:
                tap.skip(scenario.__doc__, reason)
            else:
                scenario(tap, rig, *(there[name] for name in names))


# --- Who is there ---------------------------------------------------------------------------------


def _kinds(rig):
    """What each site is, and why some cannot be."""
    kinds = {
        "called-postfix": sites.with_postfix(limits=""),
        "called-postscreen": sites.with_postfix(
            limits="", front=postfix.POSTSCREEN, more=SCREEN
        ),
    }
    missing = {}
    try:
        unpacked = debs.unpacked(rig.builddir, rig.folder)
        exim.Exim.check(unpacked)
        kinds["called-exim"] = sites.with_exim(unpacked, more=LIMITS_OF_EXIM, tls=True)
        kinds["narrow-exim"] = sites.with_exim(unpacked, more=ONE_TOO_MANY)
    except debs.CannotHave as reason:
        missing.update({"called-exim": reason, "narrow-exim": reason})
    try:
        unpacked = debs.unpacked_dovecot(rig.builddir, rig.folder)
        dovecot.Dovecot.check(unpacked)
        kinds["called-dovecot"] = sites.with_dovecot(unpacked)
    except debs.CannotHave as reason:
        missing["called-dovecot"] = reason
    return kinds, missing


def _start_sites(rig, parts):
    etc.check(rig.net.guard, rig.folder)
    kinds, missing = _kinds(rig)
    there = {}
    for name, kind in kinds.items():
        site = sites.Site(rig, name, kind)
        parts.callback(site.stop)
        try:
            site.mta.launch()
            there[name] = site
        except debs.CannotHave as reason:
            missing[name] = reason
    for site in there.values():
        site.mta.wait()
    return there, missing


# --- Scenarios ------------------------------------------------------------------------------------


def _addresses(domains, count):
    """So many of each domain, in turn; every other one does not exist."""
    return [
        f"{'user' if number % 2 else 'nobody'}{number}@{domain}"
        for number in range(count)
        for domain in domains
    ]


def _wanted(address):
    exists = address.startswith("user") and int(re.match(r"user(\d+)", address)[1]) < 100
    return ("valid", "accepted") if exists else ("invalid", "no_such_user")


def _verify(rig, addresses, *options):
    """`ringback verify -`, the list by a pipe: the answers."""
    text = "".join(f"{each}\n" for each in addresses)
    return rig.milter.ringback_json("verify", *options, "-", stdin=text)


def _is_right(tap, answers, addresses, text):
    wrong = [
        each for each in answers if (each["verdict"], each["reason"]) != _wanted(each["address"])
    ]
    tap.equal(len(answers), len(addresses), f"{text}: each has an answer")
    tap.ok(not wrong, f"{text}: all users valid, all others no_such_user", *wrong[:3])


def _nobody_is_held_back(tap, rig, text):
    shown = rig.milter.status()["limits"]["hosts_held_back"]
    tap.equal(shown, [], f"{text}: no host is held back")


def _list(tap, rig, of_postfix, of_exim):
    """A list of many addresses at three domains of a Postfix and three of an Exim"""
    domains = [*of_postfix.domains[:3], *of_exim.domains]
    addresses = _addresses(domains, EACH)
    watches = [Watch(of_postfix, "postfix"), Watch(of_exim, "exim")]
    rig.milter.start_fresh(more=NO_RATES)
    text = f"a list of {len(addresses)} addresses at 6 domains of Postfix and Exim"
    _is_right(tap, _verify(rig, addresses), addresses, text)
    for watch in watches:
        watch.is_content(tap, f"{text}: {watch.make}", at_least=EACH * 3 // 10)


def _mails(tap, rig, of_postfix, of_exim):
    """Mails from many senders of one domain, one after the other"""
    for site, make in ((of_postfix, "postfix"), (of_exim, "exim")):
        domain = site.domains[0]
        senders = [f"user{number}@{domain}" for number in range(15)]
        senders += [f"nobody{number}@{domain}" for number in range(15)]
        watch = Watch(site, make)
        rig.milter.start_fresh(more=NO_RATES)
        told = [check_verdicts.told(rig.send(sender)) for sender in senders]
        text = f"{len(senders)} mails in a row from {make}'s users and others"
        wanted = [check_verdicts.ACCEPT] * 15 + [check_verdicts.REJECT] * 15
        tap.equal(told, wanted, f"{text}: all are told right")
        rig.milter.stop()
        watch.is_content(tap, text, at_least=3)


def _crowd(rig, domains):
    """CROWD mails at once, of all the domains in turn; what each client is told, and should be."""
    senders = _addresses(domains, CROWD // len(domains))
    mails = client.at_once(
        len(senders), lambda n: rig.send(senders[n], source=f"203.0.113.{n + 1}")
    )
    told = [check_verdicts.told(mail) for mail in mails]
    right = {"valid": check_verdicts.ACCEPT, "invalid": check_verdicts.REJECT}
    return told, [right[_wanted(sender)[0]] for sender in senders]


def _one_too_many(tap, rig, narrow):
    """Six domains at an Exim that allows three connections, sixty mails at once"""
    watch = Watch(narrow, "exim")
    rig.milter.start_fresh(more=NO_RATES, max_wait="25s")
    text = f"{CROWD} mails at once from 6 domains of an Exim that allows {NARROW} connections"
    told, wanted = _crowd(rig, narrow.domains)
    tap.equal(told, wanted, f"{text}: all are told right")
    _nobody_is_held_back(tap, rig, text)
    rig.milter.stop()
    begun, ended = watch.settled()
    refused = watch.having("too many connections")
    others = [line for line in watch.complaints() if line not in refused]
    tap.note(f"{begun} sessions, and {len(refused)} that were too many")
    tap.ok(not others, f"{text}: else nothing to complain of", *others[:5])
    tap.ok(begun == ended >= NARROW, f"{text}: each of our sessions ends with QUIT", begun, ended)
    # Two sessions of each domain begin at once; then it is known how many there may be, but for
    # those that have just ended.
    tap.ok(
        0 < len(refused) <= 3 * len(narrow.domains),
        f"{text}: few of them are tried in vain",
        f"{len(refused)} of {begun + len(refused)}",
    )


def _too_many_for_anvil(tap, rig, strict):
    """Three domains at a Postfix that allows two connections, sixty mails at once"""
    strict.mta.set_more("smtpd_client_connection_count_limit = 2\n")
    watch = Watch(strict, "postfix")
    rig.milter.start_fresh(more=NO_RATES, max_wait="25s")
    text = f"{CROWD} mails at once from 3 domains of a Postfix that allows 2 connections"
    told, wanted = _crowd(rig, strict.domains[:3])
    tap.equal(told, wanted, f"{text}: all are told right")
    _nobody_is_held_back(tap, rig, text)
    rig.milter.stop()
    refused = watch.having("Connection concurrency limit exceeded")
    others = [line for line in watch.complaints() if line not in refused]
    tap.note(f"{watch.sessions()[0]} sessions, {len(refused)} of them too many")
    tap.ok(not others, f"{text}: else nothing to complain of", *others[:5])
    tap.ok(0 < len(refused) <= 12, f"{text}: few of them are tried in vain", len(refused))
    strict.mta.set_more("")


def _internal(tap, rig, strict):
    """Five refused internal addresses"""
    domain = strict.domains[3]
    (strict.folder / "internal").write_text(
        "".join(f"{user}@{domain} REJECT\n" for user in INTERNAL)
    )
    strict.mta.set_more(INTERNAL_ONLY.format(folder=strict.folder))
    watch = Watch(strict, "postfix")
    rig.milter.start_fresh(more=NO_RATES)
    text = "senders that their host refuses to outsiders"
    told = [check_verdicts.told(rig.send(f"{user}@{domain}")) for user in INTERNAL]
    tap.equal(told, [check_verdicts.ACCEPT] * len(INTERNAL), f"{text}: are let in as unknown")
    found = rig.milter.cached(f"{INTERNAL[0]}@{domain}")
    tap.ok(found and found[0] == "unknown", f"{text}: are unknown", found)
    _nobody_is_held_back(tap, rig, text)
    told = check_verdicts.told(rig.send(f"nobody@{domain}"))
    tap.equal(told, check_verdicts.REJECT, f"{text}: others of the host are verified all the same")
    rig.milter.stop()
    watch.is_content(tap, text)
    strict.mta.set_more("")


def _too_much(tap, rig, strict):
    """A Postfix for which we are too much"""
    strict.mta.set_more(
        f"smtpd_client_message_rate_limit = {MESSAGE_RATE}\nanvil_rate_time_unit = 60s\n"
    )
    watch = Watch(strict, "postfix")
    rig.milter.start_fresh(more=NO_RATES)
    addresses = _addresses(strict.domains[:1], 2 * MESSAGE_RATE)
    text = f"{len(addresses)} addresses at a Postfix that takes {MESSAGE_RATE} senders a minute"
    if FULL:
        _is_right(tap, _verify(rig, addresses), addresses, text)
    else:
        told = [check_verdicts.told(rig.send(address)) for address in addresses]
        wrong = [
            (address, said)
            for address, said in zip(addresses, told)
            if said == check_verdicts.REJECT and _wanted(address)[0] == "valid"
        ]
        tap.ok(not wrong, f"{text}: nobody is turned away for it", *wrong)
        last = rig.milter.decision(addresses[-1])
        tap.equal(
            (last.get("verdict"), last.get("reason")),
            ("unknown", "limited"),
            f"{text}: those that are too many are unknown, at once",
        )
    _nobody_is_held_back(tap, rig, text)
    rig.milter.stop()
    refused = watch.having(r"too much|rate limit exceeded")
    tap.note(f"{watch.sessions()[0]} sessions, {len(refused)} lines of too much mail")
    tap.ok(
        0 < len(refused) <= (12 if FULL else 8),
        f"{text}: it is left alone when it says so",
        *refused,
    )
    strict.mta.set_more("")


def _screened(tap, rig, screen):
    """postscreen, which lets its banner wait, and has us on a block list then"""
    watch = Watch(screen, "postfix")
    rig.milter.start_fresh(more=NO_RATES)
    addresses = [f"user1@{screen.domain}", f"nobody1@{screen.domain}"]
    text = "a Postfix behind postscreen"
    _is_right(tap, _verify(rig, addresses), addresses, text)
    complaints = watch.complaints()
    tap.ok(not complaints, f"{text}: nothing to complain of in its log", *complaints[:5])
    screen.mta.set_more(SCREEN + LISTED)
    rig.milter.start_fresh(more=NO_RATES)
    watch = Watch(screen, "postfix")
    answer = _verify(rig, [f"user2@{screen.domain}"])[0]
    text = "postscreen, which drops us for a block list"
    tap.equal((answer["verdict"], answer["reason"]), ("unknown", "blocked"), f"{text}: blocked")
    tap.ok(
        str(answer["reply"]).startswith("5") and world.BLOCK_LIST in answer["reply"],
        f"{text}: and what it says of it is told",
        answer["reply"],
    )
    early = watch.having("PREGREET")
    tap.ok(not early, f"{text}: nothing is said before it", *early)


def _store(tap, rig, store):
    """Dovecot's LMTP"""
    watch = Watch(store, "dovecot")
    rig.milter.start_fresh(more=NO_RATES)
    addresses = _addresses([store.domain], 40)
    answers = _verify(rig, addresses, "--relay", f"lmtp:{store.address}:{dovecot.PORT}")
    text = f"{len(addresses)} addresses at Dovecot's LMTP"
    _is_right(tap, answers, addresses, text)
    watch.is_content(tap, text, at_least=4)


SCENARIOS = [
    (("called-postfix", "called-exim"), _list),
    (("called-postfix", "called-exim"), _mails),
    (("narrow-exim",), _one_too_many),
    (("called-postfix",), _too_many_for_anvil),
    (("called-postfix",), _internal),
    (("called-postfix",), _too_much),
    (("called-postscreen",), _screened),
    (("called-dovecot",), _store),
]
