/* SPDX-License-Identifier: BSD-2-Clause */
/* fake_clock: see the header. */
#include "fake_clock.h"

static int64_t monotonic_ms(void *arg)
{
    struct fake_clock *fake = arg;
    return atomic_load(&fake->monotonic_ms);
}

static int64_t wall_s(void *arg)
{
    struct fake_clock *fake = arg;
    return atomic_load(&fake->wall_s);
}

void fake_clock_init(struct fake_clock *fake)
{
    fake->clock = (struct rb_clock){.monotonic_ms = monotonic_ms, .wall_s = wall_s, .arg = fake};
    atomic_init(&fake->monotonic_ms, 1000000);
    atomic_init(&fake->wall_s, 2000000000);
}

void fake_clock_advance_s(struct fake_clock *fake, long long seconds)
{
    atomic_fetch_add(&fake->monotonic_ms, seconds * 1000);
    atomic_fetch_add(&fake->wall_s, seconds);
}
