/* SPDX-License-Identifier: BSD-2-Clause */
/* liveness: see liveness.h. */
#include "config.h"

#include "daemon/liveness.h"

/* A client that came on its own shows as much as an answer: under load ours waits behind many. */
static bool is_filter_awake(struct liveness *liveness, const struct liveness_sight *sight)
{
    const bool came = sight->clients != liveness->clients;

    liveness->clients = sight->clients;
    return came || sight->answered;
}

/* Each session of a callout ends within total_timeout, and another one is begun, or an answer
 * given. */
static bool do_callouts_get_on(struct liveness *liveness, const struct liveness_sight *sight)
{
    if (sight->done != liveness->done || sight->under_way == 0)
        liveness->done_ms = sight->now_ms;
    liveness->done = sight->done;
    return sight->now_ms - liveness->done_ms <= sight->total_timeout_ms + LIVENESS_SLACK_MS;
}

enum liveness_state liveness_look(struct liveness *liveness, const struct liveness_sight *sight)
{
    const bool awake = is_filter_awake(liveness, sight);
    const bool gets_on = do_callouts_get_on(liveness, sight);

    if (!gets_on)
        return LIVENESS_CALLOUTS_STUCK;
    return awake ? LIVENESS_GOOD : LIVENESS_FILTER_SILENT;
}

const char *liveness_text(enum liveness_state state)
{
    switch (state) {
    case LIVENESS_FILTER_SILENT:
        return "the milter socket does not answer";
    case LIVENESS_CALLOUTS_STUCK:
        return "callouts make no progress";
    default:
        return "all is well";
    }
}
