/* SPDX-License-Identifier: BSD-2-Clause */
/* test_connections: who has a place, who must go, and when. */
#include "config.h"

#include "http/connections.h"

#include "check.h"
#include "fake_clock.h"

static struct fake_clock fake;
static struct connections table;
static int next_fd;

static const struct sockaddr near_peer = {.sa_family = AF_UNIX};
static struct sockaddr_storage far_peer, other_peer;

static int set_up(void **state)
{
    (void)state;
    fake_clock_init(&fake);
    table = (struct connections){.clock = &fake.clock};
    next_fd = 100;
    assert_true(ip_sockaddr_parse("192.0.2.1", &far_peer));
    assert_true(ip_sockaddr_parse("192.0.2.2", &other_peer));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    while (table.count > 0)
        connections_remove(&table, table.items[0]);
    return 0;
}

static void pass_ms(int ms)
{
    atomic_fetch_add(&fake.monotonic_ms, ms);
}

static const struct sockaddr *any(const struct sockaddr_storage *address)
{
    return (const struct sockaddr *)address;
}

static struct connection *add(const struct sockaddr *peer)
{
    struct connection *added = connections_add(&table, next_fd++, peer);

    assert_non_null(added);
    return added;
}

/* Each a millisecond after the other. */
static struct connection *add_many(const struct sockaddr *peer, int count,
                                   enum connection_state state)
{
    struct connection *first = NULL, *added;

    for (int i = 0; i < count; i++) {
        added = add(peer);
        connections_set_state(&table, added, state);
        if (first == NULL)
            first = added;
        pass_ms(1);
    }
    return first;
}

/* Who must go for one more; NULL: nobody may be dropped, or there is a place (then *has). */
static struct connection *to_go(const struct sockaddr *peer, bool *has)
{
    struct connection *found;

    *has = connections_has_place(&table, peer, &found);
    return found;
}

static void there_is_a_place_up_to_the_ceiling(void **state)
{
    bool has;

    (void)state;
    for (int i = 0; i < CONNECTIONS_MAX; i++) {
        assert_null(to_go(&near_peer, &has));
        assert_true(has);
        (void)add(&near_peer);
    }
    (void)to_go(&near_peer, &has);
    assert_false(has);
}

static void who_has_waited_for_longest_goes_first(void **state)
{
    struct connection *first;
    bool has;

    (void)state;
    (void)add_many(&near_peer, 1, CONNECTION_ANSWERS);
    first = add_many(&near_peer, CONNECTIONS_MAX - 1, CONNECTION_WAITS);
    pass_ms(CONNECTION_YIELD_MS);
    assert_ptr_equal(to_go(&near_peer, &has), first);
    connections_set_state(&table, first, CONNECTION_WAITS); /* served in between */
    assert_ptr_not_equal(to_go(&near_peer, &has), first);
}

static void an_answer_is_given_up_late(void **state)
{
    struct connection *first = add_many(&near_peer, CONNECTIONS_MAX, CONNECTION_ANSWERS);
    bool has;

    (void)state;
    assert_null(to_go(&near_peer, &has));
    assert_false(has);
    pass_ms(CONNECTION_YIELD_MS - CONNECTIONS_MAX);
    assert_ptr_equal(to_go(&near_peer, &has), first);
}

static void who_was_dropped_has_no_place(void **state)
{
    struct connection *first = add_many(&near_peer, CONNECTIONS_MAX, CONNECTION_WAITS);
    bool has;

    (void)state;
    connections_set_state(&table, first, CONNECTION_DROPPED);
    assert_int_equal(connections_live(&table), CONNECTIONS_MAX - 1);
    assert_null(to_go(&near_peer, &has));
    assert_true(has);
    pass_ms(CONNECTION_ANSWER_MS * 2);
    assert_ptr_not_equal(connections_overdue(&table), first);
}

static void an_address_has_some_places_and_gives_up_its_own(void **state)
{
    struct connection *near_one = add_many(&near_peer, 1, CONNECTION_WAITS);
    struct connection *first = add_many(any(&far_peer), CONNECTIONS_OF_ADDRESS, CONNECTION_WAITS);
    bool has;

    (void)state;
    assert_ptr_equal(to_go(any(&far_peer), &has), first);
    assert_false(has);
    assert_null(to_go(any(&other_peer), &has));
    assert_true(has);
    assert_null(to_go(&near_peer, &has));
    assert_true(has);
    assert_ptr_not_equal(first, near_one);
}

static void loopback_has_all_places(void **state)
{
    struct sockaddr_storage loopback;
    bool has;

    (void)state;
    assert_true(ip_sockaddr_parse("127.0.0.1", &loopback));
    (void)add_many(any(&loopback), CONNECTIONS_MAX - 1, CONNECTION_WAITS);
    assert_null(to_go(any(&loopback), &has));
    assert_true(has);
}

static void the_table_never_grows_beyond_its_room(void **state)
{
    (void)state;
    (void)add_many(&near_peer, 2 * CONNECTIONS_MAX, CONNECTION_DROPPED);
    assert_null(connections_add(&table, next_fd, &near_peer));
}

static void a_request_that_does_not_come_is_overdue(void **state)
{
    struct connection *one = add(&near_peer);

    (void)state;
    assert_int_equal(connections_wait_ms(&table), CONNECTION_REQUEST_MS);
    pass_ms(CONNECTION_REQUEST_MS - 1);
    assert_null(connections_overdue(&table));
    assert_int_equal(connections_wait_ms(&table), 1);
    pass_ms(1);
    assert_ptr_equal(connections_overdue(&table), one);
    assert_int_equal(connections_wait_ms(&table), 0);
}

static void an_answer_that_is_not_taken_is_overdue(void **state)
{
    struct connection *one = add(&near_peer);

    (void)state;
    pass_ms(CONNECTION_REQUEST_MS - 1);
    connections_set_state(&table, one, CONNECTION_ANSWERS);
    assert_int_equal(connections_wait_ms(&table), CONNECTION_YIELD_MS);
    pass_ms(CONNECTION_YIELD_MS);
    assert_int_equal(connections_wait_ms(&table), CONNECTION_ANSWER_MS - CONNECTION_YIELD_MS);
    pass_ms(CONNECTION_ANSWER_MS - CONNECTION_YIELD_MS - 1);
    assert_null(connections_overdue(&table));
    pass_ms(1);
    assert_ptr_equal(connections_overdue(&table), one);
}

static void without_connections_nothing_is_waited_for(void **state)
{
    (void)state;
    assert_int_equal(connections_wait_ms(&table), -1);
    connections_set_state(&table, add(&near_peer), CONNECTION_DROPPED);
    assert_int_equal(connections_wait_ms(&table), -1);
}

static void answers_have_a_ceiling_together(void **state)
{
    struct connection *first = add_many(&near_peer, 2, CONNECTION_ANSWERS);
    struct connection *second = connections_find(&table, first->fd + 1);

    (void)state;
    first->octets = second->octets = CONNECTIONS_OCTETS_MAX / 2;
    assert_null(connections_too_heavy(&table, 0));
    assert_ptr_equal(connections_too_heavy(&table, 1), first);
    connections_set_state(&table, first, CONNECTION_DROPPED);
    assert_null(connections_too_heavy(&table, CONNECTIONS_OCTETS_MAX / 2));
    connections_set_state(&table, second, CONNECTION_WAITS);
    assert_null(connections_too_heavy(&table, 2 * (size_t)CONNECTIONS_OCTETS_MAX)); /* none to go */
}

static void a_connection_is_found_by_its_descriptor(void **state)
{
    struct connection *one = add(&near_peer), *other = add(any(&far_peer));

    (void)state;
    assert_ptr_equal(connections_find(&table, one->fd), one);
    assert_ptr_equal(connections_find(&table, other->fd), other);
    assert_null(connections_find(&table, 1));
    connections_remove(&table, one);
    assert_ptr_equal(connections_find(&table, other->fd), other);
    assert_int_equal(table.count, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(there_is_a_place_up_to_the_ceiling),
        TEST(who_has_waited_for_longest_goes_first),
        TEST(an_answer_is_given_up_late),
        TEST(who_was_dropped_has_no_place),
        TEST(an_address_has_some_places_and_gives_up_its_own),
        TEST(loopback_has_all_places),
        TEST(the_table_never_grows_beyond_its_room),
        TEST(a_request_that_does_not_come_is_overdue),
        TEST(an_answer_that_is_not_taken_is_overdue),
        TEST(without_connections_nothing_is_waited_for),
        TEST(answers_have_a_ceiling_together),
        TEST(a_connection_is_found_by_its_descriptor),
    };

    return cmocka_run_group_tests_name("connections", tests, NULL, NULL);
}
