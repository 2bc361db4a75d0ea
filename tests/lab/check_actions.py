# SPDX-License-Identifier: BSD-2-Clause
"""What is done with a message that is let in: it arrives, it arrives with a mark, or the MTA holds it.

The action may be for the sender's sake or a recipient's; what the header, the log and the MTA's queue
say must be the same. Stores and hosts are those of stores.py.
"""

import contextlib

import client
import stores
import waiting

INVALID = "nobody@nowhere.example"  # there is no such domain
POLICIES = """
policy "tag"    { match { recipient = { "nobody-tag@" } } verify = "recipient" on_invalid = "tag" }
policy "hold"   {
    match { recipient = { "nobody-hold@" } }
    verify = "recipient" on_invalid = "quarantine"
}
policy "grey"   {
    match { recipient = { "backup-grey.example" } }
    verify = "recipient" on_greylisted = "quarantine"
}
policy "blocks" {
    match { recipient = { "blocks.stores.example" } }
    verify = "recipient" on_unknown = "tag"
}
policy "sender" { match { recipient = { "user-hold@" } } on_invalid = "quarantine" }
policy "mark"   { match { recipient = { "user-tag@" } } on_invalid = "tag" }
policy "others" { verify = "recipient" }
"""
RECIPIENT, SENDER = "a recipient address is ", f"sender address <{INVALID}> is "

# Sender, recipients; what is done; for what reason, and what people read of it. A dry run tags, but
# does not quarantine.
MESSAGES = [
    (stores.SENDER, ["user-1@users.example"], "accept", None, None),
    (stores.SENDER, ["nobody-tag@users.example"], "tag", "no_such_user", RECIPIENT),
    (stores.SENDER, ["nobody@blocks.stores.example"], "tag", "blocked", RECIPIENT),
    (stores.SENDER, ["nobody-hold@users.example"], "quarantine", "no_such_user", RECIPIENT),
    (stores.SENDER, ["nobody@backup-grey.example"], "quarantine", "greylisted", RECIPIENT),
    (stores.SENDER, ["anybody@held.example"], "quarantine", "unreachable", RECIPIENT),
    ("", ["anybody@held.example"], "quarantine", "unreachable", RECIPIENT),
    (INVALID, ["user-tag@users.example"], "tag", "no_domain", SENDER),
    (INVALID, ["user-hold@users.example"], "quarantine", "no_domain", SENDER),
    # one of several recipients: the message is one
    (
        stores.SENDER,
        ["nobody-hold@users.example", "user-2@users.example"],
        "quarantine",
        "no_such_user",
        RECIPIENT,
    ),
    (
        stores.SENDER,
        ["user-3@users.example", "nobody-tag@users.example", "anybody@held.example"],
        "quarantine",
        "unreachable",
        RECIPIENT,
    ),
    (
        INVALID,
        ["nobody-tag@users.example", "user-hold@users.example"],
        "quarantine",
        "no_domain",
        SENDER,
    ),
]


def run(tap, rig):
    with stores.Stores(rig) as there:
        for dry_run in ("no", "yes"):
            rig.milter.start_fresh(
                dry_run=dry_run,
                more=there.config('callout { connect_timeout = "1500ms" }\n' + POLICIES),
            )
            for number, row in enumerate(MESSAGES):
                _is_done(tap, rig, f"dry_run = {dry_run}, message {number + 1}", dry_run, *row)


def _is_done(tap, rig, text, dry_run, sender, recipients, action, reason, words):
    done = action
    if dry_run == "yes" and action == "quarantine":
        others = [to for to in recipients if "-tag@" in to]
        done = "tag" if others else "accept"
    text = f"{text}, {done}"
    before = rig.mta.held()
    subject = client.unique("actions")
    with contextlib.closing(client.Session(rig.net.client)) as session:
        session.ehlo()
        session.command(f"MAIL FROM:<{sender}>")
        told = [session.command(f"RCPT TO:<{to}>").code for to in recipients]
        end = session.message(subject)
    tap.equal((told, end.code), ([250] * len(told), 250), f"{text}: it is taken", end)
    held = [path for path in rig.mta.held() if path not in before]
    tap.equal(len(held), int(done == "quarantine"), f"{text}: whether the MTA holds it")
    whole = held[0].read_text("latin-1") if held else _filed(rig, subject)
    tap.ok(f"action={done};" in whole, f"{text}: X-Ringback says so", whole[-900:])
    warned = "X-Ringback-Warning: " in whole
    tap.equal(warned, done == "tag", f"{text}: whether it carries a warning", whole[-900:])
    if done == action == "tag":
        tap.ok(f"X-Ringback-Warning: {words}" in whole, f"{text}: and whose", whole[-900:])
    if done == "quarantine":
        tap.equal(rig.mta.filed(subject), 0, f"{text}: it is not delivered")
    elif done == "accept" != action:
        tap.ok(f"would={action};" in whole, f"{text}: and what would be done", whole[-900:])
    if reason:
        dry = dry_run == "yes" and action == "quarantine"
        wanted = ("accept", "quarantine") if dry else (action, None)
        line = [each for each in rig.milter.decisions() if each.get("reason") == reason][-1]
        tap.equal((line["action"], line.get("would")), wanted, f"{text}: the log says so", line)


def _filed(rig, subject):
    """The text of the message with that Subject, once it is filed."""

    def found():
        texts = [path.read_text("latin-1") for path in rig.mta.delivered()]
        return [text for text in texts if f"Subject: {subject}\n" in text]

    return (waiting.until(found) or [""])[0]
