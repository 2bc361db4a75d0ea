/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * task: the hooks of one callout; see task.h. Each is called from the worker's thread, with no lock
 * held.
 */
#include "config.h"

#include "verifier/jobs.h"

#include "limits/breaker.h"

#include <limits.h>
#include <poll.h>

/* A host that may not have noticed yet that a session of ours has ended is given so long. */
enum { NOTICE_MS = 500 };

/* One callout of one worker: the argument of its hooks. */
struct task {
    struct rb_verifier *verifier;
    struct destination *destination;
    const struct options *options;
    struct patience_call *call;
    struct slots_stay stay; /* with the host called now */
    bool answered;          /* by that host, about some address */
    bool settled;           /* by the domain's facts: */
    struct address_record settlement;
    int64_t held_until_s; /* the first of the hosts that were held back; 0: none was */
};

/* --- What a callout wants of its owner ------------------------------------ */

static struct callout_item *take_item(const struct task *task)
{
    struct rb_verifier *verifier = task->verifier;
    struct callout_item *item = NULL;

    pthread_mutex_lock(&verifier->lock);
    if (!verifier->stopping)
        item = queue_take(&verifier->queue, task->destination);
    pthread_mutex_unlock(&verifier->lock);
    return item;
}

/*
 * The next item that must be asked for. What became known of the domain since its question was put
 * (a queue may be long, another callout may have told) settles an item without asking.
 */
static struct callout_item *next_item(void *arg)
{
    const struct task *task = arg;
    struct callout_item *item = take_item(task);

    while (item != NULL && task->settled && !flight_of(item)->no_cache) {
        flight_of(item)->from_cache = true;
        verifier_land(task->verifier, flight_of(item), &task->settlement);
        item = take_item(task);
    }
    return item;
}

/*
 * Whether it pays that a session rests: its destination is asked about often enough, and nothing
 * that waits could use its worker, or its place with the mail host, better. Under the lock.
 */
static bool rest_pays(const struct task *task, const char *ip)
{
    const struct rb_verifier *verifier = task->verifier;
    const struct destination *destination = task->destination;

    return destination->gap_ms <= task->options->o.idle_timeout_ms && !verifier->stopping &&
           destination->wanted == NULL && destination->due == NULL &&
           verifier->queue.ready_count <= verifier->idle && !slots_awaited(&verifier->slots, ip);
}

static bool may_rest(void *arg, const char *ip)
{
    const struct task *task = arg;
    bool pays;

    pthread_mutex_lock(&task->verifier->lock);
    pays = rest_pays(task, ip);
    pthread_mutex_unlock(&task->verifier->lock);
    return pays;
}

/* A session that rests is no callout under way: no host keeps it waiting. */
static bool rest(void *arg, const char *ip)
{
    const struct task *task = arg;
    struct rb_verifier *verifier = task->verifier;
    const struct timespec until = clock_timespec_in_ms(task->options->o.idle_timeout_ms);
    struct rest rest = {.end = REST_SENT_HOME};
    int error = 0;

    pthread_mutex_lock(&verifier->lock);
    if (rest_pays(task, ip)) {
        patience_leave(&verifier->patience, task->call);
        rest_begin(&rest, &verifier->queue, task->destination, ip);
        while (rest.end == REST_GOES_ON && error == 0)
            error = pthread_cond_timedwait(&rest.woken, &verifier->lock, &until);
        rest_finish(&rest, &verifier->queue);
        patience_enter(&verifier->patience, task->call, clock_monotonic_ms(verifier->clock));
    }
    pthread_mutex_unlock(&verifier->lock);
    return rest.end == REST_CALLED;
}

static void answer_item(void *arg, struct callout_item *item, const struct address_record *record)
{
    struct task *task = arg;

    flight_of(item)->held_until_s = task->held_until_s;
    if (record->stage >= RB_STAGE_RCPT && rb_reason_verdict(record->reason) != RB_VERDICT_UNKNOWN)
        task->answered = true;
    verifier_land(task->verifier, flight_of(item), record);
}

/*
 * Whether the breaker lets the host be called; *on_trial: for the first time after it was held
 * back.
 */
static bool is_held(struct task *task, const char *ip, bool *on_trial)
{
    const int64_t until_s = memory_host_held_until_s(&task->verifier->memory, ip, on_trial);

    if (until_s != 0 && (task->held_until_s == 0 || until_s < task->held_until_s))
        task->held_until_s = until_s;
    return until_s != 0;
}

/*
 * A mail store of our own: it needs no sparing, but that clients are not kept waiting for a dead
 * one.
 */
static bool is_ours(const struct task *task)
{
    return task->destination->relay[0] != '\0' && !relay_is_mx(task->destination->relay);
}

/* A store of ours may have as many sessions as come, until it says otherwise itself. */
static unsigned sessions_max(const struct task *task)
{
    return is_ours(task) ? UINT_MAX : task->options->o.per_host_sessions;
}

static enum callout_leave may_call(void *arg, const char *ip)
{
    static const enum callout_leave meaning[] = {
        [SLOTS_TAKEN] = CALLOUT_CALL,
        [SLOTS_FULL] = CALLOUT_FULL,
        [SLOTS_REFUSED] = CALLOUT_HELD_BACK,
        [SLOTS_PAUSED] = CALLOUT_PAUSED,
    };
    struct task *task = arg;
    struct rb_verifier *verifier = task->verifier;
    const int64_t now_ms = clock_monotonic_ms(verifier->clock);
    enum slots_entry entry;
    bool on_trial;

    if (is_held(task, ip, &on_trial))
        return CALLOUT_HELD_BACK;
    task->stay = (struct slots_stay){0};
    task->answered = false;
    pthread_mutex_lock(&verifier->lock);
    entry = slots_enter(&verifier->slots, &verifier->queue, task->destination, ip,
                        sessions_max(task), on_trial, now_ms);
    if (entry == SLOTS_FULL)
        (void)rest_send_home(&verifier->queue, ip);
    pthread_mutex_unlock(&verifier->lock);
    return meaning[entry];
}

static void left(void *arg, const char *ip)
{
    const struct task *task = arg;
    struct rb_verifier *verifier = task->verifier;
    const int64_t now_ms = clock_monotonic_ms(verifier->clock);

    pthread_mutex_lock(&verifier->lock);
    if (task->answered)
        slots_note_answer(&verifier->slots, ip, now_ms);
    if (slots_leave(&verifier->slots, &verifier->queue, ip, sessions_max(task), &task->stay,
                    now_ms))
        workers_call(verifier);
    pthread_mutex_unlock(&verifier->lock);
}

static void wait_a_moment(const struct rb_verifier *verifier)
{
    struct pollfd end = {.fd = verifier->cancel_fd, .events = POLLIN};

    (void)poll(&end, 1, NOTICE_MS);
}

static bool turned_away(void *arg, const char *ip, bool may_lag)
{
    struct task *task = arg;
    struct rb_verifier *verifier = task->verifier;
    const int64_t now_ms = clock_monotonic_ms(verifier->clock);
    enum slots_excess excess;

    if (ip[0] == '\0') /* a path has no slots */
        return false;
    pthread_mutex_lock(&verifier->lock);
    excess = slots_turned_away(&verifier->slots, &verifier->queue, task->destination, ip, may_lag,
                               &task->stay, now_ms);
    if (excess == SLOTS_OTHERS)
        (void)rest_send_home(&verifier->queue, ip);
    pthread_mutex_unlock(&verifier->lock);
    if (excess == SLOTS_LAGS)
        wait_a_moment(verifier);
    return excess != SLOTS_ALONE;
}

static void too_much(void *arg, const char *ip)
{
    const struct task *task = arg;
    struct rb_verifier *verifier = task->verifier;
    const int64_t now_ms = clock_monotonic_ms(verifier->clock);

    if (ip[0] == '\0')
        return;
    pthread_mutex_lock(&verifier->lock);
    slots_pause(&verifier->slots, ip, now_ms);
    pthread_mutex_unlock(&verifier->lock);
}

static bool put_back(void *arg, struct callout_item *item)
{
    const struct task *task = arg;
    struct rb_verifier *verifier = task->verifier;
    int64_t waited_ms = clock_monotonic_ms(verifier->clock) - item->asked_ms;
    bool taken;

    pthread_mutex_lock(&verifier->lock);
    taken = !verifier->stopping && waited_ms < (int64_t)task->options->o.total_timeout_ms;
    if (taken)
        queue_put_back(&verifier->queue, task->destination, item);
    pthread_mutex_unlock(&verifier->lock);
    return taken;
}

static enum callout_probe begin_probe(void *arg, struct callout_item *item,
                                      const struct address_record *accepted, struct fact *catch_all)
{
    const struct task *task = arg;
    struct rb_verifier *verifier = task->verifier;
    enum callout_probe turn;

    pthread_mutex_lock(&verifier->lock);
    turn = probing_begin(&task->destination->probing, item, accepted,
                         task->options->o.lifetimes.domain_ttl_s, clock_wall_s(verifier->clock),
                         catch_all);
    if (turn != CALLOUT_PROBE_KNOWN)
        flight_accepted(flight_of(item), accepted);
    pthread_mutex_unlock(&verifier->lock);
    return turn;
}

static struct callout_item *end_probe(void *arg, const struct fact *catch_all)
{
    const struct task *task = arg;
    struct rb_verifier *verifier = task->verifier;
    struct callout_item *parked;

    pthread_mutex_lock(&verifier->lock);
    parked = probing_end(&task->destination->probing, catch_all);
    pthread_mutex_unlock(&verifier->lock);
    return parked;
}

/* Whether a refusal is one recipient's: the host answers about others. */
static bool is_of_one_address(struct rb_verifier *verifier, const char *ip,
                              const struct address_record *how)
{
    const int64_t now_ms = clock_monotonic_ms(verifier->clock);
    bool answered;

    if (how->reason != RB_REASON_BLOCKED || how->stage < RB_STAGE_RCPT)
        return false;
    pthread_mutex_lock(&verifier->lock);
    answered = slots_answered(&verifier->slots, ip, now_ms);
    pthread_mutex_unlock(&verifier->lock);
    return answered;
}

/*
 * A store of ours that refuses us keeps nobody waiting: it is to be seen as what it is, and not as
 * one that is silent.
 */
static bool is_failure(const struct task *task, const struct address_record *how)
{
    bool turned_away = how->stage == RB_STAGE_BANNER && how->code >= 400 && how->code < 500;

    if (is_ours(task) && how->reason == RB_REASON_BLOCKED)
        return false;
    return breaker_counts(how->reason) || how->code == 421 || turned_away;
}

static void host_called(void *arg, const char *ip, const struct address_record *how)
{
    struct task *task = arg;
    struct rb_verifier *verifier = task->verifier;

    atomic_fetch_add(&verifier->counters.sessions, 1);
    task->stay.let_in = task->stay.let_in || how->reason == RB_REASON_ACCEPTED;
    if (ip[0] != '\0' && !is_of_one_address(verifier, ip, how))
        memory_host_called(&verifier->memory, &task->options->o, ip, how->reason,
                           is_failure(task, how), is_ours(task));
}

/* NULL: none. */
static const char *relay_of(const struct destination *destination)
{
    return destination->relay[0] != '\0' ? destination->relay : NULL;
}

static void learned(void *arg, const struct domain_record *news)
{
    const struct task *task = arg;

    memory_learned(&task->verifier->memory, relay_of(task->destination), task->destination->domain,
                   news);
}

void task_run(struct rb_verifier *verifier, struct destination *destination,
              const struct setup *setup, struct patience_call *call)
{
    struct task task = {
        .verifier = verifier, .destination = destination, .options = setup->options, .call = call};
    struct callout callout = {
        .options = setup->options,
        .dns = setup->dns,
        .clock = verifier->clock,
        .own = setup->own,
        .own_count = setup->own_count,
        .tls_context = verifier->tls_context,
        .cancel_fd = verifier->cancel_fd,
        .patience = call,
        .probe_key = verifier->probe_key,
        .domain = destination->domain,
        .relay = relay_of(destination),
        .hooks = {next_item, may_rest, rest, answer_item, may_call, left, turned_away, too_much,
                  put_back, begin_probe, end_probe, host_called, learned, &task},
    };

    memory_facts(&verifier->memory, callout.relay, callout.domain, &callout.facts);
    task.settled =
        memory_settles(&verifier->memory, task.options, &callout.facts, &task.settlement);
    callout_run(&callout);
}
