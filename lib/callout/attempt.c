/* SPDX-License-Identifier: BSD-2-Clause */
/* attempt: what is known in the course of one callout; see attempt.h. Must not call anybody. */
#include "config.h"

#include "callout/attempt.h"

#include "base/text.h"

/* --- Records and answers ------------------------------------------------- */

struct address_record attempt_record(const struct attempt *attempt, enum rb_reason reason,
                                     enum rb_stage stage, const char *rule)
{
    struct address_record record = {
        .reason = reason,
        .stage = stage,
        .stamp_s = clock_wall_s(attempt->callout->clock),
    };

    (void)text_copy(record.rule, sizeof record.rule, rule);
    return record;
}

bool attempt_must_yield(const struct attempt *attempt)
{
    return stall_must_yield(attempt->callout->stall);
}

/* How much a non-answer tells the admin, and how soon asking again is worth while. */
static int worth(enum rb_reason reason)
{
    static const enum rb_reason by_worth[] = {
        RB_REASON_INTERNAL_ERROR, RB_REASON_TIMEOUT,
        RB_REASON_LIMITED,        RB_REASON_DNS_FAILURE,
        RB_REASON_UNREACHABLE,    RB_REASON_PROTOCOL_ERROR,
        RB_REASON_TLS_REQUIRED,   RB_REASON_NULL_SENDER_REFUSED,
        RB_REASON_REJECTED,       RB_REASON_BLOCKED,
        RB_REASON_TEMPFAIL,       RB_REASON_GREYLISTED,
    };

    for (size_t i = 0; i < sizeof by_worth / sizeof by_worth[0]; i++)
        if (by_worth[i] == reason)
            return (int)i + 1;
    return 0;
}

void attempt_consider(struct callout_item *item, const struct address_record *record)
{
    if (!item->has_best || worth(record->reason) > worth(item->best.reason))
        item->best = *record;
    item->has_best = true;
}

void attempt_consider_all(struct attempt *attempt, const struct address_record *record)
{
    struct callout_item *item;

    for (item = attempt->todo; item != NULL; item = item->next)
        attempt_consider(item, record);
}

bool attempt_was_told(const struct callout_item *item)
{
    return item->has_best && worth(item->best.reason) > worth(RB_REASON_PROTOCOL_ERROR);
}

void attempt_limit(struct callout_item *item, const struct address_record *record)
{
    bool was_limited = item->has_best && item->best.reason == RB_REASON_LIMITED;

    if (!attempt_was_told(item) && !was_limited)
        item->best = *record;
    item->has_best = true;
}

void attempt_answer(const struct attempt *attempt, struct callout_item *item,
                    const struct address_record *record)
{
    attempt->callout->hooks.answer(attempt->callout->hooks.arg, item, record);
}

struct callout_item *attempt_take(const struct attempt *attempt)
{
    return attempt->callout->hooks.next(attempt->callout->hooks.arg);
}

void attempt_put_by(struct callout_item **list, struct callout_item *item)
{
    item->next = *list;
    *list = item;
}

/* --- Facts --------------------------------------------------------------- */

static void learn(struct attempt *attempt, struct fact *fact, enum fact_state state)
{
    *fact = (struct fact){.state = state, .stamp_s = clock_wall_s(attempt->callout->clock)};
}

void attempt_learn_catch_all(struct attempt *attempt, bool accepts_everything)
{
    struct domain_record news = {0};

    learn(attempt, &news.catch_all, accepts_everything ? FACT_YES : FACT_NO);
    attempt->facts.catch_all = news.catch_all;
    attempt->callout->hooks.learned(attempt->callout->hooks.arg, &news);
}

void attempt_learn_null_sender(struct attempt *attempt)
{
    struct domain_record news = {0};

    learn(attempt, &news.null_sender_refused, FACT_YES);
    attempt->facts.null_sender_refused = news.null_sender_refused;
    attempt->callout->hooks.learned(attempt->callout->hooks.arg, &news);
}

void attempt_learn_dead(struct attempt *attempt, enum rb_reason why)
{
    struct domain_record news = {.dead_reason = why};

    learn(attempt, &news.dead, FACT_YES);
    attempt->callout->hooks.learned(attempt->callout->hooks.arg, &news);
}

/* A host took the session: what was once found dead is not, whatever made us ask again. */
void attempt_learn_alive(struct attempt *attempt)
{
    struct domain_record news = {0};

    if (attempt->facts.dead.state != FACT_YES)
        return;
    learn(attempt, &news.dead, FACT_NO);
    attempt->facts.dead = news.dead;
    attempt->callout->hooks.learned(attempt->callout->hooks.arg, &news);
}

bool attempt_knows(const struct attempt *attempt, const struct fact *fact, enum fact_state state)
{
    return fact->state == state &&
           fact_is_live(fact, attempt->callout->options->o.lifetimes.domain_ttl_s,
                        clock_wall_s(attempt->callout->clock));
}
