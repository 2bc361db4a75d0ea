/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_rest: sessions that are kept open for the next question: who is woken, who is sent home, and
 * that nobody waits for what a resting session holds.
 */
#include "config.h"

#include "check.h"

#include "sched/destination.h"
#include "verifier_rig.h"

#include <stdio.h>

#define HOST "192.0.2.25"
#define OTHER "192.0.2.26"

/* --- Who is woken ----------------------------------------------------------- */

enum { SESSIONS = 3 };

/* A destination whose sessions have asked all there was. */
struct sessions {
    struct queue queue;
    struct callout_item asked[SESSIONS], waits[SESSIONS];
    struct destination *destination;
    struct rest rest[SESSIONS];
};

static void push(struct sessions *s, const char *domain, struct callout_item *item)
{
    assert_int_equal(queue_push(&s->queue, NULL, domain, item, SESSIONS), RB_OK);
}

static int start_sessions(void **state)
{
    struct sessions *s = calloc(1, sizeof *s);

    if (s == NULL)
        return -1;
    for (int i = 0; i < SESSIONS; i++) {
        push(s, "d.example", &s->asked[i]);
        s->destination = queue_next(&s->queue, SESSIONS);
        assert_ptr_equal(queue_take(&s->queue, s->destination), &s->asked[i]);
    }
    *state = s;
    return 0;
}

/* What nobody took is taken; all sessions end. */
static int end_sessions(void **state)
{
    struct sessions *s = *state;

    while (queue_drain(&s->queue) != NULL) {
    }
    assert_null(s->queue.resting);
    assert_int_equal(s->queue.resting_count, 0);
    for (int i = 0; i < SESSIONS; i++)
        queue_release(&s->queue, s->destination, SESSIONS);
    assert_null(s->queue.table);
    free(s);
    return 0;
}

static void begin(struct sessions *s, int session, const char *host)
{
    rest_begin(&s->rest[session], &s->queue, s->destination, host);
}

static void finish(struct sessions *s)
{
    for (int i = 0; i < SESSIONS; i++)
        if (s->rest[i].destination != NULL)
            rest_finish(&s->rest[i], &s->queue);
}

static void the_one_that_rested_last_is_called_first(void **state)
{
    struct sessions *s = *state;

    for (int i = 0; i < SESSIONS; i++)
        begin(s, i, HOST);
    assert_int_equal(s->queue.resting_count, SESSIONS);
    push(s, "d.example", &s->waits[0]);
    assert_int_equal(s->rest[2].end, REST_CALLED);
    assert_int_equal(s->rest[1].end, REST_GOES_ON);
    push(s, "d.example", &s->waits[1]);
    assert_int_equal(s->rest[1].end, REST_CALLED);
    assert_int_equal(s->rest[0].end, REST_GOES_ON);
    assert_int_equal(s->queue.ready_count, 0); /* no further session is wanted */
    finish(s);
}

static void what_is_more_than_they_can_take_wants_another_session(void **state)
{
    struct sessions *s = *state;

    queue_release(&s->queue, s->destination, SESSIONS); /* one has gone */
    begin(s, 0, HOST);
    push(s, "d.example", &s->waits[0]);
    assert_int_equal(s->queue.ready_count, 0);
    push(s, "d.example", &s->waits[1]);
    assert_int_equal(s->queue.ready_count, 1);
    assert_ptr_equal(queue_next(&s->queue, SESSIONS), s->destination);
    finish(s);
}

static void one_that_begins_while_something_waits_is_called_at_once(void **state)
{
    struct sessions *s = *state;

    push(s, "d.example", &s->waits[0]); /* all sessions are busy */
    begin(s, 0, HOST);
    assert_int_equal(s->rest[0].end, REST_CALLED);
    assert_ptr_equal(queue_take(&s->queue, s->destination), &s->waits[0]);
    finish(s);
}

static void another_destination_calls_nobody(void **state)
{
    struct sessions *s = *state;
    struct destination *other;

    begin(s, 0, HOST);
    push(s, "other.example", &s->waits[0]);
    assert_int_equal(s->rest[0].end, REST_GOES_ON);
    other = queue_next(&s->queue, SESSIONS);
    assert_string_equal(other->domain, "other.example");
    finish(s);
    assert_ptr_equal(queue_take(&s->queue, other), &s->waits[0]);
    queue_release(&s->queue, other, SESSIONS);
}

static void the_one_that_rested_longest_goes_home(void **state)
{
    struct sessions *s = *state;

    begin(s, 0, OTHER);
    begin(s, 1, HOST);
    begin(s, 2, HOST);
    assert_true(rest_send_home(&s->queue, HOST));
    assert_int_equal(s->rest[1].end, REST_SENT_HOME);
    assert_true(rest_send_home(&s->queue, NULL));
    assert_int_equal(s->rest[0].end, REST_SENT_HOME);
    assert_false(rest_send_home(&s->queue, OTHER));
    assert_true(rest_send_home(&s->queue, HOST));
    assert_false(rest_send_home(&s->queue, NULL));
    finish(s);
}

static void one_whose_time_is_up_is_called_no_more(void **state)
{
    struct sessions *s = *state;

    queue_release(&s->queue, s->destination, SESSIONS);
    begin(s, 0, HOST);
    rest_finish(&s->rest[0], &s->queue);
    assert_int_equal(s->rest[0].end, REST_SENT_HOME);
    push(s, "d.example", &s->waits[0]);
    assert_int_equal(s->queue.ready_count, 1);
    assert_ptr_equal(queue_next(&s->queue, SESSIONS), s->destination);
}

/* --- In a verifier ----------------------------------------------------------- */

static const struct fake_dns_answer mx[] = {
    {.type = ns_t_mx, .preference = 10, .data = "mx.example"}};
static const struct fake_dns_answer address[] = {{.type = ns_t_a, .data = "127.0.0.1"}};
static const struct fake_dns_row zone[] = {
    {.name = "mx.example", .type = ns_t_a, .answers = address, .count = 1},
    {.name = "one.example", .type = ns_t_mx, .answers = mx, .count = 1},
    {.name = "two.example", .type = ns_t_mx, .answers = mx, .count = 1},
};
static const struct fake_host_options knows_nobody = {.pipelining = true};

static int set_up(void **state)
{
    static const struct rig_world world = {zone, COUNT(zone), &knows_nobody};
    struct rig *rig;

    if (rig_set_up(state, &world) != 0)
        return -1;
    rig = *state;
    rig->options.idle_timeout_ms = 60 * 1000; /* longer than any of these tests may take */
    return 0;
}

/* Waits until so many sessions rest, and none does anything else. */
static void await_resting(struct rig *rig, uint64_t count)
{
    struct rb_stats stats = rig_stats(rig);

    for (int i = 0; i < RIG_PATIENCE_MS && (stats.resting != count || stats.running != count);
         i++) {
        rig_pause();
        stats = rig_stats(rig);
    }
    assert_int_equal(stats.resting, count);
    assert_int_equal(stats.running, count);
}

/* The fake clock stands: all that is asked is asked at one moment. */
static void is_answered(struct rig *rig, const char *text)
{
    assert_int_equal(rig_outcome(rig_ask(rig, text)), RB_REASON_NO_SUCH_USER);
}

/* Asked about twice, so that the second session is kept open. */
static void make_busy(struct rig *rig, const char *domain)
{
    const uint64_t resting = rig_stats(rig).resting;
    char text[2][64];

    for (int i = 0; i < 2; i++) {
        (void)snprintf(text[i], sizeof text[i], "busy%d@%s", i, domain);
        is_answered(rig, text[i]);
        await_resting(rig, resting + (unsigned)i);
    }
}

static void the_next_question_goes_into_the_session_there_is(void **state)
{
    struct rig *rig = *state;

    rig_open(rig);
    make_busy(rig, "one.example");
    for (unsigned i = 0; i < 5; i++) {
        char text[32];

        (void)snprintf(text, sizeof text, "user%u@one.example", i);
        is_answered(rig, text);
        await_resting(rig, 1);
        assert_int_equal(fake_host_heard(rig->host, "RSET"), i + 2);
    }
    assert_int_equal(rig_connections(rig), 2);
    assert_int_equal(rig_stats(rig).sessions, 2);
    assert_int_equal(rig_stats(rig).running, 1);
    assert_int_equal(fake_host_heard(rig->host, "EHLO"), 2);
    assert_int_equal(rig_rcpts(rig), 7);
}

static void a_domain_that_is_asked_about_now_and_then_has_no_session_kept_open(void **state)
{
    struct rig *rig = *state;

    rig_open(rig);
    for (unsigned i = 0; i < 3; i++) {
        char text[32];

        (void)snprintf(text, sizeof text, "user%u@one.example", i);
        is_answered(rig, text);
        rig_await_idle(rig);
        fake_clock_advance_s(&rig->clock, rig->options.idle_timeout_ms / 1000 + 1);
    }
    assert_int_equal(fake_host_heard(rig->host, "RSET"), 0);
    assert_int_equal(fake_host_heard(rig->host, "QUIT"), 3);
}

static void where_it_is_off_a_session_ends_at_once(void **state)
{
    struct rig *rig = *state;

    rig->options.idle_timeout_ms = 0;
    rig_open(rig);
    for (unsigned i = 0; i < 3; i++) {
        char text[32];

        (void)snprintf(text, sizeof text, "user%u@one.example", i);
        is_answered(rig, text);
        rig_await_idle(rig);
    }
    assert_int_equal(fake_host_heard(rig->host, "RSET"), 0);
    assert_int_equal(fake_host_heard(rig->host, "QUIT"), 3);
}

static void a_session_that_nobody_needs_ends_by_itself(void **state)
{
    struct rig *rig = *state;

    rig->options.idle_timeout_ms = 1;
    rig_open(rig);
    is_answered(rig, "user1@one.example");
    rig_await_idle(rig);
    is_answered(rig, "user2@one.example");
    rig_await_idle(rig);
    assert_int_equal(rig_stats(rig).resting, 0);
    assert_int_equal(fake_host_heard(rig->host, "RSET"), 1);
    assert_int_equal(fake_host_heard(rig->host, "QUIT"), 2);
}

static void a_verifier_that_stops_says_quit_in_those_that_rest(void **state)
{
    struct rig *rig = *state;

    rig_open(rig);
    make_busy(rig, "one.example");
    make_busy(rig, "two.example");
    await_resting(rig, 2);
    rig_close(rig);
    assert_true(fake_host_wait(rig->host, "QUIT", 4));
}

static void a_worker_that_others_want_rests_no_longer(void **state)
{
    struct rig *rig = *state;

    rig->options.max_workers = 1;
    rig->options.max_held = 0;
    rig_open(rig);
    make_busy(rig, "one.example");
    is_answered(rig, "user@two.example");
    assert_true(fake_host_wait(rig->host, "QUIT", 2));
    assert_int_equal(rig_connections(rig), 3);
}

static void a_worker_at_rest_takes_no_place_from_others(void **state)
{
    struct rig *rig = *state;

    rig->options.max_workers = 1;
    rig->options.max_held = 1;
    rig_open(rig);
    make_busy(rig, "one.example");
    make_busy(rig, "two.example");
    await_resting(rig, 2);
    assert_int_equal(fake_host_heard(rig->host, "QUIT"), 2);
}

static void a_session_at_rest_leaves_its_host_to_another_domain(void **state)
{
    struct rig *rig = *state;

    rig->options.per_host_sessions = 1;
    rig_open(rig);
    make_busy(rig, "one.example");
    is_answered(rig, "user@two.example");
    is_answered(rig, "user@two.example");
    await_resting(rig, 0);
    assert_true(fake_host_wait(rig->host, "QUIT", 3));
    assert_int_equal(rig_connections(rig), 3);
}

static void a_session_that_was_lost_at_rest_is_followed_by_another(void **state)
{
    struct rig *rig = *state;

    rig_open(rig);
    make_busy(rig, "one.example");
    rig_start_host(rig, &knows_nobody); /* the one there was closes its connections */
    is_answered(rig, "user@one.example");
    assert_int_equal(rig_connections(rig), 1);
    assert_int_equal(rig_rcpts(rig), 1);
}

static void sessions_at_rest_serve_a_crowd(void **state)
{
    struct rig *rig = *state;
    static const char *const texts[] = {"a@one.example", "b@one.example", "c@one.example",
                                        "a@two.example", "b@two.example", "c@two.example"};
    struct rb_ticket *tickets[COUNT(texts)];

    rig->options.per_domain_sessions = 2;
    rig->options.shield.addresses = 0;
    rig_open(rig);
    for (unsigned round = 0; round < 10; round++) {
        for (size_t i = 0; i < COUNT(texts); i++) {
            char text[64];

            (void)snprintf(text, sizeof text, "r%u%s", round, texts[i]);
            tickets[i] = rig_ask(rig, text);
        }
        for (size_t i = 0; i < COUNT(texts); i++)
            assert_int_equal(rig_outcome(tickets[i]), RB_REASON_NO_SUCH_USER);
    }
    assert_true(rig_connections(rig) <= 20); /* few sessions, of ten refusals each and more */
    assert_int_equal(rig_rcpts(rig), 60);
}

#define PURE(name) cmocka_unit_test_setup_teardown(name, start_sessions, end_sessions)
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, rig_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PURE(the_one_that_rested_last_is_called_first),
        PURE(what_is_more_than_they_can_take_wants_another_session),
        PURE(one_that_begins_while_something_waits_is_called_at_once),
        PURE(another_destination_calls_nobody),
        PURE(the_one_that_rested_longest_goes_home),
        PURE(one_whose_time_is_up_is_called_no_more),
        TEST(the_next_question_goes_into_the_session_there_is),
        TEST(a_domain_that_is_asked_about_now_and_then_has_no_session_kept_open),
        TEST(where_it_is_off_a_session_ends_at_once),
        TEST(a_session_that_nobody_needs_ends_by_itself),
        TEST(a_verifier_that_stops_says_quit_in_those_that_rest),
        TEST(a_worker_that_others_want_rests_no_longer),
        TEST(a_worker_at_rest_takes_no_place_from_others),
        TEST(a_session_at_rest_leaves_its_host_to_another_domain),
        TEST(a_session_that_was_lost_at_rest_is_followed_by_another),
        TEST(sessions_at_rest_serve_a_crowd),
    };

    return cmocka_run_group_tests_name("rest", tests, NULL, NULL);
}
