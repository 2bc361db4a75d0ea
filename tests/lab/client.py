# SPDX-License-Identifier: BSD-2-Clause
"""SMTP clients of the lab: what they are told, and how long they wait for each word of it."""

import dataclasses
import itertools
import re
import threading
import time

import net
import waiting

RECIPIENT = "someone@local.example"
LINE_MAX = 64 * 1024

_serial = itertools.count(1)


def unique(word="mail"):
    """A Subject that no other message of this run has."""
    return f"{word}-{next(_serial)}"


@dataclasses.dataclass(frozen=True)
class Reply:
    code: int  # 0: the connection broke
    text: str  # all lines, joined by a space, without the code
    seconds: float

    @property
    def line(self):
        return f"{self.code} {self.text}" if self.code else f"(no reply: {self.text})"


class Session:
    """One SMTP connection from `source`; every command's reply is kept with its time."""

    def __init__(self, namespace, source="203.0.113.1", helo="client.lab.example", server=net.MTA):
        self.helo = helo
        self._buffer = b""
        self._socket = namespace.socket()
        self._socket.settimeout(waiting.PATIENCE_S)
        self._socket.bind((source, 0))
        self._socket.connect((server, 25))
        self.banner = self.reply()

    def reply(self):
        """Waits for one reply, of any number of lines."""
        begun, lines = time.monotonic(), []
        try:
            while True:
                line = self._line()
                lines.append(line[4:])
                if re.fullmatch(r"\d{3}( .*|)", line):
                    return Reply(int(line[:3]), " ".join(lines), time.monotonic() - begun)
        except OSError as error:
            return Reply(0, str(error), time.monotonic() - begun)

    def _line(self):
        while b"\n" not in self._buffer and len(self._buffer) < LINE_MAX:
            data = self._socket.recv(4096)
            if not data:
                raise ConnectionError("connection closed")
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.rstrip(b"\r").decode("latin-1")

    def command(self, line):
        """Sends one line (text or raw bytes, without its end) and waits for the reply."""
        data = line if isinstance(line, bytes) else line.encode()
        try:
            self._socket.sendall(data + b"\r\n")
        except OSError as error:
            return Reply(0, str(error), 0.0)
        return self.reply()

    def write(self, text):
        """Sends text as it is, and waits for nothing."""
        self._socket.sendall(text.encode())

    def says_nothing(self, seconds=0.3):
        """Whether no reply comes in that time; nothing that comes is lost."""
        self._socket.settimeout(seconds)
        try:
            self._buffer += self._socket.recv(4096)
        except TimeoutError:
            pass
        finally:
            self._socket.settimeout(waiting.PATIENCE_S)
        return not self._buffer

    def ehlo(self):
        return self.command(f"EHLO {self.helo}")

    def message(self, subject, headers=(), body="Hello."):
        """DATA and a short message; the reply to DATA if that fails, else the one to its end."""
        answer = self.command("DATA")
        if answer.code != 354:
            return answer
        lines = [*headers, f"Subject: {subject}", "From: lab@lab.example", "", body, "."]
        return self.command("\r\n".join(lines))

    def drop(self):
        """Leaves without a word."""
        self._socket.close()

    def close(self):
        try:
            self._socket.sendall(b"QUIT\r\n")
        except OSError:
            pass
        self._socket.close()


@dataclasses.dataclass
class Mail:
    """What became of one attempt to send one mail."""

    subject: str
    replies: dict  # stage -> Reply, in the order they came
    begun: float  # monotonic
    seconds: float

    @property
    def last(self):
        return list(self.replies.values())[-1]

    @property
    def code(self):
        return self.last.code

    @property
    def stage(self):
        return list(self.replies)[-1]

    @property
    def accepted(self):
        return self.stage == "end" and self.code == 250

    @property
    def verdict_wait(self):
        """How long the client waited where a milter decides: for the replies to MAIL and RCPT."""
        return sum(
            self.replies[stage].seconds for stage in ("mail", "rcpt") if stage in self.replies
        )

    def __repr__(self):
        return f"{self.stage}: {self.last.line} after {self.seconds:.2f} s"


def send(
    namespace,
    sender,
    recipient=RECIPIENT,
    source="203.0.113.1",
    subject=None,
    headers=(),
    login=None,
    helo="client.lab.example",
    server=net.MTA,
):
    """Sends a mail as far as the server lets it. `sender` goes between MAIL's brackets.

    `login` is a command that makes the client somebody, between two EHLOs.
    """
    begun = time.monotonic()
    subject = subject or unique()
    mail = Mail(subject, {}, begun, 0.0)
    try:
        session = Session(namespace, source, helo, server)
    except OSError as error:
        mail.replies["connect"] = Reply(0, str(error), time.monotonic() - begun)
        return mail
    try:
        _steps(session, mail, sender, recipient, headers, login)
    finally:
        session.close()
        mail.seconds = time.monotonic() - begun
    return mail


def _steps(session, mail, sender, recipient, headers, login):
    recipients = [recipient] if isinstance(recipient, str) else recipient
    utf8 = "" if sender.isascii() else " SMTPUTF8"
    steps = [("banner", lambda: session.banner), ("ehlo", session.ehlo)]
    if login:
        steps += [("login", lambda: session.command(login)), ("ehlo", session.ehlo)]
    steps.append(("mail", lambda: session.command(f"MAIL FROM:<{sender}>{utf8}")))
    for each in recipients:
        steps.append(("rcpt", lambda to=each: session.command(f"RCPT TO:<{to}>")))
    steps.append(("end", lambda: session.message(mail.subject, headers)))
    for stage, step in steps:
        mail.replies[stage] = step()
        if mail.code == 0 or mail.code >= 400:
            return


class Crowd:
    """Runs work(0) … work(count - 1), each in its own thread, all let go at the same moment."""

    def __init__(self, count, work):
        self._work = work
        self._gate = threading.Barrier(count)
        self._results = [None] * count
        self._threads = [
            threading.Thread(target=self._run, args=(index,), daemon=True) for index in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def _run(self, index):
        self._gate.wait()
        self._results[index] = self._work(index)

    def join(self):
        """Waits for all; what each returned."""
        for thread in self._threads:
            thread.join()
        return self._results


def at_once(count, work):
    return Crowd(count, work).join()
