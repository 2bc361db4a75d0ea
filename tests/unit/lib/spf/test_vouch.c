/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_vouch: who vouches for a client: SPF, the domain's hosts and their neighbours, the client's
 * confirmed names; what speaks before what, the limits, what is looked up for it, and what is said
 * where nobody vouches. Answers come out of a table; nobody is asked.
 */
#include "config.h"

#include "spf/vouch.h"

#include "check.h"
#include "dns_rig.h"
#include "spf_rig.h"

#define ANSWERS(table) .answers = (table), .count = COUNT(table)
#define ONE(owner, rrtype, text)                                                                   \
    {                                                                                              \
        .name = (owner), .type = (rrtype),                                                         \
        .answers = &(const struct fake_dns_answer){.type = (rrtype), .data = (text)}, .count = 1   \
    }
#define TXT(owner, text) ONE(owner, ns_t_txt, text)
#define MX(owner, host) ONE(owner, ns_t_mx, host)
#define A(owner, address) ONE(owner, ns_t_a, address)
#define AAAA(owner, address) ONE(owner, ns_t_aaaa, address)
#define PTR(owner, host) ONE(owner, ns_t_ptr, host)
#define FAILS(owner, rrtype)                                                                       \
    {                                                                                              \
        .name = (owner), .type = (rrtype), .rcode = ns_r_servfail                                  \
    }

/* --- The world --------------------------------------------------------------- */

/* The n-th of many hosts. */
#define HOST(n)                                                                                    \
    {                                                                                              \
        .type = ns_t_mx, .data = "h" #n ".example"                                                 \
    }
static const struct fake_dns_answer ten_hosts[] = {HOST(1), HOST(2), HOST(3), HOST(4), HOST(5),
                                                   HOST(6), HOST(7), HOST(8), HOST(9), HOST(10)};
static const struct fake_dns_answer eleven_hosts[] = {HOST(1), HOST(2),  HOST(3), HOST(4),
                                                      HOST(5), HOST(6),  HOST(7), HOST(8),
                                                      HOST(9), HOST(10), HOST(11)};

#define NAME(text)                                                                                 \
    {                                                                                              \
        .type = ns_t_ptr, .data = (text)                                                           \
    }
/* Of which the tenth is in firm.co.uk and the eleventh in late.example. */
static const struct fake_dns_answer twelve_names[] = {
    NAME("n1.example"), NAME("n2.example"),     NAME("n3.example"),       NAME("n4.example"),
    NAME("n5.example"), NAME("n6.example"),     NAME("n7.example"),       NAME("n8.example"),
    NAME("n9.example"), NAME("n10.firm.co.uk"), NAME("n11.late.example"), NAME("n12.late.example"),
};
static const struct fake_dns_answer some_names[] = {
    NAME("notfirm.co.uk"),    NAME("firm.co.uk.evil.example"), NAME("www.kept.github.io"),
    NAME("any.org"),          NAME("Out.Firm.Co.Uk"),          NAME("mail.many.example"),
    NAME("mail.void.example")};

static const struct fake_dns_row zone[] = {
    /* Hosts at the boundary of a /25, and in a /64; no SPF. */
    MX("plain.example", "mx.plain.example"),
    A("mx.plain.example", "192.0.2.130"),
    AAAA("mx.plain.example", "2001:db8:1:2::25"),
    A("plain.example", "198.51.100.80"),
    AAAA("plain.example", "2001:db8:9:9::80"),
    /* The same hosts; SPF that says something. */
    TXT("pass.example", "v=spf1 ip4:192.0.2.130 a:mx.plain.example -all"),
    MX("pass.example", "mx.plain.example"),
    TXT("fail.example", "v=spf1 -all"),
    MX("fail.example", "mx.plain.example"),
    TXT("soft.example", "v=spf1 ~all"),
    MX("soft.example", "mx.plain.example"),
    TXT("neutral.example", "v=spf1 ?all"),
    MX("neutral.example", "mx.plain.example"),
    FAILS("temp.example", ns_t_txt),
    MX("temp.example", "mx.plain.example"),
    TXT("perm.example", "v=spf1 nothing -all"),
    MX("perm.example", "mx.plain.example"),
    /* Of the organisation firm.co.uk. */
    TXT("neutral.firm.co.uk", "v=spf1 ?all"),
    FAILS("temp.firm.co.uk", ns_t_txt),
    TXT("perm.firm.co.uk", "v=spf1 nothing -all"),
    TXT("fail.firm.co.uk", "v=spf1 -all"),
    TXT("soft.firm.co.uk", "v=spf1 ~all"),
    TXT("pass.firm.co.uk", "v=spf1 +all"),
    TXT("terms.firm.co.uk", "v=spf1 a:b1.example a:b2.example a:b3.example a:b1.example "
                            "a:b2.example a:b3.example a:h1.example a:h1.example a:h1.example "
                            "a:h1.example a:h1.example ?all"),
    TXT("voids.firm.co.uk", "v=spf1 a:b1.example a:b2.example a:b3.example ?all"),
    MX("voids.firm.co.uk", "mx.plain.example"),
    /* Clients' names. */
    {.name = "5.113.0.203.in-addr.arpa", .type = ns_t_ptr, ANSWERS(some_names)},
    A("notfirm.co.uk", "203.0.113.5"),
    A("firm.co.uk.evil.example", "203.0.113.5"),
    A("www.kept.github.io", "203.0.113.5"),
    A("any.org", "203.0.113.5"),
    A("out.firm.co.uk", "203.0.113.5"),
    A("mail.many.example", "203.0.113.5"),
    A("mail.void.example", "203.0.113.5"),
    PTR("6.113.0.203.in-addr.arpa", "liar.firm.co.uk"), /* leads elsewhere */
    A("liar.firm.co.uk", "203.0.113.7"),
    PTR("7.113.0.203.in-addr.arpa", "lost.firm.co.uk"), /* leads nowhere */
    PTR("8.113.0.203.in-addr.arpa", "neighbour.firm.co.uk"),
    A("neighbour.firm.co.uk", "203.0.113.80"),
    PTR("9.113.0.203.in-addr.arpa", "firm.co.uk"),
    A("firm.co.uk", "203.0.113.9"),
    PTR("10.100.51.198.in-addr.arpa", "co.uk"),
    A("co.uk", "198.51.100.10"),
    PTR("5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.5.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
        "six.firm.co.uk"),
    AAAA("six.firm.co.uk", "2001:db8:0:5::5"),
    FAILS("11.113.0.203.in-addr.arpa", ns_t_ptr),
    PTR("12.113.0.203.in-addr.arpa", "failing.firm.co.uk"),
    FAILS("failing.firm.co.uk", ns_t_a),
    {.name = "20.113.0.203.in-addr.arpa", .type = ns_t_ptr, ANSWERS(twelve_names)},
    A("n10.firm.co.uk", "203.0.113.20"),
    A("n11.late.example", "203.0.113.20"),
    A("n12.late.example", "203.0.113.20"),
    /* Many hosts, hosts that are not there, no hosts. */
    {.name = "ten.example", .type = ns_t_mx, ANSWERS(ten_hosts)},
    {.name = "many.example", .type = ns_t_mx, ANSWERS(eleven_hosts)},
    A("many.example", "203.0.113.5"),
    A("h1.example", "192.0.2.130"),
    A("h2.example", "198.51.100.2"),
    A("h10.example", "203.0.113.199"),
    MX("void.example", "nowhere.example"),
    {.name = "null.example", .type = ns_t_mx, .count = 0}, /* "MX 0 .": there is nothing left */
    A("null.example", "192.0.2.130"),
    FAILS("deaf.example", ns_t_mx),
    A("deaf.example", "192.0.2.130"),
    MX("half.example", "deaf.half.example"),
    FAILS("deaf.half.example", ns_t_a),
};

/* --- Questions ----------------------------------------------------------------- */

struct asked {
    const char *client, *domain;
    bool without_guesses;
};

static struct spf_vouching vouch_logged(const struct asked *asked, struct spf_rig_log *log)
{
    const struct sockaddr_storage client = dns_rig_address(asked->client);
    const struct spf_question question = {.client = (const struct sockaddr *)&client,
                                          .helo = "client.example",
                                          .local = "user",
                                          .domain = asked->domain,
                                          .guesses = !asked->without_guesses};
    struct spf_answers answers = {.first = NULL};
    struct spf_vouching vouching;
    struct spf_lookup next;

    log->count = 0;
    while (!spf_vouch(&question, &answers, &vouching, &next)) {
        struct dns_record_list list;
        const enum dns_outcome outcome = spf_rig_say(zone, COUNT(zone), &next, &list);

        spf_rig_note(log, &next);
        assert_true(spf_answers_add(&answers, &next, outcome, &list));
        dns_records_free(&list);
    }
    spf_answers_free(&answers);
    assert_true(vouching.is_said);
    assert_int_equal(vouching.voucher == RB_VOUCHER_NOBODY, vouching.why_nobody != NULL);
    return vouching;
}

static struct spf_vouching vouch(const char *client, const char *domain)
{
    struct spf_rig_log log;

    return vouch_logged(&(struct asked){client, domain, false}, &log);
}

static void assert_vouched(const struct spf_vouching *vouching, const char *client,
                           const char *domain, enum rb_voucher voucher, const char *host)
{
    if (vouching->voucher != voucher || strcmp(vouching->host, host) != 0)
        fail_msg("%s for %s: %s \"%s\" (%s), and not %s \"%s\"", client, domain,
                 rb_voucher_name(vouching->voucher), vouching->host,
                 vouching->why_nobody != NULL ? vouching->why_nobody : "", rb_voucher_name(voucher),
                 host);
}

struct expected {
    const char *client, *domain;
    enum rb_voucher voucher;
    const char *host;
};

static void assert_all(const struct expected *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct spf_vouching vouching = vouch(cases[i].client, cases[i].domain);

        assert_vouched(&vouching, cases[i].client, cases[i].domain, cases[i].voucher,
                       cases[i].host);
    }
}

/* --- Hosts ----------------------------------------------------------------------- */

static void hosts_of_the_domain_and_their_neighbours_vouch(void **state)
{
    static const struct expected cases[] = {
        {"192.0.2.130", "plain.example", RB_VOUCHER_MX, "mx.plain.example"},
        {"192.0.2.0", "plain.example", RB_VOUCHER_MX, "mx.plain.example"},
        {"192.0.2.127", "plain.example", RB_VOUCHER_MX, "mx.plain.example"},
        {"192.0.2.128", "plain.example", RB_VOUCHER_MX, "mx.plain.example"},
        {"192.0.2.255", "plain.example", RB_VOUCHER_MX, "mx.plain.example"},
        {"::ffff:192.0.2.1", "plain.example", RB_VOUCHER_MX, "mx.plain.example"},
        {"198.51.100.1", "plain.example", RB_VOUCHER_MX, "plain.example"},
        {"2001:db8:1:2::25", "plain.example", RB_VOUCHER_MX, "mx.plain.example"},
        {"2001:db8:1:2:ffff:ffff:ffff:ffff", "plain.example", RB_VOUCHER_MX, "mx.plain.example"},
        {"2001:db8:9:9:8000::", "plain.example", RB_VOUCHER_MX, "plain.example"},
        {"192.0.2.130", "PLAIN.Example.", RB_VOUCHER_MX, "mx.plain.example"},
        {"192.0.1.255", "plain.example", RB_VOUCHER_NOBODY, ""},
        {"192.0.3.0", "plain.example", RB_VOUCHER_NOBODY, ""},
        {"2001:db8:1:3::25", "plain.example", RB_VOUCHER_NOBODY, ""},
        {"2001:db8:1:1:ffff:ffff:ffff:ffff", "plain.example", RB_VOUCHER_NOBODY, ""},
        {"203.0.113.99", "plain.example", RB_VOUCHER_NOBODY, ""},
        {"192.0.2.130", "mx.elsewhere.example", RB_VOUCHER_NOBODY, ""},
        {"192.0.2.1", "null.example", RB_VOUCHER_MX, "null.example"},
    };

    (void)state;
    assert_all(cases, COUNT(cases));
}

/* A domain that publishes a record has said which hosts are its own. */
static void hosts_do_not_vouch_where_there_is_a_record(void **state)
{
    static const struct {
        const char *domain;
        enum spf_outcome outcome;
    } cases[] = {
        {"fail.example", SPF_OUTCOME_FAIL},       {"soft.example", SPF_OUTCOME_SOFTFAIL},
        {"neutral.example", SPF_OUTCOME_NEUTRAL}, {"temp.example", SPF_OUTCOME_TEMPERROR},
        {"perm.example", SPF_OUTCOME_PERMERROR},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct spf_rig_log log;
        const struct asked asked = {"192.0.2.130", cases[i].domain, false};
        const struct spf_vouching vouching = vouch_logged(&asked, &log);

        assert_int_equal(vouching.said.outcome, cases[i].outcome);
        assert_vouched(&vouching, asked.client, asked.domain, RB_VOUCHER_NOBODY, "");
        assert_int_equal(spf_rig_looked_up(&log, cases[i].domain, ns_t_mx), 0);
        assert_int_equal(spf_rig_looked_up(&log, cases[i].domain, ns_t_a), 0);
    }
}

/* --- Names ------------------------------------------------------------------------- */

static void names_within_the_organisation_vouch(void **state)
{
    static const struct expected cases[] = {
        {"203.0.113.5", "lists.firm.co.uk", RB_VOUCHER_PTR, "out.firm.co.uk"},
        {"203.0.113.5", "A.B.Firm.Co.Uk.", RB_VOUCHER_PTR, "out.firm.co.uk"},
        {"203.0.113.5", "neutral.firm.co.uk", RB_VOUCHER_PTR, "out.firm.co.uk"},
        {"203.0.113.5", "temp.firm.co.uk", RB_VOUCHER_PTR, "out.firm.co.uk"},
        {"203.0.113.5", "perm.firm.co.uk", RB_VOUCHER_PTR, "out.firm.co.uk"},
        {"203.0.113.9", "lists.firm.co.uk", RB_VOUCHER_PTR, "firm.co.uk"},
        {"::ffff:203.0.113.5", "www.firm.co.uk", RB_VOUCHER_PTR, "out.firm.co.uk"},
        {"2001:db8:0:5::5", "firm.co.uk", RB_VOUCHER_PTR, "six.firm.co.uk"},
        {"203.0.113.5", "kept.github.io", RB_VOUCHER_PTR, "www.kept.github.io"},
        /* Others', of a suffix that they share. */
        {"203.0.113.5", "rm.co.uk", RB_VOUCHER_NOBODY, ""},
        {"203.0.113.5", "other.co.uk", RB_VOUCHER_NOBODY, ""},
        {"203.0.113.5", "other.github.io", RB_VOUCHER_NOBODY, ""},
        {"203.0.113.5", "example.org", RB_VOUCHER_NOBODY, ""},
        /* The suffix itself: what is below it is not its own. */
        {"203.0.113.5", "co.uk", RB_VOUCHER_NOBODY, ""},
        {"203.0.113.5", "github.io", RB_VOUCHER_NOBODY, ""},
        {"203.0.113.5", "org", RB_VOUCHER_NOBODY, ""},
        /* ... but for its own host. */
        {"198.51.100.10", "co.uk", RB_VOUCHER_MX, "co.uk"},
        {"203.0.113.5", "evil.example", RB_VOUCHER_PTR, "firm.co.uk.evil.example"},
    };

    (void)state;
    assert_all(cases, COUNT(cases));
}

static void a_name_that_does_not_lead_back_does_not_vouch(void **state)
{
    static const struct expected cases[] = {
        {"203.0.113.6", "neutral.firm.co.uk", RB_VOUCHER_NOBODY, ""},  /* leads elsewhere */
        {"203.0.113.7", "neutral.firm.co.uk", RB_VOUCHER_NOBODY, ""},  /* leads nowhere */
        {"203.0.113.8", "neutral.firm.co.uk", RB_VOUCHER_NOBODY, ""},  /* leads next door */
        {"203.0.113.77", "neutral.firm.co.uk", RB_VOUCHER_NOBODY, ""}, /* has no name */
        {"2001:db8::77", "neutral.firm.co.uk", RB_VOUCHER_NOBODY, ""},
    };

    (void)state;
    assert_all(cases, COUNT(cases));
}

/* --- What speaks before what ---------------------------------------------------------- */

/* ... and nothing more is looked up. */
static void where_spf_says_yes_or_no_nobody_else_is_asked(void **state)
{
    static const struct {
        const char *client, *domain;
        enum spf_outcome outcome;
        enum rb_voucher voucher;
        const char *host;
    } cases[] = {
        {"203.0.113.5", "pass.firm.co.uk", SPF_OUTCOME_PASS, RB_VOUCHER_SPF, ""},
        {"192.0.2.130", "pass.example", SPF_OUTCOME_PASS, RB_VOUCHER_SPF, ""},
        {"203.0.113.5", "fail.firm.co.uk", SPF_OUTCOME_FAIL, RB_VOUCHER_NOBODY, ""},
        {"203.0.113.5", "soft.firm.co.uk", SPF_OUTCOME_SOFTFAIL, RB_VOUCHER_NOBODY, ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct spf_rig_log log;
        const struct asked asked = {cases[i].client, cases[i].domain, false};
        const struct spf_vouching vouching = vouch_logged(&asked, &log);

        assert_int_equal(vouching.said.outcome, cases[i].outcome);
        assert_vouched(&vouching, asked.client, asked.domain, cases[i].voucher, cases[i].host);
        assert_int_equal(log.count, 1);
    }
}

static void of_a_term_that_matched_by_a_host_the_host_is_told(void **state)
{
    const struct spf_vouching vouching = vouch("2001:db8:1:2::25", "pass.example");

    (void)state;
    assert_vouched(&vouching, "2001:db8:1:2::25", "pass.example", RB_VOUCHER_SPF,
                   "mx.plain.example");
    assert_string_equal(vouching.said.term, "a:mx.plain.example");
}

static void hosts_are_asked_before_names(void **state)
{
    struct spf_rig_log log;
    const struct spf_vouching vouching =
        vouch_logged(&(struct asked){"203.0.113.9", "firm.co.uk", false}, &log);

    (void)state;
    assert_vouched(&vouching, "203.0.113.9", "firm.co.uk", RB_VOUCHER_MX, "firm.co.uk");
    assert_int_equal(spf_rig_looked_up(&log, "9.113.0.203.in-addr.arpa", ns_t_ptr), 0);
}

static void without_guesses_only_spf_is_looked_up(void **state)
{
    static const struct {
        const char *domain, *why;
    } cases[] = {
        {"plain.example", "there is no SPF record"},
        {"neutral.firm.co.uk", "SPF says neither yes nor no"},
        {"temp.firm.co.uk", "SPF ends in an error"},
        {"perm.firm.co.uk", "SPF ends in an error"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct spf_rig_log log;
        const struct spf_vouching vouching =
            vouch_logged(&(struct asked){"192.0.2.130", cases[i].domain, true}, &log);

        assert_int_equal(vouching.voucher, RB_VOUCHER_NOBODY);
        assert_string_equal(vouching.why_nobody, cases[i].why);
        assert_int_equal(log.count, 1);
        assert_int_equal(vouching.is_for_now, vouching.said.outcome == SPF_OUTCOME_TEMPERROR);
    }
}

static void what_is_no_domain_has_nobody_and_costs_nothing(void **state)
{
    static const char *const domains[] = {"[192.0.2.130]", "localhost",  "", ".", "..",
                                          "a..b",          "a b.example"};

    (void)state;
    for (size_t i = 0; i < COUNT(domains); i++) {
        struct spf_rig_log log;
        const struct spf_vouching vouching =
            vouch_logged(&(struct asked){"192.0.2.130", domains[i], false}, &log);

        assert_int_equal(vouching.said.outcome, SPF_OUTCOME_NONE);
        assert_int_equal(vouching.voucher, RB_VOUCHER_NOBODY);
        assert_int_equal(log.count, 0);
    }
}

/* --- Limits ------------------------------------------------------------------------------ */

static void ten_mail_hosts_are_looked_at_and_no_eleventh(void **state)
{
    static const struct expected cases[] = {
        {"203.0.113.200", "ten.example", RB_VOUCHER_MX, "h10.example"},
        {"192.0.2.130", "many.example", RB_VOUCHER_NOBODY, ""}, /* it is the first */
        {"203.0.113.200", "many.example", RB_VOUCHER_NOBODY, ""},
        /* That the one guess ends in an error is no reason not to make the other. */
        {"203.0.113.5", "many.example", RB_VOUCHER_PTR, "mail.many.example"},
    };

    (void)state;
    assert_all(cases, COUNT(cases));
}

static void ten_names_of_the_client_are_looked_at_and_no_more(void **state)
{
    struct spf_rig_log log;
    struct spf_vouching vouching = vouch("203.0.113.20", "www.firm.co.uk");

    (void)state;
    assert_vouched(&vouching, "203.0.113.20", "www.firm.co.uk", RB_VOUCHER_PTR, "n10.firm.co.uk");
    vouching = vouch_logged(&(struct asked){"203.0.113.20", "late.example", false}, &log);
    assert_int_equal(vouching.voucher, RB_VOUCHER_NOBODY);
    assert_int_equal(spf_rig_looked_up(&log, "n11.late.example", ns_t_a), 0);
}

/* No host, or hosts that do not exist: two terms that find nothing, and never three. */
static void domains_without_hosts_have_nobody(void **state)
{
    static const struct expected cases[] = {
        {"192.0.2.130", "nothing.example", RB_VOUCHER_NOBODY, ""},
        {"192.0.2.130", "void.example", RB_VOUCHER_NOBODY, ""},
        {"203.0.113.5", "void.example", RB_VOUCHER_PTR, "mail.void.example"},
    };

    (void)state;
    assert_all(cases, COUNT(cases));
}

/* What breaks the limits of RFC 7208 is an error of its own, and guesses are made as for others. */
static void records_beyond_the_limits_leave_names_to_vouch(void **state)
{
    static const char *const domains[] = {"voids.firm.co.uk", "terms.firm.co.uk"};

    (void)state;
    for (size_t i = 0; i < COUNT(domains); i++) {
        struct spf_vouching vouching = vouch("203.0.113.5", domains[i]);

        assert_int_equal(vouching.said.outcome, SPF_OUTCOME_PERMERROR);
        assert_vouched(&vouching, "203.0.113.5", domains[i], RB_VOUCHER_PTR, "out.firm.co.uk");
        vouching = vouch("192.0.2.131", domains[i]);
        assert_int_equal(vouching.voucher, RB_VOUCHER_NOBODY);
    }
}

/* --- When DNS fails ------------------------------------------------------------------------ */

static void what_dns_fails_for_is_nobody_for_now(void **state)
{
    static const struct {
        const char *client, *domain;
        enum spf_outcome outcome;
    } cases[] = {
        {"192.0.2.130", "deaf.example", SPF_OUTCOME_NONE},           /* the MX */
        {"192.0.2.130", "half.example", SPF_OUTCOME_NONE},           /* a host of the MX */
        {"203.0.113.11", "neutral.firm.co.uk", SPF_OUTCOME_NEUTRAL}, /* the PTR */
        {"203.0.113.12", "neutral.firm.co.uk", SPF_OUTCOME_NEUTRAL}, /* its name */
        {"203.0.113.77", "temp.firm.co.uk", SPF_OUTCOME_TEMPERROR},  /* the record */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct spf_vouching vouching = vouch(cases[i].client, cases[i].domain);

        assert_int_equal(vouching.said.outcome, cases[i].outcome);
        assert_vouched(&vouching, cases[i].client, cases[i].domain, RB_VOUCHER_NOBODY, "");
        assert_string_equal(vouching.why_nobody, "DNS gives no answer");
        assert_true(vouching.is_for_now);
    }
}

static void nobody_is_for_longer_where_dns_has_said_all(void **state)
{
    static const struct {
        const char *client, *domain, *why;
    } cases[] = {
        {"203.0.113.77", "plain.example",
         "there is no SPF record, it is next to none of the domain's hosts, and it has no "
         "confirmed "
         "name in the domain"},
        {"203.0.113.77", "neutral.example",
         "SPF says neither yes nor no, and it has no confirmed name in the domain"},
        {"203.0.113.77", "perm.example",
         "SPF ends in an error, and it has no confirmed name in the domain"},
        {"203.0.113.5", "fail.firm.co.uk", "by SPF the domain disowns it"},
        {"203.0.113.5", "soft.firm.co.uk", "by SPF it is probably not the domain's"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct spf_vouching vouching = vouch(cases[i].client, cases[i].domain);

        assert_int_equal(vouching.voucher, RB_VOUCHER_NOBODY);
        assert_string_equal(vouching.why_nobody, cases[i].why);
        assert_false(vouching.is_for_now);
    }
}

/* SPF is a failure if it was not said yet, and stays as it is if it was: only guesses are given up. */
static void what_is_given_up_keeps_what_was_said(void **state)
{
    struct spf_vouching vouching = {.is_said = false};

    (void)state;
    spf_vouch_give_up(&vouching, "too long");
    assert_int_equal(vouching.said.outcome, SPF_OUTCOME_TEMPERROR);
    assert_string_equal(vouching.said.fault, "too long");
    assert_string_equal(vouching.why_nobody, "too long");
    assert_true(vouching.is_for_now && vouching.is_said);
    vouching = (struct spf_vouching){.said.outcome = SPF_OUTCOME_NONE, .is_said = true};
    spf_vouch_give_up(&vouching, "too long");
    assert_int_equal(vouching.said.outcome, SPF_OUTCOME_NONE);
    assert_null(vouching.said.fault);
    assert_int_equal(vouching.voucher, RB_VOUCHER_NOBODY);
    assert_string_equal(vouching.why_nobody, "too long");
    assert_true(vouching.is_for_now);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_of_the_domain_and_their_neighbours_vouch),
        cmocka_unit_test(hosts_do_not_vouch_where_there_is_a_record),
        cmocka_unit_test(names_within_the_organisation_vouch),
        cmocka_unit_test(a_name_that_does_not_lead_back_does_not_vouch),
        cmocka_unit_test(where_spf_says_yes_or_no_nobody_else_is_asked),
        cmocka_unit_test(of_a_term_that_matched_by_a_host_the_host_is_told),
        cmocka_unit_test(hosts_are_asked_before_names),
        cmocka_unit_test(without_guesses_only_spf_is_looked_up),
        cmocka_unit_test(what_is_no_domain_has_nobody_and_costs_nothing),
        cmocka_unit_test(ten_mail_hosts_are_looked_at_and_no_eleventh),
        cmocka_unit_test(ten_names_of_the_client_are_looked_at_and_no_more),
        cmocka_unit_test(domains_without_hosts_have_nobody),
        cmocka_unit_test(records_beyond_the_limits_leave_names_to_vouch),
        cmocka_unit_test(what_dns_fails_for_is_nobody_for_now),
        cmocka_unit_test(nobody_is_for_longer_where_dns_has_said_all),
        cmocka_unit_test(what_is_given_up_keeps_what_was_said),
    };

    return cmocka_run_group_tests_name("vouch", tests, NULL, NULL);
}
