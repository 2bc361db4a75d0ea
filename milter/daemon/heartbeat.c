/* SPDX-License-Identifier: BSD-2-Clause */
/* heartbeat: see heartbeat.h. Lock: `lock`, for the end; never held while anything is done. */
#include "config.h"

#include "daemon/heartbeat.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/liveness.h"
#include "daemon/metrics.h"
#include "daemon/notify.h"
#include "daemon/service.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t called;
static bool ends;    /* lock */
static bool started; /* of the thread that starts and stops */
static pthread_t thread;

/* Of the thread alone, once it runs. */
static bool (*answered)(void);
static int64_t step_ms;
static int64_t silent_ms; /* for how long nothing could be told; -1: that was logged */

/* --- How it does ---------------------------------------------------------- */

static uint64_t decisions_of(enum action from, enum action to)
{
    uint64_t sum = 0;

    for (int reason = RB_REASON_NONE + 1; reason < RB_REASON_MAX; reason++)
        for (int action = (int)from; action <= (int)to; action++)
            sum += metrics_decisions(reason, action);
    return sum;
}

static void tell_status(const struct config *config)
{
    char line[300];

    (void)snprintf(line, sizeof line,
                   "%s; sessions open: %" PRIu64 "; decisions: %" PRIu64 ", refused: %" PRIu64 "%s",
                   config->dry_run ? "Dry run: nothing is refused" : "In force",
                   metrics_sessions_open(), decisions_of(ACTION_ACCEPT, ACTION_REJECT),
                   decisions_of(ACTION_TEMPFAIL, ACTION_REJECT),
                   service_reload_refused() ? "; the last reload was refused" : "");
    notify_status(line);
}

/* --- Whether it lives ----------------------------------------------------- */

static void look_at_callouts(struct liveness_sight *sight)
{
    struct rb_stats stats;

    rb_stats_init(&stats);
    rb_verifier_stats(service_world()->verifier, &stats);
    sight->under_way = stats.running;
    sight->done = stats.sessions;
    for (int i = 0; i < RB_REASON_MAX; i++)
        sight->done += stats.callouts[i];
    for (int i = 0; i < RB_CLIENT_MAX; i++)
        sight->done += stats.clients[i];
}

/* Says, once, why the end comes, while there is time to say it. */
static void note_silence(enum liveness_state state)
{
    if (silent_ms < 0)
        return;
    silent_ms += step_ms;
    if (silent_ms < notify_watchdog_ms() / 2)
        return;
    log_line(LOG_LEVEL_ERROR, "watchdog: %s, since %" PRId64 " s: we shall be started anew",
             liveness_text(state), silent_ms / 1000);
    silent_ms = -1;
}

static void show_life(struct liveness *liveness, const struct config *config)
{
    struct liveness_sight sight = {
        .answered = answered(),
        .clients = metrics_sessions_total(),
        .total_timeout_ms = config->callout.total_timeout_ms,
        .now_ms = clock_monotonic_ms(clock_system()),
    };
    enum liveness_state state;

    look_at_callouts(&sight);
    state = liveness_look(liveness, &sight);
    if (state != LIVENESS_GOOD) {
        note_silence(state);
        return;
    }
    silent_ms = 0;
    notify_alive();
}

/* --- The thread ----------------------------------------------------------- */

/* False: the end has come. */
static bool wait_a_step(void)
{
    const struct timespec until = clock_timespec_in_ms(step_ms);
    int error = 0;
    bool goes_on;

    pthread_mutex_lock(&lock);
    while (!ends && error == 0)
        error = pthread_cond_timedwait(&called, &lock, &until);
    goes_on = !ends;
    pthread_mutex_unlock(&lock);
    return goes_on;
}

static void *beat(void *arg)
{
    const bool is_watched = notify_watchdog_ms() > 0;
    struct liveness liveness = {0};

    (void)arg;
    do {
        struct config *config = service_config();

        tell_status(config);
        if (is_watched)
            show_life(&liveness, config);
        config_put(config);
    } while (wait_a_step());
    return NULL;
}

bool heartbeat_start(bool (*filter_answered)(void))
{
    const int64_t watchdog_ms = notify_watchdog_ms();

    if (!notify_is_heard())
        return true;
    step_ms = HEARTBEAT_STEP_MS;
    if (watchdog_ms > 0 && watchdog_ms / HEARTBEAT_LOOKS_MIN < step_ms)
        step_ms = watchdog_ms / HEARTBEAT_LOOKS_MIN;
    answered = filter_answered;
    ends = false;
    silent_ms = 0;
    clock_init_cond(&called);
    started = pthread_create(&thread, NULL, beat, NULL) == 0;
    return started;
}

void heartbeat_stop(void)
{
    if (!started)
        return;
    pthread_mutex_lock(&lock);
    ends = true;
    pthread_cond_signal(&called);
    pthread_mutex_unlock(&lock);
    pthread_join(thread, NULL);
    pthread_cond_destroy(&called);
    started = false;
}
