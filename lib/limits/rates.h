/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rates: how often something may happen, by key (a destination's domain, a client's network...).
 * Each key has a bucket of `count` tokens that refills evenly, `count` in each period, so that in
 * any span at most `count` and the span's share of the rate are allowed. Exact: whole numbers only,
 * nothing is lost or won however the takes are spread.
 *
 * Bounded: a table keeps at most buckets_max buckets. A bucket that is full again says nothing that
 * its absence would not, so a few of those are looked for and dropped whenever a key is new. When
 * all the same the table is full, the bucket that was least recently taken from goes, and with it
 * the memory of what its key has spent. What somebody can win by that: the bucket goes only after
 * buckets_max tokens of other keys have been taken without one of this key among them, and gives
 * back no more than the bucket holds. So a key wins at most `count` tokens for every buckets_max
 * tokens spent on others; and nothing at all where an overall rate stands before the table and
 * lets through no more than buckets_max in any span as long as the period of the key's rate.
 *
 * Keys of different kinds need tables of their own, or a prefix. Every operation but the listing
 * takes constant time. Pure: the time is the caller's to tell.
 *
 * Thread rule: no locks of its own; every call is made under the owner's lock.
 */
#ifndef RB_LIMITS_RATES_H
#define RB_LIMITS_RATES_H

#include "ringback.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum {
    RATES_KEY_MAX = 320,                  /* octets; an address or a domain, with some prefix */
    RATES_CLIENT_KEY_SIZE = 46 + 3,       /* INET6_ADDRSTRLEN and "/64" */
    RATES_COUNT_MAX = 1000 * 1000 * 1000, /* a greater count is taken for this one, */
    RATES_PERIOD_MAX_S = 31 * 24 * 3600,  /* and so is a longer period; 0 for 1 */
    RATES_SWEEP_STEPS = 4,                /* buckets looked at when a key is new */
    RATES_LIST_STEPS_MAX = 100 * 1000,    /* buckets looked at for one listing */
};

struct rates;

/* An empty table; the caller's, to be freed with rates_free. NULL: no memory, or buckets_max 0. */
struct rates *rates_new(size_t buckets_max);

/* NULL is fine. */
void rates_free(struct rates *rates);

/*
 * Would one more be allowed at now_ms (monotonic)? Changes nothing. A rate whose count is 0 allows
 * everything; a key longer than RATES_KEY_MAX, which could not be counted, is allowed nothing.
 */
bool rates_allow(const struct rates *rates, const char *key, const struct rb_rate *rate,
                 int64_t now_ms);

/*
 * Takes one token; from an empty bucket nothing, so ask rates_allow first. A clock that goes back
 * stands still here until it has caught up. Where the rate is another than last time (a reload),
 * the bucket is as full, in proportion, as it was: rounded to a millisecond of the period, never
 * in the key's favour. RB_ERR_TOO_LONG (the key), RB_ERR_NOMEM: nothing was counted.
 */
enum rb_error rates_take(struct rates *rates, const char *key, const struct rb_rate *rate,
                         int64_t now_ms);

/* How many buckets are kept; full ones that were not dropped yet are among them. */
size_t rates_count(const struct rates *rates);

struct rates_limited {
    char key[RATES_KEY_MAX + 1];
    int64_t wait_ms; /* until there is a token */
};

/*
 * The keys that would be allowed nothing at now_ms, by the rate of their last take, the most
 * recently taken first. Returns how many there are, of which the first `size` are written to list
 * (NULL is fine when size is 0). Looks at the RATES_LIST_STEPS_MAX most recent buckets: an empty
 * one was taken from a short while ago.
 */
size_t rates_list_limited(const struct rates *rates, int64_t now_ms, struct rates_limited *list,
                          size_t size);

/*
 * The key of a client: an IPv4 address whole ("192.0.2.1"), v4-mapped ones too, and IPv6 by /64
 * ("2001:db8::/64"), which is what one customer has. "" for anything else, for NULL, and where size
 * does not suffice (RATES_CLIENT_KEY_SIZE always does). Any thread.
 */
void rates_client_key(const struct sockaddr *client, char *key, size_t size);

#endif
