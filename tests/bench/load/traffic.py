# SPDX-License-Identifier: BSD-2-Clause
"""The mixed traffic of the soak: who sends what in each turn of a few seconds, and who gets it.

Domains of each kind have mail hosts of their own:

    d0 to d199      take user..., refuse others; at 20 hosts
    forged0 to 9    the same hosts; everybody who writes from there is made up: a shield goes up
    grey0 to 19     say "later" for 8 s
    tarpit0 to 19   an octet a second, each at a host of its own
    dead0 to 19     connections are refused, or nobody answers, at 17 hosts
"""

import itertools
import threading

import stage  # first: it says where the lab's modules are

import client

DOMAINS, HOSTS, OTHERS = 200, 20, 20
# The first of their addresses; there is nobody at the last two.
GREY, TARPIT, REFUSING, SILENT = 30, 40, 60, 241
SOURCES = 50  # clients take turns
KNOWN, UNKNOWN = 400, 100  # senders that write again and again
BODY = "Hello.\r\n" * 200
FORGED_HEADERS = [
    "X-Ringback: valid; reason=accepted; address=<forged@example>",
    "X-Ringback-Warning: forged",
    "Received: from nowhere",
]


def internet():
    """Zone and mail hosts."""
    zone, hosts, _ = stage.population(DOMAINS, HOSTS, "step 5ms", "user*")
    zone += "".join(
        f"forged{n} MX 10 mx{n % HOSTS}\n"
        f"grey{n} MX 10 mxgrey\n"
        f"tarpit{n} A 192.0.2.{TARPIT + n}\n"
        f"dead{n} A 192.0.2.{REFUSING + n // 2 if n % 2 else SILENT + n // 3}\n"
        for n in range(OTHERS)
    )
    zone += f"mxgrey A 192.0.2.{GREY}\n"
    hosts += f'host 192.0.2.{GREY} mxgrey.example {{ greylist 8s 450 "4.2.0 Greylisted" }}\n'
    last = TARPIT + OTHERS - 1
    hosts += f"host 192.0.2.{TARPIT}-192.0.2.{last} tarpit.example {{ drip 1s }}\n"
    return zone, hosts


class Traffic:
    """Turn after turn of it, from the lab's client to `site`."""

    def __init__(self, where, site):
        self.where, self.site = where, site
        self._loads = []
        self._people = []
        self._serial = itertools.count()
        self.sessions = 0
        self.replies = {}
        self._lock = threading.Lock()
        self._files = {
            "known": where.write_senders(
                "known", [f"user{n}@d{n % DOMAINS}.example" for n in range(KNOWN)]
            ),
            "unknown": where.write_senders(
                "unknown", [f"nobody{n}@d{n % DOMAINS}.example" for n in range(UNKNOWN)]
            ),
        }

    def turn(self, number):
        """Lets the sessions of one turn begin."""
        self._start("known", 80, at_once=8, data=2000)
        self._start("known", 40, at_once=4, per_session=3)
        self._start("unknown", 30, at_once=4)
        self._start_new("new", 50, 10, lambda n: f"user-{n}@d{n % DOMAINS}.example", data=500)
        self._start_new("made-up", 10, 4, lambda n: f"x{n}@forged{n % 10}.example")
        self._start_new("grey", 6, 3, lambda n: f"user-{n}@grey{n % OTHERS}.example")
        self._start_new("tarpit", 3, 3, lambda n: f"user-{n}@tarpit{n % OTHERS}.example")
        self._start_new("dead", 6, 3, lambda n: f"user-{n}@dead{n % OTHERS}.example")
        self._start_new("bad", 8, 4, _bad_address)
        if number % 12 == 6:
            self._burst()
        self._write_by_hand(number)

    def _start_new(self, name, count, at_once, address, **how):
        """Senders that were never there before."""
        senders = [address(next(self._serial)) for _ in range(count)]
        self._files[name] = self.where.write_senders(name, senders)
        self._start(name, count, at_once=at_once, **how)

    def _burst(self):
        """Many at once: with one new sender, and each with one of their own."""
        one = f"user-burst-{next(self._serial)}@d1.example"
        self._files["one"] = self.where.write_senders("one", [one])
        self._start("one", 60, at_once=60)
        self._start_new("many", 60, 60, lambda n: f"user-many-{n}@d{n % DOMAINS}.example")

    def _start(self, name, count, **how):
        source = f"203.0.113.{1 + len(self._loads) % SOURCES}"
        self._loads.append(
            self.where.start_load(
                self.site, self._files[name], count, source=source, limit_s=60, **how
            )
        )
        self.sessions += count

    def _write_by_hand(self, number):
        """What a load generator does not send: bounces, odd headers, clients that break off."""
        thread = threading.Thread(target=self._people_write, args=(number,), daemon=True)
        thread.start()
        self._people.append(thread)
        self.sessions += 6

    def _people_write(self, number):
        there = {"server": self.site.address, "source": f"203.0.113.{200 + number % 20}"}
        for sender, headers in (
            ("", ["Auto-Submitted: auto-replied"]),
            ("", FORGED_HEADERS),
            (f"user{number % KNOWN}@d{number % DOMAINS}.example", FORGED_HEADERS),
            (f'"a b"@d{number % DOMAINS}.example', ["X-Long: " + "x" * 900]),
        ):
            client.send(self.where.net.client, sender, stage.RCPT, headers=headers, **there)
        for line in ("MAIL FROM:<user1@d1.example>", f"MAIL FROM:<user-left-{number}@d2.example>"):
            leaver = client.Session(self.where.net.client, **there)
            leaver.ehlo()
            leaver.command(line)
            leaver.write(f"RCPT TO:<{stage.RCPT}>\r\n")
            leaver.drop()

    def reap(self):
        """Takes what has ended; what is left goes on."""
        left = []
        for load in self._loads:
            if load.poll() is None:
                left.append(load)
                continue
            for code, count in self.where.end_load(load)["replies"].items():
                self.replies[code] = self.replies.get(code, 0) + count
        self._loads = left
        self._people = [thread for thread in self._people if thread.is_alive()]

    def finish(self):
        """Waits for what is under way."""
        for thread in self._people:
            thread.join(60)
        while self._loads:
            self._loads[0].wait(90)
            self.reap()


def _bad_address(number):
    return (
        f"user-{number}@no-such-{number}.example",
        f"a..b{number}@d3.example",
        f"user@[192.0.2.{number % 250}]",
        f"{'x' * 65}{number}@d4.example",
    )[number % 4]
