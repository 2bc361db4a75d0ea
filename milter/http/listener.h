/* SPDX-License-Identifier: BSD-2-Clause */
/* listener: the socket where HTTP clients find us: of an address, or of a path. */
#ifndef RB_MILTER_HTTP_LISTENER_H
#define RB_MILTER_HTTP_LISTENER_H

enum { LISTENER_ERROR_SIZE = 512 };

/*
 * Opens what `http` of the configuration says, not "". A stale unix socket is removed; the mode of
 * the new one is 0660. Returns the descriptor, which does not block; -1: error says why, in a line.
 */
int listener_open(const char *http, char error[LISTENER_ERROR_SIZE]);

/* Closes it, and removes the unix socket. */
void listener_close(int fd, const char *http);

#endif
