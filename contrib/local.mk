# SPDX-License-Identifier: BSD-2-Clause
# Snippets for administrators: shipped, not installed.

EXTRA_DIST += \
    contrib/README \
    contrib/postfix/main.cf \
    contrib/sendmail/ringback.m4
