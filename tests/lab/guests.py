# SPDX-License-Identifier: BSD-2-Clause
"""Who is there for check_guest alone: domains, mail hosts, and a name server with bad days.

The mail hosts are at 192.0.2.64 to 192.0.2.99, beyond those of world.py, and some are at addresses
that no mail can go to, on the MTA's own machine, where a daemon that called them would find them.
"""

import contextlib
import pathlib
import re
import struct
import tempfile
import threading

import dns
import mailhosts
import net

NAME_SERVER = "192.0.2.54"  # knows the zone below
RESOLVER = "192.0.2.55"  # asks it, on good days
ALLOWED = "192.0.2.64/26"
MTA6 = "2001:db8:51::10"
SHARED_COUNT = 10  # domains shared0.example to shared9.example, all on one mail host

FORGED, HONEST, SHIELDED, PARTNER, LISTS = (f"192.0.2.{n}" for n in range(64, 69))
SHARED, BUSY, UNWELCOME, SPF, SPF_STRICT = (f"192.0.2.{n}" for n in range(69, 74))
DOCUMENTED = "192.0.2.1"  # of a network for documentation, and not in ALLOWED

# What a domain that is not to be called names as its mail host's address, and what it is called.
BOGUS = {
    "private": "10.0.0.1",
    "loopback": "127.0.0.1",  # where Postfix listens
    "loopback-2": "127.0.0.2",
    "loopback6": "::1",
    "link-local": "169.254.1.1",
    "link-local6": "fe80::1",
    "multicast": "224.0.0.1",
    "unspecified": "0.0.0.0",
    "documented": DOCUMENTED,
    "nat64": "64:ff9b::7f00:1",
    "mapped": "::ffff:10.0.0.1",
    "6to4": "2002:7f00:1::1",
}
OWN = {"own": net.MTA, "own6": MTA6, "own-mapped": f"::ffff:{net.MTA}"}
WITHIN = ["10.0.0.1", "127.0.0.2", "::1", "64:ff9b::7f00:1"]  # of BOGUS: somebody listens there

# SPF records. Clients may send for strict.example from 203.0.113.80.
SPF_FAILS = {
    "strict": "v=spf1 ip4:203.0.113.80 -all",
    "redirect": "v=spf1 redirect=strict.example",
}
SPF_NEVER_FAILS = {
    "include": "v=spf1 include:strict.example ?all",
    "soft": "v=spf1 ip4:203.0.113.80 ~all",
    "redirect-gone": "v=spf1 redirect=no-such.example",
    "include-gone": "v=spf1 include:no-such.example -all",
    "circle": "v=spf1 include:circle.example -all",
    "bomb": "v=spf1 " + " ".join(f"include:b{n}.bomb.example" for n in range(11)) + " -all",
    "nonsense": "v=spf1 ip4:203.0.113.256 -all",
    "servfail-far": "v=spf1 include:x.servfail.example -all",
    "silent-far": "v=spf1 include:x.silent.example -all",
    "silent-near": "v=spf1 -all",  # never told: the name server keeps it to itself
    "garbled-near": "v=spf1 -all",  # told in noise
}
SPF_UNHEARD = {"silent-far", "silent-near", "garbled-near"}

ZONE = """
$ORIGIN example.
$TTL 300
.               SOA   ns hostmaster 1 3600 600 86400 60
.               NS    ns
ns              A     192.0.2.54
"""


def _lives_at(name, address):
    kind = "AAAA" if ":" in address else "A"
    return f"{name:<15} MX    10 mx.{name}\nmx.{name:<12} {kind:<5} {address}\n"


HOMES = {
    "forged": FORGED,
    "honest": HONEST,
    "shielded": SHIELDED,
    "partner": PARTNER,
    "lists": LISTS,
    "busy": BUSY,
    "busy-too": BUSY,
    "unwelcome": UNWELCOME,
    "strict": SPF_STRICT,
    "redirect": SPF_STRICT,
    **{f"shared{n}": SHARED for n in range(SHARED_COUNT)},
    **{name: SPF for name in SPF_NEVER_FAILS},
    **BOGUS,
    **OWN,
}
ZONE += "".join(_lives_at(name, address) for name, address in HOMES.items())
ZONE += "".join(
    f'{name} TXT "{text[:200]}" "{text[200:]}"\n'
    for name, text in {**SPF_FAILS, **SPF_NEVER_FAILS}.items()
)
ZONE += "".join(f'b{n}.bomb TXT "v=spf1 ip4:203.0.113.{n + 90} -all"\n' for n in range(11))

DEFAULTS = """
host * {
    rcpt alice@*          250
    rcpt user-*@*         250
    rcpt prvs=*=user-*@*  250
    rcpt news+*=*@*       250
    rcpt *                550 "5.1.1 no such user"
}
"""
HOSTS = f"""{DEFAULTS}
host {FORGED} mx.forged.example         {{ step 5ms }}
host {HONEST} mx.honest.example         {{ step 5ms }}
host {SHIELDED} mx.shielded.example     {{ }}
host {PARTNER} mx.partner.example       {{ }}
host {LISTS} mx.lists.example           {{ }}
host {SHARED} mx.shared.example         {{ step 40ms }}
host {BUSY} mx.busy.example             {{ banner 421 "4.3.2 too busy" then close }}
host {UNWELCOME} mx.unwelcome.example   {{
    banner 554 "5.7.1 198.51.100.10 has a poor reputation" then close
}}
host {SPF} mx.spf.example               {{ }}
host {SPF_STRICT} mx.strict.example     {{ }}
host {DOCUMENTED} mx.documented.example {{ }}
"""
HOSTS_WITHIN = DEFAULTS + "".join(f"host {address} mx.within.example {{ }}\n" for address in WITHIN)


class Resolver:
    """Passes questions on to the name server, but for those about names with something wrong.

    Those about `silent` names get no answer, where it is TXT that is asked for; `garbled` ones get
    noise.
    """

    TXT = b"\0\x10\0\x01"  # type and class, at the end of a name

    def __init__(self, namespace):
        self._upstream = namespace.socket(kind=net.socket.SOCK_DGRAM)
        self._upstream.settimeout(2)
        self._upstream.connect((NAME_SERVER, 53))
        self._socket = namespace.socket(kind=net.socket.SOCK_DGRAM)
        self._socket.settimeout(0.1)
        self._socket.bind((RESOLVER, 53))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self.questions = 0

    def start(self):
        self._thread.start()

    def stop(self):
        self._stop.set()
        self._thread.join()
        self._socket.close()
        self._upstream.close()

    def _serve(self):
        while not self._stop.is_set():
            with contextlib.suppress(OSError):
                question, caller = self._socket.recvfrom(4096)
                self.questions += 1
                answer = self._answer(question)
                if answer:
                    self._socket.sendto(answer, caller)

    def _answer(self, question):
        about_txt = self.TXT in question[12:]
        if about_txt and re.search(rb"silent", question, re.IGNORECASE):
            return None
        if about_txt and re.search(rb"garbled", question, re.IGNORECASE):
            return question[:2] + struct.pack(">5H", 0x8580, 1, 9, 9, 9) + b"\xc0\x0c" * 40
        self._upstream.send(question)
        while True:
            answer = self._upstream.recv(4096)
            if answer[:2] == question[:2]:  # not a late one, to an earlier question
                return answer


class Guests:
    """All of them. Use as `with Guests(rig) as guests:`."""

    def __init__(self, rig):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="guests-", dir=rig.folder))
        folder.chmod(0o755)
        (folder / "within").mkdir()
        world, mta = rig.net.world, rig.net.mta
        self._mta = mta
        self._name_server = dns.Dns(
            world, folder, ZONE, ["servfail.example"], address=(NAME_SERVER, 53)
        )
        self.hosts = mailhosts.MailHosts(world, folder, rig.builddir, HOSTS, rig.milter.is_busy)
        self.within = mailhosts.MailHosts(mta, folder / "within", rig.builddir, HOSTS_WITHIN)
        self.resolver = None
        self._parts = contextlib.ExitStack()

    def __enter__(self):
        with self._parts:
            self._routes("add")
            self._parts.callback(self._routes, "del")
            for part in (self._name_server, self.hosts, self.within):
                self._parts.callback(part.stop)
                part.start()
            self.resolver = Resolver(self._name_server.namespace)
            self.resolver.start()
            self._parts.callback(self.resolver.stop)
            self._parts = self._parts.pop_all()
        return self

    def __exit__(self, *_):
        self._parts.close()

    def _routes(self, verb):
        """Makes addresses of WITHIN the MTA's without being its own: as netguard sees it."""
        self._mta.run("sh", "-c", "echo 1 >/proc/sys/net/ipv6/ip_nonlocal_bind")
        self._mta.run("ip", "route", verb, "local", "10.0.0.1", "dev", "lo")
        self._mta.run("ip", "-6", "route", verb, "local", "64:ff9b::7f00:1", "dev", "lo")

    def reset(self):
        for hosts in (self.hosts, self.within):
            hosts.reset()

    def asked(self, address):
        """What one host was asked since the last reset, once all is quiet."""
        hosts = self.within if address in WITHIN else self.hosts
        return hosts.settled()[address]

    def connections(self):
        """How many connections all of them have got since the last reset."""
        return sum(hosts.settled().connections for hosts in (self.hosts, self.within))

    def misdeeds(self):
        return {**self.hosts.all_misdeeds(), **self.within.all_misdeeds()}
