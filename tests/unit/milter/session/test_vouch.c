/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_vouch: which fields Authentication-Results are believed, for whom they vouch, and what
 * becomes of a message then. Whoever forges one must get nothing by it.
 */
#include "config.h"

#include "session/vouch.h"

#include "check.h"

#include <stdio.h>

#include "session/decide.h"
#include "session/inquiry.h"
#include "session_rig.h"

#define TRUSTED "mx.example.net"
#define OTHER "filter.example.net"
#define AT_EOM "decide_at = \"eom\"\ntrusted_authserv_ids = { \"" TRUSTED "\", \"" OTHER "\" }\n"
#define RESULTS "Authentication-Results"
#define PASS "; dkim=pass header.d=example.org"

static const struct fake_dns_answer mx[] = {
    {.type = ns_t_mx, .preference = 10, .data = "mx.example.org"}};
static const struct fake_dns_answer address[] = {{.type = ns_t_a, .data = "127.0.0.1"}};
static const struct fake_dns_answer strict[] = {{.type = ns_t_txt, .data = "v=spf1 -all"}};
static const struct fake_dns_answer open_to_all[] = {{.type = ns_t_txt, .data = "v=spf1 +all"}};
static const struct fake_dns_row zone[] = {
    {.name = "mx.example.org", .type = ns_t_a, .answers = address, .count = 1},
    {.name = "example.org", .type = ns_t_mx, .answers = mx, .count = 1},
    {.name = "strict.example", .type = ns_t_mx, .answers = mx, .count = 1},
    {.name = "strict.example", .type = ns_t_txt, .answers = strict, .count = 1},
    {.name = "open.example", .type = ns_t_mx, .answers = mx, .count = 1},
    {.name = "open.example", .type = ns_t_txt, .answers = open_to_all, .count = 1},
};

static int set_up(void **state)
{
    static const struct fake_host_options host = {.rcpt = "550 5.1.1 User unknown"};
    const struct session_rig_world world = {
        .zone = zone, .zone_count = COUNT(zone), .host = &host, .store = &host};

    return session_rig_set_up(state, &world);
}

/* --- Which fields are believed ------------------------------------------------ */

struct field {
    const char *name, *value;
};

static void see(struct session_rig *f, const struct field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++)
        vouch_see(&f->session, fields[i].name, fields[i].value);
}

/* A filter's field, and the message's own. */
static void see_message(struct session_rig *f, const char *results)
{
    const struct field fields[] = {
        {RESULTS, results}, {"From", "Jo <jo@example.org>"}, {"Subject", "x"}};

    see(f, fields, COUNT(fields));
}

/* Whether the fields of a message, before its From, vouch for good@example.org. */
static bool vouches(struct session_rig *f, const struct field *fields, size_t count)
{
    session_rig_mail(f, "<good@example.org>");
    see(f, fields, count);
    vouch_see(&f->session, "From", "Jo <jo@example.org>");
    return vouch_is_for_sender(&f->session);
}

static bool value_vouches(struct session_rig *f, const char *value)
{
    return vouches(f, &(struct field){RESULTS, value}, 1);
}

static void a_trusted_filter_is_believed(void **state)
{
    static const char *const values[] = {
        TRUSTED PASS,
        OTHER PASS,
        "MX.Example.NET" PASS,
        TRUSTED "\r\n\t" PASS,
        "\r\n " TRUSTED " 1\r\n " PASS,
        "(not " OTHER ")" TRUSTED PASS,
        "(a (b) \\) c) " TRUSTED " (d)" PASS,
        "\"" TRUSTED "\"" PASS,
        "\"mx.\\example.net\"" PASS,
        TRUSTED "; dmarc=pass header.from=example.org",
        TRUSTED "; dkim=fail header.d=example.org; dkim=pass header.i=@example.org",
        TRUSTED "; dkim=pass header.d=other.example; dkim=pass header.d=example.org",
    };
    struct session_rig *f = *state;

    session_rig_begin(f, AT_EOM);
    for (size_t i = 0; i < COUNT(values); i++)
        if (!value_vouches(f, values[i]))
            fail_msg("%s", values[i]);
}

static void nobody_else_is(void **state)
{
    static const char *const values[] = {
        "elsewhere.example" PASS,
        "mx.example.org" PASS, /* ours */
        "x" TRUSTED PASS,
        TRUSTED "x" PASS,
        TRUSTED "." PASS,
        TRUSTED ".evil.example" PASS,
        "evil." TRUSTED PASS,
        "(" TRUSTED ") elsewhere.example" PASS,
        "elsewhere.example (" TRUSTED ")" PASS,
        "elsewhere.example; x=\"" TRUSTED "\"" PASS,
        "elsewhere.example\r\n " TRUSTED PASS,
        "\"elsewhere.example\" " TRUSTED PASS,
        "\" " TRUSTED "\"" PASS,
        "\"" TRUSTED " \"" PASS,
        "\"" TRUSTED PASS,
        "(" TRUSTED PASS,
        TRUSTED " 2" PASS,
        TRUSTED "@elsewhere.example" PASS,
        "@" TRUSTED PASS,
        TRUSTED "/x" PASS,
        TRUSTED "\x01" PASS,
        TRUSTED "\xc2\xa0" PASS,
        "mx.ex\xc3\xa4mple.net" PASS,
        PASS,
        "",
    };
    struct session_rig *f = *state;

    session_rig_begin(f, "authserv_id = \"mx.example.org\"\n" AT_EOM);
    for (size_t i = 0; i < COUNT(values); i++)
        if (value_vouches(f, values[i]))
            fail_msg("%s", values[i]);
}

static void what_has_not_passed_vouches_for_nobody(void **state)
{
    static const char *const values[] = {
        TRUSTED,
        TRUSTED "; none",
        TRUSTED "; dkim=none",
        TRUSTED "; dkim=fail header.d=example.org",
        TRUSTED "; dkim=pass header.d=other.example",
        TRUSTED "; spf=pass smtp.mailfrom=example.org",
        TRUSTED "; dmarc=fail header.from=example.org",
        TRUSTED "; dkim=pass header.d=other.example; dkim=fail header.d=example.org",
        TRUSTED PASS " (",
        TRUSTED PASS "; x",
    };
    struct session_rig *f = *state;

    session_rig_begin(f, AT_EOM);
    for (size_t i = 0; i < COUNT(values); i++)
        if (value_vouches(f, values[i]))
            fail_msg("%s", values[i]);
}

static void of_one_filter_the_topmost_field_counts(void **state)
{
    static const struct field forged[][2] = {
        {{RESULTS, TRUSTED "; dkim=none"}, {RESULTS, TRUSTED PASS}},
        {{RESULTS, TRUSTED "; dkim=fail header.d=example.org"}, {RESULTS, TRUSTED PASS}},
        {{RESULTS, TRUSTED " unreadable"}, {RESULTS, TRUSTED PASS}},
        {{RESULTS, TRUSTED "; none"}, {RESULTS, "\"MX.example.net\" 1" PASS}},
    };
    static const struct field both[] = {{RESULTS, TRUSTED "; dkim=none"}, {RESULTS, OTHER PASS}};
    struct session_rig *f = *state;

    session_rig_begin(f, AT_EOM);
    for (size_t i = 0; i < COUNT(forged); i++)
        if (vouches(f, forged[i], COUNT(forged[i])))
            fail_msg("%s", forged[i][0].value);
    assert_true(vouches(f, both, COUNT(both)));
}

static void below_the_messages_own_fields_nothing_counts(void **state)
{
    static const char *const own[] = {
        "Received",
        "DKIM-Signature",
        "ARC-Seal",
        "ARC-Authentication-Results",
        "Return-Path",
        "From",
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "MIME-Version",
        "List-Id",
        "Authentication-Results ",
        "Authentication-Resultss",
        "",
        "X",
        "received",
    };
    struct session_rig *f = *state;

    session_rig_begin(f, AT_EOM);
    for (size_t i = 0; i < COUNT(own); i++) {
        const struct field fields[] = {{own[i], TRUSTED PASS}, {RESULTS, TRUSTED PASS}};

        if (vouches(f, fields, COUNT(fields)))
            fail_msg("%s", own[i]);
    }
}

static void among_what_filters_insert_it_counts(void **state)
{
    static const struct field fields[] = {
        {"X-Spam-Status", "No"},
        {"DKIM-Filter", "OpenDKIM Filter v2.11.0"},
        {"Received-SPF", "fail"},
        {RESULTS, "elsewhere.example; none"},
        {"authentication-RESULTS", TRUSTED PASS},
    };
    struct session_rig *f = *state;

    session_rig_begin(f, AT_EOM);
    assert_true(vouches(f, fields, COUNT(fields)));
}

/* OpenDKIM writes what i= says, decoded, into its field as it is. */
static void who_names_himself_by_a_result_is_vouched_for_by_nobody(void **state)
{
    static const char signature[] =
        "v=1; a=rsa-sha256; d=evil.example; s=x; h=From; bh=YQ==; b=YQ==; "
        "i=a@evil.example=3B=20dkim=3Dpass=20header.d=3Dexample.org=20x.y=3Dz.evil.example";
    static const char results[] =
        TRUSTED ";\n\tdkim=pass (2048-bit key) header.d=evil.example header.i=a@evil.example; "
                "dkim=pass header.d=example.org x.y=z.evil.example header.s=x header.b=YQ";
    static const struct field fields[][4] = {
        {{RESULTS, results}, {"DKIM-Signature", signature}, {"Cc", "x"}, {"To", "y"}},
        {{RESULTS, results}, {"Cc", "x"}, {"dkim-signature ", signature}, {"To", "y"}},
        {{RESULTS, results},
         {"DKIM-Signature", "d=a"},
         {"DKIM-Signature", signature},
         {"DKIM-Signature", "d=b"}},
    };
    struct session_rig *f = *state;

    session_rig_begin(f, AT_EOM);
    for (size_t i = 0; i < COUNT(fields); i++)
        assert_false(vouches(f, fields[i], COUNT(fields[i])));
    assert_true(value_vouches(f, TRUSTED PASS)); /* the next message */
}

/*
 * OpenDMARC writes what is behind the domain of From into its field as well; and inserts none where
 * From is not one mailbox: then a forged one of its name is the topmost.
 */
static void only_a_message_of_one_plain_author_is_vouched_for(void **state)
{
    static const char dkim[] = TRUSTED PASS;
    static const char dmarc[] = TRUSTED "; dmarc=pass (p=none dis=none) header.from=example.org";
    static const char injected[] = TRUSTED "; dmarc=pass (p=none dis=none) header.from=example.org"
                                           " reason=x.evil.example";
    static const struct {
        const char *results, *from, *again;
        bool vouches;
    } rows[] = {
        {dmarc, "a@example.org", NULL, true},
        {dmarc, "\"Doe, Jo; x\" (a, b) <a@EXAMPLE.org>", NULL, true},
        {dmarc, "\r\n =?utf-8?q?a=2C?= <a@example.org>", NULL, true},
        {dmarc, "a@news.example.org", NULL, false},
        {dmarc, "a@evil.example", NULL, false},
        {dkim, "a@evil.example", NULL, true},
        {injected, "a@example.org reason=x.evil.example", NULL, false},
        {injected, "<a@example.org reason=x.evil.example>", NULL, false},
        {injected, "a@example.org(reason=x.evil.example", NULL, false},
        {dmarc, "a@evil.example", "a@example.org", false},
        {dmarc, "a@example.org", "a@evil.example", false},
        {dmarc, "a@example.org, b@evil.example", NULL, false},
        {dmarc, "Doe, Jo <a@example.org>", NULL, false},
        {dmarc, "<@x,@y:a@example.org>", NULL, false},
        {dmarc, "<@x:a@example.org>", NULL, false},
        {dmarc, "jo: a@example.org;", NULL, false},
        {dmarc, ", a@example.org", NULL, false},
        {dmarc, "a@example.org,", NULL, false},
        {dmarc, "\"Jo <a@example.org>", NULL, false},
        {dmarc, "[Jo <a@example.org>", NULL, false},
        {dmarc, "", NULL, false},
        {dmarc, NULL, NULL, false},
        {dkim, "a@example.org, b@evil.example", NULL, false},
        {dkim, "a@example.org", "b@example.org", false},
        {dkim, NULL, NULL, false},
    };
    struct session_rig *f = *state;

    session_rig_begin(f, AT_EOM);
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct field fields[] = {
            {RESULTS, rows[i].results}, {"From", rows[i].from}, {"from", rows[i].again}};

        session_rig_mail(f, "<good@example.org>");
        see(f, fields, rows[i].from == NULL ? 1 : rows[i].again == NULL ? 2 : 3);
        if (vouch_is_for_sender(&f->session) != rows[i].vouches)
            fail_msg("%zu: %s", i, rows[i].results);
    }
}

static void nor_is_one_whose_author_takes_long_to_tell(void **state)
{
    char from[VOUCH_FROM_MAX + 2];
    struct session_rig *f = *state;

    session_rig_begin(f, AT_EOM);
    for (size_t len = VOUCH_FROM_MAX; len <= VOUCH_FROM_MAX + 1; len++) {
        (void)snprintf(from, sizeof from, "%*s", (int)len, "a@example.org");
        session_rig_mail(f, "<good@example.org>");
        see(f, (const struct field[]){{RESULTS, TRUSTED PASS}, {"From", from}}, 2);
        assert_int_equal(vouch_is_for_sender(&f->session), len == VOUCH_FROM_MAX);
    }
}

static void so_is_a_client_that_says_one(void **state)
{
    struct session_rig *f = *state;

    session_rig_begin(f, AT_EOM);
    session_rig_mail(f, "<\"a; dkim=pass header.d=example.org; x=y\"@example.org>");
    see_message(f, TRUSTED PASS);
    assert_false(vouch_is_for_sender(&f->session));
    session_helo(&f->session, "x; dkim=pass header.d=example.org");
    assert_false(value_vouches(f, TRUSTED PASS));
    session_helo(&f->session, "client.example");
    assert_true(value_vouches(f, TRUSTED PASS));
}

/* What they cost is bounded by how many fields are looked at, and what is kept of them. */
static void ten_thousand_forged_ones_are_not_read(void **state)
{
    static const char *const forged[] = {"elsewhere.example" PASS, "(" TRUSTED PASS,
                                         TRUSTED "; dkim=none"};
    struct session_rig *f = *state;

    session_rig_begin(f, AT_EOM);
    for (size_t i = 0; i < COUNT(forged); i++) {
        session_rig_mail(f, "<good@example.org>");
        for (unsigned k = 0; k < 10000; k++)
            vouch_see(&f->session, RESULTS, forged[i]);
        see_message(f, OTHER PASS);
        assert_true(f->session.results.is_over);
        assert_int_equal(f->session.results.fields, VOUCH_FIELDS_MAX + 1);
        assert_int_equal(f->session.results.signers.count, 0);
        assert_false(vouch_is_for_sender(&f->session));
    }
}

static void without_trusted_filters_nothing_is_read(void **state)
{
    struct session_rig *f = *state;

    session_rig_begin(f, "decide_at = \"eom\"");
    assert_false(value_vouches(f, TRUSTED PASS));
    assert_int_equal(f->session.results.fields, 0);
}

static void another_message_begins_with_nothing_said(void **state)
{
    struct session_rig *f = *state;

    session_rig_begin(f, AT_EOM);
    assert_true(value_vouches(f, TRUSTED PASS));
    session_rig_mail(f, "<good@example.org>");
    assert_false(vouch_is_for_sender(&f->session));
    vouch_see(&f->session, "Subject", "own");
    assert_true(value_vouches(f, TRUSTED PASS));
}

/* --- Alignment ----------------------------------------------------------------- */

static void a_domain_vouches_for_its_organisation(void **state)
{
    static const struct {
        const char *value, *domain;
        bool is;
    } rows[] = {
        {"dkim=pass header.d=example.org", "example.org", true},
        {"dkim=pass header.d=example.org", "news.example.org", true},
        {"dkim=pass header.d=news.example.org", "example.org", true},
        {"dkim=pass header.d=a.example.org", "b.example.org", true},
        {"dkim=pass header.i=@a.example.org", "b.example.org", true},
        {"dkim=pass header.d=a.example.co.uk", "example.co.uk", true},
        {"dmarc=pass header.from=example.org", "news.example.org", true},
        {"dmarc=pass header.from=example.org", "good.example", false},
        {"dkim=pass header.d=evilexample.org", "example.org", false},
        {"dkim=pass header.d=example.org.evil.com", "example.org", false},
        {"dkim=pass header.d=evil.example", "example", false},
        {"dkim=pass header.d=evil.example", "good.example", false},
        {"dkim=pass header.d=org", "example.org", false},
        {"dkim=pass header.d=co.uk", "example.co.uk", false},
        {"dkim=pass header.d=evil.co.uk", "example.co.uk", false},
        {"dkim=pass header.d=evil.github.io", "good.github.io", false},
    };
    struct session_rig *f = *state;
    char value[200];

    session_rig_begin(f, AT_EOM);
    for (size_t i = 0; i < COUNT(rows); i++) {
        (void)snprintf(value, sizeof value, "%s; %s", TRUSTED, rows[i].value);
        (void)value_vouches(f, value);
        if (vouch_is_for(&f->session, rows[i].domain) != rows[i].is)
            fail_msg("%s: %s", rows[i].domain, rows[i].value);
    }
}

static void a_sender_without_a_domain_is_vouched_for_by_nobody(void **state)
{
    static const char *const senders[] = {"<>", "<user>", "<user@[192.0.2.1]>", "<a@b@>", "<@x>"};
    struct session_rig *f = *state;

    session_rig_begin(f, AT_EOM);
    for (size_t i = 0; i < COUNT(senders); i++) {
        session_rig_mail(f, senders[i]);
        see_message(f, TRUSTED PASS "; dkim=pass header.d=192.0.2.1");
        assert_false(vouch_is_for_sender(&f->session));
    }
    session_rig_mail(f, "<\"x@evil.example\"@example.org>");
    see_message(f, TRUSTED PASS);
    assert_true(vouch_is_for_sender(&f->session));
}

/* --- What becomes of the message ------------------------------------------------ */

static const struct decision *rcpt(struct session_rig *f, const char *argument)
{
    return session_rcpt(&f->session, argument);
}

static void is_decided(const struct decision *decision, enum rb_reason reason, enum action action)
{
    assert_false(decision->pending);
    assert_string_equal(rb_reason_name(decision->reason), rb_reason_name(reason));
    assert_string_equal(action_name(decision->action), action_name(action));
}

/* The message has that field, and ends: the decision that refuses it, or NULL. */
static const struct decision *ends(struct session_rig *f, const char *value)
{
    see_message(f, value);
    decide_at_end(&f->session);
    return decide_collect(&f->session, 1000, NULL, NULL);
}

static void whom_a_filter_vouches_for_is_asked_about(void **state)
{
    static const enum rb_reason held[] = {RB_REASON_SPF_FAIL, RB_REASON_SPF_SOFTFAIL,
                                          RB_REASON_NOT_VOUCHED};
    struct session_rig *f = *state;

    for (size_t i = 0; i < COUNT(held); i++) {
        struct session_rig_gate gate = {.closed = held[i], .open = RB_REASON_NO_SUCH_USER};
        const struct decision *decision;

        session_rig_begin_behind_gate(f, &gate, AT_EOM);
        decision = rcpt(f, "<u@a.example>");
        assert_true(decision->pending);
        assert_ptr_equal(ends(f, TRUSTED PASS), decision);
        is_decided(decision, RB_REASON_NO_SUCH_USER, ACTION_REJECT);
        assert_int_equal(envelope_answer(&f->session, decision)->voucher, RB_VOUCHER_DKIM);
        assert_int_equal(gate.asked[RB_VOUCHER_NOBODY], 1);
        assert_int_equal(gate.asked[RB_VOUCHER_DKIM], 1);
    }
}

static void whom_nobody_vouches_for_is_decided_about_as_the_gate_says(void **state)
{
    static const char *const values[] = {"elsewhere.example" PASS, TRUSTED "; dkim=fail",
                                         TRUSTED "; dkim=pass header.d=evil.example"};
    struct session_rig *f = *state;

    for (size_t i = 0; i < COUNT(values); i++) {
        struct session_rig_gate gate = {.closed = RB_REASON_SPF_FAIL,
                                        .open = RB_REASON_INTERNAL_ERROR};
        const struct decision *decision;

        session_rig_begin_behind_gate(f, &gate, AT_EOM "policy \"p\" { on_spf_fail = reject }");
        decision = rcpt(f, "<u@a.example>");
        assert_true(decision->pending); /* it is not too late yet */
        assert_ptr_equal(ends(f, values[i]), decision);
        is_decided(decision, RB_REASON_SPF_FAIL, ACTION_REJECT);
        assert_int_equal(gate.asked[RB_VOUCHER_DKIM], 0);
    }
}

static void a_vouched_sender_that_spf_disowns_gets_in(void **state)
{
    struct session_rig *f = *state;
    struct session_rig_gate gate = {.closed = RB_REASON_SPF_FAIL, .open = RB_REASON_ACCEPTED};
    const struct decision *decision;

    session_rig_begin_behind_gate(f, &gate, AT_EOM "policy \"p\" { on_spf_fail = reject }");
    decision = rcpt(f, "<u@a.example>");
    assert_null(ends(f, TRUSTED PASS));
    is_decided(decision, RB_REASON_ACCEPTED, ACTION_ACCEPT);
}

static void each_policy_decides_by_the_one_answer(void **state)
{
    struct session_rig *f = *state;
    struct session_rig_gate gate = {.closed = RB_REASON_NOT_VOUCHED,
                                    .open = RB_REASON_NO_SUCH_USER};
    const struct decision *tags, *accepts, *exempt;

    session_rig_begin_behind_gate(
        f, &gate,
        AT_EOM "policy \"t\" { match { recipient = { \"t@\" } } on_invalid = tag }\n"
               "policy \"a\" { match { recipient = { \"a@\" } } on_invalid = accept }\n"
               "policy \"n\" { match { recipient = { \"n@\" } } verify = none }");
    tags = rcpt(f, "<t@a.example>");
    accepts = rcpt(f, "<a@a.example>");
    exempt = rcpt(f, "<n@a.example>");
    assert_null(ends(f, TRUSTED PASS));
    is_decided(tags, RB_REASON_NO_SUCH_USER, ACTION_TAG);
    is_decided(accepts, RB_REASON_NO_SUCH_USER, ACTION_ACCEPT);
    is_decided(exempt, RB_REASON_EXEMPT, ACTION_ACCEPT);
    assert_int_equal(gate.asked[RB_VOUCHER_DKIM], 1);
    assert_ptr_equal(decide_fate(&f->session), tags);
}

/* One fate a message: what the gate has said is not the last word. */
static void recipients_of_another_fate_are_put_off(void **state)
{
    struct session_rig *f = *state;
    struct session_rig_gate gate = {.closed = RB_REASON_NOT_VOUCHED, .open = RB_REASON_ACCEPTED};

    session_rig_begin_behind_gate(
        f, &gate, AT_EOM "policy \"t\" { match { recipient = { \"t@\" } } on_invalid = tag }");
    assert_true(rcpt(f, "<u@a.example>")->pending);
    assert_true(rcpt(f, "<t@a.example>")->put_off);
    assert_true(rcpt(f, "<v@a.example>")->pending);
}

static void in_a_dry_run_nothing_is_refused(void **state)
{
    struct session_rig *f = *state;
    struct session_rig_gate gate = {.closed = RB_REASON_NOT_VOUCHED,
                                    .open = RB_REASON_NO_SUCH_USER};
    const struct decision *decision;

    session_rig_begin_behind_gate(f, &gate, "dry_run = yes\n" AT_EOM);
    decision = rcpt(f, "<u@a.example>");
    assert_null(ends(f, TRUSTED PASS));
    is_decided(decision, RB_REASON_NO_SUCH_USER, ACTION_ACCEPT);
    assert_int_equal(decision->wanted, ACTION_REJECT);
}

static void what_the_gate_let_through_is_not_asked_again(void **state)
{
    static const enum rb_reason reasons[] = {RB_REASON_ACCEPTED, RB_REASON_NO_SUCH_USER,
                                             RB_REASON_GREYLISTED, RB_REASON_LIMITED};
    struct session_rig *f = *state;

    for (size_t i = 0; i < COUNT(reasons); i++) {
        struct session_rig_gate gate = {.closed = reasons[i], .open = RB_REASON_INTERNAL_ERROR};

        session_rig_begin_behind_gate(f, &gate, AT_EOM);
        assert_int_equal(rcpt(f, "<u@a.example>")->reason, reasons[i]);
        assert_null(ends(f, TRUSTED PASS));
        assert_int_equal(gate.asked[RB_VOUCHER_DKIM], 0);
    }
}

/* Where the verdict must be there before, what the gate says is decided by at once. */
static void before_the_end_of_the_message_nobody_vouches(void **state)
{
    static const char *const stages[] = {"rcpt", "data"};
    struct session_rig *f = *state;

    for (size_t i = 0; i < COUNT(stages); i++) {
        struct session_rig_gate gate = {.closed = RB_REASON_NOT_VOUCHED,
                                        .open = RB_REASON_INTERNAL_ERROR};
        char text[200];

        (void)snprintf(text, sizeof text,
                       "decide_at = \"%s\"\ntrusted_authserv_ids = { \"" TRUSTED "\" }", stages[i]);
        session_rig_begin_behind_gate(f, &gate, text);
        is_decided(rcpt(f, "<u@a.example>"), RB_REASON_NOT_VOUCHED, ACTION_ACCEPT);
        assert_null(ends(f, TRUSTED PASS));
        assert_int_equal(gate.asked[RB_VOUCHER_DKIM], 0);
    }
}

static void a_client_that_leaves_leaves_the_gates_word(void **state)
{
    struct session_rig *f = *state;
    struct session_rig_gate gate = {.closed = RB_REASON_NOT_VOUCHED,
                                    .open = RB_REASON_INTERNAL_ERROR};
    const struct decision *decision;

    session_rig_begin_behind_gate(f, &gate, AT_EOM);
    decision = rcpt(f, "<u@a.example>");
    see_message(f, TRUSTED PASS);
    assert_null(decide_collect(&f->session, 0, NULL, NULL));
    is_decided(decision, RB_REASON_NOT_VOUCHED, ACTION_ACCEPT);
    assert_int_equal(gate.asked[RB_VOUCHER_DKIM], 0);
}

/* --- With a verifier and a mail host ---------------------------------------------- */

enum { PATIENCE_MS = 120000 };

static const struct decision *begin_as(struct session_rig *f, const char *sender)
{
    f->options.spf_gate = RB_GATE_FAIL;
    session_rig_begin(f, AT_EOM);
    session_rig_mail(f, sender);
    return rcpt(f, "<u@a.example>");
}

/* A domain that disowns the client: whether it does is being found out, or known already. */
static void a_sender_that_spf_disowns_is_asked_about_once_dkim_vouches(void **state)
{
    struct session_rig *f = *state;

    for (unsigned calls = 1; calls <= 2; calls++) {
        const struct decision *decision =
            begin_as(f, calls == 1 ? "<bad@strict.example>" : "<worse@strict.example>");

        assert_true(decision->pending);
        see_message(f, TRUSTED "; dkim=pass header.d=strict.example");
        decide_at_end(&f->session);
        assert_ptr_equal(decide_collect(&f->session, PATIENCE_MS, NULL, NULL), decision);
        is_decided(decision, RB_REASON_NO_SUCH_USER, ACTION_REJECT);
        assert_int_equal(envelope_answer(&f->session, decision)->voucher, RB_VOUCHER_DKIM);
        assert_true(fake_host_wait(f->host, "RCPT TO", calls));
        session_rig_await_idle(f);
    }
    assert_true(begin_as(f, "<third@strict.example>")->pending);
    assert_null(decide_collect(&f->session, PATIENCE_MS, NULL, NULL));
    is_decided(f->session.decisions, RB_REASON_SPF_FAIL, ACTION_ACCEPT);
    assert_int_equal(fake_host_heard(f->host, "RCPT TO"), 2);
}

static void a_callout_under_way_is_joined(void **state)
{
    struct session_rig *f = *state;
    const struct decision *decision;

    fake_host_hold(f->host, true);
    decision = begin_as(f, "<bad@open.example>");
    assert_true(decision->pending);
    see_message(f, TRUSTED "; dkim=pass header.d=open.example");
    decide_at_end(&f->session);
    fake_host_hold(f->host, false);
    assert_ptr_equal(decide_collect(&f->session, PATIENCE_MS, NULL, NULL), decision);
    is_decided(decision, RB_REASON_NO_SUCH_USER, ACTION_REJECT);
    session_rig_await_idle(f);
    assert_int_equal(fake_host_heard(f->host, "RCPT TO"), 1);
    assert_int_equal(fake_host_connections(f->host), 1);
}

/* A message that takes long: what is there by its end is not asked again. */
static void an_answer_that_has_come_is_taken(void **state)
{
    struct session_rig *f = *state;
    const struct decision *decision = begin_as(f, "<bad@open.example>");

    for (int i = 0; inquiry_is_open(&f->session.plain) && i < PATIENCE_MS; i++) {
        if (rb_ready(f->session.plain.ticket))
            break;
        check_pause();
    }
    see_message(f, TRUSTED "; dkim=pass header.d=open.example");
    decide_at_end(&f->session);
    (void)decide_collect(&f->session, PATIENCE_MS, NULL, NULL);
    is_decided(decision, RB_REASON_NO_SUCH_USER, ACTION_REJECT);
    assert_ptr_equal(decision->inquiry, &f->session.plain);
    assert_int_equal(fake_host_heard(f->host, "RCPT TO"), 1);
}

#define T(test) cmocka_unit_test_setup_teardown(test, set_up, session_rig_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_trusted_filter_is_believed),
        T(nobody_else_is),
        T(what_has_not_passed_vouches_for_nobody),
        T(of_one_filter_the_topmost_field_counts),
        T(below_the_messages_own_fields_nothing_counts),
        T(among_what_filters_insert_it_counts),
        T(who_names_himself_by_a_result_is_vouched_for_by_nobody),
        T(so_is_a_client_that_says_one),
        T(only_a_message_of_one_plain_author_is_vouched_for),
        T(nor_is_one_whose_author_takes_long_to_tell),
        T(ten_thousand_forged_ones_are_not_read),
        T(without_trusted_filters_nothing_is_read),
        T(another_message_begins_with_nothing_said),
        T(a_domain_vouches_for_its_organisation),
        T(a_sender_without_a_domain_is_vouched_for_by_nobody),
        T(whom_a_filter_vouches_for_is_asked_about),
        T(whom_nobody_vouches_for_is_decided_about_as_the_gate_says),
        T(a_vouched_sender_that_spf_disowns_gets_in),
        T(each_policy_decides_by_the_one_answer),
        T(recipients_of_another_fate_are_put_off),
        T(in_a_dry_run_nothing_is_refused),
        T(what_the_gate_let_through_is_not_asked_again),
        T(before_the_end_of_the_message_nobody_vouches),
        T(a_client_that_leaves_leaves_the_gates_word),
        T(a_sender_that_spf_disowns_is_asked_about_once_dkim_vouches),
        T(a_callout_under_way_is_joined),
        T(an_answer_that_has_come_is_taken),
    };

    return cmocka_run_group_tests_name("vouch", tests, NULL, NULL);
}
