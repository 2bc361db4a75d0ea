# SPDX-License-Identifier: BSD-2-Clause
"""Configurations and command lines that documents show: found, and tried."""

import pathlib
import re
import shlex
import subprocess
import tempfile

import features

ENDS = {"|", "<", ">", ">>", "&&", ";", "||", "&"}


def balanced(lines):
    text = re.sub(r'"[^"]*"|#.*', "", "\n".join(lines))
    return text.count("{") == text.count("}")


def chunks(lines):
    """Parts with empty lines between them; none within braces."""
    part = []
    for line in [*lines, ""]:
        if line.strip() or (part and not balanced(part)):
            part.append(line)
        elif part:
            yield part
            part = []


def is_configuration(lines, names, sections):
    """All that begins a line without an indent, or with that of the first, is a directive or a block."""
    lines = [line for line in lines if line.strip() and not line.strip().startswith("#")]
    if not lines:
        return False
    first = re.match(rf"\s*(?:({'|'.join(names)})\s*\+?=|(?:{'|'.join(sections)})\s*\{{|(?:policy|relay)\s+\")", lines[0])
    return bool(first) and "..." not in "\n".join(lines)


def quotes(text):
    """What stands in double quotes in running text, over the ends of lines too."""
    return [" ".join(found.split()) for found in re.findall(r'"([^"]{3,300})"', text)]


def indented(text):
    """Blocks of running text that are set off by blanks: what is shown as it is typed."""
    block = []
    for line in [*text.splitlines(), "x"]:
        if line.startswith("    ") or (block and not line.strip()):
            block.append(line)
        elif block:
            yield block
            block = []


def configurations(pages, texts, names, sections):
    """(where, text) each; a line of a manual's prose that is one counts as well."""
    for page in pages.values():
        for shown in page.literals():
            for part in chunks(shown):
                if is_configuration(part, names, sections):
                    yield page.name, "\n".join(part)
        for line in page.lines:
            found = re.match(r"\.(?:Ql|Dl) (.*[={].*?)(?: [.,;:]| Pc)*$", line)
            if found:
                text = re.sub(r" ?Qq (\S+)", r' "\1"', found[1]).replace(r"\(dq", '"').replace(r"\&", "")
                if is_configuration([text], names, sections) and "NAME" not in text and "/PATH" not in text:
                    yield page.name, text
    for name, text in texts.items():
        for block in indented(text):
            for part in chunks(block):
                if is_configuration(part, names, sections):
                    yield name, "\n".join(part)


def try_configuration(text, folder):
    """What ringback-milter -t has against it; lists in files are there and empty."""
    lists = pathlib.Path(folder) / "list"
    lists.write_text("")
    path = pathlib.Path(folder) / "ringback.conf"
    path.write_text(re.sub(r"file:/[\w/.-]+", f"file:{lists}", text) + "\n")
    run = subprocess.run(
        [features.BUILD / "ringback-milter", "-t", "-c", path], capture_output=True, text=True, check=False
    )
    return None if run.returncode == 0 else (run.stderr or run.stdout).strip()


def commands(pages, texts):
    """(where, words) each of a command line of ours, in what is shown and in what is quoted."""
    lines = []
    for page in pages.values():
        for shown in page.literals():
            lines += [(page.name, line) for line in "\n".join(shown).replace("\\\n", " ").split("\n")]
        lines += [(page.name, line) for line in re.findall(r"^\.Ql (ringback.*?)(?: [.,;:)]| Pc)*$", "\n".join(page.lines), flags=re.M)]
    for name, text in texts.items():
        for block in indented(text):
            lines += [(name, line) for line in "\n".join(block).replace("\\\n", " ").split("\n")]
        lines += [(name, line) for line in quotes(text)]
    for name, line in lines:
        for part in re.split(r"&&|\|\|?|;", line):
            found = re.match(r"\s*(?:[#$] )?(?:sudo )?(ringback(?:-milter)?(?: .*)?)$", part)
            if found:
                yield name, split(found[1])


def split(line):
    try:
        parts = shlex.split(line)
    except ValueError:
        parts = line.split()
    ends = [index for index, word in enumerate(parts) if word in ENDS or re.match(r"[<>]|\d?>|\(", word)]
    return parts[: ends[0]] if ends else parts


def complaint(words, programs):
    """What is wrong with a command line, or None. "ringback VERB" and the like stand for any."""
    verb = tuple(word for word in words[:3] if not word.startswith("-"))
    while verb and verb not in programs:
        verb = verb[:-1]
    if words[0] == "ringback":
        if len(words) == 1 or words[1] in {"-V", "--version", "--help", "help", "VERB", "verb"}:
            return None
        if len(verb) < 2 or (verb == ("ringback", "cache") and len(words) > 2 and re.match(r"[a-z]+$", words[2])):
            return f"{' '.join(words)}: there is no such verb"
    taken = programs.get(verb, set()) | {"--help", "-h"}
    for word in words[len(verb) :]:
        name = re.sub(r"=.*", "", word)
        if word == "--":
            return None
        if re.match(r"--?[A-Za-z]", word) and name not in taken and name[:2] not in taken - {"--"}:
            return f"{' '.join(words)}: {name} is no option of it"
    return None


def scratch():
    return tempfile.TemporaryDirectory(prefix="ringback-manuals-")
