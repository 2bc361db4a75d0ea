/* SPDX-License-Identifier: BSD-2-Clause */
/* destination: who is ready, who gets which item; see destination.h. Must not call anybody. */
#include "config.h"

#include "sched/destination.h"

#include "base/clock.h"
#include "base/text.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* --- The table --------------------------------------------------------------- */

static size_t make_key(const char *relay, const char *domain,
                       char key[RELAY_MAX + 1 + RB_DOMAIN_MAX + 1])
{
    size_t relay_len = strlen(relay), domain_len = strlen(domain);

    memcpy(key, relay, relay_len + 1);
    /* The key is octets with a length, not a string.
     * NOLINTNEXTLINE(bugprone-not-null-terminated-result) */
    memcpy(key + relay_len + 1, domain, domain_len);
    return relay_len + 1 + domain_len;
}

static struct destination *destination_new(const char *key, size_t key_len)
{
    struct destination *destination = calloc(1, sizeof *destination + key_len + 1);

    if (destination == NULL)
        return NULL;
    destination->last = &destination->first;
    destination->kept_last = &destination->kept;
    destination->gap_ms = INT64_MAX;
    memcpy(destination->key, key, key_len);
    destination->relay = destination->key;
    destination->domain = destination->key + strlen(destination->key) + 1;
    return destination;
}

static struct destination *find(const struct destinations *destinations, const char *key,
                                size_t key_len)
{
    struct destination *destination;

    HASH_FIND(hh, destinations->table, key, key_len, destination);
    return destination;
}

static bool are_too_long(const char *relay, const char *domain)
{
    return strlen(relay) > RELAY_MAX || strlen(domain) > RB_DOMAIN_MAX;
}

static struct destination *find_or_add(struct destinations *destinations, const char *relay,
                                       const char *domain)
{
    char key[RELAY_MAX + 1 + RB_DOMAIN_MAX + 1];
    struct destination *destination;
    size_t key_len;

    if (are_too_long(relay, domain))
        return NULL;
    key_len = make_key(relay, domain, key);
    destination = find(destinations, key, key_len);
    if (destination != NULL)
        return destination;
    destination = destination_new(key, key_len);
    if (destination == NULL)
        return NULL;
    HASH_ADD_KEYPTR(hh, destinations->table, destination->key, key_len, destination);
    if (destination->hh.tbl == NULL) {
        free(destination);
        return NULL;
    }
    return destination;
}

/* --- Who is ready --------------------------------------------------------------- */

static void set_ready(struct destinations *destinations, struct destination *destination,
                      bool is_ready)
{
    if (is_ready && !destination->is_ready) {
        DL_APPEND(destinations->ready, destination);
        destinations->ready_count++;
    } else if (!is_ready && destination->is_ready) {
        DL_DELETE(destinations->ready, destination);
        destinations->ready_count--;
    }
    destination->is_ready = is_ready;
}

/* --- Verbs ---------------------------------------------------------------------- */

/* only_mx: as callout_item has it. */
static bool may_say_verb(const struct sched_callout *callout, const char *only_mx)
{
    return !callout->has_verb && (only_mx == NULL || strcasecmp(callout->mx, only_mx) == 0);
}

static bool may_be_given(const struct sched_callout *callout, const struct callout_item *item)
{
    return item->verb == NULL || may_say_verb(callout, item->only_mx);
}

/* Whether a callout under way may say a verb. */
static bool has_callout_for_verb(const struct destination *destination, const char *only_mx)
{
    const struct sched_callout *callout = destination->callouts;

    while (callout != NULL && !may_say_verb(callout, only_mx))
        callout = callout->next;
    return callout != NULL;
}

static void append(struct callout_item ***last, struct callout_item *item)
{
    item->next = NULL;
    **last = item;
    *last = &item->next;
}

/* Takes the first that the callout (NULL: any) may be given out of a list. */
static struct callout_item *take_out(struct callout_item **first, struct callout_item ***last,
                                     const struct sched_callout *callout)
{
    for (struct callout_item **at = first; *at != NULL; at = &(*at)->next) {
        struct callout_item *item = *at;

        if (callout != NULL && !may_be_given(callout, item))
            continue;
        *at = item->next;
        if (*at == NULL)
            *last = at;
        item->next = NULL;
        return item;
    }
    return NULL;
}

/* Verbs that were kept, and that no callout under way may be given any more, wait as all items do.
 * False: there were none. */
static bool let_go(struct destination *destination)
{
    struct callout_item *item = destination->kept, *next;
    bool any = false;

    destination->kept = NULL;
    destination->kept_last = &destination->kept;
    for (; item != NULL; item = next) {
        const bool is_kept = has_callout_for_verb(destination, item->only_mx);

        next = item->next;
        append(is_kept ? &destination->kept_last : &destination->last, item);
        any = any || !is_kept;
    }
    return any;
}

/* The callout is given the item. */
static void note_given(struct sched_callout *callout, const struct callout_item *item)
{
    if (item->verb != NULL) {
        callout->has_verb = true;
        callout->awaits_verb = false;
        (void)let_go(callout->destination);
    } else if (item->then_client && !callout->has_verb) {
        callout->awaits_verb = true;
    }
}

/* --- Taking --------------------------------------------------------------------- */

static struct callout_item *note_taken(struct destinations *destinations,
                                       struct destination *destination, struct callout_item *item)
{
    if (item != NULL) {
        destination->waiting--;
        destinations->pending--;
    }
    return item;
}

static struct callout_item *take_first(struct destinations *destinations,
                                       struct destination *destination)
{
    return note_taken(destinations, destination,
                      take_out(&destination->first, &destination->last, NULL));
}

static struct callout_item *take_kept(struct destinations *destinations,
                                      struct destination *destination)
{
    return note_taken(destinations, destination,
                      take_out(&destination->kept, &destination->kept_last, NULL));
}

/* What is kept for it comes first: it can be had nowhere else as cheaply. */
static struct callout_item *take_for(struct destinations *destinations,
                                     struct sched_callout *callout)
{
    struct destination *destination = callout->destination;
    struct callout_item *item = take_out(&destination->kept, &destination->kept_last, callout);

    if (item == NULL)
        item = take_out(&destination->first, &destination->last, callout);
    if (item != NULL)
        note_given(callout, item);
    return note_taken(destinations, destination, item);
}

static void end_idle(struct destinations *destinations, struct idle_session *idle,
                     struct callout_item *item)
{
    DL_DELETE(idle->callout->destination->idle, idle);
    /* Whoever is idle stands in both lists. NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
    DL_DELETE2(destinations->idle, idle, older, younger);
    destinations->idle_count--;
    idle->is_over = true;
    idle->item = item;
    pthread_cond_signal(&idle->woken);
}

/* Gives items that wait to sessions that are idle. */
static void serve_idle(struct destinations *destinations, struct destination *destination)
{
    struct idle_session *idle, *next;

    for (idle = destination->idle; idle != NULL && destination->waiting > 0; idle = next) {
        struct callout_item *item = take_for(destinations, idle->callout);

        next = idle->next;
        if (item != NULL)
            end_idle(destinations, idle, item);
    }
}

void destinations_update(struct destinations *destinations, struct destination *destination)
{
    serve_idle(destinations, destination);
    set_ready(destinations, destination,
              destination->first != NULL && destination->blocked_on == NULL &&
                  destination->running < destinations->sessions_max);
}

/* --- Items ----------------------------------------------------------------------- */

/*
 * A destination is forgotten when nothing goes on with it; when it was pushed to last is not. Where
 * two share a stamp, each is taken for busier than it is.
 */
static void note_push(struct destinations *destinations, struct destination *destination,
                      int64_t now_ms)
{
    int64_t *stamp = &destinations->pushed_ms[destination->hh.hashv % DESTINATIONS_STAMPS];

    destination->gap_ms = *stamp > 0 ? now_ms - *stamp : INT64_MAX;
    *stamp = now_ms;
}

enum rb_error destinations_push(struct destinations *destinations, const char *relay,
                                const char *domain, struct callout_item *item)
{
    struct destination *destination = find_or_add(destinations, relay, domain);

    bool is_kept;

    if (destination == NULL)
        return RB_ERR_NOMEM;
    is_kept = item->verb != NULL && has_callout_for_verb(destination, item->only_mx);
    append(is_kept ? &destination->kept_last : &destination->last, item);
    destination->waiting++;
    destinations->pending++;
    if (item->verb == NULL)
        note_push(destinations, destination, item->asked_ms);
    destinations_update(destinations, destination);
    return RB_OK;
}

struct destination *destinations_next(struct destinations *destinations, struct callout_item **item)
{
    struct destination *destination = destinations->ready;

    if (destination == NULL)
        return NULL;
    /* To the end of the list: others come first before it gets another session. */
    set_ready(destinations, destination, false);
    destination->running++;
    destinations->running++;
    *item = take_first(destinations, destination);
    destinations_update(destinations, destination);
    return destination;
}

struct callout_item *destinations_take(struct destinations *destinations,
                                       struct sched_callout *callout)
{
    struct callout_item *item = take_for(destinations, callout);

    destinations_update(destinations, callout->destination);
    return item;
}

void destinations_put_back(struct destinations *destinations, struct destination *destination,
                           struct callout_item *item)
{
    item->next = destination->first;
    if (destination->first == NULL)
        destination->last = &item->next;
    destination->first = item;
    destination->waiting++;
    destinations->pending++;
    destinations_update(destinations, destination);
}

void destinations_release(struct destinations *destinations, struct destination *destination)
{
    assert(destination->running > 0);
    destination->running--;
    destinations->running--;
    destinations_update(destinations, destination);
    if (destination->first == NULL && destination->running == 0) {
        HASH_DEL(destinations->table, destination);
        free(destination);
    }
}

struct callout_item *destinations_drain(struct destinations *destinations)
{
    struct callout_item *all = NULL, **end = &all;
    struct destination *destination, *next;

    HASH_ITER(hh, destinations->table, destination, next)
    {
        while ((*end = take_first(destinations, destination)) != NULL ||
               (*end = take_kept(destinations, destination)) != NULL)
            end = &(*end)->next;
        destinations_update(destinations, destination);
    }
    return all;
}

void destinations_free(struct destinations *destinations)
{
    struct destination *destination, *next;

    HASH_ITER(hh, destinations->table, destination, next)
    {
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): HASH_DEL unlinked the one that was freed */
        HASH_DEL(destinations->table, destination);
        free(destination);
    }
    *destinations = (struct destinations){.table = NULL};
}

/* --- Callouts -------------------------------------------------------------------- */

void destinations_begin_callout(struct destinations *destinations, struct sched_callout *callout,
                                const struct callout_item *item)
{
    DL_APPEND(callout->destination->callouts, callout);
    note_given(callout, item);
    destinations_update(destinations, callout->destination);
}

bool destinations_set_mx(struct destinations *destinations, struct sched_callout *callout,
                         const char *mx)
{
    bool any;

    (void)text_copy(callout->mx, sizeof callout->mx, mx);
    any = let_go(callout->destination);
    if (any)
        destinations_update(destinations, callout->destination);
    return any;
}

void destinations_end_callout(struct destinations *destinations, struct sched_callout *callout)
{
    DL_DELETE(callout->destination->callouts, callout);
    if (let_go(callout->destination))
        destinations_update(destinations, callout->destination);
}

bool destinations_have_session_with(const struct destinations *destinations, const char *relay,
                                    const char *domain, const char *mx)
{
    char key[RELAY_MAX + 1 + RB_DOMAIN_MAX + 1];
    const struct destination *destination = NULL;

    if (!are_too_long(relay, domain))
        destination = find(destinations, key, make_key(relay, domain, key));
    return destination != NULL && has_callout_for_verb(destination, mx);
}

/* --- Idle sessions ------------------------------------------------------------------ */

void idle_begin(struct idle_session *idle, struct destinations *destinations,
                struct sched_callout *callout, const char *host)
{
    struct destination *destination = callout->destination;

    *idle = (struct idle_session){.callout = callout, .host = host};
    clock_init_cond(&idle->woken);
    DL_PREPEND(destination->idle, idle);
    DL_APPEND2(destinations->idle, idle, older, younger);
    destinations->idle_count++;
    destinations_update(destinations, destination);
}

struct callout_item *idle_finish(struct idle_session *idle, struct destinations *destinations)
{
    if (!idle->is_over)
        end_idle(destinations, idle, NULL);
    pthread_cond_destroy(&idle->woken);
    return idle->item;
}

bool idle_evict(struct destinations *destinations, const char *host)
{
    struct idle_session *idle = NULL;

    DL_FOREACH2(destinations->idle, idle, younger)
    {
        if (host == NULL || strcmp(idle->host, host) == 0) {
            end_idle(destinations, idle, NULL);
            return true;
        }
    }
    return false;
}

/* --- The probe ------------------------------------------------------------------------ */

enum callout_probe destination_begin_probe(struct destination *destination,
                                           struct callout_item *item,
                                           const struct address_record *accepted, int64_t ttl_s,
                                           int64_t now_s, struct fact *catch_all)
{
    if (destination->catch_all.state != FACT_UNKNOWN &&
        fact_is_live(&destination->catch_all, ttl_s, now_s)) {
        *catch_all = destination->catch_all;
        return CALLOUT_PROBE_KNOWN;
    }
    if (!destination->is_probed) {
        destination->is_probed = true;
        return CALLOUT_PROBE;
    }
    if (item != NULL) {
        item->best = *accepted;
        item->next = destination->parked;
        destination->parked = item;
    }
    return CALLOUT_PROBE_PARKED;
}

struct callout_item *destination_end_probe(struct destination *destination,
                                           const struct fact *catch_all)
{
    struct callout_item *parked = destination->parked;

    assert(destination->is_probed);
    destination->is_probed = false;
    destination->parked = NULL;
    if (catch_all->state != FACT_UNKNOWN)
        destination->catch_all = *catch_all;
    return parked;
}
