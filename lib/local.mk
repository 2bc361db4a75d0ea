# SPDX-License-Identifier: BSD-2-Clause
# libringback: everything once as a convenience library (for the programs and tests), and what is installed.

noinst_LTLIBRARIES += libcore.la
libcore_la_SOURCES = \
    lib/address.c lib/address.h \
    lib/cache.c lib/cache.h lib/cache_lmdb.c lib/store.h \
    lib/cache_sweep.c lib/cache_sweep.h \
    lib/cache_walk.c lib/cache_walk.h \
    lib/cache_writer.c lib/cache_writer.h \
    lib/callout.c lib/callout.h \
    lib/classify.c lib/classify.h \
    lib/classify_text.c lib/classify_text.h \
    lib/deadline.c lib/deadline.h \
    lib/deferral.c lib/deferral.h \
    lib/dialogue.c lib/dialogue.h \
    lib/dns.c lib/dns.h \
    lib/flight.c lib/flight.h \
    lib/hash.h \
    lib/hostlimits.c lib/hostlimits.h \
    lib/known.c \
    lib/names.c \
    lib/netguard.c lib/netguard.h \
    lib/options.c lib/options.h \
    lib/queue.c lib/queue.h \
    lib/record.c lib/record.h \
    lib/reply.c lib/reply.h \
    lib/ringback.h \
    lib/retries.c lib/retries.h \
    lib/run.c lib/run.h \
    lib/setup.c lib/setup.h \
    lib/text.c lib/text.h \
    lib/transcript.c lib/transcript.h \
    lib/transport.c lib/transport.h \
    lib/verifier.c lib/verifier.h \
    lib/visit.c lib/visit.h \
    lib/workers.c
libcore_la_LIBADD = $(LMDB_LIBS) $(OPENSSL_LIBS) $(IDN2_LIBS)

lib_LTLIBRARIES += libringback.la
libringback_la_SOURCES =
libringback_la_LIBADD = libcore.la
libringback_la_LDFLAGS = $(AM_LDFLAGS) -version-info 0:0:0 -export-symbols-regex '^rb_'

include_HEADERS += lib/ringback.h
pkgconfig_DATA += lib/ringback.pc
