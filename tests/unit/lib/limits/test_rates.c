/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_rates: how often a key is allowed something, to the millisecond, and what a table that is
 * full forgets.
 */
#include "config.h"

#include "limits/rates.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/un.h>
#include <time.h>

#include "check.h"
#include "dice.h"

enum { START_MS = 1000000, MANY_KEYS = 100 * 1000, SPANS = 2000, STEPS_MAX_MS = 400 };

static const struct rb_rate one_a_second = {.count = 1, .period_s = 1};
static const struct rb_rate sixty_a_minute = {.count = 60, .period_s = 60};
static const struct rb_rate seven_a_second = {.count = 7, .period_s = 1};

static struct rates *table(size_t buckets_max)
{
    struct rates *rates = rates_new(buckets_max);

    assert_non_null(rates);
    return rates;
}

static bool ask(struct rates *rates, const char *key, const struct rb_rate *rate, int64_t now_ms)
{
    if (!rates_allow(rates, key, rate, now_ms))
        return false;
    assert_int_equal(rates_take(rates, key, rate, now_ms), RB_OK);
    return true;
}

/* How many are allowed at once; `max` when it is not fewer. */
static unsigned drain(struct rates *rates, const char *key, const struct rb_rate *rate,
                      int64_t now_ms, unsigned max)
{
    unsigned count = 0;

    while (count < max && ask(rates, key, rate, now_ms))
        count++;
    return count;
}

static const char *key_number(unsigned number)
{
    static char key[32];

    (void)snprintf(key, sizeof key, "d%u.example", number);
    return key;
}

static void a_table_of_nothing_is_none(void **state)
{
    (void)state;
    assert_null(rates_new(0));
    rates_free(NULL);
}

static void a_new_key_has_the_whole_count_and_no_more(void **state)
{
    (void)state;
    static const struct rb_rate rates_of[] = {{1, 1}, {7, 1}, {60, 60}, {2000, 60}, {3, 86400}};

    for (size_t i = 0; i < COUNT(rates_of); i++) {
        struct rates *rates = table(8);
        assert_int_equal(drain(rates, "d.example", &rates_of[i], START_MS, 5000),
                         rates_of[i].count);
        rates_free(rates);
    }
}

static void asking_changes_nothing(void **state)
{
    (void)state;
    struct rates *rates = table(8);

    for (int i = 0; i < 10; i++)
        assert_true(rates_allow(rates, "d.example", &one_a_second, START_MS));
    assert_int_equal(rates_count(rates), 0);
    assert_true(ask(rates, "d.example", &one_a_second, START_MS));
    for (int i = 0; i < 10; i++)
        assert_false(rates_allow(rates, "d.example", &one_a_second, START_MS + 999));
    assert_true(rates_allow(rates, "d.example", &one_a_second, START_MS + 1000));
    rates_free(rates);
}

static void keys_do_not_share(void **state)
{
    (void)state;
    struct rates *rates = table(8);

    assert_int_equal(drain(rates, "a.example", &sixty_a_minute, START_MS, 100), 60);
    assert_int_equal(drain(rates, "b.example", &sixty_a_minute, START_MS, 100), 60);
    assert_int_equal(drain(rates, "", &sixty_a_minute, START_MS, 100), 60);
    assert_false(rates_allow(rates, "a.example", &sixty_a_minute, START_MS));
    assert_true(rates_allow(rates, "A.example", &sixty_a_minute, START_MS));
    rates_free(rates);
}

static void a_count_of_zero_is_no_limit_and_keeps_nothing(void **state)
{
    (void)state;
    static const struct rb_rate none = {.count = 0, .period_s = 60};
    struct rates *rates = table(8);

    assert_int_equal(drain(rates, "d.example", &none, START_MS, 5000), 5000);
    assert_int_equal(rates_count(rates), 0);
    rates_free(rates);
}

static void a_period_of_zero_is_a_second(void **state)
{
    (void)state;
    static const struct rb_rate odd = {.count = 2, .period_s = 0};
    struct rates *rates = table(8);

    assert_int_equal(drain(rates, "d.example", &odd, START_MS, 10), 2);
    assert_false(rates_allow(rates, "d.example", &odd, START_MS + 499));
    assert_true(rates_allow(rates, "d.example", &odd, START_MS + 500));
    rates_free(rates);
}

static void an_empty_bucket_refills_evenly(void **state)
{
    (void)state;
    static const struct {
        int64_t after_ms;
        unsigned tokens;
    } rows[] = {{0, 0},      {999, 0},    {1000, 1},   {1999, 1},     {2500, 2},
                {30000, 30}, {59999, 59}, {60000, 60}, {3600000, 60}, {INT64_MAX / 2, 60}};

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct rates *rates = table(8);
        assert_int_equal(drain(rates, "d.example", &sixty_a_minute, START_MS, 100), 60);
        assert_int_equal(
            drain(rates, "d.example", &sixty_a_minute, START_MS + rows[i].after_ms, 100),
            rows[i].tokens);
        rates_free(rates);
    }
}

/* 1000 ms do not divide by 7: what is rounded away would show within a few hundred tokens. */
static void a_key_that_keeps_to_its_rate_is_never_refused_and_never_early(void **state)
{
    (void)state;
    struct rates *rates = table(8);

    assert_int_equal(drain(rates, "d.example", &seven_a_second, START_MS, 10), 7);
    for (int64_t k = 1; k <= 100000; k++) {
        const int64_t due_ms = START_MS + (k * 1000 + 6) / 7;
        assert_false(rates_allow(rates, "d.example", &seven_a_second, due_ms - 1));
        assert_true(ask(rates, "d.example", &seven_a_second, due_ms));
    }
    rates_free(rates);
}

static void taking_from_an_empty_bucket_makes_no_debt(void **state)
{
    (void)state;
    struct rates *rates = table(8);

    for (int i = 0; i < 50; i++)
        assert_int_equal(rates_take(rates, "d.example", &one_a_second, START_MS), RB_OK);
    assert_false(rates_allow(rates, "d.example", &one_a_second, START_MS + 999));
    assert_true(rates_allow(rates, "d.example", &one_a_second, START_MS + 1000));
    rates_free(rates);
}

static void a_take_too_early_does_not_cost_the_part_of_a_token(void **state)
{
    (void)state;
    struct rates *rates = table(8);

    assert_true(ask(rates, "d.example", &one_a_second, START_MS));
    for (int64_t ms = 1; ms < 1000; ms++)
        assert_int_equal(rates_take(rates, "d.example", &one_a_second, START_MS + ms), RB_OK);
    assert_true(rates_allow(rates, "d.example", &one_a_second, START_MS + 1000));
    rates_free(rates);
}

/* The promise: in any span, at most count and the span's share. */
static void any_span_has_at_most_the_count_and_its_share(void **state)
{
    (void)state;
    static const struct rb_rate rates_of[] = {{1, 1}, {7, 1}, {60, 60}, {13, 10}, {997, 60}};
    static int64_t allowed_ms[SPANS];
    uint64_t random = dice_seed();

    for (size_t i = 0; i < COUNT(rates_of); i++) {
        const int64_t count = rates_of[i].count, period_ms = (int64_t)rates_of[i].period_s * 1000;
        struct rates *rates = table(8);
        int64_t now_ms = START_MS;
        size_t n = 0;
        for (int step = 0; step < SPANS; step++) {
            /* Bursts and pauses: half of the steps take no time. */
            now_ms += dice_throw(&random) % 2 ? (int64_t)(dice_throw(&random) % STEPS_MAX_MS) : 0;
            if (ask(rates, "d.example", &rates_of[i], now_ms))
                allowed_ms[n++] = now_ms;
        }
        assert_true(n > 0);
        for (size_t from = 0; from < n; from++) {
            for (size_t to = from; to < n; to++) {
                const int64_t span_ms = allowed_ms[to] - allowed_ms[from];
                assert_true((int64_t)(to - from + 1) <= count + span_ms * count / period_ms);
            }
        }
        rates_free(rates);
    }
}

static void a_clock_that_goes_back_gives_no_tokens(void **state)
{
    (void)state;
    static const int64_t backs_ms[] = {1, 999, 1000, 3600000, INT64_MAX / 2};

    for (size_t i = 0; i < COUNT(backs_ms); i++) {
        struct rates *rates = table(8);
        assert_int_equal(drain(rates, "d.example", &sixty_a_minute, START_MS, 100), 60);
        for (int swings = 0; swings < 100; swings++) {
            assert_false(ask(rates, "d.example", &sixty_a_minute, START_MS - backs_ms[i]));
            assert_int_equal(
                rates_take(rates, "d.example", &sixty_a_minute, START_MS - backs_ms[i]), RB_OK);
            assert_false(ask(rates, "d.example", &sixty_a_minute, START_MS));
        }
        assert_true(ask(rates, "d.example", &sixty_a_minute, START_MS + 1000));
        rates_free(rates);
    }
}

static void the_time_of_one_key_going_back_gives_another_none(void **state)
{
    (void)state;
    struct rates *rates = table(8);

    assert_true(ask(rates, "a.example", &one_a_second, START_MS));
    assert_true(ask(rates, "b.example", &one_a_second, START_MS - 500000));
    assert_false(rates_allow(rates, "b.example", &one_a_second, START_MS + 999));
    assert_true(rates_allow(rates, "b.example", &one_a_second, START_MS + 1000));
    rates_free(rates);
}

static void the_ends_of_the_clock_are_harmless(void **state)
{
    (void)state;
    struct rates *rates = table(8);

    assert_true(ask(rates, "d.example", &one_a_second, INT64_MIN));
    assert_false(ask(rates, "d.example", &one_a_second, INT64_MIN));
    assert_true(ask(rates, "d.example", &one_a_second, INT64_MAX));
    assert_false(ask(rates, "d.example", &one_a_second, INT64_MIN));
    assert_false(ask(rates, "d.example", &one_a_second, INT64_MAX));
    rates_free(rates);
}

static void another_rate_leaves_the_bucket_as_full_in_proportion(void **state)
{
    (void)state;
    static const struct {
        struct rb_rate from;
        unsigned taken;
        struct rb_rate to;
        unsigned left;
    } rows[] = {
        {{60, 60}, 60, {600, 60}, 0}, /* empty stays empty, */
        {{60, 60}, 60, {6, 60}, 0},     {{60, 60}, 60, {60, 3600}, 0},
        {{60, 60}, 30, {600, 60}, 300}, /* half full stays half full, */
        {{60, 60}, 30, {6, 60}, 3},     {{60, 60}, 30, {60, 3600}, 30},
        {{60, 60}, 30, {10, 86400}, 5}, {{3, 1}, 1, {3, 1}, 2},
        {{3, 1}, 1, {300, 1}, 199}, /* and what must be rounded is rounded down */
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct rates *rates = table(8);
        assert_int_equal(drain(rates, "d.example", &rows[i].from, START_MS, rows[i].taken),
                         rows[i].taken);
        assert_int_equal(drain(rates, "d.example", &rows[i].to, START_MS, 1000), rows[i].left);
        rates_free(rates);
    }
}

static void changing_rates_to_and_fro_gives_no_tokens(void **state)
{
    (void)state;
    static const struct rb_rate rates_of[] = {{60, 60}, {7, 1}, {1, 3600}, {997, 61}};
    uint64_t random = dice_seed();
    struct rates *rates = table(8);

    assert_int_equal(drain(rates, "d.example", &rates_of[0], START_MS, 100), 60);
    for (int i = 0; i < 1000; i++) {
        const struct rb_rate *rate = &rates_of[dice_throw(&random) % COUNT(rates_of)];
        assert_false(rates_allow(rates, "d.example", rate, START_MS));
        assert_int_equal(rates_take(rates, "d.example", rate, START_MS), RB_OK);
    }
    rates_free(rates);
}

static void a_changed_rate_refills_at_the_new_pace(void **state)
{
    (void)state;
    static const struct rb_rate ten_a_second = {.count = 600, .period_s = 60};
    struct rates *rates = table(8);

    assert_int_equal(drain(rates, "d.example", &sixty_a_minute, START_MS, 100), 60);
    assert_int_equal(rates_take(rates, "d.example", &ten_a_second, START_MS), RB_OK);
    assert_int_equal(drain(rates, "d.example", &ten_a_second, START_MS + 2000, 100), 20);
    rates_free(rates);
}

static void huge_rates_are_cut_to_the_ceilings(void **state)
{
    (void)state;
    static const struct rb_rate huge = {.count = UINT32_MAX, .period_s = UINT32_MAX};
    static const struct rb_rate slow = {.count = 1, .period_s = UINT32_MAX};
    const int64_t longest_ms = INT64_C(1000) * RATES_PERIOD_MAX_S;
    struct rates *rates = table(8);

    assert_int_equal(drain(rates, "huge.example", &huge, START_MS, 1000), 1000);
    assert_int_equal(drain(rates, "huge.example", &slow, START_MS, 1000), 0);
    assert_true(ask(rates, "slow.example", &slow, START_MS));
    assert_false(rates_allow(rates, "slow.example", &slow, START_MS + longest_ms - 1));
    assert_true(rates_allow(rates, "slow.example", &slow, START_MS + longest_ms));
    assert_true(rates_allow(rates, "huge.example", &huge, START_MS + longest_ms));
    rates_free(rates);
}

static void a_key_that_is_too_long_is_allowed_nothing(void **state)
{
    (void)state;
    char key[RATES_KEY_MAX + 2];
    struct rates *rates = table(8);

    memset(key, 'k', sizeof key);
    key[RATES_KEY_MAX + 1] = '\0';
    assert_false(rates_allow(rates, key, &one_a_second, START_MS));
    assert_int_equal(rates_take(rates, key, &one_a_second, START_MS), RB_ERR_TOO_LONG);
    assert_int_equal(rates_count(rates), 0);
    key[RATES_KEY_MAX] = '\0';
    assert_true(ask(rates, key, &one_a_second, START_MS));
    assert_false(ask(rates, key, &one_a_second, START_MS));
    rates_free(rates);
}

static void a_full_table_forgets_the_least_recently_taken(void **state)
{
    (void)state;
    struct rates *rates = table(3);

    assert_true(ask(rates, "a", &one_a_second, START_MS));
    assert_true(ask(rates, "b", &one_a_second, START_MS + 1));
    assert_true(ask(rates, "c", &one_a_second, START_MS + 2));
    assert_int_equal(rates_take(rates, "a", &one_a_second, START_MS + 3), RB_OK);
    assert_true(ask(rates, "d", &one_a_second, START_MS + 4));
    assert_int_equal(rates_count(rates), 3);
    assert_true(rates_allow(rates, "b", &one_a_second, START_MS + 5));
    assert_false(rates_allow(rates, "a", &one_a_second, START_MS + 5));
    assert_false(rates_allow(rates, "c", &one_a_second, START_MS + 5));
    assert_false(rates_allow(rates, "d", &one_a_second, START_MS + 5));
    rates_free(rates);
}

static void full_buckets_go_before_others(void **state)
{
    (void)state;
    static const struct rb_rate one_a_day = {.count = 1, .period_s = 86400};
    struct rates *rates = table(3);

    assert_true(ask(rates, "slow", &one_a_day, START_MS));
    assert_true(ask(rates, "a", &one_a_second, START_MS));
    assert_true(ask(rates, "b", &one_a_second, START_MS));
    /* "slow" is the least recently taken, but the only one that has something to say. */
    assert_true(ask(rates, "c", &one_a_second, START_MS + 1000));
    assert_int_equal(rates_count(rates), 2);
    assert_false(rates_allow(rates, "slow", &one_a_day, START_MS + 1000));
    assert_false(rates_allow(rates, "c", &one_a_second, START_MS + 1000));
    rates_free(rates);
}

static void full_buckets_are_dropped_although_there_is_room(void **state)
{
    (void)state;
    struct rates *rates = table(MANY_KEYS);

    for (unsigned i = 0; i < 1000; i++)
        assert_true(ask(rates, key_number(i), &one_a_second, START_MS));
    assert_int_equal(rates_count(rates), 1000);
    /* Each new key drops more than it adds. */
    for (unsigned i = 0; i < 1000; i++)
        assert_true(ask(rates, key_number(10000 + i), &one_a_second, START_MS + 1000 + i * 10));
    assert_true(rates_count(rates) < 250);
    rates_free(rates);
}

static void one_bucket_is_enough_for_a_table(void **state)
{
    (void)state;
    struct rates *rates = table(1);

    for (unsigned i = 0; i < 1000; i++) {
        assert_true(ask(rates, key_number(i), &one_a_second, START_MS));
        assert_false(ask(rates, key_number(i), &one_a_second, START_MS));
        assert_int_equal(rates_count(rates), 1);
    }
    rates_free(rates);
}

static void a_hundred_thousand_keys_keep_to_the_table(void **state)
{
    (void)state;
    struct rates *rates = table(1000);

    for (unsigned i = 0; i < MANY_KEYS; i++) {
        assert_true(ask(rates, key_number(i), &sixty_a_minute, START_MS));
        assert_true(rates_count(rates) <= 1000);
    }
    assert_int_equal(rates_count(rates), 1000);
    rates_free(rates);
}

/* The attacker spends a token on each of many other keys to have one forgotten. */
static void forgetting_gives_the_count_at_most_for_each_table_of_other_keys(void **state)
{
    (void)state;
    enum { BUCKETS = 1000 };
    struct rates *rates = table(BUCKETS);
    unsigned won = 0;

    assert_int_equal(drain(rates, "victim.example", &sixty_a_minute, START_MS, 100), 60);
    for (unsigned i = 1; i <= MANY_KEYS; i++) {
        assert_true(ask(rates, key_number(i), &sixty_a_minute, START_MS));
        won += drain(rates, "victim.example", &sixty_a_minute, START_MS, 100);
        assert_true(won <= 60 * (i / BUCKETS));
    }
    assert_true(won > 0); /* the price is what it is said to be, not more */
    rates_free(rates);
}

static void behind_an_overall_rate_as_large_as_the_table_nothing_is_won(void **state)
{
    (void)state;
    enum { BUCKETS = 1000 };
    /* At most 500 at once and 500 more in the period of the key's rate. */
    static const struct rb_rate overall = {.count = BUCKETS / 2, .period_s = 60};
    struct rates *rates = table(BUCKETS), *global = table(1);
    unsigned victim = 0;
    int64_t now_ms = START_MS;

    for (unsigned i = 0; i < MANY_KEYS; i++, now_ms += 10) {
        if (rates_allow(rates, "victim.example", &sixty_a_minute, now_ms) &&
            ask(global, "", &overall, now_ms))
            victim += ask(rates, "victim.example", &sixty_a_minute, now_ms);
        if (ask(global, "", &overall, now_ms))
            assert_true(ask(rates, key_number(i), &sixty_a_minute, now_ms));
    }
    assert_true(victim <= 60 + (now_ms - START_MS) / 1000);
    rates_free(rates);
    rates_free(global);
}

/* Against tables of all sizes: neither more buckets than allowed, nor a token too many. */
static void random_use_never_exceeds_the_table_and_never_leaks(void **state)
{
    (void)state;
    uint64_t random = dice_seed();

    for (size_t buckets_max = 1; buckets_max <= 64; buckets_max *= 2) {
        struct rates *rates = table(buckets_max);
        int64_t now_ms = START_MS;
        for (int step = 0; step < 20000; step++) {
            const struct rb_rate rate = {.count = (unsigned)(dice_throw(&random) % 5),
                                         .period_s = (unsigned)(dice_throw(&random) % 4)};
            const char *key = key_number((unsigned)(dice_throw(&random) % 100));
            now_ms += (int64_t)(dice_throw(&random) % 300) - 50;
            (void)ask(rates, key, &rate, now_ms);
            assert_true(rates_count(rates) <= buckets_max);
        }
        rates_free(rates);
    }
}

static void limited_keys_are_listed_most_recent_first(void **state)
{
    (void)state;
    static const struct rb_rate one_in_ten = {.count = 1, .period_s = 10};
    struct rates_limited list[2];
    struct rates *rates = table(8);

    assert_int_equal(rates_list_limited(rates, START_MS, list, COUNT(list)), 0);
    assert_true(ask(rates, "a", &one_in_ten, START_MS));
    assert_true(ask(rates, "b", &one_in_ten, START_MS + 1000));
    assert_true(ask(rates, "not", &sixty_a_minute, START_MS + 2000));
    assert_int_equal(drain(rates, "c", &sixty_a_minute, START_MS + 2000, 100), 60);
    assert_int_equal(rates_list_limited(rates, START_MS + 2000, list, COUNT(list)), 3);
    assert_string_equal(list[0].key, "c");
    assert_int_equal(list[0].wait_ms, 1000);
    assert_string_equal(list[1].key, "b");
    assert_int_equal(list[1].wait_ms, 9000);
    assert_int_equal(rates_list_limited(rates, START_MS + 2000, NULL, 0), 3);
    assert_int_equal(rates_list_limited(rates, START_MS + 10500, list, COUNT(list)), 1);
    assert_string_equal(list[0].key, "b");
    assert_int_equal(list[0].wait_ms, 500);
    assert_int_equal(rates_list_limited(rates, START_MS + 11000, list, COUNT(list)), 0);
    rates_free(rates);
}

static void a_listed_wait_is_exact(void **state)
{
    (void)state;
    struct rates_limited limited;
    struct rates *rates = table(8);

    assert_int_equal(drain(rates, "d.example", &seven_a_second, START_MS, 10), 7);
    for (int64_t ms = 0; ms < 142; ms++) {
        assert_int_equal(rates_list_limited(rates, START_MS + ms, &limited, 1), 1);
        assert_int_equal(limited.wait_ms, 143 - ms);
    }
    assert_false(rates_allow(rates, "d.example", &seven_a_second, START_MS + 142));
    assert_true(rates_allow(rates, "d.example", &seven_a_second, START_MS + 143));
    rates_free(rates);
}

static void a_client_is_its_address_or_its_network(void **state)
{
    (void)state;
    static const struct {
        int family;
        const char *address, *key;
    } rows[] = {
        {AF_INET, "192.0.2.1", "192.0.2.1"},
        {AF_INET, "255.255.255.255", "255.255.255.255"},
        {AF_INET6, "::ffff:192.0.2.1", "192.0.2.1"},
        {AF_INET6, "2001:db8::1", "2001:db8::/64"},
        {AF_INET6, "2001:db8:0:0:ffff:ffff:ffff:ffff", "2001:db8::/64"},
        {AF_INET6, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
        {AF_INET6, "2001:db8:1:3:3:4:5:6", "2001:db8:1:3::/64"},
        {AF_INET6, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff::/64"},
        {AF_INET6, "::1", "::/64"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct sockaddr_storage storage = {.ss_family = (sa_family_t)rows[i].family};
        void *at = rows[i].family == AF_INET
                       ? (void *)&((struct sockaddr_in *)&storage)->sin_addr
                       : (void *)&((struct sockaddr_in6 *)&storage)->sin6_addr;
        char key[RATES_CLIENT_KEY_SIZE], small[8];
        assert_int_equal(inet_pton(rows[i].family, rows[i].address, at), 1);
        rates_client_key((const struct sockaddr *)&storage, key, sizeof key);
        assert_string_equal(key, rows[i].key);
        rates_client_key((const struct sockaddr *)&storage, small, sizeof small);
        assert_string_equal(small, strlen(key) < sizeof small ? key : "");
    }
}

static void a_client_without_an_ip_address_has_no_key(void **state)
{
    (void)state;
    const struct sockaddr_un local = {.sun_family = AF_UNIX, .sun_path = "/run/x"};
    const struct sockaddr none = {.sa_family = AF_UNSPEC};
    char key[RATES_CLIENT_KEY_SIZE] = "old";

    rates_client_key((const struct sockaddr *)&local, key, sizeof key);
    assert_string_equal(key, "");
    key[0] = 'x';
    rates_client_key(&none, key, sizeof key);
    assert_string_equal(key, "");
    key[0] = 'x';
    rates_client_key(NULL, key, sizeof key);
    assert_string_equal(key, "");
    key[0] = 'x';
    rates_client_key(NULL, key, 0);
    assert_int_equal(key[0], 'x');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_of_nothing_is_none),
        cmocka_unit_test(a_new_key_has_the_whole_count_and_no_more),
        cmocka_unit_test(asking_changes_nothing),
        cmocka_unit_test(keys_do_not_share),
        cmocka_unit_test(a_count_of_zero_is_no_limit_and_keeps_nothing),
        cmocka_unit_test(a_period_of_zero_is_a_second),
        cmocka_unit_test(an_empty_bucket_refills_evenly),
        cmocka_unit_test(a_key_that_keeps_to_its_rate_is_never_refused_and_never_early),
        cmocka_unit_test(taking_from_an_empty_bucket_makes_no_debt),
        cmocka_unit_test(a_take_too_early_does_not_cost_the_part_of_a_token),
        cmocka_unit_test(any_span_has_at_most_the_count_and_its_share),
        cmocka_unit_test(a_clock_that_goes_back_gives_no_tokens),
        cmocka_unit_test(the_time_of_one_key_going_back_gives_another_none),
        cmocka_unit_test(the_ends_of_the_clock_are_harmless),
        cmocka_unit_test(another_rate_leaves_the_bucket_as_full_in_proportion),
        cmocka_unit_test(changing_rates_to_and_fro_gives_no_tokens),
        cmocka_unit_test(a_changed_rate_refills_at_the_new_pace),
        cmocka_unit_test(huge_rates_are_cut_to_the_ceilings),
        cmocka_unit_test(a_key_that_is_too_long_is_allowed_nothing),
        cmocka_unit_test(a_full_table_forgets_the_least_recently_taken),
        cmocka_unit_test(full_buckets_go_before_others),
        cmocka_unit_test(full_buckets_are_dropped_although_there_is_room),
        cmocka_unit_test(one_bucket_is_enough_for_a_table),
        cmocka_unit_test(a_hundred_thousand_keys_keep_to_the_table),
        cmocka_unit_test(forgetting_gives_the_count_at_most_for_each_table_of_other_keys),
        cmocka_unit_test(behind_an_overall_rate_as_large_as_the_table_nothing_is_won),
        cmocka_unit_test(random_use_never_exceeds_the_table_and_never_leaks),
        cmocka_unit_test(limited_keys_are_listed_most_recent_first),
        cmocka_unit_test(a_listed_wait_is_exact),
        cmocka_unit_test(a_client_is_its_address_or_its_network),
        cmocka_unit_test(a_client_without_an_ip_address_has_no_key),
    };

    return cmocka_run_group_tests_name("rates", tests, NULL, NULL);
}
