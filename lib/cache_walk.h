/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache_walk: cache_walk of cache.h over any store. cache_address_key is defined beside it, since a
 * walk must take apart what that puts together.
 */
#ifndef RB_CACHE_WALK_H
#define RB_CACHE_WALK_H

#include "store.h"

#include <stdbool.h>
#include <stdint.h>

/* As cache_walk (cache.h). Adds to *damaged the records that could not be read. Any thread. */
enum rb_error walk_records(const struct store_ops *ops, struct store *store, enum cache_table table,
                           bool (*visit)(const struct cache_entry *entry, void *arg), void *arg,
                           uint64_t *damaged);

#endif
