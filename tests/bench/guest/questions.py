# SPDX-License-Identifier: BSD-2-Clause
"""Counts what the MTA's side asks the lab's DNS server: reads along on the MTA's cable."""

import collections
import contextlib
import socket
import struct
import threading

import net

ETH_P_IP = 0x0800
UDP = 17
TYPES = {1: "A", 5: "CNAME", 12: "PTR", 15: "MX", 16: "TXT", 28: "AAAA"}


class Questions:
    """Counts from the beginning; counted() says how many of each type there were since a mark."""

    def __init__(self, world):
        self._socket = world.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
        self._socket.bind(("mta", ETH_P_IP))
        self._counts = collections.Counter()
        self._open = True
        threading.Thread(target=self._read, daemon=True).start()

    def counted(self, since=None):
        return collections.Counter(self._counts) - (since or collections.Counter())

    def close(self):
        self._open = False
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _read(self):
        self._socket.settimeout(0.5)
        while self._open:
            with contextlib.suppress(TimeoutError, OSError):
                kind = question(self._socket.recv(2048))
                if kind:
                    self._counts[kind] += 1


def question(datagram):
    """The type that an IPv4 datagram asks the lab's DNS server about, or None."""
    head = (datagram[0] & 0x0F) * 4
    udp = datagram[head:]
    if datagram[9] != UDP or datagram[16:20] != socket.inet_aton(net.DNS) or len(udp) < 21:
        return None
    if struct.unpack(">H", udp[2:4]) != (53,):
        return None
    at = 20  # behind the heads of UDP and DNS: the name
    while udp[at]:
        at += 1 + udp[at]
    (number,) = struct.unpack(">H", udp[at + 1 : at + 3])
    return TYPES.get(number, str(number))
