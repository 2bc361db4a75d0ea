/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * netguard: which IP addresses may be called. A stranger's DNS decides where a callout goes; this
 * decides where it may not: loopback, private, link-local, multicast, documentation, unspecified
 * and reserved networks (IANA special-purpose registries, RFC 6890, 5735, 8190), the same within
 * v4-mapped, 6to4 and NAT64 forms, and this machine's own addresses. Pure, but for
 * netguard_own_addresses.
 */
#ifndef RB_MAIL_NETGUARD_H
#define RB_MAIL_NETGUARD_H

#include "ringback.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

enum netguard_class {
    NETGUARD_CALLABLE,
    NETGUARD_BOGUS, /* no mail can go there: counts towards bogus_mx */
    NETGUARD_OWN,   /* one of this machine's own addresses: says nothing about the sender */
};

struct netguard {
    const struct rb_network *allowed; /* the owner's; may be called whatever else holds */
    size_t allowed_count;
    const struct rb_network *own; /* the owner's; single addresses */
    size_t own_count;
};

/*
 * An address embedded in another (6to4, NAT64) is judged as well. Anything but AF_INET and AF_INET6
 * is bogus. The order: allowed, own, bogus. Any thread.
 */
enum netguard_class netguard_judge(const struct netguard *guard, const struct sockaddr *address);

/*
 * What kind of network an address is in, for logs: "loopback", "private"...; "" when it is
 * callable. Static. Any thread.
 */
const char *netguard_kind(const struct sockaddr *address);

/*
 * True when the address (AF_INET or AF_INET6; v4-mapped is the same as v4) lies in one of the
 * networks. An IPv6 network shorter than /96 holds no IPv4 address: "::/0" is all of IPv6, and only
 * that. Any thread.
 */
bool netguard_is_in_any(const struct rb_network *networks, size_t count,
                        const struct sockaddr *address);

/*
 * This machine's own addresses (getifaddrs), as /128, without loopback, which is bogus whoever
 * asks. *own is the caller's to free(3); NULL when *count is 0. RB_ERR_SYSTEM (errno says why),
 * RB_ERR_NOMEM. Any thread.
 */
enum rb_error netguard_own_addresses(struct rb_network **own, size_t *count);

#endif
