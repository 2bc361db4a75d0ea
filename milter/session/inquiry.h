/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * inquiry: a question about a sender's address that a session has asked, and the answer it waits
 * for: begun at once, awaited when the client must be answered. Decides nothing. Part of session.
 *
 * Owns: struct inquiry, which the session holds; its ticket and what its answer holds are freed by
 * inquiry_fini. Thread rule: the session's.
 */
#ifndef RB_MILTER_SESSION_INQUIRY_H
#define RB_MILTER_SESSION_INQUIRY_H

#include "session/envelope.h"

/*
 * Asks about an address (the envelope's sender, or what inquiry->of was set to), unless that was
 * asked; the text is the caller's. voucher: who vouches for the client, by what we
 * know; RB_VOUCHER_NOBODY: the gate has to find out. Does not wait.
 */
void inquiry_begin(struct session *session, struct inquiry *inquiry, const char *address,
                   enum rb_voucher voucher);

/*
 * Waits for the answer, for inquiry_time_ms; 0: takes what there is. tick, if not NULL, is called
 * every SESSION_TICK_MS. Nothing to do where the answer is there.
 */
void inquiry_await(struct session *session, struct inquiry *inquiry, int64_t max_wait_ms,
                   void (*tick)(void *arg), void *arg);

/*
 * The same at RCPT, for max_wait. False: a host has accepted the sender,
 * takes_catch_all is true, and the client need not wait for the rest to be found out.
 */
bool inquiry_await_at_rcpt(struct session *session, struct inquiry *inquiry, bool takes_catch_all);

/*
 * How long the answer may be waited for, counted from when it was asked for: max_wait_ms less what
 * other waits have taken by then since the event began that is to be answered (the recipient's at
 * RCPT, the envelope sender's at the end of the message), as one reply answers for all.
 */
int64_t inquiry_time_ms(const struct session *session, const struct inquiry *inquiry,
                        int64_t max_wait_ms);

/* Whether it was asked, and its answer is not there yet. */
bool inquiry_is_open(const struct inquiry *inquiry);

/* Forgets question and answer; nobody waits for it any more. */
void inquiry_fini(struct inquiry *inquiry);

#endif
