/* SPDX-License-Identifier: BSD-2-Clause */
/* load: see load.h. */
#include "config.h"

#include "tool/load.h"

#include <errno.h>
#include <sysexits.h>
#include <unistd.h>

#include "tool/say.h"

static const char default_path[] = SYSCONFDIR "/ringback/ringback.conf";

/* All of it where that is right; else, with a warning, what is needed. */
static enum rb_error load_part(const char *path, enum config_scope scope, struct config **config,
                               char error[CONFIG_ERROR_SIZE])
{
    char wrong[CONFIG_ERROR_SIZE];
    enum config_scope all = scope == CONFIG_CALLOUTS ? CONFIG_WHOLE : CONFIG_TO_PRINT;
    enum rb_error result;

    if (config_load_scope(path, all, config, wrong, sizeof wrong) == RB_OK)
        return RB_OK;
    result = config_load_scope(path, scope, config, error, CONFIG_ERROR_SIZE);
    if (result == RB_OK)
        (void)say_line(EX_OK, "warning: %s; going on, it is not needed here", wrong);
    return result;
}

static enum rb_error load_scope(const char *path, enum config_scope scope, struct config **config,
                                char error[CONFIG_ERROR_SIZE])
{
    switch (scope) {
    case CONFIG_CALLOUTS:
    case CONFIG_CACHE:
    case CONFIG_RESOLVERS:
        return load_part(path, scope, config, error);
    default: /* all of it; or `control` alone, which is soon read */
        return config_load_scope(path, scope, config, error, CONFIG_ERROR_SIZE);
    }
}

int load_config(const char *path, enum config_scope scope, struct config **config)
{
    char error[CONFIG_ERROR_SIZE];

    if (path == NULL && access(default_path, F_OK) != 0 && errno == ENOENT)
        return config_load_scope(NULL, scope, config, error, sizeof error) == RB_OK
                   ? EX_OK
                   : say_line(EX_OSERR, "out of memory");
    if (load_scope(path != NULL ? path : default_path, scope, config, error) == RB_OK)
        return EX_OK;
    return say_line(EX_CONFIG, "%s", error);
}
