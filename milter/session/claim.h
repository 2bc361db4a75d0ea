/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * claim: which host a client claims to be, by its HELO name or its sender's domain; whether that
 * host is asked about it (connect back), and what is done by the answer. Asks nobody itself, and
 * keeps nothing: extension/connect_back does. Part of session.
 */
#ifndef RB_MILTER_SESSION_CLAIM_H
#define RB_MILTER_SESSION_CLAIM_H

#include "session/envelope.h"

enum { CLAIM_WORDS_MAX = RB_DOMAIN_MAX + 100 };

/* As far as MAIL tells: whether the client may be asked about, where the message is let in. */
bool claim_may_be_asked(const struct session *session);

/*
 * Why nobody is asked about the client, now that all recipients are decided about; NULL: its host
 * is asked. Static.
 */
const char *claim_why_not(const struct session *session);

/*
 * The question to ask. Text and addresses are the session's; reached: the address of ours that the
 * client has reached, as it sees it, NULL where that is not known.
 */
void claim_question(const struct session *session, const struct sockaddr *reached,
                    struct rb_client_question *question);

/* Decides by the answer in session->claim, for the message that there is. */
void claim_decide(struct session *session);

/* What the configuration says is to be done then. */
enum action claim_action(const struct config *config, enum rb_client_result result);

/* Whom the client claims to be, for people: the host that was asked, or would have been. */
const char *claim_host(const struct session *session, const struct rb_client_answer *answer);

/*
 * What there is to say of it, to be put behind the host's name; and both, with `between` between
 * them.
 */
const char *claim_words(enum rb_client_result result);
void claim_describe(const struct session *session, const char *between,
                    char text[CLAIM_WORDS_MAX + 1]);

#endif
