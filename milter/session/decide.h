/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * decide: what is decided about the sender of a message, for the recipients that fall under one
 * policy. Part of session: what the rest of the milter needs of it stands in session.h.
 */
#ifndef RB_MILTER_SESSION_DECIDE_H
#define RB_MILTER_SESSION_DECIDE_H

#include "session/session.h"

/*
 * The decision about the sender for a recipient (as the client wrote it) under this policy: one
 * made before for the message, or a new one, which may wait for the verdict or be pending. NULL:
 * out of memory.
 */
struct decision *decide_for(struct session *session, const struct policy *policy,
                            enum exemption exemption, const char *to, size_t len);

/*
 * A message whose fate is decided once for all its recipients must have recipients with one fate.
 * Whether one more would have another: under a policy that acts otherwise, or exempt beside one
 * that is not.
 */
bool decide_is_other_fate(const struct session *session, const struct policy *policy,
                          enum exemption exemption);

/*
 * How long the sender may be waited for, counted from when it was asked about. One reply answers
 * for recipient and sender: who waited for the one waits less for the other.
 */
unsigned decide_time_at_rcpt_ms(const struct session *session);

/* Forgets the decisions about the sender. */
void decide_forget(struct session *session);

/* Whether it turns the recipient, or the message, away. */
bool decision_refuses(const struct decision *decision);

/* Whether a does more than b, or would in earnest. */
bool decision_is_harsher(const struct decision *a, const struct decision *b);

#endif
