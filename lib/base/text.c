/* SPDX-License-Identifier: BSD-2-Clause */
/* text: see the header. It must not know what a text is about. */
#include "config.h"

#include "base/text.h"

#include <assert.h>
#include <stdio.h>

bool text_copy(char *dst, size_t size, const char *src)
{
    return text_copy_part(dst, size, src, strlen(src));
}

bool text_copy_part(char *dst, size_t size, const char *src, size_t src_len)
{
    const bool fits = src_len < size;

    if (fits)
        memcpy(dst, src, src_len);
    if (size > 0)
        dst[fits ? src_len : 0] = '\0';
    return fits;
}

static bool is_white(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_control(char c)
{
    return (unsigned char)c < ' ' || c == 0x7F;
}

static char made_harmless(char c)
{
    if (is_white(c))
        return ' ';
    if (is_control(c) || char_is_8bit(c))
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
        dst[n++] = made_harmless(src[i]);
    }
    dst[n] = '\0';
    return n;
}

/* Eight octets at a time: what a cache holds is checked for every mail. */
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

bool text_number(const char *text, size_t len, unsigned most, unsigned *number)
{
    uint64_t value = 0;
    unsigned room = most;

    for (size_t i = 0; i < len; i++, room /= 10) {
        if (room == 0 || !char_is_digit(text[i]))
            return false;
        value = value * 10 + (unsigned)(text[i] - '0');
    }
    if (len == 0 || value > most)
        return false;
    *number = (unsigned)value;
    return true;
}

uint64_t text_message_size(const char *text, size_t len)
{
    uint64_t value = 0;

    for (size_t i = 0; i < len; i++) {
        const unsigned digit = (unsigned)(text[i] - '0');

        if (i == MESSAGE_SIZE_DIGITS_MAX || !char_is_digit(text[i]) ||
            value > (UINT64_MAX - digit) / 10)
            return 0;
        value = value * 10 + digit;
    }
    return value;
}

void text_lower(char *text)
{
    for (; *text != '\0'; text++)
        *text = char_lower(*text);
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
