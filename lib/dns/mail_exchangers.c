/* SPDX-License-Identifier: BSD-2-Clause */
/* mail_exchangers: see the header. Decides nothing about the hosts that it finds. */
#include "config.h"

#include "dns/mail_exchangers.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "base/random.h"
#include "base/text.h"
#include "dns/name.h"
#include "dns/query.h"

struct mx_answer {
    struct dns_mx_list *list;
    size_t records, roots; /* all, and those whose target is "." */
};

/* Of one name the better preference is kept, of too many hosts those of the best preferences. */
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
static bool read_address_text(const char *target, char name[RB_DOMAIN_MAX + 1])
{
    static const char tag[] = "ipv6:";
    char text[INET6_ADDRSTRLEN + sizeof tag];
    struct in6_addr octets;
    const bool has_brackets = target[0] == '[';
    const char *from = has_brackets ? target + 1 : target;
    const size_t len = strcspn(from, "]");
    if (strcmp(from + len, has_brackets ? "]" : "") != 0 ||
        !text_copy_part(text, sizeof text, from, len))
        return false;
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
    else if (read_address_text(target, mx.name) || dns_name_of_host(target, mx.name))
        keep_mx(answer->list, &mx);
    else
        answer->list->is_incomplete = true;
    return true;
}

/* By preference, in random order within one: sorted by insertion, which leaves equals as they
 * are. */
static void order_mx(struct dns_mx_list *list)
{
    random_shuffle(list->mx, list->count, sizeof list->mx[0]);
    for (size_t i = 1; i < list->count; i++) {
        const struct dns_mx mx = list->mx[i];
        size_t at = i;
        for (; at > 0 && list->mx[at - 1].preference > mx.preference; at--)
            list->mx[at] = list->mx[at - 1];
        list->mx[at] = mx;
    }
}

enum dns_outcome dns_mail_exchangers(const struct dns *dns, const char *domain, deadline until,
                                     struct dns_mx_list *list)
{
    struct mx_answer answer = {.list = list};
    const struct dns_query query = {
        .name = domain, .type = ns_t_mx, .kept = dns->hosts, .take = take_mx, .arg = &answer};
    enum dns_outcome outcome;
    list->count = 0;
    list->is_incomplete = false;
    dns_query(dns, &query, 1, until, &outcome);
    if (outcome == DNS_FOUND && answer.records == 1 && answer.roots == 1)
        outcome = DNS_NULL_MX;
    /* MX records, but none that can be used: not the same as none (RFC 5321 5.1). */
    else if (outcome == DNS_FOUND && list->count == 0)
        outcome = DNS_FAILURE;
    if (outcome == DNS_FOUND)
        order_mx(list);
    else
        list->count = 0;
    return outcome;
}
