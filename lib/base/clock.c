/* SPDX-License-Identifier: BSD-2-Clause */
/* clock: see the header. It must not sleep. */
#include "config.h"

#include "base/clock.h"

#include <limits.h>
#include <stddef.h>

enum { NS_PER_MS = 1000 * 1000, NS_PER_S = 1000 * NS_PER_MS };

static int64_t system_monotonic_ms(void *arg)
{
    struct timespec now = {.tv_sec = 0};

    (void)arg;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / NS_PER_MS;
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

struct timespec clock_timespec_in_ms(int64_t ms)
{
    struct timespec when = {.tv_sec = 0};

    (void)clock_gettime(CLOCK_MONOTONIC, &when);
    when.tv_sec += ms / 1000;
    when.tv_nsec += ms % 1000 * NS_PER_MS;
    if (when.tv_nsec >= NS_PER_S) {
        when.tv_sec++;
        when.tv_nsec -= NS_PER_S;
    }
    return when;
}

void clock_init_cond(pthread_cond_t *cond)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attributes);
    pthread_condattr_destroy(&attributes);
}

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

bool deadline_is_over(const struct rb_clock *clock, deadline when)
{
    return when <= clock_monotonic_ms(clock);
}

deadline deadline_min(deadline a, deadline b)
{
    return a < b ? a : b;
}
