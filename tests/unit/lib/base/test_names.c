/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Unit tests of names: the words that scripts depend on, and the verdict each reason stands for.
 */
#include "config.h"

#include "check.h"
#include "ringback.h"

#include <stdio.h>

/* As documented; the numbers are those of the stored format. */
static const struct {
    const char *name;
    int number;
    enum rb_verdict verdict;
} documented[] = {
    {"accepted", 1, RB_VERDICT_VALID},
    {"mailbox_full", 2, RB_VERDICT_VALID},
    {"correspondent", 3, RB_VERDICT_VALID},
    {"no_such_user", 10, RB_VERDICT_INVALID},
    {"disabled", 11, RB_VERDICT_INVALID},
    {"no_domain", 12, RB_VERDICT_INVALID},
    {"no_mail_host", 13, RB_VERDICT_INVALID},
    {"null_mx", 14, RB_VERDICT_INVALID},
    {"bogus_mx", 15, RB_VERDICT_INVALID},
    {"bad_address", 16, RB_VERDICT_INVALID},
    {"catch_all", 30, RB_VERDICT_UNKNOWN},
    {"greylisted", 31, RB_VERDICT_UNKNOWN},
    {"tempfail", 32, RB_VERDICT_UNKNOWN},
    {"blocked", 33, RB_VERDICT_UNKNOWN},
    {"null_sender_refused", 34, RB_VERDICT_UNKNOWN},
    {"rejected", 35, RB_VERDICT_UNKNOWN},
    {"tls_required", 36, RB_VERDICT_UNKNOWN},
    {"unreachable", 37, RB_VERDICT_UNKNOWN},
    {"dns_failure", 38, RB_VERDICT_UNKNOWN},
    {"protocol_error", 39, RB_VERDICT_UNKNOWN},
    {"timeout", 40, RB_VERDICT_UNKNOWN},
    {"limited", 41, RB_VERDICT_UNKNOWN},
    {"busy", 42, RB_VERDICT_UNKNOWN},
    {"spf_fail", 43, RB_VERDICT_UNKNOWN},
    {"exempt", 44, RB_VERDICT_UNKNOWN},
    {"internal_error", 45, RB_VERDICT_UNKNOWN},
    {"spf_softfail", 46, RB_VERDICT_UNKNOWN},
    {"not_vouched", 47, RB_VERDICT_UNKNOWN},
    {"too_large", 48, RB_VERDICT_UNKNOWN},
};

static bool is_documented(int number)
{
    for (size_t i = 0; i < COUNT(documented); i++) {
        if (documented[i].number == number)
            return true;
    }
    return false;
}

static void reasons_have_the_documented_names_and_verdicts(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(documented); i++) {
        const enum rb_reason reason = (enum rb_reason)documented[i].number;
        assert_string_equal(rb_reason_name(reason), documented[i].name);
        assert_int_equal(rb_reason_verdict(reason), documented[i].verdict);
        assert_int_equal(rb_reason_from_name(documented[i].name), reason);
    }
}

static void reason_numbers_that_are_not_given_out_have_no_name(void **state)
{
    (void)state;
    for (int i = -3; i < RB_REASON_MAX + 300; i++) {
        if (is_documented(i) || i == RB_REASON_NONE)
            continue;
        assert_string_equal(rb_reason_name((enum rb_reason)i), "?");
        assert_int_equal(rb_reason_verdict((enum rb_reason)i), RB_VERDICT_UNKNOWN);
    }
}

static void no_reason_has_an_empty_name_and_says_nothing(void **state)
{
    (void)state;
    assert_string_equal(rb_reason_name(RB_REASON_NONE), "");
    assert_int_equal(rb_reason_verdict(RB_REASON_NONE), RB_VERDICT_UNKNOWN);
}

static void names_of_no_reason_are_not_found(void **state)
{
    static const char *const rows[] = {"", "?", "Accepted", "accepted ", "accept", "valid", "none"};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(rb_reason_from_name(rows[i]), RB_REASON_NONE);
}

static void verdict_names_go_both_ways(void **state)
{
    static const struct {
        const char *name;
        enum rb_verdict verdict;
    } rows[] = {
        {"unknown", RB_VERDICT_UNKNOWN},
        {"valid", RB_VERDICT_VALID},
        {"invalid", RB_VERDICT_INVALID},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        enum rb_verdict verdict = (enum rb_verdict)9;
        assert_string_equal(rb_verdict_name(rows[i].verdict), rows[i].name);
        assert_int_equal(rb_verdict_from_name(rows[i].name, &verdict), RB_OK);
        assert_int_equal(verdict, rows[i].verdict);
    }
}

static void unknown_verdict_name_leaves_the_verdict_alone(void **state)
{
    static const char *const rows[] = {"", "?", "VALID", "valid ", "val", "accepted"};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        enum rb_verdict verdict = RB_VERDICT_INVALID;
        assert_int_equal(rb_verdict_from_name(rows[i], &verdict), RB_ERR_NOT_FOUND);
        assert_int_equal(verdict, RB_VERDICT_INVALID);
    }
}

static void stages_have_the_documented_names(void **state)
{
    static const char *const names[] = {"",     "dns",  "connect", "banner", "ehlo", "starttls",
                                        "mail", "rcpt", "data",    "rset",   "quit", "verb"};
    (void)state;
    assert_int_equal(COUNT(names), RB_STAGE_MAX);
    for (size_t i = 0; i < COUNT(names); i++)
        assert_string_equal(rb_stage_name((enum rb_stage)i), names[i]);
}

/* An answer's rule: scripts depend on it. */
static void limits_have_the_documented_names(void **state)
{
    static const char *const names[] = {"",
                                        "hosts_held_back",
                                        "shield",
                                        "per_domain_rate",
                                        "per_client_rate",
                                        "global_rate",
                                        "per_host_sessions",
                                        "host_paused",
                                        "gave_way",
                                        "queue_full"};
    (void)state;
    assert_int_equal(COUNT(names), RB_LIMIT_MAX);
    for (size_t i = 0; i < COUNT(names); i++) {
        assert_string_equal(rb_limit_name((enum rb_limit)i), names[i]);
        assert_true(strlen(names[i]) <= RB_RULE_MAX);
    }
}

/* The log line's "vouched": scripts depend on it. */
static void vouchers_have_the_documented_names(void **state)
{
    static const char *const names[] = {"nobody", "spf", "mx", "ptr", "dkim", "policy"};
    (void)state;
    assert_int_equal(COUNT(names), RB_VOUCHER_MAX);
    for (size_t i = 0; i < COUNT(names); i++)
        assert_string_equal(rb_voucher_name((enum rb_voucher)i), names[i]);
}

/* The log line's "verdict" of a client. */
static void results_of_clients_have_the_documented_names(void **state)
{
    static const char *const names[] = {"unknown", "unreachable", "unsupported", "reachable",
                                        "maybe",   "denied",      "confirmed"};
    (void)state;
    assert_int_equal(COUNT(names), RB_CLIENT_MAX);
    for (size_t i = 0; i < COUNT(names); i++)
        assert_string_equal(rb_client_result_name((enum rb_client_result)i), names[i]);
}

static void numbers_out_of_range_are_a_question_mark(void **state)
{
    (void)state;
    assert_string_equal(rb_verdict_name((enum rb_verdict)3), "?");
    assert_string_equal(rb_verdict_name((enum rb_verdict) - 1), "?");
    assert_string_equal(rb_stage_name(RB_STAGE_MAX), "?");
    assert_string_equal(rb_stage_name((enum rb_stage) - 1), "?");
    assert_string_equal(rb_limit_name(RB_LIMIT_MAX), "?");
    assert_string_equal(rb_limit_name((enum rb_limit) - 1), "?");
    assert_string_equal(rb_voucher_name(RB_VOUCHER_MAX), "?");
    assert_string_equal(rb_voucher_name((enum rb_voucher) - 1), "?");
    assert_string_equal(rb_client_result_name(RB_CLIENT_MAX), "?");
    assert_string_equal(rb_client_result_name((enum rb_client_result) - 1), "?");
    assert_string_equal(rb_error_text((enum rb_error)(RB_ERR_BUSY + 1)), "?");
    assert_string_equal(rb_error_text((enum rb_error) - 1), "?");
}

static void every_error_has_words_of_its_own(void **state)
{
    (void)state;
    for (int a = RB_OK; a <= RB_ERR_BUSY; a++) {
        const char *text = rb_error_text((enum rb_error)a);
        assert_true(strlen(text) > 1);
        for (int b = RB_OK; b < a; b++)
            assert_string_not_equal(text, rb_error_text((enum rb_error)b));
    }
}

static void version_is_that_of_the_package(void **state)
{
    char text[32];

    (void)state;
    assert_string_equal(rb_version(), PACKAGE_VERSION);
    assert_in_range(rb_version()[0], '0', '9');
    assert_int_equal(rb_version_number(), RB_VERSION_NUMBER);
    (void)snprintf(text, sizeof text, "%d.%d.%d", RB_VERSION_MAJOR, RB_VERSION_MINOR,
                   RB_VERSION_PATCH);
    assert_string_equal(text, PACKAGE_VERSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reasons_have_the_documented_names_and_verdicts),
        cmocka_unit_test(reason_numbers_that_are_not_given_out_have_no_name),
        cmocka_unit_test(no_reason_has_an_empty_name_and_says_nothing),
        cmocka_unit_test(names_of_no_reason_are_not_found),
        cmocka_unit_test(verdict_names_go_both_ways),
        cmocka_unit_test(unknown_verdict_name_leaves_the_verdict_alone),
        cmocka_unit_test(stages_have_the_documented_names),
        cmocka_unit_test(limits_have_the_documented_names),
        cmocka_unit_test(vouchers_have_the_documented_names),
        cmocka_unit_test(results_of_clients_have_the_documented_names),
        cmocka_unit_test(numbers_out_of_range_are_a_question_mark),
        cmocka_unit_test(every_error_has_words_of_its_own),
        cmocka_unit_test(version_is_that_of_the_package),
    };

    return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
