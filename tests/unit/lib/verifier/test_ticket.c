/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_ticket: who is called when an answer is there: once, without a lock, and never after the
 * ticket was given back, whoever gives it back and when.
 */
#include "config.h"

#include <arpa/nameser.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>

#include "check.h"
#include "verifier_rig.h"

enum { EQUAL = 5, CROWD = 4, CROWD_ASKS = 50 };

static const struct fake_dns_answer mx[] = {
    {.type = ns_t_mx, .preference = 10, .data = "mx.example.org"}};
static const struct fake_dns_answer address[] = {{.type = ns_t_a, .data = "127.0.0.1"}};

static const struct fake_dns_row zone[] = {
    {.name = "mx.example.org", .type = ns_t_a, .answers = address, .count = 1},
    {.name = "example.org", .type = ns_t_mx, .answers = mx, .count = 1},
};

static const struct fake_host_reply users[] = {{"user@example.org", "250 2.1.5 Ok"},
                                               {"other@example.org", "250 2.1.5 Ok"}};

static int set_up(void **state)
{
    static const struct fake_host_options polite = {
        .pipelining = true, .replies = users, .reply_count = COUNT(users)};
    static const struct rig_world world = {
        .zone = zone, .zone_count = COUNT(zone), .host = &polite};

    return rig_set_up(state, &world);
}

/* --- Those who are called ---------------------------------------------------- */

/* What becomes of calls. */
struct calls {
    struct rig *rig;
    sem_t called, may_return;
    atomic_uint count;
    bool frees, blocks;
    struct rb_ticket *_Atomic ticket; /* of the last call */
    struct rb_ticket *other;          /* is given back too */
    atomic_int waited, reason;        /* of the last call: rb_wait, and the answer */
    atomic_bool returned;
};

static void init_calls(struct calls *calls, struct rig *rig)
{
    memset(calls, 0, sizeof *calls);
    calls->rig = rig;
    assert_int_equal(sem_init(&calls->called, 0, 0), 0);
    assert_int_equal(sem_init(&calls->may_return, 0, 0), 0);
}

/* Does what a lock that is held would not let it do. */
static void called(void *arg, struct rb_ticket *ticket)
{
    struct calls *calls = arg;
    struct rb_answer answer = {0};

    calls->waited = rb_wait(ticket, 0, &answer);
    calls->reason = answer.reason;
    rb_answer_fini(&answer);
    (void)rig_stats(calls->rig);
    if (calls->other != NULL)
        rb_ticket_free(calls->other == ticket ? NULL : calls->other);
    if (calls->frees)
        rb_ticket_free(ticket);
    atomic_store(&calls->ticket, ticket);
    atomic_fetch_add(&calls->count, 1);
    (void)sem_post(&calls->called);
    while (calls->blocks && sem_wait(&calls->may_return) != 0)
        continue;
    atomic_store(&calls->returned, true);
}

static struct rb_question question(struct calls *calls, const char *text)
{
    struct rb_question made = rig_question(text);

    made.size = sizeof made;
    made.done = called;
    made.done_arg = calls;
    return made;
}

static struct rb_ticket *ask(struct calls *calls, const char *text)
{
    const struct rb_question asked = question(calls, text);

    return rig_put(calls->rig, &asked);
}

static void await_call(struct calls *calls)
{
    while (sem_wait(&calls->called) != 0)
        continue;
}

/* --- Once ------------------------------------------------------------------- */

static void an_answer_that_is_there_is_told_within_rb_ask(void **state)
{
    struct rig *f = *state;
    struct rb_ticket *ticket;
    struct calls calls;

    f->options.per_domain_rate = (struct rb_rate){1, 3600};
    rig_open(f);
    init_calls(&calls, f);
    ticket = ask(&calls, "no address");
    assert_int_equal(atomic_load(&calls.count), 1);
    assert_ptr_equal(atomic_load(&calls.ticket), ticket);
    assert_int_equal(calls.reason, RB_REASON_BAD_ADDRESS);
    rb_ticket_free(ticket);
    assert_int_equal(rig_reason_for(f, "user@example.org"), RB_REASON_ACCEPTED);
    ticket = ask(&calls, "user@example.org"); /* in the cache */
    assert_int_equal(atomic_load(&calls.count), 2);
    assert_int_equal(calls.waited, RB_OK);
    assert_int_equal(calls.reason, RB_REASON_ACCEPTED);
    rb_ticket_free(ticket);
    ticket = ask(&calls, "other@example.org"); /* refused at once */
    assert_int_equal(atomic_load(&calls.count), 3);
    assert_int_equal(calls.reason, RB_REASON_LIMITED);
    rb_ticket_free(ticket);
}

static void an_answer_that_comes_is_told_once_by_a_thread_of_the_verifiers(void **state)
{
    struct rig *f = *state;
    struct rb_ticket *tickets[EQUAL];
    struct calls calls;

    rig_open(f);
    rig_hold(f, true);
    init_calls(&calls, f);
    for (size_t i = 0; i < EQUAL; i++)
        tickets[i] = ask(&calls, "user@example.org");
    assert_int_equal(atomic_load(&calls.count), 0);
    rig_hold(f, false);
    for (size_t i = 0; i < EQUAL; i++)
        await_call(&calls);
    assert_int_equal(calls.waited, RB_OK);
    assert_int_equal(calls.reason, RB_REASON_ACCEPTED);
    for (size_t i = 0; i < EQUAL; i++) {
        assert_true(rb_ready(tickets[i]));
        assert_int_equal(rig_outcome(tickets[i]), RB_REASON_ACCEPTED);
    }
    rig_close(f);
    assert_int_equal(atomic_load(&calls.count), EQUAL);
}

static void what_was_not_asked_is_not_told(void **state)
{
    struct rig *f = *state;
    struct rb_question wrong;
    struct rb_ticket *ticket;
    struct calls calls;

    rig_open(f);
    init_calls(&calls, f);
    wrong = question(&calls, "user@example.org");
    wrong.relay = "[";
    assert_int_equal(rb_ask(f->verifier, &wrong, &ticket), RB_ERR_ARGUMENT);
    assert_int_equal(atomic_load(&calls.count), 0);
}

/* Who was compiled with a header that did not know of it has something else behind the end. */
static void a_question_of_an_older_header_names_nobody(void **state)
{
    struct rig *f = *state;
    struct rb_question old;
    struct calls calls;

    rig_open(f);
    init_calls(&calls, f);
    old = question(&calls, "no address");
    old.size = offsetof(struct rb_question, done);
    assert_int_equal(rig_outcome(rig_put(f, &old)), RB_REASON_BAD_ADDRESS);
    assert_int_equal(atomic_load(&calls.count), 0);
}

static void stopping_tells_that_there_will_be_no_answer(void **state)
{
    struct rig *f = *state;
    struct rb_ticket *ticket;
    struct calls calls;

    rig_open(f);
    rig_hold(f, true);
    init_calls(&calls, f);
    ticket = ask(&calls, "user@example.org");
    rig_await_sessions(f, 1, 0);
    rb_verifier_stop(f->verifier);
    await_call(&calls);
    rb_verifier_stop(f->verifier);
    rig_hold(f, false);
    /* Its callout may have been cut short already, or not yet. */
    assert_true(calls.waited == RB_ERR_CLOSING || calls.waited == RB_OK);
    assert_int_equal(calls.reason, RB_REASON_TIMEOUT);
    rb_ticket_free(ticket);
    rig_close(f);
    assert_int_equal(atomic_load(&calls.count), 1);
}

/* --- Giving back ------------------------------------------------------------ */

static void a_ticket_may_be_given_back_where_it_is_told(void **state)
{
    struct rig *f = *state;
    struct calls calls;

    rig_open(f);
    init_calls(&calls, f);
    calls.frees = true;
    (void)ask(&calls, "no address");
    (void)ask(&calls, "user@example.org");
    await_call(&calls);
    await_call(&calls);
    (void)ask(&calls, "user@example.org"); /* in the cache */
    assert_int_equal(atomic_load(&calls.count), 3);
    rig_close(f); /* says that no ticket is held */
}

/* All have been told by the time that the first is called. */
static void and_another_of_the_same_question_with_it(void **state)
{
    struct rig *f = *state;
    struct rb_ticket *ticket;
    struct calls calls;

    rig_open(f);
    rig_hold(f, true);
    init_calls(&calls, f);
    calls.frees = true;
    ticket = ask(&calls, "user@example.org");
    calls.other = rig_ask(f, "user@example.org");
    (void)ticket;
    rig_hold(f, false);
    await_call(&calls);
    rig_await_idle(f);
    rig_close(f);
    assert_int_equal(atomic_load(&calls.count), 1);
}

static void who_has_given_it_back_is_not_called(void **state)
{
    struct rig *f = *state;
    struct calls calls;

    rig_open(f);
    rig_hold(f, true);
    init_calls(&calls, f);
    rb_ticket_free(ask(&calls, "user@example.org"));
    rig_await_sessions(f, 1, 0);
    rig_hold(f, false);
    rig_await_callouts(f, RB_REASON_ACCEPTED, 1);
    rig_close(f);
    assert_int_equal(atomic_load(&calls.count), 0);
}

static void *give_back(void *arg)
{
    struct calls *calls = arg;

    (void)sem_post(&calls->may_return);
    rb_ticket_free(calls->ticket);
    return atomic_load(&calls->returned) ? NULL : arg;
}

static void giving_back_waits_for_a_call_under_way(void **state)
{
    struct rig *f = *state;
    struct calls calls;
    pthread_t thread;
    void *failed = f;

    rig_open(f);
    init_calls(&calls, f);
    calls.blocks = true;
    (void)ask(&calls, "user@example.org");
    await_call(&calls);
    assert_int_equal(pthread_create(&thread, NULL, give_back, &calls), 0);
    assert_int_equal(pthread_join(thread, &failed), 0);
    assert_null(failed);
}

/* --- Side by side ----------------------------------------------------------- */

static void *ask_many(void *arg)
{
    struct calls *calls = arg;
    char text[40];

    for (int i = 0; i < CROWD_ASKS; i++) {
        (void)snprintf(text, sizeof text, "u%d@example.org", i % 10);
        (void)ask(calls, text);
    }
    return NULL;
}

static void many_threads_are_called_once_for_each_question(void **state)
{
    struct rig *f = *state;
    pthread_t threads[CROWD];
    struct calls calls;

    rig_open(f);
    init_calls(&calls, f);
    calls.frees = true;
    for (size_t i = 0; i < CROWD; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_many, &calls), 0);
    for (size_t i = 0; i < CROWD; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < CROWD * CROWD_ASKS; i++)
        await_call(&calls);
    rig_close(f);
    assert_int_equal(atomic_load(&calls.count), CROWD * CROWD_ASKS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, rig_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_answer_that_is_there_is_told_within_rb_ask),
        TEST(an_answer_that_comes_is_told_once_by_a_thread_of_the_verifiers),
        TEST(what_was_not_asked_is_not_told),
        TEST(a_question_of_an_older_header_names_nobody),
        TEST(stopping_tells_that_there_will_be_no_answer),
        TEST(a_ticket_may_be_given_back_where_it_is_told),
        TEST(and_another_of_the_same_question_with_it),
        TEST(who_has_given_it_back_is_not_called),
        TEST(giving_back_waits_for_a_call_under_way),
        TEST(many_threads_are_called_once_for_each_question),
    };

    return cmocka_run_group_tests_name("ticket", tests, NULL, NULL);
}
