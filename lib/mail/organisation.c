/* SPDX-License-Identifier: BSD-2-Clause */
/* organisation: see the header. The only file that knows libpsl. */
#include "config.h"

#include "mail/organisation.h"

#include <libpsl.h>
#include <pthread.h>
#include <string.h>

#include "base/text.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static const psl_ctx_t *suffixes; /* set once; NULL: none can be had */

static void load(void)
{
    suffixes = psl_latest(NULL); /* the built-in one where there is no file, or only an older one */
    if (suffixes == NULL)
        suffixes = psl_builtin();
}

static bool has_empty_label(const char *name)
{
    return name[0] == '\0' || name[0] == '.' || name[strlen(name) - 1] == '.' ||
           strstr(name, "..") != NULL;
}

/* In lower case, without a dot at its end. False: it is no name. */
static bool read_name(const char *text, char name[RB_DOMAIN_MAX + 1])
{
    size_t len = strnlen(text, RB_DOMAIN_MAX + 2);

    if (len > 0 && text[len - 1] == '.')
        len--;
    if (!text_copy_part(name, RB_DOMAIN_MAX + 1, text, len) || has_empty_label(name))
        return false;
    text_lower(name);
    return true;
}

void organisation_of(const char *name, char organisation[RB_DOMAIN_MAX + 1])
{
    const char *registered;

    if (!read_name(name, organisation)) {
        organisation[0] = '\0';
        return;
    }
    (void)pthread_once(&once, load);
    registered = suffixes != NULL ? psl_registrable_domain(suffixes, organisation) : NULL;
    if (registered != NULL) /* the end of the same text */
        memmove(organisation, registered, strlen(registered) + 1);
}

bool organisation_is_same(const char *name, const char *other)
{
    char one[RB_DOMAIN_MAX + 1], two[RB_DOMAIN_MAX + 1];

    organisation_of(name, one);
    organisation_of(other, two);
    return one[0] != '\0' && strcmp(one, two) == 0;
}
