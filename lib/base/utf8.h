/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * utf8: where characters of UTF-8 end, and what is none (RFC 3629 4: no overlong forms, no
 * surrogates, nothing over U+10FFFF). Pure. Any thread.
 */
#ifndef RB_BASE_UTF8_H
#define RB_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

enum { UTF8_LENGTH_MAX = 4 /* octets of a character */ };

/* Octets of the character that s, of len octets (not 0), begins with; 0: it is none. */
size_t utf8_length(const char *s, size_t len);

/* Whether all of it is characters of UTF-8. */
bool utf8_is_valid(const char *text, size_t len);

#endif
