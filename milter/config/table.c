/* SPDX-License-Identifier: BSD-2-Clause */
/* table: see table.h. */
#include "config.h"

#include "config/table.h"

#include <stddef.h>
#include <stdlib.h>

#include "config/configuration.h"

#ifndef RINGBACK_USER
#define RINGBACK_USER "ringback"
#endif

#define AT(field) offsetof(struct config, field)
#define DIRECTIVE(in, word, what, where, value)                                                    \
    .section = (in), .name = (word), .kind = (what), .offset = (where), .standard = (value)
#define RANGE(low, high) .min = (low), .max = (high)
#define POLICY(field) offsetof(struct policy, field)

#define YEAR (366 * DAY)

/* Enumerations are stored through an unsigned. */
_Static_assert(sizeof(enum action) == sizeof(unsigned) &&
                   sizeof(enum log_level) == sizeof(unsigned) &&
                   sizeof(enum rb_gate) == sizeof(unsigned) &&
                   sizeof(enum connect_back_target) == sizeof(unsigned),
               "enumerations are as wide as unsigned");

static const char *const decide_at_names[] = {"rcpt", "data", "eom", NULL};
static const char *const ip_version_names[] = {"any", "4", "6", NULL};
static const char *const tls_names[] = {"never", "may", NULL};
static const char *const target_names[] = {"helo", "mx", "helo mx", "mx helo", NULL};
const char *const gate_names[] = {"no", "fail", "softfail", "vouched", NULL};

static const struct directive main_directives[] = {
    {DIRECTIVE("", "listen", KIND_TEXT, AT(listen), "inet:8894@127.0.0.1"), .check = value_listen,
     .fixed = true},
    {DIRECTIVE("", "listen_mode", KIND_TEXT, AT(listen_mode), "0660"), .check = value_listen_mode,
     .fixed = true},
    {DIRECTIVE("", "listen_group", KIND_TEXT, AT(listen_group), ""), .check = value_group,
     .fixed = true},
    {DIRECTIVE("", "control", KIND_TEXT, AT(control), "/run/ringback/control.sock"),
     .check = value_control, .fixed = true},
    {DIRECTIVE("", "http", KIND_TEXT, AT(http), ""), .check = value_http, .fixed = true},
    {DIRECTIVE("", "http_allow", KIND_NETWORKS, AT(http_allow), ""), .max = CONFIG_ALLOWED_MAX},
    {DIRECTIVE("", "http_password_file", KIND_TEXT, AT(http_password_file), ""),
     .check = value_password_file},
    {DIRECTIVE("", "user", KIND_TEXT, AT(user), RINGBACK_USER), .check = value_user, .fixed = true},
    {DIRECTIVE("", "hostname", KIND_TEXT, AT(hostname), ""), .check = value_hostname},
    {DIRECTIVE("", "authserv_id", KIND_TEXT, AT(authserv_id), ""), .check = value_authserv_id},
    {DIRECTIVE("", "trusted_authserv_ids", KIND_TEXTS, AT(trusted_authserv_ids), ""),
     .max = CONFIG_TRUSTED_IDS_MAX, .check = value_trusted_authserv_id},
    {DIRECTIVE("", "syslog_facility", KIND_NAME, AT(syslog_facility), "mail"),
     .names = log_facility_names, .fixed = true},
    {DIRECTIVE("", "log_level", KIND_NAME, AT(log_level), "info"), .names = log_level_names},
    {DIRECTIVE("", "dry_run", KIND_YES_NO, AT(dry_run), "no")},
    {DIRECTIVE("", "trusted_networks", KIND_NETWORKS, AT(trusted_networks),
               "{\"127.0.0.0/8\", \"::1\"}")},
    {DIRECTIVE("", "resolvers", KIND_TEXTS, AT(resolvers), ""), .max = CONFIG_RESOLVERS_MAX,
     .check = value_resolver},
    {DIRECTIVE("", "max_wait", KIND_MS, AT(max_wait_ms), "8s"), RANGE(0, 5 * MINUTE)},
    {DIRECTIVE("", "decide_at", KIND_NAME, AT(decide_at), "rcpt"), .names = decide_at_names},

    {DIRECTIVE("callout", "mail_from", KIND_TEXT, AT(callout.mail_from), ""),
     .check = value_mail_from},
    {DIRECTIVE("callout", "fallback_mail_from", KIND_TEXT, AT(callout.fallback_mail_from),
               "postmaster@HOSTNAME"),
     .check = value_fallback_from},
    {DIRECTIVE("callout", "port", KIND_NUMBER, AT(callout.port), "25"), RANGE(1, 65535)},
    {DIRECTIVE("callout", "bind", KIND_TEXTS, AT(callout.bind), ""), .max = CONFIG_HOSTS_MAX,
     .check = value_ip},
    {DIRECTIVE("callout", "ip_version", KIND_NAME, AT(callout.ip_version), "any"),
     .names = ip_version_names},
    {DIRECTIVE("callout", "tls", KIND_NAME, AT(callout.tls), "may"), .names = tls_names},
    {DIRECTIVE("callout", "connect_timeout", KIND_MS, AT(callout.connect_timeout_ms), "10s"),
     RANGE(100, 5 * MINUTE)},
    {DIRECTIVE("callout", "command_timeout", KIND_MS, AT(callout.command_timeout_ms), "30s"),
     RANGE(100, 10 * MINUTE)},
    {DIRECTIVE("callout", "total_timeout", KIND_MS, AT(callout.total_timeout_ms), "120s"),
     RANGE(100, HOUR)},
    {DIRECTIVE("callout", "idle_timeout", KIND_MS, AT(callout.idle_timeout_ms), "2s"),
     RANGE(0, MINUTE)},
    {DIRECTIVE("callout", "max_workers", KIND_NUMBER, AT(callout.max_workers), "256"),
     RANGE(1, 4096), .fixed = true},
    {DIRECTIVE("callout", "max_held", KIND_NUMBER, AT(callout.max_held), "1024"), RANGE(0, 16384)},
    {DIRECTIVE("callout", "max_pending", KIND_NUMBER, AT(callout.max_pending), "4096"),
     RANGE(1, 1000000)},
    {DIRECTIVE("callout", "catch_all_check", KIND_YES_NO, AT(callout.catch_all_check), "yes")},
    {DIRECTIVE("callout", "data_check", KIND_YES_NO, AT(callout.data_check), "no")},
    {DIRECTIVE("callout", "smtputf8", KIND_YES_NO, AT(callout.smtputf8), "yes")},
    {DIRECTIVE("callout", "max_hosts", KIND_NUMBER, AT(callout.max_hosts), "6"), RANGE(1, 32)},
    {DIRECTIVE("callout", "allowed_networks", KIND_NETWORKS, AT(callout.allowed_networks), ""),
     .max = CONFIG_ALLOWED_MAX},

    {DIRECTIVE("cache", "store", KIND_TEXT, AT(cache.store), "lmdb:/var/lib/ringback/cache"),
     .check = value_store, .fixed = true},
    {DIRECTIVE("cache", "valid_ttl", KIND_SECONDS, AT(cache.valid_ttl_s), "31d"),
     RANGE(SECOND, YEAR)},
    {DIRECTIVE("cache", "valid_refresh", KIND_SECONDS, AT(cache.valid_refresh_s), "7d"),
     RANGE(SECOND, YEAR)},
    {DIRECTIVE("cache", "invalid_ttl", KIND_SECONDS, AT(cache.invalid_ttl_s), "3d"),
     RANGE(SECOND, YEAR)},
    {DIRECTIVE("cache", "invalid_refresh", KIND_SECONDS, AT(cache.invalid_refresh_s), "3h"),
     RANGE(SECOND, YEAR)},
    {DIRECTIVE("cache", "unknown_ttl", KIND_SECONDS, AT(cache.unknown_ttl_s), "30m"),
     RANGE(SECOND, YEAR)},
    {DIRECTIVE("cache", "domain_ttl", KIND_SECONDS, AT(cache.domain_ttl_s), "7d"),
     RANGE(SECOND, YEAR)},
    {DIRECTIVE("cache", "correspondent_ttl", KIND_SECONDS, AT(cache.correspondent_ttl_s), "90d"),
     RANGE(SECOND, 10 * YEAR)},
    {DIRECTIVE("cache", "max_size", KIND_SIZE, AT(cache.max_size), "1GB"),
     RANGE(INT64_C(1) << 20, INT64_C(1) << 40), .fixed = true},

    {DIRECTIVE("greylist", "retry", KIND_YES_NO, AT(greylist.retry), "yes")},
    {DIRECTIVE("greylist", "first", KIND_SECONDS, AT(greylist.first_s), "6m"), RANGE(SECOND, DAY)},
    {DIRECTIVE("greylist", "max", KIND_SECONDS, AT(greylist.max_s), "6h"), RANGE(SECOND, YEAR)},
    {DIRECTIVE("greylist", "give_up", KIND_SECONDS, AT(greylist.give_up_s), "1d"),
     RANGE(SECOND, YEAR)},

    {DIRECTIVE("limits", "per_domain_sessions", KIND_NUMBER, AT(limits.per_domain_sessions), "2"),
     RANGE(1, 100)},
    {DIRECTIVE("limits", "per_host_sessions", KIND_NUMBER, AT(limits.per_host_sessions), "10"),
     RANGE(1, 1000)},
    {DIRECTIVE("limits", "per_domain_rate", KIND_RATE, AT(limits.per_domain_rate), "60/m"),
     RANGE(1, 1000000)},
    {DIRECTIVE("limits", "per_client_rate", KIND_RATE, AT(limits.per_client_rate), "120/m"),
     RANGE(1, 1000000)},
    {DIRECTIVE("limits", "global_rate", KIND_RATE, AT(limits.global_rate), "2000/m"),
     RANGE(1, 1000000)},
    {DIRECTIVE("limits", "per_client_bad_rcpt", KIND_RATE, AT(limits.per_client_bad_rcpt), "50/h"),
     RANGE(1, 1000000)},
    {DIRECTIVE("limits", "breaker_failures", KIND_NUMBER, AT(limits.breaker_failures), "5"),
     RANGE(1, 1000)},
    {DIRECTIVE("limits", "breaker_hold", KIND_SECONDS, AT(limits.breaker_hold_s), "15m"),
     RANGE(SECOND, 7 * DAY)},
    {DIRECTIVE("limits", "shield_addresses", KIND_NUMBER, AT(limits.shield_addresses), "20"),
     RANGE(0, 1000)},
    {DIRECTIVE("limits", "shield_window", KIND_SECONDS, AT(limits.shield_window_s), "10m"),
     RANGE(SECOND, DAY)},
    {DIRECTIVE("limits", "shield_hold", KIND_SECONDS, AT(limits.shield_hold_s), "30m"),
     RANGE(SECOND, DAY)},

    {DIRECTIVE("spf", "gate", KIND_NAME, AT(spf.gate), "softfail"), .names = gate_names,
     .yes = "softfail"},

    {DIRECTIVE("connect_back", "check", KIND_YES_NO, AT(connect_back.check), "no")},
    {DIRECTIVE("connect_back", "target", KIND_NAME, AT(connect_back.target), "helo"),
     .names = target_names},
    {DIRECTIVE("connect_back", "timeout", KIND_MS, AT(connect_back.timeout_ms), "10s"),
     RANGE(100, 5 * MINUTE)},
    {DIRECTIVE("connect_back", "on_denied", KIND_NAME, AT(connect_back.on_denied), "reject"),
     .names = action_names},
    {DIRECTIVE("connect_back", "on_maybe", KIND_NAME, AT(connect_back.on_maybe), "accept"),
     .names = action_names},
    {DIRECTIVE("connect_back", "on_unreachable", KIND_NAME, AT(connect_back.on_unreachable), "tag"),
     .names = action_names},
    {DIRECTIVE("connect_back", "on_unsupported", KIND_NAME, AT(connect_back.on_unsupported), "tag"),
     .names = action_names},
    {DIRECTIVE("connect_back", "answer", KIND_YES_NO, AT(connect_back.answer), "no")},
    {DIRECTIVE("connect_back", "answer_users", KIND_TEXTS, AT(connect_back.answer_users),
               "{\"postfix\", \"root\", \"smmsp\"}"),
     .max = CONFIG_ANSWER_USERS_MAX, .check = value_account},
    {DIRECTIVE("connect_back", "peers", KIND_TEXTS, AT(connect_back.peers), ""),
     .max = CONFIG_PEERS_MAX, .check = value_peer},
    {DIRECTIVE("connect_back", "complete", KIND_YES_NO, AT(connect_back.complete), "no")},
    {DIRECTIVE("connect_back", "public_address", KIND_TEXTS, AT(connect_back.public_address), ""),
     .max = CONFIG_HOSTS_MAX, .check = value_ip},
};

static const struct directive policy_directives[] = {
    {DIRECTIVE("match", "client", KIND_NETWORKS, POLICY(client), "")},
    {DIRECTIVE("match", "sender", KIND_ADDRESS_PATTERNS, POLICY(sender), "")},
    {DIRECTIVE("match", "recipient", KIND_ADDRESS_PATTERNS, POLICY(recipient), "")},
    {DIRECTIVE("match", "helo", KIND_HOST_PATTERNS, POLICY(helo), "")},
    {DIRECTIVE("match", "authenticated", KIND_NAME, POLICY(authenticated), "any"),
     .names = policy_authenticated_names},
    {DIRECTIVE("policy", "verify", KIND_NAME, POLICY(verify), "sender"),
     .names = policy_verify_names},
    {DIRECTIVE("policy", "on_invalid", KIND_NAME, POLICY(on_invalid), "reject"),
     .names = action_names},
    {DIRECTIVE("policy", "on_unknown", KIND_NAME, POLICY(on_unknown), "accept"),
     .names = action_names},
    {DIRECTIVE("policy", "on_greylisted", KIND_NAME, POLICY(on_greylisted), "accept"),
     .names = action_names},
    {DIRECTIVE("policy", "on_spf_fail", KIND_NAME, POLICY(on_spf_fail), "accept"),
     .names = action_names},
    {DIRECTIVE("policy", "on_spf_softfail", KIND_NAME, POLICY(on_spf_softfail), "accept"),
     .names = action_names},
    {DIRECTIVE("policy", "on_not_vouched", KIND_NAME, POLICY(on_not_vouched), "accept"),
     .names = action_names},
    {DIRECTIVE("policy", "vouched", KIND_YES_NO, POLICY(vouched), "no")},
    {DIRECTIVE("policy", "verify_headers", KIND_NAMES, POLICY(verify_headers), ""),
     .names = originator_names},
    {DIRECTIVE("policy", "on_header_invalid", KIND_NAME, POLICY(on_header_invalid), "tag"),
     .names = action_names},
};

static const struct directive relay_directives[] = {
    {DIRECTIVE("relay", "to", KIND_TEXTS, offsetof(struct relay, to), ""), .max = CONFIG_HOSTS_MAX,
     .check = value_relay_host},
    {DIRECTIVE("relay", "on_unreachable", KIND_NAME, offsetof(struct relay, on_unreachable),
               "tempfail"),
     .names = action_names},
    {DIRECTIVE("relay", "check_size", KIND_YES_NO, offsetof(struct relay, check_size), "yes")},
};

#define TABLE(array)                                                                               \
    {                                                                                              \
        array, sizeof(array) / sizeof((array)[0])                                                  \
    }

const struct table main_table = TABLE(main_directives);
const struct table policy_table = TABLE(policy_directives);
const struct table relay_table = TABLE(relay_directives);

const char *const main_sections[MAIN_SECTIONS] = {"",       "callout", "cache",       "greylist",
                                                  "limits", "spf",     "connect_back"};

bool table_is_list(const struct directive *directive)
{
    return directive->kind >= KIND_TEXTS;
}

static void free_field(const struct directive *directive, void *field)
{
    switch (directive->kind) {
    case KIND_TEXT:
        free(*(char **)field);
        break;
    case KIND_TEXTS:
        text_list_fini(field);
        break;
    case KIND_NETWORKS:
        network_list_fini(field);
        break;
    case KIND_ADDRESS_PATTERNS:
    case KIND_HOST_PATTERNS:
        pattern_list_fini(field);
        break;
    default:
        break;
    }
}

void table_free_fields(const struct table *table, void *base)
{
    for (size_t i = 0; i < table->count; i++)
        free_field(&table->directives[i], (char *)base + table->directives[i].offset);
}

/* A value as the file would have it, without quotes. Not for lists. */
void table_format(const struct directive *directive, const void *field, char *text, size_t size)
{
    switch (directive->kind) {
    case KIND_YES_NO:
        snprintf(text, size, "%s", *(const bool *)field ? "yes" : "no");
        break;
    case KIND_NUMBER:
        snprintf(text, size, "%u", *(const unsigned *)field);
        break;
    case KIND_MS:
        value_format_duration(*(const unsigned *)field, text, size);
        break;
    case KIND_SECONDS:
        value_format_duration(*(const int64_t *)field * SECOND, text, size);
        break;
    case KIND_SIZE:
        value_format_size((int64_t) * (const uint64_t *)field, text, size);
        break;
    case KIND_RATE:
        value_format_rate(*(const struct rb_rate *)field, text, size);
        break;
    case KIND_NAME:
        snprintf(text, size, "%s", directive->names[*(const unsigned *)field]);
        break;
    default:
        snprintf(text, size, "%s", *(char *const *)field);
        break;
    }
}
