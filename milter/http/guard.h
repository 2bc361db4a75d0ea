/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guard: whether a request is meant for us: a page of somebody else's could have its name lead to
 * our address (DNS rebinding) and so read what we show; then the browser sends that name in Host.
 * Pure. Input is hostile. Any thread.
 */
#ifndef RB_MILTER_HTTP_GUARD_H
#define RB_MILTER_HTTP_GUARD_H

#include <stdbool.h>

#include "base/ip.h"
#include "config/lists.h"

enum guard_verdict {
    GUARD_OURS,
    GUARD_FOREIGN, /* a name or an address that is not ours */
    GUARD_WRONG,   /* neither a name nor an address */
};

/* What we are called. */
struct guard_names {
    const char *hostname, *machine; /* names; "" counts for nothing */
    const struct ip *local;         /* where the client has reached us; NULL: by a unix socket */
    const struct network_list *allowed; /* addresses in these are taken for ours, too */
};

/*
 * Judges "host" or "host:port" (RFC 9110 7.2), whatever the port: it may be that of a tunnel. Ours
 * are "localhost" and the names below it, loopback addresses, and what `names` has. By a unix
 * socket no browser comes: there every name is ours.
 */
enum guard_verdict guard_judge(const char *host, const struct guard_names *names);

#endif
