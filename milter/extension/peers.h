/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * peers: our other hosts that send mail (connect_back { peers }): where they are, and what they say
 * when they are asked on behalf of a stranger.
 */
#ifndef RB_MILTER_EXTENSION_PEERS_H
#define RB_MILTER_EXTENSION_PEERS_H

#include "base/ip.h"
#include "extension/verbs.h"
#include "session/envelope.h"

enum {
    PEERS_ADDRESSES_MAX = 128,
    PEERS_MS = 4000,          /* for all peers together to say something */
    PEERS_FRESH_MS = 600000,  /* how long addresses are kept, */
    PEERS_RETRY_MS = 60000,   /* and where a peer has none */
    PEERS_LOOK_MS = 2000,     /* for name servers to tell them all */
    PEERS_QUESTIONS_MAX = 64, /* with the peers at once */
};

struct peers {
    struct ip addresses[PEERS_ADDRESSES_MAX];
    size_t count;
};

/*
 * Where the peers are that the session's configuration names. May ask DNS, after the world's
 * before_wait; while another thread does, what was known before will do. Any thread.
 */
void peers_find(const struct session *session, struct peers *peers);

/*
 * What is to be said of a connection that this host alone knows `own` of: asks each peer once, and
 * waits until one says yes or all have said something, PEERS_MS at most, after the world's
 * before_wait. VERBS_UNKNOWN at once: they are being asked the same, or too much, or it is not known
 * from which port. Any thread.
 */
enum verbs_word peers_ask(const struct session *session, const struct verbs_ayttm *question,
                          enum verbs_word own);

/* Forgets where they are. */
void peers_forget(void);

#endif
