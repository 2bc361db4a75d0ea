/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * retries: the schedule and its thread; see retries.h. Must not judge replies or compute intervals.
 */
#include "config.h"

#include "retries.h"

#include "deferral.h"
#include "hash.h"
#include "verifier.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* One address on the schedule. */
struct retry {
    int64_t due_s;
    UT_hash_handle hh;
    char key[];
};

struct retries {
    struct rb_verifier *verifier;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct retry *table; /* [lock] by key */
    bool stopping;       /* [lock] */
};

/* --- The schedule; under the lock ----------------------------------------- */

static void drop(struct retries *retries, struct retry *retry)
{
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): HASH_DEL has unlinked the one that was freed */
    HASH_DEL(retries->table, retry);
    free(retry);
}

static void schedule(struct retries *retries, const char *key, int64_t due_s)
{
    size_t len = strlen(key);
    struct retry *retry;

    HASH_FIND(hh, retries->table, key, len, retry);
    if (retry == NULL && HASH_COUNT(retries->table) < RETRIES_MAX) {
        retry = calloc(1, sizeof *retry + len + 1);
        if (retry == NULL)
            return; /* the record stands in the cache; the next start, or the client, finds it */
        memcpy(retry->key, key, len);
        HASH_ADD_KEYPTR(hh, retries->table, retry->key, len, retry);
        if (retry->hh.tbl == NULL) {
            free(retry);
            return;
        }
    }
    if (retry != NULL)
        retry->due_s = due_s;
}

/* The keys that are due, taken off the schedule; copies of the caller's. */
static size_t take_due(struct retries *retries, int64_t now_s, char *keys[RETRIES_AT_ONCE])
{
    struct retry *retry, *next;
    size_t count = 0;

    HASH_ITER(hh, retries->table, retry, next)
    {
        if (retry->due_s > now_s)
            continue;
        if (count == RETRIES_AT_ONCE)
            break;
        keys[count] = strdup(retry->key);
        if (keys[count] == NULL)
            break;
        count++;
        drop(retries, retry);
    }
    return count;
}

/* The clock is a hook: it need not go as the system's does, so it is looked at now and then. */
static void wait_for_change(struct retries *retries)
{
    struct timespec until;

    if (retries->table == NULL) {
        pthread_cond_wait(&retries->changed, &retries->lock);
        return;
    }
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += RETRIES_TICK_MS * INT64_C(1000000);
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    (void)pthread_cond_timedwait(&retries->changed, &retries->lock, &until);
}

static void *retries_thread(void *arg)
{
    struct retries *retries = arg;
    char *keys[RETRIES_AT_ONCE];

    pthread_mutex_lock(&retries->lock);
    while (!retries->stopping) {
        size_t count = take_due(retries, clock_wall_s(retries->verifier->clock), keys);

        if (count == 0) {
            wait_for_change(retries);
            continue;
        }
        pthread_mutex_unlock(&retries->lock);
        for (size_t i = 0; i < count; i++) {
            verifier_ask_again(retries->verifier, keys[i]);
            free(keys[i]);
        }
        pthread_mutex_lock(&retries->lock);
    }
    pthread_mutex_unlock(&retries->lock);
    return NULL;
}

/* --- From outside --------------------------------------------------------- */

static void set(struct retries *retries, const char *key, int64_t due_s)
{
    pthread_mutex_lock(&retries->lock);
    schedule(retries, key, due_s);
    pthread_cond_signal(&retries->changed);
    pthread_mutex_unlock(&retries->lock);
}

static void clear(struct retries *retries, const char *key)
{
    struct retry *retry;

    pthread_mutex_lock(&retries->lock);
    HASH_FIND_STR(retries->table, key, retry);
    if (retry != NULL)
        drop(retries, retry);
    pthread_mutex_unlock(&retries->lock);
}

void retries_landed(struct retries *retries, const char *key, const struct address_record *record,
                    const struct rb_greylist *rules)
{
    int64_t due_s = deferral_due_s(record, rules);

    if (retries == NULL)
        return;
    if (due_s >= 0)
        set(retries, key, due_s);
    else
        clear(retries, key);
}

void retries_postpone(struct retries *retries, const char *key)
{
    if (retries != NULL)
        set(retries, key, clock_wall_s(retries->verifier->clock) + RETRIES_POSTPONE_S);
}

size_t retries_count(struct retries *retries)
{
    size_t count;

    if (retries == NULL)
        return 0;
    pthread_mutex_lock(&retries->lock);
    count = HASH_COUNT(retries->table);
    pthread_mutex_unlock(&retries->lock);
    return count;
}

/* --- Starting and stopping ------------------------------------------------ */

struct restore {
    struct retries *retries;
    const struct rb_greylist *rules;
};

static bool restore_one(const struct cache_entry *entry, void *arg)
{
    const struct restore *restore = arg;
    int64_t due_s = deferral_due_s(entry->address_record, restore->rules);

    if (due_s >= 0)
        schedule(restore->retries, entry->key, due_s);
    return true;
}

static struct retries *retries_new(struct rb_verifier *verifier)
{
    struct retries *retries = calloc(1, sizeof *retries);
    pthread_condattr_t attributes;

    if (retries == NULL)
        return NULL;
    retries->verifier = verifier;
    pthread_mutex_init(&retries->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&retries->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    return retries;
}

static void retries_free(struct retries *retries)
{
    struct retry *retry, *next;

    HASH_ITER(hh, retries->table, retry, next)
    drop(retries, retry);
    pthread_cond_destroy(&retries->changed);
    pthread_mutex_destroy(&retries->lock);
    free(retries);
}

enum rb_error retries_start(struct rb_verifier *verifier, struct retries **retries)
{
    struct retries *made = retries_new(verifier);
    struct restore restore = {.retries = made, .rules = &verifier->setup->options->o.greylist};
    sigset_t all, before;
    int error;

    *retries = made; /* before the thread: what is overdue may land at once */
    if (made == NULL)
        return RB_ERR_NOMEM;
    (void)cache_walk(verifier->cache, CACHE_ADDRESS, restore_one, &restore);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&made->thread, NULL, retries_thread, made);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error == 0)
        return RB_OK;
    *retries = NULL;
    retries_free(made);
    return RB_ERR_SYSTEM;
}

void retries_stop(struct retries *retries)
{
    if (retries == NULL)
        return;
    pthread_mutex_lock(&retries->lock);
    retries->stopping = true;
    pthread_cond_signal(&retries->changed);
    pthread_mutex_unlock(&retries->lock);
    pthread_join(retries->thread, NULL);
    retries_free(retries);
}
