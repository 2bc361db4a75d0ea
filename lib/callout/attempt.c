/* SPDX-License-Identifier: BSD-2-Clause */
/* attempt: what is known in the course of one callout, and how it ends; see attempt.h. */
#include "config.h"

#include "callout/attempt.h"

#include "mail/relay.h"

#include <poll.h>
#include <strings.h>

/* --- Whether it goes on --------------------------------------------------- */

bool attempt_is_late(const struct attempt *attempt)
{
    return deadline_left_ms(attempt->callout->clock, attempt->until) == 0;
}

bool attempt_is_cancelled(const struct attempt *attempt)
{
    struct pollfd cancel = {.fd = attempt->callout->cancel_fd, .events = POLLIN};

    return poll(&cancel, 1, 0) > 0;
}

bool attempt_must_yield(const struct attempt *attempt)
{
    return stall_must_yield(attempt->callout->stall);
}

void attempt_renew_time(struct attempt *attempt)
{
    const struct callout *callout = attempt->callout;

    attempt->until = deadline_in(callout->clock, callout->options->o.total_timeout_ms);
}

/* --- Items ---------------------------------------------------------------- */

struct callout_item *attempt_take(struct attempt *attempt)
{
    const struct callout_hooks *hooks = &attempt->callout->hooks;
    struct callout_item *item = attempt->passed_over ? NULL : hooks->next(hooks->arg);

    attempt->taken += item != NULL;
    return item;
}

bool attempt_is_for(const struct callout_item *item, const char *mx)
{
    return item->only_mx == NULL || strcasecmp(item->only_mx, mx) == 0;
}

bool attempt_has_for(const struct attempt *attempt, const char *mx)
{
    const struct callout_item *item = attempt->todo;

    while (item != NULL && !attempt_is_for(item, mx))
        item = item->next;
    return item != NULL;
}

void attempt_note_greeting(const struct attempt *attempt, const char *mx)
{
    for (struct callout_item *item = attempt->todo; item != NULL; item = item->next)
        if (attempt_is_for(item, mx))
            item->greeted = true;
}

void attempt_answer(const struct attempt *attempt, struct callout_item *item,
                    const struct address_record *record)
{
    attempt->callout->hooks.answer(attempt->callout->hooks.arg, item, record);
}

void attempt_push(struct callout_item **list, struct callout_item *item)
{
    item->next = *list;
    *list = item;
}

void attempt_record(const struct attempt *attempt, enum rb_reason reason, enum rb_stage stage,
                    const char *rule, struct address_record *record)
{
    address_record_set(record, reason, rule, clock_wall_s(attempt->callout->clock));
    record->stage = stage;
}

/* A record of a limit that holds now, for what no host was asked. */
static void limited_record(const struct attempt *attempt, enum rb_limit limit,
                           struct address_record *record)
{
    attempt_record(attempt, RB_REASON_LIMITED, RB_STAGE_CONNECT, "", record);
    address_record_limit(record, limit);
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
    for (struct callout_item *item = attempt->todo; item != NULL; item = item->next)
        attempt_consider(item, record);
}

/* Whether some host has said more of the item than that no mail host can be reached there. */
static bool has_reply(const struct callout_item *item)
{
    return item->has_best && worth(item->best.reason) > worth(RB_REASON_PROTOCOL_ERROR);
}

void attempt_limit(struct callout_item *item, const struct address_record *record)
{
    const bool was_limited = item->has_best && item->best.reason == RB_REASON_LIMITED;

    if (!has_reply(item) && !was_limited)
        item->best = *record;
    item->has_best = true;
}

struct dialogue_question attempt_question(const struct attempt *attempt, const char *address)
{
    const struct rb_options *o = &attempt->callout->options->o;
    const char *fallback = o->fallback_mail_from[0] != '\0' ? o->fallback_mail_from : NULL;
    const bool refused = attempt->ask_with_fallback ||
                         attempt_knows(attempt, &attempt->facts.null_sender_refused, FACT_YES);

    return (struct dialogue_question){
        .address = address,
        .mail_from = refused && fallback != NULL ? fallback : o->mail_from,
        .fallback_mail_from = refused ? NULL : fallback,
    };
}

/* --- Facts ---------------------------------------------------------------- */

bool attempt_knows(const struct attempt *attempt, const struct fact *fact, enum fact_state state)
{
    return fact->state == state &&
           fact_is_live(fact, attempt->callout->options->o.lifetimes.domain_ttl_s,
                        clock_wall_s(attempt->callout->clock));
}

static struct fact fact_now(const struct attempt *attempt, enum fact_state state)
{
    return (struct fact){.state = state, .stamp_s = clock_wall_s(attempt->callout->clock)};
}

static void tell_owner(const struct attempt *attempt, const struct domain_record *news)
{
    attempt->callout->hooks.learned(attempt->callout->hooks.arg, news);
}

void attempt_learn_catch_all(struct attempt *attempt, bool accepts_everything)
{
    attempt->facts.catch_all = fact_now(attempt, accepts_everything ? FACT_YES : FACT_NO);
    tell_owner(attempt, &(struct domain_record){.catch_all = attempt->facts.catch_all});
}

void attempt_learn_null_sender(struct attempt *attempt)
{
    attempt->facts.null_sender_refused = fact_now(attempt, FACT_YES);
    tell_owner(attempt,
               &(struct domain_record){.null_sender_refused = attempt->facts.null_sender_refused});
}

void attempt_learn_alive(struct attempt *attempt)
{
    if (attempt->facts.dead.state != FACT_YES)
        return;
    attempt->facts.dead = fact_now(attempt, FACT_NO);
    tell_owner(attempt, &(struct domain_record){.dead = attempt->facts.dead});
}

/* --- The end -------------------------------------------------------------- */

/* What no host was left to say: for items that have no better non-answer. */
static void record_without_hosts(const struct attempt *attempt, enum dns_outcome outcome,
                                 struct address_record *record)
{
    const bool yields = attempt_must_yield(attempt);
    const struct {
        bool holds;
        enum rb_reason reason;
        enum rb_stage stage;
        const char *rule;
    } rows[] = {
        /* The first that holds. */
        {attempt_is_cancelled(attempt), RB_REASON_TIMEOUT, RB_STAGE_DNS, "cut_short"},
        {outcome == DNS_NO_DOMAIN, RB_REASON_NO_DOMAIN, RB_STAGE_DNS, "nxdomain"},
        {outcome == DNS_NULL_MX, RB_REASON_NULL_MX, RB_STAGE_DNS, "null_mx"},
        {outcome == DNS_FAILURE, RB_REASON_DNS_FAILURE, RB_STAGE_DNS, "mx_lookup_failed"},
        {yields || attempt->held_back, RB_REASON_LIMITED, RB_STAGE_CONNECT, ""},
        {attempt->tried > 0, RB_REASON_UNREACHABLE, RB_STAGE_CONNECT, "no_host_answered"},
        {attempt->dns_failed, RB_REASON_DNS_FAILURE, RB_STAGE_DNS, "address_lookup_failed"},
        {attempt->passed_over, RB_REASON_UNREACHABLE, RB_STAGE_DNS, "no_host_of_that_name"},
        {attempt->own, RB_REASON_EXEMPT, RB_STAGE_DNS, "own_host"},
        {attempt->other_version, RB_REASON_UNREACHABLE, RB_STAGE_DNS, "other_ip_version"},
        {attempt_is_late(attempt), RB_REASON_UNREACHABLE, RB_STAGE_CONNECT, "total_timeout"},
        {attempt->bogus > 0, RB_REASON_BOGUS_MX, RB_STAGE_DNS, "bogus_mx"},
        {attempt->callout->relay != NULL, RB_REASON_UNREACHABLE, RB_STAGE_DNS,
         "relay_without_address"},
        {true, RB_REASON_NO_MAIL_HOST, RB_STAGE_DNS, "no_mail_host"},
    };
    size_t i = 0;

    while (!rows[i].holds)
        i++;
    attempt_record(attempt, rows[i].reason, rows[i].stage, rows[i].rule, record);
    if (record->reason == RB_REASON_LIMITED)
        address_record_limit(record, yields ? RB_LIMIT_YIELDED : RB_LIMIT_HOST);
}

/* Where no host could even be asked, `record` may hold for every address of the domain. */
static bool is_dead(const struct attempt *attempt, const struct address_record *record)
{
    const char *relay = attempt->callout->relay;
    /* Where this machine has no way to any of the hosts, it is not the domain that is dead. */
    const bool called = attempt->tried > attempt->no_route;

    if (attempt->reached || (relay != NULL && !relay_is_mx(relay)))
        return false;
    /* Not every host was found, or called, or had all its time. */
    if (attempt->dns_failed || attempt->passed_over || attempt_must_yield(attempt) ||
        attempt_is_cancelled(attempt))
        return false;
    return rb_reason_verdict(record->reason) == RB_VERDICT_INVALID ||
           (record->reason == RB_REASON_UNREACHABLE && !attempt->host_reacted && called &&
            !attempt->held_back);
}

static void learn_dead(const struct attempt *attempt, enum rb_reason why)
{
    tell_owner(attempt,
               &(struct domain_record){.dead = fact_now(attempt, FACT_YES), .dead_reason = why});
}

/*
 * A host that must be asked first has no room now: an item that another host replied about gets
 * that reply; the others are put back until there is room. That no host was reached is no news
 * while this one works.
 */
static void finish_full(struct attempt *attempt)
{
    const struct callout_hooks *hooks = &attempt->callout->hooks;
    struct address_record limited;

    limited_record(attempt, RB_LIMIT_HOST_SESSIONS, &limited);
    for (struct callout_item *item = attempt->todo, *next; item != NULL; item = next) {
        next = item->next;
        if (has_reply(item))
            attempt_answer(attempt, item, &item->best);
        else if (!hooks->put_back(hooks->arg, item))
            attempt_answer(attempt, item, &limited);
    }
}

/* A host that must be asked first is left alone: so is all that waits for the domain. */
static void finish_paused(struct attempt *attempt)
{
    struct callout_item *item = attempt->todo;
    struct address_record paused;

    limited_record(attempt, attempt->over_rate ? RB_LIMIT_DOMAIN_RATE : RB_LIMIT_HOST_PAUSED,
                   &paused);
    for (struct callout_item *next; item != NULL; item = next) {
        next = item->next;
        attempt_limit(item, &paused);
        attempt_answer(attempt, item, &item->best);
    }
    while ((item = attempt_take(attempt)) != NULL)
        attempt_answer(attempt, item, &paused);
}

/*
 * Each item gets its best non-answer. Where no host could even be asked, all that waits for the
 * domain is answered at once, and why may become a fact.
 */
static void finish_unanswered(struct attempt *attempt, enum dns_outcome outcome)
{
    struct callout_item *item = attempt->todo;
    struct address_record none;

    record_without_hosts(attempt, outcome, &none);
    if (item->has_best)
        none = item->best;
    if (is_dead(attempt, &none))
        learn_dead(attempt, none.reason);
    for (struct callout_item *next; item != NULL; item = next) {
        next = item->next;
        attempt_answer(attempt, item, item->has_best ? &item->best : &none);
    }
    while (!attempt->reached && !attempt_must_yield(attempt) &&
           (item = attempt_take(attempt)) != NULL)
        attempt_answer(attempt, item, &none);
}

void attempt_finish(struct attempt *attempt, enum dns_outcome outcome)
{
    if (attempt->todo == NULL)
        return;
    if (attempt->full)
        finish_full(attempt);
    else if (attempt->paused)
        finish_paused(attempt);
    else
        finish_unanswered(attempt, outcome);
}
