# SPDX-License-Identifier: BSD-2-Clause
"""Who lives in the benchmark's internet: 300 domains, their people, DNS and mail hosts.

All of it follows from the seed. Addresses are the lab's (../../lab/net.py): mail hosts within
192.0.2.0/24, servers that send real mail within 203.0.113.0/24, infected machines within BOTS.
"""

import dataclasses
import ipaddress
import random

DOMAINS = 300
SHARED_HOSTS = 50  # of mail providers; each has the mail of several domains
GREY_HOSTS = 4  # providers that greylist
USERS = 12  # people at a domain
PROVIDERS = 60  # servers that send real mail
BOTS = ipaddress.ip_network("198.19.0.0/16")  # RFC 2544: for benchmarks
BOT_COUNT = 1500
SAFE_RANKS = 5  # the most popular domains are big providers, which are none of the odd kinds
SILENT_FROM_RANK = 100
ZIPF = 1.0

# How many domains are of each kind; the others are plain.
KINDS = {
    "catchall": 30,  # takes every local part
    "grey": 24,  # greylists for five minutes
    "refused": 9,  # dead: its mail host's address refuses connections
    "silent": 3,  # dead: its mail host's address never answers
    "nonull": 6,  # refuses MAIL FROM:<>
    "blocks": 6,  # refuses every recipient: we are on a block list
}
DEAD = ("refused", "silent")
TELLING = ("plain", "grey", "nonull")  # whose mail hosts say which mailboxes do not exist

_ADJECTIVES = """blue north silver quiet bright green old grand swift stone river golden new amber
little open royal clear bold west""".split()
_NOUNS = """harbour forge meadow print garden foundry bridge media labs bakery clinic travel works
systems market""".split()
_FIRST = """anna boris clara david elena farid greta hugo ines jonas karin lars mona nils olga
pavel rosa stefan tanja uwe vera walter yara zoe""".split()
_LAST = """abel brandt costa dietz engel fuchs gruber huber ivanov jansen koch lang maurer novak
otto peters quast roth stein tomas ulrich vogt weber zimmer""".split()


@dataclasses.dataclass
class Domain:
    name: str
    rank: int  # from 0: the most popular
    kind: str
    has_spf: bool
    spf_form: str
    mail_host: str  # IP address
    provider: int  # which of the servers sends its real mail
    users: list
    is_list: bool = False  # sends mail to subscribers, each with a sender of its own

    @property
    def outgoing(self):
        """The address that its real mail comes from."""
        return provider_address(self.provider)


def provider_address(number):
    return f"203.0.113.{10 + number}"


def zipf(count, exponent=ZIPF):
    return [1 / (rank + 1) ** exponent for rank in range(count)]


def is_even_in_ones(number):
    """The Thue-Morse sequence: halves that weigh the same, whatever the popularity of ranks."""
    return bin(number).count("1") % 2 == 0


class Population:
    def __init__(self, seed):
        self._random = random.Random(f"population {seed}")
        self._own_hosts = 0  # given out so far
        self.domains = self._make_domains()
        self.weights = zipf(DOMAINS)
        self.bots = self._make_bots()
        self._make_lists()
        self.by_name = {domain.name: domain for domain in self.domains}

    def _make_domains(self):
        names = [f"{first}-{second}.example" for first in _ADJECTIVES for second in _NOUNS]
        self._random.shuffle(names)
        kinds = self._kinds()
        return [self._make_domain(rank, names[rank], kinds[rank]) for rank in range(DOMAINS)]

    def _kinds(self):
        """A kind for each rank."""
        odd = [kind for kind, count in KINDS.items() if kind != "silent" for _ in range(count)]
        late = self._random.sample(range(SILENT_FROM_RANK, DOMAINS), KINDS["silent"])
        free = [rank for rank in range(SAFE_RANKS, DOMAINS) if rank not in late]
        kinds = ["plain"] * DOMAINS
        for rank in late:
            kinds[rank] = "silent"
        for rank, kind in zip(self._random.sample(free, len(odd)), odd):
            kinds[rank] = kind
        return kinds

    def _make_domain(self, rank, name, kind):
        people = [f"{first}.{last}" for first in _FIRST for last in _LAST]
        return Domain(
            name=name,
            rank=rank,
            kind=kind,
            has_spf=is_even_in_ones(rank),
            spf_form=self._random.choices(["ip4", "include", "a"], [5, 4, 1])[0],
            mail_host=self._mail_host(rank, kind),
            provider=self._random.randrange(PROVIDERS),
            users=self._random.sample(people, USERS),
        )

    def _mail_host(self, rank, kind):
        if kind == "silent":
            return f"192.0.2.{241 + rank % 10}"
        if kind == "refused":
            return "192.0.2.230"  # nobody listens there
        if kind == "grey":
            return f"192.0.2.{160 + self._random.randrange(GREY_HOSTS)}"
        if kind == "nonull":  # a host of its own: no RCPT is seen there to tell the domain by
            self._own_hosts += 1
            return f"192.0.2.{169 + self._own_hosts}"
        return f"192.0.2.{100 + self._random.randrange(SHARED_HOSTS)}"

    def _make_bots(self):
        numbers = self._random.sample(range(1, BOTS.num_addresses - 1), BOT_COUNT)
        return [str(BOTS[number]) for number in numbers]

    def _make_lists(self, count=8):
        plain = [domain for domain in self.domains[20:] if domain.kind == "plain"]
        for domain in self._random.sample(plain, count):
            domain.is_list = True

    @property
    def lists(self):
        return [domain for domain in self.domains if domain.is_list]

    def spf(self, client, domain):
        """What the domain's SPF record says of a client: pass, fail or none."""
        if not domain.has_spf:
            return "none"
        return "pass" if client == domain.outgoing else "fail"

    # --- DNS ------------------------------------------------------------------

    def zone(self):
        lines = [
            "$ORIGIN example.",
            "$TTL 3600",
            ". SOA ns hostmaster 1 3600 600 86400 60",
            ". NS ns",
            "ns A 192.0.2.53",
            "mta.lab A 198.51.100.10",
            "local MX 10 mta.lab",
        ]
        for number in range(PROVIDERS):
            address = provider_address(number)
            lines.append(f"out{number}.providers A {address}")
            lines.append(f'_spf{number}.providers TXT "v=spf1 ip4:{address} -all"')
        for domain in self.domains:
            name = domain.name.removesuffix(".example")
            lines.append(f"{name} MX 10 mx.{name}")
            lines.append(f"mx.{name} A {domain.mail_host}")
            if domain.has_spf:
                lines.append(f'{name} TXT "v=spf1 {self._mechanism(domain)} -all"')
        return "\n".join(lines) + "\n"

    @staticmethod
    def _mechanism(domain):
        return {
            "ip4": f"ip4:{domain.outgoing}",
            "include": f"include:_spf{domain.provider}.providers.example",
            "a": f"a:out{domain.provider}.providers.example",
        }[domain.spf_form]

    # --- Mail hosts (the grammar: ../../smtpd/README) -----------------------------

    def hosts(self):
        blocks = [
            "host * {",
            "    step 20ms",
            "    rcpt postmaster@* 250",
            '    rcpt * 550 "5.1.1 <%a>: Recipient address rejected: User unknown"',
            "}",
        ]
        residents = {}
        for domain in self.domains:
            if domain.kind not in DEAD:
                residents.setdefault(domain.mail_host, []).append(domain)
        for address, domains in sorted(residents.items()):
            blocks += self._host(address, domains)
        return "\n".join(blocks) + "\n"

    def _host(self, address, domains):
        lines = [f"host {address} mx.{domains[0].name} {{"]
        if domains[0].kind == "grey":
            lines.append('    greylist 5m 450 "4.2.0 <%a>: Greylisted, try again in 300 seconds"')
        if domains[0].kind == "nonull":
            lines.append('    mail <> 550 "5.7.1 null sender is not welcome here"')
        for domain in domains:
            lines += [f"    rcpt {rule}" for rule in self._rules(domain)]
        return lines + ["}"]

    @staticmethod
    def _rules(domain):
        if domain.kind == "catchall":
            return [f"*@{domain.name} 250"]
        if domain.kind == "blocks":
            text = "5.7.1 Service unavailable; client [%c] blocked using bl.example"
            return [f'*@{domain.name} 550 "{text}"']
        rules = [f"{user}@{domain.name} 250" for user in domain.users]
        rules += [f"prvs=*={user}@{domain.name} 250" for user in domain.users]  # BATV
        if domain.is_list:
            forms = ("announce-bounces+*", "*-return-*", "bounce-*", "SRS0=*")
            rules += [f"{form}@{domain.name} 250" for form in forms]
        return rules
