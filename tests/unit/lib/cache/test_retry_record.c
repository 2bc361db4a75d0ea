/* SPDX-License-Identifier: BSD-2-Clause */
/* test_retry_record: when a deferred address is asked about again, by whom, and when no more. */
#include "config.h"

#include "cache/retry_record.h"

#include "check.h"
#include "cache/codec.h"

enum { NOW = 2000000000, MINUTE = 60, HOUR = 3600, DAY = 86400, ME = 7, OTHER = 8 };

static const struct rb_greylist rules = {
    .retry = true, .first_s = 6 * MINUTE, .max_s = 6 * HOUR, .give_up_s = DAY};

static struct address_record later(int64_t stamp_s, int wait_s)
{
    return (struct address_record){
        .reason = RB_REASON_GREYLISTED, .stamp_s = stamp_s, .wait_s = wait_s, .ip = "192.0.2.25"};
}

static bool defer(struct retry_record *record, int64_t stamp_s, int wait_s)
{
    const struct address_record said = later(stamp_s, wait_s);

    return retry_record_defer(record, &said, &rules);
}

/* --- The schedule ---------------------------------------------------------- */

static void only_deferrals_are_asked_again(void **state)
{
    (void)state;
    for (int reason = RB_REASON_NONE; reason < RB_REASON_MAX; reason++)
        assert_int_equal(retry_applies(reason),
                         reason == RB_REASON_GREYLISTED || reason == RB_REASON_TEMPFAIL);
}

static void the_first_try_comes_after_the_configured_time(void **state)
{
    struct retry_record record = {0};

    (void)state;
    assert_true(defer(&record, NOW, 0));
    assert_int_equal(record.first_s, NOW);
    assert_int_equal(record.tries, 0);
    assert_int_equal(record.reason, RB_REASON_GREYLISTED);
    assert_string_equal(record.host, "192.0.2.25");
    assert_int_equal(record.due_s, NOW + 6 * MINUTE + RETRY_GRACE_S);
}

static void a_hint_of_the_host_comes_before_the_configuration(void **state)
{
    struct retry_record record = {0};

    (void)state;
    assert_true(defer(&record, NOW, 300));
    assert_int_equal(record.due_s, NOW + 300 + RETRY_GRACE_S);
}

static void a_hint_beyond_the_maximum_is_still_honoured(void **state)
{
    struct retry_record record = {0};

    (void)state;
    assert_true(defer(&record, NOW, 8 * HOUR));
    assert_int_equal(record.due_s, NOW + 8 * HOUR + RETRY_GRACE_S);
    assert_true(defer(&record, record.due_s, 8 * HOUR)); /* and not doubled */
    assert_int_equal(record.due_s, NOW + 16 * HOUR + 2 * RETRY_GRACE_S);
}

static void a_hint_that_is_none_does_not_count(void **state)
{
    struct retry_record record = {0};

    (void)state;
    assert_true(defer(&record, NOW, -5));
    assert_int_equal(record.wait_s, 0);
    assert_int_equal(record.due_s, NOW + 6 * MINUTE + RETRY_GRACE_S);
}

static void intervals_grow_up_to_the_maximum_and_end_a_day_after_the_first(void **state)
{
    static const int64_t intervals_s[] = {6 * MINUTE,  12 * MINUTE,  24 * MINUTE, 48 * MINUTE,
                                          96 * MINUTE, 192 * MINUTE, 6 * HOUR,    6 * HOUR};
    struct retry_record record = {0};
    int64_t at_s = NOW;
    unsigned in_six_hours = 0;

    (void)state;
    for (size_t i = 0; i < COUNT(intervals_s); i++) {
        in_six_hours += at_s <= NOW + 6 * HOUR;
        assert_true(defer(&record, at_s, 0));
        assert_int_equal(record.first_s, NOW);
        assert_int_equal(record.tries, i);
        assert_int_equal(record.due_s, at_s + intervals_s[i] + RETRY_GRACE_S);
        at_s = record.due_s;
    }
    assert_int_equal(in_six_hours, 6); /* times that the host was asked, the first one included */
    assert_false(defer(&record, at_s, 0)); /* six hours more would end beyond a day */
}

static void a_try_that_is_put_off_is_not_counted_and_ends_as_well(void **state)
{
    struct retry_record record = {0};

    (void)state;
    assert_true(defer(&record, NOW, 0));
    assert_true(retry_record_postpone(&record, NOW + DAY, &rules));
    assert_int_equal(record.due_s, NOW + DAY);
    assert_int_equal(record.tries, 0);
    assert_false(retry_record_postpone(&record, NOW + DAY + 1, &rules));
}

static void the_count_of_tries_has_a_ceiling(void **state)
{
    struct retry_record record = {.first_s = NOW, .tries = RETRY_TRIES_MAX};

    (void)state;
    (void)defer(&record, NOW, 0);
    assert_int_equal(record.tries, RETRY_TRIES_MAX);
}

static void the_latest_words_of_the_host_count(void **state)
{
    const struct address_record said = {
        .reason = RB_REASON_TEMPFAIL, .stamp_s = NOW + HOUR, .ip = "2001:db8::25"};
    struct retry_record record = {0};

    (void)state;
    assert_true(defer(&record, NOW, 300));
    assert_true(retry_record_defer(&record, &said, &rules));
    assert_int_equal(record.reason, RB_REASON_TEMPFAIL);
    assert_int_equal(record.wait_s, 0);
    assert_string_equal(record.host, "2001:db8::25");
    assert_int_equal(record.due_s, NOW + HOUR + 12 * MINUTE + RETRY_GRACE_S);
}

/* --- Who asks -------------------------------------------------------------- */

static void its_owner_asks_when_it_is_due_another_when_the_owner_is_gone(void **state)
{
    static const struct {
        uint64_t owner;
        int64_t late_s; /* since it was due */
        bool due;
    } table[] = {
        {ME, -1, false},
        {ME, 0, true},
        {0, -1, false},
        {0, 0, true},
        {OTHER, 0, false},
        {OTHER, RETRY_TAKEOVER_S - 1, false},
        {OTHER, RETRY_TAKEOVER_S, true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        const struct retry_record record = {.owner = table[i].owner, .due_s = NOW};

        assert_int_equal(retry_record_is_due(&record, ME, NOW + table[i].late_s), table[i].due);
    }
}

/* --- The codec ------------------------------------------------------------- */

static void assert_same(const struct retry_record *one, const struct retry_record *other)
{
    assert_int_equal(one->reason, other->reason);
    assert_int_equal(one->tries, other->tries);
    assert_int_equal(one->first_s, other->first_s);
    assert_int_equal(one->due_s, other->due_s);
    assert_int_equal(one->wait_s, other->wait_s);
    assert_true(one->owner == other->owner);
    assert_string_equal(one->host, other->host);
}

static const struct retry_record samples[] = {
    {.reason = RB_REASON_GREYLISTED, .first_s = 1, .due_s = 1},
    {.reason = RB_REASON_TEMPFAIL,
     .tries = 3,
     .first_s = NOW,
     .due_s = NOW + HOUR,
     .wait_s = 300,
     .owner = UINT64_C(0x9e3779b97f4a7c15),
     .host = "192.0.2.25"},
    {.reason = RB_REASON_GREYLISTED,
     .tries = RETRY_TRIES_MAX,
     .first_s = CODEC_STAMP_MAX,
     .due_s = CODEC_STAMP_MAX,
     .wait_s = CODEC_STAMP_MAX,
     .owner = UINT64_MAX,
     .host = "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255"},
};

static void what_is_written_is_read_again(void **state)
{
    uint8_t octets[RETRY_RECORD_SIZE_MAX];
    struct retry_record back;

    (void)state;
    for (size_t i = 0; i < COUNT(samples); i++) {
        size_t len = retry_record_encode(&samples[i], octets, sizeof octets);

        assert_in_range(len, 1, sizeof octets);
        assert_true(retry_record_decode(octets, len, &back));
        assert_same(&back, &samples[i]);
        assert_int_equal(retry_record_encode(&samples[i], octets, len - 1), 0);
    }
}

static void what_is_damaged_is_no_record(void **state)
{
    static const struct retry_record nothing;
    uint8_t octets[RETRY_RECORD_SIZE_MAX];
    struct retry_record back = samples[1];
    size_t len = retry_record_encode(&samples[1], octets, sizeof octets);

    (void)state;
    for (size_t i = 0; i < len * 8; i++) {
        octets[i / 8] ^= (uint8_t)(1U << (i % 8));
        assert_false(retry_record_decode(octets, len, &back));
        assert_same(&back, &nothing);
        octets[i / 8] ^= (uint8_t)(1U << (i % 8));
    }
    for (size_t i = 0; i < len; i++)
        assert_false(retry_record_decode(octets, i, &back));
    assert_false(retry_record_decode(NULL, 0, &back));
}

static void what_is_out_of_range_is_not_written(void **state)
{
    uint8_t octets[RETRY_RECORD_SIZE_MAX];
    struct retry_record bad[6];

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++)
        bad[i] = samples[1];
    bad[0].reason = RB_REASON_ACCEPTED;
    bad[1].tries = RETRY_TRIES_MAX + 1;
    bad[2].first_s = 0;
    bad[3].due_s = CODEC_STAMP_MAX + 1;
    bad[4].wait_s = -1;
    bad[5].host[3] = '\n';
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_int_equal(retry_record_encode(&bad[i], octets, sizeof octets), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_deferrals_are_asked_again),
        cmocka_unit_test(the_first_try_comes_after_the_configured_time),
        cmocka_unit_test(a_hint_of_the_host_comes_before_the_configuration),
        cmocka_unit_test(a_hint_beyond_the_maximum_is_still_honoured),
        cmocka_unit_test(a_hint_that_is_none_does_not_count),
        cmocka_unit_test(intervals_grow_up_to_the_maximum_and_end_a_day_after_the_first),
        cmocka_unit_test(a_try_that_is_put_off_is_not_counted_and_ends_as_well),
        cmocka_unit_test(the_count_of_tries_has_a_ceiling),
        cmocka_unit_test(the_latest_words_of_the_host_count),
        cmocka_unit_test(its_owner_asks_when_it_is_due_another_when_the_owner_is_gone),
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(what_is_damaged_is_no_record),
        cmocka_unit_test(what_is_out_of_range_is_not_written),
    };

    return cmocka_run_group_tests_name("retry_record", tests, NULL, NULL);
}
