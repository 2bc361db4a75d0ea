# SPDX-License-Identifier: BSD-2-Clause
"""Senders that no grammar has, but mailbox hosts do, and MTAs let pass: they are asked about as far as
they can be, and none is taken for what it is not.
"""

import client

HOST = "192.0.2.34"  # knows whoever's local part begins with "user", in quotes or not
DOMAIN = "odd.example"
VERP = f"user-bounces+123456789-a1b2-firstname.lastname=departments.example.com@{DOMAIN}"
VALID, UNKNOWN_USER = ("valid", "accepted"), ("invalid", "no_such_user")
CANNOT_ASK, NONE_AT_ALL = ("unknown", "rejected"), ("invalid", "bad_address")


def _long(octets):
    """An address of so many octets."""
    return "user-".ljust(octets - len(DOMAIN) - 1, "x") + f"@{DOMAIN}"


# What stands in the brackets of MAIL, what comes of it, and whom the host is asked about; an MTA that
# refuses it by itself is named.
CASES = [
    (f"user..a@{DOMAIN}", VALID, f'"user..a"@{DOMAIN}', ()),
    (f"user.@{DOMAIN}", VALID, f'"user."@{DOMAIN}', ()),
    (f"nobody.@{DOMAIN}", UNKNOWN_USER, f'"nobody."@{DOMAIN}', ()),
    (f".nobody@{DOMAIN}", UNKNOWN_USER, f'".nobody"@{DOMAIN}', ()),
    (VERP, VALID, VERP, ()),
    (_long(250), VALID, _long(250), ()),
    (f'"user".quoted@{DOMAIN}', VALID, f"user.quoted@{DOMAIN}", ()),
    (f" user-blank@{DOMAIN} ", VALID, f"user-blank@{DOMAIN}", ()),
    (f"@[192.0.2.1]:user-route@{DOMAIN}", VALID, f"user-route@{DOMAIN}", ()),
    (f"user%other@{DOMAIN}", VALID, f"user%other@{DOMAIN}", ()),
    (f"user-dot@{DOMAIN}.", VALID, f"user-dot@{DOMAIN}", ()),
    (f"nobody@[{HOST}]", UNKNOWN_USER, f"nobody@[{HOST}]", ()),
    (f"user(comment)@{DOMAIN}", CANNOT_ASK, None, ()),
    (f"user:other@{DOMAIN}", CANNOT_ASK, None, ()),
    (f"user\\@other@{DOMAIN}", CANNOT_ASK, None, ()),
    (f"user@other@{DOMAIN}", CANNOT_ASK, None, ("Sendmail",)),
    (f"user@\u2764.{DOMAIN}", CANNOT_ASK, None, ("Sendmail",)),
    (_long(275), NONE_AT_ALL, None, ("Sendmail",)),
    ("root", NONE_AT_ALL, None, ("Sendmail",)),
]


def run(tap, rig):
    rig.milter.start_fresh()
    for sender, verdict, asked, refusing in CASES:
        if rig.mta.name not in refusing:
            _is_judged(tap, rig, sender, verdict, asked)
    _written_otherwise(tap, rig)
    rig.milter.start_fresh(more="callout { smtputf8 = no }")
    if rig.mta.name == "Postfix":
        _is_judged(tap, rig, f"j\u00f6rg@{DOMAIN}", ("unknown", "exempt"), None)


def _is_judged(tap, rig, sender, verdict, asked):
    shown = sender if len(sender) < 80 else f"{sender[:20]}... of {len(sender)} octets"
    rig.hosts.reset()
    before = len(rig.milter.decisions())
    mail = rig.send(sender)
    line = rig.milter.decisions()[before:][-1]
    seen = (line.get("verdict"), line.get("reason"))
    tap.equal(seen, verdict, f"{shown}: {verdict[0]}, {verdict[1]}", line, mail)
    refused = mail.code == 550 and mail.last.text.startswith("5.1.7")
    tap.ok(refused if verdict[0] == "invalid" else mail.accepted, f"{shown}: and so it goes", mail)
    rig.hosts.settled()
    heard = {entry.get("rcpt") for entry in rig.hosts.transactions(HOST)}
    if asked:
        tap.ok(asked in heard, f"{shown}: its host is asked about it as SMTP has it", heard)
    else:
        tap.equal(heard, set(), f"{shown}: nobody is asked")


def _written_otherwise(tap, rig):
    """What was learned of one way to write an address holds for another."""
    rig.hosts.reset()
    for sender in (f'"user..a"@{DOMAIN}', f'user."".a@{DOMAIN}'):
        mail = rig.send(sender, source="203.0.113.2", subject=client.unique())
        tap.ok(mail.accepted, f"{sender}: as what is known", mail)
    tap.equal(rig.hosts.settled().connections, 0, "the same address in quotes: nobody is asked again")
    cached = {rig.milter.cached(each) for each in (f"user..a@{DOMAIN}", f'"user..a"@{DOMAIN}')}
    tap.equal(cached, {VALID}, "the cache is asked in either way")
