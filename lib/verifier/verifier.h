/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * verifier: the rooms that a question goes through, and what the whole counts. For the files that
 * work over several rooms: verifier.c (open, stop, close, stats), health.c, api.c and ticket.c (how questions
 * are asked and waited for), gate.c, submit.c, clients.c, jobs.c, peek.c. The public face is ringback.h.
 *
 * Owns: nothing that changes, but atomics. Lock: none. Each room has one of its own, and says so in
 * its header. Nobody holds the locks of two rooms, but for the cache's own below those of memory
 * and retry, nor any lock across I/O or a call upwards.
 */
#ifndef RB_VERIFIER_H
#define RB_VERIFIER_H

#include "base/clock.h"
#include "base/histogram.h"
#include "limits/limits.h"
#include "options/snapshot.h"
#include "ringback.h"
#include "sched/sched.h"
#include "verifier/gate.h"
#include "verifier/health.h"
#include "verifier/inflight.h"
#include "verifier/memory.h"
#include "verifier/retry.h"

#include <stdatomic.h>

struct counters {
    atomic_ullong questions, cache_hit, cache_stale, cache_miss, coalesced, settled_by_fact;
    atomic_ullong sessions, busy, limited;
    atomic_ullong spf_fail, spf_softfail, not_vouched;
    atomic_ullong callouts[RB_REASON_MAX];
    atomic_ullong client_questions, client_known;
    atomic_ullong clients[RB_CLIENT_MAX];
    struct histogram durations; /* of what `callouts` counts, in milliseconds */
};

struct rb_verifier {
    const struct rb_clock *clock;
    struct snapshots snapshots; /* the options of today */
    struct memory memory;       /* what is known */
    struct limits limits;       /* what may be asked now */
    struct inflight inflight;   /* questions under way, and who waits for them */
    struct gate gate;           /* questions whose client is not known to be allowed */
    struct sched *sched;        /* what is to be asked, and the threads that do */
    struct retry *retry; /* what is asked again by itself; NULL: there is no cache to write to */
    void *tls_context;
    struct rb_observer observer; /* as of rb_verifier_open */
    atomic_bool dns_is_silent;   /* so it was found, by whatever snapshot's resolver */
    struct health health;        /* asks silent name servers again */
    int cancel_fd;               /* readable once the verifier stops */
    uint8_t probe_key[32];
    atomic_bool stopping;
    atomic_size_t tickets_held; /* by callers */
    struct counters counters;
};

/* An answer about this moment only: nothing was asked, or nothing heard. */
static inline void verifier_moment(const struct rb_verifier *verifier, enum rb_reason reason,
                                   const char *rule, struct address_record *record)
{
    address_record_set(record, reason, rule, clock_wall_s(verifier->clock));
}

/* The answer that a limit gives for now. */
static inline void verifier_limited(const struct rb_verifier *verifier, enum rb_limit limit,
                                    struct address_record *record)
{
    verifier_moment(verifier, RB_REASON_LIMITED, "", record);
    address_record_limit(record, limit);
}

#endif
