/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * jobs: one callout on the verifier's behalf: what a callout wants of its owner (more items, leave
 * to call a host, a place for answers and facts) out of the verifier's rooms.
 * Owns nothing and has no lock.
 */
#ifndef RB_VERIFIER_JOBS_H
#define RB_VERIFIER_JOBS_H

#include "options/options.h"
#include "sched/sched.h"
#include "verifier/inflight.h"

/*
 * Asks about the item and what else waits for the destination: the hook of sched. arg: the
 * verifier. A worker's thread, no lock held.
 */
void jobs_run(void *arg, struct sched_callout *callout, struct callout_item *item);

/*
 * The world has answered a question, or the cache has after all (from_cache): whatever that changes
 * is changed, then all who wait are told, and the question is gone. Any thread, no lock held.
 */
void jobs_finish(struct rb_verifier *verifier, const struct options *options,
                 struct question *question, const struct address_record *record);

#endif
