/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dns: the mail hosts of a domain (RFC 5321 5.1, RFC 7505, RFC 1035). libresolv's thread-safe calls
 * only (res_n*), no search list, no /etc/hosts. Answers are hostile input.
 */
#ifndef RB_DNS_H
#define RB_DNS_H

#include "deadline.h"
#include "ringback.h"

#include <netinet/in.h>
#include <sys/socket.h>

enum {
    DNS_MX_MAX = 32,        /* mail hosts kept of one answer: the best preferences */
    DNS_ADDRESSES_MAX = 16, /* addresses kept of one mail host */
    DNS_RESOLVERS_MAX = 3,  /* libresolv's MAXNS */
};

enum dns_outcome {
    DNS_FOUND,
    DNS_NO_DOMAIN, /* NXDOMAIN */
    DNS_NO_DATA,   /* the name exists, but has no such record */
    DNS_NULL_MX,   /* RFC 7505: one MX, "." */
    DNS_FAILURE,   /* SERVFAIL, REFUSED, time-out, no answer, a broken answer */
};

struct dns_mx {
    char name[RB_DOMAIN_MAX + 1]; /* lower case, no trailing dot */
    uint16_t preference;
};

struct dns_mx_list {
    struct dns_mx mx[DNS_MX_MAX]; /* by preference, random order within one (RFC 5321 5.1) */
    size_t count;
};

struct dns_address_list {
    /* Port 0; families in turn, IPv6 first, random order within one; none twice. */
    struct sockaddr_storage address[DNS_ADDRESSES_MAX];
    size_t count;
};

struct dns; /* opaque; never changes after dns_open: any number of threads may ask at once */

/*
 * servers: "127.0.0.1:5353", "[::1]:53", "192.0.2.1", count of them, asked in this order; none:
 * those of resolv.conf. Copied; the clock must outlive the dns. RB_ERR_ARGUMENT on a malformed one
 * or more than DNS_RESOLVERS_MAX.
 */
enum rb_error dns_open(const char *const *servers, size_t count, const struct rb_clock *clock,
                       struct dns **dns) __attribute__((warn_unused_result));

/* NULL is fine. */
void dns_close(struct dns *dns);

/*
 * The look-ups below end by `until`: nothing is sent once it has passed, but an attempt under way
 * may overrun it by a second at most (libresolv counts whole seconds). A domain or name that is no
 * host name in A-labels (letters, digits, "-", "_", dots; 253 octets) cannot be asked: DNS_FAILURE.
 * On anything but DNS_FOUND the list is empty. Any thread.
 */

/*
 * MX records of a canonical domain. DNS_NO_DATA: no MX; the domain itself may be the mail host
 * (implicit MX), which is for the caller to look up. CNAMEs are followed. Left out are "." beside
 * other records, names with other octets than a host name has, and repetitions; where nothing is
 * left then, DNS_FAILURE: it is not as if there were no MX (RFC 5321 5.1).
 */
enum dns_outcome dns_mail_exchangers(const struct dns *dns, const char *domain, deadline until,
                                     struct dns_mx_list *list);

/*
 * A and AAAA records of a name. DNS_FAILURE only when nothing was found and some look-up failed;
 * DNS_NO_DOMAIN/NO_DATA only when every look-up said so.
 */
enum dns_outcome dns_addresses(const struct dns *dns, const char *name, enum rb_ip_version version,
                               deadline until, struct dns_address_list *list);

#endif
