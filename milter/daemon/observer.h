/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * observer: what sessions do, counted (metrics.h), remembered for a while (history.h) and written
 * into the log. The log's keys are fixed: scripts depend on them. Any thread.
 */
#ifndef RB_MILTER_DAEMON_OBSERVER_H
#define RB_MILTER_DAEMON_OBSERVER_H

#include "session/envelope.h"

/* The daemon's, for session_world. */
extern const struct session_observer observer_of_sessions;

/* A decision's line, unless it has been written. queue_id: NULL or "" where not known. */
void observer_log(const struct session *session, struct decision *decision, const char *queue_id);

/* A whole connection is exempt, and no decision will say so. */
void observer_connection_exempt(const struct session *session, enum exemption exemption);

#endif
