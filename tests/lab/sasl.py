# SPDX-License-Identifier: BSD-2-Clause
"""SMTP AUTH for an MTA of the lab: a saslauthd that believes whoever knows the lab's password."""

import base64
import contextlib
import pathlib
import socket
import struct
import threading

PASSWORD = "lab"
PLUGINS = "*/sasl2/libplain.so*"
CONFIG = """
pwcheck_method: saslauthd
saslauthd_path: {path}
mech_list: PLAIN
"""


def missing():
    """The package that is not installed, or None."""
    has_plain = any(pathlib.Path("/usr/lib").glob(PLUGINS))
    return None if has_plain else "libsasl2-modules"


def plain(user):
    """The SMTP command by which `user` authenticates."""
    words = f"\0{user}\0{PASSWORD}".encode()
    return "AUTH PLAIN " + base64.b64encode(words).decode()


class Saslauthd:
    """Answers libsasl2 on a Unix socket: counted strings, user, password, service, realm."""

    def __init__(self, path):
        self._path = str(path)
        self._socket = socket.socket(socket.AF_UNIX)
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def config(self):
        """What libsasl2 reads to find it."""
        return CONFIG.format(path=self._path)

    def start(self):
        pathlib.Path(self._path).unlink(missing_ok=True)
        self._socket.bind(self._path)
        self._socket.listen()
        self._thread.start()

    def stop(self):
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                asking, _ = self._socket.accept()
                with asking, contextlib.suppress(OSError, struct.error):
                    asking.settimeout(5)
                    answer = b"OK" if self._is_right(asking) else b"NO"
                    asking.sendall(struct.pack(">H", len(answer)) + answer)

    @staticmethod
    def _is_right(asking):
        with asking.makefile("rb") as question:
            words = [question.read(*struct.unpack(">H", question.read(2))) for _ in range(4)]
        return words[1] == PASSWORD.encode()
