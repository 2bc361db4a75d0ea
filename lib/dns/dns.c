/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dns: see the header. Mail hosts and their addresses, out of what dns_query.h finds (RFC 5321 5.1,
 * RFC 7505). Decides nothing about the addresses it finds.
 */
#include "config.h"

#include "dns/dns.h"

#include "dns/query.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

/* Mail hosts and their addresses: what changes there is to be seen soon. */
static const struct dns_answers_terms host_terms = {
    .most_ms = DNS_HOSTS_KEPT_S * 1000LL,
    .entries_max = DNS_HOSTS_KEPT_MAX,
    .size_max = 1232, /* what fits a datagram (EDNS, in practice) */
    .octets_max = SIZE_MAX,
};

/* Records of others: what is there, and what is not, is asked about with each of their mails. */
static const struct dns_answers_terms record_terms = {
    .least_ms = DNS_RECORDS_KEPT_LEAST_S * 1000LL,
    .most_ms = DNS_RECORDS_KEPT_MOST_S * 1000LL,
    .nothing_ms = DNS_RECORDS_KEPT_LEAST_S * 1000LL,
    .entries_max = DNS_RECORDS_KEPT_MAX,
    .size_max = DNS_ANSWERS_SIZE_MAX,
    .octets_max = DNS_RECORDS_KEPT_OCTETS_MAX,
};

enum rb_error dns_open(const char *const *servers, size_t count, const struct rb_clock *clock,
                       int cancel_fd, struct dns **dns)
{
    struct dns *opened = calloc(1, sizeof *opened);
    *dns = NULL;
    if (opened == NULL)
        return RB_ERR_NOMEM;
    opened->clock = clock;
    opened->cancel_fd = cancel_fd;
    opened->hosts = dns_answers_new(clock, &host_terms);
    opened->records = dns_answers_new(clock, &record_terms);
    enum rb_error error = opened->hosts != NULL && opened->records != NULL
                              ? dns_servers_open(servers, count, clock, &opened->servers)
                              : RB_ERR_NOMEM;
    if (error == RB_OK)
        *dns = opened;
    else
        dns_close(opened);
    return error;
}

void dns_close(struct dns *dns)
{
    if (dns == NULL)
        return;
    dns_servers_close(dns->servers);
    dns_answers_free(dns->hosts);
    dns_answers_free(dns->records);
    free(dns);
}

/* A random number below `ceiling`; 0 where the system has no randomness to give. */
static size_t random_below(size_t ceiling)
{
    uint32_t number = 0;
    if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number)
        return 0;
    return number % ceiling;
}

/* --- Mail exchangers ------------------------------------------------------- */

struct mx_answer {
    struct dns_mx_list *list;
    size_t records, roots; /* all, and those whose target is "." */
};

/* Keeps the better preference of one name, and the best preferences of all. */
static void keep_mx(struct dns_mx_list *list, const struct dns_mx *mx)
{
    struct dns_mx *worst = &list->mx[0];
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->mx[i].name, mx->name) == 0) {
            if (mx->preference < list->mx[i].preference)
                list->mx[i].preference = mx->preference;
            return;
        }
        if (list->mx[i].preference > worst->preference)
            worst = &list->mx[i];
    }
    if (list->count < DNS_MX_MAX) {
        list->mx[list->count++] = *mx;
        return;
    }
    list->is_incomplete = true;
    if (mx->preference < worst->preference)
        *worst = *mx;
}

/*
 * Many write an address where a name should be, and other mailers deliver there: "192.0.2.7",
 * "2001:db8::7", either in brackets, "[IPv6:2001:db8::7]". False: it is none.
 */
static bool read_address(const char *target, char name[RB_DOMAIN_MAX + 1])
{
    static const char tag[] = "ipv6:";
    char text[INET6_ADDRSTRLEN + sizeof tag];
    struct in6_addr octets;
    const bool has_brackets = target[0] == '[';
    const char *from = has_brackets ? target + 1 : target;
    const size_t len = strcspn(from, "]");
    if (len >= sizeof text || strcmp(from + len, has_brackets ? "]" : "") != 0)
        return false;
    memcpy(text, from, len);
    text[len] = '\0';
    from =
        has_brackets && strncasecmp(text, tag, sizeof tag - 1) == 0 ? text + sizeof tag - 1 : text;
    const int family = strchr(from, ':') != NULL ? AF_INET6 : AF_INET;
    return inet_pton(family, from, &octets) == 1 &&
           inet_ntop(family, &octets, name, RB_DOMAIN_MAX + 1) != NULL;
}

static bool take_mx(const ns_msg *msg, const ns_rr *rr, void *arg)
{
    struct mx_answer *answer = arg;
    struct dns_mx mx;
    char target[NS_MAXDNAME];
    if (!dns_name_in_data(msg, rr, sizeof mx.preference, target))
        return false;
    mx.preference = (uint16_t)ns_get16(ns_rr_rdata(*rr));
    answer->records++;
    if (strcmp(target, ".") == 0)
        answer->roots++;
    else if (read_address(target, mx.name) || dns_host_name(target, mx.name))
        keep_mx(answer->list, &mx);
    else
        answer->list->is_incomplete = true;
    return true;
}

static void swap_mx(struct dns_mx *a, struct dns_mx *b)
{
    struct dns_mx kept = *a;
    *a = *b;
    *b = kept;
}

/* By preference, in random order within one: shuffled, then sorted by insertion, which leaves
 * equals as they are. */
static void order_mx(struct dns_mx_list *list)
{
    for (size_t i = list->count; i > 1; i--)
        swap_mx(&list->mx[i - 1], &list->mx[random_below(i)]);
    for (size_t i = 1; i < list->count; i++) {
        for (size_t j = i; j > 0 && list->mx[j - 1].preference > list->mx[j].preference; j--)
            swap_mx(&list->mx[j - 1], &list->mx[j]);
    }
}

enum dns_outcome dns_mail_exchangers(const struct dns *dns, const char *domain, deadline until,
                                     struct dns_mx_list *list)
{
    struct mx_answer answer = {.list = list};
    *list = (struct dns_mx_list){.count = 0};
    const struct dns_query query = {
        .name = domain, .type = ns_t_mx, .kept = dns->hosts, .take = take_mx, .arg = &answer};
    enum dns_outcome outcome = dns_query(dns, &query, until);
    if (outcome == DNS_FOUND && answer.records == 1 && answer.roots == 1)
        return DNS_NULL_MX;
    /* MX records, but none that can be used: not the same as none (RFC 5321 5.1). */
    if (outcome == DNS_FOUND && list->count == 0)
        return DNS_FAILURE;
    if (outcome != DNS_FOUND) {
        *list = (struct dns_mx_list){.count = 0};
        return outcome;
    }
    order_mx(list);
    return DNS_FOUND;
}

/* --- Addresses ------------------------------------------------------------- */

static void keep_address(struct dns_address_list *list, const void *address, size_t size)
{
    struct sockaddr_storage kept = {0};
    memcpy(&kept, address, size);
    for (size_t i = 0; i < list->count; i++) {
        if (memcmp(&list->address[i], &kept, sizeof kept) == 0)
            return;
    }
    if (list->count < DNS_ADDRESSES_MAX)
        list->address[list->count++] = kept;
    else
        list->is_incomplete = true;
}

static bool take_a(const ns_msg *msg, const ns_rr *rr, void *arg)
{
    (void)msg;
    struct sockaddr_in address = {.sin_family = AF_INET};
    if (ns_rr_rdlen(*rr) != sizeof address.sin_addr)
        return false;
    memcpy(&address.sin_addr, ns_rr_rdata(*rr), sizeof address.sin_addr);
    keep_address(arg, &address, sizeof address);
    return true;
}

static bool take_aaaa(const ns_msg *msg, const ns_rr *rr, void *arg)
{
    (void)msg;
    struct sockaddr_in6 address = {.sin6_family = AF_INET6};
    if (ns_rr_rdlen(*rr) != sizeof address.sin6_addr)
        return false;
    memcpy(&address.sin6_addr, ns_rr_rdata(*rr), sizeof address.sin6_addr);
    keep_address(arg, &address, sizeof address);
    return true;
}

static struct dns_query family_query(const struct dns *dns, const char *name, ns_type type,
                                     struct dns_address_list *list)
{
    return (struct dns_query){
        .name = name,
        .type = type,
        .kept = dns->hosts,
        .take = type == ns_t_a ? take_a : take_aaaa,
        .arg = list,
    };
}

/* The list is empty or in random order after. */
static void settle(enum dns_outcome outcome, struct dns_address_list *list)
{
    if (outcome != DNS_FOUND)
        *list = (struct dns_address_list){.count = 0};
    for (size_t i = list->count; i > 1; i--) {
        size_t other = random_below(i);
        struct sockaddr_storage kept = list->address[i - 1];
        list->address[i - 1] = list->address[other];
        list->address[other] = kept;
    }
}

static enum dns_outcome look_up_family(const struct dns *dns, const char *name, ns_type type,
                                       deadline until, struct dns_address_list *list)
{
    const struct dns_query query = family_query(dns, name, type, list);
    enum dns_outcome outcome = dns_query(dns, &query, until);
    settle(outcome, list);
    return outcome;
}

static void append(struct dns_address_list *list, const struct dns_address_list *from, size_t index)
{
    if (index < from->count && list->count < DNS_ADDRESSES_MAX)
        list->address[list->count++] = from->address[index];
}

/* What two look-ups of one name come to, when neither found anything. */
static enum dns_outcome nothing_found(enum dns_outcome a, enum dns_outcome b)
{
    if (a == DNS_FAILURE || b == DNS_FAILURE)
        return DNS_FAILURE;
    return a == b ? a : DNS_NO_DATA;
}

static enum dns_outcome look_up_both(const struct dns *dns, const char *name, deadline until,
                                     struct dns_address_list *list)
{
    struct dns_address_list v6 = {.count = 0}, v4 = {.count = 0};
    const struct dns_query query[] = {family_query(dns, name, ns_t_aaaa, &v6),
                                      family_query(dns, name, ns_t_a, &v4)};
    enum dns_outcome found[2];
    dns_query_both(dns, query, until, found);
    settle(found[0], &v6);
    settle(found[1], &v4);
    for (size_t i = 0; i < DNS_ADDRESSES_MAX; i++) {
        append(list, &v6, i);
        append(list, &v4, i);
    }
    list->is_incomplete = v6.is_incomplete || v4.is_incomplete ||
                          list->count < v6.count + v4.count || found[0] == DNS_FAILURE ||
                          found[1] == DNS_FAILURE;
    return list->count > 0 ? DNS_FOUND : nothing_found(found[1], found[0]);
}

enum dns_outcome dns_addresses(const struct dns *dns, const char *name, enum rb_ip_version version,
                               deadline until, struct dns_address_list *list)
{
    *list = (struct dns_address_list){.count = 0};
    switch (version) {
    case RB_IP_V4:
        return look_up_family(dns, name, ns_t_a, until, list);
    case RB_IP_V6:
        return look_up_family(dns, name, ns_t_aaaa, until, list);
    case RB_IP_ANY:
        break;
    }
    return look_up_both(dns, name, until, list);
}
