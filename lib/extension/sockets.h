/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sockets: the kernel's table of TCP sockets: which connections of this machine go to a host. It
 * only reads, needs no privilege, and sees no other network namespace than its own.
 *
 * sockets.c asks Linux (NETLINK_SOCK_DIAG, sock_diag(7)); sockets_none.c stands in where there is
 * no such interface, and knows nothing. Any thread; nothing is kept between two calls.
 */
#ifndef RB_EXTENSION_SOCKETS_H
#define RB_EXTENSION_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/ip.h"

/* Which connections are looked for. */
struct sockets_filter {
    struct ip addr; /* of the other host; IPv4 also where it is a v4-mapped address */
    uint16_t dport; /* its port */
    uint16_t sport; /* ours; 0: not known */
    bool any_sport; /* those from other ports of ours, too */
};

/* A connection that is there, or that was a moment ago. */
struct sockets_socket {
    uint16_t sport;
    bool established; /* or else FIN_WAIT1, FIN_WAIT2, TIME_WAIT, CLOSE_WAIT, LAST_ACK, CLOSING */
    bool owned;       /* its owner is known: a socket that no process has any more has none */
    uid_t uid;        /* the owner */
};

/* Is shown a socket; false: no more need be shown. */
typedef bool sockets_see(void *arg, const struct sockets_socket *socket);

/*
 * Shows the connections that fit, or as many as `see` wants; one may be shown twice. False: the
 * kernel did not say, or not within timeout_ms. What was shown until then is true, but there may be
 * more.
 *
 * One from `sport` costs a look into a hash table where it goes out from the address that the
 * kernel would choose for it; all else costs a walk through the table, or two for IPv4 (IPv6
 * sockets speak it too), which the time-out does not interrupt. Memory: a fixed amount.
 */
bool sockets_find(const struct sockets_filter *filter, int timeout_ms, sockets_see *see, void *arg)
    __attribute__((warn_unused_result));

/*
 * Whether sockets of this user show that they are his. Not so where there is no table, and in a
 * user namespace that does not know him (PrivateUsers= of systemd.exec(5)).
 */
bool sockets_sees_owner(uid_t uid);

/* --- Parts of it, for tests ---------------------------------------------------- */

enum sockets_progress {
    SOCKETS_MORE,   /* the answer may go on in another message */
    SOCKETS_END,    /* that was all */
    SOCKETS_ENOUGH, /* `see` wants no more */
    SOCKETS_BAD,    /* an error of the kernel's, or no answer to what was asked */
};

/* One question to the kernel; its answers bear these numbers. */
struct sockets_question {
    const struct sockets_filter *filter;
    int family; /* of the sockets: AF_INET, AF_INET6; AF_UNSPEC: both */
    uint32_t sequence, port_id;
    sockets_see *see;
    void *arg;
};

/* Reads the messages of one datagram, whose octets may be anything. */
enum sockets_progress sockets_read(const struct sockets_question *question, const void *octets,
                                   size_t len);

/* As sockets_find, over a netlink socket of the caller's, or what stands in for one. */
bool sockets_find_over(int netlink, uint32_t port_id, const struct sockets_filter *filter,
                       int timeout_ms, sockets_see *see, void *arg);

#endif
