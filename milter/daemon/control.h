/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control: the daemon's socket for `ringback status`, `reload` and `explain` (control_protocol.h).
 * Clients that say nothing keep nobody else waiting. What somebody has asked for who has gone since is not done.
 *
 * A thread reads what clients say, as many as may be connected; each request is obeyed in a thread
 * of its own, as many as may be at once.
 */
#ifndef RB_MILTER_DAEMON_CONTROL_H
#define RB_MILTER_DAEMON_CONTROL_H

#include <stdbool.h>
#include <stddef.h>

enum {
    CONTROL_CLIENTS_MAX = 32, /* whose request has not been taken up; one more, and the one that
                                 has said nothing for longest is left */
    CONTROL_OBEYED_MAX = 8,   /* requests at once; the others wait */
    CONTROL_READ_MS = 2000,   /* for a whole request; a client that is slower is left, */
    CONTROL_ANSWER_MS = 5000, /* and so is one that has not taken all of the answer by then */
};

/*
 * Opens the socket (mode 0660; a stale one is removed) and starts the thread. "" : there is none,
 * and that is fine. False: errno says why (EADDRINUSE: somebody answers there; ENOTSOCK: what is
 * there is no socket).
 */
bool control_start(const char *path);

/* Waits for what is being obeyed, ends the threads and removes the socket. */
void control_stop(void);

#endif
