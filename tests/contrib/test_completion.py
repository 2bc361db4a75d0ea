#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Completion by real shells: what the programs' own --help says is offered, in its place, and nothing else.

bash (with bash-completion) and zsh run at a terminal, as for a person: a line is typed, the key that completes is
pressed, and the shell tells by a pipe what it found. Prints TAP. Needs RB_SRCDIR and RB_BUILDDIR.
"""

import os
import pathlib
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import threading

SOURCE = pathlib.Path(os.environ.get("RB_SRCDIR", ".")).resolve()
BUILD = pathlib.Path(os.environ.get("RB_BUILDDIR", "build")).resolve()
sys.path.insert(0, str(SOURCE / "tests/lab"))

from tap import Tap  # noqa: E402  (its folder comes first)

COMPLETION = SOURCE / "contrib/completion"
BASH_COMPLETION = pathlib.Path("/usr/share/bash-completion/bash_completion")
LATE_S = 120  # only a shell that hangs takes that long

# --- What the programs say of themselves ---------------------------------------


def help_of(*words):
    program = BUILD / words[0]
    return subprocess.run([program, *words[1:], "--help"], capture_output=True, text=True, check=True).stdout


def listed(text):
    """The words at the beginning of a help's indented lines; "export, import" are two."""
    found = re.findall(r"^  ([a-z]+(?:, [a-z]+)*)(?: .*)?$", text, flags=re.M)
    return {word for words in found for word in words.split(", ")}


def options(text):
    return set(re.findall(r"^  (--?[A-Za-z-]+)", text, flags=re.M))


def option_help(text, name):
    return re.search(rf"^  {name} .*?  +(.*)$", text, flags=re.M)[1]


def words_of_list(text):
    """ "address (the default), domain or all" -> {"address", "domain", "all"}"""
    return set(re.split(r", | or ", re.sub(r" \(.*?\)", "", text)))


def value_of(text):
    """Each option that takes a value, with the value's name."""
    return dict(re.findall(r"^  (--?[a-z-]+) ([A-Z]\S*)", text, flags=re.M))


# --- Shells ---------------------------------------------------------------------

BASH_RC = r"""
PS1= ; unset PROMPT_COMMAND HISTFILE
bind 'set bell-style none'; bind 'set enable-bracketed-paste off'
. {bash_completion}
told() {{ printf '%s\n' "$READLINE_LINE" >&"$TELL"; READLINE_LINE= ; }}
bind '"\C-x\C-a": insert-completions'
bind -x '"\C-x\C-p": told'
printf 'ready\n' >&"$TELL"
"""

# All that is added to the matches goes by compadd.
ZSH_RC = r"""
PS1= ; unset zle_bracketed_paste; unsetopt prompt_cr prompt_sp beep
fpath=({folder} $fpath)
autoload -Uz compinit; compinit -u -D
zstyle ':completion:*' verbose no
typeset -ga told
compadd() {{
    if [[ ${{@[1,(i)(-|--)]}} == *-(O|A|D)\ * ]]; then builtin compadd "$@"; return; fi
    local -a hits
    builtin compadd -A hits "$@"
    told+=($hits)
    builtin compadd "$@"
}}
tell() {{ print -r -- $told >&$TELL; told=(); zle send-break; }}
zle -N tell
bindkey '^X^P' tell
zle -C collect list-choices _main_complete
bindkey '^X^A' collect
print ready >&$TELL
"""

COMPLETE = b"\x18\x01"
TELL = b"\x18\x10"


class Shell:
    """One shell at a terminal of its own, in an empty folder but for the file "some file"."""

    def __init__(self, arguments, environment):
        self._home = tempfile.mkdtemp(prefix="ringback-completion-")
        pathlib.Path(self._home, "some file").touch()
        self._tell, theirs = os.pipe()
        self._terminal, terminal = pty.openpty()
        self._process = subprocess.Popen(
            arguments, stdin=terminal, stdout=terminal, stderr=terminal, pass_fds=[theirs], cwd=self._home,
            start_new_session=True, env={
                "PATH": f"{BUILD}:/usr/bin:/bin", "HOME": self._home, "TERM": "dumb", "LC_ALL": "C.UTF-8",
                "TELL": str(theirs), **environment})  # fmt: skip
        os.close(theirs)
        os.close(terminal)
        self._seen = b""
        self._rest = b""
        # A terminal that nobody reads stops who writes to it.
        self._reader = threading.Thread(target=self._read_terminal, daemon=True)
        self._reader.start()

    def _read_terminal(self):
        try:
            while octets := os.read(self._terminal, 4096):
                self._seen = (self._seen + octets)[-2000:]
        except OSError:
            pass  # it has ended

    def type(self, octets):
        os.write(self._terminal, octets)

    def line(self):
        """What the shell tells next."""
        while b"\n" not in self._rest:
            if not select.select([self._tell], [], [], LATE_S)[0]:
                raise TimeoutError(f"the shell says nothing; at its terminal: {self._seen!r}")
            octets = os.read(self._tell, 65536)
            if not octets:
                raise EOFError(f"the shell has ended; at its terminal: {self._seen!r}")
            self._rest += octets
        line, self._rest = self._rest.split(b"\n", 1)
        return line.decode()

    def close(self):
        self._process.kill()  # an interactive shell heeds nothing else
        self._process.wait()
        self._reader.join()  # nobody holds the terminal's other side any more
        os.close(self._terminal)
        os.close(self._tell)
        shutil.rmtree(self._home)


def words_told(line):
    """Those behind "--kind=" without it: there bash takes them for words of their own. A quoted blank parts nothing."""
    return {re.sub("^--.*=", "", word).replace("\0", " ") for word in line.replace("\\ ", "\0").split()}


class Bash(Shell):
    name = "bash"

    def __init__(self, folder):
        (folder / "completions").mkdir()
        for file in (COMPLETION / "bash").iterdir():
            shutil.copy(file, folder / "completions")
        rc = folder / "bashrc"
        rc.write_text(BASH_RC.format(bash_completion=BASH_COMPLETION))
        super().__init__(["bash", "--noprofile", "--rcfile", rc, "-i"], {"BASH_COMPLETION_USER_DIR": str(folder)})

    def complete(self, line):
        """The line with all completions of its last word in that word's place; without options."""
        typed = line.rsplit(" ", 1)[0] + " "
        self.type(line.encode() + COMPLETE + TELL)
        told = self.line()
        if told == line or not told.startswith(typed):
            return set()
        return words_told(told[len(typed) :])


class Zsh(Shell):
    name = "zsh"

    def __init__(self, folder):
        (folder / ".zshrc").write_text(ZSH_RC.format(folder=COMPLETION / "zsh"))
        super().__init__(["zsh", "-i"], {"ZDOTDIR": str(folder)})

    def complete(self, line):
        self.type(line.encode() + COMPLETE + TELL)
        return words_told(self.line())


# --- Checks ---------------------------------------------------------------------

FILE = {"some file"}


def check_verbs(tap, shell):
    verbs = listed(help_of("ringback"))
    tap.equal(shell.complete("ringback "), verbs | {"help"}, "the verbs of --help are offered")
    tap.equal(shell.complete("ringback help "), verbs, "help is offered them, too")
    tap.equal(shell.complete("ringback sta"), {"status"}, "what was begun is completed")
    tap.equal(shell.complete("ringback -"), {"--help", "--version"}, "without a verb there is help and version")
    return verbs


def check_options(tap, shell, verb):
    text = help_of("ringback", *verb.split())
    title = f"{verb}: its options are offered, and no others"
    tap.equal(shell.complete(f"ringback {verb} -"), options(text) | {"--help"}, title)
    return text


def check_values(tap, shell, verb, text):
    """Files where a file is wanted, the words where there are some, and else nothing is made up."""
    for option, value in value_of(text).items():
        wanted = set()
        if value in ("FILE", "PATH"):
            wanted = FILE
        elif value == "KIND":
            wanted = words_of_list(option_help(text, option))
        elif value == "VERDICT":
            wanted = words_of_list(option_help(text, option).removeprefix("addresses that are "))
        tap.equal(shell.complete(f"ringback {verb} {option} "), wanted, f"{verb} {option}: {value}")


def check_lines(tap, shell):
    for line, wanted, title in (
        ("ringback cache list --verdict=in", {"invalid"}, "a value behind ="),
        ("ringback cache list --kind host --verdict va", {"valid"}, "a value behind other options"),
        ("ringback cache -c x st", {"stats"}, "-c may stand before the action"),
        ("ringback cache list --js", {"--json"}, "an option that was begun"),
        ("ringback cache list --json --js", set(), "an option that was given is not offered again"),
        ("ringback status -c x -", {"-c", "--json", "--help"}, "-c excludes --control"),
        ("ringback status --control x -", {"--json", "--help"}, "--control excludes -c"),
        ("ringback cache purge --all -", {"-c", "--help"}, "--all excludes --expired"),
        ("ringback cache delete --host x -", {"-c", "--help"}, "--host excludes --domain and --relay"),
        ("ringback verify ", set(), "no addresses are made up"),
        ("ringback nonsense -", None, "of a verb that does not exist nothing is known"),
    ):  # fmt: skip
        seen = shell.complete(line)
        tap.equal(seen - {"--help"} if wanted is None else seen, wanted or set(), title)


def check_milter(tap, shell):
    wanted = set(re.findall(r"^  (-[A-Za-z]) ", help_of("ringback-milter"), flags=re.M))
    seen = shell.complete("ringback-milter -")
    tap.equal(seen, wanted | {"--help", "--version"}, "ringback-milter: its options are offered, and no others")
    for option in ("-c", "-p"):
        tap.equal(shell.complete(f"ringback-milter {option} "), FILE, f"ringback-milter {option}: a file")


def check_shell(tap, shell):
    tap.prefix = f"{shell.name}: "
    tap.equal(shell.line(), "ready", "starts, with its completion")
    verbs = check_verbs(tap, shell)
    actions = listed(help_of("ringback", "cache"))
    tap.equal(shell.complete("ringback cache "), actions, "the actions of cache are offered")
    for verb in sorted(verbs - {"cache"}) + [f"cache {action}" for action in sorted(actions)]:
        check_values(tap, shell, verb, check_options(tap, shell, verb))
    check_lines(tap, shell)
    check_milter(tap, shell)
    tap.prefix = ""


def main():
    tap = Tap()
    for kind, missing in (
        (Bash, not (shutil.which("bash") and BASH_COMPLETION.exists())),
        (Zsh, not shutil.which("zsh")),
    ):
        if missing:
            tap.skip(f"{kind.name}: completion", f"{kind.name}, or its completion, is not installed")
            continue
        with tempfile.TemporaryDirectory() as folder:
            shell = kind(pathlib.Path(folder))
            try:
                check_shell(tap, shell)
            finally:
                shell.close()
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
