/* SPDX-License-Identifier: BSD-2-Clause */
/* status: what the daemon tells of itself, as JSON. Any thread. */
#ifndef RB_STATUS_H
#define RB_STATUS_H

#include <jansson.h>

/* The caller's (json_decref). */
json_t *status_object(void);

#endif
