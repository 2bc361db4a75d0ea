# SPDX-License-Identifier: BSD-2-Clause
"""Messages with hardly anything in them: each is answered, wherever the milter listens and whenever
it decides. (Left without an answer at the end of a message, an MTA waits for minutes.)
"""

import contextlib
import itertools
import pathlib

import client
import milter
import places
import waiting

VALID = "user-bare@real.example"
# Whoever says what; none is turned away.
CLIENTS = {
    "a stranger": (VALID, "203.0.113.1", None),
    "the null sender": ("", "203.0.113.1", None),
    "a trusted client": (VALID, milter.TRUSTED, None),
    "an authenticated client": (VALID, "203.0.113.1", "joe"),
}
# Behind DATA, up to the end; "@" is a word to find it by.
MESSAGES = {
    "nothing at all": "",
    "an empty line": "\r\n",
    "a header field and nothing else": "Subject: @\r\n",
    "a body without a header": "@ says hello.\r\n",
    "an empty line before the body": "\r\n@ says hello.\r\n",
    "a whole message": "Subject: bare\r\n\r\n@\r\n",
}
TOKENS = [text for text, body in MESSAGES.items() if "@" in body]


def run(tap, rig):
    before = rig.milter.place
    try:
        for place in (places.Inet(), places.Unix(pathlib.Path(rig.folder, "socket"))):
            rig.mta.set_milter(place)
            rig.milter.place = place
            rig.milter.start_fresh()
            for stage, dry_run in itertools.product(("rcpt", "data", "eom"), ("no", "yes")):
                _answered(tap, rig, stage, dry_run)
    finally:
        rig.milter.place = before
        rig.mta.set_milter(before)
        rig.milter.start_fresh()


def _answered(tap, rig, stage, dry_run):
    text = f"{rig.milter.place.kind}, decide_at = {stage}, dry_run = {dry_run}"
    rig.milter.configure(dry_run=dry_run, more=f'decide_at = "{stage}"')
    status, _, errors = rig.milter.ringback("reload")
    if status != 0:
        raise OSError(f"ringback reload: {errors}")
    for who in CLIENTS:
        if who == "an authenticated client" and rig.mta.cannot_login():
            tap.skip(f"{text}: {who}", rig.mta.cannot_login())
            continue
        answers, tokens = _send_all(rig, who)
        odd = {kind: reply.line for kind, reply in answers.items() if reply.code != 250}
        tap.ok(not odd, f"{text}: {who}: every message is answered and let in", odd)
        if who == "a stranger":
            missing = _without_header(rig, tokens)
            tap.ok(not missing, f"{text}: {who}: each carries X-Ringback", missing)


def _send_all(rig, who):
    """Every message in one session: the replies at their ends, and the words to find them by."""
    sender, source, user = CLIENTS[who]
    answers, tokens = {}, {}
    with contextlib.closing(client.Session(rig.net.client, source)) as session:
        session.ehlo()
        if user:
            session.command(rig.mta.login(user))
            session.ehlo()
        for kind, body in MESSAGES.items():
            tokens[kind] = client.unique("bare")
            session.command(f"MAIL FROM:<{sender}>")
            session.command(f"RCPT TO:<{client.RECIPIENT}>")
            answers[kind] = session.command("DATA")
            if answers[kind].code == 354:
                session.write(body.replace("@", tokens[kind]))
                answers[kind] = session.command(".")
            if answers[kind].code == 0:
                break  # nobody answers any more
    return answers, {kind: tokens[kind] for kind in TOKENS if kind in answers}


def _without_header(rig, tokens):
    """Of these, what was filed without our header, or not filed."""

    def missing():
        texts = [path.read_text("latin-1") for path in rig.mta.delivered()]
        ours = [text for text in texts if "X-Ringback: valid" in text]
        return [kind for kind, token in tokens.items() if not any(token in each for each in ours)]

    waiting.until(lambda: not missing())
    return missing()
