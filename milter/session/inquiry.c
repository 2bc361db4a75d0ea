/* SPDX-License-Identifier: BSD-2-Clause */
/* inquiry: see inquiry.h. */
#include "config.h"

#include "session/inquiry.h"

#include <string.h>

#include "base/clock.h"

static void note_failure(const struct session *session, const struct inquiry *inquiry,
                         const char *why)
{
    if (session->world->observer != NULL)
        session->world->observer->failed(session, inquiry->of, why);
}

static void fail(const struct session *session, struct inquiry *inquiry, enum rb_error error)
{
    inquiry->ticket = NULL;
    inquiry->answer.verdict = RB_VERDICT_UNKNOWN;
    inquiry->answer.reason = RB_REASON_INTERNAL_ERROR;
    inquiry->answer.expires_s = inquiry->answer.age_s = -1;
    note_failure(session, inquiry, rb_error_text(error));
}

void inquiry_begin(struct session *session, struct inquiry *inquiry, const char *address,
                   enum rb_voucher voucher)
{
    const struct session_world *world = session->world;
    const struct rb_question question = {
        .address = address,
        .address_len = strlen(address),
        .client = envelope_client(session),
        .helo = session->helo,
        .voucher = voucher,
        .then_client = inquiry->of == OF_SENDER && session->claim_follows,
    };
    enum rb_error error;

    if (inquiry->asked)
        return;
    inquiry->asked = true;
    inquiry->asked_ms = clock_monotonic_ms(clock_system());
    if (world->answer != NULL) {
        world->answer(world->answer_arg, &question, inquiry->of, &inquiry->answer);
        return;
    }
    error = rb_ask(world->verifier, &question, &inquiry->ticket);
    if (error != RB_OK)
        fail(session, inquiry, error);
}

static void about_to_wait(const struct session *session, const struct inquiry *inquiry)
{
    if (!rb_ready(inquiry->ticket) && session->world->before_wait != NULL)
        session->world->before_wait();
}

/* The answer is there: lets the ticket go and tells the observer. */
static void take_answer(const struct session *session, struct inquiry *inquiry)
{
    rb_ticket_free(inquiry->ticket);
    inquiry->ticket = NULL;
    inquiry->waited_ms = inquiry->answer.elapsed_ms;
    if (session->world->observer != NULL)
        session->world->observer->waited(inquiry->waited_ms);
    if (inquiry->answer.reason == RB_REASON_INTERNAL_ERROR)
        note_failure(session, inquiry, inquiry->answer.rule);
}

static void hear(struct inquiry *inquiry, int64_t until_ms)
{
    rb_answer_fini(&inquiry->answer);
    (void)rb_wait(inquiry->ticket, until_ms, &inquiry->answer);
}

/*
 * Where others have asked the same already their time counts: one slow mail host keeps nobody
 * waiting for longer than max_wait, however many clients send for its domain.
 */
static int64_t deadline_after(const struct inquiry *inquiry, int64_t wait_ms)
{
    return rb_ticket_asked_ms(inquiry->ticket) + wait_ms;
}

int64_t inquiry_time_ms(const struct session *session, const struct inquiry *inquiry,
                        int64_t max_wait_ms)
{
    if (inquiry->asked_ms > session->event_began_ms)
        max_wait_ms -= inquiry->asked_ms - session->event_began_ms;
    return max_wait_ms > 0 ? max_wait_ms : 0;
}

void inquiry_await(struct session *session, struct inquiry *inquiry, int64_t max_wait_ms,
                   void (*tick)(void *arg), void *arg)
{
    int64_t until_ms = clock_monotonic_ms(clock_system()) - inquiry->asked_ms;
    bool over;

    if (inquiry->ticket == NULL)
        return;
    max_wait_ms = inquiry_time_ms(session, inquiry, max_wait_ms);
    about_to_wait(session, inquiry);
    do {
        until_ms = tick != NULL && until_ms + SESSION_TICK_MS < max_wait_ms
                       ? until_ms + SESSION_TICK_MS
                       : max_wait_ms;
        hear(inquiry, deadline_after(inquiry, until_ms));
        over = rb_ready(inquiry->ticket) || until_ms >= max_wait_ms;
        if (!over)
            tick(arg);
    } while (!over);
    take_answer(session, inquiry);
}

bool inquiry_await_at_rcpt(struct session *session, struct inquiry *inquiry, bool takes_catch_all)
{
    int64_t until_ms;
    bool accepted;

    if (inquiry->ticket == NULL)
        return true;
    about_to_wait(session, inquiry);
    until_ms =
        deadline_after(inquiry, inquiry_time_ms(session, inquiry, session->config->max_wait_ms));
    if (takes_catch_all) {
        (void)rb_wait_accepted(inquiry->ticket, until_ms, &accepted);
        if (accepted)
            return false;
        until_ms = 0; /* the answer is there, or the time is over */
    }
    hear(inquiry, until_ms);
    take_answer(session, inquiry);
    return true;
}

bool inquiry_is_open(const struct inquiry *inquiry)
{
    return inquiry->ticket != NULL;
}

void inquiry_fini(struct inquiry *inquiry)
{
    rb_ticket_free(inquiry->ticket);
    inquiry->ticket = NULL;
    rb_answer_fini(&inquiry->answer);
    inquiry->asked = false;
    inquiry->waited_ms = 0;
}
