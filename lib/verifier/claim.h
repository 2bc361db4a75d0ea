/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * claim: whom a client claims to be, and who can say whether it is: the hosts to be asked, in their
 * order, and the line that is said to them (extension/verbs.h). Made of a rb_client_question and
 * nothing else: asks nobody. Owned by the question that is put to the host whose turn it is.
 */
#ifndef RB_VERIFIER_CLAIM_H
#define RB_VERIFIER_CLAIM_H

#include "cache/keys.h"
#include "extension/verbs.h"
#include "limits/rates.h"
#include "mail/relay.h"
#include "ringback.h"
#include "verifier/checks.h"

enum { CLAIM_TARGETS_MAX = 2 };

/* One who can be asked. */
struct claim_target {
    enum rb_client_target kind;     /* RB_TARGET_NONE: the one that the question names */
    char host[RB_DOMAIN_MAX + 1];   /* as it is told; whose rate is used */
    char relay[RELAY_HOST_MAX + 1]; /* where it is asked; "": at the mail hosts of `host` */
    char key[CACHE_KEY_MAX + 1];    /* of what is known of its verbs */
};

struct claim {
    char line[VERBS_AYTTM_MAX + 1];
    sa_family_t family; /* of the client; AF_UNSPEC: not known */
    bool no_cache, transcript;
    char client[RATES_CLIENT_KEY_SIZE]; /* whose rate is used; "": nobody's */
    bool passes_gate;           /* it is asked for a client that the gate knows nothing of */
    struct spf_subject subject; /* the client, its HELO name, and the sender's domain */
    bool helo_is_literal, helo_is_client; /* an address; the client's own */
    const char *why_none;                 /* there is no target, or one of them is none; static, */
    bool is_nowhere;                      /* and that is for want of such a host */
    unsigned count, at;                   /* targets, and the one whose turn it is */
    struct claim_target targets[CLAIM_TARGETS_MAX];
    char only_mx[RB_DOMAIN_MAX + 1]; /* it is asked in a session of the sender's domain with this
                                        mail host, which it is; "": it is not */
    unsigned identity;               /* that the gate is asked about next */
    enum rb_client_result result;
};

/* RB_ERR_ARGUMENT, RB_ERR_NOMEM as rb_ask_client. On RB_OK *claim is the caller's, for free(). */
enum rb_error claim_new(const struct rb_client_question *asked, struct claim **claim);

/* The target whose turn it is; there is one: at < count. */
const struct claim_target *claim_target(const struct claim *claim);

/* What equal questions have in common. False: it is too long, and equal to none. */
bool claim_key(const struct claim *claim, char key[CACHE_KEY_MAX + 1]);

/*
 * The next identity that SPF is to be asked about for the target whose turn it is: the HELO name
 * (RFC 7208 2.3), and for the mail hosts of the sender's domain that domain too. False: no other.
 * The question points into the claim.
 */
bool claim_next_identity(struct claim *claim, struct spf_question *question);

#endif
