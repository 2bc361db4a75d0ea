/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The value of a field Authentication-Results, as any filter may have written it from what a
 * stranger sent. RFC 8601 2.2.
 */
#include "config.h"

#include "fuzz.h"

#include <stdbool.h>
#include <string.h>

#include "mail/address.h"
#include "mail/auth_results.h"

const char fuzz_name[] = "auth_results";

enum { VALUE_MAX = 4096 };

static bool is_same(const struct auth_results *a, const struct auth_results *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (strcmp(a->domains[i], b->domains[i]) != 0)
            return false;
    return true;
}

static void check_domains(const struct auth_results *results)
{
    char domain[RB_DOMAIN_MAX + 1];

    HOLDS(results->count <= AUTH_RESULTS_DOMAINS_MAX);
    for (size_t i = 0; i < results->count; i++) {
        const char *each = results->domains[i];

        HOLDS(address_domain(each, strlen(each), domain) == ADDRESS_OK);
        HOLDS(strcmp(domain, each) == 0);
        for (size_t k = 0; k < i; k++)
            HOLDS(strcmp(results->domains[k], each) != 0);
    }
}

/* What a field comes to does not hang on what is put around it. */
static void check_dressed(const char *value, const struct auth_results *plain)
{
    char dressed[VALUE_MAX + 100];
    struct auth_results results;

    (void)snprintf(dressed, sizeof dressed, " (c)\r\n\t%s (c)", value);
    HOLDS(auth_results_read(span_of(dressed), &results) && is_same(&results, plain));
    (void)snprintf(dressed, sizeof dressed, "%s (", value);
    HOLDS(!auth_results_read(span_of(dressed), &results) && results.count == 0);
}

/* Whoever has passed nothing vouches for nobody. */
static void check_without_pass(char *value)
{
    struct auth_results results;

    for (char *c = value; *c != '\0'; c++)
        if (*c == 'p' || *c == 'P')
            *c = 'x';
    (void)auth_results_read(span_of(value), &results);
    HOLDS(results.count == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct span raw = {(const char *)data, size};
    struct auth_results results;
    struct lexical_word id;
    char value[VALUE_MAX];
    bool is_read = auth_results_read(raw, &results);

    HOLDS(is_read || results.count == 0);
    HOLDS(!is_read || auth_results_authserv_id(raw, &id));
    check_domains(&results);
    if (size >= VALUE_MAX || memchr(data, '\0', size) != NULL)
        return 0;
    memcpy(value, data, size);
    value[size] = '\0';
    if (is_read && size < AUTH_RESULTS_LEN_MAX - 20)
        check_dressed(value, &results);
    check_without_pass(value);
    return 0;
}
