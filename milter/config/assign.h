/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * assign: puts one value of the configuration into its field, or says what is wrong with it and
 * what would be right.
 */
#ifndef RB_MILTER_CONFIG_ASSIGN_H
#define RB_MILTER_CONFIG_ASSIGN_H

#include "config/scan.h"
#include "config/table.h"

/* Where a value stands, for messages. */
struct where {
    const char *file;
    unsigned line;
    const char *label; /* "callout.port" */
};

/* Writes the fault "FILE:LINE: LABEL: "VALUE" WRONG". Returns false. */
bool assign_refuse(struct fault *fault, const struct where *where, const char *value,
                   const char *wrong);

/* Sets a field that is no list. False: the fault is written, the field stays. */
bool assign_set(struct fault *fault, const struct where *where, const struct directive *directive,
                const char *value, void *field);

/*
 * Adds one value to a field that is a list; of patterns and networks, "file:/PATH" adds every line
 * of the file. What was written is kept beside what it comes to. False: the fault is written.
 * Patterns are to be sorted when all are in.
 */
bool assign_add(struct fault *fault, const struct where *where, const struct directive *directive,
                const char *value, void *field);

#endif
