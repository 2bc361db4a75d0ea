# SPDX-License-Identifier: BSD-2-Clause
"""A real Postfix, an instance of its own in a temporary folder, in front of the milter.

It takes mail for @local.example from anybody, hands every transaction to the milter on
127.0.0.1:8894, and files each accepted message in a maildir, where tests can read what arrived.
With other settings it is the mail host of a site: its domain, its users, and it sends mail too.
"""

import os
import pathlib
import shutil
import subprocess

import mta
import net
import places
import service
import waiting

DOMAIN = "local.example"
HOSTNAME = "mta.lab.example"
MILTER = places.Inet.main_cf

MAIN_CF = """
compatibility_level = 3.6
queue_directory = {folder}/spool
data_directory = {folder}/data
maillog_file = {folder}/maillog
maillog_file_prefixes = {folder}
multi_instance_enable = no

myhostname = {hostname}
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = {address}, 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
notify_classes =
smtputf8_enable = yes

# Accepted mail is filed, whoever it is for; what is for others goes to {transport}.
virtual_mailbox_domains = {domain}
virtual_mailbox_maps = {users}
virtual_mailbox_base = {folder}/mail
virtual_mailbox_limit = 0
virtual_minimum_uid = 100
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
default_transport = {transport}
relay_transport = {transport}
bounce_queue_lifetime = 0

smtpd_milters = {milters}
milter_default_action = {default_action}
milter_connect_timeout = 60s
milter_command_timeout = 30s
milter_macro_daemon_name = lab

{limits}
in_flow_delay = 0
smtpd_peername_lookup = no
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_authorized_xclient_hosts = 203.0.113.0/24
smtpd_tls_security_level = none
{more}
"""

# The lab's clients come by the hundred, make mistakes on purpose, and say who they are.
LAX = """
default_process_limit = 300
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_error_sleep_time = 0
smtpd_soft_error_limit = 1000
smtpd_hard_error_limit = 2000
"""

MASTER_CF = """
{front}
postlog   unix-dgram n - n - 1 postlogd
pickup    unix  n - n 60 1  pickup
cleanup   unix  n - n - 0   cleanup
qmgr      unix  n - n 300 1 qmgr
rewrite   unix  - - n - -   trivial-rewrite
bounce    unix  - - n - 0   discard
defer     unix  - - n - 0   bounce
trace     unix  - - n - 0   discard
error     unix  - - n - -   error
retry     unix  - - n - -   error
discard   unix  - - n - -   discard
smtp      unix  - - n - -   smtp
verify    unix  - - n - 1   verify
virtual   unix  - n n - -   virtual
anvil     unix  - - n - 1   anvil
proxymap  unix  - - n - -   proxymap
tlsmgr    unix  - - n 1000? 1 tlsmgr
"""

# Who listens: smtpd, or postscreen before it.
SMTPD = "smtp inet n - n - - smtpd"
POSTSCREEN = """
smtp      inet  n - n - 1   postscreen
smtpd     pass  - - n - -   smtpd
dnsblog   unix  - - n - 0   dnsblog
"""

QUEUES = "active bounce corrupt defer deferred flush hold incoming maildrop saved trace"
SETTINGS = {
    "hostname": HOSTNAME,
    "address": net.MTA,
    "domain": DOMAIN,
    "milters": MILTER,
    "default_action": "accept",
    "users": "static:inbox/",
    "transport": "discard",
    "limits": LAX,
    "front": SMTPD,
    "more": "",
}


class Postfix(mta.Mta):
    """One Postfix, its files under `folder`/postfix; its settings are those of SETTINGS."""

    name = "Postfix"
    default_settings = SETTINGS

    def __init__(self, machine, folder, **settings):
        super().__init__(machine, pathlib.Path(folder) / "postfix", settings)

    @staticmethod
    def missing():
        """The tool that is not installed, or None."""
        return None if shutil.which("postconf") else "postfix"

    def launch(self):
        self._folders()
        self._configure()
        daemons = subprocess.check_output(
            ["postconf", "-dh", "daemon_directory"], text=True
        ).strip()
        self.process = service.start(
            self.machine,
            [f"{daemons}/master", "-s", "-c", str(self.config)],
            env={**os.environ, "MAIL_CONFIG": str(self.config)},
        )

    def set(self, default_action):
        self._reconfigure(default_action=default_action)

    def set_more(self, more):
        self._reconfigure(more=more)

    def set_milter(self, place):
        self._reconfigure(milters=place.main_cf)

    def set_filter_before(self, port=None):
        self._reconfigure(milters=f"inet:127.0.0.1:{port}, {MILTER}" if port else MILTER)

    def set_patience(self, seconds=None):
        patient = f"{{ {MILTER}, command_timeout={seconds}s, content_timeout={seconds}s }}"
        self._reconfigure(milters=patient if seconds else MILTER)

    def login(self, user):
        return f"XCLIENT LOGIN={user}"

    def calls_from(self, addresses):
        clients = tuple(f"[{address}]" for address in addresses)
        return sum(
            " connect from " in line and line.endswith(clients) for line in self.log().splitlines()
        )

    def log(self):
        path = self.folder / "maillog"
        return path.read_text(errors="replace") if path.exists() else ""

    def delivered(self):
        inbox = self.mail / "inbox" / "new"
        return sorted(inbox.iterdir()) if inbox.exists() else []

    def held(self):
        return list((self.folder / "spool" / "hold").iterdir())

    @property
    def config(self):
        return self.folder / "etc"

    def _folders(self):
        for name in ("etc", "spool", "data", "mail"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "spool" / "pid").mkdir(exist_ok=True)
        for name in (*QUEUES.split(), "private", "public"):  # `postfix check` is slow
            (self.folder / "spool" / name).mkdir(mode=0o700, exist_ok=True)
            shutil.chown(self.folder / "spool" / name, "postfix")
        shutil.chown(self.folder / "data", "postfix")
        shutil.chown(self.mail, "nobody", "nogroup")

    def _reconfigure(self, **changes):
        """Other settings, for sessions from now on."""
        settings = {**self.settings, **changes}
        if settings != self.settings:
            self.settings = settings
            self._configure()
            self.reload()

    def reload(self):
        """Its configuration is taken by all who serve clients: those of before have ended."""
        before = self._servers()
        self._postfix("reload")
        if not waiting.until(lambda: not before & self._servers()):
            raise OSError("a smtpd of before `postfix reload` does not end")

    def _servers(self):
        """The process ids of its smtpd."""
        return set(service.children(self.process.pid, "smtpd"))

    def _configure(self):
        inbox = self.mail.stat()
        (self.config / "main.cf").write_text(
            MAIN_CF.format(folder=self.folder, uid=inbox.st_uid, gid=inbox.st_gid, **self.settings)
        )
        (self.config / "master.cf").write_text(MASTER_CF.format(front=self.settings["front"]))

    def _postfix(self, verb):
        self.machine.run("postfix", "-c", str(self.config), verb)
