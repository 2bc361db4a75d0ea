/* SPDX-License-Identifier: BSD-2-Clause */
/* page: `/`, how the daemon is: what an admin leaves open. A resource (resource.h). */
#ifndef RB_MILTER_HTTP_PAGE_H
#define RB_MILTER_HTTP_PAGE_H

#include "http/resource.h"

unsigned page_write(const struct http_request *request, FILE *out);

#endif
