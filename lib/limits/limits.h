/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * limits: may this question be asked of the world now? The rates (of a domain, of one client,
 * over all) and the shield over domains that are being forged in bulk. What is refused here is
 * unknown/limited at once: nobody is called, nobody waits.
 *
 * Owns: both tables. Lock: one, its own, over both; nothing else is locked, or called, under it.
 * Thread rule: every function may be called from any thread, but init and fini.
 */
#ifndef RB_LIMITS_LIMITS_H
#define RB_LIMITS_LIMITS_H

#include "limits/rates.h"
#include "ringback.h"
#include "limits/shield.h"

#include <pthread.h>

enum {
    LIMITS_BUCKETS_MAX = 65536, /* domains and clients whose rate is remembered */
    LIMITS_SHIELDS_MAX = 4096,  /* domains whose addresses are counted */
};

struct limits {
    pthread_mutex_t lock; /* covers what is in both tables */
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

/* A zeroed one is fine. */
void limits_fini(struct limits *limits);

/*
 * RB_LIMIT_NONE: it may be asked. Else the limit that forbids it: the shield or a rate. Nothing is
 * counted.
 */
enum rb_limit limits_forbids(struct limits *limits, const struct rb_options *o,
                             const struct limits_request *request);

/* The same; what may be asked is counted in every rate. */
enum rb_limit limits_admit(struct limits *limits, const struct rb_options *o,
                           const struct limits_request *request);

/*
 * Whether the host at this address may be called once more, by whatever name: as a domain may, by
 * per_domain_rate. That is counted then. IPv6 by /64.
 */
bool limits_admit_host(struct limits *limits, const struct rb_options *o, const char *ip,
                       int64_t now_ms);

/* A mail host has told of an address of the domain: shield_note. */
void limits_note(struct limits *limits, const char *domain, const char *address_key,
                 enum rb_verdict verdict, const struct rb_shield_options *options, int64_t now_s);

/* What is held back now: shield_list_up, rates_list_limited. */
size_t limits_list_shields(struct limits *limits, int64_t now_s, struct shield_up *list,
                           size_t size);
size_t limits_list_rates(struct limits *limits, int64_t now_ms, struct rates_limited *list,
                         size_t size);

#endif
