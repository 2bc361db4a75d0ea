/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * threads: the workers and their watcher. A worker takes a ready destination, runs one callout over
 * it, and lets go; or makes one look-up. Of both, if there are both, in turn. Workers are started
 * as needed, with small stacks. Up to max_held of them are exempt from the ceiling workers_max:
 * those whose callouts are stalled (base/stall.h) and those that keep an idle session. A worker
 * that finds more than workers_max others counted ends.
 *
 * While something is ready that no worker may come for, the watcher looks when the next callout
 * stalls, and so becomes exempt; it makes callouts yield where too many are stalled.
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
    WORKER_SLEEP_MS = 30000, /* a worker that nobody wakes ends after this */
    WATCH_MIN_MS = 10,       /* between two looks of the watcher: many stall at one time */
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
static void call_watcher(struct sched *sched);

/* --- How many -------------------------------------------------------------- */

static struct stall_view look(const struct sched *sched, const struct stall_list *list)
{
    return stall_look(list, sched->limits.max_held, clock_monotonic_ms(sched->clock));
}

unsigned threads_stalled(const struct sched *sched)
{
    return look(sched, &sched->callouts).stalled;
}

/* Workers that do not count: nobody answers them, or they keep an idle session. */
static unsigned exempt_workers(const struct sched *sched)
{
    const unsigned max = sched->limits.max_held;
    const unsigned count = threads_stalled(sched) + look(sched, &sched->lookups_made).stalled +
                           sched->destinations.idle_count;

    return count < max ? count : max;
}

/* Workers that count: below the ceiling all are said to, for then it does not matter. */
static unsigned counted_workers(const struct sched *sched)
{
    return sched->workers < sched->workers_max ? sched->workers
                                               : sched->workers - exempt_workers(sched);
}

/* How many more workers there may be. */
static unsigned workers_to_start(const struct sched *sched)
{
    const unsigned count = counted_workers(sched);

    return count < sched->workers_max ? sched->workers_max - count : 0;
}

/*
 * Look-ups that may be made now. A name server that is silent keeps its worker waiting as a mail
 * host does; half of all workers may make look-ups, so that the others are left to callouts.
 */
static unsigned lookups_ready(const struct sched *sched)
{
    const unsigned max = (sched->workers_max + sched->limits.max_held + 1) / 2;
    const unsigned running = sched->lookups_running, waiting = sched->lookups_waiting;
    const unsigned may = running < max ? max - running : 0;

    return waiting < may ? waiting : may;
}

static unsigned count_ready(const struct sched *sched)
{
    return sched->destinations.ready_count + lookups_ready(sched);
}

/* Ready destinations and look-ups beyond what the free workers will come for. */
static unsigned count_unattended(const struct sched *sched)
{
    const unsigned ready = count_ready(sched);

    return ready > sched->workers_free ? ready - sched->workers_free : 0;
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
    pthread_cond_signal(&sched->watcher_called);
}

void threads_dispatch(struct sched *sched)
{
    unsigned unattended = count_unattended(sched);
    unsigned may_start = unattended > 0 ? workers_to_start(sched) : 0;

    while (unattended > 0 && may_start > 0 && start_worker(sched)) {
        unattended--;
        may_start--;
    }
    if (unattended > 0)
        call_watcher(sched);
    while (unattended > 0 && idle_evict(&sched->destinations, NULL))
        unattended--;
    if (count_ready(sched) > 0)
        wake(sched, sched->sleepers);
}

void threads_leave_host(struct sched *sched, struct sched_callout *callout, const char *host,
                        const struct sched_contact *contact)
{
    const int64_t now_ms = clock_monotonic_ms(sched->clock);
    bool any = destinations_set_mx(&sched->destinations, callout, "");

    if (contact->answered)
        hostslots_note_answer(&sched->hostslots, host, now_ms);
    if (hostslots_leave(&sched->hostslots, &sched->destinations, callout->destination, host,
                        contact, now_ms))
        any = true;
    if (any)
        threads_dispatch(sched);
}

/* --- The work ------------------------------------------------------------- */

/* Waits for something to do. False: the worker is not needed any more. */
static bool wait_for_work(struct sched *sched)
{
    const struct timespec until = clock_timespec_in_ms(WORKER_SLEEP_MS);
    struct sleeper self = {.called = false};
    int error = 0;

    clock_init_cond(&self.call);
    DL_PREPEND(sched->sleepers, &self);
    sched->workers_free++;
    while (!self.called && error == 0)
        error = pthread_cond_timedwait(&self.call, &sched->lock, &until);
    sched->workers_free--;
    if (!self.called)
        DL_DELETE(sched->sleepers, &self);
    pthread_cond_destroy(&self.call);
    /* What was pushed just as the time was up counted on this worker. */
    return self.called || count_ready(sched) > 0;
}

/* The callout has returned. */
static void end_callout(struct sched *sched, struct sched_callout *callout)
{
    struct destination *destination = callout->destination;

    stall_leave(&sched->callouts, &callout->stall);
    if (callout->leave.is_due)
        threads_leave_host(sched, callout, callout->leave.host, &callout->leave.contact);
    /* This worker comes for what that unblocks or frees, and dispatches the rest. */
    destinations_end_callout(&sched->destinations, callout);
    (void)hostslots_end_callout(&sched->hostslots, &sched->destinations, destination,
                                clock_monotonic_ms(sched->clock));
    destinations_release(&sched->destinations, destination);
}

/* False: no destination is ready. */
static bool run_callout(struct sched *sched)
{
    struct callout_item *item;
    struct sched_callout callout = {.destination = destinations_next(&sched->destinations, &item)};

    if (callout.destination == NULL)
        return false;
    destinations_begin_callout(&sched->destinations, &callout, item);
    threads_dispatch(sched); /* the destination may be ready for another session, or the next one */
    stall_enter(&sched->callouts, &callout.stall, clock_monotonic_ms(sched->clock));
    pthread_mutex_unlock(&sched->lock);
    sched->hooks.run(sched->hooks.arg, &callout, item);
    pthread_mutex_lock(&sched->lock);
    end_callout(sched, &callout);
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
static bool make_lookup(struct sched *sched)
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
    return sched->lookup_first ? make_lookup(sched) || run_callout(sched)
                               : run_callout(sched) || make_lookup(sched);
}

/*
 * The last thing that a thread does; under the lock, which it leaves. Each that ends waits until
 * the one before it is gone, so that there is but one to wait for in the end.
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
    sched->workers_free--;
    while (needed && !sched->stopping && counted_workers(sched) <= sched->workers_max) {
        if (!work_once(sched))
            needed = wait_for_work(sched);
    }
    sched->workers--;
    if (!sched->stopping)
        threads_dispatch(sched); /* what is ready may have counted on this one */
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
    sched->workers_free++; /* until it runs */
    return true;
}

/* --- The watcher ----------------------------------------------------------- */

/*
 * Has callouts yield where too many are stalled. When to look again, in milliseconds; 0: when
 * called.
 */
static int64_t watch_once(struct sched *sched)
{
    const int64_t now_ms = clock_monotonic_ms(sched->clock);
    struct stall_view view;
    unsigned unattended;
    int64_t next_ms;

    threads_dispatch(sched);
    unattended = count_unattended(sched);
    if (unattended == 0)
        return 0;
    view = look(sched, &sched->callouts);
    next_ms = deadline_min(view.next_ms, look(sched, &sched->lookups_made).next_ms);
    if (view.excess > 0) /* of callouts alone: look-ups end soon */
        (void)stall_make_yield(&sched->callouts,
                               view.excess < unattended ? view.excess : unattended, now_ms);
    if (next_ms > now_ms + WATCH_MAX_MS)
        return WATCH_MAX_MS;
    return next_ms > now_ms + WATCH_MIN_MS ? next_ms - now_ms : WATCH_MIN_MS;
}

static void *watcher(void *arg)
{
    struct sched *sched = arg;

    pthread_mutex_lock(&sched->lock);
    while (!sched->stopping) {
        const int64_t pause_ms = watch_once(sched);
        const struct timespec until = clock_timespec_in_ms(pause_ms);

        sched->watcher_waits = pause_ms == 0;
        if (sched->watcher_waits)
            pthread_cond_wait(&sched->watcher_called, &sched->lock);
        else
            (void)pthread_cond_timedwait(&sched->watcher_called, &sched->lock, &until);
        sched->watcher_waits = false;
    }
    sched->has_watcher = false;
    end_thread(sched);
    return NULL;
}

/* Sees to it that the watcher looks; it is started where there is none. */
static void call_watcher(struct sched *sched)
{
    if (sched->watcher_waits)
        pthread_cond_signal(&sched->watcher_called);
    else if (!sched->has_watcher && !sched->stopping)
        sched->has_watcher = start_thread(sched, watcher);
}

/* --- For the others -------------------------------------------------------- */

bool threads_has_worker(struct sched *sched)
{
    return sched->workers > 0 || start_worker(sched);
}

void threads_join(struct sched *sched)
{
    bool has_ended;

    pthread_mutex_lock(&sched->lock);
    threads_wake_all(sched);
    while (sched->workers > 0 || sched->has_watcher)
        pthread_cond_wait(&sched->thread_ended, &sched->lock);
    has_ended = sched->has_ended;
    sched->has_ended = false;
    pthread_mutex_unlock(&sched->lock);
    if (has_ended)
        pthread_join(sched->ended, NULL);
}
