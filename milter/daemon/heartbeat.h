/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * heartbeat: tells the service manager every few seconds how the daemon does and, where a watchdog
 * is set, that it makes progress (liveness.h). What is looked at is what can hang: libmilter's
 * loop, by asking at its socket; the verifier's locks, by taking them; its callouts, by what they
 * have done. A heartbeat that hangs in one of these is not heard, and that is its purpose.
 */
#ifndef RB_MILTER_DAEMON_HEARTBEAT_H
#define RB_MILTER_DAEMON_HEARTBEAT_H

#include <stdbool.h>

enum {
    HEARTBEAT_STEP_MS = 10000, /* between two looks */
    HEARTBEAT_LOOKS_MIN = 4,   /* within the watchdog's time: then the step is shorter */
};

/*
 * Starts the thread, once the service has started; where no service manager listens there is none,
 * and true. filter_answered: whether the filter has answered at its socket since it was called
 * last; from the thread alone. False: no thread could be had.
 */
bool heartbeat_start(bool (*filter_answered)(void));

/* Ends the thread. Before service_end. */
void heartbeat_stop(void);

#endif
