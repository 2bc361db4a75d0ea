/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * walk: shows the records of a table one by one, over any store; behind cache_walk and its kin
 * (cache.h).
 */
#ifndef RB_CACHE_WALK_H
#define RB_CACHE_WALK_H

#include "cache/store.h"

#include <stdbool.h>
#include <stdint.h>

/* Which records are walked over. */
enum walk_what {
    WALK_ALL,
    WALK_KEY,     /* that key, and those that begin with it and `separator` */
    WALK_ADDRESS, /* `key` is an address: its own key, our users', and each relay's */
};

/* What cache_walk (cache.h) and its kin are told. */
struct walk_order {
    enum cache_table table;
    enum walk_what what;
    const char *key; /* NULL for WALK_ALL */
    char separator;
    bool (*visit)(const struct cache_entry *entry, void *arg);
    void *arg;
};

/* Adds to *damaged the records that could not be read. Any thread. */
enum rb_error walk_records(const struct store_ops *ops, struct store *store,
                           const struct walk_order *order, uint64_t *damaged);

#endif
