/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * signals: those that the daemon handles. SIGUSR1 asks for the configuration to be read again; HUP,
 * TERM and INT end the process: libmilter takes them all three for an order to end.
 */
#ifndef RB_MILTER_BASE_SIGNALS_H
#define RB_MILTER_BASE_SIGNALS_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Blocks them all in this thread and in those that it starts: a signal that comes from now on
 * stays pending until one of the functions below takes it. Ignores SIGPIPE. To be called before any
 * thread is started.
 */
void signals_block(void);

/* Sends the signals that are pending here to another process. After signals_block. */
void signals_pass_on(pid_t process);

/* Whether a signal that ends the process is pending. */
bool signals_end_has_come(void);

/* Waits for SIGUSR1, or for one that ends the process; returns which. */
void signals_await_reload(void);
int signals_await_end(void);

#endif
