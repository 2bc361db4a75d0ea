# SPDX-License-Identifier: BSD-2-Clause
"""The lab's DNS: nsd, which answers for the whole of the lab's name space from one zone file."""

import os
import pathlib
import shutil
import struct
import subprocess

import net
import waiting

CONFIG = """
server:
    ip-address: {address}
    port: {port}
    username: "{user}"
    chroot: ""
    zonesdir: "{folder}"
    pidfile: ""
    database: ""
    xfrdfile: "{folder}/xfrd.state"
    zonelistfile: "{folder}/zone.list"
    logfile: "{folder}/nsd.log"
    server-count: 1
    hide-version: yes
    rrl-ratelimit: 0
remote-control:
    control-enable: no
zone:
    name: "."
    zonefile: "lab.zone"
"""

BROKEN = """
zone:
    name: "{name}"
    zonefile: "there-is-no-such-file"
"""


class Dns:
    """nsd on the world's 192.0.2.53, or where told. Zones without a file get SERVFAIL."""

    def __init__(self, namespace, folder, zone, broken=(), address=(net.DNS, 53)):
        self.namespace = namespace
        self.folder = pathlib.Path(folder) / "dns"
        self.zone = zone
        self.broken = broken
        self.address = address
        self.process = None

    @staticmethod
    def missing():
        return None if shutil.which("nsd") else "nsd"

    def start(self):
        self.folder.mkdir()
        user = "nobody" if os.geteuid() == 0 else ""
        address, port = self.address
        config = CONFIG.format(address=address, port=port, folder=self.folder, user=user)
        config += "".join(BROKEN.format(name=name) for name in self.broken)
        (self.folder / "nsd.conf").write_text(config)
        (self.folder / "lab.zone").write_text(self.zone)
        if user:
            shutil.chown(self.folder, user)
        self.process = self.namespace.popen(
            ["nsd", "-d", "-c", str(self.folder / "nsd.conf")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._wait_until_answering()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10)
        self.process = None

    def log(self):
        path = self.folder / "nsd.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def _wait_until_answering(self):
        if not waiting.until(lambda: self._answers() or self.process.poll() is not None):
            raise OSError("nsd does not answer:\n" + self.log())
        if self.process.poll() is not None:
            raise OSError("nsd does not start:\n" + self.log())

    def _answers(self):
        """Whether it says, asked for the root's SOA, that it is the authority."""
        query = struct.pack(">6H", 1, 0, 1, 0, 0, 0) + b"\0" + struct.pack(">2H", 6, 1)
        with self.namespace.socket(kind=net.socket.SOCK_DGRAM) as probe:
            probe.settimeout(1)
            try:
                probe.connect(self.address)
                probe.send(query)
                (flags,) = struct.unpack(">H", probe.recv(512)[2:4])
            except OSError:
                return False
        return flags & 0x040F == 0x0400
