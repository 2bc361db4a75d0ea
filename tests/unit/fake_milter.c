/* SPDX-License-Identifier: BSD-2-Clause */
/* fake_milter: see the header. It must not know what the tests are about. */
#include "config.h"

#include "fake_milter.h"

#include <string.h>

static struct smfiDesc registered;

const struct smfiDesc *fake_milter_filter(void)
{
    return &registered;
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
    (void)context;
    (void)where;
    (void)macros;
    return MI_SUCCESS;
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
    return strcmp(name, "i") == 0 ? context->queue_id : NULL;
}

int smfi_setreply(SMFICTX *context, char *code, char *enhanced, char *text)
{
    (void)enhanced;
    (void)text;
    memcpy(context->code, code, sizeof context->code);
    return MI_SUCCESS;
}

int smfi_progress(SMFICTX *context)
{
    (void)context;
    return MI_SUCCESS;
}

int smfi_chgheader(SMFICTX *context, char *name, int index, char *value)
{
    (void)name;
    (void)index;
    (void)value;
    context->changed++;
    return MI_SUCCESS;
}

int smfi_insheader(SMFICTX *context, int index, char *name, char *value)
{
    (void)index;
    (void)name;
    (void)value;
    context->inserted++;
    return MI_SUCCESS;
}

int smfi_quarantine(SMFICTX *context, char *reason)
{
    (void)reason;
    context->quarantined++;
    return MI_SUCCESS;
}

/* NOLINTEND(readability-non-const-parameter) */
