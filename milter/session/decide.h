/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * decide: what is decided about the sender of a message, for the recipients that fall under one
 * policy; and which decision speaks for the message as a whole. Part of session.
 */
#ifndef RB_MILTER_SESSION_DECIDE_H
#define RB_MILTER_SESSION_DECIDE_H

#include "session/envelope.h"

/*
 * The decision about the sender for a recipient (as the client wrote it) under this policy: one
 * made before for the message, or a new one, which may wait for the verdict or be pending. NULL:
 * out of memory.
 */
struct decision *decide_sender(struct session *session, const struct policy *policy,
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

/*
 * Whether what is to be done about the message is still to be found out: with decide_at data and
 * eom, and where a host has accepted the sender and the rest turns nothing away.
 */
bool decide_is_pending(const struct session *session);

/*
 * Waits for the answer until max_wait_ms have passed since it was asked for, and settles what was
 * pending. tick, if not NULL, is called every SESSION_TICK_MS. Returns the decision that refuses
 * the message; NULL: it is let in.
 */
const struct decision *decide_collect(struct session *session, unsigned max_wait_ms,
                                      void (*tick)(void *arg), void *arg);

/* Notes what is to be done; a dry run does nothing of it, nor does an MTA what it does not know. */
void decide_settle(const struct session *session, struct decision *decision, enum action wanted);

/* The decision about the sender that speaks for the message as a whole: the harshest among what
 * was let in. NULL: none yet. */
const struct decision *decide_message(const struct session *session);

/* The decision that says what is done with the message as a whole: that one, or a harsher one about
 * a recipient who was let in. NULL: none yet. */
const struct decision *decide_fate(const struct session *session);

/* Forgets the decisions about the sender. */
void decide_forget(struct session *session);

/* Whether it turns the recipient, or the message, away. */
bool decide_refuses(const struct decision *decision);

/* Whether a does more than b, or would in earnest. */
bool decide_is_harsher(const struct decision *a, const struct decision *b);

#endif
