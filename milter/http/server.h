/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * server: serves by HTTP what routes has, in one thread, with an event loop of its own around
 * libmicrohttpd. It reads the rooms below as any other thread does, and none of them waits for it:
 * whatever a client does, mail is not touched.
 */
#ifndef RB_MILTER_HTTP_SERVER_H
#define RB_MILTER_HTTP_SERVER_H

#include <stdbool.h>

#include "config/configuration.h"

enum {
    HTTP_ERROR_SIZE = 512,
    HTTP_END_MS = 1000, /* for answers under way when the daemon ends */
};

/*
 * Listens where `http` says and starts the thread; nothing where it is "". mta_is_served: see
 * health_init. 0, or an exit status (sysexits.h: 69 where the place is taken) with error set. After
 * service_start, as the user the daemon runs as.
 */
int http_start(const struct config *config, bool (*mta_is_served)(void),
               char error[HTTP_ERROR_SIZE]);

/* Ends the thread and removes the socket. Nothing where none was started. */
void http_stop(void);

#endif
