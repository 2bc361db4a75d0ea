/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pool: see pool.h. Must not look into the objects: where AddressSanitizer watches, those that are
 * kept here are out of bounds for everybody.
 */
#include "config.h"

#include "base/pool.h"

#include <stdlib.h>

#if __has_include(<sanitizer/asan_interface.h>)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#endif

void pool_init(struct pool *pool, size_t size)
{
    *pool = (struct pool){.size = size};
    pthread_mutex_init(&pool->lock, NULL);
}

void pool_fini(struct pool *pool)
{
    while (pool->count > 0) {
        void *object = pool->kept[--pool->count];

        ASAN_UNPOISON_MEMORY_REGION(object, pool->size);
        free(object);
    }
    pthread_mutex_destroy(&pool->lock);
}

void *pool_get(struct pool *pool)
{
    void *object = NULL;

    pthread_mutex_lock(&pool->lock);
    if (pool->count > 0)
        object = pool->kept[--pool->count];
    pthread_mutex_unlock(&pool->lock);
    if (object == NULL)
        return malloc(pool->size);
    ASAN_UNPOISON_MEMORY_REGION(object, pool->size);
    return object;
}

void pool_put(struct pool *pool, void *object)
{
    if (object == NULL)
        return;
    ASAN_POISON_MEMORY_REGION(object, pool->size);
    pthread_mutex_lock(&pool->lock);
    if (pool->count < POOL_KEPT_MAX) {
        pool->kept[pool->count++] = object;
        object = NULL;
    }
    pthread_mutex_unlock(&pool->lock);
    if (object == NULL)
        return;
    ASAN_UNPOISON_MEMORY_REGION(object, pool->size);
    free(object);
}
