/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cached: what a verifier's cache holds, shown and forgotten for the caller of rb_cache_... Owns
 * nothing. No lock held.
 */
#include "config.h"

#include "verifier/verifier.h"

#include "base/sized.h"
#include "base/text.h"
#include "mail/address.h"
#include "mail/onetime.h"

#include <string.h>

static enum rb_error parse(const char *text, size_t len, struct address *address)
{
    switch (address_parse(text, len, true, address)) {
    case ADDRESS_OK:
        return RB_OK;
    case ADDRESS_NOMEM:
        return RB_ERR_NOMEM;
    default:
        return RB_ERR_ARGUMENT;
    }
}

enum rb_error rb_address_key(const char *address, size_t address_len, char key[RB_ADDRESS_MAX + 1])
{
    struct address parsed;
    enum rb_error error = parse(address, address_len, &parsed);

    key[0] = '\0';
    return error == RB_OK ? address_format(&parsed, key, RB_ADDRESS_MAX + 1) : error;
}

static const char *domain_of(const char *address)
{
    const char *at = strrchr(address, '@');

    return at != NULL ? at + 1 : "";
}

/* --- Showing -------------------------------------------------------------- */

struct showing {
    struct rb_verifier *verifier;
    const struct options *options;
    const char *domain; /* canonical; "": all */
    rb_cache_fn *visit;
    void *arg;
};

static bool show(const struct cache_entry *entry, void *arg)
{
    const struct showing *showing = arg;
    const char *domain = domain_of(entry->address);
    struct rb_answer answer = {.size = sizeof answer};

    if (showing->domain[0] != '\0' && strcmp(domain, showing->domain) != 0)
        return true;
    memory_fill_answer(&showing->verifier->memory, showing->options, entry->relay, entry->address,
                       entry->address_record, &answer);
    answer.cached = true;
    (void)text_copy(answer.domain, sizeof answer.domain, domain);
    return showing->visit(showing->arg, &answer, entry->relay);
}

enum rb_error rb_cache_walk(struct rb_verifier *verifier, const char *domain, rb_cache_fn *visit,
                            void *arg)
{
    char canonical[RB_DOMAIN_MAX + 1] = "";
    struct showing showing = {
        .verifier = verifier, .domain = canonical, .visit = visit, .arg = arg};
    struct snapshot *snapshot;
    enum rb_error error;

    if (domain != NULL && address_domain(domain, strlen(domain), canonical) != ADDRESS_OK)
        return RB_ERR_ARGUMENT;
    if (verifier->memory.cache == NULL)
        return RB_OK;
    snapshot = snapshots_get(&verifier->snapshots);
    showing.options = snapshot->options;
    error = cache_walk(verifier->memory.cache, CACHE_ADDRESS, show, &showing);
    snapshot_put(snapshot);
    return error;
}

enum rb_error rb_cache_find(struct rb_verifier *verifier, const char *address, size_t address_len,
                            rb_cache_fn *visit, void *arg)
{
    struct showing showing = {.verifier = verifier, .domain = "", .visit = visit, .arg = arg};
    char key[RB_ADDRESS_MAX + 1];
    struct snapshot *snapshot;
    enum rb_error error = rb_address_key(address, address_len, key);

    if (error != RB_OK || verifier->memory.cache == NULL)
        return error;
    snapshot = snapshots_get(&verifier->snapshots);
    showing.options = snapshot->options;
    error = cache_walk_address(verifier->memory.cache, CACHE_ADDRESS, key, show, &showing);
    snapshot_put(snapshot);
    return error;
}

static struct rb_domain_fact told_fact(const struct fact *fact, int64_t ttl_s, int64_t now_s)
{
    struct rb_domain_fact told = {.is_known = fact->state != FACT_UNKNOWN,
                                  .holds = fact->state == FACT_YES,
                                  .age_s = -1,
                                  .expires_s = -1};

    if (told.is_known)
        told.age_s = now_s > fact->stamp_s ? now_s - fact->stamp_s : 0;
    if (fact_is_live(fact, ttl_s, now_s))
        told.expires_s = ttl_s - told.age_s;
    return told;
}

enum rb_error rb_cache_facts(struct rb_verifier *verifier, const char *domain,
                             struct rb_domain_facts *facts)
{
    struct rb_domain_facts made = {.size = sizeof made};
    struct snapshot *snapshot = snapshots_get(&verifier->snapshots);
    const struct rb_lifetimes *lifetimes = &snapshot->options->o.lifetimes;
    const int64_t now_s = clock_wall_s(verifier->memory.clock);
    char canonical[RB_DOMAIN_MAX + 1];
    struct domain_record record = {.dead_reason = RB_REASON_NONE};
    const bool is_domain = address_domain(domain, strlen(domain), canonical) == ADDRESS_OK;

    if (is_domain)
        memory_facts(&verifier->memory, "", canonical, &record);
    made.catch_all = told_fact(&record.catch_all, lifetimes->domain_ttl_s, now_s);
    made.null_sender_refused =
        told_fact(&record.null_sender_refused, lifetimes->domain_ttl_s, now_s);
    made.dead_reason = record.dead_reason;
    made.dead = told_fact(&record.dead, memory_dead_ttl_s(lifetimes, record.dead_reason), now_s);
    snapshot_put(snapshot);
    return sized_write(facts, SIZED_DOMAIN_FACTS, &made, sizeof made) && is_domain
               ? RB_OK
               : RB_ERR_ARGUMENT;
}

enum rb_error rb_cache_count(struct rb_verifier *verifier, struct rb_cache_counts *counts)
{
    struct rb_cache_counts made = {.size = sizeof made};
    struct cache_stats stats = {0};
    enum rb_error error = RB_OK;

    if (verifier->memory.cache != NULL)
        error = cache_get_stats(verifier->memory.cache, &stats);
    made.addresses = stats.addresses;
    made.domains = stats.domains;
    made.hosts = stats.hosts;
    made.onetimes = stats.onetimes;
    made.retries = stats.retries;
    made.verbs = stats.verbs;
    made.bytes = stats.bytes;
    made.max_bytes = stats.max_bytes;
    return sized_write(counts, SIZED_CACHE_COUNTS, &made, sizeof made) ? error : RB_ERR_ARGUMENT;
}

/* --- Forgetting ----------------------------------------------------------- */

struct forgetting {
    struct cache *cache;
    const char *domain; /* canonical */
    enum rb_error error;
    uint64_t count;
};

static bool forget(const struct cache_entry *entry, void *arg)
{
    struct forgetting *forgetting = arg;
    enum rb_error error = cache_delete(forgetting->cache, entry->table, entry->key);

    forgetting->count += error == RB_OK;
    if (error != RB_OK && error != RB_ERR_NOT_FOUND)
        forgetting->error = error;
    return forgetting->error == RB_OK;
}

static bool forget_if_of_domain(const struct cache_entry *entry, void *arg)
{
    const struct forgetting *forgetting = arg;
    const char *address = entry->table == CACHE_ONETIME ? entry->key : entry->address;
    const bool is_of_it = entry->table == CACHE_VERB
                              ? cache_verb_key_is_of(entry->key, forgetting->domain)
                              : strcmp(domain_of(address), forgetting->domain) == 0;

    return !is_of_it || forget(entry, arg);
}

/* What came of it. */
static enum rb_error forgotten(const struct forgetting *forgetting, enum rb_error walked,
                               uint64_t *removed)
{
    if (removed != NULL)
        *removed = forgetting->count;
    if (walked != RB_OK || forgetting->error != RB_OK)
        return walked != RB_OK ? walked : forgetting->error;
    return forgetting->count > 0 ? RB_OK : RB_ERR_NOT_FOUND;
}

/* What other one-time addresses of its class taught. */
static void forget_class(const struct address *address, struct forgetting *forgetting)
{
    struct onetime_class onetime;
    char key[CACHE_KEY_MAX + 1];

    if (onetime_classify(address, &onetime) != ONETIME_NONE &&
        cache_onetime_key(onetime.kind, onetime.key, key) == RB_OK)
        (void)forget(&(struct cache_entry){.table = CACHE_ONETIME, .key = key}, forgetting);
}

enum rb_error rb_cache_delete(struct rb_verifier *verifier, const char *address, size_t address_len,
                              uint64_t *removed)
{
    struct forgetting forgetting = {.cache = verifier->memory.cache, .error = RB_OK};
    char key[RB_ADDRESS_MAX + 1];
    struct address parsed;
    enum rb_error error = parse(address, address_len, &parsed);

    if (error == RB_OK)
        error = address_key(&parsed, key, sizeof key);
    if (error == RB_OK && forgetting.cache != NULL) {
        cache_flush(forgetting.cache); /* a walk does not see what is queued */
        error = cache_walk_address(forgetting.cache, CACHE_ADDRESS, key, forget, &forgetting);
        if (error == RB_OK)
            error = cache_walk_address(forgetting.cache, CACHE_RETRY, key, forget, &forgetting);
        if (error == RB_OK)
            forget_class(&parsed, &forgetting);
    }
    return forgotten(&forgetting, error, removed);
}

enum rb_error rb_cache_delete_domain(struct rb_verifier *verifier, const char *domain,
                                     uint64_t *removed)
{
    static const enum cache_table tables[] = {CACHE_ADDRESS, CACHE_ONETIME, CACHE_RETRY,
                                              CACHE_VERB};
    char canonical[RB_DOMAIN_MAX + 1];
    struct forgetting forgetting = {
        .cache = verifier->memory.cache, .domain = canonical, .error = RB_OK};
    enum rb_error error = RB_OK;

    if (address_domain(domain, strlen(domain), canonical) != ADDRESS_OK)
        return forgotten(&forgetting, RB_ERR_ARGUMENT, removed);
    if (forgetting.cache == NULL)
        return forgotten(&forgetting, RB_OK, removed);
    cache_flush(forgetting.cache);
    error = cache_walk_domain(forgetting.cache, canonical, forget, &forgetting);
    for (size_t i = 0; error == RB_OK && i < sizeof tables / sizeof tables[0]; i++)
        error = cache_walk(forgetting.cache, tables[i], forget_if_of_domain, &forgetting);
    return forgotten(&forgetting, error, removed);
}

enum rb_error rb_cache_purge(struct rb_verifier *verifier, bool expired_only, uint64_t *removed)
{
    uint64_t count = 0;
    enum rb_error error = RB_OK;

    if (verifier->memory.cache != NULL) {
        cache_flush(verifier->memory.cache);
        error = cache_purge(verifier->memory.cache, expired_only, &count);
    }
    if (removed != NULL)
        *removed = count;
    return error;
}
