#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Hostile and odd mail hosts, one line of expectation each.

    tests/scenarios/scenarios.py [--only NAME]... [--times] [--keep]

nsd and the scripted mail hosts (tests/smtpd) play what the tables *.hosts say, on 127.0.0.0/8;
`ringback verify` asks about all addresses at once. Prints TAP: for each scenario the verdicts with
their reasons, the facts learned, connections and RCPTs, and with --times how long it took at most.
Needs nsd, no root; without it all is skipped. RB_BUILDDIR says where the programs were built.
"""

import sys

sys.dont_write_bytecode = True  # the source tree may be read-only, and is no place for it

import collections
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lab"))

import dns
import guard
import mailhosts
import table
from tap import Tap

HOSTNAME = "mx.our.example"
FALLBACK = f"postmaster@{HOSTNAME}"
BROKEN_ZONES = ["servfail.example"]
TIMED = "--times" in sys.argv
PATIENCE_S = 120  # for one `ringback`, which should need 30
DEFAULT_HOST = """
host * {{
    port {port}
    rcpt alice*@* 250 "2.1.5 Ok"
    rcpt * 550 "5.1.1 <%a>: user unknown"
}}
"""
ZONE_TOP = """
$ORIGIN example.
$TTL 300
.   SOA ns hostmaster 1 3600 600 86400 60
.   NS  ns
ns  A   127.0.0.1
"""
CONFIG = """
hostname  = "mx.our.example"
control   = "{folder}/control.sock"
resolvers = {{ "127.0.0.1:{dns_port}" }}
cache {{ store = "lmdb:{folder}/cache-{number}" max_size = "16MB" }}
limits {{ per_domain_sessions = 1 }}
callout {{
    port = {port}
{settings}
}}
"""
SETTINGS = {
    "connect_timeout": '"2s"',
    "command_timeout": '"2s"',
    "total_timeout": '"10s"',
    "max_workers": "400",
    "allowed_networks": '{ "127.8.0.0/16", "::1/128" }',
}


class Here:
    """This machine's own network, in the place of one of the lab's namespaces."""

    def __init__(self):
        self._guard = guard.Guard()
        self.close = self._guard.close

    def popen(self, argv, **options):
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, **options)
        self._guard.add(process.pid)
        return process

    @staticmethod
    def socket(family=socket.AF_INET, kind=socket.SOCK_STREAM):
        return socket.socket(family, kind)


def free_port(kind):
    with socket.socket(socket.AF_INET, kind) as trial:
        trial.bind(("127.0.0.1", 0))
        return trial.getsockname()[1]


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as trial:
            trial.bind(("::1", 0))
            return True
    except OSError:
        return False


def cannot_run(builddir):
    """Why the scenarios cannot be played here, or None."""
    if dns.Dns.missing():
        return "not installed: nsd (apt-get install nsd)"
    for program in ("ringback", "tests/smtpd/smtpd"):
        if not os.access(os.path.join(builddir, program), os.X_OK):
            return f"not built: {builddir}/{program}"
    return None


def chosen():
    """All scenarios of all tables, or those named."""
    reader = table.Reader()
    for path in sorted(HERE.glob("*.hosts")):
        reader.read(path)
    named = [name for flag, name in zip(sys.argv, sys.argv[1:]) if flag == "--only"]
    unknown = set(named) - {scenario.name for scenario in reader.scenarios}
    if unknown:
        sys.exit(f"scenarios.py: --only {' '.join(unknown)}: not in the tables")
    return [scenario for scenario in reader.scenarios if not named or scenario.name in named]


class Run:
    """One `ringback verify` over the scenarios that want the same settings."""

    def __init__(self, play, number, settings, scenarios):
        self.play = play
        self.scenarios = scenarios
        self.config = play.folder / f"conf-{number}"
        lines = [f"    {name} = {value}" for name, value in (SETTINGS | settings).items()]
        self.config.write_text(
            CONFIG.format(
                folder=play.folder,
                number=number,
                dns_port=play.dns_port,
                port=play.port,
                settings="\n".join(lines),
            )
        )
        self.facts = {}
        self.waits = {}

    def start(self):
        questions = [line for scenario in self.scenarios for line in scenario.questions()]
        asked = pathlib.Path(f"{self.config}.asked")
        asked.write_bytes("\n".join([*questions, ""]).encode(errors="surrogateescape"))
        with open(asked, "rb") as stdin:
            self.process = subprocess.Popen(
                [*self._ringback("verify"), "--json", "-"],
                stdin=stdin,
                stdout=open(f"{self.config}.out", "wb"),
                stderr=open(f"{self.config}.err", "wb"),
            )

    def finish(self):
        """Waits; scenario -> its answers."""
        self.process.wait(PATIENCE_S)
        self.errors = pathlib.Path(f"{self.config}.err").read_text(errors="replace")
        answers = [json.loads(line) for line in open(f"{self.config}.out", encoding="utf-8")]
        counted = iter(answers)
        found = {
            scenario: [answer for _, answer in zip(scenario.asked, counted)]
            for scenario in self.scenarios
        }
        self._read_cache()
        return found

    def _read_cache(self):
        argv = [*self._ringback("cache"), "export"]
        export = subprocess.run(argv, capture_output=True, timeout=PATIENCE_S, check=True)
        for line in export.stdout.splitlines():
            entry = json.loads(line)
            if entry["type"] == "domain":
                self.facts[entry["domain"]] = _facts(entry)
            elif entry["type"] == "address":
                self.waits[entry["address"]] = entry["wait_s"]

    def transcript(self, scenario):
        """Asks once more."""
        argv = [*self._ringback("verify"), "--transcript", "--no-cache", "--"]
        argv += [question.replace("\0", " ") for question in scenario.questions()]
        asked = subprocess.run(argv, capture_output=True, timeout=PATIENCE_S, check=False)
        return asked.stdout.decode(errors="replace")

    def _ringback(self, verb):
        program = os.path.join(self.play.builddir, "ringback")
        return [program, verb, "-c", str(self.config)]


def _facts(entry):
    facts = {
        name: entry[name] and entry[name]["state"] for name in ("catch_all", "null_sender_refused")
    }
    dead = entry["dead"] and entry["dead"]["state"] == "yes"
    return facts | {"dead": entry["dead_reason"] if dead else None}


class Play:
    """DNS and mail hosts brought up, all asked, all taken down."""

    def __init__(self, builddir, folder, scenarios):
        self.builddir = os.path.abspath(builddir)
        self.folder = pathlib.Path(folder)
        self.port = free_port(socket.SOCK_STREAM)
        self.dns_port = free_port(socket.SOCK_DGRAM)
        here = Here()
        zone = ZONE_TOP + "".join(scenario.zone() for scenario in scenarios)
        blocks = [block for scenario in scenarios for block in scenario.blocks()]
        self.dns = dns.Dns(here, folder, zone, BROKEN_ZONES, ("127.0.0.1", self.dns_port))
        script = DEFAULT_HOST.format(port=self.port) + "".join(blocks)
        self.hosts = mailhosts.MailHosts(here, folder, self.builddir, script)
        self._here = here
        groups = collections.defaultdict(list)
        for scenario in scenarios:
            groups[tuple(sorted(scenario.settings.items()))].append(scenario)
        self.runs = [
            Run(self, number, dict(settings), group)
            for number, (settings, group) in enumerate(groups.items())
        ]

    def __enter__(self):
        try:
            self.dns.start()
            self.hosts.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def count(self):
        """What the mail hosts saw: counts, and all that they have noted."""
        self.counts = self.hosts.settled()
        self.stats = self.hosts.everything()

    def __exit__(self, *unused):
        self.hosts.stop()
        self.dns.stop()
        self._here.close()


def detail_holds(word, answer, run):
    """Whether a detail of an expected verdict is so: a code, a stage, the mail host..."""
    address = answer["address"]
    if word in table.STAGES:
        return answer["stage"] == word
    if word.isdigit():
        return answer["code"] == int(word)
    if word == "fallback":
        return answer["mail_from"] == FALLBACK
    if word in ("clear", "cached"):
        return not answer["tls"] if word == "clear" else answer["cached"]
    if word.startswith("mx"):
        return (answer["mx"] or "").startswith(word + ".")
    if word.startswith("wait="):
        return run.waits.get(address) == int(word[5:])
    if word.startswith("rule="):
        return answer["rule"] == word[5:]
    return word in (answer["tls"], answer["enhanced"])


def verdict_faults(scenario, answers, run):
    for wanted, answer in zip(scenario.verdicts, answers):
        if (wanted.verdict, wanted.reason) != (answer["verdict"], answer["reason"]):
            yield f"{answer['address']}: not {wanted.verdict} {wanted.reason}"
        for word in wanted.details:
            if not detail_holds(word, answer, run):
                yield f"{answer['address']}: not {word}"
        if TIMED and answer["elapsed_ms"] > scenario.seconds * 1000:
            yield f"{answer['address']}: took {answer['elapsed_ms']} ms"
    if len(answers) != len(scenario.verdicts):
        yield f"{len(answers)} answers"


def count_faults(scenario, play):
    counts = play.counts
    calls = [counts[ip].connections for ip in scenario.ips]
    rcpts = [counts[ip].rcpts for ip in scenario.ips]
    if scenario.calls not in (None, calls):
        yield f"calls {calls}, wanted {scenario.calls}"
    if scenario.rcpts not in (None, rcpts):
        yield f"rcpts {rcpts}, wanted {scenario.rcpts}"


def misdeeds(scenario, play):
    for ip in scenario.ips:
        for name in mailhosts.MISDEEDS:
            if play.stats.get(ip, {}).get(name):
                yield f"{ip}: {name}: {play.stats[ip][name]}"


def show(tap, scenario, answers, run):
    """The answers, and the dialogues of a second try, for whoever looks into a failure."""
    for answer in answers:
        tap.note(json.dumps({key: value for key, value in answer.items() if value is not None}))
    for line in run.transcript(scenario).splitlines()[:100]:
        tap.note("    " + line[:120])


def check(tap, scenario, answers, run, play):
    faults = [
        *verdict_faults(scenario, answers, run),
        *count_faults(scenario, play),
        *misdeeds(scenario, play),
    ]
    facts = run.facts.get(scenario.domain.lower(), dict.fromkeys(table.FACTS))
    if facts != scenario.facts:
        faults.append(f"facts {facts}, wanted {scenario.facts}")
    tap.ok(not faults, f"{scenario.name}: {scenario.title}", *faults)
    if faults:
        show(tap, scenario, answers, run)


def ask_again(tap, play):
    """What was found out is known now, the unknown included."""
    play.hosts.reset()
    for run in play.runs:
        run.start()
    for run in play.runs:
        run.finish()
    called = {ip: counts for ip, counts in play.hosts.settled().items() if counts.connections}
    tap.ok(not called, "all asked again at once: nobody is called", called)


def play_all(tap, play):
    begun = time.monotonic()
    for run in play.runs:
        run.start()
    found = [run.finish() for run in play.runs]
    tap.note(f"asked in {time.monotonic() - begun:.1f} s")
    play.count()
    for run, answers in zip(play.runs, found):
        for scenario in run.scenarios:
            check(tap, scenario, answers[scenario], run, play)
        tap.equal(run.errors, "", f"nothing is said on standard error ({run.config.name})")
    ask_again(tap, play)


def main():
    builddir = os.environ.get("RB_BUILDDIR") or str(HERE.parents[1])
    reason = cannot_run(builddir)
    if reason:
        return Tap.skip_all(reason)
    tap = Tap()
    scenarios = chosen()
    if not has_ipv6():
        for scenario in [scenario for scenario in scenarios if scenario.needs_ipv6]:
            tap.skip(f"{scenario.name}: {scenario.title}", "no IPv6 here")
            scenarios.remove(scenario)
    folder = tempfile.mkdtemp(prefix="ringback-scenarios-")
    os.chmod(folder, 0o755)  # nsd gives up root
    try:
        with Play(builddir, folder, scenarios) as play:
            play_all(tap, play)
    finally:
        if "--keep" in sys.argv:
            tap.note(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
