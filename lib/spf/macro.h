/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * macro: the macros of SPF (RFC 7208 7): whether a text of a record is a macro-string or a
 * domain-spec by the grammar, and the name that a domain-spec stands for. Hostile text. Pure.
 */
#ifndef RB_SPF_MACRO_H
#define RB_SPF_MACRO_H

#include "base/ip.h"
#include "base/span.h"
#include "ringback.h"

#include <stdbool.h>

/* What the macros stand for (RFC 7208 7.2), by their letters. The caller's; none is NULL. */
struct spf_macros {
    const struct ip *client;   /* c, i, v */
    const char *local;         /* l */
    const char *sender_domain; /* o */
    const char *domain;        /* d: the domain whose record this is */
    const char *helo;          /* h */
    const char *client_name;   /* p: a validated name, or "unknown" */
};

/* What a domain-spec looks at, beside domains and the client's address. */
enum spf_use {
    SPF_USES_SENDER = 1 << 0, /* the local part */
    SPF_USES_HELO = 1 << 1,
    SPF_USES_CLIENT_NAME = 1 << 2,
};

/* A macro-string, with the macros of explanations too. */
bool spf_macro_is_string(struct span text);

/* A domain-spec: a macro-string that ends in a macro or in a dot and a top label. */
bool spf_macro_is_domain_spec(struct span spec);

/* What a domain-spec looks at: enum spf_use, or'ed. */
unsigned spf_macro_uses(struct span spec);

/*
 * The name that a domain-spec stands for, in lower case, without a dot at its end, cut on the left
 * to what a name may be long (7.3). False where that is no name DNS can be asked for: it then does
 * not exist (4.3, 5).
 */
bool spf_macro_expand(struct span spec, const struct spf_macros *macros,
                      char name[RB_DOMAIN_MAX + 1]);

#endif
