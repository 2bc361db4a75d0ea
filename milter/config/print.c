/* SPDX-License-Identifier: BSD-2-Clause */
/* print: the configuration in the file's own syntax; see config_print. */
#include "config.h"

#include <string.h>

#include "config/configuration.h"
#include "config/table.h"

static void print_quoted(FILE *stream, const char *text)
{
    fputc('"', stream);
    for (; *text != '\0'; text++) {
        if (strchr("\"\\$", *text) != NULL)
            fputc('\\', stream);
        fputc(*text, stream);
    }
    fputc('"', stream);
}

static void print_list(FILE *stream, const struct text_list *list)
{
    fputc('{', stream);
    for (size_t i = 0; i < list->count; i++) {
        fputs(i == 0 ? " " : ", ", stream);
        print_quoted(stream, list->items[i]);
    }
    fputs(" }", stream);
}

static void print_names(FILE *stream, const char *const *names, unsigned set)
{
    bool first = true;

    fputc('{', stream);
    for (unsigned i = 0; names[i] != NULL; i++) {
        if ((set & 1U << i) == 0)
            continue;
        fputs(first ? " " : ", ", stream);
        print_quoted(stream, names[i]);
        first = false;
    }
    fputs(" }", stream);
}

static const struct text_list *written_list(const struct directive *directive, const void *field)
{
    switch (directive->kind) {
    case KIND_TEXTS:
        return field;
    case KIND_NETWORKS:
        return &((const struct network_list *)field)->text;
    default:
        return &((const struct pattern_list *)field)->text;
    }
}

static void print_directive(FILE *stream, const struct directive *directive, const char *indent,
                            const void *base)
{
    const void *field = (const char *)base + directive->offset;
    char text[VALUE_TEXT_MAX + 1];

    fprintf(stream, "%s%s = ", indent, directive->name);
    if (directive->kind == KIND_NAMES) {
        print_names(stream, directive->names, *(const unsigned *)field);
    } else if (table_is_list(directive)) {
        print_list(stream, written_list(directive, field));
    } else {
        table_format(directive, field, text, sizeof(text));
        if (directive->kind == KIND_YES_NO || directive->kind == KIND_NUMBER ||
            (directive->yes != NULL && strcmp(text, "no") == 0))
            fputs(text, stream);
        else
            print_quoted(stream, text);
    }
    fputc('\n', stream);
}

static void print_section(FILE *stream, const struct table *table, const char *section,
                          const char *indent, const void *base)
{
    for (size_t i = 0; i < table->count; i++) {
        if (strcmp(table->directives[i].section, section) == 0)
            print_directive(stream, &table->directives[i], indent, base);
    }
}

static void print_policy(FILE *stream, const struct policy *policy)
{
    fputs("\npolicy ", stream);
    print_quoted(stream, policy->name);
    fputs(" {\n    match {\n", stream);
    print_section(stream, &policy_table, "match", "        ", policy);
    fputs("    }\n", stream);
    print_section(stream, &policy_table, "policy", "    ", policy);
    fputs("}\n", stream);
}

/* The policy behind the last is printed where it can be reached, so that a second reading adds
 * none. */
static void print_policies(FILE *stream, const struct config *config)
{
    bool reached = true;

    for (size_t i = 0; i < config->policy_count; i++) {
        print_policy(stream, &config->policies[i]);
        if (policy_matches_all(&config->policies[i]))
            reached = false;
    }
    if (reached)
        print_policy(stream, &config->default_policy);
}

static void print_relays(FILE *stream, const struct config *config)
{
    for (size_t i = 0; i < config->relay_count; i++) {
        fputs("\nrelay ", stream);
        print_quoted(stream, config->relays[i].domain);
        fputs(" {\n", stream);
        print_section(stream, &relay_table, "relay", "    ", &config->relays[i]);
        fputs("}\n", stream);
    }
}

void config_print(const struct config *config, FILE *stream)
{
    print_section(stream, &main_table, "", "", config);
    for (size_t i = 1; i < MAIN_SECTIONS; i++) {
        fprintf(stream, "\n%s {\n", main_sections[i]);
        print_section(stream, &main_table, main_sections[i], "    ", config);
        fputs("}\n", stream);
    }
    print_policies(stream, config);
    print_relays(stream, config);
}
