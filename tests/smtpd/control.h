/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control: a unix socket where tests ask for the counts and change the scenario: a line in, a line
 * of JSON out.
 */
#ifndef SMTPD_CONTROL_H
#define SMTPD_CONTROL_H

#include "server.h"

struct control;

/* Listens at path, in place of a socket that lies there. NULL: errno says why. */
struct control *control_open(struct server *srv, const char *path);

/* Closes it and its clients, and takes path away. NULL is allowed. */
void control_close(struct control *ctl);

#endif
