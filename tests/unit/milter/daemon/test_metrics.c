/* SPDX-License-Identifier: BSD-2-Clause */
/* test_metrics: what is counted comes to its own counter, and what does not exist to none. */
#include "config.h"

#include "daemon/metrics.h"

#include "check.h"

static void waits_are_counted_in_rising_buckets(void **state)
{
    struct histogram_view before, after;

    (void)state;
    metrics_waits(&before);
    for (unsigned i = 1; i < before.buckets - 1; i++)
        assert_true(before.bounds[i] > before.bounds[i - 1]);
    assert_int_equal(before.bounds[before.buckets - 1], -1);
    for (unsigned i = 0; i < before.buckets - 1; i++)
        metrics_waited(before.bounds[i]);
    metrics_waited(before.bounds[before.buckets - 2] + 1);
    metrics_waits(&after);
    for (unsigned i = 0; i < before.buckets; i++)
        assert_int_equal(after.counts[i], before.counts[i] + 1);
}

static void sessions_are_counted(void **state)
{
    uint64_t open = metrics_sessions_open(), total = metrics_sessions_total();

    (void)state;
    metrics_session_began();
    metrics_session_began();
    metrics_session_ended();
    assert_int_equal(metrics_sessions_open(), open + 1);
    assert_int_equal(metrics_sessions_total(), total + 2);
    assert_true(metrics_session_last_s() > 0);
    metrics_session_ended();
    assert_int_equal(metrics_sessions_open(), open);
}

static void vouchers_are_counted_each(void **state)
{
    uint64_t before[RB_VOUCHER_MAX];

    (void)state;
    for (int i = RB_VOUCHER_NOBODY; i < RB_VOUCHER_MAX; i++)
        before[i] = metrics_vouchers((enum rb_voucher)i);
    metrics_vouched(RB_VOUCHER_PTR);
    metrics_vouched(RB_VOUCHER_MAX);
    metrics_vouched((enum rb_voucher) - 1);
    for (int i = RB_VOUCHER_NOBODY; i < RB_VOUCHER_MAX; i++)
        assert_int_equal(metrics_vouchers((enum rb_voucher)i), before[i] + (i == RB_VOUCHER_PTR));
}

static void what_does_not_exist_is_not_counted(void **state)
{
    (void)state;
    metrics_decided(RB_REASON_MAX, ACTION_ACCEPT);
    metrics_decided(RB_REASON_ACCEPTED, ACTION_REJECT + 1);
    metrics_decided((enum rb_reason) - 1, ACTION_ACCEPT);
    metrics_skipped(EXEMPT_MAX);
    metrics_skipped((enum exemption) - 1);
    assert_int_equal(metrics_decisions(RB_REASON_CORRESPONDENT, ACTION_REJECT), 0);
    assert_int_equal(metrics_skips(EXEMPT_NOT), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_are_counted_in_rising_buckets),
        cmocka_unit_test(sessions_are_counted),
        cmocka_unit_test(vouchers_are_counted_each),
        cmocka_unit_test(what_does_not_exist_is_not_counted),
    };

    return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
