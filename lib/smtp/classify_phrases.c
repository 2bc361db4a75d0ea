/* SPDX-License-Identifier: BSD-2-Clause */
/* classify_phrases: see classify_phrases.h. */
#include "config.h"

#include "smtp/classify_phrases.h"

#include "smtp/span.h"

#include <string.h>

/* One of the alternatives. */
static bool word_matches(const char *word, struct span pattern)
{
    while (pattern.len > 0) {
        const char *slash = memchr(pattern.at, '/', pattern.len);
        size_t len = slash != NULL ? (size_t)(slash - pattern.at) : pattern.len;

        if (span_fits(word, (struct span){pattern.at, len}))
            return true;
        len += slash != NULL;
        pattern.at += len;
        pattern.len -= len;
    }
    return false;
}

static struct span next_pattern(struct span *phrase)
{
    struct span word = {phrase->at, 0};

    while (word.len < phrase->len && phrase->at[word.len] != ' ')
        word.len++;
    phrase->at += word.len;
    phrase->len -= word.len;
    if (phrase->len > 0) {
        phrase->at++;
        phrase->len--;
    }
    return word;
}

/* Whether the phrase stands at word i. Each "~" tries all its lengths: phrases are ours, and short.
 */
static bool phrase_at(const struct words *words, size_t i, struct span phrase)
{
    while (phrase.len > 0) {
        struct span pattern = next_pattern(&phrase);

        if (pattern.len == 1 && pattern.at[0] == '~') {
            for (size_t gap = 0; gap <= PHRASE_GAP_MAX && i + gap <= words->count; gap++)
                if (phrase_at(words, i + gap, phrase))
                    return true;
            return false;
        }
        if (pattern.len == 1 && pattern.at[0] == '^') {
            if (i != 0)
                return false;
        } else if (pattern.len == 1 && pattern.at[0] == '$') {
            if (i != words->count)
                return false;
        } else if (i >= words->count || !word_matches(words->word[i++], pattern)) {
            return false;
        }
    }
    return true;
}

/* Whether there is a word that the phrase could begin with. */
static bool may_begin(const struct words *words, struct span phrase)
{
    for (size_t i = 0; i < phrase.len && phrase.at[i] != ' '; i++)
        if ((i == 0 || phrase.at[i - 1] == '/') &&
            (words->initials & words_initial(phrase.at[i])) != 0)
            return true;
    return phrase.at[0] == '^' || phrase.at[0] == '~';
}

bool phrases_are_in(const struct words *words, const char *phrases)
{
    while (*phrases != '\0') {
        size_t len = strcspn(phrases, "|");
        bool likely = may_begin(words, (struct span){phrases, len});

        for (size_t i = 0; likely && i <= words->count; i++)
            if (phrase_at(words, i, (struct span){phrases, len}))
                return true;
        phrases += len;
        phrases += *phrases == '|';
    }
    return false;
}
