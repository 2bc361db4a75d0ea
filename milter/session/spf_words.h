/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spf_words: what SPF, and the guesses where it says neither yes nor no, say of a client, in words
 * for an administrator. Pure.
 */
#ifndef RB_MILTER_SESSION_SPF_WORDS_H
#define RB_MILTER_SESSION_SPF_WORDS_H

#include <stddef.h>

#include "ringback.h"

/* Enough for each of them. */
enum { SPF_WORDS_MAX = 1023 };

/* By what SPF came to its result: a term of whose record, and what is wrong with it. */
void spf_words_of_result(const struct rb_spf_answer *answer, char *text, size_t size);

/* Who vouches for the client and by what, or that nobody does and why. */
void spf_words_of_voucher(const struct rb_spf_answer *answer, char *text, size_t size);

#endif
