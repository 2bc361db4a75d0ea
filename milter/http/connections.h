/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * connections: which connections there are, what each is doing, and which must go: because its time
 * is up, or because another client wants its place. Knows no socket: who holds the table closes
 * what it names. One thread at a time.
 */
#ifndef RB_MILTER_HTTP_CONNECTIONS_H
#define RB_MILTER_HTTP_CONNECTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"
#include "base/ip.h"
#include "http/request.h"

enum {
    CONNECTIONS_MAX = 64,           /* in all */
    CONNECTIONS_OF_ADDRESS = 16,    /* of one address of another host */
    CONNECTION_REQUEST_MS = 10000,  /* for the whole of a request to come; idle time counts */
    CONNECTION_ANSWER_MS = 20000,   /* for the client to take the whole of an answer */
    CONNECTION_YIELD_MS = 1000,     /* so long an answer under way is not given up for others */
    CONNECTION_REQUESTS_MAX = 1000, /* with the last of them it is closed */
    CONNECTIONS_OCTETS_MAX = 8 * 1024 * 1024, /* of all answers under way */
};

enum connection_state {
    CONNECTION_WAITS,   /* for a request, or for more of one */
    CONNECTION_ANSWERS, /* the client is to take what was said */
    CONNECTION_DROPPED, /* is being closed: has no place any more */
};

struct connection {
    int fd;
    bool is_near;    /* of a unix socket, or from a loopback address */
    bool is_by_ip;   /* ip is set */
    struct ip ip;    /* the client's */
    struct ip local; /* where it has reached us, likewise */
    enum connection_state state;
    int64_t since_ms; /* the state */
    unsigned requests;
    size_t octets; /* of the answer under way */
    struct http_request request;
    bool is_request_good; /* request_read took it */
    bool is_header_new;   /* libmicrohttpd has not shown it yet */
};

struct connections {
    const struct rb_clock *clock;
    struct connection *items[2 * CONNECTIONS_MAX]; /* those that were dropped stay until closed */
    size_t count;
};

/*
 * Adds a connection that waits for its first request; the table's until connections_remove. peer:
 * the client's address, of any family. NULL: no memory, or no place: connections_to_yield first.
 */
struct connection *connections_add(struct connections *table, int fd, const struct sockaddr *peer);
void connections_remove(struct connections *table, struct connection *connection);

/* The one with this descriptor; NULL: there is none. */
struct connection *connections_find(const struct connections *table, int fd);

/* The state changes; the time that it may take begins. */
void connections_set_state(struct connections *table, struct connection *connection,
                           enum connection_state state);

/* How many there are that were not dropped. */
size_t connections_live(const struct connections *table);

/*
 * Whether there is a place for a client of that address. False: *to_go is the one that must be
 * dropped first, or NULL: nobody may be dropped now. Who waits goes first, the longest wait before
 * others; then the answer that has been under way for longest.
 */
bool connections_has_place(const struct connections *table, const struct sockaddr *peer,
                           struct connection **to_go);

/*
 * The answer that has been under way for longest, where with so many octets more there would be too
 * many; NULL: they fit, or there is none.
 */
struct connection *connections_too_heavy(const struct connections *table, size_t octets);

/* One whose time is up; NULL: none. */
struct connection *connections_overdue(const struct connections *table);

/* Milliseconds until the next one's time is up, or one may be dropped for others; -1: there is none. */
int connections_wait_ms(const struct connections *table);

#endif
