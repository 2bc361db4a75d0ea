/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shield: many different addresses of one domain asked about in a short time, mostly ones that do
 * not exist, mean that the domain is being forged in bulk, not that it sends mail. Callouts to it
 * then pause: for the owner that is unknown/limited, while what is cached goes on answering. It
 * ends by itself.
 *
 * Counted are different addresses: an address asked about again while it counts is no new one, but
 * its verdict may become known that way (greylisting). While a shield is up nothing is counted, and
 * when it ends the count begins anew.
 *
 * Bounded: domains, and addresses for each. When the table is full, the domain least recently noted
 * goes, and only where all shields are up the one that would have ended first. So a flood of other
 * domains can only delay a shield (it takes a callout to each of as many others as are not up to
 * forget what was counted of one), and takes down none that is up unless all domains_max are.
 *
 * A flood that raises shields of domains which do send mail only costs their new addresses a
 * verdict for a while. Pure: the time, wall clock or monotonic, is the caller's to tell, and always
 * of the same clock. Thread rule: no locks of its own; every call is made under the owner's lock.
 */
#ifndef RB_LIMITS_SHIELD_H
#define RB_LIMITS_SHIELD_H

#include "ringback.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SHIELD_ADDRESSES_MAX = 1000,     /* greater settings are taken for this; 16 octets each */
    SHIELD_WINDOW_MAX_S = 24 * 3600, /* likewise */
    SHIELD_HOLD_MAX_S = 24 * 3600,   /* however often it is raised again */
    SHIELD_SLIP_MAX_S = 3600,        /* a clock set back further than this ends a shield */
    SHIELD_SWEEP_STEPS = 4,          /* domains looked at when a domain is new */
};

struct shield_table;

/* Nothing noted; the caller's, to be freed with shield_free. NULL: no memory, or domains_max 0. */
struct shield_table *shield_new(size_t domains_max);

/* NULL is fine. */
void shield_free(struct shield_table *shield);

/*
 * Must callouts to the domain (canonical: lower case, A-labels) pause at now_s? Then *until_s, if
 * not NULL, is when they may go on. Where settings are off the caller does not ask: a shield that
 * was up before a reload still is.
 */
bool shield_is_up(const struct shield_table *shield, const char *domain, int64_t now_s,
                  int64_t *until_s);

/*
 * A callout has ended that told of an address of the domain; address_key is the canonical key, of
 * which only a hash is kept. True when this raises the shield: at least settings->addresses
 * different addresses were first asked about within the window, at least half of those with a
 * verdict (valid or invalid) are invalid, and at least a quarter of all. The shield is up for
 * hold_s; raised again no longer after its end than it was up, for twice as long as last time, up
 * to SHIELD_HOLD_MAX_S. A domain longer than RB_DOMAIN_MAX is not noted, nor any when memory runs
 * out.
 */
bool shield_note(struct shield_table *shield, const char *domain, const char *address_key,
                 enum rb_verdict verdict, const struct rb_shield_options *settings, int64_t now_s);

/* How many domains are kept, up or not. */
size_t shield_count(const struct shield_table *shield);

struct shield_up {
    char domain[RB_DOMAIN_MAX + 1];
    int64_t until_s;
};

/*
 * The domains whose shields are up at now_s, in no order. Returns how many there are (domains_max
 * at most), of which the first `size` are written to list (NULL is fine when size is 0).
 */
size_t shield_list_up(const struct shield_table *shield, int64_t now_s, struct shield_up *list,
                      size_t size);

#endif
