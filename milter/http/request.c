/* SPDX-License-Identifier: BSD-2-Clause */
/* request: see request.h. Decoding is done in place: what comes out is never longer. */
#include "config.h"

#include "http/request.h"

#include <string.h>

#include "base/text.h"
#include "base/utf8.h"

/* --- Decoding ------------------------------------------------------------- */

static int hex_digit(char c)
{
    if (char_is_digit(c))
        return c - '0';
    c = char_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* False: "%" without two digits, a NUL, no UTF-8. */
static bool decode(char *text, bool plus_is_space)
{
    char *out = text;

    for (const char *c = text; *c != '\0'; c++) {
        int octet = (unsigned char)*c;

        if (*c == '%') {
            const int high = hex_digit(c[1]), low = high < 0 ? -1 : hex_digit(c[2]);

            octet = low < 0 ? 0 : high * 16 + low;
            c += 2;
        } else if (*c == '+' && plus_is_space) {
            octet = ' ';
        }
        if (octet == 0)
            return false;
        *out++ = (char)octet;
    }
    *out = '\0';
    return utf8_is_valid(text, strlen(text));
}

/* --- The target ----------------------------------------------------------- */

/* Ends the text at the first octet that is in `set`. Returns what follows that; NULL: none is. */
static char *cut_at(char *text, const char *set)
{
    char *at = strpbrk(text, set);

    if (at == NULL)
        return NULL;
    *at = '\0';
    return at + 1;
}

static bool add_argument(struct http_request *request, char *text)
{
    char *value = cut_at(text, "=");

    if (request->argument_count == REQUEST_ARGUMENTS_MAX || !decode(text, true) ||
        (value != NULL && !decode(value, true)))
        return false;
    request->arguments[request->argument_count].name = text;
    request->arguments[request->argument_count].value = value != NULL ? value : "";
    request->argument_count++;
    return true;
}

static bool read_query(struct http_request *request, char *query)
{
    char *next;

    for (; query != NULL; query = next) {
        next = cut_at(query, "&");
        if (query[0] != '\0' && !add_argument(request, query))
            return false;
    }
    return true;
}

/* "http://host:port/path": the path begins after the authority, and may be missing. */
static char *read_authority(struct http_request *request)
{
    static const char scheme[] = "http://";
    char *host = request->text + sizeof scheme - 1, *end;

    if (!text_same_letters(request->text, scheme, sizeof scheme - 1))
        return NULL;
    end = host + strcspn(host, "/?");
    if (end == host)
        return NULL;
    /* Moved to the front, over the scheme, so that there is room for its end. */
    memmove(request->text, host, (size_t)(end - host));
    request->text[end - host] = '\0';
    request->authority = request->text;
    return end;
}

bool request_read(struct http_request *request, const char *target)
{
    char *path = request->text, *query;

    request->authority = "";
    request->argument_count = 0;
    if (!text_copy(request->text, sizeof request->text, target))
        return false;
    if (path[0] != '/')
        path = read_authority(request);
    if (path == NULL || strchr(path, '#') != NULL)
        return false;
    query = cut_at(path, "?");
    request->path = path[0] != '\0' ? path : "/";
    return decode(path, false) && read_query(request, query);
}

const char *http_argument(const struct http_request *request, const char *name)
{
    for (size_t i = 0; i < request->argument_count; i++)
        if (strcmp(request->arguments[i].name, name) == 0)
            return request->arguments[i].value;
    return NULL;
}
