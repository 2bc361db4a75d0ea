/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * classify: what a mail host's reply means for the address that was asked. One table: stage, code,
 * enhanced code, text -> reason, wait. Pure.
 *
 * Only a 5yz reply to RCPT (or DATA) that speaks of this mailbox yields an invalid reason. 4yz
 * never does. Where in doubt: `rejected` for 5yz, `tempfail` for 4yz.
 */
#ifndef RB_CLASSIFY_H
#define RB_CLASSIFY_H

#include "reply.h"
#include "ringback.h"

enum { CLASSIFY_WAIT_MIN_S = 1, CLASSIFY_WAIT_MAX_S = 24 * 3600 };

struct judgement {
    enum rb_reason reason; /* RB_REASON_ACCEPTED for any 2yz; RB_REASON_NONE for a 3yz where one is expected */
    int wait_s;            /* what a 4yz asked for, within the bounds above; 0 where it did not say */
    const char *rule;      /* static: the name of the table's row that decided */
};

/*
 * Judges a complete reply at a stage (BANNER, EHLO, STARTTLS, MAIL, RCPT, DATA, RSET, QUIT). A
 * reply that cannot stand at that stage (3yz to RCPT, 503) is protocol_error.
 */
struct judgement classify(enum rb_stage stage, const struct reply *reply);

/*
 * True when the reason is an answer about the mailbox itself, which no other mail host need be
 * asked for.
 */
bool classify_is_about_mailbox(enum rb_reason reason);

#endif
