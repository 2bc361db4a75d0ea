/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_destination: what waits, by destination, and in which turn it is served; which idle session
 * gets an item, and which is evicted; who probes.
 */
#include "config.h"

#include "sched/destination.h"

#include <stdio.h>

#include "check.h"

enum { DESTINATIONS = 200 };

static void push(struct destinations *destinations, const char *relay, const char *domain,
                 struct callout_item *item)
{
    assert_int_equal(destinations_push(destinations, relay, domain, item), RB_OK);
}

/* Begins a session with the destination whose turn it is, which is to get that item. */
static struct destination *begin(struct destinations *destinations, const struct callout_item *item)
{
    struct callout_item *got = NULL;
    struct destination *destination = destinations_next(destinations, &got);

    assert_non_null(destination);
    assert_ptr_equal(got, item);
    assert_null(got->next);
    return destination;
}

/* What a callout over the destination that is nothing special is given. */
static struct callout_item *take(struct destinations *destinations, struct destination *destination)
{
    struct sched_callout callout = {.destination = destination};

    return destinations_take(destinations, &callout);
}

static bool is_nobody_ready(struct destinations *destinations)
{
    struct callout_item *item;

    return destinations->ready_count == 0 && destinations_next(destinations, &item) == NULL;
}

/* Serves the next destination to its end: takes all and lets go. */
static unsigned serve(struct destinations *destinations)
{
    struct callout_item *item;
    struct destination *destination = destinations_next(destinations, &item);
    unsigned count = 1;

    assert_non_null(destination);
    while (take(destinations, destination) != NULL)
        count++;
    destinations_release(destinations, destination);
    return count;
}

static unsigned length(const struct callout_item *item)
{
    unsigned count = 0;

    for (; item != NULL; item = item->next)
        count++;
    return count;
}

static void is_empty(const struct destinations *destinations)
{
    assert_null(destinations->table);
    assert_null(destinations->ready);
    assert_int_equal(destinations->ready_count, 0);
    assert_int_equal(destinations->pending, 0);
    assert_int_equal(destinations->running, 0);
    assert_null(destinations->idle);
    assert_int_equal(destinations->idle_count, 0);
}

/* --- Items ------------------------------------------------------------------- */

static void where_nothing_waits_there_is_nothing(void **state)
{
    (void)state;
    struct destinations destinations = {.sessions_max = 1};

    assert_true(is_nobody_ready(&destinations));
    assert_null(destinations_drain(&destinations));
    destinations_free(&destinations);
    is_empty(&destinations);
}

static void items_of_a_destination_come_in_order(void **state)
{
    (void)state;
    struct destinations destinations = {.sessions_max = 1};
    struct callout_item items[3] = {0};
    struct destination *destination;

    for (size_t i = 0; i < COUNT(items); i++)
        push(&destinations, "", "d.example", &items[i]);
    assert_int_equal(destinations.pending, 3);
    assert_int_equal(destinations.ready_count, 1);
    destination = begin(&destinations, &items[0]);
    assert_string_equal(destination->domain, "d.example");
    assert_string_equal(destination->relay, "");
    assert_int_equal(destinations.running, 1);
    for (size_t i = 1; i < COUNT(items); i++) {
        struct callout_item *item = take(&destinations, destination);

        assert_ptr_equal(item, &items[i]);
        assert_null(item->next);
    }
    assert_null(take(&destinations, destination));
    destinations_release(&destinations, destination);
    is_empty(&destinations);
}

static void destinations_are_served_in_turn(void **state)
{
    (void)state;
    static const char *const turns[] = {"a.example", "b.example", "c.example",
                                        "a.example", "b.example", "c.example"};
    struct destinations destinations = {.sessions_max = 1};
    struct callout_item items[12] = {0};

    /* A busy destination, then two others. Each session here takes one item. */
    for (size_t i = 0; i < COUNT(items); i++)
        push(&destinations, "", i < 6 ? "a.example" : i < 9 ? "b.example" : "c.example", &items[i]);
    for (size_t i = 0; i < COUNT(turns); i++) {
        struct callout_item *item;
        struct destination *destination = destinations_next(&destinations, &item);

        assert_non_null(destination);
        assert_string_equal(destination->domain, turns[i]);
        destinations_release(&destinations, destination);
    }
    assert_int_equal(length(destinations_drain(&destinations)), COUNT(items) - COUNT(turns));
    destinations_free(&destinations);
}

static void a_destination_with_all_its_sessions_running_is_not_ready(void **state)
{
    (void)state;
    struct destinations destinations = {.sessions_max = 2};
    struct callout_item items[5] = {0};
    struct destination *destination;

    for (size_t i = 0; i < COUNT(items); i++)
        push(&destinations, "", "d.example", &items[i]);
    destination = begin(&destinations, &items[0]);
    assert_ptr_equal(begin(&destinations, &items[1]), destination);
    assert_int_equal(destination->running, 2);
    assert_int_equal(destinations.running, 2);
    assert_true(is_nobody_ready(&destinations));
    destinations_release(&destinations, destination);
    assert_int_equal(serve(&destinations), 3);
    destinations_release(&destinations, destination);
    is_empty(&destinations);
}

static void a_destination_whose_items_are_all_taken_is_not_ready(void **state)
{
    (void)state;
    struct destinations destinations = {.sessions_max = 2};
    struct callout_item item = {0}, late = {0};
    struct destination *destination;

    push(&destinations, "", "d.example", &item);
    destination = begin(&destinations, &item);
    assert_true(is_nobody_ready(&destinations));
    /* It lives on with its session, and what comes now finds it. */
    push(&destinations, "", "d.example", &late);
    assert_int_equal(HASH_COUNT(destinations.table), 1);
    assert_int_equal(destinations.ready_count, 1);
    assert_ptr_equal(take(&destinations, destination), &late);
    assert_true(is_nobody_ready(&destinations));
    destinations_release(&destinations, destination);
    is_empty(&destinations);
}

static void each_session_begins_with_an_item_of_its_own(void **state)
{
    (void)state;
    struct destinations destinations = {.sessions_max = 5};
    struct callout_item items[3] = {0};
    struct destination *destination;

    push(&destinations, "", "d.example", &items[0]);
    destination = begin(&destinations, &items[0]);
    assert_true(is_nobody_ready(&destinations));
    push(&destinations, "", "d.example", &items[1]);
    push(&destinations, "", "d.example", &items[2]);
    assert_ptr_equal(begin(&destinations, &items[1]), destination);
    assert_ptr_equal(begin(&destinations, &items[2]), destination);
    assert_true(is_nobody_ready(&destinations)); /* though there may be more sessions */
    for (size_t i = 0; i < COUNT(items); i++) {
        assert_null(take(&destinations, destination));
        destinations_release(&destinations, destination);
    }
    is_empty(&destinations);
}

static void a_limit_that_was_raised_counts_at_the_next_push(void **state)
{
    (void)state;
    struct destinations destinations = {.sessions_max = 1};
    struct callout_item items[2] = {0};
    struct destination *destination;

    push(&destinations, "", "d.example", &items[0]);
    destination = begin(&destinations, &items[0]);
    destinations.sessions_max = 2;
    push(&destinations, "", "d.example", &items[1]);
    assert_ptr_equal(begin(&destinations, &items[1]), destination);
    destinations_release(&destinations, destination);
    destinations_release(&destinations, destination);
    is_empty(&destinations);
}

static void relay_and_domain_make_a_destination(void **state)
{
    (void)state;
    static const struct {
        const char *relay, *domain;
    } rows[] = {{"", "d.example"},
                {"mx.example:25", "d.example"},
                {"mx.example:26", "d.example"},
                {"mx.example:25", "e.example"},
                {"d.example", ""}};
    struct destinations destinations = {.sessions_max = 1};
    struct callout_item items[COUNT(rows)] = {0}, again = {0};

    for (size_t i = 0; i < COUNT(rows); i++)
        push(&destinations, rows[i].relay, rows[i].domain, &items[i]);
    assert_int_equal(HASH_COUNT(destinations.table), COUNT(rows));
    push(&destinations, "", "d.example", &again);
    assert_int_equal(HASH_COUNT(destinations.table), COUNT(rows));
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct destination *destination = begin(&destinations, &items[i]);

        assert_string_equal(destination->relay, rows[i].relay);
        assert_string_equal(destination->domain, rows[i].domain);
        assert_ptr_equal(take(&destinations, destination), i == 0 ? &again : NULL);
        destinations_release(&destinations, destination);
    }
    is_empty(&destinations);
}

static void names_that_are_too_long_are_not_taken(void **state)
{
    (void)state;
    char relay[RELAY_MAX + 2], domain[RB_DOMAIN_MAX + 2];
    struct destinations destinations = {.sessions_max = 1};
    struct callout_item item = {0};

    memset(relay, 'r', sizeof relay - 1);
    memset(domain, 'd', sizeof domain - 1);
    relay[sizeof relay - 1] = domain[sizeof domain - 1] = '\0';
    assert_int_equal(destinations_push(&destinations, relay, "d.example", &item), RB_ERR_NOMEM);
    assert_int_equal(destinations_push(&destinations, "", domain, &item), RB_ERR_NOMEM);
    is_empty(&destinations);
    relay[RELAY_MAX] = domain[RB_DOMAIN_MAX] = '\0';
    push(&destinations, relay, domain, &item);
    assert_ptr_equal(destinations_drain(&destinations), &item);
    destinations_free(&destinations);
}

static void an_item_put_back_comes_first_again(void **state)
{
    (void)state;
    struct destinations destinations = {.sessions_max = 1};
    struct callout_item items[3] = {0}, late = {0};
    struct destination *destination;

    for (size_t i = 0; i < COUNT(items); i++)
        push(&destinations, "", "d.example", &items[i]);
    destination = begin(&destinations, &items[0]);
    assert_int_equal(destinations.pending, 2);
    destinations_put_back(&destinations, destination, &items[0]);
    assert_int_equal(destinations.pending, 3);
    for (size_t i = 0; i < COUNT(items); i++)
        assert_ptr_equal(take(&destinations, destination), &items[i]);
    /* the only one again: what comes now stands behind it */
    destinations_put_back(&destinations, destination, &items[2]);
    push(&destinations, "", "d.example", &late);
    assert_ptr_equal(take(&destinations, destination), &items[2]);
    assert_ptr_equal(take(&destinations, destination), &late);
    assert_null(take(&destinations, destination));
    destinations_release(&destinations, destination);
    is_empty(&destinations);
}

static void a_destination_with_an_item_put_back_is_ready_after_its_session(void **state)
{
    (void)state;
    struct destinations destinations = {.sessions_max = 1};
    struct callout_item item = {0};
    struct destination *destination;

    push(&destinations, "", "d.example", &item);
    destination = begin(&destinations, &item);
    destinations_put_back(&destinations, destination, &item);
    assert_int_equal(destinations.ready_count, 0); /* its only session is still running */
    destinations_release(&destinations, destination);
    assert_int_equal(destinations.ready_count, 1);
    assert_ptr_equal(begin(&destinations, &item), destination);
    destinations.sessions_max = 2;
    destinations_put_back(&destinations, destination, &item);
    assert_int_equal(destinations.ready_count, 1); /* another session may help */
    assert_int_equal(serve(&destinations), 1);
    destinations_release(&destinations, destination);
    is_empty(&destinations);
}

static void a_blocked_destination_is_not_ready_until_unblocked(void **state)
{
    (void)state;
    struct destinations destinations = {.sessions_max = 2};
    struct callout_item items[3] = {0}, other = {0};
    struct destination *destination;

    push(&destinations, "", "d.example", &items[0]);
    push(&destinations, "", "d.example", &items[1]);
    destination = begin(&destinations, &items[0]);
    assert_int_equal(destinations.ready_count, 1);
    destination->blocked_on = (struct mail_host *)&other; /* only ever compared with NULL here */
    destinations_update(&destinations, destination);
    destinations_update(&destinations, destination); /* twice is once */
    assert_int_equal(destinations.ready_count, 0);
    push(&destinations, "", "d.example", &items[2]); /* what comes now waits too, */
    assert_int_equal(destinations.ready_count, 0);
    push(&destinations, "", "e.example", &other); /* and holds back nobody else */
    assert_string_equal(destinations.ready->domain, "e.example");
    assert_int_equal(serve(&destinations), 1);
    destinations_release(&destinations, destination);
    assert_true(is_nobody_ready(&destinations));
    assert_int_equal(destinations.pending, 2);
    destination->blocked_on = NULL;
    destinations_update(&destinations, destination);
    destinations_update(&destinations, destination);
    assert_int_equal(destinations.ready_count, 1);
    assert_int_equal(serve(&destinations), 2);
    is_empty(&destinations);
}

static void draining_empties_what_is_blocked(void **state)
{
    (void)state;
    struct destinations destinations = {.sessions_max = 1};
    struct callout_item item = {0};
    struct destination *destination;

    push(&destinations, "", "d.example", &item);
    destination = begin(&destinations, &item);
    destination->blocked_on = (struct mail_host *)&item;
    destinations_put_back(&destinations, destination, &item);
    assert_ptr_equal(destinations_drain(&destinations), &item);
    assert_null(destinations_drain(&destinations));
    destination->blocked_on = NULL;
    destinations_update(&destinations, destination);
    assert_int_equal(destinations.ready_count, 0); /* there is nothing left to ask */
    destinations_release(&destinations, destination);
    is_empty(&destinations);
}

static void draining_yields_every_item(void **state)
{
    (void)state;
    struct destinations destinations = {.sessions_max = 1};
    struct callout_item *items = calloc(DESTINATIONS, 2 * sizeof *items);

    assert_non_null(items);
    for (unsigned i = 0; i < 2 * DESTINATIONS; i++) {
        char domain[32];

        (void)snprintf(domain, sizeof domain, "d%u.example", i % DESTINATIONS);
        push(&destinations, "", domain, &items[i]);
    }
    assert_int_equal(destinations.ready_count, DESTINATIONS);
    assert_int_equal(length(destinations_drain(&destinations)), 2 * DESTINATIONS);
    assert_int_equal(destinations.pending, 0);
    assert_true(is_nobody_ready(&destinations));
    destinations_free(&destinations);
    is_empty(&destinations);
    free(items);
}

static void draining_leaves_running_sessions_alone(void **state)
{
    (void)state;
    struct destinations destinations = {.sessions_max = 1};
    struct callout_item items[2] = {0};
    struct destination *destination;

    push(&destinations, "", "d.example", &items[0]);
    push(&destinations, "", "d.example", &items[1]);
    destination = begin(&destinations, &items[0]);
    assert_ptr_equal(destinations_drain(&destinations), &items[1]);
    assert_null(destinations_drain(&destinations));
    assert_int_equal(destinations.running, 1);
    destinations_release(&destinations, destination);
    is_empty(&destinations);
}

/* --- Idle sessions ------------------------------------------------------------- */

#define HOST "192.0.2.25"
#define OTHER "192.0.2.26"

enum { SESSIONS = 3 };

/* A destination whose sessions have asked all there was. */
struct sessions {
    struct destinations destinations;
    struct callout_item asked[SESSIONS], waits[SESSIONS];
    struct destination *destination;
    struct sched_callout callout[SESSIONS];
    struct idle_session idle[SESSIONS];
};

static int start_sessions(void **state)
{
    struct sessions *s = calloc(1, sizeof *s);

    if (s == NULL)
        return -1;
    s->destinations.sessions_max = SESSIONS;
    for (int i = 0; i < SESSIONS; i++) {
        push(&s->destinations, "", "d.example", &s->asked[i]);
        s->destination = begin(&s->destinations, &s->asked[i]);
    }
    *state = s;
    return 0;
}

/* What nobody took is taken; all sessions end. */
static int end_sessions(void **state)
{
    struct sessions *s = *state;

    (void)destinations_drain(&s->destinations);
    for (unsigned left = s->destinations.running; left > 0; left--)
        destinations_release(&s->destinations, s->destination);
    is_empty(&s->destinations);
    free(s);
    return 0;
}

static void idle(struct sessions *s, int session, const char *host)
{
    s->callout[session].destination = s->destination;
    idle_begin(&s->idle[session], &s->destinations, &s->callout[session], host);
}

/* A session is idle no longer, and has got that: NULL: nothing. */
static void got(struct sessions *s, int session, const struct callout_item *item)
{
    assert_ptr_equal(idle_finish(&s->idle[session], &s->destinations), item);
    assert_true(s->idle[session].is_over);
}

static void the_session_that_became_idle_last_gets_the_item(void **state)
{
    struct sessions *s = *state;

    for (int i = 0; i < SESSIONS; i++)
        idle(s, i, HOST);
    assert_int_equal(s->destinations.idle_count, SESSIONS);
    push(&s->destinations, "", "d.example", &s->waits[0]);
    assert_true(s->idle[2].is_over);
    assert_false(s->idle[1].is_over);
    push(&s->destinations, "", "d.example", &s->waits[1]);
    assert_true(s->idle[1].is_over);
    assert_false(s->idle[0].is_over);
    assert_true(is_nobody_ready(&s->destinations)); /* no further session is wanted */
    assert_int_equal(s->destinations.pending, 0);
    got(s, 2, &s->waits[0]);
    got(s, 1, &s->waits[1]);
    got(s, 0, NULL);
}

static void items_that_idle_sessions_cannot_take_want_another_session(void **state)
{
    struct sessions *s = *state;

    destinations_release(&s->destinations, s->destination); /* one has gone */
    idle(s, 0, HOST);
    push(&s->destinations, "", "d.example", &s->waits[0]);
    assert_int_equal(s->destinations.ready_count, 0);
    push(&s->destinations, "", "d.example", &s->waits[1]);
    assert_int_equal(s->destinations.ready_count, 1);
    assert_ptr_equal(begin(&s->destinations, &s->waits[1]), s->destination);
    got(s, 0, &s->waits[0]);
}

static void a_session_gets_at_once_what_waits_already(void **state)
{
    struct sessions *s = *state;

    push(&s->destinations, "", "d.example", &s->waits[0]); /* all sessions are busy */
    idle(s, 0, HOST);
    got(s, 0, &s->waits[0]);
}

static void an_item_of_another_destination_is_nothing_for_an_idle_session(void **state)
{
    struct sessions *s = *state;
    struct destination *other;

    idle(s, 0, HOST);
    push(&s->destinations, "", "other.example", &s->waits[0]);
    assert_false(s->idle[0].is_over);
    other = begin(&s->destinations, &s->waits[0]);
    assert_string_equal(other->domain, "other.example");
    destinations_release(&s->destinations, other);
    got(s, 0, NULL);
}

static void the_session_that_was_idle_longest_is_evicted(void **state)
{
    struct sessions *s = *state;

    idle(s, 0, OTHER);
    idle(s, 1, HOST);
    idle(s, 2, HOST);
    assert_true(idle_evict(&s->destinations, HOST));
    got(s, 1, NULL);
    assert_true(idle_evict(&s->destinations, NULL));
    got(s, 0, NULL);
    assert_false(idle_evict(&s->destinations, OTHER));
    assert_true(idle_evict(&s->destinations, HOST));
    got(s, 2, NULL);
    assert_false(idle_evict(&s->destinations, NULL));
}

static void a_session_whose_time_is_up_gets_nothing_more(void **state)
{
    struct sessions *s = *state;

    destinations_release(&s->destinations, s->destination);
    idle(s, 0, HOST);
    got(s, 0, NULL);
    push(&s->destinations, "", "d.example", &s->waits[0]);
    assert_ptr_equal(begin(&s->destinations, &s->waits[0]), s->destination);
}

/* --- Verbs --------------------------------------------------------------------- */

#define MX "mx1.example"
#define OTHER_MX "mx2.example"

/* A session begins for what waits first, and is with that mail host; "": with none so far. */
static void begin_with(struct sessions *s, int session, const char *mx)
{
    struct sched_callout *callout = &s->callout[session];
    struct callout_item *item;

    *callout = (struct sched_callout){.destination = destinations_next(&s->destinations, &item)};
    assert_non_null(callout->destination);
    s->destination = callout->destination;
    destinations_begin_callout(&s->destinations, callout, item);
    (void)destinations_set_mx(&s->destinations, callout, mx);
}

static void end(struct sessions *s, int session)
{
    destinations_end_callout(&s->destinations, &s->callout[session]);
    destinations_release(&s->destinations, s->callout[session].destination);
}

static int make_world(void **state)
{
    struct sessions *s = calloc(1, sizeof *s);

    if (s == NULL)
        return -1;
    s->destinations.sessions_max = SESSIONS;
    *state = s;
    return 0;
}

static void push_address(struct sessions *s, int item)
{
    push(&s->destinations, "", "d.example", &s->asked[item]);
}

static void push_verb(struct sessions *s, int item, const char *only_mx)
{
    s->waits[item].verb = "AYTTM";
    s->waits[item].only_mx = only_mx;
    push(&s->destinations, "", "d.example", &s->waits[item]);
}

static bool has_session_with(const struct sessions *s, const char *mx)
{
    return destinations_have_session_with(&s->destinations, "", "d.example", mx);
}

static struct callout_item *given(struct sessions *s, int session)
{
    return destinations_take(&s->destinations, &s->callout[session]);
}

static void a_verb_is_kept_for_the_session_with_its_host(void **state)
{
    struct sessions *s = *state;

    assert_false(has_session_with(s, MX));
    push_address(s, 0);
    begin_with(s, 0, "");
    assert_false(has_session_with(s, MX));
    (void)destinations_set_mx(&s->destinations, &s->callout[0], MX);
    assert_true(has_session_with(s, "MX1.Example"));
    assert_false(has_session_with(s, OTHER_MX));
    assert_false(destinations_have_session_with(&s->destinations, "", "e.example", MX));
    assert_false(destinations_have_session_with(&s->destinations, "r.example", "d.example", MX));
    push_verb(s, 0, "Mx1.example");
    assert_true(is_nobody_ready(&s->destinations)); /* no other session is wanted */
    assert_int_equal(s->destinations.pending, 1);
    assert_ptr_equal(given(s, 0), &s->waits[0]);
    assert_false(has_session_with(s, MX)); /* it says no second one */
    assert_null(given(s, 0));
    end(s, 0);
}

static void a_verb_for_any_host_is_kept_for_any_session(void **state)
{
    struct sessions *s = *state;

    push_address(s, 0);
    begin_with(s, 0, ""); /* it looks for the mail hosts still */
    push_verb(s, 0, NULL);
    assert_true(is_nobody_ready(&s->destinations));
    assert_ptr_equal(given(s, 0), &s->waits[0]);
    end(s, 0);
}

static void a_verb_for_another_host_wants_a_session_of_its_own(void **state)
{
    struct sessions *s = *state;

    push_address(s, 0);
    begin_with(s, 0, MX);
    push_verb(s, 0, OTHER_MX);
    push_address(s, 1);
    assert_int_equal(s->destinations.ready_count, 1);
    assert_ptr_equal(given(s, 0), &s->asked[1]); /* which stood behind it */
    assert_null(given(s, 0));
    assert_int_equal(s->destinations.pending, 1);
    begin_with(s, 1, MX);
    assert_true(s->callout[1].has_verb);
    push_address(s, 2);
    assert_ptr_equal(given(s, 0), &s->asked[2]);
    end(s, 0);
    end(s, 1);
}

static void a_verb_that_a_session_has_ended_without_wants_another(void **state)
{
    struct sessions *s = *state;

    push_address(s, 0);
    begin_with(s, 0, MX);
    push_verb(s, 0, MX);
    assert_int_equal(s->destinations.ready_count, 0);
    assert_true(destinations_set_mx(&s->destinations, &s->callout[0], ""));
    assert_int_equal(s->destinations.ready_count, 1);
    assert_null(given(s, 0)); /* it is with none, or with the next host */
    end(s, 0);
    begin_with(s, 1, MX);
    assert_true(s->callout[1].has_verb);
    push_verb(s, 1, NULL); /* for nobody under way either */
    assert_int_equal(s->destinations.ready_count, 1);
    begin_with(s, 2, MX);
    end(s, 1);
    end(s, 2);
}

static void the_end_of_a_callout_lets_go_of_what_was_kept(void **state)
{
    struct sessions *s = *state;

    push_address(s, 0);
    begin_with(s, 0, MX);
    push_verb(s, 0, MX);
    push_verb(s, 1, NULL);
    end(s, 0);
    assert_int_equal(s->destinations.pending, 2);
    assert_int_equal(s->destinations.ready_count, 1);
}

static void of_two_verbs_one_session_is_given_one(void **state)
{
    struct sessions *s = *state;

    push_address(s, 0);
    begin_with(s, 0, MX);
    push_verb(s, 0, MX);
    push_verb(s, 1, NULL);
    push_address(s, 1);
    assert_ptr_equal(given(s, 0), &s->waits[0]);
    assert_int_equal(s->destinations.ready_count, 1);
    assert_ptr_equal(given(s, 0), &s->asked[1]);
    assert_null(given(s, 0));
    begin_with(s, 1, MX);
    assert_true(s->callout[1].has_verb);
    end(s, 0);
    end(s, 1);
}

static void an_idle_session_with_the_right_host_gets_the_verb(void **state)
{
    struct sessions *s = *state;
    static const char *const mx[SESSIONS] = {MX, OTHER_MX, OTHER_MX};

    for (int i = 0; i < SESSIONS; i++) {
        push_address(s, i);
        begin_with(s, i, mx[i]);
    }
    for (int i = 0; i < SESSIONS; i++)
        idle_begin(&s->idle[i], &s->destinations, &s->callout[i], HOST);
    push_verb(s, 0, MX);
    assert_true(s->idle[0].is_over);
    assert_false(s->idle[1].is_over || s->idle[2].is_over);
    push_verb(s, 1, NULL);
    assert_true(s->idle[2].is_over); /* the one that became idle last */
    got(s, 0, &s->waits[0]);
    got(s, 1, NULL);
    got(s, 2, &s->waits[1]);
    for (int i = 0; i < SESSIONS; i++)
        end(s, i);
}

static void a_session_without_a_verb_awaits_the_one_that_was_announced(void **state)
{
    struct sessions *s = *state;

    s->asked[1].then_client = s->asked[2].then_client = true;
    push_address(s, 0);
    begin_with(s, 0, MX);
    assert_false(s->callout[0].awaits_verb);
    push_address(s, 1);
    assert_ptr_equal(given(s, 0), &s->asked[1]);
    assert_true(s->callout[0].awaits_verb);
    push_verb(s, 0, MX);
    assert_ptr_equal(given(s, 0), &s->waits[0]);
    assert_false(s->callout[0].awaits_verb);
    push_address(s, 2);
    assert_ptr_equal(given(s, 0), &s->asked[2]);
    assert_false(s->callout[0].awaits_verb); /* it has said one */
    end(s, 0);
}

static void a_verb_makes_no_destination_busy(void **state)
{
    struct sessions *s = *state;

    s->waits[0].asked_ms = s->waits[1].asked_ms = 5000;
    push_verb(s, 0, NULL);
    begin_with(s, 0, MX);
    assert_true(s->destination->gap_ms == INT64_MAX);
    push_verb(s, 1, NULL);
    assert_true(s->destination->gap_ms == INT64_MAX);
    end(s, 0);
}

static void what_is_kept_is_drained_too(void **state)
{
    struct sessions *s = *state;

    push_address(s, 0);
    begin_with(s, 0, MX);
    push_verb(s, 0, MX);
    push_address(s, 1);
    assert_int_equal(length(destinations_drain(&s->destinations)), 2);
    assert_null(given(s, 0));
    end(s, 0);
    is_empty(&s->destinations);
}

/* What is left waits for nobody. */
static int unmake_world(void **state)
{
    struct sessions *s = *state;

    assert_int_equal(s->destinations.running, 0);
    (void)destinations_drain(&s->destinations);
    destinations_free(&s->destinations);
    free(s);
    return 0;
}

/* --- The probe ------------------------------------------------------------------- */

enum { TTL_S = 100, NOW_S = 1000 };

static const struct address_record accepted = {.reason = RB_REASON_ACCEPTED, .code = 250};
static const struct fact no = {FACT_NO, NOW_S}, nothing = {FACT_UNKNOWN, 0};

static enum callout_probe probe(struct destination *destination, struct callout_item *item,
                                int64_t now_s)
{
    struct fact catch_all = nothing;
    enum callout_probe turn =
        destination_begin_probe(destination, item, &accepted, TTL_S, now_s, &catch_all);

    assert_int_equal(catch_all.state != FACT_UNKNOWN, turn == CALLOUT_PROBE_KNOWN);
    return turn;
}

static void one_probes_and_the_others_are_parked(void **state)
{
    (void)state;
    struct destination destination = {.running = 3};
    struct callout_item items[3] = {0}, *parked;
    bool seen[3] = {false};

    assert_int_equal(probe(&destination, &items[0], NOW_S), CALLOUT_PROBE);
    for (int i = 1; i < 3; i++) {
        assert_int_equal(probe(&destination, NULL, NOW_S), CALLOUT_PROBE_PARKED); /* only said */
        assert_int_equal(probe(&destination, &items[i], NOW_S), CALLOUT_PROBE_PARKED);
    }
    for (parked = destination_end_probe(&destination, &no); parked != NULL; parked = parked->next) {
        assert_false(seen[parked - items]);
        seen[parked - items] = true;
        assert_int_equal(parked->best.reason, RB_REASON_ACCEPTED);
        assert_int_equal(parked->best.code, 250);
    }
    assert_false(seen[0]);
    assert_true(seen[1]);
    assert_true(seen[2]);
    assert_null(destination.parked);
}

static void what_was_found_out_is_known_to_those_who_come_later(void **state)
{
    (void)state;
    struct destination destination = {.running = 1};
    struct callout_item item = {0};
    struct fact catch_all = nothing;

    assert_int_equal(probe(&destination, &item, NOW_S), CALLOUT_PROBE);
    assert_null(destination_end_probe(&destination, &no));
    assert_int_equal(destination_begin_probe(&destination, &item, &accepted, TTL_S,
                                             NOW_S + TTL_S - 1, &catch_all),
                     CALLOUT_PROBE_KNOWN);
    assert_int_equal(catch_all.state, FACT_NO);
    assert_int_equal(catch_all.stamp_s, NOW_S);
    assert_int_equal(probe(&destination, &item, NOW_S + TTL_S + 1), CALLOUT_PROBE);
}

static void a_probe_that_told_nothing_leaves_it_to_the_next(void **state)
{
    (void)state;
    struct destination destination = {.running = 2};
    struct callout_item items[2] = {0};

    assert_int_equal(probe(&destination, &items[0], NOW_S), CALLOUT_PROBE);
    assert_int_equal(probe(&destination, &items[1], NOW_S), CALLOUT_PROBE_PARKED);
    assert_ptr_equal(destination_end_probe(&destination, &nothing), &items[1]);
    assert_int_equal(probe(&destination, &items[0], NOW_S), CALLOUT_PROBE);
    assert_null(destination_end_probe(&destination, &nothing));
}

#define VERB(name) cmocka_unit_test_setup_teardown(name, make_world, unmake_world)
#define IDLE(name) cmocka_unit_test_setup_teardown(name, start_sessions, end_sessions)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(where_nothing_waits_there_is_nothing),
        cmocka_unit_test(items_of_a_destination_come_in_order),
        cmocka_unit_test(destinations_are_served_in_turn),
        cmocka_unit_test(a_destination_with_all_its_sessions_running_is_not_ready),
        cmocka_unit_test(a_destination_whose_items_are_all_taken_is_not_ready),
        cmocka_unit_test(each_session_begins_with_an_item_of_its_own),
        cmocka_unit_test(a_limit_that_was_raised_counts_at_the_next_push),
        cmocka_unit_test(relay_and_domain_make_a_destination),
        cmocka_unit_test(names_that_are_too_long_are_not_taken),
        cmocka_unit_test(an_item_put_back_comes_first_again),
        cmocka_unit_test(a_destination_with_an_item_put_back_is_ready_after_its_session),
        cmocka_unit_test(a_blocked_destination_is_not_ready_until_unblocked),
        cmocka_unit_test(draining_empties_what_is_blocked),
        cmocka_unit_test(draining_yields_every_item),
        cmocka_unit_test(draining_leaves_running_sessions_alone),
        IDLE(the_session_that_became_idle_last_gets_the_item),
        IDLE(items_that_idle_sessions_cannot_take_want_another_session),
        IDLE(a_session_gets_at_once_what_waits_already),
        IDLE(an_item_of_another_destination_is_nothing_for_an_idle_session),
        IDLE(the_session_that_was_idle_longest_is_evicted),
        VERB(a_verb_is_kept_for_the_session_with_its_host),
        VERB(a_verb_for_any_host_is_kept_for_any_session),
        VERB(a_verb_for_another_host_wants_a_session_of_its_own),
        VERB(a_verb_that_a_session_has_ended_without_wants_another),
        VERB(the_end_of_a_callout_lets_go_of_what_was_kept),
        VERB(of_two_verbs_one_session_is_given_one),
        VERB(an_idle_session_with_the_right_host_gets_the_verb),
        VERB(a_session_without_a_verb_awaits_the_one_that_was_announced),
        VERB(a_verb_makes_no_destination_busy),
        VERB(what_is_kept_is_drained_too),
        IDLE(a_session_whose_time_is_up_gets_nothing_more),
        cmocka_unit_test(one_probes_and_the_others_are_parked),
        cmocka_unit_test(what_was_found_out_is_known_to_those_who_come_later),
        cmocka_unit_test(a_probe_that_told_nothing_leaves_it_to_the_next),
    };

    return cmocka_run_group_tests_name("destination", tests, NULL, NULL);
}
