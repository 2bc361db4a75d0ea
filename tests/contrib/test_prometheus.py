#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""/metrics after a day of the daemon's: what is told is what the log says, and promtool has nothing to say about it. And
contrib/prometheus and contrib/grafana over it: a real Prometheus scrapes the daemon; each query finds series.

Prints TAP. Needs RB_SRCDIR and RB_BUILDDIR.
"""

import sys

sys.dont_write_bytecode = True

import collections
import contextlib
import json
import re
import shutil
import socket
import subprocess
import urllib.parse
import urllib.request

import alerts
import sample
from tap import Tap

PROGRAMS = ("prometheus", "promtool")
RULES = sample.CONTRIB / "prometheus/ringback.rules.yml"
DASHBOARD = sample.CONTRIB / "grafana/ringback.json"

FAMILIES = sample.SOURCE / "milter/http/exposition_families.def"
MANUAL = sample.SOURCE / "milter/man/ringback-milter.8"


def free_port():
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return trial.getsockname()[1]


def fetch(url):
    with urllib.request.urlopen(url, timeout=sample.PATIENCE_S) as answer:
        return answer.headers["Content-Type"], answer.read().decode()


# --- What is told ----------------------------------------------------------------


def declared():
    return re.findall(r"^(?:FAMILY|NUMBER)\((\w+), ", FAMILIES.read_text(), flags=re.M)


def samples(text):
    """name -> {labels: value}; labels as they stand."""
    found = collections.defaultdict(dict)
    for line in text.splitlines():
        if not line.startswith("#"):
            name, labels, value = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line).groups()
            found[name][labels or ""] = float(value)
    return found


def families_are_those_of_the_table_and_the_manual(tap, text):
    told = re.findall(r"^# TYPE (\w+) ", text, flags=re.M)
    tap.equal(told, declared(), "each family of the table is told, in its order")
    tap.equal(re.findall(r"^\.It Cm (\w+_\w+)", manual_section(), flags=re.M), declared(), "and stands in the manual")


def manual_section():
    return MANUAL.read_text().partition(".Sh METRICS\n")[2].partition("\n.Sh ")[0]


def decisions_are_those_of_the_log(tap, told, lines):
    counts = collections.Counter()
    for fields in filter(None, map(sample.read_line, lines)):
        if fields.get("verify") in ("sender", "recipient", "header"):
            labels = f'verdict="{fields["verdict"]}",reason="{fields["reason"]}",action="{fields["action"]}"'
            counts[labels] += 1
    asked = {labels: count for labels, count in told["ringback_transactions_total"].items() if "exempt" not in labels}
    seen = {labels: count for labels, count in asked.items() if count}
    tap.equal(seen, dict(counts), "decisions by verdict, reason and action are those of the log")


def numbers_agree(tap, told):
    callouts = sum(told["ringback_callouts_total"].values())
    tap.ok(callouts > 0, "callouts are counted")
    tap.equal(told["ringback_callout_seconds_count"][""], callouts, "and each has its duration")
    waits = told["ringback_wait_seconds_bucket"]
    tap.equal(waits['le="+Inf"'], told["ringback_wait_seconds_count"][""], "waits are in buckets, all of them")
    tap.ok(list(waits.values()) == sorted(waits.values()), "which are cumulative", waits)
    tap.ok(told["ringback_cache_entries"][""] > 0, "the cache has entries")
    tap.equal(told["ringback_dry_run"][""], 1, "the dry run is told")
    tap.equal(set(told["ringback_healthy"].values()), {1}, "and that all is well")
    tap.ok(told["ringback_session_last_timestamp_seconds"][""] >= told["process_start_time_seconds"][""] > 0, "and when")


def promtool(*words, text=None):
    argv = ["promtool", *[str(word) for word in words]]
    found = subprocess.run(argv, input=text, capture_output=True, text=True, check=False, timeout=2 * sample.PATIENCE_S)
    return found.returncode, found.stdout + found.stderr


def promtool_is_silent(tap, text):
    tap.equal(promtool("check", "metrics", text=text), (0, ""), "promtool check metrics is silent")


# --- The alerts -------------------------------------------------------------------


def alerts_fire_for_what_they_are_for(tap, rules):
    status, said = promtool("check", "rules", RULES)
    tap.equal(status, 0, "promtool check rules", said)
    tap.equal(sorted(rule["name"] for rule in rules), sorted(alerts.ILL), "each alert has a host that it is for")
    with sample.scratch() as folder:
        paths = []
        for number, tests in enumerate(alerts.test_files(RULES)):
            paths.append(folder / f"test{number}.yml")
            paths[-1].write_text(json.dumps(tests))
        status, said = promtool("test", "rules", *paths)
    tap.equal(status, 0, "each alert fires for such a host, and for no other", said)


def alerts_say_what_to_do(tap, rules):
    lacking = [
        rule["name"]
        for rule in rules
        if not all(rule["annotations"].get(name) for name in ("summary", "description", "action"))
        or rule["labels"].get("severity") not in ("critical", "warning", "info")
    ]
    tap.equal(lacking, [], "each has a severity, and says what is and what to do")


def directives():
    table = (sample.SOURCE / "milter/config/table.c").read_text()
    return {f"{block}.{name}" for block, name in re.findall(r'DIRECTIVE\("(\w+)", "(\w+)"', table)}


def advice_can_be_followed(tap, rules, dashboard):
    """Verbs and directives that are named are those of the programs."""
    argv = [str(sample.BUILD / "ringback"), "--help"]
    verbs = re.findall(r"^  (\w+) ", subprocess.run(argv, capture_output=True, text=True, check=True).stdout, flags=re.M)
    said = [text for rule in rules for text in rule["annotations"].values()]
    said += [panel.get("description", "") for panel in dashboard["panels"]]
    named = re.findall(r"`ringback (\w+)", " ".join(said))
    tap.ok(named and set(named) <= set(verbs), "verbs that are named can be used", sorted(set(named) - set(verbs)))
    named = re.findall(r"\b(?:callout|cache|limits|greylist|spf)\.[a-z_]+", " ".join(said))
    tap.ok(named and set(named) <= directives(), "directives that are named can be set", sorted(set(named) - directives()))


# --- What Prometheus finds ----------------------------------------------------------


class Prometheus:
    """The real one, on the loopback: asked by its API."""

    def __init__(self, port):
        self._base = f"http://127.0.0.1:{port}"

    def get(self, path, **arguments):
        return json.loads(fetch(f"{self._base}/api/v1/{path}?{urllib.parse.urlencode(arguments)}")[1])["data"]

    def query(self, text):
        """How many series it finds, or what is wrong with it."""
        try:
            return len(self.get("query", query=text)["result"])
        except urllib.error.HTTPError as error:
            return error.read().decode()

    def has_scraped(self, times):
        with contextlib.suppress(OSError):
            found = self.get("query", query="count_over_time(ringback_build_info[1h])")["result"]
            return bool(found) and int(found[0]["value"][1]) >= times
        return False

    def rules(self):
        """Those of the file, once each was evaluated; None before."""
        rules = [rule for group in self.get("rules")["groups"] for rule in group["rules"]]
        return rules if rules and all(rule["health"] != "unknown" for rule in rules) else None


@contextlib.contextmanager
def prometheus(target):
    """Scrapes the target, and evaluates the rules, each second."""
    port = free_port()
    with sample.scratch() as folder:
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(RULES)],
            "scrape_configs": [{"job_name": "ringback", "static_configs": [{"targets": [target]}]}],
        }
        (folder / "prometheus.yml").write_text(json.dumps(config))
        argv = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
        argv += [f"--web.listen-address=127.0.0.1:{port}"]
        with open(folder / "log", "wb") as log, sample.running(argv, stdout=log, stderr=log) as process:
            server = Prometheus(port)
            sample.until(lambda: server.has_scraped(3) and server.rules(), process, (folder / "log").read_text)
            yield server


def selectors(text):
    """Which series an expression is about: "name{labels}" without range and offset."""
    return sorted(set(re.findall(r"\b(?:ringback_|process_|up\b)\w*(?:\{[^}]*\})?", text)))


def alerts_are_about_what_there_is(tap, server):
    rules = server.rules()
    tap.equal({rule["name"]: rule.get("lastError") for rule in rules if rule["health"] != "ok"}, {}, "each can be evaluated")
    for rule in rules:
        unknown = [name for name in selectors(rule["query"]) if server.query(name) == 0]
        tap.equal(unknown, [], f"{rule['name']} is about series that there are")
    return rules


def filled_in(text):
    """A query of the dashboard's as Grafana sends it."""
    for name, value in (("$__rate_interval", "1m"), ("$job", ".+"), ("$instance", ".+")):
        text = text.replace(name, value)
    return text


def queries_of(panel):
    return [(panel["title"], target["expr"]) for target in panel.get("targets", [])]


def panels_find_series(tap, server, dashboard):
    queries = [query for panel in dashboard["panels"] for query in queries_of(panel)]
    tap.ok(len(queries) > 50, "the dashboard has its queries", len(queries))
    found = {query: server.query(filled_in(query[1])) for query in queries}
    tap.equal([(query, n) for query, n in found.items() if not isinstance(n, int) or n == 0], [], "each finds series")
    for each in dashboard["annotations"]["list"]:
        tap.ok(isinstance(server.query(filled_in(each["expr"])), int), "annotations can be asked for")
    for each in dashboard["templating"]["list"]:
        if each["type"] == "query":
            name = re.match(r"label_values\((.*), \w+\)", each["query"]["query"])[1]
            tap.ok(server.query(filled_in(name)) == 1, f"{each['name']} can be chosen")


def panels_are_in_order(tap, dashboard):
    panels = dashboard["panels"]
    tap.equal(len({panel["id"] for panel in panels}), len(panels), "each panel has a number of its own")
    places = [panel["gridPos"] for panel in panels]
    cells = [(x, y) for p in places for x in range(p["x"], p["x"] + p["w"]) for y in range(p["y"], p["y"] + p["h"])]
    tap.ok(len(set(cells)) == len(cells) and max(x for x, _ in cells) < 24, "and a place of its own")


def panels_say_what_they_show(tap, dashboard):
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    lacking = [
        panel["title"] for panel in panels if not (panel["description"] and panel["fieldConfig"]["defaults"].get("unit"))
    ]
    tap.equal(lacking, [], "each has a description and a unit")


def families_are_shown(tap, dashboard, rules):
    text = json.dumps(dashboard) + json.dumps(rules)
    named = {re.sub("_(bucket|count|sum)$", "", name) for name in re.findall(r"\b(?:ringback|process)_\w+", text)}
    tap.equal(sorted(named - set(declared())), [], "each family that is named is one of the table")
    missing = [name for name in declared() if not re.search(rf"\b{name}(_bucket|_count|_sum)?\b", text)]
    tap.equal(missing, [], "no family is in neither")


# --- The whole --------------------------------------------------------------------


def main():
    if sample.missing():
        return Tap.skip_all(sample.missing())
    tap = Tap()
    port = free_port()
    absent = [name for name in PROGRAMS if not shutil.which(name)]
    dashboard = json.loads(DASHBOARD.read_text())
    seen = {"rules": []}

    def look(_folder):
        seen["type"], seen["text"] = fetch(f"http://127.0.0.1:{port}/metrics")
        if absent:
            return
        with prometheus(f"127.0.0.1:{port}") as server:
            seen["rules"] = alerts_are_about_what_there_is(tap, server)
            panels_find_series(tap, server, dashboard)

    lines = sample.take(http=f"127.0.0.1:{port}", then=look).lines
    told = samples(seen["text"])
    tap.equal(seen["type"], "text/plain; version=0.0.4; charset=utf-8", "the type is that of the text format")
    families_are_those_of_the_table_and_the_manual(tap, seen["text"])
    decisions_are_those_of_the_log(tap, told, lines)
    numbers_agree(tap, told)
    panels_are_in_order(tap, dashboard)
    panels_say_what_they_show(tap, dashboard)
    if absent:
        tap.skip("promtool, alerts and queries", f"not installed: {absent[0]} (apt-get install prometheus)")
        return tap.done()
    promtool_is_silent(tap, seen["text"])
    alerts_say_what_to_do(tap, seen["rules"])
    advice_can_be_followed(tap, seen["rules"], dashboard)
    alerts_fire_for_what_they_are_for(tap, seen["rules"])
    families_are_shown(tap, dashboard, seen["rules"])
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
