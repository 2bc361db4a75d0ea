/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dns: see the header. Mail hosts and their addresses, out of what dns_query.h finds (RFC 5321 5.1,
 * RFC 7505), and the servers that are asked. Decides nothing about the addresses it finds.
 */
#include "config.h"

#include "dns.h"

#include "dns_query.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* --- Servers ------------------------------------------------------------- */

static bool parse_port(const char *text, in_port_t *port)
{
    size_t len = strspn(text, "0123456789");
    if (len == 0 || len > 5 || text[len] != '\0')
        return false;
    unsigned long number = strtoul(text, NULL, 10);
    if (number == 0 || number > UINT16_MAX)
        return false;
    *port = htons((uint16_t)number);
    return true;
}

static bool parse_ipv4(const char *text, in_port_t port, struct sockaddr_storage *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = port};
    if (inet_pton(AF_INET, text, &address.sin_addr) != 1)
        return false;
    memcpy(server, &address, sizeof address);
    return true;
}

/* By getaddrinfo, which also knows scopes ("fe80::1%eth0"). */
static bool parse_ipv6(const char *text, in_port_t port, struct sockaddr_storage *server)
{
    const struct addrinfo hints = {
        .ai_family = AF_INET6, .ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICHOST};
    struct addrinfo *found = NULL;
    if (getaddrinfo(text, NULL, &hints, &found) != 0)
        return false;
    struct sockaddr_in6 address;
    memcpy(&address, found->ai_addr, sizeof address);
    freeaddrinfo(found);
    address.sin6_port = port;
    memcpy(server, &address, sizeof address);
    return true;
}

/* "192.0.2.1", "192.0.2.1:53", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:53" */
static bool parse_server(const char *text, struct sockaddr_storage *server)
{
    char host[INET6_ADDRSTRLEN + IF_NAMESIZE + 1];
    in_port_t port = htons(NS_DEFAULTPORT);
    bool has_bracket = text[0] == '[';
    const char *first_colon = strchr(text, ':');
    bool is_ipv6 = has_bracket || (first_colon != NULL && strchr(first_colon + 1, ':') != NULL);

    const char *start = has_bracket ? text + 1 : text;
    size_t len = strlen(start);
    if (has_bracket)
        len = strcspn(start, "]");
    else if (!is_ipv6)
        len = strcspn(start, ":");
    if (len == 0 || len >= sizeof host)
        return false;
    memcpy(host, start, len);
    host[len] = '\0';

    const char *rest = start + len;
    if (has_bracket && *rest++ != ']')
        return false;
    if (*rest != '\0' && (*rest != ':' || !parse_port(rest + 1, &port)))
        return false;
    return is_ipv6 ? parse_ipv6(host, port, server) : parse_ipv4(host, port, server);
}

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
                       struct dns **dns)
{
    *dns = NULL;
    if (count > DNS_RESOLVERS_MAX)
        return RB_ERR_ARGUMENT;
    struct dns *opened = calloc(1, sizeof *opened);
    if (opened == NULL)
        return RB_ERR_NOMEM;
    opened->clock = clock;
    opened->hosts = dns_answers_new(clock, &host_terms);
    opened->records = dns_answers_new(clock, &record_terms);
    if (opened->hosts == NULL || opened->records == NULL) {
        dns_close(opened);
        return RB_ERR_NOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        if (!parse_server(servers[i], &opened->server[i])) {
            dns_close(opened);
            return RB_ERR_ARGUMENT;
        }
    }
    opened->server_count = count;
    *dns = opened;
    return RB_OK;
}

void dns_close(struct dns *dns)
{
    if (dns == NULL)
        return;
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
    if (list->count < DNS_MX_MAX)
        list->mx[list->count++] = *mx;
    else if (mx->preference < worst->preference)
        *worst = *mx;
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
    else if (dns_host_name(target, mx.name))
        keep_mx(answer->list, &mx);
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
    list->count = 0;
    const struct dns_query query = {
        .name = domain, .type = ns_t_mx, .kept = dns->hosts, .take = take_mx, .arg = &answer};
    enum dns_outcome outcome = dns_query(dns, &query, until);
    if (outcome == DNS_FOUND && answer.records == 1 && answer.roots == 1)
        return DNS_NULL_MX;
    /* MX records, but none that can be used: not the same as none (RFC 5321 5.1). */
    if (outcome == DNS_FOUND && list->count == 0)
        return DNS_FAILURE;
    if (outcome != DNS_FOUND) {
        list->count = 0;
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
        list->count = 0;
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
    /* The first may take half of the time: a server that is deaf to one type shall not hide the
     * other. */
    const deadline end[] = {deadline_in(dns->clock, deadline_left_ms(dns->clock, until) / 2),
                            until};
    enum dns_outcome found[2];
    dns_query_both(dns, query, end, found);
    settle(found[0], &v6);
    settle(found[1], &v4);
    for (size_t i = 0; i < DNS_ADDRESSES_MAX; i++) {
        append(list, &v6, i);
        append(list, &v4, i);
    }
    return list->count > 0 ? DNS_FOUND : nothing_found(found[1], found[0]);
}

enum dns_outcome dns_addresses(const struct dns *dns, const char *name, enum rb_ip_version version,
                               deadline until, struct dns_address_list *list)
{
    list->count = 0;
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
