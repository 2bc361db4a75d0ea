# SPDX-License-Identifier: BSD-2-Clause
# libringback: everything once as a convenience library (for the programs and tests), and what is installed.

noinst_LTLIBRARIES += libcore.la
libcore_la_SOURCES = \
    lib/address.c lib/address.h \
    lib/cache.c lib/cache.h lib/cache_lmdb.c lib/store.h \
    lib/callout.c lib/callout.h \
    lib/classify.c lib/classify.h \
    lib/deadline.c lib/deadline.h \
    lib/dialogue.c lib/dialogue.h \
    lib/dns.c lib/dns.h \
    lib/hash.h \
    lib/limits.c lib/limits.h \
    lib/names.c \
    lib/netguard.c lib/netguard.h \
    lib/options.c lib/options.h \
    lib/record.c lib/record.h \
    lib/reply.c lib/reply.h \
    lib/ringback.h \
    lib/text.c lib/text.h \
    lib/transcript.c lib/transcript.h \
    lib/transport.c lib/transport.h \
    lib/verifier.c
libcore_la_LIBADD = $(LMDB_LIBS) $(OPENSSL_LIBS) $(IDN2_LIBS)

lib_LTLIBRARIES += libringback.la
libringback_la_SOURCES =
libringback_la_LIBADD = libcore.la
libringback_la_LDFLAGS = $(AM_LDFLAGS) -version-info 0:0:0 -export-symbols-regex '^rb_'

include_HEADERS += lib/ringback.h
pkgconfig_DATA += lib/ringback.pc
