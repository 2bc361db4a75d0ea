# SPDX-License-Identifier: BSD-2-Clause
# Sieve: what Ringback found to be forged goes into Junk. For all users of a Dovecot: to a folder of its own, `sievec` on it
# once, and in Dovecot's configuration
#     plugin { sieve_before = /etc/dovecot/sieve/ringback.sieve }                              (2.3: Debian 12)
#     sieve_script ringback { type = before path = /etc/dovecot/sieve/ringback.sieve }         (2.4, on three lines)
# For one user: into the script of his.
#
# Ringback removes X-Ringback fields that come from outside. Who is in its trusted_networks is let through unseen, with all
# fields: a message that has two is left alone.

require ["fileinto", "mailbox", "relational", "comparator-i;ascii-numeric"];

if allof (
    header :count "eq" :comparator "i;ascii-numeric" "X-Ringback" "1",
    header :matches "X-Ringback" [
        # The mailbox of the sender does not exist, or an address in From, Reply-To or Sender, or the host that the client
        # claims to be says that it has not sent this. What strangers wrote has no ";".
        "invalid; *",
        "*; header=*:*; id=*",
        "*; client=denied; id=*"
    ]
) {
    fileinto :create "Junk";
    stop;
}
