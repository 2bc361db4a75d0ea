#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The status page in a real browser: Debian's chromium, without a window, on a real daemon that a played MTA asks.

    tests/browser/test_page.py [--pictures FOLDER]

Prints TAP; skipped where there is no browser. --pictures writes what the pages look like. RB_SRCDIR and RB_BUILDDIR say
where source and programs are.
"""

import sys

sys.dont_write_bytecode = True  # the source tree may be read-only, and is no place for it

import argparse
import pathlib
import re
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import devtools
import rig
from tap import Tap

STRANGER, PARTNER, TRUSTED, HOSTILE = "203.0.113.1", "198.51.100.7", "203.0.113.250", "192.0.2.66"
SCRIPT = '<"<script>alert(1)</script>"@good.example>'
RTL = "<\u202emoc.elpmaxe\u202c@good.example>".encode()
LARGE = "<" + "x" * 2000 + "@good.example>"
ROWS = "document.querySelectorAll('.decisions tbody tr').length"
SIZES = {"large": (1600, 1000), "middle": (800, 1000), "small": (380, 800)}


def feed(daemon):
    """What a page has to show: each verdict, and what strangers would put into it."""
    for number in range(3):
        daemon.send(STRANGER, f"<nobody{number}@good.example>", helo="mail.forger.example", queue_id="")
    daemon.send(PARTNER, "<alice@good.example>", helo="mail.good.example")
    daemon.send(PARTNER, "<later@good.example>")
    daemon.send(PARTNER, "<info@all.example>")
    daemon.send(STRANGER, "<me@disowns.example>")
    daemon.send(STRANGER, "<x@gone.example>")
    daemon.send(STRANGER, "<>")
    for sender in SCRIPT, RTL, LARGE, "<markup@good.example>":
        daemon.send(HOSTILE, sender, helo="<img/src=x/onerror=alert(1)>")


SENT = 13


def check_loading(tap, tab, daemon):
    tap.group("as it is opened")
    tab.size(*SIZES["large"])
    tab.open(daemon.url + "/")
    tap.equal(tab.run("document.title"), "Ringback · mx.our.example", "the title says whose it is")
    tap.equal(tab.run(ROWS), SENT, "every decision has a row")
    tap.equal(tab.run("document.querySelectorAll('.chart svg rect').length > 3"), True, "charts are drawn")
    tap.equal(
        tab.run("getComputedStyle(document.querySelector('.decisions')).borderCollapse"), "collapse", "its style is there"
    )
    tap.ok("decisions" in tab.run("document.getElementById('lead').textContent"), "one sentence says it all")
    elsewhere = [url for url in tab.requested() if not url.startswith((daemon.url + "/", "about:", "data:"))]
    tap.ok(not elsewhere, "nothing is asked for elsewhere", *elsewhere)


def check_filter(tap, tab):
    """As it is typed, without the page being loaded anew."""
    tap.group("the filter")
    tab.run("window.isTheSame = true")
    for field, text, found in (
        ("address", "nobody1@", 1),
        ("client", "198.51.100.", 3),
        ("client", "forger.example", 3),
        ("address", "no such thing", 0),
    ):
        tab.run(f"document.getElementById('{field}').focus()")
        tab.type(text)
        shown = tab.until(f"document.getElementById('found').textContent.startsWith('{found} of ') && {ROWS} === {found}")
        tap.ok(shown, f"by {field}: {text}")
        tap.equal(tab.run("document.activeElement.id"), field, "the focus stays in the field")
        tab.run("document.querySelector('.clear').click()")
        tab.until(f"{ROWS} === {SENT}")
    tab.run(
        "{ const select = document.getElementById('verdict'); select.value = 'exempt';"
        " select.dispatchEvent(new Event('input', {bubbles: true})); }"
    )
    tap.ok(tab.until(f"{ROWS} === 1"), "by verdict")
    tap.equal(tab.run("location.search"), "?verdict=exempt", "the address of the page says what is shown")
    tab.run("document.querySelector('.clear').click()")
    tab.until(f"{ROWS} === {SENT}")
    tap.ok(tab.run("window.isTheSame"), "and all that without another page")


def check_hostile(tap, tab):
    tap.group("what strangers put into it")
    text = tab.run("document.querySelector('.decisions').textContent")
    for part, what in (
        ("<script>alert(1)</script>", "a script is text"),
        ("<b>no</b> such user <img src=x onerror=alert(1)>", "markup in a reply is text"),
        ("<img/src=x/onerror=alert(1)>", "markup in a HELO name is text"),
        ("x" * 200, "an address of 2,000 octets is shown, as far as it goes"),
    ):
        tap.ok(part in text, what)
    tap.equal(tab.run("document.scripts.length"), 1, "there is one script: the page's own")
    tap.equal(tab.run("document.querySelectorAll('main img, main iframe, main style').length"), 0, "and no element of theirs")
    tap.ok("\u202e" not in text and "\u202d" not in text, "no mark turns the text")


def check_live(tap, tab, daemon):
    tap.group("by itself")
    tab.run("document.getElementById('ask').focus()")
    tab.run("document.getElementById('chart-hour-table').open = true")
    daemon.send(PARTNER, "<new@all.example>")
    tap.ok(tab.until(f"{ROWS} === {SENT + 1}"), "what is decided now shows up")
    tap.equal(tab.run("document.activeElement.id"), "ask", "the focus is where it was")
    tap.ok(tab.run("document.getElementById('chart-hour-table').open"), "what was opened stays open")


def check_faults(tap, tab, daemon):
    """What the network, or the daemon, does to a page that is open. fetch is played."""
    tap.group("where the daemon does not answer")
    tab.open(daemon.url + "/?faults")
    tab.run("window.real = window.fetch; window.asked = 0")
    live = "document.getElementById('live').textContent"
    is_old = "document.documentElement.classList.contains('old')"
    renewed = f"{live}.startsWith('Renewed') && !{is_old}"

    def play(answer):
        tab.run("{ window.asked = 0; window.fetch = (...all) => { window.asked++; window.signal = all[1].signal; return " + answer + "; }; }")
        tab.run("document.querySelector('.filter').requestSubmit()")

    def recovers(what):
        tab.run("window.fetch = window.real; document.querySelector('.filter').requestSubmit()")
        tap.ok(tab.until(renewed), what)

    rows = tab.run(ROWS)
    for answer, said in (
        ("Promise.reject(new TypeError('gone'))", "does not answer."),
        ("Promise.resolve(new Response('', {status: 503}))", "answers with 503."),
        ("Promise.resolve(new Response('<html><body>A captive portal', {status: 200}))", "does not answer."),
        ("Promise.resolve(new Response('', {status: 401}))", "a password is wanted."),
    ):
        play(answer)
        tap.ok(tab.until(f"{live}.includes('{said}') && {is_old}"), f"it says so: {said}")
        tap.equal(tab.run(ROWS), rows, "and leaves what it has")
        recovers("it is renewed once it answers")
    tap.group("what is typed while an answer is on its way")
    play("new Promise((done) => { window.answer = () => window.real('/').then(done); })")
    tab.until("window.asked === 1")
    tab.run("window.fetch = window.real; document.getElementById('address').focus()")
    tab.type("nobody1@")
    tap.equal(tab.run("window.signal.aborted"), True, "what was asked for before is given up")
    tab.run("window.answer()")
    tap.ok(tab.until(f"{ROWS} === 1"), "what is typed counts")
    tap.group("what somebody selects")
    tab.run("document.querySelector('.clear').click()")
    tab.until(f"{ROWS} === {rows}")
    tab.run("getSelection().selectAllChildren(document.querySelector('.decisions .why')); window.mine = getSelection().toString()")
    daemon.send(PARTNER, "<while-it-is-copied@all.example>")
    tab.run("document.querySelector('.filter').requestSubmit()")
    tab.until(f"document.getElementById('lead').textContent.includes('{rows + 1} decisions')")
    tap.equal(tab.run("[getSelection().toString() === window.mine, window.mine.length > 10]"), [True, True], "stays")
    tab.run("getSelection().removeAllRanges(); document.querySelector('.filter').requestSubmit()")
    tap.ok(tab.until(f"{ROWS} === {rows + 1}"), "until it is no more")


def check_without_script(tap, tab, daemon):
    tap.group("without JavaScript")
    tab.scripts(False)
    tab.open(daemon.url + "/?verdict=invalid")
    shown = tab.run("[...document.querySelectorAll('.decisions .pill')].map((each) => each.textContent).join(' ')")
    tap.ok(shown and set(shown.split()) == {"invalid"}, "the form's arguments choose", shown)
    tap.ok("Renewed by itself" not in tab.run("document.body.textContent"), "and nothing says that it is renewed")
    tab.run("document.getElementById('verdict').value = 'valid'; document.querySelector('.filter button').click()")
    tab.await_load()
    tap.equal(tab.run("location.search"), "?address=&client=&verdict=valid", "the form is sent")
    tap.equal(tab.run(ROWS), 1, "and answered")
    tab.scripts(True)


def check_keyboard(tap, tab, daemon):
    tap.group("by keyboard")
    tab.open(daemon.url + "/?keyboard")
    seen = []
    for _ in range(12):
        tab.press("Tab", code="Tab", windowsVirtualKeyCode=9)
        seen.append(
            tab.run(
                "{ const it = document.activeElement, style = getComputedStyle(it), box = it.getBoundingClientRect();"
                " ({name: it.className || it.id || it.textContent.trim(), outline: style.outlineStyle, top: box.top}) }"
            )
        )
    names = [each["name"] for each in seen]
    tap.equal(names[0], "skip", "the first step skips to the content", *names)
    tap.ok(seen[0]["top"] >= 0, "and is seen then")
    for name in "ask", "address", "client", "verdict":
        tap.ok(name in names, f"{name} can be reached", *names)
    blind = [each["name"] for each in seen if each["outline"] in ("none", "")]
    tap.ok(not blind, "wherever the focus is, it shows", *blind)
    unnamed = tab.run(
        "[...document.querySelectorAll('input, select')].filter((each) => !each.labels.length).map((each) => each.id)"
    )
    tap.ok(not unnamed, "every field has a label", *unnamed)
    tab.run("document.querySelector('.skip').focus()")
    tab.press("Enter", code="Enter", windowsVirtualKeyCode=13, text="\r")
    tap.equal(tab.run("location.hash + document.activeElement.id"), "#contentcontent", "which leads there")


def check_small(tap, tab, daemon):
    tap.group("on a telephone")
    tab.size(*SIZES["small"])
    paths = {"/?small": "the page", "/why?address=nobody1@good.example": "an answer", "/why": "a question"}
    paths["/why?address=" + "x" * 240 + "@good.example"] = "a long address"
    for path, what in paths.items():
        tab.open(daemon.url + path)
        width = tab.run("document.documentElement.scrollWidth")
        tap.ok(width <= 380, f"{what} is as wide as the screen", width)
    tab.size(*SIZES["large"])


def check_dark(tap, tab, daemon):
    tap.group("at night")
    seen = []
    for is_dark in False, True:
        tab.dark(is_dark)
        seen.append(tab.run("getComputedStyle(document.body).backgroundColor"))
    light, dark = (sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in seen)
    tap.ok(light > 600 and dark < 150, "it is dark where the system is", *seen)
    tab.dark(False)


def check_why(tap, tab, daemon):
    tap.group("why")
    address = "nobody1@good.example"
    tab.open(daemon.url + "/?why")
    tab.run("document.getElementById('ask').focus()")
    tab.type(address)
    tab.press("Enter", code="Enter", windowsVirtualKeyCode=13, text="\r")
    tab.await_load()
    text = tab.run("document.querySelector('main').textContent")
    for part in (
        f"{address} is invalid",
        f"550 5.1.1 <{address}>: Recipient address rejected: User unknown in virtual mailbox table",
        f"mx.good.example [{rig.HOST}]:{daemon.port}",
        "read by the rule",
        "counts until",
        "partners, where it matches by client: the mail is refused.",
        "default: the mail is refused.",
        f"ringback cache delete -c {daemon.folder}/ringback.conf -- {address}",
        f"ringback explain -c {daemon.folder}/ringback.conf --client {STRANGER} --helo mail.forger.example"
        f" --from {address} --to someone@our.example",
    ):
        tap.ok(part in text, f"it says: {part.replace(str(daemon.folder), '...')}", text)
    tab.open(daemon.url + "/why?address=later@good.example")
    text = tab.run("document.querySelector('main').textContent")
    tap.ok("It has been asked again not yet, and will be in " in text, "who said “later” will be asked again", text)
    tab.open(daemon.url + "/why?" + urllib.parse.urlencode({"address": SCRIPT}))
    tap.ok("<script>alert(1)</script>" in tab.run("document.querySelector('h1').textContent"), "a script is text there, too")
    tap.equal(tab.run("document.getElementById('ask').value"), SCRIPT, "and what was typed stays in its field")
    for path, wanted in {
        f"/why?address={address}": 200,
        "/why": 200,
        "/why?address=info%40all.example": 200,
        "/why?address=never-met@good.example": 404,
        "/why?address=no+address": 400,
    }.items():
        tap.equal(daemon.get(path)[0], wanted, f"{path}: {wanted}")


def metrics_by_verdict(text):
    """Decisions by verdict, as /metrics has them."""
    counts = {}
    for labels, number in re.findall(r"^ringback_transactions_total\{([^}]*)\} (\S+)$", text, re.M):
        reason = re.search(r'reason="([^"]*)"', labels)[1]
        counts[reason] = counts.get(reason, 0) + int(float(number))
    return {reason: count for reason, count in counts.items() if count}


def status_by_reason(status):
    return {reason: count for counts in status["verdicts"].values() for reason, count in counts.items()}


def check_numbers(tap, tab, daemon):
    tap.group("numbers")
    tab.open(daemon.url + "/?numbers")
    shown = tab.run(
        "Object.fromEntries([...document.querySelectorAll('#reasons tbody tr')].map((row) =>"
        " [row.querySelector('th').textContent, Number(row.querySelector('td').textContent.replaceAll(',', ''))]))"
    )
    tap.equal(shown, status_by_reason(daemon.status()), "decisions by reason are those of `ringback status`")
    status, _, text = daemon.get("/metrics")
    if status == 200:
        tap.equal(shown, metrics_by_verdict(text), "and those of /metrics")
    else:
        tap.skip("and those of /metrics", "there is none")


def check_policy(tap, tab, daemon):
    tap.group("what the browser has to say")
    _, headers, _ = daemon.get("/")
    tap.ok("default-src 'none'" in headers.get("Content-Security-Policy", ""), "the page may do what it needs, and no more")
    # Whoever asks about what is not known gets 404, and the console says so.
    complaints = [each for each in tab.complaints() if "404" not in each and "400" not in each]
    tap.ok(not complaints, "nothing", *complaints)


def take_pictures(tab, daemon, folder):
    folder.mkdir(parents=True, exist_ok=True)
    pages = {"page": "/", "why": "/why?address=nobody1@good.example"}
    for name, size in SIZES.items():
        tab.size(*size)
        for is_dark in False, True:
            tab.dark(is_dark)
            for page, path in pages.items():
                tab.open(daemon.url + path)
                tab.picture(folder / f"{page}-{name}-{'dark' if is_dark else 'light'}.png")


def run_all(tap, pictures):
    with rig.running() as daemon, devtools.Browser() as browser:
        feed(daemon)
        tab = browser.tab()
        check_loading(tap, tab, daemon)
        check_filter(tap, tab)
        check_hostile(tap, tab)
        check_live(tap, tab, daemon)
        check_faults(tap, tab, daemon)
        check_without_script(tap, tab, daemon)
        check_keyboard(tap, tab, daemon)
        check_why(tap, tab, daemon)
        check_small(tap, tab, daemon)
        check_dark(tap, tab, daemon)
        check_numbers(tap, tab, daemon)
        check_policy(tap, tab, daemon)
        if pictures:
            take_pictures(tab, daemon, pictures)


def main():
    parser = argparse.ArgumentParser(description="The status page in a real browser.")
    parser.add_argument("--pictures", metavar="FOLDER", type=pathlib.Path, help="writes what the pages look like")
    arguments = parser.parse_args()
    tap = Tap()
    reason = rig.missing() or (None if devtools.program() else "there is no chromium")
    if reason:
        print(f"1..0 # SKIP {reason}")
        return 0
    run_all(tap, arguments.pictures)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
