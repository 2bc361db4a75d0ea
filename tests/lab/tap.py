# SPDX-License-Identifier: BSD-2-Clause
"""TAP, the Test Anything Protocol: one line for each thing that was seen to hold or not."""


import re


def _print(line):
    print(line, flush=True)


class Tap:
    """Counts and prints, or does something else with each line. `group` only prints a heading that a
    person reads in the log.
    """

    def __init__(self, write=_print):
        self._line = write
        self.count = 0
        self.failed = 0
        self.prefix = ""  # of each line's text

    def ok(self, passed, text, *seen):
        """One check. `seen` is printed when it fails: what was there instead."""
        self.count += 1
        self.failed += not passed
        self._line(f"{'ok' if passed else 'not ok'} {self.count} - {self.prefix}{text}")
        if not passed:
            for item in seen:
                self.note(f"    seen: {item}")
        return bool(passed)

    def equal(self, seen, wanted, text, *more):
        return self.ok(seen == wanted, text, f"{seen!r}, wanted {wanted!r}", *more)

    def skip(self, text, reason):
        self.count += 1
        self._line(f"ok {self.count} - {self.prefix}{text} # SKIP {reason}")

    def group(self, text):
        self.note(f"--- {self.prefix}{text}")

    def note(self, text):
        for line in str(text).splitlines():
            self._line("# " + line.encode("ascii", "backslashreplace").decode())

    def repeat(self, lines):
        """What another one has said, with numbers of ours."""
        for line in lines:
            found = re.match(r"(not )?ok \d+ ", line)
            if found:
                self.count += 1
                self.failed += bool(found[1])
                line = f"{found[1] or ''}ok {self.count} {line[found.end():]}"
            self._line(line)

    def done(self):
        """Prints the plan; returns the exit status."""
        self._line(f"1..{self.count}")
        return 1 if self.failed or not self.count else 0

    @staticmethod
    def skip_all(reason):
        print(f"1..0 # SKIP {reason}", flush=True)
        return 0
