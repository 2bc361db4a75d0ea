/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The configuration: what each directive becomes, what is refused and in which words, and that what
 * is printed reads back as the same.
 */
#include "config.h"

#include "check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "config/configuration.h"
#include "config/scan.h"
#include "config/table.h"
#include "mail/relay.h"

/* --- A folder with files --- */

static char folder[] = "/tmp/test_config.XXXXXX";
static char path[64], list_path[64];

static int make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/conf", folder);
    snprintf(list_path, sizeof(list_path), "%s/list", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    unlink(list_path);
    return rmdir(folder);
}

static void write_octets(const char *file, const void *octets, size_t len)
{
    FILE *stream = fopen(file, "w");

    assert_non_null(stream);
    assert_int_equal(fwrite(octets, 1, len, stream), len);
    assert_int_equal(fclose(stream), 0);
}

static void write_text(const char *file, const char *text)
{
    write_octets(file, text, strlen(text));
}

/* A host name in every file keeps the machine's own out of the tests. */
static struct config *load(const char *text)
{
    struct config *config = NULL;
    char error[CONFIG_ERROR_SIZE], full[8192];

    assert_true(snprintf(full, sizeof(full), "hostname = mx.example.org %s", text) <
                (int)sizeof(full));
    write_text(path, full);
    if (config_load(path, &config, error, sizeof(error)) != RB_OK)
        fail_msg("refused: %s", error);
    assert_string_equal(error, "");
    return config;
}

static void assert_one_line(const char *text)
{
    for (; *text != '\0'; text++)
        assert_true(*text >= ' ' && *text < 0x7f);
}

/* The message behind "FILE". */
static const char *refusal(const char *text)
{
    static char error[CONFIG_ERROR_SIZE];
    struct config *config = NULL;

    write_text(path, text);
    assert_int_equal(config_load(path, &config, error, sizeof(error)), RB_ERR_ARGUMENT);
    assert_null(config);
    assert_one_line(error);
    assert_int_equal(strncmp(error, path, strlen(path)), 0);
    return error + strlen(path);
}

static void assert_refused(const char *text, const char *message)
{
    const char *said = refusal(text);

    if (strncmp(said, message, strlen(message)) != 0)
        fail_msg("%s\nwas refused with \"%s\"\nand not with \"%s\"", text, said, message);
    assert_non_null(strstr(said, "would be right"));
}

static void assert_warning(const char *text, const char *message)
{
    struct config *config = load(text);
    const char *said = config_warnings(config, 0);

    if (said == NULL || strcmp(said + strlen(path), message) != 0)
        fail_msg("%s\nbrought \"%s\"", text, said == NULL ? "no warning" : said);
    assert_null(config_warnings(config, 1));
    config_put(config);
}

static void assert_no_warning(const char *text)
{
    struct config *config = load(text);

    if (config_warnings(config, 0) != NULL)
        fail_msg("%s\nbrought \"%s\"", text, config_warnings(config, 0));
    config_put(config);
}

static void print_to(const struct config *config, char *text, size_t size)
{
    FILE *stream = fmemopen(text, size, "w");

    assert_non_null(stream);
    config_print(config, stream);
    assert_int_equal(ferror(stream), 0);
    assert_int_equal(fclose(stream), 0);
}

/* --- Defaults --- */

static void assert_top_defaults(const struct config *config)
{
    assert_string_equal(config->listen, "inet:8894@127.0.0.1");
    assert_string_equal(config->listen_mode, "0660");
    assert_string_equal(config->listen_group, "");
    assert_string_equal(config->control, "/run/ringback/control.sock");
    assert_string_equal(config->http, "");
    assert_int_equal(config->http_allow.count, 0);
    assert_string_equal(config->http_password_file, "");
    assert_int_equal(config->http_passwords.count, 0);
    assert_string_equal(config->authserv_id, "");
    assert_int_equal(config->trusted_authserv_ids.count, 0);
    assert_int_equal(config_facility(config), LOG_MAIL);
    assert_int_equal(config->log_level, LOG_LEVEL_INFO);
    assert_false(config->dry_run);
    assert_int_equal(config->trusted_networks.count, 2);
    assert_int_equal(config->resolvers.count, 0);
    assert_int_equal(config->max_wait_ms, 8000);
    assert_int_equal(config->decide_at, DECIDE_RCPT);
}

static void assert_callout_defaults(const struct config *config)
{
    assert_string_equal(config->callout.mail_from, "");
    assert_int_equal(config->callout.port, 25);
    assert_int_equal(config->callout.bind.count, 0);
    assert_int_equal(config->callout.ip_version, RB_IP_ANY);
    assert_int_equal(config->callout.tls, RB_TLS_MAY);
    assert_int_equal(config->callout.connect_timeout_ms, 10000);
    assert_int_equal(config->callout.command_timeout_ms, 30000);
    assert_int_equal(config->callout.total_timeout_ms, 120000);
    assert_int_equal(config->callout.max_workers, 256);
    assert_int_equal(config->callout.idle_timeout_ms, 2000);
    assert_int_equal(config->callout.max_held, 1024);
    assert_int_equal(config->callout.max_pending, 4096);
    assert_true(config->callout.catch_all_check);
    assert_false(config->callout.data_check);
    assert_true(config->callout.smtputf8);
    assert_int_equal(config->callout.max_hosts, 6);
    assert_int_equal(config->callout.allowed_networks.count, 0);
}

static void assert_other_defaults(const struct config *config)
{
    assert_string_equal(config->cache.store, "lmdb:/var/lib/ringback/cache");
    assert_int_equal(config->cache.valid_ttl_s, 31 * 86400);
    assert_int_equal(config->cache.valid_refresh_s, 7 * 86400);
    assert_int_equal(config->cache.invalid_ttl_s, 3 * 86400);
    assert_int_equal(config->cache.invalid_refresh_s, 3 * 3600);
    assert_int_equal(config->cache.unknown_ttl_s, 1800);
    assert_int_equal(config->cache.domain_ttl_s, 7 * 86400);
    assert_int_equal(config->cache.max_size, UINT64_C(1) << 30);
    assert_true(config->greylist.retry);
    assert_int_equal(config->greylist.first_s, 360);
    assert_int_equal(config->greylist.max_s, 6 * 3600);
    assert_int_equal(config->greylist.give_up_s, 86400);
    assert_int_equal(config->limits.per_domain_sessions, 2);
    assert_int_equal(config->limits.per_domain_rate.count, 60);
    assert_int_equal(config->limits.per_domain_rate.period_s, 60);
    assert_int_equal(config->limits.breaker_failures, 5);
    assert_int_equal(config->limits.breaker_hold_s, 900);
    assert_int_equal(config->spf.gate, RB_GATE_SOFTFAIL);
    assert_false(config->connect_back.check);
    assert_int_equal(config->connect_back.target, TARGET_HELO);
    assert_int_equal(config->connect_back.timeout_ms, 10000);
    assert_int_equal(config->connect_back.on_denied, ACTION_REJECT);
    assert_int_equal(config->connect_back.on_maybe, ACTION_ACCEPT);
    assert_int_equal(config->connect_back.on_unreachable, ACTION_TAG);
    assert_int_equal(config->connect_back.on_unsupported, ACTION_TAG);
    assert_false(config->connect_back.answer);
    assert_int_equal(config->connect_back.answer_users.count, 3);
    assert_string_equal(config->connect_back.answer_users.items[2], "smmsp");
    assert_int_equal(config->connect_back.peers.count, 0);
    assert_false(config->connect_back.complete);
    assert_int_equal(config->connect_back.public_address.count, 0);
    assert_int_equal(config->policy_count, 0);
    assert_string_equal(config->default_policy.name, "default");
    assert_int_equal(config->default_policy.verify, VERIFY_SENDER);
    assert_false(config->default_policy.vouched);
    assert_int_equal(config->default_policy.on_invalid, ACTION_REJECT);
    assert_int_equal(config->default_policy.on_unknown, ACTION_ACCEPT);
    assert_int_equal(config->default_policy.verify_headers, 0);
    assert_int_equal(config->default_policy.on_header_invalid, ACTION_TAG);
}

static void defaults_are_those_of_the_manual(void **state)
{
    struct config *config = NULL;

    (void)state;
    assert_int_equal(config_defaults(&config), RB_OK);
    assert_string_equal(config->path, "");
    assert_top_defaults(config);
    assert_callout_defaults(config);
    assert_other_defaults(config);
    config_put(config);
}

static void empty_file_is_the_defaults(void **state)
{
    static const char *const texts[] = {"", "\n", "# nothing", "/* nothing */\n", "\xef\xbb\xbf\n"};
    char one[8192] = "", other[8192] = "";
    struct config *config = NULL;
    char error[CONFIG_ERROR_SIZE];

    (void)state;
    assert_int_equal(config_defaults(&config), RB_OK);
    print_to(config, one, sizeof(one));
    config_put(config);
    for (size_t i = 0; i < COUNT(texts); i++) {
        write_text(path, texts[i]);
        assert_int_equal(config_load(path, &config, error, sizeof(error)), RB_OK);
        assert_string_equal(config->path, path);
        print_to(config, other, sizeof(other));
        assert_string_equal(one, other);
        config_put(config);
    }
}

static void machine_gives_the_host_name_where_none_is_set(void **state)
{
    struct config *config = NULL;
    char expected[RB_ADDRESS_MAX + 16];

    (void)state;
    assert_int_equal(config_defaults(&config), RB_OK);
    assert_true(config->hostname[0] != '\0');
    if (strchr(config->hostname, '.') == NULL)
        assert_non_null(strstr(config_warnings(config, 0), "is not fully qualified"));
    else
        assert_null(config_warnings(config, 0));
    snprintf(expected, sizeof(expected), "postmaster@%s", config->hostname);
    assert_string_equal(config->callout.fallback_mail_from, expected);
    config_put(config);
}

/* --- Reading --- */

static void every_kind_of_directive_is_read(void **state)
{
    struct config *config =
        load("listen = \"unix:/run/rb/milter.sock\"\n"
             "dry_run = yes\n"
             "max_wait = 250ms\n"
             "log_level = \"debug\"  syslog_facility = local3\n"
             "resolvers = { \"127.0.0.1:5353\", \"::1\" }\n"
             "trusted_networks += { \"192.0.2.0/24\" }\n"
             "callout { port = 2525 ip_version = \"6\" tls = never bind = \"192.0.2.9\"\n"
             "  mail_from = \"<verify@Example.ORG>\" allowed_networks = { \"10.0.0.0/8\" } }\n"
             "cache { max_size = 64MB valid_ttl = 2d valid_refresh = 1d store = \"\" }\n");

    (void)state;
    assert_string_equal(config->listen, "unix:/run/rb/milter.sock");
    assert_true(config->dry_run);
    assert_int_equal(config->max_wait_ms, 250);
    assert_int_equal(config->log_level, LOG_LEVEL_DEBUG);
    assert_int_equal(config_facility(config), LOG_LOCAL3);
    assert_int_equal(config->resolvers.count, 2);
    assert_string_equal(config->resolvers.items[1], "[::1]:53");
    assert_int_equal(config->trusted_networks.count, 3);
    assert_int_equal(config->callout.port, 2525);
    assert_int_equal(config->callout.ip_version, RB_IP_V6);
    assert_int_equal(config->callout.tls, RB_TLS_NEVER);
    assert_string_equal(config->callout.bind.items[0], "192.0.2.9");
    assert_string_equal(config->callout.mail_from, "verify@example.org");
    assert_int_equal(config->callout.allowed_networks.items[0].bits, 96 + 8);
    assert_int_equal(config->cache.max_size, UINT64_C(64) << 20);
    assert_int_equal(config->cache.valid_ttl_s, 2 * 86400);
    assert_string_equal(config->cache.store, "");
    config_put(config);
}

static void header_fields_to_verify_are_a_set(void **state)
{
    static const struct {
        const char *text;
        unsigned set;
    } table[] = {
        {"", 0},
        {"verify_headers = { }", 0},
        {"verify_headers = \"from\"", 1U << ORIGINATOR_FROM},
        {"verify_headers = { Reply-To }", 1U << ORIGINATOR_REPLY_TO},
        {"verify_headers = { \"sender\", from, \"sender\" }",
         1U << ORIGINATOR_FROM | 1U << ORIGINATOR_SENDER},
        {"verify_headers = { from, reply-to, sender }", (1U << ORIGINATORS) - 1},
        {"verify_headers = { from }\nverify_headers = { sender }", 1U << ORIGINATOR_SENDER},
        {"verify_headers = { from }\nverify_headers += { sender }",
         1U << ORIGINATOR_FROM | 1U << ORIGINATOR_SENDER},
    };
    char text[256];

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        struct config *config;

        print_message("# %s\n", table[i].text);
        snprintf(text, sizeof(text), "policy \"p\" { %s\n on_header_invalid = reject }",
                 table[i].text);
        config = load(text);
        assert_int_equal(config->policies[0].verify_headers, table[i].set);
        assert_int_equal(config->policies[0].on_header_invalid, ACTION_REJECT);
        config_put(config);
    }
}

static void list_may_be_emptied(void **state)
{
    struct config *config = load("trusted_networks = { }\n");

    (void)state;
    assert_int_equal(config->trusted_networks.count, 0);
    assert_int_equal(config->trusted_networks.text.count, 0);
    config_put(config);
}

static void last_of_two_equal_directives_counts(void **state)
{
    struct config *config =
        load("max_wait = 1s\nmax_wait = 2s\ncallout { port = 1 max_hosts = 2 }\n"
             "callout { port = 3 }\n");

    (void)state;
    assert_int_equal(config->max_wait_ms, 2000);
    assert_int_equal(config->callout.port, 3);
    assert_int_equal(config->callout.max_hosts, 2);
    config_put(config);
}

static void comments_may_stand_anywhere(void **state)
{
    struct config *config =
        load("# one\n// two\n/* three\n * lines\n */ max_wait = /* here */ 3s # end\n"
             "trusted_networks = { \"192.0.2.1\", # an office\n"
             "  // another\n  \"192.0.2.2\" /* last */ }\n"
             "listen = unix:/run//x\n"
             "control = \"/run/#1\" # not a comment within quotes\n");

    (void)state;
    assert_int_equal(config->max_wait_ms, 3000);
    assert_int_equal(config->trusted_networks.count, 2);
    assert_string_equal(config->listen, "unix:/run//x");
    assert_string_equal(config->control, "/run/#1");
    config_put(config);
}

static void environment_is_put_into_double_quotes(void **state)
{
    struct config *config;

    (void)state;
    assert_int_equal(setenv("RB_TEST_PORT", "8899", 1), 0);
    config = load("listen = \"inet:${RB_TEST_PORT}@${RB_TEST_NONE:-127.0.0.9}\"\n"
                  "control = '/run/${RB_TEST_PORT}'");
    assert_string_equal(config->listen, "inet:8899@127.0.0.9");
    assert_string_equal(config->control, "/run/${RB_TEST_PORT}");
    config_put(config);
}

static void host_name_goes_into_the_fallback_sender(void **state)
{
    struct config *config = load("");

    (void)state;
    assert_string_equal(config->callout.fallback_mail_from, "postmaster@mx.example.org");
    config_put(config);
    config = load("hostname = \"[192.0.2.1]\" callout { fallback_mail_from = \"cb@HOSTNAME\" }");
    assert_string_equal(config->hostname, "[192.0.2.1]");
    assert_string_equal(config->callout.fallback_mail_from, "cb@[192.0.2.1]");
    config_put(config);
    config = load("callout { fallback_mail_from = \"\" }");
    assert_string_equal(config->callout.fallback_mail_from, "");
    config_put(config);
}

static void policies_keep_the_order_of_the_file(void **state)
{
    struct config *config =
        load("policy \"b\" { match { sender = { \"example.org\" } authenticated = no }\n"
             "  verify = none on_invalid = tag }\n"
             "policy \"a\" { match { client = { \"192.0.2.0/24\" } } on_unknown = tempfail }\n");

    (void)state;
    assert_int_equal(config->policy_count, 2);
    assert_string_equal(config->policies[0].name, "b");
    assert_int_equal(config->policies[0].verify, VERIFY_NONE);
    assert_int_equal(config->policies[0].on_invalid, ACTION_TAG);
    assert_int_equal(config->policies[0].authenticated, AUTHENTICATED_NO);
    assert_string_equal(config->policies[1].name, "a");
    assert_int_equal(config->policies[1].on_unknown, ACTION_TEMPFAIL);
    assert_int_equal(config->policies[1].on_invalid, ACTION_REJECT);
    assert_int_equal(config->policies[1].authenticated, AUTHENTICATED_ANY);
    config_put(config);
}

static void relays_are_kept(void **state)
{
    struct config *config =
        load("relay \"Example.ORG\" { to = { \"a.example\", \"192.0.2.1:26\" }\n"
             "  on_unreachable = accept check_size = no }");

    (void)state;
    assert_int_equal(config->relay_count, 1);
    assert_string_equal(config->relays[0].domain, "example.org");
    assert_string_equal(config->relays[0].to.items[0], "a.example:25");
    assert_string_equal(config->relays[0].to.items[1], "192.0.2.1:26");
    assert_int_equal(config->relays[0].on_unreachable, ACTION_ACCEPT);
    assert_false(config->relays[0].check_size);
    config_put(config);
}

static void a_relays_targets_are_joined_as_the_library_takes_them(void **state)
{
    struct config *config =
        load("relay \"a.example\" { to = { \"mail.example.org\", \"192.0.2.1:26\", "
             "\"[2001:db8::1]:25\", \"lmtp:store\", \"lmtp:store:2003\", "
             "\"unix:/run/dovecot/lmtp\" } }");
    const struct relay *relay = &config->relays[0];

    (void)state;
    assert_string_equal(relay->list, "mail.example.org:25,192.0.2.1:26,[2001:db8::1]:25,lmtp:store,"
                                     "lmtp:store:2003,unix:/run/dovecot/lmtp");
    assert_true(relay_is_good(relay->list));
    assert_int_equal(relay->to.count, 6);
    assert_int_equal(relay->on_unreachable, ACTION_TEMPFAIL);
    assert_true(relay->check_size);
    config_put(config);
}

static void the_nearest_relay_counts(void **state)
{
    static const struct {
        const char *domain, *title;
    } table[] = {
        {"example.org", "example.org"},
        {"a.example.org", ".example.org"},
        {"c.b.a.example.org", ".example.org"},
        {"in.example.org", "in.example.org"},
        {"x.in.example.org", ".in.example.org"},
        {"y.x.in.example.org", ".in.example.org"},
        {"notexample.org", ".org"},
        {"only.example", "*"},
        {"sub.only.example", ".only.example"},
        {"xn--bcher-kva.example", "xn--bcher-kva.example"},
        {"org", "*"},
        {"[192.0.2.1]", "*"},
        {"[ipv6:2001:db8::1]", "*"},
    };
    struct config *config = load("relay \"*\" { to = { any } }\n"
                                 "relay \".org\" { to = { org } }\n"
                                 "relay \".Example.ORG\" { to = { below } }\n"
                                 "relay \"example.org\" { to = { itself } }\n"
                                 "relay \"in.example.org\" { to = { in } }\n"
                                 "relay \".in.example.org\" { to = { in-below } }\n"
                                 "relay \".only.example\" { to = { only } }\n"
                                 "relay \"b\xc3\xbc"
                                 "cher.example\" { to = { books } }\n");

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        const struct relay *relay = config_relay(config, table[i].domain);

        print_message("# %s\n", table[i].domain);
        assert_non_null(relay);
        assert_string_equal(relay->domain, table[i].title);
    }
    config_put(config);
}

static void without_one_that_fits_there_is_no_relay(void **state)
{
    static const char *const domains[] = {"org", "example.com", "a.example.net", "xexample.org",
                                          "[192.0.2.1]"};
    struct config *config = load("relay \".example.org\" { to = { a } }\n"
                                 "relay \"example.net\" { to = { b } }\n");
    struct config *none = load("");

    (void)state;
    for (size_t i = 0; i < COUNT(domains); i++) {
        assert_null(config_relay(config, domains[i]));
        assert_null(config_relay(none, domains[i]));
    }
    assert_null(config_relay(config, "example.org")); /* its subdomains alone */
    config_put(config);
    config_put(none);
}

/* --- Refusals --- */

struct refused {
    const char *text, *message;
};

static void check_refusals(const struct refused *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_refused(cases[i].text, cases[i].message);
}

static void values_out_of_range_are_refused_with_the_range(void **state)
{
    static const struct refused cases[] = {
        {"callout { port = 0 }", ":1: callout.port: \"0\" is out of range; 1 to 65535"},
        {"\n\ncallout {\n port = 65536\n}", ":4: callout.port: \"65536\" is out of range"},
        {"max_wait = 6m", ":1: max_wait: \"6m\" is out of range; 0s to 5m"},
        {"callout { max_hosts = 33 }", ":1: callout.max_hosts: \"33\" is out of range; 1 to 32"},
        {"callout { connect_timeout = 99ms }",
         ":1: callout.connect_timeout: \"99ms\" is out of range; 100ms to 5m"},
        {"callout { max_workers = 0 }",
         ":1: callout.max_workers: \"0\" is out of range; 1 to 4096"},
        {"cache { valid_ttl = 367d }", ":1: cache.valid_ttl: \"367d\" is out of range; 1s to 366d"},
        {"cache { max_size = 1KB }", ":1: cache.max_size: \"1KB\" is out of range; 1MB to 1TB"},
        {"limits { global_rate = \"2000000/s\" }",
         ":1: limits.global_rate: \"2000000/s\" is out of range; 1 to 1000000"},
        {"limits { breaker_failures = 0 }", ":1: limits.breaker_failures: \"0\" is out of range"},
        {"greylist { first = 2d }", ":1: greylist.first: \"2d\" is out of range; 1s to 1d"},
    };

    (void)state;
    check_refusals(cases, COUNT(cases));
}

static void malformed_values_are_refused_with_what_would_be_right(void **state)
{
    static const struct refused cases[] = {
        {"max_wait = 8", ":1: max_wait: \"8\" is no duration"},
        {"cache { unknown_ttl = 1500ms }",
         ":1: cache.unknown_ttl: \"1500ms\" is finer than it may be"},
        {"cache { max_size = big }", ":1: cache.max_size: \"big\" is no size"},
        {"limits { global_rate = 60 }", ":1: limits.global_rate: \"60\" is no rate"},
        {"callout { port = smtp }", ":1: callout.port: \"smtp\" is no number"},
        {"dry_run = perhaps", ":1: dry_run: \"perhaps\" is neither; yes or no would be right"},
        {"\nspf {\n gate = pass }",
         ":3: spf.gate: \"pass\" is not one of the choices; no, fail, softfail or vouched would be "
         "right"},
        {"policy \"p\" { vouched = dkim }",
         ":1: policy \"p\": vouched: \"dkim\" is neither; yes or no would be right"},
        {"log_level = loud", ":1: log_level: \"loud\" is not one of the choices; error, warning, "
                             "info or debug would be right"},
        {"syslog_facility = maill", ":1: syslog_facility: \"maill\" is not one of the choices"},
        {"decide_at = never",
         ":1: decide_at: \"never\" is not one of the choices; rcpt, data or eom"},
        {"listen = here", ":1: listen: \"here\" is no address to listen at"},
        {"listen = \"unix:/x\"\nlisten_mode = \"0460\"",
         ":2: listen_mode: \"0460\" is no mode of a socket; three octal digits whose first is 6 or "
         "7, such as \"0660\", would be right"},
        {"listen_group = \"a:b\"", ":1: listen_group: \"a:b\" is no name of a group; one such as"},
        {"callout { mail_from = me }", ":1: callout.mail_from: \"me\" is no mail address"},
        {"trusted_networks = { \"10.0.0.0/8\",\n \"10.0.0.1/8\" }",
         ":2: trusted_networks: \"10.0.0.1/8\" is no network"},
        {"resolvers = { \"127.0.0.1\", dns }", ":1: resolvers: \"dns\" is no resolver"},
        {"resolvers = { \"1.1.1.1\", \"2.2.2.2\", \"3.3.3.3\", \"4.4.4.4\" }",
         ":1: resolvers: \"4.4.4.4\" is one too many; up to 3 would be right"},
        {"cache { store = \"redis://h:6379/0\" }",
         ":1: cache.store: \"redis://h:6379/0\" names a store that is not built in"},
        {"hostname = \"a b\"", ":1: hostname: \"a b\" is no host name"},
        {"connect_back { target = rcpt }", ":1: connect_back.target: \"rcpt\" is not one of the "
                                           "choices; helo, mx, helo mx or mx helo "
                                           "would be right"},
        {"connect_back { answer_users = { postfix, \"a b\" } }",
         ":1: connect_back.answer_users: \"a b\" is no user; a name such as \"postfix\", or a "
         "number, would be right"},
        {"connect_back { answer_users = { \"\" } }",
         ":1: connect_back.answer_users: \"\" is no user"},
        {"connect_back {\n peers = { \"a..b\" } }",
         ":2: connect_back.peers: \"a..b\" is no host; a name such as \"out2.example.org\" or an "
         "address would be right"},
        {"connect_back { peers = { \"192.0.2.1:25\" } }",
         ":1: connect_back.peers: \"192.0.2.1:25\" is no host"},
        {"connect_back { public_address = { mx } }",
         ":1: connect_back.public_address: \"mx\" is no IP address"},
        {"trusted_authserv_ids = { mx,\n \"a b\" }",
         ":2: trusted_authserv_ids: \"a b\" is no identifier; a host name such as "
         "\"mx.example.org\" would be right"},
        {"trusted_authserv_ids = { \"\" }", ":1: trusted_authserv_ids: \"\" is no identifier"},
        {"trusted_authserv_ids = {\"mx.example.org\",\n\"MX.example.net\"}\n"
         "authserv_id = \"mx.example.net\"\ndecide_at = eom",
         ":2: trusted_authserv_ids: \"MX.example.net\" is our own authserv_id, which is no other "
         "filter's; another authserv_id, or another identifier for that filter, would be right"},
        {"trusted_authserv_ids = {a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q}",
         ":1: trusted_authserv_ids: \"q\" is one too many; up to 16 would be right"},
        {"policy \"p\" {\nverify_headers = { from,\nto } }",
         ":3: policy \"p\": verify_headers: \"to\" is not one of the choices; from, reply-to or "
         "sender would be right"},
        {"policy \"p\" { verify_headers = { \"\" } }",
         ":1: policy \"p\": verify_headers: \"\" is not one of the choices"},
        {"policy \"p\" { on_header_invalid = discard }",
         ":1: policy \"p\": on_header_invalid: \"discard\" is not one of the choices; accept, tag, "
         "quarantine, tempfail or reject would be right"},
    };

    (void)state;
    check_refusals(cases, COUNT(cases));
}

static void unknown_directives_are_named_with_the_nearest(void **state)
{
    static const struct refused cases[] = {
        {"lisen = x", ":1: unknown directive \"lisen\"; \"listen\" would be right"},
        {"\ncallout { prt = 25 }", ":2: unknown directive \"prt\"; \"port\" would be right"},
        {"cache {\n\n valid_tll = 3d }",
         ":3: unknown directive \"valid_tll\"; \"valid_ttl\" would be right"},
        {"max_workers = 3",
         ":1: unknown directive \"max_workers\"; within callout { } it would be right"},
        {"cache { dry_run = yes }",
         ":1: unknown directive \"dry_run\"; outside of any block it would be right"},
        {"policy \"x\" { client = { } }",
         ":1: unknown directive \"client\"; within match { } it would be right"},
        {"spf.gate = \"fail\"",
         ":1: unknown directive \"spf.gate\"; \"gate\" within spf { } would be right"},
        {"spf { gate = \"fail\"; }", ":1: unknown directive \";\"; without it, it would be right"},
        {"polcy \"x\" { }", ":1: unknown directive \"polcy\"; \"policy\" would be right"},
    };

    (void)state;
    check_refusals(cases, COUNT(cases));
    assert_non_null(strstr(refusal("zzzzzzzzzz = 1"),
                           ":1: unknown directive \"zzzzzzzzzz\"; see ringback.conf(5)"));
}

static void broken_form_is_refused_where_it_breaks(void **state)
{
    static const struct refused cases[] = {
        {"callout {\n port = 25\n", ":1: the brace opened here is never closed"},
        {"policy \"x\" {\n match {\n }\n", ":1: the brace opened here is never closed"},
        {"policy \"x\" {\n match {\n", ":2: the brace opened here is never closed"},
    };
    static const struct refused others[] = {
        {"max_wait = 8s\n}\n", ":2: a closing brace that nothing opened"},
        {"listen = \"inet:1\nmax_wait = 1s\n", ":1: this string has no closing quote"},
        {"listen = 'inet:1", ":1: this string has no closing quote"},
        {"listen = \"inet:1\\", ":1: this string has no closing quote"},
        {"listen = \"${", ":1: this string has no closing quote"},
        {"max_wait 8s", ":1: missing equal sign after option 'max_wait'"},
        {"max_wait =", ":2: premature end of file"},
        {"max_wait += 8s", ":1: \"max_wait\" is no list; \"=\" would be right"},
        {"callout = 3", ":1: \"callout\" is a block; \"{\" would be right here"},
        {"policy \"x\" vouched = yes", ":1: \"policy\" is a block; \"{\" would be right here"},
        {"policy { }",
         ":1: \"policy\" has no name here; a name in quotes before \"{\" would be right"},
        {"resolvers = { \"::1\"\n \"127.0.0.1\" }",
         ":2: \"127.0.0.1\" has no comma before it; \",\", or the list's \"}\", would be right"},
        {"spf {\n gate = { \"fail\" } }",
         ":2: \"{\" is no value; one without braces, or a block's name before it, would be right"},
        {"callout { tls = }", ":1: \"}\" is no value; one before it would be right"},
        {"max_wait = \"8s\", dry_run = yes",
         ":1: \",\" is too much; between two values within braces it would be right"},
        {"max_wait = = 8s", ":1: \"=\" has no name before it; NAME = VALUE would be right"},
        {"callout|port = 3", ":1: \"|\" may stand only within quotes"},
        {"{{{{{{{{{", ":1: too many braces within braces"},
        {"max_wait\x01 = 3s", ":1: a control character"},
        {"listen = \"a\x1b[31m\"", ":1: listen: \"a?[31m\" is no address to listen at"},
    };

    (void)state;
    check_refusals(cases, COUNT(cases));
    for (size_t i = 0; i < COUNT(others); i++) {
        const char *said = refusal(others[i].text);

        if (strncmp(said, others[i].message, strlen(others[i].message)) != 0)
            fail_msg("%s\nwas refused with \"%s\"", others[i].text, said);
    }
    assert_refused("/* never\nclosed", ":1: this comment has no end");
}

static void lines_are_counted_past_comments_and_lists(void **state)
{
    static const struct refused cases[] = {
        {"# 1\n/* 2\n3 */\ntrusted_networks = {\n\"::1\",\n\"::2\" # 6\n}\ncallout {\nport = 0\n}",
         ":9: callout.port"},
        {"callout {\n}\ncache {\n}\nport = 1", ":5: unknown directive \"port\""},
        {"policy \"a\"\n{\n match\n {\n }\n}\nmax_wait = x", ":7: max_wait"},
        {"// a\r\n// b\r\nmax_wait = x\r\n", ":3: max_wait"},
    };

    (void)state;
    check_refusals(cases, COUNT(cases));
}

static void wrong_policies_and_relays_are_refused(void **state)
{
    static const struct refused cases[] = {
        {"policy \"a\" { }\npolicy \"a\" { }", ":2: \"a\" is given twice"},
        {"policy \"a b\" { }", ":1: policy: \"a b\" is no name"},
        {"\npolicy \"\" {\n }", ":2: policy: \"\" is no name"},
        {"policy \"a\" { on_invalid = explode }",
         ":1: policy \"a\": on_invalid: \"explode\" is not one of the choices; accept, tag, "
         "quarantine, tempfail or reject"},
        {"policy \"a\" { verify = all }", ":1: policy \"a\": verify: \"all\" is not one of"},
        {"policy \"a\" { match {\n client = { \"host.example\" } } }",
         ":2: policy \"a\": match.client: \"host.example\" is no network"},
        {"policy \"a\" { match { sender = { \"*@example.org\" } } }",
         ":1: policy \"a\": match.sender: \"*@example.org\" is no pattern"},
        {"policy \"a\" { match { authenticated = 2 } }",
         ":1: policy \"a\": match.authenticated: \"2\" is not one of the choices; any, no or yes"},
        {"\npolicy \"default\" {\n match { helo = { \"x\" } } }",
         ":2: policy \"default\" is the one for whatever"},
        {"relay \"no domain\" { to = { a } }", ":1: relay: \"no domain\" is no domain"},
        {"relay \"a.example\" { }", ":1: relay: \"a.example\" has no host to ask"},
        {"relay \"a.example\" { to = { b } }\nrelay \"A.example\" {\n to = { b }\n}",
         ":2: relay: \"A.example\" is given twice"},
        {"relay \"a.example\" { to = { \"[b]\" } }",
         ":1: relay \"a.example\": to: \"[b]\" is no host to ask"},
        {"relay \"\" { to = { a } }", ":1: relay: \"\" is no domain"},
        {"relay \".\" { to = { a } }", ":1: relay: \".\" is no domain"},
        {"relay \"..example\" { to = { a } }", ":1: relay: \"..example\" is no domain"},
        {"relay \"*.example\" { to = { a } }", ":1: relay: \"*.example\" is no domain"},
        {"relay \"*\" { to = { b } }\nrelay \"*\" {\n to = { b }\n}", ":2: \"*\" is given twice"},
        {"relay \".a.example\" { to = { b } }\nrelay \".A.Example\" {\n to = { b }\n}",
         ":2: relay: \".A.Example\" is given twice"},
        {"relay \"*\" { to = { \"unix:run\" } }",
         ":1: relay \"*\": to: \"unix:run\" is no host to ask"},
        {"relay \"*\" { to = { \"lmtp:\" } }", ":1: relay \"*\": to: \"lmtp:\" is no host to ask"},
        {"relay \"*\" { to = { \"mx:\" } }", ":1: relay \"*\": to: \"mx:\" is no host to ask"},
        {"relay \"*\" { to = { \"unix:/a,b\" } }",
         ":1: relay \"*\": to: \"unix:/a,b\" is no host to ask"},
        {"relay \"*\" { to = { a, b, c, d, e, f, g, h, i } }", ":1: relay \"*\": to:"},
    };

    (void)state;
    check_refusals(cases, COUNT(cases));
}

static void refusal_leaves_the_reader_fit_for_the_next_file(void **state)
{
    static const char *const bad[] = {
        "listen = \"x", "max_wait = {",      "policy \"a\" { match { client =",
        "policy \"",    "nonsense = { 1, 2", "callout { port = \"\\400\" }"};

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        refusal(bad[i]);
        config_put(load("max_wait = 1s"));
    }
}

static void error_is_cut_to_the_callers_room(void **state)
{
    struct config *config = NULL;
    char error[8] = "unset";

    (void)state;
    write_text(path, "nonsense = 1");
    assert_int_equal(config_load(path, &config, error, sizeof(error)), RB_ERR_ARGUMENT);
    assert_int_equal(strlen(error), sizeof(error) - 1);
    assert_int_equal(config_load(path, &config, error, 0), RB_ERR_ARGUMENT);
}

/* --- Files --- */

static void assert_unreadable(const char *file, int number, const char *message)
{
    struct config *config = NULL;
    char error[CONFIG_ERROR_SIZE];

    assert_int_equal(config_load(file, &config, error, sizeof(error)), RB_ERR_SYSTEM);
    assert_int_equal(errno, number);
    assert_null(config);
    assert_non_null(strstr(error, message));
    assert_one_line(error);
}

static void missing_file_is_one_line(void **state)
{
    (void)state;
    assert_unreadable("/nonexistent/ringback.conf", ENOENT,
                      "/nonexistent/ringback.conf: cannot be read: No such file or directory");
}

static void folder_is_one_line(void **state)
{
    (void)state;
    assert_unreadable(folder, EISDIR, ": cannot be read: Is a directory");
}

static void device_is_one_line(void **state)
{
    (void)state;
    assert_unreadable("/dev/null", EINVAL, "/dev/null: is not a regular file");
}

static void unreadable_file_is_one_line(void **state)
{
    bool root = geteuid() == 0;

    (void)state;
    write_text(path, "");
    assert_int_equal(chmod(path, 0), 0);
    if (root) /* who may read anything */
        assert_int_equal(seteuid(65534), 0);
    assert_unreadable(path, EACCES, ": cannot be read: Permission denied");
    if (root)
        assert_int_equal(seteuid(0), 0);
    unlink(path);
}

static void pipe_does_not_hang(void **state)
{
    char pipe_path[80];

    (void)state;
    snprintf(pipe_path, sizeof(pipe_path), "%s/pipe", folder);
    assert_int_equal(mkfifo(pipe_path, 0600), 0);
    assert_unreadable(pipe_path, EINVAL, ": is not a regular file");
    unlink(pipe_path);
}

static void nul_octet_is_refused_with_its_line(void **state)
{
    struct config *config = NULL;
    char error[CONFIG_ERROR_SIZE];

    (void)state;
    write_octets(path, "max_wait = 1s\nmax\0wait", 22);
    assert_int_equal(config_load(path, &config, error, sizeof(error)), RB_ERR_ARGUMENT);
    assert_string_equal(error + strlen(path), ":2: a NUL octet; text would be right");
}

static void huge_file_is_refused(void **state)
{
    struct config *config = NULL;
    char error[CONFIG_ERROR_SIZE];

    (void)state;
    write_text(path, "");
    assert_int_equal(truncate(path, SCAN_CONFIG_MAX + 1), 0);
    assert_int_equal(config_load(path, &config, error, sizeof(error)), RB_ERR_ARGUMENT);
    assert_non_null(
        strstr(error, ": is too large: 1048577 octets, at most 1048576 would be right"));
}

static void huge_value_is_refused(void **state)
{
    enum { LEN = 100000 };
    static char text[LEN + 32];

    (void)state;
    memcpy(text, "\ncontrol = \"", 12);
    memset(text + 12, 'x', LEN);
    memcpy(text + 12 + LEN, "\"\n", 3);
    assert_refused(text, ":2: control: the value is too long; up to 1023 octets");
    memset(text, 'y', LEN);
    text[LEN] = '\0';
    assert_non_null(strstr(refusal(text), ":1: unknown directive \"yyy"));
}

/* Puts any octet, or another one of the text's own, somewhere. */
static void change_octet(char *text, size_t len, const char *source)
{
    const char any = (char)(random() % 256 - 128);
    const char own = source[(size_t)random() % len];

    char *at = &text[(size_t)random() % len];

    *at = own;
    if (random() % 2 == 0)
        *at = any;
}

static void any_octets_are_read_or_refused_in_one_line(void **state)
{
    static const char seeds[] = "policy \"a\" { match { client = { \"192.0.2.0/24\", '::1' } } "
                                "verify = none } # x\n/* y */ callout { port = 25 } \\ ${HOME} += ";
    unsigned seed = (unsigned)time(NULL);
    char text[sizeof(seeds)], error[CONFIG_ERROR_SIZE];

    (void)state;
    print_message("seed %u\n", seed);
    srandom(seed);
    for (int i = 0; i < 3000; i++) {
        struct config *config = NULL;
        enum rb_error result;

        memcpy(text, seeds, sizeof(seeds));
        for (long edits = random() % 4 + 1; edits > 0; edits--)
            change_octet(text, sizeof(text) - 1, seeds);
        write_octets(path, text, (size_t)random() % sizeof(text));
        result = config_load(path, &config, error, sizeof(error));
        assert_true((result == RB_OK) == (error[0] == '\0'));
        assert_true((result == RB_OK) == (config != NULL));
        assert_one_line(error);
        config_put(config);
    }
}

/* --- List files --- */

static void list_file_holds_an_entry_a_line(void **state)
{
    char text[256];
    struct config *config;

    (void)state;
    write_text(list_path,
               "# partners\n\n  example.org  # the first\r\n.example.net\nuser@b.example");
    snprintf(text, sizeof(text), "policy \"p\" { match { sender = { \"file:%s\", \"x@\" } } }",
             list_path);
    config = load(text);
    assert_int_equal(config->policies[0].sender.count, 4);
    assert_int_equal(config->policies[0].sender.text.count, 2);
    assert_true(pattern_list_has_address(&config->policies[0].sender, "a@example.org"));
    assert_true(pattern_list_has_address(&config->policies[0].sender, "a@b.example.net"));
    assert_true(pattern_list_has_address(&config->policies[0].sender, "user@b.example"));
    assert_true(pattern_list_has_address(&config->policies[0].sender, "x@c.example"));
    assert_false(pattern_list_has_address(&config->policies[0].sender, "a@c.example"));
    config_put(config);
}

static void empty_list_file_matches_nobody(void **state)
{
    const struct transaction transaction = {.sender = "a@example.org",
                                            .recipient = "b@example.net"};
    char text[256];
    struct config *config;

    (void)state;
    write_text(list_path, "# nobody\n");
    snprintf(text, sizeof(text),
             "policy \"p\" { match { sender = { \"file:%s\" } } }\n"
             "policy \"q\" { match { client = { \"file:%s\" } } }\n",
             list_path, list_path);
    config = load(text);
    assert_string_equal(config_policy(config, &transaction)->name, "default");
    config_put(config);
}

static void fault_in_a_list_file_names_that_file(void **state)
{
    struct config *config = NULL;
    char error[CONFIG_ERROR_SIZE], text[256], expected[256];

    (void)state;
    write_text(list_path, "example.org\n\nnot a domain\n");
    snprintf(text, sizeof(text), "\npolicy \"p\" { match { sender = { \"file:%s\" } } }",
             list_path);
    write_text(path, text);
    assert_int_equal(config_load(path, &config, error, sizeof(error)), RB_ERR_ARGUMENT);
    snprintf(expected, sizeof(expected),
             "%s:3: policy \"p\": match.sender: \"not a domain\" is no pattern", list_path);
    assert_int_equal(strncmp(error, expected, strlen(expected)), 0);
}

static void missing_list_file_names_the_directive(void **state)
{
    struct config *config = NULL;
    char error[CONFIG_ERROR_SIZE];

    (void)state;
    write_text(path, "\ntrusted_networks = { \"file:/nonexistent/list\" }");
    assert_int_equal(config_load(path, &config, error, sizeof(error)), RB_ERR_SYSTEM);
    assert_string_equal(error + strlen(path), ":2: trusted_networks: /nonexistent/list: cannot be "
                                              "read: No such file or directory");
    assert_refused("trusted_networks = { \"file:list\" }",
                   ":1: trusted_networks: \"list\" is no path from /");
}

/* --- Warnings --- */

static void what_is_never_asked_warns(void **state)
{
    static const struct refused cases[] = {
        {"relay \"a.example\" {\n to = { b }\n}", ":1: relay \"a.example\": is never asked: no "
                                                  "policy has verify = \"recipient\" or \"both\""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_warning(cases[i].text, cases[i].message);
}

#define VOUCHED_FOR "match { client = { 192.0.2.1 } } vouched = yes"

static void http_beyond_this_host_takes_networks_and_a_password(void **state)
{
    (void)state;
    assert_refused(
        "http = \"0.0.0.0:8895\"",
        ":1: http: \"0.0.0.0:8895\" can be reached from other hosts; "
        "\"127.0.0.1:8895\", \"unix:/PATH\", or http_allow and http_password_file beside "
        "it, would be right");
    assert_refused(
        "http = \"[2001:db8::1]:8895\" http_password_file = /x",
        ":1: http: \"[2001:db8::1]:8895\" can be reached from other hosts; "
        "\"127.0.0.1:8895\", \"unix:/PATH\", or http_allow and http_password_file beside "
        "it, would be right");
    assert_refused("\nhttp_allow = { 192.0.2.0/24 }",
                   ":2: http_allow: \"192.0.2.0/24\" needs a password; http_password_file = "
                   "\"/PATH\" beside it, or no http_allow, would be right");
}

static void settings_that_change_nothing_do_not_warn(void **state)
{
    static const char *const texts[] = {
        "http = \"\"",
        "decide_at = rcpt",
        "greylist { retry = no first = 360s max = 6h give_up = 24h }",
        "limits { per_domain_rate = 61/m per_client_rate = 1/s global_rate = 2000/h }",
        "spf { gate = no }",
        "spf { gate = yes }",
        "spf { gate = no }\npolicy \"p\" { on_spf_fail = accept on_spf_softfail = accept "
        "on_not_vouched = accept vouched = no }",
        "spf { gate = fail }\npolicy \"p\" { on_spf_fail = reject " VOUCHED_FOR " }",
        "policy \"p\" { on_spf_fail = reject on_spf_softfail = tag " VOUCHED_FOR " }",
        "spf { gate = vouched }\npolicy \"p\" { on_spf_fail = tag on_spf_softfail = tag "
        "on_not_vouched = tag " VOUCHED_FOR " }",
        "policy \"p\" { verify = sender on_spf_fail = reject }",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++)
        assert_no_warning(texts[i]);
}

static void relays_that_are_asked_do_not_warn(void **state)
{
    static const char *const texts[] = {
        "policy \"p\" { verify = recipient }\nrelay \"*\" { to = { a } }",
        "policy \"p\" { verify = both }\nrelay \"*\" { to = { a } }",
        "relay \"*\" { to = { a } }\npolicy \"p\" { match { helo = { x } } verify = recipient }",
        "policy \"p\" { verify = recipient }",
        "decide_at = data",
        "decide_at = eom",
        "limits { per_client_bad_rcpt = 10/m }",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++)
        assert_no_warning(texts[i]);
    assert_warning(
        "policy \"p\" { verify = none }\nrelay \".example\" { to = { a } }",
        ":2: relay \".example\": is never asked: no policy has verify = \"recipient\" or \"both\"");
}

static void other_settings_without_effect_warn(void **state)
{
    (void)state;
    assert_warning("policy \"a\" { }\npolicy \"b\" { match { helo = { x } } }",
                   ":2: policy \"b\" is never reached: policy \"a\" before it matches everything");
    assert_warning("cache { valid_ttl = 1d }",
                   ":1: cache.valid_refresh is not shorter than cache.valid_ttl: nothing is "
                   "refreshed before it expires");
    assert_warning("max_wait = 30s",
                   ":1: max_wait: the MTA gives a filter up before that, unless told to wait "
                   "longer (Postfix after 30s, Sendmail after 10s)");
    assert_warning("\ntrusted_authserv_ids = { mx.example.org }",
                   ":2: trusted_authserv_ids: they vouch for no envelope sender: decide_at is not "
                   "\"eom\"");
    assert_no_warning("trusted_authserv_ids = { mx.example.org } decide_at = eom");
    assert_warning("hostname = mx", ":1: hostname: the name \"mx\" is not fully qualified: mail "
                                    "hosts may refuse it; one such as \"mx.example.org\" would be "
                                    "right");
}

static void what_the_gate_never_says_is_warned_of(void **state)
{
    static const struct refused cases[] = {
        {"spf { gate = no }\npolicy \"p\" {\n on_spf_fail = reject\n}",
         ":3: policy \"p\": on_spf_fail: has no effect: spf.gate is \"no\"; \"fail\" would give it "
         "one"},
        {"policy \"p\" { on_spf_softfail = tag }\nspf { gate = fail }",
         ":1: policy \"p\": on_spf_softfail: has no effect: spf.gate is \"fail\"; \"softfail\" "
         "would give it one"},
        {"policy \"a\" { match { helo = { x } } }\npolicy \"b\" { on_not_vouched = reject }",
         ":2: policy \"b\": on_not_vouched: has no effect: spf.gate is \"softfail\"; \"vouched\" "
         "would give it one"},
        {"spf { gate = no }\npolicy \"p\" { vouched = yes }",
         ":2: policy \"p\": vouched: has no effect: spf.gate is \"no\"; \"fail\" would give it "
         "one"},
        {"decide_at = eom\ntrusted_authserv_ids = { mx.example.org }\nspf { gate = no }",
         ":2: trusted_authserv_ids: has no effect: spf.gate is \"no\"; \"fail\" would give it "
         "one"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_warning(cases[i].text, cases[i].message);
}

static void who_answers_is_a_list_of_users_that_there_are(void **state)
{
    struct config *config = load("connect_back { answer = yes answer_users = { root, 4242, "
                                 "nobody-is-called-so, \"0\" } }");

    (void)state;
    assert_int_equal(config->connect_back.answer_uid_count, 3);
    assert_int_equal(config->connect_back.answer_uids[0], 0);
    assert_int_equal(config->connect_back.answer_uids[1], 4242);
    assert_int_equal(config->connect_back.answer_uids[2], 0);
    config_put(config);
    assert_warning("connect_back {\n answer_users = { root, nobody-is-called-so } }",
                   ":2: connect_back.answer_users: there is no user \"nobody-is-called-so\"");
    assert_warning(
        "connect_back { answer = yes answer_users = { } }",
        ":1: connect_back.answer: there is none of answer_users: \"unknown\" is all that "
        "others are told");
    assert_no_warning("connect_back { answer = yes answer_users = { postfix, smmsp, root } }");
    assert_no_warning("connect_back { answer_users = { } }");
}

static void hosts_of_ours_are_names_and_addresses(void **state)
{
    struct config *config =
        load("connect_back { target = \"mx helo\" peers = { out2.example.org, 192.0.2.1, "
             "\"2001:db8::1\" } public_address = { 198.51.100.1, \"2001:db8::2\" } }");

    (void)state;
    assert_int_equal(config->connect_back.target, TARGET_MX_HELO);
    assert_int_equal(config->connect_back.peers.count, 3);
    assert_string_equal(config->connect_back.peers.items[2], "2001:db8::1");
    assert_int_equal(config->connect_back.public_address.count, 2);
    config_put(config);
}

static void what_is_done_about_no_header_senders_is_warned_of(void **state)
{
    (void)state;
    assert_warning("policy \"p\" {\n on_header_invalid = reject\n}",
                   ":2: policy \"p\": on_header_invalid: has no effect: verify_headers is empty; "
                   "{ \"from\", \"reply-to\" } would give it one");
    assert_no_warning("policy \"p\" { on_header_invalid = reject verify_headers = { from } }");
    assert_no_warning("policy \"p\" { on_header_invalid = tag }");
}

static void to_vouch_for_strangers_is_warned_of(void **state)
{
    (void)state;
    assert_warning("policy \"p\" {\n match { helo = { mx.example.org } }\n vouched = yes\n}",
                   ":3: policy \"p\": vouched: opens the gate for strangers: match { client } is "
                   "empty; the addresses of known forwarders would be right");
    assert_no_warning("policy \"p\" { match { client = { 192.0.2.1 } } vouched = yes }");
    assert_no_warning("policy \"p\" { vouched = no }");
}

/* "yes" and "no" were all there was to say of it. */
static void the_gate_has_positions_and_yes_is_the_standard_one(void **state)
{
    static const struct {
        const char *value;
        enum rb_gate gate;
        const char *printed;
    } cases[] = {
        {"yes", RB_GATE_SOFTFAIL, "gate = \"softfail\"\n"},
        {"on", RB_GATE_SOFTFAIL, "gate = \"softfail\"\n"},
        {"\"true\"", RB_GATE_SOFTFAIL, "gate = \"softfail\"\n"},
        {"no", RB_GATE_NO, "gate = no\n"},
        {"\"off\"", RB_GATE_NO, "gate = no\n"},
        {"false", RB_GATE_NO, "gate = no\n"},
        {"fail", RB_GATE_FAIL, "gate = \"fail\"\n"},
        {"\"Fail\"", RB_GATE_FAIL, "gate = \"fail\"\n"},
        {"\"softfail\"", RB_GATE_SOFTFAIL, "gate = \"softfail\"\n"},
        {"\"vouched\"", RB_GATE_VOUCHED, "gate = \"vouched\"\n"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        static char printed[65536];
        char text[64];
        struct config *config;
        struct rb_options options;

        snprintf(text, sizeof(text), "spf { gate = %s }", cases[i].value);
        config = load(text);
        assert_int_equal(config->spf.gate, cases[i].gate);
        config_options(config, &options);
        assert_int_equal(options.spf_gate, cases[i].gate);
        print_to(config, printed, sizeof(printed));
        assert_non_null(strstr(printed, cases[i].printed));
        config_put(config);
    }
}

static void mode_and_group_without_a_unix_socket_are_warned_of(void **state)
{
    (void)state;
    assert_warning("listen_mode = \"0600\"",
                   ":1: listen_mode: has no effect: listen names no unix socket");
    assert_warning("listen = \"systemd\"\nlisten_group = postfix",
                   ":2: listen_group: has no effect: listen names no unix socket");
    assert_no_warning("listen_mode = \"660\" listen_group = \"\"");
    assert_no_warning("listen = \"unix:/x\" listen_mode = \"0666\" listen_group = postfix");
    assert_no_warning("listen = \"local:/x\" listen_mode = \"0600\"");
}

/* --- What others ask --- */

static void options_are_those_of_the_file(void **state)
{
    struct config *config = load(
        "resolvers = { \"127.0.0.1:5353\" }\n"
        "callout { mail_from = \"v@example.org\" port = 2525 bind = { \"192.0.2.9\" }\n"
        " ip_version = \"4\" tls = never connect_timeout = 1s command_timeout = 2s\n"
        " total_timeout = 3s idle_timeout = 4s max_workers = 4 max_held = 0 max_pending = 5 "
        "catch_all_check = no\n"
        " data_check = yes smtputf8 = no max_hosts = 7 allowed_networks = { \"10.0.0.0/8\" } }\n"
        "cache { store = \"lmdb:/x\" valid_ttl = 20s valid_refresh = 9s invalid_ttl = 18s\n"
        " invalid_refresh = 11s unknown_ttl = 12s domain_ttl = 13s max_size = 2MB }\n"
        "limits { per_domain_sessions = 14 breaker_failures = 15 breaker_hold = 16s }");
    struct rb_options options;

    (void)state;
    config_options(config, &options);
    assert_string_equal(options.helo_name, "mx.example.org");
    assert_string_equal(options.mail_from, "v@example.org");
    assert_string_equal(options.fallback_mail_from, "postmaster@mx.example.org");
    assert_int_equal(options.port, 2525);
    assert_int_equal(options.bind_count, 1);
    assert_string_equal(options.bind[0], "192.0.2.9");
    assert_int_equal(options.resolver_count, 1);
    assert_string_equal(options.resolvers[0], "127.0.0.1:5353");
    assert_int_equal(options.ip_version, RB_IP_V4);
    assert_int_equal(options.allowed_count, 1);
    assert_false(options.tls || options.catch_all_check || options.smtputf8);
    assert_true(options.data_check);
    assert_int_equal(options.connect_timeout_ms, 1000);
    assert_int_equal(options.command_timeout_ms, 2000);
    assert_int_equal(options.total_timeout_ms, 3000);
    assert_int_equal(options.max_hosts, 7);
    assert_int_equal(options.max_workers, 4);
    assert_int_equal(options.idle_timeout_ms, 4000);
    assert_int_equal(options.max_held, 0);
    assert_int_equal(options.max_pending, 5);
    assert_int_equal(options.per_domain_sessions, 14);
    assert_int_equal(options.breaker_failures, 15);
    assert_int_equal(options.breaker_hold_s, 16);
    assert_string_equal(options.store, "lmdb:/x");
    assert_int_equal(options.store_max_bytes, 2 << 20);
    assert_int_equal(options.lifetimes.valid_ttl_s, 20);
    assert_int_equal(options.lifetimes.valid_refresh_s, 9);
    assert_int_equal(options.lifetimes.invalid_ttl_s, 18);
    assert_int_equal(options.lifetimes.invalid_refresh_s, 11);
    assert_int_equal(options.lifetimes.unknown_ttl_s, 12);
    assert_int_equal(options.lifetimes.domain_ttl_s, 13);
    config_put(config);
}

static void default_options_are_the_librarys_own(void **state)
{
    struct config *config = load("");
    struct rb_options ours, theirs;

    (void)state;
    config_options(config, &ours);
    rb_options_init(&theirs);
    assert_int_equal(ours.port, theirs.port);
    assert_int_equal(ours.connect_timeout_ms, theirs.connect_timeout_ms);
    assert_int_equal(ours.command_timeout_ms, theirs.command_timeout_ms);
    assert_int_equal(ours.total_timeout_ms, theirs.total_timeout_ms);
    assert_int_equal(ours.max_hosts, theirs.max_hosts);
    assert_int_equal(ours.max_workers, theirs.max_workers);
    assert_int_equal(ours.idle_timeout_ms, theirs.idle_timeout_ms);
    assert_int_equal(ours.max_held, theirs.max_held);
    assert_int_equal(ours.max_pending, theirs.max_pending);
    assert_int_equal(ours.per_domain_sessions, theirs.per_domain_sessions);
    assert_int_equal(ours.breaker_failures, theirs.breaker_failures);
    assert_int_equal(ours.breaker_hold_s, theirs.breaker_hold_s);
    assert_int_equal(ours.store_max_bytes, theirs.store_max_bytes);
    assert_memory_equal(&ours.lifetimes, &theirs.lifetimes, sizeof(ours.lifetimes));
    assert_true(ours.tls == theirs.tls && ours.smtputf8 == theirs.smtputf8);
    config_put(config);
}

static void changes_that_need_a_start_are_named(void **state)
{
    struct config *running = load("");
    struct config *loaded = load("listen = \"inet:1\" max_wait = 1s cache { store = \"\" }");
    char name[64];
    size_t next = 0;

    (void)state;
    assert_true(config_fixed_difference(running, loaded, &next, name, sizeof(name)));
    assert_string_equal(name, "listen");
    assert_true(config_fixed_difference(running, loaded, &next, name, sizeof(name)));
    assert_string_equal(name, "cache.store");
    assert_false(config_fixed_difference(running, loaded, &next, name, sizeof(name)));
    config_put(running);
    config_put(loaded);
}

static void configuration_lives_until_the_last_reference(void **state)
{
    struct config *config = load("max_wait = 1s");
    struct config *other = config_get(config);

    (void)state;
    config_put(config);
    assert_int_equal(other->max_wait_ms, 1000);
    config_put(other);
    config_put(NULL);
}

/* --- Printing --- */

/* Prints, reads, prints again; returns the first text, which is the caller's. */
static char *assert_fixed_point(struct config *config)
{
    enum { SIZE = 65536 };
    char *one = calloc(1, SIZE), *other = calloc(1, SIZE);
    char error[CONFIG_ERROR_SIZE];

    assert_non_null(one);
    assert_non_null(other);
    print_to(config, one, SIZE);
    config_put(config);
    write_text(path, one);
    if (config_load(path, &config, error, sizeof(error)) != RB_OK)
        fail_msg("what was printed is refused: %s", error);
    print_to(config, other, SIZE);
    assert_string_equal(one, other);
    config_put(config);
    free(other);
    return one;
}

static void printed_defaults_read_back_as_the_same(void **state)
{
    struct config *config = NULL;
    char *text;

    (void)state;
    assert_int_equal(config_defaults(&config), RB_OK);
    text = assert_fixed_point(config);
    assert_non_null(strstr(text, "listen = \"inet:8894@127.0.0.1\"\n"));
    assert_non_null(strstr(text, "trusted_networks = { \"127.0.0.0/8\", \"::1\" }\n"));
    assert_non_null(strstr(text, "    valid_ttl = \"31d\"\n"));
    assert_non_null(strstr(text, "policy \"default\" {\n"));
    free(text);
}

static void printed_configuration_reads_back_as_the_same(void **state)
{
    char text[2048];
    char *printed;

    (void)state;
    write_text(list_path, "192.0.2.0/24\n");
    snprintf(text, sizeof(text),
             "control = \"/run/a \\\"b\\\" \\\\ \\$c\" trusted_networks = { } max_wait = 90s\n"
             "connect_back { target = \"helo mx\" answer_users = { \"99\" } peers = { out2 } }\n"
             "trusted_authserv_ids = { \"mx.example.org\", a } decide_at = eom\n"
             "resolvers = { \"::1\" } callout { bind = { \"192.0.2.1\", \"2001:db8::1\" } }\n"
             "cache { max_size = 1536MB unknown_ttl = 61s }\n"
             "policy \"a\" { match { client = { \"file:%s\", \"2001:db8::/32\" }\n"
             " sender = { \"\\\"a b\\\"@Example.org\", \".example.net\", \"x@\", \"<>\" }\n"
             " helo = { \"[192.0.2.1]\", \"*\" } authenticated = yes } verify = both\n"
             " on_greylisted = tempfail verify_headers = { sender, \"From\" }\n"
             " on_header_invalid = quarantine }\n"
             "policy \"b\" { on_unknown = tag }\n"
             "relay \"r.example\" { to = { \"m.r.example\" } }",
             list_path);
    printed = assert_fixed_point(load(text));
    assert_non_null(strstr(printed, "control = \"/run/a \\\"b\\\" \\\\ \\$c\"\n"));
    assert_non_null(strstr(printed, "max_size = \"1536MB\"\n"));
    assert_non_null(strstr(printed, "on_greylisted = \"tempfail\"\n"));
    assert_non_null(strstr(printed, "trusted_authserv_ids = { \"mx.example.org\", \"a\" }\n"));
    assert_non_null(strstr(printed, "verify_headers = { \"from\", \"sender\" }\n"));
    assert_non_null(strstr(printed, "verify_headers = { }\n"));
    assert_non_null(strstr(printed, "on_header_invalid = \"quarantine\"\n"));
    assert_null(strstr(printed, "policy \"default\""));
    free(printed);
}

static void sample_is_valid_without_warnings(void **state)
{
    const char *source = getenv("RB_SRCDIR");
    char sample[512], error[CONFIG_ERROR_SIZE];
    struct config *config = NULL;

    (void)state;
    snprintf(sample, sizeof(sample), "%s/milter/man/ringback.conf.sample",
             source == NULL ? "." : source);
    if (config_load(sample, &config, error, sizeof(error)) != RB_OK)
        fail_msg("%s", error);
    assert_true(config->dry_run);
    for (size_t i = 0; config_warnings(config, i) != NULL; i++)
        assert_non_null(strstr(config_warnings(config, i), "hostname: this machine's name"));
    config_put(config);
}

/* All values of the sample, but for dry_run, are the defaults; and every directive is in it. */
static void sample_shows_every_directive_with_its_default(void **state)
{
    const char *source = getenv("RB_SRCDIR");
    char sample[512], one[8192] = "", other[8192] = "", error[CONFIG_ERROR_SIZE];
    struct config *config = NULL;
    FILE *stream;
    char *text = calloc(1, 65536);

    (void)state;
    assert_non_null(text);
    snprintf(sample, sizeof(sample), "%s/milter/man/ringback.conf.sample",
             source == NULL ? "." : source);
    assert_int_equal(config_load(sample, &config, error, sizeof(error)), RB_OK);
    config->dry_run = false;
    print_to(config, one, sizeof(one));
    config_put(config);
    assert_int_equal(config_defaults(&config), RB_OK);
    print_to(config, other, sizeof(other));
    config_put(config);
    assert_string_equal(one, other);
    stream = fopen(sample, "r");
    assert_non_null(stream);
    assert_true(fread(text, 1, 65535, stream) > 0);
    fclose(stream);
    for (size_t i = 0; i < main_table.count; i++) {
        char wanted[64];

        snprintf(wanted, sizeof(wanted), "%s = ", main_table.directives[i].name);
        if (strstr(text, wanted) == NULL)
            fail_msg("the sample lacks %s", main_table.directives[i].name);
    }
    free(text);
}

/* --- Parts --- */

/* Stand in for the C library's: this machine's name has no domain, and who would know it is asked
 * in vain. */
static const char *machine = NULL;
static unsigned resolver_asked;

int gethostname(char *name, size_t size)
{
    if (machine == NULL) {
        struct utsname system;

        if (uname(&system) != 0)
            return -1;
        snprintf(name, size, "%s", system.nodename);
        return 0;
    }
    snprintf(name, size, "%s", machine);
    return 0;
}

int getaddrinfo(const char *restrict node, const char *restrict service,
                const struct addrinfo *restrict hints, struct addrinfo **restrict found)
{
    (void)node;
    (void)service;
    (void)hints;
    (void)found;
    resolver_asked++;
    return EAI_AGAIN;
}

static struct config *load_part(const char *text, enum config_scope scope)
{
    struct config *config = NULL;
    char error[CONFIG_ERROR_SIZE];

    write_text(path, text);
    if (config_load_scope(path, scope, &config, error, sizeof(error)) != RB_OK)
        fail_msg("refused: %s: %s", text, error);
    return config;
}

static void only_who_verifies_asks_the_resolver(void **state)
{
    struct config *config;

    (void)state;
    machine = "box";
    for (enum config_scope scope = CONFIG_WHOLE; scope <= CONFIG_CONTROL; scope++) {
        bool asks = scope == CONFIG_WHOLE || scope == CONFIG_CALLOUTS;

        resolver_asked = 0;
        config = load_part("dry_run = yes", scope);
        assert_int_equal(resolver_asked, asks ? 1 : 0);
        assert_string_equal(config->hostname, asks ? "box" : "");
        assert_string_equal(config->callout.fallback_mail_from,
                            asks ? "postmaster@box" : "postmaster@HOSTNAME");
        config_put(config);
    }
    machine = "box.example.org";
    config = load_part("", CONFIG_TO_PRINT);
    assert_string_equal(config->hostname, "box.example.org");
    config_put(config);
    resolver_asked = 0;
    machine = "box"; /* what is wrong is told without waiting for it */
    write_text(path, "policy \"x\" { on_invalid = maybe }");
    config = NULL;
    assert_int_equal(config_load(path, &config, NULL, 0), RB_ERR_ARGUMENT);
    assert_int_equal(resolver_asked, 0);
    machine = NULL;
}

/* One fault each; what is right stands at the mark. */
static const char *const broken[] = {
    "@", /* none */
    "nonsense = yes\n@",
    "nonsense\n@",
    "@ nonsense = yes",
    "@\nnonsense yes\n",
    "dry_run = maybe\n@",
    "dry_run yes\n@",
    "dry_run =\n@",
    "dry_run = yes;\n@",
    "authserv_id = \"without an end\n@",
    "authserv_id = 'without an end\n@",
    "@\nauthserv_id = \"without an end",
    "@ /* without an end",
    "policy \"x\" { on_invalid = reject\n@",
    "policy \"x\" {\n match {\n@",
    "@ policy \"x\" {\n match {",
    "policy { }\n@",
    "policy \"x\" { } }\n@",
    "policy \"x\" { match { sender = { \"file:/nowhere\" } } }\n@",
    "trusted_networks = { \"10.0.0.0/8\"\n@",
    "trusted_networks = { 10.0.0.0/8 192.168.0.0/16 }\n@",
    "trusted_networks = { \"file:/nowhere\" }\n@",
    "relay \"example.org\" { }\n@",
    "@ relay \"example.org\" { to = { }",
    "max_wait = \"${\"\n@",
    "# control = \"/wrong\" cache { store = \"lmdb:/wrong\" }\n|\n@",
    "authserv_id = 'control = /wrong cache { store = \"lmdb:/wrong\" }'\n|\n@",
    "/* control = /wrong */ // cache { store = \"lmdb:/wrong\" }\n|\n@",
    "policy control { }\nrelay cache { } |\n@",
};

static void put_in(char *text, size_t size, const char *frame, const char *right)
{
    int before = (int)strcspn(frame, "@");

    snprintf(text, size, "%.*s%s%s", before, frame, right, frame + before + 1);
}

static void what_a_verb_needs_is_read_however_wrong_the_rest(void **state)
{
    char text[1024];

    (void)state;
    for (size_t i = 0; i < COUNT(broken); i++) {
        struct config *config;

        put_in(text, sizeof(text), broken[i], "control = \"/run/here\"");
        config = load_part(text, CONFIG_CONTROL);
        assert_string_equal(config->control, "/run/here");
        config_put(config);
        put_in(text, sizeof(text), broken[i],
               "cache\n{ store = \"lmdb:/here\" # } \n valid_ttl = '1d' }");
        config = load_part(text, CONFIG_CACHE);
        assert_string_equal(config->cache.store, "lmdb:/here");
        assert_int_equal(config->cache.valid_ttl_s, 86400);
        assert_false(config->dry_run);
        config_put(config);
        put_in(text, sizeof(text), broken[i],
               "hostname = mx.example.org callout { port = 2525 } resolvers = { \"192.0.2.53\" }"
               " limits { breaker_failures = 9 }");
        config = load_part(text, CONFIG_CALLOUTS);
        assert_string_equal(config->hostname, "mx.example.org");
        assert_int_equal(config->callout.port, 2525);
        assert_int_equal(config->resolvers.count, 1);
        assert_int_equal(config->limits.breaker_failures, 9);
        assert_int_equal(config->policy_count, 0);
        config_put(config);
    }
}

static void what_a_verb_needs_must_be_right(void **state)
{
    static const struct {
        enum config_scope scope;
        const char *text, *words;
    } files[] = {
        {CONFIG_CONTROL, "\ncontrol = relative", ":2: control: "},
        {CONFIG_CONTROL, "control =", ":2: "},
        {CONFIG_CONTROL, "\n\ncontrol = \"/run/x", ":3: this string has no closing quote"},
        {CONFIG_CACHE, "dry_run = yes\ncache { stoer = x }", ":2: unknown directive \"stoer\""},
        {CONFIG_CACHE, "cache {\n store = \"lmdb:/x\"\n", ":1: the brace opened here"},
        {CONFIG_CACHE, "\ncache { max_size = much }", ":2: cache.max_size: "},
        {CONFIG_CALLOUTS, "callout { bind = { \"x\" } }", ":1: callout.bind: "},
        {CONFIG_CALLOUTS, "limits { per_domain_rate = 1/h\n", ":1: the brace"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(files); i++) {
        struct config *config = NULL;
        char error[CONFIG_ERROR_SIZE];

        write_text(path, files[i].text);
        assert_int_equal(config_load_scope(path, files[i].scope, &config, error, sizeof(error)),
                         RB_ERR_ARGUMENT);
        assert_null(config);
        if (strstr(error, files[i].words) == NULL)
            fail_msg("\"%s\" is not in: %s", files[i].words, error);
    }
}

/* Else a directive of a policy's could be taken for one of these. */
static void names_of_parts_are_nothing_elses(void **state)
{
    const struct table *const tables[] = {&main_table, &policy_table, &relay_table};

    (void)state;
    for (enum config_scope scope = CONFIG_CALLOUTS; scope <= CONFIG_CONTROL; scope++)
        for (const char *const *name = config_scope_names(scope); *name != NULL; name++)
            for (size_t t = 0; t < COUNT(tables); t++)
                for (size_t i = 0; i < tables[t]->count; i++) {
                    const struct directive *directive = &tables[t]->directives[i];
                    size_t len = strlen(*name) - 1;

                    if (strncmp(directive->name, *name, len) == 0 && directive->name[len] == '\0')
                        assert_true(t == 0 && directive->section[0] == '\0');
                }
}

/* --- Threads --- */

static void *load_often(void *arg)
{
    for (int i = 0; i < 50; i++) {
        struct config *config = NULL;
        char error[CONFIG_ERROR_SIZE];
        bool fine = config_load(arg, &config, error, sizeof(error)) == RB_OK;

        if (fine != (config != NULL) || (fine && strcmp(config->control, "/run/x") != 0))
            return arg;
        config_put(config);
    }
    return NULL;
}

static void files_may_be_read_by_several_threads(void **state)
{
    pthread_t threads[4];
    void *failed;

    (void)state;
    write_text(path, "hostname = mx.example.org control = \"/run/x\"");
    write_text(list_path, "hostname = mx.example.org nonsense");
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, load_often, i % 2 == 0 ? path : list_path), 0);
    for (size_t i = 0; i < COUNT(threads); i++) {
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mode_and_group_without_a_unix_socket_are_warned_of),
        cmocka_unit_test(defaults_are_those_of_the_manual),
        cmocka_unit_test(empty_file_is_the_defaults),
        cmocka_unit_test(machine_gives_the_host_name_where_none_is_set),
        cmocka_unit_test(every_kind_of_directive_is_read),
        cmocka_unit_test(header_fields_to_verify_are_a_set),
        cmocka_unit_test(list_may_be_emptied),
        cmocka_unit_test(last_of_two_equal_directives_counts),
        cmocka_unit_test(comments_may_stand_anywhere),
        cmocka_unit_test(environment_is_put_into_double_quotes),
        cmocka_unit_test(host_name_goes_into_the_fallback_sender),
        cmocka_unit_test(policies_keep_the_order_of_the_file),
        cmocka_unit_test(relays_are_kept),
        cmocka_unit_test(a_relays_targets_are_joined_as_the_library_takes_them),
        cmocka_unit_test(the_nearest_relay_counts),
        cmocka_unit_test(without_one_that_fits_there_is_no_relay),
        cmocka_unit_test(values_out_of_range_are_refused_with_the_range),
        cmocka_unit_test(malformed_values_are_refused_with_what_would_be_right),
        cmocka_unit_test(unknown_directives_are_named_with_the_nearest),
        cmocka_unit_test(broken_form_is_refused_where_it_breaks),
        cmocka_unit_test(lines_are_counted_past_comments_and_lists),
        cmocka_unit_test(wrong_policies_and_relays_are_refused),
        cmocka_unit_test(refusal_leaves_the_reader_fit_for_the_next_file),
        cmocka_unit_test(error_is_cut_to_the_callers_room),
        cmocka_unit_test(missing_file_is_one_line),
        cmocka_unit_test(folder_is_one_line),
        cmocka_unit_test(device_is_one_line),
        cmocka_unit_test(unreadable_file_is_one_line),
        cmocka_unit_test(pipe_does_not_hang),
        cmocka_unit_test(nul_octet_is_refused_with_its_line),
        cmocka_unit_test(huge_file_is_refused),
        cmocka_unit_test(huge_value_is_refused),
        cmocka_unit_test(any_octets_are_read_or_refused_in_one_line),
        cmocka_unit_test(list_file_holds_an_entry_a_line),
        cmocka_unit_test(empty_list_file_matches_nobody),
        cmocka_unit_test(fault_in_a_list_file_names_that_file),
        cmocka_unit_test(missing_list_file_names_the_directive),
        cmocka_unit_test(http_beyond_this_host_takes_networks_and_a_password),
        cmocka_unit_test(what_is_never_asked_warns),
        cmocka_unit_test(settings_that_change_nothing_do_not_warn),
        cmocka_unit_test(relays_that_are_asked_do_not_warn),
        cmocka_unit_test(other_settings_without_effect_warn),
        cmocka_unit_test(what_the_gate_never_says_is_warned_of),
        cmocka_unit_test(who_answers_is_a_list_of_users_that_there_are),
        cmocka_unit_test(hosts_of_ours_are_names_and_addresses),
        cmocka_unit_test(to_vouch_for_strangers_is_warned_of),
        cmocka_unit_test(what_is_done_about_no_header_senders_is_warned_of),
        cmocka_unit_test(the_gate_has_positions_and_yes_is_the_standard_one),
        cmocka_unit_test(options_are_those_of_the_file),
        cmocka_unit_test(default_options_are_the_librarys_own),
        cmocka_unit_test(changes_that_need_a_start_are_named),
        cmocka_unit_test(configuration_lives_until_the_last_reference),
        cmocka_unit_test(printed_defaults_read_back_as_the_same),
        cmocka_unit_test(printed_configuration_reads_back_as_the_same),
        cmocka_unit_test(sample_is_valid_without_warnings),
        cmocka_unit_test(sample_shows_every_directive_with_its_default),
        cmocka_unit_test(only_who_verifies_asks_the_resolver),
        cmocka_unit_test(what_a_verb_needs_is_read_however_wrong_the_rest),
        cmocka_unit_test(what_a_verb_needs_must_be_right),
        cmocka_unit_test(names_of_parts_are_nothing_elses),
        cmocka_unit_test(files_may_be_read_by_several_threads),
    };

    return cmocka_run_group_tests_name("config", tests, make_folder, remove_folder);
}
