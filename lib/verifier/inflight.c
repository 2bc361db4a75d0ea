/* SPDX-License-Identifier: BSD-2-Clause */
/* inflight: questions under way, for joining; see inflight.h. Calls nobody but the waiters. */
#include "config.h"

#include "verifier/inflight.h"

#include "base/clock.h"
#include "base/text.h"
#include "base/transcript.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

void inflight_init(struct inflight *inflight, const struct rb_clock *clock)
{
    *inflight = (struct inflight){.clock = clock};
    pthread_mutex_init(&inflight->lock, NULL);
}

void inflight_fini(struct inflight *inflight)
{
    assert(inflight->table == NULL && inflight->under_way == NULL);
    pthread_mutex_destroy(&inflight->lock);
}

/* --- Questions ------------------------------------------------------------ */

struct question *question_new(const char *key, const char *domain, const char *relay)
{
    const size_t relay_size = relay != NULL ? strlen(relay) + 1 : 1;
    struct question *question =
        relay_size <= RELAY_MAX + 1 ? calloc(1, sizeof *question + relay_size) : NULL;

    if (question == NULL)
        return NULL;
    if (relay != NULL)
        memcpy(question->relay, relay, relay_size);
    if (!text_copy(question->key.text, sizeof question->key.text, key) ||
        !text_copy(question->domain, sizeof question->domain, domain)) {
        free(question);
        return NULL;
    }
    return question;
}

void question_set_size(struct question *question, uint64_t octets)
{
    question->item.message_size = question->key.message_size = octets;
}

void question_free(struct question *question)
{
    transcript_free(question->item.transcript);
    free(question->claim);
    free(question);
}

struct question *question_of(struct callout_item *item)
{
    return (struct question *)((char *)item - offsetof(struct question, item));
}

/* --- Waiters -------------------------------------------------------------- */

void waiter_get(struct waiter *waiter)
{
    atomic_fetch_add_explicit(&waiter->references, 1, memory_order_relaxed);
}

void waiter_put(struct waiter *waiter)
{
    /* What others did with it happens before it is released. */
    if (atomic_fetch_sub_explicit(&waiter->references, 1, memory_order_acq_rel) == 1)
        waiter->release(waiter);
}

void inflight_wait_for(struct question *question, struct waiter *waiter)
{
    waiter_get(waiter);
    waiter->question = question;
    atomic_store(&waiter->asked_ms, question->asked_ms);
    DL_APPEND(question->waiters, waiter);
}

/* They wait no more; the list, and its references, are the caller's. Under the lock. */
static struct waiter *take_waiters(struct question *question)
{
    struct waiter *waiters = question->waiters, *waiter = NULL;

    DL_FOREACH(waiters, waiter)
    {
        waiter->question = NULL;
    }
    question->waiters = NULL;
    return waiters;
}

/* Of take_waiters. No lock held, as in all that tell. */
static void tell_taken(struct waiter *waiters, const struct inflight_news *news)
{
    struct waiter *each;

    DL_FOREACH(waiters, each)
    {
        each->tell(each, news);
    }
    while (waiters != NULL) {
        struct waiter *waiter = waiters;

        waiters = waiter->next;
        waiter->call(waiter);
        waiter_put(waiter);
    }
}

/* Those who go on waiting, with a reference each, as a list of its own. Under the lock. */
static struct waiter *list_waiters(const struct question *question)
{
    struct waiter *list = NULL, *waiter = NULL;

    DL_FOREACH(question->waiters, waiter)
    {
        waiter_get(waiter);
        waiter->next_told = list;
        list = waiter;
    }
    return list;
}

static void tell_accepted(const struct inflight *inflight, struct waiter *list,
                          const struct address_record *said)
{
    const struct inflight_news news = {
        .event = INFLIGHT_ACCEPTED, .record = said, .when_ms = clock_monotonic_ms(inflight->clock)};

    while (list != NULL) {
        struct waiter *waiter = list;

        list = waiter->next_told;
        waiter->tell(waiter, &news);
        waiter_put(waiter);
    }
}

/* --- The way of a question -------------------------------------------------- */

static size_t key_len(const struct inflight_key *key)
{
    return offsetof(struct inflight_key, text) + strlen(key->text);
}

static struct question *find(const struct inflight *inflight, const struct inflight_key *key)
{
    struct question *question;

    HASH_FIND(hh, inflight->table, key, key_len(key), question);
    return question;
}

/* Where there is no memory for the table it cannot be joined, and goes on. Under the lock. */
static void put_under_way(struct inflight *inflight, struct question *question)
{
    question->under_way = true;
    DL_APPEND(inflight->under_way, question);
    if (question->is_private)
        return;
    HASH_ADD(hh, inflight->table, key, key_len(&question->key), question);
    question->listed = question->hh.tbl != NULL;
}

/* Under the lock. */
static void take_off(struct inflight *inflight, struct question *question)
{
    if (question->listed)
        /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): what is listed is in the table */
        HASH_DEL(inflight->table, question);
    if (question->under_way)
        DL_DELETE(inflight->under_way, question);
    question->listed = question->under_way = false;
}

/* Who vouches is told to those who have come with the question, and to no others. Under the lock. */
static void tell_voucher(const struct question *question)
{
    struct waiter *waiter = NULL;

    DL_FOREACH(question->waiters, waiter)
    {
        atomic_store(&waiter->voucher, question->voucher);
    }
}

/* Those who wait for the one wait for the other. Under the lock. */
static void move_waiters(struct question *from, struct question *to)
{
    struct waiter *waiter, *next;

    DL_FOREACH_SAFE(from->waiters, waiter, next)
    {
        waiter->question = to;
        if (atomic_load(&waiter->asked_ms) > to->asked_ms)
            atomic_store(&waiter->asked_ms, to->asked_ms);
    }
    DL_CONCAT(to->waiters, from->waiters);
    from->waiters = NULL;
}

bool inflight_join(struct inflight *inflight, struct question *question)
{
    struct question *equal;
    struct waiter *to_tell = NULL;
    struct address_record said = {.reason = RB_REASON_NONE};

    pthread_mutex_lock(&inflight->lock);
    tell_voucher(question);
    equal = question->is_private ? NULL : find(inflight, &question->key);
    if (equal == NULL) {
        put_under_way(inflight, question);
    } else {
        if (equal->accepted) {
            to_tell = list_waiters(question);
            said = equal->said;
        }
        move_waiters(question, equal);
    }
    pthread_mutex_unlock(&inflight->lock);
    if (equal == NULL)
        return false;
    tell_accepted(inflight, to_tell, &said);
    question_free(question);
    return true;
}

bool inflight_has(struct inflight *inflight, const char *key, uint64_t message_size)
{
    struct inflight_key wanted = {.message_size = message_size};
    bool has;

    if (!text_copy(wanted.text, sizeof wanted.text, key))
        return false;
    pthread_mutex_lock(&inflight->lock);
    has = find(inflight, &wanted) != NULL;
    pthread_mutex_unlock(&inflight->lock);
    return has;
}

void inflight_accepted(struct inflight *inflight, struct question *question,
                       const struct address_record *said)
{
    struct waiter *list;

    pthread_mutex_lock(&inflight->lock);
    assert(!question->accepted);
    question->accepted = true;
    question->said = *said;
    list = list_waiters(question);
    pthread_mutex_unlock(&inflight->lock);
    tell_accepted(inflight, list, said);
}

void inflight_finish(struct inflight *inflight, struct question *question,
                     const struct address_record *record, atomic_ullong *count)
{
    const struct inflight_news news = {.event = INFLIGHT_ANSWERED,
                                       .record = record,
                                       .from_cache = question->from_cache,
                                       .claim = question->claim,
                                       .when_ms = clock_monotonic_ms(inflight->clock),
                                       .transcript = &question->item.transcript};
    struct waiter *waiters;

    pthread_mutex_lock(&inflight->lock);
    take_off(inflight, question);
    waiters = take_waiters(question);
    if (count != NULL)
        atomic_fetch_add(count, 1);
    pthread_mutex_unlock(&inflight->lock);
    tell_taken(waiters, &news);
    question_free(question);
}

void inflight_hand_on(struct inflight *inflight, struct question *question, struct question *next)
{
    pthread_mutex_lock(&inflight->lock);
    take_off(inflight, question);
    move_waiters(question, next);
    pthread_mutex_unlock(&inflight->lock);
    question_free(question);
}

void inflight_leave(struct inflight *inflight, struct waiter *waiter)
{
    bool waited;

    pthread_mutex_lock(&inflight->lock);
    waited = waiter->question != NULL;
    if (waited)
        DL_DELETE(waiter->question->waiters, waiter);
    waiter->question = NULL;
    pthread_mutex_unlock(&inflight->lock);
    if (waited)
        waiter_put(waiter);
}

void inflight_stop(struct inflight *inflight)
{
    const struct inflight_news news = {.event = INFLIGHT_STOPPED,
                                       .when_ms = clock_monotonic_ms(inflight->clock)};
    struct waiter *all = NULL;
    struct question *question = NULL, *next;

    pthread_mutex_lock(&inflight->lock);
    DL_FOREACH_SAFE(inflight->under_way, question, next)
    {
        struct waiter *waiters = take_waiters(question);

        DL_CONCAT(all, waiters);
        take_off(inflight, question);
    }
    pthread_mutex_unlock(&inflight->lock);
    tell_taken(all, &news);
}
