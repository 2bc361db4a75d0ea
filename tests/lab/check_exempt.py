# SPDX-License-Identifier: BSD-2-Clause
"""Who is never verified, and that nobody is called for them."""

import client
import milter

FORGED = "user-forged@nullmx.example"  # would be rejected without any call
NEVER_ASKED = "nobody@real.example"  # would be called for, and rejected


def run(tap, rig):
    rig.milter.start_fresh()
    _exempt(tap, rig, "the null sender", "")
    _exempt(tap, rig, "a trusted network", NEVER_ASKED, source=milter.TRUSTED)
    if rig.mta.cannot_login():
        tap.skip("an authenticated client is not verified", rig.mta.cannot_login())
    else:
        _exempt(tap, rig, "an authenticated client", NEVER_ASKED, user="joe")
    _exempt(
        tap, rig, "a mail to our own callout sender", NEVER_ASKED, recipient=milter.CALLOUT_SENDER
    )
    _refused_recipient(tap, rig)


def _exempt(tap, rig, text, sender, **options):
    rig.hosts.reset()
    mail = rig.send(sender, **options)
    asked = rig.hosts.settled()
    tap.ok(mail.accepted, f"{text} is not verified: accepted", mail)
    tap.equal(asked.connections, 0, f"{text} is not verified: nobody is called", asked)
    if sender:
        tap.equal(rig.milter.cached(sender), None, f"{text} is not verified: nothing is cached")
    message = rig.mta.message(mail.subject)
    value = message and message["X-Ringback"]
    tap.ok(
        message is not None and (value is None or "reason=exempt" in value),
        f"{text} is not verified: the header does not say otherwise",
        value,
    )


def _refused_recipient(tap, rig):
    """A recipient that the MTA refuses costs nobody a callout."""
    rig.hosts.reset()
    mail = rig.send(NEVER_ASKED, recipient="x@elsewhere.example", subject=client.unique())
    tap.ok(
        mail.stage == "rcpt" and mail.code >= 400 and "verif" not in mail.last.text,
        "a recipient that the MTA does not serve is refused by the MTA",
        mail,
    )
    asked = rig.hosts.settled()
    tap.equal(asked.connections, 0, "and its sender is not verified", asked)
