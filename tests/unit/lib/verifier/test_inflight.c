/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_flight: questions under way: who may join one, who is woken, and when it is gone.
 */
#include "config.h"

#include "verifier/inflight.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "check.h"
#include "base/transcript.h"

enum { WAITERS = 4, MOMENT_NS = 20 * 1000000, SECOND_NS = 1000000000 };

static const struct address_record refused = {.reason = RB_REASON_NO_SUCH_USER, .code = 550};

static struct flight *started(const char *key)
{
    struct flight *flight = flight_new(key, "d.example", NULL);

    assert_non_null(flight);
    return flight;
}

static void a_new_flight_has_one_holder_and_is_not_listed(void **state)
{
    (void)state;
    struct flight *flight = flight_new("u@d.example", "d.example", "mx.example:25");

    assert_non_null(flight);
    assert_string_equal(flight->key, "u@d.example");
    assert_string_equal(flight->domain, "d.example");
    assert_string_equal(flight->relay, "mx.example:25");
    assert_int_equal(flight->holders, 1);
    assert_false(flight->listed || flight->landed || flight->from_cache);
    flight_put(flight);
}

static void names_that_are_too_long_make_no_flight(void **state)
{
    (void)state;
    char key[CACHE_KEY_MAX + 2], domain[RB_DOMAIN_MAX + 2], relay[RELAY_MAX + 2];

    memset(key, 'k', sizeof key);
    memset(domain, 'd', sizeof domain);
    memset(relay, 'r', sizeof relay);
    key[sizeof key - 1] = domain[sizeof domain - 1] = relay[sizeof relay - 1] = '\0';
    assert_null(flight_new(key, "d.example", NULL));
    assert_null(flight_new("u@d.example", domain, NULL));
    assert_null(flight_new("u@d.example", "d.example", relay));
    key[CACHE_KEY_MAX] = domain[RB_DOMAIN_MAX] = relay[RELAY_MAX] = '\0';
    struct flight *flight = flight_new(key, domain, relay);
    assert_non_null(flight);
    flight_put(flight);
}

static void a_listed_flight_is_found_by_its_key(void **state)
{
    (void)state;
    struct flights flights = {0};
    struct flight *a = started("a@d.example"), *b = started("b@d.example");

    assert_null(flights_find(&flights, "a@d.example"));
    assert_int_equal(flights_list(&flights, a), RB_OK);
    assert_int_equal(flights_list(&flights, b), RB_OK);
    assert_ptr_equal(flights_find(&flights, "a@d.example"), a);
    assert_ptr_equal(flights_find(&flights, "b@d.example"), b);
    assert_null(flights_find(&flights, "A@d.example"));
    assert_int_equal(a->holders, 1); /* finding takes no hold */
    flight_land(&flights, a, &refused, 1);
    flight_land(&flights, b, &refused, 1);
    flight_put(a);
    flight_put(b);
    assert_null(flights.table);
}

static void a_landed_flight_cannot_be_joined_and_keeps_its_answer(void **state)
{
    (void)state;
    struct flights flights = {0};
    struct flight *flight = started("u@d.example");

    assert_int_equal(flights_list(&flights, flight), RB_OK);
    flight->holders++;
    flight_land(&flights, flight, &refused, 1);
    assert_null(flights_find(&flights, "u@d.example"));
    assert_true(flight->landed);
    assert_false(flight->listed);
    flight_put(flight); /* the callout has done its part */
    assert_int_equal(flight->record.reason, RB_REASON_NO_SUCH_USER);
    assert_int_equal(flight->record.code, 550);
    flight_put(flight);
}

static void a_flight_that_was_never_listed_lands_too(void **state)
{
    (void)state;
    struct flights flights = {0};
    struct flight *listed = started("u@d.example"), *other = started("u@d.example");

    assert_int_equal(flights_list(&flights, listed), RB_OK);
    flight_land(&flights, other, &refused, 1);
    assert_true(other->landed);
    assert_ptr_equal(flights_find(&flights, "u@d.example"), listed);
    flight_put(other);
    flight_land(&flights, listed, &refused, 1);
    flight_put(listed);
}

/* One that was under way when an equal question came to be let in. */
static void followers_are_told_what_their_leader_is(void **state)
{
    (void)state;
    const struct address_record said = {.reason = RB_REASON_ACCEPTED, .code = 250};
    struct flights flights = {0};
    struct flight *leader = started("u@d.example"), *early = started("u@d.example"),
                  *late = started("u@d.example");

    leader->started_ms = 5;
    early->started_ms = 3;
    late->started_ms = 7;
    assert_int_equal(flights_list(&flights, leader), RB_OK);
    leader->holders++;
    early->holders++; /* tickets */
    late->holders++;
    flight_follow(leader, early);
    assert_false(early->accepted);
    flight_accepted(leader, &said);
    assert_true(early->accepted);
    assert_int_equal(early->record.code, 250);
    flight_follow(leader, late);
    assert_true(late->accepted);
    assert_int_equal(late->record.code, 250);
    assert_int_equal(early->started_ms, 3);
    assert_int_equal(late->started_ms, 5); /* others have waited for it since then */
    assert_ptr_equal(flights_find(&flights, "u@d.example"), leader);
    leader->from_cache = true;
    flight_land(&flights, leader, &refused, 9);
    assert_true(early->landed && late->landed && early->from_cache && late->from_cache);
    assert_int_equal(early->record.code, 550);
    assert_int_equal(late->landed_ms, 9);
    assert_int_equal(early->holders, 1); /* the callout's hold is given up */
    assert_int_equal(late->holders, 1);
    flight_put(early);
    flight_put(late);
    flight_put(leader);
    flight_put(leader);
}

/* With nobody who waits for it, one is gone when it has landed. */
static void followers_that_were_left_land_and_go(void **state)
{
    (void)state;
    struct flights flights = {0};
    struct flight *leader = started("u@d.example");

    assert_int_equal(flights_list(&flights, leader), RB_OK);
    for (int i = 0; i < WAITERS; i++)
        flight_follow(leader, started("u@d.example"));
    flight_land(&flights, leader, &refused, 1);
    assert_null(leader->followers);
    flight_put(leader);
}

static void a_flight_is_found_again_from_its_item(void **state)
{
    (void)state;
    struct flight *flight = started("u@d.example");

    assert_ptr_equal(flight_of(&flight->item), flight);
    flight_put(flight);
}

static void the_last_holder_frees_the_transcript(void **state)
{
    (void)state;
    struct flight *flight = started("u@d.example");

    flight->item.transcript = transcript_new();
    assert_non_null(flight->item.transcript);
    flight->holders++;
    flight_put(flight);
    assert_int_equal(rb_transcript_count(flight->item.transcript), 0); /* still there */
    flight_put(flight); /* and now gone: the leak checker sees to it */
}

/* The verifier's lock, and a flight that several wait for. */
struct wait {
    pthread_mutex_t lock;
    pthread_cond_t arrived;
    unsigned waiting; /* lock */
    struct flight *flight;
};

static void *wait_for_landing(void *arg)
{
    struct wait *wait = arg;
    enum rb_reason *reason = calloc(1, sizeof *reason);

    pthread_mutex_lock(&wait->lock);
    wait->waiting++;
    pthread_cond_signal(&wait->arrived);
    while (!wait->flight->landed)
        pthread_cond_wait(&wait->flight->landing, &wait->lock);
    if (reason != NULL)
        *reason = wait->flight->record.reason;
    flight_put(wait->flight);
    pthread_mutex_unlock(&wait->lock);
    return reason;
}

static void landing_wakes_all_who_wait(void **state)
{
    (void)state;
    struct wait wait = {.lock = PTHREAD_MUTEX_INITIALIZER, .arrived = PTHREAD_COND_INITIALIZER};
    struct flights flights = {0};
    pthread_t threads[WAITERS];

    wait.flight = started("u@d.example");
    wait.flight->holders += WAITERS;
    for (size_t i = 0; i < WAITERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, wait_for_landing, &wait), 0);
    pthread_mutex_lock(&wait.lock);
    while (wait.waiting < WAITERS)
        pthread_cond_wait(&wait.arrived, &wait.lock);
    flight_land(&flights, wait.flight, &refused, 1);
    flight_put(wait.flight);
    pthread_mutex_unlock(&wait.lock);
    for (size_t i = 0; i < WAITERS; i++) {
        void *reason;

        assert_int_equal(pthread_join(threads[i], &reason), 0);
        assert_non_null(reason);
        assert_int_equal(*(enum rb_reason *)reason, RB_REASON_NO_SUCH_USER);
        free(reason);
    }
    pthread_mutex_destroy(&wait.lock);
    pthread_cond_destroy(&wait.arrived);
}

/* What is a moment ahead on the monotonic scale is long past on that of the wall clock. */
static void the_condition_runs_on_the_monotonic_clock(void **state)
{
    (void)state;
    struct flight *flight = started("u@d.example");
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    struct timespec until, now;

    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &until), 0);
    until.tv_nsec += MOMENT_NS;
    until.tv_sec += until.tv_nsec / SECOND_NS;
    until.tv_nsec %= SECOND_NS;
    pthread_mutex_lock(&lock);
    while (pthread_cond_timedwait(&flight->landing, &lock, &until) != ETIMEDOUT)
        continue;
    pthread_mutex_unlock(&lock);
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    assert_true(now.tv_sec > until.tv_sec ||
                (now.tv_sec == until.tv_sec && now.tv_nsec >= until.tv_nsec));
    pthread_mutex_destroy(&lock);
    flight_put(flight);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_flight_has_one_holder_and_is_not_listed),
        cmocka_unit_test(names_that_are_too_long_make_no_flight),
        cmocka_unit_test(a_listed_flight_is_found_by_its_key),
        cmocka_unit_test(a_landed_flight_cannot_be_joined_and_keeps_its_answer),
        cmocka_unit_test(a_flight_that_was_never_listed_lands_too),
        cmocka_unit_test(followers_are_told_what_their_leader_is),
        cmocka_unit_test(followers_that_were_left_land_and_go),
        cmocka_unit_test(a_flight_is_found_again_from_its_item),
        cmocka_unit_test(the_last_holder_frees_the_transcript),
        cmocka_unit_test(landing_wakes_all_who_wait),
        cmocka_unit_test(the_condition_runs_on_the_monotonic_clock),
    };

    return cmocka_run_group_tests_name("flight", tests, NULL, NULL);
}
