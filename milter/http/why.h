/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * why: `/why?address=...`, the helpdesk's question: what is known of an address, who said so and
 * when, until when it counts, and what would be done. A resource (resource.h). 200, or 400: it is
 * no address, or 404: nothing is known of it.
 */
#ifndef RB_MILTER_HTTP_WHY_H
#define RB_MILTER_HTTP_WHY_H

#include "http/resource.h"

unsigned why_write(const struct http_request *request, FILE *out);

#endif
