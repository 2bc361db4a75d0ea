# SPDX-License-Identifier: BSD-2-Clause
"""Listens on the lab's cables: who calls whose port 25, and what callers say there.

Every packet between two sites comes into the world once, where a packet socket sees it. Only what
callers send is kept. A site's programs may log what they please, or nothing.
"""

import dataclasses
import re
import select
import socket
import struct
import threading
import time

import waiting

ETH_P_IP = 0x0800
SO_RCVBUFFORCE = 33  # of Linux; what is lost is not counted
SMTP = 25
FIN, SYN, RST = 0x01, 0x02, 0x04
QUIET_S = 0.1  # nothing new for so long, and no call open: all is settled
BUFFER_BYTES = 8 << 20


@dataclasses.dataclass
class Call:
    """One TCP connection to a mail host, as far as the caller's half of it goes."""

    caller: str
    called: str
    first: int  # sequence number of the first octet
    pieces: dict  # offset -> octets
    ended: bool = False

    @property
    def lines(self):
        text = b"".join(self.pieces[offset] for offset in sorted(self.pieces))
        return text.decode("latin-1").split("\r\n")

    def _words(self, pattern):
        found = (re.match(pattern, line, re.IGNORECASE) for line in self.lines)
        return [match.group(1) for match in found if match]

    @property
    def senders(self):
        return self._words(r"MAIL FROM:\s*<([^>]*)>")

    @property
    def recipients(self):
        return self._words(r"RCPT TO:\s*<([^>]*)>")

    @property
    def delivers(self):
        """Whether a message was handed over; a callout ends before that."""
        return bool(self._words(r"(DATA$|BDAT )"))

    def __repr__(self):
        kind = "delivery" if self.delivers else "callout"
        talk = ", ".join(self.senders[:1] + self.recipients)
        return f"{kind} {self.caller} -> {self.called}: {talk or '(said nothing)'}"


class Wire:
    """Use as `with Wire(world) as wire:`; a thread listens until the block is left."""

    def __init__(self, world):
        self._socket = world.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP))
        self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)
        self._lock = threading.Lock()
        self._calls = {}  # (caller, port, called) -> Call, in the order they began
        self._last = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
        self._socket.close()

    def forget(self):
        """Waits until all is quiet, then forgets all calls."""
        self.settled()
        with self._lock:
            self._calls.clear()

    def settled(self):
        """The calls since the last forget(), once they have all ended."""
        calls = []

        def are_settled():
            nonlocal calls
            with self._lock:
                calls = list(self._calls.values())
                quiet = time.monotonic() - self._last > QUIET_S
            return quiet and all(call.ended for call in calls)

        waiting.until(are_settled)
        return calls

    def _listen(self):
        while not self._stop.is_set():
            if select.select([self._socket], [], [], 0.1)[0]:
                packet = self._socket.recv(1 << 17)
                with self._lock:
                    self._packet(packet)

    def _packet(self, packet):
        """An IPv4 packet: kept if it is one of TCP, to port 25."""
        ip_bytes = (packet[0] & 15) * 4
        if packet[9] != socket.IPPROTO_TCP or len(packet) < ip_bytes + 20:
            return
        (total,) = struct.unpack_from("!H", packet, 2)
        port, to_port, sequence = struct.unpack_from("!HHI", packet, ip_bytes)
        if to_port != SMTP:
            return
        header = ip_bytes + (packet[ip_bytes + 12] >> 4) * 4
        caller, called = (socket.inet_ntoa(packet[at : at + 4]) for at in (12, 16))
        flags = packet[ip_bytes + 13]
        self._last = time.monotonic()
        self._segment((caller, port, called), flags, sequence, packet[header:total])

    def _segment(self, key, flags, sequence, data):
        if flags & SYN:
            self._calls[key] = Call(key[0], key[2], sequence + 1, {})
        call = self._calls.get(key)
        if not call:
            return
        if data:
            call.pieces[(sequence - call.first) & 0xFFFFFFFF] = data
        if flags & (FIN | RST):
            call.ended = True
