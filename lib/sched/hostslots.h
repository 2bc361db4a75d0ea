/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slots: sessions under way with each mail host's IP address, over all destinations: many domains
 * live on one host, which counts connections and not domains. A destination that finds all slots of
 * a host taken is set aside, without a worker, until one is free. What the host has let us know of
 * itself lately is kept with them: how many sessions it takes, whether we are too much for it now.
 *
 * Thread rule: no locks of its own; every call is made under the owner's lock.
 */
#ifndef RB_SCHED_HOSTSLOTS_H
#define RB_SCHED_HOSTSLOTS_H

#include "sched/destination.h"
#include "sched/sched.h"

struct slot;

enum {
    /* So long a limit that a host showed us counts: it may have been others' load that day. */
    SLOTS_ALLOWED_MS = 5 * 60 * 1000,
    /* So long a host for which we were too much is left alone: Postfix (anvil) and most hosts of
     * Exim count by the minute. */
    SLOTS_PAUSE_MS = 60 * 1000,
    /* So long a host may not have noticed that a session of ours has ended: Exim, until it has
     * waited for its process. */
    SLOTS_LAG_MS = 5000,
    SLOTS_LAGS_MAX = 10, /* and so often it is asked whether it has */
    /* So long an answer about some address says that the host answers. */
    SLOTS_ANSWERED_MS = 15 * 60 * 1000,
    /* Hosts that are remembered though nothing goes on with them; the longest idle is forgotten. */
    SLOTS_IDLE_MAX = 1024,
};

/* Hosts with sessions under way, or waited for, or remembered. Zeroed: none. */
struct slots {
    struct slot *table;
    struct slot *idle; /* those remembered, the longest idle first */
    unsigned idle_count;
};

/*
 * May a session of this destination call this IP address? on_trial: the host was held back until
 * now, so that one session alone finds out whether it is well again. Those set aside before come
 * first. now_ms: monotonic.
 */
enum callout_leave slots_enter(struct slots *slots, struct queue *queue,
                               struct destination *destination, const char *ip,
                               unsigned sessions_max, bool on_trial, int64_t now_ms);

/*
 * A session is over: those set aside for longest may run again (true: workers are to come for
 * them). sessions_max: of the host, as above.
 */
bool slots_leave(struct slots *slots, struct queue *queue, const char *ip, unsigned sessions_max,
                 const struct sched_contact *contact, int64_t now_ms);

/*
 * A session of the destination that has entered was sent away by the host, as one too many. It is
 * still to leave; where others are open the destination is set aside until a slot is free. may_lag:
 * whether SCHED_LAGS is an explanation.
 */
enum sched_excess slots_turned_away(struct slots *slots, struct queue *queue,
                                    struct destination *destination, const char *ip, bool may_lag,
                                    struct sched_contact *contact, int64_t now_ms);

/* We were too much for the host. Only between slots_enter and slots_leave. */
void slots_pause(struct slots *slots, const char *ip, int64_t now_ms);

/* The host has answered about an address; whether it has lately. */
void slots_note_answer(struct slots *slots, const char *ip, int64_t now_ms);
bool slots_answered(const struct slots *slots, const char *ip, int64_t now_ms);

/*
 * A run of the destination is over. Where it was let out for a slot that it did not take, the next
 * one may have that (true: a worker is to come for it). One that has nothing left to ask is not set
 * aside any more. To be called before queue_release.
 */
bool slots_settle(struct slots *slots, struct queue *queue, struct destination *destination,
                  unsigned sessions_max, int64_t now_ms);

/* Whether destinations are set aside for want of a slot. */
bool slots_awaited(const struct slots *slots, const char *ip);

/* Sessions with an IP address now. */
unsigned slots_running(const struct slots *slots, const char *ip);

/* Frees what is left. No session may run; destinations are not looked at. */
void slots_free(struct slots *slots);

#endif
