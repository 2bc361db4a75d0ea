/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * health: whether name servers answer and the store takes what is learned, by what the others have
 * noticed; and asks name servers that were silent again, so that their coming back is noticed where
 * nobody has a question.
 *
 * Owns: the one look-up that asks again. Lock: none, atomics.
 */
#ifndef RB_VERIFIER_HEALTH_H
#define RB_VERIFIER_HEALTH_H

#include "sched/sched.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    HEALTH_ASK_EVERY_MS = 5000, /* from one such look-up to the next */
    HEALTH_ASK_FOR_MS = 3000,   /* it is given so long */
};

struct health {
    struct sched_lookup lookup; /* of whoever has set is_asking */
    atomic_bool is_asking;
    _Atomic int64_t next_ms; /* when it may be asked again */
};

/* Whether a look-up that sched hands out is health's. Any thread. */
bool health_owns(const struct health *health, const struct sched_lookup *lookup);

/*
 * Makes it, in a thread of sched's. arg: the verifier; call: is told of the wait. What comes of it
 * the watch of the name servers learns.
 */
void health_look_up(void *arg, struct stall_call *call);

#endif
