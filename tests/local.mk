# SPDX-License-Identifier: BSD-2-Clause
# Unit tests mirror lib/ and milter/; each is one cmocka program that speaks TAP. Then the lab.

UNIT = \
    tests/unit/test_address \
    tests/unit/test_admission \
    tests/unit/test_allocation \
    tests/unit/test_cache \
    tests/unit/test_cache_check \
    tests/unit/test_callout \
    tests/unit/test_checks \
    tests/unit/test_classify \
    tests/unit/test_config \
    tests/unit/test_control \
    tests/unit/test_daemon \
    tests/unit/test_deadline \
    tests/unit/test_decide \
    tests/unit/test_dialogue \
    tests/unit/test_dns \
    tests/unit/test_dns_answers \
    tests/unit/test_dns_exchange \
    tests/unit/test_filter \
    tests/unit/test_flight \
    tests/unit/test_explain \
    tests/unit/test_fold \
    tests/unit/test_fold_record \
    tests/unit/test_guest \
    tests/unit/test_hash \
    tests/unit/test_headers \
    tests/unit/test_held \
    tests/unit/test_hostlimits \
    tests/unit/test_identity \
    tests/unit/test_listen \
    tests/unit/test_log \
    tests/unit/test_manners \
    tests/unit/test_names \
    tests/unit/test_netguard \
    tests/unit/test_options \
    tests/unit/test_patience \
    tests/unit/test_peek \
    tests/unit/test_policy \
    tests/unit/test_probing \
    tests/unit/test_pool \
    tests/unit/test_queue \
    tests/unit/test_rates \
    tests/unit/test_recipient \
    tests/unit/test_record \
    tests/unit/test_relay \
    tests/unit/test_relays \
    tests/unit/test_reply \
    tests/unit/test_rest \
    tests/unit/test_retry \
    tests/unit/test_retry_record \
    tests/unit/test_session \
    tests/unit/test_shield \
    tests/unit/test_slots \
    tests/unit/test_snapshots \
    tests/unit/test_spf \
    tests/unit/test_spf_macro \
    tests/unit/test_spf_memo \
    tests/unit/test_spf_record \
    tests/unit/test_stack \
    tests/unit/test_text \
    tests/unit/test_tool \
    tests/unit/test_tool_input \
    tests/unit/test_tool_window \
    tests/unit/test_transcript \
    tests/unit/test_transport \
    tests/unit/test_verifier \
    tests/unit/test_wire

check_PROGRAMS += $(UNIT)
# Those that take long come first: with `make -j` the others go on beside them.
TESTS += tests/lab/lab.py tests/scenarios/scenarios.py tests/daemon/test_daemon.py tests/smtpd/test_smtpd.py
TESTS += $(UNIT)

check_LTLIBRARIES += libtest.la
libtest_la_SOURCES = tests/unit/check.h tests/unit/dice.c tests/unit/dice.h \
    tests/unit/dns_rig.c tests/unit/dns_rig.h tests/unit/fake_clock.c tests/unit/fake_clock.h \
    tests/unit/fake_dns.c tests/unit/fake_dns.h \
    tests/unit/fake_host.c tests/unit/fake_host.h \
    tests/unit/verifier_rig.c tests/unit/verifier_rig.h
libtest_la_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)

unit_cppflags = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS) -iquote $(top_srcdir)/tests/unit
unit_libs = libtest.la libmilterparts.la libcore.la $(CMOCKA_LIBS)

tests_unit_test_address_SOURCES = tests/unit/test_address.c
tests_unit_test_address_CPPFLAGS = $(unit_cppflags)
tests_unit_test_address_LDADD = $(unit_libs)

# Whoever owns malloc counts its calls.
if SANITIZER_MALLOC
malloc_count = tests/unit/malloc_hooked.c
else
malloc_count = tests/unit/malloc_interposed.c
endif
EXTRA_DIST += tests/unit/malloc_hooked.c tests/unit/malloc_interposed.c

# With the milter's callbacks, and without libmilter.
tests_unit_test_allocation_SOURCES = tests/unit/test_allocation.c \
    tests/unit/fake_milter.c tests/unit/fake_milter.h tests/unit/malloc_count.h \
    tests/unit/session_rig.c tests/unit/session_rig.h milter/mta/filter.c milter/mta/negotiate.c
nodist_tests_unit_test_allocation_SOURCES = $(malloc_count)
tests_unit_test_allocation_CPPFLAGS = $(unit_cppflags)
tests_unit_test_allocation_LDADD = $(unit_libs)

tests_unit_test_filter_SOURCES = tests/unit/test_filter.c \
    tests/unit/fake_milter.c tests/unit/fake_milter.h \
    tests/unit/session_rig.c tests/unit/session_rig.h milter/mta/filter.c milter/mta/negotiate.c
tests_unit_test_filter_CPPFLAGS = $(unit_cppflags)
tests_unit_test_filter_LDADD = $(unit_libs)

tests_unit_test_pool_SOURCES = tests/unit/test_pool.c tests/unit/malloc_count.h
nodist_tests_unit_test_pool_SOURCES = $(malloc_count)
tests_unit_test_pool_CPPFLAGS = $(unit_cppflags)
tests_unit_test_pool_LDADD = $(unit_libs)

tests_unit_test_cache_SOURCES = tests/unit/test_cache.c
tests_unit_test_cache_CPPFLAGS = $(unit_cppflags) $(LMDB_CFLAGS)
tests_unit_test_cache_LDADD = $(unit_libs) $(LMDB_LIBS)

tests_unit_test_cache_check_SOURCES = tests/unit/test_cache_check.c
tests_unit_test_cache_check_CPPFLAGS = $(unit_cppflags)
tests_unit_test_cache_check_LDADD = $(unit_libs)

tests_unit_test_callout_SOURCES = tests/unit/test_callout.c
tests_unit_test_callout_CPPFLAGS = $(unit_cppflags)
tests_unit_test_callout_LDADD = $(unit_libs)

tests_unit_test_checks_SOURCES = tests/unit/test_checks.c
tests_unit_test_checks_CPPFLAGS = $(unit_cppflags)
tests_unit_test_checks_LDADD = $(unit_libs)

tests_unit_test_classify_SOURCES = tests/unit/test_classify.c
tests_unit_test_classify_CPPFLAGS = $(unit_cppflags)
tests_unit_test_classify_LDADD = $(unit_libs)

tests_unit_test_config_SOURCES = tests/unit/test_config.c
tests_unit_test_config_CPPFLAGS = $(unit_cppflags)
tests_unit_test_config_LDADD = $(unit_libs)

tests_unit_test_control_SOURCES = tests/unit/test_control.c milter/daemon/control.c
tests_unit_test_control_CPPFLAGS = $(unit_cppflags)
tests_unit_test_control_LDADD = $(unit_libs)

tests_unit_test_daemon_SOURCES = tests/unit/test_daemon.c milter/daemon/daemon.c
tests_unit_test_daemon_CPPFLAGS = $(unit_cppflags)
tests_unit_test_daemon_LDADD = $(unit_libs)

tests_unit_test_deadline_SOURCES = tests/unit/test_deadline.c
tests_unit_test_deadline_CPPFLAGS = $(unit_cppflags)
tests_unit_test_deadline_LDADD = $(unit_libs)

tests_unit_test_dialogue_SOURCES = tests/unit/test_dialogue.c
tests_unit_test_dialogue_CPPFLAGS = $(unit_cppflags)
tests_unit_test_dialogue_LDADD = $(unit_libs)

tests_unit_test_explain_SOURCES = tests/unit/test_explain.c tests/unit/session_rig.c tests/unit/session_rig.h
tests_unit_test_explain_CPPFLAGS = $(unit_cppflags)
tests_unit_test_explain_LDADD = $(unit_libs)

tests_unit_test_fold_SOURCES = tests/unit/test_fold.c
tests_unit_test_fold_CPPFLAGS = $(unit_cppflags)
tests_unit_test_fold_LDADD = $(unit_libs)

tests_unit_test_fold_record_SOURCES = tests/unit/test_fold_record.c
tests_unit_test_fold_record_CPPFLAGS = $(unit_cppflags)
tests_unit_test_fold_record_LDADD = $(unit_libs)

tests_unit_test_rates_SOURCES = tests/unit/test_rates.c
tests_unit_test_rates_CPPFLAGS = $(unit_cppflags)
tests_unit_test_rates_LDADD = $(unit_libs)

tests_unit_test_shield_SOURCES = tests/unit/test_shield.c
tests_unit_test_shield_CPPFLAGS = $(unit_cppflags)
tests_unit_test_shield_LDADD = $(unit_libs)

tests_unit_test_stack_SOURCES = tests/unit/test_stack.c
tests_unit_test_stack_CPPFLAGS = $(unit_cppflags)
tests_unit_test_stack_LDADD = $(unit_libs)

tests_unit_test_manners_SOURCES = tests/unit/test_manners.c
tests_unit_test_manners_CPPFLAGS = $(unit_cppflags)
tests_unit_test_manners_LDADD = $(unit_libs)

tests_unit_test_slots_SOURCES = tests/unit/test_slots.c
tests_unit_test_slots_CPPFLAGS = $(unit_cppflags)
tests_unit_test_slots_LDADD = $(unit_libs)

tests_unit_test_snapshots_SOURCES = tests/unit/test_snapshots.c
tests_unit_test_snapshots_CPPFLAGS = $(unit_cppflags) $(LMDB_CFLAGS)
tests_unit_test_snapshots_LDADD = $(unit_libs) $(LMDB_LIBS)

tests_unit_test_admission_SOURCES = tests/unit/test_admission.c
tests_unit_test_admission_CPPFLAGS = $(unit_cppflags)
tests_unit_test_admission_LDADD = $(unit_libs)

tests_unit_test_identity_SOURCES = tests/unit/test_identity.c
tests_unit_test_identity_CPPFLAGS = $(unit_cppflags)
tests_unit_test_identity_LDADD = $(unit_libs)

tests_unit_test_spf_SOURCES = tests/unit/test_spf.c
tests_unit_test_spf_CPPFLAGS = $(unit_cppflags)
tests_unit_test_spf_LDADD = $(unit_libs)

tests_unit_test_spf_memo_SOURCES = tests/unit/test_spf_memo.c
tests_unit_test_spf_memo_CPPFLAGS = $(unit_cppflags)
tests_unit_test_spf_memo_LDADD = $(unit_libs)

tests_unit_test_spf_macro_SOURCES = tests/unit/test_spf_macro.c
tests_unit_test_spf_macro_CPPFLAGS = $(unit_cppflags)
tests_unit_test_spf_macro_LDADD = $(unit_libs)

tests_unit_test_spf_record_SOURCES = tests/unit/test_spf_record.c
tests_unit_test_spf_record_CPPFLAGS = $(unit_cppflags)
tests_unit_test_spf_record_LDADD = $(unit_libs)

tests_unit_test_decide_SOURCES = tests/unit/test_decide.c tests/unit/session_rig.c tests/unit/session_rig.h
tests_unit_test_decide_CPPFLAGS = $(unit_cppflags)
tests_unit_test_decide_LDADD = $(unit_libs)

tests_unit_test_recipient_SOURCES = tests/unit/test_recipient.c tests/unit/session_rig.c tests/unit/session_rig.h
tests_unit_test_recipient_CPPFLAGS = $(unit_cppflags)
tests_unit_test_recipient_LDADD = $(unit_libs)

tests_unit_test_relays_SOURCES = tests/unit/test_relays.c
tests_unit_test_relays_CPPFLAGS = $(unit_cppflags)
tests_unit_test_relays_LDADD = $(unit_libs)

tests_unit_test_rest_SOURCES = tests/unit/test_rest.c
tests_unit_test_rest_CPPFLAGS = $(unit_cppflags)
tests_unit_test_rest_LDADD = $(unit_libs)

tests_unit_test_dns_SOURCES = tests/unit/test_dns.c
tests_unit_test_dns_CPPFLAGS = $(unit_cppflags)
tests_unit_test_dns_LDADD = $(unit_libs)

tests_unit_test_dns_answers_SOURCES = tests/unit/test_dns_answers.c
tests_unit_test_dns_answers_CPPFLAGS = $(unit_cppflags)
tests_unit_test_dns_answers_LDADD = $(unit_libs)

tests_unit_test_dns_exchange_SOURCES = tests/unit/test_dns_exchange.c
tests_unit_test_dns_exchange_CPPFLAGS = $(unit_cppflags)
tests_unit_test_dns_exchange_LDADD = $(unit_libs)

tests_unit_test_hash_SOURCES = tests/unit/test_hash.c
tests_unit_test_hash_CPPFLAGS = $(unit_cppflags)
tests_unit_test_hash_LDADD = $(unit_libs)

tests_unit_test_guest_SOURCES = tests/unit/test_guest.c
tests_unit_test_guest_CPPFLAGS = $(unit_cppflags)
tests_unit_test_guest_LDADD = $(unit_libs)

tests_unit_test_headers_SOURCES = tests/unit/test_headers.c
tests_unit_test_headers_CPPFLAGS = $(unit_cppflags)
tests_unit_test_headers_LDADD = $(unit_libs)

tests_unit_test_hostlimits_SOURCES = tests/unit/test_hostlimits.c
tests_unit_test_hostlimits_CPPFLAGS = $(unit_cppflags)
tests_unit_test_hostlimits_LDADD = $(unit_libs)

tests_unit_test_log_SOURCES = tests/unit/test_log.c
tests_unit_test_log_CPPFLAGS = $(unit_cppflags)
tests_unit_test_log_LDADD = $(unit_libs)

tests_unit_test_netguard_SOURCES = tests/unit/test_netguard.c
tests_unit_test_netguard_CPPFLAGS = $(unit_cppflags)
tests_unit_test_netguard_LDADD = $(unit_libs)

tests_unit_test_peek_SOURCES = tests/unit/test_peek.c
tests_unit_test_peek_CPPFLAGS = $(unit_cppflags)
tests_unit_test_peek_LDADD = $(unit_libs)

tests_unit_test_policy_SOURCES = tests/unit/test_policy.c
tests_unit_test_policy_CPPFLAGS = $(unit_cppflags)
tests_unit_test_policy_LDADD = $(unit_libs)

tests_unit_test_record_SOURCES = tests/unit/test_record.c
tests_unit_test_record_CPPFLAGS = $(unit_cppflags)
tests_unit_test_record_LDADD = $(unit_libs)

tests_unit_test_relay_SOURCES = tests/unit/test_relay.c
tests_unit_test_relay_CPPFLAGS = $(unit_cppflags)
tests_unit_test_relay_LDADD = $(unit_libs)

tests_unit_test_reply_SOURCES = tests/unit/test_reply.c
tests_unit_test_reply_CPPFLAGS = $(unit_cppflags)
tests_unit_test_reply_LDADD = $(unit_libs)

tests_unit_test_retry_SOURCES = tests/unit/test_retry.c
tests_unit_test_retry_CPPFLAGS = $(unit_cppflags)
tests_unit_test_retry_LDADD = $(unit_libs)

tests_unit_test_retry_record_SOURCES = tests/unit/test_retry_record.c
tests_unit_test_retry_record_CPPFLAGS = $(unit_cppflags)
tests_unit_test_retry_record_LDADD = $(unit_libs)

tests_unit_test_session_SOURCES = tests/unit/test_session.c
tests_unit_test_session_CPPFLAGS = $(unit_cppflags)
tests_unit_test_session_LDADD = $(unit_libs)

tests_unit_test_text_SOURCES = tests/unit/test_text.c
tests_unit_test_text_CPPFLAGS = $(unit_cppflags)
tests_unit_test_text_LDADD = $(unit_libs)

# Runs ringback as it was built.
tests_unit_test_tool_SOURCES = tests/unit/test_tool.c
tests_unit_test_tool_CPPFLAGS = $(unit_cppflags)
tests_unit_test_tool_LDADD = $(unit_libs)

tests_unit_test_tool_window_SOURCES = tests/unit/test_tool_window.c milter/tool/window.c
tests_unit_test_tool_window_CPPFLAGS = $(unit_cppflags)
tests_unit_test_tool_window_LDADD = $(unit_libs)

tests_unit_test_tool_input_SOURCES = tests/unit/test_tool_input.c
tests_unit_test_tool_input_CPPFLAGS = $(unit_cppflags)
tests_unit_test_tool_input_LDADD = $(unit_libs)

tests_unit_test_transport_SOURCES = tests/unit/test_transport.c
tests_unit_test_transport_CPPFLAGS = $(unit_cppflags)
tests_unit_test_transport_LDADD = $(unit_libs)

tests_unit_test_verifier_SOURCES = tests/unit/test_verifier.c
tests_unit_test_verifier_CPPFLAGS = $(unit_cppflags)
tests_unit_test_verifier_LDADD = $(unit_libs)

tests_unit_test_names_SOURCES = tests/unit/test_names.c
tests_unit_test_names_CPPFLAGS = $(unit_cppflags)
tests_unit_test_names_LDADD = $(unit_libs)

tests_unit_test_options_SOURCES = tests/unit/test_options.c
tests_unit_test_options_CPPFLAGS = $(unit_cppflags)
tests_unit_test_options_LDADD = $(unit_libs)

tests_unit_test_transcript_SOURCES = tests/unit/test_transcript.c
tests_unit_test_transcript_CPPFLAGS = $(unit_cppflags)
tests_unit_test_transcript_LDADD = $(unit_libs)

tests_unit_test_flight_SOURCES = tests/unit/test_flight.c
tests_unit_test_flight_CPPFLAGS = $(unit_cppflags)
tests_unit_test_flight_LDADD = $(unit_libs)

tests_unit_test_held_SOURCES = tests/unit/test_held.c
tests_unit_test_held_CPPFLAGS = $(unit_cppflags)
tests_unit_test_held_LDADD = $(unit_libs)

tests_unit_test_patience_SOURCES = tests/unit/test_patience.c
tests_unit_test_patience_CPPFLAGS = $(unit_cppflags)
tests_unit_test_patience_LDADD = $(unit_libs)

tests_unit_test_probing_SOURCES = tests/unit/test_probing.c
tests_unit_test_probing_CPPFLAGS = $(unit_cppflags)
tests_unit_test_probing_LDADD = $(unit_libs)

tests_unit_test_queue_SOURCES = tests/unit/test_queue.c
tests_unit_test_queue_CPPFLAGS = $(unit_cppflags)
tests_unit_test_queue_LDADD = $(unit_libs)

tests_unit_test_listen_SOURCES = tests/unit/test_listen.c
tests_unit_test_listen_CPPFLAGS = $(unit_cppflags)
tests_unit_test_listen_LDADD = $(unit_libs)

tests_unit_test_wire_SOURCES = tests/unit/test_wire.c
tests_unit_test_wire_CPPFLAGS = $(unit_cppflags)
tests_unit_test_wire_LDADD = $(unit_libs)

include tests/fuzz/local.mk
include tests/bench/local.mk

# The scripted mail host.
noinst_PROGRAMS += tests/smtpd/smtpd
# Flags of its own, so that its objects are not those of the library.
tests_smtpd_smtpd_CPPFLAGS = $(AM_CPPFLAGS)
tests_smtpd_smtpd_SOURCES = \
    lib/base/hash.c \
    lib/base/hash.h \
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

EXTRA_DIST += tests/tsan.supp tests/replies.tsv tests/replies-more.tsv tests/replies-field.tsv tests/daemon tests/lab \
    tests/scenarios tests/smtpd/README tests/smtpd/test_smtpd.py
