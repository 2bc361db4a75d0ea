/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sized: structs of ringback.h that begin with `size_t size`, the size that they had in the header
 * the caller was compiled with: of one that is smaller than ours, no octet behind its end is read
 * or written; of one that is larger, what lies behind our end is left alone. 0 says that the caller
 * set no size: what the struct had in the first release is there then, and no more is touched.
 */
#ifndef RB_BASE_SIZED_H
#define RB_BASE_SIZED_H

#include "ringback.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* The size that a struct had in the first release, whose last member was that one. */
#define SIZED_UP_TO(type, last) (offsetof(type, last) + sizeof(((type *)0)->last))

/* NOLINTBEGIN(bugprone-sizeof-expression): the last member may be a pointer */
enum {
    SIZED_OPTIONS = SIZED_UP_TO(struct rb_options, clock),
    SIZED_QUESTION = SIZED_UP_TO(struct rb_question, then_client),
    SIZED_ANSWER = SIZED_UP_TO(struct rb_answer, voucher),
    SIZED_PROSPECT = SIZED_UP_TO(struct rb_prospect, why_nobody),
    SIZED_STATS = SIZED_UP_TO(struct rb_stats, cache_bytes),
    SIZED_CLIENT_QUESTION = SIZED_UP_TO(struct rb_client_question, done_arg),
    SIZED_CLIENT_ANSWER = SIZED_UP_TO(struct rb_client_answer, transcript),
    SIZED_CLIENT_PROSPECT = SIZED_UP_TO(struct rb_client_prospect, line),
    SIZED_SPF_QUESTION = SIZED_UP_TO(struct rb_spf_question, sender_len),
    SIZED_SPF_ANSWER = SIZED_UP_TO(struct rb_spf_answer, held_back),
    SIZED_DURATIONS = SIZED_UP_TO(struct rb_durations, count),
    SIZED_HEALTH = SIZED_UP_TO(struct rb_health, writes_are_lost),
    SIZED_DOMAIN_FACTS = SIZED_UP_TO(struct rb_domain_facts, dead_reason),
    SIZED_CACHE_COUNTS = SIZED_UP_TO(struct rb_cache_counts, max_bytes),
};
/* NOLINTEND(bugprone-sizeof-expression) */

/* How many octets of a caller's struct may be touched; ours: its size here. */
static inline size_t sized_reach(const void *given, size_t first, size_t ours)
{
    size_t size;

    memcpy(&size, given, sizeof size);
    if (size == 0)
        size = first;
    return size < ours ? size : ours;
}

/*
 * Reads a caller's struct into one of ours, whose other fields stay as they are, and whose size
 * becomes ours. False: the size is none.
 */
static inline bool sized_read(void *to, size_t ours, const void *given, size_t first)
{
    const size_t reach = sized_reach(given, first, ours);

    if (reach < sizeof(size_t))
        return false;
    memcpy(to, given, reach);
    memcpy(to, &ours, sizeof ours);
    return true;
}

/* Writes one of ours into a caller's struct, whose size stays. False: the size is none. */
static inline bool sized_write(void *given, size_t first, const void *from, size_t ours)
{
    const size_t reach = sized_reach(given, first, ours);

    if (reach < sizeof(size_t))
        return false;
    memcpy((char *)given + sizeof(size_t), (const char *)from + sizeof(size_t),
           reach - sizeof(size_t));
    return true;
}

#endif
