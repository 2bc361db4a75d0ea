/* SPDX-License-Identifier: BSD-2-Clause */
/* load: the configuration, as much of it as a verb needs. */
#ifndef RB_MILTER_TOOL_LOAD_H
#define RB_MILTER_TOOL_LOAD_H

#include "config/configuration.h"

/*
 * The configuration of -c FILE (path), or of the usual place; where that has none and path is NULL,
 * the defaults. What is wrong in it, but not in what `scope` needs, is warned of. EX_OK and a
 * reference of the caller's, or an exit status, having said why.
 */
int load_config(const char *path, enum config_scope scope, struct config **config);

#endif
