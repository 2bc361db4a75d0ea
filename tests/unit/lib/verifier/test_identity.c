/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_identity: what identity warns of, and what it keeps quiet about, against a scripted DNS
 * server. The public addresses are of networks that nobody on the test's machine can reach or be:
 * they are only compared.
 */
#include "config.h"

#include "verifier/identity.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "check.h"
#include "dns/dns.h"
#include "fake_clock.h"
#include "dns_rig.h"
#include "fake_dns.h"

#define ANSWERS(table) .answers = (table), .count = COUNT(table)
#define ONE(domain, rrtype, text)                                                                  \
    {                                                                                              \
        .name = (domain), .type = (rrtype),                                                        \
        .answers = &(const struct fake_dns_answer){.type = (rrtype), .data = (text)}, .count = 1   \
    }

enum { PATIENT_MS = 20000, LIST_MAX = 12 };

#define PUBLIC_V4 "193.0.0.10"
#define PUBLIC_V6 "2001:67c:2e8::10"
#define REVERSE_V4 "10.0.0.193.in-addr.arpa"
#define REVERSE_V6 "0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.e.2.0.c.7.6.0.1.0.0.2.ip6.arpa"

/* --- The question ------------------------------------------------------------- */

struct asked {
    const char *helo;
    const char *own[LIST_MAX], *bind[LIST_MAX]; /* up to a NULL */
    enum rb_ip_version version;
};

static void check_until(const struct dns *dns, const struct asked *asked, deadline until,
                        struct identity *identity)
{
    struct options options = {.o.helo_name = asked->helo, .o.ip_version = asked->version};
    struct rb_network own[LIST_MAX];
    size_t own_count = 0;
    for (; asked->own[own_count] != NULL; own_count++)
        assert_int_equal(rb_network_parse(asked->own[own_count], &own[own_count]), RB_OK);
    for (; asked->bind[options.bind_count] != NULL; options.bind_count++)
        options.bind[options.bind_count] = dns_rig_address(asked->bind[options.bind_count]);
    identity_check(dns, &options, own, own_count, until, identity);
}

/* Each of the warnings, in their order, holds the words; NULL ends them. */
static void expect_until(const struct fake_dns_row *rows, size_t count, const struct asked *asked,
                         int64_t ms, const char *const *words)
{
    struct identity identity;
    size_t wanted = 0;
    struct dns_rig world = dns_rig_start(rows, count);
    check_until(world.dns, asked, deadline_in(clock_system(), ms), &identity);
    dns_rig_stop(&world);
    for (; words[wanted] != NULL; wanted++) {
        if (wanted >= identity.count || strstr(identity.warning[wanted], words[wanted]) == NULL)
            fail_msg("%s: no \"%s\" in \"%s\"", asked->helo, words[wanted],
                     wanted < identity.count ? identity.warning[wanted] : "(nothing)");
    }
    if (identity.count != wanted)
        fail_msg("%s: one more: %s", asked->helo, identity.warning[wanted]);
}

static void expect(const struct fake_dns_row *rows, size_t count, const struct asked *asked,
                   const char *const *words)
{
    expect_until(rows, count, asked, PATIENT_MS, words);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define QUIET ((const char *const[]){NULL})

static const struct fake_dns_answer alias[] = {{.type = ns_t_cname, .data = "mail.example.org"}};
static const struct fake_dns_answer delegated[] = {
    {.type = ns_t_cname, .data = "10.0/25.0.0.193.in-addr.arpa"},
    {.owner = "10.0/25.0.0.193.in-addr.arpa", .type = ns_t_ptr, .data = "mail.example.org"}};
static const struct fake_dns_answer two_names[] = {{.type = ns_t_ptr, .data = "old.example.org"},
                                                   {.type = ns_t_ptr, .data = "mail.example.org"}};

static const struct fake_dns_row good[] = {
    ONE("mail.example.org", ns_t_a, PUBLIC_V4),
    ONE("mail.example.org", ns_t_aaaa, PUBLIC_V6),
    ONE("v4.example.org", ns_t_a, PUBLIC_V4),
    {.name = "alias.example.org", ANSWERS(alias)},
    ONE("elsewhere.example.org", ns_t_a, "193.0.0.99"),
    ONE(REVERSE_V4, ns_t_ptr, "mail.example.org"),
    ONE(REVERSE_V6, ns_t_ptr, "Mail.Example.org"),
};

/* --- The EHLO name ------------------------------------------------------------- */

static void a_host_in_order_is_not_warned_of(void **state)
{
    (void)state;
    static const struct asked cases[] = {
        {.helo = "mail.example.org", .own = {PUBLIC_V4, PUBLIC_V6}},
        {.helo = "mail.example.org", .own = {PUBLIC_V4}},
        {.helo = "mail.example.org", .own = {PUBLIC_V6}},
        {.helo = "v4.example.org", .own = {PUBLIC_V4, PUBLIC_V6}},
        {.helo = "alias.example.org", .own = {PUBLIC_V4}},
        {.helo = "mail.example.org", .own = {"10.0.0.1", "fe80::1", PUBLIC_V4}},
        {.helo = "mail.example.org", .own = {"193.0.0.77"}, .bind = {PUBLIC_V4}},
        {.helo = "mail.example.org", .own = {PUBLIC_V4, "2001:67c:2e8::99"}, .version = RB_IP_V4},
        {.helo = "mail.example.org", .own = {"193.0.0.77", PUBLIC_V6}, .version = RB_IP_V6},
        {.helo = "[" PUBLIC_V4 "]", .own = {PUBLIC_V4}},
        {.helo = "[IPv6:" PUBLIC_V6 "]", .own = {PUBLIC_V4, PUBLIC_V6}},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        expect(good, COUNT(good), &cases[i], QUIET);
}

static void a_name_that_resolves_elsewhere_is_warned_of(void **state)
{
    (void)state;
    const struct asked asked = {.helo = "elsewhere.example.org", .own = {PUBLIC_V4}};
    expect(good, COUNT(good), &asked,
           WORDS("elsewhere.example.org resolves to 193.0.0.99, but calls come from " PUBLIC_V4));
}

static void a_name_of_the_version_that_is_not_called_is_warned_of(void **state)
{
    (void)state;
    const struct asked asked = {
        .helo = "v4.example.org", .own = {PUBLIC_V4, PUBLIC_V6}, .version = RB_IP_V6};
    expect(good, COUNT(good), &asked,
           WORDS("v4.example.org resolves to " PUBLIC_V4 ", but calls come from " PUBLIC_V6));
}

static void a_name_that_does_not_resolve_is_warned_of(void **state)
{
    (void)state;
    const struct asked asked = {.helo = "nothing.example.org", .own = {PUBLIC_V4}};
    expect(good, COUNT(good), &asked,
           WORDS("nothing.example.org has neither an A nor an AAAA record"));
}

static void a_name_that_cannot_be_looked_up_is_not_accused(void **state)
{
    (void)state;
    static const struct fake_dns_row rows[] = {
        {.name = "mail.example.org", .rcode = ns_r_servfail},
    };
    const struct asked asked = {.helo = "mail.example.org", .own = {PUBLIC_V4}};
    expect(rows, COUNT(rows), &asked,
           WORDS("mail.example.org could not be looked up", PUBLIC_V4 ", which calls come from"));
}

static void one_family_that_resolves_to_us_will_do(void **state)
{
    (void)state;
    const struct fake_dns_row rows[] = {
        ONE("mail.example.org", ns_t_a, PUBLIC_V4),
        {.name = "mail.example.org", .type = ns_t_aaaa, .rcode = ns_r_servfail},
        ONE(REVERSE_V4, ns_t_ptr, "mail.example.org"),
    };
    const struct asked asked = {.helo = "mail.example.org", .own = {PUBLIC_V4}};
    expect(rows, COUNT(rows), &asked, QUIET);
}

static void a_literal_that_is_not_ours_is_warned_of(void **state)
{
    (void)state;
    static const struct asked cases[] = {
        {.helo = "[193.0.0.99]", .own = {PUBLIC_V4}},
        {.helo = "[IPv6:2001:67c:2e8::99]", .own = {PUBLIC_V4}},
        {.helo = "[10.0.0.1]", .own = {"10.0.0.1", PUBLIC_V4}},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        expect(good, COUNT(good), &cases[i],
               WORDS("is not an address that calls come from: that is " PUBLIC_V4));
}

/* --- Behind address translation -------------------------------------------------- */

static void behind_nat_a_name_that_resolves_is_not_compared(void **state)
{
    (void)state;
    static const struct asked cases[] = {
        {.helo = "elsewhere.example.org", .own = {"10.0.0.1", "192.168.1.1", "fd00::1"}},
        {.helo = "elsewhere.example.org", .own = {NULL}},
        {.helo = "elsewhere.example.org", .own = {PUBLIC_V4}, .bind = {"10.0.0.1"}},
        {.helo = "elsewhere.example.org", .own = {PUBLIC_V4}, .version = RB_IP_V6},
        {.helo = "[193.0.0.99]", .own = {"10.0.0.1"}},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        expect(good, COUNT(good), &cases[i], QUIET);
}

static void behind_nat_a_name_that_does_not_resolve_is_warned_of(void **state)
{
    (void)state;
    const struct asked asked = {.helo = "nothing.example.org", .own = {"10.0.0.1"}};
    expect(good, COUNT(good), &asked,
           WORDS("nothing.example.org has neither an A nor an AAAA record, and many mail hosts "
                 "refuse such callers: it should have one for this host's public address"));
}

/* --- PTR records ------------------------------------------------------------------ */

static void an_address_without_ptr_is_warned_of(void **state)
{
    (void)state;
    const struct fake_dns_row rows[] = {ONE("mail.example.org", ns_t_a, PUBLIC_V4)};
    const struct asked asked = {.helo = "mail.example.org", .own = {PUBLIC_V4}};
    expect(rows, COUNT(rows), &asked,
           WORDS(PUBLIC_V4 ", which calls come from, has no PTR record"));
}

static void a_ptr_that_does_not_resolve_back_is_warned_of(void **state)
{
    (void)state;
    const struct fake_dns_row rows[] = {ONE("mail.example.org", ns_t_a, PUBLIC_V4),
                                        ONE("other.example.org", ns_t_a, "193.0.0.99"),
                                        ONE(REVERSE_V4, ns_t_ptr, "other.example.org")};
    const struct asked asked = {.helo = "mail.example.org", .own = {PUBLIC_V4}};
    expect(rows, COUNT(rows), &asked,
           WORDS("the PTR record of " PUBLIC_V4
                 " says other.example.org, but that name does not resolve to " PUBLIC_V4));
}

static void a_ptr_that_cannot_be_looked_up_is_not_accused(void **state)
{
    (void)state;
    const struct fake_dns_row rows[] = {
        ONE("mail.example.org", ns_t_a, PUBLIC_V4),
        {.name = REVERSE_V4, .rcode = ns_r_servfail},
    };
    const struct asked asked = {.helo = "mail.example.org", .own = {PUBLIC_V4}};
    expect(rows, COUNT(rows), &asked,
           WORDS("the PTR record of " PUBLIC_V4 " could not be looked up"));
}

static void a_ptr_whose_name_cannot_be_looked_up_is_not_accused(void **state)
{
    (void)state;
    const struct fake_dns_row rows[] = {
        ONE("mail.example.org", ns_t_a, PUBLIC_V4),
        ONE(REVERSE_V4, ns_t_ptr, "dead.example.org"),
        {.name = "dead.example.org", .rcode = ns_r_servfail},
    };
    const struct asked asked = {.helo = "mail.example.org", .own = {PUBLIC_V4}};
    expect(rows, COUNT(rows), &asked,
           WORDS("dead.example.org, whose addresses could not all be looked up"));
}

static void one_name_of_several_that_resolves_back_will_do(void **state)
{
    (void)state;
    const struct fake_dns_row rows[] = {
        ONE("mail.example.org", ns_t_a, PUBLIC_V4),
        {.name = REVERSE_V4, .type = ns_t_ptr, ANSWERS(two_names)},
    };
    const struct asked asked = {.helo = "mail.example.org", .own = {PUBLIC_V4}};
    expect(rows, COUNT(rows), &asked, QUIET);
}

static void a_ptr_behind_a_classless_delegation_is_found(void **state)
{
    (void)state;
    const struct fake_dns_row rows[] = {
        ONE("mail.example.org", ns_t_a, PUBLIC_V4),
        {.name = REVERSE_V4, ANSWERS(delegated)},
    };
    const struct asked asked = {.helo = "mail.example.org", .own = {PUBLIC_V4}};
    expect(rows, COUNT(rows), &asked, QUIET);
}

static void each_address_is_looked_at(void **state)
{
    (void)state;
    const struct asked asked = {.helo = "mail.example.org",
                                .own = {PUBLIC_V4, "193.0.0.11", "193.0.0.12", PUBLIC_V6}};
    expect(good, COUNT(good), &asked,
           WORDS("193.0.0.11, which calls come from, has no PTR record",
                 "193.0.0.12, which calls come from, has no PTR record"));
}

/* --- Limits ------------------------------------------------------------------------ */

static void the_first_eight_addresses_are_looked_at(void **state)
{
    (void)state;
    const struct asked asked = {
        .helo = "nothing.example.org",
        .own = {"193.0.0.1", "193.0.0.2", "193.0.0.3", "193.0.0.4", "193.0.0.5", "193.0.0.6",
                "193.0.0.7", "193.0.0.8", "193.0.0.9", PUBLIC_V4},
    };
    struct identity identity;
    struct dns_rig world = dns_rig_start(good, COUNT(good));
    check_until(world.dns, &asked, deadline_in(clock_system(), PATIENT_MS), &identity);
    assert_int_equal(identity.count, IDENTITY_WARNINGS_MAX);
    assert_int_equal(fake_dns_asked_udp(world.fake, "8.0.0.193.in-addr.arpa", ns_t_ptr), 1);
    assert_int_equal(fake_dns_asked_udp(world.fake, "9.0.0.193.in-addr.arpa", ns_t_ptr), 0);
    dns_rig_stop(&world);
}

/* But the name may resolve to any of them. */
static void the_name_is_compared_with_all_addresses(void **state)
{
    (void)state;
    const struct asked asked = {
        .helo = "mail.example.org",
        .own = {"193.0.0.1", "193.0.0.2", "193.0.0.3", "193.0.0.4", "193.0.0.5", "193.0.0.6",
                "193.0.0.7", "193.0.0.8", "193.0.0.9", PUBLIC_V4},
    };
    struct identity identity;
    struct dns_rig world = dns_rig_start(good, COUNT(good));
    check_until(world.dns, &asked, deadline_in(clock_system(), PATIENT_MS), &identity);
    assert_int_equal(identity.count, IDENTITY_ADDRESSES_MAX);
    for (size_t i = 0; i < identity.count; i++)
        assert_non_null(strstr(identity.warning[i], "has no PTR record"));
    dns_rig_stop(&world);
}

static void of_many_names_four_are_looked_up(void **state)
{
    (void)state;
    char names[20][32];
    struct fake_dns_answer answers[20];
    for (unsigned i = 0; i < COUNT(names); i++) {
        (void)snprintf(names[i], sizeof names[i], "n%u.example.org", i);
        answers[i] = (struct fake_dns_answer){.type = ns_t_ptr, .data = names[i]};
    }
    const struct fake_dns_row rows[] = {ONE("mail.example.org", ns_t_a, PUBLIC_V4),
                                        {.name = REVERSE_V4, ANSWERS(answers)}};
    const struct asked asked = {.helo = "mail.example.org", .own = {PUBLIC_V4}};
    struct identity identity;
    unsigned times = 0;
    struct dns_rig world = dns_rig_start(rows, COUNT(rows));
    check_until(world.dns, &asked, deadline_in(clock_system(), PATIENT_MS), &identity);
    for (size_t i = 0; i < COUNT(names); i++)
        times += fake_dns_asked_udp(world.fake, names[i], ns_t_invalid);
    dns_rig_stop(&world);
    assert_int_equal(times, IDENTITY_NAMES_MAX);
    assert_int_equal(identity.count, 1);
    assert_non_null(strstr(identity.warning[0], "could not all be looked up"));
}

static void when_the_time_has_passed_nothing_is_known(void **state)
{
    (void)state;
    const struct asked asked = {.helo = "mail.example.org", .own = {PUBLIC_V4}};
    expect_until(good, COUNT(good), &asked, 0,
                 WORDS("mail.example.org could not be looked up", "could not be looked up"));
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

static void the_longest_names_fit_into_a_warning(void **state)
{
    (void)state;
    char name[300], pointer[300];
    (void)longest_name(name);
    (void)longest_name(pointer);
    pointer[0] = 'p';
    const struct fake_dns_row rows[] = {ONE(REVERSE_V6, ns_t_ptr, pointer)};
    const struct asked asked = {.helo = name, .own = {PUBLIC_V6}};
    struct identity identity;
    struct dns_rig world = dns_rig_start(rows, COUNT(rows));
    check_until(world.dns, &asked, deadline_in(clock_system(), PATIENT_MS), &identity);
    dns_rig_stop(&world);
    assert_int_equal(identity.count, 2);
    for (size_t i = 0; i < identity.count; i++) {
        assert_true(strlen(identity.warning[i]) < IDENTITY_WARNING_SIZE - 1);
        for (const char *at = identity.warning[i]; *at != '\0'; at++)
            assert_in_range(*at, ' ', '~');
    }
    assert_non_null(strstr(identity.warning[0], name));
    assert_non_null(strstr(identity.warning[1], pointer));
}

int main(void)
{
    /* One attempt of a second: what is silent here stays silent. */
    setenv("RES_OPTIONS", "attempts:1 timeout:1", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_in_order_is_not_warned_of),
        cmocka_unit_test(a_name_that_resolves_elsewhere_is_warned_of),
        cmocka_unit_test(a_name_of_the_version_that_is_not_called_is_warned_of),
        cmocka_unit_test(a_name_that_does_not_resolve_is_warned_of),
        cmocka_unit_test(a_name_that_cannot_be_looked_up_is_not_accused),
        cmocka_unit_test(one_family_that_resolves_to_us_will_do),
        cmocka_unit_test(a_literal_that_is_not_ours_is_warned_of),
        cmocka_unit_test(behind_nat_a_name_that_resolves_is_not_compared),
        cmocka_unit_test(behind_nat_a_name_that_does_not_resolve_is_warned_of),
        cmocka_unit_test(an_address_without_ptr_is_warned_of),
        cmocka_unit_test(a_ptr_that_does_not_resolve_back_is_warned_of),
        cmocka_unit_test(a_ptr_that_cannot_be_looked_up_is_not_accused),
        cmocka_unit_test(a_ptr_whose_name_cannot_be_looked_up_is_not_accused),
        cmocka_unit_test(one_name_of_several_that_resolves_back_will_do),
        cmocka_unit_test(a_ptr_behind_a_classless_delegation_is_found),
        cmocka_unit_test(each_address_is_looked_at),
        cmocka_unit_test(the_first_eight_addresses_are_looked_at),
        cmocka_unit_test(the_name_is_compared_with_all_addresses),
        cmocka_unit_test(of_many_names_four_are_looked_up),
        cmocka_unit_test(when_the_time_has_passed_nothing_is_known),
        cmocka_unit_test(the_longest_names_fit_into_a_warning),
    };
    return cmocka_run_group_tests_name("identity", tests, NULL, NULL);
}
