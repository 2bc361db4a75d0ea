/* SPDX-License-Identifier: BSD-2-Clause */
/* classify_phrases: the small pattern language of classify's table. Pure. */
#ifndef RB_SMTP_CLASSIFY_PHRASES_H
#define RB_SMTP_CLASSIFY_PHRASES_H

#include "smtp/classify_words.h"

enum { PHRASE_GAP_MAX = 6 }; /* words that "~" may stand for */

/*
 * True when one of the phrases ("user/mailbox unknown|unknown ~ recipient") stands in the words.
 * "a/b" is a or b, for one word; a word that ends in "*" matches what begins so; "~" stands for up
 * to PHRASE_GAP_MAX words; "^" for the beginning, "$" for the end.
 */
bool phrases_are_in(const struct words *words, const char *phrases);

#endif
