/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * text: bounded copying of text, and making what a stranger said harmless. Pure.
 */
#ifndef RB_TEXT_H
#define RB_TEXT_H

#include <stdbool.h>
#include <stddef.h>

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

#endif
