/* SPDX-License-Identifier: BSD-2-Clause */
/* span: a stretch of text that is not terminated: its tokens, and what it is. Pure. Any thread. */
#ifndef RB_SMTP_SPAN_H
#define RB_SMTP_SPAN_H

#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct span {
    const char *at; /* not ours */
    size_t len;
};

static inline bool span_is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Of a host's name, between its dots. */
static inline bool span_is_of_name(char c)
{
    return char_is_letter(c) || char_is_digit(c) || c == '-';
}

static inline struct span span_of(const char *text)
{
    return (struct span){text, strlen(text)};
}

static inline struct span span_from(struct span span, size_t from)
{
    return (struct span){span.at + from, span.len - from};
}

static inline bool span_has(struct span span, char c)
{
    return memchr(span.at, c, span.len) != NULL;
}

/* Whether the first octets are the same; upper and lower case are. */
static inline bool span_same_letters(const char *one, const char *other, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (char_lower(one[i]) != char_lower(other[i]))
            return false;
    return true;
}

/* Upper and lower case are the same, here and in span_is. */
static inline bool span_begins(struct span span, const char *with)
{
    size_t len = strlen(with);

    return span.len >= len && span_same_letters(span.at, with, len);
}

static inline bool span_is(struct span span, const char *text)
{
    return span.len == strlen(text) && span_begins(span, text);
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
 * The next token, empty at the end: up to a blank; what stands in <> with an "@" is one token, blanks
 * or not. *rest goes behind it.
 */
struct span span_next_token(struct span *rest);

#endif
