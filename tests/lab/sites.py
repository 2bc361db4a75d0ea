# SPDX-License-Identifier: BSD-2-Clause
"""Sites of the lab: each a machine of its own with an MTA that takes and sends a domain's mail.

A site's programs see an /etc of their own: the lab's DNS server, the site's users, and whatever its
MTA looks for there. The host's is not touched. world.SITES says which there are, and where.
"""

import pathlib
import re
import shutil

import client
import dovecot
import etc
import exim
import milter
import postfix
import sendmail
import waiting
import world

USERS = ["postmaster", "callout", "verifier", *(f"user{number}" for number in range(100))]


class Site:
    """One machine and its domain, or its domains. `kind` is a function that makes the MTA from the Site."""

    def __init__(self, rig, name, kind):
        self.name = name
        self.domain = f"{name}.example"
        self.domains = world.DOMAINS.get(name, [self.domain])
        self.hostname = f"mx.{self.domain}"
        self.address = world.SITES[name]
        self.folder = _unused(pathlib.Path(rig.folder), f"site-{name}")
        self.mail = self.folder / "mail"
        self.users = USERS
        self.ringback = None
        own_etc = self._make_folders()
        self.machine = rig.net.add_machine(name, self.address, own_etc)
        self.mta = kind(self)

    def with_ringback(self, builddir):
        """Gives it a milter, which start_ringback starts."""
        self.ringback = milter.Milter(self.machine, self.folder, builddir)
        return self

    def start_ringback(self, mail_from, more="", **settings):
        """(Re)starts the milter, if it has one, with an empty cache and further lines."""
        if self.ringback:
            own = {
                "hostname": self.hostname,
                "authserv_id": self.hostname,
                "mail_from": mail_from,
                "callout_sender": f"postmaster@{self.domain}",
                "max_wait": "20s",
                "more": more,
            }
            self.ringback.start_fresh(**{**own, **settings})

    def stop(self):
        self.mta.stop()
        if self.ringback and self.ringback.alive():
            self.ringback.kill()
        self.machine.close()

    def send(self, sender, recipient, subject):
        """Hands a mail to the site's own MTA, as its users do; what comes then is the MTA's."""
        return client.send(
            self.machine,
            sender,
            recipient,
            source="127.0.0.1",
            server="127.0.0.1",
            subject=subject,
            headers=[f"Sender: <{sender}>"],
        )

    def received(self, subject):
        """How often a message with that Subject is among the mail that was filed here."""
        line = f"Subject: {subject}\n".encode()
        return sum(_content(path).count(line) for path in self.mta.mail.rglob("*"))

    def text(self, subject):
        """The file that has a message with that Subject, once its header is complete; fields of
        several lines are one."""
        begun = re.compile(rb"(?s)Subject: %s\n(.*\n)?\n" % subject.encode())

        def found():
            files = (_content(path) for path in self.mta.mail.rglob("*"))
            return next((each for each in files if begun.search(each)), b"")

        return re.sub(r"\n[ \t]+", " ", waiting.until(found).decode("latin-1"))

    def logs(self):
        """The last lines of its MTA and its milter."""
        said = [(self.name, self.mta.log())]
        if self.ringback:
            said.append((f"{self.name}'s milter", self.ringback.log()))
        return [f"{who}: {line}" for who, log in said for line in log.splitlines()[-20:]]

    def _make_folders(self):
        self.mail.mkdir(parents=True)
        shutil.chown(self.mail, "nobody", "nogroup")
        boxes = "".join(
            f"{user}@{domain} inbox/\n" for domain in self.domains for user in USERS
        )
        (self.folder / "users").write_text(boxes)
        return etc.make(self.folder / "etc", self.hostname, self.address, USERS)


def _unused(folder, name):
    """A name of its own for each site of that name, one after another."""
    paths = (folder / f"{name}{suffix}" for suffix in ("", *(f"-{n}" for n in range(2, 100))))
    return next(path for path in paths if not path.exists())


def _content(path):
    """A file of a mailbox, if it is one and is still there: maildirs move them about."""
    try:
        return path.read_bytes().replace(b"\r\n", b"\n") if path.is_file() else b""
    except FileNotFoundError:
        return b""


def with_postfix(milters="", more="", **settings):
    """A site's MTA is Postfix; `more` are further lines for its main.cf."""
    return lambda site: postfix.Postfix(
        site.machine,
        site.folder,
        hostname=site.hostname,
        address=site.address,
        domain=" ".join(site.domains),
        milters=milters,
        users=f"texthash:{site.folder}/users",
        transport="smtp",
        # What another site puts off under load comes again soon, not after five minutes.
        more=f"myorigin = {site.domain}\nqueue_run_delay = 5s\nminimal_backoff_time = 5s\n"
        + more.format(domain=site.domain),
        **settings,
    )


def with_sendmail(unpacked, **settings):
    return lambda site: sendmail.Sendmail(
        site.machine,
        site.folder,
        unpacked,
        hostname=site.hostname,
        address=site.address,
        domain=site.domain,
        **settings,
    )


def with_exim(unpacked, verify=exim.NOBODY, **options):
    """`verify`: one of exim.VERIFY; the options are those of exim.Exim."""
    return lambda site: exim.Exim(site, unpacked, verify, **options)


def with_dovecot(unpacked, **options):
    """The options are those of dovecot.Dovecot."""
    return lambda site: dovecot.Dovecot(site, unpacked, **options)
