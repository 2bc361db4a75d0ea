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

enum {
    KINDS = 4,            /* of keys: by each of enum spf_by or not */
    WITH_GUESSES = KINDS, /* beside these: they were made */
};

/* What a check came to as it is kept: as long as its texts need. */
struct kept {
    enum spf_outcome outcome;
    enum rb_voucher voucher;
    const char *fault, *why_nobody;
    bool is_for_now;
    /* The term, and its record's domain, then what vouches: each with its NUL. */
    char texts[RB_DOMAIN_MAX + 1 + SPF_TERM_TEXT_MAX + 1 + RB_DOMAIN_MAX + 1];
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
    key->octets[0] = (uint8_t)(by | (question->guesses ? WITH_GUESSES : 0U));
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

/* Takes the next of the texts. */
static void take_text(const char **texts, char *text, size_t size)
{
    (void)text_copy(text, size, *texts);
    *texts += strlen(*texts) + 1;
}

static void recall(const struct kept *kept, unsigned by, struct spf_vouching *vouching)
{
    struct spf_result *said = &vouching->said;
    const char *texts = kept->texts;

    *vouching = (struct spf_vouching){.said.outcome = kept->outcome,
                                      .said.by_sender = (by & SPF_BY_SENDER) != 0,
                                      .said.by_helo = (by & SPF_BY_HELO) != 0,
                                      .said.fault = kept->fault,
                                      .is_said = true,
                                      .voucher = kept->voucher,
                                      .why_nobody = kept->why_nobody,
                                      .is_for_now = kept->is_for_now};
    take_text(&texts, said->domain, sizeof said->domain);
    take_text(&texts, said->term, sizeof said->term);
    take_text(&texts, vouching->host, sizeof vouching->host);
}

bool spf_memo_find(struct memo *memo, const struct spf_question *question,
                   struct spf_vouching *vouching)
{
    struct kept kept;
    struct spf_key key;

    for (unsigned by = 0; by < KINDS; by++) {
        if (!spf_key_make(question, by, &key) ||
            memo_find(memo, key.octets, key.len, &kept, sizeof kept) == 0)
            continue;
        recall(&kept, by, vouching);
        return true;
    }
    return false;
}

/* Adds one to the texts; the end of them. */
static char *put_text(char *texts, const char *text)
{
    const size_t size = strlen(text) + 1;

    memcpy(texts, text, size);
    return texts + size;
}

void spf_memo_note(struct memo *memo, const struct spf_question *question,
                   const struct spf_vouching *vouching)
{
    const struct spf_result *said = &vouching->said;
    const unsigned by = (said->by_sender ? SPF_BY_SENDER : 0U) | (said->by_helo ? SPF_BY_HELO : 0U);
    const int64_t life_s = vouching->is_for_now ? SPF_MEMO_FOR_NOW_LIFE_S : SPF_MEMO_LIFE_S;
    struct kept kept = {.outcome = said->outcome,
                        .voucher = vouching->voucher,
                        .fault = said->fault,
                        .why_nobody = vouching->why_nobody,
                        .is_for_now = vouching->is_for_now};
    struct spf_key key;
    char *end = put_text(put_text(put_text(kept.texts, said->domain), said->term), vouching->host);

    if (spf_key_make(question, by, &key))
        memo_keep(memo, key.octets, key.len, &kept, (size_t)(end - (char *)&kept), life_s * 1000);
}
