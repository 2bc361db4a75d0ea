# SPDX-License-Identifier: BSD-2-Clause
# Snippets for administrators: shipped, not installed. An example for programmers: installed as documentation.

exampledir = $(docdir)/examples
dist_example_DATA = contrib/example/verify.c

EXTRA_DIST += \
    contrib/README \
    contrib/postfix/main.cf \
    contrib/sendmail/ringback.m4
