/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * decide: what is decided about the sender of a message, once for all recipients that fall under
 * one policy: at RCPT, or begun there and settled later. Part of session.
 */
#include "config.h"

#include "session/decide.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

static void note_failure(const struct session *session, const char *why)
{
    if (session->world->observer != NULL)
        session->world->observer->failed(session, OF_SENDER, why);
}

static void note_internal_error(struct session *session, enum rb_error error)
{
    session->answer.verdict = RB_VERDICT_UNKNOWN;
    session->answer.reason = RB_REASON_INTERNAL_ERROR;
    session->answer.expires_s = session->answer.age_s = -1;
    note_failure(session, rb_error_text(error));
}

/* Asks about the sender, once a message: one verdict serves all its recipients. */
static void ask_about_sender(struct session *session)
{
    const struct rb_question question = {
        .address = session->sender,
        .address_len = strlen(session->sender),
        .client = envelope_client(session),
        .helo = session->helo,
    };
    enum rb_error error;

    session->asked = true;
    session->asked_ms = clock_monotonic_ms(clock_system());
    if (session->world->answer != NULL) {
        session->world->answer(session->world->answer_arg, &question, OF_SENDER, &session->answer);
        return;
    }
    error = rb_ask(session->world->verifier, &question, &session->ticket);
    if (error != RB_OK) {
        session->ticket = NULL;
        note_internal_error(session, error);
    }
}

static void about_to_wait(const struct session *session)
{
    if (!rb_ready(session->ticket) && session->world->before_wait != NULL)
        session->world->before_wait();
}

/* The answer is in session->answer: lets the ticket go and tells the observer. */
static void take_answer(struct session *session)
{
    rb_ticket_free(session->ticket);
    session->ticket = NULL;
    session->waited_ms = session->answer.elapsed_ms;
    if (session->world->observer != NULL)
        session->world->observer->waited(session->waited_ms);
    if (session->answer.reason == RB_REASON_INTERNAL_ERROR)
        note_failure(session, session->answer.rule);
}

/*
 * Where others have asked the same already their time counts: one slow mail host keeps nobody
 * waiting for longer than max_wait, however many clients send for its domain.
 */
static int64_t deadline_after(const struct session *session, int64_t wait_ms)
{
    return rb_ticket_asked_ms(session->ticket) + wait_ms;
}

/* Waits until the answer is there, or its time is up; tick, if not NULL, is called now and then. */
static void await_answer(struct session *session, int64_t max_wait_ms, void (*tick)(void *arg),
                         void *arg)
{
    int64_t until_ms = clock_monotonic_ms(clock_system()) - session->asked_ms;
    bool over;

    if (session->ticket == NULL)
        return;
    about_to_wait(session);
    do {
        until_ms = tick != NULL && until_ms + SESSION_TICK_MS < max_wait_ms
                       ? until_ms + SESSION_TICK_MS
                       : max_wait_ms;
        rb_answer_fini(&session->answer);
        (void)rb_wait(session->ticket, deadline_after(session, until_ms), &session->answer);
        over = rb_ready(session->ticket) || until_ms >= max_wait_ms;
        if (!over)
            tick(arg);
    } while (!over);
    take_answer(session);
}

unsigned decide_time_at_rcpt_ms(const struct session *session)
{
    int64_t left_ms = session->config->max_wait_ms;

    if (session->asked_ms > session->rcpt.began_ms)
        left_ms -= session->asked_ms - session->rcpt.began_ms;
    return left_ms > 0 ? (unsigned)left_ms : 0;
}

/*
 * False: a host has accepted the sender, and the policy lets the message in whatever that is worth;
 * the client need not wait for the rest to be found out.
 */
static bool find_out(struct session *session, const struct policy *policy)
{
    int64_t until_ms;
    bool accepted;

    if (!session->asked)
        ask_about_sender(session);
    if (session->ticket == NULL)
        return true;
    about_to_wait(session);
    until_ms = deadline_after(session, decide_time_at_rcpt_ms(session));
    if (policy_lets_catch_all_in(policy)) {
        (void)rb_wait_accepted(session->ticket, until_ms, &accepted);
        if (accepted)
            return false;
        until_ms = 0; /* the answer is there, or the time is over */
    }
    rb_answer_fini(&session->answer);
    (void)rb_wait(session->ticket, until_ms, &session->answer);
    take_answer(session);
    return true;
}

/* Begins to find out. False: the answer is there already. */
static bool begin_for_later(struct session *session)
{
    if (!session->asked)
        ask_about_sender(session);
    if (session->ticket == NULL)
        return false;
    if (!rb_ready(session->ticket))
        return true;
    await_answer(session, 0, NULL, NULL);
    return false;
}

/* Whether the recipient is let in for now, and the sender decided about later. */
static bool is_let_in(struct session *session, const struct policy *policy)
{
    return session->config->decide_at == DECIDE_RCPT ? !find_out(session, policy)
                                                     : begin_for_later(session);
}

static struct decision *find_decision(const struct session *session, const struct policy *policy,
                                      enum exemption exemption)
{
    for (struct decision *each = session->decisions; each != NULL; each = each->next)
        if (each->policy == policy && each->exemption == exemption)
            return each;
    return NULL;
}

static enum action possible_action(const struct session *session, enum action wanted)
{
    if (session->config->dry_run)
        return wanted == ACTION_TAG && session->mta_tags ? ACTION_TAG : ACTION_ACCEPT;
    if ((wanted == ACTION_TAG && !session->mta_tags) ||
        (wanted == ACTION_QUARANTINE && !session->mta_quarantines))
        return ACTION_ACCEPT;
    return wanted;
}

void decide_settle(const struct session *session, struct decision *decision, enum action wanted)
{
    decision->wanted = wanted;
    decision->action = possible_action(session, wanted);
    if (session->world->observer != NULL)
        session->world->observer->decided(decision->reason, decision->action);
}

bool decide_refuses(const struct decision *decision)
{
    return decision->action == ACTION_REJECT || decision->action == ACTION_TEMPFAIL;
}

bool decide_is_harsher(const struct decision *a, const struct decision *b)
{
    return a->action > b->action || (a->action == b->action && a->wanted > b->wanted);
}

static void settle_by_answer(struct session *session, struct decision *decision)
{
    decision->pending = false;
    decision->verdict = session->answer.verdict;
    decision->reason = session->answer.reason;
    decide_settle(session, decision,
                  policy_action(decision->policy, decision->verdict, decision->reason));
}

static void make_decision(struct session *session, struct decision *decision)
{
    if (decision->exemption != EXEMPT_NOT) {
        decision->verdict = RB_VERDICT_UNKNOWN;
        decision->reason = RB_REASON_EXEMPT;
        if (session->world->observer != NULL)
            session->world->observer->skipped(decision->exemption);
        decide_settle(session, decision,
                      policy_action(decision->policy, decision->verdict, decision->reason));
    } else if (is_let_in(session, decision->policy)) {
        decision->pending = true;
        decision->action = decision->wanted = ACTION_ACCEPT;
    } else {
        settle_by_answer(session, decision);
    }
}

bool decide_is_pending(const struct session *session)
{
    for (const struct decision *each = session->decisions; each != NULL; each = each->next)
        if (each->pending)
            return true;
    return false;
}

const struct decision *decide_collect(struct session *session, unsigned max_wait_ms,
                                      void (*tick)(void *arg), void *arg)
{
    const struct decision *refusal = NULL;

    await_answer(session, max_wait_ms, tick, arg);
    for (struct decision *each = session->decisions; each != NULL; each = each->next) {
        if (!each->pending)
            continue;
        settle_by_answer(session, each);
        if (decide_refuses(each))
            refusal = each;
    }
    return refusal;
}

/* Whether the verdict may turn the message away. */
static bool is_at_stake(const struct policy *policy, enum exemption exemption)
{
    return exemption == EXEMPT_NOT && policy_may_refuse(policy);
}

bool decide_is_other_fate(const struct session *session, const struct policy *policy,
                          enum exemption exemption)
{
    bool undecided = exemption == EXEMPT_NOT && (!session->asked || session->ticket != NULL);

    for (const struct decision *each = session->decisions; each != NULL; each = each->next) {
        if (decide_refuses(each) || (!each->pending && !undecided))
            continue;
        if (is_at_stake(each->policy, each->exemption) != is_at_stake(policy, exemption))
            return true;
        if (is_at_stake(policy, exemption) && !policy_acts_alike(each->policy, policy))
            return true;
    }
    return false;
}

/* Room for one more decision, at the end of the list. NULL: out of memory. */
static struct decision *add_decision(struct session *session)
{
    struct decision *added = session->decisions == NULL ? &session->first : malloc(sizeof *added);
    struct decision **end = &session->decisions;

    if (added == NULL)
        return NULL;
    while (*end != NULL)
        end = &(*end)->next;
    *end = added;
    return added;
}

void decide_forget(struct session *session)
{
    while (session->decisions != NULL) {
        struct decision *gone = session->decisions;

        session->decisions = gone->next;
        if (gone != &session->first)
            free(gone);
    }
}

struct decision *decide_sender(struct session *session, const struct policy *policy,
                               enum exemption exemption, const char *to, size_t len)
{
    struct decision *decision = find_decision(session, policy, exemption);

    if (decision != NULL) {
        decision->recipients++;
        return decision;
    }
    decision = add_decision(session);
    if (decision == NULL)
        return NULL;
    *decision = (struct decision){.policy = policy, .exemption = exemption, .recipients = 1};
    envelope_show_address(decision->recipient, sizeof decision->recipient, to, len);
    make_decision(session, decision);
    return decision;
}

/* Who was verified speaks before who was not. */
static bool speaks_before(const struct decision *a, const struct decision *b)
{
    const bool a_exempt = a->exemption != EXEMPT_NOT, b_exempt = b->exemption != EXEMPT_NOT;

    return a_exempt != b_exempt ? b_exempt : decide_is_harsher(a, b);
}

const struct decision *decide_message(const struct session *session)
{
    const struct decision *best = NULL;

    for (const struct decision *each = session->decisions; each != NULL; each = each->next)
        if (!decide_refuses(each) && /* those recipients are not part of the message */
            (best == NULL || speaks_before(each, best)))
            best = each;
    return best;
}

const struct decision *decide_fate(const struct session *session)
{
    const struct decision *of_sender = decide_message(session);

    if (of_sender != NULL && session->marked && decide_is_harsher(&session->mark, of_sender))
        return &session->mark;
    return of_sender;
}
