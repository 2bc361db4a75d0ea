# SPDX-License-Identifier: BSD-2-Clause
# Snippets for administrators: shipped, not installed. An example for programmers: installed as documentation. Completion
# for shells: installed where they look for it.

exampledir = $(docdir)/examples
dist_example_DATA = contrib/example/verify.c

if BASH_COMPLETION
bashcompletion_DATA = contrib/completion/bash/ringback contrib/completion/bash/ringback-milter
endif
if ZSH_COMPLETION
zshcompletion_DATA = contrib/completion/zsh/_ringback
endif

EXTRA_DIST += \
    contrib/apparmor/usr.sbin.ringback-milter \
    contrib/completion \
    contrib/fail2ban \
    contrib/grafana \
    contrib/prometheus \
    contrib/logwatch \
    contrib/rspamd \
    contrib/rsyslog \
    contrib/sieve \
    contrib/spamassassin \
    contrib/README \
    contrib/postfix/main.cf \
    contrib/sendmail/ringback.m4 \
    contrib/systemd
