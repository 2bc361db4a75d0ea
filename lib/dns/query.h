/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dns_query: one look-up, or two at once: what is known or the name servers say of a name and a type,
 * CNAMEs followed, within one deadline; hands over the records of the answer (RFC 1035 4, RFC 2181
 * 5). Shared by dns and dns_records; nobody else includes it.
 */
#ifndef RB_DNS_QUERY_H
#define RB_DNS_QUERY_H

#include "dns/dns.h"
#include "dns/answers.h"
#include "dns/servers.h"

#include <arpa/nameser.h>

struct dns {
    const struct rb_clock *clock;
    int cancel_fd;
    struct dns_servers *servers;
    struct dns_answers *hosts;   /* of dns_mail_exchangers and dns_addresses */
    struct dns_answers *records; /* of dns_recent_records */
};

/* Takes one record of the type asked for. False: its data are broken. */
typedef bool dns_take_fn(const ns_msg *msg, const ns_rr *rr, void *arg);

struct dns_query {
    const char *name;
    ns_type type;
    bool any_name;            /* not only names of hosts; see dns_records */
    struct dns_answers *kept; /* an answer among these will do, and this one is kept there; NULL */
    bool kept_late;           /* also where the time has passed */
    dns_take_fn *take;
    void *arg;
};

/*
 * Asks, and follows CNAMEs. DNS_FOUND when at least one record was taken and none was broken; never
 * DNS_NULL_MX. Ends by `until`. Any thread.
 */
enum dns_outcome dns_query(const struct dns *dns, const struct dns_query *query, deadline until);

/*
 * The same for two questions about one name, at once (unless resolv.conf has single-request or
 * single-request-reopen: then one after the other). When one has its answer the other is waited for
 * until half of the time has passed. Any thread.
 */
void dns_query_both(const struct dns *dns, const struct dns_query query[2], deadline until,
                    enum dns_outcome outcome[2]);

/* Copies the name of a host in lower case. False for what is none. Pure. */
bool dns_host_name(const char *text, char name[RB_DOMAIN_MAX + 1]);

/* The same for any name that dns_records can ask for, written as dns_name_in_data does. */
bool dns_any_name(const char *text, char name[RB_DOMAIN_MAX + 1]);

/*
 * The name that fills the rest of the record's data from `offset` on; in presentation form, odd
 * octets escaped. Pure.
 */
bool dns_name_in_data(const ns_msg *msg, const ns_rr *rr, size_t offset, char text[NS_MAXDNAME]);

#endif
