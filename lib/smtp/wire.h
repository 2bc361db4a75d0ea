/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire: one stream socket, in clear or under TLS, whichever end opened it: octets moved under
 * absolute deadlines. Knows nothing of what is said. Blocks in poll(2) only, wakes at once when
 * cancelled, and within WIRE_SLICE_MS when it must yield.
 *
 * Thread rule: a wire belongs to one thread; several may share the TLS context. The calling thread
 * must block SIGPIPE (OpenSSL writes with write(2)).
 */
#ifndef RB_SMTP_WIRE_H
#define RB_SMTP_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/stall.h"
#include "smtp/tls.h"

enum wire_status {
    WIRE_OK,
    WIRE_REFUSED,    /* the peer or the network said no */
    WIRE_TIMEOUT,    /* nothing came, or could be sent, by the deadline */
    WIRE_CLOSED,     /* the peer closed or reset the connection */
    WIRE_TLS_FAILED, /* the handshake failed, or what it came to was of no use */
    WIRE_CANCELLED,  /* cancel_fd became readable */
    WIRE_YIELDED,    /* waited long enough, for others that wait (base/stall.h) */
    WIRE_NO_ROUTE,   /* this machine has no way to such an address (no IPv6, say) */
    WIRE_SYSTEM,     /* no descriptor, no memory: ours, not the peer's */
};

enum { WIRE_SLICE_MS = 1000 /* the longest sleep where stall_must_yield is to be seen in time */ };

/* Zeroed but for fd = -1: not connected. It must not move once it is under TLS. */
struct wire {
    const struct rb_clock *clock;
    int cancel_fd;            /* readable: give up at once; -1: none */
    struct stall_call *stall; /* asked in every wait whether to yield; NULL: nobody watches */
    int fd;                   /* the wire's; -1: not connected */
    struct tls tls;
};

/*
 * Connects wire->fd to `address` (with its port) by `until`, from the source address `bind`; NULL:
 * the system's choice. Whatever it returns, wire_close may be called. The peer speaks first, as it
 * is in SMTP: its first octets, if they come soon, are waited for, and not taken.
 */
enum wire_status wire_connect(struct wire *wire, const struct sockaddr_storage *address,
                              const struct sockaddr_storage *bind, deadline until);

/* Octets of a struct sockaddr of that family, AF_UNIX too. */
socklen_t wire_address_size(const struct sockaddr_storage *address);

/*
 * Waits for `events` (of poll(2)) of the socket. Cancellation, having to yield, and time that is up
 * come before them: a peer that always has octets for us gains nothing.
 */
enum wire_status wire_wait(const struct wire *wire, short events, deadline until);

/*
 * Reads up to `size` octets, and waits for the first of them. *done: how many there were; 0 with
 * WIRE_OK: TLS was busy with itself, to be called again.
 */
enum wire_status wire_read(struct wire *wire, char *buffer, size_t size, deadline until,
                           size_t *done);

/* Writes all of it. *done: how many octets were taken, whatever is returned. */
enum wire_status wire_write(struct wire *wire, const char *octets, size_t len, deadline until,
                            size_t *done);

/*
 * TLS from here on, as the client of `context` (tls_context_new) that tells `host` by SNI. A peer
 * that is late is WIRE_TLS_FAILED.
 */
enum wire_status wire_start_tls(struct wire *wire, void *context, const char *host, deadline until);

/* Closes at once. */
void wire_close(struct wire *wire);

#endif
