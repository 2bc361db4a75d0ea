/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_recipient: recipients, each by itself: who is asked about, what the client is told and what
 * it is not, what silence leads to, and those who guess. A mail store and a mail host on the
 * loopback count what they were asked.
 */
#include "config.h"

#include "session/recipient.h"

#include "check.h"

#include "session/guessers.h"
#include "daemon/metrics.h"
#include "session/decide.h"
#include "session_rig.h"

#define DEAD_IP "127.0.0.9"

/* --- The world ------------------------------------------------------------- */

static const struct fake_dns_answer mx[] = {
    {.type = ns_t_mx, .preference = 10, .data = "mx.example.org"}};
static const struct fake_dns_answer dead_mx[] = {
    {.type = ns_t_mx, .preference = 10, .data = "dead.example.org"}};
static const struct fake_dns_answer address[] = {{.type = ns_t_a, .data = "127.0.0.1"}};
static const struct fake_dns_answer dead_address[] = {{.type = ns_t_a, .data = DEAD_IP}};

static const struct fake_dns_row zone[] = {
    {.name = "mx.example.org", .type = ns_t_a, .answers = address, .count = 1},
    {.name = "dead.example.org", .type = ns_t_a, .answers = dead_address, .count = 1},
    {.name = "example.org", .type = ns_t_mx, .answers = mx, .count = 1},
    {.name = "backup.example", .type = ns_t_mx, .answers = mx, .count = 1},
    {.name = "dead.example", .type = ns_t_mx, .answers = dead_mx, .count = 1},
    {.name = "broken.example.org", .rcode = ns_r_servfail},
};

static const struct fake_host_reply senders[] = {
    {"good@example.org", "250 2.1.5 Ok"},
    {"user@backup.example", "250 2.1.5 Ok"},
};

static const struct fake_host_reply recipients[] = {
    {"user@here.example", "250 2.1.5 Ok"},
    {"two@here.example", "250 2.1.5 Ok"},
    {"user@down.here.example", "250 2.1.5 Ok"},
    {"full@here.example", "452 4.2.2 secret words of store1.internal [10.0.0.1]: mailbox full"},
    {"closed@here.example",
     "550 5.2.1 secret words of store1.internal [10.0.0.1]: mailbox disabled"},
    {"later@here.example", "451 4.3.0 secret words of store1.internal [10.0.0.1]: later"},
    {"grey@here.example", "450 4.7.1 Greylisted"},
    {"blocked@here.example", "554 5.7.1 Client host [10.0.0.9] blocked using zen.spamhaus.org"},
    {"odd@here.example", "554 5.3.0 Transaction failed"},
};

static const struct fake_host_options store_options = {
    .pipelining = true,
    .smtputf8 = true,
    .replies = recipients,
    .reply_count = COUNT(recipients),
    .rcpt = "550 5.1.1 secret words of store1.internal [10.0.0.1]: User unknown",
};

static int set_up(void **state)
{
    static const struct fake_host_options polite = {
        .pipelining = true, .replies = senders, .reply_count = COUNT(senders)};
    static const struct session_rig_world world = {
        .zone = zone, .zone_count = COUNT(zone), .host = &polite, .store = &store_options};

    guessers_forget();
    return session_rig_set_up(state, &world);
}

/* --- Sessions -------------------------------------------------------------- */

/* The relay of here.example is the store; each "@PORT" in the text is where it listens. */
#define RELAY "relay \"here.example\" { to = { \"" SESSION_RIG_STORE ":@PORT\" } }\n"
#define RECIPIENTS "policy \"p\" { verify = \"recipient\" on_unknown = \"quarantine\" }\n"
#define BOTH "policy \"p\" { verify = \"both\" on_unknown = \"tag\" }\n"

static struct decision *rcpt(struct session_rig *f, const char *argument)
{
    return session_rcpt(&f->session, argument);
}

static void found(const struct session_rig *f, enum rb_reason reason, enum action action)
{
    const struct decision *decision = &f->session.rcpt.decision;

    assert_true(f->session.rcpt.decided);
    assert_int_equal(decision->of, OF_RECIPIENT);
    assert_string_equal(rb_reason_name(decision->reason), rb_reason_name(reason));
    assert_int_equal(decision->verdict, rb_reason_verdict(reason));
    assert_string_equal(action_name(decision->action), action_name(action));
    assert_ptr_equal(envelope_answer(&f->session, decision), &f->session.rcpt.answer);
}

static unsigned asked(const struct session_rig *f)
{
    return fake_host_heard(f->store, "RCPT");
}

/* --- Verdicts and replies --------------------------------------------------- */

static void each_recipient_has_a_verdict_of_its_own(void **state)
{
    static const struct {
        const char *argument;
        enum rb_reason reason;
        enum action action;
    } table[] = {
        {"<user@here.example>", RB_REASON_ACCEPTED, ACTION_ACCEPT},
        {"<nobody@here.example>", RB_REASON_NO_SUCH_USER, ACTION_REJECT},
        {"two@Here.Example NOTIFY=NEVER", RB_REASON_ACCEPTED, ACTION_ACCEPT},
        {" <@route.example:closed@here.example>", RB_REASON_DISABLED, ACTION_REJECT},
        {"<full@here.example>", RB_REASON_MAILBOX_FULL, ACTION_ACCEPT},
        {"<later@here.example>", RB_REASON_TEMPFAIL, ACTION_TEMPFAIL},
        {"<blocked@here.example>", RB_REASON_BLOCKED, ACTION_QUARANTINE},
        {"<odd@here.example>", RB_REASON_REJECTED, ACTION_QUARANTINE},
        {"<nobody@here.example>", RB_REASON_NO_SUCH_USER, ACTION_REJECT},
        {"<user@here.example>", RB_REASON_ACCEPTED, ACTION_ACCEPT},
    };
    struct session_rig *f = *state;

    session_rig_begin(f, RELAY RECIPIENTS);
    for (size_t i = 0; i < COUNT(table); i++) {
        uint64_t before = metrics_decisions(table[i].reason, table[i].action);
        const struct decision *decision = rcpt(f, table[i].argument);

        print_message("# %s\n", table[i].argument);
        found(f, table[i].reason, table[i].action);
        assert_int_equal(metrics_decisions(table[i].reason, table[i].action), before + 1);
        if (table[i].action == ACTION_REJECT || table[i].action == ACTION_TEMPFAIL) {
            assert_ptr_equal(decision, &f->session.rcpt.decision);
        } else { /* let in: what is said of the sender stands, which is nothing here */
            assert_int_equal(decision->of, OF_SENDER);
            assert_int_equal(decision->exemption, EXEMPT_POLICY);
            assert_int_equal(decision->action, ACTION_ACCEPT);
        }
    }
    assert_int_equal(fake_host_connections(f->host), 0); /* nobody asked about the sender */
    assert_int_equal(decide_message(&f->session)->of, OF_SENDER);
}

static void the_client_is_told_nothing_of_our_hosts(void **state)
{
    static const struct {
        const char *argument, *code, *enhanced, *text;
    } table[] = {
        {"<nobody@here.example>", "550", "5.1.1",
         "<nobody@here.example>: recipient address rejected: undeliverable address"},
        {"<closed@here.example>", "550", "5.1.1",
         "<closed@here.example>: recipient address rejected: undeliverable address"},
        {"<later@here.example>", "450", "4.1.1",
         "<later@here.example>: recipient address rejected: unverified address"},
    };
    struct session_rig *f = *state;

    session_rig_begin(f, RELAY RECIPIENTS);
    for (int round = 0; round < 2; round++) /* from the cache too */
        for (size_t i = 0; i < COUNT(table); i++) {
            const struct decision *decision = rcpt(f, table[i].argument);

            assert_non_null(strstr(f->session.rcpt.answer.reply, "secret words"));
            session_rig_is_told(f, decision, table[i].code, table[i].enhanced, table[i].text);
        }
}

static void a_refusal_by_tempfail_is_no_rejection(void **state)
{
    struct session_rig *f = *state;

    session_rig_begin(f, RELAY "policy \"p\" { verify = \"recipient\" on_invalid = \"tempfail\" }");
    session_rig_is_told(f, rcpt(f, "<nobody@here.example>"), "450", "4.1.1",
                        "<nobody@here.example>: recipient address rejected: undeliverable address");
}

/* --- Room for the message ----------------------------------------------------- */

static const struct fake_host_reply roomy[] = {
    {"user@here.example", "250 2.1.5 Ok"},
    {"full@here.example", "552 5.2.2 secret words of store1.internal [10.0.0.1]: mailbox full"},
    {"later@here.example", "452 4.2.2 secret words of store1.internal [10.0.0.1]: mailbox full"},
};

/* A store that takes messages of up to 1,000 octets. */
static void begin_with_room(struct session_rig *f, const char *text)
{
    static const struct fake_host_options options = {
        .size = true, .room = 1000, .replies = roomy, .reply_count = COUNT(roomy)};

    session_rig_start_store(f, &options);
    session_rig_begin(f, text);
}

static void mail_of_size(struct session_rig *f, unsigned size)
{
    char text[64];

    (void)snprintf(text, sizeof text, "<good@example.org> SIZE=%u", size);
    session_rig_mail(f, text);
}

#define REJECTED(recipient) "<" recipient "@here.example>: recipient address rejected: "

static void where_there_is_no_room_the_recipient_is_refused(void **state)
{
    static const struct {
        const char *on_invalid, *argument;
        unsigned size;
        enum rb_reason reason;
        enum action action;
        const char *code, *enhanced, *text; /* NULL: nothing is told */
    } table[] = {
        {"reject", "<user@here.example>", 999, RB_REASON_ACCEPTED, ACTION_ACCEPT, NULL, NULL, NULL},
        {"reject", "<full@here.example>", 999, RB_REASON_MAILBOX_FULL, ACTION_REJECT, "552",
         "5.2.2", REJECTED("full") "mailbox full"},
        {"reject", "<user@here.example>", 1001, RB_REASON_TOO_LARGE, ACTION_REJECT, "552", "5.3.4",
         REJECTED("user") "message too large"},
        /* what the store says for now, the client hears for now */
        {"reject", "<later@here.example>", 999, RB_REASON_MAILBOX_FULL, ACTION_TEMPFAIL, "452",
         "4.2.2", REJECTED("later") "mailbox full"},
        {"tempfail", "<full@here.example>", 999, RB_REASON_MAILBOX_FULL, ACTION_TEMPFAIL, "452",
         "4.2.2", REJECTED("full") "mailbox full"},
        {"tempfail", "<user@here.example>", 1001, RB_REASON_TOO_LARGE, ACTION_TEMPFAIL, "452",
         "4.3.1", REJECTED("user") "message too large"},
        /* where nobody is refused, or the size is not known, all are let in as ever */
        {"tag", "<full@here.example>", 999, RB_REASON_MAILBOX_FULL, ACTION_ACCEPT, NULL, NULL,
         NULL},
        {"accept", "<user@here.example>", 1001, RB_REASON_TOO_LARGE, ACTION_ACCEPT, NULL, NULL,
         NULL},
        {"reject", "<full@here.example>", 0, RB_REASON_MAILBOX_FULL, ACTION_ACCEPT, NULL, NULL,
         NULL},
    };
    struct session_rig *f = *state;

    for (size_t i = 0; i < COUNT(table); i++) {
        const struct decision *decision;
        char text[512];

        (void)snprintf(text, sizeof text,
                       RELAY "policy \"p\" { verify = \"recipient\" on_invalid = \"%s\" "
                             "on_unknown = \"quarantine\" }",
                       table[i].on_invalid);
        begin_with_room(f, text);
        mail_of_size(f, table[i].size);
        decision = rcpt(f, table[i].argument);
        found(f, table[i].reason, table[i].action);
        if (table[i].code != NULL)
            session_rig_is_told(f, decision, table[i].code, table[i].enhanced, table[i].text);
    }
}

static void a_relay_may_be_asked_without_the_size(void **state)
{
    struct session_rig *f = *state;

    begin_with_room(f, "relay \"here.example\" { to = { \"" SESSION_RIG_STORE
                       ":@PORT\" } check_size = no }\n" RECIPIENTS);
    mail_of_size(f, 1001);
    (void)rcpt(f, "<user@here.example>");
    found(f, RB_REASON_ACCEPTED, ACTION_ACCEPT);
    (void)rcpt(f, "<full@here.example>");
    found(f, RB_REASON_MAILBOX_FULL, ACTION_ACCEPT);
    (void)rcpt(f, "<user@here.example>");
    assert_true(f->session.rcpt.answer.cached);
    assert_int_equal(fake_host_heard(f->store, "MAIL FROM:<> SIZE="), 0);
}

/* Each message has its own answer, and none is kept but that the mailbox is there. */
static void each_message_is_asked_about(void **state)
{
    struct session_rig *f = *state;

    begin_with_room(f, RELAY RECIPIENTS);
    for (unsigned round = 0; round < 2; round++) {
        mail_of_size(f, 1001);
        (void)rcpt(f, "<user@here.example>");
        found(f, RB_REASON_TOO_LARGE, ACTION_REJECT);
        mail_of_size(f, 10);
        (void)rcpt(f, "<user@here.example>");
        found(f, RB_REASON_ACCEPTED, ACTION_ACCEPT);
        session_rig_mail(f, "<good@example.org>");
        (void)rcpt(f, "<user@here.example>");
        found(f, RB_REASON_ACCEPTED, ACTION_ACCEPT);
        assert_true(f->session.rcpt.answer.cached);
    }
    /* of the large ones the store heard no more than MAIL */
    assert_int_equal(fake_host_heard(f->store, "RCPT TO:<user@here.example>"), 2);
}

static void hosts_that_are_none_of_ours_are_asked_without_the_size(void **state)
{
    struct session_rig *f = *state;

    session_rig_begin(f, RECIPIENTS);
    mail_of_size(f, 1001);
    (void)rcpt(f, "<user@backup.example>");
    found(f, RB_REASON_ACCEPTED, ACTION_ACCEPT);
    assert_int_equal(fake_host_heard(f->host, "MAIL FROM:<> SIZE="), 0);
}

static void a_full_mailbox_is_no_guess(void **state)
{
    struct session_rig *f = *state;

    begin_with_room(f, "limits { per_client_bad_rcpt = \"1/h\" }\n" RELAY RECIPIENTS);
    for (unsigned i = 0; i < 3; i++) {
        mail_of_size(f, i == 0 ? 1001 : 999);
        (void)rcpt(f, "<full@here.example>");
        assert_true(decide_refuses(&f->session.rcpt.decision));
        assert_false(f->session.rcpt.decision.barred);
    }
    assert_int_equal(session_rig_calls.pauses, 0);
}

static void in_a_dry_run_a_full_mailbox_refuses_nobody(void **state)
{
    struct session_rig *f = *state;

    begin_with_room(f, "dry_run = yes\n" RELAY RECIPIENTS);
    mail_of_size(f, 999);
    (void)rcpt(f, "<full@here.example>");
    found(f, RB_REASON_MAILBOX_FULL, ACTION_ACCEPT);
    assert_int_equal(f->session.rcpt.decision.wanted, ACTION_REJECT);
}

static void a_hostile_recipient_does_no_harm_in_a_reply(void **state)
{
    struct session_rig *f = *state;

    session_rig_begin(f, RELAY RECIPIENTS);
    session_rig_is_told(
        f, rcpt(f, "<\"a%s\\\" b\"@here.example>"), "550", "5.1.1",
        "<\"a%s\\\" b\"@here.example>: recipient address rejected: undeliverable address");
    session_rig_is_told(f, rcpt(f, "<j\xc3\xb6rg@here.example>"), "550", "5.1.1",
                        "<j??rg@here.example>: recipient address rejected: undeliverable address");
}

static void a_sender_who_is_let_in_leaves_the_recipient_to_decide(void **state)
{
    struct session_rig *f = *state;
    struct decision *decision;

    session_rig_begin(f, RELAY BOTH);
    decision = rcpt(f, "<user@here.example>");
    assert_int_equal(decision->of, OF_SENDER);
    assert_int_equal(decision->action, ACTION_ACCEPT);
    decision = rcpt(f, "<nobody@here.example>");
    assert_int_equal(decision->of, OF_RECIPIENT);
    session_rig_is_told(f, decision, "550", "5.1.1",
                        "<nobody@here.example>: recipient address rejected: undeliverable address");
    decision = rcpt(f, "<two@here.example>");
    assert_int_equal(decision->of, OF_SENDER);
    assert_int_equal(decision->recipients, 2);
    assert_null(decide_collect(&f->session, 10000, NULL, NULL));
    assert_int_equal(decision->reason, RB_REASON_ACCEPTED);
    assert_int_equal(fake_host_heard(f->host, "RCPT TO:<good@example.org>"), 1);
}

/* Our own hosts are asked first: a forged sender's are not to be troubled by guesses. */
static void for_one_who_does_not_exist_no_stranger_is_called(void **state)
{
    struct session_rig *f = *state;
    struct decision *decision;

    session_rig_begin(f, RELAY BOTH);
    session_rig_mail(f, "<bad@example.org>");
    assert_int_equal(rcpt(f, "<nobody@here.example>")->of, OF_RECIPIENT);
    assert_int_equal(rcpt(f, "<later@here.example>")->of, OF_RECIPIENT);
    assert_int_equal(fake_host_connections(f->host), 0);
    decision = rcpt(f, "<user@here.example>");
    assert_int_equal(decision->of, OF_SENDER);
    assert_int_equal(decision->action, ACTION_REJECT);
    found(f, RB_REASON_ACCEPTED, ACTION_ACCEPT);
    assert_int_equal(fake_host_heard(f->host, "RCPT"), 1);
}

static void a_recipient_is_waited_for_only_where_the_cache_does_not_know(void **state)
{
    struct session_rig *f = *state;

    session_rig_begin(f, RELAY RECIPIENTS);
    (void)rcpt(f, "<nobody@here.example>");
    assert_int_equal(session_rig_calls.waits, 1);
    (void)rcpt(f, "<nobody@here.example>");
    assert_true(f->session.rcpt.answer.cached);
    assert_int_equal(session_rig_calls.waits, 1);
    assert_int_equal(asked(f), 1);
}

static void a_dry_run_refuses_no_recipient(void **state)
{
    struct session_rig *f = *state;

    session_rig_begin(f, "dry_run = yes\n" RELAY RECIPIENTS);
    assert_int_equal(rcpt(f, "<nobody@here.example>")->of, OF_SENDER);
    found(f, RB_REASON_NO_SUCH_USER, ACTION_ACCEPT);
    assert_int_equal(f->session.rcpt.decision.wanted, ACTION_REJECT);
    (void)rcpt(f, "<later@here.example>");
    found(f, RB_REASON_TEMPFAIL, ACTION_ACCEPT);
    assert_int_equal(f->session.rcpt.decision.wanted, ACTION_TEMPFAIL);
}

/* --- Who is asked about, and where ------------------------------------------ */

static void a_bounce_must_have_somebody_to_go_to(void **state)
{
    struct session_rig *f = *state;

    session_rig_begin(f, RELAY BOTH);
    session_rig_mail(f, "<>");
    session_rig_is_told(f, rcpt(f, "<nobody@here.example>"), "550", "5.1.1",
                        "<nobody@here.example>: recipient address rejected: undeliverable address");
    assert_int_equal(rcpt(f, "<user@here.example>")->exemption, EXEMPT_NULL_SENDER);
    found(f, RB_REASON_ACCEPTED, ACTION_ACCEPT);
}

static void nobody_is_asked_about(struct session_rig *f, const char *argument, enum exemption why)
{
    const struct decision *decision = rcpt(f, argument);

    assert_int_equal(decision->of, OF_SENDER);
    assert_int_equal(decision->exemption, why);
    assert_int_equal(decision->action, ACTION_ACCEPT);
    assert_false(f->session.rcpt.decided);
    assert_int_equal(asked(f), 0);
}

static void recipients_of_our_own_users_are_not_verified(void **state)
{
    struct session_rig *f = *state;

    session_rig_begin(f, RELAY BOTH);
    assert_int_equal(session_mail(&f->session, "<me@here.example>", true), RB_OK);
    nobody_is_asked_about(f, "<nobody@here.example>", EXEMPT_AUTHENTICATED);
    session_rig_begin_from(f, session_rig_client("127.0.0.1"), RELAY BOTH);
    nobody_is_asked_about(f, "<nobody@here.example>", EXEMPT_TRUSTED_NETWORKS);
    session_rig_begin_from(f, NULL, RELAY BOTH);
    nobody_is_asked_about(f, "<nobody@here.example>", EXEMPT_LOCAL_SUBMISSION);
}

static void our_own_callout_sender_is_not_asked_about(void **state)
{
    struct session_rig *f = *state;

    session_rig_begin(f, "relay \"*\" { to = { \"" SESSION_RIG_STORE ":@PORT\" } }\n" BOTH);
    nobody_is_asked_about(f, "<postmaster@mx.example.net>", EXEMPT_OWN_CALLOUT_SENDER);
}

static void what_is_no_address_is_not_asked_about(void **state)
{
    static const char *const arguments[] = {"<>", "<nobody>", "<@>", "<a b@here.example>", ""};
    struct session_rig *f = *state;

    session_rig_begin(f, RELAY RECIPIENTS);
    for (size_t i = 0; i < COUNT(arguments); i++)
        nobody_is_asked_about(f, arguments[i], EXEMPT_POLICY);
}

static void policies_that_verify_no_recipients_ask_nobody(void **state)
{
    struct session_rig *f = *state;

    session_rig_begin(
        f, RELAY "policy \"s\" { match { recipient = { \"user@\" } } verify = \"recipient\" }\n"
                 "policy \"n\" { verify = \"none\" }\n");
    nobody_is_asked_about(f, "<nobody@here.example>", EXEMPT_POLICY);
    (void)rcpt(f, "<user@here.example>");
    found(f, RB_REASON_ACCEPTED, ACTION_ACCEPT);
}

static void the_nearest_relay_is_asked(void **state)
{
    struct session_rig *f = *state;

    session_rig_begin(f, "relay \"*\" { to = { \"" DEAD_IP ":1\" } on_unreachable = \"tag\" }\n"
                         "relay \".here.example\" { to = { \"" SESSION_RIG_STORE
                         ":@PORT\" } }\n" RECIPIENTS);
    (void)rcpt(f, "<user@down.here.example>");
    found(f, RB_REASON_ACCEPTED, ACTION_ACCEPT);
    (void)rcpt(f, "<user@here.example>");
    found(f, RB_REASON_UNREACHABLE, ACTION_TAG);
}

static void without_a_relay_the_domains_own_mail_hosts_are_asked(void **state)
{
    struct session_rig *f = *state;

    session_rig_begin(f, RELAY RECIPIENTS);
    (void)rcpt(f, "<user@backup.example>");
    found(f, RB_REASON_ACCEPTED, ACTION_ACCEPT);
    assert_string_equal(f->session.rcpt.answer.mx, "mx.example.org");
    session_rig_is_told(
        f, rcpt(f, "<nobody@backup.example>"), "550", "5.1.1",
        "<nobody@backup.example>: recipient address rejected: undeliverable address");
    assert_int_equal(asked(f), 0);
}

/* The MTA takes its mail: that DNS does not know it is a fault of ours. */
static void a_domain_that_dns_does_not_know_is_for_on_unknown(void **state)
{
    struct session_rig *f = *state;

    session_rig_begin(f, RELAY RECIPIENTS "limits { per_client_bad_rcpt = 1/h }\n");
    for (int i = 0; i < 3; i++) { /* nor is it a guess */
        (void)rcpt(f, "<user@nowhere.invalid>");
        found(f, RB_REASON_NO_DOMAIN, ACTION_QUARANTINE);
    }
}

/* There is no on_unreachable without a relay. */
static void preferred_hosts_that_are_silent_are_for_the_policy(void **state)
{
    struct session_rig *f = *state;

    session_rig_begin(f, RELAY RECIPIENTS);
    (void)rcpt(f, "<user@dead.example>");
    found(f, RB_REASON_UNREACHABLE, ACTION_QUARANTINE);
}

/* --- Silence ---------------------------------------------------------------- */

/* on_unreachable is none of the actions that the policy could take. */
#define SILENT_RELAY(target)                                                                       \
    "max_wait = \"10s\"\nrelay \"here.example\" { to = { \"" target "\" }"                         \
    " on_unreachable = \"tag\" }\n" RECIPIENTS

static void what_is_silence(void **state)
{
    static const struct {
        struct fake_host_options store;
        enum rb_reason reason;
    } table[] = {
        /* no two failures on end: it would be left alone */
        {{.banner = ""}, RB_REASON_UNREACHABLE},
        {{.rcpt = "451 4.3.0 later"}, RB_REASON_TEMPFAIL},
        {{.banner = "what?"}, RB_REASON_PROTOCOL_ERROR},
        {{.rcpt = "450 4.7.1 Greylisted"}, RB_REASON_GREYLISTED},
        {{.banner = "421 4.3.2 closing"}, RB_REASON_TEMPFAIL},
        {{.rcpt = "530 5.7.0 Must issue a STARTTLS command first"}, RB_REASON_TLS_REQUIRED},
    };
    struct session_rig *f = *state;

    for (size_t i = 0; i < COUNT(table); i++) {
        print_message("# %s\n", rb_reason_name(table[i].reason));
        session_rig_start_store(f, &table[i].store);
        session_rig_begin(f, SILENT_RELAY(SESSION_RIG_STORE ":@PORT"));
        (void)rcpt(f, "<user@here.example>");
        found(f, table[i].reason, ACTION_TAG);
        session_rig_await_idle(f);
    }
}

static void what_is_no_silence(void **state)
{
    static const struct {
        struct fake_host_options store;
        enum rb_reason reason;
    } table[] = {
        {{.rcpt = "554 5.3.0 Transaction failed"}, RB_REASON_REJECTED},
        {{.rcpt = "250 2.1.5 Ok"}, RB_REASON_CATCH_ALL},
        {{.rcpt = "550 5.7.1 Relaying denied"}, RB_REASON_REJECTED},
        {{.banner = "554 5.7.1 Client host blocked using zen.spamhaus.org"}, RB_REASON_BLOCKED},
        {{.null_sender = "550 5.7.1 <>: Sender address rejected: null sender is not allowed",
          .mail = "550 5.7.1 <>: Sender address rejected: null sender is not allowed"},
         RB_REASON_NULL_SENDER_REFUSED},
    };
    struct session_rig *f = *state;

    for (size_t i = 0; i < COUNT(table); i++) {
        print_message("# %s\n", rb_reason_name(table[i].reason));
        session_rig_start_store(f, &table[i].store);
        session_rig_begin(f, SILENT_RELAY(SESSION_RIG_STORE ":@PORT"));
        for (int times = 0; times < 3; times++) { /* it is not taken for a dead one later */
            (void)rcpt(f, "<user@here.example>");
            found(f, table[i].reason, ACTION_QUARANTINE);
            session_rig_await_idle(f);
        }
    }
}

static void a_relay_that_is_left_alone_is_silent_too(void **state)
{
    static const enum rb_reason reasons[] = {RB_REASON_UNREACHABLE, RB_REASON_UNREACHABLE,
                                             RB_REASON_LIMITED};
    struct session_rig *f = *state;

    session_rig_begin(f, SILENT_RELAY(DEAD_IP ":1"));
    for (size_t i = 0; i < COUNT(reasons); i++) {
        (void)rcpt(f, "<user@here.example>");
        found(f, reasons[i], ACTION_TAG);
        session_rig_await_idle(f);
    }
}

static void a_relay_without_an_address_is_silent(void **state)
{
    struct session_rig *f = *state;

    session_rig_begin(f, SILENT_RELAY("missing.example.org:25"));
    (void)rcpt(f, "<user@here.example>");
    found(f, RB_REASON_UNREACHABLE, ACTION_TAG);
    session_rig_begin(f, SILENT_RELAY("broken.example.org:25"));
    (void)rcpt(f, "<user@here.example>");
    found(f, RB_REASON_DNS_FAILURE, ACTION_TAG);
}

static void a_relay_that_does_not_answer_in_time_is_silent(void **state)
{
    struct session_rig *f = *state;

    f->options.max_workers = 1;
    f->options.max_pending = 1;
    session_rig_begin(f, "max_wait = \"60ms\"\n"
                         "relay \"here.example\" { to = { \"" SESSION_RIG_STORE
                         ":@PORT\" } on_unreachable = \"tag\" }\n" RECIPIENTS);
    fake_host_hold(f->store, true);
    (void)rcpt(f, "<user@here.example>");
    found(f, RB_REASON_TIMEOUT, ACTION_TAG);
    assert_true(fake_host_wait(f->store, "RCPT", 1));
    (void)rcpt(f, "<two@here.example>");
    found(f, RB_REASON_TIMEOUT, ACTION_TAG);
    (void)rcpt(f, "<full@here.example>"); /* one is asked about, one waits: there is no more room */
    found(f, RB_REASON_BUSY, ACTION_TAG);
}

/* --- Deciding later ---------------------------------------------------------- */

static void recipients_are_verified_at_rcpt_whatever_is_decided_later(void **state)
{
    struct session_rig *f = *state;

    fake_host_hold(f->host, true);
    session_rig_begin(f, "decide_at = \"eom\"\n" RELAY BOTH);
    assert_true(rcpt(f, "<user@here.example>")->pending);
    found(f, RB_REASON_ACCEPTED, ACTION_ACCEPT);
    session_rig_is_told(f, rcpt(f, "<nobody@here.example>"), "550", "5.1.1",
                        "<nobody@here.example>: recipient address rejected: undeliverable address");
    assert_true(decide_is_pending(&f->session));
    fake_host_hold(f->host, false);
    assert_null(decide_collect(&f->session, 10000, NULL, NULL));
    assert_int_equal(decide_message(&f->session)->reason, RB_REASON_ACCEPTED);
}

static void one_that_was_put_off_leaves_nothing_to_the_next(void **state)
{
    struct session_rig *f = *state;

    fake_host_hold(f->host, true);
    session_rig_begin(
        f, "decide_at = \"data\"\n" RELAY
           "policy \"here\" { match { recipient = { \"here.example\" } } verify = \"both\" }\n"
           "policy \"other\" { verify = \"none\" }\n");
    (void)rcpt(f, "<user@here.example>");
    session_rig_is_told(
        f, rcpt(f, "<u@elsewhere.example>"), "452", "4.5.3",
        "<u@elsewhere.example>: other recipients of this message are treated otherwise, send it "
        "separately");
    session_rig_is_told(f, rcpt(f, "<nobody@here.example>"), "550", "5.1.1",
                        "<nobody@here.example>: recipient address rejected: undeliverable address");
    assert_false(f->session.rcpt.decision.put_off);
    fake_host_hold(f->host, false);
}

/* --- Guessers ---------------------------------------------------------------- */

#define FOUR "limits { per_client_bad_rcpt = \"4/h\" }\n"

static void guess(struct session_rig *f, unsigned times)
{
    static unsigned number;
    char argument[48];

    for (unsigned i = 0; i < times; i++) {
        (void)snprintf(argument, sizeof argument, "<guess%u@here.example>", number++);
        (void)rcpt(f, argument);
        found(f, RB_REASON_NO_SUCH_USER, ACTION_REJECT);
    }
}

static void is_barred(struct session_rig *f, bool barred)
{
    unsigned before = asked(f), connections = fake_host_connections(f->store);
    const struct decision *decision = rcpt(f, "<nobody@here.example>");

    assert_int_equal(f->session.rcpt.decision.barred, barred);
    if (!barred) {
        found(f, RB_REASON_NO_SUCH_USER, ACTION_REJECT);
        return;
    }
    found(f, RB_REASON_LIMITED, ACTION_TEMPFAIL);
    assert_string_equal(f->session.rcpt.answer.rule, "per_client_bad_rcpt");
    session_rig_is_told(f, decision, "450", "4.7.1",
                        "<nobody@here.example>: too many unknown recipients, try again later");
    assert_int_equal(asked(f), before);
    assert_int_equal(fake_host_connections(f->store), connections);
}

static void a_client_that_guesses_is_slowed_and_then_turned_away(void **state)
{
    struct session_rig *f = *state;

    session_rig_begin(f, FOUR RELAY RECIPIENTS);
    guess(f, 2);
    assert_int_equal(session_rig_calls.pauses, 0);
    (void)rcpt(f, "<user@here.example>"); /* the right ones are slowed too */
    found(f, RB_REASON_ACCEPTED, ACTION_ACCEPT);
    assert_int_equal(session_rig_calls.pauses, 1);
    guess(f, 2);
    assert_int_equal(session_rig_calls.pauses, 3);
    assert_int_equal(session_rig_calls.paused_ms, 3 * GUESSERS_SLOW_MS);
    is_barred(f, true);
    (void)rcpt(f, "<user@here.example>"); /* lest the reply tell who exists */
    found(f, RB_REASON_LIMITED, ACTION_TEMPFAIL);
    assert_int_equal(session_rig_calls.pauses, 3);
}

static void where_nobody_is_turned_away_nobody_is_counted_slowed_or_put_off(void **state)
{
    static const char *const actions[] = {"accept", "tag", "quarantine"};
    struct session_rig *f = *state;
    char text[256];

    for (size_t i = 0; i < COUNT(actions); i++) {
        (void)snprintf(text, sizeof text,
                       FOUR RELAY "policy \"p\" { verify = \"recipient\" on_invalid = \"%s\" }",
                       actions[i]);
        session_rig_begin(f, text);
        for (int times = 0; times < 8; times++) {
            (void)rcpt(f, "<nobody@here.example>");
            assert_int_equal(f->session.rcpt.decision.reason, RB_REASON_NO_SUCH_USER);
            assert_string_equal(action_name(f->session.rcpt.decision.action), actions[i]);
        }
        (void)rcpt(f, "<user@here.example>");
        found(f, RB_REASON_ACCEPTED, ACTION_ACCEPT);
        assert_int_equal(session_rig_calls.pauses, 0);
    }
    session_rig_begin(f, FOUR RELAY RECIPIENTS); /* nor are they held against it elsewhere */
    guess(f, 2);
    assert_int_equal(session_rig_calls.pauses, 0);
}

static void who_guesses_under_one_policy_is_not_put_off_under_another(void **state)
{
    struct session_rig *f = *state;

    session_rig_begin(f,
                      FOUR RELAY "policy \"mild\" { match { recipient = { \"user@\" } }"
                                 " verify = \"recipient\" on_invalid = \"accept\" }\n" RECIPIENTS);
    guess(f, 4);
    is_barred(f, true);
    (void)rcpt(f, "<user@here.example>");
    found(f, RB_REASON_ACCEPTED, ACTION_ACCEPT);
}

static void one_who_is_known_from_the_cache_is_a_guess_too(void **state)
{
    struct session_rig *f = *state;

    session_rig_begin(f, FOUR RELAY RECIPIENTS);
    for (int i = 0; i < 4; i++)
        is_barred(f, false);
    assert_int_equal(asked(f), 1);
    is_barred(f, true);
}

static void a_guesser_stays_one_in_its_next_session(void **state)
{
    struct session_rig *f = *state;

    session_rig_begin(f, FOUR RELAY RECIPIENTS);
    guess(f, 4);
    session_rig_begin(f, FOUR RELAY RECIPIENTS);
    is_barred(f, true);
    session_rig_begin_from(f, session_rig_client("198.51.100.8"), FOUR RELAY RECIPIENTS);
    is_barred(f, false);
    session_rig_begin_from(f, session_rig_client("::ffff:" SESSION_RIG_CLIENT),
                           FOUR RELAY RECIPIENTS); /* the same one */
    is_barred(f, true);
}

static void an_ipv6_client_is_its_network(void **state)
{
    struct session_rig *f = *state;

    session_rig_begin_from(f, session_rig_client("2001:db8::1"), FOUR RELAY RECIPIENTS);
    guess(f, 2);
    session_rig_begin_from(f, session_rig_client("2001:db8::ffff:2"), FOUR RELAY RECIPIENTS);
    guess(f, 2);
    session_rig_begin_from(f, session_rig_client("2001:db8::3"), FOUR RELAY RECIPIENTS);
    is_barred(f, true);
    session_rig_begin_from(f, session_rig_client("2001:db8:0:1::1"), FOUR RELAY RECIPIENTS);
    is_barred(f, false);
}

static void recipients_who_may_exist_are_no_guesses(void **state)
{
    static const char *const arguments[] = {"<user@here.example>", "<later@here.example>",
                                            "<blocked@here.example>", "<full@here.example>"};
    struct session_rig *f = *state;

    session_rig_begin(f, "limits { per_client_bad_rcpt = \"1/h\" }\n" RELAY RECIPIENTS);
    for (int round = 0; round < 3; round++)
        for (size_t i = 0; i < COUNT(arguments); i++) {
            (void)rcpt(f, arguments[i]);
            assert_false(f->session.rcpt.decision.barred);
        }
    assert_int_equal(session_rig_calls.pauses, 0);
    is_barred(f, false);
    is_barred(f, true);
}

static void a_client_that_is_not_known_is_never_a_guesser(void **state)
{
    static const struct sockaddr nobody = {.sa_family = AF_UNIX};
    struct session_rig *f = *state;

    session_rig_begin_from(f, &nobody, FOUR RELAY RECIPIENTS);
    guess(f, 12);
    assert_int_equal(session_rig_calls.pauses, 0);
}

static void a_guesser_is_turned_away_in_words_only_in_a_dry_run(void **state)
{
    struct session_rig *f = *state;

    session_rig_begin(f,
                      "dry_run = yes\nlimits { per_client_bad_rcpt = \"1/h\" }\n" RELAY RECIPIENTS);
    (void)rcpt(f, "<nobody@here.example>");
    assert_int_equal(rcpt(f, "<user@here.example>")->of, OF_SENDER);
    found(f, RB_REASON_LIMITED, ACTION_ACCEPT);
    assert_int_equal(f->session.rcpt.decision.wanted, ACTION_TEMPFAIL);
}

static void a_dry_run_keeps_nobody_waiting(void **state)
{
    struct session_rig *f = *state;

    session_rig_begin(f, "dry_run = yes\n" FOUR RELAY RECIPIENTS);
    for (int i = 0; i < 6; i++) {
        (void)rcpt(f, "<nobody@here.example>");
        assert_int_equal(f->session.rcpt.decision.action, ACTION_ACCEPT);
        assert_int_equal(f->session.rcpt.decision.wanted, i < 4 ? ACTION_REJECT : ACTION_TEMPFAIL);
    }
    assert_int_equal(session_rig_calls.pauses, 0);
}

static void where_nobody_can_be_kept_waiting_nobody_is(void **state)
{
    struct session_rig *f = *state;

    session_rig_begin(f, FOUR RELAY RECIPIENTS);
    f->world.pause = NULL; /* as for the command line */
    guess(f, 4);
    is_barred(f, true);
    assert_int_equal(session_rig_calls.pauses, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, session_rig_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(each_recipient_has_a_verdict_of_its_own),
        T(the_client_is_told_nothing_of_our_hosts),
        T(a_refusal_by_tempfail_is_no_rejection),
        T(where_there_is_no_room_the_recipient_is_refused),
        T(a_relay_may_be_asked_without_the_size),
        T(each_message_is_asked_about),
        T(hosts_that_are_none_of_ours_are_asked_without_the_size),
        T(a_full_mailbox_is_no_guess),
        T(in_a_dry_run_a_full_mailbox_refuses_nobody),
        T(a_hostile_recipient_does_no_harm_in_a_reply),
        T(a_sender_who_is_let_in_leaves_the_recipient_to_decide),
        T(for_one_who_does_not_exist_no_stranger_is_called),
        T(a_recipient_is_waited_for_only_where_the_cache_does_not_know),
        T(a_dry_run_refuses_no_recipient),
        T(a_bounce_must_have_somebody_to_go_to),
        T(recipients_of_our_own_users_are_not_verified),
        T(our_own_callout_sender_is_not_asked_about),
        T(what_is_no_address_is_not_asked_about),
        T(policies_that_verify_no_recipients_ask_nobody),
        T(the_nearest_relay_is_asked),
        T(without_a_relay_the_domains_own_mail_hosts_are_asked),
        T(a_domain_that_dns_does_not_know_is_for_on_unknown),
        T(preferred_hosts_that_are_silent_are_for_the_policy),
        T(what_is_silence),
        T(what_is_no_silence),
        T(a_relay_that_is_left_alone_is_silent_too),
        T(a_relay_without_an_address_is_silent),
        T(a_relay_that_does_not_answer_in_time_is_silent),
        T(recipients_are_verified_at_rcpt_whatever_is_decided_later),
        T(one_that_was_put_off_leaves_nothing_to_the_next),
        T(a_client_that_guesses_is_slowed_and_then_turned_away),
        T(where_nobody_is_turned_away_nobody_is_counted_slowed_or_put_off),
        T(who_guesses_under_one_policy_is_not_put_off_under_another),
        T(one_who_is_known_from_the_cache_is_a_guess_too),
        T(a_guesser_stays_one_in_its_next_session),
        T(an_ipv6_client_is_its_network),
        T(recipients_who_may_exist_are_no_guesses),
        T(a_client_that_is_not_known_is_never_a_guesser),
        T(a_guesser_is_turned_away_in_words_only_in_a_dry_run),
        T(a_dry_run_keeps_nobody_waiting),
        T(where_nobody_can_be_kept_waiting_nobody_is),
    };

    return cmocka_run_group_tests_name("recipient", tests, NULL, NULL);
}
