# SPDX-License-Identifier: BSD-2-Clause
"""Header senders: addresses in From, Reply-To and Sender, verified when the message has come whole.

Hosts are those of guests.py: alice and whoever is called user-... exist there, nobody else does.
"""

import contextlib
import functools
import re

import client
import filters
import guests
import waiting
from check_guest import DISOWNED, OWNED

FIELDS = 'verify_headers = { "from", "reply-to", "sender" }'
SENDER = "alice@honest.example"
NOBODY = "nobody@forged.example"
IDLE = "0s"  # so that each callout is one
AUTHOR = f"From: Alice <{SENDER}>"
WARNING = f"Reply-To address <{NOBODY}> is invalid (no_such_user): 550 5.1.1 no such user"
REFUSAL = f"<{NOBODY}>: Reply-To address rejected: undeliverable address: mx.forged.example said: "

# Fields that are no reason to do anything.
HARMLESS = {
    "a group without members": ["From: undisclosed-recipients:;"],
    "a group": [AUTHOR, f"Reply-To: The team: user-1@forged.example, {NOBODY};"],
    "comments": [f"From: alice (not <{NOBODY}>) @ (a (nested) one) honest.example"],
    "quoted pairs": [f'From: "Alice \\"<{NOBODY}>\\" \\\\" <{SENDER}>'],
    "an encoded word": [f"From: =?utf-8?Q?=C3=84lice,_Dr=2E?= <{SENDER}>"],
    "a route": [f"From: Alice <@forged.example:{SENDER}>"],
    "many addresses": [AUTHOR, f"Reply-To: user-2@forged.example, {NOBODY}, nobody@nowhere.example"],
    "a folded field": ["From: Alice", f"\t<{SENDER}>"],
    "no address": [AUTHOR, "Reply-To: Alice", "Sender:"],
    "an empty address": ["From: <>", "Reply-To: Alice <>"],
    "two addresses in one": [f"From: <{NOBODY}> <{SENDER}>"],
    "a comment without an end": [f"From: ((((((( {NOBODY}"],
    "a quotation without an end": [f'From: "Alice <{NOBODY}>'],
    "garbage": ["From: @@,;:<<>>[[" + "\\\"(" * 200, "Reply-To: " + "<" * 500],
    "a second field": [AUTHOR, "Reply-To: user-3@forged.example", f"Reply-To: {NOBODY}"],
}


def run(tap, rig):
    with guests.Guests(rig) as there:
        only_named = _more(f'policy "default" {{ {FIELDS} }}')
        rig.milter.start_fresh(more=only_named, idle_timeout=IDLE)
        for part in (
            _tagged,
            _harmless,
            _asked_about_once,
            _refused,
            _quarantined,
            _dry_run,
            _gate,
            _signed,
            _exempt,
            _fates,
        ):
            part(tap, rig, there)
        misdeeds = there.misdeeds()
        tap.ok(not misdeeds, "none of them got a message or saw SMTP's rules broken", misdeeds)


# --- Ways to look ---------------------------------------------------------------------------------


def _more(*more):
    words = "\n".join(more)
    return f"""
        resolvers = {{ "{guests.RESOLVER}" }}
        callout {{ allowed_networks = {{ "{guests.ALLOWED}" }} }}
        {words}
    """


def _settings(rig, policies, **others):
    """Other settings for the daemon, which goes on."""
    rig.milter.configure(more=_more(policies), idle_timeout=IDLE, **others)
    status, _, errors = rig.milter.ringback("reload")
    if status != 0:
        raise OSError(f"ringback reload: {errors}")


def _policy(action):
    return f'policy "default" {{ {FIELDS} on_header_invalid = "{action}" }}'


class Sent:
    """A message with just these header fields, and a Subject; what became of it."""

    def __init__(self, rig, fields, sender=SENDER, source="203.0.113.1", recipients=(client.RECIPIENT,)):
        self.subject = client.unique("originators")
        with contextlib.closing(client.Session(rig.net.client, source)) as session:
            session.ehlo()
            session.command(f"MAIL FROM:<{sender}>")
            self.rcpts = [session.command(f"RCPT TO:<{to}>") for to in recipients]
            session.command("DATA")
            lines = [*fields, f"Subject: {self.subject}", "", "Hello.", "."]
            self.end = session.command("\r\n".join(lines))
        self.words = rig.mta.wording(self.end.text)
        self.accepted = self.end.code == 250
        self._mta = rig.mta

    @functools.cached_property
    def _message(self):
        return self._mta.message(self.subject) if self.accepted else None

    def all(self, name):
        """The values of the fields of that name, unfolded, once the message is filed."""
        values = self._message.get_all(name, []) if self._message else []
        return [re.sub(r"\s+", " ", value) for value in values]

    @property
    def ours(self):
        return " ".join(self.all("X-Ringback"))

    @property
    def warnings(self):
        return self.all("X-Ringback-Warning")


def _line(rig, address, **fields):
    """What the log says of a header sender."""
    return rig.milter.decision(address, verify="header", **fields)


def _rcpts(there, address, host):
    """How often that host was asked about the address since the last reset."""
    there.asked(host)  # all is quiet
    asked = there.hosts.transactions(host)
    return sum(address in str(entry.get("rcpt")) for entry in asked)


# --- What is done ---------------------------------------------------------------------------------


def _tagged(tap, rig, there):
    there.reset()
    mail = Sent(rig, [AUTHOR, f"Reply-To: The shop <{NOBODY}>"])
    tap.ok(mail.accepted, "a Reply-To that nobody can answer: the message gets in", mail.end)
    tap.equal(mail.warnings, [WARNING], "it carries a warning that names field and address")
    tap.ok(
        "action=tag; header=reply-to:no_such_user;" in mail.ours, "X-Ringback says so", mail.ours
    )
    line = _line(rig, NOBODY)
    found = tuple(line.get(word) for word in ("field", "verdict", "reason", "action", "policy"))
    wanted = ("reply-to", "invalid", "no_such_user", "tag", "default")
    tap.equal(found, wanted, "the log has a line of it", line)
    tap.equal(_rcpts(there, NOBODY, guests.FORGED), 1, "its mail host was asked once")
    mail = Sent(rig, [AUTHOR, f"Reply-To: {NOBODY}"])
    tap.ok(mail.warnings == [WARNING], "the next time, too", mail.ours)
    line = _line(rig, NOBODY, cached="yes")
    tap.equal(_rcpts(there, NOBODY, guests.FORGED), 1, "which the cache answers", line)


def _harmless(tap, rig, _there):
    for action in ("tag", "reject"):
        _settings(rig, _policy(action))
        for text, fields in HARMLESS.items():
            mail = Sent(rig, fields)
            tap.ok(
                mail.accepted and not mail.warnings and "action=accept;" in mail.ours,
                f"{action}: {text} is no reason to do anything",
                mail.end,
                mail.warnings,
                mail.ours,
            )


def _asked_about_once(tap, rig, there):
    _settings(rig, _policy("tag"))
    there.reset()
    sender = "user-once@honest.example"
    mail = Sent(rig, [f"From: <{sender}>", f"Sender: {sender}", f"Reply-To: {sender}"], sender)
    asked = there.asked(guests.HONEST)
    tap.ok(
        mail.accepted and asked.connections == 1 and _rcpts(there, sender, guests.HONEST) == 1,
        "where all fields name the envelope's sender one connection serves them",
        asked,
    )
    line = _line(rig, sender)
    tap.equal(line.get("field"), "from", "and the log one line", line)
    there.reset()
    fields = [AUTHOR, "Sender: user-two@forged.example", "Reply-To: <user-two@forged.example>"]
    mail = Sent(rig, fields)
    asked = _rcpts(there, "user-two@forged.example", guests.FORGED)
    tap.ok(mail.accepted and asked == 1, "an address in two fields is asked about once", asked)


def _refused(tap, rig, _there):
    for action, code, enhanced in (("reject", 550, "5.1.7"), ("tempfail", 450, "4.1.7")):
        _settings(rig, _policy(action))
        mail = Sent(rig, [AUTHOR, f"Reply-To: {NOBODY}"])
        tap.ok(
            mail.end.code == code and mail.words.startswith(f"{enhanced} {REFUSAL}"),
            f"{action}: the end of the message is answered {code} {enhanced}, and why",
            mail.end,
        )
        tap.equal(rig.mta.filed(mail.subject), 0, f"{action}: it is not delivered")
        line = _line(rig, NOBODY, action=action)
        tap.equal(line.get("field"), "reply-to", f"{action}: the log says so", line)
        mail = Sent(rig, ["From: nobody@nowhere.example"])
        said = "From address rejected: undeliverable address: the domain does not exist"
        tap.ok(
            mail.end.code == code and said in mail.words,
            f"{action}: so is a From whose domain does not exist",
            mail.end,
        )
        mail = Sent(rig, [AUTHOR])
        tap.ok(mail.accepted, f"{action}: and the next message gets in", mail.end)


def _quarantined(tap, rig, _there):
    _settings(rig, _policy("quarantine"))
    before = rig.mta.held()
    mail = Sent(rig, [AUTHOR, f"Reply-To: {NOBODY}"])
    held = waiting.until(lambda: [path for path in rig.mta.held() if path not in before])
    tap.ok(mail.end.code == 250 and len(held) == 1, "quarantine: the MTA holds it", mail.end, held)


def _dry_run(tap, rig, _there):
    _settings(rig, _policy("reject"), dry_run="yes")
    mail = Sent(rig, [AUTHOR, f"Reply-To: {NOBODY}"])
    tap.ok(
        mail.accepted and not mail.warnings and "action=accept; would=reject;" in mail.ours,
        "dry_run: nothing is refused, and X-Ringback says what would be",
        mail.end,
        mail.ours,
    )
    line = _line(rig, NOBODY, would="reject")
    tap.equal(line.get("action"), "accept", "dry_run: so does the log", line)


# --- Whom we ask ----------------------------------------------------------------------------------


def _gate(tap, rig, there):
    _settings(rig, _policy("reject"))
    there.reset()
    author = "nobody-gate@strict.example"
    mail = Sent(rig, [f"From: {author}"], source=DISOWNED)
    asked = there.asked(guests.SPF_STRICT)
    tap.ok(
        mail.accepted and asked.connections == 0,
        "nobody is called whose domain disowns the client by SPF",
        mail.end,
        asked,
    )
    line = _line(rig, author)
    tap.equal(line.get("reason"), "spf_fail", "and the log says why", line)
    mail = Sent(rig, [f"From: {author}"], source=OWNED)
    asked = there.asked(guests.SPF_STRICT)
    tap.ok(
        mail.end.code == 550 and asked.connections == 1,
        "from a client of its own the same author is verified",
        mail.end,
        asked,
    )


def _signed(tap, rig, there):
    trusted = 'trusted_authserv_ids = { "filter.lab.example" }'
    _settings(rig, f"{trusted} {_policy('tag')}")
    says = {}
    try:
        with filters.Filter(rig.net.mta, lambda *_: [(1, "Authentication-Results", says["what"])]):
            rig.mta.set_filter_before(filters.PORT)
            for domain, reason, asked in (
                ("honest.example", "spf_fail", 0),
                ("strict.example", "no_such_user", 1),
            ):
                says["what"] = f"filter.lab.example; dkim=pass header.d={domain}"
                author = f"nobody-of-{domain.split('.')[0]}@strict.example"
                there.reset()
                mail = Sent(rig, [f"From: {author}"], source=DISOWNED)
                line = _line(rig, author)
                found = (mail.end.code, line.get("reason"), line.get("vouched"), len(mail.warnings))
                wanted = (250, reason, "dkim" if asked else "nobody", asked)
                tap.equal(found, wanted, f"a signature of {domain}, by a filter before ours", line)
                calls = there.asked(guests.SPF_STRICT).connections
                tap.equal(calls, asked, f"a signature of {domain}: who is called")
    finally:
        rig.mta.set_filter_before(None)


def _exempt(tap, rig, there):
    _settings(rig, _policy("reject"))
    there.reset()
    fields = ["From: nobody-exempt@forged.example", "Reply-To: nobody-exempt@honest.example"]
    mail = Sent(rig, fields, sender="")
    tap.ok(mail.accepted and there.connections() == 0, "bounces are not verified", mail.end)
    _settings(rig, "")
    mail = Sent(rig, fields)
    asked = [_rcpts(there, "nobody-exempt", host) for host in (guests.FORGED, guests.HONEST)]
    tap.ok(
        mail.accepted and not mail.warnings and asked == [0, 0],
        "where no policy names a field nobody is asked about",
        mail.end,
        asked,
    )


def _fates(tap, rig, _there):
    lax = 'policy "lax" { match { recipient = { "lax@" } } }'
    _settings(rig, f"{lax} {_policy('reject')}")
    both = [client.RECIPIENT, "lax@local.example"]
    mail = Sent(rig, [AUTHOR, f"Reply-To: {NOBODY}"], recipients=both)
    codes = [reply.code for reply in mail.rcpts]
    tap.equal(
        (codes, mail.end.code),
        ([250, 452], 550),
        "a recipient whose policy refuses no header is put off, and gets a message of its own",
        mail.rcpts,
    )
    mail = Sent(rig, [AUTHOR, f"Reply-To: {NOBODY}"], recipients=both[1:])
    tap.ok(mail.accepted and not mail.warnings, "which is let in", mail.end)
