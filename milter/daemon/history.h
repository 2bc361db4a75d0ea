/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * history: what was decided lately, for who looks at the status page: the last decisions whole, and
 * of each minute of a day how many there were and how long clients waited. In memory alone, about
 * half a megabyte, and only once history_start was called: else whatever is told costs a look at a
 * flag. Any thread; each call holds the one lock while it copies one decision or one minute, and
 * never while somebody else's code runs.
 */
#ifndef RB_MILTER_DAEMON_HISTORY_H
#define RB_MILTER_DAEMON_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/histogram.h"
#include "ringback.h"
#include "session/envelope.h"

enum {
    HISTORY_DECISIONS = 200, /* kept whole: more than anybody reads */
    HISTORY_MINUTES = 1440,  /* a day */
    HISTORY_WAITS = 24,      /* buckets of waits */
    HISTORY_TEXT_MAX =
        320, /* octets kept of what a stranger said: RFC 5321 4.5.3.1 of an address */
};

/* What decisions are counted as: by verdict, but for those of which nobody was to be asked. */
enum history_kind {
    HISTORY_VALID = 0,
    HISTORY_INVALID,
    HISTORY_UNKNOWN,
    HISTORY_EXEMPT,
    HISTORY_KINDS
};

/* "valid"... Static; "?" for a number out of range. */
const char *history_kind_name(enum history_kind kind);

/*
 * A decision as its log line has it; "" where that has nothing. Longer text is cut, and ends in
 * "..." then. It is a stranger's: any octets but NUL.
 */
struct history_decision {
    uint64_t number;   /* the daemon's first is 1 */
    int64_t decided_s; /* seconds since 1970 */
    enum decision_of of;
    enum history_kind kind; /* of a client: HISTORY_UNKNOWN */
    const char *field;      /* of a header sender: its name. Static */
    enum rb_reason reason;
    enum rb_client_result result; /* of a client: in place of verdict and reason */
    enum exemption exemption;
    enum rb_voucher voucher;
    enum action action, wanted;
    bool cached;
    int64_t waited_ms;
    char address[HISTORY_TEXT_MAX + 1]; /* of a client: its HELO name */
    char other[HISTORY_TEXT_MAX + 1];   /* the first recipient; of a recipient: the sender */
    char helo[RB_DOMAIN_MAX + 1];
    char client[46];
    char mx[RB_DOMAIN_MAX + 1], ip[46];
    char reply[RB_REPLY_MAX + 1], rule[RB_RULE_MAX + 1];
    char policy[64];
    char queue_id[64], id[SESSION_ID_MAX + 1];
};

/* One minute: how many decisions of each kind, how many waits in each bucket. */
struct history_minute {
    int64_t minute; /* since 1970 */
    uint32_t decisions[HISTORY_KINDS];
    uint32_t waits[HISTORY_WAITS];
};

/* The same of many. */
struct history_sum {
    uint64_t decisions[HISTORY_KINDS];
    struct histogram_view waits_ms; /* all but their sum, which is not kept */
};

/*
 * From now on it is kept; clock NULL: the system's. False: no memory, and nothing is kept. Not
 * while another thread calls it or history_end.
 */
bool history_start(const struct rb_clock *clock);

/* Forgets all. Nothing is kept from now on; whoever tells or asks meanwhile does no harm. */
void history_end(void);

/* Whether it is kept. */
bool history_is_kept(void);

/* Tells a decision's reason, at the moment that it is counted as a metric. */
void history_decided(enum rb_reason reason);

/* A client waited so long for one answer. */
void history_waited(int64_t waited_ms);

/* A decision, at the moment that it is logged. queue_id: NULL or "" where not known. */
void history_note(const struct session *session, const struct decision *decision,
                  const char *queue_id);

/*
 * Shows the decisions that are kept, the latest first, each a copy that lives as long as the call;
 * those that are made meanwhile are not among them. visit returns false: enough.
 */
void history_walk(bool (*visit)(void *arg, const struct history_decision *decision), void *arg);

/* The minute `ago` minutes before this one (0: this one, which is not over); all zero but for its
 * number where nothing was told then, or ago is HISTORY_MINUTES or more. */
void history_minute(unsigned ago, struct history_minute *minute);

/* The sum of the last `minutes` minutes, this one included. */
void history_sum(unsigned minutes, struct history_sum *sum);

#endif
