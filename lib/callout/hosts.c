/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hosts: see hosts.h. Where a domain without MX is its own mail host, and what of a list is ours to
 * call where we are a backup MX ourselves (RFC 5321 5.1).
 */
#include "config.h"

#include "callout/hosts.h"

#include "mail/netguard.h"
#include "mail/relay.h"

#include <stdlib.h>
#include <string.h>

/* Few domains need it: its list of addresses does not lie beneath the look-up that all need. */
#define SELDOM __attribute__((noinline))

static enum dns_outcome look_up(const struct attempt *attempt, const char *name,
                                enum rb_ip_version version, struct dns_address_list *list)
{
    const struct callout *callout = attempt->callout;
    enum dns_outcome outcome;

    stall_begin_wait(callout->stall, clock_monotonic_ms(callout->clock));
    outcome = dns_addresses(callout->dns, name, version, attempt->until, list);
    stall_end_wait(callout->stall);
    return outcome;
}

/* An address as text may stand for a mail host's name: it is the only one that the host has. */
static enum dns_outcome find_addresses(const struct attempt *attempt, const char *name,
                                       enum rb_ip_version version, struct dns_address_list *list)
{
    struct sockaddr_storage address;

    if (!ip_sockaddr_parse(name, &address))
        return look_up(attempt, name, version, list);
    list->count = 0;
    list->is_incomplete = false;
    if (version != RB_IP_ANY && (version == RB_IP_V4) != (address.ss_family == AF_INET))
        return DNS_NO_DATA;
    list->address[list->count++] = address;
    return DNS_FOUND;
}

enum dns_outcome hosts_find_addresses(struct attempt *attempt, const char *name,
                                      struct dns_address_list *list)
{
    const enum rb_ip_version version = attempt->callout->options->o.ip_version;
    const enum dns_outcome outcome = find_addresses(attempt, name, version, list);

    /* What was not found might be where mail can go: nothing is known for certain then. */
    if (outcome == DNS_FAILURE || list->is_incomplete)
        attempt->dns_failed = true;
    return outcome;
}

void hosts_look_for_other_version(struct attempt *attempt, const char *name)
{
    const enum rb_ip_version ours = attempt->callout->options->o.ip_version;
    struct dns_address_list list;
    enum dns_outcome outcome;

    if (ours == RB_IP_ANY)
        return;
    outcome = find_addresses(attempt, name, ours == RB_IP_V4 ? RB_IP_V6 : RB_IP_V4, &list);
    if (outcome == DNS_FOUND)
        attempt->other_version = true;
    else if (outcome == DNS_FAILURE)
        attempt->dns_failed = true;
}

/* On DNS_FOUND found->mx is to be freed. */
static enum dns_outcome look_up_exchangers(struct attempt *attempt, struct hosts *found)
{
    const struct callout *callout = attempt->callout;
    struct dns_mx_list *list = malloc(sizeof *list);
    enum dns_outcome outcome;

    if (list == NULL)
        return DNS_FAILURE;
    stall_begin_wait(callout->stall, clock_monotonic_ms(callout->clock));
    outcome = dns_mail_exchangers(callout->dns, callout->domain, attempt->until, list);
    stall_end_wait(callout->stall);
    if (outcome == DNS_FOUND && list->is_incomplete)
        attempt->dns_failed = true;
    if (outcome == DNS_FOUND)
        found->mx = calloc(list->count, sizeof *found->mx);
    if (found->mx != NULL) {
        found->count = list->count;
        memcpy(found->mx, list->mx, list->count * sizeof *found->mx);
    }
    free(list);
    return outcome == DNS_FOUND && found->mx == NULL ? DNS_FAILURE : outcome;
}

/*
 * There are servers that say of every name that it does not exist where they have no MX of it;
 * mailers look for its address all the same. Only what does not exist whatever is asked for is no
 * domain.
 */
SELDOM static enum dns_outcome doubt_no_domain(const struct attempt *attempt)
{
    struct dns_address_list list;

    switch (look_up(attempt, attempt->callout->domain, RB_IP_ANY, &list)) {
    case DNS_NO_DOMAIN:
        return DNS_NO_DOMAIN;
    case DNS_FOUND:
        return DNS_NO_DATA;
    default: /* one of the two answers is wrong, or there is but one */
        return DNS_FAILURE;
    }
}

/* Whether a mail host is this machine, whatever networks may be called. */
SELDOM static bool is_this_machine(const struct attempt *attempt, const char *name)
{
    const struct callout *callout = attempt->callout;
    const struct netguard guard = {.own = callout->own, .own_count = callout->own_count};
    struct dns_address_list list;

    if (find_addresses(attempt, name, RB_IP_ANY, &list) != DNS_FOUND)
        return false;
    for (size_t i = 0; i < list.count; i++)
        if (netguard_judge(&guard, (const struct sockaddr *)&list.address[i]) == NETGUARD_OWN)
            return true;
    return false;
}

/*
 * Of a backup MX: the mail hosts that are preferred over ourselves come first in the list; those of
 * our own preference are as little ours to ask as those behind us, for they would ask us (RFC 5321
 * 5.1). Returns how many are preferred.
 */
static size_t count_preferred(struct attempt *attempt, const struct hosts *list)
{
    size_t preferred = list->count;

    for (size_t i = 0; i < list->count && preferred == list->count; i++)
        if (is_this_machine(attempt, list->mx[i].name))
            preferred = i;
    while (preferred > 0 && preferred < list->count &&
           list->mx[preferred - 1].preference == list->mx[preferred].preference)
        preferred--;
    if (preferred == 0)
        attempt->own = true;
    return preferred;
}

enum dns_outcome hosts_find(struct attempt *attempt, struct hosts *found)
{
    enum dns_outcome outcome;

    *found = (struct hosts){0};
    outcome = look_up_exchangers(attempt, found);
    if (outcome == DNS_NO_DOMAIN)
        return doubt_no_domain(attempt);
    if (outcome == DNS_FOUND && relay_is_mx(attempt->callout->relay))
        found->count = count_preferred(attempt, found);
    return outcome;
}
