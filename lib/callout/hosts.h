/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hosts: the mail hosts of a destination, and their addresses, by DNS (RFC 5321 5.1). Calls no
 * host; what could not be found out is noted in the attempt. One thread, that of the callout, which
 * a name server keeps waiting as a mail host does.
 */
#ifndef RB_CALLOUT_HOSTS_H
#define RB_CALLOUT_HOSTS_H

#include "callout/attempt.h"
#include "dns/addresses.h"
#include "dns/mail_exchangers.h"

/* Mail hosts of a domain, by preference. */
struct hosts {
    struct dns_mx *mx; /* malloc'ed; NULL: none */
    size_t count;
};

/*
 * The domain's mail hosts that are ours to call. DNS_FOUND: found->mx is the caller's, to be freed.
 * DNS_NO_DATA: there is no MX, and the domain is its own mail host.
 */
enum dns_outcome hosts_find(struct attempt *attempt, struct hosts *found);

/*
 * The addresses of a mail host, by its name or its address as text, of the IP version that is to be
 * used. DNS_NO_DATA: it has none of that version.
 */
enum dns_outcome hosts_find_addresses(struct attempt *attempt, const char *name,
                                      struct dns_address_list *list);

/*
 * Of a host without an address that may be called: one that can only be reached by the IP version
 * that is not to be used is there all the same, which is noted.
 */
void hosts_look_for_other_version(struct attempt *attempt, const char *name);

#endif
