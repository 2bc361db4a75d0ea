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

static bool time_is_up(const struct run *run)
{
    return deadline_left_ms(run->callout->clock, run->until) == 0;
}

/* Whether all this is to end at once. */
static bool is_cancelled(const struct run *run)
{
    struct pollfd cancel = {.fd = run->callout->cancel_fd, .events = POLLIN};

    return poll(&cancel, 1, 0) > 0;
}

/*
 * Calls an address, and again while sessions are lost that served until then: each of them leaves
 * less to do. Then what it did not answer is for the next.
 */
static void call_until_served(struct run *run, const char *mx,
                              const struct sockaddr_storage *address)
{
    struct callout_item *item;

    do {
        run->again = false;
        visit_address(run, mx, address);
    } while (run->again && run->todo != NULL && !time_is_up(run) && !run_gives_way(run));
    while ((item = run->later) != NULL) {
        run->later = item->next;
        run_put_by(&run->todo, item);
    }
}

static bool done(const struct run *run)
{
    /* What this machine has no way to was not tried: it cost nothing and tells nothing. */
    unsigned called = run->tried - run->no_route;

    /*
     * Where we are a mail host ourselves, those behind us in the order are not ours to call (RFC
     * 5321 5.1).
     */
    return run->todo == NULL || run->own > 0 || run->full || run->paused ||
           called >= run->callout->options->o.max_hosts || time_is_up(run) || run_gives_way(run) ||
           is_cancelled(run);
}

static void set_port(struct sockaddr_storage *address, uint16_t port)
{
    if (address->ss_family == AF_INET6)
        ((struct sockaddr_in6 *)address)->sin6_port = htons(port);
    else
        ((struct sockaddr_in *)address)->sin_port = htons(port);
}

/* Whether the address was met before in this run: several MX names may stand for one host. */
static bool meets_again(struct run *run, const struct sockaddr_storage *address)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
    struct run_host host = {.port = v4->sin_port};

    if (address->ss_family == AF_INET6) {
        host = (struct run_host){.ip = v6->sin6_addr, .port = v6->sin6_port};
    } else {
        host.ip.s6_addr[10] = host.ip.s6_addr[11] = 0xff;
        memcpy(host.ip.s6_addr + 12, &v4->sin_addr, sizeof v4->sin_addr);
    }
    for (unsigned i = 0; i < run->met_count; i++)
        if (IN6_ARE_ADDR_EQUAL(&run->met[i].ip, &host.ip) && run->met[i].port == host.port)
            return true;
    if (run->met_count < RUN_HOSTS_MAX)
        run->met[run->met_count++] = host;
    return false;
}

/* A note in the transcripts of all that wait. */
static void remark(const struct run *run, const char *mx, const char *ip, const char *text)
{
    int64_t now_ms = clock_monotonic_ms(run->callout->clock);

    for (struct callout_item *item = run->todo; item != NULL; item = item->next)
        transcript_add(item->transcript, now_ms - item->asked_ms, '-', mx, ip, text, strlen(text));
}

/* Whether an address that strangers' DNS named may be called; counts why not. */
static bool guarded(struct run *run, const char *mx, const char *ip,
                    const struct sockaddr_storage *address)
{
    const struct callout *callout = run->callout;
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
        run->own++;
        remark(run, mx, ip, "one of our own addresses: not called");
        return false;
    default:
        run->bogus++;
        remark(run, mx, ip, netguard_kind(to));
        return false;
    }
}

/* What the owner says about calling an address; counts why not. */
static bool may_call(struct run *run, const char *mx, const char *ip)
{
    const struct callout_hooks *hooks = &run->callout->hooks;

    switch (hooks->may_call(hooks->arg, ip)) {
    case CALLOUT_CALL:
        return true;
    case CALLOUT_FULL:
        run->full = true;
        remark(run, mx, ip, "as many sessions with it as there may be: later");
        return false;
    case CALLOUT_PAUSED:
        run->paused = true;
        remark(run, mx, ip, "left alone for a while: it was too much for it");
        return false;
    default:
        run->held++;
        remark(run, mx, ip, "held back: it failed too often");
        return false;
    }
}

static void add_port(char *ip, size_t size, uint16_t port)
{
    size_t len = strlen(ip);

    (void)snprintf(ip + len, size - len, "#%u", port);
}

/* Calls the addresses of one mail host, in turn, until nothing is left to ask. */
static void call_addresses(struct run *run, const char *mx, uint16_t port,
                           struct dns_address_list *list, bool trusted)
{
    const struct callout_hooks *hooks = &run->callout->hooks;

    for (size_t i = 0; i < list->count && !done(run); i++) {
        struct sockaddr_storage *address = &list->address[i];
        char ip[CALLOUT_HOST_MAX + 1] = "";

        (void)getnameinfo((const struct sockaddr *)address, sizeof *address, ip, sizeof ip, NULL, 0,
                          NI_NUMERICHOST);
        if (!trusted && !guarded(run, mx, ip, address))
            continue;
        set_port(address, port);
        if (meets_again(run, address)) {
            remark(run, mx, ip, "an address that was met before");
            continue;
        }
        if (trusted) /* mail stores of ours may share an address, and fail one by one */
            add_port(ip, sizeof ip, port);
        if (!may_call(run, mx, ip))
            continue;
        run->host = ip;
        run->tried++;
        call_until_served(run, mx, address);
        hooks->left(hooks->arg, ip);
    }
}

/* --- Looking up ---------------------------------------------------------- */

/* A name server keeps a callout waiting as a mail host does. */
static enum dns_outcome look_up_addresses(const struct run *run, const char *name,
                                          enum rb_ip_version version, struct dns_address_list *list)
{
    const struct callout *callout = run->callout;
    enum dns_outcome outcome;

    patience_begin(callout->patience, clock_monotonic_ms(callout->clock));
    outcome = dns_addresses(callout->dns, name, version, run->until, list);
    patience_end(callout->patience);
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

static enum dns_outcome find_addresses(const struct run *run, const char *name,
                                       enum rb_ip_version version, struct dns_address_list *list)
{
    struct sockaddr_storage address;

    if (!is_address(name, &address))
        return look_up_addresses(run, name, version, list);
    *list = (struct dns_address_list){.count = 0};
    if (version != RB_IP_ANY && (version == RB_IP_V4) != (address.ss_family == AF_INET))
        return DNS_NO_DATA;
    list->address[list->count++] = address;
    return DNS_FOUND;
}

/* On DNS_FOUND found->mx is to be freed. */
OFF_THE_WAY static enum dns_outcome look_up_exchangers(struct run *run, struct exchangers *found)
{
    const struct callout *callout = run->callout;
    struct dns_mx_list list;
    enum dns_outcome outcome;

    *found = (struct exchangers){0};
    patience_begin(callout->patience, clock_monotonic_ms(callout->clock));
    outcome = dns_mail_exchangers(callout->dns, callout->domain, run->until, &list);
    patience_end(callout->patience);
    if (outcome != DNS_FOUND)
        return outcome;
    found->mx = calloc(list.count, sizeof *found->mx);
    if (found->mx == NULL)
        return DNS_FAILURE;
    found->count = list.count;
    run->dns_failed += list.is_incomplete;
    memcpy(found->mx, list.mx, list.count * sizeof *found->mx);
    return outcome;
}

/*
 * A host that can only be reached by the IP version that is not to be used is there all the same.
 */
OFF_THE_WAY static void look_for_other_version(struct run *run, const char *name)
{
    const struct callout *callout = run->callout;
    enum rb_ip_version ours = callout->options->o.ip_version;
    struct dns_address_list list;
    enum dns_outcome outcome;

    if (ours == RB_IP_ANY)
        return;
    outcome = find_addresses(run, name, ours == RB_IP_V4 ? RB_IP_V6 : RB_IP_V4, &list);
    if (outcome == DNS_FOUND)
        run->other_version++;
    else if (outcome == DNS_FAILURE)
        run->dns_failed++;
}

static void call_host(struct run *run, const char *name, uint16_t port, bool trusted)
{
    const struct callout *callout = run->callout;
    struct dns_address_list list;
    enum dns_outcome outcome = find_addresses(run, name, callout->options->o.ip_version, &list);
    unsigned bogus = run->bogus;

    /* What was not found might be where mail can go: nothing is known for certain then. */
    run->dns_failed += outcome == DNS_FAILURE || list.is_incomplete;
    call_addresses(run, name, port, &list, trusted);
    if (run->bogus > bogus || outcome == DNS_NO_DATA)
        look_for_other_version(run, name);
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

static void call_literal(struct run *run, const char *text, uint16_t port, bool trusted)
{
    struct dns_address_list list = {.count = 1};

    if (literal_address(text, &list.address[0]))
        call_addresses(run, text, port, &list, trusted);
}

/* A mail store on this machine, by the path of its socket. */
static void call_path(struct run *run, const char *path)
{
    struct sockaddr_storage address = {0};
    struct sockaddr_un *to = (struct sockaddr_un *)&address;
    char name[sizeof to->sun_path + sizeof "unix:"];

    to->sun_family = AF_UNIX;
    if (!text_copy(to->sun_path, sizeof to->sun_path, path))
        return;
    (void)snprintf(name, sizeof name, "unix:%s", path);
    run->host = "";
    run->tried++;
    call_until_served(run, name, &address);
}

/* The admin named it: netguard has no say. */
static void call_target(struct run *run, const struct relay_target *target)
{
    uint16_t port = target->port != 0 ? target->port : run->callout->options->o.port;
    struct sockaddr_storage address;

    run->lmtp = target->lmtp;
    if (target->path[0] != '\0')
        call_path(run, target->path);
    else if (literal_address(target->host, &address))
        call_literal(run, target->host, port, true);
    else
        call_host(run, target->host, port, true);
}

static void call_relay(struct run *run)
{
    const char *at = run->callout->relay;
    struct relay_target target;

    while (!done(run) && relay_next(&at, &target))
        call_target(run, &target);
}

/* "[192.0.2.1]" or "[IPv6:2001:db8::1]". */
static void call_address_literal(struct run *run)
{
    static const char tag[] = "IPv6:";
    const char *from = run->callout->domain + 1;
    char text[RB_DOMAIN_MAX + 1];

    if (strncmp(from, tag, sizeof tag - 1) == 0)
        from += sizeof tag - 1;
    (void)snprintf(text, sizeof text, "%.*s", (int)strcspn(from, "]"), from);
    call_literal(run, text, run->callout->options->o.port, false);
}

/* --- How it ends --------------------------------------------------------- */

/* What no host was left to say: for items that have no better non-answer. */
static struct address_record verdict_without_hosts(const struct run *run, enum dns_outcome outcome)
{
    static const struct {
        enum rb_reason reason;
        const char *rule;
    } by_outcome[] = {
        [DNS_NO_DOMAIN] = {RB_REASON_NO_DOMAIN, "nxdomain"},
        [DNS_NULL_MX] = {RB_REASON_NULL_MX, "null_mx"},
        [DNS_FAILURE] = {RB_REASON_DNS_FAILURE, "mx_lookup_failed"},
    };

    if (is_cancelled(run))
        return run_record(run, RB_REASON_TIMEOUT, RB_STAGE_DNS, "cut_short");
    if (outcome == DNS_NO_DOMAIN || outcome == DNS_NULL_MX || outcome == DNS_FAILURE)
        return run_record(run, by_outcome[outcome].reason, RB_STAGE_DNS, by_outcome[outcome].rule);
    if (run_gives_way(run))
        return run_record(run, RB_REASON_LIMITED, RB_STAGE_CONNECT, "gave_way");
    if (run->held > 0)
        return run_record(run, RB_REASON_LIMITED, RB_STAGE_CONNECT, "hosts_held_back");
    if (run->tried > 0)
        return run_record(run, RB_REASON_UNREACHABLE, RB_STAGE_CONNECT, "no_host_answered");
    if (run->dns_failed > 0)
        return run_record(run, RB_REASON_DNS_FAILURE, RB_STAGE_DNS, "address_lookup_failed");
    if (run->own > 0)
        return run_record(run, RB_REASON_EXEMPT, RB_STAGE_DNS, "own_host");
    if (run->other_version > 0)
        return run_record(run, RB_REASON_UNREACHABLE, RB_STAGE_DNS, "other_ip_version");
    if (time_is_up(run))
        return run_record(run, RB_REASON_UNREACHABLE, RB_STAGE_CONNECT, "total_timeout");
    if (run->bogus > 0)
        return run_record(run, RB_REASON_BOGUS_MX, RB_STAGE_DNS, "bogus_mx");
    if (run->callout->relay != NULL)
        return run_record(run, RB_REASON_UNREACHABLE, RB_STAGE_DNS, "relay_without_address");
    return run_record(run, RB_REASON_NO_MAIL_HOST, RB_STAGE_DNS, "no_mail_host");
}

static bool is_dead(const struct run *run, const struct address_record *record)
{
    /* Where this machine has no way to any of the hosts, it is not the domain that is dead. */
    bool called = run->tried > run->no_route;

    /* Not every host was found, or had all its time. */
    if (run->dns_failed > 0 || run_gives_way(run) || is_cancelled(run))
        return false;
    return rb_reason_verdict(record->reason) == RB_VERDICT_INVALID ||
           (record->reason == RB_REASON_UNREACHABLE && !run->stirred && called && run->held == 0);
}

/*
 * A host that must be asked first has no room now: what is left waits for it. What another host put
 * off is told so; that none was reached is no news while one of them works.
 */
static void finish_later(struct run *run)
{
    const struct callout_hooks *hooks = &run->callout->hooks;
    const struct address_record limited =
        run_record(run, RB_REASON_LIMITED, RB_STAGE_CONNECT, "per_host_sessions");
    struct callout_item *item = run->todo;

    for (struct callout_item *next; item != NULL; item = next) {
        next = item->next;
        if (run_was_told(item))
            run_answer(run, item, &item->best);
        else if (!hooks->put_back(hooks->arg, item))
            run_answer(run, item, &limited);
    }
}

/* A host that must be asked first is left alone: so is all that waits for the domain. */
static void finish_paused(struct run *run)
{
    const struct address_record paused =
        run_record(run, RB_REASON_LIMITED, RB_STAGE_CONNECT, "host_paused");
    struct callout_item *item = run->todo;

    for (struct callout_item *next; item != NULL; item = next) {
        next = item->next;
        run_limit(item, &paused);
        run_answer(run, item, &item->best);
    }
    while ((item = run_take(run)) != NULL)
        run_answer(run, item, &paused);
}

/*
 * Whatever is left gets its best non-answer. Where no host could even be asked, that holds for
 * every address of the domain: all that waits is told at once, and it becomes a fact.
 */
static void finish(struct run *run, enum dns_outcome outcome)
{
    struct address_record none = verdict_without_hosts(run, outcome);
    struct callout_item *item = run->todo;

    if (item == NULL)
        return;
    if (run->full) {
        finish_later(run);
        return;
    }
    if (run->paused) {
        finish_paused(run);
        return;
    }
    if (item->has_best)
        none = item->best;
    if (!run->reached && (run->callout->relay == NULL || relay_is_mx(run->callout->relay)) &&
        is_dead(run, &none))
        run_learn_dead(run, none.reason);
    for (struct callout_item *next; item != NULL; item = next) {
        next = item->next;
        run_answer(run, item, item->has_best ? &item->best : &none);
    }
    while (!run->reached && !run_gives_way(run) && (item = run_take(run)) != NULL)
        run_answer(run, item, &none);
}

/* Whether a mail host is this machine, whatever networks may be called. */
OFF_THE_WAY static bool is_this_machine(const struct run *run, const char *name)
{
    const struct callout *callout = run->callout;
    const struct netguard guard = {.own = callout->own, .own_count = callout->own_count};
    struct dns_address_list list;

    if (find_addresses(run, name, RB_IP_ANY, &list) != DNS_FOUND)
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
static size_t count_preferred(struct run *run, const struct exchangers *list)
{
    size_t preferred = list->count;

    for (size_t i = 0; i < list->count && preferred == list->count; i++)
        if (is_this_machine(run, list->mx[i].name))
            preferred = i;
    while (preferred > 0 && preferred < list->count &&
           list->mx[preferred - 1].preference == list->mx[preferred].preference)
        preferred--;
    if (preferred == 0)
        run->own++;
    return preferred;
}

/*
 * There are servers that say of every name that it does not exist where they have no MX of it;
 * mailers look for its address all the same. Only what does not exist whatever is asked for is no
 * domain.
 */
OFF_THE_WAY static enum dns_outcome doubt_no_domain(const struct run *run)
{
    struct dns_address_list list;

    switch (look_up_addresses(run, run->callout->domain, RB_IP_ANY, &list)) {
    case DNS_NO_DOMAIN:
        return DNS_NO_DOMAIN;
    case DNS_FOUND:
        return DNS_NO_DATA;
    default: /* one of the two answers is wrong, or there is but one */
        return DNS_FAILURE;
    }
}

static enum dns_outcome call_mail_exchangers(struct run *run)
{
    const struct callout *callout = run->callout;
    struct exchangers list;
    enum dns_outcome outcome = look_up_exchangers(run, &list);

    if (outcome == DNS_NO_DOMAIN)
        outcome = doubt_no_domain(run);
    if (outcome == DNS_NO_DATA) /* implicit MX: the domain is its own mail host */
        call_host(run, callout->domain, callout->options->o.port, false);
    if (outcome == DNS_FOUND && relay_is_mx(callout->relay))
        list.count = count_preferred(run, &list);
    for (size_t i = 0; outcome == DNS_FOUND && i < list.count && !done(run); i++)
        call_host(run, list.mx[i].name, callout->options->o.port, false);
    free(list.mx);
    return outcome;
}

void callout_run(const struct callout *callout)
{
    struct run run = {
        .callout = callout,
        .facts = callout->facts,
        .taken = 1,
        .until = deadline_in(callout->clock, callout->options->o.total_timeout_ms),
    };
    enum dns_outcome outcome = DNS_FOUND;

    run.todo = run_take(&run);
    if (run.todo == NULL)
        return;
    run.todo->next = NULL;
    if (callout->relay != NULL && !relay_is_mx(callout->relay))
        call_relay(&run);
    else if (callout->domain[0] == '[')
        call_address_literal(&run);
    else
        outcome = call_mail_exchangers(&run);
    finish(&run, outcome);
}
