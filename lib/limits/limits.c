/* SPDX-License-Identifier: BSD-2-Clause */
/* limits: rates and shield in their order; see limits.h. Knows no question under way, and no
 * clock. */
#include "config.h"

#include "limits/limits.h"

#include "base/ip.h"

#include <stdio.h>

enum { KEY_SIZE = RB_DOMAIN_MAX + 2 };

/* One rate that a question counts in. */
struct charge {
    enum rb_limit limit;
    const struct rb_rate *rate;
    char key[KEY_SIZE]; /* "d" domain, "c" client, "g": one table serves them all */
};

enum rb_error limits_init(struct limits *limits)
{
    pthread_mutex_init(&limits->lock, NULL);
    limits->rates = rates_new(LIMITS_BUCKETS_MAX);
    limits->shield = shield_new(LIMITS_SHIELDS_MAX);
    if (limits->rates != NULL && limits->shield != NULL)
        return RB_OK;
    limits_fini(limits);
    return RB_ERR_NOMEM;
}

void limits_fini(struct limits *limits)
{
    rates_free(limits->rates);
    shield_free(limits->shield);
    pthread_mutex_destroy(&limits->lock);
    *limits = (struct limits){0};
}

static struct charge charge(enum rb_limit limit, const struct rb_rate *rate, char kind,
                            const char *whose)
{
    struct charge made = {.limit = limit, .rate = rate};

    (void)snprintf(made.key, sizeof made.key, "%c%s", kind, whose);
    return made;
}

enum { CHARGES_MAX = 3 };

/* The rates that a question counts in; returns how many. */
static size_t list_charges(const struct rb_options *o, const struct limits_request *request,
                           struct charge charges[CHARGES_MAX])
{
    charges[0] = charge(RB_LIMIT_DOMAIN_RATE, &o->per_domain_rate, 'd', request->domain);
    charges[1] = charge(RB_LIMIT_GLOBAL_RATE, &o->global_rate, 'g', "");
    charges[2] = charge(RB_LIMIT_CLIENT_RATE, &o->per_client_rate, 'c', request->client);
    return request->client[0] != '\0' ? 3 : 2;
}

/* Which limit forbids it. Under the lock. */
static enum rb_limit find_limit(const struct limits *limits, const struct rb_options *o,
                                const struct limits_request *request, const struct charge *charges,
                                size_t count)
{
    if (o->shield.addresses > 0 &&
        shield_is_up(limits->shield, request->domain, request->now_s, NULL))
        return RB_LIMIT_SHIELD;
    for (size_t i = 0; i < count; i++)
        if (!rates_allow(limits->rates, charges[i].key, charges[i].rate, request->now_ms))
            return charges[i].limit;
    return RB_LIMIT_NONE;
}

static enum rb_limit look(struct limits *limits, const struct rb_options *o,
                          const struct limits_request *request, bool charges_it)
{
    struct charge charges[CHARGES_MAX];
    const size_t count = list_charges(o, request, charges);
    enum rb_limit limit;

    pthread_mutex_lock(&limits->lock);
    limit = find_limit(limits, o, request, charges, count);
    for (size_t i = 0; i < count && charges_it && limit == RB_LIMIT_NONE; i++)
        (void)rates_take(limits->rates, charges[i].key, charges[i].rate, request->now_ms);
    pthread_mutex_unlock(&limits->lock);
    return limit;
}

enum rb_limit limits_forbids(struct limits *limits, const struct rb_options *o,
                             const struct limits_request *request)
{
    return look(limits, o, request, false);
}

enum rb_limit limits_admit(struct limits *limits, const struct rb_options *o,
                           const struct limits_request *request)
{
    return look(limits, o, request, true);
}

bool limits_admit_host(struct limits *limits, const struct rb_options *o, const char *ip,
                       int64_t now_ms)
{
    char network[RATES_CLIENT_KEY_SIZE] = "";
    struct sockaddr_storage address;
    struct charge calls;
    bool allowed;

    if (ip_sockaddr_parse(ip, &address))
        rates_client_key((const struct sockaddr *)&address, network, sizeof network);
    calls = charge(RB_LIMIT_DOMAIN_RATE, &o->per_domain_rate, 'd', network);
    pthread_mutex_lock(&limits->lock);
    allowed = rates_allow(limits->rates, calls.key, calls.rate, now_ms);
    if (allowed)
        (void)rates_take(limits->rates, calls.key, calls.rate, now_ms);
    pthread_mutex_unlock(&limits->lock);
    return allowed;
}

void limits_note(struct limits *limits, const char *domain, const char *address_key,
                 enum rb_verdict verdict, const struct rb_shield_options *options, int64_t now_s)
{
    pthread_mutex_lock(&limits->lock);
    (void)shield_note(limits->shield, domain, address_key, verdict, options, now_s);
    pthread_mutex_unlock(&limits->lock);
}

size_t limits_list_shields(struct limits *limits, int64_t now_s, struct shield_up *list,
                           size_t size)
{
    size_t count;

    pthread_mutex_lock(&limits->lock);
    count = shield_list_up(limits->shield, now_s, list, size);
    pthread_mutex_unlock(&limits->lock);
    return count;
}

size_t limits_list_rates(struct limits *limits, int64_t now_ms, struct rates_limited *list,
                         size_t size)
{
    size_t count;

    pthread_mutex_lock(&limits->lock);
    count = rates_list_limited(limits->rates, now_ms, list, size);
    pthread_mutex_unlock(&limits->lock);
    return count;
}
