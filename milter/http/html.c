/* SPDX-License-Identifier: BSD-2-Clause */
/* html: text becomes HTML; see html.h. UTF-8 is that of RFC 3629, the rest of Unicode's shapes are
 * looked up in a table of what must be named. */
#include "config.h"

#include "http/html.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "base/utf8.h"

enum { NO_CHARACTER = 0xFFFD };

/* --- UTF-8 ------------------------------------------------------------------ */

/* The character that a text begins with, and its octets, which are not beyond its NUL. */
static uint32_t next_character(const char *text, unsigned *taken)
{
    static const unsigned char masks[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    const size_t len = utf8_length(text, strnlen(text, UTF8_LENGTH_MAX));
    uint32_t character = (unsigned char)text[0] & masks[len];

    *taken = len > 0 ? (unsigned)len : 1;
    for (size_t i = 1; i < len; i++)
        character = character << 6 | ((unsigned char)text[i] & 0x3F);
    return len > 0 ? character : NO_CHARACTER;
}

/* --- Characters ------------------------------------------------------------- */

/* What is seen as nothing, or makes others be seen elsewhere. */
static bool is_hidden(uint32_t character)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {{0x00, 0x1F},       {0x7F, 0x9F},       {0xAD, 0xAD},      {0x34F, 0x34F},
                  {0x61C, 0x61C},     {0x115F, 0x1160},   {0x17B4, 0x17B5},  {0x180B, 0x180F},
                  {0x200B, 0x200F},   {0x2028, 0x202E},   {0x2060, 0x206F},  {0x3164, 0x3164},
                  {0xFE00, 0xFE0F},   {0xFEFF, 0xFEFF},   {0xFFA0, 0xFFA0},  {0xFFF0, 0xFFFB},
                  {0x1BCA0, 0x1BCA3}, {0x1D173, 0x1D17A}, {0xE0000, 0xE0FFF}};

    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        if (character >= ranges[i].first && character <= ranges[i].last)
            return true;
    return (character & 0xFFFE) == 0xFFFE || (character >= 0xFDD0 && character <= 0xFDEF);
}

/* "&lt;"; NULL: it stands for itself. */
static const char *reference(uint32_t character)
{
    switch (character) {
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '&':
        return "&amp;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    case NO_CHARACTER:
        return "\xEF\xBF\xBD";
    default:
        return NULL;
    }
}

static void write_octets(FILE *out, const char *octets, unsigned count)
{
    (void)fwrite(octets, 1, count, out);
}

void html_text(FILE *out, const char *text)
{
    unsigned taken;

    for (; *text != '\0'; text += taken) {
        const uint32_t character = next_character(text, &taken);
        const char *named = reference(character);

        if (named != NULL)
            (void)fputs(named, out);
        else if (is_hidden(character))
            (void)fprintf(out, "<span class=\"mark\">U+%04" PRIX32 "</span>", character);
        else
            write_octets(out, text, taken);
    }
}

void html_stranger(FILE *out, const char *text)
{
    html_markup(out, "<bdi dir=\"ltr\">");
    html_text(out, text);
    html_markup(out, "</bdi>");
}

void html_element(FILE *out, const char *tag, const char *class, const char *text)
{
    (void)fprintf(out, class != NULL ? "<%s class=\"%s\">" : "<%s>", tag, class);
    html_text(out, text);
    (void)fprintf(out, "</%s>", tag);
}

/* A control character has no reference in HTML. */
static bool has_reference(uint32_t character)
{
    return character >= 0xA0 && (character & 0xFFFE) != 0xFFFE &&
           (character < 0xFDD0 || character > 0xFDEF);
}

void html_attribute(FILE *out, const char *name, const char *value)
{
    unsigned taken;

    (void)fprintf(out, " %s=\"", name);
    for (; *value != '\0'; value += taken) {
        const uint32_t character = next_character(value, &taken);
        const char *named = reference(character);

        if (named != NULL)
            (void)fputs(named, out);
        else if (!is_hidden(character))
            write_octets(out, value, taken);
        else if (has_reference(character))
            (void)fprintf(out, "&#x%" PRIX32 ";", character);
        else
            (void)fputs(reference(NO_CHARACTER), out);
    }
    (void)fputc('"', out);
}

void html_query(FILE *out, const char *name, const char *value)
{
    (void)fprintf(out, "%s=", name);
    for (; *value != '\0'; value++)
        if (char_is_digit(*value) || char_is_letter(*value) || char_is_in(*value, "-._~@"))
            (void)fputc(*value, out);
        else
            (void)fprintf(out, "%%%02X", (unsigned)(unsigned char)*value);
}

/* --- Numbers and times ------------------------------------------------------ */

void html_number(FILE *out, uint64_t number)
{
    char digits[24];
    const int len = snprintf(digits, sizeof digits, "%" PRIu64, number);

    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            (void)fputc(',', out);
        (void)fputc(digits[i], out);
    }
}

void html_count(FILE *out, uint64_t number, const char *one, const char *many)
{
    html_number(out, number);
    (void)fputc(' ', out);
    html_text(out, number == 1 ? one : many);
}

void html_wait(FILE *out, int64_t wait_ms)
{
    if (wait_ms < 0)
        html_markup(out, "–");
    else if (wait_ms < 1000)
        (void)fprintf(out, wait_ms == 0 ? "0" : "%" PRId64 "&nbsp;ms", wait_ms);
    else if (wait_ms < 10000)
        (void)fprintf(out, "%" PRId64 ".%02" PRId64 "&nbsp;s", wait_ms / 1000, wait_ms % 1000 / 10);
    else
        (void)fprintf(out, "%" PRId64 "&nbsp;s", wait_ms / 1000);
}

void html_span(FILE *out, int64_t seconds)
{
    static const long long minute = 60, hour = 3600, day = 86400;
    const long long s = seconds > 0 ? seconds : 0;

    if (s < minute)
        (void)fprintf(out, "%lld&nbsp;s", s);
    else if (s < hour - minute / 2)
        (void)fprintf(out, "%lld&nbsp;min", (s + minute / 2) / minute);
    else if (s < 2 * day - hour / 2)
        (void)fprintf(out, "%lld&nbsp;h", (s + hour / 2) / hour);
    else
        (void)fprintf(out, "%lld&nbsp;days", (s + day / 2) / day);
}

void html_time(FILE *out, int64_t moment_s, int64_t now_s)
{
    const time_t moment = (time_t)moment_s, now = (time_t)now_s;
    struct tm local, today, utc;
    char machine[32], people[48];

    if (gmtime_r(&moment, &utc) == NULL || localtime_r(&moment, &local) == NULL ||
        localtime_r(&now, &today) == NULL) {
        html_markup(out, "–");
        return;
    }
    (void)strftime(machine, sizeof machine, "%Y-%m-%dT%H:%M:%SZ", &utc);
    (void)strftime(people, sizeof people,
                   local.tm_year == today.tm_year && local.tm_yday == today.tm_yday
                       ? "%H:%M:%S"
                       : "%Y-%m-%d %H:%M:%S",
                   &local);
    (void)fprintf(out, "<time datetime=\"%s\">%s</time>", machine, people);
}
