/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * JSON that claims to be a cache record, as `ringback cache import` reads it. What is taken must
 * fit the store, and be written and read again as the same.
 */
#include "config.h"

#include "fuzz.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/json.h"

const char fuzz_name[] = "json";

enum { NOW = 2000000000 };

/* Octets of the record as the store would hold it; all of it is in them. */
static size_t encode(const struct json_record *record, uint8_t *octets, size_t size)
{
    switch (record->table) {
    case CACHE_ADDRESS:
        return address_record_encode(&record->address, octets, size);
    case CACHE_DOMAIN:
        return domain_record_encode(&record->domain, octets, size);
    case CACHE_ONETIME:
        return onetime_record_encode(&record->onetime, octets, size);
    case CACHE_RETRY:
        return retry_record_encode(&record->retry, octets, size);
    case CACHE_VERB:
        return verb_record_encode(&record->verb, octets, size);
    default:
        return host_record_encode(&record->host, octets, size);
    }
}

/* As cache_walk shows it: the key of an address is taken apart. */
static json_t *written(const struct json_record *record, const struct rb_lifetimes *lifetimes)
{
    char relay[CACHE_KEY_MAX + 1] = "";
    struct cache_entry entry = {
        .table = record->table,
        .key = record->key,
        .relay = relay,
        .address = record->key + 1,
        .address_record = &record->address,
        .domain_record = &record->domain,
        .host_record = &record->host,
        .onetime_record = &record->onetime,
        .retry_record = &record->retry,
        .verb_record = &record->verb,
    };

    if ((record->table == CACHE_ADDRESS || record->table == CACHE_RETRY) && record->key[0] == 'r') {
        size_t len = strcspn(record->key, " ");

        HOLDS(record->key[len] == ' ');
        memcpy(relay, record->key + 1, len - 1);
        relay[len - 1] = '\0';
        entry.address = record->key + len + 1;
    }
    return json_entry(&entry, lifetimes, NOW);
}

static void check_taken(const struct json_record *record)
{
    uint8_t octets[RECORD_SIZE_MAX], again_octets[RECORD_SIZE_MAX];
    size_t len = encode(record, octets, sizeof octets), key_len = strlen(record->key);
    struct json_record again;
    struct rb_options options;
    const char *why = "";
    char *text;
    json_t *object;

    HOLDS(len > 0);
    HOLDS(key_len > 0 && key_len <= CACHE_KEY_MAX && strpbrk(record->key, "\r\n") == NULL);
    rb_options_init(&options);
    object = written(record, &options.lifetimes);
    HOLDS(object != NULL);
    text = json_dumps(object, JSON_COMPACT);
    HOLDS(text != NULL);
    free(text);
    HOLDS(json_read_entry(object, &again, &why));
    json_decref(object);
    HOLDS(again.table == record->table && strcmp(again.key, record->key) == 0);
    HOLDS(encode(&again, again_octets, sizeof again_octets) == len);
    HOLDS(memcmp(octets, again_octets, len) == 0);
}

/* The same, as an answer: what is taken is written, and read again as it was. */
static void check_answer(json_t *object)
{
    struct rb_answer answer, again;
    json_t *written;

    if (!json_read_answer(object, &answer))
        return;
    HOLDS(answer.reason > RB_REASON_NONE && answer.reason < RB_REASON_MAX);
    HOLDS(text_is_clean(answer.reply, strlen(answer.reply)));
    written = json_answer(&answer, "", false);
    HOLDS(json_read_answer(written, &again));
    HOLDS(again.reason == answer.reason && again.port == answer.port && again.code == answer.code);
    HOLDS(strcmp(again.mx, answer.mx) == 0 && strcmp(again.rule, answer.rule) == 0);
    json_decref(written);
}

static void check_octets(json_t *object)
{
    char *octets = json_read_octets(object);
    json_t *written = octets != NULL ? json_octets(octets) : NULL;

    if (octets != NULL)
        HOLDS(written != NULL && json_equal(written, object));
    json_decref(written);
    free(octets);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *object = json_loadb((const char *)data, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    struct json_record record;
    const char *why = NULL;

    if (object == NULL)
        return 0;
    if (json_read_entry(object, &record, &why)) {
        HOLDS(why == NULL);
        check_taken(&record);
    } else {
        HOLDS(why != NULL && why[0] != '\0');
    }
    check_answer(object);
    check_octets(object);
    json_decref(object);
    return 0;
}
