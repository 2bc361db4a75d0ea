/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loop: libmilter's main loop: run, woken and ended without delay. Its listener looks only every
 * five seconds whether it is to end, and a libmilter built with a pool of workers hands sessions
 * that became ready to the one or two idle workers: while a callback blocks one of them, the others
 * wait behind it. A connection to the filter's own socket, closed at once, makes the listener look,
 * and wake or start another worker. With a libmilter that has a thread for each connection it does
 * no harm.
 */
#ifndef RB_MILTER_MTA_LOOP_H
#define RB_MILTER_MTA_LOOP_H

#include <stdbool.h>
#include <sys/socket.h>

enum { LOOP_FINISH_MS = 10000 }; /* for what is under way when a signal comes */

/* How the end begins. */
struct loop_end {
    void (*announce)(void);          /* once, when a signal has come */
    bool (*may_come)(int waited_ms); /* whether all is over that the MTA's sessions had under way */
};

/* The address of the filter's own listening socket, of any family. Once, before threads. */
void loop_init(const struct sockaddr_storage *address, socklen_t len);

/*
 * A socket that is being connected to the filter's own, without blocking; the caller's to close.
 * -1: there is no descriptor for it. Any thread.
 */
int loop_connect(void);

/* To be called just before a callback waits. Never blocks. Any thread. */
void loop_wake(void);

/* Whether loop_run is at it. Any thread. */
bool loop_is_running(void);

/*
 * Serves the MTA until SIGHUP, SIGTERM or SIGINT, which must be blocked in every thread, or until
 * libmilter fails: false then. After a signal the MTA is served on until `end->may_come`, for
 * LOOP_FINISH_MS at most, or until another signal comes: once libmilter knows of the signal it
 * reads nothing more of its sessions. From the main thread, once, after loop_init and
 * smfi_opensocket. Callbacks may still be at work when it returns.
 */
bool loop_run(const struct loop_end *end);

#endif
