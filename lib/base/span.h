/* SPDX-License-Identifier: BSD-2-Clause */
/* span: a stretch of somebody else's text, not terminated. Pure. Any thread. */
#ifndef RB_BASE_SPAN_H
#define RB_BASE_SPAN_H

#include <stddef.h>
#include <string.h>

struct span {
    const char *at;
    size_t len;
};

static inline struct span span_of(const char *text)
{
    return (struct span){text, strlen(text)};
}

/* What is behind its first `offset` octets, of which there are so many. */
static inline struct span span_from(struct span span, size_t offset)
{
    return (struct span){span.at + offset, span.len - offset};
}

#endif
