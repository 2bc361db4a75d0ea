/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_spf: check_host of RFC 7208 against a scripted DNS server on the loopback: results, limits,
 * how many questions were asked, and records as hostile as they come.
 */
#include "config.h"

#include "spf.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "dns.h"
#include "fake_clock.h"
#include "dns_rig.h"
#include "fake_dns.h"
#include "spf_record.h"

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
    RANDOM_RECORDS = 3000,
    RANDOM_CHECKS = 300,
    TEXT_MAX = 20000,
};

static const char client_v4[] = "192.0.2.10";
static const char client_v6[] = "2001:db8::10";

/* --- A server and a client of it ------------------------------------------- */

struct asked {
    const char *client, *domain, *local, *helo;
};

static struct spf_answer check_until(const struct dns *dns, const struct asked *asked,
                                     deadline until)
{
    struct spf_answer answer;
    struct sockaddr_storage client =
        dns_rig_address(asked->client != NULL ? asked->client : client_v4);
    const struct spf_question question = {
        .client = (struct sockaddr *)&client,
        .helo = asked->helo != NULL ? asked->helo : "mail.example.org",
        .local = asked->local != NULL ? asked->local : "user",
        .domain = asked->domain,
    };
    spf_check(dns, until, &question, &answer);
    return answer;
}

static struct spf_answer check(const struct dns *dns, const struct asked *asked)
{
    return check_until(dns, asked, deadline_in(clock_system(), PATIENT_MS));
}

/* The outcome for a domain's one record, asked by client_v4. */
static enum spf_outcome outcome_of_record(const char *record)
{
    const struct fake_dns_row rows[] = {TXT("d.example", record)};
    struct dns_rig world = dns_rig_start(rows, COUNT(rows));
    struct spf_answer answer = check(world.dns, &(struct asked){.domain = "d.example"});
    dns_rig_stop(&world);
    return answer.outcome;
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
        {"v=spf1 -all\n", SPF_OUTCOME_FAIL},                  /* an empty second string */
        {"v=sp\nf1 ip4:192.0.\n2.10 -all", SPF_OUTCOME_PASS}, /* strings are joined as they are */
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

static void faults_of_a_record_are_permerror(void **state)
{
    (void)state;
    static const char *const records[] = {
        "v=spf1 -all foo",
        "v=spf1 foo -all",
        "v=spf1 a: -all",
        "v=spf1 mx: -all",
        "v=spf1 a:/24 -all",
        "v=spf1 include -all",
        "v=spf1 include: -all",
        "v=spf1 exists -all",
        "v=spf1 ip4 -all",
        "v=spf1 ip4: -all",
        "v=spf1 ip4:1.2.3 -all",
        "v=spf1 ip4:1.2.3.4/33 -all",
        "v=spf1 ip4:1.2.3.4/032 -all",
        "v=spf1 ip4:1.2.3.4/ -all",
        "v=spf1 ip4:1.2.3.4//32 -all",
        "v=spf1 ip4:1.2.3.4/99999999999999999999 -all",
        "v=spf1 ip6:1.2.3.4 -all",
        "v=spf1 ip6:::1/129 -all",
        "v=spf1 all:example.org",
        "v=spf1 all/24",
        "v=spf1 -all=x",
        "v=spf1 --all",
        "v=spf1 - -all",
        "v=spf1 -redirect=example.org",
        "v=spf1 redirect:example.org",
        "v=spf1 redirect= -all",
        "v=spf1 redirect=a.example redirect=b.example",
        "v=spf1 exp=a.example exp=b.example -all",
        "v=spf1 exp= -all",
        "v=spf1 =x -all",
        "v=spf1 1a=x -all",
        "v=spf1 x=%{z} -all",
        "v=spf1 x=%{d -all",
        "v=spf1 x=% -all",
        "v=spf1 a:%{c}.example.org -all", /* for explanations alone */
        "v=spf1 a:%{t}.example.org -all",
        "v=spf1 a:%{r}.example.org -all",
        "v=spf1 a:%{d0}.example.org -all",
        "v=spf1 a:%{d129}.example.org -all",
        "v=spf1 a:%{d99999999999999999999}.example.org -all",
        "v=spf1 a:%{dx}.example.org -all",
        "v=spf1 a:%{}.example.org -all",
        "v=spf1 a:%a.example.org -all",
        "v=spf1 a:localhost -all",
        "v=spf1 a:192.0.2.10 -all",
        "v=spf1 a:example.-org -all",
        "v=spf1 a/0 -all",
        "v=spf1 a/33 -all",
        "v=spf1 a//129 -all",
        "v=spf1 a/24/24 -all",
        "v=spf1 a/x -all",
        "v=spf1 mx/24// -all",
        "v=spf1 ptr/24 -all",
        "v=spf1 include:example.org/24 -all",
        "v=spf1 a:exa\\mple.org\t-all",
        "v=spf1 a:ex\001ample.org -all",
        "v=spf1 a:ex\303\244mple.org -all",
        "v=spf1 \377 -all",
        "v=spf1\001 -all v=spf1 -all",
    };
    for (size_t i = 0; i + 1 < COUNT(records); i++)
        expect(records[i], outcome_of_record(records[i]), SPF_OUTCOME_PERMERROR);
    /* The last is not even a record. */
    expect("a control octet", outcome_of_record(records[COUNT(records) - 1]), SPF_OUTCOME_NONE);
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

static const struct fake_dns_answer alias[] = {{.type = ns_t_cname, .data = "a.example"}};

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
    TXT("cname.example", "v=spf1 a:alias.example -all"),
    {.name = "alias.example", ANSWERS(alias)},
    TXT("self.example", "v=spf1 include:self.example -all"),
    TXT("Ping.example", "v=spf1 include:pong.example -all"),
    TXT("pong.example", "v=spf1 include:PING.example -all"),
    TXT("loop.example", "v=spf1 redirect=pool.example"),
    TXT("pool.example", "v=spf1 redirect=loop.example"),
    TXT("void2.example", "v=spf1 a:n1.example a:n2.example -all"),
    TXT("void3.example", "v=spf1 a:n1.example a:n2.example exists:n3.example -all"),
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
    struct dns_rig world = dns_rig_start(zone, COUNT(zone));
    for (size_t i = 0; i < count; i++)
        expect(cases[i].asked.domain, check(world.dns, &cases[i].asked).outcome, cases[i].outcome);
    dns_rig_stop(&world);
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
        {{NULL, "cname.example", NULL, NULL}, SPF_OUTCOME_PASS},
        {{NULL, "name.example", NULL, NULL}, SPF_OUTCOME_PASS},
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
    };
    check_zone(cases, COUNT(cases));
}

/* --- Who is asked about ------------------------------------------------------ */

static void v4_mapped_clients_are_taken_for_ipv4(void **state)
{
    (void)state;
    assert_int_equal(outcome_of_record("v=spf1 ip4:192.0.2.10 -all"), SPF_OUTCOME_PASS);
    struct dns_rig world = dns_rig_start(zone, COUNT(zone));
    struct asked asked = {.client = "::ffff:192.0.2.10", .domain = "a.example"};
    expect("mapped, a", check(world.dns, &asked).outcome, SPF_OUTCOME_PASS);
    asked.domain = "pass.example";
    expect("mapped, ip4", check(world.dns, &asked).outcome, SPF_OUTCOME_PASS);
    asked.domain = "exists.example";
    expect("mapped, macros", check(world.dns, &asked).outcome, SPF_OUTCOME_PASS);
    assert_int_equal(fake_dns_asked_udp(world.fake, "a.example", ns_t_aaaa), 0);
    dns_rig_stop(&world);
}

static void odd_questions_are_answered_none_without_asking(void **state)
{
    (void)state;
    static const char *const domains[] = {"",
                                          "localhost",
                                          "[192.0.2.1]",
                                          "[IPv6:2001:db8::1]",
                                          "a b.example",
                                          "x@fail.example",
                                          "fail.example\n",
                                          "f\303\244il.example"};
    struct sockaddr_storage client = dns_rig_address(client_v4);
    struct sockaddr unknown = {.sa_family = AF_UNIX};
    struct spf_answer answer = {.outcome = SPF_OUTCOME_FAIL, .by_helo = true};
    struct dns_rig world = dns_rig_start(zone, COUNT(zone));
    deadline until = deadline_in(clock_system(), PATIENT_MS);
    for (size_t i = 0; i < COUNT(domains); i++) {
        const struct spf_question question = {.client = (struct sockaddr *)&client,
                                              .domain = domains[i]};
        spf_check(world.dns, until, &question, &answer);
        expect(domains[i], answer.outcome, SPF_OUTCOME_NONE);
        assert_false(answer.by_helo);
    }
    spf_check(world.dns, until,
              &(struct spf_question){.client = &unknown, .domain = "fail.example"}, &answer);
    expect("a socket's path", answer.outcome, SPF_OUTCOME_NONE);
    spf_check(world.dns, until, &(struct spf_question){.domain = "fail.example"}, &answer);
    expect("nobody", answer.outcome, SPF_OUTCOME_NONE);
    spf_check(world.dns, until, &(struct spf_question){.client = (struct sockaddr *)&client},
              &answer);
    expect("no domain", answer.outcome, SPF_OUTCOME_NONE);
    assert_int_equal(fake_dns_asked_udp(world.fake, "fail.example", ns_t_invalid), 0);
    dns_rig_stop(&world);
}

static void the_answer_says_what_it_was_by(void **state)
{
    (void)state;
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
        {{NULL, "exists.example", NULL, NULL}, SPF_OUTCOME_PASS, false, false},
        {{NULL, "exp.example", NULL, NULL}, SPF_OUTCOME_FAIL, false, false},
    };
    struct dns_rig world = dns_rig_start(zone, COUNT(zone));
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct spf_answer answer = check(world.dns, &cases[i].asked);
        expect(cases[i].asked.domain, answer.outcome, cases[i].outcome);
        assert_int_equal(answer.by_sender, cases[i].by_sender);
        assert_int_equal(answer.by_helo, cases[i].by_helo);
    }
    dns_rig_stop(&world);
}

static void names_that_cannot_be_asked_for_never_fail(void **state)
{
    (void)state;
    static const char *const locals[] = {
        "",
        "a b",
        "a\"b",
        "a\\b",
        "\303\244",
        "a%{d}",
        "x -all",
        "x/24",
        "x:y",
        "..",
        "a..b",
        ".",
        "\001",
        "@",
        "a@b",
        "%",
        "x redirect=",
        "'",
        "0123456789012345678901234567890123456789012345678901234567890123x",
    };
    struct dns_rig world = dns_rig_start(zone, COUNT(zone));
    for (size_t i = 0; i < COUNT(locals); i++) {
        struct asked asked = {.domain = "local.example", .local = locals[i]};
        expect(locals[i], check(world.dns, &asked).outcome, SPF_OUTCOME_TEMPERROR);
    }
    struct asked asked = {.domain = "helo.example", .helo = "[192.0.2.10]"};
    expect("an address literal", check(world.dns, &asked).outcome, SPF_OUTCOME_TEMPERROR);
    asked.helo = "";
    expect("no HELO name", check(world.dns, &asked).outcome, SPF_OUTCOME_TEMPERROR);
    dns_rig_stop(&world);
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
    (void)state;
    char domain[300];
    (void)longest_name(domain);
    assert_int_equal(strlen(domain), 253);
    const struct fake_dns_row rows[] = {TXT(domain, "v=spf1 a include:%{d}"),
                                        ONE(domain, ns_t_a, "192.0.2.10")};
    struct dns_rig world = dns_rig_start(rows, COUNT(rows));
    struct asked asked = {.domain = domain};
    expect("253 octets", check(world.dns, &asked).outcome, SPF_OUTCOME_PASS);
    asked.client = "192.0.2.11";
    expect("includes itself", check(world.dns, &asked).outcome, SPF_OUTCOME_PERMERROR);
    dns_rig_stop(&world);
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

static unsigned asked_in_all(struct fake_dns *fake, const char *pattern, unsigned count)
{
    unsigned times = 0;
    for (unsigned i = 0; i < count; i++) {
        char name[100];
        (void)numbered(pattern, i, name, sizeof name);
        times += fake_dns_asked_udp(fake, name, ns_t_invalid);
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
    struct dns_rig world = dns_rig_start(rows, COUNT(rows));
    expect("50 includes", check(world.dns, &(struct asked){.domain = "d.example"}).outcome,
           SPF_OUTCOME_PERMERROR);
    assert_int_equal(asked_in_all(world.fake, "i#.example", 50), 10);
    dns_rig_stop(&world);
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
    struct dns_rig world = dns_rig_start(rows, COUNT(rows));
    expect("10 includes", check(world.dns, &(struct asked){.domain = "d.example"}).outcome,
           SPF_OUTCOME_FAIL);
    dns_rig_stop(&world);
}

/* Each of ten includes ten more: libspf2 alone would ask for all of them. */
static void the_limit_is_one_for_all_includes_together(void **state)
{
    (void)state;
    char names[10][20], text[TEXT_MAX], inner[TEXT_MAX];
    struct fake_dns_row rows[12] = {TXT("d.example", repeated(" include:i#.example", 10, text)),
                                    ONE("h.example", ns_t_a, "192.0.2.1")};
    const struct fake_dns_answer more = {
        .type = ns_t_txt, .data = repeated(" a:h.example ?exists:h.example", 2, inner)};
    for (unsigned i = 0; i < 10; i++) {
        (void)snprintf(names[i], sizeof names[i], "i%u.example", i);
        rows[i + 2] =
            (struct fake_dns_row){.name = names[i], .type = ns_t_txt, .answers = &more, .count = 1};
    }
    struct dns_rig world = dns_rig_start(rows, COUNT(rows));
    expect("ten times two", check(world.dns, &(struct asked){.domain = "d.example"}).outcome,
           SPF_OUTCOME_PERMERROR);
    assert_int_equal(asked_in_all(world.fake, "i#.example", 10) +
                         fake_dns_asked_udp(world.fake, "h.example", ns_t_a),
                     10);
    dns_rig_stop(&world);
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
    struct dns_rig world = dns_rig_start(rows, COUNT(rows));
    expect("11 hosts", check(world.dns, &(struct asked){.domain = "d.example"}).outcome,
           SPF_OUTCOME_PERMERROR);
    assert_int_equal(asked_in_all(world.fake, "h#.ptr.example", 11), 0);
    dns_rig_stop(&world);
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
    struct dns_rig world = dns_rig_start(rows, COUNT(rows));
    expect("10 hosts, twice", check(world.dns, &(struct asked){.domain = "d.example"}).outcome,
           SPF_OUTCOME_FAIL);
    assert_int_equal(asked_in_all(world.fake, "h#.ptr.example", 10), 21);
    dns_rig_stop(&world);
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
    struct dns_rig world = dns_rig_start(rows, COUNT(rows));
    expect("40 pointers", check(world.dns, &(struct asked){.domain = "ptr.example"}).outcome,
           SPF_OUTCOME_PASS);
    assert_int_equal(asked_in_all(world.fake, "h#.ptr.example", 40), 10);
    dns_rig_stop(&world);
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
    expect("a long name", outcome_of_record(text), SPF_OUTCOME_TEMPERROR);
    memset(text + 7, '!', 10000);
    text[10007] = '\0';
    expect("10 kB of marks", outcome_of_record(text), SPF_OUTCOME_PERMERROR);
}

/* What does not fit into libspf2's compiled form would be left out by it, "-all" included. */
static void records_that_libspf2_cannot_hold_are_permerror(void **state)
{
    (void)state;
    char text[TEXT_MAX];
    const char *record = repeated(
        " ?exists:a-very-long-name-that-fills-what-there-is-of-room-0123456789-#.l.example", 9,
        text);
    enum spf_outcome outcome = outcome_of_record(record);
    expect("9 long names", outcome, SPF_OUTCOME_PERMERROR);
}

/* --- Questions asked ---------------------------------------------------------- */

static void no_needless_question_is_asked(void **state)
{
    (void)state;
    struct dns_rig world = dns_rig_start(zone, COUNT(zone));
    (void)check(world.dns, &(struct asked){.domain = "exp.example"});
    assert_int_equal(fake_dns_asked_udp(world.fake, "exp.example", ns_t_txt), 1);
    assert_int_equal(fake_dns_asked_udp(world.fake, "exp.example", ns_t_invalid), 1);
    assert_int_equal(fake_dns_asked_udp(world.fake, "10.2.0.192.in-addr.arpa", ns_t_invalid), 0);
    (void)check(world.dns, &(struct asked){.domain = "dead.late.example"});
    assert_int_equal(fake_dns_asked_udp(world.fake, "dead.example", ns_t_invalid), 0);
    (void)check(world.dns, &(struct asked){.domain = "nothing.example"});
    assert_int_equal(fake_dns_asked_udp(world.fake, "nothing.example", ns_t_invalid), 1);
    dns_rig_stop(&world);
}

static void nothing_is_asked_when_the_time_has_passed(void **state)
{
    (void)state;
    struct dns_rig world = dns_rig_start(zone, COUNT(zone));
    struct asked asked = {.domain = "fail.example"};
    expect("too late", check_until(world.dns, &asked, deadline_in(clock_system(), 0)).outcome,
           SPF_OUTCOME_TEMPERROR);
    assert_int_equal(fake_dns_asked_udp(world.fake, "fail.example", ns_t_invalid), 0);
    dns_rig_stop(&world);
}

static void silence_is_temperror(void **state)
{
    (void)state;
    const struct fake_dns_row rows[] = {
        TXT("d.example", "v=spf1 a:silent.example -all"),
        {.name = "silent.example", .flags = FAKE_DNS_DROP},
    };
    struct dns_rig world = dns_rig_start(rows, COUNT(rows));
    struct asked asked = {.domain = "d.example"};
    expect("a mechanism",
           check_until(world.dns, &asked, deadline_in(clock_system(), HASTY_MS)).outcome,
           SPF_OUTCOME_TEMPERROR);
    asked.domain = "silent.example";
    expect("the record",
           check_until(world.dns, &asked, deadline_in(clock_system(), HASTY_MS)).outcome,
           SPF_OUTCOME_TEMPERROR);
    dns_rig_stop(&world);
}

static void broken_answers_are_temperror(void **state)
{
    (void)state;
    static const unsigned flags[] = {FAKE_DNS_BAD_DATA, FAKE_DNS_CUT, FAKE_DNS_GARBAGE};
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

static void nothing_is_written_to_stdout_or_stderr(void **state)
{
    (void)state;
    char path[] = "/tmp/test_spf.XXXXXX";
    struct stat written;
    int kept[] = {dup(STDOUT_FILENO), dup(STDERR_FILENO)};
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    fflush(stdout);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    enum spf_outcome bad = outcome_of_record("v=spf1 a: foo %{x} -all");
    enum spf_outcome good = outcome_of_record("v=spf1 a:1.2.3.4.example a:no-tld.1-example -all");
    fflush(stdout);
    dup2(kept[0], STDOUT_FILENO);
    dup2(kept[1], STDERR_FILENO);
    assert_int_equal(fstat(fd, &written), 0);
    close(fd);
    close(kept[0]);
    close(kept[1]);
    unlink(path);
    assert_int_equal(bad, SPF_OUTCOME_PERMERROR);
    assert_int_equal(good, SPF_OUTCOME_FAIL);
    assert_int_equal(written.st_size, 0);
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

/* Whatever a stranger writes, what comes out is of the simple form that libspf2 may see. */
static void random_records_come_out_plain(void **state)
{
    (void)state;
    unsigned seed = seed_now(), good = 0;
    struct sockaddr_storage clients[] = {dns_rig_address(client_v4), dns_rig_address(client_v6)};
    struct spf_macros macros = {.local = "a -all%{d}/24",
                                .sender_domain = "example.org",
                                .domain = "d.example",
                                .helo = "[::1]"};
    for (int i = 0; i < RANDOM_RECORDS; i++) {
        struct spf_plain plain;
        char text[1024];
        random_record(&seed, text, sizeof text);
        macros.client = (struct sockaddr *)&clients[i % 2];
        if (!spf_record_read(text, strlen(text), &macros, &plain))
            continue;
        good++;
        assert_int_equal(
            strspn(plain.text, "abcdefghijklmnopqrstuvwxyz0123456789 =:/.-+?~_!*#&^|@"),
            strlen(plain.text));
        assert_int_equal(strncmp(plain.text, "v=spf1", 6), 0);
        assert_true(plain.directives <= SPF_LOOKUPS_MAX + 3);
    }
    assert_true(good > 0);
}

static void random_records_are_survived(void **state)
{
    (void)state;
    unsigned seed = seed_now();
    for (int i = 0; i < RANDOM_CHECKS; i++) {
        char text[1024];
        random_record(&seed, text, sizeof text);
        struct fake_dns_row rows[COUNT(zone) + 1] = {TXT("d.example", text)};
        memcpy(rows + 1, zone, sizeof zone);
        struct dns_rig world = dns_rig_start(rows, COUNT(rows));
        struct asked asked = {
            .domain = "d.example", .client = i % 2 ? client_v4 : client_v6, .local = "a+b"};
        enum spf_outcome outcome = check(world.dns, &asked).outcome;
        assert_string_not_equal(spf_outcome_name(outcome), "?");
        dns_rig_stop(&world);
    }
}

static void outcomes_have_the_names_of_the_rfc(void **state)
{
    (void)state;
    static const char *const names[] = {"none", "pass",      "neutral",   "softfail",
                                        "fail", "temperror", "permerror", "?"};
    for (size_t i = 0; i < COUNT(names); i++)
        assert_string_equal(spf_outcome_name((enum spf_outcome)i), names[i]);
    assert_string_equal(spf_outcome_name((enum spf_outcome) - 1), "?");
}

/* --- Plain records --------------------------------------------------------------- */

struct plain_case {
    const char *record, *plain;
};

static void records_are_boiled_down(void **state)
{
    (void)state;
    static const struct plain_case cases[] = {
        {"v=spf1 ip4:192.0.2.0/24 a -all", "v=spf1 +all"},
        {"v=spf1 ip4:10.0.0.0/8 A:X.Example/24//64 -all", "v=spf1 +a:x.example/24//64 -all"},
        {"v=spf1 mx//64 ?ptr", "v=spf1 +mx//64 ?ptr"},
        {"v=spf1 redirect=R.example exp=e.example a", "v=spf1 +a redirect=r.example"},
        {"v=spf1 redirect=r.example ~all", "v=spf1 ~all"},
        {"v=spf1 exists:%{l}.x.example", "v=spf1 +exists:strong-bad.x.example"},
        {"v=spf1 exists:%{l-}.x.example", "v=spf1 +exists:strong.bad.x.example"},
        {"v=spf1 exists:%{lr-}.x.example", "v=spf1 +exists:bad.strong.x.example"},
        {"v=spf1 exists:%{l1r-}.x.example", "v=spf1 +exists:strong.x.example"},
        {"v=spf1 exists:%{s}.x.example", "v=spf1 +exists:a..a"},
        {"v=spf1 exists:%{o}", "v=spf1 +exists:email.example.com"},
        {"v=spf1 exists:%{o2}", "v=spf1 +exists:example.com"},
        {"v=spf1 exists:%{or}.x", "v=spf1 +exists:com.example.email.x"},
        {"v=spf1 exists:%{o1r}.x", "v=spf1 +exists:email.x"},
        {"v=spf1 exists:%{d9}", "v=spf1 +exists:d.example"},
        {"v=spf1 exists:%{i}.%{ir}.%{v}.x", "v=spf1 +exists:192.0.2.10.10.2.0.192.in-addr.x"},
        {"v=spf1 exists:%{h}", "v=spf1 +exists:a..a"},
        {"v=spf1 exists:%{H}.x", "v=spf1 +exists:a..a"},
        {"v=spf1 exists:a%%b.x", "v=spf1 +exists:a..a"},
        {"v=spf1 exists:a%_b.x", "v=spf1 +exists:a..a"},
        {"v=spf1 exists:a/b.x", "v=spf1 +exists:a..a"},
        {"v=spf1 a:x.example.", "v=spf1 +a:x.example"},
    };
    struct sockaddr_storage client = dns_rig_address(client_v4);
    const struct spf_macros macros = {.client = (struct sockaddr *)&client,
                                      .local = "strong-bad",
                                      .sender_domain = "email.example.com",
                                      .domain = "d.example",
                                      .helo = "not a name"};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct spf_plain plain;
        const char *record = cases[i].record;
        if (!spf_record_read(record, strlen(record), &macros, &plain))
            fail_msg("%s: not read", record);
        assert_string_equal(plain.text, cases[i].plain);
    }
}

static void nibbles_of_ipv6_clients_are_written_with_dots(void **state)
{
    (void)state;
    struct sockaddr_storage client = dns_rig_address("2001:db8::cb01");
    const struct spf_macros macros = {.client = (struct sockaddr *)&client,
                                      .local = "",
                                      .sender_domain = "d.example",
                                      .domain = "d.example",
                                      .helo = ""};
    static const char record[] = "v=spf1 exists:%{ir}.%{v}.x";
    struct spf_plain plain;
    assert_true(spf_record_read(record, strlen(record), &macros, &plain));
    assert_string_equal(
        plain.text, "v=spf1 +exists:1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0."
                    "0.2.ip6.x");
}

static void long_names_lose_labels_on_the_left(void **state)
{
    (void)state;
    char domain[300], wanted[300];
    (void)snprintf(wanted, sizeof wanted, "%s.x", longest_name(domain) + strlen("label12."));
    struct sockaddr_storage client = dns_rig_address(client_v4);
    const struct spf_macros macros = {.client = (struct sockaddr *)&client,
                                      .local = "",
                                      .sender_domain = domain,
                                      .domain = domain,
                                      .helo = ""};
    static const char record[] = "v=spf1 exists:%{d}.x";
    struct spf_plain plain;
    assert_true(spf_record_read(record, strlen(record), &macros, &plain));
    assert_string_equal(plain.text + strlen("v=spf1 +exists:"), wanted);
}

static void the_client_name_is_asked_for_only_where_it_matters(void **state)
{
    (void)state;
    static const struct {
        const char *record;
        bool needs;
    } cases[] = {{"v=spf1 a:%{p} -all", true},
                 {"v=spf1 a:%{P1r-}.example -all", true},
                 {"v=spf1 exp=%{p}.example -all", false},
                 {"v=spf1 ip4:192.0.2.10 a:%{p} -all", false},
                 {"v=spf1 redirect=%{p}.example -all", false}};
    struct sockaddr_storage client = dns_rig_address(client_v4);
    struct spf_macros macros = {.client = (struct sockaddr *)&client,
                                .local = "",
                                .sender_domain = "d.example",
                                .domain = "d.example",
                                .helo = ""};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct spf_plain plain;
        macros.client_name = NULL;
        assert_true(spf_record_read(cases[i].record, strlen(cases[i].record), &macros, &plain));
        assert_int_equal(plain.needs_client_name, cases[i].needs);
        macros.client_name = "unknown";
        assert_true(spf_record_read(cases[i].record, strlen(cases[i].record), &macros, &plain));
        assert_false(plain.needs_client_name);
    }
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
        cmocka_unit_test(the_answer_says_what_it_was_by),
        cmocka_unit_test(names_that_cannot_be_asked_for_never_fail),
        cmocka_unit_test(a_domain_of_253_octets_is_asked_about),
        cmocka_unit_test(of_fifty_includes_ten_are_asked_for),
        cmocka_unit_test(ten_includes_are_fine),
        cmocka_unit_test(the_limit_is_one_for_all_includes_together),
        cmocka_unit_test(more_than_ten_mail_hosts_are_permerror),
        cmocka_unit_test(mail_hosts_do_not_count_as_terms),
        cmocka_unit_test(of_many_pointers_ten_are_looked_at),
        cmocka_unit_test(long_records_are_read_up_to_a_ceiling),
        cmocka_unit_test(records_that_libspf2_cannot_hold_are_permerror),
        cmocka_unit_test(no_needless_question_is_asked),
        cmocka_unit_test(nothing_is_asked_when_the_time_has_passed),
        cmocka_unit_test(silence_is_temperror),
        cmocka_unit_test(broken_answers_are_temperror),
        cmocka_unit_test(many_threads_check_at_once),
        cmocka_unit_test(nothing_is_written_to_stdout_or_stderr),
        cmocka_unit_test(random_records_come_out_plain),
        cmocka_unit_test(random_records_are_survived),
        cmocka_unit_test(outcomes_have_the_names_of_the_rfc),
        cmocka_unit_test(records_are_boiled_down),
        cmocka_unit_test(nibbles_of_ipv6_clients_are_written_with_dots),
        cmocka_unit_test(long_names_lose_labels_on_the_left),
        cmocka_unit_test(the_client_name_is_asked_for_only_where_it_matters),
    };
    return cmocka_run_group_tests_name("spf", tests, NULL, NULL);
}
