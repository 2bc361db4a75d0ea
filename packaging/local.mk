# SPDX-License-Identifier: BSD-2-Clause
# The systemd unit, the user and the folder that it needs (made here, for they name what configure was given), and what
# only ships.

unit = packaging/systemd/ringback-milter.service
sysusers = packaging/systemd/sysusers.d/ringback.conf
tmpfiles = packaging/systemd/tmpfiles.d/ringback.conf

if SYSTEMD
systemdsystemunit_DATA = $(unit) packaging/systemd/ringback-milter.socket
sysusersdir = $(prefix)/lib/sysusers.d
sysusers_DATA = $(sysusers)
tmpfilesdir = $(prefix)/lib/tmpfiles.d
tmpfiles_DATA = $(tmpfiles)
endif

configured = $(AM_V_GEN)$(MKDIR_P) $(@D) && \
    $(SED) -e 's|@sbindir[@]|$(sbindir)|g' -e 's|@bindir[@]|$(bindir)|g' -e 's|@sysconfdir[@]|$(sysconfdir)|g' \
        -e 's|@localstatedir[@]|$(localstatedir)|g' -e 's|@RINGBACK_USER[@]|$(RINGBACK_USER)|g'

$(unit): packaging/systemd/ringback-milter.service.in Makefile
	$(configured) $(srcdir)/packaging/systemd/ringback-milter.service.in >$@.tmp && mv $@.tmp $@

$(sysusers): packaging/systemd/sysusers.conf.in Makefile
	$(configured) $(srcdir)/packaging/systemd/sysusers.conf.in >$@.tmp && mv $@.tmp $@

$(tmpfiles): packaging/systemd/tmpfiles.conf.in Makefile
	$(configured) $(srcdir)/packaging/systemd/tmpfiles.conf.in >$@.tmp && mv $@.tmp $@

CLEANFILES += $(unit) $(sysusers) $(tmpfiles)

EXTRA_DIST += \
    packaging/make-archive \
    packaging/make-deb \
    packaging/quickstart \
    packaging/rpm/make-rpm \
    packaging/rpm/ringback.rpmlintrc \
    packaging/rpm/ringback.spec \
    packaging/systemd/ringback-milter.service.in \
    packaging/systemd/ringback-milter.socket \
    packaging/systemd/sysusers.conf.in \
    packaging/systemd/tmpfiles.conf.in \
    packaging/debian/README.Debian \
    packaging/debian/README.source \
    packaging/debian/changelog \
    packaging/debian/control \
    packaging/debian/copyright \
    packaging/debian/libringback-dev.install \
    packaging/debian/libringback-dev.lintian-overrides \
    packaging/debian/libringback0.install \
    packaging/debian/libringback0.lintian-overrides \
    packaging/debian/libringback0.symbols \
    packaging/debian/ringback.docs \
    packaging/debian/ringback.install \
    packaging/debian/ringback.lintian-overrides \
    packaging/debian/ringback.postrm \
    packaging/debian/ringback.ringback-milter.init \
    packaging/debian/rules \
    packaging/debian/source/format  \
    packaging/debian/tests/control \
    packaging/debian/tests/demo \
    packaging/debian/tests/library \
    packaging/debian/tests/smoke \
    packaging/debian/upstream/metadata \
    packaging/debian/watch
