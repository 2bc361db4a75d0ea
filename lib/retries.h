/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * retries: asks again, behind everybody's back, about addresses whose mail host said "later", so
 * that the answer is there when the client comes back. The schedule is what the cache's address
 * records say (deferral); this keeps the due times in memory, and a thread that acts on them. Part
 * of the verifier; see verifier.h.
 *
 * Thread rule: every function may be called from any thread, without the verifier's lock, but start
 * and stop. A lock of its own, under which no other is taken.
 */
#ifndef RB_RETRIES_H
#define RB_RETRIES_H

#include "record.h"
#include "ringback.h"

#include <stddef.h>

enum {
    RETRIES_MAX = 10000,   /* held at once; a further one is left to the client's own coming back */
    RETRIES_AT_ONCE = 64,  /* asked in one go: then others get their turn */
    RETRIES_TICK_MS = 500, /* how often the clock is looked at while something waits */
    RETRIES_POSTPONE_S =
        60, /* when the world could not be asked: queue full, hosts held back, no descriptor */
};

struct rb_verifier;
struct retries;

/* Takes up what the cache says is due, and starts the thread. */
enum rb_error retries_start(struct rb_verifier *verifier, struct retries **retries);

/* Ends the thread. What was scheduled stands in the cache. NULL is fine. */
void retries_stop(struct retries *retries);

/*
 * A question has landed: schedules it, or takes it off the schedule. key: the cache's. NULL retries
 * is fine.
 */
void retries_landed(struct retries *retries, const char *key, const struct address_record *record,
                    const struct rb_greylist *rules);

/* A retry came to nothing through no fault of the host's: once more, a little later. */
void retries_postpone(struct retries *retries, const char *key);

size_t retries_count(struct retries *retries);

#endif
