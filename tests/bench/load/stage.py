# SPDX-License-Identifier: BSD-2-Clause
"""Where the benches play: one internet of the lab's, and sites side by side in it.

A site is a machine with an MTA and, if it has one, a filter, which listens at a unix socket, or by
TCP with --tcp. All sites share DNS and mail hosts; as they play one after the other, each has the
machine to itself.

    with stage.Stage(options, *stage.population(200, 50, "step 50ms")[:2]) as where:
        ours = where.postfix("ringback", "ringback", callout="max_workers = 512")
        print(ours.measure(senders, sessions=1000, at_once=100))
"""

import argparse
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "lab"))

import dns
import etc
import figures
import mailhosts
import milter
import net
import places
import postfix
import processes
import rig

CLIENT = "203.0.113.1"
RCPT = "user@local.example"
FIRST_HOST = 100  # mail hosts of population() are 192.0.2.100 and the following
HOSTS_MAX = 130
LOAD = "tests/bench/load/smtpload"
NOOP = "tests/bench/load/noopmilter"

# The defaults, but for what the lab's addresses and folders make necessary; the log, at the default
# level, goes to a file.
RINGBACK_CONF = """
listen    = "{listen}"
control   = "{folder}/control.sock"
user      = "nobody"
hostname  = "{hostname}"
resolvers = {{ "192.0.2.53:53" }}
callout {{
    # The networks of the lab are reserved for documentation: never called unless allowed.
    allowed_networks = {{ "192.0.2.0/24" }}
    {callout}
}}
cache {{
    store = "lmdb:{store}"
    {cache}
}}
{more}
"""

# Ringback's limits, out of the way.
NO_LIMITS = """
limits {
    per_domain_rate = "1000000/s"
    per_client_rate = "1000000/s"
    global_rate = "1000000/s"
    shield_addresses = 0
}
"""

# What is accepted is thrown away; there are as many processes as clients need.
POSTFIX_MORE = """
virtual_transport = discard
default_process_limit = 1000
"""


def population(domains, hosts, settings="", local_parts="*"):
    """Domains on mail hosts that take everybody in local_parts: (zone, hosts, names of domains).

    `settings`: what else each host does, as in tests/smtpd/README.
    """
    assert 0 < hosts <= HOSTS_MAX
    names = [f"d{number}.example" for number in range(domains)]
    zone = [
        "$ORIGIN example.",
        "$TTL 3600",
        ". SOA ns hostmaster 1 3600 600 86400 60",
        ". NS ns",
        "ns A 192.0.2.53",
        "mta.lab A 198.51.100.10",
    ]
    zone += [f"mx{number} A 192.0.2.{FIRST_HOST + number}" for number in range(hosts)]
    zone += [f"d{number} MX 10 mx{number % hosts}" for number in range(domains)]
    last = FIRST_HOST + hosts - 1
    blocks = [
        f'host * {{\n    rcpt {local_parts}@* 250\n    rcpt * 550 "5.1.1 no such user"\n}}',
        f"host 192.0.2.{FIRST_HOST}-192.0.2.{last} mx.example {{ {settings} }}",
    ]
    return "\n".join(zone) + "\n", "\n".join(blocks) + "\n", names


class Ringback(milter.Milter):
    """Keyword arguments of start(): callout, cache: lines of these blocks; more: lines behind."""

    name = "ringback"

    def configure(self, path=None, callout="", cache="", more="", hostname=postfix.HOSTNAME):
        path = path or self.config
        path.write_text(
            RINGBACK_CONF.format(
                listen=self.place.listen,
                folder=self.folder,
                store=self.store,
                hostname=hostname,
                callout=callout,
                cache=cache,
                more=more,
            )
        )
        return path


class Noop(milter.Milter):
    """A libmilter filter that negotiates what Ringback negotiates, and does nothing."""

    name = "noop"

    def __init__(self, namespace, folder, builddir, place):
        super().__init__(namespace, folder, builddir, place)
        self.daemon = os.path.join(builddir, NOOP)

    def start(self, **_):
        with open(self.log_path, "ab") as log:
            self.process = self.namespace.popen(
                [self.daemon, self.place.listen], stdout=log, stderr=log
            )
        self._wait_until_listening()


FILTERS = {"ringback": Ringback, "noop": Noop}


class Site:
    """A machine with an MTA (`mta`) and perhaps a filter (`filter`); both may be set by others."""

    def __init__(self, where, name, number):
        self.name = name
        self.where = where
        self.address = f"198.18.{number}.2"
        self.folder = pathlib.Path(where.folder) / name
        self.folder.mkdir()
        self.folder.chmod(0o755)
        own_etc = etc.make(self.folder / "etc", postfix.HOSTNAME, self.address)
        self.machine = where.net.add_machine(name, self.address, own_etc)
        self.mta = None
        self.filter = None

    def close(self):
        if self.mta:
            self.mta.stop()
        if self.filter and self.filter.alive():
            self.filter.kill()
        self.machine.close()

    def cpu(self):
        """Processor time so far, in seconds: {"mta", "filter"}."""
        return {
            "mta": processes.tree_cpu_s(self.mta.process.pid) if self.mta else 0.0,
            "filter": processes.cpu_s(self.filter.pid) if self.filter else 0.0,
        }

    def measure(self, senders, sessions, **how):
        """Sends load and returns what came of it, flat; `how`: see Stage.start_load.

        CPU times are milliseconds a transaction, of the MTA, the filter, and both.
        """
        before = self.cpu()
        found = self.where.load(self, senders, sessions, **how)
        after = self.cpu()
        count = sessions * how.get("per_session", 1)
        flat = flatten(found)
        for part, spent in after.items():
            flat[f"{part}_cpu_ms"] = (spent - before[part]) * 1000 / count
        flat["cpu_ms"] = flat["mta_cpu_ms"] + flat["filter_cpu_ms"]
        if self.filter:
            flat["filter_peak_kib"] = processes.memory(self.filter.pid)["peak_kib"]
        return flat


def flatten(found):
    """{"a": {"b": 1}} as {"a_b": 1}."""
    flat = {}
    for key, value in found.items():
        if isinstance(value, dict):
            flat.update({f"{key}_{name}": inner for name, inner in value.items()})
        else:
            flat[key] = value
    return flat


class Stage:
    """Networks, DNS, mail hosts and sites; `with` brings them up and takes all of it down."""

    def __init__(self, options, zone, hosts):
        self.builddir = options.builddir
        self._keep = options.keep
        self._tcp = options.tcp
        self._zone, self._scenario = zone, hosts
        self._parts = contextlib.ExitStack()
        self._sites = 0

    def __enter__(self):
        try:
            self._bring_up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self._parts.close()

    def _bring_up(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ringback-bench-"))
        self.folder.chmod(0o755)
        self._parts.callback(self._clean)
        self.net = net.Net()
        self._parts.callback(self.net.close)
        self.net.client.run("ip", "route", "add", "198.18.0.0/16", "via", "198.18.0.1")
        ports = "echo 1024 65535 >/proc/sys/net/ipv4/ip_local_port_range"
        self.net.client.run("sh", "-c", ports)
        self.dns = dns.Dns(self.net.world, self.folder, self._zone)
        self.hosts = mailhosts.MailHosts(
            self.net.world, self.folder, self.builddir, self._scenario
        )
        for part in (self.dns, self.hosts):
            self._parts.callback(part.stop)
            part.start()

    def _clean(self):
        if self._keep:
            print(f"kept: {self.folder}", file=sys.stderr)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    def site(self, name):
        """One more machine, still without an MTA. Closed with the stage."""
        self._sites += 1
        site = Site(self, name, self._sites)
        self._parts.callback(site.close)
        return site

    def postfix(self, name, filter_name=None, main_cf="", **settings):
        """A site with Postfix and the filter named, if any; both run when this returns.

        `main_cf`: further lines of it; `settings` go to the filter's start().
        """
        assert filter_name or not settings, settings
        site = self.site(name)
        if filter_name:
            place = self._place(site)
            site.filter = FILTERS[filter_name](site.machine, site.folder, self.builddir, place)
            site.filter.start(**settings)
        site.mta = postfix.Postfix(
            site.machine,
            site.folder,
            address=site.address,
            milters=site.filter.place.main_cf if site.filter else "",
            transport="smtp",
            more=POSTFIX_MORE + main_cf,
        )
        site.mta.start()
        return site

    def _place(self, site):
        """Where the filter of a site listens."""
        return places.Inet() if self._tcp else places.Unix(site.folder / "socket")

    def write_senders(self, name, senders):
        """A file of senders for load(), one a line: its path."""
        path = self.folder / f"{name}.senders"
        path.write_text("".join(f"{sender}\n" for sender in senders), encoding="utf-8")
        return path

    def start_load(
        self,
        site,
        senders,
        sessions,
        at_once=50,
        rcpt=RCPT,
        source=CLIENT,
        hurry=False,
        data=0,
        per_session=1,
        limit_s=60,
    ):
        """Starts smtpload: the process, for end_load. `senders`: a file of write_senders."""
        argv = [os.path.join(self.builddir, LOAD), "--to", f"{site.address}:25"]
        argv += ["--sessions", str(sessions), "--at-once", str(at_once)]
        argv += ["--senders", str(senders), "--rcpt", rcpt, "--source", source]
        argv += ["--per-session", str(per_session), "--limit", str(limit_s)]
        argv += ["--data", str(data)] if data else []
        argv += ["--hurry"] if hurry else []
        return self.net.client.popen(argv, stdout=subprocess.PIPE, text=True)

    def end_load(self, process):
        """Waits until it is done; what it printed."""
        output, _ = process.communicate(timeout=600)
        if process.returncode != 0:
            raise OSError(f"smtpload ended with {process.returncode}: {output}")
        return json.loads(output)

    def load(self, site, senders, sessions, **how):
        return self.end_load(self.start_load(site, senders, sessions, **how))


def arguments(about, rounds=figures.ROUNDS):
    """What every bench understands; it may add its own."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--builddir", default=rig.build_dir())
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--keep", action="store_true", help="leave logs and caches behind")
    parser.add_argument("--tcp", action="store_true", help="filters by TCP, not by unix sockets")
    return parser


def cannot_run(builddir):
    """Why no bench can run here, or None."""
    reason = rig.cannot_run(builddir)
    if reason:
        return reason
    for program in (LOAD, NOOP):
        if not os.access(os.path.join(builddir, program), os.X_OK):
            return f"not built: {builddir}/{program} (make check TESTS=)"
    return None


def _leave(number, _frame):
    sys.exit(128 + number)


def main(play, parser):
    """A bench's main: play(options) returns a figures.Report. Returns the exit status."""
    options = parser.parse_args()
    options.builddir = os.path.abspath(options.builddir)
    reason = cannot_run(options.builddir)
    if reason:
        print(f"{parser.prog}: {reason}", file=sys.stderr)
        return figures.CANNOT
    for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(name, _leave)
    report = play(options)
    place = places.Inet if options.tcp else places.Unix
    report.about = {"socket": place.kind, **report.about}
    return report.finish(options.json)
