/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_guest: the verifier as a guest of other people's hosts: who is not called at all (SPF,
 * correspondents, one-time senders), how often and by how many sessions at once others are. Over
 * a real cache, a scripted name server and a scripted mail host that counts; time is moved by
 * hand.
 */
#include "config.h"

#include "check.h"
#include "base/clock.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <time.h>

#include "verifier/verifier.h"
#include "verifier_rig.h"

enum {
    DOMAINS = 8, /* d0.example to d7.example live on one mail host */
    CROWD = 64,
    CLIENTS = 200,
    DNS_ATTEMPTS = 2,  /* of one look-up, as resolv.conf has it where it says nothing */
    LITTLE_LATER = 50, /* pauses between two who ask the same */
    SILENCE_MS = 2000, /* for a name server that says nothing; longer than any answer takes */
    LIST_SIZE = 200,
    STRESS_THREADS = 6,
    STRESS_ROUNDS = 40,
};

static const long long MINUTE = 60, HOUR = 3600, DAY = 86400; /* seconds */

/* Of the clients of these tests, one is allowed by the domains that have a policy at all. */
#define FRIEND "198.51.100.1"
#define STRANGER "203.0.113.9"

/* --- The world ------------------------------------------------------------- */

#define ROW(owner, kind, records)                                                                  \
    {                                                                                              \
        .name = (owner), .type = (kind), .answers = (records), .count = COUNT(records)             \
    }
#define TEXT(text)                                                                                 \
    {                                                                                              \
        {                                                                                          \
            .type = ns_t_txt, .data = (text)                                                       \
        }                                                                                          \
    }

static const struct fake_dns_answer mx[] = {
    {.type = ns_t_mx, .preference = 10, .data = "mx.example.org"}};
static const struct fake_dns_answer second_mx[] = {
    {.type = ns_t_mx, .preference = 10, .data = "mx2.example.org"}};
static const struct fake_dns_answer address[] = {{.type = ns_t_a, .data = "127.0.0.1"}};
static const struct fake_dns_answer second_address[] = {{.type = ns_t_a, .data = "127.0.0.2"}};
static const struct fake_dns_answer strict[] = TEXT("v=spf1 ip4:198.51.100.1 -all");
static const struct fake_dns_answer soft[] = TEXT("v=spf1 ip4:198.51.100.1 ~all");
static const struct fake_dns_answer neutral[] = TEXT("v=spf1 ?all");
static const struct fake_dns_answer broken[] = TEXT("v=spf1 no-such-mechanism -all");
static const struct fake_dns_answer by_local_part[] =
    TEXT("v=spf1 exists:%{l}.allowed.example -all");
static const struct fake_dns_answer by_helo[] = TEXT("v=spf1 exists:%{h}.allowed.example -all");
static const struct fake_dns_answer by_name[] = TEXT("v=spf1 ptr -all");
static const struct fake_dns_answer unrelated[] = TEXT("some-site-verification=0");

static const struct fake_dns_row zone[] = {
    ROW("mx.example.org", ns_t_a, address),
    ROW("mx2.example.org", ns_t_a, second_address),
    ROW("example.org", ns_t_mx, mx),
    ROW("other.example", ns_t_mx, mx),
    ROW("elsewhere.example", ns_t_mx, second_mx),
    ROW("strict.example", ns_t_mx, mx),
    ROW("strict.example", ns_t_txt, strict),
    ROW("soft.example", ns_t_mx, mx),
    ROW("soft.example", ns_t_txt, soft),
    ROW("neutral.example", ns_t_mx, mx),
    ROW("neutral.example", ns_t_txt, neutral),
    ROW("broken.example", ns_t_mx, mx),
    ROW("broken.example", ns_t_txt, broken),
    ROW("failing.example", ns_t_mx, mx),
    {.name = "failing.example", .type = ns_t_txt, .rcode = ns_r_servfail},
    ROW("unrelated.example", ns_t_mx, mx),
    ROW("unrelated.example", ns_t_txt, unrelated),
    ROW("local.example", ns_t_mx, mx),
    ROW("local.example", ns_t_txt, by_local_part),
    ROW("user.allowed.example", ns_t_a, address),
    ROW("greeting.example", ns_t_mx, mx),
    ROW("greeting.example", ns_t_txt, by_helo),
    ROW("friend.example.allowed.example", ns_t_a, address),
    ROW("mute.example", ns_t_mx, mx),
    {.name = "mute.example", .type = ns_t_txt, .flags = FAKE_DNS_DROP},
    ROW("named.example", ns_t_mx, mx),
    ROW("named.example", ns_t_txt, by_name),
    {.name = "9.113.0.203.in-addr.arpa", .type = ns_t_ptr, .flags = FAKE_DNS_DROP},
    ROW("d0.example", ns_t_mx, mx),
    ROW("d1.example", ns_t_mx, mx),
    ROW("d2.example", ns_t_mx, mx),
    ROW("d3.example", ns_t_mx, mx),
    ROW("d4.example", ns_t_mx, mx),
    ROW("d5.example", ns_t_mx, mx),
    ROW("d6.example", ns_t_mx, mx),
    ROW("d7.example", ns_t_mx, mx),
};

static const struct fake_host_reply users[] = {
    {"user@example.org", "250 2.1.5 Ok"},
    {"user@other.example", "250 2.1.5 Ok"},
    {"user@elsewhere.example", "250 2.1.5 Ok"},
    {"user@strict.example", "250 2.1.5 Ok"},
    {"user@soft.example", "250 2.1.5 Ok"},
    {"user@neutral.example", "250 2.1.5 Ok"},
    {"user@broken.example", "250 2.1.5 Ok"},
    {"user@failing.example", "250 2.1.5 Ok"},
    {"user@unrelated.example", "250 2.1.5 Ok"},
    {"user@mute.example", "250 2.1.5 Ok"},
    {"user@named.example", "250 2.1.5 Ok"},
    {"user@local.example", "250 2.1.5 Ok"},
    {"user@greeting.example", "250 2.1.5 Ok"},
    {"grey@example.org", "450 4.7.1 Greylisted"},
    {"prvs=0123abcdef=user@example.org", "250 2.1.5 Ok"},
    {"SRS0=abcd=Q1=client.example=u@example.org", "250 2.1.5 Ok"},
};

static const struct fake_host_options polite = {
    .pipelining = true, .replies = users, .reply_count = COUNT(users)};

static int set_up(void **state)
{
    static const struct rig_world world = {
        .zone = zone, .zone_count = COUNT(zone), .host = &polite};

    return rig_set_up(state, &world);
}

static enum rb_reason reason_from(struct rig *f, const char *client, const char *text)
{
    return rig_answer_from(f, client, text).reason;
}

static void assert_rule(const struct rb_answer *answer, enum rb_reason reason, const char *rule)
{
    if (answer->reason != reason || strcmp(answer->rule, rule) != 0)
        fail_msg("%s: %s (%s), and not %s (%s)", answer->address, rb_reason_name(answer->reason),
                 answer->rule, rb_reason_name(reason), rule);
}

/* Refused at once, without a connection, and not to be kept. */
static void assert_limited(struct rig *f, const struct rb_question *question, const char *rule)
{
    unsigned before = rig_connections(f);
    struct rb_ticket *ticket = rig_put(f, question);
    struct rb_answer answer = {.size = 0};

    assert_true(rb_ready(ticket));
    answer = rig_answer(ticket);
    assert_rule(&answer, RB_REASON_LIMITED, rule);
    assert_false(answer.cached);
    assert_int_equal(answer.expires_s, -1);
    assert_int_equal(rig_connections(f), before);
}

static void assert_limited_for(struct rig *f, const char *text, const char *rule)
{
    const struct rb_question question = rig_question(text);

    assert_limited(f, &question, rule);
}

/* Asks for the n-th of addresses that nobody has, at the domain. */
static struct rb_answer ask_for_nobody(struct rig *f, unsigned n, const char *domain)
{
    char text[RB_ADDRESS_MAX + 1];

    (void)snprintf(text, sizeof text, "nobody%u@%s", n, domain);
    return rig_answer_for(f, text);
}

static void assert_nobodies(struct rig *f, unsigned first, unsigned count, const char *domain)
{
    for (unsigned i = first; i < first + count; i++)
        assert_int_equal(ask_for_nobody(f, i, domain).reason, RB_REASON_NO_SUCH_USER);
}

static unsigned asked_txt(struct rig *f, const char *domain)
{
    return fake_dns_asked_udp(f->dns, domain, ns_t_txt);
}

static void await_txt(struct rig *f, const char *domain)
{
    for (int i = 0; i < RIG_PATIENCE_MS && asked_txt(f, domain) == 0; i++)
        check_pause();
    assert_true(asked_txt(f, domain) > 0);
}

/* --- The SPF gate ---------------------------------------------------------- */

static void nobody_is_called_for_a_client_that_the_domain_disowns(void **state)
{
    struct rig *f = *state;

    rig_open(f);
    const struct rb_answer answer = rig_answer_from(f, STRANGER, "user@strict.example");
    assert_rule(&answer, RB_REASON_SPF_FAIL, "spf_fail");
    assert_int_equal(answer.verdict, RB_VERDICT_UNKNOWN);
    assert_string_equal(answer.address, "user@strict.example");
    assert_false(answer.cached);
    assert_int_equal(answer.expires_s, -1);
    assert_int_equal(answer.port, 0);
    assert_int_equal(rig_connections(f), 0);
    assert_int_equal(fake_dns_asked_udp(f->dns, "strict.example", ns_t_mx), 0);
    const struct rb_stats stats = rig_stats(f);
    assert_int_equal(stats.spf_fail, 1);
    assert_int_equal(stats.cache_entries, 0);
    assert_int_equal(stats.callouts[RB_REASON_SPF_FAIL], 0);
}

static void a_client_that_the_domain_allows_is_asked_for(void **state)
{
    struct rig *f = *state;

    rig_open(f);
    assert_int_equal(reason_from(f, FRIEND, "user@strict.example"), RB_REASON_ACCEPTED);
    assert_int_equal(reason_from(f, "::ffff:" FRIEND, "nobody@strict.example"),
                     RB_REASON_NO_SUCH_USER);
    assert_int_equal(rig_connections(f), 2);
    assert_int_equal(rig_stats(f).spf_fail, 0);
}

static void at_fail_nothing_else_closes_the_gate(void **state)
{
    static const char *const open[] = {
        "user@soft.example",    "user@neutral.example",   "user@broken.example",
        "user@failing.example", "user@unrelated.example", "user@example.org",
    };
    struct rig *f = *state;

    f->options.spf_gate = RB_GATE_FAIL;
    rig_open(f);
    for (size_t i = 0; i < COUNT(open); i++) {
        assert_int_equal(reason_from(f, STRANGER, open[i]), RB_REASON_ACCEPTED);
        assert_true(asked_txt(f, strchr(open[i], '@') + 1) > 0);
        assert_int_equal(rig_connections(f), i + 1);
    }
    assert_int_equal(rig_stats(f).spf_fail, 0);
}

static void the_next_message_costs_no_dns_whoever_sends_it(void **state)
{
    static const struct {
        const char *client;
        enum rb_reason reason;
    } table[] = {{STRANGER, RB_REASON_SPF_FAIL}, {FRIEND, RB_REASON_NO_SUCH_USER}};
    struct rig *f = *state;

    rig_open(f);
    for (unsigned i = 0; i < COUNT(table); i++) {
        assert_int_equal(reason_from(f, table[i].client, "nobody@strict.example"), table[i].reason);
        assert_int_equal(asked_txt(f, "strict.example"), 1);
        const struct rb_question again =
            rig_question_from(table[i].client, "nobody@strict.example");
        struct rb_ticket *ticket = rig_put(f, &again);
        assert_true(rb_ready(ticket));
        assert_int_equal(rig_outcome(ticket), table[i].reason);
        assert_int_equal(reason_from(f, table[i].client, "nobody2@strict.example"),
                         table[i].reason);
        assert_int_equal(asked_txt(f, "strict.example"), 1);
    }
    fake_clock_advance_s(&f->clock, 5 * MINUTE); /* records have lives of their own */
    assert_int_equal(reason_from(f, STRANGER, "user@strict.example"), RB_REASON_SPF_FAIL);
    assert_int_equal(asked_txt(f, "strict.example"), 2);
}

static void spf_fail_is_told_of_an_address_known_to_be_valid(void **state)
{
    struct rig *f = *state;

    rig_open(f);
    assert_int_equal(reason_from(f, FRIEND, "user@strict.example"), RB_REASON_ACCEPTED);
    for (int i = 0; i < 2; i++) { /* by DNS, then from memory */
        const struct rb_answer answer = rig_answer_from(f, STRANGER, "user@strict.example");

        assert_rule(&answer, RB_REASON_SPF_FAIL, "spf_fail");
        assert_false(answer.cached);
    }
    const struct rb_answer answer = rig_answer_from(f, FRIEND, "user@strict.example");
    assert_int_equal(answer.reason, RB_REASON_ACCEPTED); /* what is known stays known */
    assert_true(answer.cached);
    assert_int_equal(rig_connections(f), 1);
}

static void what_is_known_to_be_invalid_is_told_without_spf(void **state)
{
    struct rig *f = *state;

    rig_open(f);
    assert_int_equal(rig_reason_for(f, "nobody@strict.example"), RB_REASON_NO_SUCH_USER);
    const struct rb_question question = rig_question_from(STRANGER, "nobody@strict.example");
    struct rb_ticket *ticket = rig_put(f, &question);
    assert_true(rb_ready(ticket));
    assert_int_equal(rig_outcome(ticket), RB_REASON_NO_SUCH_USER);
    assert_int_equal(asked_txt(f, "strict.example"), 0);
    assert_int_equal(rig_connections(f), 1);
}

static void a_look_into_the_cache_alone_asks_no_dns(void **state)
{
    struct rig *f = *state;
    struct rb_question question = rig_question_from(STRANGER, "user@strict.example");
    struct rb_answer answer = {.size = 0};

    rig_open(f);
    question.only_cache = true;
    rig_verify(f, &question, &answer);
    assert_rule(&answer, RB_REASON_TIMEOUT, "not_in_cache");
    assert_int_equal(asked_txt(f, "strict.example"), 0);
}

/* The answer is told at once; what is not told is that somebody else's mail is forged. */
static void what_the_cache_knows_does_not_wait_for_spf(void **state)
{
    static const long long ages[] = {0, 7 * DAY}; /* fresh, stale */
    struct rig *f = *state;

    rig_open(f);
    assert_int_equal(rig_reason_for(f, "user@strict.example"), RB_REASON_ACCEPTED);
    fake_dns_hold(f->dns, true);
    for (size_t i = 0; i < COUNT(ages); i++) {
        const struct rb_question question = rig_question_from(STRANGER, "user@strict.example");
        struct rb_answer answer = {.size = 0};
        struct rb_ticket *ticket;

        fake_clock_advance_s(&f->clock, ages[i]);
        ticket = rig_put(f, &question);
        assert_true(rb_ready(ticket));
        answer = rig_answer(ticket);
        assert_int_equal(answer.reason, RB_REASON_ACCEPTED);
        assert_true(answer.cached);
        assert_int_equal(answer.age_s, ages[i]);
    }
    fake_dns_hold(f->dns, false);
}

/* However often it is told: what nobody waits for takes no place from those who do. */
static void behind_cached_answers_the_queue_does_not_fill(void **state)
{
    struct rig *f = *state;
    const struct rb_question question = rig_question_from(STRANGER, "user@strict.example");

    f->options.max_pending = 2;
    rig_open(f);
    assert_int_equal(rig_reason_for(f, "user@strict.example"), RB_REASON_ACCEPTED);
    fake_dns_hold(f->dns, true);
    for (unsigned i = 0; i < CLIENTS; i++)
        assert_int_equal(rig_outcome(rig_put(f, &question)), RB_REASON_ACCEPTED);
    assert_int_equal(rig_stats(f).pending, 1);
    assert_int_equal(rig_stats(f).busy, 0);
    fake_dns_hold(f->dns, false);
}

/* ... but the next one's is: the domain has been asked meanwhile, once, whoever sends for it. */
static void behind_a_cached_answer_the_domain_is_asked_once(void **state)
{
    struct rig *f = *state;

    rig_open(f);
    assert_int_equal(rig_reason_for(f, "user@strict.example"), RB_REASON_ACCEPTED);
    assert_int_equal(reason_from(f, STRANGER, "user@strict.example"), RB_REASON_ACCEPTED);
    rig_await_idle(f);
    for (unsigned i = 1; i <= CLIENTS; i++) {
        char client[INET_ADDRSTRLEN];

        (void)snprintf(client, sizeof client, "203.0.113.%u", i);
        const struct rb_question question = rig_question_from(client, "user@strict.example");
        struct rb_ticket *ticket = rig_put(f, &question);
        assert_true(rb_ready(ticket));
        assert_int_equal(rig_outcome(ticket), RB_REASON_SPF_FAIL);
    }
    assert_int_equal(asked_txt(f, "strict.example"), 1);
    assert_int_equal(rig_connections(f), 1);
}

static void a_stale_answer_is_refreshed_only_for_a_client_that_passes(void **state)
{
    struct rig *f = *state;

    rig_open(f);
    assert_int_equal(rig_reason_for(f, "user@strict.example"), RB_REASON_ACCEPTED);
    fake_clock_advance_s(&f->clock, 7 * DAY);
    assert_int_equal(reason_from(f, STRANGER, "user@strict.example"), RB_REASON_ACCEPTED);
    rig_await_idle(f);
    assert_int_equal(rig_connections(f), 1);
    assert_int_equal(rig_stats(f).spf_fail, 1);
    struct rb_answer answer = rig_answer_from(f, FRIEND, "user@strict.example");
    assert_int_equal(answer.reason, RB_REASON_ACCEPTED);
    assert_true(answer.cached);
    assert_int_equal(answer.age_s, 7 * DAY);
    rig_await_callouts(f, RB_REASON_ACCEPTED, 2);
    answer = rig_answer_from(f, FRIEND, "user@strict.example");
    assert_int_equal(answer.age_s, 0);
    assert_int_equal(rig_connections(f), 2);
}

static void there_is_no_gate_where_it_is_off_or_has_nothing_to_go_by(void **state)
{
    struct rig *f = *state;
    struct rb_question question = rig_question_from(STRANGER, "user@strict.example");
    struct rb_answer answer = {.size = 0};
    char relay[32];

    rig_open(f);
    question.client = NULL;
    question.no_cache = true; /* asked for each time */
    rig_verify(f, &question, &answer);
    assert_int_equal(answer.reason, RB_REASON_ACCEPTED);
    (void)snprintf(relay, sizeof relay, "127.0.0.1:%u", (unsigned)fake_host_port(f->host));
    question.client = rig_client(STRANGER);
    question.relay = relay;
    rig_verify(f, &question, &answer);
    assert_int_equal(answer.reason, RB_REASON_ACCEPTED);
    question.relay = NULL;
    f->options.spf_gate = RB_GATE_NO;
    rig_reload(f);
    rig_verify(f, &question, &answer);
    assert_int_equal(answer.reason, RB_REASON_ACCEPTED);
    assert_int_equal(rig_connections(f), 3);
    assert_int_equal(asked_txt(f, "strict.example"), 0);
    f->options.spf_gate = RB_GATE_FAIL;
    rig_reload(f);
    rig_verify(f, &question, &answer);
    assert_int_equal(answer.reason, RB_REASON_SPF_FAIL);
}

static void the_loopback_passes(void **state)
{
    struct rig *f = *state;

    rig_open(f);
    assert_int_equal(reason_from(f, "127.0.0.1", "user@strict.example"), RB_REASON_ACCEPTED);
    assert_int_equal(reason_from(f, "::1", "user@strict.example"), RB_REASON_ACCEPTED);
    assert_int_equal(asked_txt(f, "strict.example"), 0);
}

static void a_question_at_the_gate_is_not_ready_and_then_is(void **state)
{
    static const char *const clients[] = {STRANGER, FRIEND};
    struct rig *f = *state;

    rig_open(f);
    for (size_t i = 0; i < COUNT(clients); i++) {
        const struct rb_question question = rig_question_from(clients[i], "nobody@strict.example");
        struct rb_answer answer = {0};
        struct rb_ticket *ticket;

        fake_dns_hold(f->dns, true);
        fake_clock_advance_s(&f->clock, HOUR); /* nothing is remembered */
        ticket = rig_put(f, &question);
        assert_false(rb_ready(ticket));
        assert_int_equal(rig_connections(f), 0);
        fake_dns_hold(f->dns, false);
        assert_int_equal(rb_wait(ticket, rig_until(RIG_PATIENCE_MS), &answer), RB_OK);
        assert_true(rb_ready(ticket));
        assert_int_equal(rb_wait(ticket, 0, &answer), RB_OK); /* and says the same again */
        assert_int_equal(answer.reason, i == 0 ? RB_REASON_SPF_FAIL : RB_REASON_NO_SUCH_USER);
        rb_ticket_free(ticket);
    }
}

static void a_question_at_the_gate_may_be_left_and_goes_on(void **state)
{
    struct rig *f = *state;
    const struct rb_question question = rig_question_from(FRIEND, "user@strict.example");

    rig_open(f);
    fake_dns_hold(f->dns, true);
    rb_ticket_free(rig_put(f, &question));
    fake_dns_hold(f->dns, false);
    rig_await_callouts(f, RB_REASON_ACCEPTED, 1);
    assert_true(rig_answer_from(f, FRIEND, "user@strict.example").cached);
    assert_int_equal(rig_connections(f), 1);
}

/* Who waits for nothing gets no callout for a forged sender, and leaves the gate as it is. */
static void a_caller_in_a_hurry_does_not_open_the_gate(void **state)
{
    struct rig *f = *state;
    const struct rb_question question = rig_question_from(STRANGER, "nobody@strict.example");
    struct rb_answer answer = {0};

    rig_open(f);
    fake_dns_hold(f->dns, true);
    assert_int_equal(rb_verify(f->verifier, &question, 0, &answer), RB_ERR_NOT_YET);
    assert_rule(&answer, RB_REASON_TIMEOUT, "still_asking");
    fake_dns_hold(f->dns, false);
    rig_await_idle(f);
    assert_int_equal(rig_stats(f).spf_fail, 1);
    assert_int_equal(reason_from(f, STRANGER, "nobody@strict.example"), RB_REASON_SPF_FAIL);
    assert_int_equal(rig_connections(f), 0);
}

static void equal_checks_are_one(void **state)
{
    static const char *const clients[] = {STRANGER, "203.0.113.10"};
    struct rig *f = *state;
    struct rb_question questions[CROWD];
    struct sockaddr_storage addresses[COUNT(clients)];
    char names[CROWD][64];

    for (size_t i = 0; i < COUNT(clients); i++)
        memcpy(&addresses[i], rig_client(clients[i]), sizeof addresses[i]);
    for (size_t i = 0; i < CROWD; i++) {
        (void)snprintf(names[i], sizeof names[i], "u%zu@strict.example", i);
        questions[i] = rig_question(names[i]);
        questions[i].client = (const struct sockaddr *)&addresses[i % COUNT(clients)];
    }
    rig_open(f);
    fake_dns_hold(f->dns, true);
    rig_start_askers(f, CROWD, questions, CROWD);
    assert_int_equal(rig_stats(f).pending, CROWD);
    fake_dns_hold(f->dns, false);
    rig_join_askers(f, CROWD);
    for (size_t i = 0; i < CROWD; i++)
        assert_int_equal(f->askers[i].answer.reason, RB_REASON_SPF_FAIL);
    assert_int_equal(asked_txt(f, "strict.example"), 1);
    assert_int_equal(rig_stats(f).spf_fail, CROWD);
    assert_int_equal(rig_connections(f), 0);
}

/* One check serves all of a client's senders, unless the record tells them apart. */
static void senders_and_sessions_that_a_record_tells_apart_are(void **state)
{
    static const struct {
        const char *address, *helo;
        enum rb_reason reason;
    } table[] = {
        {"user@local.example", "client.example", RB_REASON_ACCEPTED},
        {"other@local.example", "client.example", RB_REASON_SPF_FAIL},
        {"another@local.example", "client.example", RB_REASON_SPF_FAIL},
        {"user@greeting.example", "friend.example", RB_REASON_ACCEPTED},
        {"user@greeting.example", "foe.example", RB_REASON_SPF_FAIL},
        {"nobody@greeting.example", "friend.example", RB_REASON_NO_SUCH_USER},
    };
    struct rig *f = *state;
    struct rb_question questions[COUNT(table)];

    for (size_t i = 0; i < COUNT(table); i++) {
        questions[i] = rig_question_from(STRANGER, table[i].address);
        questions[i].helo = table[i].helo;
    }
    rig_open(f);
    fake_dns_hold(f->dns, true);
    rig_start_askers(f, COUNT(table), questions, COUNT(table));
    fake_dns_hold(f->dns, false);
    rig_join_askers(f, COUNT(table));
    for (size_t i = 0; i < COUNT(table); i++)
        if (f->askers[i].answer.reason != table[i].reason)
            fail_msg("%s: %s", table[i].address, rb_reason_name(f->askers[i].answer.reason));
    assert_int_equal(asked_txt(f, "local.example"), 1);
    assert_int_equal(asked_txt(f, "greeting.example"), 1);
    rig_await_idle(f);
}

/* Equal questions that come through the gate one by one are asked of the world once. */
static void those_who_come_through_the_gate_are_joined(void **state)
{
    struct rig *f = *state;
    struct rb_question questions[CROWD];

    for (size_t i = 0; i < CROWD; i++)
        questions[i] = rig_question_from(FRIEND, "user@strict.example");
    rig_open(f);
    fake_dns_hold(f->dns, true);
    rig_start_askers(f, CROWD, questions, CROWD);
    fake_dns_hold(f->dns, false);
    rig_join_askers(f, CROWD);
    for (size_t i = 0; i < CROWD; i++)
        assert_int_equal(f->askers[i].answer.reason, RB_REASON_ACCEPTED);
    rig_await_idle(f);
    assert_int_equal(rig_rcpts(f), 2); /* the address, and a probe of its domain */
    const struct rb_stats stats = rig_stats(f);
    assert_int_equal(stats.callouts[RB_REASON_ACCEPTED], 1);
    assert_int_equal(stats.coalesced, CROWD - 1);
}

/*
 * Silence is no answer: the gate opens after its time, and the name server is left alone for a
 * while.
 */
static void a_dead_name_server_opens_the_gate_in_the_end(void **state)
{
    struct rig *f = *state;
    const struct rb_question question = rig_question_from(STRANGER, "user@mute.example");
    struct rb_answer answer = {0};
    unsigned asked;

    f->options.total_timeout_ms = SILENCE_MS;
    rig_open(f);
    assert_int_equal(rb_verify(f->verifier, &question, 0, &answer), RB_ERR_NOT_YET);
    assert_rule(&answer, RB_REASON_TIMEOUT, "still_asking");
    rig_await_callouts(f, RB_REASON_ACCEPTED, 1);
    asked = asked_txt(f, "mute.example");
    assert_true(asked > 0 && asked <= DNS_ATTEMPTS);
    assert_int_equal(reason_from(f, STRANGER, "nobody@mute.example"), RB_REASON_NO_SUCH_USER);
    assert_int_equal(asked_txt(f, "mute.example"), asked);
}

/* Where a client has no name "ptr" does not match; that we had no time for it is no such thing. */
static void a_name_of_the_client_that_comes_too_late_opens_the_gate(void **state)
{
    struct rig *f = *state;

    f->options.clock = clock_system();
    f->options.total_timeout_ms = SILENCE_MS;
    rig_open(f);
    /* The callout has as little time, by a clock that runs: on a slow machine it may find none. */
    assert_int_not_equal(reason_from(f, STRANGER, "user@named.example"), RB_REASON_SPF_FAIL);
    assert_int_equal(rig_stats(f).spf_fail, 0);
}

/* ... for all that wait for it: nobody is asked again by those who came a little later. */
static void who_joins_a_look_up_ends_with_it(void **state)
{
    struct rig *f = *state;
    struct rb_question question = rig_question_from(STRANGER, "user@mute.example");
    struct rb_ticket *first, *second;
    bool joined;

    f->options.clock = clock_system();
    f->options.total_timeout_ms = SILENCE_MS;
    rig_open(f);
    first = rig_put(f, &question);
    await_txt(f, "mute.example");
    for (unsigned i = 0; i < LITTLE_LATER; i++)
        check_pause();
    question = rig_question_from(FRIEND, "user@mute.example");
    second = rig_put(f, &question);
    joined = !rb_ready(first);
    assert_int_not_equal(rig_outcome(first), RB_REASON_SPF_FAIL);
    assert_int_not_equal(rig_outcome(second), RB_REASON_SPF_FAIL);
    assert_true(!joined || asked_txt(f, "mute.example") <= DNS_ATTEMPTS);
}

/* However many clients send for it, one worker waits for its name server. */
static void a_dead_name_server_takes_one_worker(void **state)
{
    struct rig *f = *state;
    struct rb_ticket *tickets[CLIENTS];

    f->options.max_workers = 2;
    f->options.max_held = 0;
    f->options.total_timeout_ms = SILENCE_MS;
    rig_open(f);
    fake_dns_hold(f->dns, true);
    for (unsigned i = 0; i < CLIENTS; i++) {
        char client[INET_ADDRSTRLEN];

        (void)snprintf(client, sizeof client, "203.0.113.%u", i + 1);
        const struct rb_question question = rig_question_from(client, "user@mute.example");
        tickets[i] = rig_put(f, &question);
    }
    assert_int_equal(rig_stats(f).pending, CLIENTS);
    fake_dns_hold(f->dns, false);
    assert_int_equal(rig_reason_for(f, "user@example.org"), RB_REASON_ACCEPTED);
    for (unsigned i = 0; i < CLIENTS; i++)
        assert_int_equal(rig_outcome(tickets[i]), RB_REASON_ACCEPTED);
    assert_true(asked_txt(f, "mute.example") <= DNS_ATTEMPTS);
}

/* Nor, where workers may wait, one that callouts need. */
static void a_silent_name_server_takes_no_worker_from_callouts(void **state)
{
    struct rig *f = *state;
    const struct rb_question question = rig_question_from(STRANGER, "user@strict.example");
    struct rb_ticket *ticket, *other;

    f->options.max_workers = 1;
    f->options.max_held = 1;
    f->options.total_timeout_ms = 60 * 1000;
    rig_open(f);
    fake_dns_hold(f->dns, true);
    ticket = rig_put(f, &question);
    await_txt(f, "strict.example");
    other = rig_ask(f, "nobody@[127.0.0.1]");
    assert_false(rb_ready(other));
    fake_clock_advance_s(&f->clock, 2); /* it has waited for long enough to be spared */
    assert_int_equal(rig_outcome(other), RB_REASON_NO_SUCH_USER);
    assert_false(rb_ready(ticket));
    fake_dns_hold(f->dns, false);
    assert_int_equal(rig_outcome(ticket), RB_REASON_SPF_FAIL);
}

/* That we were busy is no silence of a name server, and opens no gate. */
static void a_look_up_has_its_time_from_when_it_is_made(void **state)
{
    struct rig *f = *state;
    const struct rb_question question = rig_question_from(STRANGER, "user@strict.example");

    f->options.max_workers = 1;
    f->options.max_held = 0;
    rig_open(f);
    rig_hold(f, true);
    rb_ticket_free(rig_ask(f, "user@example.org")); /* takes the worker */
    assert_true(fake_host_wait(f->host, "RCPT TO:<user@example.org>", 1));
    rb_ticket_free(rig_put(f, &question));
    assert_int_equal(rig_stats(f).pending, 1);
    fake_clock_advance_s(&f->clock, 10 * MINUTE);
    rig_hold(f, false);
    rig_await_idle(f);
    assert_int_equal(rig_stats(f).spf_fail, 1);
    assert_int_equal(rig_connections(f), 1); /* the first one's */
}

static void a_full_queue_takes_nobody_to_the_gate(void **state)
{
    struct rig *f = *state;
    const struct rb_question first = rig_question_from(FRIEND, "user@strict.example");
    struct rb_ticket *ticket;

    f->options.max_pending = 1;
    rig_open(f);
    fake_dns_hold(f->dns, true);
    ticket = rig_put(f, &first);
    const struct rb_question second = rig_question_from(STRANGER, "user@strict.example");
    struct rb_ticket *refused = rig_put(f, &second);
    assert_true(rb_ready(refused));
    assert_int_equal(rig_outcome(refused), RB_REASON_BUSY);
    assert_int_equal(rig_stats(f).busy, 1);
    fake_dns_hold(f->dns, false);
    assert_int_equal(rig_outcome(ticket), RB_REASON_ACCEPTED);
    assert_int_equal(reason_from(f, STRANGER, "user@strict.example"), RB_REASON_SPF_FAIL);
}

/* Long before the name server, or the time that it has, comes to an end. */
static void the_end_wakes_those_who_wait_at_the_gate(void **state)
{
    struct rig *f = *state;
    struct rb_question questions[CROWD];

    for (size_t i = 0; i < CROWD; i++)
        questions[i] = rig_question_from(i % 2 == 0 ? FRIEND : STRANGER, "user@strict.example");
    rig_open(f);
    fake_dns_hold(f->dns, true);
    rig_start_askers(f, CROWD, questions, CROWD);
    rb_verifier_stop(f->verifier);
    rig_join_askers(f, CROWD); /* while the name server still says nothing */
    for (size_t i = 0; i < CROWD; i++)
        assert_rule(&f->askers[i].answer, RB_REASON_TIMEOUT, "shutting_down");
    const struct rb_question late = rig_question_from(STRANGER, "user@strict.example");
    const struct rb_answer answer = rig_answer(rig_put(f, &late));
    assert_rule(&answer, RB_REASON_TIMEOUT, "shutting_down");
    fake_dns_hold(f->dns, false);
    assert_int_equal(rig_connections(f), 0);
}

/* The first who is told of the end: meanwhile the name server answers, for all who wait. */
static void let_the_name_server_answer(void *arg, struct rb_ticket *ticket)
{
    struct rig *f = arg;
    struct gate *gate = &f->verifier->gate;
    bool is_over = false;

    (void)ticket;
    fake_dns_hold(f->dns, false);
    for (int i = 0; i < RIG_PATIENCE_MS && !is_over; i++) {
        check_pause();
        pthread_mutex_lock(&gate->lock);
        is_over = gate->checks.table == NULL;
        pthread_mutex_unlock(&gate->lock);
    }
}

static void the_end_is_told_to_all_at_the_gate_whoever_answers_meanwhile(void **state)
{
    struct rig *f = *state;
    struct rb_question question = rig_question_from(STRANGER, "user@strict.example");
    struct rb_ticket *tickets[2];

    rig_open(f);
    fake_dns_hold(f->dns, true);
    question.size = sizeof question;
    question.done = let_the_name_server_answer;
    question.done_arg = f;
    tickets[0] = rig_put(f, &question);
    question = rig_question_from(STRANGER, "nobody@strict.example");
    tickets[1] = rig_put(f, &question);
    await_txt(f, "strict.example");
    rb_verifier_stop(f->verifier);
    for (size_t i = 0; i < COUNT(tickets); i++) {
        const struct rb_answer answer = rig_answer(tickets[i]);

        assert_rule(&answer, RB_REASON_TIMEOUT, "shutting_down");
    }
}

/* --- Rates ----------------------------------------------------------------- */

static void a_domain_is_asked_no_more_often_than_its_rate(void **state)
{
    struct rig *f = *state;

    f->options.per_domain_rate = (struct rb_rate){3, 60};
    rig_open(f);
    assert_nobodies(f, 0, 3, "example.org");
    for (unsigned i = 0; i < 10; i++)
        assert_limited_for(f, "user@example.org", "per_domain_rate");
    assert_int_equal(rig_connections(f), 3);
    assert_int_equal(rig_stats(f).limited, 10);
    assert_nobodies(f, 0, 3, "other.example"); /* others go on */
    fake_clock_advance_s(&f->clock, 19);
    assert_limited_for(f, "user@example.org", "per_domain_rate");
    fake_clock_advance_s(&f->clock, 1); /* a third of the period: one of three */
    assert_int_equal(rig_reason_for(f, "user@example.org"), RB_REASON_ACCEPTED);
    assert_limited_for(f, "nobody9@example.org", "per_domain_rate");
    fake_clock_advance_s(&f->clock, HOUR); /* no more than a bucket full is saved up */
    assert_nobodies(f, 10, 3, "example.org");
    assert_limited_for(f, "nobody9@example.org", "per_domain_rate");
}

static void a_client_gets_no_more_than_its_rate(void **state)
{
    struct rig *f = *state;
    struct rb_question question;

    f->options.spf_gate = RB_GATE_NO;
    f->options.per_client_rate = (struct rb_rate){2, 60};
    rig_open(f);
    assert_int_equal(reason_from(f, "2001:db8:1:2::1", "nobody0@d0.example"),
                     RB_REASON_NO_SUCH_USER);
    assert_int_equal(reason_from(f, "2001:db8:1:2:ffff::2", "nobody0@d1.example"),
                     RB_REASON_NO_SUCH_USER);
    question =
        rig_question_from("2001:db8:1:2::3", "nobody0@d2.example"); /* one customer's network */
    assert_limited(f, &question, "per_client_rate");
    assert_int_equal(reason_from(f, "2001:db8:1:3::1", "nobody0@d2.example"),
                     RB_REASON_NO_SUCH_USER);
    assert_int_equal(reason_from(f, STRANGER, "nobody1@d0.example"), RB_REASON_NO_SUCH_USER);
    assert_int_equal(reason_from(f, "::ffff:" STRANGER, "nobody1@d1.example"),
                     RB_REASON_NO_SUCH_USER);
    question = rig_question_from(STRANGER, "nobody1@d2.example");
    assert_limited(f, &question, "per_client_rate");
    assert_nobodies(f, 5, 5, "d3.example"); /* nobody's */
    fake_clock_advance_s(&f->clock, 30);
    assert_int_equal(reason_from(f, STRANGER, "nobody1@d2.example"), RB_REASON_NO_SUCH_USER);
}

static void all_together_ask_no_more_often_than_the_global_rate(void **state)
{
    struct rig *f = *state;

    f->options.global_rate = (struct rb_rate){2, 60};
    rig_open(f);
    assert_nobodies(f, 0, 1, "d0.example");
    assert_nobodies(f, 0, 1, "d1.example");
    assert_limited_for(f, "nobody0@d2.example", "global_rate");
    fake_clock_advance_s(&f->clock, 30);
    assert_nobodies(f, 0, 1, "d2.example");
    assert_limited_for(f, "nobody0@d3.example", "global_rate");
}

static void a_rate_of_nothing_is_no_limit(void **state)
{
    struct rig *f = *state;

    f->options.per_domain_rate.count = f->options.global_rate.count = 0;
    f->options.shield.addresses = 0;
    rig_open(f);
    assert_nobodies(f, 0, 15, "example.org");
    assert_int_equal(rig_stats(f).limited, 0);
}

static void what_costs_no_callout_costs_no_token(void **state)
{
    struct rig *f = *state;
    struct rb_ticket *tickets[5];
    struct rb_question relayed = rig_question("nobody@example.org");
    struct rb_answer answer = {.size = 0};
    char relay[32];

    f->options.per_domain_rate = (struct rb_rate){1, 3600};
    rig_open(f);
    rig_hold(f, true);
    for (size_t i = 0; i < COUNT(tickets); i++)
        tickets[i] = rig_ask(f, "user@example.org"); /* joined */
    rig_hold(f, false);
    for (size_t i = 0; i < COUNT(tickets); i++)
        assert_int_equal(rig_outcome(tickets[i]), RB_REASON_ACCEPTED);
    rig_await_idle(f);
    assert_true(rig_answer_for(f, "user@example.org").cached);
    (void)snprintf(relay, sizeof relay, "127.0.0.1:%u", (unsigned)fake_host_port(f->host));
    relayed.relay = relay; /* one of our own */
    rig_verify(f, &relayed, &answer);
    assert_int_equal(answer.reason, RB_REASON_NO_SUCH_USER);
    assert_int_equal(rig_stats(f).limited, 0);
    assert_int_equal(rig_stats(f).coalesced, COUNT(tickets) - 1);
    assert_limited_for(f, "nobody@example.org", "per_domain_rate");
}

static void await_limited(struct rig *f, uint64_t count)
{
    for (int i = 0; i < RIG_PATIENCE_MS && rig_stats(f).limited < count; i++)
        check_pause();
    assert_int_equal(rig_stats(f).limited, count);
}

static void a_retry_that_the_rate_forbids_is_postponed_and_not_lost(void **state)
{
    struct rig *f = *state;

    f->options.per_domain_rate = (struct rb_rate){2, 10 * 3600};
    f->options.greylist =
        (struct rb_greylist){.retry = true, .first_s = 360, .max_s = 6 * HOUR, .give_up_s = DAY};
    rig_open(f);
    assert_int_equal(rig_reason_for(f, "grey@example.org"), RB_REASON_GREYLISTED);
    assert_nobodies(f, 0, 1, "example.org");
    fake_clock_advance_s(&f->clock, HOUR); /* it is due, and a tenth of a period has passed */
    await_limited(f, 1);
    rig_await_retries(f, 1);
    assert_int_equal(rig_rcpts(f), 2);
    fake_clock_advance_s(&f->clock, 4 * HOUR);
    rig_await_callouts(f, RB_REASON_GREYLISTED, 2);
    assert_int_equal(rig_stats(f).limited, 1);
    rig_await_retries(f, 1);
}

static void a_refresh_that_the_rate_forbids_leaves_what_is_known(void **state)
{
    struct rig *f = *state;

    f->options.per_domain_rate = (struct rb_rate){1, 31 * 86400};
    rig_open(f);
    assert_int_equal(rig_reason_for(f, "user@example.org"), RB_REASON_ACCEPTED);
    fake_clock_advance_s(&f->clock, 8 * DAY);
    for (int i = 0; i < 2; i++) {
        const struct rb_answer answer = rig_answer_for(f, "user@example.org");

        assert_int_equal(answer.reason, RB_REASON_ACCEPTED);
        assert_true(answer.cached);
        assert_int_equal(answer.age_s, 8 * DAY);
    }
    assert_int_equal(rig_stats(f).limited, 2);
    assert_int_equal(rig_connections(f), 1);
}

/* --- The shield ------------------------------------------------------------ */

static void a_domain_that_is_forged_in_bulk_is_left_alone_for_a_while(void **state)
{
    struct rig *f = *state;

    rig_open(f);
    assert_int_equal(rig_reason_for(f, "user@example.org"), RB_REASON_ACCEPTED);
    fake_clock_advance_s(&f->clock, 10 * MINUTE); /* out of the window */
    assert_nobodies(f, 0, 20, "example.org");
    assert_int_equal(rig_connections(f), 21);
    assert_limited_for(f, "nobody20@example.org", "shield");
    const struct rb_answer answer =
        rig_answer_for(f, "user@example.org"); /* what is known stands */
    assert_int_equal(answer.reason, RB_REASON_ACCEPTED);
    assert_true(answer.cached);
    assert_true(ask_for_nobody(f, 0, "example.org").cached);
    assert_nobodies(f, 0, 1, "other.example");
    fake_clock_advance_s(&f->clock, 30 * MINUTE - 1);
    assert_limited_for(f, "nobody20@example.org", "shield");
    fake_clock_advance_s(&f->clock, 1);
    assert_nobodies(f, 20, 1, "example.org");
    assert_int_equal(rig_stats(f).limited, 2);
}

static void one_less_or_the_same_ones_again_raise_no_shield(void **state)
{
    struct rig *f = *state;
    struct rb_question again = rig_question("nobody0@example.org");
    struct rb_answer answer = {.size = 0};

    rig_open(f);
    assert_nobodies(f, 0, 19, "example.org");
    again.no_cache = true;
    for (int i = 0; i < 10; i++) {
        rig_verify(f, &again, &answer);
        assert_int_equal(answer.reason, RB_REASON_NO_SUCH_USER);
    }
    assert_int_equal(rig_reason_for(f, "grey@example.org"), RB_REASON_GREYLISTED); /* the 20th */
    assert_limited_for(f, "user@example.org", "shield");
}

static void a_shield_that_is_off_is_never_raised(void **state)
{
    struct rig *f = *state;

    f->options.shield.addresses = 0;
    rig_open(f);
    assert_nobodies(f, 0, 30, "example.org");
    assert_int_equal(rig_connections(f), 30);
}

static void a_domain_that_sends_mail_raises_no_shield(void **state)
{
    static const struct fake_host_options everybody = {.rcpt = "250 2.1.5 Ok"};
    struct rig *f = *state;
    char text[64];

    f->options.catch_all_check = false;
    rig_start_host(f, &everybody);
    rig_open(f);
    for (unsigned i = 0; i < 30; i++) {
        (void)snprintf(text, sizeof text, "u%u@example.org", i);
        assert_int_equal(rig_reason_for(f, text), RB_REASON_ACCEPTED);
    }
    assert_int_equal(rig_stats(f).limited, 0);
}

static void what_a_relay_says_raises_no_shield_and_is_not_held_up_by_one(void **state)
{
    struct rig *f = *state;
    char relay[32], text[64];
    struct rb_answer answer = {.size = 0};

    rig_open(f);
    (void)snprintf(relay, sizeof relay, "127.0.0.1:%u", (unsigned)fake_host_port(f->host));
    for (unsigned i = 0; i < 25; i++) {
        struct rb_question question;

        (void)snprintf(text, sizeof text, "nobody%u@example.org", i);
        question = rig_question(text);
        question.relay = relay;
        rig_verify(f, &question, &answer);
        assert_int_equal(answer.reason, RB_REASON_NO_SUCH_USER);
    }
    assert_nobodies(f, 0, 20, "example.org"); /* none of those counted */
    assert_limited_for(f, "user@example.org", "shield");
    struct rb_question relayed = rig_question("user@example.org");
    relayed.relay = relay;
    rig_verify(f, &relayed, &answer);
    assert_int_equal(answer.reason, RB_REASON_ACCEPTED);
}

/* --- Slots ----------------------------------------------------------------- */

/* A question for one address of each of the domains that live on one host. */
static void ask_each_domain(struct rig *f, struct rb_ticket *tickets[DOMAINS])
{
    char text[64];

    for (unsigned i = 0; i < DOMAINS; i++) {
        (void)snprintf(text, sizeof text, "nobody@d%u.example", i);
        tickets[i] = rig_ask(f, text);
    }
}

static void a_host_is_called_by_one_session_at_a_time(void **state)
{
    struct rig *f = *state;
    struct rb_ticket *tickets[DOMAINS];

    f->options.per_host_sessions = 1;
    rig_open(f);
    rig_hold(f, true);
    ask_each_domain(f, tickets);
    for (unsigned done = 0; done < DOMAINS; done++) {
        assert_true(fake_host_wait(f->host, "RCPT", done + 1));
        rig_await_sessions(f, 1, DOMAINS - 1 - done);
        assert_int_equal(rig_connections(f), done + 1);
        assert_int_equal(rig_rcpts(f), done + 1);
        fake_host_let(f->host, 1);
    }
    rig_hold(f, false);
    for (unsigned i = 0; i < DOMAINS; i++)
        assert_int_equal(rig_outcome(tickets[i]), RB_REASON_NO_SUCH_USER);
    rig_await_idle(f);
    assert_int_equal(rig_connections(f), DOMAINS);
}

static void a_host_gets_as_many_sessions_as_it_may(void **state)
{
    struct rig *f = *state;
    struct rb_ticket *tickets[DOMAINS];

    f->options.per_host_sessions = 3;
    rig_open(f);
    rig_hold(f, true);
    ask_each_domain(f, tickets);
    assert_true(fake_host_wait(f->host, "RCPT", 3));
    rig_await_sessions(f, 3, DOMAINS - 3);
    assert_int_equal(rig_connections(f), 3);
    rig_hold(f, false);
    for (unsigned i = 0; i < DOMAINS; i++)
        assert_int_equal(rig_outcome(tickets[i]), RB_REASON_NO_SUCH_USER);
}

static struct fake_host *start_second_host(struct rig *f)
{
    struct fake_host_options second = polite;

    second.ip = "127.0.0.2";
    second.port = fake_host_port(f->host);
    return fake_host_start(&second);
}

static void who_waits_for_a_host_keeps_no_worker_from_others(void **state)
{
    struct rig *f = *state;
    struct fake_host *second = start_second_host(f);
    struct rb_ticket *tickets[DOMAINS];

    f->options.max_workers = 2;
    f->options.per_host_sessions = 1;
    rig_open(f);
    rig_hold(f, true);
    ask_each_domain(f, tickets);
    assert_true(fake_host_wait(f->host, "RCPT", 1));
    assert_int_equal(rig_outcome(rig_ask(f, "user@elsewhere.example")), RB_REASON_ACCEPTED);
    rig_await_sessions(f, 1, DOMAINS - 1);
    rig_hold(f, false);
    for (unsigned i = 0; i < DOMAINS; i++)
        assert_int_equal(rig_outcome(tickets[i]), RB_REASON_NO_SUCH_USER);
    rig_await_idle(f);
    fake_host_stop(second);
}

static void who_waited_too_long_for_a_host_is_told_so(void **state)
{
    struct rig *f = *state;
    struct fake_host *second = start_second_host(f);
    struct rb_ticket *first, *other, *late;
    struct rb_answer answer = {.size = 0};

    f->options.max_workers = 2;
    f->options.per_host_sessions = 1;
    f->options.total_timeout_ms = f->options.command_timeout_ms = (unsigned)DAY * 1000;
    rig_open(f);
    rig_hold(f, true);
    fake_host_hold(second, true);
    first = rig_ask(f, "nobody@d0.example");
    other = rig_ask(f, "user@elsewhere.example");
    assert_true(fake_host_wait(f->host, "RCPT", 1));
    assert_true(fake_host_wait(second, "RCPT", 1));
    f->options.total_timeout_ms = 120 * 1000; /* of those that begin from now on */
    assert_int_equal(rb_verifier_set_options(f->verifier, &f->options), RB_OK);
    late = rig_ask(f, "nobody@d1.example"); /* waits for a worker, */
    fake_clock_advance_s(&f->clock, f->options.total_timeout_ms / 1000);
    fake_host_hold(second, false); /* gets one, */
    rig_await_callouts(f, RB_REASON_LIMITED, 1);
    answer = rig_answer(late); /* and finds the host full */
    assert_rule(&answer, RB_REASON_LIMITED, "per_host_sessions");
    assert_int_equal(answer.expires_s, -1);
    assert_int_equal(rig_connections(f), 1);
    rig_hold(f, false);
    rb_ticket_free(first);
    rb_ticket_free(other);
    rig_await_idle(f);
    assert_nobodies(f, 0, 1, "d1.example"); /* it is not set aside for ever */
    fake_host_stop(second);
}

static void a_caller_may_leave_while_its_question_waits_for_a_host(void **state)
{
    struct rig *f = *state;
    const struct rb_question question = rig_question("nobody@d1.example");
    struct rb_answer answer = {0};

    f->options.per_host_sessions = 1;
    rig_open(f);
    rig_hold(f, true);
    struct rb_ticket *first = rig_ask(f, "nobody@d0.example");
    assert_true(fake_host_wait(f->host, "RCPT", 1));
    assert_int_equal(rb_verify(f->verifier, &question, rig_until(10), &answer), RB_ERR_NOT_YET);
    assert_rule(&answer, RB_REASON_TIMEOUT, "still_asking");
    rig_hold(f, false);
    assert_int_equal(rig_outcome(first), RB_REASON_NO_SUCH_USER);
    rig_await_callouts(f, RB_REASON_NO_SUCH_USER, 2);
    assert_true(rig_answer_for(f, "nobody@d1.example").cached);
}

/* The text of the questions of a crowd; theirs as long as they ask. */
static char crowd_text[CROWD][64];

static void make_crowd(struct rb_question questions[CROWD])
{
    for (unsigned i = 0; i < CROWD; i++) {
        (void)snprintf(crowd_text[i], sizeof crowd_text[i], "nobody%u@d%u.example", i / DOMAINS,
                       i % DOMAINS);
        questions[i] = rig_question(crowd_text[i]);
    }
}

static void a_crowd_gets_all_its_answers(void **state)
{
    struct rig *f = *state;
    struct rb_question questions[CROWD];

    f->options.per_host_sessions = 2;
    rig_open(f);
    make_crowd(questions);
    rig_start_askers(f, CROWD, questions, CROWD);
    rig_join_askers(f, CROWD);
    for (unsigned i = 0; i < CROWD; i++)
        assert_int_equal(f->askers[i].answer.reason, RB_REASON_NO_SUCH_USER);
    rig_await_idle(f);
    assert_int_equal(rig_rcpts(f), CROWD);
}

static void a_stop_lets_everybody_go_who_waits_for_a_host(void **state)
{
    struct rig *f = *state;
    struct rb_question questions[CROWD];

    f->options.per_host_sessions = 1;
    f->options.per_domain_sessions = 1;
    rig_open(f);
    rig_hold(f, true);
    make_crowd(questions);
    rig_start_askers(f, CROWD, questions, CROWD);
    assert_true(fake_host_wait(f->host, "RCPT", 1));
    rig_await_sessions(f, 1, CROWD - 1);
    rb_verifier_stop(f->verifier);
    rig_join_askers(f, CROWD);
    for (unsigned i = 0; i < CROWD; i++)
        assert_int_equal(f->askers[i].answer.reason, RB_REASON_TIMEOUT);
    rig_close(f);
    assert_int_equal(rig_connections(f), 1);
}

/* --- The breaker ----------------------------------------------------------- */

/* Until the host is held back: as many failures as that takes. */
static void trip(struct rig *f)
{
    static const struct fake_host_options unfriendly = {.banner = "421 4.3.2 go away"};

    rig_start_host(f, &unfriendly);
    for (unsigned i = 0; i < f->options.breaker_failures; i++)
        assert_int_not_equal(ask_for_nobody(f, i, "example.org").reason, RB_REASON_LIMITED);
    const struct rb_answer answer = rig_answer_for(f, "user@other.example");
    assert_rule(&answer, RB_REASON_LIMITED, "hosts_held_back");
}

static void after_a_hold_one_session_finds_out_for_all(void **state)
{
    struct rig *f = *state;
    char text[64];

    rig_open(f);
    trip(f);
    fake_clock_advance_s(&f->clock, 15 * MINUTE);
    rig_start_host(f, &polite);
    rig_hold(f, true);
    struct rb_ticket *trial = rig_ask(f, "user@example.org");
    assert_true(fake_host_wait(f->host, "RCPT", 1));
    for (unsigned i = 0; i < 2 * DOMAINS; i++) {
        (void)snprintf(text, sizeof text, "nobody%u@d%u.example", i / DOMAINS, i % DOMAINS);
        const struct rb_answer answer = rig_answer(rig_ask(f, text));
        assert_rule(&answer, RB_REASON_LIMITED, "hosts_held_back");
    }
    struct rb_answer same = rig_answer(rig_ask(f, "nobody@example.org")); /* its own domain too */
    assert_rule(&same, RB_REASON_LIMITED, "hosts_held_back");
    assert_int_equal(rig_connections(f), 1);
    rig_hold(f, false);
    assert_int_equal(rig_outcome(trial), RB_REASON_ACCEPTED);
    rig_await_idle(f);
    for (unsigned i = 0; i < DOMAINS; i++) { /* all are let in again */
        (void)snprintf(text, sizeof text, "d%u.example", i);
        assert_nobodies(f, 0, 1, text);
    }
}

static void after_a_trial_that_went_well_many_sessions_may_run_again(void **state)
{
    struct rig *f = *state;
    struct rb_ticket *tickets[DOMAINS];

    rig_open(f);
    trip(f);
    fake_clock_advance_s(&f->clock, 15 * MINUTE);
    rig_start_host(f, &polite);
    assert_int_equal(rig_reason_for(f, "user@example.org"), RB_REASON_ACCEPTED);
    rig_hold(f, true);
    ask_each_domain(f, tickets);
    rig_await_sessions(f, DOMAINS, 0);
    rig_hold(f, false);
    for (unsigned i = 0; i < DOMAINS; i++)
        assert_int_equal(rig_outcome(tickets[i]), RB_REASON_NO_SUCH_USER);
}

static void a_trial_that_fails_holds_twice_as_long(void **state)
{
    struct rig *f = *state;
    struct rb_answer answer = {.size = 0};

    rig_open(f);
    trip(f);
    unsigned before = rig_connections(f);
    for (unsigned hold = 15; hold <= 60; hold *= 2) {
        fake_clock_advance_s(&f->clock, hold * MINUTE - 1);
        answer = ask_for_nobody(f, 0, "d0.example");
        assert_rule(&answer, RB_REASON_LIMITED, "hosts_held_back");
        fake_clock_advance_s(&f->clock, 1);
        assert_int_not_equal(ask_for_nobody(f, hold, "d1.example").reason, RB_REASON_LIMITED);
        assert_int_equal(rig_connections(f), ++before); /* one, and no more */
        answer = ask_for_nobody(f, 0, "d2.example");
        assert_rule(&answer, RB_REASON_LIMITED, "hosts_held_back");
    }
}

/* --- One-time senders ------------------------------------------------------ */

static void assert_shared(struct rig *f, const char *text, const char *rule)
{
    unsigned before = rig_connections(f);
    const struct rb_answer answer = rig_answer_for(f, text);

    assert_rule(&answer, RB_REASON_ACCEPTED, rule);
    assert_int_equal(answer.verdict, RB_VERDICT_VALID);
    assert_true(answer.cached);
    assert_int_equal(rig_connections(f), before);
}

static void a_signed_sender_is_asked_about_once(void **state)
{
    struct rig *f = *state;

    rig_open(f);
    assert_int_equal(rig_reason_for(f, "prvs=0123abcdef=user@example.org"), RB_REASON_ACCEPTED);
    assert_int_equal(rig_connections(f), 1);
    assert_shared(f, "prvs=4567abcdef=user@example.org", "shared_batv");
    assert_shared(f, "PRVS=5678fedcba=user@Example.ORG", "shared_batv");
    assert_int_equal(rig_stats(f).settled_by_fact, 2);
    rig_reopen(f); /* it is kept */
    assert_shared(f, "prvs=6789abcdef=user@example.org", "shared_batv");
    /* that says nothing of another mailbox, or domain */
    assert_int_equal(rig_reason_for(f, "prvs=4567abcdef=other@example.org"),
                     RB_REASON_NO_SUCH_USER);
    assert_int_equal(rig_reason_for(f, "prvs=4567abcdef=user@other.example"),
                     RB_REASON_NO_SUCH_USER);
}

static void what_is_shared_must_be_asked_about_anew_by_and_by(void **state)
{
    struct rig *f = *state;

    rig_open(f);
    assert_int_equal(rig_reason_for(f, "prvs=0123abcdef=user@example.org"), RB_REASON_ACCEPTED);
    fake_clock_advance_s(&f->clock, 7 * DAY - 1);
    assert_shared(f, "prvs=4567abcdef=user@example.org", "shared_batv"); /* lengthens nothing */
    fake_clock_advance_s(&f->clock, 1);
    assert_int_equal(rig_reason_for(f, "prvs=4567abcdef=user@example.org"), RB_REASON_NO_SUCH_USER);
    assert_int_equal(rig_connections(f), 2);
}

static void a_refused_tag_is_not_shared(void **state)
{
    struct rig *f = *state;

    rig_open(f);
    assert_int_equal(rig_reason_for(f, "prvs=0123abcdef=nobody@example.org"),
                     RB_REASON_NO_SUCH_USER);
    for (unsigned i = 1; i <= 3; i++) {
        char text[64];

        (void)snprintf(text, sizeof text, "prvs=%04uabcdef=nobody@example.org", i);
        const struct rb_answer answer = rig_answer_for(f, text);
        assert_int_equal(answer.reason, RB_REASON_NO_SUCH_USER);
        assert_false(answer.cached);
        assert_int_equal(rig_connections(f), 1 + i);
    }
    /* nor does one take back what is known of the others */
    assert_int_equal(rig_reason_for(f, "prvs=9999abcdef=user@example.org"), RB_REASON_NO_SUCH_USER);
    assert_int_equal(rig_reason_for(f, "prvs=0123abcdef=user@example.org"), RB_REASON_ACCEPTED);
    struct rb_question again = rig_question("prvs=9999abcdef=user@example.org");
    struct rb_answer answer = {.size = 0};
    again.no_cache = true;
    rig_verify(f, &again, &answer);
    assert_int_equal(answer.reason, RB_REASON_NO_SUCH_USER);
    assert_shared(f, "prvs=4567abcdef=user@example.org", "shared_batv");
}

static void a_forwarded_sender_is_asked_about_once(void **state)
{
    struct rig *f = *state;

    rig_open(f);
    assert_int_equal(rig_reason_for(f, "SRS0=abcd=Q1=client.example=u@example.org"),
                     RB_REASON_ACCEPTED);
    assert_shared(f, "SRS0=efgh=R2=client.example=u@example.org", "shared_srs");
    assert_int_equal(rig_reason_for(f, "SRS0=efgh=R2=client.example=v@example.org"),
                     RB_REASON_NO_SUCH_USER);
    assert_int_equal(rig_reason_for(f, "SRS0=efgh=R2=others.example=u@example.org"),
                     RB_REASON_NO_SUCH_USER);
    assert_int_equal(rig_connections(f), 3);
}

static const struct fake_host_options list_host = {
    .rcpt = "250 2.1.5 Ok",
    .replies =
        (const struct fake_host_reply[]){
            {"list+bounces-9999-gone=client.example@example.org", "550 5.1.1 User unknown"}},
    .reply_count = 1,
};

/* The n-th message of a list, as an answer. */
static struct rb_answer ask_for_issue(struct rig *f, unsigned n)
{
    char text[96];

    (void)snprintf(text, sizeof text, "list+bounces-%u-u%u=client.example@example.org", n, n % 7);
    return rig_answer_for(f, text);
}

/* A list that so many issues were asked about, one callout each. */
static void open_with_list(struct rig *f, unsigned issues)
{
    f->options.catch_all_check = false;
    f->options.per_domain_rate.count = 0;
    rig_start_host(f, &list_host);
    rig_open(f);
    for (unsigned i = 0; i < issues; i++) {
        const struct rb_answer answer = ask_for_issue(f, i);

        assert_int_equal(answer.reason, RB_REASON_ACCEPTED);
        assert_false(answer.cached);
        assert_int_equal(rig_connections(f), i + 1);
    }
}

static void a_list_is_believed_after_five_and_sampled_from_then_on(void **state)
{
    struct rig *f = *state;
    unsigned shared = 0;

    open_with_list(f, 5);
    for (unsigned i = 0; i < LIST_SIZE; i++) {
        const struct rb_answer answer = ask_for_issue(f, 100 + i);

        assert_int_equal(answer.reason, RB_REASON_ACCEPTED);
        shared += strcmp(answer.rule, "shared_verp") == 0 ? 1 : 0;
    }
    assert_int_equal(rig_connections(f), 5 + LIST_SIZE - shared);
    assert_in_range(LIST_SIZE - shared, LIST_SIZE / 20, LIST_SIZE / 5); /* about one in ten */
}

/* One that is not of the sample. */
static unsigned shared_issue(struct rig *f)
{
    unsigned n = 1000;

    while (n < 1100 && strcmp(ask_for_issue(f, n).rule, "shared_verp") != 0)
        n++;
    return n;
}

static void one_refused_issue_ends_the_trust_in_a_list(void **state)
{
    struct rig *f = *state;
    struct rb_question gone = rig_question("list+bounces-9999-gone=client.example@example.org");
    struct rb_answer answer = {.size = 0};

    open_with_list(f, 5);
    const unsigned issue = shared_issue(f);
    assert_in_range(issue, 1000, 1099);
    gone.no_cache = true;
    rig_verify(f, &gone, &answer);
    assert_int_equal(answer.reason, RB_REASON_NO_SUCH_USER);
    for (unsigned i = 0; i < 20; i++) { /* however many are good from then on */
        unsigned before = rig_connections(f);

        answer = ask_for_issue(f, i == 0 ? issue : 2000 + i);
        assert_int_equal(answer.reason, RB_REASON_ACCEPTED);
        assert_false(answer.cached);
        assert_int_equal(rig_connections(f), before + 1);
    }
    fake_clock_advance_s(&f->clock, f->options.lifetimes.domain_ttl_s - 1);
    assert_string_not_equal(ask_for_issue(f, 3000).rule, "shared_verp");
    fake_clock_advance_s(&f->clock, 1); /* forgiven, the last good one being of just now */
    assert_in_range(shared_issue(f), 1000, 1099);
}

static void what_a_relay_says_is_not_shared(void **state)
{
    struct rig *f = *state;
    struct rb_question question = rig_question("prvs=0123abcdef=user@example.org");
    struct rb_answer answer = {.size = 0};
    char relay[32];

    rig_open(f);
    (void)snprintf(relay, sizeof relay, "127.0.0.1:%u", (unsigned)fake_host_port(f->host));
    question.relay = relay;
    rig_verify(f, &question, &answer);
    assert_int_equal(answer.reason, RB_REASON_ACCEPTED);
    assert_int_equal(rig_reason_for(f, "prvs=4567abcdef=user@example.org"), RB_REASON_NO_SUCH_USER);
    assert_int_equal(rig_reason_for(f, "prvs=0123abcdef=user@example.org"), RB_REASON_ACCEPTED);
    question = rig_question("prvs=4567abcdef=user@example.org");
    question.relay = relay; /* and a relay is asked whatever the world says */
    rig_verify(f, &question, &answer);
    assert_false(answer.cached);
    assert_int_equal(rig_connections(f), 4);
}

/* --- Correspondents -------------------------------------------------------- */

static void note(struct rig *f, const char *text)
{
    rb_note_correspondent(f->verifier, text, strlen(text));
}

static void assert_correspondent(struct rig *f, const char *text)
{
    unsigned before = rig_connections(f);
    const struct rb_answer answer = rig_answer_for(f, text);

    assert_rule(&answer, RB_REASON_CORRESPONDENT, "correspondent");
    assert_int_equal(answer.verdict, RB_VERDICT_VALID);
    assert_true(answer.cached);
    assert_int_equal(rig_connections(f), before);
}

static void nobody_is_called_for_a_correspondent(void **state)
{
    struct rig *f = *state;

    rig_open(f);
    note(f, "<Nobody@Example.ORG>");
    assert_correspondent(f, "Nobody@example.org");
    assert_int_equal(rig_answer_for(f, "Nobody@example.org").expires_s, 90 * DAY);
    assert_correspondent(f, "\"Nobody\"@EXAMPLE.org");
    assert_int_equal(rig_connections(f), 0);
    assert_int_equal(rig_reason_for(f, "nobody@example.org"), RB_REASON_NO_SUCH_USER); /* another */
    rig_reopen(f); /* it is kept */
    assert_correspondent(f, "Nobody@example.org");
}

static void a_correspondent_is_forgotten_after_a_while(void **state)
{
    struct rig *f = *state;

    f->options.lifetimes.correspondent_ttl_s = 10 * DAY;
    rig_open(f);
    note(f, "nobody@example.org");
    fake_clock_advance_s(&f->clock, 10 * DAY - 1);
    assert_correspondent(f, "nobody@example.org"); /* and being asked about lengthens nothing */
    fake_clock_advance_s(&f->clock, 1);
    assert_int_equal(rig_reason_for(f, "nobody@example.org"), RB_REASON_NO_SUCH_USER);
}

static void a_correspondent_is_written_down_once_a_day(void **state)
{
    struct rig *f = *state;

    rig_open(f);
    note(f, "nobody@example.org");
    fake_clock_advance_s(&f->clock, DAY - 1);
    note(f, "nobody@example.org");
    assert_int_equal(rig_answer_for(f, "nobody@example.org").age_s, DAY - 1);
    fake_clock_advance_s(&f->clock, 1);
    note(f, "nobody@example.org");
    assert_int_equal(rig_answer_for(f, "nobody@example.org").age_s, 0);
    rig_reopen(f);
    assert_int_equal(rig_stats(f).cache_entries, 1);
}

static void a_correspondent_may_sign_its_senders(void **state)
{
    struct rig *f = *state;

    rig_open(f);
    note(f, "friend@example.org");
    assert_correspondent(f, "prvs=1234abcdef=friend@example.org");
    assert_int_equal(rig_reason_for(f, "prvs=1234abcdef=nobody@example.org"),
                     RB_REASON_NO_SUCH_USER);
}

static void a_correspondent_stands_against_a_refusal(void **state)
{
    struct rig *f = *state;

    rig_open(f);
    assert_int_equal(rig_reason_for(f, "nobody@example.org"), RB_REASON_NO_SUCH_USER);
    assert_int_equal(rig_reason_for(f, "grey@example.org"), RB_REASON_GREYLISTED);
    note(f, "nobody@example.org");
    note(f, "grey@example.org");
    assert_correspondent(f, "nobody@example.org");
    assert_correspondent(f, "grey@example.org");
}

static void a_correspondent_of_a_dead_or_careless_domain_is_one(void **state)
{
    static const struct fake_host_options everybody = {.rcpt = "250 2.1.5 Ok"};
    struct rig *f = *state;

    rig_start_host(f, &everybody);
    rig_open(f);
    assert_int_equal(rig_reason_for(f, "u@nowhere.example"), RB_REASON_NO_DOMAIN);
    assert_int_equal(rig_reason_for(f, "u@example.org"), RB_REASON_CATCH_ALL);
    note(f, "friend@nowhere.example");
    note(f, "friend@example.org");
    assert_correspondent(f, "friend@nowhere.example");
    assert_correspondent(f, "friend@example.org");
}

static void a_host_that_said_yes_is_named_before_the_correspondent(void **state)
{
    struct rig *f = *state;

    rig_open(f);
    assert_int_equal(rig_reason_for(f, "user@example.org"), RB_REASON_ACCEPTED);
    note(f, "user@example.org");
    assert_int_equal(rig_reason_for(f, "user@example.org"), RB_REASON_ACCEPTED);
}

static void a_forged_correspondent_is_turned_back(void **state)
{
    struct rig *f = *state;

    rig_open(f);
    note(f, "friend@strict.example");
    /* The first time it is not known yet that it is forged, and nobody waits for that. */
    assert_int_equal(reason_from(f, STRANGER, "friend@strict.example"), RB_REASON_CORRESPONDENT);
    rig_await_idle(f);
    assert_int_equal(reason_from(f, STRANGER, "friend@strict.example"), RB_REASON_SPF_FAIL);
    assert_int_equal(reason_from(f, FRIEND, "friend@strict.example"), RB_REASON_CORRESPONDENT);
    assert_int_equal(rig_connections(f), 0);
}

static void a_correspondent_is_no_answer_of_a_relay(void **state)
{
    struct rig *f = *state;
    struct rb_question question = rig_question("nobody@example.org");
    struct rb_answer answer = {.size = 0};
    char relay[32];

    rig_open(f);
    note(f, "nobody@example.org");
    (void)snprintf(relay, sizeof relay, "127.0.0.1:%u", (unsigned)fake_host_port(f->host));
    question.relay = relay;
    rig_verify(f, &question, &answer);
    assert_int_equal(answer.reason, RB_REASON_NO_SUCH_USER);
}

static void what_is_no_address_is_no_correspondent(void **state)
{
    static const char *const bad[] = {"",  "<>", "nobody", "@example.org", "a b@c\r\nd",
                                      "<", "x@", "a@-b",   "<@x:y"};
    struct rig *f = *state;

    rig_open(f);
    for (size_t i = 0; i < COUNT(bad); i++)
        note(f, bad[i]);
    rig_reopen(f);
    assert_int_equal(rig_stats(f).cache_entries, 0);
    f->options.store = NULL; /* without a store there is nowhere to note one */
    rig_reopen(f);
    note(f, "nobody@example.org");
    assert_int_equal(rig_reason_for(f, "nobody@example.org"), RB_REASON_NO_SUCH_USER);
}

/* --- All at once ----------------------------------------------------------- */

struct stress {
    struct rig *rig;
    unsigned seed, wrong;
    enum rb_reason said; /* when it was wrong last */
    pthread_t thread;
};

/* What may be said: the truth, or that a limit forbids to find it out. */
static bool is_right(const struct rb_question *question, const struct rb_answer *answer)
{
    const bool strict_domain = strstr(question->address, "@strict.example") != NULL;

    switch (answer->reason) {
    case RB_REASON_ACCEPTED:
        return strncmp(question->address, "user@", 5) == 0;
    case RB_REASON_NO_SUCH_USER:
        return strncmp(question->address, "nobody", 6) == 0;
    case RB_REASON_CORRESPONDENT:
        return strncmp(question->address, "friend", 6) == 0;
    case RB_REASON_SPF_FAIL:
        return strict_domain && question->client != NULL;
    default:
        return answer->reason == RB_REASON_LIMITED;
    }
}

static bool stress_once(struct rig *f, unsigned *seed, enum rb_reason *said)
{
    static const char *const domains[] = {"example.org", "other.example", "strict.example",
                                          "d0.example"};
    const struct sockaddr_in stranger = {.sin_family = AF_INET,
                                         .sin_addr.s_addr = htonl(0xcb007109)};
    const unsigned which = (unsigned)rand_r(seed) % 4;
    struct rb_answer answer = {0};
    struct rb_question question;
    char text[64];

    if (rand_r(seed) % 4 == 0)
        (void)snprintf(text, sizeof text, "friend%u@%s", (unsigned)rand_r(seed) % 3,
                       domains[which]);
    else if (which < 3 && rand_r(seed) % 2 == 0)
        (void)snprintf(text, sizeof text, "user@%s", domains[which]);
    else
        (void)snprintf(text, sizeof text, "nobody%u@%s", (unsigned)rand_r(seed) % 30,
                       domains[which]);
    question = rig_question(text);
    if (strncmp(text, "friend", 6) == 0)
        note(f, text);
    if (rand_r(seed) % 2 == 0)
        question.client = (const struct sockaddr *)&stranger;
    if (rb_verify(f->verifier, &question, rig_until(RIG_PATIENCE_MS), &answer) == RB_OK &&
        is_right(&question, &answer))
        return true;
    *said = answer.reason;
    return false;
}

static void *stress(void *arg)
{
    struct stress *job = arg;

    for (int i = 0; i < STRESS_ROUNDS; i++)
        job->wrong += stress_once(job->rig, &job->seed, &job->said) ? 0 : 1;
    return NULL;
}

static void many_threads_are_told_the_truth_or_that_they_must_wait(void **state)
{
    struct rig *f = *state;
    struct stress jobs[STRESS_THREADS];
    unsigned seed = (unsigned)time(NULL), wrong = 0;

    print_message("# seed %u\n", seed);
    f->options.per_host_sessions = 1;
    f->options.per_domain_rate = (struct rb_rate){20, 60};
    f->options.per_client_rate = (struct rb_rate){50, 60};
    rig_open(f);
    for (unsigned i = 0; i < STRESS_THREADS; i++) {
        jobs[i] = (struct stress){.rig = f, .seed = seed + i};
        assert_int_equal(pthread_create(&jobs[i].thread, NULL, stress, &jobs[i]), 0);
    }
    for (unsigned i = 0; i < STRESS_ROUNDS; i++) { /* meanwhile */
        f->options.per_host_sessions = 1 + i % 3;
        rig_reload(f);
        if (i % 10 == 0) /* not so far that a session's time is up */
            fake_clock_advance_s(&f->clock, 1);
        check_pause();
    }
    for (unsigned i = 0; i < STRESS_THREADS; i++) {
        assert_int_equal(pthread_join(jobs[i].thread, NULL), 0);
        wrong += jobs[i].wrong;
        if (jobs[i].wrong > 0)
            print_message("# wrong: %s\n", rb_reason_name(jobs[i].said));
    }
    assert_int_equal(wrong, 0);
    rig_await_idle(f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, rig_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nobody_is_called_for_a_client_that_the_domain_disowns),
        TEST(a_client_that_the_domain_allows_is_asked_for),
        TEST(at_fail_nothing_else_closes_the_gate),
        TEST(the_next_message_costs_no_dns_whoever_sends_it),
        TEST(spf_fail_is_told_of_an_address_known_to_be_valid),
        TEST(what_is_known_to_be_invalid_is_told_without_spf),
        TEST(a_look_into_the_cache_alone_asks_no_dns),
        TEST(what_the_cache_knows_does_not_wait_for_spf),
        TEST(behind_cached_answers_the_queue_does_not_fill),
        TEST(behind_a_cached_answer_the_domain_is_asked_once),
        TEST(a_stale_answer_is_refreshed_only_for_a_client_that_passes),
        TEST(there_is_no_gate_where_it_is_off_or_has_nothing_to_go_by),
        TEST(the_loopback_passes),
        TEST(a_question_at_the_gate_is_not_ready_and_then_is),
        TEST(a_question_at_the_gate_may_be_left_and_goes_on),
        TEST(a_caller_in_a_hurry_does_not_open_the_gate),
        TEST(equal_checks_are_one),
        TEST(senders_and_sessions_that_a_record_tells_apart_are),
        TEST(those_who_come_through_the_gate_are_joined),
        TEST(a_dead_name_server_opens_the_gate_in_the_end),
        TEST(a_name_of_the_client_that_comes_too_late_opens_the_gate),
        TEST(who_joins_a_look_up_ends_with_it),
        TEST(a_dead_name_server_takes_one_worker),
        TEST(a_silent_name_server_takes_no_worker_from_callouts),
        TEST(a_look_up_has_its_time_from_when_it_is_made),
        TEST(a_full_queue_takes_nobody_to_the_gate),
        TEST(the_end_wakes_those_who_wait_at_the_gate),
        TEST(the_end_is_told_to_all_at_the_gate_whoever_answers_meanwhile),
        TEST(a_domain_is_asked_no_more_often_than_its_rate),
        TEST(a_client_gets_no_more_than_its_rate),
        TEST(all_together_ask_no_more_often_than_the_global_rate),
        TEST(a_rate_of_nothing_is_no_limit),
        TEST(what_costs_no_callout_costs_no_token),
        TEST(a_retry_that_the_rate_forbids_is_postponed_and_not_lost),
        TEST(a_refresh_that_the_rate_forbids_leaves_what_is_known),
        TEST(a_domain_that_is_forged_in_bulk_is_left_alone_for_a_while),
        TEST(one_less_or_the_same_ones_again_raise_no_shield),
        TEST(a_shield_that_is_off_is_never_raised),
        TEST(a_domain_that_sends_mail_raises_no_shield),
        TEST(what_a_relay_says_raises_no_shield_and_is_not_held_up_by_one),
        TEST(a_host_is_called_by_one_session_at_a_time),
        TEST(a_host_gets_as_many_sessions_as_it_may),
        TEST(who_waits_for_a_host_keeps_no_worker_from_others),
        TEST(who_waited_too_long_for_a_host_is_told_so),
        TEST(a_caller_may_leave_while_its_question_waits_for_a_host),
        TEST(a_crowd_gets_all_its_answers),
        TEST(a_stop_lets_everybody_go_who_waits_for_a_host),
        TEST(after_a_hold_one_session_finds_out_for_all),
        TEST(after_a_trial_that_went_well_many_sessions_may_run_again),
        TEST(a_trial_that_fails_holds_twice_as_long),
        TEST(a_signed_sender_is_asked_about_once),
        TEST(what_is_shared_must_be_asked_about_anew_by_and_by),
        TEST(a_refused_tag_is_not_shared),
        TEST(a_forwarded_sender_is_asked_about_once),
        TEST(a_list_is_believed_after_five_and_sampled_from_then_on),
        TEST(one_refused_issue_ends_the_trust_in_a_list),
        TEST(what_a_relay_says_is_not_shared),
        TEST(nobody_is_called_for_a_correspondent),
        TEST(a_correspondent_is_forgotten_after_a_while),
        TEST(a_correspondent_is_written_down_once_a_day),
        TEST(a_correspondent_may_sign_its_senders),
        TEST(a_correspondent_stands_against_a_refusal),
        TEST(a_correspondent_of_a_dead_or_careless_domain_is_one),
        TEST(a_host_that_said_yes_is_named_before_the_correspondent),
        TEST(a_forged_correspondent_is_turned_back),
        TEST(a_correspondent_is_no_answer_of_a_relay),
        TEST(what_is_no_address_is_no_correspondent),
        TEST(many_threads_are_told_the_truth_or_that_they_must_wait),
    };
    return cmocka_run_group_tests_name("guest", tests, NULL, NULL);
}
