/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wake: keeps a burst of sessions from standing in line behind a callback that waits.
 *
 * A libmilter built with a pool of workers hands sessions that became ready to the one or two idle
 * workers, and while a callback blocks there, the others wait behind it. A connection to the
 * filter's own socket, closed at once, makes the listener wake or start another worker. With a
 * libmilter that has a thread for each connection it does no harm.
 */
#ifndef RB_MILTER_MTA_WAKE_H
#define RB_MILTER_MTA_WAKE_H

#include <sys/socket.h>

/* The address of the filter's own listening socket, whatever its family. Once, before threads. */
void wake_init(const struct sockaddr_storage *address, socklen_t len);

/* Call just before a callback waits. Never blocks. Any thread. */
void wake_another_worker(void);

#endif
