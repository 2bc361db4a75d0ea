/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sweep: which records may go, and in what order: expired ones in slices, then, when the
 * store is at its ceiling, the oldest. Thread rule: one thread at a time, with the store held
 * (writer_hold).
 */
#ifndef RB_CACHE_SWEEP_H
#define RB_CACHE_SWEEP_H

#include "cache/store.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    /* A retry overdue for so long is nobody's: no daemon runs, or none that asks again. */
    SWEEP_RETRY_KEEP_S = 7 * 24 * 3600,
    /* A stamp further off than this was made by a clock that was wrong. */
    SWEEP_FUTURE_MAX_S = 24 * 3600,
    SWEEP_EVICT_PART = 10,    /* a tenth of the records goes at a time, the oldest */
    SWEEP_SAMPLES_MAX = 4096, /* stamps looked at to find out which are the oldest */
};

/* What is expired now. */
struct sweep_rules {
    struct rb_lifetimes lifetimes;
    int64_t now_s;
};

struct sweep_counts {
    atomic_uint_fast64_t swept, evicted, damaged;
};

/* Housekeeping: one slice of each table. */
void sweep_maintain(const struct store_ops *ops, struct store *store,
                    const struct sweep_rules *rules, struct sweep_counts *counts);

/* All that is expired, from all tables, or simply all; *removed counts. */
enum rb_error sweep_purge(const struct store_ops *ops, struct store *store,
                          const struct sweep_rules *rules, bool expired_only, uint64_t *removed,
                          struct sweep_counts *counts);

/*
 * Makes room for `writes` records and more: what is expired goes, and where that is less than a
 * tenth of all, the oldest as well. False when nothing could be removed.
 */
bool sweep_make_room(const struct store_ops *ops, struct store *store,
                     const struct sweep_rules *rules, size_t writes, struct sweep_counts *counts);

#endif
