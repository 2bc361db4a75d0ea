/* SPDX-License-Identifier: BSD-2-Clause */
/* say: see say.h. */
#include "config.h"

#include "tool/say.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

int say_line(int status, const char *format, ...)
{
    va_list args;

    (void)fputs("ringback: ", stderr);
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputc('\n', stderr);
    return status;
}

int say_help(const char *text, bool asked_for)
{
    (void)fputs(text, asked_for ? stdout : stderr);
    return asked_for ? EX_OK : EX_USAGE;
}

const char *say_hint(int error)
{
    switch (error) {
    case EACCES:
    case EPERM:
        return ": that is for root, and for members of the group " RINGBACK_USER
               " (or of the daemon's user)";
    case ENOENT:
        return ": nothing was kept there yet, or cache.store says another place than the daemon's";
    default:
        return "";
    }
}

void say_json(json_t *object)
{
    char *text = object != NULL ? json_dumps(object, JSON_COMPACT) : NULL;

    if (text != NULL)
        puts(text);
    else
        (void)say_line(EX_OSERR, "out of memory");
    free(text);
    json_decref(object);
}
