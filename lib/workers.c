/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * workers: the threads that call. Each takes a ready destination, runs one callout over what waits
 * for it, and lets go. Started as needed up to the ceiling, with small stacks. Part of the
 * verifier; see verifier.h for the locks.
 */
#include "config.h"

#include "verifier.h"

#include "deferral.h"
#include "hostlimits.h"
#include "text.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    WORKER_STACK_SIZE = 512 * 1024, /* only what is touched is ever resident */
    WORKER_IDLE_MS = 30000,         /* an idle worker ends after this */
};

/* One callout of one worker: the argument of its hooks. */
struct task {
    struct rb_verifier *verifier;
    struct destination *destination;
    const struct options *options;
    bool settled; /* by the domain's facts: */
    struct address_record settlement;
};

/* --- Landing -------------------------------------------------------------- */

/* Notes a deferral, but where the cache has a live answer: what is known to exist need not be asked about again. */
static void note_deferral(struct rb_verifier *verifier, const struct options *options,
                          const struct flight *flight, struct address_record *record)
{
    struct address_record before;
    bool known = cache_get_address(verifier->cache, flight->key, &before) == RB_OK;
    bool answered = known && rb_reason_verdict(before.reason) != RB_VERDICT_UNKNOWN &&
                    address_record_freshness(&before, &options->o.lifetimes, record->stamp_s,
                                             NULL) != RECORD_EXPIRED;

    if (!answered)
        deferral_note(record, known ? &before : NULL);
}

/* What the world said goes into the cache, and on or off the schedule of retries. */
static void keep(struct rb_verifier *verifier, const struct flight *flight,
                 const struct address_record *record)
{
    struct address_record kept = *record;
    struct setup *setup;

    if (!address_record_is_kept(record->reason)) {
        if (flight->retry)
            retries_postpone(verifier->retries, flight->key);
        return;
    }
    setup = setup_get(verifier);
    if (verifier->retries != NULL && deferral_applies(record->reason))
        note_deferral(verifier, setup->options, flight, &kept);
    (void)cache_put_address(verifier->cache, flight->key, &kept);
    retries_landed(verifier->retries, flight->key, &kept, &setup->options->o.greylist);
    setup_put(verifier, setup);
}

void workers_land(struct rb_verifier *verifier, struct flight *flight,
                  const struct address_record *record)
{
    /* Into the cache first: whoever finds no flight any more must find the answer there. */
    if (verifier->cache != NULL && !flight->from_cache)
        keep(verifier, flight, record);
    if (!flight->from_cache && record->reason < RB_REASON_MAX)
        atomic_fetch_add(&verifier->counters.callouts[record->reason], 1);
    pthread_mutex_lock(&verifier->lock);
    flight_land(&verifier->flights, flight, record, clock_monotonic_ms(verifier->clock));
    flight_put(flight);
    pthread_mutex_unlock(&verifier->lock);
}

/* --- What a callout wants of its owner ------------------------------------ */

static struct callout_item *take_item(const struct task *task)
{
    struct rb_verifier *verifier = task->verifier;
    struct callout_item *item = NULL;

    pthread_mutex_lock(&verifier->lock);
    if (!verifier->stopping)
        item = queue_take(&verifier->queue, task->destination);
    pthread_mutex_unlock(&verifier->lock);
    return item;
}

/*
 * The next item that must be asked for. What became known of the domain since its question was put
 * (a queue may be long, another callout may have told) settles an item without asking.
 */
static struct callout_item *next_item(void *arg)
{
    const struct task *task = arg;
    struct callout_item *item = take_item(task);

    while (item != NULL && task->settled && !flight_of(item)->no_cache) {
        flight_of(item)->from_cache = true;
        workers_land(task->verifier, flight_of(item), &task->settlement);
        item = take_item(task);
    }
    return item;
}

static void answer_item(void *arg, struct callout_item *item, const struct address_record *record)
{
    struct task *task = arg;

    workers_land(task->verifier, flight_of(item), record);
}

static bool may_call(void *arg, const char *ip)
{
    struct task *task = arg;
    struct host_record host;

    return task->verifier->cache == NULL ||
           cache_get_host(task->verifier->cache, ip, &host) != RB_OK ||
           !limits_host_is_held(&host, clock_wall_s(task->verifier->clock));
}

static bool is_failure(const struct address_record *how)
{
    bool turned_away = how->stage == RB_STAGE_BANNER && how->code >= 400 && how->code < 500;

    return limits_counts_against_host(how->reason) || how->code == 421 || turned_away;
}

static void host_called(void *arg, const char *ip, const struct address_record *how)
{
    struct task *task = arg;
    struct rb_verifier *verifier = task->verifier;
    const struct rb_options *o = &task->options->o;
    int64_t now_s = clock_wall_s(verifier->clock);
    struct host_record host;
    bool known, failed = is_failure(how), forgiven;

    atomic_fetch_add(&verifier->counters.sessions, 1);
    if (verifier->cache == NULL)
        return;
    pthread_mutex_lock(&verifier->hosts);
    known = cache_get_host(verifier->cache, ip, &host) == RB_OK;
    if (!known)
        host = (struct host_record){0};
    forgiven = !failed && (host.failures > 0 || host.trips > 0);
    if (failed)
        limits_host_failed(&host, how->reason, o->breaker_failures, o->breaker_hold_s, now_s);
    else
        limits_host_answered(&host, now_s);
    if (failed || forgiven) /* a host that never failed needs no record */
        (void)cache_put_host(verifier->cache, ip, &host);
    pthread_mutex_unlock(&verifier->hosts);
}

static void learned(void *arg, const struct domain_record *news)
{
    struct task *task = arg;

    if (task->verifier->cache != NULL && task->destination->relay[0] == '\0')
        (void)cache_put_domain(task->verifier->cache, task->destination->domain, news);
}

/* --- The work ------------------------------------------------------------- */

static void run_callout(struct task *task, const struct setup *setup)
{
    struct rb_verifier *verifier = task->verifier;
    const struct destination *destination = task->destination;
    struct callout callout = {
        .options = task->options,
        .dns = setup->dns,
        .clock = verifier->clock,
        .own = setup->own,
        .own_count = setup->own_count,
        .tls_context = verifier->tls_context,
        .cancel_fd = verifier->cancel_fd,
        .probe_key = verifier->probe_key,
        .domain = destination->domain,
        .relay = destination->relay[0] != '\0' ? destination->relay : NULL,
        .hooks = {next_item, answer_item, may_call, host_called, learned, task},
    };

    if (verifier->cache != NULL && callout.relay == NULL &&
        cache_get_domain(verifier->cache, destination->domain, &callout.facts) != RB_OK)
        callout.facts = (struct domain_record){0};
    task->settled = known_settled(task->options, &callout.facts, clock_wall_s(verifier->clock),
                                  &task->settlement);
    callout_run(&callout);
}

/* Waits for something to do. False: the worker is not needed any more. Under the lock. */
static bool wait_for_work(struct rb_verifier *verifier)
{
    struct timespec until;
    int error;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += WORKER_IDLE_MS / 1000;
    verifier->idle++;
    error = pthread_cond_timedwait(&verifier->work, &verifier->lock, &until);
    verifier->idle--;
    /* A question may have come just as the time was up: it counted on this worker. */
    return error == 0 || verifier->queue.ready != NULL;
}

static void work_once(struct rb_verifier *verifier, struct destination *destination)
{
    struct setup *setup = verifier->setup;
    struct task task = {
        .verifier = verifier, .destination = destination, .options = setup->options};

    setup->users++;
    pthread_mutex_unlock(&verifier->lock);
    run_callout(&task, setup);
    setup_put(verifier, setup);
    pthread_mutex_lock(&verifier->lock);
    queue_release(&verifier->queue, destination, verifier->setup->options->o.per_domain_sessions);
}

static bool start_worker(struct rb_verifier *verifier);

/*
 * Sees to it that somebody comes for what is ready. Workers that were started or woken count as
 * idle until they run: compare with what is ready. Under the lock.
 */
static void call_workers(struct rb_verifier *verifier)
{
    if (verifier->queue.ready_count > verifier->idle && verifier->workers < verifier->workers_max)
        (void)!start_worker(verifier);
    if (verifier->queue.ready_count > 0)
        pthread_cond_signal(&verifier->work);
}

static void *worker(void *arg)
{
    struct rb_verifier *verifier = arg;
    bool needed = true;

    pthread_mutex_lock(&verifier->lock);
    verifier->idle--;
    while (needed && !verifier->stopping) {
        struct destination *destination =
            queue_next(&verifier->queue, verifier->setup->options->o.per_domain_sessions);

        if (destination != NULL) {
            call_workers(verifier); /* it may be worth another session, which nobody else sees */
            work_once(verifier, destination);
        } else {
            needed = wait_for_work(verifier);
        }
    }
    verifier->workers--;
    pthread_cond_broadcast(&verifier->idle_cond);
    pthread_mutex_unlock(&verifier->lock);
    return NULL;
}

/* Signals are the program's business: none is delivered to a worker, and SIGPIPE ends nobody. */
static bool start_worker(struct rb_verifier *verifier)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    pthread_t thread;
    int error;

    if (pthread_attr_init(&attributes) != 0)
        return false;
    pthread_attr_setstacksize(&attributes, WORKER_STACK_SIZE);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&thread, &attributes, worker, verifier);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (error != 0)
        return false;
    verifier->workers++;
    verifier->idle++; /* until it runs */
    return true;
}

enum rb_error workers_submit(struct rb_verifier *verifier, struct flight *flight)
{
    unsigned sessions_max = verifier->setup->options->o.per_domain_sessions;
    enum rb_error error;

    /* An item that nobody comes for would wait for ever. */
    if (verifier->workers == 0 && !start_worker(verifier))
        return RB_ERR_NOMEM;
    error =
        queue_push(&verifier->queue, flight->relay, flight->domain, &flight->item, sessions_max);
    if (error != RB_OK)
        return error;
    call_workers(verifier);
    return RB_OK;
}

bool workers_join(struct rb_verifier *verifier, unsigned timeout_ms)
{
    struct timespec until;
    int error = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000;
    pthread_cond_broadcast(&verifier->work);
    while (verifier->workers > 0 && error == 0)
        error = pthread_cond_timedwait(&verifier->idle_cond, &verifier->lock, &until);
    return verifier->workers == 0;
}
