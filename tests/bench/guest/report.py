# SPDX-License-Identifier: BSD-2-Clause
"""Counts what third parties were asked and what became of the mail; the table and the demands."""

import collections

import drive
import population

BLOCK = 1000  # mails
SAME_SESSION_S = 60  # entries of one port further apart are of two connections
CLASSES = {"fail": "disowned", "none": "no_spf", "pass": "allowed"}

ROWS = [
    ("connections", "connections to third parties"),
    ("connections_disowned", "  to domains whose SPF disowns the client"),
    ("connections_no_spf", "  to domains without SPF"),
    ("connections_allowed", "  to domains whose SPF allows the client"),
    ("rcpts", "RCPTs to third parties"),
    ("rcpts_disowned", "  to domains whose SPF disowns the client"),
    ("caught", "forged, no such mailbox: refused (caught)"),
    ("caught_telling", "  at domains that tell mailboxes apart"),
    ("missed", "forged, no such mailbox: not refused"),
    ("missed_disowned", "  where SPF disowns the client"),
    ("forged_existing_refused", "forged, mailbox exists: refused"),
    ("forged_deferred", "forged: deferred (4yz), never came back"),
    ("real_delayed", "real mail delayed"),
    ("real_refused", "real mail refused (5yz)"),
    ("real_still_deferred", "real mail deferred twice"),
]


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

    @staticmethod
    def _latest(mails, seconds):
        """The last that had come by then; of those of one slot, one that SPF does not disown."""
        slot = int(seconds // drive.SLOT_S)
        before = [mail for mail in mails if drive.slot_of(mail) <= slot]
        if not before:
            return mails[0]
        last = max(drive.slot_of(mail) for mail in before)
        same = [mail for mail in before if drive.slot_of(mail) == last]
        return min(same, key=lambda mail: (mail.spf == "fail", mail.number))


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
    telling = {d.name for d in people.domains if d.kind in population.TELLING}
    blocks = [collections.Counter() for _ in range(0, len(mails), BLOCK)]
    unattributed = _count_asked(contender, Attribution(mails, people), blocks)
    for outcome in outcomes:
        _count_mail(outcome, blocks[outcome.mail.number // BLOCK], telling)
    total = sum(blocks, collections.Counter())
    stats = contender.hosts.everything().values()
    return {
        "blocks": [_plain(block) for block in blocks],
        "total": _plain(total),
        "checks": {
            "mails without an answer": sum(outcome.last_code == 0 for outcome in outcomes),
            "mails not sent": len(mails) - len(outcomes),
            # Those that ended before a RCPT was answered leave no trace in the log.
            "connections of which no RCPT is known": sum(h["connections"] for h in stats)
            - total["connections"],
            "sessions that no mail explains": unattributed,
        },
    }


def _plain(counter):
    return {key: counter[key] for key, _ in ROWS}


def _count_asked(contender, attribution, blocks):
    unattributed = 0
    for entries in sessions(contender.hosts.log()):
        rcpts = [entry["rcpt"] for entry in entries if entry["rcpt"]]
        seconds = entries[0]["time_ms"] / 1000 - contender.clock.begun
        mail = attribution.mail_for(entries[0]["host"], rcpts, seconds)
        if mail is None:
            unattributed += 1
            continue
        block, suffix = blocks[mail.number // BLOCK], CLASSES[mail.spf]
        block["connections"] += 1
        block[f"connections_{suffix}"] += 1
        block["rcpts"] += len(rcpts)
        block[f"rcpts_{suffix}"] += len(rcpts)
    return unattributed


def _count_mail(outcome, block, telling):
    mail, refused = outcome.mail, 500 <= outcome.last_code < 600
    if not mail.forged:
        block["real_delayed"] += outcome.retried
        block["real_refused"] += refused
        block["real_still_deferred"] += 400 <= outcome.last_code < 500
        return
    block["forged_deferred"] += 400 <= outcome.last_code < 500
    if mail.exists:
        block["forged_existing_refused"] += refused
    else:
        block["caught"] += refused
        block["caught_telling"] += refused and mail.domain in telling
        block["missed"] += not refused
        block["missed_disowned"] += not refused and mail.spf == "fail"


def demands(results):
    """What must hold: a list of (whether it does, what, the figures)."""
    ours, exim = results["ringback"]["total"], results["exim"]["total"]
    checks = {name: result["checks"] for name, result in results.items()}
    return [
        (
            ours["connections_disowned"] * 10 <= exim["connections_disowned"],
            "at most a tenth of Exim's connections to domains whose SPF disowns the client",
            f"{ours['connections_disowned']} of {exim['connections_disowned']}",
        ),
        (
            ours["connections"] * 2 <= exim["connections"],
            "at most half of Exim's connections over all",
            f"{ours['connections']} of {exim['connections']}",
        ),
        (
            ours["real_refused"] == 0 and ours["real_still_deferred"] == 0,
            "no real mail refused",
            f"{ours['real_refused']} refused, {ours['real_still_deferred']} deferred twice",
        ),
        (
            all(not count for each in checks.values() for count in each.values()),
            "each mail had its answer and each connection its mail",
            "; ".join(
                f"{name}: {count} {what}"
                for name, each in checks.items()
                for what, count in each.items()
                if count
            )
            or "all",
        ),
    ]


def loss(results):
    """Forged senders that a rival catches and we do not: name -> (mails, share of its catch)."""
    ours = results["ringback"]["total"]["caught"]
    rivals = {name: result["total"]["caught"] for name, result in results.items()}
    return {
        name: (caught - ours, (caught - ours) / caught if caught else 0.0)
        for name, caught in rivals.items()
        if name != "ringback"
    }


def table(results):
    """For people: a block for each thousand mails, then all."""
    names = list(results)
    parts = len(results[names[0]]["blocks"])
    lines = []
    for part in range(parts + 1):
        title = f"mails {part * BLOCK + 1} to {(part + 1) * BLOCK}" if part < parts else "all mails"
        lines.append(f"{title:<46}" + "".join(f"{name:>10}" for name in names))
        for key, label in ROWS:
            figures = [
                result["total"] if part == parts else result["blocks"][part]
                for result in results.values()
            ]
            lines.append(f"  {label:<44}" + "".join(f"{each[key]:>10}" for each in figures))
        lines.append("")
    return "\n".join(lines)


def describe_loss(results):
    lines = []
    for name, (mails, share) in loss(results).items():
        lines.append(
            f"loss in forged senders caught, against {name}: {mails} mails ({share:.0%} of its "
            f"{results[name]['total']['caught']})"
        )
    missed = results["ringback"]["total"]
    lines.append(
        f"of the {missed['missed']} that Ringback let pass, {missed['missed_disowned']} came from "
        "clients that SPF disowns"
    )
    return "\n".join(lines)


