/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * writer: see the header. A write waits in an overlay (a hash by table and key), in the order
 * of arrival; the thread takes all that waits, up to a ceiling, into one transaction (group commit:
 * while one is being synced to the disk, and for a moment after, the next gathers), and only then
 * removes from the overlay what it has committed.
 *
 * Owns: the queue. Lock: `lock`, never held across the store's I/O. Who writes to the store holds
 * it (writer_hold), which is no lock but a turn: `lock` may be taken meanwhile.
 */
#include "config.h"

#include "cache/writer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/hash.h"

struct blob {
    size_t len;
    uint8_t data[];
};

/*
 * What waits for one key. Covered by writer->lock; who holds the store, and has set in_flight, may
 * read key and in_flight without it.
 */
struct pending {
    UT_hash_handle hh;
    struct pending *prev, *next; /* in the queue, while queued */
    struct blob *value;          /* owned; the newest */
    struct blob *in_flight; /* being committed; owned unless it is also value. NULL: nothing is */
    uint64_t sequence;      /* of its place in the queue */
    size_t key_len;         /* of key */
    uint8_t key[CACHE_KEY_MAX + 1]; /* the table's octet, the key's */
};

struct writer {
    const struct store_ops *ops;
    struct store *store;
    struct writer_hooks hooks;
    size_t batch_max;
    pthread_t thread;

    /* Of who holds the store. */
    struct pending *batch[WRITER_BATCH_MAX];
    struct store_write writes[WRITER_BATCH_MAX];

    /* The thread's own. */
    unsigned batches;           /* since the last housekeeping, */
    struct timespec maintained; /* which was then */
    struct timespec committed;  /* when the last batch was */

    pthread_mutex_t lock;      /* covers what follows, but for the atomics */
    pthread_cond_t work, done; /* something was queued, or stopping; a batch was done */
    pthread_cond_t hurry;      /* a batch is full, or somebody waits for it */
    unsigned flushing;         /* how many do */
    struct pending *overlay;   /* hash */
    struct pending *queue;     /* list, oldest first; all of it is in overlay too */
    uint64_t last_sequence;    /* given to a write */
    uint64_t done_sequence;    /* everything up to it is committed, dropped or forgotten */
    bool stopping;
    bool held;               /* somebody holds the store */
    pthread_cond_t released; /* nobody does any more */

    atomic_size_t
        overlay_count; /* so that a reader need not lock when there is nothing; set under lock */
    atomic_uint_fast64_t writes_done, dropped;
};

static struct blob *new_blob(const void *data, size_t len)
{
    struct blob *blob = malloc(sizeof *blob + len);
    if (blob == NULL)
        return NULL;
    blob->len = len;
    if (len > 0)
        memcpy(blob->data, data, len);
    return blob;
}

static size_t overlay_key(enum cache_table table, struct octets key, uint8_t out[CACHE_KEY_MAX + 1])
{
    out[0] = (uint8_t)table;
    memcpy(out + 1, key.data, key.len);
    return key.len + 1;
}

/* Lock held. */
static struct pending *find(struct writer *writer, enum cache_table table, struct octets key)
{
    struct pending *found = NULL;
    uint8_t name[CACHE_KEY_MAX + 1];
    const size_t len = overlay_key(table, key, name);
    HASH_FIND(hh, writer->overlay, name, len, found);
    return found;
}

static void note_overlay_count(struct writer *writer)
{
    atomic_store(&writer->overlay_count, HASH_COUNT(writer->overlay));
}

static bool is_queued(const struct pending *pending)
{
    return pending->prev != NULL; /* utlist: the head's prev is the tail */
}

static void enqueue(struct writer *writer, struct pending *pending)
{
    pending->sequence = ++writer->last_sequence;
    DL_APPEND(writer->queue, pending);
}

static void dequeue(struct writer *writer, struct pending *pending)
{
    DL_DELETE(writer->queue, pending);
    pending->prev = NULL;
    pending->next = NULL;
}

/* Lock held; nothing of it in flight. */
static void drop_pending(struct writer *writer, struct pending *pending)
{
    if (is_queued(pending))
        dequeue(writer, pending);
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): pending is in it, so there is one */
    HASH_DELETE(hh, writer->overlay, pending);
    free(pending->value);
    free(pending);
}

/* Lock held. Whoever waits in writer_flush learns how far things are. */
static void note_done(struct writer *writer)
{
    writer->done_sequence =
        writer->queue != NULL ? writer->queue->sequence - 1 : writer->last_sequence;
    note_overlay_count(writer);
    pthread_cond_broadcast(&writer->done);
}

/* Lock held. The value that stands once news has come to what waits already. NULL: out of memory.
 */
static struct blob *merged_value(const struct writer *writer, enum cache_table table,
                                 const struct blob *present, struct octets news)
{
    uint8_t out[RECORD_SIZE_MAX];
    store_merge_fn *merge = writer->hooks.merge[table];
    if (merge == NULL)
        return new_blob(news.data, news.len);
    const struct octets old = {.data = present->data, .len = present->len};
    const size_t len = merge(old, news, out, writer->hooks.arg);
    return len > 0 ? new_blob(out, len) : new_blob(present->data, present->len);
}

/* Lock held. */
static enum rb_error put_again(struct writer *writer, struct pending *pending,
                               enum cache_table table, struct octets value)
{
    struct blob *blob = merged_value(writer, table, pending->value, value);
    if (blob == NULL)
        return RB_ERR_NOMEM;
    if (pending->value != pending->in_flight)
        free(pending->value);
    pending->value = blob;
    if (!is_queued(pending))
        enqueue(writer, pending);
    return RB_OK;
}

/* Lock held. */
/* NOLINTNEXTLINE(readability-function-size): most of it is within uthash's macro */
static enum rb_error put_new(struct writer *writer, enum cache_table table, struct octets key,
                             struct octets value)
{
    if (HASH_COUNT(writer->overlay) >= CACHE_QUEUE_MAX)
        return RB_ERR_STORE;
    struct pending *pending = calloc(1, sizeof *pending);
    if (pending == NULL)
        return RB_ERR_NOMEM;
    pending->value = new_blob(value.data, value.len);
    pending->key_len = overlay_key(table, key, pending->key);
    if (pending->value != NULL)
        HASH_ADD(hh, writer->overlay, key, pending->key_len, pending);
    if (pending->value == NULL || pending->hh.tbl == NULL) {
        free(pending->value);
        free(pending);
        return RB_ERR_NOMEM;
    }
    enqueue(writer, pending);
    return RB_OK;
}

/* Lock held. What is being committed counts too: it is about to be done. */
static bool has_full_batch(const struct writer *writer)
{
    return HASH_COUNT(writer->overlay) >= writer->batch_max;
}

enum rb_error writer_put(struct writer *writer, enum cache_table table, struct octets key,
                         struct octets value)
{
    pthread_mutex_lock(&writer->lock);
    const bool is_first = writer->queue == NULL;
    struct pending *pending = find(writer, table, key);
    const enum rb_error error = pending != NULL ? put_again(writer, pending, table, value)
                                                : put_new(writer, table, key, value);
    note_overlay_count(writer);
    if (is_first) /* the thread need not be told of each that follows */
        pthread_cond_signal(&writer->work);
    if (has_full_batch(writer))
        pthread_cond_signal(&writer->hurry);
    pthread_mutex_unlock(&writer->lock);
    if (error != RB_OK)
        atomic_fetch_add(&writer->dropped, 1);
    return error;
}

bool writer_has_queued(struct writer *writer)
{
    return atomic_load(&writer->overlay_count) > 0;
}

bool writer_peek(struct writer *writer, enum cache_table table, struct octets key, uint8_t *out,
                 size_t *len)
{
    pthread_mutex_lock(&writer->lock);
    const struct pending *pending = find(writer, table, key);
    if (pending != NULL) {
        *len = pending->value->len;
        memcpy(out, pending->value->data, *len);
    }
    pthread_mutex_unlock(&writer->lock);
    return pending != NULL;
}

void writer_flush(struct writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    const uint64_t wanted = writer->last_sequence;
    writer->flushing++;
    pthread_cond_signal(&writer->hurry);
    while (writer->done_sequence < wanted)
        pthread_cond_wait(&writer->done, &writer->lock);
    writer->flushing--;
    pthread_mutex_unlock(&writer->lock);
}

void writer_hold(struct writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    while (writer->held)
        pthread_cond_wait(&writer->released, &writer->lock);
    writer->held = true;
    pthread_mutex_unlock(&writer->lock);
}

void writer_release(struct writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    writer->held = false;
    pthread_cond_signal(&writer->released);
    pthread_mutex_unlock(&writer->lock);
}

bool writer_forget(struct writer *writer, enum cache_table table, struct octets key)
{
    pthread_mutex_lock(&writer->lock);
    struct pending *pending = find(writer, table, key);
    if (pending != NULL) {
        drop_pending(writer, pending);
        note_done(writer);
    }
    pthread_mutex_unlock(&writer->lock);
    return pending != NULL;
}

void writer_forget_all(struct writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    while (writer->queue != NULL) /* nothing is in flight, so that is all of the overlay */
        drop_pending(writer, writer->queue);
    note_done(writer);
    pthread_mutex_unlock(&writer->lock);
}

void writer_count(struct writer *writer, struct writer_counts *counts)
{
    counts->writes = atomic_load(&writer->writes_done);
    counts->dropped = atomic_load(&writer->dropped);
}

/* Store held. Returns how many writes there are in the batch. */
static size_t take_batch(struct writer *writer)
{
    size_t count = 0;
    pthread_mutex_lock(&writer->lock);
    while (writer->queue != NULL && count < writer->batch_max) {
        struct pending *pending = writer->queue;
        dequeue(writer, pending);
        pending->in_flight = pending->value;
        const enum cache_table table = (enum cache_table)pending->key[0];
        writer->batch[count] = pending;
        writer->writes[count] = (struct store_write){
            .table = table,
            .key = {.data = pending->key + 1, .len = pending->key_len - 1},
            .value = {.data = pending->in_flight->data, .len = pending->in_flight->len},
            .merge = writer->hooks.merge[table],
            .merge_arg = writer->hooks.arg,
        };
        count++;
    }
    pthread_mutex_unlock(&writer->lock);
    return count;
}

/* Store held. Only what has not been put again meanwhile leaves the overlay. */
static void retire_batch(struct writer *writer, size_t count)
{
    pthread_mutex_lock(&writer->lock);
    for (size_t i = 0; i < count; i++) {
        struct pending *pending = writer->batch[i];
        struct blob *in_flight = pending->in_flight;
        pending->in_flight = NULL;
        if (pending->value == in_flight)
            drop_pending(writer, pending);
        else
            free(in_flight);
    }
    note_done(writer);
    pthread_mutex_unlock(&writer->lock);
}

enum rb_error writer_commit(struct writer *writer, const struct store_write *writes, size_t count)
{
    bool full = false;
    enum rb_error error = writer->ops->write(writer->store, writes, count, &full);
    for (unsigned round = 0; error != RB_OK && full && round < WRITER_ROOM_ROUNDS; round++) {
        if (!writer->hooks.make_room(writer->hooks.arg, count))
            break;
        error = writer->ops->write(writer->store, writes, count, &full);
    }
    return error;
}

static void commit_batch(struct writer *writer)
{
    writer_hold(writer);
    const size_t count = take_batch(writer);
    if (count > 0) {
        const enum rb_error error = writer_commit(writer, writer->writes, count);
        atomic_fetch_add(error == RB_OK ? &writer->writes_done : &writer->dropped, count);
        retire_batch(writer, count);
        writer->batches++;
        (void)clock_gettime(CLOCK_MONOTONIC, &writer->committed);
    }
    writer_release(writer);
}

static void maintain(struct writer *writer)
{
    writer_hold(writer);
    writer->hooks.maintain(writer->hooks.arg);
    writer_release(writer);
    writer->hooks.maintained(writer->hooks.arg);
    writer->batches = 0;
    (void)clock_gettime(CLOCK_MONOTONIC, &writer->maintained);
}

static bool is_time_to_maintain(const struct writer *writer)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return writer->batches >= WRITER_MAINTAIN_BATCHES ||
           now.tv_sec - writer->maintained.tv_sec >= WRITER_MAINTAIN_S;
}

enum wake { WAKE_WORK, WAKE_IDLE, WAKE_STOP };

static enum wake wait_for_work(struct writer *writer)
{
    int rc = 0;
    struct timespec until = writer->maintained;
    until.tv_sec += WRITER_MAINTAIN_S;
    pthread_mutex_lock(&writer->lock);
    while (writer->queue == NULL && !writer->stopping && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&writer->work, &writer->lock, &until);
    const enum wake wake = writer->queue != NULL ? WAKE_WORK
                           : writer->stopping    ? WAKE_STOP
                                                 : WAKE_IDLE;
    pthread_mutex_unlock(&writer->lock);
    return wake;
}

/*
 * The first write in a while is committed at once; those of a busy time gather, for each commit
 * costs a sync of the disk, however much is in it. The queue is not left: until it is committed,
 * what is in it is found there.
 */
static void gather(struct writer *writer)
{
    struct timespec until = writer->committed;
    int rc = 0;
    until.tv_nsec += WRITER_PACE_MS * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    pthread_mutex_lock(&writer->lock);
    while (!has_full_batch(writer) && writer->flushing == 0 && !writer->stopping && rc == 0)
        rc = pthread_cond_timedwait(&writer->hurry, &writer->lock, &until);
    pthread_mutex_unlock(&writer->lock);
}

static void *run(void *arg)
{
    struct writer *writer = arg;
    for (enum wake wake = wait_for_work(writer); wake != WAKE_STOP; wake = wait_for_work(writer)) {
        if (wake == WAKE_WORK) {
            gather(writer);
            commit_batch(writer);
        }
        if (wake == WAKE_IDLE || is_time_to_maintain(writer))
            maintain(writer);
    }
    return NULL;
}

static void init_locks(struct writer *writer)
{
    pthread_cond_init(&writer->released, NULL);
    pthread_mutex_init(&writer->lock, NULL);
    clock_init_cond(&writer->work);
    clock_init_cond(&writer->hurry);
    pthread_cond_init(&writer->done, NULL);
}

/* Signals are for the program's own threads. */
static int start_thread(struct writer *writer)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int rc = pthread_create(&writer->thread, NULL, run, writer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

static void free_writer(struct writer *writer)
{
    pthread_cond_destroy(&writer->done);
    pthread_cond_destroy(&writer->work);
    pthread_cond_destroy(&writer->hurry);
    pthread_mutex_destroy(&writer->lock);
    pthread_cond_destroy(&writer->released);
    free(writer);
}

enum rb_error writer_open(const struct store_ops *ops, struct store *store, size_t batch_max,
                          const struct writer_hooks *hooks, struct writer **writer)
{
    struct writer *new_writer = calloc(1, sizeof *new_writer);
    if (new_writer == NULL)
        return RB_ERR_NOMEM;
    new_writer->ops = ops;
    new_writer->store = store;
    new_writer->hooks = *hooks;
    new_writer->batch_max = batch_max < WRITER_BATCH_MAX ? batch_max : (size_t)WRITER_BATCH_MAX;
    init_locks(new_writer);
    (void)clock_gettime(CLOCK_MONOTONIC, &new_writer->maintained);
    const int rc = start_thread(new_writer);
    if (rc != 0) {
        free_writer(new_writer);
        errno = rc;
        return RB_ERR_SYSTEM;
    }
    *writer = new_writer;
    return RB_OK;
}

void writer_close(struct writer *writer)
{
    if (writer == NULL)
        return;
    pthread_mutex_lock(&writer->lock);
    writer->stopping = true;
    pthread_cond_signal(&writer->work);
    pthread_cond_signal(&writer->hurry);
    pthread_mutex_unlock(&writer->lock);
    pthread_join(writer->thread, NULL);
    free_writer(writer);
}
