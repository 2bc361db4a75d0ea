/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * contender: what the cache bench asks of each of the two it compares: the project's own cache, and
 * a bare LMDB program that keeps the same octets under the same keys, with the same durability.
 */
#ifndef RB_BENCH_CONTENDER_H
#define RB_BENCH_CONTENDER_H

#include "people.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CONTENDER_BATCH = 1024
}; /* writes in one transaction of the bare one: as many as ours takes */

/* Octets on disk and records, all told. */
struct contender_size {
    uint64_t addresses, records; /* records: with facts, classes and hosts */
    uint64_t bytes;              /* used by pages in use */
};

/* What a thread that reads has of its own; NULL from new_reader: nothing needed. */
struct reader;

struct contender {
    const char *name;
    /* The folder exists. False, and it was said on stderr why, when it cannot be opened. */
    bool (*open)(const char *folder, uint64_t max_bytes);
    void (*close)(void);
    bool (*new_reader)(struct reader **reader);
    void (*free_reader)(struct reader *reader);
    /* Whether it is there. Ours decodes it too, the bare one copies its octets out. */
    bool (*get)(struct reader *reader, const char *key);
    /*
     * Records first..first+count-1 with what comes with them (all), or their addresses alone. What
     * can be made ready before is made ready by prepare, at most PREPARED_MAX of them.
     */
    bool (*prepare)(uint64_t first, uint64_t count, int64_t stamp_s, bool all);
    bool (*put_prepared)(void); /* returns when all are committed */
    bool (*size)(struct contender_size *size);
};

enum { PREPARED_MAX = 1 << 17 };

extern const struct contender contender_ours;
extern const struct contender contender_bare;

/*
 * Fills an empty folder with records 0..count-1 and what comes with them: bulk.c. named: for
 * contender_ours, else for contender_bare. False, and it was said on stderr why, when it cannot.
 */
bool bulk_fill(bool named, const char *folder, uint64_t max_bytes, uint64_t count, int64_t stamp_s);

/* The cache that contender_ours has open, for what only it can do. */
struct cache *contender_cache(void);

#endif
