/* SPDX-License-Identifier: BSD-2-Clause */
/* span: the tokens of a stretch of text, and what they are. Pure. Any thread. */
#ifndef RB_SMTP_SPAN_H
#define RB_SMTP_SPAN_H

#include "base/span.h"

static inline bool span_is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Of a host's name, between its dots. */
static inline bool span_is_of_name(char c)
{
    return char_is_letter(c) || char_is_digit(c) || c == '-';
}

/* Whether a word is what the pattern says, or, where that ends in "*", begins so. */
static inline bool span_fits(const char *word, struct span pattern)
{
    bool prefix = pattern.len > 1 && pattern.at[pattern.len - 1] == '*';
    size_t len = pattern.len - prefix;

    return strncmp(word, pattern.at, len) == 0 && (prefix || word[len] == '\0');
}

/* Without the punctuation around it. */
struct span span_trim(struct span span);

/*
 * The next token, empty at the end: up to a blank; what stands in <> with an "@" is one token,
 * blanks or not. *rest goes behind it.
 */
struct span span_next_token(struct span *rest);

#endif
