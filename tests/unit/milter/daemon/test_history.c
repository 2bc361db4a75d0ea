/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_history: the last decisions come back as they were told, and no others; each minute has its
 * own counts and loses them after a day; any number of threads may tell it and look.
 */
#include "config.h"

#include "daemon/history.h"

#include "check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "fake_clock.h"

static struct fake_clock clock_;
static char policy_name[] = "default";
static const struct policy policy = {.name = policy_name};

static int set_up(void **state)
{
    (void)state;
    fake_clock_init(&clock_);
    return history_start(&clock_.clock) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    history_end();
    return 0;
}

/* A session whose sender was refused, with all that a log line has. */
static void fill(struct session *session, struct decision *decision, const char *name)
{
    struct rb_answer *answer = &session->plain.answer;

    *session = (struct session){.client_text = "198.51.100.7", .helo = "mail.example.net"};
    session->plain.waited_ms = 143;
    (void)snprintf(session->sender_text, sizeof session->sender_text, "%s@example.org", name);
    (void)snprintf(session->id, sizeof session->id, "id-%.20s", name);
    rb_answer_init(answer);
    (void)strcpy(answer->mx, "mx1.example.org");
    (void)strcpy(answer->ip, "192.0.2.25");
    (void)strcpy(answer->reply, "550 5.1.1 unknown");
    (void)strcpy(answer->rule, "enhanced_5.1.1");
    answer->cached = true;
    answer->voucher = RB_VOUCHER_SPF;
    *decision = (struct decision){.policy = &policy,
                                  .verdict = RB_VERDICT_INVALID,
                                  .reason = RB_REASON_NO_SUCH_USER,
                                  .wanted = ACTION_REJECT,
                                  .recipient = "me@example.com"};
}

static void note(const char *name)
{
    struct session *session = malloc(sizeof *session);
    struct decision decision;

    assert_non_null(session);
    fill(session, &decision, name);
    history_note(session, &decision, "4Xyz12");
    free(session);
}

struct seen {
    size_t count, most;
    struct history_decision first;
    uint64_t last_number;
};

static bool see(void *arg, const struct history_decision *decision)
{
    struct seen *seen = arg;

    if (seen->count++ == 0)
        seen->first = *decision;
    else
        assert_int_equal(decision->number, seen->last_number - 1);
    seen->last_number = decision->number;
    return seen->count != seen->most;
}

static void a_decision_comes_back_whole(void **state)
{
    struct seen seen = {0};
    const struct history_decision *d = &seen.first;

    (void)state;
    note("s");
    history_walk(see, &seen);
    assert_int_equal(seen.count, 1);
    assert_int_equal(d->number, 1);
    assert_int_equal(d->decided_s, 2000000000);
    assert_int_equal(d->of, OF_SENDER);
    assert_int_equal(d->kind, HISTORY_INVALID);
    assert_int_equal(d->reason, RB_REASON_NO_SUCH_USER);
    assert_int_equal(d->action, ACTION_ACCEPT);
    assert_int_equal(d->wanted, ACTION_REJECT);
    assert_int_equal(d->voucher, RB_VOUCHER_SPF);
    assert_int_equal(d->waited_ms, 143);
    assert_true(d->cached);
    assert_string_equal(d->address, "s@example.org");
    assert_string_equal(d->other, "me@example.com");
    assert_string_equal(d->client, "198.51.100.7");
    assert_string_equal(d->helo, "mail.example.net");
    assert_string_equal(d->mx, "mx1.example.org");
    assert_string_equal(d->ip, "192.0.2.25");
    assert_string_equal(d->reply, "550 5.1.1 unknown");
    assert_string_equal(d->rule, "enhanced_5.1.1");
    assert_string_equal(d->policy, "default");
    assert_string_equal(d->queue_id, "4Xyz12");
    assert_string_equal(d->id, "id-s");
}

static void an_exempt_sender_has_the_rule_and_no_answer(void **state)
{
    struct session *session = malloc(sizeof *session);
    struct decision decision;
    struct seen seen = {0};

    (void)state;
    assert_non_null(session);
    fill(session, &decision, "s");
    decision.exemption = EXEMPT_AUTHENTICATED;
    decision.verdict = RB_VERDICT_UNKNOWN;
    decision.reason = RB_REASON_EXEMPT;
    history_note(session, &decision, NULL);
    history_walk(see, &seen);
    assert_int_equal(seen.first.kind, HISTORY_EXEMPT);
    assert_string_equal(seen.first.rule, "authenticated");
    assert_string_equal(seen.first.reply, "");
    assert_string_equal(seen.first.queue_id, "");
    assert_int_equal(seen.first.waited_ms, 0);
    free(session);
}

static void a_client_has_its_result(void **state)
{
    struct session *session = malloc(sizeof *session);
    struct claim claim = {.waited_ms = 7};
    struct decision decision;
    struct seen seen = {0};

    (void)state;
    assert_non_null(session);
    fill(session, &decision, "s");
    session->claim = &claim;
    claim.answer.result = RB_CLIENT_DENIED;
    (void)strcpy(claim.answer.host, "mail.example.net");
    (void)strcpy(claim.answer.reply, "550 no");
    decision = (struct decision){.of = OF_CLIENT, .action = ACTION_REJECT};
    history_note(session, &decision, NULL);
    history_walk(see, &seen);
    assert_int_equal(seen.first.of, OF_CLIENT);
    assert_int_equal(seen.first.result, RB_CLIENT_DENIED);
    assert_string_equal(seen.first.address, "mail.example.net");
    assert_string_equal(seen.first.reply, "550 no");
    assert_int_equal(seen.first.waited_ms, 7);
    free(session);
}

static void text_that_is_too_long_is_cut(void **state)
{
    struct session *session = malloc(sizeof *session);
    struct decision decision;
    struct seen seen = {0};

    (void)state;
    assert_non_null(session);
    fill(session, &decision, "s");
    memset(session->sender_text, 'x', SESSION_TEXT_MAX);
    session->sender_text[SESSION_TEXT_MAX] = '\0';
    history_note(session, &decision, NULL);
    history_walk(see, &seen);
    assert_int_equal(strlen(seen.first.address), HISTORY_TEXT_MAX);
    assert_string_equal(seen.first.address + HISTORY_TEXT_MAX - 4, "x...");
    free(session);
}

static void the_latest_are_kept_and_come_first(void **state)
{
    struct seen seen = {0}, few = {.most = 3};
    char name[16];

    (void)state;
    for (int i = 1; i <= 2 * HISTORY_DECISIONS + 7; i++) {
        (void)snprintf(name, sizeof name, "u%d", i);
        note(name);
    }
    history_walk(see, &seen);
    assert_int_equal(seen.count, HISTORY_DECISIONS);
    assert_int_equal(seen.first.number, 2 * HISTORY_DECISIONS + 7);
    assert_string_equal(seen.first.address, "u407@example.org");
    history_walk(see, &few);
    assert_int_equal(few.count, 3);
}

static void each_minute_has_its_own_counts_for_a_day(void **state)
{
    struct history_minute minute;
    struct history_sum sum;

    (void)state;
    history_decided(RB_REASON_ACCEPTED);
    history_decided(RB_REASON_GREYLISTED);
    history_decided(RB_REASON_EXEMPT);
    history_decided(RB_REASON_NONE); /* a client's: counted elsewhere */
    fake_clock_advance_s(&clock_, 60);
    history_decided(RB_REASON_NULL_MX);
    history_minute(0, &minute);
    assert_int_equal(minute.minute, 2000000060 / 60);
    assert_int_equal(minute.decisions[HISTORY_INVALID], 1);
    assert_int_equal(minute.decisions[HISTORY_VALID], 0);
    history_minute(1, &minute);
    assert_int_equal(minute.decisions[HISTORY_VALID], 1);
    assert_int_equal(minute.decisions[HISTORY_UNKNOWN], 1);
    assert_int_equal(minute.decisions[HISTORY_EXEMPT], 1);
    history_sum(1, &sum);
    assert_int_equal(sum.decisions[HISTORY_VALID], 0);
    history_sum(2, &sum);
    assert_int_equal(sum.decisions[HISTORY_VALID], 1);
    assert_int_equal(sum.decisions[HISTORY_INVALID], 1);
    fake_clock_advance_s(&clock_, (HISTORY_MINUTES - 1) * 60);
    history_sum(HISTORY_MINUTES, &sum);
    assert_int_equal(sum.decisions[HISTORY_VALID], 0);
    assert_int_equal(sum.decisions[HISTORY_INVALID], 1);
    fake_clock_advance_s(&clock_, 60);
    history_sum(UINT32_MAX, &sum);
    assert_int_equal(sum.decisions[HISTORY_INVALID], 0);
    history_minute(HISTORY_MINUTES, &minute);
    assert_int_equal(minute.decisions[HISTORY_INVALID], 0);
}

static void a_clock_set_back_does_no_harm(void **state)
{
    struct history_minute minute;

    (void)state;
    history_decided(RB_REASON_ACCEPTED);
    fake_clock_advance_s(&clock_, -86400);
    history_decided(RB_REASON_NULL_MX);
    history_minute(0, &minute);
    assert_int_equal(minute.decisions[HISTORY_VALID], 0);
    assert_int_equal(minute.decisions[HISTORY_INVALID], 1);
}

/* A machine without a clock begins in 1970, where the hour before has no number. */
static void before_1970_there_was_nothing(void **state)
{
    struct history_minute minute;
    struct history_sum sum;

    (void)state;
    fake_clock_advance_s(&clock_, -2000000000 + 90);
    history_decided(RB_REASON_ACCEPTED);
    history_sum(HISTORY_MINUTES, &sum);
    assert_int_equal(sum.decisions[HISTORY_VALID], 1);
    history_minute(1, &minute);
    assert_int_equal(minute.minute, 0);
    history_minute(HISTORY_MINUTES - 1, &minute);
    assert_int_equal(minute.minute, 2 - HISTORY_MINUTES);
    fake_clock_advance_s(&clock_, -300);
    history_decided(RB_REASON_NULL_MX);
    history_waited(1);
    history_minute(0, &minute);
    assert_int_equal(minute.decisions[HISTORY_INVALID], 1);
}

/* What is ahead of a clock that is set back by a little counts again once it comes. */
static void looking_forgets_nothing(void **state)
{
    struct history_sum sum;

    (void)state;
    history_decided(RB_REASON_ACCEPTED);
    fake_clock_advance_s(&clock_, -60);
    history_sum(HISTORY_MINUTES, &sum);
    assert_int_equal(sum.decisions[HISTORY_VALID], 0);
    fake_clock_advance_s(&clock_, 60);
    history_sum(1, &sum);
    assert_int_equal(sum.decisions[HISTORY_VALID], 1);
}

static void waits_are_told_by_shares(void **state)
{
    static const struct {
        double share;
        int64_t least, most;
    } table[] = {{0, 0, 0},        {0.5, 0, 0},           {0.9, 0, 0},      {0.95, 401, 500},
                 {0.99, 401, 500}, {0.991, 30000, 30000}, {1, 30000, 30000}};
    struct history_sum sum;

    (void)state;
    history_sum(60, &sum);
    assert_int_equal(histogram_quantile(&sum.waits_ms, 0.5), -1);
    for (int i = 0; i < 90; i++)
        history_waited(0);
    for (int i = 0; i < 9; i++)
        history_waited(450);
    history_waited(1000000);
    history_sum(60, &sum);
    assert_int_equal(sum.waits_ms.total, 100);
    for (size_t i = 0; i < COUNT(table); i++)
        assert_in_range(histogram_quantile(&sum.waits_ms, table[i].share), table[i].least,
                        table[i].most);
    history_waited(-5);
    history_sum(60, &sum);
    assert_int_equal(sum.waits_ms.counts[0], 91);
}

static void where_nobody_looks_nothing_is_kept(void **state)
{
    struct history_sum sum;
    struct history_minute minute;
    struct seen seen = {0};

    (void)state;
    history_end();
    assert_false(history_is_kept());
    note("s");
    history_decided(RB_REASON_ACCEPTED);
    history_waited(1);
    history_walk(see, &seen);
    history_sum(60, &sum);
    history_minute(0, &minute);
    assert_int_equal(seen.count, 0);
    assert_int_equal(sum.waits_ms.total, 0);
    assert_int_equal(sum.decisions[HISTORY_VALID], 0);
    assert_true(history_start(&clock_.clock));
    assert_true(history_is_kept());
    history_walk(see, &seen);
    assert_int_equal(seen.count, 0);
}

enum { WRITERS = 8, READERS = 4, TOLD = 500 };

static atomic_bool is_told; /* all that will be */

static void *tell_much(void *arg)
{
    for (int i = 0; i < TOLD; i++) {
        note(arg);
        history_decided(RB_REASON_ACCEPTED);
        history_waited(i);
    }
    return NULL;
}

static bool is_whole(void *arg, const struct history_decision *decision)
{
    bool *wrong = arg;

    *wrong = *wrong || decision->id[3] != decision->address[0];
    return true;
}

/* Until all is told, and once more. NULL: nothing that was seen was wrong. */
static void *look_much(void *arg)
{
    bool wrong = false, last = false;
    struct history_sum sum;

    while (!last) {
        last = atomic_load(&is_told);
        history_walk(is_whole, &wrong);
        history_sum(60, &sum);
        wrong = wrong || sum.decisions[HISTORY_VALID] > WRITERS * TOLD;
    }
    return wrong ? arg : NULL;
}

static void it_may_be_looked_at_while_it_is_told(void **state)
{
    static char names[WRITERS][2] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    pthread_t writers[WRITERS], readers[READERS];
    struct history_sum sum;
    void *wrong;

    (void)state;
    atomic_store(&is_told, false);
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, look_much, &is_told), 0);
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&writers[i], NULL, tell_much, names[i]), 0);
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_join(writers[i], NULL), 0);
    atomic_store(&is_told, true);
    for (int i = 0; i < READERS; i++) {
        assert_int_equal(pthread_join(readers[i], &wrong), 0);
        assert_null(wrong);
    }
    history_sum(60, &sum);
    assert_int_equal(sum.decisions[HISTORY_VALID], WRITERS * TOLD);
    assert_int_equal(sum.waits_ms.total, WRITERS * TOLD);
}

/* As the daemon ends: whoever tells or looks meanwhile finds all of it, or nothing. */
static void it_may_end_while_it_is_told_and_looked_at(void **state)
{
    static char names[2][2] = {"a", "b"};
    pthread_t writers[2], reader;
    void *wrong;

    (void)state;
    atomic_store(&is_told, false);
    assert_int_equal(pthread_create(&reader, NULL, look_much, &is_told), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&writers[i], NULL, tell_much, names[i]), 0);
    for (int i = 0; i < 100; i++) {
        history_end();
        assert_true(history_start(&clock_.clock));
    }
    history_end();
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(writers[i], NULL), 0);
    atomic_store(&is_told, true);
    assert_int_equal(pthread_join(reader, &wrong), 0);
    assert_null(wrong);
}

static bool count_text(void *arg, const struct history_decision *decision)
{
    size_t *octets = arg;

    *octets += strlen(decision->address) + strlen(decision->other) + strlen(decision->helo);
    return true;
}

/* However much strangers say: what there is room for was taken at the start. */
static void memory_is_bounded(void **state)
{
    struct session *session = malloc(sizeof *session);
    struct decision decision;
    size_t octets = 0;

    (void)state;
    assert_non_null(session);
    fill(session, &decision, "s");
    memset(session->sender_text, 'x', SESSION_TEXT_MAX);
    memset(session->helo, 'y', SESSION_TEXT_MAX);
    memset(decision.recipient, 'z', SESSION_TEXT_MAX);
    for (int i = 0; i < 3 * HISTORY_DECISIONS; i++)
        history_note(session, &decision, "q");
    history_walk(count_text, &octets);
    assert_int_equal(octets, HISTORY_DECISIONS * (2 * HISTORY_TEXT_MAX + RB_DOMAIN_MAX));
    assert_in_range(HISTORY_DECISIONS * sizeof(struct history_decision) +
                        HISTORY_MINUTES * sizeof(struct history_minute),
                    1, 700000);
    free(session);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_decision_comes_back_whole),
        TEST(an_exempt_sender_has_the_rule_and_no_answer),
        TEST(a_client_has_its_result),
        TEST(text_that_is_too_long_is_cut),
        TEST(the_latest_are_kept_and_come_first),
        TEST(each_minute_has_its_own_counts_for_a_day),
        TEST(a_clock_set_back_does_no_harm),
        TEST(before_1970_there_was_nothing),
        TEST(looking_forgets_nothing),
        TEST(waits_are_told_by_shares),
        TEST(where_nobody_looks_nothing_is_kept),
        TEST(it_may_be_looked_at_while_it_is_told),
        TEST(it_may_end_while_it_is_told_and_looked_at),
        TEST(memory_is_bounded),
    };

    return cmocka_run_group_tests_name("history", tests, NULL, NULL);
}
