# SPDX-License-Identifier: BSD-2-Clause
"""Those that are compared, each in an internet of its own: same DNS, mail hosts and mail.

The networks, the mail hosts and Postfix are the lab's. What an admin would configure stands here.
"""

import contextlib
import dataclasses
import gzip
import ipaddress
import os
import pathlib
import shutil
import subprocess

import authenticator
import dns
import exim as lab_exim
import mailhosts
import milter
import net
import population
import postfix
import questions
import service
import warp
import zone

HOSTNAME = "mta.lab.example"
SITE = "local.example"
EXIM_USER = "Debian-exim"  # compiled into Debian's Exim
EXIM_UID = 64025  # in the list of users that only the MTA sees; any number that nobody has

REJECT_FAIL = 'on_spf_fail = "reject"'
REJECT_BOTH = f'{REJECT_FAIL} on_spf_softfail = "reject"'


@dataclasses.dataclass(frozen=True)
class Position:
    """What is set of Ringback beside what all have in common."""

    gate: str
    policy: str = ""  # what is in the policy beside the defaults
    dkim: bool = False  # a filter before ours verifies signatures, and may vouch
    knows_forwarders: bool = False  # a policy vouches for them


POSITIONS = {
    "no": Position("no"),
    "fail": Position('"fail"'),
    "fail-reject": Position('"fail"', REJECT_FAIL),
    "softfail": Position('"softfail"'),
    "softfail-reject": Position('"softfail"', REJECT_BOTH),
    "softfail-reject-known": Position('"softfail"', REJECT_BOTH, knows_forwarders=True),
    "vouched": Position('"vouched"'),
    "vouched-reject": Position('"vouched"', REJECT_BOTH),
    "vouched-dkim": Position('"vouched"', dkim=True),
    "vouched-dkim-reject": Position('"vouched"', REJECT_BOTH, dkim=True),
}
RIVALS = ["exim", "postfix"]
NAMES = [*POSITIONS, *RIVALS]

# The defaults, but for the position and what the lab's addresses and folders make necessary.
RINGBACK_CONF = """
listen    = "inet:8894@127.0.0.1"
control   = "{folder}/control.sock"
user      = "nobody"
hostname  = "{hostname}"
resolvers = {{ "192.0.2.53:53" }}
callout {{
    # The networks of the lab are reserved for documentation: never called unless allowed.
    allowed_networks = {{ "192.0.2.0/24", "198.18.0.0/16" }}
}}
cache {{ store = "lmdb:{store}" }}
spf {{ gate = {gate} }}
"""
BEHIND_FILTER = f"""
decide_at = "eom"
trusted_authserv_ids = {{ "{authenticator.AUTHSERV_ID}" }}
"""

# For both: what is accepted is thrown away, and the clock's variables reach the daemons.
POSTFIX_MORE = f"""
virtual_transport = discard
import_environment = MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ LANG=C {' '.join(warp.VARIABLES)}
"""
# Connections are kept for the next probe, as Postfix does by itself.
MASTER_MORE = "scache    unix  - - n - 1   scache\n"

# ADDRESS_VERIFICATION_README. The code's default is 450, with which no sender is ever refused for
# good; the README tells admins to make it 550 once they trust it. All else is as it comes.
VERIFYING_MORE = """
smtpd_recipient_restrictions = reject_unverified_sender
unverified_sender_reject_code = 550
"""

EXIM_CONF = """
exim_path = {program}
primary_hostname = {hostname}
domainlist local_domains = {site}
spool_directory = {folder}/spool
log_file_path = {folder}/%slog
pid_file_path = {folder}/exim.pid
local_interfaces = {address}
daemon_smtp_ports = 25
tls_advertise_hosts =
host_lookup =
rfc1413_query_timeout = 0s
# A slot's mail comes at once.
smtp_accept_max = 0
smtp_connect_backlog = 200
smtp_accept_queue = 0
keep_environment = {variables}
acl_smtp_rcpt = rcpt
acl_smtp_data = data
"""
EXIM_CONF += lab_exim.CALLING_OUT


class MailHosts(mailhosts.MailHosts):
    def log(self):
        """Every transaction of the run, of all hosts."""
        return self._ask("log")


class Ringback(milter.Milter):
    def __init__(self, position, people, *arguments):
        super().__init__(*arguments)
        self._position = position
        self._forwarders = people.forwarders

    def configure(self, path=None, **changes):
        path = path or self.config
        path.write_text(self._text())
        return path

    def _text(self):
        position = self._position
        text = RINGBACK_CONF.format(
            folder=self.folder, store=self.store, hostname=HOSTNAME, gate=position.gate
        )
        if position.dkim:
            text += BEHIND_FILTER
        if position.knows_forwarders:
            known = ", ".join(f'"{address}"' for address in self._forwarders)
            text += f'policy "known" {{ match {{ client = {{ {known} }} }} vouched = yes }}\n'
        if position.policy:
            text += f'policy "default" {{ {position.policy} }}\n'
        return text


class Postfix(postfix.Postfix):
    """The lab's Postfix, which can also keep connections of its own open."""

    def _configure(self):
        super()._configure()
        with open(self.config / "master.cf", "a", encoding="utf-8") as master:
            master.write(MASTER_MORE)


class Exim:
    """Debian's Exim, unpacked but not installed."""

    def __init__(self, namespace, folder, program):
        self.namespace = namespace
        self.folder = pathlib.Path(folder) / "exim"
        self.unpacked = program
        self.program = self.folder / "exim4"
        self.process = None

    def start(self):
        (self.folder / "spool").mkdir(parents=True)
        # It runs itself again as its own user, who may not look into the folder it was unpacked in.
        shutil.copy2(self.unpacked, self.program)
        for path in (self.folder, self.folder / "spool"):
            shutil.chown(path, EXIM_UID, EXIM_UID)
        config = self.folder / "exim.conf"
        config.write_text(
            EXIM_CONF.format(
                program=self.program,
                hostname=HOSTNAME,
                site=SITE,
                folder=self.folder,
                address=net.MTA,
                variables=" : ".join(warp.VARIABLES),
            )
        )
        with open(self.folder / "output", "wb") as output:
            self.process = service.start(
                self.namespace, [str(self.program), "-C", str(config), "-bdf"], output
            )
        if not service.wait_for_banner(self.namespace, net.MTA, self.process):
            raise OSError("Exim does not start:\n" + self.log())

    def stop(self):
        service.end(self.process)
        self.process = None

    def log(self):
        names = ("output", "mainlog", "paniclog")
        paths = [self.folder / name for name in names]
        return "".join(path.read_text(errors="replace") for path in paths if path.exists())


class Contender:
    """One of NAMES, with the internet around it. `with` brings it up and takes it down."""

    def __init__(self, name, people, mails, folder, builddir, exim=None):
        self.name = name
        self.position = POSITIONS.get(name)
        self.milter = None  # of Ringback
        self._mails = mails
        self._people = people
        self._folder = pathlib.Path(folder) / name
        self._builddir = builddir
        self._exim = exim
        self._parts = contextlib.ExitStack()

    def __enter__(self):
        try:
            self._bring_up()
        except BaseException:
            self._parts.close()
            raise
        return self

    def __exit__(self, *_):
        self._parts.close()

    def namespace_of(self, address):
        """Where a client of that address is: mail hosts and their neighbours are in the world."""
        within = ipaddress.ip_address(address) in ipaddress.ip_network("198.18.0.0/16")
        return self.net.world if within else self.net.client

    def decisions(self):
        """What Ringback has decided, each line of its log a dict; of others nothing is known."""
        return self.milter.decisions() if self.milter else []

    def _bring_up(self):
        self._folder.mkdir()
        self.net = net.Net()
        self._parts.callback(self.net.close)
        self._give_addresses()
        self.questions = questions.Questions(self.net.world)
        self._parts.callback(self.questions.close)
        self.clock = warp.Clock(self._folder / "clock")
        world = warp.Warped(self.net.world, self.clock)
        mta = warp.Warped(self.net.mta, self.clock, self._laid_over())
        self.hosts = MailHosts(world, self._folder, self._builddir, self._people.hosts())
        self.parts = [
            dns.Dns(self.net.world, self._folder, zone.text(self._people)),
            self.hosts,
            *self._mta(mta),
        ]
        for part in self.parts:
            self._parts.callback(part.stop)
            part.start()

    def _mta(self, namespace):
        if self.position:
            return self._ringback(namespace)
        if self.name == "exim":
            return [Exim(namespace, self._folder, self._exim)]
        more = POSTFIX_MORE + VERIFYING_MORE
        return [Postfix(namespace, self._folder, milters="", transport="smtp", more=more)]

    def _ringback(self, namespace):
        self.milter = Ringback(
            self.position, self._people, namespace, self._folder, self._builddir
        )
        milters, parts = [postfix.MILTER], [self.milter]
        if self.position.dkim:
            milters.insert(0, authenticator.MILTER)
            parts.append(authenticator.Authenticator(self.net.mta, self._mails))
        asking = Postfix(
            namespace, self._folder, milters=", ".join(milters), more=POSTFIX_MORE
        )
        return [*parts, asking]

    def _give_addresses(self):
        outside = str(population.OUTSIDE)
        self.net.client.run("ip", "route", "add", "local", outside, "dev", "lo")
        self.net.world.run("ip", "route", "add", outside, "via", "198.18.0.2")
        self.net.mta.run("ip", "route", "add", outside, "via", "198.51.100.1")
        for network in population.MAIL_HOSTS:
            self.net.world.run("ip", "route", "add", "local", network, "dev", "lo")

    def _laid_over(self):
        """The MTA's own idea of the resolver, and of who Debian-exim is."""
        etc = self._folder / "etc"
        etc.mkdir()
        (etc / "resolv.conf").write_text(f"nameserver {net.DNS}\n")
        user = f"{EXIM_USER}:x:{EXIM_UID}:{EXIM_UID}::/nonexistent:/usr/sbin/nologin\n"
        (etc / "passwd").write_text(_without(EXIM_USER, "/etc/passwd") + user)
        group = f"{EXIM_USER}:x:{EXIM_UID}:\n"
        (etc / "group").write_text(_without(EXIM_USER, "/etc/group") + group)
        return [(etc / name, f"/etc/{name}") for name in ("resolv.conf", "passwd", "group")]


def _without(name, path):
    lines = pathlib.Path(path).read_text(encoding="utf-8").splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith(name + ":"))


def versions(builddir, exim):
    """What is compared: name -> version."""

    def first_line(*argv):
        return subprocess.check_output(argv, text=True).splitlines()[0]

    return {
        "ringback": first_line(os.path.join(builddir, "ringback-milter"), "-V"),
        "exim": _changelog_version(exim),
        "postfix": first_line("postconf", "-dh", "mail_version"),
    }


def _changelog_version(program):
    """An Exim that is not installed does not start outside; its package says what it is."""
    papers = pathlib.Path(program).parents[1] / "share/doc/exim4-daemon-light"
    with gzip.open(papers / "changelog.Debian.gz", "rt", encoding="utf-8") as changelog:
        return changelog.readline().split(";")[0].strip()
