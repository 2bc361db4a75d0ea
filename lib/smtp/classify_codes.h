/* SPDX-License-Identifier: BSD-2-Clause */
/* classify_codes: enhanced codes (RFC 3463) and whole replies that stand in a reply's text.
 * Pure. */
#ifndef RB_SMTP_CLASSIFY_CODES_H
#define RB_SMTP_CLASSIFY_CODES_H

#include "smtp/reply.h"

/*
 * A reply within the text: "host mx said: 550 5.1.1 unknown", "550-Response: 550 no". True: *code,
 * enhanced ("" where it has none), and *at, where its text begins.
 */
bool codes_of_quotation(const struct reply *reply, int *code, char enhanced[RB_ENHANCED_MAX + 1],
                        size_t *at);

/*
 * The enhanced code of a reply: its own, or one that stands in the text, as qmail writes it,
 * "(#5.1.1)", or Barracuda, "cuda_nsu 5.1.1". "" where there is none.
 */
void codes_enhanced(const struct reply *reply, char enhanced[RB_ENHANCED_MAX + 1]);

/* True when an enhanced code is one of "x.1.1|x.7.*"; x is any class. "" in the list stands for no
 * code. */
bool codes_fit(const char *enhanced, const char *list);

#endif
