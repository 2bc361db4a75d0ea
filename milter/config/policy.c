/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy: see policy.h. The first policy of the file whose criteria are all met counts, and where
 * there is none, the default one. A criterion that a policy does not name is met by all.
 */
#include "config.h"

#include "config/policy.h"

#include "mail/netguard.h"

const char *const action_names[] = {"accept", "tag", "quarantine", "tempfail", "reject", NULL};
const char *const policy_verify_names[] = {"none", "sender", "recipient", "both", NULL};
const char *const policy_authenticated_names[] = {"any", "no", "yes", NULL};
const char *const originator_names[] = {"from", "reply-to", "sender", NULL};

const char *action_name(enum action action)
{
    return (unsigned)action <= ACTION_REJECT ? action_names[action] : "?";
}

const char *policy_verify_name(enum policy_verify verify)
{
    return (unsigned)verify <= VERIFY_BOTH ? policy_verify_names[verify] : "?";
}

static bool meets_client(const struct network_list *list, const struct sockaddr *client)
{
    return list->text.count == 0 ||
           (client != NULL && netguard_is_in_any(list->items, list->count, client));
}

static bool meets_address(const struct pattern_list *list, const char *address)
{
    return list->text.count == 0 || pattern_list_has_address(list, address == NULL ? "" : address);
}

/*
 * Unlike a sender, "" is no null recipient but an unknown one: it is in no list but one with "*".
 */
static bool meets_recipient(const struct pattern_list *list, const char *recipient)
{
    if (recipient == NULL || recipient[0] == '\0')
        return list->text.count == 0 || pattern_list_has_all(list);
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
    case RB_REASON_SPF_SOFTFAIL:
        return policy->on_spf_softfail;
    case RB_REASON_NOT_VOUCHED:
        return policy->on_not_vouched;
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
    return a == b ||
           (policy_verifies_sender(a) == policy_verifies_sender(b) && a->vouched == b->vouched &&
            a->on_invalid == b->on_invalid && a->on_unknown == b->on_unknown &&
            a->on_greylisted == b->on_greylisted && a->on_spf_fail == b->on_spf_fail &&
            a->on_spf_softfail == b->on_spf_softfail && a->on_not_vouched == b->on_not_vouched);
}

static bool refuses(enum action action)
{
    return action == ACTION_TEMPFAIL || action == ACTION_REJECT;
}

bool policy_may_refuse(const struct policy *policy)
{
    return refuses(policy->on_invalid) || refuses(policy->on_unknown) ||
           refuses(policy->on_greylisted) || refuses(policy->on_spf_fail) ||
           refuses(policy->on_spf_softfail) || refuses(policy->on_not_vouched);
}

/* The header fields for whose sake the policy turns a message away. */
static unsigned refusing_fields(const struct policy *policy, unsigned fields)
{
    return refuses(policy->on_header_invalid) ? fields : 0;
}

bool policy_headers_act_alike(const struct policy *a, unsigned a_fields, const struct policy *b,
                              unsigned b_fields)
{
    const unsigned fields = refusing_fields(a, a_fields);

    return fields == refusing_fields(b, b_fields) &&
           (fields == 0 ||
            (a->on_header_invalid == b->on_header_invalid && a->vouched == b->vouched));
}

bool policy_lets_catch_all_in(const struct policy *policy)
{
    return !refuses(policy_action(policy, RB_VERDICT_UNKNOWN, RB_REASON_CATCH_ALL));
}
