# SPDX-License-Identifier: BSD-2-Clause
"""`ringback explain`: what it says is what a mail then gets, and nothing shows that it was said.

It asks the running daemon, so that its limits, its shield and its configuration count; where none
runs it does with the file. Only where a mail of now would have its sender's host called is it
called.
"""

import hashlib
import re

import check_verdicts
import client
import domains
import waiting

STRANGER = "203.0.113.1"
HOST = "192.0.2.10"  # of real.example
FORGED = "nobody@real.example"
SHIELD_ADDRESSES = 5
ADMIN_VERBS = [
    ["status"],
    ["config"],
    ["cache", "get", FORGED],
    ["cache", "get", "--json", "real.example"],
    ["cache", "list", "--kind", "all"],
    ["cache", "list", "--domain", "real.example", "--json"],
    ["cache", "export"],
    ["cache", "stats"],
]


def run(tap, rig):
    rig.milter.start_fresh()
    _as_a_mail(tap, rig)
    _limits(tap, rig)
    _recipients(tap, rig)
    _vouchers(tap, rig)
    if not rig.repeats:
        _held_back(tap, rig)
        _configurations(tap, rig)
        _without_a_daemon(tap, rig)
        _no_trace(tap, rig)


def explain(rig, sender, *more, recipient=client.RECIPIENT, source=STRANGER):
    """What it says of a mail: a dict of its lines' first words, the last of each, and its status."""
    status, output, errors = rig.milter.ringback(
        "explain", "--client", source, "--helo", "client.lab.example", "--from", sender,
        "--to", recipient, *more,
    )
    lines = dict(re.findall(r"^(\w[\w ]{10}) (.*)$", output, re.MULTILINE))
    return {key.strip(): text for key, text in lines.items()} | {"status": status}, output + errors


def known(rig):
    """All that the cache holds, but for what changes by itself."""
    records = rig.milter.ringback_json_lines("cache", "export")
    ages = {"age_s", "expires_s", "held_s", "left_s"}
    return [{key: record[key] for key in record if key not in ages} for record in records]


def verdict(case):
    return f"{case.verdict}, reason {case.reason}"


def _as_a_mail(tap, rig):
    """Each sender of check_verdicts: while nothing is known, what the mail gets, and behind it."""
    said = {case: _explain_unknown(tap, rig, case) for case in check_verdicts.cases()}
    for case, (words, output) in said.items():
        mail = rig.send(case.sender)
        tap.ok(
            check_verdicts.told(mail) == case.told
            and (mail.accepted or _is_told(mail, words["reply"])),
            f"a mail of {case.sender} gets what was said",
            mail,
            output,
        )
    rig.hosts.reset()
    for case in said:
        if case.verdict == "unknown":
            continue
        words, output = explain(rig, case.sender)
        tap.ok(
            words.get("verdict") == verdict(case) and "the cache" in words.get("from", ""),
            f"explain {case.sender}: from the cache, once it is known",
            output,
        )
    tap.equal(rig.hosts.settled().connections, 0, "for which no mail host is called")


def _is_told(mail, reply):
    """Whether the client was told so; Sendmail puts the recipient before the text."""
    code, enhanced, text = reply.split(" ", 2)
    return mail.last.line.startswith(f"{code} {enhanced} ") and mail.last.line.endswith(text)


def _explain_unknown(tap, rig, case):
    rig.hosts.reset()
    said, output = explain(rig, case.sender)
    asked = rig.asked(case.host)
    action = "reject" if case.told == check_verdicts.REJECT else "accept"
    tap.ok(
        said["status"] == 0
        and said.get("verdict") == verdict(case)
        and said.get("action") == action
        and said.get("daemon", "").startswith(f"pid {rig.milter.pid}"),
        f"explain {case.sender}: {verdict(case)}, {action}",
        output,
    )
    tap.equal(asked.connections, case.connections, "its mail host is called as for a mail", asked)
    tap.equal(known(rig), [], "and nothing of it is kept")
    return said, output


def _limits(tap, rig):
    rig.milter.start_fresh(more=f"limits {{ shield_addresses = {SHIELD_ADDRESSES} }}\n")
    for n in range(SHIELD_ADDRESSES):
        rig.send(f"forged{n}@real.example")
    rig.hosts.reset()
    mail = rig.send("forged-more@real.example")
    logged = rig.milter.decisions()[-1]
    said, output = explain(rig, "forged-other@real.example")
    tap.ok(
        mail.accepted
        and (logged["reason"], logged["rule"]) == ("limited", "shield")
        and (said.get("verdict"), said.get("because"), said.get("action"))
        == ("unknown, reason limited", "rule shield", "accept"),
        "behind a shield: explain says what the daemon does",
        logged,
        output,
    )
    tap.equal(rig.asked(HOST).connections, 0, "and calls no host that the shield keeps us from")
    tap.equal(rig.milter.cached("forged-other@real.example"), None, "and keeps nothing")

    rig.milter.start_fresh(more='limits { global_rate = "1/h" }\n')
    rig.hosts.reset()
    for n in range(3):
        said, output = explain(rig, f"forged{n}@real.example")
        tap.equal(said.get("verdict"), "invalid, reason no_such_user", "explain uses up no rate")
    rig.send("forged0@real.example")
    asked = rig.asked(HOST).connections
    said, output = explain(rig, "forged9@real.example")
    tap.ok(
        (said.get("verdict"), said.get("because"))
        == ("unknown, reason limited", "rule global_rate"),
        "a rate that is used up: explain says so",
        output,
    )
    tap.equal(rig.asked(HOST).connections, asked, "and calls nobody")


def _recipients(tap, rig):
    """A recipient is asked about at its relay, and no client is counted as one who guesses."""
    more = (
        'policy "r" { verify = "recipient" }\n'
        'limits { per_client_bad_rcpt = "2/h" }\n'
        f'relay "local.example" {{ to = {{ "{HOST}:25" }} }}\n'
    )
    rig.milter.start_fresh(more=more)
    before = known(rig)
    for n in range(4):
        said, output = explain(rig, "alice@real.example", recipient=f"typo{n}@local.example")
        tap.ok(
            said.get("verdict") == "invalid, reason no_such_user"
            and said.get("reply", "").startswith(f"550 5.1.1 <typo{n}@local.example>"),
            "a recipient who does not exist, asked about again and again: explain says so",
            output,
        )
    tap.equal(known(rig), before, "and nothing of it is kept")
    said, output = explain(rig, "alice@real.example", recipient="user-x@local.example")
    tap.equal(said.get("action"), "accept", "one who exists: explain says so", output)


def _vouchers(tap, rig):
    """Who vouches for a client, by what, or why nobody does; and what would open the gate."""
    resolvers = f'resolvers = {{ "{domains.NAME_SERVER}" }}'
    rig.milter.start_fresh(more=f'{resolvers} spf {{ gate = "vouched" }}\n')
    with domains.Domains(rig) as there:
        for case in domains.CASES:
            said, output = explain(rig, f"user-1@{case.domain}", source=case.client)
            gate = "closed" if case.guess == "nobody" else "open"
            host = domains.HOSTS_THAT_VOUCH.get(case.domain, "")
            tap.ok(
                said.get("spf", "").startswith(f"{case.spf}: ")
                and said.get("vouched", "").startswith(f"{case.guess}: ")
                and host in said["vouched"]
                and said.get("gate") == f'{gate} at "vouched"'
                and ("could name it" in output) == (gate == "closed"),
                f"explain {case.title}: {case.guess}",
                output,
            )
        there.hosts.reset()
        said, output = explain(rig, "user-1@news.named.example", source=domains.UNCONFIRMED)
        tap.ok(
            said.get("verdict") == "unknown, reason not_vouched"
            and "in named.example that leads back to it" in output
            and f"dig -x {domains.UNCONFIRMED}" in output,
            "explain: in which domain a name of the client would have to be",
            output,
        )
        tap.equal(there.connections(), 0, "for which nobody is called")


def _held_back(tap, rig):
    """The breaker is in the cache, and holds for explain too."""
    rig.milter.start_fresh(more="limits { breaker_failures = 2 }\n")
    for n in range(2):
        rig.send(f"user-{n}@blocks-early.example")
    held = waiting.until(lambda: rig.milter.ringback_json("cache", "list", "--kind", "host"))
    rig.hosts.reset()
    said, output = explain(rig, "user-9@blocks-early.example")
    tap.ok(
        said.get("verdict") == "unknown, reason limited"
        and said.get("because") == "rule hosts_held_back",
        "a mail host that is held back: explain says so",
        held,
        output,
    )
    tap.equal(rig.asked("192.0.2.23").connections, 0, "and does not call it")


def _configurations(tap, rig):
    """The daemon's own configuration counts, but for a file that is named and not its own."""
    rig.milter.start_fresh()
    rig.milter.configure(more='policy "new" { on_invalid = "tag" }\n')
    said, output = explain(rig, FORGED)
    tap.ok(
        said.get("action") == "reject" and "has been changed since" in said.get("daemon", ""),
        "a file that was changed and not reloaded: explain goes by what the daemon runs with",
        output,
    )
    other = rig.milter.configure(
        rig.milter.folder / "other.conf", more='policy "other" { on_invalid = "quarantine" }\n'
    )
    said, output = explain(rig, FORGED, "-c", str(other))
    tap.ok(
        said.get("action") == "quarantine" and "not with this file" in said.get("daemon", ""),
        "another file: explain goes by that, and says that the daemon does not",
        output,
    )
    other.unlink()
    rig.milter.config.write_text("nonsense\n" + rig.milter.config.read_text())
    said, output = explain(rig, FORGED)
    tap.equal(said.get("action"), "reject", "a file that is broken by now: the daemon answers", output)


def _without_a_daemon(tap, rig):
    rig.milter.start_fresh(more='policy "mine" { on_invalid = "tag" }\n')
    rig.send("alice@real.example")
    rig.milter.stop()
    before = _octets(rig)
    rig.hosts.reset()
    said, output = explain(rig, FORGED)
    tap.ok(
        said.get("verdict") == "invalid, reason no_such_user"
        and said.get("action") == "tag"
        and said.get("daemon", "").startswith("none at"),
        "no daemon: explain says so, and what the file comes to",
        output,
    )
    tap.equal(rig.asked(HOST).connections, 1, "for which it has called the mail host")
    said, output = explain(rig, "alice@real.example")
    tap.ok("the cache" in said.get("from", ""), "what is in the cache counts", output)
    tap.equal(_octets(rig), before, "and the cache's octets are the same as before")


def _octets(rig):
    return hashlib.sha256((rig.milter.store / "data.mdb").read_bytes()).hexdigest()


def _no_trace(tap, rig):
    """Whatever only looks leaves the cache's octets as they are; so does explain, in every way."""
    rig.milter.start_fresh()
    rig.send("alice@real.example")
    rig.send(FORGED)
    rig.milter.stop()  # all is written by then
    before = _octets(rig)
    for verb in ADMIN_VERBS:
        rig.milter.ringback(*verb)
        tap.equal(_octets(rig), before, f"`{' '.join(verb)}` leaves the cache's octets as they are")
    rig.milter.start()
    for sender in (FORGED, "new@real.example", "alice@grey.example", "x@no-such.example", "<>"):
        for more in ([], ["--authenticated"], ["-c", str(rig.milter.config)]):
            kept = known(rig)
            said, output = explain(rig, sender, *more, recipient="friend@partner.example")
            tap.ok(
                said["status"] == 0 and known(rig) == kept,
                f"explain {' '.join([sender, *more])}: the cache is the same before and after",
                output,
            )
    status, _, _ = rig.milter.ringback("cache", "get", "friend@partner.example")
    tap.equal(status, 67, "explain --authenticated makes nobody a correspondent")
