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
 * Puts a recipient off who must go into another message, whose fate may be another; rule says why.
 * "452 too many recipients" makes clients send that at once. Returns session->rcpt's decision.
 */
struct decision *recipient_put_off(struct session *session, const struct policy *policy,
                                   const char *to, size_t len, const char *rule);

#endif
