/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * inflight: questions under way, and who waits for them. A question is asked of the world once,
 * however many ask it: an equal one that comes later joins it. Knows neither cache nor queue.
 *
 * Owns: the table of questions under way, the list of each one's waiters. Lock: one, its own;
 * waiters are told with no lock held.
 * Thread rule: every function may be called from any thread, but init and fini. A question belongs
 * to whoever was handed it (its maker, the gate, sched, a callout), who alone touches it, and ends
 * with inflight_finish.
 */
#ifndef RB_VERIFIER_INFLIGHT_H
#define RB_VERIFIER_INFLIGHT_H

#include "base/hash.h"
#include "cache/cache.h"
#include "callout/callout.h"
#include "limits/rates.h"
#include "mail/relay.h"

#include <pthread.h>
#include <stdatomic.h>

struct claim;
struct question;
struct snapshot;
struct waiter;

enum inflight_event {
    INFLIGHT_ACCEPTED, /* its host has accepted the address; what that is worth is still asked */
    INFLIGHT_ANSWERED,
    INFLIGHT_STOPPED, /* inflight_stop: there will be no answer for those who wait */
};

/* What a waiter is told. It stands until `tell` returns. */
struct inflight_news {
    enum inflight_event event;
    const struct address_record *record; /* accepted, answered: what was said */
    bool from_cache;                     /* answered: it was known after all */
    const struct claim
        *claim; /* answered: with its result, of a question that has one; else NULL */
    int64_t when_ms;
    struct rb_transcript *
        *transcript; /* answered: *transcript is the taker's, who sets it to NULL */
};

/*
 * One who waits for a question; part of something of its owner's, which `release` frees. All three
 * are called from any thread, with no lock held. `tell`: at most once accepted, and at most once
 * answered or stopped, after which it waits no more; it must call nobody. Both may come at one time
 * from two threads, and once more after inflight_leave. `call`: after all who wait for the same
 * have been told answered or stopped; it may take its time, at the cost of the others' calls.
 */
struct waiter {
    void (*tell)(struct waiter *waiter, const struct inflight_news *news);
    void (*call)(struct waiter *waiter);
    void (*release)(struct waiter *waiter);
    atomic_uint references;
    _Atomic int64_t asked_ms;        /* when whoever was first to ask its question did */
    _Atomic enum rb_voucher voucher; /* for its own client, whoever asks the same; see question */
    struct question *question;       /* lock; NULL: it waits no more, or not yet */
    struct waiter *prev, *next;      /* lock; of its question */
    struct waiter *next_told;        /* of those who are being told `accepted` */
};

/* Questions with the same one are equal. */
struct inflight_key {
    uint64_t message_size;        /* the item's; the table hashes it with the text behind it */
    char text[CACHE_KEY_MAX + 1]; /* cache_address_key */
};

struct question {
    struct callout_item item; /* first: question_of */
    struct inflight_key key;
    char domain[RB_DOMAIN_MAX + 1];
    char client[RATES_CLIENT_KEY_SIZE]; /* whose rate it counts in; "": nobody's */
    bool is_private;                    /* is not joined, and joins none */
    bool no_cache;                      /* a cached answer will not do */
    enum rb_voucher voucher; /* for the client of those who wait, when it joins or is under way */
    bool retry;              /* nobody waits: asked again because the host said "later" */
    bool from_cache;         /* the answer was known after all */
    int64_t held_until_s; /* the first of its hosts that were held back is not then; 0: none was */
    int64_t asked_ms;
    /* It is about a client, and malloc'ed (claim.h); NULL: about an address. */
    struct claim *claim;
    /* Where the gate is to hand it when it is let through; NULL: it is submitted. */
    void (*let_through)(struct rb_verifier *verifier, const struct snapshot *snapshot,
                        struct question *question);
    struct waiter *waiters; /* inflight's lock, and those below */
    bool accepted;          /* its host has said this: */
    struct address_record said;
    bool under_way, listed; /* in the list; in the table: may be joined */
    struct question *prev, *next;
    UT_hash_handle hh;
    char relay[]; /* "": none */
};

struct inflight {
    const struct rb_clock *clock;
    pthread_mutex_t lock;       /* covers: */
    struct question *under_way; /* those that have joined none, until they are finished */
    struct question *table;     /* of these, those that may be joined, by key */
};

void inflight_init(struct inflight *inflight, const struct rb_clock *clock);

/* No question may be under way. */
void inflight_fini(struct inflight *inflight);

/* A question about an address, the caller's; relay: NULL for none. NULL: a text is too long, or no
 * memory. */
struct question *question_new(const char *key, const char *domain, const char *relay);

/* Asks for room for a message of that many octets too. Before it is under way. */
void question_set_size(struct question *question, uint64_t octets);

/* One that was handed to nobody. */
void question_free(struct question *question);

struct question *question_of(struct callout_item *item);

/* One more reference to a waiter, and one less; the last one releases it. */
void waiter_get(struct waiter *waiter);
void waiter_put(struct waiter *waiter);

/* A waiter, with tell, release and a reference of its owner's, waits for a question that nobody
 * else has yet. */
void inflight_wait_for(struct question *question, struct waiter *waiter);

/*
 * Puts a question under way, with its waiters. True: an equal one is under way; they wait for that
 * now, and the question is gone.
 */
bool inflight_join(struct inflight *inflight, struct question *question);

/* Whether an equal question, which may be joined, is under way. */
bool inflight_has(struct inflight *inflight, const char *key, uint64_t message_size);

/* The question's host has accepted the address with these words. Once at most. */
void inflight_accepted(struct inflight *inflight, struct question *question,
                       const struct address_record *said);

/*
 * The answer is there: whoever waits is told, and the question is gone, under way or not. count
 * (NULL is fine) grows at the moment from which on the question cannot be joined: whoever sees it
 * grown, and asks again, joins nothing that has ended.
 */
void inflight_finish(struct inflight *inflight, struct question *question,
                     const struct address_record *record, atomic_ullong *count);

/*
 * The question is gone, under way or not, and whoever waits for it waits for the next one, which
 * nobody else has yet.
 */
void inflight_hand_on(struct inflight *inflight, struct question *question, struct question *next);

/* The waiter waits no more. It may still be told what had happened before, until it is released. */
void inflight_leave(struct inflight *inflight, struct waiter *waiter);

/* Tells all who wait for what is under way that they wait in vain. Who has a question goes on. */
void inflight_stop(struct inflight *inflight);

#endif
