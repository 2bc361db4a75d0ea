/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Unit tests of options: the documented defaults, what is refused and in which words, and that the
 * copy is deep.
 */
#include "config.h"

#include "check.h"
#include "base/clock.h"
#include "fake_clock.h"
#include "options/options.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

enum { DETAIL = 200 };

static struct rb_options good(void)
{
    struct rb_options options;

    rb_options_init(&options);
    options.helo_name = "mail.example.org";
    return options;
}

static struct options *copy_of(const struct rb_options *from)
{
    struct options *to = NULL;
    char detail[DETAIL] = "left over";

    const enum rb_error error = options_copy(from, &to, detail, sizeof(detail));
    assert_string_equal(detail, "");
    assert_int_equal(error, RB_OK);
    assert_non_null(to);
    return to;
}

/* Refused, and the detail names the option and says why. */
static void assert_refused(const struct rb_options *from, const char *option, const char *why)
{
    struct options *to = (struct options *)&(char){0};
    char detail[DETAIL] = "";

    assert_int_equal(options_copy(from, &to, detail, sizeof(detail)), RB_ERR_ARGUMENT);
    assert_null(to);
    if (strncmp(detail, option, strlen(option)) != 0 || strstr(detail, why) == NULL)
        print_error("%s\n", detail);
    assert_int_equal(strncmp(detail, option, strlen(option)), 0);
    assert_int_equal(detail[strlen(option)], ':');
    assert_non_null(strstr(detail, why));
}

/* --- defaults ------------------------------------------------------------------------------------
 */

static void defaults_are_the_documented_ones(void **state)
{
    struct rb_options o;
    (void)state;
    memset(&o, 0xA5, sizeof(o));
    rb_options_init(&o);
    assert_null(o.helo_name);
    assert_string_equal(o.mail_from, "");
    assert_string_equal(o.fallback_mail_from, "");
    assert_int_equal(o.port, 25);
    assert_int_equal(o.bind_count + o.resolver_count + o.allowed_count, 0);
    assert_int_equal(o.ip_version, RB_IP_ANY);
    assert_int_equal(o.tls, RB_TLS_MAY);
    assert_true(o.catch_all_check && o.smtputf8);
    assert_false(o.data_check || o.store_owner_fix);
    assert_int_equal(o.connect_timeout_ms, 10000);
    assert_int_equal(o.command_timeout_ms, 30000);
    assert_int_equal(o.total_timeout_ms, 120000);
    assert_int_equal(o.max_hosts, 6);
    assert_int_equal(o.max_workers, 256);
    assert_int_equal(o.idle_timeout_ms, 2000);
    assert_int_equal(o.max_held, 1024);
    assert_int_equal(o.max_pending, 4096);
    assert_int_equal(o.per_domain_sessions, 2);
    assert_int_equal(o.per_host_sessions, 10);
    assert_int_equal(o.spf_gate, RB_GATE_SOFTFAIL);
    assert_int_equal(o.per_domain_rate.count, 60);
    assert_int_equal(o.per_client_rate.count, 120);
    assert_int_equal(o.global_rate.count, 2000);
    assert_int_equal(o.per_domain_rate.period_s, 60);
    assert_int_equal(o.per_client_rate.period_s, 60);
    assert_int_equal(o.global_rate.period_s, 60);
    assert_int_equal(o.shield.addresses, 20);
    assert_int_equal(o.shield.window_s, 600);
    assert_int_equal(o.shield.hold_s, 1800);
    assert_false(o.greylist.retry);
    assert_int_equal(o.greylist.first_s, 360);
    assert_int_equal(o.greylist.max_s, 21600);
    assert_int_equal(o.greylist.give_up_s, 86400);
    assert_int_equal(o.breaker_failures, 5);
    assert_int_equal(o.breaker_hold_s, 15 * 60);
    assert_null(o.store);
    assert_int_equal(o.store_max_bytes, 1073741824);
    assert_null(o.clock);
}

static void default_lifetimes_are_the_documented_ones(void **state)
{
    struct rb_options o;
    (void)state;
    rb_options_init(&o);
    assert_int_equal(o.lifetimes.valid_ttl_s, 2678400);
    assert_int_equal(o.lifetimes.valid_refresh_s, 604800);
    assert_int_equal(o.lifetimes.invalid_ttl_s, 259200);
    assert_int_equal(o.lifetimes.invalid_refresh_s, 10800);
    assert_int_equal(o.lifetimes.unknown_ttl_s, 1800);
    assert_int_equal(o.lifetimes.domain_ttl_s, 604800);
    assert_int_equal(o.lifetimes.correspondent_ttl_s, 7776000);
}

static void defaults_with_a_name_are_good(void **state)
{
    const struct rb_options from = good();
    (void)state;
    struct options *to = copy_of(&from);
    assert_string_equal(to->o.helo_name, "mail.example.org");
    assert_string_equal(to->o.mail_from, "");
    assert_string_equal(to->o.fallback_mail_from, "");
    assert_string_equal(to->o.store, "");
    assert_ptr_equal(to->o.clock, clock_system());
    assert_int_equal(to->bind_count, 0);
    assert_null(to->o.allowed_networks);
    assert_int_equal(to->o.lifetimes.valid_ttl_s, from.lifetimes.valid_ttl_s);
    options_free(to);
}

/* --- who we are ----------------------------------------------------------------------------------
 */

static void helo_name_is_a_host_name_or_a_literal(void **state)
{
    static const struct {
        const char *text, *kept;
    } rows[] = {
        {"mail.example.org", "mail.example.org"},
        {"Mail.Example.ORG.", "mail.example.org"},
        {"localhost", "localhost"},
        {"[192.0.2.1]", "[192.0.2.1]"},
        {"[ipv6:2001:DB8::1]", "[IPv6:2001:db8::1]"},
        {"b\303\274cher.example", "xn--bcher-kva.example"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct rb_options from = good();
        from.helo_name = rows[i].text;
        struct options *to = copy_of(&from);
        assert_string_equal(to->o.helo_name, rows[i].kept);
        options_free(to);
    }
}

static void helo_name_must_be_set_and_clean(void **state)
{
    static const char *const rows[] = {
        "mail example.org",
        "mail.example.org\r\nRCPT TO:<x@y>",
        "mail..example.org",
        "a@b",
        "192.0.2.1]",
        "[192.0.2]",
        "<a>",
        "a\tb",
        "-a.example",
        ".",
    };
    struct rb_options from = good();
    (void)state;
    from.helo_name = NULL;
    assert_refused(&from, "helo_name", "must be set");
    from.helo_name = "";
    assert_refused(&from, "helo_name", "must be set");
    for (size_t i = 0; i < COUNT(rows); i++) {
        from.helo_name = rows[i];
        assert_refused(&from, "helo_name", "neither a host name nor an address literal");
    }
}

static void helo_name_has_a_ceiling(void **state)
{
    char name[RB_DOMAIN_MAX + 2];
    struct rb_options from = good();
    (void)state;
    for (size_t i = 0; i < sizeof(name); i++)
        name[i] = i % 4 == 3 ? '.' : 'a';
    name[RB_DOMAIN_MAX + 1] = '\0';
    from.helo_name = name;
    assert_refused(&from, "helo_name", "longer than 255 octets");
    name[RB_DOMAIN_MAX - 12] = '\0'; /* postmaster must fit before it */
    options_free(copy_of(&from));
}

static void senders_are_kept_in_canonical_form(void **state)
{
    static const struct {
        const char *text, *kept;
    } rows[] = {
        {NULL, ""},
        {"", ""},
        {"<>", ""},
        {"postmaster@example.org", "postmaster@example.org"},
        {"<Post.Master@Example.ORG.>", "Post.Master@example.org"},
        {"\"abc\"@example.org", "abc@example.org"},
        {"\"a b\"@example.org", "\"a b\"@example.org"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct rb_options from = good();
        from.mail_from = rows[i].text;
        from.fallback_mail_from = rows[i].text;
        struct options *to = copy_of(&from);
        assert_string_equal(to->o.mail_from, rows[i].kept);
        assert_string_equal(to->o.fallback_mail_from, rows[i].kept);
        options_free(to);
    }
}

static void bad_senders_are_refused_by_name(void **state)
{
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"postmaster", "no domain"},
        {"a b@example.org", "needs quotes"},
        {"a@example.org>\r\nDATA", "control character"},
        {"j\303\266rg@example.org", "not ASCII"},
        {"a@-b", "host name"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct rb_options from = good();
        from.mail_from = rows[i].text;
        assert_refused(&from, "mail_from", rows[i].why);
        from.mail_from = "";
        from.fallback_mail_from = rows[i].text;
        assert_refused(&from, "fallback_mail_from", rows[i].why);
    }
}

static void sender_that_is_longer_than_a_path_is_refused(void **state)
{
    char sender[RB_ADDRESS_MAX + 2];
    struct rb_options from = good();
    (void)state;
    memset(sender, 'a', sizeof(sender));
    (void)snprintf(sender + RB_ADDRESS_MAX - 2, 4, "a@b");
    from.mail_from = sender;
    assert_refused(&from, "mail_from", "longer than 254 octets");
    from.mail_from = sender + 1;
    options_free(copy_of(&from));
}

/* --- numbers -------------------------------------------------------------------------------------
 */

#define NUMBER(field, option, low, high)                                                           \
    {                                                                                              \
        .offset = offsetof(struct rb_options, field),                                              \
        .size = sizeof(((struct rb_options *)0)->field), .name = (option), .min = (low),           \
        .max = (high)                                                                              \
    }

#define LIFETIME_MAX (INT64_C(100) * 366 * 24 * 3600)
#define RATE_PERIOD_MAX (366 * 86400)

static const struct number {
    size_t offset, size;
    const char *name;
    int64_t min, max;
} numbers[] = {
    NUMBER(port, "port", 1, 65535),
    NUMBER(tls, "tls", RB_TLS_NEVER, RB_TLS_MAY),
    NUMBER(connect_timeout_ms, "connect_timeout", 1, 86400000),
    NUMBER(command_timeout_ms, "command_timeout", 1, 86400000),
    NUMBER(total_timeout_ms, "total_timeout", 1, 86400000),
    NUMBER(max_hosts, "max_hosts", 1, 32),
    NUMBER(max_workers, "max_workers", 1, 4096),
    NUMBER(idle_timeout_ms, "idle_timeout", 0, 60000),
    NUMBER(max_held, "max_held", 0, 16384),
    NUMBER(max_pending, "max_pending", 1, 1000000),
    NUMBER(per_domain_sessions, "per_domain_sessions", 1, 1000),
    NUMBER(per_host_sessions, "per_host_sessions", 1, 1000),
    NUMBER(per_domain_rate.count, "per_domain_rate", 0, 1000000),
    NUMBER(per_client_rate.count, "per_client_rate", 0, 1000000),
    NUMBER(global_rate.count, "global_rate", 0, 1000000),
    NUMBER(per_domain_rate.period_s, "per_domain_rate period", 1, RATE_PERIOD_MAX),
    NUMBER(per_client_rate.period_s, "per_client_rate period", 1, RATE_PERIOD_MAX),
    NUMBER(global_rate.period_s, "global_rate period", 1, RATE_PERIOD_MAX),
    NUMBER(shield.addresses, "shield addresses", 0, 1000),
    NUMBER(shield.window_s, "shield window", 1, LIFETIME_MAX),
    NUMBER(shield.hold_s, "shield hold", 1, LIFETIME_MAX),
    NUMBER(greylist.first_s, "greylist first", 1, LIFETIME_MAX),
    NUMBER(greylist.max_s, "greylist max", 1, LIFETIME_MAX),
    NUMBER(greylist.give_up_s, "greylist give_up", 1, LIFETIME_MAX),
    NUMBER(breaker_failures, "breaker_failures", 1, 10000),
    NUMBER(breaker_hold_s, "breaker_hold", 0, LIFETIME_MAX),
    NUMBER(lifetimes.valid_ttl_s, "valid_ttl", 0, LIFETIME_MAX),
    NUMBER(lifetimes.valid_refresh_s, "valid_refresh", 0, LIFETIME_MAX),
    NUMBER(lifetimes.invalid_ttl_s, "invalid_ttl", 0, LIFETIME_MAX),
    NUMBER(lifetimes.invalid_refresh_s, "invalid_refresh", 0, LIFETIME_MAX),
    NUMBER(lifetimes.unknown_ttl_s, "unknown_ttl", 0, LIFETIME_MAX),
    NUMBER(lifetimes.domain_ttl_s, "domain_ttl", 0, LIFETIME_MAX),
    NUMBER(lifetimes.correspondent_ttl_s, "correspondent_ttl", 0, LIFETIME_MAX),
};

static void set_number(struct rb_options *options, const struct number *number, int64_t value)
{
    unsigned char *at = (unsigned char *)options + number->offset;
    const uint16_t small = (uint16_t)value;
    const unsigned middle = (unsigned)value;

    if (number->size == sizeof(small))
        memcpy(at, &small, sizeof(small));
    else if (number->size == sizeof(middle))
        memcpy(at, &middle, sizeof(middle));
    else
        memcpy(at, &value, sizeof(value));
}

static void numbers_are_taken_up_to_their_limits(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(numbers); i++) {
        struct rb_options from = good();
        set_number(&from, &numbers[i], numbers[i].min);
        options_free(copy_of(&from));
        set_number(&from, &numbers[i], numbers[i].max);
        options_free(copy_of(&from));
    }
}

static void numbers_past_their_limits_are_refused_with_the_limits(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(numbers); i++) {
        struct rb_options from = good();
        char why[100];
        snprintf(why, sizeof(why), "not in %lld..%lld", (long long)numbers[i].min,
                 (long long)numbers[i].max);
        /* No unsigned field goes below 0 and no port above 65535. */
        if (numbers[i].min > 0 || numbers[i].size == sizeof(int64_t)) {
            set_number(&from, &numbers[i], numbers[i].min - 1);
            assert_refused(&from, numbers[i].name, why);
        }
        if (numbers[i].size != sizeof(uint16_t)) {
            set_number(&from, &numbers[i], numbers[i].max + 1);
            assert_refused(&from, numbers[i].name, why);
        }
    }
}

static void largest_numbers_of_their_types_are_refused(void **state)
{
    struct rb_options from = good();
    (void)state;
    from.max_workers = UINT32_MAX;
    assert_refused(&from, "max_workers", "4294967295 is not in");
    from = good();
    from.lifetimes.valid_ttl_s = INT64_MAX;
    assert_refused(&from, "valid_ttl", "not in");
    from.lifetimes.valid_ttl_s = INT64_MIN;
    assert_refused(&from, "valid_ttl", "not in");
}

static void unknown_ip_version_is_refused(void **state)
{
    struct rb_options from = good();
    (void)state;
    from.ip_version = (enum rb_ip_version)3;
    assert_refused(&from, "ip_version", "3 is not in 0..2");
}

/* --- lists ---------------------------------------------------------------------------------------
 */

static void bind_addresses_are_parsed(void **state)
{
    const char *const bind[] = {"192.0.2.1", "2001:db8::1"};
    struct rb_options from = good();
    char text[INET6_ADDRSTRLEN];
    (void)state;
    from.bind = bind;
    from.bind_count = COUNT(bind);
    struct options *to = copy_of(&from);
    assert_int_equal(to->bind_count, 2);
    assert_int_equal(to->o.bind_count, 2);
    assert_string_equal(to->o.bind[0], "192.0.2.1");
    assert_string_equal(to->o.bind[1], "2001:db8::1");
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&to->bind[0];
    assert_int_equal(v4->sin_family, AF_INET);
    assert_int_equal(v4->sin_port, 0);
    assert_string_equal(inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text)), "192.0.2.1");
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&to->bind[1];
    assert_int_equal(v6->sin6_family, AF_INET6);
    assert_int_equal(v6->sin6_port, 0);
    assert_string_equal(inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text)), "2001:db8::1");
    options_free(to);
}

static void bad_bind_addresses_are_refused_by_number(void **state)
{
    static const char *const rows[] = {
        NULL,
        "",
        "192.0.2",
        "192.0.2.1:25",
        "[::1]",
        "localhost",
        "2001:db8::1/64",
        "0000000000000000000000000000000000000000000000000000000000000000",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *const bind[] = {"192.0.2.1", rows[i]};
        struct rb_options from = good();
        from.bind = bind;
        from.bind_count = COUNT(bind);
        assert_refused(&from, "bind", "address 2 is neither IPv4 nor IPv6");
    }
}

static void bad_resolvers_are_refused_by_number(void **state)
{
    static const char *const rows[] = {
        NULL,
        "",
        "0000000000000000000000000000000000000000000000000000000000000000",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *const resolvers[] = {"127.0.0.1:5353", rows[i]};
        struct rb_options from = good();
        from.resolvers = resolvers;
        from.resolver_count = COUNT(resolvers);
        assert_refused(&from, "resolvers", "number 2 is not an address");
    }
}

static void lists_have_ceilings(void **state)
{
    const char *texts[OPTIONS_BIND_MAX + 1];
    struct rb_network *networks = calloc(OPTIONS_ALLOWED_MAX + 1, sizeof(*networks));
    struct rb_options from = good();
    (void)state;
    assert_non_null(networks);
    for (size_t i = 0; i < COUNT(texts); i++)
        texts[i] = "192.0.2.1";
    from.bind = texts;
    from.resolvers = texts;
    from.allowed_networks = networks;
    from.bind_count = OPTIONS_BIND_MAX;
    from.resolver_count = DNS_RESOLVERS_MAX;
    from.allowed_count = OPTIONS_ALLOWED_MAX;
    options_free(copy_of(&from));
    from.bind_count++;
    assert_refused(&from, "bind", "9 are too many, there may be 8");
    from.bind_count--;
    from.resolver_count++;
    assert_refused(&from, "resolvers", "4 are too many, there may be 3");
    from.resolver_count--;
    from.allowed_count++;
    assert_refused(&from, "allowed_networks", "too many");
    free(networks);
}

static void counts_without_a_list_are_refused(void **state)
{
    struct rb_options from = good();
    (void)state;
    from.bind_count = 1;
    assert_refused(&from, "bind", "missing");
    from = good();
    from.resolver_count = 1;
    assert_refused(&from, "resolvers", "missing");
    from = good();
    from.allowed_count = 1;
    assert_refused(&from, "allowed_networks", "missing");
}

static void impossible_allowed_network_is_refused(void **state)
{
    const struct rb_network networks[] = {{.bits = 128}, {.bits = 129}};
    struct rb_options from = good();
    (void)state;
    from.allowed_networks = networks;
    from.allowed_count = COUNT(networks);
    assert_refused(&from, "allowed_networks", "number 2");
}

/* --- store and clock -----------------------------------------------------------------------------
 */

static void store_too_small_to_hold_anything_is_refused(void **state)
{
    struct rb_options from = good();
    (void)state;
    from.store_max_bytes = 0;
    options_free(copy_of(&from)); /* without a store its size is of no matter */
    from.store = "lmdb:/tmp/x";
    assert_refused(&from, "store_max_bytes", "0 is less than 65536");
    from.store_max_bytes = OPTIONS_STORE_MIN;
    options_free(copy_of(&from));
}

static void store_name_has_a_ceiling(void **state)
{
    char store[OPTIONS_STORE_TEXT_MAX + 2];
    struct rb_options from = good();
    (void)state;
    memset(store, 'a', sizeof(store));
    store[sizeof(store) - 1] = '\0';
    from.store = store;
    assert_refused(&from, "store", "longer than 4607 octets");
    store[sizeof(store) - 2] = '\0';
    options_free(copy_of(&from));
}

static void callers_clock_is_kept(void **state)
{
    struct fake_clock fake;
    struct rb_options from = good();
    (void)state;
    fake_clock_init(&fake);
    from.clock = &fake.clock;
    struct options *to = copy_of(&from);
    assert_ptr_equal(to->o.clock, &fake.clock);
    options_free(to);
}

static void half_a_clock_is_refused(void **state)
{
    struct rb_clock clock = *clock_system();
    struct rb_options from = good();
    (void)state;
    from.clock = &clock;
    clock.wall_s = NULL;
    assert_refused(&from, "clock", "missing");
    clock = *clock_system();
    clock.monotonic_ms = NULL;
    assert_refused(&from, "clock", "missing");
}

/* --- the copy ------------------------------------------------------------------------------------
 */

static char *heap_text(const char *text)
{
    char *copy = strdup(text);

    assert_non_null(copy);
    return copy;
}

/* All that `from` points to is freed before the copy is read: a sanitizer would tell. */
static void copy_owes_nothing_to_the_original(void **state)
{
    struct rb_options from = good();
    char *texts[] = {heap_text("mail.example.org"), heap_text("a@example.org"),
                     heap_text("b@example.org"),    heap_text("lmdb:/tmp/x"),
                     heap_text("192.0.2.1"),        heap_text("127.0.0.1:5353")};
    const char **bind = malloc(sizeof(*bind));
    const char **resolvers = malloc(sizeof(*resolvers));
    struct rb_network *allowed = malloc(sizeof(*allowed));
    (void)state;
    assert_true(bind != NULL && resolvers != NULL && allowed != NULL);
    assert_int_equal(rb_network_parse("10.0.0.0/8", allowed), RB_OK);
    bind[0] = texts[4];
    resolvers[0] = texts[5];
    from.helo_name = texts[0];
    from.mail_from = texts[1];
    from.fallback_mail_from = texts[2];
    from.store = texts[3];
    from.bind = bind;
    from.resolvers = resolvers;
    from.allowed_networks = allowed;
    from.bind_count = from.resolver_count = from.allowed_count = 1;
    struct options *to = copy_of(&from);
    for (size_t i = 0; i < COUNT(texts); i++)
        free(texts[i]);
    free(bind);
    free(resolvers);
    free(allowed);
    assert_string_equal(to->o.helo_name, "mail.example.org");
    assert_string_equal(to->o.mail_from, "a@example.org");
    assert_string_equal(to->o.fallback_mail_from, "b@example.org");
    assert_string_equal(to->o.store, "lmdb:/tmp/x");
    assert_string_equal(to->o.bind[0], "192.0.2.1");
    assert_string_equal(to->o.resolvers[0], "127.0.0.1:5353");
    assert_int_equal(to->o.allowed_networks[0].bits, 104);
    assert_int_equal(to->o.allowed_count, 1);
    options_free(to);
}

static void detail_may_be_left_out_or_short(void **state)
{
    struct rb_options from = good();
    struct options *to = NULL;
    char small[6] = "?????";
    (void)state;
    from.port = 0;
    assert_int_equal(options_copy(&from, &to, NULL, 0), RB_ERR_ARGUMENT);
    assert_int_equal(options_copy(&from, &to, small, 0), RB_ERR_ARGUMENT);
    assert_string_equal(small, "?????");
    assert_int_equal(options_copy(&from, &to, small, sizeof(small)), RB_ERR_ARGUMENT);
    assert_string_equal(small, "port:");
}

static void freeing_nothing_is_fine(void **state)
{
    struct rb_options from = good();
    (void)state;
    options_free(NULL);
    struct options *to = copy_of(&from);
    options_free(to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_the_documented_ones),
        cmocka_unit_test(default_lifetimes_are_the_documented_ones),
        cmocka_unit_test(defaults_with_a_name_are_good),
        cmocka_unit_test(helo_name_is_a_host_name_or_a_literal),
        cmocka_unit_test(helo_name_must_be_set_and_clean),
        cmocka_unit_test(helo_name_has_a_ceiling),
        cmocka_unit_test(senders_are_kept_in_canonical_form),
        cmocka_unit_test(bad_senders_are_refused_by_name),
        cmocka_unit_test(sender_that_is_longer_than_a_path_is_refused),
        cmocka_unit_test(numbers_are_taken_up_to_their_limits),
        cmocka_unit_test(numbers_past_their_limits_are_refused_with_the_limits),
        cmocka_unit_test(largest_numbers_of_their_types_are_refused),
        cmocka_unit_test(unknown_ip_version_is_refused),
        cmocka_unit_test(bind_addresses_are_parsed),
        cmocka_unit_test(bad_bind_addresses_are_refused_by_number),
        cmocka_unit_test(bad_resolvers_are_refused_by_number),
        cmocka_unit_test(lists_have_ceilings),
        cmocka_unit_test(counts_without_a_list_are_refused),
        cmocka_unit_test(impossible_allowed_network_is_refused),
        cmocka_unit_test(store_too_small_to_hold_anything_is_refused),
        cmocka_unit_test(store_name_has_a_ceiling),
        cmocka_unit_test(callers_clock_is_kept),
        cmocka_unit_test(half_a_clock_is_refused),
        cmocka_unit_test(copy_owes_nothing_to_the_original),
        cmocka_unit_test(detail_may_be_left_out_or_short),
        cmocka_unit_test(freeing_nothing_is_fine),
    };

    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
