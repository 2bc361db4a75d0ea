# SPDX-License-Identifier: BSD-2-Clause
"""Reads manuals in mdoc(7) as far as they are to be held against the code: sections, items of lists, plain text."""

import dataclasses
import re

# What a line of macros may have beside words.
MACROS = set(
    "Ar Cm Dq Do Dc Dv Ev Fa Fl Fn Ft Ic In Li Nm No Ns Oc Oo Op Pa Pc Po Pq Qc Qo Ql Qq Sq So Sc Sx Va Vt Xr Bq Bo Bc Sy Em".split()
)
QUOTING = {"Dq", "Ql", "Qq", "Sq"}  # these take the rest of their line
PUNCTUATION = set(". , ; : ( ) [ ] ? !".split())
ESCAPES = {r"\(dq": '"', r"\&": "", r"\e": "\\", r"\-": "-", r"\(aq": "'", r"\|": ""}


def unescape(text):
    return re.sub(r"\\\(..|\\.", lambda found: ESCAPES.get(found[0], found[0]), text)


def words(line):
    """The arguments of a line of macros; one in quotes is one."""
    return [
        found[1] if found[1] is not None else found[0]
        for found in (re.match(r'"((?:[^"]|"")*)"|\S+', word) for word in re.findall(r'"(?:[^"]|"")*"|\S+', line))
    ]


def spoken(line):
    """The words of a line, without macros and without the points and commas that stand alone."""
    if not line.startswith("."):
        return [unescape(line)]
    kept = []
    rest = words(line)[1:]
    for index, word in enumerate(rest):
        if word in MACROS and not (index > 0 and rest[index - 1] in QUOTING):
            continue
        kept.append(unescape(word))
    return kept


def plain(lines):
    return re.sub(r" ([.,;:)])", r"\1", " ".join(" ".join(spoken(line)) for line in lines))


@dataclasses.dataclass
class Item:
    """One of a list; `within` are the heads of the items around it."""

    section: str
    subsection: str
    within: tuple
    head: str
    body: list

    @property
    def macro(self):
        return self.head.split()[0] if self.head else ""

    @property
    def names(self):
        """ "Cm mx , ip , port" -> ["mx", "ip", "port"]"""
        return [
            unescape(word) for word in words(self.head) if word not in MACROS and word not in PUNCTUATION and word != "or"
        ]

    def marked(self, macro):
        """What stands behind a macro in the body: ".Cm yes , no or .Cm unknown ;" """
        return marked(self.body, macro)


def marked(lines, macro):
    found = []
    for line in lines:
        taking = False
        for word in words(line[1:]) if line.startswith(".") else ():
            if word in MACROS or word == "It":
                taking = word == macro
            elif taking and word not in PUNCTUATION:
                found.append(unescape(word))
    return found


class Page:
    def __init__(self, name, text):
        self.name = name
        self.lines = text.splitlines()

    def changed(self, old, new, count=1):
        text = "\n".join(self.lines) + "\n"
        if old not in text:
            raise ValueError(f"{self.name} does not hold {old!r}")
        return Page(self.name, text.replace(old, new, count))

    def sections(self):
        """(section, subsection, lines) each."""
        section = subsection = ""
        lines = []
        for line in self.lines + [".Sh"]:
            if line.startswith((".Sh", ".Ss")):
                if section:
                    yield section, subsection, lines
                title = " ".join(words(line)[1:])
                section, subsection = (title, "") if line.startswith(".Sh") else (section, title)
                lines = []
            else:
                lines.append(line)

    def section(self, title, subsection=None):
        """The lines of it, those of its subsections too unless one is named."""
        return [
            line
            for section, below, lines in self.sections()
            if section == title and (subsection is None or below == subsection)
            for line in lines
        ]

    def items(self, title=None, subsection=None):
        for section, below, lines in self.sections():
            if (title is None or section == title) and (subsection is None or below == subsection):
                yield from items_of(section, below, lines)

    def preamble(self, title):
        """The plain text of a section up to its first list."""
        lines = self.section(title)
        ends = [index for index, line in enumerate(lines) if line.startswith(".Bl")]
        return plain(lines[: ends[0]] if ends else lines)

    def literals(self):
        """What is shown as it is typed or written: each a list of lines."""
        shown = None
        for line in self.lines:
            if line.startswith(".Bd -literal"):
                shown = []
            elif line.startswith(".Ed") and shown is not None:
                yield shown
                shown = None
            elif shown is not None:
                shown.append(unescape(line))
            elif line.startswith(".Dl "):
                yield [unescape(line[4:])]


def items_of(section, subsection, lines):
    """Of lists in lists, too; the body of an item goes on behind a list that is in it."""
    lists, found = [], []  # of each list that is open, the item that is
    for line in lines:
        if line.startswith(".Bl"):
            lists.append(None)
        elif line.startswith(".El"):
            lists.pop()
        elif line.startswith(".It") and lists:
            within = tuple(item.head for item in lists[:-1] if item)
            lists[-1] = Item(section, subsection, within, line[4:], [])
            found.append(lists[-1])
        else:
            for item in lists:
                if item:
                    item.body.append(line)
    return found
