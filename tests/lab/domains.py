# SPDX-License-Identifier: BSD-2-Clause
"""Domains of which SPF, MX, A and PTR say one thing each, and the clients that send for them.

All have their mail host at one address; only what DNS says of the client is another. Clients are at
203.0.113.0/24, so that whoever has a host there has all of them next door.
"""

import contextlib
import dataclasses
import pathlib
import tempfile

import dns
import mailhosts

NAME_SERVER = "192.0.2.56"
HOST = "192.0.2.58"
NETWORK = "192.0.2.58/32"

STRANGER, ALLOWED, NAMED, UNCONFIRMED = (f"203.0.113.{n}" for n in (150, 151, 152, 153))
NEIGHBOUR = "203.0.113.200"  # a host of domains that have one there


@dataclasses.dataclass(frozen=True)
class Case:
    """Who sends for which domain; what SPF says of that; who vouches where guesses are made."""

    title: str
    domain: str
    client: str
    spf: str
    guess: str = "nobody"


CASES = [
    Case("pass", "pass.example", ALLOWED, "pass", "spf"),
    Case("fail", "fail.example", STRANGER, "fail"),
    Case("softfail", "softfail.example", STRANGER, "softfail"),
    Case("neutral", "neutral.example", STRANGER, "neutral"),
    Case("none", "none.example", STRANGER, "none"),
    Case("permerror", "permerror.example", STRANGER, "permerror"),
    Case("an MX next door", "mx.example", STRANGER, "none", "mx"),
    Case("an A record next door", "a.example", STRANGER, "none", "mx"),
    Case("an MX next door, neutral", "neutral-mx.example", STRANGER, "neutral"),
    Case("an MX next door, softfail", "softfail-mx.example", STRANGER, "softfail"),
    Case("PTR in the domain", "named.example", NAMED, "none", "ptr"),
    Case("PTR in the domain, neutral", "neutral.named.example", NAMED, "neutral", "ptr"),
    Case("PTR in that of its organisation", "news.named.example", NAMED, "none", "ptr"),
    Case("PTR in the domain, fail", "fail.named.example", NAMED, "fail"),
    Case("PTR unconfirmed", "claimed.example", UNCONFIRMED, "none"),
]

HOSTS_THAT_VOUCH = {  # of the guesses
    "mx.example": "next.example",
    "a.example": "a.example",
    "named.example": "out.named.example",
    "neutral.named.example": "out.named.example",
    "news.named.example": "out.named.example",
}
_SPF = {
    "pass": f"v=spf1 ip4:{ALLOWED} -all",
    "fail": "v=spf1 -all",
    "softfail": "v=spf1 ~all",
    "neutral": "v=spf1 ?all",
    "permerror": "v=spf1 ip4:203.0.113.256 -all",
}


def _reverse(address):
    return ".".join(reversed(address.split("."))) + ".in-addr.arpa."


def _zone():
    yield f"""
$TTL 300
.               SOA   ns.example. hostmaster.example. 1 3600 600 86400 60
.               NS    ns.example.
ns.example.     A     {NAME_SERVER}
host.example.   A     {HOST}
next.example.   A     {NEIGHBOUR}
a.example.      A     {NEIGHBOUR}
out.named.example.   A {NAMED}
{_reverse(NAMED)}       PTR out.named.example.
{_reverse(UNCONFIRMED)} PTR out.claimed.example.
"""
    for case in CASES:
        yield f"{case.domain}. MX 10 host.example.\n"
        if "MX next door" in case.title:
            yield f"{case.domain}. MX 20 next.example.\n"
        if case.spf in _SPF:
            yield f'{case.domain}. TXT "{_SPF[case.spf]}"\n'


HOSTS = f"""
host * {{
    rcpt user-*@*    250
    rcpt *           550 "5.1.1 no such user"
}}
host {HOST} host.example {{ }}
"""


class Domains:
    """All of them. Use as `with Domains(rig) as domains:`."""

    def __init__(self, rig):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="domains-", dir=rig.folder))
        folder.chmod(0o755)
        self._name_server = dns.Dns(
            rig.net.world, folder, "".join(_zone()), address=(NAME_SERVER, 53)
        )
        self.hosts = mailhosts.MailHosts(
            rig.net.world, folder, rig.builddir, HOSTS, rig.milter.is_busy
        )
        self._parts = contextlib.ExitStack()

    def __enter__(self):
        with self._parts:
            for part in (self._name_server, self.hosts):
                self._parts.callback(part.stop)
                part.start()
            self._parts = self._parts.pop_all()
        return self

    def __exit__(self, *_):
        self._parts.close()

    def connections(self):
        """How many the mail host has got since the last reset, once all is quiet."""
        return self.hosts.settled().connections
