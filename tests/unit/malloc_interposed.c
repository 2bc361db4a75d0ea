/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * malloc_interposed: counts calls by taking the place of the C library's functions (glibc manual,
 * "Replacing malloc"); see malloc_count.h. Memory still comes from the C library, whose free and
 * malloc_usable_size thus stay right. Not for programs under a sanitizer that has its own malloc.
 */
#include "config.h"

#include "malloc_count.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static _Thread_local unsigned long calls;

unsigned long malloc_count(void)
{
    return calls;
}

bool malloc_count_sees_aligned(void)
{
    return true;
}

void malloc_count_start(void)
{
}

void *malloc(size_t size)
{
    calls++;
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    calls++;
    return __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    calls++;
    return __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    calls++;
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
    calls++;
    *memory = __libc_memalign(alignment, size);
    return *memory != NULL ? 0 : ENOMEM;
}
