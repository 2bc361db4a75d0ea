/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * play: the little script of what a connection does next: wait, send, close and so on. The session
 * writes it, the connection plays it, and only when it is over is the next command read. It also
 * turns a scenario's reply into octets.
 */
#ifndef SMTPD_PLAY_H
#define SMTPD_PLAY_H

#include "buf.h"

#include <stdint.h>

#define PLAY_STEPS_MAX 16
#define PLAY_OCTETS_MAX (256U << 10)

enum step_kind {
    STEP_WAIT,    /* ms */
    STEP_HELD,    /* until the host lets its replies go */
    STEP_MARK,    /* a reply begins: did the client wait for it? */
    STEP_SEND,    /* len octets from off; with ms > 0, piece octets at a time, ms between them */
    STEP_FILL,    /* len octets of filling */
    STEP_ENDLESS, /* the len octets from off, again and again; with ms > 0, ms between them */
    STEP_AWAIT_INPUT, /* until the client says anything, which is then thrown away */
    STEP_TLS,         /* the handshake */
    STEP_SILENT,      /* for ever */
    STEP_CLOSE,
    STEP_RESET
};

struct step {
    enum step_kind kind;
    int64_t ms;
    size_t off;
    size_t len;
    size_t piece;
};

struct play {
    struct step steps[PLAY_STEPS_MAX];
    size_t count;
    size_t at;
    size_t done; /* octets of the step at hand */
    struct buf octets;
};

/* How something is sent; ms 0: in one. */
struct drip {
    int ms;
    size_t piece;
};

/* What stands for %a, %s, %h, %i, %c and %H in a text. */
struct play_words {
    const char *address;
    const char *sender;
    const char *host_name;
    const char *host_ip;
    const char *client_ip;
    const char *helo;
};

/* A reply's code and text as the scenario has it, its lines separated by |. */
struct play_reply {
    unsigned code;
    const char *text;
    size_t len;
};

void play_init(struct play *p);
void play_fini(struct play *p);

/* Everything played and forgotten. */
void play_clear(struct play *p);

void play_step(struct play *p, enum step_kind kind);
void play_wait(struct play *p, int64_t ms);
void play_send(struct play *p, const void *octets, size_t len, struct drip drip);
void play_noise(struct play *p, size_t len, struct drip drip);

/* RFC 5321 section 4.2.1; a line that begins with a code of its own keeps it. */
void play_reply(struct play *p, struct play_reply reply, const struct play_words *words,
                struct drip drip);

/* The last two runs of octets leave in one. */
void play_join(struct play *p);

/* One line of a reply, of size octets with its CRLF. */
void play_huge(struct play *p, unsigned code, size_t size);

/* The reply's first line as one that is continued, for ever. */
void play_endless(struct play *p, struct play_reply reply, const struct play_words *words,
                  struct drip drip);

#endif
