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

enum rb_reason board_forbids(const struct rb_verifier *verifier, const char *domain,
                             const char *relay, const char *client, const char **rule)
{
    const struct rb_options *o = &verifier->setup->options->o;
    const struct limits_request request = request_of(verifier, domain, client);

    if (verifier->stopping) {
        *rule = "shutting_down";
        return RB_REASON_TIMEOUT;
    }
    if (verifier->queue.pending >= o->max_pending) {
        *rule = "queue_full";
        return RB_REASON_BUSY;
    }
    *rule = relay[0] == '\0' ? limits_forbids(&verifier->limits, o, &request) : NULL;
    return *rule != NULL ? RB_REASON_LIMITED : RB_REASON_NONE;
}

static void count_refusal(struct rb_verifier *verifier, enum rb_reason reason)
{
    if (reason == RB_REASON_BUSY)
        atomic_fetch_add(&verifier->counters.busy, 1);
    if (reason == RB_REASON_LIMITED)
        atomic_fetch_add(&verifier->counters.limited, 1);
}

/* Why a flight does not take place; RB_REASON_NONE: it does. Under the lock. */
static enum rb_reason try_to_launch(struct rb_verifier *verifier, struct flight *flight,
                                    const char **rule)
{
    const struct limits_request request = request_of(verifier, flight->domain, flight->client);
    enum rb_reason reason =
        board_forbids(verifier, flight->domain, flight->relay, flight->client, rule);

    count_refusal(verifier, reason);
    if (reason != RB_REASON_NONE)
        return reason;
    if (flight->relay[0] == '\0')
        (void)limits_refusal(&verifier->limits, &verifier->setup->options->o, &request);
    if (workers_submit(verifier, flight) == RB_OK)
        return RB_REASON_NONE;
    *rule = "no_worker";
    return RB_REASON_INTERNAL_ERROR;
}

/*
 * Puts a flight on its way. Under the lock; on failure it lands at once. Returns the reason of
 * that.
 */
static enum rb_reason launch(struct rb_verifier *verifier, struct flight *flight)
{
    const char *rule;
    enum rb_reason reason = try_to_launch(verifier, flight, &rule);
    struct address_record record;

    if (reason == RB_REASON_NONE)
        return reason;
    record = verifier_moment(verifier, reason, rule);
    flight_land(&verifier->flights, flight, &record, clock_monotonic_ms(verifier->clock));
    flight_put(flight);
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
    pthread_mutex_lock(&verifier->lock);
    (void)launch(verifier, flight);
    pthread_mutex_unlock(&verifier->lock);
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

bool verifier_ask_again(void *arg, const char *key)
{
    struct rb_verifier *verifier = arg;
    struct flight *flight = flight_again(verifier, key);
    bool asked = true;

    if (flight == NULL)
        return false; /* no key of ours, or no memory */
    pthread_mutex_lock(&verifier->lock);
    if (flights_find(&verifier->flights, key) != NULL) {
        flight_put(flight); /* somebody asks already */
    } else if (verifier->queue.pending >= verifier->setup->options->o.max_pending / 2) {
        flight_put(flight); /* those who wait come first */
        asked = false;
    } else {
        (void)flights_list(&verifier->flights, flight);
        asked = launch(verifier, flight) == RB_REASON_NONE;
    }
    pthread_mutex_unlock(&verifier->lock);
    return asked;
}

void board_leave(struct rb_verifier *verifier, struct flight *flight)
{
    if (flight == NULL)
        return;
    pthread_mutex_lock(&verifier->lock);
    flight_put(flight);
    pthread_mutex_unlock(&verifier->lock);
}
