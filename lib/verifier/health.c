/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * health: see the header, and rb_verifier_health. Must not ask or write anything itself: a look-up
 * is left to sched's threads.
 */
#include "config.h"

#include "verifier/health.h"

#include "base/sized.h"
#include "dns/records.h"
#include "verifier/verifier.h"

#include <arpa/nameser.h>

/* Any recursive name server knows it without asking; what it says of it does not matter. */
static const char ASKED[] = "a.root-servers.net";

bool health_owns(const struct health *health, const struct sched_lookup *lookup)
{
    return lookup == &health->lookup;
}

void health_look_up(void *arg, struct stall_call *call)
{
    struct rb_verifier *verifier = arg;
    struct snapshot *snapshot = snapshots_get(&verifier->snapshots);
    struct dns_record_list list;

    stall_begin_wait(call, clock_monotonic_ms(verifier->clock));
    (void)dns_records(snapshot->dns, ASKED, ns_t_a, deadline_in(verifier->clock, HEALTH_ASK_FOR_MS),
                      &list);
    stall_end_wait(call);
    dns_records_free(&list);
    snapshot_put(snapshot);
    atomic_store(&verifier->health.is_asking, false);
}

/* One look-up at a time, and not too often. */
static void ask_again(struct rb_verifier *verifier)
{
    struct health *health = &verifier->health;
    const int64_t now_ms = clock_monotonic_ms(verifier->clock);

    if (now_ms < atomic_load(&health->next_ms) || atomic_exchange(&health->is_asking, true))
        return;
    atomic_store(&health->next_ms, now_ms + HEALTH_ASK_EVERY_MS);
    if (sched_push_lookup(verifier->sched, &health->lookup) != RB_OK)
        atomic_store(&health->is_asking, false);
}

void rb_verifier_health(struct rb_verifier *verifier, struct rb_health *health)
{
    struct snapshot *snapshot = snapshots_get(&verifier->snapshots);
    struct rb_health made = {.size = sizeof made};
    struct dns_servers_view servers;
    struct cache_state cache = {.is_lost = false};

    dns_look(snapshot->dns, &servers);
    snapshot_put(snapshot);
    made.dns_is_silent = atomic_load(&verifier->dns_is_silent);
    made.name_servers = servers.count;
    made.name_servers_silent = made.dns_is_silent ? servers.count : servers.silent;
    made.dns_silent_ms = servers.silent_ms;
    if (made.dns_is_silent || servers.silent > 0 || servers.silent_ms > 0)
        ask_again(verifier);
    if (verifier->memory.cache != NULL)
        cache_get_state(verifier->memory.cache, &cache);
    made.store_is_lost = cache.is_lost;
    made.writes_are_lost = cache.loses_writes;
    (void)sized_write(health, SIZED_HEALTH, &made, sizeof made);
}
