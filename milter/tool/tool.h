/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tool: what the verbs of `ringback` share. Each verb is a file of its own: a function that takes
 * the arguments behind the verb and returns the exit status (sysexits.h).
 */
#ifndef RB_MILTER_TOOL_H
#define RB_MILTER_TOOL_H

#include "config/configuration.h"

#include <jansson.h>
#include <sys/socket.h>

typedef int tool_verb(int argc, char **argv);

tool_verb tool_verify, tool_explain, tool_cache, tool_status, tool_reload, tool_config, tool_spf;

/* "ringback: TEXT" on stderr; returns status. */
int tool_fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints a verb's help (to stdout where it was asked for) and returns the status for it. */
int tool_help(const char *text, bool asked_for);

/*
 * The configuration of -c FILE (path), or of the usual place; where that has none and path is NULL,
 * the defaults. What is wrong in it, but not in what `scope` needs, is warned of. EX_OK and a
 * reference of the caller's, or an exit status, having said why.
 */
int tool_load(const char *path, enum config_scope scope, struct config **config);

/* What to do about an errno of the cache's, or who may, to be put behind its text; or "". */
const char *tool_hint(int error);

/* One JSON object a line on stdout; takes the reference. */
void tool_print_json(json_t *object);

#endif
