# SPDX-License-Identifier: BSD-2-Clause
"""Who is there for check_recipients and check_decide: stores behind the MTA, slow senders' hosts.

They are at 192.0.2.200 to 192.0.2.239, beyond those of world.py, and one at a unix socket. The MTA
takes mail for all of DOMAINS; where it asks about their recipients, config() says. What a store is
called, and what it says, is nobody's business outside: SECRETS.
"""

import contextlib
import pathlib
import shutil

import dns
import mailhosts

NAME_SERVER = "192.0.2.56"
SENDER = "alice@outside.example"
SECRETS = ("vault", "dungeon", "192.0.2.", "unix:", ".sock")

USERS, GREY, LMTP, SUBDOMAINS, REST, BLOCKS, STARTTLS, DENIES, TURNS_AWAY, CATCHALL = (
    f"192.0.2.{n}" for n in range(200, 210)
)
PRIMARY, PRIMARY_GREY, PRIMARY_CATCHALL, APART, OUTSIDE, SLOW, LATE = (
    f"192.0.2.{n}" for n in range(210, 217)
)
# Connections to these are refused.
NOBODY, NOBODY_2, NOBODY_3, NOBODY_4 = (f"192.0.2.{n}" for n in range(230, 234))
SLEEPY = "192.0.2.234"  # so does this one, until it is woken
TARDY = "192.0.2.217"  # answers TARDY_S late
COY, WIDE = "192.0.2.218", "192.0.2.219"
SILENT = "192.0.2.242"  # does not even do that
LATE_S = 6  # and that of late.example
TARDY_S = 3

# domain -> where its recipients are verified; UNIX is the path of the store that is no host.
RELAYS = {
    "users.example": ["vault-1.example:25"],
    "gateway.example": [NOBODY, GREY, USERS],
    "lmtp.example": [f"lmtp:{LMTP}"],
    "unix.example": ["UNIX"],
    ".tree.example": ["vault-4.example"],
    "dead.example": [NOBODY_2],
    "silent.example": [SILENT],
    "back.example": [SLEEPY],
    "tardy.example": [TARDY],
    "blocks.stores.example": [BLOCKS],
    "starttls.stores.example": [STARTTLS],
    "denies.stores.example": [DENIES],
    "turns-away.stores.example": [TURNS_AWAY],
    "catchall.stores.example": [CATCHALL],
    "apart.example": ["vault-1.example"],
}
OPEN = {"open.example": [NOBODY_3]}  # on_unreachable = "accept"
HELD = {"held.example": [NOBODY_3]}  # on_unreachable = "quarantine"
# No relay: the MTA is their backup MX, but for `first`, whose most preferred one it is.
BACKUPS = {
    "backup": PRIMARY,
    "backup-down": NOBODY_4,
    "backup-grey": PRIMARY_GREY,
    "backup-catchall": PRIMARY_CATCHALL,
}
DOMAINS = [
    *(domain for domain in (*RELAYS, *OPEN, *HELD) if not domain.startswith(".")),
    *(f"{name}.example" for name in BACKUPS),
    *("first.example", "plain.example", "other.example"),
    *("a.tree.example", "b.a.tree.example", "tree.example"),
]

ZONE = """
$ORIGIN example.
$TTL 300
.               SOA   ns hostmaster 1 3600 600 86400 60
.               NS    ns
ns              A     192.0.2.56
mta.lab         A     198.51.100.10
first           MX    10 mta.lab
first           MX    20 mx.backup
tree            MX    10 mx.backup
tree            MX    20 mta.lab
"""
ZONE += "".join(
    f"{name} MX 10 mx.{name}\n{name} MX 20 mta.lab\n{name} MX 30 mx.outside\n"
    f"mx.{name} A {address}\n"
    for name, address in BACKUPS.items()
)
ZONE += "".join(
    f"{name} MX 10 mx.{name}\nmx.{name} A {address}\n"
    for name, address in {"outside": OUTSIDE, "slow": SLOW, "late": LATE, "apart": APART}.items()
)
ZONE += "".join(
    f"{name}-{number} MX 10 mx.{name}\n" for name in ("coy", "wide") for number in range(3)
)
ZONE += f"mx.coy A {COY}\nmx.wide A {WIDE}\n"
ZONE += f"vault-1 A {USERS}\nvault-4 A {SUBDOMAINS}\n"

HOSTS = f"""
host * {{
    rcpt alice@*   250
    rcpt bob@*     250
    rcpt user-*@*  250
    rcpt *         550 "5.1.1 no such user in dungeon %h [%i]"
}}
host {USERS} vault-1.example       {{ }}
host {GREY} vault-2.example        {{ greylist 1h 450 "4.7.1 vault-2 says later" }}
host {LMTP} vault-3.example        {{ lmtp; port 24 }}
host UNIX vault-5.example {{ lmtp }}
host {SUBDOMAINS} vault-4.example  {{ }}
host {SLEEPY} vault-12.example     {{ refuse }}
host {TARDY} vault-13.example      {{ banner_delay {TARDY_S}s }}
host {REST} vault-6.example        {{ }}
host {BLOCKS} vault-7.example      {{
    rcpt * 550 "5.7.1 Service unavailable; client [%c] blocked by dungeon.example"
}}
host {STARTTLS} vault-8.example    {{ tls_required }}
host {DENIES} vault-9.example      {{ rcpt * 554 "5.7.1 <%a>: Relay access denied" }}
host {TURNS_AWAY} vault-10.example {{
    banner 554 "5.7.1 %c is not welcome in the dungeon" then close
}}
host {CATCHALL} vault-11.example   {{ rcpt * 250 }}

host {PRIMARY} mx.backup.example            {{ }}
host {PRIMARY_GREY} mx.backup-grey.example  {{ greylist 1h 450 "4.2.0 Greylisted" }}
host {PRIMARY_CATCHALL} mx.backup-catchall.example {{ rcpt * 250 }}

host {APART} mx.apart.example     {{ rcpt bob@* 550 "5.1.1 no such user"; rcpt nobody@* 250 }}
host {OUTSIDE} mx.outside.example {{ }}
host {SLOW} mx.slow.example       {{ }}
host {LATE} mx.late.example       {{ banner_delay {LATE_S}s }}
host {COY} mx.coy.example         {{
    rcpt user-*@* 250
    rcpt * 550 "5.1.1 no such user"
}}
host {WIDE} mx.wide.example       {{ rcpt * 250 }}
"""


class Stores:
    """All of them. Use as `with Stores(rig) as stores:`."""

    def __init__(self, rig):
        folder = pathlib.Path(rig.folder) / "stores"
        folder.mkdir(exist_ok=True)
        self.unix = f"unix:{folder / 'vault-5.sock'}"
        self._name_server = dns.Dns(rig.net.world, folder, ZONE, address=(NAME_SERVER, 53))
        self.hosts = mailhosts.MailHosts(
            rig.net.world,
            folder,
            rig.builddir,
            HOSTS.replace("UNIX", self.unix),
            rig.milter.is_busy,
        )
        self._folder = folder
        self._parts = contextlib.ExitStack()

    def __enter__(self):
        with self._parts:
            self._parts.callback(shutil.rmtree, self._folder, ignore_errors=True)
            for part in (self._name_server, self.hosts):
                self._parts.callback(part.stop)
                part.start()
            self._parts = self._parts.pop_all()
        return self

    def __exit__(self, *_):
        self._parts.close()

    def wake(self):
        """The sleepy one listens from now on."""
        self.hosts.change("{ refuse }", "{ }")

    def config(self, more):
        """What of the milter's configuration is about them."""
        relays = [self._relay(domain, to) for domain, to in RELAYS.items()]
        for action, domains in {"accept": OPEN, "quarantine": HELD}.items():
            more_of_it = f'on_unreachable = "{action}"'
            relays += [self._relay(domain, to, more_of_it) for domain, to in domains.items()]
        return "".join([f'resolvers = {{ "{NAME_SERVER}" }}\n', *relays, more])

    def _relay(self, domain, targets, more=""):
        to = ", ".join(f'"{target}"'.replace("UNIX", self.unix) for target in targets)
        return f'relay "{domain}" {{ to = {{ {to} }} {more} }}\n'

    def asked(self, *addresses):
        """What these were asked since the last reset, once all is quiet."""
        settled = self.hosts.settled()
        return [settled[address] for address in addresses]

    def connections(self):
        """How many connections all of them have got since the last reset."""
        return self.hosts.settled().connections
