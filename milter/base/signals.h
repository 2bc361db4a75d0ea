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
 * Blocks them all in this thread and in those that it starts: what comes from now on waits until
 * somebody asks for it, and kills nobody. SIGPIPE is ignored. First of all, before any other
 * thread.
 */
void signals_block(void);

/* Hands those that have come to this process to another one. After signals_block. */
void signals_pass_on(pid_t process);

/* Whether one that ends the process has come, and nobody has taken it yet. */
bool signals_end_has_come(void);

/* Waits for SIGUSR1, or for one that ends the process; returns which. */
void signals_await_reload(void);
int signals_await_end(void);

#endif
