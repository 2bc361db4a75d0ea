/* SPDX-License-Identifier: BSD-2-Clause */
/* test_random: no number twice, and none beyond the ceiling. */
#include "config.h"

#include "check.h"
#include "base/random.h"

#include <stdint.h>
#include <string.h>

static void octets_are_others_each_time(void **state)
{
    uint8_t octets[2][RANDOM_OCTETS_MAX] = {{0}};

    (void)state;
    for (size_t size = 16; size <= RANDOM_OCTETS_MAX; size *= 2) {
        assert_true(random_octets(octets[0], size));
        assert_true(random_octets(octets[1], size));
        assert_memory_not_equal(octets[0], octets[1], size);
    }
}

static void no_octet_behind_the_last_one_is_written(void **state)
{
    uint8_t octets[8] = {0};

    (void)state;
    for (int i = 0; i < 100; i++) {
        assert_true(random_octets(octets, 4));
        assert_int_equal(octets[4] | octets[5] | octets[6] | octets[7], 0);
    }
}

static void all_numbers_below_a_ceiling_come(void **state)
{
    enum { CEILING = 7 };
    unsigned count[CEILING] = {0};

    (void)state;
    for (int i = 0; i < 1000 * CEILING; i++) {
        const size_t number = random_below(CEILING);
        assert_true(number < CEILING);
        count[number]++;
    }
    for (size_t i = 0; i < CEILING; i++)
        assert_in_range(count[i], 700, 1300); /* ten times the deviation that is to be expected */
    assert_int_equal(random_below(1), 0);
}

/* Of three items all six orders come, and no item is lost. */
static void every_order_comes(void **state)
{
    unsigned count[256] = {0}, orders = 0;

    (void)state;
    for (int i = 0; i < 600; i++) {
        uint16_t items[] = {1, 2, 3};
        random_shuffle(items, 3, sizeof items[0]);
        assert_int_equal(items[0] + items[1] + items[2], 6);
        assert_int_equal(items[0] * items[1] * items[2], 6);
        orders += count[items[0] * 16 + items[1]]++ == 0;
    }
    assert_int_equal(orders, 6);
    random_shuffle(NULL, 0, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(octets_are_others_each_time),
        cmocka_unit_test(no_octet_behind_the_last_one_is_written),
        cmocka_unit_test(every_order_comes),
        cmocka_unit_test(all_numbers_below_a_ceiling_come),
    };

    return cmocka_run_group_tests_name("random", tests, NULL, NULL);
}
