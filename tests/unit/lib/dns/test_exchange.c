/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_exchange: which name server is asked when, what a silent one costs, how long answers are
 * had, and how a look-up is cut short; by what scripted servers on the loopback were asked. Nothing
 * is asserted on time: who was asked, and how often, tells.
 */
#include "config.h"

#include "dns/addresses.h"
#include "dns/answers.h"
#include "dns/mail_exchangers.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "dns/servers.h"
#include "fake_clock.h"
#include "fake_dns.h"

#define ROWS(table) (table), COUNT(table)
#define ANSWERS(table) .answers = (table), .count = COUNT(table)

enum {
    PATIENT_MS = 20000,
    HASTY_MS = 2000,      /* for a server that answers the second time */
    SHORT_MS = 600,       /* for servers that never do */
    FOREVER_MS = 3600000, /* were it waited for, the runner would end the test */
    SERVERS_MAX = DNS_RESOLVERS_MAX,
    POLL_MS = 5,
};

static const char *program; /* argv[0] */

/* --- Servers and a client of them -------------------------------------------- */

static const struct fake_dns_answer one_mx[] = {{.type = ns_t_mx, .data = "mx.example"}};
static const struct fake_dns_answer one_a[] = {{.type = ns_t_a, .data = "192.0.2.1"}};
static const struct fake_dns_answer one_aaaa[] = {{.type = ns_t_aaaa, .data = "2001:db8::1"}};

static const struct fake_dns_row good[] = {
    {.name = "one.example", .type = ns_t_mx, ANSWERS(one_mx)},
    {.name = "two.example", .type = ns_t_mx, ANSWERS(one_mx)},
    {.name = "three.example", .type = ns_t_mx, ANSWERS(one_mx)},
    {.name = "host.example", .type = ns_t_a, ANSWERS(one_a)},
    {.name = "host.example", .type = ns_t_aaaa, ANSWERS(one_aaaa)}};
static const struct fake_dns_row silent[] = {{.name = "one.example", .flags = FAKE_DNS_DROP},
                                             {.name = "two.example", .flags = FAKE_DNS_DROP},
                                             {.name = "three.example", .flags = FAKE_DNS_DROP},
                                             {.name = "host.example", .flags = FAKE_DNS_DROP}};
static const struct fake_dns_row silent_over_tcp[] = {
    {.name = "one.example", .flags = FAKE_DNS_TRUNCATE | FAKE_DNS_TCP_SILENT, ANSWERS(one_mx)},
    {.name = "two.example", .flags = FAKE_DNS_TRUNCATE | FAKE_DNS_TCP_SILENT, ANSWERS(one_mx)}};
static const struct fake_dns_row good_over_tcp[] = {
    {.name = "one.example", .flags = FAKE_DNS_TRUNCATE, ANSWERS(one_mx)},
    {.name = "two.example", .flags = FAKE_DNS_TRUNCATE, ANSWERS(one_mx)}};
static const struct fake_dns_row failing[] = {{.name = "one.example", .rcode = ns_r_servfail},
                                              {.name = "two.example", .rcode = ns_r_servfail}};

struct table {
    const struct fake_dns_row *rows;
    size_t count;
};

#define TABLE(rows)                                                                                \
    {                                                                                              \
        (rows), COUNT(rows)                                                                        \
    }

struct world {
    struct fake_dns *fake[SERVERS_MAX];
    size_t count;
    struct fake_clock clock;
    struct dns *dns;
    int wake[2];
};

static void world_start(struct world *world, const struct table *tables, size_t count)
{
    const char *servers[SERVERS_MAX];

    *world = (struct world){.count = count};
    fake_clock_init(&world->clock);
    for (size_t i = 0; i < count; i++) {
        world->fake[i] = fake_dns_start(AF_INET, tables[i].rows, tables[i].count);
        assert_non_null(world->fake[i]);
        servers[i] = fake_dns_server(world->fake[i]);
    }
    assert_int_equal(pipe(world->wake), 0);
    assert_int_equal(dns_open(servers, count, &world->clock.clock, world->wake[0], &world->dns),
                     RB_OK);
}

static void world_stop(struct world *world)
{
    dns_close(world->dns);
    for (size_t i = 0; i < world->count; i++)
        fake_dns_stop(world->fake[i]);
    close(world->wake[0]);
    close(world->wake[1]);
}

static enum dns_outcome ask_within(const struct world *world, const char *domain, int64_t ms)
{
    struct dns_mx_list list;

    return dns_mail_exchangers(world->dns, domain, deadline_in(&world->clock.clock, ms), &list);
}

static enum dns_outcome ask(const struct world *world, const char *domain)
{
    return ask_within(world, domain, PATIENT_MS);
}

/* How often the server at that place was asked for a domain over UDP. */
static unsigned asked(const struct world *world, size_t place, const char *domain)
{
    return fake_dns_asked_udp(world->fake[place], domain, ns_t_invalid);
}

/* --- A server that is silent --------------------------------------------------- */

static void a_silent_server_is_waited_for_once(void **state)
{
    (void)state;
    static const struct table tables[] = {TABLE(silent), TABLE(good)};
    struct world world;

    world_start(&world, ROWS(tables));
    assert_int_equal(ask(&world, "one.example"), DNS_FOUND);
    assert_int_equal(asked(&world, 0, "one.example"), 1);
    assert_int_equal(asked(&world, 1, "one.example"), 1);
    assert_int_equal(ask(&world, "two.example"), DNS_FOUND);
    assert_int_equal(asked(&world, 0, "two.example"), 0);
    assert_int_equal(asked(&world, 1, "two.example"), 1);
    world_stop(&world);
}

/* Of two at a time the second is not asked twice, and both come from the one that answers. */
static void a_silent_server_costs_both_families_one_wait(void **state)
{
    (void)state;
    static const struct table tables[] = {TABLE(silent), TABLE(good)};
    struct dns_address_list list;
    struct world world;

    world_start(&world, ROWS(tables));
    assert_int_equal(dns_addresses(world.dns, "host.example", RB_IP_ANY,
                                   deadline_in(&world.clock.clock, PATIENT_MS), &list),
                     DNS_FOUND);
    assert_int_equal(list.count, 2);
    assert_false(list.is_incomplete);
    assert_int_equal(asked(&world, 0, "host.example"), 2);
    assert_int_equal(asked(&world, 1, "host.example"), 2);
    world_stop(&world);
}

/* What is asked because of an answer is asked where that came from. */
static void an_alias_is_followed_at_the_server_that_told_it(void **state)
{
    (void)state;
    static const struct fake_dns_answer alias[] = {{.type = ns_t_cname, .data = "two.example"}};
    static const struct fake_dns_row aliases[] = {
        {.name = "one.example", ANSWERS(alias)},
        {.name = "two.example", .type = ns_t_mx, ANSWERS(one_mx)}};
    static const struct table tables[] = {TABLE(silent), TABLE(aliases)};
    struct world world;

    world_start(&world, ROWS(tables));
    assert_int_equal(ask(&world, "one.example"), DNS_FOUND);
    assert_int_equal(asked(&world, 0, "two.example"), 0);
    assert_int_equal(asked(&world, 1, "two.example"), 1);
    world_stop(&world);
}

/* Or it would take the time in which the addresses that were found can be called. */
static void silence_about_one_family_lasts_for_half_of_the_time(void **state)
{
    (void)state;
    static const struct fake_dns_row half[] = {
        {.name = "host.example", .type = ns_t_a, ANSWERS(one_a)},
        {.name = "host.example", .type = ns_t_aaaa, .flags = FAKE_DNS_DROP}};
    static const struct table tables[] = {TABLE(half)};
    struct dns_address_list list;
    struct world world;

    world_start(&world, ROWS(tables));
    assert_int_equal(dns_addresses(world.dns, "host.example", RB_IP_ANY,
                                   deadline_in(&world.clock.clock, HASTY_MS), &list),
                     DNS_FOUND);
    assert_true(list.is_incomplete);
    /* The second attempt was to begin when half of the time had passed. */
    assert_int_equal(fake_dns_asked_udp(world.fake[0], "host.example", ns_t_aaaa), 1);
    world_stop(&world);
}

static void two_silent_servers_of_three_are_passed_over(void **state)
{
    (void)state;
    static const struct table tables[] = {TABLE(silent), TABLE(silent), TABLE(good)};
    struct world world;

    world_start(&world, ROWS(tables));
    assert_int_equal(ask(&world, "one.example"), DNS_FOUND);
    assert_int_equal(ask(&world, "two.example"), DNS_FOUND);
    for (size_t i = 0; i < COUNT(tables); i++) {
        assert_int_equal(asked(&world, i, "one.example"), 1);
        assert_int_equal(asked(&world, i, "two.example"), i == 2);
    }
    world_stop(&world);
}

static void a_server_that_speaks_again_is_found_out_by_one_question(void **state)
{
    (void)state;
    static const struct table tables[] = {TABLE(silent), TABLE(good)};
    struct world world;

    world_start(&world, ROWS(tables));
    assert_int_equal(ask(&world, "one.example"), DNS_FOUND);
    fake_clock_advance_s(&world.clock, DNS_SERVERS_LAST_FOR_MS / 1000);
    assert_int_equal(ask(&world, "two.example"), DNS_FOUND); /* silent still: it waits once more */
    assert_int_equal(asked(&world, 0, "two.example"), 1);
    assert_int_equal(ask(&world, "three.example"), DNS_FOUND);
    assert_int_equal(asked(&world, 0, "three.example"), 0);
    fake_dns_set(world.fake[0], good, COUNT(good));
    fake_clock_advance_s(&world.clock, DNS_SERVERS_LAST_FOR_MS / 1000);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ask(&world, "one.example"), DNS_FOUND);
        fake_clock_advance_s(&world.clock, DNS_HOSTS_KEPT_S); /* not from memory */
    }
    assert_int_equal(asked(&world, 0, "one.example"), 3); /* with the first one */
    assert_int_equal(asked(&world, 1, "one.example"), 1);
    world_stop(&world);
}

/* The others have failed: it is asked all the same. */
static void a_server_that_was_silent_is_the_last_resort(void **state)
{
    (void)state;
    static const struct table tables[] = {TABLE(silent), TABLE(good)};
    struct world world;

    world_start(&world, ROWS(tables));
    assert_int_equal(ask(&world, "one.example"), DNS_FOUND);
    fake_dns_set(world.fake[0], good, COUNT(good));
    fake_dns_set(world.fake[1], failing, COUNT(failing));
    assert_int_equal(ask(&world, "two.example"), DNS_FOUND);
    assert_int_equal(asked(&world, 0, "two.example"), 1);
    assert_int_equal(asked(&world, 1, "two.example"), 1);
    world_stop(&world);
}

/* All are silent: it is the network, and no order is better than theirs. */
static void where_nobody_answers_the_order_stays(void **state)
{
    (void)state;
    static const struct table tables[] = {TABLE(silent), TABLE(silent)};
    struct world world;

    world_start(&world, ROWS(tables));
    assert_int_equal(ask_within(&world, "one.example", SHORT_MS), DNS_FAILURE);
    fake_dns_set(world.fake[0], good, COUNT(good));
    fake_dns_set(world.fake[1], good, COUNT(good));
    assert_int_equal(ask(&world, "two.example"), DNS_FOUND);
    assert_int_equal(asked(&world, 0, "two.example"), 1);
    assert_int_equal(asked(&world, 1, "two.example"), 0);
    world_stop(&world);
}

static void await(struct fake_dns *fake, const char *name, bool over_tcp)
{
    for (int i = 0; i < PATIENT_MS / POLL_MS; i++) {
        if ((over_tcp ? fake_dns_asked_tcp : fake_dns_asked_udp)(fake, name, ns_t_invalid) > 0)
            return;
        (void)poll(NULL, 0, POLL_MS);
    }
    fail_msg("%s was never asked for", name);
}

struct asker {
    pthread_t thread;
    const struct world *world;
    const char *name;
    deadline until;
    enum dns_outcome outcome;
};

static void *asker_run(void *arg)
{
    struct asker *asker = arg;
    struct dns_mx_list list;

    asker->outcome = dns_mail_exchangers(asker->world->dns, asker->name, asker->until, &list);
    return NULL;
}

static void start_asker(struct asker *asker, const struct world *world, const char *name)
{
    *asker = (struct asker){
        .world = world, .name = name, .until = deadline_in(&world->clock.clock, FOREVER_MS)};
    assert_int_equal(pthread_create(&asker->thread, NULL, asker_run, asker), 0);
}

static enum dns_outcome join_asker(const struct asker *asker)
{
    assert_int_equal(pthread_join(asker->thread, NULL), 0);
    return asker->outcome;
}

/* The first answers when the second has been asked already, and is silent. */
static void an_answer_that_comes_late_counts(void **state)
{
    (void)state;
    static const struct fake_dns_row slow[] = {
        {.name = "one.example", .flags = FAKE_DNS_AFTER_NEXT, ANSWERS(one_mx)}};
    static const struct table tables[] = {TABLE(slow), TABLE(silent)};
    struct asker asker;
    struct world world;
    struct dns *other;

    world_start(&world, ROWS(tables));
    start_asker(&asker, &world, "one.example");
    await(world.fake[1], "one.example", false);
    const char *server = fake_dns_server(world.fake[0]);
    assert_int_equal(dns_open(&server, 1, &world.clock.clock, -1, &other), RB_OK);
    struct dns_mx_list list;
    (void)dns_mail_exchangers(other, "next.example", deadline_in(&world.clock.clock, PATIENT_MS),
                              &list);
    dns_close(other);
    assert_int_equal(join_asker(&asker), DNS_FOUND);
    world_stop(&world);
}

static void a_server_that_is_silent_over_tcp_is_passed_over(void **state)
{
    (void)state;
    static const struct table tables[] = {TABLE(silent_over_tcp), TABLE(good_over_tcp)};
    struct world world;

    world_start(&world, ROWS(tables));
    assert_int_equal(ask(&world, "one.example"), DNS_FOUND);
    assert_int_equal(fake_dns_asked_tcp(world.fake[0], "one.example", ns_t_mx), 1);
    assert_int_equal(fake_dns_asked_tcp(world.fake[1], "one.example", ns_t_mx), 1);
    assert_int_equal(ask(&world, "two.example"), DNS_FOUND);
    assert_int_equal(asked(&world, 0, "two.example"), 0);
    world_stop(&world);
}

/* Threads that come to know of it together. */
static void many_threads_find_the_server_that_answers(void **state)
{
    (void)state;
    static const struct table tables[] = {TABLE(silent), TABLE(good)};
    static const char *const names[] = {"one.example", "two.example", "three.example"};
    struct asker askers[12];
    struct world world;

    world_start(&world, ROWS(tables));
    for (size_t i = 0; i < COUNT(askers); i++)
        start_asker(&askers[i], &world, names[i % COUNT(names)]);
    for (size_t i = 0; i < COUNT(askers); i++)
        assert_int_equal(join_asker(&askers[i]), DNS_FOUND);
    world_stop(&world);
}

/* --- Servers that are all silent ------------------------------------------------ */

struct told {
    unsigned silent, answered;
    int64_t silent_ms;
};

static void tell_silent(void *arg, int64_t silent_ms)
{
    struct told *told = arg;

    told->silent++;
    told->silent_ms = silent_ms;
}

static void tell_answered(void *arg)
{
    struct told *told = arg;

    told->answered++;
}

static void watch(const struct world *world, struct told *told)
{
    const struct dns_watch watch = {.silent = tell_silent, .answered = tell_answered, .arg = told};

    *told = (struct told){.silent = 0};
    dns_set_watch(world->dns, &watch);
}

/* Asks in vain, twice, the second time when the silence has lasted for that long. */
static void ask_in_vain(struct world *world, int64_t seconds)
{
    assert_int_equal(ask_within(world, "one.example", SHORT_MS), DNS_FAILURE);
    fake_clock_advance_s(&world->clock, seconds);
    assert_int_equal(ask_within(world, "two.example", SHORT_MS), DNS_FAILURE);
}

static void servers_that_are_all_silent_are_told_of_once_and_so_is_their_answer(void **state)
{
    const struct table tables[] = {TABLE(silent), TABLE(silent)};
    const int64_t enough_s = DNS_SILENT_AFTER_MS / 1000;
    struct world world;
    struct told told;

    (void)state;
    world_start(&world, tables, COUNT(tables));
    watch(&world, &told);
    ask_in_vain(&world, enough_s - 1);
    assert_int_equal(told.silent, 0);
    fake_clock_advance_s(&world.clock, 1);
    ask_in_vain(&world, 10);
    assert_int_equal(told.silent, 1);
    assert_int_equal(told.silent_ms, enough_s * 1000);
    assert_int_equal(told.answered, 0);

    fake_dns_set(world.fake[1], good, COUNT(good));
    assert_int_equal(ask(&world, "three.example"), DNS_FOUND);
    assert_int_equal(told.answered, 1);
    assert_int_equal(ask(&world, "two.example"), DNS_FOUND);
    assert_int_equal(told.answered, 1);

    fake_dns_set(world.fake[1], silent, COUNT(silent));
    fake_clock_advance_s(&world.clock, 3600); /* what was kept is forgotten */
    ask_in_vain(&world, enough_s);
    assert_int_equal(told.silent, 2);
    assert_int_equal(told.silent_ms, enough_s * 1000); /* counted anew */
    world_stop(&world);
}

static void servers_that_are_not_there_are_silent(void **state)
{
    const struct table tables[] = {TABLE(good)};
    struct world world;
    struct told told;

    (void)state;
    world_start(&world, tables, COUNT(tables));
    watch(&world, &told);
    fake_dns_stop(world.fake[0]);
    world.count = 0;
    ask_in_vain(&world, DNS_SILENT_AFTER_MS / 1000);
    assert_int_equal(told.silent, 1);
    world_stop(&world);
}

static void servers_that_answer_with_failures_are_not_silent(void **state)
{
    const struct table tables[] = {TABLE(failing)};
    struct world world;
    struct told told;

    (void)state;
    world_start(&world, tables, COUNT(tables));
    watch(&world, &told);
    ask_in_vain(&world, DNS_SILENT_AFTER_MS / 1000);
    assert_int_equal(told.silent, 0);
    world_stop(&world);
}

static void look_ups_that_are_cut_short_say_nothing_of_servers(void **state)
{
    const struct table tables[] = {TABLE(silent)};
    struct world world;
    struct told told;

    (void)state;
    world_start(&world, tables, COUNT(tables));
    watch(&world, &told);
    assert_int_equal(write(world.wake[1], "", 1), 1);
    ask_in_vain(&world, DNS_SILENT_AFTER_MS / 1000);
    assert_int_equal(told.silent, 0);
    world_stop(&world);
}

static void an_answer_is_news_where_silence_was_told_before(void **state)
{
    const struct table tables[] = {TABLE(good)};
    struct world world;
    struct told told = {.silent = 0};
    const struct dns_watch watch = {
        .silent = tell_silent, .answered = tell_answered, .arg = &told, .is_told = true};

    (void)state;
    world_start(&world, tables, COUNT(tables));
    dns_set_watch(world.dns, &watch);
    assert_int_equal(ask(&world, "one.example"), DNS_FOUND);
    assert_int_equal(ask(&world, "two.example"), DNS_FOUND);
    assert_int_equal(told.answered, 1);
    assert_int_equal(told.silent, 0);
    world_stop(&world);
}

/* --- What resolv.conf says ------------------------------------------------------ */

/* Run in a process of its own: libresolv reads its options once. */
static bool asks_in_turn(void)
{
    static const struct table tables[] = {TABLE(good), TABLE(good)};
    struct world world;
    bool is_right = true;

    world_start(&world, ROWS(tables));
    for (unsigned i = 0; i < 4; i++) {
        is_right = is_right && ask(&world, "one.example") == DNS_FOUND &&
                   asked(&world, 0, "one.example") == i / 2 + 1 &&
                   asked(&world, 1, "one.example") == (i + 1) / 2;
        fake_clock_advance_s(&world.clock, DNS_HOSTS_KEPT_S);
    }
    world_stop(&world);
    return is_right;
}

/* As above. */
static bool asks_as_often(unsigned attempts)
{
    static const struct fake_dns_row bad[] = {{.name = "one.example", .rcode = ns_r_servfail},
                                              {.name = "two.example", .flags = FAKE_DNS_DROP}};
    static const struct table tables[] = {TABLE(bad)};
    struct world world;
    bool is_right;

    world_start(&world, ROWS(tables));
    is_right = ask(&world, "one.example") == DNS_FAILURE &&
               asked(&world, 0, "one.example") == attempts &&
               ask_within(&world, "two.example", SHORT_MS) == DNS_FAILURE &&
               asked(&world, 0, "two.example") == attempts;
    world_stop(&world);
    return is_right;
}

static const struct {
    const char *options;
    unsigned attempts; /* 0: in turn */
} resolv_conf[] = {{"rotate", 0}, {"attempts:1 timeout:1", 1}, {"attempts:3 timeout:1", 3}};

static void options_of_resolv_conf_are_heeded(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(resolv_conf); i++) {
        int status = -1;
        pid_t child = fork();

        assert_int_not_equal(child, -1);
        if (child == 0) {
            setenv("RES_OPTIONS", resolv_conf[i].options, 1);
            execlp(program, program, resolv_conf[i].options, (char *)NULL);
            _exit(EXIT_FAILURE);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        if (status != 0)
            fail_msg("\"%s\" is not heeded", resolv_conf[i].options);
    }
}

/* --- Being cut short ------------------------------------------------------------ */

static void a_look_up_is_cut_short_while_it_waits(void **state)
{
    (void)state;
    static const struct table tables[] = {TABLE(silent), TABLE(silent_over_tcp)};

    for (size_t i = 0; i < COUNT(tables); i++) {
        struct asker asker;
        struct world world;

        world_start(&world, &tables[i], 1);
        start_asker(&asker, &world, "one.example");
        await(world.fake[0], "one.example", i == 1);
        assert_int_equal(write(world.wake[1], "", 1), 1);
        assert_int_equal(join_asker(&asker), DNS_FAILURE);
        world_stop(&world);
    }
}

static void what_is_cut_short_already_waits_for_nobody(void **state)
{
    (void)state;
    static const struct table tables[] = {TABLE(silent)};
    struct dns_address_list list;
    struct world world;

    world_start(&world, ROWS(tables));
    assert_int_equal(write(world.wake[1], "", 1), 1);
    assert_int_equal(ask(&world, "one.example"), DNS_FAILURE);
    assert_int_equal(dns_addresses(world.dns, "host.example", RB_IP_ANY,
                                   deadline_in(&world.clock.clock, FOREVER_MS), &list),
                     DNS_FAILURE);
    world_stop(&world);
}

/* --- How long an answer may be --------------------------------------------------- */

enum { RECORDS_MAX = 64, RECORD_OCTETS = 13 + 10 + 2 + 18 }; /* no name is compressed */

/* An answer of that many records. */
static void ask_for_many(size_t count, unsigned asked_tcp)
{
    struct fake_dns_answer many[RECORDS_MAX];
    char names[RECORDS_MAX][48];
    const struct fake_dns_row row = {
        .name = "one.example", .type = ns_t_mx, .answers = many, .count = count};
    const struct table table = {&row, 1};
    struct fake_dns_question question;
    struct world world;

    for (size_t i = 0; i < count; i++) {
        (void)snprintf(names[i], sizeof names[i], "mail%02zu.a.example", i);
        many[i] = (struct fake_dns_answer){.type = ns_t_mx, .data = names[i]};
    }
    world_start(&world, &table, 1);
    assert_int_equal(ask(&world, "one.example"), DNS_FOUND);
    assert_int_equal(fake_dns_questions(world.fake[0], &question, 1), 1);
    assert_int_equal(question.edns_max, 1232);
    assert_int_equal(asked(&world, 0, "one.example"), 1);
    assert_int_equal(fake_dns_asked_tcp(world.fake[0], "one.example", ns_t_mx), asked_tcp);
    world_stop(&world);
}

static void answers_of_up_to_1232_octets_need_no_tcp(void **state)
{
    (void)state;
    ask_for_many(1, 0);
    ask_for_many(600 / RECORD_OCTETS, 0);
    ask_for_many(1100 / RECORD_OCTETS, 0);
    ask_for_many(1400 / RECORD_OCTETS, 1);
}

static void a_server_that_knows_no_edns_is_asked_without(void **state)
{
    (void)state;
    static const struct fake_dns_row old[] = {
        {.name = "one.example", .flags = FAKE_DNS_NO_EDNS, ANSWERS(one_mx)}};
    static const struct table tables[] = {TABLE(old)};
    struct fake_dns_question questions[3];
    struct world world;

    world_start(&world, ROWS(tables));
    assert_int_equal(ask(&world, "one.example"), DNS_FOUND);
    assert_int_equal(fake_dns_questions(world.fake[0], questions, COUNT(questions)), 2);
    assert_int_equal(questions[0].edns_max, 1232);
    assert_int_equal(questions[1].edns_max, 0);
    world_stop(&world);
}

/* Who says so whatever is asked has failed. */
static void formerr_without_edns_is_a_failure(void **state)
{
    (void)state;
    static const struct fake_dns_row bad[] = {{.name = "one.example", .rcode = ns_r_formerr}};
    static const struct table tables[] = {TABLE(bad), TABLE(good)};
    struct world world;

    world_start(&world, ROWS(tables));
    assert_int_equal(ask(&world, "one.example"), DNS_FOUND);
    assert_int_equal(asked(&world, 0, "one.example"), 2);
    assert_int_equal(asked(&world, 1, "one.example"), 1);
    world_stop(&world);
}

/* Something on the way there throws away what it does not know. */
static void what_is_lost_is_asked_again_without_edns(void **state)
{
    (void)state;
    static const struct fake_dns_row filtered[] = {
        {.name = "one.example", .flags = FAKE_DNS_EDNS_LOST, ANSWERS(one_mx)}};
    static const struct table tables[] = {TABLE(filtered)};
    struct world world;

    world_start(&world, ROWS(tables));
    assert_int_equal(ask_within(&world, "one.example", HASTY_MS), DNS_FOUND);
    assert_int_equal(asked(&world, 0, "one.example"), 2);
    world_stop(&world);
}

/* NOERROR in the header is not all that there is to a code. */
static void an_extended_code_is_no_answer(void **state)
{
    (void)state;
    static const struct fake_dns_row odd[] = {{.name = "one.example", .flags = FAKE_DNS_BADVERS}};
    static const struct table tables[] = {TABLE(odd)};
    struct world world;

    world_start(&world, ROWS(tables));
    assert_int_equal(ask(&world, "one.example"), DNS_FAILURE);
    world_stop(&world);
}

/* --- */

static int ask_with_options(const char *options)
{
    for (size_t i = 0; i < COUNT(resolv_conf); i++)
        if (strcmp(resolv_conf[i].options, options) == 0)
            return (resolv_conf[i].attempts == 0 ? asks_in_turn()
                                                 : asks_as_often(resolv_conf[i].attempts))
                       ? EXIT_SUCCESS
                       : EXIT_FAILURE;
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    if (argc == 2)
        return ask_with_options(argv[1]);
    program = argv[0];
    setenv("RES_OPTIONS", "attempts:2 timeout:5", 1); /* read once, by the first look-up */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_silent_server_is_waited_for_once),
        cmocka_unit_test(a_silent_server_costs_both_families_one_wait),
        cmocka_unit_test(an_alias_is_followed_at_the_server_that_told_it),
        cmocka_unit_test(silence_about_one_family_lasts_for_half_of_the_time),
        cmocka_unit_test(two_silent_servers_of_three_are_passed_over),
        cmocka_unit_test(a_server_that_speaks_again_is_found_out_by_one_question),
        cmocka_unit_test(a_server_that_was_silent_is_the_last_resort),
        cmocka_unit_test(where_nobody_answers_the_order_stays),
        cmocka_unit_test(servers_that_are_all_silent_are_told_of_once_and_so_is_their_answer),
        cmocka_unit_test(servers_that_are_not_there_are_silent),
        cmocka_unit_test(servers_that_answer_with_failures_are_not_silent),
        cmocka_unit_test(look_ups_that_are_cut_short_say_nothing_of_servers),
        cmocka_unit_test(an_answer_is_news_where_silence_was_told_before),
        cmocka_unit_test(an_answer_that_comes_late_counts),
        cmocka_unit_test(a_server_that_is_silent_over_tcp_is_passed_over),
        cmocka_unit_test(many_threads_find_the_server_that_answers),
        cmocka_unit_test(options_of_resolv_conf_are_heeded),
        cmocka_unit_test(a_look_up_is_cut_short_while_it_waits),
        cmocka_unit_test(what_is_cut_short_already_waits_for_nobody),
        cmocka_unit_test(answers_of_up_to_1232_octets_need_no_tcp),
        cmocka_unit_test(a_server_that_knows_no_edns_is_asked_without),
        cmocka_unit_test(formerr_without_edns_is_a_failure),
        cmocka_unit_test(what_is_lost_is_asked_again_without_edns),
        cmocka_unit_test(an_extended_code_is_no_answer),
    };
    return cmocka_run_group_tests_name("dns_exchange", tests, NULL, NULL);
}
