/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * known: answers that cost nobody anything: what the cache holds of an address, whom our own users
 * write to, what the facts of its domain settle, and what was learned of other senders of its kind.
 * Part of the verifier; see verifier.h. Must not call anybody.
 */
#include "config.h"

#include "verifier/verifier.h"

#include "mail/address.h"
#include "mail/onetime.h"
#include "base/text.h"

#include <string.h>

/* How often a correspondent is written down anew: each message need not be. */
enum { CORRESPONDENT_FRESH_S = 24 * 3600 };

/* How long a dead domain stays dead: a domain that does not exist may be bought, a host may come
 * back. */
static int64_t dead_ttl_s(const struct rb_lifetimes *lifetimes, enum rb_reason why)
{
    return rb_reason_verdict(why) == RB_VERDICT_INVALID ? lifetimes->invalid_refresh_s
                                                        : lifetimes->unknown_ttl_s;
}

/* A record that says so since then, and why we think so. */
static struct address_record settled_record(enum rb_reason reason, int64_t stamp_s,
                                            const char *rule)
{
    struct address_record record = {.reason = reason, .stage = RB_STAGE_NONE, .stamp_s = stamp_s};

    (void)text_copy(record.rule, sizeof record.rule, rule);
    return record;
}

bool known_settled(const struct options *options, const struct domain_record *facts, int64_t now_s,
                   struct address_record *record)
{
    const struct rb_lifetimes *lifetimes = &options->o.lifetimes;

    if (facts->dead.state == FACT_YES && facts->dead_reason != RB_REASON_NONE &&
        fact_is_live(&facts->dead, dead_ttl_s(lifetimes, facts->dead_reason), now_s)) {
        *record = settled_record(facts->dead_reason, facts->dead.stamp_s, "known_dead");
        return true;
    }
    if (options->o.catch_all_check && !options->o.data_check &&
        facts->catch_all.state == FACT_YES &&
        fact_is_live(&facts->catch_all, lifetimes->domain_ttl_s, now_s)) {
        *record = settled_record(RB_REASON_CATCH_ALL, facts->catch_all.stamp_s, "known_catch_all");
        return true;
    }
    return false;
}

/* --- Correspondents ------------------------------------------------------- */

static bool is_correspondent(struct rb_verifier *verifier, const struct rb_lifetimes *lifetimes,
                             const char *address, int64_t now_s, struct address_record *record)
{
    char key[CACHE_KEY_MAX + 1];

    return cache_correspondent_key(address, key) == RB_OK &&
           cache_get_address(verifier->cache, key, record) == RB_OK &&
           address_record_freshness(record, lifetimes, now_s, NULL) != RECORD_EXPIRED;
}

void rb_note_correspondent(struct rb_verifier *verifier, const char *address, size_t address_len)
{
    int64_t now_s = clock_wall_s(verifier->clock);
    const struct address_record news =
        settled_record(RB_REASON_CORRESPONDENT, now_s, "correspondent");
    char text[RB_ADDRESS_MAX + 1], key[CACHE_KEY_MAX + 1];
    struct address_record before;
    struct address parsed;

    if (verifier->cache == NULL ||
        address_parse(address, address_len, true, &parsed) != ADDRESS_OK ||
        address_key(&parsed, text, sizeof text) != RB_OK ||
        cache_correspondent_key(text, key) != RB_OK)
        return;
    if (cache_get_address(verifier->cache, key, &before) == RB_OK && before.stamp_s <= now_s &&
        now_s - before.stamp_s < CORRESPONDENT_FRESH_S)
        return;
    (void)cache_put_address(verifier->cache, key, &news);
}

/* --- One-time senders ----------------------------------------------------- */

static bool onetime_answers(struct rb_verifier *verifier, const struct rb_lifetimes *lifetimes,
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
        cache_get_onetime(verifier->cache, key, &known) != RB_OK ||
        !onetime_record_answers(&known, onetime->kind, address, lifetimes, now_s))
        return false;
    *record = settled_record(RB_REASON_ACCEPTED, known.valid_s, rules[onetime->kind]);
    return true;
}

void known_note_onetime(struct rb_verifier *verifier, const char *address, enum rb_verdict verdict)
{
    char key[CACHE_KEY_MAX + 1];
    struct onetime_record record;
    struct address parsed;
    struct onetime_class onetime;

    if (verifier->cache == NULL || verdict == RB_VERDICT_UNKNOWN ||
        !address_from_key(address, &parsed) ||
        onetime_classify(&parsed, &onetime) == ONETIME_NONE ||
        (verdict == RB_VERDICT_INVALID && onetime.kind != ONETIME_VERP) ||
        cache_onetime_key(onetime.kind, onetime.key, key) != RB_OK)
        return;
    pthread_mutex_lock(&verifier->records);
    if (cache_get_onetime(verifier->cache, key, &record) != RB_OK)
        record = (struct onetime_record){0};
    onetime_record_note(&record, verdict, clock_wall_s(verifier->clock));
    (void)cache_put_onetime(verifier->cache, key, &record);
    pthread_mutex_unlock(&verifier->records);
}

/* --- All of it ------------------------------------------------------------ */

static bool facts_settle(struct rb_verifier *verifier, const struct options *options,
                         const char *domain, const char *relay, int64_t now_s,
                         struct address_record *record)
{
    char key[CACHE_KEY_MAX + 1];
    struct domain_record facts;

    return cache_facts_key(relay, domain, key) == RB_OK &&
           cache_get_domain(verifier->cache, key, &facts) == RB_OK &&
           known_settled(options, &facts, now_s, record);
}

/* What other senders of the address's kind tell of it, and correspondents with a tag of theirs. */
static bool kind_settles(struct rb_verifier *verifier, const struct rb_lifetimes *lifetimes,
                         const char *address, int64_t now_s, struct address_record *record)
{
    struct address parsed;
    struct onetime_class onetime;

    if (!address_from_key(address, &parsed) || onetime_classify(&parsed, &onetime) == ONETIME_NONE)
        return false;
    return (onetime.base[0] != '\0' &&
            is_correspondent(verifier, lifetimes, onetime.base, now_s, record)) ||
           onetime_answers(verifier, lifetimes, &onetime, address, now_s, record);
}

/* Whom our users write to is valid, whatever its host said of us or of the address. */
static bool overrules(struct rb_verifier *verifier, const struct rb_lifetimes *lifetimes,
                      const char *address, const struct address_record *own, int64_t now_s,
                      struct address_record *record)
{
    return rb_reason_verdict(own->reason) != RB_VERDICT_VALID &&
           is_correspondent(verifier, lifetimes, address, now_s, record);
}

enum known known_look(struct rb_verifier *verifier, const struct options *options, const char *key,
                      const char *domain, const char *relay, struct address_record *record,
                      bool *by_fact)
{
    const struct rb_lifetimes *lifetimes = &options->o.lifetimes;
    int64_t now_s = clock_wall_s(verifier->clock);
    const char *address = key + 1; /* of the world's answer: a relay's has no use for it */
    struct address_record own = {.reason = RB_REASON_NONE};
    enum freshness freshness = RECORD_EXPIRED;

    *by_fact = false;
    if (verifier->cache == NULL)
        return KNOWN_NOT;
    if (cache_get_address(verifier->cache, key, &own) == RB_OK)
        freshness = address_record_freshness(&own, lifetimes, now_s, NULL);
    if (freshness == RECORD_EXPIRED)
        own.reason = RB_REASON_NONE;
    if (relay == NULL && overrules(verifier, lifetimes, address, &own, now_s, record))
        return KNOWN_FRESH;
    if (freshness != RECORD_EXPIRED) {
        *record = own;
        return freshness == RECORD_FRESH ? KNOWN_FRESH : KNOWN_STALE;
    }
    *by_fact = facts_settle(verifier, options, domain, relay, now_s, record) ||
               (relay == NULL && kind_settles(verifier, lifetimes, address, now_s, record));
    return *by_fact ? KNOWN_FRESH : KNOWN_NOT;
}

enum known known_find(struct rb_verifier *verifier, const struct options *options, const char *key,
                      const char *domain, const char *relay, struct address_record *record)
{
    bool by_fact;
    enum known known = known_look(verifier, options, key, domain, relay, record, &by_fact);

    if (by_fact)
        atomic_fetch_add(&verifier->counters.settled_by_fact, 1);
    return known;
}
