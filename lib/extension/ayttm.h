/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ayttm: what is answered to "are you talking to me?": who may ask about which connection, and what
 * the sockets of this machine say to it. Pure but for the table of sockets, which is a hook. Any
 * thread. It asks nobody: what the peers know is the caller's to find out.
 *
 * The asker learns whether there is a connection to its own address. About another address it is
 * told only what it knows the exact port of (a host of two addresses asks from the one that was not
 * called); peers, our other outbound hosts, are told as about their own.
 */
#ifndef RB_EXTENSION_AYTTM_H
#define RB_EXTENSION_AYTTM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/ip.h"
#include "extension/sockets.h"
#include "extension/verbs.h"

enum { AYTTM_DPORT = 25 /* where the verb stands alone */ };

struct ayttm_settings {
    const uid_t *users; /* who sends mail here; the owner's, as are the peers */
    size_t user_count;  /* 0: it is not known who does, and nothing is ever denied */
    const struct ip *peers;
    size_t peer_count;
    bool complete; /* no other hosts than this one and its peers send mail in our name */
    bool (*find)(const struct sockets_filter *filter, int timeout_ms, sockets_see *see,
                 void *arg); /* sockets_find */
    int find_timeout_ms;
};

struct ayttm_answer {
    enum verbs_word word; /* what this host says by itself; never VERBS_NONE */
    bool ask_peers;       /* the peers may know more: they are asked `to_peers` */
    struct verbs_ayttm to_peers;
};

/*
 * Answers `asker`'s question. Where ask_peers is set, the caller asks them, and says what
 * ayttm_conclude makes of it; where it cannot, it says VERBS_UNKNOWN. Peers' questions never have
 * it set. Hosts that take each other for peers one way only could ask in a circle: a caller does
 * not ask the peers what it is asking them already.
 */
struct ayttm_answer ayttm_answer(const struct ayttm_settings *settings, const struct ip *asker,
                                 const struct verbs_ayttm *question);

/*
 * What is said after the peers: the most that anybody knows. "no" takes this host's and all of
 * theirs. words: what each peer said, VERBS_NONE where it said nothing.
 */
enum verbs_word ayttm_conclude(enum verbs_word own, const enum verbs_word *words, size_t count);

#endif
