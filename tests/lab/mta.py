# SPDX-License-Identifier: BSD-2-Clause
"""What the lab asks of an MTA, of whatever make: the checks know no more of one than this."""

import email

import service
import waiting


class Mta:
    """One MTA on `machine`, its files under `folder`; `settings` are what its make understands."""

    name = ""  # as people call it
    default_settings = {}

    def __init__(self, machine, folder, settings):
        self.machine = machine
        self.folder = folder
        self.mail = folder / "mail"  # where accepted mail is filed
        self.settings = {**self.default_settings, **settings}
        self.process = None

    def launch(self):
        """Starts it; it is ready when wait() returns."""
        raise NotImplementedError

    def log(self):
        """What it said."""
        raise NotImplementedError

    def set(self, default_action):
        """What becomes of mail without the milter, from now on: "accept" or "tempfail"."""
        raise NotImplementedError

    def set_milter(self, place):
        """Where the milter listens, from now on: one of places.py."""
        raise NotImplementedError

    def set_filter_before(self, port=None):
        """Another filter, at that port of 127.0.0.1, is asked before the milter, from now on.

        None: none.
        """
        raise NotImplementedError

    def set_patience(self, seconds=None):
        """How long it lets the milter be silent, from now on.

        None: as before.
        """
        raise NotImplementedError

    def login(self, user):
        """The SMTP command by which the lab's clients become an authenticated user."""
        raise NotImplementedError

    def cannot_login(self):
        """Why they cannot, or None."""
        return None

    def calls_from(self, addresses):
        """How often somebody at one of these IP addresses has called."""
        raise NotImplementedError

    def wording(self, text):
        """The milter's own words in what a client reads, where the MTA puts others before them."""
        return text

    def delivered(self):
        """The files of the messages that are filed."""
        raise NotImplementedError

    def held(self):
        """The files of the messages that are quarantined."""
        raise NotImplementedError

    def start(self):
        self.launch()
        self.wait()

    def wait(self):
        """Until it answers."""
        if not service.wait_for_banner(self.machine, self.settings["address"], self.process):
            raise OSError(f"{self.name} does not start:\n" + self.log())

    def stop(self):
        service.end(self.process)
        self.process = None

    def messages(self):
        """Every message filed so far, parsed."""
        return [email.message_from_bytes(path.read_bytes()) for path in self.delivered()]

    def message(self, token):
        """The message whose Subject is `token`, once it is filed; None if it never is."""

        def filed():
            found = [message for message in self.messages() if message["Subject"] == token]
            return found[0] if found else None

        return waiting.until(filed)

    def filed(self, token):
        """How many messages with that Subject are filed."""
        return sum(message["Subject"] == token for message in self.messages())
