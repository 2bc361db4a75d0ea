/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session: one session with one address of one mail host: asks there for what the attempt has to
 * ask, as long as the host goes along. One thread, that of the callout.
 */
#ifndef RB_CALLOUT_SESSION_H
#define RB_CALLOUT_SESSION_H

#include "callout/attempt.h"

#include <sys/socket.h>

/*
 * Calls the address (with its port). What the host answered for is answered; what it gave no answer
 * for is in attempt->later then, what it was not asked for in attempt->todo. attempt->reconnect:
 * the session is over, and calling once more is worth while.
 */
void session_run(struct attempt *attempt, const char *mx, const struct sockaddr_storage *address);

#endif
