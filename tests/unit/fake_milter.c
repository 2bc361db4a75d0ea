/* SPDX-License-Identifier: BSD-2-Clause */
/* fake_milter: see the header. It must not know what the tests are about. */
#include "config.h"

#include "fake_milter.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct smfiDesc registered;

const struct smfiDesc *fake_milter_filter(void)
{
    return &registered;
}

unsigned fake_milter_count(const struct smfi_str *context, const char *beginning)
{
    unsigned count = 0;

    for (const char *line = context->calls; *line != '\0'; line = strchr(line, '\n') + 1)
        count += strncmp(line, beginning, strlen(beginning)) == 0;
    return count;
}

void fake_milter_forget(struct smfi_str *context)
{
    context->calls[0] = '\0';
    context->calls_len = 0;
}

static int note(SMFICTX *context, const char *call, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Keeps a line; the call's result. */
static int note(SMFICTX *context, const char *call, const char *format, ...)
{
    const size_t room = sizeof context->calls - context->calls_len;
    char *end = context->calls + context->calls_len;
    va_list arguments;
    int len = snprintf(end, room, "%s", call), more;

    va_start(arguments, format);
    more = vsnprintf(end + len, room - (size_t)len, format, arguments);
    va_end(arguments);
    if (more < 0 || (size_t)(len + more) + 2 > room)
        abort(); /* a test that lost calls would prove nothing */
    memcpy(end + len + more, "\n", 2);
    context->calls_len += (size_t)(len + more) + 1;
    return context->fail != NULL && strcmp(context->fail, call) == 0 ? MI_FAILURE : MI_SUCCESS;
}

/* NOLINTBEGIN(readability-non-const-parameter): libmilter's types */

int smfi_register(struct smfiDesc filter)
{
    registered = filter;
    return MI_SUCCESS;
}

int smfi_setconn(char *connection)
{
    (void)connection;
    return MI_SUCCESS;
}

int smfi_setsymlist(SMFICTX *context, int where, char *macros)
{
    return note(context, "setsymlist", " %d %s", where, macros);
}

int smfi_setpriv(SMFICTX *context, void *kept)
{
    context->kept = kept;
    return MI_SUCCESS;
}

void *smfi_getpriv(SMFICTX *context)
{
    return context->kept;
}

char *smfi_getsymval(SMFICTX *context, char *name)
{
    if (strcmp(name, "i") == 0)
        return context->queue_id;
    for (const struct fake_milter_macro *each = context->macros; each->name != NULL; each++)
        if (strcmp(name, each->name) == 0)
            return each->value;
    return strcmp(name, "{auth_authen}") == 0 ? context->user : NULL;
}

int smfi_setreply(SMFICTX *context, char *code, char *enhanced, char *text)
{
    return note(context, "setreply", " %s %s %s", code, enhanced, text);
}

int smfi_progress(SMFICTX *context)
{
    return note(context, "progress", "%s", "");
}

int smfi_chgheader(SMFICTX *context, char *name, int index, char *value)
{
    return note(context, "chgheader", " %d %s%s%s", index, name, value != NULL ? ": " : "",
                value != NULL ? value : "");
}

int smfi_insheader(SMFICTX *context, int index, char *name, char *value)
{
    return note(context, "insheader", " %d %s: %s", index, name, value);
}

int smfi_quarantine(SMFICTX *context, char *reason)
{
    return note(context, "quarantine", " %s", reason);
}

/* NOLINTEND(readability-non-const-parameter) */
