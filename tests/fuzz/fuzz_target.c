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
#include "utf8_oracle.h"

const char fuzz_name[] = "target";

static bool is_within(const struct http_request *request, const char *text)
{
    return text >= request->text && text + strlen(text) < request->text + sizeof request->text;
}

static void is_fine(const char *text)
{
    const unsigned char *s = (const unsigned char *)text;

    for (size_t len; *s != '\0'; s += len) {
        len = oracle_utf8_length(s);
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
