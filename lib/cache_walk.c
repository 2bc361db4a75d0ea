/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache_walk: the form of an address record's key, and showing all records of a table one by one. A
 * slice of records is copied out in each read transaction, so that neither writers nor the caller's
 * callback are held up by it.
 */
#include "config.h"

#include "cache_walk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record.h"
#include "text.h"

/*
 * Key of an address record: "s" and the address for what the world says; "r", the relay's name, a
 * space and the address for what a relay says. No such name has a space, so it ends at the first
 * one, whatever the local part holds. "c" and the address: a user of ours writes to it.
 *
 * Key of a fold: a letter for its kind, and what its addresses share.
 */
enum {
    KIND_WORLD = 's',
    KIND_RELAY = 'r',
    KIND_CORRESPONDENT = 'c',
    RELAY_END = ' ',
};

enum { WALK_SLICE = 64 }; /* records in one read transaction */

enum rb_error cache_address_key(const char *relay, const char *address, char key[CACHE_KEY_MAX + 1])
{
    char name[RELAY_NAME_MAX + 1];
    key[0] = '\0';
    if (address[0] == '\0')
        return RB_ERR_ARGUMENT;
    relay_name(relay, name);
    const int len = name[0] != '\0' ? snprintf(key, CACHE_KEY_MAX + 1, "%c%s%c%s", KIND_RELAY, name,
                                               RELAY_END, address)
                                    : snprintf(key, CACHE_KEY_MAX + 1, "%c%s", KIND_WORLD, address);
    if (len > 0 && len <= CACHE_KEY_MAX)
        return RB_OK;
    key[0] = '\0';
    return RB_ERR_TOO_LONG;
}

enum rb_error cache_facts_key(const char *relay, const char *domain, char key[CACHE_KEY_MAX + 1])
{
    char name[RELAY_NAME_MAX + 1];
    relay_name(relay, name);
    const int len = name[0] != '\0'
                        ? snprintf(key, CACHE_KEY_MAX + 1, "%s%c%s", domain, RELAY_END, name)
                        : snprintf(key, CACHE_KEY_MAX + 1, "%s", domain);
    if (len > 0 && len <= CACHE_KEY_MAX)
        return RB_OK;
    key[0] = '\0';
    return RB_ERR_TOO_LONG;
}

bool cache_split_facts_key(const char *key, char domain[RB_DOMAIN_MAX + 1],
                           char relay[RELAY_NAME_MAX + 1])
{
    const char *end = strchr(key, RELAY_END);
    const size_t len = end != NULL ? (size_t)(end - key) : strlen(key);
    relay[0] = '\0';
    if (len == 0 || len > RB_DOMAIN_MAX)
        return false;
    memcpy(domain, key, len);
    domain[len] = '\0';
    return end == NULL || text_copy(relay, RELAY_NAME_MAX + 1, end + 1);
}

enum rb_error cache_correspondent_key(const char *address, char key[CACHE_KEY_MAX + 1])
{
    const enum rb_error error = cache_address_key(NULL, address, key);
    if (error == RB_OK)
        key[0] = KIND_CORRESPONDENT;
    return error;
}

bool cache_is_correspondent_key(const char *key)
{
    return key[0] == KIND_CORRESPONDENT;
}

static const char FOLD_KINDS[] = {
    [FOLD_BATV] = 'b',
    [FOLD_SRS] = 's',
    [FOLD_VERP] = 'v',
};

enum rb_error cache_fold_key(enum fold_kind kind, const char *fold, char key[CACHE_KEY_MAX + 1])
{
    key[0] = '\0';
    if (kind == FOLD_NONE || (unsigned)kind >= sizeof FOLD_KINDS)
        return RB_ERR_ARGUMENT;
    const int len = snprintf(key, CACHE_KEY_MAX + 1, "%c%s", FOLD_KINDS[kind], fold);
    if (len > 1 && len <= CACHE_KEY_MAX)
        return RB_OK;
    key[0] = '\0';
    return RB_ERR_TOO_LONG;
}

enum fold_kind cache_split_fold_key(const char *key, const char **fold)
{
    *fold = NULL;
    for (unsigned kind = FOLD_BATV; kind < sizeof FOLD_KINDS; kind++)
        if (key[0] == FOLD_KINDS[kind]) {
            *fold = key + 1;
            return (enum fold_kind)kind;
        }
    return FOLD_NONE;
}

/* One record, copied out of the read transaction. */
struct walked {
    size_t key_len, value_len;
    char key[STORE_KEY_MAX + 1];
    uint8_t value[RECORD_SIZE_MAX];
};

struct walk_slice {
    size_t count;
    struct walked records[WALK_SLICE];
};

static bool collect(struct octets key, struct octets value, void *arg)
{
    struct walk_slice *slice = arg;
    struct walked *walked = &slice->records[slice->count];
    if (slice->count == WALK_SLICE)
        return false;
    slice->count++;
    walked->key_len = key.len <= STORE_KEY_MAX ? key.len : (size_t)STORE_KEY_MAX;
    memcpy(walked->key, key.data, walked->key_len);
    walked->key[walked->key_len] = '\0';
    walked->value_len = value.len <= sizeof walked->value ? value.len : 0; /* too long: damaged */
    memcpy(walked->value, value.data, walked->value_len);
    return true;
}

bool cache_split_address_key(const char *key, char relay[CACHE_KEY_MAX + 1], const char **address)
{
    relay[0] = '\0';
    *address = key + 1;
    if (key[0] == KIND_WORLD || key[0] == KIND_CORRESPONDENT)
        return true;
    const char *end = strchr(key, RELAY_END);
    if (key[0] != KIND_RELAY || end == NULL)
        return false;
    const size_t len = (size_t)(end - key) - 1;
    if (len > CACHE_KEY_MAX)
        return false;
    memcpy(relay, key + 1, len);
    relay[len] = '\0';
    *address = end + 1;
    return true;
}

/* What a walk needs of one record at a time. */
struct walk {
    enum cache_table table;
    bool (*visit)(const struct cache_entry *entry, void *arg);
    void *arg;
    uint64_t damaged;
    struct address_record address_record;
    struct domain_record domain_record;
    struct host_record host_record;
    struct fold_record fold_record;
    char relay[CACHE_KEY_MAX + 1];
    struct walk_slice slice;
};

static bool decode_walked(struct walk *walk, const struct walked *walked, struct cache_entry *entry)
{
    switch (walk->table) {
    case CACHE_ADDRESS:
        entry->relay = walk->relay;
        entry->address_record = &walk->address_record;
        return cache_split_address_key(walked->key, walk->relay, &entry->address) &&
               address_record_decode(walked->value, walked->value_len, &walk->address_record);
    case CACHE_DOMAIN:
        entry->domain_record = &walk->domain_record;
        return domain_record_decode(walked->value, walked->value_len, &walk->domain_record);
    case CACHE_HOST:
        entry->host_record = &walk->host_record;
        return host_record_decode(walked->value, walked->value_len, &walk->host_record);
    case CACHE_FOLD:
        entry->fold_record = &walk->fold_record;
        return fold_record_decode(walked->value, walked->value_len, &walk->fold_record);
    }
    return false;
}

/* False: the caller has seen enough. */
static bool show(struct walk *walk, const struct walked *walked)
{
    struct cache_entry entry = {.table = walk->table, .key = walked->key};
    if (strlen(walked->key) != walked->key_len || walked->key_len > CACHE_KEY_MAX ||
        !decode_walked(walk, walked, &entry)) {
        walk->damaged++;
        return true;
    }
    return walk->visit(&entry, walk->arg);
}

static enum rb_error walk_all(const struct store_ops *ops, struct store *store, struct walk *walk)
{
    struct octets after = {0};
    char last[STORE_KEY_MAX];
    struct walk_slice *slice = &walk->slice;
    do { /* ends: each slice moves on in key order */
        slice->count = 0;
        const enum rb_error error =
            ops->walk(store, walk->table, after, WALK_SLICE, collect, slice);
        if (error != RB_OK)
            return error;
        for (size_t i = 0; i < slice->count; i++) {
            if (!show(walk, &slice->records[i]))
                return RB_OK;
        }
        if (slice->count > 0) {
            const struct walked *end = &slice->records[slice->count - 1];
            memcpy(last, end->key, end->key_len);
            after = (struct octets){.data = last, .len = end->key_len};
        }
    } while (slice->count == WALK_SLICE);
    return RB_OK;
}

enum rb_error walk_records(const struct store_ops *ops, struct store *store, enum cache_table table,
                           bool (*visit)(const struct cache_entry *entry, void *arg), void *arg,
                           uint64_t *damaged)
{
    struct walk *walk = calloc(1, sizeof *walk);
    if (walk == NULL)
        return RB_ERR_NOMEM;
    walk->table = table;
    walk->visit = visit;
    walk->arg = arg;
    const enum rb_error error = walk_all(ops, store, walk);
    *damaged += walk->damaged;
    free(walk);
    return error;
}
