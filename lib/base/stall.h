/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * patience: how long the hosts of callouts under way let them wait. One that has waited for a
 * single reply for longer than PATIENCE_HELD_AFTER_MS is *held*: by a tarpit, say. It costs a
 * thread that sleeps, and nothing else, so that it need not take a place from those whose hosts
 * answer; up to a ceiling. Behind that, the oldest *gives way*.
 *
 * Pure: knows no thread and no clock; the time is the caller's to tell, in milliseconds on a
 * monotonic scale.
 *
 * Thread rule: `patience`, and a call's place in it, are covered by the owner's lock.
 * patience_begin, patience_end, patience_runs_out and patience_gives_way are for the thread of the
 * callout, with no lock held.
 */
#ifndef RB_BASE_STALL_H
#define RB_BASE_STALL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    PATIENCE_HELD_AFTER_MS = 1000, /* of one wait: connect, handshake, look-up, reply */
    PATIENCE_GIVE_WAY_AFTER_MS =
        10000, /* of a whole callout: slow hosts of good will are quicker */
};

/*
 * One callout under way. The owner's; it must not move between patience_enter and patience_leave.
 */
struct patience_call {
    _Atomic int64_t since_ms; /* has been waiting for one reply since; INT64_MAX: waits for none */
    atomic_bool gives_way;
    int64_t started_ms; /* [owner's lock] */
    bool noticed;       /* [the callout's thread] that this wait is a long one */
    struct patience_call *prev, *next;
};

/* All callouts under way, in the order they began. Zeroed: none. */
struct patience {
    struct patience_call *calls;
};

/* What a look at all of them shows. */
struct patience_view {
    unsigned held;   /* never more than there may be */
    unsigned excess; /* those that would be held, were there not so many already */
    int64_t next_ms; /* when either may grow without anybody else's doing; INT64_MAX: it will not */
};

void patience_enter(struct patience *patience, struct patience_call *call, int64_t now_ms);
void patience_leave(struct patience *patience, struct patience_call *call);

/* Begins to wait for a reply, or for the next one. NULL is fine: nobody watches. */
void patience_begin(struct patience_call *call, int64_t now_ms);

/* Waits for nothing more. NULL is fine. */
void patience_end(struct patience_call *call);

/*
 * True once in each wait, when it has lasted for so long that the callout is one to be held: time
 * to make oneself small. NULL is fine: never.
 */
bool patience_runs_out(struct patience_call *call, int64_t now_ms);

/* Whether the callout must end, for others' sake. NULL is fine: never. */
bool patience_gives_way(const struct patience_call *call);

/* max_held: how many may be held. One pass over all callouts under way. */
struct patience_view patience_look(const struct patience *patience, unsigned max_held,
                                   int64_t now_ms);

/*
 * Sees to it that up to `wanted` callouts give way: those under way for longest, of those that wait
 * too long and have had PATIENCE_GIVE_WAY_AFTER_MS. Those that were told so before, and have not
 * ended yet, count. Returns how many do.
 */
unsigned patience_give_way(const struct patience *patience, unsigned wanted, int64_t now_ms);

#endif
