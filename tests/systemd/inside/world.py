#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The world beyond the container's network: a name server and a mail host, both at one address.

    world.py ADDRESS

good.example has a mail host that knows alice alone; forged.example says by SPF that nobody sends for it. Waits for the
address to be there.
"""

import socket
import socketserver
import struct
import sys
import threading
import time

A, PTR, MX, TXT = 1, 12, 15, 16
KNOWN = b"<alice@good.example>"


def name(text):
    return b"".join(bytes([len(label)]) + label.encode() for label in text.split(".")) + b"\0"


def zone(address):
    mx = struct.pack(">H", 10) + name("mx.good.example")
    spf = b"v=spf1 -all"
    return {
        ("good.example", MX): mx,
        ("forged.example", MX): mx,
        ("forged.example", TXT): bytes([len(spf)]) + spf,
        ("mx.good.example", A): socket.inet_aton(address),
    }


def read_question(octets):
    labels, at = [], 12
    while octets[at]:
        labels.append(octets[at + 1 : at + 1 + octets[at]].decode().lower())
        at += 1 + octets[at]
    return ".".join(labels), struct.unpack(">H", octets[at + 1 : at + 3])[0], octets[12 : at + 5]


def answer_names(address):
    records = zone(address)
    served = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    served.bind((address, 53))
    while True:
        octets, client = served.recvfrom(4096)
        asked, kind, question = read_question(octets)
        data = records.get((asked, kind))
        known = any(owner == asked for owner, _ in records)
        flags = 0x8580 if known else 0x8583
        reply = octets[:2] + struct.pack(">HHHHH", flags, 1, int(data is not None), 0, 0) + question
        if data is not None:
            reply += struct.pack(">HHHIH", 0xC00C, kind, 1, 300, len(data)) + data
        served.sendto(reply, client)


class MailHost(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(b"220 mx.good.example ESMTP\r\n")
        for line in self.rfile:
            verb = line[:4].upper()
            if verb == b"RCPT":
                known = KNOWN in line.lower()
                self.wfile.write(b"250 2.1.5 Ok\r\n" if known else b"550 5.1.1 no such user here\r\n")
            elif verb == b"QUIT":
                self.wfile.write(b"221 2.0.0 Bye\r\n")
                return
            else:
                self.wfile.write(b"250 2.0.0 Ok\r\n")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


def await_address(address):
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as trial:
            try:
                trial.bind((address, 0))
                return
            except OSError:
                time.sleep(0.05)


def main():
    address = sys.argv[1]
    await_address(address)
    threading.Thread(target=answer_names, args=(address,), daemon=True).start()
    with Server((address, 25), MailHost) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
