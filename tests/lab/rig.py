# SPDX-License-Identifier: BSD-2-Clause
"""The whole lab brought up and taken down: networks, DNS, mail hosts, an MTA, and the milter.

The MTA is Postfix, or a Sendmail that debs.py fetched.
"""

import contextlib
import os
import pathlib
import shutil
import signal
import sys
import tempfile

import client
import debs
import dns
import etc
import mailhosts
import milter
import net
import postfix
import sendmail
import stores
import world

SOURCE_DIR = pathlib.Path(__file__).resolve().parents[2]
# Where the lab's own users may write to. It is thrown away.
OUTGOING = "relay_domains = partner.example"
# The MTA is their users' host.
DOMAINS = " ".join([postfix.DOMAIN, *stores.DOMAINS, *(f"{name}.example" for name in world.STORES)])
MTAS = ["postfix", "sendmail"]


class CannotHave(Exception):
    """Why there can be no such MTA here."""


def build_dir():
    """Where the programs were built: --builddir DIR, RB_BUILDDIR, or the source tree."""
    if "--builddir" in sys.argv[:-1]:
        return sys.argv[sys.argv.index("--builddir") + 1]
    return os.environ.get("RB_BUILDDIR") or str(SOURCE_DIR)


def cannot_run(builddir):
    """Why the lab cannot be brought up here, or None."""
    if os.geteuid() != 0:
        return "the lab makes network namespaces: it must run as root"
    tools = [
        None if shutil.which("ip") else "iproute2",
        dns.Dns.missing(),
        postfix.Postfix.missing(),
    ]
    missing = " ".join(tool for tool in tools if tool)
    if missing:
        return f"not installed: {missing} (apt-get install {missing})"
    for program in ("ringback-milter", "ringback", "tests/smtpd/smtpd"):
        if not os.access(os.path.join(builddir, program), os.X_OK):
            return f"not built: {builddir}/{program}"
    try:
        net.Namespace("trial").close()
    except OSError as error:
        return f"no network namespaces here: {error}"
    return None


class Rig:
    """Use as `with Rig(builddir) as rig:`; all is gone behind the block, however it is left.

    `mta` is one of MTAS; `repeats` says that all has been run through another one before.
    """

    def __init__(self, builddir, mta="postfix", repeats=False):
        self.builddir = os.path.abspath(builddir)
        self.folder = None
        self.repeats = repeats
        self.outcomes = {}  # what each mail came to that must come to the same through any MTA
        self._make_mta = {"postfix": self._postfix, "sendmail": self._sendmail}[mta]
        self._parts = contextlib.ExitStack()

    def __enter__(self):
        for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(name, _leave)
        try:
            self._bring_up()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def _bring_up(self):
        self.folder = tempfile.mkdtemp(prefix="ringback-lab-")
        os.chmod(self.folder, 0o755)
        self.net = net.Net()
        self._parts.callback(self.net.close)
        self.dns = dns.Dns(self.net.world, self.folder, world.ZONE, world.BROKEN_ZONES)
        self.mta = self._make_mta()
        self.milter = milter.Milter(self.net.mta, self.folder, self.builddir)
        self.hosts = mailhosts.MailHosts(
            self.net.world, self.folder, self.builddir, world.HOSTS, self.milter.is_busy
        )
        for part in (self.dns, self.hosts, self.mta):
            self._parts.callback(part.stop)
            part.start()
        self._parts.callback(self.milter.stop)

    def __exit__(self, *_):
        for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(name, signal.SIG_IGN)
        self._parts.close()
        if self.folder and "--keep" in sys.argv:
            print(f"# kept: {self.folder}")
        elif self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _postfix(self):
        return postfix.Postfix(self.net.mta, self.folder, domain=DOMAINS, more=OUTGOING)

    def _sendmail(self):
        own_etc = pathlib.Path(self.folder, "etc")
        try:
            unpacked = debs.unpacked(self.builddir, self.folder)
            sendmail.Sendmail.check(unpacked)
            etc.make(own_etc, postfix.HOSTNAME, net.MTA)
            etc.check(self.net.guard, own_etc)
        except (debs.CannotHave, etc.CannotHave) as reason:
            raise CannotHave(str(reason)) from reason
        return sendmail.lab(net.View(self.net.mta, own_etc), self.folder, unpacked, DOMAINS)

    @property
    def postfix(self):
        """The MTA, as checks call it that only run through Postfix."""
        return self.mta

    def send(self, sender, user=None, xclient="", **options):
        """Sends a mail from the lab's client through the MTA, as that authenticated user, if any.

        Words of Postfix' XCLIENT are understood for any MTA: ADDR and LOGIN.
        """
        claims = dict(word.split("=", 1) for word in xclient.split())
        user = claims.get("LOGIN", user)
        if user:
            options["login"] = self.mta.login(user)
        if "ADDR" in claims:
            options["source"] = claims["ADDR"]
        return client.send(self.net.client, sender, **options)

    def asked(self, address):
        """What the mail host at an IP address was asked since the last reset, once all is quiet."""
        return self.hosts.settled()[address]


def _leave(number, _frame):
    sys.exit(128 + number)
