/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hash: uthash, told to report that memory ran out instead of ending the process, and to hash with
 * a key that nobody outside knows: most keys are addresses and domains that strangers choose, and
 * could otherwise be chosen to fall into one bucket. After HASH_ADD, an element whose hh.tbl is
 * NULL was not added.
 */
#ifndef RB_BASE_HASH_H
#define RB_BASE_HASH_H

#include <stddef.h>

/*
 * SipHash-1-3 (Aumasson and Bernstein, 2012) of the octets, cut to 32 bits, under a key of this
 * process's. Any thread.
 */
unsigned hash_octets(const void *octets, size_t len);

#define HASH_NONFATAL_OOM 1
#define HASH_FUNCTION(keyptr, keylen, hashv) ((hashv) = hash_octets((keyptr), (keylen)))
#include <uthash.h>
#include <utlist.h>

#endif
