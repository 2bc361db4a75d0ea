# SPDX-License-Identifier: BSD-2-Clause
"""Who else asks the world about a sender: Exim, Postfix itself, GNU mailfromd behind Postfix.

Each as its makers ship it, but for what the place makes necessary, and for ceilings on clients and
processes that would only measure themselves.
"""

import pathlib
import shutil
import subprocess

import debs
import exim as lab_exim
import milter
import postfix
import service
import stage

EXIM_USER = "Debian-exim"  # compiled into Debian's Exim
EXIM_UID = 64025  # any number that nobody has
EXIM_LOGS = ["mainlog", "rejectlog", "paniclog"]
MAILFROMD = "bench-mailfromd"  # in the build folder
# GNU mailfromd, and what it is linked with that few machines have.
MAILFROMD_PACKAGES = [
    "mailfromd",
    "libadns1",
    "libgsasl18",
    "libgssglue1",
    "libkyotocabinet16v5",
    "libltdl7",
    "libmailutils9",
    "libmariadb3",
    "libmaxminddb0",
    "libmu-dbm9",
    "libntlm0",
]

# ADDRESS_VERIFICATION_README; the cache and all times are as they come.
VERIFYING_MORE = """
smtpd_recipient_restrictions = reject_unverified_sender
unverified_sender_reject_code = 550
"""

EXIM_CONF = """
exim_path = {program}
primary_hostname = {hostname}
domainlist local_domains = {domain}
spool_directory = {folder}/spool
log_file_path = {folder}/%slog
pid_file_path = {folder}/exim.pid
local_interfaces = {address}
daemon_smtp_ports = 25
tls_advertise_hosts =
disable_ipv6 = true
host_lookup =
rfc1413_query_timeout = 0s
smtp_accept_max = 0
smtp_connect_backlog = 1000
smtp_accept_queue = 0
keep_environment =
acl_smtp_rcpt = rcpt
acl_smtp_data = data
"""
EXIM_CONF += lab_exim.CALLING_OUT

# What its sample script does with a sender, but at RCPT, as all others do.
MAILFROMD_SCRIPT = """
require status
require poll
require callout
prog envrcpt
do
  if ${mail_addr} == ""
    pass
  else
    on poll ${mail_addr} do
    when success:
      pass
    when not_found or failure:
      reject 550 5.1.0 "Sender validity not confirmed"
    when temp_failure:
      tempfail
    done
  fi
done
"""

MAILFROMD_CONF = """
user nobody;
state-directory "{folder}";
ehlo-domain "{hostname}";
pidfile "{folder}/pid";
logging {{ syslog no; }};
smtp-starttls never;
server milter {{
    id default;
    listen {url};
    max-instances 2000;
    backlog 1000;
}};
server callout {{
    id callout;
    listen unix://{folder}/callout;
    default yes;
    max-instances 2000;
    backlog 1000;
}};
"""


class Exim:
    """Debian's Exim, unpacked but not installed, as the MTA of a site."""

    def __init__(self, site, unpacked):
        self.site = site
        self.folder = pathlib.Path(site.folder) / "exim"
        self.unpacked = pathlib.Path(unpacked) / "usr/sbin/exim4"
        self.program = self.folder / "exim4"
        self.process = None

    def start(self):
        (self.folder / "spool").mkdir(parents=True)
        # It runs itself again as its own user, who may not look into the folder it was unpacked in.
        shutil.copy2(self.unpacked, self.program)
        self._make_user()
        config = self.folder / "exim.conf"
        config.write_text(
            EXIM_CONF.format(
                program=self.program,
                hostname=postfix.HOSTNAME,
                domain=postfix.DOMAIN,
                folder=self.folder,
                address=self.site.address,
            )
        )
        with open(self.folder / "output", "wb") as output:
            argv = [str(self.program), "-C", str(config), "-bdf"]
            self.process = service.start(self.site.machine, argv, output)
        if not service.wait_for_banner(self.site.machine, self.site.address, self.process):
            raise OSError("Exim does not start:\n" + self.log())

    def stop(self):
        service.end(self.process)
        self.process = None

    def forget(self):
        """Without the callouts that it remembers."""
        for path in (self.folder / "spool/db").glob("callout*"):
            path.unlink()

    def log(self):
        paths = [self.folder / name for name in ("output", *EXIM_LOGS)]
        return "".join(path.read_text(errors="replace") for path in paths if path.exists())

    def _make_user(self):
        for name, entry in (
            ("passwd", f"{EXIM_USER}:x:{EXIM_UID}:{EXIM_UID}::/nonexistent:/usr/sbin/nologin\n"),
            ("group", f"{EXIM_USER}:x:{EXIM_UID}:\n"),
        ):
            path = self.site.machine.etc / name
            kept = [line for line in _lines(path) if not line.startswith(EXIM_USER + ":")]
            path.write_text("".join(kept) + entry)
        for path in (self.folder, self.folder / "spool"):
            shutil.chown(path, EXIM_UID, EXIM_UID)


def _lines(path):
    return path.read_text(encoding="utf-8").splitlines(keepends=True)


class Mailfromd(milter.Milter):
    """GNU mailfromd, unpacked but not installed. It forks a process for each session."""

    name = "mailfromd"

    def __init__(self, namespace, folder, unpacked, place):
        super().__init__(namespace, folder, unpacked, place)
        self.unpacked = pathlib.Path(unpacked)
        self.script = self.folder / "script.mfl"

    def start(self, **_):
        self.config.write_text(
            MAILFROMD_CONF.format(
                folder=self.folder, hostname=postfix.HOSTNAME, url=self.place.url
            )
        )
        self.script.write_text(MAILFROMD_SCRIPT)
        share = self.unpacked / "usr/share/mailfromd"
        argv = [str(self.unpacked / "usr/sbin/mailfromd"), "--foreground", "--stderr"]
        argv += [f"--config-file={self.config}", "--no-preprocessor"]
        argv += ["-P", str(share / "8.15"), "-I", str(share / "8.15/include"), str(self.script)]
        with open(self.log_path, "ab") as log:
            self.process = service.start(
                self.namespace, argv, log, env={"LD_LIBRARY_PATH": _libraries(self.unpacked)}
            )
        self._wait_until_listening()

    def kill(self):
        """Its two servers are its children."""
        service.end(self.process)
        self.process = None


def _libraries(unpacked):
    lib = pathlib.Path(unpacked) / "usr/lib"
    return f"{lib}:{lib / 'x86_64-linux-gnu'}"


def fetch_mailfromd(builddir, scratch):
    """Where it is unpacked; debs.CannotHave says why not. Fetched once for a build folder, if run
    there before, or for this run."""
    built = pathlib.Path(builddir) / MAILFROMD
    unpacked = built if built.exists() else pathlib.Path(scratch) / MAILFROMD
    debs.fetch(unpacked, MAILFROMD_PACKAGES)
    program = unpacked / "usr/sbin/mailfromd"
    tried = subprocess.run(
        [program, "--version"],
        env={"LD_LIBRARY_PATH": _libraries(unpacked)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if tried.returncode != 0:
        raise debs.CannotHave(f"mailfromd: {tried.stdout.strip()}")
    return unpacked


def exim(where, unpacked):
    """A site whose MTA is Exim, which calls out by itself."""
    site = where.site("exim")
    site.mta = Exim(site, unpacked)
    site.mta.start()
    return site


def verifying_postfix(where):
    """A site whose Postfix calls out by itself."""
    return where.postfix("postfix", main_cf=VERIFYING_MORE)


def mailfromd(where):
    """A site with Postfix, and mailfromd as its filter; debs.CannotHave where it cannot be had."""
    unpacked = fetch_mailfromd(where.builddir, where.folder)
    stage.FILTERS["mailfromd"] = lambda machine, folder, _, place: Mailfromd(
        machine, folder, unpacked, place
    )
    return where.postfix("mailfromd", "mailfromd")
