/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_dns: what dns makes of good, bad and hostile answers of a scripted server on the loopback.
 * Nothing is asserted on time: silent servers are given a short deadline, and the outcome is looked
 * at.
 */
#include "config.h"

#include "dns/addresses.h"
#include "dns/mail_exchangers.h"
#include "dns/name.h"
#include "dns/records.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "fake_clock.h"
#include "fake_dns.h"

#define ROWS(table) (table), COUNT(table)
#define ANSWERS(table) .answers = (table), .count = COUNT(table)

enum { PATIENT_MS = 20000, HASTY_MS = 200, RANDOM_TRIES = 100 };

/* --- A server and a client of it ------------------------------------------- */

struct world {
    struct fake_dns *fake;
    struct dns *dns;
};

static struct dns *open_dns(const char *const *servers, size_t count, const struct rb_clock *clock)
{
    struct dns *dns;
    assert_int_equal(dns_open(servers, count, clock, -1, &dns), RB_OK);
    return dns;
}

static struct world world_start(const struct fake_dns_row *rows, size_t count)
{
    struct world world = {.fake = fake_dns_start(AF_INET, rows, count)};
    assert_non_null(world.fake);
    const char *server = fake_dns_server(world.fake);
    world.dns = open_dns(&server, 1, clock_system());
    return world;
}

static void world_stop(struct world *world)
{
    dns_close(world->dns);
    fake_dns_stop(world->fake);
}

static enum dns_outcome ask_mx(const struct dns *dns, const char *domain, struct dns_mx_list *list)
{
    return dns_mail_exchangers(dns, domain, deadline_in(clock_system(), PATIENT_MS), list);
}

static enum dns_outcome ask_addresses(const struct dns *dns, const char *name,
                                      enum rb_ip_version version, struct dns_address_list *list)
{
    return dns_addresses(dns, name, version, deadline_in(clock_system(), PATIENT_MS), list);
}

/* The outcome of one MX question to a server with this table. */
static enum dns_outcome mx_outcome(const struct fake_dns_row *rows, size_t count,
                                   const char *domain)
{
    struct dns_mx_list list;
    struct world world = world_start(rows, count);
    enum dns_outcome outcome = ask_mx(world.dns, domain, &list);
    if (outcome != DNS_FOUND)
        assert_int_equal(list.count, 0);
    world_stop(&world);
    return outcome;
}

static void expect_mx(const struct dns_mx_list *list, const char *const *names, size_t count)
{
    assert_int_equal(list->count, count);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(list->mx[i].name, names[i]);
}

/* The address at index, as text. */
static const char *address_text(const struct dns_address_list *list, size_t index,
                                char text[INET6_ADDRSTRLEN])
{
    const struct sockaddr_storage *address = &list->address[index];
    const char *octets = (const char *)address;
    size_t offset = address->ss_family == AF_INET ? offsetof(struct sockaddr_in, sin_addr)
                                                  : offsetof(struct sockaddr_in6, sin6_addr);
    assert_non_null(inet_ntop(address->ss_family, octets + offset, text, INET6_ADDRSTRLEN));
    return text;
}

static bool has_address(const struct dns_address_list *list, const char *wanted)
{
    char text[INET6_ADDRSTRLEN];
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(address_text(list, i, text), wanted) == 0)
            return true;
    }
    return false;
}

/* --- dns_open -------------------------------------------------------------- */

static void good_servers_are_taken(void **state)
{
    (void)state;
    static const char *const good[] = {"192.0.2.1",         "127.0.0.1:5353", "192.0.2.1:65535",
                                       "[::1]:53",          "[2001:db8::1]",  "2001:db8::1",
                                       "[::ffff:192.0.2.1]"};
    for (size_t i = 0; i < COUNT(good); i++) {
        struct dns *dns = open_dns(&good[i], 1, clock_system());
        assert_non_null(dns);
        dns_close(dns);
    }
}

static void malformed_servers_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        ":53",
        "localhost",
        "192.0.2",
        "192.0.2.1:",
        "192.0.2.1:0",
        "[::1",
        "192.0.2.1:65536",
        "192.0.2.1:-1",
        "192.0.2.1:+53",
        "[]",
        "[::1]x",
        "192.0.2.1: 53",
        "192.0.2.1:53x",
        "192.0.2.1:5353535",
        "[::1]:",
        "[192.0.2.1]",
        "192.0.2.1.5",
        "192.0.2.1 ",
        "[::1]:53:53",
        "::g",
        "[::1]53",
        "127.1",
        "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0001]:53",
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct dns *dns;
        if (dns_open(&bad[i], 1, clock_system(), -1, &dns) != RB_ERR_ARGUMENT)
            fail_msg("\"%s\" was taken", bad[i]);
        assert_null(dns);
    }
}

static void more_servers_than_libresolv_has_room_for_are_refused(void **state)
{
    (void)state;
    static const char *const servers[] = {"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"};
    struct dns *dns;
    assert_int_equal(dns_open(servers, DNS_RESOLVERS_MAX, clock_system(), -1, &dns), RB_OK);
    dns_close(dns);
    assert_int_equal(dns_open(servers, COUNT(servers), clock_system(), -1, &dns), RB_ERR_ARGUMENT);
    assert_null(dns);
    dns_close(NULL);
}

/* --- Mail exchangers ------------------------------------------------------- */

static void mail_hosts_come_by_preference_in_lower_case(void **state)
{
    (void)state;
    static const struct fake_dns_answer mx[] = {
        {.type = ns_t_mx, .preference = 300, .data = "third.example"},
        {.type = ns_t_mx, .preference = 0, .data = "FIRST.Example"},
        {.type = ns_t_mx, .preference = 20, .data = "second_host.example"}};
    static const struct fake_dns_row rows[] = {{.name = "example.org", ANSWERS(mx)}};
    static const char *const wanted[] = {"first.example", "second_host.example", "third.example"};
    struct world world = world_start(ROWS(rows));
    struct dns_mx_list list;
    assert_int_equal(ask_mx(world.dns, "example.org", &list), DNS_FOUND);
    expect_mx(&list, wanted, COUNT(wanted));
    assert_int_equal(list.mx[0].preference, 0);
    assert_int_equal(list.mx[1].preference, 20);
    assert_int_equal(list.mx[2].preference, 300);
    assert_int_equal(fake_dns_asked_udp(world.fake, "example.org", ns_t_invalid), 1);
    world_stop(&world);
}

static void equal_preferences_come_in_random_order(void **state)
{
    (void)state;
    static const struct fake_dns_answer mx[] = {
        {.type = ns_t_mx, .preference = 20, .data = "last.example"},
        {.type = ns_t_mx, .preference = 10, .data = "a.example"},
        {.type = ns_t_mx, .preference = 10, .data = "b.example"}};
    static const struct fake_dns_row rows[] = {{.name = "example.org", ANSWERS(mx)}};
    struct world world = world_start(ROWS(rows));
    unsigned a_first = 0;
    for (int i = 0; i < RANDOM_TRIES; i++) {
        struct dns_mx_list list;
        assert_int_equal(ask_mx(world.dns, "example.org", &list), DNS_FOUND);
        assert_int_equal(list.count, 3);
        assert_string_equal(list.mx[2].name, "last.example");
        a_first += strcmp(list.mx[0].name, "a.example") == 0;
    }
    /* Always the same by chance: once in 2^99 runs. */
    assert_in_range(a_first, 1, RANDOM_TRIES - 1);
    world_stop(&world);
}

static void nxdomain_is_told_from_no_data(void **state)
{
    (void)state;
    static const struct fake_dns_answer a[] = {{.type = ns_t_a, .data = "192.0.2.1"}};
    static const struct fake_dns_row rows[] = {
        {.name = "example.org", .type = ns_t_a, ANSWERS(a)},
        {.name = "gone.example", .type = ns_t_mx, .rcode = ns_r_nxdomain}};
    assert_int_equal(mx_outcome(ROWS(rows), "example.org"), DNS_NO_DATA);
    assert_int_equal(mx_outcome(ROWS(rows), "gone.example"), DNS_NO_DOMAIN);
    assert_int_equal(mx_outcome(ROWS(rows), "never.example"), DNS_NO_DOMAIN);
}

static void a_lone_dot_is_a_null_mx(void **state)
{
    (void)state;
    static const struct fake_dns_answer mx[] = {{.type = ns_t_mx, .data = "."}};
    static const struct fake_dns_row rows[] = {{.name = "example.org", ANSWERS(mx)}};
    assert_int_equal(mx_outcome(ROWS(rows), "example.org"), DNS_NULL_MX);
}

static void a_dot_beside_other_hosts_is_left_out(void **state)
{
    (void)state;
    static const struct fake_dns_answer mx[] = {
        {.type = ns_t_mx, .preference = 0, .data = "."},
        {.type = ns_t_mx, .preference = 10, .data = "mx.example"}};
    static const struct fake_dns_row rows[] = {{.name = "example.org", ANSWERS(mx)}};
    static const char *const wanted[] = {"mx.example"};
    struct world world = world_start(ROWS(rows));
    struct dns_mx_list list;
    assert_int_equal(ask_mx(world.dns, "example.org", &list), DNS_FOUND);
    expect_mx(&list, wanted, COUNT(wanted));
    world_stop(&world);
}

static void two_dots_are_no_null_mx(void **state)
{
    (void)state;
    static const struct fake_dns_answer mx[] = {{.type = ns_t_mx, .preference = 0, .data = "."},
                                                {.type = ns_t_mx, .preference = 10, .data = "."}};
    static const struct fake_dns_row rows[] = {{.name = "example.org", ANSWERS(mx)}};
    assert_int_equal(mx_outcome(ROWS(rows), "example.org"), DNS_FAILURE);
}

/* Names that no mail host can have; in a command, a log line or a header they would do harm. */
static const char *const hostile_names[] = {
    "a\\013\\010.example", "a\\000b.example", "a\\.b.example", "a\\ b.example", "a\\;b.example",
    "\\228.example",       "a\\\\b.example",  "*.example",     "a\\@b.example", "a/b.example",
    "\\\"a\\\".example",   "a\\$b.example",   "<a>.example"};

static void hostile_mail_host_names_are_skipped(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(hostile_names); i++) {
        const struct fake_dns_answer mx[] = {
            {.type = ns_t_mx, .preference = 1, .data = hostile_names[i]},
            {.type = ns_t_mx, .preference = 2, .data = "good.example"}};
        const struct fake_dns_row rows[] = {{.name = "example.org", ANSWERS(mx)}};
        static const char *const wanted[] = {"good.example"};
        struct world world = world_start(ROWS(rows));
        struct dns_mx_list list;
        assert_int_equal(ask_mx(world.dns, "example.org", &list), DNS_FOUND);
        expect_mx(&list, wanted, COUNT(wanted));
        assert_true(list.is_incomplete);
        world_stop(&world);
    }
}

/* Other mailers deliver there, and so it is not as if there were no mail host. */
static void mail_hosts_may_be_addresses_written_out(void **state)
{
    (void)state;
    static const char *const written[][2] = {
        {"192.0.2.7", "192.0.2.7"},
        {"[192.0.2.7]", "192.0.2.7"},
        {"2001:DB8::7", "2001:db8::7"},
        {"[2001:db8:0::7]", "2001:db8::7"},
        {"[IPv6:2001:db8::7]", "2001:db8::7"},
        {"[ipv6:::ffff:192.0.2.7]", "::ffff:192.0.2.7"},
        {"127.1", "127.1"}, /* a name, however it looks */
        {"1", "1"},
    };
    for (size_t i = 0; i < COUNT(written); i++) {
        const struct fake_dns_answer mx[] = {
            {.type = ns_t_mx, .preference = 1, .data = written[i][0]}};
        const struct fake_dns_row rows[] = {{.name = "example.org", ANSWERS(mx)}};
        struct world world = world_start(ROWS(rows));
        struct dns_mx_list list;
        assert_int_equal(ask_mx(world.dns, "example.org", &list), DNS_FOUND);
        expect_mx(&list, &written[i][1], 1);
        assert_false(list.is_incomplete);
        world_stop(&world);
    }
}

static void hostile_mail_hosts_alone_are_a_failure_and_not_no_data(void **state)
{
    (void)state;
    static const struct fake_dns_answer mx[] = {{.type = ns_t_mx, .data = "a\\ b.example"},
                                                {.type = ns_t_mx, .data = "c\\010d.example"}};
    static const struct fake_dns_row rows[] = {{.name = "example.org", ANSWERS(mx)}};
    assert_int_equal(mx_outcome(ROWS(rows), "example.org"), DNS_FAILURE);
}

static void a_mail_host_named_twice_is_kept_once_with_its_best_preference(void **state)
{
    (void)state;
    static const struct fake_dns_answer mx[] = {
        {.type = ns_t_mx, .preference = 30, .data = "a.example"},
        {.type = ns_t_mx, .preference = 20, .data = "b.example"},
        {.type = ns_t_mx, .preference = 10, .data = "A.EXAMPLE"},
        {.type = ns_t_mx, .preference = 40, .data = "b.example"}};
    static const struct fake_dns_row rows[] = {{.name = "example.org", ANSWERS(mx)}};
    static const char *const wanted[] = {"a.example", "b.example"};
    struct world world = world_start(ROWS(rows));
    struct dns_mx_list list;
    assert_int_equal(ask_mx(world.dns, "example.org", &list), DNS_FOUND);
    expect_mx(&list, wanted, COUNT(wanted));
    assert_int_equal(list.mx[0].preference, 10);
    assert_int_equal(list.mx[1].preference, 20);
    world_stop(&world);
}

static void of_too_many_mail_hosts_the_best_are_kept(void **state)
{
    (void)state;
    enum { MANY = 3 * DNS_MX_MAX };
    static char names[MANY][32];
    static struct fake_dns_answer mx[MANY];
    const struct fake_dns_row rows[] = {{.name = "example.org", ANSWERS(mx)}};
    for (int i = 0; i < MANY; i++) {
        /* Neither rising nor falling: 37 and 96 have no common divisor. */
        int preference = i * 37 % MANY;
        snprintf(names[i], sizeof names[i], "mx%d.example", preference);
        mx[i] = (struct fake_dns_answer){
            .type = ns_t_mx, .preference = (uint16_t)preference, .data = names[i]};
    }
    struct world world = world_start(ROWS(rows));
    struct dns_mx_list list;
    assert_int_equal(ask_mx(world.dns, "example.org", &list), DNS_FOUND);
    assert_int_equal(list.count, DNS_MX_MAX);
    for (int i = 0; i < DNS_MX_MAX; i++)
        assert_int_equal(list.mx[i].preference, i);
    world_stop(&world);
}

static void records_of_another_name_or_type_are_not_taken(void **state)
{
    (void)state;
    static const struct fake_dns_answer mx[] = {
        {.owner = "victim.example", .type = ns_t_mx, .data = "evil.example"},
        {.type = ns_t_a, .data = "192.0.2.1"}};
    static const struct fake_dns_row rows[] = {{.name = "example.org", ANSWERS(mx)}};
    assert_int_equal(mx_outcome(ROWS(rows), "example.org"), DNS_NO_DATA);
}

static void names_are_compared_without_regard_to_case(void **state)
{
    (void)state;
    static const struct fake_dns_answer mx[] = {
        {.owner = "EXAMPLE.oRG", .type = ns_t_mx, .data = "mx.example"}};
    static const struct fake_dns_row rows[] = {{.name = "example.org", ANSWERS(mx)}};
    assert_int_equal(mx_outcome(ROWS(rows), "Example.Org"), DNS_FOUND);
}

static void domains_that_cannot_be_asked_are_failures_and_never_asked(void **state)
{
    (void)state;
    static const struct fake_dns_row none[] = {{.name = "none.example"}};
    static char long_label[64 + 9], long_name[2 * 255 + 1], longest[256];
    memset(long_label, 'a', 64);
    memcpy(long_label + 64, ".example", 9);
    for (size_t i = 0; i < sizeof long_name - 1; i++)
        long_name[i] = i % 2 == 0 ? 'a' : '.';
    long_name[sizeof long_name - 2] = 'a';
    memcpy(longest, long_name, 255); /* fits RB_DOMAIN_MAX, but not a question */
    const char *const bad[] = {"",        ".",     "a..b",       ".a",       "a.",
                               "a b",     "a\\.b", "a\r\nb",     "b\xfc.de", long_label,
                               long_name, longest, "[192.0.2.1]"};
    struct world world = world_start(ROWS(none));
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct dns_mx_list mx;
        struct dns_address_list addresses;
        assert_int_equal(ask_mx(world.dns, bad[i], &mx), DNS_FAILURE);
        assert_int_equal(ask_addresses(world.dns, bad[i], RB_IP_ANY, &addresses), DNS_FAILURE);
        assert_int_equal(fake_dns_asked_udp(world.fake, bad[i], ns_t_invalid), 0);
    }
    world_stop(&world);
}

static void the_longest_name_and_label_are_asked(void **state)
{
    (void)state;
    static const struct fake_dns_row none[] = {{.name = "none.example"}};
    char name[253 + 1];
    for (size_t i = 0; i < 253; i++)
        name[i] = i % 64 == 63 ? '.' : 'a';
    name[253] = '\0';
    assert_int_equal(mx_outcome(ROWS(none), name), DNS_NO_DOMAIN);
}

/* main has given libresolv one. */
static void no_search_list_is_used(void **state)
{
    (void)state;
    static const struct fake_dns_row none[] = {{.name = "none.example"}};
    struct world world = world_start(ROWS(none));
    struct dns_mx_list list;
    assert_int_equal(ask_mx(world.dns, "single", &list), DNS_NO_DOMAIN);
    assert_int_equal(fake_dns_asked_udp(world.fake, "single", ns_t_mx), 1);
    assert_int_equal(fake_dns_asked_udp(world.fake, "single.none.example", ns_t_mx), 0);
    world_stop(&world);
}

/* --- CNAMEs ---------------------------------------------------------------- */

static void cnames_within_an_answer_are_followed(void **state)
{
    (void)state;
    /* In no order: nothing says that there must be one. */
    static const struct fake_dns_answer chain[] = {
        {.owner = "end.example", .type = ns_t_mx, .data = "mx.example"},
        {.owner = "mid.example", .type = ns_t_cname, .data = "end.example"},
        {.type = ns_t_cname, .data = "Mid.Example"}};
    static const struct fake_dns_row rows[] = {{.name = "example.org", ANSWERS(chain)}};
    static const char *const wanted[] = {"mx.example"};
    struct world world = world_start(ROWS(rows));
    struct dns_mx_list list;
    assert_int_equal(ask_mx(world.dns, "example.org", &list), DNS_FOUND);
    expect_mx(&list, wanted, COUNT(wanted));
    assert_int_equal(fake_dns_asked_udp(world.fake, "end.example", ns_t_mx), 0);
    world_stop(&world);
}

static void a_cname_alone_is_asked_again(void **state)
{
    (void)state;
    static const struct fake_dns_answer first[] = {{.type = ns_t_cname, .data = "two.example"}};
    static const struct fake_dns_answer second[] = {{.type = ns_t_cname, .data = "three.example"}};
    static const struct fake_dns_answer third[] = {{.type = ns_t_mx, .data = "mx.example"}};
    static const struct fake_dns_row rows[] = {{.name = "one.example", ANSWERS(first)},
                                               {.name = "two.example", ANSWERS(second)},
                                               {.name = "three.example", ANSWERS(third)}};
    struct world world = world_start(ROWS(rows));
    struct dns_mx_list list;
    assert_int_equal(ask_mx(world.dns, "one.example", &list), DNS_FOUND);
    assert_string_equal(list.mx[0].name, "mx.example");
    assert_int_equal(fake_dns_asked_udp(world.fake, "two.example", ns_t_mx), 1);
    assert_int_equal(fake_dns_asked_udp(world.fake, "three.example", ns_t_mx), 1);
    world_stop(&world);
}

static void a_cname_to_nowhere_is_no_domain(void **state)
{
    (void)state;
    static const struct fake_dns_answer cname[] = {{.type = ns_t_cname, .data = "gone.example"}};
    static const struct fake_dns_row rows[] = {
        {.name = "example.org", .rcode = ns_r_nxdomain, ANSWERS(cname)},
        {.name = "lazy.example", ANSWERS(cname)}};
    assert_int_equal(mx_outcome(ROWS(rows), "example.org"), DNS_NO_DOMAIN);
    assert_int_equal(mx_outcome(ROWS(rows), "lazy.example"), DNS_NO_DOMAIN);
}

static void a_cname_to_a_name_without_mail_hosts_is_no_data(void **state)
{
    (void)state;
    static const struct fake_dns_answer cname[] = {{.type = ns_t_cname, .data = "web.example"}};
    static const struct fake_dns_row rows[] = {{.name = "example.org", ANSWERS(cname)},
                                               {.name = "web.example", .type = ns_t_a}};
    assert_int_equal(mx_outcome(ROWS(rows), "example.org"), DNS_NO_DATA);
}

static void cname_loops_end_in_failure(void **state)
{
    (void)state;
    static const struct fake_dns_answer within[] = {
        {.owner = "a.example", .type = ns_t_cname, .data = "b.example"},
        {.owner = "b.example", .type = ns_t_cname, .data = "a.example"}};
    static const struct fake_dns_answer to_c[] = {{.type = ns_t_cname, .data = "c.example"}};
    static const struct fake_dns_answer to_d[] = {{.type = ns_t_cname, .data = "d.example"}};
    static const struct fake_dns_row rows[] = {{.name = "a.example", ANSWERS(within)},
                                               {.name = "c.example", ANSWERS(to_d)},
                                               {.name = "d.example", ANSWERS(to_c)},
                                               {.name = "e.example", ANSWERS(to_c)}};
    assert_int_equal(mx_outcome(ROWS(rows), "a.example"), DNS_FAILURE);
    assert_int_equal(mx_outcome(ROWS(rows), "e.example"), DNS_FAILURE);
}

static void cname_hops_are_counted_over_all_answers(void **state)
{
    (void)state;
    enum { MANY = 40 };
    static char names[MANY + 1][32];
    static struct fake_dns_answer cname[MANY];
    static struct fake_dns_row rows[MANY];
    for (int i = 0; i <= MANY; i++)
        snprintf(names[i], sizeof names[i], "n%d.example", i);
    for (int i = 0; i < MANY; i++) {
        cname[i] = (struct fake_dns_answer){.type = ns_t_cname, .data = names[i + 1]};
        rows[i] = (struct fake_dns_row){.name = names[i], .answers = &cname[i], .count = 1};
    }
    struct world world = world_start(ROWS(rows));
    struct dns_mx_list list;
    assert_int_equal(ask_mx(world.dns, names[0], &list), DNS_FAILURE);
    assert_int_equal(fake_dns_asked_udp(world.fake, names[8], ns_t_mx), 1);
    assert_int_equal(fake_dns_asked_udp(world.fake, names[9], ns_t_mx), 0);
    world_stop(&world);
}

static void cnames_to_hostile_names_are_failures(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(hostile_names); i++) {
        const struct fake_dns_answer cname[] = {{.type = ns_t_cname, .data = hostile_names[i]}};
        const struct fake_dns_row rows[] = {{.name = "example.org", ANSWERS(cname)}};
        assert_int_equal(mx_outcome(ROWS(rows), "example.org"), DNS_FAILURE);
    }
}

/* --- Failures -------------------------------------------------------------- */

static const struct fake_dns_answer one_mx[] = {{.type = ns_t_mx, .data = "mx.example"}};

static void error_codes_are_failures(void **state)
{
    (void)state;
    static const int rcodes[] = {
        ns_r_formerr, ns_r_servfail, ns_r_notimpl, ns_r_refused, ns_r_yxdomain, ns_r_notauth, 15};
    for (size_t i = 0; i < COUNT(rcodes); i++) {
        const struct fake_dns_row rows[] = {
            {.name = "example.org", .rcode = rcodes[i], ANSWERS(one_mx)}};
        assert_int_equal(mx_outcome(ROWS(rows), "example.org"), DNS_FAILURE);
    }
}

static void broken_answers_are_failures(void **state)
{
    (void)state;
    static const unsigned flags[] = {FAKE_DNS_CUT, FAKE_DNS_BAD_DATA, FAKE_DNS_LONG_DATA};
    for (size_t i = 0; i < COUNT(flags); i++) {
        const struct fake_dns_row rows[] = {
            {.name = "example.org", .flags = flags[i], ANSWERS(one_mx)}};
        assert_int_equal(mx_outcome(ROWS(rows), "example.org"), DNS_FAILURE);
    }
}

/* A look-up in a thread of its own. */
struct asker {
    pthread_t thread;
    const struct dns *dns;
    char name[32];
    int64_t patience_ms;
    enum dns_outcome outcome;
    size_t count;
};

static void *asker_run(void *arg)
{
    struct asker *asker = arg;
    struct dns_mx_list list;
    deadline until = deadline_in(clock_system(), asker->patience_ms);
    asker->outcome = dns_mail_exchangers(asker->dns, asker->name, until, &list);
    asker->count = list.count;
    return NULL;
}

/* What never comes, and what is not for us, which is waited behind. All at once, to
 * be quick. */
static void silence_and_answers_to_others_are_failures(void **state)
{
    (void)state;
    static const struct fake_dns_row rows[] = {
        {.name = "q0.example", .flags = FAKE_DNS_DROP, ANSWERS(one_mx)},
        {.name = "q1.example", .flags = FAKE_DNS_GARBAGE, ANSWERS(one_mx)},
        {.name = "q2.example", .flags = FAKE_DNS_WRONG_ID, ANSWERS(one_mx)},
        {.name = "q3.example", .flags = FAKE_DNS_WRONG_QUESTION, ANSWERS(one_mx)},
        {.name = "q4.example", .flags = FAKE_DNS_TRUNCATE | FAKE_DNS_TCP_SILENT, ANSWERS(one_mx)}};
    struct asker askers[COUNT(rows)];
    struct world world = world_start(ROWS(rows));
    for (size_t i = 0; i < COUNT(rows); i++) {
        askers[i] = (struct asker){.dns = world.dns, .patience_ms = HASTY_MS};
        snprintf(askers[i].name, sizeof askers[i].name, "q%zu.example", i);
        assert_int_equal(pthread_create(&askers[i].thread, NULL, asker_run, &askers[i]), 0);
    }
    for (size_t i = 0; i < COUNT(rows); i++) {
        pthread_join(askers[i].thread, NULL);
        assert_int_equal(askers[i].outcome, DNS_FAILURE);
        assert_int_equal(askers[i].count, 0);
        assert_in_range(fake_dns_asked_udp(world.fake, askers[i].name, ns_t_mx), 1, 2);
    }
    world_stop(&world);
}

static void the_answer_behind_those_to_others_is_taken(void **state)
{
    (void)state;
    static const struct fake_dns_row rows[] = {
        {.name = "example.org", .flags = FAKE_DNS_STRAYS, ANSWERS(one_mx)}};
    struct world world = world_start(ROWS(rows));
    struct dns_mx_list list;
    assert_int_equal(ask_mx(world.dns, "example.org", &list), DNS_FOUND);
    assert_int_equal(list.count, 1);
    assert_int_equal(fake_dns_asked_udp(world.fake, "example.org", ns_t_mx), 1);
    world_stop(&world);
}

static void tcp_answers_that_are_not_ours_are_failures(void **state)
{
    (void)state;
    static const unsigned flags[] = {FAKE_DNS_GARBAGE, FAKE_DNS_WRONG_ID, FAKE_DNS_WRONG_QUESTION,
                                     FAKE_DNS_CUT,     FAKE_DNS_BAD_DATA, FAKE_DNS_TCP_CLOSE};
    for (size_t i = 0; i < COUNT(flags); i++) {
        const struct fake_dns_row rows[] = {
            {.name = "example.org", .flags = FAKE_DNS_TRUNCATE | flags[i], ANSWERS(one_mx)}};
        assert_int_equal(mx_outcome(ROWS(rows), "example.org"), DNS_FAILURE);
    }
}

static void nothing_is_asked_when_the_time_has_passed(void **state)
{
    (void)state;
    static const struct fake_dns_row rows[] = {{.name = "example.org", ANSWERS(one_mx)}};
    struct fake_clock clock;
    fake_clock_init(&clock);
    struct world world = world_start(ROWS(rows));
    const char *server = fake_dns_server(world.fake);
    struct dns *dns = open_dns(&server, 1, &clock.clock);
    struct dns_mx_list mx;
    struct dns_address_list addresses;
    deadline until = deadline_in(&clock.clock, 1000);

    assert_int_equal(dns_mail_exchangers(dns, "example.org", until, &mx), DNS_FOUND);
    assert_int_equal(fake_dns_asked_udp(world.fake, "example.org", ns_t_invalid), 1);
    fake_clock_advance_s(&clock, 1);
    assert_int_equal(dns_mail_exchangers(dns, "example.org", until, &mx), DNS_FAILURE);
    assert_int_equal(mx.count, 0);
    assert_int_equal(dns_addresses(dns, "example.org", RB_IP_ANY, until, &addresses), DNS_FAILURE);
    assert_int_equal(fake_dns_asked_udp(world.fake, "example.org", ns_t_invalid), 1);
    dns_close(dns);
    world_stop(&world);
}

/* --- TCP ------------------------------------------------------------------- */

static void truncated_answers_are_had_over_tcp(void **state)
{
    (void)state;
    enum { MANY = 2500 }; /* some 60,000 octets: more than a datagram of 512, less than 65,535 */
    static struct fake_dns_answer mx[MANY];
    for (int i = 0; i < MANY; i++)
        mx[i] = (struct fake_dns_answer){
            .owner = i < MANY - 1 ? "x.y" : NULL, .type = ns_t_mx, .data = "mx.e"};
    const struct fake_dns_row rows[] = {{.name = "a.b", .flags = FAKE_DNS_TRUNCATE, ANSWERS(mx)}};
    struct world world = world_start(ROWS(rows));
    struct dns_mx_list list;
    assert_int_equal(ask_mx(world.dns, "a.b", &list), DNS_FOUND);
    assert_int_equal(list.count, 1);
    assert_string_equal(list.mx[0].name, "mx.e");
    assert_int_equal(fake_dns_asked_udp(world.fake, "a.b", ns_t_mx), 1);
    assert_int_equal(fake_dns_asked_tcp(world.fake, "a.b", ns_t_mx), 1);
    world_stop(&world);
}

static const char *program; /* argv[0] */

/* Run in a process of its own: libresolv reads its options once. */
static int ask_with_use_vc(void)
{
    static const struct fake_dns_row rows[] = {
        {.name = "example.org", .type = ns_t_mx, ANSWERS(one_mx)}};
    struct world world = world_start(ROWS(rows));
    struct dns_mx_list list;
    struct dns_address_list addresses;
    bool is_right = ask_mx(world.dns, "example.org", &list) == DNS_FOUND && list.count == 1 &&
                    ask_addresses(world.dns, "example.org", RB_IP_ANY, &addresses) == DNS_NO_DATA &&
                    fake_dns_asked_udp(world.fake, "example.org", ns_t_invalid) == 0 &&
                    fake_dns_asked_tcp(world.fake, "example.org", ns_t_invalid) == 3;
    world_stop(&world);
    return is_right ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* The same test program, with an option of resolv.conf as its argument. */
static void expect_with_option(const char *option)
{
    int status = -1;
    pid_t child = fork();
    assert_int_not_equal(child, -1);
    if (child == 0) {
        setenv("RES_OPTIONS", option, 1);
        execlp(program, program, option, (char *)NULL);
        _exit(EXIT_FAILURE);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void use_vc_in_resolv_conf_means_tcp_alone(void **state)
{
    (void)state;
    expect_with_option("use-vc");
}

/* --- Servers --------------------------------------------------------------- */

static void the_next_server_is_asked_where_one_fails(void **state)
{
    (void)state;
    static const struct fake_dns_row bad[] = {{.name = "example.org", .rcode = ns_r_servfail}};
    static const struct fake_dns_row broken[] = {
        {.name = "example.org", .flags = FAKE_DNS_CUT, ANSWERS(one_mx)}};
    static const struct fake_dns_row good[] = {{.name = "example.org", ANSWERS(one_mx)}};
    struct fake_dns *fakes[] = {fake_dns_start(AF_INET, ROWS(bad)),
                                fake_dns_start(AF_INET, ROWS(broken)),
                                fake_dns_start(AF_INET, ROWS(good))};
    const char *servers[COUNT(fakes)];
    struct dns_mx_list list;
    for (size_t i = 0; i < COUNT(fakes); i++) {
        assert_non_null(fakes[i]);
        servers[i] = fake_dns_server(fakes[i]);
    }
    struct dns *dns = open_dns(servers, COUNT(servers), clock_system());
    assert_int_equal(ask_mx(dns, "example.org", &list), DNS_FOUND);
    for (size_t i = 0; i < COUNT(fakes); i++) {
        assert_int_equal(fake_dns_asked_udp(fakes[i], "example.org", ns_t_mx), 1);
        fake_dns_stop(fakes[i]);
    }
    dns_close(dns);
}

static void nxdomain_of_one_server_is_final(void **state)
{
    (void)state;
    static const struct fake_dns_row none[] = {{.name = "none.example"}};
    static const struct fake_dns_row good[] = {{.name = "example.org", ANSWERS(one_mx)}};
    struct world world = world_start(ROWS(none));
    struct fake_dns *other = fake_dns_start(AF_INET, ROWS(good));
    assert_non_null(other);
    const char *servers[] = {fake_dns_server(world.fake), fake_dns_server(other)};
    struct dns *dns = open_dns(servers, COUNT(servers), clock_system());
    struct dns_mx_list list;
    assert_int_equal(ask_mx(dns, "example.org", &list), DNS_NO_DOMAIN);
    assert_int_equal(fake_dns_asked_udp(other, "example.org", ns_t_mx), 0);
    dns_close(dns);
    fake_dns_stop(other);
    world_stop(&world);
}

static void a_server_that_is_not_there_is_passed_over(void **state)
{
    (void)state;
    static const struct fake_dns_row good[] = {{.name = "example.org", ANSWERS(one_mx)}};
    struct world world = world_start(ROWS(good));
    struct fake_dns *gone = fake_dns_start(AF_INET, ROWS(good));
    assert_non_null(gone);
    char closed[64];
    snprintf(closed, sizeof closed, "%s", fake_dns_server(gone));
    fake_dns_stop(gone);
    const char *servers[] = {closed, fake_dns_server(world.fake)};
    struct dns *dns = open_dns(servers, COUNT(servers), clock_system());
    struct dns_mx_list list;
    assert_int_equal(ask_mx(dns, "example.org", &list), DNS_FOUND);
    dns_close(dns);

    dns = open_dns(servers, 1, clock_system());
    assert_int_equal(ask_mx(dns, "example.org", &list), DNS_FAILURE);
    dns_close(dns);
    world_stop(&world);
}

static void servers_are_reached_over_ipv6(void **state)
{
    (void)state;
    static const struct fake_dns_row good[] = {
        {.name = "example.org", ANSWERS(one_mx)},
        {.name = "large.example", .flags = FAKE_DNS_TRUNCATE, ANSWERS(one_mx)}};
    static const struct fake_dns_row bad[] = {{.name = "example.org", .rcode = ns_r_refused},
                                              {.name = "large.example", .rcode = ns_r_refused}};
    struct fake_dns *fake6 = fake_dns_start(AF_INET6, ROWS(good));
    if (fake6 == NULL) {
        print_message("no IPv6 on the loopback\n");
        skip();
    }
    struct fake_dns *bad6 = fake_dns_start(AF_INET6, ROWS(bad));
    struct fake_dns *bad4 = fake_dns_start(AF_INET, ROWS(bad));
    assert_true(bad6 != NULL && bad4 != NULL);
    /* Both families in turn, so that every change from one to the other is made. */
    const char *servers[] = {fake_dns_server(bad6), fake_dns_server(bad4), fake_dns_server(fake6)};
    struct dns *dns = open_dns(servers, COUNT(servers), clock_system());
    struct dns_mx_list list;
    assert_int_equal(ask_mx(dns, "example.org", &list), DNS_FOUND);
    assert_int_equal(ask_mx(dns, "large.example", &list), DNS_FOUND);
    assert_int_equal(ask_mx(dns, "gone.example", &list), DNS_NO_DOMAIN);
    assert_int_equal(fake_dns_asked_tcp(fake6, "large.example", ns_t_mx), 1);
    dns_close(dns);
    fake_dns_stop(fake6);
    fake_dns_stop(bad6);
    fake_dns_stop(bad4);
}

static void many_threads_ask_at_once(void **state)
{
    (void)state;
    enum { THREADS = 16 };
    static const struct fake_dns_row rows[] = {
        {.name = "q0.example", ANSWERS(one_mx)},
        {.name = "q1.example", .flags = FAKE_DNS_TRUNCATE, ANSWERS(one_mx)}};
    struct asker askers[THREADS];
    struct world world = world_start(ROWS(rows));
    for (size_t i = 0; i < THREADS; i++) {
        askers[i] = (struct asker){.dns = world.dns, .patience_ms = PATIENT_MS};
        snprintf(askers[i].name, sizeof askers[i].name, "q%zu.example", i % 3);
        assert_int_equal(pthread_create(&askers[i].thread, NULL, asker_run, &askers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(askers[i].thread, NULL);
        assert_int_equal(askers[i].outcome, i % 3 == 2 ? DNS_NO_DOMAIN : DNS_FOUND);
        assert_int_equal(askers[i].count, i % 3 == 2 ? 0 : 1);
    }
    world_stop(&world);
}

static int open_descriptors(void)
{
    int count = 0;
    int highest = (int)sysconf(_SC_OPEN_MAX);
    for (int fd = 0; fd < highest && fd < 4096; fd++) {
        int copy = dup(fd);
        if (copy < 0)
            continue;
        close(copy);
        count++;
    }
    return count;
}

static void no_descriptor_is_left_behind(void **state)
{
    (void)state;
    static const struct fake_dns_row rows[] = {
        {.name = "plain.example", ANSWERS(one_mx)},
        {.name = "large.example", .flags = FAKE_DNS_TRUNCATE, ANSWERS(one_mx)},
        {.name = "closed.example", .flags = FAKE_DNS_TRUNCATE | FAKE_DNS_TCP_CLOSE},
        {.name = "bad.example", .rcode = ns_r_servfail}};
    struct world world = world_start(ROWS(rows));
    struct dns_mx_list list;
    struct dns_address_list addresses;
    int before = open_descriptors();
    assert_int_equal(ask_mx(world.dns, "plain.example", &list), DNS_FOUND);
    assert_int_equal(ask_mx(world.dns, "gone.example", &list), DNS_NO_DOMAIN);
    assert_int_equal(ask_mx(world.dns, "bad.example", &list), DNS_FAILURE);
    assert_int_equal(ask_mx(world.dns, "a..b", &list), DNS_FAILURE);
    assert_int_equal(ask_addresses(world.dns, "gone.example", RB_IP_ANY, &addresses),
                     DNS_NO_DOMAIN);
    assert_int_equal(ask_addresses(world.dns, "bad.example", RB_IP_ANY, &addresses), DNS_FAILURE);
    assert_int_equal(ask_addresses(world.dns, "a..b", RB_IP_ANY, &addresses), DNS_FAILURE);
    assert_int_equal(open_descriptors(), before);
    world_stop(&world);

    /* Over TCP the server has descriptors of its own; with it gone, only ours could be left. */
    int without = open_descriptors();
    world = world_start(ROWS(rows));
    assert_int_equal(ask_mx(world.dns, "large.example", &list), DNS_FOUND);
    assert_int_equal(ask_mx(world.dns, "closed.example", &list), DNS_FAILURE);
    world_stop(&world);
    assert_int_equal(open_descriptors(), without);
}

/* --- Addresses ------------------------------------------------------------- */

static const struct fake_dns_answer two_a[] = {{.type = ns_t_a, .data = "192.0.2.1"},
                                               {.type = ns_t_a, .data = "192.0.2.2"}};
static const struct fake_dns_answer four_aaaa[] = {{.type = ns_t_aaaa, .data = "2001:db8::1"},
                                                   {.type = ns_t_aaaa, .data = "2001:db8::2"},
                                                   {.type = ns_t_aaaa, .data = "2001:db8::3"},
                                                   {.type = ns_t_aaaa, .data = "2001:db8::4"}};
static const struct fake_dns_row host_rows[] = {
    {.name = "mx.example", .type = ns_t_a, ANSWERS(two_a)},
    {.name = "mx.example", .type = ns_t_aaaa, ANSWERS(four_aaaa)}};

static void families_take_turns_with_ipv6_first(void **state)
{
    (void)state;
    static const int families[] = {AF_INET6, AF_INET, AF_INET6, AF_INET, AF_INET6, AF_INET6};
    struct world world = world_start(ROWS(host_rows));
    struct dns_address_list list;
    assert_int_equal(ask_addresses(world.dns, "mx.example", RB_IP_ANY, &list), DNS_FOUND);
    assert_int_equal(list.count, COUNT(families));
    for (size_t i = 0; i < COUNT(families); i++)
        assert_int_equal(list.address[i].ss_family, families[i]);
    for (size_t i = 0; i < COUNT(two_a); i++)
        assert_true(has_address(&list, two_a[i].data));
    for (size_t i = 0; i < COUNT(four_aaaa); i++)
        assert_true(has_address(&list, four_aaaa[i].data));
    world_stop(&world);
}

static void one_family_is_asked_for_alone(void **state)
{
    (void)state;
    static const struct {
        enum rb_ip_version version;
        int family;
        size_t count;
        unsigned asked_a, asked_aaaa;
    } cases[] = {{RB_IP_V4, AF_INET, 2, 1, 0}, {RB_IP_V6, AF_INET6, 4, 0, 1}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct world world = world_start(ROWS(host_rows));
        struct dns_address_list list;
        assert_int_equal(ask_addresses(world.dns, "mx.example", cases[i].version, &list),
                         DNS_FOUND);
        assert_int_equal(list.count, cases[i].count);
        for (size_t j = 0; j < list.count; j++)
            assert_int_equal(list.address[j].ss_family, cases[i].family);
        assert_int_equal(fake_dns_asked_udp(world.fake, "mx.example", ns_t_a), cases[i].asked_a);
        assert_int_equal(fake_dns_asked_udp(world.fake, "mx.example", ns_t_aaaa),
                         cases[i].asked_aaaa);
        world_stop(&world);
    }
}

static void addresses_of_a_family_come_in_random_order(void **state)
{
    (void)state;
    struct world world = world_start(ROWS(host_rows));
    unsigned first = 0;
    for (int i = 0; i < RANDOM_TRIES; i++) {
        struct dns_address_list list;
        char text[INET6_ADDRSTRLEN];
        assert_int_equal(ask_addresses(world.dns, "mx.example", RB_IP_V4, &list), DNS_FOUND);
        first += strcmp(address_text(&list, 0, text), "192.0.2.1") == 0;
    }
    assert_in_range(first, 1, RANDOM_TRIES - 1);
    world_stop(&world);
}

static void addresses_have_port_0_and_are_not_repeated(void **state)
{
    (void)state;
    static const struct fake_dns_answer a[] = {{.type = ns_t_a, .data = "192.0.2.1"},
                                               {.type = ns_t_a, .data = "192.0.2.1"}};
    static const struct fake_dns_row rows[] = {{.name = "mx.example", .type = ns_t_a, ANSWERS(a)}};
    struct world world = world_start(ROWS(rows));
    struct dns_address_list list;
    struct sockaddr_in address;
    assert_int_equal(ask_addresses(world.dns, "mx.example", RB_IP_ANY, &list), DNS_FOUND);
    assert_int_equal(list.count, 1);
    memcpy(&address, &list.address[0], sizeof address);
    assert_int_equal(address.sin_port, 0);
    world_stop(&world);
}

static void of_too_many_addresses_both_families_keep_some(void **state)
{
    (void)state;
    enum { MANY = 3 * DNS_ADDRESSES_MAX };
    static char text[2][MANY][32];
    static struct fake_dns_answer a[MANY], aaaa[MANY];
    const struct fake_dns_row rows[] = {{.name = "mx.example", .type = ns_t_a, ANSWERS(a)},
                                        {.name = "mx.example", .type = ns_t_aaaa, ANSWERS(aaaa)}};
    for (int i = 0; i < MANY; i++) {
        snprintf(text[0][i], sizeof text[0][i], "192.0.2.%d", i);
        snprintf(text[1][i], sizeof text[1][i], "2001:db8::%x", i + 1);
        a[i] = (struct fake_dns_answer){.type = ns_t_a, .data = text[0][i]};
        aaaa[i] = (struct fake_dns_answer){.type = ns_t_aaaa, .data = text[1][i]};
    }
    struct world world = world_start(ROWS(rows));
    struct dns_address_list list;
    assert_int_equal(ask_addresses(world.dns, "mx.example", RB_IP_ANY, &list), DNS_FOUND);
    assert_int_equal(list.count, DNS_ADDRESSES_MAX);
    for (size_t i = 0; i < list.count; i++)
        assert_int_equal(list.address[i].ss_family, i % 2 == 0 ? AF_INET6 : AF_INET);
    assert_int_equal(ask_addresses(world.dns, "mx.example", RB_IP_V4, &list), DNS_FOUND);
    assert_int_equal(list.count, DNS_ADDRESSES_MAX);
    world_stop(&world);
}

static void two_look_ups_come_to_one_outcome(void **state)
{
    (void)state;
    enum { FAILS = ns_r_servfail, NONE = ns_r_noerror, GONE = ns_r_nxdomain, HAS = -1 };
    static const struct {
        int a, aaaa;
        enum dns_outcome outcome;
    } cases[] = {
        {HAS, HAS, DNS_FOUND},       {HAS, FAILS, DNS_FOUND},    {FAILS, HAS, DNS_FOUND},
        {HAS, NONE, DNS_FOUND},      {NONE, HAS, DNS_FOUND},     {HAS, GONE, DNS_FOUND},
        {FAILS, FAILS, DNS_FAILURE}, {FAILS, NONE, DNS_FAILURE}, {NONE, FAILS, DNS_FAILURE},
        {GONE, FAILS, DNS_FAILURE},  {FAILS, GONE, DNS_FAILURE}, {NONE, NONE, DNS_NO_DATA},
        {GONE, NONE, DNS_NO_DATA},   {NONE, GONE, DNS_NO_DATA},  {GONE, GONE, DNS_NO_DOMAIN},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct fake_dns_row rows[] = {{.name = "mx.example",
                                             .type = ns_t_a,
                                             .rcode = cases[i].a == HAS ? NONE : cases[i].a,
                                             .answers = two_a,
                                             .count = cases[i].a == HAS ? COUNT(two_a) : 0},
                                            {.name = "mx.example",
                                             .type = ns_t_aaaa,
                                             .rcode = cases[i].aaaa == HAS ? NONE : cases[i].aaaa,
                                             .answers = four_aaaa,
                                             .count = cases[i].aaaa == HAS ? COUNT(four_aaaa) : 0}};
        struct world world = world_start(ROWS(rows));
        struct dns_address_list list;
        assert_int_equal(ask_addresses(world.dns, "mx.example", RB_IP_ANY, &list),
                         cases[i].outcome);
        assert_int_equal(list.count, (cases[i].a == HAS ? COUNT(two_a) : 0) +
                                         (cases[i].aaaa == HAS ? COUNT(four_aaaa) : 0));
        assert_int_equal(list.is_incomplete, cases[i].a == FAILS || cases[i].aaaa == FAILS);
        world_stop(&world);
    }
}

/* Servers that never answer one type must not cost us the addresses of the other. */
static void silence_about_one_family_does_not_hide_the_other(void **state)
{
    (void)state;
    static const struct fake_dns_row rows[] = {
        {.name = "mx.example", .type = ns_t_a, ANSWERS(two_a)},
        {.name = "mx.example", .type = ns_t_aaaa, .flags = FAKE_DNS_DROP}};
    struct world world = world_start(ROWS(rows));
    struct dns_address_list list;
    assert_int_equal(ask_addresses(world.dns, "mx.example", RB_IP_ANY, &list), DNS_FOUND);
    assert_int_equal(list.count, COUNT(two_a));
    /* What came while the other was waited for has not been lost. */
    assert_int_equal(fake_dns_asked_udp(world.fake, "mx.example", ns_t_a), 1);
    world_stop(&world);
}

static void both_families_are_asked_for_before_either_is_awaited(void **state)
{
    (void)state;
    static const unsigned flags[] = {0, FAKE_DNS_STRAYS, FAKE_DNS_TRUNCATE};
    for (size_t i = 0; i < COUNT(flags); i++) {
        const struct fake_dns_row rows[] = {
            {.name = "mx.example", .type = ns_t_a, .flags = flags[i], ANSWERS(two_a)},
            {.name = "mx.example",
             .type = ns_t_aaaa,
             .flags = FAKE_DNS_AFTER_NEXT,
             ANSWERS(four_aaaa)}};
        struct world world = world_start(ROWS(rows));
        struct dns_address_list list;
        assert_int_equal(ask_addresses(world.dns, "mx.example", RB_IP_ANY, &list), DNS_FOUND);
        assert_int_equal(list.count, COUNT(two_a) + COUNT(four_aaaa));
        assert_int_equal(fake_dns_asked_udp(world.fake, "mx.example", ns_t_aaaa), 1);
        assert_int_equal(fake_dns_asked_udp(world.fake, "mx.example", ns_t_a), 1);
        assert_int_equal(fake_dns_asked_tcp(world.fake, "mx.example", ns_t_invalid),
                         flags[i] == FAKE_DNS_TRUNCATE);
        world_stop(&world);
    }
}

/* A callout has one descriptor at a time. */
static void two_questions_at_once_need_one_descriptor(void **state)
{
    (void)state;
    struct world world = world_start(ROWS(host_rows));
    struct dns_address_list list;
    struct rlimit before;
    int filled[64], next = 0; /* poll(2) refuses a limit that is lower than what it looks at */
    for (size_t i = 0; i < COUNT(filled); i++) {
        filled[i] = next = dup(STDERR_FILENO);
        assert_int_not_equal(next, -1);
    }
    close(next); /* all below it are in use */
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    const struct rlimit one_more = {.rlim_cur = (rlim_t)next + 1, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &one_more), 0);
    enum dns_outcome outcome = ask_addresses(world.dns, "mx.example", RB_IP_ANY, &list);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    for (size_t i = 0; i < COUNT(filled) - 1; i++)
        close(filled[i]);
    assert_int_equal(outcome, DNS_FOUND);
    assert_int_equal(list.count, COUNT(two_a) + COUNT(four_aaaa));
    assert_int_equal(fake_dns_asked_udp(world.fake, "mx.example", ns_t_invalid), 2);
    world_stop(&world);
}

/* Where the first server fails in a way that is told at once, the next is asked for that family. */
static void each_family_goes_on_to_the_next_server_by_itself(void **state)
{
    (void)state;
    enum { GOOD, FAILS, BREAKS, CLOSES };
    static const struct fake_dns_row kinds[] = {
        [GOOD] = {.rcode = ns_r_noerror},
        [FAILS] = {.rcode = ns_r_servfail},
        [BREAKS] = {.flags = FAKE_DNS_GARBAGE | FAKE_DNS_TRUNCATE},
        [CLOSES] = {.flags = FAKE_DNS_TRUNCATE | FAKE_DNS_TCP_CLOSE},
    };
    static const struct {
        int a, aaaa;
    } cases[] = {{GOOD, FAILS},  {FAILS, GOOD},  {FAILS, FAILS}, {BREAKS, GOOD},
                 {GOOD, BREAKS}, {CLOSES, GOOD}, {GOOD, CLOSES}, {CLOSES, FAILS}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fake_dns_row bad[] = {kinds[cases[i].a], kinds[cases[i].aaaa]};
        for (size_t j = 0; j < COUNT(bad); j++) {
            bad[j].name = host_rows[j].name;
            bad[j].type = host_rows[j].type;
            bad[j].answers = host_rows[j].answers;
            bad[j].count = host_rows[j].count;
        }
        struct fake_dns *fakes[] = {fake_dns_start(AF_INET, ROWS(bad)),
                                    fake_dns_start(AF_INET, ROWS(host_rows))};
        const char *const servers[] = {fake_dns_server(fakes[0]), fake_dns_server(fakes[1])};
        struct dns *dns = open_dns(servers, COUNT(servers), clock_system());
        struct dns_address_list list;
        assert_int_equal(ask_addresses(dns, "mx.example", RB_IP_ANY, &list), DNS_FOUND);
        assert_int_equal(list.count, COUNT(two_a) + COUNT(four_aaaa));
        assert_int_equal(fake_dns_asked_udp(fakes[0], "mx.example", ns_t_a), 1);
        assert_int_equal(fake_dns_asked_udp(fakes[0], "mx.example", ns_t_aaaa), 1);
        assert_int_equal(fake_dns_asked_udp(fakes[1], "mx.example", ns_t_a), cases[i].a != GOOD);
        assert_int_equal(fake_dns_asked_udp(fakes[1], "mx.example", ns_t_aaaa),
                         cases[i].aaaa != GOOD);
        dns_close(dns);
        fake_dns_stop(fakes[0]);
        fake_dns_stop(fakes[1]);
    }
}

static void each_family_follows_its_own_cnames(void **state)
{
    (void)state;
    static const struct fake_dns_answer to_four[] = {{.type = ns_t_cname, .data = "four.example"}};
    static const struct fake_dns_answer to_six[] = {{.type = ns_t_cname, .data = "six.example"}};
    static const struct fake_dns_row rows[] = {
        {.name = "mx.example", .type = ns_t_a, ANSWERS(to_four)},
        {.name = "mx.example", .type = ns_t_aaaa, ANSWERS(to_six)},
        {.name = "four.example", .type = ns_t_a, ANSWERS(two_a)},
        {.name = "six.example", .type = ns_t_aaaa, ANSWERS(four_aaaa)}};
    struct world world = world_start(ROWS(rows));
    struct dns_address_list list;
    for (int i = 0; i < 2; i++) { /* the second time, of what was kept */
        assert_int_equal(ask_addresses(world.dns, "mx.example", RB_IP_ANY, &list), DNS_FOUND);
        assert_int_equal(list.count, COUNT(two_a) + COUNT(four_aaaa));
    }
    assert_int_equal(fake_dns_asked_udp(world.fake, "mx.example", ns_t_invalid), 2);
    assert_int_equal(fake_dns_asked_udp(world.fake, "four.example", ns_t_invalid), 1);
    assert_int_equal(fake_dns_asked_udp(world.fake, "six.example", ns_t_invalid), 1);
    world_stop(&world);
}

/* Run in a process of its own, as above. */
static int ask_with_single_request(void)
{
    struct world world = world_start(ROWS(host_rows));
    struct dns_address_list list;
    struct fake_dns_question asked[3];
    bool is_right = ask_addresses(world.dns, "mx.example", RB_IP_ANY, &list) == DNS_FOUND &&
                    list.count == COUNT(two_a) + COUNT(four_aaaa) &&
                    fake_dns_questions(world.fake, asked, COUNT(asked)) == 2 &&
                    asked[0].type == ns_t_aaaa && asked[1].type == ns_t_a &&
                    asked[0].port != asked[1].port;
    world_stop(&world);
    return is_right ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void single_request_in_resolv_conf_means_one_after_the_other(void **state)
{
    (void)state;
    expect_with_option("single-request");
    expect_with_option("single-request-reopen");
}

/* Whether it is the first with this id; whether it is the first with this port. */
static bool is_new_id(const struct fake_dns_question *questions, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (questions[i].id == questions[index].id)
            return false;
    return true;
}

static bool is_new_port(const struct fake_dns_question *questions, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (questions[i].port == questions[index].port)
            return false;
    return true;
}

/* A pair shares its port; ids are drawn for each question (RFC 5452 9.2). */
static void ids_and_ports_cannot_be_foreseen(void **state)
{
    (void)state;
    enum { PAIRS = 64 };
    struct fake_dns_question asked[2 * PAIRS + 1];
    struct fake_dns_row rows[] = {host_rows[0], host_rows[1]};
    struct dns_address_list list;
    size_t ids = 0, ports = 0;
    rows[0].flags = rows[1].flags = FAKE_DNS_TTL_0;
    struct world world = world_start(ROWS(rows));
    for (int i = 0; i < PAIRS; i++)
        assert_int_equal(ask_addresses(world.dns, "mx.example", RB_IP_ANY, &list), DNS_FOUND);
    assert_int_equal(fake_dns_questions(world.fake, asked, COUNT(asked)), 2 * PAIRS);
    for (size_t i = 0; i < 2 * PAIRS; i++) {
        ids += is_new_id(asked, i);
        ports += is_new_port(asked, i);
    }
    for (size_t i = 0; i < 2 * PAIRS; i += 2)
        assert_int_equal(asked[i].port, asked[i + 1].port);
    assert_true(ids > PAIRS); /* of as many random ones, some may be equal */
    assert_true(ports > PAIRS / 2);
    world_stop(&world);
}

static void what_is_lost_is_asked_for_again_and_nothing_else(void **state)
{
    (void)state;
    static const struct {
        unsigned a, aaaa;
    } cases[] = {{FAKE_DNS_FIRST_LOST, 0},
                 {0, FAKE_DNS_FIRST_LOST},
                 {FAKE_DNS_FIRST_LOST, FAKE_DNS_FIRST_LOST}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fake_dns_row rows[] = {host_rows[0], host_rows[1]};
        rows[0].flags = cases[i].a;
        rows[1].flags = cases[i].aaaa;
        struct fake_dns *fake = fake_dns_start(AF_INET, ROWS(rows));
        /* Named twice: asked twice. */
        const char *const servers[] = {fake_dns_server(fake), fake_dns_server(fake)};
        struct dns *dns = open_dns(servers, COUNT(servers), clock_system());
        struct dns_address_list list;
        assert_int_equal(ask_addresses(dns, "mx.example", RB_IP_ANY, &list), DNS_FOUND);
        assert_int_equal(list.count, COUNT(two_a) + COUNT(four_aaaa));
        assert_int_equal(fake_dns_asked_udp(fake, "mx.example", ns_t_a), cases[i].a ? 2 : 1);
        assert_int_equal(fake_dns_asked_udp(fake, "mx.example", ns_t_aaaa), cases[i].aaaa ? 2 : 1);
        dns_close(dns);
        fake_dns_stop(fake);
    }
}

/* What a server does with one of two questions. */
static const struct fake_dns_row troubles[] = {{.flags = FAKE_DNS_WRONG_ID},
                                               {.flags = FAKE_DNS_WRONG_QUESTION},
                                               {.flags = FAKE_DNS_STRANGER},
                                               {.flags = FAKE_DNS_GARBAGE},
                                               {.flags = FAKE_DNS_CUT},
                                               {.flags = FAKE_DNS_BAD_DATA},
                                               {.flags = FAKE_DNS_TRUNCATE | FAKE_DNS_TCP_CLOSE},
                                               {.flags = FAKE_DNS_TRUNCATE | FAKE_DNS_WRONG_ID},
                                               {.rcode = ns_r_formerr},
                                               {.rcode = ns_r_servfail},
                                               {.rcode = ns_r_notimpl},
                                               {.rcode = ns_r_refused},
                                               {.rcode = ns_r_nxdomain}};

struct troubled {
    pthread_t thread;
    struct fake_dns_row rows[2];
    size_t bad; /* which row has the trouble */
    enum dns_outcome outcome;
    struct dns_address_list list;
};

static void *troubled_run(void *arg)
{
    struct troubled *troubled = arg;
    struct fake_dns *fake = fake_dns_start(AF_INET, ROWS(troubled->rows));
    const char *server = fake_dns_server(fake);
    struct dns *dns;
    troubled->outcome = DNS_FAILURE;
    if (dns_open(&server, 1, clock_system(), -1, &dns) == RB_OK)
        troubled->outcome = ask_addresses(dns, "mx.example", RB_IP_ANY, &troubled->list);
    dns_close(dns);
    fake_dns_stop(fake);
    return NULL;
}

/* All at once, to be quick. */
static void trouble_with_one_family_leaves_the_other_alone(void **state)
{
    (void)state;
    static struct troubled all[2 * COUNT(troubles)];
    int before = open_descriptors();
    for (size_t i = 0; i < COUNT(all); i++) {
        struct troubled *troubled = &all[i];
        *troubled = (struct troubled){.rows = {host_rows[0], host_rows[1]}, .bad = i % 2};
        struct fake_dns_row *bad = &troubled->rows[i % 2];
        bad->flags = troubles[i / 2].flags;
        bad->rcode = troubles[i / 2].rcode;
        assert_int_equal(pthread_create(&troubled->thread, NULL, troubled_run, troubled), 0);
    }
    for (size_t i = 0; i < COUNT(all); i++)
        pthread_join(all[i].thread, NULL);
    for (size_t i = 0; i < COUNT(all); i++) {
        const bool has_a = all[i].bad == 1;
        assert_int_equal(all[i].outcome, DNS_FOUND);
        assert_int_equal(all[i].list.count, has_a ? COUNT(two_a) : COUNT(four_aaaa));
        assert_true(has_address(&all[i].list, has_a ? two_a[0].data : four_aaaa[0].data));
    }
    assert_int_equal(open_descriptors(), before);
}

static void answers_that_come_twice_are_taken_once(void **state)
{
    (void)state;
    struct fake_dns_row rows[] = {host_rows[0], host_rows[1]};
    rows[0].flags = rows[1].flags = FAKE_DNS_TWICE;
    struct world world = world_start(ROWS(rows));
    struct dns_address_list list;
    assert_int_equal(ask_addresses(world.dns, "mx.example", RB_IP_ANY, &list), DNS_FOUND);
    assert_int_equal(list.count, COUNT(two_a) + COUNT(four_aaaa));
    assert_int_equal(fake_dns_asked_udp(world.fake, "mx.example", ns_t_invalid), 2);
    world_stop(&world);
}

/* The second question may not even be sent where the first is told at once that nobody listens. */
static void a_server_that_is_not_there_is_passed_over_for_both(void **state)
{
    (void)state;
    struct fake_dns *gone = fake_dns_start(AF_INET, ROWS(host_rows));
    struct fake_dns *good = fake_dns_start(AF_INET, ROWS(host_rows));
    char nobody[64];
    snprintf(nobody, sizeof nobody, "%s", fake_dns_server(gone));
    fake_dns_stop(gone);
    const char *const servers[] = {nobody, fake_dns_server(good)};
    struct dns *dns = open_dns(servers, COUNT(servers), clock_system());
    struct dns_address_list list;
    int before = open_descriptors();
    assert_int_equal(ask_addresses(dns, "mx.example", RB_IP_ANY, &list), DNS_FOUND);
    assert_int_equal(list.count, COUNT(two_a) + COUNT(four_aaaa));
    assert_int_equal(fake_dns_asked_udp(good, "mx.example", ns_t_a), 1);
    assert_int_equal(fake_dns_asked_udp(good, "mx.example", ns_t_aaaa), 1);
    assert_int_equal(open_descriptors(), before);
    dns_close(dns);
    fake_dns_stop(good);
}

static void time_that_ends_in_the_middle_ends_both(void **state)
{
    (void)state;
    static const unsigned flags[] = {FAKE_DNS_DROP, FAKE_DNS_TRUNCATE | FAKE_DNS_TCP_SILENT};
    for (size_t i = 0; i < COUNT(flags) * COUNT(flags); i++) {
        int before = open_descriptors();
        struct fake_dns_row rows[] = {host_rows[0], host_rows[1]};
        rows[0].flags = flags[i % COUNT(flags)];
        rows[1].flags = flags[i / COUNT(flags)];
        struct world world = world_start(ROWS(rows));
        struct dns_address_list list;
        deadline until = deadline_in(clock_system(), HASTY_MS);
        assert_int_equal(dns_addresses(world.dns, "mx.example", RB_IP_ANY, until, &list),
                         DNS_FAILURE);
        assert_int_equal(list.count, 0);
        world_stop(&world);
        assert_int_equal(open_descriptors(), before);
    }
}

static void cnames_of_mail_hosts_are_followed(void **state)
{
    (void)state;
    static const struct fake_dns_answer chain[] = {
        {.type = ns_t_cname, .data = "real.example"},
        {.owner = "real.example", .type = ns_t_a, .data = "192.0.2.9"},
        {.owner = "mx.example", .type = ns_t_a, .data = "192.0.2.66"}};
    static const struct fake_dns_row rows[] = {
        {.name = "mx.example", .type = ns_t_a, ANSWERS(chain)}};
    struct world world = world_start(ROWS(rows));
    struct dns_address_list list;
    assert_int_equal(ask_addresses(world.dns, "mx.example", RB_IP_ANY, &list), DNS_FOUND);
    assert_int_equal(list.count, 1);
    assert_true(has_address(&list, "192.0.2.9"));
    world_stop(&world);
}

static void addresses_of_the_wrong_length_are_failures(void **state)
{
    (void)state;
    static const struct fake_dns_row rows[] = {
        {.name = "mx.example", .type = ns_t_a, .flags = FAKE_DNS_BAD_DATA, ANSWERS(two_a)},
        {.name = "mx.example", .type = ns_t_aaaa, .flags = FAKE_DNS_BAD_DATA, ANSWERS(four_aaaa)}};
    static const enum rb_ip_version versions[] = {RB_IP_ANY, RB_IP_V4, RB_IP_V6};
    struct world world = world_start(ROWS(rows));
    for (size_t i = 0; i < COUNT(versions); i++) {
        struct dns_address_list list;
        assert_int_equal(ask_addresses(world.dns, "mx.example", versions[i], &list), DNS_FAILURE);
        assert_int_equal(list.count, 0);
    }
    world_stop(&world);
}

/* --- Records of one type ------------------------------------------------------ */

static enum dns_outcome ask_records(const struct dns *dns, const char *name, int type,
                                    struct dns_record_list *list)
{
    return dns_records(dns, name, type, deadline_in(clock_system(), PATIENT_MS), list);
}

/* The outcome of one question to a server with one row; nothing is left in the list then. */
static enum dns_outcome records_outcome(const struct fake_dns_row *row, const char *name, int type)
{
    struct dns_record_list list;
    struct world world = world_start(row, 1);
    enum dns_outcome outcome =
        dns_records(world.dns, name, type, deadline_in(clock_system(), HASTY_MS), &list);
    if (outcome != DNS_FOUND) {
        assert_int_equal(list.count, 0);
        assert_false(list.is_cut);
    }
    dns_records_free(&list);
    world_stop(&world);
    return outcome;
}

static void strings_of_a_txt_are_joined(void **state)
{
    (void)state;
    char longest[600];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    const struct fake_dns_answer txt[] = {{.type = ns_t_txt, .data = "v=spf1 \n-all"},
                                          {.type = ns_t_txt, .data = ""},
                                          {.type = ns_t_txt, .data = longest},
                                          {.type = ns_t_txt, .data = "\377\001 Mixed"}};
    const struct fake_dns_row rows[] = {{.name = "_spf.Example.org", ANSWERS(txt)}};
    struct world world = world_start(ROWS(rows));
    struct dns_record_list list;
    assert_int_equal(ask_records(world.dns, "_spf.example.org", ns_t_txt, &list), DNS_FOUND);
    assert_int_equal(list.count, COUNT(txt));
    assert_string_equal(list.record[0].text, "v=spf1 -all");
    assert_int_equal(list.record[0].text_len, strlen("v=spf1 -all"));
    assert_string_equal(list.record[1].text, "");
    assert_int_equal(list.record[1].text_len, 0);
    assert_string_equal(list.record[2].text, longest);
    assert_int_equal(list.record[2].text_len, sizeof longest - 1);
    assert_string_equal(list.record[3].text, "\377\001 Mixed");
    dns_records_free(&list);
    assert_int_equal(list.count, 0);
    world_stop(&world);
}

static void names_of_pointers_and_mail_hosts_come_in_lower_case(void **state)
{
    (void)state;
    static const struct fake_dns_answer ptr[] = {{.type = ns_t_ptr, .data = "Mail.Example.org"},
                                                 {.type = ns_t_ptr, .data = "a\\000b.example"},
                                                 {.type = ns_t_ptr, .data = "."}};
    static const struct fake_dns_answer mx[] = {
        {.type = ns_t_mx, .preference = 300, .data = "B.example"},
        {.type = ns_t_mx, .preference = 5, .data = "a.example"}};
    static const struct fake_dns_row rows[] = {{.name = "1.2.0.192.in-addr.arpa", ANSWERS(ptr)},
                                               {.name = "example.org", ANSWERS(mx)}};
    struct world world = world_start(ROWS(rows));
    struct dns_record_list list;
    assert_int_equal(ask_records(world.dns, "1.2.0.192.in-addr.arpa", ns_t_ptr, &list), DNS_FOUND);
    assert_int_equal(list.count, 1);
    assert_string_equal(list.record[0].text, "mail.example.org");
    assert_int_equal(list.record[0].text_len, strlen("mail.example.org"));
    dns_records_free(&list);
    assert_int_equal(ask_records(world.dns, "example.org", ns_t_mx, &list), DNS_FOUND);
    assert_int_equal(list.count, 2);
    assert_string_equal(list.record[0].text, "b.example");
    assert_int_equal(list.record[0].preference, 300);
    assert_int_equal(list.record[1].preference, 5);
    dns_records_free(&list);
    world_stop(&world);
}

static void addresses_come_as_octets(void **state)
{
    (void)state;
    static const struct fake_dns_answer a[] = {{.type = ns_t_a, .data = "192.0.2.1"}};
    static const struct fake_dns_answer aaaa[] = {{.type = ns_t_aaaa, .data = "2001:db8::1"}};
    static const struct fake_dns_row rows[] = {
        {.name = "example.org", .type = ns_t_a, ANSWERS(a)},
        {.name = "example.org", .type = ns_t_aaaa, ANSWERS(aaaa)}};
    static const uint8_t v4[4] = {192, 0, 2, 1}, v6[16] = {0x20, 1, 0x0d, 0xb8, [15] = 1};
    struct world world = world_start(ROWS(rows));
    struct dns_record_list list;
    assert_int_equal(ask_records(world.dns, "example.org", ns_t_a, &list), DNS_FOUND);
    assert_int_equal(list.count, 1);
    assert_true(ip_is_v4(&list.record[0].ip));
    assert_memory_equal(ip_v4(&list.record[0].ip), v4, sizeof v4);
    assert_null(list.record[0].text);
    dns_records_free(&list);
    assert_int_equal(ask_records(world.dns, "example.org", ns_t_aaaa, &list), DNS_FOUND);
    assert_int_equal(list.count, 1);
    assert_memory_equal(list.record[0].ip.octets, v6, sizeof v6);
    dns_records_free(&list);
    world_stop(&world);
}

static void odd_names_may_be_asked_for(void **state)
{
    (void)state;
    static const struct {
        const char *name, *written; /* as in a zone file; NULL: the same */
    } cases[] = {
        {"_spf.example.org", NULL},
        {"a+b=c.example.org", NULL},
        {"x", NULL},
        {"1.0/25.2.0.192.in-addr.arpa", NULL},
        {"a!#%&'*,:<>?[]^`{|}~b.c", NULL},
        {"a b.c", "a\\032b.c"},
        {"a@b.c", "a\\@b.c"},
        {"a\"(;)$b.c", "a\\\"\\(\\;\\)\\$b.c"},
        {"@", "\\@"},
        {" ", "\\032"},
    };
    static const struct fake_dns_answer txt[] = {{.type = ns_t_txt, .data = "yes"}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *written = cases[i].written != NULL ? cases[i].written : cases[i].name;
        const struct fake_dns_row row = {.name = written, ANSWERS(txt)};
        assert_true(dns_name_can_be_asked(cases[i].name));
        if (records_outcome(&row, cases[i].name, ns_t_txt) != DNS_FOUND)
            fail_msg("%s was not asked for", cases[i].name);
    }
}

static void what_is_no_name_is_not_asked_for(void **state)
{
    (void)state;
    static const char *const names[] = {"",       ".",      "example.org.", "a..b",
                                        ".a",     "a\\b.c", "\\",           "a\nb",
                                        "\001.c", "\177.c", "\303\244.c"};
    struct world world = world_start(NULL, 0);
    for (size_t i = 0; i < COUNT(names); i++) {
        struct dns_record_list list;
        assert_false(dns_name_can_be_asked(names[i]));
        /* Had it been asked for, it would not exist. */
        if (ask_records(world.dns, names[i], ns_t_txt, &list) != DNS_FAILURE)
            fail_msg("\"%s\" was asked for", names[i]);
        assert_int_equal(list.count, 0);
    }
    world_stop(&world);
}

/* And a host's name is still a host's name. */
static void mail_domains_may_not_be_odd(void **state)
{
    (void)state;
    static const struct fake_dns_answer mx[] = {{.type = ns_t_mx, .data = "mx.example"}};
    const struct fake_dns_row row = {.name = "a+b.example.org", ANSWERS(mx)};
    assert_int_equal(mx_outcome(&row, 1, "a+b.example.org"), DNS_FAILURE);
}

static void types_that_are_not_known_are_not_asked_for(void **state)
{
    (void)state;
    static const int types[] = {0, -1, ns_t_any, ns_t_cname, ns_t_soa, 99, 65536};
    const struct fake_dns_row row = {.name = "example.org"};
    for (size_t i = 0; i < COUNT(types); i++)
        assert_int_equal(records_outcome(&row, "example.org", types[i]), DNS_FAILURE);
}

static void records_that_are_not_there_are_told_apart(void **state)
{
    (void)state;
    static const struct fake_dns_answer roots[] = {{.type = ns_t_mx, .data = "."}};
    const struct fake_dns_row row = {.name = "example.org", .type = ns_t_mx, ANSWERS(roots)};
    assert_int_equal(records_outcome(&row, "example.com", ns_t_txt), DNS_NO_DOMAIN);
    assert_int_equal(records_outcome(&row, "example.org", ns_t_txt), DNS_NO_DATA);
    assert_int_equal(records_outcome(&row, "example.org", ns_t_mx), DNS_NO_DATA);
}

static void broken_records_are_failures(void **state)
{
    (void)state;
    static const struct fake_dns_answer records[] = {{.type = ns_t_txt, .data = "v=spf1 -all"},
                                                     {.type = ns_t_a, .data = "192.0.2.1"},
                                                     {.type = ns_t_aaaa, .data = "2001:db8::1"},
                                                     {.type = ns_t_ptr, .data = "a.example"},
                                                     {.type = ns_t_mx, .data = "a.example"}};
    static const unsigned flags[] = {FAKE_DNS_BAD_DATA, FAKE_DNS_CUT};
    for (size_t i = 0; i < COUNT(records); i++) {
        for (size_t j = 0; j < COUNT(flags); j++) {
            const struct fake_dns_row row = {
                .name = "example.org", .answers = &records[i], .count = 1, .flags = flags[j]};
            assert_int_equal(records_outcome(&row, "example.org", records[i].type), DNS_FAILURE);
        }
    }
}

/* It is not allowed, and seen; what stands beside it must not suffer. */
static void a_txt_without_a_string_is_an_empty_one(void **state)
{
    (void)state;
    static const struct fake_dns_answer txt[] = {{.type = ns_t_txt, .data = ""}};
    static const struct fake_dns_row rows[] = {
        {.name = "example.org", ANSWERS(txt), .flags = FAKE_DNS_BAD_DATA}};
    struct world world = world_start(ROWS(rows));
    struct dns_record_list list;
    assert_int_equal(ask_records(world.dns, "example.org", ns_t_txt, &list), DNS_FOUND);
    assert_int_equal(list.count, 1);
    assert_string_equal(list.record[0].text, "");
    dns_records_free(&list);
    world_stop(&world);
}

/* For those who look at what somebody else wrote: any name that they could ask for. */
static void recent_records_name_odd_hosts_too(void **state)
{
    (void)state;
    static const struct fake_dns_answer ptr[] = {{.type = ns_t_ptr, .data = "Mail.Example.org"},
                                                 {.type = ns_t_ptr, .data = "a:b/c\\032d.example"},
                                                 {.type = ns_t_ptr, .data = "a\\000b.example"},
                                                 {.type = ns_t_ptr, .data = "a\\.b.example"},
                                                 {.type = ns_t_ptr, .data = "a\\\\b.example"},
                                                 {.type = ns_t_ptr, .data = "\\255.example"},
                                                 {.type = ns_t_ptr, .data = "."}};
    static const struct fake_dns_answer root[] = {{.type = ns_t_mx, .data = "."}};
    static const struct fake_dns_row rows[] = {{.name = "a.example", ANSWERS(ptr)},
                                               {.name = "b.example", ANSWERS(root)}};
    const deadline until = deadline_in(clock_system(), PATIENT_MS);
    struct world world = world_start(ROWS(rows));
    struct dns_record_list list;
    assert_int_equal(dns_records_recent(world.dns, "a.example", ns_t_ptr, until, &list), DNS_FOUND);
    assert_int_equal(list.count, 2);
    assert_string_equal(list.record[0].text, "mail.example.org");
    assert_string_equal(list.record[1].text, "a:b/c d.example");
    dns_records_free(&list);
    assert_int_equal(dns_records_recent(world.dns, "b.example", ns_t_mx, until, &list), DNS_FOUND);
    assert_int_equal(list.count, 0);
    world_stop(&world);
}

static void octets_behind_an_address_or_a_name_are_failures(void **state)
{
    (void)state;
    static const struct fake_dns_answer records[] = {{.type = ns_t_a, .data = "192.0.2.1"},
                                                     {.type = ns_t_aaaa, .data = "2001:db8::1"},
                                                     {.type = ns_t_ptr, .data = "a.example"},
                                                     {.type = ns_t_mx, .data = "a.example"}};
    for (size_t i = 0; i < COUNT(records); i++) {
        const struct fake_dns_row row = {
            .name = "example.org", .answers = &records[i], .count = 1, .flags = FAKE_DNS_LONG_DATA};
        assert_int_equal(records_outcome(&row, "example.org", records[i].type), DNS_FAILURE);
    }
}

static void long_answers_are_had_over_tcp_and_cut_at_the_ceiling(void **state)
{
    (void)state;
    struct fake_dns_answer txt[DNS_RECORDS_MAX + 1];
    for (size_t i = 0; i < COUNT(txt); i++)
        txt[i] = (struct fake_dns_answer){.type = ns_t_txt, .data = "some text of some length"};
    const struct fake_dns_row rows[] = {
        {.name = "more.example", ANSWERS(txt), .flags = FAKE_DNS_TRUNCATE},
        {.name = "full.example",
         .answers = txt,
         .count = DNS_RECORDS_MAX,
         .flags = FAKE_DNS_TRUNCATE}};
    struct world world = world_start(ROWS(rows));
    struct dns_record_list list;
    assert_int_equal(ask_records(world.dns, "more.example", ns_t_txt, &list), DNS_FOUND);
    assert_int_equal(list.count, DNS_RECORDS_MAX);
    assert_true(list.is_cut);
    dns_records_free(&list);
    assert_false(list.is_cut);
    assert_int_equal(ask_records(world.dns, "full.example", ns_t_txt, &list), DNS_FOUND);
    assert_int_equal(list.count, DNS_RECORDS_MAX);
    assert_false(list.is_cut);
    dns_records_free(&list);
    assert_int_equal(fake_dns_asked_tcp(world.fake, "full.example", ns_t_txt), 1);
    world_stop(&world);
}

/* RFC 2317: the reverse name of an address in less than a /24 is an alias of an odd name. */
static void classless_delegations_are_followed(void **state)
{
    (void)state;
    static const struct fake_dns_answer answers[] = {
        {.type = ns_t_cname, .data = "1.0/25.2.0.192.in-addr.arpa"},
        {.owner = "1.0/25.2.0.192.in-addr.arpa", .type = ns_t_ptr, .data = "mail.example.org"}};
    static const struct fake_dns_row rows[] = {
        {.name = "1.2.0.192.in-addr.arpa", ANSWERS(answers)}};
    struct world world = world_start(ROWS(rows));
    struct dns_record_list list;
    assert_int_equal(ask_records(world.dns, "1.2.0.192.in-addr.arpa", ns_t_ptr, &list), DNS_FOUND);
    assert_int_equal(list.count, 1);
    assert_string_equal(list.record[0].text, "mail.example.org");
    dns_records_free(&list);
    world_stop(&world);
}

static void reverse_names_are_written_for_both_families(void **state)
{
    (void)state;
    static const struct {
        const char *address, *name;
    } cases[] = {
        {"192.0.2.1", "1.2.0.192.in-addr.arpa"},
        {"255.255.255.255", "255.255.255.255.in-addr.arpa"},
        {"::ffff:192.0.2.1", "1.2.0.192.in-addr.arpa"},
        {"2001:db8::cb01",
         "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"},
    };
    char name[RB_DOMAIN_MAX + 1];
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct sockaddr_storage address;
        struct ip ip;
        assert_true(ip_sockaddr_parse(cases[i].address, &address));
        assert_true(ip_from_sockaddr((const struct sockaddr *)&address, &ip));
        dns_name_of_ip(&ip, name);
        assert_string_equal(name, cases[i].name);
    }
}

static int ask_with_option(const char *option)
{
    return strcmp(option, "use-vc") == 0 ? ask_with_use_vc() : ask_with_single_request();
}

int main(int argc, char **argv)
{
    if (argc == 2)
        return ask_with_option(argv[1]);
    program = argv[0];
    /* Read once, by the first look-up. One attempt of a second: what is silent here stays silent.
     */
    setenv("RES_OPTIONS", "attempts:1 timeout:1", 1);
    setenv("LOCALDOMAIN", "none.example", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_servers_are_taken),
        cmocka_unit_test(malformed_servers_are_refused),
        cmocka_unit_test(more_servers_than_libresolv_has_room_for_are_refused),
        cmocka_unit_test(mail_hosts_come_by_preference_in_lower_case),
        cmocka_unit_test(equal_preferences_come_in_random_order),
        cmocka_unit_test(nxdomain_is_told_from_no_data),
        cmocka_unit_test(a_lone_dot_is_a_null_mx),
        cmocka_unit_test(a_dot_beside_other_hosts_is_left_out),
        cmocka_unit_test(two_dots_are_no_null_mx),
        cmocka_unit_test(hostile_mail_host_names_are_skipped),
        cmocka_unit_test(mail_hosts_may_be_addresses_written_out),
        cmocka_unit_test(hostile_mail_hosts_alone_are_a_failure_and_not_no_data),
        cmocka_unit_test(a_mail_host_named_twice_is_kept_once_with_its_best_preference),
        cmocka_unit_test(of_too_many_mail_hosts_the_best_are_kept),
        cmocka_unit_test(records_of_another_name_or_type_are_not_taken),
        cmocka_unit_test(names_are_compared_without_regard_to_case),
        cmocka_unit_test(domains_that_cannot_be_asked_are_failures_and_never_asked),
        cmocka_unit_test(the_longest_name_and_label_are_asked),
        cmocka_unit_test(no_search_list_is_used),
        cmocka_unit_test(cnames_within_an_answer_are_followed),
        cmocka_unit_test(a_cname_alone_is_asked_again),
        cmocka_unit_test(a_cname_to_nowhere_is_no_domain),
        cmocka_unit_test(a_cname_to_a_name_without_mail_hosts_is_no_data),
        cmocka_unit_test(cname_loops_end_in_failure),
        cmocka_unit_test(cname_hops_are_counted_over_all_answers),
        cmocka_unit_test(cnames_to_hostile_names_are_failures),
        cmocka_unit_test(error_codes_are_failures),
        cmocka_unit_test(broken_answers_are_failures),
        cmocka_unit_test(silence_and_answers_to_others_are_failures),
        cmocka_unit_test(the_answer_behind_those_to_others_is_taken),
        cmocka_unit_test(tcp_answers_that_are_not_ours_are_failures),
        cmocka_unit_test(nothing_is_asked_when_the_time_has_passed),
        cmocka_unit_test(truncated_answers_are_had_over_tcp),
        cmocka_unit_test(use_vc_in_resolv_conf_means_tcp_alone),
        cmocka_unit_test(the_next_server_is_asked_where_one_fails),
        cmocka_unit_test(nxdomain_of_one_server_is_final),
        cmocka_unit_test(a_server_that_is_not_there_is_passed_over),
        cmocka_unit_test(servers_are_reached_over_ipv6),
        cmocka_unit_test(many_threads_ask_at_once),
        cmocka_unit_test(no_descriptor_is_left_behind),
        cmocka_unit_test(families_take_turns_with_ipv6_first),
        cmocka_unit_test(one_family_is_asked_for_alone),
        cmocka_unit_test(addresses_of_a_family_come_in_random_order),
        cmocka_unit_test(addresses_have_port_0_and_are_not_repeated),
        cmocka_unit_test(of_too_many_addresses_both_families_keep_some),
        cmocka_unit_test(two_look_ups_come_to_one_outcome),
        cmocka_unit_test(silence_about_one_family_does_not_hide_the_other),
        cmocka_unit_test(both_families_are_asked_for_before_either_is_awaited),
        cmocka_unit_test(two_questions_at_once_need_one_descriptor),
        cmocka_unit_test(each_family_goes_on_to_the_next_server_by_itself),
        cmocka_unit_test(each_family_follows_its_own_cnames),
        cmocka_unit_test(single_request_in_resolv_conf_means_one_after_the_other),
        cmocka_unit_test(ids_and_ports_cannot_be_foreseen),
        cmocka_unit_test(what_is_lost_is_asked_for_again_and_nothing_else),
        cmocka_unit_test(trouble_with_one_family_leaves_the_other_alone),
        cmocka_unit_test(answers_that_come_twice_are_taken_once),
        cmocka_unit_test(a_server_that_is_not_there_is_passed_over_for_both),
        cmocka_unit_test(time_that_ends_in_the_middle_ends_both),
        cmocka_unit_test(cnames_of_mail_hosts_are_followed),
        cmocka_unit_test(addresses_of_the_wrong_length_are_failures),
        cmocka_unit_test(strings_of_a_txt_are_joined),
        cmocka_unit_test(names_of_pointers_and_mail_hosts_come_in_lower_case),
        cmocka_unit_test(addresses_come_as_octets),
        cmocka_unit_test(odd_names_may_be_asked_for),
        cmocka_unit_test(what_is_no_name_is_not_asked_for),
        cmocka_unit_test(mail_domains_may_not_be_odd),
        cmocka_unit_test(types_that_are_not_known_are_not_asked_for),
        cmocka_unit_test(records_that_are_not_there_are_told_apart),
        cmocka_unit_test(broken_records_are_failures),
        cmocka_unit_test(a_txt_without_a_string_is_an_empty_one),
        cmocka_unit_test(recent_records_name_odd_hosts_too),
        cmocka_unit_test(octets_behind_an_address_or_a_name_are_failures),
        cmocka_unit_test(long_answers_are_had_over_tcp_and_cut_at_the_ceiling),
        cmocka_unit_test(classless_delegations_are_followed),
        cmocka_unit_test(reverse_names_are_written_for_both_families),
    };
    return cmocka_run_group_tests_name("dns", tests, NULL, NULL);
}
