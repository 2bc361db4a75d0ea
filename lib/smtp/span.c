/* SPDX-License-Identifier: BSD-2-Clause */
/* span: see span.h. */
#include "config.h"

#include "smtp/span.h"

struct span span_trim(struct span span)
{
    static const char around[] = "<>()[]{}\"'`.,;:!?*=";

    while (span.len > 0 && strchr(around, span.at[0]) != NULL) {
        span.at++;
        span.len--;
    }
    while (span.len > 0 && strchr(around, span.at[span.len - 1]) != NULL)
        span.len--;
    return span;
}

struct span span_next_token(struct span *rest)
{
    struct span token, inside;
    const char *close;

    while (rest->len > 0 && span_is_blank(rest->at[0]))
        *rest = span_from(*rest, 1);
    token = (struct span){rest->at, 0};
    while (token.len < rest->len && !span_is_blank(rest->at[token.len])) {
        if (rest->at[token.len] == '<' && token.len > 0)
            break; /* "TO:<u@d>": the address is a token of its own */
        token.len++;
        if (rest->at[token.len - 1] == '>')
            break;
    }
    close = token.len > 0 && token.at[0] == '<' ? memchr(rest->at, '>', rest->len) : NULL;
    if (close != NULL) {
        inside = (struct span){rest->at + 1, (size_t)(close - rest->at) - 1};
        if (span_has(inside, '@') && !span_has(inside, '<'))
            token.len = inside.len + 2;
    }
    *rest = span_from(*rest, token.len);
    return token;
}
