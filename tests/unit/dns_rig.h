/* SPDX-License-Identifier: BSD-2-Clause */
/* dns_rig: a scripted name server and a resolver that asks it, for tests of what is looked up. */
#ifndef RB_DNS_RIG_H
#define RB_DNS_RIG_H

#include "dns/dns.h"
#include "fake_dns.h"

struct dns_rig {
    struct fake_dns *fake;
    struct dns *dns;
};

/* The table must outlive it. */
struct dns_rig dns_rig_start(const struct fake_dns_row *rows, size_t count);
void dns_rig_stop(struct dns_rig *rig);

/* The IP address written so, port 0. */
struct sockaddr_storage dns_rig_address(const char *text);

#endif
