/* SPDX-License-Identifier: BSD-2-Clause */
/* utf8: see utf8.h. */
#include "config.h"

#include "base/utf8.h"

/* Octets of a UTF-8 character by its first one; 0 where none begins so. */
static size_t octets_by_lead(unsigned char lead)
{
    if (lead < 0x80)
        return 1;
    if (lead >= 0xC2 && lead <= 0xDF)
        return 2;
    if (lead >= 0xE0 && lead <= 0xEF)
        return 3;
    return lead >= 0xF0 && lead <= 0xF4 ? 4 : 0;
}

size_t utf8_length(const char *s, size_t len)
{
    const unsigned char *octets = (const unsigned char *)s;
    const size_t need = octets_by_lead(octets[0]);
    unsigned char second_min = 0x80;
    unsigned char second_max = 0xBF;

    if (need < 2 || need > len)
        return need > len ? 0 : need;
    if (octets[0] == 0xE0)
        second_min = 0xA0;
    else if (octets[0] == 0xED)
        second_max = 0x9F;
    else if (octets[0] == 0xF0)
        second_min = 0x90;
    else if (octets[0] == 0xF4)
        second_max = 0x8F;
    if (octets[1] < second_min || octets[1] > second_max)
        return 0;
    for (size_t i = 2; i < need; i++) {
        if (octets[i] < 0x80 || octets[i] > 0xBF)
            return 0;
    }
    return need;
}

bool utf8_is_valid(const char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        const size_t octets = utf8_length(text + i, len - i);
        if (octets == 0)
            return false;
        i += octets;
    }
    return true;
}
