/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * syntax: see syntax.h. Not getopt: it takes an option's beginning for the option, and a
 * second one instead of the first.
 */
#include "config.h"

#include "tool/syntax.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum {
    OPTIONS_MAX = 64, /* of one verb: a bit each */
    USAGE_COLUMNS = 80,
    OPTION_TEXT_MAX = 80,
};

/* --- Help ----------------------------------------------------------------- */

/* "--limit N" */
static void format_option(const struct syntax_option *option, char *text, size_t size)
{
    (void)snprintf(text, size, "%s%s%s%s", option->name[1] == '\0' ? "-" : "--", option->name,
                   option->value != NULL ? " " : "", option->value != NULL ? option->value : "");
}

/* The next word of the usage, in the next line where this one is full. */
static void print_word(FILE *out, const char *word, size_t indent, size_t *column)
{
    size_t len = strlen(word);

    if (*column + 1 + len > USAGE_COLUMNS) {
        (void)fprintf(out, "\n%*s", (int)indent, "");
        *column = indent;
    }
    (void)fprintf(out, " %s", word);
    *column += 1 + len;
}

static void print_usage(FILE *out, const struct syntax *syntax)
{
    int len = fprintf(out, "usage: ringback %s", syntax->name);
    size_t indent = len > 0 ? (size_t)len : 0, column = indent;
    char text[OPTION_TEXT_MAX], word[OPTION_TEXT_MAX + 2];

    for (const struct syntax_option *option = syntax->options; option->name != NULL; option++) {
        format_option(option, text, sizeof text);
        (void)snprintf(word, sizeof word, option->required ? "%s" : "[%s]", text);
        print_word(out, word, indent, &column);
    }
    if (syntax->arguments != NULL) {
        (void)snprintf(word, sizeof word, syntax->arguments_required ? "%s" : "[%s]",
                       syntax->arguments);
        print_word(out, word, indent, &column);
    }
    (void)fputc('\n', out);
}

static void print_help(const struct syntax *syntax)
{
    char text[OPTION_TEXT_MAX];

    print_usage(stdout, syntax);
    printf("\n%s\n", syntax->help);
    for (const struct syntax_option *option = syntax->options; option->name != NULL; option++) {
        format_option(option, text, sizeof text);
        printf("  %-22s  %s\n", text, option->help);
    }
}

int syntax_fail(const struct syntax *syntax, const char *format, ...)
{
    va_list args;

    (void)fprintf(stderr, "ringback %s: ", syntax->name);
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputc('\n', stderr);
    print_usage(stderr, syntax);
    return EX_USAGE;
}

/* --- Parsing -------------------------------------------------------------- */

struct parse {
    const struct syntax *syntax;
    char **next;    /* of argv */
    char **kept;    /* where the next argument goes */
    uint64_t given; /* options, by their places in the table */
    void *fields;
};

/*
 * What a word names: "-c", "-cFILE", "--limit", "--limit=5". *attached: the value in it, or NULL.
 */
static const struct syntax_option *find_option(const struct syntax *syntax, const char *word,
                                               const char **attached)
{
    for (const struct syntax_option *option = syntax->options; option->name != NULL; option++) {
        size_t len = strlen(option->name);
        bool is_long = len > 1;
        const char *name = word + 1 + is_long;

        if (word[0] != '-' || (is_long && word[1] != '-') || strncmp(name, option->name, len) != 0)
            continue;
        if (name[len] == '\0')
            *attached = NULL;
        else if (is_long && name[len] == '=')
            *attached = name + len + 1;
        else if (!is_long)
            *attached = name + len;
        else
            continue;
        return option;
    }
    return NULL;
}

static const struct syntax_option *given_of_group(const struct parse *parse, char group)
{
    const struct syntax_option *options = parse->syntax->options;

    for (size_t i = 0; options[i].name != NULL; i++)
        if (group != 0 && options[i].group == group && (parse->given & UINT64_C(1) << i) != 0)
            return &options[i];
    return NULL;
}

static bool read_number(const char *text, uint64_t *number)
{
    char *end;

    if (text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    *number = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0' && *number > 0;
}

static int set_field(const struct parse *parse, const struct syntax_option *option,
                     const char *value)
{
    char *field = (char *)parse->fields + option->offset, shown[OPTION_TEXT_MAX];

    format_option(option, shown, sizeof shown);
    switch (option->kind) {
    case SYNTAX_FLAG:
        *(bool *)field = true;
        return -1;
    case SYNTAX_TEXT:
        *(const char **)field = value;
        return -1;
    default:
        return read_number(value, (uint64_t *)field)
                   ? -1
                   : syntax_fail(parse->syntax, "%s: \"%s\" is not a number from 1", shown, value);
    }
}

static int take_option(struct parse *parse, const struct syntax_option *option,
                       const char *attached)
{
    uint64_t bit = UINT64_C(1) << (option - parse->syntax->options);
    const struct syntax_option *other = given_of_group(parse, option->group);
    char shown[OPTION_TEXT_MAX], rival[OPTION_TEXT_MAX];

    format_option(option, shown, sizeof shown);
    if ((parse->given & bit) != 0 && !option->may_repeat)
        return syntax_fail(parse->syntax, "%s is given twice", shown);
    if (other != NULL && other != option) {
        format_option(other, rival, sizeof rival);
        return syntax_fail(parse->syntax, "%s and %s do not go together", rival, shown);
    }
    parse->given |= bit;
    if (option->value == NULL)
        return attached == NULL ? set_field(parse, option, NULL)
                                : syntax_fail(parse->syntax, "%s takes no value", shown);
    if (attached == NULL && *parse->next == NULL)
        return syntax_fail(parse->syntax, "%s: its value is missing", shown);
    return set_field(parse, option, attached != NULL ? attached : *parse->next++);
}

static bool asks_for_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static int take_argument(struct parse *parse, char *word)
{
    if (parse->syntax->arguments == NULL)
        return syntax_fail(parse->syntax, "\"%s\" is one argument too many", word);
    *parse->kept++ = word;
    return -1;
}

static int take_word(struct parse *parse, char *word)
{
    const char *attached;
    const struct syntax_option *option = find_option(parse->syntax, word, &attached);

    if (option != NULL)
        return take_option(parse, option, attached);
    if (asks_for_help(word)) {
        print_help(parse->syntax);
        return EX_OK;
    }
    if (word[0] != '-' || strcmp(word, "-") == 0)
        return take_argument(parse, word);
    return syntax_fail(parse->syntax, "it has no option %s", word);
}

/* All words. Those behind "--" are arguments. */
static int take_words(struct parse *parse)
{
    bool options = true;
    int status = -1;

    while (status < 0 && *parse->next != NULL) {
        char *word = *parse->next++;

        if (options && strcmp(word, "--") == 0)
            options = false;
        else
            status = options ? take_word(parse, word) : take_argument(parse, word);
    }
    return status;
}

static int look_for_missing(const struct parse *parse, bool has_arguments)
{
    const struct syntax *syntax = parse->syntax;
    char shown[OPTION_TEXT_MAX];

    for (size_t i = 0; syntax->options[i].name != NULL; i++)
        if (syntax->options[i].required && (parse->given & UINT64_C(1) << i) == 0) {
            format_option(&syntax->options[i], shown, sizeof shown);
            return syntax_fail(syntax, "%s is missing", shown);
        }
    if (syntax->arguments_required && !has_arguments)
        return syntax_fail(syntax, "%s is missing", syntax->arguments);
    return -1;
}

int syntax_parse(const struct syntax *syntax, int argc, char **argv, void *fields,
                 char ***arguments)
{
    struct parse parse = {
        .syntax = syntax, .next = argv + (argc > 0), .kept = argv + (argc > 0), .fields = fields};
    int status;

    *arguments = parse.kept;
    status = take_words(&parse);
    *parse.kept = NULL;
    return status >= 0 ? status : look_for_missing(&parse, parse.kept != *arguments);
}

bool syntax_takes_next(const struct syntax *syntax, const char *word)
{
    const char *attached;
    const struct syntax_option *option = find_option(syntax, word, &attached);

    return option != NULL && option->value != NULL && attached == NULL;
}
