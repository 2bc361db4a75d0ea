/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache: `ringback cache`: looks into the cache and changes it, while the daemon runs too.
 * Reads and writes the store itself; the daemon sees what was changed at once.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "tool/load.h"
#include "tool/record_text.h"
#include "tool/records.h"
#include "tool/say.h"
#include "tool/tool.h"

enum { IMPORT_LINE_MAX = 65536 };

static int action_stats(struct selection *selection)
{
    struct cache_stats stats;
    enum rb_error error = cache_get_stats(selection->cache, &stats);

    if (error != RB_OK)
        return records_failed(error);
    if (selection->request->json)
        say_json(json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "addresses",
                           (json_int_t)stats.addresses, "domains", (json_int_t)stats.domains,
                           "hosts", (json_int_t)stats.hosts, "folds", (json_int_t)stats.onetimes,
                           "retries", (json_int_t)stats.retries, "verbs", (json_int_t)stats.verbs,
                           "bytes", (json_int_t)stats.bytes, "max_bytes",
                           (json_int_t)stats.max_bytes));
    else
        printf("%" PRIu64 " addresses, %" PRIu64 " domains, %" PRIu64 " hosts, %" PRIu64
               " kinds of one-time senders, %" PRIu64 " retries, %" PRIu64
               " hosts asked for verbs, %" PRIu64 " of %" PRIu64 " octets\n",
               stats.addresses, stats.domains, stats.hosts, stats.onetimes, stats.retries,
               stats.verbs, stats.bytes, stats.max_bytes);
    return EX_OK;
}

/* --- Purging -------------------------------------------------------------- */

/* Only with an option that says so, or where somebody at a terminal can be asked. */
static int check_purge(struct selection *selection)
{
    if (selection->request->all || selection->request->expired ||
        (isatty(STDIN_FILENO) && isatty(STDERR_FILENO)))
        return -1;
    return syntax_fail(selection->syntax,
                       "it forgets everything: say --all where nobody can be asked, or "
                       "--expired for what answers nothing any more");
}

/* Asks at the terminal; any answer but y or yes is a no. */
static bool is_confirmed(struct selection *selection)
{
    struct cache_stats stats;
    char answer[16] = "";

    if (cache_get_stats(selection->cache, &stats) != RB_OK)
        return false;
    (void)fprintf(stderr, "Forget everything, %" PRIu64 " addresses among it? (y/N) ",
                  stats.addresses);
    return fgets(answer, sizeof answer, stdin) != NULL &&
           (strcasecmp(answer, "y\n") == 0 || strcasecmp(answer, "yes\n") == 0);
}

static int action_purge(struct selection *selection)
{
    const struct cache_request *request = selection->request;
    uint64_t removed = 0;
    enum rb_error error;

    if (!request->all && !request->expired && !is_confirmed(selection))
        return say_line(EX_NOPERM, "nothing was removed");
    error = cache_purge(selection->cache, request->expired, &removed);
    if (error != RB_OK)
        return records_failed(error);
    record_text_print_count(removed, "removed");
    return EX_OK;
}

/* --- Moving --------------------------------------------------------------- */

static bool export_one(const struct cache_entry *entry, void *arg)
{
    const struct selection *selection = arg;

    say_json(json_entry(entry, &selection->lifetimes, selection->now_s));
    return !ferror(stdout);
}

static int action_export(struct selection *selection)
{
    for (size_t i = 0; i < cache_table_count; i++) {
        enum rb_error error = cache_walk(selection->cache, cache_tables[i], export_one, selection);

        if (error != RB_OK)
            return records_failed(error);
    }
    return EX_OK;
}

static enum rb_error put_record(struct cache *cache, const struct json_record *record)
{
    switch (record->table) {
    case CACHE_ADDRESS:
        return cache_put_address(cache, record->key, &record->address);
    case CACHE_DOMAIN:
        return cache_put_domain(cache, record->key, &record->domain);
    case CACHE_ONETIME:
        return cache_put_onetime(cache, record->key, &record->onetime);
    case CACHE_RETRY:
        return cache_put_retry(cache, record->key, &record->retry);
    case CACHE_VERB:
        return cache_put_verb(cache, record->key, &record->verb);
    default:
        return cache_put_host(cache, record->key, &record->host);
    }
}

/* One line: EX_OK, or a status, having said why. */
static int import_line(struct selection *selection, const char *line, size_t len, uint64_t number)
{
    json_error_t error;
    json_t *object =
        len <= IMPORT_LINE_MAX ? json_loadb(line, len, JSON_REJECT_DUPLICATES, &error) : NULL;
    struct json_record *record = malloc(sizeof *record);
    const char *why = len <= IMPORT_LINE_MAX ? "not JSON" : "too long";
    int status = EX_OK;

    if (record == NULL || object == NULL || !json_read_entry(object, record, &why))
        status = say_line(EX_DATAERR, "standard input:%" PRIu64 ": %s", number, why);
    else if (put_record(selection->cache, record) != RB_OK)
        status = say_line(EX_IOERR, "standard input:%" PRIu64 ": the record was not taken", number);
    else
        selection->count++;
    free(record);
    json_decref(object);
    return status;
}

static int action_import(struct selection *selection)
{
    char *line = NULL;
    size_t room = 0;
    uint64_t number = 0;
    int status = EX_OK;
    ssize_t len;

    while ((len = getline(&line, &room, stdin)) > 0) {
        int result = EX_OK;

        number++;
        if (line[strspn(line, " \t\r\n")] != '\0')
            result = import_line(selection, line, (size_t)len, number);
        if (status == EX_OK)
            status = result;
        if (number % 10000 == 0)
            cache_flush(selection->cache); /* bounds what waits in memory to be written */
    }
    free(line);
    cache_flush(selection->cache);
    record_text_print_count(selection->count, "taken");
    return status;
}

/* --- The verb ------------------------------------------------------------- */

static int open_and_act(struct selection *selection, const struct config *config,
                        records_action *action, bool changes)
{
    struct cache_settings settings;
    struct rb_options options;
    char detail[300] = "";
    int status;

    config_options(config, &options);
    if (options.store[0] == '\0')
        return say_line(EX_IOERR, "cache.store is \"\": nothing is remembered");
    selection->lifetimes = options.lifetimes;
    settings = (struct cache_settings){
        .store = options.store,
        .max_bytes = options.store_max_bytes,
        .lifetimes = options.lifetimes,
        .clock = clock_system(),
        .owner_fix = true,
        .read_only = !changes,
    };
    if (cache_open(&settings, &selection->cache, detail, sizeof detail) == RB_OK)
        status = action(selection);
    else
        status =
            say_line(EX_IOERR, "%s%s", detail[0] != '\0' ? detail : "the cache cannot be opened",
                     say_hint(errno));
    cache_close(selection->cache);
    return status;
}

static int load_and_act(struct selection *selection, records_action *action, bool changes)
{
    struct config *config;
    int status = load_config(selection->request->config_path, CONFIG_CACHE, &config);

    if (status != EX_OK)
        return status;
    status = open_and_act(selection, config, action, changes);
    config_put(config);
    return fflush(stdout) == 0 && !ferror(stdout) ? status : EX_IOERR;
}

/* --- What each action takes ------------------------------------------------ */

#define SETS(field, how) SYNTAX_SETS(struct cache_request, field, how)
#define CONFIG SYNTAX_CONFIG(struct cache_request)
#define JSON SYNTAX_JSON(struct cache_request)
#define RELAY SYNTAX_RELAY(struct cache_request, "only what was learned there, as list shows it")

static const struct syntax_option get_options[] = {CONFIG, JSON, RELAY, {0}};

static const struct syntax_option list_options[] = {
    CONFIG,
    JSON,
    {.name = "kind",
     .value = "KIND",
     SETS(kind, SYNTAX_TEXT),
     .help = "address (the default), domain, host, fold (one-time senders), retry, verb or all"},
    {.name = "domain",
     .value = "NAME",
     SETS(domain, SYNTAX_TEXT),
     .help = "those of this domain, and what is known of the domain"},
    {.name = "verdict",
     .value = "VERDICT",
     SETS(verdict, SYNTAX_TEXT),
     .help = "addresses that are valid, invalid or unknown"},
    {.name = "limit", .value = "N", SETS(limit, SYNTAX_NUMBER), .help = "at most so many"},
    {0}};

static const struct syntax_option delete_options[] = {
    CONFIG,
    RELAY,
    {.name = "domain",
     .value = "NAME",
     SETS(domain, SYNTAX_TEXT),
     .group = 'w',
     .help = "all addresses of a domain, and what is known of the domain"},
    {.name = "host",
     .value = "IP",
     SETS(host, SYNTAX_TEXT),
     .group = 'w',
     .help = "a mail host's failures, so that it is called again"},
    {0}};

static const struct syntax_option purge_options[] = {
    CONFIG,
    {.name = "all", SETS(all, SYNTAX_FLAG), .group = 'w', .help = "everything, without asking"},
    {.name = "expired",
     SETS(expired, SYNTAX_FLAG),
     .group = 'w',
     .help = "only what answers nothing any more"},
    {0}};

static const struct syntax_option plain_options[] = {CONFIG, {0}};
static const struct syntax_option stats_options[] = {CONFIG, JSON, {0}};

static const struct cache_action {
    struct syntax syntax;
    records_check *check; /* NULL: there is nothing more to be wrong */
    records_action *action;
    bool changes;
} actions[] = {
    {.syntax = {.name = "cache get",
                .options = get_options,
                .arguments = "ADDRESS|DOMAIN...",
                .arguments_required = true,
                .help = "Shows all that is known of addresses, or of domains.\n"},
     .check = records_check_get,
     .action = records_get},
    {.syntax = {.name = "cache list",
                .options = list_options,
                .help = "Lists what is known: of addresses, of domains, of mail hosts.\n"},
     .check = records_check_list,
     .action = records_list},
    {.syntax = {.name = "cache delete",
                .options = delete_options,
                .arguments = "ADDRESS...",
                .help = "Forgets all that is known of addresses, so that the next mail asks anew;\n"
                        "or of a domain, or of a mail host.\n"},
     .check = records_check_delete,
     .action = records_delete,
     .changes = true},
    {.syntax = {.name = "cache purge",
                .options = purge_options,
                .help = "Forgets everything, or what has expired. On a terminal it asks first.\n"},
     .check = check_purge,
     .action = action_purge,
     .changes = true},
    {.syntax = {.name = "cache export",
                .options = plain_options,
                .help = "Writes all records to standard output, a JSON object a line.\n"},
     .action = action_export},
    {.syntax = {.name = "cache import",
                .options = plain_options,
                .help = "Reads what export wrote from standard input; names the lines that are "
                        "none.\n"},
     .action = action_import,
     .changes = true},
    {.syntax = {.name = "cache stats",
                .options = stats_options,
                .help = "Says how many records there are, and the space they take.\n"},
     .action = action_stats},
};

enum { ACTIONS = sizeof actions / sizeof actions[0] };

static const char help[] =
    "usage: ringback cache ACTION [OPTION]... [ADDRESS]...\n"
    "\n"
    "Looks into the cache and changes it, also while the daemon runs.\n"
    "\n"
    "  get ADDRESS...     what is known of addresses, or of domains\n"
    "  list               what is known of addresses, domains and mail hosts\n"
    "  delete ADDRESS...  forgets addresses, a domain or a host's failures\n"
    "  purge              forgets everything, or what has expired\n"
    "  export, import     to standard output, from standard input\n"
    "  stats              how much there is\n"
    "\n"
    "ringback cache ACTION --help tells each one's options. Exit status: 0 done, 67 not in the "
    "cache,\n"
    "64 usage, 65 a line was not taken, 74 the cache cannot be read or written, 77 not confirmed, "
    "78 configuration.\n";

static bool any_takes_next(const char *word)
{
    for (size_t i = 0; i < ACTIONS; i++)
        if (syntax_takes_next(&actions[i].syntax, word))
            return true;
    return false;
}

/* The place of the first word that is no option and no option's value; argc: there is none. */
static int action_place(int argc, char **argv)
{
    int at = 1;

    while (at < argc && argv[at][0] == '-')
        at += any_takes_next(argv[at]) ? 2 : 1;
    return at < argc ? at : argc;
}

/* Takes the action out of argv. NULL: there is none. */
static const struct cache_action *take_action(int *argc, char **argv)
{
    int place = action_place(*argc, argv);
    const char *name = argv[place];

    for (size_t i = 0; name != NULL && i < ACTIONS; i++)
        if (strcmp(name, actions[i].syntax.name + strlen("cache ")) == 0) {
            for (int at = place; at < *argc; at++)
                argv[at] = argv[at + 1];
            (*argc)--;
            return &actions[i];
        }
    return NULL;
}

static int no_action(const char *name)
{
    if (name != NULL)
        (void)say_line(EX_USAGE, "cache: there is no action \"%s\"", name);
    return say_help(help, false);
}

static bool asks_for_help(int argc, char **argv)
{
    return argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
}

int cache_run(int argc, char **argv)
{
    struct cache_request request = {0};
    struct selection selection = {.request = &request, .now_s = clock_wall_s(clock_system())};
    const struct cache_action *action;
    int status;

    if (asks_for_help(argc, argv))
        return say_help(help, true);
    action = take_action(&argc, argv);
    if (action == NULL)
        return no_action(argv[action_place(argc, argv)]);
    selection.syntax = &action->syntax;
    status = syntax_parse(selection.syntax, argc, argv, &request, &request.arguments);
    if (status < 0 && action->check != NULL)
        status = action->check(&selection);
    return status >= 0 ? status : load_and_act(&selection, action->action, action->changes);
}
