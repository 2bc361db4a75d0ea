# SPDX-License-Identifier: BSD-2-Clause
"""A real OpenDKIM that stands before our milter, run from where debs.py unpacked it; and messages that
it finds well signed."""

import base64
import hashlib
import os
import pathlib
import shutil
import subprocess

import debs
import filters
import service
import waiting

SELECTOR = "lab"
STRANGER = "evil.example"  # signs too, for nobody but itself
CONFIG = """
Mode             v
Socket           inet:{port}@127.0.0.1
AuthservID       {authserv_id}
AlwaysAddARHeader {always}
TestPublicKeys   {folder}/keys
PidFile          {folder}/pid
UserID           nobody:nogroup
Syslog           no
"""


class OpenDkim:
    """One OpenDKIM on `namespace`, its files under `folder`; it knows the key of one domain, and that
    of STRANGER.

    `always`: it inserts its field into each message, signed or not.
    """

    def __init__(self, namespace, folder, unpacked, authserv_id, domain, always):
        self.namespace = namespace
        self.folder = pathlib.Path(folder) / "opendkim"
        self.domain = domain
        self.process = None
        self._program = unpacked / "usr/sbin/opendkim"
        self._environment = {**os.environ, "LD_LIBRARY_PATH": _libraries(unpacked)}
        self._authserv_id = authserv_id
        self._always = "yes" if always else "no"

    @staticmethod
    def check(unpacked):
        """Raises debs.CannotHave where it would not run."""
        program = unpacked / "usr/sbin/opendkim"
        if not shutil.which("openssl"):
            raise debs.CannotHave("openssl is not installed")
        debs.runnable(program, {**os.environ, "LD_LIBRARY_PATH": _libraries(unpacked)})

    def __enter__(self):
        self.folder.mkdir(exist_ok=True)
        self._make_key()
        config = self.folder / "opendkim.conf"
        config.write_text(
            CONFIG.format(
                port=filters.PORT,
                authserv_id=self._authserv_id,
                always=self._always,
                folder=self.folder,
            )
        )
        shutil.chown(self.folder, "nobody", "nogroup")
        with open(self.folder / "output", "ab") as output:
            argv = [str(self._program), "-f", "-x", str(config)]
            self.process = service.start(self.namespace, argv, output, self._environment)
        if not waiting.until(lambda: self.process.poll() is not None or self._listens()):
            raise OSError("OpenDKIM does not listen:\n" + self.log())
        if self.process.poll() is not None:
            raise OSError("OpenDKIM does not start:\n" + self.log())
        return self

    def __exit__(self, *_):
        service.end(self.process)

    def log(self):
        return (self.folder / "output").read_text(errors="replace")

    def signature(self, fields, body, signer=None):
        """The field that signs these, each (name, value), and the body (RFC 6376, relaxed/simple).

        `signer`: the tags that name him, where he is not the domain.
        """
        value = (
            f"v=1; a=rsa-sha256; c=relaxed/simple; {signer or f'd={self.domain}'}; s={SELECTOR};"
            f" h={':'.join(name for name, _ in fields)};"
            f" bh={_base64(hashlib.sha256(body.encode()).digest())}; b="
        )
        signed = "".join(f"{name.lower()}:{text}\r\n" for name, text in fields)
        key = str(self.folder / "private")
        made = _openssl("dgst", "-sha256", "-sign", key, given=f"{signed}dkim-signature:{value}")
        return "DKIM-Signature", value + _base64(made)

    def _listens(self):
        with self.namespace.socket() as probe:
            return probe.connect_ex(("127.0.0.1", filters.PORT)) == 0

    def _make_key(self):
        private = str(self.folder / "private")
        _openssl("genrsa", "-out", private, "2048")
        public = _openssl("rsa", "-in", private, "-pubout", "-outform", "DER")
        record = f"v=DKIM1; k=rsa; p={_base64(public)}"
        names = [f"{SELECTOR}._domainkey.{domain}" for domain in (self.domain, STRANGER)]
        (self.folder / "keys").write_text("".join(f"{name} {record}\n" for name in names))


def _libraries(unpacked):
    folders = [unpacked / "usr/lib", *(unpacked / "usr/lib").glob("*-linux-*")]
    return ":".join(str(folder) for folder in folders)


def _base64(octets):
    return base64.b64encode(octets).decode()


def _openssl(*arguments, given=""):
    return subprocess.run(
        ["openssl", *arguments],
        input=given.encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=True,
    ).stdout
