/* SPDX-License-Identifier: BSD-2-Clause */
/* claim: see claim.h. */
#include "config.h"

#include "session/claim.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "session/decide.h"

/* --- Whether it is asked ----------------------------------------------------- */

/* Our own users claim to be no host; of the null sender's client the question is asked too. */
bool claim_may_be_asked(const struct session *session)
{
    return session->config->connect_back.check && session->client_known &&
           !session->local_submission && !session->authenticated && session->sender != NULL;
}

/* Why those recipients give no reason to ask; NULL: they do. */
static const char *why_not_for(const struct decision *decision)
{
    if (decide_refuses(decision))
        return "the recipient is refused";
    if (decision->exemption == EXEMPT_OWN_CALLOUT_SENDER)
        return "the recipient is our own callouts' sender";
    if (decision->exemption == EXEMPT_TRUSTED_NETWORKS)
        return "the client is in trusted_networks";
    if (decision->exemption == EXEMPT_POLICY && decision->policy->verify == VERIFY_NONE)
        return "the policy verifies nothing";
    if (decision->exemption == EXEMPT_NOT && decide_is_held_back(decision->reason))
        return "the gate holds the sender's question back";
    return NULL;
}

const char *claim_why_not(const struct session *session)
{
    const char *why = "no recipient is let in";

    if (!claim_may_be_asked(session))
        return session->config->connect_back.check ? "the client is one of ours"
                                                   : "connect_back.check is \"no\"";
    for (const struct decision *each = session->decisions; each != NULL; each = each->next) {
        why = why_not_for(each);
        if (why == NULL)
            return NULL;
    }
    return why;
}

/* --- The question -------------------------------------------------------------- */

static void set_targets(const struct config *config, enum rb_client_target targets[2])
{
    switch (config->connect_back.target) {
    case TARGET_HELO:
        targets[0] = RB_TARGET_HELO;
        break;
    case TARGET_MX:
        targets[0] = RB_TARGET_MX;
        break;
    case TARGET_HELO_MX:
        targets[0] = RB_TARGET_HELO;
        targets[1] = RB_TARGET_MX;
        break;
    case TARGET_MX_HELO:
        targets[0] = RB_TARGET_MX;
        targets[1] = RB_TARGET_HELO;
        break;
    }
}

void claim_question(const struct session *session, const struct sockaddr *reached,
                    struct rb_client_question *question)
{
    rb_client_question_init(question);
    question->client = envelope_client(session);
    question->reached = reached;
    question->helo = session->helo[0] != '\0' ? session->helo : NULL;
    question->sender = session->sender;
    question->sender_len = session->null_sender ? 0 : strlen(session->sender);
    set_targets(session->config, question->targets);
}

/* --- What is done ---------------------------------------------------------------- */

/*
 * That it was not found out, for want of time or by a limit, is no fault of the client's: what
 * on_unsupported does to messages is not done, but for the warning.
 */
enum action claim_action(const struct config *config, enum rb_client_result result)
{
    switch (result) {
    case RB_CLIENT_CONFIRMED:
        return ACTION_ACCEPT;
    case RB_CLIENT_MAYBE:
        return config->connect_back.on_maybe;
    case RB_CLIENT_DENIED:
        return config->connect_back.on_denied;
    case RB_CLIENT_UNREACHABLE:
        return config->connect_back.on_unreachable;
    case RB_CLIENT_UNSUPPORTED:
    case RB_CLIENT_REACHABLE:
        return config->connect_back.on_unsupported;
    default:
        return config->connect_back.on_unsupported == ACTION_TAG ? ACTION_TAG : ACTION_ACCEPT;
    }
}

void claim_decide(struct session *session)
{
    struct claim *claim = session->claim;
    const enum action wanted = claim_action(session->config, claim->answer.result);

    claim->decision = (struct decision){.of = OF_CLIENT, .wanted = wanted};
    claim->decision.action = decide_possible(session, wanted);
    claim->decided = true;
}

/* --- In words -------------------------------------------------------------------- */

const char *claim_host(const struct session *session, const struct rb_client_answer *answer)
{
    if (answer->host[0] != '\0')
        return answer->host;
    return session->helo[0] != '\0' ? session->helo : session->client_text;
}

const char *claim_words(enum rb_client_result result)
{
    switch (result) {
    case RB_CLIENT_CONFIRMED:
        return "says that it is talking to us";
    case RB_CLIENT_MAYBE:
        return "has a connection to us, but cannot say whether it is this one";
    case RB_CLIENT_DENIED:
        return "says that it is not talking to us";
    case RB_CLIENT_UNREACHABLE:
        return "could not be reached, to be asked whether it sent this";
    default:
        return "could not be asked whether it sent this";
    }
}

void claim_describe(const struct session *session, const char *between,
                    char text[CLAIM_WORDS_MAX + 1])
{
    const struct rb_client_answer *answer = &session->claim->answer;
    char host[RB_DOMAIN_MAX + 1];

    text_printable(host, sizeof host, claim_host(session, answer),
                   strlen(claim_host(session, answer)));
    (void)snprintf(text, CLAIM_WORDS_MAX + 1, "%s%s%s", host, between, claim_words(answer->result));
}
