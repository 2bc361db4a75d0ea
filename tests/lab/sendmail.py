# SPDX-License-Identifier: BSD-2-Clause
"""A real Sendmail as a site's MTA, run from where debs.py unpacked it, with the milter.

Its sendmail.cf is made with m4 from the package's own macros; the lines for the milter are those of
contrib/sendmail.
"""

import pathlib
import subprocess

import debs
import service

MILTER_LINES = pathlib.Path(__file__).resolve().parents[2] / "contrib/sendmail/ringback.m4"

CONFIG = """
VERSIONID(`lab')dnl
OSTYPE(`linux')dnl
define(`confDOMAIN_NAME', `{hostname}')dnl
LOCAL_DOMAIN(`{domain}')dnl
FEATURE(`no_default_msa')dnl
DAEMON_OPTIONS(`Name=world, Family=inet, Addr={address}, Port=25')dnl
DAEMON_OPTIONS(`Name=users, Family=inet, Addr=127.0.0.1, Port=25')dnl
define(`QUEUE_DIR', `{folder}/queue')dnl
define(`STATUS_FILE', `{folder}/statistics')dnl
define(`confPID_FILE', `{folder}/pid')dnl
undefine(`ALIAS_FILE')dnl
define(`confDELIVERY_MODE', `background')dnl
define(`confTO_IDENT', `0s')dnl
dnl A busy machine is no reason to put mail off, or to turn it away.
define(`confQUEUE_LA', `10000')dnl
define(`confREFUSE_LA', `10000')dnl
MODIFY_MAILER_FLAGS(`LOCAL', `-f')dnl
define(`LOCAL_MAILER_PATH', `/usr/bin/tee')dnl
define(`LOCAL_MAILER_ARGS', `tee -a {mail}/$u')dnl
include(`{milter_lines}')dnl
MAILER(`local')dnl
MAILER(`smtp')dnl
"""


class Sendmail:
    """One Sendmail at a site."""

    def __init__(self, site, unpacked):
        self.site = site
        self.folder = site.folder
        self.mail = site.mail
        self.unpacked = unpacked
        self.process = None

    @staticmethod
    def check(unpacked):
        """Raises debs.CannotHave where it would not run."""
        debs.runnable(unpacked / "usr/libexec/sendmail/sendmail")

    def launch(self):
        """Starts it; it is ready when wait() returns."""
        self._configure()
        program = str(self.unpacked / "usr/libexec/sendmail/sendmail")
        with open(self.folder / "output", "wb") as output:
            self.process = service.start(
                self.site.machine,
                [program, "-bD", "-q2s", "-X", str(self.folder / "traffic")],
                output,
            )

    def wait(self):
        if not service.wait_for_banner(self.site.machine, self.site.address, self.process):
            raise OSError("Sendmail does not start:\n" + self.log())

    def stop(self):
        service.end(self.process)
        self.process = None

    def log(self):
        """What it said, and every word to and from others."""
        files = [self.folder / name for name in ("output", "traffic")]
        return "".join(path.read_text(errors="replace") for path in files if path.exists())

    def _configure(self):
        (self.folder / "queue").mkdir(mode=0o700)
        mc = self.folder / "sendmail.mc"
        mc.write_text(
            CONFIG.format(
                hostname=self.site.hostname,
                domain=self.site.domain,
                address=self.site.address,
                folder=self.folder,
                mail=self.mail,
                milter_lines=MILTER_LINES,
            )
        )
        macros = self.unpacked / "usr/share/sendmail/cf"
        made = subprocess.run(
            ["m4", f"-D_CF_DIR_={macros}/", str(macros / "m4/cf.m4"), str(mc)],
            stdout=subprocess.PIPE,
            check=True,
        )
        (self.folder / "etc" / "mail").mkdir()
        (self.folder / "etc" / "mail" / "sendmail.cf").write_bytes(made.stdout)
