/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dns_query: one question to the name servers, or two at once. A stub resolver's client: it asks
 * one recursive server after the other, within one deadline, and hands over the records of the
 * answer (RFC 1035 4, RFC 2181 5). Shared by dns and dns_records; nobody else includes it.
 */
#ifndef RB_DNS_QUERY_H
#define RB_DNS_QUERY_H

#include "dns.h"
#include "dns_answers.h"

#include <arpa/nameser.h>

struct dns {
    const struct rb_clock *clock;
    struct sockaddr_storage server[DNS_RESOLVERS_MAX];
    size_t server_count;         /* 0: those of resolv.conf, as it is when a question is asked */
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
 * The same for two questions about one name. Both are sent before an answer to either is awaited
 * (unless resolv.conf has single-request, single-request-reopen or use-vc: then one after the
 * other), and the first server has as much time for both as it would have for the first alone; what
 * else is to be done is done for one after the other, so until[0] also says when the second comes
 * to its turn. Never more sockets than one at a time. Any thread.
 */
void dns_query_both(const struct dns *dns, const struct dns_query query[2], const deadline until[2],
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
