/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ask: the way of a question: through the cache, the domain's facts and the SPF gate (gate.c), then
 * on board of a flight (board.c); its ticket waits for that. Part of the verifier; see verifier.h
 * for the locks.
 */
#include "config.h"

#include "verifier/verifier.h"

#include "mail/relay.h"
#include "base/sized.h"
#include "base/text.h"
#include "base/transcript.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

struct rb_ticket {
    struct rb_verifier *verifier;
    struct flight *flight; /* NULL: the answer was there at once: */
    struct address_record record;
    bool cached;
    char address[RB_ADDRESS_MAX + 1];
    char domain[RB_DOMAIN_MAX + 1];
    int64_t asked_ms, answered_ms; /* answered: 0 where there is no answer yet */
};

void ask_init(struct rb_verifier *verifier)
{
    pool_init(&verifier->tickets, sizeof(struct rb_ticket));
}

/* --- Asking --------------------------------------------------------------- */

static void answer_at_once(struct rb_ticket *ticket, const struct address_record *record,
                           bool cached)
{
    ticket->record = *record;
    ticket->cached = cached;
}

static void count_lookup(struct rb_verifier *verifier, enum memory_answer known, bool by_fact)
{
    struct counters *counters = &verifier->counters;

    atomic_fetch_add(known == CACHE_FRESH   ? &counters->cache_hit
                     : known == CACHE_STALE ? &counters->cache_stale
                                            : &counters->cache_miss,
                     1);
    if (by_fact)
        atomic_fetch_add(&counters->settled_by_fact, 1);
}

/* The gate is open, or there is none: what the cache said stands, or the world is asked. */
static enum rb_error go_on(struct rb_ticket *ticket, const struct options *options,
                           const struct rb_question *question, const struct address *address,
                           const char *key, enum memory_answer known)
{
    struct rb_verifier *verifier = ticket->verifier;
    struct flight *flight;

    if (known == CACHE_FRESH)
        return RB_OK;
    flight = board_flight(verifier, options, question, address, key);
    if (known == CACHE_STALE) { /* answers at once; the refresh is for those who come later */
        board_leave(verifier, flight);
        return RB_OK;
    }
    ticket->flight = flight;
    return flight != NULL ? RB_OK : RB_ERR_NOMEM;
}

/* --- The SPF gate --------------------------------------------------------- */

/* The client is not allowed to send for the domain: the address is of no interest. */
static void turn_back(struct rb_ticket *ticket)
{
    struct address_record record =
        verifier_moment(ticket->verifier, RB_REASON_SPF_FAIL, "spf_fail");

    atomic_fetch_add(&ticket->verifier->counters.spf_fail, 1);
    answer_at_once(ticket, &record, false);
}

/*
 * What the cache knows is told now, and whether the client may send is found out for the next of
 * its messages; where nothing is known, the ticket waits for that and for what follows.
 */
static enum rb_error wait_at_gate(struct rb_ticket *ticket, struct check *check,
                                  const struct rb_question *question, const struct address *address,
                                  const char *key, enum memory_answer known)
{
    struct rb_verifier *verifier = ticket->verifier;
    struct flight *flight = NULL;

    if (known != CACHE_FRESH) {
        flight = board_prepare(verifier, question, address, key);
        if (flight == NULL) {
            check_free(check);
            return known == CACHE_MISS ? RB_ERR_NOMEM : RB_OK;
        }
    }
    if (known == CACHE_MISS) {
        flight->holders++;
        ticket->flight = flight;
    }
    gate_wait(verifier, check, flight);
    return RB_OK;
}

static enum rb_error pass_gate(struct rb_ticket *ticket, const struct snapshot *snapshot,
                               const struct rb_question *question, const struct address *address,
                               const char *key, enum memory_answer known)
{
    const struct spf_question asked = {.client = question->client,
                                       .helo = question->helo,
                                       .local = address->local,
                                       .domain = address->domain};
    struct check *check;

    switch (gate_ask(ticket->verifier, snapshot, &asked, &check)) {
    case GATE_OPEN:
        return go_on(ticket, snapshot->options, question, address, key, known);
    case GATE_CLOSED:
        turn_back(ticket);
        return RB_OK;
    case GATE_ASKS:
        return wait_at_gate(ticket, check, question, address, key, known);
    case GATE_NO_MEMORY:
    case GATE_NO_WORKER:
        break;
    }
    return known == CACHE_MISS ? RB_ERR_NOMEM : RB_OK;
}

/* --- Questions ------------------------------------------------------------ */

/* A question with an address that can be asked for. */
static enum rb_error ask(struct rb_ticket *ticket, const struct snapshot *snapshot,
                         const struct rb_question *question, const struct address *address)
{
    struct rb_verifier *verifier = ticket->verifier;
    const struct options *options = snapshot->options;
    enum memory_answer known = CACHE_MISS;
    bool by_fact;
    char key[CACHE_KEY_MAX + 1];
    enum rb_error error = cache_address_key(question->relay, ticket->address, key);

    if (error != RB_OK)
        return error;
    if (!question->no_cache && !question->transcript) {
        known = memory_find(&verifier->memory, options, key, address->domain, question->relay,
                            &ticket->record, &by_fact);
        count_lookup(verifier, known, by_fact);
    }
    ticket->cached = known != CACHE_MISS;
    if (question->only_cache && known == CACHE_MISS) {
        struct address_record record = verifier_moment(verifier, RB_REASON_TIMEOUT, "not_in_cache");

        answer_at_once(ticket, &record, false);
    }
    /*
     * What cannot take a bounce is no better sender from the right client: it need not be asked who
     * that is.
     */
    if (question->only_cache ||
        (known == CACHE_FRESH && rb_reason_verdict(ticket->record.reason) == RB_VERDICT_INVALID))
        return RB_OK;
    return gate_is_for(options, question)
               ? pass_gate(ticket, snapshot, question, address, key, known)
               : go_on(ticket, options, question, address, key, known);
}

struct address_record ask_about_nobody(const struct rb_verifier *verifier, enum address_fault fault)
{
    if (fault == ADDRESS_NULL)
        return verifier_moment(verifier, RB_REASON_EXEMPT, "null_sender");
    if (fault == ADDRESS_8BIT)
        return verifier_moment(verifier, RB_REASON_EXEMPT, "smtputf8_off");
    return verifier_moment(
        verifier, address_is_no_mailbox(fault) ? RB_REASON_BAD_ADDRESS : RB_REASON_REJECTED,
        address_fault_text(fault));
}

static enum rb_error ask_text(struct rb_ticket *ticket, const struct snapshot *snapshot,
                              const struct rb_question *question)
{
    struct address address;
    enum address_fault fault = address_parse(question->address, question->address_len,
                                             snapshot->options->o.smtputf8, &address);
    struct address_record record;

    if (fault == ADDRESS_OK) {
        (void)text_copy(ticket->domain, sizeof ticket->domain, address.domain);
        (void)!address_key(&address, ticket->address, sizeof ticket->address);
        return ask(ticket, snapshot, question, &address);
    }
    if (fault == ADDRESS_NOMEM)
        return RB_ERR_NOMEM;
    record = ask_about_nobody(ticket->verifier, fault);
    answer_at_once(ticket, &record, false);
    return RB_OK;
}

enum rb_error rb_ask(struct rb_verifier *verifier, const struct rb_question *question,
                     struct rb_ticket **ticket)
{
    struct rb_question full = {.size = sizeof full};
    struct rb_ticket *made;
    struct snapshot *snapshot;
    enum rb_error error;

    *ticket = NULL;
    if (!sized_read(&full, sizeof full, question, SIZED_QUESTION) || full.address == NULL ||
        (full.relay != NULL && !relay_is_good(full.relay)))
        return RB_ERR_ARGUMENT;
    made = pool_get(&verifier->tickets);
    if (made == NULL)
        return RB_ERR_NOMEM;
    *made =
        (struct rb_ticket){.verifier = verifier, .asked_ms = clock_monotonic_ms(verifier->clock)};
    atomic_fetch_add(&verifier->counters.questions, 1);
    snapshot = snapshots_get(&verifier->snapshots);
    error = ask_text(made, snapshot, &full);
    snapshot_put(snapshot);
    if (made->flight == NULL)
        made->answered_ms = clock_monotonic_ms(verifier->clock);
    if (error == RB_OK) {
        atomic_fetch_add(&verifier->tickets_held, 1);
        *ticket = made;
    } else
        pool_put(&verifier->tickets, made);
    return error;
}

/* --- Waiting -------------------------------------------------------------- */

static void fill_answer(const struct rb_ticket *ticket, const struct address_record *record,
                        bool cached, const struct options *options, struct rb_answer *answer)
{
    const struct rb_verifier *verifier = ticket->verifier;
    int64_t until_ms =
        ticket->answered_ms != 0 ? ticket->answered_ms : clock_monotonic_ms(verifier->clock);
    const char *relay = ticket->flight != NULL ? ticket->flight->relay : "";

    memory_fill_answer(&verifier->memory, options, relay, ticket->address, record, answer);
    answer->cached = cached;
    answer->elapsed_ms = until_ms - ticket->asked_ms;
    memcpy(answer->domain, ticket->domain, sizeof answer->domain);
}

/* What is waited for. */
enum news { NEWS_ANSWER, NEWS_ACCEPTED_OR_ANSWER };

/* Whether a flight has that, or never will. Under the lock. */
static bool has_news(const struct rb_verifier *verifier, const struct flight *flight,
                     enum news wanted)
{
    return flight->landed || verifier->stopping ||
           (wanted == NEWS_ACCEPTED_OR_ANSWER && flight->accepted);
}

/* Until there is news or the time is up. Under the lock. */
static void wait_for_news(struct rb_verifier *verifier, struct flight *flight, enum news wanted,
                          int64_t wait_ms)
{
    struct waiter waiter = {.flight = flight};
    const struct timespec until = clock_timespec_in_ms(wait_ms);
    int error = 0;

    DL_APPEND(verifier->waiters, &waiter);
    while (!has_news(verifier, flight, wanted) && error == 0)
        error = pthread_cond_timedwait(&flight->landing, &verifier->lock, &until);
    DL_DELETE(verifier->waiters, &waiter);
}

/* Until there is an answer, or else what there is instead. Under the lock. */
static enum rb_error await_until(struct rb_verifier *verifier, struct flight *flight,
                                 enum news wanted, deadline until)
{
    const int64_t now_ms = clock_monotonic_ms(verifier->clock);

    if (until > now_ms)
        wait_for_news(verifier, flight, wanted, until - now_ms);
    if (flight->landed)
        return RB_OK;
    return verifier->stopping ? RB_ERR_CLOSING : RB_ERR_NOT_YET;
}

/* What the flight says now, or that it says nothing yet. The transcript goes with the answer. */
static enum rb_error collect(struct rb_ticket *ticket, deadline until,
                             struct address_record *record, bool *cached,
                             struct rb_transcript **transcript)
{
    struct rb_verifier *verifier = ticket->verifier;
    struct flight *flight = ticket->flight;
    enum rb_error error;

    pthread_mutex_lock(&verifier->lock);
    error = await_until(verifier, flight, NEWS_ANSWER, until);
    if (flight->landed) {
        *record = flight->record;
        *cached = flight->from_cache;
        ticket->answered_ms = flight->landed_ms;
        if (flight->item.transcript != NULL && !flight->listed) {
            *transcript = flight->item.transcript;
            flight->item.transcript = NULL;
        }
    } else if (flight->accepted) {
        *record = flight->record;
        record->reason = RB_REASON_TIMEOUT;
        (void)text_copy(record->rule, sizeof record->rule, "accepted_still_asking");
    }
    pthread_mutex_unlock(&verifier->lock);
    return error;
}

int64_t rb_now_ms(const struct rb_verifier *verifier)
{
    return clock_monotonic_ms(verifier->clock);
}

int64_t rb_ticket_asked_ms(struct rb_ticket *ticket)
{
    int64_t asked_ms;

    if (ticket->flight == NULL)
        return ticket->asked_ms;
    pthread_mutex_lock(&ticket->verifier->lock);
    asked_ms = ticket->flight->started_ms;
    pthread_mutex_unlock(&ticket->verifier->lock);
    return asked_ms;
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
    struct rb_verifier *verifier = ticket->verifier;
    struct address_record record = verifier_moment(verifier, RB_REASON_TIMEOUT, "still_asking");
    struct rb_transcript *transcript = NULL;
    struct rb_answer made = {.size = sizeof made};
    struct snapshot *snapshot;
    bool cached = ticket->cached;
    enum rb_error error = RB_OK;

    if (ticket->flight != NULL)
        error = collect(ticket, until_ms, &record, &cached, &transcript);
    else
        record = ticket->record;
    snapshot = snapshots_get(&verifier->snapshots);
    fill_answer(ticket, &record, cached, snapshot->options, &made);
    snapshot_put(snapshot);
    made.transcript = transcript;
    return give(&made, answer) ? error : RB_ERR_ARGUMENT;
}

enum rb_error rb_wait_accepted(struct rb_ticket *ticket, int64_t until_ms, bool *accepted)
{
    struct rb_verifier *verifier = ticket->verifier;
    const struct flight *flight = ticket->flight;
    enum rb_error error;

    *accepted = false;
    if (flight == NULL)
        return RB_OK;
    pthread_mutex_lock(&verifier->lock);
    error = await_until(verifier, ticket->flight, NEWS_ACCEPTED_OR_ANSWER, until_ms);
    *accepted = flight->accepted && !flight->landed;
    pthread_mutex_unlock(&verifier->lock);
    return *accepted ? RB_OK : error;
}

bool rb_ready(struct rb_ticket *ticket)
{
    bool landed;

    if (ticket->flight == NULL)
        return true;
    pthread_mutex_lock(&ticket->verifier->lock);
    landed = ticket->flight->landed;
    pthread_mutex_unlock(&ticket->verifier->lock);
    return landed;
}

void rb_ticket_free(struct rb_ticket *ticket)
{
    struct rb_verifier *verifier;

    if (ticket == NULL)
        return;
    verifier = ticket->verifier;
    board_leave(verifier, ticket->flight);
    pool_put(&verifier->tickets, ticket);
    atomic_fetch_sub(&verifier->tickets_held, 1);
}

enum rb_error rb_verify(struct rb_verifier *verifier, const struct rb_question *question,
                        int64_t until_ms, struct rb_answer *answer)
{
    struct rb_ticket *ticket;
    enum rb_error error = rb_ask(verifier, question, &ticket);

    if (error != RB_OK)
        return error;
    error = rb_wait(ticket, until_ms, answer);
    rb_ticket_free(ticket);
    return error;
}

void rb_note_correspondent(struct rb_verifier *verifier, const char *address, size_t address_len)
{
    memory_note_correspondent(&verifier->memory, address, address_len);
}
