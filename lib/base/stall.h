/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stall: how long hosts keep callouts waiting. A callout that has waited for a single reply for
 * longer than STALL_AFTER_MS is stalled: by a tarpit, say. It costs a thread that sleeps, and
 * nothing else, so that it need not take a worker's place from callouts whose hosts answer. Only so
 * many stalled callouts are exempt like that, as the caller says; where there are more, the oldest
 * must yield: it ends, with the answer that it has.
 *
 * Pure: knows no thread and no clock; the time is the caller's to tell, in milliseconds on a
 * monotonic scale.
 *
 * Thread rule: a list, and a call's place in it, are covered by the owner's lock. stall_begin_wait,
 * stall_end_wait and stall_must_yield are for the thread of the callout, with no lock held.
 */
#ifndef RB_BASE_STALL_H
#define RB_BASE_STALL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    STALL_AFTER_MS = 1000,        /* of one wait: connect, handshake, look-up, reply */
    STALL_YIELD_AFTER_MS = 10000, /* of a whole callout: slow hosts of good will are quicker */
};

/* One callout under way. The owner's; it must not move between stall_enter and stall_leave. */
struct stall_call {
    _Atomic int64_t since_ms; /* has been waiting for one reply since; INT64_MAX: waits for none */
    atomic_bool must_yield;
    int64_t started_ms; /* [owner's lock] */
    struct stall_call *prev, *next;
};

/* All callouts under way, in the order they began. Zeroed: none. */
struct stall_list {
    struct stall_call *calls;
};

/* What a look at all of them shows. */
struct stall_view {
    unsigned stalled; /* callouts, not counting the excess */
    unsigned excess;  /* stalled callouts beyond the number that may be exempt */
    int64_t next_ms;  /* when `stalled`, `excess` or the number of those that may be made to yield
                         grows next, if no host answers; INT64_MAX: never */
};

void stall_enter(struct stall_list *list, struct stall_call *call, int64_t now_ms);
void stall_leave(struct stall_list *list, struct stall_call *call);

/* Begins to wait for a reply, or for the next one. NULL is fine: nobody watches. */
void stall_begin_wait(struct stall_call *call, int64_t now_ms);

/* Waits for nothing more. NULL is fine. */
void stall_end_wait(struct stall_call *call);

/* Whether the callout must end, so that its worker is free for others. NULL is fine: never. */
bool stall_must_yield(const struct stall_call *call);

/* exempt_max: how many stalled callouts may be exempt. One pass over all callouts under way. */
struct stall_view stall_look(const struct stall_list *list, unsigned exempt_max, int64_t now_ms);

/*
 * Makes up to `wanted` stalled callouts yield: those that began first, if STALL_YIELD_AFTER_MS ago
 * or longer. Those that were told so before, and have not ended yet, count. Returns how many do.
 */
unsigned stall_make_yield(const struct stall_list *list, unsigned wanted, int64_t now_ms);

#endif
