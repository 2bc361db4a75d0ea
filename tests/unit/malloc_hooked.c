/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * malloc_hooked: counts calls where a sanitizer owns malloc and tells of each (clang's
 * sanitizer/allocator_interface.h, which gcc has not got; the function both have); see
 * malloc_count.h.
 */
#include "config.h"

#include "malloc_count.h"

#include <stddef.h>
#include <stdlib.h>

int __sanitizer_install_malloc_and_free_hooks(void (*malloc_hook)(const volatile void *, size_t),
                                              void (*free_hook)(const volatile void *));

static _Thread_local unsigned long calls;

unsigned long malloc_count(void)
{
    return calls;
}

bool malloc_count_sees_aligned(void)
{
    return false;
}

static void note_malloc(const volatile void *memory, size_t size)
{
    (void)memory;
    (void)size;
    calls++;
}

static void note_free(const volatile void *memory)
{
    (void)memory;
}

void malloc_count_start(void)
{
    if (__sanitizer_install_malloc_and_free_hooks(note_malloc, note_free) == 0)
        abort();
}
