/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record_life: how long what the cache keeps answers, and which of two records stays; see record.h. Pure: computed from stamps and
 * from the lifetimes of today.
 */
#include "config.h"

#include "record.h"

/* How long a 4yz reply is believed at most, unless it asked for more: a greylisted sender comes
 * back soon, and is then to be asked about again. A name server that fails is soon mended, too. */
static const int64_t TEMPORARY_TTL_S = 300;

bool address_record_is_kept(enum rb_reason reason)
{
    switch (reason) {
    case RB_REASON_NONE:
    case RB_REASON_CORRESPONDENT:
    case RB_REASON_TIMEOUT:
    case RB_REASON_LIMITED:
    case RB_REASON_BUSY:
    case RB_REASON_SPF_FAIL:
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

/* The life of an unknown. It is never stale: while it lives nobody is asked, then the next question
 * asks. */
static int64_t unknown_ttl(const struct address_record *record,
                           const struct rb_lifetimes *lifetimes)
{
    switch (record->reason) {
    case RB_REASON_CATCH_ALL:
        /* What was learned is the domain's: asking again about the mailbox would tell nothing new.
         */
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
    if (record->denied_s != 0)
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

/* Whether a denial, at denied_s, is the second that a valid which was denied before takes. */
static bool is_second_denial(const struct address_record *valid, int64_t denied_s)
{
    return valid->denied_s != 0 && (age_of(valid->denied_s, denied_s) >= RECORD_DENIAL_GAP_S ||
                                    age_of(denied_s, valid->denied_s) >= RECORD_DENIAL_GAP_S);
}

/* What a live record keeps of a newer one that does not replace it: that it was asked again, and whether it was denied. */
static void keep_trace(struct address_record *record, const struct address_record *newer)
{
    if (newer->stamp_s > record->tried_s)
        record->tried_s = newer->stamp_s;
    if (rb_reason_verdict(newer->reason) == RB_VERDICT_INVALID &&
        (record->denied_s == 0 || newer->stamp_s < record->denied_s))
        record->denied_s = newer->stamp_s;
}

/* Whether the older record outlives the newer one. */
static bool outlives(const struct address_record *older, const struct address_record *newer,
                     const struct rb_lifetimes *lifetimes)
{
    switch (rb_reason_verdict(newer->reason)) {
    case RB_VERDICT_UNKNOWN:
        return is_live(older, RB_VERDICT_VALID, lifetimes, newer->stamp_s) ||
               is_live(older, RB_VERDICT_INVALID, lifetimes, newer->stamp_s);
    case RB_VERDICT_INVALID:
        return is_live(older, RB_VERDICT_VALID, lifetimes, newer->stamp_s) &&
               !is_second_denial(older, newer->stamp_s);
    default:
        return false;
    }
}

/*
 * The same whichever of the two comes first, so that it does not matter in which order processes
 * and threads commit.
 */
void address_record_merge(struct address_record *into, const struct address_record *news,
                          const struct rb_lifetimes *lifetimes)
{
    const bool news_newer = news->stamp_s >= into->stamp_s;
    const struct address_record newer = news_newer ? *news : *into;
    const struct address_record older = news_newer ? *into : *news;
    const bool older_stays = outlives(&older, &newer, lifetimes);

    *into = older_stays ? older : newer;
    if (older_stays)
        keep_trace(into, &newer);
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
