# SPDX-License-Identifier: BSD-2-Clause
# Unit tests mirror the rooms of lib/ and milter/; each is one cmocka program that speaks TAP. Then the lab.

UNIT = \
    tests/unit/lib/base/test_clock \
    tests/unit/lib/base/test_hash \
    tests/unit/lib/base/test_histogram \
    tests/unit/lib/base/test_ip \
    tests/unit/lib/base/test_memo \
    tests/unit/lib/base/test_names \
    tests/unit/lib/base/test_random \
    tests/unit/lib/base/test_stall \
    tests/unit/lib/base/test_text \
    tests/unit/lib/base/test_transcript \
    tests/unit/lib/mail/test_address \
    tests/unit/lib/mail/test_auth_results \
    tests/unit/lib/mail/test_dkim_signature \
    tests/unit/lib/mail/test_lexical \
    tests/unit/lib/mail/test_mailbox \
    tests/unit/lib/mail/test_netguard \
    tests/unit/lib/mail/test_onetime \
    tests/unit/lib/mail/test_organisation \
    tests/unit/lib/mail/test_relay \
    tests/unit/lib/dns/test_answers \
    tests/unit/lib/dns/test_dns \
    tests/unit/lib/dns/test_exchange \
    tests/unit/lib/spf/test_check \
    tests/unit/lib/spf/test_macro \
    tests/unit/lib/spf/test_memo \
    tests/unit/lib/spf/test_record \
    tests/unit/lib/spf/test_vouch \
    tests/unit/lib/smtp/test_classify \
    tests/unit/lib/smtp/test_dialogue \
    tests/unit/lib/smtp/test_reply \
    tests/unit/lib/smtp/test_transport \
    tests/unit/lib/cache/test_cache \
    tests/unit/lib/cache/test_check \
    tests/unit/lib/cache/test_keys \
    tests/unit/lib/cache/test_onetime_record \
    tests/unit/lib/cache/test_record \
    tests/unit/lib/cache/test_retry_record \
    tests/unit/lib/cache/test_verb_record \
    tests/unit/lib/extension/test_ayttm \
    tests/unit/lib/extension/test_sockets_none \
    tests/unit/lib/extension/test_verbs \
    tests/unit/lib/limits/test_breaker \
    tests/unit/lib/limits/test_limits \
    tests/unit/lib/limits/test_rates \
    tests/unit/lib/limits/test_shield \
    tests/unit/lib/options/test_options \
    tests/unit/lib/options/test_snapshot \
    tests/unit/lib/callout/test_callout \
    tests/unit/lib/sched/test_destination \
    tests/unit/lib/sched/test_hostslots \
    tests/unit/lib/sched/test_sched \
    tests/unit/lib/verifier/test_checks \
    tests/unit/lib/verifier/test_clients \
    tests/unit/lib/verifier/test_gate \
    tests/unit/lib/verifier/test_guest \
    tests/unit/lib/verifier/test_held \
    tests/unit/lib/verifier/test_identity \
    tests/unit/lib/verifier/test_idle \
    tests/unit/lib/verifier/test_inflight \
    tests/unit/lib/verifier/test_inspect \
    tests/unit/lib/verifier/test_locks \
    tests/unit/lib/verifier/test_manners \
    tests/unit/lib/verifier/test_memory \
    tests/unit/lib/verifier/test_peek \
    tests/unit/lib/verifier/test_message_size \
    tests/unit/lib/verifier/test_relays \
    tests/unit/lib/verifier/test_retry \
    tests/unit/lib/verifier/test_ticket \
    tests/unit/lib/verifier/test_sizes \
    tests/unit/lib/verifier/test_stress \
    tests/unit/lib/verifier/test_verifier \
    tests/unit/milter/base/test_json \
    tests/unit/milter/base/test_log \
    tests/unit/milter/config/test_load \
    tests/unit/milter/config/test_passwords \
    tests/unit/milter/config/test_policy \
    tests/unit/milter/config/test_value \
    tests/unit/milter/session/test_decide \
    tests/unit/milter/session/test_explain \
    tests/unit/milter/session/test_originators \
    tests/unit/milter/session/test_recipient \
    tests/unit/milter/session/test_session \
    tests/unit/milter/session/test_vouch \
    tests/unit/milter/daemon/test_control \
    tests/unit/milter/daemon/test_daemon \
    tests/unit/milter/daemon/test_heartbeat \
    tests/unit/milter/daemon/test_history \
    tests/unit/milter/daemon/test_liveness \
    tests/unit/milter/daemon/test_metrics \
    tests/unit/milter/extension/test_connect_back \
    tests/unit/milter/extension/test_answer \
    tests/unit/milter/extension/test_peers \
    tests/unit/milter/http/test_access \
    tests/unit/milter/http/test_chart \
    tests/unit/milter/http/test_command \
    tests/unit/milter/http/test_decisions \
    tests/unit/milter/http/test_connections \
    tests/unit/milter/http/test_guard \
    tests/unit/milter/http/test_health \
    tests/unit/milter/http/test_html \
    tests/unit/milter/http/test_login \
    tests/unit/milter/http/test_page \
    tests/unit/milter/http/test_why \
    tests/unit/milter/http/test_request \
    tests/unit/milter/mta/test_filter \
    tests/unit/milter/mta/test_headers \
    tests/unit/milter/mta/test_listen \
    tests/unit/milter/tool/test_input \
    tests/unit/milter/tool/test_tool \
    tests/unit/milter/tool/test_window \
    tests/unit/test_allocation

if SOCK_DIAG
UNIT += tests/unit/lib/extension/test_sockets
endif

check_PROGRAMS += $(UNIT)
# Those that take long come first: with `make -j` the others go on beside them.
TESTS += tests/lab/lab.py tests/scenarios/scenarios.py tests/browser/test_page.py tests/daemon/test_daemon.py tests/daemon/test_http.py tests/daemon/test_status.py tests/systemd/test_units.py tests/daemon/test_notify.py tests/smtpd/test_smtpd.py
TESTS += $(UNIT) tests/symbols/test_symbols.py tests/rooms/test_rooms.py tests/manuals/test_manuals.py \
    tests/packages/test_debian.py tests/packages/test_rpm.py
EXTRA_DIST += tests/symbols/test_symbols.py tests/systemd tests/packages \
    tests/manuals/examples.py tests/manuals/features.py tests/manuals/mdoc.py tests/manuals/test_manuals.py

check_LTLIBRARIES += libtest.la
libtest_la_SOURCES = tests/unit/check.h tests/unit/dice.c tests/unit/dice.h \
    tests/unit/dns_rig.c tests/unit/dns_rig.h tests/unit/fake_clock.c tests/unit/fake_clock.h \
    tests/unit/fake_dns.c tests/unit/fake_dns.h \
    tests/unit/fake_host.c tests/unit/fake_host.h \
    tests/unit/session_rig.c tests/unit/session_rig.h \
    tests/unit/spf_rig.c tests/unit/spf_rig.h \
    tests/unit/verifier_rig.c tests/unit/verifier_rig.h

# Of every program that names no others.
LDADD = libtest.la libmilterparts.la libcore.la $(CMOCKA_LIBS)

# Whoever owns malloc counts its calls.
if SANITIZER_MALLOC
malloc_count = tests/unit/malloc_hooked.c
else
malloc_count = tests/unit/malloc_interposed.c
endif
EXTRA_DIST += tests/unit/malloc_hooked.c tests/unit/malloc_interposed.c

# With a stand-in for libmilter, or with itself.
fake_milter = tests/unit/fake_milter.c tests/unit/fake_milter.h
tests_unit_test_allocation_SOURCES = tests/unit/test_allocation.c tests/unit/malloc_count.h $(fake_milter)
nodist_tests_unit_test_allocation_SOURCES = $(malloc_count)
tests_unit_milter_mta_test_filter_SOURCES = tests/unit/milter/mta/test_filter.c $(fake_milter)
# The stand-in, whatever the library has. Flags of its own, so that its objects are not those of the library.
tests_unit_lib_extension_test_sockets_none_CPPFLAGS = $(AM_CPPFLAGS)
tests_unit_lib_extension_test_sockets_none_SOURCES = tests/unit/lib/extension/test_sockets_none.c lib/extension/sockets_none.c
tests_unit_milter_mta_test_listen_LDADD = $(LDADD) $(MILTER_LIBS)


include tests/contrib/local.mk
include tests/fuzz/local.mk
include tests/bench/local.mk

# The scripted mail host.
noinst_PROGRAMS += tests/smtpd/smtpd
# Flags of its own, so that its objects are not those of the library.
tests_smtpd_smtpd_CPPFLAGS = $(AM_CPPFLAGS)
tests_smtpd_smtpd_SOURCES = \
    lib/base/hash.c \
    lib/base/hash.h \
    lib/base/random.c \
    lib/base/random.h \
    tests/smtpd/buf.c \
    tests/smtpd/buf.h \
    tests/smtpd/conn.c \
    tests/smtpd/conn.h \
    tests/smtpd/control.c \
    tests/smtpd/control.h \
    tests/smtpd/counters.c \
    tests/smtpd/counters.h \
    tests/smtpd/greylist.c \
    tests/smtpd/greylist.h \
    tests/smtpd/lexer.c \
    tests/smtpd/lexer.h \
    tests/smtpd/loop.c \
    tests/smtpd/loop.h \
    tests/smtpd/path.c \
    tests/smtpd/path.h \
    tests/smtpd/play.c \
    tests/smtpd/play.h \
    tests/smtpd/scenario.c \
    tests/smtpd/scenario.h \
    tests/smtpd/scenario_read.c \
    tests/smtpd/server.c \
    tests/smtpd/server.h \
    tests/smtpd/session.c \
    tests/smtpd/session.h \
    tests/smtpd/smtpd.c \
    tests/smtpd/tls.c \
    tests/smtpd/tls.h
tests_smtpd_smtpd_LDADD = $(OPENSSL_LIBS)

EXTRA_DIST += tests/rooms tests/tsan.supp tests/replies.tsv tests/replies-more.tsv tests/replies-field.tsv tests/browser tests/daemon tests/lab \
    tests/scenarios tests/smtpd/README tests/smtpd/test_smtpd.py
