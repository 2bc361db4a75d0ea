# SPDX-License-Identifier: BSD-2-Clause
"""What the code has that a manual must tell: read from the sources, and from what the programs say of themselves."""

import dataclasses
import functools
import os
import pathlib
import re
import subprocess

SOURCE = pathlib.Path(os.environ.get("RB_SRCDIR", ".")).resolve()
BUILD = pathlib.Path(os.environ.get("RB_BUILDDIR", "build")).resolve()

EXITS = {
    "OK": 0, "USAGE": 64, "DATAERR": 65, "NOINPUT": 66, "NOUSER": 67, "NOHOST": 68, "UNAVAILABLE": 69, "SOFTWARE": 70,
    "OSERR": 71, "OSFILE": 72, "CANTCREAT": 73, "IOERR": 74, "TEMPFAIL": 75, "PROTOCOL": 76, "NOPERM": 77, "CONFIG": 78,
}  # fmt: skip


@functools.cache
def read(path):
    """A source without its comments."""
    return re.sub(r"/\*.*?\*/", "", (SOURCE / path).read_text(), flags=re.S)


def sources(*patterns):
    return {path: read(path) for pattern in patterns for path in sorted(SOURCE.glob(pattern))}


def literals(text):
    text = re.sub(r"^\s*#\s*include.*$", "", text, flags=re.M)
    return re.findall(r'"((?:[^"\\\n]|\\.)*)"', text)


def array(text, name):
    """The strings of an initialiser: NAME[...] = {"a", [B] = "b", NULL};"""
    body = re.search(rf"\b{name}\[[^\]]*\] = \{{(.*?)\}};", text, flags=re.S)[1]
    return [word for word in literals(body) if word]


# --- Directives ------------------------------------------------------------------


@dataclasses.dataclass
class Directive:
    section: str
    name: str
    kind: str
    standard: str
    low: int = None
    high: int = None
    count: int = None  # of a list, at most
    names: tuple = ()
    fixed: bool = False  # at the start
    inert: bool = False

    @property
    def key(self):
        return f"{self.section}.{self.name}" if self.section else self.name

    def range(self):
        """As the manual has it: "1s to 366d"."""
        if self.low is None:
            return None
        if self.kind == "MS":
            return f"{duration(self.low)} to {duration(self.high)}"
        if self.kind == "SECONDS":
            return f"{duration(self.low)} to {duration(self.high)}"
        if self.kind == "SIZE":
            return f"{size(self.low)} to {size(self.high)}"
        return f"{self.low} to {self.high}"


def duration(milliseconds):
    if milliseconds == 0:
        return "0s"
    for unit, length in (("d", 86400000), ("h", 3600000), ("m", 60000), ("s", 1000)):
        if milliseconds % length == 0:
            return f"{milliseconds // length}{unit}"
    return f"{milliseconds}ms"


def size(octets):
    for unit, length in (("TB", 1 << 40), ("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10)):
        if octets % length == 0:
            return f"{octets // length}{unit}"
    return str(octets)


def constants():
    """Of the configuration's headers: NAME = 16, and what they are made of."""
    found = {"SECOND": 1000, "MINUTE": 60000, "HOUR": 3600000, "DAY": 86400000, "YEAR": 366 * 86400000}
    for text in sources("milter/config/*.h").values():
        found.update((name, int(number)) for name, number in re.findall(r"\b([A-Z][A-Z_]+) = (\d+)\b", text))
    return found


def number(text, known):
    text = re.sub(r"INT64_C\((\d+)\)", r"\1", text)
    text = re.sub(r"[A-Z_]+", lambda found: str(known[found[0]]), text)
    if not re.fullmatch(r"[\d\s*+<()-]+", text):
        raise ValueError(f"not a number: {text}")
    return int(eval(text))  # digits and operators alone


@functools.cache
def directives():
    table = read("milter/config/table.c")
    texts = "\n".join(sources("milter/config/*.c", "milter/base/*.c").values())
    known = constants()
    found = []
    for row in re.findall(r"\{DIRECTIVE\((.*?)\},\n", table + "\n", flags=re.S):
        section, name, kind, standard = re.match(
            r'\s*"(\w*)",\s*"(\w+)",\s*KIND_(\w+),.*?,\s*((?:"(?:[^"\\]|\\.)*")|RINGBACK_USER)\)', row, flags=re.S
        ).groups()
        standard = "ringback" if standard == "RINGBACK_USER" else standard[1:-1].replace('\\"', '"')
        directive = Directive(section, name, kind, standard)
        limits = re.search(r"RANGE\(((?:[^(),]|\([^)]*\))+),((?:[^()]|\([^)]*\))+)\)", row)
        if limits:
            directive.low, directive.high = (number(limit, known) for limit in limits.groups())
        count = re.search(r"\.max = (\w+)", row)
        if count:
            directive.count = number(count[1], known)
        names = re.search(r"\.names = (\w+)", row)
        if names:
            directive.names = tuple(array(texts, names[1]))
        directive.fixed = ".fixed = true" in row
        directive.inert = ".inert" in row
        found.append(directive)
    return found


# --- Programs ----------------------------------------------------------------------


@functools.cache
def help_of(*command):
    return subprocess.run([BUILD / command[0], *command[1:], "--help"], capture_output=True, text=True, check=True).stdout


def listed(text):
    """The words at the beginning of a help's indented lines; "export, import" are two."""
    found = re.findall(r"^  ([a-z]+(?:, [a-z]+)*)(?: .*)?$", text, flags=re.M)
    return [word for words in found for word in words.split(", ")]


def options(text):
    return set(re.findall(r"^  (--?[A-Za-z-]+)", text, flags=re.M))


@functools.cache
def programs():
    """("ringback", "verify") -> the options it takes."""
    found = {("ringback-milter",): options(help_of("ringback-milter")) | {"-h", "--help"}}
    for verb in listed(help_of("ringback")):
        text = help_of("ringback", verb)
        found["ringback", verb] = options(text)
        for action in listed(text) if verb == "cache" else ():
            found["ringback", verb, action] = options(help_of("ringback", verb, action))
    return found


def exits(*patterns):
    text = "\n".join(sources(*patterns).values())
    return {str(EXITS[name]) for name in re.findall(r"\bEX_([A-Z]+)\b", text)}


def environment():
    """What the programs ask the environment for, by themselves or by libsystemd."""
    text = "\n".join(sources("milter/**/*.c").values())
    found = set(re.findall(r'getenv\("(\w+)"\)', text)) | set(re.findall(r'"(LISTEN_[A-Z]+)"', text))
    by_library = {
        "sd_notify": {"NOTIFY_SOCKET"},
        "sd_pid_notify": {"NOTIFY_SOCKET"},
        "sd_watchdog_enabled": {"WATCHDOG_USEC", "WATCHDOG_PID"},
        "sd_listen_fds": {"LISTEN_FDS", "LISTEN_PID"},
    }
    for function, names in by_library.items():
        if re.search(rf"\b{function}\w*\(", text):
            found |= names
    return found


def signals():
    text = read("milter/base/signals.c") + read("milter/mta/loop.c")
    return set(re.findall(r"\bSIG(?:HUP|INT|TERM|USR1|USR2|QUIT|ALRM|CHLD|WINCH)\b", text))


# --- Words of verdicts ---------------------------------------------------------------


def reasons():
    """reason -> verdict"""
    text = read("lib/base/names.c")
    return {name: verdict.lower() for name, verdict in re.findall(r'\{"(\w+)", RB_VERDICT_(\w+)\}', text)}


def actions():
    return set(array("\n".join(sources("milter/config/*.c").values()), "action_names"))


def exemptions():
    return set(array(read("milter/session/envelope.c"), "names"))


def names_of(what):
    """stages, limits, vouchers, client_results of lib/base/names.c"""
    return set(array(read("lib/base/names.c"), what))


# Words in quotes in these rooms that are no rules. A new one is a rule, with its line in ringback-rules(7), or stands here.
NO_RULES = {
    "abcdefghijkmnpqrstuvwxyz23456789",
    "c", "d", "g",
    "connecting",
}  # fmt: skip
ROOMS_OF_RULES = (
    "lib/smtp/classify.c", "lib/smtp/dialogue.c", "lib/smtp/wire.c", "lib/smtp/transport.c", "lib/callout/*.c",
    "lib/verifier/*.c", "lib/limits/*.c", "lib/sched/*.c",
)  # fmt: skip
RULES_OF_GATE = {"spf_fail", "spf_softfail", "not_vouched"}  # by rb_reason_name


@functools.cache
def rules():
    table = (SOURCE / "lib/smtp/classify_rules.def").read_text()
    found = set(re.findall(r'^RULE\("(\w+)"', table, flags=re.M)) | RULES_OF_GATE | names_of("limits") | exemptions()
    for text in sources(*ROOMS_OF_RULES).values():
        found |= {word for word in literals(text) if re.fullmatch(r"[a-z][a-z0-9_]*", word)}
    for text in sources("milter/**/*.c").values():
        found |= set(re.findall(r'\brule"?, (?:sizeof [^,]*, )?"(\w+)"\)', text))
    return found - NO_RULES


def address_faults():
    """Why an address is none, as a rule says it. Three are never told so: they have rules of their own."""
    return set(array(read("lib/mail/address.c"), "texts")) - {
        "nothing is wrong", "the null sender", "it is not ASCII and SMTPUTF8 is off", "out of memory",
    }  # fmt: skip


# --- What is written -------------------------------------------------------------------


def log_keys():
    text = "\n".join(sources("milter/**/*.c").values())
    return set(re.findall(r'\blog_fieldf?\(&?\w+, "(\w+)"', text))


def headers():
    text = "\n".join(sources("milter/mta/*.[ch]", "milter/session/*.[ch]", "milter/extension/*.c").values())
    return set(re.findall(r'"(X-Ringback(?:-\w+)*|Callback-\w+|Authentication-Results)"', text))


def header_fields():
    text = read("milter/mta/headers.c")
    return {name for word in literals(text) for name in re.findall(r"(?:^|[ ;])([a-z][a-z.-]*)=\\?\"?%", word)}


@functools.cache
def json_keys():
    """Of status, verify and cache. What stands only between daemon and tool is no key of anybody's."""
    found = set()
    for path in ("milter/base/json.c", "milter/daemon/status.c", "milter/tool/cache.c", "milter/tool/verbs.c"):
        found |= {word for word in literals(read(path)) if re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", word)}
    return found - {
        "config_changed", "config_dev", "config_ino", "reload", "octets", "hex",
    }  # fmt: skip


def metrics():
    """name -> type. None: there are none yet."""
    path = SOURCE / "milter/http/exposition_families.def"
    if not path.exists():
        return None
    return dict(re.findall(r'^[A-Z]+\((\w+), "(\w+)"', path.read_text(), flags=re.M))


def resources():
    text = read("milter/http/routes.c")
    return set(re.findall(r'"(/[a-z.]*)"', text))


# --- The library -------------------------------------------------------------------------


def header():
    text = re.sub(r"/\*.*?\*/", "", (SOURCE / "lib/ringback.h").read_text(), flags=re.S)
    return re.sub(r"//.*", "", text)


@functools.cache
def prototypes():
    """rb_ask -> ("enum rb_error", ["struct rb_verifier *verifier", ...])"""
    text = re.sub(r"^#.*$", "", header(), flags=re.M)
    text = re.sub(r"typedef [^;]*;", "", text)
    found = {}
    for returned, name, arguments in re.findall(r"^((?:\w+ )+\**)(rb_\w+)\(((?:[^()]|\([^()]*\))*)\)", text, flags=re.M):
        returned = returned.replace("static inline ", "").strip()
        found[name] = (returned, [" ".join(argument.split()) for argument in arguments.split(",")])
    return found


def types():
    return set(re.findall(r"^((?:struct|enum) rb_\w+)(?: RB_ENUM_ROOM)?(?: \{|;)", header(), flags=re.M))


def library_constants():
    text = header()
    return set(re.findall(r"\b(RB_[A-Z0-9_]+)\b", text))
