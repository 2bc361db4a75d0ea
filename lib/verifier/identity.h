/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * identity: whether we are who we say we are, as the mail hosts we call see it: the EHLO name
 * resolves to an address we call from, and each such address has a PTR record whose name resolves
 * back to it (RFC 5321 4.1.4, RFC 1912 2.1). Many hosts refuse callers of whom that is not so. Only
 * advice comes of it.
 */
#ifndef RB_VERIFIER_IDENTITY_H
#define RB_VERIFIER_IDENTITY_H

#include "base/clock.h"
#include "options/options.h"
#include "ringback.h"

#include <stddef.h>

struct dns;

enum {
    IDENTITY_ADDRESSES_MAX = 8, /* whose PTR records are looked at */
    IDENTITY_NAMES_MAX = 4,     /* of one address */
    IDENTITY_WARNINGS_MAX = IDENTITY_ADDRESSES_MAX + 1,
    IDENTITY_WARNING_SIZE = 1024, /* room for two names and what there is to say of them */
};

/* Plain data. Each warning is a sentence in printable ASCII: what is wrong, what would be right. */
struct identity {
    size_t count;
    char warning[IDENTITY_WARNINGS_MAX][IDENTITY_WARNING_SIZE];
};

/*
 * We call from options->bind, or else from the machine's own addresses (own_count of them, each a
 * /128), of the IP version that is called. Only those that the Internet can see are looked at;
 * where there is none (behind address translation), no more can be said than whether the EHLO name
 * resolves at all. What could not be looked up is reported as just that. At most 2 + 8 * (1 + 4)
 * questions, within `until` as dns.h has it. Any thread.
 */
void identity_check(const struct dns *dns, const struct options *options,
                    const struct rb_network *own, size_t own_count, deadline until,
                    struct identity *identity);

#endif
