/* SPDX-License-Identifier: BSD-2-Clause */
/* record_text: records of the cache in words, for people, on standard output. */
#ifndef RB_MILTER_TOOL_RECORD_TEXT_H
#define RB_MILTER_TOOL_RECORD_TEXT_H

#include <stdint.h>

#include "cache/cache.h"

/* One record in a line. */
void record_text_print(const struct cache_entry *entry, const struct rb_lifetimes *lifetimes,
                       int64_t now_s);

/* "3 records removed". */
void record_text_print_count(uint64_t count, const char *what_became_of_them);

#endif
