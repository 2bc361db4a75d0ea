/* SPDX-License-Identifier: BSD-2-Clause */
/* memory: what is known and what is learned; see memory.h, which names what it owns and its
 * lock. */
#include "config.h"

#include "verifier/memory.h"

#include "limits/breaker.h"
#include "mail/address.h"
#include "mail/onetime.h"
#include "mail/relay.h"
#include "base/clock.h"
#include "base/text.h"

#include <string.h>

/* A mail store of ours that failed so often in a row is left alone for so long. */
enum { OURS_FAILURES = 2, OURS_HOLD_S = 30 };

/* How often a correspondent is written down anew: each message need not be. */
enum { CORRESPONDENT_FRESH_S = 24 * 3600 };

/* --- Opening and closing -------------------------------------------------- */

enum rb_error memory_open(struct memory *memory, const struct rb_options *o, char *detail,
                          size_t detail_size)
{
    const struct cache_settings settings = {
        .store = o->store,
        .max_bytes = o->store_max_bytes,
        .lifetimes = o->lifetimes,
        .clock = o->clock,
        .owner_fix = o->store_owner_fix,
        .read_only = o->store_read_only,
        .observer = o->observer,
    };

    *memory = (struct memory){.clock = o->clock};
    pthread_mutex_init(&memory->records, NULL);
    if (o->store[0] == '\0')
        return RB_OK;
    return cache_open(&settings, &memory->cache, detail, detail_size);
}

void memory_close(struct memory *memory)
{
    cache_close(memory->cache);
    pthread_mutex_destroy(&memory->records);
}

/* --- Facts ---------------------------------------------------------------- */

/* A domain that does not exist may be bought, a host may come back. */
int64_t memory_dead_ttl_s(const struct rb_lifetimes *lifetimes, enum rb_reason why)
{
    return rb_reason_verdict(why) == RB_VERDICT_INVALID ? lifetimes->invalid_refresh_s
                                                        : lifetimes->unknown_ttl_s;
}

bool memory_settles(const struct memory *memory, const struct options *options,
                    const struct domain_record *facts, struct address_record *record)
{
    const struct rb_lifetimes *lifetimes = &options->o.lifetimes;
    const int64_t now_s = clock_wall_s(memory->clock);

    if (facts->dead.state == FACT_YES && facts->dead_reason != RB_REASON_NONE &&
        fact_is_live(&facts->dead, memory_dead_ttl_s(lifetimes, facts->dead_reason), now_s)) {
        address_record_set(record, facts->dead_reason, "known_dead", facts->dead.stamp_s);
        return true;
    }
    if (options->o.catch_all_check && !options->o.data_check &&
        facts->catch_all.state == FACT_YES &&
        fact_is_live(&facts->catch_all, lifetimes->domain_ttl_s, now_s)) {
        address_record_set(record, RB_REASON_CATCH_ALL, "known_catch_all",
                           facts->catch_all.stamp_s);
        return true;
    }
    return false;
}

void memory_facts(struct memory *memory, const char *relay, const char *domain,
                  struct domain_record *facts)
{
    char key[CACHE_KEY_MAX + 1];

    if (memory->cache == NULL || cache_facts_key(relay, domain, key) != RB_OK ||
        cache_get_domain(memory->cache, key, facts) != RB_OK)
        *facts = (struct domain_record){0};
}

void memory_learned(struct memory *memory, const char *relay, const char *domain,
                    const struct domain_record *news)
{
    char key[CACHE_KEY_MAX + 1];

    if (memory->cache != NULL && cache_facts_key(relay, domain, key) == RB_OK)
        (void)cache_put_domain(memory->cache, key, news);
}

/* --- Correspondents ------------------------------------------------------- */

static bool is_correspondent(struct memory *memory, const struct rb_lifetimes *lifetimes,
                             const char *address, int64_t now_s, struct address_record *record)
{
    char key[CACHE_KEY_MAX + 1];

    return cache_correspondent_key(address, key) == RB_OK &&
           cache_get_address(memory->cache, key, record) == RB_OK &&
           address_record_freshness(record, lifetimes, now_s, NULL) != RECORD_EXPIRED;
}

void memory_note_correspondent(struct memory *memory, const char *address, size_t len)
{
    int64_t now_s = clock_wall_s(memory->clock);
    char text[RB_ADDRESS_MAX + 1], key[CACHE_KEY_MAX + 1];
    struct address_record record;
    struct address parsed;

    if (memory->cache == NULL || address_parse(address, len, true, &parsed) != ADDRESS_OK ||
        address_key(&parsed, text, sizeof text) != RB_OK ||
        cache_correspondent_key(text, key) != RB_OK)
        return;
    if (cache_get_address(memory->cache, key, &record) == RB_OK && record.stamp_s <= now_s &&
        now_s - record.stamp_s < CORRESPONDENT_FRESH_S)
        return;
    address_record_set(&record, RB_REASON_CORRESPONDENT, "correspondent", now_s);
    (void)cache_put_address(memory->cache, key, &record);
}

/* --- One-time senders ---------------------------------------------------------------- */

static bool onetime_answers(struct memory *memory, const struct rb_lifetimes *lifetimes,
                            const struct onetime_class *onetime, const char *address, int64_t now_s,
                            struct address_record *record)
{
    static const char *const rules[] = {
        [ONETIME_NONE] = "",
        [ONETIME_BATV] = "shared_batv",
        [ONETIME_SRS] = "shared_srs",
        [ONETIME_VERP] = "shared_verp",
    };
    char key[CACHE_KEY_MAX + 1];
    struct onetime_record known;

    if (cache_onetime_key(onetime->kind, onetime->key, key) != RB_OK ||
        cache_get_onetime(memory->cache, key, &known) != RB_OK ||
        !onetime_record_answers(&known, onetime->kind, address, lifetimes, now_s))
        return false;
    address_record_set(record, RB_REASON_ACCEPTED, rules[onetime->kind], known.valid_s);
    return true;
}

/* What a mail host said of an address (canonical) counts for others of its class. */
static void note_onetime(struct memory *memory, const char *address, enum rb_verdict verdict)
{
    char key[CACHE_KEY_MAX + 1];
    struct onetime_record record;
    struct address parsed;
    struct onetime_class onetime;

    if (verdict == RB_VERDICT_UNKNOWN || !address_from_key(address, &parsed) ||
        onetime_classify(&parsed, &onetime) == ONETIME_NONE ||
        (verdict == RB_VERDICT_INVALID && onetime.kind != ONETIME_VERP) ||
        cache_onetime_key(onetime.kind, onetime.key, key) != RB_OK)
        return;
    pthread_mutex_lock(&memory->records);
    if (cache_get_onetime(memory->cache, key, &record) != RB_OK)
        record = (struct onetime_record){0};
    onetime_record_note(&record, verdict, clock_wall_s(memory->clock));
    (void)cache_put_onetime(memory->cache, key, &record);
    pthread_mutex_unlock(&memory->records);
}

/* --- Finding --------------------------------------------------------------- */

static bool facts_settle(struct memory *memory, const struct options *options, const char *domain,
                         const char *relay, struct address_record *record)
{
    struct domain_record facts;

    memory_facts(memory, relay, domain, &facts);
    return memory_settles(memory, options, &facts, record);
}

/*
 * What other senders of the address's kind tell of it, and correspondents with a tag of theirs. Not
 * inlined: its large frame would lie beneath every look-up of memory_find, whose callers wait.
 */
__attribute__((noinline)) static bool kind_settles(struct memory *memory,
                                                   const struct rb_lifetimes *lifetimes,
                                                   const char *address, int64_t now_s,
                                                   struct address_record *record)
{
    struct address parsed;
    struct onetime_class onetime;

    if (!address_from_key(address, &parsed) || onetime_classify(&parsed, &onetime) == ONETIME_NONE)
        return false;
    return (onetime.base[0] != '\0' &&
            is_correspondent(memory, lifetimes, onetime.base, now_s, record)) ||
           onetime_answers(memory, lifetimes, &onetime, address, now_s, record);
}

/* Whom our users write to is valid, whatever its host said of us or of the address. */
static bool overrules(struct memory *memory, const struct rb_lifetimes *lifetimes,
                      const char *address, const struct address_record *own, int64_t now_s,
                      struct address_record *record)
{
    return rb_reason_verdict(own->reason) != RB_VERDICT_VALID &&
           is_correspondent(memory, lifetimes, address, now_s, record);
}

enum memory_answer memory_find(struct memory *memory, const struct options *options,
                               const char *key, const char *domain, const char *relay,
                               struct address_record *record, bool *by_fact)
{
    const struct rb_lifetimes *lifetimes = &options->o.lifetimes;
    int64_t now_s = clock_wall_s(memory->clock);
    const char *address = key + 1; /* of the world's answer: a relay's has no use for it */
    struct address_record own = {.reason = RB_REASON_NONE};
    enum freshness freshness = RECORD_EXPIRED;

    *by_fact = false;
    if (memory->cache == NULL)
        return CACHE_MISS;
    if (cache_get_address(memory->cache, key, &own) == RB_OK)
        freshness = address_record_freshness(&own, lifetimes, now_s, NULL);
    if (freshness == RECORD_EXPIRED)
        own.reason = RB_REASON_NONE;
    if (relay == NULL && overrules(memory, lifetimes, address, &own, now_s, record))
        return CACHE_FRESH;
    if (freshness != RECORD_EXPIRED) {
        *record = own;
        return freshness == RECORD_FRESH ? CACHE_FRESH : CACHE_STALE;
    }
    *by_fact = facts_settle(memory, options, domain, relay, record) ||
               (relay == NULL && kind_settles(memory, lifetimes, address, now_s, record));
    return *by_fact ? CACHE_FRESH : CACHE_MISS;
}

bool memory_answers_size(const struct address_record *known)
{
    return rb_reason_verdict(known->reason) != RB_VERDICT_VALID &&
           known->reason != RB_REASON_CATCH_ALL;
}

/* --- Answers --------------------------------------------------------------- */

/*
 * Whether an answer with that reason is written down. relay: "" for none. That a mail store of our
 * own gave no answer is of this moment: the next question asks it again.
 */
static bool is_kept(const char *relay, enum rb_reason reason)
{
    return address_record_is_kept(reason) &&
           (!relay_is_own(relay) || rb_reason_verdict(reason) != RB_VERDICT_UNKNOWN ||
            reason == RB_REASON_CATCH_ALL);
}

bool memory_is_of_mailbox(const struct address_record *record)
{
    return rb_reason_verdict(record->reason) == RB_VERDICT_VALID || record->stage >= RB_STAGE_RCPT;
}

bool memory_note_answer(struct memory *memory, const char *key, const char *relay,
                        const struct address_record *record)
{
    if (memory->cache == NULL || !is_kept(relay, record->reason))
        return false;
    (void)cache_put_address(memory->cache, key, record);
    if (relay[0] == '\0' && memory_is_of_mailbox(record))
        note_onetime(memory, key + 1, rb_reason_verdict(record->reason));
    return true;
}

/* As it may stand in a command: keys have no quotes. */
static void tell_address(const char *key, char text[RB_ADDRESS_MAX + 1])
{
    struct address address;

    if (!address_from_key(key, &address) ||
        address_format(&address, text, RB_ADDRESS_MAX + 1) != RB_OK)
        (void)text_copy(text, RB_ADDRESS_MAX + 1, key);
}

void memory_fill_answer(const struct memory *memory, const struct options *options,
                        const char *relay, const char *address, const struct address_record *record,
                        struct rb_answer *answer)
{
    int64_t now_s = clock_wall_s(memory->clock), left_s = -1;

    *answer = (struct rb_answer){
        .verdict = rb_reason_verdict(record->reason),
        .reason = record->reason,
        .age_s = now_s > record->stamp_s ? now_s - record->stamp_s : 0,
        .expires_s = -1,
        .port = record->port,
        .stage = record->stage,
        .code = record->code,
        .mail_from_known = record->mail_from_known,
        .wait_s = record->wait_s,
        .limit = record->limit,
    };
    if (memory->cache != NULL && address[0] != '\0' &&
        (is_kept(relay, record->reason) || record->reason == RB_REASON_CORRESPONDENT) &&
        address_record_freshness(record, &options->o.lifetimes, now_s, &left_s) != RECORD_EXPIRED)
        answer->expires_s = left_s;
    tell_address(address, answer->address);
    memcpy(answer->rule, record->rule, sizeof answer->rule);
    memcpy(answer->mx, record->mx, sizeof answer->mx);
    memcpy(answer->ip, record->ip, sizeof answer->ip);
    memcpy(answer->tls, record->tls, sizeof answer->tls);
    memcpy(answer->enhanced, record->enhanced, sizeof answer->enhanced);
    memcpy(answer->reply, record->reply, sizeof answer->reply);
    memcpy(answer->mail_from, record->mail_from, sizeof answer->mail_from);
}

/* --- Hosts ------------------------------------------------------------------ */

int64_t memory_host_held_until_s(struct memory *memory, const char *ip, bool *on_trial)
{
    struct host_record host;

    *on_trial = false;
    if (memory->cache == NULL || cache_get_host(memory->cache, ip, &host) != RB_OK)
        return 0;
    *on_trial = host.trips > 0;
    return breaker_holds_back(&host, clock_wall_s(memory->clock)) ? host.held_until_s : 0;
}

/* Whether the record has changed: a host that never failed needs none. */
static bool note_call(struct host_record *host, const struct rb_options *o, enum rb_reason reason,
                      bool failed, bool is_ours, int64_t now_s)
{
    const bool had_failed = host->failures > 0 || host->trips > 0;

    if (!failed) {
        breaker_host_answered(host, now_s);
        return had_failed;
    }
    if (is_ours)
        host->trips = 0; /* always for the same short while */
    breaker_host_failed(host, reason, is_ours ? OURS_FAILURES : o->breaker_failures,
                        is_ours ? OURS_HOLD_S : o->breaker_hold_s, now_s);
    return true;
}

void memory_host_called(struct memory *memory, const struct rb_options *o, const char *ip,
                        enum rb_reason reason, bool failed, bool is_ours)
{
    struct host_record host;

    if (memory->cache == NULL)
        return;
    pthread_mutex_lock(&memory->records);
    if (cache_get_host(memory->cache, ip, &host) != RB_OK)
        host = (struct host_record){0};
    if (note_call(&host, o, reason, failed, is_ours, clock_wall_s(memory->clock)))
        (void)cache_put_host(memory->cache, ip, &host);
    pthread_mutex_unlock(&memory->records);
}

/* --- Verbs --------------------------------------------------------------------- */

enum memory_verb memory_verb(struct memory *memory, const char *key, enum verbs_verb verb)
{
    const int64_t now_s = clock_wall_s(memory->clock);
    struct verb_record record;
    const struct verb_fact *fact;

    if (memory->cache == NULL || cache_get_verb(memory->cache, key, &record) != RB_OK)
        return MEMORY_VERB_ASK;
    fact = &record.verbs[verb - 1];
    if (verb_record_unreachable_until_s(&record, now_s) != 0)
        return MEMORY_VERB_UNREACHABLE;
    return fact->state == VERB_NO && verb_fact_until_s(fact, now_s) != 0 ? MEMORY_VERB_NO
                                                                         : MEMORY_VERB_ASK;
}

/* verb: VERBS_OTHER where the host could not be reached. */
static void note_verb(struct memory *memory, const char *key, enum verbs_verb verb, bool knows)
{
    const int64_t now_s = clock_wall_s(memory->clock);
    struct verb_record record;

    if (memory->cache == NULL)
        return;
    pthread_mutex_lock(&memory->records);
    if (cache_get_verb(memory->cache, key, &record) != RB_OK)
        record = (struct verb_record){0};
    if (verb == VERBS_OTHER ? verb_record_note_unreachable(&record, now_s)
                            : verb_record_note(&record, verb, knows, now_s))
        (void)cache_put_verb(memory->cache, key, &record);
    pthread_mutex_unlock(&memory->records);
}

void memory_note_verb(struct memory *memory, const char *key, enum verbs_verb verb, bool knows)
{
    note_verb(memory, key, verb, knows);
}

void memory_note_verb_unreachable(struct memory *memory, const char *key)
{
    note_verb(memory, key, VERBS_OTHER, false);
}
