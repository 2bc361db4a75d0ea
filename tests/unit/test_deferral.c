/* SPDX-License-Identifier: BSD-2-Clause */
/* test_deferral: when a deferred address is asked about again, and when no more. */
#include "config.h"

#include "deferral.h"

#include "check.h"

enum { NOW = 2000000000, MINUTE = 60, HOUR = 3600, DAY = 86400 };

static const struct rb_greylist rules = {
    .retry = true, .first_s = 6 * MINUTE, .max_s = 6 * HOUR, .give_up_s = DAY};

static struct address_record deferral(int64_t stamp_s, int wait_s)
{
    return (struct address_record){
        .reason = RB_REASON_GREYLISTED, .stamp_s = stamp_s, .wait_s = wait_s};
}

static void only_deferrals_are_asked_again(void **state)
{
    (void)state;
    for (int reason = RB_REASON_NONE; reason < RB_REASON_MAX; reason++) {
        struct address_record record = {.reason = reason, .stamp_s = NOW};
        bool again = reason == RB_REASON_GREYLISTED || reason == RB_REASON_TEMPFAIL;

        deferral_note(&record, NULL);
        assert_int_equal(deferral_applies(reason), again);
        assert_int_equal(deferral_due_s(&record, &rules) >= 0, again);
    }
}

static void the_first_try_comes_after_the_configured_time(void **state)
{
    struct address_record record = deferral(NOW, 0);

    (void)state;
    deferral_note(&record, NULL);
    assert_int_equal(deferral_due_s(&record, &rules), NOW + 6 * MINUTE + DEFERRAL_GRACE_S);
}

static void a_hint_of_the_host_comes_before_the_configuration(void **state)
{
    struct address_record record = deferral(NOW, 300);

    (void)state;
    deferral_note(&record, NULL);
    assert_int_equal(deferral_due_s(&record, &rules), NOW + 300 + DEFERRAL_GRACE_S);
}

static void a_hint_beyond_the_maximum_is_still_honoured(void **state)
{
    struct address_record record = deferral(NOW, 8 * HOUR);

    (void)state;
    deferral_note(&record, NULL);
    assert_int_equal(deferral_due_s(&record, &rules), NOW + 8 * HOUR + DEFERRAL_GRACE_S);
}

static void intervals_grow_up_to_the_maximum_and_end(void **state)
{
    static const int64_t intervals_s[] = {6 * MINUTE,  12 * MINUTE,  24 * MINUTE, 48 * MINUTE,
                                          96 * MINUTE, 192 * MINUTE, 6 * HOUR,    6 * HOUR};
    struct address_record record = deferral(NOW, 0), next;
    int64_t due_s;

    (void)state;
    deferral_note(&record, NULL);
    for (size_t i = 0; i < COUNT(intervals_s); i++) {
        due_s = deferral_due_s(&record, &rules);
        assert_int_equal(due_s, record.stamp_s + intervals_s[i] + DEFERRAL_GRACE_S);
        next = deferral(due_s, 0);
        deferral_note(&next, &record);
        assert_int_equal(next.deferred_s, NOW);
        assert_int_equal(next.retries, i + 1);
        record = next;
    }
    /* a third pause of six hours would end beyond a day */
    assert_int_equal(deferral_due_s(&record, &rules), -1);
}

static void an_answer_in_between_begins_a_new_count(void **state)
{
    const struct address_record before = {.reason = RB_REASON_UNREACHABLE, .stamp_s = NOW};
    struct address_record record = deferral(NOW + DAY, 0);

    (void)state;
    deferral_note(&record, &before);
    assert_int_equal(record.deferred_s, NOW + DAY);
    assert_int_equal(record.retries, 0);
}

static void a_record_that_was_not_noted_is_not_asked_again(void **state)
{
    const struct address_record record = deferral(NOW, 300);

    (void)state;
    assert_int_equal(deferral_due_s(&record, &rules), -1);
}

static void nothing_is_asked_again_where_retries_are_off(void **state)
{
    const struct rb_greylist off = {.first_s = 1, .max_s = 1, .give_up_s = DAY};
    struct address_record record = deferral(NOW, 0);

    (void)state;
    deferral_note(&record, NULL);
    assert_int_equal(deferral_due_s(&record, &off), -1);
}

static void the_count_of_tries_has_a_ceiling(void **state)
{
    struct address_record before = deferral(NOW, 0), record = deferral(NOW + 1, 0);

    (void)state;
    before.deferred_s = NOW;
    before.retries = RECORD_RETRIES_MAX;
    deferral_note(&record, &before);
    assert_int_equal(record.retries, RECORD_RETRIES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_deferrals_are_asked_again),
        cmocka_unit_test(the_first_try_comes_after_the_configured_time),
        cmocka_unit_test(a_hint_of_the_host_comes_before_the_configuration),
        cmocka_unit_test(a_hint_beyond_the_maximum_is_still_honoured),
        cmocka_unit_test(intervals_grow_up_to_the_maximum_and_end),
        cmocka_unit_test(an_answer_in_between_begins_a_new_count),
        cmocka_unit_test(a_record_that_was_not_noted_is_not_asked_again),
        cmocka_unit_test(nothing_is_asked_again_where_retries_are_off),
        cmocka_unit_test(the_count_of_tries_has_a_ceiling),
    };

    return cmocka_run_group_tests_name("deferral", tests, NULL, NULL);
}
