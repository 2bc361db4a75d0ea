/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * malloc_count: how often a thread asks for memory, by whatever function and from whatever library:
 * malloc, calloc, realloc, and their kin for aligned memory. Two sources stand behind it, of which
 * a test program is built with one: malloc_interposed.c takes the place of those functions;
 * malloc_hooked.c is told by a sanitizer, whose own they are.
 */
#ifndef RB_MALLOC_COUNT_H
#define RB_MALLOC_COUNT_H

#include <stdbool.h>

/* Calls of this thread since it began. Once a program called malloc_count_start. */
unsigned long malloc_count(void);

/* Whether calls for aligned memory are counted too: ThreadSanitizer tells nobody of them. */
bool malloc_count_sees_aligned(void);

/* Before the first count. One thread. */
void malloc_count_start(void);

#endif
