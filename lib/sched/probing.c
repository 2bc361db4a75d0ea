/* SPDX-License-Identifier: BSD-2-Clause */
/* probing: one probe a destination at a time; see probing.h. Must not call anybody. */
#include "config.h"

#include "sched/probing.h"

#include <assert.h>

enum callout_probe probing_begin(struct probing *probing, struct callout_item *item,
                                 const struct address_record *accepted, int64_t ttl_s,
                                 int64_t now_s, struct fact *catch_all)
{
    if (probing->catch_all.state != FACT_UNKNOWN &&
        fact_is_live(&probing->catch_all, ttl_s, now_s)) {
        *catch_all = probing->catch_all;
        return CALLOUT_PROBE_KNOWN;
    }
    if (!probing->under_way) {
        probing->under_way = true;
        return CALLOUT_PROBE;
    }
    if (item != NULL) {
        item->best = *accepted;
        item->next = probing->parked;
        probing->parked = item;
    }
    return CALLOUT_PROBE_PARKED;
}

struct callout_item *probing_end(struct probing *probing, const struct fact *catch_all)
{
    struct callout_item *parked = probing->parked;

    assert(probing->under_way);
    probing->under_way = false;
    probing->parked = NULL;
    if (catch_all->state != FACT_UNKNOWN)
        probing->catch_all = *catch_all;
    return parked;
}
