/* SPDX-License-Identifier: BSD-2-Clause */
/* histogram: see the header. */
#include "config.h"

#include "base/histogram.h"

#include <string.h>

void histogram_init(struct histogram *histogram, const int64_t *bounds)
{
    memset(histogram, 0, sizeof *histogram);
    histogram->bounds = bounds;
}

unsigned histogram_bucket(const int64_t *bounds, int64_t value)
{
    unsigned bucket = 0;

    while (bounds[bucket] >= 0 && value > bounds[bucket])
        bucket++;
    return bucket;
}

void histogram_note(struct histogram *histogram, int64_t value)
{
    const unsigned bucket = histogram_bucket(histogram->bounds, value);

    if (value < 0)
        value = 0;
    atomic_fetch_add_explicit(&histogram->counts[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->sum, (uint64_t)value, memory_order_relaxed);
}

void histogram_look(const struct histogram *histogram, struct histogram_view *seen)
{
    *seen = (struct histogram_view){
        .bounds = histogram->bounds,
        .sum = atomic_load_explicit(&histogram->sum, memory_order_relaxed),
    };
    do {
        const unsigned i = seen->buckets++;

        seen->counts[i] = atomic_load_explicit(&histogram->counts[i], memory_order_relaxed);
        seen->total += seen->counts[i];
    } while (seen->bounds[seen->buckets - 1] >= 0);
}

/* The value at a rank (0..count) within a bucket. */
static int64_t within(const struct histogram_view *seen, unsigned bucket, double rank)
{
    const int64_t low = bucket > 0 ? seen->bounds[bucket - 1] : 0;
    const int64_t high = seen->bounds[bucket];

    if (high < 0)
        return low;
    return low + (int64_t)((double)(high - low) * rank / (double)seen->counts[bucket] + 0.5);
}

int64_t histogram_quantile(const struct histogram_view *seen, double share)
{
    double rank = share * (double)seen->total;
    unsigned bucket = 0, last = 0;

    if (seen->total == 0)
        return -1;
    for (bucket = 0; bucket < seen->buckets; bucket++) {
        if (seen->counts[bucket] == 0)
            continue;
        last = bucket;
        if (rank <= (double)seen->counts[bucket])
            break;
        rank -= (double)seen->counts[bucket];
    }
    return within(seen, last, bucket < seen->buckets ? rank : (double)seen->counts[last]);
}
