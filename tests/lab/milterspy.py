# SPDX-License-Identifier: BSD-2-Clause
"""Stands between an MTA and the daemon, passes all on, and keeps what the MTA said.

The protocol is that of miltertalk.py: packets of a length, a letter and what goes with it.
"""

import contextlib
import socket
import struct
import threading

PORT = 8895
DAEMON = ("127.0.0.1", 8894)


class Spy:
    """Use as `with Spy(namespace) as spy:`, with the MTA's milter on PORT of 127.0.0.1."""

    def __init__(self, namespace):
        self._namespace = namespace
        self._listening = namespace.socket()
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listening.bind(("127.0.0.1", PORT))
        self._listening.listen()
        self.said = []  # (letter, data) of every packet to the daemon
        self.answered = []  # and from it

    def __enter__(self):
        self._start(self._serve)
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def forget(self):
        self.said, self.answered = [], []

    def arguments(self, letter):
        """What commands of that letter came with, each a list: all ends with a NUL."""
        return [
            data.decode("latin-1").split("\0")[:-1] for kind, data in self.said if kind == letter
        ]

    def macros(self, letter):
        """The names of the macros that came before commands of that letter."""
        sent = [data[1:] for kind, data in self.said if kind == "D" and data[:1] == letter.encode()]
        return {name for data in sent for name in data.decode("latin-1").split("\0")[:-1:2]}

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                caller, _ = self._listening.accept()
                daemon = self._namespace.socket()
                daemon.connect(DAEMON)
                self._start(self._pass_on, caller, daemon, lambda packet: self.said.append(packet))
                self._start(
                    self._pass_on, daemon, caller, lambda packet: self.answered.append(packet)
                )

    @staticmethod
    def _start(work, *arguments):
        threading.Thread(target=work, args=arguments, daemon=True).start()

    @staticmethod
    def _pass_on(source, sink, keep):
        """Keeps a packet before it goes on: who sees its effect finds it kept."""
        with contextlib.suppress(OSError, struct.error), source.makefile("rb") as stream:
            while True:
                head = stream.read(4)
                data = stream.read(*struct.unpack(">I", head))
                keep((data[:1].decode("latin-1"), data[1:]))
                sink.sendall(head + data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)
