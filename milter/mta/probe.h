/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * probe: whether the filter serves: asks at its own socket as an MTA does that has just connected.
 * Who answers is libmilter: the thread that accepts, one of its workers, and the filter's callback.
 */
#ifndef RB_MILTER_MTA_PROBE_H
#define RB_MILTER_MTA_PROBE_H

#include <stdbool.h>
#include <stdint.h>

/* One that asks; one thread at a time. */
struct probe {
    int asked; /* who waits for an answer; -1: nobody */
    int64_t asked_ms;
};
#define PROBE_INITIAL                                                                              \
    {                                                                                              \
        .asked = -1                                                                                \
    }

enum {
    PROBE_CONNECT_MS = 200, /* and so long for an answer, which is there at once as a rule */
    PROBE_PATIENCE_MS = 10000,
};

/*
 * Whether what was asked before has been answered; asks again where it has, or nothing was asked.
 * Waits for PROBE_CONNECT_MS at most, and for no answer. After loop_init.
 */
bool probe_answered(struct probe *probe);

/*
 * Asks, unless an answer is waited for already, and waits for PROBE_CONNECT_MS twice at most. False:
 * it could not ask, or the answer has not come within PROBE_PATIENCE_MS, looked at now and then:
 * a filter that is slow serves.
 */
bool probe_serves(struct probe *probe);

/* Leaves the filter alone. */
void probe_end(struct probe *probe);

#endif
