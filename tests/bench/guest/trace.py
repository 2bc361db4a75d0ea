#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The mail of a small site over a simulated day, as JSON lines on standard output.

    tests/bench/guest/trace.py [--seed N] [--spf surveyed|logged]

README says what is in it and why. The same seed gives the same trace, to the octet.
"""

import sys

sys.dont_write_bytecode = True

import argparse
import collections
import dataclasses
import json
import random
import signal

import population

SEED = 1
DAY_S = 24 * 3600
SITE = "local.example"
SITE_USERS = 25

FORGED = 4500
REAL = {  # kind -> mails
    "person": 270,  # correspondence, with repeats
    "batv": 20,  # the same people; their domain tags its senders (prvs=)
    "forwarded": 20,  # the same people through a forwarder's server, sender unchanged
    "verp": 60,  # a list: a sender for each subscriber
    "ezmlm": 60,  # a list: a sender for each message and subscriber
    "newsletter": 40,  # a sender that is never used again
    "srs": 30,  # forwarded with the sender rewritten
}
PEOPLE = 120  # outside, who write to the site
INTACT = 0.8  # of what is forwarded with a signature (DKIM) so much arrives with a good one
OWN_SIGNED = 0.2  # of what is forged so much bears a good signature of the forger's own domain
FORGERS_DOMAIN = "bulk-offers.example"
RUNS = 10  # spam runs
RUN_MAILS = 135  # in each of them: 30 % of what is forged
RUN_S = 30 * 60
RUN_BOTS = 40
RUN_DOMAINS = 5
# How much real mail comes in each hour.
HOURS = [1, 1, 1, 1, 1, 2, 4, 8, 12, 14, 14, 12, 10, 12, 13, 12, 10, 8, 6, 4, 4, 3, 2, 1]

# Local parts that forgers guess.
GUESSES = """info sales office contact service support admin webmaster news billing accounts jobs
hello team mail user test root marketing press michael john peter maria thomas andreas robert mary
james paul susan linda frank martin daniel monica eva julia max tom kate steve alex chris
sam""".split()
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclasses.dataclass
class Mail:
    stamp: float  # seconds from the beginning
    client: str
    helo: str
    sender: str
    recipient: str
    forged: bool
    exists: bool  # whether the sender's mailbox does
    kind: str
    domain: str
    spf: str  # what the domain says of the client: a result of RFC 7208
    dkim: str = "none"  # what a verifier finds: pass, fail, none
    signer: str = ""  # the domain whose signature it is
    number: int = 0  # in order of arrival


class Generator:
    def __init__(self, seed, spf="surveyed"):
        self.population = population.Population(seed, spf)
        self._random = random.Random(f"trace {seed}")
        self._site = [f"staff{number}" for number in range(SITE_USERS)]
        self._serial = 0

    def mails(self):
        made = self._forged() + self._correspondence() + self._lists()
        made.sort(key=lambda mail: (mail.stamp, mail.sender, mail.recipient))
        for number, mail in enumerate(made):
            mail.number = number
        return made

    # --- Forged senders -----------------------------------------------------------

    def _forged(self):
        everybody, bots = self.population.domains, self.population.bots
        mails = []
        for _ in range(RUNS):
            begun = self._random.uniform(0, DAY_S - RUN_S)
            domains = self._random.choices(everybody, self.population.weights, k=RUN_DOMAINS)
            herd = self._random.sample(bots, RUN_BOTS)
            for _ in range(RUN_MAILS):
                mails.append(self._spam(self._random.uniform(begun, begun + RUN_S), domains, herd))
        while len(mails) < FORGED:
            domains = self._random.choices(everybody, self.population.weights)
            mails.append(self._spam(self._random.uniform(0, DAY_S), domains, bots))
        self._half_exist(mails)
        return mails

    def _spam(self, stamp, domains, bots):
        bot, domain = self._random.choice(bots), self._random.choice(domains)
        if bot.claims:
            domain = self.population.by_name[bot.claims]
        signed = self._random.random() < OWN_SIGNED
        return self._mail(
            stamp,
            bot.address,
            f"[{bot.address}]",
            "",
            domain,
            forged=True,
            exists=False,
            kind="forged",
            dkim="pass" if signed else "none",
            signer=FORGERS_DOMAIN if signed else "",
        )

    def _half_exist(self, mails):
        """Gives them local parts: just half of them of mailboxes that exist."""
        exist = [index % 2 == 0 for index in range(len(mails))]
        self._random.shuffle(exist)
        popularity = population.zipf(population.USERS)
        for mail, mail.exists in zip(mails, exist):
            domain = self.population.by_name[mail.domain]
            if mail.exists:
                local = self._random.choices(domain.users, popularity)[0]
            elif self._random.random() < 0.5:
                local = self._random.choice(GUESSES)
            else:
                length = self._random.randrange(6, 12)
                local = "".join(self._random.choices(_LETTERS, k=length)) + str(
                    self._random.randrange(10, 9999)
                )
            mail.sender = f"{local}@{mail.domain}"

    # --- Real mail ------------------------------------------------------------------

    def _correspondence(self):
        people = self._people()
        weights = population.zipf(PEOPLE, 0.7)
        # Only where the mail hosts know their tags.
        taggers = [person for person in people if person[1].kind == "plain"]
        mails = []
        for _ in range(REAL["person"]):
            user, domain, recipient = self._random.choices(people, weights)[0]
            mails.append(self._real(domain, user, "person", recipient))
        for _ in range(REAL["batv"]):
            user, domain, recipient = self._random.choice(taggers)
            tag = f"{self._random.randrange(10000):04d}{self._random.randrange(1 << 24):06x}"
            mails.append(self._real(domain, f"prvs={tag}={user}", "batv", recipient))
        for _ in range(REAL["forwarded"]):
            user, domain, recipient = self._random.choice(people)
            mails.append(self._forward(self._real(domain, user, "forwarded", recipient), domain))
        return mails

    def _people(self):
        """Who writes to whom: domains evenly chosen by their SPF and servers, in no order."""
        alive = [d for d in self.population.domains if d.kind not in population.DEAD]
        alive.sort(key=lambda domain: (domain.published, domain.server, domain.rank))
        domains = [alive[number * len(alive) // PEOPLE] for number in range(PEOPLE)]
        self._random.shuffle(domains)
        return [
            (self._random.choice(domain.users), domain, self._random.choice(self._site))
            for domain in domains
        ]

    def _forward(self, mail, domain):
        """The same by way of a forwarder, who may break its signature."""
        number = self._random.randrange(population.FORWARDERS)
        mail.client, mail.helo = self.population.forwarders[number], f"mail.alumni{number}.example"
        mail.spf = self.population.spf(mail.client, domain)
        if mail.dkim == "pass" and self._random.random() >= INTACT:
            mail.dkim = "fail"
        return mail

    def _lists(self):
        mails = []
        for kind, form in (
            ("verp", lambda to, n: f"announce-bounces+{to}={SITE}"),
            ("ezmlm", lambda to, n: f"users-return-{n}-{to}={SITE}"),
            ("newsletter", lambda to, n: f"bounce-{n:06d}-{self._random.randrange(1 << 32):08x}"),
            ("srs", lambda to, n: f"SRS0={self._hash()}=4K={self._anybody()}"),
        ):
            for _ in range(REAL[kind]):
                self._serial += 1
                domain = self._random.choice(self.population.lists)
                to = self._random.choice(self._site)
                mails.append(self._real(domain, form(to, self._serial), kind, to))
        return mails

    def _hash(self):
        return "".join(self._random.choices(_LETTERS.upper() + _LETTERS, k=4))

    def _anybody(self):
        """Some address, as SRS writes it."""
        domain = self._random.choice(self.population.domains)
        return f"{domain.name}={self._random.choice(domain.users)}"

    def _real(self, domain, local, kind, recipient):
        hour = self._random.choices(range(24), HOURS)[0]
        return self._mail(
            hour * 3600 + self._random.uniform(0, 3600),
            domain.outgoing,
            domain.helo,
            f"{local}@{domain.name}",
            domain,
            forged=False,
            exists=True,
            kind=kind,
            recipient=recipient,
            dkim="pass" if domain.signs else "none",
            signer=domain.name if domain.signs else "",
        )

    def _mail(self, stamp, client, helo, sender, domain, recipient=None, **what):
        return Mail(
            stamp=round(stamp, 1),
            client=client,
            helo=helo,
            sender=sender,
            recipient=f"{recipient or self._random.choice(self._site)}@{SITE}",
            domain=domain.name,
            spf=self.population.spf(client, domain),
            **what,
        )


def shares(mails, residents):
    """What is in a trace, in numbers: what README promises can be held against it."""
    forged = [mail for mail in mails if mail.forged]
    real = [mail for mail in mails if not mail.forged]
    missing = [mail for mail in forged if not mail.exists]
    knowable = [m for m in missing if residents.by_name[m.domain].kind in population.TELLING]
    return {
        "mails": len(mails),
        "forged": len(forged),
        "forged, mailbox does not exist": len(missing),
        "... at a domain that tells": len(knowable),
        "forged, by what SPF says": dict(collections.Counter(mail.spf for mail in forged)),
        "forged, different senders": len({mail.sender for mail in forged}),
        "real": len(real),
        "real, different senders": len({mail.sender for mail in real}),
        "real, by what SPF says": dict(collections.Counter(mail.spf for mail in real)),
        "real, signed by its domain": sum(mail.dkim == "pass" for mail in real),
        "kinds": dict(collections.Counter(mail.kind for mail in mails)),
    }


def main():
    parser = argparse.ArgumentParser(description="a day's mail of a small site, as JSON lines")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--spf", choices=list(population.SPF), default="surveyed")
    options = parser.parse_args()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # a reader may have seen enough
    for mail in Generator(options.seed, options.spf).mails():
        print(json.dumps(dataclasses.asdict(mail)))


if __name__ == "__main__":
    main()
