/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache: see the header. Typed records over a byte store (store.h): the codec, and the rules of
 * merging applied where writes meet. Queueing and committing is writer's, what may go is sweep's,
 * walking is walk's. Decides nothing about mail.
 *
 * Owns: the store, the writer, and what there is to tell the observer. Lock: news_lock, a leaf,
 * under which nobody is called. What is merged is merged under the writer's lock or the store's:
 * hence lifetimes are atomics.
 */
#include "config.h"

#include "cache/cache.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache/sweep.h"
#include "cache/walk.h"
#include "cache/writer.h"
#include "base/clock.h"
#include "cache/store.h"
#include "base/text.h"

enum {
    BATCH_OCTETS =
        256 * 1024, /* of the store's size for each write in a batch: small stores, small batches */
    BATCH_MIN = 4,
    LIFETIMES = sizeof(struct rb_lifetimes) / sizeof(int64_t), /* members, all of that type */
    LOSS_REPEAT_MS = 3600 * 1000, /* how often it is told that writes go on being lost, */
    LOSS_OVER_MS = 60 * 1000,     /* and after how long without a loss that they do not */
};

static const char LMDB_PREFIX[] = "lmdb:";

/* Something to tell. */
struct news {
    enum rb_event event;
    char text[512];
};

/* Whether writes are being lost. */
struct losses {
    bool going_on;
    uint64_t seen, begun; /* dropped writes: at the last look, and before the first of these */
    uint64_t written;     /* writes done, when the last was lost */
    int64_t last_ms, told_ms;
};

struct cache {
    const struct store_ops *ops;
    struct store *store;
    struct writer *writer; /* NULL: read only */
    const struct rb_clock *clock;
    char *name; /* of the store, without its kind */
    struct rb_observer observer;
    atomic_uint_fast64_t renewed; /* how often the store was opened anew */
    enum store_state state;       /* with the store held: at the last look, */
    int64_t state_told_ms;        /* and when one that is lost was told */
    struct losses losses;         /* with the store held */
    atomic_bool is_lost;          /* what `state` says, for those who do not hold it */
    _Atomic int64_t lost_ms;      /* until when writes count as being lost; 0: none was */
    pthread_mutex_t news_lock;
    struct news news[2]; /* news_lock: of the store, of the writes */
    bool has_news[2];    /* news_lock */
    uint64_t max_bytes;
    _Atomic int64_t lifetimes[LIFETIMES]; /* of struct rb_lifetimes, member by member */
    struct sweep_counts counts;
};

static struct sweep_rules rules_of_now(struct cache *cache)
{
    int64_t lifetimes[LIFETIMES] = {0};
    struct sweep_rules rules = {.now_s = clock_wall_s(cache->clock)};
    for (size_t i = 0; i < LIFETIMES; i++)
        lifetimes[i] = atomic_load_explicit(&cache->lifetimes[i], memory_order_relaxed);
    memcpy(&rules.lifetimes, lifetimes, sizeof lifetimes);
    return rules;
}

/* A stamp that a wrong clock has set ahead must not win over everything that comes after. */
static int64_t not_after(int64_t stamp_s, int64_t now_s)
{
    return stamp_s < now_s ? stamp_s : now_s;
}

/* store_merge_fn: what is there counts only when it can be read. */
static size_t merge_addresses(struct octets present, struct octets news, uint8_t *out, void *arg)
{
    struct cache *cache = arg;
    struct address_record into, record;
    const struct sweep_rules rules = rules_of_now(cache);
    if (!address_record_decode(news.data, news.len, &record))
        return 0;
    record.stamp_s = not_after(record.stamp_s, rules.now_s);
    if (!address_record_decode(present.data, present.len, &into)) {
        into = record;
    } else {
        into.stamp_s = not_after(into.stamp_s, rules.now_s);
        address_record_merge(&into, &record, &rules.lifetimes);
    }
    return address_record_encode(&into, out, RECORD_SIZE_MAX);
}

static void cap_facts(struct domain_record *record, int64_t now_s)
{
    record->catch_all.stamp_s = not_after(record->catch_all.stamp_s, now_s);
    record->null_sender_refused.stamp_s = not_after(record->null_sender_refused.stamp_s, now_s);
    record->dead.stamp_s = not_after(record->dead.stamp_s, now_s);
}

static size_t merge_domains(struct octets present, struct octets news, uint8_t *out, void *arg)
{
    struct cache *cache = arg;
    struct domain_record into, record;
    const int64_t now_s = clock_wall_s(cache->clock);
    if (!domain_record_decode(news.data, news.len, &record))
        return 0;
    (void)domain_record_decode(present.data, present.len, &into); /* zeroed when it is none */
    cap_facts(&into, now_s);
    cap_facts(&record, now_s);
    domain_record_merge(&into, &record);
    return domain_record_encode(&into, out, RECORD_SIZE_MAX);
}

static void cap_onetime(struct onetime_record *record, int64_t now_s)
{
    record->valid_s = not_after(record->valid_s, now_s);
    record->invalid_s = not_after(record->invalid_s, now_s);
}

static size_t merge_onetime(struct octets present, struct octets news, uint8_t *out, void *arg)
{
    struct cache *cache = arg;
    struct onetime_record into, record;
    const int64_t now_s = clock_wall_s(cache->clock);
    if (!onetime_record_decode(news.data, news.len, &record))
        return 0;
    (void)onetime_record_decode(present.data, present.len, &into); /* zeroed when it is none */
    cap_onetime(&into, now_s);
    cap_onetime(&record, now_s);
    onetime_record_merge(&into, &record);
    return onetime_record_encode(&into, out, RECORD_SIZE_MAX);
}

const enum cache_table cache_tables[] = {CACHE_ADDRESS, CACHE_DOMAIN, CACHE_HOST,
                                         CACHE_ONETIME, CACHE_RETRY,  CACHE_VERB};
const size_t cache_table_count = sizeof cache_tables / sizeof cache_tables[0];

/* By enum cache_table; NULL: the newer replaces. */
static store_merge_fn *const MERGES[CACHE_TABLE_LAST + 1] = {
    [CACHE_ADDRESS] = merge_addresses,
    [CACHE_DOMAIN] = merge_domains,
    [CACHE_ONETIME] = merge_onetime,
};

/* Writer's hooks: called with the store held. */
static bool make_room(void *arg, size_t writes)
{
    struct cache *cache = arg;
    const struct sweep_rules rules = rules_of_now(cache);
    return sweep_make_room(cache->ops, cache->store, &rules, writes, &cache->counts);
}

/* --- Looking after the store ------------------------------------------------ */

enum { OF_STORE, OF_WRITES };

static void note_news(struct cache *cache, int about, enum rb_event event, const char *text)
{
    struct news *news = &cache->news[about];
    pthread_mutex_lock(&cache->news_lock);
    news->event = event;
    (void)text_printable(news->text, sizeof news->text, text, strlen(text));
    cache->has_news[about] = true;
    pthread_mutex_unlock(&cache->news_lock);
}

/* Store held. One that is lost is looked for again each time, and told now and then. */
static void look_at_store(struct cache *cache, int64_t now_ms)
{
    char text[512];
    const bool was_lost = cache->state == STORE_LOST;
    cache->state = cache->ops->check(cache->store, text, sizeof text);
    atomic_store(&cache->is_lost, cache->state == STORE_LOST);
    if (cache->state == STORE_RENEWED) {
        atomic_fetch_add(&cache->renewed, 1);
        note_news(cache, OF_STORE, RB_EVENT_STORE_RENEWED, text);
    }
    if (cache->state == STORE_LOST &&
        (!was_lost || now_ms - cache->state_told_ms >= LOSS_REPEAT_MS)) {
        cache->state_told_ms = now_ms;
        note_news(cache, OF_STORE, RB_EVENT_STORE_LOST, text);
    }
}

static void tell_loss(struct cache *cache, enum rb_event event, uint64_t lost)
{
    const char *why = cache->ops->trouble(cache->store);
    char text[512];
    if (event == RB_EVENT_WRITES_LOST)
        (void)snprintf(text, sizeof text, "%s: what is learned is not kept, %llu writes so far: %s",
                       cache->name, (unsigned long long)lost,
                       why[0] != '\0' ? why : "more than the disk takes");
    else
        (void)snprintf(text, sizeof text,
                       "%s: what is learned is kept again; %llu writes were lost", cache->name,
                       (unsigned long long)lost);
    note_news(cache, OF_WRITES, event, text);
}

/* Store held. */
static void look_at_writes(struct cache *cache, int64_t now_ms)
{
    struct losses *losses = &cache->losses;
    struct writer_counts counts;
    writer_count(cache->writer, &counts);
    if (counts.dropped != losses->seen) {
        if (!losses->going_on)
            losses->begun = losses->seen;
        if (!losses->going_on || now_ms - losses->told_ms >= LOSS_REPEAT_MS) {
            losses->told_ms = now_ms;
            tell_loss(cache, RB_EVENT_WRITES_LOST, counts.dropped - losses->begun);
        }
        losses->going_on = true;
        losses->seen = counts.dropped;
        losses->written = counts.writes;
        losses->last_ms = now_ms;
        atomic_store(&cache->lost_ms, now_ms + LOSS_OVER_MS);
    } else if (losses->going_on && counts.writes != losses->written &&
               now_ms - losses->last_ms >= LOSS_OVER_MS) {
        losses->going_on = false;
        tell_loss(cache, RB_EVENT_WRITES_TAKEN, counts.dropped - losses->begun);
    }
}

static void look_after(struct cache *cache)
{
    const int64_t now_ms = clock_monotonic_ms(cache->clock);
    look_at_store(cache, now_ms);
    look_at_writes(cache, now_ms);
}

static void maintain(void *arg)
{
    struct cache *cache = arg;
    const struct sweep_rules rules = rules_of_now(cache);
    look_after(cache);
    sweep_maintain(cache->ops, cache->store, &rules, &cache->counts);
}

/* Nothing held. */
static void tell_news(void *arg)
{
    struct cache *cache = arg;
    for (size_t i = 0; i < sizeof cache->news / sizeof cache->news[0]; i++) {
        pthread_mutex_lock(&cache->news_lock);
        const struct news news = cache->news[i];
        const bool has_news = cache->has_news[i];
        cache->has_news[i] = false;
        pthread_mutex_unlock(&cache->news_lock);
        if (has_news && cache->observer.event != NULL)
            cache->observer.event(cache->observer.arg, news.event, news.text);
    }
}

void cache_check(struct cache *cache)
{
    if (cache->writer == NULL)
        return;
    writer_hold(cache->writer);
    look_after(cache);
    writer_release(cache->writer);
    tell_news(cache);
}

void cache_get_state(struct cache *cache, struct cache_state *state)
{
    state->is_lost = atomic_load(&cache->is_lost);
    state->loses_writes = clock_monotonic_ms(cache->clock) < atomic_load(&cache->lost_ms);
}

bool cache_has_kept_all(struct cache *cache)
{
    struct writer_counts counts;
    bool is_lost;

    if (cache->writer == NULL)
        return true;
    cache_flush(cache);
    cache_check(cache);
    writer_hold(cache->writer);
    is_lost = cache->state == STORE_LOST;
    writer_release(cache->writer);
    writer_count(cache->writer, &counts);
    return counts.dropped == 0 && !is_lost && atomic_load(&cache->renewed) == 0;
}

static enum rb_error start_writer(struct cache *cache)
{
    struct writer_hooks hooks = {
        .make_room = make_room, .maintain = maintain, .maintained = tell_news, .arg = cache};
    for (int table = 0; table <= CACHE_TABLE_LAST; table++)
        hooks.merge[table] = MERGES[table];
    const uint64_t affordable = cache->max_bytes / BATCH_OCTETS;
    size_t batch = affordable < WRITER_BATCH_MAX ? (size_t)affordable : (size_t)WRITER_BATCH_MAX;
    if (batch < BATCH_MIN)
        batch = BATCH_MIN;
    return writer_open(cache->ops, cache->store, batch, &hooks, &cache->writer);
}

/* Each kind of store has its prefix here. */
static enum rb_error open_store(struct cache *cache, const struct cache_settings *settings,
                                char *detail, size_t detail_size)
{
    const size_t prefix_len = sizeof LMDB_PREFIX - 1;
    const char *name = settings->store != NULL ? settings->store : "";
    if (strncmp(name, LMDB_PREFIX, prefix_len) != 0 || name[prefix_len] == '\0') {
        if (detail != NULL)
            (void)snprintf(detail, detail_size, "%s: not a store of a kind known here (lmdb:/path)",
                           name);
        return RB_ERR_ARGUMENT;
    }
    cache->name = strdup(name + prefix_len);
    if (cache->name == NULL)
        return RB_ERR_NOMEM;
    return cache_lmdb_open(name + prefix_len, settings->max_bytes, settings->owner_fix,
                           settings->read_only, &cache->ops, &cache->store, detail, detail_size);
}

enum rb_error cache_open(const struct cache_settings *settings, struct cache **cache, char *detail,
                         size_t detail_size)
{
    struct cache *new_cache = calloc(1, sizeof *new_cache);
    if (new_cache == NULL)
        return RB_ERR_NOMEM;
    new_cache->clock = settings->clock;
    new_cache->max_bytes = settings->max_bytes;
    cache_set_lifetimes(new_cache, &settings->lifetimes);
    new_cache->observer = settings->observer;
    pthread_mutex_init(&new_cache->news_lock, NULL);

    enum rb_error error = open_store(new_cache, settings, detail, detail_size);
    if (error == RB_OK && !settings->read_only)
        error = start_writer(new_cache);
    if (error != RB_OK) {
        const int saved_errno = errno;
        cache_close(new_cache);
        errno = saved_errno;
        return error;
    }
    *cache = new_cache;
    return RB_OK;
}

void cache_close(struct cache *cache)
{
    if (cache == NULL)
        return;
    writer_close(cache->writer);
    if (cache->store != NULL)
        cache->ops->close(cache->store);
    pthread_mutex_destroy(&cache->news_lock);
    free(cache->name);
    free(cache);
}

void cache_set_lifetimes(struct cache *cache, const struct rb_lifetimes *lifetimes)
{
    int64_t members[LIFETIMES];
    memcpy(members, lifetimes, sizeof members);
    for (size_t i = 0; i < LIFETIMES; i++)
        atomic_store_explicit(&cache->lifetimes[i], members[i], memory_order_relaxed);
}

void cache_flush(struct cache *cache)
{
    if (cache->writer != NULL)
        writer_flush(cache->writer);
}

static enum rb_error check_key(const char *key, struct octets *octets)
{
    *octets = (struct octets){.data = key, .len = strlen(key)};
    if (octets->len == 0)
        return RB_ERR_ARGUMENT;
    return octets->len <= CACHE_KEY_MAX ? RB_OK : RB_ERR_TOO_LONG;
}

/* By enum cache_table: *record is of the type that goes with it. False: none of ours. */
static bool decode(enum cache_table table, struct octets value, void *record)
{
    switch (table) {
    case CACHE_ADDRESS:
        return address_record_decode(value.data, value.len, record);
    case CACHE_DOMAIN:
        return domain_record_decode(value.data, value.len, record);
    case CACHE_HOST:
        return host_record_decode(value.data, value.len, record);
    case CACHE_ONETIME:
        return onetime_record_decode(value.data, value.len, record);
    case CACHE_VERB:
        return verb_record_decode(value.data, value.len, record);
    default:
        return retry_record_decode(value.data, value.len, record);
    }
}

/* A look-up that nothing waits for: decoded where the store has it. */
struct straight {
    enum cache_table table;
    bool readable;
    void *record;
};

/* store_take_fn. */
static void take_record(struct octets value, void *arg)
{
    struct straight *straight = arg;
    straight->readable = decode(straight->table, value, straight->record);
}

/* What the store has, copied out. */
struct copied {
    size_t len;
    uint8_t octets[RECORD_SIZE_MAX];
};

/* store_take_fn. Too long a value is no record of ours. */
static void take_octets(struct octets value, void *arg)
{
    struct copied *copied = arg;
    copied->len = value.len <= sizeof copied->octets ? value.len : 0;
    memcpy(copied->octets, value.data, copied->len);
}

/* What waits for the writer, what the store has, and what both come to: too much for a stack. */
struct queued {
    struct octets news;
    uint8_t octets[RECORD_SIZE_MAX];
    uint8_t merged[RECORD_SIZE_MAX];
    struct copied stored;
};

/* With news that wait for the writer: what the store will have once they are written. */
static bool decode_merged(struct cache *cache, enum cache_table table, struct octets key,
                          struct queued *queued, void *record)
{
    struct copied *stored = &queued->stored;
    const bool found = cache->ops->get(cache->store, table, key, take_octets, stored) == RB_OK;
    const struct octets present = {.data = stored->octets, .len = stored->len};
    if (!found || MERGES[table] == NULL)
        return decode(table, queued->news, record);
    const size_t len = MERGES[table](present, queued->news, queued->merged, cache);
    return decode(table, len > 0 ? (struct octets){.data = queued->merged, .len = len} : present,
                  record);
}

static enum rb_error miss_damaged(struct cache *cache)
{
    atomic_fetch_add(&cache->counts.damaged, 1);
    return RB_ERR_NOT_FOUND;
}

/* What waits for the writer, with what the store has. False: nothing does. */
static bool look_up_queued(struct cache *cache, enum cache_table table, struct octets key,
                           void *record, enum rb_error *error)
{
    struct queued *queued = malloc(sizeof *queued);
    if (queued == NULL) {
        *error = RB_ERR_NOMEM;
        return true;
    }
    queued->news.data = queued->octets;
    const bool waits = writer_peek(cache->writer, table, key, queued->octets, &queued->news.len);
    if (waits && queued->news.len == 0)
        *error = RB_ERR_NOT_FOUND;
    else if (waits)
        *error = decode_merged(cache, table, key, queued, record) ? RB_OK : miss_damaged(cache);
    free(queued);
    return waits;
}

/* What waits for the writer is looked at before the store: whatever leaves the queue is in the
 * store by then. */
static enum rb_error look_up(struct cache *cache, enum cache_table table, const char *name,
                             void *record)
{
    struct octets key;
    enum rb_error error = check_key(name, &key);
    if (error != RB_OK)
        return error;
    if (cache->writer != NULL && writer_has_queued(cache->writer) &&
        look_up_queued(cache, table, key, record, &error))
        return error;
    struct straight straight = {.table = table, .record = record};
    error = cache->ops->get(cache->store, table, key, take_record, &straight);
    return error == RB_OK && !straight.readable ? miss_damaged(cache) : error;
}

enum rb_error cache_get_address(struct cache *cache, const char *key, struct address_record *record)
{
    return look_up(cache, CACHE_ADDRESS, key, record);
}

enum rb_error cache_get_domain(struct cache *cache, const char *domain,
                               struct domain_record *record)
{
    return look_up(cache, CACHE_DOMAIN, domain, record);
}

enum rb_error cache_get_host(struct cache *cache, const char *ip, struct host_record *record)
{
    return look_up(cache, CACHE_HOST, ip, record);
}

enum rb_error cache_get_onetime(struct cache *cache, const char *key, struct onetime_record *record)
{
    return look_up(cache, CACHE_ONETIME, key, record);
}

enum rb_error cache_get_retry(struct cache *cache, const char *key, struct retry_record *record)
{
    return look_up(cache, CACHE_RETRY, key, record);
}

enum rb_error cache_get_verb(struct cache *cache, const char *key, struct verb_record *record)
{
    return look_up(cache, CACHE_VERB, key, record);
}

/* len 0: the codec has refused the record. */
static enum rb_error put(struct cache *cache, enum cache_table table, const char *key,
                         const uint8_t *value, size_t len)
{
    struct octets octets;
    if (cache->writer == NULL)
        return RB_ERR_STORE;
    if (len == 0)
        return RB_ERR_ARGUMENT;
    const enum rb_error error = check_key(key, &octets);
    if (error != RB_OK)
        return error;
    return writer_put(cache->writer, table, octets, (struct octets){.data = value, .len = len});
}

enum rb_error cache_put_address(struct cache *cache, const char *key,
                                const struct address_record *record)
{
    uint8_t value[RECORD_SIZE_MAX];
    if (!address_record_is_kept(record->reason) &&
        !(record->reason == RB_REASON_CORRESPONDENT && cache_is_correspondent_key(key)))
        return RB_ERR_ARGUMENT;
    return put(cache, CACHE_ADDRESS, key, value,
               address_record_encode(record, value, sizeof value));
}

enum rb_error cache_put_domain(struct cache *cache, const char *domain,
                               const struct domain_record *record)
{
    uint8_t value[RECORD_SIZE_MAX];
    return put(cache, CACHE_DOMAIN, domain, value,
               domain_record_encode(record, value, sizeof value));
}

enum rb_error cache_put_host(struct cache *cache, const char *ip, const struct host_record *record)
{
    uint8_t value[RECORD_SIZE_MAX];
    return put(cache, CACHE_HOST, ip, value, host_record_encode(record, value, sizeof value));
}

enum rb_error cache_put_onetime(struct cache *cache, const char *key,
                                const struct onetime_record *record)
{
    uint8_t value[ONETIME_RECORD_SIZE_MAX];
    struct onetime_record capped = *record; /* the first one is merged with nothing */
    cap_onetime(&capped, clock_wall_s(cache->clock));
    return put(cache, CACHE_ONETIME, key, value,
               onetime_record_encode(&capped, value, sizeof value));
}

enum rb_error cache_put_retry(struct cache *cache, const char *key,
                              const struct retry_record *record)
{
    uint8_t value[RETRY_RECORD_SIZE_MAX];
    return put(cache, CACHE_RETRY, key, value, retry_record_encode(record, value, sizeof value));
}

enum rb_error cache_put_verb(struct cache *cache, const char *key, const struct verb_record *record)
{
    uint8_t value[VERB_RECORD_SIZE_MAX];
    return put(cache, CACHE_VERB, key, value, verb_record_encode(record, value, sizeof value));
}

enum rb_error cache_drop_retry(struct cache *cache, const char *key)
{
    struct octets octets;
    if (cache->writer == NULL)
        return RB_ERR_STORE;
    const enum rb_error error = check_key(key, &octets);
    return error == RB_OK ? writer_put(cache->writer, CACHE_RETRY, octets, (struct octets){0})
                          : error;
}

/* A claim within its transaction. */
struct claiming {
    struct retry_claim *claim;
    uint64_t owner;
    int64_t now_s;
};

/* store_merge_fn; what is claimed comes with the arg, and not as news. */
static size_t merge_claim(struct octets present, struct octets news, uint8_t *out, void *arg)
{
    const struct claiming *claiming = arg;
    struct retry_claim *claim = claiming->claim;
    struct retry_record *record = &claim->record;
    (void)news;
    claim->found = retry_record_decode(present.data, present.len, record);
    claim->taken = claim->found && retry_record_is_due(record, claiming->owner, claiming->now_s);
    if (!claim->taken)
        return 0;
    record->owner = claiming->owner;
    record->due_s = claim->until_s;
    return retry_record_encode(record, out, RECORD_SIZE_MAX);
}

/* Store held. What has changed since it was found due, and waits for the writer, is not claimed. */
static bool is_changing(struct cache *cache, struct octets key, struct retry_claim *claim)
{
    uint8_t queued[RECORD_SIZE_MAX];
    size_t len;
    if (!writer_peek(cache->writer, CACHE_RETRY, key, queued, &len))
        return false;
    claim->found = retry_record_decode(queued, len, &claim->record);
    return true;
}

enum rb_error cache_claim_retries(struct cache *cache, struct retry_claim *claims, size_t count,
                                  uint64_t owner, int64_t now_s)
{
    struct claiming claiming[CACHE_CLAIMS_MAX];
    struct store_write writes[CACHE_CLAIMS_MAX];
    size_t wanted = 0;
    enum rb_error error = RB_OK;
    if (cache->writer == NULL)
        return RB_ERR_STORE;
    if (count > CACHE_CLAIMS_MAX)
        return RB_ERR_ARGUMENT;
    writer_hold(cache->writer);
    for (size_t i = 0; i < count; i++) {
        const struct octets key = {.data = claims[i].key, .len = strlen(claims[i].key)};
        claims[i].found = claims[i].taken = false;
        if (is_changing(cache, key, &claims[i]))
            continue;
        claiming[wanted] = (struct claiming){&claims[i], owner, now_s};
        writes[wanted] = (struct store_write){.table = CACHE_RETRY,
                                              .key = key,
                                              .value = key, /* not empty: no removal */
                                              .merge = merge_claim,
                                              .merge_arg = &claiming[wanted]};
        wanted++;
    }
    if (wanted > 0)
        error = writer_commit(cache->writer, writes, wanted);
    writer_release(cache->writer);
    for (size_t i = 0; i < count && error != RB_OK; i++)
        claims[i].taken = false;
    return error;
}

uint64_t cache_losses(struct cache *cache)
{
    struct writer_counts counts = {0};
    if (cache->writer != NULL)
        writer_count(cache->writer, &counts);
    return counts.dropped + atomic_load(&cache->counts.evicted) + atomic_load(&cache->renewed);
}

static bool is_table(enum cache_table table)
{
    return table >= CACHE_ADDRESS && table <= CACHE_TABLE_LAST;
}

/* Store held. */
static enum rb_error delete_stored(struct cache *cache, enum cache_table table, struct octets key)
{
    bool full;
    struct copied stored;
    const struct store_write write = {.table = table, .key = key};
    const enum rb_error error = cache->ops->get(cache->store, table, key, take_octets, &stored);
    if (error != RB_OK)
        return error;
    return cache->ops->write(cache->store, &write, 1, &full);
}

enum rb_error cache_delete(struct cache *cache, enum cache_table table, const char *key)
{
    struct octets octets;
    if (cache->writer == NULL)
        return RB_ERR_STORE;
    if (!is_table(table))
        return RB_ERR_ARGUMENT;
    enum rb_error error = check_key(key, &octets);
    if (error != RB_OK)
        return error;

    /* Held: what was queued is either committed by now, or taken back before it can be. */
    writer_hold(cache->writer);
    const bool was_queued = writer_forget(cache->writer, table, octets);
    error = delete_stored(cache, table, octets);
    writer_release(cache->writer);
    return error == RB_ERR_NOT_FOUND && was_queued ? RB_OK : error;
}

enum rb_error cache_purge(struct cache *cache, bool expired_only, uint64_t *removed)
{
    *removed = 0;
    if (cache->writer == NULL)
        return RB_ERR_STORE;
    const struct sweep_rules rules = rules_of_now(cache);
    writer_flush(cache->writer); /* so that what is queued is counted too */
    writer_hold(cache->writer);
    if (!expired_only)
        writer_forget_all(cache->writer);
    const enum rb_error error =
        sweep_purge(cache->ops, cache->store, &rules, expired_only, removed, &cache->counts);
    writer_release(cache->writer);
    return error;
}

static enum rb_error walk(struct cache *cache, const struct walk_order *order)
{
    uint64_t damaged = 0;
    if (!is_table(order->table))
        return RB_ERR_ARGUMENT;
    const enum rb_error error = walk_records(cache->ops, cache->store, order, &damaged);
    atomic_fetch_add(&cache->counts.damaged, damaged);
    return error;
}

enum rb_error cache_walk(struct cache *cache, enum cache_table table,
                         bool (*visit)(const struct cache_entry *entry, void *arg), void *arg)
{
    const struct walk_order order = {.table = table, .what = WALK_ALL, .visit = visit, .arg = arg};
    return walk(cache, &order);
}

enum rb_error cache_walk_address(struct cache *cache, enum cache_table table, const char *address,
                                 bool (*visit)(const struct cache_entry *entry, void *arg),
                                 void *arg)
{
    const struct walk_order order = {
        .table = table, .what = WALK_ADDRESS, .key = address, .visit = visit, .arg = arg};
    return walk(cache, &order);
}

enum rb_error cache_walk_domain(struct cache *cache, const char *domain,
                                bool (*visit)(const struct cache_entry *entry, void *arg),
                                void *arg)
{
    const struct walk_order order = {.table = CACHE_DOMAIN,
                                     .what = WALK_KEY,
                                     .key = domain,
                                     .separator = ' ',
                                     .visit = visit,
                                     .arg = arg};
    return walk(cache, &order);
}

enum rb_error cache_walk_host(struct cache *cache, const char *key,
                              bool (*visit)(const struct cache_entry *entry, void *arg), void *arg)
{
    const struct walk_order order = {.table = CACHE_HOST,
                                     .what = WALK_KEY,
                                     .key = key,
                                     .separator = '#',
                                     .visit = visit,
                                     .arg = arg};
    return walk(cache, &order);
}

enum rb_error cache_get_stats(struct cache *cache, struct cache_stats *stats)
{
    struct store_stats store = {0};
    struct writer_counts writer = {0};
    const enum rb_error error = cache->ops->stats(cache->store, &store);
    if (cache->writer != NULL)
        writer_count(cache->writer, &writer);
    *stats = (struct cache_stats){
        .addresses = store.records[CACHE_ADDRESS],
        .domains = store.records[CACHE_DOMAIN],
        .hosts = store.records[CACHE_HOST],
        .onetimes = store.records[CACHE_ONETIME],
        .retries = store.records[CACHE_RETRY],
        .verbs = store.records[CACHE_VERB],
        .bytes = store.bytes,
        .max_bytes = store.max_bytes,
        .writes = writer.writes,
        .dropped = writer.dropped,
        .damaged = atomic_load(&cache->counts.damaged),
        .evicted = atomic_load(&cache->counts.evicted),
        .swept = atomic_load(&cache->counts.swept),
    };
    return error;
}
