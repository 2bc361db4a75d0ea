/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * parse: see parse.h. Owns: libconfuse's lexer, of which a process has one. Lock: `lexer_lock`,
 * held while libconfuse reads text that is in memory.
 */
#include "config.h"

#include "config/parse.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "config/table.h"

/* An option that no file can name. libconfuse sets its default where a block opens, and mark_line
 * puts that line's number before it. */
static const char opening[] = "\1opening";

static pthread_mutex_t lexer_lock = PTHREAD_MUTEX_INITIALIZER;
/* lexer_lock; where report writes: libconfuse passes no argument on, and leaves file names out of
 * sections. */
static struct fault *parse_fault;
static const char *parse_path;
/* lexer_lock; mark_line's result, copied by its caller. */
static char marked_value[VALUE_TEXT_MAX + 32];

/* Edits that turn one word into the other (Levenshtein); words too long for a name are far from
 * all. */
static unsigned edit_distance(const char *a, const char *b)
{
    unsigned row[64];
    size_t len = strlen(b);

    if (len >= sizeof(row) / sizeof(row[0]) || strlen(a) >= sizeof(row) / sizeof(row[0]))
        return UINT32_MAX;
    for (size_t j = 0; j <= len; j++)
        row[j] = (unsigned)j;
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        unsigned corner = row[0];

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= len; j++) {
            unsigned change = corner + (a[i - 1] == b[j - 1] ? 0 : 1);
            unsigned step = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;

            corner = row[j];
            row[j] = step < change ? step : change;
        }
    }
    return row[len];
}

struct suggestion {
    const char *word; /* what was written */
    const char *name;
    unsigned distance;
};

static void consider_name(struct suggestion *suggestion, const char *name)
{
    unsigned found = edit_distance(suggestion->word, name);

    if (found < suggestion->distance) {
        suggestion->name = name;
        suggestion->distance = found;
    }
}

/* The section of another table or block in which the name would be right; NULL: there is none. */
static const char *home_of(const char *name)
{
    static const struct table *const tables[] = {&main_table, &policy_table, &relay_table};

    for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++) {
        for (size_t i = 0; i < tables[t]->count; i++) {
            if (strcmp(tables[t]->directives[i].name, name) == 0)
                return tables[t]->directives[i].section;
        }
    }
    return NULL;
}

/* The name of this block that is nearest; NULL: none is near. */
static const char *nearest_name(const cfg_t *cfg, const char *name)
{
    struct suggestion near = {.word = name, .distance = (unsigned)strlen(name) / 3 + 2};

    for (const cfg_opt_t *option = cfg->opts; option->name != NULL; option++) {
        if (option->name[0] != opening[0])
            consider_name(&near, option->name);
    }
    return near.name;
}

/* What would be right instead of the name. "spf.gate" is what messages call a directive. */
static void hint_at_name(const cfg_t *cfg, const char *name, char *hint, size_t size)
{
    const char *section = strcmp(cfg->name, "root") == 0 ? "" : cfg->name;
    const char *home = home_of(name), *near = nearest_name(cfg, name);
    const char *dot = strrchr(name, '.');
    const char *block = dot != NULL ? home_of(dot + 1) : NULL;

    if (strcmp(name, ";") == 0)
        snprintf(hint, size, "without it, it would be right");
    else if (block != NULL && block[0] != '\0')
        snprintf(hint, size, "\"%s\" within %s { } would be right", dot + 1, block);
    else if (home == NULL || strcmp(home, section) == 0)
        snprintf(hint, size, near != NULL ? "\"%s\" would be right" : "see %s",
                 near != NULL ? near : "ringback.conf(5)");
    else if (home[0] == '\0')
        snprintf(hint, size, "outside of any block it would be right");
    else
        snprintf(hint, size, "within %s { } it would be right", home);
}

static void unknown_directive(cfg_t *cfg, const char *name)
{
    char shown[80], hint[128];

    text_printable(shown, sizeof(shown), name, strlen(name));
    hint_at_name(cfg, name, hint, sizeof(hint));
    fault_at(parse_fault, RB_ERR_ARGUMENT, parse_path, (unsigned)cfg->line,
             "unknown directive \"%s\"; %s", shown, hint);
}

/* What is wrong with a token where it stands, and what would be right; a word stands wrong only within
 * a list. */
static const char *words_of_token(const char *token)
{
    if (strcmp(token, "{") == 0)
        return "is no value; one without braces, or a block's name before it, would be right";
    if (strcmp(token, "}") == 0)
        return "is no value; one before it would be right";
    if (strcmp(token, ",") == 0)
        return "is too much; between two values within braces it would be right";
    if (strcmp(token, "=") == 0 || strcmp(token, "+=") == 0)
        return "has no name before it; NAME = VALUE would be right";
    return "has no comma before it; \",\", or the list's \"}\", would be right";
}

/*
 * libconfuse's error function. It passes no code: faults that are said in better words here can be
 * told by its formats alone. The first argument of these is a name or a token.
 */
__attribute__((format(printf, 2, 0))) static void report(cfg_t *cfg, const char *format,
                                                         va_list args)
{
    static const struct {
        const char *format, *words;
    } better[] = {
        {"found duplicate title", "is given twice; a name of its own for each would be right"},
        {"missing opening brace", "is a block; \"{\" would be right here"},
        {"missing title", "has no name here; a name in quotes before \"{\" would be right"},
        {"attempt to append", "is no list; \"=\" would be right"},
        {"unexpected token", NULL}, /* words_of_token */
    };
    char text[VALUE_TEXT_MAX + 1];

    if (parse_fault->text[0] != '\0')
        return;
    if (strncmp(format, "no such option", 14) == 0) {
        unknown_directive(cfg, va_arg(args, const char *));
        return;
    }
    for (size_t i = 0; i < sizeof(better) / sizeof(better[0]); i++) {
        if (strncmp(format, better[i].format, strlen(better[i].format)) == 0) {
            const char *what = va_arg(args, const char *);

            fault_at(parse_fault, RB_ERR_ARGUMENT, parse_path, (unsigned)cfg->line, "\"%s\" %s",
                     what, better[i].words != NULL ? better[i].words : words_of_token(what));
            return;
        }
    }
    if (vsnprintf(text, sizeof(text), format, args) < 0)
        text[0] = '\0';
    fault_at(parse_fault, RB_ERR_ARGUMENT, parse_path, (unsigned)cfg->line, "%s", text);
}

/* Puts the line's number before a value; libconfuse copies the result. */
static int mark_line(cfg_t *cfg, cfg_opt_t *option, const char *value, void *result)
{
    int len = snprintf(marked_value, sizeof(marked_value), "%d %s", cfg->line, value);

    if (len < 0 || strlen(value) > VALUE_TEXT_MAX) {
        cfg_error(cfg, "%s: the value is too long; up to %d octets would be right", option->name,
                  VALUE_TEXT_MAX);
        return -1;
    }
    *(const char **)result = marked_value;
    return 0;
}

enum { OPTIONS_MAX = 32 }; /* of one section, sections within and the end included */

static cfg_opt_t string_option(const char *name, const char *standard, cfg_flag_t flags)
{
    cfg_opt_t option = CFG_STR_CB(name, NULL, flags, mark_line);

    if (standard[0] == '\0')
        option.flags |= CFGF_NODEFAULT;
    else
        memcpy(&option.def.parsed, &standard,
               sizeof(standard)); /* libconfuse copies it: its prototype only lacks const */
    return option;
}

/* Appends the section's directives; returns the new count. Defaults of scalars are not libconfuse's
 * business. */
static size_t add_options(cfg_opt_t *options, size_t count, const struct table *table,
                          const char *section)
{
    for (size_t i = 0; i < table->count && count < OPTIONS_MAX - 1; i++) {
        const struct directive *directive = &table->directives[i];

        if (strcmp(directive->section, section) == 0)
            options[count++] =
                string_option(directive->name, table_is_list(directive) ? directive->standard : "",
                              table_is_list(directive) ? CFGF_LIST : CFGF_NONE);
    }
    return count;
}

static void end_options(cfg_opt_t *options, size_t count)
{
    cfg_opt_t end = CFG_END();

    options[count] = end;
}

static cfg_opt_t section_option(const char *name, cfg_opt_t *options, cfg_flag_t flags)
{
    cfg_opt_t option = CFG_SEC(name, options, flags);

    return option;
}

/* The grammar; NULL: out of memory. libconfuse copies it all. */
static cfg_t *new_grammar(void)
{
    static const cfg_flag_t titled = CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES;
    cfg_opt_t root[OPTIONS_MAX], policy[OPTIONS_MAX], match[OPTIONS_MAX], relay[OPTIONS_MAX];
    cfg_opt_t sections[MAIN_SECTIONS][OPTIONS_MAX];
    size_t count = add_options(root, 0, &main_table, "");
    size_t inner;

    for (size_t i = 1; i < MAIN_SECTIONS; i++) {
        end_options(sections[i], add_options(sections[i], 0, &main_table, main_sections[i]));
        root[count++] = section_option(main_sections[i], sections[i], CFGF_NONE);
    }
    end_options(match, add_options(match, 0, &policy_table, "match"));
    inner = add_options(policy, 0, &policy_table, "policy");
    policy[inner++] = string_option(opening, "\"\"", CFGF_NONE);
    policy[inner++] = section_option("match", match, CFGF_NONE);
    end_options(policy, inner);
    inner = add_options(relay, 0, &relay_table, "relay");
    relay[inner++] = string_option(opening, "\"\"", CFGF_NONE);
    end_options(relay, inner);
    root[count++] = section_option("policy", policy, titled);
    root[count++] = section_option("relay", relay, titled);
    end_options(root, count);
    return cfg_init(root, CFGF_NONE);
}

static bool run_confuse(cfg_t *root, const char *path, char *text, size_t len, struct fault *fault)
{
    FILE *stream = fmemopen(text, len, "r");
    int result;

    if (stream == NULL)
        return fault_at(fault, RB_ERR_NOMEM, path, 0, "out of memory");
    cfg_set_error_function(root, report);
    parse_fault = fault;
    parse_path = path;
    result = cfg_parse_fp(root, stream);
    parse_fault = NULL;
    parse_path = NULL;
    fclose(stream);
    if (result == CFG_SUCCESS)
        return true;
    return fault_at(fault, RB_ERR_ARGUMENT, path, (unsigned)root->line, "cannot be understood");
}

cfg_t *parse_text(const char *path, char *text, size_t len, struct fault *fault)
{
    cfg_t *root;

    pthread_mutex_lock(&lexer_lock);
    root = new_grammar();
    if (root == NULL) {
        fault_at(fault, RB_ERR_NOMEM, path, 0, "out of memory");
    } else if (!run_confuse(root, path, text, len, fault)) {
        cfg_free(root);
        root = NULL;
    }
    pthread_mutex_unlock(&lexer_lock);
    return root;
}

void parse_free(cfg_t *root)
{
    pthread_mutex_lock(&lexer_lock);
    cfg_free(root);
    pthread_mutex_unlock(&lexer_lock);
}

const char *parse_value(const char *marked, unsigned *line)
{
    char *end;

    *line = (unsigned)strtoul(marked, &end, 10);
    return *end == ' ' ? end + 1 : end;
}

unsigned parse_line(cfg_t *section, const char *name)
{
    cfg_opt_t *option = cfg_getopt(section, name);
    unsigned line = 0;

    if (cfg_opt_size(option) > 0)
        parse_value(cfg_opt_getnstr(option, 0), &line);
    return line;
}

unsigned parse_opening(cfg_t *block)
{
    return parse_line(block, opening);
}
