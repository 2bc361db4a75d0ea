/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session: one SMTP session as its mail host's script has it: a command in, a play out. It keeps
 * the rules of RFC 5321 for the client's side and counts what breaks them. It knows no socket and
 * no timer.
 */
#ifndef SMTPD_SESSION_H
#define SMTPD_SESSION_H

#include "counters.h"
#include "greylist.h"
#include "play.h"
#include "scenario.h"

#define COMMAND_LINE_MAX 512                  /* RFC 5321 section 4.5.3.1.4, with CRLF */
#define ARGUMENT_SIZE (COMMAND_LINE_MAX + 64) /* room for what extensions add to a line */
#define LINE_MAX_OCTETS 2000                  /* what is longer is not even kept */

/* What all sessions share. */
struct world {
    struct counters *counters;
    struct greylist *greylist;
};

struct session {
    const struct world *world;
    struct scenario *scn; /* one reference */
    struct place *place;
    const struct host_conf *conf;
    struct host_stats *stats;
    char client_ip[INET6_ADDRSTRLEN];
    unsigned client_port;

    char helo[ARGUMENT_SIZE];
    char sender[ARGUMENT_SIZE];
    char params[ARGUMENT_SIZE];  /* of MAIL */
    char address[ARGUMENT_SIZE]; /* of the command at hand */
    unsigned nth[STAGE_COUNT];   /* commands of each kind so far */
    unsigned replies;
    unsigned errors;
    bool banner_sent;
    bool early;      /* was counted as an early talker */
    bool refused;    /* by the banner: nothing but QUIT is right */
    bool greeted;    /* EHLO or HELO was accepted */
    bool extended;   /* by EHLO */
    bool utf8;       /* SMTPUTF8 was said to MAIL */
    bool pipelining; /* was offered */
    bool tls;
    bool mail_tried, mail_ok;
    bool rcpt_tried, rcpt_ok;
    bool in_content;
    bool content_counted;
    unsigned dot_state; /* enum dot */
    enum stage command; /* the command that is being answered */
};

/* Takes a reference of scn. The client's address is filled in by the caller. */
void session_init(struct session *s, const struct world *world, struct scenario *scn,
                  struct place *place, struct host_stats *stats);
void session_fini(struct session *s);

/* The client is connected: plays the banner. */
void session_begin(struct session *s, struct play *play);

/* One line without its end, NUL-terminated (it may hold more of them); bare_lf: it ended without
 * CR. */
void session_line(struct session *s, struct play *play, char *line, size_t len, bool bare_lf);

/* A line that was longer than LINE_MAX_OCTETS has ended. */
void session_too_long(struct session *s, struct play *play);

/* Content of a message; returns how many octets of it were taken: all, or up to the final dot. */
size_t session_content(struct session *s, struct play *play, const char *octets, size_t len);

/* A reply begins, and that many octets from the client lie unread. */
void session_reply_begins(struct session *s, size_t pending);

/* The banner was sent to its end. / The client spoke before that. */
void session_banner_sent(struct session *s);
void session_early(struct session *s);

/* The handshake is over. */
void session_tls(struct session *s, bool done);

#endif
