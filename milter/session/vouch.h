/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vouch: for which domains filters that stand before ours vouch, by a DKIM signature or a DMARC
 * check that has passed: what their fields Authentication-Results (RFC 8601) in the message say,
 * where trusted_authserv_ids names them. Part of session; knows no libmilter.
 */
#ifndef RB_MILTER_SESSION_VOUCH_H
#define RB_MILTER_SESSION_VOUCH_H

#include "session/envelope.h"

enum {
    VOUCH_FIELDS_MAX = 50, /* looked at, of one message; no honest filters insert as many */
    VOUCH_FROM_MAX = 1000, /* octets of From; filters cut longer ones, or do not look at them */
};

/* Takes note of one field of the message's header, in its order. */
void vouch_see(struct session *session, const char *name, const char *value);

/*
 * Whether one of them vouches for a domain (canonical), or for another of its organisation (relaxed
 * alignment, RFC 7489 3.1.1); by DMARC, only the domain of From. None does where From is not there
 * once, with one plain mailbox, or where the client or a signature of the message calls itself
 * something that would be read as a result. Asked at the end of the message.
 */
bool vouch_is_for(const struct session *session, const char *domain);

/* The same of the domain of the envelope sender. */
bool vouch_is_for_sender(const struct session *session);

/* Whether a field may still open the gate for the sender, at the end of the message: nothing that
 * the gate says must be decided by before. */
bool vouch_may_come(const struct session *session);

/* Forgets the message's fields. */
void vouch_forget(struct session *session);

#endif
