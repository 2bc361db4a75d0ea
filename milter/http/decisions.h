/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * decisions: the last decisions as a table, with a form that chooses among them. Any thread, and
 * nothing is held while it writes.
 */
#ifndef RB_MILTER_HTTP_DECISIONS_H
#define RB_MILTER_HTTP_DECISIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "daemon/history.h"

/* Which are wanted; "": whichever. Letters of either case are the same. */
struct decisions_filter {
    const char *address; /* part of an address that the decision names */
    const char *key;     /* such an address, whole, as rb_address_key has it; NULL: whichever */
    const char *client;  /* part of the client's address, or of its HELO name */
    const char *verdict; /* history_kind_name's, whole */
};

bool decisions_is_wanted(const struct decisions_filter *filter,
                         const struct history_decision *decision);

/* The form, how many were found, and the table. */
void decisions_write(FILE *out, const struct decisions_filter *filter, int64_t now_s);

/* The table alone. Returns how many are in it. */
unsigned decisions_write_table(FILE *out, const struct decisions_filter *filter, int64_t now_s);

#endif
