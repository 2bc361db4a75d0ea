# SPDX-License-Identifier: BSD-2-Clause
"""What stands between a client and an MTA, and has a connection of its own to each: NAT that gives
connections other ports, a proxy that says in the PROXY protocol or by XCLIENT who the client is.
"""

import contextlib
import socket
import threading

SMTP = 25
BEHIND_PROXY = 2525  # where an MTA expects the PROXY protocol


class Relay:
    """Use as `with Relay(listener, connect):`. connect(client, reached) makes the socket to the MTA
    for one whose addresses these are. Anything that either says is passed on.
    """

    def __init__(self, listener, connect):
        self._listener = listener
        self._connect = connect
        self._sockets = [listener]

    def __enter__(self):
        self._listener.listen()
        _in_background(self._accept)
        return self

    def __exit__(self, *_):
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, address = self._listener.accept()
                server = self._connect(address, client.getsockname())
                self._sockets += [client, server]
                _in_background(_pass_on, client, server)
                _in_background(_pass_on, server, client)


def _in_background(work, *arguments):
    threading.Thread(target=work, args=arguments, daemon=True).start()


def _pass_on(giver, taker):
    with contextlib.suppress(OSError):
        while data := giver.recv(1 << 16):
            taker.sendall(data)
    with contextlib.suppress(OSError):
        taker.shutdown(socket.SHUT_WR)


def listen(namespace, address):
    """At an address of the namespace, or at somebody else's whose packets are led there."""
    listener = namespace.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_IP, socket.IP_TRANSPARENT, 1)
    listener.bind((address, SMTP))
    return listener


def connected(namespace, address, port=SMTP):
    made = namespace.socket()
    made.connect((address, port))
    return made


def proxied(namespace, address, client, reached):
    """To an MTA that is told of the client in the PROXY protocol's first line."""
    made = connected(namespace, address, BEHIND_PROXY)
    made.sendall(f"PROXY TCP4 {client[0]} {reached[0]} {client[1]} {reached[1]}\r\n".encode())
    return made


def introduced(namespace, address, client, reached):
    """To an MTA that is told of the client by XCLIENT; it greets anew."""
    made = connected(namespace, address)
    who = f"ADDR={client[0]} PORT={client[1]} DESTADDR={reached[0]} DESTPORT={reached[1]}"
    for line in ("EHLO proxy.example", f"XCLIENT {who}"):
        _await_reply(made)
        made.sendall(f"{line}\r\n".encode())
    return made


def _await_reply(connection):
    lines = b""
    while not (lines.endswith(b"\n") and lines.splitlines()[-1][3:4] == b" "):
        data = connection.recv(4096)
        if not data:
            raise ConnectionError(f"closed after {lines!r}")
        lines += data
