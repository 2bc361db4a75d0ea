# SPDX-License-Identifier: BSD-2-Clause
"""A real Postfix, an instance of its own in a temporary folder, in front of the milter.

It takes mail for @local.example from anybody, hands every transaction to the milter on
127.0.0.1:8894, and files each accepted message in a maildir, where tests can read what arrived.
"""

import email
import os
import pathlib
import re
import shutil
import subprocess
import time

import net

DOMAIN = "local.example"
HOSTNAME = "mta.lab.example"
MILTER = "inet:127.0.0.1:8894"

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

# Accepted mail is filed, whoever it is for; nothing is ever sent out.
virtual_mailbox_domains = {domain}
virtual_mailbox_maps = static:inbox/
virtual_mailbox_base = {folder}/mail
virtual_mailbox_limit = 0
virtual_minimum_uid = 100
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
default_transport = discard
relay_transport = discard
bounce_queue_lifetime = 0

smtpd_milters = {milters}
milter_default_action = {default_action}
milter_connect_timeout = 5s
milter_command_timeout = 30s
milter_macro_daemon_name = lab

# The lab's clients come by the hundred, make mistakes on purpose, and say who they are.
default_process_limit = 300
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_error_sleep_time = 0
smtpd_soft_error_limit = 1000
smtpd_hard_error_limit = 2000
smtpd_peername_lookup = no
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_authorized_xclient_hosts = 203.0.113.0/24
smtpd_tls_security_level = none
"""

MASTER_CF = """
smtp      inet  n - n - -   smtpd
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
virtual   unix  - n n - -   virtual
anvil     unix  - - n - 1   anvil
proxymap  unix  - - n - -   proxymap
tlsmgr    unix  - - n 1000? 1 tlsmgr
"""


class Postfix:
    """One Postfix in `namespace`, its files under `folder`."""

    def __init__(self, namespace, folder, milters=MILTER):
        self.namespace = namespace
        self.folder = pathlib.Path(folder) / "postfix"
        self.milters = milters
        self.default_action = "accept"
        self.process = None

    @staticmethod
    def missing():
        """The tool that is not installed, or None."""
        return None if shutil.which("postconf") else "postfix"

    def start(self):
        """Makes the folders, starts the master and waits until it answers."""
        self._folders()
        self._configure()
        self._postfix("check")
        daemons = subprocess.check_output(
            ["postconf", "-dh", "daemon_directory"], text=True
        ).strip()
        self.process = self.namespace.popen(
            [f"{daemons}/master", "-s", "-c", str(self.config)],
            start_new_session=True,
            env={**os.environ, "MAIL_CONFIG": str(self.config)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._wait_until_listening()

    def set(self, default_action):
        """Another milter_default_action, for sessions from now on."""
        if default_action != self.default_action:
            self.default_action = default_action
            self._configure()
            self._postfix("reload")
            time.sleep(0.3)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None

    def log(self):
        path = self.folder / "maillog"
        return path.read_text(errors="replace") if path.exists() else ""

    def messages(self):
        """Every message filed so far, parsed."""
        inbox = self.folder / "mail" / "inbox" / "new"
        files = sorted(inbox.iterdir()) if inbox.exists() else []
        return [email.message_from_bytes(path.read_bytes()) for path in files]

    def message(self, token, patience=5.0):
        """The message whose Subject is `token`, once it is filed; None if it never is."""
        until = time.monotonic() + patience
        while True:
            for message in self.messages():
                if message["Subject"] == token:
                    return message
            if time.monotonic() > until:
                return None
            time.sleep(0.05)

    def filed(self, token):
        """How many messages with that Subject are filed."""
        return sum(message["Subject"] == token for message in self.messages())

    @property
    def config(self):
        return self.folder / "etc"

    def _folders(self):
        for name in ("etc", "spool", "data", "mail"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        shutil.chown(self.folder / "data", "postfix")
        shutil.chown(self.folder / "mail", "nobody", "nogroup")

    def _configure(self):
        inbox = (self.folder / "mail").stat()
        (self.config / "main.cf").write_text(
            MAIN_CF.format(
                folder=self.folder,
                hostname=HOSTNAME,
                address=net.MTA,
                domain=DOMAIN,
                uid=inbox.st_uid,
                gid=inbox.st_gid,
                milters=self.milters,
                default_action=self.default_action,
            )
        )
        (self.config / "master.cf").write_text(MASTER_CF)

    def _postfix(self, verb):
        self.namespace.run("postfix", "-c", str(self.config), verb)

    def _wait_until_listening(self, patience=15.0):
        until = time.monotonic() + patience
        while time.monotonic() < until:
            probe = self.namespace.socket()
            probe.settimeout(5)
            try:
                probe.connect((net.MTA, 25))
                if re.match(rb"220 ", probe.recv(512)):
                    return
            except OSError:
                pass
            finally:
                probe.close()
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        raise OSError("Postfix does not start:\n" + self.log())
