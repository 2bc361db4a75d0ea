/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * classify_text: a reply's text made fit for comparing, and the small pattern language of
 * classify's table. Pure.
 *
 * Words are lower case; apostrophes are gone, all other punctuation parts words. What a reply
 * quotes is no part of what it says: addresses and URLs are left out, an IP address becomes "ip", a
 * host name "host", the name of a known DNS block list "dnsbl", the null sender "<>".
 */
#ifndef RB_CLASSIFY_TEXT_H
#define RB_CLASSIFY_TEXT_H

#include "reply.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    PHRASE_OCTETS_MAX =
        1024, /* of a reply that are looked at: what it means stands at its beginning */
    PHRASE_WORDS_MAX = 200,
    PHRASE_GAP_MAX = 6, /* words that "~" may stand for */
};

struct words {
    char text[PHRASE_OCTETS_MAX + 1]; /* words, each terminated */
    const char *word[PHRASE_WORDS_MAX];
    size_t count;
};

void words_read(struct words *words, const struct reply *reply);

/*
 * True when one of the phrases ("user/mailbox unknown|unknown ~ recipient") stands in the words.
 * "a/b" is a or b, for one word; a word that ends in "*" matches what begins so; "~" stands for up
 * to PHRASE_GAP_MAX words; "^" for the beginning, "$" for the end.
 */
bool words_have(const struct words *words, const char *phrases);

/*
 * The enhanced code of a reply: its own, or one that stands in the text as qmail and others write
 * it: "(#5.1.1)". "" where there is none.
 */
void reply_enhanced(const struct reply *reply, char enhanced[RB_ENHANCED_MAX + 1]);

/* True when an enhanced code is one of "x.1.1|x.7.*"; x is any class. "" in the list stands for no
 * code. */
bool enhanced_is(const char *enhanced, const char *list);

/*
 * How long a reply asks us to wait: "in 300 seconds", "for 5 minutes", "back in 00:29:59", "(300
 * sec)". 0 where it does not say; a time of day, "within 4 hours" or a number alone is no wait.
 * Clamped to min_s..max_s.
 */
int reply_wait_s(const struct reply *reply, int min_s, int max_s);

#endif
