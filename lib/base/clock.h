/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * deadline: absolute points on the monotonic clock, in milliseconds. The clock is a hook (struct
 * rb_clock), so that tests need not sleep.
 */
#ifndef RB_BASE_CLOCK_H
#define RB_BASE_CLOCK_H

#include "ringback.h"

#include <stdint.h>

typedef int64_t deadline; /* milliseconds on the clock's monotonic scale */

/* The operating system's clock: CLOCK_MONOTONIC and time(). Static, never freed, any thread. */
const struct rb_clock *clock_system(void);

int64_t clock_monotonic_ms(const struct rb_clock *clock);
int64_t clock_wall_s(const struct rb_clock *clock);

/* The point ms milliseconds from now. */
deadline deadline_in(const struct rb_clock *clock, int64_t ms);

/* Milliseconds left, 0 when it has passed, never more than INT_MAX: fit for poll(2). */
int deadline_left_ms(const struct rb_clock *clock, deadline when);

/* The earlier of two. */
deadline deadline_min(deadline a, deadline b);

#endif
