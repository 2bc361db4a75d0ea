# SPDX-License-Identifier: BSD-2-Clause
# libringback: everything once as a convenience library (for the programs and tests), and what is installed.

noinst_LTLIBRARIES += libcore.la
libcore_la_SOURCES = \
    lib/address.c lib/address.h \
    lib/admission.c lib/admission.h \
    lib/ask.c lib/board.c \
    lib/cache.c lib/cache.h lib/cache_lmdb.c lib/store.h \
    lib/cache_sweep.c lib/cache_sweep.h \
    lib/cache_walk.c lib/cache_walk.h \
    lib/cache_writer.c lib/cache_writer.h \
    lib/callout.c lib/callout.h \
    lib/checks.c lib/checks.h \
    lib/classify.c lib/classify.h \
    lib/classify_clauses.c lib/classify_clauses.h lib/classify_rules.def \
    lib/classify_letters.c lib/classify_letters.h \
    lib/classify_text.c lib/classify_text.h \
    lib/classify_vocabulary.c lib/classify_vocabulary.h \
    lib/codec.c lib/codec.h \
    lib/deadline.c lib/deadline.h \
    lib/dialogue.c lib/dialogue.h \
    lib/dns.c lib/dns.h \
    lib/dns_answers.c lib/dns_answers.h \
    lib/dns_exchange.c lib/dns_exchange.h \
    lib/dns_query.c lib/dns_query.h \
    lib/dns_records.c \
    lib/dns_servers.c lib/dns_servers.h \
    lib/flight.c lib/flight.h \
    lib/fold.c lib/fold.h lib/fold_record.c lib/fold_record.h \
    lib/gate.c \
    lib/hash.c lib/hash.h \
    lib/hostlimits.c lib/hostlimits.h \
    lib/identity.c lib/identity.h \
    lib/known.c lib/landing.c \
    lib/names.c \
    lib/netguard.c lib/netguard.h \
    lib/options.c lib/options.h \
    lib/patience.c lib/patience.h \
    lib/peek.c \
    lib/pool.c lib/pool.h \
    lib/probing.c lib/probing.h \
    lib/queue.c lib/queue.h \
    lib/rates.c lib/rates.h \
    lib/record.c lib/record.h lib/record_life.c \
    lib/relay.c lib/relay.h \
    lib/reply.c lib/reply.h \
    lib/ringback.h \
    lib/rest.c lib/rest.h \
    lib/retry.c lib/retry.h \
    lib/retry_record.c lib/retry_record.h \
    lib/run.c lib/run.h \
    lib/setup.c lib/setup.h \
    lib/shield.c lib/shield.h \
    lib/slots.c lib/slots.h \
    lib/snapshots.c lib/snapshots.h \
    lib/spf.c lib/spf.h \
    lib/spf_answers.c lib/spf_answers.h \
    lib/spf_check.c lib/spf_check.h \
    lib/spf_macro.c lib/spf_macro.h \
    lib/spf_memo.c lib/spf_memo.h \
    lib/spf_record.c lib/spf_record.h \
    lib/stack.c lib/stack.h \
    lib/text.c lib/text.h \
    lib/transcript.c lib/transcript.h \
    lib/transport.c lib/transport.h \
    lib/verifier.c lib/verifier.h \
    lib/visit.c lib/visit.h \
    lib/task.c lib/task.h lib/workers.c
libcore_la_LIBADD = $(LMDB_LIBS) $(OPENSSL_LIBS) $(IDN2_LIBS)

lib_LTLIBRARIES += libringback.la
libringback_la_SOURCES =
libringback_la_LIBADD = libcore.la
libringback_la_LDFLAGS = $(AM_LDFLAGS) -version-info 0:0:0 -export-symbols-regex '^rb_'

include_HEADERS += lib/ringback.h
pkgconfig_DATA += lib/ringback.pc
