/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache_lmdb: struct store_ops over one LMDB environment that all processes of the host share. It
 * and its snapshots.c are the only files that know LMDB; it knows nothing of what the octets mean.
 *
 * Durability: MDB_NOMETASYNC. Pages reach the disk before the meta page that points to them, so
 * neither the end of a process at any point nor a loss of power can leave a broken tree; a loss of
 * power may undo the last commit, which a cache can bear, and maintain() makes up for it. MDB_NOSYNC
 * would save more, but after a loss of power the tree may be garbage; MDB_WRITEMAP would let a
 * stray pointer of this process write into everybody's cache.
 *
 * The ceiling: LMDB needs free pages to delete as well, since it copies what it changes, and pages
 * freed by one transaction can be used only by the next but one. So writes stop being taken before
 * the map is full (has_room), while there is still room for sweeps.
 *
 * Locks: map_lock is held for reading while a transaction of this process is under way, and for
 * writing to map the file anew, which LMDB allows only when there is none. Readers with a snapshot
 * (snapshots.h, part of this file's business) need not hold it: they are stopped one by one.
 * claims_lock covers the list of open folders. No other lock is taken under either.
 */
#include "config.h"

#include "cache/store.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"
#include "cache/snapshots.h"

enum {
    TABLES = CACHE_TABLE_LAST,
    DBS_MAX = 16,       /* more than TABLES: room for tables of later versions */
    READERS_MAX = 2048, /* threads of all processes that read at the same moment */
    RETRIES_MAX = 3,    /* to begin a transaction after mapping anew or clearing stale readers */
    SHORT_LOOKS = 5,    /* at a file that seems cut off, before it is called damaged */
    SHORT_PAUSE_NS = 20 * 1000 * 1000,
    MIN_FREE_PAGES = 16, /* enough for a sweep of one record, whatever the depth of the tree */
    RESERVE_PART = 8,    /* a write that finds less than 1/8 of the map free must first sweep */
    NODE_OVERHEAD = 10,  /* what LMDB adds to a key and a value */
    KEEP_SNAPSHOTS_MIN = 512 << 20, /* octets of a map in which snapshots are kept */
    FILE_MODE = 0660,
    FOLDER_MODE = 0750,
};

static const char DATA_NAME[] = "data.mdb";
static const char LOCK_NAME[] = "lock.mdb";

/* By enum cache_table. The names are part of the stored format. */
static const char *const TABLE_NAMES[TABLES + 1] = {
    [CACHE_ADDRESS] = "address", [CACHE_DOMAIN] = "domain", [CACHE_HOST] = "host",
    [CACHE_ONETIME] = "fold",    [CACHE_RETRY] = "retry",
};

/* LMDB's own: of free pages, and of the tables' names. A table that is not there has the first. */
enum { FREE_DBI = 0, NAMES_DBI = 1, NO_DBI = FREE_DBI };

/* Where the last sweep of a table ended; len 0: at the start. */
struct position {
    size_t len;
    uint8_t key[STORE_KEY_MAX];
};

/* Which file it is, however it is called. */
struct file_id {
    dev_t dev;
    ino_t ino;
};

/* A folder that this process has an environment in. */
struct claim {
    dev_t dev;
    ino_t ino;
    pid_t pid; /* 0: none. What a parent has open is not ours */
    struct claim *prev, *next;
};

/* An LMDB environment, and what there is to know of it. */
struct environment {
    MDB_env *env;            /* NULL: none */
    MDB_dbi dbi[TABLES + 1]; /* by enum cache_table; NO_DBI: an older store's, that we only read */
    unsigned page_size;
    struct file_id data, lock;
};

struct store {
    struct claim claim;
    char *path;
    uint64_t max_bytes;
    bool owner_fix, read_only;
    /*
     * Exchanged as a whole, with map_lock held for writing and all snapshots stopped: read it with
     * a transaction in hand, or as the one thread that writes.
     */
    struct environment now;
    pthread_rwlock_t map_lock;
    struct snapshots *snapshots; /* of all that reads; NULL while opening */
    atomic_bool panicked;        /* LMDB refuses everything until it is opened anew */

    /* One thread at a time (store.h), hence no lock. */
    struct position swept_to[TABLES + 1];
    int64_t
        reclaimable; /* octets that may be written into holes that sweeps have left in pages in use */
    bool unsynced;   /* committed since the last full sync */
    int failed;      /* of the last write that failed, as LMDB has it; 0: none has */
};

/* LMDB's codes become ours here and nowhere else. Positive ones are errno values. */
static enum rb_error store_error(int rc)
{
    switch (rc) {
    case MDB_SUCCESS:
        return RB_OK;
    case MDB_NOTFOUND:
        return RB_ERR_NOT_FOUND;
    case ENOMEM:
        return RB_ERR_NOMEM;
    default:
        return RB_ERR_STORE;
    }
}

static bool is_damage(int rc)
{
    return rc == MDB_INVALID || rc == MDB_VERSION_MISMATCH || rc == MDB_CORRUPTED ||
           rc == MDB_PAGE_NOTFOUND || rc == MDB_INCOMPATIBLE;
}

/* Another process has let the file grow beyond our map. */
static void map_anew(struct store *store)
{
    pthread_rwlock_wrlock(&store->map_lock);
    if (store->snapshots != NULL)
        snapshots_stop(store->snapshots);
    if (store->now.env != NULL)
        (void)mdb_env_set_mapsize(store->now.env, 0); /* if it fails, so will the transaction */
    if (store->snapshots != NULL)
        snapshots_go(store->snapshots);
    pthread_rwlock_unlock(&store->map_lock);
}

/*
 * What one reader has in hand: a snapshot, or, where there is none left, a transaction of his own.
 */
struct reading {
    MDB_txn *txn;
    struct snapshot *snapshot; /* NULL: none */
};

/* Under map_lock when it has come to more than a snapshot. */
static int try_reading(struct store *store, struct reading *reading)
{
    *reading = (struct reading){0};
    const int rc = snapshots_take(store->snapshots, &reading->snapshot);
    if (rc == MDB_SUCCESS)
        reading->txn = snapshot_txn(reading->snapshot);
    if (rc != EBUSY)
        return rc;
    reading->snapshot = NULL;
    pthread_rwlock_rdlock(&store->map_lock);
    const int begun = store->now.env != NULL
                          ? mdb_txn_begin(store->now.env, NULL, MDB_RDONLY, &reading->txn)
                          : ENODEV;
    if (begun != MDB_SUCCESS)
        pthread_rwlock_unlock(&store->map_lock);
    return begun;
}

static int try_alone(struct store *store, unsigned flags, MDB_txn **txn)
{
    pthread_rwlock_rdlock(&store->map_lock);
    if (store->snapshots != NULL)
        snapshots_let_go_old(store->snapshots);
    const int rc =
        store->now.env != NULL ? mdb_txn_begin(store->now.env, NULL, flags, txn) : ENODEV;
    if (rc != MDB_SUCCESS)
        pthread_rwlock_unlock(&store->map_lock);
    return rc;
}

static void clear_dead_readers(struct store *store)
{
    int dead;
    pthread_rwlock_rdlock(&store->map_lock);
    if (store->now.env != NULL)
        (void)mdb_reader_check(store->now.env, &dead);
    pthread_rwlock_unlock(&store->map_lock);
}

/* Whether it is worth while to try again, having done something about it. */
static bool is_mended(struct store *store, int rc)
{
    if (rc == MDB_READERS_FULL)
        clear_dead_readers(store);
    if (rc == MDB_MAP_RESIZED)
        map_anew(store);
    if (rc == MDB_PANIC)
        atomic_store(&store->panicked, true); /* see store_check */
    return rc == MDB_READERS_FULL || rc == MDB_MAP_RESIZED;
}

/* To be ended with end_read when it returns MDB_SUCCESS. */
static int begin_read(struct store *store, struct reading *reading)
{
    int rc = try_reading(store, reading);
    for (unsigned tries = 1; tries < RETRIES_MAX && rc != MDB_SUCCESS; tries++) {
        if (!is_mended(store, rc))
            break;
        rc = try_reading(store, reading);
    }
    return rc;
}

/* A transaction that is no snapshot, flags as LMDB has them. On MDB_SUCCESS map_lock is held until
 * end_write. */
static int begin_alone(struct store *store, unsigned flags, MDB_txn **txn)
{
    int rc = try_alone(store, flags, txn);
    for (unsigned tries = 1; tries < RETRIES_MAX && rc != MDB_SUCCESS; tries++) {
        if (!is_mended(store, rc))
            break;
        rc = try_alone(store, flags, txn);
    }
    return rc;
}

static void end_read(struct store *store, const struct reading *reading)
{
    if (reading->snapshot != NULL) {
        snapshots_give(store->snapshots, reading->snapshot);
        return;
    }
    mdb_txn_abort(reading->txn);
    pthread_rwlock_unlock(&store->map_lock);
}

/*
 * True when the file holds every page up to the last one in use. Reading a page that it does not
 * hold would end the process (SIGBUS). LMDB never writes out a page that was taken and given back
 * within one transaction, so the last commit may leave the file a little short until cover_file has
 * run.
 */
static bool is_file_whole(MDB_env *env, off_t *should_be)
{
    MDB_envinfo info;
    MDB_stat stat;
    struct stat file;
    mdb_filehandle_t fd;
    *should_be = 0;
    if (mdb_env_info(env, &info) != MDB_SUCCESS || mdb_env_stat(env, &stat) != MDB_SUCCESS ||
        mdb_env_get_fd(env, &fd) != MDB_SUCCESS || fstat(fd, &file) != 0)
        return true;
    *should_be = ((off_t)info.me_last_pgno + 1) * (off_t)stat.ms_psize;
    return file.st_size >= *should_be;
}

/* Called with map_lock held. The write transaction keeps other processes from writing that page
 * meanwhile. */
static void cover_file(struct store *store)
{
    off_t size;
    MDB_txn *txn;
    mdb_filehandle_t fd;
    if (is_file_whole(store->now.env, &size) ||
        mdb_env_get_fd(store->now.env, &fd) != MDB_SUCCESS ||
        mdb_txn_begin(store->now.env, NULL, 0, &txn) != MDB_SUCCESS)
        return;
    if (!is_file_whole(store->now.env, &size) && pwrite(fd, "", 1, size - 1) != 1)
        store->unsynced = true; /* the disk is full; the next commit tries again */
    mdb_txn_abort(txn);
}

/* Commits when rc is MDB_SUCCESS, else gives up. Returns what came of it. */
static int end_write(struct store *store, MDB_txn *txn, int rc)
{
    if (rc == MDB_SUCCESS) {
        rc = mdb_txn_commit(txn);
        store->unsynced = true;
        if (rc == MDB_SUCCESS)
            cover_file(store);
    } else {
        mdb_txn_abort(txn);
    }
    pthread_rwlock_unlock(&store->map_lock);
    return rc;
}

static enum rb_error store_get(struct store *store, enum cache_table table, struct octets key,
                               store_take_fn *take, void *arg)
{
    struct reading reading;
    int rc = begin_read(store, &reading);
    if (rc != MDB_SUCCESS)
        return store_error(rc);

    MDB_val name = {.mv_size = key.len, .mv_data = (void *)key.data};
    MDB_val value;
    const MDB_dbi dbi = store->now.dbi[table];
    rc = dbi != NO_DBI ? mdb_get(reading.txn, dbi, &name, &value) : MDB_NOTFOUND;
    if (rc == MDB_SUCCESS)
        take((struct octets){.data = value.mv_data, .len = value.mv_size}, arg);
    end_read(store, &reading);
    return store_error(rc);
}

static int add_pages(MDB_txn *txn, MDB_dbi dbi, size_t *used)
{
    MDB_stat stat;
    const int rc = mdb_stat(txn, dbi, &stat);
    if (rc == MDB_SUCCESS)
        *used += stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages;
    return rc;
}

/* Pages in use by trees, the two meta pages included, and pages that the map has in all. */
static int count_pages(struct store *store, size_t *used, size_t *max)
{
    struct reading reading;
    MDB_envinfo info;
    int rc = begin_read(store, &reading);
    if (rc != MDB_SUCCESS)
        return rc;
    *used = 2;
    rc = add_pages(reading.txn, FREE_DBI, used);
    if (rc == MDB_SUCCESS)
        rc = add_pages(reading.txn, NAMES_DBI, used);
    for (int table = CACHE_ADDRESS; table <= TABLES && rc == MDB_SUCCESS; table++)
        if (store->now.dbi[table] != NO_DBI)
            rc = add_pages(reading.txn, store->now.dbi[table], used);
    if (rc == MDB_SUCCESS)
        rc = mdb_env_info(store->now.env, &info);
    if (rc == MDB_SUCCESS)
        *max = info.me_mapsize / store->now.page_size;
    end_read(store, &reading);
    return rc;
}

static size_t free_pages(struct store *store, size_t *max)
{
    size_t used;
    if (count_pages(store, &used, max) != MDB_SUCCESS)
        return 0;
    return used < *max ? *max - used : 0;
}

/*
 * Whether so many records may be written. Sweeping makes holes in pages rather than free pages, so
 * free pages alone would call for sweep after sweep, and most of the cache would be gone before a
 * page comes free. Hence reclaimable octets: what sweeps have deleted may be filled up again,
 * down to a last reserve that sweeps themselves need.
 */
static bool has_room(struct store *store, const struct store_write *writes, size_t count)
{
    size_t puts = 0;
    for (size_t i = 0; i < count; i++)
        puts += writes[i].value.len > 0;
    if (puts == 0)
        return true;

    size_t max = 0;
    const size_t free = free_pages(store, &max);
    const size_t touched = 2 * puts + MIN_FREE_PAGES / 2; /* at worst every write splits a leaf */
    const size_t last_reserve = 2 * touched + MIN_FREE_PAGES;
    if (free >= last_reserve + max / RESERVE_PART) {
        store->reclaimable = 0;
        return true;
    }
    return free >= last_reserve && store->reclaimable > 0;
}

static int apply_delete(MDB_txn *txn, MDB_dbi dbi, MDB_val *key)
{
    const int rc = mdb_del(txn, dbi, key, NULL);
    return rc == MDB_NOTFOUND ? MDB_SUCCESS : rc;
}

/* *growth: octets more than before. */
static int apply_put(MDB_txn *txn, MDB_dbi dbi, const struct store_write *write, MDB_val *key,
                     int64_t *growth)
{
    uint8_t merged[RECORD_SIZE_MAX];
    MDB_val present = {0};
    MDB_val value = {.mv_size = write->value.len, .mv_data = (void *)write->value.data};
    int rc = mdb_get(txn, dbi, key, &present);
    if (rc != MDB_SUCCESS && rc != MDB_NOTFOUND)
        return rc;
    const bool found = rc == MDB_SUCCESS;
    const size_t before = found ? present.mv_size : 0;
    if (write->merge != NULL) {
        const struct octets old = {.data = found ? present.mv_data : NULL, .len = before};
        value.mv_size = write->merge(old, write->value, merged, write->merge_arg);
        value.mv_data = merged;
        if (value.mv_size == 0)
            return MDB_SUCCESS;
    }
    rc = mdb_put(txn, dbi, key, &value, 0);
    if (rc == MDB_SUCCESS)
        *growth += (int64_t)value.mv_size - (int64_t)before +
                   (found ? 0 : (int64_t)key->mv_size + NODE_OVERHEAD);
    return rc;
}

static enum rb_error store_write(struct store *store, const struct store_write *writes,
                                 size_t count, bool *full)
{
    MDB_txn *txn;
    int64_t growth = 0;
    *full = !has_room(store, writes, count);
    if (*full) {
        store->failed = MDB_MAP_FULL;
        return RB_ERR_STORE;
    }
    int rc = begin_alone(store, 0, &txn);
    if (rc != MDB_SUCCESS) {
        store->failed = rc;
        return store_error(rc);
    }

    for (size_t i = 0; i < count && rc == MDB_SUCCESS; i++) {
        const struct store_write *write = &writes[i];
        const MDB_dbi dbi = store->now.dbi[write->table];
        MDB_val key = {.mv_size = write->key.len, .mv_data = (void *)write->key.data};
        rc = write->value.len == 0 ? apply_delete(txn, dbi, &key)
                                   : apply_put(txn, dbi, write, &key, &growth);
    }
    rc = end_write(store, txn, rc);
    *full = rc == MDB_MAP_FULL;
    if (rc == MDB_SUCCESS)
        store->reclaimable -= growth;
    else
        store->failed = rc;
    return rc == MDB_NOTFOUND ? RB_ERR_STORE : store_error(rc);
}

static void remember(struct position *position, const MDB_val *key)
{
    position->len = key->mv_size <= sizeof position->key ? key->mv_size : sizeof position->key;
    memcpy(position->key, key->mv_data, position->len);
}

/* The first record after a key; after NULL or empty: the first of all. */
static int seek_after(MDB_cursor *cursor, struct octets after, MDB_val *key, MDB_val *value)
{
    if (after.len == 0)
        return mdb_cursor_get(cursor, key, value, MDB_FIRST);
    *key = (MDB_val){.mv_size = after.len, .mv_data = (void *)after.data};
    int rc = mdb_cursor_get(cursor, key, value, MDB_SET_RANGE);
    if (rc == MDB_SUCCESS && key->mv_size == after.len &&
        memcmp(key->mv_data, after.data, after.len) == 0)
        rc = mdb_cursor_get(cursor, key, value, MDB_NEXT);
    return rc;
}

/* What one slice of a sweep has done; good only when its transaction was committed. */
struct slice {
    struct position position;
    uint64_t swept;
    int64_t octets;
    bool wrapped;
};

static int sweep_records(MDB_cursor *cursor, enum cache_table table, size_t limit,
                         store_expired_fn *expired, void *arg, struct slice *slice)
{
    MDB_val key, value;
    const struct position from = slice->position;
    int rc = seek_after(cursor, (struct octets){from.key, from.len}, &key, &value);
    for (size_t seen = 0; rc == MDB_SUCCESS && seen < limit; seen++) {
        remember(&slice->position, &key);
        if (expired(table, (struct octets){key.mv_data, key.mv_size},
                    (struct octets){value.mv_data, value.mv_size}, arg)) {
            slice->swept++;
            slice->octets += (int64_t)(key.mv_size + value.mv_size + NODE_OVERHEAD);
            rc = mdb_cursor_del(cursor, 0);
        }
        if (rc == MDB_SUCCESS)
            rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    slice->wrapped = rc == MDB_NOTFOUND;
    if (slice->wrapped)
        slice->position.len = 0;
    return slice->wrapped ? MDB_SUCCESS : rc;
}

static int sweep_slice(struct store *store, enum cache_table table, size_t limit,
                       store_expired_fn *expired, void *arg, struct slice *slice)
{
    MDB_txn *txn;
    MDB_cursor *cursor;
    *slice = (struct slice){.position = store->swept_to[table]};
    int rc = begin_alone(store, 0, &txn);
    if (rc != MDB_SUCCESS)
        return rc;
    rc = mdb_cursor_open(txn, store->now.dbi[table], &cursor);
    if (rc == MDB_SUCCESS) {
        rc = sweep_records(cursor, table, limit, expired, arg, slice);
        mdb_cursor_close(cursor);
    }
    if (rc != MDB_SUCCESS || slice->swept > 0)
        return end_write(store, txn, rc);
    mdb_txn_abort(txn); /* nothing to commit, nothing to sync */
    pthread_rwlock_unlock(&store->map_lock);
    return rc;
}

static enum rb_error store_sweep(struct store *store, enum cache_table table, size_t slice,
                                 store_expired_fn *expired, void *arg, uint64_t *swept,
                                 bool *wrapped)
{
    size_t max;
    struct slice done = {0};
    int rc = MDB_MAP_FULL;
    /* Each deletion may copy a page, and what is freed cannot be used at once: leave the next slice
     * its share. */
    const size_t free = free_pages(store, &max);
    const size_t affordable = free > MIN_FREE_PAGES ? (free - MIN_FREE_PAGES) / 4 : 0;
    size_t limit = affordable < slice ? affordable : slice;
    for (limit = limit > 0 ? limit : 1; rc == MDB_MAP_FULL && limit > 0; limit /= 2)
        rc = sweep_slice(store, table, limit, expired, arg, &done);
    if (rc != MDB_SUCCESS) {
        *swept = 0;
        *wrapped = false;
        return RB_ERR_STORE;
    }
    store->swept_to[table] = done.position;
    store->reclaimable += done.octets;
    *swept = done.swept;
    *wrapped = done.wrapped;
    return RB_OK;
}

static enum rb_error store_walk(struct store *store, enum cache_table table, struct octets after,
                                size_t limit, store_visit_fn *visit, void *arg)
{
    struct reading reading;
    MDB_cursor *cursor;
    MDB_val key, value;
    int rc = begin_read(store, &reading);
    if (rc != MDB_SUCCESS)
        return store_error(rc);
    const MDB_dbi dbi = store->now.dbi[table];
    rc = dbi != NO_DBI ? mdb_cursor_open(reading.txn, dbi, &cursor) : MDB_NOTFOUND;
    if (rc == MDB_SUCCESS) {
        rc = seek_after(cursor, after, &key, &value);
        for (size_t seen = 0; rc == MDB_SUCCESS && seen < limit; seen++) {
            if (!visit((struct octets){key.mv_data, key.mv_size},
                       (struct octets){value.mv_data, value.mv_size}, arg))
                break;
            rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
        }
        mdb_cursor_close(cursor);
    }
    end_read(store, &reading);
    return rc == MDB_NOTFOUND ? RB_OK : store_error(rc);
}

static enum rb_error store_clear(struct store *store, uint64_t *removed)
{
    MDB_txn *txn;
    uint64_t records = 0;
    *removed = 0;
    int rc = begin_alone(store, 0, &txn);
    if (rc != MDB_SUCCESS)
        return store_error(rc);
    for (int table = CACHE_ADDRESS; table <= TABLES && rc == MDB_SUCCESS; table++) {
        MDB_stat stat = {0};
        rc = mdb_stat(txn, store->now.dbi[table], &stat);
        records += stat.ms_entries;
        if (rc == MDB_SUCCESS)
            rc = mdb_drop(txn, store->now.dbi[table], 0);
    }
    rc = end_write(store, txn, rc);
    if (rc == MDB_SUCCESS)
        *removed = records;
    return store_error(rc);
}

static enum rb_error store_stats(struct store *store, struct store_stats *stats)
{
    struct reading reading;
    size_t used = 0;
    size_t max = 0;
    *stats = (struct store_stats){0};
    int rc = count_pages(store, &used, &max);
    if (rc == MDB_SUCCESS)
        rc = begin_read(store, &reading);
    if (rc != MDB_SUCCESS)
        return store_error(rc);
    stats->bytes = (uint64_t)used * store->now.page_size;
    stats->max_bytes = (uint64_t)max * store->now.page_size;
    for (int table = CACHE_ADDRESS; table <= TABLES && rc == MDB_SUCCESS; table++) {
        MDB_stat stat = {0};
        if (store->now.dbi[table] != NO_DBI)
            rc = mdb_stat(reading.txn, store->now.dbi[table], &stat);
        stats->records[table] = stat.ms_entries;
    }
    end_read(store, &reading);
    return store_error(rc);
}

static void store_maintain(struct store *store)
{
    clear_dead_readers(store);
    pthread_rwlock_rdlock(&store->map_lock);
    if (store->unsynced && store->now.env != NULL && mdb_env_sync(store->now.env, 1) == MDB_SUCCESS)
        store->unsynced = false;
    pthread_rwlock_unlock(&store->map_lock);
}

/* --- Never twice ----------------------------------------------------------- */

/*
 * Two environments of one folder in a process would share the process's locks on its file: the end
 * of one takes them from the other, and with them what keeps readers' pages from being written over
 * (LMDB, "Caveats").
 */
static pthread_mutex_t claims_lock = PTHREAD_MUTEX_INITIALIZER;
static struct claim *claims; /* [claims_lock] */

static bool is_claimed(const struct claim *wanted)
{
    const struct claim *claim = NULL;
    DL_FOREACH(claims, claim)
    {
        if (claim->dev == wanted->dev && claim->ino == wanted->ino && claim->pid == wanted->pid)
            return true;
    }
    return false;
}

/* By what the folder is, not by how it is called. 0, or an errno value. */
static int claim_folder(struct claim *claim, int folder)
{
    struct stat found;
    bool is_free;
    if (fstat(folder, &found) != 0)
        return errno;
    *claim = (struct claim){.dev = found.st_dev, .ino = found.st_ino, .pid = getpid()};
    pthread_mutex_lock(&claims_lock);
    is_free = !is_claimed(claim);
    if (is_free)
        DL_APPEND(claims, claim);
    else
        claim->pid = 0;
    pthread_mutex_unlock(&claims_lock);
    return is_free ? 0 : EBUSY;
}

static void unclaim_folder(struct claim *claim)
{
    if (claim->pid == 0)
        return;
    pthread_mutex_lock(&claims_lock);
    DL_DELETE(claims, claim);
    pthread_mutex_unlock(&claims_lock);
    claim->pid = 0;
}

/* Takes half-open ones too. */
static void close_env(struct environment *environment)
{
    if (environment->env != NULL)
        mdb_env_close(environment->env);
    *environment = (struct environment){0};
}

static void store_close(struct store *store)
{
    if (store == NULL)
        return;
    if (store->unsynced && store->now.env != NULL)
        (void)mdb_env_sync(store->now.env, 1);
    snapshots_close(store->snapshots);
    close_env(&store->now);
    unclaim_folder(&store->claim);
    pthread_rwlock_destroy(&store->map_lock);
    free(store->path);
    free(store);
}

/* What an open needs, and what came of it. */
struct opening {
    const char *path;
    uint64_t max_bytes;
    bool owner_fix, read_only;
    int folder; /* descriptor, -1: none */
    char *detail;
    size_t detail_size;
};

static void explain(const struct opening *opening, const char *what)
{
    if (opening->detail != NULL && opening->detail_size > 0)
        (void)snprintf(opening->detail, opening->detail_size, "%s: %s", opening->path, what);
}

/* Sets errno for the caller's caller. Returns RB_ERR_STORE. */
static enum rb_error fail(const struct opening *opening, int rc, const char *what)
{
    explain(opening, what != NULL ? what : mdb_strerror(rc));
    errno = rc > 0 ? rc : EIO;
    return RB_ERR_STORE;
}

/* A folder that root makes is its parent's owner's, as files are the folder's owner's. */
static void give_folder_to_parents_owner(const struct opening *opening)
{
    struct stat parent;
    const int fd = openat(opening->folder, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    if (fstat(fd, &parent) == 0 && fchown(opening->folder, parent.st_uid, parent.st_gid) != 0)
        explain(opening, "cannot be given to the owner of the folder above");
    close(fd);
}

static enum rb_error open_folder(struct opening *opening)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    bool made = false;
    opening->folder = open(opening->path, flags);
    if (opening->folder < 0 && errno == ENOENT && !opening->read_only) {
        made = mkdir(opening->path, FOLDER_MODE) == 0;
        if (!made && errno != EEXIST)
            return fail(opening, errno, NULL);
        opening->folder = open(opening->path, flags);
    }
    if (opening->folder < 0)
        return fail(opening, errno, NULL);
    if (made && opening->owner_fix && geteuid() == 0)
        give_folder_to_parents_owner(opening);
    return RB_OK;
}

/*
 * Makes the file before LMDB does, so that its mode and owner are right from the start and nobody
 * who may write to the folder can have us give away, or write to, a file elsewhere by way of a
 * link.
 */
static int make_file(const struct opening *opening, const char *name)
{
    struct stat found;
    const int fd = openat(opening->folder, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                          FILE_MODE);
    if (fd < 0) {
        if (errno != EEXIST)
            return errno;
        if (fstatat(opening->folder, name, &found, AT_SYMLINK_NOFOLLOW) != 0)
            return errno;
        return S_ISREG(found.st_mode) && found.st_nlink == 1 ? 0 : ELOOP;
    }
    int rc = fchmod(fd, FILE_MODE) == 0 ? 0 : errno;
    if (rc == 0 && opening->owner_fix && geteuid() == 0 &&
        (fstat(opening->folder, &found) != 0 || fchown(fd, found.st_uid, found.st_gid) != 0))
        rc = errno;
    close(fd);
    return rc;
}

static enum rb_error prepare_files(const struct opening *opening)
{
    if (opening->read_only) {
        struct stat found;
        if (fstatat(opening->folder, DATA_NAME, &found, 0) != 0 || found.st_size == 0)
            return fail(opening, ENOENT, "there is no cache there yet");
        (void)make_file(opening, LOCK_NAME); /* LMDB would make one that the owner may not open */
        return RB_OK;
    }
    int rc = make_file(opening, DATA_NAME);
    if (rc == 0)
        rc = make_file(opening, LOCK_NAME);
    return rc == 0 ? RB_OK
                   : fail(opening, rc, rc == ELOOP ? "holds a link, not a plain file" : NULL);
}

/* Eight octets as a number that compares as they do. */
static uint64_t load_ordered(const uint8_t *octets)
{
    uint64_t word;
    memcpy(&word, octets, sizeof word);
    return be64toh(word);
}

/*
 * The very order that LMDB has of its own, so that it does not matter who wrote a table. A look-up
 * compares a dozen keys and more; nearly always the first eight octets decide, and they are had
 * for less than a call of memcmp.
 */
static int compare_keys(const MDB_val *a, const MDB_val *b)
{
    const uint8_t *left = a->mv_data;
    const uint8_t *right = b->mv_data;
    const size_t shorter = a->mv_size < b->mv_size ? a->mv_size : b->mv_size;
    size_t at = 0;
    for (; shorter - at >= sizeof(uint64_t); at += sizeof(uint64_t)) {
        const uint64_t one = load_ordered(left + at);
        const uint64_t other = load_ordered(right + at);
        if (one != other)
            return (one > other) - (one < other);
    }
    for (; at < shorter; at++)
        if (left[at] != right[at])
            return left[at] - right[at];
    return (a->mv_size > b->mv_size) - (a->mv_size < b->mv_size);
}

static int open_table(MDB_txn *txn, const char *name, bool create, MDB_dbi *dbi)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    int rc = mdb_dbi_open(txn, name, create ? MDB_CREATE : 0, dbi);
    if (rc == MDB_SUCCESS)
        rc = mdb_set_compare(txn, *dbi, compare_keys);
    if (rc == MDB_SUCCESS)
        rc = mdb_cursor_open(txn, *dbi, &cursor);
    if (rc != MDB_SUCCESS)
        return rc;
    rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST); /* a first look for damage */
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? MDB_SUCCESS : rc;
}

/* Who only reads can do without the tables that came with later versions. */
static bool may_lack(const struct store *store, int table)
{
    return store->read_only && table > CACHE_ONETIME;
}

static int open_tables_in(struct store *store, bool create)
{
    MDB_txn *txn;
    int rc = begin_alone(store, create ? 0 : MDB_RDONLY, &txn);
    if (rc != MDB_SUCCESS)
        return rc;
    for (int table = CACHE_ADDRESS; table <= TABLES && rc == MDB_SUCCESS; table++) {
        rc = open_table(txn, TABLE_NAMES[table], create, &store->now.dbi[table]);
        if (rc == MDB_NOTFOUND && may_lack(store, table)) {
            store->now.dbi[table] = NO_DBI;
            rc = MDB_SUCCESS;
        }
    }
    if (rc == MDB_SUCCESS)
        rc = mdb_txn_commit(txn); /* a read transaction too: only so do the handles stay */
    else
        mdb_txn_abort(txn);
    pthread_rwlock_unlock(&store->map_lock);
    return rc;
}

/* Where the tables are there already, nobody who writes just now need be waited for. */
static int open_tables(struct store *store)
{
    const int rc = open_tables_in(store, false);
    return rc == MDB_NOTFOUND && !store->read_only ? open_tables_in(store, true) : rc;
}

static int look_for_cut(MDB_env *env)
{
    off_t size;
    const struct timespec pause = {.tv_nsec = SHORT_PAUSE_NS};
    for (unsigned i = 0; i < SHORT_LOOKS; i++) {
        if (is_file_whole(env, &size))
            return MDB_SUCCESS;
        (void)nanosleep(&pause,
                        NULL); /* a process that commits just now is about to cover the file */
    }
    return MDB_CORRUPTED;
}

/* Which files these are: the environment's own, and what is called as its lock. */
static int identify_files(struct environment *now, const struct opening *opening)
{
    struct stat found;
    mdb_filehandle_t fd;
    const int rc = mdb_env_get_fd(now->env, &fd);
    if (rc != MDB_SUCCESS)
        return rc;
    if (fstat(fd, &found) != 0)
        return errno;
    now->data = (struct file_id){.dev = found.st_dev, .ino = found.st_ino};
    if (fstatat(opening->folder, LOCK_NAME, &found, 0) == 0)
        now->lock = (struct file_id){.dev = found.st_dev, .ino = found.st_ino};
    return MDB_SUCCESS;
}

static int open_env(struct store *store, const struct opening *opening)
{
    int dead;
    MDB_stat stat;
    struct environment *now = &store->now;
    const uint64_t size =
        opening->max_bytes > STORE_SIZE_MIN ? opening->max_bytes : (uint64_t)STORE_SIZE_MIN;
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const unsigned flags = MDB_NOTLS | MDB_NOMETASYNC | (opening->read_only ? MDB_RDONLY : 0U);
    if (size > SIZE_MAX)
        return ENOMEM;

    int rc = mdb_env_create(&now->env);
    if (rc != MDB_SUCCESS)
        return rc;
    rc = mdb_env_set_maxdbs(now->env, DBS_MAX);
    if (rc == MDB_SUCCESS)
        rc = mdb_env_set_maxreaders(now->env, READERS_MAX);
    if (rc == MDB_SUCCESS && !opening->read_only)
        rc = mdb_env_set_mapsize(now->env, (size_t)size / page * page);
    if (rc == MDB_SUCCESS)
        rc = mdb_env_open(now->env, opening->path, flags, FILE_MODE);
    if (rc == MDB_SUCCESS)
        rc = look_for_cut(now->env);
    if (rc == MDB_SUCCESS)
        rc = mdb_reader_check(now->env, &dead);
    if (rc == MDB_SUCCESS)
        rc = open_tables(store);
    if (rc == MDB_SUCCESS)
        rc = mdb_env_stat(now->env, &stat);
    if (rc == MDB_SUCCESS)
        rc = identify_files(now, opening);
    if (rc == MDB_SUCCESS)
        now->page_size = stat.ms_psize;
    else
        close_env(now);
    return rc;
}

/* Keeps what is damaged for whoever wants to look at it. */
static int move_aside(const struct opening *opening, char *name, size_t size)
{
    char lock_name[64];
    const long long now = (long long)time(NULL);
    (void)snprintf(name, size, "%s.damaged-%lld", DATA_NAME, now);
    (void)snprintf(lock_name, sizeof lock_name, "%s.damaged-%lld", LOCK_NAME, now);
    if (renameat(opening->folder, DATA_NAME, opening->folder, name) != 0)
        return errno;
    if (renameat(opening->folder, LOCK_NAME, opening->folder, lock_name) != 0 && errno != ENOENT)
        return errno;
    return 0;
}

/* Mail must not fail for a cache's sake: what is damaged is moved aside, and a new one begun. */
static enum rb_error begin_anew(struct store *store, const struct opening *opening, int damage)
{
    char name[64], what[256];
    int rc = move_aside(opening, name, sizeof name);
    if (rc != 0)
        return fail(opening, rc, NULL);
    const enum rb_error error = prepare_files(opening);
    if (error != RB_OK)
        return error;
    rc = open_env(store, opening);
    if (rc != MDB_SUCCESS)
        return fail(opening, rc, NULL);
    (void)snprintf(what, sizeof what, "was damaged (%s); moved aside to %s, begun anew",
                   mdb_strerror(damage), name);
    explain(opening, what);
    return RB_OK;
}

static enum rb_error open_store(struct store *store, struct opening *opening)
{
    enum rb_error error = open_folder(opening);
    if (error != RB_OK)
        return error;
    int rc = claim_folder(&store->claim, opening->folder);
    if (rc != 0)
        return fail(opening, rc, rc == EBUSY ? "is open already in this process" : NULL);
    error = prepare_files(opening);
    if (error != RB_OK)
        return error;
    rc = open_env(store, opening);
    if (rc == MDB_SUCCESS)
        return RB_OK;
    if (rc == MDB_NOTFOUND)
        return fail(opening, ENOENT, "there is no cache there yet");
    if (is_damage(rc) && !opening->read_only)
        return begin_anew(store, opening, rc);
    return fail(opening, rc, NULL);
}

static int init_map_lock(pthread_rwlock_t *lock)
{
    pthread_rwlockattr_t attributes;
    int rc = pthread_rwlockattr_init(&attributes);
    if (rc != 0)
        return rc;
    /* Readers come without a pause; the one who must map anew would otherwise wait for ever. */
    rc = pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    if (rc == 0)
        rc = pthread_rwlock_init(lock, &attributes);
    pthread_rwlockattr_destroy(&attributes);
    return rc;
}

/* Whose environment is to be opened yet. NULL: out of memory. */
static struct store *new_store(const char *path, uint64_t max_bytes, bool owner_fix, bool read_only)
{
    struct store *store = calloc(1, sizeof *store);
    if (store == NULL)
        return NULL;
    store->path = strdup(path);
    store->max_bytes = max_bytes;
    store->owner_fix = owner_fix;
    store->read_only = read_only;
    if (store->path != NULL && init_map_lock(&store->map_lock) == 0)
        return store;
    free(store->path);
    free(store);
    return NULL;
}

static enum rb_error open_by_name(struct store *store, char *detail, size_t detail_size)
{
    struct opening opening = {
        .path = store->path,
        .max_bytes = store->max_bytes,
        .owner_fix = store->owner_fix,
        .read_only = store->read_only,
        .folder = -1,
        .detail = detail,
        .detail_size = detail_size,
    };
    if (detail != NULL && detail_size > 0)
        detail[0] = '\0';
    const enum rb_error error = open_store(store, &opening);
    const int saved_errno = errno;
    if (opening.folder >= 0)
        close(opening.folder);
    errno = saved_errno;
    return error;
}

/* --- Opened anew, under those who read ------------------------------------- */

static bool is_at(const char *folder, const char *name, const struct file_id *id)
{
    struct stat found;
    char path[PATH_MAX];
    const int len = snprintf(path, sizeof path, "%s/%s", folder, name);
    return len > 0 && (size_t)len < sizeof path && stat(path, &found) == 0 &&
           found.st_dev == id->dev && found.st_ino == id->ino;
}

/* Whoever reads or writes has the one or the other. */
static void exchange_env(struct store *store, struct environment *other)
{
    pthread_rwlock_wrlock(&store->map_lock);
    snapshots_stop(store->snapshots);
    const struct environment before = store->now;
    store->now = *other;
    *other = before;
    snapshots_change(store->snapshots, store->now.env);
    snapshots_go(store->snapshots);
    pthread_rwlock_unlock(&store->map_lock);
}

static void take_claim(struct store *store, struct store *from)
{
    pthread_mutex_lock(&claims_lock);
    DL_DELETE(claims, &from->claim);
    store->claim = from->claim;
    DL_APPEND(claims, &store->claim);
    from->claim.pid = 0;
    pthread_mutex_unlock(&claims_lock);
}

static void adopt(struct store *store, struct store *fresh)
{
    exchange_env(store, &fresh->now);
    take_claim(store, fresh);
    memset(store->swept_to, 0, sizeof store->swept_to);
    store->reclaimable = 0;
    store->unsynced = false;
    atomic_store(&store->panicked, false);
}

/*
 * With the old one still open, so that there is always one to read in; but not where the two would
 * share a file. The folder's claim goes before: the number of one that was removed may be given to
 * the next.
 */
static enum rb_error renew(struct store *store, bool closes_first, char *detail, size_t size)
{
    struct store *fresh =
        new_store(store->path, store->max_bytes, store->owner_fix, store->read_only);
    const struct claim claim = store->claim;
    if (fresh == NULL)
        return RB_ERR_NOMEM;
    unclaim_folder(&store->claim);
    if (closes_first) {
        exchange_env(store, &fresh->now);
        close_env(&fresh->now);
    }
    const enum rb_error error = open_by_name(fresh, detail, size);
    if (error == RB_OK) {
        adopt(store, fresh);
    } else if (!closes_first && claim.pid != 0) {
        store->claim = claim;
        pthread_mutex_lock(&claims_lock);
        DL_APPEND(claims, &store->claim);
        pthread_mutex_unlock(&claims_lock);
    }
    store_close(fresh);
    return error;
}

/* Words of an open, which begin with the path. */
static const char *without_path(const struct store *store, const char *words)
{
    const size_t len = strlen(store->path);
    return strncmp(words, store->path, len) == 0 && strncmp(words + len, ": ", 2) == 0
               ? words + len + 2
               : words;
}

static enum store_state store_check(struct store *store, char *detail, size_t size)
{
    char found[256];
    const struct environment *now = &store->now;
    const bool has_data = now->env != NULL && is_at(store->path, DATA_NAME, &now->data);
    const bool has_lock = now->env != NULL && is_at(store->path, LOCK_NAME, &now->lock);
    const bool panicked = atomic_load(&store->panicked);
    detail[0] = '\0';
    if (has_data && has_lock && !panicked)
        return STORE_SAME;
    const char *what = now->env == NULL ? "could not be opened"
                       : panicked       ? "was given up by LMDB after a write that failed"
                                        : "was removed or replaced while it was open";
    const enum rb_error error = renew(store, has_data || has_lock, found, sizeof found);
    const char *more = error == RB_ERR_NOMEM ? "out of memory" : without_path(store, found);
    (void)snprintf(detail, size, "%s: %s%s%s%s", store->path, what,
                   error == RB_OK ? "; opened anew" : ", and cannot be opened anew",
                   more[0] != '\0' ? ": " : "", more);
    return error == RB_OK ? STORE_RENEWED : STORE_LOST;
}

static const char *store_trouble(struct store *store)
{
    return store->failed != 0 ? mdb_strerror(store->failed) : "";
}

/* --- The face --------------------------------------------------------------- */

static const struct store_ops OPS = {
    .get = store_get,
    .write = store_write,
    .sweep = store_sweep,
    .walk = store_walk,
    .clear = store_clear,
    .stats = store_stats,
    .maintain = store_maintain,
    .check = store_check,
    .trouble = store_trouble,
    .close = store_close,
};

/*
 * Kept open where that cannot do harm: what another process frees while a snapshot is old must fit
 * into the map's reserve. Who only reads does not read much.
 */
static bool open_snapshots(struct store *store)
{
    const bool keep = !store->read_only && store->max_bytes >= KEEP_SNAPSHOTS_MIN;
    store->snapshots = snapshots_open(store->now.env, keep);
    return store->snapshots != NULL;
}

enum rb_error cache_lmdb_open(const char *path, uint64_t max_bytes, bool owner_fix, bool read_only,
                              const struct store_ops **ops, struct store **store, char *detail,
                              size_t detail_size)
{
    struct store *made = new_store(path, max_bytes, owner_fix, read_only);
    if (made == NULL)
        return RB_ERR_NOMEM;
    enum rb_error error = open_by_name(made, detail, detail_size);
    if (error == RB_OK && !open_snapshots(made))
        error = RB_ERR_NOMEM;
    if (error != RB_OK) {
        const int saved_errno = errno;
        store_close(made);
        errno = saved_errno;
        return error;
    }
    *ops = &OPS;
    *store = made;
    return RB_OK;
}
