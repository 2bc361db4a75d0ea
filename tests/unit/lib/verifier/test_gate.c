/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_gate: for whom nobody is called at each position of the gate, who is said to have vouched,
 * and what a reload from one position to another leaves of what was found out. Over a real cache, a
 * scripted name server and a scripted mail host; time is moved by hand. What SPF alone costs and
 * how questions wait for it is test_guest's.
 */
#include "config.h"

#include "check.h"
#include "base/clock.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

#include "verifier/verifier.h"
#include "verifier_rig.h"

enum {
    CROWD = 64,
    LOOKUPS_MAX = 200, /* in one test; far more than it takes */
    SILENCE_MS = 2000, /* for a name server that says nothing; longer than any answer takes */
};

#define FRIEND "198.51.100.1"   /* whom those that have an SPF record allow, where they allow any */
#define STRANGER "203.0.113.9"  /* whom nobody knows */
#define NEIGHBOUR "192.0.2.200" /* of the A host that each domain has, at 192.0.2.7 */
#define NAMED "203.0.113.33"    /* whose names are in the domains */
#define FAILING "203.0.113.40"  /* whose name DNS has no answer for */
#define MUTE "203.0.113.41"     /* ... and says nothing of */

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
static const struct fake_dns_answer address[] = {{.type = ns_t_a, .data = "127.0.0.1"}};
static const struct fake_dns_answer web[] = {{.type = ns_t_a, .data = "192.0.2.7"}};
static const struct fake_dns_answer named[] = {{.type = ns_t_a, .data = NAMED}};
static const struct fake_dns_answer pass[] = TEXT("v=spf1 +all");
static const struct fake_dns_answer fail[] = TEXT("v=spf1 ip4:198.51.100.1 -all");
static const struct fake_dns_answer soft[] = TEXT("v=spf1 ip4:198.51.100.1 ~all");
static const struct fake_dns_answer neutral[] = TEXT("v=spf1 ip4:198.51.100.1 ?all");
static const struct fake_dns_answer broken[] = TEXT("v=spf1 no-such-mechanism -all");
static const struct fake_dns_answer names[] = {
    {.type = ns_t_ptr, .data = "mail.pass.example"},
    {.type = ns_t_ptr, .data = "mail.fail.example"},
    {.type = ns_t_ptr, .data = "mail.soft.example"},
    {.type = ns_t_ptr, .data = "mail.neutral.example"},
    {.type = ns_t_ptr, .data = "mail.none.example"},
    {.type = ns_t_ptr, .data = "mail.failing.example"},
    {.type = ns_t_ptr, .data = "mail.broken.example"},
};

/* A domain with a mail host, a web server, and a name that NAMED has. */
#define DOMAIN(domain)                                                                             \
    ROW(domain, ns_t_mx, mx), ROW(domain, ns_t_a, web), ROW("mail." domain, ns_t_a, named)

static const struct fake_dns_row zone[] = {
    ROW("mx.example.org", ns_t_a, address),
    DOMAIN("pass.example"),
    ROW("pass.example", ns_t_txt, pass),
    DOMAIN("fail.example"),
    ROW("fail.example", ns_t_txt, fail),
    DOMAIN("soft.example"),
    ROW("soft.example", ns_t_txt, soft),
    DOMAIN("neutral.example"),
    ROW("neutral.example", ns_t_txt, neutral),
    DOMAIN("none.example"),
    DOMAIN("failing.example"),
    {.name = "failing.example", .type = ns_t_txt, .rcode = ns_r_servfail},
    DOMAIN("broken.example"),
    ROW("broken.example", ns_t_txt, broken),
    ROW("33.113.0.203.in-addr.arpa", ns_t_ptr, names),
    {.name = "40.113.0.203.in-addr.arpa", .type = ns_t_ptr, .rcode = ns_r_servfail},
    {.name = "41.113.0.203.in-addr.arpa", .type = ns_t_ptr, .flags = FAKE_DNS_DROP},
};

static const struct fake_host_reply users[] = {
    {"user@pass.example", "250 2.1.5 Ok"},   {"user@fail.example", "250 2.1.5 Ok"},
    {"user@soft.example", "250 2.1.5 Ok"},   {"user@neutral.example", "250 2.1.5 Ok"},
    {"user@none.example", "250 2.1.5 Ok"},   {"user@failing.example", "250 2.1.5 Ok"},
    {"user@broken.example", "250 2.1.5 Ok"},
};

static const struct fake_host_options polite = {
    .pipelining = true, .replies = users, .reply_count = COUNT(users)};

static int set_up(void **state)
{
    static const struct rig_world world = {
        .zone = zone, .zone_count = COUNT(zone), .host = &polite};

    return rig_set_up(state, &world);
}

/* --- Questions --------------------------------------------------------------- */

/* Asked anew, whatever the cache knows. */
static struct rb_answer fresh_answer_from(struct rig *f, const char *client, const char *text)
{
    struct rb_question question = rig_question_from(client, text);
    struct rb_answer answer = {.size = 0};

    question.no_cache = true;
    rig_verify(f, &question, &answer);
    return answer;
}

static void assert_answer(const struct rb_answer *answer, enum rb_reason reason,
                          enum rb_voucher voucher)
{
    if (answer->reason != reason || answer->voucher != voucher)
        fail_msg("%s: %s, vouched by %s, and not %s, %s", answer->address,
                 rb_reason_name(answer->reason), rb_voucher_name(answer->voucher),
                 rb_reason_name(reason), rb_voucher_name(voucher));
}

static void move_gate(struct rig *f, enum rb_gate position)
{
    f->options.spf_gate = position;
    rig_reload(f);
}

static unsigned asked(struct rig *f, const char *name, ns_type type)
{
    return fake_dns_asked_udp(f->dns, name, type);
}

/* --- Positions --------------------------------------------------------------- */

struct expected {
    enum rb_reason reason; /* RB_REASON_ACCEPTED: the mail host was asked */
    enum rb_voucher voucher;
};

#define OPEN(who)                                                                                  \
    {                                                                                              \
        RB_REASON_ACCEPTED, RB_VOUCHER_##who                                                       \
    }
#define CLOSED(why)                                                                                \
    {                                                                                              \
        RB_REASON_##why, RB_VOUCHER_NOBODY                                                         \
    }

/* What SPF says of the client, and what can be guessed of it. */
static const struct {
    const char *client, *address;
    struct expected at_fail, at_softfail, at_vouched;
} table[] = {
    {STRANGER, "user@pass.example", OPEN(SPF), OPEN(SPF), OPEN(SPF)},
    {NAMED, "user@pass.example", OPEN(SPF), OPEN(SPF), OPEN(SPF)},
    {FRIEND, "user@fail.example", OPEN(SPF), OPEN(SPF), OPEN(SPF)},
    {STRANGER, "user@fail.example", CLOSED(SPF_FAIL), CLOSED(SPF_FAIL), CLOSED(SPF_FAIL)},
    {NEIGHBOUR, "user@fail.example", CLOSED(SPF_FAIL), CLOSED(SPF_FAIL), CLOSED(SPF_FAIL)},
    {NAMED, "user@fail.example", CLOSED(SPF_FAIL), CLOSED(SPF_FAIL), CLOSED(SPF_FAIL)},
    {FRIEND, "user@soft.example", OPEN(SPF), OPEN(SPF), OPEN(SPF)},
    {STRANGER, "user@soft.example", OPEN(NOBODY), CLOSED(SPF_SOFTFAIL), CLOSED(SPF_SOFTFAIL)},
    {NEIGHBOUR, "user@soft.example", OPEN(NOBODY), CLOSED(SPF_SOFTFAIL), CLOSED(SPF_SOFTFAIL)},
    {NAMED, "user@soft.example", OPEN(NOBODY), CLOSED(SPF_SOFTFAIL), CLOSED(SPF_SOFTFAIL)},
    {STRANGER, "user@neutral.example", OPEN(NOBODY), OPEN(NOBODY), CLOSED(NOT_VOUCHED)},
    {NEIGHBOUR, "user@neutral.example", OPEN(NOBODY), OPEN(NOBODY), CLOSED(NOT_VOUCHED)},
    {NAMED, "user@neutral.example", OPEN(NOBODY), OPEN(NOBODY), OPEN(PTR)},
    {STRANGER, "user@none.example", OPEN(NOBODY), OPEN(NOBODY), CLOSED(NOT_VOUCHED)},
    {NEIGHBOUR, "user@none.example", OPEN(NOBODY), OPEN(NOBODY), OPEN(MX)},
    {NAMED, "user@none.example", OPEN(NOBODY), OPEN(NOBODY), OPEN(PTR)},
    {STRANGER, "user@failing.example", OPEN(NOBODY), OPEN(NOBODY), CLOSED(NOT_VOUCHED)},
    {NEIGHBOUR, "user@failing.example", OPEN(NOBODY), OPEN(NOBODY), CLOSED(NOT_VOUCHED)},
    {NAMED, "user@failing.example", OPEN(NOBODY), OPEN(NOBODY), OPEN(PTR)},
    {STRANGER, "user@broken.example", OPEN(NOBODY), OPEN(NOBODY), CLOSED(NOT_VOUCHED)},
    {NEIGHBOUR, "user@broken.example", OPEN(NOBODY), OPEN(NOBODY), CLOSED(NOT_VOUCHED)},
    {NAMED, "user@broken.example", OPEN(NOBODY), OPEN(NOBODY), OPEN(PTR)},
};

static const struct expected *expected_at(size_t row, enum rb_gate position)
{
    return position == RB_GATE_FAIL       ? &table[row].at_fail
           : position == RB_GATE_SOFTFAIL ? &table[row].at_softfail
                                          : &table[row].at_vouched;
}

/* Twice: by DNS, then by what is remembered; the verifier is the same one throughout. */
static void each_position_holds_back_those_that_it_should(void **state)
{
    struct rig *f = *state;
    unsigned held_back[RB_REASON_MAX] = {0};

    rig_open(f);
    for (unsigned i = 0; i < 2 * 3 * COUNT(table); i++) {
        const size_t row = i % COUNT(table);
        const enum rb_gate position = (enum rb_gate)(RB_GATE_FAIL + (int)(i / 2 / COUNT(table)));
        const struct expected *expected = expected_at(row, position);
        const unsigned before = rig_connections(f);

        if (row == 0)
            move_gate(f, position);
        const struct rb_answer answer = fresh_answer_from(f, table[row].client, table[row].address);
        assert_answer(&answer, expected->reason, expected->voucher);
        assert_int_equal(rig_connections(f) - before, expected->reason == RB_REASON_ACCEPTED);
        held_back[answer.reason]++;
        if (expected->reason != RB_REASON_ACCEPTED) {
            assert_string_equal(answer.rule, rb_reason_name(answer.reason));
            assert_int_equal(answer.verdict, RB_VERDICT_UNKNOWN);
            assert_int_equal(answer.expires_s, -1);
            assert_false(answer.cached);
        }
    }
    const struct rb_stats stats = rig_stats(f);
    assert_int_equal(stats.spf_fail, held_back[RB_REASON_SPF_FAIL]);
    assert_int_equal(stats.spf_softfail, held_back[RB_REASON_SPF_SOFTFAIL]);
    assert_int_equal(stats.not_vouched, held_back[RB_REASON_NOT_VOUCHED]);
    assert_int_equal(stats.callouts[RB_REASON_ACCEPTED], held_back[RB_REASON_ACCEPTED]);
}

/* The same is foretold as is told then, and who vouches or why nobody does. */
static void each_position_is_foretold(void **state)
{
    struct rig *f = *state;

    rig_open(f);
    for (unsigned i = 0; i < 3 * COUNT(table); i++) {
        const size_t row = i % COUNT(table);
        const enum rb_gate position = (enum rb_gate)(RB_GATE_FAIL + (int)(i / COUNT(table)));
        const struct expected *expected = expected_at(row, position);
        const struct rb_question question =
            rig_question_from(table[row].client, table[row].address);
        struct rb_prospect prospect;
        struct rb_answer answer;

        move_gate(f, position);
        rb_prospect_init(&prospect);
        rb_answer_init(&answer);
        assert_int_equal(
            rb_peek(f->verifier, &question, rig_until(RIG_PATIENCE_MS), &prospect, &answer), RB_OK);
        if (prospect.would_call != (expected->reason == RB_REASON_ACCEPTED))
            fail_msg("%s, %s: %s (%s)", table[row].client, table[row].address,
                     rb_reason_name(answer.reason), answer.rule);
        if (!prospect.would_call)
            assert_answer(&answer, expected->reason, expected->voucher);
        assert_int_equal(answer.voucher, expected->voucher);
        assert_int_equal(prospect.why_nobody == NULL, expected->voucher != RB_VOUCHER_NOBODY);
        if (expected->voucher == RB_VOUCHER_MX)
            assert_string_equal(prospect.voucher_host, "none.example");
        else if (expected->voucher == RB_VOUCHER_PTR)
            assert_non_null(strstr(prospect.voucher_host, "mail."));
        else
            assert_string_equal(prospect.voucher_host, "");
    }
    assert_int_equal(rig_connections(f), 0);
    assert_int_equal(rig_stats(f).not_vouched, 0);
}

static void what_the_caller_vouches_for_passes_whatever_spf_says(void **state)
{
    static const enum rb_voucher vouchers[] = {RB_VOUCHER_DKIM, RB_VOUCHER_POLICY};
    struct rig *f = *state;

    rig_open(f);
    for (size_t i = 0; i < COUNT(vouchers); i++)
        for (int position = RB_GATE_NO; position <= RB_GATE_VOUCHED; position++) {
            struct rb_question question = rig_question_from(STRANGER, "user@fail.example");
            struct rb_answer answer = {.size = 0};

            move_gate(f, (enum rb_gate)position);
            question.voucher = vouchers[i];
            question.no_cache = true;
            rig_verify(f, &question, &answer);
            assert_answer(&answer, RB_REASON_ACCEPTED, vouchers[i]);
        }
    assert_int_equal(asked(f, "fail.example", ns_t_txt), 0);
}

static void a_voucher_that_there_is_not_is_refused(void **state)
{
    struct rig *f = *state;
    struct rb_question question = rig_question_from(STRANGER, "user@fail.example");
    struct rb_prospect prospect = {.size = sizeof prospect};
    struct rb_answer answer = {.size = sizeof answer};
    struct rb_ticket *ticket;

    rig_open(f);
    question.voucher = RB_VOUCHER_MAX;
    assert_int_equal(rb_ask(f->verifier, &question, &ticket), RB_ERR_ARGUMENT);
    assert_null(ticket);
    assert_int_equal(rb_peek(f->verifier, &question, 0, &prospect, &answer), RB_ERR_ARGUMENT);
}

/* Those who hand on mail within our walls, whom we do not know, and recipients. */
static void whom_the_gate_is_not_for_passes_at_each_position(void **state)
{
    struct rig *f = *state;
    char relay[32];

    (void)snprintf(relay, sizeof relay, "127.0.0.1:%u", (unsigned)fake_host_port(f->host));
    rig_open(f);
    for (int position = RB_GATE_NO; position <= RB_GATE_VOUCHED; position++) {
        const struct sockaddr local = {.sa_family = AF_UNIX};
        struct rb_question questions[] = {
            rig_question_from("127.0.0.1", "user@fail.example"),
            rig_question_from("::1", "user@fail.example"),
            rig_question_from(STRANGER, "user@fail.example"),
            rig_question_from(STRANGER, "user@fail.example"),
            rig_question_from(STRANGER, "user@fail.example"),
        };

        move_gate(f, (enum rb_gate)position);
        questions[2].client = NULL;
        questions[3].client = &local;
        questions[4].relay = relay;
        for (size_t i = 0; i < COUNT(questions); i++) {
            struct rb_answer answer = {.size = 0};

            if (i != 2 && i != 3)
                questions[i].client = rig_client(i == 0 ? "127.0.0.1" : i == 1 ? "::1" : STRANGER);
            questions[i].no_cache = true;
            rig_verify(f, &questions[i], &answer);
            assert_answer(&answer, RB_REASON_ACCEPTED, RB_VOUCHER_NOBODY);
        }
    }
    assert_int_equal(asked(f, "fail.example", ns_t_txt), 0);
}

/* --- What the cache knows ------------------------------------------------------ */

static void a_cached_invalid_is_told_at_each_position_without_a_look_up(void **state)
{
    struct rig *f = *state;

    rig_open(f);
    assert_int_equal(rig_reason_for(f, "nobody@none.example"), RB_REASON_NO_SUCH_USER);
    for (int position = RB_GATE_NO; position <= RB_GATE_VOUCHED; position++) {
        const struct rb_question question = rig_question_from(STRANGER, "nobody@none.example");
        struct rb_ticket *ticket;

        move_gate(f, (enum rb_gate)position);
        ticket = rig_put(f, &question);
        assert_true(rb_ready(ticket));
        const struct rb_answer answer = rig_answer(ticket);
        assert_answer(&answer, RB_REASON_NO_SUCH_USER, RB_VOUCHER_NOBODY);
        assert_true(answer.cached);
    }
    assert_int_equal(asked(f, "none.example", ns_t_txt), 0);
    assert_int_equal(rig_connections(f), 1);
}

/* The first is told before the gate knows, and then nobody is said to have vouched. */
static void the_gate_speaks_before_a_cached_valid_once_it_knows(void **state)
{
    static const struct {
        const char *client;
        enum rb_gate position;
        struct expected then;
    } cases[] = {
        {STRANGER, RB_GATE_NO, OPEN(NOBODY)},
        {STRANGER, RB_GATE_FAIL, OPEN(NOBODY)},
        {"203.0.113.10", RB_GATE_SOFTFAIL, OPEN(NOBODY)},
        {STRANGER, RB_GATE_VOUCHED, CLOSED(NOT_VOUCHED)},
        {NEIGHBOUR, RB_GATE_VOUCHED, OPEN(MX)},
        {NAMED, RB_GATE_VOUCHED, OPEN(PTR)},
    };
    struct rig *f = *state;

    rig_open(f);
    assert_int_equal(rig_reason_for(f, "user@none.example"), RB_REASON_ACCEPTED);
    for (size_t i = 0; i < COUNT(cases); i++) {
        move_gate(f, cases[i].position);
        struct rb_answer answer = rig_answer_from(f, cases[i].client, "user@none.example");
        assert_answer(&answer, RB_REASON_ACCEPTED, RB_VOUCHER_NOBODY);
        assert_true(answer.cached);
        rig_await_idle(f);
        answer = rig_answer_from(f, cases[i].client, "user@none.example");
        assert_answer(&answer, cases[i].then.reason, cases[i].then.voucher);
        assert_int_equal(answer.cached, cases[i].then.reason == RB_REASON_ACCEPTED);
    }
    assert_int_equal(rig_connections(f), 1);
}

static void a_stale_answer_is_refreshed_only_where_somebody_vouches(void **state)
{
    struct rig *f = *state;

    f->options.spf_gate = RB_GATE_VOUCHED;
    rig_open(f);
    assert_int_equal(rig_reason_for(f, "user@none.example"), RB_REASON_ACCEPTED);
    fake_clock_advance_s(&f->clock, 7 * 86400LL);
    assert_true(rig_answer_from(f, STRANGER, "user@none.example").cached);
    rig_await_idle(f);
    assert_int_equal(rig_connections(f), 1);
    assert_int_equal(rig_stats(f).not_vouched, 1);
    assert_true(rig_answer_from(f, NEIGHBOUR, "user@none.example").cached);
    rig_await_callouts(f, RB_REASON_ACCEPTED, 2);
    const struct rb_answer answer = rig_answer_from(f, NEIGHBOUR, "user@none.example");
    assert_answer(&answer, RB_REASON_ACCEPTED, RB_VOUCHER_MX);
    assert_int_equal(answer.age_s, 0);
}

static void a_look_into_the_cache_alone_asks_nobody(void **state)
{
    struct rig *f = *state;
    struct rb_question question = rig_question_from(STRANGER, "user@none.example");
    struct rb_answer answer = {.size = 0};

    f->options.spf_gate = RB_GATE_VOUCHED;
    rig_open(f);
    question.only_cache = true;
    rig_verify(f, &question, &answer);
    assert_string_equal(answer.rule, "not_in_cache");
    assert_int_equal(answer.voucher, RB_VOUCHER_NOBODY);
    assert_int_equal(asked(f, "none.example", ns_t_txt), 0);
}

/* --- Those who ask together ------------------------------------------------------ */

/* One callout for all; each is told who vouches for the client that it asked about. */
static void who_joins_is_told_of_its_own_client(void **state)
{
    static const struct {
        const char *client;
        enum rb_voucher voucher, told;
    } cases[] = {
        {NEIGHBOUR, RB_VOUCHER_NOBODY, RB_VOUCHER_MX},
        {STRANGER, RB_VOUCHER_DKIM, RB_VOUCHER_DKIM},
        {NAMED, RB_VOUCHER_NOBODY, RB_VOUCHER_PTR},
        {STRANGER, RB_VOUCHER_POLICY, RB_VOUCHER_POLICY},
        {"127.0.0.1", RB_VOUCHER_NOBODY, RB_VOUCHER_NOBODY},
    };
    struct rig *f = *state;
    struct rb_ticket *tickets[COUNT(cases)];

    f->options.spf_gate = RB_GATE_VOUCHED;
    rig_open(f);
    rig_hold(f, true);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct rb_question question = rig_question_from(cases[i].client, "user@none.example");

        question.voucher = cases[i].voucher;
        tickets[i] = rig_put(f, &question);
    }
    assert_true(fake_host_wait(f->host, "RCPT", 1));
    for (int i = 0; i < RIG_PATIENCE_MS && rig_stats(f).coalesced < COUNT(cases) - 1; i++)
        check_pause();
    for (size_t i = 0; i < COUNT(cases); i++) { /* as far as is known yet */
        struct rb_answer answer = {.size = 0};

        assert_int_equal(rb_wait(tickets[i], 0, &answer), RB_ERR_NOT_YET);
        assert_int_equal(answer.voucher, cases[i].told);
    }
    rig_hold(f, false);
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct rb_answer answer = rig_answer(tickets[i]);

        assert_answer(&answer, RB_REASON_ACCEPTED, cases[i].told);
    }
    rig_await_idle(f);
    assert_int_equal(rig_stats(f).callouts[RB_REASON_ACCEPTED], 1);
}

static void equal_guesses_are_one(void **state)
{
    struct rig *f = *state;
    struct rb_question questions[CROWD];
    struct sockaddr_storage client;
    char texts[CROWD][64];

    memcpy(&client, rig_client(NAMED), sizeof client);
    for (size_t i = 0; i < CROWD; i++) {
        (void)snprintf(texts[i], sizeof texts[i], "u%zu@none.example", i);
        questions[i] = rig_question(texts[i]);
        questions[i].client = (const struct sockaddr *)&client;
    }
    f->options.spf_gate = RB_GATE_VOUCHED;
    rig_open(f);
    fake_dns_hold(f->dns, true);
    rig_start_askers(f, CROWD, questions, CROWD);
    fake_dns_hold(f->dns, false);
    rig_join_askers(f, CROWD);
    for (size_t i = 0; i < CROWD; i++)
        assert_int_equal(f->askers[i].answer.voucher, RB_VOUCHER_PTR);
    assert_int_equal(asked(f, "none.example", ns_t_txt), 1);
    assert_int_equal(asked(f, "33.113.0.203.in-addr.arpa", ns_t_ptr), 1);
    assert_int_equal(asked(f, "mail.none.example", ns_t_a), 1);
    rig_await_idle(f);
}

/* A question is held to the position at which it was asked, whatever else waits for the same. */
static void a_reload_meanwhile_takes_no_position_for_another(void **state)
{
    static const struct {
        enum rb_gate position;
        const char *address;
        struct expected expected;
    } cases[] = {
        {RB_GATE_SOFTFAIL, "user@neutral.example", OPEN(NOBODY)},
        {RB_GATE_VOUCHED, "user@neutral.example", CLOSED(NOT_VOUCHED)},
        {RB_GATE_FAIL, "user@soft.example", OPEN(NOBODY)},
        {RB_GATE_SOFTFAIL, "user@soft.example", CLOSED(SPF_SOFTFAIL)},
        {RB_GATE_VOUCHED, "user@soft.example", CLOSED(SPF_SOFTFAIL)},
        {RB_GATE_NO, "user@fail.example", OPEN(NOBODY)},
        {RB_GATE_FAIL, "user@fail.example", CLOSED(SPF_FAIL)},
    };
    struct rig *f = *state;
    struct rb_ticket *tickets[COUNT(cases)];

    rig_open(f);
    fake_dns_hold(f->dns, true);
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct rb_question question = rig_question_from(STRANGER, cases[i].address);

        move_gate(f, cases[i].position);
        tickets[i] = rig_put(f, &question);
    }
    move_gate(f, RB_GATE_NO);
    fake_dns_hold(f->dns, false);
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct rb_answer answer = rig_answer(tickets[i]);

        assert_answer(&answer, cases[i].expected.reason, cases[i].expected.voucher);
    }
    rig_await_idle(f);
}

/* --- DNS --------------------------------------------------------------------------- */

/* What the gate asked for the guesses is asked no second time by the callout, nor for others. */
static void each_record_is_asked_for_once(void **state)
{
    static const struct {
        const char *name;
        ns_type type;
    } looked_up[] = {
        {"none.example", ns_t_txt},
        {"none.example", ns_t_mx},
        {"mx.example.org", ns_t_a},
        {"none.example", ns_t_a},
    };
    struct rig *f = *state;

    f->options.spf_gate = RB_GATE_VOUCHED;
    rig_open(f);
    for (int i = 0; i < 2; i++) {
        struct rb_answer answer = rig_answer_from(f, NEIGHBOUR, "user@none.example");

        assert_answer(&answer, RB_REASON_ACCEPTED, RB_VOUCHER_MX);
        answer = rig_answer_from(f, "192.0.2.201", "nobody@none.example");
        assert_int_equal(answer.reason, RB_REASON_NO_SUCH_USER);
        for (size_t j = 0; j < COUNT(looked_up); j++)
            if (asked(f, looked_up[j].name, looked_up[j].type) != 1)
                fail_msg("%s: %u", looked_up[j].name,
                         asked(f, looked_up[j].name, looked_up[j].type));
    }
}

static size_t look_ups(struct rig *f)
{
    struct fake_dns_question questions[LOOKUPS_MAX];

    return fake_dns_questions(f->dns, questions, COUNT(questions));
}

/* Look-ups a question, the callout's among them; what follows finds what came before remembered. */
static void each_question_costs_so_many_look_ups(void **state)
{
    static const struct {
        enum rb_gate position;
        const char *client, *address;
        enum rb_reason reason;
        size_t lookups;
    } cases[] = {
        /* TXT; MX and the host's A are the callout's */
        {RB_GATE_SOFTFAIL, STRANGER, "nobody@neutral.example", RB_REASON_NO_SUCH_USER, 3},
        {RB_GATE_SOFTFAIL, STRANGER, "nobody2@neutral.example", RB_REASON_NO_SUCH_USER, 0},
        {RB_GATE_SOFTFAIL, NAMED, "nobody3@neutral.example", RB_REASON_NO_SUCH_USER, 0},
        /* TXT, MX, A of the mail host and the domain, PTR: a reload forgets what DNS said */
        {RB_GATE_VOUCHED, STRANGER, "nobody@none.example", RB_REASON_NOT_VOUCHED, 5},
        {RB_GATE_VOUCHED, STRANGER, "nobody2@none.example", RB_REASON_NOT_VOUCHED, 0},
        {RB_GATE_VOUCHED, "203.0.113.11", "nobody@none.example", RB_REASON_NOT_VOUCHED, 1},
        {RB_GATE_VOUCHED, NEIGHBOUR, "nobody@none.example", RB_REASON_NO_SUCH_USER, 0},
        /* PTR, and the A of the name in the domain */
        {RB_GATE_VOUCHED, NAMED, "nobody2@none.example", RB_REASON_NO_SUCH_USER, 2},
        {RB_GATE_VOUCHED, NAMED, "nobody3@none.example", RB_REASON_NO_SUCH_USER, 0},
        /* TXT; it says enough. MX is the callout's */
        {RB_GATE_VOUCHED, STRANGER, "nobody@fail.example", RB_REASON_SPF_FAIL, 1},
        {RB_GATE_VOUCHED, STRANGER, "nobody@pass.example", RB_REASON_NO_SUCH_USER, 2},
        {RB_GATE_VOUCHED, STRANGER, "nobody2@pass.example", RB_REASON_NO_SUCH_USER, 0},
        /* What is known to be invalid */
        {RB_GATE_VOUCHED, "203.0.113.12", "nobody@pass.example", RB_REASON_NO_SUCH_USER, 0},
    };
    struct rig *f = *state;

    rig_open(f);
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t before;

        if (f->options.spf_gate != cases[i].position)
            move_gate(f, cases[i].position);
        before = look_ups(f);
        const struct rb_answer answer = rig_answer_from(f, cases[i].client, cases[i].address);
        assert_int_equal(answer.reason, cases[i].reason);
        if (look_ups(f) - before != cases[i].lookups)
            fail_msg("%s for %s: %zu look-ups", cases[i].client, cases[i].address,
                     look_ups(f) - before);
    }
}

/* That DNS failed is not that nobody vouches for the next five minutes. */
static void what_dns_failed_for_is_asked_again_soon(void **state)
{
    static const char ptr[] = "40.113.0.203.in-addr.arpa";
    struct rig *f = *state;
    unsigned before;

    f->options.spf_gate = RB_GATE_VOUCHED;
    rig_open(f);
    struct rb_answer answer = rig_answer_from(f, FAILING, "user@neutral.example");
    assert_answer(&answer, RB_REASON_NOT_VOUCHED, RB_VOUCHER_NOBODY);
    before = asked(f, ptr, ns_t_ptr);
    assert_true(before > 0);
    fake_clock_advance_s(&f->clock, SPF_MEMO_FOR_NOW_LIFE_S - 1);
    answer = rig_answer_from(f, FAILING, "user@neutral.example");
    assert_answer(&answer, RB_REASON_NOT_VOUCHED, RB_VOUCHER_NOBODY);
    assert_int_equal(asked(f, ptr, ns_t_ptr), before);
    fake_clock_advance_s(&f->clock, 1);
    answer = rig_answer_from(f, FAILING, "user@neutral.example");
    assert_answer(&answer, RB_REASON_NOT_VOUCHED, RB_VOUCHER_NOBODY);
    assert_true(asked(f, ptr, ns_t_ptr) > before);
}

/* One time for SPF and guesses together; the name server is left alone for a while then. */
static void a_guess_that_takes_too_long_is_given_up(void **state)
{
    struct rig *f = *state;
    unsigned before;

    f->options.clock = clock_system();
    f->options.spf_gate = RB_GATE_VOUCHED;
    f->options.total_timeout_ms = SILENCE_MS;
    rig_open(f);
    struct rb_answer answer = rig_answer_from(f, MUTE, "user@neutral.example");
    assert_answer(&answer, RB_REASON_NOT_VOUCHED, RB_VOUCHER_NOBODY);
    before = asked(f, "41.113.0.203.in-addr.arpa", ns_t_ptr);
    answer = rig_answer_from(f, MUTE, "other@neutral.example");
    assert_answer(&answer, RB_REASON_NOT_VOUCHED, RB_VOUCHER_NOBODY);
    assert_int_equal(asked(f, "41.113.0.203.in-addr.arpa", ns_t_ptr), before);
    assert_int_equal(rig_connections(f), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, rig_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_position_holds_back_those_that_it_should),
        TEST(each_position_is_foretold),
        TEST(what_the_caller_vouches_for_passes_whatever_spf_says),
        TEST(a_voucher_that_there_is_not_is_refused),
        TEST(whom_the_gate_is_not_for_passes_at_each_position),
        TEST(a_cached_invalid_is_told_at_each_position_without_a_look_up),
        TEST(the_gate_speaks_before_a_cached_valid_once_it_knows),
        TEST(a_stale_answer_is_refreshed_only_where_somebody_vouches),
        TEST(a_look_into_the_cache_alone_asks_nobody),
        TEST(who_joins_is_told_of_its_own_client),
        TEST(equal_guesses_are_one),
        TEST(a_reload_meanwhile_takes_no_position_for_another),
        TEST(each_record_is_asked_for_once),
        TEST(each_question_costs_so_many_look_ups),
        TEST(what_dns_failed_for_is_asked_again_soon),
        TEST(a_guess_that_takes_too_long_is_given_up),
    };

    return cmocka_run_group_tests_name("gate", tests, NULL, NULL);
}
