/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * greylist: when each triplet was first seen at each host. Bounded: beyond GREYLIST_MAX the oldest
 * goes.
 */
#ifndef SMTPD_GREYLIST_H
#define SMTPD_GREYLIST_H

#include <stdint.h>

#define GREYLIST_MAX 262144

struct greylist;

struct greylist *greylist_new(void);
void greylist_free(struct greylist *g);

/* How long ago the triplet was first seen at this host, in microseconds; 0: now. */
int64_t greylist_age_us(struct greylist *g, const char *host_ip, const char *client_ip,
                        const char *sender, const char *rcpt);

void greylist_forget(struct greylist *g);

#endif
