/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_message_size: the verifier where a mail store of our own is asked whether it takes a message
 * of some size: what is known does not do then, and what is said of one message is kept for no
 * other. Time is moved by hand.
 */
#include "config.h"

#include "check.h"

#include <stdio.h>
#include <unistd.h>

#include "verifier_rig.h"

enum { ROOM = 1000, SMALL = 10, LARGE = 1001, ASKERS = 6 };

static const long long DAY = 86400; /* seconds */

/* --- The world ------------------------------------------------------------- */

static const struct fake_dns_answer mx[] = {
    {.type = ns_t_mx, .preference = 10, .data = "mx.example.org"}};
static const struct fake_dns_answer address[] = {{.type = ns_t_a, .data = "127.0.0.1"}};

static const struct fake_dns_row zone[] = {
    {.name = "mx.example.org", .type = ns_t_a, .answers = address, .count = 1},
    {.name = "example.org", .type = ns_t_mx, .answers = mx, .count = 1},
};

#define USER "user@example.org"
#define NOBODY "nobody@example.org"

static const struct fake_host_reply empty[] = {{USER, "250 2.1.5 Ok"}};
static const struct fake_host_reply full[] = {{USER, "552 5.2.2 mailbox full"}};
static const struct fake_host_reply later[] = {{USER, "451 4.3.0 later"}};

static const struct fake_host_options store = {
    .size = true, .room = ROOM, .replies = empty, .reply_count = COUNT(empty)};

static int set_up(void **state)
{
    static const struct rig_world world = {.zone = zone, .zone_count = COUNT(zone), .host = &store};

    return rig_set_up(state, &world);
}

static const char *the_store(const struct rig *f)
{
    static char relay[32];

    (void)snprintf(relay, sizeof relay, "127.0.0.1:%u", fake_host_port(f->host));
    return relay;
}

static struct rb_question question_of(const struct rig *f, const char *text, uint64_t size)
{
    struct rb_question question = rig_question(text);

    question.relay = the_store(f);
    question.message_size = size;
    return question;
}

static struct rb_answer ask(struct rig *f, const char *text, uint64_t size)
{
    const struct rb_question question = question_of(f, text, size);
    struct rb_answer answer = {.size = 0};

    rig_verify(f, &question, &answer);
    return answer;
}

static void says(struct rig *f, const char *text, uint64_t size, enum rb_reason reason, bool cached)
{
    const struct rb_answer answer = ask(f, text, size);

    assert_string_equal(rb_reason_name(answer.reason), rb_reason_name(reason));
    assert_int_equal(answer.cached, cached);
}

/* --- What is known, and what is kept --------------------------------------- */

static void who_is_known_is_asked_whether_there_is_room(void **state)
{
    struct rig *f = *state;

    rig_open(f);
    says(f, USER, 0, RB_REASON_ACCEPTED, false);
    assert_int_equal(fake_host_heard(f->host, "MAIL FROM:<> SIZE="), 0);
    for (unsigned round = 1; round <= 2; round++) {
        says(f, USER, SMALL, RB_REASON_ACCEPTED, false);
        says(f, USER, LARGE, RB_REASON_TOO_LARGE, false);
        fake_host_set(f->host, full, COUNT(full));
        says(f, USER, SMALL, RB_REASON_MAILBOX_FULL, false);
        fake_host_set(f->host, empty, COUNT(empty));
        says(f, USER, 0, RB_REASON_ACCEPTED, true); /* none of it has wiped that out */
        assert_int_equal(fake_host_heard(f->host, "MAIL FROM:<> SIZE="), 3 * round);
    }
}

static void what_is_said_of_one_message_is_kept_for_no_other(void **state)
{
    struct rig *f = *state;
    struct rb_answer answer;

    rig_open(f);
    answer = ask(f, USER, LARGE);
    assert_int_equal(answer.reason, RB_REASON_TOO_LARGE);
    assert_int_equal(answer.verdict, RB_VERDICT_UNKNOWN);
    assert_int_equal(answer.code, 552);
    assert_int_equal(answer.stage, RB_STAGE_MAIL);
    assert_int_equal(answer.expires_s, -1);
    fake_host_set(f->host, full, COUNT(full));
    says(f, USER, SMALL, RB_REASON_MAILBOX_FULL, false);
    fake_host_set(f->host, empty, COUNT(empty));
    rig_reopen(f);
    says(f, USER, 0, RB_REASON_ACCEPTED, false);
}

static void that_the_mailbox_is_there_is_kept_for_all(void **state)
{
    struct rig *f = *state;

    rig_open(f);
    says(f, USER, SMALL, RB_REASON_ACCEPTED, false);
    rig_reopen(f);
    says(f, USER, 0, RB_REASON_ACCEPTED, true);
}

static void who_does_not_exist_is_asked_about_once(void **state)
{
    struct rig *f = *state;

    rig_open(f);
    says(f, NOBODY, SMALL, RB_REASON_NO_SUCH_USER, false);
    says(f, NOBODY, LARGE, RB_REASON_NO_SUCH_USER, true);
    says(f, NOBODY, 0, RB_REASON_NO_SUCH_USER, true);
    assert_int_equal(rig_rcpts(f), 1);
}

static void what_is_refreshed_is_asked_without_a_size(void **state)
{
    struct rig *f = *state;

    rig_open(f);
    says(f, NOBODY, 0, RB_REASON_NO_SUCH_USER, false);
    fake_clock_advance_s(&f->clock, DAY / 2);
    says(f, NOBODY, SMALL, RB_REASON_NO_SUCH_USER, true);
    rig_await_callouts(f, RB_REASON_NO_SUCH_USER, 2);
    assert_int_equal(fake_host_heard(f->host, "MAIL FROM:<>"), 2);
    assert_int_equal(fake_host_heard(f->host, "MAIL FROM:<> SIZE="), 0);
}

static void a_store_that_takes_everybody_may_have_no_room(void **state)
{
    static const struct fake_host_options lax = {
        .size = true, .room = ROOM, .rcpt = "250 2.1.5 Ok"};
    struct rig *f = *state;

    rig_start_host(f, &lax);
    rig_open(f);
    says(f, USER, 0, RB_REASON_CATCH_ALL, false);
    says(f, USER, 0, RB_REASON_CATCH_ALL, true);
    says(f, USER, SMALL, RB_REASON_CATCH_ALL, false);
    says(f, USER, LARGE, RB_REASON_TOO_LARGE, false);
    says(f, NOBODY, LARGE, RB_REASON_TOO_LARGE, false); /* the fact does not settle it either */
    says(f, NOBODY, 0, RB_REASON_CATCH_ALL, true);
}

/* --- Where the store gives no answer --------------------------------------- */

static void what_is_known_counts_where_the_store_gives_no_answer(void **state)
{
    struct rig *f = *state;
    struct rb_question question;

    rig_open(f);
    says(f, USER, 0, RB_REASON_ACCEPTED, false);
    fake_host_set(f->host, later, COUNT(later));
    says(f, USER, SMALL, RB_REASON_ACCEPTED, true);
    question = question_of(f, USER, SMALL);
    fake_host_stop(f->host);
    f->host = NULL;
    for (unsigned i = 0; i < 4; i++) { /* it fails twice, and is held back then */
        struct rb_answer answer;

        rb_answer_init(&answer);
        assert_int_equal(rb_verify(f->verifier, &question, INT64_MAX, &answer), RB_OK);
        assert_int_equal(answer.reason, RB_REASON_ACCEPTED);
        assert_true(answer.cached);
    }
}

static void what_is_known_counts_for_those_who_do_not_wait(void **state)
{
    struct rig *f = *state;
    struct rb_question question;
    struct rb_ticket *ticket;
    struct rb_answer answer;

    rig_open(f);
    says(f, USER, 0, RB_REASON_ACCEPTED, false);
    question = question_of(f, USER, SMALL);
    rig_hold(f, true);
    ticket = rig_put(f, &question);
    rb_answer_init(&answer);
    assert_int_equal(rb_wait(ticket, 0, &answer), RB_ERR_NOT_YET);
    assert_int_equal(answer.reason, RB_REASON_ACCEPTED);
    assert_true(answer.cached);
    fake_host_set(f->host, full, COUNT(full));
    rig_hold(f, false);
    answer = rig_answer(ticket);
    assert_int_equal(answer.reason, RB_REASON_MAILBOX_FULL);
    assert_false(answer.cached);
}

static void where_nothing_is_known_silence_is_the_answer(void **state)
{
    struct rig *f = *state;

    rig_open(f);
    fake_host_set(f->host, later, COUNT(later));
    says(f, USER, SMALL, RB_REASON_TEMPFAIL, false);
    fake_host_set(f->host, empty, COUNT(empty));
    says(f, USER, SMALL, RB_REASON_ACCEPTED, false);
}

/* --- Side by side ---------------------------------------------------------- */

static void messages_of_one_size_share_a_callout(void **state)
{
    static const uint64_t sizes[ASKERS] = {SMALL, 0, SMALL + 1, SMALL, 0, SMALL + 1};
    struct rig *f = *state;
    struct rb_question questions[ASKERS];

    f->options.per_domain_sessions = ASKERS;
    f->options.catch_all_check = false;
    for (unsigned i = 0; i < ASKERS; i++)
        questions[i] = question_of(f, USER, sizes[i]);
    rig_open(f);
    rig_hold(f, true);
    rig_start_askers(f, ASKERS, questions, ASKERS);
    rig_hold(f, false);
    rig_join_askers(f, ASKERS);
    for (unsigned i = 0; i < ASKERS; i++)
        assert_int_equal(f->askers[i].answer.reason, RB_REASON_ACCEPTED);
    assert_int_equal(rig_rcpts(f), 3);
    assert_int_equal(rig_stats(f).coalesced, 3);
}

static void two_messages_at_once_have_their_own_answers(void **state)
{
    struct rig *f = *state;
    const struct rb_question questions[] = {question_of(f, USER, SMALL),
                                            question_of(f, USER, LARGE)};

    rig_open(f);
    rig_start_askers(f, ASKERS, questions, COUNT(questions));
    rig_join_askers(f, ASKERS);
    for (unsigned i = 0; i < ASKERS; i++)
        assert_int_equal(f->askers[i].answer.reason, f->askers[i].question.message_size == SMALL
                                                         ? RB_REASON_ACCEPTED
                                                         : RB_REASON_TOO_LARGE);
}

/* --- Who is asked ---------------------------------------------------------- */

static void strangers_are_told_no_size(void **state)
{
    struct rig *f = *state;
    struct rb_question question = rig_question(USER);
    struct rb_answer answer;

    rig_open(f);
    question.message_size = LARGE;
    for (unsigned round = 0; round < 2; round++) {
        rb_answer_init(&answer);
        rig_verify(f, &question, &answer);
        assert_int_equal(answer.reason, RB_REASON_ACCEPTED);
        assert_int_equal(answer.cached, round > 0);
    }
    assert_int_equal(fake_host_heard(f->host, "MAIL FROM:<> SIZE="), 0);
}

static void a_look_ahead_knows_of_sizes(void **state)
{
    struct rig *f = *state;
    struct rb_question question;
    struct rb_prospect prospect;
    struct rb_answer answer;

    rig_open(f);
    says(f, USER, 0, RB_REASON_ACCEPTED, false);
    says(f, NOBODY, 0, RB_REASON_NO_SUCH_USER, false);
    question = question_of(f, USER, SMALL);
    rb_prospect_init(&prospect);
    rb_answer_init(&answer);
    assert_int_equal(rb_peek(f->verifier, &question, 0, &prospect, &answer), RB_OK);
    assert_true(prospect.would_call);
    question.only_cache = true;
    assert_int_equal(rb_peek(f->verifier, &question, 0, &prospect, &answer), RB_OK);
    assert_false(prospect.would_call);
    assert_int_equal(answer.reason, RB_REASON_ACCEPTED);
    question = question_of(f, NOBODY, SMALL);
    assert_int_equal(rb_peek(f->verifier, &question, 0, &prospect, &answer), RB_OK);
    assert_false(prospect.would_call);
    assert_int_equal(answer.reason, RB_REASON_NO_SUCH_USER);
    rb_verifier_stop(f->verifier); /* nobody is called any more */
    question = question_of(f, USER, SMALL);
    assert_int_equal(rb_peek(f->verifier, &question, 0, &prospect, &answer), RB_OK);
    assert_false(prospect.would_call);
    assert_int_equal(answer.reason, RB_REASON_ACCEPTED);
    assert_true(answer.cached);
}

static void the_cache_alone_answers_who_asks_it_alone(void **state)
{
    struct rig *f = *state;
    struct rb_question question;
    struct rb_answer answer;

    rig_open(f);
    says(f, USER, 0, RB_REASON_ACCEPTED, false);
    question = question_of(f, USER, SMALL);
    question.only_cache = true;
    rb_answer_init(&answer);
    rig_verify(f, &question, &answer);
    assert_int_equal(answer.reason, RB_REASON_ACCEPTED);
    assert_true(answer.cached);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, rig_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_is_known_is_asked_whether_there_is_room),
        TEST(what_is_said_of_one_message_is_kept_for_no_other),
        TEST(that_the_mailbox_is_there_is_kept_for_all),
        TEST(who_does_not_exist_is_asked_about_once),
        TEST(what_is_refreshed_is_asked_without_a_size),
        TEST(a_store_that_takes_everybody_may_have_no_room),
        TEST(what_is_known_counts_where_the_store_gives_no_answer),
        TEST(what_is_known_counts_for_those_who_do_not_wait),
        TEST(where_nothing_is_known_silence_is_the_answer),
        TEST(messages_of_one_size_share_a_callout),
        TEST(two_messages_at_once_have_their_own_answers),
        TEST(strangers_are_told_no_size),
        TEST(a_look_ahead_knows_of_sizes),
        TEST(the_cache_alone_answers_who_asks_it_alone),
    };

    return cmocka_run_group_tests_name("message_size", tests, NULL, NULL);
}
