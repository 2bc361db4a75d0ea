/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake_host: a mail host in threads of the test, on the loopback or at a path. A connection either
 * plays a script step by step, or is served politely: RFC 5321 (and LHLO, RFC 2033) with replies
 * from a table. What was said to the host is kept for asserting. Any thread may call any function.
 */
#ifndef RB_FAKE_HOST_H
#define RB_FAKE_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FAKE_HOST_FLOOD_OCTETS = 1 << 20 }; /* far more than fits into the buffers of a connection */

/* A step of a script. When the steps are used up the connection is closed. */
enum fake_host_act {
    FAKE_HOST_SAY,         /* text and CR LF */
    FAKE_HOST_RAW,         /* text as it stands */
    FAKE_HOST_DRIP,        /* text as it stands, again and again, until the peer has gone */
    FAKE_HOST_EXPECT,      /* a command that begins with text; another one ends the session and is
                         counted (fake_host_surprises) */
    FAKE_HOST_TLS,         /* a handshake */
    FAKE_HOST_TLS_1_2,     /* the same, with no newer version */
    FAKE_HOST_TICKETS,     /* within TLS: session tickets, for as long as the peer reads */
    FAKE_HOST_KEY_UPDATES, /* within TLS: new keys, as above */
    FAKE_HOST_RENEGOTIATIONS, /* within TLS 1.2: as above */
    FAKE_HOST_HELLO_REQUESTS, /* in the place of a handshake (TLS 1.2): as above */
    FAKE_HOST_CLOSE,          /* closes in order */
    FAKE_HOST_RESET,          /* closes with a RST */
    FAKE_HOST_SILENT,         /* says nothing and reads all until the peer has gone */
    FAKE_HOST_POLITE,         /* from here on polite, as behind the banner */
};

struct fake_host_step {
    enum fake_host_act act;
    const char *text;
};

struct fake_host_script {
    const struct fake_host_step *steps;
    size_t count;
};

/* Replies are text without CR LF; "" closes the connection instead; behind a 421 it is closed. */
struct fake_host_reply {
    const char *address; /* the recipient, without brackets */
    const char *reply;
};

/* All pointers are the caller's and must outlive the host. Zeroes are a sensible host on
 * 127.0.0.1 that knows no user. */
struct fake_host_options {
    const char *ip;   /* NULL: 127.0.0.1 */
    uint16_t port;    /* 0: any */
    const char *path; /* a unix socket, in their stead; removed at the end */

    /* The n-th connection plays the n-th script, later ones the last. None: all are polite. */
    const struct fake_host_script *scripts;
    size_t script_count;

    bool pipelining, smtputf8, starttls;
    bool size;               /* knows SIZE (RFC 1870), with no limit announced */
    unsigned long long room; /* MAIL with a larger SIZE gets 552 5.3.4; 0: none does */
    bool broken_tls;         /* behind the reply to STARTTLS comes garbage, and the end */
    bool wants_certificate;  /* of us; with TLS 1.3 it says so behind our handshake only */
    const char *banner;      /* NULL: 220 */
    unsigned open_max;       /* connections at once; 0: any number */
    const char *excess;      /* the banner of one too many, behind which it is closed */
    const char *ehlo;        /* to EHLO and LHLO; NULL: 250 and the keywords */
    const char *null_sender; /* to MAIL FROM:<>; NULL: 250 */
    const char *mail;        /* to any other MAIL; NULL: 250 */
    const struct fake_host_reply *replies;
    size_t reply_count;
    const char *rcpt; /* to recipients that are not in the table; NULL: 550 5.1.1 */
    const char *data; /* NULL: 354 */
    const char *verb; /* to what it does not know; NULL: 502 5.5.1 */
};

struct fake_host;

/* Starts a host. Ends the test run when it cannot. */
struct fake_host *fake_host_start(const struct fake_host_options *options);

/* Another table of recipients from now on. */
void fake_host_set(struct fake_host *host, const struct fake_host_reply *replies, size_t count);

/* While held, a polite host lets RCPT wait for its reply. */
void fake_host_hold(struct fake_host *host, bool held);

/* While held: that many more RCPT get their reply all the same. */
void fake_host_let(struct fake_host *host, unsigned count);

/* Closes all connections and ends. NULL is fine. */
void fake_host_stop(struct fake_host *host);

/* 0 where it is at a path. */
uint16_t fake_host_port(const struct fake_host *host);

/* Connections taken so far, those that are still open, and those that were too many. */
unsigned fake_host_connections(struct fake_host *host);
unsigned fake_host_open(struct fake_host *host);
unsigned fake_host_excess(struct fake_host *host);

/* Commands so far that begin with prefix, in whatever case ("": all). */
unsigned fake_host_heard(struct fake_host *host, const char *prefix);

/* Waits until that many were heard. False: they never came (two minutes). */
bool fake_host_wait(struct fake_host *host, const char *prefix, unsigned count);

/* The n-th command that begins with prefix; "" when there is none. */
void fake_host_command(struct fake_host *host, const char *prefix, unsigned n, char *text,
                       size_t size);

/*
 * Batches of a flood (tickets, key updates, hello requests) that were sent whole, to peers that
 * went on reading: FAKE_HOST_FLOOD_OCTETS at least in each. Each is noted as a command "FLOOD" when
 * it begins.
 */
unsigned fake_host_floods(struct fake_host *host);

/* The server's name in the last handshake's client hello (RFC 6066 3); "" where there was none. */
void fake_host_server_name(struct fake_host *host, char *text, size_t size);

/* Sessions in TLS that have ended, and not by close_notify. */
unsigned fake_host_cut_off(struct fake_host *host);

/* Scripts that heard another command than they expected. */
unsigned fake_host_surprises(struct fake_host *host);

#endif
