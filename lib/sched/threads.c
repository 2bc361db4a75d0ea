/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * workers: the threads that call. Each takes a ready destination, runs one callout over what waits
 * for it, and lets go; or makes one look-up for the gate. Of both, if there are both, in turn.
 * Started as needed up to the ceiling, with small stacks. Those whose callouts
 * are held (patience.h), or whose sessions rest (rest.h), do not count; one that finds itself above
 * the ceiling ends. A watcher sleeps until the next callout is held, but only while something is
 * ready that no worker may come for. Part of the verifier; see verifier.h for the locks.
 */
#include "config.h"

#include "verifier/verifier.h"

#include "base/hash.h"
#include "verifier/jobs.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    WORKER_STACK_SIZE = RB_STACK_KIB * 1024,
    WORKER_IDLE_MS = 30000, /* an idle worker ends after this */
    WATCH_MIN_MS = 10,      /* between two looks of the watcher: many are held at one time */
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

static bool start_worker(struct rb_verifier *verifier);
static void watch(struct rb_verifier *verifier);

/* --- How many -------------------------------------------------------------- */

static struct patience_view look(const struct rb_verifier *verifier,
                                 const struct patience *patience)
{
    return patience_look(patience, verifier->setup->options->o.max_held,
                         clock_monotonic_ms(verifier->clock));
}

unsigned workers_held(const struct rb_verifier *verifier)
{
    return look(verifier, &verifier->patience).held;
}

/* Workers that do not count: nobody answers them, or their sessions rest. */
static unsigned spared(const struct rb_verifier *verifier)
{
    const unsigned max = verifier->setup->options->o.max_held;
    const unsigned count = workers_held(verifier) + look(verifier, &verifier->lookups).held +
                           verifier->queue.resting_count;

    return count < max ? count : max;
}

/* Workers that count. */
static unsigned brisk(const struct rb_verifier *verifier)
{
    /* Below the ceiling there is nothing to be found out by looking at each. */
    return verifier->workers < verifier->workers_max ? verifier->workers
                                                     : verifier->workers - spared(verifier);
}

static unsigned room(const struct rb_verifier *verifier)
{
    const unsigned count = brisk(verifier);

    return count < verifier->workers_max ? verifier->workers_max - count : 0;
}

/*
 * Look-ups that may be made now. A name server that is silent keeps its worker waiting as a mail
 * host does; there are never so many that callouts which are kept waiting would not be spared.
 */
static unsigned lookups_ready(const struct rb_verifier *verifier)
{
    const unsigned max = (verifier->workers_max + verifier->setup->options->o.max_held + 1) / 2;
    const unsigned running = verifier->checks.running, waiting = verifier->checks.line_count;
    const unsigned may = running < max ? max - running : 0;

    return waiting < may ? waiting : may;
}

/*
 * Ready destinations and look-ups that no worker is on its way to. Started or woken ones are, until
 * they run.
 */
static unsigned wanted(const struct rb_verifier *verifier)
{
    const unsigned ready = verifier->queue.ready_count + lookups_ready(verifier);

    return ready > verifier->idle ? ready - verifier->idle : 0;
}

/* NULL is fine: nobody sleeps. */
static void wake(struct rb_verifier *verifier, struct sleeper *sleeper)
{
    if (sleeper == NULL)
        return;
    DL_DELETE(verifier->sleepers, sleeper);
    sleeper->called = true;
    pthread_cond_signal(&sleeper->call);
}

void workers_wake_all(struct rb_verifier *verifier)
{
    while (verifier->sleepers != NULL)
        wake(verifier, verifier->sleepers);
    while (rest_send_home(&verifier->queue, NULL)) {
    }
}

void workers_call(struct rb_verifier *verifier)
{
    unsigned missing = wanted(verifier), may_start = missing > 0 ? room(verifier) : 0;

    while (missing > 0 && may_start > 0 && start_worker(verifier)) {
        missing--;
        may_start--;
    }
    if (missing > 0)
        watch(verifier);
    while (missing > 0 && rest_send_home(&verifier->queue, NULL))
        missing--;
    if (verifier->queue.ready_count > 0 || lookups_ready(verifier) > 0)
        wake(verifier, verifier->sleepers);
}

/* --- The work ------------------------------------------------------------- */

/* Waits for something to do. False: the worker is not needed any more. Under the lock. */
static bool wait_for_work(struct rb_verifier *verifier)
{
    const struct timespec until = clock_timespec_in_ms(WORKER_IDLE_MS);
    struct sleeper self = {.called = false};
    pthread_condattr_t attributes;
    int error = 0;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&self.call, &attributes);
    pthread_condattr_destroy(&attributes);
    DL_PREPEND(verifier->sleepers, &self);
    verifier->idle++;
    while (!self.called && error == 0)
        error = pthread_cond_timedwait(&self.call, &verifier->lock, &until);
    verifier->idle--;
    if (!self.called)
        DL_DELETE(verifier->sleepers, &self);
    pthread_cond_destroy(&self.call);
    /* A question may have come just as the time was up: it counted on this worker. */
    return self.called || verifier->queue.ready != NULL || lookups_ready(verifier) > 0;
}

/* False: no destination is ready. Under the lock, as those below. */
static bool call_once(struct rb_verifier *verifier)
{
    struct destination *destination =
        queue_next(&verifier->queue, verifier->setup->options->o.per_domain_sessions);
    struct setup *setup = verifier->setup;
    struct patience_call call;
    int64_t now_ms;

    if (destination == NULL)
        return false;
    workers_call(verifier); /* it may be worth another session, which nobody else sees */
    setup->users++;
    patience_enter(&verifier->patience, &call, clock_monotonic_ms(verifier->clock));
    pthread_mutex_unlock(&verifier->lock);
    task_run(verifier, destination, setup, &call);
    setup_put(verifier, setup);
    now_ms = clock_monotonic_ms(verifier->clock);
    pthread_mutex_lock(&verifier->lock);
    patience_leave(&verifier->patience, &call);
    (void)slots_settle(&verifier->slots, &verifier->queue, destination,
                       verifier->setup->options->o.per_host_sessions, now_ms);
    queue_release(&verifier->queue, destination, verifier->setup->options->o.per_domain_sessions);
    return true;
}

/* False: no look-up is ready. */
static bool look_up_once(struct rb_verifier *verifier)
{
    struct lookup *lookup = lookups_ready(verifier) > 0 ? checks_next(&verifier->checks) : NULL;
    struct setup *setup = verifier->setup;
    struct patience_call call;

    if (lookup == NULL)
        return false;
    setup->users++;
    patience_enter(&verifier->lookups, &call, clock_monotonic_ms(verifier->clock));
    pthread_mutex_unlock(&verifier->lock);
    gate_look_up(verifier, setup, lookup, &call);
    setup_put(verifier, setup);
    pthread_mutex_lock(&verifier->lock);
    patience_leave(&verifier->lookups, &call);
    return true;
}

/* False: nothing is ready. */
static bool work_once(struct rb_verifier *verifier)
{
    verifier->lookup_first = !verifier->lookup_first;
    return verifier->lookup_first ? look_up_once(verifier) || call_once(verifier)
                                  : call_once(verifier) || look_up_once(verifier);
}

/*
 * The last thing that a thread does; under the lock, which it leaves. Each that ends waits until the
 * one before it is gone, so that there is but one to wait for in the end.
 */
static void end_thread(struct rb_verifier *verifier)
{
    const pthread_t before = verifier->ended;
    const bool has_before = verifier->has_ended;

    verifier->ended = pthread_self();
    verifier->has_ended = true;
    pthread_cond_broadcast(&verifier->idle_cond);
    pthread_mutex_unlock(&verifier->lock);
    if (has_before)
        pthread_join(before, NULL);
}

static void *worker(void *arg)
{
    struct rb_verifier *verifier = arg;
    bool needed = true;

    pthread_mutex_lock(&verifier->lock);
    verifier->idle--;
    while (needed && !verifier->stopping && brisk(verifier) <= verifier->workers_max) {
        if (!work_once(verifier))
            needed = wait_for_work(verifier);
    }
    verifier->workers--;
    if (!verifier->stopping)
        workers_call(verifier); /* what is ready may have counted on this one */
    end_thread(verifier);
    return NULL;
}

/*
 * Signals are the program's business: none is delivered to a thread of ours, and SIGPIPE ends
 * nobody.
 */
static bool start_thread(struct rb_verifier *verifier, void *(*body)(void *))
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
    error = pthread_create(&thread, &attributes, body, verifier);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return error == 0;
}

static bool start_worker(struct rb_verifier *verifier)
{
    if (!start_thread(verifier, worker))
        return false;
    verifier->workers++;
    verifier->idle++; /* until it runs */
    return true;
}

/* --- The watcher ----------------------------------------------------------- */

/*
 * Does what the moment asks for. When to look again, in milliseconds; 0: when told to. Under the
 * lock.
 */
static int64_t watch_once(struct rb_verifier *verifier)
{
    const int64_t now_ms = clock_monotonic_ms(verifier->clock);
    struct patience_view view;
    unsigned missing, excess;
    int64_t next_ms;

    workers_call(verifier);
    missing = wanted(verifier);
    if (missing == 0)
        return 0;
    view = look(verifier, &verifier->patience);
    next_ms = deadline_min(view.next_ms, look(verifier, &verifier->lookups).next_ms);
    excess = view.excess < missing ? view.excess : missing;
    if (excess > 0) /* of callouts alone: look-ups end soon */
        (void)patience_give_way(&verifier->patience, excess, now_ms);
    if (next_ms > now_ms + WATCH_MAX_MS)
        return WATCH_MAX_MS;
    return next_ms > now_ms + WATCH_MIN_MS ? next_ms - now_ms : WATCH_MIN_MS;
}

static void *watcher(void *arg)
{
    struct rb_verifier *verifier = arg;

    pthread_mutex_lock(&verifier->lock);
    while (!verifier->stopping) {
        int64_t pause_ms = watch_once(verifier);
        struct timespec until;

        verifier->watch_rests = pause_ms == 0;
        if (verifier->watch_rests) {
            pthread_cond_wait(&verifier->watch, &verifier->lock);
        } else {
            until = clock_timespec_in_ms(pause_ms);
            (void)pthread_cond_timedwait(&verifier->watch, &verifier->lock, &until);
        }
        verifier->watch_rests = false;
    }
    verifier->watching = false;
    end_thread(verifier);
    return NULL;
}

/* Sees to it that somebody notices when there is room for another worker. Under the lock. */
static void watch(struct rb_verifier *verifier)
{
    if (verifier->watch_rests)
        pthread_cond_signal(&verifier->watch);
    else if (!verifier->watching && !verifier->stopping)
        verifier->watching = start_thread(verifier, watcher);
}

/* --- For the others -------------------------------------------------------- */

bool workers_any(struct rb_verifier *verifier)
{
    return verifier->workers > 0 || start_worker(verifier);
}

enum rb_error workers_submit(struct rb_verifier *verifier, struct flight *flight)
{
    unsigned sessions_max = verifier->setup->options->o.per_domain_sessions;
    enum rb_error error;

    /* An item that nobody comes for would wait for ever. */
    if (!workers_any(verifier))
        return RB_ERR_NOMEM;
    error =
        queue_push(&verifier->queue, flight->relay, flight->domain, &flight->item, sessions_max);
    if (error != RB_OK)
        return error;
    workers_call(verifier);
    return RB_OK;
}

void workers_join(struct rb_verifier *verifier)
{
    bool has_ended;

    pthread_mutex_lock(&verifier->lock);
    workers_wake_all(verifier);
    while (verifier->workers > 0 || verifier->watching)
        pthread_cond_wait(&verifier->idle_cond, &verifier->lock);
    has_ended = verifier->has_ended;
    verifier->has_ended = false;
    pthread_mutex_unlock(&verifier->lock);
    if (has_ended)
        pthread_join(verifier->ended, NULL);
}
