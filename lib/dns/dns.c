/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dns: see the header.
 *
 * Owns: the name servers and the answers that are kept; each has its own lock, or atomics. No lock
 * of its own.
 */
#include "config.h"

#include "dns/dns.h"

#include <stdlib.h>

#include "dns/query.h"

enum rb_error dns_open(const char *const *servers, size_t count, const struct rb_clock *clock,
                       int cancel_fd, struct dns **dns)
{
    struct dns *opened = calloc(1, sizeof *opened);
    enum rb_error error = RB_ERR_NOMEM;

    *dns = NULL;
    if (opened == NULL)
        return RB_ERR_NOMEM;
    opened->clock = clock;
    opened->cancel_fd = cancel_fd;
    opened->hosts = dns_answers_new(clock, &dns_answers_of_hosts);
    opened->records = dns_answers_new(clock, &dns_answers_of_records);
    if (opened->hosts != NULL && opened->records != NULL)
        error = dns_servers_open(servers, count, clock, &opened->servers);
    if (error == RB_OK)
        *dns = opened;
    else
        dns_close(opened);
    return error;
}

void dns_close(struct dns *dns)
{
    if (dns == NULL)
        return;
    dns_servers_close(dns->servers);
    dns_answers_free(dns->hosts);
    dns_answers_free(dns->records);
    free(dns);
}

void dns_set_watch(struct dns *dns, const struct dns_watch *watch)
{
    dns_servers_set_watch(dns->servers, watch);
}

void dns_look(const struct dns *dns, struct dns_servers_view *view)
{
    dns_servers_look(dns->servers, view);
}
