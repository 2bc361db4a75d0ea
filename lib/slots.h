/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slots: sessions under way with each mail host's IP address, over all destinations: many domains
 * live on one host, which counts connections and not domains. A destination that finds all slots of
 * a host taken is set aside, without a worker, until one is free.
 *
 * Thread rule: no locks of its own; every call is made under the owner's lock.
 */
#ifndef RB_SLOTS_H
#define RB_SLOTS_H

#include "queue.h"

struct slot;

/* Hosts with sessions under way, or waited for. Zeroed: none. */
struct slots {
    struct slot *table;
};

enum slots_entry {
    SLOTS_TAKEN,   /* the host may be called; slots_leave when done with it */
    SLOTS_FULL,    /* not now: the destination is set aside until a slot is free */
    SLOTS_REFUSED, /* not at all: another one is just being tried, or out of memory */
};

/*
 * May a session of this destination call this IP address? on_trial: the host was held back until
 * now, so that one session alone finds out whether it is well again. Those set aside before come
 * first.
 */
enum slots_entry slots_enter(struct slots *slots, struct queue *queue,
                             struct destination *destination, const char *ip, unsigned sessions_max,
                             bool on_trial);

/*
 * A session is over: the longest set aside may run again (true: a worker is to come for it).
 * sessions_max: of the host, as above.
 */
bool slots_leave(struct slots *slots, struct queue *queue, const char *ip, unsigned sessions_max);

/*
 * A run of the destination is over. Where it was let out for a slot that it did not take, the next
 * one may have that (true: a worker is to come for it). One that has nothing left to ask is not set
 * aside any more. To be called before queue_release.
 */
bool slots_settle(struct slots *slots, struct queue *queue, struct destination *destination,
                  unsigned sessions_max);

/* Whether destinations are set aside for want of a slot. */
bool slots_awaited(const struct slots *slots, const char *ip);

/* Sessions with an IP address now. */
unsigned slots_running(const struct slots *slots, const char *ip);

/* Frees what is left. No session may run; destinations are not looked at. */
void slots_free(struct slots *slots);

#endif
