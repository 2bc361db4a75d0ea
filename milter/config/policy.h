/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy: which of the configuration's policies a transaction falls under, and what is to be done
 * about a verdict. Pure: looks at plain data, asks nobody.
 */
#ifndef RB_MILTER_CONFIG_POLICY_H
#define RB_MILTER_CONFIG_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "config/lists.h"
#include "ringback.h"

/* From the mildest to the harshest. */
enum action { ACTION_ACCEPT = 0, ACTION_TAG, ACTION_QUARANTINE, ACTION_TEMPFAIL, ACTION_REJECT };

enum policy_verify { VERIFY_NONE = 0, VERIFY_SENDER, VERIFY_RECIPIENT, VERIFY_BOTH };

/* The originator fields of a message (RFC 5322 3.6.2). */
enum originator_field { ORIGINATOR_FROM = 0, ORIGINATOR_REPLY_TO, ORIGINATOR_SENDER, ORIGINATORS };

enum policy_authenticated { AUTHENTICATED_ANY = 0, AUTHENTICATED_NO, AUTHENTICATED_YES };

struct policy {
    char *name;
    struct network_list client;
    struct pattern_list sender, recipient, helo;
    enum policy_authenticated authenticated;
    enum policy_verify verify;
    enum action on_invalid, on_unknown, on_greylisted;
    enum action on_spf_fail, on_spf_softfail, on_not_vouched; /* what the gate held back */
    bool vouched; /* its clients may send for whatever domain: the gate is open for them */
    unsigned verify_headers; /* a set: bit 1 << field for each enum originator_field */
    enum action on_header_invalid;
};

/* What is known of a transaction. */
struct transaction {
    const struct sockaddr *client; /* NULL: not known (local submission); in no list of networks */
    const char *helo;              /* as the client said it; NULL or "": not known */
    bool authenticated;
    const char *sender;    /* canonical key (address_key), "" for the null sender */
    const char *recipient; /* canonical key; "" or NULL: not known */
};

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
 * What to do about a verdict. valid and exempt: accept; greylisted and what the gate held back
 * (spf_fail, spf_softfail, not_vouched) have settings of their own. Does not know of dry_run.
 */
enum action policy_action(const struct policy *policy, enum rb_verdict verdict,
                          enum rb_reason reason);

/* Whether any verdict makes the policy turn mail away, for now or for good. */
bool policy_may_refuse(const struct policy *policy);

/*
 * Whether mail is let in where a domain accepts every address, as it is where the sender is valid.
 */
bool policy_lets_catch_all_in(const struct policy *policy);

/* Whether two policies come to the same in every case: they have the same found out, and act alike
 * on it. */
bool policy_acts_alike(const struct policy *a, const struct policy *b);

/*
 * Whether two policies that have these header fields verified (bits of enum originator_field) would
 * turn the same messages away for them.
 */
bool policy_headers_act_alike(const struct policy *a, unsigned a_fields, const struct policy *b,
                              unsigned b_fields);

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
extern const char *const originator_names[]; /* "from": the name of the field, too */

#endif
