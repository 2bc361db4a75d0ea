/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * buf: a growing run of octets with a ceiling. It must not grow beyond it: what does not fit is not
 * added and the buffer says so from then on.
 */
#ifndef SMTPD_BUF_H
#define SMTPD_BUF_H

#include <stdbool.h>
#include <stddef.h>

struct buf {
    char *data;
    size_t len;
    size_t cap;
    size_t max;
    bool failed; /* something did not fit, or memory ran out; sticky until buf_clear */
};

void buf_init(struct buf *b, size_t max);
void buf_free(struct buf *b);

/* Empties it and keeps its memory. */
void buf_clear(struct buf *b);

/* All or nothing. */
void buf_add(struct buf *b, const void *octets, size_t len);
void buf_str(struct buf *b, const char *text);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Adds text as a JSON string with its quotes; octets that are not UTF-8 are read as Latin-1. */
void buf_json(struct buf *b, const char *text);

#endif
