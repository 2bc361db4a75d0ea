# SPDX-License-Identifier: BSD-2-Clause
"""Counts what third parties were asked and what became of the mail; the table and the demands."""

import collections
import itertools

import drive
import population

BLOCK = 1000  # mails
SAME_SESSION_S = 60  # entries of one port further apart are of two connections
RESULTS = ["fail", "softfail", "neutral", "none", "permerror"]
GATE = ("spf_fail", "spf_softfail", "not_vouched")
VOUCHERS = ["spf", "mx", "ptr", "dkim", "policy", "nobody"]

ROWS = [
    ("connections", "connections to third parties"),
    ("uninvolved", "  for forged mail: its domain sent nothing"),
    *[(f"uninvolved_{each}", f"    SPF says {each}") for each in RESULTS],
    ("unjustified", "    whose domain has sent nothing at all yet"),
    ("connections_real", "  for real mail"),
    ("rcpts", "RCPTs to third parties"),
    ("rcpts_uninvolved", "  for forged mail"),
    ("caught", "forged, no such mailbox: refused (caught)"),
    ("caught_telling", "  at domains that tell mailboxes apart"),
    ("missed", "forged, no such mailbox: not refused"),
    ("missed_gate", "  the gate held it back: nobody called"),
    ("missed_catchall", "  the domain takes every mailbox"),
    ("missed_limited", "  held back by shield, rates or breaker"),
    ("missed_silent", "  no answer: dead, greylisting, no word yet"),
    ("missed_other", "  other"),
    ("forged_existing_refused", "forged, mailbox exists: refused"),
    ("forged_vouched", "forged, vouched for by anybody"),
    ("forged_deferred", "forged: deferred (4yz), never came back"),
    ("real", "real mail, not forwarded"),
    ("real_delayed", "real mail delayed"),
    ("real_refused", "real mail refused (5yz)"),
    ("real_still_deferred", "real mail deferred twice"),
    ("forwarded", "forwarded with the sender unchanged"),
    ("forwarded_disowned", "  SPF fails or softfails there"),
    ("forwarded_refused", "  refused (5yz)"),
    *[(f"real_{each}", f"real mail, vouched for by {each}") for each in VOUCHERS],
    ("real_held_back", "real mail whose sender nobody asked about"),
]
# Of what did not refuse: the reason by Ringback's log, the row.
MISSED = {
    **dict.fromkeys(GATE, "missed_gate"),
    "catch_all": "missed_catchall",
    "limited": "missed_limited",
    "busy": "missed_limited",
    **dict.fromkeys(
        ("greylisted", "tempfail", "unreachable", "timeout", "dns_failure"), "missed_silent"
    ),
}


class Attribution:
    """Finds the mail on whose account a mail host was asked."""

    def __init__(self, mails, people):
        self._by_sender = collections.defaultdict(list)
        self._by_domain = collections.defaultdict(list)
        for mail in mails:
            self._by_sender[mail.sender.lower()].append(mail)
            self._by_domain[mail.domain].append(mail)
        self._by_host = collections.defaultdict(list)
        for domain in people.domains:
            self._by_host[domain.mail_host].append(domain.name)

    def mail_for(self, host, rcpts, seconds):
        """The mail that a connection was made for, or None. The address itself says most, then its
        domain (asked whether it takes everything), then the host, if only one domain is there."""
        for rcpt in rcpts:
            if rcpt.lower() in self._by_sender:
                return self._latest(self._by_sender[rcpt.lower()], seconds)
        for rcpt in rcpts:
            domain = rcpt.rpartition("@")[2].lower()
            if domain in self._by_domain:
                return self._latest(self._by_domain[domain], seconds)
        domains = self._by_host[host]
        if len(domains) == 1 and domains[0] in self._by_domain:
            return self._latest(self._by_domain[domains[0]], seconds)
        return None

    def is_justified(self, mail, seconds):
        """Whether the domain of that mail had sent any mail of its own by then."""
        slot = int(seconds // drive.SLOT_S)
        return any(
            not each.forged and drive.slot_of(each) <= slot for each in self._by_domain[mail.domain]
        )

    @staticmethod
    def _latest(mails, seconds):
        """The last that had come by then; of those of one slot a real one, or one that SPF does
        not disown."""
        slot = int(seconds // drive.SLOT_S)
        before = [mail for mail in mails if drive.slot_of(mail) <= slot]
        if not before:
            return mails[0]
        last = max(drive.slot_of(mail) for mail in before)
        same = [mail for mail in before if drive.slot_of(mail) == last]
        return min(
            same, key=lambda mail: (mail.forged, mail.spf in ("fail", "softfail"), mail.number)
        )


def sessions(log):
    """The log's transactions by connection: lists of entries, each in order of time."""
    by_port = collections.defaultdict(list)
    for entry in log:
        by_port[entry["host"], entry["client_ip"], entry["client_port"]].append(entry)
    found = []
    for entries in by_port.values():
        entries.sort(key=lambda entry: entry["time_ms"])
        current = []
        for entry in entries:
            if current and entry["time_ms"] - current[-1]["time_ms"] > SAME_SESSION_S * 1000:
                found.append(current)
                current = []
            current.append(entry)
        found.append(current)
    return found


def count(contender, mails, outcomes, people):
    """The figures of one contender, for each thousand mails and in all."""
    kinds = {domain.name: domain.kind for domain in people.domains}
    blocks = [collections.Counter() for _ in range(0, len(mails), BLOCK)]
    unattributed = _count_asked(contender, Attribution(mails, people), blocks)
    told = decided(contender.decisions(), outcomes)
    for outcome in outcomes:
        block = blocks[outcome.mail.number // BLOCK]
        _count_mail(outcome, block, kinds, told.get(outcome.mail.number))
    total = sum(blocks, collections.Counter())
    stats = contender.hosts.everything().values()
    return {
        "blocks": [_plain(block) for block in blocks],
        "total": _plain(total),
        "checks": {
            "mails without an answer": sum(outcome.last_code == 0 for outcome in outcomes),
            "mails not sent": len(mails) - len(outcomes),
            "mails that the log does not know": _unknown(contender, told, outcomes),
            # Those that ended before a RCPT was answered leave no trace in the log.
            "connections of which no RCPT is known": sum(h["connections"] for h in stats)
            - total["connections"],
            "sessions that no mail explains": unattributed,
        },
    }


def _unknown(contender, told, outcomes):
    if not contender.position:
        return 0
    return sum(outcome.mail.number not in told for outcome in outcomes)


def _plain(counter):
    return {key: counter[key] for key, _ in ROWS}


def decided(decisions, outcomes):
    """What Ringback's log says of each mail, by its number: the last line about it."""
    lines = collections.defaultdict(list)
    for line in decisions:
        lines[line.get("address"), line.get("client")].append(line)
    told = {}
    for outcome in sorted(outcomes, key=lambda each: each.mail.number):
        mail = outcome.mail
        mine = lines[f"<{mail.sender}>", mail.client]
        for _ in range(1 + outcome.retried):
            if mine:
                told[mail.number] = mine.pop(0)
    return told


def _count_asked(contender, attribution, blocks):
    unattributed = 0
    for entries in sessions(contender.hosts.log()):
        rcpts = [entry["rcpt"] for entry in entries if entry["rcpt"]]
        seconds = entries[0]["time_ms"] / 1000 - contender.clock.begun
        mail = attribution.mail_for(entries[0]["host"], rcpts, seconds)
        if mail is None:
            unattributed += 1
            continue
        block = blocks[mail.number // BLOCK]
        block["connections"] += 1
        block["rcpts"] += len(rcpts)
        if not mail.forged:
            block["connections_real"] += 1
            continue
        block["uninvolved"] += 1
        block[f"uninvolved_{mail.spf}"] += 1
        block["rcpts_uninvolved"] += len(rcpts)
        block["unjustified"] += not attribution.is_justified(mail, seconds)
    return unattributed


def _count_mail(outcome, block, kinds, line):
    if outcome.mail.forged:
        _count_forged(outcome, block, kinds[outcome.mail.domain], line)
    else:
        _count_real(outcome, block, line)


def _count_forged(outcome, block, kind, line):
    refused = 500 <= outcome.last_code < 600
    block["forged_deferred"] += 400 <= outcome.last_code < 500
    block["forged_vouched"] += bool(line) and line.get("vouched") != "nobody"
    if outcome.mail.exists:
        block["forged_existing_refused"] += refused
    elif refused:
        block["caught"] += 1
        block["caught_telling"] += kind in population.TELLING
    else:
        block["missed"] += 1
        block[_why_missed(kind, line)] += 1


def _why_missed(kind, line):
    """By Ringback's log; of others, by what the domain is."""
    if line:
        return MISSED.get(line.get("reason"), "missed_other")
    if kind == "catchall":
        return "missed_catchall"
    return "missed_silent" if kind in (*population.DEAD, "grey") else "missed_other"


def _count_real(outcome, block, line):
    refused, forwarded = 500 <= outcome.last_code < 600, outcome.mail.kind == "forwarded"
    block["real_delayed"] += outcome.retried
    block["real_still_deferred"] += 400 <= outcome.last_code < 500
    block["forwarded" if forwarded else "real"] += 1
    block["forwarded_refused" if forwarded else "real_refused"] += refused
    block["forwarded_disowned"] += forwarded and outcome.mail.spf in ("fail", "softfail")
    if line:
        block["real_held_back"] += line.get("reason") in GATE
        block[f"real_{line.get('vouched')}"] += 1


def demands(results):
    """What must hold: a list of (whether it does, what, the figures). Of contenders that are not
    there nothing is demanded."""
    totals = {name: result["total"] for name, result in results.items()}
    found = []
    if "exim" in totals:
        for name in totals:
            found += _beside_exim(name, totals[name], totals["exim"])
    refused = {
        name: total["real_refused"] + total["real_still_deferred"]
        for name, total in totals.items()
        if name not in ("exim", "postfix")
    }
    found.append(
        (not any(refused.values()), "no real mail refused, but for what is forwarded", refused)
    )
    accepting = {
        name: total["forwarded_refused"]
        for name, total in totals.items()
        if name in refused and "reject" not in name
    }
    found.append((not any(accepting.values()), "without reject nor what is forwarded", accepting))
    wrong = {
        f"{name}: {what}": count
        for name, result in results.items()
        for what, count in result["checks"].items()
        if count
    }
    found.append((not wrong, "each mail had its answer and each connection its mail", wrong))
    return [(holds, what, _said(figures)) for holds, what, figures in found]


def _said(figures):
    if isinstance(figures, str):
        return figures
    return ", ".join(f"{name} {count}" for name, count in figures.items()) or "all"


def _beside_exim(name, ours, exim):
    """What is demanded of one position."""
    asked = f"{ours['uninvolved']} of {exim['uninvolved']}"
    if name in ("fail", "fail-reject"):
        of_fail = (ours["uninvolved_fail"], exim["uninvolved_fail"])
        yield (
            of_fail[0] * 10 <= of_fail[1],
            f"{name}: at most a tenth of Exim's connections to domains whose SPF fails",
            f"{of_fail[0]} of {of_fail[1]}",
        )
        yield (
            ours["connections"] * 2 <= exim["connections"],
            f"{name}: at most half of Exim's connections over all",
            f"{ours['connections']} of {exim['connections']}",
        )
    if name.startswith("softfail"):
        yield (
            ours["uninvolved"] * 4 <= exim["uninvolved"],
            f"{name}: at most a quarter of Exim's connections to who sent nothing",
            asked,
        )
    if name.startswith("vouched"):
        yield (
            ours["uninvolved"] * 100 <= exim["uninvolved"],
            f"{name}: at most 1 % of Exim's connections to who sent nothing",
            asked,
        )
        yield (
            ours["unjustified"] == 0 and ours["forged_vouched"] == 0,
            f"{name}: no connection that the trace cannot justify, nothing forged vouched for",
            f"{ours['unjustified']}, {ours['forged_vouched']}",
        )
    if name in ("fail-reject", "softfail-reject"):
        yield (
            ours["caught"] * 100 >= exim["caught"] * 95,
            f"{name}: at least 95 % of what Exim stops",
            f"{ours['caught']} of {exim['caught']}",
        )


QUESTIONS = [
    ("day", "DNS look-ups a mail, over the day"),
    ("first", "  of a known sender, nothing in DNS caches"),
    ("again", "  the same again at once"),
]
LABEL, COLUMN = 48, 10


def table(results):
    """For people: what there is of each in all, beside each other."""
    lines = [_row("", words) for words in _heads(list(results))]
    for key, label in ROWS:
        lines.append(_row(label, [each["total"][key] for each in results.values()]))
    for key, label in QUESTIONS:
        figures = [each["questions"][key] for each in results.values()]
        lines.append(_row(label, [f"{each:.2f}" for each in figures]))
    return "\n".join(lines) + "\n"


def _row(label, figures):
    return f"{label:<{LABEL}}" + "".join(f"{each:>{COLUMN}}" for each in figures)


def _heads(names):
    """Names in lines, a word in each."""
    split = [name.split("-") for name in names]
    return itertools.zip_longest(*split, fillvalue="")


def short(results, mails):
    """The README's: a row for each contender, figures for a thousand mails."""
    lines = [
        f"{'for each 1,000 mails':<24}{'uninvolved':>11}{'caught':>8}{'missed':>8}"
        f"{'real refused':>14}{'forwarded refused':>19}"
    ]
    for name, result in results.items():
        total = result["total"]
        uninvolved, caught, missed = (
            1000 * total[key] / mails for key in ("uninvolved", "caught", "missed")
        )
        lines.append(
            f"{name:<24}{uninvolved:>11.1f}{caught:>8.0f}{missed:>8.0f}"
            f"{total['real_refused']:>14}"
            f"{str(total['forwarded_refused']) + ' of ' + str(total['forwarded']):>19}"
        )
    return "\n".join(lines) + "\n"
