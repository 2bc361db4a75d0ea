/* SPDX-License-Identifier: BSD-2-Clause */
/* clients: who asks whether a client is who it claims to be, and what comes of it; see clients.h. */
#include "config.h"

#include "verifier/clients.h"

#include "base/sized.h"
#include "base/text.h"
#include "base/transcript.h"
#include "verifier/claim.h"
#include "verifier/submit.h"
#include "verifier/ticket.h"
#include "verifier/verifier.h"

#include <stdlib.h>
#include <string.h>

/* --- What is known -------------------------------------------------------------- */

/* An answer without a callout. */
struct known {
    enum rb_client_result result;
    const char *rule;
    bool cached;
};

/* Whether what is known of the target whose turn it is answers. */
static bool is_known(struct rb_verifier *verifier, const struct claim *claim, struct known *known)
{
    if (claim->no_cache)
        return false;
    switch (memory_verb(&verifier->memory, claim_target(claim)->key, VERBS_AYTTM)) {
    case MEMORY_VERB_ASK:
        break;
    case MEMORY_VERB_NO:
        *known = (struct known){RB_CLIENT_UNSUPPORTED, "known_unsupported", true};
        return true;
    case MEMORY_VERB_UNREACHABLE:
        *known = (struct known){RB_CLIENT_UNREACHABLE, "known_unreachable", true};
        return true;
    }
    return false;
}

/*
 * Goes on, from the target whose turn it is, to the first that must be asked: past those that are
 * known not to be reached. False: there is none, and *known is the answer.
 */
static bool choose(struct rb_verifier *verifier, struct claim *claim, struct known *known)
{
    *known = (struct known){.result = claim->is_nowhere ? RB_CLIENT_UNREACHABLE : RB_CLIENT_UNKNOWN,
                            .rule = claim->why_none};
    for (unsigned at = claim->at; at < claim->count; at++) {
        claim->at = at;
        if (!is_known(verifier, claim, known))
            return true;
        if (known->result != RB_CLIENT_UNREACHABLE)
            return false;
    }
    return false;
}

/* --- On the way to the host --------------------------------------------------------- */

/*
 * Whether the host is a mail host of the sender's domain that a session is open with: it is asked
 * there then, and costs no connection.
 */
static bool shares_session(struct rb_verifier *verifier, const struct claim *claim)
{
    return claim_target(claim)->kind == RB_TARGET_HELO && claim->subject.domain[0] != '\0' &&
           sched_has_session_with(verifier->sched, "", claim->subject.domain, claim->subject.helo);
}

/* For the target whose turn it is; takes the claim. Not under way yet. NULL: no memory. */
static struct question *prepare(struct rb_verifier *verifier, struct claim *claim)
{
    const struct claim_target *target = claim_target(claim);
    const bool shares = shares_session(verifier, claim);
    char key[CACHE_KEY_MAX + 1];
    const bool may_be_joined = claim_key(claim, key);
    struct question *question =
        question_new(key, shares ? claim->subject.domain : target->host,
                     shares || target->relay[0] == '\0' ? NULL : target->relay);

    if (question == NULL)
        return NULL;
    (void)text_copy(claim->only_mx, sizeof claim->only_mx, shares ? claim->subject.helo : "");
    question->claim = claim;
    question->no_cache = claim->no_cache;
    question->is_private = claim->no_cache || !may_be_joined;
    memcpy(question->client, claim->client, sizeof question->client);
    question->asked_ms = clock_monotonic_ms(verifier->clock);
    question->item.verb = claim->line;
    question->item.only_mx = shares ? claim->only_mx : NULL;
    question->item.family = claim->family;
    return question;
}

static void pass_gate(struct rb_verifier *verifier, const struct snapshot *snapshot,
                      struct question *question);

/* What is not under way, or will not be, is answered: nobody knows. */
static void turn_back(struct rb_verifier *verifier, struct question *question,
                      enum rb_reason reason, const char *rule)
{
    struct address_record record;

    if (rule == NULL)
        gate_turn_back(verifier, reason, &record);
    else
        verifier_moment(verifier, reason, rule, &record);
    inflight_finish(&verifier->inflight, question, &record, NULL);
}

/* Each identity in turn; the last one that lets it through has it submitted. */
static void pass_gate(struct rb_verifier *verifier, const struct snapshot *snapshot,
                      struct question *question)
{
    struct spf_question identity;

    while (snapshot->options->o.spf_gate != RB_GATE_NO &&
           claim_next_identity(question->claim, &identity)) {
        struct check *check;
        const struct gate_ruling ruling = gate_ask(verifier, snapshot, &identity, &check);

        switch (ruling.word) {
        case GATE_OPEN:
            continue;
        case GATE_ASKS:
            question->let_through = pass_gate;
            gate_wait(verifier, snapshot, check, question);
            return;
        case GATE_CLOSED:
            turn_back(verifier, question, ruling.reason, NULL);
            return;
        default:
            turn_back(verifier, question, RB_REASON_INTERNAL_ERROR, "no_memory");
            return;
        }
    }
    submit_question(verifier, snapshot->options, question);
}

/* --- What comes back ------------------------------------------------------------------ */

/* Nobody heard of the host: why? */
static enum rb_client_result unheard(enum rb_reason reason)
{
    switch (reason) {
    case RB_REASON_NONE:
    case RB_REASON_TIMEOUT: /* cut short */
    case RB_REASON_LIMITED:
    case RB_REASON_BUSY:
    case RB_REASON_DNS_FAILURE:
    case RB_REASON_INTERNAL_ERROR:
    case RB_REASON_EXEMPT: /* our own host */
        return RB_CLIENT_UNKNOWN;
    default:
        return RB_CLIENT_UNREACHABLE;
    }
}

static enum rb_client_result result_of(const struct callout_item *item, enum rb_reason reason)
{
    switch (item->word) {
    case VERBS_YES:
        return RB_CLIENT_CONFIRMED;
    case VERBS_MAYBE:
        return RB_CLIENT_MAYBE;
    case VERBS_NO:
        return RB_CLIENT_DENIED;
    case VERBS_UNKNOWN:
        return RB_CLIENT_REACHABLE;
    case VERBS_NONE:
        break;
    }
    return item->greeted ? RB_CLIENT_REACHABLE : unheard(reason);
}

/*
 * Whether the verb was said, and the host does not know it: by its reply, or for want of one. Where
 * it was us who did not wait for that (the session gave way), it may know it.
 */
static bool is_not_known(const struct callout_item *item, const struct address_record *record)
{
    return item->word == VERBS_NONE && record->stage == RB_STAGE_VERB &&
           (record->code != 0 || unheard(record->reason) == RB_CLIENT_UNREACHABLE);
}

/* In words of what was asked: of hosts, not of domains and relays. */
static void set_rule(const struct question *question, struct address_record *record)
{
    const char *rule = NULL;

    if (record->reason == RB_REASON_BOGUS_MX)
        rule = "private_address";
    else if (record->reason == RB_REASON_UNREACHABLE && record->stage == RB_STAGE_DNS &&
             question->relay[0] != '\0')
        rule = "no_such_host";
    else if (question->item.word == VERBS_UNKNOWN)
        rule = "host_cannot_say";
    else if (is_not_known(&question->item, record))
        rule = "verb_not_known";
    if (rule != NULL)
        (void)text_copy(record->rule, sizeof record->rule, rule);
}

/* What was learned of the host. */
static void note(struct rb_verifier *verifier, const struct question *question,
                 const struct address_record *record)
{
    const struct callout_item *item = &question->item;
    const char *key = claim_target(question->claim)->key;

    if (item->word != VERBS_NONE)
        memory_note_verb(&verifier->memory, key, VERBS_AYTTM, true);
    else if (is_not_known(item, record))
        memory_note_verb(&verifier->memory, key, VERBS_AYTTM, false);
    else if (question->claim->result == RB_CLIENT_UNREACHABLE && item->only_mx == NULL &&
             record->reason != RB_REASON_BOGUS_MX)
        memory_note_verb_unreachable(&verifier->memory, key);
}

/* Whether another host may know where this one could not be found, reached, or called. */
static bool leaves_to_next(const struct question *question, const struct address_record *record)
{
    return question->claim->at + 1 < question->claim->count &&
           (question->claim->result == RB_CLIENT_UNREACHABLE || record->reason == RB_REASON_EXEMPT);
}

/*
 * Puts the question to the next target that nothing is known of. False: there is none, or no memory;
 * *record is the answer.
 */
static bool go_on(struct rb_verifier *verifier, struct question *question,
                  struct address_record *record)
{
    struct claim *claim = question->claim;
    const int64_t asked_ms = question->asked_ms;
    struct snapshot *snapshot;
    struct question *next;
    struct known known;

    claim->at++;
    claim->identity = 0;
    if (!choose(verifier, claim, &known)) {
        claim->result = known.result;
        verifier_moment(verifier, RB_REASON_NONE, known.rule, record);
        return false;
    }
    next = prepare(verifier, claim);
    if (next == NULL)
        return false;
    next->asked_ms = asked_ms;
    next->item.transcript = question->item.transcript;
    question->item.transcript = NULL;
    question->claim = NULL;
    claim->result = RB_CLIENT_UNKNOWN;
    inflight_hand_on(&verifier->inflight, question, next);
    snapshot = snapshots_get(&verifier->snapshots);
    pass_gate(verifier, snapshot, next);
    snapshot_put(snapshot);
    return true;
}

void clients_finish(struct rb_verifier *verifier, struct question *question,
                    const struct address_record *record)
{
    struct claim *claim = question->claim;
    struct address_record told = *record;

    claim->result = result_of(&question->item, record->reason);
    set_rule(question, &told);
    if (atomic_load(&verifier->stopping) && question->item.word == VERBS_NONE) {
        /* The session may have been cut short: nothing follows from it. */
        claim->result = RB_CLIENT_UNKNOWN;
        verifier_moment(verifier, RB_REASON_TIMEOUT, "shutting_down", &told);
    } else {
        note(verifier, question, record);
        if (leaves_to_next(question, record) && go_on(verifier, question, &told))
            return;
    }
    inflight_finish(&verifier->inflight, question, &told,
                    &verifier->counters.clients[claim->result]);
}

bool clients_settle(struct rb_verifier *verifier, struct question *question)
{
    struct address_record record;
    struct known known;

    if (!is_known(verifier, question->claim, &known))
        return false;
    question->claim->result = known.result;
    verifier_moment(verifier, RB_REASON_NONE, known.rule, &record);
    if (leaves_to_next(question, &record) && go_on(verifier, question, &record))
        return true;
    question->from_cache = true;
    inflight_finish(&verifier->inflight, question, &record, &verifier->counters.client_known);
    return true;
}

/* --- Asking ---------------------------------------------------------------------------- */

/* It is known, or there is nobody to ask: the ticket's answer. */
static void answer_at_once(struct rb_ticket *ticket, const struct claim *claim,
                           const struct known *known)
{
    struct rb_verifier *verifier = ticket->verifier;

    verifier_moment(verifier, RB_REASON_NONE, known->rule, &ticket->record);
    ticket->result = known->result;
    ticket->cached = known->cached;
    if (claim->count > 0)
        (void)text_copy(ticket->domain, sizeof ticket->domain, claim_target(claim)->host);
    if (known->cached)
        atomic_fetch_add(&verifier->counters.client_known, 1);
    ticket_is_ready(ticket);
}

/* Takes the claim. */
static enum rb_error ask(struct rb_ticket *ticket, struct claim *claim)
{
    struct rb_verifier *verifier = ticket->verifier;
    struct question *question;
    struct known known;

    if (!choose(verifier, claim, &known)) {
        answer_at_once(ticket, claim, &known);
        free(claim);
        return RB_OK;
    }
    question = prepare(verifier, claim);
    if (question == NULL) {
        free(claim);
        return RB_ERR_NOMEM;
    }
    if (claim->transcript) {
        question->item.transcript = transcript_new();
        if (question->item.transcript == NULL) {
            question_free(question);
            return RB_ERR_NOMEM;
        }
    }
    (void)text_copy(ticket->domain, sizeof ticket->domain, claim_target(claim)->host);
    ticket_wait_for(ticket, question);
    pass_gate(verifier, ticket->snapshot, question);
    return RB_OK;
}

/* NULL: no memory. */
static struct rb_ticket *make_ticket(struct rb_verifier *verifier,
                                     const struct rb_client_question *asked)
{
    const struct rb_question waits = {
        .size = sizeof waits, .done = asked->done, .done_arg = asked->done_arg};
    struct snapshot *snapshot = snapshots_get(&verifier->snapshots);
    struct rb_ticket *ticket = ticket_new(verifier, snapshot, &waits);

    if (ticket == NULL)
        snapshot_put(snapshot);
    else
        ticket->is_of_client = true;
    return ticket;
}

enum rb_error rb_ask_client(struct rb_verifier *verifier, const struct rb_client_question *question,
                            struct rb_ticket **ticket)
{
    struct rb_client_question asked = {.size = sizeof asked};
    struct claim *claim;
    struct rb_ticket *made;
    enum rb_error error;

    *ticket = NULL;
    if (!sized_read(&asked, sizeof asked, question, SIZED_CLIENT_QUESTION))
        return RB_ERR_ARGUMENT;
    error = claim_new(&asked, &claim);
    if (error != RB_OK)
        return error;
    made = make_ticket(verifier, &asked);
    if (made == NULL) {
        free(claim);
        return RB_ERR_NOMEM;
    }
    atomic_fetch_add(&verifier->counters.client_questions, 1);
    atomic_fetch_add(&verifier->tickets_held, 1);
    waiter_get(&made->waiter); /* the caller's: `done` may give that back before this returns */
    *ticket = made;
    error = ask(made, claim);
    if (error != RB_OK) {
        *ticket = NULL;
        ticket_put(made);
        atomic_fetch_sub(&verifier->tickets_held, 1);
    }
    ticket_put(made);
    return error;
}

/* --- Looking ahead ------------------------------------------------------------------------ */

/* Whether the gate would turn the client back; *reason: why. */
static bool would_turn_back(struct rb_verifier *verifier, const struct snapshot *snapshot,
                            struct claim *claim, deadline until, enum rb_reason *reason)
{
    struct spf_question identity;

    while (snapshot->options->o.spf_gate != RB_GATE_NO && claim_next_identity(claim, &identity)) {
        struct spf_vouching vouching;
        const struct gate_ruling ruling =
            gate_peek(verifier, snapshot, &identity, true, until, &vouching);

        *reason = ruling.reason;
        if (ruling.word == GATE_CLOSED)
            return true;
    }
    return false;
}

/* Something would be asked of the target whose turn it is. */
static void look_at_target(struct rb_verifier *verifier, struct claim *claim, deadline until,
                           struct rb_client_prospect *prospect, struct rb_client_answer *answer)
{
    struct snapshot *snapshot = snapshots_get(&verifier->snapshots);
    const struct claim_target *target = claim_target(claim);
    struct address_record why;
    char key[CACHE_KEY_MAX + 1];
    enum rb_reason reason;

    if (would_turn_back(verifier, snapshot, claim, until, &reason)) {
        (void)text_copy(answer->rule, sizeof answer->rule, rb_reason_name(reason));
    } else if (!claim->no_cache && claim_key(claim, key) &&
               inflight_has(&verifier->inflight, key, 0)) {
        prospect->is_asked = true;
    } else if (submit_forbids(verifier, snapshot->options, target->host, target->relay,
                              claim->client, &why)) {
        memcpy(answer->rule, why.rule, sizeof answer->rule);
    } else {
        prospect->would_call = true;
        prospect->shares = shares_session(verifier, claim);
    }
    snapshot_put(snapshot);
}

enum rb_error rb_peek_client(struct rb_verifier *verifier,
                             const struct rb_client_question *question, int64_t until_ms,
                             struct rb_client_prospect *prospect, struct rb_client_answer *answer)
{
    struct rb_client_question asked = {.size = sizeof asked};
    struct rb_client_prospect would = {.size = sizeof would};
    struct rb_client_answer made = {.size = sizeof made};
    struct claim *claim;
    struct known known;
    enum rb_error error;

    if (!sized_read(&asked, sizeof asked, question, SIZED_CLIENT_QUESTION))
        return RB_ERR_ARGUMENT;
    error = claim_new(&asked, &claim);
    if (error != RB_OK)
        return error;
    if (choose(verifier, claim, &known)) {
        look_at_target(verifier, claim, until_ms, &would, &made);
    } else {
        made.result = known.result;
        made.cached = known.cached;
        (void)text_copy(made.rule, sizeof made.rule, known.rule);
    }
    if (claim->count > 0) {
        (void)text_copy(made.host, sizeof made.host, claim_target(claim)->host);
        (void)text_copy(would.line, sizeof would.line, claim->line);
    }
    free(claim);
    return sized_write(prospect, SIZED_CLIENT_PROSPECT, &would, sizeof would) &&
                   sized_write(answer, SIZED_CLIENT_ANSWER, &made, sizeof made)
               ? RB_OK
               : RB_ERR_ARGUMENT;
}
