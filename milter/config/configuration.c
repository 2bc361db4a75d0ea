/* SPDX-License-Identifier: BSD-2-Clause */
/* configuration: see configuration.h. */
#include "config.h"

#include "config/configuration.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/table.h"

static void free_policy(struct policy *policy)
{
    table_free_fields(&policy_table, policy);
    free(policy->name);
}

static void free_config(struct config *config)
{
    table_free_fields(&main_table, config);
    for (size_t i = 0; i < config->policy_count; i++)
        free_policy(&config->policies[i]);
    free(config->policies);
    free_policy(&config->default_policy);
    for (size_t i = 0; i < config->relay_count; i++) {
        table_free_fields(&relay_table, &config->relays[i]);
        free(config->relays[i].domain);
        free(config->relays[i].list);
    }
    free(config->relays);
    passwords_fini(&config->http_passwords);
    text_list_fini(&config->warnings);
    free(config->path);
    free(config);
}

struct config *config_get(struct config *config)
{
    atomic_fetch_add(&config->references, 1);
    return config;
}

void config_put(struct config *config)
{
    if (config != NULL && atomic_fetch_sub(&config->references, 1) == 1)
        free_config(config);
}

const char *config_warnings(const struct config *config, size_t index)
{
    return index < config->warnings.count ? config->warnings.items[index] : NULL;
}

const char *config_gate_name(const struct config *config)
{
    return gate_names[config->spf.gate];
}

int config_facility(const struct config *config)
{
    int facility = 0;

    log_facility_from_name(log_facility_names[config->syslog_facility], &facility);
    return facility;
}

static void set_callout_options(const struct config *config, struct rb_options *options)
{
    options->mail_from = config->callout.mail_from;
    options->fallback_mail_from = config->callout.fallback_mail_from;
    options->port = (uint16_t)config->callout.port;
    options->bind = (const char *const *)config->callout.bind.items;
    options->bind_count = config->callout.bind.count;
    options->ip_version = config->callout.ip_version;
    options->allowed_networks = config->callout.allowed_networks.items;
    options->allowed_count = config->callout.allowed_networks.count;
    options->tls = config->callout.tls;
    options->catch_all_check = config->callout.catch_all_check;
    options->data_check = config->callout.data_check;
    options->smtputf8 = config->callout.smtputf8;
    options->connect_timeout_ms = config->callout.connect_timeout_ms;
    options->command_timeout_ms = config->callout.command_timeout_ms;
    options->total_timeout_ms = config->callout.total_timeout_ms;
    options->idle_timeout_ms = config->callout.idle_timeout_ms;
    options->max_hosts = config->callout.max_hosts;
    options->max_workers = config->callout.max_workers;
    options->max_held = config->callout.max_held;
    options->max_pending = config->callout.max_pending;
}

static void set_limit_options(const struct config *config, struct rb_options *options)
{
    options->per_domain_sessions = config->limits.per_domain_sessions;
    options->per_host_sessions = config->limits.per_host_sessions;
    options->per_domain_rate = config->limits.per_domain_rate;
    options->per_client_rate = config->limits.per_client_rate;
    options->global_rate = config->limits.global_rate;
    options->shield = (struct rb_shield_options){
        .addresses = config->limits.shield_addresses,
        .window_s = config->limits.shield_window_s,
        .hold_s = config->limits.shield_hold_s,
    };
    options->breaker_failures = config->limits.breaker_failures;
    options->breaker_hold_s = config->limits.breaker_hold_s;
}

static void set_cache_options(const struct config *config, struct rb_options *options)
{
    options->store = config->cache.store;
    options->store_max_bytes = config->cache.max_size;
    options->lifetimes = (struct rb_lifetimes){
        .valid_ttl_s = config->cache.valid_ttl_s,
        .valid_refresh_s = config->cache.valid_refresh_s,
        .invalid_ttl_s = config->cache.invalid_ttl_s,
        .invalid_refresh_s = config->cache.invalid_refresh_s,
        .unknown_ttl_s = config->cache.unknown_ttl_s,
        .domain_ttl_s = config->cache.domain_ttl_s,
        .correspondent_ttl_s = config->cache.correspondent_ttl_s,
    };
    options->greylist = (struct rb_greylist){
        .retry = config->greylist.retry,
        .first_s = config->greylist.first_s,
        .max_s = config->greylist.max_s,
        .give_up_s = config->greylist.give_up_s,
    };
}

void config_options(const struct config *config, struct rb_options *options)
{
    rb_options_init(options);
    options->helo_name = config->hostname;
    options->resolvers = (const char *const *)config->resolvers.items;
    options->resolver_count = config->resolvers.count;
    options->spf_gate = config->spf.gate;
    set_callout_options(config, options);
    set_limit_options(config, options);
    set_cache_options(config, options);
}

bool config_fixed_difference(const struct config *running, const struct config *loaded,
                             size_t *next, char *name, size_t size)
{
    while (*next < main_table.count) {
        const struct directive *directive = &main_table.directives[(*next)++];
        char before[VALUE_TEXT_MAX + 1], after[VALUE_TEXT_MAX + 1];

        if (!directive->fixed)
            continue;
        table_format(directive, (const char *)running + directive->offset, before, sizeof(before));
        table_format(directive, (const char *)loaded + directive->offset, after, sizeof(after));
        if (strcmp(before, after) == 0)
            continue;
        snprintf(name, size, "%s%s%s", directive->section, directive->section[0] == '\0' ? "" : ".",
                 directive->name);
        return true;
    }
    return false;
}

static const struct relay *find_relay(const struct config *config, const char *domain)
{
    for (size_t i = 0; i < config->relay_count; i++)
        if (strcmp(config->relays[i].domain, domain) == 0)
            return &config->relays[i];
    return NULL;
}

const struct relay *config_relay(const struct config *config, const char *domain)
{
    const struct relay *relay = find_relay(config, domain);
    const char *above = domain;

    while (relay == NULL && (above = strchr(above + 1, '.')) != NULL)
        relay = find_relay(config, above);
    return relay != NULL ? relay : find_relay(config, "*");
}

const struct policy *config_policy(const struct config *config,
                                   const struct transaction *transaction)
{
    return policy_match(config->policies, config->policy_count, &config->default_policy,
                        transaction);
}
