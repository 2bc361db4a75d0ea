/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_slots: so many sessions with one mail host and no more, whatever the domains, and nobody
 * waits for ever.
 */
#include "config.h"

#include "check.h"
#include "slots.h"

#include <stdio.h>
#include <stdlib.h>

#define HOST "192.0.2.25"
#define OTHER "192.0.2.26"

enum { DOMAINS = 6 };

struct fixture {
    struct slots slots;
    struct queue queue;
    struct callout_item item[DOMAINS];
    struct destination *destination[DOMAINS];
};

/* Domains with an address to ask about, each served by a worker. */
static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    if (f == NULL)
        return -1;
    for (int i = 0; i < DOMAINS; i++) {
        char domain[32];

        (void)snprintf(domain, sizeof domain, "d%d.example", i);
        if (queue_push(&f->queue, NULL, domain, &f->item[i], 1) != RB_OK)
            return -1;
        f->destination[i] = queue_next(&f->queue, 1);
    }
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    slots_free(&f->slots);
    queue_free(&f->queue);
    free(f);
    return 0;
}

static enum slots_entry enter(struct fixture *f, int domain, const char *ip, unsigned max)
{
    return slots_enter(&f->slots, &f->queue, f->destination[domain], ip, max, false);
}

/* The domain's run is over; its item, still there, was handed back. */
static bool end_run(struct fixture *f, int domain, unsigned max)
{
    bool woken = slots_settle(&f->slots, &f->queue, f->destination[domain], max);

    queue_release(&f->queue, f->destination[domain], 1);
    return woken;
}

static void a_host_takes_as_many_sessions_as_it_may(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(enter(f, 0, HOST, 2), SLOTS_TAKEN);
    assert_int_equal(enter(f, 1, HOST, 2), SLOTS_TAKEN);
    assert_int_equal(enter(f, 2, HOST, 2), SLOTS_FULL);
    assert_int_equal(slots_running(&f->slots, HOST), 2);
    assert_int_equal(enter(f, 3, OTHER, 2), SLOTS_TAKEN); /* another host is not concerned */
}

static void what_is_set_aside_needs_no_worker_until_a_slot_is_free(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(enter(f, 0, HOST, 1), SLOTS_TAKEN);
    assert_int_equal(enter(f, 1, HOST, 1), SLOTS_FULL);
    assert_false(end_run(f, 1, 1));
    assert_null(queue_next(&f->queue, 1));
    assert_true(slots_leave(&f->slots, &f->queue, HOST, 1));
    assert_ptr_equal(queue_next(&f->queue, 1), f->destination[1]);
    assert_int_equal(enter(f, 1, HOST, 1), SLOTS_TAKEN);
}

static void the_longest_set_aside_comes_first(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(enter(f, 0, HOST, 1), SLOTS_TAKEN);
    for (int i = 1; i < 4; i++) {
        assert_int_equal(enter(f, i, HOST, 1), SLOTS_FULL);
        end_run(f, i, 1);
    }
    for (int i = 1; i < 4; i++) {
        assert_true(slots_leave(&f->slots, &f->queue, HOST, 1));
        assert_ptr_equal(queue_next(&f->queue, 1), f->destination[i]);
        assert_null(queue_next(&f->queue, 1));
        assert_int_equal(enter(f, i, HOST, 1), SLOTS_TAKEN);
    }
    assert_false(slots_leave(&f->slots, &f->queue, HOST, 1));
}

static void newcomers_do_not_overtake(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(enter(f, 0, HOST, 1), SLOTS_TAKEN);
    assert_int_equal(enter(f, 1, HOST, 1), SLOTS_FULL);
    end_run(f, 1, 1);
    assert_true(slots_leave(&f->slots, &f->queue, HOST, 1));
    assert_int_equal(enter(f, 2, HOST, 1), SLOTS_FULL);
    assert_int_equal(enter(f, 1, HOST, 1), SLOTS_TAKEN);
}

static void a_slot_that_is_not_taken_up_goes_to_the_next(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(enter(f, 0, HOST, 1), SLOTS_TAKEN);
    for (int i = 1; i < 3; i++) {
        assert_int_equal(enter(f, i, HOST, 1), SLOTS_FULL);
        end_run(f, i, 1);
    }
    assert_true(slots_leave(&f->slots, &f->queue, HOST, 1));
    assert_ptr_equal(queue_next(&f->queue, 1), f->destination[1]);
    assert_int_equal(enter(f, 1, OTHER, 1), SLOTS_TAKEN); /* its domain has moved */
    assert_false(slots_leave(&f->slots, &f->queue, OTHER, 1));
    assert_true(end_run(f, 1, 1));
    assert_int_equal(enter(f, 2, HOST, 1), SLOTS_TAKEN);
}

static void what_has_nothing_left_to_ask_is_not_set_aside(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(enter(f, 0, HOST, 1), SLOTS_TAKEN);
    assert_int_equal(enter(f, 1, HOST, 1), SLOTS_FULL);
    assert_ptr_equal(queue_take(&f->queue, f->destination[1]), &f->item[1]);
    end_run(f, 1, 1); /* frees it */
    assert_false(slots_leave(&f->slots, &f->queue, HOST, 1));
    assert_int_equal(enter(f, 2, HOST, 1), SLOTS_TAKEN);
}

static void one_alone_tries_a_host_that_was_held_back(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(slots_enter(&f->slots, &f->queue, f->destination[0], HOST, 5, true),
                     SLOTS_TAKEN);
    assert_int_equal(slots_enter(&f->slots, &f->queue, f->destination[1], HOST, 5, true),
                     SLOTS_REFUSED);
    assert_false(slots_leave(&f->slots, &f->queue, HOST, 5));
    assert_int_equal(slots_enter(&f->slots, &f->queue, f->destination[1], HOST, 5, true),
                     SLOTS_TAKEN);
}

static void hosts_with_nothing_going_on_are_forgotten(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(enter(f, 0, HOST, 1), SLOTS_TAKEN);
    assert_int_equal(enter(f, 1, HOST, 1), SLOTS_FULL);
    end_run(f, 1, 1);
    (void)slots_leave(&f->slots, &f->queue, HOST, 1);
    assert_ptr_equal(queue_next(&f->queue, 1), f->destination[1]);
    end_run(f, 1, 1);
    assert_null(f->slots.table);
}

/* A hundred thousand random steps: never more than may, and nobody is left behind. */
static void whatever_happens_the_limit_holds_and_nobody_is_forgotten(void **state)
{
    enum { IDLE, CALLING, ASIDE };
    struct fixture *f = *state;
    unsigned seed = 4711, at[DOMAINS] = {IDLE}, running = 0;

    print_message("# seed %u\n", seed);
    for (int step = 0; step < 100000; step++) {
        int i = rand_r(&seed) % DOMAINS;
        struct destination *next;

        if (at[i] == CALLING) {
            (void)slots_leave(&f->slots, &f->queue, HOST, 2);
            (void)end_run(f, i, 2);
            at[i] = ASIDE; /* its item is still there: it is ready at once */
            running--;
        } else if (at[i] == IDLE) {
            if (enter(f, i, HOST, 2) == SLOTS_TAKEN) {
                at[i] = CALLING;
                running++;
            } else {
                (void)end_run(f, i, 2);
                at[i] = ASIDE;
            }
        }
        while ((next = queue_next(&f->queue, 1)) != NULL)
            for (int j = 0; j < DOMAINS; j++)
                if (f->destination[j] == next)
                    at[j] = IDLE;
        assert_int_equal(slots_running(&f->slots, HOST), running);
        assert_true(running <= 2);
        for (int j = 0; j < DOMAINS; j++) /* who is aside has somebody to wait for */
            assert_true(at[j] != ASIDE || running == 2 || f->destination[j]->wanted != NULL);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_host_takes_as_many_sessions_as_it_may),
        TEST(what_is_set_aside_needs_no_worker_until_a_slot_is_free),
        TEST(the_longest_set_aside_comes_first),
        TEST(newcomers_do_not_overtake),
        TEST(a_slot_that_is_not_taken_up_goes_to_the_next),
        TEST(what_has_nothing_left_to_ask_is_not_set_aside),
        TEST(one_alone_tries_a_host_that_was_held_back),
        TEST(hosts_with_nothing_going_on_are_forgotten),
        TEST(whatever_happens_the_limit_holds_and_nobody_is_forgotten),
    };

    return cmocka_run_group_tests_name("slots", tests, NULL, NULL);
}
