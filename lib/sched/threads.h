/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * threads: the threads of sched, and how many there are; see threads.c. What sched is made of
 * stands here, for threads.c and sched.c alone.
 *
 * Thread rule: every function is called under the lock, but for threads_join.
 */
#ifndef RB_SCHED_THREADS_H
#define RB_SCHED_THREADS_H

#include "sched/destination.h"
#include "sched/hostslots.h"
#include "sched/sched.h"

#include <pthread.h>

struct sched {
    const struct rb_clock *clock;
    struct sched_hooks hooks;
    unsigned workers_max; /* as at open */
    pthread_mutex_t lock; /* covers all below */
    struct sched_limits limits;
    struct destinations destinations;
    struct hostslots hostslots;
    struct sched_lookup *lookups; /* those that nobody makes yet, the oldest first */
    unsigned lookups_waiting, lookups_running;
    struct stall_list callouts, lookups_made; /* under way, and how long they have been waiting */
    unsigned workers;
    unsigned workers_free;    /* of these, those that sleep, or were started and do not run yet */
    struct sleeper *sleepers; /* workers that are asleep, the last one first */
    bool lookup_first;        /* whether the next worker looks for look-ups first */
    bool has_watcher;
    bool watcher_waits; /* for `watcher_called` alone, however long that takes */
    pthread_cond_t watcher_called;
    pthread_cond_t thread_ended;
    pthread_t ended; /* the thread that ended last; to be joined */
    bool has_ended;
    bool stopping;
};

/* Sees to it that a worker comes for what is ready: wakes, starts, evicts, or has it watched. */
void threads_dispatch(struct sched *sched);

/* A callout is done with a host that it has entered. */
void threads_leave_host(struct sched *sched, struct sched_callout *callout, const char *host,
                        const struct sched_contact *contact);

/* Whether there is a worker at all; one is started where there is none. */
bool threads_has_worker(struct sched *sched);

/* Callouts that are stalled now; max_held at most. */
unsigned threads_stalled(const struct sched *sched);

/* Wakes all workers and the watcher, and evicts all idle sessions: the end has come. */
void threads_wake_all(struct sched *sched);

/* Waits until all threads are gone. After `stopping` was set; no lock held. */
void threads_join(struct sched *sched);

#endif
