/* SPDX-License-Identifier: BSD-2-Clause */
/* classify_codes: see classify_codes.h. */
#include "config.h"

#include "smtp/classify_codes.h"

#include "smtp/classify_words.h"
#include "smtp/span.h"

#include <string.h>

/* "5.1.1" at text: its length, 0 when there is none. */
static size_t enhanced_len(const char *text)
{
    size_t len = 0;

    if ((text[0] != '4' && text[0] != '5') || text[1] != '.')
        return 0;
    for (unsigned part = 0; part < 2; part++) {
        size_t digits = 0;

        len++; /* the class, then the subject */
        if (text[len] != '.')
            return 0;
        while (char_is_digit(text[len + 1 + digits]) && digits < 3)
            digits++;
        if (digits == 0)
            return 0;
        len += digits;
    }
    len++;
    return char_is_digit(text[len]) || text[len] == '.' ? 0 : len;
}

/* "550 5.1.1" within the text is somebody else's, who is quoted. */
static bool is_behind_code(const char *text, size_t at)
{
    return at >= 4 && char_is_digit(text[at - 2]) && char_is_digit(text[at - 3]) &&
           char_is_digit(text[at - 4]) && (at == 4 || !span_is_of_name(text[at - 5]));
}

void codes_enhanced(const struct reply *reply, char enhanced[RB_ENHANCED_MAX + 1])
{
    const char *text = reply->text;

    memcpy(enhanced, reply->enhanced, RB_ENHANCED_MAX + 1);
    if (enhanced[0] != '\0')
        return;
    for (size_t i = 1; i < reply->text_len; i++) {
        size_t len = enhanced_len(text + i);

        if (len == 0 || len > RB_ENHANCED_MAX || text[i] - '0' != reply_class(reply) ||
            (strchr("#(", text[i - 1]) == NULL && !span_is_blank(text[i - 1])) ||
            is_behind_code(text, i))
            continue;
        memcpy(enhanced, text + i, len);
        enhanced[len] = '\0';
        return;
    }
}

/* What may stand in front of a reply within the text. */
static bool introduces(const char *text, size_t at)
{
    while (at > 0 && (text[at - 1] == ' ' || text[at - 1] == '\t'))
        at--;
    return at == 0 || strchr("\n:;(\"'>-", text[at - 1]) != NULL;
}

bool codes_of_quotation(const struct reply *reply, int *code, char enhanced[RB_ENHANCED_MAX + 1],
                        size_t *at)
{
    const char *text = reply->text;

    for (size_t i = 0; i + 3 < reply->text_len && i < TEXT_OCTETS_MAX; i++) {
        size_t len;

        if ((text[i] != '4' && text[i] != '5') || !char_is_digit(text[i + 1]) ||
            !char_is_digit(text[i + 2]) || (text[i + 3] != ' ' && text[i + 3] != '-') ||
            (i > 0 && (span_is_of_name(text[i - 1]) || text[i - 1] == '.')) || !introduces(text, i))
            continue;
        *code = (text[i] - '0') * 100 + (text[i + 1] - '0') * 10 + (text[i + 2] - '0');
        *at = i + 4 + strspn(text + i + 4, " #\"");
        len = enhanced_len(text + *at);
        if (len > RB_ENHANCED_MAX || text[*at] != text[i])
            len = 0;
        memcpy(enhanced, text + *at, len);
        enhanced[len] = '\0';
        *at += len;
        return true;
    }
    return false;
}

bool codes_fit(const char *enhanced, const char *list)
{
    const char *tail = enhanced[0] != '\0' ? enhanced + 1 : ""; /* ".1.1" */

    for (;;) {
        size_t len = strcspn(list, "|");
        struct span pattern = {list, len};

        if (len == 0 ? enhanced[0] == '\0'
                     : enhanced[0] != '\0' &&
                           span_fits(tail, (struct span){pattern.at + 1, pattern.len - 1}))
            return true;
        if (list[len] == '\0')
            return false;
        list += len + 1;
    }
}
