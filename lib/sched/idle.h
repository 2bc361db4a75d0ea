/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rest: sessions that have nothing to ask for the moment and stay open for the next question about
 * their destination. Of those of one destination, the one that has rested for the shortest time is
 * called first: so surplus ones rest long enough to end. Where others need what a resting session
 * holds (its worker, its mail host's slot), the one that has rested longest is sent home.
 *
 * Thread rule: no locks of its own; every call is made under the owner's lock, and `woken` is to be
 * waited for with that lock.
 */
#ifndef RB_SCHED_IDLE_H
#define RB_SCHED_IDLE_H

#include <pthread.h>
#include <stdbool.h>

struct destination;
struct queue;

enum rest_end {
    REST_GOES_ON,
    REST_CALLED,    /* something waits for the destination */
    REST_SENT_HOME, /* the session is to end */
};

/* One resting session; on its worker's stack. It must not move while it rests. */
struct rest {
    pthread_cond_t woken;
    enum rest_end end;
    struct destination *destination;
    const char *host;             /* as its hooks know it; lives as long as the rest */
    struct rest *prev, *next;     /* of its destination, the last first */
    struct rest *older, *younger; /* of all, the longest first */
};

/* Begins. Where something waits for the destination, it is called at once. */
void rest_begin(struct rest *rest, struct queue *queue, struct destination *destination,
                const char *host);

/* Its time is up; nothing where it was woken before. `woken` may be waited for no more. */
void rest_finish(struct rest *rest, struct queue *queue);

/* Wakes one: it counts as coming for its destination. */
void rest_call(struct rest *rest, struct queue *queue);

/* Sends home the one that has rested longest with a host; NULL: any. False: none rests there. */
bool rest_send_home(struct queue *queue, const char *host);

#endif
