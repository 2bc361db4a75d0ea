/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bulk: fills a contender's folder with very many records sooner than it could itself: the same
 * octets in the same order into the same trees, but in one transaction, written into the map
 * itself. So the file holds no page that is not in use. What filling costs is not measured here.
 */
#include "config.h"

#include "contender.h"

#include <errno.h>
#include <lmdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { TABLES = 4, FILE_MODE = 0660 };

/* lib/cache/lmdb.c; part of the stored format. */
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
    struct onetime_record onetime;
    struct host_record host;
    people_key(number, key);
    people_record(number, stamp_s, &address);
    int rc = put(bulk, CACHE_ADDRESS, key, out, address_record_encode(&address, out, sizeof out));
    if (rc == MDB_SUCCESS && people_domain(number, stamp_s, key, &domain))
        rc = put(bulk, CACHE_DOMAIN, key, out, domain_record_encode(&domain, out, sizeof out));
    if (rc == MDB_SUCCESS && people_onetime(number, stamp_s, key, &onetime))
        rc = put(bulk, CACHE_ONETIME, key, out, onetime_record_encode(&onetime, out, sizeof out));
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
    if (rc == MDB_SUCCESS)
        rc = mdb_txn_begin(bulk->env, NULL, 0, &bulk->txn);
    if (rc != MDB_SUCCESS)
        return rc;
    for (uint64_t number = 0; number < count && rc == MDB_SUCCESS; number++)
        rc = put_number(bulk, number, stamp_s);
    if (rc == MDB_SUCCESS)
        return mdb_txn_commit(bulk->txn);
    mdb_txn_abort(bulk->txn);
    return rc;
}

/* MDB_WRITEMAP makes the file as large as the map. Nobody has it open but us. */
static int cut_to_size(const struct bulk *bulk)
{
    MDB_envinfo info;
    MDB_stat stat;
    mdb_filehandle_t fd;
    int rc = mdb_env_info(bulk->env, &info);
    if (rc == MDB_SUCCESS)
        rc = mdb_env_stat(bulk->env, &stat);
    if (rc == MDB_SUCCESS)
        rc = mdb_env_get_fd(bulk->env, &fd);
    if (rc != MDB_SUCCESS)
        return rc;
    return ftruncate(fd, ((off_t)info.me_last_pgno + 1) * (off_t)stat.ms_psize) == 0 ? 0 : errno;
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
        rc = mdb_env_open(bulk.env, folder, MDB_NOSYNC | MDB_WRITEMAP, FILE_MODE);
    if (rc == MDB_SUCCESS)
        rc = put_all(&bulk, count, stamp_s);
    if (rc == MDB_SUCCESS)
        rc = mdb_env_sync(bulk.env, 1);
    if (rc == MDB_SUCCESS)
        rc = cut_to_size(&bulk);
    mdb_env_close(bulk.env);
    if (rc != MDB_SUCCESS)
        (void)fprintf(stderr, "bulk: %s\n", mdb_strerror(rc));
    return rc == MDB_SUCCESS;
}
