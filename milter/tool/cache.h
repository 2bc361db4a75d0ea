/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache: what the actions of `ringback cache` share: what was asked for, and the cache, open.
 * Nothing is opened before all that was asked for makes sense.
 */
#ifndef RB_MILTER_TOOL_CACHE_H
#define RB_MILTER_TOOL_CACHE_H

#include "tool/syntax.h"

#include "cache/cache.h"

struct request {
    const char *config_path, *domain, *host, *relay, *verdict, *kind;
    uint64_t limit; /* 0: none */
    bool json, all, expired;
    char **arguments; /* NULL behind the last */
};

struct job {
    const struct request *request;
    const struct syntax *syntax; /* the action's, for what is wrong with the request */
    struct cache *cache;
    struct rb_lifetimes lifetimes;
    int64_t now_s;

    /* of the request, canonical; "" where there is none: */
    char domain[RB_DOMAIN_MAX + 1], host[CACHE_KEY_MAX + 1], relay[RELAY_NAME_MAX + 1];
    enum rb_verdict verdict;
    enum cache_table kind; /* 0: all */

    uint64_t count; /* records shown, removed or taken */
};

/* Before the cache is open. -1: go on; EX_USAGE: it was said what is wrong. */
typedef int job_check(struct job *job);
/* Does it; the exit status. */
typedef int job_action(struct job *job);

/* records.c */
job_check records_check_get, records_check_list, records_check_delete;
job_action records_get, records_list, records_delete;

/* record_text.c: one record in a line, for people. */
void record_text_print(const struct cache_entry *entry, const struct rb_lifetimes *lifetimes,
                       int64_t now_s);

/* Says on standard error that the store cannot be used; the exit status. */
int tool_cache_failed(enum rb_error error);

/* "3 records removed". */
void record_text_print_count(uint64_t count, const char *what_became_of_them);

#endif
