/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dns_answers: a table of messages, and a line of them in the order in which they came; see
 * dns_answers.h.
 */
#include "config.h"

#include "dns/answers.h"

#include "base/hash.h"
#include "ringback.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_MAX = sizeof(uint16_t) + RB_DOMAIN_MAX };

struct kept {
    UT_hash_handle hh;
    struct kept *prev, *next; /* the oldest first */
    deadline until;
    size_t len;
    size_t key_len;
    uint8_t key[KEY_MAX]; /* the type, the name */
    uint8_t octets[];     /* len of them */
};

struct dns_answers {
    const struct rb_clock *clock;
    struct dns_answers_terms terms;
    pthread_mutex_t lock; /* covers what follows */
    struct kept *table;
    struct kept *line;
    size_t octets; /* of all in the table */
};

struct dns_answers *dns_answers_new(const struct rb_clock *clock,
                                    const struct dns_answers_terms *terms)
{
    struct dns_answers *answers = calloc(1, sizeof *answers);

    if (answers == NULL)
        return NULL;
    answers->clock = clock;
    answers->terms = *terms;
    pthread_mutex_init(&answers->lock, NULL);
    return answers;
}

/* Under the lock, as all that follows. */
static void forget(struct dns_answers *answers, struct kept *kept)
{
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): what is in the line is in the table */
    HASH_DEL(answers->table, kept);
    DL_DELETE(answers->line, kept);
    answers->octets -= kept->len;
    free(kept);
}

void dns_answers_free(struct dns_answers *answers)
{
    if (answers == NULL)
        return;
    while (answers->line != NULL)
        forget(answers, answers->line);
    pthread_mutex_destroy(&answers->lock);
    free(answers);
}

/* 0: a name that is too long. */
static size_t make_key(ns_type type, const char *name, uint8_t key[KEY_MAX])
{
    const uint16_t number = (uint16_t)type;
    const size_t len = strlen(name);

    if (len > RB_DOMAIN_MAX)
        return 0;
    memcpy(key, &number, sizeof number);
    /* The key is octets with a length, not a string. NOLINTNEXTLINE(bugprone-not-null-terminated-result) */
    memcpy(key + sizeof number, name, len);
    return sizeof number + len;
}

static struct kept *find(const struct dns_answers *answers, const uint8_t *key, size_t key_len)
{
    struct kept *kept;

    HASH_FIND(hh, answers->table, key, key_len, kept);
    return kept;
}

static bool is_over(const struct dns_answers *answers, const struct kept *kept)
{
    return deadline_left_ms(answers->clock, kept->until) == 0;
}

size_t dns_answers_find(struct dns_answers *answers, ns_type type, const char *name,
                        uint8_t octets[DNS_ANSWERS_SIZE_MAX])
{
    uint8_t key[KEY_MAX];
    const size_t key_len = make_key(type, name, key);
    const struct kept *kept;
    size_t len = 0;

    if (key_len == 0)
        return 0;
    pthread_mutex_lock(&answers->lock);
    kept = find(answers, key, key_len);
    if (kept != NULL && !is_over(answers, kept)) {
        len = kept->len;
        memcpy(octets, kept->octets, len);
    }
    pthread_mutex_unlock(&answers->lock);
    return len;
}

/* --- For how long ---------------------------------------------------------- */

/* RFC 2181 8: a TTL with the highest bit set is none. */
static int64_t ttl_ms(const ns_rr *rr)
{
    const uint32_t ttl_s = ns_rr_ttl(*rr);

    return ttl_s > INT32_MAX ? 0 : (int64_t)ttl_s * 1000;
}

/*
 * RFC 2308 5: "no data" holds for the least of the SOA's own TTL and its last number; without an
 * SOA not at all.
 */
static int64_t no_data_ms(ns_msg *msg)
{
    ns_rr rr;

    for (int i = 0; i < ns_msg_count(*msg, ns_s_ns); i++) {
        if (ns_parserr(msg, ns_s_ns, i, &rr) != 0)
            return 0;
        if (ns_rr_type(rr) == ns_t_soa && ns_rr_rdlen(rr) > sizeof(uint32_t)) {
            const uint8_t *end = ns_rr_rdata(rr) + ns_rr_rdlen(rr);
            const int64_t minimum_ms = (int64_t)ns_get32(end - sizeof(uint32_t)) * 1000;

            return minimum_ms < ttl_ms(&rr) ? minimum_ms : ttl_ms(&rr);
        }
    }
    return 0;
}

/* The least TTL of all records of the answer, those of a chain of CNAMEs too. */
static int64_t time_to_live_ms(ns_msg *msg)
{
    int64_t least_ms = INT64_MAX;
    ns_rr rr;

    for (int i = 0; i < ns_msg_count(*msg, ns_s_an); i++) {
        if (ns_parserr(msg, ns_s_an, i, &rr) != 0)
            return 0;
        if (ttl_ms(&rr) < least_ms)
            least_ms = ttl_ms(&rr);
    }
    return least_ms;
}

static int64_t within(int64_t ms, int64_t least_ms, int64_t most_ms)
{
    if (ms < least_ms)
        return least_ms;
    return ms < most_ms ? ms : most_ms;
}

/* What an answer without the records that were asked for is worth. */
static int64_t nothing_ms(const struct dns_answers_terms *terms, ns_msg *msg)
{
    if (terms->nothing_ms > 0)
        return terms->nothing_ms;
    return ns_msg_getflag(*msg, ns_f_rcode) == ns_r_nxdomain
               ? 0
               : within(no_data_ms(msg), 0, terms->most_ms);
}

/* 0: it is not to be kept. */
static int64_t lifetime_ms(const struct dns_answers_terms *terms, ns_msg *msg)
{
    const bool is_nothing =
        ns_msg_getflag(*msg, ns_f_rcode) == ns_r_nxdomain || ns_msg_count(*msg, ns_s_an) == 0;

    return is_nothing ? nothing_ms(terms, msg)
                      : within(time_to_live_ms(msg), terms->least_ms, terms->most_ms);
}

/* --- Keeping ---------------------------------------------------------------- */

static struct kept *new_kept(const struct dns_answers *answers, ns_type type, const char *name,
                             const ns_msg *msg, int64_t for_ms)
{
    const size_t len = (size_t)ns_msg_size(*msg);
    struct kept *kept = malloc(sizeof *kept + len);

    if (kept == NULL)
        return NULL;
    *kept = (struct kept){.until = deadline_in(answers->clock, for_ms), .len = len};
    kept->key_len = make_key(type, name, kept->key);
    memcpy(kept->octets, ns_msg_base(*msg), len);
    return kept;
}

/* With one more of that size. */
static bool is_full(const struct dns_answers *answers, size_t len)
{
    return HASH_COUNT(answers->table) >= answers->terms.entries_max ||
           answers->octets + len > answers->terms.octets_max;
}

/*
 * In the place of an older one; the ceilings are kept, and what is over goes as it comes to the
 * head of the line.
 */
static void put(struct dns_answers *answers, struct kept *kept)
{
    struct kept *before = find(answers, kept->key, kept->key_len);

    if (before != NULL)
        forget(answers, before);
    while (answers->line != NULL &&
           (is_full(answers, kept->len) || is_over(answers, answers->line)))
        forget(answers, answers->line);
    HASH_ADD_KEYPTR(hh, answers->table, kept->key, kept->key_len, kept);
    if (kept->hh.tbl == NULL) {
        free(kept);
        return;
    }
    DL_APPEND(answers->line, kept);
    answers->octets += kept->len;
}

void dns_answers_keep(struct dns_answers *answers, ns_type type, const char *name, ns_msg *msg)
{
    const struct dns_answers_terms *terms = &answers->terms;
    const int64_t for_ms = lifetime_ms(terms, msg);
    const size_t len = (size_t)ns_msg_size(*msg);
    struct kept *kept;

    if (for_ms <= 0 || len > terms->size_max || len > DNS_ANSWERS_SIZE_MAX ||
        strlen(name) > RB_DOMAIN_MAX)
        return;
    kept = new_kept(answers, type, name, msg, for_ms);
    if (kept == NULL)
        return;
    pthread_mutex_lock(&answers->lock);
    put(answers, kept);
    pthread_mutex_unlock(&answers->lock);
}
