# SPDX-License-Identifier: BSD-2-Clause
"""A filter that stands before ours and says of each message what a verifier of DKIM would find.

It verifies nothing: the trace knows.
"""

import filters

AUTHSERV_ID = "filter.lab.example"
MILTER = f"inet:127.0.0.1:{filters.PORT}"


class Authenticator(filters.Filter):
    """Tells the mails of a trace apart by their Subject, which ends with their number."""

    def __init__(self, namespace, mails):
        self._results = {str(mail.number): result(mail) for mail in mails}
        super().__init__(namespace, self._field)

    def start(self):
        self.__enter__()

    def stop(self):
        self.__exit__()

    def _field(self, _sender, fields):
        subject = {name.lower(): value for name, value in fields}["subject"]
        return [(0, "Authentication-Results", self._results[subject.split()[-1]])]


def result(mail):
    """The field's value."""
    signer = f" header.d={mail.signer}" if mail.signer else ""
    return f"{AUTHSERV_ID}; dkim={mail.dkim}{signer}"
