/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * landing: what an answer changes: the cache, the schedule of retries, the shield, the counters,
 * and those who wait for it. Part of the verifier; see verifier.h for the locks.
 */
#include "config.h"

#include "verifier/verifier.h"

/* What the world said goes into the cache, and on or off the schedule of retries. */
static void keep(struct rb_verifier *verifier, const struct flight *flight,
                 const struct address_record *record)
{
    if (!memory_note_answer(&verifier->memory, flight->key, flight->relay, record)) {
        if (flight->retry)
            retry_postpone(verifier->retry, flight->key, flight->held_until_s);
    } else if (flight->relay[0] == '\0') {
        retry_note(verifier->retry, flight->key, record);
    }
}

/* Under the lock. */
static void note_for_shield(struct rb_verifier *verifier, const struct flight *flight,
                            const struct address_record *record)
{
    if (flight->relay[0] == '\0' && !flight->from_cache && memory_is_of_mailbox(record))
        limits_note(&verifier->limits, flight->domain, flight->key,
                    rb_reason_verdict(record->reason),
                    &verifier->snapshots.current->options->o.shield, clock_wall_s(verifier->clock));
}

void verifier_land(struct rb_verifier *verifier, struct flight *flight,
                   const struct address_record *record)
{
    /* Into the cache first: whoever finds no flight any more must find the answer there. */
    if (!flight->from_cache)
        keep(verifier, flight, record);
    pthread_mutex_lock(&verifier->lock);
    /*
     * Under the lock: who sees it counted, and asks again, finds no flight that has ended already.
     */
    if (!flight->from_cache && record->reason < RB_REASON_MAX)
        atomic_fetch_add(&verifier->counters.callouts[record->reason], 1);
    note_for_shield(verifier, flight, record);
    flight_land(&verifier->flights, flight, record, clock_monotonic_ms(verifier->clock));
    flight_put(flight);
    pthread_mutex_unlock(&verifier->lock);
}
