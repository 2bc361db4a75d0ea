/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dns_answers: what name servers said a moment ago, as they said it, so that a burst of questions
 * about few domains asks them once. An answer is kept for its time to live (RFC 2181 8), and
 * DNS_ANSWERS_MAX_MS at most: what changes in DNS is to be seen soon, and the recursive server
 * keeps the rest. "No data" is kept as RFC 2308 5 has it; "no such name", failures, what was cut
 * off and what is broken never.
 *
 * Any thread may call at any time.
 */
#ifndef RB_DNS_ANSWERS_H
#define RB_DNS_ANSWERS_H

#include "deadline.h"

#include <arpa/nameser.h>
#include <stddef.h>
#include <stdint.h>

enum {
    DNS_ANSWERS_MAX_MS = 30000,
    DNS_ANSWERS_MAX = 4096,      /* entries; the oldest go first */
    DNS_ANSWERS_SIZE_MAX = 1232, /* octets of one: what fits a datagram (EDNS, in practice) */
};

struct dns_answers; /* opaque */

/* NULL: no memory. The clock must outlive them. */
struct dns_answers *dns_answers_new(const struct rb_clock *clock);

/* NULL is fine. */
void dns_answers_free(struct dns_answers *answers);

/*
 * The answer about a name, as it came from the wire, but for its id; its length, 0 where none is
 * kept that still holds. The name is in lower case and at most RB_DOMAIN_MAX octets long, here and
 * below.
 */
size_t dns_answers_find(struct dns_answers *answers, ns_type type, const char *name,
                        uint8_t octets[DNS_ANSWERS_SIZE_MAX]);

/*
 * Keeps an answer that has been read and is good, if it may be kept: in the place of an older one,
 * and for no time at all where memory runs out.
 */
void dns_answers_keep(struct dns_answers *answers, ns_type type, const char *name, ns_msg *msg);

#endif
