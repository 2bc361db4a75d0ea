/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * task: one callout on the verifier's behalf: what a callout wants of its owner (more items, leave
 * to call a host, a place for answers and facts) out of queue, slots, cache and breaker. Part of
 * the verifier; see verifier.h for the locks.
 */
#ifndef RB_VERIFIER_JOBS_H
#define RB_VERIFIER_JOBS_H

#include "verifier/verifier.h"

/*
 * Asks what waits for the destination. A worker's thread, no lock held; the setup is held by the
 * caller, who has entered the call with the verifier's patience.
 */
void task_run(struct rb_verifier *verifier, struct destination *destination,
              const struct setup *setup, struct patience_call *call);

#endif
