/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store: what the cache needs of a byte store. lmdb.c is one; another may stand beside it. Keys and
 * values are octet strings; tables are those of enum cache_table.
 */
#ifndef RB_CACHE_STORE_H
#define RB_CACHE_STORE_H

#include "cache/cache.h"

struct store; /* an implementation's own */

enum {
    STORE_SIZE_MIN = 1 << 20, /* octets; a smaller ceiling is raised to this */
    STORE_KEY_MAX = 511,      /* octets of a key; a stranger's may be longer than CACHE_KEY_MAX */
};

/* Octets owned by whoever hands them over, for the length of the call. */
struct octets {
    const void *data;
    size_t len;
};

/*
 * Within a write batch: computes the new value of a key from the present one (data is NULL when
 * there is none) and the one to be written, into out (of RECORD_SIZE_MAX octets). Returns its
 * length, or 0 to leave the present one. Quick; calls no store.
 */
typedef size_t store_merge_fn(struct octets present, struct octets news, uint8_t *out, void *arg);

struct store_write {
    enum cache_table table;
    struct octets key;
    struct octets value;   /* len 0: delete */
    store_merge_fn *merge; /* NULL: replace */
    void *merge_arg;
};

/* Is shown a value that is valid only during the call. Quick; takes no lock and calls no store. */
typedef void store_take_fn(struct octets value, void *arg);

/* Return true to have the record deleted (sweeps). */
typedef bool store_expired_fn(enum cache_table table, struct octets key, struct octets value,
                              void *arg);
/* Return false to end. */
typedef bool store_visit_fn(struct octets key, struct octets value, void *arg);

struct store_stats {
    uint64_t records[CACHE_TABLE_LAST + 1]; /* by enum cache_table */
    uint64_t bytes, max_bytes;
};

enum store_state {
    STORE_SAME,    /* as it was */
    STORE_RENEWED, /* opened anew: what was in it may be gone */
    STORE_LOST,    /* it cannot be opened anew; what is still open of the old one is used on */
};

struct store_ops {
    /*
     * Shows the value to `take`, within the read transaction: what is to be kept is copied there,
     * and once. RB_OK, RB_ERR_NOT_FOUND, RB_ERR_STORE. Any thread.
     */
    enum rb_error (*get)(struct store *store, enum cache_table table, struct octets key,
                         store_take_fn *take, void *arg);
    /*
     * One transaction, durable by the store's own rule. All or nothing; *full: the store is at its
     * ceiling, and something must be swept before this can be written. One thread at a time, as are
     * sweep, clear and maintain.
     */
    enum rb_error (*write)(struct store *store, const struct store_write *writes, size_t count,
                           bool *full);
    /*
     * Shows `expired` at most `slice` records (fewer where the store is short of room), from where
     * the last sweep of that table ended, and deletes those of which it says true. *swept: how many
     * these were. *wrapped: the end was reached, and the next sweep begins at the start. A record
     * may be shown twice where a slice had to be begun again.
     */
    enum rb_error (*sweep)(struct store *store, enum cache_table table, size_t slice,
                           store_expired_fn *expired, void *arg, uint64_t *swept, bool *wrapped);
    /*
     * In key order, from the first key after `after` (len 0: from the start), over at most `limit`
     * records in one read transaction. Any thread, as is stats.
     */
    enum rb_error (*walk)(struct store *store, enum cache_table table, struct octets after,
                          size_t limit, store_visit_fn *visit, void *arg);
    /*
     * Deletes everything in one transaction. May fail for want of free pages where sweeps, slice by
     * slice, would not.
     */
    enum rb_error (*clear)(struct store *store, uint64_t *removed);
    enum rb_error (*stats)(struct store *store, struct store_stats *stats);
    /* Housekeeping, now and then: frees what dead processes hold, makes the last commit durable. */
    void (*maintain)(struct store *store);
    /*
     * Whether the store is still what its name leads to, and fit for use; where not, it is opened
     * anew, under those who read. detail (of size octets) says in words what was the matter. One
     * thread at a time, as write.
     */
    enum store_state (*check)(struct store *store, char *detail, size_t size);
    /* Why the last write failed, in words; "": none has. One thread at a time, as write. */
    const char *(*trouble)(struct store *store);
    void (*close)(struct store *store);
};

/*
 * Opens (and creates) an LMDB environment in the folder `path`. On failure, detail says why in
 * words and errno is that of the cause. On success it is "", or says what was wrong with what was
 * found there and has been moved aside. owner_fix and read_only as in cache_settings. Never twice
 * at a time in one process, whatever the path: RB_ERR_STORE, EBUSY. A child of fork may open what
 * its parent has open; the parent's store is not the child's to use or to close.
 */
enum rb_error cache_lmdb_open(const char *path, uint64_t max_bytes, bool owner_fix, bool read_only,
                              const struct store_ops **ops, struct store **store, char *detail,
                              size_t detail_size);

#endif
