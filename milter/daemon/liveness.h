/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * liveness: whether the daemon makes progress, told by what can be seen of it from time to time.
 * That nothing is done where nothing is to do is no standstill; neither is that a host, or this
 * machine, is slow.
 *
 * Pure: the time is the caller's to tell, in milliseconds on a monotonic scale. One thread.
 */
#ifndef RB_MILTER_DAEMON_LIVENESS_H
#define RB_MILTER_DAEMON_LIVENESS_H

#include <stdbool.h>
#include <stdint.h>

/* Beyond total_timeout, for name servers and sessions that are kept open. */
enum { LIVENESS_SLACK_MS = 120000 };

/* What is seen at a look. */
struct liveness_sight {
    int64_t now_ms;
    bool answered;            /* the filter, one who asked at its socket, since the last look */
    uint64_t clients;         /* of MTAs that it has heard of, ever */
    uint64_t under_way;       /* callouts */
    uint64_t done;            /* sessions begun and questions answered by callouts, ever */
    int64_t total_timeout_ms; /* of one session of a callout */
};

enum liveness_state {
    LIVENESS_GOOD,
    LIVENESS_FILTER_SILENT,  /* nobody has been let in at the MTA's socket since the last look */
    LIVENESS_CALLOUTS_STUCK, /* none has got on for longer than the slowest host could keep it */
};

/* Zeroed: nothing was seen yet. */
struct liveness {
    uint64_t clients, done;
    int64_t done_ms; /* when `done` was seen to grow last, or there was nothing to do */
};

enum liveness_state liveness_look(struct liveness *liveness, const struct liveness_sight *sight);

/* What a state is called in the log. */
const char *liveness_text(enum liveness_state state);

#endif
