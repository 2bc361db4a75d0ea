/* SPDX-License-Identifier: BSD-2-Clause */
/* submit: questions are put under way; see submit.h. */
#include "config.h"

#include "verifier/submit.h"

#include "base/transcript.h"
#include "verifier/verifier.h"

#include <string.h>

typedef enum rb_limit limits_question(struct limits *limits, const struct rb_options *o,
                                      const struct limits_request *request);

/* Whether an admin has named who is asked. */
static bool names_store(const char *relay)
{
    return relay[0] != '\0' && !relay_is_host(relay);
}

/*
 * Whether it may not be asked now; *why is its answer then. `ask_limits`: limits_forbids, or
 * limits_admit, which counts what may be asked.
 */
static bool is_refused(struct rb_verifier *verifier, const struct rb_options *o, const char *domain,
                       const char *relay, const char *client, limits_question *ask_limits,
                       struct address_record *why)
{
    const struct limits_request request = {
        .domain = domain,
        .client = client,
        .now_ms = clock_monotonic_ms(verifier->clock),
        .now_s = clock_wall_s(verifier->clock),
    };
    enum rb_limit limit = RB_LIMIT_NONE;

    if (atomic_load(&verifier->stopping)) {
        verifier_moment(verifier, RB_REASON_TIMEOUT, "shutting_down", why);
        return true;
    }
    if (sched_pending(verifier->sched) >= o->max_pending)
        limit = RB_LIMIT_QUEUE_FULL;
    else if (!names_store(relay)) /* a store is our own: nobody's limit spares it */
        limit = ask_limits(&verifier->limits, o, &request);
    if (limit == RB_LIMIT_NONE)
        return false;
    verifier_limited(verifier, limit, why);
    return true;
}

void submit_about_nobody(const struct rb_verifier *verifier, enum address_fault fault,
                         struct address_record *record)
{
    if (fault == ADDRESS_NULL)
        verifier_moment(verifier, RB_REASON_EXEMPT, "null_sender", record);
    else if (fault == ADDRESS_8BIT)
        verifier_moment(verifier, RB_REASON_EXEMPT, "smtputf8_off", record);
    else
        verifier_moment(verifier,
                        address_is_no_mailbox(fault) ? RB_REASON_BAD_ADDRESS : RB_REASON_REJECTED,
                        address_fault_text(fault), record);
}

bool submit_forbids(struct rb_verifier *verifier, const struct options *options, const char *domain,
                    const char *relay, const char *client, struct address_record *why)
{
    return is_refused(verifier, &options->o, domain, relay, client, limits_forbids, why);
}

/* Hands the question's item to sched. False: *why is its answer. */
static bool push(struct rb_verifier *verifier, struct question *question,
                 struct address_record *why)
{
    switch (sched_push(verifier->sched, question->relay, question->domain, &question->item)) {
    case SCHED_PUSHED:
        return true;
    case SCHED_FULL: /* it has become so a moment ago: the question has counted in its rates */
        verifier_limited(verifier, RB_LIMIT_QUEUE_FULL, why);
        return false;
    case SCHED_STOPPED:
        verifier_moment(verifier, RB_REASON_TIMEOUT, "shutting_down", why);
        return false;
    case SCHED_NO_WORKER:
        break;
    }
    verifier_moment(verifier, RB_REASON_INTERNAL_ERROR, "no_worker", why);
    return false;
}

static void count_refusal(struct rb_verifier *verifier, enum rb_reason reason)
{
    if (reason == RB_REASON_BUSY)
        atomic_fetch_add(&verifier->counters.busy, 1);
    if (reason == RB_REASON_LIMITED)
        atomic_fetch_add(&verifier->counters.limited, 1);
}

/* Has a question that is under way asked of the world. False: it was answered at once, why not. */
static bool launch(struct rb_verifier *verifier, const struct options *options,
                   struct question *question)
{
    struct address_record *why = &question->item.best; /* it goes to no callout */

    if (!is_refused(verifier, &options->o, question->domain, question->relay, question->client,
                    limits_admit, why) &&
        push(verifier, question, why))
        return true;
    count_refusal(verifier, why->reason);
    inflight_finish(&verifier->inflight, question, why, NULL);
    return false;
}

/*
 * Between the look into the cache and the joining an equal question may have been answered: that
 * answer is in the cache by now, for it is put there before the question can no longer be joined.
 */
static bool is_known_by_now(struct rb_verifier *verifier, const struct options *options,
                            const struct question *question, struct address_record *record)
{
    const char *relay = question->relay[0] != '\0' ? question->relay : NULL;
    bool by_fact;

    if (question->no_cache || question->claim != NULL ||
        memory_find(&verifier->memory, options, question->key.text, question->domain, relay, record,
                    &by_fact) != CACHE_FRESH ||
        (question->item.message_size != 0 && !memory_answers_size(record)))
        return false;
    if (by_fact)
        atomic_fetch_add(&verifier->counters.settled_by_fact, 1);
    return true;
}

struct question *submit_prepare(const struct rb_verifier *verifier, const struct rb_question *asked,
                                const struct address *address, const char *key)
{
    struct question *question = question_new(key, address->domain, asked->relay);

    if (question == NULL)
        return NULL;
    question->no_cache = question->is_private = asked->no_cache || asked->transcript;
    if (asked->client != NULL)
        rates_client_key(asked->client, question->client, sizeof question->client);
    question->asked_ms = clock_monotonic_ms(verifier->clock);
    question->item.needs_utf8 = address->needs_utf8;
    question->item.then_client = asked->then_client;
    question_set_size(question, asked->message_size);
    if (asked->transcript)
        question->item.transcript = transcript_new();
    if (address_format(address, question->item.address, sizeof question->item.address) != RB_OK ||
        (asked->transcript && question->item.transcript == NULL)) {
        question_free(question);
        return NULL;
    }
    return question;
}

/* The time that the gate took is none of the callout's. */
void submit_question(struct rb_verifier *verifier, const struct options *options,
                     struct question *question)
{
    struct address_record *record = &question->item.best; /* no callout has it yet */

    question->item.asked_ms = clock_monotonic_ms(verifier->clock);
    if (inflight_join(&verifier->inflight, question)) {
        atomic_fetch_add(&verifier->counters.coalesced, 1);
    } else if (is_known_by_now(verifier, options, question, record)) {
        question->from_cache = true;
        inflight_finish(&verifier->inflight, question, record, NULL);
    } else {
        (void)launch(verifier, options, question);
    }
}

/* --- Retries ---------------------------------------------------------------- */

static struct question *prepare_again(struct rb_verifier *verifier, const char *key)
{
    char relay[CACHE_KEY_MAX + 1];
    struct rb_question asked = {.no_cache = true};
    struct question *question = NULL;
    struct address address;
    const char *text;

    if (cache_split_address_key(key, relay, &text) && address_from_key(text, &address)) {
        asked.relay = relay[0] != '\0' ? relay : NULL;
        question = submit_prepare(verifier, &asked, &address, key);
    }
    if (question == NULL)
        return NULL; /* no key of ours, or no memory */
    question->is_private = false;
    question->retry = true;
    question->item.asked_ms = question->asked_ms;
    return question;
}

static bool ask_again(struct rb_verifier *verifier, const struct options *options, const char *key)
{
    struct question *question;

    if (inflight_has(&verifier->inflight, key, 0)) /* somebody asks already */
        return true;
    if (sched_pending(verifier->sched) >= options->o.max_pending / 2)
        return false; /* those who wait come first */
    question = prepare_again(verifier, key);
    return question != NULL &&
           (inflight_join(&verifier->inflight, question) || launch(verifier, options, question));
}

bool submit_again(void *arg, const char *key)
{
    struct rb_verifier *verifier = arg;
    struct snapshot *snapshot = snapshots_get(&verifier->snapshots);
    const bool asked = ask_again(verifier, snapshot->options, key);

    snapshot_put(snapshot);
    return asked;
}
