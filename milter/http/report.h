/* SPDX-License-Identifier: BSD-2-Clause */
/* report: /status.json: what `ringback status --json` prints. */
#ifndef RB_MILTER_HTTP_REPORT_H
#define RB_MILTER_HTTP_REPORT_H

#include "http/resource.h"

unsigned report_write(const struct http_request *request, FILE *out);

#endif
