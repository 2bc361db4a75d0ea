/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * callout: from a destination to what its mail hosts say; see callout.h. The order of things: mail
 * hosts from DNS, one after the other until one of them answers about the address (2yz or a 5yz
 * about the mailbox); everything else (4yz, no connection, broken protocol, a 5yz about us) moves
 * on to the next and is remembered as the best non-answer. Must not decide what to do about a
 * verdict, and must not touch the cache.
 */
#include "config.h"

#include "callout/callout.h"

#include "base/ip.h"
#include "base/text.h"
#include "base/transcript.h"
#include "callout/attempt.h"
#include "callout/hosts.h"
#include "callout/session.h"
#include "mail/netguard.h"
#include "mail/relay.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

/*
 * Calls an address, and again where a session that had brought answers is over: each of them leaves
 * less to do. Then what it did not answer is for the next.
 */
static void call_address(struct attempt *attempt, const char *mx,
                         const struct sockaddr_storage *address)
{
    struct callout_item *item;

    do {
        attempt->reconnect = false;
        session_run(attempt, mx, address);
    } while (attempt->reconnect && attempt->todo != NULL && !attempt_is_late(attempt) &&
             !attempt_must_yield(attempt));
    while ((item = attempt->later) != NULL) {
        attempt->later = item->next;
        attempt_push(&attempt->todo, item);
    }
}

static bool is_done(const struct attempt *attempt)
{
    /* What this machine has no way to was not tried: it cost nothing and tells nothing. */
    unsigned called = attempt->tried - attempt->no_route;

    /*
     * Where we are a mail host ourselves, those behind us in the order are not ours to call (RFC
     * 5321 5.1).
     */
    return attempt->todo == NULL || attempt->own || attempt->full || attempt->paused ||
           called >= attempt->callout->options->o.max_hosts || attempt_is_late(attempt) ||
           attempt_must_yield(attempt) || attempt_is_cancelled(attempt);
}

/* Whether the address was met before in this attempt: several MX names may stand for one host. */
static bool meets_again(struct attempt *attempt, const struct sockaddr_storage *address)
{
    struct attempt_host host = {.port = ip_sockaddr_port(address)};

    (void)ip_from_sockaddr((const struct sockaddr *)address, &host.ip);
    for (unsigned i = 0; i < attempt->met_count; i++)
        if (memcmp(&attempt->met[i].ip, &host.ip, sizeof host.ip) == 0 &&
            attempt->met[i].port == host.port)
            return true;
    if (attempt->met_count < ATTEMPT_HOSTS_MAX)
        attempt->met[attempt->met_count++] = host;
    return false;
}

/* A note in the transcripts of all that wait. */
static void remark(const struct attempt *attempt, const char *mx, const char *ip, const char *text)
{
    int64_t now_ms = clock_monotonic_ms(attempt->callout->clock);

    for (struct callout_item *item = attempt->todo; item != NULL; item = item->next)
        transcript_add(item->transcript, now_ms - item->asked_ms, '-', mx, ip, text, strlen(text));
}

/* Whether an address that strangers' DNS named may be called; notes why not. */
static bool may_be_called(struct attempt *attempt, const char *mx, const char *ip,
                          const struct sockaddr_storage *address)
{
    const struct callout *callout = attempt->callout;
    const struct netguard guard = {
        .allowed = callout->options->o.allowed_networks,
        .allowed_count = callout->options->o.allowed_count,
        .own = callout->own,
        .own_count = callout->own_count,
    };
    const struct sockaddr *to = (const struct sockaddr *)address;

    switch (netguard_judge(&guard, to)) {
    case NETGUARD_CALLABLE:
        return true;
    case NETGUARD_OWN:
        attempt->own = true;
        remark(attempt, mx, ip, "one of our own addresses: not called");
        return false;
    default:
        attempt->bogus++;
        remark(attempt, mx, ip, netguard_kind(to));
        return false;
    }
}

/* Whether the owner lets us call an address; notes why not. */
static bool owner_lets_call(struct attempt *attempt, const char *mx, const char *ip)
{
    const struct callout_hooks *hooks = &attempt->callout->hooks;

    switch (hooks->may_call(hooks->arg, mx, ip)) {
    case CALLOUT_CALL:
        return true;
    case CALLOUT_FULL:
        attempt->full = true;
        remark(attempt, mx, ip, "as many sessions with it as there may be: later");
        return false;
    case CALLOUT_PAUSED:
        attempt->paused = true;
        remark(attempt, mx, ip, "left alone for a while: it was too much for it");
        return false;
    case CALLOUT_OVER_RATE:
        attempt->paused = attempt->over_rate = true;
        remark(attempt, mx, ip, "called as often as may be: not now");
        return false;
    default:
        attempt->held_back = true;
        remark(attempt, mx, ip, "held back: it failed too often");
        return false;
    }
}

static void add_port(char *ip, size_t size, uint16_t port)
{
    size_t len = strlen(ip);

    (void)snprintf(ip + len, size - len, "#%u", port);
}

/* Calls the addresses of one mail host, in turn, until nothing is left to ask. */
static void call_addresses(struct attempt *attempt, const char *mx, uint16_t port,
                           struct dns_address_list *list, bool trusted)
{
    const struct callout_hooks *hooks = &attempt->callout->hooks;

    for (size_t i = 0; i < list->count && !is_done(attempt); i++) {
        struct sockaddr_storage *address = &list->address[i];
        char ip[CALLOUT_HOST_MAX + 1] = "";

        (void)getnameinfo((const struct sockaddr *)address, sizeof *address, ip, sizeof ip, NULL, 0,
                          NI_NUMERICHOST);
        if (!trusted && !may_be_called(attempt, mx, ip, address))
            continue;
        ip_sockaddr_set_port(address, port);
        if (meets_again(attempt, address)) {
            remark(attempt, mx, ip, "an address that was met before");
            continue;
        }
        if (trusted) /* mail stores of ours may share an address, and fail one by one */
            add_port(ip, sizeof ip, port);
        if (!owner_lets_call(attempt, mx, ip))
            continue;
        attempt->host = ip;
        attempt->tried++;
        call_address(attempt, mx, address);
        hooks->left(hooks->arg, ip, attempt->todo == NULL);
    }
}

/* Puts the addresses of one family first. AF_UNSPEC: none is of that one. */
static void prefer(struct dns_address_list *list, sa_family_t family)
{
    size_t first = 0;

    for (size_t i = 0; i < list->count; i++) {
        const struct sockaddr_storage address = list->address[i];

        if (address.ss_family != family)
            continue;
        memmove(&list->address[first + 1], &list->address[first], (i - first) * sizeof address);
        list->address[first++] = address;
    }
}

/* Whether anything is to be asked of a mail host; notes where not. */
static bool is_wanted(struct attempt *attempt, const char *mx)
{
    const bool wanted = attempt_has_for(attempt, mx);

    if (!wanted)
        attempt->passed_over = true;
    return wanted;
}

static void call_host(struct attempt *attempt, const char *name, uint16_t port, bool trusted)
{
    const unsigned bogus = attempt->bogus;
    struct dns_address_list list;
    enum dns_outcome outcome;

    if (!is_wanted(attempt, name))
        return;
    outcome = hosts_find_addresses(attempt, name, &list);
    prefer(&list, attempt->todo->family);
    call_addresses(attempt, name, port, &list, trusted);
    if (attempt->bogus > bogus || outcome == DNS_NO_DATA)
        hosts_look_for_other_version(attempt, name);
}

/* Calls an address written out, as in a literal or a relay. False when it is a name. */
static bool call_literal(struct attempt *attempt, const char *text, uint16_t port, bool trusted)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM}, *found;
    struct dns_address_list list = {.count = 1};

    if (getaddrinfo(text, NULL, &hints, &found) != 0)
        return false;
    memcpy(&list.address[0], found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    if (is_wanted(attempt, text))
        call_addresses(attempt, text, port, &list, trusted);
    return true;
}

/* A mail store on this machine, by the path of its socket. */
static void call_path(struct attempt *attempt, const char *path)
{
    struct sockaddr_storage address = {0};
    struct sockaddr_un *to = (struct sockaddr_un *)&address;
    char name[sizeof to->sun_path + sizeof "unix:"];

    to->sun_family = AF_UNIX;
    if (!text_copy(to->sun_path, sizeof to->sun_path, path))
        return;
    (void)snprintf(name, sizeof name, "unix:%s", path);
    attempt->host = "";
    attempt->tried++;
    call_address(attempt, name, &address);
}

/* The admin named it: netguard has no say. */
static void call_target(struct attempt *attempt, const struct relay_target *target)
{
    const uint16_t port = target->port != 0 ? target->port : attempt->callout->options->o.port;

    attempt->lmtp = target->lmtp;
    if (target->path[0] != '\0')
        call_path(attempt, target->path);
    else if (!call_literal(attempt, target->host, port, true))
        call_host(attempt, target->host, port, true);
}

/*
 * A stranger's host, at its own addresses: netguard has its say. An address is one only as it is
 * written in mail: "0177.0.0.1" and "127.1" are names, or a client had any number of them for one
 * host without so much as a zone in DNS.
 */
static void call_strangers_host(struct attempt *attempt)
{
    struct relay_target target;
    struct sockaddr_storage address;
    uint16_t port;

    if (!relay_host_read(attempt->callout->relay, &target))
        return;
    port = target.port != 0 ? target.port : attempt->callout->options->o.port;
    if (!ip_sockaddr_parse(target.host, &address) ||
        !call_literal(attempt, target.host, port, false))
        call_host(attempt, target.host, port, false);
}

static void call_relay(struct attempt *attempt)
{
    const char *at = attempt->callout->relay;
    struct relay_target target;

    while (!is_done(attempt) && relay_next(&at, &target))
        call_target(attempt, &target);
}

/* "[192.0.2.1]" or "[IPv6:2001:db8::1]". */
static void call_address_literal(struct attempt *attempt)
{
    static const char tag[] = "IPv6:";
    const char *from = attempt->callout->domain + 1;
    char text[RB_DOMAIN_MAX + 1];

    if (strncmp(from, tag, sizeof tag - 1) == 0)
        from += sizeof tag - 1;
    (void)snprintf(text, sizeof text, "%.*s", (int)strcspn(from, "]"), from);
    (void)call_literal(attempt, text, attempt->callout->options->o.port, false);
}

/* The mail hosts that DNS names, in their order. Returns what looking for them came to. */
static enum dns_outcome call_mail_exchangers(struct attempt *attempt)
{
    const struct callout *callout = attempt->callout;
    struct hosts list;
    const enum dns_outcome outcome = hosts_find(attempt, &list);

    if (outcome == DNS_NO_DATA) /* implicit MX: the domain is its own mail host */
        call_host(attempt, callout->domain, callout->options->o.port, false);
    for (size_t i = 0; outcome == DNS_FOUND && i < list.count && !is_done(attempt); i++)
        call_host(attempt, list.mx[i].name, callout->options->o.port, false);
    free(list.mx);
    return outcome;
}

void callout_run(const struct callout *callout)
{
    struct attempt attempt = {.callout = callout, .facts = callout->facts};
    enum dns_outcome outcome = DNS_FOUND;

    attempt_renew_time(&attempt);
    attempt.todo = attempt_take(&attempt);
    if (attempt.todo == NULL)
        return;
    attempt.todo->next = NULL;
    if (callout->relay != NULL && relay_is_host(callout->relay))
        call_strangers_host(&attempt);
    else if (callout->relay != NULL && !relay_is_mx(callout->relay))
        call_relay(&attempt);
    else if (callout->domain[0] == '[')
        call_address_literal(&attempt);
    else
        outcome = call_mail_exchangers(&attempt);
    attempt_finish(&attempt, outcome);
}
