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

#include "mail/relay.h"
#include "callout/attempt.h"
#include "base/text.h"
#include "base/transcript.h"
#include "dns/addresses.h"
#include "dns/mail_exchangers.h"
#include "callout/session.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

/*
 * A callout that a host keeps waiting costs the pages that its thread's stack has ever touched.
 * What is large, and not needed any more by then, is kept off the frames that it waits in: by not
 * being inlined into them.
 */
#define OFF_THE_WAY __attribute__((noinline))

/* Mail hosts of a domain, by preference. */
struct exchangers {
    struct dns_mx *mx; /* malloc'ed */
    size_t count;
};

/* --- Which hosts --------------------------------------------------------- */

static bool time_is_up(const struct attempt *attempt)
{
    return deadline_left_ms(attempt->callout->clock, attempt->until) == 0;
}

/* Whether all this is to end at once. */
static bool is_cancelled(const struct attempt *attempt)
{
    struct pollfd cancel = {.fd = attempt->callout->cancel_fd, .events = POLLIN};

    return poll(&cancel, 1, 0) > 0;
}

/*
 * Calls an address, and again while sessions are lost that served until then: each of them leaves
 * less to do. Then what it did not answer is for the next.
 */
static void call_address(struct attempt *attempt, const char *mx,
                         const struct sockaddr_storage *address)
{
    struct callout_item *item;

    do {
        attempt->reconnect = false;
        session_run(attempt, mx, address);
    } while (attempt->reconnect && attempt->todo != NULL && !time_is_up(attempt) &&
             !attempt_must_yield(attempt));
    while ((item = attempt->later) != NULL) {
        attempt->later = item->next;
        attempt_put_by(&attempt->todo, item);
    }
}

static bool done(const struct attempt *attempt)
{
    /* What this machine has no way to was not tried: it cost nothing and tells nothing. */
    unsigned called = attempt->tried - attempt->no_route;

    /*
     * Where we are a mail host ourselves, those behind us in the order are not ours to call (RFC
     * 5321 5.1).
     */
    return attempt->todo == NULL || attempt->own > 0 || attempt->full || attempt->paused ||
           called >= attempt->callout->options->o.max_hosts || time_is_up(attempt) ||
           attempt_must_yield(attempt) || is_cancelled(attempt);
}

static void set_port(struct sockaddr_storage *address, uint16_t port)
{
    if (address->ss_family == AF_INET6)
        ((struct sockaddr_in6 *)address)->sin6_port = htons(port);
    else
        ((struct sockaddr_in *)address)->sin_port = htons(port);
}

/* Whether the address was met before in this attempt: several MX names may stand for one host. */
static bool meets_again(struct attempt *attempt, const struct sockaddr_storage *address)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
    struct attempt_host host = {.port = v4->sin_port};

    if (address->ss_family == AF_INET6) {
        host = (struct attempt_host){.ip = v6->sin6_addr, .port = v6->sin6_port};
    } else {
        host.ip.s6_addr[10] = host.ip.s6_addr[11] = 0xff;
        memcpy(host.ip.s6_addr + 12, &v4->sin_addr, sizeof v4->sin_addr);
    }
    for (unsigned i = 0; i < attempt->met_count; i++)
        if (IN6_ARE_ADDR_EQUAL(&attempt->met[i].ip, &host.ip) && attempt->met[i].port == host.port)
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

/* Whether an address that strangers' DNS named may be called; counts why not. */
static bool guarded(struct attempt *attempt, const char *mx, const char *ip,
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
        attempt->own++;
        remark(attempt, mx, ip, "one of our own addresses: not called");
        return false;
    default:
        attempt->bogus++;
        remark(attempt, mx, ip, netguard_kind(to));
        return false;
    }
}

/* What the owner says about calling an address; counts why not. */
static bool may_call(struct attempt *attempt, const char *mx, const char *ip)
{
    const struct callout_hooks *hooks = &attempt->callout->hooks;

    switch (hooks->may_call(hooks->arg, ip)) {
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
    default:
        attempt->held_back++;
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

    for (size_t i = 0; i < list->count && !done(attempt); i++) {
        struct sockaddr_storage *address = &list->address[i];
        char ip[CALLOUT_HOST_MAX + 1] = "";

        (void)getnameinfo((const struct sockaddr *)address, sizeof *address, ip, sizeof ip, NULL, 0,
                          NI_NUMERICHOST);
        if (!trusted && !guarded(attempt, mx, ip, address))
            continue;
        set_port(address, port);
        if (meets_again(attempt, address)) {
            remark(attempt, mx, ip, "an address that was met before");
            continue;
        }
        if (trusted) /* mail stores of ours may share an address, and fail one by one */
            add_port(ip, sizeof ip, port);
        if (!may_call(attempt, mx, ip))
            continue;
        attempt->host = ip;
        attempt->tried++;
        call_address(attempt, mx, address);
        hooks->left(hooks->arg, ip);
    }
}

/* --- Looking up ---------------------------------------------------------- */

/* A name server keeps a callout waiting as a mail host does. */
static enum dns_outcome look_up_addresses(const struct attempt *attempt, const char *name,
                                          enum rb_ip_version version, struct dns_address_list *list)
{
    const struct callout *callout = attempt->callout;
    enum dns_outcome outcome;

    stall_begin_wait(callout->stall, clock_monotonic_ms(callout->clock));
    outcome = dns_addresses(callout->dns, name, version, attempt->until, list);
    stall_end_wait(callout->stall);
    return outcome;
}

/* An address, which may stand for a mail host's name: it is the only one that the host has. */
static bool is_address(const char *text, struct sockaddr_storage *address)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

    *address = (struct sockaddr_storage){0};
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        memcpy(address, &v4, sizeof v4);
    else if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1)
        memcpy(address, &v6, sizeof v6);
    return address->ss_family != AF_UNSPEC;
}

static enum dns_outcome find_addresses(const struct attempt *attempt, const char *name,
                                       enum rb_ip_version version, struct dns_address_list *list)
{
    struct sockaddr_storage address;

    if (!is_address(name, &address))
        return look_up_addresses(attempt, name, version, list);
    *list = (struct dns_address_list){.count = 0};
    if (version != RB_IP_ANY && (version == RB_IP_V4) != (address.ss_family == AF_INET))
        return DNS_NO_DATA;
    list->address[list->count++] = address;
    return DNS_FOUND;
}

/* On DNS_FOUND found->mx is to be freed. */
OFF_THE_WAY static enum dns_outcome look_up_exchangers(struct attempt *attempt,
                                                       struct exchangers *found)
{
    const struct callout *callout = attempt->callout;
    struct dns_mx_list list;
    enum dns_outcome outcome;

    *found = (struct exchangers){0};
    stall_begin_wait(callout->stall, clock_monotonic_ms(callout->clock));
    outcome = dns_mail_exchangers(callout->dns, callout->domain, attempt->until, &list);
    stall_end_wait(callout->stall);
    if (outcome != DNS_FOUND)
        return outcome;
    found->mx = calloc(list.count, sizeof *found->mx);
    if (found->mx == NULL)
        return DNS_FAILURE;
    found->count = list.count;
    attempt->dns_failed += list.is_incomplete;
    memcpy(found->mx, list.mx, list.count * sizeof *found->mx);
    return outcome;
}

/*
 * A host that can only be reached by the IP version that is not to be used is there all the same.
 */
OFF_THE_WAY static void look_for_other_version(struct attempt *attempt, const char *name)
{
    const struct callout *callout = attempt->callout;
    enum rb_ip_version ours = callout->options->o.ip_version;
    struct dns_address_list list;
    enum dns_outcome outcome;

    if (ours == RB_IP_ANY)
        return;
    outcome = find_addresses(attempt, name, ours == RB_IP_V4 ? RB_IP_V6 : RB_IP_V4, &list);
    if (outcome == DNS_FOUND)
        attempt->other_version++;
    else if (outcome == DNS_FAILURE)
        attempt->dns_failed++;
}

static void call_host(struct attempt *attempt, const char *name, uint16_t port, bool trusted)
{
    const struct callout *callout = attempt->callout;
    struct dns_address_list list;
    enum dns_outcome outcome = find_addresses(attempt, name, callout->options->o.ip_version, &list);
    unsigned bogus = attempt->bogus;

    /* What was not found might be where mail can go: nothing is known for certain then. */
    attempt->dns_failed += outcome == DNS_FAILURE || list.is_incomplete;
    call_addresses(attempt, name, port, &list, trusted);
    if (attempt->bogus > bogus || outcome == DNS_NO_DATA)
        look_for_other_version(attempt, name);
}

/* An address written out, as in a literal or a relay. False when it is a name. */
static bool literal_address(const char *text, struct sockaddr_storage *address)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM}, *found;

    if (getaddrinfo(text, NULL, &hints, &found) != 0)
        return false;
    *address = (struct sockaddr_storage){0};
    memcpy(address, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return true;
}

static void call_literal(struct attempt *attempt, const char *text, uint16_t port, bool trusted)
{
    struct dns_address_list list = {.count = 1};

    if (literal_address(text, &list.address[0]))
        call_addresses(attempt, text, port, &list, trusted);
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
    uint16_t port = target->port != 0 ? target->port : attempt->callout->options->o.port;
    struct sockaddr_storage address;

    attempt->lmtp = target->lmtp;
    if (target->path[0] != '\0')
        call_path(attempt, target->path);
    else if (literal_address(target->host, &address))
        call_literal(attempt, target->host, port, true);
    else
        call_host(attempt, target->host, port, true);
}

static void call_relay(struct attempt *attempt)
{
    const char *at = attempt->callout->relay;
    struct relay_target target;

    while (!done(attempt) && relay_next(&at, &target))
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
    call_literal(attempt, text, attempt->callout->options->o.port, false);
}

/* --- How it ends --------------------------------------------------------- */

/* What no host was left to say: for items that have no better non-answer. */
static struct address_record verdict_without_hosts(const struct attempt *attempt,
                                                   enum dns_outcome outcome)
{
    static const struct {
        enum rb_reason reason;
        const char *rule;
    } by_outcome[] = {
        [DNS_NO_DOMAIN] = {RB_REASON_NO_DOMAIN, "nxdomain"},
        [DNS_NULL_MX] = {RB_REASON_NULL_MX, "null_mx"},
        [DNS_FAILURE] = {RB_REASON_DNS_FAILURE, "mx_lookup_failed"},
    };

    if (is_cancelled(attempt))
        return attempt_record(attempt, RB_REASON_TIMEOUT, RB_STAGE_DNS, "cut_short");
    if (outcome == DNS_NO_DOMAIN || outcome == DNS_NULL_MX || outcome == DNS_FAILURE)
        return attempt_record(attempt, by_outcome[outcome].reason, RB_STAGE_DNS,
                              by_outcome[outcome].rule);
    if (attempt_must_yield(attempt))
        return attempt_record(attempt, RB_REASON_LIMITED, RB_STAGE_CONNECT, "gave_way");
    if (attempt->held_back > 0)
        return attempt_record(attempt, RB_REASON_LIMITED, RB_STAGE_CONNECT, "hosts_held_back");
    if (attempt->tried > 0)
        return attempt_record(attempt, RB_REASON_UNREACHABLE, RB_STAGE_CONNECT, "no_host_answered");
    if (attempt->dns_failed > 0)
        return attempt_record(attempt, RB_REASON_DNS_FAILURE, RB_STAGE_DNS,
                              "address_lookup_failed");
    if (attempt->own > 0)
        return attempt_record(attempt, RB_REASON_EXEMPT, RB_STAGE_DNS, "own_host");
    if (attempt->other_version > 0)
        return attempt_record(attempt, RB_REASON_UNREACHABLE, RB_STAGE_DNS, "other_ip_version");
    if (time_is_up(attempt))
        return attempt_record(attempt, RB_REASON_UNREACHABLE, RB_STAGE_CONNECT, "total_timeout");
    if (attempt->bogus > 0)
        return attempt_record(attempt, RB_REASON_BOGUS_MX, RB_STAGE_DNS, "bogus_mx");
    if (attempt->callout->relay != NULL)
        return attempt_record(attempt, RB_REASON_UNREACHABLE, RB_STAGE_DNS,
                              "relay_without_address");
    return attempt_record(attempt, RB_REASON_NO_MAIL_HOST, RB_STAGE_DNS, "no_mail_host");
}

static bool is_dead(const struct attempt *attempt, const struct address_record *record)
{
    /* Where this machine has no way to any of the hosts, it is not the domain that is dead. */
    bool called = attempt->tried > attempt->no_route;

    /* Not every host was found, or had all its time. */
    if (attempt->dns_failed > 0 || attempt_must_yield(attempt) || is_cancelled(attempt))
        return false;
    return rb_reason_verdict(record->reason) == RB_VERDICT_INVALID ||
           (record->reason == RB_REASON_UNREACHABLE && !attempt->host_reacted && called &&
            attempt->held_back == 0);
}

/*
 * A host that must be asked first has no room now: what is left waits for it. What another host put
 * off is told so; that none was reached is no news while one of them works.
 */
static void finish_later(struct attempt *attempt)
{
    const struct callout_hooks *hooks = &attempt->callout->hooks;
    const struct address_record limited =
        attempt_record(attempt, RB_REASON_LIMITED, RB_STAGE_CONNECT, "per_host_sessions");
    struct callout_item *item = attempt->todo;

    for (struct callout_item *next; item != NULL; item = next) {
        next = item->next;
        if (attempt_was_told(item))
            attempt_answer(attempt, item, &item->best);
        else if (!hooks->put_back(hooks->arg, item))
            attempt_answer(attempt, item, &limited);
    }
}

/* A host that must be asked first is left alone: so is all that waits for the domain. */
static void finish_paused(struct attempt *attempt)
{
    const struct address_record paused =
        attempt_record(attempt, RB_REASON_LIMITED, RB_STAGE_CONNECT, "host_paused");
    struct callout_item *item = attempt->todo;

    for (struct callout_item *next; item != NULL; item = next) {
        next = item->next;
        attempt_limit(item, &paused);
        attempt_answer(attempt, item, &item->best);
    }
    while ((item = attempt_take(attempt)) != NULL)
        attempt_answer(attempt, item, &paused);
}

/*
 * Whatever is left gets its best non-answer. Where no host could even be asked, that holds for
 * every address of the domain: all that waits is told at once, and it becomes a fact.
 */
static void finish(struct attempt *attempt, enum dns_outcome outcome)
{
    struct address_record none = verdict_without_hosts(attempt, outcome);
    struct callout_item *item = attempt->todo;

    if (item == NULL)
        return;
    if (attempt->full) {
        finish_later(attempt);
        return;
    }
    if (attempt->paused) {
        finish_paused(attempt);
        return;
    }
    if (item->has_best)
        none = item->best;
    if (!attempt->reached &&
        (attempt->callout->relay == NULL || relay_is_mx(attempt->callout->relay)) &&
        is_dead(attempt, &none))
        attempt_learn_dead(attempt, none.reason);
    for (struct callout_item *next; item != NULL; item = next) {
        next = item->next;
        attempt_answer(attempt, item, item->has_best ? &item->best : &none);
    }
    while (!attempt->reached && !attempt_must_yield(attempt) &&
           (item = attempt_take(attempt)) != NULL)
        attempt_answer(attempt, item, &none);
}

/* Whether a mail host is this machine, whatever networks may be called. */
OFF_THE_WAY static bool is_this_machine(const struct attempt *attempt, const char *name)
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
static size_t count_preferred(struct attempt *attempt, const struct exchangers *list)
{
    size_t preferred = list->count;

    for (size_t i = 0; i < list->count && preferred == list->count; i++)
        if (is_this_machine(attempt, list->mx[i].name))
            preferred = i;
    while (preferred > 0 && preferred < list->count &&
           list->mx[preferred - 1].preference == list->mx[preferred].preference)
        preferred--;
    if (preferred == 0)
        attempt->own++;
    return preferred;
}

/*
 * There are servers that say of every name that it does not exist where they have no MX of it;
 * mailers look for its address all the same. Only what does not exist whatever is asked for is no
 * domain.
 */
OFF_THE_WAY static enum dns_outcome doubt_no_domain(const struct attempt *attempt)
{
    struct dns_address_list list;

    switch (look_up_addresses(attempt, attempt->callout->domain, RB_IP_ANY, &list)) {
    case DNS_NO_DOMAIN:
        return DNS_NO_DOMAIN;
    case DNS_FOUND:
        return DNS_NO_DATA;
    default: /* one of the two answers is wrong, or there is but one */
        return DNS_FAILURE;
    }
}

static enum dns_outcome call_mail_exchangers(struct attempt *attempt)
{
    const struct callout *callout = attempt->callout;
    struct exchangers list;
    enum dns_outcome outcome = look_up_exchangers(attempt, &list);

    if (outcome == DNS_NO_DOMAIN)
        outcome = doubt_no_domain(attempt);
    if (outcome == DNS_NO_DATA) /* implicit MX: the domain is its own mail host */
        call_host(attempt, callout->domain, callout->options->o.port, false);
    if (outcome == DNS_FOUND && relay_is_mx(callout->relay))
        list.count = count_preferred(attempt, &list);
    for (size_t i = 0; outcome == DNS_FOUND && i < list.count && !done(attempt); i++)
        call_host(attempt, list.mx[i].name, callout->options->o.port, false);
    free(list.mx);
    return outcome;
}

void callout_run(const struct callout *callout)
{
    struct attempt attempt = {
        .callout = callout,
        .facts = callout->facts,
        .taken = 1,
        .until = deadline_in(callout->clock, callout->options->o.total_timeout_ms),
    };
    enum dns_outcome outcome = DNS_FOUND;

    attempt.todo = attempt_take(&attempt);
    if (attempt.todo == NULL)
        return;
    attempt.todo->next = NULL;
    if (callout->relay != NULL && !relay_is_mx(callout->relay))
        call_relay(&attempt);
    else if (callout->domain[0] == '[')
        call_address_literal(&attempt);
    else
        outcome = call_mail_exchangers(&attempt);
    finish(&attempt, outcome);
}
