/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * records: plain records of any name, for those who look at what somebody else has published (SPF,
 * RFC 7208) or at what is said of themselves. Nothing is sorted, and a record may come twice.
 */
#ifndef RB_DNS_RECORDS_H
#define RB_DNS_RECORDS_H

#include "base/ip.h"
#include "dns/dns.h"

enum { DNS_RECORDS_MAX = 128 /* kept of one answer */ };

/* One record. Which fields mean something depends on its type; the others are zero. */
struct dns_record {
    uint16_t preference; /* MX */
    struct ip ip;        /* A, AAAA */
    char *text;          /* MX, PTR: the name, in lower case, no trailing dot; TXT: its strings,
                            joined. Malloc'ed, and a NUL stands behind it; NULL for A and AAAA */
    size_t text_len;     /* without that NUL; a TXT may hold NUL and any other octet */
};

struct dns_record_list {
    struct dns_record *record; /* as the answer has them; malloc'ed */
    size_t count;
    bool is_cut; /* the answer had more than fit: what is not here may still exist */
};

/*
 * Records of one type, ns_t_a, ns_t_aaaa, ns_t_mx, ns_t_ptr or ns_t_txt (any other: DNS_FAILURE),
 * by `until`. Asked for are names such as "_spf.example.org", "b=2Ba+c.example.org" and
 * "1.0/25.2.0.192.in-addr.arpa" (RFC 2317) too: all that dns_name_can_be_asked says yes to; others
 * are DNS_FAILURE. CNAMEs are followed. Mail hosts and pointers that are no host names ("." too)
 * are left out; where nothing is left then, DNS_NO_DATA.
 *
 * The list is the caller's, to be given back with dns_records_free whatever the outcome; on
 * anything but DNS_FOUND it is empty. Any thread.
 */
enum dns_outcome dns_records(const struct dns *dns, const char *name, int type, deadline until,
                             struct dns_record_list *list);

/*
 * The same where an answer of a while ago will do. It is kept for its TTL, DNS_RECORDS_KEPT_LEAST_S
 * at least and DNS_RECORDS_KEPT_MOST_S at most; that there is nothing, for the former. Where
 * `until` has passed nobody is asked, and what is kept does all the same. Of MX, A and AAAA records
 * there is one memory for this and for dns_mail_exchangers and dns_addresses, for their
 * DNS_HOSTS_KEPT_S: who is asked first for the one is not asked for the other. Of mail hosts and
 * pointers only those are left out that could not be asked for here; where nothing is left then, it
 * is DNS_FOUND, and an empty list. Any thread.
 */
enum dns_outcome dns_records_recent(const struct dns *dns, const char *name, int type,
                                    deadline until, struct dns_record_list *list);

/* Whether `until` has passed: where a look-up failed, it may be for want of time. */
bool dns_records_are_late(const struct dns *dns, deadline until);

/* Frees what the records own and empties the list. A zeroed list is fine. */
void dns_records_free(struct dns_record_list *list);

/*
 * Adds a record, unless there is no room (is_cut). Its text is the list's from now on, and freed
 * where it is not added. False: no memory.
 */
bool dns_records_add(struct dns_record_list *list, const struct dns_record *record);

#endif
