/* SPDX-License-Identifier: BSD-2-Clause */
/* report: see report.h. */
#include "config.h"

#include "http/report.h"

#include "daemon/status.h"

unsigned report_write(const struct http_request *request, FILE *out)
{
    json_t *object = status_object();
    int result = -1;

    (void)request;
    if (object != NULL)
        result = json_dumpf(object, out, JSON_COMPACT);
    (void)fputc('\n', out);
    json_decref(object);
    return result == 0 ? 200 : 503;
}
