/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * clients: whether a client is the host that it claims to be; see rb_ask_client. Nobody is asked
 * yet: every answer is unknown.
 */
#include "config.h"

#include "base/sized.h"
#include "base/text.h"
#include "verifier/ticket.h"
#include "verifier/verifier.h"

static bool is_good(const struct rb_client_question *asked)
{
    return asked->host != NULL || (asked->client != NULL && asked->targets[0] != RB_TARGET_NONE);
}

enum rb_error rb_ask_client(struct rb_verifier *verifier, const struct rb_client_question *question,
                            struct rb_ticket **ticket)
{
    struct rb_client_question asked = {.size = sizeof asked};
    struct rb_question waits = {.size = sizeof waits};
    struct snapshot *snapshot;
    struct rb_ticket *made;

    *ticket = NULL;
    if (!sized_read(&asked, sizeof asked, question, SIZED_CLIENT_QUESTION) || !is_good(&asked))
        return RB_ERR_ARGUMENT;
    waits.done = asked.done;
    waits.done_arg = asked.done_arg;
    snapshot = snapshots_get(&verifier->snapshots);
    made = ticket_new(verifier, snapshot, &waits);
    if (made == NULL) {
        snapshot_put(snapshot);
        return RB_ERR_NOMEM;
    }
    atomic_fetch_add(&verifier->counters.client_questions, 1);
    atomic_fetch_add(&verifier->tickets_held, 1);
    waiter_get(&made->waiter); /* the caller's: `done` may give that back before this returns */
    made->is_of_client = true;
    *ticket = made;
    verifier_moment(verifier, RB_REASON_TIMEOUT, "not_asked", &made->record);
    ticket_is_ready(made);
    ticket_put(made);
    return RB_OK;
}

enum rb_error rb_peek_client(struct rb_verifier *verifier,
                             const struct rb_client_question *question, int64_t until_ms,
                             struct rb_client_prospect *prospect, struct rb_client_answer *answer)
{
    struct rb_client_question asked = {.size = sizeof asked};
    const struct rb_client_prospect would = {.size = sizeof would};
    struct rb_client_answer made = {.size = sizeof made};

    (void)verifier;
    (void)until_ms;
    if (!sized_read(&asked, sizeof asked, question, SIZED_CLIENT_QUESTION) || !is_good(&asked))
        return RB_ERR_ARGUMENT;
    (void)text_copy(made.rule, sizeof made.rule, "not_asked");
    return sized_write(prospect, SIZED_CLIENT_PROSPECT, &would, sizeof would) &&
                   sized_write(answer, SIZED_CLIENT_ANSWER, &made, sizeof made)
               ? RB_OK
               : RB_ERR_ARGUMENT;
}
