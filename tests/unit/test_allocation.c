/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_allocation: an answer from the cache costs few calls for memory, and how many: a question to
 * the verifier one, a whole session of an MTA's with the milter one beside those of its questions,
 * and one for each policy beyond the first that decides. The milter's callbacks are the real ones,
 * with nothing in libmilter's place that takes memory.
 */
#include "config.h"

#include "mta/filter.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "check.h"
#include "fake_milter.h"
#include "malloc_count.h"
#include "daemon/service.h"
#include "session_rig.h"

enum {
    /*
     * LMDB makes a reader more when another thread reads at that very moment: seldom, and not
     * twice. What asks for memory itself does so each time.
     */
    TRIES = 10,
    PATIENCE_MS = 120000,
    QUESTION_CALLS = 1, /* for memory: the ticket */
    SESSION_CALLS = 1,  /* the connection's own */
    MANY = 128,
};

/* --- The world ------------------------------------------------------------- */

static const struct fake_dns_answer mx[] = {
    {.type = ns_t_mx, .preference = 10, .data = "mx.example.org"}};
static const struct fake_dns_answer address[] = {{.type = ns_t_a, .data = "127.0.0.1"}};
static const struct fake_dns_answer null_mx[] = {{.type = ns_t_mx, .data = "."}};
static const struct fake_dns_answer open_to_all[] = {{.type = ns_t_txt, .data = "v=spf1 +all"}};
static const struct fake_dns_answer strict[] = {{.type = ns_t_txt, .data = "v=spf1 -all"}};

static const struct fake_dns_row zone[] = {
    {.name = "mx.example.org", .type = ns_t_a, .answers = address, .count = 1},
    {.name = "example.org", .type = ns_t_mx, .answers = mx, .count = 1},
    {.name = "open.example", .type = ns_t_mx, .answers = mx, .count = 1},
    {.name = "open.example", .type = ns_t_txt, .answers = open_to_all, .count = 1},
    {.name = "strict.example", .type = ns_t_mx, .answers = mx, .count = 1},
    {.name = "strict.example", .type = ns_t_txt, .answers = strict, .count = 1},
    {.name = "null.example", .type = ns_t_mx, .answers = null_mx, .count = 1},
};

static const struct fake_host_reply people[] = {
    {"good@example.org", "250 2.1.5 Ok"},
    {"good@open.example", "250 2.1.5 Ok"},
    {"good@strict.example", "250 2.1.5 Ok"},
    {"grey@example.org", "450 4.7.1 Greylisted"},
    {"prvs=0123456789=good@example.org", "250 2.1.5 Ok"},
};

static struct session_rig *current;

static int set_up(void **state)
{
    static const struct fake_host_options polite = {
        .pipelining = true, .replies = people, .reply_count = COUNT(people)};
    static const struct fake_host_options store = {.rcpt = "250 2.1.5 Ok"};
    static const struct session_rig_world world = {
        .zone = zone, .zone_count = COUNT(zone), .host = &polite, .store = &store};
    int result = session_rig_set_up(state, &world);

    current = *state;
    if (result == 0)
        current->options.spf_gate = RB_GATE_FAIL;
    return result;
}

/* The fewest calls that it takes, once it has been done. */
static unsigned long fewest_calls(void (*act)(const void *arg), const void *arg)
{
    unsigned long fewest = ~0UL;

    for (int i = 0; i < TRIES && fewest > 0; i++) {
        unsigned long before = malloc_count(), calls;

        act(arg);
        calls = malloc_count() - before;
        fewest = calls < fewest ? calls : fewest;
    }
    return fewest;
}

/* --- Questions ------------------------------------------------------------- */

struct asked {
    const char *address;
    bool by_client;
    enum rb_reason reason;
    bool cached;
};

static struct rb_answer last;

static void ask(const void *arg)
{
    const struct asked *asked = arg;
    const struct rb_question question = {
        .address = asked->address,
        .address_len = strlen(asked->address),
        .client = asked->by_client ? session_rig_client(SESSION_RIG_CLIENT) : NULL,
        .helo = "client.example",
    };
    struct rb_ticket *ticket;

    last = (struct rb_answer){0};
    assert_int_equal(rb_ask(current->verifier, &question, &ticket), RB_OK);
    assert_int_equal(rb_wait(ticket, rb_now_ms(current->verifier) + PATIENCE_MS, &last), RB_OK);
    rb_ticket_free(ticket);
}

static void each_costs_one_ticket(const struct asked *table, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        ask(&table[i]);
        session_rig_await_idle(current);
        if (fewest_calls(ask, &table[i]) != QUESTION_CALLS)
            fail_msg("%s", table[i].address);
        assert_string_equal(rb_reason_name(last.reason), rb_reason_name(table[i].reason));
        assert_int_equal(last.cached, table[i].cached);
    }
}

static void a_question_that_the_cache_answers_takes_memory_once(void **state)
{
    static const struct asked table[] = {
        {"good@example.org", false, RB_REASON_ACCEPTED, true},
        {"<good@example.org>", true, RB_REASON_ACCEPTED, true},
        {"good@open.example", true, RB_REASON_ACCEPTED, true},
        {"good@strict.example", true, RB_REASON_SPF_FAIL, false},
        {"bad@example.org", true, RB_REASON_NO_SUCH_USER, true},
        {"grey@example.org", true, RB_REASON_GREYLISTED, true},
        {"prvs=0123456789=good@example.org", true, RB_REASON_ACCEPTED, true},
        {"anybody@null.example", true, RB_REASON_NULL_MX, true},
        {"not an address", true, RB_REASON_BAD_ADDRESS, false},
        {"<>", true, RB_REASON_EXEMPT, false},
    };

    (void)state;
    session_rig_begin(current, "");
    each_costs_one_ticket(table, COUNT(table));
}

/* ... and what the gate holds back there, or lets through by what it knows. */
static void so_does_one_where_somebody_must_vouch(void **state)
{
    static const struct asked table[] = {
        {"good@example.org", true, RB_REASON_NOT_VOUCHED, false},
        {"good@strict.example", true, RB_REASON_SPF_FAIL, false},
        {"bad@example.org", false, RB_REASON_NO_SUCH_USER, true},
        {"bad@example.org", true, RB_REASON_NO_SUCH_USER, true},
    };

    (void)state;
    current->options.spf_gate = RB_GATE_VOUCHED;
    session_rig_begin(current, "");
    each_costs_one_ticket(table, COUNT(table));
}

static void ask_at_once(const void *arg)
{
    const struct rb_question question = {.address = arg, .address_len = strlen(arg)};
    struct rb_ticket *tickets[MANY];

    for (size_t i = 0; i < COUNT(tickets); i++)
        assert_int_equal(rb_ask(current->verifier, &question, &tickets[i]), RB_OK);
    for (size_t i = 0; i < COUNT(tickets); i++)
        rb_ticket_free(tickets[i]);
}

static void so_does_each_of_many_questions_at_once(void **state)
{
    static const char known[] = "good@example.org";

    (void)state;
    session_rig_begin(current, "");
    ask(&(const struct asked){.address = known});
    session_rig_await_idle(current);
    ask_at_once(known);
    assert_int_equal(fewest_calls(ask_at_once, known), MANY * QUESTION_CALLS);
}

/* --- Sessions -------------------------------------------------------------- */

struct played {
    const char *text; /* the configuration */
    const char *sender;
    const char *recipients[3];
    bool refused;      /* the last recipient */
    unsigned inserted; /* header fields, where it is let in */
    unsigned questions;
    unsigned further; /* policies that decide, beyond the first */
    const char *queue_id;
};

/* What came of the last one. */
static sfsistat told;
static struct smfi_str context;

static void hand_over_message(const struct smfiDesc *filter)
{
    char name[] = "Subject", text[] = "what else";

    if (filter->xxfi_data != NULL)
        assert_int_equal(filter->xxfi_data(&context), SMFIS_CONTINUE);
    (void)filter->xxfi_header(&context, name, text);
    assert_int_equal(filter->xxfi_eom(&context), SMFIS_CONTINUE);
}

/* From the connection to its end. */
static void play(const void *arg)
{
    const struct smfiDesc *filter = fake_milter_filter();
    const struct played *played = arg;
    char host[] = "client.example", argument[RB_ADDRESS_MAX], *arguments[] = {argument, NULL};

    memset(&context, 0, sizeof context); /* too large for a literal on a stack */
    (void)filter->xxfi_connect(&context, host,
                               (_SOCK_ADDR *)session_rig_client(SESSION_RIG_CLIENT));
    (void)filter->xxfi_helo(&context, host);
    (void)snprintf(argument, sizeof argument, "%s", played->sender);
    (void)filter->xxfi_envfrom(&context, arguments);
    context.queue_id = (char *)played->queue_id;
    for (size_t i = 0; i < COUNT(played->recipients) && played->recipients[i] != NULL; i++) {
        (void)snprintf(argument, sizeof argument, "%s", played->recipients[i]);
        told = filter->xxfi_envrcpt(&context, arguments);
    }
    if (told == SMFIS_CONTINUE)
        hand_over_message(filter);
    else
        (void)filter->xxfi_abort(&context);
    (void)filter->xxfi_close(&context);
}

/* What is logged goes nowhere, but is logged. */
static unsigned long play_quietly(const struct played *played)
{
    int kept = dup(STDERR_FILENO), nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    unsigned long calls;

    assert_true(kept >= 0 && nowhere >= 0);
    assert_true(dup2(nowhere, STDERR_FILENO) >= 0);
    play(played);
    session_rig_await_idle(current);
    calls = fewest_calls(play, played);
    assert_true(dup2(kept, STDERR_FILENO) >= 0);
    (void)close(kept);
    (void)close(nowhere);
    return calls;
}

#define PAIR                                                                                       \
    "policy \"a\" { match { recipient = { \"a.example\" } } }\n"                                   \
    "policy \"b\" { match { recipient = { \"b.example\" } } verify = \"none\" }\n"
#define BOTH                                                                                       \
    "relay \"here.example\" { to = { \"" SESSION_RIG_STORE ":@PORT\" } }\n"                        \
    "policy \"both\" { verify = \"both\" }\n"
#define NAMED "authserv_id = \"mx.example.net\"\n"

static void a_session_that_the_cache_answers_takes_memory_once_beside_its_questions(void **state)
{
    static const struct played table[] = {
        {"",
         "<good@example.org>",
         {"<u@a.example>"},
         .inserted = 1,
         .questions = 1,
         .queue_id = "4Xyz12"},
        {"",
         "<good@example.org> SIZE=5",
         {"<u@a.example>", "<v@a.example>"},
         .inserted = 1,
         .questions = 1},
        {"",
         "<bad@example.org>",
         {"<u@a.example>"},
         .refused = true,
         .questions = 1,
         .queue_id = "4Xyz12"},
        {"", "<@r.example:good@example.org>", {"<u@a.example>"}, .inserted = 1, .questions = 1},
        {"", "<>", {"<u@a.example>"}, .inserted = 1},
        {"", "<not an address>", {"<u@a.example>"}, .refused = true, .questions = 1},
        {NAMED, "<good@example.org>", {"<u@a.example>"}, .inserted = 2, .questions = 1},
        {"dry_run = yes", "<bad@example.org>", {"<u@a.example>"}, .inserted = 1, .questions = 1},
        {"policy \"p\" { on_invalid = \"tag\" }",
         "<bad@example.org>",
         {"<u@a.example>"},
         .inserted = 2,
         .questions = 1},
        {"policy \"p\" { on_invalid = \"quarantine\" }",
         "<bad@example.org>",
         {"<u@a.example>"},
         .inserted = 1,
         .questions = 1},
        {"policy \"p\" { on_greylisted = \"tempfail\" }",
         "<grey@example.org>",
         {"<u@a.example>"},
         .refused = true,
         .questions = 1},
        {PAIR,
         "<good@example.org>",
         {"<u@a.example>", "<u@b.example>"},
         .inserted = 1,
         .questions = 1,
         .further = 1},
        {BOTH, "<good@example.org>", {"<u@here.example>"}, .inserted = 1, .questions = 2},
        {"decide_at = \"data\"",
         "<good@example.org>",
         {"<u@a.example>"},
         .inserted = 1,
         .questions = 1},
        {"decide_at = \"eom\"",
         "<good@example.org>",
         {"<u@a.example>"},
         .inserted = 1,
         .questions = 1},
        {"connect_back { check = no answer = no }",
         "<good@example.org>",
         {"<u@a.example>"},
         .inserted = 1,
         .questions = 1},
        {"connect_back { answer = yes }", /* until somebody asks */
         "<good@example.org>",
         {"<u@a.example>"},
         .inserted = 1,
         .questions = 1},
    };

    (void)state;
    assert_true(filter_register("inet:0@127.0.0.1", true));
    for (size_t i = 0; i < COUNT(table); i++) {
        session_rig_begin(current, table[i].text);
        const unsigned long calls = play_quietly(&table[i]);

        if (calls != SESSION_CALLS + table[i].questions * QUESTION_CALLS + table[i].further)
            fail_msg("%s, %s: %lu calls", table[i].text, table[i].sender, calls);
        assert_int_equal(told != SMFIS_CONTINUE, table[i].refused);
        assert_int_equal(fake_milter_count(&context, "setreply "), table[i].refused ? 1 : 0);
        assert_int_equal(fake_milter_count(&context, "insheader "), table[i].inserted);
    }
}

/* The counter does see the milter. */
static void a_sender_of_any_length_takes_memory_once(void **state)
{
    static const struct {
        unsigned over, calls;
    } table[] = {{0, 0}, {1, 1}};
    char sender[SESSION_SENDER_MAX + 2];

    (void)state;
    session_rig_begin(current, "");
    for (size_t i = 0; i < COUNT(table); i++) {
        unsigned long before = malloc_count();

        memset(sender, 'x', sizeof sender);
        sender[SESSION_SENDER_MAX + table[i].over] = '\0';
        session_rig_mail(current, sender);
        assert_int_equal(malloc_count() - before, table[i].calls);
        assert_string_equal(current->session.sender, sender);
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, session_rig_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_question_that_the_cache_answers_takes_memory_once),
        T(so_does_one_where_somebody_must_vouch),
        T(so_does_each_of_many_questions_at_once),
        T(a_session_that_the_cache_answers_takes_memory_once_beside_its_questions),
        T(a_sender_of_any_length_takes_memory_once),
    };

    malloc_count_start();
    return cmocka_run_group_tests_name("allocation", tests, NULL, NULL);
}
