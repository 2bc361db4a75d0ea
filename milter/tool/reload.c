/* SPDX-License-Identifier: BSD-2-Clause */
/* reload: `ringback reload`: makes the running daemon read its configuration again. */
#include "config.h"

#include <errno.h>
#include <limits.h>
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
    uint64_t process;
};

static const struct syntax_option reload_options[] = {
    SYNTAX_CONFIG(struct request),
    CONTROL_OPTION(struct request),
    {.name = "pid",
     .value = "PID",
     SYNTAX_SETS(struct request, process, SYNTAX_NUMBER),
     .help = "the daemon's process id, for root and its user: needs no control socket"},
    {0}};

static const struct syntax syntax = {
    .name = "reload",
    .options = reload_options,
    .help = "Makes the running daemon read its configuration again, and says whether it took it.\n"
            "Exit status 78: it did not, and goes on with the old one; 69: the daemon cannot be\n"
            "reached.\n",
};

static json_t *ask_process(pid_t process, int *status)
{
    json_t *object = control_ask_process(process, CONTROL_RELOAD "\n");

    *status = EX_UNAVAILABLE;
    if (object == NULL && errno == 0)
        (void)say_line(*status, "process %ld gave no answer: it heeds root and its own user",
                       (long)process);
    else if (object == NULL)
        (void)say_line(*status, "process %ld cannot be reached: is it a running ringback-milter?",
                       (long)process);
    return object;
}

static int check_request(const struct request *request)
{
    if (request->process > 0 && (request->config_path != NULL || request->control != NULL))
        return syntax_fail(&syntax, "--pid goes together with neither -c nor --control");
    if (request->process > INT_MAX)
        return syntax_fail(&syntax, "--pid: a process id is wanted");
    return control_check(&syntax, request->config_path, request->control);
}

int reload_run(int argc, char **argv)
{
    struct request request = {0};
    char **none;
    int status = syntax_parse(&syntax, argc, argv, &request, &none);
    json_t *object;
    bool taken;

    if (status < 0)
        status = check_request(&request);
    if (status >= 0)
        return status;
    object = request.process > 0 ? ask_process((pid_t)request.process, &status)
                                 : control_request(request.control, request.config_path,
                                                   CONTROL_RELOAD "\n", &status);
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
