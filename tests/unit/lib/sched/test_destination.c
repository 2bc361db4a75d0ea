/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_queue: what waits, by destination, and in which turn it is served.
 */
#include "config.h"

#include "sched/destination.h"

#include <stdio.h>

#include "check.h"

enum { DESTINATIONS = 200 };

static void push(struct queue *queue, const char *relay, const char *domain,
                 struct callout_item *item, unsigned sessions_max)
{
    assert_int_equal(queue_push(queue, relay, domain, item, sessions_max), RB_OK);
}

/* Serves a destination to its end: takes all and lets go. */
static unsigned serve(struct queue *queue, struct destination *destination, unsigned sessions_max)
{
    unsigned count = 0;

    while (queue_take(queue, destination) != NULL)
        count++;
    queue_release(queue, destination, sessions_max);
    return count;
}

static void is_empty(const struct queue *queue)
{
    assert_null(queue->table);
    assert_null(queue->ready);
    assert_int_equal(queue->ready_count, 0);
    assert_int_equal(queue->pending, 0);
    assert_int_equal(queue->running, 0);
}

static void an_empty_queue_has_nothing(void **state)
{
    (void)state;
    struct queue queue = {0};

    assert_null(queue_next(&queue, 1));
    assert_null(queue_drain(&queue));
    queue_free(&queue);
    is_empty(&queue);
}

static void items_of_a_destination_come_in_order(void **state)
{
    (void)state;
    struct queue queue = {0};
    struct callout_item items[3] = {0};
    struct destination *destination;

    for (size_t i = 0; i < COUNT(items); i++)
        push(&queue, NULL, "d.example", &items[i], 1);
    assert_int_equal(queue.pending, 3);
    assert_int_equal(queue.ready_count, 1);
    destination = queue_next(&queue, 1);
    assert_non_null(destination);
    assert_string_equal(destination->domain, "d.example");
    assert_string_equal(destination->relay, "");
    assert_int_equal(queue.running, 1);
    for (size_t i = 0; i < COUNT(items); i++) {
        struct callout_item *item = queue_take(&queue, destination);

        assert_ptr_equal(item, &items[i]);
        assert_null(item->next);
    }
    assert_null(queue_take(&queue, destination));
    queue_release(&queue, destination, 1);
    is_empty(&queue);
}

static void destinations_are_served_in_turn(void **state)
{
    (void)state;
    static const char *const turns[] = {"a.example", "b.example", "c.example",
                                        "a.example", "b.example", "c.example"};
    struct queue queue = {0};
    struct callout_item items[12] = {0};

    /* A busy destination, then two others. Each session here takes one item. */
    for (size_t i = 0; i < COUNT(items); i++)
        push(&queue, NULL, i < 6 ? "a.example" : i < 9 ? "b.example" : "c.example", &items[i], 1);
    for (size_t i = 0; i < COUNT(turns); i++) {
        struct destination *destination = queue_next(&queue, 1);

        assert_non_null(destination);
        assert_string_equal(destination->domain, turns[i]);
        assert_non_null(queue_take(&queue, destination));
        queue_release(&queue, destination, 1);
    }
    while (queue_drain(&queue) != NULL)
        continue;
    queue_free(&queue);
}

static void a_destination_with_all_its_sessions_running_is_not_ready(void **state)
{
    (void)state;
    struct queue queue = {0};
    struct callout_item items[5] = {0};
    struct destination *first, *second;

    for (size_t i = 0; i < COUNT(items); i++)
        push(&queue, NULL, "d.example", &items[i], 2);
    first = queue_next(&queue, 2);
    second = queue_next(&queue, 2);
    assert_non_null(first);
    assert_ptr_equal(first, second);
    assert_int_equal(first->running, 2);
    assert_int_equal(queue.running, 2);
    assert_null(queue_next(&queue, 2));
    assert_non_null(queue_take(&queue, first));
    queue_release(&queue, first, 2);
    assert_ptr_equal(queue_next(&queue, 2), first);
    assert_int_equal(serve(&queue, first, 2), 4);
    queue_release(&queue, first, 2);
    is_empty(&queue);
}

static void a_destination_whose_items_are_all_taken_is_not_ready(void **state)
{
    (void)state;
    struct queue queue = {0};
    struct callout_item item = {0}, late = {0};
    struct destination *destination;

    push(&queue, NULL, "d.example", &item, 2);
    destination = queue_next(&queue, 2);
    assert_int_equal(queue.ready_count, 0); /* the session that comes takes it */
    assert_ptr_equal(queue_take(&queue, destination), &item);
    assert_int_equal(queue.ready_count, 0);
    assert_null(queue_next(&queue, 2));
    /* It lives on with its session, and what comes now finds it. */
    push(&queue, NULL, "d.example", &late, 2);
    assert_int_equal(HASH_COUNT(queue.table), 1);
    assert_int_equal(queue.ready_count, 1);
    assert_ptr_equal(queue_take(&queue, destination), &late);
    queue_release(&queue, destination, 2);
    is_empty(&queue);
}

static void no_session_is_called_for_what_another_comes_for(void **state)
{
    (void)state;
    struct queue queue = {0};
    struct callout_item items[3] = {0};
    struct destination *destination;

    push(&queue, NULL, "d.example", &items[0], 5);
    destination = queue_next(&queue, 5);
    assert_null(queue_next(&queue, 5));
    push(&queue, NULL, "d.example", &items[1], 5);
    push(&queue, NULL, "d.example", &items[2], 5);
    assert_ptr_equal(queue_next(&queue, 5), destination);
    assert_ptr_equal(queue_next(&queue, 5), destination);
    assert_null(queue_next(&queue, 5));
    /* The first is so quick that it takes all; those that come find nothing, and end. */
    for (size_t i = 0; i < COUNT(items); i++)
        assert_ptr_equal(queue_take(&queue, destination), &items[i]);
    assert_null(queue_take(&queue, destination));
    queue_release(&queue, destination, 5);
    queue_release(&queue, destination, 5);
    queue_release(&queue, destination, 5);
    is_empty(&queue);
}

static void a_session_that_ends_and_took_nothing_leaves_its_items_to_others(void **state)
{
    (void)state;
    struct queue queue = {0};
    struct callout_item item = {0};
    struct destination *destination;

    push(&queue, NULL, "d.example", &item, 2);
    destination = queue_next(&queue, 2);
    queue_release(&queue, destination, 2);
    assert_ptr_equal(queue_next(&queue, 2), destination);
    assert_int_equal(serve(&queue, destination, 2), 1);
    is_empty(&queue);
}

static void a_limit_that_was_raised_counts_at_the_next_push(void **state)
{
    (void)state;
    struct queue queue = {0};
    struct callout_item items[2] = {0};
    struct destination *destination;

    push(&queue, NULL, "d.example", &items[0], 1);
    destination = queue_next(&queue, 1);
    assert_null(queue_next(&queue, 1));
    push(&queue, NULL, "d.example", &items[1], 2);
    assert_ptr_equal(queue_next(&queue, 2), destination);
    queue_release(&queue, destination, 2);
    assert_int_equal(serve(&queue, destination, 2), 2);
    is_empty(&queue);
}

static void relay_and_domain_make_a_destination(void **state)
{
    (void)state;
    static const struct {
        const char *relay, *domain;
    } rows[] = {{NULL, "d.example"},
                {"mx.example:25", "d.example"},
                {"mx.example:26", "d.example"},
                {"mx.example:25", "e.example"},
                {"d.example", ""}};
    struct queue queue = {0};
    struct callout_item items[COUNT(rows)] = {0}, again = {0};

    for (size_t i = 0; i < COUNT(rows); i++)
        push(&queue, rows[i].relay, rows[i].domain, &items[i], 1);
    assert_int_equal(HASH_COUNT(queue.table), COUNT(rows));
    push(&queue, "", "d.example", &again, 1); /* the same as none */
    assert_int_equal(HASH_COUNT(queue.table), COUNT(rows));
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct destination *destination = queue_next(&queue, 1);

        assert_string_equal(destination->relay, rows[i].relay != NULL ? rows[i].relay : "");
        assert_string_equal(destination->domain, rows[i].domain);
        assert_int_equal(serve(&queue, destination, 1), i == 0 ? 2 : 1);
    }
    is_empty(&queue);
}

static void names_that_are_too_long_are_not_taken(void **state)
{
    (void)state;
    char relay[RELAY_MAX + 2], domain[RB_DOMAIN_MAX + 2];
    struct queue queue = {0};
    struct callout_item item = {0};

    memset(relay, 'r', sizeof relay - 1);
    memset(domain, 'd', sizeof domain - 1);
    relay[sizeof relay - 1] = domain[sizeof domain - 1] = '\0';
    assert_int_equal(queue_push(&queue, relay, "d.example", &item, 1), RB_ERR_NOMEM);
    assert_int_equal(queue_push(&queue, NULL, domain, &item, 1), RB_ERR_NOMEM);
    is_empty(&queue);
    relay[RELAY_MAX] = domain[RB_DOMAIN_MAX] = '\0';
    push(&queue, relay, domain, &item, 1);
    assert_ptr_equal(queue_drain(&queue), &item);
    queue_free(&queue);
}

static void an_item_put_back_comes_first_again(void **state)
{
    (void)state;
    struct queue queue = {0};
    struct callout_item items[3] = {0}, late = {0};
    struct destination *destination;

    for (size_t i = 0; i < COUNT(items); i++)
        push(&queue, NULL, "d.example", &items[i], 1);
    destination = queue_next(&queue, 1);
    assert_ptr_equal(queue_take(&queue, destination), &items[0]);
    assert_int_equal(queue.pending, 2);
    queue_put_back(&queue, destination, &items[0]);
    assert_int_equal(queue.pending, 3);
    for (size_t i = 0; i < COUNT(items); i++)
        assert_ptr_equal(queue_take(&queue, destination), &items[i]);
    /* the only one again: what comes now stands behind it */
    queue_put_back(&queue, destination, &items[2]);
    push(&queue, NULL, "d.example", &late, 1);
    assert_ptr_equal(queue_take(&queue, destination), &items[2]);
    assert_ptr_equal(queue_take(&queue, destination), &late);
    assert_null(queue_take(&queue, destination));
    queue_release(&queue, destination, 1);
    is_empty(&queue);
}

static void a_destination_with_an_item_put_back_is_ready_after_its_session(void **state)
{
    (void)state;
    struct queue queue = {0};
    struct callout_item item = {0};
    struct destination *destination;

    push(&queue, NULL, "d.example", &item, 1);
    destination = queue_next(&queue, 1);
    assert_ptr_equal(queue_take(&queue, destination), &item);
    queue_put_back(&queue, destination, &item);
    assert_int_equal(queue.ready_count, 0); /* its only session is still running */
    queue_release(&queue, destination, 1);
    assert_int_equal(queue.ready_count, 1);
    assert_ptr_equal(queue_next(&queue, 2), destination);
    assert_ptr_equal(queue_take(&queue, destination), &item);
    queue_put_back(&queue, destination, &item);
    assert_int_equal(queue.ready_count, 1); /* another session may help */
    assert_int_equal(serve(&queue, destination, 2), 1);
    is_empty(&queue);
}

static void a_destination_set_aside_is_not_ready_until_let_out(void **state)
{
    (void)state;
    struct queue queue = {0};
    struct callout_item items[3] = {0}, other = {0};
    struct destination *destination;

    push(&queue, NULL, "d.example", &items[0], 2);
    push(&queue, NULL, "d.example", &items[1], 2);
    destination = queue_next(&queue, 2);
    assert_int_equal(queue.ready_count, 1);
    destination->wanted = (struct slot *)&other; /* only ever compared with NULL here */
    queue_reconsider(&queue, destination);
    queue_reconsider(&queue, destination); /* twice is once */
    assert_int_equal(queue.ready_count, 0);
    push(&queue, NULL, "d.example", &items[2], 2); /* what comes now waits too, */
    assert_int_equal(queue.ready_count, 0);
    push(&queue, NULL, "e.example", &other, 2); /* and holds back nobody else */
    assert_string_equal(queue.ready->domain, "e.example");
    assert_int_equal(serve(&queue, queue_next(&queue, 2), 2), 1);
    queue_release(&queue, destination, 2);
    assert_null(queue_next(&queue, 2));
    assert_int_equal(queue.pending, 3);
    destination->wanted = NULL;
    queue_reconsider(&queue, destination);
    queue_reconsider(&queue, destination);
    assert_int_equal(queue.ready_count, 1);
    assert_int_equal(serve(&queue, queue_next(&queue, 2), 2), 3);
    is_empty(&queue);
}

static void draining_empties_what_is_set_aside(void **state)
{
    (void)state;
    struct queue queue = {0};
    struct callout_item item = {0};
    struct destination *destination;

    push(&queue, NULL, "d.example", &item, 1);
    destination = queue_next(&queue, 1);
    destination->wanted = (struct slot *)&item;
    queue_reconsider(&queue, destination);
    assert_ptr_equal(queue_drain(&queue), &item);
    assert_null(queue_drain(&queue));
    destination->wanted = NULL;
    queue_reconsider(&queue, destination);
    assert_int_equal(queue.ready_count, 0); /* there is nothing left to ask */
    queue_release(&queue, destination, 1);
    is_empty(&queue);
}

static void draining_yields_every_item(void **state)
{
    (void)state;
    struct queue queue = {0};
    struct callout_item *items = calloc(DESTINATIONS, 2 * sizeof *items);
    unsigned drained = 0;

    assert_non_null(items);
    for (unsigned i = 0; i < 2 * DESTINATIONS; i++) {
        char domain[32];

        (void)snprintf(domain, sizeof domain, "d%u.example", i % DESTINATIONS);
        push(&queue, NULL, domain, &items[i], 1);
    }
    assert_int_equal(queue.ready_count, DESTINATIONS);
    while (queue_drain(&queue) != NULL)
        drained++;
    assert_int_equal(drained, 2 * DESTINATIONS);
    assert_int_equal(queue.pending, 0);
    assert_null(queue_next(&queue, 1));
    queue_free(&queue);
    is_empty(&queue);
    free(items);
}

static void draining_leaves_running_sessions_alone(void **state)
{
    (void)state;
    struct queue queue = {0};
    struct callout_item items[2] = {0};
    struct destination *destination;

    push(&queue, NULL, "d.example", &items[0], 1);
    push(&queue, NULL, "d.example", &items[1], 1);
    destination = queue_next(&queue, 1);
    assert_ptr_equal(queue_take(&queue, destination), &items[0]);
    assert_ptr_equal(queue_drain(&queue), &items[1]);
    assert_null(queue_drain(&queue));
    assert_int_equal(queue.running, 1);
    queue_release(&queue, destination, 1);
    is_empty(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_queue_has_nothing),
        cmocka_unit_test(items_of_a_destination_come_in_order),
        cmocka_unit_test(destinations_are_served_in_turn),
        cmocka_unit_test(a_destination_with_all_its_sessions_running_is_not_ready),
        cmocka_unit_test(a_destination_whose_items_are_all_taken_is_not_ready),
        cmocka_unit_test(no_session_is_called_for_what_another_comes_for),
        cmocka_unit_test(a_session_that_ends_and_took_nothing_leaves_its_items_to_others),
        cmocka_unit_test(a_limit_that_was_raised_counts_at_the_next_push),
        cmocka_unit_test(relay_and_domain_make_a_destination),
        cmocka_unit_test(names_that_are_too_long_are_not_taken),
        cmocka_unit_test(an_item_put_back_comes_first_again),
        cmocka_unit_test(a_destination_with_an_item_put_back_is_ready_after_its_session),
        cmocka_unit_test(a_destination_set_aside_is_not_ready_until_let_out),
        cmocka_unit_test(draining_empties_what_is_set_aside),
        cmocka_unit_test(draining_yields_every_item),
        cmocka_unit_test(draining_leaves_running_sessions_alone),
    };

    return cmocka_run_group_tests_name("queue", tests, NULL, NULL);
}
