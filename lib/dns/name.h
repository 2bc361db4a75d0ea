/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * name: domain names as text (RFC 1035 3.1, 5.1): which may be asked for, what they are called
 * in lower case, and those of addresses. Names in answers are hostile input. Pure.
 */
#ifndef RB_DNS_NAME_H
#define RB_DNS_NAME_H

#include "base/ip.h"
#include "ringback.h"

#include <arpa/nameser.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Copies the name of a host in lower case: letters, digits, "-" and "_" in labels of 63 octets at
 * most, no dot at its end, 253 octets. False for what is none.
 */
bool dns_name_of_host(const char *text, char name[RB_DOMAIN_MAX + 1]);

/*
 * The same for any name that may be asked for: its labels are of printable ASCII and spaces, but
 * neither dots nor backslashes. The text is in presentation form, as dns_name_in_data writes it.
 */
bool dns_name_of_any(const char *text, char name[RB_DOMAIN_MAX + 1]);

/* Whether dns_records can ask for a name, which is written as it is, without escapes. */
bool dns_name_can_be_asked(const char *name);

/*
 * The name that fills the rest of a record's data from `offset` on, in presentation form: odd
 * octets are escaped. False: the data are broken.
 */
bool dns_name_in_data(const ns_msg *msg, const ns_rr *rr, size_t offset, char text[NS_MAXDNAME]);

/*
 * The name whose PTR records name an address: "1.2.0.192.in-addr.arpa", "....ip6.arpa" (RFC 1035
 * 3.5, RFC 3596 2.5).
 */
void dns_name_of_ip(const struct ip *ip, char name[RB_DOMAIN_MAX + 1]);

#endif
