/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * limits: may this question be asked of the world now? The rates (of a domain, of one client,
 * over all) and the shield over domains that are being forged in bulk. What is refused here is
 * unknown/limited at once: nobody is called, nobody waits.
 *
 * Thread rule: no locks of its own; every call is made under the owner's lock.
 */
#ifndef RB_LIMITS_LIMITS_H
#define RB_LIMITS_LIMITS_H

#include "limits/rates.h"
#include "ringback.h"
#include "limits/shield.h"

enum {
    LIMITS_BUCKETS_MAX = 65536, /* domains and clients whose rate is remembered */
    LIMITS_SHIELDS_MAX = 4096,  /* domains whose addresses are counted */
};

struct limits {
    struct rates *rates;
    struct shield_table *shield;
};

/* Who would be asked, for whom. */
struct limits_request {
    const char *domain;
    const char *client; /* rates_client_key; "" where nobody's rate is to be charged */
    int64_t now_ms;     /* monotonic */
    int64_t now_s;      /* wall clock */
};

/* RB_ERR_NOMEM: nothing was made. */
enum rb_error limits_init(struct limits *limits);
void limits_fini(struct limits *limits);

/*
 * NULL: it may be asked. Else the name of the limit that forbids it: "shield", "per_domain_rate",
 * "per_client_rate", "global_rate". Static. Nothing is counted.
 */
const char *limits_forbids(const struct limits *limits, const struct rb_options *o,
                           const struct limits_request *request);

/* The same; what may be asked is counted in every rate. */
const char *limits_refusal(struct limits *limits, const struct rb_options *o,
                           const struct limits_request *request);

#endif
