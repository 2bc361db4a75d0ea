/* SPDX-License-Identifier: BSD-2-Clause */
/* routes: see routes.h. */
#include "config.h"

#include "http/routes.h"

#include <stddef.h>
#include <string.h>

#include "http/assets.h"
#include "http/exposition.h"
#include "http/health.h"
#include "http/page.h"
#include "http/report.h"
#include "http/why.h"

static const struct route routes[] = {
    {"/", "text/html; charset=utf-8", page_write},
    {"/healthz", "text/plain; charset=utf-8", health_write},
    {"/metrics", EXPOSITION_TYPE, exposition_write},
    {"/script.js", "text/javascript; charset=utf-8", assets_script},
    {"/status.json", "application/json", report_write},
    {"/style.css", "text/css; charset=utf-8", assets_style},
    {"/why", "text/html; charset=utf-8", why_write},
};

const struct route *routes_find(const char *path)
{
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++)
        if (strcmp(routes[i].path, path) == 0)
            return &routes[i];
    return NULL;
}
