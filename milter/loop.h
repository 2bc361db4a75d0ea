/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loop: libmilter's main loop, and its end without delay. Its listener looks only every five
 * seconds whether it shall end; here it is woken.
 */
#ifndef RB_LOOP_H
#define RB_LOOP_H

#include <stdbool.h>

/*
 * Serves the MTA until SIGHUP, SIGTERM or SIGINT, which must be blocked in every thread, or until
 * libmilter fails: false then. From the main thread, once, after wake_init and smfi_opensocket.
 * Callbacks may still be at work when it returns.
 */
bool loop_run(void);

#endif
