/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * filter: libmilter's callbacks. Carries what the MTA says to a session, and what the session
 * decides back. All that knows libmilter is here, in negotiate, loop and main.
 */
#ifndef RB_MILTER_MTA_FILTER_H
#define RB_MILTER_MTA_FILTER_H

#include <stdbool.h>

/*
 * Tells libmilter about us and where to listen, by TCP or not. False: it refused. Once, before
 * smfi_opensocket.
 */
bool filter_register(const char *listen, bool listens_by_tcp);

/*
 * filter_announce_end: the daemon is about to end, and does not wait for transactions that begin
 * from now on. filter_transactions_open: how many that began before are not over. Any thread.
 */
void filter_announce_end(void);
unsigned filter_transactions_open(void);

/* Callbacks that have not returned yet: after smfi_main has, some may still be at work. */
unsigned filter_callbacks_running(void);

#endif
