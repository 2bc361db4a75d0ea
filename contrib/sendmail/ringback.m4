dnl SPDX-License-Identifier: BSD-2-Clause
dnl
dnl For /etc/mail/sendmail.mc, before the MAILER lines; then make sendmail.cf from it and restart Sendmail.
dnl
dnl T=C:  connecting to the filter                    (Sendmail's default: 5m)
dnl   S:  sending it something                        (10s)
dnl   R:  waiting for its answer: longer than max_wait in ringback.conf, which is 8s  (10s)
dnl   E:  from the end of a message to its verdict    (5m)
dnl       longer than max_wait, where decide_at = "eom"
dnl
dnl No F= flag: mail is accepted while the filter is down. F=T would defer it, F=R reject it.
dnl Filters are asked in the order of their INPUT_MAIL_FILTER lines.
dnl
dnl On one machine a unix socket is faster: by TCP Sendmail waits 40 ms at each MAIL, for an acknowledgement
dnl that the kernel delays. With listen = "unix:/run/ringback/milter.sock" in ringback.conf, here
dnl S=unix:/run/ringback/milter.sock; the folder must not be writable for others than its owner.
dnl
INPUT_MAIL_FILTER(`ringback', `S=inet:8894@127.0.0.1, T=C:10s;S:30s;R:30s;E:60s')dnl
