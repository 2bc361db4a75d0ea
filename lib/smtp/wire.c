/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire: sockets and TLS; see wire.h. Every wait is one poll(2) bounded by an absolute deadline, so
 * that a peer that drips octets gains nothing.
 */
#include "config.h"

#include "smtp/wire.h"

#include "base/ip.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/un.h>
#include <unistd.h>

enum { GREETING_WAIT_MS = 100 /* how long a connection is not looked for before its greeting */ };

/* --- Waiting ------------------------------------------------------------- */

static int slice_ms(const struct wire *wire, int left_ms)
{
    return wire->stall != NULL && left_ms > WIRE_SLICE_MS ? WIRE_SLICE_MS : left_ms;
}

enum wire_status wire_wait(const struct wire *wire, short events, deadline until)
{
    struct pollfd fds[] = {
        {.fd = wire->fd, .events = events},
        {.fd = wire->cancel_fd, .events = POLLIN},
    };

    for (;;) {
        int left_ms = deadline_left_ms(wire->clock, until);
        int n;

        n = poll(fds, 2, slice_ms(wire, left_ms));

        if (n < 0 && errno != EINTR)
            return WIRE_SYSTEM;
        if (n > 0 && fds[1].revents != 0)
            return WIRE_CANCELLED;
        if (stall_must_yield(wire->stall))
            return WIRE_YIELDED;
        if (left_ms == 0)
            return WIRE_TIMEOUT;
        if (n > 0)
            return WIRE_OK;
    }
}

/* --- Connecting ---------------------------------------------------------- */

socklen_t wire_address_size(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_UNIX)
        return sizeof(struct sockaddr_un);
    return ip_sockaddr_size(address);
}

static enum wire_status from_errno(int error)
{
    switch (error) {
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
    case EADDRINUSE:
        return WIRE_SYSTEM;
    case ENETUNREACH:
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
        return WIRE_NO_ROUTE;
    case ETIMEDOUT:
        return WIRE_TIMEOUT;
    default:
        return WIRE_REFUSED;
    }
}

/* With a source address, which bind(2) has taken, EADDRNOTAVAIL means that it has no free port
 * left. */
static enum wire_status connect_failure(bool has_source, int error)
{
    return has_source && error == EADDRNOTAVAIL ? WIRE_SYSTEM : from_errno(error);
}

static bool bind_to(const struct wire *wire, const struct sockaddr_storage *source)
{
    int one = 1;

    /* The port is chosen when it is known where to: a port may serve many destinations at once. */
    (void)setsockopt(wire->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    return bind(wire->fd, (const struct sockaddr *)source, wire_address_size(source)) == 0;
}

static bool open_socket(struct wire *wire, int family, const struct sockaddr_storage *source)
{
    int one = 1;

    wire->fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (wire->fd < 0)
        return false;
    /* Commands go out as they are written: nothing is gained by waiting for more. */
    setsockopt(wire->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return source == NULL || bind_to(wire, source);
}

/*
 * Waits for the greeting first, for a short time: it mostly comes right behind the connection, and
 * a socket that could not connect is readable too, so that one wait does for both.
 */
static enum wire_status wait_for_connection(const struct wire *wire, deadline until)
{
    int left_ms = deadline_left_ms(wire->clock, until);
    deadline greeting =
        deadline_in(wire->clock, left_ms / 2 < GREETING_WAIT_MS ? left_ms / 2 : GREETING_WAIT_MS);
    enum wire_status status = wire_wait(wire, POLLIN, greeting);

    return status == WIRE_TIMEOUT ? wire_wait(wire, POLLOUT, until) : status;
}

static enum wire_status finish_connect(struct wire *wire, deadline until)
{
    enum wire_status status;
    int error = 0;
    socklen_t len = sizeof error;

    stall_begin_wait(wire->stall, clock_monotonic_ms(wire->clock));
    status = wait_for_connection(wire, until);
    stall_end_wait(wire->stall);
    if (status != WIRE_OK)
        return status;
    if (getsockopt(wire->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
        return WIRE_SYSTEM;
    /* A connection that was reset had been there: the wait for its greeting finds out that it is
     * lost. */
    return error == 0 || error == ECONNRESET ? WIRE_OK : from_errno(error);
}

enum wire_status wire_connect(struct wire *wire, const struct sockaddr_storage *address,
                              const struct sockaddr_storage *bind, deadline until)
{
    const struct sockaddr *to = (const struct sockaddr *)address;

    if (!open_socket(wire, address->ss_family, bind))
        return from_errno(errno);
    if (connect(wire->fd, to, wire_address_size(address)) == 0)
        return WIRE_OK;
    if (errno != EINPROGRESS)
        return connect_failure(bind != NULL, errno);
    return finish_connect(wire, until);
}

/* --- Moving octets ------------------------------------------------------- */

/* What TLS came to; *events: what it wants to wait for. */
static enum wire_status from_tls(enum tls_status status, short *events)
{
    switch (status) {
    case TLS_WANTS_READ:
    case TLS_WANTS_WRITE:
        *events = status == TLS_WANTS_READ ? POLLIN : POLLOUT;
        return WIRE_OK;
    case TLS_DONE:
        return WIRE_OK;
    case TLS_FAILED:
        return WIRE_TLS_FAILED;
    default:
        return WIRE_CLOSED;
    }
}

/* One read or write. *done octets; 0 with WIRE_OK: wait for *events first. */
static enum wire_status read_some(struct wire *wire, char *buffer, size_t size, size_t *done,
                                  short *events)
{
    ssize_t n;

    *done = 0;
    *events = POLLIN;
    if (wire->tls.ssl != NULL)
        return from_tls(tls_read(&wire->tls, buffer, size, done), events);
    n = recv(wire->fd, buffer, size, 0);
    if (n > 0)
        *done = (size_t)n;
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        return WIRE_CLOSED;
    return WIRE_OK;
}

static enum wire_status write_some(struct wire *wire, const char *octets, size_t len, size_t *done,
                                   short *events)
{
    ssize_t n;

    *done = 0;
    *events = POLLOUT;
    if (wire->tls.ssl != NULL)
        return from_tls(tls_write(&wire->tls, octets, len, done), events);
    n = send(wire->fd, octets, len, MSG_NOSIGNAL);
    if (n >= 0)
        *done = (size_t)n;
    else if (errno != EAGAIN && errno != EINTR)
        return WIRE_CLOSED;
    return WIRE_OK;
}

enum wire_status wire_read(struct wire *wire, char *buffer, size_t size, deadline until,
                           size_t *done)
{
    enum wire_status status = WIRE_OK;
    short events;

    *done = 0;
    /* What TLS has left over of a record no poll(2) would see. */
    if (wire->tls.ssl == NULL || !tls_has_pending(&wire->tls))
        status = wire_wait(wire, POLLIN, until);
    if (status != WIRE_OK)
        return status;
    status = read_some(wire, buffer, size, done, &events);
    return status == WIRE_OK && *done == 0 ? wire_wait(wire, events, until) : status;
}

enum wire_status wire_write(struct wire *wire, const char *octets, size_t len, deadline until,
                            size_t *done)
{
    enum wire_status status = WIRE_OK;

    *done = 0;
    while (*done < len && status == WIRE_OK) {
        short events;
        size_t some;

        status = write_some(wire, octets + *done, len - *done, &some, &events);
        *done += some;
        if (some == 0 && status == WIRE_OK)
            status = wire_wait(wire, events, until);
    }
    return status;
}

enum wire_status wire_start_tls(struct wire *wire, void *context, const char *host, deadline until)
{
    enum wire_status status = WIRE_OK;
    enum tls_status wish;
    short events;

    if (!tls_start(&wire->tls, context, wire->fd, host))
        return WIRE_SYSTEM;
    while (status == WIRE_OK && (wish = tls_handshake(&wire->tls)) != TLS_DONE) {
        status = from_tls(wish, &events);
        if (status == WIRE_OK)
            status = wire_wait(wire, events, until);
    }
    return status == WIRE_TIMEOUT ? WIRE_TLS_FAILED : status;
}

void wire_close(struct wire *wire)
{
    tls_free(&wire->tls);
    if (wire->fd >= 0)
        close(wire->fd);
    wire->fd = -1;
}
