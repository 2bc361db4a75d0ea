/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loop: libmilter's main loop, and its end without delay. Its listener looks only every five
 * seconds whether it shall end; here it is woken.
 */
#ifndef RB_MILTER_MTA_LOOP_H
#define RB_MILTER_MTA_LOOP_H

#include <stdbool.h>

enum { LOOP_FINISH_MS = 10000 }; /* for what is under way when a signal comes */

/* How the end begins. */
struct loop_end {
    void (*announce)(void);          /* once, when a signal has come */
    bool (*may_come)(int waited_ms); /* whether all is over that the MTA's sessions had under way */
};

/*
 * Serves the MTA until SIGHUP, SIGTERM or SIGINT, which must be blocked in every thread, or until
 * libmilter fails: false then. Behind a signal the MTA is served on until `end->may_come`, for
 * LOOP_FINISH_MS at most, or until another signal comes: libmilter, once it is told, reads nothing
 * more of what its sessions send. From the main thread, once, after wake_init and smfi_opensocket.
 * Callbacks may still be at work when it returns.
 */
bool loop_run(const struct loop_end *end);

#endif
