/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control: the daemon's socket for `ringback status`, `reload` and `explain` (control_protocol.h).
 * Clients that say nothing keep nobody else waiting. A request whose client has gone is not obeyed.
 * There is always another one beside it, which is found by our process id (`ringback reload --pid`)
 * and heeds nobody but root and our own user.
 *
 * A thread reads what clients say, as many as may be connected; each request is obeyed in a thread
 * of its own, as many as may be at once.
 */
#ifndef RB_MILTER_DAEMON_CONTROL_H
#define RB_MILTER_DAEMON_CONTROL_H

#include <stdbool.h>

enum {
    CONTROL_CLIENTS_MAX = 32, /* whose request nobody obeys yet; for one more, the client that has
                                 been silent for longest is dropped */
    CONTROL_OBEYED_MAX = 8,   /* requests that are obeyed at once; the others wait */
    CONTROL_READ_MS = 2000,   /* for a whole request: a client that is slower is dropped */
    CONTROL_ANSWER_MS = 5000, /* for the client to take the whole answer: the rest is not sent */
};

/*
 * Opens the sockets (mode 0660; a stale one is removed) and starts the thread. path "": there is to
 * be none but that of our process id. False: errno says why (EADDRINUSE: somebody answers there;
 * ENOTSOCK: what is there is no socket). Where another program has taken the one of our process id,
 * that is logged, and true. In the process that serves.
 */
bool control_start(const char *path);

/* Waits for what is being obeyed, ends the threads and removes the sockets. */
void control_stop(void);

#endif
