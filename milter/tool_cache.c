/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tool_cache: `ringback cache`: looks into the cache and changes it, while the daemon runs too.
 * Reads and writes the store itself; the daemon sees what was changed at once.
 */
#include "config.h"

#include "tool.h"
#include "tool_syntax.h"

#include "address.h"
#include "cache.h"
#include "deadline.h"
#include "text.h"
#include "wire.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>
#include <unistd.h>

enum { DELETE_BATCH = 256, IMPORT_LINE_MAX = 65536 };

struct request {
    const char *config_path, *domain, *host, *verdict;
    uint64_t limit; /* 0: none */
    bool json, all, expired;
    char **arguments; /* of action_delete: none where domain or host is given */
};

struct job {
    const struct request *request;
    struct cache *cache;
    struct rb_lifetimes lifetimes;
    char domain[RB_DOMAIN_MAX + 1];
    enum rb_verdict verdict;
    uint64_t shown;
};

typedef int action_fn(struct job *job);

static int store_failed(enum rb_error error)
{
    return tool_fail(EX_IOERR, "%s", rb_error_text(error));
}

/* --- Showing -------------------------------------------------------------- */

static int64_t now_s(void)
{
    return clock_wall_s(clock_system());
}

static void print_address(const struct cache_entry *entry, const struct rb_lifetimes *lifetimes)
{
    const struct address_record *record = entry->address_record;
    int64_t age_s = now_s() - record->stamp_s, left_s = 0;
    enum freshness freshness = address_record_freshness(record, lifetimes, now_s(), &left_s);
    char age[64], left[64] = "";

    tool_duration(age_s > 0 ? age_s : 0, age, sizeof age);
    if (freshness != RECORD_EXPIRED)
        tool_duration(left_s, left, sizeof left);
    printf("%s%s%s: %s (%s)", entry->address, entry->relay[0] != '\0' ? " at " : "", entry->relay,
           rb_verdict_name(rb_reason_verdict(record->reason)), rb_reason_name(record->reason));
    if (record->mx[0] != '\0')
        printf(" %s[%s]", record->mx, record->ip);
    if (record->reply[0] != '\0')
        printf(" said: %s", record->reply);
    printf(", %s old, %s%s\n", age, freshness == RECORD_EXPIRED ? "expired" : "expires in ", left);
}

static void show(struct job *job, const struct cache_entry *entry)
{
    if (job->request->json)
        tool_print_json(wire_entry(entry, &job->lifetimes, now_s()));
    else
        print_address(entry, &job->lifetimes);
}

/* The address as the cache keys it; false: not an address. */
static bool canonical(const char *text, char key[RB_ADDRESS_MAX + 1])
{
    struct address address;

    return address_parse(text, strlen(text), true, &address) == ADDRESS_OK &&
           address_key(&address, key, RB_ADDRESS_MAX + 1) == RB_OK;
}

static int get_one(struct job *job, const char *argument)
{
    char address[RB_ADDRESS_MAX + 1], key[CACHE_KEY_MAX + 1];
    struct address_record record;
    enum rb_error error;

    if (!canonical(argument, address) || cache_address_key(NULL, address, key) != RB_OK)
        return tool_fail(EX_USAGE, "\"%s\" is not an address", argument);
    error = cache_get_address(job->cache, key, &record);
    if (error == RB_ERR_NOT_FOUND && cache_correspondent_key(address, key) == RB_OK)
        error = cache_get_address(job->cache, key, &record);
    if (error == RB_ERR_NOT_FOUND)
        return tool_fail(EX_NOUSER, "%s is not in the cache", address);
    if (error != RB_OK)
        return store_failed(error);
    show(job, &(struct cache_entry){.table = CACHE_ADDRESS,
                                    .key = key,
                                    .relay = "",
                                    .address = address,
                                    .address_record = &record});
    return EX_OK;
}

static int each_argument(struct job *job, int (*one)(struct job *job, const char *argument))
{
    int status = EX_OK;

    for (char **argument = job->request->arguments; *argument != NULL; argument++) {
        int result = one(job, *argument);

        if (result != EX_OK && status == EX_OK)
            status = result;
    }
    return status;
}

static int action_get(struct job *job)
{
    return each_argument(job, get_one);
}

static bool is_of_domain(const char *address, const char *domain)
{
    const char *at = strrchr(address, '@');

    return at != NULL && strcmp(at + 1, domain) == 0;
}

static bool list_one(const struct cache_entry *entry, void *arg)
{
    struct job *job = arg;
    const struct request *request = job->request;

    if (job->domain[0] != '\0' && !is_of_domain(entry->address, job->domain))
        return true;
    if (request->verdict != NULL &&
        rb_reason_verdict(entry->address_record->reason) != job->verdict)
        return true;
    show(job, entry);
    job->shown++;
    return request->limit == 0 || job->shown < request->limit;
}

static int action_list(struct job *job)
{
    enum rb_error error = cache_walk(job->cache, CACHE_ADDRESS, list_one, job);

    return error == RB_OK ? EX_OK : store_failed(error);
}

static int action_stats(struct job *job)
{
    struct cache_stats stats;
    enum rb_error error = cache_get_stats(job->cache, &stats);

    if (error != RB_OK)
        return store_failed(error);
    if (job->request->json)
        tool_print_json(json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "addresses",
                                  (json_int_t)stats.addresses, "domains", (json_int_t)stats.domains,
                                  "hosts", (json_int_t)stats.hosts, "folds",
                                  (json_int_t)stats.folds, "bytes", (json_int_t)stats.bytes,
                                  "max_bytes", (json_int_t)stats.max_bytes));
    else
        printf("%" PRIu64 " addresses, %" PRIu64 " domains, %" PRIu64 " hosts, %" PRIu64
               " kinds of one-time senders, %" PRIu64 " of %" PRIu64 " octets\n",
               stats.addresses, stats.domains, stats.hosts, stats.folds, stats.bytes,
               stats.max_bytes);
    return EX_OK;
}

/* --- Forgetting ----------------------------------------------------------- */

static int delete_one(struct job *job, const char *argument)
{
    char address[RB_ADDRESS_MAX + 1], key[CACHE_KEY_MAX + 1];
    enum rb_error error;
    bool found;

    if (!canonical(argument, address) || cache_address_key(NULL, address, key) != RB_OK)
        return tool_fail(EX_USAGE, "\"%s\" is not an address", argument);
    error = cache_delete(job->cache, CACHE_ADDRESS, key);
    found = error == RB_OK;
    if ((found || error == RB_ERR_NOT_FOUND) && cache_correspondent_key(address, key) == RB_OK)
        error = cache_delete(job->cache, CACHE_ADDRESS, key);
    if (error == RB_OK || (found && error == RB_ERR_NOT_FOUND))
        return EX_OK;
    return error == RB_ERR_NOT_FOUND ? tool_fail(EX_NOUSER, "%s is not in the cache", address)
                                     : store_failed(error);
}

/* Keys found in a walk, to be deleted when it is over: a walk's callback may not change what it
 * walks. */
struct doomed {
    const char *domain;
    size_t count;
    char keys[DELETE_BATCH][CACHE_KEY_MAX + 1];
};

static bool doom(const struct cache_entry *entry, void *arg)
{
    struct doomed *doomed = arg;

    if (is_of_domain(entry->address, doomed->domain) &&
        text_copy(doomed->keys[doomed->count], sizeof doomed->keys[0], entry->key))
        doomed->count++;
    return doomed->count < DELETE_BATCH;
}

static int delete_domain(struct job *job)
{
    struct doomed *doomed = calloc(1, sizeof *doomed);
    enum rb_error error = doomed != NULL ? RB_OK : RB_ERR_NOMEM;
    uint64_t removed = 0;
    bool more = true;

    while (error == RB_OK && more) {
        doomed->domain = job->domain;
        doomed->count = 0;
        error = cache_walk(job->cache, CACHE_ADDRESS, doom, doomed);
        more = doomed->count == DELETE_BATCH;
        for (size_t i = 0; i < doomed->count; i++)
            removed += cache_delete(job->cache, CACHE_ADDRESS, doomed->keys[i]) == RB_OK;
    }
    free(doomed);
    if (error != RB_OK)
        return store_failed(error);
    removed += cache_delete(job->cache, CACHE_DOMAIN, job->domain) == RB_OK;
    printf("%" PRIu64 " record%s removed\n", removed, removed == 1 ? "" : "s");
    return removed > 0 ? EX_OK : EX_NOUSER;
}

static int delete_host(struct job *job)
{
    enum rb_error error = cache_delete(job->cache, CACHE_HOST, job->request->host);

    if (error == RB_ERR_NOT_FOUND)
        return tool_fail(EX_NOUSER, "host %s is not in the cache", job->request->host);
    return error == RB_OK ? EX_OK : store_failed(error);
}

static int action_delete(struct job *job)
{
    if (job->request->host != NULL)
        return delete_host(job);
    if (job->domain[0] != '\0')
        return delete_domain(job);
    return each_argument(job, delete_one);
}

/* Asks whoever sits there; nothing but a yes is one. */
static bool is_confirmed(struct job *job)
{
    struct cache_stats stats;
    char answer[16] = "";

    if (cache_get_stats(job->cache, &stats) != RB_OK)
        return false;
    (void)fprintf(stderr, "Forget everything, %" PRIu64 " addresses among it? (y/N) ",
                  stats.addresses);
    return fgets(answer, sizeof answer, stdin) != NULL &&
           (strcasecmp(answer, "y\n") == 0 || strcasecmp(answer, "yes\n") == 0);
}

static int action_purge(struct job *job)
{
    const struct request *request = job->request;
    uint64_t removed = 0;
    enum rb_error error;

    if (!request->all && !request->expired && !is_confirmed(job))
        return tool_fail(EX_NOPERM, "nothing was removed");
    error = cache_purge(job->cache, request->expired, &removed);
    if (error != RB_OK)
        return store_failed(error);
    printf("%" PRIu64 " record%s removed\n", removed, removed == 1 ? "" : "s");
    return EX_OK;
}

/* --- Moving --------------------------------------------------------------- */

static bool export_one(const struct cache_entry *entry, void *arg)
{
    const struct job *job = arg;

    tool_print_json(wire_entry(entry, &job->lifetimes, now_s()));
    return !ferror(stdout);
}

static int action_export(struct job *job)
{
    for (size_t i = 0; i < cache_table_count; i++) {
        enum rb_error error = cache_walk(job->cache, cache_tables[i], export_one, job);

        if (error != RB_OK)
            return store_failed(error);
    }
    return EX_OK;
}

static enum rb_error put(struct cache *cache, const struct wire_record *record)
{
    switch (record->table) {
    case CACHE_ADDRESS:
        return cache_put_address(cache, record->key, &record->address);
    case CACHE_DOMAIN:
        return cache_put_domain(cache, record->key, &record->domain);
    case CACHE_FOLD:
        return cache_put_fold(cache, record->key, &record->fold);
    default:
        return cache_put_host(cache, record->key, &record->host);
    }
}

/* One line: EX_OK, or a status, having said why. */
static int import_line(struct job *job, const char *line, size_t len, uint64_t number)
{
    json_error_t error;
    json_t *object =
        len <= IMPORT_LINE_MAX ? json_loadb(line, len, JSON_REJECT_DUPLICATES, &error) : NULL;
    struct wire_record *record = malloc(sizeof *record);
    const char *why = len <= IMPORT_LINE_MAX ? "not JSON" : "too long";
    int status = EX_OK;

    if (record == NULL || object == NULL || !wire_read_entry(object, record, &why))
        status = tool_fail(EX_DATAERR, "standard input:%" PRIu64 ": %s", number, why);
    else if (put(job->cache, record) != RB_OK)
        status =
            tool_fail(EX_IOERR, "standard input:%" PRIu64 ": the record was not taken", number);
    else
        job->shown++;
    free(record);
    json_decref(object);
    return status;
}

static int action_import(struct job *job)
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
            result = import_line(job, line, (size_t)len, number);
        if (status == EX_OK)
            status = result;
        if (number % 10000 == 0)
            cache_flush(job->cache); /* no more waits in memory than this */
    }
    free(line);
    cache_flush(job->cache);
    printf("%" PRIu64 " record%s taken\n", job->shown, job->shown == 1 ? "" : "s");
    return status;
}

/* --- The verb ------------------------------------------------------------- */

static bool check(const struct request *request, struct job *job)
{
    if (request->domain != NULL &&
        address_domain(request->domain, strlen(request->domain), job->domain) != ADDRESS_OK) {
        (void)tool_fail(EX_USAGE, "--domain: \"%s\" is not a domain", request->domain);
        return false;
    }
    if (request->verdict != NULL &&
        rb_verdict_from_name(request->verdict, &job->verdict) != RB_OK) {
        (void)tool_fail(EX_USAGE, "--verdict: \"%s\" is not valid, invalid or unknown",
                        request->verdict);
        return false;
    }
    return true;
}

static int run(const struct request *request, action_fn *action, bool changes)
{
    struct job job = {.request = request};
    struct cache_settings settings;
    struct rb_options options;
    struct config *config;
    char detail[300] = "";
    int status;

    if (!check(request, &job))
        return EX_USAGE;
    status = tool_load(request->config_path, &config);
    if (status != EX_OK)
        return status;
    config_options(config, &options);
    if (options.store[0] == '\0') {
        config_put(config);
        return tool_fail(EX_IOERR, "cache.store is \"\": nothing is remembered");
    }
    job.lifetimes = options.lifetimes;
    settings = (struct cache_settings){
        .store = options.store,
        .max_bytes = options.store_max_bytes,
        .lifetimes = options.lifetimes,
        .clock = clock_system(),
        .owner_fix = true,
        .read_only = !changes,
    };
    if (cache_open(&settings, &job.cache, detail, sizeof detail) == RB_OK)
        status = action(&job);
    else
        status =
            tool_fail(EX_IOERR, "%s", detail[0] != '\0' ? detail : "the cache cannot be opened");
    cache_close(job.cache);
    config_put(config);
    if (fflush(stdout) != 0 || ferror(stdout))
        status = EX_IOERR;
    return status;
}

/* --- What each action takes ------------------------------------------------ */

#define SETS(field, how) SYNTAX_SETS(struct request, field, how)
#define CONFIG SYNTAX_CONFIG(struct request)
#define JSON                                                                                       \
    {                                                                                              \
        .name = "json", SETS(json, SYNTAX_FLAG), .help = "a JSON object a line"                    \
    }

static const struct syntax_option get_options[] = {CONFIG, JSON, {0}};

static const struct syntax_option list_options[] = {
    CONFIG,
    JSON,
    {.name = "domain", .value = "NAME", SETS(domain, SYNTAX_TEXT), .help = "those of this domain"},
    {.name = "verdict",
     .value = "VERDICT",
     SETS(verdict, SYNTAX_TEXT),
     .help = "those that are valid, invalid or unknown"},
    {.name = "limit", .value = "N", SETS(limit, SYNTAX_NUMBER), .help = "at most so many"},
    {0}};

static const struct syntax_option delete_options[] = {
    CONFIG,
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

static const struct cache_action {
    struct syntax syntax;
    action_fn *action;
    bool changes;
} actions[] = {
    {{.name = "cache get",
      .options = get_options,
      .arguments = "ADDRESS...",
      .arguments_required = true,
      .help = "Shows what is known of addresses.\n"},
     action_get,
     false},
    {{.name = "cache list", .options = list_options, .help = "Lists what is known.\n"},
     action_list,
     false},
    {{.name = "cache delete",
      .options = delete_options,
      .arguments = "ADDRESS...",
      .help = "Forgets addresses, so that the next mail asks anew; or a domain, or a host.\n"},
     action_delete,
     true},
    {{.name = "cache purge",
      .options = purge_options,
      .help = "Forgets everything, or what has expired. On a terminal it asks first.\n"},
     action_purge,
     true},
    {{.name = "cache export",
      .options = plain_options,
      .help = "Writes all records to standard output, a JSON object a line.\n"},
     action_export,
     false},
    {{.name = "cache import",
      .options = plain_options,
      .help = "Reads what export wrote from standard input; names the lines that are none.\n"},
     action_import,
     true},
    {{.name = "cache stats",
      .options = get_options,
      .help = "Says how many records there are, and the space they take.\n"},
     action_stats,
     false},
};

enum { ACTIONS = sizeof actions / sizeof actions[0] };

static const char help[] =
    "usage: ringback cache ACTION [OPTION]... [ADDRESS]...\n"
    "\n"
    "Looks into the cache and changes it, also while the daemon runs.\n"
    "\n"
    "  get ADDRESS...     what is known of the addresses\n"
    "  list               what is known\n"
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

/* What no single option tells. -1: go on. */
static int check_request(const struct cache_action *action, const struct request *request)
{
    bool of_all = request->domain != NULL || request->host != NULL;

    if (action->action == action_delete && of_all == (request->arguments[0] != NULL))
        return syntax_fail(&action->syntax, "one of ADDRESS..., --domain and --host is wanted");
    if (action->action == action_purge && !request->all && !request->expired &&
        !(isatty(STDIN_FILENO) && isatty(STDERR_FILENO)))
        return syntax_fail(&action->syntax,
                           "it forgets everything: say --all where nobody can be asked, or "
                           "--expired for what answers nothing any more");
    return -1;
}

static int no_action(const char *name)
{
    if (name != NULL)
        (void)tool_fail(EX_USAGE, "cache: there is no action \"%s\"", name);
    return tool_help(help, false);
}

static bool asks_for_help(int argc, char **argv)
{
    return argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
}

int tool_cache(int argc, char **argv)
{
    struct request request = {0};
    const struct cache_action *action;
    int status;

    if (asks_for_help(argc, argv))
        return tool_help(help, true);
    action = take_action(&argc, argv);
    if (action == NULL)
        return no_action(argv[action_place(argc, argv)]);
    status = syntax_parse(&action->syntax, argc, argv, &request, &request.arguments);
    if (status < 0)
        status = check_request(action, &request);
    return status >= 0 ? status : run(&request, action->action, action->changes);
}
