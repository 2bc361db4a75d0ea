/* SPDX-License-Identifier: BSD-2-Clause */
/* test_memo: what is kept, for how long, and what goes where there is too much. */
#include "config.h"

#include "check.h"
#include "base/memo.h"
#include "fake_clock.h"

#include <pthread.h>
#include <string.h>

enum { ENTRIES = 16, OCTETS = 1000, LIFE_S = 10, THREADS = 4, TURNS = 2000 };

struct world {
    struct fake_clock clock;
    struct memo *memo;
};

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    fake_clock_init(&world->clock);
    world->memo = memo_new(&world->clock.clock, ENTRIES, OCTETS);
    assert_non_null(world->memo);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    memo_free(world->memo);
    memo_free(NULL);
    free(world);
    return 0;
}

static void keep(struct memo *memo, const char *key, const char *value)
{
    memo_keep(memo, key, strlen(key), value, strlen(value), LIFE_S * 1000);
}

static void expect(struct memo *memo, const char *key, const char *value)
{
    char found[OCTETS + 1] = "";
    const size_t len = memo_find(memo, key, strlen(key), found, OCTETS);
    assert_int_equal(len, strlen(value));
    assert_string_equal(found, value);
}

static void what_is_kept_is_found_under_its_key_alone(void **state)
{
    const struct world *world = *state;
    expect(world->memo, "a", "");
    keep(world->memo, "a", "one");
    keep(world->memo, "ab", "two");
    expect(world->memo, "a", "one");
    expect(world->memo, "ab", "two");
    expect(world->memo, "abc", "");
    expect(world->memo, "", "");
}

static void looking_does_not_lengthen_a_life(void **state)
{
    struct world *world = *state;
    keep(world->memo, "a", "one");
    fake_clock_advance_s(&world->clock, LIFE_S - 1);
    expect(world->memo, "a", "one");
    fake_clock_advance_s(&world->clock, 1);
    expect(world->memo, "a", "");
}

static void what_is_new_takes_the_place_and_begins_its_time(void **state)
{
    struct world *world = *state;
    keep(world->memo, "a", "one");
    fake_clock_advance_s(&world->clock, LIFE_S - 1);
    keep(world->memo, "a", "another");
    fake_clock_advance_s(&world->clock, LIFE_S - 1);
    expect(world->memo, "a", "another");
}

static void of_too_many_the_oldest_go_first(void **state)
{
    const struct world *world = *state;
    char key[2] = "a";
    for (; key[0] < 'a' + ENTRIES; key[0]++)
        keep(world->memo, key, key);
    keep(world->memo, "a", "again"); /* the newest now */
    keep(world->memo, "z", "one more");
    expect(world->memo, "a", "again");
    expect(world->memo, "b", "");
    expect(world->memo, "c", "c");
    expect(world->memo, "z", "one more");
}

static void values_have_a_ceiling_together(void **state)
{
    const struct world *world = *state;
    char half[OCTETS / 2 + 1];
    memset(half, 'x', OCTETS / 2);
    half[OCTETS / 2] = '\0';
    keep(world->memo, "a", half);
    keep(world->memo, "b", half);
    expect(world->memo, "a", half);
    keep(world->memo, "b", half); /* in its own place */
    expect(world->memo, "a", half);
    keep(world->memo, "c", "x");
    expect(world->memo, "a", "");
    expect(world->memo, "b", half);
    expect(world->memo, "c", "x");
}

static void what_does_not_fit_the_callers_room_is_not_found(void **state)
{
    const struct world *world = *state;
    char found[4] = "???";
    keep(world->memo, "a", "four");
    assert_int_equal(memo_find(world->memo, "a", 1, found, 3), 0);
    assert_string_equal(found, "???");
    assert_int_equal(memo_find(world->memo, "a", 1, found, 4), 4);
    assert_memory_equal(found, "four", 4);
}

/* Each puts its values in the place of what the others have put. */
static void *use_often(void *arg)
{
    struct memo *memo = arg;
    char found[8];
    for (unsigned i = 0; i < TURNS; i++) {
        const char key[] = {(char)('a' + i % (ENTRIES + 4))};
        memo_keep(memo, key, 1, "value", 5, LIFE_S * 1000);
        if (memo_find(memo, key, 1, found, sizeof found) != 0)
            assert_memory_equal(found, "value", 5);
    }
    return NULL;
}

static void many_threads_use_it_at_once(void **state)
{
    const struct world *world = *state;
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_often, world->memo), 0);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_kept_is_found_under_its_key_alone),
        TEST(looking_does_not_lengthen_a_life),
        TEST(what_is_new_takes_the_place_and_begins_its_time),
        TEST(of_too_many_the_oldest_go_first),
        TEST(values_have_a_ceiling_together),
        TEST(what_does_not_fit_the_callers_room_is_not_found),
        TEST(many_threads_use_it_at_once),
    };

    return cmocka_run_group_tests_name("memo", tests, NULL, NULL);
}
