/* SPDX-License-Identifier: BSD-2-Clause */
/* connections: see connections.h. */
#include "config.h"

#include "http/connections.h"

#include <stdlib.h>

static bool is_near(const struct sockaddr *peer, struct ip *ip)
{
    return !ip_from_sockaddr(peer, ip) || ip_is_loopback(ip);
}

struct connection *connections_add(struct connections *table, int fd, const struct sockaddr *peer)
{
    struct connection *connection = NULL;

    if (table->count < sizeof table->items / sizeof table->items[0])
        connection = calloc(1, sizeof *connection);
    if (connection == NULL)
        return NULL;
    connection->fd = fd;
    connection->is_near = is_near(peer, &connection->ip);
    connection->is_by_ip = ip_from_sockaddr(peer, &connection->ip);
    table->items[table->count++] = connection;
    connections_set_state(table, connection, CONNECTION_WAITS);
    return connection;
}

void connections_remove(struct connections *table, struct connection *connection)
{
    for (size_t i = 0; i < table->count; i++)
        if (table->items[i] == connection) {
            table->items[i] = table->items[--table->count];
            break;
        }
    free(connection);
}

struct connection *connections_find(const struct connections *table, int fd)
{
    for (size_t i = 0; i < table->count; i++)
        if (table->items[i]->fd == fd)
            return table->items[i];
    return NULL;
}

void connections_set_state(struct connections *table, struct connection *connection,
                           enum connection_state state)
{
    connection->state = state;
    connection->since_ms = clock_monotonic_ms(table->clock);
    if (state != CONNECTION_ANSWERS)
        connection->octets = 0;
}

size_t connections_live(const struct connections *table)
{
    size_t live = 0;

    for (size_t i = 0; i < table->count; i++)
        live += table->items[i]->state != CONNECTION_DROPPED;
    return live;
}

static int64_t age_ms(const struct connections *table, const struct connection *connection)
{
    return clock_monotonic_ms(table->clock) - connection->since_ms;
}

static bool may_yield(const struct connections *table, const struct connection *connection)
{
    switch (connection->state) {
    case CONNECTION_WAITS:
        return true;
    case CONNECTION_ANSWERS:
        return age_ms(table, connection) >= CONNECTION_YIELD_MS;
    default:
        return false;
    }
}

/* Whether the first goes before the second, which may be NULL. */
static bool goes_before(const struct connection *one, const struct connection *other)
{
    if (other == NULL || one->state != other->state)
        return other == NULL || one->state == CONNECTION_WAITS;
    return one->since_ms < other->since_ms;
}

/* Among those of an address; address NULL: among all. */
static struct connection *first_to_yield(const struct connections *table, const struct ip *address)
{
    struct connection *first = NULL;

    for (size_t i = 0; i < table->count; i++) {
        struct connection *connection = table->items[i];

        if (may_yield(table, connection) &&
            (address == NULL || (connection->is_by_ip && ip_is_same(&connection->ip, address))) &&
            goes_before(connection, first))
            first = connection;
    }
    return first;
}

static size_t count_of(const struct connections *table, const struct ip *address)
{
    size_t count = 0;

    for (size_t i = 0; i < table->count; i++)
        count += table->items[i]->state != CONNECTION_DROPPED && table->items[i]->is_by_ip &&
                 ip_is_same(&table->items[i]->ip, address);
    return count;
}

bool connections_has_place(const struct connections *table, const struct sockaddr *peer,
                           struct connection **to_go)
{
    struct ip ip;

    *to_go = NULL;
    if (!is_near(peer, &ip) && count_of(table, &ip) >= CONNECTIONS_OF_ADDRESS)
        *to_go = first_to_yield(table, &ip);
    else if (connections_live(table) >= CONNECTIONS_MAX)
        *to_go = first_to_yield(table, NULL);
    else
        return true;
    return false;
}

struct connection *connections_too_heavy(const struct connections *table, size_t octets)
{
    struct connection *first = NULL;

    for (size_t i = 0; i < table->count; i++) {
        octets += table->items[i]->octets;
        if (table->items[i]->state == CONNECTION_ANSWERS && goes_before(table->items[i], first))
            first = table->items[i];
    }
    return octets > CONNECTIONS_OCTETS_MAX ? first : NULL;
}

static int64_t left_ms(const struct connections *table, const struct connection *connection)
{
    const int64_t age = age_ms(table, connection);

    switch (connection->state) {
    case CONNECTION_WAITS:
        return CONNECTION_REQUEST_MS - age;
    case CONNECTION_ANSWERS:
        return (age < CONNECTION_YIELD_MS ? CONNECTION_YIELD_MS : CONNECTION_ANSWER_MS) - age;
    default:
        return INT64_MAX;
    }
}

struct connection *connections_overdue(const struct connections *table)
{
    for (size_t i = 0; i < table->count; i++)
        if (left_ms(table, table->items[i]) <= 0)
            return table->items[i];
    return NULL;
}

int connections_wait_ms(const struct connections *table)
{
    int64_t wait = INT64_MAX;

    for (size_t i = 0; i < table->count; i++) {
        const int64_t left = left_ms(table, table->items[i]);

        if (left < wait)
            wait = left;
    }
    if (wait == INT64_MAX)
        return -1;
    return wait > 0 ? (int)wait : 0;
}
