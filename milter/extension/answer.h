/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * answer: what a client that asks "are you talking to me?" (AYTTM) is told: by the sockets of this
 * host, and by what our peers say (connect_back { answer }). Decides nothing about mail.
 *
 * A made-up verb costs a comparison. Questions count in rates of their own: per_client_rate for
 * each client but for peers, and global_rate for all; who is above them is told "unknown", and
 * nothing is looked at. Any thread; one at a time for one session.
 */
#ifndef RB_MILTER_EXTENSION_ANSWER_H
#define RB_MILTER_EXTENSION_ANSWER_H

#include <stdbool.h>

#include "session/envelope.h"
#include "session/reply.h"

/* Whether this client may want to ask: it must be known, and another host. */
bool answer_is_for(const struct session *session);

/*
 * The reply to a command line that the MTA does not know, or to the verb of it. False: none of
 * ours, and the MTA says its own: another verb, or an AYTTM that makes no sense, or another one of
 * the same connection. *answered is the connection's, and false before the first. May wait for
 * peers, PEERS_MS at most, and calls the world's before_wait first.
 */
bool answer_command(const struct session *session, bool *answered, const char *line,
                    struct smtp_reply *reply);

/* Forgets who has asked how often. */
void answer_forget(void);

#endif
