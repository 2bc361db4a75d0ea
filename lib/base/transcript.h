/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * transcript: what was said in a callout, kept for people to read (struct rb_transcript of
 * ringback.h). A convenience that must never get in the way of the callout: what cannot be kept is
 * dropped.
 *
 * Thread rule: one thread at a time, the owner's; it is handed on as a whole with the answer. No
 * locks of its own.
 */
#ifndef RB_BASE_TRANSCRIPT_H
#define RB_BASE_TRANSCRIPT_H

#include "ringback.h"

#include <stddef.h>
#include <stdint.h>

enum { TRANSCRIPT_TEXT_MAX = 1000 }; /* octets kept of one line; a longer one ends in "..." */

/* An empty transcript, the caller's to free; NULL when memory ran out. */
struct rb_transcript *transcript_new(void) __attribute__((warn_unused_result));

/* NULL is fine. */
void transcript_free(struct rb_transcript *transcript);

/*
 * Appends a line: dir '<', '>' or '-' (anything else counts as '-'), the host (mx and ip may be
 * NULL: ""), and len octets of hostile text, which is copied and made printable. Beyond
 * RB_TRANSCRIPT_LINES_MAX lines, or when memory runs out, it is dropped. A NULL transcript is fine:
 * nothing is kept.
 */
void transcript_add(struct rb_transcript *transcript, int64_t t_ms, char dir, const char *mx,
                    const char *ip, const char *text, size_t len);

#endif
