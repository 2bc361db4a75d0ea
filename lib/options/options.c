/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * options: the defaults of rb_options, their check, and the immutable copy that the verifier works
 * with. It must not read configuration files: words and units of the file are the caller's.
 */
#include "config.h"

#include "options/options.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sized.h"
#include "mail/address.h"
#include "base/clock.h"
#include "base/ip.h"
#include "base/text.h"

enum {
    TIMEOUT_MAX_MS = 24 * 3600 * 1000,
    IDLE_TIMEOUT_MAX_MS = 60 * 1000, /* mail hosts have better to do */
    MAX_HOSTS_MAX = 32,
    MAX_WORKERS_MAX = 4096,
    MAX_HELD_MAX = 16384,
    MAX_PENDING_MAX = 1000000,
    SESSIONS_MAX = 1000, /* for one domain, with one host */
    RATE_COUNT_MAX = 1000000,
    RATE_PERIOD_MAX_S = 366 * 86400,
    SHIELD_ADDRESSES_MAX = 1000,
    BREAKER_FAILURES_MAX = 10000,
};

static const int64_t minute_s = 60;
static const int64_t hour_s = 3600;
static const int64_t day_s = 86400;

/* A hundred years, so that no sum of a stamp and a lifetime overflows. */
static const int64_t lifetime_max_s = INT64_C(86400) * 366 * 100;

/* Where the words for what is wrong go. */
struct detail {
    char *text;
    size_t size;
};

void rb_options_init_size(struct rb_options *options, size_t size)
{
    const struct rb_options defaults = {
        .mail_from = "",
        .fallback_mail_from = "",
        .port = 25,
        .ip_version = RB_IP_ANY,
        .tls = RB_TLS_MAY,
        .catch_all_check = true,
        .data_check = false,
        .smtputf8 = true,
        .spf_gate = RB_GATE_SOFTFAIL,
        .connect_timeout_ms = 10 * 1000,
        .command_timeout_ms = 30 * 1000,
        .total_timeout_ms = 120 * 1000,
        .idle_timeout_ms = 2000,
        .max_hosts = 6,
        .max_workers = 256,
        .max_held = 1024,
        .max_pending = 4096,
        .per_domain_sessions = 2,
        .per_host_sessions = 10,
        .per_domain_rate = {60, 60},
        .per_client_rate = {120, 60},
        .global_rate = {2000, 60},
        .shield = {.addresses = 20, .window_s = 10 * minute_s, .hold_s = 30 * minute_s},
        .breaker_failures = 5,
        .breaker_hold_s = 15 * minute_s,
        .store_max_bytes = UINT64_C(1) << 30, /* sizes of memory maps count in powers of two */
        .lifetimes =
            {
                .valid_ttl_s = 31 * day_s,
                .valid_refresh_s = 7 * day_s,
                .invalid_ttl_s = 3 * day_s,
                .invalid_refresh_s = 3 * hour_s,
                .unknown_ttl_s = 30 * minute_s,
                .domain_ttl_s = 7 * day_s,
                .correspondent_ttl_s = 90 * day_s,
            },
        .greylist = {.first_s = 6 * minute_s, .max_s = 6 * hour_s, .give_up_s = day_s},
    };

    memset(options, 0, size);
    if (size < sizeof size)
        return; /* it has no size that could be told */
    memcpy(options, &size, sizeof size);
    (void)sized_write(options, SIZED_OPTIONS, &defaults, sizeof defaults);
}

/* Says what is wrong; too long a text is cut, since it is for people only. */
__attribute__((format(printf, 2, 3))) static enum rb_error refuse(const struct detail *detail,
                                                                  const char *format, ...)
{
    if (detail->text != NULL && detail->size > 0) {
        va_list args;
        va_start(args, format);
        vsnprintf(detail->text, detail->size, format, args);
        va_end(args);
    }
    return RB_ERR_ARGUMENT;
}

static enum rb_error check_numbers(const struct rb_options *from, const struct detail *detail)
{
    const struct rb_lifetimes *l = &from->lifetimes;
    const struct {
        const char *name;
        int64_t value, min, max;
    } rows[] = {
        {"port", from->port, 1, UINT16_MAX},
        {"ip_version", (int64_t)from->ip_version, RB_IP_ANY, RB_IP_V6},
        {"tls", (int64_t)from->tls, RB_TLS_NEVER, RB_TLS_MAY},
        {"spf_gate", (int64_t)from->spf_gate, RB_GATE_NO, RB_GATE_VOUCHED},
        {"connect_timeout", from->connect_timeout_ms, 1, TIMEOUT_MAX_MS},
        {"command_timeout", from->command_timeout_ms, 1, TIMEOUT_MAX_MS},
        {"total_timeout", from->total_timeout_ms, 1, TIMEOUT_MAX_MS},
        {"idle_timeout", from->idle_timeout_ms, 0, IDLE_TIMEOUT_MAX_MS},
        {"max_hosts", from->max_hosts, 1, MAX_HOSTS_MAX},
        {"max_workers", from->max_workers, 1, MAX_WORKERS_MAX},
        {"max_held", from->max_held, 0, MAX_HELD_MAX},
        {"max_pending", from->max_pending, 1, MAX_PENDING_MAX},
        {"per_domain_sessions", from->per_domain_sessions, 1, SESSIONS_MAX},
        {"per_host_sessions", from->per_host_sessions, 1, SESSIONS_MAX},
        {"per_domain_rate", from->per_domain_rate.count, 0, RATE_COUNT_MAX},
        {"per_client_rate", from->per_client_rate.count, 0, RATE_COUNT_MAX},
        {"global_rate", from->global_rate.count, 0, RATE_COUNT_MAX},
        {"per_domain_rate period", from->per_domain_rate.period_s, 1, RATE_PERIOD_MAX_S},
        {"per_client_rate period", from->per_client_rate.period_s, 1, RATE_PERIOD_MAX_S},
        {"global_rate period", from->global_rate.period_s, 1, RATE_PERIOD_MAX_S},
        {"shield addresses", from->shield.addresses, 0, SHIELD_ADDRESSES_MAX},
        {"shield window", from->shield.window_s, 1, lifetime_max_s},
        {"shield hold", from->shield.hold_s, 1, lifetime_max_s},
        {"breaker_failures", from->breaker_failures, 1, BREAKER_FAILURES_MAX},
        {"breaker_hold", from->breaker_hold_s, 0, lifetime_max_s},
        {"valid_ttl", l->valid_ttl_s, 0, lifetime_max_s},
        {"valid_refresh", l->valid_refresh_s, 0, lifetime_max_s},
        {"invalid_ttl", l->invalid_ttl_s, 0, lifetime_max_s},
        {"invalid_refresh", l->invalid_refresh_s, 0, lifetime_max_s},
        {"unknown_ttl", l->unknown_ttl_s, 0, lifetime_max_s},
        {"domain_ttl", l->domain_ttl_s, 0, lifetime_max_s},
        {"correspondent_ttl", l->correspondent_ttl_s, 0, lifetime_max_s},
        {"greylist first", from->greylist.first_s, 1, lifetime_max_s},
        {"greylist max", from->greylist.max_s, 1, lifetime_max_s},
        {"greylist give_up", from->greylist.give_up_s, 1, lifetime_max_s},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].value < rows[i].min || rows[i].value > rows[i].max)
            return refuse(detail, "%s: %lld is not in %lld..%lld", rows[i].name,
                          (long long)rows[i].value, (long long)rows[i].min, (long long)rows[i].max);
    return RB_OK;
}

/* Counts of lists, and what every list needs: its array. */
static enum rb_error check_lists(const struct rb_options *from, const struct detail *detail)
{
    const struct {
        const char *name;
        const void *list;
        size_t count, max;
    } lists[] = {
        {"bind", from->bind, from->bind_count, OPTIONS_BIND_MAX},
        {"resolvers", from->resolvers, from->resolver_count, DNS_RESOLVERS_MAX},
        {"allowed_networks", from->allowed_networks, from->allowed_count, OPTIONS_ALLOWED_MAX},
    };

    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        if (lists[i].count > lists[i].max)
            return refuse(detail, "%s: %zu are too many, there may be %zu", lists[i].name,
                          lists[i].count, lists[i].max);
        if (lists[i].count > 0 && lists[i].list == NULL)
            return refuse(detail, "%s: the list is missing", lists[i].name);
    }
    return RB_OK;
}

/*
 * An EHLO name has the grammar of a mailbox's domain (RFC 5321 4.1.1.1), literals included, so it
 * is read as one.
 */
static enum rb_error copy_helo_name(const struct rb_options *from, struct options *to,
                                    const struct detail *detail)
{
    static const char local[] = "postmaster@";
    char mailbox[sizeof(local) + RB_DOMAIN_MAX + 1];
    struct address address;

    if (from->helo_name == NULL || from->helo_name[0] == '\0')
        return refuse(detail, "helo_name: must be set to this machine's fully qualified name");
    if (strlen(from->helo_name) > RB_DOMAIN_MAX)
        return refuse(detail, "helo_name: longer than %d octets", RB_DOMAIN_MAX);
    const int len = snprintf(mailbox, sizeof(mailbox), "%s%s", local, from->helo_name);
    const enum address_fault fault = address_parse(mailbox, (size_t)len, false, &address);
    if (fault == ADDRESS_NOMEM)
        return RB_ERR_NOMEM;
    if (fault != ADDRESS_OK)
        return refuse(detail, "helo_name: neither a host name nor an address literal: %s",
                      address_fault_text(fault));
    text_copy(to->helo_name, sizeof(to->helo_name), address.domain);
    to->o.helo_name = to->helo_name;
    return RB_OK;
}

/* The null sender, or a mailbox in ASCII: not every host asked has SMTPUTF8. */
static enum rb_error copy_sender(const char *name, const char *from, char to[RB_ADDRESS_MAX + 1],
                                 const struct detail *detail)
{
    struct address address;

    if (from == NULL)
        return RB_OK;
    const enum address_fault fault = address_parse(from, strlen(from), false, &address);
    if (fault == ADDRESS_NOMEM)
        return RB_ERR_NOMEM;
    if (fault != ADDRESS_OK && fault != ADDRESS_NULL)
        return refuse(detail, "%s: not an address: %s", name, address_fault_text(fault));
    if (address_format(&address, to, RB_ADDRESS_MAX + 1) != RB_OK)
        return refuse(detail, "%s: longer than %d octets", name, RB_ADDRESS_MAX);
    return RB_OK;
}

static enum rb_error copy_senders(const struct rb_options *from, struct options *to,
                                  const struct detail *detail)
{
    const enum rb_error error = copy_sender("mail_from", from->mail_from, to->mail_from, detail);

    if (error != RB_OK)
        return error;
    to->o.mail_from = to->mail_from;
    to->o.fallback_mail_from = to->fallback_mail_from;
    return copy_sender("fallback_mail_from", from->fallback_mail_from, to->fallback_mail_from,
                       detail);
}

static enum rb_error copy_bind(const struct rb_options *from, struct options *to,
                               const struct detail *detail)
{
    for (size_t i = 0; i < from->bind_count; i++) {
        const char *text = from->bind[i];
        if (text == NULL || !text_copy(to->bind_text[i], sizeof(to->bind_text[i]), text) ||
            !ip_sockaddr_parse(text, &to->bind[i]))
            return refuse(detail, "bind: address %zu is neither IPv4 nor IPv6", i + 1);
        to->bind_list[i] = to->bind_text[i];
    }
    to->o.bind = to->bind_list;
    to->bind_count = from->bind_count;
    return RB_OK;
}

static enum rb_error copy_resolvers(const struct rb_options *from, struct options *to,
                                    const struct detail *detail)
{
    for (size_t i = 0; i < from->resolver_count; i++) {
        const char *text = from->resolvers[i];
        if (text == NULL || text[0] == '\0' ||
            !text_copy(to->resolver_text[i], sizeof(to->resolver_text[i]), text))
            return refuse(detail, "resolvers: number %zu is not an address", i + 1);
        to->resolver_list[i] = to->resolver_text[i];
    }
    to->o.resolvers = to->resolver_list;
    return RB_OK;
}

static enum rb_error copy_allowed(const struct rb_options *from, struct options *to,
                                  const struct detail *detail)
{
    to->o.allowed_networks = NULL;
    if (from->allowed_count == 0)
        return RB_OK;
    for (size_t i = 0; i < from->allowed_count; i++) {
        if (from->allowed_networks[i].bits > 128)
            return refuse(detail, "allowed_networks: number %zu has more than 128 bits", i + 1);
    }
    to->allowed = calloc(from->allowed_count, sizeof(*to->allowed));
    if (to->allowed == NULL)
        return RB_ERR_NOMEM;
    memcpy(to->allowed, from->allowed_networks, from->allowed_count * sizeof(*to->allowed));
    to->o.allowed_networks = to->allowed;
    return RB_OK;
}

static enum rb_error copy_store(const struct rb_options *from, struct options *to,
                                const struct detail *detail)
{
    const char *store = from->store != NULL ? from->store : "";

    if (!text_copy(to->store, sizeof(to->store), store))
        return refuse(detail, "store: longer than %d octets", OPTIONS_STORE_TEXT_MAX);
    if (store[0] != '\0' && from->store_max_bytes < OPTIONS_STORE_MIN)
        return refuse(detail, "store_max_bytes: %llu is less than %d",
                      (unsigned long long)from->store_max_bytes, OPTIONS_STORE_MIN);
    to->o.store = to->store;
    return RB_OK;
}

static enum rb_error copy_clock(const struct rb_options *from, struct options *to,
                                const struct detail *detail)
{
    to->o.clock = from->clock != NULL ? from->clock : clock_system();
    if (to->o.clock->monotonic_ms == NULL || to->o.clock->wall_s == NULL)
        return refuse(detail, "clock: a function is missing");
    return RB_OK;
}

/* Lists are checked before anything reads them. */
static enum rb_error fill(const struct rb_options *from, struct options *to,
                          const struct detail *detail)
{
    typedef enum rb_error part_fn(const struct rb_options *, struct options *,
                                  const struct detail *);
    static part_fn *const parts[] = {
        copy_helo_name, copy_senders, copy_bind,  copy_resolvers,
        copy_allowed,   copy_store,   copy_clock,
    };
    enum rb_error error = check_numbers(from, detail);

    if (error == RB_OK)
        error = check_lists(from, detail);
    for (size_t i = 0; error == RB_OK && i < sizeof(parts) / sizeof(parts[0]); i++)
        error = parts[i](from, to, detail);
    return error;
}

enum rb_error options_copy(const struct rb_options *from, struct options **to, char *detail,
                           size_t detail_size)
{
    const struct detail words = {.text = detail, .size = detail_size};
    struct options *copy = calloc(1, sizeof(*copy));
    enum rb_error error = RB_ERR_NOMEM;
    struct rb_options full;

    *to = NULL;
    if (detail != NULL && detail_size > 0)
        detail[0] = '\0';
    if (copy == NULL)
        goto out;
    rb_options_init(&full);
    if (!sized_read(&full, sizeof full, from, SIZED_OPTIONS)) {
        error = refuse(&words, "size: %zu is not that of rb_options", from->size);
        free(copy);
        goto out;
    }
    copy->o = full;
    error = fill(&full, copy, &words);
    if (error != RB_OK) {
        options_free(copy);
        goto out;
    }
    *to = copy;
out:
    if (error == RB_ERR_NOMEM)
        refuse(&words, "%s", rb_error_text(error));
    return error;
}

void options_free(struct options *options)
{
    if (options == NULL)
        return;
    free(options->allowed);
    free(options);
}
