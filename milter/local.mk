# SPDX-License-Identifier: BSD-2-Clause
# ringback-milter (the daemon) and ringback (the tool). What both need, and the tests, is a convenience library.

noinst_LTLIBRARIES += libmilterparts.la
libmilterparts_la_SOURCES = \
    milter/conf.h milter/config.c milter/conffile.c milter/conffile.h \
    milter/decide.c milter/decide.h \
    milter/directive.c milter/directive.h \
    milter/explain.c milter/explain.h \
    milter/grammar.c milter/grammar.h \
    milter/guessers.c milter/guessers.h \
    milter/headers.c milter/headers.h \
    milter/log.c milter/log.h \
    milter/listen.c milter/listen.h \
    milter/loop.c milter/loop.h milter/signals.c milter/signals.h \
    milter/metrics.c milter/metrics.h \
    milter/policy.c milter/policy.h \
    milter/recipient.c milter/recipient.h \
    milter/session.c milter/session.h milter/tell.c \
    milter/setting.c milter/setting.h \
    milter/tool_input.c milter/tool_input.h \
    milter/tool_syntax.c milter/tool_syntax.h \
    milter/unixpath.c milter/unixpath.h \
    milter/values.c milter/values.h \
    milter/wake.c milter/wake.h \
    milter/wire.c milter/wire.h
libmilterparts_la_LIBADD = libcore.la $(CONFUSE_LIBS) $(JANSSON_LIBS)

sbin_PROGRAMS += ringback-milter
ringback_milter_SOURCES = \
    milter/control.c milter/control.h \
    milter/daemon.c milter/daemon.h \
    milter/filter.c milter/filter.h \
    milter/main.c \
    milter/negotiate.c milter/negotiate.h \
    milter/service.c milter/service.h \
    milter/status.c milter/status.h \
    milter/whoami.c milter/whoami.h
ringback_milter_LDADD = libmilterparts.la $(MILTER_LIBS)

bin_PROGRAMS += ringback
ringback_SOURCES = \
    milter/tool.c milter/tool.h \
    milter/tool_cache.c milter/tool_cache.h milter/tool_cache_find.c milter/tool_cache_text.c \
    milter/tool_config.c \
    milter/tool_control.c \
    milter/tool_daemon.c milter/tool_daemon.h \
    milter/tool_explain.c \
    milter/tool_list.c milter/tool_list.h \
    milter/tool_spf.c \
    milter/tool_verify.c \
    milter/tool_window.c milter/tool_window.h
ringback_LDADD = libmilterparts.la

dist_man_MANS += milter/ringback-milter.8 milter/ringback.1 milter/ringback.conf.5

confdir = $(sysconfdir)/ringback
EXTRA_DIST += milter/ringback.conf.sample

# The sample becomes the configuration only where there is none yet.
install-data-local:
	$(MKDIR_P) "$(DESTDIR)$(confdir)"
	$(INSTALL_DATA) $(srcdir)/milter/ringback.conf.sample "$(DESTDIR)$(confdir)/ringback.conf.sample"
	test -e "$(DESTDIR)$(confdir)/ringback.conf" || \
	    $(INSTALL_DATA) $(srcdir)/milter/ringback.conf.sample "$(DESTDIR)$(confdir)/ringback.conf"

uninstall-local:
	rm -f "$(DESTDIR)$(confdir)/ringback.conf.sample"
	if cmp -s $(srcdir)/milter/ringback.conf.sample "$(DESTDIR)$(confdir)/ringback.conf"; then \
	    rm -f "$(DESTDIR)$(confdir)/ringback.conf"; fi
