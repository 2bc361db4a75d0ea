/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache_lmdb: struct store_ops over one LMDB environment that all processes of the host share. It
 * and its snapshots.c are the only files that know LMDB; it knows nothing of what the octets mean.
 *
 * Durability: MDB_NOMETASYNC. Pages reach the disk before the meta page that points to them, so
 * neither the end of a process at any point nor a loss of power can leave a broken tree; a loss of
 * power may undo the last commit, which a cache can bear, and tend() makes up for it. MDB_NOSYNC
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

#include "store.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "hash.h"
#include "snapshots.h"

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
    [CACHE_FOLD] = "fold",       [CACHE_RETRY] = "retry",
};

/* LMDB's own: of free pages, and of the tables' names. A table that is not there has the first. */
enum { FREE_DBI = 0, NAMES_DBI = 1, NO_DBI = FREE_DBI };

/* Where the last sweep of a table ended; len 0: at the start. */
struct position {
    size_t len;
    uint8_t key[STORE_KEY_MAX];
};

/* A folder that this process has an environment in. */
struct claim {
    dev_t dev;
    ino_t ino;
    pid_t pid; /* 0: none. What a parent has open is not ours */
    struct claim *prev, *next;
};

struct store {
    struct claim claim;
    MDB_env *env;
    MDB_dbi dbi[TABLES + 1]; /* by enum cache_table; NO_DBI: an older store's, that we only read */
    unsigned page_size;      /* fixed once open */
    bool read_only;
    pthread_rwlock_t map_lock;
    struct snapshots *snapshots; /* of all that reads; NULL while opening */

    /* One thread at a time (store.h), hence no lock. */
    struct position swept_to[TABLES + 1];
    int64_t
        credit;    /* octets that may be written into holes that sweeps have left in pages in use */
    bool unsynced; /* committed since the last full sync */
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
    (void)mdb_env_set_mapsize(store->env, 0); /* if it fails, so will the transaction */
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
    const int begun = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &reading->txn);
    if (begun != MDB_SUCCESS)
        pthread_rwlock_unlock(&store->map_lock);
    return begun;
}

static int try_alone(struct store *store, unsigned flags, MDB_txn **txn)
{
    pthread_rwlock_rdlock(&store->map_lock);
    if (store->snapshots != NULL)
        snapshots_let_go_old(store->snapshots);
    const int rc = mdb_txn_begin(store->env, NULL, flags, txn);
    if (rc != MDB_SUCCESS)
        pthread_rwlock_unlock(&store->map_lock);
    return rc;
}

/* Whether it is worth while to try again, having done something about it. */
static bool is_mended(struct store *store, int rc)
{
    int dead;
    if (rc == MDB_READERS_FULL)
        (void)mdb_reader_check(store->env, &dead);
    if (rc == MDB_MAP_RESIZED)
        map_anew(store);
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
    if (is_file_whole(store->env, &size) || mdb_env_get_fd(store->env, &fd) != MDB_SUCCESS ||
        mdb_txn_begin(store->env, NULL, 0, &txn) != MDB_SUCCESS)
        return;
    if (!is_file_whole(store->env, &size) && pwrite(fd, "", 1, size - 1) != 1)
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
    rc = store->dbi[table] != NO_DBI ? mdb_get(reading.txn, store->dbi[table], &name, &value)
                                     : MDB_NOTFOUND;
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
        if (store->dbi[table] != NO_DBI)
            rc = add_pages(reading.txn, store->dbi[table], used);
    if (rc == MDB_SUCCESS)
        rc = mdb_env_info(store->env, &info);
    end_read(store, &reading);
    if (rc == MDB_SUCCESS)
        *max = info.me_mapsize / store->page_size;
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
 * page comes free. Hence the credit: what sweeps have deleted may be filled up again, down to a
 * last reserve that sweeps themselves need.
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
        store->credit = 0;
        return true;
    }
    return free >= last_reserve && store->credit > 0;
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
    if (*full)
        return RB_ERR_STORE;
    int rc = begin_alone(store, 0, &txn);
    if (rc != MDB_SUCCESS)
        return store_error(rc);

    for (size_t i = 0; i < count && rc == MDB_SUCCESS; i++) {
        const struct store_write *write = &writes[i];
        const MDB_dbi dbi = store->dbi[write->table];
        MDB_val key = {.mv_size = write->key.len, .mv_data = (void *)write->key.data};
        rc = write->value.len == 0 ? apply_delete(txn, dbi, &key)
                                   : apply_put(txn, dbi, write, &key, &growth);
    }
    rc = end_write(store, txn, rc);
    *full = rc == MDB_MAP_FULL;
    if (rc == MDB_SUCCESS)
        store->credit -= growth;
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
    rc = mdb_cursor_open(txn, store->dbi[table], &cursor);
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
    store->credit += done.octets;
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
    rc = store->dbi[table] != NO_DBI ? mdb_cursor_open(reading.txn, store->dbi[table], &cursor)
                                     : MDB_NOTFOUND;
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
        rc = mdb_stat(txn, store->dbi[table], &stat);
        records += stat.ms_entries;
        if (rc == MDB_SUCCESS)
            rc = mdb_drop(txn, store->dbi[table], 0);
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
    stats->bytes = (uint64_t)used * store->page_size;
    stats->max_bytes = (uint64_t)max * store->page_size;
    for (int table = CACHE_ADDRESS; table <= TABLES && rc == MDB_SUCCESS; table++) {
        MDB_stat stat = {0};
        if (store->dbi[table] != NO_DBI)
            rc = mdb_stat(reading.txn, store->dbi[table], &stat);
        stats->records[table] = stat.ms_entries;
    }
    end_read(store, &reading);
    return store_error(rc);
}

static void store_tend(struct store *store)
{
    int dead;
    pthread_rwlock_rdlock(&store->map_lock);
    (void)mdb_reader_check(store->env, &dead);
    if (store->unsynced && mdb_env_sync(store->env, 1) == MDB_SUCCESS)
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
    const struct claim *claim;
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
static void close_env(struct store *store)
{
    snapshots_close(store->snapshots);
    store->snapshots = NULL;
    if (store->env != NULL)
        mdb_env_close(store->env);
    store->env = NULL;
}

static void store_close(struct store *store)
{
    if (store == NULL)
        return;
    if (store->unsynced)
        (void)mdb_env_sync(store->env, 1);
    close_env(store);
    unclaim_folder(&store->claim);
    pthread_rwlock_destroy(&store->map_lock);
    free(store);
}

static const struct store_ops OPS = {
    .get = store_get,
    .write = store_write,
    .sweep = store_sweep,
    .walk = store_walk,
    .clear = store_clear,
    .stats = store_stats,
    .tend = store_tend,
    .close = store_close,
};

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
    return store->read_only && table > CACHE_FOLD;
}

static int open_tables_in(struct store *store, bool create)
{
    MDB_txn *txn;
    int rc = begin_alone(store, create ? 0 : MDB_RDONLY, &txn);
    if (rc != MDB_SUCCESS)
        return rc;
    for (int table = CACHE_ADDRESS; table <= TABLES && rc == MDB_SUCCESS; table++) {
        rc = open_table(txn, TABLE_NAMES[table], create, &store->dbi[table]);
        if (rc == MDB_NOTFOUND && may_lack(store, table)) {
            store->dbi[table] = NO_DBI;
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

/*
 * Kept open where that cannot do harm: what another process frees while a snapshot is old must fit
 * into the map's reserve. Who only reads does not read much.
 */
static int open_snapshots(struct store *store, const struct opening *opening)
{
    const bool keep = !opening->read_only && opening->max_bytes >= KEEP_SNAPSHOTS_MIN;
    store->snapshots = snapshots_open(store->env, keep);
    return store->snapshots != NULL ? MDB_SUCCESS : ENOMEM;
}

static int open_env(struct store *store, const struct opening *opening)
{
    int dead;
    MDB_stat stat;
    const uint64_t size =
        opening->max_bytes > STORE_SIZE_MIN ? opening->max_bytes : (uint64_t)STORE_SIZE_MIN;
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const unsigned flags = MDB_NOTLS | MDB_NOMETASYNC | (opening->read_only ? MDB_RDONLY : 0U);
    if (size > SIZE_MAX)
        return ENOMEM;

    int rc = mdb_env_create(&store->env);
    if (rc != MDB_SUCCESS)
        return rc;
    rc = mdb_env_set_maxdbs(store->env, DBS_MAX);
    if (rc == MDB_SUCCESS)
        rc = mdb_env_set_maxreaders(store->env, READERS_MAX);
    if (rc == MDB_SUCCESS && !opening->read_only)
        rc = mdb_env_set_mapsize(store->env, (size_t)size / page * page);
    if (rc == MDB_SUCCESS)
        rc = mdb_env_open(store->env, opening->path, flags, FILE_MODE);
    if (rc == MDB_SUCCESS)
        rc = look_for_cut(store->env);
    if (rc == MDB_SUCCESS)
        rc = mdb_reader_check(store->env, &dead);
    if (rc == MDB_SUCCESS)
        rc = open_tables(store);
    if (rc == MDB_SUCCESS)
        rc = mdb_env_stat(store->env, &stat);
    if (rc == MDB_SUCCESS)
        rc = open_snapshots(store, opening);
    if (rc == MDB_SUCCESS)
        store->page_size = stat.ms_psize;
    else
        close_env(store);
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

enum rb_error cache_lmdb_open(const char *path, uint64_t max_bytes, bool owner_fix, bool read_only,
                              const struct store_ops **ops, struct store **store, char *detail,
                              size_t detail_size)
{
    struct opening opening = {
        .path = path,
        .max_bytes = max_bytes,
        .owner_fix = owner_fix,
        .read_only = read_only,
        .folder = -1,
        .detail = detail,
        .detail_size = detail_size,
    };
    if (detail != NULL && detail_size > 0)
        detail[0] = '\0';
    struct store *new_store = calloc(1, sizeof *new_store);
    if (new_store == NULL)
        return RB_ERR_NOMEM;
    new_store->read_only = read_only;
    if (init_map_lock(&new_store->map_lock) != 0) {
        free(new_store);
        return RB_ERR_NOMEM;
    }

    const enum rb_error error = open_store(new_store, &opening);
    const int saved_errno = errno;
    if (opening.folder >= 0)
        close(opening.folder);
    if (error != RB_OK) {
        store_close(new_store);
        errno = saved_errno;
        return error;
    }
    *ops = &OPS;
    *store = new_store;
    return RB_OK;
}
