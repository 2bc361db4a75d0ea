/* SPDX-License-Identifier: BSD-2-Clause */
/* limits: rates and shield in their order; see limits.h. Knows no flight and no clock. */
#include "config.h"

#include "limits/limits.h"

#include <stdio.h>

enum { KEY_SIZE = RB_DOMAIN_MAX + 2 };

/* One rate that a question counts in. */
struct charge {
    const char *name;
    const struct rb_rate *rate;
    char key[KEY_SIZE]; /* "d" domain, "c" client, "g": one table serves them all */
};

enum rb_error limits_init(struct limits *limits)
{
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
    *limits = (struct limits){0};
}

static struct charge charge(const char *name, const struct rb_rate *rate, char kind,
                            const char *whose)
{
    struct charge made = {.name = name, .rate = rate};

    (void)snprintf(made.key, sizeof made.key, "%c%s", kind, whose);
    return made;
}

enum { CHARGES_MAX = 3 };

/* The rates that a question counts in; returns how many. */
static size_t list_charges(const struct rb_options *o, const struct limits_request *request,
                           struct charge charges[CHARGES_MAX])
{
    charges[0] = charge("per_domain_rate", &o->per_domain_rate, 'd', request->domain);
    charges[1] = charge("global_rate", &o->global_rate, 'g', "");
    charges[2] = charge("per_client_rate", &o->per_client_rate, 'c', request->client);
    return request->client[0] != '\0' ? 3 : 2;
}

const char *limits_forbids(const struct limits *limits, const struct rb_options *o,
                           const struct limits_request *request)
{
    struct charge charges[CHARGES_MAX];
    const size_t count = list_charges(o, request, charges);

    if (o->shield.addresses > 0 &&
        shield_is_up(limits->shield, request->domain, request->now_s, NULL))
        return "shield";
    for (size_t i = 0; i < count; i++)
        if (!rates_allow(limits->rates, charges[i].key, charges[i].rate, request->now_ms))
            return charges[i].name;
    return NULL;
}

const char *limits_refusal(struct limits *limits, const struct rb_options *o,
                           const struct limits_request *request)
{
    struct charge charges[CHARGES_MAX];
    const size_t count = list_charges(o, request, charges);
    const char *limit = limits_forbids(limits, o, request);

    for (size_t i = 0; i < count && limit == NULL; i++)
        (void)rates_take(limits->rates, charges[i].key, charges[i].rate, request->now_ms);
    return limit;
}
