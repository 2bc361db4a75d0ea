/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * parse: libconfuse reads the file's form, and nothing more. To it every value is a string; its
 * callback puts the number of the line before each, so that whoever gives values their meaning can
 * say where one stands.
 */
#ifndef RB_MILTER_CONFIG_PARSE_H
#define RB_MILTER_CONFIG_PARSE_H

#include <confuse.h>

#include "config/scan.h"

/*
 * Reads text, which scan_text has checked, by the tables of table.h. path is for messages. NULL:
 * the fault is written. The tree is the caller's (parse_free); parse_value reads its values. Any
 * thread; calls wait for each other.
 */
cfg_t *parse_text(const char *path, char *text, size_t len, struct fault *fault);
void parse_free(cfg_t *root);

/* Takes the line's number off a value of the tree. */
const char *parse_value(const char *marked, unsigned *line);

/* The line of a directive's first value, 0 where the file has none. */
unsigned parse_line(cfg_t *section, const char *name);

/* The line on which a policy's or relay's block opens. */
unsigned parse_opening(cfg_t *block);

#endif
