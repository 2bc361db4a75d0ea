# SPDX-License-Identifier: BSD-2-Clause
# ringback-milter (the daemon) and ringback (the tool). All but what is the tool's alone is a convenience library:
# each program, and each test, takes of it what it needs.

noinst_LTLIBRARIES += libmilterparts.la
# Rooms from the ground up, as in lib.
libmilterparts_la_SOURCES = \
    milter/base/control_protocol.h \
    milter/base/json.c milter/base/json.h \
    milter/base/log.c milter/base/log.h \
    milter/base/signals.c milter/base/signals.h \
    milter/base/sleep.h \
    milter/base/socket_path.c milter/base/socket_path.h \
    milter/config/assign.c milter/config/assign.h \
    milter/config/configuration.c milter/config/configuration.h \
    milter/config/lists.c milter/config/lists.h \
    milter/config/load.c \
    milter/config/parse.c milter/config/parse.h \
    milter/config/passwords.c milter/config/passwords.h \
    milter/config/policy.c milter/config/policy.h \
    milter/config/print.c \
    milter/config/scan.c milter/config/scan.h \
    milter/config/table.c milter/config/table.h \
    milter/config/value.c milter/config/value.h \
    milter/session/claim.c milter/session/claim.h \
    milter/session/decide.c milter/session/decide.h \
    milter/session/envelope.c milter/session/envelope.h \
    milter/session/explain.c milter/session/explain.h \
    milter/session/guessers.c milter/session/guessers.h \
    milter/session/inquiry.c milter/session/inquiry.h \
    milter/session/originators.c milter/session/originators.h \
    milter/session/recipient.c milter/session/recipient.h \
    milter/session/reply.c milter/session/reply.h \
    milter/session/session.c milter/session/session.h \
    milter/session/spf_words.c milter/session/spf_words.h \
    milter/session/vouch.c milter/session/vouch.h \
    milter/daemon/control.c milter/daemon/control.h \
    milter/daemon/daemon.c milter/daemon/daemon.h \
    milter/daemon/heartbeat.c milter/daemon/heartbeat.h \
    milter/daemon/history.c milter/daemon/history.h \
    milter/daemon/liveness.c milter/daemon/liveness.h \
    milter/daemon/metrics.c milter/daemon/metrics.h \
    milter/daemon/notify.c milter/daemon/notify.h \
    milter/daemon/observer.c milter/daemon/observer.h \
    milter/daemon/service.c milter/daemon/service.h \
    milter/daemon/status.c milter/daemon/status.h \
    milter/extension/connect_back.c milter/extension/connect_back.h \
    milter/extension/answer.c milter/extension/answer.h \
    milter/extension/peers.c milter/extension/peers.h \
    milter/http/access.c milter/http/access.h \
    milter/http/answer.c milter/http/answer.h \
    milter/http/assets.c milter/http/assets.h \
    milter/http/chart.c milter/http/chart.h \
    milter/http/command.c milter/http/command.h \
    milter/http/connections.c milter/http/connections.h \
    milter/http/decisions.c milter/http/decisions.h \
    milter/http/exposition.c milter/http/exposition.h milter/http/exposition_families.def \
    milter/http/frame.c milter/http/frame.h \
    milter/http/guard.c milter/http/guard.h \
    milter/http/health.c milter/http/health.h \
    milter/http/html.c milter/http/html.h \
    milter/http/listener.c milter/http/listener.h \
    milter/http/login.c milter/http/login.h \
    milter/http/page.c milter/http/page.h \
    milter/http/report.c milter/http/report.h \
    milter/http/request.c milter/http/request.h \
    milter/http/resource.h \
    milter/http/routes.c milter/http/routes.h \
    milter/http/server.c milter/http/server.h \
    milter/http/why.c milter/http/why.h \
    milter/http/words.c milter/http/words.h \
    milter/mta/filter.c milter/mta/filter.h \
    milter/mta/headers.c milter/mta/headers.h \
    milter/mta/listen.c milter/mta/listen.h \
    milter/mta/loop.c milter/mta/loop.h \
    milter/mta/negotiate.c milter/mta/negotiate.h \
    milter/mta/probe.c milter/mta/probe.h \
    milter/tool/input.c milter/tool/input.h \
    milter/tool/syntax.c milter/tool/syntax.h \
    milter/tool/window.c milter/tool/window.h
libmilterparts_la_LIBADD = libcore.la $(CONFUSE_LIBS) $(JANSSON_LIBS) $(CRYPT_LIBS) $(LIBSYSTEMD_LIBS)

# Files that browsers are given are compiled in: each line becomes a string.
EXTRA_DIST += milter/http/style.css milter/http/script.js
CLEANFILES += milter/http/style.inc milter/http/script.inc
to_strings = $(MKDIR_P) milter/http && sed -e 's/[\\"]/\\&/g' -e 's/^/"/' -e 's/$$/\\n",/'
milter/http/style.inc: milter/http/style.css milter/local.mk
	$(AM_V_GEN)$(to_strings) $(srcdir)/milter/http/style.css >$@.new && mv $@.new $@
milter/http/script.inc: milter/http/script.js milter/local.mk
	$(AM_V_GEN)$(to_strings) $(srcdir)/milter/http/script.js >$@.new && mv $@.new $@
milter/http/assets.lo: milter/http/style.inc milter/http/script.inc

sbin_PROGRAMS += ringback-milter
ringback_milter_SOURCES = milter/main.c
ringback_milter_LDADD = libmilterparts.la $(MILTER_LIBS) $(MICROHTTPD_LIBS)

bin_PROGRAMS += ringback
ringback_SOURCES = \
    milter/tool/cache.c \
    milter/tool/config.c \
    milter/tool/control.c milter/tool/control.h \
    milter/tool/explain.c \
    milter/tool/list.c milter/tool/list.h \
    milter/tool/load.c milter/tool/load.h \
    milter/tool/record_text.c milter/tool/record_text.h \
    milter/tool/records.c milter/tool/records.h \
    milter/tool/reload.c \
    milter/tool/say.c milter/tool/say.h \
    milter/tool/spf.c \
    milter/tool/status.c \
    milter/tool/tool.c milter/tool/tool.h \
    milter/tool/transcript.c milter/tool/transcript.h \
    milter/tool/verbs.c \
    milter/tool/verify.c
ringback_LDADD = libmilterparts.la

dist_man_MANS += milter/man/ringback-milter.8 milter/man/ringback.1 milter/man/ringback.conf.5 \
    milter/man/ringback-rules.7

confdir = $(sysconfdir)/ringback
EXTRA_DIST += milter/man/ringback.conf.sample

# The sample becomes the configuration only where there is none yet.
install-data-local:
	$(MKDIR_P) "$(DESTDIR)$(confdir)"
	$(INSTALL_DATA) $(srcdir)/milter/man/ringback.conf.sample "$(DESTDIR)$(confdir)/ringback.conf.sample"
	test -e "$(DESTDIR)$(confdir)/ringback.conf" || \
	    $(INSTALL_DATA) $(srcdir)/milter/man/ringback.conf.sample "$(DESTDIR)$(confdir)/ringback.conf"

uninstall-local:
	rm -f "$(DESTDIR)$(confdir)/ringback.conf.sample"
	if cmp -s $(srcdir)/milter/man/ringback.conf.sample "$(DESTDIR)$(confdir)/ringback.conf"; then \
	    rm -f "$(DESTDIR)$(confdir)/ringback.conf"; fi
