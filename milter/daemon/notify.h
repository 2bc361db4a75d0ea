/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * notify: what the service manager is told (sd_notify(3)): that the daemon is ready, reads its
 * configuration again, ends, or lives. Where nobody listens ($NOTIFY_SOCKET is not set), each
 * function does nothing. What cannot be told is not told again: nothing depends on it.
 *
 * Any thread.
 */
#ifndef RB_MILTER_DAEMON_NOTIFY_H
#define RB_MILTER_DAEMON_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

/* Whether a service manager listens. */
bool notify_is_heard(void);

/*
 * Within how many milliseconds of another notify_alive is wanted, or this process is ended
 * (WatchdogSec=); 0: never.
 */
int64_t notify_watchdog_ms(void);

/* All is open: from now on the MTA is served. */
void notify_ready(void);

/* One line for people: how the daemon does, or why it did not start. Told only where it changes. */
void notify_status(const char *line);

/*
 * The configuration is read again; it was, taken or not. Nothing is told of a reload before
 * notify_ready and after notify_ending.
 */
void notify_reloading(void);
void notify_reloaded(void);

/* The daemon ends. */
void notify_ending(void);

/* It makes progress. */
void notify_alive(void);

#endif
