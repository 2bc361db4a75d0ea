/* SPDX-License-Identifier: BSD-2-Clause */
/* random: see the header. Nothing else in the library may ask the kernel for randomness. */
#include "config.h"

#include "base/random.h"

#include <assert.h>
#include <stdint.h>
#include <sys/random.h>
#include <sys/types.h>

bool random_octets(void *octets, size_t size)
{
    assert(size <= RANDOM_OCTETS_MAX);
    return getrandom(octets, size, 0) == (ssize_t)size;
}

/* 64 bits for a ceiling of 32: that some numbers come more often than others does not show. */
size_t random_below(size_t ceiling)
{
    uint64_t number;

    return random_octets(&number, sizeof number) ? (size_t)(number % ceiling) : 0;
}

static void swap_octets(uint8_t *a, uint8_t *b, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        const uint8_t kept = a[i];
        a[i] = b[i];
        b[i] = kept;
    }
}

void random_shuffle(void *items, size_t count, size_t size)
{
    uint8_t *octets = items;

    for (size_t i = count; i > 1; i--)
        swap_octets(octets + (i - 1) * size, octets + random_below(i) * size, size);
}
