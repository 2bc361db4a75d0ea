/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lists: see lists.h. A pattern list is a sorted array of keys; an address is looked up by the few
 * keys that could match it (itself, its domain, each parent with a dot before it, its local part,
 * "*"), so that a list of a hundred thousand domains costs no more than a short one. Keys of
 * different kinds never collide: only those of mailboxes hold an "@", only those of local parts end
 * in one.
 */
#include "config.h"

#include "config/lists.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "mail/address.h"

/* Makes room for one more: doubles the array where count is a power of two. */
static bool grow(void **items, size_t count, size_t item_size)
{
    void *bigger;
    size_t room = count == 0 ? 1 : count * 2;

    if ((count & (count - 1)) != 0)
        return true;
    if (room > SIZE_MAX / item_size)
        return false;
    bigger = realloc(*items, room * item_size);
    if (bigger == NULL)
        return false;
    *items = bigger;
    return true;
}

static bool add_string(char ***items, size_t *count, const char *text)
{
    void *array = *items;
    char *copy = strdup(text);

    if (copy == NULL || !grow(&array, *count, sizeof(char *))) {
        free(copy);
        return false;
    }
    *items = array;
    (*items)[(*count)++] = copy;
    return true;
}

static void free_strings(char **items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(items[i]);
    free(items);
}

bool text_list_add(struct text_list *list, const char *text)
{
    return add_string(&list->items, &list->count, text);
}

bool pattern_list_add(struct pattern_list *list, const char *key)
{
    return add_string(&list->keys, &list->count, key);
}

bool network_list_add(struct network_list *list, const struct rb_network *network)
{
    void *array = list->items;

    if (!grow(&array, list->count, sizeof(*network)))
        return false;
    list->items = array;
    list->items[list->count++] = *network;
    return true;
}

void text_list_fini(struct text_list *list)
{
    free_strings(list->items, list->count);
    *list = (struct text_list){.count = 0};
}

void network_list_fini(struct network_list *list)
{
    text_list_fini(&list->text);
    free(list->items);
    *list = (struct network_list){.count = 0};
}

void pattern_list_fini(struct pattern_list *list)
{
    text_list_fini(&list->text);
    free_strings(list->keys, list->count);
    *list = (struct pattern_list){.count = 0};
}

static int by_text(const void *a, const void *b)
{
    const char *const *left = a, *const *right = b;

    return strcmp(*left, *right);
}

void pattern_list_sort(struct pattern_list *list)
{
    if (list->count > 1)
        qsort(list->keys, list->count, sizeof(list->keys[0]), by_text);
}

static bool has_key(const struct pattern_list *list, const char *key)
{
    return list->count > 0 &&
           bsearch(&key, list->keys, list->count, sizeof(list->keys[0]), by_text) != NULL;
}

/* --- Patterns --- */

/* Canonical text of a domain or of an address literal. */
static bool canonical_domain(const char *text, char domain[RB_DOMAIN_MAX + 1])
{
    char mailbox[RB_DOMAIN_MAX + 3];
    struct address address;

    if (text[0] != '[')
        return address_domain(text, strlen(text), domain) == ADDRESS_OK;
    return snprintf(mailbox, sizeof(mailbox), "x@%s", text) < (int)sizeof(mailbox) &&
           address_parse(mailbox, strlen(mailbox), false, &address) == ADDRESS_OK &&
           text_copy(domain, RB_DOMAIN_MAX + 1, address.domain);
}

/*
 * What a client says after HELO may be no host name ("my_pc"): it is compared as it is, in lower
 * case.
 */
static bool canonical_host(const char *text, char host[RB_DOMAIN_MAX + 1])
{
    if (canonical_domain(text, host))
        return true;
    for (const char *c = text; *c != '\0'; c++) {
        if (*c <= ' ' || *c >= 0x7f || strchr("\"'<>,;@*[]", *c) != NULL)
            return false;
    }
    if (text[0] == '\0' || !text_copy(host, RB_DOMAIN_MAX + 1, text))
        return false;
    text_lower(host);
    return true;
}

static const char *domain_key(enum pattern_kind kind, const char *pattern, char *key)
{
    char domain[RB_DOMAIN_MAX + 1];
    bool below = pattern[0] == '.';
    const char *name = pattern + (below ? 1 : 0);

    if (below ? !canonical_domain(name, domain) || domain[0] == '['
              : !(kind == PATTERN_HOST ? canonical_host(name, domain)
                                       : canonical_domain(name, domain)))
        return kind == PATTERN_HOST
                   ? "is no pattern for host names; \"host.example.org\", \".example.org\" for all "
                     "below it, \"[192.0.2.1]\" or \"*\" would be right"
                   : "is no pattern for addresses; \"user@example.org\", \"example.org\", "
                     "\".example.org\" for its subdomains, \"user@\", \"<>\" or \"*\" would be "
                     "right";
    snprintf(key, PATTERN_KEY_SIZE, "%s%s", below ? "." : "", domain);
    return NULL;
}

static const char *mailbox_key(const char *pattern, char *key)
{
    static const char stand_in[] = "example.org";
    char text[ADDRESS_TEXT_SIZE + sizeof(stand_in)];
    struct address address;
    size_t len = strlen(pattern);
    bool anywhere = pattern[len - 1] == '@';

    if (strchr(pattern, '*') != NULL || len >= ADDRESS_TEXT_SIZE)
        return "is no pattern for addresses; for everybody at a domain its name alone, for "
               "everybody \"*\" would be right";
    snprintf(text, sizeof(text), "%s%s", pattern, anywhere ? stand_in : "");
    if (pattern[0] == '<' || address_parse(text, strlen(text), true, &address) != ADDRESS_OK)
        return "is no mail address; \"user@example.org\", or \"user@\" for one at any domain, "
               "would "
               "be right";
    text_lower(address.local);
    if (snprintf(key, PATTERN_KEY_SIZE, "%s@%s", address.local, anywhere ? "" : address.domain) >=
        PATTERN_KEY_SIZE)
        return "is longer than a mail address may be";
    return NULL;
}

const char *pattern_key(enum pattern_kind kind, const char *pattern, char key[PATTERN_KEY_SIZE])
{
    bool whole = strcmp(pattern, "*") == 0;

    if (whole || (kind == PATTERN_ADDRESS && strcmp(pattern, "<>") == 0)) {
        snprintf(key, PATTERN_KEY_SIZE, "%s", pattern);
        return NULL;
    }
    if (kind == PATTERN_ADDRESS && strchr(pattern, '@') != NULL)
        return mailbox_key(pattern, key);
    return domain_key(kind, pattern, key);
}

bool pattern_list_has_all(const struct pattern_list *list)
{
    return has_key(list, "*");
}

/* The domain itself, or any parent of it with a dot before it. A domain has at most 127 labels. */
static bool has_domain(const struct pattern_list *list, const char *domain)
{
    if (has_key(list, domain))
        return true;
    if (domain[0] == '[')
        return false;
    for (const char *dot = strchr(domain, '.'); dot != NULL; dot = strchr(dot + 1, '.')) {
        if (has_key(list, dot))
            return true;
    }
    return false;
}

bool pattern_list_has_address(const struct pattern_list *list, const char *address)
{
    const char *at = strrchr(address, '@');
    char key[PATTERN_KEY_SIZE];
    size_t local_len;

    if (pattern_list_has_all(list))
        return true;
    if (address[0] == '\0')
        return has_key(list, "<>");
    if (at == NULL || !text_copy(key, sizeof(key), address))
        return false;
    local_len = (size_t)(at - address);
    key[local_len] = '\0'; /* of the local part alone: "[IPv6:" is canonical */
    text_lower(key);
    key[local_len] = '@';
    if (has_key(list, key))
        return true;
    if (has_domain(list, key + local_len + 1))
        return true;
    key[local_len + 1] = '\0';
    return has_key(list, key);
}

bool pattern_list_has_host(const struct pattern_list *list, const char *host)
{
    char name[RB_DOMAIN_MAX + 1];

    if (pattern_list_has_all(list))
        return true;
    return canonical_host(host, name) && has_domain(list, name);
}
