/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cachebench: one measurement of one contender (contender.h), as a line of JSON; cache.py plays
 * many of them in turn. Each is bounded in time or in count. Must not compare anything.
 *
 *   cachebench fill   CONTENDER FOLDER MAX-BYTES FIRST COUNT
 *   cachebench write  CONTENDER FOLDER MAX-BYTES FIRST COUNT
 *   cachebench bulk   CONTENDER FOLDER MAX-BYTES 0 COUNT
 *   cachebench size   CONTENDER FOLDER MAX-BYTES 0 0
 *   cachebench read   CONTENDER FOLDER MAX-BYTES RECORDS hit|miss THREADS SECONDS
 *   cachebench during CONTENDER FOLDER MAX-BYTES RECORDS idle|write|purge SECONDS
 *
 * fill writes records with all that comes with them, write addresses alone, and bulk (bulk.c) many
 * of them; all tell how much is kept. during reads with one thread, and with another at the same
 * time does nothing, writes new records (where there is no room for them, ours lets the oldest go),
 * or has expired records swept.
 */
#include "config.h"

#include "contender.h"

#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#define EXPIRED_FIRST (UINT64_C(1) << 32) /* numbers of records that nobody else writes */

enum {
    THREADS_MAX = 16,
    KEYS = 1 << 18,         /* of one reader, made before the clock starts */
    KEY_SIZE = 96,          /* no longer one is made */
    LOOKS = 256,            /* look-ups between looks at the clock */
    SAMPLES_MAX = 1 << 22,  /* look-ups that are timed one by one; no more than so many are made */
    WRITE_CHUNK = 16384,    /* records between looks at the clock */
    EXPIRED_S = 40 * 86400, /* an age at which no record lives */
};

/* What the command line says. */
struct task {
    const struct contender *contender;
    uint64_t records, count;
    unsigned threads;
    double seconds;
    bool missing;
    const char *meanwhile;
};

struct reading {
    const struct task *task;
    unsigned number; /* of the thread */
    char (*keys)[KEY_SIZE];
    uint32_t *samples_ns; /* NULL: not timed one by one */
    size_t sample_count;
    double seconds;
    uint64_t looks, found;
    bool failed;
};

static sem_t is_warm;       /* the one who reads meanwhile has begun to count, or has failed */
static atomic_bool is_over; /* what goes on meanwhile has come to its end, or the readers have */

static double now_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool make_keys(struct reading *reading)
{
    char key[CACHE_KEY_MAX + 1];
    const struct task *task = reading->task;
    reading->keys = calloc(KEYS, sizeof *reading->keys);
    if (reading->keys == NULL)
        return false;
    for (uint64_t i = 0; i < KEYS; i++) {
        const uint64_t number = people_dice(((uint64_t)reading->number << 32) + i) % task->records;
        (task->missing ? people_stranger : people_key)(number, key);
        if (strlen(key) >= KEY_SIZE) /* cppcheck-suppress uninitvar */
            return false;
        memcpy(reading->keys[i], key, strlen(key) + 1);
    }
    return true;
}

static void look(struct reading *reading, struct reader *reader)
{
    const char *key = reading->keys[reading->looks++ % KEYS];
    struct timespec before, after;
    if (reading->samples_ns == NULL) {
        reading->found += reading->task->contender->get(reader, key);
        return;
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &before);
    reading->found += reading->task->contender->get(reader, key);
    (void)clock_gettime(CLOCK_MONOTONIC, &after);
    const int64_t ns =
        (int64_t)(after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec;
    reading->samples_ns[reading->sample_count++] = ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
}

static void *read_on(void *arg)
{
    struct reading *reading = arg;
    const struct task *task = reading->task;
    struct reader *reader;
    if (!task->contender->new_reader(&reader)) {
        reading->failed = true;
        (void)sem_post(&is_warm);
        return NULL;
    }
    for (unsigned i = 0; i < KEYS; i++) /* what a first look-up costs is not asked here */
        (void)task->contender->get(reader, reading->keys[i]);
    (void)sem_post(&is_warm);
    const double begun = now_s();
    do {
        for (unsigned i = 0; i < LOOKS; i++)
            look(reading, reader);
        reading->seconds = now_s() - begun;
    } while (reading->seconds < task->seconds && !atomic_load(&is_over) &&
             (reading->samples_ns == NULL || reading->sample_count + LOOKS <= SAMPLES_MAX));
    if (reading->samples_ns != NULL)
        atomic_store(&is_over, true);
    task->contender->free_reader(reader);
    return NULL;
}

static bool measure_reads(const struct task *task)
{
    pthread_t threads[THREADS_MAX];
    struct reading readings[THREADS_MAX] = {{0}};
    double rate = 0;
    uint64_t looks = 0;
    uint64_t found = 0;
    bool good = true;
    for (unsigned i = 0; i < task->threads; i++) {
        readings[i] = (struct reading){.task = task, .number = i};
        good = good && make_keys(&readings[i]);
    }
    unsigned started = 0;
    while (good && started < task->threads &&
           pthread_create(&threads[started], NULL, read_on, &readings[started]) == 0)
        started++;
    for (unsigned i = 0; i < task->threads; i++) {
        if (i < started)
            pthread_join(threads[i], NULL);
        good = good && !readings[i].failed && readings[i].looks > 0;
        rate += good ? (double)readings[i].looks / readings[i].seconds : 0;
        looks += readings[i].looks;
        found += readings[i].found;
        free(readings[i].keys);
    }
    if (!good || found != (task->missing ? 0 : looks)) {
        (void)fprintf(stderr, "%" PRIu64 " look-ups, %" PRIu64 " found\n", looks, found);
        return false;
    }
    (void)printf("{\"rate\": %.0f, \"looks\": %" PRIu64 "}\n", rate, looks);
    return true;
}

/* all: with what comes with them. Adds to *seconds only what the contender itself takes. */
static bool write_records(const struct task *task, uint64_t first, uint64_t count, bool all,
                          double *seconds)
{
    const int64_t stamp_s = (int64_t)time(NULL);
    for (uint64_t at = 0; at < count; at += PREPARED_MAX) {
        const uint64_t left = count - at;
        const uint64_t next = left < PREPARED_MAX ? left : PREPARED_MAX;
        if (!task->contender->prepare(first + at, next, stamp_s, all))
            return false;
        const double begun = now_s();
        if (!task->contender->put_prepared())
            return false;
        *seconds += now_s() - begun;
    }
    return true;
}

static bool measure_writes(const struct task *task, bool all)
{
    double seconds = 0;
    struct contender_size size;
    if (task->count > 0 && !write_records(task, task->records, task->count, all, &seconds))
        return false;
    if (!task->contender->size(&size))
        return false;
    (void)printf("{\"rate\": %.0f, \"seconds\": %.3f, \"records\": %" PRIu64
                 ", \"addresses\": %" PRIu64 ", \"bytes\": %" PRIu64 "}\n",
                 seconds > 0 ? (double)task->count / seconds : 0, seconds, size.records,
                 size.addresses, size.bytes);
    return true;
}

/* What goes on while there is reading. Returns how many records it has written or swept. */
static uint64_t write_on(const struct task *task)
{
    uint64_t written = 0;
    double seconds = 0;
    while (!atomic_load(&is_over) &&
           write_records(task, task->records + written, WRITE_CHUNK, false, &seconds))
        written += WRITE_CHUNK;
    return written;
}

static uint64_t purge_on(void)
{
    uint64_t purged = 0;
    (void)cache_purge(contender_cache(), true, &purged);
    atomic_store(&is_over, true);
    return purged;
}

/* New ones that have expired already: kept as they are until a sweep comes by. */
static bool write_expired(const struct task *task)
{
    const uint64_t count = task->records < PREPARED_MAX ? task->records : PREPARED_MAX;
    return task->contender->prepare(EXPIRED_FIRST, count, (int64_t)time(NULL) - EXPIRED_S, false) &&
           task->contender->put_prepared();
}

static int compare(const void *a, const void *b)
{
    const uint32_t left = *(const uint32_t *)a;
    const uint32_t right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

/* Of sorted samples: the one that so many thousandths are not above, in microseconds. */
static double quantile_us(const struct reading *reading, size_t thousandths)
{
    const size_t rank = (reading->sample_count - 1) * thousandths / 1000;
    return reading->samples_ns[rank] / 1e3;
}

static void print_latency(const struct reading *reading, uint64_t done, double seconds)
{
    struct cache_stats stats = {0};
    if (contender_cache() != NULL)
        (void)cache_get_stats(contender_cache(), &stats);
    qsort(reading->samples_ns, reading->sample_count, sizeof *reading->samples_ns, compare);
    (void)printf("{\"rate\": %.0f, \"p50_us\": %.2f, \"p99_us\": %.2f, \"p999_us\": %.2f, "
                 "\"max_us\": %.1f, \"done\": %" PRIu64 ", \"per_s\": %.0f, \"evicted\": %" PRIu64
                 ", \"dropped\": %" PRIu64 ", \"missed\": %.4f}\n",
                 (double)reading->looks / reading->seconds, quantile_us(reading, 500),
                 quantile_us(reading, 990), quantile_us(reading, 999), quantile_us(reading, 1000),
                 done, seconds > 0 ? (double)done / seconds : 0, stats.evicted, stats.dropped,
                 1 - (double)reading->found / (double)reading->looks);
}

static uint64_t meanwhile(const struct task *task)
{
    if (strcmp(task->meanwhile, "purge") == 0)
        return purge_on();
    return strcmp(task->meanwhile, "write") == 0 ? write_on(task) : 0;
}

static bool measure_during(const struct task *task)
{
    pthread_t thread;
    struct reading reading = {.task = task};
    reading.samples_ns = calloc(SAMPLES_MAX, sizeof *reading.samples_ns);
    bool good = reading.samples_ns != NULL && make_keys(&reading) &&
                (strcmp(task->meanwhile, "purge") != 0 || write_expired(task)) &&
                pthread_create(&thread, NULL, read_on, &reading) == 0;
    if (good) {
        (void)sem_wait(&is_warm);
        const double begun = now_s();
        const uint64_t done = meanwhile(task);
        const double seconds = now_s() - begun;
        pthread_join(thread, NULL);
        good = !reading.failed && reading.sample_count > 0;
        if (good)
            print_latency(&reading, done, seconds);
    }
    free(reading.keys);
    free(reading.samples_ns);
    return good;
}

static const struct contender *contender_named(const char *name)
{
    return strcmp(name, contender_ours.name) == 0   ? &contender_ours
           : strcmp(name, contender_bare.name) == 0 ? &contender_bare
                                                    : NULL;
}

static bool is_task_sound(const char *verb, const struct task *task)
{
    if (task->contender == NULL)
        return false;
    if (strcmp(verb, "fill") == 0 || strcmp(verb, "write") == 0)
        return task->count > 0;
    if (strcmp(verb, "bulk") == 0 || strcmp(verb, "size") == 0)
        return true;
    return task->records > 0 && task->seconds > 0 && task->threads > 0 &&
           task->threads <= THREADS_MAX &&
           (strcmp(task->meanwhile, "purge") != 0 || task->contender == &contender_ours);
}

static bool run(const char *verb, const struct task *task)
{
    if (strcmp(verb, "fill") == 0 || strcmp(verb, "write") == 0 || strcmp(verb, "size") == 0)
        return measure_writes(task, verb[0] == 'f');
    return strcmp(verb, "read") == 0 ? measure_reads(task) : measure_during(task);
}

int main(int argc, char **argv)
{
    if (argc < 7 || argc > 9) {
        (void)fprintf(stderr, "see tests/bench/README; this is for cache.py to call\n");
        return EX_USAGE;
    }
    const char *verb = argv[1];
    const uint64_t max_bytes = strtoull(argv[4], NULL, 10);
    const struct task task = {
        .contender = contender_named(argv[2]),
        .records = strtoull(argv[5], NULL, 10),
        .count = strtoull(argv[6], NULL, 10),
        .missing = strcmp(argv[6], "miss") == 0,
        .meanwhile = argv[6],
        .threads = argc == 9 ? (unsigned)strtoul(argv[7], NULL, 10) : 1,
        .seconds = strtod(argv[argc - 1], NULL),
    };
    if (!is_task_sound(verb, &task))
        return EX_USAGE;
    const bool in_bulk = strcmp(verb, "bulk") == 0;
    if (in_bulk && !bulk_fill(task.contender == &contender_ours, argv[3], max_bytes, task.count,
                              (int64_t)time(NULL)))
        return EX_IOERR;
    if (in_bulk)
        return EXIT_SUCCESS;
    if (!task.contender->open(argv[3], max_bytes))
        return EX_IOERR;
    const bool good = sem_init(&is_warm, 0, 0) == 0 && run(verb, &task);
    task.contender->close();
    return good ? EXIT_SUCCESS : EX_SOFTWARE;
}
