# SPDX-License-Identifier: BSD-2-Clause
"""Reads the tables of scenarios, *.hosts; their grammar is in the README."""

import collections
import itertools
import re

NETWORK = "127.8"  # mail hosts live at 127.8.0.1 and so on; the rest of 127/8 may not be called
REASONS = {
    "valid": {"accepted", "mailbox_full"},
    "invalid": {"no_such_user", "disabled", "no_domain", "no_mail_host", "null_mx", "bogus_mx"}
    | {"bad_address"},
    "unknown": {"catch_all", "greylisted", "tempfail", "blocked", "null_sender_refused"}
    | {"rejected", "tls_required", "unreachable", "dns_failure", "protocol_error", "exempt"},
}
STAGES = {"dns", "connect", "banner", "ehlo", "starttls", "mail", "rcpt", "rset", "data"}
FACTS = {"catch_all": {"yes", "no"}, "null_sender_refused": {"yes"}, "dead": None}

Verdict = collections.namedtuple("Verdict", "verdict reason details")


class TableError(Exception):
    """A table that is written wrong."""


class Scenario:
    """One scenario: what its DNS and mail hosts do, what is asked, and what must come out."""

    def __init__(self, name, title):
        self.name = name
        self.title = title
        self.domain = f"{name}.example"
        self.hosts = []  # lists of directives
        self.ips = []
        self.dns = []
        self.asked = []
        self.settings = {}
        self.verdicts = []
        self.facts = self.calls = self.rcpts = self.seconds = None

    @property
    def needs_ipv6(self):
        return "::1" in self.ips

    def zone(self):
        """Its lines of the zone: if none are given, an MX and an address for each mail host."""
        lines = self.dns
        if not lines:
            for number, ip in enumerate(self.ips, 1):
                kind = "AAAA" if ":" in ip else "A"
                lines = lines + [f"@ MX {number}0 mx{number}", f"mx{number} {kind} {ip}"]
        return "\n".join([f"$ORIGIN {self.domain}."] + [self.fill(line) for line in lines]) + "\n"

    def blocks(self):
        """Its blocks of the mail hosts' scenario file."""
        for number, (ip, directives) in enumerate(zip(self.ips, self.hosts), 1):
            body = "\n    ".join(directives)
            yield f"host {ip} mx{number}.{self.domain} {{\n    {body}\n}}\n"

    def fill(self, text):
        """{1} is the address of the first mail host, {2} of the second."""
        for number, ip in enumerate(self.ips, 1):
            text = text.replace(f"{{{number}}}", ip)
        return text

    def questions(self):
        return [self.fill(address) for address in self.asked]


def _verdict(text):
    verdict, reason, *details = text.split()
    if reason not in REASONS.get(verdict, ()):
        raise TableError(f"{verdict} {reason}: there is no such verdict")
    for word in details:
        if not (
            word in STAGES | {"fallback", "clear", "cached"}
            or re.fullmatch(r"\d{3}|\d\.\d+\.\d+|mx\d+|TLSv1[.\d]*|wait=\d+|rule=\w+", word)
        ):
            raise TableError(f"{word}: not a detail of a verdict")
    return Verdict(verdict, reason, details)


def _facts(text):
    facts = dict.fromkeys(FACTS)
    for fact in text.split(",") if text.strip() != "nothing" else []:
        name, value = fact.split()
        if name not in FACTS or (FACTS[name] and value not in FACTS[name]):
            raise TableError(f"{fact}: there is no such fact")
        facts[name] = value
    return facts


def _counts(text, word):
    found = re.fullmatch(word + r" (-|\d+(\+\d+)*)", text.strip())
    if not found:
        raise TableError(f"{text}: {word} N+N... is wanted")
    return None if found[1] == "-" else [int(count) for count in found[1].split("+")]


def _expect(scenario, text):
    parts = text.split(";")
    if len(parts) != 5:
        raise TableError("verdicts; facts; calls; rcpts; seconds are wanted")
    for part in parts[0].split(" + "):
        verdict, _, times = part.partition(" times ")
        scenario.verdicts += [_verdict(verdict)] * int(times or 1)
    scenario.facts = _facts(parts[1])
    scenario.calls = _counts(parts[2], "calls")
    scenario.rcpts = _counts(parts[3], "rcpts")
    scenario.seconds = int(re.fullmatch(r"(\d+) s", parts[4].strip())[1])


class Reader:
    """Reads tables one after the other and gives each mail host an address."""

    def __init__(self):
        self.scenarios = []
        self._numbers = itertools.count(1)

    def read(self, path):
        scenario = None
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            try:
                scenario = self._line(scenario, line)
            except (TableError, ValueError, TypeError) as error:
                raise TableError(f"{path.name}:{number}: {error}") from error
        self._end(scenario, path)

    def _line(self, scenario, line):
        if not line.strip() or line.startswith("#"):
            return scenario
        if not line[0].isspace():
            self._end(scenario, line)
            name, _, title = line.partition(":")
            self.scenarios.append(Scenario(name, title.strip()))
            return self.scenarios[-1]
        word, _, rest = line.strip().partition(" ")
        rest = rest.strip()
        if word == "mx":
            self._host(scenario, rest)
        elif word == "dns":
            scenario.dns.append(rest)
        elif word == "domain":
            scenario.domain = rest
        elif word == "?":
            scenario.asked.append(rest if "@" in rest else f"{rest}@{scenario.domain}")
        elif word == "??":
            octets = rest.encode("latin-1", "backslashreplace")
            scenario.asked.append(octets.decode("unicode_escape"))
        elif word == "!":
            name, _, value = rest.partition("=")
            scenario.settings[name.strip()] = value.strip()
        elif word == "=":
            _expect(scenario, rest)
        else:
            if not scenario.hosts:
                self._host(scenario, "")
            scenario.hosts[-1].append(line.strip())
        return scenario

    def _host(self, scenario, where):
        if where not in ("", "v6"):
            raise TableError(f"mx {where}: nothing, or v6, is wanted")
        number = next(self._numbers)
        scenario.hosts.append([])
        scenario.ips.append("::1" if where else f"{NETWORK}.{number // 250}.{number % 250 + 1}")

    def _end(self, scenario, where):
        """What is not said: one mail host that does as host *, asked for alice."""
        if scenario is None:
            return
        if not scenario.hosts and not scenario.dns:
            self._host(scenario, "")
        scenario.asked = scenario.asked or [f"alice@{scenario.domain}"]
        if len(scenario.verdicts) != len(scenario.asked):
            raise TableError(f"{where}: {scenario.name}: as many verdicts as questions are wanted")
        for counts in (scenario.calls, scenario.rcpts):
            if counts is not None and len(counts) != len(scenario.hosts):
                raise TableError(f"{where}: {scenario.name}: one count for each mail host")
