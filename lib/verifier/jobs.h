/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * jobs: one callout on the verifier's behalf: what a callout wants of its owner (more items, leave
 * to call a host, a place for answers and facts) out of sched, cache and breaker. Part of the
 * verifier; see verifier.h for the locks.
 */
#ifndef RB_VERIFIER_JOBS_H
#define RB_VERIFIER_JOBS_H

#include "sched/sched.h"

/*
 * Asks about the item and what else waits for the destination: the hook of sched. arg: the verifier. A worker's thread, no
 * lock held.
 */
void jobs_run(void *arg, struct destination *destination, struct callout_item *item,
              struct stall_call *call);

#endif
