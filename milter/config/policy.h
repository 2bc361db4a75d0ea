/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy: which of the configuration's policies a transaction falls under, and what is to be done
 * about a verdict. Pure: looks at plain data, asks nobody.
 *
 * Patterns for addresses: "user@dom", "dom" (exactly that domain), ".dom" (its subdomains alone),
 * "user@" (at any domain), "<>" (the null sender), "*" (any). For host names: "dom", ".dom",
 * "[192.0.2.1]", "*". Domains are compared in canonical form (lower case, A-labels), local parts
 * without regard to the case of ASCII letters.
 */
#ifndef RB_MILTER_CONFIG_POLICY_H
#define RB_MILTER_CONFIG_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "ringback.h"

/* From the mildest to the harshest. */
enum action { ACTION_ACCEPT = 0, ACTION_TAG, ACTION_QUARANTINE, ACTION_TEMPFAIL, ACTION_REJECT };

enum policy_verify { VERIFY_NONE = 0, VERIFY_SENDER, VERIFY_RECIPIENT, VERIFY_BOTH };

enum policy_authenticated { AUTHENTICATED_ANY = 0, AUTHENTICATED_NO, AUTHENTICATED_YES };

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

struct policy {
    char *name;
    struct network_list client;
    struct pattern_list sender, recipient, helo;
    enum policy_authenticated authenticated;
    enum policy_verify verify;
    enum action on_invalid, on_unknown, on_greylisted, on_spf_fail;
};

/* What is known of a transaction. */
struct transaction {
    const struct sockaddr *client; /* NULL: not known (local submission); in no list of networks */
    const char *helo;              /* as the client said it; NULL or "": not known */
    bool authenticated;
    const char *sender;    /* canonical key (address_key), "" for the null sender */
    const char *recipient; /* canonical key; "" or NULL: not known */
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

/* False: out of memory. */
bool network_list_add(struct network_list *list, const struct rb_network *network);
bool text_list_add(struct text_list *list, const char *text);

void text_list_fini(struct text_list *list);
void network_list_fini(struct network_list *list);
void pattern_list_fini(struct pattern_list *list);

/* Whether the list has a pattern for this address (canonical key or "") or host name. */
bool pattern_list_has_address(const struct pattern_list *list, const char *address);
bool pattern_list_has_host(const struct pattern_list *list, const char *host);

/*
 * The first criterion of the policy that the transaction does not meet: "client", "sender",
 * "recipient", "helo" or "authenticated". NULL: it meets them all. Static.
 */
const char *policy_mismatch(const struct policy *policy, const struct transaction *transaction);

/* True when the policy has no criterion at all. */
bool policy_matches_all(const struct policy *policy);

/* The first of the policies that the transaction meets, and fallback where it meets none. */
const struct policy *policy_match(const struct policy *policies, size_t count,
                                  const struct policy *fallback,
                                  const struct transaction *transaction);

/*
 * What to do about a verdict. valid and exempt: accept; greylisted and spf_fail have settings of
 * their own. Does not know of dry_run.
 */
enum action policy_action(const struct policy *policy, enum rb_verdict verdict,
                          enum rb_reason reason);

/* Whether any verdict makes the policy turn mail away, for now or for good. */
bool policy_may_refuse(const struct policy *policy);

/* Whether mail is let in where a domain accepts every address, as it is where the sender is valid. */
bool policy_lets_catch_all_in(const struct policy *policy);

/* Whether two policies come to the same in every case. */
bool policy_acts_alike(const struct policy *a, const struct policy *b);

/* Whether the policy has senders, or recipients, verified. */
bool policy_verifies_sender(const struct policy *policy);
bool policy_verifies_recipient(const struct policy *policy);

/* Names as in the configuration; static, "?" for a number out of range. */
const char *action_name(enum action action);
const char *policy_verify_name(enum policy_verify verify);

/* The same names in the order of the numbers, NULL at the end: for the reader of the configuration.
 */
extern const char *const action_names[];
extern const char *const policy_verify_names[];
extern const char *const policy_authenticated_names[];

#endif
