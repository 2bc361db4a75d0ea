/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * exposition: /metrics: the daemon's numbers in Prometheus's text format (version 0.0.4). Which
 * families there are is in exposition_families.def, for people in ringback-milter(8), METRICS. The
 * cache is not walked for it, but for the hosts that failed, every EXPOSITION_HELD_S at most.
 */
#ifndef RB_MILTER_HTTP_EXPOSITION_H
#define RB_MILTER_HTTP_EXPOSITION_H

#include "http/resource.h"

#define EXPOSITION_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum { EXPOSITION_HELD_S = 10 /* for so long a count of what is held back is good */ };

unsigned exposition_write(const struct http_request *request, FILE *out);

#endif
