/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * verifier: opened, given new options, stopped, closed, looked into; see verifier.h. How a question
 * goes is api.c's.
 */
#include "config.h"

#include "verifier/verifier.h"

#include "base/sized.h"
#include "base/text.h"
#include "verifier/jobs.h"
#include "verifier/submit.h"
#include "smtp/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* A callout takes milliseconds next door, and total_timeout at most. */
static const int64_t DURATION_BOUNDS_MS[] = {10,   25,   50,    100,   250,   500,    1000,
                                             2500, 5000, 10000, 30000, 60000, 120000, -1};

/* --- Opening and closing -------------------------------------------------- */

/*
 * The key of catch-all probes: the same after a restart, or greylists would never come to know
 * them, and not to be guessed by the hosts that are probed.
 */
static void make_probe_key(const char *helo_name, uint8_t key[32])
{
    char text[64 + RB_DOMAIN_MAX + 32] = "ringback probe ";
    size_t len = strlen(text);
    int fd = open("/etc/machine-id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text + len, 64) : 0;

    if (fd >= 0)
        close(fd);
    if (n > 0)
        len += (size_t)n;
    len += (size_t)snprintf(text + len, sizeof text - len, " %s", helo_name);
    SHA256((const unsigned char *)text, len, key);
}

static void destroy(struct rb_verifier *verifier)
{
    retry_close(verifier->retry); /* it asks until then */
    sched_close(verifier->sched);
    memory_close(&verifier->memory);
    gate_fini(&verifier->gate);
    inflight_fini(&verifier->inflight);
    limits_fini(&verifier->limits);
    snapshots_fini(&verifier->snapshots);
    tls_context_free(verifier->tls_context);
    if (verifier->cancel_fd >= 0)
        close(verifier->cancel_fd);
    free(verifier);
}

static struct sched_limits limits_of(const struct rb_options *o)
{
    return (struct sched_limits){
        .workers_max = o->max_workers,
        .max_held = o->max_held,
        .max_pending = o->max_pending,
        .per_domain_sessions = o->per_domain_sessions,
        .per_host_sessions = o->per_host_sessions,
    };
}

/* A look-up for the gate, or for health. */
static void look_up(void *arg, struct sched_lookup *lookup, struct stall_call *call)
{
    struct rb_verifier *verifier = arg;

    if (health_owns(&verifier->health, lookup))
        health_look_up(verifier, call);
    else
        gate_look_up(verifier, lookup, call);
}

static enum rb_error open_sched(struct rb_verifier *verifier, const struct rb_options *o)
{
    const struct sched_limits limits = limits_of(o);
    const struct sched_hooks hooks = {.run = jobs_run, .look_up = look_up, .arg = verifier};

    return sched_open(&limits, &hooks, verifier->clock, &verifier->sched);
}

static void dns_is_silent(void *arg, int64_t silent_ms)
{
    struct rb_verifier *verifier = arg;
    const struct rb_observer *observer = &verifier->observer;
    char text[80];

    atomic_store(&verifier->dns_is_silent, true);
    if (observer->event == NULL)
        return;
    (void)snprintf(text, sizeof text, "no name server has answered for %lld s",
                   (long long)(silent_ms / 1000));
    observer->event(observer->arg, RB_EVENT_DNS_SILENT, text);
}

static void dns_answers(void *arg)
{
    struct rb_verifier *verifier = arg;
    const struct rb_observer *observer = &verifier->observer;

    atomic_store(&verifier->dns_is_silent, false);
    if (observer->event != NULL)
        observer->event(observer->arg, RB_EVENT_DNS_ANSWERS, "a name server answers again");
}

/* Before anybody can see the snapshot. */
static void watch_dns(struct rb_verifier *verifier, struct snapshot *snapshot)
{
    const struct dns_watch watch = {.silent = dns_is_silent,
                                    .answered = dns_answers,
                                    .arg = verifier,
                                    .is_told = atomic_load(&verifier->dns_is_silent)};

    dns_set_watch(snapshot->dns, &watch);
}

static enum rb_error open_parts(struct rb_verifier *verifier, const struct rb_options *options,
                                char *detail, size_t detail_size)
{
    const struct retry_hooks hooks = {.ask_again = submit_again, .arg = verifier};
    const struct rb_options *o;
    enum rb_error error;

    verifier->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (verifier->cancel_fd < 0)
        return RB_ERR_SYSTEM;
    error = snapshot_new(options, verifier->cancel_fd, &verifier->snapshots.current, detail,
                         detail_size);
    if (error != RB_OK)
        return error;
    o = &verifier->snapshots.current->options->o;
    verifier->clock = o->clock;
    verifier->observer = o->observer;
    watch_dns(verifier, verifier->snapshots.current);
    make_probe_key(o->helo_name, verifier->probe_key);
    verifier->tls_context = tls_context_new();
    if (verifier->tls_context == NULL)
        return RB_ERR_SYSTEM;
    inflight_init(&verifier->inflight, verifier->clock);
    error = gate_init(&verifier->gate, verifier->clock);
    if (error == RB_OK)
        error = limits_init(&verifier->limits);
    if (error == RB_OK)
        error = open_sched(verifier, o);
    if (error == RB_OK)
        error = memory_open(&verifier->memory, o, detail, detail_size);
    if (error == RB_OK && verifier->memory.cache != NULL && !o->store_read_only)
        error = retry_open(verifier->memory.cache, verifier->clock, &hooks, &verifier->retry);
    return error == RB_OK ? retry_configure(verifier->retry, o) : error;
}

enum rb_error rb_verifier_open(const struct rb_options *options, struct rb_verifier **verifier,
                               char *detail, size_t detail_size)
{
    struct rb_verifier *made = calloc(1, sizeof *made);
    enum rb_error error;
    int saved;

    *verifier = NULL;
    if (detail != NULL && detail_size > 0)
        detail[0] = '\0';
    if (made == NULL)
        return RB_ERR_NOMEM;
    made->cancel_fd = -1;
    histogram_init(&made->counters.durations, DURATION_BOUNDS_MS);
    snapshots_init(&made->snapshots);
    error = open_parts(made, options, detail, detail_size);
    if (error == RB_OK) {
        *verifier = made;
        return RB_OK;
    }
    saved = errno;
    destroy(made);
    errno = saved;
    return error;
}

enum rb_error rb_verifier_set_options(struct rb_verifier *verifier,
                                      const struct rb_options *options)
{
    struct snapshot *fresh;
    enum rb_error error = snapshot_new(options, verifier->cancel_fd, &fresh, NULL, 0);
    struct rb_lifetimes lifetimes;
    struct sched_limits limits;

    if (error == RB_OK && fresh->options->o.clock != verifier->clock)
        error = RB_ERR_ARGUMENT; /* deadlines under way are on the other */
    if (error == RB_OK)
        error = retry_configure(verifier->retry, &fresh->options->o);
    if (error != RB_OK) {
        snapshot_put(fresh);
        return error;
    }
    watch_dns(verifier, fresh);
    lifetimes = fresh->options->o.lifetimes;
    limits = limits_of(&fresh->options->o);
    snapshots_replace(&verifier->snapshots, fresh);
    sched_set_limits(verifier->sched, &limits);
    if (verifier->memory.cache != NULL) {
        cache_set_lifetimes(verifier->memory.cache, &lifetimes);
        cache_check(verifier->memory.cache);
    }
    return RB_OK;
}

/*
 * Those whose questions wait are answered; those whose callouts are under way, which end now, are
 * told that there will be no answer. The gate and sched come first: what is submitted from then on
 * is refused, so that whoever comes after inflight_stop does not wait.
 */
void rb_verifier_stop(struct rb_verifier *verifier)
{
    struct address_record record;
    struct snapshot *snapshot = snapshots_get(&verifier->snapshots);
    struct callout_item *item, *next;

    verifier_moment(verifier, RB_REASON_TIMEOUT, "shutting_down", &record);
    atomic_store(&verifier->stopping, true);
    gate_stop(verifier);
    item = sched_stop(verifier->sched);
    (void)!eventfd_write(verifier->cancel_fd, 1);
    for (; item != NULL; item = next) {
        next = item->next;
        jobs_finish(verifier, snapshot->options, question_of(item), &record);
    }
    inflight_stop(&verifier->inflight);
    snapshot_put(snapshot);
}

/* Whether all that was to be written since the cache was opened has been. */
static bool has_kept_all(const struct memory *memory)
{
    return memory->cache == NULL || cache_has_kept_all(memory->cache);
}

enum rb_error rb_verifier_flush(struct rb_verifier *verifier)
{
    return has_kept_all(&verifier->memory) ? RB_OK : RB_ERR_STORE;
}

enum rb_error rb_verifier_close(struct rb_verifier *verifier)
{
    bool has_kept;

    if (verifier == NULL)
        return RB_OK;
    if (atomic_load(&verifier->tickets_held) > 0)
        return RB_ERR_BUSY;
    rb_verifier_stop(verifier);
    sched_join(verifier->sched);
    retry_close(verifier->retry);
    verifier->retry = NULL;
    has_kept = has_kept_all(&verifier->memory);
    destroy(verifier);
    return has_kept ? RB_OK : RB_ERR_STORE;
}

/* --- Looking in ----------------------------------------------------------- */

void rb_verifier_stats(struct rb_verifier *verifier, struct rb_stats *stats)
{
    const struct counters *counters = &verifier->counters;
    struct sched_gauges gauges;
    struct cache_stats cache = {0};
    struct rb_stats made = {
        .size = sizeof made,
        .questions = atomic_load(&counters->questions),
        .cache_hit = atomic_load(&counters->cache_hit),
        .cache_stale = atomic_load(&counters->cache_stale),
        .cache_miss = atomic_load(&counters->cache_miss),
        .coalesced = atomic_load(&counters->coalesced),
        .settled_by_fact = atomic_load(&counters->settled_by_fact),
        .sessions = atomic_load(&counters->sessions),
        .busy = atomic_load(&counters->busy),
        .limited = atomic_load(&counters->limited),
        .spf_fail = atomic_load(&counters->spf_fail),
        .spf_softfail = atomic_load(&counters->spf_softfail),
        .not_vouched = atomic_load(&counters->not_vouched),
        .client_questions = atomic_load(&counters->client_questions),
        .client_known = atomic_load(&counters->client_known),
    };

    for (int i = 0; i < RB_REASON_MAX; i++)
        made.callouts[i] = atomic_load(&counters->callouts[i]);
    for (int i = 0; i < RB_CLIENT_MAX; i++)
        made.clients[i] = atomic_load(&counters->clients[i]);
    if (verifier->memory.cache != NULL &&
        cache_get_stats(verifier->memory.cache, &cache) == RB_OK) {
        made.cache_entries = cache.addresses;
        made.cache_bytes = cache.bytes;
        made.dropped_writes = cache.dropped;
    }
    made.retries_scheduled = retry_count(verifier->retry);
    sched_get_gauges(verifier->sched, &gauges);
    made.running = gauges.running;
    made.held = gauges.stalled;
    made.resting = gauges.idle;
    made.pending = gauges.pending + gate_waiting(&verifier->gate);
    (void)sized_write(stats, SIZED_STATS, &made, sizeof made);
}

_Static_assert((int)RB_DURATION_BUCKETS >= (int)HISTOGRAM_BUCKETS_MAX, "whatever is counted fits");

void rb_callout_durations(struct rb_verifier *verifier, struct rb_durations *durations)
{
    struct rb_durations made = {.size = sizeof made};
    struct histogram_view view;

    histogram_look(&verifier->counters.durations, &view);
    made.buckets = view.buckets;
    made.total = view.total;
    made.sum_ms = view.sum;
    for (unsigned i = 0; i < view.buckets; i++) {
        made.bound_ms[i] = view.bounds[i];
        made.count[i] = view.counts[i];
    }
    (void)sized_write(durations, SIZED_DURATIONS, &made, sizeof made);
}
