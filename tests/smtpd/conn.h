/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conn: one connection: octets in, the session's play out, over TCP or TLS. It decides nothing
 * about mail.
 */
#ifndef SMTPD_CONN_H
#define SMTPD_CONN_H

#include "loop.h"
#include "session.h"
#include "tls.h"

struct conn;

/* What all connections share. */
struct net {
    struct loop *loop;
    SSL_CTX *tls;
    struct world world;
    struct conn *conns;
};

/* Takes fd over, which does not block, and begins the session. It ends and is freed by itself. */
void conn_start(struct net *net, int fd, const struct sockaddr_storage *peer, struct scenario *scn,
                struct place *place);

/* Goes on with those whose host holds its replies no more. */
void conn_release(struct net *net);

/* Ends all that there are. */
void conn_end_all(struct net *net);

#endif
