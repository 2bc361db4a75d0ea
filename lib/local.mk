# SPDX-License-Identifier: BSD-2-Clause
# libringback: everything once as a convenience library (for the programs and tests), and what is installed.

noinst_LTLIBRARIES += libcore.la
# One part a room, from the ground up.
libcore_la_SOURCES = \
    lib/ringback.h \
    lib/base/clock.c lib/base/clock.h \
    lib/base/hash.c lib/base/hash.h \
    lib/base/histogram.c lib/base/histogram.h \
    lib/base/ip.c lib/base/ip.h \
    lib/base/memo.c lib/base/memo.h \
    lib/base/names.c \
    lib/base/random.c lib/base/random.h \
    lib/base/sized.h \
    lib/base/span.h \
    lib/base/stall.c lib/base/stall.h \
    lib/base/text.c lib/base/text.h \
    lib/base/transcript.c lib/base/transcript.h \
    lib/base/utf8.c lib/base/utf8.h \
    lib/mail/address.c lib/mail/address.h \
    lib/mail/auth_results.c lib/mail/auth_results.h \
    lib/mail/dkim_signature.c lib/mail/dkim_signature.h \
    lib/mail/lexical.c lib/mail/lexical.h \
    lib/mail/mailbox.c lib/mail/mailbox.h \
    lib/mail/netguard.c lib/mail/netguard.h \
    lib/mail/onetime.c lib/mail/onetime.h lib/mail/onetime_forms.def \
    lib/mail/organisation.c lib/mail/organisation.h \
    lib/mail/relay.c lib/mail/relay.h \
    lib/dns/addresses.c lib/dns/addresses.h \
    lib/dns/answers.c lib/dns/answers.h \
    lib/dns/dns.c lib/dns/dns.h \
    lib/dns/exchange.c lib/dns/exchange.h \
    lib/dns/mail_exchangers.c lib/dns/mail_exchangers.h \
    lib/dns/name.c lib/dns/name.h \
    lib/dns/query.c lib/dns/query.h \
    lib/dns/question.c lib/dns/question.h \
    lib/dns/records.c lib/dns/records.h \
    lib/dns/servers.c lib/dns/servers.h \
    lib/spf/answers.c lib/spf/answers.h \
    lib/spf/check.c lib/spf/check.h \
    lib/spf/evaluate.c lib/spf/evaluate.h \
    lib/spf/macro.c lib/spf/macro.h \
    lib/spf/memo.c lib/spf/memo.h \
    lib/spf/record.c lib/spf/record.h \
    lib/spf/vouch.c lib/spf/vouch.h \
    lib/smtp/classify.c lib/smtp/classify.h \
    lib/smtp/classify_clauses.c lib/smtp/classify_clauses.h \
    lib/smtp/classify_codes.c lib/smtp/classify_codes.h \
    lib/smtp/classify_grammar.c lib/smtp/classify_grammar.h \
    lib/smtp/classify_letters.c lib/smtp/classify_letters.h \
    lib/smtp/classify_phrases.c lib/smtp/classify_phrases.h \
    lib/smtp/classify_predicates.c lib/smtp/classify_predicates.h \
    lib/smtp/classify_rules.def \
    lib/smtp/classify_vocabulary.c lib/smtp/classify_vocabulary.h \
    lib/smtp/classify_wait.c lib/smtp/classify_wait.h \
    lib/smtp/classify_words.c lib/smtp/classify_words.h \
    lib/smtp/dialogue.c lib/smtp/dialogue.h \
    lib/smtp/reply.c lib/smtp/reply.h \
    lib/smtp/span.c lib/smtp/span.h \
    lib/smtp/tls.c lib/smtp/tls.h \
    lib/smtp/transport.c lib/smtp/transport.h \
    lib/smtp/wire.c lib/smtp/wire.h \
    lib/cache/cache.c lib/cache/cache.h \
    lib/cache/codec.c lib/cache/codec.h \
    lib/cache/folder.c lib/cache/folder.h \
    lib/cache/keys.c lib/cache/keys.h \
    lib/cache/lmdb.c \
    lib/cache/onetime_record.c lib/cache/onetime_record.h \
    lib/cache/record.c lib/cache/record.h \
    lib/cache/record_life.c \
    lib/cache/retry_record.c lib/cache/retry_record.h \
    lib/cache/store.h \
    lib/cache/sweep.c lib/cache/sweep.h \
    lib/cache/verb_record.c lib/cache/verb_record.h \
    lib/cache/walk.c lib/cache/walk.h \
    lib/cache/writer.c lib/cache/writer.h \
    lib/extension/ayttm.c lib/extension/ayttm.h \
    lib/extension/sockets.h \
    lib/extension/verbs.c lib/extension/verbs.h \
    lib/limits/breaker.c lib/limits/breaker.h \
    lib/limits/limits.c lib/limits/limits.h \
    lib/limits/rates.c lib/limits/rates.h \
    lib/limits/shield.c lib/limits/shield.h \
    lib/options/options.c lib/options/options.h \
    lib/options/snapshot.c lib/options/snapshot.h \
    lib/callout/attempt.c lib/callout/attempt.h \
    lib/callout/callout.c lib/callout/callout.h \
    lib/callout/channel.c lib/callout/channel.h \
    lib/callout/hosts.c lib/callout/hosts.h \
    lib/callout/manners.c lib/callout/manners.h \
    lib/callout/probe.c lib/callout/probe.h \
    lib/callout/session.c lib/callout/session.h \
    lib/sched/destination.c lib/sched/destination.h \
    lib/sched/hostslots.c lib/sched/hostslots.h \
    lib/sched/sched.c lib/sched/sched.h \
    lib/sched/threads.c lib/sched/threads.h \
    lib/verifier/api.c \
    lib/verifier/cached.c \
    lib/verifier/checks.c lib/verifier/checks.h \
    lib/verifier/claim.c lib/verifier/claim.h \
    lib/verifier/clients.c lib/verifier/clients.h \
    lib/verifier/gate.c lib/verifier/gate.h \
    lib/verifier/health.c lib/verifier/health.h \
    lib/verifier/identity.c lib/verifier/identity.h \
    lib/verifier/inflight.c lib/verifier/inflight.h \
    lib/verifier/inspect.c \
    lib/verifier/jobs.c lib/verifier/jobs.h \
    lib/verifier/memory.c lib/verifier/memory.h \
    lib/verifier/peek.c \
    lib/verifier/retry.c lib/verifier/retry.h \
    lib/verifier/submit.c lib/verifier/submit.h \
    lib/verifier/ticket.c lib/verifier/ticket.h \
    lib/verifier/verifier.c lib/verifier/verifier.h
# The kernel's table of sockets, or a stand-in that knows nothing of it.
if SOCK_DIAG
libcore_la_SOURCES += lib/extension/sockets.c
else
libcore_la_SOURCES += lib/extension/sockets_none.c
endif
libcore_la_LIBADD = $(LMDB_LIBS) $(OPENSSL_LIBS) $(IDN2_LIBS) $(PSL_LIBS)

lib_LTLIBRARIES += libringback.la
libringback_la_SOURCES =
libringback_la_LIBADD = libcore.la
libringback_la_LDFLAGS = $(AM_LDFLAGS) -version-info 0:0:0 \
    -Wl,--version-script=$(top_srcdir)/lib/ringback.map
EXTRA_libringback_la_DEPENDENCIES = lib/ringback.map
EXTRA_DIST += lib/ringback.map

include_HEADERS += lib/ringback.h
dist_man_MANS += lib/man/libringback.3
pkgconfig_DATA += lib/ringback.pc
