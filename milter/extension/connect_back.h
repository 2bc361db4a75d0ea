/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * connect_back: asks the host that a client claims to be whether it is talking to us, once a
 * connection and HELO name, when a message of the client's is let in so far. What is asked of whom,
 * and what is done by the answer, says session/claim.
 *
 * Owns: struct connect_back, with the question and its answer. Thread rule: that of its session.
 */
#ifndef RB_MILTER_EXTENSION_CONNECT_BACK_H
#define RB_MILTER_EXTENSION_CONNECT_BACK_H

#include <sys/socket.h>

#include "session/envelope.h"

/* What the MTA tells of a connection, as text; NULL: it does not. */
struct connect_back_macros {
    const char *client_port; /* {client_port} of Postfix */
    const char *daemon_addr; /* {daemon_addr}: of Postfix where it was reached, of
                                            Sendmail where it listens */
    const char *daemon_port; /* {daemon_port} */
    const char *if_addr;     /* {if_addr} of Sendmail: where it was reached */
};

struct connect_back;

/*
 * For a session whose connection has begun, whose client's port is set where only a macro tells it.
 * session->claim points into it from now on. NULL: out of memory.
 */
struct connect_back *connect_back_new(struct session *session,
                                      const struct connect_back_macros *macros);

/* NULL is fine. Nobody waits for an answer any more. */
void connect_back_free(struct connect_back *connect_back);

/* A message begins; what was found out about the client stays. */
void connect_back_begin(struct connect_back *connect_back, struct session *session);

/*
 * At DATA or the end of the message, when all else has let it in: asks, unless there is an answer,
 * waits for connect_back.timeout at most, within the one max_wait of the event
 * (session_begin_event), and decides: session->claim. tick, if not NULL, is called every SESSION_TICK_MS. Returns the decision
 * that refuses the message; NULL: it is let in. Once a message; a second call does nothing.
 */
const struct decision *connect_back_check(struct connect_back *connect_back,
                                          struct session *session, void (*tick)(void *arg),
                                          void *arg);

#endif
