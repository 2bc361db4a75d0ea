/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guessers: clients that try many recipients who do not exist: slowed first, then turned away for a
 * while (limits { per_client_bad_rcpt }). The numbers are the process's. Any thread.
 */
#ifndef RB_MILTER_SESSION_GUESSERS_H
#define RB_MILTER_SESSION_GUESSERS_H

#include <sys/socket.h>

#include "ringback.h"

enum {
    GUESSERS_MAX = 65536,    /* clients that are remembered; IPv6 by /64 */
    GUESSERS_SLOW_MS = 1000, /* for each recipient once half of the wrong ones are used up */
};

enum guesser { GUESSER_NOT, GUESSER_SLOWED, GUESSER_BARRED };

/*
 * How a client is to be treated, before its recipient is verified. client NULL: it is not known,
 * and never a guesser.
 */
enum guesser guessers_look(const struct sockaddr *client, const struct rb_rate *rate);

/* The client has named a recipient who does not exist, and was told so. */
void guessers_note(const struct sockaddr *client, const struct rb_rate *rate);

/* Forgets all clients. */
void guessers_forget(void);

#endif
