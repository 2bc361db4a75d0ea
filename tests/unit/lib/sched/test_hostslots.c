/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_hostslots: so many sessions with one mail host and no more, whatever the domains, and nobody
 * waits for ever.
 */
#include "config.h"

#include "check.h"
#include "sched/hostslots.h"

#include <stdio.h>
#include <stdlib.h>

#define HOST "192.0.2.25"
#define OTHER "192.0.2.26"

enum { DOMAINS = 6 };

struct fixture {
    struct hostslots hostslots;
    struct destinations destinations;
    struct callout_item item[DOMAINS];
    struct destination *destination[DOMAINS];
    int64_t now_ms;
};

/* A callout over the domain whose turn it is; NULL: none is ready. Its item is put back. */
static struct destination *next(struct fixture *f)
{
    struct callout_item *item;
    struct destination *destination = destinations_next(&f->destinations, &item);

    if (destination != NULL)
        destinations_put_back(&f->destinations, destination, item);
    return destination;
}

static struct callout_item *take(struct fixture *f, int domain)
{
    struct sched_callout callout = {.destination = f->destination[domain]};

    return destinations_take(&f->destinations, &callout);
}

/* Domains with an address to ask about, each served by a worker. */
static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    if (f == NULL)
        return -1;
    f->destinations.sessions_max = 1;
    for (int i = 0; i < DOMAINS; i++) {
        char domain[32];

        (void)snprintf(domain, sizeof domain, "d%d.example", i);
        if (destinations_push(&f->destinations, "", domain, &f->item[i]) != RB_OK)
            return -1;
        f->destination[i] = next(f);
    }
    f->now_ms = 1000000;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    hostslots_free(&f->hostslots);
    destinations_free(&f->destinations);
    free(f);
    return 0;
}

static enum callout_permission enter(struct fixture *f, int domain, const char *ip, unsigned max)
{
    f->hostslots.sessions_max = max;
    return hostslots_enter(&f->hostslots, &f->destinations, f->destination[domain], ip, false,
                           f->now_ms);
}

/* A session is over; the limit is the same for all domains, whosever it was. */
static bool leave_as(struct fixture *f, const char *ip, unsigned max,
                     const struct sched_contact *contact)
{
    f->hostslots.sessions_max = max;
    return hostslots_leave(&f->hostslots, &f->destinations, f->destination[0], ip, contact,
                           f->now_ms);
}

/* One that the host had let in. */
static bool leave(struct fixture *f, const char *ip, unsigned max)
{
    const struct sched_contact contact = {.let_in = true};

    return leave_as(f, ip, max, &contact);
}

static enum callout_permission try_out(struct fixture *f, int domain)
{
    f->hostslots.sessions_max = 5;
    return hostslots_enter(&f->hostslots, &f->destinations, f->destination[domain], HOST, true,
                           f->now_ms);
}

/* The domain's run is over; its item, still there, was handed back. */
static bool end_callout(struct fixture *f, int domain, unsigned max)
{
    bool woken;

    f->hostslots.sessions_max = max;
    woken =
        hostslots_end_callout(&f->hostslots, &f->destinations, f->destination[domain], f->now_ms);

    destinations_release(&f->destinations, f->destination[domain]);
    return woken;
}

static void a_host_takes_as_many_sessions_as_it_may(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(enter(f, 0, HOST, 2), CALLOUT_CALL);
    assert_int_equal(enter(f, 1, HOST, 2), CALLOUT_CALL);
    assert_int_equal(enter(f, 2, HOST, 2), CALLOUT_FULL);
    assert_int_equal(hostslots_running(&f->hostslots, HOST), 2);
    assert_int_equal(enter(f, 3, OTHER, 2), CALLOUT_CALL); /* another host is not concerned */
}

static void what_is_blocked_needs_no_worker_until_a_slot_is_free(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(enter(f, 0, HOST, 1), CALLOUT_CALL);
    assert_int_equal(enter(f, 1, HOST, 1), CALLOUT_FULL);
    assert_false(end_callout(f, 1, 1));
    assert_null(next(f));
    assert_true(leave(f, HOST, 1));
    assert_ptr_equal(next(f), f->destination[1]);
    assert_int_equal(enter(f, 1, HOST, 1), CALLOUT_CALL);
}

static void the_longest_blocked_comes_first(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(enter(f, 0, HOST, 1), CALLOUT_CALL);
    for (int i = 1; i < 4; i++) {
        assert_int_equal(enter(f, i, HOST, 1), CALLOUT_FULL);
        end_callout(f, i, 1);
    }
    for (int i = 1; i < 4; i++) {
        assert_true(leave(f, HOST, 1));
        assert_ptr_equal(next(f), f->destination[i]);
        assert_null(next(f));
        assert_int_equal(enter(f, i, HOST, 1), CALLOUT_CALL);
    }
    assert_false(leave(f, HOST, 1));
}

static void newcomers_do_not_overtake(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(enter(f, 0, HOST, 1), CALLOUT_CALL);
    assert_int_equal(enter(f, 1, HOST, 1), CALLOUT_FULL);
    end_callout(f, 1, 1);
    assert_true(leave(f, HOST, 1));
    assert_int_equal(enter(f, 2, HOST, 1), CALLOUT_FULL);
    assert_int_equal(enter(f, 1, HOST, 1), CALLOUT_CALL);
}

static void a_slot_that_is_not_taken_up_goes_to_the_next(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(enter(f, 0, HOST, 1), CALLOUT_CALL);
    for (int i = 1; i < 3; i++) {
        assert_int_equal(enter(f, i, HOST, 1), CALLOUT_FULL);
        end_callout(f, i, 1);
    }
    assert_true(leave(f, HOST, 1));
    assert_ptr_equal(next(f), f->destination[1]);
    assert_int_equal(enter(f, 1, OTHER, 1), CALLOUT_CALL); /* its domain has moved */
    assert_false(leave(f, OTHER, 1));
    assert_true(end_callout(f, 1, 1));
    assert_int_equal(enter(f, 2, HOST, 1), CALLOUT_CALL);
}

static void what_has_nothing_left_to_ask_is_not_blocked(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(enter(f, 0, HOST, 1), CALLOUT_CALL);
    assert_int_equal(enter(f, 1, HOST, 1), CALLOUT_FULL);
    assert_ptr_equal(take(f, 1), &f->item[1]);
    end_callout(f, 1, 1); /* frees it */
    assert_false(leave(f, HOST, 1));
    assert_int_equal(enter(f, 2, HOST, 1), CALLOUT_CALL);
}

static void one_alone_tries_a_host_that_was_held_back(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(try_out(f, 0), CALLOUT_CALL);
    assert_int_equal(try_out(f, 1), CALLOUT_HELD_BACK);
    assert_false(leave(f, HOST, 5));
    assert_int_equal(try_out(f, 1), CALLOUT_CALL);
}

/* --- What the host lets us know ------------------------------------------- */

/* A session that has entered is turned away, and leaves. */
static enum sched_excess turn_away(struct fixture *f, int domain, const char *ip, unsigned max)
{
    struct sched_contact contact = {0};
    enum sched_excess excess = hostslots_turned_away(
        &f->hostslots, &f->destinations, f->destination[domain], ip, true, &contact, f->now_ms);

    (void)leave_as(f, ip, max, &contact);
    return excess;
}

static void one_turned_away_shows_how_many_a_host_allows(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 4; i++)
        assert_int_equal(enter(f, i, HOST, 10), CALLOUT_CALL);
    assert_int_equal(turn_away(f, 3, HOST, 10), SCHED_OTHERS);
    end_callout(f, 3, 10);
    assert_int_equal(hostslots_running(&f->hostslots, HOST), 3);
    assert_null(next(f)); /* it is blocked */
    assert_int_equal(enter(f, 4, HOST, 10), CALLOUT_FULL);
    assert_true(leave(f, HOST, 10));
    assert_ptr_equal(next(f), f->destination[3]);
    assert_int_equal(enter(f, 3, HOST, 10), CALLOUT_CALL);
    assert_int_equal(enter(f, 5, HOST, 10), CALLOUT_FULL);
    assert_int_equal(enter(f, 5, OTHER, 10), CALLOUT_CALL); /* another host is not concerned */
}

/* All are turned away at one time: those that have not left yet are none of those allowed. */
static void several_turned_away_at_once_are_counted_once_each(void **state)
{
    struct fixture *f = *state;
    struct sched_contact contact[3] = {{0}};

    for (int i = 0; i < 6; i++)
        assert_int_equal(enter(f, i, HOST, 10), CALLOUT_CALL);
    for (int i = 0; i < 3; i++)
        assert_int_equal(hostslots_turned_away(&f->hostslots, &f->destinations, f->destination[i],
                                               HOST, true, &contact[i], f->now_ms),
                         SCHED_OTHERS);
    for (int i = 0; i < 3; i++) {
        (void)leave_as(f, HOST, 10, &contact[i]);
        end_callout(f, i, 10);
    }
    assert_null(next(f)); /* three are allowed */
    (void)leave(f, HOST, 10);
    assert_ptr_equal(next(f), f->destination[0]);
    assert_null(next(f));
}

static void what_a_host_allows_is_forgotten_after_some_minutes(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(enter(f, 0, HOST, 10), CALLOUT_CALL);
    assert_int_equal(enter(f, 1, HOST, 10), CALLOUT_CALL);
    assert_int_equal(turn_away(f, 1, HOST, 10), SCHED_OTHERS);
    for (int i = 1; i < 4; i++) {
        if (i > 1)
            assert_int_equal(enter(f, i, HOST, 10), CALLOUT_FULL);
        end_callout(f, i, 10);
    }
    f->now_ms += HOSTSLOTS_ALLOWED_MS - 1;
    assert_int_equal(enter(f, 4, HOST, 10), CALLOUT_FULL);
    f->now_ms++;
    assert_true(leave(f, HOST, 10));
    for (int i = 1; i < 4; i++) /* all that wait, at once */
        assert_ptr_equal(next(f), f->destination[i]);
}

/* It also holds over a time in which nothing goes on. */
static void what_a_host_allows_is_remembered_while_it_is_idle(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(enter(f, 0, HOST, 10), CALLOUT_CALL);
    assert_int_equal(enter(f, 1, HOST, 10), CALLOUT_CALL);
    assert_int_equal(turn_away(f, 1, HOST, 10), SCHED_OTHERS);
    (void)leave(f, HOST, 10);
    assert_ptr_equal(take(f, 1), &f->item[1]);
    end_callout(f, 1, 10); /* it had nothing left to ask */
    assert_int_equal(hostslots_running(&f->hostslots, HOST), 0);
    assert_int_equal(enter(f, 0, HOST, 10), CALLOUT_CALL);
    assert_int_equal(enter(f, 2, HOST, 10), CALLOUT_FULL);
}

/* Dead, or closed to us: the last one to find out has found out. */
static void one_alone_that_is_turned_away_has_met_a_failure(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(enter(f, 0, HOST, 10), CALLOUT_CALL);
    assert_int_equal(enter(f, 1, HOST, 10), CALLOUT_CALL);
    assert_int_equal(turn_away(f, 1, HOST, 10), SCHED_OTHERS);
    assert_int_equal(turn_away(f, 0, HOST, 10), SCHED_ALONE);
    assert_int_equal(enter(f, 1, HOST, 10), CALLOUT_CALL); /* unblocked for it */
    assert_int_equal(turn_away(f, 1, HOST, 10), SCHED_ALONE);
}

/* A host may close its books on a session later than it said goodbye. */
static void a_session_that_has_just_ended_may_still_count(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(enter(f, 0, HOST, 10), CALLOUT_CALL);
    (void)leave(f, HOST, 10);
    assert_int_equal(enter(f, 0, HOST, 10), CALLOUT_CALL);
    assert_int_equal(turn_away(f, 0, HOST, 10), SCHED_LAGS);
    assert_int_equal(enter(f, 0, HOST, 10), CALLOUT_CALL); /* one is allowed all the same */
    assert_int_equal(enter(f, 1, HOST, 10), CALLOUT_FULL);
    f->now_ms += HOSTSLOTS_LAG_MS;
    assert_int_equal(turn_away(f, 0, HOST, 10), SCHED_ALONE);
}

static void one_that_has_just_ended_explains_no_refused_connection(void **state)
{
    struct fixture *f = *state;
    struct sched_contact contact = {.let_in = true};

    assert_int_equal(enter(f, 0, HOST, 10), CALLOUT_CALL);
    assert_int_equal(hostslots_turned_away(&f->hostslots, &f->destinations, f->destination[0], HOST,
                                           false, &contact, f->now_ms),
                     SCHED_ALONE);
}

static void it_is_not_waited_for_without_end(void **state)
{
    struct fixture *f = *state;

    for (int round = 0; round < 2; round++) {
        assert_int_equal(enter(f, 0, HOST, 10), CALLOUT_CALL);
        (void)leave(f, HOST, 10);
        for (int i = 0; i < HOSTSLOTS_LAGS_MAX; i++) {
            assert_int_equal(enter(f, 0, HOST, 10), CALLOUT_CALL);
            assert_int_equal(turn_away(f, 0, HOST, 10), SCHED_LAGS);
        }
        for (int i = 0; i < 2; i++) {
            assert_int_equal(enter(f, 0, HOST, 10), CALLOUT_CALL);
            assert_int_equal(turn_away(f, 0, HOST, 10), SCHED_ALONE);
        }
    }
}

static void the_session_before_in_the_same_run_counts_as_one(void **state)
{
    struct fixture *f = *state;
    struct sched_contact contact = {.let_in = true};

    assert_int_equal(enter(f, 0, HOST, 10), CALLOUT_CALL);
    assert_int_equal(hostslots_turned_away(&f->hostslots, &f->destinations, f->destination[0], HOST,
                                           true, &contact, f->now_ms),
                     SCHED_LAGS);
    (void)leave_as(f, HOST, 10, &contact);
}

/* Unblocked for one host, turned away by another that it calls first: the slot of the one is handed
 * on. */
static void who_is_unblocked_twice_leaves_nobody_behind(void **state)
{
    struct fixture *f = *state;
    struct sched_contact contact = {0};

    assert_int_equal(enter(f, 0, OTHER, 1), CALLOUT_CALL);
    for (int i = 1; i < 3; i++) {
        assert_int_equal(enter(f, i, OTHER, 1), CALLOUT_FULL);
        end_callout(f, i, 1);
    }
    assert_int_equal(enter(f, 3, HOST, 2), CALLOUT_CALL);
    assert_true(leave(f, OTHER, 1));
    assert_ptr_equal(next(f), f->destination[1]);
    assert_int_equal(enter(f, 1, HOST, 2), CALLOUT_CALL);
    assert_int_equal(hostslots_turned_away(&f->hostslots, &f->destinations, f->destination[1], HOST,
                                           true, &contact, f->now_ms),
                     SCHED_OTHERS);
    assert_false(leave(f, HOST, 2)); /* the other one, while this one says goodbye */
    assert_true(leave_as(f, HOST, 2, &contact));
    assert_true(end_callout(f, 1, 1));
    assert_ptr_equal(next(f), f->destination[2]);
    assert_ptr_equal(next(f), f->destination[1]);
}

/* Those that wait for a slot find it out too: for them nobody may come otherwise. */
static void a_host_that_is_left_alone_is_so_for_all_that_wait(void **state)
{
    struct fixture *f = *state;
    const struct sched_contact contact = {.let_in = true};

    assert_int_equal(enter(f, 0, HOST, 1), CALLOUT_CALL);
    for (int i = 1; i < 3; i++) {
        assert_int_equal(enter(f, i, HOST, 1), CALLOUT_FULL);
        end_callout(f, i, 1);
    }
    hostslots_pause(&f->hostslots, HOST, f->now_ms);
    assert_true(leave_as(f, HOST, 1, &contact));
    for (int i = 1; i < 3; i++) {
        assert_ptr_equal(next(f), f->destination[i]);
        assert_int_equal(enter(f, i, HOST, 1), CALLOUT_PAUSED);
        end_callout(f, i, 1);
    }
    f->now_ms += HOSTSLOTS_PAUSE_MS - 1;
    assert_int_equal(enter(f, 1, HOST, 1), CALLOUT_PAUSED);
    f->now_ms++;
    assert_int_equal(enter(f, 1, HOST, 1), CALLOUT_CALL);
}

static void an_answer_is_remembered_for_a_while(void **state)
{
    struct fixture *f = *state;

    hostslots_note_answer(&f->hostslots, HOST, f->now_ms); /* nobody of that name */
    assert_false(hostslots_has_answered(&f->hostslots, HOST, f->now_ms));
    assert_int_equal(enter(f, 0, HOST, 1), CALLOUT_CALL);
    assert_false(hostslots_has_answered(&f->hostslots, HOST, f->now_ms));
    hostslots_note_answer(&f->hostslots, HOST, f->now_ms);
    (void)leave(f, HOST, 1);
    f->now_ms += HOSTSLOTS_ANSWERED_MS - 1;
    assert_true(hostslots_has_answered(&f->hostslots, HOST, f->now_ms));
    assert_false(hostslots_has_answered(&f->hostslots, OTHER, f->now_ms));
    f->now_ms++;
    assert_false(hostslots_has_answered(&f->hostslots, HOST, f->now_ms));
}

static void so_many_idle_hosts_are_remembered_and_no_more(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < HOSTSLOTS_IDLE_MAX + 100; i++) {
        char ip[46];

        (void)snprintf(ip, sizeof ip, "192.0.%d.%d", i / 256, i % 256);
        assert_int_equal(enter(f, 0, ip, 1), CALLOUT_CALL);
        hostslots_note_answer(&f->hostslots, ip, f->now_ms);
        (void)leave(f, ip, 1);
    }
    assert_int_equal(f->hostslots.idle_count, HOSTSLOTS_IDLE_MAX);
    assert_false(
        hostslots_has_answered(&f->hostslots, "192.0.0.99", f->now_ms)); /* the longest idle */
    assert_true(hostslots_has_answered(&f->hostslots, "192.0.0.100", f->now_ms));
}

/* Sessions end, or are turned away, at any time. */
static void end_somehow(struct fixture *f, int domain, unsigned *seed)
{
    f->now_ms += rand_r(seed) % 20000;
    if (rand_r(seed) % 8 == 0)
        (void)turn_away(f, domain, HOST, 2);
    else
        (void)leave(f, HOST, 2);
}

/* A hundred thousand random steps: never more than may, and nobody is left behind. */
static void whatever_happens_the_limit_holds_and_nobody_is_forgotten(void **state)
{
    enum { IDLE, CALLING, BLOCKED };
    struct fixture *f = *state;
    unsigned seed = 4711, at[DOMAINS] = {IDLE}, running = 0;

    print_message("# seed %u\n", seed);
    for (int step = 0; step < 100000; step++) {
        int i = rand_r(&seed) % DOMAINS;
        struct destination *turn;

        if (at[i] == CALLING) {
            end_somehow(f, i, &seed);
            (void)end_callout(f, i, 2);
            at[i] = BLOCKED; /* its item is still there: it is ready at once */
            running--;
        } else if (at[i] == IDLE) {
            if (enter(f, i, HOST, 2) == CALLOUT_CALL) {
                at[i] = CALLING;
                running++;
            } else {
                (void)end_callout(f, i, 2);
                at[i] = BLOCKED;
            }
        }
        while ((turn = next(f)) != NULL)
            for (int j = 0; j < DOMAINS; j++)
                if (f->destination[j] == turn)
                    at[j] = IDLE;
        assert_int_equal(hostslots_running(&f->hostslots, HOST), running);
        assert_true(running <= 2);
        for (int j = 0; j < DOMAINS; j++) /* who is aside has somebody to wait for */
            assert_true(at[j] != BLOCKED || running == 2 || f->destination[j]->blocked_on != NULL);
        if (running == 0) { /* and where nobody calls, somebody is about to */
            unsigned idle = 0;

            for (int j = 0; j < DOMAINS; j++)
                idle += at[j] == IDLE;
            assert_int_not_equal(idle, 0);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_host_takes_as_many_sessions_as_it_may),
        TEST(what_is_blocked_needs_no_worker_until_a_slot_is_free),
        TEST(the_longest_blocked_comes_first),
        TEST(newcomers_do_not_overtake),
        TEST(a_slot_that_is_not_taken_up_goes_to_the_next),
        TEST(what_has_nothing_left_to_ask_is_not_blocked),
        TEST(one_alone_tries_a_host_that_was_held_back),
        TEST(one_turned_away_shows_how_many_a_host_allows),
        TEST(several_turned_away_at_once_are_counted_once_each),
        TEST(what_a_host_allows_is_forgotten_after_some_minutes),
        TEST(what_a_host_allows_is_remembered_while_it_is_idle),
        TEST(one_alone_that_is_turned_away_has_met_a_failure),
        TEST(a_session_that_has_just_ended_may_still_count),
        TEST(one_that_has_just_ended_explains_no_refused_connection),
        TEST(it_is_not_waited_for_without_end),
        TEST(the_session_before_in_the_same_run_counts_as_one),
        TEST(who_is_unblocked_twice_leaves_nobody_behind),
        TEST(a_host_that_is_left_alone_is_so_for_all_that_wait),
        TEST(an_answer_is_remembered_for_a_while),
        TEST(so_many_idle_hosts_are_remembered_and_no_more),
        TEST(whatever_happens_the_limit_holds_and_nobody_is_forgotten),
    };

    return cmocka_run_group_tests_name("hostslots", tests, NULL, NULL);
}
