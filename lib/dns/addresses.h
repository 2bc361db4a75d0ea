/* SPDX-License-Identifier: BSD-2-Clause */
/* addresses: where a host can be reached: its A and AAAA records (RFC 1035, RFC 3596). */
#ifndef RB_DNS_ADDRESSES_H
#define RB_DNS_ADDRESSES_H

#include "dns/dns.h"

#include <sys/socket.h>

enum { DNS_ADDRESSES_MAX = 16 /* kept of one host */ };

struct dns_address_list {
    /* Port 0; families in turn, IPv6 first, random order within one; none twice. */
    struct sockaddr_storage address[DNS_ADDRESSES_MAX];
    size_t count;
    bool is_incomplete; /* there may be more: one of two look-ups failed, or they were too many */
};

/*
 * The addresses of a host, by `until`; what was said up to DNS_HOSTS_KEPT_S ago will do. CNAMEs are
 * followed. Where both families are wanted they are asked for at once. Any thread.
 *
 * DNS_FAILURE only when nothing was found and some look-up failed, or the name is none of a host
 * (dns_name_of_host); DNS_NO_DOMAIN and DNS_NO_DATA only when every look-up said so. On anything
 * but DNS_FOUND the list is empty.
 */
enum dns_outcome dns_addresses(const struct dns *dns, const char *name, enum rb_ip_version version,
                               deadline until, struct dns_address_list *list);

#endif
