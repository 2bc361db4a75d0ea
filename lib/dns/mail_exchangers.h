/* SPDX-License-Identifier: BSD-2-Clause */
/* mail_exchangers: which hosts take a domain's mail, and in which order (RFC 5321 5.1). */
#ifndef RB_DNS_MAIL_EXCHANGERS_H
#define RB_DNS_MAIL_EXCHANGERS_H

#include "dns/dns.h"

enum { DNS_MX_MAX = 32 /* mail hosts kept of one answer: the best preferences */ };

struct dns_mx {
    char name[RB_DOMAIN_MAX + 1]; /* lower case, no trailing dot; or an IP address, no brackets */
    uint16_t preference;
};

struct dns_mx_list {
    size_t count;
    bool is_incomplete;           /* there are more: names that are none, or too many */
    struct dns_mx mx[DNS_MX_MAX]; /* by preference, random order within one (RFC 5321 5.1) */
};

/*
 * The MX records of a canonical domain, by `until`; what was said up to DNS_HOSTS_KEPT_S ago will
 * do. CNAMEs are followed. Any thread.
 *
 * DNS_NULL_MX: the domain takes no mail (RFC 7505). DNS_NO_DATA: no MX; the domain itself may be
 * the mail host (implicit MX), which is for the caller to look up. Left out are "." beside other
 * records, names that are none of hosts (dns_name_of_host), and repetitions; where nothing is left
 * then, DNS_FAILURE: it is not as if there were no MX (RFC 5321 5.1). A name that is the text of an
 * IP address, in brackets or not, stands for that address. DNS_FAILURE also where the domain is no
 * host name. On anything but DNS_FOUND the list is empty.
 */
enum dns_outcome dns_mail_exchangers(const struct dns *dns, const char *domain, deadline until,
                                     struct dns_mx_list *list);

#endif
