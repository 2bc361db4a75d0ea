/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Header fields that a stranger wrote: the census of forgeries must count right, and no field that
 * bears our authserv-id may slip through. Input: our authserv-id on the first line; then a field
 * "name:value" a line, "+" before it: it comes 600 times. RFC 8601 2.2, RFC 5322 3.2.2.
 */
#include "config.h"

#include "fuzz.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "mta/headers.h"
#include "base/text.h"
#include "config/value.h"

const char fuzz_name[] = "headers";

enum { REPEAT = 600, FIELDS_MAX = 5000, LINE_SIZE = 4096 };

/* Up to a newline, and behind it. Cut where too long; octets behind a NUL are not seen. */
static size_t take_line(const uint8_t *data, size_t size, char line[LINE_SIZE])
{
    const uint8_t *end = memchr(data, '\n', size);
    size_t len = end != NULL ? (size_t)(end - data) : size;
    size_t kept = len < LINE_SIZE - 1 ? len : LINE_SIZE - 1;

    memcpy(line, data, kept);
    line[kept] = '\0';
    return end != NULL ? len + 1 : len;
}

/* However it is dressed up, a value that begins with our name is found; another's is not. */
static void check_dresses(const char *id, const char *value)
{
    static const struct {
        const char *before, *behind;
    } dresses[] = {
        {"", ";"},
        {" ", " ;"},
        {"(a) ", ";"},
        {"\"", "\";"},
        {"(a(b)\\)) ", "(c);"},
        {"\r\n\t", "\r\n\t1;"},
    };
    char dressed[2 * LINE_SIZE];

    for (size_t i = 0; i < sizeof dresses / sizeof dresses[0]; i++) {
        (void)snprintf(dressed, sizeof dressed, "%s%s%s%s", dresses[i].before, id,
                       dresses[i].behind, value);
        HOLDS(headers_has_authserv_id(dressed, id));
    }
    (void)snprintf(dressed, sizeof dressed, "x%s;%s", id, value);
    HOLDS(!headers_has_authserv_id(dressed, id));
}

static void check_case(const char *id, const char *value)
{
    char swapped[LINE_SIZE];

    (void)text_copy(swapped, sizeof swapped, value);
    for (char *c = swapped; *c != '\0'; c++)
        if ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z'))
            *c ^= 'a' ^ 'A';
    HOLDS(headers_has_authserv_id(swapped, id) == headers_has_authserv_id(value, id));
}

static void check_forged(const struct header_forged *forged)
{
    HOLDS(forged->count <= forged->room || forged->room == 0);
    HOLDS(forged->count <= HEADERS_FORGED_MAX && forged->count <= forged->seen);
    for (size_t i = 0; i < forged->count; i++) {
        HOLDS(forged->which[i] >= 1 && forged->which[i] <= forged->seen);
        HOLDS(i == 0 || forged->which[i] > forged->which[i - 1]);
    }
}

static void check_census(const struct header_census *census)
{
    check_forged(&census->results);
    check_forged(&census->callback);
    if (census->ringback > HEADERS_FORGED_MAX || census->warning > HEADERS_FORGED_MAX)
        HOLDS(census->overflow);
    if (census->overflow)
        HOLDS(census->ringback > HEADERS_FORGED_MAX || census->warning > HEADERS_FORGED_MAX ||
              census->results.count == HEADERS_FORGED_MAX ||
              census->callback.count == HEADERS_FORGED_MAX);
}

/* One field. Whether it was counted is what its name says. The same id stands for our host. */
static void see(struct header_census *census, const char *name, const char *value, const char *id)
{
    const struct header_names names = {.authserv_id = id, .hostname = id, .claimed = "a.example"};
    struct header_census before = *census;
    bool ours = strcasecmp(name, HEADER_RESULTS) == 0 && id[0] != '\0' &&
                headers_has_authserv_id(value, id);
    bool warns = strcasecmp(name, HEADER_CALLBACK) == 0 && strncmp(value, "a.example:", 10) == 0;

    headers_see(census, name, value, &names);
    HOLDS(census->ringback - before.ringback + (census->warning - before.warning) +
              (census->results.seen - before.results.seen) +
              (census->callback.seen - before.callback.seen) <=
          1);
    HOLDS(census->ringback == before.ringback + (strcasecmp(name, HEADER_RINGBACK) == 0) ||
          strpbrk(name, " \t") != NULL);
    HOLDS(!ours || census->overflow || census->results.count == before.results.count + 1);
    HOLDS(!warns || census->overflow || census->callback.count == before.callback.count + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct header_census census = {0};
    char id[LINE_SIZE], kept[VALUE_TEXT_MAX + 1] = "", line[LINE_SIZE];
    size_t fields = 0;

    for (size_t at = take_line(data, size, id); at < size && fields < FIELDS_MAX;) {
        unsigned times;
        char *name = line, *value;

        at += take_line(data + at, size - at, line);
        times = line[0] == '+' ? REPEAT : 1;
        name += line[0] == '+';
        value = strchr(name, ':');
        if (value != NULL)
            *value++ = '\0';
        else
            value = name + strlen(name);
        if (strlen(id) > VALUE_TEXT_MAX || value_authserv_id(id, kept) != NULL)
            kept[0] = '\0';
        for (unsigned i = 0; i < times; i++, fields++)
            see(&census, name, value, kept);
        check_case(kept, value);
        if (kept[0] != '\0')
            check_dresses(kept, value);
    }
    check_census(&census);
    headers_fini(&census);
    HOLDS(census.results.which == NULL && census.callback.which == NULL);
    return 0;
}
