# SPDX-License-Identifier: BSD-2-Clause
"""A real Dovecot as a site's mail store: LMTP on port 24, run from where debs.py unpacked it.

It looks for its parts under /usr only; so they are laid over the machine's /usr, for itself alone.
"""

import re
import shutil

import debs
import service

PORT = 24
CONFIG = """
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/log
protocols = lmtp
listen = {address}
ssl = no
default_login_user = nobody
default_internal_user = nobody
default_internal_group = nogroup
mail_uid = nobody
mail_gid = nogroup
first_valid_uid = 1
service lmtp {{
  inet_listener lmtp {{
    port = {port}
  }}
}}
"""
# What is called otherwise since 2.4.
OF_2_3 = """
mail_location = maildir:{mail}/%u
passdb {{
  driver = passwd-file
  args = username_format=%u {folder}/passwd
}}
userdb {{
  driver = passwd-file
  args = username_format=%u {folder}/passwd
}}
"""
OF_2_4 = """
mail_driver = maildir
mail_path = {mail}/%{{user}}
passdb passwd-file {{
  passwd_file_path = {folder}/passwd
}}
userdb passwd-file {{
  passwd_file_path = {folder}/passwd
}}
"""
# Mailboxes of a limited size, which LMTP looks at when it hears of a recipient.
QUOTA_OF_2_3 = """
mail_plugins = quota
lmtp_rcpt_check_quota = yes
plugin {{
  quota = maildir:User quota
  quota_rule = *:storage={quota_kb}K
}}
"""
QUOTA_OF_2_4 = """
mail_plugins {{
  quota = yes
}}
lmtp_rcpt_check_quota = yes
quota "User quota" {{
  storage_size = {quota_kb}K
}}
"""


class Dovecot:
    """One Dovecot at a site; quota_kb: how much each mailbox holds, None: as much as there is."""

    def __init__(self, site, unpacked, quota_kb=None):
        self.quota_kb = quota_kb
        self.site = site
        self.folder = site.folder
        self.mail = site.mail
        self.process = None
        self._usr = unpacked / "usr"
        self._config = self.folder / "dovecot.conf"

    @staticmethod
    def check(unpacked):
        """Raises debs.CannotHave where it is not there."""
        if not (unpacked / "usr/sbin/dovecot").exists():
            raise debs.CannotHave("Dovecot's packages were not fetched")

    def launch(self):
        """Starts it; it is ready when wait() returns."""
        (self.folder / "run").mkdir()
        users = "".join(
            f"{user}@{domain}::::::\n" for domain in self.site.domains for user in self.site.users
        )
        (self.folder / "passwd").write_text(users)
        self._configure()
        with open(self.folder / "output", "wb") as output:
            argv = self._over_usr("dovecot", "-F", "-c", str(self._config))
            self.process = service.start(self.site.machine, argv, output)

    def wait(self):
        machine, address = self.site.machine, self.site.address
        if not service.wait_for_banner(machine, address, self.process, PORT):
            raise OSError("Dovecot does not start:\n" + self.log())

    def fill(self, user, kilobytes):
        """So much is in the INBOX of `user` from now on, in one message."""
        box = self._box(user)
        for part in ("cur", "new", "tmp"):
            (box / part).mkdir(parents=True, exist_ok=True)
        (box / "maildirsize").unlink(missing_ok=True)  # it is counted anew
        name = f"1.M1P1.lab,S={kilobytes * 1024}:2,"
        (box / "cur" / name).write_bytes(b"Subject: x\n\n".ljust(kilobytes * 1024, b"x"))
        for path in (box, *box.rglob("*")):
            shutil.chown(path, "nobody", "nogroup")

    def empty(self, user):
        """Nothing is in it any more."""
        shutil.rmtree(self._box(user))

    def _box(self, user):
        return self.mail / f"{user}@{self.site.domain}"

    def stop(self):
        service.end(self.process)
        self.process = None

    def log(self):
        files = [self.folder / name for name in ("output", "log")]
        return "".join(path.read_text(errors="replace") for path in files if path.exists())

    def _over_usr(self, *argv):
        """The same, with what was unpacked laid over /usr."""
        view = 'mount -t overlay overlay -o "lowerdir=$1:/usr" /usr && shift && exec "$@"'
        return ["sh", "-c", view, "sh", str(self._usr), *argv]

    def _configure(self):
        try:
            said = self.site.machine.run(*self._over_usr("dovecot", "--version"))
        except OSError as error:
            raise debs.CannotHave(f"Dovecot does not run here: {error}") from error
        found = re.match(r"(\d+)\.(\d+)", said)
        if not found:
            raise debs.CannotHave(f"Dovecot of an unknown version: {said.strip()}")
        version = tuple(map(int, found.groups()))
        head, words, quota = "", OF_2_3, QUOTA_OF_2_3
        if version >= (2, 4):
            head = "dovecot_config_version = 2.4.0\ndovecot_storage_version = 2.4.0\n"
            words, quota = OF_2_4, QUOTA_OF_2_4
        if self.quota_kb is not None:
            words += quota
        self._config.write_text(
            head
            + (CONFIG + words).format(
                folder=self.folder,
                mail=self.mail,
                address=self.site.address,
                port=PORT,
                quota_kb=self.quota_kb,
            )
        )
