/* SPDX-License-Identifier: BSD-2-Clause */
/* exposition: see the header. Samples that a family can have are all there from the start, so that
 * rates are right from the first one on; of transactions those whose action is accept. */
#include "config.h"

#include "http/exposition.h"

#include <string.h>

#include "base/clock.h"
#include "daemon/metrics.h"
#include "daemon/service.h"

/* What is held back, by enum rb_limit. Of the server's thread alone. */
struct held {
    int64_t until_ms; /* it is good */
    uint64_t count[RB_LIMIT_MAX];
};

/* What one answer is made of. */
struct scrape {
    FILE *out;
    struct config *config;
    struct rb_stats stats;
    struct rb_durations durations;
    struct rb_health health;
    const struct held *held;
};

struct family {
    const char *name, *type, *help;
    void (*write)(struct scrape *s, const char *name);
    double (*number)(struct scrape *s); /* or this one */
};

/* --- Samples ---------------------------------------------------------------- */

static void write_sample(struct scrape *s, const char *name, const char *label, const char *value,
                         uint64_t number)
{
    (void)fprintf(s->out, "%s{%s=\"%s\"} %llu\n", name, label, value, (unsigned long long)number);
}

/* Buckets are cumulative here. The sum is of milliseconds. */
static void write_histogram(struct scrape *s, const char *name, const int64_t *bounds_ms,
                            const uint64_t *counts, size_t buckets, uint64_t sum_ms)
{
    uint64_t total = 0;

    for (size_t i = 0; i < buckets; i++) {
        total += counts[i];
        if (bounds_ms[i] >= 0)
            (void)fprintf(s->out, "%s_bucket{le=\"%g\"} %llu\n", name, (double)bounds_ms[i] / 1000,
                          (unsigned long long)total);
    }
    (void)fprintf(s->out, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum %.3f\n%s_count %llu\n", name,
                  (unsigned long long)total, name, (double)sum_ms / 1000, name,
                  (unsigned long long)total);
}

/* Numbers between those of reasons that there are. */
static bool is_reason(int reason)
{
    return rb_reason_name((enum rb_reason)reason)[0] != '?';
}

/* --- The daemon ------------------------------------------------------------- */

static double identity_warnings(void)
{
    struct identity identity;

    return service_identity(&identity) ? (double)identity.count : 0;
}

static void write_build_info(struct scrape *s, const char *name)
{
    write_sample(s, name, "version", PACKAGE_VERSION, 1);
}

static void write_healthy(struct scrape *s, const char *name)
{
    write_sample(s, name, "part", "resolver", !s->health.dns_is_silent);
    write_sample(s, name, "part", "store", !s->health.store_is_lost);
    write_sample(s, name, "part", "writes", !s->health.writes_are_lost);
}

static void write_transactions(struct scrape *s, const char *name)
{
    for (int reason = RB_REASON_NONE + 1; reason < RB_REASON_MAX; reason++) {
        const enum rb_reason of = (enum rb_reason)reason;

        for (int action = ACTION_ACCEPT; action <= ACTION_REJECT && is_reason(reason); action++) {
            const uint64_t count = metrics_decisions(of, (enum action)action);

            if (count > 0 || action == ACTION_ACCEPT)
                (void)fprintf(s->out, "%s{verdict=\"%s\",reason=\"%s\",action=\"%s\"} %llu\n", name,
                              rb_verdict_name(rb_reason_verdict(of)), rb_reason_name(of),
                              action_name((enum action)action), (unsigned long long)count);
        }
    }
}

static void write_skipped(struct scrape *s, const char *name)
{
    for (int i = EXEMPT_NOT + 1; i < EXEMPT_MAX; i++)
        write_sample(s, name, "reason", exemption_name((enum exemption)i),
                     metrics_skips((enum exemption)i));
}

static void write_vouched(struct scrape *s, const char *name)
{
    for (int i = RB_VOUCHER_NOBODY; i < RB_VOUCHER_MAX; i++)
        write_sample(s, name, "by", rb_voucher_name((enum rb_voucher)i),
                     metrics_vouchers((enum rb_voucher)i));
}

static void write_waits(struct scrape *s, const char *name)
{
    struct histogram_view view;

    metrics_waits(&view);
    write_histogram(s, name, view.bounds, view.counts, view.buckets, view.sum);
}

static void write_guessers(struct scrape *s, const char *name)
{
    write_sample(s, name, "treatment", "slowed", metrics_guesses(GUESSER_SLOWED));
    write_sample(s, name, "treatment", "barred", metrics_guesses(GUESSER_BARRED));
}

/* --- The verifier ----------------------------------------------------------- */

static void write_lookups(struct scrape *s, const char *name)
{
    write_sample(s, name, "result", "hit", s->stats.cache_hit);
    write_sample(s, name, "result", "stale", s->stats.cache_stale);
    write_sample(s, name, "result", "miss", s->stats.cache_miss);
}

static void write_not_called(struct scrape *s, const char *name)
{
    write_sample(s, name, "reason", "limited", s->stats.limited);
    write_sample(s, name, "reason", "busy", s->stats.busy);
    write_sample(s, name, "reason", "spf_fail", s->stats.spf_fail);
    write_sample(s, name, "reason", "spf_softfail", s->stats.spf_softfail);
    write_sample(s, name, "reason", "not_vouched", s->stats.not_vouched);
}

static void write_callouts(struct scrape *s, const char *name)
{
    for (int reason = RB_REASON_NONE + 1; reason < RB_REASON_MAX; reason++)
        if (is_reason(reason))
            write_sample(s, name, "result", rb_reason_name((enum rb_reason)reason),
                         s->stats.callouts[reason]);
}

static void write_durations(struct scrape *s, const char *name)
{
    write_histogram(s, name, s->durations.bound_ms, s->durations.count, s->durations.buckets,
                    s->durations.sum_ms);
}

static void write_rates(struct scrape *s, const char *name)
{
    write_sample(s, name, "rate", "domain", s->held->count[RB_LIMIT_DOMAIN_RATE]);
    write_sample(s, name, "rate", "client", s->held->count[RB_LIMIT_CLIENT_RATE]);
    write_sample(s, name, "rate", "global", s->held->count[RB_LIMIT_GLOBAL_RATE]);
}

/* --- Connect back ----------------------------------------------------------- */

static void write_clients(struct scrape *s, const char *name)
{
    for (int i = RB_CLIENT_UNKNOWN; i < RB_CLIENT_MAX; i++)
        write_sample(s, name, "result", rb_client_result_name((enum rb_client_result)i),
                     metrics_clients((enum rb_client_result)i));
}

static void write_clients_called(struct scrape *s, const char *name)
{
    for (int i = RB_CLIENT_UNKNOWN; i < RB_CLIENT_MAX; i++)
        write_sample(s, name, "result", rb_client_result_name((enum rb_client_result)i),
                     s->stats.clients[i]);
}

static void write_answers(struct scrape *s, const char *name)
{
    for (int word = VERBS_YES; word <= VERBS_UNKNOWN; word++)
        write_sample(s, name, "answer", verbs_word_name((enum verbs_word)word),
                     metrics_answers((enum verbs_word)word));
}

/* --- Families --------------------------------------------------------------- */

#define FAMILY(name, type, help, writer)
#define NUMBER(name, type, help, value)                                                            \
    static double number_of_##name(struct scrape *s)                                               \
    {                                                                                              \
        (void)s;                                                                                   \
        return value;                                                                              \
    }
#include "http/exposition_families.def"
#undef FAMILY
#undef NUMBER

static const struct family families[] = {
#define FAMILY(name, type, help, writer) {#name, type, help, write_##writer, NULL},
#define NUMBER(name, type, help, value) {#name, type, help, NULL, number_of_##name},
#include "http/exposition_families.def"
#undef FAMILY
#undef NUMBER
};

static void write_family(struct scrape *s, const struct family *family)
{
    (void)fprintf(s->out, "# HELP %s %s\n# TYPE %s %s\n", family->name, family->help, family->name,
                  family->type);
    if (family->write != NULL)
        family->write(s, family->name);
    else
        (void)fprintf(s->out, "%s %.15g\n", family->name, family->number(s));
}

/* --- All of it -------------------------------------------------------------- */

static bool count_held(void *arg, const struct rb_held_back *found)
{
    struct held *held = arg;

    if ((unsigned)found->by < RB_LIMIT_MAX)
        held->count[found->by]++;
    return true;
}

static const struct held *look_at_held(struct rb_verifier *verifier)
{
    static struct held held;
    const int64_t now_ms = clock_monotonic_ms(clock_system());

    if (now_ms >= held.until_ms) {
        held = (struct held){.until_ms = now_ms + EXPOSITION_HELD_S * INT64_C(1000)};
        (void)rb_held_back_walk(verifier, count_held, &held);
    }
    return &held;
}

unsigned exposition_write(const struct http_request *request, FILE *out)
{
    struct rb_verifier *verifier = service_world()->verifier;
    struct scrape s = {.out = out, .config = service_config(), .held = look_at_held(verifier)};

    (void)request;
    rb_stats_init(&s.stats);
    rb_durations_init(&s.durations);
    rb_health_init(&s.health);
    rb_verifier_stats(verifier, &s.stats);
    rb_callout_durations(verifier, &s.durations);
    rb_verifier_health(verifier, &s.health);
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
        write_family(&s, &families[i]);
    config_put(s.config);
    return 200;
}
