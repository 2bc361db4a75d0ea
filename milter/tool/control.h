/* SPDX-License-Identifier: BSD-2-Clause */
/* control: asking the running daemon at its control socket. */
#ifndef RB_MILTER_TOOL_CONTROL_H
#define RB_MILTER_TOOL_CONTROL_H

#include <jansson.h>
#include <sys/types.h>

#include "tool/syntax.h"

enum {
    CONTROL_ANSWER_MAX = 4 * 1024 * 1024, /* octets */
    CONTROL_WAIT_S = 30, /* for the whole answer: a reload may wait for a name server */
};

/*
 * Sends a request, one line with its end, and reads the answer. The caller's (json_decref). NULL:
 * errno is what the system said where the daemon cannot be reached, 0 where it gave no answer.
 */
json_t *control_ask(const char *path, const char *request);

/*
 * The same of the daemon with this process id, which heeds root and its own user. errno EPERM:
 * another process has taken its address.
 */
json_t *control_ask_process(pid_t process, const char *request);

/* Says on standard error why control_ask has failed, and what to do; error: errno after it. */
void control_say_why(const char *path, int error);

/* For a verb's table of options; `type` has a const char *control. */
#define CONTROL_OPTION(type)                                                                       \
    {                                                                                              \
        .name = "control", .value = "PATH", SYNTAX_SETS(type, control, SYNTAX_TEXT),               \
        .help = "the daemon's socket; no configuration is read then"                               \
    }

/*
 * Refuses -c together with --control, and a --control without a path. -1: go on; otherwise the exit
 * status, and it was said why.
 */
int control_check(const struct syntax *syntax, const char *config_path, const char *control);

/*
 * control_ask at the socket named; NULL: where the configuration has it. The answer is the caller's
 * (json_decref). NULL: *status is the exit status, and it was said why.
 */
json_t *control_request(const char *control, const char *config_path, const char *line,
                        int *status);

#endif
