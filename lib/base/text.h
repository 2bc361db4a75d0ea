/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * text: bounded copying of text, making what a stranger said harmless, and ASCII without a locale
 * (isalpha(3) and its kin ask it). Pure. Any thread.
 */
#ifndef RB_BASE_TEXT_H
#define RB_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Copies src (NUL-terminated) to dst of size octets. False, and dst is "", when it does not fit. */
bool text_copy(char *dst, size_t size, const char *src);

/* The same for exactly src_len octets, which hold no NUL. */
bool text_copy_part(char *dst, size_t size, const char *src, size_t src_len);

/*
 * Copies src_len octets so that dst is printable ASCII: control characters, NUL and 8-bit octets
 * become '?' (runs of white space, CR and LF become one space). What does not fit is cut and ends
 * in "...". size must be at least 4. Returns the length of dst.
 */
size_t text_printable(char *dst, size_t size, const char *src, size_t src_len);

/* True when text has none of CR, LF, NUL (within len) and other control characters. */
bool text_is_clean(const char *text, size_t len);

/*
 * Reads exactly len octets as a decimal number of at most `most` (not 0): digits alone, and no more
 * of them than `most` has. False, and *number stays as it was: it is none.
 */
bool text_number(const char *text, size_t len, unsigned most, unsigned *number);

enum { MESSAGE_SIZE_DIGITS_MAX = 20 };

/*
 * Reads exactly len octets as the number of octets of a message (RFC 1870: one to twenty digits).
 * 0: it is none, or more than fit.
 */
uint64_t text_message_size(const char *text, size_t len);

/* Makes the ASCII letters of a text small, in place. */
void text_lower(char *text);

static inline bool char_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool char_is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Whether the octet is beyond ASCII: a part of UTF-8, or of what nobody knows. */
static inline bool char_is_8bit(char c)
{
    return ((unsigned char)c & 0x80) != 0;
}

static inline char char_lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

/* Whether c is one of the characters in `set`; a NUL is in none. */
static inline bool char_is_in(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

/* Whether the first octets are the same; the upper and lower case of ASCII letters are. */
static inline bool text_same_letters(const char *one, const char *other, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (char_lower(one[i]) != char_lower(other[i]))
            return false;
    return true;
}

/* "3 d 2 h", "2 h 5 min", "17 s": for people. 40 octets suffice. */
void text_duration(int64_t seconds, char *text, size_t size);

/*
 * Not 0 when one of the eight characters in a word is a control character. It does not say which:
 * the top bit of its octet is set, but a borrow may set those of octets above it too.
 */
static inline uint64_t text_controls_in(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const uint64_t tops = ones * 0x80;
    const uint64_t deleted = word ^ (ones * 0x7F);
    return ((word - ones * ' ') & ~word & tops) | ((deleted - ones) & ~deleted & tops);
}

#endif
