/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * originators: the header senders of a message: the first mailboxes of its originator fields (From,
 * Reply-To, Sender; RFC 5322 3.6.2), noted as the fields come and verified at the end of the
 * message, where a policy wants that. Part of session.
 *
 * Owns: session->originators, and the questions in it. Lock: none; the thread rule is the session's.
 *
 * Of several fields of one name, which no message may have, the first counts.
 */
#ifndef RB_MILTER_SESSION_ORIGINATORS_H
#define RB_MILTER_SESSION_ORIGINATORS_H

#include "session/envelope.h"

/* Takes note of a header field, where a recipient's policy wants it verified. The text is the
 * caller's. */
void originators_see(struct session *session, const char *name, const char *value);

/*
 * At the end of the message: asks about all that was noted, one question a distinct address and
 * none where the envelope sender's answer is it, waits for all together, for max_wait_ms since the
 * end of the message came, and decides. tick, if not NULL, is called every SESSION_TICK_MS. Returns
 * the decision that refuses the message; NULL: it is let in.
 */
const struct decision *originators_verify(struct session *session, unsigned max_wait_ms,
                                          void (*tick)(void *arg), void *arg);

/*
 * A message has one fate, and what its header senders are worth is known when all recipients are.
 * Whether one more recipient would need another fate: the header senders may turn the message away
 * by the policy of one, and by that of another not so.
 */
bool originators_are_other_fate(const struct session *session, const struct policy *policy,
                                enum exemption exemption);

/* The fields that a policy has verified (bits of enum originator_field) for a recipient with this
 * exemption. */
unsigned originators_wanted(const struct policy *policy, enum exemption exemption);

/* Forgets what was noted and decided. */
void originators_forget(struct session *session);

#endif
