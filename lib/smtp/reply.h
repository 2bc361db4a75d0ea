/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reply: an incremental parser of SMTP replies (RFC 5321 4.2, 4.2.1, 4.5.3.1.5; enhanced codes RFC
 * 3463, 2034). Resumes at any octet. Pure. Input is hostile: every length has a ceiling.
 *
 * Accepted beyond the grammar, as mail hosts do it: bare LF as line end, a code alone on its line,
 * octets over 127; and in a banner the first line of postscreen, which says 220 while it still
 * makes up its mind, and then 521 or 421 (RFC 7504, RFC 5321 3.8). Not accepted: a line that does
 * not begin with three digits (the first 2..5), any other code that changes within one reply, more
 * than REPLY_LINES_MAX lines, a line over REPLY_LINE_MAX octets, NUL.
 */
#ifndef RB_SMTP_REPLY_H
#define RB_SMTP_REPLY_H

#include "ringback.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    REPLY_LINE_MAX = 2000, /* octets of one line; the RFC says 512, real hosts exceed it */
    REPLY_LINES_MAX = 100, /* lines of one reply: no host needs more keywords than this */
    REPLY_TEXT_MAX = 4096, /* octets kept of all lines; the rest is dropped, and `cut` says so */
};

struct reply {
    int code;                           /* 200..599 */
    char enhanced[RB_ENHANCED_MAX + 1]; /* of the first line that has one of that class; "" */
    /* Lines joined by '\n', without code and enhanced code, octets as they came. */
    char text[REPLY_TEXT_MAX + 1];
    size_t text_len;
    unsigned lines;
    bool cut;
};

enum reply_status {
    REPLY_MORE,      /* the reply is not complete */
    REPLY_DONE,      /* parser->reply is complete */
    REPLY_MALFORMED, /* not SMTP; the session is over */
    REPLY_TOO_LONG,  /* a ceiling was passed; the session is over */
};

struct reply_parser {
    struct reply reply;
    char line[REPLY_LINE_MAX + 1];
    size_t line_len;
    enum reply_status status;
    bool teaser; /* of a banner: 521 or 421 behind "220-" takes its place */
};

/* Ready for the next reply. */
void reply_parser_init(struct reply_parser *parser);

/*
 * Takes octets until the reply is complete or fails; *used is how many. What follows *used belongs
 * to the next reply: call reply_parser_init and go on. Once failed, stays failed.
 */
enum reply_status reply_feed(struct reply_parser *parser, const char *octets, size_t len,
                             size_t *used);

/*
 * One printable line for logs, answers and caches: "550 5.1.1 first line second line", cut to size
 * with "...", control and 8-bit octets replaced, a repeated enhanced code left out. Returns its
 * length.
 */
size_t reply_format(const struct reply *reply, char *text, size_t size);

/* 2, 3, 4 or 5. */
int reply_class(const struct reply *reply);

#endif
