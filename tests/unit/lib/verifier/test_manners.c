/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_manners: a verifier before hosts that have had enough: of connections, of our pace, of one
 * recipient. What waits is answered all the same, and the host is not held back for it.
 */
#include "config.h"

#include "check.h"
#include "sched/hostslots.h"
#include "verifier_rig.h"

#include <stdio.h>

enum { DOMAINS = 6, EACH = 10, CROWD = DOMAINS * EACH };

#define ANSWER(kind, text) ((const struct fake_dns_answer[]){{.type = (kind), .data = (text)}})
#define DOMAIN(n)                                                                                  \
    {                                                                                              \
        .name = "d" #n ".example", .type = ns_t_mx, .answers = ANSWER(ns_t_mx, "mx.example"),      \
        .count = 1                                                                                 \
    }

static const struct fake_dns_row zone[] = {
    {.name = "mx.example", .type = ns_t_a, .answers = ANSWER(ns_t_a, "127.0.0.1"), .count = 1},
    DOMAIN(0),
    DOMAIN(1),
    DOMAIN(2),
    DOMAIN(3),
    DOMAIN(4),
    DOMAIN(5),
};
static const struct fake_host_options knows_nobody = {.pipelining = true};
static const struct fake_host_reply known[] = {
    {"one-more@d0.example", "550 5.1.1 User unknown"},
    {"first@d0.example", "550 5.1.1 User unknown"},
};

static int set_up(void **state)
{
    static const struct rig_world world = {zone, COUNT(zone), &knows_nobody};
    struct rig *rig;

    if (rig_set_up(state, &world) != 0)
        return -1;
    rig = *state;
    rig->options.max_workers = 32;
    rig->options.idle_timeout_ms = 2000;
    rig->options.shield.addresses = 0;
    return 0;
}

static void is_not_held_back(struct rig *rig)
{
    const enum rb_reason reason = rig_outcome(rig_ask(rig, "one-more@d0.example"));

    assert_string_equal(rb_reason_name(reason), "no_such_user");
}

/* Ten questions about each of six domains of one host, at once. */
static void a_crowd_is_answered(struct rig *rig)
{
    struct rb_ticket *tickets[CROWD];

    for (unsigned i = 0; i < CROWD; i++) {
        char text[64];

        (void)snprintf(text, sizeof text, "user%u@d%u.example", i / DOMAINS, i % DOMAINS);
        tickets[i] = rig_ask(rig, text);
    }
    for (unsigned i = 0; i < CROWD; i++)
        assert_string_equal(rb_reason_name(rig_outcome(tickets[i])), "no_such_user");
    assert_int_equal(rig_rcpts(rig), CROWD); /* nobody was asked about twice */
}

static void one_connection_too_many_is_no_failure(void **state)
{
    struct rig *rig = *state;
    static const char *const words[] = {"421 4.7.0 Too many concurrent SMTP connections", ""};

    for (size_t i = 0; i < COUNT(words); i++) {
        const struct fake_host_options host = {
            .pipelining = true, .open_max = 3, .excess = words[i]};

        rig_start_host(rig, &host);
        rig_open(rig);
        a_crowd_is_answered(rig);
        /* It is not tried again and again: those first sent away show how many are allowed. */
        assert_in_range(fake_host_excess(rig->host), 1, 2 * DOMAINS);
        is_not_held_back(rig);
        assert_int_equal(rig_stats(rig).callouts[RB_REASON_LIMITED], 0);
        assert_int_equal(rig_stats(rig).callouts[RB_REASON_TEMPFAIL], 0);
        assert_int_equal(rig_stats(rig).callouts[RB_REASON_UNREACHABLE], 0);
        rig_close(rig);
        fake_clock_advance_s(&rig->clock, 40 * 86400); /* the cache forgets them all */
    }
}

/* A host that allows but one, and still counts those that have just ended. */
static void a_host_that_allows_one_connection_is_asked_in_one(void **state)
{
    struct rig *rig = *state;
    static const struct fake_host_options host = {
        .pipelining = true, .open_max = 1, .excess = "421 4.3.2 too many"};

    rig_start_host(rig, &host);
    rig_open(rig);
    a_crowd_is_answered(rig);
    is_not_held_back(rig);
}

static void a_host_that_turns_everybody_away_fails(void **state)
{
    struct rig *rig = *state;
    static const struct fake_host_options host = {.banner = "421 4.3.2 shutting down"};
    struct rb_ticket *tickets[CROWD];

    rig->options.breaker_failures = 5;
    rig_start_host(rig, &host);
    rig_open(rig);
    for (unsigned i = 0; i < CROWD; i++) {
        char text[64];

        (void)snprintf(text, sizeof text, "user%u@d%u.example", i / DOMAINS, i % DOMAINS);
        tickets[i] = rig_ask(rig, text);
    }
    for (unsigned i = 0; i < CROWD; i++)
        assert_int_equal(rb_reason_verdict(rig_outcome(tickets[i])), RB_VERDICT_UNKNOWN);
    assert_in_range(rig_connections(rig), 5, 5 + 2 * DOMAINS);
    assert_int_equal(rig_outcome(rig_ask(rig, "late@d0.example")), RB_REASON_LIMITED);
}

static void a_host_for_which_we_were_too_much_is_called_after_a_minute(void **state)
{
    struct rig *rig = *state;
    static const struct fake_host_options host = {
        .rcpt = "450 4.7.1 Error: too many recipients from 127.0.0.1"};
    struct rb_answer answer = {.size = 0};

    rig_start_host(rig, &host);
    rig_open(rig);
    answer = rig_answer(rig_ask(rig, "a@d0.example"));
    assert_int_equal(answer.reason, RB_REASON_LIMITED);
    assert_int_equal(answer.code, 450);
    assert_int_equal(answer.expires_s, -1); /* of this moment: it is not kept */
    answer = rig_answer(rig_ask(rig, "b@d1.example"));
    assert_int_equal(answer.reason, RB_REASON_LIMITED);
    assert_string_equal(answer.rule, "host_paused");
    assert_int_equal(rig_rcpts(rig), 1);
    rig_start_host(rig, &knows_nobody);
    fake_clock_advance_s(&rig->clock, HOSTSLOTS_PAUSE_MS / 1000 - 1);
    assert_int_equal(rig_outcome(rig_ask(rig, "c@d1.example")), RB_REASON_LIMITED);
    assert_int_equal(rig_connections(rig), 0);
    fake_clock_advance_s(&rig->clock, 1);
    is_not_held_back(rig);
}

/* Five internal addresses: the host's other senders are still verified. */
static void refused_recipients_do_not_hold_their_host_back(void **state)
{
    struct rig *rig = *state;
    static const struct fake_host_options host = {
        .replies = known,
        .reply_count = COUNT(known),
        .rcpt = "554 5.7.1 <staff@d0.example>: Recipient address rejected: Access denied"};

    rig->options.breaker_failures = 1;
    rig_start_host(rig, &host);
    rig_open(rig);
    for (int i = 0; i < 5; i++) {
        char text[64];

        (void)snprintf(text, sizeof text, "staff%d@d0.example", i);
        assert_int_equal(rb_reason_verdict(rig_outcome(rig_ask(rig, text))), RB_VERDICT_UNKNOWN);
    }
    is_not_held_back(rig);
}

/* A host that answers about some address does not block us, whatever it says to others. */
static void a_refusal_beside_answers_is_of_one_address(void **state)
{
    struct rig *rig = *state;
    static const struct fake_host_options host = {
        .replies = known,
        .reply_count = COUNT(known),
        .rcpt = "554 5.7.1 Client host [127.0.0.1] blocked using bl.example"};

    rig->options.breaker_failures = 1;
    rig->options.idle_timeout_ms = 0; /* that a host has answered is noted when its session ends */
    rig_start_host(rig, &host);
    rig_open(rig);
    assert_int_equal(rig_outcome(rig_ask(rig, "first@d0.example")), RB_REASON_NO_SUCH_USER);
    rig_await_idle(rig);
    for (int i = 0; i < 5; i++) {
        char text[64];

        (void)snprintf(text, sizeof text, "strict%d@d1.example", i);
        assert_int_equal(rig_outcome(rig_ask(rig, text)), RB_REASON_BLOCKED);
    }
    is_not_held_back(rig);
    rig_await_idle(rig);
    fake_clock_advance_s(&rig->clock, HOSTSLOTS_ANSWERED_MS / 1000 + 1);
    assert_int_equal(rig_outcome(rig_ask(rig, "strict9@d1.example")), RB_REASON_BLOCKED);
    rig_await_idle(rig);
    assert_int_equal(rig_outcome(rig_ask(rig, "late@d0.example")), RB_REASON_LIMITED);
}

/* Also to a host whose reply is still awaited then. */
static void a_verifier_that_stops_says_quit(void **state)
{
    struct rig *rig = *state;
    struct rb_ticket *ticket;

    rig_open(rig);
    rig_hold(rig, true);
    ticket = rig_ask(rig, "user@d0.example");
    assert_true(fake_host_wait(rig->host, "RCPT", 1));
    rb_verifier_stop(rig->verifier);
    assert_int_equal(rig_outcome(ticket), RB_REASON_TIMEOUT);
    rig_close(rig);
    rig_hold(rig, false);
    assert_true(fake_host_wait(rig->host, "QUIT", 1));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, rig_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_connection_too_many_is_no_failure),
        TEST(a_host_that_allows_one_connection_is_asked_in_one),
        TEST(a_host_that_turns_everybody_away_fails),
        TEST(a_host_for_which_we_were_too_much_is_called_after_a_minute),
        TEST(refused_recipients_do_not_hold_their_host_back),
        TEST(a_refusal_beside_answers_is_of_one_address),
        TEST(a_verifier_that_stops_says_quit),
    };

    return cmocka_run_group_tests_name("manners", tests, NULL, NULL);
}
