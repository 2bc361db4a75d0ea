/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * servers: see the header.
 *
 * Owns: the servers and what is remembered of them. No lock: what is remembered are single atomic
 * numbers, and nothing else is read by them.
 */
#include "config.h"

#include "dns/servers.h"

#include <arpa/nameser.h>
#include <net/if.h>
#include <netdb.h>
#include <resolv.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/ip.h"
#include "base/text.h"

enum {
    ROUNDS_MAX = 5,     /* whatever resolv.conf says */
    TIMEOUT_MAX_S = 30, /* as above */
};

struct dns_servers {
    const struct rb_clock *clock;
    struct sockaddr_storage address[DNS_RESOLVERS_MAX];
    size_t count; /* 0: those of resolv.conf, as it is when a question is asked */
    _Atomic int64_t last_until_ms[DNS_RESOLVERS_MAX]; /* 0: it has answered */
    atomic_uint turn;                                 /* with resolv.conf's rotate */
    atomic_uint listed;                               /* how many there were at the last look-up */

    _Atomic int64_t silent_since_ms; /* since when no server has answered; HEARD: one has */
    atomic_bool is_told;             /* that they are silent, to the watch */
    struct dns_watch watch;
};

static const int64_t HEARD = INT64_MAX;

/* --- Texts ------------------------------------------------------------------- */

/* By getaddrinfo, which also knows scopes ("fe80::1%eth0"). */
static bool parse_ipv6(const char *text, struct sockaddr_storage *server)
{
    const struct addrinfo hints = {
        .ai_family = AF_INET6, .ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICHOST};
    struct addrinfo *found = NULL;
    if (getaddrinfo(text, NULL, &hints, &found) != 0)
        return false;
    memcpy(server, found->ai_addr, sizeof(struct sockaddr_in6));
    freeaddrinfo(found);
    return true;
}

/* "192.0.2.1", "192.0.2.1:53", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:53" */
static bool parse_server(const char *text, struct sockaddr_storage *server)
{
    char host[INET6_ADDRSTRLEN + IF_NAMESIZE + 1];
    unsigned port = NS_DEFAULTPORT;
    bool has_bracket = text[0] == '[';
    const char *first_colon = strchr(text, ':');
    bool is_ipv6 = has_bracket || (first_colon != NULL && strchr(first_colon + 1, ':') != NULL);

    const char *start = has_bracket ? text + 1 : text;
    size_t len = strlen(start);
    if (has_bracket)
        len = strcspn(start, "]");
    else if (!is_ipv6)
        len = strcspn(start, ":");
    if (len == 0 || !text_copy_part(host, sizeof host, start, len))
        return false;

    const char *rest = start + len;
    if (has_bracket && *rest++ != ']')
        return false;
    if (*rest != '\0' &&
        (*rest != ':' || !text_number(rest + 1, strlen(rest + 1), UINT16_MAX, &port) || port == 0))
        return false;
    if (!(is_ipv6 ? parse_ipv6 : ip_sockaddr_parse)(host, server))
        return false;
    ip_sockaddr_set_port(server, (uint16_t)port);
    return true;
}

enum rb_error dns_servers_open(const char *const *texts, size_t count, const struct rb_clock *clock,
                               struct dns_servers **servers)
{
    *servers = NULL;
    if (count > DNS_RESOLVERS_MAX)
        return RB_ERR_ARGUMENT;
    struct dns_servers *opened = calloc(1, sizeof *opened);
    if (opened == NULL)
        return RB_ERR_NOMEM;
    opened->clock = clock;
    opened->count = count;
    atomic_init(&opened->listed, (unsigned)count);
    atomic_init(&opened->silent_since_ms, HEARD);
    for (size_t i = 0; i < count; i++) {
        if (!parse_server(texts[i], &opened->address[i])) {
            dns_servers_close(opened);
            return RB_ERR_ARGUMENT;
        }
    }
    *servers = opened;
    return RB_OK;
}

void dns_servers_close(struct dns_servers *servers)
{
    free(servers);
}

/* --- The list ---------------------------------------------------------------- */

static unsigned clamp(int number, int low, int high)
{
    if (number < low)
        return (unsigned)low;
    return (unsigned)(number > high ? high : number);
}

/*
 * Copies the servers that res_ninit found in resolv.conf. glibc has IPv4 ones in nsaddr_list; an
 * entry of family 0 there stands for the IPv6 one in nsaddrs.
 */
static size_t read_resolv_conf(const struct __res_state *state,
                               struct sockaddr_storage address[DNS_RESOLVERS_MAX])
{
    size_t count = 0;
    for (int i = 0; i < state->nscount && count < DNS_RESOLVERS_MAX; i++) {
        if (state->nsaddr_list[i].sin_family == AF_INET)
            memcpy(&address[count], &state->nsaddr_list[i], sizeof state->nsaddr_list[i]);
        else if (state->_u._ext.nsaddrs[i] != NULL)
            memcpy(&address[count], state->_u._ext.nsaddrs[i], sizeof *state->_u._ext.nsaddrs[i]);
        else
            continue;
        count++;
    }
    return count;
}

/*
 * Whether a server that was silent comes last now. When its time is over, one question is given to
 * it: only if that gets an answer are others, too.
 */
static bool comes_last(struct dns_servers *servers, size_t number, int64_t now_ms)
{
    int64_t until_ms = atomic_load_explicit(&servers->last_until_ms[number], memory_order_relaxed);
    if (until_ms == 0 || now_ms < until_ms)
        return until_ms != 0;
    return !atomic_compare_exchange_strong_explicit(&servers->last_until_ms[number], &until_ms,
                                                    now_ms + DNS_SERVERS_LAST_FOR_MS,
                                                    memory_order_relaxed, memory_order_relaxed);
}

/* Lists them in turn from `first` on, but those that were silent behind the others. */
static void put_in_order(struct dns_servers *servers, const struct sockaddr_storage *address,
                         size_t count, size_t first, struct dns_server_list *list)
{
    const int64_t now_ms = clock_monotonic_ms(servers->clock);
    size_t silent[DNS_RESOLVERS_MAX], silent_count = 0;
    list->count = 0;
    for (size_t i = 0; i < count; i++) {
        const size_t number = (first + i) % count;
        if (comes_last(servers, number, now_ms))
            silent[silent_count++] = number;
        else
            list->server[list->count++] = (struct dns_server){address[number], number};
    }
    for (size_t i = 0; i < silent_count; i++)
        list->server[list->count++] = (struct dns_server){address[silent[i]], silent[i]};
}

bool dns_servers_list(struct dns_servers *servers, struct dns_server_list *list)
{
    struct __res_state state = {0};
    struct sockaddr_storage found[DNS_RESOLVERS_MAX] = {0};
    const struct sockaddr_storage *address = servers->address;
    size_t count = servers->count, first = 0;
    if (res_ninit(&state) != 0)
        return false;
    list->rounds = clamp(state.retry, 1, ROUNDS_MAX);
    list->timeout_ms = clamp(state.retrans, 1, TIMEOUT_MAX_S) * 1000;
    list->tcp_only = (state.options & RES_USEVC) != 0;
    list->one_at_a_time = (state.options & (RES_SNGLKUP | RES_SNGLKUPREOP)) != 0;
    if (count == 0) {
        address = found;
        count = read_resolv_conf(&state, found);
    }
    if ((state.options & RES_ROTATE) != 0)
        first = atomic_fetch_add_explicit(&servers->turn, 1, memory_order_relaxed);
    res_nclose(&state);
    put_in_order(servers, address, count, first, list);
    atomic_store_explicit(&servers->listed, (unsigned)count, memory_order_relaxed);
    return true;
}

void dns_servers_answered(struct dns_servers *servers, size_t number)
{
    if (atomic_load_explicit(&servers->last_until_ms[number], memory_order_relaxed) != 0)
        atomic_store_explicit(&servers->last_until_ms[number], 0, memory_order_relaxed);
}

void dns_servers_was_silent(struct dns_servers *servers, size_t number)
{
    const int64_t until_ms = clock_monotonic_ms(servers->clock) + DNS_SERVERS_LAST_FOR_MS;
    atomic_store_explicit(&servers->last_until_ms[number], until_ms, memory_order_relaxed);
}

/* --- Whether any of them answers ------------------------------------------------ */

void dns_servers_set_watch(struct dns_servers *servers, const struct dns_watch *watch)
{
    servers->watch = *watch;
    atomic_store(&servers->is_told, watch->is_told);
}

void dns_servers_are_heard(struct dns_servers *servers)
{
    if (atomic_load(&servers->silent_since_ms) != HEARD)
        atomic_store(&servers->silent_since_ms, HEARD);
    /* Apart from the above: the silence may have been told of just after it had ended. */
    if (atomic_load(&servers->is_told) && atomic_exchange(&servers->is_told, false))
        servers->watch.answered(servers->watch.arg);
}

void dns_servers_are_silent(struct dns_servers *servers, int64_t began_ms)
{
    const int64_t now_ms = clock_monotonic_ms(servers->clock);
    int64_t since_ms = HEARD, silent_ms;

    (void)atomic_compare_exchange_strong(&servers->silent_since_ms, &since_ms, began_ms);
    silent_ms = now_ms - atomic_load(&servers->silent_since_ms); /* below 0: one was heard */
    if (silent_ms >= DNS_SILENT_AFTER_MS && servers->watch.silent != NULL &&
        !atomic_exchange(&servers->is_told, true))
        servers->watch.silent(servers->watch.arg, silent_ms);
}

void dns_servers_look(const struct dns_servers *servers, struct dns_servers_view *view)
{
    const int64_t now_ms = clock_monotonic_ms(servers->clock);
    const int64_t since_ms = atomic_load(&servers->silent_since_ms);

    *view = (struct dns_servers_view){
        .count = atomic_load_explicit(&servers->listed, memory_order_relaxed)};
    for (unsigned i = 0; i < view->count; i++)
        view->silent += atomic_load_explicit(&servers->last_until_ms[i], memory_order_relaxed) != 0;
    if (since_ms != HEARD)
        view->silent_ms = now_ms > since_ms ? now_ms - since_ms : 1;
}
