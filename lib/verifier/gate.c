/* SPDX-License-Identifier: BSD-2-Clause */
/* gate: who vouches, before anybody is called; see gate.h. */
#include "config.h"

#include "verifier/gate.h"

#include "base/ip.h"
#include "spf/check.h"
#include "verifier/submit.h"
#include "verifier/verifier.h"

#include <stdlib.h>
#include <string.h>

enum { BY_ALL = SPF_BY_SENDER | SPF_BY_HELO };

static const char too_long[] = "DNS takes too long";

enum rb_error gate_init(struct gate *gate, const struct rb_clock *clock)
{
    *gate = (struct gate){.memo = spf_memo_new(clock)};
    pthread_mutex_init(&gate->lock, NULL);
    return gate->memo != NULL ? RB_OK : RB_ERR_NOMEM;
}

void gate_fini(struct gate *gate)
{
    checks_free(&gate->checks);
    memo_free(gate->memo);
    pthread_mutex_destroy(&gate->lock);
}

/* --- Whose questions pass it ----------------------------------------------------- */

/* What comes over the loopback was handed on by somebody of ours: no domain can know of that. */
bool gate_is_for(const struct options *options, const struct rb_question *question)
{
    struct ip ip;

    return options->o.spf_gate != RB_GATE_NO && question->voucher == RB_VOUCHER_NOBODY &&
           question->client != NULL && question->relay == NULL &&
           ip_from_sockaddr(question->client, &ip) && !ip_is_loopback(&ip);
}

/* --- What is known at once ----------------------------------------------------- */

/* What name servers may take for a check, and at most for a look-up. */
static int64_t time_ms(const struct snapshot *snapshot)
{
    const unsigned total_ms = snapshot->options->o.total_timeout_ms;

    return total_ms < SPF_TIME_MS ? total_ms : SPF_TIME_MS;
}

/* Goes on with what DNS has said by now; what comes out is noted. */
static enum spf_step advance(struct rb_verifier *verifier, const struct snapshot *snapshot,
                             struct check *check)
{
    const struct spf_question question = spf_subject_question(&check->subject);
    enum spf_step step = spf_check_recall(snapshot->dns, &question, &check->answers,
                                          &check->vouching, &check->wanted);

    if (step == SPF_ASKS && check->spent_ms >= time_ms(snapshot)) {
        spf_vouch_give_up(&check->vouching, too_long);
        step = SPF_DONE;
    }
    if (step == SPF_DONE)
        spf_memo_note(verifier->gate.memo, &question, &check->vouching);
    return step;
}

static struct gate_ruling open_for(enum rb_voucher voucher)
{
    return (struct gate_ruling){.word = GATE_OPEN, .voucher = voucher};
}

static struct gate_ruling close_by(enum rb_reason reason)
{
    return (struct gate_ruling){.word = GATE_CLOSED, .reason = reason};
}

struct gate_ruling gate_rule(enum rb_gate position, const struct spf_vouching *vouching)
{
    const enum spf_outcome outcome = vouching->said.outcome;

    if (outcome == SPF_OUTCOME_FAIL && position >= RB_GATE_FAIL)
        return close_by(RB_REASON_SPF_FAIL);
    if (outcome == SPF_OUTCOME_SOFTFAIL && position >= RB_GATE_SOFTFAIL)
        return close_by(RB_REASON_SPF_SOFTFAIL);
    if (vouching->voucher == RB_VOUCHER_NOBODY && position >= RB_GATE_VOUCHED)
        return close_by(RB_REASON_NOT_VOUCHED);
    return open_for(vouching->voucher);
}

/* Guesses cost look-ups: they are made where something follows from them. */
static struct spf_question with_guesses(const struct spf_question *question, enum rb_gate position)
{
    struct spf_question whole = *question;

    whole.guesses = position >= RB_GATE_VOUCHED;
    return whole;
}

/* by: what the check is of, beside client and domain. */
static struct gate_ruling ask(struct rb_verifier *verifier, const struct snapshot *snapshot,
                              enum rb_gate position, const struct spf_question *question,
                              unsigned by, struct check **check)
{
    struct gate_ruling ruling = {.word = GATE_NO_MEMORY};
    struct spf_vouching known = {.voucher = RB_VOUCHER_NOBODY};
    struct spf_subject subject;

    *check = NULL;
    if (spf_memo_find(verifier->gate.memo, question, &known) ||
        !spf_subject_set(&subject, question)) /* nobody whom SPF could know */
        return gate_rule(position, &known);
    *check = check_new(&subject, by);
    if (*check == NULL)
        return ruling;
    switch (advance(verifier, snapshot, *check)) {
    case SPF_ASKS:
        return (struct gate_ruling){.word = GATE_ASKS};
    case SPF_DONE:
        ruling = gate_rule(position, &(*check)->vouching);
        break;
    case SPF_NO_MEMORY:
        break;
    }
    check_free(*check);
    *check = NULL;
    return ruling;
}

struct gate_ruling gate_ask(struct rb_verifier *verifier, const struct snapshot *snapshot,
                            const struct spf_question *question, struct check **check)
{
    const enum rb_gate position = snapshot->options->o.spf_gate;
    const struct spf_question whole = with_guesses(question, position);

    return ask(verifier, snapshot, position, &whole, 0, check);
}

struct gate_ruling gate_peek(struct rb_verifier *verifier, const struct snapshot *snapshot,
                             const struct spf_question *question, bool waits, deadline until,
                             struct spf_vouching *vouching)
{
    const enum rb_gate position = snapshot->options->o.spf_gate;
    const struct spf_question whole = with_guesses(question, position);
    const deadline by = waits ? until : deadline_in(verifier->clock, 0);

    if (!spf_memo_find(verifier->gate.memo, &whole, vouching) &&
        spf_check(snapshot->dns, by, &whole, vouching) == SPF_ASKS && !waits)
        return (struct gate_ruling){.word = GATE_ASKS};
    return gate_rule(position, vouching);
}

void gate_turn_back(struct rb_verifier *verifier, enum rb_reason reason,
                    struct address_record *record)
{
    struct counters *counters = &verifier->counters;

    atomic_fetch_add(reason == RB_REASON_SPF_FAIL       ? &counters->spf_fail
                     : reason == RB_REASON_SPF_SOFTFAIL ? &counters->spf_softfail
                                                        : &counters->not_vouched,
                     1);
    verifier_moment(verifier, reason, rb_reason_name(reason), record);
}

/* --- Those who wait -------------------------------------------------------------- */

/* NULL is fine. */
static void answer(struct rb_verifier *verifier, struct question *question, enum rb_reason reason,
                   const char *rule)
{
    struct address_record record;

    if (question == NULL)
        return;
    if (reason == RB_REASON_BUSY)
        verifier_limited(verifier, RB_LIMIT_QUEUE_FULL, &record);
    else
        verifier_moment(verifier, reason, rule, &record);
    inflight_finish(&verifier->inflight, question, &record, NULL);
}

/* Why nobody may wait now; RB_REASON_NONE: one may. Under the lock. */
static enum rb_reason refusal(const struct gate *gate, unsigned pending, unsigned max_pending)
{
    if (gate->stopping)
        return RB_REASON_TIMEOUT;
    return pending + gate->checks.waiting >= max_pending ? RB_REASON_BUSY : RB_REASON_NONE;
}

/*
 * Joins an equal check, or begins to wait. The check is taken, and with RB_OK the applicant.
 * *fresh: a look-up that is to be made. Under the lock.
 */
static enum rb_error begin(struct checks *checks, struct check *check, struct applicant *applicant,
                           struct lookup **fresh)
{
    struct check *equal = checks_find(checks, check);
    enum rb_error error = RB_OK;

    if (equal != NULL) {
        check_free(check);
        check = equal;
        if (applicant->question == NULL) { /* what comes of it is noted, whoever waits */
            free(applicant);
            return RB_OK;
        }
    } else {
        error = checks_list(checks, check);
        if (error == RB_OK)
            error = checks_await(checks, check, fresh);
        if (error != RB_OK) {
            checks_remove(checks, check);
            check_free(check);
            return error;
        }
    }
    checks_add_applicant(checks, check, applicant);
    return RB_OK;
}

static void have_made(struct rb_verifier *verifier, struct lookup *lookup);

static void wait_for(struct rb_verifier *verifier, const struct snapshot *snapshot,
                     enum rb_gate position, struct check *check, struct question *question)
{
    struct gate *gate = &verifier->gate;
    struct applicant *applicant = calloc(1, sizeof *applicant);
    enum rb_reason reason = RB_REASON_INTERNAL_ERROR;
    struct lookup *fresh = NULL;

    if (applicant != NULL) {
        applicant->subject = check->subject;
        applicant->position = position;
        applicant->question = question;
        pthread_mutex_lock(&gate->lock);
        reason = refusal(gate, sched_pending(verifier->sched), snapshot->options->o.max_pending);
        if (reason == RB_REASON_NONE && begin(&gate->checks, check, applicant, &fresh) != RB_OK) {
            reason = RB_REASON_INTERNAL_ERROR;
            check = NULL;
        }
        pthread_mutex_unlock(&gate->lock);
    }
    if (reason != RB_REASON_NONE) {
        if (reason == RB_REASON_BUSY)
            atomic_fetch_add(&verifier->counters.busy, 1);
        check_free(check);
        free(applicant);
        answer(verifier, question, reason,
               reason == RB_REASON_TIMEOUT ? "shutting_down" : "no_memory");
    } else if (fresh != NULL) {
        have_made(verifier, fresh);
    }
}

void gate_wait(struct rb_verifier *verifier, const struct snapshot *snapshot, struct check *check,
               struct question *question)
{
    wait_for(verifier, snapshot, snapshot->options->o.spf_gate, check, question);
}

/* --- What becomes of them ---------------------------------------------------------- */

/* Whether what was found out for one sender's message is so for the other's. */
static bool holds_for(const struct spf_result *said, const struct spf_subject *asked,
                      const struct spf_subject *other)
{
    return (!said->by_sender || strcmp(asked->local, other->local) == 0) &&
           (!said->by_helo || strcmp(asked->helo, other->helo) == 0);
}

static void turn_back(struct rb_verifier *verifier, struct question *question,
                      enum rb_reason reason)
{
    struct address_record record;

    gate_turn_back(verifier, reason, &record);
    inflight_finish(&verifier->inflight, question, &record, NULL);
}

/* The ruling is not GATE_ASKS; snapshot may be NULL where it is not GATE_OPEN. */
static void settle(struct rb_verifier *verifier, const struct snapshot *snapshot,
                   struct question *question, struct gate_ruling ruling)
{
    if (ruling.word == GATE_OPEN) {
        question->voucher = ruling.voucher;
        if (question->let_through != NULL)
            question->let_through(verifier, snapshot, question);
        else
            submit_question(verifier, snapshot->options, question);
    } else if (ruling.word == GATE_CLOSED) {
        turn_back(verifier, question, ruling.reason);
    } else {
        answer(verifier, question, RB_REASON_INTERNAL_ERROR,
               ruling.word == GATE_NO_WORKER ? "no_worker" : "no_memory");
    }
}

/* The check that it waited for tells nothing of it: a check of its own, as narrow as can be. */
static void ask_again(struct rb_verifier *verifier, const struct snapshot *snapshot,
                      const struct applicant *applicant)
{
    const struct spf_question question = spf_subject_question(&applicant->subject);
    struct check *check;
    const struct gate_ruling ruling =
        ask(verifier, snapshot, applicant->position, &question, BY_ALL, &check);

    if (check != NULL) /* GATE_ASKS */
        wait_for(verifier, snapshot, applicant->position, check, applicant->question);
    else
        settle(verifier, snapshot, applicant->question, ruling);
}

/* Nobody joins it any more: what waits for it is the caller's alone. */
static void take_off(struct gate *gate, struct check *check)
{
    pthread_mutex_lock(&gate->lock);
    checks_remove(&gate->checks, check);
    pthread_mutex_unlock(&gate->lock);
}

static void go_on_with(struct rb_verifier *verifier, const struct snapshot *snapshot,
                       const struct check *check, const struct applicant *applicant)
{
    const struct spf_vouching *vouching = &check->vouching;

    if (holds_for(&vouching->said, &check->subject, &applicant->subject))
        settle(verifier, snapshot, applicant->question, gate_rule(applicant->position, vouching));
    else
        ask_again(verifier, snapshot, applicant);
}

/* It is done. */
static void finish(struct rb_verifier *verifier, const struct snapshot *snapshot,
                   struct check *check)
{
    struct applicant *applicant;

    take_off(&verifier->gate, check);
    while ((applicant = check_take_applicant(check)) != NULL) {
        if (applicant->question != NULL)
            go_on_with(verifier, snapshot, check, applicant);
        checks_forget(&verifier->gate.checks, applicant);
    }
    check_free(check);
}

/* It cannot go on. */
static void abandon(struct rb_verifier *verifier, struct check *check, enum gate_word word)
{
    struct applicant *applicant;

    take_off(&verifier->gate, check);
    while ((applicant = check_take_applicant(check)) != NULL) {
        if (applicant->question != NULL)
            settle(verifier, NULL, applicant->question, (struct gate_ruling){.word = word});
        checks_forget(&verifier->gate.checks, applicant);
    }
    check_free(check);
}

/*
 * What waited for a look-up that was made; linked by `next`. *stopping: what was said may be for
 * want of our own time, and is not to be believed.
 */
static struct check *take_checks(struct gate *gate, struct lookup *lookup, bool *stopping)
{
    struct check *first;

    pthread_mutex_lock(&gate->lock);
    first = checks_looked_up(&gate->checks, lookup);
    *stopping = gate->stopping;
    pthread_mutex_unlock(&gate->lock);
    return first;
}

/* Hands a look-up to sched; where nobody comes for it, what waits for it ends. */
static void have_made(struct rb_verifier *verifier, struct lookup *lookup)
{
    struct check *check, *next;
    bool stopping;

    if (sched_push_lookup(verifier->sched, lookup_entry(lookup)) == RB_OK)
        return;
    for (check = take_checks(&verifier->gate, lookup, &stopping); check != NULL; check = next) {
        next = check->next;
        abandon(verifier, check, GATE_NO_WORKER);
    }
}

/* It needs another look-up. False: there is no memory for that. */
static bool wait_on(struct rb_verifier *verifier, struct check *check)
{
    struct lookup *fresh;
    bool waits;

    pthread_mutex_lock(&verifier->gate.lock);
    waits = checks_await(&verifier->gate.checks, check, &fresh) == RB_OK;
    pthread_mutex_unlock(&verifier->gate.lock);
    if (fresh != NULL)
        have_made(verifier, fresh);
    return waits;
}

static void go_on(struct rb_verifier *verifier, const struct snapshot *snapshot,
                  struct check *check)
{
    switch (advance(verifier, snapshot, check)) {
    case SPF_DONE:
        finish(verifier, snapshot, check);
        return;
    case SPF_ASKS:
        if (wait_on(verifier, check))
            return;
        break;
    case SPF_NO_MEMORY:
        break;
    }
    abandon(verifier, check, GATE_NO_MEMORY);
}

/* DNS took too long: that is no failure of DNS, and must not be taken for an answer. */
static void give_up(struct rb_verifier *verifier, const struct snapshot *snapshot,
                    struct check *check)
{
    const struct spf_question question = spf_subject_question(&check->subject);

    spf_vouch_give_up(&check->vouching, too_long);
    spf_memo_note(verifier->gate.memo, &question, &check->vouching);
    finish(verifier, snapshot, check);
}

/* --- Look-ups ------------------------------------------------------------------------ */

/*
 * Its time begins when a worker has come for it, and is the same whoever waits for it: that we had
 * no worker for so long, or that somebody else's check has taken long, is no silence of a name
 * server.
 */
static void look_up(struct rb_verifier *verifier, const struct snapshot *snapshot,
                    struct lookup *lookup, struct stall_call *call)
{
    const struct spf_lookup of = *lookup_of(lookup);
    const int64_t began_ms = clock_monotonic_ms(verifier->clock);
    struct dns_record_list list;
    struct check *check, *next;
    enum dns_outcome outcome;
    int64_t took_ms;
    bool stopping, is_late;

    stall_begin_wait(call, began_ms);
    outcome = dns_records_recent(snapshot->dns, of.name, of.type,
                                 deadline_in(verifier->clock, time_ms(snapshot)), &list);
    stall_end_wait(call);
    took_ms = clock_monotonic_ms(verifier->clock) - began_ms;
    is_late = outcome == DNS_FAILURE && took_ms >= time_ms(snapshot);
    for (check = take_checks(&verifier->gate, lookup, &stopping); check != NULL; check = next) {
        next = check->next;
        check->spent_ms += took_ms;
        if (!stopping && is_late)
            give_up(verifier, snapshot, check);
        else if (stopping || !spf_answers_add(&check->answers, &of, outcome, &list))
            abandon(verifier, check, GATE_NO_MEMORY);
        else
            go_on(verifier, snapshot, check);
    }
    dns_records_free(&list);
}

void gate_look_up(void *arg, struct sched_lookup *lookup, struct stall_call *call)
{
    struct rb_verifier *verifier = arg;
    struct snapshot *snapshot = snapshots_get(&verifier->snapshots);

    look_up(verifier, snapshot, lookup_of_entry(lookup), call);
    snapshot_put(snapshot);
}

unsigned gate_waiting(const struct gate *gate)
{
    return atomic_load(&gate->checks.waiting);
}

/* All at one time: a look-up that comes to its end meanwhile finds nobody to tell. */
static struct applicant *take_all(struct gate *gate)
{
    struct applicant *waiting;

    pthread_mutex_lock(&gate->lock);
    gate->stopping = true;
    waiting = checks_take_applicants(&gate->checks);
    pthread_mutex_unlock(&gate->lock);
    return waiting;
}

/* Those that are being settled just now find out for themselves. */
void gate_stop(struct rb_verifier *verifier)
{
    struct applicant *applicant, *next;

    for (applicant = take_all(&verifier->gate); applicant != NULL; applicant = next) {
        next = applicant->next;
        answer(verifier, applicant->question, RB_REASON_TIMEOUT, "shutting_down");
        checks_forget(&verifier->gate.checks, applicant);
    }
}
