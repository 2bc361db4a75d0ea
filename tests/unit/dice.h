/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dice: random numbers for tests that can be thrown again: the seed is printed, and RB_TEST_SEED
 * gives it.
 */
#ifndef RB_DICE_H
#define RB_DICE_H

#include <stdint.h>

/* A seed, printed. */
uint64_t dice_seed(void);

/* The next number of a state that began as a seed (xorshift64). */
uint64_t dice_throw(uint64_t *state);

#endif
