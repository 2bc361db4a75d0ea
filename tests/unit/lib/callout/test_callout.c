/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_callout: from a destination to answers and facts, against hosts and a DNS server of the
 * test. The wall clock is fake; time-outs are short where one is awaited, and long where one would
 * be a failure.
 */
#include "config.h"

#include "callout/callout.h"
#include "callout/probe.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

#include "dns/addresses.h"
#include "dns/mail_exchangers.h"
#include "check.h"
#include "fake_clock.h"
#include "fake_dns.h"
#include "fake_host.h"
#include "mail/relay.h"
#include "base/transcript.h"
#include "smtp/transport.h"

enum { HOSTS = 3, ITEMS_MAX = 64, CALLS_MAX = 64, SHORT_MS = 60, LONG_MS = 60000 };

#define GREYLISTED "451 4.7.1 Greylisting in action, please come back later"
#define UNKNOWN_USER "550 5.1.1 User unknown"
#define LISTED "554 5.7.1 Client host [192.0.2.1] blocked using zen.spamhaus.org"
#define NO_RELAY "554 5.7.1 Relay access denied"
#define NULL_REFUSED "550 5.7.1 <>: Sender address rejected: null sender is not allowed"
#define BATV_REFUSED "550 5.7.1 recipient not accepted. (BATV: no tag)"
#define ACCEPTS_ALL "250 2.1.5 Ok"
#define FALLBACK "postmaster@we.example"

struct heard {
    char ip[46];
    struct address_record how;
};

/* All there is around one callout. Set up and torn down for each test. */
static struct world {
    struct fake_dns *dns;
    struct fake_host *host[HOSTS]; /* at 127.0.0.1, .2, .3, all on one port */
    uint16_t port;
    struct fake_clock wall;
    struct rb_clock clock; /* monotonic: the system's; wall: fake */
    struct rb_options options;
    struct rb_network loopback, own[1];
    size_t own_count;
    const char *relay;
    struct domain_record facts;
    const char *held_ip, *full_ip, *paused_ip, *over_rate_ip;
    const char *others_at; /* other sessions of ours are open there */
    unsigned paused;       /* hosts that said it was too much */
    unsigned lags_asked;   /* how often one that had just ended might have counted */
    bool too_late;         /* nothing is taken back */
    unsigned entered;      /* leave to call, not given back yet */
    bool is_over;          /* the last host was left */
    int cancel_fd;

    struct callout_item item[ITEMS_MAX];
    struct address_record answer[ITEMS_MAX];
    unsigned answers[ITEMS_MAX], put_back[ITEMS_MAX];
    size_t item_count, next;
    struct heard called[CALLS_MAX];
    size_t called_count;
    struct domain_record learned;
    unsigned learned_count;
    enum callout_probe probe_turn; /* what begin_probe says */
    unsigned parked_first;         /* but that so many are parked first */
    struct fact found_elsewhere;   /* with CALLOUT_PROBE_KNOWN */
    struct callout_item *parked;   /* by other callouts: handed over at the end of a probe */
    enum fact_state probe_said;
    unsigned probes_begun, probes_ended;
    unsigned parked_away[ITEMS_MAX];
    bool (*while_kept_open)(void); /* NULL: it never pays to keep a session open */
    unsigned rests, called_before_rest;
    bool never_rest;
} world;

static const uint8_t probe_key[32] = "a key that nobody else has, for ";

/* --- DNS --------------------------------------------------------------------- */

static const struct fake_dns_answer
    three_hosts[] = {{.type = ns_t_mx, .preference = 30, .data = "mx3.d.example"},
                     {.type = ns_t_mx, .preference = 10, .data = "mx1.d.example"},
                     {.type = ns_t_mx, .preference = 20, .data = "mx2.d.example"}},
    peers[] = {{.type = ns_t_mx, .preference = 20, .data = "mx3.d.example"},
               {.type = ns_t_mx, .preference = 10, .data = "mx1.d.example"},
               {.type = ns_t_mx, .preference = 20, .data = "mx2.d.example"}},
    one_address[] = {{.type = ns_t_mx, .preference = 10, .data = "mx1.d.example"},
                     {.type = ns_t_mx, .preference = 20, .data = "alias1.d.example"},
                     {.type = ns_t_mx, .preference = 30, .data = "alias2.d.example"},
                     {.type = ns_t_mx, .preference = 40, .data = "mx2.d.example"}},
    one_host[] = {{.type = ns_t_mx, .preference = 10, .data = "mx1.d.example"}},
    refused_hosts[] = {{.type = ns_t_mx, .preference = 10, .data = "mx8.d.example"},
                       {.type = ns_t_mx, .preference = 20, .data = "mx9.d.example"}},
    refused_then_good[] = {{.type = ns_t_mx, .preference = 10, .data = "mx9.d.example"},
                           {.type = ns_t_mx, .preference = 20, .data = "mx1.d.example"}},
    null_mx[] = {{.type = ns_t_mx, .preference = 0, .data = "."}},
    nameless[] = {{.type = ns_t_mx, .preference = 10, .data = "missing.d.example"}},
    private_host[] = {{.type = ns_t_mx, .preference = 10, .data = "private.d.example"}},
    both_versions[] = {{.type = ns_t_a, .data = "127.0.0.1"}, {.type = ns_t_aaaa, .data = "::1"}},
    broken_host[] = {{.type = ns_t_mx, .preference = 10, .data = "broken.d.example"}};

#define ADDRESS(text)                                                                              \
    .type = ns_t_a, .count = 1, .answers = &(const struct fake_dns_answer)                         \
    {                                                                                              \
        .type = ns_t_a, .data = (text)                                                             \
    }
#define HOSTS_OF(list) .type = ns_t_mx, .answers = (list), .count = COUNT(list)

static const struct fake_dns_row rows[] = {
    {.name = "three.example", HOSTS_OF(three_hosts)},
    {.name = "peers.example", HOSTS_OF(peers)},
    {.name = "one.example", HOSTS_OF(one_host)},
    {.name = "aliases.example", HOSTS_OF(one_address)},
    {.name = "refused.example", HOSTS_OF(refused_hosts)},
    {.name = "backup.example", HOSTS_OF(refused_then_good)},
    {.name = "null.example", HOSTS_OF(null_mx)},
    {.name = "nameless.example", HOSTS_OF(nameless)},
    {.name = "private.example", HOSTS_OF(private_host)},
    {.name = "broken.example", .rcode = ns_r_servfail},
    {.name = "halfbroken.example", HOSTS_OF(broken_host)},
    {.name = "broken.d.example", .rcode = ns_r_servfail},
    {.name = "implicit.example", ADDRESS("127.0.0.1")},
    {.name = "both.example", .type = ns_t_a, .answers = &both_versions[0], .count = 1},
    {.name = "both.example", .type = ns_t_aaaa, .answers = &both_versions[1], .count = 1},
    {.name = "nothing.example", .type = ns_t_cname}, /* exists, without anything of use */
    {.name = "mx1.d.example", ADDRESS("127.0.0.1")},
    {.name = "alias1.d.example", ADDRESS("127.0.0.1")},
    {.name = "alias2.d.example", ADDRESS("127.0.0.1")},
    {.name = "mx2.d.example", ADDRESS("127.0.0.2")},
    {.name = "mx3.d.example", ADDRESS("127.0.0.3")},
    {.name = "mx8.d.example", ADDRESS("127.0.0.8")},
    {.name = "mx9.d.example", ADDRESS("127.0.0.9")},
    {.name = "private.d.example", ADDRESS("10.11.12.13")},
};

/* --- Hooks ------------------------------------------------------------------- */

static struct callout_item *next_item(void *arg)
{
    (void)arg;
    return world.next < world.item_count ? &world.item[world.next++] : NULL;
}

static bool may_keep_open(void *arg, const char *ip)
{
    (void)arg;
    (void)ip;
    return !world.never_rest;
}

static struct callout_item *wait_for_more(void *arg, const char *ip)
{
    (void)ip;
    if (world.rests++ == 0)
        world.called_before_rest = (unsigned)world.called_count;
    return world.while_kept_open != NULL && world.while_kept_open() ? next_item(arg) : NULL;
}

static void take_answer(void *arg, struct callout_item *item, const struct address_record *record)
{
    size_t index = (size_t)(item - world.item);

    (void)arg;
    assert_true(index < world.next);
    assert_int_equal(record->reason == RB_REASON_LIMITED, record->limit != RB_LIMIT_NONE);
    if (record->limit != RB_LIMIT_NONE)
        assert_string_equal(record->rule, rb_limit_name(record->limit));
    world.answers[index]++;
    world.answer[index] = *record;
}

static bool is_ip(const char *wanted, const char *ip)
{
    return wanted != NULL && strcmp(wanted, ip) == 0;
}

static enum callout_permission may_call(void *arg, const char *mx, const char *ip)
{
    (void)arg;
    (void)mx;
    assert_false(world.is_over); /* the host before this one was said to be the last */
    if (is_ip(world.held_ip, ip))
        return CALLOUT_HELD_BACK;
    if (is_ip(world.full_ip, ip))
        return CALLOUT_FULL;
    if (is_ip(world.paused_ip, ip))
        return CALLOUT_PAUSED;
    if (is_ip(world.over_rate_ip, ip))
        return CALLOUT_OVER_RATE;
    world.entered++;
    return CALLOUT_CALL;
}

static void left(void *arg, const char *ip, bool is_last)
{
    (void)arg;
    (void)ip;
    world.is_over = is_last;
    world.entered--;
}

static bool turned_away(void *arg, const char *ip, bool may_lag)
{
    (void)arg;
    world.lags_asked += may_lag;
    assert_true(world.entered > 0 || ip[0] == '\0');
    return is_ip(world.others_at, ip);
}

static void too_much(void *arg, const char *ip)
{
    (void)arg;
    (void)ip;
    world.paused++;
}

static bool put_back(void *arg, struct callout_item *item)
{
    (void)arg;
    if (world.too_late)
        return false;
    world.put_back[item - world.item]++;
    return true;
}

static enum callout_probe begin_probe(void *arg, struct callout_item *item,
                                      const struct address_record *accepted, struct fact *catch_all)
{
    (void)arg;
    if (world.parked_first > 0) {
        world.parked_first--;
        item->best = *accepted;
        world.parked_away[item - world.item]++;
        return CALLOUT_PROBE_PARKED;
    }
    world.probes_begun++;
    if (world.probe_turn == CALLOUT_PROBE_KNOWN) {
        *catch_all = world.found_elsewhere;
    } else if (world.probe_turn == CALLOUT_PROBE_PARKED) {
        item->best = *accepted;
        world.parked_away[item - world.item]++;
    }
    return world.probe_turn;
}

static struct callout_item *end_probe(void *arg, const struct fact *catch_all)
{
    struct callout_item *parked = world.parked;

    (void)arg;
    world.probes_ended++;
    world.probe_said = catch_all->state;
    world.parked = NULL;
    return parked;
}

static void was_called(void *arg, const char *ip, const struct address_record *how)
{
    struct heard *heard = &world.called[world.called_count++];

    (void)arg;
    assert_true(world.called_count <= CALLS_MAX);
    assert_true((size_t)snprintf(heard->ip, sizeof heard->ip, "%s", ip) < sizeof heard->ip);
    heard->how = *how;
}

static void was_learned(void *arg, const struct domain_record *news)
{
    (void)arg;
    world.learned_count++;
    domain_record_merge(&world.learned, news);
    if (news->dead.state != FACT_UNKNOWN)
        world.learned.dead_reason = news->dead_reason;
}

/* --- Setting up -------------------------------------------------------------- */

static int64_t fake_wall_s(void *arg)
{
    const struct fake_clock *wall = arg;

    return wall->clock.wall_s(wall->clock.arg);
}

static int64_t real_monotonic_ms(void *arg)
{
    (void)arg;
    return clock_monotonic_ms(clock_system());
}

static int set_up(void **state)
{
    (void)state;
    world = (struct world){.cancel_fd = -1};
    world.dns = fake_dns_start(AF_INET, rows, COUNT(rows));
    fake_clock_init(&world.wall);
    world.clock = (struct rb_clock){real_monotonic_ms, fake_wall_s, &world.wall};
    rb_options_init(&world.options);
    world.options.helo_name = "we.example";
    world.options.fallback_mail_from = FALLBACK;
    world.options.ip_version = RB_IP_V4;
    world.options.catch_all_check = false;
    world.options.idle_timeout_ms = 0;
    world.options.connect_timeout_ms = LONG_MS;
    world.options.command_timeout_ms = LONG_MS;
    world.options.total_timeout_ms = LONG_MS;
    world.options.allowed_networks = &world.loopback;
    world.options.allowed_count = 1;
    world.options.clock = &world.clock;
    return rb_network_parse("127.0.0.0/8", &world.loopback) == RB_OK && world.dns != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < HOSTS; i++)
        fake_host_stop(world.host[i]);
    fake_dns_stop(world.dns);
    for (size_t i = 0; i < world.item_count; i++)
        transcript_free(world.item[i].transcript);
    return 0;
}

static struct fake_host *start(size_t n, const struct fake_host_options *options)
{
    static const char *const ips[HOSTS] = {"127.0.0.1", "127.0.0.2", "127.0.0.3"};
    struct fake_host_options with_place = *options;

    with_place.ip = ips[n];
    with_place.port = world.port;
    world.host[n] = fake_host_start(&with_place);
    world.port = fake_host_port(world.host[n]);
    return world.host[n];
}

/* A host that answers every RCPT so. */
static struct fake_host *start_saying(size_t n, const char *rcpt)
{
    return start(n, &(const struct fake_host_options){.rcpt = rcpt});
}

static struct fake_host *start_playing(size_t n, const struct fake_host_script *scripts,
                                       size_t count)
{
    return start(n, &(const struct fake_host_options){.scripts = scripts, .script_count = count});
}

static struct callout_item *add(const char *address)
{
    struct callout_item *item = &world.item[world.item_count++];

    assert_true(world.item_count <= ITEMS_MAX);
    assert_true((size_t)snprintf(item->address, sizeof item->address, "%s", address) <
                sizeof item->address);
    item->asked_ms = clock_monotonic_ms(clock_system());
    return item;
}

/* One callout over what was added and not taken yet. All that is taken is answered, once. */
static void run(const char *domain)
{
    const char *server = fake_dns_server(world.dns);
    struct options *options;
    struct dns *dns;
    struct callout callout = {
        .clock = &world.clock,
        .own = world.own,
        .own_count = world.own_count,
        .tls_context = tls_context_new(),
        .cancel_fd = world.cancel_fd,
        .probe_key = probe_key,
        .domain = domain,
        .relay = world.relay,
        .facts = world.facts,
        .hooks = {next_item, may_keep_open, wait_for_more, take_answer, may_call, left, turned_away,
                  too_much, put_back, begin_probe, end_probe, was_called, was_learned, &world},
    };

    world.options.port = world.port != 0 ? world.port : 25;
    assert_non_null(callout.tls_context);
    assert_int_equal(options_copy(&world.options, &options, NULL, 0), RB_OK);
    assert_int_equal(dns_open(&server, 1, &world.clock, world.cancel_fd, &dns), RB_OK);
    callout.options = options;
    callout.dns = dns;
    world.is_over = false;
    callout_run(&callout);
    dns_close(dns);
    options_free(options);
    tls_context_free(callout.tls_context);
    for (size_t i = 0; i < world.next; i++)
        assert_int_equal(world.answers[i] + world.put_back[i] + world.parked_away[i], 1);
    assert_int_equal(world.entered, 0);
    if (world.probe_turn == CALLOUT_PROBE)
        assert_int_equal(world.probes_begun, world.probes_ended);
}

/* One callout for one address. */
static const struct address_record *ask(const char *domain, const char *address)
{
    add(address);
    run(domain);
    assert_int_equal(world.next, world.item_count);
    return &world.answer[world.item_count - 1];
}

static void is(const struct address_record *record, enum rb_reason reason)
{
    assert_string_equal(rb_reason_name(record->reason), rb_reason_name(reason));
}

static void was_called_so(size_t n, const char *ip, enum rb_reason reason)
{
    assert_true(n < world.called_count);
    assert_string_equal(world.called[n].ip, ip);
    is(&world.called[n].how, reason);
}

static void heard(struct fake_host *host, const char *prefix, unsigned times)
{
    assert_int_equal(fake_host_heard(host, prefix), times);
}

/* The n-th command of a kind. */
static void heard_nth(struct fake_host *host, const char *prefix, unsigned n, const char *expected)
{
    char text[512];

    fake_host_command(host, prefix, n, text, sizeof text);
    assert_string_equal(text, expected);
}

static void nobody_was_called(void)
{
    for (size_t i = 0; i < HOSTS; i++)
        if (world.host[i] != NULL)
            assert_int_equal(fake_host_connections(world.host[i]), 0);
    assert_int_equal(world.called_count, 0);
}

static void probe_address(const char *domain, char text[RB_ADDRESS_MAX + 1])
{
    char local[17];

    probe_local_part(probe_key, domain, clock_wall_s(&world.clock), local);
    (void)snprintf(text, RB_ADDRESS_MAX + 1, "%s@%s", local, domain);
}

/* --- Which hosts ------------------------------------------------------------- */

static void the_most_preferred_host_is_called_first(void **state)
{
    (void)state;
    struct fake_host *first = start_saying(0, UNKNOWN_USER);
    struct fake_host *second = start_saying(1, ACCEPTS_ALL);
    const struct address_record *record = ask("three.example", "u@three.example");

    is(record, RB_REASON_NO_SUCH_USER);
    assert_string_equal(record->mx, "mx1.d.example");
    assert_string_equal(record->ip, "127.0.0.1");
    assert_int_equal(record->port, world.port);
    assert_int_equal(record->stage, RB_STAGE_RCPT);
    assert_int_equal(record->code, 550);
    assert_string_equal(record->enhanced, "5.1.1");
    assert_string_equal(record->reply, "550 5.1.1 User unknown");
    assert_true(record->mail_from_known);
    assert_string_equal(record->mail_from, "");
    assert_int_equal(record->stamp_s, clock_wall_s(&world.clock));
    assert_int_equal(fake_host_connections(first), 1);
    assert_int_equal(fake_host_connections(second), 0);
    heard(first, "QUIT", 1);
    assert_int_equal(world.learned_count, 0);
}

/* Everything that is no answer about the mailbox moves on. */
static void the_next_host_is_asked_after(const struct fake_host_options *first_options,
                                         enum rb_reason reported)
{
    struct fake_host *first = start(0, first_options), *second = start_saying(1, UNKNOWN_USER);
    const struct address_record *record = ask("three.example", "u@three.example");

    is(record, RB_REASON_NO_SUCH_USER);
    assert_string_equal(record->mx, "mx2.d.example");
    assert_int_equal(fake_host_connections(first), 1);
    assert_int_equal(fake_host_connections(second), 1);
    was_called_so(0, "127.0.0.1", reported);
    was_called_so(1, "127.0.0.2", RB_REASON_ACCEPTED);
}

static void the_next_host_is_asked_after_a_4yz(void **state)
{
    (void)state;
    the_next_host_is_asked_after(&(const struct fake_host_options){.rcpt = GREYLISTED},
                                 RB_REASON_ACCEPTED);
}

static void the_next_host_is_asked_after_a_5yz_about_us(void **state)
{
    (void)state;
    the_next_host_is_asked_after(&(const struct fake_host_options){.rcpt = LISTED},
                                 RB_REASON_BLOCKED);
}

static void the_next_host_is_asked_after_a_5yz_that_says_nothing_clear(void **state)
{
    (void)state;
    the_next_host_is_asked_after(&(const struct fake_host_options){.rcpt = NO_RELAY},
                                 RB_REASON_ACCEPTED);
}

static void the_next_host_is_asked_after_a_banner_of_5yz(void **state)
{
    (void)state;
    the_next_host_is_asked_after(
        &(const struct fake_host_options){.banner = "554 no SMTP service here for listed hosts"},
        RB_REASON_BLOCKED);
}

static void the_next_host_is_asked_after_protocol_garbage(void **state)
{
    (void)state;
    the_next_host_is_asked_after(
        &(const struct fake_host_options){.banner = "HTTP/1.1 400 Bad Request"},
        RB_REASON_PROTOCOL_ERROR);
}

static void the_next_host_is_asked_after_a_lost_connection(void **state)
{
    (void)state;
    the_next_host_is_asked_after(&(const struct fake_host_options){.banner = ""},
                                 RB_REASON_UNREACHABLE);
}

static void the_next_host_is_asked_after_a_connection_lost_over_rcpt(void **state)
{
    (void)state;
    the_next_host_is_asked_after(&(const struct fake_host_options){.rcpt = ""},
                                 RB_REASON_UNREACHABLE);
}

static void the_next_host_is_asked_after_both_senders_were_refused(void **state)
{
    (void)state;
    the_next_host_is_asked_after(
        &(const struct fake_host_options){.null_sender = NULL_REFUSED, .mail = NULL_REFUSED},
        RB_REASON_ACCEPTED);
    heard(world.host[1], "MAIL FROM:<>", 1); /* another host, another rule */
    assert_int_equal(world.learned_count, 0);
}

static void the_next_host_is_asked_after_a_refused_connection(void **state)
{
    (void)state;
    start_saying(0, UNKNOWN_USER);
    is(ask("backup.example", "u@backup.example"), RB_REASON_NO_SUCH_USER);
    assert_string_equal(world.answer[0].mx, "mx1.d.example");
    was_called_so(0, "127.0.0.9", RB_REASON_UNREACHABLE);
    assert_int_equal(world.called[0].how.stage, RB_STAGE_CONNECT);
    was_called_so(1, "127.0.0.1", RB_REASON_ACCEPTED);
}

static void the_first_answer_about_the_mailbox_decides(void **state)
{
    (void)state;
    struct fake_host *second;

    start_saying(0, "452 4.2.2 mailbox full");
    second = start_saying(1, UNKNOWN_USER);
    is(ask("three.example", "u@three.example"), RB_REASON_MAILBOX_FULL);
    assert_int_equal(fake_host_connections(second), 0);
}

static void without_an_answer_the_most_telling_reason_is_given(void **state)
{
    (void)state;
    start_saying(0, NO_RELAY);
    start_saying(1, GREYLISTED);
    start(2, &(const struct fake_host_options){.banner = ""});
    is(ask("three.example", "u@three.example"), RB_REASON_GREYLISTED);
    assert_string_equal(world.answer[0].mx, "mx2.d.example");
    assert_int_equal(world.called_count, 3);
    assert_int_equal(world.learned_count, 0);
}

static void no_more_than_max_hosts_are_called(void **state)
{
    (void)state;
    struct fake_host *third;

    start_saying(0, GREYLISTED);
    start_saying(1, GREYLISTED);
    third = start_saying(2, UNKNOWN_USER);
    world.options.max_hosts = 2;
    is(ask("three.example", "u@three.example"), RB_REASON_GREYLISTED);
    assert_int_equal(fake_host_connections(third), 0);
}

static void several_names_of_one_address_are_one_host(void **state)
{
    (void)state;
    struct fake_host *first = start_saying(0, GREYLISTED), *second = start_saying(1, UNKNOWN_USER);

    add("u@aliases.example")->transcript = transcript_new();
    run("aliases.example");
    is(&world.answer[0], RB_REASON_NO_SUCH_USER);
    assert_int_equal(fake_host_connections(first), 1);
    assert_int_equal(fake_host_connections(second), 1);
    assert_int_equal(world.called_count, 2);
}

/* The admin may have several stores at one address, at ports of their own. */
static void one_address_with_several_ports_is_several_hosts(void **state)
{
    (void)state;
    struct fake_host *first = start_saying(0, GREYLISTED), *second;
    char list[80];

    world.port = 0;
    second = fake_host_start(&(const struct fake_host_options){.rcpt = UNKNOWN_USER});
    (void)snprintf(list, sizeof list, "127.0.0.1:%u,127.0.0.1:%u", fake_host_port(first),
                   fake_host_port(second));
    world.relay = list;
    is(ask("three.example", "u@three.example"), RB_REASON_NO_SUCH_USER);
    assert_int_equal(fake_host_connections(first), 1);
    assert_int_equal(fake_host_connections(second), 1);
    fake_host_stop(second);
}

static void several_items_go_to_the_next_host_together(void **state)
{
    (void)state;
    struct fake_host *first = start_saying(0, GREYLISTED), *second = start_saying(1, UNKNOWN_USER);

    for (int i = 0; i < 4; i++)
        add("u@three.example");
    run("three.example");
    for (int i = 0; i < 4; i++)
        is(&world.answer[i], RB_REASON_NO_SUCH_USER);
    assert_int_equal(fake_host_connections(first), 1);
    assert_int_equal(fake_host_connections(second), 1);
    heard(first, "RCPT", 4);
    heard(second, "RCPT", 4);
}

/* --- Nobody to call ---------------------------------------------------------- */

/* Three addresses of a domain where nobody is called: all are told the same. */
static void a_domain_without_hosts_is(const char *domain, enum rb_reason reason, bool dead)
{
    world.port = 1;
    for (int i = 0; i < 3; i++)
        add("u@domain.example");
    run(domain);
    assert_int_equal(world.next, 3);
    for (int i = 0; i < 3; i++)
        is(&world.answer[i], reason);
    nobody_was_called();
    assert_int_equal(world.learned_count, dead ? 1 : 0);
    assert_int_equal(world.learned.dead.state, dead ? FACT_YES : FACT_UNKNOWN);
    assert_int_equal(world.learned.dead_reason, dead ? reason : RB_REASON_NONE);
}

static void a_domain_that_does_not_exist_is_no_domain(void **state)
{
    (void)state;
    a_domain_without_hosts_is("missing.example", RB_REASON_NO_DOMAIN, true);
}

static void a_domain_with_a_null_mx_is_null_mx(void **state)
{
    (void)state;
    a_domain_without_hosts_is("null.example", RB_REASON_NULL_MX, true);
}

static void a_domain_with_nothing_is_no_mail_host(void **state)
{
    (void)state;
    a_domain_without_hosts_is("nothing.example", RB_REASON_NO_MAIL_HOST, true);
}

static void a_mail_host_without_addresses_is_no_mail_host(void **state)
{
    (void)state;
    a_domain_without_hosts_is("nameless.example", RB_REASON_NO_MAIL_HOST, true);
}

static void a_private_mail_host_is_bogus_mx(void **state)
{
    (void)state;
    a_domain_without_hosts_is("private.example", RB_REASON_BOGUS_MX, true);
}

static void a_loopback_mail_host_is_bogus_mx_without_a_connection(void **state)
{
    (void)state;
    start_saying(0, UNKNOWN_USER);
    world.options.allowed_count = 0;
    is(ask("one.example", "u@one.example"), RB_REASON_BOGUS_MX);
    nobody_was_called();
    assert_int_equal(world.learned.dead_reason, RB_REASON_BOGUS_MX);
}

static void a_broken_mx_lookup_is_dns_failure_and_no_fact(void **state)
{
    (void)state;
    a_domain_without_hosts_is("broken.example", RB_REASON_DNS_FAILURE, false);
}

static void a_broken_address_lookup_is_dns_failure_and_no_fact(void **state)
{
    (void)state;
    a_domain_without_hosts_is("halfbroken.example", RB_REASON_DNS_FAILURE, false);
}

/* --- What is known in part is not known -------------------------------------------- */

#define FAILS(record_type) .type = (record_type), .rcode = ns_r_servfail
#define IS_GONE(record_type) .type = (record_type), .rcode = ns_r_nxdomain

static const struct fake_dns_answer
    half_host[] = {{.type = ns_t_mx, .preference = 10, .data = "half.d.example"}},
    bogus_and_broken[] = {{.type = ns_t_mx, .preference = 10, .data = "private.d.example"},
                          {.type = ns_t_mx, .preference = 20, .data = "broken.d.example"}},
    missing_and_broken[] = {{.type = ns_t_mx, .preference = 10, .data = "missing.d.example"},
                            {.type = ns_t_mx, .preference = 20, .data = "broken.d.example"}},
    bogus_and_hostile[] = {{.type = ns_t_mx, .preference = 10, .data = "private.d.example"},
                           {.type = ns_t_mx, .preference = 20, .data = "a\\010b.example"}},
    refused_and_broken[] = {{.type = ns_t_mx, .preference = 10, .data = "mx9.d.example"},
                            {.type = ns_t_mx, .preference = 20, .data = "broken.d.example"}};

static const struct fake_dns_row rows_in_part[] = {
    {.name = "v6failed.example", HOSTS_OF(half_host)},
    {.name = "half.d.example", ADDRESS("10.1.2.3")},
    {.name = "half.d.example", FAILS(ns_t_aaaa)},
    {.name = "implicithalf.example", ADDRESS("10.1.2.3")},
    {.name = "implicithalf.example", FAILS(ns_t_aaaa)},
    {.name = "bogusandbroken.example", HOSTS_OF(bogus_and_broken)},
    {.name = "missingandbroken.example", HOSTS_OF(missing_and_broken)},
    {.name = "bogusandhostile.example", HOSTS_OF(bogus_and_hostile)},
    {.name = "refusedandbroken.example", HOSTS_OF(refused_and_broken)},
    {.name = "private.d.example", ADDRESS("10.11.12.13")},
    {.name = "private.d.example", .type = ns_t_aaaa},
    {.name = "broken.d.example", .rcode = ns_r_servfail},
    {.name = "mx9.d.example", ADDRESS("127.0.0.9")},
    /* no MX, it says, and nothing at all, it says, although there is an address; or who knows? */
    {.name = "nomx.example", IS_GONE(ns_t_mx)},
    {.name = "nomx.example", ADDRESS("127.0.0.1")},
    {.name = "nomxfails.example", IS_GONE(ns_t_mx)},
    {.name = "nomxfails.example", FAILS(ns_t_a)},
    {.name = "nomxfails.example", IS_GONE(ns_t_aaaa)},
    {.name = "nomxempty.example", IS_GONE(ns_t_mx)},
    {.name = "nomxempty.example", .type = ns_t_a},
    {.name = "nomxempty.example", .type = ns_t_aaaa},
};

static void what_is_found_in_part_is_dns_failure_and_no_fact(void **state)
{
    (void)state;
    static const char *const domains[] = {"v6failed.example",        "implicithalf.example",
                                          "bogusandbroken.example",  "missingandbroken.example",
                                          "bogusandhostile.example", "nomxfails.example",
                                          "nomxempty.example"};
    static const enum rb_ip_version versions[] = {RB_IP_ANY, RB_IP_V4};

    world.port = 1;
    fake_dns_set(world.dns, rows_in_part, COUNT(rows_in_part));
    for (size_t i = 0; i < COUNT(domains) * COUNT(versions); i++) {
        world.options.ip_version = versions[i % COUNT(versions)];
        is(ask(domains[i / COUNT(versions)], "u@domain.example"), RB_REASON_DNS_FAILURE);
    }
    nobody_was_called();
    assert_int_equal(world.learned_count, 0);
}

/* Those that refuse us may not be all that there are. */
static void a_domain_with_a_host_that_was_not_found_is_not_dead(void **state)
{
    (void)state;
    start_saying(0, UNKNOWN_USER); /* for its port */
    fake_dns_set(world.dns, rows_in_part, COUNT(rows_in_part));
    is(ask("refusedandbroken.example", "u@domain.example"), RB_REASON_UNREACHABLE);
    assert_int_equal(world.called_count, 1);
    assert_int_equal(world.learned_count, 0);
}

/* More than are kept of an answer: the one that is left out may be the good one. */
static void of_more_hosts_or_addresses_than_are_kept_not_all_are_bogus(void **state)
{
    (void)state;
    static struct fake_dns_answer hosts[DNS_MX_MAX + 1], addresses[DNS_ADDRESSES_MAX + 1];
    static char names[COUNT(hosts)][32], texts[COUNT(addresses)][32];
    static const struct fake_dns_answer one[] = {{.type = ns_t_a, .data = "10.1.2.3"}};
    struct fake_dns_row table[COUNT(hosts) + 2] = {{.name = "manyhosts.example", HOSTS_OF(hosts)},
                                                   {.name = "manyaddresses.example",
                                                    .type = ns_t_a,
                                                    .answers = addresses,
                                                    .count = COUNT(addresses)}};

    for (size_t i = 0; i < COUNT(hosts); i++) {
        (void)snprintf(names[i], sizeof names[i], "mx%zu.m.example", i);
        hosts[i] =
            (struct fake_dns_answer){.type = ns_t_mx, .preference = (uint16_t)i, .data = names[i]};
        table[i + 2] = (struct fake_dns_row){
            .name = names[i], .type = ns_t_a, .answers = one, .count = COUNT(one)};
    }
    for (size_t i = 0; i < COUNT(addresses); i++) {
        (void)snprintf(texts[i], sizeof texts[i], "10.1.2.%zu", i);
        addresses[i] = (struct fake_dns_answer){.type = ns_t_a, .data = texts[i]};
    }
    fake_dns_set(world.dns, table, COUNT(table));
    is(ask("manyhosts.example", "u@domain.example"), RB_REASON_DNS_FAILURE);
    is(ask("manyaddresses.example", "u@domain.example"), RB_REASON_DNS_FAILURE);
    assert_int_equal(world.learned_count, 0);
}

/* Its MX "does not exist", its address does: mail goes there, and so do we. */
static void a_domain_whose_address_exists_exists(void **state)
{
    (void)state;
    struct fake_host *host = start_saying(0, UNKNOWN_USER);

    fake_dns_set(world.dns, rows_in_part, COUNT(rows_in_part));
    is(ask("nomx.example", "u@nomx.example"), RB_REASON_NO_SUCH_USER);
    heard(host, "RCPT", 1);
    assert_int_equal(world.learned_count, 0);
}

/* --- Mail hosts that are called by their address ------------------------------------ */

/* One domain with that MX and no other. What the server has once had stays as it is. */
static const struct address_record *ask_host_called(const char *mx)
{
    static struct fake_dns_answer answers[ITEMS_MAX];
    static struct fake_dns_row tables[ITEMS_MAX];
    static size_t used;

    assert_true(used < ITEMS_MAX);
    answers[used] = (struct fake_dns_answer){.type = ns_t_mx, .preference = 10, .data = mx};
    tables[used] = (struct fake_dns_row){
        .name = "odd.example", .type = ns_t_mx, .answers = &answers[used], .count = 1};
    fake_dns_set(world.dns, &tables[used++], 1);
    return ask("odd.example", "u@odd.example");
}

static void a_mail_host_called_by_its_address_is_called_there(void **state)
{
    (void)state;
    static const char *const names[] = {"127.0.0.1", "[127.0.0.1]"};
    static const enum rb_ip_version versions[] = {RB_IP_ANY, RB_IP_V4};
    struct fake_host *host = start_saying(0, UNKNOWN_USER);

    for (size_t i = 0; i < COUNT(names) * COUNT(versions); i++) {
        world.options.ip_version = versions[i % COUNT(versions)];
        const struct address_record *record = ask_host_called(names[i / COUNT(versions)]);

        is(record, RB_REASON_NO_SUCH_USER);
        assert_string_equal(record->mx, "127.0.0.1");
        assert_string_equal(record->ip, "127.0.0.1");
        heard(host, "RCPT", (unsigned)i + 1);
    }
    assert_int_equal(fake_dns_asked_udp(world.dns, "127.0.0.1", ns_t_invalid), 0);
}

static void a_mail_host_called_by_an_address_that_no_mail_goes_to_is_bogus(void **state)
{
    (void)state;
    static const char *const names[] = {"10.1.2.3", "[10.1.2.3]", "FD00::7", "[IPv6:fd00::7]",
                                        "[::ffff:10.1.2.3]"};

    world.options.ip_version = RB_IP_ANY;
    for (size_t i = 0; i < COUNT(names); i++) {
        is(ask_host_called(names[i]), RB_REASON_BOGUS_MX);
        assert_int_equal(world.learned_count, i + 1);
        assert_int_equal(world.learned.dead_reason, RB_REASON_BOGUS_MX);
    }
    nobody_was_called();
}

static void a_mail_host_called_by_an_address_of_the_other_version_is_unreachable(void **state)
{
    (void)state;
    world.options.ip_version = RB_IP_V4;
    is(ask_host_called("2001:db8::7"), RB_REASON_UNREACHABLE);
    is(ask_host_called("[IPv6:2001:db8::7]"), RB_REASON_UNREACHABLE);
    world.options.ip_version = RB_IP_V6;
    is(ask_host_called("193.0.0.7"), RB_REASON_UNREACHABLE);
    nobody_was_called();
}

/* No address, but not nothing either: never invalid. */
static void a_mail_host_called_by_what_is_no_name_is_dns_failure(void **state)
{
    (void)state;
    static const char *const names[] = {"[127.0.0.1",        "[mx.example]", "[]",
                                        "[IPv6:127.0.0.1x]", "1:2",          "[127.0.0.1]x"};

    for (size_t i = 0; i < COUNT(names); i++)
        is(ask_host_called(names[i]), RB_REASON_DNS_FAILURE);
    nobody_was_called();
    assert_int_equal(world.learned_count, 0);
}

static void our_own_address_is_exempt_and_not_called(void **state)
{
    (void)state;
    start_saying(0, UNKNOWN_USER);
    world.options.allowed_count = 0;
    world.own_count = 1;
    assert_int_equal(rb_network_parse("127.0.0.1", &world.own[0]), RB_OK);
    is(ask("one.example", "u@one.example"), RB_REASON_EXEMPT);
    nobody_was_called();
    assert_int_equal(world.learned_count, 0);
}

static void hosts_that_all_refuse_make_the_domain_unreachable_for_all_that_wait(void **state)
{
    (void)state;
    start_saying(0, UNKNOWN_USER); /* for its port */
    for (int i = 0; i < 3; i++)
        add("u@refused.example");
    run("refused.example");
    assert_int_equal(world.next, 3);
    for (int i = 0; i < 3; i++)
        is(&world.answer[i], RB_REASON_UNREACHABLE);
    assert_int_equal(world.called_count, 2); /* once for each host, not for each item */
    assert_int_equal(world.learned.dead.state, FACT_YES);
    assert_int_equal(world.learned.dead_reason, RB_REASON_UNREACHABLE);
}

static void a_domain_with_a_host_that_closes_connections_is_not_dead(void **state)
{
    (void)state;
    static const struct fake_host_step steps[] = {{FAKE_HOST_CLOSE, NULL}};
    static const struct fake_host_script script = {steps, COUNT(steps)};

    start_playing(0, &script, 1);
    is(ask("backup.example", "u@backup.example"), RB_REASON_UNREACHABLE);
    was_called_so(0, "127.0.0.9", RB_REASON_UNREACHABLE);
    was_called_so(1, "127.0.0.1", RB_REASON_UNREACHABLE);
    assert_int_equal(world.learned_count, 0);
}

static void hosts_that_take_connections_and_say_nothing_make_the_domain_dead(void **state)
{
    (void)state;
    static const struct fake_host_step steps[] = {{FAKE_HOST_SILENT, NULL}};
    static const struct fake_host_script script = {steps, COUNT(steps)};

    start_playing(0, &script, 1);
    world.options.command_timeout_ms = SHORT_MS;
    add("a@one.example");
    add("b@one.example");
    run("one.example");
    assert_int_equal(world.next, 2);
    for (int i = 0; i < 2; i++)
        is(&world.answer[i], RB_REASON_UNREACHABLE);
    assert_int_equal(fake_host_connections(world.host[0]), 1); /* one wait, not one an address */
    assert_int_equal(world.learned.dead.state, FACT_YES);
    assert_int_equal(world.learned.dead_reason, RB_REASON_UNREACHABLE);
}

static void a_host_that_turns_us_away_is_no_dead_domain(void **state)
{
    (void)state;
    start(0, &(const struct fake_host_options){.banner = "421 too busy"});
    add("a@one.example");
    add("b@one.example");
    run("one.example");
    assert_int_equal(world.next, 2);
    assert_int_equal(fake_host_connections(world.host[0]), 1);
    for (int i = 0; i < 2; i++)
        assert_int_equal(rb_reason_verdict(world.answer[i].reason), RB_VERDICT_UNKNOWN);
    assert_int_equal(world.called[0].how.code, 421);
    assert_int_equal(world.called[0].how.stage, RB_STAGE_BANNER);
    assert_int_equal(world.learned_count, 0);
}

static void what_finds_no_room_is_handed_back(void **state)
{
    (void)state;
    start_saying(0, UNKNOWN_USER);
    world.full_ip = "127.0.0.1";
    add("a@one.example");
    run("one.example");
    nobody_was_called();
    assert_int_equal(world.put_back[0], 1);
    assert_int_equal(world.answers[0], 0);
    assert_int_equal(world.learned_count, 0);
}

static void what_has_waited_for_room_too_long_is_limited(void **state)
{
    (void)state;
    start_saying(0, UNKNOWN_USER);
    world.full_ip = "127.0.0.1";
    world.too_late = true;
    add("a@one.example");
    run("one.example");
    nobody_was_called();
    is(&world.answer[0], RB_REASON_LIMITED);
    assert_string_equal(world.answer[0].rule, "per_host_sessions");
}

static void a_full_host_is_not_passed_over_for_its_backup(void **state)
{
    (void)state;
    start_saying(0, UNKNOWN_USER);
    start_saying(1, UNKNOWN_USER);
    world.full_ip = "127.0.0.1";
    add("a@three.example");
    run("three.example");
    nobody_was_called();
    assert_int_equal(world.put_back[0], 1);
}

static void a_dead_host_before_a_full_one_is_no_answer(void **state)
{
    (void)state;
    start_saying(0, UNKNOWN_USER);
    world.full_ip = "127.0.0.1";
    add("a@backup.example");
    run("backup.example");
    assert_int_equal(world.put_back[0], 1);
    assert_int_equal(world.learned_count, 0);
}

static void nor_is_garbage_before_a_full_one(void **state)
{
    (void)state;
    start(0, &(const struct fake_host_options){.banner = "this is no mail host"});
    start_saying(1, UNKNOWN_USER);
    world.full_ip = "127.0.0.2";
    add("a@three.example");
    run("three.example");
    assert_int_equal(world.put_back[0], 1);
}

static void what_a_host_put_off_does_not_wait_for_a_full_one(void **state)
{
    (void)state;
    start_saying(0, GREYLISTED);
    start_saying(1, UNKNOWN_USER);
    world.full_ip = "127.0.0.2";
    is(ask("three.example", "a@three.example"), RB_REASON_GREYLISTED);
}

static void a_host_held_back_is_limited_and_not_called(void **state)
{
    (void)state;
    start_saying(0, UNKNOWN_USER);
    world.held_ip = "127.0.0.1";
    add("a@one.example")->transcript = transcript_new();
    add("b@one.example");
    run("one.example");
    assert_int_equal(world.next, 2);
    is(&world.answer[0], RB_REASON_LIMITED);
    is(&world.answer[1], RB_REASON_LIMITED);
    nobody_was_called();
    assert_int_equal(world.learned_count, 0);
    assert_int_equal(rb_transcript_count(world.item[0].transcript), 1);
    assert_int_equal(rb_transcript_get(world.item[0].transcript, 0).dir, '-');
}

static void a_host_held_back_leaves_the_others(void **state)
{
    (void)state;
    struct fake_host *first = start_saying(0, ACCEPTS_ALL);

    start_saying(1, UNKNOWN_USER);
    world.held_ip = "127.0.0.1";
    is(ask("three.example", "u@three.example"), RB_REASON_NO_SUCH_USER);
    assert_int_equal(fake_host_connections(first), 0);
}

static void without_items_nothing_happens(void **state)
{
    (void)state;
    start_saying(0, UNKNOWN_USER);
    run("one.example");
    nobody_was_called();
    assert_int_equal(fake_dns_asked_udp(world.dns, "one.example", ns_t_invalid), 0);
}

/* --- Other ways to a host ---------------------------------------------------- */

static void a_domain_without_mx_is_its_own_mail_host(void **state)
{
    (void)state;
    start_saying(0, UNKNOWN_USER);
    is(ask("implicit.example", "u@implicit.example"), RB_REASON_NO_SUCH_USER);
    assert_string_equal(world.answer[0].mx, "implicit.example");
}

static void an_address_literal_is_called_without_dns(void **state)
{
    (void)state;
    start_saying(0, UNKNOWN_USER);
    is(ask("[127.0.0.1]", "u@[127.0.0.1]"), RB_REASON_NO_SUCH_USER);
    heard(world.host[0], "RCPT TO:<u@[127.0.0.1]>", 1);
}

static void an_address_literal_is_guarded(void **state)
{
    (void)state;
    static const char *const literals[] = {"[127.0.0.1]", "[IPv6:::1]", "[10.1.2.3]",
                                           "[IPv6:::ffff:127.0.0.1]"};

    start_saying(0, UNKNOWN_USER);
    world.options.allowed_count = 0;
    for (size_t i = 0; i < COUNT(literals); i++)
        is(ask(literals[i], "u@literal"), RB_REASON_BOGUS_MX);
    nobody_was_called();
}

static void a_relay_is_called_at_its_own_port_and_netguard_has_no_say(void **state)
{
    (void)state;
    static const char *const hosts[] = {"127.0.0.1", "[127.0.0.1]", "mx1.d.example"};

    start_saying(0, UNKNOWN_USER);
    world.options.allowed_count = 0;
    for (size_t i = 0; i < COUNT(hosts); i++) {
        char relay[64];
        uint16_t port = world.port;

        (void)snprintf(relay, sizeof relay, "%s:%u", hosts[i], port);
        world.relay = relay;
        world.port = 1; /* the usual one is of no use */
        is(ask("three.example", "u@three.example"), RB_REASON_NO_SUCH_USER);
        assert_int_equal(world.answer[i].port, port);
        world.port = port;
    }
    assert_int_equal(fake_host_connections(world.host[0]), 3);
    assert_int_equal(fake_dns_asked_udp(world.dns, "three.example", ns_t_invalid), 0);
}

static void a_relay_without_a_port_is_called_at_the_usual_one(void **state)
{
    (void)state;
    start_saying(0, UNKNOWN_USER);
    world.relay = "mx1.d.example";
    is(ask("three.example", "u@three.example"), RB_REASON_NO_SUCH_USER);
}

static void a_relay_that_fails_is_unreachable_and_no_fact_of_the_domain(void **state)
{
    (void)state;
    static const char *const relays[] = {"127.0.0.9", "missing.d.example", "127.0.0.9:nonsense"};

    start_saying(0, UNKNOWN_USER);
    for (size_t i = 0; i < COUNT(relays); i++) {
        world.relay = relays[i];
        is(ask("three.example", "u@three.example"), RB_REASON_UNREACHABLE);
    }
    assert_int_equal(world.learned_count, 0);
    assert_int_equal(fake_host_connections(world.host[0]), 0);
}

/* The world's relay becomes this host of a stranger's, at the port of the hosts. */
static void stranger(const char *host)
{
    static char relay[RELAY_HOST_MAX + 1];

    assert_true(relay_host_write(host, world.port, relay));
    world.relay = relay;
}

static void a_strangers_host_is_called_at_its_own_addresses(void **state)
{
    (void)state;
    static const char *const hosts[] = {"127.0.0.1", "MX1.d.example"};

    start_saying(0, UNKNOWN_USER);
    for (size_t i = 0; i < COUNT(hosts); i++) {
        stranger(hosts[i]);
        is(ask("three.example", "u@three.example"), RB_REASON_NO_SUCH_USER);
        was_called_so(i, "127.0.0.1", RB_REASON_ACCEPTED); /* no mail store of ours: no port */
    }
    assert_int_equal(fake_host_connections(world.host[0]), 2);
    assert_int_equal(fake_dns_asked_udp(world.dns, "three.example", ns_t_invalid), 0);
    assert_int_equal(fake_dns_asked_udp(world.dns, "mx1.d.example", ns_t_mx), 0);
}

static void a_strangers_host_is_guarded(void **state)
{
    (void)state;
    static const char *const hosts[] = {"127.0.0.1", "::1", "10.1.2.3", "mx1.d.example",
                                        "private.d.example"};

    start_saying(0, UNKNOWN_USER);
    world.options.allowed_count = 0;
    for (size_t i = 0; i < COUNT(hosts); i++) {
        stranger(hosts[i]);
        is(ask("three.example", "u@three.example"), RB_REASON_BOGUS_MX);
    }
    nobody_was_called();
}

static void a_strangers_host_that_is_ourselves_is_not_called(void **state)
{
    (void)state;
    start_saying(0, UNKNOWN_USER);
    world.options.allowed_count = 0;
    world.own_count = 1;
    assert_int_equal(rb_network_parse("127.0.0.1", &world.own[0]), RB_OK);
    stranger("mx1.d.example");
    is(ask("three.example", "u@three.example"), RB_REASON_EXEMPT);
    nobody_was_called();
}

static void a_strangers_host_that_is_not_there_is_no_fact_of_the_domain(void **state)
{
    (void)state;
    static const char *const hosts[] = {"127.0.0.9", "missing.d.example", "mx9.d.example"};

    start_saying(0, UNKNOWN_USER);
    for (size_t i = 0; i < COUNT(hosts); i++) {
        stranger(hosts[i]);
        is(ask("three.example", "u@three.example"), RB_REASON_UNREACHABLE);
    }
    assert_int_equal(world.learned_count, 0);
    assert_int_equal(fake_host_connections(world.host[0]), 0);
}

/* --- Lists of relays --------------------------------------------------------- */

/* The world's relay becomes this; each "@" is the port of the hosts. */
static void relay_to(const char *pattern)
{
    static char list[RELAY_MAX + 1];
    size_t len = 0;

    for (const char *c = pattern; *c != '\0'; c++) {
        const char text[] = {*c, '\0'};

        len += *c == '@' ? (size_t)snprintf(list + len, sizeof list - len, "%u", world.port)
                         : (size_t)snprintf(list + len, sizeof list - len, "%s", text);
        assert_true(len < sizeof list);
    }
    world.relay = list;
    assert_true(relay_is_good(list));
}

static void the_targets_of_a_relay_are_asked_in_their_order(void **state)
{
    (void)state;
    start_saying(0, "452 4.2.2 mailbox full");
    start_saying(1, UNKNOWN_USER);
    start_saying(2, ACCEPTS_ALL);
    relay_to("127.0.0.2,127.0.0.1:@,mx3.d.example");
    is(ask("three.example", "u@three.example"), RB_REASON_NO_SUCH_USER);
    assert_string_equal(world.answer[0].mx, "127.0.0.2");
    assert_int_equal(fake_host_connections(world.host[0]), 0);
    assert_int_equal(fake_host_connections(world.host[2]), 0);
    relay_to("mx3.d.example,127.0.0.2");
    is(ask("three.example", "v@three.example"), RB_REASON_ACCEPTED);
    assert_string_equal(world.answer[1].mx, "mx3.d.example");
    assert_int_equal(fake_host_connections(world.host[1]), 1);
}

static void the_next_target_is_asked_where_one_gives_no_answer_about_the_recipient(void **state)
{
    (void)state;
    static const struct fake_host_options first[] = {
        {.rcpt = GREYLISTED},
        {.rcpt = "451 4.3.0 Temporary lookup failure"},
        {.rcpt = NO_RELAY},
        {.rcpt = LISTED},
        {.rcpt = "554 5.3.0 Transaction failed"},
        {.rcpt = ""},
        {.rcpt = "421 4.3.2 closing"},
        {.banner = LISTED},
        {.banner = "this is no mail host"},
        {.banner = ""},
        {.ehlo = "451 4.3.0 later"},
        {.null_sender = NULL_REFUSED, .mail = NULL_REFUSED},
    };

    start_saying(1, UNKNOWN_USER);
    relay_to("127.0.0.1,127.0.0.2");
    for (size_t i = 0; i < COUNT(first); i++) {
        print_message("# %zu\n", i);
        start(0, &first[i]);
        is(ask("three.example", "u@three.example"), RB_REASON_NO_SUCH_USER);
        assert_string_equal(world.answer[i].mx, "127.0.0.2");
        assert_int_equal(fake_host_connections(world.host[1]), i + 1);
        fake_host_stop(world.host[0]);
    }
    world.host[0] = NULL;
}

static void the_next_target_is_asked_where_one_cannot_be_reached(void **state)
{
    (void)state;
    static const char *const lists[] = {
        "127.0.0.9,127.0.0.1",
        "missing.d.example,127.0.0.1",
        "broken.d.example,127.0.0.1",
        "lmtp:127.0.0.9:@,127.0.0.1",
        "unix:/nonexistent/lmtp,127.0.0.1",
    };

    start_saying(0, UNKNOWN_USER);
    for (size_t i = 0; i < COUNT(lists); i++) {
        relay_to(lists[i]);
        is(ask("three.example", "u@three.example"), RB_REASON_NO_SUCH_USER);
        assert_string_equal(world.answer[i].mx, "127.0.0.1");
    }
    assert_int_equal(world.learned_count, 0);
}

/* Whatever is wrong with us is not wrong with the recipient. */
static void a_relay_that_refuses_us_is_never_taken_for_no_such_user(void **state)
{
    (void)state;
    static const struct fake_host_options refusing[] = {
        {.rcpt = NO_RELAY},
        {.rcpt = LISTED},
        {.rcpt = "550 5.7.1 Relaying denied"},
        {.rcpt = "550 5.7.1 Access denied"},
        {.banner = LISTED},
        {.null_sender = NULL_REFUSED, .mail = NULL_REFUSED},
        {.rcpt = "530 5.7.0 Must issue a STARTTLS command first"},
    };

    for (size_t i = 0; i < COUNT(refusing); i++) {
        print_message("# %zu\n", i);
        start(0, &refusing[i]);
        relay_to("127.0.0.1");
        assert_int_equal(rb_reason_verdict(ask("three.example", "u@three.example")->reason),
                         RB_VERDICT_UNKNOWN);
        fake_host_stop(world.host[0]);
    }
    world.host[0] = NULL;
    assert_int_equal(world.learned.dead.state, FACT_UNKNOWN);
    assert_int_equal(world.learned.catch_all.state, FACT_UNKNOWN);
}

static void an_lmtp_target_is_spoken_to_in_lmtp_and_others_are_not(void **state)
{
    (void)state;
    start_saying(0, GREYLISTED);
    start_saying(1, GREYLISTED);
    start_saying(2, UNKNOWN_USER);
    relay_to("127.0.0.1,lmtp:127.0.0.2:@,smtp:127.0.0.3");
    is(ask("three.example", "u@three.example"), RB_REASON_NO_SUCH_USER);
    for (size_t i = 0; i < HOSTS; i++) {
        heard(world.host[i], "LHLO we.example", i == 1);
        heard(world.host[i], "EHLO we.example", i != 1);
        heard(world.host[i], "HELO", 0);
    }
}

static void a_target_that_knows_no_lhlo_is_passed_over(void **state)
{
    (void)state;
    start(0, &(const struct fake_host_options){.ehlo = "502 5.5.1 what?", .rcpt = ACCEPTS_ALL});
    relay_to("lmtp:127.0.0.1:@");
    is(ask("three.example", "u@three.example"), RB_REASON_PROTOCOL_ERROR);
    heard(world.host[0], "LHLO", 1);
    heard(world.host[0], "QUIT", 1);
    heard(world.host[0], "", 2);
}

static void a_mail_store_at_a_path_is_asked_by_lmtp(void **state)
{
    (void)state;
    char folder[] = "/tmp/test_callout.XXXXXX", path[64], list[80];
    struct fake_host *store;

    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/lmtp", folder);
    (void)snprintf(list, sizeof list, "unix:%s", path);
    store = fake_host_start(
        &(const struct fake_host_options){.path = path, .rcpt = UNKNOWN_USER, .pipelining = true});
    world.relay = list;
    world.options.allowed_count = 0;
    is(ask("three.example", "u@three.example"), RB_REASON_NO_SUCH_USER);
    assert_string_equal(world.answer[0].mx, list);
    assert_string_equal(world.answer[0].ip, "");
    assert_int_equal(world.answer[0].port, 0);
    was_called_so(0, "", RB_REASON_ACCEPTED);
    heard(store, "LHLO we.example", 1);
    heard(store, "EHLO", 0);
    fake_host_stop(store);
    is(ask("three.example", "v@three.example"), RB_REASON_UNREACHABLE);
    assert_int_equal(world.learned_count, 0);
    assert_int_equal(rmdir(folder), 0);
}

static void a_target_that_accepts_everybody_is_catch_all(void **state)
{
    (void)state;
    world.options.catch_all_check = true;
    start_saying(0, ACCEPTS_ALL);
    relay_to("lmtp:127.0.0.1:@");
    is(ask("three.example", "u@three.example"), RB_REASON_CATCH_ALL);
    assert_int_equal(world.learned.catch_all.state, FACT_YES);
    heard(world.host[0], "RCPT", 2);
}

static void no_more_than_max_hosts_of_a_relay_are_asked(void **state)
{
    (void)state;
    start_saying(0, GREYLISTED);
    start_saying(1, GREYLISTED);
    start_saying(2, UNKNOWN_USER);
    world.options.max_hosts = 2;
    relay_to("127.0.0.1,127.0.0.2,127.0.0.3");
    is(ask("three.example", "u@three.example"), RB_REASON_GREYLISTED);
    assert_int_equal(fake_host_connections(world.host[2]), 0);
}

static void a_relay_may_be_on_this_machine(void **state)
{
    (void)state;
    start_saying(0, UNKNOWN_USER);
    world.own_count = 1;
    assert_int_equal(rb_network_parse("127.0.0.1", &world.own[0]), RB_OK);
    relay_to("127.0.0.1");
    is(ask("three.example", "u@three.example"), RB_REASON_NO_SUCH_USER);
}

/* --- The preferred mail hosts: a backup MX ----------------------------------- */

/* This machine is the host at that address; of the others, one may be called. */
static void we_are(const char *ip, const char *other)
{
    world.relay = "mx:";
    world.own_count = 1;
    assert_int_equal(rb_network_parse(ip, &world.own[0]), RB_OK);
    assert_int_equal(rb_network_parse(other, &world.loopback), RB_OK);
}

static void a_backup_asks_the_hosts_that_are_preferred_over_it(void **state)
{
    (void)state;
    start_saying(0, UNKNOWN_USER);
    we_are("127.0.0.3", "127.0.0.1");
    is(ask("three.example", "u@three.example"), RB_REASON_NO_SUCH_USER);
    assert_string_equal(world.answer[0].mx, "mx1.d.example");
}

static void a_backup_asks_nobody_behind_itself(void **state)
{
    (void)state;
    start_saying(0, GREYLISTED);
    start_saying(2, UNKNOWN_USER);
    we_are("127.0.0.2", "127.0.0.1");
    is(ask("three.example", "u@three.example"), RB_REASON_GREYLISTED);
    assert_int_equal(fake_host_connections(world.host[2]), 0);
    assert_int_equal(world.called_count, 1);
}

static void a_backup_does_not_ask_its_peers(void **state)
{
    (void)state;
    start_saying(0, GREYLISTED);
    start_saying(1, UNKNOWN_USER);
    start_saying(2, UNKNOWN_USER);
    for (unsigned own = 2; own <= 3; own++) { /* whichever of the two we are, and comes first */
        we_are(own == 2 ? "127.0.0.2" : "127.0.0.3", "127.0.0.1");
        is(ask("peers.example", "u@peers.example"), RB_REASON_GREYLISTED);
        assert_int_equal(fake_host_connections(world.host[1]), 0);
        assert_int_equal(fake_host_connections(world.host[2]), 0);
    }
}

static void a_backup_knows_itself_in_a_network_that_may_be_called(void **state)
{
    (void)state;
    start_saying(0, GREYLISTED);
    start_saying(1, UNKNOWN_USER);
    we_are("127.0.0.2", "127.0.0.0/8");
    is(ask("three.example", "u@three.example"), RB_REASON_GREYLISTED);
    assert_int_equal(fake_host_connections(world.host[1]), 0);
}

static void the_most_preferred_host_itself_asks_nobody(void **state)
{
    (void)state;
    start_saying(1, UNKNOWN_USER);
    start_saying(2, UNKNOWN_USER);
    we_are("127.0.0.1", "127.0.0.2");
    is(ask("three.example", "u@three.example"), RB_REASON_EXEMPT);
    assert_string_equal(world.answer[0].rule, "own_host");
    nobody_was_called();
    assert_int_equal(world.learned_count, 0);
}

static void preferred_hosts_that_are_dead_are_remembered_as_dead(void **state)
{
    (void)state;
    start_saying(0, ACCEPTS_ALL);
    we_are("127.0.0.1", "127.0.0.9");
    is(ask("backup.example", "u@backup.example"), RB_REASON_UNREACHABLE);
    assert_int_equal(fake_host_connections(world.host[0]), 0);
    assert_int_equal(world.learned.dead.state, FACT_YES);
    assert_int_equal(world.learned.dead_reason, RB_REASON_UNREACHABLE);
}

/* The admin named no host here: strangers' DNS did. */
static void preferred_hosts_are_guarded(void **state)
{
    (void)state;
    world.relay = "mx:";
    is(ask("private.example", "u@private.example"), RB_REASON_BOGUS_MX);
    nobody_was_called();
}

/* --- Sessions ---------------------------------------------------------------- */

static void stop_host(size_t n)
{
    fake_host_stop(world.host[n]);
    world.host[n] = NULL;
    world.port = 0;
}

static void several_items_share_one_session(void **state)
{
    (void)state;
    static const struct fake_host_reply replies[] = {{"even@one.example", ACCEPTS_ALL}};
    struct fake_host *host =
        start(0, &(const struct fake_host_options){
                     .replies = replies, .reply_count = 1, .pipelining = true});

    for (int i = 0; i < 10; i++)
        add(i % 2 == 0 ? "even@one.example" : "odd@one.example");
    run("one.example");
    for (int i = 0; i < 10; i++)
        is(&world.answer[i], i % 2 == 0 ? RB_REASON_ACCEPTED : RB_REASON_NO_SUCH_USER);
    assert_int_equal(fake_host_connections(host), 1);
    heard(host, "RCPT", 10);
    heard(host, "RSET", 9);
    heard(host, "EHLO", 1);
    heard(host, "QUIT", 1);
    assert_int_equal(world.called_count, 1);
}

/* Asks for so many addresses, in as many runs as it takes. Returns how many there were. */
static unsigned ask_for_many(unsigned count)
{
    unsigned runs = 0;

    for (unsigned i = 0; i < count; i++)
        add("u@one.example");
    while (world.next < world.item_count) {
        run("one.example");
        runs++;
    }
    return runs;
}

/* Exim would drop it: each RSET but the first is a command that brings no mail. */
static void a_session_is_left_after_ten_transactions(void **state)
{
    (void)state;
    struct fake_host *host = start_saying(0, ACCEPTS_ALL);

    assert_int_equal(ask_for_many(23), 3);
    assert_int_equal(fake_host_connections(host), 3);
    heard(host, "RCPT", 23);
    heard(host, "RSET", 9 + 9 + 2);
    heard(host, "QUIT", 3);
}

/* Postfix would answer a second late, and at the twentieth hang up. */
static void a_session_is_left_after_nine_refusals(void **state)
{
    (void)state;
    struct fake_host *host = start_saying(0, UNKNOWN_USER);

    assert_int_equal(ask_for_many(20), 3);
    assert_int_equal(fake_host_connections(host), 3);
    heard(host, "RCPT", 20);
    heard(host, "QUIT", 3);
}

static void refusals_of_senders_count_too(void **state)
{
    (void)state;
    struct fake_host *host =
        start(0, &(const struct fake_host_options){
                     .null_sender = NULL_REFUSED, .mail = NULL_REFUSED, .pipelining = true});

    assert_int_equal(ask_for_many(6), 2);
    assert_int_equal(fake_host_connections(host), 2);
    heard(host, "MAIL", 12);
    /* Of the first question of each session: from then on RCPT is not said behind a refused
     * MAIL. */
    heard(host, "RCPT", 4);
    heard(host, "QUIT", 2);
}

static void a_probe_is_a_transaction_like_any_other(void **state)
{
    (void)state;
    static const struct fake_host_reply replies[] = {{"u@one.example", ACCEPTS_ALL}};
    struct fake_host *host =
        start(0, &(const struct fake_host_options){
                     .rcpt = "451 4.3.0 not now", .replies = replies, .reply_count = 1});

    world.options.catch_all_check = true;
    assert_int_equal(ask_for_many(18), 2); /* nine and a probe, twice */
    heard(host, "RCPT", 20);
    heard(host, "RSET", 9 + 9);
    assert_int_equal(fake_host_connections(host), 2);
}

/*
 * Whatever the last question of a session needs: it is asked with the fallback sender again, and
 * probed for.
 */
static void a_session_never_has_more_than_eleven_resets(void **state)
{
    (void)state;
    static const struct fake_host_step opening[] = {{FAKE_HOST_SAY, "220 hello"},
                                                    {FAKE_HOST_EXPECT, "EHLO"},
                                                    {FAKE_HOST_SAY, "250 hello"}},
                                       question[] = {{FAKE_HOST_EXPECT, "MAIL FROM:<>"},
                                                     {FAKE_HOST_SAY, "250 ok"},
                                                     {FAKE_HOST_EXPECT, "RCPT"},
                                                     {FAKE_HOST_SAY, ACCEPTS_ALL},
                                                     {FAKE_HOST_EXPECT, "RSET"},
                                                     {FAKE_HOST_SAY, "250 ok"}},
                                       last[] = {{FAKE_HOST_EXPECT, "MAIL FROM:<>"},
                                                 {FAKE_HOST_SAY, "250 ok"},
                                                 {FAKE_HOST_EXPECT, "RCPT"},
                                                 {FAKE_HOST_SAY, BATV_REFUSED},
                                                 {FAKE_HOST_POLITE, NULL}};
    struct fake_host_step steps[3 + 9 * 6 + 5];
    const struct fake_host_script script = {steps, COUNT(steps)};
    const struct fake_host_options options = {
        .scripts = &script, .script_count = 1, .rcpt = ACCEPTS_ALL};
    struct fake_host *host;

    memcpy(steps, opening, sizeof opening);
    for (size_t i = 0; i < 9; i++)
        memcpy(steps + 3 + 6 * i, question, sizeof question);
    memcpy(steps + 3 + 6 * 9, last, sizeof last);
    world.options.catch_all_check = true;
    world.parked_first = 9; /* another callout probes, and has given up by then */
    host = start(0, &options);
    assert_int_equal(ask_for_many(10), 1);
    assert_int_equal(fake_host_surprises(host), 0);
    heard(host, "RCPT", 9 + 2 + 1);
    heard(host, "RSET", 9 + 1 + 1);
    heard(host, "QUIT", 1);
    is(&world.answer[9], RB_REASON_CATCH_ALL);
}

static bool another_always_comes(void);

/* The reset at rest is the one before the next question. */
static void a_session_that_rests_between_questions_has_no_more_of_them(void **state)
{
    (void)state;
    struct fake_host *host = start_saying(0, ACCEPTS_ALL);

    world.options.idle_timeout_ms = LONG_MS;
    world.while_kept_open = another_always_comes;
    ask("one.example", "u@one.example");
    assert_int_equal(world.next, 10);
    assert_int_equal(world.rests, 9);
    assert_int_equal(fake_host_connections(host), 1);
    heard(host, "RSET", 9);
    heard(host, "QUIT", 1);
}

/* Those that another host was asked about before: more than one session takes. */
static void what_a_session_is_left_before_is_asked_in_the_next(void **state)
{
    (void)state;
    struct fake_host *first = start_saying(0, UNKNOWN_USER); /* no SMTPUTF8: asked about nobody */
    struct fake_host *second = start(1, &(const struct fake_host_options){.smtputf8 = true});

    for (int i = 0; i < 10; i++)
        add("j\xc3\xb6rg@three.example")->needs_utf8 = true;
    run("three.example");
    for (int i = 0; i < 10; i++)
        is(&world.answer[i], RB_REASON_NO_SUCH_USER);
    heard(first, "MAIL", 0);
    heard(second, "RCPT", 10);
    assert_int_equal(fake_host_connections(second), 2);
}

#define OPENING                                                                                    \
    {FAKE_HOST_SAY, "220 hello"}, {FAKE_HOST_EXPECT, "EHLO"},                                      \
    {                                                                                              \
        FAKE_HOST_SAY, "250 hello"                                                                 \
    }
#define TRANSACTION(reply)                                                                         \
    {FAKE_HOST_EXPECT, "MAIL"}, {FAKE_HOST_SAY, "250 ok"}, {FAKE_HOST_EXPECT, "RCPT"},             \
    {                                                                                              \
        FAKE_HOST_SAY, (reply)                                                                     \
    }

static const struct fake_host_step tired[] = {OPENING,
                                              TRANSACTION(UNKNOWN_USER),
                                              {FAKE_HOST_EXPECT, "RSET"},
                                              {FAKE_HOST_SAY, "421 4.7.0 too many errors"}};
static const struct fake_host_step leaving[] = {
    OPENING, TRANSACTION(UNKNOWN_USER), {FAKE_HOST_EXPECT, "RSET"}};
static const struct fake_host_step fed_up_with_rcpt[] = {OPENING,
                                                         TRANSACTION(UNKNOWN_USER),
                                                         {FAKE_HOST_EXPECT, "RSET"},
                                                         {FAKE_HOST_SAY, "250 ok"},
                                                         TRANSACTION("421 4.7.0 too many errors")};
static const struct fake_host_step polite[] = {{FAKE_HOST_SAY, "220 hello"},
                                               {FAKE_HOST_POLITE, NULL}};

static void a_session_that_wears_out_is_followed_by_another(void **state)
{
    (void)state;
    static const struct fake_host_script scripts[][2] = {
        {{tired, COUNT(tired)}, {polite, COUNT(polite)}},
        {{leaving, COUNT(leaving)}, {polite, COUNT(polite)}},
        {{fed_up_with_rcpt, COUNT(fed_up_with_rcpt)}, {polite, COUNT(polite)}},
    };

    world.options.max_hosts = 1;
    for (size_t i = 0; i < COUNT(scripts); i++) {
        struct fake_host *host = start_playing(0, scripts[i], 2);

        for (int j = 0; j < 3; j++)
            add("u@one.example");
        run("one.example");
        for (int j = 0; j < 3; j++)
            is(&world.answer[3 * i + (size_t)j], RB_REASON_NO_SUCH_USER);
        assert_int_equal(fake_host_connections(host), 2);
        /* A host that has had enough of a session has not failed. */
        was_called_so(2 * i, "127.0.0.1", RB_REASON_ACCEPTED);
        was_called_so(2 * i + 1, "127.0.0.1", RB_REASON_ACCEPTED);
        fake_host_stop(host);
        world.host[0] = NULL;
        world.port = 0;
    }
}

static void a_host_that_serves_one_address_a_session_is_called_for_each(void **state)
{
    (void)state;
    static const struct fake_host_script script = {tired, COUNT(tired)};
    struct fake_host *host = start_playing(0, &script, 1);

    for (int i = 0; i < 5; i++)
        add("u@one.example");
    run("one.example");
    assert_int_equal(world.next, 5);
    for (int i = 0; i < 5; i++)
        is(&world.answer[i], RB_REASON_NO_SUCH_USER);
    assert_int_equal(fake_host_connections(host), 5);
}

static void an_exhausted_session_does_not_ask_twice_for_what_was_put_off(void **state)
{
    (void)state;
    static const struct fake_host_step steps[] = {OPENING,
                                                  TRANSACTION(GREYLISTED),
                                                  {FAKE_HOST_EXPECT, "RSET"},
                                                  {FAKE_HOST_SAY, "421 4.7.0 too many errors"}};
    static const struct fake_host_script scripts[] = {{steps, COUNT(steps)},
                                                      {polite, COUNT(polite)}};
    struct fake_host *host = start_playing(0, scripts, 2);

    add("a@one.example");
    add("b@one.example");
    run("one.example");
    is(&world.answer[0], RB_REASON_GREYLISTED);
    is(&world.answer[1], RB_REASON_NO_SUCH_USER);
    heard(host, "RCPT TO:<a@one.example>", 1);
    heard(host, "RCPT TO:<b@one.example>", 1);
}

static void what_a_session_was_left_over_is_asked_first_in_the_next(void **state)
{
    (void)state;
    static const struct fake_host_script scripts[] = {{tired, COUNT(tired)},
                                                      {polite, COUNT(polite)}};
    struct fake_host *first, *host;
    static const char *const names[] = {"a@three.example", "b@three.example", "c@three.example"};

    first = start(0, &(const struct fake_host_options){.rcpt = GREYLISTED});
    host = start_playing(1, scripts, 2);
    for (int i = 0; i < 3; i++)
        add(names[i]);
    run("three.example");
    heard(first, "RCPT", 3);
    heard_nth(host, "RCPT", 0, "RCPT TO:<a@three.example>");
    heard_nth(host, "RCPT", 1, "RCPT TO:<b@three.example>"); /* over which the session ended */
    heard_nth(host, "RCPT", 2, "RCPT TO:<c@three.example>");
}

/* A host with a limit to its sessions, whatever its words and code: a second session is told
 * more. */
static void a_limit_of_a_session_is_no_answer(void **state)
{
    (void)state;
    static const char *const limits[] = {
        "550 5.5.3 Only one recipient per session", "550 5.7.1 Too many invalid recipients",
        "550 5.7.1 Invalid recipient limit reached for your session",
        "452 4.5.3 Too many recipients", "421 4.7.0 Too many errors"};

    for (size_t i = 0; i < COUNT(limits); i++) {
        const struct fake_host_step steps[] = {OPENING,
                                               TRANSACTION(UNKNOWN_USER),
                                               {FAKE_HOST_EXPECT, "RSET"},
                                               {FAKE_HOST_SAY, "250 ok"},
                                               TRANSACTION(limits[i]),
                                               {FAKE_HOST_EXPECT, "QUIT"},
                                               {FAKE_HOST_SAY, "221 bye"}};
        const struct fake_host_script script = {steps, COUNT(steps)};
        const size_t from = world.item_count;
        struct fake_host *host = start_playing(0, &script, 1);

        for (int j = 0; j < 4; j++)
            add("u@one.example");
        run("one.example");
        for (size_t j = from; j < from + 4; j++)
            is(&world.answer[j], RB_REASON_NO_SUCH_USER);
        assert_int_equal(fake_host_connections(host), 4);
        heard(host, "RCPT", 4 + 3); /* three heard of the limit, and once only */
        assert_int_equal(world.paused, 0);
        for (size_t j = 0; j < world.called_count; j++)
            was_called_so(j, "127.0.0.1", RB_REASON_ACCEPTED);
        stop_host(0);
    }
}

/* In a new session it is no limit of that: there is no other to ask in. */
static void a_limit_of_a_session_that_holds_in_a_new_one_is_an_answer(void **state)
{
    (void)state;
    struct fake_host *host = start_saying(0, "550 5.7.1 Too many invalid recipients");

    is(ask("one.example", "u@one.example"), RB_REASON_BLOCKED);
    assert_int_equal(fake_host_connections(host), 1);
    heard(host, "RCPT", 1);
    assert_int_equal(world.paused, 0);
}

/* A host whose replies turn to our manners has had enough of us: that is not what it says of
 * users. */
static void a_host_that_speaks_of_us_in_mid_session_is_asked_in_another(void **state)
{
    (void)state;
    static const struct fake_host_step fed_up[] = {OPENING,
                                                   TRANSACTION(UNKNOWN_USER),
                                                   {FAKE_HOST_EXPECT, "RSET"},
                                                   {FAKE_HOST_SAY, "250 ok"},
                                                   TRANSACTION(LISTED),
                                                   {FAKE_HOST_EXPECT, "QUIT"},
                                                   {FAKE_HOST_SAY, "221 bye"}};
    static const struct fake_host_step fed_up_at_once[] = {OPENING, TRANSACTION(LISTED)};
    static const struct fake_host_script scripts[] = {{fed_up, COUNT(fed_up)},
                                                      {polite, COUNT(polite)}};
    static const struct fake_host_script for_good[] = {{fed_up, COUNT(fed_up)},
                                                       {fed_up_at_once, COUNT(fed_up_at_once)}};
    struct fake_host *host = start_playing(0, scripts, 2);

    add("a@one.example");
    add("b@one.example");
    run("one.example");
    is(&world.answer[1], RB_REASON_NO_SUCH_USER);
    assert_int_equal(fake_host_connections(host), 2);
    assert_int_equal(fake_host_surprises(host), 0);
    stop_host(0);
    host = start_playing(0, for_good, 2);
    add("a@one.example");
    add("b@one.example");
    run("one.example");
    is(&world.answer[2], RB_REASON_NO_SUCH_USER);
    is(&world.answer[3], RB_REASON_BLOCKED);
    assert_int_equal(fake_host_connections(host), 2);
    was_called_so(world.called_count - 1, "127.0.0.1", RB_REASON_BLOCKED);
}

/* Eight seconds for each of the first two refusals, then sixteen. */
static int64_t tarpit_monotonic_ms(void *arg)
{
    const unsigned refused = fake_host_heard(world.host[0], "RCPT");

    return real_monotonic_ms(arg) + (int64_t)refused * 8000 + (refused > 2 ? 8000 : 0) +
           (refused > 3 ? 8000 : 0);
}

static void a_session_that_gets_ever_slower_is_left(void **state)
{
    (void)state;
    struct fake_host *host = start_saying(0, UNKNOWN_USER);

    world.clock.monotonic_ms = tarpit_monotonic_ms;
    world.options.total_timeout_ms = 10 * LONG_MS;
    for (int i = 0; i < 4; i++)
        add("u@one.example");
    run("one.example");
    assert_int_equal(world.next, 3); /* the third took twice as long */
    heard(host, "QUIT", 1);
    run("one.example");
    assert_int_equal(world.next, 4);
    is(&world.answer[3], RB_REASON_NO_SUCH_USER);
    assert_int_equal(fake_host_connections(host), 2);
}

/* --- Too many, too much -------------------------------------------------------- */

static void everything_was_put_back(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(world.put_back[i], 1);
        assert_int_equal(world.answers[i], 0);
    }
}

/* Of several sessions of ours one was too many for the host: no answer, and no failure. */
static void one_connection_too_many_is_handed_back(void **state)
{
    (void)state;
    static const struct fake_host_options hosts[] = {
        {.banner = "421 4.7.0 Too many concurrent SMTP connections; please try again later."},
        {.banner = "421 busy"},
        {.banner = ""},
        {.ehlo = "421 4.3.2 no"},
        {.ehlo = ""},
        {.banner = "450 4.7.0 too many connections from your host"},
    };

    start_saying(1, UNKNOWN_USER);
    world.others_at = "127.0.0.1";
    for (size_t i = 0; i < COUNT(hosts); i++) {
        start(0, &hosts[i]);
        add("a@three.example");
        run("three.example");
        everything_was_put_back(i + 1);
        assert_int_equal(fake_host_connections(world.host[0]), 1);
        fake_host_stop(world.host[0]);
    }
    world.host[0] = NULL;
    nobody_was_called(); /* nor the backup */
    assert_int_equal(world.paused, 0);
}

static void a_refused_connection_beside_others_is_one_too_many(void **state)
{
    (void)state;
    start_saying(0, UNKNOWN_USER);
    world.others_at = "127.0.0.9";
    add("a@backup.example");
    run("backup.example");
    everything_was_put_back(1);
    nobody_was_called();
    assert_int_equal(world.lags_asked, 0);
}

static void a_421_to_the_first_question_beside_others_is_one_too_many_once(void **state)
{
    (void)state;
    start_saying(0, "421 4.7.0 not now");
    world.others_at = "127.0.0.1";
    add("a@one.example");
    add("b@one.example");
    run("one.example");
    assert_int_equal(world.next, 1);
    everything_was_put_back(1);
    assert_int_equal(world.called_count, 0);
    world.next = 0; /* it is taken again */
    world.put_back[0] = 0;
    run("one.example");
    assert_int_equal(world.answers[0], 1);
    assert_int_equal(world.answer[0].code, 421);
}

#define TOO_MUCH "450 4.7.1 Error: too much mail from 192.0.2.1"

/* It speaks of us and of now: nobody is asked about any more, and the host has not failed. */
static void a_host_for_which_we_are_too_much_is_left_alone(void **state)
{
    (void)state;
    static const struct fake_host_options hosts[] = {
        {.null_sender = TOO_MUCH, .pipelining = true},
        {.rcpt = "450 4.7.1 Error: too many recipients from 192.0.2.1"},
        {.rcpt = "451 Sender rate 12.0 / 1m exceeds limit"},
        {.rcpt = "550 5.7.1 Rate limit exceeded"},
        {.banner = "421 4.7.0 mx Error: too many connections from 192.0.2.1"},
    };

    start_saying(1, UNKNOWN_USER);
    for (size_t i = 0; i < COUNT(hosts); i++) {
        const size_t from = world.item_count;
        struct fake_host *host = start(0, &hosts[i]);

        for (int j = 0; j < 4; j++)
            add("u@three.example");
        run("three.example");
        assert_int_equal(world.next, world.item_count);
        assert_int_equal(world.paused, i + 1);
        for (size_t j = from; j < from + 4; j++)
            is(&world.answer[j], RB_REASON_LIMITED);
        assert_true(world.answer[from].code >= 400);
        assert_string_equal(world.answer[from + 1].rule, "host_paused");
        assert_true(fake_host_heard(host, "RCPT") <= 1);
        assert_true(fake_host_heard(host, "MAIL") <= 1);
        fake_host_stop(host);
    }
    world.host[0] = NULL;
    nobody_was_called(); /* nor the backup */
    assert_int_equal(world.learned_count, 0);
}

static void what_was_answered_before_it_became_too_much_stands(void **state)
{
    (void)state;
    static const struct fake_host_step steps[] = {OPENING,
                                                  TRANSACTION(UNKNOWN_USER),
                                                  {FAKE_HOST_EXPECT, "RSET"},
                                                  {FAKE_HOST_SAY, "250 ok"},
                                                  {FAKE_HOST_EXPECT, "MAIL"},
                                                  {FAKE_HOST_SAY, TOO_MUCH},
                                                  {FAKE_HOST_EXPECT, "QUIT"},
                                                  {FAKE_HOST_SAY, "221 bye"}};
    static const struct fake_host_script script = {steps, COUNT(steps)};
    struct fake_host *host = start_playing(0, &script, 1);

    for (int i = 0; i < 3; i++)
        add("u@one.example");
    run("one.example");
    is(&world.answer[0], RB_REASON_NO_SUCH_USER);
    is(&world.answer[1], RB_REASON_LIMITED);
    is(&world.answer[2], RB_REASON_LIMITED);
    assert_int_equal(fake_host_connections(host), 1);
    assert_int_equal(fake_host_surprises(host), 0);
    was_called_so(0, "127.0.0.1", RB_REASON_ACCEPTED);
}

/* What it says of time is greylisting, whatever it says of pace. */
static void a_greylist_is_not_left_alone(void **state)
{
    (void)state;
    start_saying(0, "450 4.7.1 Greylisted, you are too fast; try again in 300 seconds");
    is(ask("one.example", "u@one.example"), RB_REASON_GREYLISTED);
    assert_int_equal(world.paused, 0);
}

static void a_host_that_is_left_alone_is_not_called(void **state)
{
    (void)state;
    start_saying(0, UNKNOWN_USER);
    start_saying(1, UNKNOWN_USER);
    world.paused_ip = "127.0.0.1";
    add("a@three.example");
    add("b@three.example");
    run("three.example");
    assert_int_equal(world.next, 2);
    for (int i = 0; i < 2; i++) {
        is(&world.answer[i], RB_REASON_LIMITED);
        assert_string_equal(world.answer[i].rule, "host_paused");
    }
    nobody_was_called();
    assert_int_equal(world.learned_count, 0);
}

static void a_host_that_was_called_often_enough_is_not_called(void **state)
{
    (void)state;
    start_saying(0, UNKNOWN_USER);
    start_saying(1, UNKNOWN_USER);
    world.over_rate_ip = "127.0.0.1";
    is(ask("three.example", "a@three.example"), RB_REASON_LIMITED);
    assert_string_equal(world.answer[0].rule, "per_domain_rate");
    nobody_was_called();
    assert_int_equal(world.learned_count, 0);
}

/* --- What counts against a host -------------------------------------------------- */

static void what_one_recipient_is_refused_is_not_the_host(void **state)
{
    (void)state;
    static const char *const refusals[] = {
        "554 5.7.1 <u@one.example>: Recipient address rejected: Access denied",
        "554 5.7.1 <u@one.example>: Recipient address rejected: internal list, members only",
    };

    for (size_t i = 0; i < COUNT(refusals); i++) {
        start_saying(0, refusals[i]);
        assert_int_equal(rb_reason_verdict(ask("one.example", "u@one.example")->reason),
                         RB_VERDICT_UNKNOWN);
        was_called_so(i, "127.0.0.1", RB_REASON_ACCEPTED);
        stop_host(0);
    }
}

static void what_all_of_us_would_be_told_is(void **state)
{
    (void)state;
    static const char *const refusals[] = {
        LISTED, "550 5.7.1 <we.example[192.0.2.1]>: Client host rejected: Access denied"};

    for (size_t i = 0; i < COUNT(refusals); i++) {
        start_saying(0, refusals[i]);
        is(ask("one.example", "u@one.example"), RB_REASON_BLOCKED);
        was_called_so(i, "127.0.0.1", RB_REASON_BLOCKED);
        stop_host(0);
    }
}

static void no_way_to_a_host_says_nothing_of_it(void **state)
{
    (void)state;
    static const char *const not_ours[] = {"192.0.2.77"};

    start_saying(0, UNKNOWN_USER);
    world.options.bind = not_ours;
    world.options.bind_count = 1;
    is(ask("one.example", "u@one.example"), RB_REASON_UNREACHABLE);
    assert_string_equal(world.answer[0].rule, "no_route");
    nobody_was_called();
}

/* --- Sessions that are kept open --------------------------------------------- */

static bool another_comes(void)
{
    if (world.rests == 3)
        return false;
    add("v@one.example");
    return true;
}

static void what_comes_while_a_session_rests_is_asked_in_it(void **state)
{
    (void)state;
    struct fake_host *host = start_saying(0, UNKNOWN_USER);

    world.options.idle_timeout_ms = LONG_MS;
    world.while_kept_open = another_comes;
    ask("one.example", "u@one.example");
    assert_int_equal(world.rests, 3);
    assert_int_equal(world.next, 3);
    for (int i = 0; i < 3; i++)
        is(&world.answer[i], RB_REASON_NO_SUCH_USER);
    assert_int_equal(fake_host_connections(host), 1);
    heard(host, "RSET", 3); /* whenever it comes to rest */
    heard(host, "RCPT", 3);
    heard(host, "QUIT", 1);
    /* Known before it rests, and said once. */
    assert_int_equal(world.called_before_rest, 1);
    assert_int_equal(world.called_count, 1);
    was_called_so(0, "127.0.0.1", RB_REASON_ACCEPTED);
}

static bool another_comes_when_the_host_has_gone(void)
{
    if (world.rests > 1)
        return false;
    fake_host_stop(world.host[0]); /* and with it its connections */
    start_saying(0, UNKNOWN_USER);
    add("v@one.example");
    return true;
}

static void a_host_that_has_gone_meanwhile_is_called_again(void **state)
{
    (void)state;
    start_saying(0, UNKNOWN_USER);

    world.options.max_hosts = 1;
    world.options.idle_timeout_ms = LONG_MS;
    world.while_kept_open = another_comes_when_the_host_has_gone;
    ask("one.example", "u@one.example");
    assert_int_equal(world.next, 2);
    is(&world.answer[1], RB_REASON_NO_SUCH_USER);
    heard(world.host[0], "RCPT", 1);
    was_called_so(0, "127.0.0.1", RB_REASON_ACCEPTED);
    was_called_so(1, "127.0.0.1", RB_REASON_ACCEPTED);
}

static const struct fake_host_step fed_up_with_rset[] = {OPENING,
                                                         TRANSACTION(UNKNOWN_USER),
                                                         {FAKE_HOST_EXPECT, "RSET"},
                                                         {FAKE_HOST_SAY, "502 5.5.1 what?"},
                                                         {FAKE_HOST_SILENT, NULL}};
static const struct fake_host_step silent_at_rset[] = {
    OPENING, TRANSACTION(UNKNOWN_USER), {FAKE_HOST_EXPECT, "RSET"}, {FAKE_HOST_SILENT, NULL}};
static const struct fake_host_step late_at_rset[] = {{FAKE_HOST_SAY, "220 hello"},
                                                     {FAKE_HOST_EXPECT, "EHLO"},
                                                     {FAKE_HOST_SAY, "250-hello\r\n250 PIPELINING"},
                                                     {FAKE_HOST_EXPECT, "MAIL"},
                                                     {FAKE_HOST_EXPECT, "RCPT"},
                                                     {FAKE_HOST_SAY, "250 ok\r\n" UNKNOWN_USER},
                                                     {FAKE_HOST_EXPECT, "RSET"},
                                                     {FAKE_HOST_EXPECT, "QUIT"},
                                                     {FAKE_HOST_SAY, "250 ok\r\n221 bye"}};

static void a_session_that_cannot_be_reset_does_not_rest(void **state)
{
    (void)state;
    static const struct fake_host_script scripts[] = {
        {tired, COUNT(tired)},
        {leaving, COUNT(leaving)},
        {fed_up_with_rset, COUNT(fed_up_with_rset)},
        {silent_at_rset, COUNT(silent_at_rset)},
    };

    world.options.idle_timeout_ms = SHORT_MS;
    world.while_kept_open = another_comes;
    for (size_t i = 0; i < COUNT(scripts); i++) {
        struct fake_host *host = start_playing(0, &scripts[i], 1);

        is(ask("one.example", "u@one.example"), RB_REASON_NO_SUCH_USER);
        assert_int_equal(world.rests, 0);
        was_called_so(i, "127.0.0.1", RB_REASON_ACCEPTED);
        heard(host, "RSET", 1);
        fake_host_stop(host);
        world.host[0] = NULL;
        world.port = 0;
    }
}

static void a_session_that_is_reset_late_ends_with_quit(void **state)
{
    (void)state;
    static const struct fake_host_script script = {late_at_rset, COUNT(late_at_rset)};
    struct fake_host *host = start_playing(0, &script, 1);

    world.options.idle_timeout_ms = SHORT_MS;
    is(ask("one.example", "u@one.example"), RB_REASON_NO_SUCH_USER);
    assert_int_equal(world.rests, 0);
    heard(host, "QUIT", 1);
    assert_int_equal(fake_host_surprises(host), 0);
    was_called_so(0, "127.0.0.1", RB_REASON_ACCEPTED);
}

static void a_session_in_which_nobody_was_answered_for_does_not_rest(void **state)
{
    (void)state;
    struct fake_host *host = start_saying(0, "451 4.3.0 not now");

    world.options.idle_timeout_ms = LONG_MS;
    world.while_kept_open = another_comes;
    is(ask("one.example", "u@one.example"), RB_REASON_TEMPFAIL);
    assert_int_equal(world.rests, 0);
    heard(host, "RSET", 0);
}

static void a_session_that_need_not_rest_is_not_reset(void **state)
{
    (void)state;
    struct fake_host *host = start_saying(0, UNKNOWN_USER);

    world.options.idle_timeout_ms = LONG_MS;
    world.never_rest = true;
    ask("one.example", "u@one.example");
    assert_int_equal(world.rests, 0);
    heard(host, "RSET", 0);
    heard(host, "QUIT", 1);
}

static void what_is_for_the_next_host_does_not_wait_for_a_rest(void **state)
{
    (void)state;
    static const struct fake_host_reply put_off[] = {{"later@three.example", "451 4.3.0 not now"}};
    struct fake_host *first =
        start(0, &(const struct fake_host_options){.replies = put_off, .reply_count = 1});

    start_saying(1, UNKNOWN_USER);
    world.options.idle_timeout_ms = LONG_MS;
    add("later@three.example");
    add("u@three.example");
    run("three.example");
    is(&world.answer[0], RB_REASON_NO_SUCH_USER);
    is(&world.answer[1], RB_REASON_NO_SUCH_USER);
    heard(first, "QUIT", 1);
    assert_int_equal(world.rests, 1); /* with the second host */
}

static bool another_always_comes(void)
{
    add("v@one.example");
    return true;
}

/* It would be answered more slowly in it than in a new one. */
static void a_session_with_many_refusals_does_not_rest(void **state)
{
    (void)state;
    struct fake_host *host = start_saying(0, UNKNOWN_USER);

    world.options.idle_timeout_ms = LONG_MS;
    world.while_kept_open = another_always_comes;
    ask("one.example", "u@one.example");
    assert_int_equal(world.next, 9);
    heard(host, "QUIT", 1);
}

static void a_session_at_its_ceiling_does_not_rest(void **state)
{
    (void)state;
    start_saying(0, "250 2.1.5 Ok");

    world.options.idle_timeout_ms = LONG_MS;
    world.while_kept_open = another_comes;
    for (int i = 0; i < CALLOUT_SESSION_QUESTIONS_MAX; i++)
        add("u@one.example");
    run("one.example");
    assert_int_equal(world.next, CALLOUT_SESSION_QUESTIONS_MAX);
    assert_int_equal(world.rests, 0);
}

static void a_first_transaction_that_is_cut_off_is_not_tried_again(void **state)
{
    (void)state;
    static const char *const ends[] = {"421 4.7.0 closing", ""};

    for (size_t i = 0; i < COUNT(ends); i++) {
        struct fake_host *host = start_saying(0, ends[i]);

        assert_int_equal(rb_reason_verdict(ask("one.example", "u@one.example")->reason),
                         RB_VERDICT_UNKNOWN);
        assert_int_equal(fake_host_connections(host), 1);
        fake_host_stop(host);
        world.host[0] = NULL;
        world.port = 0;
    }
    assert_int_equal(world.called[0].how.code, 421);
    was_called_so(1, "127.0.0.1", RB_REASON_UNREACHABLE);
}

static void a_silent_host_times_out_and_is_reported(void **state)
{
    (void)state;
    static const struct fake_host_step steps[] = {{FAKE_HOST_SILENT, NULL}};
    static const struct fake_host_script script = {steps, COUNT(steps)};

    start_playing(0, &script, 1);
    world.options.command_timeout_ms = SHORT_MS;
    is(ask("one.example", "u@one.example"), RB_REASON_UNREACHABLE);
    assert_string_equal(world.answer[0].rule, "host_silent");
    assert_int_equal(world.answer[0].stage, RB_STAGE_BANNER);
    was_called_so(0, "127.0.0.1", RB_REASON_UNREACHABLE);
}

static void a_callout_that_is_cut_short_says_nothing_of_the_host(void **state)
{
    (void)state;
    struct fake_host *host = start_saying(0, UNKNOWN_USER);
    int wake[2];

    assert_int_equal(pipe(wake), 0);
    assert_int_equal(write(wake[1], "", 1), 1);
    world.cancel_fd = wake[0];
    is(ask("one.example", "u@one.example"), RB_REASON_TIMEOUT);
    assert_int_equal(world.called_count, 0);
    assert_int_equal(world.learned_count, 0);
    heard(host, "", 0);
    close(wake[0]);
    close(wake[1]);
}

/* Whatever is not known yet: it is of this moment. */
static void a_look_up_that_is_cut_short_says_nothing_of_the_domain(void **state)
{
    (void)state;
    static const char *const domains[] = {"missing.example", "private.example", "broken.example",
                                          "nothing.example", "refused.example"};
    int wake[2];

    world.port = 1;
    assert_int_equal(pipe(wake), 0);
    assert_int_equal(write(wake[1], "", 1), 1);
    world.cancel_fd = wake[0];
    for (size_t i = 0; i < COUNT(domains); i++) {
        const struct address_record *record = ask(domains[i], "u@domain.example");

        is(record, RB_REASON_TIMEOUT);
        assert_string_equal(record->rule, "cut_short");
    }
    assert_int_equal(world.called_count, 0);
    assert_int_equal(world.learned_count, 0);
    close(wake[0]);
    close(wake[1]);
}

static void each_item_has_its_own_part_of_the_transcript(void **state)
{
    (void)state;
    const struct rb_transcript *first, *second;

    start_saying(0, UNKNOWN_USER);
    first = add("a@one.example")->transcript = transcript_new();
    second = add("b@one.example")->transcript = transcript_new();
    run("one.example");
    assert_string_equal(rb_transcript_get(first, 0).text, "connecting");
    assert_string_equal(rb_transcript_get(first, 7).text, "RCPT TO:<a@one.example>");
    assert_string_equal(rb_transcript_get(second, 0).text, "in a session that is open already");
    assert_string_equal(rb_transcript_get(second, 1).text, "RSET");
    assert_string_equal(rb_transcript_get(second, 5).text, "RCPT TO:<b@one.example>");
}

static void a_utf8_address_is_unknown_where_it_cannot_be_asked(void **state)
{
    (void)state;
    struct fake_host *host = start_saying(0, ACCEPTS_ALL);

    add("j\xc3\xb6rg@one.example")->needs_utf8 = true;
    run("one.example");
    is(&world.answer[0], RB_REASON_REJECTED);
    assert_string_equal(world.answer[0].rule, "no_smtputf8");
    heard(host, "MAIL", 0);
    assert_false(world.answer[0].mail_from_known);
}

static void a_utf8_address_is_asked_where_it_can_be(void **state)
{
    (void)state;
    struct fake_host *host =
        start(0, &(const struct fake_host_options){.rcpt = ACCEPTS_ALL, .smtputf8 = true});

    add("j\xc3\xb6rg@one.example")->needs_utf8 = true;
    run("one.example");
    is(&world.answer[0], RB_REASON_ACCEPTED);
    heard(host, "MAIL FROM:<> SMTPUTF8", 1);
}

/* --- Verbs -------------------------------------------------------------------- */

#define AYTTM "AYTTM-54321-25-0a090002"
#define AYTTM_YES "450 4.5.0 AYTTM yes"

static struct callout_item *add_verb(const char *only_mx)
{
    struct callout_item *item = add("");

    item->verb = AYTTM;
    item->only_mx = only_mx;
    return item;
}

/* A verb was replied to. */
static void was_said(size_t item, enum verbs_word word, int code)
{
    const struct address_record *record = &world.answer[item];

    is(record, RB_REASON_NONE);
    assert_int_equal(record->stage, RB_STAGE_VERB);
    assert_int_equal(record->code, code);
    assert_int_equal(world.item[item].word, word);
    assert_true(world.item[item].greeted);
}

/* It was not, or nobody replied. */
static void was_not_said(size_t item, bool greeted, enum rb_reason reason, const char *rule)
{
    is(&world.answer[item], reason);
    if (rule != NULL)
        assert_string_equal(world.answer[item].rule, rule);
    assert_int_equal(world.item[item].word, VERBS_NONE);
    assert_int_equal(world.item[item].greeted, greeted);
}

static void a_verb_is_asked_in_a_session_of_its_own_where_nobody_else_asks(void **state)
{
    (void)state;
    struct fake_host *host = start(0, &(const struct fake_host_options){.verb = AYTTM_YES});

    world.options.catch_all_check = true;
    world.options.data_check = true;
    add_verb(NULL);
    run("three.example");
    was_said(0, VERBS_YES, 450);
    assert_string_equal(world.answer[0].mx, "mx1.d.example");
    assert_string_equal(world.answer[0].ip, "127.0.0.1");
    assert_string_equal(world.answer[0].reply, AYTTM_YES);
    assert_int_equal(fake_host_connections(host), 1);
    heard(host, AYTTM, 1);
    heard(host, "QUIT", 1);
    heard(host, "", 3); /* and EHLO */
    assert_int_equal(world.called_count, 1);
    was_called_so(0, "127.0.0.1", RB_REASON_ACCEPTED);
    assert_int_equal(world.learned_count, 0);
    assert_int_equal(world.probes_begun, 0);
}

/* Whichever comes first; with PIPELINING, with TLS, and with neither. */
static void a_verb_and_an_address_share_a_session(void **state)
{
    (void)state;
    static const struct fake_host_options hosts[] = {
        {.verb = AYTTM_YES, .rcpt = ACCEPTS_ALL},
        {.verb = AYTTM_YES, .rcpt = ACCEPTS_ALL, .pipelining = true},
        {.verb = AYTTM_YES, .rcpt = ACCEPTS_ALL, .pipelining = true, .starttls = true},
    };

    for (size_t i = 0; i < 2 * COUNT(hosts); i++) {
        const bool verb_first = i % 2 == 0;
        struct fake_host *host = start(0, &hosts[i / 2]);
        const size_t verb = world.item_count + (verb_first ? 0 : 1);

        if (verb_first)
            add_verb(NULL);
        add("u@one.example");
        if (!verb_first)
            add_verb(NULL);
        run("one.example");
        was_said(verb, VERBS_YES, 450);
        is(&world.answer[verb_first ? verb + 1 : verb - 1], RB_REASON_ACCEPTED);
        assert_string_equal(world.answer[verb].tls, hosts[i / 2].starttls ? "TLSv1.3" : "");
        assert_int_equal(fake_host_connections(host), 1);
        heard(host, AYTTM, 1);
        heard(host, "RCPT", 1);
        heard(host, "RSET", 0);
        stop_host(0);
    }
}

static void whatever_is_replied_to_a_verb_is_its_answer(void **state)
{
    (void)state;
    static const struct {
        const char *reply;
        enum verbs_word word;
        int code;
    } cases[] = {
        {"450 4.5.0 AYTTM maybe", VERBS_MAYBE, 450},
        {"450 4.5.0 AYTTM no", VERBS_NO, 450},
        {"450 4.5.0 AYTTM unknown", VERBS_UNKNOWN, 450},
        {"450-4.5.0 AYTTM yes\r\n450-4.5.0 and\r\n450 4.5.0 AYTTM no", VERBS_YES, 450},
        {"550 5.5.1 AYTTM yes", VERBS_NONE, 550},
        {"500 AYTTM no such command", VERBS_NONE, 500},
        {"250 2.0.0 AYTTM yes", VERBS_YES, 250},
        {"502 5.5.2 Error: command not recognized", VERBS_NONE, 502},
        {"500 5.5.1 Command unrecognized: \"AYTTM\"", VERBS_NONE, 500},
        {"250 2.0.0 Ok", VERBS_NONE, 250},
        {"354 go on", VERBS_NONE, 354},
        {"554 5.7.1 Client host [192.0.2.1] blocked using zen.spamhaus.org", VERBS_NONE, 554},
        {"450 4.7.1 Too many connections, slow down", VERBS_NONE, 450},
        {"421 4.7.0 Error: too many errors", VERBS_NONE, 421},
        {"421 4.5.0 AYTTM no", VERBS_NONE, 421},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fake_host *host =
            start(0, &(const struct fake_host_options){.verb = cases[i].reply});

        world.others_at = "127.0.0.1"; /* it is not one connection too many, either */
        add_verb(NULL);
        run("one.example");
        was_said(i, cases[i].word, cases[i].code);
        assert_int_equal(fake_host_connections(host), 1);
        was_called_so(i, "127.0.0.1", RB_REASON_ACCEPTED);
        stop_host(0);
    }
    assert_int_equal(world.paused, 0);
    assert_int_equal(world.called_count, COUNT(cases));
}

#define GREETS                                                                                     \
    {FAKE_HOST_SAY, "220 hello"}, {FAKE_HOST_EXPECT, "EHLO"},                                      \
    {                                                                                              \
        FAKE_HOST_SAY, "250 hello"                                                                 \
    }

/* It had greeted, and is not held back for it; nor is the next one asked. */
static void what_comes_in_the_place_of_a_reply_is_the_answer_too(void **state)
{
    (void)state;
    static const struct fake_host_step closes[] = {GREETS, {FAKE_HOST_EXPECT, "AYTTM"}},
                                       is_silent[] = {GREETS,
                                                      {FAKE_HOST_EXPECT, "AYTTM"},
                                                      {FAKE_HOST_SILENT, NULL}},
                                       garbles[] = {GREETS,
                                                    {FAKE_HOST_EXPECT, "AYTTM"},
                                                    {FAKE_HOST_SAY, "are you talking to me?"},
                                                    {FAKE_HOST_SILENT, NULL}};
    static const struct {
        struct fake_host_script script;
        enum rb_reason reason;
        const char *rule;
    } cases[] = {{{closes, COUNT(closes)}, RB_REASON_UNREACHABLE, "connection_lost"},
                 {{is_silent, COUNT(is_silent)}, RB_REASON_UNREACHABLE, "host_silent"},
                 {{garbles, COUNT(garbles)}, RB_REASON_PROTOCOL_ERROR, "reply_malformed"}};

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fake_host *host = start_playing(0, &cases[i].script, 1);

        start(1, &(const struct fake_host_options){.verb = AYTTM_YES});
        world.options.command_timeout_ms =
            strcmp(cases[i].rule, "host_silent") == 0 ? SHORT_MS : LONG_MS;
        add_verb(NULL);
        run("three.example");
        was_not_said(i, true, cases[i].reason, cases[i].rule);
        assert_int_equal(world.answer[i].stage, RB_STAGE_VERB);
        assert_int_equal(fake_host_connections(host), 1);
        assert_int_equal(fake_host_connections(world.host[1]), 0);
        was_called_so(i, "127.0.0.1", RB_REASON_ACCEPTED);
        stop_host(0);
        stop_host(1);
    }
}

static void a_verb_goes_to_the_next_host_where_one_does_not_greet(void **state)
{
    (void)state;
    static const struct fake_host_step silent[] = {{FAKE_HOST_SILENT, NULL}},
                                       closing[] = {{FAKE_HOST_CLOSE, NULL}},
                                       refusing[] = {{FAKE_HOST_SAY, LISTED}},
                                       garbling[] = {{FAKE_HOST_SAY, "hello"}};
    static const struct fake_host_script scripts[] = {{silent, COUNT(silent)},
                                                      {closing, COUNT(closing)},
                                                      {refusing, COUNT(refusing)},
                                                      {garbling, COUNT(garbling)}};
    static const enum rb_reason reasons[] = {RB_REASON_UNREACHABLE, RB_REASON_UNREACHABLE,
                                             RB_REASON_BLOCKED, RB_REASON_PROTOCOL_ERROR};

    for (size_t i = 0; i < COUNT(scripts); i++) {
        start_playing(0, &scripts[i], 1);
        start(1, &(const struct fake_host_options){.verb = AYTTM_YES});
        world.options.command_timeout_ms = i == 0 ? SHORT_MS : LONG_MS;
        add_verb(NULL);
        run("one.example"); /* there is no other */
        was_not_said(2 * i, false, reasons[i], NULL);
        world.options.command_timeout_ms = LONG_MS;
        if (i > 0) {
            add_verb(NULL);
            run("three.example");
        } else { /* nobody waits for a minute */
            add_verb("mx2.d.example");
            run("three.example");
        }
        was_said(2 * i + 1, VERBS_YES, 450);
        assert_string_equal(world.answer[2 * i + 1].mx, "mx2.d.example");
        stop_host(0);
        stop_host(1);
    }
}

static void a_host_that_greets_and_goes_no_further_has_greeted(void **state)
{
    (void)state;
    static const struct fake_host_step steps[] = {
        {FAKE_HOST_SAY, "220 hello"},    {FAKE_HOST_EXPECT, "EHLO"},
        {FAKE_HOST_SAY, "554 5.7.1 no"}, {FAKE_HOST_EXPECT, "HELO"},
        {FAKE_HOST_SAY, "554 5.7.1 no"}, {FAKE_HOST_EXPECT, "QUIT"}};
    static const struct fake_host_script script = {steps, COUNT(steps)};

    start_playing(0, &script, 1);
    add_verb(NULL);
    run("one.example");
    was_not_said(0, true, world.answer[0].reason, NULL);
    assert_int_equal(world.answer[0].stage, RB_STAGE_EHLO);
}

static void a_host_that_nobody_has_does_not_greet(void **state)
{
    (void)state;
    start(0, &(const struct fake_host_options){.verb = AYTTM_YES});
    add_verb(NULL);
    run("refused.example");
    was_not_said(0, false, RB_REASON_UNREACHABLE, "connection_refused");
    add_verb(NULL);
    run("nothing.example");
    was_not_said(1, false, RB_REASON_NO_MAIL_HOST, NULL);
    world.held_ip = "127.0.0.1";
    add_verb(NULL);
    run("one.example");
    was_not_said(2, false, RB_REASON_LIMITED, NULL);
}

static void a_verb_for_one_host_is_asked_of_that_one(void **state)
{
    (void)state;
    struct fake_host *first = start_saying(0, UNKNOWN_USER);
    struct fake_host *second = start(1, &(const struct fake_host_options){.verb = AYTTM_YES});

    add_verb("MX2.d.example");
    add("u@three.example");
    run("three.example");
    was_said(0, VERBS_YES, 450);
    assert_int_equal(fake_host_connections(first), 0);
    assert_int_equal(world.next, 1); /* the address is the first host's */
    run("three.example");
    is(&world.answer[1], RB_REASON_NO_SUCH_USER);
    assert_int_equal(fake_host_connections(first), 1);
    assert_int_equal(fake_host_connections(second), 1);
}

static void a_verb_for_another_host_is_put_by_for_that_one(void **state)
{
    (void)state;
    struct fake_host *first = start_saying(0, UNKNOWN_USER);
    struct fake_host *second = start(1, &(const struct fake_host_options){.verb = AYTTM_YES});

    world.options.idle_timeout_ms = LONG_MS;
    add("u@three.example");
    add_verb("mx2.d.example");
    add("v@three.example");
    run("three.example");
    is(&world.answer[0], RB_REASON_NO_SUCH_USER);
    was_said(1, VERBS_YES, 450);
    is(&world.answer[2], RB_REASON_NO_SUCH_USER);
    heard(first, "AYTTM", 0);
    heard(first, "RCPT", 2);
    heard(second, "RCPT", 0);
    assert_int_equal(fake_host_connections(first), 1);
    assert_int_equal(fake_host_connections(second), 1);
}

static void a_verb_for_a_host_that_is_none_of_the_domains_calls_nobody(void **state)
{
    (void)state;
    start_saying(0, UNKNOWN_USER);
    add_verb("mx.elsewhere.example");
    add("u@three.example");
    run("three.example");
    was_not_said(0, false, RB_REASON_UNREACHABLE, "no_host_of_that_name");
    nobody_was_called();
    assert_int_equal(world.learned_count, 0);
    assert_int_equal(world.next, 1);
}

static void no_session_hears_two_verbs(void **state)
{
    (void)state;
    struct fake_host *host =
        start(0, &(const struct fake_host_options){.verb = AYTTM_YES, .pipelining = true});

    world.options.idle_timeout_ms = LONG_MS;
    for (int i = 0; i < 3; i++)
        add_verb(NULL);
    add("u@one.example");
    run("one.example");
    for (size_t i = 0; i < 3; i++)
        was_said(i, VERBS_YES, 450);
    is(&world.answer[3], RB_REASON_NO_SUCH_USER);
    assert_int_equal(fake_host_connections(host), 3);
    heard(host, "AYTTM", 3);
    heard(host, "RCPT", 1);
}

/* What it was asked before may have been enough for it. */
static void a_verb_that_was_not_heard_is_asked_in_another_session(void **state)
{
    (void)state;
    static const struct fake_host_step closes[] = {GREETS,
                                                   TRANSACTION(UNKNOWN_USER),
                                                   {FAKE_HOST_EXPECT, "AYTTM"}},
                                       has_enough[] = {GREETS,
                                                       TRANSACTION(UNKNOWN_USER),
                                                       {FAKE_HOST_EXPECT, "AYTTM"},
                                                       {FAKE_HOST_SAY,
                                                        "421 4.7.0 Error: too many errors"}},
                                       answers[] = {GREETS,
                                                    {FAKE_HOST_EXPECT, "AYTTM"},
                                                    {FAKE_HOST_SAY, AYTTM_YES},
                                                    {FAKE_HOST_EXPECT, "QUIT"}};
    static const struct fake_host_script cases[][2] = {
        {{closes, COUNT(closes)}, {answers, COUNT(answers)}},
        {{has_enough, COUNT(has_enough)}, {answers, COUNT(answers)}},
        {{closes, COUNT(closes)}, {answers, 4}}, /* and closes over the verb once more */
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fake_host *host = start_playing(0, cases[i], 2);

        add("u@one.example");
        add_verb(NULL);
        run("one.example");
        is(&world.answer[2 * i], RB_REASON_NO_SUCH_USER);
        if (i < 2)
            was_said(2 * i + 1, VERBS_YES, 450);
        else
            was_not_said(2 * i + 1, true, RB_REASON_UNREACHABLE, "connection_lost");
        assert_int_equal(fake_host_connections(host), 2);
        assert_int_equal(fake_host_surprises(host), 0);
        was_called_so(2 * i, "127.0.0.1", RB_REASON_ACCEPTED);
        was_called_so(2 * i + 1, "127.0.0.1", RB_REASON_ACCEPTED);
        stop_host(0);
    }
}

/* The address is none the worse for it. */
static void an_address_behind_a_verb_that_a_host_closes_over_has_another_session(void **state)
{
    (void)state;
    struct fake_host *host =
        start(0, &(const struct fake_host_options){.verb = "", .rcpt = ACCEPTS_ALL});

    add_verb(NULL);
    add("u@one.example");
    run("one.example");
    was_not_said(0, true, RB_REASON_UNREACHABLE, "connection_lost");
    was_called_so(0, "127.0.0.1", RB_REASON_ACCEPTED);
    assert_int_equal(world.next, 1);
    run("one.example");
    is(&world.answer[1], RB_REASON_ACCEPTED);
    assert_int_equal(fake_host_connections(host), 2);
}

static bool an_address_comes(void)
{
    if (world.rests > 1)
        return false;
    add("v@one.example");
    return true;
}

static void a_session_with_a_verb_may_be_kept_open(void **state)
{
    (void)state;
    struct fake_host *host = start(0, &(const struct fake_host_options){.verb = AYTTM_YES});

    world.options.idle_timeout_ms = LONG_MS;
    world.while_kept_open = an_address_comes;
    add_verb(NULL);
    run("one.example");
    was_said(0, VERBS_YES, 450);
    is(&world.answer[1], RB_REASON_NO_SUCH_USER);
    assert_int_equal(fake_host_connections(host), 1);
}

static void a_host_that_blocks_us_is_one_though_it_replied_to_a_verb(void **state)
{
    (void)state;
    struct fake_host *host =
        start(0, &(const struct fake_host_options){.verb = AYTTM_YES, .null_sender = LISTED});

    add_verb(NULL);
    add("u@one.example");
    run("one.example");
    is(&world.answer[1], RB_REASON_BLOCKED);
    assert_int_equal(fake_host_connections(host), 1);
    was_called_so(0, "127.0.0.1", RB_REASON_BLOCKED);
}

static void the_addresses_of_the_clients_family_are_called_first(void **state)
{
    (void)state;
    struct rb_network loopback[2];

    start(0, &(const struct fake_host_options){.verb = AYTTM_YES});
    assert_int_equal(rb_network_parse("127.0.0.0/8", &loopback[0]), RB_OK);
    assert_int_equal(rb_network_parse("::1/128", &loopback[1]), RB_OK);
    world.options.allowed_networks = loopback;
    world.options.allowed_count = 2;
    world.options.ip_version = RB_IP_ANY;
    add_verb(NULL)->family = AF_INET;
    run("both.example");
    was_said(0, VERBS_YES, 450);
    assert_int_equal(world.called_count, 1);
    add_verb(NULL)->family = AF_INET6;
    run("both.example");
    was_said(1, VERBS_YES, 450); /* nobody is there by IPv6, or this machine has none */
    assert_true(world.called_count == 2 || strcmp(world.called[1].ip, "::1") == 0);
}

static void a_strangers_host_is_asked_a_verb(void **state)
{
    (void)state;
    start(0, &(const struct fake_host_options){.verb = AYTTM_YES});
    stranger("mx1.d.example");
    add_verb(NULL);
    run("mx1.d.example");
    was_said(0, VERBS_YES, 450);
    world.options.allowed_count = 0;
    add_verb(NULL);
    run("mx1.d.example");
    was_not_said(1, false, RB_REASON_BOGUS_MX, NULL);
    assert_int_equal(fake_host_connections(world.host[0]), 1);
}

static void a_verb_that_is_no_line_is_not_said(void **state)
{
    (void)state;
    struct fake_host *host = start_saying(0, UNKNOWN_USER);

    add_verb(NULL)->verb = "AYTTM\r\nDATA";
    add("u@one.example");
    run("one.example");
    was_not_said(0, true, RB_REASON_INTERNAL_ERROR, "command_refused");
    is(&world.answer[1], RB_REASON_NO_SUCH_USER);
    assert_int_equal(fake_host_connections(host), 1);
    heard(host, "AYTTM", 0);
    heard(host, "DATA", 0);
}

/* --- TLS --------------------------------------------------------------------- */

static void tls_is_used_where_offered(void **state)
{
    (void)state;
    struct fake_host *host = start(0, &(const struct fake_host_options){.starttls = true});

    is(ask("one.example", "u@one.example"), RB_REASON_NO_SUCH_USER);
    assert_string_equal(world.answer[0].tls, "TLSv1.3");
    heard(host, "STARTTLS", 1);
}

static void tls_is_not_used_when_it_is_off(void **state)
{
    (void)state;
    struct fake_host *host = start(0, &(const struct fake_host_options){.starttls = true});

    world.options.tls = RB_TLS_NEVER;
    is(ask("one.example", "u@one.example"), RB_REASON_NO_SUCH_USER);
    assert_string_equal(world.answer[0].tls, "");
    heard(host, "STARTTLS", 0);
}

static void where_tls_is_broken_the_host_is_called_again_in_clear(void **state)
{
    (void)state;
    struct fake_host *host =
        start(0, &(const struct fake_host_options){.starttls = true, .broken_tls = true});

    is(ask("one.example", "u@one.example"), RB_REASON_NO_SUCH_USER);
    assert_string_equal(world.answer[0].tls, "");
    assert_int_equal(fake_host_connections(host), 2);
    heard(host, "STARTTLS", 1);
    assert_int_equal(world.called_count, 1);
    was_called_so(0, "127.0.0.1", RB_REASON_ACCEPTED);
}

static void a_host_that_insists_on_its_broken_tls_is_tls_required(void **state)
{
    (void)state;
    start(0, &(const struct fake_host_options){.starttls = true,
                                               .broken_tls = true,
                                               .null_sender = "530 5.7.0 Must issue a STARTTLS "
                                                              "command first"});
    is(ask("one.example", "u@one.example"), RB_REASON_TLS_REQUIRED);
}

/* --- Does the domain accept everything? -------------------------------------- */

static void a_domain_that_accepts_a_probe_is_catch_all(void **state)
{
    (void)state;
    struct fake_host *host = start_saying(0, ACCEPTS_ALL);
    char probe[RB_ADDRESS_MAX + 1], command[RB_ADDRESS_MAX + 16];

    world.options.catch_all_check = true;
    is(ask("one.example", "u@one.example"), RB_REASON_CATCH_ALL);
    assert_int_equal(world.answer[0].code, 250);
    assert_int_equal(world.learned.catch_all.state, FACT_YES);
    assert_int_equal(world.learned.catch_all.stamp_s, clock_wall_s(&world.clock));
    /* The real address first, then the probe in a transaction of its own. */
    heard(host, "RCPT", 2);
    heard_nth(host, "RCPT", 0, "RCPT TO:<u@one.example>");
    probe_address("one.example", probe);
    (void)snprintf(command, sizeof command, "RCPT TO:<%s>", probe);
    heard_nth(host, "RCPT", 1, command);
    heard(host, "RSET", 1);
}

static void the_probe_has_the_null_sender_whatever_ours_is(void **state)
{
    (void)state;
    static const struct fake_host_reply users[] = {{"u@one.example", "250 2.1.5 Ok"}};
    struct fake_host *host = start_saying(0, UNKNOWN_USER);

    fake_host_set(host, users, COUNT(users));
    world.options.catch_all_check = true;
    world.options.mail_from = "callout@we.example";
    is(ask("one.example", "u@one.example"), RB_REASON_ACCEPTED);
    assert_string_equal(world.answer[0].mail_from, "callout@we.example");
    heard(host, "MAIL FROM:<callout@we.example>", 1);
    heard(host, "MAIL FROM:<>", 1);
}

static void a_domain_that_refuses_a_probe_is_not_catch_all(void **state)
{
    (void)state;
    static const struct fake_host_reply replies[] = {{"u@one.example", ACCEPTS_ALL}};

    start(0, &(const struct fake_host_options){.replies = replies, .reply_count = 1});
    world.options.catch_all_check = true;
    is(ask("one.example", "u@one.example"), RB_REASON_ACCEPTED);
    assert_int_equal(world.learned.catch_all.state, FACT_NO);
}

/* The answer about the address stands, whatever becomes of the probe. */
static void an_unclear_reply_to_a_probe_teaches_nothing(void **state)
{
    (void)state;
    static const char *const unclear[] = {GREYLISTED,    LISTED, NO_RELAY,
                                          "421 closing", "",     "what is it?"};
    static const struct fake_host_reply replies[] = {{"u@one.example", ACCEPTS_ALL}};

    world.options.catch_all_check = true;
    for (size_t i = 0; i < COUNT(unclear); i++) {
        struct fake_host *host =
            start(0, &(const struct fake_host_options){
                         .replies = replies, .reply_count = 1, .rcpt = unclear[i]});

        is(ask("one.example", "u@one.example"), RB_REASON_ACCEPTED);
        heard(host, "RCPT", 2);
        was_called_so(i, "127.0.0.1", RB_REASON_ACCEPTED);
        fake_host_stop(host);
        world.host[0] = NULL;
        world.port = 0;
    }
    assert_int_equal(world.learned_count, 0);
}

static void only_an_accepted_address_is_followed_by_a_probe(void **state)
{
    (void)state;
    static const char *const replies[] = {UNKNOWN_USER, GREYLISTED, "452 4.2.2 mailbox full"};

    world.options.catch_all_check = true;
    for (size_t i = 0; i < COUNT(replies); i++) {
        struct fake_host *host = start_saying(0, replies[i]);

        ask("one.example", "u@one.example");
        heard(host, "RCPT", 1);
        fake_host_stop(host);
        world.host[0] = NULL;
        world.port = 0;
    }
    assert_int_equal(world.learned_count, 0);
}

static void a_known_fact_spares_the_probe(void **state)
{
    (void)state;
    struct fake_host *host = start_saying(0, ACCEPTS_ALL);

    world.options.catch_all_check = true;
    world.facts.catch_all = (struct fact){FACT_NO, clock_wall_s(&world.clock)};
    is(ask("one.example", "a@one.example"), RB_REASON_ACCEPTED);
    world.facts.catch_all.state = FACT_YES;
    is(ask("one.example", "b@one.example"), RB_REASON_CATCH_ALL);
    heard(host, "RCPT", 2);
    assert_int_equal(world.learned_count, 0);
}

static void an_old_fact_is_asked_for_anew(void **state)
{
    (void)state;
    struct fake_host *host = start_saying(0, ACCEPTS_ALL);

    world.options.catch_all_check = true;
    world.facts.catch_all = (struct fact){FACT_NO, clock_wall_s(&world.clock)};
    fake_clock_advance_s(&world.wall, world.options.lifetimes.domain_ttl_s);
    is(ask("one.example", "a@one.example"), RB_REASON_CATCH_ALL);
    heard(host, "RCPT", 2);
    assert_int_equal(world.learned.catch_all.state, FACT_YES);
}

static void without_the_check_nothing_is_probed(void **state)
{
    (void)state;
    struct fake_host *host = start_saying(0, ACCEPTS_ALL);

    is(ask("one.example", "a@one.example"), RB_REASON_ACCEPTED);
    heard(host, "RCPT", 1);
}

static void one_probe_serves_all_items_of_a_run(void **state)
{
    (void)state;
    struct fake_host *host = start_saying(0, ACCEPTS_ALL);

    world.options.catch_all_check = true;
    for (int i = 0; i < 3; i++)
        add("u@one.example");
    run("one.example");
    for (int i = 0; i < 3; i++)
        is(&world.answer[i], RB_REASON_CATCH_ALL);
    heard(host, "RCPT", 4);
    assert_int_equal(world.learned_count, 1);
}

static void an_unclear_probe_is_not_repeated_in_a_run(void **state)
{
    (void)state;
    static const struct fake_host_reply replies[] = {{"u@one.example", ACCEPTS_ALL}};
    struct fake_host *host =
        start(0, &(const struct fake_host_options){
                     .replies = replies, .reply_count = 1, .rcpt = GREYLISTED});

    world.options.catch_all_check = true;
    for (int i = 0; i < 3; i++)
        add("u@one.example");
    run("one.example");
    for (int i = 0; i < 3; i++)
        is(&world.answer[i], RB_REASON_ACCEPTED);
    heard(host, "RCPT", 4);
}

/* Items that other callouts had accepted while this one probed: already taken there. */
static void park(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct callout_item *item = add("p@one.example");

        item->best = (struct address_record){.reason = RB_REASON_ACCEPTED, .code = 250};
        item->next = world.parked;
        world.parked = item;
    }
    world.next = world.item_count;
}

static void what_was_parked_gets_what_the_probe_says(void **state)
{
    (void)state;
    static const struct {
        const char *to_nobody;
        enum rb_reason reason;
        enum fact_state said;
    } cases[] = {
        {ACCEPTS_ALL, RB_REASON_CATCH_ALL, FACT_YES},
        {UNKNOWN_USER, RB_REASON_ACCEPTED, FACT_NO},
        {GREYLISTED, RB_REASON_ACCEPTED, FACT_UNKNOWN},
    };
    static const struct fake_host_reply replies[] = {{"u@one.example", ACCEPTS_ALL}};

    for (size_t c = 0; c < COUNT(cases); c++) {
        struct fake_host *host;

        assert_int_equal(c == 0 ? 0 : tear_down(state) + set_up(state), 0);
        host = start(0, &(const struct fake_host_options){
                            .replies = replies, .reply_count = 1, .rcpt = cases[c].to_nobody});
        world.options.catch_all_check = true;
        park(2);
        is(ask("one.example", "u@one.example"), cases[c].reason);
        for (size_t i = 0; i < 2; i++) {
            is(&world.answer[i], cases[c].reason);
            assert_int_equal(world.answer[i].code, 250);
        }
        assert_int_equal(world.probe_said, cases[c].said);
        heard(host, "RCPT", 2);
    }
}

static void what_is_parked_elsewhere_is_not_answered_here(void **state)
{
    (void)state;
    struct fake_host *host = start_saying(0, ACCEPTS_ALL);

    world.options.catch_all_check = true;
    world.probe_turn = CALLOUT_PROBE_PARKED;
    for (int i = 0; i < 3; i++)
        add("u@one.example");
    run("one.example");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(world.parked_away[i], 1);
        is(&world.item[i].best, RB_REASON_ACCEPTED);
    }
    assert_int_equal(world.probes_ended, 0);
    heard(host, "RCPT", 3);
    heard(host, "QUIT", 1);
}

static void what_another_callout_found_out_is_not_probed_for(void **state)
{
    (void)state;
    struct fake_host *host = start_saying(0, ACCEPTS_ALL);

    world.options.catch_all_check = true;
    world.probe_turn = CALLOUT_PROBE_KNOWN;
    world.found_elsewhere = (struct fact){FACT_YES, clock_wall_s(&world.clock)};
    for (int i = 0; i < 2; i++)
        add("u@one.example");
    run("one.example");
    for (int i = 0; i < 2; i++)
        is(&world.answer[i], RB_REASON_CATCH_ALL);
    assert_int_equal(world.probes_begun, 1); /* then it is known here too */
    heard(host, "RCPT", 2);
}

/* It is there, and took the connection: its domain is not dead. */
static void a_host_that_resets_connections_is_alive(void **state)
{
    (void)state;
    static const struct fake_host_step steps[] = {{FAKE_HOST_RESET, NULL}};
    static const struct fake_host_script script = {steps, COUNT(steps)};

    start_playing(0, &script, 1);
    is(ask("one.example", "u@one.example"), RB_REASON_UNREACHABLE);
    assert_string_equal(world.answer[0].rule, "connection_lost");
    assert_int_equal(world.answer[0].stage, RB_STAGE_BANNER);
    assert_int_equal(world.learned_count, 0);
}

static void a_connection_lost_amid_the_probe_answers_what_was_parked(void **state)
{
    (void)state;
    static const struct fake_host_step steps[] = {
        {FAKE_HOST_SAY, "220 hello"},   {FAKE_HOST_EXPECT, "EHLO"},
        {FAKE_HOST_SAY, "250 hello"},   {FAKE_HOST_EXPECT, "MAIL FROM:<>"},
        {FAKE_HOST_SAY, "250 go on"},   {FAKE_HOST_EXPECT, "RCPT TO:<u@one.example>"},
        {FAKE_HOST_SAY, "250 welcome"}, {FAKE_HOST_EXPECT, "RSET"},
    };
    static const struct fake_host_script script = {steps, COUNT(steps)};

    start_playing(0, &script, 1);
    world.options.catch_all_check = true;
    park(1);
    is(ask("one.example", "u@one.example"), RB_REASON_ACCEPTED);
    is(&world.answer[0], RB_REASON_ACCEPTED);
    assert_int_equal(world.probe_said, FACT_UNKNOWN);
    assert_int_equal(world.probes_ended, 1);
}

/* A minute of a hundred seconds passes until EHLO, another until RSET. */
static int64_t hasty_monotonic_ms(void *arg)
{
    struct fake_host *host = world.host[0];
    unsigned late = (fake_host_heard(host, "EHLO") > 0) + (fake_host_heard(host, "RSET") > 0);

    return real_monotonic_ms(arg) + (int64_t)late * 60000;
}

static void the_probe_gets_no_time_beyond_that_of_the_callout(void **state)
{
    (void)state;
    static const struct fake_host_step steps[] = {
        {FAKE_HOST_SAY, "220 hello"},   {FAKE_HOST_EXPECT, "EHLO"},
        {FAKE_HOST_SAY, "250 hello"},   {FAKE_HOST_EXPECT, "MAIL FROM:<>"},
        {FAKE_HOST_SAY, "250 go on"},   {FAKE_HOST_EXPECT, "RCPT TO:<u@one.example>"},
        {FAKE_HOST_SAY, "250 welcome"}, {FAKE_HOST_EXPECT, "RSET"},
        {FAKE_HOST_RAW, "250-"},        {FAKE_HOST_DRIP, "x"},
    };
    static const struct fake_host_script script = {steps, COUNT(steps)};
    int64_t begun_ms = real_monotonic_ms(NULL);

    start_playing(0, &script, 1);
    world.options.catch_all_check = true;
    world.options.total_timeout_ms = world.options.command_timeout_ms = 100000;
    world.clock.monotonic_ms = hasty_monotonic_ms;
    is(ask("one.example", "u@one.example"), RB_REASON_ACCEPTED);
    assert_true(clock_monotonic_ms(&world.clock) - begun_ms < 200000); /* not a hundred more */
    assert_int_equal(world.learned_count, 0);
}

static void where_data_is_checked_a_catch_all_domain_may_refuse_there(void **state)
{
    (void)state;
    struct fake_host *host =
        start(0, &(const struct fake_host_options){.rcpt = ACCEPTS_ALL, .data = UNKNOWN_USER});

    world.options.catch_all_check = world.options.data_check = true;
    world.facts.catch_all = (struct fact){FACT_YES, clock_wall_s(&world.clock)};
    is(ask("one.example", "u@one.example"), RB_REASON_NO_SUCH_USER);
    assert_int_equal(world.answer[0].stage, RB_STAGE_DATA);
    heard(host, "DATA", 1);
}

static void
an_answer_that_was_given_before_the_connection_was_lost_is_not_asked_for_again(void **state)
{
    (void)state;
    struct fake_host *host =
        start(0, &(const struct fake_host_options){.rcpt = ACCEPTS_ALL, .data = ""});

    world.options.catch_all_check = true;
    world.options.data_check = true;
    add("a@one.example");
    add("b@one.example");
    run("one.example");
    is(&world.answer[1], RB_REASON_CATCH_ALL);
    assert_int_equal(fake_host_connections(host), 1);
    heard(host, "RCPT", 3);
    heard(host, "DATA", 1);
}

static void where_data_is_checked_354_ends_the_session_and_the_next_item_gets_its_own(void **state)
{
    (void)state;
    struct fake_host *first = start_saying(0, GREYLISTED), *second = start_saying(1, ACCEPTS_ALL);

    world.options.catch_all_check = world.options.data_check = true;
    world.facts.catch_all = (struct fact){FACT_YES, clock_wall_s(&world.clock)};
    for (int i = 0; i < 3; i++)
        add("u@three.example");
    run("three.example");
    for (int i = 0; i < 3; i++) {
        is(&world.answer[i], RB_REASON_CATCH_ALL);
        assert_string_equal(world.answer[i].mx, "mx2.d.example");
    }
    assert_int_equal(fake_host_connections(first), 1);
    assert_int_equal(fake_host_connections(second), 3);
    heard(second, "RCPT", 3);
    heard(second, "QUIT", 0); /* it would be text of a message */
}

static void data_is_not_tried_where_the_domain_is_not_known_as_catch_all(void **state)
{
    (void)state;
    struct fake_host *host = start_saying(0, ACCEPTS_ALL);

    world.options.data_check = true;
    is(ask("one.example", "u@one.example"), RB_REASON_ACCEPTED);
    heard(host, "DATA", 0);
}

static void the_probe_is_the_same_for_a_month_and_a_domain(void **state)
{
    (void)state;
    static const uint8_t other_key[32] = "another key";
    static const int64_t month_s = INT64_C(30) * 86400;
    const int64_t begin_s = 700 * month_s;
    char local[17], other[17];

    probe_local_part(probe_key, "d.example", begin_s, local);
    assert_int_equal(strspn(local, "abcdefghijklmnopqrstuvwxyz0123456789"), 16);
    assert_int_equal(strlen(local), 16);
    assert_in_range(local[0], 'a', 'z');
    probe_local_part(probe_key, "d.example", begin_s + month_s - 1, other);
    assert_string_equal(other, local);
    probe_local_part(probe_key, "d.example", begin_s + month_s, other);
    assert_string_not_equal(other, local);
    probe_local_part(probe_key, "e.example", begin_s, other);
    assert_string_not_equal(other, local);
    probe_local_part(other_key, "d.example", begin_s, other);
    assert_string_not_equal(other, local);
}

/* --- Senders ----------------------------------------------------------------- */

static void a_refused_null_sender_is_learned_and_used_for_the_next_item(void **state)
{
    (void)state;
    struct fake_host *host =
        start(0, &(const struct fake_host_options){.null_sender = NULL_REFUSED});

    add("a@one.example");
    add("b@one.example");
    run("one.example");
    for (int i = 0; i < 2; i++) {
        is(&world.answer[i], RB_REASON_NO_SUCH_USER);
        assert_string_equal(world.answer[i].mail_from, FALLBACK);
    }
    assert_int_equal(world.learned.null_sender_refused.state, FACT_YES);
    assert_int_equal(world.learned_count, 1);
    heard(host, "MAIL FROM:<>", 1);
    heard(host, "MAIL FROM:<" FALLBACK ">", 2);
    was_called_so(0, "127.0.0.1", RB_REASON_ACCEPTED);
}

static void where_the_null_sender_is_known_to_be_refused_the_fallback_is_used_at_once(void **state)
{
    (void)state;
    struct fake_host *host = start_saying(0, UNKNOWN_USER);

    world.facts.null_sender_refused = (struct fact){FACT_YES, clock_wall_s(&world.clock)};
    is(ask("one.example", "u@one.example"), RB_REASON_NO_SUCH_USER);
    heard(host, "MAIL FROM:<>", 0);
    heard(host, "MAIL FROM:<" FALLBACK ">", 1);
    /* Until that is an old story. */
    fake_clock_advance_s(&world.wall, world.options.lifetimes.domain_ttl_s);
    is(ask("one.example", "u@one.example"), RB_REASON_NO_SUCH_USER);
    heard(host, "MAIL FROM:<>", 1);
}

static void without_a_fallback_the_null_sender_is_used_all_the_same(void **state)
{
    (void)state;
    struct fake_host *host =
        start(0, &(const struct fake_host_options){.null_sender = NULL_REFUSED});

    world.options.fallback_mail_from = "";
    world.facts.null_sender_refused = (struct fact){FACT_YES, clock_wall_s(&world.clock)};
    is(ask("one.example", "u@one.example"), RB_REASON_NULL_SENDER_REFUSED);
    heard(host, "MAIL", 1);
    assert_int_equal(fake_host_connections(host), 1);
}

/* Closed in words or without, with MAIL alone on its way or in a flight. */
static void a_host_that_closes_over_the_null_sender_is_called_once_more(void **state)
{
    (void)state;
    static const struct fake_host_step one_by_one[] = {
        OPENING, {FAKE_HOST_EXPECT, "MAIL FROM:<>"}, {FAKE_HOST_SAY, NULL_REFUSED}};
    static const struct fake_host_step in_a_flight[] = {{FAKE_HOST_SAY, "220 hello"},
                                                        {FAKE_HOST_EXPECT, "EHLO"},
                                                        {FAKE_HOST_SAY, "250-a\r\n250 PIPELINING"},
                                                        {FAKE_HOST_EXPECT, "MAIL FROM:<>"},
                                                        {FAKE_HOST_EXPECT, "RCPT"},
                                                        {FAKE_HOST_SAY, NULL_REFUSED}};
    static const struct fake_host_step in_words[] = {
        {FAKE_HOST_SAY, "220 hello"},
        {FAKE_HOST_EXPECT, "EHLO"},
        {FAKE_HOST_SAY, "250-a\r\n250 PIPELINING"},
        {FAKE_HOST_EXPECT, "MAIL FROM:<>"},
        {FAKE_HOST_EXPECT, "RCPT"},
        {FAKE_HOST_SAY, NULL_REFUSED "\r\n421 4.7.0 closing"}};
    static const struct fake_host_script scripts[][2] = {
        {{one_by_one, COUNT(one_by_one)}, {polite, COUNT(polite)}},
        {{in_a_flight, COUNT(in_a_flight)}, {polite, COUNT(polite)}},
        {{in_words, COUNT(in_words)}, {polite, COUNT(polite)}},
    };

    world.options.max_hosts = 1;
    for (size_t i = 0; i < COUNT(scripts); i++) {
        struct fake_host *host = start_playing(0, scripts[i], 2);

        world.learned = (struct domain_record){0};
        is(ask("one.example", "u@one.example"), RB_REASON_NO_SUCH_USER);
        assert_string_equal(world.answer[i].mail_from, FALLBACK);
        assert_int_equal(fake_host_connections(host), 2);
        heard(host, "MAIL FROM:<>", 1);
        assert_int_equal(world.learned.null_sender_refused.state, FACT_YES);
        fake_host_stop(host);
        world.host[0] = NULL;
        world.port = 0;
    }
}

static void a_host_that_closes_over_both_senders_is_called_twice_only(void **state)
{
    (void)state;
    static const struct fake_host_step steps[] = {
        OPENING, {FAKE_HOST_EXPECT, "MAIL"}, {FAKE_HOST_SAY, NULL_REFUSED}};
    static const struct fake_host_script script = {steps, COUNT(steps)};
    struct fake_host *host = start_playing(0, &script, 1);

    is(ask("one.example", "u@one.example"), RB_REASON_NULL_SENDER_REFUSED);
    assert_int_equal(fake_host_connections(host), 2);
    assert_int_equal(world.learned_count, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_most_preferred_host_is_called_first),
        T(the_next_host_is_asked_after_a_4yz),
        T(the_next_host_is_asked_after_a_5yz_about_us),
        T(the_next_host_is_asked_after_a_5yz_that_says_nothing_clear),
        T(the_next_host_is_asked_after_a_banner_of_5yz),
        T(the_next_host_is_asked_after_protocol_garbage),
        T(the_next_host_is_asked_after_a_lost_connection),
        T(the_next_host_is_asked_after_a_connection_lost_over_rcpt),
        T(the_next_host_is_asked_after_both_senders_were_refused),
        T(the_next_host_is_asked_after_a_refused_connection),
        T(the_first_answer_about_the_mailbox_decides),
        T(without_an_answer_the_most_telling_reason_is_given),
        T(no_more_than_max_hosts_are_called),
        T(several_names_of_one_address_are_one_host),
        T(one_address_with_several_ports_is_several_hosts),
        T(several_items_go_to_the_next_host_together),
        T(a_domain_that_does_not_exist_is_no_domain),
        T(a_domain_with_a_null_mx_is_null_mx),
        T(a_domain_with_nothing_is_no_mail_host),
        T(a_mail_host_without_addresses_is_no_mail_host),
        T(a_private_mail_host_is_bogus_mx),
        T(a_loopback_mail_host_is_bogus_mx_without_a_connection),
        T(a_broken_mx_lookup_is_dns_failure_and_no_fact),
        T(a_broken_address_lookup_is_dns_failure_and_no_fact),
        T(what_is_found_in_part_is_dns_failure_and_no_fact),
        T(a_domain_with_a_host_that_was_not_found_is_not_dead),
        T(of_more_hosts_or_addresses_than_are_kept_not_all_are_bogus),
        T(a_domain_whose_address_exists_exists),
        T(a_mail_host_called_by_its_address_is_called_there),
        T(a_mail_host_called_by_an_address_that_no_mail_goes_to_is_bogus),
        T(a_mail_host_called_by_an_address_of_the_other_version_is_unreachable),
        T(a_mail_host_called_by_what_is_no_name_is_dns_failure),
        T(our_own_address_is_exempt_and_not_called),
        T(hosts_that_all_refuse_make_the_domain_unreachable_for_all_that_wait),
        T(a_domain_with_a_host_that_closes_connections_is_not_dead),
        T(hosts_that_take_connections_and_say_nothing_make_the_domain_dead),
        T(a_host_that_turns_us_away_is_no_dead_domain),
        T(what_finds_no_room_is_handed_back),
        T(what_has_waited_for_room_too_long_is_limited),
        T(a_full_host_is_not_passed_over_for_its_backup),
        T(a_dead_host_before_a_full_one_is_no_answer),
        T(nor_is_garbage_before_a_full_one),
        T(what_a_host_put_off_does_not_wait_for_a_full_one),
        T(a_host_held_back_is_limited_and_not_called),
        T(a_host_held_back_leaves_the_others),
        T(without_items_nothing_happens),
        T(a_domain_without_mx_is_its_own_mail_host),
        T(an_address_literal_is_called_without_dns),
        T(an_address_literal_is_guarded),
        T(a_relay_is_called_at_its_own_port_and_netguard_has_no_say),
        T(a_relay_without_a_port_is_called_at_the_usual_one),
        T(a_relay_that_fails_is_unreachable_and_no_fact_of_the_domain),
        T(a_strangers_host_is_called_at_its_own_addresses),
        T(a_strangers_host_is_guarded),
        T(a_strangers_host_that_is_ourselves_is_not_called),
        T(a_strangers_host_that_is_not_there_is_no_fact_of_the_domain),
        T(the_targets_of_a_relay_are_asked_in_their_order),
        T(the_next_target_is_asked_where_one_gives_no_answer_about_the_recipient),
        T(the_next_target_is_asked_where_one_cannot_be_reached),
        T(a_relay_that_refuses_us_is_never_taken_for_no_such_user),
        T(an_lmtp_target_is_spoken_to_in_lmtp_and_others_are_not),
        T(a_target_that_knows_no_lhlo_is_passed_over),
        T(a_mail_store_at_a_path_is_asked_by_lmtp),
        T(a_target_that_accepts_everybody_is_catch_all),
        T(no_more_than_max_hosts_of_a_relay_are_asked),
        T(a_relay_may_be_on_this_machine),
        T(a_backup_asks_the_hosts_that_are_preferred_over_it),
        T(a_backup_asks_nobody_behind_itself),
        T(a_backup_does_not_ask_its_peers),
        T(a_backup_knows_itself_in_a_network_that_may_be_called),
        T(the_most_preferred_host_itself_asks_nobody),
        T(preferred_hosts_that_are_dead_are_remembered_as_dead),
        T(preferred_hosts_are_guarded),
        T(several_items_share_one_session),
        T(a_session_is_left_after_ten_transactions),
        T(a_session_is_left_after_nine_refusals),
        T(refusals_of_senders_count_too),
        T(a_probe_is_a_transaction_like_any_other),
        T(a_session_never_has_more_than_eleven_resets),
        T(a_session_that_rests_between_questions_has_no_more_of_them),
        T(what_a_session_is_left_before_is_asked_in_the_next),
        T(a_session_that_wears_out_is_followed_by_another),
        T(a_host_that_serves_one_address_a_session_is_called_for_each),
        T(an_exhausted_session_does_not_ask_twice_for_what_was_put_off),
        T(what_a_session_was_left_over_is_asked_first_in_the_next),
        T(a_limit_of_a_session_is_no_answer),
        T(a_limit_of_a_session_that_holds_in_a_new_one_is_an_answer),
        T(a_host_that_speaks_of_us_in_mid_session_is_asked_in_another),
        T(a_session_that_gets_ever_slower_is_left),
        T(one_connection_too_many_is_handed_back),
        T(a_refused_connection_beside_others_is_one_too_many),
        T(a_421_to_the_first_question_beside_others_is_one_too_many_once),
        T(a_host_for_which_we_are_too_much_is_left_alone),
        T(what_was_answered_before_it_became_too_much_stands),
        T(a_greylist_is_not_left_alone),
        T(a_host_that_is_left_alone_is_not_called),
        T(a_host_that_was_called_often_enough_is_not_called),
        T(what_one_recipient_is_refused_is_not_the_host),
        T(what_all_of_us_would_be_told_is),
        T(no_way_to_a_host_says_nothing_of_it),
        T(what_comes_while_a_session_rests_is_asked_in_it),
        T(a_host_that_has_gone_meanwhile_is_called_again),
        T(a_session_that_cannot_be_reset_does_not_rest),
        T(a_session_that_is_reset_late_ends_with_quit),
        T(a_session_in_which_nobody_was_answered_for_does_not_rest),
        T(a_session_that_need_not_rest_is_not_reset),
        T(what_is_for_the_next_host_does_not_wait_for_a_rest),
        T(a_session_with_many_refusals_does_not_rest),
        T(a_session_at_its_ceiling_does_not_rest),
        T(a_first_transaction_that_is_cut_off_is_not_tried_again),
        T(a_silent_host_times_out_and_is_reported),
        T(a_callout_that_is_cut_short_says_nothing_of_the_host),
        T(a_look_up_that_is_cut_short_says_nothing_of_the_domain),
        T(each_item_has_its_own_part_of_the_transcript),
        T(a_utf8_address_is_unknown_where_it_cannot_be_asked),
        T(a_utf8_address_is_asked_where_it_can_be),
        T(a_verb_is_asked_in_a_session_of_its_own_where_nobody_else_asks),
        T(a_verb_and_an_address_share_a_session),
        T(whatever_is_replied_to_a_verb_is_its_answer),
        T(what_comes_in_the_place_of_a_reply_is_the_answer_too),
        T(a_verb_goes_to_the_next_host_where_one_does_not_greet),
        T(a_host_that_greets_and_goes_no_further_has_greeted),
        T(a_host_that_nobody_has_does_not_greet),
        T(a_verb_for_one_host_is_asked_of_that_one),
        T(a_verb_for_another_host_is_put_by_for_that_one),
        T(a_verb_for_a_host_that_is_none_of_the_domains_calls_nobody),
        T(no_session_hears_two_verbs),
        T(a_verb_that_was_not_heard_is_asked_in_another_session),
        T(an_address_behind_a_verb_that_a_host_closes_over_has_another_session),
        T(a_session_with_a_verb_may_be_kept_open),
        T(a_host_that_blocks_us_is_one_though_it_replied_to_a_verb),
        T(the_addresses_of_the_clients_family_are_called_first),
        T(a_strangers_host_is_asked_a_verb),
        T(a_verb_that_is_no_line_is_not_said),
        T(tls_is_used_where_offered),
        T(tls_is_not_used_when_it_is_off),
        T(where_tls_is_broken_the_host_is_called_again_in_clear),
        T(a_host_that_insists_on_its_broken_tls_is_tls_required),
        T(what_was_parked_gets_what_the_probe_says),
        T(what_is_parked_elsewhere_is_not_answered_here),
        T(what_another_callout_found_out_is_not_probed_for),
        T(a_host_that_resets_connections_is_alive),
        T(a_connection_lost_amid_the_probe_answers_what_was_parked),
        T(a_domain_that_accepts_a_probe_is_catch_all),
        T(the_probe_has_the_null_sender_whatever_ours_is),
        T(a_domain_that_refuses_a_probe_is_not_catch_all),
        T(an_unclear_reply_to_a_probe_teaches_nothing),
        T(only_an_accepted_address_is_followed_by_a_probe),
        T(a_known_fact_spares_the_probe),
        T(an_old_fact_is_asked_for_anew),
        T(without_the_check_nothing_is_probed),
        T(one_probe_serves_all_items_of_a_run),
        T(an_unclear_probe_is_not_repeated_in_a_run),
        T(the_probe_gets_no_time_beyond_that_of_the_callout),
        T(where_data_is_checked_a_catch_all_domain_may_refuse_there),
        T(an_answer_that_was_given_before_the_connection_was_lost_is_not_asked_for_again),
        T(where_data_is_checked_354_ends_the_session_and_the_next_item_gets_its_own),
        T(data_is_not_tried_where_the_domain_is_not_known_as_catch_all),
        T(the_probe_is_the_same_for_a_month_and_a_domain),
        T(a_refused_null_sender_is_learned_and_used_for_the_next_item),
        T(where_the_null_sender_is_known_to_be_refused_the_fallback_is_used_at_once),
        T(without_a_fallback_the_null_sender_is_used_all_the_same),
        T(a_host_that_closes_over_the_null_sender_is_called_once_more),
        T(a_host_that_closes_over_both_senders_is_called_twice_only),
    };

    return cmocka_run_group_tests_name("callout", tests, NULL, NULL);
}
