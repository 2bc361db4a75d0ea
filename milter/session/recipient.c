/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * recipient: verification of recipients; see recipient.h. Must not tell strangers what our own
 * hosts say.
 */
#include "config.h"

#include "session/recipient.h"

#include "base/text.h"
#include "session/decide.h"
#include "session/guessers.h"

/* Asks the domain's mail hosts that are preferred over ourselves. */
static const char preferred_hosts[] = "mx:";

static void note_failure(const struct session *session, enum rb_error error)
{
    if (session->world->observer != NULL)
        session->world->observer->failed(session, OF_RECIPIENT, rb_error_text(error));
}

static void ask_about_recipient(struct session *session, const struct relay *relay, const char *to,
                                size_t len)
{
    const struct rb_question question = {
        .address = to,
        .address_len = len,
        .relay = relay != NULL ? relay->list : preferred_hosts,
        .message_size = relay != NULL && relay->check_size ? session->message_size : 0,
    };
    struct rb_answer *answer = &session->rcpt.answer;
    struct rb_ticket *ticket;
    enum rb_error error;

    rb_answer_fini(answer);
    if (session->world->answer != NULL) {
        session->world->answer(session->world->answer_arg, &question, OF_RECIPIENT, answer);
        return;
    }
    error = rb_ask(session->world->verifier, &question, &ticket);
    if (error != RB_OK) {
        *answer =
            (struct rb_answer){.reason = RB_REASON_INTERNAL_ERROR, .age_s = -1, .expires_s = -1};
        note_failure(session, error);
        return;
    }
    if (!rb_ready(ticket) && session->world->before_wait != NULL)
        session->world->before_wait();
    (void)rb_wait(ticket, rb_ticket_asked_ms(ticket) + session->config->max_wait_ms, answer);
    rb_ticket_free(ticket);
    if (session->world->observer != NULL)
        session->world->observer->waited(answer->elapsed_ms);
}

/* Whether the relay cannot tell now, and may later. */
static bool is_silence(enum rb_reason reason)
{
    switch (reason) {
    case RB_REASON_UNREACHABLE:
    case RB_REASON_DNS_FAILURE:
    case RB_REASON_PROTOCOL_ERROR:
    case RB_REASON_TLS_REQUIRED:
    case RB_REASON_TEMPFAIL:
    case RB_REASON_GREYLISTED:
    case RB_REASON_TIMEOUT:
    case RB_REASON_LIMITED:
    case RB_REASON_BUSY:
        return true;
    default:
        return false;
    }
}

/*
 * The MTA takes mail for the domain, so what DNS says of it as a whole (nothing, or private
 * addresses: a split view) is a fault of ours, and no reason to turn its recipients away.
 */
static bool is_of_whole_domain(enum rb_reason reason)
{
    return reason == RB_REASON_NO_DOMAIN || reason == RB_REASON_NO_MAIL_HOST ||
           reason == RB_REASON_NULL_MX || reason == RB_REASON_BOGUS_MX;
}

static bool refuses_invalid(const struct policy *policy)
{
    return policy->on_invalid == ACTION_TEMPFAIL || policy->on_invalid == ACTION_REJECT;
}

/*
 * Whether the store that was asked about this message has no room for it. That a mailbox was full
 * for another message, or is for one of unknown size, turns nobody away.
 */
static bool has_no_room(const struct session *session, const struct relay *relay)
{
    const struct rb_answer *answer = &session->rcpt.answer;

    return relay != NULL && relay->check_size && session->message_size != 0 && !answer->cached &&
           (answer->reason == RB_REASON_MAILBOX_FULL || answer->reason == RB_REASON_TOO_LARGE);
}

/*
 * What the store would give back later is refused now, where the policy refuses anything. A store
 * that says "later" of a full mailbox has mail wait for room: it waits with the sender, then, and
 * not in our queue.
 */
static enum action action_without_room(const struct policy *policy, const struct rb_answer *answer)
{
    if (!refuses_invalid(policy))
        return ACTION_ACCEPT;
    return answer->code / 100 == 4 ? ACTION_TEMPFAIL : policy->on_invalid;
}

static enum action wanted_action(const struct session *session, const struct policy *policy,
                                 const struct relay *relay, const struct decision *decision)
{
    if (has_no_room(session, relay))
        return action_without_room(policy, &session->rcpt.answer);
    if (relay != NULL && is_silence(decision->reason))
        return relay->on_unreachable;
    if (is_of_whole_domain(decision->reason))
        return policy->on_unknown;
    return policy_action(policy, decision->verdict, decision->reason);
}

static struct decision *begin_decision(struct session *session, const struct policy *policy,
                                       const char *to, size_t len)
{
    struct decision *decision = &session->rcpt.decision;

    *decision = (struct decision){.of = OF_RECIPIENT, .policy = policy, .recipients = 1};
    envelope_show_address(decision->recipient, sizeof decision->recipient, to, len);
    return decision;
}

/* Answers for now without asking whether the recipient exists; rule says why. */
static void settle_unasked(struct session *session, const char *rule)
{
    struct decision *decision = &session->rcpt.decision;
    struct rb_answer *answer = &session->rcpt.answer;

    rb_answer_fini(answer);
    *answer = (struct rb_answer){.reason = RB_REASON_LIMITED, .age_s = -1, .expires_s = -1};
    (void)text_copy(answer->rule, sizeof answer->rule, rule);
    decision->verdict = RB_VERDICT_UNKNOWN;
    decision->reason = RB_REASON_LIMITED;
    decide_settle(session, decision, ACTION_TEMPFAIL);
}

struct decision *recipient_put_off(struct session *session, const struct policy *policy,
                                   const char *to, size_t len, const char *rule)
{
    struct decision *decision = begin_decision(session, policy, to, len);

    decision->put_off = true;
    settle_unasked(session, rule);
    return decision;
}

/*
 * Whether the client is a guesser. Never one where the policy does not refuse invalid recipients:
 * it can learn nothing, and a forwarder may send to as many dead addresses as it likes.
 */
static enum guesser look_at_client(const struct session *session, const struct policy *policy)
{
    if (!refuses_invalid(policy))
        return GUESSER_NOT;
    return guessers_look(envelope_client(session), &session->config->limits.per_client_bad_rcpt);
}

/* Before the recipient is verified: the time must not tell whether it exists. */
static void slow_down(const struct session *session)
{
    if (session->world->pause != NULL && !session->config->dry_run)
        session->world->pause(GUESSERS_SLOW_MS);
}

static bool is_wrong_guess(const struct decision *decision)
{
    return decision->verdict == RB_VERDICT_INVALID && !is_of_whole_domain(decision->reason) &&
           (decision->wanted == ACTION_TEMPFAIL || decision->wanted == ACTION_REJECT);
}

void recipient_decide(struct session *session, const struct policy *policy, const char *domain,
                      const char *to, size_t len)
{
    const struct relay *relay = config_relay(session->config, domain);
    struct decision *decision = begin_decision(session, policy, to, len);
    enum guesser guesser = look_at_client(session, policy);

    session->rcpt.decided = true;
    if (guesser != GUESSER_NOT && session->world->observer != NULL)
        session->world->observer->guessed(guesser);
    if (guesser == GUESSER_BARRED) {
        decision->barred = true;
        settle_unasked(session, "per_client_bad_rcpt");
        return;
    }
    if (guesser == GUESSER_SLOWED)
        slow_down(session);
    ask_about_recipient(session, relay, to, len);
    decision->verdict = session->rcpt.answer.verdict;
    decision->reason = session->rcpt.answer.reason;
    decide_settle(session, decision, wanted_action(session, policy, relay, decision));
    if (is_wrong_guess(decision) && session->world->answer == NULL)
        guessers_note(envelope_client(session), &session->config->limits.per_client_bad_rcpt);
}
