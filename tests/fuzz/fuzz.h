/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz: what a fuzz target is made of. Each target is one file that defines fuzz_name and
 * LLVMFuzzerTestOneInput, and says with HOLDS what must be true whatever the input is. libFuzzer
 * runs it where there is one (configure --enable-fuzzing), replay.c everywhere else.
 */
#ifndef RB_FUZZ_H
#define RB_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* The folder below tests/fuzz/corpus. */
extern const char fuzz_name[];

/* One input. Always 0; what must not be ends the process. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the process, as a fuzzer wants it, when the condition does not hold; never compiled out. */
#define HOLDS(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);   \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#endif
