/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * verifier: what its parts share: verifier.c (the whole), api.c (the questions), peek.c (questions
 * that are only thought of), gate.c (whether somebody may be called for them), board.c (their
 * flights), jobs.c (one callout of the threads of sched), landing.c (what comes of it). The public
 * face is ringback.h.
 *
 * Lock: `lock` covers the fields marked [lock]. It is not held across I/O or hooks.
 */
#ifndef RB_VERIFIER_H
#define RB_VERIFIER_H

#include "limits/limits.h"
#include "verifier/checks.h"
#include "dns/dns.h"
#include "verifier/inflight.h"
#include "verifier/memory.h"
#include "verifier/identity.h"
#include "options/options.h"
#include "base/pool.h"
#include "sched/sched.h"
#include "verifier/retry.h"
#include "ringback.h"
#include "options/snapshot.h"
#include "spf/memo.h"

#include <pthread.h>
#include <stdatomic.h>

struct counters {
    atomic_ullong questions, cache_hit, cache_stale, cache_miss, coalesced, settled_by_fact;
    atomic_ullong sessions, busy, limited, spf_fail;
    atomic_ullong callouts[RB_REASON_MAX];
};

/* One caller who waits for a flight; on its stack. */
struct waiter {
    struct flight *flight;
    struct waiter *prev, *next;
};

struct rb_verifier {
    const struct rb_clock *clock;
    struct memory memory;       /* has a lock of its own */
    struct snapshots snapshots; /* has a lock of its own; replaced under this one too */
    struct limits limits;       /* has a lock of its own, which may be taken under this one */
    struct retry *
        retry; /* NULL: no cache to write to; what is asked again by itself; has a lock of its own */
    struct sched *sched; /* what is to be asked, and the threads that do; has a lock of its own */
    struct memo *spf;    /* what SPF said lately; has a lock of its own */
    void *tls_context;
    int cancel_fd; /* readable once the verifier stops */
    uint8_t probe_key[32];
    struct pool tickets;        /* has a lock of its own */
    atomic_size_t tickets_held; /* by callers */
    struct counters counters;

    pthread_mutex_t lock;
    struct flights flights; /* [lock] */
    struct checks checks;   /* [lock] */
    struct waiter *waiters; /* [lock] */
    bool stopping;          /* [lock] */
};

/* --- verifier.c ----------------------------------------------------------- */

/* An answer about this moment only: nothing was asked, or nothing heard. */
struct address_record verifier_moment(const struct rb_verifier *verifier, enum rb_reason reason,
                                      const char *rule);

/* What the limits hold back now, as shield_list_up and rates_list_limited tell it. No lock held. */
size_t verifier_shields(struct rb_verifier *verifier, struct shield_up *list, size_t size);
size_t verifier_rates(struct rb_verifier *verifier, struct rates_limited *list, size_t size);

/*
 * Whether we are who we say we are, by the options of today (identity.h). Waits for name servers,
 * for wait_ms. No lock held.
 */
void verifier_identity(struct rb_verifier *verifier, unsigned wait_ms, struct identity *identity);

/* --- ask.c ---------------------------------------------------------------- */

/* What is said of what cannot be asked about: neither ADDRESS_OK nor ADDRESS_NOMEM. */
struct address_record ask_about_nobody(const struct rb_verifier *verifier,
                                       enum address_fault fault);

/* What tickets are made from; pool_fini ends it. Before anybody asks. */
void ask_init(struct rb_verifier *verifier);

/* --- gate.c --------------------------------------------------------------- */

enum gate_word {
    GATE_OPEN,
    GATE_CLOSED, /* the domain disowns the client */
    GATE_ASKS,   /* not known without asking DNS */
    GATE_NO_MEMORY,
    GATE_NO_WORKER, /* nobody would come for the look-up */
};

/* Whether a question must pass the gate before anybody is called. */
bool gate_is_for(const struct options *options, const struct rb_question *question);

/*
 * What SPF says of who sends for whom, as far as that is known without asking anybody. GATE_ASKS:
 * *check is the caller's, for gate_wait; else it is NULL. No lock held.
 */
enum gate_word gate_ask(struct rb_verifier *verifier, const struct snapshot *snapshot,
                        const struct spf_question *question, struct check **check);

/*
 * Begins to find out, or joins an equal check; takes the check. The flight, of board_prepare, and
 * its hold go on then: it departs, or lands with spf_fail; where nobody can wait, it lands at once.
 * NULL: it is only for those who come later. No lock held.
 */
void gate_wait(struct rb_verifier *verifier, struct check *check, struct flight *flight);

/*
 * Makes a look-up, and goes on with what waited for it: the hook of sched. arg: the verifier. A
 * worker's thread, no lock held; call: who keeps this thread waiting.
 */
void gate_look_up(void *arg, struct sched_lookup *lookup, struct stall_call *call);

/* The end: what waits at the gate lands. Under the lock. */
void gate_stop(struct rb_verifier *verifier);

/* --- board.c -------------------------------------------------------------- */

/*
 * A flight for a question, which takes no place yet. Of the question, relay, client, no_cache and
 * transcript count; key: the cache's. The hold on it is the caller's, for board_depart. NULL: no
 * memory. No lock held.
 */
struct flight *board_prepare(struct rb_verifier *verifier, const struct rb_question *question,
                             const struct address *address, const char *key);

/* It takes place: after that of an equal question, if there is one. No lock held. */
void board_depart(struct rb_verifier *verifier, const struct options *options,
                  struct flight *flight);

/*
 * Joins the flight of an equal question, or starts one; as board_prepare. The caller's hold is on
 * the result, to be given up with board_leave; NULL: no memory. No lock held.
 */
struct flight *board_flight(struct rb_verifier *verifier, const struct options *options,
                            const struct rb_question *question, const struct address *address,
                            const char *key);

/*
 * Why a question may not be asked of the world now; RB_REASON_NONE: it may. relay and client (a key
 * of rates.h): "" where there is none. Changes and counts nothing. Under the lock.
 */
enum rb_reason board_forbids(struct rb_verifier *verifier, const char *domain, const char *relay,
                             const char *client, const char **rule);

/* NULL is fine. No lock held. */
void board_leave(struct rb_verifier *verifier, struct flight *flight);

/*
 * Asks about an address again, whatever the cache says, with nobody waiting; arg: the verifier,
 * key: the cache's. False: not now, for the queue is too full, or a limit forbids it. No lock held.
 */
bool verifier_ask_again(void *arg, const char *key);

/* --- landing.c ------------------------------------------------------------ */

/*
 * Lands a flight with its final answer: cache, counters, waiters. No lock held. Drops the callout's
 * hold.
 */
void verifier_land(struct rb_verifier *verifier, struct flight *flight,
                   const struct address_record *record);

#endif
