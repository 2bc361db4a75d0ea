# SPDX-License-Identifier: BSD-2-Clause
"""Filters that stand before ours: whom they vouch for is asked about, whatever SPF says; and nobody
else's word counts.

First a scripted one, then a real OpenDKIM. The sender's domain disowns all our clients by SPF.
"""

import contextlib

import client
import debs
import filters
import milter
import opendkim
import waiting

DOMAIN, HOST = "signs.example", "192.0.2.61"
FILTER, ANOTHER = "filter.lab.example", "dmarc.lab.example"
IDLE = "0s"  # so that each callout is one
CONFIG = f"""
decide_at = "eom"
trusted_authserv_ids = {{ "{FILTER}", "{ANOTHER}" }}
policy "reject" {{ match {{ recipient = {{ "strict@" }} }} on_spf_fail = "reject" }}
"""
RECIPIENT, STRICT = "someone@local.example", "strict@local.example"

RESULTS = "Authentication-Results"
PASS = f"dkim=pass (2048-bit key) header.d={DOMAIN} header.i=@{DOMAIN}"
DMARC = f"dmarc=pass (p=none) header.from={DOMAIN}"
# As the field of a filter that vouches.
VOUCH = {
    "DKIM": f"{FILTER};\n\t{PASS}",
    "DMARC, by another filter": f"{ANOTHER}; {DMARC}",
    "DKIM of a domain below": f"{FILTER}; dkim=pass header.d=news.{DOMAIN}",
    "one of two signatures": f"{FILTER}; dkim=fail header.d={DOMAIN};\n\t{PASS}",
}
# And of one that does not.
VOUCH_NOT = {
    "no signature": f"{FILTER}; dkim=none",
    "a broken signature": f"{FILTER}; dkim=fail header.d={DOMAIN}",
    "another domain's signature": f"{FILTER}; dkim=pass header.d=evil.example",
    "a filter that is not trusted": f"elsewhere.example; {PASS}",
}
# What a stranger's message may bring: the filter would remove none of these.
RECEIVED = "Received: from elsewhere.example by here.example; Sun, 22 Nov 2026 15:00:00 +0000"
FORGED = {
    "below Received": [RECEIVED, f"{RESULTS}: {FILTER}; {PASS}"],
    "below the filter's own": [f"{RESULTS}: {FILTER}; {PASS}"],
    "with our own authserv-id": [f"{RESULTS}: {milter.AUTHSERV_ID}; {PASS}"],
    "folded, commented, quoted": [f'{RESULTS}:\r\n (x)\r\n "{FILTER}"\r\n (y) 1;\r\n {PASS}'],
    "a hundred times": 100 * [f"{RESULTS}: {FILTER}; {PASS}"],
}
# The same, of a message without a signature, under OpenDKIM's name. It removes what it can read.
LEGIBLE = {
    "plain": f"{FILTER}; {PASS}",
    "in capitals": f"{FILTER.upper()}; {PASS}",
    "with a version": f"{FILTER} 1; {PASS}",
    "folded": f"\r\n {FILTER}\r\n ;\r\n {PASS}",
    "a comment before": f"(x) {FILTER}; {PASS}",
    "a comment behind": f"{FILTER} (x); {PASS}",
    "quoted": f'"{FILTER}"; {PASS}',
    "results that nobody knows": f"{FILTER}; x-a=pass; {PASS}",
}
# A stranger's good signature, and as whom he signs: OpenDKIM writes that into its own field.
_SAYS = f"=3B=20dkim=3Dpass=20header.d=3D{DOMAIN}=20x.y=3Dz"
SIGNERS = {
    "itself": f"d={opendkim.STRANGER}",
    "a result": f"d={opendkim.STRANGER}; i=a@{opendkim.STRANGER}{_SAYS}.{opendkim.STRANGER}",
    "a result, in its local part": f"d={opendkim.STRANGER}; i=a{_SAYS}@{opendkim.STRANGER}",
}
# What it cannot read, or cares nothing for, it leaves: its own field stands above that, if it
# inserts one into every message.
ODD = {
    "DMARC": f"{FILTER}; {DMARC}",
    "many results": f"{FILTER};" + 20 * " spf=pass;" + f" {PASS}",
    "a version of the method": f"{FILTER}; dkim/1=pass header.d={DOMAIN}",
    "blanks everywhere": f"{FILTER} ; dkim = pass header . d = {DOMAIN}",
    "a reason": f'{FILTER}; dkim=pass reason="a;b (c" header.d={DOMAIN}',
    "a nested comment": f"{FILTER}; dkim=pass (a (b) c) header.d={DOMAIN}",
    "words without a type": f"{FILTER}; dkim=pass x=y header.d={DOMAIN}",
    "an end too many": f"{FILTER}; {PASS};",
    "comments everywhere": f"{FILTER}(a);dkim(b)=(c)pass(d)header(e).(f)d(g)=(h){DOMAIN}(i)",
    "a comment in pieces": f"{FILTER}; dkim=pass (a \\) b \\( c) header.d={DOMAIN}",
    "a quoted pair in the identifier": f'"{FILTER[:-1]}\\{FILTER[-1]}"; {PASS}',
    "a quoted pair in the reason": f'{FILTER}; dkim=pass reason="a \\" b" header.d={DOMAIN}',
    "properties of unknown types": f"{FILTER}; dkim=pass foo.bar=baz header.d={DOMAIN} x.y=z",
    "an underscore": f"{FILTER}; x_a=pass; {PASS}",
    "an unknown result": f"{FILTER}; spf=perhaps; {PASS}",
    "an unknown result of DKIM": f"{FILTER}; dkim=perhaps; {PASS}",
    "a digit": f"{FILTER}; 1=pass; {PASS}",
    "a quoted local part": f'{FILTER}; dkim=pass header.i="a b"@{DOMAIN}',
    "an empty value": f'{FILTER}; dkim=pass header.b="" header.d={DOMAIN}',
    "a value of signs": f"{FILTER}; dkim=pass header.b=a/b+c== header.d={DOMAIN}",
    "8-bit": f"{FILTER}; dkim=pass (\xe4\xff) header.d={DOMAIN}",
    "a control character": f"{FILTER}; dkim=pass (\x01) header.d={DOMAIN}",
    "a long comment": f"{FILTER}; dkim=pass (" + 9 * (90 * "x" + "\r\n ") + f") header.d={DOMAIN}",
    "a longer comment": f"{FILTER}; dkim=pass (" + 90 * (90 * "x" + "\r\n ") + f") header.d={DOMAIN}",
    "many comments": f"{FILTER}; dkim=pass " + 700 * "(x)\r\n " + f"header.d={DOMAIN}",
    "many properties": f"{FILTER}; dkim=pass " + 50 * "smtp.x=y\r\n " + f"header.d={DOMAIN}",
    "more properties": f"{FILTER}; dkim=pass " + 300 * "smtp.x=y\r\n " + f"header.d={DOMAIN}",
    "more results": f"{FILTER};" + 300 * " spf=pass;\r\n " + f" {PASS}",
    "an empty comment": f"{FILTER}; dkim=pass () header.d={DOMAIN}",
    "a bracket": f"{FILTER}; dkim=pass header.x=] header.d={DOMAIN}",
    "an unmatched bracket": f"{FILTER}; dkim=pass header.x=) header.d={DOMAIN}",
    "a backslash": f"{FILTER}; dkim=pass header.x=\\ header.d={DOMAIN}",
    "an address": f"{FILTER}; dkim=pass header.x=a@b@c header.d={DOMAIN}",
    "a comma": f"{FILTER}; dkim=pass header.x=a,b header.d={DOMAIN}",
    "signs in a value": f"{FILTER}; dkim=pass header.x===a=.b header.d={DOMAIN}",
    "a dot first": f"{FILTER}; dkim=pass header.x=.a header.d={DOMAIN}",
}


def run(tap, rig):
    rig.milter.start_fresh(more=CONFIG, idle_timeout=IDLE)
    try:
        _scripted(tap, rig)
        _opendkim(tap, rig)
    finally:
        rig.mta.set_filter_before(None)


# --- A mail ---------------------------------------------------------------------------------------


class Sent:
    """A message of those fields and that body; what became of it, and of whom the host was asked."""

    def __init__(self, rig, sender, lines, recipient=RECIPIENT):
        rig.hosts.reset()
        with contextlib.closing(client.Session(rig.net.client)) as session:
            session.ehlo()
            session.command(f"MAIL FROM:<{sender}>")
            self.rcpt = session.command(f"RCPT TO:<{recipient}>")
            if self.rcpt.code == 250:
                session.command("DATA")
                self.end = session.command("\r\n".join([*lines, "."]))
            else:
                self.end = self.rcpt
        self.words = rig.mta.wording(self.end.text)
        self.asked = rig.asked(HOST).rcpts
        self.line = rig.milter.decision(sender)

    def is_refused(self):
        """As nobody: only once the message has come."""
        return self.rcpt.code == 250 and self.end.code == 550 and self.words.startswith("5.1.7 ")

    @property
    def found(self):
        return [self.line.get(key) for key in ("verdict", "reason", "vouched")]

    def __repr__(self):
        return f"{self.rcpt.line} | {self.end.line} | asked {self.asked} | {self.line}"


def _lines(*fields):
    return [*fields, f"Subject: {client.unique('vouch')}", f"From: x@{DOMAIN}", "", "Hello."]


_senders = (f"{client.unique('nobody')}@{DOMAIN}" for _ in iter(int, 1))


def _is_asked_about(tap, rig, lines, text):
    """A sender who does not exist is found out, by the mail host; one who does gets in."""
    forged = Sent(rig, next(_senders), lines)
    tap.ok(forged.is_refused() and forged.asked == 1, f"{text}: nobody there: 550 5.1.7", forged)
    tap.equal(forged.found, ["invalid", "no_such_user", "dkim"], f"{text}: the log says who vouched")
    good = Sent(rig, f"{client.unique('user')}@{DOMAIN}", lines, STRICT)
    tap.ok(good.end.code == 250 and good.asked, f"{text}: somebody there: it gets in", good)
    return forged


def _is_not_asked_about(tap, rig, lines, text):
    sent = Sent(rig, next(_senders), lines)
    tap.ok(sent.end.code == 250 and sent.asked == 0, f"{text}: nobody is called", sent)
    tap.equal(sent.found, ["unknown", "spf_fail", "nobody"], f"{text}: the log says so")
    return sent


# --- A scripted filter ------------------------------------------------------------------------------


def _scripted(tap, rig):
    says = {}
    with filters.Filter(rig.net.mta, lambda sender, fields: [(1, *each) for each in says["what"]]):
        rig.mta.set_filter_before(filters.PORT)
        for what, value in VOUCH.items():
            says["what"] = [(RESULTS, value)]
            forged = _is_asked_about(tap, rig, _lines(), f"a filter before ours: {what}")
            rig.outcomes[f"a filter vouches: {what}"] = (forged.end.code, forged.words[:6])
        for what, value in VOUCH_NOT.items():
            says["what"] = [(RESULTS, value)]
            _is_not_asked_about(tap, rig, _lines(), f"a filter before ours: {what}")
        refused = Sent(rig, next(_senders), _lines(), STRICT)
        tap.ok(
            refused.rcpt.code == 250 and refused.words.startswith("5.7.23 "),
            "on_spf_fail = reject: nobody has vouched by the end of the message: 550 5.7.23",
            refused,
        )
        says["what"] = [(RESULTS, f"{FILTER}; dkim=none")]
        for what, fields in FORGED.items():
            _is_not_asked_about(tap, rig, _lines(*fields), f"a forged field {what}")


# --- OpenDKIM -------------------------------------------------------------------------------------


def _opendkim(tap, rig):
    try:
        unpacked = debs.unpacked_opendkim(rig.builddir, rig.folder)
        opendkim.OpenDkim.check(unpacked)
    except debs.CannotHave as reason:
        tap.skip("OpenDKIM before ours", reason)
        return
    for always in (True, False):
        with opendkim.OpenDkim(rig.net.mta, rig.folder, unpacked, FILTER, DOMAIN, always) as signer:
            rig.mta.set_filter_before(filters.PORT)
            _behind_opendkim(tap, rig, signer, always)


def _behind_opendkim(tap, rig, signer, always):
    text = "OpenDKIM" if always else "OpenDKIM without AlwaysAddARHeader"
    fields = [("Subject", client.unique("signed")), ("From", f"x@{DOMAIN}")]
    fields.insert(0, signer.signature(fields, "Hello.\r\n"))
    signed = [*(f"{name}: {value}" for name, value in fields), ""]
    _is_asked_about(tap, rig, [*signed, "Hello."], f"{text}: a good signature")
    _is_not_asked_about(tap, rig, [*signed, "Hallo."], f"{text}: a broken signature")
    _is_not_asked_about(tap, rig, _lines(), f"{text}: no signature")
    for what, tags in SIGNERS.items():
        name, value = signer.signature(fields[1:], "Hello.\r\n", tags)
        lines = [f"{name}: {value}", *signed[1:], "Hello."]
        _is_not_asked_about(tap, rig, lines, f"{text}: a stranger signs as {what}")
    forged = {**LEGIBLE, **ODD} if always else LEGIBLE
    for what, value in forged.items():
        lines = _lines(f"{RESULTS}: {value}")
        _is_not_asked_about(tap, rig, lines, f"{text}: no signature, a forged field, {what}")
    tap.ok(signer.process.poll() is None, f"{text} has seen them all", signer.log())
