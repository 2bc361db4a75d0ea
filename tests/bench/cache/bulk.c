/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bulk: fills a contender's folder with very many records sooner than it could itself: the same
 * octets in the same order into the same trees, but in few large transactions that are not synced
 * one by one. Only for look-ups in them afterwards; what writing costs, and what is used on disk,
 * is measured otherwise.
 */
#include "config.h"

#include "contender.h"

#include <lmdb.h>
#include <stdio.h>
#include <string.h>

enum { BATCH = 1 << 18, TABLES = 4, FILE_MODE = 0660 };

/* lib/cache_lmdb.c; part of the stored format. */
static const char *const TABLE_NAMES[TABLES + 1] = {NULL, "address", "domain", "host", "fold"};

/* In the bare one's single tree, what stands before the keys of each table. */
static const char MARKS[TABLES + 1] = {'\0', '\0', 'D', 'H', 'F'};

struct bulk {
    MDB_env *env;
    MDB_txn *txn;
    bool named; /* tables as ours; else one tree */
    MDB_dbi dbi[TABLES + 1];
};

static int put(struct bulk *bulk, enum cache_table table, const char *key, const uint8_t *value,
               size_t len)
{
    char marked[CACHE_KEY_MAX + 2];
    const bool has_mark = !bulk->named && MARKS[table] != '\0';
    (void)snprintf(marked, sizeof marked, "%c%s", MARKS[table], key);
    MDB_val name = {.mv_size = strlen(key) + has_mark, .mv_data = has_mark ? marked : (void *)key};
    MDB_val data = {.mv_size = len, .mv_data = (void *)value};
    return mdb_put(bulk->txn, bulk->dbi[table], &name, &data, 0);
}

static int put_number(struct bulk *bulk, uint64_t number, int64_t stamp_s)
{
    char key[CACHE_KEY_MAX + 1];
    uint8_t out[RECORD_SIZE_MAX];
    struct address_record address;
    struct domain_record domain;
    struct fold_record fold;
    struct host_record host;
    people_key(number, key);
    people_record(number, stamp_s, &address);
    int rc = put(bulk, CACHE_ADDRESS, key, out, address_record_encode(&address, out, sizeof out));
    if (rc == MDB_SUCCESS && people_domain(number, stamp_s, key, &domain))
        rc = put(bulk, CACHE_DOMAIN, key, out, domain_record_encode(&domain, out, sizeof out));
    if (rc == MDB_SUCCESS && people_fold(number, stamp_s, key, &fold))
        rc = put(bulk, CACHE_FOLD, key, out, fold_record_encode(&fold, out, sizeof out));
    if (rc == MDB_SUCCESS && people_host(number, stamp_s, key, &host))
        rc = put(bulk, CACHE_HOST, key, out, host_record_encode(&host, out, sizeof out));
    return rc;
}

static int open_tables(struct bulk *bulk)
{
    int rc = mdb_txn_begin(bulk->env, NULL, 0, &bulk->txn);
    if (rc != MDB_SUCCESS)
        return rc;
    for (unsigned table = CACHE_ADDRESS; table <= TABLES && rc == MDB_SUCCESS; table++)
        rc = mdb_dbi_open(bulk->txn, bulk->named ? TABLE_NAMES[table] : NULL,
                          bulk->named ? MDB_CREATE : 0, &bulk->dbi[table]);
    const int committed = mdb_txn_commit(bulk->txn);
    return rc != MDB_SUCCESS ? rc : committed;
}

static int put_all(struct bulk *bulk, uint64_t count, int64_t stamp_s)
{
    int rc = open_tables(bulk);
    for (uint64_t at = 0; at < count && rc == MDB_SUCCESS;) {
        rc = mdb_txn_begin(bulk->env, NULL, 0, &bulk->txn);
        if (rc != MDB_SUCCESS)
            break;
        for (unsigned i = 0; i < BATCH && at < count && rc == MDB_SUCCESS; i++)
            rc = put_number(bulk, at++, stamp_s);
        const int committed = mdb_txn_commit(bulk->txn);
        rc = rc != MDB_SUCCESS ? rc : committed;
    }
    return rc != MDB_SUCCESS ? rc : mdb_env_sync(bulk->env, 1);
}

bool bulk_fill(bool named, const char *folder, uint64_t max_bytes, uint64_t count, int64_t stamp_s)
{
    struct bulk bulk = {.named = named};
    int rc = mdb_env_create(&bulk.env);
    if (rc == MDB_SUCCESS)
        rc = mdb_env_set_mapsize(bulk.env, (size_t)max_bytes);
    if (rc == MDB_SUCCESS)
        rc = mdb_env_set_maxdbs(bulk.env, TABLES);
    if (rc == MDB_SUCCESS)
        rc = mdb_env_open(bulk.env, folder, MDB_NOSYNC, FILE_MODE);
    if (rc == MDB_SUCCESS)
        rc = put_all(&bulk, count, stamp_s);
    mdb_env_close(bulk.env);
    if (rc != MDB_SUCCESS)
        (void)fprintf(stderr, "bulk: %s\n", mdb_strerror(rc));
    return rc == MDB_SUCCESS;
}
