/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record: an SPF record as strangers publish it (RFC 7208 4.5, 4.6.1, 5, 6, 12), term by term.
 * Pure.
 */
#ifndef RB_SPF_RECORD_H
#define RB_SPF_RECORD_H

#include "base/ip.h"
#include "base/span.h"

#include <stdbool.h>

enum {
    SPF_RECORD_MAX = 4096, /* octets of a record; RFC 7208 3.4 wants them below 450 */
    SPF_TERMS_MAX = 512,   /* directives and modifiers of a record */
};

enum spf_kind {
    SPF_ALL,
    SPF_INCLUDE,
    SPF_A,
    SPF_MX,
    SPF_PTR,
    SPF_IP4,
    SPF_IP6,
    SPF_EXISTS,
    SPF_REDIRECT, /* this and what follows are modifiers */
    SPF_EXP,
    SPF_OTHER,
};

struct spf_term {
    struct span text; /* as it stands in the record */
    enum spf_kind kind;
    char qualifier;     /* of a mechanism: '+', '-', '?' or '~' */
    struct span domain; /* its domain-spec; empty: none */
    struct ip network;  /* ip4, ip6 */
    unsigned v4_bits;   /* of a, mx, ip4: of the network that matches; 0 to 32 */
    unsigned v6_bits;   /* of a, mx, ip6; 0 to 128 */
};

/* Whether it is an SPF record at all, good or bad: "v=spf1" and a space or nothing (4.5). */
bool spf_record_is_one(struct span text);

/*
 * Whether a record is one by the grammar of RFC 7208 12, all of it, and within the ceilings above;
 * *term is the first that is at fault (its text alone; empty where it is no single one's fault).
 */
bool spf_record_is_good(struct span record, struct spf_term *term);

/* What is behind the version of a record. */
struct span spf_record_terms(struct span record);

/*
 * Takes the next term off. False: there is none any more, or it is none by the grammar; the latter
 * sets its text alone, and never happens in a record that is good.
 */
bool spf_record_next(struct span *rest, struct spf_term *term);

#endif
