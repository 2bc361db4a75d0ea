/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * listen: where the MTA finds the filter. Makes the place ready that ringback.conf(5) names, or
 * finds the socket that systemd has opened, and puts it into libmilter's words. libmilter opens it.
 * Functions that can fail say why in one line and give the exit status (sysexits.h); 0 is fine.
 */
#ifndef RB_MILTER_MTA_LISTEN_H
#define RB_MILTER_MTA_LISTEN_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "config/configuration.h"

enum {
    LISTEN_ERROR_SIZE = 512,
    LISTEN_CONN_SIZE = 128, /* "local:" and a path, "inet6:" and an address */
};

struct listen_place {
    char conn[LISTEN_CONN_SIZE]; /* as smfi_setconn reads it: a host's name has become an address */
    const char *path;            /* of a unix socket that is to be made, in conn; else NULL */
    struct sockaddr_storage address; /* to connect to */
    socklen_t address_len;
    mode_t mode;    /* of a unix socket that is to be made */
    bool has_group; /* and its group, where it is not the user's own */
    gid_t group;
    bool inherited; /* systemd has opened it */
};

/*
 * Takes note of the sockets that systemd has handed to this process (sd_listen_fds(3)), and of none
 * for whatever it starts. Before the process forks, opens anything, or has threads.
 */
void listen_inherit(void);

/*
 * Makes `listen` ready: removes a unix socket that nobody answers, tries an address. As the user
 * who will listen. May ask the resolver. 69: it cannot be used; 78: it never could.
 */
int listen_prepare(const struct config *config, struct listen_place *place,
                   char error[LISTEN_ERROR_SIZE]) __attribute__((warn_unused_result));

/*
 * Once libmilter has made the socket, and before it accepts anything: lets small writes go at once,
 * and gives a unix socket to its group. On failure removes that.
 */
int listen_settle(const struct listen_place *place, char error[LISTEN_ERROR_SIZE])
    __attribute__((warn_unused_result));

#endif
