/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control: the daemon's socket for `ringback status` and `ringback reload`: a client sends one
 * line, gets one JSON object and the connection is closed. A thread of its own; one client at a
 * time, each bounded in time.
 */
#ifndef RB_CONTROL_H
#define RB_CONTROL_H

#include <stdbool.h>
#include <stddef.h>

enum {
    CONTROL_LINE_MAX = 256,   /* octets of a request */
    CONTROL_CLIENT_MS = 5000, /* a client that is slower is left */
};

/*
 * Opens the socket (mode 0660; a stale one is removed) and starts the thread. "" : there is none,
 * and that is fine. False: errno says why (EADDRINUSE: somebody answers there; ENOTSOCK: what is
 * there is no socket).
 */
bool control_start(const char *path);

/* Ends the thread and removes the socket. */
void control_stop(void);

#endif
