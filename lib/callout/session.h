/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session: one session of a callout: connects to one address of one mail host and asks there for what
 * the attempt has to ask. One thread, that of the callout.
 */
#ifndef RB_CALLOUT_SESSION_H
#define RB_CALLOUT_SESSION_H

#include "callout/attempt.h"

#include <sys/socket.h>

/*
 * Calls the address (with its port). What the host answered for is answered; what it gave no answer
 * for is in attempt->later, what it was not asked for in attempt->todo; attempt->reconnect: a session that served
 * was lost, calling once more is worth while.
 */
void session_run(struct attempt *attempt, const char *mx, const struct sockaddr_storage *address);

/*
 * The local part that nobody has, for a domain and a period: the same for a month, so that it
 * matures in a greylist as a real one does. `local` gets 17 octets: 16 letters and digits.
 */
void session_probe_local(const uint8_t key[32], const char *domain, int64_t now_s, char local[17]);

#endif
