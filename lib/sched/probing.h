/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * probing: who asks whether a domain accepts every local part, when several sessions with it want
 * to know at one time. One of them probes; what the others had accepted meanwhile waits for what
 * comes of it.
 *
 * Thread rule: no locks of its own; every call is made under the owner's lock.
 */
#ifndef RB_SCHED_PROBING_H
#define RB_SCHED_PROBING_H

#include "callout/callout.h"

/* Of one destination. Zeroed: nobody has asked. */
struct probing {
    bool under_way;
    struct fact catch_all;       /* as last found out, FACT_UNKNOWN if never */
    struct callout_item *parked; /* accepted, and as yet of unknown worth */
};

/*
 * An address was accepted, and whether the domain accepts everything is not known to its session.
 * CALLOUT_PROBE: the session finds out, and tells by probing_end. CALLOUT_PROBE_PARKED: another one
 * is about to; the item is kept, with what its host said in `best`, and handed over by probing_end.
 * CALLOUT_PROBE_KNOWN: another one has found out; *catch_all. A fact older than ttl_s counts as
 * none. item NULL: nothing is parked, it is only said who probes.
 */
enum callout_probe probing_begin(struct probing *probing, struct callout_item *item,
                                 const struct address_record *accepted, int64_t ttl_s,
                                 int64_t now_s, struct fact *catch_all);

/*
 * The probe is over; FACT_UNKNOWN: it told nothing, or was cut short. What waited for it is the
 * caller's, a list, and is worth what is known by now: nobody probes again for what was accepted.
 */
struct callout_item *probing_end(struct probing *probing, const struct fact *catch_all);

#endif
