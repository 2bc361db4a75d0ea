# SPDX-License-Identifier: BSD-2-Clause
# The systemd unit (made here, for it names the folders that configure was given), and what only ships.

unit = packaging/systemd/ringback-milter.service

if SYSTEMD
systemdsystemunit_DATA = $(unit) packaging/systemd/ringback-milter.socket
endif

$(unit): packaging/systemd/ringback-milter.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) packaging/systemd && \
	$(SED) -e 's|@sbindir[@]|$(sbindir)|g' -e 's|@sysconfdir[@]|$(sysconfdir)|g' \
	    -e 's|@RINGBACK_USER[@]|$(RINGBACK_USER)|g' \
	    $(srcdir)/packaging/systemd/ringback-milter.service.in >$@.tmp && \
	mv $@.tmp $@

CLEANFILES += $(unit)

EXTRA_DIST += \
    packaging/quickstart \
    packaging/systemd/ringback-milter.service.in \
    packaging/systemd/ringback-milter.socket \
    packaging/debian/README.source \
    packaging/debian/changelog \
    packaging/debian/control \
    packaging/debian/copyright \
    packaging/debian/libringback-dev.install \
    packaging/debian/libringback0.install \
    packaging/debian/ringback.docs \
    packaging/debian/ringback.install \
    packaging/debian/ringback.postinst \
    packaging/debian/ringback.postrm \
    packaging/debian/rules \
    packaging/debian/source/format
