/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lists: what the configuration holds many of: texts, networks, patterns. Pure. Lists are plain
 * data: a zeroed one is empty, and each is freed by its fini.
 *
 * Patterns for addresses: "user@dom", "dom" (exactly that domain), ".dom" (its subdomains alone),
 * "user@" (at any domain), "<>" (the null sender), "*" (any). For host names: "dom", ".dom",
 * "[192.0.2.1]", "*". Domains are compared in canonical form (lower case, A-labels), local parts
 * without regard to the case of ASCII letters.
 */
#ifndef RB_MILTER_CONFIG_LISTS_H
#define RB_MILTER_CONFIG_LISTS_H

#include <stdbool.h>
#include <stddef.h>

#include "ringback.h"

/* Strings as the configuration has them; owned by the list. */
struct text_list {
    char **items;
    size_t count;
};

/*
 * A criterion. `text` is what was written ("file:/…" included), the rest what it came to. Nothing
 * written: no criterion. Written, but empty (a file without entries): matches nobody.
 */
struct network_list {
    struct text_list text;
    struct rb_network *items;
    size_t count;
};

struct pattern_list {
    struct text_list text;
    char **keys; /* pattern_key's, sorted */
    size_t count;
};

enum pattern_kind { PATTERN_ADDRESS, PATTERN_HOST };

enum { PATTERN_KEY_SIZE = RB_ADDRESS_MAX + RB_DOMAIN_MAX };

/*
 * The form in which a pattern is compared. NULL when fine; else what is wrong and what would be
 * right, as the end of a sentence that begins with the pattern. Static.
 */
const char *pattern_key(enum pattern_kind kind, const char *pattern, char key[PATTERN_KEY_SIZE]);

/* Appends a copy of the key; false: out of memory. Sort once when all are in, before anything is
 * matched. */
bool pattern_list_add(struct pattern_list *list, const char *key);
void pattern_list_sort(struct pattern_list *list);

/* Each appends a copy; false: out of memory. */
bool network_list_add(struct network_list *list, const struct rb_network *network);
bool text_list_add(struct text_list *list, const char *text);

void text_list_fini(struct text_list *list);
void network_list_fini(struct network_list *list);
void pattern_list_fini(struct pattern_list *list);

/* Whether the list has "*". */
bool pattern_list_has_all(const struct pattern_list *list);

/* Whether the list has a pattern for this address (canonical key or "") or host name. */
bool pattern_list_has_address(const struct pattern_list *list, const char *address);
bool pattern_list_has_host(const struct pattern_list *list, const char *host);

#endif
