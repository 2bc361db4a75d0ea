/* SPDX-License-Identifier: BSD-2-Clause */
/* access: from which addresses clients are heard at all. Pure. Any thread. */
#ifndef RB_MILTER_HTTP_ACCESS_H
#define RB_MILTER_HTTP_ACCESS_H

#include <stdbool.h>
#include <sys/socket.h>

#include "config/lists.h"

/* From a unix socket, a loopback address, or one in the networks allowed. */
bool access_is_allowed(const struct network_list *allowed, const struct sockaddr *peer);

#endif
