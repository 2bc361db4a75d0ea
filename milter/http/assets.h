/* SPDX-License-Identifier: BSD-2-Clause */
/* assets: the pages' style sheet and script, compiled in. Resources (resource.h). */
#ifndef RB_MILTER_HTTP_ASSETS_H
#define RB_MILTER_HTTP_ASSETS_H

#include "http/resource.h"

unsigned assets_style(const struct http_request *request, FILE *out);  /* text/css */
unsigned assets_script(const struct http_request *request, FILE *out); /* text/javascript */

#endif
