/* SPDX-License-Identifier: BSD-2-Clause */
/* sched: its way in: each function takes the lock and hands on; see sched.h. */
#include "config.h"

#include "sched/sched.h"

#include "base/clock.h"
#include "sched/threads.h"

#include <stdlib.h>

/* --- Opening and closing --------------------------------------------------- */

static void apply(struct sched *sched, const struct sched_limits *limits)
{
    sched->limits = *limits;
    sched->destinations.sessions_max = limits->per_domain_sessions;
    sched->hostslots.sessions_max = limits->per_host_sessions;
}

enum rb_error sched_open(const struct sched_limits *limits, const struct sched_hooks *hooks,
                         const struct rb_clock *clock, struct sched **sched)
{
    struct sched *made = calloc(1, sizeof *made);

    *sched = made;
    if (made == NULL)
        return RB_ERR_NOMEM;
    made->clock = clock;
    made->hooks = *hooks;
    made->workers_max = limits->workers_max;
    apply(made, limits);
    pthread_mutex_init(&made->lock, NULL);
    clock_init_cond(&made->watcher_called);
    clock_init_cond(&made->thread_ended);
    return RB_OK;
}

void sched_set_limits(struct sched *sched, const struct sched_limits *limits)
{
    pthread_mutex_lock(&sched->lock);
    apply(sched, limits);
    threads_dispatch(sched); /* there may be room for what waits */
    pthread_mutex_unlock(&sched->lock);
}

struct callout_item *sched_stop(struct sched *sched)
{
    struct callout_item *items;

    pthread_mutex_lock(&sched->lock);
    sched->stopping = true;
    threads_wake_all(sched);
    items = destinations_drain(&sched->destinations);
    pthread_mutex_unlock(&sched->lock);
    return items;
}

void sched_join(struct sched *sched)
{
    threads_join(sched);
}

void sched_close(struct sched *sched)
{
    if (sched == NULL)
        return;
    hostslots_free(&sched->hostslots);
    destinations_free(&sched->destinations);
    pthread_cond_destroy(&sched->watcher_called);
    pthread_cond_destroy(&sched->thread_ended);
    pthread_mutex_destroy(&sched->lock);
    free(sched);
}

/* --- Questions ------------------------------------------------------------- */

/* Under the lock. */
static enum sched_push push(struct sched *sched, const char *relay, const char *domain,
                            struct callout_item *item)
{
    if (sched->stopping)
        return SCHED_STOPPED;
    if (sched->destinations.pending >= sched->limits.max_pending)
        return SCHED_FULL;
    /* An item that nobody comes for would wait for ever. */
    if (!threads_has_worker(sched) ||
        destinations_push(&sched->destinations, relay, domain, item) != RB_OK)
        return SCHED_NO_WORKER;
    threads_dispatch(sched);
    return SCHED_PUSHED;
}

enum sched_push sched_push(struct sched *sched, const char *relay, const char *domain,
                           struct callout_item *item)
{
    enum sched_push pushed;

    pthread_mutex_lock(&sched->lock);
    pushed = push(sched, relay, domain, item);
    pthread_mutex_unlock(&sched->lock);
    return pushed;
}

enum rb_error sched_push_lookup(struct sched *sched, struct sched_lookup *lookup)
{
    enum rb_error error = RB_OK;

    pthread_mutex_lock(&sched->lock);
    if (!sched->stopping && threads_has_worker(sched)) {
        DL_APPEND(sched->lookups, lookup);
        sched->lookups_waiting++;
        threads_dispatch(sched);
    } else if (!sched->stopping) {
        error = RB_ERR_NOMEM;
    }
    pthread_mutex_unlock(&sched->lock);
    return error;
}

bool sched_has_session_with(struct sched *sched, const char *relay, const char *domain,
                            const char *mx)
{
    bool has;

    pthread_mutex_lock(&sched->lock);
    has = destinations_have_session_with(&sched->destinations, relay, domain, mx);
    pthread_mutex_unlock(&sched->lock);
    return has;
}

unsigned sched_pending(const struct sched *sched)
{
    return atomic_load(&sched->destinations.pending);
}

void sched_get_gauges(struct sched *sched, struct sched_gauges *gauges)
{
    pthread_mutex_lock(&sched->lock);
    gauges->pending = sched->destinations.pending;
    gauges->running = sched->destinations.running;
    gauges->stalled = threads_stalled(sched);
    gauges->idle = sched->destinations.idle_count;
    pthread_mutex_unlock(&sched->lock);
}

/* --- For a callout ---------------------------------------------------------- */

const char *sched_relay(const struct sched_callout *callout)
{
    return callout->destination->relay;
}

const char *sched_domain(const struct sched_callout *callout)
{
    return callout->destination->domain;
}

/* Under the lock. What waited with this verb for the callout may want a worker now. */
static void dispatch_others(struct sched *sched, const struct callout_item *given)
{
    if (given != NULL && given->verb != NULL)
        threads_dispatch(sched);
}

struct callout_item *sched_take(struct sched *sched, struct sched_callout *callout)
{
    struct callout_item *item = NULL;

    if (callout->destination->waiting == 0) /* what comes just now, the callout's end makes ready */
        return NULL;
    pthread_mutex_lock(&sched->lock);
    if (!sched->stopping)
        item = destinations_take(&sched->destinations, callout);
    dispatch_others(sched, item);
    pthread_mutex_unlock(&sched->lock);
    return item;
}

bool sched_put_back(struct sched *sched, struct sched_callout *callout, struct callout_item *item)
{
    bool taken;

    pthread_mutex_lock(&sched->lock);
    taken = !sched->stopping;
    if (taken)
        destinations_put_back(&sched->destinations, callout->destination, item);
    pthread_mutex_unlock(&sched->lock);
    return taken;
}

/* Under the lock. */
static bool idling_pays(const struct sched *sched, const struct sched_callout *callout,
                        const char *host, int64_t idle_ms)
{
    const struct destination *destination = callout->destination;

    return (callout->awaits_verb || destination->gap_ms <= idle_ms) && !sched->stopping &&
           destination->blocked_on == NULL && destination->reserved == NULL &&
           sched->destinations.ready_count <= sched->workers_free &&
           !hostslots_has_blocked(&sched->hostslots, host);
}

bool sched_may_keep_alive(struct sched *sched, struct sched_callout *callout, const char *host,
                          int64_t idle_ms)
{
    bool pays;

    pthread_mutex_lock(&sched->lock);
    pays = idling_pays(sched, callout, host, idle_ms);
    pthread_mutex_unlock(&sched->lock);
    return pays;
}

struct callout_item *sched_keep_alive(struct sched *sched, struct sched_callout *callout,
                                      const char *host, int64_t idle_ms)
{
    const struct timespec until = clock_timespec_in_ms(idle_ms);
    struct callout_item *item = NULL;
    struct idle_session idle;
    int error = 0;

    pthread_mutex_lock(&sched->lock);
    if (idling_pays(sched, callout, host, idle_ms)) {
        stall_leave(&sched->callouts, &callout->stall);
        idle_begin(&idle, &sched->destinations, callout, host);
        while (!idle.is_over && error == 0)
            error = pthread_cond_timedwait(&idle.woken, &sched->lock, &until);
        item = idle_finish(&idle, &sched->destinations);
        stall_enter(&sched->callouts, &callout->stall, clock_monotonic_ms(sched->clock));
        dispatch_others(sched, item);
    }
    pthread_mutex_unlock(&sched->lock);
    return item;
}

enum callout_probe sched_begin_probe(struct sched *sched, struct sched_callout *callout,
                                     struct callout_item *item,
                                     const struct address_record *accepted, int64_t ttl_s,
                                     struct fact *catch_all)
{
    const int64_t now_s = clock_wall_s(sched->clock);
    enum callout_probe turn;

    pthread_mutex_lock(&sched->lock);
    turn = destination_begin_probe(callout->destination, item, accepted, ttl_s, now_s, catch_all);
    pthread_mutex_unlock(&sched->lock);
    return turn;
}

struct callout_item *sched_end_probe(struct sched *sched, struct sched_callout *callout,
                                     const struct fact *catch_all)
{
    struct callout_item *parked;

    pthread_mutex_lock(&sched->lock);
    parked = destination_end_probe(callout->destination, catch_all);
    pthread_mutex_unlock(&sched->lock);
    return parked;
}

/* --- Its mail hosts ---------------------------------------------------------- */

enum callout_permission sched_host_enter(struct sched *sched, struct sched_callout *callout,
                                         const char *mx, const char *host, bool on_trial)
{
    const int64_t now_ms = clock_monotonic_ms(sched->clock);
    enum callout_permission leave;

    pthread_mutex_lock(&sched->lock);
    leave = hostslots_enter(&sched->hostslots, &sched->destinations, callout->destination, host,
                            on_trial, now_ms);
    if (leave == CALLOUT_CALL)
        (void)destinations_set_mx(&sched->destinations, callout, mx);
    else if (leave == CALLOUT_FULL)
        (void)idle_evict(&sched->destinations, host);
    pthread_mutex_unlock(&sched->lock);
    return leave;
}

void sched_host_leave(struct sched *sched, struct sched_callout *callout, const char *host,
                      const struct sched_contact *contact)
{
    pthread_mutex_lock(&sched->lock);
    threads_leave_host(sched, callout, host, contact);
    pthread_mutex_unlock(&sched->lock);
}

enum sched_excess sched_turned_away(struct sched *sched, struct sched_callout *callout,
                                    const char *host, bool may_lag, struct sched_contact *contact)
{
    const int64_t now_ms = clock_monotonic_ms(sched->clock);
    enum sched_excess excess;

    pthread_mutex_lock(&sched->lock);
    excess = hostslots_turned_away(&sched->hostslots, &sched->destinations, callout->destination,
                                   host, may_lag, contact, now_ms);
    if (excess == SCHED_OTHERS)
        (void)idle_evict(&sched->destinations, host);
    pthread_mutex_unlock(&sched->lock);
    return excess;
}

void sched_pause_host(struct sched *sched, const char *host)
{
    const int64_t now_ms = clock_monotonic_ms(sched->clock);

    pthread_mutex_lock(&sched->lock);
    hostslots_pause(&sched->hostslots, host, now_ms);
    pthread_mutex_unlock(&sched->lock);
}

bool sched_host_answered(struct sched *sched, const char *host)
{
    const int64_t now_ms = clock_monotonic_ms(sched->clock);
    bool answered;

    pthread_mutex_lock(&sched->lock);
    answered = hostslots_has_answered(&sched->hostslots, host, now_ms);
    pthread_mutex_unlock(&sched->lock);
    return answered;
}
