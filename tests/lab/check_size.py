# SPDX-License-Identifier: BSD-2-Clause
"""Full mailboxes, and messages too large: refused at RCPT, with the words of real stores.

Dovecot's LMTP with a quota and a Postfix with a message_size_limit stand behind the MTA, as the
distribution has them. Clients say how large their message is (SIZE=, RFC 1870), or do not. What a
client is told must be the same through any MTA: rig.outcomes.
"""

import contextlib

import client
import debs
import dovecot
import etc
import sites
import waiting

QUOTA_KB = 20  # of each mailbox in Dovecot
LIMIT = 10240  # octets of a message that Postfix takes
SMALL, LARGE = 5000, 20000
SENDER = "alice@outside.example"
CROWD = 8
# Postfix' own words of a mailbox, by which it says "later": not Dovecot's default.
LATER = """
smtpd_recipient_restrictions = check_recipient_access texthash:{folder}/access
message_size_limit = {limit}
"""
GOOD = (250, "")


def run(tap, rig):
    with contextlib.ExitStack() as parts:
        try:
            store, gate = _start_stores(rig, parts)
        except (debs.CannotHave, etc.CannotHave) as reason:
            tap.skip("full mailboxes and messages too large", reason)
            return
        _start_milter(rig, store, gate)
        _a_full_mailbox(tap, rig, store)
        _a_large_message(tap, rig, gate)
        _a_full_mailbox_for_now(tap, rig, gate)
        _at_once(tap, rig, gate)
        _by_hand(tap, rig, store, gate)
        _a_silent_store(tap, rig, gate)
        _not_asked(tap, rig, store, gate)


# --- Who is there ---------------------------------------------------------------------------------


def _start_stores(rig, parts):
    """Dovecot, in which user1 has more than he may, and Postfix."""
    etc.check(rig.net.guard, rig.folder)
    unpacked = debs.unpacked_dovecot(rig.builddir, rig.folder)
    dovecot.Dovecot.check(unpacked)
    store = sites.Site(rig, "quota-dovecot", sites.with_dovecot(unpacked, quota_kb=QUOTA_KB))
    parts.callback(store.stop)
    gate = sites.Site(rig, "limit-postfix", _limited)
    parts.callback(gate.stop)
    (gate.folder / "access").write_text(f"user9@{gate.domain} 452 4.2.2 Mailbox is full\n")
    for site in (store, gate):
        site.mta.launch()
    for site in (store, gate):
        site.mta.wait()
    store.mta.fill("user1", 2 * QUOTA_KB)
    return store, gate


def _limited(site):
    more = LATER.format(folder=site.folder, limit=LIMIT)
    return sites.with_postfix(more=more)(site)


def _config(store, gate, more=""):
    return f"""
        relay "{store.domain}" {{ to = {{ "lmtp:{store.address}:{dovecot.PORT}" }} {more} }}
        relay "{gate.domain}" {{ to = {{ "{gate.address}" }} {more} }}
        policy "default" {{ verify = "recipient" }}
        limits {{ per_client_bad_rcpt = "1000/h" }}
        """


def _start_milter(rig, store, gate):
    rig.milter.start_fresh(more=_config(store, gate))


# --- Ways to look ---------------------------------------------------------------------------------


def _ask(rig, recipient, size=None):
    """What a client with a message of that size is told: code, enhanced code, the milter's words."""
    with contextlib.closing(client.Session(rig.net.client)) as session:
        session.ehlo()
        said = f"MAIL FROM:<{SENDER}>" + (f" SIZE={size}" if size is not None else "")
        mail = session.command(said)
        reply = session.command(f"RCPT TO:<{recipient}>") if mail.code == 250 else mail
    words = rig.mta.wording(reply.text)
    return (reply.code, *(words.split(" ", 1) if reply.code >= 400 else ("", "")))


def _is_told(tap, rig, recipient, size, wanted, text, reason=None):
    """And what the log says of it, where `reason` is given."""
    told = _ask(rig, recipient, size)
    text = f"{text}: {wanted[0]} {wanted[1]}".rstrip()
    tap.equal(told[:2], wanted, text, told, *rig.milter.log().splitlines()[-3:])
    rig.outcomes[text] = told
    if reason:
        found = rig.milter.decision(recipient, verify="recipient", reason=reason)
        tap.ok(found, f"{text}: the log says {reason}", *rig.milter.log().splitlines()[-3:])
    return told


def _is_kept(tap, rig, recipient, wanted, text):
    """The cache has that of a recipient at its store, once it is written."""
    waiting.until(lambda: rig.milter.cached(recipient) == wanted)
    tap.equal(rig.milter.cached(recipient), wanted, text)


def _is_not_kept(tap, rig, recipient, text):
    """Nor anything else of him; what was learned before the last answer is written by now."""
    tap.equal(rig.milter.cached(recipient), None, text)


# --- What is asked, and what it comes to ----------------------------------------------------------


KNOWN = ("valid", "accepted")
UNKNOWN = ("invalid", "no_such_user")


def _a_full_mailbox(tap, rig, store):
    full, roomy, nobody = (f"{name}@{store.domain}" for name in ("user1", "user2", "nobody1"))
    text = "Dovecot: a mailbox with room"
    _is_told(tap, rig, roomy, SMALL, GOOD, text, "accepted")
    text = "Dovecot: a mailbox that is full"
    told = _is_told(tap, rig, full, SMALL, (552, "5.2.2"), text, "mailbox_full")
    wanted = f"<{full}>: recipient address rejected: mailbox full"
    tap.equal(told[2], wanted, f"{text}: in our words, and not the store's")
    _is_told(tap, rig, nobody, SMALL, (550, "5.1.1"), "Dovecot: nobody's", "no_such_user")
    _is_kept(tap, rig, nobody, UNKNOWN, "Dovecot: nobody's: that is kept")
    _is_not_kept(tap, rig, full, "Dovecot: that a mailbox is full is not")
    store.mta.empty("user1")
    _is_told(tap, rig, full, SMALL, GOOD, "once he has made room", "accepted")
    _is_kept(tap, rig, full, KNOWN, "that he is there is kept")
    store.mta.fill("user1", 2 * QUOTA_KB)
    text = "full again, although he is known"
    _is_told(tap, rig, full, SMALL, (552, "5.2.2"), text)
    text = "the same, for a message of unknown size"
    _is_told(tap, rig, full, None, GOOD, text)
    found = rig.milter.decision(full, verify="recipient", cached="yes")
    tap.equal(found.get("reason"), "accepted", f"{text}: what was known stays known", found)


def _a_large_message(tap, rig, gate):
    user, nobody = f"user2@{gate.domain}", f"nobody2@{gate.domain}"
    text = "Postfix: a message too large"
    told = _is_told(tap, rig, user, LARGE, (552, "5.3.4"), text, "too_large")
    wanted = f"<{user}>: recipient address rejected: message too large"
    tap.equal(told[2], wanted, f"{text}: in our words, and not the store's")
    text = "Postfix: a large one to nobody"
    _is_told(tap, rig, nobody, LARGE, (550, "5.1.1"), text, "no_such_user")
    _is_kept(tap, rig, nobody, UNKNOWN, f"{text}: that is kept")
    _is_not_kept(tap, rig, user, "Postfix: that a message is too large is not")
    text = "Postfix: a small one"
    _is_told(tap, rig, user, SMALL, GOOD, text, "accepted")
    _is_kept(tap, rig, user, KNOWN, f"{text}: that he is there is kept")
    text = "Postfix: a large one again"
    _is_told(tap, rig, user, LARGE, (552, "5.3.4"), text)
    _is_told(tap, rig, user, None, GOOD, "Postfix: one of unknown size")
    found = rig.milter.decision(user, verify="recipient", cached="yes")
    tap.equal(found.get("reason"), "accepted", f"{text}: what was known stays known", found)


def _a_full_mailbox_for_now(tap, rig, gate):
    """A store that says "later": so does the client hear, and its own queue waits."""
    text = "Postfix: a mailbox that is full, by 452"
    _is_told(tap, rig, f"user9@{gate.domain}", SMALL, (452, "4.2.2"), text, "mailbox_full")


def _at_once(tap, rig, gate):
    """Clients with messages of two sizes for one recipient, all at one moment."""
    user = f"user3@{gate.domain}"
    sizes = [SMALL, LARGE] * (CROWD // 2)
    told = client.at_once(CROWD, lambda index: _ask(rig, user, sizes[index])[:2])
    wanted = [GOOD if size == SMALL else (552, "5.3.4") for size in sizes]
    tap.equal(told, wanted, f"{CROWD} clients at once, of two sizes: each has its own answer")


def _by_hand(tap, rig, store, gate):
    """What the tool says of a message of some size."""
    for size, wanted in ((LARGE, "reply       552 5.3.4 "), (SMALL, "reason accepted")):
        _, said, _ = rig.milter.ringback(
            *("explain", "--client", "203.0.113.1", "--helo", "client.lab.example"),
            *("--from", SENDER, "--to", f"user2@{gate.domain}", "--size", str(size)),
        )
        tap.ok(wanted in said, f"ringback explain --size {size}: {wanted.strip()}", said)
    full = f"user1@{store.domain}"
    relay = f"lmtp:{store.address}:{dovecot.PORT}"
    options = ["--relay", relay, "--size", str(SMALL)]
    (answer,) = rig.milter.ringback_json("verify", *options, full)
    seen = answer.get("reason"), answer.get("code")
    tap.equal(seen, ("mailbox_full", 552), "ringback verify --relay --size: mailbox_full", answer)


def _a_silent_store(tap, rig, gate):
    """The store is down: what is known counts, and of others nothing is."""
    gate.mta.stop()
    text = "with the store down, one who is known"
    _is_told(tap, rig, f"user2@{gate.domain}", SMALL, GOOD, text, "accepted")
    text = "with the store down, one who is not"
    _is_told(tap, rig, f"user4@{gate.domain}", SMALL, (450, "4.1.1"), text, "unreachable")
    gate.mta.start()


def _not_asked(tap, rig, store, gate):
    """check_size = no: as if no client gave a size."""
    rig.milter.start_fresh(more=_config(store, gate, "check_size = no"))
    text = "with check_size = no"
    _is_told(tap, rig, f"user1@{store.domain}", SMALL, GOOD, f"{text}, a full mailbox")
    _is_told(tap, rig, f"user2@{gate.domain}", LARGE, GOOD, f"{text}, a message too large")
