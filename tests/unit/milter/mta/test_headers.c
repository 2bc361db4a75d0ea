/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_headers: what a message carries away from us, and that nobody else's word passes for ours.
 */
#include "config.h"

#include "mta/headers.h"

#include "check.h"

#include <stdio.h>
#include <time.h>

#include "config/configuration.h"
#include "base/text.h"

#define OURS "mx.example.net"

enum { RANDOM_ROUNDS = 20000 };

/* --- Forged fields --------------------------------------------------------- */

/* As where nobody is asked about clients. */
static void see(struct header_census *census, const char *name, const char *value,
                const char *authserv_id)
{
    const struct header_names names = {.authserv_id = authserv_id};

    headers_see(census, name, value, &names);
}

static void fields_of_our_names_are_counted(void **state)
{
    static const char *const ringback[] = {"X-Ringback", "x-ringback", "X-RINGBACK", "X-RingBack ",
                                           "x-ringback\t \t"};
    static const char *const warning[] = {"X-Ringback-Warning", "x-ringback-warning",
                                          "X-RINGBACK-WARNING "};
    static const char *const others[] = {
        "X-Ringbac",    "X-Ringbacks", "X-Ringback-", " X-Ringback",
        "X-Ringback x", "XX-Ringback", "X_Ringback",  "",
        "Received"};
    struct header_census census = {0};

    (void)state;
    for (size_t i = 0; i < COUNT(ringback); i++)
        see(&census, ringback[i], "valid", OURS);
    for (size_t i = 0; i < COUNT(warning); i++)
        see(&census, warning[i], "x", OURS);
    for (size_t i = 0; i < COUNT(others); i++)
        see(&census, others[i], OURS "; x-callback=pass", OURS);
    assert_int_equal(census.ringback, COUNT(ringback));
    assert_int_equal(census.warning, COUNT(warning));
    assert_int_equal(census.results.seen, 0);
    assert_int_equal(census.results.count, 0);
    assert_false(census.overflow);
    headers_fini(&census);
}

static void our_authserv_id_is_found_however_it_is_written(void **state)
{
    static const char *const forged[] = {
        OURS "; x-callback=pass",
        OURS,
        " " OURS " ; none",
        "\t\r\n\t" OURS "\r\n\t; none",
        "MX.Example.NET; spf=pass",
        OURS " 1; spf=pass",
        OURS "(the real one); spf=pass",
        "(comment) " OURS "; spf=pass",
        "(a (nested) one)(and another)\r\n " OURS "; spf=pass",
        "(with a \\) in it)" OURS "; spf=pass",
        "(a \\\\)" OURS "; spf=pass",
        "\"" OURS "\"; spf=pass",
        "(c)\"MX.example.NET\" (c) 1; spf=pass",
        "\"m\\x.example.\\net\"; spf=pass",
        "\"" OURS "\"",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(forged); i++)
        if (!headers_has_authserv_id(forged[i], OURS))
            fail_msg("not found: %s", forged[i]);
}

static void an_authserv_id_that_is_not_ours_is_left(void **state)
{
    static const char *const others[] = {
        "",
        "   ",
        ";",
        "mx.example.org; spf=pass",
        OURS "x; spf=pass",
        OURS ".; spf=pass",
        "x" OURS "; spf=pass",
        "mx.example.ne; spf=pass",
        "(" OURS ") other.example; spf=pass",
        "other.example; spf=pass (" OURS ")",
        "other.example; spf=pass smtp.mailfrom=" OURS,
        "\"other.example\"; " OURS "; spf=pass",
        "\" " OURS "\"; spf=pass",
        "\"\"; spf=pass",
        ") " OURS,
    };

    (void)state;
    for (size_t i = 0; i < COUNT(others); i++)
        if (headers_has_authserv_id(others[i], OURS))
            fail_msg("taken for ours: %s", others[i]);
}

static void what_cannot_be_read_is_taken_for_ours(void **state)
{
    static const char *const unreadable[] = {
        "(",     "(never ends " OURS "; spf=pass", "(a (b) " OURS, "(\\",
        "(a\\)", "\"" OURS "; spf=pass",           "\"",           "\"never ends\\\"",
    };
    char deep[200] = "";

    (void)state;
    for (size_t i = 0; i < COUNT(unreadable); i++)
        if (!headers_has_authserv_id(unreadable[i], OURS))
            fail_msg("left: %s", unreadable[i]);
    memset(deep, '(', 21);
    memset(deep + 21, ')', 21);
    assert_true(text_copy(deep + 42, sizeof deep - 42, "other.example; spf=pass"));
    assert_true(headers_has_authserv_id(deep, OURS));
    assert_false(headers_has_authserv_id(deep + 1, OURS)); /* unbalanced, but not an open comment */
    memset(deep, ' ', 1);
    memset(deep + 41, ' ', 1);
    assert_false(headers_has_authserv_id(deep, OURS)); /* 20 deep */
}

static void a_long_authserv_id_is_not_taken_for_its_beginning(void **state)
{
    char ours[512], theirs[700];

    (void)state;
    memset(ours, 'a', sizeof ours);
    ours[sizeof ours - 1] = '\0';
    memset(theirs, 'a', sizeof theirs);
    theirs[sizeof theirs - 1] = '\0';
    assert_true(headers_has_authserv_id(ours, ours));
    ours[255] = theirs[256] = '\0'; /* the longest that the configuration takes, and one more */
    assert_true(headers_has_authserv_id(ours, ours));
    assert_false(headers_has_authserv_id(theirs, ours));
}

static void forged_results_are_known_by_their_number(void **state)
{
    struct header_census census = {0};

    (void)state;
    see(&census, "Authentication-Results", "other.example; spf=pass", OURS);
    see(&census, "AUTHENTICATION-results ", OURS "; spf=pass", OURS);
    see(&census, "Received", OURS, OURS);
    see(&census, "Authentication-Results", "other.example; spf=pass", OURS);
    see(&census, "authentication-results", "(" OURS, OURS);
    see(&census, "X-Authentication-Results", OURS, OURS);
    assert_int_equal(census.results.seen, 4);
    assert_int_equal(census.results.count, 2);
    assert_int_equal(census.results.which[0], 2);
    assert_int_equal(census.results.which[1], 4);
    assert_false(census.overflow);
    headers_fini(&census);
    assert_int_equal(census.results.seen, 0);
    assert_null(census.results.which);
    headers_fini(&census);
}

static void without_an_authserv_id_no_results_are_ours(void **state)
{
    struct header_census census = {0};

    (void)state;
    see(&census, "Authentication-Results", "; spf=pass", "");
    see(&census, "Authentication-Results", "(", "");
    assert_int_equal(census.results.seen, 2);
    assert_int_equal(census.results.count, 0);
    headers_fini(&census);
}

static void forged_results_beyond_the_ceiling_are_not_forgotten(void **state)
{
    struct header_census census = {0};

    (void)state;
    for (unsigned i = 0; i < HEADERS_FORGED_MAX; i++)
        see(&census, "Authentication-Results", OURS, OURS);
    assert_int_equal(census.results.count, HEADERS_FORGED_MAX);
    assert_int_equal(census.results.which[HEADERS_FORGED_MAX - 1], HEADERS_FORGED_MAX);
    assert_false(census.overflow);
    see(&census, "Authentication-Results", "other.example", OURS);
    assert_false(census.overflow);
    see(&census, "Authentication-Results", OURS, OURS);
    assert_true(census.overflow);
    assert_int_equal(census.results.count, HEADERS_FORGED_MAX);
    headers_fini(&census);
}

static void fields_of_our_names_beyond_the_ceiling_are_not_forgotten(void **state)
{
    static const char *const names[] = {"X-Ringback", "X-Ringback-Warning"};

    (void)state;
    for (size_t k = 0; k < COUNT(names); k++) {
        struct header_census census = {0};

        for (unsigned i = 0; i < HEADERS_FORGED_MAX; i++)
            see(&census, names[k], "", OURS);
        assert_false(census.overflow);
        see(&census, names[k], "", OURS);
        assert_true(census.overflow);
        headers_fini(&census);
    }
}

static void a_warning_of_ours_is_known_by_the_host_that_it_names(void **state)
{
    static const struct {
        const char *value;
        bool ours;
    } table[] = {
        {OURS ": could not be asked", true},
        {" MX.example.NET : x", true},
        {OURS, true},
        {"(a (b)) " OURS ": x", true},
        {"\r\n\t" OURS "(x): y", true},
        {"\"" OURS "\": x", true},
        {"client.example: could not be asked", true},
        {"Client.Example", true},
        {"(no end " OURS ": x", true}, /* unreadable */
        {"\"no end", true},
        {"other.example: " OURS ": x", false},
        {OURS ".example: x", false},
        {"x" OURS ": x", false},
        {": " OURS, false},
        {"", false},
    };
    const struct header_names names = {
        .authserv_id = "", .hostname = OURS, .claimed = "client.example"};

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        struct header_census census = {0};

        headers_see(&census, "Callback-Warning", "other.example: x", &names);
        headers_see(&census, "callback-WARNING ", table[i].value, &names);
        assert_int_equal(census.callback.seen, 2);
        if (census.callback.count != table[i].ours)
            fail_msg("%s", table[i].value);
        if (table[i].ours)
            assert_int_equal(census.callback.which[0], 2);
        headers_fini(&census);
    }
}

static void a_warning_about_an_address_is_ours_where_that_is_claimed(void **state)
{
    const struct header_names names = {
        .authserv_id = "", .hostname = "", .claimed = "[IPv6:2001:db8::1]"};
    struct header_census census = {0};

    (void)state;
    headers_see(&census, "Callback-Warning", "[IPv6:2001:db8::1]: x", &names);
    headers_see(&census, "Callback-Warning", "[IPv6:2001:db8::2]: x", &names);
    headers_see(&census, "Callback-Warning", ": x", &names);
    assert_int_equal(census.callback.count, 1);
    headers_fini(&census);
}

static void where_no_clients_are_asked_about_no_warning_is_ours(void **state)
{
    struct header_census census = {0};

    (void)state;
    see(&census, "Callback-Warning", OURS ": x", OURS);
    assert_int_equal(census.callback.seen, 0);
    headers_fini(&census);
}

static void warnings_beyond_the_ceiling_are_not_forgotten(void **state)
{
    const struct header_names names = {.authserv_id = "", .hostname = OURS, .claimed = ""};
    struct header_census census = {0};

    (void)state;
    for (unsigned i = 0; i < HEADERS_FORGED_MAX; i++)
        headers_see(&census, "Callback-Warning", OURS ": x", &names);
    assert_false(census.overflow);
    headers_see(&census, "Callback-Warning", OURS ": x", &names);
    assert_true(census.overflow);
    headers_fini(&census);
}

static void random_values_are_read_within_bounds(void **state)
{
    static const char alphabet[] = "()\\\"; \t\r\nmx.example.netMX\xff";
    unsigned seed = (unsigned)time(NULL), ours = 0;

    (void)state;
    print_message("# seed %u\n", seed);
    for (int round = 0; round < RANDOM_ROUNDS; round++) {
        size_t len = (size_t)rand_r(&seed) % 600;
        char *value = malloc(len + 1); /* its end is where the sanitizer looks */

        assert_non_null(value);
        for (size_t i = 0; i < len; i++)
            value[i] = alphabet[(size_t)rand_r(&seed) % (sizeof alphabet - 1)];
        value[len] = '\0';
        ours += headers_has_authserv_id(value, OURS);
        free(value);
    }
    assert_in_range(ours, 1, RANDOM_ROUNDS - 1);
}

/* --- Ours ------------------------------------------------------------------ */

struct fixture {
    char authserv_id[RB_DOMAIN_MAX + 1];
    struct config config;
    struct session session;
    struct decision decision;
};

static void set_sender(struct fixture *f, const char *text)
{
    assert_true(text_copy(f->session.sender_text, sizeof f->session.sender_text, text));
    assert_true(text_copy(f->session.sender_key, sizeof f->session.sender_key, text));
}

static void fill(struct fixture *f, enum rb_reason reason)
{
    *f = (struct fixture){
        .authserv_id = OURS,
        .session = {.id = "65f0c0de1",
                    .plain = {.asked = true,
                              .answer = {.mx = "mx1.example.org",
                                         .reply = "550 5.1.1 no such user"}}},
        .decision = {.verdict = rb_reason_verdict(reason), .reason = reason, .recipients = 1},
    };
    f->config.authserv_id = f->authserv_id;
    f->session.config = &f->config;
    set_sender(f, "user@example.org");
}

static void assert_value(const struct fixture *f, const char *wanted)
{
    char value[HEADER_VALUE_MAX + 1];

    headers_ringback(&f->session, &f->decision, &f->decision, value);
    assert_string_equal(value, wanted);
}

static void a_valid_sender_is_told_as_such(void **state)
{
    struct fixture f;

    (void)state;
    fill(&f, RB_REASON_ACCEPTED);
    assert_value(&f, "valid; reason=accepted; sender=<user@example.org>; mx=mx1.example.org; "
                     "cached=no; action=accept; id=65f0c0de1");
    f.session.plain.answer.cached = true;
    assert_value(&f, "valid; reason=accepted; sender=<user@example.org>; mx=mx1.example.org; "
                     "cached=yes; action=accept; id=65f0c0de1");
}

static void an_invalid_sender_is_told_as_such(void **state)
{
    struct fixture f;

    (void)state;
    fill(&f, RB_REASON_NO_SUCH_USER);
    f.decision.wanted = f.decision.action = ACTION_QUARANTINE;
    assert_value(&f, "invalid; reason=no_such_user; sender=<user@example.org>; "
                     "mx=mx1.example.org; cached=no; action=quarantine; id=65f0c0de1");
}

static void an_unknown_sender_without_a_host_is_told_as_such(void **state)
{
    struct fixture f;

    (void)state;
    fill(&f, RB_REASON_DNS_FAILURE);
    f.session.plain.answer.mx[0] = '\0';
    f.decision.wanted = f.decision.action = ACTION_TAG;
    assert_value(&f, "unknown; reason=dns_failure; sender=<user@example.org>; mx=none; cached=no; "
                     "action=tag; id=65f0c0de1");
}

static void an_exempt_one_names_its_rule_and_nothing_of_the_answer(void **state)
{
    struct fixture f;

    (void)state;
    fill(&f, RB_REASON_EXEMPT);
    f.session.plain.answer.cached = true; /* what another recipient's policy had found out */
    f.decision.exemption = EXEMPT_OWN_CALLOUT_SENDER;
    assert_value(&f, "unknown; reason=exempt; rule=own_callout_sender; sender=<user@example.org>; "
                     "mx=none; cached=no; action=accept; id=65f0c0de1");
}

static void a_dry_run_says_what_would_have_been(void **state)
{
    struct fixture f;

    (void)state;
    fill(&f, RB_REASON_NO_SUCH_USER);
    f.decision.wanted = ACTION_REJECT;
    assert_value(&f, "invalid; reason=no_such_user; sender=<user@example.org>; "
                     "mx=mx1.example.org; cached=no; action=accept; would=reject; id=65f0c0de1");
}

static void what_is_done_for_a_recipients_sake_is_told_without_naming_it(void **state)
{
    struct decision fate = {.of = OF_RECIPIENT,
                            .verdict = RB_VERDICT_INVALID,
                            .reason = RB_REASON_NO_SUCH_USER,
                            .wanted = ACTION_QUARANTINE,
                            .action = ACTION_QUARANTINE,
                            .recipient = "secret@example.net"};
    struct fixture f;
    char value[HEADER_VALUE_MAX + 1];

    (void)state;
    fill(&f, RB_REASON_ACCEPTED);
    headers_ringback(&f.session, &f.decision, &fate, value);
    assert_string_equal(value, "valid; reason=accepted; sender=<user@example.org>; "
                               "mx=mx1.example.org; cached=no; action=quarantine; "
                               "recipient=no_such_user; id=65f0c0de1");
    headers_warning(&f.session, &fate, value);
    assert_string_equal(value, "a recipient address is invalid (no_such_user)");
    fate.action = ACTION_ACCEPT;
    headers_ringback(&f.session, &f.decision, &fate, value);
    assert_non_null(strstr(value, "; action=accept; would=quarantine; recipient=no_such_user; "));
}

static void what_is_done_for_a_header_senders_sake_names_the_field(void **state)
{
    struct originator originators[ORIGINATORS] = {0}, *reply_to = &originators[ORIGINATOR_REPLY_TO];
    struct decision fate = {.of = OF_HEADER,
                            .field = ORIGINATOR_REPLY_TO,
                            .verdict = RB_VERDICT_INVALID,
                            .reason = RB_REASON_NO_SUCH_USER,
                            .wanted = ACTION_TAG,
                            .action = ACTION_TAG};
    struct fixture f;
    char value[HEADER_VALUE_MAX + 1];

    (void)state;
    fill(&f, RB_REASON_ACCEPTED);
    f.session.originators = originators;
    fate.inquiry = &reply_to->inquiry;
    (void)text_copy(reply_to->text, sizeof reply_to->text, "\"x> is; <\"@example.net");
    headers_ringback(&f.session, &f.decision, &fate, value);
    assert_string_equal(value, "valid; reason=accepted; sender=<user@example.org>; "
                               "mx=mx1.example.org; cached=no; action=tag; "
                               "header=reply-to:no_such_user; id=65f0c0de1");
    headers_warning(&f.session, &fate, value);
    assert_string_equal(value, "Reply-To address <\"x? is? ?\"@example.net> is invalid "
                               "(no_such_user)");
    (void)text_copy(reply_to->text, sizeof reply_to->text, "j\xC3\xB6@example.net");
    (void)text_copy(reply_to->inquiry.answer.reply, sizeof reply_to->inquiry.answer.reply,
                    "550 5.1.1 unknown");
    headers_warning(&f.session, &fate, value);
    assert_string_equal(value, "Reply-To address <j??@example.net> is invalid (no_such_user): "
                               "550 5.1.1 unknown");
}

static void a_sender_cannot_end_its_field(void **state)
{
    struct fixture f;

    (void)state;
    fill(&f, RB_REASON_NO_SUCH_USER);
    set_sender(&f, "\"x>; mx=good.example; action=accept; y=<\"@example.org");
    assert_value(&f, "invalid; reason=no_such_user; "
                     "sender=<\"x?? mx=good.example? action=accept? y=?\"@example.org>; "
                     "mx=mx1.example.org; cached=no; action=accept; id=65f0c0de1");
}

static void the_warning_says_what_was_found_out(void **state)
{
    struct fixture f;
    char value[HEADER_VALUE_MAX + 1];

    (void)state;
    fill(&f, RB_REASON_NO_SUCH_USER);
    headers_warning(&f.session, &f.decision, value);
    assert_string_equal(value, "sender address <user@example.org> is invalid (no_such_user): "
                               "550 5.1.1 no such user");
    f.session.plain.answer.reply[0] = '\0';
    set_sender(&f, "a> is valid; <b@example.org");
    headers_warning(&f.session, &f.decision, value);
    assert_string_equal(value,
                        "sender address <a? is valid? ?b@example.org> is invalid (no_such_user)");
}

/* Everything at its longest, and full of octets that may not be there. */
static void fill_to_the_brim(struct fixture *f, enum rb_reason reason)
{
    fill(f, reason);
    memset(f->session.sender_text, 0xff, SESSION_TEXT_MAX);
    memset(f->session.plain.answer.mx, 'm', RB_DOMAIN_MAX);
    memset(f->session.plain.answer.reply, '\n', RB_REPLY_MAX);
    f->session.plain.answer.reply[RB_REPLY_MAX - 1] = '\r';
    for (size_t i = 0; i < RB_REPLY_MAX; i += 2)
        f->session.plain.answer.reply[i] = (char)(i % 255 + 1);
    memset(f->session.id, '1', SESSION_ID_MAX);
    f->decision.action = ACTION_ACCEPT;
    f->decision.wanted = ACTION_QUARANTINE;
}

static void assert_harmless(const char *value)
{
    assert_in_range(strlen(value), 1, HEADER_VALUE_MAX);
    for (; *value != '\0'; value++)
        assert_in_range((unsigned char)*value, ' ', '~');
}

static void the_longest_values_fit_and_are_printable(void **state)
{
    struct fixture f;
    char value[HEADER_VALUE_MAX + 1];

    (void)state;
    for (int reason = 1; reason < RB_REASON_MAX; reason++) {
        fill_to_the_brim(&f, reason);
        for (int exemption = 0; exemption < EXEMPT_MAX; exemption++) {
            f.decision.exemption = exemption;
            headers_ringback(&f.session, &f.decision, &f.decision, value);
            assert_harmless(value);
            /* nothing was cut: the last field is there in full */
            assert_string_equal(value + strlen(value) - SESSION_ID_MAX, f.session.id);
            headers_warning(&f.session, &f.decision, value);
            assert_harmless(value);
            f.decision.of = OF_RECIPIENT;
            headers_ringback(&f.session, &f.decision, &f.decision, value);
            assert_harmless(value);
            assert_string_equal(value + strlen(value) - SESSION_ID_MAX, f.session.id);
            f.decision.of = OF_SENDER;
        }
    }
}

/* --- Authentication-Results ------------------------------------------------ */

static const struct {
    enum rb_reason reason;
    const char *result;
} results[] = {
    {RB_REASON_ACCEPTED, "pass"},
    {RB_REASON_MAILBOX_FULL, "pass"},
    {RB_REASON_CORRESPONDENT, "pass"},
    {RB_REASON_NO_SUCH_USER, "fail"},
    {RB_REASON_DISABLED, "fail"},
    {RB_REASON_NO_DOMAIN, "fail"},
    {RB_REASON_NO_MAIL_HOST, "fail"},
    {RB_REASON_NULL_MX, "fail"},
    {RB_REASON_BOGUS_MX, "fail"},
    {RB_REASON_BAD_ADDRESS, "fail"},
    {RB_REASON_CATCH_ALL, "neutral"},
    {RB_REASON_GREYLISTED, "temperror"},
    {RB_REASON_TEMPFAIL, "temperror"},
    {RB_REASON_BLOCKED, "neutral"},
    {RB_REASON_NULL_SENDER_REFUSED, "neutral"},
    {RB_REASON_REJECTED, "neutral"},
    {RB_REASON_TLS_REQUIRED, "neutral"},
    {RB_REASON_UNREACHABLE, "temperror"},
    {RB_REASON_DNS_FAILURE, "temperror"},
    {RB_REASON_PROTOCOL_ERROR, "temperror"},
    {RB_REASON_TIMEOUT, "temperror"},
    {RB_REASON_LIMITED, "temperror"},
    {RB_REASON_BUSY, "temperror"},
    {RB_REASON_SPF_FAIL, "neutral"},
    {RB_REASON_EXEMPT, "neutral"}, /* our own host: nobody was asked */
    {RB_REASON_INTERNAL_ERROR, "temperror"},
    {RB_REASON_SPF_SOFTFAIL, "neutral"},
    {RB_REASON_NOT_VOUCHED, "neutral"},
    {RB_REASON_TOO_LARGE, "neutral"},
};

static void every_reason_has_its_result(void **state)
{
    struct fixture f;
    char value[HEADER_VALUE_MAX + 1], wanted[HEADER_VALUE_MAX + 1];
    size_t known = 0;

    (void)state;
    for (int reason = 1; reason < RB_REASON_MAX; reason++)
        known += strcmp(rb_reason_name(reason), "?") != 0;
    assert_int_equal(COUNT(results), known);
    for (size_t i = 0; i < COUNT(results); i++) {
        fill(&f, results[i].reason);
        assert_true(headers_results(&f.session, &f.decision, value));
        (void)snprintf(wanted, sizeof wanted,
                       OURS "; x-callback=%s reason=\"%s\" smtp.mailfrom=user@example.org",
                       results[i].result, rb_reason_name(results[i].reason));
        assert_string_equal(value, wanted);
    }
}

static void a_sender_that_is_not_plain_gets_no_results(void **state)
{
    static const char *const odd[] = {
        "",
        "a b@example.org",
        "a\"b@example.org",
        "a\\b@example.org",
        "a;b@example.org",
        "a(b)@example.org",
        "j\xc3\xb6rg@example.org",
        "u@[192.0.2.1]",
        "a,b@example.org",
        "a<b@example.org",
        "a\x01@example.org",
    };
    struct fixture f;
    char value[HEADER_VALUE_MAX + 1];

    (void)state;
    for (size_t i = 0; i < COUNT(odd); i++) {
        fill(&f, RB_REASON_ACCEPTED);
        set_sender(&f, odd[i]);
        if (headers_results(&f.session, &f.decision, value))
            fail_msg("written: %s", value);
    }
}

static void plain_senders_are_written_as_they_are(void **state)
{
    static const char *const plain[] = {"User.Name+tag@example.org",
                                        "!#$%&'*+-/=?^_`{|}~@x.example",
                                        "prvs=12ab=u@xn--bcher-kva.example"};
    struct fixture f;
    char value[HEADER_VALUE_MAX + 1];

    (void)state;
    for (size_t i = 0; i < COUNT(plain); i++) {
        fill(&f, RB_REASON_ACCEPTED);
        set_sender(&f, plain[i]);
        assert_true(headers_results(&f.session, &f.decision, value));
        assert_string_equal(strstr(value, "smtp.mailfrom=") + strlen("smtp.mailfrom="), plain[i]);
    }
}

static void nothing_verified_gives_no_results(void **state)
{
    struct fixture f;
    char value[HEADER_VALUE_MAX + 1];

    (void)state;
    fill(&f, RB_REASON_EXEMPT);
    f.decision.exemption = EXEMPT_TRUSTED_NETWORKS;
    assert_false(headers_results(&f.session, &f.decision, value));
    fill(&f, RB_REASON_ACCEPTED);
    f.authserv_id[0] = '\0';
    assert_false(headers_results(&f.session, &f.decision, value));
}

static void the_longest_results_fit(void **state)
{
    struct fixture f;
    char value[HEADER_VALUE_MAX + 1];

    (void)state;
    fill(&f, RB_REASON_NULL_SENDER_REFUSED);
    memset(f.authserv_id, 'a', RB_DOMAIN_MAX);
    memset(f.session.sender_key, 'b', RB_ADDRESS_MAX);
    assert_true(headers_results(&f.session, &f.decision, value));
    assert_harmless(value);
    assert_string_equal(value + strlen(value) - RB_ADDRESS_MAX, f.session.sender_key);
}

/* What we write is what we would remove, were somebody else to write it. */
static void our_own_results_are_known_as_ours(void **state)
{
    struct fixture f;
    char value[HEADER_VALUE_MAX + 1];

    (void)state;
    fill(&f, RB_REASON_ACCEPTED);
    assert_true(headers_results(&f.session, &f.decision, value));
    assert_true(headers_has_authserv_id(value, OURS));
}

/* --- Of a client ------------------------------------------------------------- */

static void claim_is(struct fixture *f, struct claim *claim, enum rb_client_result result,
                     const char *helo)
{
    *claim = (struct claim){.decided = true, .decision = {.of = OF_CLIENT}};
    claim->answer.result = result;
    f->session.claim = claim;
    assert_true(text_copy(f->session.helo, sizeof f->session.helo, helo));
}

static void what_its_host_said_of_a_client_stands_beside_the_senders_result(void **state)
{
    static const struct {
        enum rb_client_result result;
        const char *helo, *written;
    } table[] = {
        {RB_CLIENT_CONFIRMED, "mail.example.org", "; x-ayttm=confirmed smtp.helo=mail.example.org"},
        {RB_CLIENT_MAYBE, "a_b-c", "; x-ayttm=maybe smtp.helo=a_b-c"},
        {RB_CLIENT_DENIED, "[192.0.2.1]", "; x-ayttm=denied smtp.helo=\"[192.0.2.1]\""},
        {RB_CLIENT_REACHABLE, "a b", "; x-ayttm=reachable smtp.helo=\"a b\""},
        {RB_CLIENT_UNREACHABLE, "a\"; spf=pass \\",
         "; x-ayttm=unreachable smtp.helo=\"a\\\"; spf=pass \\\\\""},
        {RB_CLIENT_UNSUPPORTED, "", "; x-ayttm=unsupported smtp.helo=\"\""},
        {RB_CLIENT_UNKNOWN, "mail.example.org", ""}, /* nothing was found */
    };
    static const char sender[] =
        OURS "; x-callback=pass reason=\"accepted\" smtp.mailfrom=user@example.org";
    char value[HEADER_VALUE_MAX + 1], wanted[HEADER_VALUE_MAX + 1];
    struct fixture f;
    struct claim claim;

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        fill(&f, RB_REASON_ACCEPTED);
        claim_is(&f, &claim, table[i].result, table[i].helo);
        assert_true(headers_results(&f.session, &f.decision, value));
        (void)snprintf(wanted, sizeof wanted, "%s%s", sender, table[i].written);
        assert_string_equal(value, wanted);
        f.decision.exemption = EXEMPT_NULL_SENDER;
        (void)snprintf(wanted, sizeof wanted, OURS "%s", table[i].written);
        assert_int_equal(headers_results(&f.session, &f.decision, value),
                         table[i].written[0] != '\0');
        if (table[i].written[0] != '\0')
            assert_string_equal(value, wanted);
        claim.decided = false; /* it is another message's */
        assert_false(headers_results(&f.session, &f.decision, value));
    }
}

static void the_longest_results_are_written_whole(void **state)
{
    char value[HEADER_VALUE_MAX + 1], helo[SESSION_TEXT_MAX + 1];
    struct fixture f;
    struct claim claim;

    (void)state;
    fill(&f, RB_REASON_ACCEPTED);
    memset(helo, '"', sizeof helo - 1);
    helo[sizeof helo - 1] = '\0';
    claim_is(&f, &claim, RB_CLIENT_CONFIRMED, helo);
    memset(f.session.sender_key, 'a', RB_ADDRESS_MAX);
    f.session.sender_key[RB_ADDRESS_MAX] = '\0';
    assert_true(headers_results(&f.session, &f.decision, value));
    assert_non_null(strstr(value, "; x-ayttm=confirmed"));
    assert_null(strstr(value, "smtp.helo")); /* there is no room */
}

static void a_host_that_could_not_be_asked_is_warned_of_by_name(void **state)
{
    static const struct {
        enum rb_client_result result;
        const char *host, *written;
    } table[] = {
        {RB_CLIENT_REACHABLE, "mail.example.org",
         "mail.example.org: could not be asked whether it sent this"},
        {RB_CLIENT_UNSUPPORTED, "mail.example.org",
         "mail.example.org: could not be asked whether it sent this"},
        {RB_CLIENT_UNKNOWN, "", "helo.example: could not be asked whether it sent this"},
        {RB_CLIENT_UNREACHABLE, "mail.example.org",
         "mail.example.org: could not be reached, to be asked whether it sent this"},
        {RB_CLIENT_DENIED, "mail.example.org",
         "mail.example.org: says that it is not talking to us"},
    };
    char value[HEADER_VALUE_MAX + 1];
    struct fixture f;
    struct claim claim;

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        fill(&f, RB_REASON_ACCEPTED);
        claim_is(&f, &claim, table[i].result, "helo.example");
        assert_true(text_copy(claim.answer.host, sizeof claim.answer.host, table[i].host));
        headers_callback(&f.session, value);
        assert_string_equal(value, table[i].written);
        headers_warning(&f.session, &claim.decision, value); /* in quarantine */
        assert_string_equal(value, table[i].written);
    }
}

static void what_is_done_for_the_clients_sake_is_told_as_such(void **state)
{
    char value[HEADER_VALUE_MAX + 1];
    struct fixture f;
    struct claim claim;

    (void)state;
    fill(&f, RB_REASON_ACCEPTED);
    claim_is(&f, &claim, RB_CLIENT_UNSUPPORTED, "mail.example.org");
    claim.decision.wanted = claim.decision.action = ACTION_TAG;
    headers_ringback(&f.session, &f.decision, &claim.decision, value);
    assert_string_equal(value, "valid; reason=accepted; sender=<user@example.org>; "
                               "mx=mx1.example.org; cached=no; action=tag; client=unsupported; "
                               "id=65f0c0de1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_of_our_names_are_counted),
        cmocka_unit_test(our_authserv_id_is_found_however_it_is_written),
        cmocka_unit_test(an_authserv_id_that_is_not_ours_is_left),
        cmocka_unit_test(what_cannot_be_read_is_taken_for_ours),
        cmocka_unit_test(a_long_authserv_id_is_not_taken_for_its_beginning),
        cmocka_unit_test(forged_results_are_known_by_their_number),
        cmocka_unit_test(without_an_authserv_id_no_results_are_ours),
        cmocka_unit_test(forged_results_beyond_the_ceiling_are_not_forgotten),
        cmocka_unit_test(fields_of_our_names_beyond_the_ceiling_are_not_forgotten),
        cmocka_unit_test(a_warning_of_ours_is_known_by_the_host_that_it_names),
        cmocka_unit_test(a_warning_about_an_address_is_ours_where_that_is_claimed),
        cmocka_unit_test(where_no_clients_are_asked_about_no_warning_is_ours),
        cmocka_unit_test(warnings_beyond_the_ceiling_are_not_forgotten),
        cmocka_unit_test(random_values_are_read_within_bounds),
        cmocka_unit_test(a_valid_sender_is_told_as_such),
        cmocka_unit_test(an_invalid_sender_is_told_as_such),
        cmocka_unit_test(an_unknown_sender_without_a_host_is_told_as_such),
        cmocka_unit_test(an_exempt_one_names_its_rule_and_nothing_of_the_answer),
        cmocka_unit_test(a_dry_run_says_what_would_have_been),
        cmocka_unit_test(what_is_done_for_a_recipients_sake_is_told_without_naming_it),
        cmocka_unit_test(what_is_done_for_a_header_senders_sake_names_the_field),
        cmocka_unit_test(a_sender_cannot_end_its_field),
        cmocka_unit_test(the_warning_says_what_was_found_out),
        cmocka_unit_test(the_longest_values_fit_and_are_printable),
        cmocka_unit_test(every_reason_has_its_result),
        cmocka_unit_test(a_sender_that_is_not_plain_gets_no_results),
        cmocka_unit_test(plain_senders_are_written_as_they_are),
        cmocka_unit_test(nothing_verified_gives_no_results),
        cmocka_unit_test(the_longest_results_fit),
        cmocka_unit_test(our_own_results_are_known_as_ours),
        cmocka_unit_test(what_its_host_said_of_a_client_stands_beside_the_senders_result),
        cmocka_unit_test(the_longest_results_are_written_whole),
        cmocka_unit_test(a_host_that_could_not_be_asked_is_warned_of_by_name),
        cmocka_unit_test(what_is_done_for_the_clients_sake_is_told_as_such),
    };
    return cmocka_run_group_tests_name("headers", tests, NULL, NULL);
}
