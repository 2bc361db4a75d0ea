/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * deferral: when an address whose mail host said "later" is to be asked about again. Pure: what is
 * needed stands in the address record, so that a restart loses nothing, and the intervals are
 * computed from today's configuration.
 */
#ifndef RB_DEFERRAL_H
#define RB_DEFERRAL_H

#include "record.h"
#include "ringback.h"

enum {
    DEFERRAL_GRACE_S = 1, /* beyond what the host asked for: its clock and ours tick apart */
};

/* True for what a later try may change: greylisted and other 4yz. */
bool deferral_applies(enum rb_reason reason);

/*
 * Notes in a new record since when the address has been deferred and how often it was asked about
 * since; before: the record it follows, NULL where there was none. A record that is no deferral is
 * left alone.
 */
void deferral_note(struct address_record *record, const struct address_record *before);

/*
 * When to ask again (wall clock): after what the host asked for, else rules->first_s, doubled with
 * each try up to rules->max_s. -1: not at all, for it is no deferral, or rules->give_up_s would
 * have passed by then.
 */
int64_t deferral_due_s(const struct address_record *record, const struct rb_greylist *rules);

#endif
