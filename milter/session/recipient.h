/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * recipient: whether the recipient of a RCPT exists, by the relay that the configuration names for
 * its domain, or by the mail hosts that are preferred over ourselves. Part of session.
 */
#ifndef RB_MILTER_SESSION_RECIPIENT_H
#define RB_MILTER_SESSION_RECIPIENT_H

#include "session/envelope.h"

/*
 * Decides about one recipient: session->rcpt. to: as the client wrote it; domain: its canonical
 * one. Waits at most the configured time.
 */
void recipient_decide(struct session *session, const struct policy *policy, const char *domain,
                      const char *to, size_t len);

/*
 * Puts off a recipient who must go into a message of its own (decide_is_other_fate); rule says why.
 * A client sends that message at once, as after "452 too many recipients" (RFC 5321 4.5.3.1.10).
 * Returns session->rcpt's decision.
 */
struct decision *recipient_put_off(struct session *session, const struct policy *policy,
                                   const char *to, size_t len, const char *rule);

#endif
