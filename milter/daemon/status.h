/* SPDX-License-Identifier: BSD-2-Clause */
/* status: what the daemon tells of itself, and of what it would do, as JSON. Any thread. */
#ifndef RB_MILTER_DAEMON_STATUS_H
#define RB_MILTER_DAEMON_STATUS_H

#include <jansson.h>

/* The caller's (json_decref). */
json_t *status_object(void);

/*
 * What would be done with a transaction: explain_object's result for the request, which is its
 * text, and beside it "pid", "config" (the file), "config_dev", "config_ino" (whatever is there
 * now), "config_age_s" and "config_changed" (whether the file has been written since it was read).
 * The caller's; NULL: no memory.
 */
json_t *status_explain(const char *request);

#endif
