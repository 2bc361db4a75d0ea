/* SPDX-License-Identifier: BSD-2-Clause */
/* flight: questions under way, for joining; see flight.h. */
#include "config.h"

#include "verifier/inflight.h"

#include "base/text.h"
#include "base/transcript.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct flight *flight_new(const char *key, const char *domain, const char *relay)
{
    struct flight *flight = calloc(1, sizeof *flight);
    pthread_condattr_t attributes;

    if (flight == NULL)
        return NULL;
    flight->holders = 1;
    if (!text_copy(flight->key, sizeof flight->key, key) ||
        !text_copy(flight->domain, sizeof flight->domain, domain) ||
        !text_copy(flight->relay, sizeof flight->relay, relay != NULL ? relay : "") ||
        pthread_condattr_init(&attributes) != 0) {
        free(flight);
        return NULL;
    }
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&flight->landing, &attributes);
    pthread_condattr_destroy(&attributes);
    return flight;
}

struct flight *flights_find(const struct flights *flights, const char *key)
{
    struct flight *flight;

    HASH_FIND_STR(flights->table, key, flight);
    return flight;
}

enum rb_error flights_list(struct flights *flights, struct flight *flight)
{
    HASH_ADD_STR(flights->table, key, flight);
    flight->listed = flight->hh.tbl != NULL;
    return flight->listed ? RB_OK : RB_ERR_NOMEM;
}

static void accepted(struct flight *flight, const struct address_record *said)
{
    assert(!flight->landed);
    flight->record = *said;
    flight->accepted = true;
    pthread_cond_broadcast(&flight->landing);
}

void flight_accepted(struct flight *flight, const struct address_record *said)
{
    struct flight *follower = NULL;

    accepted(flight, said);
    DL_FOREACH(flight->followers, follower)
    {
        accepted(follower, said);
    }
}

void flight_follow(struct flight *leader, struct flight *flight)
{
    assert(leader->listed && !flight->listed && flight->followers == NULL);
    DL_APPEND(leader->followers, flight);
    if (leader->started_ms < flight->started_ms)
        flight->started_ms = leader->started_ms;
    if (leader->accepted)
        accepted(flight, &leader->record);
}

static void land(struct flight *flight, const struct address_record *record, int64_t now_ms)
{
    assert(!flight->landed);
    flight->record = *record;
    flight->landed = true;
    flight->landed_ms = now_ms;
    pthread_cond_broadcast(&flight->landing);
}

void flight_land(struct flights *flights, struct flight *flight,
                 const struct address_record *record, int64_t now_ms)
{
    if (flight->listed)
        HASH_DEL(flights->table, flight);
    flight->listed = false;
    land(flight, record, now_ms);
    while (flight->followers != NULL) {
        struct flight *follower = flight->followers;

        DL_DELETE(flight->followers, follower);
        follower->from_cache = flight->from_cache;
        land(follower, record, now_ms);
        flight_put(follower);
    }
}

void flight_put(struct flight *flight)
{
    assert(flight->holders > 0);
    if (--flight->holders > 0)
        return;
    assert(!flight->listed);
    pthread_cond_destroy(&flight->landing);
    transcript_free(flight->item.transcript);
    free(flight);
}

struct flight *flight_of(struct callout_item *item)
{
    return (struct flight *)((char *)item - offsetof(struct flight, item));
}
