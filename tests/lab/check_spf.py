# SPDX-License-Identifier: BSD-2-Clause
"""SPF and the gate: for whom nobody is called, at each position; and `ringback spf`: the public test
suite of RFC 7208, and what it says beside the result.

The suite is not ours: it is read out of Debian's package python3-spf, which debs.py fetches.
"""

import collections
import gzip
import importlib
import os
import pathlib
import subprocess
import sys
import time

import client
import debs
import domains
from scripted_dns import SILENT, ScriptedDns

SUITE = "usr/share/doc/python3-spf/rfc7208-tests.yml.gz"
CASES_MIN = 203  # of the release of 2014.04
PATIENCE_S = 60
# A name server that is silent shall not cost more than it must.
HASTY = {**os.environ, "RES_OPTIONS": "timeout:1 attempts:1"}


POSITIONS = ["no", "fail", "softfail", "vouched"]
KNOWN = "known@local.example"  # a recipient whose policy vouches for whoever sends
ACTIONS = ["on_spf_fail", "on_spf_softfail", "on_not_vouched"]


def run(tap, rig):
    rig.milter.start_fresh(**_settings("no"))
    with domains.Domains(rig) as there:
        begun = time.monotonic()
        for position in POSITIONS:
            _position(tap, rig, there, position)
        _replies(tap, rig, there)
        _recipients(tap, rig, there)
        tap.note(f"the gate: {time.monotonic() - begun:.1f} s")
        misdeeds = there.hosts.all_misdeeds()
        tap.ok(not misdeeds, "the mail host got no message, nor saw SMTP's rules broken", misdeeds)
    if rig.repeats:
        return  # the MTA plays no part
    _tells(tap, rig)
    try:
        scenarios = _suite(rig)
    except debs.CannotHave as reason:
        tap.skip("the public test suite of RFC 7208", reason)
        return
    cases = 0
    for scenario in scenarios:
        zone, silent = _zone(scenario["zonedata"])
        with ScriptedDns(zone, silent) as dns:
            for name, case in scenario["tests"].items():
                _case(tap, rig, dns, f"{scenario['description']}: {name}", case)
                cases += 1
    tap.ok(cases >= CASES_MIN, f"that was the whole suite: {CASES_MIN} cases", cases)


# --- The gate -----------------------------------------------------------------------------------


def _settings(position, action="accept"):
    actions = " ".join(f'{name} = "{action}"' for name in ACTIONS)
    return {
        "idle_timeout": "0s",  # so that each callout is a connection
        "more": f"""
            resolvers = {{ "{domains.NAME_SERVER}" }}
            spf {{ gate = "{position}" }}
            policy "known" {{ match {{ recipient = {{ "{KNOWN}" }} }} vouched = yes }}
            policy "default" {{ {actions} }}
        """,
    }


def _set(rig, *settings):
    """Other settings for the daemon, which goes on."""
    rig.milter.configure(**_settings(*settings))
    status, _, errors = rig.milter.ringback("reload")
    if status != 0:
        raise OSError(f"ringback reload: {errors}")


def _held_back(position, case):
    """Why the gate holds this back there; None: it does not."""
    at = POSITIONS.index(position)
    if case.spf == "fail" and at >= POSITIONS.index("fail"):
        return "spf_fail"
    if case.spf == "softfail" and at >= POSITIONS.index("softfail"):
        return "spf_softfail"
    return "not_vouched" if position == "vouched" and case.guess == "nobody" else None


def _voucher(position, case):
    """Who vouches, as far as that is asked for there."""
    asks = position == "vouched" or (position != "no" and case.spf == "pass")
    return case.guess if asks else "nobody"


def _position(tap, rig, there, position):
    """Each case, to a recipient whose policy does not vouch, and to one whose policy does."""
    _set(rig, position)
    before = rig.milter.status()
    counts = collections.Counter()
    for case in domains.CASES:
        held = _held_back(position, case)
        reason, voucher = held or "accepted", _voucher(position, case)
        text = f"gate = {position}, {case.title}: {reason}, vouched={voucher}"
        _is_treated(tap, rig, there, case, reason, voucher, text, client.RECIPIENT)
        counts[voucher] += 1
        counts[held] += 1
        text = f"gate = {position}, {case.title}, policy vouched: accepted"
        _is_treated(tap, rig, there, case, "accepted", "policy", text, KNOWN)
        counts["policy"] += 1
    after = rig.milter.status()
    for voucher in ("nobody", "spf", "mx", "ptr", "dkim", "policy"):
        seen = after["vouched"][voucher] - before["vouched"][voucher]
        tap.equal(seen, counts[voucher], f"gate = {position}: {voucher} is counted in the status")
    for reason in ("spf_fail", "spf_softfail", "not_vouched"):
        seen = after["callouts"][reason] - before["callouts"][reason]
        tap.equal(seen, counts[reason], f"gate = {position}: {reason} is counted in the status")


def _is_treated(tap, rig, there, case, reason, voucher, text, recipient):
    """A mail gets in, for that reason, and costs a connection where the mail host is asked."""
    sender = f"{client.unique('user')}@{case.domain}"
    there.hosts.reset()
    mail = rig.send(sender, recipient=recipient, source=case.client)
    connections = there.connections()
    logged = rig.milter.decision(sender)
    seen = (logged.get("reason"), logged.get("vouched"))
    calls = 1 if reason == "accepted" else 0
    tap.ok(
        mail.accepted and seen == (reason, voucher) and connections == calls,
        f"{text}, {calls} connections",
        mail,
        logged,
        connections,
    )


def _replies(tap, rig, there):
    wanted = {
        "fail": ("7.23", "fail.example says by SPF that 203.0.113.150 may not send its mail"),
        "softfail": (
            "7.23",
            "softfail.example says by SPF that 203.0.113.150 is probably no server of its own",
        ),
        "none": ("7.1", "nothing shows that 203.0.113.150 sends mail for none.example"),
    }
    for action, code in (("reject", 550), ("tempfail", 450)):
        _set(rig, "vouched", action)
        there.hosts.reset()
        for name, (detail, words) in wanted.items():
            case = next(each for each in domains.CASES if each.title == name)
            sender = f"user-{action}@{case.domain}"
            mail = rig.send(sender, source=case.client)
            said = rig.mta.wording(mail.last.text)
            begins = f"{code // 100}.{detail} <{sender}>: sender address rejected: "
            tap.ok(
                mail.code == code and said.startswith(begins) and f": {words}; " in said,
                f"{action}, {name}: {code} {code // 100}.{detail}, in words",
                mail,
            )
        tap.equal(there.connections(), 0, f"{action}: nobody is called")


def _recipients(tap, rig, there):
    """Of one message, whichever recipient comes first: each has what its policy asks for.

    The sender exists: what does not is known by then, and told whoever the client is.
    """
    _set(rig, "softfail", "reject")
    wanted = {client.RECIPIENT: (550, "5.7.23 "), KNOWN: (250, "2.1.5 ")}
    for order in (list(wanted), list(wanted)[::-1]):
        sender = f"{client.unique('user')}@fail.example"
        there.hosts.reset()
        session = client.Session(rig.net.client, domains.STRANGER)
        session.ehlo()
        session.command(f"MAIL FROM:<{sender}>")
        for recipient in order:
            code, enhanced = wanted[recipient]
            reply = session.command(f"RCPT TO:<{recipient}>")
            tap.ok(
                reply.code == code and rig.mta.wording(reply.text).startswith(enhanced),
                f"first {order[0]}: {recipient} is told {code} {enhanced}",
                reply,
            )
        session.close()
        tap.equal(there.connections(), 1, f"first {order[0]}: the mail host is asked once")
        for reason, voucher in (("spf_fail", "nobody"), ("accepted", "policy")):
            logged = rig.milter.decision(sender, reason=reason)
            tap.equal(logged.get("vouched"), voucher, f"first {order[0]}: {reason} has {voucher}")


# --- The public suite ---------------------------------------------------------------------------


def _suite(rig):
    """Its scenarios. Raises CannotHave."""
    unpacked = debs.unpacked(rig.builddir, rig.folder, debs.SUITE_NAME, debs.SUITE_PACKAGES)
    sys.path.append(str(unpacked / "usr/lib/python3/dist-packages"))
    try:
        yaml = importlib.import_module("yaml")
        with gzip.open(unpacked / SUITE) as suite:
            return list(yaml.safe_load_all(suite))
    except (ImportError, OSError) as error:
        raise debs.CannotHave(str(error)) from error


def _zone(data):
    """The suite's zone as ScriptedDns wants it. Its type SPF, which is no more, stands for TXT."""
    zone, silent = {}, set()
    for owner, entries in data.items():
        name = owner.lower()
        zone[name, "NONE"] = []  # the name exists
        rows = [row for entry in entries if isinstance(entry, dict) for row in entry.items()]
        if "TIMEOUT" in entries:
            silent.add(name)
        has_txt = any(kind == "TXT" for kind, _ in rows)
        for kind, value in rows:
            if kind == "SPF":
                kind = "OLD" if has_txt else "TXT"
            if value == "TIMEOUT":
                zone[name, kind] = SILENT
            elif value != "NONE":
                zone.setdefault((name, kind), []).append(_value(kind, value))
    return zone, silent


def _value(kind, value):
    return [value] if kind == "TXT" and isinstance(value, str) else value


def _case(tap, rig, dns, text, case):
    wanted = case["result"]
    status, words, _ = _spf(rig, dns, case["host"], case["mailfrom"], case["helo"])
    right = [wanted] if isinstance(wanted, str) else wanted
    tap.ok(words[0] in right, f"{text}: {' or '.join(right)}", " ".join(words))
    if status != (75 if words[0] == "temperror" else 0):
        tap.ok(False, f"{text}: exit status", status)


# --- What else it says --------------------------------------------------------------------------

ZONE = {
    ("a.example", "TXT"): [["v=spf1 ip4:192.0.2.0/24 ", "include:b.example -all"]],
    ("b.example", "TXT"): [["v=spf1 a:Mail.b.example/28 ~all"]],
    ("mail.b.example", "A"): ["198.51.100.1"],
    ("soft.example", "TXT"): [["v=spf1 ~all"]],
    ("open.example", "TXT"): [["v=spf1 mx"]],
    ("bad.example", "TXT"): [["v=spf1 ip4:192.0.2.256 -all"]],
    ("deep.example", "TXT"): [["v=spf1 include:bad.example -all"]],
    ("deaf.example", "TXT"): SILENT,
    ("half.example", "TXT"): [["v=spf1 a:deaf.example -all"]],
    ("deaf.example", "A"): SILENT,
    ("none.example", "A"): ["192.0.2.1"],
    ("none.example", "MX"): [[10, "mx.elsewhere.example"]],
    ("mx.elsewhere.example", "A"): ["198.51.100.25"],
    ("shop.example.co.uk", "TXT"): [["v=spf1 ?all"]],
    ("33.113.0.203.in-addr.arpa", "PTR"): ["out.none.example", "out.example.co.uk", "out.other.co.uk"],
    ("out.none.example", "A"): ["203.0.113.33"],
    ("out.example.co.uk", "A"): ["203.0.113.33"],
    ("34.113.0.203.in-addr.arpa", "PTR"): ["out.none.example"],
}
BAD_TERM = 'the record breaks the rules: "ip4:192.0.2.256" in the record of bad.example'
NET_OF_A = '"ip4:192.0.2.0/24" in the record of a.example'
HOST_OF_B = '"a:Mail.b.example/28" in the record of b.example'
DEAF_TERM = 'DNS gives no answer: "a:deaf.example" in the record of half.example'
NO_TERM = "no term in the record of open.example is for it"
NONE = "none.example has no SPF record"
NO_HOST = (
    "nobody: there is no SPF record, it is next to none of the domain's hosts, and it has no confirmed name in "
    "the domain"
)
NO_NAME = "nobody: SPF says neither yes nor no, and it has no confirmed name in the domain"
ERROR = "nobody: SPF ends in an error, and it has no confirmed name in the domain"
DEAF = "nobody: DNS gives no answer"
TOLD = [  # client, sender, what SPF says, why, and who else vouches: all that is said
    ("192.0.2.9", "u@a.example", "pass a.example vouches", NET_OF_A, ""),
    ("198.51.100.9", "u@a.example", "pass a.example vouches", HOST_OF_B, ""),
    ("::ffff:192.0.2.9", "u@a.example", "pass a.example vouches", NET_OF_A, ""),
    ("203.0.113.9", "u@A.example", "fail a.example disowns", '"-all" in the record of a.example', ""),
    (
        "2001:db8::9",
        "<u@soft.example>",
        "softfail nobody",
        '"~all" in the record of soft.example',
        "nobody: by SPF it is probably not the domain's",
    ),
    ("192.0.2.9", "u@open.example", "neutral nobody", NO_TERM, NO_NAME),
    ("203.0.113.9", "u@none.example", "none nobody", NONE, NO_HOST),
    (
        "192.0.2.9",
        "u@none.example",
        "none none.example does not vouch",
        NONE,
        "vouched by mx: it is, or is next to, none.example, a host of none.example",
    ),
    (
        "198.51.100.26",
        "u@none.example",
        "none none.example does not vouch",
        NONE,
        "vouched by mx: it is, or is next to, mx.elsewhere.example, a host of none.example",
    ),
    (
        "203.0.113.33",
        "u@none.example",
        "none none.example does not vouch",
        NONE,
        "vouched by ptr: its name is out.none.example, which leads back to it",
    ),
    ("203.0.113.34", "u@none.example", "none nobody", NONE, NO_HOST),  # its name is another's
    (
        "203.0.113.33",
        "u@shop.example.co.uk",
        "neutral shop.example.co.uk does not vouch",
        '"?all" in the record of shop.example.co.uk',
        "vouched by ptr: its name is out.example.co.uk, which leads back to it",
    ),
    ("203.0.113.33", "u@evil.co.uk", "none nobody", "evil.co.uk has no SPF record", NO_HOST),
    ("192.0.2.9", "u@[192.0.2.9]", "none nobody", "[192.0.2.9] has no SPF record", NO_HOST),
    ("192.0.2.9", "u@bad.example", "permerror nobody", BAD_TERM, ERROR),
    ("192.0.2.9", "u@deep.example", "permerror nobody", BAD_TERM, ERROR),
    ("192.0.2.9", "u@deaf.example", "temperror nobody", "DNS gives no answer: deaf.example", DEAF),
    ("192.0.2.9", "u@half.example", "temperror nobody", DEAF_TERM, DEAF),
    ("192.0.2.9", "", "pass a.example vouches", NET_OF_A, ""),
]
MISTAKES = [  # in usage
    [],
    ["--client", "192.0.2.9"],
    ["--from", "u@a.example"],
    ["--client", "mail.example", "--from", "u@a.example"],
    ["--client", "192.0.2.9", "--from", "<>"],
    ["--client", "192.0.2.9", "--from", "u@a.example", "--to", "u@b.example"],
    ["--client", "192.0.2.9", "--from", "u@a.example", "more"],
]


def _tells(tap, rig):
    with ScriptedDns(ZONE) as dns:
        for client, sender, who, why, others in TOLD:
            status, words, _ = _spf(rig, dns, client, sender, "a.example")
            text = f"spf: {client}, <{sender}>"
            if who.endswith("nobody"):
                who += " vouches"
            whom = client if who.endswith("disowns") else f"for {client}"
            told = f"{who} {whom}: {why} {others}".rstrip()
            tap.equal(" ".join(words), told, f"{text}: {words[0]}, why, and who else vouches")
            tap.equal(status, 75 if words[0] == "temperror" else 0, f"{text}: exit status")
        for arguments in MISTAKES:
            status, words, errors = _run(rig, ["spf", *arguments])
            tap.ok(
                status == 64 and not words and errors,
                f"spf {' '.join(arguments)}: a mistake in usage",
                status,
                errors,
            )
        status, words, _ = _run(rig, ["spf", "--help"])
        tap.ok(status == 0 and words[:3] == ["usage:", "ringback", "spf"], "spf --help", words)


def _spf(rig, dns, client, sender, helo):
    config = pathlib.Path(rig.folder, "spf.conf")
    config.write_text(f'resolvers = {{ "127.0.0.1:{dns.port}" }}\n')
    arguments = ["spf", "-c", str(config), "--client", client, "--helo", helo, f"--from={sender}"]
    return _run(rig, arguments)


def _run(rig, arguments):
    """The exit status, the words on standard output, and what was said on standard error."""
    ended = subprocess.run(
        [rig.milter.tool, *arguments],
        env=HASTY,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        timeout=PATIENCE_S,
        check=False,
    )
    return ended.returncode, ended.stdout.decode().split(), ended.stderr.decode()
