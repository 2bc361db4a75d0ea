/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_limits: the breaker, on host records and made-up times.
 */
#include "config.h"

#include "limits/breaker.h"

#include <limits.h>

#include "check.h"

enum { FAILURES = 5, HOLD_S = 900 };

static const int64_t now_s = 2000000000;

/* Fails `times` times at one moment. */
static void fail_times(struct host_record *host, unsigned times, int64_t when_s)
{
    for (unsigned i = 0; i < times; i++)
        breaker_host_failed(host, RB_REASON_UNREACHABLE, FAILURES, HOLD_S, when_s);
}

/* A host held back `trips` times in a row, each trial having failed at once. Returns when the last
 * hold began. */
static int64_t trip(struct host_record *host, unsigned trips)
{
    int64_t when_s = now_s;
    *host = (struct host_record){0};
    fail_times(host, FAILURES, when_s);
    for (unsigned i = 1; i < trips; i++) {
        when_s = host->held_until_s;
        fail_times(host, 1, when_s);
    }
    return when_s;
}

static void an_unknown_host_is_not_held(void **state)
{
    (void)state;
    const struct host_record host = {0};
    assert_false(breaker_holds_back(&host, now_s));
    assert_false(breaker_holds_back(&host, 0));
}

static void too_few_failures_do_not_hold(void **state)
{
    (void)state;
    struct host_record host = {0};
    fail_times(&host, FAILURES - 1, now_s);
    assert_false(breaker_holds_back(&host, now_s));
    assert_int_equal(host.failures, FAILURES - 1);
    assert_int_equal(host.trips, 0);
}

static void enough_failures_hold_for_the_first_interval(void **state)
{
    (void)state;
    struct host_record host = {0};
    fail_times(&host, FAILURES, now_s);
    assert_true(breaker_holds_back(&host, now_s));
    assert_true(breaker_holds_back(&host, now_s + HOLD_S - 1));
    assert_false(breaker_holds_back(&host, now_s + HOLD_S));
    assert_int_equal(host.trips, 1);
    assert_int_equal(host.held_until_s, now_s + HOLD_S);
}

static void the_last_failure_is_noted(void **state)
{
    (void)state;
    struct host_record host = {0};
    breaker_host_failed(&host, RB_REASON_UNREACHABLE, FAILURES, HOLD_S, now_s);
    breaker_host_failed(&host, RB_REASON_BLOCKED, FAILURES, HOLD_S, now_s + 7);
    assert_int_equal(host.reason, RB_REASON_BLOCKED);
    assert_int_equal(host.stamp_s, now_s + 7);
}

static void one_failure_at_all_holds_where_one_is_enough(void **state)
{
    (void)state;
    struct host_record host = {0};
    breaker_host_failed(&host, RB_REASON_BLOCKED, 1, HOLD_S, now_s);
    assert_true(breaker_holds_back(&host, now_s));
}

static void a_failed_trial_holds_twice_as_long_at_once(void **state)
{
    (void)state;
    struct host_record host;
    int64_t length_s = HOLD_S;
    for (unsigned trips = 1; length_s < BREAKER_HOLD_MAX_S; trips++, length_s *= 2) {
        int64_t since_s = trip(&host, trips);
        assert_int_equal(host.trips, trips);
        assert_int_equal(host.held_until_s - since_s, length_s);
        assert_true(breaker_holds_back(&host, since_s + length_s - 1));
        assert_false(breaker_holds_back(&host, since_s + length_s));
    }
}

/* Of a host that was held under another configuration too, the next failure is that of a trial. */
static void a_failed_trial_holds_although_more_failures_are_allowed_now(void **state)
{
    (void)state;
    struct host_record host = {0};
    breaker_host_failed(&host, RB_REASON_BLOCKED, 1, HOLD_S, now_s);
    breaker_host_failed(&host, RB_REASON_BLOCKED, FAILURES, HOLD_S, now_s + HOLD_S);
    assert_int_equal(host.held_until_s, now_s + (int64_t)3 * HOLD_S);
}

static void no_hold_is_longer_than_a_day(void **state)
{
    (void)state;
    static const unsigned trips[] = {8, 9, 31, 32, 33, 64, 65, 200};
    for (size_t i = 0; i < COUNT(trips); i++) {
        struct host_record host;
        int64_t since_s = trip(&host, trips[i]);
        assert_int_equal(host.held_until_s - since_s, BREAKER_HOLD_MAX_S);
        assert_true(breaker_holds_back(&host, since_s));
    }
}

static void a_configured_hold_is_kept_within_bounds(void **state)
{
    (void)state;
    static const struct {
        int64_t hold_s, length_s;
    } cases[] = {{INT64_MIN, 0},
                 {-1, 0},
                 {0, 0},
                 {1, 1},
                 {BREAKER_HOLD_MAX_S, BREAKER_HOLD_MAX_S},
                 {BREAKER_HOLD_MAX_S + 1, BREAKER_HOLD_MAX_S},
                 {INT64_MAX, BREAKER_HOLD_MAX_S}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct host_record host = {0};
        breaker_host_failed(&host, RB_REASON_BLOCKED, 1, cases[i].hold_s, now_s);
        assert_int_equal(host.held_until_s - now_s, cases[i].length_s);
        assert_int_equal(breaker_holds_back(&host, now_s), cases[i].length_s > 0);
    }
}

static void failures_during_a_hold_do_not_lengthen_it(void **state)
{
    (void)state;
    struct host_record host;
    trip(&host, 1);
    fail_times(&host, 100, now_s + HOLD_S - 1);
    assert_int_equal(host.trips, 1);
    assert_int_equal(host.held_until_s, now_s + HOLD_S);
}

static void an_answer_closes_the_breaker(void **state)
{
    (void)state;
    struct host_record host;
    trip(&host, 4);
    breaker_host_answered(&host, now_s + 5);
    assert_false(breaker_holds_back(&host, now_s));
    assert_int_equal(host.failures, 0);
    assert_int_equal(host.trips, 0);
    assert_int_equal(host.held_until_s, 0);
    assert_int_equal(host.reason, RB_REASON_NONE);
    assert_int_equal(host.stamp_s, now_s + 5);
}

static void after_an_answer_failures_are_counted_anew(void **state)
{
    (void)state;
    struct host_record host;
    trip(&host, 3);
    breaker_host_answered(&host, now_s);
    fail_times(&host, FAILURES - 1, now_s);
    assert_false(breaker_holds_back(&host, now_s));
    fail_times(&host, 1, now_s);
    assert_int_equal(host.held_until_s, now_s + HOLD_S);
}

static void an_answer_between_failures_starts_the_row_again(void **state)
{
    (void)state;
    struct host_record host = {0};
    for (int i = 0; i < 10; i++) {
        fail_times(&host, FAILURES - 1, now_s);
        breaker_host_answered(&host, now_s);
    }
    assert_false(breaker_holds_back(&host, now_s));
}

static void zero_breaker_failures_never_hold(void **state)
{
    (void)state;
    struct host_record host = {0};
    for (int i = 0; i < 1000; i++)
        breaker_host_failed(&host, RB_REASON_UNREACHABLE, 0, HOLD_S, now_s);
    assert_false(breaker_holds_back(&host, now_s));
    assert_int_equal(host.failures, 1000);
    assert_int_equal(host.trips, 0);
}

static void counters_do_not_wrap(void **state)
{
    (void)state;
    struct host_record host = {.failures = UINT_MAX, .trips = UINT_MAX};
    fail_times(&host, 1, now_s);
    assert_int_equal(host.failures, UINT_MAX);
    assert_int_equal(host.trips, UINT_MAX);
    assert_int_equal(host.held_until_s, now_s + BREAKER_HOLD_MAX_S);
}

static void holds_that_end_too_far_off_do_not_count(void **state)
{
    (void)state;
    static const struct {
        int64_t until_s, now_s;
        bool is_held;
    } cases[] = {{now_s + BREAKER_HOLD_MAX_S, now_s, true},
                 {now_s + BREAKER_HOLD_MAX_S + 1, now_s, false},
                 {INT64_MAX, now_s, false},
                 {INT64_MAX, INT64_MIN, false},
                 {INT64_MIN, INT64_MAX, false},
                 {INT64_MAX, INT64_MAX - 1, true}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct host_record host = {.held_until_s = cases[i].until_s};
        assert_int_equal(breaker_holds_back(&host, cases[i].now_s), cases[i].is_held);
    }
}

static void only_failures_of_the_host_count_against_it(void **state)
{
    (void)state;
    for (int reason = -1; reason <= RB_REASON_MAX; reason++) {
        bool counts = reason == RB_REASON_BLOCKED || reason == RB_REASON_UNREACHABLE ||
                      reason == RB_REASON_PROTOCOL_ERROR;
        assert_int_equal(breaker_counts((enum rb_reason)reason), counts);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unknown_host_is_not_held),
        cmocka_unit_test(too_few_failures_do_not_hold),
        cmocka_unit_test(enough_failures_hold_for_the_first_interval),
        cmocka_unit_test(the_last_failure_is_noted),
        cmocka_unit_test(one_failure_at_all_holds_where_one_is_enough),
        cmocka_unit_test(a_failed_trial_holds_twice_as_long_at_once),
        cmocka_unit_test(a_failed_trial_holds_although_more_failures_are_allowed_now),
        cmocka_unit_test(no_hold_is_longer_than_a_day),
        cmocka_unit_test(a_configured_hold_is_kept_within_bounds),
        cmocka_unit_test(failures_during_a_hold_do_not_lengthen_it),
        cmocka_unit_test(an_answer_closes_the_breaker),
        cmocka_unit_test(after_an_answer_failures_are_counted_anew),
        cmocka_unit_test(an_answer_between_failures_starts_the_row_again),
        cmocka_unit_test(zero_breaker_failures_never_hold),
        cmocka_unit_test(counters_do_not_wrap),
        cmocka_unit_test(holds_that_end_too_far_off_do_not_count),
        cmocka_unit_test(only_failures_of_the_host_count_against_it),
    };
    return cmocka_run_group_tests_name("breaker", tests, NULL, NULL);
}
