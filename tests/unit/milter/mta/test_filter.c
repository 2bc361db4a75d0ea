/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_filter: libmilter's callbacks: what an MTA says, and what is asked of it and answered in
 * turn, call by call. The test plays the MTA; behind the callbacks are a real session and verifier.
 */
#include "config.h"

#include "mta/filter.h"

#include "check.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "extension/answer.h"
#include "fake_milter.h"
#include "mta/headers.h"
#include "daemon/metrics.h"
#include "mta/negotiate.h"
#include "session_rig.h"

enum {
    LOG_SIZE = 65536,
    ALL_ACTIONS = 0x1FF, /* what an MTA of today offers: libmilter's mfdef.h, version 6 */
    ALL_STEPS = 0x1FFFFF,
    NO_REPLIES = SMFIP_NR_CONN | SMFIP_NR_HELO | SMFIP_NR_MAIL | SMFIP_NR_RCPT | SMFIP_NR_DATA |
                 SMFIP_NR_UNKN | SMFIP_NR_HDR | SMFIP_NR_EOH | SMFIP_NR_BODY,
};

/* --- The world ------------------------------------------------------------- */

static const struct fake_dns_answer mx[] = {
    {.type = ns_t_mx, .preference = 10, .data = "mx.example.org"}};
static const struct fake_dns_answer address[] = {{.type = ns_t_a, .data = "127.0.0.1"}};

static const struct fake_dns_row zone[] = {
    {.name = "mx.example.org", .type = ns_t_a, .answers = address, .count = 1},
    {.name = "example.org", .type = ns_t_mx, .answers = mx, .count = 1},
};

static const struct fake_host_reply senders[] = {
    {"good@example.org", "250 2.1.5 Ok"},
    {"grey@example.org", "450 4.7.1 Greylisted"},
    {"later@example.org", "451 4.3.0 Later"},
};

static const struct fake_host_reply users[] = {
    {"user@here.example", "250 2.1.5 Ok"},
    {"grey@here.example", "450 4.7.1 Greylisted"},
    {"later@here.example", "451 4.3.0 Later"},
};

static int set_up(void **state)
{
    static const struct fake_host_options host = {
        .pipelining = true, .replies = senders, .reply_count = COUNT(senders)};
    static const struct fake_host_options store = {
        .pipelining = true, .replies = users, .reply_count = COUNT(users)};
    static const struct session_rig_world world = {
        .zone = zone, .zone_count = COUNT(zone), .host = &host, .store = &store};

    return session_rig_set_up(state, &world);
}

/* --- The MTA --------------------------------------------------------------- */

static struct smfi_str mta;
static bool unanswered; /* HELO, MAIL and the header */
static unsigned long granted_actions, granted_steps;

static const struct smfiDesc *filter(void)
{
    return fake_milter_filter();
}

/* Those events that may go unanswered are answered just then when the MTA waits. */
static void goes_on(sfsistat told)
{
    assert_int_equal(told, unanswered ? SMFIS_NOREPLY : SMFIS_CONTINUE);
}

static void offer(unsigned long actions, unsigned long steps)
{
    unsigned long w2 = 1, w3 = 1;

    memset(&mta, 0, sizeof mta);
    assert_int_equal(filter()->xxfi_negotiate(&mta, actions, steps, 0, 0, &granted_actions,
                                              &granted_steps, &w2, &w3),
                     SMFIS_CONTINUE);
    assert_int_equal(w2 | w3, 0);
    unanswered = (granted_steps & SMFIP_NR_MAIL) != 0;
}

static sfsistat arrives_from(const struct sockaddr *client)
{
    char host[] = "client.example";

    return filter()->xxfi_connect(&mta, host, (_SOCK_ADDR *)client);
}

static void greets(void)
{
    char name[] = "client.example";

    goes_on(filter()->xxfi_helo(&mta, name));
}

/* NULL: no more parameters. */
static void mail_with(const char *sender, const char *one, const char *other)
{
    char argument[512], first[64], second[64], *arguments[] = {argument, NULL, NULL, NULL};

    (void)snprintf(argument, sizeof argument, "%s", sender);
    (void)snprintf(first, sizeof first, "%s", one != NULL ? one : "");
    (void)snprintf(second, sizeof second, "%s", other != NULL ? other : "");
    arguments[1] = one != NULL ? first : NULL;
    arguments[2] = other != NULL ? second : NULL;
    goes_on(filter()->xxfi_envfrom(&mta, arguments));
}

static void mail(const char *sender)
{
    mail_with(sender, NULL, NULL);
}

static sfsistat rcpt(const char *recipient)
{
    char argument[512], *arguments[] = {argument, NULL};

    (void)snprintf(argument, sizeof argument, "%s", recipient);
    return filter()->xxfi_envrcpt(&mta, arguments);
}

static sfsistat data(void)
{
    return filter()->xxfi_data(&mta);
}

static void field(const char *name, const char *value)
{
    char its_name[64], its_value[1024];

    (void)snprintf(its_name, sizeof its_name, "%s", name);
    (void)snprintf(its_value, sizeof its_value, "%s", value);
    goes_on(filter()->xxfi_header(&mta, its_name, its_value));
}

static sfsistat end(void)
{
    goes_on(filter()->xxfi_eoh(&mta));
    return filter()->xxfi_eom(&mta);
}

static void gives_up(void)
{
    assert_int_equal(filter()->xxfi_abort(&mta), SMFIS_CONTINUE);
}

static void leaves(void)
{
    assert_int_equal(filter()->xxfi_close(&mta), SMFIS_CONTINUE);
    assert_null(mta.kept); /* or libmilter complains */
    assert_int_equal(metrics_sessions_open(), 0);
    assert_int_equal(filter_callbacks_running(), 0);
}

/* A stranger's session, as far as its HELO. */
static void begin_at(struct session_rig *f, const char *text, unsigned long actions)
{
    session_rig_begin(f, text);
    assert_true(filter_register("unix:/nowhere", false));
    offer(actions, ALL_STEPS);
    assert_int_equal(arrives_from(session_rig_client(SESSION_RIG_CLIENT)), SMFIS_CONTINUE);
    greets();
    fake_milter_forget(&mta);
}

static void begin(struct session_rig *f, const char *text)
{
    begin_at(f, text, ALL_ACTIONS);
}

/* What the filter has called since, as fake_milter writes it, and nothing else. */
static void has_called(const char *calls)
{
    assert_string_equal(mta.calls, calls);
    fake_milter_forget(&mta);
}

static void has_called_nothing(void)
{
    has_called("");
}

/* --- The log --------------------------------------------------------------- */

static char log_text[LOG_SIZE];
static FILE *log_file;
static int kept_stderr = -1;

/* What is logged goes to a file from now on. */
static void watch_log(void)
{
    log_file = tmpfile();
    kept_stderr = dup(STDERR_FILENO);
    assert_true(log_file != NULL && kept_stderr >= 0);
    assert_true(dup2(fileno(log_file), STDERR_FILENO) >= 0);
}

/* What was. */
static const char *watched_log(void)
{
    size_t len;

    assert_true(dup2(kept_stderr, STDERR_FILENO) >= 0);
    (void)close(kept_stderr);
    rewind(log_file);
    len = fread(log_text, 1, sizeof log_text - 1, log_file);
    log_text[len] = '\0';
    (void)fclose(log_file);
    return log_text;
}

static unsigned lines_with(const char *text, const char *part)
{
    unsigned count = 0;

    for (; (text = strstr(text, part)) != NULL; text += strlen(part))
        count++;
    return count;
}

/* --- Negotiation ----------------------------------------------------------- */

/* The steps whose sparing an MTA may or may not offer. */
static const unsigned long maybe[] = {SMFIP_NOBODY,  SMFIP_NOEOH,   SMFIP_NODATA, SMFIP_NOUNKNOWN,
                                      SMFIP_NR_HELO, SMFIP_NR_MAIL, SMFIP_NR_HDR, SMFIP_NR_EOH};
/* Those that it does offer, and that we want none of. */
static const unsigned long never = SMFIP_NOCONNECT | SMFIP_NOHELO | SMFIP_NOMAIL | SMFIP_NORCPT |
                                   SMFIP_NOHDRS | SMFIP_NR_CONN | SMFIP_NR_RCPT | SMFIP_NR_DATA |
                                   SMFIP_NR_UNKN | SMFIP_NR_BODY;

struct negotiated {
    struct negotiate_offer offer;
    bool mail_tells_id; /* as Sendmail's */
    unsigned long actions, steps;
    bool quiet;
};

static void for_each_offer(void (*holds)(const struct negotiated *))
{
    for (unsigned set = 0; set < 1U << (COUNT(maybe) + 4); set++) {
        struct negotiated n = {.offer = {.actions = ALL_ACTIONS,
                                         .steps = never,
                                         .by_tcp = (set & 1) != 0,
                                         .needs_data = (set & 2) != 0,
                                         .answers = (set & 8) != 0},
                               .mail_tells_id = (set & 4) != 0};

        for (size_t i = 0; i < COUNT(maybe); i++)
            n.offer.steps |= (set >> (4 + i) & 1) != 0 ? maybe[i] : 0;
        negotiate_note_mail(n.mail_tells_id);
        memset(&mta, 0, sizeof mta);
        n.quiet = negotiate(&mta, &n.offer, &n.actions, &n.steps);
        holds(&n);
    }
    negotiate_note_mail(false);
}

static void has_a_way_to_the_end(const struct negotiated *n)
{
    const bool data = (n->steps & SMFIP_NODATA) == 0, eoh = (n->steps & SMFIP_NOEOH) == 0;
    const bool unknown = (n->offer.steps & ~n->steps & SMFIP_NOUNKNOWN) != 0;
    const bool data_is_known = (n->offer.steps & SMFIP_NODATA) != 0;

    assert_true(!data || eoh);
    assert_true(!unknown || (data && data_is_known));
    assert_true(data || !n->offer.needs_data);
    assert_true(data || !n->offer.by_tcp);
}

/* libmilter knows no other, and does not answer at the end of the message then. */
static void whatever_is_told_there_is_a_way_to_the_end_of_the_message(void **state)
{
    (void)state;
    for_each_offer(has_a_way_to_the_end);
}

/* Of unknown commands nobody is told who does not answer: it costs the MTA a wait. */
static void asks_for_unknown_commands_only_to_answer(const struct negotiated *n)
{
    const unsigned long asked = n->offer.steps & ~n->steps & SMFIP_NOUNKNOWN;
    const bool answers = n->offer.answers && (n->offer.steps & SMFIP_NODATA) != 0;

    assert_int_equal(asked, answers ? n->offer.steps & SMFIP_NOUNKNOWN : 0);
}

static void unknown_commands_are_asked_for_to_answer_them(void **state)
{
    (void)state;
    for_each_offer(asks_for_unknown_commands_only_to_answer);
}

static void is_as_offered(const struct negotiated *n)
{
    assert_int_equal(n->steps & ~n->offer.steps, 0);
    assert_int_equal(n->steps & never, 0);
    assert_int_equal(n->steps & SMFIP_NOBODY, n->offer.steps & SMFIP_NOBODY);
    assert_int_equal(n->actions, NEGOTIATE_ACTIONS);
}

static void nothing_is_asked_for_that_was_not_offered(void **state)
{
    static const unsigned long some[] = {0, SMFIF_ADDHDRS, SMFIF_QUARANTINE | SMFIF_CHGHDRS,
                                         SMFIF_ADDRCPT | SMFIF_CHGBODY};
    struct negotiate_offer offer = {.steps = ALL_STEPS};
    unsigned long actions, steps;

    (void)state;
    for_each_offer(is_as_offered);
    for (size_t i = 0; i < COUNT(some); i++) {
        memset(&mta, 0, sizeof mta);
        offer.actions = some[i];
        (void)negotiate(&mta, &offer, &actions, &steps);
        assert_int_equal(actions, some[i] & NEGOTIATE_ACTIONS);
        has_called_nothing(); /* it offers no list of macros */
    }
}

static void is_quiet_altogether_or_not_at_all(const struct negotiated *n)
{
    const unsigned long all = SMFIP_NR_HELO | SMFIP_NR_MAIL | SMFIP_NR_HDR | SMFIP_NR_EOH;
    const bool may = (n->offer.steps & all) == all;

    assert_int_equal(n->steps & NO_REPLIES, n->quiet ? all : 0);
    assert_int_equal(n->quiet, may && !(n->offer.by_tcp && n->mail_tells_id));
}

/* Sendmail would send each packet by itself, and wait 40 ms before the next one by TCP. */
static void all_that_needs_no_answer_goes_without_but_for_sendmail_by_tcp(void **state)
{
    (void)state;
    for_each_offer(is_quiet_altogether_or_not_at_all);
}

static void sendmail_is_not_asked_for_its_queue_id_twice(void **state)
{
    static const char often[] = "setsymlist 0 \n"
                                "setsymlist 1 \n"
                                "setsymlist 2 i {auth_type} {auth_authen}\n"
                                "setsymlist 3 i\n"
                                "setsymlist 4 i\n"
                                "setsymlist 6 \n"
                                "setsymlist 5 i\n";
    static const char once[] = "setsymlist 0 \n"
                               "setsymlist 1 \n"
                               "setsymlist 2 i {auth_type} {auth_authen}\n"
                               "setsymlist 3 \n"
                               "setsymlist 4 \n"
                               "setsymlist 6 \n"
                               "setsymlist 5 \n";
    struct session_rig *f = *state;
    char id[] = "4XyzAB";

    session_rig_begin(f, "");
    assert_true(filter_register("inet:0", true));
    offer(ALL_ACTIONS, ALL_STEPS);
    has_called(often);
    (void)arrives_from(session_rig_client(SESSION_RIG_CLIENT));
    mta.queue_id = id;
    mail("<good@example.org>");
    leaves();
    offer(ALL_ACTIONS, ALL_STEPS);
    has_called(once);
    assert_false(unanswered);
    (void)arrives_from(session_rig_client(SESSION_RIG_CLIENT));
    mail("<good@example.org>"); /* of another MTA's */
    leaves();
    offer(ALL_ACTIONS, ALL_STEPS);
    has_called(often);
    assert_true(unanswered);
}

static void data_is_asked_for_where_it_is_decided_at_by_tcp_and_to_answer(void **state)
{
    static const struct {
        const char *text;
        bool by_tcp, told;
    } table[] = {
        {"connect_back { answer = yes }", false, true},
        {"decide_at = \"rcpt\"", false, false},
        {"decide_at = \"rcpt\"", true, true},
        {"decide_at = \"data\"", false, true},
        {"decide_at = \"data\"", true, true},
        {"decide_at = \"eom\"", false, false},
        {"decide_at = \"eom\"", true, true},
    };
    struct session_rig *f = *state;

    for (size_t i = 0; i < COUNT(table); i++) {
        session_rig_begin(f, table[i].text);
        assert_true(filter_register("anywhere", table[i].by_tcp));
        offer(ALL_ACTIONS, ALL_STEPS);
        assert_int_equal((granted_steps & SMFIP_NODATA) == 0, table[i].told);
        assert_int_equal((granted_steps & SMFIP_NOEOH) == 0, table[i].told);
    }
}

/* With nobody asked about clients it is as in sendmail_is_not_asked_for_its_queue_id_twice. */
static void who_asks_about_clients_asks_for_data_and_for_the_macros_of_a_connection(void **state)
{
    static const char with[] = "setsymlist 0 {client_port} {daemon_addr} {daemon_port} {if_addr}\n"
                               "setsymlist 1 \n"
                               "setsymlist 2 i {auth_type} {auth_authen}\n"
                               "setsymlist 3 i\n"
                               "setsymlist 4 i\n"
                               "setsymlist 6 \n"
                               "setsymlist 5 i\n";
    static const struct {
        const char *text;
        bool told;
    } table[] = {
        {"connect_back { check = yes }", true},
        {"decide_at = \"data\" connect_back { check = yes }", true},
        {"decide_at = \"eom\" connect_back { check = yes }", false},
    };
    struct session_rig *f = *state;

    for (size_t i = 0; i < COUNT(table); i++) {
        session_rig_begin(f, table[i].text);
        assert_true(filter_register("unix:/nowhere", false));
        offer(ALL_ACTIONS, ALL_STEPS);
        has_called(with);
        assert_int_equal((granted_steps & SMFIP_NODATA) == 0, table[i].told);
        assert_int_equal((granted_steps & SMFIP_NOEOH) == 0, table[i].told);
    }
}

/* --- Clients --------------------------------------------------------------- */

static void what_is_not_answered_is_not_answered_without_a_client_either(void **state)
{
    static const unsigned long steps[] = {ALL_STEPS, ALL_STEPS & ~(unsigned long)SMFIP_NR_HDR};
    struct session_rig *f = *state;

    session_rig_begin(f, "");
    assert_true(filter_register("unix:/nowhere", false));
    for (size_t i = 0; i < COUNT(steps); i++) {
        offer(ALL_ACTIONS, steps[i]);
        assert_int_equal(unanswered, i == 0);
        greets();
        mail("<good@example.org>");
        assert_int_equal(rcpt("<u@a.example>"), SMFIS_CONTINUE);
        assert_int_equal(data(), SMFIS_CONTINUE);
        field("Subject", "hello");
        assert_int_equal(end(), SMFIS_CONTINUE);
        gives_up();
        leaves();
    }
}

static void a_trusted_client_is_let_through_at_once(void **state)
{
    struct session_rig *f = *state;

    session_rig_begin(f, "trusted_networks = { \"198.51.100.0/24\" }");
    assert_true(filter_register("unix:/nowhere", false));
    offer(ALL_ACTIONS, ALL_STEPS);
    fake_milter_forget(&mta);
    assert_int_equal(arrives_from(session_rig_client(SESSION_RIG_CLIENT)), SMFIS_ACCEPT);
    leaves();
    has_called_nothing();
}

/* An MTA may keep its connection for its next client. */
static void a_second_client_on_a_connection_ends_the_session_of_the_first(void **state)
{
    struct session_rig *f = *state;

    begin(f, "");
    mail("<bad@example.org>");
    assert_int_equal(metrics_sessions_open(), 1);
    assert_int_equal(arrives_from(session_rig_client("198.51.100.8")), SMFIS_CONTINUE);
    assert_int_equal(metrics_sessions_open(), 1);
    greets();
    assert_int_equal(rcpt("<u@a.example>"), SMFIS_CONTINUE); /* the sender was the other's */
    mail("<good@example.org>");
    assert_int_equal(rcpt("<u@a.example>"), SMFIS_CONTINUE);
    leaves();
}

static void a_client_may_leave_at_any_time(void **state)
{
    struct session_rig *f = *state;

    for (int steps = 0; steps < 6; steps++) {
        begin(f, "decide_at = \"eom\"");
        if (steps > 0)
            mail("<good@example.org>");
        if (steps > 1)
            (void)rcpt("<u@a.example>");
        if (steps > 2)
            (void)data();
        if (steps > 3)
            field("X-Ringback", "valid");
        if (steps > 4)
            (void)end();
        leaves();
    }
}

/* --- Unknown commands ------------------------------------------------------ */

/* An answer of ours has its reply set just before, and nothing else is asked for. */
static void unknown_is(const char *line, const char *word)
{
    char call[64] = "";
    const sfsistat told = filter()->xxfi_unknown(&mta, line);

    print_message("# %s\n", line);
    if (word != NULL)
        (void)snprintf(call, sizeof call, "setreply 450 4.5.0 AYTTM %s\n", word);
    assert_int_equal(told, word != NULL ? SMFIS_TEMPFAIL : SMFIS_CONTINUE);
    has_called(call);
}

/* Nobody has a connection of theirs to a documentation address. */
static void begin_to_ask(struct session_rig *f, const char *more)
{
    char text[256];

    answer_forget();
    (void)snprintf(text, sizeof text, "connect_back { answer = yes answer_users = { root } %s }\n",
                   more);
    begin(f, text);
}

static void who_asks_is_answered_at_any_point_of_a_session(void **state)
{
    struct session_rig *f = *state;

    for (int steps = 0; steps < 5; steps++) {
        begin_to_ask(f, "");
        unknown_is("NOSUCH", NULL);
        if (steps > 0)
            mail("<good@example.org>");
        if (steps > 1)
            assert_int_equal(rcpt("<u@a.example>"), SMFIS_CONTINUE);
        if (steps > 2)
            gives_up();
        fake_milter_forget(&mta);
        unknown_is("AYTTM-54321-25", "unknown");
        unknown_is("AYTTM-54321-25", NULL); /* once a connection */
        if (steps < 1 || steps > 2)
            mail("<good@example.org>");
        if (steps != 2)
            assert_int_equal(rcpt("<u@a.example>"), SMFIS_CONTINUE);
        assert_int_equal(data(), SMFIS_CONTINUE);
        assert_int_equal(end(), SMFIS_CONTINUE);
        assert_int_equal(fake_milter_count(&mta, "insheader 0 X-Ringback: valid"), 1);
        leaves();
    }
}

static void a_reply_that_cannot_be_set_is_the_mta_s(void **state)
{
    struct session_rig *f = *state;

    begin_to_ask(f, "");
    mta.fail = "setreply";
    assert_int_equal(filter()->xxfi_unknown(&mta, "AYTTM"), SMFIS_CONTINUE);
    leaves();
}

static void nobody_is_answered_where_that_is_off_or_nobody_is_there(void **state)
{
    struct session_rig *f = *state;

    begin(f, "");
    unknown_is("AYTTM-54321-25", NULL);
    leaves();
    unknown_is("AYTTM-54321-25", NULL);
    begin_to_ask(f, "");
    unknown_is("AYTTM-54321-25", "unknown");
    assert_int_equal(arrives_from(NULL), SMFIS_CONTINUE);
    unknown_is("AYTTM-54321-25", NULL);
    leaves();
}

/* Its messages are let through as if we were not there. */
static void a_trusted_client_may_ask(void **state)
{
    static const char text[] = "trusted_networks = { \"198.51.100.0/24\", \"127.0.0.0/8\" }\n"
                               "connect_back { answer = yes answer_users = { root } }\n";
    struct session_rig *f = *state;

    answer_forget();
    session_rig_begin(f, text);
    assert_true(filter_register("unix:/nowhere", false));
    offer(ALL_ACTIONS, ALL_STEPS);
    fake_milter_forget(&mta);
    assert_int_equal(arrives_from(session_rig_client(SESSION_RIG_CLIENT)), SMFIS_CONTINUE);
    greets();
    mail("<bad@example.org>");
    assert_int_equal(rcpt("<u@a.example>"), SMFIS_CONTINUE);
    unknown_is("AYTTM-54321-25", "unknown");
    assert_int_equal(data(), SMFIS_CONTINUE);
    field("X-Ringback", "valid");
    assert_int_equal(end(), SMFIS_CONTINUE);
    has_called_nothing();
    gives_up();
    leaves();
    assert_int_equal(arrives_from(session_rig_client("127.0.0.1")), SMFIS_ACCEPT);
    leaves();
}

/* --- Replies --------------------------------------------------------------- */

static void a_refusal_sets_its_reply_and_asks_for_nothing_else(void **state)
{
    struct session_rig *f = *state;

    begin(f, "");
    mail("<bad@example.org>");
    has_called_nothing();
    assert_int_equal(rcpt("<u@a.example>"), SMFIS_REJECT);
    has_called("setreply 550 5.1.7 <bad@example.org>: sender address rejected: undeliverable "
               "address: mx.example.org said: \"550 5.1.1 User unknown\"\n");
    leaves();
}

/* A reply that was not used would be kept by libmilter, and fire later. */
static void who_is_let_in_has_no_reply_set(void **state)
{
    struct session_rig *f = *state;

    begin(f, "policy \"p\" { on_invalid = \"tempfail\" }");
    mail("<good@example.org>");
    assert_int_equal(rcpt("<u@a.example>"), SMFIS_CONTINUE);
    has_called_nothing();
    mail("<bad@example.org>");
    assert_int_equal(rcpt("<u@a.example>"), SMFIS_TEMPFAIL);
    assert_int_equal(fake_milter_count(&mta, "setreply 450 4.1.7 <bad@"), 1);
    leaves();
}

/* libmilter formats the text. */
/* Postfix tells the parameters apart, Sendmail may leave them in the argument. */
static void the_store_hears_the_size_that_the_client_gave(void **state)
{
    static const struct {
        const char *sender, *one, *other;
    } table[] = {
        {"<good@example.org>", "BODY=8BITMIME", "SIZE=1001"},
        {"<good@example.org>", "SIZE=1001", NULL},
        {"<good@example.org> SIZE=1001 BODY=8BITMIME", NULL, NULL},
    };
    static const struct fake_host_options store = {
        .size = true, .room = 1000, .rcpt = "250 2.1.5 Ok"};
    struct session_rig *f = *state;

    session_rig_start_store(f, &store);
    begin(f, "relay \"here.example\" { to = { \"" SESSION_RIG_STORE ":@PORT\" } }\n"
             "policy \"p\" { verify = \"recipient\" }");
    for (size_t i = 0; i < COUNT(table); i++) {
        mail_with(table[i].sender, table[i].one, table[i].other);
        fake_milter_forget(&mta);
        assert_int_equal(rcpt("<u@here.example>"), SMFIS_REJECT);
        has_called("setreply 552 5.3.4 <u@here.example>: recipient address rejected: "
                   "message too large\n");
        gives_up();
        mail("<good@example.org>"); /* the next one is of unknown size */
        assert_int_equal(rcpt("<u@here.example>"), SMFIS_CONTINUE);
        gives_up();
    }
    leaves();
}

static void a_percent_in_a_reply_is_doubled(void **state)
{
    struct session_rig *f = *state;

    begin(f, "");
    mail("<100%n%%s@example.org>");
    assert_int_equal(rcpt("<u@a.example>"), SMFIS_REJECT);
    assert_int_equal(fake_milter_count(&mta, "setreply 550 5.1.7 <100%%n%%%%s@example.org>: "), 1);
    leaves();
}

static void the_longest_reply_is_set_whole(void **state)
{
    struct session_rig *f = *state;
    char sender[400];

    begin(f, "");
    (void)snprintf(sender, sizeof sender, "<@%0*d>", 390, 0);
    memset(strchr(sender, '0'), '%', 390);
    mail(sender);
    assert_int_equal(rcpt("<u@a.example>"), SMFIS_REJECT);
    assert_int_equal(fake_milter_count(&mta, "setreply 550 5.1.7 <@%%%%"), 1);
    assert_non_null(strstr(mta.calls, "not a valid address\n"));
    leaves();
}

/* --- Deciding later -------------------------------------------------------- */

static void what_is_decided_at_data_is_told_there(void **state)
{
    struct session_rig *f = *state;

    begin(f, "decide_at = \"data\"");
    fake_host_hold(f->host, true);
    mail("<bad@example.org>");
    assert_int_equal(rcpt("<u@a.example>"), SMFIS_CONTINUE);
    fake_host_hold(f->host, false);
    assert_int_equal(data(), SMFIS_REJECT);
    assert_int_equal(fake_milter_count(&mta, "setreply 550 5.1.7 "), 1);
    leaves();
}

static void what_is_decided_at_the_end_is_told_there(void **state)
{
    struct session_rig *f = *state;

    begin(f, "decide_at = \"eom\"");
    fake_host_hold(f->host, true);
    mail("<bad@example.org>");
    assert_int_equal(rcpt("<u@a.example>"), SMFIS_CONTINUE);
    assert_int_equal(data(), SMFIS_CONTINUE);
    field("X-Ringback", "valid");
    fake_host_hold(f->host, false);
    assert_int_equal(end(), SMFIS_REJECT);
    assert_int_equal(fake_milter_count(&mta, "setreply 550 5.1.7 "), 1);
    assert_int_equal(fake_milter_count(&mta, "insheader"), 0);
    assert_int_equal(fake_milter_count(&mta, "chgheader"), 0);
    leaves();
}

/* --- Header fields --------------------------------------------------------- */

#define NAMED "authserv_id = \"mx.example.net\"\n"

static void let_in(const char *sender)
{
    mail(sender);
    assert_int_equal(rcpt("<u@a.example>"), SMFIS_CONTINUE);
    (void)data();
}

static void our_fields_stand_at_the_top_ours_topmost(void **state)
{
    struct session_rig *f = *state;

    begin(f, NAMED "policy \"p\" { on_invalid = \"tag\" }");
    let_in("<bad@example.org>");
    assert_int_equal(end(), SMFIS_CONTINUE);
    *strstr(mta.calls, "; id=") = '\0'; /* each message has another */
    has_called("insheader 0 Authentication-Results: mx.example.net; x-callback=fail "
               "reason=\"no_such_user\" smtp.mailfrom=bad@example.org\n"
               "insheader 0 X-Ringback-Warning: sender address <bad@example.org> is invalid "
               "(no_such_user): 550 5.1.1 User unknown\n"
               "insheader 0 X-Ringback: invalid; reason=no_such_user; sender=<bad@example.org>; "
               "mx=mx.example.org; cached=no; action=tag");
    leaves();
}

static void answer_by_gate(void *arg, const struct rb_question *question, enum decision_of of,
                           struct rb_answer *answer)
{
    (void)arg;
    (void)of;
    answer->reason =
        question->voucher == RB_VOUCHER_DKIM ? RB_REASON_NO_SUCH_USER : RB_REASON_NOT_VOUCHED;
    answer->verdict = rb_reason_verdict(answer->reason);
}

static void what_a_filter_says_at_the_top_counts_at_the_end(void **state)
{
    static const char pass[] = "mx.example.net; dkim=pass header.d=example.org";
    struct session_rig *f = *state;

    for (int above = 0; above < 2; above++) {
        begin(f, "decide_at = \"eom\"\ntrusted_authserv_ids = { \"mx.example.net\" }");
        f->world.answer = answer_by_gate;
        let_in("<good@example.org>");
        if (above)
            field("Authentication-Results", pass);
        field("Received", "from elsewhere");
        field("Authentication-Results", pass);
        field("From", "jo@example.org");
        assert_int_equal(end(), above ? SMFIS_REJECT : SMFIS_CONTINUE);
        let_in("<good@example.org>"); /* another message has said nothing */
        assert_int_equal(end(), SMFIS_CONTINUE);
        leaves();
        f->world.answer = NULL;
    }
}

static void forge(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        field("X-Ringback", "valid");
}

/* Removing one renumbers those behind it. */
static void forged_fields_are_removed_from_the_last_to_the_first(void **state)
{
    struct session_rig *f = *state;

    begin(f, NAMED);
    let_in("<good@example.org>");
    field("X-Ringback", "valid");
    field("Authentication-Results", "mx.example.net; x-callback=pass");
    field("Authentication-Results", "elsewhere.example; spf=pass");
    field("x-ringback", "valid");
    field("X-Ringback-Warning", "none");
    field("Authentication-Results", "MX.example.net; dkim=pass");
    field("X-RINGBACK", "valid");
    field("X-Ringback-Warning", "none");
    assert_int_equal(end(), SMFIS_CONTINUE);
    *strstr(mta.calls, "insheader") = '\0';
    has_called("chgheader 3 Authentication-Results\n"
               "chgheader 1 Authentication-Results\n"
               "chgheader 3 X-Ringback\n"
               "chgheader 2 X-Ringback\n"
               "chgheader 1 X-Ringback\n"
               "chgheader 2 X-Ringback-Warning\n"
               "chgheader 1 X-Ringback-Warning\n");
    leaves();
}

#define VERIFIED "policy \"p\" { verify_headers = { \"from\", \"reply-to\", \"sender\" } "

static void each_header_sender_at_fault_is_warned_of(void **state)
{
    struct session_rig *f = *state;

    begin(f, VERIFIED "}");
    let_in("<good@example.org>");
    field("From", "Good <good@example.org>");
    field("Sender", "bad@example.org");
    field("Reply-To", "The shop <bad@nowhere.example>, good@example.org");
    assert_int_equal(end(), SMFIS_CONTINUE);
    *strstr(mta.calls, "; id=") = '\0';
    has_called("insheader 0 X-Ringback-Warning: Sender address <bad@example.org> is invalid "
               "(no_such_user): 550 5.1.1 User unknown\n"
               "insheader 0 X-Ringback-Warning: Reply-To address <bad@nowhere.example> is invalid "
               "(no_domain)\n"
               "insheader 0 X-Ringback: valid; reason=accepted; sender=<good@example.org>; "
               "mx=mx.example.org; cached=no; action=tag; header=reply-to:no_domain");
    leaves();
}

static void a_header_sender_is_refused_at_the_end_of_the_message(void **state)
{
    struct session_rig *f = *state;

    begin(f, VERIFIED "on_header_invalid = \"reject\" }");
    watch_log();
    let_in("<good@example.org>");
    field("From", "good@example.org");
    field("X-Ringback", "valid");
    field("Reply-To", "bad@example.org");
    assert_int_equal(end(), SMFIS_REJECT);
    has_called("setreply 550 5.1.7 <bad@example.org>: Reply-To address rejected: undeliverable "
               "address: mx.example.org said: \"550 5.1.1 User unknown\"\n");
    assert_int_equal(filter_transactions_open(), 0);
    let_in("<good@example.org>"); /* and the next message is another */
    assert_int_equal(end(), SMFIS_CONTINUE);
    leaves();
    assert_int_equal(lines_with(watched_log(), "verify=header "), 2);
    assert_int_equal(lines_with(log_text, "verify=header field=from address=<good@example.org> "
                                          "verdict=valid reason=accepted mx=mx.example.org"),
                     1);
    assert_int_equal(lines_with(log_text,
                                "verify=header field=reply-to address=<bad@example.org> "
                                "verdict=invalid reason=no_such_user mx=mx.example.org[127.0.0.1] "
                                "reply=\"550 5.1.1 User unknown\""),
                     1);
    assert_int_equal(lines_with(log_text, "policy=p action=reject"), 1);
}

/* Nobody is called for a message that is turned away already. */
static void a_message_that_is_refused_has_no_header_senders_verified(void **state)
{
    struct session_rig *f = *state;

    begin(f, "decide_at = \"eom\"\n" VERIFIED "on_header_invalid = \"reject\" }");
    fake_host_hold(f->host, true);
    let_in("<bad@example.org>");
    fake_host_hold(f->host, false);
    field("From", "other@example.org");
    assert_int_equal(end(), SMFIS_REJECT);
    assert_int_equal(fake_milter_count(&mta, "setreply 550 5.1.7 <bad@example.org>: sender"), 1);
    let_in("<good@example.org>");
    field("From", "other@example.org");
    forge(HEADERS_FORGED_MAX + 1);
    assert_int_equal(end(), SMFIS_REJECT);
    assert_int_equal(fake_milter_count(&mta, "setreply 550 5.6.0 "), 1);
    leaves();
    assert_int_equal(fake_host_heard(f->host, "RCPT TO:<other@example.org>"), 0);
}

/* The MTA hears every SESSION_TICK_MS that it has to wait: of all that the end of a message waits
 * for, once. */
static void envelope_and_header_are_waited_for_within_one_max_wait(void **state)
{
    struct session_rig *f = *state;

    begin(f, "max_wait = 3s\ndecide_at = \"eom\"\n" VERIFIED "}");
    fake_host_hold(f->host, true);
    let_in("<good@example.org>");
    field("From", "other@example.org");
    assert_int_equal(end(), SMFIS_CONTINUE);
    assert_true(fake_milter_count(&mta, "progress") <= 1);
    fake_host_hold(f->host, false);
    leaves();
}

static void in_a_dry_run_a_header_sender_refuses_nothing(void **state)
{
    struct session_rig *f = *state;

    begin(f, "dry_run = yes\n" VERIFIED "on_header_invalid = \"reject\" }");
    watch_log();
    let_in("<good@example.org>");
    field("Reply-To", "bad@example.org");
    assert_int_equal(end(), SMFIS_CONTINUE);
    assert_int_equal(fake_milter_count(&mta, "setreply"), 0);
    assert_int_equal(fake_milter_count(&mta, "insheader"), 1);
    assert_non_null(strstr(mta.calls, "; action=accept; would=reject; "
                                      "header=reply-to:no_such_user; "));
    leaves();
    assert_int_equal(lines_with(watched_log(), "policy=p action=accept would=reject"), 1);
}

static void a_header_sender_may_put_a_message_into_quarantine(void **state)
{
    struct session_rig *f = *state;

    begin(f, VERIFIED "on_header_invalid = \"quarantine\" }");
    let_in("<good@example.org>");
    field("From", "bad@example.org");
    assert_int_equal(end(), SMFIS_CONTINUE);
    assert_int_equal(
        fake_milter_count(&mta, "quarantine From address <bad@example.org> is invalid "), 1);
    leaves();
}

static void what_a_message_brought_that_was_given_up_is_not_the_next_ones(void **state)
{
    struct session_rig *f = *state;

    begin(f, "");
    for (int how = 0; how < 3; how++) {
        let_in("<good@example.org>");
        field("X-Ringback", "valid");
        if (how == 0)
            gives_up();
        else if (how == 1)
            (void)end();
        fake_milter_forget(&mta);
        let_in("<good@example.org>");
        assert_int_equal(end(), SMFIS_CONTINUE);
        assert_int_equal(fake_milter_count(&mta, "chgheader"), 0);
        assert_int_equal(fake_milter_count(&mta, "insheader 0 X-Ringback: valid; "), 1);
    }
    leaves();
}

/* Its lines in the log can be told by their id. */
static void both_lines_have_one_id(const char *log, const char *said)
{
    const char *line = strstr(log, said), *id = line != NULL ? strstr(line, " id=") : NULL;
    char wanted[64];

    assert_non_null(id);
    (void)snprintf(wanted, sizeof wanted, "%.*s", (int)strcspn(id + 1, " \n") + 1, id);
    assert_true(strlen(wanted) > strlen(" id="));
    assert_int_equal(lines_with(log, wanted), 2);
}

/* They would be believed. */
static void more_forged_fields_than_are_removed_are_refused(void **state)
{
    struct session_rig *f = *state;

    begin(f, "");
    let_in("<good@example.org>");
    forge(HEADERS_FORGED_MAX + 1);
    watch_log();
    assert_int_equal(end(), SMFIS_REJECT);
    both_lines_have_one_id(watched_log(), "too many forged header fields: the message is refused");
    has_called("setreply 550 5.6.0 too many forged header fields\n");
    let_in("<good@example.org>");
    forge(HEADERS_FORGED_MAX);
    assert_int_equal(end(), SMFIS_CONTINUE);
    assert_int_equal(fake_milter_count(&mta, "chgheader"), HEADERS_FORGED_MAX);
    leaves();
}

static void in_a_dry_run_they_are_let_in_and_said(void **state)
{
    struct session_rig *f = *state;

    begin(f, "dry_run = yes");
    let_in("<good@example.org>");
    forge(HEADERS_FORGED_MAX + 1);
    watch_log();
    assert_int_equal(end(), SMFIS_CONTINUE);
    assert_int_equal(lines_with(watched_log(), "too many forged header fields"), 1);
    assert_int_equal(fake_milter_count(&mta, "chgheader"), 0);
    assert_int_equal(fake_milter_count(&mta, "insheader"), 1);
    leaves();
}

/* Mail of this host's own programs has nobody to tell of a refusal. */
static void of_local_submission_nothing_is_refused(void **state)
{
    struct session_rig *f = *state;

    session_rig_begin(f, "trusted_networks = { }");
    assert_true(filter_register("unix:/nowhere", false));
    offer(ALL_ACTIONS, ALL_STEPS);
    assert_int_equal(arrives_from(NULL), SMFIS_CONTINUE);
    let_in("<bad@example.org>");
    forge(HEADERS_FORGED_MAX + 1);
    fake_milter_forget(&mta);
    assert_int_equal(end(), SMFIS_CONTINUE);
    assert_int_equal(fake_milter_count(&mta, "setreply"), 0);
    leaves();
}

static void what_the_mta_does_not_do_is_logged(void **state)
{
    static const struct {
        const char *call, *said;
    } table[] = {
        {"setreply", "libmilter refused the reply"},
        {"chgheader", "did not remove forged header fields"},
        {"insheader", "did not add header fields"},
        {"quarantine", "did not quarantine the message"},
    };
    struct session_rig *f = *state;

    for (size_t i = 0; i < COUNT(table); i++) {
        begin(f, i == 0 ? "" : "policy \"p\" { on_invalid = \"quarantine\" }");
        mta.fail = table[i].call;
        watch_log();
        mail("<bad@example.org>");
        assert_int_equal(rcpt("<u@a.example>"), i == 0 ? SMFIS_REJECT : SMFIS_CONTINUE);
        if (i > 0) {
            field("X-Ringback", "valid");
            assert_int_equal(end(), SMFIS_CONTINUE);
        }
        assert_int_equal(lines_with(watched_log(), table[i].said), 1);
        leaves();
    }
}

/* --- Connect back ------------------------------------------------------------ */

static struct {
    enum rb_client_result result;
    unsigned questions;
    bool reached_known;
} host;

static void answer_for_host(void *arg, const struct rb_client_question *question,
                            struct rb_client_answer *answer)
{
    (void)arg;
    host.questions++;
    host.reached_known = question->reached != NULL;
    answer->result = host.result;
    (void)snprintf(answer->host, sizeof answer->host, "mail.example.org");
    (void)snprintf(answer->ip, sizeof answer->ip, "192.0.2.25");
    (void)snprintf(answer->reply, sizeof answer->reply, "450 4.5.0 AYTTM");
}

static void begin_asking(struct session_rig *f, const char *text, enum rb_client_result result)
{
    begin(f, text);
    f->world.answer_client = answer_for_host;
    host.result = result;
    host.questions = 0;
}

#define ASKS "connect_back { check = yes }\n"

static void who_is_denied_is_refused_at_data(void **state)
{
    static const char *const texts[] = {ASKS, ASKS "decide_at = \"data\""};
    struct session_rig *f = *state;

    for (size_t i = 0; i < COUNT(texts); i++) {
        begin_asking(f, texts[i], RB_CLIENT_DENIED);
        mail("<good@example.org>");
        assert_int_equal(rcpt("<u@a.example>"), SMFIS_CONTINUE);
        has_called_nothing();
        assert_int_equal(host.questions, 0);
        assert_int_equal(data(), SMFIS_REJECT);
        has_called("setreply 550 5.7.1 mail.example.org says that it is not talking to us\n");
        assert_int_equal(filter_transactions_open(), 0);
        mail("<>");
        assert_int_equal(rcpt("<u@a.example>"), SMFIS_CONTINUE);
        assert_int_equal(data(), SMFIS_REJECT);
        assert_int_equal(host.questions, 1);
        leaves();
    }
}

static void who_is_denied_is_refused_at_the_end_where_that_is_decided_there(void **state)
{
    struct session_rig *f = *state;

    begin_asking(f, ASKS "decide_at = \"eom\"", RB_CLIENT_DENIED);
    let_in("<good@example.org>");
    field("Callback-Warning", "client.example: forged");
    has_called_nothing();
    assert_int_equal(host.questions, 0);
    assert_int_equal(end(), SMFIS_REJECT);
    has_called("setreply 550 5.7.1 mail.example.org says that it is not talking to us\n");
    leaves();
}

/* A reply that was not used would be kept by libmilter, and fire later. */
static void a_client_that_is_let_in_has_no_reply_set(void **state)
{
    struct session_rig *f = *state;

    for (int result = RB_CLIENT_UNKNOWN; result < RB_CLIENT_MAX; result++) {
        if (result == RB_CLIENT_DENIED)
            continue;
        begin_asking(f, ASKS, (enum rb_client_result)result);
        let_in("<good@example.org>");
        has_called_nothing();
        assert_int_equal(end(), SMFIS_CONTINUE);
        assert_int_equal(fake_milter_count(&mta, "setreply"), 0);
        assert_int_equal(fake_milter_count(&mta, "insheader 0 Callback-Warning: "),
                         result == RB_CLIENT_MAYBE || result == RB_CLIENT_CONFIRMED ? 0 : 1);
        assert_int_equal(fake_milter_count(&mta, "insheader 0 X-Ringback-Warning: "), 0);
        assert_int_equal(host.questions, 1);
        leaves();
    }
}

static void a_host_that_could_not_be_asked_is_warned_of_below_x_ringback(void **state)
{
    struct session_rig *f = *state;

    begin_asking(f, NAMED ASKS "policy \"p\" { on_invalid = \"tag\" }", RB_CLIENT_UNSUPPORTED);
    let_in("<good@example.org>");
    field("Callback-Warning", "elsewhere.example: stays");
    field("Callback-Warning", "MX.example.net: forged");
    field("Callback-Warning", "mail.example.org: forged");
    assert_int_equal(end(), SMFIS_CONTINUE);
    *strstr(mta.calls, "; id=") = '\0';
    has_called("chgheader 3 Callback-Warning\n"
               "chgheader 2 Callback-Warning\n"
               "insheader 0 Authentication-Results: mx.example.net; x-callback=pass "
               "reason=\"accepted\" smtp.mailfrom=good@example.org; x-ayttm=unsupported "
               "smtp.helo=client.example\n"
               "insheader 0 Callback-Warning: mail.example.org: could not be asked whether it sent "
               "this\n"
               "insheader 0 X-Ringback: valid; reason=accepted; sender=<good@example.org>; "
               "mx=mx.example.org; cached=no; action=tag; client=unsupported");
    /* A sender who is tagged too is warned of beside it. */
    let_in("<bad@example.org>");
    assert_int_equal(end(), SMFIS_CONTINUE);
    assert_int_equal(fake_milter_count(&mta, "insheader 0 Callback-Warning: mail.example.org"), 1);
    assert_int_equal(fake_milter_count(&mta, "insheader 0 X-Ringback-Warning: sender"), 1);
    leaves();
}

static void without_connect_back_its_warnings_are_nobodys(void **state)
{
    struct session_rig *f = *state;

    begin(f, "");
    let_in("<good@example.org>");
    field("Callback-Warning", "mx.example.net: stays");
    assert_int_equal(end(), SMFIS_CONTINUE);
    assert_int_equal(fake_milter_count(&mta, "chgheader"), 0);
    leaves();
}

static void a_client_may_put_a_message_into_quarantine(void **state)
{
    struct session_rig *f = *state;

    begin_asking(f, "connect_back { check = yes on_denied = \"quarantine\" }", RB_CLIENT_DENIED);
    let_in("<good@example.org>");
    assert_int_equal(end(), SMFIS_CONTINUE);
    assert_int_equal(fake_milter_count(&mta, "quarantine mail.example.org: says that it is not "
                                             "talking to us"),
                     1);
    leaves();
}

static void each_client_is_logged_once_a_message(void **state)
{
    static const char line[] =
        "4XyzAB: verify=client helo=client.example verdict=denied mx=mail.example.org[192.0.2.25] "
        "reply=\"450 4.5.0 AYTTM\" cached=";
    struct session_rig *f = *state;
    char id[] = "4XyzAB", addr[] = "192.0.2.1", port[] = "25";

    session_rig_begin(f, ASKS);
    assert_true(filter_register("unix:/nowhere", false));
    offer(ALL_ACTIONS, ALL_STEPS);
    mta.macros[0] = (struct fake_milter_macro){"{daemon_addr}", addr};
    mta.macros[1] = (struct fake_milter_macro){"{daemon_port}", port};
    mta.queue_id = id;
    assert_int_equal(arrives_from(session_rig_client(SESSION_RIG_CLIENT)), SMFIS_CONTINUE);
    f->world.answer_client = answer_for_host;
    host.result = RB_CLIENT_DENIED;
    watch_log();
    greets();
    for (int i = 0; i < 2; i++) {
        mail("<good@example.org>");
        (void)rcpt("<u@a.example>");
        assert_int_equal(data(), SMFIS_REJECT);
    }
    leaves();
    assert_true(host.reached_known);
    assert_int_equal(lines_with(watched_log(), "verify=client "), 2);
    assert_int_equal(lines_with(log_text, line), 2);
    assert_int_equal(lines_with(log_text, "AYTTM\" cached=no waited="), 1);
    assert_int_equal(lines_with(log_text, "AYTTM\" cached=yes waited="), 1);
    assert_int_equal(lines_with(log_text, "s action=reject client=198.51.100.7 id="), 2);
    negotiate_note_mail(false);
}

/* --- The log --------------------------------------------------------------- */

static void each_decision_is_logged_once_however_the_message_ends(void **state)
{
    struct session_rig *f = *state;
    char id[] = "4XyzAB";

    for (int how = 0; how < 5; how++) {
        begin(f, "");
        watch_log();
        let_in("<good@example.org>");
        mta.queue_id = id;
        if (how == 0)
            (void)end();
        else if (how == 1)
            gives_up();
        else if (how == 2)
            mail("<>");
        else if (how == 3) /* another client */
            (void)arrives_from(session_rig_client(SESSION_RIG_CLIENT));
        leaves();
        assert_int_equal(lines_with(watched_log(), "verify=sender address=<good@example.org>"), 1);
        assert_int_equal(lines_with(log_text, "4XyzAB: verify=sender"), how < 2 ? 1 : 0);
    }
}

static void a_message_of_our_own_user_makes_correspondents_when_it_is_let_in(void **state)
{
    struct session_rig *f = *state;
    char me[] = "me";

    for (int sent = 0; sent < 2; sent++) {
        begin(f, "");
        mta.user = me;
        mail("<me@example.net>");
        assert_int_equal(rcpt("<friend@nowhere.invalid>"), SMFIS_CONTINUE);
        if (sent == 1)
            (void)end();
        else
            gives_up();
        mta.user = NULL;
        mail("<friend@nowhere.invalid>");
        assert_int_equal(rcpt("<u@a.example>"), sent == 1 ? SMFIS_CONTINUE : SMFIS_REJECT);
        leaves();
    }
}

/* --- What is done ---------------------------------------------------------- */

#define DOWN "127.0.0.1:1" /* nobody listens there */

/* Who is found to be what, and which directive says what is to be done then. */
static const struct {
    const char *text, *directive; /* of the policy, or of the relay */
    const char *sender, *recipient;
    bool of_recipient;
} cases[] = {
    {"an invalid sender", "on_invalid", "<bad@example.org>", "<u@a.example>", false},
    {"an unknown sender", "on_unknown", "<later@example.org>", "<u@a.example>", false},
    {"a greylisted sender", "on_greylisted", "<grey@example.org>", "<u@a.example>", false},
    {"an invalid recipient", "on_invalid", "<good@example.org>", "<nobody@here.example>", true},
    {"an unknown recipient", "on_unknown", "<good@example.org>", "<later@example.org>", true},
    {"a greylisted one", "on_greylisted", "<good@example.org>", "<grey@example.org>", true},
    {"an unreachable relay", "on_unreachable", "<good@example.org>", "<u@down.example>", true},
};

static void write_case(char *text, size_t size, size_t which, enum action action, bool dry_run)
{
    const char *directive = cases[which].directive;
    bool of_relay = strcmp(directive, "on_unreachable") == 0;
    int len =
        snprintf(text, size,
                 "dry_run = %s\n"
                 "relay \"here.example\" { to = { \"" SESSION_RIG_STORE ":@PORT\" } }\n"
                 "relay \"down.example\" { to = { \"" DOWN "\" } %s = \"%s\" }\n"
                 "policy \"p\" { verify = \"%s\" %s = \"%s\" }\n",
                 dry_run ? "yes" : "no", of_relay ? directive : "on_unreachable",
                 action_name(of_relay ? action : ACTION_ACCEPT),
                 cases[which].of_recipient ? "both" : "sender", of_relay ? "on_invalid" : directive,
                 action_name(of_relay ? ACTION_REJECT : action));

    assert_true(len > 0 && (size_t)len < size);
}

/* What an MTA with these actions can do of it. */
static enum action done_of(enum action wanted, bool dry_run, unsigned long actions)
{
    if (wanted == ACTION_TAG)
        return (actions & SMFIF_ADDHDRS) != 0 ? ACTION_TAG : ACTION_ACCEPT;
    if (dry_run || (wanted == ACTION_QUARANTINE && (actions & SMFIF_QUARANTINE) == 0))
        return ACTION_ACCEPT;
    return wanted;
}

static uint64_t counted(enum action action)
{
    uint64_t count = 0;

    for (int reason = RB_REASON_NONE; reason < RB_REASON_MAX; reason++)
        count += metrics_decisions((enum rb_reason)reason, action);
    return count;
}

/* "action=quarantine", with what the policy wanted where that is another. */
static const char *shown(enum action done, enum action wanted, const char *separator)
{
    static char text[64];

    (void)snprintf(text, sizeof text, done == wanted ? "action=%s%s" : "action=%s%swould=%s%s",
                   action_name(done), separator, action_name(wanted), separator);
    return text;
}

static void is_refused(enum action done, sfsistat told)
{
    assert_int_equal(told, done == ACTION_REJECT ? SMFIS_REJECT : SMFIS_TEMPFAIL);
    assert_int_equal(
        fake_milter_count(&mta, done == ACTION_REJECT ? "setreply 550 5" : "setreply 450 4"), 1);
}

static void is_let_in(enum action done, enum action wanted, unsigned long actions)
{
    const char *header;

    assert_int_equal(data(), SMFIS_CONTINUE);
    assert_int_equal(end(), SMFIS_CONTINUE);
    assert_int_equal(fake_milter_count(&mta, "setreply"), 0);
    assert_int_equal(fake_milter_count(&mta, "quarantine"), done == ACTION_QUARANTINE ? 1 : 0);
    assert_int_equal(fake_milter_count(&mta, "insheader 0 X-Ringback-Warning: "),
                     done == ACTION_TAG ? 1 : 0);
    if ((actions & SMFIF_ADDHDRS) == 0)
        return;
    header = strstr(mta.calls, "insheader 0 X-Ringback: ");
    assert_non_null(header);
    assert_non_null(strstr(header, shown(done, wanted, "; ")));
}

static void is_done(struct session_rig *f, size_t which, enum action wanted, bool dry_run,
                    unsigned long actions)
{
    const enum action done = done_of(wanted, dry_run, actions);
    const bool refused = done == ACTION_REJECT || done == ACTION_TEMPFAIL;
    const char *whom = cases[which].of_recipient ? cases[which].recipient : cases[which].sender;
    const uint64_t before = counted(done);
    char text[1024], line[600];
    sfsistat told;

    write_case(text, sizeof text, which, wanted, dry_run);
    begin_at(f, text, actions);
    watch_log();
    mail(cases[which].sender);
    told = rcpt(cases[which].recipient);
    if (refused) {
        is_refused(done, told);
    } else {
        assert_int_equal(told, SMFIS_CONTINUE);
        is_let_in(done, wanted, actions);
    }
    leaves();
    (void)snprintf(line, sizeof line, "address=%s ", whom);
    assert_non_null(strstr(watched_log(), line));
    assert_non_null(strstr(strstr(log_text, line), shown(done, wanted, " ")));
    /* beside a recipient who is let in the sender is decided about, and accepted */
    assert_int_equal(counted(done) - before,
                     cases[which].of_recipient && done == ACTION_ACCEPT ? 2 : 1);
    session_rig_await_idle(f);
}

static void what_is_logged_counted_and_written_is_what_the_mta_does(void **state)
{
    static const unsigned long grants[] = {ALL_ACTIONS,
                                           ALL_ACTIONS & ~(unsigned long)SMFIF_QUARANTINE,
                                           ALL_ACTIONS & ~(unsigned long)SMFIF_ADDHDRS};

    for (size_t which = 0; which < COUNT(cases); which++)
        for (int action = ACTION_ACCEPT; action <= ACTION_REJECT; action++)
            for (size_t grant = 0; grant < COUNT(grants); grant++)
                for (int dry_run = 0; dry_run < 2; dry_run++) {
                    print_message("# %s: %s, 0x%lx%s\n", cases[which].text,
                                  action_name((enum action)action), grants[grant],
                                  dry_run ? ", dry run" : "");
                    is_done(*state, which, (enum action)action, dry_run != 0, grants[grant]);
                }
}

/* What is done with messages to several recipients, one after the other. */
#define SEVERAL                                                                                    \
    "relay \"here.example\" { to = { \"" SESSION_RIG_STORE ":@PORT\" } }\n"                        \
    "relay \"down.example\" { to = { \"" DOWN "\" } on_unreachable = \"quarantine\" }\n"           \
    "policy \"t\" { match { recipient = { \"nobody@\" } } verify = \"both\" on_invalid = \"tag\" " \
    "}\n"                                                                                          \
    "policy \"n\" { match { recipient = { \"none@\" } } verify = \"none\" }\n"                     \
    "policy \"q\" { match { recipient = { \"q@\" } } on_invalid = \"quarantine\" }\n"              \
    "policy \"r\" { verify = \"both\" }\n"

static void the_harshest_of_sender_and_recipients_is_done_with_the_message(void **state)
{
    static const struct {
        const char *sender, *recipients[4];
        enum action action;
        const char *because;
    } table[] = {
        {"<good@example.org>", {"<user@here.example>"}, ACTION_ACCEPT, ""},
        {"<good@example.org>", {"<nobody@here.example>"}, ACTION_TAG, "a recipient"},
        {"<good@example.org>", {"<u@down.example>"}, ACTION_QUARANTINE, "a recipient"},
        {"<>", {"<u@down.example>"}, ACTION_QUARANTINE, "a recipient"},
        /* the order does not count, nor what comes behind */
        {"<good@example.org>",
         {"<u@down.example>", "<nobody@here.example>", "<user@here.example>"},
         ACTION_QUARANTINE,
         "a recipient"},
        {"<good@example.org>",
         {"<user@here.example>", "<nobody@here.example>", "<u@down.example>"},
         ACTION_QUARANTINE,
         "a recipient"},
        /* of the sender what is as harsh */
        {"<bad@example.org>", {"<q@a.example>"}, ACTION_QUARANTINE, "sender address"},
        {"<bad@example.org>",
         {"<nobody@here.example>", "<q@a.example>"},
         ACTION_QUARANTINE,
         "sender address"},
        {"<bad@example.org>", {"<nobody@here.example>"}, ACTION_TAG, "sender address"},
        /* who is refused is no part of the message */
        {"<bad@example.org>", {"<u@down.example>", "<none@a.example>"}, ACTION_ACCEPT, ""},
    };
    struct session_rig *f = *state;

    begin(f, SEVERAL);
    for (size_t i = 0; i < COUNT(table); i++) {
        const char *why;

        print_message("# %zu\n", i);
        mail(table[i].sender);
        for (size_t r = 0; r < COUNT(table[i].recipients) && table[i].recipients[r] != NULL; r++)
            (void)rcpt(table[i].recipients[r]);
        (void)data();
        fake_milter_forget(&mta);
        assert_int_equal(end(), SMFIS_CONTINUE);
        assert_non_null(strstr(mta.calls, shown(table[i].action, table[i].action, "; ")));
        assert_int_equal(fake_milter_count(&mta, "quarantine"),
                         table[i].action == ACTION_QUARANTINE ? 1 : 0);
        why = strstr(mta.calls, table[i].action == ACTION_TAG ? "Warning: " : "quarantine ");
        if (table[i].action != ACTION_ACCEPT)
            assert_memory_equal(strchr(why, ' ') + 1, table[i].because, strlen(table[i].because));
        fake_milter_forget(&mta);
    }
    leaves();
}

static void a_message_that_was_given_up_leaves_no_action_to_the_next(void **state)
{
    struct session_rig *f = *state;

    begin(f, SEVERAL);
    mail("<good@example.org>");
    assert_int_equal(rcpt("<u@down.example>"), SMFIS_CONTINUE);
    gives_up();
    mail("<good@example.org>");
    assert_int_equal(rcpt("<user@here.example>"), SMFIS_CONTINUE);
    assert_int_equal(end(), SMFIS_CONTINUE);
    assert_int_equal(fake_milter_count(&mta, "quarantine"), 0);
    leaves();
}

enum { POLICIES = 40 };

static void under_many_policies_each_decision_is_logged_and_the_harshest_done(void **state)
{
    struct session_rig *f = *state;
    char text[POLICIES * 100], part[32];
    size_t len = 0;

    for (int i = 0; i < POLICIES; i++) {
        len += (size_t)snprintf(text + len, sizeof text - len,
                                "policy \"p%d\" { match { recipient = { \"r%d.example\" } }"
                                " on_invalid = \"%s\" }\n",
                                i, i, i == 31 ? "quarantine" : "accept");
        assert_true(len < sizeof text);
    }
    begin(f, text);
    watch_log();
    mail("<bad@example.org>");
    for (int i = 0; i < POLICIES; i++) {
        (void)snprintf(part, sizeof part, "<u@r%d.example>", i);
        assert_int_equal(rcpt(part), SMFIS_CONTINUE);
    }
    assert_int_equal(end(), SMFIS_CONTINUE);
    assert_int_equal(fake_milter_count(&mta, "quarantine"), 1);
    leaves();
    assert_int_equal(lines_with(watched_log(), "address=<bad@example.org>"), POLICIES);
    for (int i = 0; i < POLICIES; i++) {
        (void)snprintf(part, sizeof part, "policy=p%d ", i);
        assert_int_equal(lines_with(log_text, part), 1);
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, session_rig_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(whatever_is_told_there_is_a_way_to_the_end_of_the_message),
        T(unknown_commands_are_asked_for_to_answer_them),
        T(nothing_is_asked_for_that_was_not_offered),
        T(all_that_needs_no_answer_goes_without_but_for_sendmail_by_tcp),
        T(sendmail_is_not_asked_for_its_queue_id_twice),
        T(data_is_asked_for_where_it_is_decided_at_by_tcp_and_to_answer),
        T(who_asks_about_clients_asks_for_data_and_for_the_macros_of_a_connection),
        T(what_is_not_answered_is_not_answered_without_a_client_either),
        T(a_trusted_client_is_let_through_at_once),
        T(a_second_client_on_a_connection_ends_the_session_of_the_first),
        T(a_client_may_leave_at_any_time),
        T(who_asks_is_answered_at_any_point_of_a_session),
        T(a_reply_that_cannot_be_set_is_the_mta_s),
        T(nobody_is_answered_where_that_is_off_or_nobody_is_there),
        T(a_trusted_client_may_ask),
        T(a_refusal_sets_its_reply_and_asks_for_nothing_else),
        T(who_is_let_in_has_no_reply_set),
        T(the_store_hears_the_size_that_the_client_gave),
        T(a_percent_in_a_reply_is_doubled),
        T(the_longest_reply_is_set_whole),
        T(what_is_decided_at_data_is_told_there),
        T(what_is_decided_at_the_end_is_told_there),
        T(our_fields_stand_at_the_top_ours_topmost),
        T(what_a_filter_says_at_the_top_counts_at_the_end),
        T(each_header_sender_at_fault_is_warned_of),
        T(a_header_sender_is_refused_at_the_end_of_the_message),
        T(a_message_that_is_refused_has_no_header_senders_verified),
        T(envelope_and_header_are_waited_for_within_one_max_wait),
        T(in_a_dry_run_a_header_sender_refuses_nothing),
        T(a_header_sender_may_put_a_message_into_quarantine),
        T(forged_fields_are_removed_from_the_last_to_the_first),
        T(what_a_message_brought_that_was_given_up_is_not_the_next_ones),
        T(more_forged_fields_than_are_removed_are_refused),
        T(in_a_dry_run_they_are_let_in_and_said),
        T(of_local_submission_nothing_is_refused),
        T(what_the_mta_does_not_do_is_logged),
        T(who_is_denied_is_refused_at_data),
        T(who_is_denied_is_refused_at_the_end_where_that_is_decided_there),
        T(a_client_that_is_let_in_has_no_reply_set),
        T(a_host_that_could_not_be_asked_is_warned_of_below_x_ringback),
        T(without_connect_back_its_warnings_are_nobodys),
        T(a_client_may_put_a_message_into_quarantine),
        T(each_client_is_logged_once_a_message),
        T(each_decision_is_logged_once_however_the_message_ends),
        T(a_message_of_our_own_user_makes_correspondents_when_it_is_let_in),
        T(what_is_logged_counted_and_written_is_what_the_mta_does),
        T(the_harshest_of_sender_and_recipients_is_done_with_the_message),
        T(a_message_that_was_given_up_leaves_no_action_to_the_next),
        T(under_many_policies_each_decision_is_logged_and_the_harshest_done),
    };

    return cmocka_run_group_tests_name("filter", tests, NULL, NULL);
}
