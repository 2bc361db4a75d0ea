# SPDX-License-Identifier: BSD-2-Clause
"""Recipients: stores behind the MTA are asked about each, and strangers learn no more than that.

What counts is what clients are told, what is filed, and what the stores of stores.py saw. What a
mail comes to must be the same through any MTA: rig.outcomes.
"""

import contextlib
import time

import client
import milter
import stores
import waiting

MAX_WAIT_S = 6
GUESSES = 6  # a client's, before it is barred; it is slowed from half of them on
GUESSERS = ("203.0.113.91", "203.0.113.92")
SESSIONS = 2  # with a store at once; per_domain_sessions, unless told otherwise

GOOD = (250, "")
UNKNOWN = (550, "5.1.1")
LATER = (450, "4.1.1")
BARRED = (450, "4.7.1")
VERIFY = 'policy "default" { verify = "recipient" }\n'

# Where a recipient is asked about, what its client is told, and what the log says of it.
CASES = f"""
# recipient                           told  verdict  reason         store
alice@users.example                   250   valid    accepted       {stores.USERS}
nobody@users.example                  550   invalid  no_such_user   {stores.USERS}
alice@gateway.example                 250   valid    accepted       {stores.USERS}
nobody@gateway.example                550   invalid  no_such_user   {stores.USERS}
alice@lmtp.example                    250   valid    accepted       {stores.LMTP}
nobody@lmtp.example                   550   invalid  no_such_user   {stores.LMTP}
alice@unix.example                    250   valid    accepted       UNIX
nobody@unix.example                   550   invalid  no_such_user   UNIX
alice@a.tree.example                  250   valid    accepted       {stores.SUBDOMAINS}
nobody@b.a.tree.example               550   invalid  no_such_user   {stores.SUBDOMAINS}
nobody@tree.example                   550   invalid  no_such_user   {stores.PRIMARY}
nobody@dead.example                   450   unknown  unreachable    -
nobody@open.example                   250   unknown  unreachable    -
nobody@blocks.stores.example          250   unknown  blocked        {stores.BLOCKS}
nobody@starttls.stores.example        450   unknown  tls_required   {stores.STARTTLS}
nobody@denies.stores.example          250   unknown  rejected       {stores.DENIES}
nobody@turns-away.stores.example      250   unknown  blocked        {stores.TURNS_AWAY}
nobody@catchall.stores.example        250   unknown  catch_all      {stores.CATCHALL}
alice@backup.example                  250   valid    accepted       {stores.PRIMARY}
nobody@backup.example                 550   invalid  no_such_user   {stores.PRIMARY}
nobody@backup-down.example            250   unknown  unreachable    -
nobody@backup-grey.example            250   unknown  greylisted     {stores.PRIMARY_GREY}
nobody@backup-catchall.example        250   unknown  catch_all      {stores.PRIMARY_CATCHALL}
nobody@first.example                  250   unknown  exempt         -
"""
TOLD = {"250": GOOD, "550": UNKNOWN, "450": LATER}


def run(tap, rig):
    with stores.Stores(rig) as there:
        rig.milter.start_fresh(more=_more(there), max_wait=f"{MAX_WAIT_S}s")
        for part in (
            _each_by_itself,
            _cases,
            _gateway,
            _store_comes_back,
            _known_at_no_cost,
            _silent_store,
            _who_is_verified,
            _apart_from_senders,
            _recipients_first,
            _rest,
            _fifty,
            _guessers,
        ):
            begun = time.monotonic()
            part(tap, rig, there)
            tap.note(f"{part.__name__[1:]}: {time.monotonic() - begun:.1f} s")
        misdeeds = there.hosts.all_misdeeds()
        tap.ok(not misdeeds, "no store got a message or saw rules broken", misdeeds)


# --- Ways to look ---------------------------------------------------------------------------------


def _more(there, more=VERIFY):
    return there.config(
        f"""
        callout {{ connect_timeout = "1500ms" }}
        limits {{ per_client_bad_rcpt = "1000/h" }}
        {more}
        """
    )


def _settings(rig, there, more=VERIFY):
    """Other settings for the daemon, which goes on."""
    rig.milter.configure(more=_more(there, more), max_wait=f"{MAX_WAIT_S}s")
    status, _, errors = rig.milter.ringback("reload")
    if status != 0:
        raise OSError(f"ringback reload: {errors}")


class Told(tuple):
    """What a client was told about a recipient: code, and enhanced code of a refusal."""

    def __new__(cls, rig, reply):
        words = rig.mta.wording(reply.text)
        return super().__new__(cls, (reply.code, words.split()[0] if reply.code >= 400 else ""))


class Sent:
    """A message to `recipients`, and what was said of each; it goes to those that were accepted."""

    def __init__(self, rig, *recipients, sender=stores.SENDER, source="203.0.113.1", user=None):
        self.rig = rig
        self.subject = client.unique("recipients")
        with contextlib.closing(client.Session(rig.net.client, source)) as session:
            session.ehlo()
            if user:
                session.command(rig.mta.login(user))
                session.ehlo()
            self.mail = session.command(f"MAIL FROM:<{sender}>")
            self.replies = [session.command(f"RCPT TO:<{to}>") for to in recipients]
            self.accepted = sum(reply.code == 250 for reply in self.replies)
            self.end = session.message(self.subject) if self.accepted else None

    @property
    def told(self):
        return [Told(self.rig, reply) for reply in self.replies]

    @property
    def words(self):
        """Of the replies, without what the MTA put before them."""
        return [self.rig.mta.wording(reply.text) for reply in self.replies if reply.code >= 400]

    @property
    def arrived(self):
        """Whether it is filed once for each recipient that was accepted, and no more."""
        if self.end is None or self.end.code != 250:
            return False
        waiting.until(lambda: self.rig.mta.filed(self.subject) >= self.accepted)
        return self.rig.mta.filed(self.subject) == self.accepted

    def __repr__(self):
        lines = [f"{reply.line} after {reply.seconds:.2f} s" for reply in self.replies]
        return " | ".join([*lines, self.end.line if self.end else "no message"])


def _decision(rig, recipient):
    """What the log says last of a recipient, once it does."""
    return rig.milter.decision(recipient, verify="recipient")


def _is_told(tap, rig, recipient, wanted, text, **options):
    """A message to him alone."""
    sent = Sent(rig, recipient, **options)
    tap.equal(sent.told, [wanted], f"{text}: {wanted[0]} {wanted[1]}".rstrip(), sent)
    if wanted == GOOD:
        tap.ok(sent.arrived, f"{text}: it arrives", sent)
    return sent


# --- What is asked, and what it comes to ----------------------------------------------------------


def _each_by_itself(tap, rig, there):
    there.hosts.reset()
    sent = Sent(rig, "user-1@users.example", "nobody-1@users.example", "user-2@users.example")
    text = "a message to one who exists, one who does not, and one who does"
    tap.equal(sent.told, [GOOD, UNKNOWN, GOOD], f"{text}: 250, 550 5.1.1, 250", sent)
    tap.ok(sent.arrived, f"{text}: those two get it", sent)
    tap.equal(
        sent.words,
        ["5.1.1 <nobody-1@users.example>: recipient address rejected: undeliverable address"],
        "whose address it is and what is wrong with it is all that the client reads",
    )
    (asked,) = there.asked(stores.USERS)
    text = f"the store sees {SESSIONS} sessions at once at most: per_domain_sessions"
    tap.ok(asked.most_at_once <= SESSIONS, text, asked)
    _log_says_it_all(tap, rig)


def _log_says_it_all(tap, rig):
    line = _decision(rig, "nobody-1@users.example")
    wanted = {
        "verify": "recipient",
        "verdict": "invalid",
        "reason": "no_such_user",
        "mx": f"vault-1.example[{stores.USERS}]",
        "cached": "no",
        "policy": "default",
        "action": "reject",
        "client": "203.0.113.1",
    }
    found = {key: line.get(key) for key in wanted}
    tap.equal(found, wanted, "the log has it all: store, verdict, policy, action, client", line)
    tap.ok("no such user in dungeon" in line.get("reply", ""), "and what the store said", line)


def _cases(tap, rig, there):
    for line in CASES.replace("UNIX", there.unix).splitlines():
        if line and not line.startswith("#"):
            recipient, told, *rest = line.split()
            _case(tap, rig, there, recipient, TOLD[told], rest)


def _case(tap, rig, there, recipient, wanted, rest):
    verdict, reason, store = rest
    there.hosts.reset()
    sender = "" if recipient.startswith("nobody") else stores.SENDER
    sent = _is_told(
        tap, rig, recipient, wanted, f"{recipient} ({verdict}, {reason})", sender=sender
    )
    found = _decision(rig, recipient)
    seen = found.get("verdict"), found.get("reason")
    tap.equal(seen, (verdict, reason), f"{recipient}: the log says {reason}", found)
    everybody = there.hosts.settled()
    if store != "-":
        asked = everybody[store]
        tap.ok(
            asked.connections >= 1 and asked.most_at_once <= SESSIONS,
            f"{recipient}: its store is asked",
            everybody,
        )
    else:
        tap.equal(everybody.connections, 0, f"{recipient}: no other is asked", everybody)
    told = " ".join(reply.text for reply in sent.replies).lower()
    leaks = [secret for secret in stores.SECRETS if secret in told]
    tap.equal(leaks, [], f"{recipient}: the client learns nothing of the store", told)
    rig.outcomes[f"mail to {recipient} comes to the same"] = {
        "told": tuple(sent.told[0]),
        "words": sent.words,
        "log": [
            found.get(key, "").replace(there.unix, "UNIX")
            for key in ("verdict", "reason", "mx", "reply", "rule", "action")
        ],
        "calls": there.connections(),
    }


def _gateway(tap, rig, there):
    """Three relays for a domain: a dead one, one that greylists, and one with the users."""
    there.hosts.reset()
    sent = Sent(rig, "user-4@gateway.example", "nobody-4@gateway.example", "bob@gateway.example")
    text = "three relays, dead, greylisting, and right"
    tap.equal(sent.told, [GOOD, UNKNOWN, GOOD], f"{text}: the third one's answers count", sent)
    tap.ok(sent.arrived, f"{text}: those who exist get the message", sent)
    grey, users = there.asked(stores.GREY, stores.USERS)
    tap.ok(grey.rcpts >= 1 and users.rcpts >= 3, f"{text}: each is asked in turn", grey, users)


def _store_comes_back(tap, rig, there):
    recipient, text = "user-1@back.example", "while its store is down, a recipient"
    _is_told(tap, rig, recipient, LATER, text)
    there.wake()
    _is_told(tap, rig, recipient, GOOD, "once it is up again, the same")
    _is_told(tap, rig, "nobody-1@back.example", UNKNOWN, "and one who does not exist")


def _known_at_no_cost(tap, rig, there):
    for recipient, wanted in (
        ("alice@users.example", GOOD),
        ("nobody@unix.example", UNKNOWN),
        ("nobody@catchall.stores.example", GOOD),
        ("nobody@backup.example", UNKNOWN),
    ):
        there.hosts.reset()
        text = f"another mail to {recipient}, from another client"
        _is_told(tap, rig, recipient, wanted, text, source="203.0.113.2")
        tap.equal(there.connections(), 0, f"{text}: nobody is asked again")


def _silent_store(tap, rig, there):
    recipients = [f"user-{n}@silent.example" for n in range(4)]
    sent = Sent(rig, *recipients)
    tap.equal(sent.told, [LATER] * 4, "a store that does not answer: its recipients later", sent)
    rules = [_decision(rig, recipient).get("rule") for recipient in recipients]
    tap.equal(
        rules,
        ["host_silent"] * 2 + ["hosts_held_back"] * 2,
        "clients do not wait for it one after the other: it is asked twice, and then left alone",
    )
    sent = Sent(rig, "alice@users.example", "user-5@silent.example")
    tap.ok(
        sent.told == [GOOD, LATER] and sent.arrived,
        "a message to one of it and one of another store goes to the other",
        sent,
    )


def _who_is_verified(tap, rig, there):
    nobody = "nobody-2@users.example"
    _is_told(tap, rig, nobody, UNKNOWN, "a bounce to somebody who does not exist", sender="")
    there.hosts.reset()
    text = "from an authenticated user, the same recipient"
    if rig.mta.cannot_login():
        tap.skip(text, rig.mta.cannot_login())
    else:
        _is_told(tap, rig, nobody, GOOD, text, user="joe")
    text = "from a trusted client, the same recipient"
    _is_told(tap, rig, nobody, GOOD, text, source=milter.TRUSTED)
    tap.equal(there.connections(), 0, "nobody is asked about these")


def _apart_from_senders(tap, rig, there):
    """alice has a mailbox for the world's mail hosts and bob has one in the store."""
    _settings(rig, there, 'policy "default" { verify = "both" }')
    alice, bob = "alice@apart.example", "bob@apart.example"
    nobody = "nobody@apart.example"  # of the mail host's senders, but not in the store
    there.hosts.reset()
    _is_told(tap, rig, nobody, UNKNOWN, "to somebody whom only the world knows", sender=nobody)
    sent = Sent(rig, alice, sender=bob)
    text = "from somebody whom only the store knows: 550 5.1.7"
    tap.equal(sent.told, [(550, "5.1.7")], text, sent)
    text = "to him, from one whom the world knows"
    _is_told(tap, rig, bob, GOOD, text, sender=nobody)
    outside, store = there.asked(stores.APART, stores.USERS)
    tap.ok(
        outside.rcpts >= 2 and store.rcpts >= 2,
        "a recipient's verdict is none about the sender of that name: each has its own callout",
        outside,
        store,
    )


def _recipients_first(tap, rig, there):
    """For a recipient who does not exist no stranger is called; both verdicts share one wait."""
    there.hosts.reset()
    sent = Sent(rig, "nobody-5@users.example", sender="nobody@outside.example")
    tap.equal(sent.told, [UNKNOWN], "a forged sender to one who does not exist: 550 5.1.1", sent)
    (asked,) = there.asked(stores.OUTSIDE)
    tap.equal(asked.connections, 0, "nobody is asked about the sender", asked)
    sent = Sent(rig, "user-5@users.example", sender="nobody@outside.example")
    tap.equal(sent.told, [(550, "5.1.7")], "and to one who exists: 550 5.1.7", sent)
    sent = Sent(rig, "user-5@tardy.example", sender="alice@late.example")
    found = rig.milter.decision("alice@late.example")
    tap.ok(
        sent.told == [GOOD]
        and found.get("reason") == "timeout"
        and float(found["waited"].rstrip("s")) < MAX_WAIT_S,
        "a slow store and a slow mail host: the client waits max_wait for both together",
        sent,
        found,
    )


def _rest(tap, rig, there):
    """A relay for all the rest; the nearest counts."""
    relay = f'relay "*" {{ to = {{ "{stores.REST}" }} }}'
    _settings(rig, there, VERIFY + relay)
    for recipient, store, wanted in (
        ("user-3@plain.example", stores.REST, GOOD),
        ("nobody-3@other.example", stores.REST, UNKNOWN),
        ("nobody-3@backup.example", stores.REST, UNKNOWN),
        ("nobody-3@a.tree.example", stores.SUBDOMAINS, UNKNOWN),
        ("nobody-3@lmtp.example", stores.LMTP, UNKNOWN),
    ):
        there.hosts.reset()
        _is_told(tap, rig, recipient, wanted, f'with relay "*": {recipient}')
        asked = there.asked(store)[0]
        tap.ok(
            asked.connections == 1 and there.connections() == 1,
            f'with relay "*": {recipient} is asked about at {store} alone',
            there.hosts.settled(),
        )


def _fifty(tap, rig, there):
    """Fifty recipients of three policies and two stores."""
    _settings(
        rig,
        there,
        """
        policy "strict" { match { recipient = { "users.example" } } verify = "recipient" }
        policy "lenient" {
            match { recipient = { "lmtp.example" } }
            verify = "recipient"  on_invalid = "tempfail"
        }
        policy "none" { verify = "none" }
        """,
    )
    kinds = [  # no two of them of the same name: for Sendmail that is one user
        ("user-{}-a@users.example", GOOD),
        ("nobody-{}-b@users.example", UNKNOWN),
        ("user-{}-c@lmtp.example", GOOD),
        ("nobody-{}-d@lmtp.example", LATER),
        ("nobody-{}-e@other.example", GOOD),
    ]
    there.hosts.reset()
    rows = [(address.format(100 + n), wanted) for n in range(10) for address, wanted in kinds]
    sent = Sent(rig, *[address for address, _ in rows])
    wrong = [(row, told) for row, told in zip(rows, sent.told) if told != row[1]]
    tap.equal(wrong, [], "50 recipients of three policies and two stores: 50 right answers")
    tap.ok(sent.accepted == 30 and sent.arrived, "the 30 good ones get it", sent.accepted)
    asked = there.asked(stores.USERS, stores.LMTP)
    tap.ok(
        all(each.most_at_once <= SESSIONS and each.connections < 20 for each in asked),
        f"{SESSIONS} sessions a store at once at most, for 20 recipients each",
        *asked,
    )


# --- Those who guess ------------------------------------------------------------------------------


def _guessers(tap, rig, there):
    _settings(rig, there, VERIFY + f'limits {{ per_client_bad_rcpt = "{GUESSES}/h" }}')
    guesser, other = GUESSERS
    half = GUESSES // 2
    names = [f"guess-{n}@users.example" for n in range(GUESSES)]
    names.insert(half, "alice@users.example")
    sent = Sent(rig, *names, source=guesser)
    wanted = [UNKNOWN] * half + [GOOD] + [UNKNOWN] * half
    tap.equal(sent.told, wanted, f"{GUESSES} wrong guesses are answered, and a right one", sent)
    late = [reply.seconds >= 1 for reply in sent.replies[half:]]
    tap.ok(all(late), "the right one and the second half of the others a second late", sent)
    there.hosts.reset()
    sent = Sent(rig, "guess-x@users.example", "alice@users.example", source=guesser)
    tap.equal(sent.told, [BARRED] * 2, "then all its recipients are put off: 450 4.7.1", sent)
    tap.equal(there.connections(), 0, "and nobody is asked about them")
    text = "too many unknown recipients, try again later"
    tap.ok(all(text in words for words in sent.words), "it is told why", sent.words)
    rule = _decision(rig, "guess-x@users.example").get("rule")
    tap.equal(rule, "per_client_bad_rcpt", "the log names the limit")
    _is_told(tap, rig, "alice@users.example", GOOD, "another client at that time", source=other)
    _is_told(tap, rig, "guess-x@users.example", UNKNOWN, "its wrong one", source=other)
    _watchers(tap, rig, there)


def _watchers(tap, rig, there):
    """Where nobody is turned away a list may have as many dead addresses as it likes."""
    watch = 'policy "watch" { verify = "recipient" on_invalid = "accept" }\n'
    _settings(rig, there, watch + 'limits { per_client_bad_rcpt = "1/h" }')
    names = [f"dead-{n}@users.example" for n in range(GUESSES)] + ["alice@users.example"]
    sent = Sent(rig, *names, source="203.0.113.93")
    tap.equal(sent.told, [GOOD] * len(names), "with on_invalid = accept nobody is put off", sent)
