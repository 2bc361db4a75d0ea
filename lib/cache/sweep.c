/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sweep: see the header. Nothing here keeps state between calls: the store remembers where
 * its last sweep of a table ended, and the stamps in the records say how old they are.
 */
#include "config.h"

#include "cache/sweep.h"

#include <stdlib.h>

#include "cache/record.h"

enum {
    TABLE_FIRST = CACHE_ADDRESS,
    TABLE_LAST = CACHE_TABLE_LAST,
};

/* Every n-th stamp, n doubling whenever there are too many: a fair sample of any number of records,
 * without chance. */
struct sample {
    int64_t stamps[SWEEP_SAMPLES_MAX];
    size_t count;
    uint64_t stride, seen;
};

/* What the store's callbacks are given. */
struct sweep {
    const struct store_ops *ops;
    struct store *store;
    const struct sweep_rules *rules;
    struct sweep_counts *counts;
    struct sample *sample; /* stamps of what stays; NULL: not wanted */
    int64_t cutoff_s;      /* eviction: not newer than this, */
    uint64_t budget;       /* and no more than so many */
};

struct record_age {
    bool readable, expired;
    int64_t stamp_s;
};

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static struct record_age judge_address(const struct sweep *sweep, struct octets value)
{
    struct address_record record;
    const struct sweep_rules *rules = sweep->rules;
    if (!address_record_decode(value.data, value.len, &record))
        return (struct record_age){.readable = false};
    const bool expired =
        address_record_freshness(&record, &rules->lifetimes, rules->now_s, NULL) == RECORD_EXPIRED;
    return (struct record_age){.readable = true, .expired = expired, .stamp_s = record.stamp_s};
}

static struct record_age judge_domain(const struct sweep *sweep, struct octets value)
{
    struct domain_record record;
    const int64_t ttl_s = sweep->rules->lifetimes.domain_ttl_s;
    const int64_t now_s = sweep->rules->now_s;
    if (!domain_record_decode(value.data, value.len, &record))
        return (struct record_age){.readable = false};
    return (struct record_age){
        .readable = true,
        .expired = !fact_is_live(&record.catch_all, ttl_s, now_s) &&
                   !fact_is_live(&record.null_sender_refused, ttl_s, now_s) &&
                   !fact_is_live(&record.dead, ttl_s, now_s),
        .stamp_s = later(record.dead.stamp_s,
                         later(record.catch_all.stamp_s, record.null_sender_refused.stamp_s)),
    };
}

/* How often a host has failed is worth as long as what is known of a domain. */
static struct record_age judge_host(const struct sweep *sweep, struct octets value)
{
    struct host_record record;
    if (!host_record_decode(value.data, value.len, &record))
        return (struct record_age){.readable = false};
    const int64_t last_s = later(record.stamp_s, record.held_until_s);
    return (struct record_age){
        .readable = true,
        .expired = last_s <= sweep->rules->now_s - sweep->rules->lifetimes.domain_ttl_s,
        .stamp_s = record.stamp_s,
    };
}

/*
 * A list that was believed is worth remembering as long as its last valid sender, one that was not
 * as long as what is known of a domain.
 */
static struct record_age judge_onetime(const struct sweep *sweep, struct octets value)
{
    struct onetime_record record;
    const struct rb_lifetimes *lifetimes = &sweep->rules->lifetimes;
    const int64_t now_s = sweep->rules->now_s;
    if (!onetime_record_decode(value.data, value.len, &record))
        return (struct record_age){.readable = false};
    return (struct record_age){
        .readable = true,
        .expired = record.valid_s <= now_s - lifetimes->valid_refresh_s &&
                   record.invalid_s <= now_s - lifetimes->domain_ttl_s,
        .stamp_s = later(record.valid_s, record.invalid_s),
    };
}

static struct record_age judge_retry(const struct sweep *sweep, struct octets value)
{
    struct retry_record record;
    if (!retry_record_decode(value.data, value.len, &record))
        return (struct record_age){.readable = false};
    return (struct record_age){
        .readable = true,
        .expired = record.due_s <= sweep->rules->now_s - SWEEP_RETRY_KEEP_S,
        .stamp_s = record.first_s,
    };
}

static struct record_age judge_verb(const struct sweep *sweep, struct octets value)
{
    struct verb_record record;
    if (!verb_record_decode(value.data, value.len, &record))
        return (struct record_age){.readable = false};
    return (struct record_age){
        .readable = true,
        .expired = verb_record_is_expired(&record, sweep->rules->now_s),
        .stamp_s = verb_record_stamp_s(&record),
    };
}

/* A record that no program can read, or that would live for ever by a wrong stamp, is of no use to
 * anybody. */
static struct record_age judge(const struct sweep *sweep, enum cache_table table,
                               struct octets value)
{
    struct record_age age = table == CACHE_ADDRESS   ? judge_address(sweep, value)
                            : table == CACHE_DOMAIN  ? judge_domain(sweep, value)
                            : table == CACHE_HOST    ? judge_host(sweep, value)
                            : table == CACHE_ONETIME ? judge_onetime(sweep, value)
                            : table == CACHE_VERB    ? judge_verb(sweep, value)
                                                     : judge_retry(sweep, value);
    if (!age.readable)
        atomic_fetch_add(&sweep->counts->damaged, 1);
    if (!age.readable || age.stamp_s > sweep->rules->now_s + SWEEP_FUTURE_MAX_S)
        age.expired = true;
    return age;
}

static void add_sample(struct sample *sample, int64_t stamp_s)
{
    if (sample->seen++ % sample->stride != 0)
        return;
    if (sample->count == SWEEP_SAMPLES_MAX) {
        for (size_t i = 0; i < SWEEP_SAMPLES_MAX / 2; i++)
            sample->stamps[i] = sample->stamps[2 * i];
        sample->count = SWEEP_SAMPLES_MAX / 2;
        sample->stride *= 2;
    }
    sample->stamps[sample->count++] = stamp_s;
}

static bool is_expired(enum cache_table table, struct octets key, struct octets value, void *arg)
{
    const struct sweep *sweep = arg;
    (void)key;
    const struct record_age age = judge(sweep, table, value);
    if (!age.expired && sweep->sample != NULL)
        add_sample(sweep->sample, age.stamp_s);
    return age.expired;
}

static bool is_among_oldest(enum cache_table table, struct octets key, struct octets value,
                            void *arg)
{
    struct sweep *sweep = arg;
    (void)key;
    /* Of records that all came at once only so many go, not all. */
    if (sweep->budget == 0 || judge(sweep, table, value).stamp_s > sweep->cutoff_s)
        return false;
    sweep->budget--;
    return true;
}

static bool is_any(enum cache_table table, struct octets key, struct octets value, void *arg)
{
    (void)table;
    (void)key;
    (void)value;
    (void)arg;
    return true;
}

/* From where the last sweep ended to the table's end. Adds to *removed. */
static enum rb_error sweep_to_end(struct sweep *sweep, enum cache_table table,
                                  store_expired_fn *expired, uint64_t *removed)
{
    bool wrapped = false;
    while (!wrapped) { /* ends: each slice moves on in key order */
        uint64_t swept = 0;
        const enum rb_error error = sweep->ops->sweep(sweep->store, table, CACHE_SWEEP_SLICE,
                                                      expired, sweep, &swept, &wrapped);
        if (error != RB_OK)
            return error;
        *removed += swept;
    }
    return RB_OK;
}

static enum rb_error sweep_tables(struct sweep *sweep, store_expired_fn *expired, uint64_t *removed)
{
    enum rb_error error = RB_OK;
    for (int table = TABLE_FIRST; table <= TABLE_LAST && error == RB_OK; table++)
        error = sweep_to_end(sweep, (enum cache_table)table, expired, removed);
    return error;
}

/* Every record once at least: what routine sweeps have passed already comes in the second round. */
static enum rb_error sweep_whole(struct sweep *sweep, store_expired_fn *expired, uint64_t *removed)
{
    const enum rb_error error = sweep_tables(sweep, expired, removed);
    if (error != RB_OK)
        return error;
    if (sweep->sample != NULL) /* begin again, so that none is counted twice */
        *sweep->sample = (struct sample){.stride = 1};
    return sweep_tables(sweep, expired, removed);
}

void sweep_maintain(const struct store_ops *ops, struct store *store,
                    const struct sweep_rules *rules, struct sweep_counts *counts)
{
    struct sweep sweep = {.ops = ops, .store = store, .rules = rules, .counts = counts};
    for (int table = TABLE_FIRST; table <= TABLE_LAST; table++) {
        uint64_t swept = 0;
        bool wrapped;
        if (ops->sweep(store, (enum cache_table)table, CACHE_SWEEP_SLICE, is_expired, &sweep,
                       &swept, &wrapped) == RB_OK)
            atomic_fetch_add(&counts->swept, swept);
    }
    ops->maintain(store);
}

enum rb_error sweep_purge(const struct store_ops *ops, struct store *store,
                          const struct sweep_rules *rules, bool expired_only, uint64_t *removed,
                          struct sweep_counts *counts)
{
    struct sweep sweep = {.ops = ops, .store = store, .rules = rules, .counts = counts};
    *removed = 0;
    if (expired_only) {
        const enum rb_error error = sweep_whole(&sweep, is_expired, removed);
        atomic_fetch_add(&counts->swept, *removed);
        return error;
    }
    if (ops->clear(store, removed) == RB_OK)
        return RB_OK;
    return sweep_whole(&sweep, is_any,
                       removed); /* a full store has no room for one big transaction */
}

static int compare_stamps(const void *a, const void *b)
{
    const int64_t left = *(const int64_t *)a;
    const int64_t right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

/* The oldest `wanted` of `records`, as far as the sample can tell. */
static uint64_t evict(struct sweep *sweep, struct sample *sample, uint64_t wanted, uint64_t records)
{
    uint64_t evicted = 0;
    if (sample->count == 0 || records == 0)
        return 0;
    qsort(sample->stamps, sample->count, sizeof sample->stamps[0], compare_stamps);
    const uint64_t rank = wanted * sample->count / records;
    sweep->cutoff_s = sample->stamps[rank < sample->count ? rank : sample->count - 1];
    sweep->sample = NULL;
    sweep->budget = wanted;
    (void)sweep_tables(sweep, is_among_oldest, &evicted);
    return evicted;
}

bool sweep_make_room(const struct store_ops *ops, struct store *store,
                     const struct sweep_rules *rules, size_t writes, struct sweep_counts *counts)
{
    uint64_t swept = 0;
    uint64_t evicted = 0;
    struct store_stats stats;
    struct sample *sample = calloc(1, sizeof *sample);
    if (sample == NULL)
        return false;
    sample->stride = 1;
    struct sweep sweep = {
        .ops = ops, .store = store, .rules = rules, .counts = counts, .sample = sample};

    if (sweep_whole(&sweep, is_expired, &swept) == RB_OK && ops->stats(store, &stats) == RB_OK) {
        uint64_t records = 0;
        for (int table = TABLE_FIRST; table <= TABLE_LAST; table++)
            records += stats.records[table];
        const uint64_t part = records / SWEEP_EVICT_PART;
        const uint64_t wanted = part > 2 * writes ? part : 2 * writes;
        if (swept < wanted)
            evicted = evict(&sweep, sample, wanted - swept, records);
    }
    atomic_fetch_add(&counts->swept, swept);
    atomic_fetch_add(&counts->evicted, evicted);
    free(sample);
    return swept + evicted > 0;
}
