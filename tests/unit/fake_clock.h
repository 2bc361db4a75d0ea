/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake_clock: a clock that moves only when the test says so. Any thread may read it.
 */
#ifndef RB_FAKE_CLOCK_H
#define RB_FAKE_CLOCK_H

#include "ringback.h"

#include <stdatomic.h>

struct fake_clock {
    struct rb_clock clock; /* hand this out */
    atomic_llong monotonic_ms, wall_s;
};

/* Starts at 1,000,000 ms and 2,000,000,000 s. */
void fake_clock_init(struct fake_clock *fake);

/* Moves both scales on. */
void fake_clock_advance_s(struct fake_clock *fake, long long seconds);

#endif
