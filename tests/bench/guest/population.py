# SPDX-License-Identifier: BSD-2-Clause
"""Who lives in the benchmark's internet: 300 domains, their people, servers and mail hosts.

All of it follows from the seed. README says which shares were measured, and by whom. Addresses:

    198.18.N.25, .26    mail hosts, and what sends beside them: a /24 for each host of mailboxes
    192.0.2.241...      mail hosts that never answer (../../lab/net.py)
    203.0.113.N         servers of providers that send their customers' mail
    198.19.128.0/17     servers that domains and forwarders have of their own, a /24 each
    198.19.0.0/17       infected machines
"""

import dataclasses
import ipaddress
import random

DOMAINS = 300
SHARED_HOSTS = 50  # of mail providers; each has the mail of several domains
GREY_HOSTS = 4  # providers that greylist
USERS = 12  # people at a domain
PROVIDERS = 60  # servers that send real mail
FORWARDERS = 5  # hosts that forward with the sender unchanged
OUTSIDE = ipaddress.ip_network("198.19.0.0/16")  # RFC 2544: for benchmarks
BOTS = ipaddress.ip_network("198.19.0.0/17")
BOT_COUNT = 1500
MAIL_HOSTS = ["198.18.96.0/19", "198.18.128.0/17"]
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

# How many domains publish what SPF, by name of the population. "-all" and the like: how it ends.
SPF = {
    # As surveys of domains with mail hosts found it.
    "surveyed": {
        "-all": 119,
        "~all": 135,
        "?all": 6,
        "redirect": 4,  # to a provider's record, which ends with -all
        "endless": 3,  # ends with nothing: neutral
        "overlong": 4,  # more than ten look-ups: permerror
        "unreadable": 3,  # permerror
        "none": 26,
    },
    # As the clients of one mail host that did not pass were told it: forgers choose for themselves.
    "logged": {"-all": 34, "~all": 79, "?all": 16, "overlong": 9, "unreadable": 8, "none": 154},
}
# What each says of a client that it does not name.
OTHERS = {
    "-all": "fail",
    "~all": "softfail",
    "?all": "neutral",
    "redirect": "fail",
    "endless": "neutral",
    "overlong": "permerror",
    "unreadable": "permerror",
    "none": "none",
}
BROKEN = ("overlong", "unreadable")  # permerror for everybody

# Where a domain's mail comes from, in a hundred; the second for those without SPF.
SERVERS = {
    "pool": (75, 30),  # a provider's server, with a name of the provider's
    "mail_host": (8, 30),  # the mail host itself
    "beside": (3, 10),  # another machine in the mail host's /24
    "named": (8, 15),  # a server of its own, whose name is in the domain
    "generic": (4, 10),  # one with a name that its network gave it
    "nameless": (2, 5),  # one without a name
}
SIGNERS = (60, 20)  # of a hundred domains so many sign (DKIM); the second of those without SPF

# What DNS calls a bot, in a hundred.
BOT_NAMES = {
    "generic": 60,  # a name that its network gave it, and an address to that name
    "unconfirmed": 15,  # the same, but no address
    "nameless": 22,
    "liar": 3,  # a name in a domain that it forges, which has no such address
}

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
    published: str  # its SPF, one of OTHERS
    form: str  # the mechanism that names its server
    mail_host: str  # IP address
    provider: int  # which provider it is with
    server: str  # one of SERVERS
    outgoing: str  # the address that its real mail comes from
    signs: bool  # with DKIM
    users: list
    is_list: bool = False  # sends mail to subscribers, each with a sender of its own

    @property
    def helo(self):
        """The name of what sends its mail, by its own account."""
        if self.server == "pool":
            return f"out{self.provider}.providers.example"
        return f"mail.{self.name}"


@dataclasses.dataclass
class Bot:
    address: str
    naming: str  # one of BOT_NAMES
    claims: str = ""  # the domain that a liar's name is in


def provider_address(number):
    return f"203.0.113.{10 + number}"


def own_address(number):
    """The address of the numberth server with a network of its own."""
    return f"198.19.{128 + number % 128}.{10 + number // 128}"


def zipf(count, exponent=ZIPF):
    return [1 / (rank + 1) ** exponent for rank in range(count)]


def dealt(counts, weights):
    """A kind for each weight, in order: of each as many as `counts` says, with their share of the
    weight too. Each weight goes to the kind that has got least of what is its due by then."""
    left, given, passed = dict(counts), dict.fromkeys(counts, 0.0), 0.0
    kinds = []
    for weight in weights:
        passed += weight
        kind = max(
            (kind for kind in left if left[kind]),
            key=lambda each: counts[each] / len(weights) * passed - given[each],
        )
        left[kind] -= 1
        given[kind] += weight
        kinds.append(kind)
    return kinds


class Population:
    def __init__(self, seed, spf="surveyed"):
        self._random = random.Random(f"population {seed}")
        self._own_hosts = 0  # mail hosts given out so far that one domain has to itself
        self._own_servers = FORWARDERS  # servers given out so far
        self.weights = zipf(DOMAINS)
        self.domains = self._make_domains(dealt(SPF[spf], self.weights))
        self.bots = self._make_bots()
        self.forwarders = [own_address(number) for number in range(FORWARDERS)]
        self._make_lists()
        self.by_name = {domain.name: domain for domain in self.domains}

    def _make_domains(self, published):
        names = [f"{first}-{second}.example" for first in _ADJECTIVES for second in _NOUNS]
        self._random.shuffle(names)
        kinds = self._kinds()
        each = zip(range(DOMAINS), names, kinds, published)
        return [self._make_domain(*what) for what in each]

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

    def _make_domain(self, rank, name, kind, published):
        people = [f"{first}.{last}" for first in _FIRST for last in _LAST]
        column = int(published == "none")
        mail_host, provider = self._mail_host(rank, kind), self._random.randrange(PROVIDERS)
        server = self._server(kind, published, column)
        return Domain(
            name=name,
            rank=rank,
            kind=kind,
            published=published,
            form=self._form(server, published),
            mail_host=mail_host,
            provider=provider,
            server=server,
            outgoing=self._outgoing(server, mail_host, provider),
            signs=self._random.random() * 100 < SIGNERS[column],
            users=self._random.sample(people, USERS),
        )

    def _server(self, kind, published, column):
        if published in ("redirect", "overlong"):  # to providers' records
            return "pool"
        fit = [name for name in SERVERS if kind not in DEAD or name not in ("mail_host", "beside")]
        return self._random.choices(fit, [SERVERS[name][column] for name in fit])[0]

    def _form(self, server, published):
        """The mechanism that names the server: of a provider's ip4, include or a; else ip4 or a."""
        if published == "overlong":
            return "includes"
        if server == "pool":
            return self._random.choices(["ip4", "include", "a"], [5, 4, 1])[0]
        return "mx" if server == "mail_host" else "ip4" if server == "beside" else "a"

    def _outgoing(self, server, mail_host, provider):
        if server == "pool":
            return provider_address(provider)
        if server == "mail_host":
            return mail_host
        if server == "beside":
            return mail_host.removesuffix(".25") + ".26"
        self._own_servers += 1
        return own_address(self._own_servers - 1)

    def _mail_host(self, rank, kind):
        if kind == "silent":
            return f"192.0.2.{241 + rank % 10}"
        if kind == "refused":
            return "198.18.230.25"  # nobody listens there
        if kind == "grey":
            return f"198.18.{160 + self._random.randrange(GREY_HOSTS)}.25"
        if kind == "nonull":  # a host of its own: no RCPT is seen there to tell the domain by
            self._own_hosts += 1
            return f"198.18.{169 + self._own_hosts}.25"
        return f"198.18.{100 + self._random.randrange(SHARED_HOSTS)}.25"

    def _make_bots(self):
        numbers = self._random.sample(range(1, BOTS.num_addresses - 1), BOT_COUNT)
        namings = self._random.choices(list(BOT_NAMES), list(BOT_NAMES.values()), k=BOT_COUNT)
        bots = [Bot(str(BOTS[number]), naming) for number, naming in zip(numbers, namings)]
        for bot in bots:
            if bot.naming == "liar":
                bot.claims = self._random.choices(self.domains, self.weights)[0].name
        return bots

    def _make_lists(self, count=8):
        """Who sends in bulk must have SPF and sign, or the large receivers refuse it."""
        plain = [domain for domain in self.domains[20:] if domain.kind == "plain"]
        fit = [domain for domain in plain if domain.published in ("-all", "~all")]
        for domain in self._random.sample(fit, count):
            domain.is_list = domain.signs = True

    @property
    def lists(self):
        return [domain for domain in self.domains if domain.is_list]

    def spf(self, client, domain):
        """What the domain's SPF says of a client: a result of RFC 7208."""
        allowed = domain.published not in BROKEN and domain.published != "none"
        return "pass" if allowed and client == domain.outgoing else OTHERS[domain.published]

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
