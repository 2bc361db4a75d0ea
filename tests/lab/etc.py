# SPDX-License-Identifier: BSD-2-Clause
"""An /etc of its own for a machine of the lab: its names, its users, the lab's DNS server."""

import pathlib
import shutil
import socket

import net

FIRST_UID = 61000
# What programs need of the host's /etc; nothing else of it is to be seen.
COMMON = [
    "group",
    "ld.so.cache",
    "localtime",
    "nsswitch.conf",
    "passwd",
    "postfix/dynamicmaps.cf",
    "postfix/postfix-files",
    "protocols",
    "services",
]


class CannotHave(Exception):
    """Why a machine cannot have one here."""


def check(guard, folder):
    """Raises CannotHave where a machine cannot have an /etc of its own."""
    trial = net.Machine("trial", guard, folder)
    try:
        trial.run("true")
    except OSError as error:
        raise CannotHave(f"no /etc of its own for a machine: {error}") from error
    finally:
        trial.close()


def make(folder, hostname, address, users=()):
    """Makes it in `folder`, and returns that."""
    (folder / "postfix").mkdir(parents=True)
    for name in COMMON:
        if pathlib.Path("/etc", name).exists():
            shutil.copy(pathlib.Path("/etc", name), folder / name)
    with open(folder / "passwd", "a", encoding="utf-8") as passwd:
        for uid, user in enumerate(users, FIRST_UID):
            passwd.write(f"{user}:x:{uid}:65534::/nonexistent:/usr/sbin/nologin\n")
    (folder / "resolv.conf").write_text(f"nameserver {net.DNS}\n")
    own = f"{address} {hostname} {socket.gethostname()}"
    (folder / "hosts").write_text(f"127.0.0.1 localhost\n{own}\n")
    return folder
