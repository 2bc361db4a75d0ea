/* SPDX-License-Identifier: BSD-2-Clause */
/* addresses: see the header. Decides nothing about the addresses that it finds. */
#include "config.h"

#include "dns/addresses.h"

#include <netinet/in.h>
#include <string.h>

#include "base/random.h"
#include "dns/query.h"

/* One family's part. */
struct family {
    ns_type type;
    uint8_t address[DNS_ADDRESSES_MAX][sizeof(struct in6_addr)]; /* data of records, and zeros */
    size_t count;
    bool has_more; /* than there is room for */
};

static bool take_address(const ns_msg *msg, const ns_rr *rr, void *arg)
{
    struct family *family = arg;
    uint8_t address[sizeof family->address[0]] = {0};

    (void)msg;
    if (ns_rr_rdlen(*rr) !=
        (family->type == ns_t_a ? sizeof(struct in_addr) : sizeof(struct in6_addr)))
        return false;
    memcpy(address, ns_rr_rdata(*rr), ns_rr_rdlen(*rr));
    for (size_t i = 0; i < family->count; i++)
        if (memcmp(family->address[i], address, sizeof address) == 0)
            return true;
    if (family->count < DNS_ADDRESSES_MAX)
        memcpy(family->address[family->count++], address, sizeof address);
    else
        family->has_more = true;
    return true;
}

static void write_sockaddr(ns_type type, const uint8_t *octets, struct sockaddr_storage *address)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

    memset(address, 0, sizeof *address);
    if (type == ns_t_a) {
        memcpy(&v4.sin_addr, octets, sizeof v4.sin_addr);
        memcpy(address, &v4, sizeof v4);
    } else {
        memcpy(&v6.sin6_addr, octets, sizeof v6.sin6_addr);
        memcpy(address, &v6, sizeof v6);
    }
}

/* What look-ups of one name come to, when none of them found anything. */
static enum dns_outcome nothing_found(const enum dns_outcome *outcome, size_t count)
{
    enum dns_outcome all = outcome[0];

    for (size_t i = 1; i < count; i++)
        if (outcome[i] == DNS_FAILURE || all == DNS_FAILURE)
            all = DNS_FAILURE;
        else if (outcome[i] != all)
            all = DNS_NO_DATA;
    return all;
}

/* The families in turn, until the list is full. */
static enum dns_outcome merge(struct family *family, const enum dns_outcome *outcome, size_t count,
                              struct dns_address_list *list)
{
    size_t found = 0;

    for (size_t i = 0; i < count; i++) {
        if (outcome[i] != DNS_FOUND)
            family[i].count = 0;
        random_shuffle(family[i].address, family[i].count, sizeof family[i].address[0]);
        found += family[i].count;
        list->is_incomplete |= family[i].has_more || outcome[i] == DNS_FAILURE;
    }
    for (size_t at = 0; at < DNS_ADDRESSES_MAX; at++)
        for (size_t i = 0; i < count; i++)
            if (at < family[i].count && list->count < DNS_ADDRESSES_MAX)
                write_sockaddr(family[i].type, family[i].address[at],
                               &list->address[list->count++]);
    list->is_incomplete |= list->count < found;
    return found > 0 ? DNS_FOUND : nothing_found(outcome, count);
}

enum dns_outcome dns_addresses(const struct dns *dns, const char *name, enum rb_ip_version version,
                               deadline until, struct dns_address_list *list)
{
    const struct dns_query common = {.name = name, .kept = dns->hosts, .take = take_address};
    struct family family[DNS_QUERIES_MAX] = {{.count = 0}};
    struct dns_query query[DNS_QUERIES_MAX];
    enum dns_outcome outcome[DNS_QUERIES_MAX];
    size_t count = 0;

    list->count = 0;
    list->is_incomplete = false;
    for (size_t i = 0; i < DNS_QUERIES_MAX; i++) {
        if (version == (i == 0 ? RB_IP_V4 : RB_IP_V6))
            continue;
        query[count] = common;
        query[count].type = family[count].type = i == 0 ? ns_t_aaaa : ns_t_a;
        query[count].arg = &family[count];
        count++;
    }
    dns_query(dns, query, count, until, outcome);
    return merge(family, outcome, count, list);
}
