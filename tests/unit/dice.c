/* SPDX-License-Identifier: BSD-2-Clause */
/* dice: see the header. */
#include "config.h"

#include "dice.h"

#include <stdlib.h>
#include <time.h>

#include "check.h"

uint64_t dice_throw(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

uint64_t dice_seed(void)
{
    const char *given = getenv("RB_TEST_SEED");
    const uint64_t number = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);

    print_message("# seed %llu (RB_TEST_SEED)\n", (unsigned long long)number);
    return number | 1;
}
