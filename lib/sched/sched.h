/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sched: which destination is asked when, and by which thread. Questions (callout items) and
 * look-ups are pushed from above; threads of its own take them and call up by the hooks given at
 * open.
 *
 * Owns: the destinations and what waits for them, the slots of mail hosts, the lists of callouts
 * and look-ups under way and how long they have been kept waiting, the idle sessions, the threads.
 * Lock: one, its own. Each function takes it itself, at most once, and leaves it before it returns;
 * hooks are called without it. Callers hold no lock of their own. A question costs three takes as
 * a rule: sched_push, sched_host_enter, and the worker's with which a callout ends and the next begins.
 *
 * Thread rule: any thread; a callout is for the thread that was handed it by `run`.
 */
#ifndef RB_SCHED_SCHED_H
#define RB_SCHED_SCHED_H

#include "base/stall.h"
#include "callout/callout.h"
#include "ringback.h"

#include <stdbool.h>
#include <stdint.h>

struct sched;       /* opaque */
struct destination; /* opaque */

/* What the options allow; all but workers_max may change while it is open. */
struct sched_limits {
    unsigned workers_max;         /* workers, but for those that are exempt */
    unsigned max_held;            /* exempt workers: stalled, or with an idle session */
    unsigned max_pending;         /* items that wait */
    unsigned per_domain_sessions; /* callouts at a time over one destination */
    unsigned per_host_sessions; /* sessions at a time with one IP address, over all destinations */
};

/* A look-up that waits for a thread. Its owner embeds it; it must not move until it is made. */
struct sched_lookup {
    struct sched_lookup *prev, *next;
};

/* How it went for the sessions of one callout with one host. Zeroed: none was begun. */
struct sched_contact {
    bool let_in;      /* the host has spoken with one of them: the callout's to set */
    bool answered;    /* it has said something of an address: the callout's to set */
    bool turned_away; /* sched_turned_away's */
};

/* The host that a callout's end leaves, in the one take of the lock that ends it. */
struct sched_leave {
    bool is_due;
    char host[CALLOUT_HOST_MAX + 1];
    struct sched_contact contact;
};

/*
 * A callout under way over a destination, on the stack of its worker. It says one verb at most: a
 * second one would be in one session with the first, and hosts count them.
 */
struct sched_callout {
    struct destination *destination;
    struct stall_call stall;  /* to be told of every wait for somebody's answer */
    struct sched_leave leave; /* the callout's, zeroed: instead of the last sched_host_leave */
    /* sched's, under its lock: */
    char mx[RB_DOMAIN_MAX + 1];        /* the mail host that it is with; "": none */
    bool has_verb;                     /* it was given one */
    bool awaits_verb;                  /* one follows in a moment: callout_item's then_client */
    struct sched_callout *prev, *next; /* of its destination */
};

/* What the threads call, without a lock. */
struct sched_hooks {
    /* One callout: about the item, and what else sched_take has for it. */
    void (*run)(void *arg, struct sched_callout *callout, struct callout_item *item);
    /* Makes a look-up; it is the hook's from then on. `call` is told of every wait. */
    void (*look_up)(void *arg, struct sched_lookup *lookup, struct stall_call *call);
    void *arg;
};

/* The clock and what the hooks' arg points to must outlive it. RB_ERR_NOMEM: *sched is NULL. */
enum rb_error sched_open(const struct sched_limits *limits, const struct sched_hooks *hooks,
                         const struct rb_clock *clock, struct sched **sched);

/* Replaces the limits, but for workers_max. */
void sched_set_limits(struct sched *sched, const struct sched_limits *limits);

/*
 * The end begins: items are neither taken nor handed out any more. Those that still wait are the
 * caller's, a list; a second call has none. Idle sessions are evicted, sleeping threads end.
 */
struct callout_item *sched_stop(struct sched *sched);

/* Waits until all threads are gone. After sched_stop. */
void sched_join(struct sched *sched);

/*
 * Frees. After sched_join, or before anything was pushed; look-ups that were pushed and not made
 * are left to their owner. NULL is fine.
 */
void sched_close(struct sched *sched);

/* --- Questions ------------------------------------------------------------ */

enum sched_push {
    SCHED_PUSHED,    /* the item is sched's, until `run` is given it or sched_stop hands it back */
    SCHED_FULL,      /* max_pending items wait */
    SCHED_STOPPED,   /* sched_stop was called */
    SCHED_NO_WORKER, /* out of memory: nobody would come for it */
};

/*
 * Puts an item, with its asked_ms, behind the others of its destination. relay: "" for none. A verb
 * waits for the callout under way that it can be said in (with the right host, and without a verb
 * so far) to come for it; only where there is none, or that one ends without it, for one of its own.
 */
enum sched_push sched_push(struct sched *sched, const char *relay, const char *domain,
                           struct callout_item *item);

/*
 * Whether a callout over the destination is with the mail host of that name now, in a session that
 * is busy, idle or about to begin, and can still be given a verb: then one that is pushed with this
 * only_mx costs no connection, unless that session ends before.
 */
bool sched_has_session_with(struct sched *sched, const char *relay, const char *domain,
                            const char *mx);

/*
 * Puts a look-up behind the others. RB_ERR_NOMEM: nobody would come for it, and it is the caller's.
 * After sched_stop nobody makes it.
 */
enum rb_error sched_push_lookup(struct sched *sched, struct sched_lookup *lookup);

/* Items that wait now. Takes no lock: whoever pushes next may find another number. */
unsigned sched_pending(const struct sched *sched);

struct sched_gauges {
    unsigned pending; /* items */
    unsigned running; /* callouts */
    unsigned stalled; /* of these, those whose hosts keep them waiting; max_held at most */
    unsigned idle;    /* of these, those that keep a session open, with nothing to ask */
};

void sched_get_gauges(struct sched *sched, struct sched_gauges *gauges);

/* --- For a callout: from `run` alone --------------------------------------- */

/* As in sched_push; both live as long as the callout. */
const char *sched_relay(const struct sched_callout *callout);
const char *sched_domain(const struct sched_callout *callout);

/*
 * Another item of the destination that the callout may ask about; NULL when none waits, or after
 * sched_stop.
 */
struct callout_item *sched_take(struct sched *sched, struct sched_callout *callout);

/* Takes an item back, to be asked about before all others. False: after sched_stop. */
bool sched_put_back(struct sched *sched, struct sched_callout *callout, struct callout_item *item);

/*
 * Whether it pays to keep a session with a host open: the destination was asked about twice within
 * idle_ms, or a verb is awaited, and nothing that waits could use the thread, or the session's
 * slot, better.
 */
bool sched_may_keep_alive(struct sched *sched, struct sched_callout *callout, const char *host,
                          int64_t idle_ms);

/*
 * Waits until there is an item for the session that is kept open; NULL: it is to end. While it is
 * idle, its callout is not listed as one under way. `host` must live until this returns.
 */
struct callout_item *sched_keep_alive(struct sched *sched, struct sched_callout *callout,
                                      const char *host, int64_t idle_ms);

/*
 * Who finds out whether the destination's domain accepts everything; as
 * destination_begin_probe (destination.h) has it.
 */
enum callout_probe sched_begin_probe(struct sched *sched, struct sched_callout *callout,
                                     struct callout_item *item,
                                     const struct address_record *accepted, int64_t ttl_s,
                                     struct fact *catch_all);
struct callout_item *sched_end_probe(struct sched *sched, struct sched_callout *callout,
                                     const struct fact *catch_all);

/* --- For a callout: its mail hosts ----------------------------------------- */

/* What explains that a host sent a session away as one too many. */
enum sched_excess {
    SCHED_ALONE,  /* nothing does: no other was open, nor had just ended */
    SCHED_OTHERS, /* others are open: there will be no more than these for a while */
    SCHED_LAGS,   /* the host may still count one that has just ended */
};

/*
 * May a session of the callout call this host, an address of the mail host of that name? After
 * CALLOUT_CALL sched_host_leave follows. on_trial: the host was held back until now: one session
 * alone finds out whether it is well again.
 */
enum callout_permission sched_host_enter(struct sched *sched, struct sched_callout *callout,
                                         const char *mx, const char *host, bool on_trial);
void sched_host_leave(struct sched *sched, struct sched_callout *callout, const char *host,
                      const struct sched_contact *contact);

/* may_lag: whether SCHED_LAGS is an explanation. Between sched_host_enter and sched_host_leave. */
enum sched_excess sched_turned_away(struct sched *sched, struct sched_callout *callout,
                                    const char *host, bool may_lag, struct sched_contact *contact);

/* We were too much for the host: for a while it is called no more. Between enter and leave. */
void sched_pause_host(struct sched *sched, const char *host);

/* Whether the host has said something of an address lately. */
bool sched_host_answered(struct sched *sched, const char *host);

#endif
