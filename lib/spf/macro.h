/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spf_macro: the macros of SPF (RFC 7208 7): whether a text of a record is a macro-string or a
 * domain-spec by the grammar, and the name that a domain-spec stands for. Hostile text. Pure.
 */
#ifndef RB_SPF_MACRO_H
#define RB_SPF_MACRO_H

#include "ringback.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

/* A part of somebody else's text; not terminated. */
struct spf_span {
    const char *at;
    size_t len;
};

/* Not isalpha() and its kin: those ask the locale. */
static inline bool spf_is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline bool spf_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool spf_is_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

/* What the macros stand for (RFC 7208 7.2). The pointers are the caller's; none is NULL. */
struct spf_macros {
    const struct sockaddr *client; /* AF_INET or AF_INET6 */
    const char *local;             /* l */
    const char *sender_domain;     /* o */
    const char *domain;            /* d: the domain whose record this is */
    const char *helo;              /* h */
    const char *client_name;       /* p: a validated name, or "unknown" */
};

/* What a domain-spec looks at, beside domains and the client's address. */
enum spf_use {
    SPF_USES_SENDER = 1 << 0, /* the local part */
    SPF_USES_HELO = 1 << 1,
    SPF_USES_CLIENT_NAME = 1 << 2,
};

/* A macro-string, with the macros of explanations too. */
bool spf_is_macro_string(struct spf_span text);

/* A domain-spec: a macro-string that ends in a macro or in a dot and a top label. */
bool spf_is_domain_spec(struct spf_span spec);

/* enum spf_use, for a domain-spec. */
unsigned spf_domain_uses(struct spf_span spec);

/*
 * The name that a domain-spec stands for, in lower case, without a dot at its end, cut on the left
 * to what a name may be long (7.3). False where that is no name DNS can be asked for: it then does
 * not exist (4.3, 5).
 */
bool spf_domain_expand(struct spf_span spec, const struct spf_macros *macros,
                       char name[RB_DOMAIN_MAX + 1]);

#endif
