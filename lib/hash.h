/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hash: uthash, told to report that memory ran out instead of ending the process. After HASH_ADD, an
 * element whose hh.tbl is NULL was not added.
 */
#ifndef RB_HASH_H
#define RB_HASH_H

#define HASH_NONFATAL_OOM 1
#include <uthash.h>
#include <utlist.h>

#endif
