/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * threads: the workers and their watcher. A worker takes a ready destination, runs one callout over
 * what waits for it, and lets go; or makes one look-up. Of both, if there are both, in turn. Workers
 * are started as needed up to the ceiling, with small stacks. Those whose callouts are stalled
 * (base/stall.h), or whose sessions are idle, do not count; one that finds itself above the
 * ceiling ends. The watcher sleeps until the next callout is stalled, but only while something is ready
 * that no worker may come for.
 *
 * Thread rule: every function is called under the lock of sched; the hooks are called without it.
 */
#include "config.h"

#include "sched/threads.h"

#include "base/clock.h"
#include "base/hash.h"

#include <signal.h>

enum {
    WORKER_STACK_SIZE = RB_STACK_KIB * 1024,
    WORKER_IDLE_MS = 30000, /* an idle worker ends after this */
    WATCH_MIN_MS = 10,      /* between two looks of the watcher: many are stalled at one time */
    WATCH_MAX_MS = 1000,
};

/*
 * A worker that has nothing to do; on its stack. The one that fell asleep last is woken first: so
 * those that are not needed any more sleep long enough to end, instead of all being kept alive in
 * turn.
 */
struct sleeper {
    pthread_cond_t call;
    bool called;
    struct sleeper *prev, *next;
};

static bool start_worker(struct sched *sched);
static void watch(struct sched *sched);

/* --- How many -------------------------------------------------------------- */

static struct stall_view look(const struct sched *sched, const struct stall_list *list)
{
    return stall_look(list, sched->limits.max_held, clock_monotonic_ms(sched->clock));
}

unsigned threads_stalled(const struct sched *sched)
{
    return look(sched, &sched->callouts).stalled;
}

/* Workers that do not count: nobody answers them, or their sessions are idle. */
static unsigned exempt(const struct sched *sched)
{
    const unsigned max = sched->limits.max_held;
    const unsigned count = threads_stalled(sched) + look(sched, &sched->lookups_made).stalled +
                           sched->destinations.idle_count;

    return count < max ? count : max;
}

/* Workers that count. */
static unsigned counted(const struct sched *sched)
{
    /* Below the ceiling there is nothing to be found out by looking at each. */
    return sched->workers < sched->workers_max ? sched->workers : sched->workers - exempt(sched);
}

static unsigned room(const struct sched *sched)
{
    const unsigned count = counted(sched);

    return count < sched->workers_max ? sched->workers_max - count : 0;
}

/*
 * Look-ups that may be made now. A name server that is silent keeps its worker waiting as a mail
 * host does; there are never so many that callouts which are kept waiting would not be exempt.
 */
static unsigned lookups_ready(const struct sched *sched)
{
    const unsigned max = (sched->workers_max + sched->limits.max_held + 1) / 2;
    const unsigned running = sched->lookups_running, waiting = sched->lookups_waiting;
    const unsigned may = running < max ? max - running : 0;

    return waiting < may ? waiting : may;
}

/*
 * Ready destinations and look-ups that no worker is on its way to. Started or woken ones are, until
 * they run.
 */
static unsigned wanted(const struct sched *sched)
{
    const unsigned ready = sched->destinations.ready_count + lookups_ready(sched);

    return ready > sched->idle ? ready - sched->idle : 0;
}

/* NULL is fine: nobody sleeps. */
static void wake(struct sched *sched, struct sleeper *sleeper)
{
    if (sleeper == NULL)
        return;
    DL_DELETE(sched->sleepers, sleeper);
    sleeper->called = true;
    pthread_cond_signal(&sleeper->call);
}

void threads_wake_all(struct sched *sched)
{
    while (sched->sleepers != NULL)
        wake(sched, sched->sleepers);
    while (idle_evict(&sched->destinations, NULL)) {
    }
    pthread_cond_signal(&sched->watch);
}

void threads_call(struct sched *sched)
{
    unsigned missing = wanted(sched), may_start = missing > 0 ? room(sched) : 0;

    while (missing > 0 && may_start > 0 && start_worker(sched)) {
        missing--;
        may_start--;
    }
    if (missing > 0)
        watch(sched);
    while (missing > 0 && idle_evict(&sched->destinations, NULL))
        missing--;
    if (sched->destinations.ready_count > 0 || lookups_ready(sched) > 0)
        wake(sched, sched->sleepers);
}

/* --- The work ------------------------------------------------------------- */

/* Waits for something to do. False: the worker is not needed any more. */
static bool wait_for_work(struct sched *sched)
{
    const struct timespec until = clock_timespec_in_ms(WORKER_IDLE_MS);
    struct sleeper self = {.called = false};
    pthread_condattr_t attributes;
    int error = 0;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&self.call, &attributes);
    pthread_condattr_destroy(&attributes);
    DL_PREPEND(sched->sleepers, &self);
    sched->idle++;
    while (!self.called && error == 0)
        error = pthread_cond_timedwait(&self.call, &sched->lock, &until);
    sched->idle--;
    if (!self.called)
        DL_DELETE(sched->sleepers, &self);
    pthread_cond_destroy(&self.call);
    /* What was pushed just as the time was up counted on this worker. */
    return self.called || sched->destinations.ready != NULL || lookups_ready(sched) > 0;
}

/* False: no destination is ready. */
static bool call_once(struct sched *sched)
{
    struct callout_item *item;
    struct destination *destination = destinations_next(&sched->destinations, &item);
    struct stall_call call;

    if (destination == NULL)
        return false;
    threads_call(sched); /* it may be worth another session, which nobody else sees */
    stall_enter(&sched->callouts, &call, clock_monotonic_ms(sched->clock));
    pthread_mutex_unlock(&sched->lock);
    sched->hooks.run(sched->hooks.arg, destination, item, &call);
    pthread_mutex_lock(&sched->lock);
    stall_leave(&sched->callouts, &call);
    (void)hostslots_end_callout(&sched->hostslots, &sched->destinations, destination,
                                clock_monotonic_ms(sched->clock));
    destinations_release(&sched->destinations, destination);
    return true;
}

static struct sched_lookup *take_lookup(struct sched *sched)
{
    struct sched_lookup *lookup = sched->lookups;

    DL_DELETE(sched->lookups, lookup);
    sched->lookups_waiting--;
    sched->lookups_running++;
    return lookup;
}

/* False: no look-up is ready. */
static bool look_up_once(struct sched *sched)
{
    struct sched_lookup *lookup = lookups_ready(sched) > 0 ? take_lookup(sched) : NULL;
    struct stall_call call;

    if (lookup == NULL)
        return false;
    stall_enter(&sched->lookups_made, &call, clock_monotonic_ms(sched->clock));
    pthread_mutex_unlock(&sched->lock);
    sched->hooks.look_up(sched->hooks.arg, lookup, &call);
    pthread_mutex_lock(&sched->lock);
    stall_leave(&sched->lookups_made, &call);
    sched->lookups_running--;
    return true;
}

/* False: nothing is ready. */
static bool work_once(struct sched *sched)
{
    sched->lookup_first = !sched->lookup_first;
    return sched->lookup_first ? look_up_once(sched) || call_once(sched)
                               : call_once(sched) || look_up_once(sched);
}

/*
 * The last thing that a thread does; under the lock, which it leaves. Each that ends waits until the
 * one before it is gone, so that there is but one to wait for in the end.
 */
static void end_thread(struct sched *sched)
{
    const pthread_t before = sched->ended;
    const bool has_before = sched->has_ended;

    sched->ended = pthread_self();
    sched->has_ended = true;
    pthread_cond_broadcast(&sched->thread_ended);
    pthread_mutex_unlock(&sched->lock);
    if (has_before)
        pthread_join(before, NULL);
}

static void *worker(void *arg)
{
    struct sched *sched = arg;
    bool needed = true;

    pthread_mutex_lock(&sched->lock);
    sched->idle--;
    while (needed && !sched->stopping && counted(sched) <= sched->workers_max) {
        if (!work_once(sched))
            needed = wait_for_work(sched);
    }
    sched->workers--;
    if (!sched->stopping)
        threads_call(sched); /* what is ready may have counted on this one */
    end_thread(sched);
    return NULL;
}

/*
 * Signals are the program's business: none is delivered to a thread of ours, and SIGPIPE ends
 * nobody.
 */
static bool start_thread(struct sched *sched, void *(*body)(void *))
{
    pthread_attr_t attributes;
    sigset_t all, before;
    pthread_t thread;
    int error;

    if (pthread_attr_init(&attributes) != 0)
        return false;
    pthread_attr_setstacksize(&attributes, WORKER_STACK_SIZE);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&thread, &attributes, body, sched);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return error == 0;
}

static bool start_worker(struct sched *sched)
{
    if (!start_thread(sched, worker))
        return false;
    sched->workers++;
    sched->idle++; /* until it runs */
    return true;
}

/* --- The watcher ----------------------------------------------------------- */

/*
 * Does what the moment asks for. When to look again, in milliseconds; 0: when told to.
 */
static int64_t watch_once(struct sched *sched)
{
    const int64_t now_ms = clock_monotonic_ms(sched->clock);
    struct stall_view view;
    unsigned missing, excess;
    int64_t next_ms;

    threads_call(sched);
    missing = wanted(sched);
    if (missing == 0)
        return 0;
    view = look(sched, &sched->callouts);
    next_ms = deadline_min(view.next_ms, look(sched, &sched->lookups_made).next_ms);
    excess = view.excess < missing ? view.excess : missing;
    if (excess > 0) /* of callouts alone: look-ups end soon */
        (void)stall_make_yield(&sched->callouts, excess, now_ms);
    if (next_ms > now_ms + WATCH_MAX_MS)
        return WATCH_MAX_MS;
    return next_ms > now_ms + WATCH_MIN_MS ? next_ms - now_ms : WATCH_MIN_MS;
}

static void *watcher(void *arg)
{
    struct sched *sched = arg;

    pthread_mutex_lock(&sched->lock);
    while (!sched->stopping) {
        int64_t pause_ms = watch_once(sched);
        struct timespec until;

        sched->watch_rests = pause_ms == 0;
        if (sched->watch_rests) {
            pthread_cond_wait(&sched->watch, &sched->lock);
        } else {
            until = clock_timespec_in_ms(pause_ms);
            (void)pthread_cond_timedwait(&sched->watch, &sched->lock, &until);
        }
        sched->watch_rests = false;
    }
    sched->watching = false;
    end_thread(sched);
    return NULL;
}

/* Sees to it that somebody notices when there is room for another worker. */
static void watch(struct sched *sched)
{
    if (sched->watch_rests)
        pthread_cond_signal(&sched->watch);
    else if (!sched->watching && !sched->stopping)
        sched->watching = start_thread(sched, watcher);
}

/* --- For the others -------------------------------------------------------- */

bool threads_any(struct sched *sched)
{
    return sched->workers > 0 || start_worker(sched);
}

void threads_join(struct sched *sched)
{
    bool has_ended;

    pthread_mutex_lock(&sched->lock);
    threads_wake_all(sched);
    while (sched->workers > 0 || sched->watching)
        pthread_cond_wait(&sched->thread_ended, &sched->lock);
    has_ended = sched->has_ended;
    sched->has_ended = false;
    pthread_mutex_unlock(&sched->lock);
    if (has_ended)
        pthread_join(sched->ended, NULL);
}
