# SPDX-License-Identifier: BSD-2-Clause
# Fuzz targets for everything that reads what strangers write. With --enable-fuzzing (clang) they are libFuzzer programs:
#     ./configure CC=clang --enable-fuzzing --with-sanitizer=address,undefined && make
#     mkdir found && tests/fuzz/fuzz_reply found tests/fuzz/corpus/reply
# Otherwise each replays its corpus and some mutations of it, as a test (replay.c).

FUZZ = \
    tests/fuzz/fuzz_address \
    tests/fuzz/fuzz_answer \
    tests/fuzz/fuzz_auth_results \
    tests/fuzz/fuzz_config \
    tests/fuzz/fuzz_dialogue \
    tests/fuzz/fuzz_onetime \
    tests/fuzz/fuzz_headers \
    tests/fuzz/fuzz_host \
    tests/fuzz/fuzz_html \
    tests/fuzz/fuzz_json \
    tests/fuzz/fuzz_login \
    tests/fuzz/fuzz_mailbox \
    tests/fuzz/fuzz_record \
    tests/fuzz/fuzz_relay \
    tests/fuzz/fuzz_reply \
    tests/fuzz/fuzz_spf \
    tests/fuzz/fuzz_target \
    tests/fuzz/fuzz_verbs

if SOCK_DIAG
FUZZ += tests/fuzz/fuzz_sockets
endif

if FUZZING
noinst_PROGRAMS += $(FUZZ)
fuzz_main =
fuzz_ldflags = $(AM_LDFLAGS) $(FUZZ_FLAGS)
# All that is built tells the fuzzer which ways were taken.
AM_CFLAGS += -fsanitize=fuzzer-no-link
AM_LDFLAGS += -fsanitize=fuzzer-no-link
else
check_PROGRAMS += $(FUZZ)
TESTS += $(FUZZ)
fuzz_main = tests/fuzz/replay.c
fuzz_ldflags = $(AM_LDFLAGS)
endif

fuzz_cppflags = $(AM_CPPFLAGS)
fuzz_libs = libmilterparts.la libcore.la

tests_fuzz_fuzz_address_SOURCES = tests/fuzz/fuzz_address.c tests/fuzz/fuzz.h $(fuzz_main)
tests_fuzz_fuzz_address_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_address_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_address_LDADD = $(fuzz_libs)

tests_fuzz_fuzz_answer_SOURCES = tests/fuzz/fuzz_answer.c tests/fuzz/fuzz.h $(fuzz_main)
tests_fuzz_fuzz_answer_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_answer_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_answer_LDADD = $(fuzz_libs)

tests_fuzz_fuzz_auth_results_SOURCES = tests/fuzz/fuzz_auth_results.c tests/fuzz/fuzz.h $(fuzz_main)
tests_fuzz_fuzz_auth_results_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_auth_results_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_auth_results_LDADD = $(fuzz_libs)

tests_fuzz_fuzz_config_SOURCES = tests/fuzz/fuzz_config.c tests/fuzz/fuzz.h $(fuzz_main)
tests_fuzz_fuzz_config_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_config_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_config_LDADD = $(fuzz_libs)

tests_fuzz_fuzz_dialogue_SOURCES = tests/fuzz/fuzz_dialogue.c tests/fuzz/fuzz.h $(fuzz_main)
tests_fuzz_fuzz_dialogue_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_dialogue_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_dialogue_LDADD = $(fuzz_libs)

tests_fuzz_fuzz_onetime_SOURCES = tests/fuzz/fuzz_onetime.c tests/fuzz/fuzz.h $(fuzz_main)
tests_fuzz_fuzz_onetime_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_onetime_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_onetime_LDADD = $(fuzz_libs)

tests_fuzz_fuzz_headers_SOURCES = tests/fuzz/fuzz_headers.c tests/fuzz/fuzz.h $(fuzz_main)
tests_fuzz_fuzz_headers_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_headers_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_headers_LDADD = $(fuzz_libs)

tests_fuzz_fuzz_host_SOURCES = tests/fuzz/fuzz_host.c tests/fuzz/fuzz.h $(fuzz_main)
tests_fuzz_fuzz_host_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_host_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_host_LDADD = $(fuzz_libs)

tests_fuzz_fuzz_html_SOURCES = tests/fuzz/fuzz_html.c tests/fuzz/fuzz.h tests/fuzz/utf8_oracle.h $(fuzz_main)
tests_fuzz_fuzz_html_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_html_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_html_LDADD = $(fuzz_libs)

tests_fuzz_fuzz_json_SOURCES = tests/fuzz/fuzz_json.c tests/fuzz/fuzz.h $(fuzz_main)
tests_fuzz_fuzz_json_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_json_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_json_LDADD = $(fuzz_libs)

tests_fuzz_fuzz_login_SOURCES = tests/fuzz/fuzz_login.c tests/fuzz/fuzz.h $(fuzz_main)
tests_fuzz_fuzz_login_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_login_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_login_LDADD = $(fuzz_libs)

tests_fuzz_fuzz_mailbox_SOURCES = tests/fuzz/fuzz_mailbox.c tests/fuzz/fuzz.h $(fuzz_main)
tests_fuzz_fuzz_mailbox_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_mailbox_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_mailbox_LDADD = $(fuzz_libs)

tests_fuzz_fuzz_record_SOURCES = tests/fuzz/fuzz_record.c tests/fuzz/fuzz.h $(fuzz_main)
tests_fuzz_fuzz_record_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_record_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_record_LDADD = $(fuzz_libs)

tests_fuzz_fuzz_relay_SOURCES = tests/fuzz/fuzz_relay.c tests/fuzz/fuzz.h $(fuzz_main)
tests_fuzz_fuzz_relay_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_relay_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_relay_LDADD = $(fuzz_libs)

tests_fuzz_fuzz_reply_SOURCES = tests/fuzz/fuzz_reply.c tests/fuzz/fuzz.h $(fuzz_main)
tests_fuzz_fuzz_reply_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_reply_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_reply_LDADD = $(fuzz_libs)

tests_fuzz_fuzz_sockets_SOURCES = tests/fuzz/fuzz_sockets.c tests/fuzz/fuzz.h $(fuzz_main)
tests_fuzz_fuzz_sockets_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_sockets_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_sockets_LDADD = $(fuzz_libs)

tests_fuzz_fuzz_spf_SOURCES = tests/fuzz/fuzz_spf.c tests/fuzz/fuzz.h $(fuzz_main)
tests_fuzz_fuzz_spf_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_spf_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_spf_LDADD = $(fuzz_libs)

tests_fuzz_fuzz_target_SOURCES = tests/fuzz/fuzz_target.c tests/fuzz/fuzz.h tests/fuzz/utf8_oracle.h $(fuzz_main)
tests_fuzz_fuzz_target_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_target_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_target_LDADD = $(fuzz_libs)

tests_fuzz_fuzz_verbs_SOURCES = tests/fuzz/fuzz_verbs.c tests/fuzz/fuzz.h $(fuzz_main)
tests_fuzz_fuzz_verbs_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_verbs_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_verbs_LDADD = $(fuzz_libs)

CLEANFILES += fuzz-*.failed
EXTRA_DIST += tests/fuzz/replay.c tests/fuzz/corpus
