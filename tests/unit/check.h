/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * check: what every unit test includes: cmocka with what it needs, and the TAP group's name.
 */
#ifndef RB_CHECK_H
#define RB_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/*
 * Leaves a function of a test that cannot be tried here. cmocka's own is "not ok" to TAP in Debian 12 (1.1.5), and so a
 * failure for who builds without root's rights, or in a chroot.
 */
#undef skip
#define skip()                                                                                     \
    do {                                                                                           \
        print_message("# SKIP %s\n", __func__);                                                    \
        return;                                                                                    \
    } while (0)

/* A millisecond, between two looks at something that must come. */
static inline void check_pause(void)
{
    const struct timespec pause = {.tv_nsec = 1000000};

    (void)nanosleep(&pause, NULL);
}

#endif
