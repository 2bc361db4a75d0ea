/* SPDX-License-Identifier: BSD-2-Clause */
/* run: what is known in the course of one callout; see run.h. Must not call anybody. */
#include "config.h"

#include "callout/attempt.h"

#include "base/text.h"

/* --- Records and answers ------------------------------------------------- */

struct address_record run_record(const struct run *run, enum rb_reason reason, enum rb_stage stage,
                                 const char *rule)
{
    struct address_record record = {
        .reason = reason,
        .stage = stage,
        .stamp_s = clock_wall_s(run->callout->clock),
    };

    (void)text_copy(record.rule, sizeof record.rule, rule);
    return record;
}

bool run_gives_way(const struct run *run)
{
    return patience_gives_way(run->callout->patience);
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

void run_consider(struct callout_item *item, const struct address_record *record)
{
    if (!item->has_best || worth(record->reason) > worth(item->best.reason))
        item->best = *record;
    item->has_best = true;
}

void run_consider_all(struct run *run, const struct address_record *record)
{
    struct callout_item *item;

    for (item = run->todo; item != NULL; item = item->next)
        run_consider(item, record);
}

bool run_was_told(const struct callout_item *item)
{
    return item->has_best && worth(item->best.reason) > worth(RB_REASON_PROTOCOL_ERROR);
}

void run_limit(struct callout_item *item, const struct address_record *record)
{
    bool was_limited = item->has_best && item->best.reason == RB_REASON_LIMITED;

    if (!run_was_told(item) && !was_limited)
        item->best = *record;
    item->has_best = true;
}

void run_answer(const struct run *run, struct callout_item *item,
                const struct address_record *record)
{
    run->callout->hooks.answer(run->callout->hooks.arg, item, record);
}

struct callout_item *run_take(const struct run *run)
{
    return run->callout->hooks.next(run->callout->hooks.arg);
}

void run_put_by(struct callout_item **list, struct callout_item *item)
{
    item->next = *list;
    *list = item;
}

/* --- Facts --------------------------------------------------------------- */

static void learn(struct run *run, struct fact *fact, enum fact_state state)
{
    *fact = (struct fact){.state = state, .stamp_s = clock_wall_s(run->callout->clock)};
}

void run_learn_catch_all(struct run *run, bool accepts_everything)
{
    struct domain_record news = {0};

    learn(run, &news.catch_all, accepts_everything ? FACT_YES : FACT_NO);
    run->facts.catch_all = news.catch_all;
    run->callout->hooks.learned(run->callout->hooks.arg, &news);
}

void run_learn_null_sender(struct run *run)
{
    struct domain_record news = {0};

    learn(run, &news.null_sender_refused, FACT_YES);
    run->facts.null_sender_refused = news.null_sender_refused;
    run->callout->hooks.learned(run->callout->hooks.arg, &news);
}

void run_learn_dead(struct run *run, enum rb_reason why)
{
    struct domain_record news = {.dead_reason = why};

    learn(run, &news.dead, FACT_YES);
    run->callout->hooks.learned(run->callout->hooks.arg, &news);
}

/* A host took the session: what was once found dead is not, whatever made us ask again. */
void run_learn_alive(struct run *run)
{
    struct domain_record news = {0};

    if (run->facts.dead.state != FACT_YES)
        return;
    learn(run, &news.dead, FACT_NO);
    run->facts.dead = news.dead;
    run->callout->hooks.learned(run->callout->hooks.arg, &news);
}

bool run_knows(const struct run *run, const struct fact *fact, enum fact_state state)
{
    return fact->state == state &&
           fact_is_live(fact, run->callout->options->o.lifetimes.domain_ttl_s,
                        clock_wall_s(run->callout->clock));
}
