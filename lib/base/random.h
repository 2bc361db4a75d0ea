/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * random: numbers that nobody outside can foresee, from the kernel's generator (getrandom(2)). None
 * can be had again from a seed: what tests need for that is tests/unit/dice.h. Any thread.
 */
#ifndef RB_BASE_RANDOM_H
#define RB_BASE_RANDOM_H

#include <stdbool.h>
#include <stddef.h>

enum { RANDOM_OCTETS_MAX = 256 }; /* the kernel gives so many in one piece, whatever signals come */

/*
 * Fills `octets`, size of them and at most RANDOM_OCTETS_MAX. Waits while the kernel's generator
 * has no seed yet, which is in the first moments after a boot. False, and the octets are undefined:
 * the kernel gives none.
 */
bool random_octets(void *octets, size_t size) __attribute__((warn_unused_result));

/* A number below `ceiling` (not 0; up to 2^32), for an order among equals; 0 where there is
 * none. */
size_t random_below(size_t ceiling);

/* Puts `count` items of `size` octets each into random order. */
void random_shuffle(void *items, size_t count, size_t size);

#endif
