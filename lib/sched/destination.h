/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * queue: what waits to be asked, by destination. A destination with something waiting and a session
 * to spare is ready, unless it was set aside until its mail host has a slot (slots.h); ready ones
 * are served in turn, so that a busy destination delays no other. What a session that rests
 * (rest.h) can take needs no further one: it is called.
 *
 * Thread rule: no locks of its own; every call is made under the owner's lock.
 */
#ifndef RB_SCHED_DESTINATION_H
#define RB_SCHED_DESTINATION_H

#include "callout/callout.h"
#include "base/hash.h"
#include "sched/probing.h"
#include "mail/relay.h"
#include "sched/idle.h"

#include <stdatomic.h>

struct destination {
    char domain[RB_DOMAIN_MAX + 1];
    char relay[RELAY_MAX + 1]; /* "": the domain's mail hosts */
    struct callout_item *first, *last;
    unsigned waiting; /* items */
    unsigned running; /* sessions */
    unsigned
        coming; /* of these, those that have taken nothing yet; may be too few, never too many */
    unsigned sessions_max; /* as last told */
    int64_t gap_ms;        /* between the last two questions; one may be another destination's */
    struct rest *resting;  /* sessions of it that rest: rest.c's */
    struct probing probing;
    struct slot *wanted; /* set aside until it has room; NULL: not set aside */
    struct slot *due;    /* let out because this one has room; NULL: none */
    bool ready;          /* in the list of ready ones */
    struct destination *prev, *next;
    struct destination *wait_prev, *wait_next; /* of those that wait for one slot: slots.c's */
    UT_hash_handle hh;
    char key[]; /* relay '\0' domain */
};

enum { QUEUE_STAMPS = 1024 };

struct queue {
    struct destination *table;
    struct destination *ready;
    unsigned ready_count;
    atomic_uint pending;  /* items; may be read without the lock */
    unsigned running;     /* sessions */
    struct rest *resting; /* of these, those that rest: rest.c's */
    unsigned resting_count;
    int64_t asked_ms[QUEUE_STAMPS]; /* when a destination was asked about last, by its hash */
};

/* Puts an item, with its asked_ms, behind the others of its destination. RB_ERR_NOMEM: it was not taken. */
enum rb_error queue_push(struct queue *queue, const char *relay, const char *domain,
                         struct callout_item *item, unsigned sessions_max);

/* The next ready destination, its session counted as running; NULL when none is ready. */
struct destination *queue_next(struct queue *queue, unsigned sessions_max);

/* An item of the destination, NULL when none waits. */
struct callout_item *queue_take(struct queue *queue, struct destination *destination);

/* Puts back an item that was taken, before all others of its destination. */
void queue_put_back(struct queue *queue, struct destination *destination,
                    struct callout_item *item);

/* The destination's `wanted` was set or cleared, or a session of it rests now. */
void queue_reconsider(struct queue *queue, struct destination *destination);

/* A session of the destination has ended. The destination may be freed by this. */
void queue_release(struct queue *queue, struct destination *destination, unsigned sessions_max);

/* Any item at all, whatever its destination: for the end. NULL when nothing waits. */
struct callout_item *queue_drain(struct queue *queue);

/* Frees what is left; no item may wait and no session run. */
void queue_free(struct queue *queue);

#endif
