/* SPDX-License-Identifier: BSD-2-Clause */
/* dkim_signature: see the header. A list of tags (RFC 6376 3.2), each read once. */
#include "config.h"

#include "mail/dkim_signature.h"

static bool is_white(char c)
{
    return char_is_in(c, " \t\r\n");
}

static struct span trim(struct span text)
{
    while (text.len > 0 && is_white(*text.at))
        text = span_from(text, 1);
    while (text.len > 0 && is_white(text.at[text.len - 1]))
        text.len--;
    return text;
}

/* What is in front of the first `sign`; *rest goes behind that. All of it, where there is none. */
static struct span take_until(struct span *rest, char sign)
{
    const char *found = memchr(rest->at, sign, rest->len);
    const struct span taken = {rest->at, found != NULL ? (size_t)(found - rest->at) : rest->len};

    *rest = span_from(*rest, found != NULL ? taken.len + 1 : taken.len);
    return taken;
}

/* The tags that verifiers write into their fields. */
static bool is_shown(struct span name)
{
    return span_is(name, "a") || span_is(name, "d") || span_is(name, "i") || span_is(name, "s");
}

/* "=" begins an encoded octet. */
static bool is_plain(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.at[i] <= ' ' || char_is_in(text.at[i], "=()\"\\\x7f"))
            return false;
    return true;
}

bool dkim_signature_is_plain(struct span value)
{
    while (value.len > 0) {
        struct span tag = take_until(&value, ';');
        const struct span name = trim(take_until(&tag, '='));

        if (is_shown(name) && !is_plain(trim(tag)))
            return false;
    }
    return true;
}
