/* SPDX-License-Identifier: BSD-2-Clause */
/* sleep: keeps the calling thread from going on for a while; a signal may end it early. */
#ifndef RB_MILTER_BASE_SLEEP_H
#define RB_MILTER_BASE_SLEEP_H

#include <time.h>

static inline void sleep_ms(unsigned ms)
{
    const struct timespec length = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

    (void)nanosleep(&length, NULL);
}

#endif
