/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * writer: the cache's queue of writes and the one thread that commits them. What is queued
 * can be looked at (writer_peek) until it is committed, so that nobody sees a gap. Octets only:
 * knows nothing of what they mean.
 *
 * Thread rule: every function may be called from any thread, but open and close.
 */
#ifndef RB_CACHE_WRITER_H
#define RB_CACHE_WRITER_H

#include "cache/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    WRITER_BATCH_MAX = 1024, /* writes in one transaction */
    WRITER_PACE_MS = 20,     /* from one commit to the next, unless a batch is full or wanted */
    WRITER_ROOM_ROUNDS = 8,  /* how often room is made for one batch before it is dropped */
    WRITER_MAINTAIN_BATCHES = 16, /* housekeeping at the latest after so many batches, */
    WRITER_MAINTAIN_S = 10,       /* and after so long */
};

/*
 * What the writer needs of its owner. make_room and maintain run with the store held (writer_hold),
 * maintained with nothing held.
 */
struct writer_hooks {
    /* By enum cache_table; NULL: the newer value replaces. Any thread, under the writer's lock. */
    store_merge_fn *merge[CACHE_TABLE_LAST + 1];
    /* The store is at its ceiling: sweep so that so many writes fit. False: nothing could be swept.
     */
    bool (*make_room)(void *arg, size_t writes);
    void (*maintain)(void *arg);   /* housekeeping, a bounded slice of it */
    void (*maintained)(void *arg); /* after each such slice */
    void *arg;                     /* for all of them */
};

struct writer_counts {
    uint64_t writes, dropped;
};

struct writer;

/* The store stays its owner's and must outlive the writer. batch_max: 1..WRITER_BATCH_MAX. */
enum rb_error writer_open(const struct store_ops *ops, struct store *store, size_t batch_max,
                          const struct writer_hooks *hooks, struct writer **writer)
    __attribute__((warn_unused_result));

/* Commits what is queued, ends the thread. NULL is fine. */
void writer_close(struct writer *writer);

/*
 * Queues a write, or, where value is empty, a removal (only of a table that merges nothing). Never
 * waits for the disk. RB_ERR_STORE: the queue is full, the write was dropped and counted.
 */
enum rb_error writer_put(struct writer *writer, enum cache_table table, struct octets key,
                         struct octets value);

/*
 * Whether anything is queued and not committed yet, of whatever key. Where not, the store has all
 * that was queued before: what was committed leaves the queue only then.
 */
bool writer_has_queued(struct writer *writer);

/*
 * Copies out what is queued for a key and not committed yet; *len 0: its removal is. False: nothing
 * is. A store that is read after that is sure to have what was queued before. size must be
 * RECORD_SIZE_MAX.
 */
bool writer_peek(struct writer *writer, enum cache_table table, struct octets key, uint8_t *out,
                 size_t *len);

/* Waits until everything queued so far is committed or dropped. */
void writer_flush(struct writer *writer);

/*
 * The store for the caller alone, between batches: nobody else writes to it until writer_release,
 * though queueing goes on. For sweeps, deletions and purges.
 */
void writer_hold(struct writer *writer);
void writer_release(struct writer *writer);

/* While held: one transaction, for which room is made where the store is at its ceiling. */
enum rb_error writer_commit(struct writer *writer, const struct store_write *writes, size_t count);

/* While held: takes back what is queued, for one key (true: there was something), or altogether. */
bool writer_forget(struct writer *writer, enum cache_table table, struct octets key);
void writer_forget_all(struct writer *writer);

void writer_count(struct writer *writer, struct writer_counts *counts);

#endif
