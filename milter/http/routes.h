/* SPDX-License-Identifier: BSD-2-Clause */
/* routes: which resource stands at which path, and of which type it is. Any thread. */
#ifndef RB_MILTER_HTTP_ROUTES_H
#define RB_MILTER_HTTP_ROUTES_H

#include "http/resource.h"

struct route {
    const char *path, *type;
    http_resource_fn *write;
};

/* NULL: there is nothing. Static. */
const struct route *routes_find(const char *path);

#endif
