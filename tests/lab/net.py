# SPDX-License-Identifier: BSD-2-Clause
"""The lab's internet: three network namespaces, joined by two cables, with no way out.

    client  203.0.113.0/24, every address of it     where mail comes from
      |
    world   192.0.2.0/24 and 2001:db8:25::/64,      the DNS server and all mail hosts;
      |     every address of them                   it also passes packets between the others
    mta     198.51.100.10 and 2001:db8:51::10       Postfix or Sendmail, with the milter

Machines come on top (add_machine), each on a cable of its own to the world: 198.18.N.2.

The namespaces have no names: they are held open by file descriptors of this process, so that any
number of labs can run side by side and nothing is left behind, however this process ends. To look
into one while it runs: `nsenter --net -t PID` with the pid of a program that runs inside.
"""

import ctypes
import os
import re
import socket
import subprocess
import threading

import guard

CLONE_NEWNET = 0x40000000
MTA = "198.51.100.10"
DNS = "192.0.2.53"
SILENT = "192.0.2.240/28"  # addresses that never answer: packets to them are dropped

_libc = ctypes.CDLL(None, use_errno=True)


def _setns(fd):
    if _libc.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class Namespace:
    """One network namespace: run programs in it, open sockets in it."""

    def __init__(self, name, keeper=None):
        self.name = name
        self._keeper = keeper
        self._old = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        if _libc.unshare(CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "cannot make a network namespace")
        try:
            self.fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        finally:
            _setns(self._old)

    @property
    def path(self):
        return f"/proc/{os.getpid()}/fd/{self.fd}"

    def popen(self, argv, **options):
        """Starts a program inside. It is ended should this process die. Main thread only."""
        assert threading.current_thread() is threading.main_thread()

        options.setdefault("stdin", subprocess.DEVNULL)
        process = subprocess.Popen(argv, preexec_fn=lambda: _setns(self.fd), **options)
        if self._keeper:
            self._keeper.add(process.pid)
        return process

    def run(self, *argv):
        """Runs a program inside to its end; an error is an exception with what it said."""
        process = self.popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        output, _ = process.communicate(timeout=60)
        if process.returncode != 0:
            raise OSError(f"{self.name}: {' '.join(argv)}: {output.strip()}")
        return output

    def socket(self, family=socket.AF_INET, kind=socket.SOCK_STREAM, protocol=0):
        """A socket inside, made from any thread; only the making needs the namespace."""
        _setns(self.fd)
        try:
            return socket.socket(family, kind, protocol)
        finally:
            _setns(self._old)

    def close(self):
        os.close(self.fd)
        os.close(self._old)


def _seeing(etc, argv):
    """The same program, but what it sees as /etc is the folder `etc`."""
    view = 'mount --bind "$1" /etc && shift && exec "$@"'
    return ["unshare", "--mount", "sh", "-c", view, "sh", str(etc), *argv]


class Machine(Namespace):
    """A namespace whose programs see the folder `etc` as /etc."""

    def __init__(self, name, keeper, etc):
        super().__init__(name, keeper)
        self.etc = etc

    def popen(self, argv, **options):
        return super().popen(_seeing(self.etc, argv), **options)


class View:
    """Somebody else's namespace, in which programs see the folder `etc` as /etc."""

    def __init__(self, namespace, etc):
        self.etc = etc
        self.socket = namespace.socket
        self._namespace = namespace

    def popen(self, argv, **options):
        return self._namespace.popen(_seeing(self.etc, argv), **options)


class Net:
    """The three namespaces, cabled and addressed."""

    def __init__(self):
        self.guard = guard.Guard()
        self.world = Namespace("world", self.guard)
        self.mta = Namespace("mta", self.guard)
        self.client = Namespace("client", self.guard)
        self._cable()

    def _cable(self):
        world, mta, client = self.world, self.mta, self.client
        for namespace in (world, mta, client):
            namespace.run("ip", "link", "set", "lo", "up")
        self._join(
            mta,
            "mta",
            ("198.51.100.1/24", f"{MTA}/24"),
            ("2001:db8:51::1/64", "2001:db8:51::10/64"),
        )
        self._join(client, "client", ("198.18.0.1/30", "198.18.0.2/30"))
        world.run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")

        # "local" routes make every address of a network one's own, without listing them;
        # IPv6 wants to be told that programs may listen there.
        world.run("ip", "route", "add", "local", "192.0.2.0/24", "dev", "lo")
        world.run("ip", "-6", "route", "add", "local", "2001:db8:25::/64", "dev", "lo")
        world.run("sh", "-c", "echo 1 >/proc/sys/net/ipv6/ip_nonlocal_bind")
        world.run("ip", "route", "add", "blackhole", SILENT, "table", "local")
        client.run("ip", "route", "add", "local", "203.0.113.0/24", "dev", "lo")

        world.run("ip", "route", "add", "203.0.113.0/24", "via", "198.18.0.2")
        mta.run("ip", "route", "add", "203.0.113.0/24", "via", "198.51.100.1")
        mta.run("ip", "route", "add", "192.0.2.0/24", "via", "198.51.100.1")
        mta.run("ip", "route", "add", "198.18.0.0/16", "via", "198.51.100.1")
        mta.run("ip", "-6", "route", "add", "2001:db8:25::/64", "via", "2001:db8:51::1")
        client.run("ip", "route", "add", "198.51.100.0/24", "via", "198.18.0.1")

    def _join(self, far, name, *addresses):
        """A cable from the world (where its end bears `name`) to `far`."""
        self.world.run(
            "ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", far.path
        )
        for here, there in addresses:
            nodad = ["nodad"] if ":" in here else []
            self.world.run("ip", "addr", "add", here, "dev", name, *nodad)
            far.run("ip", "addr", "add", there, "dev", "eth0", *nodad)
        self.world.run("ip", "link", "set", name, "up")
        far.run("ip", "link", "set", "eth0", "up")

    def add_machine(self, name, address, etc):
        """One more machine, on 198.18.N.2 for an N of its own. The caller closes it."""
        machine = Machine(name, self.guard, etc)
        gateway = re.sub(r"\.2$", ".1", address)
        cable = f"s{address.split('.')[2]}"
        # The kernel takes its time to remove that of a machine of this address that was closed.
        self.world.run("sh", "-c", f"ip link del {cable} 2>/dev/null || true")
        machine.run("ip", "link", "set", "lo", "up")
        self._join(machine, cable, (f"{gateway}/30", f"{address}/30"))
        machine.run("ip", "route", "add", "default", "via", gateway)
        return machine

    def add_ipv6(self, machine, address, address6):
        """The machine that has that address gets one of IPv6, which ends in ::2, too."""
        device = f"s{address.split('.')[2]}"
        gateway = re.sub(r"::2$", "::1", address6)
        self.world.run("sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/all/forwarding")
        self.world.run("ip", "addr", "add", f"{gateway}/64", "dev", device, "nodad")
        machine.run("ip", "addr", "add", f"{address6}/64", "dev", "eth0", "nodad")
        machine.run("ip", "-6", "route", "add", "default", "via", gateway)

    def close(self):
        for namespace in (self.client, self.mta, self.world):
            namespace.close()
        self.guard.close()
