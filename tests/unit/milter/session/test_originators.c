/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_originators: addresses in From, Reply-To and Sender: whom we ask about, how often, what is
 * done about those that do not exist, and that nothing else ever turns a message away. A mail host
 * on the loopback counts what it was asked.
 */
#include "config.h"

#include "session/originators.h"

#include "check.h"

#include <stdio.h>

#include "daemon/metrics.h"
#include "session/decide.h"
#include "session/vouch.h"
#include "session_rig.h"

enum { PATIENCE_MS = 120000, SHORT_MS = 60, LARGE = 100 * 1024 };

/* --- The world ------------------------------------------------------------- */

static const struct fake_dns_answer mx[] = {
    {.type = ns_t_mx, .preference = 10, .data = "mx.example.org"}};
static const struct fake_dns_answer address[] = {{.type = ns_t_a, .data = "127.0.0.1"}};
static const struct fake_dns_answer strict[] = {{.type = ns_t_txt, .data = "v=spf1 -all"}};

static const struct fake_dns_row zone[] = {
    {.name = "mx.example.org", .type = ns_t_a, .answers = address, .count = 1},
    {.name = "example.org", .type = ns_t_mx, .answers = mx, .count = 1},
    {.name = "other.example", .type = ns_t_mx, .answers = mx, .count = 1},
    {.name = "strict.example", .type = ns_t_mx, .answers = mx, .count = 1},
    {.name = "strict.example", .type = ns_t_txt, .answers = strict, .count = 1},
};

static const struct fake_host_reply senders[] = {
    {"good@example.org", "250 2.1.5 Ok"},
    {"also@example.org", "250 2.1.5 Ok"},
    {"good@other.example", "250 2.1.5 Ok"},
    {"grey@example.org", "450 4.7.1 Greylisted"},
    {"blocked@example.org", "554 5.7.1 Client host [192.0.2.9] blocked using zen.spamhaus.org"},
};

static int set_up(void **state)
{
    static const struct fake_host_options polite = {
        .pipelining = true, .smtputf8 = true, .replies = senders, .reply_count = COUNT(senders)};
    static const struct fake_host_options store = {.rcpt = "250 2.1.5 Ok"};
    static const struct session_rig_world world = {
        .zone = zone, .zone_count = COUNT(zone), .host = &polite, .store = &store};

    return session_rig_set_up(state, &world);
}

#define ALL "verify_headers = { \"from\", \"reply-to\", \"sender\" } "
#define REJECT "on_header_invalid = \"reject\" "
#define POLICY(text) "policy \"p\" { " text " }\n"

/* A policy for each of a.example and b.example, and one for the others. */
#define PAIR(of_a, of_b)                                                                           \
    "policy \"a\" { match { recipient = { \"a.example\" } } " of_a " }\n"                          \
    "policy \"b\" { match { recipient = { \"b.example\" } } " of_b " }\n"

/* A message of good@example.org to a.example, whose header has begun. */
static void begin(struct session_rig *f, const char *text)
{
    session_rig_begin(f, text);
    (void)session_rcpt(&f->session, "<u@a.example>");
}

static void begin_from(struct session_rig *f, const char *sender, const char *text)
{
    session_rig_begin(f, text);
    session_rig_mail(f, sender);
    (void)session_rcpt(&f->session, "<u@a.example>");
}

static void see(struct session_rig *f, const char *name, const char *value)
{
    originators_see(&f->session, name, value);
}

static const struct decision *verify(struct session_rig *f)
{
    return originators_verify(&f->session, PATIENCE_MS, NULL, NULL);
}

/* How often the mail host was asked about this address. */
static unsigned asked(const struct session_rig *f, const char *of)
{
    char command[RB_ADDRESS_MAX + 16];

    (void)snprintf(command, sizeof command, "RCPT TO:<%s>", of);
    return fake_host_heard(f->host, command);
}

static const struct originator *originator(const struct session_rig *f, enum originator_field field)
{
    assert_non_null(f->session.originators);
    return &f->session.originators[field];
}

static void is_decided(const struct session_rig *f, enum originator_field field,
                       enum rb_reason reason, enum action action)
{
    const struct decision *decision = &originator(f, field)->decision;

    assert_true(originator(f, field)->decided);
    assert_int_equal(decision->of, OF_HEADER);
    assert_int_equal(decision->field, field);
    assert_string_equal(rb_reason_name(decision->reason), rb_reason_name(reason));
    assert_string_equal(action_name(decision->action), action_name(action));
}

/* What is done with the message is done for this header sender. */
static void is_fate(const struct session_rig *f, enum originator_field field, enum action action)
{
    const struct decision *fate = decide_fate(&f->session);

    assert_ptr_equal(fate, &originator(f, field)->decision);
    assert_string_equal(action_name(fate->action), action_name(action));
    assert_int_equal(envelope_answer(&f->session, fate)->verdict, RB_VERDICT_INVALID);
}

static void is_fate_of_sender(const struct session_rig *f, enum action action)
{
    const struct decision *fate = decide_fate(&f->session);

    assert_int_equal(fate->of, OF_SENDER);
    assert_string_equal(action_name(fate->action), action_name(action));
}

/* --- What is done ------------------------------------------------------------ */

static void nobody_is_asked_about_unless_it_is_wanted(void **state)
{
    struct session_rig *f = *state;

    begin(f, "");
    see(f, "From", "bad@example.org");
    see(f, "Reply-To", "bad@example.org");
    assert_null(f->session.originators);
    assert_null(verify(f));
    assert_int_equal(asked(f, "bad@example.org"), 0);
    is_fate_of_sender(f, ACTION_ACCEPT);
}

static void a_reply_to_that_nobody_can_answer_is_tagged(void **state)
{
    struct session_rig *f = *state;
    const uint64_t before = metrics_decisions(RB_REASON_NO_SUCH_USER, ACTION_TAG);

    begin(f, POLICY(ALL));
    see(f, "Reply-To", "The Shop <bad@example.org>");
    assert_null(verify(f));
    is_decided(f, ORIGINATOR_REPLY_TO, RB_REASON_NO_SUCH_USER, ACTION_TAG);
    is_fate(f, ORIGINATOR_REPLY_TO, ACTION_TAG);
    assert_string_equal(envelope_address(&f->session, decide_fate(&f->session)), "bad@example.org");
    assert_string_equal(decide_fate(&f->session)->policy->name, "p");
    assert_int_equal(metrics_decisions(RB_REASON_NO_SUCH_USER, ACTION_TAG), before + 1);
}

static void it_is_refused_where_the_policy_says_so(void **state)
{
    struct session_rig *f = *state;

    begin(f, POLICY(ALL REJECT));
    see(f, "Reply-To", "bad@example.org");
    session_rig_is_told(f, verify(f), "550", "5.1.7",
                        "<bad@example.org>: Reply-To address rejected: undeliverable address: "
                        "mx.example.org said: \"550 5.1.1 User unknown\"");
}

static void other_actions_are_taken_too(void **state)
{
    struct session_rig *f = *state;

    begin(f, POLICY(ALL "on_header_invalid = \"tempfail\""));
    see(f, "From", "bad@nowhere.example");
    session_rig_is_told(f, verify(f), "450", "4.1.7",
                        "<bad@nowhere.example>: From address rejected: undeliverable address: the "
                        "domain does not exist");
    begin(f, POLICY(ALL "on_header_invalid = \"quarantine\""));
    see(f, "Sender", "bad@example.org");
    assert_null(verify(f));
    is_fate(f, ORIGINATOR_SENDER, ACTION_QUARANTINE);
    begin(f, POLICY(ALL "on_header_invalid = \"accept\""));
    see(f, "Sender", "bad@example.org");
    assert_null(verify(f));
    is_decided(f, ORIGINATOR_SENDER, RB_REASON_NO_SUCH_USER, ACTION_ACCEPT);
    is_fate_of_sender(f, ACTION_ACCEPT);
}

static void only_the_fields_that_are_named_are_verified(void **state)
{
    struct session_rig *f = *state;

    begin(f, POLICY("verify_headers = { \"sender\" } " REJECT));
    see(f, "From", "bad@example.org");
    see(f, "Reply-To", "bad@example.org");
    see(f, "To", "bad@example.org");
    see(f, "Resent-Sender", "bad@example.org");
    see(f, "Sender-ID", "bad@example.org");
    assert_null(f->session.originators);
    see(f, "sEnDeR \t", "good@other.example");
    assert_null(verify(f));
    is_decided(f, ORIGINATOR_SENDER, RB_REASON_ACCEPTED, ACTION_ACCEPT);
    assert_int_equal(asked(f, "bad@example.org"), 0);
}

static void what_is_unknown_is_nothing_against_a_message(void **state)
{
    static const struct {
        const char *address;
        enum rb_reason reason;
    } table[] = {
        {"grey@example.org", RB_REASON_GREYLISTED},
        {"blocked@example.org", RB_REASON_BLOCKED},
        {"good@other.example", RB_REASON_ACCEPTED},
    };
    struct session_rig *f = *state;

    for (size_t i = 0; i < COUNT(table); i++) {
        begin(f, POLICY(ALL REJECT "on_unknown = \"reject\" on_greylisted = \"reject\""));
        see(f, "From", table[i].address);
        assert_null(verify(f));
        is_decided(f, ORIGINATOR_FROM, table[i].reason, ACTION_ACCEPT);
        is_fate_of_sender(f, ACTION_ACCEPT);
    }
}

static void what_names_nobody_is_nothing_against_a_message(void **state)
{
    static const char *const values[] = {
        "",
        "undisclosed-recipients:;",
        "Jo Doe",
        "<>",
        "MAILER-DAEMON (Mail Delivery System)",
        "bad@@example.org",
        "bad@example.org bad@example.org",
        "\"bad@example.org",
        "(((((((((((((((((((((((bad@example.org",
        "bad@ex_am ple..org",
        "b\xF6se@example.org",
    };
    struct session_rig *f = *state;
    char *garbage = malloc(LARGE + 1);
    unsigned heard;

    assert_non_null(garbage);
    begin(f, POLICY(ALL REJECT));
    session_rig_await_idle(f);
    heard = fake_host_heard(f->host, "RCPT");
    for (size_t i = 0; i < COUNT(values); i++) {
        begin(f, POLICY(ALL REJECT));
        see(f, "From", values[i]);
        see(f, "Reply-To", values[i]);
        assert_null(verify(f));
        assert_false(originator(f, ORIGINATOR_FROM)->decided);
        is_fate_of_sender(f, ACTION_ACCEPT);
    }
    for (size_t i = 0; i < LARGE; i++)
        garbage[i] = "(<@\",:;>[\\"[i * 7 % 11 % 10];
    garbage[LARGE] = '\0';
    begin(f, POLICY(ALL REJECT));
    see(f, "From", garbage);
    assert_null(verify(f));
    free(garbage);
    assert_int_equal(fake_host_heard(f->host, "RCPT"), heard);
}

static void the_first_mailbox_of_many_counts(void **state)
{
    struct session_rig *f = *state;

    begin(f, POLICY(ALL REJECT));
    see(f, "From", "The Team (all): good@other.example, bad@example.org, bad@other.example;");
    see(f, "Reply-To", "\"Bad <bad@example.org>\" <also@example.org>, bad@example.org");
    assert_null(verify(f));
    is_decided(f, ORIGINATOR_FROM, RB_REASON_ACCEPTED, ACTION_ACCEPT);
    is_decided(f, ORIGINATOR_REPLY_TO, RB_REASON_ACCEPTED, ACTION_ACCEPT);
    assert_int_equal(fake_host_heard(f->host, "RCPT TO:<bad@"), 0);
}

static void the_first_field_of_a_name_counts(void **state)
{
    struct session_rig *f = *state;

    begin(f, POLICY(ALL REJECT));
    see(f, "From", "good@other.example");
    see(f, "From", "bad@example.org");
    see(f, "Reply-To", "nobody:;");
    see(f, "Reply-To", "bad@example.org");
    assert_null(verify(f));
    is_decided(f, ORIGINATOR_FROM, RB_REASON_ACCEPTED, ACTION_ACCEPT);
    assert_false(originator(f, ORIGINATOR_REPLY_TO)->decided);
    assert_int_equal(fake_host_heard(f->host, "RCPT TO:<bad@"), 0);
}

static void international_addresses_are_asked_about(void **state)
{
    struct session_rig *f = *state;

    begin(f, POLICY(ALL));
    see(f, "Reply-To", "J\xC3\xB6rg <j\xC3\xB6rg@example.org>");
    assert_null(verify(f));
    is_decided(f, ORIGINATOR_REPLY_TO, RB_REASON_NO_SUCH_USER, ACTION_TAG);
}

/* --- How often anybody is asked ---------------------------------------------- */

static void the_envelope_senders_answer_serves_the_header(void **state)
{
    struct session_rig *f = *state;
    unsigned connections, heard;

    begin(f, POLICY(ALL REJECT));
    session_rig_await_idle(f);
    connections = fake_host_connections(f->host);
    heard = fake_host_heard(f->host, "RCPT");
    see(f, "From", "Good <good@EXAMPLE.org>");
    see(f, "Reply-To", "<\"good\"@example.org>");
    assert_null(verify(f));
    is_decided(f, ORIGINATOR_FROM, RB_REASON_ACCEPTED, ACTION_ACCEPT);
    assert_false(originator(f, ORIGINATOR_REPLY_TO)->decided);
    assert_int_equal(originator(f, ORIGINATOR_FROM)->inquiry.waited_ms, 0);
    assert_int_equal(fake_host_connections(f->host), connections);
    assert_int_equal(fake_host_heard(f->host, "RCPT"), heard);
}

static void an_invalid_sender_who_was_let_in_is_refused_for_the_header(void **state)
{
    struct session_rig *f = *state;

    begin_from(f, "<bad@example.org>", POLICY(ALL REJECT "on_invalid = \"tag\""));
    see(f, "From", "bad@example.org");
    assert_non_null(verify(f));
    is_decided(f, ORIGINATOR_FROM, RB_REASON_NO_SUCH_USER, ACTION_REJECT);
    assert_int_equal(asked(f, "bad@example.org"), 1);
}

static void an_address_in_several_fields_is_asked_about_once(void **state)
{
    struct session_rig *f = *state;

    begin(f, POLICY(ALL));
    see(f, "Sender", "bad@other.example");
    see(f, "Reply-To", "bad@other.example");
    see(f, "From", "also@example.org");
    assert_null(verify(f));
    is_decided(f, ORIGINATOR_REPLY_TO, RB_REASON_NO_SUCH_USER, ACTION_TAG);
    assert_false(originator(f, ORIGINATOR_SENDER)->decided);
    is_decided(f, ORIGINATOR_FROM, RB_REASON_ACCEPTED, ACTION_ACCEPT);
    assert_int_equal(asked(f, "bad@other.example"), 1);
    assert_int_equal(asked(f, "also@example.org"), 1);
}

static void all_are_asked_before_anyone_is_waited_for(void **state)
{
    struct session_rig *f = *state;

    begin(f, POLICY(ALL));
    session_rig_await_idle(f);
    fake_host_hold(f->host, true);
    see(f, "From", "one@example.org");
    see(f, "Reply-To", "two@other.example");
    see(f, "Sender", "three@example.org");
    assert_null(originators_verify(&f->session, 0, NULL, NULL)); /* all three are under way */
    fake_host_hold(f->host, false);
    session_rig_await_idle(f);
    assert_int_equal(asked(f, "one@example.org"), 1);
    assert_int_equal(asked(f, "two@other.example"), 1);
    assert_int_equal(asked(f, "three@example.org"), 1);
}

/* --- Time -------------------------------------------------------------------- */

static void what_comes_too_late_is_nothing_against_a_message(void **state)
{
    struct session_rig *f = *state;

    begin(f, POLICY(ALL REJECT));
    session_rig_await_idle(f);
    fake_host_hold(f->host, true);
    see(f, "From", "bad@example.org");
    assert_null(originators_verify(&f->session, SHORT_MS, NULL, NULL));
    is_decided(f, ORIGINATOR_FROM, RB_REASON_TIMEOUT, ACTION_ACCEPT);
    fake_host_hold(f->host, false);
}

struct ticks {
    struct session_rig *rig;
    unsigned count;
};

static void answer_at_tick(void *arg)
{
    struct ticks *ticks = arg;

    ticks->count++;
    fake_host_hold(ticks->rig->host, false);
}

static void the_mta_hears_that_we_are_still_at_it(void **state)
{
    struct session_rig *f = *state;
    struct ticks ticks = {.rig = f};

    begin(f, POLICY(ALL));
    session_rig_await_idle(f);
    fake_host_hold(f->host, true);
    see(f, "From", "bad@example.org");
    see(f, "Reply-To", "bad@other.example");
    assert_null(originators_verify(&f->session, PATIENCE_MS, answer_at_tick, &ticks));
    assert_int_equal(ticks.count, 1);
    is_decided(f, ORIGINATOR_FROM, RB_REASON_NO_SUCH_USER, ACTION_TAG);
    is_decided(f, ORIGINATOR_REPLY_TO, RB_REASON_NO_SUCH_USER, ACTION_TAG);
}

static void what_was_waited_for_before_is_part_of_their_time(void **state)
{
    struct session_rig *f = *state;
    struct ticks ticks = {.rig = f};

    begin(f, POLICY(ALL REJECT));
    session_rig_await_idle(f);
    fake_host_hold(f->host, true);
    see(f, "From", "bad@example.org");
    f->session.event_began_ms -= PATIENCE_MS; /* the end of the message came so long ago */
    assert_null(originators_verify(&f->session, PATIENCE_MS, answer_at_tick, &ticks));
    assert_int_equal(ticks.count, 0);
    is_decided(f, ORIGINATOR_FROM, RB_REASON_TIMEOUT, ACTION_ACCEPT);
    fake_host_hold(f->host, false);
}

static void a_sender_who_came_too_late_is_asked_for_again(void **state)
{
    struct session_rig *f = *state;

    fake_host_hold(f->host, true);
    begin_from(f, "<bad@example.org>", "max_wait = 20ms\n" POLICY(ALL));
    is_fate_of_sender(f, ACTION_ACCEPT); /* timeout */
    fake_host_hold(f->host, false);
    see(f, "From", "bad@example.org");
    assert_null(verify(f));
    is_fate(f, ORIGINATOR_FROM, ACTION_TAG);
    assert_int_equal(asked(f, "bad@example.org"), 1);
}

static void a_message_that_is_given_up_leaves_nothing_behind(void **state)
{
    struct session_rig *f = *state;

    begin(f, POLICY(ALL REJECT));
    see(f, "From", "bad@example.org");
    session_rig_mail(f, "<good@example.org>");
    assert_null(f->session.originators);
    (void)session_rcpt(&f->session, "<u@a.example>");
    assert_null(verify(f));
}

/* --- Who is exempt ------------------------------------------------------------- */

static void is_not_looked_at(struct session_rig *f)
{
    see(f, "From", "bad@example.org");
    assert_null(f->session.originators);
    assert_null(verify(f));
}

static void who_is_exempt_is_exempt_in_the_header(void **state)
{
    struct session_rig *f = *state;

    session_rig_begin(f, POLICY(ALL REJECT));
    session_rig_mail(f, "<>");
    (void)session_rcpt(&f->session, "<u@a.example>");
    is_not_looked_at(f);
    assert_int_equal(session_mail(&f->session, "<good@example.org>", true), RB_OK);
    (void)session_rcpt(&f->session, "<u@a.example>");
    is_not_looked_at(f);
    session_rig_mail(f, "<good@example.org>");
    (void)session_rcpt(&f->session, "<postmaster@mx.example.net>"); /* fallback_mail_from */
    is_not_looked_at(f);
    session_rig_begin_from(f, NULL, POLICY(ALL REJECT));
    (void)session_rcpt(&f->session, "<u@a.example>");
    is_not_looked_at(f);
}

static void a_policy_may_verify_nobody_but_header_senders(void **state)
{
    static const char *const verifies[] = {"none", "recipient"};
    struct session_rig *f = *state;

    for (size_t i = 0; i < COUNT(verifies); i++) {
        char text[256];

        (void)snprintf(text, sizeof text, POLICY("verify = \"%s\" " ALL REJECT), verifies[i]);
        begin(f, text);
        assert_false(f->session.plain.asked);
        see(f, "From", "good@example.org");
        see(f, "Reply-To", "bad@example.org");
        assert_non_null(verify(f));
        is_decided(f, ORIGINATOR_FROM, RB_REASON_ACCEPTED, ACTION_ACCEPT);
        is_decided(f, ORIGINATOR_REPLY_TO, RB_REASON_NO_SUCH_USER, ACTION_REJECT);
    }
}

static void who_was_turned_away_at_rcpt_has_no_say(void **state)
{
    struct session_rig *f = *state;

    begin_from(f, "<bad@example.org>", POLICY(ALL REJECT));
    is_not_looked_at(f);
}

/* --- The gate ------------------------------------------------------------------ */

static void the_gate_holds_for_header_senders(void **state)
{
    struct session_rig *f = *state;

    f->options.spf_gate = RB_GATE_FAIL;
    begin(f, POLICY(ALL REJECT "on_spf_fail = \"reject\""));
    see(f, "From", "bad@strict.example");
    assert_null(verify(f));
    is_decided(f, ORIGINATOR_FROM, RB_REASON_SPF_FAIL, ACTION_ACCEPT);
    assert_int_equal(asked(f, "bad@strict.example"), 0);
}

/* A verifier at whose gate nobody vouches but the caller. arg: counts the questions. */
static void answer_by_gate(void *arg, const struct rb_question *question, enum decision_of of,
                           struct rb_answer *answer)
{
    unsigned *questions = arg;

    (void)of;
    (*questions)++;
    answer->voucher = question->voucher;
    answer->reason =
        question->voucher == RB_VOUCHER_NOBODY ? RB_REASON_NOT_VOUCHED : RB_REASON_NO_SUCH_USER;
    answer->verdict = rb_reason_verdict(answer->reason);
}

/* A message of this sender, whose From names bad@other.example, above which this result stands. */
static unsigned questions_about(struct session_rig *f, const char *sender, const char *text,
                                const char *results)
{
    unsigned questions = 0;

    session_rig_begin(f, text);
    f->world.answer = answer_by_gate;
    f->world.answer_arg = &questions;
    session_rig_mail(f, sender);
    (void)session_rcpt(&f->session, "<u@a.example>");
    vouch_see(&f->session, "Authentication-Results", results);
    vouch_see(&f->session, "From", "bad@other.example");
    see(f, "From", "bad@other.example");
    (void)verify(f);
    f->world.answer = NULL;
    return questions;
}

static void is_vouched_by(const struct session_rig *f, enum rb_voucher voucher)
{
    is_decided(f, ORIGINATOR_FROM,
               voucher == RB_VOUCHER_NOBODY ? RB_REASON_NOT_VOUCHED : RB_REASON_NO_SUCH_USER,
               voucher == RB_VOUCHER_NOBODY ? ACTION_ACCEPT : ACTION_TAG);
    assert_int_equal(
        envelope_answer(&f->session, &originator(f, ORIGINATOR_FROM)->decision)->voucher, voucher);
}

#define TRUSTED "trusted_authserv_ids = { \"mx.example.net\" }\n"
#define SIGNED "mx.example.net; dkim=pass header.d="

static void a_signature_of_its_domain_vouches_for_a_header_sender(void **state)
{
    static const struct {
        const char *results;
        enum rb_voucher voucher;
    } table[] = {
        {SIGNED "other.example", RB_VOUCHER_DKIM},
        {SIGNED "mail.other.example", RB_VOUCHER_DKIM},
        {SIGNED "example.org", RB_VOUCHER_NOBODY}, /* the envelope's */
        {"mx.example.net; dkim=fail header.d=other.example", RB_VOUCHER_NOBODY},
        {"mx.example.com; dkim=pass header.d=other.example", RB_VOUCHER_NOBODY},
    };
    struct session_rig *f = *state;

    for (size_t i = 0; i < COUNT(table); i++) {
        assert_int_equal(
            questions_about(f, "<good@example.org>", TRUSTED POLICY(ALL), table[i].results), 2);
        is_vouched_by(f, table[i].voucher);
    }
}

static void a_sender_whom_the_gate_held_back_is_asked_about_where_it_is_signed_for(void **state)
{
    struct session_rig *f = *state;

    assert_int_equal(
        questions_about(f, "<bad@other.example>", TRUSTED POLICY(ALL), SIGNED "example.org"), 1);
    is_vouched_by(f, RB_VOUCHER_NOBODY);
    assert_int_equal(
        questions_about(f, "<bad@other.example>", TRUSTED POLICY(ALL), SIGNED "other.example"), 2);
    is_vouched_by(f, RB_VOUCHER_DKIM);
}

static void a_policy_that_vouches_for_its_clients_does_so_in_the_header(void **state)
{
    struct session_rig *f = *state;

    assert_int_equal(
        questions_about(f, "<good@example.org>", POLICY(ALL "vouched = yes on_invalid = tag"), ""),
        2);
    is_vouched_by(f, RB_VOUCHER_POLICY);
    assert_int_equal(
        questions_about(f, "<bad@other.example>", POLICY(ALL "vouched = yes on_invalid = tag"), ""),
        1);
    is_vouched_by(f, RB_VOUCHER_POLICY);
}

/* --- One fate a message -------------------------------------------------------- */

static void is_put_off(struct session_rig *f, const char *to)
{
    const struct decision *decision = session_rcpt(&f->session, to);

    assert_true(decision->put_off);
    assert_int_equal(decision->action, ACTION_TEMPFAIL);
}

static void recipients_whose_headers_are_treated_otherwise_are_put_off(void **state)
{
    static const char *const texts[] = {
        PAIR(ALL REJECT, ""),
        PAIR(ALL, ALL REJECT),
        PAIR("verify_headers = { from } " REJECT, ALL REJECT),
        PAIR(ALL REJECT, ALL "on_header_invalid = \"tempfail\""),
        PAIR(ALL REJECT, ALL REJECT "vouched = yes"),
        PAIR("verify = none " ALL REJECT, ""),
    };
    static const char *const at[] = {"rcpt", "data", "eom"};
    struct session_rig *f = *state;
    char text[1024];

    for (size_t i = 0; i < COUNT(texts); i++) {
        for (size_t j = 0; j < COUNT(at); j++) {
            (void)snprintf(text, sizeof text, "decide_at = \"%s\"\n%s", at[j], texts[i]);
            begin(f, text);
            is_put_off(f, "<u@b.example>");
            assert_false(decide_refuses(session_rcpt(&f->session, "<v@a.example>")));
        }
    }
}

static void recipients_whose_headers_are_treated_alike_go_together(void **state)
{
    static const char *const texts[] = {
        PAIR(ALL REJECT, ALL REJECT),
        PAIR(ALL REJECT "on_unknown = tag", ALL REJECT),
        PAIR(ALL, ""),
        PAIR(ALL, "verify_headers = { from } on_header_invalid = quarantine"),
        PAIR(REJECT, ""),
        "dry_run = yes\n" PAIR(ALL REJECT, ""),
    };
    struct session_rig *f = *state;

    for (size_t i = 0; i < COUNT(texts); i++) {
        begin(f, texts[i]);
        assert_false(decide_refuses(session_rcpt(&f->session, "<u@b.example>")));
    }
}

static void who_was_turned_away_separates_nobody(void **state)
{
    struct session_rig *f = *state;

    session_rig_begin(f, PAIR(ALL REJECT, "on_invalid = \"tag\""));
    session_rig_mail(f, "<bad@example.org>");
    assert_true(decide_refuses(session_rcpt(&f->session, "<u@a.example>")));
    assert_int_equal(session_rcpt(&f->session, "<u@b.example>")->action, ACTION_TAG);
}

static void the_harshest_of_several_policies_counts(void **state)
{
    struct session_rig *f = *state;

    begin(f, PAIR("verify_headers = { from }",
                  "verify_headers = { reply-to } on_header_invalid = quarantine"));
    (void)session_rcpt(&f->session, "<u@b.example>");
    see(f, "From", "bad@example.org");
    see(f, "Reply-To", "bad@example.org");
    assert_null(verify(f));
    is_fate(f, ORIGINATOR_FROM, ACTION_QUARANTINE);
    assert_string_equal(decide_fate(&f->session)->policy->name, "b");
    assert_int_equal(asked(f, "bad@example.org"), 1);
}

static void the_harshest_of_sender_and_headers_counts(void **state)
{
    struct session_rig *f = *state;

    begin_from(f, "<bad@example.org>", POLICY(ALL "on_invalid = \"quarantine\""));
    see(f, "From", "bad@other.example");
    assert_null(verify(f));
    is_decided(f, ORIGINATOR_FROM, RB_REASON_NO_SUCH_USER, ACTION_TAG);
    is_fate_of_sender(f, ACTION_QUARANTINE);
    begin_from(f, "<bad@example.org>",
               POLICY(ALL "on_invalid = \"tag\" on_header_invalid = \"quarantine\""));
    see(f, "From", "bad@other.example");
    assert_null(verify(f));
    is_fate(f, ORIGINATOR_FROM, ACTION_QUARANTINE);
}

static void of_two_that_refuse_the_harsher_is_told(void **state)
{
    struct session_rig *f = *state;

    begin(f, POLICY(ALL REJECT));
    see(f, "Sender", "bad@example.org");
    see(f, "Reply-To", "bad@nowhere.example");
    assert_ptr_equal(verify(f), &originator(f, ORIGINATOR_REPLY_TO)->decision);
}

static void a_dry_run_tags_at_most(void **state)
{
    struct session_rig *f = *state;

    begin(f, "dry_run = yes\n" POLICY(ALL REJECT));
    see(f, "Reply-To", "bad@example.org");
    assert_null(verify(f));
    is_decided(f, ORIGINATOR_REPLY_TO, RB_REASON_NO_SUCH_USER, ACTION_ACCEPT);
    is_fate(f, ORIGINATOR_REPLY_TO, ACTION_ACCEPT);
    assert_int_equal(decide_fate(&f->session)->wanted, ACTION_REJECT);
    begin(f, "dry_run = yes\n" POLICY(ALL));
    see(f, "Reply-To", "bad@example.org");
    assert_null(verify(f));
    is_fate(f, ORIGINATOR_REPLY_TO, ACTION_TAG);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, session_rig_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nobody_is_asked_about_unless_it_is_wanted),
        TEST(a_reply_to_that_nobody_can_answer_is_tagged),
        TEST(it_is_refused_where_the_policy_says_so),
        TEST(other_actions_are_taken_too),
        TEST(only_the_fields_that_are_named_are_verified),
        TEST(what_is_unknown_is_nothing_against_a_message),
        TEST(what_names_nobody_is_nothing_against_a_message),
        TEST(the_first_mailbox_of_many_counts),
        TEST(the_first_field_of_a_name_counts),
        TEST(international_addresses_are_asked_about),
        TEST(the_envelope_senders_answer_serves_the_header),
        TEST(an_invalid_sender_who_was_let_in_is_refused_for_the_header),
        TEST(an_address_in_several_fields_is_asked_about_once),
        TEST(all_are_asked_before_anyone_is_waited_for),
        TEST(what_comes_too_late_is_nothing_against_a_message),
        TEST(the_mta_hears_that_we_are_still_at_it),
        TEST(what_was_waited_for_before_is_part_of_their_time),
        TEST(a_sender_who_came_too_late_is_asked_for_again),
        TEST(a_message_that_is_given_up_leaves_nothing_behind),
        TEST(who_is_exempt_is_exempt_in_the_header),
        TEST(a_policy_may_verify_nobody_but_header_senders),
        TEST(who_was_turned_away_at_rcpt_has_no_say),
        TEST(the_gate_holds_for_header_senders),
        TEST(a_signature_of_its_domain_vouches_for_a_header_sender),
        TEST(a_sender_whom_the_gate_held_back_is_asked_about_where_it_is_signed_for),
        TEST(a_policy_that_vouches_for_its_clients_does_so_in_the_header),
        TEST(recipients_whose_headers_are_treated_otherwise_are_put_off),
        TEST(recipients_whose_headers_are_treated_alike_go_together),
        TEST(who_was_turned_away_separates_nobody),
        TEST(the_harshest_of_several_policies_counts),
        TEST(the_harshest_of_sender_and_headers_counts),
        TEST(of_two_that_refuse_the_harsher_is_told),
        TEST(a_dry_run_tags_at_most),
    };

    return cmocka_run_group_tests_name("originators", tests, NULL, NULL);
}
