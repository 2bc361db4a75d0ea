/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * assign: see assign.h. Values are foreign text: they are shown cut and printable.
 */
#include "config.h"

#include "config/assign.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "config/configuration.h"

/* The value is shown last, cut: it may be long. */
bool assign_refuse(struct fault *fault, const struct where *where, const char *value,
                   const char *wrong)
{
    char shown[80];

    text_printable(shown, sizeof(shown), value, strlen(value));
    return fault_at(fault, RB_ERR_ARGUMENT, where->file, where->line, "%s: \"%s\" %s", where->label,
                    shown, wrong);
}

static bool no_memory(struct fault *fault, const struct where *where)
{
    return fault_at(fault, RB_ERR_NOMEM, where->file, 0, "out of memory");
}

/* --- Quantities ----------------------------------------------------------- */

static void format_number(int64_t number, char *text, size_t size)
{
    snprintf(text, size, "%" PRId64, number);
}

/* How a quantity is read, and its range written; what is said of what is none. */
static const struct quantity {
    bool (*read)(const char *text, int64_t *number);
    void (*format)(int64_t number, char *text, size_t size);
    const char *wrong;
} number = {value_number, format_number, "is no number; digits alone would be right"},
  duration = {value_duration, value_format_duration,
              "is no duration; a whole number with ms, s, m, h or d, such as \"10s\", would be "
              "right"},
  octets = {value_size, value_format_size,
            "is no size; a whole number with KB, MB, GB or TB, such as \"500MB\", would be right"};

static bool in_range(struct fault *fault, const struct where *where,
                     const struct directive *directive, const struct quantity *quantity,
                     const char *value, int64_t found)
{
    char low[32], high[32], wrong[128];

    if (found >= directive->min && found <= directive->max)
        return true;
    quantity->format(directive->min, low, sizeof(low));
    quantity->format(directive->max, high, sizeof(high));
    snprintf(wrong, sizeof(wrong), "is out of range; %s to %s would be right", low, high);
    return assign_refuse(fault, where, value, wrong);
}

static bool read_quantity(struct fault *fault, const struct where *where,
                          const struct directive *directive, const struct quantity *quantity,
                          const char *value, int64_t *found)
{
    if (!quantity->read(value, found))
        return assign_refuse(fault, where, value, quantity->wrong);
    return in_range(fault, where, directive, quantity, value, *found);
}

/* A number, or a time in milliseconds. */
static bool set_unsigned(struct fault *fault, const struct where *where,
                         const struct directive *directive, const char *value, unsigned *field)
{
    int64_t found = 0;

    if (!read_quantity(fault, where, directive, directive->kind == KIND_MS ? &duration : &number,
                       value, &found))
        return false;
    *field = (unsigned)found;
    return true;
}

static bool set_seconds(struct fault *fault, const struct where *where,
                        const struct directive *directive, const char *value, int64_t *field)
{
    int64_t ms = 0;

    if (!read_quantity(fault, where, directive, &duration, value, &ms))
        return false;
    if (ms % SECOND != 0)
        return assign_refuse(fault, where, value,
                             "is finer than it may be here; whole seconds would be right");
    *field = ms / SECOND;
    return true;
}

static bool set_size(struct fault *fault, const struct where *where,
                     const struct directive *directive, const char *value, uint64_t *field)
{
    int64_t found = 0;

    if (!read_quantity(fault, where, directive, &octets, value, &found))
        return false;
    *field = (uint64_t)found;
    return true;
}

static bool set_rate(struct fault *fault, const struct where *where,
                     const struct directive *directive, const char *value, struct rb_rate *field)
{
    struct rb_rate rate;

    if (!value_rate(value, &rate))
        return assign_refuse(fault, where, value,
                             "is no rate; a number above 0 with /s, /m, /h or /d, such as "
                             "\"60/m\", would be right");
    if (!in_range(fault, where, directive, &number, value, rate.count))
        return false;
    *field = rate;
    return true;
}

/* --- Other values --------------------------------------------------------- */

static bool set_name(struct fault *fault, const struct where *where,
                     const struct directive *directive, const char *value, unsigned *field)
{
    char wrong[256] = "is not one of the choices; ";
    size_t len = strlen(wrong);
    bool yes;

    if (directive->yes != NULL && value_yes_no(value, &yes))
        value = yes ? directive->yes : "no";
    for (unsigned i = 0; directive->names[i] != NULL; i++) {
        if (strcasecmp(directive->names[i], value) == 0) {
            *field = i;
            return true;
        }
        len += (size_t)snprintf(wrong + len, sizeof(wrong) - len, "%s%s",
                                i == 0 ? "" : (directive->names[i + 1] == NULL ? " or " : ", "),
                                directive->names[i]);
    }
    snprintf(wrong + len, sizeof(wrong) - len, " would be right");
    return assign_refuse(fault, where, value, wrong);
}

static bool set_yes_no(struct fault *fault, const struct where *where, const char *value,
                       bool *field)
{
    return value_yes_no(value, field) ||
           assign_refuse(fault, where, value, "is neither; yes or no would be right");
}

static bool set_text(struct fault *fault, const struct where *where,
                     const struct directive *directive, const char *value, char **field)
{
    char kept[VALUE_TEXT_MAX + 1];
    const char *wrong = directive->check(value, kept);

    if (wrong != NULL)
        return assign_refuse(fault, where, value, wrong);
    free(*field);
    *field = strdup(kept);
    return *field != NULL || no_memory(fault, where);
}

bool assign_set(struct fault *fault, const struct where *where, const struct directive *directive,
                const char *value, void *field)
{
    switch (directive->kind) {
    case KIND_YES_NO:
        return set_yes_no(fault, where, value, field);
    case KIND_NUMBER:
    case KIND_MS:
        return set_unsigned(fault, where, directive, value, field);
    case KIND_SECONDS:
        return set_seconds(fault, where, directive, value, field);
    case KIND_SIZE:
        return set_size(fault, where, directive, value, field);
    case KIND_RATE:
        return set_rate(fault, where, directive, value, field);
    case KIND_NAME:
        return set_name(fault, where, directive, value, field);
    default:
        return set_text(fault, where, directive, value, field);
    }
}

/* --- Lists ---------------------------------------------------------------- */

static bool has_room(struct fault *fault, const struct where *where,
                     const struct directive *directive, const char *entry, size_t count)
{
    int64_t max = directive->max > 0 ? directive->max : CONFIG_ENTRIES_MAX;
    char wrong[64];

    if ((int64_t)count < max)
        return true;
    snprintf(wrong, sizeof(wrong), "is one too many; up to %" PRId64 " would be right", max);
    return assign_refuse(fault, where, entry, wrong);
}

static bool add_network(struct fault *fault, const struct where *where,
                        const struct directive *directive, const char *entry,
                        struct network_list *list)
{
    struct rb_network network;

    if (rb_network_parse(entry, &network) != RB_OK)
        return assign_refuse(fault, where, entry,
                             "is no network; \"192.0.2.0/24\", \"2001:db8::/32\" (no bits set "
                             "behind the prefix) or an address alone would be right");
    return has_room(fault, where, directive, entry, list->count) &&
           (network_list_add(list, &network) || no_memory(fault, where));
}

static bool add_pattern(struct fault *fault, const struct where *where,
                        const struct directive *directive, const char *entry,
                        struct pattern_list *list)
{
    enum pattern_kind kind = directive->kind == KIND_HOST_PATTERNS ? PATTERN_HOST : PATTERN_ADDRESS;
    char key[PATTERN_KEY_SIZE];
    const char *wrong = pattern_key(kind, entry, key);

    if (wrong != NULL)
        return assign_refuse(fault, where, entry, wrong);
    return has_room(fault, where, directive, entry, list->count) &&
           (pattern_list_add(list, key) || no_memory(fault, where));
}

static bool add_entry(struct fault *fault, const struct where *where,
                      const struct directive *directive, const char *entry, void *list)
{
    return directive->kind == KIND_NETWORKS ? add_network(fault, where, directive, entry, list)
                                            : add_pattern(fault, where, directive, entry, list);
}

/* Cuts a comment ("#" at the beginning or behind white space) and white space around the rest, in
 * place. */
static char *trim_line(char *line)
{
    size_t len;

    line += strspn(line, " \t\r");
    for (char *c = strchr(line, '#'); c != NULL; c = strchr(c + 1, '#')) {
        if (c == line || c[-1] == ' ' || c[-1] == '\t') {
            *c = '\0';
            break;
        }
    }
    len = strlen(line);
    while (len > 0 && strchr(" \t\r", line[len - 1]) != NULL)
        line[--len] = '\0';
    return line;
}

/* The lines of a list file, each an entry. text ends in a newline. */
static bool add_lines(struct fault *fault, const struct where *file,
                      const struct directive *directive, char *text, void *list)
{
    struct where where = *file;
    char *line = text;

    for (where.line = 1; *line != '\0'; where.line++) {
        char *end = strchr(line, '\n');
        char *entry;

        *end = '\0';
        entry = trim_line(line);
        if (entry[0] != '\0' && !add_entry(fault, &where, directive, entry, list))
            return false;
        line = end + 1;
    }
    return true;
}

static bool add_file(struct fault *fault, const struct where *where,
                     const struct directive *directive, const char *path, void *list)
{
    char problem[CONFIG_ERROR_SIZE] = "";
    struct fault unread = {.text = problem, .size = sizeof(problem)};
    const struct where inside = {.file = path, .label = where->label};
    enum rb_error error;
    char *text = NULL;
    size_t len = 0;
    bool fine;

    if (path[0] != '/')
        return assign_refuse(fault, where, path,
                             "is no path from /; \"file:/PATH\" would be right");
    error = scan_file(path, SCAN_LIST_MAX, &text, &len, &unread);
    if (error != RB_OK)
        return fault_at(fault, error, where->file, where->line, "%s: %s", where->label, problem);
    fine = add_lines(fault, &inside, directive, text, list);
    free(text);
    return fine;
}

static bool add_text(struct fault *fault, const struct where *where,
                     const struct directive *directive, const char *value, struct text_list *list)
{
    char kept[VALUE_TEXT_MAX + 1];
    const char *wrong = directive->check(value, kept);

    if (wrong != NULL)
        return assign_refuse(fault, where, value, wrong);
    return has_room(fault, where, directive, value, list->count) &&
           (text_list_add(list, kept) || no_memory(fault, where));
}

static bool add_name(struct fault *fault, const struct where *where,
                     const struct directive *directive, const char *value, unsigned *set)
{
    unsigned name = 0;

    if (!set_name(fault, where, directive, value, &name))
        return false;
    *set |= 1U << name;
    return true;
}

/* One value of a list: what was written is kept beside what it comes to. */
bool assign_add(struct fault *fault, const struct where *where, const struct directive *directive,
                const char *value, void *field)
{
    static const char file_mark[] = "file:";
    struct text_list *written;

    if (directive->kind == KIND_TEXTS)
        return add_text(fault, where, directive, value, field);
    if (directive->kind == KIND_NAMES)
        return add_name(fault, where, directive, value, field);
    if (directive->kind == KIND_NETWORKS)
        written = &((struct network_list *)field)->text;
    else
        written = &((struct pattern_list *)field)->text;
    if (!text_list_add(written, value))
        return no_memory(fault, where);
    if (strncmp(value, file_mark, sizeof(file_mark) - 1) == 0)
        return add_file(fault, where, directive, value + sizeof(file_mark) - 1, field);
    return add_entry(fault, where, directive, value, field);
}
