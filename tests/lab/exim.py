# SPDX-License-Identifier: BSD-2-Clause
"""A real Exim as a site's MTA, run from where debs.py unpacked it. It may verify with callouts."""

import os
import pwd
import shutil

import debs
import service

LOGS = ["mainlog", "rejectlog", "paniclog"]
USER = "Debian-exim"  # compiled into Debian's Exim, which does not start without
# What it verifies, and as whom. Exim verifies an envelope sender as <> only; the sender of a
# message's header it can verify as somebody.
NOBODY = "nobody"
VERIFY = {
    NOBODY: ("", ""),
    "null": ("require verify = sender/callout=60s", ""),
    "postmaster": ("", "require verify = header_sender/callout=60s,mailfrom=postmaster@{domain}"),
}

# Of the benches: what stands behind the options. Every sender is called back; what is accepted is
# thrown away.
CALLING_OUT = """
begin acl
rcpt:
  require message = relay not permitted
          domains = +local_domains
  require verify = sender/callout=10s,defer_ok
  accept
data:
  discard

begin routers
world:
  driver = dnslookup
  domains = ! +local_domains
  transport = smtp
  no_more
here:
  driver = accept
  transport = nowhere

begin transports
smtp:
  driver = smtp
nowhere:
  driver = appendfile
  file = /dev/null
"""

CONFIG = """
exim_path = {program}
spool_directory = {folder}/spool
log_file_path = {folder}/%slog
pid_file_path = {folder}/pid
primary_hostname = {hostname}
qualify_domain = {domain}
local_interfaces = {address} : 127.0.0.1
daemon_smtp_ports = 25
tls_advertise_hosts = {tls_hosts}
disable_ipv6 = true
host_lookup =
rfc1413_hosts =
keep_environment =
acl_smtp_rcpt = rcpt
acl_smtp_data = data
domainlist ours = {domains}
{more}

begin acl
rcpt:
  accept hosts = 127.0.0.1
  require domains = +ours
  require verify = recipient
  {at_rcpt}
  accept
data:
  accept hosts = 127.0.0.1
  {at_data}
  accept

begin routers
others:
  driver = dnslookup
  domains = ! +ours
  transport = smtp
  no_more
ours:
  driver = accept
  local_parts = {users}
  transport = file

begin transports
smtp:
  driver = smtp
file:
  driver = appendfile
  directory = {mail}/inbox
  maildir_format
  user = nobody
  group = nogroup

begin retry
* * F,1h,2s
"""


class Exim:
    """One Exim at a site; `verify` is a key of VERIFY, `more` are lines of its configuration.

    With TLS it makes itself a certificate.
    """

    def __init__(self, site, unpacked, verify, more="", tls=False):
        self.site = site
        self.folder = site.folder
        self.mail = site.mail
        self.unpacked = unpacked / "usr/sbin/exim4"
        self.program = self.folder / "exim4"
        self.verify = verify
        self.more = more
        self.tls = tls
        self.process = None

    @staticmethod
    def check(unpacked):
        """Raises debs.CannotHave where it would not run."""
        debs.runnable(unpacked / "usr/sbin/exim4")

    def launch(self):
        """Starts it; it is ready when wait() returns."""
        # It runs itself again as its own user, who may not look into the folder it was unpacked in.
        shutil.copy2(self.unpacked, self.program)
        self._configure()
        with open(self.folder / "output", "wb") as output:
            self.process = service.start(
                self.site.machine, [str(self.program), "-bdf", "-q2s"], output
            )

    def wait(self):
        if not service.wait_for_banner(self.site.machine, self.site.address, self.process):
            raise OSError("Exim does not start:\n" + self.log())

    def stop(self):
        service.end(self.process)
        self.process = None

    def log(self):
        """What it said and logged, the rejections too."""
        files = [self.folder / name for name in ("output", *LOGS)]
        return "".join(path.read_text(errors="replace") for path in files if path.exists())

    def _configure(self):
        self._make_user()
        at_rcpt, at_data = (line.format(domain=self.site.domain) for line in VERIFY[self.verify])
        config = CONFIG.format(
            program=self.program,
            folder=self.folder,
            mail=self.mail,
            hostname=self.site.hostname,
            domain=self.site.domain,
            domains=" : ".join(self.site.domains),
            more=self.more,
            tls_hosts="*" if self.tls else "",
            address=self.site.address,
            users=" : ".join(self.site.users),
            at_rcpt=at_rcpt,
            at_data=at_data,
        )
        (self.folder / "etc" / "exim4").mkdir()
        (self.folder / "etc" / "exim4" / "exim4.conf").write_text(config)

    def _make_user(self):
        """Exim's own user is `nobody` by another name; the spool and the logs are its."""
        nobody = pwd.getpwnam("nobody")
        entry = f"{USER}:x:{nobody.pw_uid}:{nobody.pw_gid}"
        with open(self.folder / "etc" / "passwd", "a", encoding="utf-8") as passwd:
            passwd.write(f"{entry}::/nonexistent:/usr/sbin/nologin\n")
        with open(self.folder / "etc" / "group", "a", encoding="utf-8") as group:
            group.write(f"{USER}:x:{nobody.pw_gid}:\n")
        for name in LOGS:
            (self.folder / name).touch()
        (self.folder / "spool").mkdir()
        for name in ("spool", *LOGS):
            os.chown(self.folder / name, nobody.pw_uid, nobody.pw_gid)
