/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spf_memo: what SPF said a moment ago, so that the messages of one session, and of its neighbours,
 * do not ask DNS again each. Only in memory, and only briefly: records have their own lives.
 */
#ifndef RB_SPF_MEMO_H
#define RB_SPF_MEMO_H

#include "base/clock.h"
#include "spf/evaluate.h"

enum {
    SPF_MEMO_LIFE_S = 300,
    SPF_MEMO_TEMPERROR_LIFE_S = 30,
    SPF_MEMO_ENTRIES_MAX = 8192, /* the oldest go first */
    SPF_MEMO_TEXT_MAX = 255,     /* octets of a HELO name or local part that is part of a key */
};

/* What an answer is an answer to, beside the client's address and the domain: enum spf_by. */
enum spf_by {
    SPF_BY_SENDER = 1 << 0,
    SPF_BY_HELO = 1 << 1,
};

/*
 * The same questions have the same key: spf_by, the address (v4 as v4-mapped), then the domain, HELO
 * name and local part, each with a NUL behind it; those that do not matter are "".
 */
struct spf_key {
    uint8_t octets[1 + 16 + 3 * (SPF_MEMO_TEXT_MAX + 1)];
    size_t len;
};

/* False when the question has no such key: no IP address, a text that is too long. Pure. */
bool spf_key_make(const struct spf_question *question, unsigned by, struct spf_key *key);

struct spf_memo; /* opaque */

/* The clock must outlive it. NULL: out of memory. Given back with spf_memo_free. */
struct spf_memo *spf_memo_new(const struct rb_clock *clock);

/* Nobody may use it any more. NULL is fine. */
void spf_memo_free(struct spf_memo *memo);

/* True when this question, or one that must have the same answer, has been noted. Any thread. */
bool spf_memo_find(struct spf_memo *memo, const struct spf_question *question,
                   struct spf_answer *answer);

/*
 * Notes an answer: for the client's address and the domain; where it was by the HELO name or the
 * local part, for those alone. What cannot be kept (no key, no memory) is not. Any thread.
 */
void spf_memo_note(struct spf_memo *memo, const struct spf_question *question,
                   const struct spf_answer *answer);

#endif
