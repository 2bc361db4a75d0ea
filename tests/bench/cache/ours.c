/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ours: the project's cache as a contender. Reads and writes as the verifier does: through the
 * typed functions of cache.h, which encode and decode. Must not reach below them.
 */
#include "config.h"

#include "contender.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"

#define DAY INT64_C(86400)

enum { PUTS_FOR_EACH = 4 }; /* of one number, at most: its address, and all that comes with it */

static struct cache *cache;

/* What is to be put: made anew from its number when its turn comes, as a callout would. */
static struct {
    uint64_t first, count;
    int64_t stamp_s;
    bool all;
} prepared;

static uint64_t put_since_flush; /* so many wait for the writer at most */

struct cache *contender_cache(void)
{
    return cache;
}

static bool open_ours(const char *folder, uint64_t max_bytes)
{
    char store[512], detail[512];
    (void)snprintf(store, sizeof store, "lmdb:%s", folder);
    const struct cache_settings settings = {
        .store = store,
        .max_bytes = max_bytes,
        .lifetimes = {.valid_ttl_s = 31 * DAY,
                      .valid_refresh_s = 7 * DAY,
                      .invalid_ttl_s = 3 * DAY,
                      .invalid_refresh_s = 10800,
                      .unknown_ttl_s = 1800,
                      .domain_ttl_s = 7 * DAY,
                      .correspondent_ttl_s = 90 * DAY},
        .clock = clock_system(),
    };
    if (cache_open(&settings, &cache, detail, sizeof detail) == RB_OK)
        return true;
    (void)fprintf(stderr, "%s\n", detail);
    return false;
}

static void close_ours(void)
{
    cache_close(cache);
    cache = NULL;
}

static bool new_reader(struct reader **reader)
{
    *reader = NULL;
    return true;
}

static void free_reader(struct reader *reader)
{
    (void)reader;
}

static bool get(struct reader *reader, const char *key)
{
    struct address_record record;
    (void)reader;
    return cache_get_address(cache, key, &record) == RB_OK;
}

static bool prepare(uint64_t first, uint64_t count, int64_t stamp_s, bool all)
{
    prepared.first = first;
    prepared.count = count;
    prepared.stamp_s = stamp_s;
    prepared.all = all;
    return true;
}

/* Whoever has more than the queue takes waits: a put that finds it full is dropped, and counted. */
static void leave_room(void)
{
    const uint64_t next = prepared.all ? PUTS_FOR_EACH : 1;
    if (put_since_flush + next > CACHE_QUEUE_MAX) {
        cache_flush(cache);
        put_since_flush = 0;
    }
    put_since_flush += next;
}

static bool put_facts(uint64_t number, int64_t stamp_s)
{
    char key[CACHE_KEY_MAX + 1];
    struct domain_record domain;
    struct onetime_record onetime;
    struct host_record host;
    return (!people_domain(number, stamp_s, key, &domain) ||
            cache_put_domain(cache, key, &domain) == RB_OK) &&
           (!people_onetime(number, stamp_s, key, &onetime) ||
            cache_put_onetime(cache, key, &onetime) == RB_OK) &&
           (!people_host(number, stamp_s, key, &host) ||
            cache_put_host(cache, key, &host) == RB_OK);
}

static bool put_prepared(void)
{
    char key[CACHE_KEY_MAX + 1];
    struct address_record record;
    bool good = true;
    for (uint64_t i = 0; i < prepared.count && good; i++) {
        people_key(prepared.first + i, key);
        people_record(prepared.first + i, prepared.stamp_s, &record);
        leave_room();
        good = cache_put_address(cache, key, &record) == RB_OK &&
               (!prepared.all || put_facts(prepared.first + i, prepared.stamp_s));
    }
    cache_flush(cache);
    put_since_flush = 0;
    return good;
}

static bool size(struct contender_size *size)
{
    struct cache_stats stats;
    if (cache_get_stats(cache, &stats) != RB_OK)
        return false;
    *size = (struct contender_size){
        .addresses = stats.addresses,
        .records = stats.addresses + stats.domains + stats.hosts + stats.onetimes,
        .bytes = stats.bytes,
    };
    return true;
}

const struct contender contender_ours = {
    .name = "ours",
    .open = open_ours,
    .close = close_ours,
    .new_reader = new_reader,
    .free_reader = free_reader,
    .get = get,
    .prepare = prepare,
    .put_prepared = put_prepared,
    .size = size,
};
