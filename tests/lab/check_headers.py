# SPDX-License-Identifier: BSD-2-Clause
"""What a message carries when it has come through: our headers, and no forged ones."""

import re

import milter

FORGED = [
    "X-Ringback: valid; reason=accepted; sender=<forged@forged.example>; action=accept; id=1",
    "x-ringBACK: valid; reason=accepted;",
    "\tsender=<folded@forged.example>",
    "Received: from somewhere by elsewhere; Sun, 22 Nov 2026 15:00:00 +0000",
    f"Authentication-Results: {milter.AUTHSERV_ID}; x-callback=pass smtp.mailfrom=x@forged.example",
    f"authentication-results: (note) {milter.AUTHSERV_ID.upper()};",
    " dkim=pass header.d=forged.example",
    "Authentication-Results: other.example; dkim=pass header.d=kept.example",
]


def run(tap, rig):
    rig.milter.start_fresh()
    _verified(tap, rig)
    if rig.mta.cannot_login():
        tap.skip("forged headers of an authenticated client", rig.mta.cannot_login())
    else:
        _exempt(tap, rig)


def _verified(tap, rig):
    sender = "alice@real.example"
    mail = rig.send(sender, headers=FORGED)
    message = rig.mta.message(mail.subject)
    if not tap.ok(message is not None, "a mail with forged headers comes through", mail):
        return
    ours = message.get_all("X-Ringback", [])
    tap.equal(len(ours), 1, "one X-Ringback header, however many were forged", ours)
    value = re.sub(r"\s+", " ", ours[0]) if ours else ""
    tap.ok(
        re.fullmatch(
            r"valid; reason=accepted; sender=<alice@real\.example>; "
            r"mx=mx\.real\.example; cached=(yes|no); action=accept; id=\S+",
            value,
        ),
        "it says verdict, reason, sender, mail host, cached, action and id",
        value,
    )
    names = [name.lower() for name in message.keys()]
    tap.ok(
        "x-ringback" in names and names.index("x-ringback") < names.index("received"),
        "it stands above Received, at the top",
        names,
    )
    results = [re.sub(r"\s+", " ", each) for each in message.get_all("Authentication-Results", [])]
    true = [each for each in results if "x-callback=" in each]
    wanted = (
        re.escape(milter.AUTHSERV_ID) + r"; x-callback=pass .*smtp\.mailfrom=alice@real\.example"
    )
    tap.ok(
        len(true) == 1 and re.match(wanted, true[0]),
        "Authentication-Results gives the true result once",
        results,
    )
    tap.ok(
        "forged.example" not in str(message),
        "no forged header with our authserv-id is left",
        results,
        ours,
    )
    tap.ok(
        any("kept.example" in each for each in results),
        "other servers' Authentication-Results are left alone",
        results,
    )


def _exempt(tap, rig):
    mail = rig.send("alice@real.example", headers=FORGED, source="203.0.113.77", user="joe")
    message = rig.mta.message(mail.subject)
    ours = message.get_all("X-Ringback", []) if message else None
    tap.ok(
        message is not None and not any("forged.example" in each for each in ours),
        "forged headers are removed from an authenticated client's mail or left out of play",
        ours,
    )
