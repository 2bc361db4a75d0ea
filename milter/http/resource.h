/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * resource: what can be read by HTTP, and what was asked of it. The server knows the wire, a
 * resource what is to be told; routes has the table of both.
 */
#ifndef RB_MILTER_HTTP_RESOURCE_H
#define RB_MILTER_HTTP_RESOURCE_H

#include <stdio.h>

struct http_request; /* the server's */

/* The value of the query's argument of that name; "" where it has none, NULL: it is not there. The
 * request's. */
const char *http_argument(const struct http_request *request, const char *name);

/*
 * Writes the whole body, from memory, and returns the status (RFC 9110 15): 200, 400, 404, 503.
 * In the server's thread; waits for nobody (but for health), and holds no lock while it writes.
 */
typedef unsigned http_resource_fn(const struct http_request *request, FILE *out);

#endif
