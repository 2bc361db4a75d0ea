/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stack: see stack.h. What lies below the frame of a running function, beyond the red zone, belongs to nobody (the System V
 * ABI's 128 octets on x86-64); a signal handler that runs there finds zeroes, as on a new stack.
 */
#include "config.h"

#include "stack.h"

#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

enum { IN_USE = 1024 }; /* octets below here that this function and madvise need */

static void release_between(uintptr_t low, uintptr_t here)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    const uintptr_t first = (low + page - 1) / page * page, last = (here - IN_USE) / page * page;

    /* The system may refuse; then the pages stay. */
    if (first < last)
        (void)madvise((void *)first, last - first,
                      MADV_DONTNEED); /* NOLINT(performance-no-int-to-ptr) */
}

__attribute__((noinline)) void stack_release(void)
{
    const uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    pthread_attr_t attributes;
    void *low;
    size_t size;

    if (gettid() == getpid() || pthread_getattr_np(pthread_self(), &attributes) != 0)
        return;
    if (pthread_attr_getstack(&attributes, &low, &size) == 0 && here > (uintptr_t)low + IN_USE &&
        here < (uintptr_t)low + size)
        release_between((uintptr_t)low, here);
    pthread_attr_destroy(&attributes);
}
