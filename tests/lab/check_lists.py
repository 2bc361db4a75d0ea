# SPDX-License-Identifier: BSD-2-Clause
"""`ringback verify -` with lists: thousands of addresses, broken off, taken up again, ill-formed."""

import json
import os
import pathlib
import pty
import re
import signal
import time

import lists

COUNT = 800
UNDER_WAY = 512  # milter/tool/window.h
SESSIONS = 8  # of a domain at once: those that begin together all ask whether it takes everybody
PROBES = SESSIONS * lists.DOMAINS
FREE = f"""
limits {{
    per_domain_sessions = {SESSIONS}
    per_domain_rate = "1000000/m"
    global_rate = "1000000/m"
}}
"""
RATES = """
limits { per_domain_rate = "600/m" global_rate = "1000000/m" }
"""


def run(tap, rig):
    rig.milter.start_fresh(more=FREE)
    folder = pathlib.Path(rig.folder) / "lists"
    folder.mkdir(exist_ok=True)
    whole = _whole(tap, rig, folder)
    _killed(tap, rig, folder, whole)
    _interrupted(tap, rig, folder, whole)
    _lines(tap, rig)
    _resume_files(tap, rig, folder)
    _outputs(tap, rig, folder)
    _pipe(tap, rig)
    _progress(tap, rig, folder)
    _rates(tap, rig)


def _fresh(rig, more=FREE, **settings):
    """An empty cache, and mail hosts that count from 0."""
    rig.milter.start_fresh(more=more, **settings)
    rig.hosts.reset()


def _rcpts(rig):
    return sum(counts.rcpts for counts in rig.hosts.settled().values())


def _whole(tap, rig, folder):
    """In one go. What it came to is returned: what the runs that are broken off must come to."""
    addresses = lists.make(COUNT)
    (folder / "list").write_text("".join(f"{each}\n" for each in addresses))
    rig.hosts.reset()
    with lists.Run(rig, folder / "list", folder / "whole", "--json") as whole:
        status = whole.wait()
    found = lists.answers(folder / "whole")
    tap.equal(status, 67, f"a list of {COUNT}: its exit status tells that some are invalid")
    tap.equal(
        [each["address"] for each in found], addresses, "each address once, in the list's order"
    )
    wrong = [each for each in found if each["verdict"] != lists.wanted(each["address"])]
    tap.ok(not wrong, "each with its verdict", wrong[:3])
    rcpts, most = _rcpts(rig), COUNT + PROBES
    tap.ok(rcpts <= most, "each was asked about once, and each domain for its catch-all", rcpts)
    return found


def _killed(tap, rig, folder, whole):
    """SIGKILL, at moments of no choice of its own, until it gets to the end."""
    _fresh(rig)
    output, resume, kills = folder / "killed", folder / "killed.resume", 0
    for patience in (0.7, 0.8, 0.9, None):
        with lists.Run(rig, folder / "list", output, "--json", "--resume", str(resume)) as part:
            status = part.wait(patience)
            kills += status == -signal.SIGKILL
    tap.ok(kills > 0 and status == 67, "killed, and taken up again to its end", kills, status)
    found = lists.answers(output)
    twice = len(found) - len({each["address"] for each in found})
    tap.ok(twice <= kills, "of each SIGKILL, one answer at most comes twice", twice, kills)
    tap.equal(
        list(dict.fromkeys(lists.brief(each) for each in found)),
        [lists.brief(each) for each in whole],
        "no answer is lost, all are in order, and as they are without",
    )
    rcpts, most = _rcpts(rig), COUNT + kills * (UNDER_WAY + PROBES) + PROBES
    tap.ok(rcpts <= most, "nothing is asked twice but what was under way", rcpts, most)
    with lists.Run(rig, folder / "list", output, "--json", "--resume", str(resume)) as again:
        status = again.wait()
    tap.equal(
        (status, len(lists.answers(output))),
        (67, len(found)),
        "once more: nothing is left to be done, and the exit status is the whole list's",
    )


def _interrupted(tap, rig, folder, whole):
    output, resume = folder / "interrupted", folder / "interrupted.resume"
    _fresh(rig, command_timeout="10m", total_timeout="10m")
    with lists.Run(rig, folder / "list", output, "--json", "--resume", str(resume)) as part:
        part.wait_for_lines(20)
        with rig.hosts.held():
            part.process.send_signal(signal.SIGINT)
            status = part.wait()
    text = "SIGINT ends it, whatever it waits for, and its parent sees that"
    tap.equal(status, -signal.SIGINT, text)
    tap.ok(
        "broken off" in part.errors and str(resume) in part.errors,
        "it says that it was broken off, and where that is kept",
        part.errors,
    )
    with lists.Run(rig, folder / "list", output, "--json", "--resume", str(resume)) as rest:
        rest.wait()
    tap.equal(
        [lists.brief(each) for each in lists.answers(output)],
        [lists.brief(each) for each in whole],
        "taken up again: each answer is there once",
    )


ILL_FORMED = [
    ("CR LF at the end", b"alice@real.example\r\n", ["alice@real.example"]),
    ("no line end", b"alice@real.example", ["alice@real.example"]),
    ("a byte order mark", b"\xef\xbb\xbfalice@real.example\n", ["alice@real.example"]),
    ("blanks around it", b"  \talice@real.example \t\n", ["alice@real.example"]),
    ("in brackets", b"<alice@real.example>\n", ["alice@real.example"]),
    ("blank lines and comments", b"\n \n# no\n#alice@real.example\n\t\r\n", []),
    ("nothing at all", b"", []),
    ("a NUL behind it", b"alice@real.example\0\n", ["alice@real.example?"]),
    ("a NUL alone", b"\0\n", ["?"]),
    ("8-bit octets", b"\xff\xfe@real.example\n", ("unknown", "rejected")),
    ("just too long", b"a" * 1024 + b"@real.example\n", ("invalid", "bad_address")),
]


def _lines(tap, rig):
    for title, octets, wanted in ILL_FORMED:
        status, found = lists.feed(rig, octets)
        if isinstance(wanted, tuple):
            seen = [(each["verdict"], each["reason"]) for each in found]
            tap.equal(seen, [wanted], f"{title}: cannot be asked about")
        else:
            tap.equal([each["address"] for each in found], wanted, f"{title}: is understood")
    _endless_line(tap, rig)


def _endless_line(tap, rig):
    octets = b"a" * (64 * 1024 * 1024) + b"@real.example\nalice@real.example"
    status, found = lists.feed(rig, octets)
    tap.equal(
        [each["verdict"] for each in found],
        ["invalid", "valid"],
        "a line of 64 MiB is no address, and the next one is read",
        status,
    )


def _resume_files(tap, rig, folder):
    """Those that are no good are refused, at once, and left as they are."""
    good = folder / "killed.resume"
    line = good.read_text()
    shorter, other = folder / "shorter", folder / "other"
    shorter.write_text("alice@real.example\n")
    other.write_text((folder / "list").read_text().replace("user-", "uses-", 1))
    refused = [
        ("of a longer list", shorter, line, 65),
        ("of another list", other, line, 65),
        ("with a digit changed", folder / "list", _flip(line), 65),
        ("cut short", folder / "list", line[:-3], 65),
        ("with more behind it", folder / "list", line + "x", 65),
        ("that is something else", folder / "list", "alice@real.example\n", 65),
    ]
    for title, addresses, text, wanted in refused:
        resume = folder / "refused"
        resume.write_text(text)
        with lists.Run(rig, addresses, folder / "none", "--resume", str(resume)) as part:
            status = part.wait()
        tap.ok(
            status == wanted
            and part.errors.startswith("ringback: --resume: ")
            and not (folder / "none").read_text()
            and resume.read_text() == text,
            f"a resume file {title} is refused, and left as it is",
            status,
            part.errors,
        )
    for title, path in (("in a folder that is not there", "no/such"), ("a folder", ".")):
        with lists.Run(rig, shorter, folder / "none", "--resume", str(folder / path)) as part:
            status = part.wait()
        tap.ok(
            status == 73 and not (folder / "none").read_text(),
            f"a resume file {title}: said before anything is asked",
            status,
            part.errors,
        )
    status, _, errors = rig.milter.ringback("verify", "--resume", str(good), "a@real.example")
    tap.ok(status == 64 and "-" in errors, "--resume without a list is wrong usage", errors)
    _in_use(tap, rig, folder)


def _flip(line):
    at = re.search("[1-8]", line.split(" ", 2)[2]).start() + len("ringback-list 2 ")
    return line[:at] + str(int(line[at]) + 1) + line[at + 1 :]


def _in_use(tap, rig, folder):
    resume = folder / "in-use"
    with lists.Run(rig, None, folder / "one", "--resume", str(resume)) as one:
        one.feed(b"alice@real.example\n")
        one.wait_for_lines(1)
        with lists.Run(rig, folder / "shorter", folder / "two", "--resume", str(resume)) as two:
            status = two.wait()
        one.end_of_input()
        tap.equal(one.wait(), 0, "a list that is being made is read as it comes")
    tap.ok(status == 73 and "at work" in two.errors, "one run at a time for one resume file", status)


def _outputs(tap, rig, folder):
    """What was cut in the middle of a line goes on whole; what cannot be written ends it."""
    output, resume = folder / "cut", folder / "cut.resume"
    (folder / "two").write_text("alice@real.example\nbob@real.example\n")
    (folder / "first").write_text("alice@real.example\n")
    for name in ("first", "two"):
        with lists.Run(rig, folder / name, output, "--json", "--resume", str(resume)) as part:
            part.wait()
        if name == "first":
            with open(output, "a", encoding="ascii") as cut:
                cut.write('{"address":"bob@real.exa')
    tap.equal(
        [each["address"] for each in lists.answers(output)],
        ["alice@real.example", "bob@real.example"],
        "a line that was cut is written anew; a list that has grown goes on",
    )
    with lists.Run(rig, folder / "two", "/dev/full", "--resume", str(folder / "full")) as part:
        status = part.wait()
    tap.ok(
        status == 74 and "standard output" in part.errors,
        "an output that is full ends it, and is named",
        status,
        part.errors,
    )
    with lists.Run(rig, folder / "two", output, "--json", "--resume", str(folder / "full")) as part:
        part.wait()
    tap.equal(len(lists.answers(output)), 4, "and no answer counts as given that was not written")


def _pipe(tap, rig):
    """Answers come while the list is still being made."""
    with lists.Run(rig, None, None, "--json") as part:
        part.feed(b"alice@real.example\n")
        first = json.loads(part.process.stdout.readline())
        part.feed(b"bob@real.example\nnobody@real.exa")
        second = json.loads(part.process.stdout.readline())
        part.feed(b"mple\n")
        part.end_of_input()
        third = json.loads(part.process.stdout.readline())
        status = part.wait()
    tap.equal(
        [first["verdict"], second["verdict"], third["verdict"], status],
        ["valid", "valid", "invalid", 67],
        "a pipe: each answer comes as soon as it is there, not at the list's end",
    )


def _progress(tap, rig, folder):
    _fresh(rig, RATES)
    (folder / "slow").write_text("".join(f"user-p{n}@bulk.example\n" for n in range(630)))
    ours, theirs = pty.openpty()
    with lists.Run(rig, folder / "slow", folder / "progress", errors=theirs) as part:
        status = part.wait()
    os.close(theirs)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    found = re.findall(r"(\d+) valid, 0 invalid, 0 unknown, ([\d.]+)/s, (\d+) %", shown)
    tap.ok(
        status == 0 and found and re.search(r"\d:\d\d:\d\d left", shown),
        "on a terminal: how far it is, how fast, and how much time is left",
        status,
        repr(shown),
    )
    tap.ok(found and found[-1][0] == "630" and found[-1][2] == "100", "to the end", found)


def _rates(tap, rig):
    """A rate holds up nobody but those whom it is for, and nobody is given up for it."""
    _fresh(rig, 'limits { per_domain_rate = "60/m" }')
    addresses = [f"user-r{n}@bulk.example" for n in range(66)]
    addresses += [f"user-r{n}@real.example" for n in range(40)]
    rig.hosts.reset()
    begun = time.monotonic()
    found = rig.milter.ringback_json(
        "verify", "-", stdin="".join(f"{each}\n" for each in addresses)
    )
    took = time.monotonic() - begun
    tap.ok(
        all(each["verdict"] == "valid" for each in found) and len(found) == len(addresses),
        "a list that is over a rate waits for it",
        [each for each in found if each["verdict"] != "valid"][:3],
    )
    tap.ok(took > 3, "as long as the rate says", f"{took:.1f} s")
    last = {"192.0.2.12": 0, "192.0.2.10": 0}
    for host in last:
        last[host] = max(each["time_ms"] for each in rig.hosts.transactions(host))
    tap.ok(
        last["192.0.2.10"] < last["192.0.2.12"],
        "domains that are not over theirs do not wait for those that are",
        last,
    )
