/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * histogram: how often something took how long, counted in buckets whose bounds are fixed. Any
 * thread may note at any time, with no lock.
 */
#ifndef RB_BASE_HISTOGRAM_H
#define RB_BASE_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

enum { HISTOGRAM_BUCKETS_MAX = 24 };

struct histogram {
    /* Rising, of each bucket the most that it takes; the last is -1: any. Static. */
    const int64_t *bounds;
    atomic_ullong counts[HISTOGRAM_BUCKETS_MAX];
    atomic_ullong sum;
};

/* What was noted up to now. Each number is right by itself. */
struct histogram_view {
    const int64_t *bounds;
    unsigned buckets;
    uint64_t counts[HISTOGRAM_BUCKETS_MAX]; /* not cumulative */
    uint64_t total;                         /* of the counts */
    uint64_t sum;                           /* of all that was noted */
};

/* Begins empty. There are HISTOGRAM_BUCKETS_MAX bounds at most. */
void histogram_init(struct histogram *histogram, const int64_t *bounds);

/* Notes one; below 0 counts as 0. Any thread. */
void histogram_note(struct histogram *histogram, int64_t value);

/* The bucket of those bounds that a value falls into. Pure. */
unsigned histogram_bucket(const int64_t *bounds, int64_t value);

/* Any thread. */
void histogram_look(const struct histogram *histogram, struct histogram_view *seen);

/*
 * The value that a share (0..1) of all were at most, as Prometheus's histogram_quantile has it:
 * within its bucket they are taken to lie evenly; of what is beyond the last bound, that bound. -1:
 * nothing was noted.
 */
int64_t histogram_quantile(const struct histogram_view *seen, double share);

#endif
