/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memo: see the header. It must not ask DNS.
 *
 * A result is kept under a key that says of what it was a result. Who looks for one does not know
 * what the record looked at, and tries each of the four kinds of key.
 */
#include "config.h"

#include "spf/memo.h"

#include <string.h>

#include "base/ip.h"
#include "base/text.h"

enum { KINDS = 4 /* of keys: by each of enum spf_by or not */ };

/* A result as it is kept: as long as its texts need. */
struct kept {
    enum spf_outcome outcome;
    const char *fault;
    char texts[RB_DOMAIN_MAX + 1 + SPF_TERM_TEXT_MAX + 1]; /* domain, term: each with its NUL */
};

/* With its NUL, so that no two different keys look the same. */
static bool add_text(struct spf_key *key, const char *text)
{
    const size_t len = text != NULL ? strnlen(text, SPF_MEMO_TEXT_MAX + 1) : 0;

    if (!text_copy_part((char *)key->octets + key->len, SPF_MEMO_TEXT_MAX + 1,
                        text != NULL ? text : "", len))
        return false;
    key->len += len + 1;
    return true;
}

bool spf_key_make(const struct spf_question *question, unsigned by, struct spf_key *key)
{
    struct ip client;

    if (!ip_from_sockaddr(question->client, &client))
        return false;
    key->octets[0] = (uint8_t)by;
    memcpy(key->octets + 1, client.octets, IP_LEN);
    key->len = 1 + IP_LEN;
    return add_text(key, question->domain) &&
           add_text(key, by & SPF_BY_HELO ? question->helo : NULL) &&
           add_text(key, by & SPF_BY_SENDER ? question->local : NULL);
}

struct memo *spf_memo_new(const struct rb_clock *clock)
{
    return memo_new(clock, SPF_MEMO_ENTRIES_MAX, SIZE_MAX);
}

bool spf_memo_find(struct memo *memo, const struct spf_question *question,
                   struct spf_result *result)
{
    struct kept kept;
    struct spf_key key;

    for (unsigned by = 0; by < KINDS; by++) {
        if (!spf_key_make(question, by, &key) ||
            memo_find(memo, key.octets, key.len, &kept, sizeof kept) == 0)
            continue;
        result->outcome = kept.outcome;
        result->by_sender = (by & SPF_BY_SENDER) != 0;
        result->by_helo = (by & SPF_BY_HELO) != 0;
        result->fault = kept.fault;
        (void)text_copy(result->domain, sizeof result->domain, kept.texts);
        (void)text_copy(result->term, sizeof result->term, kept.texts + strlen(kept.texts) + 1);
        return true;
    }
    return false;
}

void spf_memo_note(struct memo *memo, const struct spf_question *question,
                   const struct spf_result *result)
{
    const unsigned by =
        (result->by_sender ? SPF_BY_SENDER : 0U) | (result->by_helo ? SPF_BY_HELO : 0U);
    const int64_t life_s =
        result->outcome == SPF_OUTCOME_TEMPERROR ? SPF_MEMO_TEMPERROR_LIFE_S : SPF_MEMO_LIFE_S;
    const size_t domain_size = strlen(result->domain) + 1, term_size = strlen(result->term) + 1;
    struct kept kept = {.outcome = result->outcome, .fault = result->fault};
    struct spf_key key;

    if (!spf_key_make(question, by, &key))
        return;
    memcpy(kept.texts, result->domain, domain_size);
    memcpy(kept.texts + domain_size, result->term, term_size);
    memo_keep(memo, key.octets, key.len, &kept,
              offsetof(struct kept, texts) + domain_size + term_size, life_s * 1000);
}
