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
    unsigned idle;              /* of these, those that have nothing to do, or do not run yet */
    struct sleeper *sleepers;   /* idle workers, the last one first */
    bool lookup_first;          /* whether the next worker looks for look-ups first */
    pthread_cond_t watch;       /* something is ready, and no worker may come for it */
    bool watching, watch_rests; /* there is a watcher; it waits for `watch` alone */
    pthread_cond_t thread_ended;
    pthread_t ended; /* the last thread that has; to be joined */
    bool has_ended;
    bool stopping;
};

/* Sees to it that a worker comes for what is ready. */
void threads_call(struct sched *sched);

/* Whether there is a worker at all; one is started where there is none. */
bool threads_any(struct sched *sched);

/* Callouts that are stalled now. */
unsigned threads_stalled(const struct sched *sched);

/* Wakes all that sleep, and evicts idle sessions: the end has come. */
void threads_wake_all(struct sched *sched);

/* Waits until all threads are gone. After stopping was set; no lock held. */
void threads_join(struct sched *sched);

#endif
