/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * board: a question that nothing answers yet boards the flight of an equal one, or one of its own,
 * if the limits allow it. Part of the verifier; see verifier.h for the locks.
 */
#include "config.h"

#include "verifier/verifier.h"

#include "base/text.h"
#include "base/transcript.h"

#include <string.h>

/* Whom a question is about, and for whom it is asked, as limits see it. A relay is our own. */
static struct limits_request request_of(const struct rb_verifier *verifier, const char *domain,
                                        const char *client)
{
    return (struct limits_request){
        .domain = domain,
        .client = client,
        .now_ms = clock_monotonic_ms(verifier->clock),
        .now_s = clock_wall_s(verifier->clock),
    };
}

enum rb_reason board_forbids(struct rb_verifier *verifier, const char *domain, const char *relay,
                             const char *client, const char **rule)
{
    const struct rb_options *o = &verifier->snapshots.current->options->o;
    const struct limits_request request = request_of(verifier, domain, client);

    if (verifier->stopping) {
        *rule = "shutting_down";
        return RB_REASON_TIMEOUT;
    }
    if (sched_pending(verifier->sched) >= o->max_pending) {
        *rule = "queue_full";
        return RB_REASON_BUSY;
    }
    *rule = relay[0] == '\0' ? limits_forbids(&verifier->limits, o, &request) : NULL;
    return *rule != NULL ? RB_REASON_LIMITED : RB_REASON_NONE;
}

/* Whether the limits let a question be asked; it is counted in them then. No lock held. */
static enum rb_reason admit(struct rb_verifier *verifier, const struct flight *flight,
                            const char **rule)
{
    const struct limits_request request = request_of(verifier, flight->domain, flight->client);
    enum rb_reason reason;

    pthread_mutex_lock(&verifier->lock);
    reason = board_forbids(verifier, flight->domain, flight->relay, flight->client, rule);
    if (reason == RB_REASON_NONE && flight->relay[0] == '\0')
        (void)limits_admit(&verifier->limits, &verifier->snapshots.current->options->o, &request);
    pthread_mutex_unlock(&verifier->lock);
    return reason;
}

/* Hands the flight's item to sched. Nobody's lock held. */
static enum rb_reason push(struct rb_verifier *verifier, struct flight *flight, const char **rule)
{
    switch (sched_push(verifier->sched, flight->relay, flight->domain, &flight->item)) {
    case SCHED_PUSHED:
        return RB_REASON_NONE;
    case SCHED_FULL: /* it has become so a moment ago: the question has counted in its rates */
        *rule = "queue_full";
        return RB_REASON_BUSY;
    case SCHED_STOPPED:
        *rule = "shutting_down";
        return RB_REASON_TIMEOUT;
    case SCHED_NO_WORKER:
        break;
    }
    *rule = "no_worker";
    return RB_REASON_INTERNAL_ERROR;
}

static void count_refusal(struct rb_verifier *verifier, enum rb_reason reason)
{
    if (reason == RB_REASON_BUSY)
        atomic_fetch_add(&verifier->counters.busy, 1);
    if (reason == RB_REASON_LIMITED)
        atomic_fetch_add(&verifier->counters.limited, 1);
}

/*
 * Puts a flight on its way: from then on it may land, and be gone, at any moment. On failure it
 * lands at once. Returns the reason of that. No lock held.
 */
static enum rb_reason launch(struct rb_verifier *verifier, struct flight *flight)
{
    const char *rule;
    enum rb_reason reason = admit(verifier, flight, &rule);
    struct address_record record;

    if (reason == RB_REASON_NONE)
        reason = push(verifier, flight, &rule);
    if (reason == RB_REASON_NONE)
        return reason;
    count_refusal(verifier, reason);
    record = verifier_moment(verifier, reason, rule);
    pthread_mutex_lock(&verifier->lock);
    flight_land(&verifier->flights, flight, &record, clock_monotonic_ms(verifier->clock));
    flight_put(flight);
    pthread_mutex_unlock(&verifier->lock);
    return reason;
}

/*
 * Between the look into the cache and the listing of the flight another flight may have landed: its
 * answer is in the cache by now, for it is put there before the flight is taken off the list.
 */
static void launch_or_land(struct rb_verifier *verifier, const struct options *options,
                           struct flight *flight)
{
    const char *relay = flight->relay[0] != '\0' ? flight->relay : NULL;
    struct address_record record;
    bool by_fact;

    if (!flight->no_cache && memory_find(&verifier->memory, options, flight->key, flight->domain,
                                         relay, &record, &by_fact) == CACHE_FRESH) {
        if (by_fact)
            atomic_fetch_add(&verifier->counters.settled_by_fact, 1);
        flight->from_cache = true;
        verifier_land(verifier, flight, &record);
        return;
    }
    (void)launch(verifier, flight);
}

struct flight *board_prepare(struct rb_verifier *verifier, const struct rb_question *question,
                             const struct address *address, const char *key)
{
    struct flight *flight = flight_new(key, address->domain, question->relay);

    if (flight == NULL)
        return NULL;
    flight->no_cache = question->no_cache || question->transcript;
    if (question->client != NULL)
        rates_client_key(question->client, flight->client, sizeof flight->client);
    flight->started_ms = clock_monotonic_ms(verifier->clock);
    flight->item.asked_ms = flight->started_ms;
    flight->item.needs_utf8 = address->needs_utf8;
    if (question->transcript)
        flight->item.transcript = transcript_new();
    if (address_format(address, flight->item.address, sizeof flight->item.address) != RB_OK ||
        (question->transcript && flight->item.transcript == NULL)) {
        flight_put(flight);
        return NULL;
    }
    return flight;
}

struct flight *board_flight(struct rb_verifier *verifier, const struct options *options,
                            const struct rb_question *question, const struct address *address,
                            const char *key)
{
    struct flight *fresh = board_prepare(verifier, question, address, key), *flight = NULL;

    if (fresh == NULL)
        return NULL;
    pthread_mutex_lock(&verifier->lock);
    if (!fresh->no_cache)
        flight = flights_find(&verifier->flights, key);
    if (flight == NULL) {
        flight = fresh;
        if (!fresh->no_cache)
            (void)flights_list(&verifier->flights, fresh);
    }
    flight->holders++;
    if (flight != fresh)
        flight_put(fresh);
    pthread_mutex_unlock(&verifier->lock);
    if (flight == fresh)
        launch_or_land(verifier, options, flight);
    else
        atomic_fetch_add(&verifier->counters.coalesced, 1);
    return flight;
}

/* The time that the gate took is none of the callout's. */
void board_depart(struct rb_verifier *verifier, const struct options *options,
                  struct flight *flight)
{
    struct flight *leader = NULL;

    flight->item.asked_ms = clock_monotonic_ms(verifier->clock);
    pthread_mutex_lock(&verifier->lock);
    if (!flight->no_cache) {
        leader = flights_find(&verifier->flights, flight->key);
        if (leader != NULL)
            flight_follow(leader, flight);
        else
            (void)flights_list(&verifier->flights, flight);
    }
    pthread_mutex_unlock(&verifier->lock);
    if (leader == NULL)
        launch_or_land(verifier, options, flight);
    else
        atomic_fetch_add(&verifier->counters.coalesced, 1);
}

static struct flight *flight_again(struct rb_verifier *verifier, const char *key)
{
    char relay[CACHE_KEY_MAX + 1];
    struct rb_question question = {.no_cache = true};
    struct flight *flight = NULL;
    struct address address;
    const char *text;

    if (cache_split_address_key(key, relay, &text) && address_from_key(text, &address)) {
        question.relay = relay[0] != '\0' ? relay : NULL;
        flight = board_prepare(verifier, &question, &address, key);
    }
    if (flight != NULL)
        flight->retry = true;
    return flight;
}

/*
 * Lists a flight that nobody waits for. False: *asked says whether that is because somebody asks
 * already, or because those who wait come first.
 */
static bool list_again(struct rb_verifier *verifier, struct flight *flight, bool *asked)
{
    bool listed;

    pthread_mutex_lock(&verifier->lock);
    *asked = flights_find(&verifier->flights, flight->key) != NULL;
    listed = !*asked && sched_pending(verifier->sched) <
                            verifier->snapshots.current->options->o.max_pending / 2;
    if (listed)
        (void)flights_list(&verifier->flights, flight);
    else
        flight_put(flight);
    pthread_mutex_unlock(&verifier->lock);
    return listed;
}

bool verifier_ask_again(void *arg, const char *key)
{
    struct rb_verifier *verifier = arg;
    struct flight *flight = flight_again(verifier, key);
    bool asked;

    if (flight == NULL)
        return false; /* no key of ours, or no memory */
    return list_again(verifier, flight, &asked) ? launch(verifier, flight) == RB_REASON_NONE
                                                : asked;
}

void board_leave(struct rb_verifier *verifier, struct flight *flight)
{
    if (flight == NULL)
        return;
    pthread_mutex_lock(&verifier->lock);
    flight_put(flight);
    pthread_mutex_unlock(&verifier->lock);
}
