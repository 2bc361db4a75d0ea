/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * jobs: the hooks of one callout; see jobs.h. Each is called from the worker's thread, with no lock
 * held.
 */
#include "config.h"

#include "verifier/jobs.h"

#include "base/text.h"
#include "limits/breaker.h"
#include "verifier/clients.h"
#include "verifier/verifier.h"

#include <poll.h>

/* A host that may not have noticed yet that a session of ours has ended is given so long. */
enum { NOTICE_MS = 500 };

/* One callout of one worker: the argument of its hooks. */
struct job {
    struct rb_verifier *verifier;
    struct sched_callout *callout;
    struct callout_item *first; /* to ask about; NULL once it was */
    const struct options *options;
    struct sched_contact contact; /* with the host called now */
    struct domain_record facts;   /* as they were when it began */
    int64_t held_until_s;         /* the first of the hosts that were held back; 0: none was */
};

/* --- Answers ---------------------------------------------------------------- */

/*
 * Whether what was said to a question holds for others. Of one with a message's size that is only
 * whether the mailbox is there: that it is full, or the message too large, is of this message.
 */
static bool is_of_all_messages(const struct question *question, enum rb_reason reason)
{
    return question->item.message_size == 0 || reason == RB_REASON_ACCEPTED ||
           reason == RB_REASON_NO_SUCH_USER;
}

/* What the world said goes into the cache, and on or off the schedule of retries. */
static void keep(struct rb_verifier *verifier, const struct question *question,
                 const struct address_record *record)
{
    if (!memory_note_answer(&verifier->memory, question->key.text, question->relay, record)) {
        if (question->retry)
            retry_postpone(verifier->retry, question->key.text, question->held_until_s);
    } else if (question->relay[0] == '\0') {
        retry_note(verifier->retry, question->key.text, record);
    }
}

void jobs_finish(struct rb_verifier *verifier, const struct options *options,
                 struct question *question, const struct address_record *record)
{
    const bool is_news = !question->from_cache;
    const bool counts = is_news && record->reason < RB_REASON_MAX;

    if (question->claim != NULL) {
        clients_finish(verifier, question, record);
        return;
    }
    /* Into the cache first: who can join the question no more must find the answer there. */
    if (is_news && is_of_all_messages(question, record->reason))
        keep(verifier, question, record);
    if (is_news && question->relay[0] == '\0' && memory_is_of_mailbox(record))
        limits_note(&verifier->limits, question->domain, question->key.text,
                    rb_reason_verdict(record->reason), &options->o.shield,
                    clock_wall_s(verifier->clock));
    if (counts)
        histogram_note(&verifier->counters.durations,
                       clock_monotonic_ms(verifier->clock) - question->item.asked_ms);
    inflight_finish(&verifier->inflight, question, record,
                    counts ? &verifier->counters.callouts[record->reason] : NULL);
}

/* --- What a callout wants of its owner ------------------------------------ */

/*
 * Whether an item needs no asking: what became known of the domain since its question was put (it
 * may have waited for long, another callout may have told) answers it.
 */
static bool is_settled(const struct job *job, struct callout_item *item)
{
    if (item->verb != NULL)
        return clients_settle(job->verifier, question_of(item));
    if (question_of(item)->no_cache ||
        !memory_settles(&job->verifier->memory, job->options, &job->facts, &item->best) ||
        (item->message_size != 0 && !memory_answers_size(&item->best)))
        return false;
    question_of(item)->from_cache = true;
    jobs_finish(job->verifier, job->options, question_of(item), &item->best);
    return true;
}

static struct callout_item *next_item(void *arg)
{
    struct job *job = arg;
    struct callout_item *item = job->first;

    job->first = NULL;
    if (item == NULL)
        item = sched_take(job->verifier->sched, job->callout);
    while (item != NULL && is_settled(job, item))
        item = sched_take(job->verifier->sched, job->callout);
    return item;
}

static bool may_keep_open(void *arg, const char *ip)
{
    const struct job *job = arg;

    return sched_may_keep_alive(job->verifier->sched, job->callout, ip,
                                job->options->o.idle_timeout_ms);
}

static struct callout_item *wait_for_more(void *arg, const char *ip)
{
    const struct job *job = arg;
    struct callout_item *item;

    do {
        item = sched_keep_alive(job->verifier->sched, job->callout, ip,
                                job->options->o.idle_timeout_ms);
    } while (item != NULL && is_settled(job, item));
    return item;
}

static void answer_item(void *arg, struct callout_item *item, const struct address_record *record)
{
    struct job *job = arg;

    question_of(item)->held_until_s = job->held_until_s;
    if (record->stage >= RB_STAGE_RCPT && rb_reason_verdict(record->reason) != RB_VERDICT_UNKNOWN)
        job->contact.answered = true;
    jobs_finish(job->verifier, job->options, question_of(item), record);
}

/*
 * Whether the breaker lets the host be called; *on_trial: for the first time after it was held
 * back.
 */
static bool is_held_back(struct job *job, const char *ip, bool *on_trial)
{
    const int64_t until_s = memory_host_held_until_s(&job->verifier->memory, ip, on_trial);

    if (until_s != 0 && (job->held_until_s == 0 || until_s < job->held_until_s))
        job->held_until_s = until_s;
    return until_s != 0;
}

/*
 * A mail store of our own: it needs no sparing, but that clients are not kept waiting for a dead
 * one.
 */
static bool is_own_store(const struct job *job)
{
    return relay_is_own(sched_relay(job->callout));
}

/*
 * Whether a host may be called once more that clients name as they please: any number of names may
 * stand for one victim's address. How often other hosts are called, their domains' rates say.
 */
static bool is_within_rate(const struct job *job, const char *ip)
{
    struct rb_verifier *verifier = job->verifier;

    if (!relay_is_host(sched_relay(job->callout)) ||
        limits_admit_host(&verifier->limits, &job->options->o, ip,
                          clock_monotonic_ms(verifier->clock)))
        return true;
    atomic_fetch_add(&verifier->counters.limited, 1);
    return false;
}

static enum callout_permission may_call(void *arg, const char *mx, const char *ip)
{
    struct job *job = arg;
    enum callout_permission permission;
    bool on_trial;

    if (is_held_back(job, ip, &on_trial))
        return CALLOUT_HELD_BACK;
    job->contact = (struct sched_contact){.let_in = false};
    permission = sched_host_enter(job->verifier->sched, job->callout, mx, ip, on_trial);
    if (permission != CALLOUT_CALL || is_within_rate(job, ip))
        return permission;
    sched_host_leave(job->verifier->sched, job->callout, ip, &job->contact);
    return CALLOUT_OVER_RATE;
}

static void left(void *arg, const char *ip, bool is_last)
{
    const struct job *job = arg;

    if (!is_last) {
        sched_host_leave(job->verifier->sched, job->callout, ip, &job->contact);
        return;
    }
    job->callout->leave.is_due = true;
    (void)text_copy(job->callout->leave.host, sizeof job->callout->leave.host, ip);
    job->callout->leave.contact = job->contact;
}

static void wait_a_moment(const struct rb_verifier *verifier)
{
    struct pollfd end = {.fd = verifier->cancel_fd, .events = POLLIN};

    (void)poll(&end, 1, NOTICE_MS);
}

static bool turned_away(void *arg, const char *ip, bool may_lag)
{
    struct job *job = arg;
    enum sched_excess excess;

    if (ip[0] == '\0') /* a path has no slots */
        return false;
    excess = sched_turned_away(job->verifier->sched, job->callout, ip, may_lag, &job->contact);
    if (excess == SCHED_LAGS)
        wait_a_moment(job->verifier);
    return excess != SCHED_ALONE;
}

static void too_much(void *arg, const char *ip)
{
    const struct job *job = arg;

    if (ip[0] != '\0')
        sched_pause_host(job->verifier->sched, ip);
}

static bool put_back(void *arg, struct callout_item *item)
{
    const struct job *job = arg;
    const int64_t waited_ms = clock_monotonic_ms(job->verifier->clock) - item->asked_ms;

    return waited_ms < (int64_t)job->options->o.total_timeout_ms &&
           sched_put_back(job->verifier->sched, job->callout, item);
}

/*
 * Those who wait are told before the item is parked: then it may be answered, and gone, at any
 * moment.
 */
static enum callout_probe begin_probe(void *arg, struct callout_item *item,
                                      const struct address_record *accepted, struct fact *catch_all)
{
    const struct job *job = arg;
    struct rb_verifier *verifier = job->verifier;
    const int64_t ttl_s = job->options->o.lifetimes.domain_ttl_s;
    enum callout_probe turn =
        sched_begin_probe(verifier->sched, job->callout, NULL, accepted, ttl_s, catch_all);

    if (turn == CALLOUT_PROBE_KNOWN)
        return turn;
    inflight_accepted(&verifier->inflight, question_of(item), accepted);
    return turn == CALLOUT_PROBE
               ? turn
               : sched_begin_probe(verifier->sched, job->callout, item, accepted, ttl_s, catch_all);
}

static struct callout_item *end_probe(void *arg, const struct fact *catch_all)
{
    const struct job *job = arg;

    return sched_end_probe(job->verifier->sched, job->callout, catch_all);
}

/* Whether a refusal is one recipient's: the host answers about others. */
static bool is_of_one_address(struct rb_verifier *verifier, const char *ip,
                              const struct address_record *how)
{
    return how->reason == RB_REASON_BLOCKED && how->stage >= RB_STAGE_RCPT &&
           sched_host_answered(verifier->sched, ip);
}

/*
 * A store of ours that refuses us keeps nobody waiting: it is to be seen as what it is, and not as
 * one that is silent.
 */
static bool is_failure(const struct job *job, const struct address_record *how)
{
    bool turned_away = how->stage == RB_STAGE_BANNER && how->code >= 400 && how->code < 500;

    if (is_own_store(job) && how->reason == RB_REASON_BLOCKED)
        return false;
    return breaker_counts(how->reason) || how->code == 421 || turned_away;
}

static void host_called(void *arg, const char *ip, const struct address_record *how)
{
    struct job *job = arg;
    struct rb_verifier *verifier = job->verifier;

    atomic_fetch_add(&verifier->counters.sessions, 1);
    job->contact.let_in = job->contact.let_in || how->reason == RB_REASON_ACCEPTED;
    if (ip[0] != '\0' && !is_of_one_address(verifier, ip, how))
        memory_host_called(&verifier->memory, &job->options->o, ip, how->reason,
                           is_failure(job, how), is_own_store(job));
}

/* NULL: none. */
static const char *relay_of(const struct sched_callout *callout)
{
    const char *relay = sched_relay(callout);

    return relay[0] != '\0' ? relay : NULL;
}

static void learned(void *arg, const struct domain_record *news)
{
    const struct job *job = arg;

    memory_learned(&job->verifier->memory, relay_of(job->callout), sched_domain(job->callout),
                   news);
}

static void run(struct job *job, const struct snapshot *snapshot)
{
    struct rb_verifier *verifier = job->verifier;
    struct callout callout = {
        .options = snapshot->options,
        .dns = snapshot->dns,
        .clock = verifier->clock,
        .own = snapshot->own,
        .own_count = snapshot->own_count,
        .tls_context = verifier->tls_context,
        .cancel_fd = verifier->cancel_fd,
        .stall = &job->callout->stall,
        .probe_key = verifier->probe_key,
        .domain = sched_domain(job->callout),
        .relay = relay_of(job->callout),
        .hooks = {next_item, may_keep_open, wait_for_more, answer_item, may_call, left, turned_away,
                  too_much, put_back, begin_probe, end_probe, host_called, learned, job},
    };

    memory_facts(&verifier->memory, callout.relay, callout.domain, &job->facts);
    callout.facts = job->facts;
    callout_run(&callout);
}

void jobs_run(void *arg, struct sched_callout *callout, struct callout_item *item)
{
    struct rb_verifier *verifier = arg;
    struct snapshot *snapshot = snapshots_get(&verifier->snapshots);
    struct job job = {
        .verifier = verifier, .callout = callout, .first = item, .options = snapshot->options};

    run(&job, snapshot);
    snapshot_put(snapshot);
}
