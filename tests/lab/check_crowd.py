# SPDX-License-Identifier: BSD-2-Clause
"""Connect back where there is a crowd: two sites that both check and both answer, with a handful of
threads each, exchange many mails at once; and floods, of made-up verbs, of questions, of names.

What is counted is what passes over the cables, and what the milters count themselves.
"""

import collections
import contextlib
import sys

import client
import debs
import etc
import net
import postfix
import sendmail
import sites
import waiting
import wire

MAILS, MAILS_FULL = 20, 100  # each way
WORKERS = 4
# Everybody waits for long, and asks as often as there are mails: nobody is given up for his pace.
PATIENT = "60s"
CONFIG = f"""
connect_back {{
    check = yes
    answer = yes
    answer_users = {{ "postfix", "root" }}
    timeout = {PATIENT}
}}
limits {{
    per_domain_rate = "10000/m"
    per_client_rate = "10000/m"
    global_rate = "10000/m"
}}
"""


def run(tap, rig):
    mails = MAILS_FULL if "--full" in sys.argv else MAILS
    try:
        etc.check(rig.net.guard, rig.folder)
    except etc.CannotHave as reason:
        tap.skip("two sites that both check and answer", reason)
    else:
        with contextlib.ExitStack() as parts:
            _sites(tap, rig, parts, mails)
    _floods(tap, rig)


def _claims(milter):
    return [each for each in milter.decisions() if each["verify"] == "client"]


# --- Two sites ------------------------------------------------------------------------------------


def _site(rig, parts, name, kind):
    site = sites.Site(rig, name, kind)
    parts.callback(site.stop)
    site.with_ringback(rig.builddir)
    site.mta.start()
    return site


def _sites(tap, rig, parts, mails):
    listening = parts.enter_context(wire.Wire(rig.net.world))
    kind = sites.with_postfix(milters=postfix.MILTER)
    here = _site(rig, parts, "postfix-1", kind)
    _cross(tap, listening, here, _site(rig, parts, "postfix-2", kind), mails)
    try:
        unpacked = debs.unpacked(rig.builddir, rig.folder)
        sendmail.Sendmail.check(unpacked)
    except debs.CannotHave as reason:
        tap.skip("a site with Postfix and one with Sendmail", reason)
        return
    there = _site(rig, parts, "sendmail-1", sites.with_sendmail(unpacked))
    _cross(tap, listening, here, there, mails)


def _cross(tap, listening, here, there, mails):
    title = f"{mails} mails each way between {here.name} and {there.name}"
    ways = [(here, there), (there, here)]
    for site in (here, there):
        site.start_ringback("", max_wait=PATIENT, max_workers=WORKERS, more=CONFIG)
    failed, begun = tap.failed, [len(_claims(site.ringback)) for site in (here, there)]
    listening.forget()
    late = _exchange(ways, mails)
    tap.ok(not late, f"{title}, {WORKERS} threads each: all get in", *late[:5])
    calls = listening.settled()
    for (sender, asker), since in zip(ways, reversed(begun)):
        _way(tap, title, calls, sender, asker, mails, since)
    if tap.failed > failed:
        tap.note("\n".join(here.logs() + there.logs()))


def _exchange(ways, mails):
    """Hands over all mails at once; what did not get in."""
    subjects = {
        (way, number): client.unique("crowd") for way in range(len(ways)) for number in range(mails)
    }

    def send(index):
        way, number = divmod(index, mails)
        sender, recipient = ways[way]
        user = f"user{number % 100}"
        addresses = (f"{user}@{sender.domain}", f"{user}@{recipient.domain}")
        return sender.send(*addresses, subjects[way, number])

    sent = client.at_once(len(ways) * mails, send)
    late = [f"{mail}" for mail in sent if not mail.accepted]
    left = dict(subjects)

    def are_all_there():
        for way, number in list(left):
            if ways[way][1].received(left[way, number]):
                del left[way, number]
        return not left

    if not late:
        waiting.until(are_all_there)
        late = [f"{subject} at {ways[way][1].name}" for (way, _), subject in left.items()]
    return late


def _way(tap, title, calls, sender, asker, mails, since):
    """What mails of `sender` had `asker` do; of its claims those from `since` on are of them."""
    text = f"{title}: from {sender.name}"
    lines = _claims(asker.ringback)[since:]
    verdicts = collections.Counter(each["verdict"] for each in lines)
    tap.equal(dict(verdicts), {"confirmed": mails}, f"{text}: each has its answer, yes")
    known = sum(each["cached"] == "yes" for each in lines)
    questions = sum(sender.ringback.status()["connect_back"]["answered"].values())
    tap.equal(questions, mails - known, f"{text}: one question a mail, and none of what is known")
    back = [
        each
        for each in calls
        if (each.caller, each.called) == (asker.address, sender.address) and not each.delivers
    ]
    verbs = [sum(line.startswith("AYTTM") for line in each.lines) for each in back]
    tap.ok(max(verbs, default=0) <= 1, f"{text}: one a connection", max(verbs, default=0))
    tap.ok(len(back) <= mails, f"{text}: at most one connection back a mail", len(back))
    waited = [float(each.get("waited", "0s").rstrip("s")) for each in lines]
    tap.note(
        f"{text}: {len(back)} connections back, {questions} questions;"
        f" waited {1000 * sum(waited) / max(len(waited), 1):.0f} ms a mail"
    )
    tap.ok(
        waiting.until(lambda: not asker.ringback.status()["callouts"]["pending"]),
        f"{text}: nothing is left to be asked",
    )


# --- Floods ---------------------------------------------------------------------------------------

VERBS, VERB_SESSIONS = 10000, 20
QUESTIONS, RATE = 500, 50
NAMES, CALLS = 200, 30
FLOODER, GUEST = "203.0.113.66", "203.0.113.67"
LIMITS = f"""
limits {{
    per_client_rate = "{RATE}/d"
}}
"""
NAMES_LIMITS = f"""
limits {{
    per_domain_rate = "{CALLS}/d"
    per_client_rate = "10000/m"
}}
"""
BOTH = 'connect_back {{ check = yes answer = yes timeout = 60s answer_users = {{ "{user}" }} }}'
VICTIM = "192.0.2.226"


def _floods(tap, rig):
    user = "postfix" if rig.mta.name == "Postfix" else "root"
    both = BOTH.format(user=user)
    rig.milter.start_fresh(more=both + LIMITS, max_wait=PATIENT)
    _made_up_verbs(tap, rig)
    _questions(tap, rig)
    rig.milter.start_fresh(more=both + NAMES_LIMITS, max_wait=PATIENT)
    _names(tap, rig)
    _no_names(tap, rig)


def _others_are_served(tap, rig, text):
    """A client that nobody has heard of is asked about, and let in."""
    mail = rig.send("alice@real.example", source=GUEST, helo="mx.says-yes.example")
    verdicts = [each["verdict"] for each in _claims(rig.milter) if each["client"] == GUEST]
    found = (mail.code, verdicts[-1:])
    tap.equal(found, (250, ["confirmed"]), f"{text}: others are asked about, and let in")


def _made_up_verbs(tap, rig):
    """A session is over when the MTA has had enough of it."""

    def ask(index):
        codes = collections.Counter()
        with contextlib.suppress(OSError):
            with contextlib.closing(client.Session(rig.net.client, FLOODER)) as session:
                session.ehlo()
                for number in range(VERBS // VERB_SESSIONS):
                    reply = session.command(f"MADEUP{index}-{number}")
                    codes[reply.code] += 1
                    if reply.code in (0, 421):
                        break
        return codes

    crowd = client.Crowd(VERB_SESSIONS, ask)
    _others_are_served(tap, rig, f"{VERBS} made-up verbs")
    codes = sum(crowd.join(), collections.Counter())
    tap.ok(
        set(codes) <= {0, 421, 500, 502}, f"{VERBS} made-up verbs: all are the MTA's", dict(codes)
    )
    counts = rig.milter.status()["connect_back"]
    tap.equal(sum(counts["answered"].values()), 0, f"{VERBS} made-up verbs: none is answered")
    tap.note(f"made-up verbs: {dict(codes)}")


def _questions(tap, rig):
    text = f"{QUESTIONS} questions of one address"

    def ask(_):
        words = collections.Counter()
        for _ in range(QUESTIONS // 10):
            with contextlib.closing(client.Session(rig.net.client, FLOODER)) as session:
                session.ehlo()
                words[session.command("AYTTM-54321-25").line] += 1
        return words

    crowd = client.Crowd(10, ask)
    _others_are_served(tap, rig, text)
    words = sum(crowd.join(), collections.Counter())
    tap.equal(dict(words), {"450 4.5.0 AYTTM unknown": QUESTIONS}, f"{text}: all are answered")
    counts = rig.milter.status()["connect_back"]
    tap.equal(counts["answers_limited"], QUESTIONS - RATE, f"{text}: {RATE} of them by a look")
    with contextlib.closing(client.Session(rig.net.client, GUEST)) as session:
        session.ehlo()
        tap.equal(
            session.command("AYTTM-54321-25").line, "450 4.5.0 AYTTM unknown", f"{text}: and others"
        )
    counts = rig.milter.status()["connect_back"]
    tap.equal(counts["answers_limited"], QUESTIONS - RATE, f"{text}: others are not limited")


def _claim(rig, helo, number):
    """A client that claims that name; each has an address of its own."""
    return rig.send("", source=f"203.0.113.{100 + number % 100}", helo=helo)


def _names(tap, rig):
    text = f"{NAMES} names of one host"
    rig.hosts.settled()
    rig.hosts.reset()
    begun = len(rig.milter.decisions())
    crowd = client.Crowd(
        10,
        lambda index: [
            _claim(rig, f"bot{n}.victim.example", n) for n in range(index, NAMES, 10)
        ],
    )
    _others_are_served(tap, rig, text)
    mails = sum(crowd.join(), [])
    tap.ok(all(mail.accepted for mail in mails), f"{text}: all get in", *mails[:3])
    rig.hosts.settled()
    calls = rig.hosts.everything()[VICTIM]["connections"]
    tap.equal(calls, CALLS, f"{text}: it is called as often as per_domain_rate says")
    lines = [each for each in rig.milter.decisions()[begun:] if "victim" in each.get("helo", "")]
    verdicts = collections.Counter((each["verdict"], each.get("rule", "")) for each in lines)
    wanted = {("reachable", "verb_not_known"): CALLS, ("unknown", "per_domain_rate"): NAMES - CALLS}
    tap.equal(dict(verdicts), wanted, f"{text}: and the log says so of the others")


def _no_names(tap, rig):
    text = f"{NAMES} names that do not exist"
    rig.hosts.settled()
    rig.hosts.reset()
    begun = len(rig.milter.decisions())
    crowd = client.Crowd(
        10,
        lambda index: [
            _claim(rig, f"bot{n}.no-such.example", n) for n in range(index, NAMES, 10)
        ],
    )
    _others_are_served(tap, rig, text)
    mails = sum(crowd.join(), [])
    tap.ok(all(mail.accepted for mail in mails), f"{text}: all get in", *mails[:3])
    lines = [each for each in rig.milter.decisions()[begun:] if "no-such" in each.get("helo", "")]
    verdicts = collections.Counter(each["verdict"] for each in lines)
    tap.equal(dict(verdicts), {"unreachable": NAMES}, f"{text}: none is there")
    tap.equal(rig.hosts.settled().connections, 1, f"{text}: nobody is called for them")
