/* SPDX-License-Identifier: BSD-2-Clause */
/* assets: the lines of style.css and script.js, each a string: made so, in the build tree, by
 * milter/local.mk. */
#include "config.h"

#include "http/assets.h"

#include <stddef.h>

static const char *const style[] = {
#include <milter/http/style.inc>
};

static const char *const script[] = {
#include <milter/http/script.inc>
};

static unsigned write_lines(FILE *out, const char *const *lines, size_t count)
{
    for (size_t i = 0; i < count; i++)
        (void)fputs(lines[i], out);
    return 200;
}

unsigned assets_style(const struct http_request *request, FILE *out)
{
    (void)request;
    return write_lines(out, style, sizeof style / sizeof style[0]);
}

unsigned assets_script(const struct http_request *request, FILE *out)
{
    (void)request;
    return write_lines(out, script, sizeof script / sizeof script[0]);
}
