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
 * Where decide_at is data or eom a message has one fate for all its recipients. Whether one more
 * recipient would need another fate: its policy acts otherwise, or it is exempt and others are not.
 */
bool decide_is_other_fate(struct session *session, const struct policy *policy,
                          enum exemption exemption);

/*
 * Somebody vouches for the client, as is known only now: what the gate held back, and what is not
 * known yet, is asked about once more, and decisions that let the recipient in for that are pending
 * again, until decide_collect. Those that rest on another answer stay as they are.
 */
void decide_vouch(struct session *session, enum rb_voucher voucher);

/* The same at the end of the message, before decide_collect, where a filter before ours vouches for
 * the sender (vouch.h) and decide_at is eom. */
void decide_at_end(struct session *session);

/*
 * Whether a decision is pending: with decide_at data or eom, also where only the gate has spoken and
 * filters before ours may vouch for the sender; and where a host has accepted the
 * sender and whatever else is found out refuses nothing.
 */
bool decide_is_pending(const struct session *session);

/*
 * Waits for the answer until max_wait_ms have passed since it was asked for (inquiry_await), and
 * settles what was pending. tick, if not NULL, is called every SESSION_TICK_MS. Returns the decision
 * that refuses the message; NULL: it is let in.
 */
const struct decision *decide_collect(struct session *session, unsigned max_wait_ms,
                                      void (*tick)(void *arg), void *arg);

/* What is done of what is wanted: less in a dry run, and where the MTA cannot do it. */
enum action decide_possible(const struct session *session, enum action wanted);

/* Sets what is to be done, and what is done (decide_possible); it is counted. */
void decide_settle(const struct session *session, struct decision *decision, enum action wanted);

/* The decision about the sender that speaks for the message as a whole: the harshest among what
 * was let in. NULL: none yet. */
const struct decision *decide_message(const struct session *session);

/* The decision that says what is done with the message as a whole: that one, or a harsher one about
 * a recipient who was let in, about a header sender or about the client. NULL: none yet. */
const struct decision *decide_fate(const struct session *session);

/* Forgets the decisions about the sender. */
void decide_forget(struct session *session);

/* Whether the reason is one of the gate's: nobody was asked about the sender. */
bool decide_is_held_back(enum rb_reason reason);

/* Whether the decision turns the recipient, or the message, away. */
bool decide_refuses(const struct decision *decision);

/* Whether a does more than b or, where both do the same, would do more outside a dry run. */
bool decide_is_harsher(const struct decision *a, const struct decision *b);

#endif
