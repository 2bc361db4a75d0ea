# SPDX-License-Identifier: BSD-2-Clause
"""Plays a trace to one contender: a batch of mail, a wait for quiet, the clock set forward."""

import collections
import concurrent.futures
import dataclasses
import time

import client

HOUR_S = 3600
REFRESHED_S = 4 * HOUR_S  # longer than any answer counts without being refreshed, of these (3 h)
FRESH_S = 2 * HOUR_S  # longer than DNS counts (1 h)
SLOT_S = 600  # simulated; what arrives within it is sent at once
SLOTS_UNTIL_RETRY = 1
CLIENTS = 64  # at once
DUE_S = 0.6  # the milter looks twice a second at what is due


@dataclasses.dataclass
class Outcome:
    """What became of one mail. Codes are SMTP's; 0: the connection broke."""

    mail: object
    code: int
    text: str
    retry_code: int = 0  # of the second attempt, where there was one
    retry_text: str = ""
    retried: bool = False

    @property
    def last_code(self):
        return self.retry_code if self.retried else self.code

    @property
    def let_in(self):
        return 200 <= self.last_code < 300


def slot_of(mail):
    return int(mail.stamp // SLOT_S)


def play(contender, mails, progress):
    """Sends all of it; a list of Outcomes, in no order. progress(slot) is called for each slot."""
    batches = collections.defaultdict(list)
    for mail in mails:
        batches[slot_of(mail)].append((_first, mail))
    done = []
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        slot = 0
        while slot <= max(batches):
            contender.clock.set(slot * SLOT_S)
            time.sleep(DUE_S if contender.position else 0)
            for outcome in _batch(pool, contender, batches[slot]):
                if _comes_back(outcome):
                    batches[slot + SLOTS_UNTIL_RETRY].append((_again, outcome))
                else:
                    done.append(outcome)
            contender.hosts.settled()
            progress(slot)
            slot += 1
    return done


def _comes_back(outcome):
    """Real mail servers try again; what sends forged mail does not."""
    return not outcome.mail.forged and not outcome.retried and 400 <= outcome.code < 500


def _batch(pool, contender, attempts):
    """Mails of equal senders one after the other, in their order; all others at once."""
    chains = collections.defaultdict(list)
    for attempt in attempts:
        work, subject = attempt
        mail = subject if work is _first else subject.mail
        chains[mail.sender].append(attempt)

    def run(chain):
        return [work(contender, subject) for work, subject in chain]

    return [outcome for each in pool.map(run, chains.values()) for outcome in each]


def _send(contender, mail):
    return client.send(
        contender.namespace_of(mail.client),
        mail.sender,
        recipient=mail.recipient,
        source=mail.client,
        helo=mail.helo,
        subject=f"{mail.kind} {mail.number}",
    ).last


def _first(contender, mail):
    reply = _send(contender, mail)
    return Outcome(mail, reply.code, reply.text)


def _again(contender, outcome):
    reply = _send(contender, outcome.mail)
    outcome.retried, outcome.retry_code, outcome.retry_text = True, reply.code, reply.text
    return outcome


def questions_of_a_mail(contender, mails, end):
    """How many questions the MTA's side asks of DNS for one of these mails, whose senders are
    known: the `first` time, when DNS caches have nothing of it, and `again`, when they have all.

    Hours behind `end`, the trace's, in seconds, all that is known is refreshed; two hours later
    that is still fresh, but DNS is not."""
    _one_by_one(contender, mails, end + REFRESHED_S)
    found = {}
    for when in ("first", "again"):
        mark = contender.questions.counted()
        _one_by_one(contender, mails, end + REFRESHED_S + FRESH_S)
        found[when] = sum(contender.questions.counted(mark).values()) / len(mails)
    return found


def _one_by_one(contender, mails, stamp):
    contender.clock.set(stamp)
    for mail in mails:
        _send(contender, mail)
    contender.hosts.settled()
