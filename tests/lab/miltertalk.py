# SPDX-License-Identifier: BSD-2-Clause
"""Speaks the milter protocol itself, as an MTA would that lets everything through.

Postfix refuses much of what a hostile client types before a milter sees it; other MTAs, and other
settings, do not. This is the way to hand the daemon any octets at all. (The protocol: Sendmail's
libmilter/mfdef.h, version 6.)
"""

import socket
import struct

import waiting

OFFER = 6, 0x1FF, 0x1FFFFF  # what an MTA of today says: version, actions, steps that it may spare
DATA_SINCE = 4  # the version that told DATA first
UNKNOWN_SINCE = 3  # and commands that the MTA does not know
NO_STEP = {"C": 0x01, "H": 0x02, "M": 0x04, "R": 0x08, "L": 0x20, "N": 0x40, "U": 0x100, "T": 0x200, "B": 0x10}
NO_REPLY = {
    "C": 0x1000,
    "H": 0x2000,
    "M": 0x4000,
    "R": 0x8000,
    "L": 0x80,
    "N": 0x40000,
    "T": 0x10000,
    "U": 0x20000,
    "B": 0x80000,
}
FINAL = "acrtdy4f"  # accept, continue, reject, tempfail, discard, reply code, shutdown, conn fail


class Talk:
    """One session with a filter: each step returns its answer, a letter and what came with it."""

    def __init__(self, namespace=None, port=8894, patience=2 * waiting.PATIENCE_S, connected=None, offer=OFFER):
        """At a port of 127.0.0.1, or through a socket that is `connected` already."""
        self._socket = connected or namespace.socket()
        self._socket.settimeout(patience)
        self._data_told = False
        if not connected:
            self._socket.connect(("127.0.0.1", port))
        if self._socket.family == socket.AF_INET:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._version = offer[0]
        self._send("O", struct.pack(">3I", *offer))
        _, data = self._packet()
        _, self.actions, self.protocol = struct.unpack(">3I", data[:12])

    def connect(self, name=b"client.lab.example", address=b"203.0.113.1"):
        return self.step("C", name + b"\0" + b"4" + struct.pack(">H", 4321) + address + b"\0")

    def helo(self, name):
        return self.step("H", name + b"\0")

    def mail(self, *arguments, macros=()):
        self._data_told = False
        self._macros("M", macros)
        return self.step("M", b"".join(each + b"\0" for each in arguments))

    def rcpt(self, *arguments, macros=()):
        self._macros("R", macros)
        return self.step("R", b"".join(each + b"\0" for each in arguments))

    def data(self):
        """DATA; header() and end() see to it themselves. After a field libmilter ignores it."""
        self._data_told = True
        return self.step("T", b"") if self._version >= DATA_SINCE else ("c", b"")

    def unknown(self, line):
        """A command that the MTA does not know; "c" is for the MTA's own answer."""
        return self.step("U", line + b"\0") if self._version >= UNKNOWN_SINCE else ("c", b"")

    def header(self, name, value):
        if not self._data_told:
            self.data()
        return self.step("L", name + b"\0" + value + b"\0")

    def end(self):
        """End of message: all the changes asked for, and the final answer."""
        if not self._data_told:
            self.data()
        self.step("N", b"")
        self._send("E", b"")
        changes = []
        while True:
            kind, data = self._packet()
            if kind in FINAL:
                return (kind, data), changes
            changes.append((kind, data))

    def abort(self):
        """The message is given up; there is no answer to that."""
        self._send("A", b"")

    def is_silent(self):
        """Whether nothing was said that nobody has waited for."""
        self._socket.setblocking(False)
        try:
            return self._socket.recv(1, socket.MSG_PEEK) == b""
        except BlockingIOError:
            return True

    def step(self, command, data):
        """One event; answered at once with "continue" where the filter does not want it."""
        if self.protocol & NO_STEP.get(command, 0):
            return "c", b""
        self._send(command, data)
        if self.protocol & NO_REPLY.get(command, 0):
            return "c", b""
        kind, answer = "p", b""
        while kind == "p":  # progress: wait on
            kind, answer = self._packet()
        return kind, answer

    def close(self):
        try:
            self._send("Q", b"")
        except OSError:
            pass
        self._socket.close()

    def raw(self, data):
        self._socket.sendall(data)

    def _macros(self, command, macros):
        if macros:
            self._send("D", command.encode() + b"".join(each + b"\0" for each in macros))

    def _send(self, command, data):
        self._socket.sendall(struct.pack(">I", len(data) + 1) + command.encode() + data)

    def _packet(self):
        (size,) = struct.unpack(">I", self._exactly(4))
        data = self._exactly(size)
        return data[:1].decode("latin-1"), data[1:]

    def _exactly(self, size):
        data = b""
        while len(data) < size:
            part = self._socket.recv(size - len(data))
            if not part:
                raise ConnectionError("the filter closed the connection")
            data += part
        return data
