/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * walk: see the header. A slice of records is copied out in each read transaction, so that neither
 * writers nor the caller's callback are held up by it.
 */
#include "config.h"

#include "cache/walk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache/keys.h"
#include "cache/record.h"

enum { WALK_SLICE = 64 }; /* records in one read transaction */

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

/* What a walk needs of one record at a time. */
struct walk {
    const struct store_ops *ops;
    struct store *store;
    const struct walk_order *order;
    bool ended; /* the caller has seen enough */
    uint64_t damaged;
    struct address_record address_record;
    struct domain_record domain_record;
    struct host_record host_record;
    struct onetime_record onetime_record;
    struct retry_record retry_record;
    struct verb_record verb_record;
    char relay[CACHE_KEY_MAX + 1];
    struct walk_slice slice;
};

static bool decode_walked(struct walk *walk, const struct walked *walked, struct cache_entry *entry)
{
    switch (walk->order->table) {
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
    case CACHE_ONETIME:
        entry->onetime_record = &walk->onetime_record;
        return onetime_record_decode(walked->value, walked->value_len, &walk->onetime_record);
    case CACHE_RETRY:
        entry->relay = walk->relay;
        entry->retry_record = &walk->retry_record;
        return cache_split_address_key(walked->key, walk->relay, &entry->address) &&
               retry_record_decode(walked->value, walked->value_len, &walk->retry_record);
    case CACHE_VERB:
        entry->verb_record = &walk->verb_record;
        return verb_record_decode(walked->value, walked->value_len, &walk->verb_record);
    }
    return false;
}

static void show(struct walk *walk, const struct walked *walked)
{
    struct cache_entry entry = {.table = walk->order->table, .key = walked->key};
    if (strlen(walked->key) != walked->key_len || walked->key_len > CACHE_KEY_MAX ||
        !decode_walked(walk, walked, &entry))
        walk->damaged++;
    else
        walk->ended = !walk->order->visit(&entry, walk->order->arg);
}

/* Those whose keys begin with `prefix`. */
static enum rb_error walk_over(struct walk *walk, const char *prefix)
{
    const size_t prefix_len = strlen(prefix);
    struct octets after = {.data = prefix, .len = prefix_len};
    char last[STORE_KEY_MAX];
    struct walk_slice *slice = &walk->slice;
    do { /* ends: each slice moves on in key order */
        slice->count = 0;
        const enum rb_error error =
            walk->ops->walk(walk->store, walk->order->table, after, WALK_SLICE, collect, slice);
        if (error != RB_OK)
            return error;
        for (size_t i = 0; i < slice->count && !walk->ended; i++) {
            if (strncmp(slice->records[i].key, prefix, prefix_len) != 0)
                return RB_OK;
            show(walk, &slice->records[i]);
        }
        if (slice->count > 0) {
            const struct walked *end = &slice->records[slice->count - 1];
            memcpy(last, end->key, end->key_len);
            after = (struct octets){.data = last, .len = end->key_len};
        }
    } while (slice->count == WALK_SLICE && !walk->ended);
    return RB_OK;
}

/* store_take_fn. */
static void take_value(struct octets value, void *arg)
{
    struct walked *walked = arg;
    walked->value_len = value.len <= sizeof walked->value ? value.len : 0;
    memcpy(walked->value, value.data, walked->value_len);
}

/* The record of that very key, where there is one. */
static enum rb_error walk_to(struct walk *walk, const char *key)
{
    struct walked *walked = &walk->slice.records[0];
    walked->key_len = strlen(key);
    memcpy(walked->key, key, walked->key_len + 1);
    const enum rb_error error =
        walk->ops->get(walk->store, walk->order->table,
                       (struct octets){.data = key, .len = walked->key_len}, take_value, walked);
    if (error == RB_OK && !walk->ended)
        show(walk, walked);
    return error == RB_ERR_NOT_FOUND ? RB_OK : error;
}

static enum rb_error walk_family(struct walk *walk)
{
    char prefix[CACHE_KEY_MAX + 2];
    const int len =
        snprintf(prefix, sizeof prefix, "%s%c", walk->order->key, walk->order->separator);
    if (len <= 1 || len > CACHE_KEY_MAX)
        return len <= 1 ? RB_ERR_ARGUMENT : RB_ERR_TOO_LONG;
    const enum rb_error error = walk_to(walk, walk->order->key);
    return error == RB_OK && !walk->ended ? walk_over(walk, prefix) : error;
}

/* A place in the order of keys. */
struct place {
    size_t len;
    char octets[STORE_KEY_MAX + 1];
};

/*
 * The next relay's name, and *place behind all keys of it. The name ends in the first blank; a key
 * without one is none of ours, and is stepped over by itself: relay is then "".
 */
static enum rb_error next_relay(struct walk *walk, struct place *place,
                                char relay[CACHE_KEY_MAX + 1])
{
    const struct walked *found = &walk->slice.records[0];
    const char *address;
    walk->slice.count = 0;
    const enum rb_error error = walk->ops->walk(
        walk->store, walk->order->table, (struct octets){.data = place->octets, .len = place->len},
        1, collect, &walk->slice);
    if (error != RB_OK)
        return error;
    if (walk->slice.count == 0 || found->key[0] != KEYS_RELAY)
        return RB_ERR_NOT_FOUND;
    place->len = found->key_len;
    memcpy(place->octets, found->key, found->key_len);
    if (!cache_split_address_key(found->key, relay, &address)) {
        relay[0] = '\0';
    } else {
        place->len = 1 + strlen(relay);
        place->octets[place->len++] = KEYS_RELAY_END + 1;
    }
    return RB_OK;
}

static enum rb_error walk_relays(struct walk *walk)
{
    struct place place = {.len = 1, .octets = {KEYS_RELAY}};
    char key[CACHE_KEY_MAX + 1], relay[CACHE_KEY_MAX + 1];
    enum rb_error error = RB_OK;
    while (error == RB_OK && !walk->ended) { /* ends: `place` moves on in key order */
        error = next_relay(walk, &place, relay);
        if (error == RB_OK && relay[0] != '\0' &&
            cache_address_key(relay, walk->order->key, key) == RB_OK)
            error = walk_to(walk, key);
    }
    return error == RB_ERR_NOT_FOUND ? RB_OK : error;
}

static enum rb_error walk_address(struct walk *walk)
{
    char key[CACHE_KEY_MAX + 1];
    enum rb_error error = cache_address_key(NULL, walk->order->key, key);
    if (error == RB_OK)
        error = walk_to(walk, key);
    if (error == RB_OK)
        error = cache_correspondent_key(walk->order->key, key);
    if (error == RB_OK)
        error = walk_to(walk, key);
    return error == RB_OK ? walk_relays(walk) : error;
}

static enum rb_error walk_as_ordered(struct walk *walk)
{
    switch (walk->order->what) {
    case WALK_KEY:
        return walk_family(walk);
    case WALK_ADDRESS:
        return walk_address(walk);
    default:
        return walk_over(walk, "");
    }
}

enum rb_error walk_records(const struct store_ops *ops, struct store *store,
                           const struct walk_order *order, uint64_t *damaged)
{
    struct walk *made = calloc(1, sizeof *made);
    if (made == NULL)
        return RB_ERR_NOMEM;
    made->ops = ops;
    made->store = store;
    made->order = order;
    const enum rb_error error = walk_as_ordered(made);
    *damaged += made->damaged;
    free(made);
    return error;
}
