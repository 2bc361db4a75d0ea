/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * api: the way of a question: through the cache, the domain's facts and the SPF gate (gate.h), then
 * to be submitted (submit.h), while its ticket (ticket.h) waits. Owns nothing and has no lock.
 */
#include "config.h"

#include "base/sized.h"
#include "base/text.h"
#include "mail/relay.h"
#include "verifier/gate.h"
#include "verifier/submit.h"
#include "verifier/ticket.h"
#include "verifier/verifier.h"

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

/*
 * A question of the ticket's own, not under way yet, for which it waits where nothing is known.
 * What the cache knows is told at once, and refreshed behind the caller's back: for the next
 * message, of whatever size. NULL: no memory.
 */
static struct question *prepare(struct rb_ticket *ticket, const struct rb_question *asked,
                                const struct address *address, const char *key,
                                enum memory_answer known)
{
    struct question *question = submit_prepare(ticket->verifier, asked, address, key);

    if (question == NULL)
        return NULL;
    question->voucher = atomic_load(&ticket->waiter.voucher);
    if (known == CACHE_MISS)
        ticket_wait_for(ticket, question);
    else
        question_set_size(question, 0);
    return question;
}

/* There was no memory for a question: that matters to those whom the cache tells nothing. */
static enum rb_error no_memory(const struct rb_ticket *ticket)
{
    return ticket->cached ? RB_OK : RB_ERR_NOMEM;
}

/* The gate is open, or there is none: what the cache said stands, or the world is asked. */
static enum rb_error go_on(struct rb_ticket *ticket, const struct rb_question *asked,
                           const struct address *address, const char *key, enum memory_answer known)
{
    struct question *question;

    if (known == CACHE_FRESH)
        return RB_OK;
    question = prepare(ticket, asked, address, key, known);
    if (question == NULL)
        return no_memory(ticket);
    submit_question(ticket->verifier, ticket->snapshot->options, question);
    return RB_OK;
}

/* --- The SPF gate --------------------------------------------------------- */

/*
 * Who vouches for the client is found out; where the cache has a fresh answer, for the next of its
 * messages alone.
 */
static enum rb_error wait_at_gate(struct rb_ticket *ticket, struct check *check,
                                  const struct rb_question *asked, const struct address *address,
                                  const char *key, enum memory_answer known)
{
    struct question *question = NULL;

    if (known != CACHE_FRESH) {
        question = prepare(ticket, asked, address, key, known);
        if (question == NULL) {
            check_free(check);
            return no_memory(ticket);
        }
    }
    gate_wait(ticket->verifier, ticket->snapshot, check, question);
    return RB_OK;
}

static enum rb_error pass_gate(struct rb_ticket *ticket, const struct rb_question *asked,
                               const struct address *address, const char *key,
                               enum memory_answer known)
{
    const struct spf_question client = {.client = asked->client,
                                        .helo = asked->helo,
                                        .local = address->local,
                                        .domain = address->domain};
    struct check *check;
    const struct gate_ruling ruling = gate_ask(ticket->verifier, ticket->snapshot, &client, &check);

    switch (ruling.word) {
    case GATE_OPEN:
        atomic_store(&ticket->waiter.voucher, ruling.voucher);
        return go_on(ticket, asked, address, key, known);
    case GATE_CLOSED: /* the address is of no interest */
        gate_turn_back(ticket->verifier, ruling.reason, &ticket->record);
        ticket->cached = false;
        return RB_OK;
    case GATE_ASKS:
        return wait_at_gate(ticket, check, asked, address, key, known);
    case GATE_NO_MEMORY:
    case GATE_NO_WORKER:
        break;
    }
    return no_memory(ticket);
}

/* --- Questions ------------------------------------------------------------ */

/*
 * What is known of the address: the ticket's answer, for good or, where the message's size makes
 * the question a new one (CACHE_MISS), as long as the world gives none.
 */
static enum memory_answer look_up(struct rb_ticket *ticket, const struct rb_question *asked,
                                  const struct address *address, const char *key)
{
    struct rb_verifier *verifier = ticket->verifier;
    bool by_fact;
    enum memory_answer known =
        memory_find(&verifier->memory, ticket->snapshot->options, key, address->domain,
                    asked->relay, &ticket->record, &by_fact);

    ticket->cached = known != CACHE_MISS;
    if (ticket->cached && asked->message_size != 0 && !asked->only_cache &&
        !memory_answers_size(&ticket->record)) {
        ticket->falls_back = true;
        known = CACHE_MISS;
    }
    count_lookup(verifier, known, by_fact && !ticket->falls_back);
    return known;
}

/* A question with an address that can be asked for. */
static enum rb_error ask(struct rb_ticket *ticket, const struct rb_question *asked,
                         const struct address *address)
{
    struct rb_verifier *verifier = ticket->verifier;
    const struct options *options = ticket->snapshot->options;
    enum memory_answer known = CACHE_MISS;
    char key[CACHE_KEY_MAX + 1];
    enum rb_error error = cache_address_key(asked->relay, ticket->address, key);

    if (error != RB_OK)
        return error;
    if (!asked->no_cache && !asked->transcript)
        known = look_up(ticket, asked, address, key);
    if (asked->only_cache && known == CACHE_MISS)
        verifier_moment(verifier, RB_REASON_TIMEOUT, "not_in_cache", &ticket->record);
    /*
     * What cannot take a bounce is no better sender from the right client: it need not be asked who
     * that is.
     */
    if (asked->only_cache ||
        (known == CACHE_FRESH && rb_reason_verdict(ticket->record.reason) == RB_VERDICT_INVALID))
        return RB_OK;
    return gate_is_for(options, asked) ? pass_gate(ticket, asked, address, key, known)
                                       : go_on(ticket, asked, address, key, known);
}

static enum rb_error ask_text(struct rb_ticket *ticket, const struct rb_question *asked)
{
    struct address address;
    enum address_fault fault = address_parse(asked->address, asked->address_len,
                                             ticket->snapshot->options->o.smtputf8, &address);

    if (fault == ADDRESS_OK) {
        (void)text_copy(ticket->domain, sizeof ticket->domain, address.domain);
        (void)!address_key(&address, ticket->address, sizeof ticket->address);
        return ask(ticket, asked, &address);
    }
    if (fault == ADDRESS_NOMEM)
        return RB_ERR_NOMEM;
    submit_about_nobody(ticket->verifier, fault, &ticket->record);
    return RB_OK;
}

enum rb_error rb_ask(struct rb_verifier *verifier, const struct rb_question *question,
                     struct rb_ticket **ticket)
{
    struct rb_question asked = {.size = sizeof asked};
    struct snapshot *snapshot;
    struct rb_ticket *made;
    enum rb_error error;

    *ticket = NULL;
    if (!sized_read(&asked, sizeof asked, question, SIZED_QUESTION) || asked.address == NULL ||
        (asked.relay != NULL && !relay_is_good(asked.relay)) ||
        (unsigned)asked.voucher >= RB_VOUCHER_MAX)
        return RB_ERR_ARGUMENT;
    if (asked.relay == NULL)
        asked.message_size = 0;
    snapshot = snapshots_get(&verifier->snapshots);
    made = ticket_new(verifier, snapshot, &asked);
    if (made == NULL) {
        snapshot_put(snapshot);
        return RB_ERR_NOMEM;
    }
    atomic_fetch_add(&verifier->counters.questions, 1);
    atomic_fetch_add(&verifier->tickets_held, 1);
    waiter_get(&made->waiter); /* the caller's: `done` may give that back before this returns */
    *ticket = made;
    error = ask_text(made, &asked);
    if (error != RB_OK) {
        *ticket = NULL;
        ticket_put(made);
        atomic_fetch_sub(&verifier->tickets_held, 1);
    } else if (!made->waits) {
        ticket_is_ready(made);
    }
    ticket_put(made);
    return error;
}

enum rb_error rb_verify(struct rb_verifier *verifier, const struct rb_question *question,
                        int64_t until_ms, struct rb_answer *answer)
{
    struct rb_question asked = {.size = sizeof asked};
    struct rb_ticket *ticket;
    enum rb_error error;

    if (!sized_read(&asked, sizeof asked, question, SIZED_QUESTION))
        return RB_ERR_ARGUMENT;
    asked.done = NULL; /* which may free the ticket */
    error = rb_ask(verifier, &asked, &ticket);
    if (error != RB_OK)
        return error;
    error = rb_wait(ticket, until_ms, answer);
    rb_ticket_free(ticket);
    return error;
}

int64_t rb_now_ms(const struct rb_verifier *verifier)
{
    return clock_monotonic_ms(verifier->clock);
}

void rb_note_correspondent(struct rb_verifier *verifier, const char *address, size_t address_len)
{
    memory_note_correspondent(&verifier->memory, address, address_len);
}
