# SPDX-License-Identifier: BSD-2-Clause
"""A filter that stands before ours: a milter that inserts the header fields that it is told to.

The protocol is that of miltertalk.py, seen from its other end.
"""

import contextlib
import socket
import struct
import threading

PORT = 8896
VERSION, ADDS, CHANGES = 6, 0x01, 0x10  # SMFIF_ADDHDRS, SMFIF_CHGHDRS
UNANSWERED = "DQA"  # macros, the end of a connection, a message given up


class Filter:
    """Use as `with Filter(namespace, says) as filter:`; it listens on PORT of 127.0.0.1.

    `says(sender, fields)`, both as the MTA shows them, returns what to insert into that message: each
    (index, name, value).
    """

    def __init__(self, namespace, says=lambda sender, fields: [], port=PORT):
        self.seen = []  # of each message the fields that were shown: [(name, value)]
        self._says = says
        self._listening = namespace.socket()
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listening.bind(("127.0.0.1", port))
        self._listening.listen(100)

    def __enter__(self):
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection):
        sender, fields = "", []
        with contextlib.suppress(OSError, struct.error), connection, connection.makefile(
            "rb"
        ) as stream:
            while True:
                (size,) = struct.unpack(">I", stream.read(4))
                data = stream.read(size)
                kind, data = data[:1].decode("latin-1"), data[1:]
                if kind == "O":
                    _answer(connection, "O", struct.pack(">3I", VERSION, ADDS | CHANGES, 0))
                    continue
                if kind == "M":
                    sender, fields = _words(data)[0], []
                elif kind == "L":
                    fields.append(tuple(_words(data)))
                elif kind == "E":
                    self._insert(connection, sender, fields)
                if kind not in UNANSWERED:
                    _answer(connection, "c")

    def _insert(self, connection, sender, fields):
        self.seen.append(fields)
        for index, name, value in self._says(sender, fields):
            data = struct.pack(">I", index) + name.encode() + b"\0" + value.encode() + b"\0"
            _answer(connection, "i", data)


def _words(data):
    return data.decode("latin-1").split("\0")[:-1]


def _answer(connection, kind, data=b""):
    connection.sendall(struct.pack(">I", len(data) + 1) + kind.encode() + data)
