/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * server: listens at each address of a scenario, and changes from one scenario to another.
 */
#ifndef SMTPD_SERVER_H
#define SMTPD_SERVER_H

#include "conn.h"

struct listener;

struct server {
    struct net net;
    const char *path; /* of the scenario file */
    unsigned port;
    struct scenario *scn;
    struct listener *listeners;
    int spare_fd; /* given up for a moment when descriptors run out, so that a client can be closed
                   */
};

/* false: error says why. server_fini also takes one that is half built. */
bool server_init(struct server *srv, const char *path, unsigned port, char *error,
                 size_t error_size);
void server_fini(struct server *srv);

/*
 * Reads the scenario file and listens as it says. false: error says why, and all is as it was.
 * Sessions under way keep the scenario they began with.
 */
bool server_load(struct server *srv, char *error, size_t error_size);

#endif
