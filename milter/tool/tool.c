/* SPDX-License-Identifier: BSD-2-Clause */
/* tool: `ringback`, the admin's tool: finds the verb and calls it. */
#include "config.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "ringback.h"
#include "tool/say.h"
#include "tool/tool.h"

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
    "  verbs HOST          asks a mail host which verbs beyond SMTP it knows\n"
    "\n"
    "ringback VERB --help tells more; ringback(1) tells all.\n";

static verb_run *find_verb(const char *name)
{
    static const struct {
        const char *name;
        verb_run *verb;
    } verbs[] = {
        {"verify", verify_run}, {"explain", explain_run}, {"cache", cache_run},
        {"status", status_run}, {"reload", reload_run},   {"config", config_run},
        {"spf", spf_run},       {"verbs", verbs_run},
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
    (void)say_line(EX_USAGE, "there is no verb \"%s\"", word);
    return say_help(help, false);
}

static int too_many(const char *word)
{
    (void)say_line(EX_USAGE, "\"%s\" is one argument too many", word);
    return say_help(help, false);
}

/* "help", or "help VERB". */
static int print_help(int argc, char **argv)
{
    static char help_option[] = "--help";

    if (argc == 0)
        return say_help(help, true);
    if (find_verb(argv[0]) == NULL)
        return no_verb(argv[0]);
    return argc > 1 ? too_many(argv[1])
                    : find_verb(argv[0])(2, (char *[]){argv[0], help_option, NULL});
}

int main(int argc, char **argv)
{
    (void)signal(SIGPIPE, SIG_IGN);
    if (argc < 2)
        return say_help(help, false);
    if (is_help(argv[1]))
        return print_help(argc - 2, argv + 2);
    if (is_version(argv[1]))
        return argc > 2 ? too_many(argv[2]) : print_version();
    return find_verb(argv[1]) != NULL ? find_verb(argv[1])(argc - 1, argv + 1) : no_verb(argv[1]);
}
