/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_clock: what is left of a limit, at its edges and at those of the types.
 */
#include "config.h"

#include "check.h"
#include "base/clock.h"
#include "fake_clock.h"

#include <errno.h>
#include <limits.h>

static void clock_is_asked_through_its_hook(void **state)
{
    struct fake_clock fake;
    (void)state;
    fake_clock_init(&fake);
    assert_int_equal(clock_monotonic_ms(&fake.clock), 1000000);
    assert_int_equal(clock_wall_s(&fake.clock), 2000000000);
    fake_clock_advance_s(&fake, 3);
    assert_int_equal(clock_monotonic_ms(&fake.clock), 1003000);
    assert_int_equal(clock_wall_s(&fake.clock), 2000000003);
}

static void deadline_does_not_move_while_time_passes(void **state)
{
    struct fake_clock fake;
    (void)state;
    fake_clock_init(&fake);
    const deadline when = deadline_in(&fake.clock, 5000);
    assert_int_equal(deadline_left_ms(&fake.clock, when), 5000);
    fake_clock_advance_s(&fake, 4);
    assert_int_equal(deadline_left_ms(&fake.clock, when), 1000);
    assert_false(deadline_is_over(&fake.clock, when));
    fake_clock_advance_s(&fake, 1);
    assert_int_equal(deadline_left_ms(&fake.clock, when), 0);
    assert_true(deadline_is_over(&fake.clock, when));
}

static void nothing_is_left_of_what_has_passed(void **state)
{
    struct fake_clock fake;
    (void)state;
    fake_clock_init(&fake);
    const deadline when = deadline_in(&fake.clock, 1000);
    fake_clock_advance_s(&fake, 3600);
    assert_int_equal(deadline_left_ms(&fake.clock, when), 0);
    assert_int_equal(deadline_left_ms(&fake.clock, deadline_in(&fake.clock, 0)), 0);
    assert_int_equal(deadline_left_ms(&fake.clock, deadline_in(&fake.clock, -5)), 0);
    assert_int_equal(deadline_left_ms(&fake.clock, INT64_MIN), 0);
}

static void what_is_left_always_fits_poll(void **state)
{
    struct fake_clock fake;
    (void)state;
    fake_clock_init(&fake);
    assert_int_equal(deadline_left_ms(&fake.clock, deadline_in(&fake.clock, INT_MAX)), INT_MAX);
    assert_int_equal(deadline_left_ms(&fake.clock, deadline_in(&fake.clock, INT_MAX - 1)),
                     INT_MAX - 1);
    assert_int_equal(deadline_left_ms(&fake.clock, deadline_in(&fake.clock, INT64_C(1) << 31)),
                     INT_MAX);
    assert_int_equal(deadline_left_ms(&fake.clock, INT64_MAX), INT_MAX);
}

static void far_deadlines_saturate(void **state)
{
    struct fake_clock fake;
    (void)state;
    fake_clock_init(&fake);
    assert_true(deadline_in(&fake.clock, INT64_MAX) == INT64_MAX);
    assert_true(deadline_in(&fake.clock, INT64_MIN) == INT64_MIN + 1000000);
    atomic_store(&fake.monotonic_ms, -1000);
    assert_true(deadline_in(&fake.clock, INT64_MIN) == INT64_MIN);
    assert_true(deadline_in(&fake.clock, INT64_MAX) == INT64_MAX - 1000);
    assert_int_equal(deadline_left_ms(&fake.clock, INT64_MAX), INT_MAX);
}

static void earlier_deadline_wins(void **state)
{
    (void)state;
    assert_true(deadline_min(1, 2) == 1);
    assert_true(deadline_min(2, 1) == 1);
    assert_true(deadline_min(3, 3) == 3);
    assert_true(deadline_min(-1, INT64_MAX) == -1);
}

static void system_clock_never_goes_back(void **state)
{
    const struct rb_clock *clock = clock_system();
    (void)state;
    int64_t before = clock_monotonic_ms(clock);
    for (int i = 0; i < 1000; i++) {
        const int64_t now = clock_monotonic_ms(clock);
        assert_true(now >= before);
        before = now;
    }
}

static void system_wall_clock_is_in_seconds_since_1970(void **state)
{
    (void)state;
    assert_true(clock_wall_s(clock_system()) > INT64_C(1700000000));   /* after 2023 */
    assert_true(clock_wall_s(clock_system()) < INT64_C(100000000000)); /* not milliseconds */
}

static void system_clock_is_one_for_all(void **state)
{
    (void)state;
    assert_ptr_equal(clock_system(), clock_system());
}

/* A condition that is waited for until then has been waited for at least that long. */
static void a_time_to_wait_until_lies_that_far_ahead(void **state)
{
    static const int64_t ms[] = {0, 1, 999, 1000, 1001, 59999, INT64_C(86400000)};
    (void)state;
    for (size_t i = 0; i < sizeof ms / sizeof ms[0]; i++) {
        const int64_t before_ms = clock_monotonic_ms(clock_system());
        const struct timespec when = clock_timespec_in_ms(ms[i]);
        const int64_t after_ms = clock_monotonic_ms(clock_system());
        const int64_t when_ms = (int64_t)when.tv_sec * 1000 + when.tv_nsec / 1000000;
        assert_in_range(when.tv_nsec, 0, 999999999);
        assert_true(when_ms >= before_ms + ms[i] && when_ms <= after_ms + ms[i]);
    }
}

static void a_condition_goes_by_the_clock_of_its_waits(void **state)
{
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t cond;
    const struct timespec past = {.tv_sec = 0}, soon = clock_timespec_in_ms(1);
    (void)state;
    clock_init_cond(&cond);
    pthread_mutex_lock(&lock);
    assert_int_equal(pthread_cond_timedwait(&cond, &lock, &past), ETIMEDOUT);
    while (pthread_cond_timedwait(&cond, &lock, &soon) == 0)
        continue;
    pthread_mutex_unlock(&lock);
    assert_true(clock_timespec_in_ms(0).tv_sec >= soon.tv_sec);
    pthread_cond_destroy(&cond);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clock_is_asked_through_its_hook),
        cmocka_unit_test(deadline_does_not_move_while_time_passes),
        cmocka_unit_test(nothing_is_left_of_what_has_passed),
        cmocka_unit_test(what_is_left_always_fits_poll),
        cmocka_unit_test(far_deadlines_saturate),
        cmocka_unit_test(earlier_deadline_wins),
        cmocka_unit_test(system_clock_never_goes_back),
        cmocka_unit_test(system_wall_clock_is_in_seconds_since_1970),
        cmocka_unit_test(system_clock_is_one_for_all),
        cmocka_unit_test(a_time_to_wait_until_lies_that_far_ahead),
        cmocka_unit_test(a_condition_goes_by_the_clock_of_its_waits),
    };

    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
