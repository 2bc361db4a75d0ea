/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * syntax: what a verb of `ringback` takes on its command line: one table says it to the parser
 * and to the help. What is not in the table is refused, and so is what is given twice: an option
 * that was passed over in silence might have been meant to spare something.
 */
#ifndef RB_MILTER_TOOL_SYNTAX_H
#define RB_MILTER_TOOL_SYNTAX_H

#include <stdbool.h>
#include <stddef.h>

enum syntax_kind {
    SYNTAX_FLAG = 0, /* bool */
    SYNTAX_TEXT,     /* const char *, as it was given */
    SYNTAX_NUMBER,   /* uint64_t, decimal, from 1 */
};

struct syntax_option {
    const char *name;  /* without its dashes: one for a single letter, else two */
    const char *value; /* what stands behind it, for the help; NULL: nothing does */
    const char *help;
    enum syntax_kind kind;
    size_t offset; /* of its field, which is zero where it is not given */
    bool required;
    bool may_repeat; /* the last one counts */
    char group;      /* at most one option of a group may be given; 0: of none */
};

/* For a row of the table: which field of which struct it sets, and how. */
#define SYNTAX_SETS(type, field, how) .kind = (how), .offset = offsetof(type, field)

/* Nearly every verb's; may stand in an alias, too. `type` has a const char *config_path. */
#define SYNTAX_CONFIG(type)                                                                        \
    {                                                                                              \
        .name = "c", .value = "FILE", SYNTAX_SETS(type, config_path, SYNTAX_TEXT),                 \
        .may_repeat = true, .help = "a configuration other than the usual one"                     \
    }

/* Of verbs with a bool json, and of those with a const char *relay. */
#define SYNTAX_JSON(type)                                                                          \
    {                                                                                              \
        .name = "json", SYNTAX_SETS(type, json, SYNTAX_FLAG), .help = "a JSON object a line"       \
    }
#define SYNTAX_RELAY(type, what)                                                                   \
    {                                                                                              \
        .name = "relay", .value = "HOST[:PORT]", SYNTAX_SETS(type, relay, SYNTAX_TEXT),            \
        .help = (what)                                                                             \
    }

struct syntax {
    const char *name;                    /* "cache list" */
    const struct syntax_option *options; /* ends with one without a name */
    const char *arguments;               /* "ADDRESS..."; NULL: there are none */
    bool arguments_required;
    const char *help; /* what it does, its exit statuses; ends with a newline */
};

/*
 * Reads argv[1] up to argv[argc], which is NULL, into the fields of the zeroed struct `fields`.
 * Options and arguments may be mixed; behind "--" there are arguments only. argv is put into
 * another order, and *arguments points to those arguments in it, NULL behind the last. -1: go on;
 * otherwise the exit status: help was asked for and printed, or something is wrong and was said on
 * standard error.
 */
int syntax_parse(const struct syntax *syntax, int argc, char **argv, void *fields,
                 char ***arguments);

/* Says on standard error what is wrong, and how the verb is used. Returns EX_USAGE. */
int syntax_fail(const struct syntax *syntax, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Whether the word is an option of it that takes the next word as its value. */
bool syntax_takes_next(const struct syntax *syntax, const char *word);

#endif
