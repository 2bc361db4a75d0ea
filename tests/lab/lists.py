# SPDX-License-Identifier: BSD-2-Clause
"""Lists of addresses for `ringback verify -`, and runs of it that can be broken off."""

import json
import subprocess

import milter
import waiting

FAST = ["real", "apex", "bulk"]
SLOW = [f"slow{n}" for n in range(20)]
OF_SLOW = 5  # addresses of each of these
DOMAINS = len(FAST) + len(SLOW)
PATIENCE = waiting.PATIENCE_S


def make(count):
    """So many addresses, each domain's next to each other; each fifth does not exist."""
    share, more = divmod(count - OF_SLOW * len(SLOW), len(FAST))
    sizes = [share + more, *[share] * (len(FAST) - 1), *[OF_SLOW] * len(SLOW)]
    return [
        f"{'user-' if n % 5 else 'gone-'}{n}@{domain}.example"
        for domain, size in zip(FAST + SLOW, sizes)
        for n in range(size)
    ]


def wanted(address):
    return "valid" if address.startswith("user-") else "invalid"


def answers(path):
    """The answers in a file: each line must be whole."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def brief(answer):
    """What of an answer is the same whenever it is asked for."""
    return tuple(answer[key] for key in ("address", "verdict", "reason", "mx", "code", "reply"))


class Run:
    """`ringback verify OPTIONS -`, appending to a file. Killed at the end of the block, if need be.

    Without a list it reads a pipe (feed, end_of_input); without an output, so can be its answers.
    """

    def __init__(self, rig, addresses, output, *options, errors=subprocess.PIPE):
        self._input = open(addresses, "rb") if addresses else subprocess.PIPE
        self._output = open(output, "ab") if output else subprocess.PIPE
        self._path = output
        self.errors = ""
        program = [rig.milter.tool, "verify", "-c", str(rig.milter.config), *options, "-"]
        self.process = rig.milter.namespace.popen(
            program, stdin=self._input, stdout=self._output, stderr=errors
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for end in (self.process.stdin, self.process.stdout, self._input, self._output):
            if hasattr(end, "close"):
                end.close()
        if self.process.stderr:
            self.errors += self.process.stderr.read().decode(errors="replace")
            self.process.stderr.close()

    def wait(self, patience=None):
        """Its exit status; it is killed if it takes longer than said."""
        try:
            return self.process.wait(PATIENCE if patience is None else patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def wait_for_lines(self, count):
        """Until the output has so many lines, or it has ended."""
        waiting.until(
            lambda: self._path.read_bytes().count(b"\n") >= count or self.process.poll() is not None
        )

    def feed(self, octets):
        self.process.stdin.write(octets)
        self.process.stdin.flush()

    def end_of_input(self):
        self.process.stdin.close()


def feed(rig, octets):
    """All of a list at once by a pipe: exit status, answers."""
    process = rig.milter.namespace.popen(
        [rig.milter.tool, "verify", "-c", str(rig.milter.config), "--json", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    output, _ = process.communicate(octets, timeout=PATIENCE)
    return process.returncode, milter.parse_json(output.decode())
