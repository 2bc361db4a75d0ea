/* SPDX-License-Identifier: BSD-2-Clause */
/* config: `ringback config`: the effective configuration, in the file's own syntax. */
#include "config.h"

#include <stddef.h>
#include <stdio.h>
#include <sysexits.h>

#include "tool/load.h"
#include "tool/say.h"
#include "tool/syntax.h"
#include "tool/tool.h"

struct request {
    const char *config_path;
};

static const struct syntax_option print_options[] = {SYNTAX_CONFIG(struct request), {0}};

static const struct syntax syntax = {
    .name = "config",
    .options = print_options,
    .help = "Prints the effective configuration, defaults included, in the file's own syntax.\n"
            "Warnings about directives that have no effect go to standard error.\n",
};

int config_run(int argc, char **argv)
{
    struct request request = {0};
    const char *warning;
    struct config *config;
    char **arguments;
    int status = syntax_parse(&syntax, argc, argv, &request, &arguments);

    if (status >= 0)
        return status;
    status = load_config(request.config_path, CONFIG_TO_PRINT, &config);
    if (status != EX_OK)
        return status;
    for (size_t i = 0; (warning = config_warnings(config, i)) != NULL; i++)
        (void)say_line(EX_OK, "warning: %s", warning);
    config_print(config, stdout);
    config_put(config);
    return fflush(stdout) == 0 && !ferror(stdout) ? EX_OK : EX_IOERR;
}
