/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_pool: what is given back is what is had next, as much as is kept and no more, and never by
 * two at once. That the counter of malloc's calls counts is shown here too.
 */
#include "config.h"

#include "base/pool.h"

#include <pthread.h>

#include "check.h"
#include "malloc_count.h"

enum { SIZE = 1000, THREADS = 4, TURNS = 20000 };

/* --- The counter ----------------------------------------------------------- */

static void *by_malloc(void)
{
    return malloc(SIZE);
}

static void *by_calloc(void)
{
    return calloc(2, SIZE);
}

static void *by_realloc(void)
{
    return realloc(NULL, SIZE);
}

static void *by_aligned_alloc(void)
{
    return aligned_alloc(64, 1024);
}

static void *by_posix_memalign(void)
{
    void *memory = NULL;

    return posix_memalign(&memory, 64, SIZE) == 0 ? memory : NULL;
}

/* From within the C library. */
static void *by_strdup(void)
{
    return strdup("some text");
}

static void each_way_to_ask_for_memory_is_counted(void **state)
{
    static const struct {
        void *(*ask)(void);
        bool aligned;
    } ways[] = {
        {by_malloc, false},       {by_calloc, false},        {by_realloc, false},
        {by_aligned_alloc, true}, {by_posix_memalign, true}, {by_strdup, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(ways); i++) {
        unsigned long before;
        void *volatile memory;

        if (ways[i].aligned && !malloc_count_sees_aligned())
            continue;
        before = malloc_count();
        memory = ways[i].ask();
        assert_int_equal(malloc_count(), before + 1);
        assert_non_null(memory);
        free(memory);
        assert_int_equal(malloc_count(), before + 1);
    }
}

static void *count_one(void *arg)
{
    unsigned long before = malloc_count();
    void *volatile memory = by_malloc(); /* lest the compiler leave out both */

    free(memory);
    *(unsigned long *)arg = malloc_count() - before;
    return NULL;
}

static void each_thread_counts_its_own(void **state)
{
    unsigned long before, theirs = 0;
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, count_one, &theirs), 0);
    before = malloc_count();
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(malloc_count(), before);
    assert_int_equal(theirs, 1);
}

/* --- The pool -------------------------------------------------------------- */

static void what_was_given_back_last_is_had_next(void **state)
{
    struct pool pool;
    unsigned long before;
    void *first, *second;

    (void)state;
    pool_init(&pool, SIZE);
    first = pool_get(&pool);
    second = pool_get(&pool);
    assert_non_null(first);
    assert_non_null(second);
    assert_ptr_not_equal(first, second);
    pool_put(&pool, first);
    pool_put(&pool, second);
    before = malloc_count();
    assert_ptr_equal(pool_get(&pool), second);
    assert_ptr_equal(pool_get(&pool), first);
    assert_int_equal(malloc_count(), before);
    memset(first, 'x', SIZE); /* all of it is ours again */
    pool_put(&pool, first);
    pool_put(&pool, second);
    pool_put(&pool, NULL);
    assert_int_equal(pool.count, 2);
    pool_fini(&pool);
}

static void no_more_are_kept_than_the_ceiling(void **state)
{
    void *objects[POOL_KEPT_MAX + 2];
    unsigned long before;
    struct pool pool;

    (void)state;
    pool_init(&pool, SIZE);
    for (int turn = 0; turn < 2; turn++) {
        before = malloc_count();
        for (size_t i = 0; i < COUNT(objects); i++)
            assert_non_null(objects[i] = pool_get(&pool));
        assert_int_equal(malloc_count() - before, turn == 0 ? COUNT(objects) : 2);
        for (size_t i = 0; i < COUNT(objects); i++)
            pool_put(&pool, objects[i]);
        assert_int_equal(pool.count, POOL_KEPT_MAX);
    }
    pool_fini(&pool);
}

static struct pool shared = POOL_INITIALIZER(sizeof(unsigned));

/* Whoever has an object finds in it what he wrote, whatever the others do. */
static void *take_turns(void *arg)
{
    const unsigned mark = *(unsigned *)arg;
    void *const fails = arg;

    for (int i = 0; i < TURNS; i++) {
        unsigned *one = pool_get(&shared), *other = pool_get(&shared);

        if (one == NULL || other == NULL)
            return fails;
        *one = mark;
        *other = ~mark;
        if (*one != mark || *other != ~mark)
            return fails;
        pool_put(&shared, one);
        pool_put(&shared, other);
    }
    return NULL;
}

static void no_two_have_the_same_object(void **state)
{
    unsigned marks[THREADS];
    pthread_t threads[THREADS];
    void *failed;

    (void)state;
    for (unsigned i = 0; i < THREADS; i++) {
        marks[i] = i + 1;
        assert_int_equal(pthread_create(&threads[i], NULL, take_turns, &marks[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    assert_in_range(shared.count, 2, 2UL * THREADS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_way_to_ask_for_memory_is_counted),
        cmocka_unit_test(each_thread_counts_its_own),
        cmocka_unit_test(what_was_given_back_last_is_had_next),
        cmocka_unit_test(no_more_are_kept_than_the_ceiling),
        cmocka_unit_test(no_two_have_the_same_object),
    };

    malloc_count_start();
    return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
