/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy: see policy.h. A pattern list is a sorted array of keys; an address is looked up by the
 * few keys that could match it (itself, its domain, each parent with a dot before it, its local
 * part, "*"), so that a list of a hundred thousand domains costs no more than a short one. Keys of
 * different kinds never collide: only those of mailboxes hold an "@", only those of local parts end
 * in one.
 */
#include "config.h"

#include "config/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "mail/address.h"
#include "mail/netguard.h"

const char *const action_names[] = {"accept", "tag", "quarantine", "tempfail", "reject", NULL};
const char *const policy_verify_names[] = {"none", "sender", "recipient", "both", NULL};
const char *const policy_authenticated_names[] = {"any", "no", "yes", NULL};

const char *action_name(enum action action)
{
    return (unsigned)action <= ACTION_REJECT ? action_names[action] : "?";
}

const char *policy_verify_name(enum policy_verify verify)
{
    return (unsigned)verify <= VERIFY_BOTH ? policy_verify_names[verify] : "?";
}

/* --- Lists --- */

/* Makes room for one more where count has reached a power of two. */
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

static void lower(char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] >= 'A' && text[i] <= 'Z')
            text[i] = (char)(text[i] - 'A' + 'a');
    }
}

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

/* Clients say host names that are none ("my_pc"): those are compared as they stand. */
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
    lower(host, strlen(host));
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
    lower(address.local, strlen(address.local));
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

    if (has_key(list, "*"))
        return true;
    if (address[0] == '\0')
        return has_key(list, "<>");
    if (at == NULL || !text_copy(key, sizeof(key), address))
        return false;
    local_len = (size_t)(at - address);
    lower(key, local_len);
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

    if (has_key(list, "*"))
        return true;
    return canonical_host(host, name) && has_domain(list, name);
}

/* --- Policies --- */

static bool meets_client(const struct network_list *list, const struct sockaddr *client)
{
    return list->text.count == 0 ||
           (client != NULL && networks_contain(list->items, list->count, client));
}

static bool meets_address(const struct pattern_list *list, const char *address)
{
    return list->text.count == 0 || pattern_list_has_address(list, address == NULL ? "" : address);
}

/* A recipient is never null: one that is not known is in no list, unless the list is for all. */
static bool meets_recipient(const struct pattern_list *list, const char *recipient)
{
    if (recipient == NULL || recipient[0] == '\0')
        return list->text.count == 0 || has_key(list, "*");
    return meets_address(list, recipient);
}

static bool meets_host(const struct pattern_list *list, const char *host)
{
    return list->text.count == 0 || pattern_list_has_host(list, host == NULL ? "" : host);
}

static bool meets_authenticated(enum policy_authenticated wanted, bool authenticated)
{
    return wanted == AUTHENTICATED_ANY || (wanted == AUTHENTICATED_YES) == authenticated;
}

const char *policy_mismatch(const struct policy *policy, const struct transaction *transaction)
{
    if (!meets_client(&policy->client, transaction->client))
        return "client";
    if (!meets_address(&policy->sender, transaction->sender))
        return "sender";
    if (!meets_recipient(&policy->recipient, transaction->recipient))
        return "recipient";
    if (!meets_host(&policy->helo, transaction->helo))
        return "helo";
    if (!meets_authenticated(policy->authenticated, transaction->authenticated))
        return "authenticated";
    return NULL;
}

bool policy_matches_all(const struct policy *policy)
{
    return policy->client.text.count == 0 && policy->sender.text.count == 0 &&
           policy->recipient.text.count == 0 && policy->helo.text.count == 0 &&
           policy->authenticated == AUTHENTICATED_ANY;
}

const struct policy *policy_match(const struct policy *policies, size_t count,
                                  const struct policy *fallback,
                                  const struct transaction *transaction)
{
    for (size_t i = 0; i < count; i++) {
        if (policy_mismatch(&policies[i], transaction) == NULL)
            return &policies[i];
    }
    return fallback;
}

static enum action action_for_unknown(const struct policy *policy, enum rb_reason reason)
{
    switch (reason) {
    case RB_REASON_GREYLISTED:
        return policy->on_greylisted;
    case RB_REASON_SPF_FAIL:
        return policy->on_spf_fail;
    case RB_REASON_EXEMPT:
        return ACTION_ACCEPT;
    default:
        return policy->on_unknown;
    }
}

enum action policy_action(const struct policy *policy, enum rb_verdict verdict,
                          enum rb_reason reason)
{
    switch (verdict) {
    case RB_VERDICT_VALID:
        return ACTION_ACCEPT;
    case RB_VERDICT_INVALID:
        return policy->on_invalid;
    case RB_VERDICT_UNKNOWN:
        break;
    }
    return action_for_unknown(policy, reason);
}

bool policy_verifies_sender(const struct policy *policy)
{
    return policy->verify == VERIFY_SENDER || policy->verify == VERIFY_BOTH;
}

bool policy_verifies_recipient(const struct policy *policy)
{
    return policy->verify == VERIFY_RECIPIENT || policy->verify == VERIFY_BOTH;
}

bool policy_acts_alike(const struct policy *a, const struct policy *b)
{
    return a == b || (policy_verifies_sender(a) == policy_verifies_sender(b) &&
                      a->on_invalid == b->on_invalid && a->on_unknown == b->on_unknown &&
                      a->on_greylisted == b->on_greylisted && a->on_spf_fail == b->on_spf_fail);
}

static bool refuses(enum action action)
{
    return action == ACTION_TEMPFAIL || action == ACTION_REJECT;
}

bool policy_may_refuse(const struct policy *policy)
{
    return refuses(policy->on_invalid) || refuses(policy->on_unknown) ||
           refuses(policy->on_greylisted) || refuses(policy->on_spf_fail);
}

bool policy_lets_catch_all_in(const struct policy *policy)
{
    return !refuses(policy_action(policy, RB_VERDICT_UNKNOWN, RB_REASON_CATCH_ALL));
}
