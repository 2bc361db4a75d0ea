/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memo: what is worth knowing again for a while: octets under a key, each for a time of its own, in
 * memory alone. Where there are too many, the oldest go first.
 *
 * Any thread may call at any time.
 */
#ifndef RB_BASE_MEMO_H
#define RB_BASE_MEMO_H

#include "base/clock.h"

#include <stddef.h>

struct memo; /* opaque */

/*
 * entries_max, octets_max: how many values are kept, and how many octets of them together. The
 * clock must outlive it. NULL: no memory. Given back with memo_free.
 */
struct memo *memo_new(const struct rb_clock *clock, size_t entries_max, size_t octets_max);

/* Nobody may use it any more. NULL is fine. */
void memo_free(struct memo *memo);

/*
 * Copies what is kept under a key, and returns its length; 0 where nothing is, its time has passed,
 * or it is longer than size.
 */
size_t memo_find(struct memo *memo, const void *key, size_t key_len, void *value, size_t size);

/*
 * Keeps a copy for for_ms milliseconds, in the place of what was kept under that key before. Where
 * memory runs out it is not kept.
 */
void memo_keep(struct memo *memo, const void *key, size_t key_len, const void *value, size_t len,
               int64_t for_ms);

#endif
