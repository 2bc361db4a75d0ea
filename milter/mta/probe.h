/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * probe: whether the filter serves: asks at its own socket as an MTA does that has just connected.
 * Who answers is libmilter: the thread that accepts, one of its workers, and the filter's callback.
 */
#ifndef RB_MILTER_MTA_PROBE_H
#define RB_MILTER_MTA_PROBE_H

#include <stdbool.h>

/*
 * Whether what was asked before has been answered; asks again where it has, or nothing was asked.
 * Waits for PROBE_CONNECT_MS at most, and for no answer. After loop_init, one thread.
 */
enum { PROBE_CONNECT_MS = 200 };
bool probe_answered(void);

/* Leaves the filter alone. */
void probe_end(void);

#endif
