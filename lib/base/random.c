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
