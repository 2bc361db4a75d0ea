/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_limits: which limit forbids a question, and that what one limit forbids costs the others
 * nothing.
 */
#include "config.h"

#include "limits/limits.h"
#include "check.h"

#include <stdio.h>
#include <stdlib.h>

struct fixture {
    struct limits limits;
    struct rb_options o;
    int64_t now_ms;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    if (f == NULL || limits_init(&f->limits) != RB_OK)
        return -1;
    rb_options_init(&f->o);
    f->o.per_domain_rate = (struct rb_rate){3, 60};
    f->o.per_client_rate = (struct rb_rate){5, 60};
    f->o.global_rate = (struct rb_rate){8, 60};
    f->o.shield = (struct rb_shield_options){.addresses = 4, .window_s = 600, .hold_s = 1800};
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    limits_fini(&f->limits);
    free(f);
    return 0;
}

static enum rb_limit refusal(struct fixture *f, const char *domain, const char *client)
{
    const struct limits_request request = {
        .domain = domain,
        .client = client,
        .now_ms = f->now_ms,
        .now_s = 1000000 + f->now_ms / 1000,
    };

    return limits_admit(&f->limits, &f->o, &request);
}

static void a_domain_is_asked_no_more_than_its_rate(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 3; i++)
        assert_int_equal(refusal(f, "a.example", ""), RB_LIMIT_NONE);
    assert_int_equal(refusal(f, "a.example", ""), RB_LIMIT_DOMAIN_RATE);
    assert_int_equal(refusal(f, "b.example", ""), RB_LIMIT_NONE);
    f->now_ms = 20000; /* a third of the period: one more */
    assert_int_equal(refusal(f, "a.example", ""), RB_LIMIT_NONE);
    assert_int_equal(refusal(f, "a.example", ""), RB_LIMIT_DOMAIN_RATE);
}

static void a_client_has_a_rate_of_its_own(void **state)
{
    struct fixture *f = *state;
    char domain[32];

    for (int i = 0; i < 5; i++) {
        (void)snprintf(domain, sizeof domain, "d%d.example", i);
        assert_int_equal(refusal(f, domain, "192.0.2.1"), RB_LIMIT_NONE);
    }
    assert_int_equal(refusal(f, "a.example", "192.0.2.1"), RB_LIMIT_CLIENT_RATE);
    assert_int_equal(refusal(f, "a.example", "192.0.2.2"), RB_LIMIT_NONE);
}

static void all_together_have_one(void **state)
{
    struct fixture *f = *state;
    char domain[32];

    for (int i = 0; i < 8; i++) {
        (void)snprintf(domain, sizeof domain, "d%d.example", i);
        assert_int_equal(refusal(f, domain, ""), RB_LIMIT_NONE);
    }
    assert_int_equal(refusal(f, "a.example", "192.0.2.9"), RB_LIMIT_GLOBAL_RATE);
}

static void what_one_limit_forbids_costs_the_others_nothing(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 3; i++)
        assert_int_equal(refusal(f, "a.example", "192.0.2.1"), RB_LIMIT_NONE);
    for (int i = 0; i < 100; i++)
        assert_int_equal(refusal(f, "a.example", "192.0.2.1"), RB_LIMIT_DOMAIN_RATE);
    assert_int_equal(refusal(f, "b.example", "192.0.2.1"), RB_LIMIT_NONE);
    assert_int_equal(refusal(f, "b.example", "192.0.2.1"), RB_LIMIT_NONE);
    assert_int_equal(refusal(f, "b.example", "192.0.2.1"), RB_LIMIT_CLIENT_RATE);
}

static void who_is_not_known_has_no_rate_of_a_client(void **state)
{
    struct fixture *f = *state;

    f->o.per_client_rate = (struct rb_rate){1, 60};
    assert_int_equal(refusal(f, "a.example", ""), RB_LIMIT_NONE);
    assert_int_equal(refusal(f, "a.example", ""), RB_LIMIT_NONE);
}

static void a_rate_of_none_is_no_limit(void **state)
{
    struct fixture *f = *state;

    f->o.per_domain_rate.count = f->o.per_client_rate.count = f->o.global_rate.count = 0;
    for (int i = 0; i < 1000; i++)
        assert_int_equal(refusal(f, "a.example", "192.0.2.1"), RB_LIMIT_NONE);
}

static bool may_be_called(struct fixture *f, const char *ip)
{
    return limits_admit_host(&f->limits, &f->o, ip, f->now_ms);
}

static void a_host_is_called_no_more_than_a_domains_rate(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 3; i++)
        assert_true(may_be_called(f, "192.0.2.1"));
    for (int i = 0; i < 100; i++)
        assert_false(may_be_called(f, "192.0.2.1"));
    assert_true(may_be_called(f, "192.0.2.2"));
    for (int i = 0; i < 3; i++)
        assert_true(may_be_called(f, i == 0 ? "2001:db8::1" : "2001:db8::2"));
    assert_false(may_be_called(f, "2001:db8::3"));
    assert_true(may_be_called(f, "2001:db8:0:1::3"));
    f->now_ms = 20000; /* a third of the period: one more */
    assert_true(may_be_called(f, "192.0.2.1"));
    assert_false(may_be_called(f, "192.0.2.1"));
    assert_int_equal(refusal(f, "a.example", "192.0.2.1"), RB_LIMIT_NONE);
}

static void raise_shield(struct fixture *f, const char *domain)
{
    for (int i = 0; i < 4; i++) {
        char address[32];

        (void)snprintf(address, sizeof address, "u%d@%s", i, domain);
        limits_note(&f->limits, domain, address, RB_VERDICT_INVALID, &f->o.shield, 1000000);
    }
}

static void a_domain_forged_in_bulk_is_left_alone(void **state)
{
    struct fixture *f = *state;

    raise_shield(f, "a.example");
    assert_int_equal(refusal(f, "a.example", ""), RB_LIMIT_SHIELD);
    assert_int_equal(refusal(f, "b.example", ""), RB_LIMIT_NONE);
    f->now_ms = INT64_C(1800) * 1000;
    assert_int_equal(refusal(f, "a.example", ""), RB_LIMIT_NONE);
}

static void a_shield_that_was_turned_off_holds_nothing_back(void **state)
{
    struct fixture *f = *state;

    raise_shield(f, "a.example");
    f->o.shield.addresses = 0;
    assert_int_equal(refusal(f, "a.example", ""), RB_LIMIT_NONE);
}

/* --- Side by side ----------------------------------------------------------- */

enum { THREADS = 4, ASKS = 50, MAY = 120 };

static void *ask_many_times(void *arg)
{
    struct fixture *f = arg;
    uintptr_t admitted = 0;

    for (int i = 0; i < ASKS; i++) {
        admitted += refusal(f, "a.example", "") == RB_LIMIT_NONE;
        limits_note(&f->limits, "b.example", "u@b.example", RB_VERDICT_VALID, &f->o.shield,
                    1000000);
    }
    return (void *)admitted;
}

static void threads_share_one_rate(void **state)
{
    struct fixture *f = *state;
    pthread_t threads[THREADS];
    uintptr_t admitted = 0;

    f->o.per_domain_rate = (struct rb_rate){MAY, 3600};
    f->o.global_rate.count = 0;
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_many_times, f), 0);
    for (size_t i = 0; i < THREADS; i++) {
        void *some;

        assert_int_equal(pthread_join(threads[i], &some), 0);
        admitted += (uintptr_t)some;
    }
    assert_int_equal(admitted, MAY);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_domain_is_asked_no_more_than_its_rate),
        TEST(a_client_has_a_rate_of_its_own),
        TEST(all_together_have_one),
        TEST(what_one_limit_forbids_costs_the_others_nothing),
        TEST(who_is_not_known_has_no_rate_of_a_client),
        TEST(a_rate_of_none_is_no_limit),
        TEST(a_host_is_called_no_more_than_a_domains_rate),
        TEST(a_domain_forged_in_bulk_is_left_alone),
        TEST(a_shield_that_was_turned_off_holds_nothing_back),
        TEST(threads_share_one_rate),
    };

    return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
