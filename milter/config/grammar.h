/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * grammar: libconfuse reads the file's form, and nothing more. To it every value is a string; its
 * callback puts the number of the line before each, so that whoever gives values their meaning can
 * say where one stands.
 */
#ifndef RB_MILTER_CONFIG_GRAMMAR_H
#define RB_MILTER_CONFIG_GRAMMAR_H

#include "config/scan.h"

#include <confuse.h>

/*
 * Reads text that scan_text has been through, under the tables of directive.h. path is for
 * messages. NULL, with the fault written, when it does not have the form. The tree is the caller's,
 * for grammar_free; values in it are read by grammar_value. Any thread; they wait for each other.
 */
cfg_t *grammar_read(const char *path, char *text, size_t len, struct fault *fault);
void grammar_free(cfg_t *root);

/* Takes the line's number off a value of the tree. */
const char *grammar_value(const char *marked, unsigned *line);

/* The line of a directive's first value, 0 where the file has none. */
unsigned grammar_line(cfg_t *section, const char *name);

/* The line on which a policy's or relay's block opens. */
unsigned grammar_opening(cfg_t *block);

#endif
