/* SPDX-License-Identifier: BSD-2-Clause */
/* health: see health.h. What is known already is told; the filter alone is asked, by mta_is_served. */
#include "config.h"

#include "http/health.h"

#include "daemon/service.h"

static bool (*is_served)(void); /* written by health_init alone */

void health_init(bool (*mta_is_served)(void))
{
    is_served = mta_is_served;
}

unsigned health_write(const struct http_request *request, FILE *out)
{
    const struct service_troubles troubles = service_troubles();
    const bool served = is_served();

    (void)request;
    if (!served)
        (void)fputs("milter socket: the MTA is not served\n", out);
    if (troubles.dns_is_silent)
        (void)fputs("resolver: no name server answers\n", out);
    if (troubles.store_is_lost)
        (void)fputs("store: the cache cannot be opened\n", out);
    if (troubles.writes_are_lost)
        (void)fputs("store: what is learned cannot be written\n", out);
    if (!served || troubles.dns_is_silent || troubles.store_is_lost || troubles.writes_are_lost)
        return 503;
    (void)fputs("ok\n", out);
    return 200;
}
