/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * destination: where questions go, a domain or a relay, and what belongs to each: the items that
 * wait for it, its idle sessions, the probe whether it accepts everything.
 *
 * A destination that has items waiting, may have another session, and is not blocked on a mail host
 * (hostslots.h) is ready. Ready ones are served in turn, so that a busy destination delays no
 * other.
 *
 * A session that has nothing to ask may be kept open, idle, for the next item of its destination.
 * Of several, the one that became idle last gets it: so surplus ones stay idle for long enough to
 * end. Where others need what an idle session holds (its worker, its mail host's slot), the one
 * that has been idle for longest is evicted.
 *
 * A verb (callout_item's) is said in a session that there is, rather than in one more: as long as a
 * callout under way may be given it, it is kept for that one, and makes no destination ready.
 *
 * Thread rule: no locks of its own; every call is made under the owner's lock.
 */
#ifndef RB_SCHED_DESTINATION_H
#define RB_SCHED_DESTINATION_H

#include "base/hash.h"
#include "callout/callout.h"
#include "mail/relay.h"
#include "sched/sched.h"

#include <pthread.h>
#include <stdatomic.h>

struct mail_host;

/* One idle session; on its worker's stack. It must not move while it is listed. */
struct idle_session {
    pthread_cond_t woken; /* `is_over` has become true; to be waited for with the owner's lock */
    bool is_over;
    struct callout_item *item; /* what it got, once it is over; NULL: the session is to end */
    struct sched_callout *callout;
    const char *host;                     /* as its hooks know it; lives as long as this */
    struct idle_session *prev, *next;     /* of its destination, the last first */
    struct idle_session *older, *younger; /* of all, the longest first */
};

/* Lives as long as an item waits for it or a session of it runs. */
struct destination {
    const char *domain, *relay;             /* in key; relay "": the domain's mail hosts */
    struct callout_item *first, **last;     /* items that wait; *last: where the next one is put */
    struct callout_item *kept, **kept_last; /* verbs that wait for a callout under way */
    atomic_uint waiting;            /* how many those are: may be looked at without the lock */
    unsigned running;               /* sessions */
    struct sched_callout *callouts; /* theirs */
    int64_t gap_ms; /* between its last two pushes; one may be another destination's */
    bool is_ready;  /* in the list of ready ones */
    struct destination *prev, *next;
    struct idle_session *idle;

    /* hostslots.c's: */
    struct mail_host *blocked_on; /* not ready until this host has a slot; NULL: not blocked */
    struct mail_host *reserved;   /* a slot of this host is kept for it; NULL: none */
    struct destination *blocked_prev, *blocked_next; /* of those blocked on the same host */

    /* The probe: whether the domain accepts every local part. One session asks, others wait. */
    bool is_probed;
    struct fact catch_all;       /* as last found out; FACT_UNKNOWN: never */
    struct callout_item *parked; /* accepted while another session probed */

    UT_hash_handle hh;
    char key[]; /* relay '\0' domain '\0', the last of which does not count */
};

enum { DESTINATIONS_STAMPS = 1024 };

/* Zeroed but for sessions_max: none. */
struct destinations {
    unsigned sessions_max; /* at a time, of one destination */
    struct destination *table;
    struct destination *ready; /* the one that is served next first */
    unsigned ready_count;
    atomic_uint pending;       /* items that wait; may be read without the lock */
    unsigned running;          /* sessions */
    struct idle_session *idle; /* of these, the idle ones */
    unsigned idle_count;
    int64_t pushed_ms[DESTINATIONS_STAMPS]; /* when last for a destination, by its hash */
};

/* --- Items ----------------------------------------------------------------- */

/*
 * Puts an item, with its asked_ms, behind the others of its destination. relay: "" for none.
 * RB_ERR_NOMEM: it was not taken.
 */
enum rb_error destinations_push(struct destinations *destinations, const char *relay,
                                const char *domain, struct callout_item *item);

/*
 * Begins a session of the ready destination whose turn it is, with the first *item that waits for
 * it. NULL: none is ready. destinations_release ends the session.
 */
struct destination *destinations_next(struct destinations *destinations,
                                      struct callout_item **item);

/* Another item of its destination that the callout may be given, NULL when none waits. */
struct callout_item *destinations_take(struct destinations *destinations,
                                       struct sched_callout *callout);

/* Puts back an item that was taken, before all others of its destination. */
void destinations_put_back(struct destinations *destinations, struct destination *destination,
                           struct callout_item *item);

/* Lists the destination as ready, or not, after its `blocked_on` was changed. */
void destinations_update(struct destinations *destinations, struct destination *destination);

/* A session of the destination has ended. The destination may be freed by this. */
void destinations_release(struct destinations *destinations, struct destination *destination);

/* Takes all items, whatever their destination, as a list: for the end. */
struct callout_item *destinations_drain(struct destinations *destinations);

/* Frees what is left; no item may wait and no session run. */
void destinations_free(struct destinations *destinations);

/* --- Callouts ---------------------------------------------------------------- */

/* A session's callout begins, with that item; callout->destination is set, the rest zeroed. */
void destinations_begin_callout(struct destinations *destinations, struct sched_callout *callout,
                                const struct callout_item *item);

/*
 * The callout is with the mail host of that name from now on; "": with none. True: a verb that was
 * kept for it is to be asked in another one.
 */
bool destinations_set_mx(struct destinations *destinations, struct sched_callout *callout,
                         const char *mx);

/* The callout has ended. To be called before destinations_release. */
void destinations_end_callout(struct destinations *destinations, struct sched_callout *callout);

/* Whether a callout is with that mail host, and may be given a verb. */
bool destinations_have_session_with(const struct destinations *destinations, const char *relay,
                                    const char *domain, const char *mx);

/* --- Idle sessions ----------------------------------------------------------- */

/* A callout's session becomes idle. Where an item waits that it may be given, it gets it at once. */
void idle_begin(struct idle_session *idle, struct destinations *destinations,
                struct sched_callout *callout, const char *host);

/* It is idle no longer, if only because its time is up. What it got; NULL: nothing. */
struct callout_item *idle_finish(struct idle_session *idle, struct destinations *destinations);

/* Evicts the session that has been idle for longest with a host; NULL: any. False: there is
 * none. */
bool idle_evict(struct destinations *destinations, const char *host);

/* --- The probe ----------------------------------------------------------------- */

/*
 * An item was accepted by its mail host, and its session does not know whether the domain accepts
 * everything. CALLOUT_PROBE: the session finds out, and tells by destination_end_probe.
 * CALLOUT_PROBE_PARKED: another one does; the item is kept, with what its host said in `best`,
 * until that one ends its probe (NULL: it is only said so). CALLOUT_PROBE_KNOWN: another one has
 * found out, not more than ttl_s ago: *catch_all. now_s: wall clock.
 */
enum callout_probe destination_begin_probe(struct destination *destination,
                                           struct callout_item *item,
                                           const struct address_record *accepted, int64_t ttl_s,
                                           int64_t now_s, struct fact *catch_all);

/*
 * The probe is over; FACT_UNKNOWN: it told nothing, or was cut short. The parked items are the
 * caller's, a list, to be answered by what is known now: nobody probes once more for them.
 */
struct callout_item *destination_end_probe(struct destination *destination,
                                           const struct fact *catch_all);

#endif
