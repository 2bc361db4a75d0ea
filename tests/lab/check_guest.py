# SPDX-License-Identifier: BSD-2-Clause
"""Being a good guest: who is not called, how often others are, and what holds callouts back.

What counts is what the mail hosts of guests.py saw: connections and RCPTs.
"""

import itertools
import math
import statistics
import time

import client
import flood
import guests
import miltertalk
import waiting
from check_verdicts import ACCEPT, REJECT, told

MAX_WAIT_S = 8

DISOWNED, OWNED = "203.0.113.81", "203.0.113.80"  # clients, by strict.example's SPF record
SPF_WAIT_S = 8  # a name server that says nothing is waited for longer

FLOOD_MAILS, FLOOD_FEWEST = 10_000, 1_000
FLOOD_S = 40  # and no longer, if there were the fewest
DOMAIN_RATE = 60  # a minute
HONEST_MAILS = 20

SHIELD_ADDRESSES, SHIELD_HOLD_S = 20, 6
VERP_SENDERS, VERP_RCPTS = 40, 12
CLIENT_RATE = 4
FAILURES = 3
KNOWN_SENDERS, CLIENTS = 50, 1_000


def run(tap, rig):
    rig.milter.start_fresh(more=_more())
    with guests.Guests(rig) as there:
        for part in (
            _spf,
            _spf_that_never_fails,
            _spf_of_known_senders,
            _correspondents,
            _senders_used_once,
            _one_session_a_host,
            _rate_of_a_client,
            _hosts_held_back,
            _never_called,
            _called_where_allowed,
            _shield,
            _flood,
        ):
            if part in (_flood, _spf_of_known_senders) and rig.repeats:
                continue  # they take long, and the MTA plays no part
            begun = time.monotonic()
            part(tap, rig, there)
            tap.note(f"{part.__name__[1:]}: {time.monotonic() - begun:.1f} s")
        misdeeds = there.misdeeds()
        tap.ok(not misdeeds, "none of them got a message or saw SMTP's rules broken", misdeeds)


# --- Ways to look ---------------------------------------------------------------------------------


def _more(more="", max_wait=MAX_WAIT_S, allowed=()):
    """What stands in the configuration besides what always does; the last word counts."""
    networks = ", ".join(f'"{network}"' for network in (guests.ALLOWED, *allowed))
    return f"""
        resolvers = {{ "{guests.RESOLVER}" }}
        max_wait = "{max_wait}s"
        callout {{ allowed_networks = {{ {networks} }} }}
        {more}
    """


def _settings(rig, *more, **others):
    """Other settings for the daemon, which goes on."""
    rig.milter.configure(more=_more(*more, **others))
    status, _, errors = rig.milter.ringback("reload")
    if status != 0:
        raise OSError(f"ringback reload: {errors}")


def _decision(rig, sender):
    """What the log says of the last mail from there, once it does."""
    return rig.milter.decision(sender)


def _logged(rig, sender):
    """The same in three words: verdict, reason, rule ("" for none)."""
    decision = _decision(rig, sender)
    return tuple(decision.get(word, "") for word in ("verdict", "reason", "rule"))


def _header(rig, mail):
    """The beginning of X-Ringback, once the mail is filed: verdict and reason."""
    message = rig.mta.message(mail.subject)
    return "; ".join(str(message and message["X-Ringback"]).split("; ")[:2])


def _limits(rig):
    return rig.milter.ringback_json("status")[0]["limits"]


def _first_is_asked(tap, rig, there, host, sender, text, **options):
    """A mail whose sender is asked about, and found good."""
    there.reset()
    mail = rig.send(sender, **options)
    asked = there.asked(host)
    tap.ok(
        mail.accepted
        and asked.connections == 1
        and _logged(rig, sender)[:2] == ("valid", "accepted"),
        f"{text}: it is asked about, once, and good",
        mail,
        asked,
        _decision(rig, sender),
    )


def _is_answered_unasked(tap, rig, there, sender, wanted, text, **options):
    """A mail that gets in at nobody's cost, for the reason and by the rule that the log names."""
    there.reset()
    mail = rig.send(sender, **options)
    asked = there.connections()
    tap.ok(mail.accepted and asked == 0, f"{text}: it gets in, nobody is called", mail, asked)
    tap.equal(_logged(rig, sender), wanted, f"{text}: {wanted[0]}, {' '.join(wanted[1:])}")
    return mail


# --- SPF ------------------------------------------------------------------------------------------


def _spf(tap, rig, there):
    _settings(rig)
    refused = ("unknown", "spf_fail", "spf_fail")
    for domain in guests.SPF_FAILS:
        sender = f"alice@{domain}.example"
        disowned = {"xclient": f"ADDR={DISOWNED}"}
        text = f"SPF of {domain}.example disowns the client"
        mail = _is_answered_unasked(tap, rig, there, sender, refused, text, **disowned)
        tap.equal(_header(rig, mail), "unknown; reason=spf_fail", f"{text}: X-Ringback says so")
    sender, owned = "alice@strict.example", {"xclient": f"ADDR={OWNED}"}
    text = "the same sender from a client that its domain owns"
    _first_is_asked(tap, rig, there, guests.SPF_STRICT, sender, text, **owned)
    known = ("valid", "accepted", "accepted")
    _is_answered_unasked(tap, rig, there, sender, known, f"{text}, again", **owned)
    text = "the same sender, known to be good, from the disowned one"
    _is_answered_unasked(tap, rig, there, sender, refused, text, xclient=f"ADDR={DISOWNED}")
    for action in ("reject", "tempfail", "tag", "quarantine"):
        _settings(rig, f'policy "default" {{ on_spf_fail = "{action}" }}')
        there.reset()
        mail = rig.send(sender, xclient=f"ADDR={DISOWNED}")
        _on_spf_fail(tap, rig, action, mail)
        tap.equal(there.connections(), 0, f"on_spf_fail = {action}: nobody is called")


def _on_spf_fail(tap, rig, action, mail):
    text = f"on_spf_fail = {action}"
    refusals = {"reject": (550, "5.7.23 "), "tempfail": (450, "4.7.23 ")}
    if action in refusals:
        code, enhanced = refusals[action]
        begins = f"{enhanced}<alice@strict.example>: sender address rejected: "
        said = rig.mta.wording(mail.last.text)
        tap.ok(mail.code == code and said.startswith(begins), f"{text}: {code}", mail)
        rest = said[len(begins) :]
        tap.ok("SPF" in rest and "spf_fail" not in rest, f"{text}: it says why, in words", rest)
        return
    tap.ok(mail.accepted, f"{text}: accepted", mail)
    if action == "tag":
        message = rig.mta.message(mail.subject)
        warning = message and message["X-Ringback-Warning"]
        tap.ok(warning and "spf_fail" in warning, f"{text}: X-Ringback-Warning is there", warning)
    else:
        held = rig.mta.held()
        tap.ok(
            any(b"alice@strict.example" in path.read_bytes() for path in held),
            f"{text}: the MTA holds it",
            *held,
        )


def _spf_that_never_fails(tap, rig, there):
    """Errors, and all that is no clear no, where that alone closes the gate: the callout goes on; no
    client waits out a silence.
    """
    _settings(rig, 'spf { gate = "fail" }', max_wait=SPF_WAIT_S)
    there.reset()
    questions = there.resolver.questions
    domains = list(guests.SPF_NEVER_FAILS)
    mails = client.at_once(
        len(domains),
        lambda n: rig.send(f"alice@{domains[n]}.example", xclient=f"ADDR={DISOWNED}"),
    )
    for domain, mail in zip(domains, mails):
        sender, text = f"alice@{domain}.example", f"SPF of {domain}.example is no clear no"
        tap.ok(mail.accepted, f"{text}: it gets in", mail)
        unheard = domain in guests.SPF_UNHEARD
        wanted = ("unknown", "timeout") if unheard else ("valid", "accepted")
        tap.equal(_logged(rig, sender)[:2], wanted, f"{text}: {' '.join(wanted)}")
    waiting.until(lambda: there.asked(guests.SPF).connections >= len(domains))
    asked = there.asked(guests.SPF)
    tap.equal(asked.connections, len(domains), "each of these domains is called once", asked)
    for domain in sorted(guests.SPF_UNHEARD):
        text = f"a name server of {domain}.example that says nothing opens the gate in the end"
        known = ("valid", "accepted", "accepted")
        disowned = {"xclient": f"ADDR={DISOWNED}"}
        _is_answered_unasked(tap, rig, there, f"alice@{domain}.example", known, text, **disowned)
    questions = there.resolver.questions - questions
    tap.note(f"{len(domains)} SPF checks and callouts: {questions} questions to the name server")


def _spf_of_known_senders(tap, rig, there):
    """What is known of senders and domains costs no question, however many clients send."""
    _settings(rig, 'limits { global_rate = "1000000/m" per_domain_rate = "1000000/m" }')
    senders = [f"user-{n}@honest.example" for n in range(KNOWN_SENDERS)]
    senders += ["alice@soft.example", "alice@include.example"]
    records = 4  # of honest (there is none), soft, include, and of strict, which that names
    status, _, errors = rig.milter.ringback("verify", *senders)
    tap.ok(status == 0, "senders that the cache knows", errors)
    _settings(rig)  # what name servers have said is forgotten
    there.reset()
    questions = there.resolver.questions
    answers = [
        _mails(rig, f"198.51.{n // 250}.{n % 250 + 1}", senders[n % len(senders) :][:2])
        for n in range(CLIENTS)
    ]
    waiting.until(lambda: there.resolver.questions - questions >= records)
    let_in = sum(each == "c" for each in itertools.chain(*answers))
    tap.ok(
        let_in == sum(map(len, answers)) and there.connections() == 0,
        f"{let_in} mails of {CLIENTS} clients: they get in, nobody is called",
        there.connections(),
    )
    questions = there.resolver.questions - questions
    tap.equal(questions, records, "each SPF record is asked for once, and no more")


def _mails(rig, client_address, senders):
    """What the daemon says to one client's senders, an MTA's part being played."""
    talk = miltertalk.Talk(rig.net.mta)
    talk.connect(address=client_address.encode())
    talk.helo(b"client.lab.example")
    said = []
    for sender in senders:
        talk.mail(f"<{sender}>".encode())
        said.append(talk.rcpt(b"<user@local.example>")[0])
        talk.abort()
    talk.close()
    return said


# --- Who need not be called -----------------------------------------------------------------------


def _correspondents(tap, rig, there):
    _settings(rig)
    ours = {"recipient": "partner@partner.example", "xclient": "LOGIN=joe"}
    mail = rig.send("joe@honest.example", **ours)
    tap.ok(mail.accepted, "an authenticated user writes to a partner", mail)
    sender, text = "partner@partner.example", "later a mail from that partner"
    wanted = ("valid", "correspondent", "correspondent")
    mail = _is_answered_unasked(tap, rig, there, sender, wanted, text)
    tap.equal(_header(rig, mail), "valid; reason=correspondent", f"{text}: X-Ringback says so")
    mail = rig.send("alice@honest.example", recipient="stranger@partner.example")
    tap.ok(mail.accepted, "a client who is not authenticated writes to somebody else there", mail)
    there.reset()
    mail = rig.send("stranger@partner.example")
    asked = there.asked(guests.PARTNER)
    tap.ok(
        told(mail) == REJECT and asked.rcpts == 1,
        "he is asked about: it proves nothing",
        mail,
        asked,
    )


def _senders_used_once(tap, rig, there):
    _settings(rig)
    there.reset()
    readers = [f"reader{n}=elsewhere.example" for n in range(VERP_SENDERS)]
    codes = flood.probe(rig, [f"news+{reader}@lists.example" for reader in readers])
    asked = there.asked(guests.LISTS)
    tap.equal(codes, [250] * VERP_SENDERS, f"{VERP_SENDERS} mails of one list get in")
    tap.ok(
        0 < asked.rcpts <= VERP_RCPTS,
        f"with a sender of its own each, they cost at most {VERP_RCPTS} RCPTs ({asked.rcpts})",
        asked,
    )
    joe, nobody = "prvs={}=user-joe@lists.example", "prvs={}=nobody@lists.example"
    _is_asked(tap, rig, there, joe.format("1234abcdef"), 1, ACCEPT, "a tagged sender (BATV)")
    _is_asked(tap, rig, there, joe.format("2345fedcba"), 0, ACCEPT, "the same, another tag")
    _is_asked(tap, rig, there, nobody.format("1234abcdef"), 1, REJECT, "one of an unknown user")
    _is_asked(tap, rig, there, nobody.format("2345fedcba"), 1, REJECT, "the same, another tag")
    tap.equal(rig.milter.cached("nobody@lists.example"), None, "his address is not settled by it")


def _is_asked(tap, rig, there, sender, rcpts, wanted, text):
    there.reset()
    mail = rig.send(sender)
    asked = there.asked(guests.LISTS)
    tap.ok(
        told(mail) == wanted and asked.rcpts == rcpts,
        f"{text} is {wanted} and costs {rcpts} RCPT",
        mail,
        asked,
    )


# --- Hosts ----------------------------------------------------------------------------------------


def _one_session_a_host(tap, rig, there):
    _settings(rig, "limits { per_host_sessions = 1 }")
    there.reset()
    senders = [f"alice@shared{n}.example" for n in range(guests.SHARED_COUNT)]
    mails = client.at_once(len(senders), lambda n: rig.send(senders[n]))
    asked = there.asked(guests.SHARED)
    tap.ok(
        asked.most_at_once == 1 and asked.connections == len(senders),
        f"per_host_sessions = 1: {len(senders)} domains on one host, called one after the other",
        asked,
    )
    found = [_logged(rig, sender)[:2] for sender in senders]
    tap.ok(
        all(mail.accepted for mail in mails) and set(found) == {("valid", "accepted")},
        "and all of them verified",
        found,
    )


def _rate_of_a_client(tap, rig, there):
    _settings(rig, f'limits {{ per_client_rate = "{CLIENT_RATE}/h" }}')
    there.reset()
    senders = [f"user-2@shared{n}.example" for n in range(guests.SHARED_COUNT)]
    codes = flood.probe(rig, senders)
    asked = there.asked(guests.SHARED)
    tap.equal(
        (asked.rcpts, set(codes)),
        (CLIENT_RATE, {250}),
        f"a client that sends for {len(senders)} domains: {CLIENT_RATE} are asked, as it may",
    )
    last = _logged(rig, senders[-1])
    tap.equal(last, ("unknown", "limited", "per_client_rate"), "the others are limited")
    _first_is_asked(tap, rig, there, guests.SHARED, senders[-1], "the same from another client")


def _hosts_held_back(tap, rig, there):
    limits = f"limits {{ breaker_failures = {FAILURES} }}"
    held = ("unknown", "limited", "hosts_held_back")
    _settings(rig, limits)
    for address, domain, text in (
        (guests.BUSY, "busy", "a host that says 421"),
        (guests.UNWELCOME, "unwelcome", "a host that refuses us"),
    ):
        there.reset()
        for n in range(FAILURES):
            rig.send(f"user-{n}@{domain}.example")
        asked = there.asked(address)
        tap.equal(asked.connections, FAILURES, f"{text} is called {FAILURES} times", asked)
        _is_answered_unasked(
            tap, rig, there, f"user-x@{domain}.example", held, f"{text}, then held back"
        )
    sender = "user-x@busy-too.example"
    _is_answered_unasked(tap, rig, there, sender, held, "another domain on a host held back")
    _is_held(tap, rig, "`ringback status` shows both hosts", {guests.BUSY, guests.UNWELCOME})
    rig.milter.stop()
    rig.milter.start(more=_more(limits))
    sender = "user-y@busy.example"
    _is_answered_unasked(tap, rig, there, sender, held, "held back also after a restart")
    status, _, errors = rig.milter.ringback("cache", "delete", "--host", guests.BUSY)
    tap.equal(status, 0, "`ringback cache delete --host` lets one go", errors)
    _is_held(tap, rig, "`ringback status` shows the other alone", {guests.UNWELCOME})
    there.reset()
    rig.send("user-z@busy.example")
    asked = there.asked(guests.BUSY)
    tap.equal(asked.connections, 1, "which is called again then", asked)


def _is_held(tap, rig, text, wanted):
    shown = _limits(rig)["hosts_held_back"]
    _, output, _ = rig.milter.ringback("status")
    tap.equal({host["ip"] for host in shown}, wanted, text, shown)
    tap.ok(all(f"{ip} for " in output for ip in wanted), f"{text}, in text too", output)


# --- Addresses ------------------------------------------------------------------------------------


def _never_called(tap, rig, there):
    _settings(rig)
    there.reset()
    ours = ("127.0.0.1", guests.net.MTA)
    to_mta = rig.mta.calls_from(ours)
    domains = [*guests.BOGUS, *guests.OWN]
    mails = client.at_once(len(domains), lambda n: rig.send(f"alice@{domains[n]}.example"))
    for domain, mail in zip(domains, mails):
        address = guests.HOMES[domain]
        bogus = domain in guests.BOGUS
        wanted = ("invalid", "bogus_mx", "bogus_mx") if bogus else ("unknown", "exempt", "own_host")
        answer = REJECT if bogus else ACCEPT
        found = _logged(rig, f"alice@{domain}.example")
        tap.ok(
            told(mail) == answer and found == wanted,
            f"a mail host at {address}: {answer}, {' '.join(wanted[1:])}",
            mail,
            found,
        )
    tap.equal(there.connections(), 0, "no mail host is called at any of these addresses")
    tap.equal(rig.mta.calls_from(ours) - to_mta, 0, "nor is the MTA by its own machine")


def _called_where_allowed(tap, rig, there):
    allowed = [guests.DOCUMENTED, *guests.WITHIN]
    _settings(rig, allowed=allowed)
    rig.milter.ringback("cache", "purge", "--all")  # of what was found where they were not allowed
    for domain, address in guests.BOGUS.items():
        host = address.removeprefix("::ffff:")
        if host in allowed:
            text = f"a mail host at {address}, in allowed_networks"
            _first_is_asked(tap, rig, there, host, f"alice@{domain}.example", text)


# --- Floods ---------------------------------------------------------------------------------------


def _shield(tap, rig, there):
    _settings(rig, f'limits {{ shield_hold = "{SHIELD_HOLD_S}s" }}')
    known = "user-known@shielded.example"
    _first_is_asked(tap, rig, there, guests.SHIELDED, known, "before a domain is forged in bulk")
    there.reset()
    codes = flood.probe(rig, [f"forged{n}@shielded.example" for n in range(2 * SHIELD_ADDRESSES)])
    asked = there.asked(guests.SHIELDED)
    limits = _limits(rig)
    _, output, _ = rig.milter.ringback("status")
    forged = SHIELD_ADDRESSES - 1  # the good one is of the twenty
    tap.equal(
        (asked.rcpts, codes),
        (forged, [550] * forged + [250] * (len(codes) - forged)),
        f"of {len(codes)} forged senders {forged} are asked about and rejected, no more",
        asked,
    )
    last = _logged(rig, f"forged{len(codes) - 1}@shielded.example")
    tap.equal(last, ("unknown", "limited", "shield"), "the others are limited by the shield")
    _is_answered_unasked(
        tap, rig, there, known, ("valid", "accepted", "accepted"), "what is known of the domain"
    )
    tap.equal(
        [shield["domain"] for shield in limits["shields"]],
        ["shielded.example"],
        "`ringback status` shows the shield",
        limits,
    )
    said = "domain shielded.example for "
    tap.ok(said in output, "`ringback status` shows the shield, in text too", output)
    waiting.until(lambda: not _limits(rig)["shields"])
    sender, text = "user-new@shielded.example", "once the shield has ended by itself, a new sender"
    _first_is_asked(tap, rig, there, guests.SHIELDED, sender, text)


def _honest(rig, word):
    """Twenty mails, one after the other, each of a new sender."""
    source = "203.0.113.10"
    return [rig.send(f"user-{word}{n}@honest.example", source=source) for n in range(HONEST_MAILS)]


def _flood(tap, rig, there):
    _settings(rig, f'limits {{ per_domain_rate = "{DOMAIN_RATE}/m" shield_addresses = 0 }}')
    there.reset()
    before = _honest(rig, "before")
    begun = time.monotonic()
    with flood.Flood(rig, FLOOD_MAILS, FLOOD_S, FLOOD_FEWEST) as attack:
        during = _honest(rig, "during")
        overlapped = attack.under_way
    took = time.monotonic() - begun
    asked = there.hosts.settled()[guests.FORGED]
    may = DOMAIN_RATE + math.ceil(took * DOMAIN_RATE / 60)
    codes = attack.codes
    tap.note(f"{len(codes)} forged senders through the MTA in {took:.1f} s: {asked.rcpts} RCPTs")
    tap.ok(len(codes) >= FLOOD_FEWEST, f"{len(codes)} different forged senders of one domain")
    tap.ok(
        DOMAIN_RATE <= asked.rcpts <= may and asked.connections <= asked.rcpts,
        f"cost it no more RCPTs than per_domain_rate allows ({asked.rcpts} of {may})",
        asked,
    )
    tap.ok(
        asked.most_at_once <= 2, "and no more connections at once than per_domain_sessions", asked
    )
    tap.equal(
        (codes.count(550), codes.count(250)),
        (asked.rcpts, len(codes) - asked.rcpts),
        "those asked about are rejected, the others let in",
    )
    tap.ok(overlapped, "mails of another domain, from another client, come in meanwhile")
    _as_before(tap, rig, before, during)


def _as_before(tap, rig, before, during):
    for word, mails in (("before", before), ("during", during)):
        waits = [mail.verdict_wait for mail in mails]
        tap.note(
            f"{word} the flood {len(waits)} others waited {statistics.median(waits) * 1000:.0f} ms"
            f" (median), {max(waits) * 1000:.0f} ms (longest)"
        )
    valid = {
        each.get("address") for each in rig.milter.decisions() if each.get("verdict") == "valid"
    }
    senders = {f"<user-during{n}@honest.example>" for n in range(HONEST_MAILS)}
    tap.ok(
        all(mail.accepted for mail in during) and senders <= valid,
        "each of them is verified, within max_wait",
        senders - valid,
    )
