/* SPDX-License-Identifier: BSD-2-Clause */
/* Unit tests of histograms. */
#include "config.h"

#include "check.h"

#include <pthread.h>

#include "base/histogram.h"

enum { THREADS = 4, EACH = 10000 };

static const int64_t bounds[] = {10, 100, 1000, -1};

static void a_value_counts_in_the_first_bucket_that_takes_it(void **state)
{
    static const struct {
        int64_t value;
        unsigned bucket;
    } rows[] = {{-5, 0}, {0, 0}, {10, 0}, {11, 1}, {100, 1}, {101, 2}, {1000, 2}, {1001, 3}};

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct histogram histogram;
        struct histogram_view view;

        histogram_init(&histogram, bounds);
        histogram_note(&histogram, rows[i].value);
        histogram_look(&histogram, &view);
        assert_int_equal(view.buckets, COUNT(bounds));
        assert_int_equal(view.total, 1);
        assert_int_equal(view.counts[rows[i].bucket], 1);
        assert_int_equal(view.sum, rows[i].value < 0 ? 0 : rows[i].value);
    }
}

static void a_quantile_lies_evenly_within_its_bucket(void **state)
{
    static const struct {
        uint64_t counts[COUNT(bounds)];
        double share;
        int64_t value;
    } rows[] = {
        {{0, 0, 0, 0}, 0.5, -1},     {{10, 0, 0, 0}, 0.5, 5},    {{10, 0, 0, 0}, 1, 10},
        {{10, 0, 0, 0}, 0, 0},       {{5, 5, 0, 0}, 0.5, 10},    {{5, 5, 0, 0}, 0.75, 55},
        {{90, 0, 10, 0}, 0.95, 550}, {{1, 0, 0, 9}, 0.99, 1000}, {{0, 0, 0, 1}, 0.5, 1000},
        {{0, 4, 0, 0}, 0, 10},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct histogram_view view = {.bounds = bounds, .buckets = COUNT(bounds)};

        for (size_t j = 0; j < COUNT(bounds); j++) {
            view.counts[j] = rows[i].counts[j];
            view.total += rows[i].counts[j];
        }
        assert_int_equal(histogram_quantile(&view, rows[i].share), rows[i].value);
    }
}

static void *note_many(void *arg)
{
    for (int i = 0; i < EACH; i++)
        histogram_note(arg, i % 2 == 0 ? 5 : 50);
    return NULL;
}

static void many_threads_note_and_nothing_is_lost(void **state)
{
    struct histogram histogram;
    struct histogram_view view;
    pthread_t threads[THREADS];

    (void)state;
    histogram_init(&histogram, bounds);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, note_many, &histogram), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    histogram_look(&histogram, &view);
    assert_int_equal(view.counts[0], THREADS * EACH / 2);
    assert_int_equal(view.counts[1], THREADS * EACH / 2);
    assert_int_equal(view.sum, THREADS * EACH / 2 * 55);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_counts_in_the_first_bucket_that_takes_it),
        cmocka_unit_test(a_quantile_lies_evenly_within_its_bucket),
        cmocka_unit_test(many_threads_note_and_nothing_is_lost),
    };

    return cmocka_run_group_tests_name("histogram", tests, NULL, NULL);
}
