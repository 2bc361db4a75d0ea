/* SPDX-License-Identifier: BSD-2-Clause */
/* tool_control: `ringback status` and `ringback reload`: asking the running daemon at its control
 * socket. */
#include "config.h"

#include "tool.h"
#include "tool_syntax.h"

#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

enum { ANSWER_MAX = 4 * 1024 * 1024, ANSWER_WAIT_S = 30 };

/* --- Asking --------------------------------------------------------------- */

static int connect_to(const char *path)
{
    const struct timeval limit = {.tv_sec = ANSWER_WAIT_S};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd, saved;

    if (!text_copy(address.sun_path, sizeof address.sun_path, path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

/* All there is until the end, terminated; NULL: nothing came, or too much. The caller's. */
static char *read_all(int fd)
{
    size_t len = 0, room = 65536;
    char *text = malloc(room + 1);

    while (text != NULL) {
        ssize_t n = recv(fd, text + len, room - len, 0);
        char *more;

        if (n <= 0)
            break;
        len += (size_t)n;
        if (len < room)
            continue;
        room *= 2;
        more = room <= ANSWER_MAX ? realloc(text, room + 1) : NULL;
        if (more == NULL) {
            free(text);
            return NULL;
        }
        text = more;
    }
    if (text != NULL)
        text[len] = '\0';
    return text;
}

/* The daemon's answer to a request. NULL, having said why: it cannot be reached. The caller's. */
static json_t *ask(const char *config_path, const char *request, int *status)
{
    struct config *config;
    json_t *object = NULL;
    char *text;
    int fd;

    *status = tool_load(config_path, &config);
    if (*status != EX_OK)
        return NULL;
    *status = EX_UNAVAILABLE;
    fd = config->control[0] != '\0' ? connect_to(config->control) : -1;
    if (config->control[0] == '\0') {
        (void)tool_fail(*status, "%s: control is \"\": the daemon listens nowhere for questions",
                        config->path);
    } else if (fd < 0) {
        (void)tool_fail(*status, "the daemon cannot be reached at %s: %s", config->control,
                        strerrordesc_np(errno));
    } else {
        (void)!send(fd, request, strlen(request), MSG_NOSIGNAL);
        text = read_all(fd);
        object = text != NULL ? json_loads(text, 0, NULL) : NULL;
        if (object == NULL)
            (void)tool_fail(*status, "the daemon at %s gave no answer", config->control);
        free(text);
        close(fd);
    }
    config_put(config);
    return object;
}

/* --- Showing -------------------------------------------------------------- */

static json_int_t number(json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

static const char *string(json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text != NULL ? text : "";
}

/* "a 1, b 2" of an object of numbers; "none" where there are none. */
static void print_counts(const char *title, json_t *object)
{
    const char *name;
    json_t *value;
    bool first = true;

    printf("%-12s", title);
    json_object_foreach(object, name, value)
    {
        if (json_integer_value(value) == 0)
            continue;
        printf("%s%s %" JSON_INTEGER_FORMAT, first ? "" : ", ", name, json_integer_value(value));
        first = false;
    }
    puts(first ? "none" : "");
}

static void print_hosts(json_t *limits)
{
    json_t *host;
    size_t i;

    printf("%-12s%" JSON_INTEGER_FORMAT "\n", "held back", number(limits, "hosts_held_back_count"));
    json_array_foreach(json_object_get(limits, "hosts_held_back"), i, host)
    {
        char held[64];

        tool_duration(number(host, "held_s"), held, sizeof held);
        printf("%-12s%s for %s more (%s, %" JSON_INTEGER_FORMAT " failures)\n", "",
               string(host, "ip"), held, string(host, "reason"), number(host, "failures"));
    }
}

static void print_limits(json_t *limits)
{
    json_t *entry;
    size_t i;

    printf("%-12s%" JSON_INTEGER_FORMAT "\n", "shielded", number(limits, "shields_count"));
    json_array_foreach(json_object_get(limits, "shields"), i, entry)
    {
        char held[64];

        tool_duration(number(entry, "held_s"), held, sizeof held);
        printf("%-12s%s is being forged in bulk: left alone for %s more\n", "",
               string(entry, "domain"), held);
    }
    printf("%-12s%" JSON_INTEGER_FORMAT "\n", "rates used", number(limits, "rates_used_up_count"));
    json_array_foreach(json_object_get(limits, "rates_used_up"), i, entry)
        printf("%-12s%s %s\n", "", string(entry, "rate"), string(entry, "of"));
}

static void print_identity(json_t *status)
{
    json_t *warnings = json_object_get(status, "identity_warnings"), *warning;
    size_t i;

    printf("%-12s%s%s\n", "hostname", string(status, "hostname"),
           json_is_null(warnings)           ? ", not looked at yet"
           : json_array_size(warnings) == 0 ? ", as DNS has it"
                                            : "");
    json_array_foreach(warnings, i, warning)
        printf("%-12s%s\n", "  warning", json_string_value(warning));
}

static void print_status(json_t *status)
{
    json_t *sessions = json_object_get(status, "sessions");
    json_t *callouts = json_object_get(status, "callouts");
    json_t *cache = json_object_get(status, "cache");
    json_t *verdicts = json_object_get(status, "verdicts"), *counts;
    char uptime[64];
    const char *verdict;

    tool_duration(number(status, "uptime_s"), uptime, sizeof uptime);
    printf("%-12s%s, pid %" JSON_INTEGER_FORMAT ", up %s%s\n", "ringback",
           string(status, "version"), number(status, "pid"), uptime,
           json_is_true(json_object_get(status, "dry_run")) ? ", dry run" : "");
    printf("%-12s%s\n", "config", string(status, "config"));
    print_identity(status);
    printf("%-12s%" JSON_INTEGER_FORMAT " open, %" JSON_INTEGER_FORMAT " in all\n", "sessions",
           number(sessions, "open"), number(sessions, "total"));
    printf("%-12s%" JSON_INTEGER_FORMAT " running, %" JSON_INTEGER_FORMAT
           " of them held, %" JSON_INTEGER_FORMAT " kept open, %" JSON_INTEGER_FORMAT
           " waiting, %" JSON_INTEGER_FORMAT " in all, %" JSON_INTEGER_FORMAT
           " connections, %" JSON_INTEGER_FORMAT " joined, %" JSON_INTEGER_FORMAT
           " refused as busy, %" JSON_INTEGER_FORMAT " as over a limit, %" JSON_INTEGER_FORMAT
           " by SPF\n",
           "callouts", number(callouts, "running"), number(callouts, "held"),
           number(callouts, "resting"), number(callouts, "pending"), number(callouts, "total"),
           number(callouts, "connections"), number(callouts, "coalesced"), number(callouts, "busy"),
           number(callouts, "limited"), number(callouts, "spf_fail"));
    printf("%-12s%" JSON_INTEGER_FORMAT " scheduled\n", "retries",
           number(status, "retries_scheduled"));
    print_counts("  results", json_object_get(callouts, "results"));
    json_object_foreach(verdicts, verdict, counts) print_counts(verdict, counts);
    print_counts("actions", json_object_get(status, "actions"));
    print_counts("skipped", json_object_get(status, "skipped"));
    print_counts("cache", cache);
    print_hosts(json_object_get(status, "limits"));
    print_limits(json_object_get(status, "limits"));
}

/* --- The verbs ------------------------------------------------------------ */

struct request {
    const char *config_path;
    bool json;
};

static const struct syntax_option status_options[] = {
    SYNTAX_CONFIG(struct request),
    {.name = "json", SYNTAX_SETS(struct request, json, SYNTAX_FLAG), .help = "one JSON object"},
    {0}};

static const struct syntax_option reload_options[] = {SYNTAX_CONFIG(struct request), {0}};

static const struct syntax status_syntax = {
    .name = "status",
    .options = status_options,
    .help = "Asks the running daemon: uptime, sessions, callouts under way, counts of verdicts,\n"
            "the cache, limits and hosts now held back.\n"
            "Exit status 69: the daemon cannot be reached.\n",
};

static const struct syntax reload_syntax = {
    .name = "reload",
    .options = reload_options,
    .help = "Makes the running daemon read its configuration again, and says whether it took it.\n"
            "Exit status 78: it did not, and goes on with the old one; 69: the daemon cannot be\n"
            "reached.\n",
};

int tool_status(int argc, char **argv)
{
    struct request request = {0};
    char **arguments;
    int status = syntax_parse(&status_syntax, argc, argv, &request, &arguments);
    json_t *object;

    if (status >= 0)
        return status;
    object = ask(request.config_path, "status\n", &status);
    if (object == NULL)
        return status;
    if (request.json) {
        tool_print_json(object);
    } else {
        print_status(object);
        json_decref(object);
    }
    return EX_OK;
}

int tool_reload(int argc, char **argv)
{
    struct request request = {0};
    char **arguments;
    int status = syntax_parse(&reload_syntax, argc, argv, &request, &arguments);
    json_t *object;
    bool taken;

    if (status >= 0)
        return status;
    object = ask(request.config_path, "reload\n", &status);
    if (object == NULL)
        return status;
    taken = json_is_true(json_object_get(object, "ok"));
    if (taken)
        puts(string(object, "message"));
    else
        (void)tool_fail(EX_CONFIG, "refused, the old configuration stays in force: %s",
                        string(object, "message"));
    json_decref(object);
    return taken ? EX_OK : EX_CONFIG;
}
