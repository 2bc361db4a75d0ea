/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memo: see the header.
 *
 * Owns: the table of entries. Lock: memo->lock, held for a look at the table or a change of it, and
 * while a value is copied out.
 */
#include "config.h"

#include "base/memo.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

struct entry {
    UT_hash_handle hh;
    deadline until;
    size_t key_len, len;
    uint8_t octets[]; /* the key, the value */
};

struct memo {
    const struct rb_clock *clock;
    size_t entries_max, octets_max;
    pthread_mutex_t lock;
    struct entry *table; /* [lock] in the order in which they came, as uthash keeps it */
    size_t octets;       /* [lock] of all values */
};

struct memo *memo_new(const struct rb_clock *clock, size_t entries_max, size_t octets_max)
{
    struct memo *memo = calloc(1, sizeof *memo);

    if (memo == NULL)
        return NULL;
    memo->clock = clock;
    memo->entries_max = entries_max;
    memo->octets_max = octets_max;
    pthread_mutex_init(&memo->lock, NULL);
    return memo;
}

/* Lock held, as in all that take an entry. */
static void remove_entry(struct memo *memo, struct entry *entry)
{
    HASH_DEL(memo->table, entry);
    memo->octets -= entry->len;
    free(entry);
}

void memo_free(struct memo *memo)
{
    if (memo == NULL)
        return;
    while (memo->table != NULL)
        remove_entry(memo, memo->table);
    pthread_mutex_destroy(&memo->lock);
    free(memo);
}

static struct entry *find_entry(const struct memo *memo, const void *key, size_t key_len)
{
    struct entry *entry;

    HASH_FIND(hh, memo->table, key, key_len, entry);
    return entry;
}

size_t memo_find(struct memo *memo, const void *key, size_t key_len, void *value, size_t size)
{
    const struct entry *entry;
    size_t len = 0;

    pthread_mutex_lock(&memo->lock);
    entry = find_entry(memo, key, key_len);
    if (entry != NULL && entry->len <= size && !deadline_is_over(memo->clock, entry->until)) {
        len = entry->len;
        memcpy(value, entry->octets + key_len, len);
    }
    pthread_mutex_unlock(&memo->lock);
    return len;
}

static bool is_full(const struct memo *memo, const struct entry *added)
{
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): HASH_DEL has unlinked the one that was freed */
    return HASH_COUNT(memo->table) >= memo->entries_max ||
           memo->octets + added->len > memo->octets_max;
}

static void add_entry(struct memo *memo, struct entry *entry)
{
    struct entry *before = find_entry(memo, entry->octets, entry->key_len);

    if (before != NULL)
        remove_entry(memo, before);
    while (memo->table != NULL &&
           (is_full(memo, entry) || deadline_is_over(memo->clock, memo->table->until)))
        remove_entry(memo, memo->table);
    HASH_ADD_KEYPTR(hh, memo->table, entry->octets, entry->key_len, entry);
    if (entry->hh.tbl == NULL)
        free(entry);
    else
        memo->octets += entry->len;
}

void memo_keep(struct memo *memo, const void *key, size_t key_len, const void *value, size_t len,
               int64_t for_ms)
{
    struct entry *entry = malloc(sizeof *entry + key_len + len);

    if (entry == NULL)
        return;
    *entry =
        (struct entry){.until = deadline_in(memo->clock, for_ms), .key_len = key_len, .len = len};
    memcpy(entry->octets, key, key_len);
    memcpy(entry->octets + key_len, value, len);
    pthread_mutex_lock(&memo->lock);
    add_entry(memo, entry);
    pthread_mutex_unlock(&memo->lock);
}
