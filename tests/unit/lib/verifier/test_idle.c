/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_idle: sessions that are kept open for the next question, and that nobody waits for what an
 * idle session holds.
 */
#include "config.h"

#include "check.h"

#include "verifier/verifier.h"
#include "verifier_rig.h"

#include <stdio.h>

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

/* Waits until so many sessions are idle, and none does anything else. */
static void await_idle(struct rig *rig, uint64_t count)
{
    struct rb_stats stats = rig_stats(rig);

    for (int i = 0; i < RIG_PATIENCE_MS && (stats.resting != count || stats.running != count);
         i++) {
        check_pause();
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
        await_idle(rig, resting + (unsigned)i);
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
        await_idle(rig, 1);
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

/* Though nobody asked about the domain before. */
static void a_session_is_kept_open_where_the_client_will_be_asked_about(void **state)
{
    struct rig *rig = *state;
    struct rb_question question = rig_question("user@one.example");

    rig_open(rig);
    question.then_client = true;
    assert_int_equal(rig_outcome(rig_put(rig, &question)), RB_REASON_NO_SUCH_USER);
    await_idle(rig, 1);
    assert_true(sched_has_session_with(rig->verifier->sched, "", "one.example", "MX.example"));
    assert_false(sched_has_session_with(rig->verifier->sched, "", "two.example", "mx.example"));
    is_answered(rig, "other@one.example");
    assert_int_equal(rig_connections(rig), 1);
    await_idle(rig, 1); /* it is awaited still */
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

static void a_verifier_that_stops_says_quit_in_idle_sessions(void **state)
{
    struct rig *rig = *state;

    rig_open(rig);
    make_busy(rig, "one.example");
    make_busy(rig, "two.example");
    await_idle(rig, 2);
    rig_close(rig);
    assert_true(fake_host_wait(rig->host, "QUIT", 4));
}

static void an_idle_session_whose_worker_others_want_is_evicted(void **state)
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

static void a_worker_with_an_idle_session_takes_no_place_from_others(void **state)
{
    struct rig *rig = *state;

    rig->options.max_workers = 1;
    rig->options.max_held = 1;
    rig_open(rig);
    make_busy(rig, "one.example");
    make_busy(rig, "two.example");
    await_idle(rig, 2);
    assert_int_equal(fake_host_heard(rig->host, "QUIT"), 2);
}

static void an_idle_session_leaves_its_host_to_another_domain(void **state)
{
    struct rig *rig = *state;

    rig->options.per_host_sessions = 1;
    rig_open(rig);
    make_busy(rig, "one.example");
    is_answered(rig, "user@two.example");
    is_answered(rig, "user@two.example");
    await_idle(rig, 0);
    assert_true(fake_host_wait(rig->host, "QUIT", 3));
    assert_int_equal(rig_connections(rig), 3);
}

static void an_idle_session_that_was_lost_is_followed_by_another(void **state)
{
    struct rig *rig = *state;

    rig_open(rig);
    make_busy(rig, "one.example");
    rig_start_host(rig, &knows_nobody); /* the one there was closes its connections */
    is_answered(rig, "user@one.example");
    assert_int_equal(rig_connections(rig), 1);
    assert_int_equal(rig_rcpts(rig), 1);
}

static void idle_sessions_serve_a_crowd(void **state)
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, rig_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_next_question_goes_into_the_session_there_is),
        TEST(a_domain_that_is_asked_about_now_and_then_has_no_session_kept_open),
        TEST(a_session_is_kept_open_where_the_client_will_be_asked_about),
        TEST(where_it_is_off_a_session_ends_at_once),
        TEST(a_session_that_nobody_needs_ends_by_itself),
        TEST(a_verifier_that_stops_says_quit_in_idle_sessions),
        TEST(an_idle_session_whose_worker_others_want_is_evicted),
        TEST(a_worker_with_an_idle_session_takes_no_place_from_others),
        TEST(an_idle_session_leaves_its_host_to_another_domain),
        TEST(an_idle_session_that_was_lost_is_followed_by_another),
        TEST(idle_sessions_serve_a_crowd),
    };

    return cmocka_run_group_tests_name("idle", tests, NULL, NULL);
}
