/* SPDX-License-Identifier: BSD-2-Clause */
/* reload: `ringback reload`: makes the running daemon read its configuration again. */
#include "config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sysexits.h>

#include "base/control_protocol.h"
#include "base/json.h"
#include "tool/control.h"
#include "tool/say.h"
#include "tool/syntax.h"
#include "tool/tool.h"

struct request {
    const char *config_path, *control;
};

static const struct syntax_option reload_options[] = {
    SYNTAX_CONFIG(struct request), CONTROL_OPTION(struct request), {0}};

static const struct syntax syntax = {
    .name = "reload",
    .options = reload_options,
    .help = "Makes the running daemon read its configuration again, and says whether it took it.\n"
            "Exit status 78: it did not, and goes on with the old one; 69: the daemon cannot be\n"
            "reached.\n",
};

int reload_run(int argc, char **argv)
{
    struct request request = {0};
    char **none;
    int status = syntax_parse(&syntax, argc, argv, &request, &none);
    json_t *object;
    bool taken;

    if (status < 0)
        status = control_check(&syntax, request.config_path, request.control);
    if (status >= 0)
        return status;
    object = control_request(request.control, request.config_path, CONTROL_RELOAD "\n", &status);
    if (object == NULL)
        return status;
    taken = json_is_true(json_object_get(object, "ok"));
    if (taken)
        puts(json_member_text(object, "message"));
    else
        (void)say_line(EX_CONFIG, "refused, the old configuration stays in force: %s",
                       json_member_text(object, "message"));
    json_decref(object);
    return taken ? EX_OK : EX_CONFIG;
}
