/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * snapshots: the read transactions of one LMDB environment, kept for the next reader. Part of
 * cache_lmdb, which says what is read in them.
 *
 * To begin a transaction and to find the table's root in it anew costs a third of a look-up that
 * finds everything in memory. So a snapshot stays open for the next reader, who takes it as it is
 * when nobody has committed since. One that is open and old keeps the pages it sees from being used
 * again: hence none stays for long. A thread lets go of those that nobody has used for a moment,
 * and whoever is about to write lets go of all that are old.
 *
 * Thread rule: every function may be called from any thread, but open and close.
 */
#ifndef RB_CACHE_SNAPSHOTS_H
#define RB_CACHE_SNAPSHOTS_H

#include <lmdb.h>
#include <stdbool.h>

enum {
    SNAPSHOTS_MAX = 32,     /* readers at a time; one more is told EBUSY */
    SNAPSHOTS_REST_MS = 20, /* one that nobody uses for so long is let go, at twice that at last */
};

struct snapshots;
struct snapshot;

/*
 * For an environment that is open, and stays so until snapshots_close. keep: snapshots stay open
 * between readers; else each is new, and there is no thread. NULL: out of memory, or of threads.
 */
struct snapshots *snapshots_open(MDB_env *env, bool keep);

/* Ends all of them; nobody may hold one. NULL is fine. */
void snapshots_close(struct snapshots *snapshots);

/*
 * A snapshot of what was last committed, by this process or another, for the caller alone until
 * snapshots_give. EBUSY: all are taken, or they are stopped. Otherwise LMDB's codes.
 */
int snapshots_take(struct snapshots *snapshots, struct snapshot **snapshot);
MDB_txn *snapshot_txn(const struct snapshot *snapshot);
void snapshots_give(struct snapshots *snapshots, struct snapshot *snapshot);

/* Before a write transaction: lets go of what others have not in hand, and is not of the last
 * commit. */
void snapshots_let_go_old(struct snapshots *snapshots);

/* What the thread does now and then: lets go of those not used since the last time. True: some are
 * still open. */
bool snapshots_rest(struct snapshots *snapshots);

/* Waits until nobody has one, and lets nobody have one until snapshots_go. One thread at a time,
 * which must not have one. */
void snapshots_stop(struct snapshots *snapshots);
void snapshots_go(struct snapshots *snapshots);

/*
 * Between the two: snapshots are of that environment from now on (NULL: of none, and nobody gets
 * one). Nothing is left of the one before, which may be closed.
 */
void snapshots_change(struct snapshots *snapshots, MDB_env *env);

#endif
