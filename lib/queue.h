/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * queue: what waits to be asked, by destination. A destination with something waiting and a session
 * to spare is ready; ready ones are served in turn, so that a busy destination delays no other.
 *
 * Thread rule: no locks of its own; every call is made under the owner's lock.
 */
#ifndef RB_QUEUE_H
#define RB_QUEUE_H

#include "callout.h"
#include "hash.h"

struct destination {
    char domain[RB_DOMAIN_MAX + 1];
    char relay[CALLOUT_RELAY_MAX + 1]; /* "": the domain's mail hosts */
    struct callout_item *first, *last;
    unsigned running; /* sessions */
    bool ready;       /* in the list of ready ones */
    struct destination *prev, *next;
    UT_hash_handle hh;
    char key[]; /* relay '\0' domain */
};

struct queue {
    struct destination *table;
    struct destination *ready;
    unsigned ready_count;
    unsigned pending; /* items */
    unsigned running; /* sessions */
};

/* Puts an item behind the others of its destination. RB_ERR_NOMEM: it was not taken. */
enum rb_error queue_push(struct queue *queue, const char *relay, const char *domain,
                         struct callout_item *item, unsigned sessions_max);

/* The next ready destination, its session counted as running; NULL when none is ready. */
struct destination *queue_next(struct queue *queue, unsigned sessions_max);

/* An item of the destination, NULL when none waits. */
struct callout_item *queue_take(struct queue *queue, struct destination *destination);

/* A session of the destination has ended. The destination may be freed by this. */
void queue_release(struct queue *queue, struct destination *destination, unsigned sessions_max);

/* Any item at all, whatever its destination: for the end. NULL when nothing waits. */
struct callout_item *queue_drain(struct queue *queue);

/* Frees what is left; no item may wait and no session run. */
void queue_free(struct queue *queue);

#endif
