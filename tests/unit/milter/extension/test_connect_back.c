/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_connect_back: about which clients their hosts are asked, what exactly, how often, and what
 * is done by the answer. The answers are scripted, but for those that are waited for.
 */
#include "config.h"

#include "extension/connect_back.h"

#include "check.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "base/ip.h"
#include "daemon/metrics.h"
#include "session/claim.h"
#include "session/decide.h"
#include "session_rig.h"

/* --- The world ------------------------------------------------------------- */

static const struct fake_dns_answer mx[] = {
    {.type = ns_t_mx, .preference = 10, .data = "mx.example.org"}};
static const struct fake_dns_answer address[] = {{.type = ns_t_a, .data = "127.0.0.1"}};

static const struct fake_dns_row zone[] = {
    {.name = "mx.example.org", .type = ns_t_a, .answers = address, .count = 1},
    {.name = "example.org", .type = ns_t_mx, .answers = mx, .count = 1},
    {.name = "other.example", .type = ns_t_mx, .answers = mx, .count = 1},
};

static const struct fake_host_reply senders[] = {
    {"good@example.org", "250 2.1.5 Ok"},
    {"good@other.example", "250 2.1.5 Ok"},
};

/* What was asked last, and what is said to it. */
static struct {
    unsigned questions;
    char client[INET6_ADDRSTRLEN + 8], reached[INET6_ADDRSTRLEN + 8], helo[300], sender[300];
    enum rb_client_target targets[2];
    enum rb_client_result result;
} script;

static struct connect_back *connect_back;

static int set_up(void **state)
{
    static const struct fake_host_options host = {.pipelining = true,
                                                  .replies = senders,
                                                  .reply_count = COUNT(senders),
                                                  .verb = "450 4.5.0 AYTTM yes"};
    static const struct fake_host_options store = {.rcpt = "250 2.1.5 Ok"};
    static const struct session_rig_world world = {
        .zone = zone, .zone_count = COUNT(zone), .host = &host, .store = &store};

    memset(&script, 0, sizeof script);
    script.result = RB_CLIENT_CONFIRMED;
    connect_back = NULL;
    return session_rig_set_up(state, &world);
}

static int tear_down(void **state)
{
    connect_back_free(connect_back);
    return session_rig_tear_down(state);
}

static void show(const struct sockaddr *sockaddr, char *text, size_t size)
{
    struct sockaddr_storage copy;
    struct ip ip;
    char shown[INET6_ADDRSTRLEN];

    text[0] = '\0';
    if (!ip_from_sockaddr(sockaddr, &ip))
        return;
    ip_text(&ip, shown);
    memset(&copy, 0, sizeof copy);
    memcpy(&copy, sockaddr,
           sockaddr->sa_family == AF_INET ? sizeof(struct sockaddr_in)
                                          : sizeof(struct sockaddr_in6));
    (void)snprintf(text, size, "%s#%u", shown, ip_sockaddr_port(&copy));
}

static void answer(void *arg, const struct rb_client_question *question,
                   struct rb_client_answer *said)
{
    (void)arg;
    script.questions++;
    show(question->client, script.client, sizeof script.client);
    show(question->reached, script.reached, sizeof script.reached);
    (void)snprintf(script.helo, sizeof script.helo, "%s", question->helo ? question->helo : "-");
    (void)snprintf(script.sender, sizeof script.sender, "%.*s", (int)question->sender_len,
                   question->sender);
    memcpy(script.targets, question->targets, sizeof script.targets);
    said->result = script.result;
    (void)snprintf(said->host, sizeof said->host, "%s", "mail.example.org");
}

#define CHECK(more) "connect_back { check = yes " more " }\n"

static void connects(struct session_rig *f, const struct connect_back_macros *macros)
{
    connect_back_free(connect_back);
    f->world.answer_client = answer;
    connect_back = connect_back_new(&f->session, macros);
    assert_non_null(connect_back);
    assert_ptr_equal(f->session.claim, connect_back); /* its first member */
}

static void begin_from(struct session_rig *f, const struct sockaddr *client, const char *text)
{
    session_rig_begin_from(f, client, text);
    connects(f, &(struct connect_back_macros){.client_port = NULL});
    session_helo(&f->session, "mail.example.org");
}

static void begin(struct session_rig *f, const char *text)
{
    begin_from(f, session_rig_client(SESSION_RIG_CLIENT), text);
}

static const struct decision *check(struct session_rig *f)
{
    session_begin_event(&f->session); /* DATA */
    return connect_back_check(connect_back, &f->session, NULL, NULL);
}

/* A message as the milter sees it, as far as its DATA. */
static const struct decision *message(struct session_rig *f, const char *sender)
{
    assert_int_equal(session_mail(&f->session, sender, false), RB_OK);
    connect_back_begin(connect_back, &f->session);
    (void)session_rcpt(&f->session, "<u@a.example>");
    return check(f);
}

/* --- What is done ------------------------------------------------------------ */

static void what_is_done_is_what_the_configuration_says_of_the_answer(void **state)
{
    static const struct {
        enum rb_client_result result;
        const char *directive; /* NULL: there is none */
        enum action usual;
    } table[] = {
        {RB_CLIENT_CONFIRMED, NULL, ACTION_ACCEPT},
        {RB_CLIENT_MAYBE, "on_maybe", ACTION_ACCEPT},
        {RB_CLIENT_DENIED, "on_denied", ACTION_REJECT},
        {RB_CLIENT_UNREACHABLE, "on_unreachable", ACTION_TAG},
        {RB_CLIENT_UNSUPPORTED, "on_unsupported", ACTION_TAG},
        {RB_CLIENT_REACHABLE, "on_unsupported", ACTION_TAG},
        {RB_CLIENT_UNKNOWN, NULL, ACTION_TAG},
    };
    struct session_rig *f = *state;
    char text[200];

    for (size_t i = 0; i < COUNT(table); i++) {
        const uint64_t before = metrics_clients(table[i].result);

        script.result = table[i].result;
        begin(f, CHECK(""));
        assert_int_equal(message(f, "<good@example.org>") != NULL, table[i].usual == ACTION_REJECT);
        assert_int_equal(f->session.claim->decision.action, table[i].usual);
        assert_int_equal(metrics_clients(table[i].result), before + 1);
        for (int action = ACTION_ACCEPT; table[i].directive != NULL && action <= ACTION_REJECT;
             action++) {
            (void)snprintf(text, sizeof text, "connect_back { check = yes %s = \"%s\" }",
                           table[i].directive, action_name((enum action)action));
            begin(f, text);
            (void)message(f, "<good@example.org>");
            assert_int_equal(f->session.claim->decision.action, action);
        }
    }
}

/* on_unsupported is for hosts that cannot say it; that we did not ask is another thing. */
static void what_was_not_found_out_refuses_nothing(void **state)
{
    struct session_rig *f = *state;

    script.result = RB_CLIENT_UNKNOWN;
    begin(f, CHECK("on_unsupported = \"reject\" on_unreachable = \"reject\""));
    assert_null(message(f, "<good@example.org>"));
    assert_int_equal(f->session.claim->decision.wanted, ACTION_ACCEPT);
}

static void a_host_that_denies_it_is_named_in_the_reply(void **state)
{
    struct session_rig *f = *state;

    script.result = RB_CLIENT_DENIED;
    begin(f, CHECK(""));
    session_rig_is_told(f, message(f, "<good@example.org>"), "550", "5.7.1",
                        "mail.example.org says that it is not talking to us");
    begin(f, CHECK("on_denied = \"tempfail\""));
    session_rig_is_told(f, message(f, "<good@example.org>"), "451", "4.7.1",
                        "mail.example.org says that it is not talking to us");
    script.result = RB_CLIENT_UNREACHABLE;
    begin(f, CHECK("on_unreachable = \"tempfail\""));
    session_rig_is_told(f, message(f, "<good@example.org>"), "451", "4.7.1",
                        "mail.example.org could not be reached, to be asked whether it sent this");
}

static void in_a_dry_run_nothing_is_refused(void **state)
{
    struct session_rig *f = *state;

    script.result = RB_CLIENT_DENIED;
    begin(f, "dry_run = yes\n" CHECK(""));
    assert_null(message(f, "<good@example.org>"));
    assert_int_equal(f->session.claim->decision.action, ACTION_ACCEPT);
    assert_int_equal(f->session.claim->decision.wanted, ACTION_REJECT);
    assert_int_equal(decide_fate(&f->session)->action, ACTION_ACCEPT);
}

static void the_harshest_is_the_messages_fate(void **state)
{
    struct session_rig *f = *state;

    script.result = RB_CLIENT_DENIED;
    begin(f, CHECK("on_denied = \"quarantine\"") "policy \"p\" { on_invalid = \"tag\" }");
    assert_null(message(f, "<bad@example.org>"));
    assert_int_equal(decide_fate(&f->session)->of, OF_CLIENT);
    begin(f, CHECK("on_denied = \"tag\"") "policy \"p\" { on_invalid = \"quarantine\" }");
    assert_null(message(f, "<bad@example.org>"));
    assert_int_equal(decide_fate(&f->session)->of, OF_SENDER);
    begin(f, CHECK("on_denied = \"tag\"") "policy \"p\" { on_invalid = \"tag\" }");
    assert_null(message(f, "<bad@example.org>"));
    assert_int_equal(decide_fate(&f->session)->of, OF_SENDER);
}

/* --- About whom -------------------------------------------------------------- */

static void hold_back(void *arg, const struct rb_question *question, enum decision_of of,
                      struct rb_answer *said)
{
    (void)question;
    (void)of;
    said->reason = *(const enum rb_reason *)arg;
}

static void where_the_gate_has_held_the_sender_back_nobody_is_asked(void **state)
{
    static enum rb_reason reasons[] = {RB_REASON_SPF_FAIL, RB_REASON_SPF_SOFTFAIL,
                                       RB_REASON_NOT_VOUCHED};
    static enum rb_reason other = RB_REASON_TEMPFAIL;
    struct session_rig *f = *state;

    for (size_t i = 0; i < COUNT(reasons); i++) {
        begin(f, CHECK(""));
        f->world.answer = hold_back;
        f->world.answer_arg = &reasons[i];
        assert_null(message(f, "<good@example.org>"));
        assert_false(f->session.claim->decided);
    }
    assert_int_equal(script.questions, 0);
    begin(f, CHECK(""));
    f->world.answer_arg = &other;
    assert_null(message(f, "<good@example.org>"));
    assert_int_equal(script.questions, 1);
}

static void nobody_is_asked_about_our_own_users(void **state)
{
    struct session_rig *f = *state;

    begin(f, CHECK(""));
    assert_int_equal(session_mail(&f->session, "<good@example.org>", true), RB_OK);
    connect_back_begin(connect_back, &f->session);
    assert_false(f->session.claim_follows);
    (void)session_rcpt(&f->session, "<u@a.example>");
    assert_null(check(f));
    begin_from(f, session_rig_client("198.51.100.9"),
               "trusted_networks = { \"198.51.100.9\" }\n" CHECK(""));
    assert_null(message(f, "<good@example.org>"));
    begin_from(f, NULL, CHECK("")); /* local submission */
    assert_null(message(f, "<good@example.org>"));
    assert_int_equal(script.questions, 0);
    assert_false(f->session.claim->decided);
}

static void the_null_senders_client_is_asked_about(void **state)
{
    struct session_rig *f = *state;

    script.result = RB_CLIENT_DENIED;
    begin(f, CHECK(""));
    assert_non_null(message(f, "<>"));
    assert_int_equal(script.questions, 1);
    assert_string_equal(script.sender, "");
}

static void a_policy_that_verifies_nothing_has_nobody_asked(void **state)
{
    struct session_rig *f = *state;

    begin(f, CHECK("") "policy \"p\" { verify = \"none\" }");
    assert_null(message(f, "<good@example.org>"));
    assert_int_equal(script.questions, 0);
    begin(f, CHECK("") "policy \"p\" { verify = \"recipient\" }");
    assert_null(message(f, "<good@example.org>"));
    assert_int_equal(script.questions, 1);
    begin(f, CHECK("") "policy \"p\" { match { recipient = { \"u@\" } } verify = \"none\" }");
    (void)session_rcpt(&f->session, "<u@a.example>");
    (void)session_rcpt(&f->session, "<v@a.example>");
    assert_null(check(f));
    assert_int_equal(script.questions, 2);
}

static void for_a_message_that_is_refused_nobody_is_asked(void **state)
{
    struct session_rig *f = *state;

    begin(f, CHECK(""));
    assert_null(message(f, "<bad@example.org>"));
    assert_int_equal(script.questions, 0);
    assert_int_equal(session_mail(&f->session, "<good@example.org>", false), RB_OK);
    assert_null(check(f)); /* no recipient at all */
    assert_int_equal(script.questions, 0);
}

/* --- What, and how often ------------------------------------------------------- */

static void a_client_is_asked_about_once_a_connection_and_helo(void **state)
{
    struct session_rig *f = *state;

    script.result = RB_CLIENT_DENIED;
    begin(f, CHECK(""));
    for (int i = 0; i < 3; i++) {
        assert_non_null(message(f, "<good@example.org>"));
        assert_int_equal(f->session.claim->answer.cached, i > 0);
    }
    assert_non_null(message(f, "<good@other.example>"));
    assert_int_equal(script.questions, 1);
    session_helo(&f->session, "other.example.org");
    assert_non_null(message(f, "<good@example.org>"));
    assert_int_equal(script.questions, 2);
    assert_string_equal(script.helo, "other.example.org");
}

static void a_message_is_decided_about_once(void **state)
{
    struct session_rig *f = *state;

    script.result = RB_CLIENT_UNKNOWN;
    begin(f, CHECK(""));
    assert_null(message(f, "<good@example.org>")); /* at DATA */
    assert_null(check(f));                         /* at its end */
    assert_int_equal(script.questions, 1);
    (void)message(f, "<good@example.org>"); /* not found out yet: asked again */
    assert_int_equal(script.questions, 2);
}

static void where_the_senders_domain_counts_another_is_another_claim(void **state)
{
    struct session_rig *f = *state;

    begin(f, CHECK("target = \"mx\""));
    (void)message(f, "<good@example.org>");
    (void)message(f, "<bad@example.org>");
    (void)message(f, "<good@example.org>");
    assert_int_equal(script.questions, 1);
    (void)message(f, "<good@other.example>");
    assert_int_equal(script.questions, 2);
}

static void whom_is_asked_is_what_the_configuration_says(void **state)
{
    static const struct {
        const char *text;
        enum rb_client_target targets[2];
    } table[] = {
        {CHECK(""), {RB_TARGET_HELO, RB_TARGET_NONE}},
        {CHECK("target = \"mx\""), {RB_TARGET_MX, RB_TARGET_NONE}},
        {CHECK("target = \"helo mx\""), {RB_TARGET_HELO, RB_TARGET_MX}},
        {CHECK("target = \"mx helo\""), {RB_TARGET_MX, RB_TARGET_HELO}},
    };
    struct session_rig *f = *state;

    for (size_t i = 0; i < COUNT(table); i++) {
        begin(f, table[i].text);
        (void)message(f, "<good@example.org>");
        assert_memory_equal(script.targets, table[i].targets, sizeof script.targets);
        assert_string_equal(script.client, SESSION_RIG_CLIENT "#4711");
        assert_string_equal(script.helo, "mail.example.org");
        assert_string_equal(script.sender, "<good@example.org>");
        assert_string_equal(script.reached, "");
    }
}

static void where_the_client_has_reached_us_is_told_by_macros_or_by_the_configuration(void **state)
{
    static const struct {
        const char *text, *client;
        struct connect_back_macros macros;
        const char *asked_client, *asked_reached;
    } table[] = {
        /* Postfix */
        {CHECK(""),
         "198.51.100.7",
         {.client_port = "1", .daemon_addr = "192.0.2.1", .daemon_port = "25"},
         "198.51.100.7#4711",
         "192.0.2.1#25"},
        {CHECK(""),
         "2001:db8::7", /* of port 0 */
         {.client_port = "4712", .daemon_addr = "2001:db8::1", .daemon_port = "25"},
         "2001:db8::7#4712",
         "2001:db8::1#25"},
        /* Sendmail: it listens anywhere */
        {CHECK(""),
         "198.51.100.7",
         {.daemon_addr = "0.0.0.0", .daemon_port = "25", .if_addr = "192.0.2.2"},
         "198.51.100.7#4711",
         "192.0.2.2#25"},
        {CHECK(""),
         "2001:db8::7",
         {.daemon_addr = "::", .if_addr = "IPv6:2001:db8::2"},
         "2001:db8::7#0",
         "2001:db8::2#0"},
        {CHECK(""), "198.51.100.7", {.daemon_addr = "0.0.0.0"}, "198.51.100.7#4711", ""},
        {CHECK(""),
         "198.51.100.7",
         {.daemon_addr = "0.0.0.0", .daemon_port = "25"},
         "198.51.100.7#4711",
         "0.0.0.0#25"},
        {CHECK(""), "2001:db8::7", {.daemon_port = "587"}, "2001:db8::7#0", "::#587"},
        /* NAT */
        {CHECK("public_address = { \"2001:db8::9\", \"203.0.113.9\" }"),
         "198.51.100.7",
         {.daemon_addr = "10.0.0.1", .daemon_port = "25"},
         "198.51.100.7#4711",
         "203.0.113.9#25"},
        {CHECK("public_address = { \"2001:db8::9\" }"),
         "198.51.100.7",
         {.daemon_addr = "192.0.2.1", .daemon_port = "25"},
         "198.51.100.7#4711",
         "192.0.2.1#25"},
        /* what is none */
        {CHECK(""),
         "2001:db8::7",
         {.client_port = "65536", .daemon_addr = "unix", .daemon_port = "smtp", .if_addr = ""},
         "2001:db8::7#0",
         ""},
        {CHECK(""),
         "198.51.100.7",
         {.daemon_addr = "192.0.2.1", .daemon_port = "-1"},
         "198.51.100.7#4711",
         "192.0.2.1#0"},
    };
    struct session_rig *f = *state;

    for (size_t i = 0; i < COUNT(table); i++) {
        print_message("# %zu\n", i);
        session_rig_begin_from(f, session_rig_client(table[i].client), table[i].text);
        connects(f, &table[i].macros);
        (void)message(f, "<good@example.org>");
        assert_string_equal(script.client, table[i].asked_client);
        assert_string_equal(script.reached, table[i].asked_reached);
    }
}

static void who_does_not_greet_is_asked_about_all_the_same(void **state)
{
    struct session_rig *f = *state;

    begin(f, CHECK(""));
    session_helo(&f->session, "");
    (void)message(f, "<good@example.org>");
    assert_int_equal(script.questions, 1);
    assert_string_equal(script.helo, "-");
}

/* --- One connection -------------------------------------------------------------- */

static bool then_client;

static void note_then_client(void *arg, const struct rb_question *question, enum decision_of of,
                             struct rb_answer *said)
{
    (void)arg;
    (void)of;
    then_client = question->then_client;
    said->reason = RB_REASON_ACCEPTED;
    said->verdict = RB_VERDICT_VALID;
}

static void the_senders_question_says_that_the_clients_will_follow(void **state)
{
    struct session_rig *f = *state;

    begin(f, CHECK(""));
    f->world.answer = note_then_client;
    (void)message(f, "<good@example.org>");
    assert_true(then_client);
    (void)message(f, "<good@example.org>"); /* it is known by now */
    assert_false(then_client);
    session_helo(&f->session, "other.example.org");
    (void)message(f, "<good@example.org>");
    assert_true(then_client);
    session_rig_begin(f, "");
    f->session.claim = NULL;
    (void)session_rcpt(&f->session, "<u@a.example>");
    assert_false(then_client);
}

/* --- Waiting --------------------------------------------------------------------- */

enum { SHORT_MS = 100, LITTLE_MS = 1000, LONG_MS = 60000 };

/* A client that claims to be the mail host of example.org, of which the verifier finds out. */
static void begin_for_real(struct session_rig *f, const char *text)
{
    begin(f, text);
    f->world.answer_client = NULL;
    session_helo(&f->session, "mx.example.org");
}

static void accept_sender(void *arg, const struct rb_question *question, enum decision_of of,
                          struct rb_answer *said)
{
    (void)arg;
    (void)question;
    (void)of;
    said->reason = RB_REASON_ACCEPTED;
    said->verdict = RB_VERDICT_VALID;
}

/* One that takes connections and says nothing; it is given up after `patience_ms`. */
static void begin_with_silent_host(struct session_rig *f, unsigned patience_ms, const char *text)
{
    static const struct fake_host_step silence[] = {{FAKE_HOST_SILENT, NULL}};
    static const struct fake_host_script script_of_silence = {silence, COUNT(silence)};
    static const struct fake_host_options silent = {.scripts = &script_of_silence,
                                                    .script_count = 1};

    fake_host_stop(f->host);
    f->host = fake_host_start(&silent);
    f->options.port = fake_host_port(f->host);
    f->options.command_timeout_ms = patience_ms;
    begin_for_real(f, text);
    f->world.answer = accept_sender;
}

static struct rb_stats stats_of(const struct session_rig *f)
{
    struct rb_stats stats;

    rb_stats_init(&stats);
    rb_verifier_stats(f->verifier, &stats);
    return stats;
}

static void a_host_is_asked_in_the_connection_that_asks_about_the_sender(void **state)
{
    struct session_rig *f = *state;

    begin_for_real(f, CHECK(""));
    assert_null(message(f, "<good@example.org>"));
    assert_int_equal(f->session.claim->answer.result, RB_CLIENT_CONFIRMED);
    assert_string_equal(f->session.claim->answer.host, "mx.example.org");
    assert_string_equal(f->session.claim->answer.reply, "450 4.5.0 AYTTM yes");
    session_rig_await_idle(f);
    assert_int_equal(fake_host_connections(f->host), 1);
    assert_int_equal(fake_host_heard(f->host, "AYTTM"), 1);
    assert_int_equal(fake_host_heard(f->host, "RCPT TO:<good@example.org>"), 1);
}

/* What the host says is that it says nothing, and that takes a second. */
static void what_has_not_come_in_time_is_there_for_the_next_message(void **state)
{
    struct session_rig *f = *state;
    unsigned waits;

    begin_with_silent_host(f, LITTLE_MS, CHECK("timeout = \"100ms\""));
    waits = session_rig_calls.waits;
    assert_null(message(f, "<good@example.org>"));
    assert_int_equal(f->session.claim->answer.result, RB_CLIENT_UNKNOWN);
    assert_int_equal(f->session.claim->decision.action, ACTION_TAG);
    assert_true(f->session.claim->waited_ms >= SHORT_MS);
    assert_int_equal(session_rig_calls.waits, waits + 1);
    session_rig_await_idle(f);
    assert_null(message(f, "<good@example.org>"));
    assert_int_equal(f->session.claim->answer.result, RB_CLIENT_UNREACHABLE);
    assert_int_equal(stats_of(f).client_questions, 1);
    assert_int_equal(fake_host_connections(f->host), 1);
}

/* The time of a question is over once, however many messages wait for it. */
static void a_client_waits_for_one_answer_no_longer_than_the_timeout(void **state)
{
    struct session_rig *f = *state;

    begin_with_silent_host(f, LONG_MS, CHECK("timeout = \"100ms\""));
    assert_null(message(f, "<good@example.org>"));
    assert_null(message(f, "<good@example.org>"));
    assert_int_equal(f->session.claim->answer.result, RB_CLIENT_UNKNOWN);
    assert_int_equal(stats_of(f).client_questions, 1);
}

static void what_has_been_waited_for_the_sender_is_not_waited_once_more(void **state)
{
    struct session_rig *f = *state;

    begin_with_silent_host(f, LONG_MS, CHECK("timeout = \"5m\""));
    assert_int_equal(session_mail(&f->session, "<good@example.org>", false), RB_OK);
    connect_back_begin(connect_back, &f->session);
    (void)session_rcpt(&f->session, "<u@a.example>");
    session_begin_event(&f->session);
    f->session.event_began_ms -= f->session.config->max_wait_ms; /* instead of waiting so long */
    assert_null(connect_back_check(connect_back, &f->session, NULL, NULL));
    assert_int_equal(f->session.claim->answer.result, RB_CLIENT_UNKNOWN);
}

static void note_tick(void *arg)
{
    ++*(unsigned *)arg;
}

static void at_the_end_of_a_message_the_mta_hears_that_we_are_at_it(void **state)
{
    struct session_rig *f = *state;
    unsigned ticks = 0;

    begin_with_silent_host(f, LONG_MS, CHECK("timeout = \"2600ms\""));
    assert_int_equal(session_mail(&f->session, "<good@example.org>", false), RB_OK);
    connect_back_begin(connect_back, &f->session);
    (void)session_rcpt(&f->session, "<u@a.example>");
    session_begin_event(&f->session);
    assert_null(connect_back_check(connect_back, &f->session, note_tick, &ticks));
    assert_int_equal(ticks, 1);
}

/* Nobody waits for the answer: the verifier does without whoever asked. */
static void a_client_may_leave_before_its_host_has_answered(void **state)
{
    struct session_rig *f = *state;

    begin_with_silent_host(f, LITTLE_MS, CHECK("timeout = \"100ms\""));
    assert_null(message(f, "<good@example.org>"));
    connect_back_free(connect_back);
    connect_back = NULL;
    f->session.claim = NULL;
    session_rig_await_idle(f);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_is_done_is_what_the_configuration_says_of_the_answer),
        T(what_was_not_found_out_refuses_nothing),
        T(a_host_that_denies_it_is_named_in_the_reply),
        T(in_a_dry_run_nothing_is_refused),
        T(the_harshest_is_the_messages_fate),
        T(where_the_gate_has_held_the_sender_back_nobody_is_asked),
        T(nobody_is_asked_about_our_own_users),
        T(the_null_senders_client_is_asked_about),
        T(a_policy_that_verifies_nothing_has_nobody_asked),
        T(for_a_message_that_is_refused_nobody_is_asked),
        T(a_client_is_asked_about_once_a_connection_and_helo),
        T(a_message_is_decided_about_once),
        T(where_the_senders_domain_counts_another_is_another_claim),
        T(whom_is_asked_is_what_the_configuration_says),
        T(where_the_client_has_reached_us_is_told_by_macros_or_by_the_configuration),
        T(who_does_not_greet_is_asked_about_all_the_same),
        T(the_senders_question_says_that_the_clients_will_follow),
        T(a_host_is_asked_in_the_connection_that_asks_about_the_sender),
        T(what_has_not_come_in_time_is_there_for_the_next_message),
        T(a_client_waits_for_one_answer_no_longer_than_the_timeout),
        T(at_the_end_of_a_message_the_mta_hears_that_we_are_at_it),
        T(what_has_been_waited_for_the_sender_is_not_waited_once_more),
        T(a_client_may_leave_before_its_host_has_answered),
    };

    return cmocka_run_group_tests_name("connect_back", tests, NULL, NULL);
}
