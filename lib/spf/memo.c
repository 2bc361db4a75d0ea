/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spf_memo: see the header. One table under one lock, no I/O under it. It must not ask DNS.
 *
 * An answer is kept under a key that says of what it was an answer. Who looks for one does not know
 * what the record looked at, and tries each of the four kinds of key.
 */
#include "config.h"

#include "spf/memo.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/text.h"

enum {
    KINDS = 4, /* of keys: by each of enum spf_by or not */
    IP_LEN = 16,
};

struct entry {
    UT_hash_handle hh;
    enum spf_outcome outcome;
    const char *fault;
    deadline until;
    size_t key_len;
    char *domain, *term; /* behind the key */
    uint8_t key[];
};

struct spf_memo {
    const struct rb_clock *clock;
    pthread_mutex_t lock;
    struct entry *entries; /* lock; in the order in which they came */
};

static bool put_address(struct spf_key *key, const struct sockaddr *client)
{
    uint8_t ip[IP_LEN] = {[10] = 0xff, [11] = 0xff};
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    if (client == NULL || (client->sa_family != AF_INET && client->sa_family != AF_INET6))
        return false;
    if (client->sa_family == AF_INET) {
        memcpy(&v4, client, sizeof v4);
        memcpy(ip + 12, &v4.sin_addr, sizeof v4.sin_addr);
    } else {
        memcpy(&v6, client, sizeof v6);
        memcpy(ip, &v6.sin6_addr, sizeof ip);
    }
    memcpy(key->octets + key->len, ip, sizeof ip);
    key->len += sizeof ip;
    return true;
}

/* With its NUL, so that no two different keys look the same. */
static bool put_text(struct spf_key *key, const char *text)
{
    size_t len = text != NULL ? strnlen(text, SPF_MEMO_TEXT_MAX + 1) : 0;
    if (len > SPF_MEMO_TEXT_MAX)
        return false;
    memcpy(key->octets + key->len, len > 0 ? text : "", len);
    key->octets[key->len + len] = '\0';
    key->len += len + 1;
    return true;
}

bool spf_key_make(const struct spf_question *question, unsigned by, struct spf_key *key)
{
    key->octets[0] = (uint8_t)by;
    key->len = 1;
    return put_address(key, question->client) && put_text(key, question->domain) &&
           put_text(key, by & SPF_BY_HELO ? question->helo : NULL) &&
           put_text(key, by & SPF_BY_SENDER ? question->local : NULL);
}

struct spf_memo *spf_memo_new(const struct rb_clock *clock)
{
    struct spf_memo *memo = calloc(1, sizeof *memo);
    if (memo == NULL)
        return NULL;
    memo->clock = clock;
    if (pthread_mutex_init(&memo->lock, NULL) != 0) {
        free(memo);
        return NULL;
    }
    return memo;
}

static void remove_entry(struct spf_memo *memo, struct entry *entry)
{
    HASH_DEL(memo->entries, entry);
    free(entry);
}

void spf_memo_free(struct spf_memo *memo)
{
    if (memo == NULL)
        return;
    while (memo->entries != NULL)
        remove_entry(memo, memo->entries);
    pthread_mutex_destroy(&memo->lock);
    free(memo);
}

/* The entry with this key that has not gone stale; a stale one is removed. */
static struct entry *find(struct spf_memo *memo, const struct spf_key *key)
{
    struct entry *entry = NULL;
    HASH_FIND(hh, memo->entries, key->octets, key->len, entry);
    if (entry != NULL && deadline_left_ms(memo->clock, entry->until) == 0) {
        remove_entry(memo, entry);
        return NULL;
    }
    return entry;
}

static void read_entry(const struct entry *entry, unsigned by, struct spf_answer *answer)
{
    answer->outcome = entry->outcome;
    answer->by_sender = (by & SPF_BY_SENDER) != 0;
    answer->by_helo = (by & SPF_BY_HELO) != 0;
    answer->fault = entry->fault;
    (void)text_copy(answer->domain, sizeof answer->domain, entry->domain);
    (void)text_copy(answer->term, sizeof answer->term, entry->term);
}

bool spf_memo_find(struct spf_memo *memo, const struct spf_question *question,
                   struct spf_answer *answer)
{
    const struct entry *entry = NULL;
    struct spf_key key;
    pthread_mutex_lock(&memo->lock);
    for (unsigned by = 0; by < KINDS && entry == NULL; by++) {
        if (spf_key_make(question, by, &key))
            entry = find(memo, &key);
        if (entry != NULL)
            read_entry(entry, by, answer);
    }
    pthread_mutex_unlock(&memo->lock);
    return entry != NULL;
}

static struct entry *new_entry(const struct spf_memo *memo, const struct spf_key *key,
                               const struct spf_answer *answer)
{
    const size_t domain_size = strlen(answer->domain) + 1, term_size = strlen(answer->term) + 1;
    int64_t life_s =
        answer->outcome == SPF_OUTCOME_TEMPERROR ? SPF_MEMO_TEMPERROR_LIFE_S : SPF_MEMO_LIFE_S;
    struct entry *entry = calloc(1, sizeof *entry + key->len + domain_size + term_size);
    if (entry == NULL)
        return NULL;
    entry->outcome = answer->outcome;
    entry->fault = answer->fault;
    entry->until = deadline_in(memo->clock, life_s * 1000);
    entry->key_len = key->len;
    memcpy(entry->key, key->octets, key->len);
    entry->domain = (char *)entry->key + key->len;
    entry->term = entry->domain + domain_size;
    (void)text_copy(entry->domain, domain_size, answer->domain);
    (void)text_copy(entry->term, term_size, answer->term);
    return entry;
}

/* Takes the place of one with the same key, and of the oldest where there are too many. */
static void add(struct spf_memo *memo, const struct spf_key *key, struct entry *entry)
{
    struct entry *old = find(memo, key);
    if (old != NULL)
        remove_entry(memo, old);
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): HASH_DEL has unlinked the one that was freed */
    while (HASH_COUNT(memo->entries) >= SPF_MEMO_ENTRIES_MAX)
        remove_entry(memo, memo->entries);
    HASH_ADD_KEYPTR(hh, memo->entries, entry->key, entry->key_len, entry);
    if (entry->hh.tbl == NULL)
        free(entry);
}

void spf_memo_note(struct spf_memo *memo, const struct spf_question *question,
                   const struct spf_answer *answer)
{
    unsigned by = (answer->by_sender ? SPF_BY_SENDER : 0U) | (answer->by_helo ? SPF_BY_HELO : 0U);
    struct spf_key key;
    if (!spf_key_make(question, by, &key))
        return;
    struct entry *entry = new_entry(memo, &key, answer);
    if (entry == NULL)
        return;
    pthread_mutex_lock(&memo->lock);
    add(memo, &key, entry);
    pthread_mutex_unlock(&memo->lock);
}
