/* SPDX-License-Identifier: BSD-2-Clause */
/* sched: its way in: each function takes the lock and hands on; see sched.h. */
#include "config.h"

#include "sched/sched.h"

#include "base/clock.h"
#include "sched/threads.h"

#include <stdlib.h>

/* --- Opening and closing --------------------------------------------------- */

static void init_locks(struct sched *sched)
{
    pthread_condattr_t attributes;

    pthread_mutex_init(&sched->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&sched->watch, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_cond_init(&sched->thread_ended, NULL);
}

enum rb_error sched_open(const struct sched_limits *limits, const struct sched_hooks *hooks,
                         const struct rb_clock *clock, struct sched **sched)
{
    *sched = calloc(1, sizeof **sched);
    if (*sched == NULL)
        return RB_ERR_NOMEM;
    (*sched)->clock = clock;
    (*sched)->hooks = *hooks;
    (*sched)->limits = *limits;
    init_locks(*sched);
    return RB_OK;
}

void sched_set_limits(struct sched *sched, const struct sched_limits *limits)
{
    unsigned workers_max;

    pthread_mutex_lock(&sched->lock);
    workers_max = sched->limits.workers_max;
    sched->limits = *limits;
    sched->limits.workers_max = workers_max;
    pthread_mutex_unlock(&sched->lock);
}

struct callout_item *sched_stop(struct sched *sched)
{
    struct callout_item *items = NULL, *item;

    pthread_mutex_lock(&sched->lock);
    sched->stopping = true;
    threads_wake_all(sched);
    while ((item = queue_drain(&sched->queue)) != NULL) {
        item->next = items;
        items = item;
    }
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
    slots_free(&sched->slots);
    queue_free(&sched->queue);
    pthread_cond_destroy(&sched->watch);
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
    if (sched->queue.pending >= sched->limits.max_pending)
        return SCHED_FULL;
    /* An item that nobody comes for would wait for ever. */
    if (!threads_any(sched) ||
        queue_push(&sched->queue, relay, domain, item, sched->limits.per_domain_sessions) != RB_OK)
        return SCHED_NO_WORKER;
    threads_call(sched);
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
    if (!sched->stopping && threads_any(sched)) {
        DL_APPEND(sched->lookups, lookup);
        sched->lookups_waiting++;
        threads_call(sched);
    } else if (!sched->stopping) {
        error = RB_ERR_NOMEM;
    }
    pthread_mutex_unlock(&sched->lock);
    return error;
}

unsigned sched_pending(const struct sched *sched)
{
    return atomic_load(&sched->queue.pending);
}

void sched_get_gauges(struct sched *sched, struct sched_gauges *gauges)
{
    pthread_mutex_lock(&sched->lock);
    gauges->pending = sched->queue.pending;
    gauges->running = sched->queue.running;
    gauges->stalled = threads_stalled(sched);
    gauges->idle = sched->queue.resting_count;
    pthread_mutex_unlock(&sched->lock);
}

/* --- For a callout ---------------------------------------------------------- */

const char *sched_relay(const struct destination *destination)
{
    return destination->relay;
}

const char *sched_domain(const struct destination *destination)
{
    return destination->domain;
}

struct callout_item *sched_take(struct sched *sched, struct destination *destination)
{
    struct callout_item *item = NULL;

    pthread_mutex_lock(&sched->lock);
    if (!sched->stopping)
        item = queue_take(&sched->queue, destination);
    pthread_mutex_unlock(&sched->lock);
    return item;
}

bool sched_put_back(struct sched *sched, struct destination *destination, struct callout_item *item)
{
    bool taken;

    pthread_mutex_lock(&sched->lock);
    taken = !sched->stopping;
    if (taken)
        queue_put_back(&sched->queue, destination, item);
    pthread_mutex_unlock(&sched->lock);
    return taken;
}

/* Under the lock. */
static bool idling_pays(const struct sched *sched, const struct destination *destination,
                        const char *host, int64_t idle_ms)
{
    return destination->gap_ms <= idle_ms && !sched->stopping && destination->wanted == NULL &&
           destination->due == NULL && sched->queue.ready_count <= sched->idle &&
           !slots_awaited(&sched->slots, host);
}

bool sched_may_keep_alive(struct sched *sched, struct destination *destination, const char *host,
                          int64_t idle_ms)
{
    bool pays;

    pthread_mutex_lock(&sched->lock);
    pays = idling_pays(sched, destination, host, idle_ms);
    pthread_mutex_unlock(&sched->lock);
    return pays;
}

bool sched_keep_alive(struct sched *sched, struct destination *destination, const char *host,
                      int64_t idle_ms, struct stall_call *call)
{
    const struct timespec until = clock_timespec_in_ms(idle_ms);
    struct rest rest = {.end = REST_SENT_HOME};
    int error = 0;

    pthread_mutex_lock(&sched->lock);
    if (idling_pays(sched, destination, host, idle_ms)) {
        stall_leave(&sched->callouts_under_way, call);
        rest_begin(&rest, &sched->queue, destination, host);
        while (rest.end == REST_GOES_ON && error == 0)
            error = pthread_cond_timedwait(&rest.woken, &sched->lock, &until);
        rest_finish(&rest, &sched->queue);
        stall_enter(&sched->callouts_under_way, call, clock_monotonic_ms(sched->clock));
    }
    pthread_mutex_unlock(&sched->lock);
    return rest.end == REST_CALLED;
}

enum callout_probe sched_begin_probe(struct sched *sched, struct destination *destination,
                                     struct callout_item *item,
                                     const struct address_record *accepted, int64_t ttl_s,
                                     struct fact *catch_all)
{
    const int64_t now_s = clock_wall_s(sched->clock);
    enum callout_probe turn;

    pthread_mutex_lock(&sched->lock);
    turn = probing_begin(&destination->probing, item, accepted, ttl_s, now_s, catch_all);
    pthread_mutex_unlock(&sched->lock);
    return turn;
}

struct callout_item *sched_end_probe(struct sched *sched, struct destination *destination,
                                     const struct fact *catch_all)
{
    struct callout_item *parked;

    pthread_mutex_lock(&sched->lock);
    parked = probing_end(&destination->probing, catch_all);
    pthread_mutex_unlock(&sched->lock);
    return parked;
}

/* --- Its mail hosts ---------------------------------------------------------- */

enum callout_leave sched_host_enter(struct sched *sched, struct destination *destination,
                                    const char *host, bool on_trial)
{
    const int64_t now_ms = clock_monotonic_ms(sched->clock);
    enum callout_leave leave;

    pthread_mutex_lock(&sched->lock);
    leave = slots_enter(&sched->slots, &sched->queue, destination, host,
                        threads_per_host(sched, destination), on_trial, now_ms);
    if (leave == CALLOUT_FULL)
        (void)rest_send_home(&sched->queue, host);
    pthread_mutex_unlock(&sched->lock);
    return leave;
}

void sched_host_leave(struct sched *sched, struct destination *destination, const char *host,
                      const struct sched_contact *contact)
{
    const int64_t now_ms = clock_monotonic_ms(sched->clock);

    pthread_mutex_lock(&sched->lock);
    if (contact->answered)
        slots_note_answer(&sched->slots, host, now_ms);
    if (slots_leave(&sched->slots, &sched->queue, host, threads_per_host(sched, destination),
                    contact, now_ms))
        threads_call(sched);
    pthread_mutex_unlock(&sched->lock);
}

enum sched_excess sched_turned_away(struct sched *sched, struct destination *destination,
                                    const char *host, bool may_lag, struct sched_contact *contact)
{
    const int64_t now_ms = clock_monotonic_ms(sched->clock);
    enum sched_excess excess;

    pthread_mutex_lock(&sched->lock);
    excess = slots_turned_away(&sched->slots, &sched->queue, destination, host, may_lag, contact,
                               now_ms);
    if (excess == SCHED_OTHERS)
        (void)rest_send_home(&sched->queue, host);
    pthread_mutex_unlock(&sched->lock);
    return excess;
}

void sched_pause_host(struct sched *sched, const char *host)
{
    const int64_t now_ms = clock_monotonic_ms(sched->clock);

    pthread_mutex_lock(&sched->lock);
    slots_pause(&sched->slots, host, now_ms);
    pthread_mutex_unlock(&sched->lock);
}

bool sched_host_answered(struct sched *sched, const char *host)
{
    const int64_t now_ms = clock_monotonic_ms(sched->clock);
    bool answered;

    pthread_mutex_lock(&sched->lock);
    answered = slots_answered(&sched->slots, host, now_ms);
    pthread_mutex_unlock(&sched->lock);
    return answered;
}
