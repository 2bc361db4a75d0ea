/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * queue: destinations and what waits for them; see queue.h. A destination lives as long as
 * something waits for it or a session of it runs.
 */
#include "config.h"

#include "sched/destination.h"

#include "base/text.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static size_t make_key(const char *relay, const char *domain,
                       char key[RELAY_MAX + 1 + RB_DOMAIN_MAX + 1])
{
    size_t relay_len = strlen(relay), domain_len = strlen(domain);

    memcpy(key, relay, relay_len + 1);
    /* The key is octets with a length, not a string. NOLINTNEXTLINE(bugprone-not-null-terminated-result) */
    memcpy(key + relay_len + 1, domain, domain_len);
    return relay_len + 1 + domain_len;
}

static struct destination *destination_new(const char *relay, const char *domain, const char *key,
                                           size_t key_len)
{
    struct destination *destination = calloc(1, sizeof *destination + key_len);

    if (destination == NULL)
        return NULL;
    memcpy(destination->key, key, key_len);
    (void)text_copy(destination->relay, sizeof destination->relay, relay);
    (void)text_copy(destination->domain, sizeof destination->domain, domain);
    return destination;
}

static struct destination *find_or_add(struct queue *queue, const char *relay, const char *domain)
{
    char key[RELAY_MAX + 1 + RB_DOMAIN_MAX + 1];
    struct destination *destination;
    size_t key_len;

    if (strlen(relay) > RELAY_MAX || strlen(domain) > RB_DOMAIN_MAX)
        return NULL;
    key_len = make_key(relay, domain, key);
    HASH_FIND(hh, queue->table, key, key_len, destination);
    if (destination != NULL)
        return destination;
    destination = destination_new(relay, domain, key, key_len);
    if (destination == NULL)
        return NULL;
    HASH_ADD_KEYPTR(hh, queue->table, destination->key, key_len, destination);
    if (destination->hh.tbl == NULL) {
        free(destination);
        return NULL;
    }
    return destination;
}

static void set_ready(struct queue *queue, struct destination *destination, bool ready)
{
    if (ready && !destination->ready) {
        DL_APPEND(queue->ready, destination);
        queue->ready_count++;
    } else if (!ready && destination->ready) {
        DL_DELETE(queue->ready, destination);
        queue->ready_count--;
    }
    destination->ready = ready;
}

/* What sessions that rest, or are about to begin, will take is worth no further session. */
static void set_ready_if_so(struct queue *queue, struct destination *destination)
{
    while (destination->waiting > destination->coming && destination->resting != NULL)
        rest_call(destination->resting, queue);
    set_ready(queue, destination,
              destination->waiting > destination->coming && destination->wanted == NULL &&
                  destination->running < destination->sessions_max);
}

/* Lists a destination as ready, or not, as it now is; frees it when it has nothing left to do. */
static void update(struct queue *queue, struct destination *destination, unsigned sessions_max)
{
    destination->sessions_max = sessions_max;
    if (destination->coming > destination->running)
        destination->coming = destination->running; /* it ended and had taken nothing */
    set_ready_if_so(queue, destination);
    if (destination->first == NULL && destination->running == 0) {
        HASH_DEL(queue->table, destination);
        free(destination);
    }
}

/*
 * Destinations are forgotten when nothing goes on; when they were asked about last is not. Where two
 * share a stamp, one is taken for busier than it is.
 */
static void note_question(struct queue *queue, struct destination *destination, int64_t now_ms)
{
    int64_t *stamp = &queue->asked_ms[destination->hh.hashv % QUEUE_STAMPS];

    destination->gap_ms = *stamp > 0 ? now_ms - *stamp : INT64_MAX;
    *stamp = now_ms;
}

enum rb_error queue_push(struct queue *queue, const char *relay, const char *domain,
                         struct callout_item *item, unsigned sessions_max)
{
    struct destination *destination = find_or_add(queue, relay != NULL ? relay : "", domain);

    if (destination == NULL)
        return RB_ERR_NOMEM;
    item->next = NULL;
    if (destination->first == NULL)
        destination->first = item;
    else
        destination->last->next = item;
    destination->last = item;
    destination->waiting++;
    queue->pending++;
    note_question(queue, destination, item->asked_ms);
    update(queue, destination, sessions_max);
    return RB_OK;
}

struct destination *queue_next(struct queue *queue, unsigned sessions_max)
{
    struct destination *destination = queue->ready;

    if (destination == NULL)
        return NULL;
    /* To the end of the line: others come first before it gets another session. */
    set_ready(queue, destination, false);
    destination->running++;
    destination->coming++;
    queue->running++;
    destination->sessions_max = sessions_max;
    set_ready_if_so(queue, destination);
    return destination;
}

struct callout_item *queue_take(struct queue *queue, struct destination *destination)
{
    struct callout_item *item = destination->first;

    /*
     * A session that began before may take what the one that is coming was called for: that finds
     * nothing, then.
     */
    if (destination->coming > 0)
        destination->coming--;
    if (item == NULL)
        return NULL;
    destination->first = item->next;
    item->next = NULL;
    destination->waiting--;
    queue->pending--;
    if (destination->first == NULL)
        set_ready(queue, destination, false);
    return item;
}

void queue_put_back(struct queue *queue, struct destination *destination, struct callout_item *item)
{
    item->next = destination->first;
    if (destination->first == NULL)
        destination->last = item;
    destination->first = item;
    destination->waiting++;
    queue->pending++;
    set_ready_if_so(queue, destination);
}

void queue_reconsider(struct queue *queue, struct destination *destination)
{
    set_ready_if_so(queue, destination);
}

void queue_release(struct queue *queue, struct destination *destination, unsigned sessions_max)
{
    assert(destination->running > 0);
    destination->running--;
    queue->running--;
    update(queue, destination, sessions_max);
}

struct callout_item *queue_drain(struct queue *queue)
{
    struct destination *destination, *next;

    HASH_ITER(hh, queue->table, destination, next)
    {
        struct callout_item *item = queue_take(queue, destination);

        if (item != NULL)
            return item;
    }
    return NULL;
}

void queue_free(struct queue *queue)
{
    struct destination *destination, *next;

    HASH_ITER(hh, queue->table, destination, next)
    {
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): HASH_DEL has unlinked the one that was freed */
        HASH_DEL(queue->table, destination);
        free(destination);
    }
    *queue = (struct queue){0};
}
