/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * retry_record: what the cache keeps of an address whose mail host said "later": since when, how
 * often it was asked again, when that is due next, and who does it. The record's codec and the
 * rules of the schedule. Pure: intervals are computed from today's configuration.
 */
#ifndef RB_CACHE_RETRY_RECORD_H
#define RB_CACHE_RETRY_RECORD_H

#include "cache/record.h"
#include "ringback.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    RETRY_GRACE_S = 1, /* beyond what the host asked for: its clock and ours tick apart */
    /*
     * Overdue for so long: its owner is gone, for one that runs asks or puts off all that is due at
     * once.
     */
    RETRY_TAKEOVER_S = 120,
    RETRY_TRIES_MAX = 1000, /* counted so far and no further */
    RETRY_RECORD_SIZE_MAX = 1 + 1 + 2 + 3 * 6 + 8 + 1 + 45 + 4,
};

struct retry_record {
    enum rb_reason reason; /* what the host said last: greylisted or tempfail */
    unsigned tries;        /* how often it was asked again, at most RETRY_TRIES_MAX */
    int64_t first_s;       /* when the host said "later" for the first time */
    int64_t due_s;  /* when it is to be asked again, or, while it is, if nothing comes of it */
    int64_t wait_s; /* what the host asked us to wait; 0: it did not say */
    uint64_t owner; /* who asks again, from the same address, by the same name; 0: whoever can */
    char host[46];  /* the IP address of the host that said so; "": not known */
};

/*
 * Encode: returns the number of octets written to out, 0 when size does not suffice
 * (RETRY_RECORD_SIZE_MAX always does) or a field is out of range. Decode: false when the octets are
 * no record of a retry; *record is then zeroed. They may be damaged or made by an enemy.
 */
size_t retry_record_encode(const struct retry_record *record, uint8_t *out, size_t size);
bool retry_record_decode(const uint8_t *in, size_t len, struct retry_record *record);

/* True for what a later try may change: greylisted and other 4yz. */
bool retry_applies(enum rb_reason reason);

/*
 * The host has said "later" (retry_applies): begins the schedule of a zeroed record, or goes on
 * with it. Due after what the host asked for, else rules->first_s, doubled with each try up to
 * rules->max_s. False: given up, for rules->give_up_s since the first time would have passed by
 * then. The owner is the caller's to set.
 */
bool retry_record_defer(struct retry_record *record, const struct address_record *said,
                        const struct rb_greylist *rules);

/* Due at due_s instead; no try is counted. False: given up, as above. */
bool retry_record_postpone(struct retry_record *record, int64_t due_s,
                           const struct rb_greylist *rules);

/* Whether it is for `owner` to ask now. */
bool retry_record_is_due(const struct retry_record *record, uint64_t owner, int64_t now_s);

#endif
