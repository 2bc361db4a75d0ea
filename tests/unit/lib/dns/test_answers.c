/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_answers: for how long what a name server said does for the next question; how often the
 * scripted server was asked tells. Time is moved by hand.
 */
#include "config.h"

#include "dns/answers.h"

#include "dns/addresses.h"
#include "dns/mail_exchangers.h"
#include "dns/records.h"

#include <arpa/nameser.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "fake_clock.h"
#include "fake_dns.h"

#define ANSWERS(table) .answers = (table), .count = COUNT(table)

enum {
    PATIENT_MS = 100000000,
    LONGEST_S = DNS_HOSTS_KEPT_S,
    THREADS = 8,
    TURNS = 200,
    ENTRIES = 1000,
};

static const struct dns_answers_terms some = {
    .most_ms = PATIENT_MS, .entries_max = ENTRIES, .size_max = 100, .octets_max = ENTRIES * 100};

struct world {
    struct fake_clock clock;
    struct fake_dns *fake;
    struct dns *dns;
};

static void start(struct world *world, const struct fake_dns_row *rows, size_t count)
{
    const char *server;

    fake_clock_init(&world->clock);
    world->fake = fake_dns_start(AF_INET, rows, count);
    assert_non_null(world->fake);
    server = fake_dns_server(world->fake);
    assert_int_equal(dns_open(&server, 1, &world->clock.clock, -1, &world->dns), RB_OK);
}

static void stop(struct world *world)
{
    dns_close(world->dns);
    fake_dns_stop(world->fake);
}

static enum dns_outcome ask_mx(const struct world *world, const char *domain)
{
    struct dns_mx_list list;

    return dns_mail_exchangers(world->dns, domain, deadline_in(&world->clock.clock, PATIENT_MS),
                               &list);
}

static enum dns_outcome ask_v4(const struct world *world, const char *name)
{
    struct dns_address_list list;

    return dns_addresses(world->dns, name, RB_IP_V4, deadline_in(&world->clock.clock, PATIENT_MS),
                         &list);
}

static unsigned asked(const struct world *world, const char *name)
{
    return fake_dns_asked_udp(world->fake, name, ns_t_invalid) +
           fake_dns_asked_tcp(world->fake, name, ns_t_invalid);
}

static const struct fake_dns_answer one_mx[] = {
    {.type = ns_t_mx, .preference = 10, .data = "mx.example"}};
static const struct fake_dns_answer null_mx[] = {{.type = ns_t_mx, .data = "."}};
static const struct fake_dns_answer bad_mx[] = {{.type = ns_t_mx, .data = "\\000.example"}};
static const struct fake_dns_answer address[] = {{.type = ns_t_a, .data = "192.0.2.1"}};
static const struct fake_dns_answer alias[] = {{.type = ns_t_cname, .data = "real.example"}};

static void an_answer_holds_for_its_ttl_and_half_a_minute_at_most(void **state)
{
    (void)state;
    static const struct fake_dns_row rows[] = {
        {.name = "short.example", .type = ns_t_mx, ANSWERS(one_mx), .ttl_s = 5},
        {.name = "long.example", .type = ns_t_mx, ANSWERS(one_mx), .ttl_s = 86400},
        {.name = "endless.example", .type = ns_t_mx, ANSWERS(one_mx), .ttl_s = 0x7fffffff},
        {.name = "null.example", .type = ns_t_mx, ANSWERS(null_mx), .ttl_s = 5},
    };
    static const struct {
        const char *domain;
        enum dns_outcome outcome;
        unsigned holds_s;
    } cases[] = {
        {"short.example", DNS_FOUND, 5},
        {"long.example", DNS_FOUND, LONGEST_S},
        {"endless.example", DNS_FOUND, LONGEST_S},
        {"null.example", DNS_NULL_MX, 5},
    };
    struct world world;

    start(&world, rows, COUNT(rows));
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *domain = cases[i].domain;

        assert_int_equal(ask_mx(&world, domain), cases[i].outcome);
        fake_clock_advance_s(&world.clock, cases[i].holds_s - 1);
        assert_int_equal(ask_mx(&world, domain), cases[i].outcome);
        assert_int_equal(asked(&world, domain), 1);
        fake_clock_advance_s(&world.clock, 1);
        assert_int_equal(ask_mx(&world, domain), cases[i].outcome);
        assert_int_equal(asked(&world, domain), 2);
    }
    stop(&world);
}

static void what_must_not_be_kept_is_asked_for_each_time(void **state)
{
    (void)state;
    static const struct fake_dns_row rows[] = {
        {.name = "zero.example", .type = ns_t_mx, ANSWERS(one_mx), .flags = FAKE_DNS_TTL_0},
        {.name = "huge.example", .type = ns_t_mx, ANSWERS(one_mx), .ttl_s = 0x80000000U},
        {.name = "failing.example", .rcode = ns_r_servfail},
        {.name = "gone.example", .rcode = ns_r_nxdomain, .soa_ttl_s = 60, .soa_minimum_s = 60},
        {.name = "broken.example", .type = ns_t_mx, ANSWERS(one_mx), .flags = FAKE_DNS_LONG_DATA},
        {.name = "nothing.example", .type = ns_t_txt},
        {.name = "never.example", .type = ns_t_mx, .soa_ttl_s = 60, .soa_minimum_s = 0},
    };
    static const struct {
        const char *domain;
        enum dns_outcome outcome;
    } cases[] = {
        {"zero.example", DNS_FOUND},        {"huge.example", DNS_FOUND},
        {"failing.example", DNS_FAILURE},   {"gone.example", DNS_NO_DOMAIN},
        {"missing.example", DNS_NO_DOMAIN}, {"broken.example", DNS_FAILURE},
        {"nothing.example", DNS_NO_DATA},   {"never.example", DNS_NO_DATA},
    };
    struct world world;

    start(&world, rows, COUNT(rows));
    for (size_t i = 0; i < COUNT(cases); i++) {
        unsigned once;

        assert_int_equal(ask_mx(&world, cases[i].domain), cases[i].outcome);
        once = asked(&world, cases[i].domain);
        assert_true(once > 0);
        assert_int_equal(ask_mx(&world, cases[i].domain), cases[i].outcome);
        assert_int_equal(asked(&world, cases[i].domain), 2 * once);
    }
    stop(&world);
}

static void no_data_holds_as_long_as_its_soa_says(void **state)
{
    (void)state;
    static const struct fake_dns_row rows[] = {
        {.name = "a.example", .type = ns_t_mx, .soa_ttl_s = 20, .soa_minimum_s = 7},
        {.name = "b.example", .type = ns_t_mx, .soa_ttl_s = 7, .soa_minimum_s = 20},
    };
    struct world world;

    for (size_t i = 0; i < COUNT(rows); i++) {
        start(&world, rows, COUNT(rows));
        assert_int_equal(ask_mx(&world, rows[i].name), DNS_NO_DATA);
        fake_clock_advance_s(&world.clock, 6);
        assert_int_equal(ask_mx(&world, rows[i].name), DNS_NO_DATA);
        assert_int_equal(asked(&world, rows[i].name), 1);
        fake_clock_advance_s(&world.clock, 1);
        assert_int_equal(ask_mx(&world, rows[i].name), DNS_NO_DATA);
        assert_int_equal(asked(&world, rows[i].name), 2);
        stop(&world);
    }
}

static void each_name_of_a_chain_holds_for_its_own_ttl(void **state)
{
    (void)state;
    static const struct fake_dns_row rows[] = {
        {.name = "alias.example", ANSWERS(alias), .ttl_s = 5},
        {.name = "real.example", .type = ns_t_a, ANSWERS(address), .ttl_s = 20},
    };
    struct world world;

    start(&world, rows, COUNT(rows));
    for (int i = 0; i < 3; i++)
        assert_int_equal(ask_v4(&world, "alias.example"), DNS_FOUND);
    assert_int_equal(asked(&world, "alias.example"), 1);
    assert_int_equal(asked(&world, "real.example"), 1);
    fake_clock_advance_s(&world.clock, 5);
    assert_int_equal(ask_v4(&world, "alias.example"), DNS_FOUND);
    assert_int_equal(asked(&world, "alias.example"), 2);
    assert_int_equal(asked(&world, "real.example"), 1);
    stop(&world);
}

static void types_and_names_are_told_apart(void **state)
{
    (void)state;
    static const struct fake_dns_row rows[] = {
        {.name = "a.example", .type = ns_t_mx, ANSWERS(one_mx)},
        {.name = "a.example", .type = ns_t_a, ANSWERS(address)},
        {.name = "b.example", .type = ns_t_mx, ANSWERS(null_mx)},
    };
    struct world world;

    start(&world, rows, COUNT(rows));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ask_mx(&world, "a.example"), DNS_FOUND);
        assert_int_equal(ask_v4(&world, "a.example"), DNS_FOUND);
        assert_int_equal(ask_mx(&world, "b.example"), DNS_NULL_MX);
    }
    assert_int_equal(asked(&world, "a.example"), 2);
    assert_int_equal(asked(&world, "b.example"), 1);
    stop(&world);
}

static void a_family_that_is_kept_is_not_asked_for_with_the_other(void **state)
{
    (void)state;
    static const struct fake_dns_answer aaaa[] = {{.type = ns_t_aaaa, .data = "2001:db8::1"}};
    static const struct fake_dns_row rows[] = {
        {.name = "a.example", .type = ns_t_a, ANSWERS(address), .ttl_s = 20},
        {.name = "a.example", .type = ns_t_aaaa, ANSWERS(aaaa), .ttl_s = 5},
    };
    static const struct {
        unsigned later_s, asked_a, asked_aaaa;
    } turns[] = {{0, 1, 1}, {0, 1, 1}, {5, 1, 2}, {0, 1, 2}, {15, 2, 3}};
    struct world world;

    start(&world, rows, COUNT(rows));
    assert_int_equal(ask_v4(&world, "a.example"), DNS_FOUND);
    for (size_t i = 0; i < COUNT(turns); i++) {
        struct dns_address_list list;

        fake_clock_advance_s(&world.clock, turns[i].later_s);
        assert_int_equal(dns_addresses(world.dns, "a.example", RB_IP_ANY,
                                       deadline_in(&world.clock.clock, PATIENT_MS), &list),
                         DNS_FOUND);
        assert_int_equal(list.count, 2);
        assert_int_equal(fake_dns_asked_udp(world.fake, "a.example", ns_t_a), turns[i].asked_a);
        assert_int_equal(fake_dns_asked_udp(world.fake, "a.example", ns_t_aaaa),
                         turns[i].asked_aaaa);
    }
    stop(&world);
}

/* Of two answers that came together, each is kept or not for what it is. */
static void what_one_family_may_not_keep_is_asked_for_without_the_other(void **state)
{
    (void)state;
    static const int rcodes[] = {ns_r_nxdomain, ns_r_servfail, ns_r_formerr};
    for (size_t i = 0; i < COUNT(rcodes); i++) {
        const struct fake_dns_row rows[] = {
            {.name = "a.example", .type = ns_t_a, ANSWERS(address)},
            {.name = "a.example", .type = ns_t_aaaa, .rcode = rcodes[i]},
        };
        struct world world;
        struct dns_address_list list;

        start(&world, rows, COUNT(rows));
        for (int turn = 0; turn < 2; turn++) {
            assert_int_equal(dns_addresses(world.dns, "a.example", RB_IP_ANY,
                                           deadline_in(&world.clock.clock, PATIENT_MS), &list),
                             DNS_FOUND);
            assert_int_equal(list.count, 1);
            assert_int_equal(fake_dns_asked_udp(world.fake, "a.example", ns_t_a), 1);
        }
        assert_true(fake_dns_asked_udp(world.fake, "a.example", ns_t_aaaa) > 1);
        stop(&world);
    }
}

static void what_cannot_be_used_is_no_better_the_second_time(void **state)
{
    (void)state;
    static const struct fake_dns_row rows[] = {
        {.name = "bad.example", .type = ns_t_mx, ANSWERS(bad_mx)}};
    struct world world;

    start(&world, rows, COUNT(rows));
    for (int i = 0; i < 2; i++)
        assert_int_equal(ask_mx(&world, "bad.example"), DNS_FAILURE);
    stop(&world);
}

static void a_long_answer_is_not_kept(void **state)
{
    (void)state;
    static char names[100][32];
    static struct fake_dns_answer many[COUNT(names)];
    const struct fake_dns_row rows[] = {
        {.name = "many.example", .type = ns_t_mx, .flags = FAKE_DNS_TRUNCATE, ANSWERS(many)}};
    struct world world;

    for (size_t i = 0; i < COUNT(many); i++) {
        (void)snprintf(names[i], sizeof names[i], "mx%zu.hosts.many.example", i);
        many[i] = (struct fake_dns_answer){.type = ns_t_mx, .data = names[i]};
    }
    start(&world, rows, COUNT(rows));
    assert_int_equal(ask_mx(&world, "many.example"), DNS_FOUND);
    assert_int_equal(ask_mx(&world, "many.example"), DNS_FOUND);
    assert_int_equal(fake_dns_asked_tcp(world.fake, "many.example", ns_t_mx), 2);
    stop(&world);
}

/* --- Records of others ------------------------------------------------------- */

static enum dns_outcome look_up_until(const struct world *world, const char *name, int type,
                                      deadline until)
{
    struct dns_record_list list;
    enum dns_outcome outcome = dns_records_recent(world->dns, name, type, until, &list);

    assert_true(outcome == DNS_FOUND || list.count == 0);
    dns_records_free(&list);
    return outcome;
}

static enum dns_outcome look_up(const struct world *world, const char *name, int type)
{
    return look_up_until(world, name, type, deadline_in(&world->clock.clock, PATIENT_MS));
}

static void what_is_asked_of_ourselves_is_asked_each_time(void **state)
{
    (void)state;
    static const struct fake_dns_row rows[] = {
        {.name = "a.example", .type = ns_t_mx, ANSWERS(one_mx)}};
    struct dns_record_list list;
    struct world world;

    start(&world, rows, COUNT(rows));
    assert_int_equal(ask_mx(&world, "a.example"), DNS_FOUND);
    assert_int_equal(look_up(&world, "a.example", ns_t_mx), DNS_FOUND);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(dns_records(world.dns, "a.example", ns_t_mx,
                                     deadline_in(&world.clock.clock, PATIENT_MS), &list),
                         DNS_FOUND);
        dns_records_free(&list);
    }
    assert_int_equal(asked(&world, "a.example"), 3); /* what is kept serves the first two */
    stop(&world);
}

/* Whoever asks first: those who call mail hosts, or those who look at what others publish. */
static void mail_hosts_and_records_have_one_memory(void **state)
{
    (void)state;
    static const struct fake_dns_row rows[] = {
        {.name = "a.example", .type = ns_t_mx, ANSWERS(one_mx)},
        {.name = "mx.example", .type = ns_t_a, ANSWERS(address)},
        {.name = "null.example", .type = ns_t_mx, ANSWERS(null_mx)},
    };
    struct world world;

    for (int records_first = 0; records_first < 2; records_first++) {
        start(&world, rows, COUNT(rows));
        for (int i = 0; i < 2; i++) {
            if ((i == 0) == (records_first == 1)) {
                assert_int_equal(look_up(&world, "a.example", ns_t_mx), DNS_FOUND);
                assert_int_equal(look_up(&world, "mx.example", ns_t_a), DNS_FOUND);
                assert_int_equal(look_up(&world, "null.example", ns_t_mx), DNS_FOUND);
            } else {
                assert_int_equal(ask_mx(&world, "a.example"), DNS_FOUND);
                assert_int_equal(ask_v4(&world, "mx.example"), DNS_FOUND);
                assert_int_equal(ask_mx(&world, "null.example"), DNS_NULL_MX);
            }
        }
        for (size_t i = 0; i < COUNT(rows); i++)
            assert_int_equal(asked(&world, rows[i].name), 1);
        fake_clock_advance_s(&world.clock, LONGEST_S); /* mail hosts are looked for again */
        assert_int_equal(ask_mx(&world, "a.example"), DNS_FOUND);
        assert_int_equal(asked(&world, "a.example"), 2);
        assert_int_equal(look_up(&world, "a.example", ns_t_mx), DNS_FOUND);
        assert_int_equal(asked(&world, "a.example"), 2);
        stop(&world);
    }
}

static const struct fake_dns_answer txt[] = {{.type = ns_t_txt, .data = "v=spf1 -all"}};
static const struct fake_dns_answer ptr[] = {{.type = ns_t_ptr, .data = "a.example"}};

static void records_of_others_are_kept_and_that_there_are_none_too(void **state)
{
    (void)state;
    static const struct fake_dns_row rows[] = {
        {.name = "usual.example", .type = ns_t_txt, ANSWERS(txt), .ttl_s = 900},
        {.name = "long.example", .type = ns_t_txt, ANSWERS(txt), .ttl_s = 86400},
        {.name = "short.example", .type = ns_t_txt, ANSWERS(txt), .ttl_s = 5},
        {.name = "zero.example", .type = ns_t_txt, ANSWERS(txt), .flags = FAKE_DNS_TTL_0},
        {.name = "none.example", .type = ns_t_mx},
        {.name = "soa.example", .type = ns_t_mx, .soa_ttl_s = 7, .soa_minimum_s = 7},
        {.name = "gone.example", .rcode = ns_r_nxdomain, .soa_ttl_s = 7, .soa_minimum_s = 7},
        {.name = "a.example", .type = ns_t_a, ANSWERS(address), .ttl_s = 900},
        {.name = "mx.example", .type = ns_t_mx, ANSWERS(one_mx), .ttl_s = 900},
        {.name = "1.2.0.192.in-addr.arpa", .type = ns_t_ptr, ANSWERS(ptr), .ttl_s = 900},
    };
    static const struct {
        const char *name;
        int type;
        enum dns_outcome outcome;
        unsigned holds_s;
    } cases[] = {
        {"usual.example", ns_t_txt, DNS_FOUND, 900},
        {"Usual.Example", ns_t_txt, DNS_FOUND, 900},
        {"long.example", ns_t_txt, DNS_FOUND, DNS_RECORDS_KEPT_MOST_S},
        {"short.example", ns_t_txt, DNS_FOUND, DNS_RECORDS_KEPT_LEAST_S},
        {"zero.example", ns_t_txt, DNS_FOUND, DNS_RECORDS_KEPT_LEAST_S},
        {"none.example", ns_t_txt, DNS_NO_DATA, DNS_RECORDS_KEPT_LEAST_S},
        {"soa.example", ns_t_txt, DNS_NO_DATA, DNS_RECORDS_KEPT_LEAST_S},
        {"gone.example", ns_t_txt, DNS_NO_DOMAIN, DNS_RECORDS_KEPT_LEAST_S},
        {"missing.example", ns_t_txt, DNS_NO_DOMAIN, DNS_RECORDS_KEPT_LEAST_S},
        {"a.example", ns_t_a, DNS_FOUND, 900},
        {"a.example", ns_t_aaaa, DNS_NO_DATA, DNS_RECORDS_KEPT_LEAST_S},
        {"mx.example", ns_t_mx, DNS_FOUND, 900},
        {"1.2.0.192.in-addr.arpa", ns_t_ptr, DNS_FOUND, 900},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct world world;

        start(&world, rows, COUNT(rows));
        assert_int_equal(look_up(&world, cases[i].name, cases[i].type), cases[i].outcome);
        fake_clock_advance_s(&world.clock, cases[i].holds_s - 1);
        assert_int_equal(look_up(&world, cases[i].name, cases[i].type), cases[i].outcome);
        if (asked(&world, cases[i].name) != 1)
            fail_msg("%s was asked for again", cases[i].name);
        fake_clock_advance_s(&world.clock, 1);
        assert_int_equal(look_up(&world, cases[i].name, cases[i].type), cases[i].outcome);
        if (asked(&world, cases[i].name) != 2)
            fail_msg("%s was not asked for again", cases[i].name);
        stop(&world);
    }
}

static void what_fails_is_not_kept(void **state)
{
    (void)state;
    static const struct fake_dns_row rows[] = {
        {.name = "failing.example", .rcode = ns_r_servfail},
        {.name = "broken.example", .type = ns_t_txt, ANSWERS(txt), .flags = FAKE_DNS_BAD_DATA},
    };
    struct world world;

    start(&world, rows, COUNT(rows));
    for (size_t i = 0; i < COUNT(rows); i++) {
        unsigned once;

        assert_int_equal(look_up(&world, rows[i].name, ns_t_txt), DNS_FAILURE);
        once = asked(&world, rows[i].name);
        assert_int_equal(look_up(&world, rows[i].name, ns_t_txt), DNS_FAILURE);
        assert_int_equal(asked(&world, rows[i].name), 2 * once);
    }
    stop(&world);
}

static void without_time_what_is_kept_does_and_nobody_is_asked(void **state)
{
    (void)state;
    static const struct fake_dns_row rows[] = {
        {.name = "alias.example", ANSWERS(alias)},
        {.name = "real.example", .type = ns_t_txt, ANSWERS(txt)},
    };
    struct world world;

    start(&world, rows, COUNT(rows));
    assert_int_equal(look_up_until(&world, "alias.example", ns_t_txt, 0), DNS_FAILURE);
    assert_int_equal(asked(&world, "alias.example"), 0);
    assert_int_equal(look_up(&world, "alias.example", ns_t_txt), DNS_FOUND);
    assert_int_equal(look_up_until(&world, "alias.example", ns_t_txt, 0), DNS_FOUND);
    assert_int_equal(look_up_until(&world, "real.example", ns_t_txt, 0), DNS_FOUND);
    assert_int_equal(look_up_until(&world, "real.example", ns_t_a, 0), DNS_FAILURE);
    assert_int_equal(asked(&world, "alias.example") + asked(&world, "real.example"), 2);
    stop(&world);
}

static void a_long_record_is_kept_too(void **state)
{
    (void)state;
    static char text[3000];
    const struct fake_dns_answer long_txt[] = {{.type = ns_t_txt, .data = text}};
    const struct fake_dns_row rows[] = {
        {.name = "long.example", .type = ns_t_txt, .flags = FAKE_DNS_TRUNCATE, ANSWERS(long_txt)}};
    struct world world;

    memset(text, 'x', sizeof text - 1);
    start(&world, rows, COUNT(rows));
    for (int i = 0; i < 2; i++)
        assert_int_equal(look_up(&world, "long.example", ns_t_txt), DNS_FOUND);
    assert_int_equal(fake_dns_asked_tcp(world.fake, "long.example", ns_t_txt), 1);
    stop(&world);
}

/* --- The table --------------------------------------------------------------- */

/* An answer with one address: read, as keeping wants it. */
static void read_message(uint8_t octets[64], ns_msg *msg)
{
    static const uint8_t wire[] =
        "\x00\x07\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00"
        "\x01x\x07"
        "example\x00\x00\x01\x00\x01"
        "\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x01";

    memcpy(octets, wire, sizeof wire - 1);
    assert_int_equal(ns_initparse(octets, sizeof wire - 1, msg), 0);
}

static const char *name_of(unsigned number, char text[32])
{
    (void)snprintf(text, 32, "n%u.example", number);
    return text;
}

static void of_too_many_the_oldest_go_first(void **state)
{
    (void)state;
    struct fake_clock clock;
    struct dns_answers *answers;
    uint8_t octets[64], found[DNS_ANSWERS_SIZE_MAX];
    char text[32];
    ns_msg msg;

    fake_clock_init(&clock);
    answers = dns_answers_new(&clock.clock, &some);
    assert_non_null(answers);
    read_message(octets, &msg);
    for (unsigned i = 0; i < ENTRIES + 10; i++)
        dns_answers_keep(answers, ns_t_a, name_of(i, text), &msg);
    for (unsigned i = 0; i < ENTRIES + 10; i++)
        assert_int_equal(dns_answers_find(answers, ns_t_a, name_of(i, text), found),
                         i < 10 ? 0 : ns_msg_size(msg));
    assert_memory_equal(found, octets, (size_t)ns_msg_size(msg));
    dns_answers_free(answers);
    dns_answers_free(NULL);
}

static void together_they_have_a_ceiling(void **state)
{
    (void)state;
    struct dns_answers_terms terms = some;
    struct fake_clock clock;
    struct dns_answers *answers;
    uint8_t octets[64], found[DNS_ANSWERS_SIZE_MAX];
    char text[32];
    ns_msg msg;

    fake_clock_init(&clock);
    read_message(octets, &msg);
    terms.octets_max = 3 * (size_t)ns_msg_size(msg) + 1;
    answers = dns_answers_new(&clock.clock, &terms);
    assert_non_null(answers);
    for (unsigned i = 0; i < 4; i++)
        dns_answers_keep(answers, ns_t_a, name_of(i, text), &msg);
    dns_answers_keep(answers, ns_t_a, name_of(3, text), &msg); /* in its own place */
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(dns_answers_find(answers, ns_t_a, name_of(i, text), found),
                         i < 1 ? 0 : ns_msg_size(msg));
    dns_answers_free(answers);
}

static void a_name_that_is_too_long_is_not_kept(void **state)
{
    (void)state;
    struct fake_clock clock;
    struct dns_answers *answers;
    uint8_t octets[64], found[DNS_ANSWERS_SIZE_MAX];
    char name[RB_DOMAIN_MAX + 2];
    ns_msg msg;

    fake_clock_init(&clock);
    answers = dns_answers_new(&clock.clock, &some);
    assert_non_null(answers);
    read_message(octets, &msg);
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    dns_answers_keep(answers, ns_t_a, name, &msg);
    assert_int_equal(dns_answers_find(answers, ns_t_a, name, found), 0);
    dns_answers_keep(answers, ns_t_a, name + 1, &msg);
    assert_int_equal(dns_answers_find(answers, ns_t_a, name + 1, found), ns_msg_size(msg));
    dns_answers_free(answers);
}

/* Each of them keeps and finds, and puts in the place of what others have put. */
static void *stir(void *arg)
{
    struct dns_answers *answers = arg;
    uint8_t octets[64], found[DNS_ANSWERS_SIZE_MAX];
    char text[32];
    ns_msg msg;

    read_message(octets, &msg);
    for (unsigned i = 0; i < TURNS; i++) {
        size_t len;

        dns_answers_keep(answers, ns_t_a, name_of(i % 7, text), &msg);
        len = dns_answers_find(answers, ns_t_a, text, found);
        assert_int_equal(len, ns_msg_size(msg));
        assert_memory_equal(found, octets, len);
    }
    return NULL;
}

static void many_threads_may_keep_and_find_at_once(void **state)
{
    (void)state;
    struct fake_clock clock;
    struct dns_answers *answers;
    pthread_t threads[THREADS];

    fake_clock_init(&clock);
    answers = dns_answers_new(&clock.clock, &some);
    assert_non_null(answers);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, stir, answers), 0);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    dns_answers_free(answers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_holds_for_its_ttl_and_half_a_minute_at_most),
        cmocka_unit_test(what_must_not_be_kept_is_asked_for_each_time),
        cmocka_unit_test(no_data_holds_as_long_as_its_soa_says),
        cmocka_unit_test(each_name_of_a_chain_holds_for_its_own_ttl),
        cmocka_unit_test(types_and_names_are_told_apart),
        cmocka_unit_test(a_family_that_is_kept_is_not_asked_for_with_the_other),
        cmocka_unit_test(what_one_family_may_not_keep_is_asked_for_without_the_other),
        cmocka_unit_test(what_cannot_be_used_is_no_better_the_second_time),
        cmocka_unit_test(a_long_answer_is_not_kept),
        cmocka_unit_test(what_is_asked_of_ourselves_is_asked_each_time),
        cmocka_unit_test(mail_hosts_and_records_have_one_memory),
        cmocka_unit_test(records_of_others_are_kept_and_that_there_are_none_too),
        cmocka_unit_test(what_fails_is_not_kept),
        cmocka_unit_test(without_time_what_is_kept_does_and_nobody_is_asked),
        cmocka_unit_test(a_long_record_is_kept_too),
        cmocka_unit_test(of_too_many_the_oldest_go_first),
        cmocka_unit_test(together_they_have_a_ceiling),
        cmocka_unit_test(a_name_that_is_too_long_is_not_kept),
        cmocka_unit_test(many_threads_may_keep_and_find_at_once),
    };

    return cmocka_run_group_tests_name("dns_answers", tests, NULL, NULL);
}
