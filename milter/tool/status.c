/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * status: `ringback status`: how the running daemon is. What an admin asks first stands first: does
 * it refuse anybody, is it asked, what did it decide, how long did clients wait.
 */
#include "config.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/control_protocol.h"
#include "base/json.h"
#include "base/text.h"
#include "tool/control.h"
#include "tool/say.h"
#include "tool/syntax.h"
#include "tool/tool.h"

#define N "%" JSON_INTEGER_FORMAT

/* --- Pieces ------------------------------------------------------------------ */

static json_int_t number(json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

static bool is_true(json_t *object, const char *name)
{
    return json_is_true(json_object_get(object, name));
}

static void print_title(const char *title)
{
    printf("%-12s", title);
}

/* "a 1, b 2" of an object of numbers; "none" where there are none. */
static void print_counts(const char *title, json_t *object)
{
    const char *name;
    json_t *value;
    bool first = true;

    print_title(title);
    json_object_foreach(object, name, value)
    {
        if (json_integer_value(value) == 0)
            continue;
        printf("%s%s " N, first ? "" : ", ", name, json_integer_value(value));
        first = false;
    }
    puts(first ? "none" : "");
}

static json_int_t sum_of(json_t *counts)
{
    json_int_t sum = 0;
    const char *name;
    json_t *value;

    json_object_foreach(counts, name, value) sum += json_integer_value(value);
    return sum;
}

/* "75 %", of nothing "-". */
static void print_share(json_int_t part, json_int_t whole)
{
    if (whole > 0)
        printf(N " %%", (100 * part + whole / 2) / whole);
    else
        printf("-");
}

/* "12 ms", "1.4 s" */
static void print_ms(json_int_t ms)
{
    if (ms < 1000)
        printf(N " ms", ms);
    else
        printf(N "." N " s", ms / 1000, ms % 1000 / 100);
}

/* In the units of the configuration: "48 KB", "1.5 MB". */
static void print_octets(json_int_t octets)
{
    static const char *const units[] = {"octets", "KB", "MB", "GB", "TB"};
    double amount = (double)octets;
    size_t unit = 0;

    for (; amount >= 1024 && unit < sizeof units / sizeof units[0] - 1; unit++)
        amount /= 1024;
    printf("%.*f %s", unit > 0 && amount < 10 ? 1 : 0, amount, units[unit]);
}

static void print_ago(json_int_t seconds)
{
    char text[64];

    text_duration(seconds, text, sizeof text);
    printf("%s ago", text);
}

/* --- What is asked first ------------------------------------------------------- */

static void print_identity(json_t *status)
{
    json_t *warnings = json_object_get(status, "identity_warnings"), *warning;
    size_t i;

    print_title("hostname");
    printf("%s%s\n", json_member_text(status, "hostname"),
           json_is_null(warnings)           ? ", not looked at yet"
           : json_array_size(warnings) == 0 ? ", as DNS has it"
                                            : "");
    json_array_foreach(warnings, i, warning)
    {
        print_title("  warning");
        puts(json_string_value(warning));
    }
}

static void print_daemon(json_t *status)
{
    char uptime[64];

    text_duration(number(status, "uptime_s"), uptime, sizeof uptime);
    print_title("ringback");
    printf("%s, pid " N ", up %s\n", json_member_text(status, "version"), number(status, "pid"),
           uptime);
    print_title("mode");
    puts(is_true(status, "dry_run") ? "dry run: nobody is refused" : "rejecting");
}

/* Sessions: the last of the MTA. */
static void print_mta(json_t *status)
{
    json_t *sessions = json_object_get(status, "sessions");
    json_t *age = json_object_get(sessions, "last_age_s");
    const char *http = json_member_text(status, "http");

    print_title("listens on");
    printf("%s%s%s\n", json_member_text(status, "listen"), http[0] != '\0' ? ", by HTTP on " : "",
           http);
    print_title("MTA");
    if (json_is_null(age)) {
        puts("no session yet");
        return;
    }
    printf("last session ");
    print_ago(json_integer_value(age));
    printf(", " N " open, " N " in all\n", number(sessions, "open"), number(sessions, "total"));
}

static void print_health(json_t *status)
{
    json_t *health = json_object_get(status, "health");
    const bool resolver = is_true(health, "resolver"), store = is_true(health, "store");
    const bool writes = is_true(health, "writes");

    print_title("health");
    if (resolver && store && writes)
        puts("well");
    else
        printf("%s%s%s\n", resolver ? "" : "no name server answers. ",
               store ? "" : "the cache cannot be opened. ",
               writes ? "" : "what is learned cannot be written.");
}

/* --- What was decided, and how long that took ----------------------------------- */

static void print_waits(const char *title, json_t *waits)
{
    print_title(title);
    if (number(waits, "count") == 0) {
        puts("nobody waited");
        return;
    }
    printf("half of " N " within ", number(waits, "count"));
    print_ms(number(waits, "p50_ms"));
    printf(", 95 %% ");
    print_ms(number(waits, "p95_ms"));
    printf(", 99 %% ");
    print_ms(number(waits, "p99_ms"));
    puts("");
}

/* Since the start, and of the last hour where that is kept. */
static void print_decisions(json_t *status)
{
    json_t *verdicts = json_object_get(status, "verdicts"), *counts;
    json_t *hour = json_object_get(status, "last_hour");
    const char *verdict;

    if (json_is_object(hour)) {
        print_counts("last hour", json_object_get(hour, "decisions"));
        print_waits("  waits", json_object_get(hour, "waits"));
    }
    print_counts("decisions", json_object_get(status, "actions"));
    json_object_foreach(verdicts, verdict, counts)
    {
        char title[16];

        (void)snprintf(title, sizeof title, "  %s", verdict);
        print_counts(title, counts);
    }
    print_waits("  waits", json_object_get(status, "waits"));
    print_counts("skipped", json_object_get(status, "skipped"));
    print_counts("vouched", json_object_get(status, "vouched"));
}

/* Where answers came from. What is known of a whole domain is the cache's word, too. */
static void print_answers(json_t *callouts, json_t *cache)
{
    const json_int_t kept =
        number(cache, "hit") + number(cache, "stale") + number(cache, "settled_by_fact");
    const json_int_t joined = number(callouts, "coalesced"), called = number(callouts, "total");

    print_title("answers");
    printf(N " from the cache (", kept);
    print_share(kept, kept + joined + called);
    printf("), " N " joined a callout under way, " N " called\n", joined, called);
}

static void print_callouts(json_t *status)
{
    json_t *callouts = json_object_get(status, "callouts");

    print_answers(callouts, json_object_get(status, "cache"));
    print_title("callouts");
    printf(N " running (" N " held by slow hosts, " N " idle), " N " pending, " N " connections\n",
           number(callouts, "running"), number(callouts, "held"), number(callouts, "resting"),
           number(callouts, "pending"), number(callouts, "connections"));
    print_counts("  results", json_object_get(callouts, "results"));
    print_title("not called");
    printf(N " limited, " N " busy, " N " spf_fail, " N " spf_softfail, " N " not_vouched\n",
           number(callouts, "limited"), number(callouts, "busy"), number(callouts, "spf_fail"),
           number(callouts, "spf_softfail"), number(callouts, "not_vouched"));
}

static void print_cache(json_t *cache)
{
    print_title("cache");
    printf(N " addresses, ", number(cache, "entries"));
    print_octets(number(cache, "bytes"));
    if (number(cache, "max_bytes") > 0) {
        printf(" of ");
        print_octets(number(cache, "max_bytes"));
    }
    printf("; looked up: " N " hit, " N " stale, " N " miss; " N " writes lost\n",
           number(cache, "hit"), number(cache, "stale"), number(cache, "miss"),
           number(cache, "dropped_writes"));
}

/* Nothing where nobody has asked, as they cannot where it is off. */
static void print_connect_back(json_t *connect_back)
{
    json_t *answered = json_object_get(connect_back, "answered");

    print_counts("clients", json_object_get(connect_back, "results"));
    if (sum_of(answered) == 0)
        return;
    print_counts("answered", answered);
    print_title("");
    printf(N " over a rate\n", number(connect_back, "answers_limited"));
}

/* --- Who is held back, and why --------------------------------------------------- */

static void print_held_hosts(json_t *hosts)
{
    json_t *host;
    size_t i;

    json_array_foreach(hosts, i, host)
    {
        char held[64];

        text_duration(number(host, "held_s"), held, sizeof held);
        print_title("");
        printf("host %s for %s more: " N " failures in a row, the last %s\n",
               json_member_text(host, "ip"), held, number(host, "failures"),
               json_member_text(host, "reason"));
    }
}

static void print_held_domains(json_t *domains)
{
    json_t *entry;
    size_t i;

    json_array_foreach(domains, i, entry)
    {
        char held[64];

        text_duration(number(entry, "held_s"), held, sizeof held);
        print_title("");
        printf("domain %s for %s more: forged in bulk\n", json_member_text(entry, "domain"), held);
    }
}

static void print_used_rates(json_t *rates)
{
    json_t *entry;
    size_t i;

    json_array_foreach(rates, i, entry)
    {
        const char *of = json_member_text(entry, "of");

        print_title("");
        printf("%s%s%s for ", json_member_text(entry, "rate"), of[0] != '\0' ? " " : "", of);
        print_ms(number(entry, "wait_ms"));
        puts(" more: its rate is used up");
    }
}

static void print_held_back(json_t *limits)
{
    print_title("held back");
    printf(N " hosts, " N " domains, " N " over a rate\n", number(limits, "hosts_held_back_count"),
           number(limits, "shields_count"), number(limits, "rates_used_up_count"));
    print_held_hosts(json_object_get(limits, "hosts_held_back"));
    print_held_domains(json_object_get(limits, "shields"));
    print_used_rates(json_object_get(limits, "rates_used_up"));
}

static void print_status(json_t *status)
{
    print_daemon(status);
    print_mta(status);
    print_health(status);
    print_title("config");
    printf("%s, taken ", json_member_text(status, "config"));
    print_ago(number(status, "config_age_s"));
    puts("");
    print_identity(status);
    print_decisions(status);
    print_callouts(status);
    print_connect_back(json_object_get(status, "connect_back"));
    print_title("retries");
    printf(N " scheduled\n", number(status, "retries_scheduled"));
    print_cache(json_object_get(status, "cache"));
    print_held_back(json_object_get(status, "limits"));
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
