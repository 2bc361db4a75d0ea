/* SPDX-License-Identifier: BSD-2-Clause */
/* tool_daemon: asking the running daemon at its control socket (control.h). */
#ifndef RB_MILTER_TOOL_DAEMON_H
#define RB_MILTER_TOOL_DAEMON_H

#include <jansson.h>

enum {
    DAEMON_ANSWER_MAX = 4 * 1024 * 1024, /* octets */
    DAEMON_WAIT_S = 30, /* for the whole answer: a reload may wait for a name server */
};

/*
 * Sends a request, one line with its end, and reads the answer. The caller's (json_decref). NULL:
 * errno is what the system said where the daemon cannot be reached, 0 where it gave no answer.
 */
json_t *daemon_ask(const char *path, const char *request);

/* "Permission denied; ...": why daemon_ask came back with nothing, and what to do. errno. */
void daemon_say_why(const char *path, int error);

#endif
