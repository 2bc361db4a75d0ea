/* SPDX-License-Identifier: BSD-2-Clause */
/* tool: `ringback`, the admin's tool: finds the verb and calls it. What the verbs share is here
 * too. */
#include "config.h"

#include "tool/tool.h"

#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static const char default_path[] = SYSCONFDIR "/ringback/ringback.conf";

static const char help[] =
    "usage: ringback VERB [OPTION]... [ARGUMENT]...\n"
    "\n"
    "  verify ADDRESS...   asks now whether the addresses' mail hosts would take mail for them\n"
    "  explain             says what the milter would do with a transaction, and why\n"
    "  cache ACTION        looks into the cache, or changes it\n"
    "  status              asks the running daemon how it is\n"
    "  reload              makes the running daemon read its configuration again\n"
    "  config              prints the configuration in force, defaults included\n"
    "  spf                 says what a sender's domain says by SPF of a client\n"
    "\n"
    "ringback VERB --help tells more; ringback(1) tells all.\n";

int tool_fail(int status, const char *format, ...)
{
    va_list args;

    (void)fputs("ringback: ", stderr);
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputc('\n', stderr);
    return status;
}

int tool_help(const char *text, bool asked_for)
{
    (void)fputs(text, asked_for ? stdout : stderr);
    return asked_for ? EX_OK : EX_USAGE;
}

static int out_of_memory(void)
{
    return tool_fail(EX_OSERR, "out of memory");
}

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
        (void)tool_fail(EX_OK, "warning: %s; going on, it is not needed here", wrong);
    return result;
}

static enum rb_error load(const char *path, enum config_scope scope, struct config **config,
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

int tool_load(const char *path, enum config_scope scope, struct config **config)
{
    char error[CONFIG_ERROR_SIZE];

    if (path == NULL && access(default_path, F_OK) != 0 && errno == ENOENT)
        return config_load_scope(NULL, scope, config, error, sizeof error) == RB_OK
                   ? EX_OK
                   : out_of_memory();
    if (load(path != NULL ? path : default_path, scope, config, error) == RB_OK)
        return EX_OK;
    return tool_fail(EX_CONFIG, "%s", error);
}

const char *tool_hint(int error)
{
    switch (error) {
    case EACCES:
    case EPERM:
        return ": that is for root, and for members of the group " RINGBACK_USER
               " (or of the daemon's user)";
    case ENOENT:
        return ": nothing was kept there yet, or cache.store says another place than the daemon's";
    default:
        return "";
    }
}

void tool_print_json(json_t *object)
{
    char *text = object != NULL ? json_dumps(object, JSON_COMPACT) : NULL;

    if (text != NULL)
        puts(text);
    else
        (void)tool_fail(EX_OSERR, "out of memory");
    free(text);
    json_decref(object);
}

static tool_verb *find_verb(const char *name)
{
    static const struct {
        const char *name;
        tool_verb *verb;
    } verbs[] = {
        {"verify", tool_verify}, {"explain", tool_explain}, {"cache", tool_cache},
        {"status", tool_status}, {"reload", tool_reload},   {"config", tool_config},
        {"spf", tool_spf},
    };

    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(name, verbs[i].name) == 0)
            return verbs[i].verb;
    return NULL;
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
}

static bool is_version(const char *word)
{
    return strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0;
}

static int print_version(void)
{
    printf("ringback %s\nfeatures: %s\n", PACKAGE_VERSION, RB_FEATURES);
    return EX_OK;
}

static int no_verb(const char *word)
{
    (void)tool_fail(EX_USAGE, "there is no verb \"%s\"", word);
    return tool_help(help, false);
}

static int too_many(const char *word)
{
    (void)tool_fail(EX_USAGE, "\"%s\" is one argument too many", word);
    return tool_help(help, false);
}

/* "help", or "help VERB". */
static int print_help(int argc, char **argv)
{
    static char help_option[] = "--help";

    if (argc == 0)
        return tool_help(help, true);
    if (find_verb(argv[0]) == NULL)
        return no_verb(argv[0]);
    return argc > 1 ? too_many(argv[1])
                    : find_verb(argv[0])(2, (char *[]){argv[0], help_option, NULL});
}

int main(int argc, char **argv)
{
    (void)signal(SIGPIPE, SIG_IGN);
    if (argc < 2)
        return tool_help(help, false);
    if (is_help(argv[1]))
        return print_help(argc - 2, argv + 2);
    if (is_version(argv[1]))
        return argc > 2 ? too_many(argv[2]) : print_version();
    return find_verb(argv[1]) != NULL ? find_verb(argv[1])(argc - 1, argv + 1) : no_verb(argv[1]);
}
