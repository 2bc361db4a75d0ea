/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session: what the milter thinks of one SMTP session: who is exempt, which policy applies, what
 * was found out, what is to be done. Knows no libmilter: `filter` feeds it from a real session,
 * `ringback explain` from its command line, and both get the same decisions.
 *
 * Thread rule: one thread at a time for one session (not always the same one).
 */
#ifndef RB_MILTER_SESSION_SESSION_H
#define RB_MILTER_SESSION_SESSION_H

#include "session/envelope.h"

/* An IP address as that of an SMTP client; false: it is none. */
bool session_client_from_text(const char *text, struct sockaddr_storage *client);

/* Takes a reference to config. address: NULL where the MTA does not know it. */
void session_init(struct session *session, const struct session_world *world, struct config *config,
                  const struct sockaddr *address);
void session_fini(struct session *session);

void session_helo(struct session *session, const char *helo);

/* Whether the whole connection is exempt: nothing need be looked at any more. */
enum exemption session_connection_exempt(const struct session *session);

/*
 * MAIL: a new message; forgets the one before. argument: as typed, with or without the ESMTP
 * parameters behind the address. RB_ERR_NOMEM.
 */
enum rb_error session_mail(struct session *session, const char *argument, bool authenticated);

/* Parameters of that MAIL which the MTA tells apart from its argument: SIZE= is kept, the last. */
void session_mail_parameters(struct session *session, const char *text);

/*
 * The MTA waits for an answer from now on, for max_wait at most, whatever is asked for the sake of
 * it. For DATA and the end of the message; session_rcpt does that itself.
 */
void session_begin_event(struct session *session);

/* The message has come whole and is let in: notes whom our own user has written to. */
void session_let_in(struct session *session);

/* Forgets the message. */
void session_reset(struct session *session);

/*
 * RCPT: what to do about this recipient: the decision about the recipient, where it is verified and
 * that turns it away, or the one about the sender; session->rcpt tells whether the recipient was
 * verified. The first that needs it waits for the verdict, at most the configured time. The
 * decision is the session's, until session_reset; one about a recipient until the next RCPT.
 */
struct decision *session_rcpt(struct session *session, const char *argument);

/* Which exemption holds for this message and recipient, but for the policy's; in the order in which
 * they are tried. */
enum exemption session_exempt(const struct session *session, const char *recipient_key);

/* The sender as policies see it: canonical, "" for the null sender alone. A bad address is shown as
 * it came, lest it pass for the null sender. */
const char *session_policy_sender(const struct session *session);

/*
 * The address in what a MAIL or RCPT argument holds: length of the part with the brackets (or up to
 * the first blank outside quotes), ESMTP arguments left out. For octets that `strlen` counts.
 */
size_t session_argument_len(const char *argument);

#endif
