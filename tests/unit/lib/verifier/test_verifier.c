/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_verifier: questions in, verdicts out, over a real cache, a scripted name server and a
 * scripted mail host, which counts what each question has cost it. Time is moved by hand; what
 * must happen in some order is held and released.
 */
#include "config.h"

#include "check.h"

#include <arpa/nameser.h>
#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "verifier/verifier.h"
#include "verifier_rig.h"

enum {
    STRESS_THREADS = 8,
    STRESS_ROUNDS = 20,
    ALARM_S = 120, /* what never ends is ended by a signal */
};

static const long long MINUTE = 60, HOUR = 3600, DAY = 86400; /* seconds */

static const struct fake_dns_answer mx[] = {
    {.type = ns_t_mx, .preference = 10, .data = "mx.example.org"}};
static const struct fake_dns_answer mx_silent[] = {{.type = ns_t_mx, .data = "silent.example"}};
static const struct fake_dns_answer no_mx[] = {{.type = ns_t_mx, .data = "."}};
static const struct fake_dns_answer address[] = {{.type = ns_t_a, .data = "127.0.0.1"}};

static const struct fake_dns_row zone[] = {
    {.name = "mx.example.org", .type = ns_t_a, .answers = address, .count = 1},
    {.name = "example.org", .type = ns_t_mx, .answers = mx, .count = 1},
    {.name = "other.example", .type = ns_t_mx, .answers = mx, .count = 1},
    {.name = "third.example", .type = ns_t_mx, .answers = mx, .count = 1},
    {.name = "nullmx.example", .type = ns_t_mx, .answers = no_mx, .count = 1},
    {.name = "servfail.example", .rcode = ns_r_servfail},
    {.name = "silent.example", .flags = FAKE_DNS_DROP},
    {.name = "hostsilent.example", .type = ns_t_mx, .answers = mx_silent, .count = 1},
    {.name = "silentovertcp.example", .flags = FAKE_DNS_TRUNCATE | FAKE_DNS_TCP_SILENT},
};

static const struct fake_host_reply users[] = {
    {"user@example.org", "250 2.1.5 Ok"},
    {"user@other.example", "250 2.1.5 Ok"},
    {"user@third.example", "250 2.1.5 Ok"},
    {"full@example.org", "452 4.2.2 mailbox full"},
    {"grey@example.org", "450 4.7.1 Greylisted, try again in 10 minutes"},
    {"later@example.org", "452 4.3.1 Insufficient system storage"},
    {"odd@example.org", "554 5.3.0 Transaction failed"},
};

static const struct fake_host_reply nobody[] = {{"somebody@example.org", "250 2.1.5 Ok"}};

static int set_up(void **state)
{
    static const struct fake_host_options polite = {
        .pipelining = true, .replies = users, .reply_count = COUNT(users)};
    static const struct rig_world world = {
        .zone = zone, .zone_count = COUNT(zone), .host = &polite};

    return rig_set_up(state, &world);
}

/* --- Answers --------------------------------------------------------------- */

static void an_accepted_address_is_valid(void **state)
{
    struct rig *f = *state;

    rig_open(f);
    const struct rb_answer answer = rig_answer_for(f, "<user@EXAMPLE.org>");
    assert_int_equal(answer.verdict, RB_VERDICT_VALID);
    assert_int_equal(answer.reason, RB_REASON_ACCEPTED);
    assert_string_equal(answer.address, "user@example.org");
    assert_string_equal(answer.domain, "example.org");
    assert_string_equal(answer.mx, "mx.example.org");
    assert_string_equal(answer.ip, "127.0.0.1");
    assert_int_equal(answer.port, fake_host_port(f->host));
    assert_string_equal(answer.tls, "");
    assert_int_equal(answer.stage, RB_STAGE_RCPT);
    assert_int_equal(answer.code, 250);
    assert_string_equal(answer.enhanced, "2.1.5");
    assert_string_equal(answer.reply, "250 2.1.5 Ok");
    assert_true(answer.mail_from_known);
    assert_string_equal(answer.mail_from, "");
    assert_false(answer.cached);
    assert_int_equal(answer.age_s, 0);
    assert_int_equal(answer.expires_s, 31 * DAY);
    assert_null(answer.transcript);
    assert_int_equal(rig_rcpts(f), 2); /* the address, and the one that nobody has */
}

static void a_refused_address_is_invalid(void **state)
{
    struct rig *f = *state;

    rig_open(f);
    const struct rb_answer answer = rig_answer_for(f, "nobody@example.org");
    assert_int_equal(answer.verdict, RB_VERDICT_INVALID);
    assert_int_equal(answer.reason, RB_REASON_NO_SUCH_USER);
    assert_int_equal(answer.code, 550);
    assert_string_equal(answer.reply, "550 5.1.1 User unknown");
    assert_int_equal(answer.expires_s, 3 * DAY);
    assert_int_equal(rig_rcpts(f), 1);
}

static void a_4yz_is_unknown_and_kept_for_a_while(void **state)
{
    struct rig *f = *state;

    rig_open(f);
    struct rb_answer answer = rig_answer_for(f, "grey@example.org");
    assert_int_equal(answer.verdict, RB_VERDICT_UNKNOWN);
    assert_int_equal(answer.reason, RB_REASON_GREYLISTED);
    assert_int_equal(answer.wait_s, 10 * MINUTE);
    assert_int_equal(answer.expires_s, 10 * MINUTE); /* when asking again is worth while */
    answer = rig_answer_for(f, "later@example.org");
    assert_int_equal(answer.verdict, RB_VERDICT_UNKNOWN);
    assert_int_equal(answer.reason, RB_REASON_TEMPFAIL);
    assert_int_equal(answer.expires_s, 5 * MINUTE);
    assert_int_equal(rig_reason_for(f, "full@example.org"), RB_REASON_MAILBOX_FULL);
}

static void a_domain_without_mail_is_invalid(void **state)
{
    static const struct {
        const char *address;
        enum rb_reason reason;
    } table[] = {
        {"u@nowhere.example", RB_REASON_NO_DOMAIN},
        {"u@nullmx.example", RB_REASON_NULL_MX},
        {"u@servfail.example", RB_REASON_DNS_FAILURE},
    };
    struct rig *f = *state;

    rig_open(f);
    for (size_t i = 0; i < COUNT(table); i++) {
        const struct rb_answer answer = rig_answer_for(f, table[i].address);

        assert_int_equal(answer.reason, table[i].reason);
        assert_int_equal(answer.port, 0);
        assert_int_equal(answer.stage, RB_STAGE_DNS);
        assert_false(answer.mail_from_known);
    }
    assert_int_equal(rig_connections(f), 0);
}

static void what_is_no_address_is_told_at_once(void **state)
{
    static const char *const bad[] = {"user",  "@example.org",         "\"user@example.org",
                                      "user@", "user@exa\r\nmple.org", "user@-.example"};
    struct rig *f = *state;
    struct rb_ticket *ticket;

    rig_open(f);
    for (size_t i = 0; i < COUNT(bad); i++) {
        ticket = rig_ask(f, bad[i]);
        assert_true(rb_ready(ticket));
        assert_int_equal(rig_outcome(ticket), RB_REASON_BAD_ADDRESS);
        const struct rb_answer answer = rig_answer_for(f, bad[i]);
        assert_string_equal(answer.address, "");
        assert_true(answer.rule[0] != '\0');
        assert_int_equal(answer.expires_s, -1);
    }
    assert_int_equal(rig_connections(f), 0);
}

static void the_null_sender_is_exempt(void **state)
{
    struct rig *f = *state;

    rig_open(f);
    const struct rb_answer answer = rig_answer_for(f, "<>");
    assert_int_equal(answer.verdict, RB_VERDICT_UNKNOWN);
    assert_int_equal(answer.reason, RB_REASON_EXEMPT);
    assert_string_equal(answer.rule, "null_sender");
    assert_int_equal(rig_reason_for(f, ""), RB_REASON_EXEMPT);
    assert_int_equal(rig_connections(f), 0);
}

/* MTAs let it pass and make something of it: that we cannot ask is not its fault. */
static void what_cannot_be_asked_about_is_unknown(void **state)
{
    static const char *const odd[] = {"<user@example.org",   "a b@example.org",
                                      "a(b)@example.org",    "a@b@example.org",
                                      "j\xf6rg@example.org", "user@\xf0\x9f\x98\x80.example"};
    struct rig *f = *state;

    rig_open(f);
    for (size_t i = 0; i < COUNT(odd); i++) {
        const struct rb_answer answer = rig_answer_for(f, odd[i]);

        assert_int_equal(answer.verdict, RB_VERDICT_UNKNOWN);
        assert_int_equal(answer.reason, RB_REASON_REJECTED);
        assert_true(answer.rule[0] != '\0');
    }
    assert_int_equal(rig_connections(f), 0);
}

static void utf8_is_asked_about_only_where_smtputf8_is_on(void **state)
{
    struct rig *f = *state;

    f->options.smtputf8 = false;
    rig_open(f);
    struct rb_answer answer = rig_answer_for(f, "j\xc3\xb6rg@example.org");
    assert_int_equal(answer.reason, RB_REASON_EXEMPT);
    assert_string_equal(answer.rule, "smtputf8_off");
    f->options.smtputf8 = true;
    rig_reload(f);
    /* the host does not offer it */
    answer = rig_answer_for(f, "j\xc3\xb6rg@example.org");
    assert_int_equal(answer.reason, RB_REASON_REJECTED);
    assert_string_equal(answer.rule, "no_smtputf8");
}

static void a_question_must_be_one(void **state)
{
    static const char *const relays[] = {"",           ":25",  "host:", "host:0",
                                         "host:65536", "[::1", "a:b:c"};
    struct rig *f = *state;
    struct rb_question q = rig_question("user@example.org");
    struct rb_ticket *ticket;
    char long_relay[300];

    rig_open(f);
    for (size_t i = 0; i < COUNT(relays); i++) {
        q.relay = relays[i];
        assert_int_equal(rb_ask(f->verifier, &q, &ticket), RB_ERR_ARGUMENT);
        assert_null(ticket);
    }
    memset(long_relay, 'a', sizeof long_relay);
    long_relay[sizeof long_relay - 1] = '\0';
    q.relay = long_relay;
    assert_int_equal(rb_ask(f->verifier, &q, &ticket), RB_ERR_ARGUMENT);
    q = (struct rb_question){0};
    assert_int_equal(rb_ask(f->verifier, &q, &ticket), RB_ERR_ARGUMENT);
    rb_ticket_free(NULL);
}

/* --- The cache ------------------------------------------------------------- */

static void the_second_question_is_answered_from_the_cache(void **state)
{
    struct rig *f = *state;

    rig_open(f);
    assert_int_equal(rig_reason_for(f, "user@example.org"), RB_REASON_ACCEPTED);
    fake_clock_advance_s(&f->clock, MINUTE);
    struct rb_ticket *ticket = rig_ask(f, "<@route.example:\"user\"@Example.ORG.>");
    assert_true(rb_ready(ticket));
    struct rb_answer answer = {0};
    assert_int_equal(rb_wait(ticket, 0, &answer), RB_OK);
    rb_ticket_free(ticket);
    assert_int_equal(answer.reason, RB_REASON_ACCEPTED);
    assert_true(answer.cached);
    assert_int_equal(answer.age_s, MINUTE);
    assert_int_equal(answer.expires_s, 31 * DAY - MINUTE);
    assert_string_equal(answer.reply, "250 2.1.5 Ok");
    assert_string_equal(answer.enhanced, "2.1.5");
    assert_string_equal(answer.mx, "mx.example.org");
    assert_string_equal(answer.ip, "127.0.0.1");
    assert_int_equal(answer.port, fake_host_port(f->host));
    assert_int_equal(answer.code, 250);
    assert_int_equal(answer.stage, RB_STAGE_RCPT);
    assert_true(answer.mail_from_known);
    assert_int_equal(rig_connections(f), 1);
    assert_int_equal(rig_rcpts(f), 2);
}

static void no_cache_asks_anew_and_keeps_the_answer(void **state)
{
    struct rig *f = *state;
    struct rb_question q = rig_question("user@example.org");
    struct rb_answer answer = {.size = 0};

    rig_open(f);
    fake_host_set(f->host, nobody, COUNT(nobody));
    assert_int_equal(rig_reason_for(f, "user@example.org"), RB_REASON_NO_SUCH_USER);
    fake_host_set(f->host, users, COUNT(users));
    fake_clock_advance_s(&f->clock, 1);
    assert_int_equal(rig_reason_for(f, "user@example.org"), RB_REASON_NO_SUCH_USER);
    q.no_cache = true;
    rig_verify(f, &q, &answer);
    assert_int_equal(answer.reason, RB_REASON_ACCEPTED);
    assert_false(answer.cached);
    assert_int_equal(rig_connections(f), 2);
    answer = rig_answer_for(f, "user@example.org");
    assert_int_equal(answer.reason, RB_REASON_ACCEPTED);
    assert_true(answer.cached);
    assert_int_equal(rig_connections(f), 2);
}

static void only_cache_asks_nobody(void **state)
{
    struct rig *f = *state;
    struct rb_question q = rig_question("user@example.org");
    struct rb_answer answer = {.size = 0};

    q.only_cache = true;
    rig_open(f);
    rig_verify(f, &q, &answer);
    assert_int_equal(answer.verdict, RB_VERDICT_UNKNOWN);
    assert_int_equal(answer.reason, RB_REASON_TIMEOUT);
    assert_string_equal(answer.rule, "not_in_cache");
    assert_false(answer.cached);
    assert_int_equal(rig_connections(f), 0);
    assert_int_equal(rig_stats(f).pending, 0);

    assert_int_equal(rig_reason_for(f, "user@example.org"), RB_REASON_ACCEPTED);
    rig_verify(f, &q, &answer);
    assert_int_equal(answer.reason, RB_REASON_ACCEPTED);
    assert_true(answer.cached);

    fake_clock_advance_s(&f->clock, 8 * DAY); /* stale: answered, and left alone */
    rig_verify(f, &q, &answer);
    assert_int_equal(answer.reason, RB_REASON_ACCEPTED);
    assert_int_equal(rig_stats(f).cache_stale, 1);
    rig_hold(f, true);
    assert_int_equal(rig_reason_for(f, "user@example.org"), RB_REASON_ACCEPTED);
    assert_true(fake_host_wait(f->host, "RCPT", 3));
    assert_int_equal(rig_stats(f).coalesced, 0); /* that refresh was the first */
    assert_int_equal(rig_connections(f), 2);
    rig_hold(f, false);
}

static void a_stale_answer_is_given_at_once_and_refreshed_behind(void **state)
{
    struct rig *f = *state;

    rig_open(f);
    assert_int_equal(rig_reason_for(f, "user@example.org"), RB_REASON_ACCEPTED);
    fake_clock_advance_s(&f->clock, 7 * DAY);
    fake_host_set(f->host, nobody, COUNT(nobody));
    rig_hold(f, true);
    for (int i = 0; i < 5; i++) { /* however many ask, one refresh */
        const struct rb_answer answer = rig_answer_for(f, "user@example.org");

        assert_int_equal(answer.reason, RB_REASON_ACCEPTED);
        assert_true(answer.cached);
        assert_int_equal(answer.age_s, 7 * DAY);
        assert_int_equal(answer.expires_s, 24 * DAY);
    }
    assert_true(fake_host_wait(f->host, "RCPT", 3));
    rig_hold(f, false);
    rig_await_callouts(f, RB_REASON_NO_SUCH_USER, 1);
    assert_int_equal(rig_connections(f), 2);
    assert_int_equal(rig_rcpts(f), 3);
    assert_int_equal(rig_stats(f).cache_stale, 5);
}

static void a_valid_takes_two_denials_an_hour_apart(void **state)
{
    struct rig *f = *state;
    struct rb_answer answer = {.size = 0};

    rig_open(f);
    assert_int_equal(rig_reason_for(f, "user@example.org"), RB_REASON_ACCEPTED);
    fake_clock_advance_s(&f->clock, 7 * DAY);
    fake_host_set(f->host, nobody, COUNT(nobody));
    assert_int_equal(rig_reason_for(f, "user@example.org"), RB_REASON_ACCEPTED);
    rig_await_callouts(f, RB_REASON_NO_SUCH_USER, 1);
    fake_clock_advance_s(&f->clock, 3599);
    assert_int_equal(rig_reason_for(f, "user@example.org"), RB_REASON_ACCEPTED);
    assert_int_equal(rig_connections(f), 2); /* denied once: nobody is asked within the hour */
    fake_clock_advance_s(&f->clock, 1);
    assert_int_equal(rig_reason_for(f, "user@example.org"), RB_REASON_ACCEPTED);
    rig_await_callouts(f, RB_REASON_NO_SUCH_USER, 2);
    answer = rig_answer_for(f, "user@example.org");
    assert_int_equal(answer.reason, RB_REASON_NO_SUCH_USER);
    assert_true(answer.cached);
    assert_int_equal(answer.code, 550);
}

static void a_refresh_that_tells_nothing_leaves_what_is_known(void **state)
{
    static const struct fake_host_reply grey[] = {{"user@example.org", "450 4.7.1 Greylisted"}};
    struct rig *f = *state;

    rig_open(f);
    assert_int_equal(rig_reason_for(f, "user@example.org"), RB_REASON_ACCEPTED);
    fake_clock_advance_s(&f->clock, 7 * DAY);
    fake_host_set(f->host, grey, COUNT(grey));
    assert_int_equal(rig_reason_for(f, "user@example.org"), RB_REASON_ACCEPTED);
    rig_await_callouts(f, RB_REASON_GREYLISTED, 1);
    const struct rb_answer answer = rig_answer_for(f, "user@example.org");
    assert_int_equal(answer.reason, RB_REASON_ACCEPTED);
    assert_int_equal(answer.age_s, 7 * DAY);
}

static void an_expired_answer_is_asked_for_again(void **state)
{
    static const struct {
        const char *address;
        enum rb_reason reason;
        long long ttl_s;
    } table[] = {
        {"user@example.org", RB_REASON_ACCEPTED, 31 * 86400LL},
        {"nobody@example.org", RB_REASON_NO_SUCH_USER, 3 * 86400LL},
        {"grey@example.org", RB_REASON_GREYLISTED, 10 * 60LL},
        {"later@example.org", RB_REASON_TEMPFAIL, 5 * 60LL},
        {"odd@example.org", RB_REASON_REJECTED, 30 * 60LL},
    };
    struct rig *f = *state;

    rig_open(f);
    for (size_t i = 0; i < COUNT(table); i++) {
        unsigned before = rig_connections(f);

        assert_int_equal(rig_reason_for(f, table[i].address), table[i].reason);
        fake_clock_advance_s(&f->clock, table[i].ttl_s);
        const struct rb_answer answer = rig_answer_for(f, table[i].address);
        assert_int_equal(answer.reason, table[i].reason);
        assert_false(answer.cached);
        assert_int_equal(answer.age_s, 0);
        assert_int_equal(rig_connections(f), before + 2);
    }
}

static const struct fake_host_reply let_in[] = {{"grey@example.org", "250 2.1.5 Ok"}};

static void retry_greylisted(struct rig *f)
{
    f->options.greylist =
        (struct rb_greylist){.retry = true, .first_s = 360, .max_s = 6 * HOUR, .give_up_s = DAY};
}

static void a_greylisted_address_is_asked_again_by_itself(void **state)
{
    struct rig *f = *state;
    char first[128], second[128];

    retry_greylisted(f);
    rig_open(f);
    assert_int_equal(rig_reason_for(f, "grey@example.org"), RB_REASON_GREYLISTED);
    assert_int_equal(rig_stats(f).retries_scheduled, 1);
    fake_host_set(f->host, let_in, COUNT(let_in));
    fake_clock_advance_s(&f->clock, 10 * MINUTE + 1); /* the host asked for ten minutes */
    rig_await_callouts(f, RB_REASON_ACCEPTED, 1);
    const struct rb_answer answer = rig_answer_for(f, "grey@example.org");
    assert_int_equal(answer.reason, RB_REASON_ACCEPTED);
    assert_true(answer.cached);
    assert_int_equal(rig_stats(f).retries_scheduled, 0);
    /* the same triplet: greylists know callers by it */
    fake_host_command(f->host, "MAIL", 0, first, sizeof first);
    fake_host_command(f->host, "MAIL", 1, second, sizeof second);
    assert_string_equal(first, second);
}

static void a_retry_is_not_made_before_its_time(void **state)
{
    struct rig *f = *state;

    retry_greylisted(f);
    rig_open(f);
    assert_int_equal(rig_reason_for(f, "grey@example.org"), RB_REASON_GREYLISTED);
    assert_int_equal(rig_reason_for(f, "later@example.org"), RB_REASON_TEMPFAIL);
    fake_clock_advance_s(&f->clock, 361); /* later's time, not grey's */
    rig_await_callouts(f, RB_REASON_TEMPFAIL, 2);
    assert_int_equal(rig_stats(f).callouts[RB_REASON_GREYLISTED], 1);
    rig_await_retries(f, 2);
}

static void a_restart_loses_no_retry(void **state)
{
    struct rig *f = *state;

    retry_greylisted(f);
    rig_open(f);
    assert_int_equal(rig_reason_for(f, "grey@example.org"), RB_REASON_GREYLISTED);
    rig_reopen(f);
    assert_int_equal(rig_stats(f).retries_scheduled, 1);
    fake_host_set(f->host, let_in, COUNT(let_in));
    fake_clock_advance_s(&f->clock, 10 * MINUTE + 1);
    rig_await_callouts(f, RB_REASON_ACCEPTED, 1);
    assert_int_equal(rig_reason_for(f, "grey@example.org"), RB_REASON_ACCEPTED);
}

static void what_fell_due_while_nobody_ran_is_asked_at_the_start(void **state)
{
    struct rig *f = *state;

    retry_greylisted(f);
    rig_open(f);
    assert_int_equal(rig_reason_for(f, "grey@example.org"), RB_REASON_GREYLISTED);
    rig_close(f);
    fake_clock_advance_s(&f->clock, 2 * HOUR);
    rig_open(f);
    rig_await_callouts(f, RB_REASON_GREYLISTED, 1); /* still: and so it is scheduled again */
    rig_await_retries(f, 1);
}

/* A minute each, and before each step all goes that has expired. */
static void let_pass(struct rig *f, int64_t seconds)
{
    uint64_t removed;

    for (int64_t s = 0; s < seconds; s += MINUTE) {
        fake_clock_advance_s(&f->clock, MINUTE);
        assert_int_equal(cache_purge(f->verifier->memory.cache, true, &removed), RB_OK);
        retry_look(f->verifier->retry);
        rig_await_idle(f);
    }
}

static void tempfail_backs_off_with_sweeps_in_between_and_is_given_up(void **state)
{
    struct rig *f = *state;

    retry_greylisted(f);
    rig_open(f);
    assert_int_equal(rig_reason_for(f, "later@example.org"), RB_REASON_TEMPFAIL);
    let_pass(f, 6 * HOUR);
    assert_int_equal(rig_rcpts(f), 6);
    rig_reopen(f);
    assert_int_equal(rig_stats(f).retries_scheduled, 1);
    let_pass(f, DAY - 6 * HOUR);
    assert_int_equal(rig_rcpts(f), 9);
    assert_int_equal(rig_stats(f).retries_scheduled, 0);
    let_pass(f, 6 * HOUR);
    assert_int_equal(rig_rcpts(f), 9);
}

static void a_host_that_is_held_back_is_not_asked_until_it_is_not_any_more(void **state)
{
    static const struct fake_host_options busy = {.banner = "421 4.3.2 Try again later"};
    struct rig *f = *state;
    uint64_t limited;
    size_t lookups;

    retry_greylisted(f);
    f->options.breaker_failures = 1;
    f->options.breaker_hold_s = 6 * HOUR;
    rig_open(f);
    assert_int_equal(rig_reason_for(f, "later@example.org"), RB_REASON_TEMPFAIL);
    fake_clock_advance_s(&f->clock, MINUTE); /* that session is over for the host, too */
    rig_start_host(f, &busy);
    (void)rig_reason_for(f, "user@example.org"); /* the breaker opens */
    assert_int_equal(rig_connections(f), 1);
    assert_int_equal(rig_stats(f).retries_scheduled, 2);
    lookups = fake_dns_questions(f->dns, NULL, 0);
    limited = rig_stats(f).limited + rig_stats(f).callouts[RB_REASON_LIMITED];
    let_pass(f, 6 * HOUR - MINUTE);
    assert_int_equal(fake_dns_questions(f->dns, NULL, 0), lookups);
    assert_int_equal(rig_stats(f).limited + rig_stats(f).callouts[RB_REASON_LIMITED], limited);
    assert_int_equal(rig_connections(f), 1);
    assert_int_equal(rig_stats(f).retries_scheduled, 2);
    let_pass(f, 2 * MINUTE);
    assert_int_equal(rig_connections(f), 2);
}

/* Which host it will be is not known before it is looked up: then it is, and so is for how long. */
static void a_retry_that_meets_a_host_held_back_waits_for_it(void **state)
{
    struct rig *f = *state;
    const struct host_record held = {.failures = 5,
                                     .trips = 1,
                                     .held_until_s = clock_wall_s(&f->clock.clock) + 6 * HOUR,
                                     .stamp_s = clock_wall_s(&f->clock.clock)};

    retry_greylisted(f);
    rig_open(f);
    const struct address_record said = {.reason = RB_REASON_TEMPFAIL,
                                        .stamp_s = clock_wall_s(&f->clock.clock),
                                        .ip = "192.0.2.99"}; /* by another host, then */
    assert_int_equal(cache_put_host(f->verifier->memory.cache, "127.0.0.1", &held), RB_OK);
    retry_note(f->verifier->retry, "slater@example.org", &said);
    let_pass(f, 5 * HOUR);
    assert_int_equal(rig_stats(f).callouts[RB_REASON_LIMITED], 1);
    assert_int_equal(rig_connections(f), 0);
    let_pass(f, HOUR);
    assert_int_equal(rig_stats(f).callouts[RB_REASON_LIMITED], 1);
    assert_int_equal(rig_rcpts(f), 1);
}

static void a_reload_switches_retries_on_and_off(void **state)
{
    struct rig *f = *state;

    rig_open(f);
    assert_int_equal(rig_reason_for(f, "grey@example.org"), RB_REASON_GREYLISTED);
    retry_greylisted(f);
    rig_reload(f);
    assert_int_equal(rig_stats(f).retries_scheduled, 0); /* it was deferred before */
    assert_int_equal(rig_reason_for(f, "later@example.org"), RB_REASON_TEMPFAIL);
    assert_int_equal(rig_stats(f).retries_scheduled, 1);
    f->options.greylist.retry = false;
    rig_reload(f);
    assert_int_equal(rig_stats(f).retries_scheduled, 0);
    let_pass(f, HOUR);
    assert_int_equal(rig_rcpts(f), 2);
    f->options.greylist.retry = true;
    rig_reload(f);
    rig_await_callouts(f, RB_REASON_TEMPFAIL, 2); /* it is overdue */
    rig_await_idle(f);
    assert_int_equal(rig_stats(f).retries_scheduled, 1);
}

static void nothing_is_asked_again_unless_it_is_wanted(void **state)
{
    struct rig *f = *state;

    rig_open(f);
    assert_int_equal(rig_reason_for(f, "grey@example.org"), RB_REASON_GREYLISTED);
    assert_int_equal(rig_stats(f).retries_scheduled, 0);
    retry_greylisted(f);
    rig_reopen(f); /* nor what was deferred while it was not */
    assert_int_equal(rig_stats(f).retries_scheduled, 0);
}

static void a_deferral_of_a_known_address_is_not_asked_again(void **state)
{
    static const struct fake_host_reply grey[] = {{"user@example.org", "450 4.7.1 Greylisted"}};
    struct rig *f = *state;

    retry_greylisted(f);
    rig_open(f);
    assert_int_equal(rig_reason_for(f, "user@example.org"), RB_REASON_ACCEPTED);
    fake_clock_advance_s(&f->clock, 7 * DAY);
    fake_host_set(f->host, grey, COUNT(grey));
    assert_int_equal(rig_reason_for(f, "user@example.org"), RB_REASON_ACCEPTED);
    rig_await_callouts(f, RB_REASON_GREYLISTED, 1);
    rig_await_idle(f);
    assert_int_equal(rig_stats(f).retries_scheduled, 0);
}

static void a_restart_loses_no_verdict(void **state)
{
    struct rig *f = *state;

    rig_open(f);
    assert_int_equal(rig_reason_for(f, "user@example.org"), RB_REASON_ACCEPTED);
    assert_int_equal(rig_reason_for(f, "nobody@example.org"), RB_REASON_NO_SUCH_USER);
    fake_clock_advance_s(&f->clock, MINUTE);
    rig_reopen(f);
    const struct rb_answer answer = rig_answer_for(f, "user@example.org");
    assert_int_equal(answer.reason, RB_REASON_ACCEPTED);
    assert_true(answer.cached);
    assert_int_equal(answer.age_s, MINUTE);
    assert_int_equal(rig_reason_for(f, "nobody@example.org"), RB_REASON_NO_SUCH_USER);
    assert_int_equal(rig_connections(f), 2);
    assert_int_equal(rig_stats(f).cache_entries, 2);
}

static void a_verifier_without_a_store_works(void **state)
{
    struct rig *f = *state;

    f->options.store = NULL;
    rig_open(f);
    for (unsigned i = 1; i <= 2; i++) {
        const struct rb_answer answer = rig_answer_for(f, "user@example.org");

        assert_int_equal(answer.reason, RB_REASON_ACCEPTED);
        assert_false(answer.cached);
        assert_int_equal(answer.expires_s, -1);
        assert_int_equal(rig_connections(f), i);
    }
    const struct rb_question q = {
        .address = "u@example.org", .address_len = 13, .only_cache = true};
    struct rb_answer answer = {.size = 0};
    rig_verify(f, &q, &answer);
    assert_string_equal(answer.rule, "not_in_cache");
    assert_int_equal(rig_stats(f).cache_entries, 0);
}

struct told {
    atomic_uint count;
    enum rb_event last;
    char text[256];
};

static void hear(void *arg, enum rb_event event, const char *text)
{
    struct told *told = arg;

    told->last = event;
    (void)snprintf(told->text, sizeof told->text, "%s", text);
    atomic_fetch_add(&told->count, 1);
}

static void a_reload_sees_that_the_store_is_another_one(void **state)
{
    struct rig *f = *state;
    struct told told = {.last = 0};
    char away[128];

    f->options.observer = (struct rb_observer){.event = hear, .arg = &told};
    rig_open(f);
    assert_int_equal(rig_reason_for(f, "user@example.org"), RB_REASON_ACCEPTED);
    rig_reload(f);
    assert_int_equal(atomic_load(&told.count), 0);
    cache_flush(f->verifier->memory.cache); /* what still waits would go into the new one */
    (void)snprintf(away, sizeof away, "%s/away", f->folder);
    assert_int_equal(rename(f->path, away), 0);
    rig_reload(f);
    assert_int_equal(atomic_load(&told.count), 1);
    assert_int_equal(told.last, RB_EVENT_STORE_RENEWED);
    assert_non_null(strstr(told.text, f->path));
    assert_int_equal(rig_stats(f).cache_entries, 0);
    assert_int_equal(rig_reason_for(f, "user@example.org"), RB_REASON_ACCEPTED);
    assert_int_equal(rig_connections(f), 2);
    assert_true(rig_answer_for(f, "user@example.org").cached);
    rig_reopen(f);
    assert_true(rig_answer_for(f, "user@example.org").cached);
    rig_remove_store(away);
}

static void a_store_that_cannot_be_used_is_told_in_words(void **state)
{
    struct rig *f = *state;
    FILE *file = fopen(f->path, "w"); /* a file where the folder should be */
    char detail[256] = "";
    struct rb_verifier *verifier;

    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rb_verifier_open(&f->options, &verifier, detail, sizeof detail), RB_ERR_STORE);
    assert_null(verifier);
    assert_non_null(strstr(detail, f->path));
    assert_int_equal(rb_verifier_open(&f->options, &verifier, NULL, 0), RB_ERR_STORE);
}

/* Two environments of one file would take each other's locks away. */
static void a_store_is_open_once_in_a_process(void **state)
{
    struct rig *f = *state;
    char other_path[128], detail[256], expected[256];
    struct rb_verifier *verifier;

    rig_open(f);
    (void)snprintf(other_path, sizeof other_path, "lmdb:%s/../%s/cache", f->folder,
                   strrchr(f->folder, '/') + 1);
    f->options.store = other_path;
    assert_int_equal(rb_verifier_open(&f->options, &verifier, detail, sizeof detail), RB_ERR_STORE);
    assert_null(verifier);
    (void)snprintf(expected, sizeof expected, "%s: is open already in this process",
                   other_path + strlen("lmdb:"));
    assert_string_equal(detail, expected);
    rig_reopen(f);
    assert_int_equal(rig_reason_for(f, "user@example.org"), RB_REASON_ACCEPTED);
    f->options.store = f->store;
}

static void wrong_options_are_told_in_words(void **state)
{
    struct rig *f = *state;
    static const char *const bad_resolver[] = {"no address"};
    struct rb_verifier *verifier;
    char detail[256];

    f->options.store = "carrier-pigeon:/";
    assert_int_equal(rb_verifier_open(&f->options, &verifier, detail, sizeof detail),
                     RB_ERR_ARGUMENT);
    assert_non_null(strstr(detail, "carrier-pigeon"));
    f->options.store = f->store;
    f->options.resolvers = bad_resolver;
    assert_int_equal(rb_verifier_open(&f->options, &verifier, detail, sizeof detail),
                     RB_ERR_ARGUMENT);
    assert_non_null(strstr(detail, "resolvers"));
    f->options.helo_name = NULL;
    assert_int_equal(rb_verifier_open(&f->options, &verifier, detail, sizeof detail),
                     RB_ERR_ARGUMENT);
    assert_non_null(strstr(detail, "helo_name"));
    assert_null(verifier);
    assert_int_equal(rb_verifier_close(NULL), RB_OK);
}

/* --- Facts of a domain ----------------------------------------------------- */

static void a_catch_all_domain_settles_its_other_addresses(void **state)
{
    static const struct fake_host_options everybody = {.rcpt = "250 2.1.5 Ok"};
    struct rig *f = *state;

    rig_start_host(f, &everybody);
    rig_open(f);
    struct rb_answer answer = rig_answer_for(f, "one@example.org");
    assert_int_equal(answer.verdict, RB_VERDICT_UNKNOWN);
    assert_int_equal(answer.reason, RB_REASON_CATCH_ALL);
    assert_false(answer.cached);
    assert_int_equal(rig_rcpts(f), 2);
    answer = rig_answer_for(f, "two@example.org");
    assert_int_equal(answer.reason, RB_REASON_CATCH_ALL);
    assert_true(answer.cached);
    assert_string_equal(answer.rule, "known_catch_all");
    assert_int_equal(rig_connections(f), 1);
    assert_int_equal(rig_stats(f).settled_by_fact, 1);
    rig_reopen(f); /* the fact stays, too */
    assert_int_equal(rig_reason_for(f, "three@example.org"), RB_REASON_CATCH_ALL);
    assert_int_equal(rig_connections(f), 1);
    fake_clock_advance_s(&f->clock, 7 * DAY);
    assert_int_equal(rig_reason_for(f, "three@example.org"), RB_REASON_CATCH_ALL);
    assert_int_equal(rig_connections(f), 2);
}

/* Three sessions are let go at one time, after RCPT: what do the addresses get? */
static void assert_one_probe(struct rig *f, const struct fake_host_options *host,
                             const struct fake_host_reply three[3], enum rb_reason reason)
{
    struct rb_ticket *tickets[3];

    rig_start_host(f, host);
    f->options.per_domain_sessions = 3;
    rig_reopen(f);
    rig_hold(f, true);
    for (size_t i = 0; i < 3; i++)
        tickets[i] = rig_ask(f, three[i].address);
    assert_true(fake_host_wait(f->host, "RCPT", 3));
    rig_hold(f, false);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(rig_outcome(tickets[i]), reason);
    assert_int_equal(rig_connections(f), 3);
    assert_int_equal(rig_rcpts(f), 3 + 1);
}

static void one_probe_does_for_all_sessions_that_begin_together(void **state)
{
    static const struct fake_host_reply three[] = {{"a@example.org", "250 2.1.5 Ok"},
                                                   {"b@example.org", "250 2.1.5 Ok"},
                                                   {"c@example.org", "250 2.1.5 Ok"}},
                                        others[] = {{"a@other.example", ""},
                                                    {"b@other.example", ""},
                                                    {"c@other.example", ""}};
    static const struct fake_host_options choosy = {.replies = three, .reply_count = COUNT(three)},
                                          everybody = {.rcpt = "250 2.1.5 Ok"};

    assert_one_probe(*state, &choosy, three, RB_REASON_ACCEPTED);
    assert_one_probe(*state, &everybody, others, RB_REASON_CATCH_ALL);
}

enum heard { ACCEPTED, ANSWERED, NEITHER };

static enum heard wait_accepted(struct rb_ticket *ticket, int64_t ms)
{
    bool accepted;
    enum rb_error error = rb_wait_accepted(ticket, rig_until(ms), &accepted);

    if (error == RB_OK)
        return accepted ? ACCEPTED : ANSWERED;
    assert_int_equal(error, RB_ERR_NOT_YET);
    assert_false(accepted);
    return NEITHER;
}

static void an_acceptance_is_told_before_the_probe_is_answered(void **state)
{
    struct rig *f = *state;
    struct rb_ticket *first, *joined;
    struct rb_answer answer = {.size = 0};

    rig_reopen(f);
    rig_hold(f, true);
    first = rig_ask(f, "user@example.org");
    fake_host_let(f->host, 1); /* the address, and not the probe */
    assert_int_equal(wait_accepted(first, RIG_PATIENCE_MS), ACCEPTED);
    assert_int_equal(wait_accepted(first, 0), ACCEPTED);
    joined = rig_ask(f, "user@example.org");
    assert_int_equal(wait_accepted(joined, 0), ACCEPTED);
    assert_false(rb_ready(first));
    assert_int_equal(rb_wait(first, 0, &answer), RB_ERR_NOT_YET); /* what there is to tell */
    assert_int_equal(answer.reason, RB_REASON_TIMEOUT);
    assert_string_equal(answer.rule, "accepted_still_asking");
    assert_string_equal(answer.reply, "250 2.1.5 Ok");
    rig_hold(f, false);
    assert_int_equal(rig_outcome(first), RB_REASON_ACCEPTED);
    assert_int_equal(rb_wait(joined, rig_until(RIG_PATIENCE_MS), &answer), RB_OK);
    assert_int_equal(wait_accepted(joined, 0), ANSWERED); /* the answer is there */
    assert_int_equal(rig_outcome(joined), RB_REASON_ACCEPTED);
    assert_int_equal(rig_rcpts(f), 2);
}

static void where_nothing_is_left_open_no_acceptance_is_told(void **state)
{
    struct rig *f = *state;
    struct rb_ticket *ticket;

    rig_reopen(f);
    ticket = rig_ask(f, "nobody@example.org"); /* refused */
    assert_int_equal(wait_accepted(ticket, RIG_PATIENCE_MS), ANSWERED);
    assert_int_equal(rig_outcome(ticket), RB_REASON_NO_SUCH_USER);
    assert_int_equal(rig_reason_for(f, "user@example.org"), RB_REASON_ACCEPTED);
    ticket = rig_ask(f, "user@example.org"); /* in the cache */
    assert_int_equal(wait_accepted(ticket, RIG_PATIENCE_MS), ANSWERED);
    assert_int_equal(rig_outcome(ticket), RB_REASON_ACCEPTED);
    ticket = rig_ask(f, "full@example.org"); /* its domain is known by now */
    assert_int_equal(wait_accepted(ticket, RIG_PATIENCE_MS), ANSWERED);
    assert_int_equal(rig_outcome(ticket), RB_REASON_MAILBOX_FULL);
    rig_hold(f, true);
    ticket = rig_ask(f, "other@example.org"); /* its time is up */
    assert_int_equal(wait_accepted(ticket, 0), NEITHER);
    assert_int_equal(rb_ready(ticket), false);
    rb_ticket_free(ticket);
    rig_hold(f, false);
}

static void a_dead_domain_settles_its_other_addresses(void **state)
{
    struct rig *f = *state;

    rig_open(f);
    assert_int_equal(rig_reason_for(f, "one@nowhere.example"), RB_REASON_NO_DOMAIN);
    unsigned asked = fake_dns_asked_udp(f->dns, "nowhere.example", ns_t_mx);
    struct rb_answer answer = rig_answer_for(f, "two@nowhere.example");
    assert_int_equal(answer.verdict, RB_VERDICT_INVALID);
    assert_int_equal(answer.reason, RB_REASON_NO_DOMAIN);
    assert_string_equal(answer.rule, "known_dead");
    assert_true(answer.cached);
    assert_int_equal(fake_dns_asked_udp(f->dns, "nowhere.example", ns_t_mx), asked);
    fake_clock_advance_s(&f->clock, 3 * HOUR); /* it may have been bought */
    answer = rig_answer_for(f, "two@nowhere.example");
    assert_int_equal(answer.reason, RB_REASON_NO_DOMAIN);
    assert_false(answer.cached);
    assert_int_equal(fake_dns_asked_udp(f->dns, "nowhere.example", ns_t_mx), asked + 1);
}

static void what_a_relay_says_is_kept_apart(void **state)
{
    struct rig *f = *state;
    struct rb_question q = rig_question("nobody@example.org");
    struct rb_answer answer = {.size = 0};
    char relay[32];

    (void)snprintf(relay, sizeof relay, "127.0.0.1:%u", (unsigned)fake_host_port(f->host));
    q.relay = relay;
    rig_open(f);
    rig_verify(f, &q, &answer);
    assert_int_equal(answer.reason, RB_REASON_NO_SUCH_USER);
    assert_string_equal(answer.mx, "127.0.0.1");
    rig_verify(f, &q, &answer);
    assert_true(answer.cached);
    assert_int_equal(rig_connections(f), 1);
    answer = rig_answer_for(f, "nobody@example.org");
    assert_false(answer.cached);
    assert_string_equal(answer.mx, "mx.example.org");
    assert_int_equal(rig_connections(f), 2);
}

/* --- Joining --------------------------------------------------------------- */

static void assert_one_callout_for(struct rig *f, unsigned count)
{
    const struct rb_question q = rig_question("user@example.org");

    rig_open(f);
    rig_hold(f, true);
    rig_start_askers(f, count, &q, 1);
    assert_int_equal(rig_stats(f).coalesced, count - 1);
    rig_hold(f, false);
    rig_join_askers(f, count);
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(f->askers[i].answer.reason, RB_REASON_ACCEPTED);
        assert_string_equal(f->askers[i].answer.reply, "250 2.1.5 Ok");
        assert_false(f->askers[i].answer.cached);
    }
    assert_int_equal(rig_connections(f), 1);
    assert_int_equal(fake_host_heard(f->host, "RCPT TO:<user@example.org>"), 1);
    assert_int_equal(rig_rcpts(f), 2);
    assert_int_equal(rig_stats(f).callouts[RB_REASON_ACCEPTED], 1);
}

static void twenty_equal_questions_cost_one_callout(void **state)
{
    assert_one_callout_for(*state, 20);
}

static void two_hundred_equal_questions_cost_one_callout(void **state)
{
    assert_one_callout_for(*state, RIG_ASKERS_MAX);
}

static void no_cache_does_not_join(void **state)
{
    struct rig *f = *state;
    struct rb_question q = rig_question("nobody@example.org");
    struct rb_ticket *fresh;

    rig_open(f);
    rig_hold(f, true);
    struct rb_ticket *first = rig_ask(f, "nobody@example.org");
    q.no_cache = true;
    assert_int_equal(rb_ask(f->verifier, &q, &fresh), RB_OK);
    struct rb_ticket *joined = rig_ask(f, "nobody@example.org");
    assert_true(fake_host_wait(f->host, "RCPT", 2));
    assert_int_equal(rig_stats(f).coalesced, 1);
    rig_hold(f, false);
    assert_int_equal(rig_outcome(first), RB_REASON_NO_SUCH_USER);
    assert_int_equal(rig_outcome(fresh), RB_REASON_NO_SUCH_USER);
    assert_int_equal(rig_outcome(joined), RB_REASON_NO_SUCH_USER);
    assert_int_equal(rig_rcpts(f), 2);
}

/* --- Transcripts ----------------------------------------------------------- */

static bool has_line(const struct rb_transcript *transcript, char dir, const char *text)
{
    for (size_t i = 0; i < rb_transcript_count(transcript); i++) {
        const struct rb_transcript_line line = rb_transcript_get(transcript, i);

        if (line.dir == dir && strncmp(line.text, text, strlen(text)) == 0 &&
            strcmp(line.mx, "mx.example.org") == 0 && strcmp(line.ip, "127.0.0.1") == 0)
            return true;
    }
    return false;
}

static void a_transcript_shows_what_was_said(void **state)
{
    struct rig *f = *state;
    struct rb_question q = rig_question("user@example.org");
    struct rb_answer answer = {.size = 0};

    rig_open(f);
    assert_int_equal(rig_reason_for(f, "user@example.org"), RB_REASON_ACCEPTED);
    q.transcript = true; /* what is known will not do */
    rig_verify(f, &q, &answer);
    assert_int_equal(answer.reason, RB_REASON_ACCEPTED);
    assert_false(answer.cached);
    assert_int_equal(rig_connections(f), 2);
    assert_non_null(answer.transcript);
    assert_true(has_line(answer.transcript, '-', "connecting"));
    assert_true(has_line(answer.transcript, '<', "220 fake.example"));
    assert_true(has_line(answer.transcript, '>', "EHLO probe.example.net"));
    assert_true(has_line(answer.transcript, '>', "MAIL FROM:<>"));
    assert_true(has_line(answer.transcript, '>', "RCPT TO:<user@example.org>"));
    assert_true(has_line(answer.transcript, '<', "250 2.1.5 Ok"));
    rb_answer_fini(&answer);
    assert_null(answer.transcript);
}

static void each_transcript_shows_its_own_question(void **state)
{
    static const char *const text[] = {"user@example.org", "nobody@example.org"};
    struct rig *f = *state;
    struct rb_ticket *tickets[COUNT(text)];

    f->options.per_domain_sessions = 1; /* both in one session */
    rig_open(f);
    rig_hold(f, true);
    for (size_t i = 0; i < COUNT(text); i++) {
        struct rb_question q = rig_question(text[i]);

        q.transcript = true;
        assert_int_equal(rb_ask(f->verifier, &q, &tickets[i]), RB_OK);
    }
    assert_true(fake_host_wait(f->host, "RCPT", 1));
    rig_hold(f, false);
    for (size_t i = 0; i < COUNT(text); i++) {
        struct rb_answer answer = {0};

        assert_int_equal(rb_wait(tickets[i], rig_until(RIG_PATIENCE_MS), &answer), RB_OK);
        rb_ticket_free(tickets[i]);
        assert_int_equal(has_line(answer.transcript, '>', "RCPT TO:<user@example.org>"), i == 0);
        assert_int_equal(has_line(answer.transcript, '>', "RCPT TO:<nobody@example.org>"), i == 1);
        rb_answer_fini(&answer);
    }
    assert_int_equal(rig_connections(f), 1);
}

static void a_transcript_nobody_waits_for_is_dropped(void **state)
{
    struct rig *f = *state;
    struct rb_question q = rig_question("user@example.org");
    struct rb_ticket *ticket;

    q.transcript = true;
    rig_open(f);
    rig_hold(f, true);
    assert_int_equal(rb_ask(f->verifier, &q, &ticket), RB_OK);
    assert_true(fake_host_wait(f->host, "RCPT", 1));
    rb_ticket_free(ticket);
    rig_hold(f, false);
    rig_await_callouts(f, RB_REASON_ACCEPTED, 1);
    assert_true(rig_answer_for(f, "user@example.org").cached);
}

/* --- Waiting --------------------------------------------------------------- */

static void a_caller_that_leaves_changes_nothing(void **state)
{
    struct rig *f = *state;
    const struct rb_question q = rig_question("user@example.org");
    struct rb_answer answer = {0};

    rig_open(f);
    rig_hold(f, true);
    assert_int_equal(rb_verify(f->verifier, &q, rig_until(10), &answer), RB_ERR_NOT_YET);
    assert_int_equal(answer.verdict, RB_VERDICT_UNKNOWN);
    assert_int_equal(answer.reason, RB_REASON_TIMEOUT);
    assert_string_equal(answer.rule, "still_asking");
    assert_string_equal(answer.address, "user@example.org");
    assert_int_equal(answer.expires_s, -1);
    assert_false(answer.cached);
    rig_hold(f, false);
    rig_await_callouts(f, RB_REASON_ACCEPTED, 1);
    answer = rig_answer_for(f, "user@example.org");
    assert_int_equal(answer.reason, RB_REASON_ACCEPTED);
    assert_true(answer.cached);
    assert_int_equal(rig_connections(f), 1);
    assert_int_equal(rig_rcpts(f), 2);
}

static void a_ticket_may_be_waited_for_twice(void **state)
{
    struct rig *f = *state;
    struct rb_answer answer = {0};

    rig_open(f);
    rig_hold(f, true);
    struct rb_ticket *ticket = rig_ask(f, "user@example.org");
    assert_int_equal(rb_wait(ticket, 0, &answer), RB_ERR_NOT_YET);
    assert_int_equal(answer.reason, RB_REASON_TIMEOUT);
    assert_false(rb_ready(ticket));
    rig_hold(f, false);
    assert_int_equal(rb_wait(ticket, rig_until(RIG_PATIENCE_MS), &answer), RB_OK);
    assert_int_equal(answer.reason, RB_REASON_ACCEPTED);
    assert_true(rb_ready(ticket));
    assert_int_equal(rig_outcome(ticket), RB_REASON_ACCEPTED);
}

/* Whoever asks for many fetches most answers long after they came. */
static void an_answer_took_no_longer_than_until_it_came(void **state)
{
    struct rig *f = *state;
    struct rb_answer answer = {0};

    rig_open(f);
    for (int cached = 0; cached < 2; cached++) {
        struct rb_ticket *ticket = rig_ask(f, "user@example.org");

        assert_int_equal(rb_wait(ticket, rig_until(RIG_PATIENCE_MS), &answer), RB_OK);
        assert_int_equal(answer.reason, RB_REASON_ACCEPTED);
        fake_clock_advance_s(&f->clock, HOUR);
        assert_int_equal(rb_wait(ticket, rig_until(RIG_PATIENCE_MS), &answer), RB_OK);
        assert_int_equal(answer.elapsed_ms, 0);
        assert_int_equal(answer.cached, cached);
        rb_ticket_free(ticket);
    }
}

/*
 * The question waits for the only worker while the clock moves, so that no deadline of its own
 * callout passes.
 */
static void a_ticket_tells_when_its_question_was_asked_first(void **state)
{
    struct rig *f = *state;
    struct rb_answer answer = {0};

    f->options.max_workers = 1;
    rig_open(f);
    rig_hold(f, true);
    struct rb_ticket *ahead = rig_ask(f, "nobody@other.example");
    assert_true(fake_host_wait(f->host, "RCPT", 1));
    struct rb_ticket *first = rig_ask(f, "user@example.org");
    const int64_t asked_ms = rb_now_ms(f->verifier);
    fake_clock_advance_s(&f->clock, HOUR);
    struct rb_ticket *joined = rig_ask(f, "user@example.org");
    assert_int_equal(rb_now_ms(f->verifier), asked_ms + HOUR * 1000);
    assert_int_equal(rb_ticket_asked_ms(first), asked_ms);
    assert_int_equal(rb_ticket_asked_ms(joined), asked_ms);
    /* A wait of an hour would never end within the test. */
    assert_int_equal(rb_wait(joined, asked_ms + HOUR * 1000, &answer), RB_ERR_NOT_YET);
    assert_int_equal(answer.reason, RB_REASON_TIMEOUT);
    assert_string_equal(answer.rule, "still_asking");
    assert_int_equal(answer.elapsed_ms, 0);
    rig_hold(f, false);
    rb_ticket_free(ahead);
    assert_int_equal(rig_outcome(joined), RB_REASON_ACCEPTED);
    assert_int_equal(rig_outcome(first), RB_REASON_ACCEPTED);
    struct rb_ticket *cached = rig_ask(f, "user@example.org");
    assert_int_equal(rb_ticket_asked_ms(cached), rb_now_ms(f->verifier));
    rb_ticket_free(cached);
}

/* --- Limits ---------------------------------------------------------------- */

static void assert_sessions(struct rig *f, unsigned sessions, unsigned count)
{
    struct rb_ticket *tickets[60];
    char text[32];

    f->options.per_domain_sessions = sessions;
    rig_open(f);
    rig_hold(f, true);
    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(text, sizeof text, "nobody%u@example.org", i);
        tickets[i] = rig_ask(f, text);
    }
    assert_true(fake_host_wait(f->host, "RCPT", sessions));
    assert_int_equal(fake_host_open(f->host), sessions);
    assert_int_equal(rig_connections(f), sessions);
    assert_int_equal(rig_stats(f).running, sessions);
    assert_int_equal(rig_stats(f).pending, count - sessions);
    rig_hold(f, false);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(rig_outcome(tickets[i]), RB_REASON_NO_SUCH_USER);
    /* nine refusals a session, and not a question asked twice */
    assert_in_range(rig_connections(f), (count + 8) / 9, count / 9 + sessions);
    assert_int_equal(rig_rcpts(f), count);
}

static void a_domain_gets_its_sessions_and_no_more(void **state)
{
    assert_sessions(*state, 2, 20);
}

static void one_session_after_the_other_serves_a_whole_domain(void **state)
{
    assert_sessions(*state, 1, 20);
}

static void three_sessions_are_used_where_three_are_allowed(void **state)
{
    assert_sessions(*state, 3, 20);
}

static void a_held_domain_does_not_hold_back_another(void **state)
{
    struct rig *f = *state;

    f->options.max_workers = 3;
    f->options.per_domain_sessions = 1;
    rig_open(f);
    rig_hold(f, true);
    struct rb_ticket *one = rig_ask(f, "user@example.org"), *two = rig_ask(f, "user@other.example");
    assert_true(fake_host_wait(f->host, "RCPT", 2));
    assert_int_equal(rig_reason_for(f, "u@nowhere.example"), RB_REASON_NO_DOMAIN);
    assert_false(rb_ready(one));
    rig_hold(f, false);
    assert_int_equal(rig_outcome(one), RB_REASON_ACCEPTED);
    assert_int_equal(rig_outcome(two), RB_REASON_ACCEPTED);
}

static void a_full_queue_answers_busy_at_once(void **state)
{
    struct rig *f = *state;
    struct rb_answer answer = {0};

    f->options.max_workers = 1;
    f->options.max_pending = 2;
    rig_open(f);
    rig_hold(f, true);
    struct rb_ticket *asked = rig_ask(f, "user@example.org");
    assert_true(fake_host_wait(f->host, "RCPT", 1));
    struct rb_ticket *second = rig_ask(f, "user@other.example"),
                     *third = rig_ask(f, "user@third.example");
    struct rb_ticket *busy = rig_ask(f, "nobody@example.org");
    struct rb_ticket *joined = rig_ask(f, "user@other.example"); /* needs no place of its own */
    const struct rb_stats stats = rig_stats(f);
    assert_int_equal(stats.running, 1);
    assert_int_equal(stats.pending, 2);
    assert_int_equal(stats.busy, 1);
    assert_true(rb_ready(busy));
    assert_int_equal(rb_wait(busy, 0, &answer), RB_OK);
    rb_ticket_free(busy);
    assert_int_equal(answer.verdict, RB_VERDICT_UNKNOWN);
    assert_int_equal(answer.reason, RB_REASON_BUSY);
    assert_string_equal(answer.rule, "queue_full");
    assert_int_equal(answer.expires_s, -1);
    rig_hold(f, false);
    assert_int_equal(rig_outcome(asked), RB_REASON_ACCEPTED);
    assert_int_equal(rig_outcome(second), RB_REASON_ACCEPTED);
    assert_int_equal(rig_outcome(third), RB_REASON_ACCEPTED);
    assert_int_equal(rig_outcome(joined), RB_REASON_ACCEPTED);
    assert_int_equal(rig_reason_for(f, "nobody@example.org"), RB_REASON_NO_SUCH_USER);
}

/* Asks for count addresses nobody has asked for yet; each is called for, and comes to nothing. */
static void fail_callouts(struct rig *f, const char *name, unsigned count)
{
    unsigned before = rig_connections(f);
    char text[32];

    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(text, sizeof text, "%s%u@example.org", name, i);
        const struct rb_answer answer = rig_answer_for(f, text);
        assert_int_equal(answer.verdict, RB_VERDICT_UNKNOWN);
        assert_int_not_equal(answer.reason, RB_REASON_LIMITED);
    }
    assert_int_equal(rig_connections(f), before + count);
}

static void assert_held_back(struct rig *f, const char *text)
{
    unsigned before = rig_connections(f);
    const struct rb_answer answer = rig_answer_for(f, text);

    assert_int_equal(answer.verdict, RB_VERDICT_UNKNOWN);
    assert_int_equal(answer.reason, RB_REASON_LIMITED);
    assert_string_equal(answer.rule, "hosts_held_back");
    assert_int_equal(answer.expires_s, -1); /* about this moment only */
    assert_int_equal(rig_connections(f), before);
}

static void a_host_that_fails_is_held_back_for_a_while(void **state)
{
    static const struct fake_host_options unfriendly = {.banner = "421 4.3.2 go away"};
    static const struct fake_host_options polite = {.replies = users, .reply_count = COUNT(users)};
    struct rig *f = *state;

    rig_start_host(f, &unfriendly);
    rig_open(f);
    fail_callouts(f, "a", 5);
    assert_held_back(f, "user@example.org");
    assert_held_back(f, "user@other.example"); /* it is the same host */
    rig_reopen(f);
    assert_held_back(f, "user@example.org"); /* a restart forgives nothing */
    fake_clock_advance_s(&f->clock, 15 * MINUTE - 1);
    assert_held_back(f, "user@example.org");
    fake_clock_advance_s(&f->clock, 1);
    fail_callouts(f, "b", 1); /* the trial fails: held back at once, for twice as long */
    fake_clock_advance_s(&f->clock, 15 * MINUTE);
    assert_held_back(f, "user@example.org");
    fake_clock_advance_s(&f->clock, 15 * MINUTE);
    rig_start_host(f, &polite);
    assert_int_equal(rig_reason_for(f, "user@example.org"), RB_REASON_ACCEPTED);
    rig_start_host(f, &unfriendly);
    fake_clock_advance_s(&f->clock,
                         MINUTE); /* not taken for one that still counts our last session */
    fail_callouts(f, "c", 5);     /* all was forgiven */
    assert_held_back(f, "user@third.example");
}

static void a_refused_address_does_not_count_against_its_host(void **state)
{
    struct rig *f = *state;
    char text[32];

    rig_open(f);
    for (unsigned i = 0; i < 10; i++) {
        (void)snprintf(text, sizeof text, "nobody%u@example.org", i);
        assert_int_equal(rig_reason_for(f, text), RB_REASON_NO_SUCH_USER);
    }
    assert_int_equal(rig_reason_for(f, "user@example.org"), RB_REASON_ACCEPTED);
}

/* --- New options ----------------------------------------------------------- */

static void new_lifetimes_hold_for_what_is_known(void **state)
{
    struct rig *f = *state;

    rig_open(f);
    assert_int_equal(rig_reason_for(f, "user@example.org"), RB_REASON_ACCEPTED);
    f->options.lifetimes.valid_ttl_s = 100;
    f->options.lifetimes.valid_refresh_s = 50;
    rig_reload(f);
    fake_clock_advance_s(&f->clock, 30);
    struct rb_answer answer = rig_answer_for(f, "user@example.org");
    assert_true(answer.cached);
    assert_int_equal(answer.expires_s, 70);
    fake_clock_advance_s(&f->clock, 70);
    answer = rig_answer_for(f, "user@example.org");
    assert_false(answer.cached);
    assert_int_equal(answer.expires_s, 100);
    assert_int_equal(rig_connections(f), 2);
}

static void wrong_new_options_leave_the_old_ones(void **state)
{
    struct rig *f = *state;
    struct rb_options wrong = f->options;

    rig_open(f);
    wrong.max_hosts = 0;
    wrong.lifetimes.valid_ttl_s = 1;
    assert_int_equal(rb_verifier_set_options(f->verifier, &wrong), RB_ERR_ARGUMENT);
    assert_int_equal(rig_answer_for(f, "user@example.org").expires_s, 31 * DAY);
}

static void another_clock_is_refused(void **state)
{
    struct rig *f = *state;
    struct rb_options wrong = f->options;

    rig_open(f);
    wrong.clock = NULL;
    assert_int_equal(rb_verifier_set_options(f->verifier, &wrong), RB_ERR_ARGUMENT);
}

static void new_options_are_for_questions_from_now_on(void **state)
{
    struct rig *f = *state;
    char command[128];

    rig_open(f);
    rig_hold(f, true);
    struct rb_ticket *before = rig_ask(f, "nobody1@example.org");
    assert_true(fake_host_wait(f->host, "RCPT", 1));
    f->options.helo_name = "renamed.example.net";
    rig_reload(f);
    f->options.helo_name = NULL; /* they were copied */
    struct rb_ticket *after = rig_ask(f, "user@other.example");
    rig_hold(f, false);
    assert_int_equal(rig_outcome(before), RB_REASON_NO_SUCH_USER);
    assert_int_equal(rig_outcome(after), RB_REASON_ACCEPTED);
    fake_host_command(f->host, "EHLO", 0, command, sizeof command);
    assert_string_equal(command, "EHLO probe.example.net");
    fake_host_command(f->host, "EHLO", 1, command, sizeof command);
    assert_string_equal(command, "EHLO renamed.example.net");
}

/* --- Name servers ------------------------------------------------------------ */

/* One of two is silent: that costs its second once, and not the answer. */
static void a_silent_name_server_of_two_does_not_cost_the_answer(void **state)
{
    struct rig *f = *state;
    static const struct fake_dns_row mute_zone[] = {
        {.name = "example.org", .flags = FAKE_DNS_DROP},
        {.name = "other.example", .flags = FAKE_DNS_DROP},
        {.name = "mx.example.org", .flags = FAKE_DNS_DROP},
    };
    struct fake_dns *mute = fake_dns_start(AF_INET, mute_zone, COUNT(mute_zone));
    const char *const resolvers[] = {fake_dns_server(mute), f->resolver};

    f->options.resolvers = resolvers;
    f->options.resolver_count = COUNT(resolvers);
    rig_open(f);
    assert_int_equal(rig_reason_for(f, "user@example.org"), RB_REASON_ACCEPTED);
    assert_int_equal(rig_reason_for(f, "user@other.example"), RB_REASON_ACCEPTED);
    assert_int_equal(fake_dns_asked_udp(mute, "example.org", ns_t_invalid), 1);
    assert_int_equal(fake_dns_asked_udp(mute, "mx.example.org", ns_t_invalid), 0);
    assert_int_equal(fake_dns_asked_udp(mute, "other.example", ns_t_invalid), 0);
    rig_close(f);
    fake_dns_stop(mute);
}

/* --- The end --------------------------------------------------------------- */

static void stopping_wakes_all_who_wait(void **state)
{
    struct rig *f = *state;
    struct rb_question questions[] = {
        rig_question("user@example.org"), rig_question("user@example.org"),
        rig_question("user@other.example"), rig_question("nobody@example.org"),
        rig_question("user@example.org")};

    questions[3].no_cache = true;
    questions[4].transcript = true;
    f->options.per_domain_sessions = 1;
    rig_open(f);
    rig_hold(f, true);
    rig_start_askers(f, COUNT(questions), questions, COUNT(questions));
    assert_true(fake_host_wait(f->host, "RCPT", 2));
    rb_verifier_stop(f->verifier);
    rig_join_askers(f, COUNT(questions));
    for (size_t i = 0; i < COUNT(questions); i++) {
        assert_true(f->askers[i].waited == RB_OK || f->askers[i].waited == RB_ERR_CLOSING);
        assert_int_equal(f->askers[i].answer.verdict, RB_VERDICT_UNKNOWN);
        assert_int_equal(f->askers[i].answer.reason, RB_REASON_TIMEOUT);
        rb_answer_fini(&f->askers[i].answer);
    }
    rb_verifier_stop(f->verifier); /* once more does no harm */
}

/* The workers sit in look-ups that nobody answers. */
static void stopping_does_not_wait_for_a_silent_name_server(void **state)
{
    struct rig *f = *state;
    struct rb_question questions[] = {rig_question("a@silent.example"),
                                      rig_question("b@silent.example"),
                                      rig_question("c@silent.example")};

    questions[1].no_cache = true;
    questions[2].transcript = true;
    f->options.per_domain_sessions = 3;
    f->options.total_timeout_ms = 3600000;
    rig_open(f);
    rig_start_askers(f, COUNT(questions), questions, COUNT(questions));
    rig_await_sessions(f, COUNT(questions), 0);
    rb_verifier_stop(f->verifier);
    rig_join_askers(f, COUNT(questions));
    for (size_t i = 0; i < COUNT(questions); i++) {
        assert_int_equal(f->askers[i].answer.reason, RB_REASON_TIMEOUT);
        rb_answer_fini(&f->askers[i].answer);
    }
}

static void once_stopped_nobody_is_asked(void **state)
{
    struct rig *f = *state;

    rig_open(f);
    assert_int_equal(rig_reason_for(f, "user@example.org"), RB_REASON_ACCEPTED);
    rb_verifier_stop(f->verifier);
    const struct rb_answer answer = rig_answer_for(f, "nobody@example.org");
    assert_int_equal(answer.reason, RB_REASON_TIMEOUT);
    assert_string_equal(answer.rule, "shutting_down");
    assert_true(rig_answer_for(f, "user@example.org").cached); /* what is known is still told */
    assert_int_equal(rig_connections(f), 1);
}

struct crowd {
    struct rig *rig;
    unsigned number, unexpected;
    bool stopped; /* it was told so */
    pthread_t thread;
};

/* Asks about one new address after the other until it is told that the verifier stops. */
static void *ask_until_stopped(void *arg)
{
    struct crowd *crowd = arg;
    struct rb_answer answer = {.size = 0};
    char text[48];

    for (unsigned i = 0; !crowd->stopped; i++) {
        (void)snprintf(text, sizeof text, "c%u-%u@%s.example", crowd->number, i,
                       i % 2 == 0 ? "other" : "third");
        answer = rig_answer(rig_ask(crowd->rig, text));
        crowd->stopped = strcmp(answer.rule, "shutting_down") == 0;
        if (answer.reason != RB_REASON_NO_SUCH_USER && answer.reason != RB_REASON_BUSY &&
            answer.reason != RB_REASON_TIMEOUT)
            crowd->unexpected++;
    }
    return NULL;
}

/* Some questions are on their way to a worker at any moment: none is lost, none told twice. */
static void who_asks_while_it_stops_is_told_so(void **state)
{
    struct rig *f = *state;
    struct crowd crowd[8];

    f->options.max_workers = 2;
    f->options.max_pending = 3;
    f->options.shield.addresses = 0;
    f->options.per_domain_rate.count = f->options.global_rate.count = 100000;
    rig_open(f);
    for (unsigned i = 0; i < COUNT(crowd); i++) {
        crowd[i] = (struct crowd){.rig = f, .number = i};
        assert_int_equal(pthread_create(&crowd[i].thread, NULL, ask_until_stopped, &crowd[i]), 0);
    }
    assert_true(fake_host_wait(f->host, "RCPT", 50));
    rb_verifier_stop(f->verifier);
    for (unsigned i = 0; i < COUNT(crowd); i++) {
        assert_int_equal(pthread_join(crowd[i].thread, NULL), 0);
        assert_int_equal(crowd[i].unexpected, 0);
    }
    assert_int_equal(rig_stats(f).pending, 0);
    assert_int_equal(rb_verifier_close(f->verifier), RB_OK);
    f->verifier = NULL;
}

static void closing_does_not_wait_for_the_host(void **state)
{
    struct rig *f = *state;

    f->options.max_workers = 2;
    rig_open(f);
    rig_hold(f, true);
    rb_ticket_free(rig_ask(f, "user@example.org"));
    rb_ticket_free(rig_ask(f, "user@other.example"));
    rb_ticket_free(rig_ask(f, "user@third.example")); /* waits for a worker */
    assert_true(fake_host_wait(f->host, "RCPT", 2));
    assert_int_equal(rb_verifier_close(f->verifier), RB_OK); /* the host is held all the while */
    f->verifier = NULL;
    assert_int_equal(rig_rcpts(f), 2);
    /* what was cut short is no answer to keep */
    rig_hold(f, false);
    rig_open(f);
    const struct rb_answer answer = rig_answer_for(f, "user@example.org");
    assert_int_equal(answer.reason, RB_REASON_ACCEPTED);
    assert_false(answer.cached);
}

static void whoever_holds_a_ticket_keeps_it_open(void **state)
{
    struct rig *f = *state;

    rig_open(f);
    struct rb_ticket *ticket = rig_ask(f, "user@example.org");
    assert_int_equal(rb_verifier_close(f->verifier), RB_ERR_BUSY);
    assert_int_equal(rig_outcome(ticket), RB_REASON_ACCEPTED); /* nothing was stopped */
    ticket = rig_ask(f, "user@example.org");                   /* in the cache */
    assert_int_equal(rb_verifier_close(f->verifier), RB_ERR_BUSY);
    rb_ticket_free(ticket);
    assert_int_equal(rb_verifier_close(f->verifier), RB_OK);
    f->verifier = NULL;
}

static void note_event(void *arg, enum rb_event event, const char *text)
{
    atomic_uint *events = arg;

    (void)text;
    atomic_fetch_or(events, 1U << event);
}

static void closing_says_that_something_could_not_be_kept(void **state)
{
    struct rig *f = *state;
    atomic_uint events = 0;
    char data[128];

    f->options.observer = (struct rb_observer){.event = note_event, .arg = &events};
    rig_open(f);
    (void)snprintf(data, sizeof data, "%s/data.mdb", f->path);
    assert_int_equal(unlink(data), 0);
    assert_int_equal(symlink("/nowhere", data), 0); /* it cannot be made anew */
    rig_reload(f);                                  /* it is looked for */
    for (int i = 0; i < RIG_PATIENCE_MS && (events & 1U << RB_EVENT_STORE_LOST) == 0; i++)
        check_pause();
    assert_int_equal(rig_reason_for(f, "user@example.org"), RB_REASON_ACCEPTED);
    assert_int_equal(rb_verifier_close(f->verifier), RB_ERR_STORE);
    f->verifier = NULL;
}

static void closing_says_that_the_store_has_gone(void **state)
{
    struct rig *f = *state;

    rig_open(f);
    assert_int_equal(rig_reason_for(f, "user@example.org"), RB_REASON_ACCEPTED);
    assert_int_equal(rb_verifier_flush(f->verifier), RB_OK);
    rig_remove_store(f->path);
    assert_int_equal(rb_verifier_flush(f->verifier), RB_ERR_STORE); /* it is a new one by now */
    assert_int_equal(rb_verifier_close(f->verifier), RB_ERR_STORE);
    f->verifier = NULL;
}

static unsigned threads(void)
{
    DIR *tasks = opendir("/proc/self/task");
    unsigned count = 0;

    assert_non_null(tasks);
    while (readdir(tasks) != NULL)
        count++;
    assert_int_equal(closedir(tasks), 0);
    return count;
}

/* The kernel counts a thread for a moment after it has been joined. */
static void await_threads(unsigned count)
{
    for (int i = 0; i < RIG_PATIENCE_MS && threads() != count; i++)
        check_pause();
    assert_int_equal(threads(), count);
}

static bool is_asked_silent(struct rig *f)
{
    return fake_dns_asked_udp(f->dns, "silent.example", ns_t_invalid) > 0;
}

static bool is_asked_over_tcp(struct rig *f)
{
    return fake_dns_asked_tcp(f->dns, "silentovertcp.example", ns_t_invalid) > 0;
}

static bool is_flooded(struct rig *f)
{
    return fake_host_heard(f->host, "FLOOD") > 0;
}

/* Where a callout stands that would go on for as long as it may. */
static void closing_ends_all(struct rig *f, const char *whom, bool (*is_there)(struct rig *))
{
    const unsigned before = threads();

    f->options.greylist.retry = true; /* a thread more */
    rig_open(f);
    rb_ticket_free(rig_ask(f, whom));
    for (int i = 0; i < RIG_PATIENCE_MS && !is_there(f); i++)
        check_pause();
    assert_true(is_there(f));
    (void)alarm(ALARM_S);
    rig_close(f);
    (void)alarm(0);
    await_threads(before);
    rig_open(f); /* which it could not, were the store still open */
    rig_close(f);
}

static void closing_leaves_nothing_behind_a_silent_name_server(void **state)
{
    struct rig *f = *state;

    closing_ends_all(f, "u@silent.example", is_asked_silent);
}

static void closing_leaves_nothing_behind_a_silent_name_server_of_a_host(void **state)
{
    struct rig *f = *state;

    closing_ends_all(f, "u@hostsilent.example", is_asked_silent);
}

static void closing_leaves_nothing_behind_a_name_server_that_is_silent_over_tcp(void **state)
{
    struct rig *f = *state;

    closing_ends_all(f, "u@silentovertcp.example", is_asked_over_tcp);
}

static void closing_leaves_nothing_behind_a_host_that_floods_us(void **state)
{
    static const struct fake_host_step steps[] = {{FAKE_HOST_SAY, "220 hello"},
                                                  {FAKE_HOST_EXPECT, "EHLO"},
                                                  {FAKE_HOST_SAY, "250-hello\r\n250 STARTTLS"},
                                                  {FAKE_HOST_EXPECT, "STARTTLS"},
                                                  {FAKE_HOST_SAY, "220 go"},
                                                  {FAKE_HOST_HELLO_REQUESTS, NULL}};
    static const struct fake_host_script script = {steps, COUNT(steps)};
    static const struct fake_host_options hostile = {.scripts = &script, .script_count = 1};
    struct rig *f = *state;

    rig_start_host(f, &hostile);
    closing_ends_all(f, "user@example.org", is_flooded);
}

static void closing_leaves_no_worker(void **state)
{
    struct rig *f = *state;
    const unsigned before = threads();
    const struct rb_question questions[] = {rig_question("user@example.org"),
                                            rig_question("user@other.example"),
                                            rig_question("user@third.example")};

    rig_open(f);
    rig_hold(f, true);
    rig_start_askers(f, COUNT(questions), questions, COUNT(questions));
    assert_true(fake_host_wait(f->host, "RCPT", COUNT(questions)));
    rig_hold(f, false);
    rig_join_askers(f, COUNT(questions));
    rig_close(f);
    await_threads(before);
}

/* --- Counts ---------------------------------------------------------------- */

static void what_was_done_is_counted(void **state)
{
    struct rig *f = *state;
    struct rb_question q = rig_question("user@example.org");
    struct rb_answer answer = {.size = 0};

    rig_open(f);
    (void)rig_reason_for(f, "user@example.org");   /* miss, callout */
    (void)rig_reason_for(f, "user@example.org");   /* hit */
    (void)rig_reason_for(f, "nobody@example.org"); /* miss, callout */
    (void)rig_reason_for(f, "u@nowhere.example");  /* miss, callout that makes no connection */
    (void)rig_reason_for(f, "v@nowhere.example");  /* hit, by a fact */
    (void)rig_reason_for(f, "no address");         /* not looked up */
    (void)rig_reason_for(f, "<>");                 /* not looked up */
    q.no_cache = true;
    rig_verify(f, &q, &answer); /* not looked up, callout */
    const struct rb_stats stats = rig_stats(f);
    assert_int_equal(stats.questions, 8);
    assert_int_equal(stats.cache_miss, 3);
    assert_int_equal(stats.cache_hit, 2);
    assert_int_equal(stats.cache_stale, 0);
    assert_int_equal(stats.settled_by_fact, 1);
    assert_int_equal(stats.coalesced, 0);
    assert_int_equal(stats.busy, 0);
    assert_int_equal(stats.callouts[RB_REASON_ACCEPTED], 2);
    assert_int_equal(stats.callouts[RB_REASON_NO_SUCH_USER], 1);
    assert_int_equal(stats.callouts[RB_REASON_NO_DOMAIN], 1);
    assert_int_equal(stats.callouts[RB_REASON_BAD_ADDRESS], 0);
    assert_int_equal(stats.pending, 0);
    assert_int_equal(stats.dropped_writes, 0);
    assert_true(stats.cache_bytes > 0);
    assert_int_equal(rig_connections(f), 3);
}

/* --- All at once ----------------------------------------------------------- */

static const struct {
    const char *address;
    enum rb_reason reason;
} known[] = {
    {"user@example.org", RB_REASON_ACCEPTED},
    {"user@other.example", RB_REASON_ACCEPTED},
    {"user@third.example", RB_REASON_ACCEPTED},
    {"nobody@example.org", RB_REASON_NO_SUCH_USER},
    {"nobody@other.example", RB_REASON_NO_SUCH_USER},
    {"grey@example.org", RB_REASON_GREYLISTED},
    {"u@nowhere.example", RB_REASON_NO_DOMAIN},
    {"<>", RB_REASON_EXEMPT},
    {"bad", RB_REASON_BAD_ADDRESS},
};

struct stress {
    struct rig *f;
    unsigned seed, wrong;
    pthread_t thread;
};

/* One question of a random kind. True: the answer was right, or none could be had in time. */
static bool stress_once(struct rig *f, unsigned *seed)
{
    size_t which = (size_t)rand_r(seed) % COUNT(known);
    struct rb_question q = rig_question(known[which].address);
    unsigned wait_ms = rand_r(seed) % 4 == 0 ? 0 : RIG_PATIENCE_MS;
    struct rb_answer answer = {0};
    enum rb_error error;
    bool right;

    q.no_cache = rand_r(seed) % 8 == 0;
    q.only_cache = rand_r(seed) % 8 == 0;
    q.transcript = rand_r(seed) % 8 == 0;
    error = rb_verify(f->verifier, &q, rig_until(wait_ms), &answer);
    if (error != RB_OK && error != RB_ERR_NOT_YET)
        return false;
    right = answer.reason == known[which].reason ||
            ((wait_ms == 0 || q.only_cache) && answer.reason == RB_REASON_TIMEOUT);
    rb_answer_fini(&answer);
    return right;
}

static void *stress(void *arg)
{
    struct stress *job = arg;

    for (int i = 0; i < STRESS_ROUNDS; i++)
        job->wrong += stress_once(job->f, &job->seed) ? 0 : 1;
    return NULL;
}

static void many_threads_get_right_answers(void **state)
{
    struct rig *f = *state;
    struct stress jobs[STRESS_THREADS];
    unsigned seed = (unsigned)time(NULL), wrong = 0;

    print_message("# seed %u\n", seed);
    rig_open(f);
    for (unsigned i = 0; i < STRESS_THREADS; i++) {
        jobs[i] = (struct stress){.f = f, .seed = seed + i};
        assert_int_equal(pthread_create(&jobs[i].thread, NULL, stress, &jobs[i]), 0);
    }
    for (int i = 0; i < STRESS_ROUNDS; i++) { /* meanwhile */
        rig_reload(f);
        (void)rig_stats(f);
    }
    for (unsigned i = 0; i < STRESS_THREADS; i++) {
        assert_int_equal(pthread_join(jobs[i].thread, NULL), 0);
        wrong += jobs[i].wrong;
    }
    assert_int_equal(wrong, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, rig_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_accepted_address_is_valid),
        TEST(a_refused_address_is_invalid),
        TEST(a_4yz_is_unknown_and_kept_for_a_while),
        TEST(a_domain_without_mail_is_invalid),
        TEST(what_is_no_address_is_told_at_once),
        TEST(what_cannot_be_asked_about_is_unknown),
        TEST(the_null_sender_is_exempt),
        TEST(utf8_is_asked_about_only_where_smtputf8_is_on),
        TEST(a_question_must_be_one),
        TEST(the_second_question_is_answered_from_the_cache),
        TEST(no_cache_asks_anew_and_keeps_the_answer),
        TEST(only_cache_asks_nobody),
        TEST(a_stale_answer_is_given_at_once_and_refreshed_behind),
        TEST(a_valid_takes_two_denials_an_hour_apart),
        TEST(a_refresh_that_tells_nothing_leaves_what_is_known),
        TEST(an_expired_answer_is_asked_for_again),
        TEST(a_greylisted_address_is_asked_again_by_itself),
        TEST(a_retry_is_not_made_before_its_time),
        TEST(a_restart_loses_no_retry),
        TEST(what_fell_due_while_nobody_ran_is_asked_at_the_start),
        TEST(tempfail_backs_off_with_sweeps_in_between_and_is_given_up),
        TEST(a_host_that_is_held_back_is_not_asked_until_it_is_not_any_more),
        TEST(a_retry_that_meets_a_host_held_back_waits_for_it),
        TEST(a_reload_switches_retries_on_and_off),
        TEST(nothing_is_asked_again_unless_it_is_wanted),
        TEST(a_deferral_of_a_known_address_is_not_asked_again),
        TEST(a_restart_loses_no_verdict),
        TEST(a_verifier_without_a_store_works),
        TEST(a_reload_sees_that_the_store_is_another_one),
        TEST(a_store_that_cannot_be_used_is_told_in_words),
        TEST(a_store_is_open_once_in_a_process),
        TEST(wrong_options_are_told_in_words),
        TEST(a_catch_all_domain_settles_its_other_addresses),
        TEST(one_probe_does_for_all_sessions_that_begin_together),
        TEST(an_acceptance_is_told_before_the_probe_is_answered),
        TEST(where_nothing_is_left_open_no_acceptance_is_told),
        TEST(a_dead_domain_settles_its_other_addresses),
        TEST(what_a_relay_says_is_kept_apart),
        TEST(twenty_equal_questions_cost_one_callout),
        TEST(two_hundred_equal_questions_cost_one_callout),
        TEST(no_cache_does_not_join),
        TEST(a_transcript_shows_what_was_said),
        TEST(each_transcript_shows_its_own_question),
        TEST(a_transcript_nobody_waits_for_is_dropped),
        TEST(a_caller_that_leaves_changes_nothing),
        TEST(a_ticket_may_be_waited_for_twice),
        TEST(an_answer_took_no_longer_than_until_it_came),
        TEST(a_ticket_tells_when_its_question_was_asked_first),
        TEST(a_domain_gets_its_sessions_and_no_more),
        TEST(one_session_after_the_other_serves_a_whole_domain),
        TEST(three_sessions_are_used_where_three_are_allowed),
        TEST(a_held_domain_does_not_hold_back_another),
        TEST(a_full_queue_answers_busy_at_once),
        TEST(a_host_that_fails_is_held_back_for_a_while),
        TEST(a_refused_address_does_not_count_against_its_host),
        TEST(new_lifetimes_hold_for_what_is_known),
        TEST(wrong_new_options_leave_the_old_ones),
        TEST(another_clock_is_refused),
        TEST(new_options_are_for_questions_from_now_on),
        TEST(a_silent_name_server_of_two_does_not_cost_the_answer),
        TEST(stopping_wakes_all_who_wait),
        TEST(stopping_does_not_wait_for_a_silent_name_server),
        TEST(once_stopped_nobody_is_asked),
        TEST(who_asks_while_it_stops_is_told_so),
        TEST(closing_does_not_wait_for_the_host),
        TEST(whoever_holds_a_ticket_keeps_it_open),
        TEST(closing_says_that_something_could_not_be_kept),
        TEST(closing_says_that_the_store_has_gone),
        TEST(closing_leaves_nothing_behind_a_silent_name_server),
        TEST(closing_leaves_nothing_behind_a_silent_name_server_of_a_host),
        TEST(closing_leaves_nothing_behind_a_name_server_that_is_silent_over_tcp),
        TEST(closing_leaves_nothing_behind_a_host_that_floods_us),
        TEST(closing_leaves_no_worker),
        TEST(what_was_done_is_counted),
        TEST(many_threads_get_right_answers),
    };
    return cmocka_run_group_tests_name("verifier", tests, NULL, NULL);
}
