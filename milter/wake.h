/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wake: keeps a burst of sessions from standing in line behind a callback that waits.
 *
 * A libmilter built with a pool of workers hands sessions that became ready to the one or two idle
 * workers, and while a callback blocks there, the others wait behind it. A connection to the
 * filter's own socket, closed at once, makes the listener wake or start another worker. With a
 * libmilter that has a thread for each connection it does no harm.
 */
#ifndef RB_WAKE_H
#define RB_WAKE_H

#include <stdbool.h>

/* Where the filter listens, as smfi_setconn reads it ("inet:8894@127.0.0.1"). False when it cannot
 * be connected to. Once, before threads. */
bool wake_init(const char *listen);

/* Call just before a callback waits. Never blocks. Any thread. */
void wake_another_worker(void);

#endif
