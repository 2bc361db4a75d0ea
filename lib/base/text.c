/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * text: bounded copying, and making a stranger's octets harmless for logs, headers and terminals.
 * It must not know what the text is about. Locale-free: only printable ASCII (RFC 20) comes out.
 */
#include "config.h"

#include "base/text.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

bool text_copy(char *dst, size_t size, const char *src)
{
    const size_t len = strlen(src);

    if (len >= size) {
        if (size > 0)
            dst[0] = '\0';
        return false;
    }
    memcpy(dst, src, len + 1);
    return true;
}

static bool is_white(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_control(char c)
{
    return (unsigned char)c < ' ' || c == 0x7F;
}

static char harmless(char c)
{
    if (is_white(c))
        return ' ';
    if (is_control(c) || ((unsigned char)c & 0x80) != 0)
        return '?';
    return c;
}

size_t text_printable(char *dst, size_t size, const char *src, size_t src_len)
{
    static const char dots[] = "...";
    const size_t dots_len = sizeof(dots) - 1;
    size_t n = 0;

    assert(size > dots_len);
    for (size_t i = 0; i < src_len; i++) {
        if (i > 0 && is_white(src[i]) && is_white(src[i - 1]))
            continue;
        if (n == size - 1) {
            n -= dots_len;
            memcpy(dst + n, dots, dots_len);
            n += dots_len;
            break;
        }
        dst[n++] = harmless(src[i]);
    }
    dst[n] = '\0';
    return n;
}

/* What a cache holds is looked at for every mail. */
bool text_is_clean(const char *text, size_t len)
{
    uint64_t found = 0;
    uint64_t word;
    size_t at = 0;
    for (; len - at >= sizeof word; at += sizeof word) {
        memcpy(&word, text + at, sizeof word);
        found |= text_controls_in(word);
    }
    for (; at < len; at++)
        found |= is_control(text[at]);
    return found == 0;
}

void text_duration(int64_t seconds, char *text, size_t size)
{
    long long s = seconds;

    if (s < 60)
        (void)snprintf(text, size, "%lld s", s);
    else if (s < 3600)
        (void)snprintf(text, size, "%lld min %lld s", s / 60, s % 60);
    else if (s < 86400)
        (void)snprintf(text, size, "%lld h %lld min", s / 3600, s % 3600 / 60);
    else
        (void)snprintf(text, size, "%lld d %lld h", s / 86400, s % 86400 / 3600);
}
