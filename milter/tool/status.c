/* SPDX-License-Identifier: BSD-2-Clause */
/* status: `ringback status`: how the running daemon is. */
#include "config.h"

#include <stddef.h>
#include <stdio.h>
#include <sysexits.h>

#include "base/control_protocol.h"
#include "base/json.h"
#include "base/text.h"
#include "tool/control.h"
#include "tool/say.h"
#include "tool/syntax.h"
#include "tool/tool.h"

/* --- Showing -------------------------------------------------------------- */

static json_int_t number(json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
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

        text_duration(number(host, "held_s"), held, sizeof held);
        printf("%-12s%s for %s more (%s, %" JSON_INTEGER_FORMAT " failures)\n", "",
               json_member_text(host, "ip"), held, json_member_text(host, "reason"),
               number(host, "failures"));
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

        text_duration(number(entry, "held_s"), held, sizeof held);
        printf("%-12s%s is being forged in bulk: left alone for %s more\n", "",
               json_member_text(entry, "domain"), held);
    }
    printf("%-12s%" JSON_INTEGER_FORMAT "\n", "rates used", number(limits, "rates_used_up_count"));
    json_array_foreach(json_object_get(limits, "rates_used_up"), i, entry)
        printf("%-12s%s %s\n", "", json_member_text(entry, "rate"), json_member_text(entry, "of"));
}

static void print_identity(json_t *status)
{
    json_t *warnings = json_object_get(status, "identity_warnings"), *warning;
    size_t i;

    printf("%-12s%s%s\n", "hostname", json_member_text(status, "hostname"),
           json_is_null(warnings)           ? ", not looked at yet"
           : json_array_size(warnings) == 0 ? ", as DNS has it"
                                            : "");
    json_array_foreach(warnings, i, warning)
        printf("%-12s%s\n", "  warning", json_string_value(warning));
}

/* Nothing where nobody has asked, as they cannot where it is off. */
static void print_connect_back(json_t *connect_back)
{
    json_t *answered = json_object_get(connect_back, "answered"), *count;
    json_int_t sum = 0;
    const char *word;

    json_object_foreach(answered, word, count) sum += json_integer_value(count);
    if (sum == 0)
        return;
    print_counts("answered", answered);
    printf("%-12s%" JSON_INTEGER_FORMAT " over a rate\n", "",
           number(connect_back, "answers_limited"));
}

static void print_status(json_t *status)
{
    json_t *sessions = json_object_get(status, "sessions");
    json_t *callouts = json_object_get(status, "callouts");
    json_t *cache = json_object_get(status, "cache");
    json_t *verdicts = json_object_get(status, "verdicts"), *counts;
    char uptime[64];
    const char *verdict;

    text_duration(number(status, "uptime_s"), uptime, sizeof uptime);
    printf("%-12s%s, pid %" JSON_INTEGER_FORMAT ", up %s%s\n", "ringback",
           json_member_text(status, "version"), number(status, "pid"), uptime,
           json_is_true(json_object_get(status, "dry_run")) ? ", dry run" : "");
    printf("%-12s%s\n", "config", json_member_text(status, "config"));
    print_identity(status);
    printf("%-12s%" JSON_INTEGER_FORMAT " open, %" JSON_INTEGER_FORMAT " in all\n", "sessions",
           number(sessions, "open"), number(sessions, "total"));
    printf("%-12s%" JSON_INTEGER_FORMAT " running, %" JSON_INTEGER_FORMAT
           " of them held, %" JSON_INTEGER_FORMAT " kept open, %" JSON_INTEGER_FORMAT
           " waiting, %" JSON_INTEGER_FORMAT " in all, %" JSON_INTEGER_FORMAT
           " connections, %" JSON_INTEGER_FORMAT " joined, %" JSON_INTEGER_FORMAT
           " refused as busy, %" JSON_INTEGER_FORMAT " as over a limit, %" JSON_INTEGER_FORMAT
           " by SPF fail, %" JSON_INTEGER_FORMAT " by SPF softfail, %" JSON_INTEGER_FORMAT
           " as not vouched for\n",
           "callouts", number(callouts, "running"), number(callouts, "held"),
           number(callouts, "resting"), number(callouts, "pending"), number(callouts, "total"),
           number(callouts, "connections"), number(callouts, "coalesced"), number(callouts, "busy"),
           number(callouts, "limited"), number(callouts, "spf_fail"),
           number(callouts, "spf_softfail"), number(callouts, "not_vouched"));
    print_counts("  results", json_object_get(callouts, "results"));
    printf("%-12s%" JSON_INTEGER_FORMAT " scheduled\n", "retries",
           number(status, "retries_scheduled"));
    json_object_foreach(verdicts, verdict, counts) print_counts(verdict, counts);
    print_counts("actions", json_object_get(status, "actions"));
    print_counts("skipped", json_object_get(status, "skipped"));
    print_counts("vouched", json_object_get(status, "vouched"));
    print_counts("clients", json_object_get(json_object_get(status, "connect_back"), "results"));
    print_connect_back(json_object_get(status, "connect_back"));
    print_counts("cache", cache);
    print_hosts(json_object_get(status, "limits"));
    print_limits(json_object_get(status, "limits"));
}

/* --- The verb ------------------------------------------------------------- */

struct request {
    const char *config_path, *control;
    bool json;
};

static const struct syntax_option status_options[] = {
    SYNTAX_CONFIG(struct request),
    CONTROL_OPTION(struct request),
    {.name = "json", SYNTAX_SETS(struct request, json, SYNTAX_FLAG), .help = "one JSON object"},
    {0}};

static const struct syntax syntax = {
    .name = "status",
    .options = status_options,
    .help = "Asks the running daemon: uptime, sessions, callouts under way, counts of verdicts,\n"
            "the cache, limits and hosts now held back.\n"
            "Exit status 69: the daemon cannot be reached.\n",
};

int status_run(int argc, char **argv)
{
    struct request request = {0};
    char **none;
    int status = syntax_parse(&syntax, argc, argv, &request, &none);
    json_t *object;

    if (status < 0)
        status = control_check(&syntax, request.config_path, request.control);
    if (status >= 0)
        return status;
    object = control_request(request.control, request.config_path, CONTROL_STATUS "\n", &status);
    if (object == NULL)
        return status;
    if (request.json) {
        say_json(object);
    } else {
        print_status(object);
        json_decref(object);
    }
    return EX_OK;
}
