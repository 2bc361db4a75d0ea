/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_session: from what a client says to what is done about it, and that nothing a client says
 * can do harm on its way into replies, headers and logs. The verifier behind it has a prepared
 * cache and a name server, but no mail host is ever called.
 */
#include "config.h"

#include "session/session.h"

#include "check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "cache/cache.h"
#include "base/clock.h"
#include "fake_dns.h"
#include "mta/headers.h"
#include "daemon/metrics.h"
#include "daemon/observer.h"
#include "session/decide.h"
#include "session/reply.h"
#include "base/text.h"

enum { POLICIES = 40, RANDOM_ROUNDS = 3000, LOG_SIZE = 8192 };

/* --- The world ------------------------------------------------------------- */

static char folder[] = "/tmp/test_session.XXXXXX";
static char store_path[64], store[80], config_path[64], log_path[64];
static struct fake_dns *dns;
static struct rb_verifier *verifier;
static unsigned waits;

static void note_wait(void)
{
    waits++;
}

static struct session_world world = {.before_wait = note_wait, .observer = &observer_of_sessions};

/* One client is allowed, or every one that greets with the right name. */
static const struct fake_dns_answer by_client[] = {
    {.type = ns_t_txt, .data = "v=spf1 ip4:198.51.100.8 -all"}};
static const struct fake_dns_answer by_helo[] = {
    {.type = ns_t_txt, .data = "v=spf1 exists:%{h} -all"}};
static const struct fake_dns_answer somewhere[] = {{.type = ns_t_a, .data = "127.0.0.2"}};

static const struct fake_dns_row zone[] = {
    {.name = "servfail.example", .rcode = ns_r_servfail},
    {.name = "silent.example", .flags = FAKE_DNS_DROP},
    {.name = "strict.example", .type = ns_t_txt, .answers = by_client, .count = 1},
    {.name = "greeting.example", .type = ns_t_txt, .answers = by_helo, .count = 1},
    {.name = "friend.example", .type = ns_t_a, .answers = somewhere, .count = 1},
};

/* What mail hosts have said before. */
static const struct {
    const char *address;
    struct address_record record;
} prepared[] = {
    {"good@example.org",
     {.reason = RB_REASON_ACCEPTED,
      .code = 250,
      .mx = "mx1.example.org",
      .ip = "192.0.2.25",
      .reply = "250 2.1.5 Ok",
      .rule = "accepted"}},
    {"bad@example.org",
     {.reason = RB_REASON_NO_SUCH_USER,
      .code = 550,
      .mx = "mx1.example.org",
      .ip = "192.0.2.25",
      .reply = "550 5.1.1 \"bad\" 100% unknown",
      .rule = "rcpt_x11"}},
    {"grey@example.org",
     {.reason = RB_REASON_GREYLISTED,
      .code = 450,
      .mx = "mx1.example.org",
      .ip = "192.0.2.25",
      .reply = "450 4.7.1 come back later"}},
    {"8bit@example.org",
     {.reason = RB_REASON_NO_SUCH_USER,
      .code = 550,
      .mx = "mx1.example.org",
      .ip = "192.0.2.25",
      .reply = "550 gibt's n\xf6t \xc2\x85 \xff"}},
    {"long@example.org", {.reason = RB_REASON_NO_SUCH_USER, .code = 550, .ip = "192.0.2.25"}},
};

static void prepare_cache(const struct rb_options *options)
{
    const struct cache_settings settings = {.store = store,
                                            .max_bytes = options->store_max_bytes,
                                            .lifetimes = options->lifetimes,
                                            .clock = clock_system()};
    struct cache *cache;
    char key[CACHE_KEY_MAX + 1];

    assert_int_equal(cache_open(&settings, &cache, NULL, 0), RB_OK);
    for (size_t i = 0; i < COUNT(prepared); i++) {
        struct address_record record = prepared[i].record;

        record.stamp_s = time(NULL);
        if (record.mx[0] == '\0') { /* the long one */
            memset(record.mx, 'm', RB_DOMAIN_MAX);
            memset(record.reply, '%', RB_REPLY_MAX);
        }
        assert_int_equal(cache_address_key(NULL, prepared[i].address, key), RB_OK);
        assert_int_equal(cache_put_address(cache, key, &record), RB_OK);
    }
    cache_close(cache);
}

static int make_world(void **state)
{
    struct rb_options options;
    const char *resolver;

    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    (void)snprintf(store_path, sizeof store_path, "%s/cache", folder);
    (void)snprintf(store, sizeof store, "lmdb:%s", store_path);
    (void)snprintf(config_path, sizeof config_path, "%s/conf", folder);
    (void)snprintf(log_path, sizeof log_path, "%s/log", folder);
    dns = fake_dns_start(AF_INET, zone, COUNT(zone));
    resolver = fake_dns_server(dns);
    rb_options_init(&options);
    options.helo_name = "mx.example.net";
    options.resolvers = &resolver;
    options.resolver_count = 1;
    options.total_timeout_ms = 1000;
    options.store = store;
    options.store_max_bytes = 16 << 20;
    prepare_cache(&options);
    if (rb_verifier_open(&options, &verifier, NULL, 0) != RB_OK)
        return -1;
    world.verifier = verifier;
    return 0;
}

static int end_world(void **state)
{
    static const char *const files[] = {"data.mdb", "lock.mdb"};
    char path[96];

    (void)state;
    rb_verifier_close(verifier);
    fake_dns_stop(dns);
    for (size_t i = 0; i < COUNT(files); i++) {
        (void)snprintf(path, sizeof path, "%s/%s", store_path, files[i]);
        (void)unlink(path);
    }
    (void)unlink(config_path);
    (void)unlink(log_path);
    (void)rmdir(store_path);
    return rmdir(folder);
}

static struct config *load(const char *text)
{
    FILE *file = fopen(config_path, "w");
    struct config *config = NULL;
    char error[CONFIG_ERROR_SIZE];

    assert_non_null(file);
    assert_true(fprintf(file, "hostname = mx.example.net\n%s\n", text) > 0);
    assert_int_equal(fclose(file), 0);
    if (config_load(config_path, &config, error, sizeof error) != RB_OK)
        fail_msg("%s", error);
    return config;
}

static const struct sockaddr *client(const char *ip, uint16_t port)
{
    static struct sockaddr_storage address;
    struct sockaddr_in *v4 = (struct sockaddr_in *)&address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address;

    memset(&address, 0, sizeof address);
    if (ip == NULL)
        return NULL;
    if (inet_pton(AF_INET, ip, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
    } else {
        assert_int_equal(inet_pton(AF_INET6, ip, &v6->sin6_addr), 1);
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
    }
    return (const struct sockaddr *)&address;
}

/* A session of a stranger. It alone holds the configuration, as after a reload. */
static void begin(struct session *session, const char *configuration)
{
    struct config *config = load(configuration);

    session_init(session, &world, config, client("198.51.100.7", 4711));
    config_put(config);
    session_helo(session, "client.example");
}

static void mail(struct session *session, const char *argument)
{
    assert_int_equal(session_mail(session, argument, false), RB_OK);
}

static uint64_t questions(void)
{
    struct rb_stats stats = {.size = sizeof stats};

    rb_verifier_stats(verifier, &stats);
    return stats.questions;
}

/* --- Arguments ------------------------------------------------------------- */

static void the_size_is_read_from_the_parameters_of_mail(void **state)
{
    static const struct {
        const char *argument, *more; /* NULL: no more */
        uint64_t size;
    } table[] = {
        {"<a@b>", "SIZE=4711", 4711},
        {"<a@b>", "BODY=8BITMIME", 0},
        {"<a@b> SIZE=4711", NULL, 4711},
        {" <a@b>\tBODY=8BITMIME  size=4711 RET=HDRS ", NULL, 4711},
        {"<a@b> BODY=8BITMIME", "Size=18446744073709551615", UINT64_MAX},
        {"<>", "SIZE=1", 1},
        {"a@b SIZE=1", NULL, 1},
        {"<\"a> SIZE=2\"@b> SIZE=1", NULL, 1},
        {"<\"a> SIZE=2\"@b>", NULL, 0},
        {"<a@b> SIZE=1", "SIZE=2", 2},
        {"<a@b> SIZE=1 SIZE=x", NULL, 0},
        {"<a@b>", "SIZE=18446744073709551616", 0},
        {"<a@b>", "SIZE=000000000000000000001", 0},
        {"<a@b>", "SIZE=", 0},
        {"<a@b>", "SIZE", 0},
        {"<a@b>", "SIZE=-1", 0},
        {"<a@b>", "SIZE=1\r\nRCPT", 0},
        {"<a@b>", "XSIZE=1", 0},
        {"<a@b>", "SIZES=1", 0},
        {"<a@b>", "", 0},
    };
    struct session session;

    (void)state;
    begin(&session, "");
    for (size_t i = 0; i < COUNT(table); i++) {
        mail(&session, table[i].argument);
        if (table[i].more != NULL)
            session_mail_parameters(&session, table[i].more);
        if (session.message_size != table[i].size)
            fail_msg("%s, %s: %llu", table[i].argument, table[i].more,
                     (unsigned long long)session.message_size);
    }
    session_mail_parameters(&session, "SIZE=1");
    session_reset(&session);
    assert_true(session.message_size == 0);
    session_mail_parameters(&session, "SIZE=1");
    mail(&session, "<a@b>");
    assert_true(session.message_size == 0);
    session_fini(&session);
}

static void an_argument_ends_where_its_address_does(void **state)
{
    static const struct {
        const char *argument;
        size_t len;
    } table[] = {
        {"", 0},
        {"<>", 2},
        {"<> BODY=8BITMIME", 2},
        {"a@b", 3},
        {"a@b SIZE=1", 3},
        {"a@b\tSIZE=1", 3},
        {"<a@b>", 5},
        {"<a@b> SIZE=1 RET=HDRS", 5},
        {"<a@b>SIZE=1", 5},
        {"<a b@c> SIZE=1", 7},
        {"<a@b", 4},
        {"<a@b SIZE=1", 11},
        {"<@x,@y:a@b> SIZE=1", 11},
        {"\"a b\"@c SIZE=1", 7},
        {"\"a\\\" b\"@c SIZE=1", 9},
        {"<\"a>b\"@c> SIZE=1", 9},
        {"<\"a\\\">b\"@c> SIZE=1", 11},
        {"\"<>\"@x", 6},
        {"<\"<>\"@x> X=<>", 8},
        {"<a\\>b@c> X", 8},
        {"a\\ b@c X", 6},
        {"\"never ends SIZE=1", 18},
        {"<\"never ends> SIZE=1", 20},
        {"\\", 1},
        {"<a\\", 3},
        {" a@b", 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++)
        if (session_argument_len(table[i].argument) != table[i].len)
            fail_msg("%s: %zu", table[i].argument, session_argument_len(table[i].argument));
}

static void a_sender_is_kept_and_shown_without_its_trimmings(void **state)
{
    static const struct {
        const char *argument, *sender, *key, *text;
        bool null_sender;
    } table[] = {
        {"<u@Example.ORG> SIZE=5", "<u@Example.ORG>", "u@example.org", "u@Example.ORG", false},
        {"u@example.org", "u@example.org", "u@example.org", "u@example.org", false},
        {"  <u@example.org>", "<u@example.org>", "u@example.org", "u@example.org", false},
        {"<@a.example:u@example.org>", "<@a.example:u@example.org>", "u@example.org",
         "@a.example:u@example.org", false},
        {"<\"u\"@example.org>", "<\"u\"@example.org>", "u@example.org", "\"u\"@example.org", false},
        {"<>", "<>", "", "", true},
        {"<> SIZE=5", "<>", "", "", true},
        {"", "", "", "", true},
        {"<\"<>\"@x.example>", "<\"<>\"@x.example>", "<>@x.example", "\"<>\"@x.example", false},
        {"\"<>\"@x.example", "\"<>\"@x.example", "<>@x.example", "\"<>\"@x.example", false},
        {"<u>", "<u>", "", "u", false},
        {"<u@>", "<u@>", "", "u@", false},
        {"<u\r\n@example.org>", "<u\r\n@example.org>", "", "u @example.org", false},
        {"<j\xc3\xb6rg@example.org>", "<j\xc3\xb6rg@example.org>", "j\xc3\xb6rg@example.org",
         "j??rg@example.org", false},
        {"<%s%n@example.org>", "<%s%n@example.org>", "%s%n@example.org", "%s%n@example.org", false},
    };
    struct session session;

    (void)state;
    begin(&session, "");
    for (size_t i = 0; i < COUNT(table); i++) {
        mail(&session, table[i].argument);
        assert_string_equal(session.sender, table[i].sender);
        assert_string_equal(session.sender_key, table[i].key);
        assert_string_equal(session.sender_text, table[i].text);
        assert_int_equal(session.null_sender, table[i].null_sender);
    }
    session_fini(&session);
}

static void each_message_has_an_id_of_its_own(void **state)
{
    struct session session;
    char before[SESSION_ID_MAX + 1];

    (void)state;
    begin(&session, "");
    mail(&session, "<a@example.org>");
    assert_true(text_copy(before, sizeof before, session.id));
    assert_int_equal(strspn(before, "0123456789abcdef"), strlen(before));
    mail(&session, "<a@example.org>");
    assert_string_not_equal(session.id, before);
    session_reset(&session);
    assert_string_equal(session.id, "");
    session_fini(&session);
}

/* --- Exemptions ------------------------------------------------------------ */

#define QUIET                                                                                      \
    "policy \"quiet\" { match { recipient = { \"quiet@example.net\" } } verify = \"none\" }\n"

static void exemptions_are_tried_in_their_order(void **state)
{
    /* Each row has one cause less than the one before. */
    static const struct {
        const char *ip;
        uint16_t port;
        bool authenticated;
        const char *sender, *recipient;
        enum exemption exemption;
    } table[] = {
        {NULL, 0, true, "<>", "<postmaster@mx.example.net>", EXEMPT_LOCAL_SUBMISSION},
        {"127.0.0.1", 0, true, "<>", "<postmaster@mx.example.net>", EXEMPT_LOCAL_SUBMISSION},
        {"127.0.0.1", 0, false, "bad@example.org", "a@example.net", EXEMPT_LOCAL_SUBMISSION},
        {"127.0.0.1", 25, true, "<>", "<postmaster@mx.example.net>", EXEMPT_TRUSTED_NETWORKS},
        {"::1", 0, true, "<>", "<postmaster@mx.example.net>", EXEMPT_TRUSTED_NETWORKS},
        {"::ffff:127.0.0.1", 9, true, "<>", "<postmaster@mx.example.net>", EXEMPT_TRUSTED_NETWORKS},
        {"198.51.100.7", 0, true, "<>", "<postmaster@mx.example.net>", EXEMPT_AUTHENTICATED},
        {"198.51.100.7", 9, false, "<>", "<postmaster@mx.example.net>", EXEMPT_NULL_SENDER},
        {"198.51.100.7", 9, false, "<>", "<quiet@example.net>", EXEMPT_NULL_SENDER},
        {"2001:db8::7", 9, false, "<bad@example.org>", "<postmaster@mx.example.net>",
         EXEMPT_OWN_CALLOUT_SENDER},
        {"198.51.100.7", 9, false, "<bad@example.org>", "POSTMASTER@MX.Example.NET NOTIFY=NEVER",
         EXEMPT_OWN_CALLOUT_SENDER},
        {"198.51.100.7", 9, false, "<bad@example.org>", "<quiet@example.net>", EXEMPT_POLICY},
        {"198.51.100.7", 9, false, "<bad@example.org>", "<other@example.net>", EXEMPT_NOT},
        {"198.51.100.7", 9, false, "<bad@example.org>", "<>", EXEMPT_NOT},
    };
    struct config *config = load(QUIET);

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        struct session session;
        const struct decision *decision;
        uint64_t before = questions();
        uint64_t skips = metrics_skips(table[i].exemption);

        session_init(&session, &world, config, client(table[i].ip, table[i].port));
        assert_int_equal(session_mail(&session, table[i].sender, table[i].authenticated), RB_OK);
        decision = session_rcpt(&session, table[i].recipient);
        assert_int_equal(decision->exemption, table[i].exemption);
        if (table[i].exemption != EXEMPT_NOT) {
            assert_int_equal(decision->verdict, RB_VERDICT_UNKNOWN);
            assert_int_equal(decision->reason, RB_REASON_EXEMPT);
            assert_int_equal(decision->action, ACTION_ACCEPT);
            assert_int_equal(questions(), before);
            assert_int_equal(metrics_skips(table[i].exemption), skips + 1);
        } else {
            assert_int_equal(decision->action, ACTION_REJECT);
            assert_int_equal(questions(), before + 1);
        }
        session_fini(&session);
    }
    config_put(config);
}

static void both_callout_senders_are_exempt(void **state)
{
    struct session session;

    (void)state;
    begin(&session, "callout { mail_from = \"probe@example.net\"\n"
                    " fallback_mail_from = \"Other@B\xc3\xbc"
                    "cher.example\" }");
    mail(&session, "<bad@example.org>");
    assert_int_equal(session_exempt(&session, "probe@example.net"), EXEMPT_OWN_CALLOUT_SENDER);
    assert_int_equal(session_exempt(&session, "other@xn--bcher-kva.example"),
                     EXEMPT_OWN_CALLOUT_SENDER);
    assert_int_equal(session_exempt(&session, "postmaster@mx.example.net"), EXEMPT_NOT);
    assert_int_equal(session_exempt(&session, ""), EXEMPT_NOT);
    session_fini(&session);
}

static void a_trusted_connection_is_exempt_as_a_whole(void **state)
{
    struct config *config = load("trusted_networks = { \"192.0.2.0/24\", \"2001:db8::/32\" }");
    static const struct {
        const char *ip;
        enum exemption exemption;
    } table[] = {
        {"192.0.2.1", EXEMPT_TRUSTED_NETWORKS},
        {"192.0.3.1", EXEMPT_NOT},
        {"127.0.0.1", EXEMPT_NOT},
        {"2001:db8::1", EXEMPT_TRUSTED_NETWORKS},
        {"2001:db9::1", EXEMPT_NOT},
        {NULL, EXEMPT_NOT},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        struct session session;

        session_init(&session, &world, config, client(table[i].ip, 9));
        assert_int_equal(session_connection_exempt(&session), table[i].exemption);
        assert_string_equal(session.client_text, table[i].ip != NULL ? table[i].ip : "");
        session_fini(&session);
    }
    config_put(config);
}

static void an_address_of_another_family_is_no_client(void **state)
{
    struct config *config = load("");
    const struct sockaddr address = {.sa_family = AF_UNIX};
    struct session session;

    (void)state;
    session_init(&session, &world, config, &address);
    assert_false(session.client_known);
    assert_false(session.local_submission);
    mail(&session, "<bad@example.org>");
    assert_int_equal(session_exempt(&session, ""), EXEMPT_NOT);
    session_fini(&session);
    config_put(config);
}

static void every_exemption_has_a_name(void **state)
{
    (void)state;
    assert_string_equal(exemption_name(EXEMPT_NOT), "");
    for (int a = EXEMPT_NOT + 1; a < EXEMPT_MAX; a++) {
        assert_true(strlen(exemption_name(a)) > 1);
        for (int b = a + 1; b < EXEMPT_MAX; b++)
            assert_string_not_equal(exemption_name(a), exemption_name(b));
    }
    assert_string_equal(exemption_name(EXEMPT_MAX), "?");
}

/* A bad address is no null sender: a policy for bounces must not let it pass. */
static void a_bad_address_does_not_fall_under_the_null_senders_policy(void **state)
{
    struct session session;
    const struct decision *decision;

    (void)state;
    begin(&session, "policy \"bounces\" { match { sender = { \"<>\" } } verify = \"none\" }");
    mail(&session, "<no address at all>");
    decision = session_rcpt(&session, "<a@example.net>");
    assert_string_equal(decision->policy->name, "default");
    assert_int_equal(decision->reason, RB_REASON_BAD_ADDRESS);
    assert_int_equal(decision->action, ACTION_REJECT);
    assert_string_equal(session_policy_sender(&session), "no address at all");
    mail(&session, "<>");
    assert_string_equal(session_policy_sender(&session), "");
    mail(&session, "<A@Example.org>");
    assert_string_equal(session_policy_sender(&session), "A@example.org");
    session_fini(&session);
}

/* --- Who asks --------------------------------------------------------------- */

/* The reason for a sender of that client which greets so. */
static enum rb_reason reason_from(const char *ip, const char *helo, const char *sender)
{
    struct config *config = load("");
    struct session session;
    enum rb_reason reason;

    session_init(&session, &world, config, client(ip, 4711));
    config_put(config);
    session_helo(&session, helo);
    mail(&session, sender);
    reason = session_rcpt(&session, "<a@example.net>")->reason;
    session_fini(&session);
    return reason;
}

static void the_client_counts_in_the_question(void **state)
{
    (void)state;
    assert_int_equal(reason_from("198.51.100.7", "x.example", "<u@strict.example>"),
                     RB_REASON_SPF_FAIL);
    assert_int_equal(reason_from("2001:db8::7", "x.example", "<u@strict.example>"),
                     RB_REASON_SPF_FAIL);
    assert_int_not_equal(reason_from("198.51.100.8", "x.example", "<u@strict.example>"),
                         RB_REASON_SPF_FAIL);
}

static void the_helo_name_counts_in_the_question(void **state)
{
    (void)state;
    assert_int_equal(reason_from("198.51.100.7", "foe.example", "<u@greeting.example>"),
                     RB_REASON_SPF_FAIL);
    assert_int_not_equal(reason_from("198.51.100.7", "friend.example", "<u@greeting.example>"),
                         RB_REASON_SPF_FAIL);
}

static bool is_correspondent(const char *sender)
{
    return reason_from("198.51.100.7", "x.example", sender) == RB_REASON_CORRESPONDENT;
}

static void whom_an_authenticated_user_writes_to_is_a_correspondent(void **state)
{
    struct session session;

    (void)state;
    begin(&session, "");
    assert_int_equal(session_mail(&session, "<me@example.net>", true), RB_OK);
    (void)session_rcpt(&session, "<one@nowhere.example> NOTIFY=NEVER");
    (void)session_rcpt(&session, " <@route.example:\"two\"@Nowhere.Example>");
    (void)session_rcpt(&session, "three@nowhere.example");
    (void)session_rcpt(&session, "<no address>");
    (void)session_rcpt(&session, "<>");
    assert_false(is_correspondent("<one@nowhere.example>")); /* nothing was sent yet */
    session_let_in(&session);
    session_fini(&session);
    assert_true(is_correspondent("<one@nowhere.example>"));
    assert_true(is_correspondent("<two@nowhere.example>"));
    assert_true(is_correspondent("<three@nowhere.example>"));
    assert_false(is_correspondent("<four@nowhere.example>"));
    assert_false(is_correspondent("<me@example.net>"));
}

static void whom_a_stranger_writes_to_is_none(void **state)
{
    struct session session;

    (void)state;
    begin(&session, "trusted_networks = { \"198.51.100.0/24\" }");
    mail(&session, "<good@example.org>"); /* trusted is not authenticated: it may be a relay */
    (void)session_rcpt(&session, "<five@nowhere.example>");
    session_let_in(&session);
    session_fini(&session);
    begin(&session, "");
    mail(&session, "<good@example.org>");
    (void)session_rcpt(&session, "<six@nowhere.example>");
    session_let_in(&session);
    session_fini(&session);
    assert_false(is_correspondent("<five@nowhere.example>"));
    assert_false(is_correspondent("<six@nowhere.example>"));
}

static void the_next_message_of_a_session_must_be_authenticated_too(void **state)
{
    struct session session;

    (void)state;
    begin(&session, "");
    assert_int_equal(session_mail(&session, "<me@example.net>", true), RB_OK);
    (void)session_rcpt(&session, "<seven@nowhere.example>");
    session_let_in(&session);
    mail(&session, "<good@example.org>");
    (void)session_rcpt(&session, "<eight@nowhere.example>");
    session_let_in(&session);
    session_fini(&session);
    assert_true(is_correspondent("<seven@nowhere.example>"));
    assert_false(is_correspondent("<eight@nowhere.example>"));
}

static void whom_a_message_that_was_given_up_was_for_is_none(void **state)
{
    struct session session;

    (void)state;
    begin(&session, "");
    assert_int_equal(session_mail(&session, "<me@example.net>", true), RB_OK);
    (void)session_rcpt(&session, "<nine@nowhere.example>");
    assert_int_equal(session_mail(&session, "<me@example.net>", true), RB_OK); /* RSET between */
    (void)session_rcpt(&session, "<ten@nowhere.example>");
    session_let_in(&session);
    session_let_in(&session); /* the message was noted already */
    session_fini(&session);
    assert_false(is_correspondent("<nine@nowhere.example>"));
    assert_true(is_correspondent("<ten@nowhere.example>"));
}

static void where_nothing_is_to_be_noted_nobody_becomes_a_correspondent(void **state)
{
    struct session_world tool = {.verifier = verifier};
    struct config *config = load("");
    struct session session;

    (void)state;
    session_init(&session, &tool, config, client("198.51.100.7", 4711));
    config_put(config);
    assert_int_equal(session_mail(&session, "<me@example.net>", true), RB_OK);
    (void)session_rcpt(&session, "<eleven@nowhere.example>");
    session_let_in(&session);
    session_fini(&session);
    assert_false(is_correspondent("<eleven@nowhere.example>"));
}

static unsigned noted;

static void count_note(struct rb_verifier *ours, const char *address, size_t len)
{
    assert_ptr_equal(ours, verifier);
    assert_int_equal(strlen(address), len);
    noted++;
}

static void a_message_to_everybody_notes_no_more_than_the_ceiling(void **state)
{
    struct session_observer observer = observer_of_sessions;
    struct session_world counting = {.verifier = verifier, .observer = &observer};
    const unsigned size = (unsigned)strlen("<0000000000@nowhere.example>") + 1;
    struct config *config = load("");
    struct session session;
    char argument[64];

    (void)state;
    observer.note_correspondent = count_note;
    session_init(&session, &counting, config, client("198.51.100.7", 4711));
    config_put(config);
    assert_int_equal(session_mail(&session, "<me@example.net>", true), RB_OK);
    for (unsigned i = 0; i < 2 * SESSION_CORRESPONDENTS_MAX / size; i++) {
        (void)snprintf(argument, sizeof argument, "<%010u@nowhere.example>", i);
        (void)session_rcpt(&session, argument);
    }
    noted = 0;
    session_let_in(&session);
    session_fini(&session);
    assert_int_equal(noted, SESSION_CORRESPONDENTS_MAX / size);
}

/* --- Decisions ------------------------------------------------------------- */

static void verdicts_lead_to_the_policys_actions(void **state)
{
    static const struct {
        const char *sender;
        enum rb_verdict verdict;
        enum rb_reason reason;
        enum action action;
    } table[] = {
        {"<good@example.org>", RB_VERDICT_VALID, RB_REASON_ACCEPTED, ACTION_ACCEPT},
        {"<bad@example.org>", RB_VERDICT_INVALID, RB_REASON_NO_SUCH_USER, ACTION_REJECT},
        {"<grey@example.org>", RB_VERDICT_UNKNOWN, RB_REASON_GREYLISTED, ACTION_TEMPFAIL},
        {"<u@nowhere.example>", RB_VERDICT_INVALID, RB_REASON_NO_DOMAIN, ACTION_REJECT},
        {"<u@servfail.example>", RB_VERDICT_UNKNOWN, RB_REASON_DNS_FAILURE, ACTION_QUARANTINE},
        {"<u@.example.org>", RB_VERDICT_INVALID, RB_REASON_BAD_ADDRESS, ACTION_REJECT},
        {"<u@@example.org>", RB_VERDICT_UNKNOWN, RB_REASON_REJECTED, ACTION_QUARANTINE},
    };
    struct session session;

    (void)state;
    begin(&session, "policy \"p\" { on_unknown = \"quarantine\" on_greylisted = \"tempfail\" }");
    for (size_t i = 0; i < COUNT(table); i++) {
        uint64_t before = metrics_decisions(table[i].reason, table[i].action);
        const struct decision *decision;

        mail(&session, table[i].sender);
        decision = session_rcpt(&session, "<a@example.net>");
        assert_string_equal(decision->policy->name, "p");
        assert_int_equal(decision->reason, table[i].reason);
        assert_int_equal(decision->verdict, table[i].verdict);
        assert_int_equal(decision->wanted, table[i].action);
        assert_int_equal(decision->action, table[i].action);
        assert_int_equal(metrics_decisions(table[i].reason, table[i].action), before + 1);
    }
    session_fini(&session);
}

static void one_verdict_serves_all_recipients(void **state)
{
    struct session session;
    uint64_t before = questions();

    (void)state;
    begin(&session,
          "policy \"a\" { match { recipient = { \"a.example\" } } on_invalid = \"reject\" }\n"
          "policy \"b\" { match { recipient = { \"b.example\" } } on_invalid = \"tag\" }\n"
          "policy \"c\" { match { recipient = { \"c.example\" } } on_invalid = \"tempfail\" }\n");
    mail(&session, "<bad@example.org>");
    struct decision *a = session_rcpt(&session, "<one@a.example>");
    struct decision *b = session_rcpt(&session, "<one@b.example> NOTIFY=NEVER");
    struct decision *c = session_rcpt(&session, "<one@c.example>");
    struct decision *other = session_rcpt(&session, "<one@d.example>");
    assert_ptr_equal(session_rcpt(&session, "<two@A.example>"), a);
    assert_int_equal(questions(), before + 1);
    assert_ptr_equal(session.decisions, a);
    assert_ptr_equal(a->next, b);
    assert_ptr_equal(b->next, c);
    assert_ptr_equal(c->next, other);
    assert_null(other->next);
    assert_int_equal(a->recipients, 2);
    assert_string_equal(a->recipient, "one@a.example");
    assert_string_equal(b->recipient, "one@b.example");
    assert_int_equal(a->action, ACTION_REJECT);
    assert_int_equal(b->action, ACTION_TAG);
    assert_int_equal(c->action, ACTION_TEMPFAIL);
    assert_string_equal(other->policy->name, "default");
    assert_int_equal(b->reason, RB_REASON_NO_SUCH_USER);
    session_fini(&session);
}

static void a_dry_run_changes_what_is_done_and_not_what_is_wanted(void **state)
{
    static const struct {
        const char *configured;
        enum action wanted, action;
    } table[] = {
        {"reject", ACTION_REJECT, ACTION_ACCEPT},
        {"tempfail", ACTION_TEMPFAIL, ACTION_ACCEPT},
        {"quarantine", ACTION_QUARANTINE, ACTION_ACCEPT},
        {"tag", ACTION_TAG, ACTION_TAG},
        {"accept", ACTION_ACCEPT, ACTION_ACCEPT},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        struct session session;
        char text[128];
        const struct decision *decision;

        (void)snprintf(text, sizeof text, "dry_run = yes\npolicy \"p\" { on_invalid = \"%s\" }",
                       table[i].configured);
        begin(&session, text);
        mail(&session, "<bad@example.org>");
        decision = session_rcpt(&session, "<a@example.net>");
        assert_int_equal(decision->verdict, RB_VERDICT_INVALID);
        assert_int_equal(decision->wanted, table[i].wanted);
        assert_int_equal(decision->action, table[i].action);
        session_fini(&session);
    }
}

static void a_verdict_that_does_not_come_in_time_is_unknown(void **state)
{
    struct session session;
    const struct decision *decision;
    unsigned before = waits;

    (void)state;
    begin(&session, "max_wait = \"20ms\"");
    mail(&session, "<u@silent.example>");
    decision = session_rcpt(&session, "<a@example.net>");
    assert_int_equal(decision->reason, RB_REASON_TIMEOUT);
    assert_int_equal(decision->action, ACTION_ACCEPT);
    assert_int_equal(waits, before + 1);
    assert_true(session.plain.waited_ms >= 19);
    /* what is known needs no wait, nor does what is no address */
    mail(&session, "<good@example.org>");
    (void)session_rcpt(&session, "<a@example.net>");
    mail(&session, "<@>");
    (void)session_rcpt(&session, "<a@example.net>");
    assert_int_equal(waits, before + 1);
    session_fini(&session);
}

static void a_new_message_forgets_the_one_before(void **state)
{
    struct session session;

    (void)state;
    begin(&session, "");
    assert_int_equal(session_mail(&session, "<bad@example.org>", true), RB_OK);
    (void)session_rcpt(&session, "<a@example.net>");
    mail(&session, "<good@example.org>");
    assert_null(session.decisions);
    assert_false(session.authenticated);
    assert_false(session.plain.asked);
    assert_int_equal(session_rcpt(&session, "<a@example.net>")->reason, RB_REASON_ACCEPTED);
    session_reset(&session);
    assert_null(session.sender);
    assert_string_equal(session.sender_key, "");
    assert_string_equal(session.sender_text, "");
    assert_string_equal(session.plain.answer.reply, "");
    assert_null(decide_message(&session));
    assert_string_equal(session.helo, "client.example"); /* the connection goes on */
    session_fini(&session);
}

/* A configuration with a policy for each of r0.example, r1.example... */
static void make_policies(char *text, size_t size, int quarantines)
{
    size_t len = 0;

    for (int i = 0; i < POLICIES; i++) {
        len += (size_t)snprintf(text + len, size - len,
                                "policy \"p%d\" { match { recipient = { \"r%d.example\" } }\n"
                                " on_invalid = \"%s\" }\n",
                                i, i, i == quarantines ? "quarantine" : "accept");
        assert_true(len < size);
    }
}

static void among_many_policies_the_harshest_is_not_lost(void **state)
{
    static const int places[] = {0, 31, 32, POLICIES - 1};
    char text[POLICIES * 100], recipient[32];
    struct session session;

    (void)state;
    for (size_t place = 0; place < COUNT(places); place++) {
        make_policies(text, sizeof text, places[place]);
        begin(&session, text);
        mail(&session, "<bad@example.org>");
        for (int i = 0; i < POLICIES; i++) {
            const struct decision *decision;

            (void)snprintf(recipient, sizeof recipient, "<u@r%d.example>", i);
            decision = session_rcpt(&session, recipient);
            (void)snprintf(recipient, sizeof recipient, "p%d", i);
            assert_string_equal(decision->policy->name, recipient);
        }
        assert_int_equal(decide_message(&session)->action, ACTION_QUARANTINE);
        session_fini(&session);
    }
}

static void the_harshest_of_what_was_let_in_speaks_for_the_message(void **state)
{
    struct session session;

    (void)state;
    begin(&session,
          QUIET "policy \"t\" { match { recipient = { \"t.example\" } } on_invalid = \"tag\" }\n"
                "policy \"q\" { match { recipient = { \"q.example\" } } on_invalid ="
                " \"quarantine\" }\n"
                "policy \"a\" { match { recipient = { \"a.example\" } } on_invalid = \"accept\" }\n"
                "policy \"d\" { match { recipient = { \"d.example\" } } on_invalid ="
                " \"tempfail\" }\n");
    mail(&session, "<bad@example.org>");
    assert_null(decide_message(&session));
    (void)session_rcpt(&session, "<u@r.example>");
    (void)session_rcpt(&session, "<u@d.example>");
    assert_null(decide_message(&session)); /* nobody was let in */
    const struct decision *quiet = session_rcpt(&session, "<quiet@example.net>");
    assert_ptr_equal(decide_message(&session), quiet);
    const struct decision *accept = session_rcpt(&session, "<u@a.example>");
    assert_ptr_equal(decide_message(&session), accept); /* who was verified tells more */
    const struct decision *tag = session_rcpt(&session, "<u@t.example>");
    assert_ptr_equal(decide_message(&session), tag);
    const struct decision *quarantine = session_rcpt(&session, "<u@q.example>");
    assert_ptr_equal(decide_message(&session), quarantine);
    (void)session_rcpt(&session, "<postmaster@mx.example.net>");
    assert_ptr_equal(decide_message(&session), quarantine);
    session_fini(&session);
}

/* --- Replies --------------------------------------------------------------- */

static void assert_reply(const char *sender, enum action action, const char *code,
                         const char *enhanced, const char *text)
{
    struct session session;
    struct smtp_reply reply;

    begin(&session, "");
    mail(&session, sender);
    reply_write(&session, session_rcpt(&session, "<a@example.net>"), action, &reply);
    assert_string_equal(reply.code, code);
    assert_string_equal(reply.enhanced, enhanced);
    assert_string_equal(reply.text, text);
    session_fini(&session);
}

static void a_rejection_says_what_the_host_said(void **state)
{
    (void)state;
    assert_reply("<bad@example.org>", ACTION_REJECT, "550", "5.1.7",
                 "<bad@example.org>: sender address rejected: undeliverable address: "
                 "mx1.example.org said: \"550 5.1.1 'bad' 100% unknown\"");
}

static void a_deferral_says_what_the_host_said(void **state)
{
    (void)state;
    assert_reply("<grey@example.org> SIZE=1", ACTION_TEMPFAIL, "450", "4.1.7",
                 "<grey@example.org>: sender address rejected: unverified address: "
                 "mx1.example.org said: \"450 4.7.1 come back later\"");
}

static void what_a_host_said_is_made_printable(void **state)
{
    (void)state;
    assert_reply("<8bit@example.org>", ACTION_REJECT, "550", "5.1.7",
                 "<8bit@example.org>: sender address rejected: undeliverable address: "
                 "mx1.example.org said: \"550 gibt's n?t ?? ?\"");
}

static void where_no_host_said_anything_the_reason_is_told(void **state)
{
    (void)state;
    assert_reply("<u@nowhere.example>", ACTION_REJECT, "550", "5.1.7",
                 "<u@nowhere.example>: sender address rejected: undeliverable address: "
                 "the domain does not exist");
    assert_reply("<u@servfail.example>", ACTION_TEMPFAIL, "450", "4.1.7",
                 "<u@servfail.example>: sender address rejected: unverified address: "
                 "its domain cannot be looked up");
    assert_reply("<u @ x>", ACTION_REJECT, "550", "5.1.7",
                 "<u @ x>: sender address rejected: undeliverable address: not a valid address");
}

/* Whose domain, what it says of the client, and what to do. */
static void what_the_gate_held_back_is_told_in_words(void **state)
{
    static const char remedy[] =
        "; send it through a server of that domain, or have its owner name "
        "this one by SPF";
    static const struct {
        enum rb_reason reason;
        const char *reject, *tempfail, *words;
    } table[] = {
        {RB_REASON_SPF_FAIL, "5.7.23", "4.7.23",
         "strict.example says by SPF that 198.51.100.7 may not send its mail"},
        {RB_REASON_SPF_SOFTFAIL, "5.7.23", "4.7.23",
         "strict.example says by SPF that 198.51.100.7 is probably no server of its own"},
        {RB_REASON_NOT_VOUCHED, "5.7.1", "4.7.1",
         "nothing shows that 198.51.100.7 sends mail for strict.example"},
    };
    struct session session;
    struct smtp_reply reply;
    char wanted[REPLY_TEXT_MAX + 1];

    (void)state;
    begin(&session, "");
    mail(&session, "<u@strict.example>");
    (void)snprintf(session.plain.answer.domain, sizeof session.plain.answer.domain,
                   "strict.example");
    for (size_t i = 0; i < COUNT(table); i++) {
        const struct decision decision = {.verdict = RB_VERDICT_UNKNOWN, .reason = table[i].reason};

        (void)snprintf(wanted, sizeof wanted,
                       "<u@strict.example>: sender address rejected: unverified address: %s%s",
                       table[i].words, remedy);
        reply_write(&session, &decision, ACTION_REJECT, &reply);
        assert_string_equal(reply.code, "550");
        assert_string_equal(reply.enhanced, table[i].reject);
        assert_string_equal(reply.text, wanted);
        reply_write(&session, &decision, ACTION_TEMPFAIL, &reply);
        assert_string_equal(reply.code, "450");
        assert_string_equal(reply.enhanced, table[i].tempfail);
        assert_string_equal(reply.text, wanted);
    }
    session_fini(&session);
}

static void assert_harmless(const char *text, size_t max)
{
    if (strlen(text) > max)
        fail_msg("%zu octets: %s", strlen(text), text);
    for (; *text != '\0'; text++)
        if (*text < ' ' || *text > '~')
            fail_msg("octet %02x", (unsigned char)*text);
}

static void every_reason_makes_a_reply(void **state)
{
    struct session session;
    struct smtp_reply reply;

    (void)state;
    begin(&session, "");
    mail(&session, "<u@example.org>");
    for (int reason = 1; reason < RB_REASON_MAX; reason++) {
        const struct decision decision = {
            .verdict = rb_reason_verdict(reason), .reason = reason, .action = ACTION_REJECT};

        reply_write(&session, &decision, ACTION_REJECT, &reply);
        assert_string_equal(reply.code, "550");
        assert_harmless(reply.text, REPLY_TEXT_MAX);
        assert_non_null(strstr(reply.text, decision.verdict == RB_VERDICT_INVALID
                                               ? ": undeliverable address: "
                                               : ": unverified address: "));
    }
    session_fini(&session);
}

/* --- Hostile senders ------------------------------------------------------- */

static char logged_text[LOG_SIZE];

/* What observer_log writes to stderr. */
static const char *log_of(const struct session *session, struct decision *decision, const char *id)
{
    int kept = dup(STDERR_FILENO), file = open(log_path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    ssize_t len;

    assert_true(kept >= 0 && file >= 0);
    log_open(true, LOG_MAIL, LOG_LEVEL_INFO);
    assert_true(dup2(file, STDERR_FILENO) >= 0);
    observer_log(session, decision, id);
    assert_true(dup2(kept, STDERR_FILENO) >= 0);
    (void)close(kept);
    len = pread(file, logged_text, sizeof logged_text - 1, 0);
    (void)close(file);
    assert_true(len >= 0);
    logged_text[len] = '\0';
    return logged_text;
}

static void assert_one_line(char *text)
{
    size_t len = strlen(text);

    assert_true(len > 0);
    assert_int_equal(text[len - 1], '\n');
    text[len - 1] = '\0';
    assert_harmless(text, LOG_LINE_MAX + 64);
}

/* All that is ever said about a message with this sender. */
static void assert_sender_is_harmless(struct session *session, const char *argument)
{
    static const enum action actions[] = {ACTION_REJECT, ACTION_TEMPFAIL};
    char value[HEADER_VALUE_MAX + 1];
    struct decision *decision;

    mail(session, argument);
    decision = session_rcpt(session, argument);
    assert_harmless(session->sender_text, SESSION_TEXT_MAX);
    assert_harmless(decision->recipient, SESSION_TEXT_MAX);
    for (size_t i = 0; i < COUNT(actions); i++) {
        struct smtp_reply reply;

        reply_write(session, decision, actions[i], &reply);
        assert_harmless(reply.text, REPLY_TEXT_MAX);
        /* a line of SMTP: code, enhanced code, text, CR LF (RFC 5321 4.5.3.1.5) */
        assert_true(strlen(reply.code) + 1 + strlen(reply.enhanced) + 1 + strlen(reply.text) + 2 <=
                    512);
        assert_non_null(strstr(reply.text, ">: sender address rejected: "));
    }
    headers_ringback(session, decision, decision, value);
    assert_harmless(value, HEADER_VALUE_MAX);
    headers_warning(session, decision, value);
    assert_harmless(value, HEADER_VALUE_MAX);
    if (headers_results(session, decision, value))
        assert_harmless(value, HEADER_VALUE_MAX);
    (void)log_of(session, decision, argument); /* a hostile queue id, too */
    assert_one_line(logged_text);
}

static void hostile_senders_do_no_harm(void **state)
{
    static const char *const hostile[] = {
        "<\"a\\\"b\"@nowhere.example>",
        "<\"<>\"@nowhere.example>",
        "\"<>\"@nowhere.example",
        "<<>>",
        "<%s%n%%@nowhere.example>",
        "%s%n",
        "<a@nowhere.example\r\n250 2.1.0 Ok>",
        "<a\r\nRCPT TO:<b@c>\r\n@nowhere.example>",
        "<a\x1b[2J\x07@nowhere.example>",
        "<j\xc3\xb6rg@nowhere.example>",
        "<\xff\xfe\x80@nowhere.example>",
        "<a@\xe2\x80\xae.example>",
        "<@a.example,@b.example:u@nowhere.example>",
        "<@:u@nowhere.example>",
        "<u@nowhere.example> SIZE=1 X=\xff\r\n",
        "<u@nowhere.example",
        "u@nowhere.example>",
        ">",
        "<",
        "\"",
        "<\"",
        "\\",
        "<u@[IPv6:::1%lo]>",
        "<long@example.org>",
    };
    struct session session;

    (void)state;
    begin(&session, "authserv_id = \"mx.example.net\"\nlimits { }");
    for (size_t i = 0; i < COUNT(hostile); i++)
        assert_sender_is_harmless(&session, hostile[i]);
    session_fini(&session);
}

/* It can be looked for in the client's log as it stands. */
static void an_address_of_full_length_is_whole_in_the_reply(void **state)
{
    char address[RB_ADDRESS_MAX + 1], wanted[RB_ADDRESS_MAX + 64];
    struct decision of_recipient = {.of = OF_RECIPIENT, .verdict = RB_VERDICT_INVALID};
    struct session session;
    struct decision *decision;
    struct smtp_reply reply;

    (void)state;
    memset(address, 'a', sizeof address);
    (void)text_copy(address + RB_ADDRESS_MAX - strlen("@nowhere.example"),
                    sizeof "@nowhere.example", "@nowhere.example");
    (void)snprintf(wanted, sizeof wanted, "<%s>: sender address rejected: ", address);
    begin(&session, "");
    mail(&session, address);
    decision = session_rcpt(&session, "<a@example.net>");
    reply_write(&session, decision, ACTION_REJECT, &reply);
    assert_memory_equal(reply.text, wanted, strlen(wanted));
    (void)snprintf(wanted, sizeof wanted, "<%s>: recipient address rejected: ", address);
    (void)text_copy(of_recipient.recipient, sizeof of_recipient.recipient, address);
    reply_write(&session, &of_recipient, ACTION_REJECT, &reply);
    assert_memory_equal(reply.text, wanted, strlen(wanted));
    session_fini(&session);
}

static void long_senders_do_no_harm(void **state)
{
    static const char *const pieces[] = {"a", "%", "\"", "\\", "<", "\xff", "\r\n", "@a,", " "};
    char argument[2100];
    struct session session;

    (void)state;
    begin(&session, "");
    for (size_t i = 0; i < COUNT(pieces); i++) {
        size_t piece = strlen(pieces[i]);
        size_t len = 1;

        argument[0] = '<';
        for (; len + piece <= 2000; len += piece)
            memcpy(argument + len, pieces[i], piece);
        assert_true(text_copy(argument + len, sizeof argument - len, "@nowhere.example>"));
        assert_sender_is_harmless(&session, argument);
        assert_sender_is_harmless(&session, argument + 1);
    }
    session_fini(&session);
}

static void random_senders_do_no_harm(void **state)
{
    static const char alphabet[] = "ab@@.<>\"\"\\ %:,[];\r\n\t\x7f\x80\xc3\xb6=";
    unsigned seed = (unsigned)time(NULL);
    struct session session;
    char argument[96];

    (void)state;
    print_message("# seed %u\n", seed);
    begin(&session, "authserv_id = \"mx.example.net\"");
    for (int round = 0; round < RANDOM_ROUNDS; round++) {
        size_t len = (size_t)rand_r(&seed) % 80;

        for (size_t i = 0; i < len; i++)
            argument[i] = alphabet[(size_t)rand_r(&seed) % (sizeof alphabet - 1)];
        argument[len] = '\0';
        /* Kept from DNS: only what is no domain at all, or this one, which does not exist. */
        if (round % 2 == 0)
            (void)text_copy(argument + len, sizeof argument - len, "@[bad]");
        else if (strchr(argument, '@') != NULL)
            *strchr(argument, '@') = '\0';
        assert_sender_is_harmless(&session, argument);
    }
    session_fini(&session);
}

static void a_hostile_helo_is_made_printable(void **state)
{
    struct session session;
    char helo[2000];

    (void)state;
    begin(&session, "");
    session_helo(&session, "a\r\nb\x80\x1b");
    assert_string_equal(session.helo, "a b??");
    memset(helo, 'h', sizeof helo);
    helo[sizeof helo - 1] = '\0';
    session_helo(&session, helo);
    assert_harmless(session.helo, SESSION_TEXT_MAX);
    session_fini(&session);
}

/* --- The log --------------------------------------------------------------- */

static void assert_log(const struct session *session, struct decision *decision, const char *id,
                       const char *wanted)
{
    const bool of_sender = decision->of == OF_SENDER;
    char line[LOG_SIZE];

    (void)snprintf(line, sizeof line, "ringback-milter[%ld]: %s id=%s%s%s\n", (long)getpid(),
                   wanted, session->id, of_sender ? " vouched=" : "",
                   of_sender ? rb_voucher_name(envelope_answer(session, decision)->voucher) : "");
    assert_string_equal(log_of(session, decision, id), line);
}

static void a_decision_is_logged_as_the_contract_has_it(void **state)
{
    struct session session;
    struct decision *decision;

    (void)state;
    begin(&session, "");
    mail(&session, "<bad@example.org> SIZE=5");
    decision = session_rcpt(&session, "<a@example.net>");
    session.plain.waited_ms = 1143;
    assert_log(&session, decision, "4Xyz12",
               "4Xyz12: verify=sender address=<bad@example.org> verdict=invalid "
               "reason=no_such_user mx=mx1.example.org[192.0.2.25] "
               "reply=\"550 5.1.1 \\\"bad\\\" 100% unknown\" rule=rcpt_x11 cached=yes "
               "waited=1.143s policy=default action=reject client=198.51.100.7");
    session_fini(&session);
}

/* Whatever strangers write, they cannot have it cut off what was done about it. */
static void the_longest_decision_fits_its_line(void **state)
{
    char argument[2 * SESSION_TEXT_MAX];
    struct session session;
    struct decision *decision;
    const char *line;

    (void)state;
    begin(&session, "dry_run = yes\npolicy \"default\" { on_unknown = reject }");
    memset(argument, '"', sizeof argument);
    argument[sizeof argument - 1] = '\0';
    mail(&session, argument);
    decision = session_rcpt(&session, "<a@example.net>");
    memset(session.plain.answer.mx, 'm', sizeof session.plain.answer.mx - 1);
    memset(session.plain.answer.ip, ':', sizeof session.plain.answer.ip - 1);
    memset(session.plain.answer.reply, '"', sizeof session.plain.answer.reply - 1);
    memset(session.plain.answer.rule, 'r', sizeof session.plain.answer.rule - 1);
    session.plain.answer.voucher = RB_VOUCHER_POLICY;
    line = log_of(&session, decision, "4Xyz12");
    assert_non_null(strstr(line, " action=accept would=reject client=198.51.100.7 id="));
    assert_non_null(strstr(line, " vouched=policy\n"));
    session_fini(&session);
}

static void whoever_vouches_stands_in_the_log(void **state)
{
    struct session session;
    struct decision *decision;

    (void)state;
    begin(&session, "");
    mail(&session, "<bad@example.org>");
    decision = session_rcpt(&session, "<a@example.net>");
    for (int voucher = RB_VOUCHER_NOBODY; voucher < RB_VOUCHER_MAX; voucher++) {
        char wanted[32];

        session.plain.answer.voucher = (enum rb_voucher)voucher;
        decision->logged = false;
        (void)snprintf(wanted, sizeof wanted, " vouched=%s\n",
                       rb_voucher_name((enum rb_voucher)voucher));
        assert_non_null(strstr(log_of(&session, decision, NULL), wanted));
    }
    decision->exemption = EXEMPT_POLICY; /* whoever vouches, nobody was asked */
    decision->logged = false;
    assert_non_null(strstr(log_of(&session, decision, NULL), " vouched=nobody\n"));
    session_fini(&session);
}

static void a_decision_is_logged_once(void **state)
{
    struct session session;
    struct decision *decision;

    (void)state;
    begin(&session, "");
    mail(&session, "<bad@example.org>");
    decision = session_rcpt(&session, "<a@example.net>");
    assert_true(strlen(log_of(&session, decision, NULL)) > 0);
    assert_string_equal(log_of(&session, decision, NULL), "");
    session_fini(&session);
}

static void without_a_host_the_log_names_none(void **state)
{
    struct session session;
    struct decision *decision;

    (void)state;
    begin(&session, "");
    mail(&session, "<u@nowhere.example>");
    decision = session_rcpt(&session, "<a@example.net>");
    session.plain.waited_ms = 7;
    session.plain.answer.cached = false;
    assert_true(text_copy(session.plain.answer.rule, sizeof session.plain.answer.rule, "nxdomain"));
    assert_log(&session, decision, "",
               "verify=sender address=<u@nowhere.example> verdict=invalid reason=no_domain "
               "rule=nxdomain cached=no waited=0.007s policy=default action=reject "
               "client=198.51.100.7");
    session_fini(&session);
}

static void an_exemption_is_logged_with_its_name(void **state)
{
    struct config *config = load("");
    struct session session;

    (void)state;
    session_init(&session, &world, config, NULL);
    mail(&session, "u@example.org");
    assert_log(&session, session_rcpt(&session, "a@example.net"), NULL,
               "verify=none address=<u@example.org> verdict=unknown reason=exempt "
               "rule=local_submission waited=0.000s policy=default action=accept client=local");
    session_fini(&session);
    config_put(config);
}

static void a_dry_run_logs_what_would_have_been(void **state)
{
    struct session session;
    struct decision *decision;

    (void)state;
    begin(&session, "dry_run = yes");
    mail(&session, "<bad@example.org>");
    decision = session_rcpt(&session, "<a@example.net>");
    assert_non_null(strstr(log_of(&session, decision, "Q1"), " action=accept would=reject "));
    session_fini(&session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_size_is_read_from_the_parameters_of_mail),
        cmocka_unit_test(an_argument_ends_where_its_address_does),
        cmocka_unit_test(a_sender_is_kept_and_shown_without_its_trimmings),
        cmocka_unit_test(each_message_has_an_id_of_its_own),
        cmocka_unit_test(exemptions_are_tried_in_their_order),
        cmocka_unit_test(both_callout_senders_are_exempt),
        cmocka_unit_test(a_trusted_connection_is_exempt_as_a_whole),
        cmocka_unit_test(an_address_of_another_family_is_no_client),
        cmocka_unit_test(every_exemption_has_a_name),
        cmocka_unit_test(a_bad_address_does_not_fall_under_the_null_senders_policy),
        cmocka_unit_test(the_client_counts_in_the_question),
        cmocka_unit_test(the_helo_name_counts_in_the_question),
        cmocka_unit_test(whom_an_authenticated_user_writes_to_is_a_correspondent),
        cmocka_unit_test(whom_a_stranger_writes_to_is_none),
        cmocka_unit_test(the_next_message_of_a_session_must_be_authenticated_too),
        cmocka_unit_test(whom_a_message_that_was_given_up_was_for_is_none),
        cmocka_unit_test(where_nothing_is_to_be_noted_nobody_becomes_a_correspondent),
        cmocka_unit_test(a_message_to_everybody_notes_no_more_than_the_ceiling),
        cmocka_unit_test(verdicts_lead_to_the_policys_actions),
        cmocka_unit_test(one_verdict_serves_all_recipients),
        cmocka_unit_test(a_dry_run_changes_what_is_done_and_not_what_is_wanted),
        cmocka_unit_test(a_verdict_that_does_not_come_in_time_is_unknown),
        cmocka_unit_test(a_new_message_forgets_the_one_before),
        cmocka_unit_test(among_many_policies_the_harshest_is_not_lost),
        cmocka_unit_test(the_harshest_of_what_was_let_in_speaks_for_the_message),
        cmocka_unit_test(a_rejection_says_what_the_host_said),
        cmocka_unit_test(a_deferral_says_what_the_host_said),
        cmocka_unit_test(what_a_host_said_is_made_printable),
        cmocka_unit_test(where_no_host_said_anything_the_reason_is_told),
        cmocka_unit_test(what_the_gate_held_back_is_told_in_words),
        cmocka_unit_test(every_reason_makes_a_reply),
        cmocka_unit_test(hostile_senders_do_no_harm),
        cmocka_unit_test(an_address_of_full_length_is_whole_in_the_reply),
        cmocka_unit_test(long_senders_do_no_harm),
        cmocka_unit_test(random_senders_do_no_harm),
        cmocka_unit_test(a_hostile_helo_is_made_printable),
        cmocka_unit_test(a_decision_is_logged_as_the_contract_has_it),
        cmocka_unit_test(the_longest_decision_fits_its_line),
        cmocka_unit_test(whoever_vouches_stands_in_the_log),
        cmocka_unit_test(a_decision_is_logged_once),
        cmocka_unit_test(without_a_host_the_log_names_none),
        cmocka_unit_test(an_exemption_is_logged_with_its_name),
        cmocka_unit_test(a_dry_run_logs_what_would_have_been),
    };
    return cmocka_run_group_tests_name("session", tests, make_world, end_world);
}
