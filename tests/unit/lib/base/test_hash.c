/* SPDX-License-Identifier: BSD-2-Clause */
/* test_hash: octets with a length, whatever they are, spread well, and the same each time. */
#include "config.h"

#include "check.h"
#include "base/hash.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void equal_octets_hash_equally_wherever_they_stand(void **state)
{
    static const char text[] = "user@example.org, and somewhat more than that";
    char moved[sizeof text + 8];

    (void)state;
    for (size_t len = 0; len < sizeof text; len++)
        for (size_t offset = 0; offset < 8; offset++) {
            memcpy(moved + offset, text, len);
            assert_int_equal(hash_octets(text, len), hash_octets(moved + offset, len));
        }
}

static void length_counts_as_well_as_octets(void **state)
{
    static const char zeros[64];

    (void)state;
    for (size_t len = 0; len < sizeof zeros; len++)
        assert_int_not_equal(hash_octets(zeros, len), hash_octets(zeros, len + 1));
}

static void every_bit_changes_about_half_of_the_result(void **state)
{
    uint8_t octets[24] = {0};
    unsigned plain = hash_octets(octets, sizeof octets), changed = 0;

    (void)state;
    for (size_t bit = 0; bit < 8 * sizeof octets; bit++) {
        octets[bit / 8] ^= (uint8_t)(1U << bit % 8);
        changed += (unsigned)__builtin_popcount(plain ^ hash_octets(octets, sizeof octets));
        octets[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    /* 192 trials of 32 bits: 3072 on average, and never as far off as this. */
    assert_in_range(changed, 2500, 3650);
}

/* Keys that Jenkins's unkeyed hash would be asked for one by one: nothing to see in ours. */
static void keys_that_differ_little_spread_over_all_buckets(void **state)
{
    enum { KEYS = 4096, BUCKETS = 256 };
    unsigned count[BUCKETS] = {0};

    (void)state;
    for (unsigned i = 0; i < KEYS; i++)
        count[hash_octets(&i, sizeof i) % BUCKETS]++;
    for (unsigned i = 0; i < BUCKETS; i++)
        assert_in_range(count[i], 1, 60); /* 16 on average */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_octets_hash_equally_wherever_they_stand),
        cmocka_unit_test(length_counts_as_well_as_octets),
        cmocka_unit_test(every_bit_changes_about_half_of_the_result),
        cmocka_unit_test(keys_that_differ_little_spread_over_all_buckets),
    };

    return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
