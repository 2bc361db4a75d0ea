/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pool: objects of one size that come and go with each question or session, kept for the next one,
 * so that an answer from the cache asks the system for no memory. Few are kept, and the rest is
 * given back: what a burst took is not held for ever.
 *
 * Thread rule: get and put may be called from any thread, init and fini from one, with nobody else
 * at it.
 */
#ifndef RB_BASE_POOL_H
#define RB_BASE_POOL_H

#include <pthread.h>
#include <stddef.h>

/* More than the 100 SMTP servers that Postfix runs by default, each with a session. */
enum { POOL_KEPT_MAX = 128 };

/* A leaf: nothing else is locked, or waited for, under its lock. */
struct pool {
    size_t size; /* octets of an object */
    pthread_mutex_t lock;
    void *kept[POOL_KEPT_MAX]; /* lock; the one put last is taken first */
    size_t count;              /* lock */
};

/* For one that lives as long as the process, and needs no pool_fini. */
#define POOL_INITIALIZER(octets)                                                                   \
    {                                                                                              \
        .size = (octets), .lock = PTHREAD_MUTEX_INITIALIZER                                        \
    }

void pool_init(struct pool *pool, size_t size);

/* Frees what is kept; what the callers still have stays theirs, to be freed. */
void pool_fini(struct pool *pool);

/*
 * An object, the caller's until pool_put. As with malloc, what is in it is anything: fill all of
 * it. NULL: out of memory.
 */
void *pool_get(struct pool *pool);

/* Gives it back; it may no longer be touched. NULL is fine. */
void pool_put(struct pool *pool, void *object);

#endif
