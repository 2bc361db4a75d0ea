/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memo: what SPF checks, with their guesses, came to a moment ago, so that the messages of one
 * session, and of its neighbours, do not ask DNS again each. A memo of base/, which also says which
 * threads may call.
 */
#ifndef RB_SPF_MEMO_H
#define RB_SPF_MEMO_H

#include "base/memo.h"
#include "spf/vouch.h"

enum {
    SPF_MEMO_LIFE_S = 300,
    SPF_MEMO_FOR_NOW_LIFE_S = 30, /* of what DNS failed for */
    SPF_MEMO_ENTRIES_MAX = 8192,  /* the oldest go first */
    SPF_MEMO_TEXT_MAX = 255,      /* octets of a HELO name or local part that is part of a key */
};

/* What a result depends on, beside the client's address and the domain. */
enum spf_by {
    SPF_BY_SENDER = 1 << 0, /* the local part */
    SPF_BY_HELO = 1 << 1,
};

/*
 * The same questions have the same key: spf_by and whether guesses are made, the address (v4 as
 * v4-mapped), then the domain, HELO name and local part, each with a NUL behind it; those that do
 * not matter are "".
 */
struct spf_key {
    uint8_t octets[1 + 16 + 3 * (SPF_MEMO_TEXT_MAX + 1)];
    size_t len;
};

/* False when the question has no such key: no IP address, a text that is too long. Pure. */
bool spf_key_make(const struct spf_question *question, unsigned by, struct spf_key *key);

/* The clock must outlive it. NULL: out of memory. Given back with memo_free. */
struct memo *spf_memo_new(const struct rb_clock *clock);

/* True when the result of this question, or of one that must have the same, has been noted. */
bool spf_memo_find(struct memo *memo, const struct spf_question *question,
                   struct spf_vouching *vouching);

/*
 * Notes what it came to, for SPF_MEMO_LIFE_S (is_for_now: SPF_MEMO_FOR_NOW_LIFE_S): it holds for the
 * client's address and the domain, and where it was by the HELO name or the local part, for that
 * one alone. What has no key is not noted, nor what there is no memory for.
 */
void spf_memo_note(struct memo *memo, const struct spf_question *question,
                   const struct spf_vouching *vouching);

#endif
