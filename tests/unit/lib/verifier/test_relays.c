/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_relays: the verifier where recipients are asked about at mail stores of our own, or at the
 * mail hosts preferred over us: what is kept of their answers and apart from what, and how long
 * one that fails is left alone. Time is moved by hand.
 */
#include "config.h"

#include "check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

#include "verifier_rig.h"

enum { CROWD = 8, HOLD_S = 30 };

static const long long MINUTE = 60, DAY = 86400; /* seconds */

/* --- The world ------------------------------------------------------------- */

static const struct fake_dns_answer mx[] = {
    {.type = ns_t_mx, .preference = 10, .data = "mx.example.org"}};
static const struct fake_dns_answer dead_mx[] = {
    {.type = ns_t_mx, .preference = 10, .data = "dead.example.org"}};
static const struct fake_dns_answer address[] = {{.type = ns_t_a, .data = "127.0.0.1"}};
static const struct fake_dns_answer dead_address[] = {{.type = ns_t_a, .data = "127.0.0.9"}};
static const struct fake_dns_answer strict[] = {{.type = ns_t_txt, .data = "v=spf1 -all"}};

static const struct fake_dns_row zone[] = {
    {.name = "mx.example.org", .type = ns_t_a, .answers = address, .count = 1},
    {.name = "dead.example.org", .type = ns_t_a, .answers = dead_address, .count = 1},
    {.name = "example.org", .type = ns_t_mx, .answers = mx, .count = 1},
    {.name = "dead.example", .type = ns_t_mx, .answers = dead_mx, .count = 1},
    {.name = "strict.example", .type = ns_t_mx, .answers = mx, .count = 1},
    {.name = "strict.example", .type = ns_t_txt, .answers = strict, .count = 1},
};

static const struct fake_host_reply users[] = {
    {"user@example.org", "250 2.1.5 Ok"},
    {"user@dead.example", "250 2.1.5 Ok"},
    {"grey@example.org", "450 4.7.1 Greylisted"},
    {"odd@example.org", "554 5.3.0 ?"},
    {"blocked@example.org", "550 5.7.1 Relaying denied"},
    {"later@example.org", "451 4.3.0 ?"},
};

static int set_up(void **state)
{
    static const struct fake_host_options polite = {
        .pipelining = true, .replies = users, .reply_count = COUNT(users)};
    static const struct rig_world world = {
        .zone = zone, .zone_count = COUNT(zone), .host = &polite};

    return rig_set_up(state, &world);
}

/* The rig's mail host as a relay; others at other addresses. */
static const char *relay_at(const char *ip, unsigned port)
{
    static char relays[4][32];
    static unsigned next;
    char *relay = relays[next++ % COUNT(relays)];

    (void)snprintf(relay, sizeof relays[0], "%s:%u", ip, port);
    return relay;
}

static const char *the_host(const struct rig *f)
{
    return relay_at("127.0.0.1", fake_host_port(f->host));
}

static struct rb_answer ask_relay(struct rig *f, const char *relay, const char *text)
{
    struct rb_question question = rig_question(text);
    struct rb_answer answer = {.size = 0};

    question.relay = relay;
    rig_verify(f, &question, &answer);
    return answer;
}

static void says(struct rig *f, const char *relay, const char *text, enum rb_reason reason)
{
    assert_string_equal(rb_reason_name(ask_relay(f, relay, text).reason), rb_reason_name(reason));
}

/* --- What is kept ---------------------------------------------------------- */

static void each_relay_and_the_world_have_verdicts_of_their_own(void **state)
{
    static const struct fake_host_options other = {.ip = "127.0.0.2", .rcpt = "250 2.1.5 Ok"};
    struct rig *f = *state;
    struct fake_host *second = fake_host_start(&other);
    const char *one = the_host(f), *two = relay_at("127.0.0.2", fake_host_port(second));

    f->options.catch_all_check = false;
    rig_open(f);
    for (int round = 0; round < 2; round++) {
        says(f, one, "nobody@example.org", RB_REASON_NO_SUCH_USER);
        says(f, two, "nobody@example.org", RB_REASON_ACCEPTED);
        says(f, "mx:", "nobody@example.org", RB_REASON_NO_SUCH_USER);
        assert_int_equal(rig_reason_for(f, "nobody@example.org"), RB_REASON_NO_SUCH_USER);
    }
    assert_int_equal(rig_rcpts(f), 3); /* by the relay, by MX as a backup, by MX */
    assert_int_equal(fake_host_heard(second, "RCPT"), 1);
    rig_reopen(f); /* it was all written down */
    assert_true(ask_relay(f, one, "nobody@example.org").cached);
    assert_true(ask_relay(f, two, "nobody@example.org").cached);
    assert_true(ask_relay(f, "mx:", "nobody@example.org").cached);
    rig_close(f);
    fake_host_stop(second);
}

static void a_relays_verdicts_live_as_long_as_others(void **state)
{
    struct rig *f = *state;

    rig_open(f);
    assert_int_equal(ask_relay(f, the_host(f), "user@example.org").expires_s, 31 * DAY);
    assert_int_equal(ask_relay(f, the_host(f), "nobody@example.org").expires_s, 3 * DAY);
    fake_clock_advance_s(&f->clock, 3 * DAY + 1);
    says(f, the_host(f), "nobody@example.org", RB_REASON_NO_SUCH_USER);
    assert_int_equal(fake_host_heard(f->host, "RCPT TO:<nobody@"), 2);
}

static void what_a_relay_does_not_answer_is_asked_again_at_once(void **state)
{
    static const struct {
        const char *address;
        enum rb_reason reason;
    } table[] = {
        {"grey@example.org", RB_REASON_GREYLISTED},
        {"later@example.org", RB_REASON_TEMPFAIL},
        {"odd@example.org", RB_REASON_REJECTED},
    };
    struct rig *f = *state;
    static const struct fake_host_reply cured[] = {{"grey@example.org", "250 2.1.5 Ok"}};

    f->options.greylist.retry = true;
    f->options.greylist.first_s = MINUTE;
    rig_open(f);
    for (size_t i = 0; i < COUNT(table); i++)
        for (unsigned round = 1; round <= 2; round++) {
            const struct rb_answer answer = ask_relay(f, the_host(f), table[i].address);
            char command[64];

            assert_string_equal(rb_reason_name(answer.reason), rb_reason_name(table[i].reason));
            assert_int_equal(answer.expires_s, -1);
            (void)snprintf(command, sizeof command, "RCPT TO:<%s>", table[i].address);
            assert_int_equal(fake_host_heard(f->host, command), round);
        }
    assert_int_equal(rig_stats(f).retries_scheduled, 0); /* the next client is the retry */
    fake_host_set(f->host, cured, COUNT(cured));
    says(f, the_host(f), "grey@example.org", RB_REASON_ACCEPTED);
}

/* Those are other people's hosts: asked no more often than any. */
static void what_preferred_hosts_do_not_answer_is_kept_for_a_while(void **state)
{
    struct rig *f = *state;

    rig_open(f);
    says(f, "mx:", "grey@example.org", RB_REASON_GREYLISTED);
    assert_true(ask_relay(f, "mx:", "grey@example.org").cached);
    assert_int_equal(rig_rcpts(f), 1);
}

static void a_relays_live_verdict_survives_its_silence(void **state)
{
    static const struct fake_host_reply silent[] = {{"user@example.org", "451 4.3.0 later"}};
    struct rig *f = *state;
    struct rb_question question = rig_question("user@example.org");
    struct rb_answer answer = {.size = 0};

    rig_open(f);
    question.relay = the_host(f);
    says(f, question.relay, "user@example.org", RB_REASON_ACCEPTED);
    fake_host_set(f->host, silent, COUNT(silent));
    question.no_cache = true;
    rig_verify(f, &question, &answer);
    assert_int_equal(answer.reason, RB_REASON_TEMPFAIL);
    says(f, question.relay, "user@example.org", RB_REASON_ACCEPTED);
}

static void that_a_relay_accepts_everybody_is_its_own_fact(void **state)
{
    static const struct fake_host_options lax = {.ip = "127.0.0.2", .rcpt = "250 2.1.5 Ok"};
    struct rig *f = *state;
    struct fake_host *second = fake_host_start(&lax);
    const char *all = relay_at("127.0.0.2", fake_host_port(second));

    rig_open(f);
    says(f, all, "a@example.org", RB_REASON_CATCH_ALL);
    assert_int_equal(fake_host_heard(second, "RCPT"), 2);
    says(f, all, "b@example.org", RB_REASON_CATCH_ALL);
    assert_string_equal(ask_relay(f, all, "c@example.org").rule, "known_catch_all");
    assert_int_equal(fake_host_heard(second, "RCPT"), 2); /* what is known needs no callout */
    /* what it takes of another domain, and what others take, is not settled by that */
    says(f, all, "a@open.example", RB_REASON_CATCH_ALL);
    assert_int_equal(fake_host_heard(second, "RCPT"), 4);
    says(f, the_host(f), "b@example.org", RB_REASON_NO_SUCH_USER);
    says(f, "mx:", "b@example.org", RB_REASON_NO_SUCH_USER);
    assert_int_equal(rig_reason_for(f, "b@example.org"), RB_REASON_NO_SUCH_USER);
    rig_close(f);
    fake_host_stop(second);
}

static void what_the_world_does_settles_no_relays_recipients(void **state)
{
    static const struct fake_host_options lax = {.rcpt = "250 2.1.5 Ok"};
    static const struct fake_host_options strict_one = {.ip = "127.0.0.2"};
    struct rig *f = *state;
    struct fake_host *second = fake_host_start(&strict_one);

    rig_start_host(f, &lax);
    rig_open(f);
    assert_int_equal(rig_reason_for(f, "a@example.org"), RB_REASON_CATCH_ALL);
    says(f, relay_at("127.0.0.2", fake_host_port(second)), "a@example.org", RB_REASON_NO_SUCH_USER);
    rig_close(f);
    fake_host_stop(second);
}

static void whom_we_write_to_may_be_no_recipient_of_ours(void **state)
{
    static const char text[] = "nobody@example.org";
    struct rig *f = *state;

    rig_open(f);
    rb_note_correspondent(f->verifier, text, strlen(text));
    assert_int_equal(rig_reason_for(f, text), RB_REASON_CORRESPONDENT);
    says(f, the_host(f), text, RB_REASON_NO_SUCH_USER);
}

/* --- What fails ------------------------------------------------------------ */

static void a_relay_that_failed_twice_is_left_alone_for_half_a_minute(void **state)
{
    struct rig *f = *state;
    const char *dead = relay_at("127.0.0.9", fake_host_port(f->host));

    rig_open(f);
    says(f, dead, "a@example.org", RB_REASON_UNREACHABLE);
    says(f, dead, "b@example.org", RB_REASON_UNREACHABLE);
    for (int trial = 0; trial < 3; trial++) { /* never for longer */
        says(f, dead, "c@example.org", RB_REASON_LIMITED);
        assert_string_equal(ask_relay(f, dead, "d@other.example").rule, "hosts_held_back");
        fake_clock_advance_s(&f->clock, HOLD_S - 1);
        says(f, dead, "a@example.org", RB_REASON_LIMITED);
        fake_clock_advance_s(&f->clock, 1);
        says(f, dead, "a@example.org", RB_REASON_UNREACHABLE);
    }
    assert_int_equal(rig_stats(f).sessions, 5);
}

static void a_relay_that_is_back_is_asked_as_before(void **state)
{
    static const struct fake_host_options dead = {.banner = ""};
    static const struct fake_host_options polite = {.replies = users, .reply_count = COUNT(users)};
    struct rig *f = *state;

    rig_start_host(f, &dead);
    rig_open(f);
    says(f, the_host(f), "user@example.org", RB_REASON_UNREACHABLE);
    says(f, the_host(f), "user@example.org", RB_REASON_UNREACHABLE);
    says(f, the_host(f), "user@example.org", RB_REASON_LIMITED);
    rig_start_host(f, &polite);
    fake_clock_advance_s(&f->clock, HOLD_S);
    says(f, the_host(f), "user@example.org", RB_REASON_ACCEPTED);
    rig_start_host(f, &dead);
    says(f, the_host(f), "a@example.org", RB_REASON_UNREACHABLE);
    says(f, the_host(f), "a@example.org", RB_REASON_UNREACHABLE); /* all was forgiven */
    says(f, the_host(f), "a@example.org", RB_REASON_LIMITED);
}

/* It talks with us, and what it says is for the admin to see: it must not look like silence. */
static void a_relay_that_refuses_our_questions_is_not_left_alone(void **state)
{
    static const struct fake_host_options refusing[] = {
        {.rcpt = "550 5.7.1 Relaying denied"},
        {.banner = "554 5.7.1 Client host blocked using zen.spamhaus.org"},
        {.null_sender = "550 5.7.1 go away", .mail = "550 5.7.1 go away"},
    };
    struct rig *f = *state;

    rig_open(f);
    for (size_t i = 0; i < COUNT(refusing); i++) {
        rig_start_host(f, &refusing[i]);
        rig_reload(f);
        for (int times = 0; times < 4; times++)
            assert_int_not_equal(ask_relay(f, the_host(f), "user@example.org").reason,
                                 RB_REASON_LIMITED);
    }
}

static void a_dead_relay_costs_one_wait_and_not_one_a_recipient(void **state)
{
    static const struct fake_host_step says_nothing[] = {{FAKE_HOST_SILENT, NULL}};
    static const struct fake_host_script script = {says_nothing, COUNT(says_nothing)};
    static const struct fake_host_options silent = {
        .ip = "127.0.0.2", .scripts = &script, .script_count = 1};
    struct rig *f = *state;
    struct fake_host *dead = fake_host_start(&silent);
    struct rb_question questions[CROWD];
    char texts[CROWD][32];

    for (unsigned i = 0; i < CROWD; i++) {
        (void)snprintf(texts[i], sizeof texts[i], "u%u@example.org", i);
        questions[i] = rig_question(texts[i]);
        questions[i].relay = relay_at("127.0.0.2", fake_host_port(dead));
    }
    f->options.per_domain_sessions = 1;
    rig_open(f);
    rig_start_askers(f, CROWD, questions, CROWD);
    rig_await_sessions(f, 1, CROWD - 1);
    fake_host_stop(dead); /* as when the time is up */
    rig_join_askers(f, CROWD);
    for (unsigned i = 0; i < CROWD; i++)
        assert_int_equal(f->askers[i].answer.reason, RB_REASON_UNREACHABLE);
    assert_int_equal(rig_stats(f).sessions, 1);
}

static void dead_preferred_hosts_settle_other_recipients(void **state)
{
    struct rig *f = *state;

    rig_open(f);
    says(f, "mx:", "user@dead.example", RB_REASON_UNREACHABLE);
    assert_string_equal(ask_relay(f, "mx:", "other@dead.example").rule, "known_dead");
    assert_int_equal(rig_stats(f).sessions, 1);
    /* which is nothing that holds for a relay, nor for the world without being asked */
    says(f, the_host(f), "user@dead.example", RB_REASON_ACCEPTED);
    assert_string_equal(rig_answer_for(f, "user@dead.example").rule, "connection_refused");
    assert_int_equal(rig_stats(f).sessions, 3);
}

static void a_relay_list_that_is_none_is_refused(void **state)
{
    static const char *const lists[] = {"", "a b", "a,,b", "unix:x", "host:0", "mx:,a"};
    struct rig *f = *state;

    rig_open(f);
    for (size_t i = 0; i < COUNT(lists); i++) {
        struct rb_question question = rig_question("user@example.org");
        struct rb_ticket *ticket = NULL;

        question.relay = lists[i];
        assert_int_equal(rb_ask(f->verifier, &question, &ticket), RB_ERR_ARGUMENT);
        assert_null(ticket);
    }
}

static void the_longest_list_is_asked_and_kept(void **state)
{
    struct rig *f = *state;
    char list[RB_DOMAIN_MAX * 4];

    (void)snprintf(list, sizeof list, "%s,missing.%0200d.example,b.%0200d.example", the_host(f), 1,
                   2);
    rig_open(f);
    says(f, list, "user@example.org", RB_REASON_ACCEPTED);
    assert_true(ask_relay(f, list, "user@example.org").cached);
    assert_false(ask_relay(f, the_host(f), "user@example.org").cached);
}

/* --- The gate for senders ---------------------------------------------------- */

static const struct sockaddr *stranger(void)
{
    static struct sockaddr_in client = {.sin_family = AF_INET};

    assert_int_equal(inet_pton(AF_INET, "203.0.113.9", &client.sin_addr), 1);
    return (const struct sockaddr *)&client;
}

static void recipients_pass_no_spf_gate(void **state)
{
    struct rig *f = *state;
    struct rb_question question = rig_question("nobody@strict.example");
    struct rb_answer answer = {.size = 0};

    question.client = stranger();
    question.relay = the_host(f);
    f->options.spf_gate = RB_GATE_FAIL;
    rig_open(f);
    rig_verify(f, &question, &answer);
    assert_int_equal(answer.reason, RB_REASON_NO_SUCH_USER);
    assert_int_equal(fake_dns_asked_udp(f->dns, "strict.example", ns_t_txt), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, rig_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_relay_and_the_world_have_verdicts_of_their_own),
        TEST(a_relays_verdicts_live_as_long_as_others),
        TEST(what_a_relay_does_not_answer_is_asked_again_at_once),
        TEST(what_preferred_hosts_do_not_answer_is_kept_for_a_while),
        TEST(a_relays_live_verdict_survives_its_silence),
        TEST(that_a_relay_accepts_everybody_is_its_own_fact),
        TEST(what_the_world_does_settles_no_relays_recipients),
        TEST(whom_we_write_to_may_be_no_recipient_of_ours),
        TEST(a_relay_that_failed_twice_is_left_alone_for_half_a_minute),
        TEST(a_relay_that_is_back_is_asked_as_before),
        TEST(a_relay_that_refuses_our_questions_is_not_left_alone),
        TEST(a_dead_relay_costs_one_wait_and_not_one_a_recipient),
        TEST(dead_preferred_hosts_settle_other_recipients),
        TEST(a_relay_list_that_is_none_is_refused),
        TEST(the_longest_list_is_asked_and_kept),
        TEST(recipients_pass_no_spf_gate),
    };

    return cmocka_run_group_tests_name("relays", tests, NULL, NULL);
}
