/* SPDX-License-Identifier: BSD-2-Clause */
/* classify_wait: how long a reply asks us to wait. Pure. */
#ifndef RB_SMTP_CLASSIFY_WAIT_H
#define RB_SMTP_CLASSIFY_WAIT_H

#include "smtp/reply.h"

/*
 * How long a reply asks us to wait: "in 300 seconds", "for 5 minutes", "back in 00:29:59", "(300
 * sec)". 0 where it does not say; a time of day, "within 4 hours" or a number alone is no wait.
 * Clamped to min_s..max_s.
 */
int wait_asked_s(const struct reply *reply, int min_s, int max_s);

#endif
