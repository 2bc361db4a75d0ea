/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lmdb: struct store_ops over one LMDB environment that all processes of the host share. The only
 * file that knows LMDB; it knows nothing of what the octets mean.
 *
 * Durability: MDB_NOMETASYNC. Pages reach the disk before the meta page that points to them, so
 * neither the end of a process at any point nor a loss of power can leave a broken tree; a loss of
 * power may undo the last commit, which a cache can bear, and store_maintain makes up for it.
 * MDB_NOSYNC would save more, but after a loss of power the tree may be garbage; MDB_WRITEMAP would
 * let a stray pointer of this process write into everybody's cache.
 *
 * The ceiling: LMDB needs free pages to delete as well, since it copies what it changes, and pages
 * freed by one transaction can be used only by the next but one. So writes stop being taken before
 * the map is full (has_room), while there is still room for sweeps.
 *
 * Owns: the environment, and read transactions that have been reset, for the next reader. Lock:
 * map_lock, for reading while a transaction of this process is under way, for writing to map the
 * file anew, which LMDB allows only when there is none, and to exchange the environment. No other
 * lock is taken under it.
 */
#include "config.h"

#include "cache/store.h"

#include <errno.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cache/folder.h"

enum {
    TABLES = CACHE_TABLE_LAST,
    DBS_MAX = 16,       /* more than TABLES: room for tables of later versions */
    READERS_MAX = 2048, /* threads of all processes that read at the same moment */
    RETRIES_MAX = 3,    /* to begin a transaction after mapping anew or clearing stale readers */
    CUT_LOOKS = 5,      /* at a file that seems cut off, before it is called damaged, */
    CUT_PAUSE_NS = 20 * 1000 * 1000, /* and the pause between two */
    MIN_FREE_PAGES = 16, /* enough for a sweep of one record, whatever the depth of the tree */
    RESERVE_PART = 8,    /* a write that finds less than 1/8 of the map free must first sweep */
    NODE_OVERHEAD = 10,  /* what LMDB adds to a key and a value */
    FILE_MODE = 0660,    /* of a file that LMDB makes itself; folder.h has made them all before */
    READERS_KEPT = 32,   /* read transactions that wait for the next reader */
};

static const char DATA_NAME[] = "data.mdb";
static const char LOCK_NAME[] = "lock.mdb";

/* By enum cache_table. Part of the stored format, hence "fold" for one-time sender classes. */
static const char *const TABLE_NAMES[TABLES + 1] = {
    [CACHE_ADDRESS] = "address", [CACHE_DOMAIN] = "domain", [CACHE_HOST] = "host",
    [CACHE_ONETIME] = "fold",    [CACHE_RETRY] = "retry",   [CACHE_VERB] = "verb",
};

/* LMDB's own: of free pages, and of the tables' names. A table that is not there has the first. */
enum { FREE_DBI = 0, NAMES_DBI = 1, NO_DBI = FREE_DBI };

/* Where the last sweep of a table ended; len 0: at the start. */
struct position {
    size_t len;
    uint8_t key[STORE_KEY_MAX];
};

/* An LMDB environment, and what there is to know of it. */
struct environment {
    MDB_env *env;            /* NULL: none */
    MDB_dbi dbi[TABLES + 1]; /* by enum cache_table; NO_DBI: an older store's, that we only read */
    unsigned page_size;
    struct file_id data, lock;
};

struct store {
    struct folder_claim *claim; /* NULL: none */
    char *path;
    uint64_t max_bytes;
    bool owner_fix, read_only;
    pthread_rwlock_t map_lock;
    struct environment now; /* [map_lock] but for the one thread that writes (store.h) */
    /*
     * [map_lock, for reading] Read transactions of `now` that have been reset: to renew one is
     * cheaper than to begin one. They hold no page. Whoever exchanges one for NULL owns it.
     */
    _Atomic(MDB_txn *) readers[READERS_KEPT];
    atomic_bool panicked; /* LMDB refuses everything until it is opened anew */

    /* One thread at a time (store.h), hence no lock. */
    struct position swept_to[TABLES + 1];
    int64_t reclaimable; /* octets that may be written into holes that sweeps left in used pages */
    bool unsynced;       /* committed since the last full sync */
    int failed;          /* of the last write that failed, as LMDB has it; 0: none has */
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

/* MDB_MAP_RESIZED: another process has let the file grow beyond what we have mapped of it. */
static void map_anew(struct store *store)
{
    pthread_rwlock_wrlock(&store->map_lock);
    if (store->now.env != NULL)
        (void)mdb_env_set_mapsize(store->now.env, 0); /* if it fails, so will the transaction */
    pthread_rwlock_unlock(&store->map_lock);
}

/* A read transaction that has been reset. NULL: none is kept. */
static MDB_txn *take_reader(struct store *store)
{
    for (size_t i = 0; i < READERS_KEPT; i++) {
        MDB_txn *txn = atomic_load_explicit(&store->readers[i], memory_order_relaxed);
        if (txn != NULL && (txn = atomic_exchange(&store->readers[i], NULL)) != NULL)
            return txn;
    }
    return NULL;
}

static void keep_reader(struct store *store, MDB_txn *txn)
{
    mdb_txn_reset(txn);
    for (size_t i = 0; i < READERS_KEPT; i++) {
        MDB_txn *none = NULL;
        if (atomic_compare_exchange_strong(&store->readers[i], &none, txn))
            return;
    }
    mdb_txn_abort(txn);
}

/* Before their environment is closed. */
static void drop_readers(struct store *store)
{
    for (MDB_txn *txn = take_reader(store); txn != NULL; txn = take_reader(store))
        mdb_txn_abort(txn);
}

/* map_lock held. */
static int renew_reader(struct store *store, MDB_txn **txn)
{
    *txn = take_reader(store);
    if (*txn == NULL)
        return mdb_txn_begin(store->now.env, NULL, MDB_RDONLY, txn);
    const int rc = mdb_txn_renew(*txn);
    if (rc != MDB_SUCCESS)
        mdb_txn_abort(*txn);
    return rc;
}

enum access { ACCESS_READ, ACCESS_READ_TABLES, ACCESS_WRITE };

/* On MDB_SUCCESS map_lock is held for reading. */
static int try_begin(struct store *store, enum access access, MDB_txn **txn)
{
    pthread_rwlock_rdlock(&store->map_lock);
    const int rc =
        store->now.env == NULL ? ENODEV
        : access == ACCESS_READ
            ? renew_reader(store, txn)
            : mdb_txn_begin(store->now.env, NULL, access == ACCESS_WRITE ? 0 : MDB_RDONLY, txn);
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

/*
 * To be ended with end_read or end_write when it returns MDB_SUCCESS; until then map_lock is held
 * for reading.
 */
static int begin(struct store *store, enum access access, MDB_txn **txn)
{
    int rc = try_begin(store, access, txn);
    for (unsigned tries = 1; tries < RETRIES_MAX && rc != MDB_SUCCESS; tries++) {
        if (!is_mended(store, rc))
            break;
        rc = try_begin(store, access, txn);
    }
    return rc;
}

static void end_read(struct store *store, MDB_txn *txn)
{
    keep_reader(store, txn);
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

/*
 * Makes the file as long as its last page in use needs (is_file_whole), by writing the last octet
 * of that page, which holds nothing: a write transaction keeps every process from using the page
 * meanwhile. map_lock is held.
 */
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
    MDB_txn *txn;
    int rc = begin(store, ACCESS_READ, &txn);
    if (rc != MDB_SUCCESS)
        return store_error(rc);

    MDB_val name = {.mv_size = key.len, .mv_data = (void *)key.data};
    MDB_val value;
    const MDB_dbi dbi = store->now.dbi[table];
    rc = dbi != NO_DBI ? mdb_get(txn, dbi, &name, &value) : MDB_NOTFOUND;
    if (rc == MDB_SUCCESS)
        take((struct octets){.data = value.mv_data, .len = value.mv_size}, arg);
    end_read(store, txn);
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
    MDB_txn *txn;
    MDB_envinfo info;
    int rc = begin(store, ACCESS_READ, &txn);
    if (rc != MDB_SUCCESS)
        return rc;
    *used = 2;
    rc = add_pages(txn, FREE_DBI, used);
    if (rc == MDB_SUCCESS)
        rc = add_pages(txn, NAMES_DBI, used);
    for (int table = CACHE_ADDRESS; table <= TABLES && rc == MDB_SUCCESS; table++)
        if (store->now.dbi[table] != NO_DBI)
            rc = add_pages(txn, store->now.dbi[table], used);
    if (rc == MDB_SUCCESS)
        rc = mdb_env_info(store->now.env, &info);
    if (rc == MDB_SUCCESS)
        *max = info.me_mapsize / store->now.page_size;
    end_read(store, txn);
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
 * Whether so many records may be written. A sweep deletes records from pages that go on being used:
 * it makes room within pages, and few pages free. By free pages alone one would sweep until most of
 * the cache is gone. So `reclaimable` octets, which sweeps have deleted, may be written again while
 * free pages are few, as long as there are those that the next sweep needs (last_reserve).
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

/* Adds to *growth the octets that the record is larger than the one before. */
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
    int rc = begin(store, ACCESS_WRITE, &txn);
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
    int rc = begin(store, ACCESS_WRITE, &txn);
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
    MDB_txn *txn;
    MDB_cursor *cursor;
    MDB_val key, value;
    int rc = begin(store, ACCESS_READ, &txn);
    if (rc != MDB_SUCCESS)
        return store_error(rc);
    const MDB_dbi dbi = store->now.dbi[table];
    rc = dbi != NO_DBI ? mdb_cursor_open(txn, dbi, &cursor) : MDB_NOTFOUND;
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
    end_read(store, txn);
    return rc == MDB_NOTFOUND ? RB_OK : store_error(rc);
}

static enum rb_error store_clear(struct store *store, uint64_t *removed)
{
    MDB_txn *txn;
    uint64_t records = 0;
    *removed = 0;
    int rc = begin(store, ACCESS_WRITE, &txn);
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
    MDB_txn *txn;
    size_t used = 0;
    size_t max = 0;
    *stats = (struct store_stats){0};
    int rc = count_pages(store, &used, &max);
    if (rc == MDB_SUCCESS)
        rc = begin(store, ACCESS_READ, &txn);
    if (rc != MDB_SUCCESS)
        return store_error(rc);
    stats->bytes = (uint64_t)used * store->now.page_size;
    stats->max_bytes = (uint64_t)max * store->now.page_size;
    for (int table = CACHE_ADDRESS; table <= TABLES && rc == MDB_SUCCESS; table++) {
        MDB_stat stat = {0};
        if (store->now.dbi[table] != NO_DBI)
            rc = mdb_stat(txn, store->now.dbi[table], &stat);
        stats->records[table] = stat.ms_entries;
    }
    end_read(store, txn);
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

/* --- Opening ---------------------------------------------------------------- */

/* Of one that was not opened, or not wholly, too. */
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
    drop_readers(store);
    close_env(&store->now);
    folder_release(store->claim);
    pthread_rwlock_destroy(&store->map_lock);
    free(store->path);
    free(store);
}

/*
 * Says why in folder->detail (what, or the words for rc, LMDB's code or errno value), and sets
 * errno to rc, or to EIO for one of LMDB's own. Returns RB_ERR_STORE.
 */
static enum rb_error fail(const struct folder *folder, int rc, const char *what)
{
    folder_explain(folder, what != NULL ? what : mdb_strerror(rc));
    errno = rc > 0 ? rc : EIO;
    return RB_ERR_STORE;
}

static enum rb_error prepare_files(const struct folder *folder)
{
    if (folder->read_only) {
        struct stat found;
        if (fstatat(folder->fd, DATA_NAME, &found, 0) != 0 || found.st_size == 0)
            return fail(folder, ENOENT, "there is no cache there yet");
        /* Before LMDB does: root's would be closed to the folder's owner. */
        (void)folder_make_file(folder, LOCK_NAME);
        return RB_OK;
    }
    int rc = folder_make_file(folder, DATA_NAME);
    if (rc == 0)
        rc = folder_make_file(folder, LOCK_NAME);
    return rc == 0 ? RB_OK
                   : fail(folder, rc, rc == ELOOP ? "holds a link, not a plain file" : NULL);
}

static int open_table(MDB_txn *txn, const char *name, bool create, MDB_dbi *dbi)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    int rc = mdb_dbi_open(txn, name, create ? MDB_CREATE : 0, dbi);
    if (rc == MDB_SUCCESS)
        rc = mdb_cursor_open(txn, *dbi, &cursor);
    if (rc != MDB_SUCCESS)
        return rc;
    rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST); /* a first look for damage */
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? MDB_SUCCESS : rc;
}

/* A store that is only read may be one that an older version made, without this table. */
static bool may_lack(const struct store *store, int table)
{
    return store->read_only && table > CACHE_ONETIME;
}

static int open_tables_in(struct store *store, bool create)
{
    MDB_txn *txn;
    int rc = begin(store, create ? ACCESS_WRITE : ACCESS_READ_TABLES, &txn);
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
    const struct timespec pause = {.tv_nsec = CUT_PAUSE_NS};
    for (unsigned i = 0; i < CUT_LOOKS; i++) {
        if (is_file_whole(env, &size))
            return MDB_SUCCESS;
        (void)nanosleep(&pause, NULL); /* a process that has just committed may be in cover_file */
    }
    return MDB_CORRUPTED;
}

/* Which files these are: the environment's own, and what is called as its lock. */
static int identify_files(struct environment *now, const struct folder *folder)
{
    struct stat found;
    mdb_filehandle_t fd;
    const int rc = mdb_env_get_fd(now->env, &fd);
    if (rc != MDB_SUCCESS)
        return rc;
    if (fstat(fd, &found) != 0)
        return errno;
    now->data = (struct file_id){.dev = found.st_dev, .ino = found.st_ino};
    if (fstatat(folder->fd, LOCK_NAME, &found, 0) == 0)
        now->lock = (struct file_id){.dev = found.st_dev, .ino = found.st_ino};
    return MDB_SUCCESS;
}

/* Before the environment is opened. */
static int set_limits(const struct store *store)
{
    MDB_env *env = store->now.env;
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const uint64_t size =
        store->max_bytes > STORE_SIZE_MIN ? store->max_bytes : (uint64_t)STORE_SIZE_MIN;
    if (size > SIZE_MAX)
        return ENOMEM;
    int rc = mdb_env_set_maxdbs(env, DBS_MAX);
    if (rc == MDB_SUCCESS)
        rc = mdb_env_set_maxreaders(env, READERS_MAX);
    if (rc == MDB_SUCCESS && !store->read_only)
        rc = mdb_env_set_mapsize(env, (size_t)size / page * page);
    return rc;
}

static int open_env(struct store *store, const struct folder *folder)
{
    int dead;
    MDB_stat stat;
    struct environment *now = &store->now;
    const unsigned flags = MDB_NOTLS | MDB_NOMETASYNC | (store->read_only ? MDB_RDONLY : 0U);
    int rc = mdb_env_create(&now->env);
    if (rc != MDB_SUCCESS)
        return rc;
    rc = set_limits(store);
    if (rc == MDB_SUCCESS)
        rc = mdb_env_open(now->env, store->path, flags, FILE_MODE);
    if (rc == MDB_SUCCESS)
        rc = look_for_cut(now->env);
    if (rc == MDB_SUCCESS)
        rc = mdb_reader_check(now->env, &dead);
    if (rc == MDB_SUCCESS)
        rc = open_tables(store);
    if (rc == MDB_SUCCESS)
        rc = mdb_env_stat(now->env, &stat);
    if (rc == MDB_SUCCESS)
        rc = identify_files(now, folder);
    if (rc == MDB_SUCCESS)
        now->page_size = stat.ms_psize;
    else
        close_env(now);
    return rc;
}

/*
 * Mail must not fail for a cache's sake: what is damaged is moved aside, for whoever wants to look
 * at it, and a new one begun.
 */
static enum rb_error begin_anew(struct store *store, const struct folder *folder, int damage)
{
    char suffix[48], what[256];
    (void)snprintf(suffix, sizeof suffix, "damaged-%lld", (long long)time(NULL));
    int rc = folder_move_aside(folder, DATA_NAME, suffix);
    if (rc != 0)
        return fail(folder, rc, NULL);
    rc = folder_move_aside(folder, LOCK_NAME, suffix);
    if (rc != 0 && rc != ENOENT)
        return fail(folder, rc, NULL);
    const enum rb_error error = prepare_files(folder);
    if (error != RB_OK)
        return error;
    rc = open_env(store, folder);
    if (rc != MDB_SUCCESS)
        return fail(folder, rc, NULL);
    (void)snprintf(what, sizeof what, "was damaged (%s); moved aside to %s.%s, begun anew",
                   mdb_strerror(damage), DATA_NAME, suffix);
    folder_explain(folder, what);
    return RB_OK;
}

/* owner: of the folder's claim. */
static enum rb_error open_in(struct store *store, struct folder *folder, const struct store *owner)
{
    int rc = folder_open(folder);
    if (rc != 0)
        return fail(folder, rc, NULL);
    rc = folder_claim(folder, owner, &store->claim);
    if (rc != 0)
        return fail(folder, rc, rc == EBUSY ? "is open already in this process" : NULL);
    const enum rb_error error = prepare_files(folder);
    if (error != RB_OK)
        return error;
    rc = open_env(store, folder);
    if (rc == MDB_SUCCESS)
        return RB_OK;
    if (rc == MDB_NOTFOUND)
        return fail(folder, ENOENT, "there is no cache there yet");
    if (is_damage(rc) && !store->read_only)
        return begin_anew(store, folder, rc);
    return fail(folder, rc, NULL);
}

static enum rb_error open_store(struct store *store, const struct store *owner, char *detail,
                                size_t detail_size)
{
    struct folder folder = {
        .path = store->path,
        .owner_fix = store->owner_fix,
        .read_only = store->read_only,
        .fd = -1,
        .detail = detail,
        .detail_size = detail_size,
    };
    if (detail != NULL && detail_size > 0)
        detail[0] = '\0';
    const enum rb_error error = open_in(store, &folder, owner);
    const int saved_errno = errno;
    folder_close(&folder);
    errno = saved_errno;
    return error;
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

/* --- Opened anew, under those who read ------------------------------------- */

/* No transaction is under way meanwhile, and none that was reset is left. */
static void exchange_env(struct store *store, struct environment *other)
{
    pthread_rwlock_wrlock(&store->map_lock);
    drop_readers(store);
    const struct environment before = store->now;
    store->now = *other;
    *other = before;
    pthread_rwlock_unlock(&store->map_lock);
}

static void adopt(struct store *store, struct store *fresh)
{
    struct folder_claim *const before = store->claim;
    exchange_env(store, &fresh->now);
    store->claim = fresh->claim;
    fresh->claim = before;
    memset(store->swept_to, 0, sizeof store->swept_to);
    store->reclaimable = 0;
    store->unsynced = false;
    atomic_store(&store->panicked, false);
}

/*
 * With the old environment still open, so that there is always one to read in; but closed first
 * where the two would share a file (closes_first).
 */
static enum rb_error renew(struct store *store, bool closes_first, char *detail, size_t size)
{
    struct store *fresh =
        new_store(store->path, store->max_bytes, store->owner_fix, store->read_only);
    if (fresh == NULL)
        return RB_ERR_NOMEM;
    if (closes_first) {
        exchange_env(store, &fresh->now);
        close_env(&fresh->now);
        folder_release(store->claim);
        store->claim = NULL;
    }
    const enum rb_error error = open_store(fresh, store, detail, size);
    if (error == RB_OK)
        adopt(store, fresh);
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
    const bool has_data = now->env != NULL && folder_has_file(store->path, DATA_NAME, &now->data);
    const bool has_lock = now->env != NULL && folder_has_file(store->path, LOCK_NAME, &now->lock);
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

enum rb_error cache_lmdb_open(const char *path, uint64_t max_bytes, bool owner_fix, bool read_only,
                              const struct store_ops **ops, struct store **store, char *detail,
                              size_t detail_size)
{
    struct store *made = new_store(path, max_bytes, owner_fix, read_only);
    if (made == NULL)
        return RB_ERR_NOMEM;
    const enum rb_error error = open_store(made, made, detail, detail_size);
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
