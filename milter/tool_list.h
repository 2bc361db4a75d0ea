/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tool_list: how far `ringback verify` has come with a list: shown on a terminal, with rate and time left, and kept in a file, so
 * that a list that was broken off can be taken up again. One thread.
 */
#ifndef RB_TOOL_LIST_H
#define RB_TOOL_LIST_H

#include "ringback.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct list {
    const char *resume; /* the file; NULL: none */
    uint64_t begun;     /* octets of standard input that an earlier run has done */
    uint64_t octets;    /* of standard input, done, those included */
    uint64_t size;      /* of standard input; 0: not known */
    uint64_t counts[RB_VERDICT_INVALID + 1];
    bool shown; /* on a terminal */
    struct timespec began, told;
};

/* Begins. False: the file cannot be read, or is none of ours; said on standard error. */
bool list_begin(struct list *list, const char *resume);

/* An address is done, and its answer printed: so many octets of standard input; 0 for one of the command line. */
void list_done(struct list *list, uint64_t octets);

/* Ends: shows and keeps what there is. False: the file could not be written; said on standard error. */
bool list_end(struct list *list);

#endif
