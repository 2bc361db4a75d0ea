/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_held: hosts that keep callouts waiting take no worker from those that answer. Eight domains
 * live on a tarpit, one on a host that answers; time is moved by hand. (The watcher sleeps by the
 * real clock: what only it can notice takes a second.)
 */
#include "config.h"

#include "check.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "verifier_rig.h"

enum { DOMAINS = 8, TOO_LONG_S = 2, YIELD_S = 10 };

#define WELL "user@elsewhere.example"

/* --- The world ------------------------------------------------------------- */

#define ROW(owner, kind, records)                                                                  \
    {                                                                                              \
        .name = (owner), .type = (kind), .answers = (records), .count = COUNT(records)             \
    }

static const struct fake_dns_answer tarpit_mx[] = {
    {.type = ns_t_mx, .preference = 10, .data = "tarpit.example"}};
static const struct fake_dns_answer mx[] = {
    {.type = ns_t_mx, .preference = 10, .data = "mx.example"}};
static const struct fake_dns_answer tarpit_address[] = {{.type = ns_t_a, .data = "127.0.0.1"}};
static const struct fake_dns_answer address[] = {{.type = ns_t_a, .data = "127.0.0.2"}};

static const struct fake_dns_row zone[] = {
    ROW("tarpit.example", ns_t_a, tarpit_address),
    ROW("mx.example", ns_t_a, address),
    ROW("elsewhere.example", ns_t_mx, mx),
    ROW("d0.example", ns_t_mx, tarpit_mx),
    ROW("d1.example", ns_t_mx, tarpit_mx),
    ROW("d2.example", ns_t_mx, tarpit_mx),
    ROW("d3.example", ns_t_mx, tarpit_mx),
    ROW("d4.example", ns_t_mx, tarpit_mx),
    ROW("d5.example", ns_t_mx, tarpit_mx),
    ROW("d6.example", ns_t_mx, tarpit_mx),
    ROW("d7.example", ns_t_mx, tarpit_mx),
    {.name = "mute.example", .type = ns_t_mx, .flags = FAKE_DNS_DROP},
};

/* Without pipelining: once a command is heard, the wait for its reply has begun. */
static const struct fake_host_options polite = {.rcpt = "250 2.1.5 Ok"};

static const struct fake_host_step drip_steps[] = {
    {FAKE_HOST_SAY, "220 tarpit.example"},
    {FAKE_HOST_EXPECT, "EHLO"},
    {FAKE_HOST_RAW, "250-"},
    {FAKE_HOST_DRIP, "x"},
};
static const struct fake_host_script drip_script[] = {{drip_steps, COUNT(drip_steps)}};
static const struct fake_host_options dripping = {.scripts = drip_script, .script_count = 1};

struct fixture {
    struct rig *rig;
    struct fake_host *well;
};

static int set_up(void **state)
{
    static const struct rig_world world = {zone, COUNT(zone), &polite};
    struct fixture *f = calloc(1, sizeof *f);
    struct fake_host_options well = polite;
    void *rig = NULL;

    if (f == NULL || rig_set_up(&rig, &world) != 0) {
        free(f);
        return -1;
    }
    f->rig = rig;
    f->rig->options.catch_all_check = false;
    f->rig->options.max_workers = 2;
    f->rig->options.max_held = 4;
    f->rig->options.per_host_sessions = 100;
    well.ip = "127.0.0.2";
    well.port = fake_host_port(f->rig->host);
    f->well = fake_host_start(&well);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    void *rig = f->rig;
    int status = rig_tear_down(&rig);

    fake_host_stop(f->well);
    free(f);
    return status;
}

/* One address of each of the domains from `from` up to `to`, at the tarpit. */
static void ask_tarpit(struct rig *rig, struct rb_ticket *tickets[DOMAINS], unsigned from,
                       unsigned to)
{
    char text[64];

    for (unsigned i = from; i < to; i++) {
        (void)snprintf(text, sizeof text, "user@d%u.example", i);
        tickets[i] = rig_ask(rig, text);
    }
}

static void leave(struct rb_ticket *tickets[DOMAINS], unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++)
        rb_ticket_free(tickets[i]);
}

/* Lets time pass, and waits until so many are held. */
static void let_wait(struct rig *rig, unsigned held)
{
    fake_clock_advance_s(&rig->clock, TOO_LONG_S);
    assert_int_equal(rig_stats(rig).held, held);
}

/*
 * Fills all places of workers and held ones with callouts of the tarpit, which is silent from a
 * command on; all wait too long.
 */
static void fill(struct rig *rig, struct rb_ticket *tickets[DOMAINS], const char *command)
{
    const unsigned held = rig->options.max_held, workers = rig->options.max_workers;

    for (unsigned i = 0; i < held + workers; i++) {
        ask_tarpit(rig, tickets, i, i + 1);
        assert_true(fake_host_wait(rig->host, command, i + 1));
        if ((i + 1) % workers == 0)
            let_wait(rig, i < held ? i + 1 : held);
    }
}

static void assert_gave_way(struct rb_ticket *ticket)
{
    const struct rb_answer answer = rig_answer(ticket);

    assert_int_equal(answer.reason, RB_REASON_LIMITED);
    assert_string_equal(answer.rule, "gave_way");
    assert_int_equal(answer.expires_s, -1); /* it is of this moment: it is not kept */
}

/* --- Held ------------------------------------------------------------------ */

static void a_held_callout_frees_its_worker(void **state)
{
    struct fixture *f = *state;
    struct rb_ticket *tickets[DOMAINS] = {NULL};

    f->rig->options.max_workers = 1;
    rig_open(f->rig);
    rig_hold(f->rig, true);
    ask_tarpit(f->rig, tickets, 0, 1);
    assert_true(fake_host_wait(f->rig->host, "RCPT", 1));
    assert_int_equal(rig_stats(f->rig).held, 0);
    let_wait(f->rig, 1);
    assert_int_equal(rig_outcome(rig_ask(f->rig, WELL)), RB_REASON_ACCEPTED);
    assert_false(rb_ready(tickets[0]));
    rig_hold(f->rig, false);
    assert_int_equal(rig_outcome(tickets[0]), RB_REASON_ACCEPTED); /* it was still being asked */
    rig_await_idle(f->rig); /* who waits is told before its callout has ended */
    assert_int_equal(rig_stats(f->rig).held, 0);
}

static void what_waits_already_gets_the_worker_by_itself(void **state)
{
    struct fixture *f = *state;
    struct rb_ticket *tickets[DOMAINS] = {NULL}, *well;

    rig_open(f->rig);
    rig_hold(f->rig, true);
    ask_tarpit(f->rig, tickets, 0, 2);
    assert_true(fake_host_wait(f->rig->host, "RCPT", 2));
    well = rig_ask(f->rig, WELL);
    rig_await_sessions(f->rig, 2, 1);
    let_wait(f->rig, 2);
    assert_int_equal(rig_outcome(well), RB_REASON_ACCEPTED);
    leave(tickets, 0, 2);
}

static void a_silent_name_server_holds_as_a_mail_host_does(void **state)
{
    struct fixture *f = *state;
    struct rb_ticket *mute, *well;

    f->rig->options.max_workers = 1;
    f->rig->options.total_timeout_ms = 5000;
    rig_open(f->rig);
    mute = rig_ask(f->rig, "user@mute.example");
    rig_await_sessions(f->rig, 1, 0);
    well = rig_ask(f->rig, WELL);
    do { /* until the look-up has begun, and lasts too long */
        fake_clock_advance_s(&f->rig->clock, TOO_LONG_S);
        check_pause();
    } while (rig_stats(f->rig).held == 0 && !rb_ready(well));
    assert_int_equal(rig_stats(f->rig).held, 1);
    assert_int_equal(rig_outcome(well), RB_REASON_ACCEPTED);
    fake_clock_advance_s(&f->rig->clock, f->rig->options.total_timeout_ms / 1000);
    assert_int_equal(rig_outcome(mute), RB_REASON_DNS_FAILURE);
}

/* --- Not more than there may be --------------------------------------------- */

static void those_that_are_not_held_never_exceed_the_workers(void **state)
{
    struct fixture *f = *state;
    struct rb_ticket *tickets[DOMAINS] = {NULL};

    rig_open(f->rig);
    rig_hold(f->rig, true);
    ask_tarpit(f->rig, tickets, 0, DOMAINS);
    for (unsigned running = 2; running <= 6; running += 2) {
        assert_true(fake_host_wait(f->rig->host, "RCPT", running));
        rig_await_sessions(f->rig, running, DOMAINS - running);
        assert_int_equal(rig_stats(f->rig).held, running - 2);
        let_wait(f->rig, running < 4 ? running : 4);
    }
    assert_int_equal(rig_stats(f->rig).held, 4); /* no more than may be */
    assert_int_equal(fake_host_open(f->rig->host), 6);
    rig_hold(f->rig, false);
    for (unsigned i = 0; i < DOMAINS; i++)
        assert_int_equal(rig_outcome(tickets[i]), RB_REASON_ACCEPTED);
    rig_await_idle(f->rig);
}

static void threads_that_were_held_leave_no_more_workers_behind(void **state)
{
    struct fixture *f = *state;
    struct rb_ticket *tickets[DOMAINS] = {NULL};

    rig_open(f->rig);
    rig_hold(f->rig, true);
    fill(f->rig, tickets, "RCPT");
    rig_hold(f->rig, false);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(rig_outcome(tickets[i]), RB_REASON_ACCEPTED);
    rig_await_idle(f->rig);
    rig_hold(f->rig, true);
    for (unsigned i = 0; i < 6; i++) {
        char text[64];

        (void)snprintf(text, sizeof text, "other@d%u.example", i);
        tickets[i] = rig_ask(f->rig, text);
    }
    assert_true(fake_host_wait(f->rig->host, "RCPT", 8));
    rig_await_sessions(f->rig, 2, 4);
    assert_int_equal(fake_host_open(f->rig->host), 2);
    leave(tickets, 0, 6);
}

static void where_none_may_be_held_workers_are_all_there_are(void **state)
{
    struct fixture *f = *state;
    struct rb_ticket *tickets[DOMAINS] = {NULL}, *well;

    f->rig->options.max_held = 0;
    rig_open(f->rig);
    rig_hold(f->rig, true);
    ask_tarpit(f->rig, tickets, 0, 2);
    assert_true(fake_host_wait(f->rig->host, "RCPT", 2));
    fake_clock_advance_s(&f->rig->clock, TOO_LONG_S);
    well = rig_ask(f->rig, WELL);
    rig_await_sessions(f->rig, 2, 1);
    assert_int_equal(rig_stats(f->rig).held, 0);
    assert_false(rb_ready(well));
    rig_hold(f->rig, false);
    assert_int_equal(rig_outcome(well), RB_REASON_ACCEPTED);
    leave(tickets, 0, 2);
}

/* --- Giving way ------------------------------------------------------------ */

static void the_oldest_yields_and_its_question_is_answered(void **state)
{
    struct fixture *f = *state;
    struct rb_ticket *tickets[DOMAINS] = {NULL}, *well;
    struct rb_question again = rig_question("user@d0.example");

    rig_start_host(f->rig, &dripping);
    rig_open(f->rig);
    fill(f->rig, tickets, "EHLO");
    well = rig_ask(f->rig, WELL);
    rig_await_sessions(f->rig, 6, 1);
    assert_false(rb_ready(tickets[0]));
    fake_clock_advance_s(&f->rig->clock, YIELD_S - 2 * TOO_LONG_S);
    assert_gave_way(tickets[0]);
    assert_int_equal(rig_outcome(well), RB_REASON_ACCEPTED);
    for (unsigned i = 1; i < 6; i++)
        assert_false(rb_ready(tickets[i]));
    /* The host did not get its time: that is no fact about the domain. */
    again.no_cache = true;
    rb_ticket_free(rig_put(f->rig, &again));
    rig_await_sessions(f->rig, 6, 0);
    assert_int_equal(rig_stats(f->rig).settled_by_fact, 0);
    leave(tickets, 1, 6);
}

static void giving_way_counts_against_the_host(void **state)
{
    struct fixture *f = *state;
    struct rb_ticket *tickets[DOMAINS] = {NULL};
    struct rb_answer answer = {.size = 0};

    f->rig->options.breaker_failures = 1;
    rig_start_host(f->rig, &dripping);
    rig_open(f->rig);
    fill(f->rig, tickets, "EHLO");
    fake_clock_advance_s(&f->rig->clock, YIELD_S);
    assert_int_equal(rig_outcome(rig_ask(f->rig, WELL)), RB_REASON_ACCEPTED);
    assert_gave_way(tickets[0]);
    answer = rig_answer(rig_ask(f->rig, "user@d7.example"));
    assert_int_equal(answer.reason, RB_REASON_LIMITED);
    assert_string_equal(answer.rule, "hosts_held_back");
    leave(tickets, 1, 6);
}

static void nobody_yields_while_nobody_waits(void **state)
{
    struct fixture *f = *state;
    struct rb_ticket *tickets[DOMAINS] = {NULL};

    rig_open(f->rig);
    rig_hold(f->rig, true);
    fill(f->rig, tickets, "RCPT");
    fake_clock_advance_s(&f->rig->clock, YIELD_S);
    rig_hold(f->rig, false);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(rig_outcome(tickets[i]), RB_REASON_ACCEPTED);
}

/* --- The end ---------------------------------------------------------------- */

static void closing_does_not_wait_for_those_that_are_held(void **state)
{
    struct fixture *f = *state;
    struct rb_ticket *tickets[DOMAINS] = {NULL};

    rig_start_host(f->rig, &dripping);
    rig_open(f->rig);
    fill(f->rig, tickets, "EHLO");
    ask_tarpit(f->rig, tickets, 6, DOMAINS); /* the watcher is at work */
    rig_await_sessions(f->rig, 6, 2);
    rb_verifier_stop(f->rig->verifier);
    for (unsigned i = 0; i < DOMAINS; i++)
        assert_int_equal(rig_outcome(tickets[i]), RB_REASON_TIMEOUT);
    rig_await_idle(f->rig);
    rig_close(f->rig);
    while (fake_host_open(f->rig->host) > 0)
        check_pause();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_held_callout_frees_its_worker),
        TEST(what_waits_already_gets_the_worker_by_itself),
        TEST(a_silent_name_server_holds_as_a_mail_host_does),
        TEST(those_that_are_not_held_never_exceed_the_workers),
        TEST(threads_that_were_held_leave_no_more_workers_behind),
        TEST(where_none_may_be_held_workers_are_all_there_are),
        TEST(the_oldest_yields_and_its_question_is_answered),
        TEST(giving_way_counts_against_the_host),
        TEST(nobody_yields_while_nobody_waits),
        TEST(closing_does_not_wait_for_those_that_are_held),
    };

    return cmocka_run_group_tests_name("held", tests, NULL, NULL);
}
