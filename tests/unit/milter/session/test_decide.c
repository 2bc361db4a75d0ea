/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_decide: decide_at: what is not known at RCPT is found out while the client goes on, and
 * told later, once for all recipients of a message. The senders' mail host holds its answers back
 * until a test lets them go, so that nothing depends on time.
 */
#include "config.h"

#include "session/decide.h"
#include "session/inquiry.h"

#include "check.h"

#include <stdio.h>

#include "daemon/metrics.h"
#include "session_rig.h"

enum { PATIENCE_MS = 120000, SHORT_MS = 60, CROWD = 40 };

/* --- The world ------------------------------------------------------------- */

static const struct fake_dns_answer mx[] = {
    {.type = ns_t_mx, .preference = 10, .data = "mx.example.org"}};
static const struct fake_dns_answer address[] = {{.type = ns_t_a, .data = "127.0.0.1"}};
static const struct fake_dns_answer strict[] = {{.type = ns_t_txt, .data = "v=spf1 -all"}};
static const struct fake_dns_answer open_to_all[] = {{.type = ns_t_txt, .data = "v=spf1 +all"}};

static const struct fake_dns_row zone[] = {
    {.name = "mx.example.org", .type = ns_t_a, .answers = address, .count = 1},
    {.name = "example.org", .type = ns_t_mx, .answers = mx, .count = 1},
    {.name = "other.example", .type = ns_t_mx, .answers = mx, .count = 1},
    {.name = "strict.example", .type = ns_t_mx, .answers = mx, .count = 1},
    {.name = "strict.example", .type = ns_t_txt, .answers = strict, .count = 1},
    {.name = "open.example", .type = ns_t_mx, .answers = mx, .count = 1},
    {.name = "open.example", .type = ns_t_txt, .answers = open_to_all, .count = 1},
};

static const struct fake_host_reply senders[] = {
    {"good@example.org", "250 2.1.5 Ok"},
    {"grey@example.org", "450 4.7.1 Greylisted"},
};

static int set_up_with(void **state, const struct fake_host_options *host)
{
    static const struct fake_host_options store = {.rcpt = "250 2.1.5 Ok"};
    const struct session_rig_world world = {
        .zone = zone, .zone_count = COUNT(zone), .host = host, .store = &store};
    int result = session_rig_set_up(state, &world);
    struct session_rig *rig = *state;

    if (result == 0)
        fake_host_hold(rig->host, true);
    return result;
}

static int set_up(void **state)
{
    static const struct fake_host_options polite = {
        .pipelining = true, .replies = senders, .reply_count = COUNT(senders)};

    return set_up_with(state, &polite);
}

static int set_up_catch_all(void **state)
{
    static const struct fake_host_options everybody = {.pipelining = true, .rcpt = "250 2.1.5 Ok"};

    return set_up_with(state, &everybody);
}

static const char *const later[] = {"data", "eom"};

#define AT_DATA "decide_at = \"data\"\n"

/* A policy for each of a.example and b.example, and one for the others. */
#define PAIR(of_a, of_b)                                                                           \
    AT_DATA "policy \"a\" { match { recipient = { \"a.example\" } } " of_a " }\n"                  \
            "policy \"b\" { match { recipient = { \"b.example\" } } " of_b " }\n"

static struct decision *rcpt(struct session_rig *f, const char *argument)
{
    return session_rcpt(&f->session, argument);
}

static void is_pending(const struct decision *decision)
{
    assert_int_equal(decision->of, OF_SENDER);
    assert_true(decision->pending);
    assert_int_equal(decision->action, ACTION_ACCEPT);
}

static void is_decided(const struct decision *decision, enum rb_reason reason, enum action action)
{
    assert_int_equal(decision->of, OF_SENDER);
    assert_false(decision->pending);
    assert_string_equal(rb_reason_name(decision->reason), rb_reason_name(reason));
    assert_string_equal(action_name(decision->action), action_name(action));
}

static void is_put_off(const struct session_rig *f, const struct decision *decision)
{
    char text[2 * SESSION_TEXT_MAX];

    assert_true(decision->put_off);
    assert_int_equal(decision->action, ACTION_TEMPFAIL);
    (void)snprintf(text, sizeof text,
                   "<%s>: other recipients of this message are treated otherwise, send it "
                   "separately",
                   decision->recipient);
    session_rig_is_told(f, decision, "452", "4.5.3", text);
}

static const struct decision *collect(struct session_rig *f)
{
    return decide_collect(&f->session, PATIENCE_MS, NULL, NULL);
}

static void answer(struct session_rig *f)
{
    fake_host_hold(f->host, false);
}

static uint64_t questions(const struct session_rig *f)
{
    struct rb_stats stats = {.size = sizeof stats};

    rb_verifier_stats(f->verifier, &stats);
    return stats.questions;
}

/* --- Pending --------------------------------------------------------------- */

static void what_is_not_known_at_rcpt_is_told_later(void **state)
{
    struct session_rig *f = *state;

    for (size_t i = 0; i < COUNT(later); i++) {
        char text[64], sender[32];
        struct decision *decision;

        (void)snprintf(text, sizeof text, "decide_at = \"%s\"", later[i]);
        (void)snprintf(sender, sizeof sender, "<bad%zu@example.org>", i);
        fake_host_hold(f->host, true);
        session_rig_begin(f, text);
        assert_false(decide_is_pending(&f->session));
        session_rig_mail(f, sender);
        decision = rcpt(f, "<u@a.example>");
        is_pending(decision);
        assert_true(decide_is_pending(&f->session));
        answer(f);
        assert_ptr_equal(collect(f), decision);
        is_decided(decision, RB_REASON_NO_SUCH_USER, ACTION_REJECT);
        assert_false(decide_is_pending(&f->session));
        assert_null(decide_message(&f->session));
    }
}

static void a_later_refusal_is_told_as_one_at_rcpt(void **state)
{
    struct session_rig *f = *state;

    session_rig_begin(f, AT_DATA);
    session_rig_mail(f, "<bad@example.org>");
    (void)rcpt(f, "<u@a.example>");
    answer(f);
    session_rig_is_told(f, collect(f), "550", "5.1.7",
                        "<bad@example.org>: sender address rejected: undeliverable address: "
                        "mx.example.org said: \"550 5.1.1 User unknown\"");
}

static void a_sender_who_exists_is_let_in(void **state)
{
    struct session_rig *f = *state;

    session_rig_begin(f, AT_DATA);
    is_pending(rcpt(f, "<u@a.example>"));
    answer(f);
    assert_null(collect(f));
    is_decided(decide_message(&f->session), RB_REASON_ACCEPTED, ACTION_ACCEPT);
    assert_string_equal(envelope_answer(&f->session, decide_message(&f->session))->mx,
                        "mx.example.org");
}

static void actions_that_let_the_message_in_are_taken_later_too(void **state)
{
    static const struct {
        const char *text;
        enum action action;
    } table[] = {
        {AT_DATA "policy \"p\" { on_greylisted = \"tag\" }", ACTION_TAG},
        {AT_DATA "policy \"p\" { on_greylisted = \"quarantine\" }", ACTION_QUARANTINE},
        {AT_DATA "policy \"p\" { on_greylisted = \"accept\" }", ACTION_ACCEPT},
    };
    struct session_rig *f = *state;

    for (size_t i = 0; i < COUNT(table); i++) {
        fake_host_hold(f->host, true);
        session_rig_begin(f, table[i].text);
        session_rig_mail(f, "<grey@example.org>");
        (void)rcpt(f, "<u@a.example>");
        answer(f);
        assert_null(collect(f));
        is_decided(decide_message(&f->session), RB_REASON_GREYLISTED, table[i].action);
    }
}

static void the_callout_runs_while_the_client_goes_on(void **state)
{
    struct session_rig *f = *state;

    session_rig_begin(f, AT_DATA);
    is_pending(rcpt(f, "<u@a.example>"));
    assert_true(fake_host_wait(f->host, "RCPT TO:<good@example.org>", 1));
}

static void it_runs_too_where_spf_must_be_asked_first(void **state)
{
    struct session_rig *f = *state;

    f->options.spf_gate = RB_GATE_FAIL;
    session_rig_begin(f, AT_DATA);
    session_rig_mail(f, "<u@open.example>");
    is_pending(rcpt(f, "<u@a.example>"));
    assert_true(fake_host_wait(f->host, "RCPT TO:<u@open.example>", 1));
    fake_dns_hold(f->dns, true);
    session_rig_mail(f, "<u@strict.example>");
    is_pending(rcpt(f, "<u@a.example>"));
    fake_dns_hold(f->dns, false);
    assert_null(collect(f));
    is_decided(decide_message(&f->session), RB_REASON_SPF_FAIL, ACTION_ACCEPT);
    session_rig_mail(f, "<v@strict.example>"); /* what SPF has said is known at once */
    is_decided(rcpt(f, "<u@a.example>"), RB_REASON_SPF_FAIL, ACTION_ACCEPT);
}

static void what_does_not_come_in_time_is_unknown(void **state)
{
    struct session_rig *f = *state;

    session_rig_begin(f, AT_DATA "policy \"p\" { on_unknown = \"tempfail\" }");
    (void)rcpt(f, "<u@a.example>");
    session_rig_is_told(f, decide_collect(&f->session, SHORT_MS, NULL, NULL), "450", "4.1.7",
                        "<good@example.org>: sender address rejected: unverified address: its mail "
                        "host has not answered yet");
    is_decided(f->session.decisions, RB_REASON_TIMEOUT, ACTION_TEMPFAIL);
    assert_true(f->session.plain.waited_ms >= SHORT_MS - 1);
}

/* As when the client gives the message up: nobody waits, and it can be logged. */
static void without_time_nobody_waits(void **state)
{
    struct session_rig *f = *state;

    session_rig_begin(f, AT_DATA);
    (void)rcpt(f, "<u@a.example>");
    assert_null(decide_collect(&f->session, 0, NULL, NULL));
    is_decided(f->session.decisions, RB_REASON_TIMEOUT, ACTION_ACCEPT);
    assert_null(f->session.plain.ticket);
}

static void what_was_collected_is_not_collected_again(void **state)
{
    struct session_rig *f = *state;

    session_rig_begin(f, AT_DATA);
    assert_null(collect(f)); /* nothing was asked yet */
    session_rig_mail(f, "<bad@example.org>");
    (void)rcpt(f, "<u@a.example>");
    answer(f);
    assert_non_null(collect(f));
    assert_null(collect(f));
}

static void what_the_cache_knows_is_decided_at_rcpt(void **state)
{
    struct session_rig *f = *state;

    session_rig_begin(f, AT_DATA);
    session_rig_mail(f, "<bad@example.org>");
    (void)rcpt(f, "<u@a.example>");
    assert_int_equal(session_rig_calls.waits, 0); /* what is told later is not waited for */
    answer(f);
    (void)collect(f);
    session_rig_begin(f, AT_DATA);
    session_rig_mail(f, "<bad@example.org>");
    is_decided(rcpt(f, "<u@a.example>"), RB_REASON_NO_SUCH_USER, ACTION_REJECT);
    assert_true(f->session.plain.answer.cached);
    assert_false(decide_is_pending(&f->session));
    assert_null(collect(f)); /* it was told at RCPT */
}

static void what_is_no_address_is_decided_at_rcpt(void **state)
{
    struct session_rig *f = *state;

    session_rig_begin(f, AT_DATA);
    session_rig_mail(f, "<no address>");
    is_decided(rcpt(f, "<u@a.example>"), RB_REASON_BAD_ADDRESS, ACTION_REJECT);
}

static void a_message_without_anybody_to_verify_is_never_pending(void **state)
{
    struct session_rig *f = *state;

    session_rig_begin(f, AT_DATA);
    session_rig_mail(f, "<>");
    is_decided(rcpt(f, "<u@a.example>"), RB_REASON_EXEMPT, ACTION_ACCEPT);
    assert_false(decide_is_pending(&f->session));
    assert_null(collect(f));
}

static void recipient_and_sender_share_the_time_of_one_reply(void **state)
{
    static const struct {
        int64_t rcpt_began_ms, asked_ms, left_ms;
    } table[] = {
        {1000, 1000, 8000}, {1000, 1001, 7999}, {1000, 5000, 4000}, {1000, 9000, 0},
        {1000, 9001, 0},    {1000, 1, 8000},    {1000, 999, 8000}, /* for an earlier recipient */
    };
    struct session_rig *f = *state;

    session_rig_begin(f, "max_wait = \"8s\"");
    for (size_t i = 0; i < COUNT(table); i++) {
        f->session.event_began_ms = table[i].rcpt_began_ms;
        f->session.plain.asked_ms = table[i].asked_ms;
        assert_int_equal(inquiry_time_ms(&f->session, &f->session.plain, 8000), table[i].left_ms);
    }
}

/* --- Let in at RCPT -------------------------------------------------------- */

/* The sender's host answers about the sender alone: what it says to the probe is held back. */
static struct decision *rcpt_before_the_probe(struct session_rig *f, const char *argument)
{
    fake_host_let(f->host, 1);
    return rcpt(f, argument);
}

static void at_rcpt_a_refused_sender_is_decided(void **state)
{
    struct session_rig *f = *state;

    answer(f);
    session_rig_begin(f, "decide_at = \"rcpt\"");
    session_rig_mail(f, "<bad@example.org>");
    is_decided(rcpt(f, "<u@a.example>"), RB_REASON_NO_SUCH_USER, ACTION_REJECT);
    assert_false(decide_is_pending(&f->session));
}

static void an_accepted_sender_is_let_in_before_the_domain_is_known(void **state)
{
    struct session_rig *f = *state;
    struct decision *decision;

    session_rig_begin(f, "");
    decision = rcpt_before_the_probe(f, "<u@a.example>");
    is_pending(decision);
    is_pending(rcpt(f, "<v@b.example>")); /* without waiting */
    assert_true(fake_host_wait(f->host, "RCPT", 2));
    answer(f);
    assert_null(collect(f));
    is_decided(decision, RB_REASON_ACCEPTED, ACTION_ACCEPT);
    assert_int_equal(decision->recipients, 2);
    assert_int_equal(fake_host_heard(f->host, "RCPT TO:<good@example.org>"), 1);
}

static void what_a_catch_all_is_worth_is_told_later(void **state)
{
    static const struct {
        const char *on_unknown, *sender;
        enum action action;
    } table[] = {{"accept", "<u@example.org>", ACTION_ACCEPT},
                 {"tag", "<u@open.example>", ACTION_TAG},
                 {"quarantine", "<u@other.example>", ACTION_QUARANTINE}};
    struct session_rig *f = *state;
    char text[64];

    for (size_t i = 0; i < COUNT(table); i++) {
        struct decision *decision;

        (void)snprintf(text, sizeof text, "policy \"p\" { on_unknown = \"%s\" }",
                       table[i].on_unknown);
        fake_host_hold(f->host, true);
        session_rig_begin(f, text);
        session_rig_mail(f, table[i].sender);
        decision = rcpt_before_the_probe(f, "<u@a.example>");
        is_pending(decision);
        answer(f);
        assert_null(collect(f));
        is_decided(decision, RB_REASON_CATCH_ALL, table[i].action);
        assert_ptr_equal(decide_message(&f->session), decision);
        session_rig_await_idle(f);
    }
}

static void where_a_catch_all_is_turned_away_it_is_waited_for(void **state)
{
    static const struct {
        const char *on_unknown;
        enum action action;
    } table[] = {{"reject", ACTION_REJECT}, {"tempfail", ACTION_TEMPFAIL}};
    struct session_rig *f = *state;
    char text[64];

    answer(f);
    for (size_t i = 0; i < COUNT(table); i++) {
        (void)snprintf(text, sizeof text, "policy \"p\" { on_unknown = \"%s\" }",
                       table[i].on_unknown);
        session_rig_begin(f, text);
        is_decided(rcpt(f, "<u@a.example>"), RB_REASON_CATCH_ALL, table[i].action);
        assert_false(decide_is_pending(&f->session));
    }
}

static void a_recipient_under_a_harsher_policy_waits(void **state)
{
    struct session_rig *f = *state;
    struct decision *mild, *harsh;

    session_rig_begin(f, "policy \"b\" { match { recipient = { \"b.example\" } }"
                         " on_unknown = \"reject\" }");
    mild = rcpt_before_the_probe(f, "<u@a.example>");
    is_pending(mild);
    answer(f);
    harsh = rcpt(f, "<u@b.example>");
    is_decided(harsh, RB_REASON_CATCH_ALL, ACTION_REJECT);
    assert_null(collect(f));
    is_decided(mild, RB_REASON_CATCH_ALL, ACTION_ACCEPT);
    assert_ptr_equal(decide_message(&f->session), mild);
}

static void a_client_that_leaves_is_told_apart_from_one_not_answered(void **state)
{
    struct session_rig *f = *state;
    struct decision *decision;

    session_rig_begin(f, "");
    decision = rcpt_before_the_probe(f, "<u@a.example>");
    is_pending(decision);
    assert_null(decide_collect(&f->session, 0, NULL, NULL));
    is_decided(decision, RB_REASON_TIMEOUT, ACTION_ACCEPT);
    assert_string_equal(f->session.plain.answer.rule, "accepted_still_asking");
    assert_string_equal(f->session.plain.answer.reply, "250 2.1.5 Ok");
    assert_string_equal(f->session.plain.answer.mx, "mx.example.org");
}

static void a_later_verdict_changes_nothing_in_a_dry_run(void **state)
{
    struct session_rig *f = *state;

    session_rig_begin(f, "dry_run = yes\n" PAIR("on_invalid = \"reject\"", "verify = \"none\""));
    session_rig_mail(f, "<bad@example.org>");
    is_pending(rcpt(f, "<u@a.example>"));
    is_decided(rcpt(f, "<u@b.example>"), RB_REASON_EXEMPT, ACTION_ACCEPT); /* nor is it put off */
    answer(f);
    assert_null(collect(f));
    is_decided(f->session.decisions, RB_REASON_NO_SUCH_USER, ACTION_ACCEPT);
    assert_int_equal(f->session.decisions->wanted, ACTION_REJECT);
}

/* --- Ticks ----------------------------------------------------------------- */

struct ticks {
    struct session_rig *rig;
    unsigned count;
};

static void answer_at_tick(void *arg)
{
    struct ticks *ticks = arg;

    ticks->count++;
    answer(ticks->rig);
}

static void the_mta_hears_that_we_are_still_at_it(void **state)
{
    struct session_rig *f = *state;
    struct ticks ticks = {.rig = f};

    session_rig_begin(f, AT_DATA);
    (void)rcpt(f, "<u@a.example>");
    f->session.plain.asked_ms += SESSION_TICK_MS - 1; /* instead of waiting so long for the first */
    assert_null(decide_collect(&f->session, PATIENCE_MS, answer_at_tick, &ticks));
    assert_int_equal(ticks.count, 1);
    is_decided(f->session.decisions, RB_REASON_ACCEPTED, ACTION_ACCEPT);
}

static void an_answer_that_is_there_needs_no_tick(void **state)
{
    struct session_rig *f = *state;
    struct ticks ticks = {.rig = f};

    session_rig_begin(f, AT_DATA);
    (void)rcpt(f, "<u@a.example>");
    answer(f);
    session_rig_await_idle(f);
    f->session.plain.asked_ms += SESSION_TICK_MS - 1;
    assert_null(decide_collect(&f->session, PATIENCE_MS, answer_at_tick, &ticks));
    assert_int_equal(ticks.count, 0);
}

/* --- Several recipients ---------------------------------------------------- */

static void recipients_under_one_policy_share_the_verdict(void **state)
{
    struct session_rig *f = *state;
    struct decision *decision;

    session_rig_begin(f, AT_DATA);
    session_rig_mail(f, "<bad@example.org>");
    decision = rcpt(f, "<u@a.example>");
    assert_ptr_equal(rcpt(f, "<u@b.example>"), decision);
    assert_int_equal(decision->recipients, 2);
    assert_int_equal(questions(f), 1);
    answer(f);
    assert_ptr_equal(collect(f), decision);
}

static void policies_that_act_alike_share_the_verdict(void **state)
{
    struct session_rig *f = *state;

    session_rig_begin(f, PAIR("on_unknown = \"tempfail\"", "on_unknown = \"tempfail\""));
    session_rig_mail(f, "<bad@example.org>");
    is_pending(rcpt(f, "<u@a.example>"));
    is_pending(rcpt(f, "<u@b.example>"));
    assert_int_equal(session_rig_decisions(&f->session), 2);
    assert_int_equal(questions(f), 1);
    answer(f);
    assert_non_null(collect(f));
    for (const struct decision *each = f->session.decisions; each != NULL; each = each->next)
        is_decided(each, RB_REASON_NO_SUCH_USER, ACTION_REJECT);
}

static void recipients_of_another_fate_are_put_off(void **state)
{
    static const char *const pairs[] = {
        PAIR("on_invalid = \"reject\"", "on_invalid = \"tag\""),
        PAIR("on_invalid = \"tag\"", "on_invalid = \"reject\""),
        PAIR("on_invalid = \"reject\"", "on_invalid = \"tempfail\""),
        PAIR("on_unknown = \"accept\"", "on_unknown = \"tempfail\""),
        PAIR("on_greylisted = \"tempfail\"", "on_greylisted = \"accept\""),
        PAIR("on_spf_fail = \"accept\"", "on_spf_fail = \"reject\""),
        PAIR("on_spf_softfail = \"accept\"", "on_spf_softfail = \"reject\""),
        PAIR("on_not_vouched = \"tempfail\"", "on_not_vouched = \"accept\""),
        PAIR("verify = \"sender\"", "verify = \"none\""),
        PAIR("verify = \"none\"", "verify = \"sender\""),
    };
    struct session_rig *f = *state;

    for (size_t i = 0; i < COUNT(pairs); i++) {
        struct decision *first;

        print_message("# %s\n", pairs[i]);
        session_rig_begin(f, pairs[i]);
        first = rcpt(f, "<u@a.example>");
        assert_int_equal(first->action, ACTION_ACCEPT);
        is_put_off(f, rcpt(f, "<u@b.example>"));
        is_put_off(f, rcpt(f, "<v@b.example>"));
        assert_ptr_equal(rcpt(f, "<v@a.example>"), first);
        assert_int_equal(session_rig_decisions(&f->session), 1);
    }
}

static void in_a_message_of_its_own_such_a_recipient_is_served(void **state)
{
    struct session_rig *f = *state;

    session_rig_begin(f, PAIR("on_invalid = \"reject\"", "on_invalid = \"tag\""));
    session_rig_mail(f, "<bad@example.org>");
    is_pending(rcpt(f, "<u@a.example>"));
    is_put_off(f, rcpt(f, "<u@b.example>"));
    session_rig_mail(f, "<bad@example.org>");
    is_pending(rcpt(f, "<u@b.example>"));
    answer(f);
    assert_null(collect(f));
    is_decided(f->session.decisions, RB_REASON_NO_SUCH_USER, ACTION_TAG);
}

/* What turns nobody away turns nobody away with others. */
static void policies_that_refuse_nothing_part_no_message(void **state)
{
    static const char *const pairs[] = {
        PAIR("on_invalid = \"tag\"", "on_invalid = \"quarantine\""),
        PAIR("on_invalid = \"accept\"", "verify = \"none\""),
        PAIR("verify = \"none\"", "on_invalid = \"tag\""),
    };
    struct session_rig *f = *state;

    for (size_t i = 0; i < COUNT(pairs); i++) {
        print_message("# %s\n", pairs[i]);
        session_rig_begin(f, pairs[i]);
        assert_int_equal(rcpt(f, "<u@a.example>")->of, OF_SENDER);
        assert_int_equal(rcpt(f, "<u@b.example>")->of, OF_SENDER);
        assert_int_equal(session_rig_decisions(&f->session), 2);
    }
}

static void our_own_callout_sender_is_put_off_beside_others(void **state)
{
    struct session_rig *f = *state;

    session_rig_begin(f, AT_DATA);
    is_pending(rcpt(f, "<u@a.example>"));
    is_put_off(f, rcpt(f, "<postmaster@mx.example.net>"));
    session_rig_mail(f, "<good@example.org>");
    is_decided(rcpt(f, "<postmaster@mx.example.net>"), RB_REASON_EXEMPT, ACTION_ACCEPT);
    is_put_off(f, rcpt(f, "<u@a.example>"));
}

static void once_the_verdict_is_known_each_policy_decides(void **state)
{
    struct session_rig *f = *state;

    session_rig_begin(f, PAIR("on_invalid = \"reject\"", "on_invalid = \"tag\""));
    session_rig_mail(f, "<bad@example.org>");
    (void)rcpt(f, "<u@a.example>");
    answer(f);
    (void)collect(f);
    session_rig_mail(f, "<bad@example.org>");
    is_decided(rcpt(f, "<u@a.example>"), RB_REASON_NO_SUCH_USER, ACTION_REJECT);
    is_decided(rcpt(f, "<u@b.example>"), RB_REASON_NO_SUCH_USER, ACTION_TAG);
    is_decided(rcpt(f, "<u@c.example>"), RB_REASON_NO_SUCH_USER, ACTION_REJECT);
    assert_null(collect(f));
    assert_int_equal(decide_message(&f->session)->action, ACTION_TAG);
}

static void a_verdict_that_comes_between_two_recipients_is_for_both(void **state)
{
    struct session_rig *f = *state;
    struct decision *first;

    session_rig_begin(f, PAIR("on_unknown = \"tag\"", "on_unknown = \"tag\""));
    session_rig_mail(f, "<bad@example.org>");
    first = rcpt(f, "<u@a.example>");
    is_pending(first);
    answer(f);
    session_rig_await_idle(f);
    is_decided(rcpt(f, "<u@b.example>"), RB_REASON_NO_SUCH_USER, ACTION_REJECT);
    assert_true(decide_is_pending(&f->session)); /* the first was let in */
    assert_ptr_equal(collect(f), first);
}

static void of_a_message_under_many_policies_each_is_settled(void **state)
{
    struct session_rig *f = *state;
    char text[CROWD * 96] = AT_DATA;
    size_t len = strlen(text);

    for (int i = 0; i < CROWD; i++) {
        len += (size_t)snprintf(text + len, sizeof text - len,
                                "policy \"p%d\" { match { recipient = { \"r%d.example\" } } }\n", i,
                                i);
        assert_true(len < sizeof text);
    }
    session_rig_begin(f, text);
    session_rig_mail(f, "<bad@example.org>");
    for (int i = 0; i < CROWD; i++) {
        char argument[32];

        (void)snprintf(argument, sizeof argument, "<u@r%d.example>", i);
        is_pending(rcpt(f, argument));
    }
    assert_int_equal(session_rig_decisions(&f->session), CROWD);
    answer(f);
    assert_non_null(collect(f));
    for (const struct decision *each = f->session.decisions; each != NULL; each = each->next)
        is_decided(each, RB_REASON_NO_SUCH_USER, ACTION_REJECT);
    assert_null(decide_message(&f->session));
}

/* --- Who vouches ------------------------------------------------------------- */

#define VOUCHED "policy \"v\" { match { recipient = { \"v.example\" } } vouched = yes }\n"

static void is_told_by(const struct session_rig *f, const struct decision *decision,
                       enum rb_voucher voucher)
{
    const struct rb_answer *answer = envelope_answer(&f->session, decision);

    assert_int_equal(answer->reason, decision->reason);
    assert_int_equal(answer->voucher, voucher);
}

static void a_policy_that_vouches_opens_the_gate(void **state)
{
    struct session_rig *f = *state;
    struct session_rig_gate gate = {.closed = RB_REASON_SPF_FAIL, .open = RB_REASON_NO_SUCH_USER};

    const uint64_t counted = metrics_vouchers(RB_VOUCHER_POLICY);

    session_rig_begin_behind_gate(f, &gate, VOUCHED);
    is_decided(rcpt(f, "<u@v.example>"), RB_REASON_NO_SUCH_USER, ACTION_REJECT);
    assert_int_equal(metrics_vouchers(RB_VOUCHER_POLICY), counted + 1);
    assert_int_equal(gate.asked[RB_VOUCHER_POLICY], 1);
    assert_int_equal(gate.asked[RB_VOUCHER_NOBODY], 0);
}

/* The order of recipients makes no difference: what is decided for each rests on its own answer. */
static void each_recipient_has_the_answer_that_its_policy_asks_for(void **state)
{
    static const struct {
        const char *argument;
        enum rb_reason reason;
        enum action action;
        enum rb_voucher voucher;
    } rows[] = {
        {"<u@a.example>", RB_REASON_SPF_FAIL, ACTION_TAG, RB_VOUCHER_NOBODY},
        {"<u@v.example>", RB_REASON_NO_SUCH_USER, ACTION_REJECT, RB_VOUCHER_POLICY},
    };
    struct session_rig *f = *state;

    for (size_t first = 0; first < COUNT(rows); first++) {
        struct session_rig_gate gate = {.closed = RB_REASON_SPF_FAIL,
                                        .open = RB_REASON_NO_SUCH_USER};
        const struct decision *decisions[COUNT(rows)];

        session_rig_begin_behind_gate(f, &gate, VOUCHED "policy \"rest\" { on_spf_fail = tag }");
        for (size_t i = 0; i < COUNT(rows); i++)
            decisions[(first + i) % 2] = rcpt(f, rows[(first + i) % 2].argument);
        (void)rcpt(f, "<w@a.example>");
        (void)rcpt(f, "<w@v.example>");
        for (size_t i = 0; i < COUNT(rows); i++) {
            is_decided(decisions[i], rows[i].reason, rows[i].action);
            is_told_by(f, decisions[i], rows[i].voucher);
            assert_int_equal(decisions[i]->recipients, 2);
            assert_int_equal(gate.asked[rows[i].voucher], 1);
        }
        session_rig_is_told(f, decisions[1], "550", "5.1.7",
                            "<good@example.org>: sender address rejected: undeliverable address: "
                            "said: \"550 5.1.1 it said\"");
    }
}

static void what_the_gate_did_not_hold_back_is_not_asked_again(void **state)
{
    static const enum rb_reason reasons[] = {RB_REASON_ACCEPTED, RB_REASON_NO_SUCH_USER,
                                             RB_REASON_LIMITED, RB_REASON_TIMEOUT};
    struct session_rig *f = *state;

    for (size_t i = 0; i < COUNT(reasons); i++) {
        struct session_rig_gate gate = {.closed = reasons[i], .open = RB_REASON_INTERNAL_ERROR};

        session_rig_begin_behind_gate(f, &gate, VOUCHED);
        assert_int_equal(rcpt(f, "<u@a.example>")->reason, reasons[i]);
        assert_int_equal(rcpt(f, "<u@v.example>")->reason, reasons[i]);
        assert_int_equal(gate.asked[RB_VOUCHER_POLICY], 0);
        assert_int_equal(gate.asked[RB_VOUCHER_NOBODY], 1);
    }
}

static void every_word_of_the_gate_is_asked_about_again(void **state)
{
    static const enum rb_reason reasons[] = {RB_REASON_SPF_FAIL, RB_REASON_SPF_SOFTFAIL,
                                             RB_REASON_NOT_VOUCHED};
    struct session_rig *f = *state;

    for (size_t i = 0; i < COUNT(reasons); i++) {
        struct session_rig_gate gate = {.closed = reasons[i], .open = RB_REASON_ACCEPTED};

        session_rig_begin_behind_gate(f, &gate, VOUCHED);
        assert_int_equal(rcpt(f, "<u@a.example>")->reason, reasons[i]);
        assert_int_equal(rcpt(f, "<u@v.example>")->reason, RB_REASON_ACCEPTED);
    }
}

static void who_vouches_later_makes_another_decision(void **state)
{
    struct session_rig *f = *state;
    struct session_rig_gate gate = {.closed = RB_REASON_NOT_VOUCHED,
                                    .open = RB_REASON_NO_SUCH_USER};
    const struct decision *decision;

    session_rig_begin_behind_gate(f, &gate, "decide_at = \"eom\"\n");
    decision = rcpt(f, "<u@a.example>");
    is_decided(decision, RB_REASON_NOT_VOUCHED, ACTION_ACCEPT);
    decide_vouch(&f->session, RB_VOUCHER_DKIM);
    is_pending(decision);
    assert_ptr_equal(collect(f), decision);
    is_decided(decision, RB_REASON_NO_SUCH_USER, ACTION_REJECT);
    is_told_by(f, decision, RB_VOUCHER_DKIM);
    decide_vouch(&f->session, RB_VOUCHER_DKIM);
    assert_null(collect(f));
    assert_int_equal(gate.asked[RB_VOUCHER_DKIM], 1);
}

static void who_vouches_later_changes_no_other_decision(void **state)
{
    struct session_rig *f = *state;
    struct session_rig_gate gate = {.closed = RB_REASON_SPF_FAIL, .open = RB_REASON_NO_SUCH_USER};

    session_rig_begin_behind_gate(f, &gate,
                                  "policy \"strict\" { on_spf_fail = reject on_invalid = tag }\n");
    is_decided(rcpt(f, "<u@a.example>"), RB_REASON_SPF_FAIL, ACTION_REJECT);
    decide_vouch(&f->session, RB_VOUCHER_DKIM); /* the recipient was turned away */
    assert_false(decide_is_pending(&f->session));
    session_rig_begin_behind_gate(f, &gate, "policy \"none\" { verify = none }\n");
    is_decided(rcpt(f, "<u@a.example>"), RB_REASON_EXEMPT, ACTION_ACCEPT);
    decide_vouch(&f->session, RB_VOUCHER_DKIM);
    assert_false(decide_is_pending(&f->session));
    gate.closed = RB_REASON_CATCH_ALL;
    session_rig_begin_behind_gate(f, &gate, "");
    is_decided(rcpt(f, "<u@a.example>"), RB_REASON_CATCH_ALL, ACTION_ACCEPT);
    decide_vouch(&f->session, RB_VOUCHER_DKIM);
    assert_false(decide_is_pending(&f->session));
    assert_int_equal(gate.asked[RB_VOUCHER_DKIM], 0);
}

/* The sender's verdict, once it comes, is that of one of the policies alone. */
static void policies_that_vouch_and_others_part_a_message(void **state)
{
    static const char *const pairs[] = {
        PAIR("vouched = yes", "vouched = no"),
        PAIR("vouched = no", "vouched = yes"),
    };
    struct session_rig *f = *state;

    for (size_t i = 0; i < COUNT(pairs); i++) {
        session_rig_begin(f, pairs[i]);
        is_pending(rcpt(f, "<u@a.example>"));
        is_put_off(f, rcpt(f, "<u@b.example>"));
    }
}

/* --- Messages that are given up -------------------------------------------- */

static void what_was_left_pending_is_found_out_all_the_same(void **state)
{
    struct session_rig *f = *state;

    session_rig_begin(f, AT_DATA);
    session_rig_mail(f, "<bad@example.org>");
    is_pending(rcpt(f, "<u@a.example>"));
    session_reset(&f->session);
    assert_null(f->session.plain.ticket);
    assert_false(decide_is_pending(&f->session));
    answer(f);
    session_rig_await_idle(f);
    session_rig_mail(f, "<bad@example.org>");
    is_decided(rcpt(f, "<u@a.example>"), RB_REASON_NO_SUCH_USER, ACTION_REJECT);
    assert_true(f->session.plain.answer.cached);
}

static void another_message_begins_with_nothing_pending(void **state)
{
    struct session_rig *f = *state;

    session_rig_begin(f, AT_DATA);
    is_pending(rcpt(f, "<u@a.example>"));
    session_rig_mail(f, "<>");
    assert_false(decide_is_pending(&f->session));
    assert_null(collect(f));
    assert_int_equal(session_rig_decisions(&f->session), 0);
}

static void a_session_that_ends_leaves_nothing_behind(void **state)
{
    struct session_rig *f = *state;

    session_rig_begin(f, AT_DATA);
    is_pending(rcpt(f, "<u@a.example>"));
    session_rig_begin(f, AT_DATA); /* the one before is ended; a ticket left over would leak */
    is_pending(rcpt(f, "<u@a.example>"));
    assert_true(fake_host_wait(f->host, "RCPT", 1));
    assert_int_equal(fake_host_connections(f->host), 1); /* it joined the callout under way */
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, session_rig_tear_down)
#define T_CATCH_ALL(name)                                                                          \
    cmocka_unit_test_setup_teardown(name, set_up_catch_all, session_rig_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_is_not_known_at_rcpt_is_told_later),
        T(a_later_refusal_is_told_as_one_at_rcpt),
        T(a_sender_who_exists_is_let_in),
        T(actions_that_let_the_message_in_are_taken_later_too),
        T(the_callout_runs_while_the_client_goes_on),
        T(it_runs_too_where_spf_must_be_asked_first),
        T(what_does_not_come_in_time_is_unknown),
        T(without_time_nobody_waits),
        T(what_was_collected_is_not_collected_again),
        T(what_the_cache_knows_is_decided_at_rcpt),
        T(what_is_no_address_is_decided_at_rcpt),
        T(a_message_without_anybody_to_verify_is_never_pending),
        T(recipient_and_sender_share_the_time_of_one_reply),
        T(at_rcpt_a_refused_sender_is_decided),
        T(an_accepted_sender_is_let_in_before_the_domain_is_known),
        T_CATCH_ALL(what_a_catch_all_is_worth_is_told_later),
        T_CATCH_ALL(where_a_catch_all_is_turned_away_it_is_waited_for),
        T_CATCH_ALL(a_recipient_under_a_harsher_policy_waits),
        T(a_client_that_leaves_is_told_apart_from_one_not_answered),
        T(a_later_verdict_changes_nothing_in_a_dry_run),
        T(the_mta_hears_that_we_are_still_at_it),
        T(an_answer_that_is_there_needs_no_tick),
        T(recipients_under_one_policy_share_the_verdict),
        T(policies_that_act_alike_share_the_verdict),
        T(recipients_of_another_fate_are_put_off),
        T(in_a_message_of_its_own_such_a_recipient_is_served),
        T(policies_that_refuse_nothing_part_no_message),
        T(our_own_callout_sender_is_put_off_beside_others),
        T(once_the_verdict_is_known_each_policy_decides),
        T(a_verdict_that_comes_between_two_recipients_is_for_both),
        T(of_a_message_under_many_policies_each_is_settled),
        T(a_policy_that_vouches_opens_the_gate),
        T(each_recipient_has_the_answer_that_its_policy_asks_for),
        T(what_the_gate_did_not_hold_back_is_not_asked_again),
        T(every_word_of_the_gate_is_asked_about_again),
        T(who_vouches_later_makes_another_decision),
        T(who_vouches_later_changes_no_other_decision),
        T(policies_that_vouch_and_others_part_a_message),
        T(what_was_left_pending_is_found_out_all_the_same),
        T(another_message_begins_with_nothing_pending),
        T(a_session_that_ends_leaves_nothing_behind),
    };

    return cmocka_run_group_tests_name("decide", tests, NULL, NULL);
}
