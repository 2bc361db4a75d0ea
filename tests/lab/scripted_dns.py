# SPDX-License-Identifier: BSD-2-Clause
"""A DNS server on the loopback that says what it is told to, or nothing, and counts who asks.

    with ScriptedDns({("example.org", "TXT"): [["v=spf1 -all"]]}) as dns:
        ... resolvers = { "127.0.0.1:{dns.port}" } ...

A zone maps (name, type) to a list of records: an address, a name, a preference and a name for MX, a
list of strings for TXT; or to SILENT. A name that has none of the types asked for exists all the
same; one that is in no row does not.
"""

import socket
import struct
import threading

SILENT = object()  # asks for this are not answered
TYPES = {"A": 1, "CNAME": 5, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28}
NAMES = {number: name for name, number in TYPES.items()}
NXDOMAIN = 3
TTL_S = 300


class ScriptedDns:
    def __init__(self, zone, silent=()):
        """`silent`: names about which nothing at all is answered that is not in the zone."""
        self.zone = {(name.lower(), kind): records for (name, kind), records in zone.items()}
        self.silent = {name.lower() for name in silent}
        self.asked = []  # (name, type) in the order in which they came
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self):
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread.start()
        return self

    def __exit__(self, *_):
        # A datagram without a question in it ends the thread.
        self._socket.sendto(b"", self._socket.getsockname())
        self._thread.join()
        self._socket.close()

    def _serve(self):
        while True:
            query, client = self._socket.recvfrom(4096)
            if not query:
                return
            answer = self._answer(query)
            if answer is not None:
                self._socket.sendto(answer, client)

    def _answer(self, query):
        name, kind, end = _read_question(query)
        self.asked.append((name, kind))
        records = self.zone.get((name, kind))
        alias = self.zone.get((name, "CNAME"))
        if records is SILENT or (records is None and alias is None and name in self.silent):
            return None
        exists = any(owner == name for owner, _ in self.zone)
        if records is None and alias is not None:
            kind, records = "CNAME", alias
        records = records or []
        flags = 0x8180 | (0 if exists else NXDOMAIN)
        header = query[:2] + struct.pack(">5H", flags, 1, len(records), 0, 0)
        return header + query[12:end] + b"".join(_record(kind, each) for each in records)


def _read_question(query):
    """The name, in lower case and with dots as they come, its type, and where the question ends."""
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode("latin-1"))
        at += 1 + query[at]
    (kind,) = struct.unpack(">H", query[at + 1 : at + 3])
    return ".".join(labels).lower(), NAMES.get(kind, kind), at + 5


def _name(text):
    labels = [label.encode("latin-1") for label in text.rstrip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def _text(strings):
    octets = [each.encode("latin-1") for each in strings]
    pieces = [each[at : at + 255] for each in octets for at in range(0, max(len(each), 1), 255)]
    return b"".join(bytes([len(piece)]) + piece for piece in pieces)


def _data(kind, record):
    if kind == "A":
        return socket.inet_pton(socket.AF_INET, record)
    if kind == "AAAA":
        return socket.inet_pton(socket.AF_INET6, record)
    if kind == "MX":
        preference, host = record
        return struct.pack(">H", preference) + _name(host)
    return _text(record) if kind == "TXT" else _name(record)


def _record(kind, record):
    data = _data(kind, record)
    # 0xc00c: the name in the question.
    return struct.pack(">HHHIH", 0xC00C, TYPES[kind], 1, TTL_S, len(data)) + data
