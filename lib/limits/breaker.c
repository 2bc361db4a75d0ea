/* SPDX-License-Identifier: BSD-2-Clause */
/* breaker: see breaker.h. Its state is all in the host record, so it survives a restart. */
#include "config.h"

#include "limits/breaker.h"

#include <limits.h>

static int64_t hold_length_s(int64_t hold_s, unsigned trips)
{
    int64_t length_s = hold_s > 0 ? hold_s : 0;
    while (trips > 0 && length_s > 0 && length_s < BREAKER_HOLD_MAX_S) {
        length_s *= 2;
        trips--;
    }
    return length_s < BREAKER_HOLD_MAX_S ? length_s : BREAKER_HOLD_MAX_S;
}

static void count_up(unsigned *counter)
{
    if (*counter < UINT_MAX)
        (*counter)++;
}

bool breaker_holds_back(const struct host_record *host, int64_t now_s)
{
    if (host->held_until_s <= now_s)
        return false;
    /* Unsigned, because a damaged record may hold any number. */
    return (uint64_t)host->held_until_s - (uint64_t)now_s <= BREAKER_HOLD_MAX_S;
}

void breaker_host_failed(struct host_record *host, enum rb_reason why, unsigned breaker_failures,
                         int64_t hold_s, int64_t now_s)
{
    count_up(&host->failures);
    host->reason = why;
    host->stamp_s = now_s;
    if (breaker_failures == 0 || breaker_holds_back(host, now_s))
        return;
    /* Only an answer clears trips: where it is above 0, this failure is that of a trial. */
    if (host->trips == 0 && host->failures < breaker_failures)
        return;
    host->held_until_s = now_s + hold_length_s(hold_s, host->trips);
    count_up(&host->trips);
}

void breaker_host_answered(struct host_record *host, int64_t now_s)
{
    *host = (struct host_record){.reason = RB_REASON_NONE, .stamp_s = now_s};
}

bool breaker_counts(enum rb_reason reason)
{
    switch (reason) {
    case RB_REASON_BLOCKED:
    case RB_REASON_UNREACHABLE:
    case RB_REASON_PROTOCOL_ERROR:
        return true;
    default:
        return false;
    }
}
