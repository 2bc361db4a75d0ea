/* SPDX-License-Identifier: BSD-2-Clause */
/* utf8_oracle: UTF-8 by RFC 3629's grammar, row by row: otherwise than the code that is tried. */
#ifndef RB_FUZZ_UTF8_ORACLE_H
#define RB_FUZZ_UTF8_ORACLE_H

#include <stddef.h>

/* Octets of the character that a text in NUL begins with; 0: it is none. */
static inline size_t oracle_utf8_length(const unsigned char *s)
{
    static const struct {
        unsigned char first, last, low, high; /* the lead, and what may be second */
        size_t more;
    } rows[] = {{0xC2, 0xDF, 0x80, 0xBF, 1}, {0xE0, 0xE0, 0xA0, 0xBF, 2},
                {0xE1, 0xEC, 0x80, 0xBF, 2}, {0xED, 0xED, 0x80, 0x9F, 2},
                {0xEE, 0xEF, 0x80, 0xBF, 2}, {0xF0, 0xF0, 0x90, 0xBF, 3},
                {0xF1, 0xF3, 0x80, 0xBF, 3}, {0xF4, 0xF4, 0x80, 0x8F, 3}};

    if (s[0] < 0x80)
        return 1;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (s[0] < rows[i].first || s[0] > rows[i].last)
            continue;
        if (s[1] < rows[i].low || s[1] > rows[i].high)
            return 0;
        for (size_t at = 2; at <= rows[i].more; at++)
            if ((s[at] & 0xC0) != 0x80)
                return 0;
        return rows[i].more + 1;
    }
    return 0;
}

#endif
