/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * health: /healthz: whether the daemon can do its work: 200 and "ok", or 503 and what is wrong, a
 * line each.
 */
#ifndef RB_MILTER_HTTP_HEALTH_H
#define RB_MILTER_HTTP_HEALTH_H

#include <stdbool.h>

#include "http/resource.h"

/*
 * Who knows whether the MTA is served, and takes half a second at most to find out. Before the server
 * starts.
 */
void health_init(bool (*mta_is_served)(void));

unsigned health_write(const struct http_request *request, FILE *out);

#endif
