/* SPDX-License-Identifier: BSD-2-Clause */
/* control: asking the running daemon at its control socket. */
#ifndef RB_MILTER_TOOL_CONTROL_H
#define RB_MILTER_TOOL_CONTROL_H

#include <jansson.h>

enum {
    CONTROL_ANSWER_MAX = 4 * 1024 * 1024, /* octets */
    CONTROL_WAIT_S = 30, /* for the whole answer: a reload may wait for a name server */
};

/*
 * Sends a request, one line with its end, and reads the answer. The caller's (json_decref). NULL:
 * errno is what the system said where the daemon cannot be reached, 0 where it gave no answer.
 */
json_t *control_ask(const char *path, const char *request);

/* "Permission denied; ...": why control_ask came back with nothing, and what to do. errno. */
void control_say_why(const char *path, int error);

#endif
