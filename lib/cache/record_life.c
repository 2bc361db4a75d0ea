/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record_life: how long what the cache keeps answers, and which of two records stays; see record.h.
 * Pure: computed from stamps and from the lifetimes of today.
 */
#include "config.h"

#include "cache/record.h"

#include "base/text.h"

#include <string.h>

/* How long a 4yz reply is believed at most, unless it asked for more: a greylisted sender comes
 * back soon, and is then to be asked about again. A name server that fails is soon mended, too. */
static const int64_t TEMPORARY_TTL_S = 300;

void address_record_set(struct address_record *record, enum rb_reason reason, const char *rule,
                        int64_t stamp_s)
{
    memset(record, 0, sizeof *record);
    record->reason = reason;
    record->stamp_s = stamp_s;
    (void)text_printable(record->rule, sizeof record->rule, rule, strlen(rule));
}

void address_record_limit(struct address_record *record, enum rb_limit limit)
{
    record->reason = limit == RB_LIMIT_QUEUE_FULL ? RB_REASON_BUSY : RB_REASON_LIMITED;
    record->limit = limit;
    (void)text_copy(record->rule, sizeof record->rule, rb_limit_name(limit));
}

bool address_record_is_kept(enum rb_reason reason)
{
    switch (reason) {
    case RB_REASON_NONE:
    case RB_REASON_CORRESPONDENT:
    case RB_REASON_TIMEOUT:
    case RB_REASON_LIMITED:
    case RB_REASON_BUSY:
    case RB_REASON_SPF_FAIL:
    case RB_REASON_SPF_SOFTFAIL:
    case RB_REASON_NOT_VOUCHED:
    case RB_REASON_TOO_LARGE:
    case RB_REASON_EXEMPT:
    case RB_REASON_INTERNAL_ERROR:
        return false;
    default:
        return true;
    }
}

/* Never negative: a stamp in the future, left by a clock that was wrong, counts as of now. */
static int64_t age_of(int64_t stamp_s, int64_t now_s)
{
    if (stamp_s >= now_s)
        return 0;
    const uint64_t age = (uint64_t)now_s - (uint64_t)stamp_s;
    return age > INT64_MAX ? INT64_MAX : (int64_t)age;
}

/*
 * How long an unknown answers. It is never stale: as long as it answers nobody is called, and the
 * next question after that calls.
 */
static int64_t unknown_ttl(const struct address_record *record,
                           const struct rb_lifetimes *lifetimes)
{
    switch (record->reason) {
    case RB_REASON_CATCH_ALL:
        /* Learned of the domain: to ask about the mailbox again would tell nothing new. */
        return lifetimes->domain_ttl_s;
    case RB_REASON_GREYLISTED:
    case RB_REASON_TEMPFAIL: {
        const int64_t wanted = record->wait_s > TEMPORARY_TTL_S ? record->wait_s : TEMPORARY_TTL_S;
        return wanted < lifetimes->unknown_ttl_s ? wanted : lifetimes->unknown_ttl_s;
    }
    case RB_REASON_DNS_FAILURE:
        return TEMPORARY_TTL_S < lifetimes->unknown_ttl_s ? TEMPORARY_TTL_S
                                                          : lifetimes->unknown_ttl_s;
    default:
        return lifetimes->unknown_ttl_s;
    }
}

static bool was_tried(const struct address_record *record, const struct rb_lifetimes *lifetimes,
                      int64_t now_s)
{
    return record->tried_s != 0 && age_of(record->tried_s, now_s) < lifetimes->unknown_ttl_s;
}

enum freshness address_record_freshness(const struct address_record *record,
                                        const struct rb_lifetimes *lifetimes, int64_t now_s,
                                        int64_t *expires_s)
{
    int64_t ttl_s, refresh_s;
    switch (rb_reason_verdict(record->reason)) {
    case RB_VERDICT_VALID:
        ttl_s = lifetimes->valid_ttl_s;
        refresh_s = lifetimes->valid_refresh_s;
        if (record->reason ==
            RB_REASON_CORRESPONDENT) /* nobody is asked: when it is over, it is over */
            ttl_s = refresh_s = lifetimes->correspondent_ttl_s;
        break;
    case RB_VERDICT_INVALID:
        ttl_s = lifetimes->invalid_ttl_s;
        refresh_s = lifetimes->invalid_refresh_s;
        break;
    default:
        ttl_s = unknown_ttl(record, lifetimes);
        refresh_s = ttl_s;
        break;
    }

    const int64_t age_s = age_of(record->stamp_s, now_s);
    if (expires_s != NULL)
        *expires_s = age_s < ttl_s ? ttl_s - age_s : 0;
    if (age_s >= ttl_s)
        return RECORD_EXPIRED;
    if (was_tried(record, lifetimes, now_s))
        return RECORD_FRESH;
    if (record->denied_s != 0 && rb_reason_verdict(record->reason) == RB_VERDICT_VALID)
        return age_of(record->denied_s, now_s) < RECORD_DENIAL_GAP_S ? RECORD_FRESH : RECORD_STALE;
    return age_s < refresh_s ? RECORD_FRESH : RECORD_STALE;
}

bool fact_is_live(const struct fact *fact, int64_t ttl_s, int64_t now_s)
{
    return fact->state != FACT_UNKNOWN && fact->stamp_s != 0 &&
           age_of(fact->stamp_s, now_s) < ttl_s;
}

static bool is_live(const struct address_record *record, enum rb_verdict verdict,
                    const struct rb_lifetimes *lifetimes, int64_t now_s)
{
    return rb_reason_verdict(record->reason) == verdict &&
           address_record_freshness(record, lifetimes, now_s, NULL) != RECORD_EXPIRED;
}

/* The earlier of two stamps that are known; 0: neither is. */
static int64_t earlier(int64_t a, int64_t b)
{
    if (a == 0 || b == 0)
        return a + b;
    return a < b ? a : b;
}

/*
 * The first denial that an invalid record knows of: its denied_s, where that is since_s or later
 * and earlier than its own stamp_s, else stamp_s.
 */
static int64_t first_denial(const struct address_record *invalid, int64_t since_s)
{
    return invalid->denied_s >= since_s ? earlier(invalid->denied_s, invalid->stamp_s)
                                        : invalid->stamp_s;
}

/*
 * Whether an invalid record is the second denial of what a valid one says exists: of the denials
 * that either knows of, since the valid one's stamp_s, the first and the last are
 * RECORD_DENIAL_GAP_S apart.
 */
static bool is_second_denial(const struct address_record *valid,
                             const struct address_record *invalid)
{
    const int64_t first_s = earlier(valid->denied_s, first_denial(invalid, valid->stamp_s));
    return age_of(first_s, invalid->stamp_s) >= RECORD_DENIAL_GAP_S ||
           age_of(first_s, valid->denied_s) >= RECORD_DENIAL_GAP_S;
}

/*
 * What a live record keeps of a newer one that does not replace it: in tried_s, that the host was
 * asked again; in denied_s, where the newer one is invalid, its first denial.
 */
static void keep_trace(struct address_record *record, const struct address_record *newer)
{
    if (newer->stamp_s > record->tried_s)
        record->tried_s = newer->stamp_s;
    if (rb_reason_verdict(newer->reason) == RB_VERDICT_INVALID)
        record->denied_s = earlier(record->denied_s, first_denial(newer, record->stamp_s));
}

/* Whether the older record stays although there is a newer one; see address_record_merge. */
static bool outlives(const struct address_record *older, const struct address_record *newer,
                     const struct rb_lifetimes *lifetimes)
{
    switch (rb_reason_verdict(newer->reason)) {
    case RB_VERDICT_UNKNOWN:
        return is_live(older, RB_VERDICT_VALID, lifetimes, newer->stamp_s) ||
               is_live(older, RB_VERDICT_INVALID, lifetimes, newer->stamp_s);
    case RB_VERDICT_INVALID:
        return is_live(older, RB_VERDICT_VALID, lifetimes, newer->stamp_s) &&
               !is_second_denial(older, newer);
    default:
        return false;
    }
}

/*
 * Two invalid records may be merged before either is merged with the valid one that both deny (in
 * the writer's queue), or with it once more afterwards (from another process). So an invalid record
 * keeps, in denied_s, the first denial that either of the two knew of, where that was before its
 * own stamp_s.
 */
static void keep_first_denial(struct address_record *record, const struct address_record *older)
{
    if (rb_reason_verdict(record->reason) != RB_VERDICT_INVALID)
        return;
    int64_t first_s = first_denial(record, 0);
    if (rb_reason_verdict(older->reason) == RB_VERDICT_INVALID)
        first_s = earlier(first_s, first_denial(older, 0));
    if (rb_reason_verdict(older->reason) == RB_VERDICT_VALID)
        first_s = earlier(first_s, older->denied_s);
    record->denied_s = first_s < record->stamp_s ? first_s : 0;
}

/*
 * The record, without a denied_s that cannot be: an invalid one's first denial is never later than
 * its last, which is stamp_s. No program writes that, but the store may hold what none wrote.
 */
static struct address_record sound(const struct address_record *record)
{
    struct address_record same = *record;
    if (rb_reason_verdict(record->reason) == RB_VERDICT_INVALID &&
        record->denied_s >= record->stamp_s)
        same.denied_s = 0;
    return same;
}

/*
 * The result is the same whichever of two records is `into` and which is `news`: so it does not
 * matter in which order processes and threads commit, nor which records the writer's queue has
 * merged before they come to the store.
 */
void address_record_merge(struct address_record *into, const struct address_record *news,
                          const struct rb_lifetimes *lifetimes)
{
    const bool news_newer = news->stamp_s >= into->stamp_s;
    const struct address_record newer = sound(news_newer ? news : into);
    const struct address_record older = sound(news_newer ? into : news);
    const bool older_stays = outlives(&older, &newer, lifetimes);

    *into = older_stays ? older : newer;
    if (older_stays)
        keep_trace(into, &newer);
    else
        keep_first_denial(into, &older);
}

static bool is_newer(const struct fact *news, const struct fact *present)
{
    return news->state != FACT_UNKNOWN && news->stamp_s != 0 && news->stamp_s >= present->stamp_s;
}

void domain_record_merge(struct domain_record *into, const struct domain_record *news)
{
    if (is_newer(&news->catch_all, &into->catch_all))
        into->catch_all = news->catch_all;
    if (is_newer(&news->null_sender_refused, &into->null_sender_refused))
        into->null_sender_refused = news->null_sender_refused;
    if (is_newer(&news->dead, &into->dead)) {
        into->dead = news->dead;
        into->dead_reason = news->dead_reason;
    }
}
