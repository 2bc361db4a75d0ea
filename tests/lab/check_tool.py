# SPDX-License-Identifier: BSD-2-Clause
"""The admin's tool beside the running daemon: verify, explain, status, reload, config."""

import contextlib
import os
import socket
import time

import check_verdicts
import lists
import milter
import world

KEYS = [
    "address",
    "verdict",
    "reason",
    "cached",
    "age_s",
    "expires_s",
    "domain",
    "mx",
    "ip",
    "port",
    "tls",
    "stage",
    "code",
    "enhanced",
    "reply",
    "mail_from",
    "elapsed_ms",
]
FORGED = "nobody@real.example"
MANY = 40
CATCH_ALL = "anybody@catchall.example"
SILENT = 40


def run(tap, rig):
    rig.milter.start_fresh()
    if not rig.repeats:
        for part in (_verify, _verify_many, _explain, _status, _silent_clients, _config):
            part(tap, rig)
        _path_that_is_no_utf8(tap, rig)
    for how in ("`ringback reload`", "SIGUSR1"):
        _reload(tap, rig, how)


def _verify(tap, rig):
    status, output, errors = rig.milter.ringback("verify", "alice@real.example")
    tap.ok(
        status == 0 and "valid" in output, "verify: a real address, exit status 0", output, errors
    )
    status, output, errors = rig.milter.ringback("verify", FORGED)
    tap.ok(
        status == 67 and "invalid" in output,
        "verify: a forged address, exit status 67",
        output,
        errors,
    )
    status, output, errors = rig.milter.ringback("verify", "alice@blocks.example")
    tap.ok(
        status == 75 and "unknown" in output,
        "verify: an unknown one, exit status 75",
        output,
        errors,
    )

    status, output, errors = rig.milter.ringback(
        "verify", "--json", "--no-cache", "--transcript", FORGED
    )
    found = milter.parse_json(output)
    if not tap.ok(len(found) == 1, "verify --json prints one object", output, errors):
        return
    answer = found[0]
    missing = [key for key in KEYS if key not in answer]
    tap.ok(not missing, "it has every key that it must have", missing, output)
    seen = {
        key: answer.get(key)
        for key in (
            "address",
            "verdict",
            "reason",
            "domain",
            "mx",
            "ip",
            "port",
            "code",
            "enhanced",
            "stage",
            "mail_from",
        )
    }
    tap.equal(
        seen,
        {
            "address": FORGED,
            "verdict": "invalid",
            "reason": "no_such_user",
            "domain": "real.example",
            "mx": "mx.real.example",
            "ip": "192.0.2.10",
            "port": 25,
            "code": 550,
            "enhanced": "5.1.1",
            "stage": "rcpt",
            "mail_from": "",
        },
        "it says who answered what, and where",
    )
    lines = answer.get("transcript") or []
    tap.ok(
        any(line["dir"] == ">" and f"RCPT TO:<{FORGED}>" in line["text"] for line in lines)
        and any(line["dir"] == "<" and "5.1.1" in line["text"] for line in lines),
        "--transcript shows what we said and what the host said",
        lines,
    )
    status, output, errors = rig.milter.ringback("verify", "--json", FORGED)
    again = milter.parse_json(output)
    tap.ok(again and again[0]["cached"] is True, "what was learned is in the cache", output, errors)


def _verify_many(tap, rig):
    addresses = [f"user-many{n}@slow{n}.example" for n in range(MANY)] + [FORGED]
    with lists.Run(rig, None, None, "--json") as many:
        with rig.hosts.held(*world.SLOW_HOSTS):
            many.feed("".join(f"{each}\n" for each in addresses).encode())
            many.end_of_input()
            at_once = rig.hosts.await_sessions(MANY, *world.SLOW_HOSTS)
        found = milter.parse_json(many.process.stdout.read().decode())
        status = many.wait()
    tap.equal(
        sorted(each["address"] for each in found),
        sorted(addresses),
        "verify - answers each address of its standard input once",
        many.errors,
    )
    tap.equal(status, 67, "and its exit status tells that one is invalid")
    tap.equal(at_once, MANY, "it verifies many in parallel")


def _explain(tap, rig):
    rig.hosts.reset()
    later = rig.milter.configure(rig.milter.folder / "later.conf", more='decide_at = "eom"\n')
    stranger = "203.0.113.1"
    for config, client, sender, text, word in (
        (rig.milter.config, stranger, FORGED, "what becomes of a forged sender", "reject"),
        (later, stranger, FORGED, "it where that is decided later, too", "reject"),
        (rig.milter.config, stranger, CATCH_ALL, "what a catch-all is found to be", "catch_all"),
        (rig.milter.config, milter.TRUSTED, FORGED, "that a trusted one is not verified", "trusted"),
    ):
        status, output, errors = rig.milter.ringback(
            "explain",
            "-c",
            str(config),
            "--client",
            client,
            "--helo",
            "client.lab.example",
            "--from",
            sender,
            "--to",
            "someone@local.example",
        )
        tap.ok(status in (0, 67) and word in output, f"explain says {text}", status, output, errors)
    later.unlink()


def _status(tap, rig):
    rig.send("alice@real.example")
    status, output, errors = rig.milter.ringback("status", "--json")
    found = milter.parse_json(output)
    tap.ok(
        status == 0 and len(found) == 1 and isinstance(found[0], dict) and found[0],
        "status --json prints one object",
        status,
        output,
        errors,
    )
    status, output, _ = rig.milter.ringback("status")
    tap.ok(status == 0 and f"pid {rig.milter.pid}" in output, "status prints it for people", output)


def _silent_clients(tap, rig):
    """Whoever may write to the control socket may forget to."""
    with contextlib.ExitStack() as stack:
        for _ in range(SILENT):
            client = stack.enter_context(socket.socket(socket.AF_UNIX))
            client.connect(str(rig.milter.control))
        status, _, errors = rig.milter.ringback("status")
        tap.equal(status, 0, f"status is answered beside {SILENT} clients that say nothing", errors)
        status, _, errors = rig.milter.ringback("reload")
        tap.equal(status, 0, "and so is reload", errors)


def _path_that_is_no_utf8(tap, rig):
    rig.milter.stop()
    strange = rig.milter.folder / os.fsdecode(b"ring\xffback.conf")
    usual, rig.milter.config = rig.milter.config, strange
    try:
        rig.milter.start()
        for verb, *options in (["status"], ["status", "--json"], ["reload"]):
            status, output, errors = rig.milter.ringback(verb, *options)
            tap.ok(
                status == 0 and ("ring" in output or verb == "status"),
                f"{' '.join([verb, *options])}: of a file whose name is no UTF-8",
                status,
                output,
                errors,
            )
        rig.milter.stop()
    finally:
        rig.milter.config = usual
        strange.unlink()
    rig.milter.start_fresh()


def _config(tap, rig):
    status, output, errors = rig.milter.ringback("config")
    tap.ok(
        status == 0 and "max_wait" in output and "valid_ttl" in output,
        "config prints what is in force, defaults included",
        status,
        errors,
        output[:500],
    )


def _reload(tap, rig, how):
    rig.milter.start_fresh()
    tap.equal(check_verdicts.told(rig.send(FORGED)), check_verdicts.REJECT, f"{how}: before")
    rig.milter.configure(
        more=(
            'policy "lenient" {\n    match { sender = { "real.example" } }\n'
            '    on_invalid = "tag"\n}\n'
        )
    )
    status, said = _order(rig, how)
    mail = rig.send(FORGED)
    tap.ok(status == 0 and mail.accepted, f"{how}: a new policy is in force", status, mail)
    message = rig.mta.message(mail.subject)
    tap.ok(
        message and message["X-Ringback-Warning"],
        f"{how}: and tags what it lets in",
        message and message.items(),
    )

    rig.milter.config.write_text(rig.milter.config.read_text() + "nonsense = yes\n")
    status, said = _order(rig, how)
    mail = rig.send(FORGED)
    tap.ok(
        rig.milter.alive() and mail.accepted,
        f"{how}: a broken file leaves the old one in force",
        mail,
    )
    if how != "SIGUSR1":
        tap.ok(status != 0, f"{how}: and says so by its exit status", status)
    tap.ok("nonsense" in said, f"{how}: what is wrong in it is named", said)
    rig.milter.configure()
    _order(rig, how)
    tap.equal(
        check_verdicts.told(rig.send(FORGED)),
        check_verdicts.REJECT,
        f"{how}: a good file is taken again",
    )


def _order(rig, how):
    """Makes it read its configuration again: exit status, and what was said about it where."""
    if how == "SIGUSR1":
        before = len(rig.milter.log())
        rig.milter.signal("SIGUSR1")
        return 0, rig.milter.await_log("reload: ", before)
    status, output, errors = rig.milter.ringback("reload")
    return status, output + errors
