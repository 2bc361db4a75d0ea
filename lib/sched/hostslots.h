/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hostslots: sessions under way with each mail host's IP address, over all destinations: many
 * domains live on one host, which counts connections and not domains. A destination that finds all
 * slots of a host taken is blocked, and needs no worker, until one is free. What the host has let
 * us know of itself lately is kept with them: how many sessions it allows, whether we are too much
 * for it now.
 *
 * Thread rule: no locks of its own; every call is made under the owner's lock. now_ms: monotonic.
 */
#ifndef RB_SCHED_HOSTSLOTS_H
#define RB_SCHED_HOSTSLOTS_H

#include "sched/destination.h"
#include "sched/sched.h"

enum {
    /* So long a limit that a host showed us counts: it may have been others' load that day. */
    HOSTSLOTS_ALLOWED_MS = 5 * 60 * 1000,
    /* So long a host for which we were too much is left alone: Postfix (anvil) and most hosts of
     * Exim count by the minute. */
    HOSTSLOTS_PAUSE_MS = 60 * 1000,
    /* So long a host may not have noticed that a session of ours has ended: Exim, until it has
     * waited for its process. */
    HOSTSLOTS_LAG_MS = 5000,
    HOSTSLOTS_LAGS_MAX = 10, /* and so often on end a host is believed to lag */
    /* So long an answer about some address says that the host answers. */
    HOSTSLOTS_ANSWERED_MS = 15 * 60 * 1000,
    /* Hosts that are remembered though nothing goes on with them; the longest idle is forgotten. */
    HOSTSLOTS_IDLE_MAX = 1024,
};

/* Zeroed but for sessions_max: none. */
struct hostslots {
    unsigned sessions_max; /* at a time, with one host; not for mail stores of our own */
    struct mail_host *table;
    struct mail_host *idle; /* hosts with which nothing goes on, the longest idle first */
    unsigned idle_count;
};

/*
 * May a session of this destination call this host? CALLOUT_CALL: hostslots_leave when done with
 * it. CALLOUT_FULL: not now, the destination is blocked until a slot is free. CALLOUT_HELD_BACK:
 * not at all, for another session is on trial with it, or memory is out. CALLOUT_PAUSED:
 * hostslots_pause. on_trial: the host was held back until now, so that one session alone finds out
 * whether it is well again. Destinations that were blocked before come first.
 */
enum callout_permission hostslots_enter(struct hostslots *hostslots,
                                        struct destinations *destinations,
                                        struct destination *destination, const char *ip,
                                        bool on_trial, int64_t now_ms);

/*
 * A session of the destination is over: those blocked for longest are unblocked, as many as there
 * is room for. True: some were, and workers are to come for them.
 */
bool hostslots_leave(struct hostslots *hostslots, struct destinations *destinations,
                     const struct destination *destination, const char *ip,
                     const struct sched_contact *contact, int64_t now_ms);

/*
 * A session of the destination that has entered was turned away by the host, as one too many. It is
 * still to leave; where others are open the destination is blocked until a slot is free. may_lag:
 * whether SCHED_LAGS is an explanation.
 */
enum sched_excess hostslots_turned_away(struct hostslots *hostslots,
                                        struct destinations *destinations,
                                        struct destination *destination, const char *ip,
                                        bool may_lag, struct sched_contact *contact,
                                        int64_t now_ms);

/* We were too much for the host. Only between hostslots_enter and hostslots_leave. */
void hostslots_pause(struct hostslots *hostslots, const char *ip, int64_t now_ms);

/* The host has answered about an address; whether it has lately. */
void hostslots_note_answer(struct hostslots *hostslots, const char *ip, int64_t now_ms);
bool hostslots_has_answered(const struct hostslots *hostslots, const char *ip, int64_t now_ms);

/*
 * A callout over the destination has ended. A slot that was reserved for it and that it did not
 * take is the next one's (true: a worker is to come for that). One that has no items left is not
 * blocked any more. To be called before destinations_release.
 */
bool hostslots_end_callout(struct hostslots *hostslots, struct destinations *destinations,
                           struct destination *destination, int64_t now_ms);

/* Whether destinations are blocked on the host. */
bool hostslots_has_blocked(const struct hostslots *hostslots, const char *ip);

/* Sessions with the host now. */
unsigned hostslots_running(const struct hostslots *hostslots, const char *ip);

/* Frees what is left. No session may run; destinations are not looked at. */
void hostslots_free(struct hostslots *hostslots);

#endif
