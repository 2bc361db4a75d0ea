/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dns: the mail hosts of a domain (RFC 5321 5.1, RFC 7505, RFC 1035), and plain records where a
 * question needs them. libresolv's thread-safe calls only (res_n*), no search list, no /etc/hosts.
 * Answers are hostile input.
 */
#ifndef RB_DNS_H
#define RB_DNS_H

#include "base/clock.h"
#include "ringback.h"

#include <netinet/in.h>
#include <sys/socket.h>

enum {
    DNS_MX_MAX = 32,        /* mail hosts kept of one answer: the best preferences */
    DNS_ADDRESSES_MAX = 16, /* addresses kept of one mail host */
    DNS_RESOLVERS_MAX = 3,  /* libresolv's MAXNS */
    DNS_RECORDS_MAX = 128,  /* records kept of one answer by dns_records */

    /* For how long answers do for the next question (dns_answers.h), and how many. */
    DNS_HOSTS_KEPT_S = 30,
    DNS_HOSTS_KEPT_MAX = 4096,
    DNS_RECORDS_KEPT_LEAST_S = 300,
    DNS_RECORDS_KEPT_MOST_S = 3600,
    DNS_RECORDS_KEPT_MAX = 16384,
    DNS_RECORDS_KEPT_OCTETS_MAX = 8 * 1024 * 1024,
};

enum dns_outcome {
    DNS_FOUND,
    DNS_NO_DOMAIN, /* NXDOMAIN */
    DNS_NO_DATA,   /* the name exists, but has no such record */
    DNS_NULL_MX,   /* RFC 7505: one MX, "." */
    DNS_FAILURE,   /* SERVFAIL, REFUSED, time-out, no answer, a broken answer */
};

struct dns_mx {
    char name[RB_DOMAIN_MAX + 1]; /* lower case, no trailing dot; or an IP address, no brackets */
    uint16_t preference;
};

struct dns_mx_list {
    struct dns_mx mx[DNS_MX_MAX]; /* by preference, random order within one (RFC 5321 5.1) */
    size_t count;
    bool is_incomplete; /* there are more: names that are none, or too many */
};

struct dns_address_list {
    /* Port 0; families in turn, IPv6 first, random order within one; none twice. */
    struct sockaddr_storage address[DNS_ADDRESSES_MAX];
    size_t count;
    bool is_incomplete; /* there may be more: one of two look-ups failed, or they were too many */
};

/* One record. Which fields mean something depends on its type; the others are zero. */
struct dns_record {
    uint16_t preference; /* MX */
    uint8_t address[16]; /* A: the first four octets; AAAA: all */
    char *text;          /* MX, PTR: the name, in lower case, no trailing dot; TXT: its strings,
                            joined. Malloc'ed, and a NUL stands behind it; NULL for A and AAAA */
    size_t text_len;     /* without that NUL; a TXT may hold NUL and any other octet */
};

struct dns_record_list {
    struct dns_record record[DNS_RECORDS_MAX]; /* as the answer has them */
    size_t count;
    bool is_cut; /* the answer had more than fit: what is not here may still exist */
};

struct dns; /* opaque; any number of threads may ask at once */

/*
 * servers: "127.0.0.1:5353", "[::1]:53", "192.0.2.1", count of them, asked in this order; none:
 * those of resolv.conf. Copied; the clock must outlive the dns. RB_ERR_ARGUMENT on a malformed one
 * or more than DNS_RESOLVERS_MAX. cancel_fd: from when it is readable on, look-ups end at once with
 * DNS_FAILURE; -1: none.
 */
enum rb_error dns_open(const char *const *servers, size_t count, const struct rb_clock *clock,
                       int cancel_fd, struct dns **dns) __attribute__((warn_unused_result));

/* NULL is fine. */
void dns_close(struct dns *dns);

/*
 * The look-ups below end by `until`. Mail exchangers and addresses may be those of a moment ago:
 * answers are kept for their TTL, DNS_HOSTS_KEPT_S at most. A domain or name that is no host name
 * in A-labels (letters, digits, "-", "_", dots; 253 octets) cannot be asked:
 * DNS_FAILURE. On anything but DNS_FOUND the list is empty. Any thread.
 */

/*
 * MX records of a canonical domain. DNS_NO_DATA: no MX; the domain itself may be the mail host
 * (implicit MX), which is for the caller to look up. CNAMEs are followed. Left out are "." beside
 * other records, names with other octets than a host name has, and repetitions; where nothing is
 * left then, DNS_FAILURE: it is not as if there were no MX (RFC 5321 5.1). A name that is the text of
 * an IP address, in brackets or not, stands for that address.
 */
enum dns_outcome dns_mail_exchangers(const struct dns *dns, const char *domain, deadline until,
                                     struct dns_mx_list *list);

/*
 * A and AAAA records of a name; where both are wanted, they are asked for at once. DNS_FAILURE only
 * when nothing was found and some look-up failed; DNS_NO_DOMAIN/NO_DATA only when every look-up
 * said so.
 */
enum dns_outcome dns_addresses(const struct dns *dns, const char *name, enum rb_ip_version version,
                               deadline until, struct dns_address_list *list);

/*
 * Records of one type: ns_t_a, ns_t_aaaa, ns_t_mx, ns_t_ptr or ns_t_txt (any other: DNS_FAILURE).
 * What may be asked for here is any name of printable ASCII and spaces without a backslash
 * (dns_can_ask), such as "_spf.example.org", "b=2Ba+c.example.org" and
 * "1.0/25.2.0.192.in-addr.arpa" (RFC 2317). Nothing is sorted, and a record may come twice. Mail
 * hosts and pointers that are no host names ("." too) are left out; where nothing is left then,
 * DNS_NO_DATA. The list is the caller's, to be given back with dns_records_free whatever the
 * outcome. CNAMEs are followed.
 */
enum dns_outcome dns_records(const struct dns *dns, const char *name, int type, deadline until,
                             struct dns_record_list *list);

/*
 * The same for those who look at what somebody else wrote, name by name (SPF, RFC 7208): an answer
 * of a while ago will do. It is kept for its TTL, DNS_RECORDS_KEPT_LEAST_S at least and
 * DNS_RECORDS_KEPT_MOST_S at most; that there is nothing, for the former. Where `until` has passed
 * nobody is asked, and what is kept does all the same. Of mail hosts and pointers only those are
 * left out that could not be asked for here; where nothing is left then, it is DNS_FOUND, and an
 * empty list.
 */
enum dns_outcome dns_recent_records(const struct dns *dns, const char *name, int type,
                                    deadline until, struct dns_record_list *list);

/* Whether `until` has passed: where a look-up failed, it may be for want of time. */
bool dns_is_late(const struct dns *dns, deadline until);

/* Whether dns_records can ask for a name: its octets, its labels' lengths and its own. Pure. */
bool dns_can_ask(const char *name);

/* Frees what the records own and empties the list. A zeroed list is fine. */
void dns_records_free(struct dns_record_list *list);

/*
 * The name whose PTR records name an address: "1.2.0.192.in-addr.arpa", "....ip6.arpa" (RFC 1035
 * 3.5, RFC 3596 2.5); v4-mapped is the same as v4. False, and "", when it is neither AF_INET nor
 * AF_INET6.
 */
bool dns_reverse_name(const struct sockaddr *address, char name[RB_DOMAIN_MAX + 1]);

#endif
