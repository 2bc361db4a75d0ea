/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stack: see stack.h. What lies below the frame of a running function, beyond the red zone, belongs
 * to nobody (the System V ABI's 128 octets on x86-64); a signal handler that runs there finds
 * zeroes, as on a new stack.
 */
#include "config.h"

#include "base/stack.h"

#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

enum { IN_USE = 1024 }; /* octets below here that this function and madvise need */

static void release_between(char *low, const char *here)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *const first = low + (page - (uintptr_t)low % page) % page;
    const char *const last = here - IN_USE - ((uintptr_t)here - IN_USE) % page;

    /* The system may refuse; then the pages stay. */
    if (first < last)
        (void)madvise(first, (size_t)(last - first), MADV_DONTNEED);
}

__attribute__((noinline)) void stack_release(void)
{
    const char *here = __builtin_frame_address(0);
    pthread_attr_t attributes;
    void *low;
    size_t size;

    if (gettid() == getpid() || pthread_getattr_np(pthread_self(), &attributes) != 0)
        return;
    if (pthread_attr_getstack(&attributes, &low, &size) == 0 && here > (char *)low + IN_USE &&
        here < (char *)low + size)
        release_between(low, here);
    pthread_attr_destroy(&attributes);
}
