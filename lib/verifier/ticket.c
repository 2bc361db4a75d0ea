/* SPDX-License-Identifier: BSD-2-Clause */
/* ticket: how a caller waits for an answer, or is called when it is there; see ticket.h. */
#include "config.h"

#include "verifier/ticket.h"

#include "base/clock.h"
#include "base/sized.h"
#include "base/text.h"
#include "base/transcript.h"
#include "verifier/claim.h"
#include "verifier/verifier.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- Coming and going ------------------------------------------------------- */

static struct rb_ticket *ticket_of(struct waiter *waiter)
{
    return (struct rb_ticket *)((char *)waiter - offsetof(struct rb_ticket, waiter));
}

static void release(struct waiter *waiter)
{
    struct rb_ticket *ticket = ticket_of(waiter);

    snapshot_put(ticket->snapshot);
    transcript_free(ticket->transcript);
    pthread_cond_destroy(&ticket->told);
    pthread_mutex_destroy(&ticket->lock);
    free(ticket);
}

/* The caller may free the ticket in `done`: who calls this has a reference. */
static void call_done(struct waiter *waiter)
{
    struct rb_ticket *ticket = ticket_of(waiter);
    bool calls;

    if (ticket->done == NULL)
        return;
    pthread_mutex_lock(&ticket->lock);
    calls = ticket->is_calling = !ticket->is_left;
    ticket->caller = pthread_self();
    pthread_mutex_unlock(&ticket->lock);
    if (!calls)
        return;
    ticket->done(ticket->done_arg, ticket);
    pthread_mutex_lock(&ticket->lock);
    ticket->is_calling = false;
    pthread_cond_broadcast(&ticket->told);
    pthread_mutex_unlock(&ticket->lock);
}

/* Whether there is an answer about the mailbox, or the message. */
static bool is_answer(const struct address_record *record)
{
    return rb_reason_verdict(record->reason) != RB_VERDICT_UNKNOWN ||
           record->reason == RB_REASON_CATCH_ALL || record->reason == RB_REASON_TOO_LARGE;
}

/* Under the lock. */
static void keep_answer(struct rb_ticket *ticket, const struct inflight_news *news)
{
    if (ticket->falls_back && !is_answer(news->record))
        return;
    ticket->record = *news->record;
    ticket->cached = news->from_cache;
    if (news->claim == NULL)
        return;
    ticket->result = news->claim->result;
    (void)text_copy(ticket->domain, sizeof ticket->domain,
                    claim_target(news->claim)->kind == RB_TARGET_MX && news->record->mx[0] != '\0'
                        ? news->record->mx
                        : claim_target(news->claim)->host);
}

static void tell(struct waiter *waiter, const struct inflight_news *news)
{
    struct rb_ticket *ticket = ticket_of(waiter);

    pthread_mutex_lock(&ticket->lock);
    switch (news->event) {
    case INFLIGHT_ACCEPTED:
        ticket->accepted = true;
        if (!ticket->answered && !ticket->falls_back)
            ticket->record = *news->record;
        break;
    case INFLIGHT_ANSWERED:
        keep_answer(ticket, news);
        ticket->answered = true;
        ticket->answered_ms = news->when_ms;
        ticket->transcript = *news->transcript;
        *news->transcript = NULL;
        break;
    case INFLIGHT_STOPPED:
        ticket->stopped = true;
        break;
    }
    pthread_cond_broadcast(&ticket->told);
    pthread_mutex_unlock(&ticket->lock);
}

struct rb_ticket *ticket_new(struct rb_verifier *verifier, struct snapshot *snapshot,
                             const struct rb_question *asked)
{
    const char *relay = asked->relay != NULL ? asked->relay : "";
    const size_t relay_size = strlen(relay) + 1;
    struct rb_ticket *ticket = calloc(1, sizeof *ticket + relay_size);
    pthread_condattr_t attributes;

    if (ticket == NULL || pthread_condattr_init(&attributes) != 0) {
        free(ticket);
        return NULL;
    }
    ticket->waiter =
        (struct waiter){.tell = tell, .call = call_done, .release = release, .references = 1};
    memcpy(ticket->relay, relay, relay_size);
    atomic_store(&ticket->waiter.voucher, asked->voucher);
    ticket->verifier = verifier;
    ticket->snapshot = snapshot;
    ticket->done = asked->done;
    ticket->done_arg = asked->done_arg;
    ticket->asked_ms = clock_monotonic_ms(verifier->clock);
    pthread_mutex_init(&ticket->lock, NULL);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&ticket->told, &attributes);
    pthread_condattr_destroy(&attributes);
    return ticket;
}

void ticket_put(struct rb_ticket *ticket)
{
    waiter_put(&ticket->waiter);
}

void ticket_wait_for(struct rb_ticket *ticket, struct question *question)
{
    ticket->waits = true;
    inflight_wait_for(question, &ticket->waiter);
}

void ticket_is_ready(struct rb_ticket *ticket)
{
    ticket->answered_ms = clock_monotonic_ms(ticket->verifier->clock);
    call_done(&ticket->waiter);
}

/*
 * Where `done` is being called by another thread, that is waited for; by this one, the ticket goes
 * when it returns.
 */
void rb_ticket_free(struct rb_ticket *ticket)
{
    struct rb_verifier *verifier;
    bool waits_still = false;

    if (ticket == NULL)
        return;
    verifier = ticket->verifier;
    if (ticket->waits || ticket->done != NULL) {
        pthread_mutex_lock(&ticket->lock);
        ticket->is_left = true;
        while (ticket->is_calling && !pthread_equal(ticket->caller, pthread_self()))
            pthread_cond_wait(&ticket->told, &ticket->lock);
        waits_still = ticket->waits && !ticket->answered && !ticket->stopped;
        pthread_mutex_unlock(&ticket->lock);
    }
    if (waits_still)
        inflight_leave(&verifier->inflight, &ticket->waiter);
    ticket_put(ticket);
    atomic_fetch_sub(&verifier->tickets_held, 1);
}

/* --- Waiting ---------------------------------------------------------------- */

/* Until there is an answer, or else what there is instead. Under the lock. */
static enum rb_error await(struct rb_ticket *ticket, bool or_accepted, deadline until)
{
    const int64_t now_ms = clock_monotonic_ms(ticket->verifier->clock);
    const struct timespec end = clock_timespec_in_ms(until > now_ms ? until - now_ms : 0);
    int error = until > now_ms ? 0 : ETIMEDOUT;

    while (!ticket->answered && !ticket->stopped && !(or_accepted && ticket->accepted) &&
           error == 0)
        error = pthread_cond_timedwait(&ticket->told, &ticket->lock, &end);
    if (ticket->answered)
        return RB_OK;
    return ticket->stopped ? RB_ERR_CLOSING : RB_ERR_NOT_YET;
}

static void fill(const struct rb_ticket *ticket, const struct address_record *record,
                 struct rb_answer *answer)
{
    const struct rb_verifier *verifier = ticket->verifier;
    const int64_t until_ms =
        ticket->answered_ms != 0 ? ticket->answered_ms : clock_monotonic_ms(verifier->clock);

    memory_fill_answer(&verifier->memory, ticket->snapshot->options, ticket->relay, ticket->address,
                       record, answer);
    answer->cached = ticket->cached;
    answer->voucher = atomic_load(&ticket->waiter.voucher);
    answer->elapsed_ms = until_ms - ticket->asked_ms;
    memcpy(answer->domain, ticket->domain, sizeof answer->domain);
}

/* There is no answer: what is said instead. Under the lock. */
static void fill_unanswered(const struct rb_ticket *ticket, struct rb_answer *answer)
{
    struct address_record record;

    if (ticket->falls_back) {
        record = ticket->record;
    } else if (!ticket->accepted) {
        verifier_moment(ticket->verifier, RB_REASON_TIMEOUT, "still_asking", &record);
    } else {
        record = ticket->record;
        record.reason = RB_REASON_TIMEOUT;
        (void)text_copy(record.rule, sizeof record.rule, "accepted_still_asking");
    }
    fill(ticket, &record, answer);
}

/* What the question says now, or that it says nothing yet. The transcript goes with the answer. */
static enum rb_error collect(struct rb_ticket *ticket, deadline until, struct rb_answer *answer)
{
    enum rb_error error;

    pthread_mutex_lock(&ticket->lock);
    error = await(ticket, false, until);
    if (ticket->answered)
        fill(ticket, &ticket->record, answer);
    else
        fill_unanswered(ticket, answer);
    answer->transcript = ticket->transcript;
    ticket->transcript = NULL;
    pthread_mutex_unlock(&ticket->lock);
    return error;
}

/* Gives an answer, and what it owns, to the caller. False: into nothing that is an answer. */
static bool give(struct rb_answer *made, struct rb_answer *answer)
{
    const bool has_room = sized_reach(answer, SIZED_ANSWER, sizeof *made) >= SIZED_ANSWER;

    if (!has_room)
        transcript_free(made->transcript);
    return sized_write(answer, SIZED_ANSWER, made, sizeof *made);
}

enum rb_error rb_wait(struct rb_ticket *ticket, int64_t until_ms, struct rb_answer *answer)
{
    struct rb_answer made = {.size = sizeof made};
    enum rb_error error = RB_OK;

    if (ticket->is_of_client)
        return RB_ERR_ARGUMENT;
    if (ticket->waits)
        error = collect(ticket, until_ms, &made);
    else
        fill(ticket, &ticket->record, &made);
    return give(&made, answer) ? error : RB_ERR_ARGUMENT;
}

enum rb_error rb_wait_accepted(struct rb_ticket *ticket, int64_t until_ms, bool *accepted)
{
    enum rb_error error;

    *accepted = false;
    if (ticket->is_of_client)
        return RB_ERR_ARGUMENT;
    if (!ticket->waits)
        return RB_OK;
    pthread_mutex_lock(&ticket->lock);
    error = await(ticket, true, until_ms);
    *accepted = ticket->accepted && !ticket->answered;
    pthread_mutex_unlock(&ticket->lock);
    return *accepted ? RB_OK : error;
}

/* --- Of a client --------------------------------------------------------------- */

/* As it is now, answered or not. */
static void fill_client(struct rb_ticket *ticket, struct rb_client_answer *answer)
{
    const struct address_record *record = &ticket->record;
    const int64_t until_ms = ticket->answered_ms != 0 ? ticket->answered_ms
                                                      : clock_monotonic_ms(ticket->verifier->clock);

    answer->result = ticket->result;
    answer->cached = ticket->cached;
    answer->port = record->port;
    answer->code = record->code;
    answer->elapsed_ms = until_ms - ticket->asked_ms;
    answer->transcript = ticket->transcript;
    ticket->transcript = NULL;
    memcpy(answer->host, ticket->domain, sizeof answer->host);
    memcpy(answer->ip, record->ip, sizeof answer->ip);
    memcpy(answer->tls, record->tls, sizeof answer->tls);
    memcpy(answer->reply, record->reply, sizeof answer->reply);
    memcpy(answer->rule, record->rule, sizeof answer->rule);
}

/* Gives an answer, and what it owns, to the caller. False: into nothing that is an answer. */
static bool give_client(struct rb_client_answer *made, struct rb_client_answer *answer)
{
    const bool has_room =
        sized_reach(answer, SIZED_CLIENT_ANSWER, sizeof *made) >= SIZED_CLIENT_ANSWER;

    if (!has_room)
        transcript_free(made->transcript);
    return sized_write(answer, SIZED_CLIENT_ANSWER, made, sizeof *made);
}

enum rb_error rb_wait_client(struct rb_ticket *ticket, int64_t until_ms,
                             struct rb_client_answer *answer)
{
    struct rb_client_answer made = {.size = sizeof made};
    enum rb_error error = RB_OK;

    if (!ticket->is_of_client)
        return RB_ERR_ARGUMENT;
    if (!ticket->waits) {
        fill_client(ticket, &made);
    } else {
        pthread_mutex_lock(&ticket->lock);
        error = await(ticket, false, until_ms);
        fill_client(ticket, &made);
        pthread_mutex_unlock(&ticket->lock);
        if (error != RB_OK)
            (void)text_copy(made.rule, sizeof made.rule, "still_asking");
    }
    return give_client(&made, answer) ? error : RB_ERR_ARGUMENT;
}

/* --- Of both --------------------------------------------------------------------- */

int64_t rb_ticket_asked_ms(struct rb_ticket *ticket)
{
    return ticket->waits ? atomic_load(&ticket->waiter.asked_ms) : ticket->asked_ms;
}

bool rb_ready(struct rb_ticket *ticket)
{
    bool answered;

    if (!ticket->waits)
        return true;
    pthread_mutex_lock(&ticket->lock);
    answered = ticket->answered;
    pthread_mutex_unlock(&ticket->lock);
    return answered;
}
