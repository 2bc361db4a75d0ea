/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * deadline: absolute points in time, so that many waits share one limit (clock_gettime(2),
 * CLOCK_MONOTONIC). It must not sleep, and nothing else in the library may ask the operating system
 * for the time.
 */
#include "config.h"

#include "base/clock.h"

#include <limits.h>
#include <stddef.h>
#include <time.h>

static int64_t system_monotonic_ms(void *arg)
{
    struct timespec now = {.tv_sec = 0};

    (void)arg;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t system_wall_s(void *arg)
{
    (void)arg;
    return (int64_t)time(NULL);
}

const struct rb_clock *clock_system(void)
{
    static const struct rb_clock clock = {
        .monotonic_ms = system_monotonic_ms,
        .wall_s = system_wall_s,
    };

    return &clock;
}

int64_t clock_monotonic_ms(const struct rb_clock *clock)
{
    return clock->monotonic_ms(clock->arg);
}

int64_t clock_wall_s(const struct rb_clock *clock)
{
    return clock->wall_s(clock->arg);
}

/* Saturates: a deadline that is too far away to count is one that never comes. */
deadline deadline_in(const struct rb_clock *clock, int64_t ms)
{
    const int64_t now = clock_monotonic_ms(clock);

    if (ms > 0 && now > INT64_MAX - ms)
        return INT64_MAX;
    if (ms < 0 && now < INT64_MIN - ms)
        return INT64_MIN;
    return now + ms;
}

int deadline_left_ms(const struct rb_clock *clock, deadline when)
{
    const int64_t now = clock_monotonic_ms(clock);

    if (when <= now)
        return 0;
    /* Unsigned: the distance of two int64_t always fits, where their signed difference may not. */
    const uint64_t left = (uint64_t)when - (uint64_t)now;
    return left > INT_MAX ? INT_MAX : (int)left;
}

deadline deadline_min(deadline a, deadline b)
{
    return a < b ? a : b;
}
