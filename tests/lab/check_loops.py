# SPDX-License-Identifier: BSD-2-Clause
"""Two sites that both verify exchange mail: no deadlock, and no callouts that breed callouts.

One site has Ringback, on Postfix or on Sendmail; the other has it too, or Exim's callouts, or
Postfix' reject_unverified_sender. What is counted is what passes over the cables: a connection to
a site's port 25 that ends without a message is a callout, whoever made it and why.
"""

import contextlib
import dataclasses

import client
import debs
import etc
import exim
import postfix
import sendmail
import sites
import waiting
import wire

NULL, NAMED = "", "callout@{domain}"  # whom Ringback's callouts come from
PROBES = """
smtpd_sender_restrictions = permit_mynetworks, reject_unverified_sender
address_verify_poll_delay = 1s
address_verify_poll_count = 60
"""
OURS = {"postfix-1": "Ringback on Postfix", "sendmail-1": "Ringback on Sendmail"}
OTHERS = {
    "postfix-2": "another of it on Postfix",
    "sendmail-2": "another of it on Sendmail",
    "exim-null": "Exim that calls as <>",
    "exim-named": "Exim that calls as postmaster",
    "probes": "Postfix that probes as double-bounce",
    "probes-named": "Postfix that probes as a user",
}


@dataclasses.dataclass(frozen=True)
class Pair:
    """Who faces whom, and whom the callouts of each come from, where they are ours."""

    here: str
    there: str
    mail_from: str
    mail_from_there: str

    @property
    def title(self):
        callers = [sender and "a user" or "<>" for sender in (self.mail_from, self.mail_from_there)]
        ours = " and ".join(callers) if self.there in ("postfix-2", "sendmail-2") else callers[0]
        return f"{OURS[self.here]} (calls as {ours}), {OTHERS[self.there]}"


def _pairs():
    """All of them with a Ringback on Postfix; with one on Sendmail, where it could matter."""
    pairs = []
    for there in OTHERS:
        pairs += [Pair("postfix-1", there, sender, sender) for sender in (NULL, NAMED)]
        if there in ("postfix-2", "sendmail-2"):
            pairs.append(Pair("postfix-1", there, NULL, NAMED))
        if there != "postfix-2":
            pairs.append(Pair("sendmail-1", there, NAMED, NAMED))
    return pairs + [Pair("sendmail-1", "sendmail-2", NULL, NULL)]


def run(tap, rig):
    with contextlib.ExitStack() as parts:
        try:
            there_are, missing = _start_sites(rig, parts)
        except etc.CannotHave as reason:
            there_are, missing = {}, {name: reason for name in (*OURS, *OTHERS)}
        listening = parts.enter_context(wire.Wire(rig.net.world))
        for number, pair in enumerate(_pairs()):
            reason = missing.get(pair.here) or missing.get(pair.there)
            if reason:
                tap.skip(f"{pair.title}: no loop", reason)
            else:
                _face(tap, listening, there_are[pair.here], there_are[pair.there], pair, number)


def _kinds(rig):
    """What each site is, and why some cannot be."""
    ours = sites.with_postfix(milters=postfix.MILTER)
    kinds = {
        "postfix-1": ours,
        "postfix-2": ours,
        "probes": sites.with_postfix(more=PROBES),
        "probes-named": sites.with_postfix(
            more=PROBES + "address_verify_sender = verifier@{domain}\n"
        ),
    }
    missing = {}
    try:
        unpacked = debs.unpacked(rig.builddir, rig.folder)
    except debs.CannotHave as reason:
        names = [name for name in (*OURS, *OTHERS) if name not in kinds]
        return kinds, {name: reason for name in names}
    wanted = {
        "sendmail-1": (sendmail.Sendmail, sites.with_sendmail(unpacked)),
        "sendmail-2": (sendmail.Sendmail, sites.with_sendmail(unpacked)),
        "exim-null": (exim.Exim, sites.with_exim(unpacked, "null")),
        "exim-named": (exim.Exim, sites.with_exim(unpacked, "postmaster")),
    }
    for name, (program, kind) in wanted.items():
        try:
            program.check(unpacked)
            kinds[name] = kind
        except debs.CannotHave as reason:
            missing[name] = reason
    return kinds, missing


def _start_sites(rig, parts):
    etc.check(rig.net.guard, rig.folder)
    kinds, missing = _kinds(rig)
    there_are = {}
    for name, kind in kinds.items():
        site = sites.Site(rig, name, kind)
        parts.callback(site.stop)
        if name.startswith(("postfix-", "sendmail-")):
            site.with_ringback(rig.builddir)
        site.mta.launch()
        there_are[name] = site
    for site in there_are.values():
        site.mta.wait()
    return there_are, missing


def _face(tap, listening, here, there, pair, number):
    """New caches at those that have Ringback, new users for each pair: all is asked anew."""
    here.start_ringback(pair.mail_from.format(domain=here.domain))
    there.start_ringback(pair.mail_from_there.format(domain=there.domain))
    first, second = f"user{2 * number}", f"user{2 * number + 1}"
    failed = tap.failed
    listening.forget()
    _one(tap, listening, pair.title, here, there, first)
    _one(tap, listening, pair.title, there, here, first)
    _crossing(tap, listening, pair.title, here, there, second)
    _again(tap, listening, pair.title, here, there, (first, second))
    _known(tap, pair.title, here, there, (first, second))
    if tap.failed > failed:
        tap.note("\n".join(here.logs() + there.logs()))


def _exchange(ways, users):
    """Sends a mail each way for each user, all at once; what did not get in."""
    mails = []
    for sender, recipient in ways:
        for user in users:
            subject = client.unique("loops")
            addresses = (f"{user}@{sender.domain}", f"{user}@{recipient.domain}")
            mails.append((recipient, subject, sender.send(*addresses, subject)))

    def are_all_there():
        mails[:] = [mail for mail in mails if not mail[0].received(mail[1])]
        return not mails

    waiting.until(are_all_there)
    return [f"{subject} at {site.name}: {sent}" for site, subject, sent in mails]


def _callouts(listening, *ways):
    """The callouts each way since they were last forgotten, in lists; all else that was said."""
    calls = [call for call in listening.settled() if not call.delivers]
    found = [
        [call for call in calls if (call.caller, call.called) == (one.address, other.address)]
        for one, other in ways
    ]
    listening.forget()
    return found


def _one(tap, listening, title, sender, recipient, user):
    late = _exchange([(sender, recipient)], [user])
    tap.ok(not late, f"{title}: a mail from {sender.name} gets in", *late)
    found = _callouts(listening, (recipient, sender), (sender, recipient))
    tap.ok(
        len(found[0]) == 1 and len(found[1]) <= 1,
        f"{title}: it costs one callout back, and one forth at most",
        *found[0],
        *found[1],
    )


def _crossing(tap, listening, title, here, there, user):
    """Each site verifies the other's user while its own is being verified."""
    ways = [(here, there), (there, here)]
    late = _exchange(ways, [user])
    tap.ok(not late, f"{title}: mails that cross get in", *late)
    found = _callouts(listening, *ways)
    asked = [[call.recipients[:1] for call in calls] for calls in found]
    tap.ok(
        all(1 <= len(each) <= 2 for each in asked)
        and not any(each.count(address) > 1 for each in asked for address in each),
        f"{title}: and nobody is asked about an address twice",
        *found[0],
        *found[1],
    )


def _again(tap, listening, title, here, there, users):
    ways = [(here, there), (there, here)]
    late = _exchange(ways, users)
    tap.ok(not late, f"{title}: the same mails again get in", *late)
    found = _callouts(listening, *ways)
    tap.equal(found, [[], []], f"{title}: and cost no callout")


def _known(tap, title, here, there, users):
    """What Ringback accepted it had found out, not given up: a deadlock lasts until max_wait."""
    for site, other in ((here, there), (there, here)):
        if not site.ringback:
            continue
        addresses = [f"{user}@{other.domain}" for user in users]
        found = [site.ringback.cached(address) for address in addresses]
        wanted = [("valid", "accepted")] * len(addresses)
        tap.equal(found, wanted, f"{title}: {site.name} knows that the senders exist")
        reasons = {
            each["reason"]
            for each in site.ringback.decisions()
            if each.get("address", "").strip("<>") in addresses
        }
        tap.ok("timeout" not in reasons, f"{title}: {site.name} gave nobody up", reasons)
