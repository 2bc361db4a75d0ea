/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * known: answers that cost nobody anything: what the cache holds of an address, and what the facts
 * of its domain settle. Part of the verifier; see verifier.h. Must not call anybody.
 */
#include "config.h"

#include "verifier.h"

#include "text.h"

#include <string.h>

/* How long a dead domain stays dead: a domain that does not exist may be bought, a host may come
 * back. */
static int64_t dead_ttl_s(const struct rb_lifetimes *lifetimes, enum rb_reason why)
{
    return rb_reason_verdict(why) == RB_VERDICT_INVALID ? lifetimes->invalid_refresh_s
                                                        : lifetimes->unknown_ttl_s;
}

bool known_settled(const struct options *options, const struct domain_record *facts, int64_t now_s,
                   struct address_record *record)
{
    const struct rb_lifetimes *lifetimes = &options->o.lifetimes;

    *record = (struct address_record){.stage = RB_STAGE_NONE};
    if (facts->dead.state == FACT_YES && facts->dead_reason != RB_REASON_NONE &&
        fact_is_live(&facts->dead, dead_ttl_s(lifetimes, facts->dead_reason), now_s)) {
        record->reason = facts->dead_reason;
        record->stamp_s = facts->dead.stamp_s;
        (void)text_copy(record->rule, sizeof record->rule, "known_dead");
        return true;
    }
    if (options->o.catch_all_check && !options->o.data_check &&
        facts->catch_all.state == FACT_YES &&
        fact_is_live(&facts->catch_all, lifetimes->domain_ttl_s, now_s)) {
        record->reason = RB_REASON_CATCH_ALL;
        record->stamp_s = facts->catch_all.stamp_s;
        (void)text_copy(record->rule, sizeof record->rule, "known_catch_all");
        return true;
    }
    return false;
}

enum known known_find(struct rb_verifier *verifier, const struct options *options, const char *key,
                      const char *domain, const char *relay, struct address_record *record)
{
    const struct rb_lifetimes *lifetimes = &options->o.lifetimes;
    int64_t now_s = clock_wall_s(verifier->clock);
    struct domain_record facts;

    if (verifier->cache == NULL)
        return KNOWN_NOT;
    if (cache_get_address(verifier->cache, key, record) == RB_OK) {
        enum freshness freshness = address_record_freshness(record, lifetimes, now_s, NULL);

        if (freshness != RECORD_EXPIRED)
            return freshness == RECORD_FRESH ? KNOWN_FRESH : KNOWN_STALE;
    }
    if (relay == NULL && cache_get_domain(verifier->cache, domain, &facts) == RB_OK &&
        known_settled(options, &facts, now_s, record)) {
        atomic_fetch_add(&verifier->counters.settled_by_fact, 1);
        return KNOWN_FRESH;
    }
    return KNOWN_NOT;
}
