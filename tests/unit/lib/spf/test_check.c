/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_check: check_host of RFC 7208: results, limits, what is looked up and what is not, records
 * as hostile as they come. The evaluation is given its answers out of a table, and asks nobody; a
 * few tests at the end ask a scripted DNS server on the loopback.
 */
#include "config.h"

#include "spf/check.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <pthread.h>
#include <stdio.h>

#include "check.h"
#include "fake_clock.h"
#include "dns_rig.h"
#include "fake_dns.h"
#include "spf/record.h"
#include "spf_rig.h"

#define ANSWERS(table) .answers = (table), .count = COUNT(table)
#define TXT(domain, text)                                                                          \
    {                                                                                              \
        .name = (domain), .type = ns_t_txt,                                                        \
        .answers = &(const struct fake_dns_answer){.type = ns_t_txt, .data = (text)}, .count = 1   \
    }
#define ONE(domain, rrtype, text)                                                                  \
    {                                                                                              \
        .name = (domain), .type = (rrtype),                                                        \
        .answers = &(const struct fake_dns_answer){.type = (rrtype), .data = (text)}, .count = 1   \
    }

enum {
    PATIENT_MS = 20000,
    HASTY_MS = 200,
    THREADS = 8,
    ROUNDS = 20,
    RANDOM_CHECKS = 3000,
    TEXT_MAX = 20000,
};

static const char client_v4[] = "192.0.2.10";
static const char client_v6[] = "2001:db8::10";

/* --- Evaluation out of a table ---------------------------------------------- */

struct asked {
    const char *client, *domain, *local, *helo; /* NULL: the usual */
};

static struct spf_question question_of(const struct asked *asked, struct sockaddr_storage *client)
{
    *client = dns_rig_address(asked->client != NULL ? asked->client : client_v4);
    return (struct spf_question){
        .client = (const struct sockaddr *)client,
        .helo = asked->helo != NULL ? asked->helo : "mail.example.org",
        .local = asked->local != NULL ? asked->local : "user",
        .domain = asked->domain,
    };
}

static struct spf_result evaluate_logged(const struct fake_dns_row *rows, size_t count,
                                         const struct asked *asked, struct spf_rig_log *log)
{
    struct sockaddr_storage client;
    const struct spf_question question = question_of(asked, &client);
    struct spf_answers answers = {.first = NULL};
    struct spf_result answer;
    struct spf_lookup next;

    log->count = 0;
    while (!spf_evaluate(&question, &answers, &answer, &next)) {
        struct dns_record_list list;
        enum dns_outcome outcome = spf_rig_say(rows, count, &next, &list);

        spf_rig_note(log, &next);
        assert_true(spf_answers_add(&answers, &next, outcome, &list));
        dns_records_free(&list);
    }
    spf_answers_free(&answers);
    return answer;
}

static struct spf_result evaluate(const struct fake_dns_row *rows, size_t count,
                                  const struct asked *asked)
{
    struct spf_rig_log log;

    return evaluate_logged(rows, count, asked, &log);
}

/* The outcome for a domain's one record, asked by client_v4. */
static enum spf_outcome outcome_of_record(const char *record)
{
    const struct fake_dns_row rows[] = {TXT("d.example", record)};

    return evaluate(rows, COUNT(rows), &(struct asked){.domain = "d.example"}).outcome;
}

static void expect(const char *what, enum spf_outcome is, enum spf_outcome wanted)
{
    if (is != wanted)
        fail_msg("%s: %s, not %s", what, spf_outcome_name(is), spf_outcome_name(wanted));
}

/* --- Results ---------------------------------------------------------------- */

struct record_case {
    const char *record;
    enum spf_outcome outcome;
};

static void check_records(const struct record_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        expect(cases[i].record, outcome_of_record(cases[i].record), cases[i].outcome);
}

static void records_without_look_ups_give_their_result(void **state)
{
    (void)state;
    static const struct record_case cases[] = {
        {"v=spf1 -all", SPF_OUTCOME_FAIL},
        {"v=spf1 ~all", SPF_OUTCOME_SOFTFAIL},
        {"v=spf1 ?all", SPF_OUTCOME_NEUTRAL},
        {"v=spf1 +all", SPF_OUTCOME_PASS},
        {"v=spf1 all", SPF_OUTCOME_PASS},
        {"V=SPF1 -ALL", SPF_OUTCOME_FAIL},
        {"v=spf1", SPF_OUTCOME_NEUTRAL},
        {"v=spf1   ", SPF_OUTCOME_NEUTRAL},
        {"v=spf1 ip4:192.0.2.10 -all", SPF_OUTCOME_PASS},
        {"v=spf1 ip4:192.0.2.11 -all", SPF_OUTCOME_FAIL},
        {"v=spf1 ip4:192.0.2.0/24 -all", SPF_OUTCOME_PASS},
        {"v=spf1 ip4:192.0.2.99/24 -all", SPF_OUTCOME_PASS},
        {"v=spf1 ip4:192.0.3.0/24 -all", SPF_OUTCOME_FAIL},
        {"v=spf1 ip4:0.0.0.0/0 -all", SPF_OUTCOME_PASS},
        {"v=spf1 -ip4:192.0.2.10/32 +all", SPF_OUTCOME_FAIL},
        {"v=spf1 ?ip4:192.0.2.10 -all", SPF_OUTCOME_NEUTRAL},
        {"v=spf1 ip6:::/0 -all", SPF_OUTCOME_FAIL},
        {"v=spf1 ip6:::ffff:192.0.2.10 -all", SPF_OUTCOME_FAIL},
        {"v=spf1 -all ip4:192.0.2.10", SPF_OUTCOME_FAIL},
        {"v=spf1 ip4:192.0.2.10  -all ", SPF_OUTCOME_PASS},
        {"v=spf1 ip4:192.0.2.11/31 -all", SPF_OUTCOME_PASS},
        {"v=spf1 ip4:192.0.2.12/31 -all", SPF_OUTCOME_FAIL},
        {"v=spf1 ip4:192.0.2.8/29 -all", SPF_OUTCOME_PASS},
        {"v=spf1 ip4:192.0.2.0/29 -all", SPF_OUTCOME_FAIL},
        {"v=spf1 ip4:128.0.0.0/1 -all", SPF_OUTCOME_PASS},
        {"v=spf1 ip4:127.0.0.0/1 -all", SPF_OUTCOME_FAIL},
        {"v=spf1 unknown=x%{d}y exp=why.example -all", SPF_OUTCOME_FAIL},
        {"v=spf1 exp=why.example exp-text=x -all", SPF_OUTCOME_FAIL},
    };
    check_records(cases, COUNT(cases));
}

static void other_texts_are_no_record(void **state)
{
    (void)state;
    static const struct record_case cases[] = {
        {"", SPF_OUTCOME_NONE},
        {"v=spf10 -all", SPF_OUTCOME_NONE},
        {"v=spf1-all", SPF_OUTCOME_NONE},
        {" v=spf1 -all", SPF_OUTCOME_NONE},
        {"spf2.0/pra -all", SPF_OUTCOME_NONE},
        {"v=DMARC1; p=reject", SPF_OUTCOME_NONE},
        {"v=spf1\t-all", SPF_OUTCOME_NONE},
    };
    check_records(cases, COUNT(cases));
}

/* Which they are, spf/test_record knows. */
static void faults_of_a_record_are_permerror(void **state)
{
    static const char *const records[] = {
        "v=spf1 -all foo",       "v=spf1 foo -all",
        "v=spf1 a: -all",        "v=spf1 a/33",
        "v=spf1 redirect= -all", "v=spf1 -all redirect=a.example redirect=a.example",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(records); i++)
        expect(records[i], outcome_of_record(records[i]), SPF_OUTCOME_PERMERROR);
}

static const struct fake_dns_answer two_records[] = {{.type = ns_t_txt, .data = "v=spf1 -all"},
                                                     {.type = ns_t_txt, .data = "v=spf1 +all"}};
static const struct fake_dns_answer among_others[] = {
    {.type = ns_t_txt, .data = "google-site-verification=x"},
    {.type = ns_t_txt, .data = "v=spf1 -all"},
    {.type = ns_t_txt, .data = "v=spf2 +all"}};
static const struct fake_dns_answer three_hosts[] = {
    {.type = ns_t_mx, .preference = 10, .data = "mx1.d.example"},
    {.type = ns_t_mx, .preference = 20, .data = "MX2.d.example"},
    {.type = ns_t_mx, .preference = 30, .data = "mx3.d.example"}};

/* A zone for the mechanisms that ask. */
static const struct fake_dns_row zone[] = {
    TXT("a.example", "v=spf1 a -all"),
    ONE("a.example", ns_t_a, "192.0.2.10"),
    ONE("a.example", ns_t_aaaa, "2001:db8::10"),
    TXT("cidr.example", "v=spf1 a:net.example/24//64 -all"),
    ONE("net.example", ns_t_a, "192.0.2.200"),
    ONE("net.example", ns_t_aaaa, "2001:db8::ffff"),
    TXT("nocidr.example", "v=spf1 a:net.example -all"),
    TXT("mx.example", "v=spf1 mx:d.example -all"),
    {.name = "d.example", .type = ns_t_mx, ANSWERS(three_hosts)},
    ONE("mx1.d.example", ns_t_a, "192.0.2.1"),
    ONE("mx2.d.example", ns_t_a, "192.0.2.10"),
    ONE("mx3.d.example", ns_t_a, "192.0.2.3"),
    TXT("ptr.example", "v=spf1 ptr -all"),
    ONE("10.2.0.192.in-addr.arpa", ns_t_ptr, "Host.PTR.example"),
    ONE("0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", ns_t_ptr,
        "host.ptr.example"),
    {.name = "12.2.0.192.in-addr.arpa", .rcode = ns_r_servfail},
    ONE("13.2.0.192.in-addr.arpa", ns_t_ptr, "x.dead.example"),
    {.name = "x.dead.example", .rcode = ns_r_servfail},
    ONE("14.2.0.192.in-addr.arpa", ns_t_ptr, "a.b.up.example"),
    ONE("a.b.up.example", ns_t_a, "192.0.2.14"),
    ONE("15.2.0.192.in-addr.arpa", ns_t_ptr, "a.b.up.example"),
    ONE("host.ptr.example", ns_t_a, "192.0.2.10"),
    ONE("host.ptr.example", ns_t_aaaa, "2001:db8::10"),
    TXT("ptrother.example", "v=spf1 ptr -all"),
    TXT("exists.example", "v=spf1 exists:%{ir}.%{v}.list.example -all"),
    ONE("10.2.0.192.in-addr.list.example", ns_t_a, "127.0.0.2"),
    TXT("include.example", "v=spf1 include:pass.example -all"),
    TXT("includefail.example", "v=spf1 include:fail.example ~all"),
    TXT("includenone.example", "v=spf1 include:nothing.example -all"),
    TXT("includebad.example", "v=spf1 include:bad.example -all"),
    TXT("includedead.example", "v=spf1 include:dead.example -all"),
    TXT("early.example", "v=spf1 ip4:192.0.2.10 exists:%{l}.%{h}.x -all"),
    TXT("pass.example", "v=spf1 ip4:192.0.2.10 -all"),
    TXT("fail.example", "v=spf1 -all"),
    TXT("bad.example", "v=spf1 foo"),
    {.name = "dead.example", .rcode = ns_r_servfail},
    TXT("redirect.example", "v=spf1 redirect=_spf.example"),
    TXT("redirectfirst.example", "v=spf1 redirect=fail.example ip4:192.0.2.10"),
    TXT("redirectall.example", "v=spf1 redirect=fail.example ?all"),
    TXT("redirectnone.example", "v=spf1 redirect=nothing.example"),
    TXT("_spf.example", "v=spf1 -ip4:192.0.2.10"),
    {.name = "two.example", .type = ns_t_txt, ANSWERS(two_records)},
    {.name = "others.example", .type = ns_t_txt, ANSWERS(among_others)},
    TXT("local.example", "v=spf1 exists:%{l}._u.example -all"),
    ONE("user._u.example", ns_t_a, "127.0.0.2"),
    ONE("some+tag=x._u.example", ns_t_a, "127.0.0.2"),
    TXT("helo.example", "v=spf1 a:%{h} -all"),
    ONE("mail.example.org", ns_t_a, "192.0.2.10"),
    TXT("name.example", "v=spf1 a:%{p2}.n.example -all"),
    ONE("ptr.example.n.example", ns_t_a, "192.0.2.10"),
    TXT("exp.example", "v=spf1 exp=why.%{p}.example -all"),
    TXT("dead.mech.example", "v=spf1 a:dead.example -all"),
    TXT("dead.late.example", "v=spf1 ip4:192.0.2.10 a:dead.example -all"),
    TXT("self.example", "v=spf1 include:self.example -all"),
    TXT("Ping.example", "v=spf1 include:pong.example -all"),
    TXT("pong.example", "v=spf1 include:PING.example -all"),
    TXT("loop.example", "v=spf1 redirect=pool.example"),
    TXT("pool.example", "v=spf1 redirect=loop.example"),
    TXT("zero.example", "v=spf1 a:net.example/0 -all"),
    TXT("zero6.example", "v=spf1 a:net.example//0 -all"),
    TXT("zerogone.example", "v=spf1 a:gone.example/0 mx:gone.example/0 -all"),
    TXT("zeromx.example", "v=spf1 mx:d.example/0 -all"),
    TXT("odd.example", "v=spf1 a:mail.example...com exists:a\\b.example -all"),
    TXT("oddinclude.example", "v=spf1 include:a..example ~all"),
    TXT("oddredirect.example", "v=spf1 redirect=a..example"),
    TXT("oddmx.example", "v=spf1 mx:foo:bar/baz.example -all"),
    {.name = "foo:bar/baz.example",
     .type = ns_t_mx,
     .answers = &(const struct fake_dns_answer){.type = ns_t_mx, .data = "foo:bar/baz.example"},
     .count = 1},
    ONE("foo:bar/baz.example", ns_t_a, "192.0.2.10"),
    TXT("spaces.example", "v=spf1 a:macro%%percent%_%_space%-url-space.example -all"),
    ONE("macro%percent  space%20url-space.example", ns_t_a, "192.0.2.10"),
    {.name = "nullmx.example", .type = ns_t_mx},
    TXT("nullmx.example", "v=spf1 mx a:n1.example a:n2.example ?all"),
    TXT("implicit.example", "v=spf1 mx ~all"),
    ONE("implicit.example", ns_t_a, "192.0.2.10"),
    TXT("deadmx.example", "v=spf1 mx -all"),
    {.name = "deadmx.example",
     .type = ns_t_mx,
     .answers = &(const struct fake_dns_answer){.type = ns_t_mx, .data = "dead.example"},
     .count = 1},
    TXT("deadptr.example", "v=spf1 ptr -all"),
    TXT("up.example", "v=spf1 ptr:Up.Example -all"),
    TXT("itself.example", "v=spf1 ptr:host.ptr.example -all"),
    TXT("partial.example", "v=spf1 ptr:r.example -all"),
    TXT("pexists.example", "v=spf1 exists:%{p}.should.example ~exists:%{p}.ok.example"),
    ONE("host.ptr.example.ok.example", ns_t_a, "127.0.0.2"),
    ONE("unknown.ok.example", ns_t_a, "127.0.0.2"),
    TXT("negative.example", "v=spf1 -include:pass.example +all"),
    TXT("helolocal.example", "v=spf1 exists:%{l}.%{h}.x.example -all"),
    ONE("postmaster.mail.example.org.x.example", ns_t_a, "127.0.0.2"),
    TXT("void2.example", "v=spf1 a:n1.example a:n2.example -all"),
    TXT("void3.example", "v=spf1 a:n1.example a:n2.example exists:n3.example -all"),
    TXT("void1.example", "v=spf1 a:n1.example ptr ptr ptr -all"),
    TXT("voidodd.example", "v=spf1 a:n1..example a:n2..example a:n3..example -all"),
    TXT("d0.example", "v=spf1 include:d1.example -all"),
    TXT("d1.example", "v=spf1 exists:%{d}.%{o}.list.example -all"),
    ONE("d1.example.d0.example.list.example", ns_t_a, "127.0.0.2"),
};

struct zone_case {
    struct asked asked;
    enum spf_outcome outcome;
};

static void check_zone(const struct zone_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        expect(cases[i].asked.domain, evaluate(zone, COUNT(zone), &cases[i].asked).outcome,
               cases[i].outcome);
}

static void mechanisms_that_ask_match_or_do_not(void **state)
{
    (void)state;
    static const struct zone_case cases[] = {
        {{NULL, "a.example", NULL, NULL}, SPF_OUTCOME_PASS},
        {{"192.0.2.11", "a.example", NULL, NULL}, SPF_OUTCOME_FAIL},
        {{client_v6, "a.example", NULL, NULL}, SPF_OUTCOME_PASS},
        {{"2001:db8::11", "a.example", NULL, NULL}, SPF_OUTCOME_FAIL},
        {{NULL, "cidr.example", NULL, NULL}, SPF_OUTCOME_PASS},
        {{client_v6, "cidr.example", NULL, NULL}, SPF_OUTCOME_PASS},
        {{"2001:db8:0:1::10", "cidr.example", NULL, NULL}, SPF_OUTCOME_FAIL},
        {{NULL, "nocidr.example", NULL, NULL}, SPF_OUTCOME_FAIL},
        {{NULL, "mx.example", NULL, NULL}, SPF_OUTCOME_PASS},
        {{"192.0.2.3", "mx.example", NULL, NULL}, SPF_OUTCOME_PASS},
        {{"192.0.2.4", "mx.example", NULL, NULL}, SPF_OUTCOME_FAIL},
        {{NULL, "ptr.example", NULL, NULL}, SPF_OUTCOME_PASS},
        {{client_v6, "ptr.example", NULL, NULL}, SPF_OUTCOME_PASS},
        {{"192.0.2.11", "ptr.example", NULL, NULL}, SPF_OUTCOME_FAIL},
        {{NULL, "ptrother.example", NULL, NULL}, SPF_OUTCOME_FAIL},
        {{NULL, "exists.example", NULL, NULL}, SPF_OUTCOME_PASS},
        {{"192.0.2.11", "exists.example", NULL, NULL}, SPF_OUTCOME_FAIL},
        {{NULL, "name.example", NULL, NULL}, SPF_OUTCOME_PASS},
        {{NULL, "zero.example", NULL, NULL}, SPF_OUTCOME_PASS},
        {{client_v6, "zero.example", NULL, NULL}, SPF_OUTCOME_FAIL},
        {{NULL, "zero6.example", NULL, NULL}, SPF_OUTCOME_FAIL},
        {{client_v6, "zero6.example", NULL, NULL}, SPF_OUTCOME_PASS},
        {{NULL, "zerogone.example", NULL, NULL}, SPF_OUTCOME_FAIL},
        {{"203.0.113.1", "zeromx.example", NULL, NULL}, SPF_OUTCOME_PASS},
        {{client_v6, "zeromx.example", NULL, NULL}, SPF_OUTCOME_FAIL},
        {{NULL, "odd.example", NULL, NULL}, SPF_OUTCOME_FAIL},
        {{NULL, "oddmx.example", NULL, NULL}, SPF_OUTCOME_PASS},
        {{NULL, "spaces.example", NULL, NULL}, SPF_OUTCOME_PASS},
        {{NULL, "nullmx.example", NULL, NULL}, SPF_OUTCOME_NEUTRAL},
        {{NULL, "implicit.example", NULL, NULL}, SPF_OUTCOME_SOFTFAIL},
        {{NULL, "deadmx.example", NULL, NULL}, SPF_OUTCOME_TEMPERROR},
        {{"192.0.2.12", "deadptr.example", NULL, NULL}, SPF_OUTCOME_FAIL},
        {{"192.0.2.13", "deadptr.example", NULL, NULL}, SPF_OUTCOME_FAIL},
        {{"192.0.2.14", "up.example", NULL, NULL}, SPF_OUTCOME_PASS},
        {{"192.0.2.15", "up.example", NULL, NULL}, SPF_OUTCOME_FAIL},
        {{NULL, "itself.example", NULL, NULL}, SPF_OUTCOME_PASS},
        {{NULL, "partial.example", NULL, NULL}, SPF_OUTCOME_FAIL},
        {{NULL, "pexists.example", NULL, NULL}, SPF_OUTCOME_SOFTFAIL},
        {{"192.0.2.13", "pexists.example", NULL, NULL}, SPF_OUTCOME_SOFTFAIL},
        {{"192.0.2.15", "pexists.example", NULL, NULL}, SPF_OUTCOME_SOFTFAIL},
        {{NULL, "helolocal.example", "", NULL}, SPF_OUTCOME_PASS},
        {{NULL, "d0.example", NULL, NULL}, SPF_OUTCOME_PASS},
    };
    check_zone(cases, COUNT(cases));
}

static void includes_and_redirects_give_what_the_rfc_says(void **state)
{
    (void)state;
    static const struct zone_case cases[] = {
        {{NULL, "include.example", NULL, NULL}, SPF_OUTCOME_PASS},
        {{"192.0.2.11", "include.example", NULL, NULL}, SPF_OUTCOME_FAIL},
        {{NULL, "includefail.example", NULL, NULL}, SPF_OUTCOME_SOFTFAIL},
        {{NULL, "includenone.example", NULL, NULL}, SPF_OUTCOME_PERMERROR},
        {{NULL, "includebad.example", NULL, NULL}, SPF_OUTCOME_PERMERROR},
        {{NULL, "includedead.example", NULL, NULL}, SPF_OUTCOME_TEMPERROR},
        {{NULL, "oddinclude.example", NULL, NULL}, SPF_OUTCOME_PERMERROR},
        {{NULL, "oddredirect.example", NULL, NULL}, SPF_OUTCOME_PERMERROR},
        {{NULL, "negative.example", NULL, NULL}, SPF_OUTCOME_FAIL},
        {{"192.0.2.11", "negative.example", NULL, NULL}, SPF_OUTCOME_PASS},
        {{NULL, "redirect.example", NULL, NULL}, SPF_OUTCOME_FAIL},
        {{"192.0.2.11", "redirect.example", NULL, NULL}, SPF_OUTCOME_NEUTRAL},
        {{NULL, "redirectfirst.example", NULL, NULL}, SPF_OUTCOME_PASS},
        {{"192.0.2.11", "redirectfirst.example", NULL, NULL}, SPF_OUTCOME_FAIL},
        {{NULL, "redirectall.example", NULL, NULL}, SPF_OUTCOME_NEUTRAL},
        {{NULL, "redirectnone.example", NULL, NULL}, SPF_OUTCOME_PERMERROR},
        {{NULL, "self.example", NULL, NULL}, SPF_OUTCOME_PERMERROR},
        {{NULL, "ping.example", NULL, NULL}, SPF_OUTCOME_PERMERROR},
        {{NULL, "loop.example", NULL, NULL}, SPF_OUTCOME_PERMERROR},
    };
    check_zone(cases, COUNT(cases));
}

static void domains_without_one_record_have_none_or_an_error(void **state)
{
    (void)state;
    static const struct zone_case cases[] = {
        {{NULL, "nothing.example", NULL, NULL}, SPF_OUTCOME_NONE},
        {{NULL, "net.example", NULL, NULL}, SPF_OUTCOME_NONE},
        {{NULL, "two.example", NULL, NULL}, SPF_OUTCOME_PERMERROR},
        {{NULL, "others.example", NULL, NULL}, SPF_OUTCOME_FAIL},
        {{NULL, "dead.example", NULL, NULL}, SPF_OUTCOME_TEMPERROR},
        {{NULL, "dead.mech.example", NULL, NULL}, SPF_OUTCOME_TEMPERROR},
        {{NULL, "dead.late.example", NULL, NULL}, SPF_OUTCOME_PASS},
        {{"192.0.2.11", "dead.late.example", NULL, NULL}, SPF_OUTCOME_TEMPERROR},
    };
    check_zone(cases, COUNT(cases));
}

static void void_look_ups_are_limited_to_two(void **state)
{
    (void)state;
    static const struct zone_case cases[] = {
        {{NULL, "void2.example", NULL, NULL}, SPF_OUTCOME_FAIL},
        {{NULL, "void3.example", NULL, NULL}, SPF_OUTCOME_PERMERROR},
        {{NULL, "void1.example", NULL, NULL}, SPF_OUTCOME_FAIL},
        {{NULL, "voidodd.example", NULL, NULL}, SPF_OUTCOME_FAIL},
        {{client_v6, "mx.example", NULL, NULL}, SPF_OUTCOME_FAIL}, /* three hosts of one term */
    };
    check_zone(cases, COUNT(cases));
}

/* --- Who is asked about ------------------------------------------------------ */

static void v4_mapped_clients_are_taken_for_ipv4(void **state)
{
    static const char *const domains[] = {"a.example", "pass.example", "exists.example",
                                          "ptr.example"};

    (void)state;
    for (size_t i = 0; i < COUNT(domains); i++) {
        const struct asked asked = {.client = "::ffff:192.0.2.10", .domain = domains[i]};
        struct spf_rig_log log;

        expect(domains[i], evaluate_logged(zone, COUNT(zone), &asked, &log).outcome,
               SPF_OUTCOME_PASS);
        assert_int_equal(spf_rig_looked_up(&log, "a.example", ns_t_aaaa), 0);
    }
}

static void odd_questions_are_answered_none_without_asking(void **state)
{
    static const char *const domains[] = {
        "",
        ".",
        "localhost",
        "localhost.",
        "[192.0.2.1]",
        "[IPv6:2001:db8::1]",
        "a b.example",
        "x@fail.example",
        "fail.example\n",
        "f\303\244il.example",
        "a...example",
        ".fail.example",
        "a123456789012345678901234567890123456789012345678901234567890123.example",
    };
    const struct spf_answers nothing = {.first = NULL};
    struct sockaddr_storage client = dns_rig_address(client_v4);
    struct sockaddr unknown = {.sa_family = AF_UNIX};
    struct spf_result answer = {.outcome = SPF_OUTCOME_FAIL, .by_helo = true};
    struct spf_lookup next;

    (void)state;
    for (size_t i = 0; i < COUNT(domains); i++) {
        const struct spf_question question = {.client = (struct sockaddr *)&client,
                                              .domain = domains[i]};

        assert_true(spf_evaluate(&question, &nothing, &answer, &next));
        expect(domains[i], answer.outcome, SPF_OUTCOME_NONE);
        assert_false(answer.by_helo);
    }
    assert_true(spf_evaluate(&(struct spf_question){.client = &unknown, .domain = "fail.example"},
                             &nothing, &answer, &next));
    expect("a socket's path", answer.outcome, SPF_OUTCOME_NONE);
    assert_true(
        spf_evaluate(&(struct spf_question){.domain = "fail.example"}, &nothing, &answer, &next));
    expect("nobody", answer.outcome, SPF_OUTCOME_NONE);
    assert_true(spf_evaluate(&(struct spf_question){.client = (struct sockaddr *)&client}, &nothing,
                             &answer, &next));
    expect("no domain", answer.outcome, SPF_OUTCOME_NONE);
}

static void domains_are_asked_about_in_lower_case_without_a_dot_at_the_end(void **state)
{
    const struct asked asked = {.domain = "FAIL.Example."};
    struct spf_rig_log log;

    (void)state;
    expect("an odd form", evaluate_logged(zone, COUNT(zone), &asked, &log).outcome,
           SPF_OUTCOME_FAIL);
    assert_string_equal(log.lookup[0].name, "fail.example");
}

static void the_answer_says_what_it_was_by(void **state)
{
    static const struct {
        struct asked asked;
        enum spf_outcome outcome;
        bool by_sender, by_helo;
    } cases[] = {
        {{NULL, "fail.example", NULL, NULL}, SPF_OUTCOME_FAIL, false, false},
        {{NULL, "local.example", NULL, NULL}, SPF_OUTCOME_PASS, true, false},
        {{NULL, "local.example", "USER", NULL}, SPF_OUTCOME_PASS, true, false},
        {{NULL, "local.example", "some+tag=x", NULL}, SPF_OUTCOME_PASS, true, false},
        {{NULL, "local.example", "nobody", NULL}, SPF_OUTCOME_FAIL, true, false},
        {{NULL, "helo.example", NULL, NULL}, SPF_OUTCOME_PASS, false, true},
        {{NULL, "helo.example", NULL, "other.example"}, SPF_OUTCOME_FAIL, false, true},
        {{NULL, "helolocal.example", NULL, NULL}, SPF_OUTCOME_FAIL, true, true},
        {{NULL, "exists.example", NULL, NULL}, SPF_OUTCOME_PASS, false, false},
        {{NULL, "exp.example", NULL, NULL}, SPF_OUTCOME_FAIL, false, false},
        {{NULL, "early.example", NULL, NULL}, SPF_OUTCOME_PASS, false, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct spf_result answer = evaluate(zone, COUNT(zone), &cases[i].asked);

        expect(cases[i].asked.domain, answer.outcome, cases[i].outcome);
        assert_int_equal(answer.by_sender, cases[i].by_sender);
        assert_int_equal(answer.by_helo, cases[i].by_helo);
    }
}

static void the_answer_says_whose_record_and_which_term(void **state)
{
    static const struct {
        const char *client, *domain, *whose, *term;
        bool has_fault;
    } cases[] = {
        {NULL, "pass.example", "pass.example", "ip4:192.0.2.10", false},
        {"192.0.2.11", "pass.example", "pass.example", "-all", false},
        {NULL, "include.example", "pass.example", "ip4:192.0.2.10", false},
        {"192.0.2.11", "include.example", "include.example", "-all", false},
        {NULL, "negative.example", "pass.example", "ip4:192.0.2.10", false},
        {NULL, "redirect.example", "_spf.example", "-ip4:192.0.2.10", false},
        {"192.0.2.11", "redirect.example", "_spf.example", "", false},
        {NULL, "a.example", "a.example", "a", false},
        {NULL, "nothing.example", "nothing.example", "", false},
        {NULL, "two.example", "two.example", "", true},
        {NULL, "bad.example", "bad.example", "foo", true},
        {NULL, "includebad.example", "bad.example", "foo", true},
        {NULL, "includenone.example", "nothing.example", "", true},
        {NULL, "redirectnone.example", "nothing.example", "", true},
        {NULL, "dead.example", "dead.example", "", true},
        {NULL, "includedead.example", "dead.example", "", true},
        {NULL, "dead.mech.example", "dead.mech.example", "a:dead.example", true},
        {NULL, "void3.example", "void3.example", "exists:n3.example", true},
        {NULL, "oddinclude.example", "oddinclude.example", "include:a..example", true},
        {NULL, "oddredirect.example", "oddredirect.example", "redirect=a..example", true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct asked asked = {.client = cases[i].client, .domain = cases[i].domain};
        const struct spf_result answer = evaluate(zone, COUNT(zone), &asked);

        if (strcmp(answer.domain, cases[i].whose) != 0 || strcmp(answer.term, cases[i].term) != 0)
            fail_msg("%s: \"%s\" of %s", cases[i].domain, answer.term, answer.domain);
        assert_int_equal(answer.fault != NULL, cases[i].has_fault);
    }
}

static void what_is_told_of_a_term_is_printable_and_short(void **state)
{
    static const char record[] = "v=spf1 a:\303\244\033[2J\"%s.example";
    char text[1000], term[900];
    struct spf_result answer;

    (void)state;
    memset(term, 'x', sizeof term - 1);
    term[sizeof term - 1] = '\0';
    (void)snprintf(text, sizeof text, "%s%s", record, term);
    const struct fake_dns_row rows[] = {TXT("d.example", text)};
    answer = evaluate(rows, COUNT(rows), &(struct asked){.domain = "d.example"});
    expect("an ugly one", answer.outcome, SPF_OUTCOME_PERMERROR);
    assert_int_equal(strlen(answer.term), SPF_TERM_TEXT_MAX);
    for (const char *at = answer.term; *at != '\0'; at++)
        assert_true(*at >= ' ' && *at <= '~');
}

/* RFC 7208 4.3 and 5: it does not exist. */
static void names_that_cannot_be_asked_for_do_not_match(void **state)
{
    static const char *const locals[] = {
        "a\\b",
        "\303\244",
        "..",
        "a..b",
        ".",
        "\001",
        "0123456789012345678901234567890123456789012345678901234567890123x",
    };
    static const char *const helos[] = {"", "a..b", "\303\244", "a\\b"};
    struct spf_rig_log log;

    (void)state;
    for (size_t i = 0; i < COUNT(locals); i++) {
        const struct asked asked = {.domain = "local.example", .local = locals[i]};

        expect(locals[i], evaluate_logged(zone, COUNT(zone), &asked, &log).outcome,
               SPF_OUTCOME_FAIL);
        assert_int_equal(log.count, 1);
    }
    for (size_t i = 0; i < COUNT(helos); i++) {
        const struct asked asked = {.domain = "helo.example", .helo = helos[i]};

        expect(helos[i], evaluate_logged(zone, COUNT(zone), &asked, &log).outcome,
               SPF_OUTCOME_FAIL);
        assert_int_equal(log.count, 1);
    }
}

/* What looks like a record's own text stays what a stranger said. */
static void odd_names_are_asked_for_as_they_are(void **state)
{
    static const char *const locals[] = {
        "a b", "a\"b", "a%{d}", "x -all", "x/24", "x:y", "@", "a@b", "%", "x redirect=", "'",
    };
    struct spf_rig_log log;

    (void)state;
    for (size_t i = 0; i < COUNT(locals); i++) {
        const struct asked asked = {.domain = "local.example", .local = locals[i]};
        char name[100];

        (void)snprintf(name, sizeof name, "%s._u.example", locals[i]);
        expect(locals[i], evaluate_logged(zone, COUNT(zone), &asked, &log).outcome,
               SPF_OUTCOME_FAIL);
        assert_int_equal(spf_rig_looked_up(&log, name, ns_t_a), 1);
    }
}

/* A name of 253 octets, as long as one can be. */
static const char *longest_name(char name[300])
{
    (void)snprintf(
        name, 300, "%s12345.example",
        "label12.label12.label12.label12.label12.label12.label12.label12.label12.label12."
        "label12.label12.label12.label12.label12.label12.label12.label12.label12.label12."
        "label12.label12.label12.label12.label12.label12.label12.label12.label12.label12.");
    return name;
}

static void a_domain_of_253_octets_is_asked_about(void **state)
{
    char domain[300];

    (void)state;
    assert_int_equal(strlen(longest_name(domain)), 253);
    const struct fake_dns_row rows[] = {TXT(domain, "v=spf1 a include:%{d}"),
                                        ONE(domain, ns_t_a, "192.0.2.10")};
    struct asked asked = {.domain = domain};
    expect("253 octets", evaluate(rows, COUNT(rows), &asked).outcome, SPF_OUTCOME_PASS);
    asked.client = "192.0.2.11";
    expect("includes itself", evaluate(rows, COUNT(rows), &asked).outcome, SPF_OUTCOME_PERMERROR);
}

/* --- Limits ------------------------------------------------------------------ */

/* The pattern with the number in the place of each "#". Returns the length. */
static size_t numbered(const char *pattern, unsigned number, char *text, size_t size)
{
    size_t len = 0;
    for (; *pattern != '\0'; pattern++) {
        assert_true(len + 12 < size);
        len += (size_t)(*pattern == '#' ? snprintf(text + len, size - len, "%u", number)
                                        : snprintf(text + len, size - len, "%c", *pattern));
    }
    return len;
}

/* "v=spf1" and so many of a term with its number in it, then -all. */
static const char *repeated(const char *pattern, unsigned count, char text[TEXT_MAX])
{
    size_t len = (size_t)snprintf(text, TEXT_MAX, "v=spf1");
    for (unsigned i = 0; i < count; i++)
        len += numbered(pattern, i, text + len, TEXT_MAX - len);
    (void)snprintf(text + len, TEXT_MAX - len, " -all");
    return text;
}

static unsigned looked_up_in_all(const struct spf_rig_log *log, const char *pattern, unsigned count)
{
    unsigned times = 0;

    for (unsigned i = 0; i < count; i++) {
        char name[100];

        (void)numbered(pattern, i, name, sizeof name);
        times += spf_rig_looked_up(log, name, ns_t_invalid);
    }
    return times;
}

static void of_fifty_includes_ten_are_asked_for(void **state)
{
    (void)state;
    char names[50][20], text[TEXT_MAX];
    struct fake_dns_row rows[51] = {TXT("d.example", repeated(" include:i#.example", 50, text))};
    const struct fake_dns_answer neutral = {.type = ns_t_txt, .data = "v=spf1 ?all"};
    for (unsigned i = 0; i < 50; i++) {
        (void)snprintf(names[i], sizeof names[i], "i%u.example", i);
        rows[i + 1] = (struct fake_dns_row){.name = names[i], .answers = &neutral, .count = 1};
    }
    struct spf_rig_log log;
    expect("50 includes",
           evaluate_logged(rows, COUNT(rows), &(struct asked){.domain = "d.example"}, &log).outcome,
           SPF_OUTCOME_PERMERROR);
    assert_int_equal(looked_up_in_all(&log, "i#.example", 50), 10);
}

static void ten_includes_are_fine(void **state)
{
    (void)state;
    char names[10][20], text[TEXT_MAX];
    struct fake_dns_row rows[11] = {TXT("d.example", repeated(" include:i#.example", 10, text))};
    const struct fake_dns_answer neutral = {.type = ns_t_txt, .data = "v=spf1 ?all"};
    for (unsigned i = 0; i < 10; i++) {
        (void)snprintf(names[i], sizeof names[i], "i%u.example", i);
        rows[i + 1] = (struct fake_dns_row){.name = names[i], .answers = &neutral, .count = 1};
    }
    struct spf_rig_log log;
    expect("10 includes",
           evaluate_logged(rows, COUNT(rows), &(struct asked){.domain = "d.example"}, &log).outcome,
           SPF_OUTCOME_FAIL);
}

/* Each of ten includes has four terms that ask, all of the same. */
static void the_limit_is_one_for_all_includes_together(void **state)
{
    (void)state;
    char names[10][20], text[TEXT_MAX], inner[TEXT_MAX];
    struct fake_dns_row rows[12] = {TXT("d.example", repeated(" include:i#.example", 10, text)),
                                    ONE("h.example", ns_t_a, "192.0.2.1")};
    const struct fake_dns_answer more = {.type = ns_t_txt,
                                         .data = repeated(" a:h.example ?a:h.example", 2, inner)};
    for (unsigned i = 0; i < 10; i++) {
        (void)snprintf(names[i], sizeof names[i], "i%u.example", i);
        rows[i + 2] =
            (struct fake_dns_row){.name = names[i], .type = ns_t_txt, .answers = &more, .count = 1};
    }
    struct spf_rig_log log;
    expect("ten times four",
           evaluate_logged(rows, COUNT(rows), &(struct asked){.domain = "d.example"}, &log).outcome,
           SPF_OUTCOME_PERMERROR);
    assert_int_equal(looked_up_in_all(&log, "i#.example", 10), 2);
    assert_int_equal(spf_rig_looked_up(&log, "h.example", ns_t_a), 1);
}

/* An include of an include of an include... */
static void includes_are_followed_ten_deep(void **state)
{
    (void)state;
    char names[12][20], texts[12][50];
    struct fake_dns_answer records[12];
    struct fake_dns_row rows[12];
    for (unsigned i = 0; i < 12; i++) {
        (void)snprintf(names[i], sizeof names[i], "i%u.example", i);
        if (i == 10)
            (void)snprintf(texts[i], sizeof texts[i], "v=spf1 ip4:192.0.2.10 -all");
        else
            (void)snprintf(texts[i], sizeof texts[i], "v=spf1 include:i%u.example -all", i + 1);
        records[i] = (struct fake_dns_answer){.type = ns_t_txt, .data = texts[i]};
        rows[i] = (struct fake_dns_row){.name = names[i], .answers = &records[i], .count = 1};
    }
    struct spf_result answer = evaluate(rows, 12, &(struct asked){.domain = "i0.example"});
    expect("ten deep", answer.outcome, SPF_OUTCOME_PASS);
    assert_string_equal(answer.domain, "i10.example");
    (void)snprintf(texts[10], sizeof texts[10], "v=spf1 include:i11.example -all");
    (void)snprintf(texts[11], sizeof texts[11], "v=spf1 ip4:192.0.2.10 -all");
    expect("eleven deep", evaluate(rows, 12, &(struct asked){.domain = "i0.example"}).outcome,
           SPF_OUTCOME_PERMERROR);
}

static struct fake_dns_row many_hosts(ns_type type, const char *name, char names[][40],
                                      struct fake_dns_answer *answers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(names[i], 40, "h%zu.ptr.example", i);
        answers[i] = (struct fake_dns_answer){.type = type, .data = names[i]};
    }
    return (struct fake_dns_row){.name = name, .type = type, .answers = answers, .count = count};
}

static void more_than_ten_mail_hosts_are_permerror(void **state)
{
    (void)state;
    char names[11][40];
    struct fake_dns_answer answers[11];
    const struct fake_dns_row rows[] = {TXT("d.example", "v=spf1 mx -all"),
                                        many_hosts(ns_t_mx, "d.example", names, answers, 11)};
    struct spf_rig_log log;
    expect("11 hosts",
           evaluate_logged(rows, COUNT(rows), &(struct asked){.domain = "d.example"}, &log).outcome,
           SPF_OUTCOME_PERMERROR);
    assert_int_equal(looked_up_in_all(&log, "h#.ptr.example", 11), 0);
}

/* The hosts of one "mx" are part of its term; more terms may follow. */
static void mail_hosts_do_not_count_as_terms(void **state)
{
    (void)state;
    char names[10][40];
    struct fake_dns_answer answers[10];
    const struct fake_dns_answer address = {.type = ns_t_a, .data = "192.0.2.1"};
    struct fake_dns_row rows[12] = {TXT("d.example", "v=spf1 mx a:h0.ptr.example mx -all"),
                                    many_hosts(ns_t_mx, "d.example", names, answers, 10)};
    for (size_t i = 0; i < 10; i++)
        rows[i + 2] = (struct fake_dns_row){
            .name = names[i], .type = ns_t_a, .answers = &address, .count = 1};
    struct spf_rig_log log;
    expect("10 hosts, twice",
           evaluate_logged(rows, COUNT(rows), &(struct asked){.domain = "d.example"}, &log).outcome,
           SPF_OUTCOME_FAIL);
    assert_int_equal(looked_up_in_all(&log, "h#.ptr.example", 10), 10);
}

/* And those among them that have no address say nothing about the record. */
static void of_many_pointers_ten_are_looked_at(void **state)
{
    (void)state;
    char names[40][40];
    struct fake_dns_answer answers[40];
    const struct fake_dns_row rows[] = {
        TXT("ptr.example", "v=spf1 ptr -all"),
        many_hosts(ns_t_ptr, "10.2.0.192.in-addr.arpa", names, answers, 40),
        ONE("h9.ptr.example", ns_t_a, "192.0.2.10")};
    struct spf_rig_log log;
    expect(
        "40 pointers",
        evaluate_logged(rows, COUNT(rows), &(struct asked){.domain = "ptr.example"}, &log).outcome,
        SPF_OUTCOME_PASS);
    assert_int_equal(looked_up_in_all(&log, "h#.ptr.example", 40), 10);
}

static void long_records_are_read_up_to_a_ceiling(void **state)
{
    (void)state;
    char text[TEXT_MAX];
    expect("200 networks", outcome_of_record(repeated(" ip4:198.51.100.#", 200, text)),
           SPF_OUTCOME_FAIL);
    expect("10 kB", outcome_of_record(repeated(" ip4:198.51.100.0/24", 500, text)),
           SPF_OUTCOME_PERMERROR);
    expect("many words", outcome_of_record(repeated(" x=", 600, text)), SPF_OUTCOME_PERMERROR);
    (void)snprintf(text, sizeof text, "v=spf1 a:%0*d.example -all", 3000, 0);
    expect("a long name", outcome_of_record(text), SPF_OUTCOME_FAIL);
    (void)snprintf(text, sizeof text, "v=spf1 -all%*s", SPF_RECORD_MAX - 11, "");
    expect("as long as may be", outcome_of_record(text), SPF_OUTCOME_FAIL);
    (void)snprintf(text, sizeof text, "v=spf1 -all%*s", SPF_RECORD_MAX - 10, "");
    expect("an octet longer", outcome_of_record(text), SPF_OUTCOME_PERMERROR);
    memset(text + 7, '!', 10000);
    text[10007] = '\0';
    expect("10 kB of marks", outcome_of_record(text), SPF_OUTCOME_PERMERROR);
}

/* What needs the most look-ups there can be. */
static void the_worst_record_ends(void **state)
{
    (void)state;
    char text[TEXT_MAX], names[10][40], hosts[10][10][40];
    struct fake_dns_answer host_answers[10][10], pointers[10];
    const struct fake_dns_answer address = {.type = ns_t_a, .data = "192.0.2.1"};
    struct fake_dns_row rows[1 + 10 + 100 + 1 + 10] = {
        TXT("d.example", repeated(" mx:m#.%{p}.example", 10, text)),
        many_hosts(ns_t_ptr, "10.2.0.192.in-addr.arpa", names, pointers, 10)};
    size_t count = 2;
    for (unsigned i = 0; i < 10; i++) {
        static char owners[10][40];
        (void)snprintf(owners[i], sizeof owners[i], "m%u.unknown.example", i);
        for (unsigned j = 0; j < 10; j++) {
            (void)snprintf(hosts[i][j], sizeof hosts[i][j], "h%u.m%u.example", j, i);
            host_answers[i][j] = (struct fake_dns_answer){.type = ns_t_mx, .data = hosts[i][j]};
            rows[count++] = (struct fake_dns_row){
                .name = hosts[i][j], .type = ns_t_a, .answers = &address, .count = 1};
        }
        rows[count++] = (struct fake_dns_row){
            .name = owners[i], .type = ns_t_mx, .answers = host_answers[i], .count = 10};
    }
    struct spf_rig_log log;
    expect("nine of ten",
           evaluate_logged(rows, count, &(struct asked){.domain = "d.example"}, &log).outcome,
           SPF_OUTCOME_PERMERROR);
    assert_int_equal(log.count, 1 + 1 + 10 + 9 * 11);
}

/* Of addresses there is no limit but what dns takes; behind that, nothing is sure. */
static void a_hundred_addresses_are_looked_at(void **state)
{
    (void)state;
    struct fake_dns_answer addresses[DNS_RECORDS_MAX + 1];
    for (size_t i = 0; i < COUNT(addresses); i++)
        addresses[i] = (struct fake_dns_answer){.type = ns_t_a, .data = "203.0.113.1"};
    struct fake_dns_row rows[] = {TXT("d.example", "v=spf1 a -all"),
                                  {.name = "d.example", .type = ns_t_a, ANSWERS(addresses)}};
    const struct asked asked = {.domain = "d.example"};
    expect("too many", evaluate(rows, COUNT(rows), &asked).outcome, SPF_OUTCOME_TEMPERROR);
    rows[1].count = DNS_RECORDS_MAX;
    expect("not too many", evaluate(rows, COUNT(rows), &asked).outcome, SPF_OUTCOME_FAIL);
    addresses[DNS_RECORDS_MAX - 1].data = "192.0.2.10";
    expect("the last", evaluate(rows, COUNT(rows), &asked).outcome, SPF_OUTCOME_PASS);
}

static void of_many_txt_records_one_must_be_the_only_one(void **state)
{
    (void)state;
    struct fake_dns_answer texts[DNS_RECORDS_MAX + 1];
    for (size_t i = 0; i < COUNT(texts); i++)
        texts[i] = (struct fake_dns_answer){.type = ns_t_txt, .data = "something else"};
    struct fake_dns_row rows[] = {{.name = "d.example", .type = ns_t_txt, ANSWERS(texts)}};
    const struct asked asked = {.domain = "d.example"};
    expect("too many", evaluate(rows, COUNT(rows), &asked).outcome, SPF_OUTCOME_TEMPERROR);
    rows[0].count = DNS_RECORDS_MAX;
    expect("none", evaluate(rows, COUNT(rows), &asked).outcome, SPF_OUTCOME_NONE);
    texts[DNS_RECORDS_MAX - 1].data = "v=spf1 -all";
    expect("one", evaluate(rows, COUNT(rows), &asked).outcome, SPF_OUTCOME_FAIL);
    texts[0].data = "v=spf1";
    expect("two", evaluate(rows, COUNT(rows), &asked).outcome, SPF_OUTCOME_PERMERROR);
    rows[0].count = DNS_RECORDS_MAX + 1;
    expect("two, and more", evaluate(rows, COUNT(rows), &asked).outcome, SPF_OUTCOME_PERMERROR);
}

static void more_answers_than_there_may_be_are_not_taken(void **state)
{
    (void)state;
    struct spf_answers answers = {.first = NULL};
    const struct dns_record_list nothing = {.count = 0};
    struct spf_lookup lookup = {.type = ns_t_a};
    for (unsigned i = 0; i < SPF_ANSWERS_MAX; i++) {
        (void)snprintf(lookup.name, sizeof lookup.name, "h%u.example", i);
        assert_true(spf_answers_add(&answers, &lookup, DNS_NO_DATA, &nothing));
    }
    assert_false(spf_answers_add(&answers, &lookup, DNS_NO_DATA, &nothing));
    spf_answers_free(&answers);
    assert_int_equal(answers.count, 0);
}

/* --- Look-ups ------------------------------------------------------------------ */

static void no_needless_look_up_is_made(void **state)
{
    static const struct {
        const char *domain;
        size_t lookups;
    } cases[] = {
        {"exp.example", 1},      {"dead.late.example", 1},   {"nothing.example", 1},
        {"early.example", 1},    {"redirectall.example", 1}, {"ptr.example", 3},
        {"ptrother.example", 2}, {"includenone.example", 2}, {"mx.example", 4},
    };
    struct spf_rig_log log;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        (void)evaluate_logged(zone, COUNT(zone), &(struct asked){.domain = cases[i].domain}, &log);
        if (log.count != cases[i].lookups)
            fail_msg("%s: %zu look-ups", cases[i].domain, log.count);
    }
}

static struct spf_result check_until(const struct dns *dns, const struct asked *asked,
                                     deadline until)
{
    struct sockaddr_storage client;
    const struct spf_question question = question_of(asked, &client);
    struct spf_vouching vouching;

    (void)spf_check(dns, until, &question, &vouching);
    return vouching.said;
}

static struct spf_result check(const struct dns *dns, const struct asked *asked)
{
    return check_until(dns, asked, deadline_in(clock_system(), PATIENT_MS));
}

static void what_dns_says_comes_to_the_same(void **state)
{
    static const char *const domains[] = {
        "a.example",       "cidr.example",      "mx.example",         "ptr.example",
        "exists.example",  "include.example",   "includebad.example", "redirect.example",
        "two.example",     "name.example",      "void3.example",      "oddmx.example",
        "pexists.example", "dead.mech.example",
    };
    struct dns_rig world = dns_rig_start(zone, COUNT(zone));

    (void)state;
    for (size_t i = 0; i < COUNT(domains); i++) {
        const struct asked asked = {.domain = domains[i]};

        expect(domains[i], check(world.dns, &asked).outcome,
               evaluate(zone, COUNT(zone), &asked).outcome);
    }
    dns_rig_stop(&world);
}

static void strings_are_joined_as_they_are(void **state)
{
    static const struct record_case cases[] = {
        {"v=spf1 -all\n", SPF_OUTCOME_FAIL}, /* an empty second string */
        {"v=sp\nf1 ip4:192.0.\n2.10 -all", SPF_OUTCOME_PASS},
        {"v=spf1\nmx", SPF_OUTCOME_NONE},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct fake_dns_row rows[] = {TXT("d.example", cases[i].record)};
        struct dns_rig world = dns_rig_start(rows, COUNT(rows));

        expect(cases[i].record, check(world.dns, &(struct asked){.domain = "d.example"}).outcome,
               cases[i].outcome);
        dns_rig_stop(&world);
    }
}

/* RFC 7208 3.2: a record may be had through a CNAME; a loop of them at ptr is no error. */
static void aliases_are_followed(void **state)
{
    static const struct fake_dns_answer alias[] = {{.type = ns_t_cname, .data = "real.example"}};
    static const struct fake_dns_answer loop[] = {{.type = ns_t_cname, .data = "loop.example"}};
    const struct fake_dns_row rows[] = {
        TXT("d.example", "v=spf1 include:alias.example include:real.example -all"),
        {.name = "alias.example", ANSWERS(alias)},
        TXT("real.example", "v=spf1 ip4:192.0.2.10 ?all"),
        TXT("loop.ptr.example", "v=spf1 ptr:loop.example"),
        ONE("10.2.0.192.in-addr.arpa", ns_t_ptr, "loop.example"),
        {.name = "loop.example", ANSWERS(loop)},
    };
    struct dns_rig world = dns_rig_start(rows, COUNT(rows));

    (void)state;
    expect("an alias", check(world.dns, &(struct asked){.domain = "d.example"}).outcome,
           SPF_OUTCOME_PASS);
    expect("a loop", check(world.dns, &(struct asked){.domain = "loop.ptr.example"}).outcome,
           SPF_OUTCOME_NEUTRAL);
    dns_rig_stop(&world);
}

static void nothing_is_asked_when_the_time_has_passed(void **state)
{
    struct dns_rig world = dns_rig_start(zone, COUNT(zone));
    struct asked asked = {.domain = "fail.example"};

    (void)state;
    expect("too late", check_until(world.dns, &asked, deadline_in(clock_system(), 0)).outcome,
           SPF_OUTCOME_TEMPERROR);
    assert_int_equal(fake_dns_asked_udp(world.fake, "fail.example", ns_t_invalid), 0);
    dns_rig_stop(&world);
}

static void silence_is_temperror(void **state)
{
    const struct fake_dns_row rows[] = {
        TXT("d.example", "v=spf1 a:silent.example -all"),
        {.name = "silent.example", .flags = FAKE_DNS_DROP},
    };
    static const char *const domains[] = {"d.example", "silent.example"};
    struct dns_rig world = dns_rig_start(rows, COUNT(rows));

    (void)state;
    for (size_t i = 0; i < COUNT(domains); i++)
        expect(domains[i],
               check_until(world.dns, &(struct asked){.domain = domains[i]},
                           deadline_in(clock_system(), HASTY_MS))
                   .outcome,
               SPF_OUTCOME_TEMPERROR);
    dns_rig_stop(&world);
}

/* It may be that a client has no name; that we had no time for it says nothing of that. */
static void a_name_of_the_client_that_comes_too_late_is_temperror(void **state)
{
    const struct fake_dns_row rows[] = {
        TXT("d.example", "v=spf1 ptr -all"),
        {.name = "10.2.0.192.in-addr.arpa", .flags = FAKE_DNS_DROP},
    };
    struct dns_rig world = dns_rig_start(rows, COUNT(rows));
    const struct asked asked = {.domain = "d.example"};
    const int left_ms[] = {HASTY_MS, 0}; /* the second time the record is known */

    (void)state;
    for (size_t i = 0; i < COUNT(left_ms); i++)
        expect("late",
               check_until(world.dns, &asked, deadline_in(clock_system(), left_ms[i])).outcome,
               SPF_OUTCOME_TEMPERROR);
    dns_rig_stop(&world);
}

static void broken_answers_are_temperror(void **state)
{
    static const unsigned flags[] = {FAKE_DNS_BAD_DATA, FAKE_DNS_CUT, FAKE_DNS_GARBAGE};

    (void)state;
    for (size_t i = 0; i < COUNT(flags); i++) {
        struct fake_dns_row rows[] = {TXT("d.example", "v=spf1 -all")};
        rows[0].flags = flags[i];
        struct dns_rig world = dns_rig_start(rows, COUNT(rows));
        struct asked asked = {.domain = "d.example"};
        expect("broken TXT",
               check_until(world.dns, &asked, deadline_in(clock_system(), HASTY_MS)).outcome,
               SPF_OUTCOME_TEMPERROR);
        dns_rig_stop(&world);
    }
}

/* As far as it goes without asking; then what is missing is told. */
static void what_was_asked_before_is_recalled(void **state)
{
    struct dns_rig world = dns_rig_start(zone, COUNT(zone));
    const struct asked first = {.domain = "include.example"};
    const struct asked others[] = {{.domain = "include.example", .client = "192.0.2.11"},
                                   {.domain = "pass.example"}};
    struct spf_answers answers = {.first = NULL};
    struct sockaddr_storage client;
    struct spf_question question = question_of(&first, &client);
    struct spf_vouching vouching;
    struct spf_lookup next;

    (void)state;
    assert_int_equal(spf_check_recall(world.dns, &question, &answers, &vouching, &next), SPF_ASKS);
    assert_string_equal(next.name, "include.example");
    assert_int_equal(next.type, ns_t_txt);
    expect("asked", check(world.dns, &first).outcome, SPF_OUTCOME_PASS);
    for (size_t i = 0; i < COUNT(others); i++) {
        spf_answers_free(&answers);
        question = question_of(&others[i], &client);
        assert_int_equal(spf_check_recall(world.dns, &question, &answers, &vouching, &next),
                         SPF_DONE);
        expect("recalled", vouching.said.outcome, i == 0 ? SPF_OUTCOME_FAIL : SPF_OUTCOME_PASS);
    }
    spf_answers_free(&answers);
    question = question_of(&(struct asked){.domain = "mx.example"}, &client);
    assert_int_equal(spf_check_recall(world.dns, &question, &answers, &vouching, &next), SPF_ASKS);
    spf_answers_free(&answers);
    assert_int_equal(fake_dns_asked_udp(world.fake, "include.example", ns_t_invalid), 1);
    assert_int_equal(fake_dns_asked_udp(world.fake, "pass.example", ns_t_invalid), 1);
    assert_int_equal(fake_dns_asked_udp(world.fake, "mx.example", ns_t_invalid), 0);
    dns_rig_stop(&world);
}

/* --- Many at once, and anything at all ----------------------------------------- */

static void *check_often(void *arg)
{
    const struct dns_rig *world = arg;
    for (int i = 0; i < ROUNDS; i++) {
        struct asked asked = {.domain = i % 2 ? "mx.example" : "include.example"};
        asked.client = i % 3 ? client_v4 : "192.0.2.99";
        enum spf_outcome wanted = i % 3 ? SPF_OUTCOME_PASS : SPF_OUTCOME_FAIL;
        if (check(world->dns, &asked).outcome != wanted)
            return arg;
    }
    return NULL;
}

static void many_threads_check_at_once(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    struct dns_rig world = dns_rig_start(zone, COUNT(zone));
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, check_often, &world), 0);
    for (size_t i = 0; i < COUNT(threads); i++) {
        void *failed;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    dns_rig_stop(&world);
}

static unsigned next_random(unsigned *seed)
{
    *seed = *seed * 1103515245U + 12345U;
    return *seed >> 8;
}

/* Terms and bits of terms, put together as they come. */
static void random_record(unsigned *seed, char *text, size_t size)
{
    static const char *const pieces[] = {" ",          " a",
                                         " mx",        " ptr",
                                         " include:",  " exists:",
                                         " ip4:",      " ip6:",
                                         " all",       " -all",
                                         " ?",         "~",
                                         "+",          ":",
                                         "/24",        "//64",
                                         "/",          "%{",
                                         "}",          "%{d}",
                                         "%{l",        "r",
                                         "%{s1r-+}",   "%{h}",
                                         "%{i}",       "%{ir}",
                                         "%{p}",       "%{v}",
                                         "%%",         "%_",
                                         "%-",         "%",
                                         ".example",   ".",
                                         "..",         "x",
                                         "=",          " exp=",
                                         "1",          "255",
                                         "192.0.2.0",  "::1",
                                         "\377",       "\001",
                                         "\t",         "%{L}",
                                         "%{D2}",      "-",
                                         "a.example",  "fail.example",
                                         " redirect=", "self.example",
                                         "!"};
    size_t len = (size_t)snprintf(text, size, "v=spf1 ");
    for (unsigned i = next_random(seed) % 40; i > 0 && len + 16 < size; i--) {
        const char *piece = pieces[next_random(seed) % COUNT(pieces)];
        len += (size_t)snprintf(text + len, size - len, "%s", piece);
    }
}

static unsigned seed_now(void)
{
    unsigned seed = (unsigned)clock_monotonic_ms(clock_system());
    print_message("seed %u\n", seed);
    return seed;
}

static void random_records_are_survived(void **state)
{
    unsigned seed = seed_now(), seen[SPF_OUTCOME_PERMERROR + 1] = {0};

    (void)state;
    for (int i = 0; i < RANDOM_CHECKS; i++) {
        char text[1024];

        random_record(&seed, text, sizeof text);
        struct fake_dns_row rows[COUNT(zone) + 1] = {TXT("d.example", text)};
        memcpy(rows + 1, zone, sizeof zone);
        const struct asked asked = {.domain = "d.example",
                                    .client = i % 2 ? client_v4 : client_v6,
                                    .local = "a+b -all%{d}/24",
                                    .helo = i % 3 ? "[::1]" : "mail.example.org"};
        const enum spf_outcome outcome = evaluate(rows, COUNT(rows), &asked).outcome;
        assert_true(outcome < COUNT(seen));
        seen[outcome]++;
    }
    assert_true(seen[SPF_OUTCOME_PERMERROR] > 0 && seen[SPF_OUTCOME_PERMERROR] < RANDOM_CHECKS);
}

static void outcomes_have_the_names_of_the_rfc(void **state)
{
    static const char *const names[] = {"none", "pass",      "neutral",   "softfail",
                                        "fail", "temperror", "permerror", "?"};

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++)
        assert_string_equal(spf_outcome_name((enum spf_outcome)i), names[i]);
    assert_string_equal(spf_outcome_name((enum spf_outcome) - 1), "?");
}

int main(void)
{
    /* One attempt of a second: what is silent here stays silent. */
    setenv("RES_OPTIONS", "attempts:1 timeout:1", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_without_look_ups_give_their_result),
        cmocka_unit_test(other_texts_are_no_record),
        cmocka_unit_test(faults_of_a_record_are_permerror),
        cmocka_unit_test(mechanisms_that_ask_match_or_do_not),
        cmocka_unit_test(includes_and_redirects_give_what_the_rfc_says),
        cmocka_unit_test(domains_without_one_record_have_none_or_an_error),
        cmocka_unit_test(void_look_ups_are_limited_to_two),
        cmocka_unit_test(v4_mapped_clients_are_taken_for_ipv4),
        cmocka_unit_test(odd_questions_are_answered_none_without_asking),
        cmocka_unit_test(domains_are_asked_about_in_lower_case_without_a_dot_at_the_end),
        cmocka_unit_test(the_answer_says_what_it_was_by),
        cmocka_unit_test(the_answer_says_whose_record_and_which_term),
        cmocka_unit_test(what_is_told_of_a_term_is_printable_and_short),
        cmocka_unit_test(names_that_cannot_be_asked_for_do_not_match),
        cmocka_unit_test(odd_names_are_asked_for_as_they_are),
        cmocka_unit_test(a_domain_of_253_octets_is_asked_about),
        cmocka_unit_test(of_fifty_includes_ten_are_asked_for),
        cmocka_unit_test(ten_includes_are_fine),
        cmocka_unit_test(the_limit_is_one_for_all_includes_together),
        cmocka_unit_test(includes_are_followed_ten_deep),
        cmocka_unit_test(more_than_ten_mail_hosts_are_permerror),
        cmocka_unit_test(mail_hosts_do_not_count_as_terms),
        cmocka_unit_test(of_many_pointers_ten_are_looked_at),
        cmocka_unit_test(long_records_are_read_up_to_a_ceiling),
        cmocka_unit_test(the_worst_record_ends),
        cmocka_unit_test(a_hundred_addresses_are_looked_at),
        cmocka_unit_test(of_many_txt_records_one_must_be_the_only_one),
        cmocka_unit_test(more_answers_than_there_may_be_are_not_taken),
        cmocka_unit_test(no_needless_look_up_is_made),
        cmocka_unit_test(what_dns_says_comes_to_the_same),
        cmocka_unit_test(strings_are_joined_as_they_are),
        cmocka_unit_test(aliases_are_followed),
        cmocka_unit_test(nothing_is_asked_when_the_time_has_passed),
        cmocka_unit_test(silence_is_temperror),
        cmocka_unit_test(a_name_of_the_client_that_comes_too_late_is_temperror),
        cmocka_unit_test(broken_answers_are_temperror),
        cmocka_unit_test(what_was_asked_before_is_recalled),
        cmocka_unit_test(many_threads_check_at_once),
        cmocka_unit_test(random_records_are_survived),
        cmocka_unit_test(outcomes_have_the_names_of_the_rfc),
    };
    return cmocka_run_group_tests_name("spf", tests, NULL, NULL);
}
