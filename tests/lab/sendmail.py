# SPDX-License-Identifier: BSD-2-Clause
"""A real Sendmail with the milter, run from where debs.py unpacked it.

Its sendmail.cf is made with m4 from the package's own macros; the lines for the milter are those of
contrib/sendmail. It runs on a machine with an /etc of its own (etc.py). By default it is the mail
host of a site; lab() makes it the lab's MTA, as like the lab's Postfix as it can be.
"""

import pathlib
import re
import shutil
import subprocess

import debs
import mta
import net
import places
import postfix
import sasl
import service

MILTER_LINES = pathlib.Path(__file__).resolve().parents[2] / "contrib/sendmail/ringback.m4"

CONFIG = """
VERSIONID(`lab')dnl
OSTYPE(`linux')dnl
define(`confDOMAIN_NAME', `{hostname}')dnl
LOCAL_DOMAIN(`{domain}')dnl
FEATURE(`no_default_msa')dnl
DAEMON_OPTIONS(`Name=world, Family=inet, Addr={address}, Port=25, Listen=300')dnl
DAEMON_OPTIONS(`Name=users, Family=inet, Addr=127.0.0.1, Port=25, Listen=300')dnl
define(`QUEUE_DIR', `{folder}/queue')dnl
define(`STATUS_FILE', `{folder}/statistics')dnl
define(`confPID_FILE', `{folder}/pid')dnl
undefine(`ALIAS_FILE')dnl
dnl The folder of the milter is its own, in one for everybody.
define(`confDONT_BLAME_SENDMAIL', `TrustStickyBit')dnl
define(`confDELIVERY_MODE', `background')dnl
define(`confTO_IDENT', `0s')dnl
dnl A busy machine is no reason to put mail off, or to turn it away.
define(`confQUEUE_LA', `10000')dnl
define(`confREFUSE_LA', `10000')dnl
MODIFY_MAILER_FLAGS(`LOCAL', `{mailer_flags}')dnl
define(`LOCAL_MAILER_PATH', `{mailer}')dnl
define(`LOCAL_MAILER_ARGS', `{mailer_arguments}')dnl
{more}
{milter}
MAILER(`local')dnl
MAILER(`smtp')dnl
"""
# Like the lab's Postfix: any local user, any sender, and anybody authenticated may write anywhere.
LAB_LINES = """
FEATURE(`accept_unresolvable_domains')dnl
define(`confAUTH_MECHANISMS', `PLAIN')dnl
TRUST_AUTH_MECH(`PLAIN')dnl
RELAY_DOMAIN(`partner.example')dnl
"""
# A file for each message and recipient.
FILES_MAIL = """#!/bin/sh
exec cat >"{folder}/mail/$1.$$"
"""
# What users' programs hand to `sendmail -t` goes to the daemon, as Debian sets it up.
SUBMIT_CONFIG = """
VERSIONID(`lab')dnl
OSTYPE(`linux')dnl
define(`confDOMAIN_NAME', `{hostname}')dnl
define(`MSP_QUEUE_DIR', `{folder}/clients')dnl
define(`STATUS_FILE', `{folder}/clients/statistics')dnl
define(`confRUN_AS_USER', `nobody:nogroup')dnl
define(`confTRUSTED_USER', `nobody')dnl
FEATURE(`msp', `[127.0.0.1]')dnl
"""


def site_settings(folder):
    """A site's users are in its /etc, and each has a file for his mail."""
    return {
        "mailer_flags": "-f",
        "mailer": "/usr/bin/tee",
        "mailer_arguments": f"tee -a {folder}/mail/$u",
    }


def lab(machine, folder, unpacked, domain=postfix.DOMAIN):
    """The lab's MTA."""
    folder = pathlib.Path(folder) / "sendmail"
    (folder / "mail").mkdir(parents=True)
    mailer = folder / "mailer"
    mailer.write_text(FILES_MAIL.format(folder=folder))
    mailer.chmod(0o755)
    return Sendmail(
        machine,
        folder,
        unpacked,
        hostname=postfix.HOSTNAME,
        domain=domain,
        address=net.MTA,
        mailer_flags="-fw",  # no questions about who lives here
        mailer=mailer,
        mailer_arguments="mailer $i $u",  # without $u Sendmail takes it for a mail host
        more=LAB_LINES,
    )


class Sendmail(mta.Mta):
    """One Sendmail; its settings are those of CONFIG."""

    name = "Sendmail"
    default_settings = {"more": "", "milter": MILTER_LINES.read_text()}

    def __init__(self, machine, folder, unpacked, **settings):
        super().__init__(machine, folder, {**site_settings(folder), **settings})
        self.unpacked = unpacked
        self.program = str(unpacked / "usr/libexec/sendmail/sendmail")
        self.saslauthd = None
        for name in ("queue", "clients"):
            (folder / name).mkdir(mode=0o700)
        shutil.chown(folder / "clients", "nobody", "nogroup")
        (machine.etc / "mail").mkdir()

    @staticmethod
    def check(unpacked):
        """Raises debs.CannotHave where it would not run."""
        debs.runnable(unpacked / "usr/libexec/sendmail/sendmail")

    def launch(self):
        self._configure()
        if not sasl.missing():
            self._allow_auth()
        self._run_daemon()

    def stop(self):
        super().stop()
        if self.saslauthd:
            self.saslauthd.stop()
            self.saslauthd = None

    def set(self, default_action):
        flag = {"accept": "", "tempfail": "F=T, "}[default_action]
        self.reconfigure(milter=MILTER_LINES.read_text().replace("`S=", f"`{flag}S="))

    def set_milter(self, place):
        lines = MILTER_LINES.read_text()
        self.reconfigure(milter=lines.replace(places.Inet.listen, place.listen))

    def set_filter_before(self, port=None):
        lines = MILTER_LINES.read_text()
        before = f"INPUT_MAIL_FILTER(`before', `S=inet:{port}@127.0.0.1, T=S:30s;R:30s;E:60s')dnl\n"
        self.reconfigure(milter=before + lines if port else lines)

    def set_patience(self, seconds=None):
        lines = MILTER_LINES.read_text()
        self.reconfigure(milter=re.sub(r"R:\d+s", f"R:{seconds}s", lines) if seconds else lines)

    @staticmethod
    def milter_without_time_outs():
        """The lines for the milter, with Sendmail's own time-outs."""
        return re.sub(r", T=[^']*'", "'", MILTER_LINES.read_text())

    @staticmethod
    def milter_at(port):
        """The lines for the milter, with another port."""
        return re.sub(r"inet:\d+@", f"inet:{port}@", MILTER_LINES.read_text())

    def reconfigure(self, **changes):
        """Other settings: another daemon, with the same queue."""
        settings = {**self.settings, **changes}
        if settings != self.settings:
            self.settings = settings
            service.end(self.process)
            self._configure()
            self._run_daemon()
            self.wait()

    def login(self, user):
        return sasl.plain(user)

    def cannot_login(self):
        package = sasl.missing()
        return package and f"not installed: {package}"

    def calls_from(self, addresses):
        """Of those who said who they are: it does not log others."""
        clients = tuple(f"[{address}], pleased to meet you" for address in addresses)
        return sum(" Hello " in line and line.endswith(clients) for line in self.log().splitlines())

    def wording(self, text):
        """Sendmail says first whose recipient it speaks of: 5.1.7 <recipient>... words."""
        return re.sub(r"^([245](?:\.\d+){2} )<[^>]*>\.\.\. ", r"\1", text)

    def delivered(self):
        """Those whose header is complete: the rest of one is written later, bit by bit."""
        return [path for path in sorted(self.mail.iterdir()) if b"\n\n" in path.read_bytes()]

    def held(self):
        return list((self.folder / "queue").glob("hf*"))

    def log(self):
        """What it said, and every word to and from others."""
        files = [self.folder / name for name in ("output", "traffic")]
        return "".join(path.read_text(errors="replace") for path in files if path.exists())

    def submit(self, *options, message):
        """Runs `sendmail OPTIONS` as a user's program does: (exit status, what it answered)."""
        with self._program(options) as program:
            output, _ = program.communicate(message, timeout=60)
        return program.returncode, output

    def converse(self, *options, lines):
        """The same with SMTP on its standard input: (exit status, the last reply)."""
        with self._program(options) as program:
            replies = [self._reply(program.stdout)]
            for line in lines:
                program.stdin.write(line + "\r\n")
                program.stdin.flush()
                replies.append(self._reply(program.stdout))
            program.stdin.close()
        return program.returncode, replies[-1]

    def _program(self, options):
        return self.machine.popen(
            [self.program, *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    @staticmethod
    def _reply(stream):
        for line in stream:
            if not re.match(r"\d{3}-", line):
                return line.strip()
        return ""

    def _run_daemon(self):
        with open(self.folder / "output", "ab") as output:
            self.process = service.start(
                self.machine,
                [self.program, "-bD", "-q2s", "-X", str(self.folder / "traffic")],
                output,
            )

    def _allow_auth(self):
        self.saslauthd = sasl.Saslauthd(self.folder / "mux")
        self.saslauthd.start()
        (self.machine.etc / "sasl2").mkdir(exist_ok=True)
        (self.machine.etc / "sasl2" / "Sendmail.conf").write_text(self.saslauthd.config)

    def _configure(self):
        settings = {"folder": self.folder, **self.settings}
        self._make("sendmail", CONFIG.format(**settings))
        self._make("submit", SUBMIT_CONFIG.format(**settings))

    def _make(self, name, config):
        """Makes /etc/mail/NAME.cf."""
        mc = self.folder / f"{name}.mc"
        mc.write_text(config)
        macros = self.unpacked / "usr/share/sendmail/cf"
        made = subprocess.run(
            ["m4", f"-D_CF_DIR_={macros}/", str(macros / "m4/cf.m4"), str(mc)],
            stdout=subprocess.PIPE,
            check=True,
        )
        (self.machine.etc / "mail" / f"{name}.cf").write_bytes(made.stdout)
