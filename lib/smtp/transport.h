/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * transport: one connection to a mail host: connect, TLS, and moving a dialogue's octets under one
 * absolute deadline. Knows nothing of what is said. Blocks in poll(2) only, wakes at once when
 * cancelled, and within WIRE_SLICE_MS when it must yield.
 *
 * Thread rule: a transport belongs to one thread; several may share the SSL context. The calling
 * thread must block SIGPIPE (OpenSSL writes with write(2)).
 */
#ifndef RB_SMTP_TRANSPORT_H
#define RB_SMTP_TRANSPORT_H

#include "base/clock.h"
#include "smtp/dialogue.h"
#include "base/stall.h"
#include "smtp/wire.h"
#include "ringback.h"

#include <sys/socket.h>

struct transport_settings {
    const struct rb_clock *clock;
    deadline until; /* over everything */
    unsigned connect_timeout_ms;
    unsigned command_timeout_ms;         /* for each complete reply, and for the handshake */
    int cancel_fd;                       /* readable: give up at once; -1: none */
    struct stall_call *stall;            /* told of every wait for a reply; NULL: nobody watches */
    const struct sockaddr_storage *bind; /* source address; NULL: the system's choice */
    void *tls_context;                   /* of tls_context_new */
    const char *mx; /* for the transcript, and for SNI where it is a host's name; the caller's */
    struct rb_transcript *transcript; /* NULL: none */
    int64_t transcript_start_ms;      /* monotonic; the transcript's zero */
};

struct transport {
    struct transport_settings settings;
    struct wire wire;
    char ip[46];        /* the host's; "" where it has none */
    char source_ip[46]; /* ours, once connected; "" where there is none */
    char tls_version[16];
    char line_in[512];
    size_t line_in_len;
};

/* Connects to address (with its port). Always to be closed with transport_close, whatever it
 * returns. */
enum wire_status transport_connect(struct transport *transport,
                                   const struct transport_settings *settings,
                                   const struct sockaddr_storage *address);

/*
 * Moves octets until the dialogue wants a question or is over; does the handshake on the way.
 * Anything but WIRE_OK means the connection is of no more use; the dialogue has not been told.
 */
enum wire_status transport_drive(struct transport *transport, struct dialogue *dialogue);

/*
 * Whether the host has said nothing, and not closed, since what was asked for last was answered: of
 * a session that was left alone for a while.
 */
bool transport_is_quiet(const struct transport *transport);

/* From now on the lines go to another transcript (or to none). */
void transport_transcript(struct transport *transport, struct rb_transcript *transcript,
                          int64_t start_ms);

/* A remark in the transcript. */
void transport_remark(struct transport *transport, const char *text);

/*
 * Says QUIT where the dialogue can, ends TLS by close_notify, reads until the host has closed too,
 * and closes: at most TRANSPORT_QUIT_WAIT_MS for all of it, also when cancelled.
 */
void transport_quit(struct transport *transport, struct dialogue *dialogue);

enum { TRANSPORT_QUIT_WAIT_MS = 1000 };

/* Closes at once. */
void transport_close(struct transport *transport);

#endif
