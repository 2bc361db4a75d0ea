/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * text: bounded copying of text, and making what a stranger said harmless. Pure.
 */
#ifndef RB_BASE_TEXT_H
#define RB_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Copies src (NUL-terminated) to dst of size octets. False, and dst is "", when it does not fit.
 */
bool text_copy(char *dst, size_t size, const char *src);

/*
 * Copies src_len octets so that dst is printable ASCII: control characters, NUL and 8-bit octets
 * become '?' (runs of white space, CR and LF become one space). What does not fit is cut and ends
 * in
 * "...". size must be at least 4. Returns the length of dst.
 */
size_t text_printable(char *dst, size_t size, const char *src, size_t src_len);

/* True when text has none of CR, LF, NUL (within len) and other control characters. */
bool text_is_clean(const char *text, size_t len);

/* "3 d 2 h", "2 h 5 min", "17 s": for people. 40 octets suffice. */
void text_duration(int64_t seconds, char *text, size_t size);

/*
 * Eight characters at once, in any order: not 0 when there is a control character among them. The
 * top bit of the octet of one is set; of octets above it others may be too, for a borrow reaches
 * them.
 */
static inline uint64_t text_controls_in(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const uint64_t tops = ones * 0x80;
    const uint64_t deleted = word ^ (ones * 0x7F);
    return ((word - ones * ' ') & ~word & tops) | ((deleted - ones) & ~deleted & tops);
}

#endif
