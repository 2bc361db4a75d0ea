/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * peek: what would become of a question is what becomes of it, and telling it leaves no trace: no
 * connection, no count, no token of a rate, no octet of the cache. Over a real cache, a scripted
 * name server and a scripted mail host.
 */
#include "config.h"

#include "check.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/stat.h>

#include "cache/cache.h"
#include "verifier/verifier.h"
#include "verifier_rig.h"

enum { WAIT_MS = 4000 };

static const long long HOUR = 3600, DAY = 86400; /* seconds */

static const struct fake_dns_answer mx[] = {
    {.type = ns_t_mx, .preference = 10, .data = "mx.example.org"}};
static const struct fake_dns_answer no_mx[] = {{.type = ns_t_mx, .data = "."}};
static const struct fake_dns_answer address[] = {{.type = ns_t_a, .data = "127.0.0.1"}};
static const struct fake_dns_answer strict[] = {
    {.type = ns_t_txt, .data = "v=spf1 ip4:198.51.100.1 -all"}};

static const struct fake_dns_row zone[] = {
    {.name = "mx.example.org", .type = ns_t_a, .answers = address, .count = 1},
    {.name = "example.org", .type = ns_t_mx, .answers = mx, .count = 1},
    {.name = "nullmx.example", .type = ns_t_mx, .answers = no_mx, .count = 1},
    {.name = "strict.example", .type = ns_t_mx, .answers = mx, .count = 1},
    {.name = "strict.example", .type = ns_t_txt, .answers = strict, .count = 1},
};

static const struct fake_host_reply users[] = {
    {"user@example.org", "250 2.1.5 Ok"},
    {"other@example.org", "250 2.1.5 Ok"},
    {"user@strict.example", "250 2.1.5 Ok"},
};

static int set_up(void **state)
{
    static const struct fake_host_options polite = {
        .pipelining = true, .replies = users, .reply_count = COUNT(users)};
    static const struct rig_world world = {
        .zone = zone, .zone_count = COUNT(zone), .host = &polite};

    return rig_set_up(state, &world);
}

/* --- Peeking -------------------------------------------------------------- */

/* The cache's file; the caller's. */
static char *read_cache(struct rig *f, size_t *len)
{
    char path[128];
    struct stat status;
    FILE *file;
    char *octets;

    *len = 0;
    (void)snprintf(path, sizeof path, "%s/data.mdb", f->path);
    file = fopen(path, "r");
    if (file == NULL)
        return NULL;
    assert_int_equal(fstat(fileno(file), &status), 0);
    octets = malloc((size_t)status.st_size);
    assert_non_null(octets);
    *len = fread(octets, 1, (size_t)status.st_size, file);
    (void)fclose(file);
    return octets;
}

/* Peeks, and sees that it leaves no trace. */
/* What would become of a question, and what its caller would hear. */
struct foretold {
    bool would_call, is_asked, would_refresh;
    struct rb_answer answer;
};

static struct foretold peek(struct rig *f, const struct rb_question *question)
{
    const unsigned connections = rig_connections(f);
    struct rb_prospect prospect;
    struct rb_answer answer = {.size = 0};
    struct rb_stats before, after;
    size_t len, now_len;
    char *octets, *now;

    if (f->verifier->memory.cache != NULL)
        cache_flush(f->verifier->memory.cache);
    octets = read_cache(f, &len);
    before = rig_stats(f);
    rb_prospect_init(&prospect);
    rb_answer_init(&answer);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(rb_peek(f->verifier, question, rig_until(WAIT_MS), &prospect, &answer),
                         RB_OK);
    after = rig_stats(f);
    if (f->verifier->memory.cache != NULL)
        cache_flush(f->verifier->memory.cache);
    now = read_cache(f, &now_len);
    assert_int_equal(len, now_len);
    assert_memory_equal(octets, now, len);
    assert_memory_equal(&before, &after, sizeof before);
    assert_int_equal(rig_connections(f), connections);
    rig_assert_limit(&answer);
    free(octets);
    free(now);
    return (struct foretold){.would_call = prospect.would_call,
                             .is_asked = prospect.is_asked,
                             .would_refresh = prospect.would_refresh,
                             .answer = answer};
}

static struct foretold peek_at(struct rig *f, const char *text)
{
    const struct rb_question question = rig_question(text);

    return peek(f, &question);
}

/* What is said at once is what is heard when it is asked. */
static void assert_foretold(struct rig *f, const struct rb_question *question)
{
    const struct foretold prospect = peek(f, question);
    const unsigned connections = rig_connections(f);
    struct rb_answer answer = {.size = 0};

    assert_false(prospect.would_call);
    assert_false(prospect.is_asked);
    rig_verify(f, question, &answer);
    assert_int_equal(prospect.answer.reason, answer.reason);
    assert_int_equal(prospect.answer.verdict, answer.verdict);
    assert_string_equal(prospect.answer.rule, answer.rule);
    assert_string_equal(prospect.answer.address, answer.address);
    assert_string_equal(prospect.answer.domain, answer.domain);
    assert_string_equal(prospect.answer.mx, answer.mx);
    assert_string_equal(prospect.answer.reply, answer.reply);
    assert_int_equal(prospect.answer.cached, answer.cached);
    assert_int_equal(prospect.answer.age_s, answer.age_s);
    assert_int_equal(prospect.answer.expires_s, answer.expires_s);
    assert_int_equal(rig_connections(f), connections + prospect.would_refresh);
}

static void assert_foretold_at(struct rig *f, const char *text)
{
    const struct rb_question question = rig_question(text);

    assert_foretold(f, &question);
}

static struct rb_question from(struct sockaddr_in *client, const char *ip, const char *text)
{
    struct rb_question question = rig_question(text);

    *client = (struct sockaddr_in){.sin_family = AF_INET};
    assert_int_equal(inet_pton(AF_INET, ip, &client->sin_addr), 1);
    question.client = (const struct sockaddr *)client;
    question.helo = "client.example";
    return question;
}

static void raise_shield(struct rig *f)
{
    char text[RB_ADDRESS_MAX + 1];

    for (unsigned i = 0; i < 20; i++) {
        (void)snprintf(text, sizeof text, "nobody%u@example.org", i);
        assert_int_equal(rig_reason_for(f, text), RB_REASON_NO_SUCH_USER);
    }
}

/* --- The tests ------------------------------------------------------------ */

static void what_nobody_knows_would_be_asked(void **state)
{
    struct rig *f = *state;

    rig_open(f);
    assert_true(peek_at(f, "user@example.org").would_call);
    assert_int_equal(rig_reason_for(f, "user@example.org"), RB_REASON_ACCEPTED);
    assert_foretold_at(f, "user@example.org");
    assert_true(peek_at(f, "other@example.org").would_call);
}

static void what_is_known_is_told(void **state)
{
    struct rig *f = *state;

    rig_open(f);
    (void)rig_answer_for(f, "user@example.org");
    (void)rig_answer_for(f, "nobody@example.org");
    (void)rig_answer_for(f, "a@nullmx.example");
    assert_foretold_at(f, "<user@EXAMPLE.org>");
    assert_foretold_at(f, "nobody@example.org");
    assert_foretold_at(f, "b@nullmx.example"); /* by its domain's facts */
    assert_false(peek_at(f, "user@example.org").would_refresh);
    fake_clock_advance_s(&f->clock, 8 * DAY);
    assert_true(peek_at(f, "user@example.org").would_refresh);
    assert_foretold_at(f, "user@example.org");
    fake_clock_advance_s(&f->clock, 40 * DAY);
    assert_true(peek_at(f, "user@example.org").would_call);
}

static void one_who_asks_the_cache_alone_hears_of_it_alone(void **state)
{
    struct rig *f = *state;
    struct rb_question question = rig_question("user@example.org");
    struct sockaddr_in client;

    rig_open(f);
    question.only_cache = true;
    assert_foretold(f, &question);
    question = from(&client, "203.0.113.9", "user@strict.example");
    question.only_cache = true;
    assert_foretold(f, &question); /* the gate is not asked for it */
    (void)rig_answer_for(f, "user@example.org");
    fake_clock_advance_s(&f->clock, 8 * DAY);
    question = rig_question("user@example.org");
    question.only_cache = true;
    assert_foretold(f, &question);
}

static void one_who_wants_the_dialogue_would_call(void **state)
{
    struct rig *f = *state;
    struct rb_question question = rig_question("user@example.org");

    rig_open(f);
    (void)rig_answer_for(f, "user@example.org");
    question.transcript = true;
    assert_true(peek(f, &question).would_call);
}

static void what_is_no_address_is_told(void **state)
{
    struct rig *f = *state;

    rig_open(f);
    assert_foretold_at(f, "nobody");
    assert_foretold_at(f, "a b@example.org");
    assert_foretold_at(f, "<>");
}

static void a_correspondent_is_told(void **state)
{
    struct rig *f = *state;

    rig_open(f);
    rb_note_correspondent(f->verifier, "friend@example.org", strlen("friend@example.org"));
    assert_foretold_at(f, "friend@example.org");
    assert_foretold_at(f, "prvs=0123abcdef=friend@example.org");
}

static void the_shield_counts(void **state)
{
    struct rig *f = *state;

    rig_open(f);
    raise_shield(f);
    assert_string_equal(peek_at(f, "user@example.org").answer.rule, "shield");
    assert_foretold_at(f, "user@example.org");
    assert_foretold_at(f, "nobody3@example.org"); /* what is known stands */
    fake_clock_advance_s(&f->clock, HOUR);
    assert_true(peek_at(f, "user@example.org").would_call);
}

static void rates_count_and_are_not_used(void **state)
{
    struct rig *f = *state;
    struct rb_question question;
    struct sockaddr_in client;

    f->options.global_rate = (struct rb_rate){3, 60};
    f->options.per_client_rate = (struct rb_rate){2, 60};
    f->options.spf_gate = RB_GATE_NO;
    rig_open(f);
    for (unsigned i = 0; i < 10; i++)
        assert_true(peek_at(f, "user@example.org").would_call);
    question = from(&client, "203.0.113.9", "user@example.org");
    assert_true(peek(f, &question).would_call);
    rig_verify(f, &question, &(struct rb_answer){0});
    question = from(&client, "203.0.113.9", "nobody1@example.org");
    rig_verify(f, &question, &(struct rb_answer){0});
    question = from(&client, "203.0.113.9", "nobody2@example.org");
    assert_string_equal(peek(f, &question).answer.rule, "per_client_rate");
    assert_foretold(f, &question);
    question = from(&client, "203.0.113.10", "nobody2@example.org");
    assert_true(peek(f, &question).would_call);
    rig_verify(f, &question, &(struct rb_answer){0});
    assert_string_equal(peek_at(f, "nobody3@example.org").answer.rule, "global_rate");
    assert_foretold_at(f, "nobody3@example.org");
    fake_clock_advance_s(&f->clock, 20);
    assert_true(peek_at(f, "nobody3@example.org").would_call);
}

static void the_spf_gate_counts(void **state)
{
    struct rig *f = *state;
    struct rb_question question;
    struct sockaddr_in client;

    rig_open(f);
    question = from(&client, "203.0.113.9", "user@strict.example");
    assert_int_equal(peek(f, &question).answer.reason, RB_REASON_SPF_FAIL);
    assert_foretold(f, &question);
    question = from(&client, "198.51.100.1", "user@strict.example");
    assert_true(peek(f, &question).would_call);
    rig_verify(f, &question, &(struct rb_answer){0});
    assert_foretold(f, &question);
    question = from(&client, "203.0.113.9", "user@strict.example"); /* known, and disowned */
    assert_foretold(f, &question);
}

static void what_is_being_asked_is_said_to_be(void **state)
{
    struct rig *f = *state;
    struct rb_ticket *ticket;

    rig_open(f);
    rig_hold(f, true);
    ticket = rig_ask(f, "user@example.org");
    assert_true(fake_host_wait(f->host, "RCPT", 1));
    assert_true(peek_at(f, "user@example.org").is_asked);
    assert_false(peek_at(f, "user@example.org").would_call);
    assert_true(peek_at(f, "other@example.org").would_call);
    rig_hold(f, false);
    assert_int_equal(rig_outcome(ticket), RB_REASON_ACCEPTED);
    rig_await_idle(f);
    assert_foretold_at(f, "user@example.org");
}

static void a_full_queue_is_told(void **state)
{
    struct rig *f = *state;
    struct rb_ticket *first, *second;

    f->options.max_workers = 1;
    f->options.max_pending = 1;
    rig_open(f);
    rig_hold(f, true);
    first = rig_ask(f, "user@example.org");
    assert_true(fake_host_wait(f->host, "RCPT", 1));
    second = rig_ask(f, "user@strict.example");
    rig_await_sessions(f, 1, 1);
    assert_int_equal(peek_at(f, "other@example.org").answer.reason, RB_REASON_BUSY);
    assert_string_equal(peek_at(f, "other@example.org").answer.rule, "queue_full");
    rig_hold(f, false);
    assert_int_equal(rig_outcome(first), RB_REASON_ACCEPTED);
    assert_int_equal(rig_outcome(second), RB_REASON_ACCEPTED);
}

static void a_relay_is_not_held_up_by_limits(void **state)
{
    struct rig *f = *state;
    char relay[64];
    struct rb_question question = rig_question("new@example.org");

    f->options.global_rate = (struct rb_rate){1, 60};
    rig_open(f);
    (void)rig_answer_for(f, "user@example.org");
    (void)snprintf(relay, sizeof relay, "127.0.0.1:%u", fake_host_port(f->host));
    assert_string_equal(peek_at(f, "new@example.org").answer.rule, "global_rate");
    question.relay = relay;
    assert_true(peek(f, &question).would_call);
    rig_verify(f, &question, &(struct rb_answer){0});
    assert_foretold(f, &question);
    question.relay = ",";
    assert_int_equal(rb_peek(f->verifier, &question, rig_until(WAIT_MS), &(struct rb_prospect){0},
                             &(struct rb_answer){0}),
                     RB_ERR_ARGUMENT);
}

static void a_stopped_verifier_would_ask_nobody(void **state)
{
    struct rig *f = *state;

    rig_open(f);
    rb_verifier_stop(f->verifier);
    assert_string_equal(peek_at(f, "user@example.org").answer.rule, "shutting_down");
    assert_foretold_at(f, "user@example.org");
}

/* Uses what is known, and keeps nothing that it learns. */
static void a_verifier_that_only_reads_the_store(void **state)
{
    struct rig *f = *state;
    size_t len, now_len;
    char *octets, *now;

    rig_open(f);
    (void)rig_answer_for(f, "user@example.org");
    rig_close(f);
    octets = read_cache(f, &len);
    f->options.store_read_only = true;
    f->options.greylist.retry = false;
    rig_open(f);
    assert_true(rig_answer_for(f, "user@example.org").cached);
    assert_int_equal(rig_reason_for(f, "nobody@example.org"), RB_REASON_NO_SUCH_USER);
    assert_int_equal(rig_reason_for(f, "other@example.org"), RB_REASON_ACCEPTED);
    assert_false(rig_answer_for(f, "other@example.org").cached);
    rb_note_correspondent(f->verifier, "friend@example.org", strlen("friend@example.org"));
    rig_close(f);
    now = read_cache(f, &now_len);
    assert_int_equal(len, now_len);
    assert_memory_equal(octets, now, len);
    free(octets);
    free(now);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, rig_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_nobody_knows_would_be_asked),
        TEST(what_is_known_is_told),
        TEST(one_who_asks_the_cache_alone_hears_of_it_alone),
        TEST(one_who_wants_the_dialogue_would_call),
        TEST(what_is_no_address_is_told),
        TEST(a_correspondent_is_told),
        TEST(the_shield_counts),
        TEST(rates_count_and_are_not_used),
        TEST(the_spf_gate_counts),
        TEST(what_is_being_asked_is_said_to_be),
        TEST(a_full_queue_is_told),
        TEST(a_relay_is_not_held_up_by_limits),
        TEST(a_stopped_verifier_would_ask_nobody),
        TEST(a_verifier_that_only_reads_the_store),
    };

    return cmocka_run_group_tests_name("peek", tests, NULL, NULL);
}
