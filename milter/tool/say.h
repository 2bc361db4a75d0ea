/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * say: what a verb has to say: to people on standard error, objects on standard output. One thread.
 */
#ifndef RB_MILTER_TOOL_SAY_H
#define RB_MILTER_TOOL_SAY_H

#include <jansson.h>
#include <stdbool.h>

/* "ringback: TEXT" on standard error. Returns status. */
int say_line(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints a help, to standard output where it was asked for; returns the exit status for it. */
int say_help(const char *text, bool asked_for);

/*
 * What to do about an errno of the cache's, or who may, to be put behind its text; or "". Static.
 */
const char *say_hint(int error);

/* One JSON object a line on standard output; takes the reference. */
void say_json(json_t *object);

#endif
