# SPDX-License-Identifier: BSD-2-Clause
"""Where a milter listens: how its own configuration says it, how Postfix does, and a way in.

    listen      "inet:8894@127.0.0.1", as libmilter and ringback.conf have it
    main_cf     "inet:127.0.0.1:8894", as Postfix' smtpd_milters has it
    url         "inet://127.0.0.1:8894", as GNU mailfromd has it
    connect     a socket that is connected to it
"""

import pathlib
import shutil
import socket

HOST, PORT = "127.0.0.1", 8894
PATH_MAX = 107  # octets, without the NUL that ends them in a sockaddr_un


class Inet:
    """Ringback's own port; each machine of the lab has one."""

    kind = "tcp"
    listen = f"inet:{PORT}@{HOST}"
    main_cf = f"inet:{HOST}:{PORT}"
    url = f"inet://{HOST}:{PORT}"

    def connect(self, namespace):
        return _connected(namespace.socket(), (HOST, PORT))


class Unix:
    """A socket in a new folder of its own, as ringback.conf(5) advises for Postfix: the daemon may
    write in the folder, and what is made there belongs to Postfix' group."""

    kind = "unix"

    def __init__(self, folder, user="nobody", group="postfix"):
        path = pathlib.Path(folder) / "milter.sock"
        if len(bytes(path)) > PATH_MAX:
            raise OSError(f"{path}: too long for a unix socket")
        path.parent.mkdir()
        shutil.chown(path.parent, user, group)
        path.parent.chmod(0o2750)
        self.path = str(path)
        self.listen = self.main_cf = f"unix:{path}"
        self.url = f"unix://{path}"

    def connect(self, namespace):
        return _connected(namespace.socket(socket.AF_UNIX), self.path)


def _connected(made, address):
    try:
        made.connect(address)
    except OSError:
        made.close()
        raise
    return made
