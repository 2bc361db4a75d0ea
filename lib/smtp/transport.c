/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * transport: sockets and TLS under a dialogue; see transport.h. Every wait is one poll(2) bounded
 * by an absolute deadline, so that a host that drips octets gains nothing. Must not judge replies.
 */
#include "config.h"

#include "smtp/transport.h"

#include "base/ip.h"
#include "base/text.h"
#include "base/transcript.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    READ_SIZE = 1024,     /* on the stack of a callout that may stall; few replies are longer */
    BANNER_WAIT_MS = 100, /* how long a connection is not looked for before its banner */
};

/* --- The transcript ------------------------------------------------------ */

static void record(struct transport *transport, char dir, const char *text, size_t len)
{
    const struct transport_settings *settings = &transport->settings;
    int64_t now_ms;

    if (settings->transcript == NULL)
        return;
    now_ms = clock_monotonic_ms(settings->clock) - settings->transcript_start_ms;
    transcript_add(settings->transcript, now_ms, dir, settings->mx, transport->ip, text, len);
}

void transport_remark(struct transport *transport, const char *text)
{
    record(transport, '-', text, strlen(text));
}

void transport_transcript(struct transport *transport, struct rb_transcript *transcript,
                          int64_t start_ms)
{
    transport->settings.transcript = transcript;
    transport->settings.transcript_start_ms = start_ms;
}

/* Received octets, line by line; a line longer than the buffer is recorded in pieces. */
static void record_in(struct transport *transport, const char *octets, size_t len)
{
    if (transport->settings.transcript == NULL)
        return;
    for (size_t i = 0; i < len; i++) {
        if (octets[i] != '\n' && transport->line_in_len < sizeof transport->line_in)
            transport->line_in[transport->line_in_len++] = octets[i];
        if (octets[i] == '\n' || transport->line_in_len == sizeof transport->line_in) {
            size_t end = transport->line_in_len;

            if (end > 0 && transport->line_in[end - 1] == '\r')
                end--;
            record(transport, '<', transport->line_in, end);
            transport->line_in_len = 0;
        }
    }
}

/* Commands as they are sent: whole lines. */
static void record_out(struct transport *transport, const char *octets, size_t len)
{
    while (transport->settings.transcript != NULL && len > 0) {
        const char *end = memchr(octets, '\r', len);
        size_t line = end != NULL ? (size_t)(end - octets) : len;
        size_t skip = line + 2 <= len ? line + 2 : len;

        record(transport, '>', octets, line);
        octets += skip;
        len -= skip;
    }
}

/* --- Waiting ------------------------------------------------------------- */

static int slice_ms(const struct transport *transport, int left_ms)
{
    bool watched = transport->settings.stall != NULL;

    return watched && left_ms > TRANSPORT_SLICE_MS ? TRANSPORT_SLICE_MS : left_ms;
}

/*
 * Waits for `events` of the socket. Cancellation, having to yield, and time that is up come before
 * them: a host that always has octets for us gains nothing.
 */
static enum transport_status wait_for(const struct transport *transport, short events,
                                      deadline until)
{
    const struct transport_settings *settings = &transport->settings;
    struct pollfd fds[] = {
        {.fd = transport->fd, .events = events},
        {.fd = settings->cancel_fd, .events = POLLIN},
    };

    for (;;) {
        int left_ms = deadline_left_ms(settings->clock, until);
        int n;

        n = poll(fds, 2, slice_ms(transport, left_ms));

        if (n < 0 && errno != EINTR)
            return TRANSPORT_SYSTEM;
        if (n > 0 && fds[1].revents != 0)
            return TRANSPORT_CANCELLED;
        if (stall_must_yield(settings->stall))
            return TRANSPORT_YIELDED;
        if (left_ms == 0)
            return TRANSPORT_TIMEOUT;
        if (n > 0)
            return TRANSPORT_OK;
    }
}

static deadline step_until(const struct transport *transport, unsigned timeout_ms)
{
    const struct transport_settings *settings = &transport->settings;

    return deadline_min(settings->until, deadline_in(settings->clock, timeout_ms));
}

/* From now on the host keeps us waiting for one reply. */
static void begin_wait(const struct transport *transport)
{
    const struct transport_settings *settings = &transport->settings;

    stall_begin_wait(settings->stall, clock_monotonic_ms(settings->clock));
}

static void end_wait(const struct transport *transport)
{
    stall_end_wait(transport->settings.stall);
}

/* --- Connecting ---------------------------------------------------------- */

static socklen_t address_len(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_UNIX)
        return sizeof(struct sockaddr_un);
    return ip_sockaddr_size(address);
}

static enum transport_status from_errno(int error)
{
    switch (error) {
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
    case EADDRINUSE:
        return TRANSPORT_SYSTEM;
    case ENETUNREACH:
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
        return TRANSPORT_NO_ROUTE;
    case ETIMEDOUT:
        return TRANSPORT_TIMEOUT;
    default:
        return TRANSPORT_REFUSED;
    }
}

/* With a source address, which bind(2) has taken, EADDRNOTAVAIL means that it has no free port
 * left. */
static enum transport_status connect_failure(const struct transport *transport, int error)
{
    bool has_source = transport->settings.bind != NULL;

    return has_source && error == EADDRNOTAVAIL ? TRANSPORT_SYSTEM : from_errno(error);
}

static bool bind_to(const struct transport *transport, const struct sockaddr_storage *source)
{
    int one = 1;

    /* The port is chosen when it is known where to: a port may serve many destinations at once. */
    (void)setsockopt(transport->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    return bind(transport->fd, (const struct sockaddr *)source, address_len(source)) == 0;
}

static bool open_socket(struct transport *transport, int family)
{
    const struct sockaddr_storage *source = transport->settings.bind;
    int one = 1;

    transport->fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (transport->fd < 0)
        return false;
    /* Commands go out as they are written: nothing is gained by waiting for more. */
    setsockopt(transport->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return source == NULL || bind_to(transport, source);
}

/*
 * Waits for the banner first, for a short time: it mostly comes right behind the connection, and a
 * socket that could not connect is readable too, so that one wait does for both.
 */
static enum transport_status wait_for_connection(struct transport *transport)
{
    const struct rb_clock *clock = transport->settings.clock;
    deadline until = step_until(transport, transport->settings.connect_timeout_ms);
    int left_ms = deadline_left_ms(clock, until);
    deadline banner =
        deadline_in(clock, left_ms / 2 < BANNER_WAIT_MS ? left_ms / 2 : BANNER_WAIT_MS);
    enum transport_status status = wait_for(transport, POLLIN, banner);

    return status == TRANSPORT_TIMEOUT ? wait_for(transport, POLLOUT, until) : status;
}

static enum transport_status finish_connect(struct transport *transport)
{
    enum transport_status status;
    int error = 0;
    socklen_t len = sizeof error;

    begin_wait(transport);
    status = wait_for_connection(transport);
    end_wait(transport);
    if (status != TRANSPORT_OK)
        return status;
    if (getsockopt(transport->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
        return TRANSPORT_SYSTEM;
    /* A connection that was reset had been there: the wait for its banner finds out that it is
     * lost. */
    return error == 0 || error == ECONNRESET ? TRANSPORT_OK : from_errno(error);
}

/* An address as text; "" where it has none. */
static void read_ip(const struct sockaddr_storage *address, char *ip, size_t size)
{
    if (address->ss_family == AF_UNIX ||
        getnameinfo((const struct sockaddr *)address, address_len(address), ip, (socklen_t)size,
                    NULL, 0, NI_NUMERICHOST) != 0)
        ip[0] = '\0';
}

/* Which address of ours the host sees. */
static void read_source_ip(struct transport *transport)
{
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof address;

    if (getsockname(transport->fd, (struct sockaddr *)&address, &len) == 0)
        read_ip(&address, transport->source_ip, sizeof transport->source_ip);
}

static enum transport_status connect_to(struct transport *transport,
                                        const struct sockaddr_storage *address)
{
    const struct sockaddr *to = (const struct sockaddr *)address;

    if (!open_socket(transport, address->ss_family))
        return from_errno(errno);
    if (connect(transport->fd, to, address_len(address)) == 0)
        return TRANSPORT_OK;
    if (errno != EINPROGRESS)
        return connect_failure(transport, errno);
    return finish_connect(transport);
}

enum transport_status transport_connect(struct transport *transport,
                                        const struct transport_settings *settings,
                                        const struct sockaddr_storage *address)
{
    enum transport_status status;

    *transport = (struct transport){.settings = *settings, .fd = -1};
    read_ip(address, transport->ip, sizeof transport->ip);
    transport_remark(transport, "connecting");
    status = connect_to(transport, address);
    if (status == TRANSPORT_OK)
        read_source_ip(transport);
    return status;
}

/* --- Moving octets ------------------------------------------------------- */

/* What TLS came to; *events: what it wants to wait for. */
static enum transport_status from_tls(enum tls_status status, short *events)
{
    switch (status) {
    case TLS_WANTS_READ:
    case TLS_WANTS_WRITE:
        *events = status == TLS_WANTS_READ ? POLLIN : POLLOUT;
        return TRANSPORT_OK;
    case TLS_DONE:
        return TRANSPORT_OK;
    case TLS_FAILED:
        return TRANSPORT_TLS_FAILED;
    default:
        return TRANSPORT_CLOSED;
    }
}

/* One read or write. *done octets; 0 with TRANSPORT_OK: wait for *events first. */
static enum transport_status read_some(struct transport *transport, char *buffer, size_t size,
                                       size_t *done, short *events)
{
    ssize_t n;

    *done = 0;
    *events = POLLIN;
    if (transport->tls.ssl != NULL)
        return from_tls(tls_read(&transport->tls, buffer, size, done), events);
    n = recv(transport->fd, buffer, size, 0);
    if (n > 0)
        *done = (size_t)n;
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        return TRANSPORT_CLOSED;
    return TRANSPORT_OK;
}

static enum transport_status write_some(struct transport *transport, const char *octets, size_t len,
                                        size_t *done, short *events)
{
    ssize_t n;

    *done = 0;
    *events = POLLOUT;
    if (transport->tls.ssl != NULL)
        return from_tls(tls_write(&transport->tls, octets, len, done), events);
    n = send(transport->fd, octets, len, MSG_NOSIGNAL);
    if (n >= 0)
        *done = (size_t)n;
    else if (errno != EAGAIN && errno != EINTR)
        return TRANSPORT_CLOSED;
    return TRANSPORT_OK;
}

static enum transport_status send_all(struct transport *transport, struct dialogue *dialogue,
                                      deadline until)
{
    enum transport_status status = TRANSPORT_OK;

    record_out(transport, dialogue->out, dialogue->out_len);
    while (dialogue->out_len > 0 && status == TRANSPORT_OK) {
        short events;
        size_t done;

        status = write_some(transport, dialogue->out, dialogue->out_len, &done, &events);
        if (done > 0)
            dialogue_sent(dialogue, done);
        else if (status == TRANSPORT_OK)
            status = wait_for(transport, events, until);
    }
    return status;
}

static enum transport_status receive(struct transport *transport, struct dialogue *dialogue,
                                     deadline until)
{
    char buffer[READ_SIZE];
    enum transport_status status = TRANSPORT_OK;
    short events;
    size_t done;

    /* What TLS has left over of a record no poll(2) would see. */
    if (transport->tls.ssl == NULL || !tls_has_pending(&transport->tls))
        status = wait_for(transport, POLLIN, until);
    if (status != TRANSPORT_OK)
        return status;
    status = read_some(transport, buffer, sizeof buffer, &done, &events);
    if (done > 0) {
        record_in(transport, buffer, done);
        dialogue_feed(dialogue, buffer, done);
    } else if (status == TRANSPORT_OK) {
        status = wait_for(transport, events, until);
    }
    return status;
}

static enum transport_status handshake(struct transport *transport, struct dialogue *dialogue)
{
    const struct transport_settings *settings = &transport->settings;
    struct tls *tls = &transport->tls;
    deadline until = step_until(transport, settings->command_timeout_ms);
    enum transport_status status = TRANSPORT_OK;
    enum tls_status wish;
    short events;

    if (!tls_start(tls, settings->tls_context, transport->fd, settings->mx))
        return TRANSPORT_SYSTEM;
    while (status == TRANSPORT_OK && (wish = tls_handshake(tls)) != TLS_DONE) {
        status = from_tls(wish, &events);
        if (status == TRANSPORT_OK)
            status = wait_for(transport, events, until);
    }
    if (status != TRANSPORT_OK)
        return status == TRANSPORT_TIMEOUT ? TRANSPORT_TLS_FAILED : status;
    if (!text_copy(transport->tls_version, sizeof transport->tls_version, tls_version(tls)))
        transport->tls_version[0] = '\0';
    transport_remark(transport, transport->tls_version);
    dialogue_tls_started(dialogue);
    begin_wait(transport); /* for the reply to what is said next */
    return TRANSPORT_OK;
}

static enum transport_status drive_until(struct transport *transport, struct dialogue *dialogue,
                                         unsigned timeout_ms)
{
    unsigned replies = dialogue->replies;
    deadline until = step_until(transport, timeout_ms);
    enum transport_status status = TRANSPORT_OK;

    begin_wait(transport);
    while (status == TRANSPORT_OK) {
        if (dialogue->need == DIALOGUE_NEED_TLS)
            status = handshake(transport, dialogue);
        else if (dialogue->need != DIALOGUE_NEED_PEER)
            break;
        else if (dialogue->out_len > 0)
            status = send_all(transport, dialogue, until);
        else
            status = receive(transport, dialogue, until);
        if (dialogue->replies != replies) { /* the next reply has its own time */
            replies = dialogue->replies;
            until = step_until(transport, timeout_ms);
            transport->tls.is_proven = true;
            begin_wait(transport);
        }
    }
    end_wait(transport);
    return status;
}

enum transport_status transport_drive(struct transport *transport, struct dialogue *dialogue)
{
    return drive_until(transport, dialogue, transport->settings.command_timeout_ms);
}

bool transport_is_quiet(const struct transport *transport)
{
    struct pollfd peer = {.fd = transport->fd, .events = POLLIN};

    return poll(&peer, 1, 0) == 0;
}

/*
 * Hosts log a connection that is cut off, or reset over what they still had to say; and while they
 * have not closed it, they count it.
 */
static void await_end(struct transport *transport)
{
    const struct transport_settings *settings = &transport->settings;
    char buffer[READ_SIZE];

    if (transport->tls.ssl != NULL)
        tls_shutdown(&transport->tls);
    while (deadline_left_ms(settings->clock, settings->until) > 0)
        if (wait_for(transport, POLLIN, settings->until) != TRANSPORT_OK ||
            recv(transport->fd, buffer, sizeof buffer, 0) <= 0)
            break;
}

void transport_quit(struct transport *transport, struct dialogue *dialogue)
{
    struct transport_settings *settings = &transport->settings;

    if (transport->fd >= 0 && dialogue_can_quit(dialogue)) {
        /* Real time, for at the program's end nobody moves another. */
        settings->clock = clock_system();
        settings->until = deadline_in(settings->clock, TRANSPORT_QUIT_WAIT_MS);
        settings->cancel_fd = -1;
        dialogue_quit(dialogue);
        if (drive_until(transport, dialogue, TRANSPORT_QUIT_WAIT_MS) == TRANSPORT_OK)
            await_end(transport);
    }
    transport_close(transport);
}

void transport_close(struct transport *transport)
{
    tls_free(&transport->tls);
    if (transport->fd >= 0)
        close(transport->fd);
    transport->fd = -1;
}
