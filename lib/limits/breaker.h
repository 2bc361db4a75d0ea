/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * breaker: whether a mail host may be called now. One that fails again and again is held back for a
 * growing while, so that a dead or unfriendly one costs nobody anything. Pure: the record is the
 * caller's to read and to store, the time is the caller's to tell. Knows no clock, no cache, no
 * lock.
 */
#ifndef RB_LIMITS_BREAKER_H
#define RB_LIMITS_BREAKER_H

#include "cache/record.h"
#include "ringback.h"

#include <stdbool.h>
#include <stdint.h>

enum { BREAKER_HOLD_MAX_S = 24 * 3600 }; /* however often it fails, a host is tried once a day */

/*
 * True while the host must not be called. Once the hold is over it may be tried: an answer closes
 * the breaker, one failure opens it again. A hold that ends further off than BREAKER_HOLD_MAX_S
 * (the clock was set back, the record is damaged) does not count.
 */
bool breaker_holds_back(const struct host_record *host, int64_t now_s);

/*
 * The host failed, `why` being a reason that counts (breaker_counts). At
 * breaker_failures in a row it is held back for hold_s, and for twice as long each time that the
 * trial after a hold fails too, up to BREAKER_HOLD_MAX_S. A failure during a hold (of a callout
 * that was under way) does not lengthen it. breaker_failures 0: failures are counted, but never
 * hold the host back.
 */
void breaker_host_failed(struct host_record *host, enum rb_reason why, unsigned breaker_failures,
                         int64_t hold_s, int64_t now_s);

/* The host answered as a mail host should, whatever it said of the address: all is forgiven. */
void breaker_host_answered(struct host_record *host, int64_t now_s);

/*
 * True when a callout that ended so is a failure of the host, or of what it thinks of us, and not
 * an answer about an address. A 421 or 4yz in place of a banner also counts; only the caller sees
 * the stage.
 */
bool breaker_counts(enum rb_reason reason);

#endif
