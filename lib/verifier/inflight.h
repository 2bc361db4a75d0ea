/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flight: a question under way. Equal questions join it instead of becoming a call of their own;
 * whoever waits may leave, the flight goes on; when it has landed its answer stays as long as
 * someone holds it.
 *
 * Thread rule: every field and every function under the verifier's lock, but for `item` while a
 * callout owns it, and for what is const after flight_new.
 */
#ifndef RB_VERIFIER_INFLIGHT_H
#define RB_VERIFIER_INFLIGHT_H

#include "cache/cache.h"
#include "callout/callout.h"
#include "base/hash.h"
#include "mail/relay.h"
#include "limits/rates.h"

#include <pthread.h>

struct flight {
    struct callout_item
        item; /* what the queue and the callout see; first, so that it can be found again */
    char key[CACHE_KEY_MAX + 1];
    char domain[RB_DOMAIN_MAX + 1];
    char relay[RELAY_MAX + 1];          /* "": none */
    char client[RATES_CLIENT_KEY_SIZE]; /* whose rate it counts in; "": nobody's */
    bool listed;                        /* in the table: may be joined */
    bool no_cache;                      /* asked for afresh: a cached answer will not do */
    bool retry;           /* nobody waits: asked again because the host said "later" */
    int64_t held_until_s; /* the first of its hosts that were held back is not then; 0: none was */
    bool accepted; /* by its host, and whether the domain accepts everything is still asked */
    bool landed;
    bool from_cache; /* the answer was known after all */
    int64_t started_ms, landed_ms;
    unsigned holders;             /* tickets, and one for the queue or callout */
    struct flight *followers;     /* of equal questions: they land with it; each held by it */
    struct flight *prev, *next;   /* of the followers of one flight */
    struct address_record record; /* once landed: the answer; accepted: what its host said */
    pthread_cond_t landing;
    UT_hash_handle hh;
};

/* Flights by key. */
struct flights {
    struct flight *table;
};

/* A flight with one holder, not listed. NULL: out of memory. The condition runs on the monotonic
 * clock. */
struct flight *flight_new(const char *key, const char *domain, const char *relay);

/* The listed flight for a key; NULL when there is none. Takes no hold. */
struct flight *flights_find(const struct flights *flights, const char *key);

/* Lists a flight. RB_ERR_NOMEM: it is not listed and cannot be joined, but may go on. */
enum rb_error flights_list(struct flights *flights, struct flight *flight);

/*
 * Its host has accepted the address, with these words; what that is worth is still to be found out.
 * Wakes all who wait: for some that is enough.
 */
void flight_accepted(struct flight *flight, const struct address_record *said);

/*
 * From now on the flight goes where the leader goes, which is a listed one of an equal question. The
 * hold that it had for the queue becomes the leader's.
 */
void flight_follow(struct flight *leader, struct flight *flight);

/* The answer is there, now: takes the flight off the list and wakes all who wait. */
void flight_land(struct flights *flights, struct flight *flight,
                 const struct address_record *record, int64_t now_ms);

/* One holder less; frees the flight with the last one. */
void flight_put(struct flight *flight);

/* The flight of an item. */
struct flight *flight_of(struct callout_item *item);

#endif
