/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Targets of HTTP requests: what is taken is a path and arguments, all of them UTF-8 that has no
 * NUL, within the request's own text. Input: the target.
 */
#include "config.h"

#include "fuzz.h"

#include <stdbool.h>
#include <string.h>

#include "http/request.h"

const char fuzz_name[] = "target";

/* By RFC 3629's grammar, otherwise than the code that is tried. */
static size_t utf8_len(const unsigned char *s)
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

static bool is_within(const struct http_request *request, const char *text)
{
    return text >= request->text && text + strlen(text) < request->text + sizeof request->text;
}

static void is_fine(const char *text)
{
    const unsigned char *s = (const unsigned char *)text;

    for (size_t len; *s != '\0'; s += len) {
        len = utf8_len(s);
        HOLDS(len > 0);
    }
}

static void check(const struct http_request *request, const char *target)
{
    HOLDS(strlen(target) <= REQUEST_TARGET_MAX);
    HOLDS(is_within(request, request->path) || strcmp(request->path, "/") == 0);
    is_fine(request->path);
    HOLDS(strlen(request->path) <= strlen(target));
    HOLDS((target[0] == '/') == (request->authority[0] == '\0'));
    HOLDS(strpbrk(request->authority, "/?") == NULL);
    HOLDS(request->argument_count <= REQUEST_ARGUMENTS_MAX);
    for (size_t i = 0; i < request->argument_count; i++) {
        HOLDS(is_within(request, request->arguments[i].name));
        is_fine(request->arguments[i].name);
        is_fine(request->arguments[i].value);
        HOLDS(http_argument(request, request->arguments[i].name) != NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *target = malloc(size + 1);
    struct http_request *request = malloc(sizeof *request);

    HOLDS(target != NULL && request != NULL);
    if (size > 0)
        memcpy(target, data, size);
    target[size] = '\0';
    if (request_read(request, target))
        check(request, target);
    free(request);
    free(target);
    return 0;
}
