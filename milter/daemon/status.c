/* SPDX-License-Identifier: BSD-2-Clause */
/* status: see status.h. The keys are documented in ringback(1): scripts depend on them. */
#include "config.h"

#include "daemon/status.h"

#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "daemon/history.h"
#include "daemon/metrics.h"
#include "daemon/service.h"
#include "session/explain.h"

enum {
    STATUS_HOSTS_MAX = 1000, /* hosts held back that are listed; the rest is counted */
    STATUS_LIMITS_MAX = 100, /* shields and used up rates, likewise */
};

static json_t *verdict_counts(void)
{
    json_t *verdicts = json_object();

    for (int reason = RB_REASON_NONE + 1; reason < RB_REASON_MAX; reason++) {
        const char *verdict = rb_verdict_name(rb_reason_verdict(reason));
        uint64_t sum = 0;
        json_t *by_reason;

        for (int action = ACTION_ACCEPT; action <= ACTION_REJECT; action++)
            sum += metrics_decisions(reason, action);
        if (sum == 0)
            continue;
        by_reason = json_object_get(verdicts, verdict);
        if (by_reason == NULL) {
            by_reason = json_object();
            json_object_set_new(verdicts, verdict, by_reason);
        }
        json_object_set_new(by_reason, rb_reason_name(reason), json_integer((json_int_t)sum));
    }
    return verdicts;
}

static json_t *action_counts(void)
{
    json_t *actions = json_object();

    for (int action = ACTION_ACCEPT; action <= ACTION_REJECT; action++) {
        uint64_t sum = 0;

        for (int reason = RB_REASON_NONE + 1; reason < RB_REASON_MAX; reason++)
            sum += metrics_decisions(reason, action);
        json_object_set_new(actions, action_name(action), json_integer((json_int_t)sum));
    }
    return actions;
}

static json_t *skip_counts(void)
{
    json_t *skips = json_object();

    for (int exemption = EXEMPT_NOT + 1; exemption < EXEMPT_MAX; exemption++)
        json_object_set_new(skips, exemption_name(exemption),
                            json_integer((json_int_t)metrics_skips(exemption)));
    return skips;
}

static json_t *voucher_counts(void)
{
    json_t *vouched = json_object();

    for (int voucher = RB_VOUCHER_NOBODY; voucher < RB_VOUCHER_MAX; voucher++)
        json_object_set_new(vouched, rb_voucher_name((enum rb_voucher)voucher),
                            json_integer((json_int_t)metrics_vouchers((enum rb_voucher)voucher)));
    return vouched;
}

/* What those were told who asked whether we talk to them. */
static json_t *answer_counts(void)
{
    json_t *answers = json_object();

    for (int word = VERBS_YES; word <= VERBS_UNKNOWN; word++)
        json_object_set_new(answers, verbs_word_name((enum verbs_word)word),
                            json_integer((json_int_t)metrics_answers((enum verbs_word)word)));
    return answers;
}

/* Clients that were asked about: what was found, and of these what a host was called for. */
static json_t *connect_back_object(const struct rb_stats *stats)
{
    json_t *results = json_object(), *called = json_object();

    for (int i = RB_CLIENT_UNKNOWN; i < RB_CLIENT_MAX; i++) {
        const enum rb_client_result result = (enum rb_client_result)i;
        const char *name = rb_client_result_name(result);

        json_object_set_new(results, name, json_integer((json_int_t)metrics_clients(result)));
        json_object_set_new(called, name, json_integer((json_int_t)stats->clients[i]));
    }
    return json_pack("{s:I, s:I, s:o, s:o, s:o, s:I}", "questions",
                     (json_int_t)stats->client_questions, "known", (json_int_t)stats->client_known,
                     "called", called, "results", results, "answered", answer_counts(),
                     "answers_limited", (json_int_t)metrics_answers_limited());
}

static json_t *callout_object(const struct rb_stats *stats)
{
    json_t *by_result = json_object();
    uint64_t total = 0;

    for (int reason = RB_REASON_NONE + 1; reason < RB_REASON_MAX; reason++) {
        total += stats->callouts[reason];
        if (stats->callouts[reason] > 0)
            json_object_set_new(by_result, rb_reason_name(reason),
                                json_integer((json_int_t)stats->callouts[reason]));
    }
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "running",
                     (json_int_t)stats->running, "held", (json_int_t)stats->held, "resting",
                     (json_int_t)stats->resting, "pending", (json_int_t)stats->pending, "total",
                     (json_int_t)total, "connections", (json_int_t)stats->sessions, "coalesced",
                     (json_int_t)stats->coalesced, "busy", (json_int_t)stats->busy, "limited",
                     (json_int_t)stats->limited, "spf_fail", (json_int_t)stats->spf_fail,
                     "spf_softfail", (json_int_t)stats->spf_softfail, "not_vouched",
                     (json_int_t)stats->not_vouched, "results", by_result);
}

static json_t *cache_object(const struct rb_stats *stats, const struct config *config)
{
    return json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "hit", (json_int_t)stats->cache_hit, "stale",
        (json_int_t)stats->cache_stale, "miss", (json_int_t)stats->cache_miss, "settled_by_fact",
        (json_int_t)stats->settled_by_fact, "entries", (json_int_t)stats->cache_entries, "bytes",
        (json_int_t)stats->cache_bytes, "max_bytes",
        config->cache.store[0] != '\0' ? (json_int_t)config->cache.max_size : 0, "dropped_writes",
        (json_int_t)stats->dropped_writes);
}

/* What is held back: of each kind, the first that there are, and how many. */
struct held {
    json_t *hosts, *shields, *rates;
    size_t host_count, shield_count, rate_count;
    int64_t now_s;
};

static json_t *rate_object(const struct rb_held_back *held, const char *kind)
{
    return json_pack("{s:s, s:o, s:I}", "rate", kind, "of", json_text(held->what), "wait_ms",
                     (json_int_t)held->left_ms);
}

static void add_rate(struct held *all, const struct rb_held_back *held, const char *kind)
{
    if (all->rate_count++ < STATUS_LIMITS_MAX)
        json_array_append_new(all->rates, rate_object(held, kind));
}

static bool add_held(void *arg, const struct rb_held_back *held)
{
    struct held *all = arg;

    switch (held->by) {
    case RB_LIMIT_HOST:
        if (all->host_count++ < STATUS_HOSTS_MAX)
            json_array_append_new(all->hosts, json_held_host(held, all->now_s));
        break;
    case RB_LIMIT_SHIELD: /* forged in bulk, and left alone for so long */
        if (all->shield_count++ < STATUS_LIMITS_MAX)
            json_array_append_new(all->shields,
                                  json_pack("{s:o, s:I}", "domain", json_text(held->what), "held_s",
                                            (json_int_t)(held->until_s - all->now_s)));
        break;
    case RB_LIMIT_DOMAIN_RATE:
        add_rate(all, held, "domain");
        break;
    case RB_LIMIT_CLIENT_RATE:
        add_rate(all, held, "client");
        break;
    case RB_LIMIT_GLOBAL_RATE:
        add_rate(all, held, "global");
        break;
    default: /* holds back questions, and is nobody's */
        break;
    }
    return true;
}

static json_t *limits_object(const struct config *config)
{
    struct held held = {
        .hosts = json_array(), .shields = json_array(), .rates = json_array(), .now_s = time(NULL)};

    (void)rb_held_back_walk(service_world()->verifier, add_held, &held);
    return json_pack("{s:i, s:i, s:i, s:i, s:i, s:I, s:o, s:I, s:o, s:I, s:o}",
                     "per_domain_sessions", (int)config->limits.per_domain_sessions,
                     "per_host_sessions", (int)config->limits.per_host_sessions, "max_workers",
                     (int)config->callout.max_workers, "max_held", (int)config->callout.max_held,
                     "max_pending", (int)config->callout.max_pending, "hosts_held_back_count",
                     (json_int_t)held.host_count, "hosts_held_back", held.hosts, "shields_count",
                     (json_int_t)held.shield_count, "shields", held.shields, "rates_used_up_count",
                     (json_int_t)held.rate_count, "rates_used_up", held.rates);
}

/* What is wrong with who we say we are; null where that has not been looked at yet. */
static json_t *identity_warnings(void)
{
    struct identity identity;
    json_t *warnings;

    if (!service_identity(&identity))
        return json_null();
    warnings = json_array();
    for (size_t i = 0; i < identity.count; i++)
        json_array_append_new(warnings, json_text(identity.warning[i]));
    return warnings;
}

/* How long clients waited: so many, and within which time shares of them were done. */
static json_t *waits_object(const struct histogram_view *waits_ms)
{
    return json_pack("{s:I, s:I, s:I, s:I}", "count", (json_int_t)waits_ms->total, "p50_ms",
                     (json_int_t)histogram_quantile(waits_ms, 0.5), "p95_ms",
                     (json_int_t)histogram_quantile(waits_ms, 0.95), "p99_ms",
                     (json_int_t)histogram_quantile(waits_ms, 0.99));
}

static json_t *waits_since_start(void)
{
    struct histogram_view waits_ms;

    metrics_waits(&waits_ms);
    return waits_object(&waits_ms);
}

/* null where it is not kept (http). */
static json_t *last_hour(void)
{
    struct history_sum sum;
    json_t *decisions;

    if (!history_is_kept())
        return json_null();
    history_sum(60, &sum);
    decisions = json_object();
    for (int kind = 0; kind < HISTORY_KINDS; kind++)
        json_object_set_new(decisions, history_kind_name((enum history_kind)kind),
                            json_integer((json_int_t)sum.decisions[kind]));
    return json_pack("{s:o, s:o}", "decisions", decisions, "waits", waits_object(&sum.waits_ms));
}

static json_t *health_object(void)
{
    struct rb_health health;

    rb_health_init(&health);
    rb_verifier_health(service_world()->verifier, &health);
    return json_pack("{s:b, s:b, s:b, s:I, s:I}", "resolver", !health.dns_is_silent, "store",
                     !health.store_is_lost, "writes", !health.writes_are_lost, "name_servers",
                     (json_int_t)health.name_servers, "name_servers_silent",
                     (json_int_t)health.name_servers_silent);
}

/* The MTA's, of which last_age_s is null before the first. */
static json_t *sessions_object(int64_t now_s)
{
    const int64_t last_s = metrics_session_last_s();

    return json_pack("{s:I, s:I, s:o}", "open", (json_int_t)metrics_sessions_open(), "total",
                     (json_int_t)metrics_sessions_total(), "last_age_s",
                     last_s > 0 ? json_integer((json_int_t)(now_s - last_s)) : json_null());
}

/* Text of the configuration: "" stays "", where json_text makes null of it. */
static json_t *text_of_ours(const char *text)
{
    return text[0] != '\0' ? json_text(text) : json_string("");
}

json_t *status_object(void)
{
    struct config *config = service_config();
    struct rb_stats stats = {.size = sizeof stats};
    time_t now = time(NULL);
    json_t *object;

    rb_verifier_stats(service_world()->verifier, &stats);
    object = json_pack(
        "{s:s, s:i, s:I, s:o, s:I, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:o, "
        "s:o, s:o, s:o, s:o, s:o, s:o}",
        "version", PACKAGE_VERSION, "pid", (int)getpid(), "uptime_s",
        (json_int_t)(now - service_started()), "config", text_of_ours(config->path), "config_age_s",
        (json_int_t)(now - service_configured()), "hostname", json_text(config->hostname),
        "dry_run", (int)config->dry_run, "listen", text_of_ours(config->listen), "http",
        text_of_ours(config->http), "sessions", sessions_object(now), "health", health_object(),
        "waits", waits_since_start(), "last_hour", last_hour(), "callouts", callout_object(&stats),
        "retries_scheduled", (json_int_t)stats.retries_scheduled, "verdicts", verdict_counts(),
        "actions", action_counts(), "skipped", skip_counts(), "vouched", voucher_counts(),
        "connect_back", connect_back_object(&stats), "cache", cache_object(&stats, config),
        "limits", limits_object(config), "identity_warnings", identity_warnings());
    config_put(config);
    return object;
}

/* --- Explaining ----------------------------------------------------------- */

/* Which process explains, and by which configuration. */
static void tell_who(json_t *object, const struct config *config)
{
    struct stat file;
    bool is_there = stat(config->path, &file) == 0;

    json_object_set_new(object, "pid", json_integer(getpid()));
    json_object_set_new(object, "config", text_of_ours(config->path));
    json_object_set_new(object, "config_dev",
                        json_integer(is_there ? (json_int_t)file.st_dev : -1));
    json_object_set_new(object, "config_ino",
                        json_integer(is_there ? (json_int_t)file.st_ino : -1));
    json_object_set_new(object, "config_age_s", json_integer(time(NULL) - service_configured()));
    json_object_set_new(object, "config_changed", json_boolean(service_config_changed()));
}

json_t *status_explain(const char *text)
{
    struct config *config = service_config();
    json_t *request = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    json_t *object = explain_object(service_world()->verifier, config, request);

    if (object != NULL)
        tell_who(object, config);
    json_decref(request);
    config_put(config);
    return object;
}
