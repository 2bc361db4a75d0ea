#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The manuals against the code: what the outside can see is in a manual, and what a manual says is there is there.

Each check is a function from the documents to complaints. The checks are checked, too: each must complain of a
document that lacks something, or has something too much. Prints TAP. Needs the sources (RB_SRCDIR) and what was
built of them (RB_BUILDDIR).
"""

import re
import shutil
import subprocess
import sys

import examples
import features
import mdoc

sys.path.insert(0, str(features.SOURCE / "tests/lab"))

from tap import Tap  # noqa: E402  (its folder comes first)

MANUALS = (
    "milter/man/ringback.1",
    "milter/man/ringback.conf.5",
    "milter/man/ringback-milter.8",
    "milter/man/ringback-rules.7",
    "lib/man/libringback.3",
)
TEXTS = ("README", "CONTRIBUTING", "contrib/**/README*", "packaging/**/README*")
TOOL, CONF, DAEMON, RULES, LIBRARY = (path.rsplit("/", 1)[1] for path in MANUALS)

# Manuals of others that ours may name.
FOREIGN = {
    "crypt.3", "crypt.5", "fork.2", "logrotate.8", "mkpasswd.1", "openssl-passwd.1", "pkg-config.1", "resolv.conf.5",
    "smtpd.8", "syslog.3", "systemctl.1", "systemd.exec.5", "systemd.service.5", "systemd.socket.5", "sd_notify.3",
    "tmpfiles.d.5",
}  # fmt: skip
# Directives of other programs that stand in ours as ours do.
OF_OTHERS = {
    "AuthservID", "INPUT_MAIL_FILTER", "command_timeout", "lmtp_rcpt_check_quota", "milter_default_action", "mynetworks",
    "postscreen_access_list", "smtpd_hard_error_limit", "smtpd_milters",
}  # fmt: skip


class Documents:
    def __init__(self, pages, texts):
        self.pages, self.texts = pages, texts

    def __getitem__(self, name):
        return self.pages[name]

    def changed(self, name, old, new):
        """A copy with one thing in it that is otherwise."""
        if name in self.texts:
            if old not in self.texts[name]:
                raise ValueError(f"{name} does not hold {old!r}")
            return Documents(self.pages, {**self.texts, name: self.texts[name].replace(old, new, 1)})
        return Documents({**self.pages, name: self.pages[name].changed(old, new)}, self.texts)


def load():
    pages = {path.rsplit("/", 1)[1]: (features.SOURCE / path).read_text() for path in MANUALS}
    texts = {
        str(path.relative_to(features.SOURCE)): path.read_text()
        for pattern in TEXTS
        for path in sorted(features.SOURCE.glob(pattern))
    }
    return Documents({name: mdoc.Page(name, text) for name, text in pages.items()}, texts)


def differences(code, manual, where):
    """Of sets, or of dictionaries whose values must agree as well."""
    found = [f"{where} lacks {name}" for name in sorted(set(code) - set(manual))]
    found += [f"{where} has {name}, the code has not" for name in sorted(set(manual) - set(code))]
    if isinstance(code, dict):
        found += [
            f"{where}: {name} is {manual[name]}, in the code {code[name]}"
            for name in sorted(set(code) & set(manual))
            if code[name] != manual[name]
        ]
    return found


def item_names(items, macro="Cm"):
    return {name for item in items if item.macro == macro for name in item.names}


# --- Configuration --------------------------------------------------------------

SECTIONS = {"DIRECTIVES OUTSIDE OF BLOCKS": "", "RELAYS": "relay"}
SUBSECTIONS = {"match": "match", "Directives of a policy": "policy"}
COUNTS = {2: "two", 3: "three", 4: "four", 8: "eight"}


def documented_directives(page):
    """section.name -> its item"""
    found = {}
    for item in page.items():
        if item.macro != "Ic" or not re.match(r"Ic \w+ No =", item.head):
            continue
        section = SECTIONS.get(item.section, item.section.lower().replace(" ", "_"))
        section = SUBSECTIONS.get(item.subsection, section)
        name = item.names[0]
        found[f"{section}.{name}" if section else name] = item
    return found


def default_of(item):
    """As the item has it: the words of the line behind "Default:"."""
    for line, following in zip(item.body, [*item.body[1:], ""]):
        if line.strip() == "Default:":
            return re.sub(r"\s+", "", re.sub(r" [.,:;]$", "", " ".join(mdoc.spoken(following))))
        found = re.match(r"Default: (.*?)\.?$", line)
        if found:
            return re.sub(r"\s+", "", found[1])
    return None


def wanted_default(directive):
    if directive.kind.endswith("S") and directive.kind not in ("YES_NO", "MS", "SECONDS"):
        return re.sub(r"\s+", "", directive.standard) or "{}"
    return directive.standard or '""'


# Lists and texts that must be given, or are empty for "all": nothing is told of a default.
WITHOUT_DEFAULT = {"match.client", "match.sender", "match.recipient", "match.helo", "relay.to"}


def directive_faults(directive, item, preamble):
    body = mdoc.plain(item.body)
    text = f"{body} {preamble}"
    if directive.key not in WITHOUT_DEFAULT and default_of(item) != wanted_default(directive):
        yield f"{directive.key}: default is {default_of(item)}, in the code {wanted_default(directive)}"
    if directive.range() and directive.range() not in text:
        yield f"{directive.key}: does not say {directive.range()}"
    if directive.count and not re.search(rf"\b({directive.count}|{COUNTS.get(directive.count, 'x')})\b", text):
        yield f"{directive.key}: does not say how many there may be, {directive.count}"
    if directive.fixed != ("At the start." in body):
        yield f'{directive.key}: "At the start." {"is missing" if directive.fixed else "does not hold"}'
    if directive.inert != ("Not in this release" in body):
        yield f'{directive.key}: "Not in this release" {"is missing" if directive.inert else "does not hold"}'
    if directive.kind == "NAME" and directive.names and directive.names[0] != "accept":
        for name in directive.names:
            numbered = re.sub(r"\d$", "", name)
            if not re.search(rf"(?<!\w){re.escape(name)}(?!\w)", f"{item.head} {body}") and f"{numbered}0" not in body:
                yield f"{directive.key}: does not name {name}"


def check_directives(documents):
    page = documents[CONF]
    code = {directive.key: directive for directive in features.directives()}
    manual = documented_directives(page)
    found = differences(set(code), set(manual), CONF)
    for key in code.keys() & manual.keys():
        found += directive_faults(code[key], manual[key], page.preamble(manual[key].section))
    return found


def check_names_of_directives(documents):
    """Whatever is set as a directive is one."""
    known = {directive.name for directive in features.directives()}
    known |= {directive.key for directive in features.directives()} | {directive.section for directive in features.directives()}
    found = []
    for page in (documents[TOOL], documents[CONF], documents[DAEMON], documents[RULES]):
        for name in mdoc.marked(page.lines, "Ic"):
            if name not in known | OF_OTHERS and not name.startswith(("ringback", "=")) and re.match(r"[a-z_.]+$", name):
                found.append(f"{page.name}: there is no directive {name}")
    words_of_tool = set(features.listed(features.help_of("ringback"))) | {"cache"}
    return [complaint for complaint in found if complaint.rsplit(" ", 1)[1] not in words_of_tool]


# --- Programs ----------------------------------------------------------------------


def flags(line):
    """ "Op Fl Fl json" -> {"--json"}"""
    found = set()
    parts = mdoc.words(line.removeprefix("."))
    for index, word in enumerate(parts):
        if word == "Fl" and index + 1 < len(parts):
            long = parts[index + 1] == "Fl" and index + 2 < len(parts)
            if long:
                found.add(f"--{parts[index + 2]}")
            elif (index == 0 or parts[index - 1] != "Fl") and parts[index + 1] not in mdoc.PUNCTUATION:
                found.add(f"-{parts[index + 1]}")
    return found


def synopsis(page):
    """verb -> the options that stand with it; "" where there is no verb"""
    found, verb = {}, ""
    for line in page.section("SYNOPSIS"):
        if line.startswith(".Nm"):
            verb = ""
        elif line.startswith(".Cm") and not verb:
            verb = mdoc.words(line)[1]
            found.setdefault(verb, set())
        found.setdefault(verb, set()).update(flags(line))
    return found


def check_synopsis(documents):
    programs = features.programs()
    tool = {words[1]: taken for words, taken in programs.items() if len(words) == 2}
    tool["cache"] = {"-c"}  # each action has its own
    manual = synopsis(documents[TOOL])
    manual_verbs = {verb: taken for verb, taken in manual.items() if verb}
    found = differences(set(tool), set(manual_verbs), f"{TOOL}, SYNOPSIS")
    for verb in tool.keys() & manual_verbs.keys():
        found += differences(tool[verb], manual_verbs[verb], f"{TOOL}, SYNOPSIS of {verb}")
    daemon = programs["ringback-milter",]
    listed = {flag for item in documents[DAEMON].items("DESCRIPTION", "") if item.macro == "Fl" for flag in flags(item.head)}
    found += differences(daemon, listed, f"{DAEMON}, options")
    shown = synopsis(documents[DAEMON])[""]
    return found + differences(daemon - {"-h", "--help"}, shown, f"{DAEMON}, SYNOPSIS")


def check_described_options(documents):
    """Behind the synopsis: each option is told of where its verb, or its action, is."""
    page, found = documents[TOOL], []
    for words, taken in features.programs().items():
        if len(words) == 2:
            lines = [line for line in page.section("DESCRIPTION", words[1])]
            where = f"{TOOL}, {words[1]}"
        elif len(words) == 3:
            items = [item for item in page.items("DESCRIPTION", "cache") if item.head.startswith(f"Cm {words[2]}")]
            lines = [line for item in items for line in ["." + item.head, *item.body]]
            where = f"{TOOL}, cache {words[2]}"
        else:
            continue
        told = {flag for line in lines if line.startswith(".") for flag in flags(line)}
        # --json of spf and so on may be told of in JSON alone.
        found += [f"{where} says nothing of {flag}" for flag in sorted(taken - told - {"-c", "--json"})]
        if len(words) == 3 or words[1] != "cache":
            found += [f"{where} has {flag}, the code has not" for flag in sorted(told - taken - {"-c"})]
    return found


def check_exits(documents):
    found = []
    for name, patterns in (
        (TOOL, ("milter/tool/*.c",)),
        (DAEMON, ("milter/main.c", "milter/daemon/*.c", "milter/mta/*.c", "milter/http/*.c", "milter/extension/*.c")),
    ):
        manual = {item.head for item in documents[name].items("EXIT STATUS")}
        found += differences(features.exits(*patterns), manual, f"{name}, EXIT STATUS")
    return found


def check_environment(documents):
    manual = item_names(documents[DAEMON].items("ENVIRONMENT"), "Ev")
    return differences(features.environment(), manual, f"{DAEMON}, ENVIRONMENT")


def check_signals(documents):
    manual = item_names(documents[DAEMON].items("SIGNALS"), "Dv")
    return differences(features.signals(), manual, f"{DAEMON}, SIGNALS")


def check_files(documents):
    """Where the defaults of directives point to, and the configuration."""
    paths = {directive.standard.removeprefix("lmdb:") for directive in features.directives()}
    paths = {path for path in paths if path.startswith("/")} | {"/etc/ringback/ringback.conf"}
    found = []
    for name, wanted in ((TOOL, paths), (DAEMON, paths), (CONF, {"/etc/ringback/ringback.conf"})):
        manual = item_names(documents[name].items("FILES"), "Pa")
        found += [f"{name}, FILES lacks {path}" for path in sorted(wanted - manual)]
    return found


# --- Verdicts --------------------------------------------------------------------------


def check_reasons(documents):
    code = features.reasons()
    told = {}
    for item in documents[TOOL].items("VERDICTS AND REASONS"):
        if item.macro == "Cm":
            told.update((name, item.within[-1]) for name in item.names)
    found = differences(code, told, f"{TOOL}, VERDICTS AND REASONS")
    told = {}
    for item in documents[DAEMON].items("DESCRIPTION", "Verdicts"):
        told.update((name, item.head) for name in item.marked("Cm"))
    return found + differences(code, told, f"{DAEMON}, Verdicts")


def check_table_of_readme(documents):
    text = documents.texts["README"]
    start = text.index("    verdict  reason ")
    end = text.index("    action      what the client gets")
    verdict, told = "", {}
    for line in text[start:end].splitlines()[2:]:
        found = re.match(r"    (valid  |invalid|unknown|       )  ([a-z_]+)(?:  .*)?$", line)
        if found:
            verdict = found[1].strip() or verdict
            told[found[2]] = verdict
    found = differences(features.reasons(), told, "README, table of reasons")
    told = set(re.findall(r"^    (\w+)  +\S", text[end : text.index("\n\n", text.index("reject", end))], flags=re.M))
    return found + differences(features.actions(), told - {"action"}, "README, table of actions")


def check_actions(documents):
    found = []
    for name, section, subsection in ((CONF, "POLICIES", "Actions"), (DAEMON, "DESCRIPTION", "Actions and replies")):
        manual = item_names(documents[name].items(section, subsection))
        found += differences(features.actions(), manual, f"{name}, {subsection}")
    return found


def check_results_of_clients(documents):
    manual = item_names(documents[DAEMON].items("DESCRIPTION", "Connect back"))
    return differences(features.names_of("client_results"), manual, f"{DAEMON}, Connect back")


def check_rules(documents):
    items = list(documents[RULES].items())
    found = differences(features.rules(), item_names(items), RULES)
    told = [name for item in items if item.macro == "Cm" for name in item.names]
    # What means one thing of an address and another of its host stands twice, but not in one list.
    found += [
        f"{RULES} has {name} twice in {item.section} {item.subsection}"
        for item in items
        for name in item.names
        if item.macro == "Cm"
        and sum(name in other.names and (other.section, other.subsection) == (item.section, item.subsection) for other in items) > 1
    ]
    found += differences(features.exemptions(), set(told) & features.exemptions(), f"{RULES}, EXEMPTIONS")
    faults = {mdoc.plain(item.body).strip() for item in documents[RULES].items("ADDRESSES")}
    return found + differences(features.address_faults(), faults, f"{RULES}, ADDRESSES")


# --- What is written ---------------------------------------------------------------------


def log_items(documents):
    return [item for item in documents[DAEMON].items("LOG") if item.macro == "Cm"]


def check_log_keys(documents):
    return differences(features.log_keys(), item_names(log_items(documents)), f"{DAEMON}, LOG")


def check_log_values(documents):
    bodies = {name: item for item in log_items(documents) for name in item.names}
    wanted = {"vouched": features.names_of("vouchers"), "verify": {"sender", "recipient", "header", "client", "none"}}
    found = []
    for key, values in wanted.items():
        told = set(bodies[key].marked("Cm")) if key in bodies else set()
        found += differences(values, told, f"{DAEMON}, LOG, {key}")
    stage = next((item for item in documents[TOOL].items("JSON") if item.names == ["stage"]), None)
    return found + differences(features.names_of("stages"), set(stage.marked("Cm") if stage else ()), f"{TOOL}, JSON, stage")


def check_headers(documents):
    lines = documents[DAEMON].section("DESCRIPTION", "Headers")
    text = mdoc.plain(lines)
    told = set(re.findall(r"\b(X-Ringback(?:-\w+)*|Callback-\w+|Authentication-Results)\b", text))
    found = differences(features.headers(), told, f"{DAEMON}, Headers")
    fields = set(re.findall(r"(?<![\w.-])([a-z][a-z.-]*)=", text)) | ({"x-callback"} if "x-callback" in text else set())
    code = features.header_fields() | {"sender"}
    return found + differences(code, fields, f"{DAEMON}, Headers, fields")


def check_json(documents):
    lines = documents[TOOL].section("JSON") + documents[TOOL].section("DESCRIPTION", "verbs")
    lines = [line for line in lines if not line.startswith(".It Cm AYTTM")]  # printed for people
    told = set(re.findall(r"[a-z][a-z0-9_]*", " ".join(mdoc.plain([line]) for line in lines)))
    found = [f"{TOOL}, JSON lacks {name}" for name in sorted(features.json_keys() - told - NOT_IN_JSON)]
    keys = item_names(documents[TOOL].items("JSON")) | set(mdoc.marked(lines, "Cm"))
    code = features.json_keys() | features.reasons().keys() | set(features.reasons().values()) | features.names_of("stages")
    code |= {word for command in features.programs() for word in command[1:]} | {"null"}  # whose JSON it is
    return found + [f"{TOOL}, JSON has {name}, the code has not" for name in sorted(keys - code)]


# Words in the files that write JSON which are no keys, and no values, of it.
NOT_IN_JSON = {"all", "expired", "json", "limit", "removed", "taken"}


def check_metrics(documents):
    manual = {}
    for item in documents[DAEMON].items("METRICS"):
        found = re.match(r"Cm (\w+).* Pq (\w+)$", item.head)
        if found:
            manual[found[1]] = found[2]
    return differences(features.metrics(), manual, f"{DAEMON}, METRICS")


def check_resources(documents):
    page = documents[DAEMON]
    lines = page.section("HTTP") + page.section("METRICS")
    told = {name for name in mdoc.marked(lines, "Pa") if name.startswith("/")}
    told |= {name for item in page.items("HTTP") if item.macro == "Pa" for name in item.names}
    return differences(features.resources(), told, f"{DAEMON}, HTTP")


# --- The library ------------------------------------------------------------------------


def functions_of(page):
    """Those of the synopsis, as prototypes; and the names of all."""
    prototypes, returned = {}, ""
    for line in page.section("SYNOPSIS"):
        if line.startswith(".Ft"):
            returned = " ".join(mdoc.words(line)[1:])
        elif line.startswith(".Fn"):
            name, *arguments = mdoc.words(line)[1:]
            prototypes[name] = (returned, arguments)
    names = {name for name in mdoc.marked(page.lines, "Fn") if name.startswith("rb_")}
    return prototypes, names


def check_functions(documents):
    code = features.prototypes()
    prototypes, names = functions_of(documents[LIBRARY])
    names |= {name for name in prototypes}
    found = differences({name for name in code if not name.endswith(("_init", "_init_size"))},
                        {name for name in names if name.startswith("rb_") and not name.endswith(("_init", "_init_size"))},
                        LIBRARY)  # fmt: skip
    found += [f"{LIBRARY} has {name}, ringback.h has not" for name in sorted(names - code.keys()) if name.endswith("_init")]
    return found + [
        f"{LIBRARY}: {name} is {prototypes[name]}, in ringback.h {code[name]}"
        for name in sorted(prototypes.keys() & code.keys())
        if prototypes[name] != code[name]
    ]


def check_types(documents):
    text = "\n".join(documents[LIBRARY].lines)
    told = set(re.findall(r"\b((?:struct|enum) rb_\w+)", text))
    return differences(features.types(), told, LIBRARY)


def check_constants(documents):
    told = {name for name in mdoc.marked(documents[LIBRARY].lines, "Dv") if name.startswith("RB_")}
    found = [f"{LIBRARY} has {name}, ringback.h has not" for name in sorted(told - features.library_constants())]
    errors = {name for name in features.library_constants() if name.startswith("RB_ERR_")}
    return found + differences(errors | {"RB_OK"}, {name for name in told if re.match("RB_(OK|ERR_)", name)}, LIBRARY)


# --- Form ---------------------------------------------------------------------------------


def check_references(documents):
    found = []
    for page in documents.pages.values():
        text = " ".join(line for line in page.lines if line.startswith("."))
        for name, section in re.findall(r"\bXr (\S+) (\d)", text):
            target = f"{name}.{section}"
            if target not in documents.pages and target not in FOREIGN:
                found.append(f"{page.name}: there is no {name}({section})")
        titles = {title for section, below, _ in page.sections() for title in (section, below)}
        for line in page.lines:
            for title in re.findall(r"^\.Sx (.*?)(?: [.,;:])?$", line):
                if title not in titles:
                    found.append(f"{page.name}: it has no section {title}")
    for name, section in re.findall(r"\b(lib\w+|ringback[\w.-]*)\((\d)\)", "\n".join(documents.texts.values())):
        if f"{name}.{section}" not in documents.pages:
            found.append(f"a text names {name}({section}), which is not there")
    return found


def check_swallowed(documents):
    """What mdoc makes of a line and its writer did not mean: quotations that do not end, words that are macros."""
    found = []
    for page in documents.pages.values():
        for line in page.lines:
            if not line.startswith(".") or line.startswith('.\\"'):
                continue
            parts = mdoc.words(line[1:])
            for index, word in enumerate(parts):
                if word in mdoc.QUOTING and "No" in parts[index + 1 :]:
                    found.append(f"{page.name}: the quotation does not end before No: {line}")
                inside = [other for other in parts[index + 1 :] if other not in mdoc.PUNCTUATION]
                if word in {"Qq", "Dq"} and index > 0 and inside and inside[-1] in {"}", ")", "]"}:
                    found.append(f"{page.name}: the quotation takes {inside[-1]} in: {line}")
            if len(parts) > 1 and parts[1] == "No":
                found.append(f"{page.name}: No is taken for a macro: {line}")
            if re.match(r"\.(Ql|Ic|Cm|Pq|Dq|It Cm|It Ic) .*\"[^\" ]*\"", line):
                found.append(f"{page.name}: mandoc takes the quotes off: {line}")
    return found


def check_rendered(documents):
    """mandoc's own judgement, and what is left in its output that should not be."""
    found = []
    for page in documents.pages.values():
        text = "\n".join(page.lines) + "\n"
        lint = subprocess.run(
            ["mandoc", "-T", "lint", "-W", "warning"], input=text, capture_output=True, text=True, check=False
        )
        found += [f"{page.name}: {line}" for line in lint.stdout.splitlines()]
        shown = subprocess.run(["mandoc", "-T", "utf8", "-O", "width=200"], input=text, capture_output=True, text=True, check=True)
        shown = re.sub(r".\x08", "", shown.stdout)
        for line in shown.splitlines():
            macro = re.search(r"(?:^|[ (])(Cm|Ic|Ql|Qq|Pq|Dq|Ns|Xr|Sx|Dv|Pa|Oc|Pc|Qc|Bl|El|Pp)(?:[ ).,]|$)", line)
            if macro and not re.search(r"\bPa\b", line):
                found.append(f"{page.name}: {macro[1]} is shown: {line.strip()}")
        for paragraph in re.split(r"\n\s*\n", shown):
            if paragraph.count("“") != paragraph.count("”"):
                found.append(f"{page.name}: a quotation has no end: {' '.join(paragraph.split())[:120]}")
    return found


def check_configurations(documents):
    directives = features.directives()
    names = sorted({directive.name for directive in directives if directive.section == ""})
    sections = sorted({directive.section for directive in directives} - {"", "match", "policy", "relay"})
    found = []
    with examples.scratch() as folder:
        seen = set()
        for where, text in examples.configurations(documents.pages, documents.texts, names, sections):
            if text not in seen:
                seen.add(text)
                fault = examples.try_configuration(text, folder)
                found += [f"{where}: {fault}: {text}"] if fault else []
        sample = (features.SOURCE / "milter/man/ringback.conf.sample").read_text()
        fault = examples.try_configuration(sample, folder)
        found += [f"the sample: {fault}"] if fault else []
    return found if len(seen) > 9 else [f"only {len(seen)} configurations are found in all manuals"]


def check_commands(documents):
    programs = features.programs()
    lines = list(examples.commands(documents.pages, documents.texts))
    found = [f"{where}: {fault}" for where, words in lines if (fault := examples.complaint(words, programs))]
    return found if len(lines) > 30 else [f"only {len(lines)} command lines are found in all documents"]


# --- The checks checked -------------------------------------------------------------------

# Each check with changes that it must complain of: (document, what is in it, what is there instead).
CHECKS = (
    ("directives, with default, range and what takes effect when", check_directives, (
        (CONF, ".It Ic max_wait No = Ar duration", ".It Ic max_weight No = Ar duration"),
        (CONF, "Addresses that may wait for a worker, 1 to 1000000.", "Addresses that may wait for a worker."),
        (CONF, "Default: 4096.", "Default: 4095."),
        (CONF, "At the start.", "Now and then."),
        (CONF, ".Cm never :", ".Cm sometimes :"),
    )),
    ("names of directives wherever they stand", check_names_of_directives, (
        (DAEMON, ".Ic max_wait", ".Ic max_patience"),
    )),
    ("verbs and options in the synopses", check_synopsis, (
        (TOOL, ".Op Fl Fl transcript\n", ""),
        (TOOL, ".Op Fl Fl json\n", ".Op Fl Fl json\n.Op Fl Fl xml\n"),
        (TOOL, ".Cm reload\n", ".Cm restart\n"),
        (DAEMON, ".It Fl p Ar file\n", ".It Fl q Ar file\n"),
    )),
    ("what each option does", check_described_options, (
        (TOOL, ".It Fl Fl no-cache", ".It Fl Fl cache"),
        (TOOL, ".It Cm purge Op Fl Fl all | Fl Fl expired", ".It Cm purge Op Fl Fl all"),
    )),
    ("exit statuses", check_exits, (
        (TOOL, ".It 73\n", ""),
        (DAEMON, ".It 78\n", ".It 79\n"),
    )),
    ("variables of the environment", check_environment, (
        (DAEMON, ".It Ev JOURNAL_STREAM\n", ".It Ev JOURNAL\n"),
    )),
    ("signals", check_signals, (
        (DAEMON, ".It Dv SIGUSR1\n", ".It Dv SIGUSR2\n"),
    )),
    ("files", check_files, (
        (DAEMON, ".It Pa /var/lib/ringback/cache\n", ".It Pa /var/cache/ringback\n"),
    )),
    ("reasons, each under its verdict", check_reasons, (
        (TOOL, ".It Cm null_mx\n", ".It Cm no_mx\n"),
        (DAEMON, ".Cm tls_required ,\n", ""),
        (TOOL, ".It invalid\n", ".It unknown\n"),
    )),
    ("README's tables of reasons and actions", check_table_of_readme, (
        ("README", "unknown  spf_fail ", "unknown  spf_none "),
        ("README", "    quarantine  the mail", "    isolate     the mail"),
    )),
    ("actions", check_actions, (
        (CONF, ".It Cm quarantine\n", ".It Cm isolate\n"),
    )),
    ("what comes of asking a client's host", check_results_of_clients, (
        (DAEMON, ".It Cm denied\n", ".It Cm refused\n"),
    )),
    ("rules, exemptions, and why an address is none", check_rules, (
        (RULES, ".It Cm qq_unknown\n", ""),
        (RULES, ".It Cm shield\n", ".It Cm sword\n"),
        (RULES, ".It Cm local_submission\n", ".It Cm local\n"),
        (RULES, "there is no domain\n", "there is no name\n"),
        (RULES, ".It Cm policy_code\n", ".It Cm policy_code\n.It Cm policy_code\n"),
    )),
    ("keys of the log", check_log_keys, (
        (DAEMON, ".It Cm waited\n", ".It Cm awaited\n"),
    )),
    ("values of keys, and stages", check_log_values, (
        (TOOL, ".Cm dns , connect ,", ".Cm connect ,"),
    )),
    ("header fields, and what is in them", check_headers, (
        (DAEMON, ".Ql header=FIELD:REASON", ".Ql field=FIELD:REASON"),
        (DAEMON, "Callback-Warning: HOST", "Callback-Notice: HOST"),
    )),
    ("keys of JSON", check_json, (
        (TOOL, ".It Cm elapsed_ms\n", ".It Cm lapsed_ms\n"),
        (TOOL, "settled_by_fact", "settled"),
        (TOOL, ".Cm answers_limited\n", ".Cm answers_limited , answers_lost\n"),
    )),
    ("what is served by HTTP", check_resources, (
        (DAEMON, ".It Pa /healthz\n", ".It Pa /health\n"),
    )),
    ("functions of the library", check_functions, (
        (LIBRARY, ".Fn rb_verifier_flush", ".Fn rb_verifier_sync"),
        (LIBRARY, '.Fn rb_ready "struct rb_ticket *ticket"', '.Fn rb_ready "struct rb_ticket *claim"'),
    )),
    ("types of the library", check_types, (
        (LIBRARY, "struct rb_observer", "struct rb_watcher"),
    )),
    ("constants of the library", check_constants, (
        (LIBRARY, ".It Dv RB_ERR_TOO_LONG\n", ""),
        (LIBRARY, ".It Dv RB_GATE_SOFTFAIL\n", ".It Dv RB_GATE_SOFT\n"),
    )),
    ("references", check_references, (
        (TOOL, ".Xr ringback.conf 5", ".Xr ringback.cf 5"),
        (CONF, ".Sx Actions", ".Sx Deeds"),
        ("README", "libringback(3)", "libringback(4)"),
    )),
    ("quotations end where they should", check_swallowed, (
        (DAEMON, ".Ss Time\n", ".Ss No time\n"),
        (DAEMON, ".Ss Time\n", ".Ss Time\n.Dq later No , and how\n"),
        (DAEMON, ".Ss Time\n", ".Ss Time\n.Ql gate = Qq vouched }\n"),
        (DAEMON, ".Ss Time\n", '.Ss Time\n.Ql gate = "vouched"\n'),
    )),
    ("configurations that are shown", check_configurations, (
        (CONF, '    verify = "none"', '    verify = "nobody"'),
        ("README", "    connect_back { check = yes }", "    connect_back { checks = yes }"),
    )),
    ("command lines that are shown", check_commands, (
        ("README", "ringback verify --transcript", "ringback verify --dialogue"),
        (TOOL, ".Dl ringback cache list --kind host", ".Dl ringback cache show --kind host"),
        (TOOL, ".Dl ringback cache list --kind host", ".Dl ringback cache list --sort host"),
    )),
)  # fmt: skip
METRICS = ("metrics", check_metrics, (
    (DAEMON, ".It Cm ringback_build_info", ".It Cm ringback_build"),
    (DAEMON, ".It Cm ringback_dry_run Pq gauge", ".It Cm ringback_dry_run Pq counter"),
))
RENDERED = ("what mandoc makes of the manuals", check_rendered, (
    (CONF, ".Sh FILES\n", ".Sh FILES\n.Bl -tag\n"),
    (DAEMON, ".Ss Time\n", ".Ss Time\n.Do never closed\n.Pp\nand.Dc\n"),
))  # fmt: skip


def run(tap, documents, what, check, changes):
    complaints = check(documents)
    tap.ok(not complaints, what, *complaints)
    blind = [change for change in changes if not set(check(documents.changed(*change))) - set(complaints)]
    if changes:
        tap.ok(not blind, f"{what}: a manual that is wrong is found out", *blind)


def main():
    tap = Tap()
    documents = load()
    for row in CHECKS:
        run(tap, documents, *row)
    if features.metrics() is None:
        tap.skip(METRICS[0], "there are none")
    else:
        run(tap, documents, *METRICS)
    if shutil.which("mandoc"):
        run(tap, documents, *RENDERED)
    else:
        tap.skip(RENDERED[0], "there is no mandoc")
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
