/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session: one session with one address of one mail host; see session.h. The real address before
 * the probe, the null sender before the fallback; what the host answered is answered for good, what
 * it did not is put by for the next host, or for another session with this one.
 */
#include "config.h"

#include "callout/session.h"

#include "base/text.h"
#include "callout/channel.h"
#include "callout/manners.h"
#include "callout/probe.h"
#include "smtp/classify.h"

#include <stdlib.h>
#include <string.h>

struct session {
    struct attempt *attempt;
    struct channel channel;
    struct manners manners;
    deadline until;            /* of what is asked for now, its probe included */
    struct address_record how; /* what to tell hooks.called of the host */
    bool reported;             /* it was told */
    bool verbs_left;           /* verbs were put by for another session with the host */
};

/* --- What the host said --------------------------------------------------- */

/* hooks.called is told how the host took the call. */
static void report(struct session *session)
{
    const struct callout_hooks *hooks = &session->attempt->callout->hooks;

    if (!session->reported)
        hooks->called(hooks->arg, session->attempt->host, &session->how);
    session->reported = true;
}

/* The host has answered about the address: for good. */
static void answer_item(struct session *session, struct callout_item *item,
                        struct address_record *record)
{
    const struct attempt *attempt = session->attempt;
    const bool accepted =
        record->reason == RB_REASON_ACCEPTED && attempt->callout->options->o.catch_all_check;
    const bool settled =
        !accepted || probe_settles(&session->channel, item, record, session->until);

    session->manners.got_answer = true;
    attempt_record(attempt, RB_REASON_ACCEPTED, RB_STAGE_NONE, "", &session->how);
    transport_transcript(&session->channel.transport, NULL, 0); /* it goes with the answer */
    if (settled && accepted)
        probe_answer(attempt, item, record);
    else if (settled)
        attempt_answer(attempt, item, record);
}

static bool is_answer(enum rb_reason reason)
{
    return reason == RB_REASON_CATCH_ALL || reason == RB_REASON_TOO_LARGE ||
           classify_is_about_mailbox(reason);
}

/* What a transaction's end says of the host, beside what it says of the address. */
static void note_host(struct session *session, const struct address_record *record)
{
    const struct channel *channel = &session->channel;
    const bool lost = channel->dialogue.need == DIALOGUE_OVER && record->code == 0;

    if (session->manners.got_answer)
        return;
    if (manners_is_about_us(channel, record) || record->reason == RB_REASON_PROTOCOL_ERROR ||
        record->code == 421 || (lost && record->reason == RB_REASON_UNREACHABLE))
        session->how = *record;
}

/* Did the host refuse the null sender? It is learned where the fallback was taken instead. */
static void note_null_sender(struct session *session, const struct dialogue_question *question,
                             const struct address_record *record)
{
    struct attempt *attempt = session->attempt;
    const struct dialogue *dialogue = &session->channel.dialogue;

    if (attempt->ask_with_fallback && record->code != 0 && record->stage == RB_STAGE_RCPT &&
        !attempt_knows(attempt, &attempt->facts.null_sender_refused, FACT_YES))
        attempt_learn_null_sender(attempt);
    if (!dialogue->answer.null_sender_refused)
        return;
    if (record->reason != RB_REASON_NULL_SENDER_REFUSED) {
        attempt_learn_null_sender(attempt);
    } else if (dialogue->need == DIALOGUE_OVER && question->fallback_mail_from != NULL &&
               strcmp(record->mail_from, question->mail_from) == 0) {
        /* Closed over it: the fallback was never heard. */
        attempt->ask_with_fallback = attempt->reconnect = true;
    }
}

/* --- When the host has had enough ----------------------------------------- */

/* Another session with the host is to follow: it has its own time. */
static void reconnect(struct attempt *attempt)
{
    attempt->reconnect = true;
    attempt_renew_time(attempt);
}

/* What was to be asked for in this session is, first of all, in another one. */
static void leave_to_next_session(struct session *session, struct callout_item *item)
{
    session->manners.session_exhausted = true;
    reconnect(session->attempt);
    attempt_push(&session->attempt->todo, item);
}

/*
 * The host takes no further session, as long as others of ours are open: what is left is for them,
 * or for later. False: there are none, so that it is a failure like any other. may_lag: the host
 * may still have counted one that had just ended.
 */
static bool hand_back(struct session *session, bool may_lag)
{
    struct attempt *attempt = session->attempt;
    const struct callout_hooks *hooks = &attempt->callout->hooks;

    if (!hooks->turned_away(hooks->arg, attempt->host, may_lag))
        return false;
    transport_remark(&session->channel.transport, "one connection too many: later");
    session->manners.session_exhausted = attempt->full = true;
    return true;
}

/*
 * The host says that it is too much for now: it is left alone for a while, with all that is still
 * to be asked there.
 */
static void pause_host(struct session *session, struct address_record *record)
{
    struct attempt *attempt = session->attempt;
    const struct callout_hooks *hooks = &attempt->callout->hooks;

    hooks->too_much(hooks->arg, attempt->host);
    transport_remark(&session->channel.transport,
                     "too much for the host: it is left alone for a while");
    session->manners.session_exhausted = attempt->paused = true;
    address_record_limit(record, RB_LIMIT_HOST_PAUSED);
}

/* True: the host would have none of it now, and the item is put by for when it has. */
static bool is_put_off(struct session *session, struct callout_item *item,
                       struct address_record *record)
{
    struct attempt *attempt = session->attempt;
    const bool may_be_number =
        record->code == 421 && session->manners.asked == 1 && !item->turned_away;

    if (may_be_number && hand_back(session, false)) {
        item->turned_away = true;
        attempt_push(&attempt->todo, item);
        return true;
    }
    if (manners_is_too_much(&session->channel, record)) {
        pause_host(session, record);
        attempt_limit(item, record);
        attempt_push(&attempt->todo, item);
        return true;
    }
    if (manners_ends_session(&session->manners, &session->channel, record)) {
        leave_to_next_session(session, item);
        return true;
    }
    return false;
}

/* --- Asking --------------------------------------------------------------- */

/* What is said from here on is for the item's transcript. */
static void begin_transcript(struct session *session, const struct callout_item *item)
{
    struct transport *transport = &session->channel.transport;

    transport_transcript(transport, item->transcript, item->asked_ms);
    if (session->manners.asked > 1)
        transport_remark(transport, "in a session that is open already");
}

static void ask(struct session *session, const struct callout_item *item,
                const struct dialogue_question *question)
{
    const struct rb_clock *clock = session->attempt->callout->clock;
    struct channel *channel = &session->channel;
    const unsigned refusals = channel->dialogue.refusals;
    const int64_t asked_ms = clock_monotonic_ms(clock);

    begin_transcript(session, item);
    channel_ask(channel, question, session->until);
    if (channel->dialogue.refusals > refusals)
        manners_note_refusal(&session->manners, clock_monotonic_ms(clock) - asked_ms);
}

/*
 * The session was over before the verb was heard: the host had enough of what came before it.
 */
static bool is_unheard(const struct session *session, const struct callout_item *item,
                       const struct address_record *record)
{
    return item->word == VERBS_NONE &&
           manners_ends_session(&session->manners, &session->channel, record);
}

/*
 * Says a verb. Whatever comes is its answer, a connection that is lost over it as well; and it
 * tells nothing of the host: not knowing the verb is no failure.
 */
static void ask_verb(struct session *session, struct callout_item *item)
{
    struct channel *channel = &session->channel;
    struct address_record record;

    item->greeted = session->manners.verb_said = true;
    begin_transcript(session, item);
    channel_ask_verb(channel, item->verb, session->until);
    channel_record(channel, &record);
    if (record.stage == RB_STAGE_VERB && record.code != 0)
        item->word = verbs_reply_word(item->verb, record.code, channel->dialogue.parser.reply.text);
    if (is_unheard(session, item, &record)) {
        leave_to_next_session(session, item);
        return;
    }
    transport_transcript(&channel->transport, NULL, 0); /* it goes with the answer */
    attempt_answer(session->attempt, item, &record);
}

/* True: the item is not for this session, and put by for the next host, or for another session. */
static bool is_put_by(struct session *session, struct callout_item *item)
{
    struct attempt *attempt = session->attempt;

    if (!attempt_is_for(item, session->channel.mx)) {
        attempt_push(&attempt->later, item);
        return true;
    }
    if (item->verb == NULL || !session->manners.verb_said)
        return false;
    session->verbs_left = true;
    attempt_push(&attempt->todo, item);
    return true;
}

/* Asks for one item, and answers it or puts it by: for the next host, or for this one once more. */
static void ask_for_item(struct session *session, struct callout_item *item)
{
    struct attempt *attempt = session->attempt;
    struct dialogue_question question = attempt_question(attempt, item->address);
    struct address_record record;

    question.needs_utf8 = item->needs_utf8;
    question.message_size = item->message_size;
    question.data = attempt->callout->options->o.data_check &&
                    attempt_knows(attempt, &attempt->facts.catch_all, FACT_YES);
    ask(session, item, &question);
    channel_record(&session->channel, &record);
    if (is_put_off(session, item, &record))
        return;
    note_host(session, &record);
    note_null_sender(session, &question, &record);
    if (is_answer(record.reason)) {
        answer_item(session, item, &record);
        return;
    }
    attempt_consider(item, &record);
    attempt_push(attempt->reconnect ? &attempt->todo : &attempt->later, item);
}

static bool is_exhausted(const struct session *session)
{
    return manners_is_exhausted(&session->manners, &session->channel.dialogue);
}

/* Another item, unless other destinations wait for this worker. */
static struct callout_item *take_another(struct attempt *attempt)
{
    if (attempt->taken >= CALLOUT_SESSION_QUESTIONS_MAX || attempt_must_yield(attempt))
        return NULL;
    return attempt_take(attempt);
}

/* Whether a session with nothing more to ask is worth keeping, and in a state to be kept. */
static bool can_keep_open(struct session *session)
{
    const struct attempt *attempt = session->attempt;
    const struct callout *callout = attempt->callout;
    const unsigned idle_ms = callout->options->o.idle_timeout_ms;

    if (!session->manners.got_answer && !session->manners.verb_said)
        return false;
    if (idle_ms == 0 || attempt->later != NULL || attempt->todo != NULL || attempt->passed_over ||
        attempt_must_yield(attempt) || attempt->taken >= CALLOUT_SESSION_QUESTIONS_MAX ||
        is_exhausted(session) || !callout->hooks.may_keep_open(callout->hooks.arg, attempt->host))
        return false;
    return channel_reset(&session->channel, deadline_in(callout->clock, idle_ms));
}

/*
 * Waits for another address, with the session open. NULL: none came, or the host has meanwhile had
 * enough of the session.
 */
static struct callout_item *wait_for_more(struct session *session)
{
    struct attempt *attempt = session->attempt;
    const struct callout_hooks *hooks = &attempt->callout->hooks;
    struct callout_item *item;

    if (!can_keep_open(session))
        return NULL;
    report(session);
    item = hooks->wait_for_more(hooks->arg, attempt->host);
    if (item == NULL)
        return NULL;
    attempt->taken++;
    if (!transport_is_quiet(&session->channel.transport)) {
        transport_close(&session->channel.transport);
        leave_to_next_session(session, item);
        return NULL;
    }
    attempt_renew_time(attempt);
    return item;
}

/*
 * The session is over before these were asked for. Where the host had answered, or we have left it,
 * they are for another session, behind the one put by first; else they share what was said of the
 * last.
 */
static void leave_unasked(struct session *session, struct callout_item *unasked)
{
    struct attempt *attempt = session->attempt;
    struct callout_item **end = &attempt->todo, *item;

    if (unasked == NULL)
        return;
    if (session->how.reason == RB_REASON_ACCEPTED || is_exhausted(session)) {
        while (*end != NULL)
            end = &(*end)->next;
        *end = unasked;
        if (!attempt->full && !attempt->paused)
            reconnect(attempt);
        return;
    }
    while ((item = unasked) != NULL) {
        unasked = item->next;
        attempt_consider(item, &session->how);
        attempt_push(&attempt->later, item);
    }
}

/* The attempt's time is that of the session's first address; those asked for behind it have their
 * own. */
static deadline time_for_item(struct session *session)
{
    if (session->manners.asked > 1) {
        const struct callout *callout = session->attempt->callout;

        return deadline_in(callout->clock, callout->options->o.total_timeout_ms);
    }
    return session->attempt->until;
}

/*
 * Asks for everything there is, as long as the host goes along. What the host did not answer is in
 * attempt->later then, what it was not asked for in attempt->todo.
 */
static void ask_for_all(struct session *session)
{
    struct attempt *attempt = session->attempt;
    struct callout_item *unasked = attempt->todo, *item;

    attempt->todo = NULL;
    while (channel_can_ask(&session->channel) && !is_exhausted(session)) {
        item = unasked;
        if (item != NULL)
            unasked = item->next;
        else if ((item = take_another(attempt)) == NULL && (item = wait_for_more(session)) == NULL)
            break;
        if (is_put_by(session, item))
            continue;
        session->manners.asked++;
        session->until = time_for_item(session);
        if (item->verb != NULL)
            ask_verb(session, item);
        else
            ask_for_item(session, item);
    }
    leave_unasked(session, unasked);
    if (session->verbs_left && !attempt->full && !attempt->paused)
        reconnect(attempt);
}

/* --- The session as a whole ----------------------------------------------- */

/* The session ended before anything could be asked. */
static void note_not_opened(struct session *session)
{
    struct attempt *attempt = session->attempt;
    const struct channel *channel = &session->channel;

    channel_record(channel, &session->how);
    /* Who refuses connections counts them well, or is not there. */
    if (manners_is_one_too_many(channel) && hand_back(session, channel->status != WIRE_REFUSED))
        return;
    if (channel->dialogue.answer.subject == CLASSIFY_PACE) {
        pause_host(session, &session->how);
        for (struct callout_item *item = attempt->todo; item != NULL; item = item->next)
            attempt_limit(item, &session->how);
        return;
    }
    attempt_consider_all(attempt, &session->how);
}

/* Whether what came of the session is news of the host, and not of us or of this moment. */
static bool is_news(const struct session *session)
{
    if (session->manners.got_answer)
        return true;
    if (session->attempt->full || session->attempt->paused)
        return false;
    switch (session->channel.status) {
    case WIRE_NO_ROUTE:
    case WIRE_CANCELLED:
    case WIRE_SYSTEM:
        return false;
    default:
        return session->how.reason != RB_REASON_INTERNAL_ERROR &&
               session->how.reason != RB_REASON_LIMITED;
    }
}

static void run(struct session *session)
{
    struct attempt *attempt = session->attempt;
    struct channel *channel = &session->channel;

    attempt_record(attempt, RB_REASON_ACCEPTED, RB_STAGE_NONE, "", &session->how);
    if (channel_open(channel)) {
        attempt->reached = true;
        attempt_learn_alive(attempt);
        ask_for_all(session);
    } else {
        note_not_opened(session);
    }
    attempt->no_route += channel->status == WIRE_NO_ROUTE;
    if (channel->status == WIRE_YIELDED && !session->manners.got_answer &&
        channel->dialogue.verb == NULL) {
        /* That others needed our worker is our affair; to the host's record it was silent. */
        channel_record(channel, &session->how);
        session->how.reason = RB_REASON_UNREACHABLE;
        session->how.limit = RB_LIMIT_NONE;
    }
    if (is_news(session))
        report(session);
    transport_quit(&channel->transport, &channel->dialogue);
}

static void no_memory(struct attempt *attempt)
{
    struct address_record none;

    attempt_record(attempt, RB_REASON_INTERNAL_ERROR, RB_STAGE_CONNECT, "no_memory", &none);
    attempt_consider_all(attempt, &none);
}

void session_run(struct attempt *attempt, const char *mx, const struct sockaddr_storage *address)
{
    struct session *session = calloc(1, sizeof *session); /* too large for a worker's stack */

    if (session == NULL) {
        no_memory(attempt);
        return;
    }
    session->attempt = attempt;
    session->channel = (struct channel){.attempt = attempt, .mx = mx, .address = *address};
    run(session);
    free(session);
}
