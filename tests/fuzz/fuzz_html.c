/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Text in pages: whatever it is, it opens no tag and ends no attribute, has no control character
 * and no octet that is no UTF-8; and a query decodes to what it was made of. Input: the text.
 */
#include "config.h"

#include "fuzz.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "http/html.h"
#include "utf8_oracle.h"

const char fuzz_name[] = "html";

typedef void writer(FILE *out, const char *text);

/* The caller's (free). */
static char *write_by(writer *write, const char *text, size_t *len)
{
    char *written = NULL;
    FILE *out = open_memstream(&written, len);

    HOLDS(out != NULL);
    write(out, text);
    HOLDS(fclose(out) == 0);
    HOLDS(strlen(written) == *len);
    return written;
}

static void write_value(FILE *out, const char *text)
{
    html_attribute(out, "value", text);
}

static void write_query(FILE *out, const char *text)
{
    html_query(out, "address", text);
}

static void is_clean(const char *written)
{
    const unsigned char *s = (const unsigned char *)written;

    for (size_t len; *s != '\0'; s += len) {
        len = oracle_utf8_length(s);
        HOLDS(len > 0);
        HOLDS(*s >= ' ' && *s != 0x7F);
        HOLDS(!(s[0] == 0xC2 && s[1] < 0xA0)); /* C1 */
    }
}

/* The name of a hidden character: the one tag there is, with digits alone in it. */
static size_t mark_length(const char *written)
{
    static const char begin[] = "<span class=\"mark\">U+", end[] = "</span>";
    size_t len = strlen(begin), digits;

    if (strncmp(written, begin, len) != 0)
        return 0;
    digits = strspn(written + len, "0123456789ABCDEF");
    HOLDS(digits >= 4 && digits <= 6);
    len += digits;
    return strncmp(written + len, end, strlen(end)) == 0 ? len + strlen(end) : 0;
}

static size_t reference_length(const char *written)
{
    static const char *const references[] = {"&lt;", "&gt;", "&amp;", "&quot;", "&#39;"};

    for (size_t i = 0; i < sizeof references / sizeof references[0]; i++)
        if (strncmp(written, references[i], strlen(references[i])) == 0)
            return strlen(references[i]);
    return 0;
}

static void check_text(const char *text)
{
    size_t size, len;
    char *written = write_by(html_text, text, &size);

    is_clean(written);
    for (const char *s = written; *s != '\0'; s += len) {
        len = 1;
        if (*s == '<')
            len = mark_length(s);
        else if (*s == '&')
            len = reference_length(s);
        HOLDS(len > 0);
        HOLDS(*s != '>' && *s != '"' && *s != '\'');
    }
    HOLDS(strstr(written, "\xE2\x80\xAE") == NULL); /* U+202E */
    free(written);
}

static void check_attribute(const char *text)
{
    static const char begin[] = " value=\"";
    size_t size;
    char *written = write_by(write_value, text, &size);

    is_clean(written);
    HOLDS(strncmp(written, begin, strlen(begin)) == 0);
    HOLDS(strcspn(written + strlen(begin), "\"<>'") == size - strlen(begin) - 1);
    HOLDS(written[size - 1] == '"');
    free(written);
}

static void check_query(const char *text)
{
    size_t size;
    char *written = write_by(write_query, text, &size);
    const char *s = written + strlen("address=");

    HOLDS(strncmp(written, "address=", strlen("address=")) == 0);
    for (; *text != '\0'; text++) {
        unsigned octet = (unsigned char)*s;

        HOLDS(strchr("&\"<>'+# ", *s) == NULL);
        if (*s == '%')
            HOLDS(sscanf(s + 1, "%2X", &octet) == 1);
        HOLDS(octet == (unsigned char)*text);
        s += *s == '%' ? 3 : 1;
    }
    HOLDS(*s == '\0');
    free(written);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    HOLDS(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    check_text(text);
    check_attribute(text);
    check_query(text);
    free(text);
    return 0;
}
