/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_clients: whether a client is who it claims to be: whom that is asked of, what comes of each
 * answer, what is remembered, and that nobody is called for it who may not be.
 */
#include "config.h"

#include "check.h"

#include "verifier_rig.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>

#define DAY 86400

static const struct fake_dns_answer mx[] = {
    {.type = ns_t_mx, .preference = 10, .data = "mx.example"}};
static const struct fake_dns_answer nowhere_mx[] = {
    {.type = ns_t_mx, .preference = 10, .data = "private.example"}};
static const struct fake_dns_answer here[] = {{.type = ns_t_a, .data = "127.0.0.1"}};
static const struct fake_dns_answer private_net[] = {{.type = ns_t_a, .data = "10.1.2.3"}};
static const struct fake_dns_answer disowns[] = {{.type = ns_t_txt, .data = "v=spf1 -all"}};
static const struct fake_dns_answer doubts[] = {{.type = ns_t_txt, .data = "v=spf1 ~all"}};
static const struct fake_dns_answer owns[] = {{.type = ns_t_txt, .data = "v=spf1 +all"}};
static const struct fake_dns_row zone[] = {
    {.name = "mx.example", .type = ns_t_a, .answers = here, .count = 1},
    {.name = "mx.example", .type = ns_t_txt, .answers = owns, .count = 1},
    {.name = "other.example", .type = ns_t_a, .answers = here, .count = 1},
    {.name = "third.example", .type = ns_t_a, .answers = here, .count = 1},
    {.name = "one.example", .type = ns_t_mx, .answers = mx, .count = 1},
    {.name = "private.example", .type = ns_t_a, .answers = private_net, .count = 1},
    {.name = "nowhere.example", .type = ns_t_mx, .answers = nowhere_mx, .count = 1},
    {.name = "disowned.example", .type = ns_t_a, .answers = here, .count = 1},
    {.name = "disowned.example", .type = ns_t_txt, .answers = disowns, .count = 1},
    {.name = "doubted.example", .type = ns_t_a, .answers = here, .count = 1},
    {.name = "doubted.example", .type = ns_t_txt, .answers = doubts, .count = 1},
    {.name = "servfail.example", .type = ns_t_a, .rcode = ns_r_servfail},
};
static const struct fake_host_options says_yes = {.verb = "450 4.5.0 AYTTM yes"};
static const struct fake_host_options plain = {.pipelining = true};
static const struct rig_world world = {zone, COUNT(zone), &says_yes};

static const struct sockaddr_in client = {.sin_family = AF_INET};
static struct sockaddr_in from, to;

static int set_up(void **state)
{
    struct rig *rig;

    if (rig_set_up(state, &world) != 0)
        return -1;
    rig = *state;
    rig->options.spf_gate = RB_GATE_NO;
    from = to = client;
    from.sin_port = htons(54321);
    to.sin_port = htons(25);
    (void)inet_pton(AF_INET, "192.0.2.7", &from.sin_addr);
    (void)inet_pton(AF_INET, "10.0.0.2", &to.sin_addr);
    return 0;
}

/* --- Asking ------------------------------------------------------------------ */

static struct rb_client_question about(const char *helo)
{
    struct rb_client_question question;

    rb_client_question_init(&question);
    question.client = (const struct sockaddr *)&from;
    question.reached = (const struct sockaddr *)&to;
    question.helo = helo;
    question.targets[0] = RB_TARGET_HELO;
    return question;
}

static struct rb_ticket *put(struct rig *rig, const struct rb_client_question *question)
{
    struct rb_ticket *ticket;

    assert_int_equal(rb_ask_client(rig->verifier, question, &ticket), RB_OK);
    return ticket;
}

static struct rb_client_answer collect(struct rb_ticket *ticket)
{
    struct rb_client_answer answer;

    rb_client_answer_init(&answer);
    assert_int_equal(rb_wait_client(ticket, rig_until(RIG_PATIENCE_MS), &answer), RB_OK);
    assert_true(rb_ready(ticket));
    rb_ticket_free(ticket);
    return answer;
}

static struct rb_client_answer ask(struct rig *rig, const struct rb_client_question *question)
{
    const struct rb_client_answer answer = collect(put(rig, question));

    rig_await_idle(rig);
    return answer;
}

static struct rb_client_answer ask_helo(struct rig *rig, const char *helo)
{
    const struct rb_client_question question = about(helo);

    return ask(rig, &question);
}

static void assert_said(const struct rb_client_answer *answer, enum rb_client_result result,
                        const char *rule)
{
    if (answer->result != result || (rule != NULL && strcmp(answer->rule, rule) != 0))
        fail_msg("%s (%s), not %s (%s)", rb_client_result_name(answer->result), answer->rule,
                 rb_client_result_name(result), rule != NULL ? rule : "");
}

static unsigned verbs_heard(struct rig *rig)
{
    return fake_host_heard(rig->host, "AYTTM");
}

/* --- Answers ----------------------------------------------------------------- */

static void each_word_has_its_result(void **state)
{
    static const struct {
        const char *verb;
        enum rb_client_result result;
        const char *rule;
    } table[] = {
        {"450 4.5.0 AYTTM yes", RB_CLIENT_CONFIRMED, NULL},
        {"450 4.5.0 AYTTM maybe", RB_CLIENT_MAYBE, NULL},
        {"450 4.5.0 AYTTM no", RB_CLIENT_DENIED, NULL},
        {"450 4.5.0 AYTTM unknown", RB_CLIENT_REACHABLE, "host_cannot_say"},
        {"502 5.5.1 command not recognized", RB_CLIENT_REACHABLE, "verb_not_known"},
        {"", RB_CLIENT_REACHABLE, "verb_not_known"},
    };
    struct rig *rig = *state;

    rig_open(rig);
    for (size_t i = 0; i < COUNT(table); i++) {
        const struct fake_host_options options = {.verb = table[i].verb};
        struct rb_client_question question = about("MX.example");
        struct rb_client_answer answer;

        rig_start_host(rig, &options);
        question.no_cache = true;
        answer = ask(rig, &question);
        assert_said(&answer, table[i].result, table[i].rule);
        assert_string_equal(answer.host, "mx.example");
        assert_string_equal(answer.ip, "127.0.0.1");
        assert_int_equal(answer.port, rig->options.port);
        assert_false(answer.cached);
        assert_int_equal(rig_stats(rig).client_questions, i + 1);
    }
    assert_int_equal(rig_stats(rig).clients[RB_CLIENT_CONFIRMED], 1);
    assert_int_equal(rig_stats(rig).clients[RB_CLIENT_REACHABLE], 3);
}

static void the_connection_that_is_asked_about_is_named(void **state)
{
    struct rig *rig = *state;
    struct rb_client_answer answer;
    char line[64];

    rig_open(rig);
    answer = ask_helo(rig, "mx.example");
    assert_said(&answer, RB_CLIENT_CONFIRMED, NULL);
    assert_int_equal(answer.code, 450);
    assert_non_null(strstr(answer.reply, "AYTTM yes"));
    fake_host_command(rig->host, "AYTTM", 0, line, sizeof line);
    assert_string_equal(line, "AYTTM-54321-25-0a000002");
}

static void a_host_that_is_not_there_cannot_be_reached(void **state)
{
    static const struct {
        const char *helo;
        enum rb_client_result result;
        const char *rule;
    } table[] = {
        {"no.such.example", RB_CLIENT_UNREACHABLE, "no_such_host"},
        {"[127.0.0.77]", RB_CLIENT_UNREACHABLE, NULL}, /* nobody listens there */
        {"private.example", RB_CLIENT_UNREACHABLE, "private_address"},
        {"[192.168.1.1]", RB_CLIENT_UNREACHABLE, "private_address"},
        {"no host", RB_CLIENT_UNREACHABLE, "helo_is_no_host"},
        {"[no address]", RB_CLIENT_UNREACHABLE, "helo_is_no_host"},
        {"0177.0.0.1", RB_CLIENT_UNREACHABLE, "no_such_host"}, /* names, and not 127.0.0.1: */
        {"0x7f.1", RB_CLIENT_UNREACHABLE, "no_such_host"},
        {"127.1", RB_CLIENT_UNREACHABLE, "no_such_host"},
        {"127.0.0.01", RB_CLIENT_UNREACHABLE, "no_such_host"},
        {"servfail.example", RB_CLIENT_UNKNOWN, NULL},
        {"", RB_CLIENT_UNKNOWN, "no_helo"},
        {NULL, RB_CLIENT_UNKNOWN, "no_helo"},
    };
    struct rig *rig = *state;

    rig_open(rig);
    for (size_t i = 0; i < COUNT(table); i++) {
        const struct rb_client_answer answer = ask_helo(rig, table[i].helo);

        assert_said(&answer, table[i].result, table[i].rule);
    }
    assert_int_equal(rig_connections(rig), 0);
}

/* 127.0.0.1 is one of our own addresses as soon as it may not be called for the sake of tests. */
static void our_own_host_is_never_called(void **state)
{
    struct rig *rig = *state;
    struct rb_client_answer answer;

    rig->options.allowed_count = 0;
    rig_open(rig);
    answer = ask_helo(rig, "mx.example");
    assert_true(answer.result == RB_CLIENT_UNKNOWN || answer.result == RB_CLIENT_UNREACHABLE);
    assert_true(strcmp(answer.rule, "own_host") == 0 ||
                strcmp(answer.rule, "private_address") == 0);
    assert_int_equal(rig_connections(rig), 0);
}

static void a_host_that_refuses_us_cannot_be_reached(void **state)
{
    static const struct fake_host_options refuses = {.banner = "554 5.7.1 go away"};
    struct rig *rig = *state;
    struct rb_client_answer answer;

    rig_start_host(rig, &refuses);
    rig_open(rig);
    answer = ask_helo(rig, "mx.example");
    assert_said(&answer, RB_CLIENT_UNREACHABLE, NULL);
    assert_int_equal(answer.code, 554);
}

static void an_address_literal_is_its_own_host(void **state)
{
    struct rig *rig = *state;
    struct rb_client_answer answer;

    rig_open(rig);
    answer = ask_helo(rig, "[127.0.0.1]");
    assert_said(&answer, RB_CLIENT_CONFIRMED, NULL);
    assert_string_equal(answer.host, "[127.0.0.1]");
}

/* --- Whom ---------------------------------------------------------------------- */

static struct rb_client_question about_both(const char *helo, const char *sender)
{
    struct rb_client_question question = about(helo);

    question.sender = sender;
    question.sender_len = sender != NULL ? strlen(sender) : 0;
    question.targets[1] = RB_TARGET_MX;
    return question;
}

static void where_the_first_is_not_found_the_second_is_asked(void **state)
{
    static const char *const lost[] = {"no.such.example", "private.example", "no host", NULL};
    struct rig *rig = *state;

    rig_open(rig);
    for (size_t i = 0; i < COUNT(lost); i++) {
        struct rb_client_question question = about_both(lost[i], "<user@one.example>");
        struct rb_client_answer answer;

        question.transcript = true;
        answer = ask(rig, &question);
        assert_said(&answer, RB_CLIENT_CONFIRMED, NULL);
        assert_string_equal(answer.host, "mx.example");
        assert_true(rb_transcript_count(answer.transcript) > 0);
        rb_client_answer_fini(&answer);
    }
    assert_int_equal(rig_stats(rig).clients[RB_CLIENT_CONFIRMED], COUNT(lost));
}

static void where_the_first_answers_nobody_else_is_asked(void **state)
{
    struct rig *rig = *state;
    const struct rb_client_question question = about_both("other.example", "user@one.example");
    struct rb_client_answer answer;

    rig_start_host(rig, &plain);
    rig_open(rig);
    answer = ask(rig, &question);
    assert_said(&answer, RB_CLIENT_REACHABLE, "verb_not_known");
    answer = ask(rig, &question);
    assert_said(&answer, RB_CLIENT_UNSUPPORTED, "known_unsupported");
    assert_string_equal(answer.host, "other.example");
    assert_int_equal(rig_connections(rig), 1);
}

static void where_neither_is_found_that_is_said_of_the_second(void **state)
{
    struct rig *rig = *state;
    const struct rb_client_question question =
        about_both("no.such.example", "user@nowhere.example");
    struct rb_client_answer answer;

    rig_open(rig);
    answer = ask(rig, &question);
    assert_said(&answer, RB_CLIENT_UNREACHABLE, NULL);
    assert_string_equal(answer.host, "nowhere.example");
}

static void the_null_sender_has_no_domain_to_be_asked(void **state)
{
    struct rig *rig = *state;
    struct rb_client_question question = about_both("mx.example", NULL);
    struct rb_client_answer answer;

    rig_open(rig);
    question.targets[0] = RB_TARGET_MX;
    question.targets[1] = RB_TARGET_NONE;
    answer = ask(rig, &question);
    assert_said(&answer, RB_CLIENT_UNKNOWN, "no_sender_domain");
    question = about_both("mx.example", NULL);
    answer = ask(rig, &question);
    assert_said(&answer, RB_CLIENT_CONFIRMED, NULL);
}

static void rcpt_and_verb_are_of_one_connection(void **state)
{
    static const enum rb_client_target targets[] = {RB_TARGET_HELO, RB_TARGET_MX};
    struct rig *rig = *state;

    rig->options.idle_timeout_ms = 60 * 1000;
    rig_open(rig);
    for (size_t i = 0; i < COUNT(targets); i++) {
        struct rb_question sender = rig_question("user@one.example");
        struct rb_client_question question = about_both("MX.example", "user@one.example");
        struct rb_client_prospect prospect;
        struct rb_client_answer answer;
        struct rb_stats stats;

        sender.no_cache = true;
        sender.then_client = true;
        question.targets[0] = targets[i];
        question.targets[1] = RB_TARGET_NONE;
        assert_int_equal(rig_outcome(rig_put(rig, &sender)), RB_REASON_NO_SUCH_USER);
        do { /* until the session is idle */
            check_pause();
            stats = rig_stats(rig);
        } while (stats.resting != 1);
        rb_client_prospect_init(&prospect);
        rb_client_answer_init(&answer);
        assert_int_equal(rb_peek_client(rig->verifier, &question, rig_until(RIG_PATIENCE_MS),
                                        &prospect, &answer),
                         RB_OK);
        assert_true(prospect.would_call);
        assert_int_equal(prospect.shares, targets[i] == RB_TARGET_HELO);
        answer = collect(put(rig, &question));
        assert_said(&answer, RB_CLIENT_CONFIRMED, NULL);
        assert_string_equal(answer.host, "mx.example");
        assert_int_equal(rig_connections(rig), i + 1);
        rig_reopen(rig);
    }
    assert_int_equal(verbs_heard(rig), COUNT(targets));
}

static void the_host_that_is_named_is_asked(void **state)
{
    struct rig *rig = *state;
    struct rb_client_question question;
    struct rb_client_answer answer;
    char host[64], line[64];

    rig_open(rig);
    rb_client_question_init(&question);
    (void)snprintf(host, sizeof host, "Other.example:%u", rig->options.port);
    question.host = host;
    answer = ask(rig, &question);
    assert_said(&answer, RB_CLIENT_CONFIRMED, NULL);
    assert_non_null(strstr(answer.host, "other.example:"));
    fake_host_command(rig->host, "AYTTM", 0, line, sizeof line);
    assert_string_equal(line, "AYTTM");
    question.host = "private.example";
    answer = ask(rig, &question);
    assert_said(&answer, RB_CLIENT_UNREACHABLE, "private_address");
}

/* An admin has named it: nothing of strangers' hosts holds, and no rate is used. */
static void a_peer_is_asked_though_its_address_is_private(void **state)
{
    struct rig *rig = *state;
    struct rb_client_question question = about(NULL);
    struct rb_client_answer answer;
    char line[64];

    rig->options.allowed_count = 0;
    rig->options.global_rate = (struct rb_rate){1, 3600};
    rig_open(rig);
    question.host = "127.0.0.1";
    question.is_peer = true;
    for (unsigned i = 0; i < 3; i++) {
        answer = ask(rig, &question);
        assert_said(&answer, RB_CLIENT_CONFIRMED, NULL);
    }
    fake_host_command(rig->host, "AYTTM", 0, line, sizeof line);
    assert_string_equal(line, "AYTTM-54321-25-0a000002");
}

static void the_names_of_one_address_have_one_rate(void **state)
{
    static const char *const names[] = {"mx.example", "other.example", "third.example"};
    struct rig *rig = *state;
    struct rb_client_question question;

    rig->options.per_domain_rate = (struct rb_rate){2, 3600};
    rig->options.idle_timeout_ms = 0;
    rig_open(rig);
    for (size_t i = 0; i < COUNT(names); i++) {
        const struct rb_client_answer answer = ask_helo(rig, names[i]);

        assert_said(&answer, i < 2 ? RB_CLIENT_CONFIRMED : RB_CLIENT_UNKNOWN,
                    i < 2 ? NULL : "per_domain_rate");
    }
    assert_int_equal(rig_connections(rig), 2);
    assert_int_equal(rig_stats(rig).limited, 1);
    question = about("[127.0.0.77]"); /* another victim's */
    assert_int_equal(ask(rig, &question).result, RB_CLIENT_UNREACHABLE);
    rig_reopen(rig); /* nothing was learned of the host: it knows the verb */
    assert_int_equal(ask_helo(rig, "third.example").result, RB_CLIENT_CONFIRMED);
}

static void what_can_be_no_question_is_refused(void **state)
{
    static const char *const hosts[] = {
        "", "smtp:mx.example", "lmtp:mx.example", "unix:/x", "a b", "mx.example:0", "mx:", "a,b"};
    struct rig *rig = *state;
    struct rb_client_question question;
    struct rb_ticket *ticket;

    rig_open(rig);
    rb_client_question_init(&question);
    assert_int_equal(rb_ask_client(rig->verifier, &question, &ticket), RB_ERR_ARGUMENT);
    question.client = (const struct sockaddr *)&from;
    assert_int_equal(rb_ask_client(rig->verifier, &question, &ticket), RB_ERR_ARGUMENT);
    question.targets[0] = (enum rb_client_target)9;
    assert_int_equal(rb_ask_client(rig->verifier, &question, &ticket), RB_ERR_ARGUMENT);
    for (size_t i = 0; i < COUNT(hosts); i++) {
        question.host = hosts[i];
        assert_int_equal(rb_ask_client(rig->verifier, &question, &ticket), RB_ERR_ARGUMENT);
        assert_null(ticket);
    }
}

static void tickets_of_one_kind_are_none_of_the_other(void **state)
{
    struct rig *rig = *state;
    const struct rb_client_question question = about("mx.example");
    struct rb_client_answer of_client;
    struct rb_answer of_address;
    struct rb_ticket *ticket;
    bool accepted;

    rig_open(rig);
    rb_client_answer_init(&of_client);
    rb_answer_init(&of_address);
    ticket = rig_ask(rig, "user@one.example");
    assert_int_equal(rb_wait_client(ticket, 0, &of_client), RB_ERR_ARGUMENT);
    (void)rig_outcome(ticket);
    ticket = put(rig, &question);
    assert_int_equal(rb_wait(ticket, 0, &of_address), RB_ERR_ARGUMENT);
    assert_int_equal(rb_wait_accepted(ticket, 0, &accepted), RB_ERR_ARGUMENT);
    (void)collect(ticket);
}

/* --- What is remembered ------------------------------------------------------------ */

static void assert_connections_after(struct rig *rig, const char *helo, int64_t seconds,
                                     enum rb_client_result result, unsigned connections)
{
    struct rb_client_answer answer;

    fake_clock_advance_s(&rig->clock, seconds);
    answer = ask_helo(rig, helo);
    assert_said(&answer, result, NULL);
    assert_int_equal(answer.cached, result == RB_CLIENT_UNSUPPORTED);
    assert_int_equal(rig_connections(rig), connections);
}

static void a_host_without_the_verb_is_asked_less_and_less_often(void **state)
{
    static const int days[] = {1, 2, 4, 8, 16, 30, 30};
    struct rig *rig = *state;

    rig_start_host(rig, &plain);
    rig_open(rig);
    for (unsigned i = 0; i < COUNT(days); i++) {
        assert_connections_after(rig, "mx.example", 0, RB_CLIENT_REACHABLE, i + 1);
        assert_connections_after(rig, "mx.example", 0, RB_CLIENT_UNSUPPORTED, i + 1);
        assert_connections_after(rig, "mx.example", days[i] * (int64_t)DAY - 1,
                                 RB_CLIENT_UNSUPPORTED, i + 1);
        if (i == 2)
            rig_reopen(rig); /* it is in the store */
        fake_clock_advance_s(&rig->clock, 1);
    }
    rig_start_host(rig, &says_yes);
    assert_connections_after(rig, "mx.example", 0, RB_CLIENT_CONFIRMED, 1);
    rig_start_host(rig, &plain);
    assert_connections_after(rig, "mx.example", 0, RB_CLIENT_REACHABLE, 1);
    assert_connections_after(rig, "mx.example", DAY, RB_CLIENT_REACHABLE, 2);
    assert_int_equal(rig_stats(rig).client_known, 2 * COUNT(days) - 2 * 3);
}

static void a_host_that_cannot_be_reached_is_left_alone_for_ten_minutes(void **state)
{
    static const struct fake_host_options refuses = {.banner = "554 5.7.1 go away"};
    struct rig *rig = *state;
    struct rb_client_question question = about("mx.example");
    struct rb_client_answer answer;

    rig_start_host(rig, &refuses);
    rig_open(rig);
    answer = ask(rig, &question);
    assert_false(answer.cached);
    rig_reopen(rig);
    fake_clock_advance_s(&rig->clock, 599);
    answer = ask(rig, &question);
    assert_said(&answer, RB_CLIENT_UNREACHABLE, "known_unreachable");
    assert_true(answer.cached);
    assert_int_equal(rig_connections(rig), 1);
    question.no_cache = true;
    answer = ask(rig, &question);
    assert_false(answer.cached);
    assert_int_equal(rig_connections(rig), 2);
    fake_clock_advance_s(&rig->clock, 601);
    rig_start_host(rig, &says_yes);
    question.no_cache = false;
    answer = ask(rig, &question);
    assert_said(&answer, RB_CLIENT_CONFIRMED, NULL);
}

/* Its session gave way, while its reply was awaited: it may know the verb as well as any. */
static void of_a_session_that_gives_way_nothing_is_learned(void **state)
{
    static const struct fake_host_step silent[] = {{FAKE_HOST_SAY, "220 mx.example"},
                                                   {FAKE_HOST_EXPECT, "EHLO"},
                                                   {FAKE_HOST_SAY, "250 mx.example"},
                                                   {FAKE_HOST_EXPECT, "AYTTM"},
                                                   {FAKE_HOST_SILENT, NULL}},
                                       polite[] = {{FAKE_HOST_SAY, "220 mx.example"},
                                                   {FAKE_HOST_POLITE, NULL}};
    static const struct fake_host_script scripts[] = {{silent, COUNT(silent)},
                                                      {polite, COUNT(polite)}};
    static const struct fake_host_options slow_at_first = {
        .scripts = scripts, .script_count = COUNT(scripts), .verb = "450 4.5.0 AYTTM yes"};
    const struct rb_client_question slow = about("mx.example"), waits = about("other.example");
    struct rig *rig = *state;
    struct rb_ticket *first, *second;
    struct rb_client_answer answer;

    rig->options.max_workers = 1;
    rig->options.max_held = 0;
    rig->options.per_host_sessions = 100;
    rig_start_host(rig, &slow_at_first);
    rig_open(rig);
    first = put(rig, &slow);
    assert_true(fake_host_wait(rig->host, "AYTTM", 1));
    second = put(rig, &waits);
    fake_clock_advance_s(&rig->clock, 11);
    answer = collect(first);
    assert_said(&answer, RB_CLIENT_REACHABLE, rb_limit_name(RB_LIMIT_YIELDED));
    answer = collect(second);
    assert_said(&answer, RB_CLIENT_CONFIRMED, NULL);
    rig_await_idle(rig);
    answer = ask(rig, &slow);
    assert_said(&answer, RB_CLIENT_CONFIRMED, NULL);
}

static void what_is_known_can_be_counted_and_forgotten(void **state)
{
    struct rig *rig = *state;
    struct rb_cache_counts counts;
    uint64_t removed;

    rig_start_host(rig, &plain);
    rig_open(rig);
    (void)ask_helo(rig, "mx.example");
    assert_int_equal(rb_verifier_flush(rig->verifier), RB_OK);
    rb_cache_counts_init(&counts);
    assert_int_equal(rb_cache_count(rig->verifier, &counts), RB_OK);
    assert_int_equal(counts.verbs, 1);
    assert_int_equal(rb_cache_delete_domain(rig->verifier, "mx.example", &removed), RB_OK);
    assert_int_equal(removed, 1);
    assert_said(&(struct rb_client_answer){.result = ask_helo(rig, "mx.example").result},
                RB_CLIENT_REACHABLE, NULL);
    assert_int_equal(rig_connections(rig), 2);
}

/* --- Limits, the gate ----------------------------------------------------------------- */

static void a_limit_leaves_it_unknown(void **state)
{
    struct rig *rig = *state;
    struct rb_client_answer answer;

    rig->options.per_domain_rate = (struct rb_rate){2, 3600};
    rig_open(rig);
    for (unsigned i = 0; i < 4; i++) {
        from.sin_port = htons((uint16_t)(1000 + i));
        answer = ask_helo(rig, "mx.example");
        if (i < 2)
            assert_said(&answer, RB_CLIENT_CONFIRMED, NULL);
        else
            assert_said(&answer, RB_CLIENT_UNKNOWN, rb_limit_name(RB_LIMIT_DOMAIN_RATE));
    }
    assert_int_equal(rig_connections(rig), 2);
    assert_int_equal(rig_stats(rig).limited, 2);
    answer = ask_helo(rig, "[127.0.0.77]"); /* the rate is each host's own */
    assert_said(&answer, RB_CLIENT_UNREACHABLE, NULL);
}

/* All these names lead to one host, whoever it is that a client wants to have called so often. */
static void many_names_from_one_client_are_bounded_by_its_rate(void **state)
{
    static const char *const names[] = {"mx.example", "other.example", "doubted.example",
                                        "disowned.example", "[127.0.0.1]"};
    struct rig *rig = *state;

    rig->options.per_client_rate = (struct rb_rate){2, 3600};
    rig_open(rig);
    for (unsigned i = 0; i < COUNT(names); i++) {
        struct rb_client_question question = about(names[i]);
        struct rb_client_prospect prospect;
        struct rb_client_answer answer;

        rb_client_prospect_init(&prospect);
        rb_client_answer_init(&answer);
        assert_int_equal(rb_peek_client(rig->verifier, &question, 0, &prospect, &answer), RB_OK);
        assert_int_equal(prospect.would_call, i < 2);
        assert_string_equal(answer.rule, i < 2 ? "" : rb_limit_name(RB_LIMIT_CLIENT_RATE));
        answer = ask(rig, &question);
        assert_int_equal(answer.result, i < 2 ? RB_CLIENT_CONFIRMED : RB_CLIENT_UNKNOWN);
    }
    assert_int_equal(rig_connections(rig), 2);
}

static void the_gate_holds_back_whom_the_helo_name_disowns(void **state)
{
    static const struct {
        enum rb_gate gate;
        const char *helo;
        enum rb_client_result result;
        const char *rule;
    } table[] = {
        {RB_GATE_NO, "disowned.example", RB_CLIENT_CONFIRMED, NULL},
        {RB_GATE_FAIL, "disowned.example", RB_CLIENT_UNKNOWN, "spf_fail"},
        {RB_GATE_FAIL, "doubted.example", RB_CLIENT_CONFIRMED, NULL},
        {RB_GATE_SOFTFAIL, "doubted.example", RB_CLIENT_UNKNOWN, "spf_softfail"},
        {RB_GATE_FAIL, "mx.example", RB_CLIENT_CONFIRMED, NULL},
        {RB_GATE_VOUCHED, "mx.example", RB_CLIENT_CONFIRMED, NULL},
        {RB_GATE_VOUCHED, "other.example", RB_CLIENT_UNKNOWN, "not_vouched"},
    };
    struct rig *rig = *state;

    rig_open(rig);
    for (size_t i = 0; i < COUNT(table); i++) {
        const struct rb_client_question question = about(table[i].helo);
        struct rb_client_prospect prospect;
        struct rb_client_answer answer;

        rig->options.spf_gate = table[i].gate;
        rig_reload(rig);
        rb_client_prospect_init(&prospect);
        rb_client_answer_init(&answer);
        assert_int_equal(rb_peek_client(rig->verifier, &question, rig_until(RIG_PATIENCE_MS),
                                        &prospect, &answer),
                         RB_OK);
        assert_int_equal(prospect.would_call, table[i].result != RB_CLIENT_UNKNOWN);
        assert_string_equal(answer.rule, table[i].rule != NULL ? table[i].rule : "");
        assert_string_equal(answer.host, table[i].helo);
        assert_string_equal(prospect.line, "AYTTM-54321-25-0a000002");
        for (unsigned again = 0; again < 2; again++) {
            answer = ask(rig, &question);
            assert_said(&answer, table[i].result, table[i].rule);
        }
    }
}

static void the_senders_domain_too_is_asked_by_the_gate_before_its_hosts_are(void **state)
{
    struct rig *rig = *state;
    struct rb_client_question question = about_both("mx.example", "user@disowned.example");
    struct rb_client_answer answer;

    question.targets[0] = RB_TARGET_MX;
    question.targets[1] = RB_TARGET_NONE;
    rig->options.spf_gate = RB_GATE_FAIL;
    rig_open(rig);
    answer = ask(rig, &question);
    assert_said(&answer, RB_CLIENT_UNKNOWN, "spf_fail");
    question = about_both("no.such.example", "user@disowned.example");
    answer = ask(rig, &question);
    assert_said(&answer, RB_CLIENT_UNKNOWN, "spf_fail");
    assert_int_equal(rig_connections(rig), 0);
    assert_int_equal(rig_stats(rig).spf_fail, 2);
}

static void a_client_that_names_its_own_address_passes_the_gate(void **state)
{
    struct rig *rig = *state;
    struct rb_client_answer answer;

    rig->options.spf_gate = RB_GATE_VOUCHED;
    rig_open(rig);
    answer = ask_helo(rig, "[192.0.2.7]"); /* of documentation: not called, but not held back */
    assert_said(&answer, RB_CLIENT_UNREACHABLE, "private_address");
    answer = ask_helo(rig, "[127.0.0.1]");
    assert_said(&answer, RB_CLIENT_UNKNOWN, "not_vouched");
}

/* --- Many at once ------------------------------------------------------------------------ */

/* One of the host's replies is slow: what is asked meanwhile joins, or waits its turn. */
static void equal_questions_are_one(void **state)
{
    static const struct fake_host_step steps[] = {
        {FAKE_HOST_SAY, "220 slow.example"},
        {FAKE_HOST_EXPECT, "EHLO"},
        {FAKE_HOST_SAY, "250 slow.example"},
        {FAKE_HOST_EXPECT, "AYTTM"},
        {FAKE_HOST_SILENT, NULL},
    };
    static const struct fake_host_script script = {steps, COUNT(steps)};
    static const struct fake_host_options slow = {.scripts = &script, .script_count = 1};
    struct rig *rig = *state;
    const struct rb_client_question question = about("mx.example");
    struct rb_client_prospect prospect;
    struct rb_client_answer answer;
    struct rb_ticket *tickets[5];

    rig_start_host(rig, &slow);
    rig_open(rig);
    for (size_t i = 0; i < COUNT(tickets); i++)
        tickets[i] = put(rig, &question);
    assert_true(fake_host_wait(rig->host, "AYTTM", 1));
    assert_int_equal(rig_stats(rig).coalesced, COUNT(tickets) - 1);
    rb_client_prospect_init(&prospect);
    rb_client_answer_init(&answer);
    assert_int_equal(
        rb_peek_client(rig->verifier, &question, rig_until(RIG_PATIENCE_MS), &prospect, &answer),
        RB_OK);
    assert_true(prospect.is_asked);
    assert_int_equal(rb_wait_client(tickets[0], 0, &answer), RB_ERR_NOT_YET);
    assert_said(&answer, RB_CLIENT_UNKNOWN, "still_asking");
    assert_string_equal(answer.host, "mx.example");
    rb_ticket_free(tickets[0]);
    rb_verifier_stop(rig->verifier); /* answers what is under way */
    for (size_t i = 1; i < COUNT(tickets); i++) {
        /* None, unless the session was cut short so soon that it is this: */
        if (rb_wait_client(tickets[i], rig_until(RIG_PATIENCE_MS), &answer) != RB_ERR_CLOSING)
            assert_said(&answer, RB_CLIENT_UNKNOWN, "shutting_down");
        assert_int_equal(answer.result, RB_CLIENT_UNKNOWN);
        rb_ticket_free(tickets[i]);
    }
    assert_int_equal(rig_connections(rig), 1);
    rig_reopen(rig);
    answer = ask_helo(rig, "private.example"); /* nothing was learned of a session cut short: */
    assert_int_equal(rb_peek_client(rig->verifier, &question, 0, &prospect, &answer), RB_OK);
    assert_true(prospect.would_call);
}

/* A host is asked once though many of its clients come at once: the others hear what it said. */
static void of_many_clients_of_a_plain_host_few_have_it_asked(void **state)
{
    enum { CLIENTS = 40 };
    struct rig *rig = *state;
    struct rb_ticket *tickets[CLIENTS];
    unsigned unsupported = 0;

    rig_start_host(rig, &plain);
    rig->options.per_host_sessions = 1;
    rig->options.per_domain_sessions = 1;
    rig_open(rig);
    for (unsigned i = 0; i < CLIENTS; i++) {
        const struct rb_client_question question = about("mx.example");

        from.sin_port = htons((uint16_t)(2000 + i));
        tickets[i] = put(rig, &question);
    }
    for (unsigned i = 0; i < CLIENTS; i++)
        unsupported += collect(tickets[i]).result == RB_CLIENT_UNSUPPORTED;
    rig_await_idle(rig);
    assert_int_equal(unsupported, CLIENTS - 1);
    assert_int_equal(rig_connections(rig), 1);
    assert_int_equal(verbs_heard(rig), 1);
}

struct storm {
    struct rig *rig;
    unsigned seed;
    pthread_t thread;
};

static void forget_it(void *arg, struct rb_ticket *ticket)
{
    (void)arg;
    rb_ticket_free(ticket);
}

/* About an address at the host: its session is kept for the client. */
static void ask_of_the_sender(struct rig *rig, unsigned number)
{
    char text[64];
    struct rb_question sender;
    struct rb_ticket *ticket;

    (void)snprintf(text, sizeof text, "user%u@one.example", number);
    sender = rig_question(text);
    sender.then_client = true;
    sender.done = forget_it;
    (void)!rb_ask(rig->verifier, &sender, &ticket);
}

static void *rage(void *arg)
{
    static const char *const helos[] = {"mx.example", "other.example", "no.such.example",
                                        "private.example", "[127.0.0.1]"};
    struct storm *storm = arg;

    for (unsigned i = 0; i < 60; i++) {
        struct rb_client_question question = {.size = sizeof question};
        struct rb_client_answer answer;
        struct sockaddr_in port = from;
        struct rb_ticket *ticket;

        port.sin_port = htons((uint16_t)(1 + rand_r(&storm->seed) % 5));
        question =
            about_both(helos[(size_t)rand_r(&storm->seed) % COUNT(helos)], "user@one.example");
        question.client = (const struct sockaddr *)&port;
        if (rand_r(&storm->seed) % 2 == 0)
            ask_of_the_sender(storm->rig, (unsigned)rand_r(&storm->seed));
        question.no_cache = rand_r(&storm->seed) % 4 == 0;
        if (rand_r(&storm->seed) % 3 == 0)
            question.done = forget_it;
        if (rb_ask_client(storm->rig->verifier, &question, &ticket) != RB_OK ||
            question.done != NULL)
            continue;
        rb_client_answer_init(&answer);
        (void)rb_wait_client(ticket, rig_until(rand_r(&storm->seed) % 20), &answer);
        rb_client_answer_fini(&answer);
        rb_ticket_free(ticket);
    }
    return NULL;
}

static void many_threads_ask_while_it_is_stopped(void **state)
{
    struct rig *rig = *state;
    struct storm storms[6];

    rig->options.spf_gate = RB_GATE_FAIL;
    rig->options.idle_timeout_ms = 60 * 1000;
    rig_open(rig);
    for (unsigned i = 0; i < COUNT(storms); i++) {
        storms[i] = (struct storm){.rig = rig, .seed = i + 1};
        assert_int_equal(pthread_create(&storms[i].thread, NULL, rage, &storms[i]), 0);
    }
    assert_true(fake_host_wait(rig->host, "AYTTM", 5));
    rb_verifier_stop(rig->verifier);
    for (unsigned i = 0; i < COUNT(storms); i++)
        assert_int_equal(pthread_join(storms[i].thread, NULL), 0);
    assert_true(rig_stats(rig).client_questions == COUNT(storms) * 60);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, rig_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_word_has_its_result),
        TEST(the_connection_that_is_asked_about_is_named),
        TEST(a_host_that_is_not_there_cannot_be_reached),
        TEST(our_own_host_is_never_called),
        TEST(a_host_that_refuses_us_cannot_be_reached),
        TEST(an_address_literal_is_its_own_host),
        TEST(where_the_first_is_not_found_the_second_is_asked),
        TEST(where_the_first_answers_nobody_else_is_asked),
        TEST(where_neither_is_found_that_is_said_of_the_second),
        TEST(the_null_sender_has_no_domain_to_be_asked),
        TEST(rcpt_and_verb_are_of_one_connection),
        TEST(the_host_that_is_named_is_asked),
        TEST(a_peer_is_asked_though_its_address_is_private),
        TEST(the_names_of_one_address_have_one_rate),
        TEST(what_can_be_no_question_is_refused),
        TEST(tickets_of_one_kind_are_none_of_the_other),
        TEST(a_host_without_the_verb_is_asked_less_and_less_often),
        TEST(a_host_that_cannot_be_reached_is_left_alone_for_ten_minutes),
        TEST(of_a_session_that_gives_way_nothing_is_learned),
        TEST(what_is_known_can_be_counted_and_forgotten),
        TEST(a_limit_leaves_it_unknown),
        TEST(many_names_from_one_client_are_bounded_by_its_rate),
        TEST(the_gate_holds_back_whom_the_helo_name_disowns),
        TEST(the_senders_domain_too_is_asked_by_the_gate_before_its_hosts_are),
        TEST(a_client_that_names_its_own_address_passes_the_gate),
        TEST(equal_questions_are_one),
        TEST(of_many_clients_of_a_plain_host_few_have_it_asked),
        TEST(many_threads_ask_while_it_is_stopped),
    };

    return cmocka_run_group_tests_name("clients", tests, NULL, NULL);
}
