/* SPDX-License-Identifier: BSD-2-Clause */
/* access: see access.h. */
#include "config.h"

#include "http/access.h"

#include "base/ip.h"
#include "mail/netguard.h"

bool access_is_allowed(const struct network_list *allowed, const struct sockaddr *peer)
{
    struct ip ip;

    if (peer->sa_family == AF_UNIX)
        return true;
    return ip_from_sockaddr(peer, &ip) &&
           (ip_is_loopback(&ip) || netguard_is_in_any(allowed->items, allowed->count, peer));
}
