/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bare: the least that an LMDB program can do, as a contender: one tree, octets made ready
 * beforehand, a read transaction of its own for each thread that is renewed for each look-up (one
 * held for longer would see no news and let the file grow), the value copied out; writes in
 * batches as large as ours, with the same flags (lib/cache/lmdb.c). Nothing is decoded, queued,
 * merged or swept.
 */
#include "config.h"

#include "contender.h"

#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { READERS = 64, FILE_MODE = 0660, KEY_MAX = 96, VALUE_MAX = 256 };

static MDB_env *env;
static MDB_dbi dbi;

struct reader {
    MDB_txn *txn;
    uint8_t value[RECORD_SIZE_MAX];
};

struct made {
    uint16_t key_len, value_len;
    char key[KEY_MAX];
    uint8_t value[VALUE_MAX];
};

static struct {
    struct made *made; /* PREPARED_MAX and what comes with them */
    size_t count;
} prepared;

enum { MADE_MAX = 2 * PREPARED_MAX };

static bool complain(int rc)
{
    if (rc != MDB_SUCCESS)
        (void)fprintf(stderr, "bare: %s\n", mdb_strerror(rc));
    return rc == MDB_SUCCESS;
}

static bool open_bare(const char *folder, uint64_t max_bytes)
{
    MDB_txn *txn;
    int rc = mdb_env_create(&env);
    if (rc == MDB_SUCCESS)
        rc = mdb_env_set_mapsize(env, (size_t)max_bytes);
    if (rc == MDB_SUCCESS)
        rc = mdb_env_set_maxreaders(env, READERS);
    if (rc == MDB_SUCCESS)
        rc = mdb_env_open(env, folder, MDB_NOTLS | MDB_NOMETASYNC, FILE_MODE);
    if (rc == MDB_SUCCESS)
        rc = mdb_txn_begin(env, NULL, 0, &txn);
    if (rc == MDB_SUCCESS) {
        rc = mdb_dbi_open(txn, NULL, 0, &dbi);
        const int committed = mdb_txn_commit(txn);
        rc = rc != MDB_SUCCESS ? rc : committed;
    }
    return complain(rc);
}

static void close_bare(void)
{
    mdb_env_close(env);
    env = NULL;
    free(prepared.made);
    prepared.made = NULL;
}

static bool new_reader(struct reader **reader)
{
    *reader = calloc(1, sizeof **reader);
    if (*reader == NULL || mdb_txn_begin(env, NULL, MDB_RDONLY, &(*reader)->txn) != MDB_SUCCESS) {
        free(*reader);
        return false;
    }
    mdb_txn_reset((*reader)->txn);
    return true;
}

static void free_reader(struct reader *reader)
{
    mdb_txn_abort(reader->txn);
    free(reader);
}

static bool get(struct reader *reader, const char *key)
{
    MDB_val name = {.mv_size = strlen(key), .mv_data = (void *)key};
    MDB_val value;
    if (mdb_txn_renew(reader->txn) != MDB_SUCCESS)
        return false;
    const bool found = mdb_get(reader->txn, dbi, &name, &value) == MDB_SUCCESS;
    if (found && value.mv_size <= sizeof reader->value)
        memcpy(reader->value, value.mv_data, value.mv_size);
    mdb_txn_reset(reader->txn);
    return found;
}

/* Each table's records have a letter of their own where ours have a table. */
static bool add(char table, const char *key, const uint8_t *value, size_t len)
{
    const size_t key_len = strlen(key) + (table != '\0');
    if (len == 0 || len > VALUE_MAX || key_len > KEY_MAX || prepared.count == MADE_MAX)
        return false;
    struct made *made = &prepared.made[prepared.count++];
    made->key_len = (uint16_t)key_len;
    made->value_len = (uint16_t)len;
    made->key[0] = table;
    memcpy(made->key + (table != '\0'), key, strlen(key));
    memcpy(made->value, value, len);
    return true;
}

static bool add_facts(uint64_t number, int64_t stamp_s)
{
    char key[CACHE_KEY_MAX + 1];
    uint8_t value[RECORD_SIZE_MAX] = {0};
    struct domain_record domain;
    struct onetime_record onetime;
    struct host_record host;
    bool good = true;
    size_t len;
    if (people_domain(number, stamp_s, key, &domain)) {
        len = domain_record_encode(&domain, value, sizeof value);
        good = add('D', key, value, len);
    }
    if (good && people_onetime(number, stamp_s, key, &onetime)) {
        len = onetime_record_encode(&onetime, value, sizeof value);
        good = add('F', key, value, len);
    }
    if (good && people_host(number, stamp_s, key, &host)) {
        len = host_record_encode(&host, value, sizeof value);
        good = add('H', key, value, len);
    }
    return good;
}

static bool prepare(uint64_t first, uint64_t count, int64_t stamp_s, bool all)
{
    char key[CACHE_KEY_MAX + 1];
    uint8_t value[RECORD_SIZE_MAX] = {0};
    struct address_record record;
    bool good = count <= PREPARED_MAX;
    if (prepared.made == NULL)
        prepared.made = calloc(MADE_MAX, sizeof *prepared.made);
    prepared.count = 0;
    good = good && prepared.made != NULL;
    for (uint64_t i = 0; i < count && good; i++) {
        people_key(first + i, key);
        people_record(first + i, stamp_s, &record);
        const size_t len = address_record_encode(&record, value, sizeof value);
        good = add('\0', key, value, len) && (!all || add_facts(first + i, stamp_s));
    }
    return good;
}

static int put_batch(const struct made *made, size_t count)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin(env, NULL, 0, &txn);
    if (rc != MDB_SUCCESS)
        return rc;
    for (size_t i = 0; i < count && rc == MDB_SUCCESS; i++) {
        MDB_val key = {.mv_size = made[i].key_len, .mv_data = (void *)made[i].key};
        MDB_val value = {.mv_size = made[i].value_len, .mv_data = (void *)made[i].value};
        rc = mdb_put(txn, dbi, &key, &value, 0);
    }
    if (rc == MDB_SUCCESS)
        return mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return rc;
}

static bool put_prepared(void)
{
    int rc = MDB_SUCCESS;
    for (size_t at = 0; at < prepared.count && rc == MDB_SUCCESS; at += CONTENDER_BATCH) {
        const size_t left = prepared.count - at;
        rc = put_batch(prepared.made + at, left < CONTENDER_BATCH ? left : CONTENDER_BATCH);
    }
    return complain(rc);
}

/* Both trees of an environment: records, and the list of free pages. */
static bool size(struct contender_size *size)
{
    MDB_txn *txn;
    MDB_stat stat;
    int rc = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn);
    if (rc != MDB_SUCCESS)
        return complain(rc);
    rc = mdb_stat(txn, dbi, &stat);
    mdb_txn_abort(txn);
    *size = (struct contender_size){
        .records = stat.ms_entries,
        .bytes = (uint64_t)stat.ms_psize *
                 (2 + stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages),
    };
    return complain(rc);
}

const struct contender contender_bare = {
    .name = "bare",
    .open = open_bare,
    .close = close_bare,
    .new_reader = new_reader,
    .free_reader = free_reader,
    .get = get,
    .prepare = prepare,
    .put_prepared = put_prepared,
    .size = size,
};
