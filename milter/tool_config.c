/* SPDX-License-Identifier: BSD-2-Clause */
/* tool_config: `ringback config`: the effective configuration, in the file's own syntax. */
#include "config.h"

#include "tool.h"

#include <getopt.h>
#include <stdio.h>
#include <sysexits.h>

static const char help[] =
    "usage: ringback config [-c FILE]\n"
    "\n"
    "Prints the effective configuration, defaults included, in the file's own syntax.\n"
    "Warnings about directives that have no effect go to standard error.\n";

int tool_config(int argc, char **argv)
{
    static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {0}};
    const char *path = NULL, *warning;
    struct config *config;
    int option, status;

    while ((option = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
        if (option != 'c')
            return tool_help(help, option == 'h');
        path = optarg;
    }
    if (optind != argc)
        return tool_help(help, false);
    status = tool_load(path, &config);
    if (status != EX_OK)
        return status;
    for (size_t i = 0; (warning = config_warnings(config, i)) != NULL; i++)
        (void)tool_fail(EX_OK, "warning: %s", warning);
    config_print(config, stdout);
    config_put(config);
    return fflush(stdout) == 0 && !ferror(stdout) ? EX_OK : EX_IOERR;
}
