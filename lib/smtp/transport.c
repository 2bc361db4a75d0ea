/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * transport: a wire under a dialogue; see transport.h. Must not judge replies.
 */
#include "config.h"

#include "smtp/transport.h"

#include "base/text.h"
#include "base/transcript.h"

#include <netdb.h>
#include <poll.h>
#include <string.h>

enum { READ_SIZE = 1024 /* on the stack of a callout that may stall; few replies are longer */ };

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

/* --- Time ---------------------------------------------------------------- */

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

/* An address as text; "" where it has none. */
static void read_ip(const struct sockaddr_storage *address, char *ip, size_t size)
{
    if (address->ss_family == AF_UNIX ||
        getnameinfo((const struct sockaddr *)address, wire_address_size(address), ip,
                    (socklen_t)size, NULL, 0, NI_NUMERICHOST) != 0)
        ip[0] = '\0';
}

/* Which address of ours the host sees. */
static void read_source_ip(struct transport *transport)
{
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof address;

    if (getsockname(transport->wire.fd, (struct sockaddr *)&address, &len) == 0)
        read_ip(&address, transport->source_ip, sizeof transport->source_ip);
}

static struct wire wire_of(const struct transport_settings *settings)
{
    return (struct wire){.clock = settings->clock,
                         .cancel_fd = settings->cancel_fd,
                         .stall = settings->stall,
                         .fd = -1};
}

enum wire_status transport_connect(struct transport *transport,
                                   const struct transport_settings *settings,
                                   const struct sockaddr_storage *address)
{
    enum wire_status status;

    *transport = (struct transport){.settings = *settings, .wire = wire_of(settings)};
    read_ip(address, transport->ip, sizeof transport->ip);
    transport_remark(transport, "connecting");
    status = wire_connect(&transport->wire, address, settings->bind,
                          step_until(transport, settings->connect_timeout_ms));
    if (status == WIRE_OK)
        read_source_ip(transport);
    return status;
}

/* --- Moving octets ------------------------------------------------------- */

static enum wire_status send_all(struct transport *transport, struct dialogue *dialogue,
                                 deadline until)
{
    enum wire_status status;
    size_t done;

    record_out(transport, dialogue->out, dialogue->out_len);
    status = wire_write(&transport->wire, dialogue->out, dialogue->out_len, until, &done);
    dialogue_sent(dialogue, done);
    return status;
}

static enum wire_status receive(struct transport *transport, struct dialogue *dialogue,
                                deadline until)
{
    char buffer[READ_SIZE];
    size_t done;
    enum wire_status status = wire_read(&transport->wire, buffer, sizeof buffer, until, &done);

    if (done > 0) {
        record_in(transport, buffer, done);
        dialogue_feed(dialogue, buffer, done);
    }
    return status;
}

static enum wire_status handshake(struct transport *transport, struct dialogue *dialogue)
{
    const struct transport_settings *settings = &transport->settings;
    struct wire *wire = &transport->wire;
    enum wire_status status = wire_start_tls(wire, settings->tls_context, settings->mx,
                                             step_until(transport, settings->command_timeout_ms));

    if (status != WIRE_OK)
        return status;
    if (!text_copy(transport->tls_version, sizeof transport->tls_version, tls_version(&wire->tls)))
        transport->tls_version[0] = '\0';
    transport_remark(transport, transport->tls_version);
    dialogue_tls_started(dialogue);
    begin_wait(transport); /* for the reply to what is said next */
    return WIRE_OK;
}

static enum wire_status drive_until(struct transport *transport, struct dialogue *dialogue,
                                    unsigned timeout_ms)
{
    unsigned replies = dialogue->replies;
    deadline until = step_until(transport, timeout_ms);
    enum wire_status status = WIRE_OK;

    begin_wait(transport);
    while (status == WIRE_OK) {
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
            transport->wire.tls.is_proven = true;
            begin_wait(transport);
        }
    }
    end_wait(transport);
    return status;
}

enum wire_status transport_drive(struct transport *transport, struct dialogue *dialogue)
{
    return drive_until(transport, dialogue, transport->settings.command_timeout_ms);
}

bool transport_is_quiet(const struct transport *transport)
{
    struct pollfd peer = {.fd = transport->wire.fd, .events = POLLIN};

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

    if (transport->wire.tls.ssl != NULL)
        tls_shutdown(&transport->wire.tls);
    while (deadline_left_ms(settings->clock, settings->until) > 0)
        if (wire_wait(&transport->wire, POLLIN, settings->until) != WIRE_OK ||
            recv(transport->wire.fd, buffer, sizeof buffer, 0) <= 0)
            break;
}

void transport_quit(struct transport *transport, struct dialogue *dialogue)
{
    struct transport_settings *settings = &transport->settings;

    if (transport->wire.fd >= 0 && dialogue_can_quit(dialogue)) {
        /* Real time, for at the program's end nobody moves another. */
        settings->clock = transport->wire.clock = clock_system();
        settings->until = deadline_in(settings->clock, TRANSPORT_QUIT_WAIT_MS);
        transport->wire.cancel_fd = -1;
        dialogue_quit(dialogue);
        if (drive_until(transport, dialogue, TRANSPORT_QUIT_WAIT_MS) == WIRE_OK)
            await_end(transport);
    }
    transport_close(transport);
}

void transport_close(struct transport *transport)
{
    wire_close(&transport->wire);
}
