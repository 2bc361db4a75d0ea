/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * decide: what is decided about the sender of a message, once for all recipients that fall under
 * one policy: at RCPT, or begun there and settled later. Part of session.
 */
#include "config.h"

#include "session/decide.h"

#include <stdlib.h>
#include <string.h>

#include "session/inquiry.h"
#include "session/vouch.h"

/*
 * The question whose answer the policy decides by. One that vouches for its clients needs one of its
 * own where the gate may hold back, or has held back, the plain one.
 */
static struct inquiry *inquiry_for(struct session *session, const struct policy *policy)
{
    struct inquiry *plain = &session->plain;

    return !policy->vouched || (plain->asked && !inquiry_is_open(plain) &&
                                !decide_is_held_back(plain->answer.reason))
               ? plain
               : &session->vouched;
}

/* Whether the gate has held the question back, and somebody may vouch for the sender later. */
static bool awaits_voucher(const struct session *session, const struct inquiry *inquiry)
{
    return inquiry == &session->plain && decide_is_held_back(inquiry->answer.reason) &&
           vouch_may_come(session);
}

/* Whether the recipient is let in for now, and the sender decided about later. */
static bool is_let_in(struct session *session, struct inquiry *inquiry, const struct policy *policy)
{
    inquiry_begin(session, inquiry, session->sender,
                  policy->vouched ? RB_VOUCHER_POLICY : RB_VOUCHER_NOBODY);
    if (session->config->decide_at == DECIDE_RCPT)
        return !inquiry_await_at_rcpt(session, inquiry, policy_lets_catch_all_in(policy));
    if (inquiry_is_open(inquiry) && !rb_ready(inquiry->ticket))
        return true;
    inquiry_await(session, inquiry, 0, NULL, NULL);
    return awaits_voucher(session, inquiry);
}

static struct decision *find_decision(const struct session *session, const struct policy *policy,
                                      enum exemption exemption)
{
    for (struct decision *each = session->decisions; each != NULL; each = each->next)
        if (each->policy == policy && each->exemption == exemption)
            return each;
    return NULL;
}

enum action decide_possible(const struct session *session, enum action wanted)
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
    decision->action = decide_possible(session, wanted);
    if (session->world->observer != NULL)
        session->world->observer->decided(decision->reason, decision->action);
}

bool decide_is_held_back(enum rb_reason reason)
{
    return reason == RB_REASON_SPF_FAIL || reason == RB_REASON_SPF_SOFTFAIL ||
           reason == RB_REASON_NOT_VOUCHED;
}

bool decide_refuses(const struct decision *decision)
{
    return decision->action == ACTION_REJECT || decision->action == ACTION_TEMPFAIL;
}

bool decide_is_harsher(const struct decision *a, const struct decision *b)
{
    return a->action > b->action || (a->action == b->action && a->wanted > b->wanted);
}

static void settle_by_answer(const struct session *session, struct decision *decision)
{
    decision->pending = false;
    decision->verdict = decision->inquiry->answer.verdict;
    decision->reason = decision->inquiry->answer.reason;
    if (session->world->observer != NULL)
        session->world->observer->vouched(decision->inquiry->answer.voucher);
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
        return;
    }
    decision->inquiry = inquiry_for(session, decision->policy);
    if (is_let_in(session, decision->inquiry, decision->policy)) {
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

    for (struct decision *each = session->decisions; each != NULL; each = each->next) {
        if (!each->pending)
            continue;
        inquiry_await(session, each->inquiry, max_wait_ms, tick, arg);
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

bool decide_is_other_fate(struct session *session, const struct policy *policy,
                          enum exemption exemption)
{
    const struct inquiry *inquiry = inquiry_for(session, policy);
    bool undecided = exemption == EXEMPT_NOT && (!inquiry->asked || inquiry_is_open(inquiry) ||
                                                 awaits_voucher(session, inquiry));

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

/* Whether somebody who vouches for the client could make another decision of it. */
static bool may_be_vouched_for(const struct session *session, const struct decision *decision)
{
    const struct inquiry *plain = &session->plain;

    return decision->inquiry == plain && !decide_refuses(decision) &&
           (inquiry_is_open(plain) ? decision->pending : decide_is_held_back(plain->answer.reason));
}

void decide_vouch(struct session *session, enum rb_voucher voucher)
{
    if (inquiry_is_open(&session->plain) && rb_ready(session->plain.ticket))
        inquiry_await(session, &session->plain, 0, NULL, NULL);
    for (struct decision *each = session->decisions; each != NULL; each = each->next) {
        if (!may_be_vouched_for(session, each))
            continue;
        inquiry_begin(session, &session->vouched, session->sender, voucher);
        each->inquiry = &session->vouched;
        each->pending = true;
        each->logged = false;
    }
}

void decide_at_end(struct session *session)
{
    if (vouch_may_come(session) && vouch_is_for_sender(session))
        decide_vouch(session, RB_VOUCHER_DKIM);
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
    const struct decision *fate = decide_message(session);

    if (fate != NULL && session->marked && decide_is_harsher(&session->mark, fate))
        fate = &session->mark;
    for (unsigned i = 0; fate != NULL && session->originators != NULL && i < ORIGINATORS; i++) {
        const struct originator *originator = &session->originators[i];

        if (originator->decided && decide_is_harsher(&originator->decision, fate))
            fate = &originator->decision;
    }
    if (fate != NULL && session->claim != NULL && session->claim->decided &&
        decide_is_harsher(&session->claim->decision, fate))
        fate = &session->claim->decision;
    return fate;
}
