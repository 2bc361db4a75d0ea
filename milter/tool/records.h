/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * records: the actions of `ringback cache` that are about some records: get, list and delete. Which
 * ones are meant is checked before anything is opened.
 */
#ifndef RB_MILTER_TOOL_RECORDS_H
#define RB_MILTER_TOOL_RECORDS_H

#include "cache/cache.h"
#include "tool/syntax.h"

/* What was asked for, as it was typed. */
struct cache_request {
    const char *config_path, *domain, *host, *relay, *verdict, *kind;
    uint64_t limit; /* 0: none */
    bool json, all, expired;
    char **arguments; /* NULL behind the last */
};

/* What an action is about, and the cache, open. */
struct selection {
    const struct cache_request *request;
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
typedef int records_check(struct selection *selection);
/* Does it; the exit status. */
typedef int records_action(struct selection *selection);

records_check records_check_get, records_check_list, records_check_delete;
records_action records_get, records_list, records_delete;

/* Says on standard error that the store cannot be used; the exit status. */
int records_failed(enum rb_error error);

#endif
