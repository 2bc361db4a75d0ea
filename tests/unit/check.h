/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * check: what every unit test includes: cmocka with what it needs, and the TAP group's name.
 */
#ifndef RB_CHECK_H
#define RB_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
