/* SPDX-License-Identifier: BSD-2-Clause */
/* span: a stretch of somebody else's text, not terminated. Pure. Any thread. */
#ifndef RB_BASE_SPAN_H
#define RB_BASE_SPAN_H

#include "base/text.h"

struct span {
    const char *at; /* not ours */
    size_t len;
};

static inline struct span span_of(const char *text)
{
    return (struct span){text, strlen(text)};
}

/* What is behind its first `offset` octets; it must have so many. */
static inline struct span span_from(struct span span, size_t offset)
{
    return (struct span){span.at + offset, span.len - offset};
}

static inline bool span_has(struct span span, char c)
{
    return memchr(span.at, c, span.len) != NULL;
}

/* Whether it begins with a text; upper and lower case are the same, here and in span_is. */
static inline bool span_begins(struct span span, const char *with)
{
    const size_t len = strlen(with);

    return span.len >= len && text_same_letters(span.at, with, len);
}

static inline bool span_is(struct span span, const char *text)
{
    return span.len == strlen(text) && span_begins(span, text);
}

#endif
