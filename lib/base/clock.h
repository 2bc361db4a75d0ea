/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * clock: the time, and deadlines: absolute points on the monotonic clock, in milliseconds, so that
 * many waits share one limit. The clock is a hook (struct rb_clock): tests need not sleep.
 *
 * Pure but for clock_system, clock_timespec_in_ms and clock_init_cond. Any thread.
 */
#ifndef RB_BASE_CLOCK_H
#define RB_BASE_CLOCK_H

#include "ringback.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

typedef int64_t deadline; /* milliseconds on the clock's monotonic scale */

/* The operating system's clock: CLOCK_MONOTONIC and time(). Static, never freed. */
const struct rb_clock *clock_system(void);

int64_t clock_monotonic_ms(const struct rb_clock *clock);
int64_t clock_wall_s(const struct rb_clock *clock); /* since 1970 */

/*
 * The point ms milliseconds from now on CLOCK_MONOTONIC, as pthread_cond_timedwait wants it: for
 * condition variables of clock_init_cond. Not a hook: a thread cannot wait by the clock of a test.
 * ms: not negative.
 */
struct timespec clock_timespec_in_ms(int64_t ms);

/* Makes a condition variable that runs on CLOCK_MONOTONIC; pthread_cond_destroy ends it. */
void clock_init_cond(pthread_cond_t *cond);

/* The point ms milliseconds from now; one too far away to count is INT64_MAX, or INT64_MIN. */
deadline deadline_in(const struct rb_clock *clock, int64_t ms);

/* Milliseconds left, 0 when it has passed, never more than INT_MAX: fit for poll(2). */
int deadline_left_ms(const struct rb_clock *clock, deadline when);

/* Whether it has passed: nothing is left of it. */
bool deadline_is_over(const struct rb_clock *clock, deadline when);

/* The earlier of two. */
deadline deadline_min(deadline a, deadline b);

#endif
