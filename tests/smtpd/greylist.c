/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * greylist: see greylist.h (RFC 6647 section 2.4 describes triplets). uthash keeps the order of
 * arrival, so the head is the oldest.
 */
#include "config.h"

#include "greylist.h"

#include "base/hash.h"
#include "loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_SIZE 1400 /* two addresses and two paths of ARGUMENT_SIZE */

struct triplet {
    int64_t first_us;
    UT_hash_handle hh;
    char key[];
};

struct greylist {
    struct triplet *triplets;
};

struct greylist *greylist_new(void)
{
    return calloc(1, sizeof(struct greylist));
}

void greylist_free(struct greylist *g)
{
    if (g == NULL)
        return;
    greylist_forget(g);
    free(g);
}

void greylist_forget(struct greylist *g)
{
    struct triplet *t = g->triplets;
    HASH_CLEAR(hh, g->triplets); /* leaves the elements and their order alone */
    while (t != NULL) {
        struct triplet *next = t->hh.next;
        free(t);
        t = next;
    }
}

static void forget_oldest(struct greylist *g)
{
    struct triplet *t = g->triplets;
    HASH_DEL(g->triplets, t);
    free(t);
}

/* NOLINTNEXTLINE(readability-function-size): most of it is within uthash's macro */
static void learn(struct greylist *g, const char *key)
{
    size_t len = strlen(key);
    if (HASH_COUNT(g->triplets) >= GREYLIST_MAX)
        forget_oldest(g);
    struct triplet *t = calloc(1, sizeof *t + len + 1);
    if (t == NULL)
        return;
    t->first_us = loop_now_us();
    memcpy(t->key, key, len);
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): HASH_DEL has unlinked the one that was freed */
    HASH_ADD_KEYPTR(hh, g->triplets, t->key, len, t);
    if (t->hh.tbl == NULL)
        free(t);
}

int64_t greylist_age_us(struct greylist *g, const char *host_ip, const char *client_ip,
                        const char *sender, const char *rcpt)
{
    char key[KEY_SIZE];
    (void)snprintf(key, sizeof key, "%s %s <%s> <%s>", host_ip, client_ip, sender, rcpt);
    struct triplet *t = NULL;
    HASH_FIND_STR(g->triplets, key, t);
    if (t != NULL)
        return loop_now_us() - t->first_us;
    learn(g, key);
    return 0;
}
