/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * query: look-ups, one or two at once: what is kept or the name servers say of a name and a type,
 * CNAMEs followed, within one deadline; hands over the records of the answer (RFC 1035 4, RFC 2181
 * 5). For this room alone.
 */
#ifndef RB_DNS_QUERY_H
#define RB_DNS_QUERY_H

#include "dns/answers.h"
#include "dns/dns.h"
#include "dns/servers.h"

#include <arpa/nameser.h>

enum { DNS_QUERIES_MAX = 2 /* at once: the two families of a host's addresses */ };

struct dns {
    const struct rb_clock *clock;
    int cancel_fd;
    struct dns_servers *servers;
    struct dns_answers *hosts;   /* of dns_mail_exchangers, dns_addresses, and, if MX, A or AAAA: */
    struct dns_answers *records; /* of dns_records_recent */
};

/* Takes one record of the type asked for. False: its data are broken. */
typedef bool dns_take_fn(const ns_msg *msg, const ns_rr *rr, void *arg);

struct dns_query {
    const char *name;
    ns_type type;
    bool any_name;            /* not only names of hosts: what dns_name_of_any takes */
    struct dns_answers *kept; /* an answer among these will do, and a new one is kept there; NULL */
    struct dns_answers *also; /* the same, after these; NULL */
    bool kept_late;           /* what is kept does also where the time has passed */
    dns_take_fn *take;
    void *arg;
};

/*
 * Makes `count` look-ups, one or two, by `until`. Two are made at once, unless resolv.conf has
 * single-request or single-request-reopen: then one after the other. When one of two has its answer
 * the other is waited for until half of the time has passed.
 *
 * outcome[i]: DNS_FOUND when at least one record was taken and none was broken; never DNS_NULL_MX.
 * Any thread.
 */
void dns_query(const struct dns *dns, const struct dns_query query[], size_t count, deadline until,
               enum dns_outcome outcome[]);

#endif
