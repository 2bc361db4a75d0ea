# SPDX-License-Identifier: BSD-2-Clause
"""A filter that stands before ours and says of each message what a verifier of DKIM would find.

It verifies nothing: the trace knows. The protocol is that of ../../lab/miltertalk.py.
"""

import contextlib
import re
import socket
import struct
import threading

AUTHSERV_ID = "filter.lab.example"
PORT = 8896
MILTER = f"inet:127.0.0.1:{PORT}"
# All it does is to add a field, all it hears are fields, which it does not answer, and the end.
ADDS_FIELDS = 0x01
HEARS = 0x01 | 0x02 | 0x04 | 0x08 | 0x10 | 0x40 | 0x100 | 0x200 | 0x80


class Authenticator:
    """Tells the mails of a trace apart by their Subject, which ends with their number."""

    def __init__(self, namespace, mails):
        self._results = {str(mail.number): result(mail) for mail in mails}
        self._listening = namespace.socket()
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listening.bind(("127.0.0.1", PORT))
        self._listening.listen(256)

    def start(self):
        threading.Thread(target=self._serve, daemon=True).start()

    def stop(self):
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                caller, _ = self._listening.accept()
                threading.Thread(target=self._talk, args=(caller,), daemon=True).start()

    def _talk(self, caller):
        number = ""
        with contextlib.suppress(OSError, struct.error), caller, caller.makefile("rb") as stream:
            while True:
                letter, data = packet(stream)
                if letter == "O":
                    send(caller, "O", struct.pack(">3I", 6, ADDS_FIELDS, HEARS))
                elif letter == "L" and data.lower().startswith(b"subject\0"):
                    number = re.sub(r".*\s", "", data.decode("latin-1").rstrip("\0"))
                elif letter == "E":
                    field = f"Authentication-Results\0{self._results[number]}\0"
                    send(caller, "i", struct.pack(">I", 0) + field.encode())
                    send(caller, "c")
                elif letter == "Q":
                    return


def packet(stream):
    """The next one: its letter and what comes with it."""
    data = stream.read(*struct.unpack(">I", stream.read(4)))
    return data[:1].decode("latin-1"), data[1:]


def send(caller, letter, data=b""):
    caller.sendall(struct.pack(">I", len(data) + 1) + letter.encode() + data)


def result(mail):
    """The field's value."""
    signer = f" header.d={mail.signer}" if mail.signer else ""
    return f"{AUTHSERV_ID}; dkim={mail.dkim}{signer}"
